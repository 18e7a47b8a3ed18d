"""Convolutions over one to three spatial axes, and their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.nn.windows import Padding, each, ends, fit
from rosin.frontend.numpy import manipulation, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.ops.contract import Convolution
from rosin.ir.ops.sliding import extent

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def conv(
    x: ArrayLike,
    w: ArrayLike,
    /,
    *,
    strides: int | Sequence[int] = 1,
    padding: Padding = "VALID",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """The cross-correlation of `x[N, C, spatial…]` with the kernel `w[O, C / groups, window…]`: `[N, O, spatial…]`.

    `padding` adds zeros at the ends: "VALID" none; "SAME" so many that the result has the size of x divided by the
    stride, rounded up; a number, or a number or pair for each spatial axis. The elements of the kernel are `dilation`
    apart. With groups, each group of output channels sees its own group of input channels.

    Raises:
        ShapeError: ranks, channels and groups disagree, or the kernel is larger than x with its padding.
        AttributeValueError: a stride or dilation is not positive, or there is no such padding.
    """
    a, b = promote.alike_floats("conv", x, w)
    spatial = len(core.shape_of(a)) - 2
    if spatial < 1:
        promote.bad_shape("conv: the input is [batch, channels, spatial…], with at least one spatial axis", a, b)
    if len(core.shape_of(b)) != spatial + 2:
        promote.bad_shape(f"conv: the kernel has rank {len(core.shape_of(b))} and the input {spatial + 2}", a, b)
    steps, apart = each("conv", "strides", strides, spatial), each("conv", "dilation", dilation, spatial)
    reach = [extent(size, d) for size, d in zip(core.shape_of(b)[2:], apart, strict=True)]
    low, high = ends("conv", a, padding, core.shape_of(a)[2:], reach, steps)
    fit("conv", reach, core.shape_of(a)[2:], low, high, a, b)
    groups = promote.as_int("conv", groups, "groups")
    op = Convolution(steps, low, high, (1,) * spatial, apart, groups, 1, core.dtype_of(a))
    return core.bind1(op, a, b)


def conv_transpose(
    x: ArrayLike,
    w: ArrayLike,
    /,
    *,
    strides: int | Sequence[int] = 1,
    padding: Padding = "VALID",
    output_padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """The transpose of `conv` with a kernel `w[C, O / groups, window…]`: `x[N, C, spatial…]` to `[N, O, spatial…]`.

    It is the map that takes a gradient by the result of that convolution to one by its input: with "VALID", an axis of
    n elements gets (n - 1) * stride + window; with "SAME", n * stride; numbers are what that convolution pads with.
    `output_padding` makes an axis of the result that much longer, since a stride leaves its length open.

    Raises:
        ShapeError: ranks, channels and groups disagree, or the padding leaves nothing of the result.
        AttributeValueError: a stride or dilation is not positive, or there is no such padding.
    """
    a, b = promote.alike_floats("conv_transpose", x, w)
    spatial = len(core.shape_of(a)) - 2
    if spatial < 1 or len(core.shape_of(b)) != spatial + 2:
        promote.bad_shape("conv_transpose: input and kernel have the same rank, at least 3", a, b)
    steps = each("conv_transpose", "strides", strides, spatial)
    apart = each("conv_transpose", "dilation", dilation, spatial)
    reach = [extent(size, d) for size, d in zip(core.shape_of(b)[2:], apart, strict=True)]
    sizes = [size * step for size, step in zip(core.shape_of(a)[2:], steps, strict=True)]
    low, high = ends("conv_transpose", a, padding, sizes, reach, steps)
    # The forward result of size n ends (n - 1) * stride + reach after its padding; what is over is not reached.
    over: list[Dim] = [0] * spatial
    if isinstance(padding, str) and padding.upper() == "SAME":
        spans = [(n - 1) * s + r for n, s, r in zip(core.shape_of(a)[2:], steps, reach, strict=True)]
        over = [n + lo + hi - span for n, lo, hi, span in zip(sizes, low, high, spans, strict=True)]
    for axis, more in enumerate(_extra(output_padding, spatial)):
        over[axis] = over[axis] + more
    before = tuple(r - 1 - lo for r, lo in zip(reach, low, strict=True))
    after = tuple(r - 1 - hi + o for r, hi, o in zip(reach, high, over, strict=True))
    _check_result(sizes, steps, reach, before, after, a, b)
    flipped = manipulation.flip(_turned(b, groups), axis=tuple(range(2, spatial + 2)))
    op = Convolution((1,) * spatial, before, after, steps, apart, groups, 1, core.dtype_of(a))
    return core.bind1(op, a, flipped)


def _check_result(
    sizes: Sequence[Dim],
    steps: Sequence[int],
    reach: Sequence[Dim],
    before: Sequence[Dim],
    after: Sequence[Dim],
    *x: Array,
) -> None:
    """Raise where an axis of a transpose would have no elements though the operand has some, as far as sizes tell."""
    parts = zip(sizes, steps, reach, before, after, strict=True)
    lengths = [n - s + 1 + lo + hi - (r - 1) for n, s, r, lo, hi in parts]
    if any(isinstance(length, int) and length < 1 for length in lengths) and 0 not in sizes:
        told = " x ".join(map(str, lengths))
        promote.bad_shape(f"conv_transpose: the padding leaves {told} of the result", *x)


def _extra(output_padding: int | Sequence[int], spatial: int) -> tuple[int, ...]:
    given = tuple(output_padding) if isinstance(output_padding, Sequence) else (output_padding,) * spatial
    if len(given) != spatial:
        promote.bad_value(f"conv_transpose: output_padding has {len(given)} entries for {spatial} spatial axes")
    numbers = tuple(promote.as_int("conv_transpose", g, "an entry of output_padding") for g in given)
    for number in numbers:
        if number < 0:
            promote.bad_value(f"conv_transpose: output_padding is {number}; it is not negative")
    return numbers


def _turned(kernel: Array, groups: int) -> Array:
    """A kernel `[C, O / groups, …]` as `[O, C / groups, …]`: in each group inputs and outputs change places."""
    channels, outputs, *window = core.shape_of(kernel)
    part = facts.divide(channels, groups) if groups > 0 else None
    if part is None:
        promote.bad_shape(f"conv_transpose: {groups} groups do not divide {channels} input channels", kernel)
    parts = manipulation.swapaxes(manipulation.reshape(kernel, (groups, part, outputs, *window)), 1, 2)
    return manipulation.reshape(parts, (groups * outputs, part, *window))
