"""A slow, strict evaluator of loop expressions: what they mean, without a code generator.

It evaluates an expression at many points of the loops at once, each a lane of NumPy arrays, and fails where a real
target would go wrong unseen: a read outside of an array, a number outside of the bounds that an index states, an index
that does not fit its element type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rosin.ir import dtypes
from rosin.ir import index as indices
from rosin.ir.dtypes import DType
from rosin.ir.index import Atom, Dynamic, Index, LoopVar, Quotient, Remainder
from rosin.ir.interpret import evaluate_op
from rosin.ir.loops import Apply, Const, Expr, FromIndex, Guard, Local
from rosin.ir.op import Fold, Monoid, Op, Pull, Push, Reader, Running, Types

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Read(Expr):
    """The element of an array at an index."""

    array: Array
    index: tuple[Index, ...]

    @property
    def dtype(self) -> DType:  # pyright: ignore[reportIncompatibleVariableOverride]  # read-only here, never assigned
        return dtypes.from_numpy(self.array.dtype)

    def indices(self) -> tuple[Index, ...]:
        return self.index

    def rebuild(self, children: tuple[Expr, ...], indices: tuple[Index, ...]) -> Expr:
        return Read(self.array, indices)


def readers(operands: Sequence[Array]) -> tuple[Reader, ...]:
    def reader(array: Array) -> Reader:
        return lambda index: Read(array, index)

    return tuple(map(reader, operands))


@dataclass
class Lanes:
    """Points of the loops, and the values of locals there; each array has one element for each of `count` lanes."""

    count: int
    variables: Mapping[LoopVar, Array] = field(default_factory=dict)
    locals: Mapping[Local, Array] = field(default_factory=dict)
    _known: dict[int, tuple[Expr, Array]] = field(default_factory=dict)

    def value(self, expr: Expr) -> Array:
        if id(expr) not in self._known:
            result = np.broadcast_to(np.asarray(self._compute(expr)), (self.count,))
            assert dtypes.from_numpy(result.dtype) == expr.dtype, f"{expr} is {expr.dtype} and its value {result.dtype}"
            self._known[id(expr)] = expr, result
        return self._known[id(expr)][1]

    def _compute(self, expr: Expr) -> Any:
        match expr:
            case Const(value, dtype):
                return np.asarray(value).astype(dtype.numpy)
            case Local():
                return self.locals[expr]
            case Apply(op, args):
                return evaluate_op(op, *(self.value(arg) for arg in args))[0]
            case FromIndex(index, dtype):
                place = self.place(index)
                assert np.array_equal(place.astype(dtype.numpy).astype(np.int64), place), (
                    f"{index} does not fit {dtype}"
                )
                return place.astype(dtype.numpy)
            case Guard(tests, then, otherwise):
                holds = np.ones(self.count, bool)
                for test in tests:
                    # A later test may be about a number that only exists where the earlier ones hold.
                    place = self.chosen(holds).place(test.index)
                    holds[holds] = (place >= test.low) & (place < test.high)
                result = np.empty(self.count, expr.dtype.numpy)
                result[holds] = self.chosen(holds).value(then)
                result[~holds] = self.chosen(~holds).value(otherwise)
                return result
            case Read(array, index):
                places = tuple(self.place(position) for position in index)
                for axis, (place, size) in enumerate(zip(places, array.shape, strict=True)):
                    outside = place[(place < 0) | (place >= size)]
                    assert not outside.size, f"reads at {outside[0]} along axis {axis} of size {size}: {index[axis]}"
                return array[places]
            case _:
                raise AssertionError(f"no meaning is known of {expr!r}")

    def chosen(self, mask: Array) -> Lanes:
        """The lanes where the mask is true."""
        variables = {var: values[mask] for var, values in self.variables.items()}
        return Lanes(int(mask.sum()), variables, {local: values[mask] for local, values in self.locals.items()})

    def place(self, index: Index) -> Array:
        total = np.full(self.count, index.constant, np.int64)
        for atom, coefficient in index.terms:
            total += coefficient * self._atom(atom)
        low, high = index.bounds()
        assert np.all((total >= low) & (total <= high)), f"{index} is outside of its bounds {low} … {high}"
        return total

    def _atom(self, atom: Atom) -> Array:
        match atom:
            case LoopVar():
                return self.variables[atom]
            case Quotient(dividend, divisor):
                return self.place(dividend) // divisor
            case Remainder(dividend, divisor):
                return self.place(dividend) % divisor
            case Dynamic(value, low, high):
                found = self.value(value).astype(np.int64)
                assert np.all((found >= low) & (found <= high)), f"{value} is outside of {low} … {high}"
                return found


class Grid:
    """Loop variables over a domain, and all points of it as lanes in row-major order."""

    def __init__(self, extents: Sequence[int], mirrored: bool) -> None:
        self.shape = tuple(extents)
        variables = [LoopVar(f"i{axis}", extent) for axis, extent in enumerate(extents)]
        # A loop over one element is no loop when code is made, so its index is 0 here too.
        self.index = tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in variables)
        count = int(np.prod(self.shape, dtype=int))
        self.points: Array = np.indices(self.shape).reshape(len(self.shape), count)
        points = dict(zip(variables, self.points, strict=True))
        self.mirror: dict[LoopVar, Index] = {}
        if mirrored:
            # The same points as the mirror image of those of other variables: what substitution is for.
            self.mirror = {v: indices.of(v) * -1 + (v.extent - 1) for v in variables}
            points = {v: v.extent - 1 - values for v, values in points.items()}
        self.lanes = Lanes(count, points)

    def value(self, expr: Expr) -> Array:
        return self.lanes.value(expr.substitute(self.mirror) if self.mirror else expr)

    def place(self, index: Index) -> Array:
        return self.lanes.place(index.substitute(self.mirror) if self.mirror else index)


def compute(op: Op, operands: Sequence[Array], types: Types, mirrored: bool = False, partials: int = 1) -> Array:
    """The result of an op by its loop meaning.

    mirrored: whether every index is substituted by one that runs backward, over points that do so too.
    partials: how many partial results a fold keeps, to combine them at the end.
    """
    (result,) = op.type(*types)
    shape = result.sizes
    if 0 in shape:
        return np.zeros(shape, result.dtype.numpy)  # no loop runs
    match op:
        case Pull():
            grid = Grid(shape, mirrored)
            return grid.value(op.element(grid.index, readers(operands), types)).reshape(shape)
        case Fold():
            return _fold(op, operands, types, Grid((*shape, *op.domain(types)), mirrored), partials).reshape(shape)
        case Running():
            return _run(op, operands, types)
        case Push():
            return _push(op, operands, types, Grid(op.domain(types), mirrored))
        case _:
            raise AssertionError(f"{op.name} has no loop meaning")


def _combine(monoid: Monoid, left: Sequence[Array], right: Sequence[Array]) -> tuple[Array, ...]:
    carry = monoid.carry("run")
    known = dict(zip((*carry.left, *carry.right), (*left, *right), strict=True))
    lanes = Lanes(len(left[0]), {}, known)
    return tuple(lanes.value(expr) for expr in carry.combine)


def _finish(op: Fold | Running, monoid: Monoid, values: Sequence[Array], types: Types) -> Array:
    carry = monoid.carry("run")
    lanes = Lanes(len(values[0]), {}, dict(zip(carry.locals, values, strict=True)))
    return lanes.value(op.finish(carry.locals, types))


def _identity(monoid: Monoid, count: int) -> tuple[Array, ...]:
    return tuple(Lanes(count).value(constant) for constant in monoid.identity)


def _fold(op: Fold, operands: Sequence[Array], types: Types, grid: Grid, partials: int) -> Array:
    rank = len(grid.shape) - len(op.domain(types))
    count = int(np.prod(grid.shape[:rank], dtype=int))
    exprs = op.terms(grid.index[:rank], grid.index[rank:], readers(operands), types)
    domain = int(np.prod(grid.shape[rank:], dtype=int))
    terms = [grid.value(expr).reshape(count, domain) for expr in exprs]
    monoid = op.monoid(types)
    running = [_identity(monoid, count) for _ in range(partials)]
    for k in range(domain):
        running[k % partials] = _combine(monoid, running[k % partials], [term[:, k] for term in terms])
    total = running[0]
    for other in running[1:]:
        total = _combine(monoid, total, other)
    return _finish(op, monoid, total, types)


def _run(op: Running, operands: Sequence[Array], types: Types) -> Array:
    axis, backward = op.line(types)
    lines = [np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1) for x in operands]
    steps, count = lines[0].shape
    elements = tuple(Local(f"x{i}", t.dtype) for i, t in enumerate(types))
    exprs, monoid = op.term(*elements), op.monoid(types)
    running = _identity(monoid, count)
    moved = np.moveaxis(operands[0], axis, 0)
    result = np.empty((steps, count), op.type(*types)[0].dtype.numpy)
    for k in reversed(range(steps)) if backward else range(steps):
        lanes = Lanes(count, {}, {local: line[k] for local, line in zip(elements, lines, strict=True)})
        running = _combine(monoid, running, [lanes.value(expr) for expr in exprs])
        result[k] = _finish(op, monoid, running, types)
    return np.moveaxis(result.reshape(moved.shape), 0, axis)


def _push(op: Push, operands: Sequence[Array], types: Types, grid: Grid) -> Array:
    result = np.array(operands[0], order="C")
    tests, place = op.place(grid.index, readers(operands), types)
    made = np.ones(grid.lanes.count, bool)
    for test in tests:
        where = grid.place(test.index)
        made &= (where >= test.low) & (where < test.high)
    places = [grid.place(position)[made] for position in place]
    for axis, (where, size) in enumerate(zip(places, result.shape, strict=True)):
        assert np.all((where >= 0) & (where < size)), f"an update is outside of axis {axis} of size {size}"
    flat = np.ravel_multi_index(places, result.shape) if places else np.zeros(made.sum(), np.int64)
    _check_disjoint(op.disjoint(types), grid.points[:, made], flat)
    cells = result.reshape(-1)
    old = Local("old", types[0].dtype)
    update = op.update(grid.index, old, readers(operands), types)
    update = update.substitute(grid.mirror) if grid.mirror else update
    for lane, cell in zip(np.flatnonzero(made), flat, strict=True):
        variables = {var: values[lane : lane + 1] for var, values in grid.lanes.variables.items()}
        cells[cell] = Lanes(1, variables, {old: cells[cell : cell + 1]}).value(update)[0]
    return result


def _check_disjoint(disjoint: tuple[bool, ...], points: Array, places: Array) -> None:
    for axis, apart in enumerate(disjoint):
        seen: dict[int, int] = {}
        for step, place in zip(points[axis].tolist(), places.tolist(), strict=True):
            same = seen.setdefault(place, step) == step
            assert same or not apart, f"axis {axis} is called disjoint, and points apart along it update one place"
