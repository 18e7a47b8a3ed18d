"""Discrete Fourier transforms: sums of a line's numbers, each turned by a multiple of an angle.

Number k of the transform of n numbers is the sum of `x[j] exp(-2 pi i j k / n)`; the inverse turns the other way, and
undoes it with the scaling `over`. Transforms of real lines give and take only numbers 0 … n // 2 of the others, which
are the conjugates of these.

A target plans a transform by its length. What a plan needs of memory is stated here, since the program provides it.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cache
from math import isqrt, log2
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.op import (
    Arrays,
    Cost,
    Linear,
    Maybe,
    NumpyArray,
    Routine,
    Task,
    Types,
    Value,
    Values,
    define,
    with_attributes,
)
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

Norm: TypeAlias = Literal["backward", "forward", "ortho"]

SCALINGS = ("none", "over", "root")
"""What transforms of n numbers are multiplied by: 1, 1 / n or 1 / sqrt(n)."""
NORMS: dict[str, Norm] = {"none": "backward", "over": "forward", "root": "ortho"}
INVERSE_NORMS: dict[str, Norm] = {"none": "forward", "over": "backward", "root": "ortho"}
"""What NumPy calls the scalings, of forward transforms and of inverse ones."""

NUMBERS = ("length", "inner", "outer", "block", "pieces", "size", "inverse", "scaling")
"""What a routine is told: how long lines are, how many numbers lie between neighbours of a line, how many such groups
of lines there are, how many lines go together, how many pieces the task has, the complex numbers of
room of each piece, whether it turns the other way, and the place of the scaling in `SCALINGS`."""

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)
"""Lengths with other prime factors are computed by a longer transform."""
PIECES = 16
"""A task has at most so many pieces."""
BLOCK = 16
BLOCK_NUMBERS = 1 << 12
"""Lines that lie across go together in blocks of `BLOCK`, or of a multiple where a block has no more numbers than
these."""
GROUP = 8
"""Where there are so many, so many at least go together: code has no vectors of more."""
TOGETHER = 128
"""Lines of odd length go together in blocks up to this length: longer ones would leave the nearest cache."""
SHORT_LENGTH = 64
"""Many lines of neighbours of so many numbers at most are done side by side (rosin/backends/llvm/routines/short.py)."""
SHORT_LINES = 16
"""A piece has at least so many of these."""
SYMBOLIC_PIECES, SYMBOLIC_BLOCK = 8, 8
"""The same of lines of a symbolic size, which are given room for the worst of sizes."""
GRID = 1 << 16
"""A line of neighbours of so many numbers is computed as a grid (rosin/backends/llvm/routines/grids.py)."""
GRID_BLOCK = 16
GRID_PIECES = 8
"""Blocks of so many columns or rows, in so many pieces, each with three tiles of room."""
GRIDS = 4
"""A task over grids has at most so many pieces."""
LONG = 1 << 11
PAGE = 1 << 9
"""Lines of so many numbers have so much more room for each array in it, that of a page of memory at least: numbers at
the same place of two arrays are to lie half a page apart (rosin/backends/llvm/routines/fourier.py)."""
TYPICAL_WORK = 50
"""Operations for each number of a line whose length is not known."""


@cache
def is_smooth(length: int) -> bool:
    """Whether a length, which is positive, has small prime factors only."""
    assert length > 0
    for prime in PRIMES:
        while length % prime == 0:
            length //= prime
    return length == 1


@cache
def chirp_length(length: int) -> int:
    """The length of the transforms that give one of a length which has great prime factors."""
    found = 8
    while found < 2 * length - 1:
        found *= 2
    # Of the lengths that a good power of two is next to, the least.
    return min(m for m in (found, found // 8 * 7, found // 8 * 6, found // 8 * 5) if m >= 2 * length - 1)


@cache
def grid_sides(length: int) -> tuple[int, int]:
    """How many rows and columns a smooth length has as a grid, as nearly the same number as can be."""
    rows = next(n for n in range(isqrt(length), 0, -1) if length % n == 0)
    return rows, length // rows


def _slack(length: int) -> int:
    return PAGE if length >= LONG else 0


def line_room(length: Dim) -> Dim:
    """Complex numbers of room for a line of complex neighbours: of a symbolic length, more than the worst one needs."""
    if not isinstance(length, int):
        return length * 12
    if not is_smooth(length):
        points = chirp_length(length)
        return 3 * points + 2 * _slack(points)
    if length < GRID:
        return length + _slack(length)
    rows, columns = grid_sides(length)
    return length + GRID_BLOCK * (rows + 3 * GRID_PIECES * columns)


@with_attributes
class Transform(Linear, Routine):
    """A transform along one axis."""

    scaling: str
    slow_in_numpy = True

    def check(self, operands: Types, axis: int, dtypes_: tuple[DType, ...]) -> TensorType:
        self.expect(operands, 1)
        (x,) = operands
        if x.dtype not in dtypes_:
            self.bad_dtype(operands, f"takes {', '.join(d.name for d in dtypes_)}, not {x.dtype}")
        if self.scaling not in SCALINGS:
            self.bad_attribute(operands, f"scaling is {self.scaling!r} and not one of {', '.join(SCALINGS)}")
        if not x.rank:
            self.bad_shape(operands, "a scalar has no axis to transform along")
        self.check_axis(operands, axis, x.rank)
        return x

    @abstractmethod
    def lines(self, x: TensorType) -> tuple[Dim, Dim]:
        """How many lines there are, and of how many numbers."""

    def cost(self, operands: Types, results: Types) -> Cost:
        count, length = self.lines(operands[0])
        return Cost(facts.estimate(count * length) * _work(length), operands[0].bytes + results[0].bytes)


def _work(length: Dim) -> int:
    """Operations for each number of a line."""
    if not isinstance(length, int):
        return TYPICAL_WORK
    return int(5 * log2(max(length, 2))) * (1 if length < 2 or is_smooth(length) else 5)


def _pieces(units: Dim, length: Dim, beside: Dim | None = None) -> Dim:
    """How many pieces a task has. Those of long lines have much room, and share it among threads by themselves; those
    of short ones have enough lines `beside` each other.
    """
    most = SYMBOLIC_PIECES if not isinstance(length, int) else PIECES if length < GRID else GRIDS
    if isinstance(beside, int) and isinstance(length, int) and length <= SHORT_LENGTH:
        most = min(most, max(beside // SHORT_LINES, 1))
    return min(units, most) if isinstance(units, int) else most


@define("dft")
class Dft(Transform):
    """Lines of complex numbers along `axis`. The matrix of the transform is symmetric: it is its own transpose."""

    scaling: str
    axis: int
    inverse: bool

    def type(self, *operands: TensorType) -> Types:
        return (self.check(operands, self.axis, (dtypes.c64, dtypes.c128)),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        if not x.size:
            return (x.copy(),)
        transform = np.fft.ifft if self.inverse else np.fft.fft
        norm = (INVERSE_NORMS if self.inverse else NORMS)[self.scaling]
        return (transform(x.astype(np.complex128), axis=self.axis, norm=norm).astype(x.dtype),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return (b.node(self, cotangent)[0],)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(Dft(self.scaling, self.axis + 1, self.inverse), operands[0])

    def lines(self, x: TensorType) -> tuple[Dim, Dim]:
        return dims.product(x.shape[: self.axis] + x.shape[self.axis + 1 :]), x.shape[self.axis]

    def task(self, types: Types) -> Task:
        (x,) = types
        length, inner = x.shape[self.axis], dims.product(x.shape[self.axis + 1 :])
        outer = dims.product(x.shape[: self.axis])
        block, units, size = 1, outer, line_room(length)
        if inner != 1:
            block = max(BLOCK, BLOCK_NUMBERS // length // BLOCK * BLOCK) if isinstance(length, int) else SYMBOLIC_BLOCK
            units = outer * dims.floor_divide(inner + (block - 1), block)
            if not isinstance(length, int) or is_smooth(length):
                # Two blocks. A symbolic number of neighbours may be 1: there is room enough for a line, too.
                size = length * (2 * block)
        across = isinstance(length, int) and inner != 1
        pieces = _pieces(units, 1 if across else length, None if across else outer)
        numbers = (length, inner, outer, block, pieces, size, int(self.inverse), SCALINGS.index(self.scaling))
        room = pieces * size * x.dtype.bytes
        return Task(f"dft_{x.dtype.part}", numbers, pieces, x.size * _work(length), room, begins=True)


def goes_together(length: Dim) -> bool:
    """Whether real lines of neighbours go through complex passes in blocks, as if they lay across.

    Lines of odd length are no half as many complex numbers, and short ones are too short for vectors of their own.
    """
    return isinstance(length, int) and length % 2 == 1 and 1 < length <= TOGETHER and is_smooth(length)


def _real_task(name: str, dtype: DType, lines: Dim, length: Dim, scaling: str) -> Task:
    """That of a transform of real lines along the last axis, `dtype` being the real one."""
    if isinstance(length, int):
        size = length // 2 + line_room(length // 2) if length % 2 == 0 else 2 * length + line_room(length)
    else:
        size = length * 14
    block, units = 1, lines
    if goes_together(length) and not (isinstance(lines, int) and lines < GROUP):
        block, size = BLOCK, 3 * BLOCK * length
        units = dims.floor_divide(lines + (BLOCK - 1), BLOCK)
    pieces = _pieces(units, length, lines)
    numbers = (length, 1, lines, block, pieces, size, 0, SCALINGS.index(scaling))
    work = lines * length * (_work(length) // 2 + 1)
    return Task(f"{name}_{dtype}", numbers, pieces, work, pieces * size * (2 * dtype.bytes), begins=True)


def _conjugates(b: Builder, x: Value, length: Dim, ends: float, between: float) -> Value:
    """The conjugates of half a transform. Numbers that stand for themselves alone are multiplied by `ends`, those that
    stand for two, themselves and their conjugates in the other half, by `between`."""
    part, middle = x.type.dtype.part, dims.floor_divide(length - 1, 2)
    weights = b.full(between, TensorType(part, (middle,)))
    weights = b.pad(weights, ends, (1,), (dims.floor_divide(length, 2) - middle,), (0,))
    weights = b.broadcast(weights, x.type.shape, (x.type.rank - 1,))
    return b.complex(b.mul(b.real(x), weights), b.mul(b.neg(b.imag(x)), weights))


@define("realdft")
class RealDft(Transform):
    """Numbers 0 … n // 2 of the transforms of real lines of n numbers along the last axis."""

    scaling: str

    def type(self, *operands: TensorType) -> Types:
        x = self.check(operands, max(operands[0].rank - 1, 0) if operands else 0, (dtypes.f32, dtypes.f64))
        if not facts.at_least(x.shape[-1], 1):
            self.bad_shape(operands, "lines have no elements")
        half = dims.floor_divide(x.shape[-1], 2) + 1
        return (TensorType(x.dtype.complex, (*x.shape[:-1], half)),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        transform = np.fft.rfft(x.astype(np.float64), norm=NORMS[self.scaling])
        return (transform.astype(dtypes.from_numpy(x.dtype).complex.numpy),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        length = operands[0].type.shape[-1]
        return (b.node(HalfDft(self.scaling, length), _conjugates(b, cotangent, length, 1, 0.5))[0],)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, operands[0])

    def lines(self, x: TensorType) -> tuple[Dim, Dim]:
        return dims.product(x.shape[:-1]), x.shape[-1]

    def task(self, types: Types) -> Task:
        return _real_task("realdft", types[0].dtype, *self.lines(types[0]), self.scaling)


@define("halfdft")
class HalfDft(Transform):
    """Real lines of `length` numbers along the last axis: the inverse transforms of numbers of which the first half is
    given, and the others are the conjugates of these. The imaginary parts of those that have to be real are ignored.
    """

    scaling: str
    length: Dim

    def type(self, *operands: TensorType) -> Types:
        x = self.check(operands, max(operands[0].rank - 1, 0) if operands else 0, (dtypes.c64, dtypes.c128))
        if not facts.at_least(self.length, 1):
            self.bad_attribute(operands, f"lines of {self.length} numbers cannot be made")
        half = dims.floor_divide(self.length, 2) + 1
        if not facts.same(x.shape[-1], half):
            self.bad_shape(operands, f"axis {x.rank - 1} has {x.shape[-1]} numbers; {self.length} are made of {half}")
        return (TensorType(x.dtype.part, (*x.shape[:-1], self.length)),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        assert isinstance(self.length, int)
        line = np.fft.irfft(x.astype(np.complex128), self.length, norm=INVERSE_NORMS[self.scaling])
        return (line.astype(dtypes.from_numpy(x.dtype).part.numpy),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        transform = b.node(RealDft(self.scaling), cotangent)[0]
        return (_conjugates(b, transform, self.length, 1, 2),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, operands[0])

    def lines(self, x: TensorType) -> tuple[Dim, Dim]:
        return dims.product(x.shape[:-1]), self.length

    def task(self, types: Types) -> Task:
        return _real_task("halfdft", types[0].dtype.part, *self.lines(types[0]), self.scaling)
