"""Functions that networks are made of: activations, normalised exponentials, convolutions and pooling.

Arrays of images have their channels before their spatial axes: `[batch, channels, height, width]`, and as many spatial
axes as there are, one to three. Kernels are `[out channels, in channels / groups, window…]`. Integers and truth values
become the default float first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_FLOAT, DTypeLike
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote, reductions, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.reductions import Axis, logsumexp
from rosin.frontend.numpy.transcendental import sigmoid
from rosin.ir.dims import Dim
from rosin.ir.ops.contract import Convolution
from rosin.ir.ops.sliding import extent
from rosin.ir.ops.window import WindowMax, WindowSum

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Padding: TypeAlias = "str | int | Sequence[int | tuple[int, int]]"


# -- activations -------------------------------------------------------------------------------------------------------


def relu(x: ArrayLike, /) -> Array:
    """x where it is positive, else 0; its derivative at 0 is 0."""
    operand = promote.numeric("relu", x)
    # NaN is not below 0 and stays.
    return logic.where(logic.less_equal(operand, 0), 0, operand)


def leaky_relu(x: ArrayLike, /, negative_slope: float = 0.01) -> Array:
    """x where it is positive, else `negative_slope` times x."""
    operand = promote.floating("leaky_relu", x)
    return logic.where(logic.less_equal(operand, 0), elementwise.multiply(operand, negative_slope), operand)


def elu(x: ArrayLike, /, alpha: float = 1.0) -> Array:
    """x where it is positive, else alpha (exp(x) - 1). Clevert et al., 2016."""
    operand = promote.floating("elu", x)
    below = logic.less_equal(operand, 0)
    # What is not selected is made 0 first, since its exponential may overflow.
    inside = transcendental.expm1(logic.where(below, operand, 0))
    return logic.where(below, elementwise.multiply(inside, alpha), operand)


def gelu(x: ArrayLike, /, *, approximate: bool = False) -> Array:
    """x Φ(x), Φ being the normal distribution function; or its approximation by tanh. Hendrycks and Gimpel, 2016."""
    operand = promote.floating("gelu", x)
    half = elementwise.multiply(operand, 0.5)
    if approximate:
        cubic = elementwise.multiply(elementwise.pow(operand, 3), 0.044715)
        inner = elementwise.multiply(elementwise.add(operand, cubic), math.sqrt(2 / math.pi))
        return elementwise.multiply(half, elementwise.add(transcendental.tanh(inner), 1))
    # By erfc, which is accurate where Φ is small.
    return elementwise.multiply(half, transcendental.erfc(elementwise.multiply(operand, -math.sqrt(0.5))))


def silu(x: ArrayLike, /) -> Array:
    """x sigmoid(x), also called swish. Elfwing et al., 2018."""
    operand = promote.floating("silu", x)
    return elementwise.multiply(operand, sigmoid(operand))


def softplus(x: ArrayLike, /) -> Array:
    """log(1 + exp(x)), without overflow in between."""
    return transcendental.logaddexp(promote.floating("softplus", x), 0)


def log_sigmoid(x: ArrayLike, /) -> Array:
    """The logarithm of the logistic function, without underflow in between."""
    return elementwise.negative(softplus(elementwise.negative(promote.floating("log_sigmoid", x))))


def softmax(x: ArrayLike, /, axis: Axis = -1) -> Array:
    """exp(x) divided by its sum over axes, without overflow in between. Narrow floats are worked on in f32."""
    operand = promote.floating("softmax", x)
    wide, axes = _wide("softmax", operand, axis)
    if 0 in core.shape_of(operand):
        return operand
    power = transcendental.exp(elementwise.subtract(wide, reductions.finite_top(wide, axes)))
    result = elementwise.divide(power, reductions.sum(power, axis=axes, keepdims=True))
    return promote.cast(result, core.dtype_of(operand))


def log_softmax(x: ArrayLike, /, axis: Axis = -1) -> Array:
    """The logarithm of softmax, without overflow in between. Narrow floats are worked on in f32."""
    operand = promote.floating("log_softmax", x)
    wide, axes = _wide("log_softmax", operand, axis)
    if 0 in core.shape_of(operand):
        return operand
    shifted = elementwise.subtract(wide, reductions.finite_top(wide, axes))
    total = reductions.sum(transcendental.exp(shifted), axis=axes, keepdims=True)
    return promote.cast(elementwise.subtract(shifted, transcendental.log(total)), core.dtype_of(operand))


def _wide(name: str, x: Array, axis: Axis) -> tuple[Array, tuple[int, ...]]:
    axes = promote.as_axes(name, axis, x)
    return promote.cast(x, core.dtype_of(x).accumulator), axes


def one_hot(x: ArrayLike, /, num_classes: int, *, dtype: DTypeLike | None = None, axis: int = -1) -> Array:
    """For each integer the vector with 1 at its place and 0 elsewhere, along a new axis of the result.

    An integer outside 0 … num_classes - 1 gives zeros.

    Raises:
        DTypeError: x holds no integers.
    """
    operand = promote.array("one_hot", x)
    if not core.dtype_of(operand).is_integer:
        promote.bad_dtype("one_hot takes integers", operand)
    shape = core.shape_of(operand)
    place = promote.as_axis("one_hot", axis, len(shape) + 1, operand)
    full = (*shape[:place], promote.as_size("one_hot", num_classes, "num_classes"), *shape[place:])
    # Compared in i64: a narrow type may not hold the number of classes.
    wide = core.as_dtype("i64")
    number = promote.spread(manipulation.expand_dims(promote.cast(operand, wide), place), full)
    hit = logic.equal(number, creation.iota(wide, full, place))
    return promote.cast(hit, DEFAULT_FLOAT if dtype is None else core.as_dtype(dtype))


# -- convolutions and pooling ------------------------------------------------------------------------------------------


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
        ShapeError: ranks, channels and groups disagree.
        AttributeValueError: a stride or dilation is not positive, or there is no such padding.
    """
    a, b = promote.alike_floats("conv", x, w)
    spatial = len(core.shape_of(a)) - 2
    if spatial < 1:
        promote.bad_shape("conv: the input is [batch, channels, spatial…], with at least one spatial axis", a, b)
    if len(core.shape_of(b)) != spatial + 2:
        promote.bad_shape(f"conv: the kernel has rank {len(core.shape_of(b))} and the input {spatial + 2}", a, b)
    steps, apart = _each("conv", "strides", strides, spatial), _each("conv", "dilation", dilation, spatial)
    reach = [extent(size, d) for size, d in zip(core.shape_of(b)[2:], apart, strict=True)]
    low, high = _ends("conv", a, padding, core.shape_of(a)[2:], reach, steps)
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
    dilation: int | Sequence[int] = 1,
) -> Array:
    """The transpose of `conv` with a kernel `w[C, O, window…]`: `x[N, C, spatial…]` gives `[N, O, spatial…]`.

    It is the map that takes a gradient by the result of that convolution to one by its input: with "VALID", an axis of
    n elements gets (n - 1) * stride + window; with "SAME", n * stride; numbers are what that convolution pads with.

    Raises:
        ShapeError: ranks or channels disagree.
        AttributeValueError: a stride or dilation is not positive, or there is no such padding.
    """
    a, b = promote.alike_floats("conv_transpose", x, w)
    spatial = len(core.shape_of(a)) - 2
    if spatial < 1 or len(core.shape_of(b)) != spatial + 2:
        promote.bad_shape("conv_transpose: input and kernel have the same rank, at least 3", a, b)
    steps = _each("conv_transpose", "strides", strides, spatial)
    apart = _each("conv_transpose", "dilation", dilation, spatial)
    reach = [extent(size, d) for size, d in zip(core.shape_of(b)[2:], apart, strict=True)]
    sizes = [size * step for size, step in zip(core.shape_of(a)[2:], steps, strict=True)]
    low, high = _ends("conv_transpose", a, padding, sizes, reach, steps)
    # The forward result of size n ends (n - 1) * stride + reach after its padding; what is over is not reached.
    over: list[Dim] = [0] * spatial
    if isinstance(padding, str) and padding.upper() == "SAME":
        spans = [(n - 1) * s + r for n, s, r in zip(core.shape_of(a)[2:], steps, reach, strict=True)]
        over = [n + lo + hi - span for n, lo, hi, span in zip(sizes, low, high, spans, strict=True)]
    before = tuple(r - 1 - lo for r, lo in zip(reach, low, strict=True))
    after = tuple(r - 1 - hi + o for r, hi, o in zip(reach, high, over, strict=True))
    flipped = manipulation.flip(manipulation.swapaxes(b, 0, 1), axis=tuple(range(2, spatial + 2)))
    op = Convolution((1,) * spatial, before, after, steps, apart, 1, 1, core.dtype_of(a))
    return core.bind1(op, a, flipped)


def max_pool(
    x: ArrayLike,
    /,
    window: int | Sequence[int],
    *,
    strides: int | Sequence[int] | None = None,
    padding: Padding = "VALID",
    dilation: int | Sequence[int] = 1,
) -> Array:
    """The greatest element of each window over the spatial axes of `x[N, C, spatial…]`; padding is never chosen.

    Without `strides` windows lie side by side. The derivative goes to the first of elements that tie.

    Raises:
        ShapeError: x has no spatial axis.
        AttributeValueError: window, stride or dilation is not positive, or there is no such padding.
    """
    operand = promote.numeric("max_pool", x)
    return core.bind1(WindowMax(*_windows("max_pool", operand, window, strides, padding, dilation)), operand)


def avg_pool(
    x: ArrayLike,
    /,
    window: int | Sequence[int],
    *,
    strides: int | Sequence[int] | None = None,
    padding: Padding = "VALID",
    dilation: int | Sequence[int] = 1,
    count_padding: bool = False,
) -> Array:
    """The mean of each window over the spatial axes of `x[N, C, spatial…]`, of its elements within x.

    With `count_padding` the sum is divided by the window's size everywhere. Without `strides` windows lie side by side.

    Raises:
        ShapeError: x has no spatial axis.
        AttributeValueError: window, stride or dilation is not positive, or there is no such padding.
    """
    operand = promote.floating("avg_pool", x)
    dtype = core.dtype_of(operand)
    wide = promote.cast(operand, dtype.accumulator)
    sizes = _windows("avg_pool", operand, window, strides, padding, dilation)
    total = core.bind1(WindowSum(*sizes), wide)
    _, _, low, high, _ = sizes
    if count_padding or not any((*low, *high)):
        return promote.cast(elementwise.divide(total, math.prod(sizes[0])), dtype)
    # One example and channel will do for the counts.
    shape = core.shape_of(wide)
    ones = creation.ones((1, 1, *shape[2:]), dtype=dtype.accumulator)
    count = core.bind1(WindowSum(*sizes), ones)
    return promote.cast(elementwise.divide(total, count), dtype)


_Windows: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], tuple[Dim, ...], tuple[Dim, ...], tuple[int, ...]]


def _windows(
    name: str,
    x: Array,
    window: int | Sequence[int],
    strides: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
) -> _Windows:
    """Window, strides, paddings and dilation for every axis; those in front are not spanned."""
    spatial = len(core.shape_of(x)) - 2
    if spatial < 1:
        promote.bad_shape(f"{name}: the input is [batch, channels, spatial…], with at least one spatial axis", x)
    sizes = _each(name, "window", window, spatial)
    steps = sizes if strides is None else _each(name, "strides", strides, spatial)
    apart = _each(name, "dilation", dilation, spatial)
    reach = [extent(size, d) for size, d in zip(sizes, apart, strict=True)]
    low, high = _ends(name, x, padding, core.shape_of(x)[2:], reach, steps)
    return (1, 1, *sizes), (1, 1, *steps), (0, 0, *low), (0, 0, *high), (1, 1, *apart)


def _each(name: str, what: str, value: int | Sequence[int], count: int) -> tuple[int, ...]:
    """A positive number for each spatial axis."""
    given = tuple(value) if isinstance(value, Sequence) else (value,) * count
    if len(given) != count:
        promote.bad_value(f"{name}: {what} has {len(given)} entries for {count} spatial axes")
    numbers = tuple(promote.as_int(name, v, f"an entry of {what}") for v in given)
    for number in numbers:
        if number < 1:
            promote.bad_value(f"{name}: {what} is {number}; it must be positive")
    return numbers


def _ends(
    name: str, x: Array, padding: Padding, sizes: Sequence[Dim], reach: Sequence[Dim], strides: Sequence[int]
) -> tuple[tuple[Dim, ...], tuple[Dim, ...]]:
    """How much is added before and after each spatial axis."""
    if isinstance(padding, str):
        kind = padding.upper()
        if kind == "VALID":
            return (0,) * len(sizes), (0,) * len(sizes)
        if kind != "SAME":
            promote.bad_value(f'{name}: padding is "SAME", "VALID", a number or pairs, not {padding!r}', x)
        totals = [_same(name, x, n, r, s) for n, r, s in zip(sizes, reach, strides, strict=True)]
        return tuple(total // 2 for total in totals), tuple(total - total // 2 for total in totals)
    given = tuple(padding) if isinstance(padding, Sequence) else (padding,) * len(sizes)
    if len(given) != len(sizes):
        promote.bad_value(f"{name}: padding has {len(given)} entries for {len(sizes)} spatial axes", x)
    pairs = [(p, p) if isinstance(p, int) else tuple(p) for p in given]
    for pair in pairs:
        if len(pair) != 2:
            promote.bad_value(f"{name}: {pair} is no pair of paddings", x)
    low, high = (tuple(promote.as_int(name, pair[end], "a padding") for pair in pairs) for end in (0, 1))
    return low, high


def _same(name: str, x: Array, size: Dim, reach: Dim, stride: int) -> Dim:
    """The padding that makes the result's size that of the axis divided by the stride, rounded up."""
    if stride == 1:
        return reach - 1
    if not isinstance(size, int) or not isinstance(reach, int):
        promote.bad_shape(f'{name}: "SAME" with stride {stride} needs sizes that are numbers, not {size}', x)
    return max((-(-size // stride) - 1) * stride + reach - size, 0)


__all__ = [
    "avg_pool",
    "conv",
    "conv_transpose",
    "elu",
    "gelu",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "max_pool",
    "one_hot",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
]
