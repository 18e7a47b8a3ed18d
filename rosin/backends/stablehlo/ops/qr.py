"""Orthogonal and triangular factors by Householder's reflections, with the signs that LAPACK gives them."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.ops.lu import column, numbered
from rosin.backends.stablehlo.ops.scan import NUMBER, counting_loop
from rosin.ir.builder import Builder
from rosin.ir.dtypes import i32
from rosin.ir.op import Op, Types, Value, Values
from rosin.ir.ops import qr as ops
from rosin.ir.ops.matrix import along_columns, along_rows, conj, part, place_mask, rows
from rosin.ir.types import TensorType


def _qr(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Qr)
    q_type, r_type = results

    def make(b: Builder, a: Value) -> Values:
        *stack, m, n = a.type.sizes
        unit = b.cast(place_mask(b, q_type, "equal"), a.type.dtype)
        least = min(m, n)
        if 0 in a.type.shape:
            return unit, b.zeros(r_type)
        vectors = b.zeros(a.type.with_shape((*stack, m, least)))
        scales = b.zeros(a.type.with_shape((*stack, least)))
        count = b.full(least, NUMBER)
        reduced, vectors, scales = counting_loop(b, count, (a, vectors, scales), (), _reflect, "reflect")
        (q,) = counting_loop(b, count, (unit,), (vectors, scales), _unfold, "unfold")
        return q, part(b, rows(b, reduced, 0, r_type.shape[-2]), "less_equal")

    return e.compose(make, *operands)


def _reflect(b: Builder, number: Value, state: Sequence[Value], constants: Sequence[Value]) -> Values:
    """One column: a reflection makes zeros below the diagonal. It is 1 - s v vᴴ, with v = 1 on the diagonal."""
    a, vectors, scales = state
    line = column(b, a, number)
    at, lines = b.broadcast(b.cast(number, i32), line.type.shape, ()), numbered(b, line.type)
    last = (line.type.rank - 1,)
    zeros = b.zeros(line.type)
    alpha = b.sum(b.select(b.equal(lines, at), line, zeros), last)
    tail = b.select(b.greater(lines, at), line, zeros)
    length = b.sqrt(b.sum(b.mul(b.abs(line_part := b.select(b.less(lines, at), zeros, line)), b.abs(line_part)), last))
    rest = b.max(b.abs(tail), last)
    real = b.real_part(alpha)
    still = b.equal(rest, 0)
    if alpha.type.dtype.is_complex:
        still = b.logical_and(still, b.equal(b.imag(alpha), 0))
    beta = b.cast(b.select(b.less(real, 0), length, b.neg(length)), alpha.type.dtype)
    one = b.like(1, alpha)
    beta = b.select(still, one, beta)
    scale = b.select(still, b.zeros(alpha.type), b.div(b.sub(beta, alpha), beta))
    divisor = b.select(still, one, b.sub(alpha, beta))
    leading = tuple(range(alpha.type.rank))
    v = b.div(tail, b.broadcast(divisor, tail.type.shape, leading))
    v = b.select(b.equal(lines, at), b.like(1, v), v)
    a = _applied(b, a, v, conj(b, scale))
    shape = TensorType(i32, vectors.type.shape)
    here = b.equal(b.iota(shape, shape.rank - 1), b.broadcast(b.cast(number, i32), shape.shape, ()))
    vectors = b.select(here, along_columns(b, v, vectors.type), vectors)
    own = b.equal(numbered(b, scales.type), b.broadcast(b.cast(number, i32), scales.type.shape, ()))
    return a, vectors, b.select(own, b.broadcast(scale, scales.type.shape, leading), scales)


def _applied(b: Builder, a: Value, v: Value, scale: Value) -> Value:
    """(1 - s v vᴴ) a"""
    products = b.sum(b.mul(conj(b, along_columns(b, v, a.type)), a), (a.type.rank - 2,))
    products = b.mul(products, b.broadcast(scale, products.type.shape, tuple(range(scale.type.rank))))
    return b.sub(a, b.mul(along_columns(b, v, a.type), along_rows(b, products, a.type)))


def _unfold(b: Builder, number: Value, state: Sequence[Value], constants: Sequence[Value]) -> Values:
    """The last reflection that is not yet in the product, from the left."""
    (q,), (vectors, scales) = state, constants
    at = b.sub(scales.type.sizes[-1] - 1, number)
    places = b.broadcast(b.cast(at, i32), scales.type.shape, ())
    own = b.select(b.equal(numbered(b, scales.type), places), scales, b.zeros(scales.type))
    return (_applied(b, q, column(b, vectors, at), b.sum(own, (scales.type.rank - 1,))),)


LOWER: dict[type[Op], Lower] = {ops.Qr: _qr}
