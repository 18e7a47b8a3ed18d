"""Rules for reductions.

A sum of sums is not one sum and a sum of n equal numbers is not n times the number, in floats: the roundings differ.
Nor is an extreme of extremes one extreme, for which of two zeros it gives depends on the order. So these are for
integers and truth values, where the order is of no account.
"""

from __future__ import annotations

import math
from dataclasses import replace

from rosin.ir import dims
from rosin.ir.dims import Dim
from rosin.ir.op import Value
from rosin.ir.ops.movement import Broadcast
from rosin.ir.ops.reduce import Prod, Reduction, Sum
from rosin.passes.rewrite import Rewriter

_DIGITS = {"f32": 24, "f64": 53}


def over_short_axes(b: Rewriter, op: Reduction, x: Value) -> Value | None:
    """A reduction over axes of size 1 → a reshape; a float sum of one number adds +0.0 to it, since -0.0 becomes +0.0.

    A reduction over some axes of size 1 → a reshape and a reduction over the others.
    """
    shape = x.type.shape
    short = [axis for axis in op.axes if shape[axis] == 1]
    long = [axis for axis in op.axes if shape[axis] != 1]
    if len(short) < len(op.axes) and not short:
        return None
    flat = b.reshape(x, tuple(size for axis, size in enumerate(shape) if axis not in short))
    if long:
        return b.node(replace(op, axes=tuple(axis - sum(s < axis for s in short) for axis in long)), flat)[0]
    return b.add(flat, 0.0) if isinstance(op, Sum) and x.type.dtype.differentiable else flat


def of_reduction(b: Rewriter, op: Reduction, x: Value) -> Value | None:
    """A reduction of a reduction of the same kind → one; not in floats."""
    found = None if x.type.dtype.differentiable else b.made_by(x, type(op))
    if found is None:
        return None
    inner, (source,) = found
    rest = [axis for axis in range(source.type.rank) if axis not in inner.axes]
    axes = tuple(sorted((*inner.axes, *(rest[axis] for axis in op.axes))))
    return b.node(replace(op, axes=axes), source)[0]


def of_broadcast(b: Rewriter, op: Reduction, x: Value) -> Value | None:
    """A reduction over axes that a broadcast made → one over the others, multiplied by the count where it is a sum.

    Not for products, nor for float sums, nor for an empty axis.
    """
    found = b.made_by(x, Broadcast)
    if found is None or isinstance(op, Prod) or (isinstance(op, Sum) and x.type.dtype.differentiable):
        return None
    broadcast, (source,) = found
    made = [axis for axis in op.axes if axis not in broadcast.axes]
    counts = [broadcast.shape[axis] for axis in made]
    if not made or 0 in counts or not dims.is_static(counts):
        return None
    smaller = b.broadcast(source, _without(broadcast.shape, made), _renumbered(broadcast.axes, made))
    rest = _renumbered([axis for axis in op.axes if axis not in made], made)
    result = b.node(replace(op, axes=rest), smaller)[0] if rest else smaller
    return b.mul(result, math.prod(dims.static(counts, "a rule"))) if isinstance(op, Sum) else result


def _without(shape: tuple[Dim, ...], axes: list[int]) -> tuple[Dim, ...]:
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _renumbered(axes: tuple[int, ...] | list[int], dropped: list[int]) -> tuple[int, ...]:
    """The numbers of these axes once others are dropped."""
    return tuple(axis - sum(d < axis for d in dropped) for axis in axes)


def sum_of_splat(b: Rewriter, op: Sum, x: Value) -> Value | None:
    """A sum of n times the same constant → the constant n * c, where every sum on the way is exact."""
    constant = b.splat(x)
    if constant is None or x.type.dtype.is_complex or not dims.is_static(x.type.shape):
        return None
    count, number = math.prod(x.type.sizes[axis] for axis in op.axes), constant.scalar
    dtype = x.type.dtype.accumulator
    if dtype.is_float and not _is_exact(count, number, _DIGITS[dtype.name]):
        return None
    result = x.type.with_shape(tuple(size for axis, size in enumerate(x.type.shape) if axis not in op.axes))
    if dtype.is_float:
        return b.full(count * number + 0.0, result)
    return b.mul(b.full(number, result), count)


def _is_exact(count: int, number: float, digits: int) -> bool:
    """Whether k * number is a float of so many digits for every k up to count."""
    if not math.isfinite(number):
        return False
    numerator, denominator = number.as_integer_ratio()
    return count * abs(numerator) <= 1 << digits and denominator <= 1 << 100
