"""Random bits by the counters and rounds of Threefry, the same as on every target.

They are written out, since what XLA has for random bits is a generator of each platform's own.
"""

from __future__ import annotations

import math

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs
from rosin.ir import dims
from rosin.ir.dtypes import u32, u64
from rosin.ir.loops import Local
from rosin.ir.op import Op, Types
from rosin.ir.ops import random as ops
from rosin.ir.scalar import Real
from rosin.ir.types import TensorType


def _words(e: Emitter, key: Ref, rank: int) -> tuple[Ref, Ref]:
    """The two words of each key, at the shape of keys followed by `rank` axes of size 1."""
    shape = key.shape[:-1]
    whole = ", ".join(f"0:{n}" for n in shape)

    def word(i: int) -> Ref:
        places = f" [{whole}{', ' if whole else ''}{i}:{i + 1}]"
        part = e.one("stablehlo.slice", key, result=TensorType(u32, (*shape, 1)), attributes=places)
        return e.reshape(part, (*shape, *(1,) * rank))

    return word(0), word(1)


def _blocks(e: Emitter, key: Ref, counter: tuple[Ref, Ref], shape: tuple[int, ...]) -> tuple[Ref, Ref]:
    """The blocks of counters, arrays of a shape to which keys are spread."""
    axes = tuple(range(len(shape)))
    words = [e.broadcast(w, shape, axes) for w in _words(e, key, len(shape) - len(key.shape) + 1)]
    names = [Local(f"w{i}", u32) for i in range(4)]
    reals = [Real(name) for name in names]
    a, b = ops.threefry((reals[0], reals[1]), (reals[2], reals[3]))
    values = dict(zip(names, (*words, *counter), strict=True))
    first, second = e.expressions((a.expr, b.expr), values, shape)
    return first, second


def _counters(e: Emitter, shape: tuple[int, ...], result: tuple[int, ...]) -> tuple[Ref, Ref]:
    """The number of each element of an array of a shape, as two words, at the shape of all arrays."""
    count = math.prod(shape)
    axes = tuple(range(len(result) - len(shape), len(result)))

    def spread(x: Ref) -> Ref:
        return e.broadcast(e.reshape(x, shape), result, axes)

    if count < ops.WORD:
        (low,) = e.op("stablehlo.iota", (), TensorType(u32, (count,)), attributes="dim = 0")
        return e.constant(0, TensorType(u32, result)), spread(low)
    (number,) = e.op("stablehlo.iota", (), TensorType(u64, (count,)), attributes="dim = 0")
    high = e.one("stablehlo.shift_right_logical", number, e.like(32, number))
    return spread(e.convert(high, u32)), spread(e.convert(number, u32))


def _random_bits(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.RandomBits)
    (key,), shape = operands, results[0].sizes
    if 0 in shape:
        return (e.constant(0, results[0]),)
    a, b = _blocks(e, key, _counters(e, dims.static(op.shape, op.name), shape), shape)
    if op.dtype != u64:
        return (e.convert(e.one("stablehlo.xor", a, b), op.dtype),)
    high, low = e.convert(a, u64), e.convert(b, u64)
    return (e.either(e.one("stablehlo.shift_left", high, e.like(32, high)), low),)


def _random_fold_in(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    key, number = operands
    if 0 in key.shape:
        return (key,)
    shape = (*number.shape, 1)
    counter = e.constant(0, TensorType(u32, shape)), e.reshape(number, shape)
    words = _blocks(e, key, counter, shape)
    return e.op("stablehlo.concatenate", words, *results, attributes=f", dim = {len(shape) - 1}")


LOWER: dict[type[Op], Lower] = {ops.RandomBits: _random_bits, ops.RandomFoldIn: _random_fold_in}
