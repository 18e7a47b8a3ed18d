"""What functions with windows share: sizes, strides and paddings for each spatial axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from rosin.frontend import core
from rosin.frontend.numpy import promote
from rosin.ir.dims import Dim
from rosin.ir.ops.sliding import extent

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Padding: TypeAlias = "str | int | Sequence[int | tuple[int, int]]"
Numbers: TypeAlias = "int | Sequence[int]"
Windows: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], tuple[Dim, ...], tuple[Dim, ...], tuple[int, ...]]


def windows(
    name: str,
    x: Array,
    window: int | Sequence[int],
    strides: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
    ceil_mode: bool = False,
) -> Windows:
    """Window, strides, paddings and dilation for every axis; those in front are not spanned."""
    spatial = len(core.shape_of(x)) - 2
    if spatial < 1:
        promote.bad_shape(f"{name}: the input is [batch, channels, spatial…], with at least one spatial axis", x)
    sizes = each(name, "window", window, spatial)
    steps = sizes if strides is None else each(name, "strides", strides, spatial)
    apart = each(name, "dilation", dilation, spatial)
    reach = [extent(size, d) for size, d in zip(sizes, apart, strict=True)]
    low, high = ends(name, x, padding, core.shape_of(x)[2:], reach, steps)
    if ceil_mode:
        high = tuple(
            hi + _missing(name, x, axis, lo, hi, r, s)
            for axis, (lo, hi, r, s) in enumerate(zip(low, high, reach, steps, strict=True), 2)
        )
    fit(name, reach, core.shape_of(x)[2:], low, high, x)
    return (1, 1, *sizes), (1, 1, *steps), (0, 0, *low), (0, 0, *high), (1, 1, *apart)


def each(name: str, what: str, value: int | Sequence[int], count: int) -> tuple[int, ...]:
    """A positive number for each spatial axis."""
    given = tuple(value) if isinstance(value, Sequence) else (value,) * count
    if len(given) != count:
        promote.bad_value(f"{name}: {what} has {len(given)} entries for {count} spatial axes")
    numbers = tuple(promote.as_int(name, v, f"an entry of {what}") for v in given)
    for number in numbers:
        if number < 1:
            promote.bad_value(f"{name}: {what} is {number}; it must be positive")
    return numbers


def ends(
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


def fit(
    name: str, reach: Sequence[Dim], sizes: Sequence[Dim], low: Sequence[Dim], high: Sequence[Dim], *x: Array
) -> None:
    """Raise where windows are longer than the axes that they slide over, as far as both are numbers."""
    lengths = [n + a + b for n, a, b in zip(sizes, low, high, strict=True)]
    for r, n in zip(reach, lengths, strict=True):
        if isinstance(r, int) and isinstance(n, int) and r > n:
            told = ", padding included" if any((*low, *high)) else ""
            promote.bad_shape(f"{name}: windows that span {_by(reach)} do not fit into {_by(lengths)}{told}", *x)


def _by(sizes: Sequence[Dim]) -> str:
    return " x ".join(map(str, sizes))


def _missing(name: str, x: Array, axis: int, low: Dim, high: Dim, reach: Dim, stride: int) -> int:
    """How much further a last window reaches that begins before the padding at the end."""
    size = promote.static_size(name, x, axis)
    if not isinstance(low, int) or not isinstance(high, int) or not isinstance(reach, int):
        promote.bad_shape(f"{name}: ceil_mode needs sizes that are numbers", x)
    rest = (size + low + high - reach) % stride
    last = size + low + high - reach - rest + stride
    return stride - rest if rest and last < size + low else 0


def _same(name: str, x: Array, size: Dim, reach: Dim, stride: int) -> Dim:
    """The padding that makes the result's size that of the axis divided by the stride, rounded up."""
    if stride == 1:
        return reach - 1
    if not isinstance(size, int) or not isinstance(reach, int):
        promote.bad_shape(f'{name}: "SAME" with stride {stride} needs sizes that are numbers, not {size}', x)
    return max((-(-size // stride) - 1) * stride + reach - size, 0)
