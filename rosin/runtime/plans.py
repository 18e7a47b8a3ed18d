"""Plans of Fourier transforms: by which passes a length is computed, their factors, and their code.

A plan is made when a length first comes up, and lasts as long as the process. Its words are those that
rosin/backends/llvm/routines/ways.py lists. Passes are compiled one by one, when the first plan needs one, with
vectors of the widths that it takes; their code is kept on the disk. While LLVM has them, tables are computed. What
writes code loads when a plan needs such code.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import operator
from collections.abc import Callable
from functools import partial
from math import sqrt

import numpy as np

from rosin.backends.llvm.routines import butterflies, short, ways
from rosin.backends.llvm.routines.butterflies import FIRST, PLAIN, TURNED
from rosin.backends.llvm.routines.ways import Kind
from rosin.backends.llvm.types import memory_type
from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.op import NumpyArray
from rosin.ir.ops.fourier import GRID, GROUP, LONG, PRIMES, chirp_length, goes_together, grid_sides, is_smooth
from rosin.runtime import jit, loading

__all__ = ["Draft", "Planner", "first_turns", "planner", "radices", "turns"]

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


class Planner:
    """Called by routines, as `rosin_host` calls: with the number of a plan, and where its address goes."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype
        self.plans: dict[int, NumpyArray] = {}
        self.code: dict[str, int] = {}
        """The addresses of passes, and of functions for short lines, by their names."""
        self.kept: list[NumpyArray] = []
        """What plans hold the addresses of."""

    def __call__(self, number: int, address: int) -> None:
        ctypes.c_void_p.from_address(address).value = self.plan(number)

    def plan(self, number: int) -> int:
        """The address of a plan."""
        found = self.plans.get(number)
        return Draft(self, number).finish() if found is None else found.ctypes.data

    def keep(self, array: NumpyArray) -> int:
        """The address of an array that plans hold."""
        self.kept.append(array)
        return array.ctypes.data


class Draft:
    """A plan, and those that it needs, from when their code is begun to when all is there."""

    def __init__(self, planner: Planner, number: int) -> None:
        self.planner, self.number = planner, number
        self.elem, self.vector_bytes = memory_type(planner.dtype), jit.host().vector_bytes
        self.plans: dict[int, NumpyArray] = {}
        self.texts: dict[str, Callable[[], str]] = {}
        """What writes the code, by the names of functions."""
        self.addresses: list[tuple[NumpyArray, int, str]] = []
        """The words of plans that are to be addresses of functions, by the array and the place in it."""
        self.tables: list[tuple[NumpyArray, int, Callable[[], NumpyArray]]] = []
        """Those that are to be addresses of tables, and what computes these."""
        self._plan(number)
        self.absent = [name for name in self.texts if name not in planner.code]
        self.loading = loading.Loading(self.texts[name]() for name in self.absent)

    def finish(self) -> int:
        """The address of the plan, when all is there."""
        planner = self.planner
        with self.loading:
            for words, place, numbers in self.tables:
                table = numbers().astype(planner.dtype.complex.numpy)
                words[place] = planner.keep(np.ascontiguousarray(table))
            for name, library in zip(self.absent, self.loading.libraries(), strict=True):
                library.keep_forever()
                planner.code[name] = library.address(name)
        for words, place, name in self.addresses:
            words[place] = planner.code[name]
        for number, words in self.plans.items():
            planner.keep(words)
            # Of plans that several threads made, the first one stays: addresses of it may be known.
            planner.plans.setdefault(number, words)
        return planner.plans[self.number].ctypes.data

    def _plan(self, number: int) -> int:
        """The address of a plan, which may be a part of the draft."""
        found = self.planner.plans.get(number, self.plans.get(number))
        if found is None:
            length, kind = divmod(number, ways.KINDS)
            found = self.plans[number] = self._made(number, length, Kind(kind))
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
        length, dtype = number // ways.KINDS, self.planner.dtype
        words[ways.APART] = ways.PAGE_BITS if length >= LONG else 0
        if length:
            # In the order of `SCALINGS`.
            scales = words[ways.SCALES : ways.PASSES].view(dtype.numpy)
            scales[:: 8 // dtype.bytes] = 1, 1 / length, 1 / sqrt(length)
        return words

    def _table(self, words: NumpyArray, place: int, parts: Callable[[], NumpyArray], count: int) -> None:
        """The numbers `exp(2 pi i parts / count)` as a table."""
        self.tables.append((words, place, lambda: self._turns(parts(), count)))

    def _turns(self, parts: NumpyArray, count: int) -> NumpyArray:
        return turns(parts, count, exact=self.planner.dtype == dtypes.f64)

    def _code(self, words: NumpyArray, place: int, name: str, text: Callable[[], str]) -> None:
        self.texts[name] = text
        self.addresses.append((words, place, name))

    def _add_short(self, words: NumpyArray, kind: str, length: int) -> None:
        """The function for many short lines, where they are."""
        count = short.together(kind, length, self.elem, self.vector_bytes)
        if count > 1:
            name = f"short_{kind}_{length}"

            def text() -> str:
                if jit.host().assembles:
                    from rosin.backends.llvm.routines import lines

                    return lines.short_text(name, kind, length, self.elem)
                return short.short_text(name, kind, length, self.elem, self.vector_bytes)

            self._code(words, ways.SHORT, name, text)
            words[ways.TOGETHER] = count

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
        for position, (pass_kind, radix, done, count) in enumerate(zip(kinds, chosen, dones, counts, strict=False)):
            sets = length // (done * radix)
            row = words[ways.PASSES + ways.PASS_WORDS * position :]
            row[ways.SETS], row[ways.DONE], row[ways.RADIX] = sets, done, radix
            self._pass(row, pass_kind, radix, count)
            if pass_kind != PLAIN:
                self._table(row, ways.FACTORS, partial(_angles, sets, radix, pass_kind == FIRST), sets * radix)
        return words

    def _pass(self, row: NumpyArray, kind: str, radix: int, count: int | None) -> None:
        """The code of a pass that does so many numbers, if that is known."""
        steps = butterflies.steps(kind, radix, self.elem, self.vector_bytes, count)
        name = "_".join(["pass", kind, str(radix), *(f"{step.width}{'s' if step.whole else ''}" for step in steps)])

        def text() -> str:
            if jit.host().assembles:
                from rosin.backends.llvm.routines.passes import pass_text
            else:
                from rosin.backends.llvm.routines.butterflies import pass_text
            return pass_text(name, kind, radix, self.elem, steps)

        self._code(row, ways.FUNCTION, name, text)

    def _grid(self, number: int, length: int) -> NumpyArray:
        from rosin.backends.llvm.routines import grids

        rows, columns = grid_sides(length)
        grid = np.zeros(grids.GRID_WORDS, np.int64)
        grid[grids.ROWS], grid[grids.COLUMNS] = rows, columns
        for place, side, beside in ((grids.ALONG_COLUMNS, rows, columns), (grids.ALONG_ROWS, columns, rows)):
            kind = Kind.ACROSS if beside % GROUP else Kind.BLOCKS
            grid[place] = self._plan(side * ways.KINDS + kind)
        row = np.arange(rows)[:, None]
        self._table(grid, grids.NEAR_TABLE, lambda: row * np.arange(grids.NEAR), length)
        chunks = np.minimum(np.arange(0, columns, grids.NEAR), columns - grids.NEAR)
        self._table(grid, grids.FAR_TABLE, lambda: row * chunks, length)
        words = self._words(number)
        words[ways.GRID] = self.planner.keep(grid)
        return words

    def _chirp(self, number: int, length: int) -> NumpyArray:
        """A line as a convolution with numbers that turn ever faster: j k is (j^2 + k^2 - (j - k)^2) / 2."""
        most = chirp_length(length)
        squares = np.arange(length, dtype=np.int64) ** 2 % (2 * length)

        def kernel() -> NumpyArray:
            chirp = self._turns(squares, 2 * length)
            numbers = np.zeros(most, np.complex128)
            numbers[:length] = chirp
            numbers[most - length + 1 :] = chirp[:0:-1]
            return np.fft.fft(numbers) / most

        words = self._words(number)
        words[ways.CHIRP] = self._plan(most * ways.KINDS + Kind.INNER)
        self._table(words, ways.TABLE, lambda: -squares, 2 * length)
        self.tables.append((words, ways.KERNEL, kernel))
        return words

    def _real(self, number: int, length: int, kind: Kind) -> NumpyArray:
        words = self._words(number)
        half = length // 2
        if kind != Kind.SEVERAL:
            points = half if length % 2 == 0 else length
            words[ways.MORE] = self._plan(points * ways.KINDS + (Kind.LINE if points >= GRID else Kind.INNER))
        if kind != Kind.REAL and goes_together(length):
            several = Kind.ACROSS if kind == Kind.SEVERAL else Kind.FEW
            words[ways.SEVERAL] = self._plan(length * ways.KINDS + several)
        if length % 2 == 0:
            # The number 0 of the table is not used.
            exact = self.planner.dtype == dtypes.f64
            self.tables.append((words, ways.TABLE, lambda: -1j * first_turns(half // 2 + 1, length, exact).conj()))
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


def _angles(sets: int, radix: int, first: bool) -> NumpyArray:
    """The parts of a circle that a pass turns by: a row for each set, or for each result of all sets."""
    angles = np.arange(sets)[:, None] * np.arange(1, radix)
    return angles.T if first else angles


MANY = 1 << 12


def turns(parts: NumpyArray, count: int, exact: bool = True) -> NumpyArray:
    """`exp(2 pi i parts / count)`, right to the last bit of f64 but for ties where the system has longer floats.

    Of many parts each is a product of two factors, of which there are few. Unless it has to be `exact`, as for f32 it
    has not, they are rounded before.
    """
    parts = parts % count
    if parts.size < MANY:
        return _turns(parts, count).astype(np.complex128)
    step = int(count**0.5) + 1
    few, whole = _factors(np.arange(step), np.arange(0, count, step), count, exact)
    return (whole[parts // step] * few[parts % step]).astype(np.complex128)


def first_turns(most: int, count: int, exact: bool = True) -> NumpyArray:
    """`turns` of the first parts, of which many take half the time together."""
    if most < MANY:
        return turns(np.arange(most), count, exact)
    step = int(most**0.5) + 1
    few, whole = _factors(np.arange(step), np.arange(0, most, step), count, exact)
    return (whole[:, None] * few).reshape(-1)[:most].astype(np.complex128)


def _factors(few: NumpyArray, whole: NumpyArray, count: int, exact: bool) -> tuple[NumpyArray, NumpyArray]:
    """Turns whose products are those of the sums of parts."""
    factors = _turns(few, count), _turns(whole, count)
    return factors if exact else (factors[0].astype(np.complex128), factors[1].astype(np.complex128))


def _turns(parts: NumpyArray, count: int) -> NumpyArray:
    """The same in long doubles. The angle is what is left of the nearest eighth of a circle, so that it is small."""
    eighth = (16 * parts + count) // (2 * count)
    angle = (8 * parts - eighth * count).astype(np.longdouble) * (2 * _PI / 8 / count)
    result = np.empty(parts.shape, np.clongdouble)
    result.real, result.imag = np.cos(angle), np.sin(angle)
    odd = np.where(eighth % 2 == 1, np.sqrt(np.longdouble(0.5)) * np.clongdouble(1 + 1j), np.clongdouble(1))
    return result * odd * np.array([1, 1j, -1, -1j])[eighth // 2 % 4]


_PI = np.longdouble("3.14159265358979323846264338327950288")


def receiver(name: str) -> Planner:
    """What the routine called `name` asks for plans."""
    return planner(dtypes.BY_NAME[name.rpartition("_")[2]])
