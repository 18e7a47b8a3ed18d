"""What ops on matrices have in common. They take stacks of them: the last two axes are rows and columns.

Each is native code that works on one matrix after the other (rosin.backends.llvm.routines). They state forward mode
alone: tangents of results are linear in those of operands, so reverse mode is the transpose of that, made by
transforming what the rule appends.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from rosin.ir import dims, dtypes, facts
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.op import Maybe, NumpyArray, Routine, Task, Types, Value, Values
from rosin.ir.ops.index import Numbers
from rosin.ir.transform.vjp import vjp
from rosin.ir.types import TensorType, shape_text

ACCEPTED = (dtypes.f32, dtypes.f64, dtypes.c64, dtypes.c128)

PIECES = 16
"""A stack is worked on in at most so many pieces: threads share these, and each has room of its own."""

ALIGNMENT = 64

SLACK = 2 * ALIGNMENT
"""Bytes of room more than its parts take, so that each may be aligned."""

STRIP_BYTES, STRIP_ROWS = 192, 8
"""A large matrix is worked on in strips of columns: a row of one has so many bytes at most, and rows are filled up to a
multiple of so many."""

SMALL, VERY_SMALL, SOME = 32, 8, 4
"""Targets work side by side on matrices whose sizes are at most the first number, if there are as many as the last one
or more, and on those whose sizes are at most the second one anyway."""

OF_ONE, OF_FLOP, OF_BYTE = 400, 4, 2
"""What a matrix takes beside its numbers, an operation on these, and a byte that is moved into lanes or out of them, as
work that decides whether threads share a stack: as measured, small matrices take so many operations of plain loops."""


NUMPY_MATRIX, NUMPY_COLUMN, NUMPY_ROW = 20_000, 60_000, 15_000
"""What takes NumPy beside the work on numbers, as work: a matrix, where it goes from one to the next; a column that all
matrices of a stack eliminate at a time, and a row that all substitute."""


class OfMatrices(Routine):
    """An op on stacks of matrices of one element type, all with the same leading axes."""

    slow_in_numpy = True
    numpy_column: ClassVar[int] = 0
    """What a column takes NumPy where it goes column by column, for all matrices at a time."""

    def numpy_work(self, operands: Types, results: Types) -> int:
        matrices, columns = facts.estimate(dims.product(operands[0].shape[:-2])), facts.estimate(operands[0].shape[-1])
        beside = self.numpy_column * columns if self.numpy_column else NUMPY_MATRIX * matrices
        return self.cost(operands, results).flops + beside

    def check_matrices(self, operands: Types, count: int) -> Types:
        """The operands: so many, of matrices that have one accepted element type and the same leading axes."""
        self.expect(operands, count)
        for x in operands:
            if x.rank < 2:
                self.bad_shape(operands, f"takes matrices, of rank 2 at least, not {x}")
        dtype = self.same_dtype(operands)
        if dtype not in ACCEPTED:
            self.bad_dtype(operands, f"takes {', '.join(d.name for d in ACCEPTED)}, not {dtype}")
        for x in operands[1:]:
            if not facts.same_shape(x.shape[:-2], operands[0].shape[:-2]):
                stacks = " and ".join(shape_text(t.shape[:-2]) for t in (operands[0], x))
                self.bad_shape(operands, f"leading axes are {stacks}")
        return operands

    def check_square(self, operands: Types, x: TensorType) -> None:
        if not facts.same(*x.shape[-2:]):
            self.bad_shape(operands, f"takes square matrices, not ones of {x.shape[-2]} rows and {x.shape[-1]} columns")

    def check_rows(self, operands: Types, a: TensorType, b: TensorType) -> None:
        if not facts.same(a.shape[-1], b.shape[-2]):
            self.bad_shape(operands, f"a matrix has {a.shape[-1]} columns and a right-hand side {b.shape[-2]} rows")

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, *(b.batch_front(v, flag, size) for v, flag in zip(operands, batched, strict=True)))

    @property
    def routine(self) -> str:
        """The routine of the target, but for the element type."""
        return self.name

    @abstractmethod
    def room(self, types: Types) -> Dim:
        """Bytes of room that the work on one matrix takes."""

    def told(self, types: Types) -> tuple[Dim, ...]:
        """What the routine is told: sizes and flags."""
        return types[0].shape[-2:]

    def task(self, types: Types) -> Task:
        """The numbers are the matrices in the stack, the pieces, the bytes of room of each, and what the op tells."""
        stack = dims.product(types[0].shape[:-2])
        pieces = max(min(stack, PIECES), 1) if isinstance(stack, int) else PIECES
        room = self.room(types)
        if room != 0:
            room = (room + (SLACK + ALIGNMENT - 1)) // ALIGNMENT * ALIGNMENT
        numbers = (stack, pieces, room, *self.told(types))
        return Task(f"{self.routine}_{types[0].dtype}", numbers, pieces, self._work(types), room * pieces)

    def _work(self, types: Types) -> Dim:
        """The work on a stack, in scalar operations of plain loops."""
        axes, shape = types[0].rank - 2, types[0].shape
        if not dims.is_static(shape[axes:]):
            return dims.product(shape) * (2 * OF_BYTE * types[0].dtype.bytes)
        one = tuple(TensorType(t.dtype, t.shape[axes:]) for t in types)
        cost = self.cost(one, self.type(*one))
        return dims.product(shape[:axes]) * (OF_ONE + OF_FLOP * cost.flops + OF_BYTE * cost.bytes)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        return transposed(self, b, operands, results, cotangents)


def transposed(op: OfMatrices, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
    """Cotangents of operands by transposing the op's rule for tangents."""
    inner = Builder()
    known = [inner.input(v.type) for v in (*operands, *results)]
    moving = [v for v in operands if v.type.dtype.differentiable]
    given = iter([inner.input(v.type) for v in moving])
    tangents = tuple(next(given) if v.type.dtype.differentiable else None for v in operands)
    ins, outs = tuple(known[: len(operands)]), tuple(known[len(operands) :])
    moved = op.jvp(inner, ins, outs, tangents)
    graph = inner.graph([v for v in moved if v is not None])
    # The rule is linear in tangents, so its pullback by them, taken anywhere, is the transpose.
    zeros = [b.zeros(v.type) for v in moving]
    wanted = [False] * len(known) + [True] * len(zeros)
    location = b.location
    _, pull = vjp(b, graph, (*operands, *results, *zeros), wanted)
    pulled = pull([c for c, v in zip(cotangents, moved, strict=True) if v is not None])
    b.location = location
    found = iter(pulled[len(known) :])
    return tuple(next(found) if v.type.dtype.differentiable else None for v in operands)


def solved_side_by_side(op: OfMatrices, b: Builder, operands: Values, size: Dim) -> Values:
    """The solutions for a batch of right-hand sides, the last operand, which have the matrix in common: one matrix of
    all their columns is solved for."""
    *others, many = operands
    n = many.type.rank
    stack, columns = many.type.shape[1:-1], many.type.shape[-1]
    wide = b.reshape(b.transpose(many, (*range(1, n - 1), 0, n - 1)), (*stack, size * columns))
    (solved,) = b.node(op, *others, wide)
    apart = b.reshape(solved, (*stack, size, columns))
    return (b.transpose(apart, (n - 2, *range(n - 2), n - 1)),)


def stack_work(x: TensorType, flops: int) -> int:
    """The flops for all matrices of a stack, given those for one; complex numbers count four times."""
    count = facts.estimate(dims.product(x.shape[:-2]))
    return count * flops * (4 if x.dtype.is_complex else 1)


def sizes_of(x: TensorType) -> tuple[int, int]:
    """Typical rows and columns."""
    return facts.estimate(x.shape[-2]), facts.estimate(x.shape[-1])


def side_by_side(x: TensorType) -> bool:
    """Whether it is known that such matrices are worked on side by side, which takes no room."""
    *stack, rows, columns = x.shape
    count = dims.product(tuple(stack))
    if not (isinstance(count, int) and isinstance(rows, int) and isinstance(columns, int)):
        return False
    return max(rows, columns) <= (SMALL if count >= SOME else VERY_SMALL)


def in_strips(columns: Dim, dtype: DType) -> Dim:
    """So many columns, with those that fill up the last strip."""
    width = STRIP_BYTES // dtype.bytes
    return (columns + (width - 1)) // width * width


def lesser(rows: Dim, columns: Dim) -> Dim | None:
    """The smaller of two sizes, if it is known which that is."""
    if facts.known_at_least(rows, columns):
        return columns
    return rows if facts.known_at_least(columns, rows) else None


# -- matrices in rules -------------------------------------------------------------------------------------------


def transpose(b: Builder, x: Value) -> Value:
    n = x.type.rank
    return b.transpose(x, (*range(n - 2), n - 1, n - 2))


def conj(b: Builder, x: Value) -> Value:
    return b.conj(x) if x.type.dtype.is_complex else x


def adjoint(b: Builder, x: Value) -> Value:
    """The conjugate transpose."""
    return transpose(b, conj(b, x))


def place_mask(b: Builder, x: TensorType, compare: str) -> Value:
    """Where the row is `less`, `less_equal`, `equal`, `greater` or `greater_equal` to the column, at the shape of x."""
    type = TensorType(dtypes.i32, x.shape)
    rows, columns = b.iota(type, x.rank - 2), b.iota(type, x.rank - 1)
    return getattr(b, compare)(rows, columns)


def part(b: Builder, x: Value, compare: str) -> Value:
    """The elements of matrices at places that compare so, and zeros elsewhere."""
    return b.select(place_mask(b, x.type, compare), x, b.zeros(x.type))


def with_unit_diagonal(b: Builder, x: Value) -> Value:
    """The elements below the diagonal, ones on it, and zeros above."""
    return b.select(place_mask(b, x.type, "equal"), b.like(1, x), part(b, x, "greater"))


def hermitian(b: Builder, x: Value) -> Value:
    """The Hermitian part of matrices, (x + xᴴ) / 2."""
    return b.mul(b.add(x, adjoint(b, x)), 0.5)


def diagonal(b: Builder, x: Value) -> Value:
    """The diagonal of square matrices, as vectors."""
    return b.sum(part(b, x, "equal"), (x.type.rank - 1,))


def along_rows(b: Builder, x: Value, like: TensorType) -> Value:
    """Vectors as the columns' numbers: element j in all of column j."""
    return b.broadcast(x, like.shape, (*range(like.rank - 2), like.rank - 1))


def along_columns(b: Builder, x: Value, like: TensorType) -> Value:
    """Vectors as the rows' numbers: element i in all of row i."""
    return b.broadcast(x, like.shape, tuple(range(like.rank - 1)))


def permuted(b: Builder, x: Value, permutation: Value) -> Value:
    """The rows of matrices in another order: row i is the one that element i of the permutation names."""
    if 0 in x.type.shape:
        return x
    n = x.type.rank - 2
    stack = tuple(range(n))
    numbers = Numbers((n + 1,), (n,), stack, stack, (n,), n + 1)
    return b.gather(x, permutation, numbers, (*(1,) * (n + 1), x.type.shape[-1]))


def columns(b: Builder, x: Value, start: Dim, limit: Dim) -> Value:
    return b.slice_axis(x, x.type.rank - 1, start, limit)


def rows(b: Builder, x: Value, start: Dim, limit: Dim) -> Value:
    return b.slice_axis(x, x.type.rank - 2, start, limit)


# -- matrices in NumPy -------------------------------------------------------------------------------------------


def hermitian_part(x: NumpyArray) -> NumpyArray:
    with np.errstate(all="ignore"):
        return np.asarray((x + np.swapaxes(x.conj(), -1, -2)) / 2, x.dtype)


def each(x: NumpyArray) -> Sequence[NumpyArray]:
    """The matrices of a stack, which they share memory with."""
    return list(x.reshape(-1, *x.shape[-2:])) if x.size else []


def nans(shape: Sequence[int], dtype: DType) -> NumpyArray:
    return np.full(tuple(shape), np.nan, dtype.numpy)
