"""Reductions over windows, and the linear ops of their derivatives."""

from __future__ import annotations

import math

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs, integers, rows, widened
from rosin.backends.stablehlo.ops.reduce import combiner, identities
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import i32
from rosin.ir.op import Monoid, Op, Types, Value, Values
from rosin.ir.ops import window as ops
from rosin.ir.ops.index import Numbers
from rosin.ir.types import TensorType


def _reduce_window(e: Emitter, op: ops.WindowFold, operands: Refs, shape: tuple[int, ...], monoid: Monoid) -> Refs:
    """Arrays of one shape, combined together in each window."""
    starts = identities(e, monoid)
    pads = list(zip(op.low, op.high, strict=True))
    if any(not isinstance(n, int) or n < 0 for pair in pads for n in pair):
        # What is cut off is cut off before: the operation itself only adds.
        operands = tuple(_padded(e, op, x, start) for x, start in zip(operands, starts, strict=True))
        pads = [(0, 0)] * len(pads)
    attributes = [
        f"window_dimensions = {integers(op.window)}",
        f"window_strides = {integers(op.strides)}",
        f"window_dilations = {integers(op.dilation)}",
        f"padding = {rows(pads)}",
    ]
    return e.call(
        "stablehlo.reduce_window",
        (*operands, *starts),
        *(x.type.with_shape(shape) for x in operands),
        attributes=", ".join(attributes),
        regions=(combiner(e, monoid),),
    )


def _padded(e: Emitter, op: ops.Windowed, x: Ref, value: Ref) -> Ref:
    pad = op.padding()
    (result,) = pad.type(x.type, value.type)
    amounts = f", low = {list(pad.low)}, high = {list(pad.high)}, interior = {list(pad.interior)}"
    return e.one("stablehlo.pad", x, value, result=result, attributes=amounts)


def _reduction(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.WindowReduction)
    (x,), shape = operands, results[0].sizes
    if 0 in shape or not shape:
        return operands if not shape else (e.constant(0, results[0]),)
    monoid = op.monoid((x.type,))
    if 0 in x.shape:
        return (e.constant(monoid.identity[0].value, results[0]),)
    return _reduce_window(e, op, operands, shape, monoid)


def _which(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """The place in the array of each window's extreme, as the number that it has in the window."""
    assert isinstance(op, ops.WindowArg)
    (x,), shape = operands, results[0].sizes
    if 0 in shape or 0 in x.shape:
        return (e.constant(int(i32.highest), results[0]),)
    if not shape:
        return (e.constant(0, results[0]),)

    def numbered(b: Builder) -> Value:
        return b.reshape(b.iota(TensorType(i32, (math.prod(x.shape),)), 0), x.shape)

    (places,) = e.compose(numbered)
    monoid = op.monoid((x.type,))
    _, found = _reduce_window(e, op, (x, places), shape, monoid)
    return (_number_in_window(e, op, found, x.shape),)


def _number_in_window(e: Emitter, op: ops.Windowed, place: Ref, shape: tuple[int, ...]) -> Ref:
    """The number in its window of the element at a row-major place of the array."""
    number = e.like(0, place)
    inner, scale = 1, 1
    for axis in reversed(range(len(shape))):
        along = e.one("stablehlo.remainder", _over(e, place, inner), e.like(shape[axis], place))
        offset = e.sub(along, _first(e, op, place.type, axis))
        number = e.add(number, _times(e, _over(e, offset, op.dilation[axis]), scale))
        inner, scale = inner * shape[axis], scale * op.window[axis]
    nowhere = e.like(int(i32.highest), place)
    return e.select(e.compare("EQ", place, nowhere), nowhere, number)


def _first(e: Emitter, op: ops.Windowed, windows: TensorType, axis: int) -> Ref:
    """Where along an axis of the array each window begins, which may be before the array."""
    (numbers,) = e.op("stablehlo.iota", (), windows, attributes=f"dim = {axis}")
    low = _number(op.low[axis])
    start = _times(e, numbers, op.strides[axis])
    return e.sub(start, e.like(low, start)) if low else start


def _over(e: Emitter, x: Ref, divisor: int) -> Ref:
    """A number that is not negative, divided."""
    return x if divisor == 1 else e.div(x, e.like(divisor, x))


def _times(e: Emitter, x: Ref, factor: int) -> Ref:
    return x if factor == 1 else e.mul(x, e.like(factor, x))


def _number(size: Dim) -> int:
    assert isinstance(size, int)
    return size


def _places(e: Emitter, op: ops.Windowed, which: Ref, shape: tuple[int, ...]) -> Ref:
    """For each window the row-major place in the array of the element that is chosen by number; -1 where none is."""
    zero = e.like(0, which)
    inside = e.both(e.compare("GE", which, zero), e.compare("LT", which, e.like(math.prod(op.window), which)))
    place = zero
    inner, scale = 1, 1
    for axis in reversed(range(len(shape))):
        offset = e.one("stablehlo.remainder", _over(e, which, scale), e.like(op.window[axis], which))
        along = e.add(_first(e, op, which.type, axis), _times(e, offset, op.dilation[axis]))
        inside = e.both(
            inside, e.both(e.compare("GE", along, zero), e.compare("LT", along, e.like(shape[axis], along)))
        )
        place = e.add(place, _times(e, along, inner))
        inner, scale = inner * shape[axis], scale * op.window[axis]
    return e.reshape(e.select(inside, place, e.like(-1, place)), (math.prod(which.shape),))


_BY_PLACE = Numbers((), (0,), (), (), (0,), 1)
"""Single elements of an array of rank 1, each by one number."""


def _take(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.WindowTake)
    shape = operands[0].shape
    if 0 in shape or 0 in results[0].sizes:
        return (e.constant(0, results[0]),)

    def take(b: Builder, x: Value, places: Value) -> Value:
        found = b.gather(b.reshape(x, (math.prod(shape),)), places, _BY_PLACE, (1,), "fill")
        return b.reshape(found, results[0].shape)

    return e.compose(take, operands[0], _places(e, op, operands[1], shape))


def _put(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.WindowPut)
    shape = results[0].sizes
    if 0 in shape or 0 in operands[0].shape:
        return (e.constant(0, results[0]),)

    def put(b: Builder, given: Value, places: Value) -> Value:
        zeros = b.zeros(given.type.with_shape((math.prod(shape),)))
        total = b.scatter("add", zeros, places, b.reshape(given, places.type.shape), _BY_PLACE, "drop")
        return b.reshape(total, shape)

    return e.compose(put, operands[0], _places(e, op, operands[1], shape))


def _spread(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """Windows of windows: what is given, strides apart, summed over the windows that reach an element."""
    assert isinstance(op, ops.WindowSpread)
    shape = results[0].sizes
    if 0 in shape or 0 in operands[0].shape:
        return (e.constant(0, results[0]),)
    if not shape:
        return operands

    def spread(b: Builder, given: Value) -> Values:
        reach = [(w - 1) * d for w, d in zip(op.window, op.dilation, strict=True)]
        apart = tuple(s - 1 for s in op.strides)
        low = tuple(r - _number(n) for r, n in zip(reach, op.low, strict=True))
        counts = zip(given.type.sizes, op.strides, strict=True)
        lengths = [(n - 1) * s + 1 for n, s in counts]
        high = tuple(n + r - length - before for n, r, length, before in zip(shape, reach, lengths, low, strict=True))
        wide = b.pad(given, 0.0, low, high, apart)
        none = (0,) * len(shape)
        return b.node(ops.WindowSum(op.window, (1,) * len(shape), none, none, op.dilation), wide)

    return e.compose(spread, *operands)


LOWER: dict[type[Op], Lower] = {
    ops.WindowSum: widened(_reduction),
    ops.WindowMax: widened(_reduction),
    ops.WindowMin: widened(_reduction),
    ops.WindowArgMax: widened(_which),
    ops.WindowArgMin: widened(_which),
    ops.WindowTake: _take,
    ops.WindowPut: widened(_put),
    ops.WindowSpread: widened(_spread),
}
