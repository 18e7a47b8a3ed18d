"""Plans of Fourier transforms: by which passes a length is computed, their factors, and their code.

A plan is made when a length first comes up, and lasts as long as the process. Its words are those that
rosin/backends/llvm/routines/ways.py lists. Passes are compiled one by one, when the first plan needs one, with
vectors of the widths that it takes; their code is kept on the disk.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import operator
from collections.abc import Sequence
from dataclasses import field
from math import sqrt

import numpy as np

from rosin.backends.llvm.routines import butterflies, grids, short, ways
from rosin.backends.llvm.routines.butterflies import FIRST, PLAIN, TURNED
from rosin.backends.llvm.routines.ways import Kind
from rosin.backends.llvm.types import memory_type
from rosin.ir import dtypes
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType
from rosin.ir.op import NumpyArray
from rosin.ir.ops.fourier import GRID, GROUP, PRIMES, chirp_length, goes_together, grid_sides, is_smooth
from rosin.runtime import jit, loading

__all__ = ["Planner", "planner", "radices", "turns"]

SHORT_KINDS = {kind: name for kinds in (ways.SIDE_BY_SIDE, ways.SHORT_ALONE) for name, kind in kinds.items()}
"""The transforms of many short lines, by the kinds of their plans."""
REAL_KINDS = (Kind.REAL, Kind.SEVERAL, Kind.ANY_REAL, Kind.REALS, Kind.HALVES)
ALONG = (Kind.LINE, Kind.INNER, Kind.LINES)
"""Those of lines of neighbours."""
COUNTS = {Kind.BLOCKS: 2 * GROUP, Kind.ACROSS: 2 * GROUP - 1, Kind.FEW: None}
"""A number of neighbours that go together, of all of which code is like that for this one."""


@functools.cache
def planner(dtype: DType) -> Planner:
    """The one that makes plans for transforms of numbers of this real element type."""
    return Planner(dtype)


@dataclass(eq=False)
class Planner:
    """Called by routines, as `rosin_host` calls: with the number of a plan, and where its address goes."""

    dtype: DType
    plans: dict[int, NumpyArray] = field(default_factory=dict[int, NumpyArray])
    tables: list[NumpyArray] = field(default_factory=list[NumpyArray])
    """What plans hold the addresses of."""

    def __call__(self, number: int, address: int) -> None:
        ctypes.c_void_p.from_address(address).value = self.plan(number)

    def plan(self, number: int) -> int:
        """The address of a plan."""
        found = self.plans.get(number)
        if found is None:
            length, kind = divmod(number, ways.KINDS)
            made = self._made(number, length, Kind(kind))
            # Of plans that several threads made, the first one stays: addresses of it may be known.
            found = self.plans.setdefault(number, made)
        return found.ctypes.data

    def _made(self, number: int, length: int, kind: Kind) -> NumpyArray:
        if length == 0 or kind in ways.SHORT_ALONE.values():
            words = self._words(number)
        else:
            words = (self._real if kind in REAL_KINDS else self._line)(number, length, kind)
        if kind in SHORT_KINDS and length:
            self._add_short(words, SHORT_KINDS[kind], length)
        return words

    def _words(self, number: int, passes: int = 0) -> NumpyArray:
        words = np.zeros(ways.PASSES + ways.PASS_WORDS * passes, np.int64)
        words[ways.NUMBER], words[ways.COUNT] = number, passes
        length = number // ways.KINDS
        if length:
            # In the order of `SCALINGS`.
            scales = words[ways.SCALES : ways.PASSES].view(self.dtype.numpy)
            scales[:: 8 // self.dtype.bytes] = 1, 1 / length, 1 / sqrt(length)
        return words

    def _add_short(self, words: NumpyArray, kind: str, length: int) -> None:
        """The function for many short lines, where they are."""
        lines = short.together(kind, length, memory_type(self.dtype), jit.host().vector_bytes)
        if lines > 1:
            words[ways.SHORT] = _short_code(self.dtype, kind, length)
            words[ways.TOGETHER] = lines

    def _table(self, numbers: NumpyArray) -> int:
        """The address of a table of complex numbers with parts of the element type."""
        table = np.ascontiguousarray(numbers.astype(self.dtype.complex.numpy))
        self.tables.append(table)
        return table.ctypes.data

    def _line(self, number: int, length: int, kind: Kind) -> NumpyArray:
        if not is_smooth(length):
            return self._chirp(number, length)
        if kind == Kind.LINE and length >= GRID:
            return self._grid(number, length)
        chosen = radices(length)
        words = self._words(number, len(chosen))
        along = kind in ALONG
        first, last = FIRST if along else TURNED, len(chosen) - 1
        kinds = [PLAIN if i == last else first if i == 0 else TURNED for i in range(len(chosen))]
        dones = [1, *itertools.accumulate(chosen, operator.mul)]
        # Of lines of neighbours it is known how many numbers passes do together.
        own = [length // dones[i + 1] if pass_kind == FIRST else dones[i] for i, pass_kind in enumerate(kinds)]
        counts = own if along else [COUNTS[kind]] * len(kinds)
        code = _code(self.dtype, list(zip(kinds, chosen, counts, strict=True)))
        for position, (pass_kind, radix, done) in enumerate(zip(kinds, chosen, dones, strict=False)):
            sets = length // (done * radix)
            angles = np.arange(sets)[:, None] * np.arange(1, radix)
            factors = turns(angles if pass_kind == TURNED else angles.T, sets * radix) if pass_kind != PLAIN else None
            row = words[ways.PASSES + ways.PASS_WORDS * position :]
            row[ways.FUNCTION] = code[position]
            row[ways.SETS], row[ways.DONE], row[ways.RADIX] = sets, done, radix
            row[ways.FACTORS] = 0 if factors is None else self._table(factors)
        return words

    def _grid(self, number: int, length: int) -> NumpyArray:
        rows, columns = grid_sides(length)
        grid = np.zeros(grids.GRID_WORDS, np.int64)
        grid[grids.ROWS], grid[grids.COLUMNS] = rows, columns
        for place, side, beside in ((grids.ALONG_COLUMNS, rows, columns), (grids.ALONG_ROWS, columns, rows)):
            kind = Kind.ACROSS if beside % GROUP else Kind.BLOCKS
            grid[place] = self.plan(side * ways.KINDS + kind)
        row, near = np.arange(rows)[:, None], np.arange(grids.NEAR)
        grid[grids.NEAR_TABLE] = self._table(turns(row * near, length))
        chunks = np.minimum(np.arange(0, columns, grids.NEAR), columns - grids.NEAR)
        grid[grids.FAR_TABLE] = self._table(turns(row * chunks, length))
        self.tables.append(grid)
        words = self._words(number)
        words[ways.GRID] = grid.ctypes.data
        return words

    def _chirp(self, number: int, length: int) -> NumpyArray:
        """A line as a convolution with numbers that turn ever faster: j k is (j^2 + k^2 - (j - k)^2) / 2."""
        most = chirp_length(length)
        chirp = turns(-(np.arange(length, dtype=np.int64) ** 2 % (2 * length)), 2 * length)
        kernel = np.zeros(most, np.complex128)
        kernel[:length] = chirp.conj()
        kernel[most - length + 1 :] = chirp[:0:-1].conj()
        words = self._words(number)
        words[ways.CHIRP] = self.plan(most * ways.KINDS + Kind.INNER)
        words[ways.TABLE] = self._table(chirp)
        words[ways.KERNEL] = self._table(np.fft.fft(kernel) / most)
        return words

    def _real(self, number: int, length: int, kind: Kind) -> NumpyArray:
        words = self._words(number)
        half = length // 2
        if kind != Kind.SEVERAL:
            points = half if length % 2 == 0 else length
            words[ways.MORE] = self.plan(points * ways.KINDS + (Kind.LINE if points >= GRID else Kind.INNER))
        if kind != Kind.REAL and goes_together(length):
            several = Kind.ACROSS if kind == Kind.SEVERAL else Kind.FEW
            words[ways.SEVERAL] = self.plan(length * ways.KINDS + several)
        # The number 0 of the table is not used.
        words[ways.TABLE] = self._table(-1j * turns(-np.arange(half + 1), length))
        return words


def radices(length: int) -> list[int]:
    """The passes of a smooth length, in order. A power of two comes first, which leaves neighbours for vectors."""
    twos = (length & -length).bit_length() - 1
    odd = length >> twos
    found = [8] if twos >= 3 else [2**twos] if twos else []
    for prime in PRIMES[:0:-1]:
        while odd % prime == 0:
            found.append(prime)
            odd //= prime
    bits = max(twos - 3, 0)
    if bits % 3 == 1 and bits > 1:
        # A pass of sixteen takes less time than one of eight and one of two.
        found.append(16)
        bits -= 4
    found += [8] * (bits // 3)
    if bits % 3:
        found.append(2 ** (bits % 3))
    return found or [1]


MANY = 1 << 12


def turns(parts: NumpyArray, count: int) -> NumpyArray:
    """`exp(2 pi i parts / count)`, right to the last bit of f64 but for ties where the system has longer floats.

    Of many parts each is a product of two factors, of which there are few.
    """
    parts = parts % count
    if parts.size < MANY:
        return _turns(parts, count).astype(np.complex128)
    step = int(count**0.5) + 1
    few, whole = _turns(np.arange(step), count), _turns(np.arange(0, count, step), count)
    return (whole[parts // step] * few[parts % step]).astype(np.complex128)


def _turns(parts: NumpyArray, count: int) -> NumpyArray:
    """The same in long doubles. The angle is what is left of the nearest eighth of a circle, so that it is small."""
    eighth = (16 * parts + count) // (2 * count)
    angle = (8 * parts - eighth * count).astype(np.longdouble) * (2 * _PI / 8 / count)
    result = np.empty(parts.shape, np.clongdouble)
    result.real, result.imag = np.cos(angle), np.sin(angle)
    odd = np.where(eighth % 2 == 1, np.sqrt(np.longdouble(0.5)) * np.clongdouble(1 + 1j), np.clongdouble(1))
    return result * odd * np.array([1, 1j, -1, -1j])[eighth // 2 % 4]


_PI = np.longdouble("3.14159265358979323846264338327950288")


_passes: dict[tuple[str, str, int, tuple[butterflies.Step, ...]], int] = {}


def _code(dtype: DType, passes: Sequence[tuple[str, int, int | None]]) -> list[int]:
    """The addresses of passes, given the kind and the radix of each, and how many numbers it does if that is known."""
    elem, vector_bytes = memory_type(dtype), jit.host().vector_bytes
    keys = [
        (elem, kind, radix, butterflies.steps(kind, radix, elem, vector_bytes, count)) for kind, radix, count in passes
    ]
    absent = [key for key in dict.fromkeys(keys) if key not in _passes]
    names = [f"pass_{kind}_{radix}" for _, kind, radix, _ in absent]
    texts = [
        butterflies.pass_text(name, kind, radix, elem, steps)
        for name, (_, kind, radix, steps) in zip(names, absent, strict=True)
    ]
    for key, name, library in zip(absent, names, loading.load_texts(texts), strict=True):
        library.keep_forever()
        _passes[key] = library.address(name)
    return [_passes[key] for key in keys]


@functools.cache
def _short_code(dtype: DType, kind: str, length: int) -> int:
    """The address of the function for short lines."""
    name = f"short_{kind}_{length}"
    library = loading.load_text(short.short_text(name, kind, length, memory_type(dtype), jit.host().vector_bytes))
    library.keep_forever()
    return library.address(name)


def receiver(name: str) -> Planner:
    """What the routine called `name` asks for plans."""
    return planner(dtypes.BY_NAME[name.rpartition("_")[2]])
