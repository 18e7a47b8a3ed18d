"""Singular values and vectors by one-sided rotations, which make columns orthogonal pair by pair: a = w vᴴ, and what is
left of w are left vectors times values. Half of the columns turn together, each with its partner of the round.

Hestenes, "Inversion of matrices by biorthogonalization and related results", 1958; Brent & Luk, "The solution of
singular-value and symmetric eigenvalue problems on multiprocessor arrays", 1985.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.ops.eigen import known
from rosin.backends.stablehlo.ops.scan import NUMBER, counting_loop
from rosin.ir.builder import Builder
from rosin.ir.dtypes import bool_, i32
from rosin.ir.op import Op, Types, Value, Values
from rosin.ir.ops import svd as ops
from rosin.ir.ops.loop import While
from rosin.ir.ops.matrix import adjoint, along_columns, along_rows, columns, conj, diagonal, permuted, rows, transpose
from rosin.ir.ops.qr import Qr
from rosin.ir.types import TensorType

SWEEPS = 60
"""Turns over all pairs of columns, at most; some ten are enough."""


def _svd(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Svd)
    (a,) = operands
    if 0 in a.shape:

        def nothing(b: Builder) -> Values:
            return tuple(_unit(b, t) for t in results)

        return e.compose(nothing)
    tall = a.shape[-2] >= a.shape[-1]

    def make(b: Builder, a: Value) -> Values:
        left, values, right = _factors(b, a if tall else adjoint(b, a), op.full, op.vectors)
        if not op.vectors:
            return (values,)
        return (left, values, adjoint(b, right)) if tall else (right, values, adjoint(b, left))

    return e.compose(known, a, *e.compose(make, a))


def _unit(b: Builder, type: TensorType) -> Value:
    """Unit matrices; zeros where the type is that of vectors, or has no elements."""
    if type.rank < 2 or 0 in type.shape:
        return b.zeros(type)
    shape = TensorType(i32, type.shape)
    unit = b.equal(b.iota(shape, type.rank - 2), b.iota(shape, type.rank - 1))
    return b.cast(unit, type.dtype)


def _factors(b: Builder, a: Value, full: bool, vectors: bool) -> tuple[Value, Value, Value]:
    """u, s and v of matrices that have no more columns than rows."""
    *stack, m, n = a.type.sizes
    a, scale = _scaled(b, a)
    lines = transpose(b, a)
    if vectors:
        lines = b.concatenate([lines, _unit(b, lines.type.with_shape((*stack, n, n)))], len(stack) + 1)
    # A round pairs columns, so that there is one more, of zeros, where they are odd in number.
    odd = n % 2
    lines = b.pad(lines, 0.0, (0,) * lines.type.rank, (*[0] * len(stack), odd, 0), (0,) * lines.type.rank)
    lines = rows(b, _turned(b, lines, m), 0, n)
    w = columns(b, lines, 0, m)
    order = b.argsort(_squares(b, w), descending=True)
    w = permuted(b, w, order)
    values = b.sqrt(_squares(b, w))
    scaled = b.mul(values, _spread(b, scale, values))
    if not vectors:
        return a, scaled, a
    v = permuted(b, columns(b, lines, m, m + n), order)
    return _orthonormal(b, w, values, full), scaled, transpose(b, v)


def _scaled(b: Builder, a: Value) -> tuple[Value, Value]:
    """The matrices with greatest elements of 1, so that no square is out of range, and what these were."""
    greatest = b.max(b.abs(a), (a.type.rank - 2, a.type.rank - 1))
    usual = b.logical_and(b.greater(greatest, 0), b.less(greatest, float("inf")))
    scale = b.select(usual, greatest, b.like(1, greatest))
    return b.div(a, _spread(b, b.cast(scale, a.type.dtype), a)), scale


def _spread(b: Builder, x: Value, like: Value) -> Value:
    """One number for each matrix of the stack, at every element."""
    return b.broadcast(x, like.type.shape, tuple(range(x.type.rank)))


def _squares(b: Builder, w: Value) -> Value:
    """The squares of the lengths of rows."""
    size = b.abs(w)
    return b.sum(b.mul(size, size), (w.type.rank - 1,))


def _turned(b: Builder, lines: Value, m: int) -> Value:
    """Rows whose first m numbers are orthogonal, by sweeps over all pairs until one of them turns nothing."""
    count = lines.type.sizes[-2]

    def turn(inner: Builder, number: Value, state: Sequence[Value], constants: Sequence[Value]) -> Values:
        lines, turned = state
        return _round(inner, lines, turned, m)

    cond, body = Builder(), Builder()
    carried = ((lines.type, "lines"), (TensorType(bool_), "turned"), (NUMBER, "sweeps"))
    given = [[c.input(type, name) for type, name in carried] for c in (cond, body)]
    test = cond.graph([cond.logical_and(given[0][1], cond.less(given[0][2], SWEEPS))], "going")
    state, _, sweeps = given[1]
    still = body.full(False, TensorType(bool_))
    after = counting_loop(body, body.full(count - 1, NUMBER), (state, still), (), turn, "round")
    sweep = body.graph([*after, body.add(sweeps, 1)], "sweep")
    return b.node(While(test, sweep, 3), lines, b.full(True, TensorType(bool_)), b.full(0, NUMBER))[0]


def _round(b: Builder, lines: Value, turned: Value, m: int) -> Values:
    """One round: row i turns with row n - 1 - i. Then all but the first move on by one, to other partners."""
    count, axis = lines.type.sizes[-2], lines.type.rank - 2
    first, second = rows(b, lines, 0, count // 2), b.reverse(rows(b, lines, count // 2, count), (axis,))
    x, y = columns(b, first, 0, m), columns(b, second, 0, m)
    inner = b.sum(b.mul(conj(b, x), y), (axis + 1,))
    size, alpha, beta = b.abs(inner), _squares(b, x), _squares(b, y)
    tolerance = inner.type.dtype.epsilon * max(math.sqrt(m), 4.0)
    turns = b.greater(size, b.mul(b.mul(b.sqrt(alpha), b.sqrt(beta)), tolerance))
    one = b.like(1, size)
    # The smaller angle that makes the inner product zero, once its phase is taken from the second row.
    zeta = b.div(b.sub(beta, alpha), b.mul(b.select(turns, size, one), 2.0))
    sign = b.select(b.less(zeta, 0), b.like(-1, size), one)
    tangent = b.div(sign, b.add(b.abs(zeta), b.sqrt(b.add(b.mul(zeta, zeta), 1.0))))
    cosine = b.div(one, b.sqrt(b.add(b.mul(tangent, tangent), 1.0)))
    sine = b.select(turns, b.mul(cosine, tangent), b.zeros(size.type))
    cosine = b.select(turns, cosine, one)
    dtype = inner.type.dtype
    phase = b.div(b.select(turns, inner, b.like(1, inner)), b.cast(b.select(turns, size, one), dtype))
    second = b.mul(second, along_columns(b, conj(b, phase), second.type))
    c, s = (along_columns(b, b.cast(part, dtype), first.type) for part in (cosine, sine))
    first, second = b.sub(b.mul(c, first), b.mul(s, second)), b.add(b.mul(s, first), b.mul(c, second))
    lines = b.concatenate([first, b.reverse(second, (axis,))], axis)
    moved = [rows(b, lines, 0, 1), rows(b, lines, count - 1, count), rows(b, lines, 1, count - 1)]
    every = tuple(range(turns.type.rank))
    return b.concatenate(moved, axis), b.logical_or(turned, b.any(turns, every))


def _orthonormal(b: Builder, w: Value, values: Value, full: bool) -> Value:
    """The columns of length 1 that the rows are times values; where these are 0, and beyond, what completes them."""
    zero = b.equal(values, 0)
    divisor = b.cast(b.select(zero, b.like(1, values), values), w.type.dtype)
    u = b.select(along_columns(b, zero, w.type), b.zeros(w.type), b.div(w, along_columns(b, divisor, w.type)))
    u = transpose(b, u)
    q, r = b.node(Qr(full), u)
    n = values.type.sizes[-1]
    # The factor r is a diagonal of phases, but for rounding and for columns of zeros.
    phase = diagonal(b, rows(b, r, 0, n))
    one = b.like(1, phase)
    phase = b.select(zero, one, phase)
    phase = b.div(phase, b.cast(b.abs(phase), phase.type.dtype))
    own = columns(b, q, 0, n)
    own = b.mul(own, along_rows(b, phase, own.type))
    rest = q.type.sizes[-1]
    return own if rest == n else b.concatenate([own, columns(b, q, n, rest)], q.type.rank - 1)


LOWER: dict[type[Op], Lower] = {ops.Svd: _svd}
