"""Passes of Fourier transforms: functions that do many transforms of a few points, the *radix*.

    void pass(ptr source, ptr target, i64 sets, i64 count, i64 in_set, i64 in_point, i64 out_set, i64 out_point,
              ptr factors, real sign, real scale)

For each of some sets, and each of `count` neighbours in it, `radix` complex numbers become as many: number k of set p
is at `p in_set + k in_point + q`, the results are alike. A pass by Stockham's way (Cochran et al., What is the fast
Fourier transform?, 1967) writes to another array than it reads from, in such an order that the numbers come out sorted.
There are three kinds of them:

    plain      results are multiplied by `scale`, which is right for the last pass
    turned     result j of set p is multiplied by number j - 1 of row p of the factors
    first      the same for neighbours that are sets: `count` is 1, results of a set are neighbours, and the factors of
               result j are a row of one number for each set

A factor is the cosine and the sine of an angle, which `sign` gives its direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.turns import BYTES, Floats, Turns, directed, pairs, read, write
from rosin.ir.dataclass import dataclass

PLAIN, TURNED, FIRST = "plain", "turned", "first"
MANY = 8
"""A pass of more points is long code, and has no vectors of half the width."""
COUNTS = ("sets", "count", "in_set", "in_point", "out_set", "out_point")


@dataclass(frozen=True, slots=True)
class Step:
    """How many numbers a pass does together, and whether it is given a multiple of these."""

    width: int
    whole: bool


def steps(kind: str, radix: int, elem: str, vector_bytes: int, count: int | None = None) -> tuple[Step, ...]:
    """The step of a pass that does so many numbers; where that is not known, several, of which the first is taken that
    is not above it."""
    most = max(vector_bytes // (2 * BYTES[elem]), 1)
    if kind == FIRST:
        # Squares are as wide as a set at most.
        most = min(most, greatest_power(radix))
    if count is not None:
        width = min(most, greatest_power(count))
        return (Step(width, count % width == 0),)
    half = most // 2 if radix <= MANY else 1
    return tuple(Step(width, width == 1) for width in sorted({most, max(half, 1), 1}, reverse=True))


def greatest_power(count: int) -> int:
    """The greatest power of two that a positive number is not below."""
    return 1 << (count.bit_length() - 1)


def pass_text(name: str, kind: str, radix: int, elem: str, steps: Sequence[Step]) -> str:
    """The module of the pass called `name`, which takes one of these steps."""
    return _Pass(kind, radix, elem, steps).text(name)


class _Pass:
    def __init__(self, kind: str, radix: int, elem: str, steps: Sequence[Step]) -> None:
        self.kind, self.radix, self.elem, self.steps = kind, radix, elem, steps
        self.declarations: set[str] = set()
        self.f = Function(self.declarations, plain=True)
        self.sign, self.scale = Val("%sign", elem), Val("%scale", elem)
        self.sets, self.count, *self.strides = (Val(f"%{name}", "i64") for name in COUNTS)

    def text(self, name: str) -> str:
        count, body = (self.sets, self._some_sets) if self.kind == FIRST else (self.count, self._neighbours)
        self._by_step(count, body, self.steps)
        self.f.e.line("ret void")
        parameters = ", ".join([*(f"i64 %{c}" for c in COUNTS), f"ptr %factors, {self.sign.typed}, {self.scale.typed}"])
        body = self.f.text(f"void @{name}(ptr noalias %source, ptr noalias %target, {parameters})")
        return "\n".join([*sorted(self.declarations), "", body])

    def _by_step(self, count: Val, body: Callable[[Step], None], steps: Sequence[Step]) -> None:
        """The body for the first of some steps that the count is not below."""
        step, *less = steps
        if not less:
            body(step)
            return
        fits = self.f.e.icmp("sge", count, self.f.word(step.width))
        self.f.when(fits, lambda: body(step), lambda: self._by_step(count, body, less))

    def _each(self, count: Val, step: Step, body: Callable[[Val], None]) -> None:
        """The body by steps. The first one may do what the second does again, with the same results."""
        f, e, zero = self.f, self.f.e, self.f.word(0)
        if step.whole:
            f.loop(zero, count, step.width, body)
            return
        # So the last one ends where the numbers do.
        rest = e.add(e.bit_and(e.sub(count, f.word(1)), f.word(step.width - 1)), f.word(1))
        at, by = f.variable(zero), f.variable(rest)

        def advance() -> None:
            place = e.sealed_count(e.load(at, "i64"))
            body(place)
            e.store(e.add(place, e.load(by, "i64")), at)
            e.store(f.word(step.width), by)

        f.repeat(lambda: e.icmp("slt", e.load(at, "i64"), count), advance)

    # -- vectors of neighbours -------------------------------------------------------------------------------

    def _neighbours(self, step: Step) -> None:
        """Some neighbours of each set at a time."""
        f, e, width = self.f, self.f.e, step.width
        turns = Turns(e, directed(e, self.sign, width))
        turns.prepare(self.radix)
        scale = e.splat(self.scale, 2 * width)
        in_set, in_point, out_set, out_point = self.strides
        number = 0 if self.kind == PLAIN else self.radix - 1
        arrays = [f.variable(Val(name, "ptr")) for name in ("%source", "%target", "%factors")]

        def one_set(_: Val) -> None:
            source, target, row = (e.sealed(e.load(array, "ptr")) for array in arrays)
            factors = [self._broadcast(turns, e.offset(row, f.word(2 * j), self.elem)) for j in range(number)]
            sources = self._places(source, in_point, self.radix)
            targets = self._places(target, out_point, self.radix)

            def neighbours(q: Val) -> None:
                ys = turns.transform(self._read(sources, q, in_point, self.radix, width))
                if self.kind == PLAIN:
                    ys = [e.fmul(y, scale) for y in ys]
                else:
                    ys[1:] = [turns.times(y, *pair) for y, pair in zip(ys[1:], factors, strict=True)]
                other = e.add(q, out_point)
                for j, y in enumerate(ys):
                    write(e, y, targets[j // 2], (q, other)[j % 2])

            self._each(self.count, step, neighbours)
            for array, at, by in zip(arrays, (source, target, row), (in_set, out_set, f.word(number)), strict=True):
                e.store(e.near(at, by, f"[2 x {self.elem}]"), array)

        f.loop(f.word(0), self.sets, 1, one_set)

    def _broadcast(self, turns: Turns, pointer: Val) -> tuple[Val, Val]:
        """The cosine and the turned sine of a factor in all lanes."""
        e = self.f.e
        cosine, sine = e.load(pointer, self.elem), e.load(e.offset(pointer, self.f.word(1), self.elem), self.elem)
        return e.splat(cosine, 2 * turns.width), e.fmul(e.splat(sine, 2 * turns.width), turns.forth)

    def _places(self, first: Val, step: Val, count: int) -> list[Val]:
        """Where every second of so many numbers is: there are registers for so many addresses, and the others are a
        step farther."""
        e, found = self.f.e, [first]
        for _ in range(count // 2 - 1 + count % 2):
            found.append(e.offset(found[-1], e.add(step, step), f"[2 x {self.elem}]"))
        return found

    def _read(self, places: Sequence[Val], at: Val, step: Val, count: int, width: int) -> list[Val]:
        """So many vectors of numbers, a step apart."""
        e, other = self.f.e, self.f.e.add(at, step)
        return [read(e, places[j // 2], (at, other)[j % 2], self.elem, width) for j in range(count)]

    # -- vectors of sets -------------------------------------------------------------------------------------

    def _some_sets(self, step: Step) -> None:
        f, e, width = self.f, self.f.e, step.width
        turns = Turns(e, directed(e, self.sign, width))
        turns.prepare(self.radix)
        in_point, others = self.strides[1], self.radix - 1
        sources = self._places(Val("%source", "ptr"), in_point, self.radix)
        rows = self._places(Val("%factors", "ptr"), self.sets, others)

        def sets(p: Val) -> None:
            ys = turns.transform(self._read(sources, p, in_point, self.radix, width))
            factors = self._read(rows, p, self.sets, others, width)
            ys[1:] = [turns.times(y, *turns.factors(factor)) for y, factor in zip(ys[1:], factors, strict=True)]
            self._interleave(ys, e.mul(p, f.word(self.radix)), width)

        self._each(self.sets, step, sets)

    def _interleave(self, ys: Sequence[Val], place: Val, width: int) -> None:
        """Write the results of sets one after the other, by squares, the last of which may overlap another."""
        f, e = self.f, self.f.e
        target = e.offset(Val("%target", "ptr"), place, f"[2 x {self.elem}]")
        for column in range(0, self.radix, width):
            first = min(column, self.radix - width)
            for p, row in enumerate(transposed(e, ys[first : first + width])):
                write(e, row, target, f.word(p * self.radix + first))


UNIT_BYTES = 16
"""Processors shuffle units of so many bytes as a whole."""


def transposed(e: Floats, rows: Sequence[Val]) -> list[Val]:
    """Number i of row j as number j of row i, for as many rows as numbers in each, a power of two."""
    width = len(rows)
    if width <= 2 or 2 * BYTES[rows[0].elem] == UNIT_BYTES:
        return _turned_blocks(e, rows)
    # Of two rows the first numbers of each unit, and the second ones; then units are turned as a whole.
    orders = [[lane for i in range(first, width, 2) for lane in (i, width + i)] for first in range(2)]
    columns = [
        _turned_blocks(e, [_joined(e, rows[i], rows[i + 1], order) for i in range(0, width, 2)]) for order in orders
    ]
    return [row for pair in zip(*columns, strict=True) for row in pair]


def _joined(e: Floats, a: Val, b: Val, order: Sequence[int]) -> Val:
    """Numbers of two vectors laid end to end."""
    return e.opaque(e.shuffle(a, b, pairs(order)))


def _turned_blocks(e: Floats, rows: Sequence[Val]) -> list[Val]:
    """Block i of row j as block j of row i, for as many blocks as rows, of which there are four at most: of two rows
    first halves and second halves, then of two such every second block."""
    count = len(rows)
    if count == 1:
        return list(rows)
    size, half = rows[0].lanes // 2 // count, count // 2

    def joined(two: int, vectors: Sequence[Val], blocks: Sequence[int]) -> Val:
        numbers = [size * block + i for block in blocks for i in range(size)]
        return _joined(e, vectors[two], vectors[two + 1], numbers)

    halves = [[*range(first, first + half), *range(count + first, count + first + half)] for first in (0, half)]
    made = [joined(two, rows, order) for order in halves for two in range(0, count, 2)]
    if count == 2:
        return made
    return [joined(two, made, range(first, 2 * count, 2)) for two in (0, 2) for first in (0, 1)]
