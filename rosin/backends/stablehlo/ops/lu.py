"""LU factors, column by column, and solutions with the help of them: StableHLO has no operation for factors."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.ops.scan import NUMBER, counting_loop
from rosin.ir.builder import Builder
from rosin.ir.dtypes import i32
from rosin.ir.op import Op, Types, Value, Values
from rosin.ir.ops import lu as ops
from rosin.ir.ops.matrix import along_columns, along_rows, diagonal, permuted
from rosin.ir.ops.sort import put_back, taken
from rosin.ir.ops.triangular import solve
from rosin.ir.types import TensorType


def column(b: Builder, x: Value, at: Value) -> Value:
    """A column of each matrix, as a vector."""
    *stack, m, _ = x.type.shape
    zero = b.full(0, NUMBER)
    part = b.dynamic_slice(x, (*[zero] * (len(stack) + 1), at), (*stack, m, 1))
    return b.reshape(part, (*stack, m))


def row(b: Builder, x: Value, at: Value) -> Value:
    """A row of each matrix, as a vector."""
    *stack, _, n = x.type.shape
    zero = b.full(0, NUMBER)
    part = b.dynamic_slice(x, (*[zero] * len(stack), at, zero), (*stack, 1, n))
    return b.reshape(part, (*stack, n))


def numbered(b: Builder, x: TensorType) -> Value:
    """0, 1, 2, … along vectors."""
    return b.iota(TensorType(i32, x.shape), x.rank - 1)


def _lu(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    if 0 in results[0].sizes:

        def rows(b: Builder) -> Value:
            return numbered(b, results[2])

        return (operands[0], e.constant(0, results[1]), *e.compose(rows))

    def make(b: Builder, a: Value) -> Values:
        pivots, order = b.zeros(results[1]), numbered(b, results[2])
        count = b.full(results[1].sizes[-1], NUMBER)
        return counting_loop(b, count, (a, pivots, order), (), _eliminate, "eliminate")

    return e.compose(make, *operands)


def _eliminate(b: Builder, number: Value, state: Sequence[Value], constants: Sequence[Value]) -> Values:
    """One column: the row with the greatest element comes up, and those below lose their part of it."""
    a, pivots, order = state
    step = b.cast(number, i32)
    lines = numbered(b, order.type)
    at = b.broadcast(step, order.type.shape, ())
    found = _pivot(b, column(b, a, number), lines, at)
    chosen = b.broadcast(found, order.type.shape, tuple(range(found.type.rank)))
    exchange = b.select(b.equal(lines, at), chosen, b.select(b.equal(lines, chosen), at, lines))
    a, order = permuted(b, a, exchange), taken(b, order, exchange)
    spread_found = b.broadcast(found, pivots.type.shape, tuple(range(found.type.rank)))
    here = b.equal(numbered(b, pivots.type), b.broadcast(step, pivots.type.shape, ()))
    pivots = b.select(here, spread_found, pivots)

    top, old = row(b, a, number), column(b, a, number)
    pivot = b.sum(b.select(b.equal(lines, at), old, b.zeros(old.type)), (old.type.rank - 1,))
    divisor = b.select(b.equal(pivot, 0), b.like(1, pivot), pivot)
    below = b.greater(lines, at)
    factors = b.div(old, b.broadcast(divisor, old.type.shape, tuple(range(divisor.type.rank))))
    factors = b.select(below, factors, old)
    shape = a.type
    rest = b.sub(a, b.mul(along_columns(b, factors, shape), along_rows(b, top, shape)))
    numbers = TensorType(i32, shape.shape)
    columns = b.iota(numbers, shape.rank - 1)
    place = b.broadcast(step, numbers.shape, ())
    lower = along_columns(b, below, shape)
    inside = b.logical_and(lower, b.greater(columns, place))
    a = b.select(inside, rest, b.select(b.equal(columns, place), along_columns(b, factors, shape), a))
    return a, pivots, order


def _pivot(b: Builder, line: Value, lines: Value, at: Value) -> Value:
    """The place at or below `at` of the element of the greatest magnitude; a NaN counts only where it comes first."""
    size = b.add(b.abs(b.real(line)), b.abs(b.imag(line))) if line.type.dtype.is_complex else b.abs(line)
    unknown = b.not_equal(size, size)
    first = b.logical_and(unknown, b.equal(lines, at))
    size = b.select(first, b.like(float("inf"), size), b.select(unknown, b.like(-1, size), size))
    size = b.select(b.less(lines, at), b.like(-2, size), size)
    return b.cast(b.argmax(size, size.type.rank - 1), i32)


def _lu_solve(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.LuSolve)
    if 0 in results[0].sizes:
        return (e.constant(0, results[0]),)

    def make(b: Builder, packed: Value, permutation: Value, x: Value) -> Value:
        if not op.transpose:
            return solve(b, packed, solve(b, packed, permuted(b, x, permutation), lower=True, unit=True))
        found = solve(b, packed, x, transposed=True)
        found = solve(b, packed, found, lower=True, transposed=True, unit=True)
        inverse = put_back(b, numbered(b, permutation.type), permutation)
        return permuted(b, found, inverse)

    return e.compose(make, *operands[1:])


def _lu_diagonal(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    def make(b: Builder, a: Value) -> Values:
        packed, pivots, _ = b.node(ops.Lu(), a)
        moved = b.cast(b.not_equal(pivots, numbered(b, pivots.type)), i32)
        return diagonal(b, packed), b.remainder(b.sum(moved, (moved.type.rank - 1,)), 2)

    return e.compose(make, *operands)


LOWER: dict[type[Op], Lower] = {ops.LuDiagonal: _lu_diagonal, ops.Lu: _lu, ops.LuSolve: _lu_solve}
