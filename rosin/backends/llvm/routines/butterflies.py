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

from collections.abc import Sequence

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.turns import Turns, pairs, read, shuffled, write

PLAIN, TURNED, FIRST = "plain", "turned", "first"
MANY = 8
"""A pass of more points is long code, and has no vectors of half the width."""
COUNTS = ("sets", "count", "in_set", "in_point", "out_set", "out_point")


def pass_text(name: str, kind: str, radix: int, elem: str, vector_bytes: int) -> str:
    """The module of the pass called `name`."""
    width = max(vector_bytes // (8 if elem == "float" else 16), 1)
    return _Pass(kind, radix, elem, width).text(name)


class _Pass:
    def __init__(self, kind: str, radix: int, elem: str, width: int) -> None:
        self.kind, self.radix, self.elem, self.width = kind, radix, elem, width
        self.declarations: set[str] = set()
        self.f = Function(self.declarations)
        self.sign, self.scale = Val("%sign", elem), Val("%scale", elem)
        self.sets, self.count, *self.steps = (Val(f"%{name}", "i64") for name in COUNTS)

    def text(self, name: str) -> str:
        if self.kind == FIRST:
            self._along_sets()
        else:
            self._along_count()
        self.f.e.line("ret void")
        parameters = ", ".join([*(f"i64 %{c}" for c in COUNTS), f"ptr %factors, {self.sign.typed}, {self.scale.typed}"])
        body = self.f.text(f"void @{name}(ptr noalias %source, ptr noalias %target, {parameters})")
        return "\n".join([*sorted(self.declarations), "", body])

    def _widths(self, most: int) -> list[int]:
        """How many numbers are done together, as long as there are so many."""
        half = most // 2 if self.radix <= MANY else 1
        return sorted({w for w in (most, half, 1) if w}, reverse=True)

    # -- vectors of neighbours -------------------------------------------------------------------------------

    def _along_count(self) -> None:
        f, begin = self.f, self.f.word(0)
        for width in self._widths(self.width):
            end = f.e.bit_and(self.count, f.word(-width))
            f.when(f.e.icmp("slt", begin, end), lambda w=width, b=begin, s=end: self._neighbours(w, b, s))
            begin = end

    def _neighbours(self, width: int, begin: Val, end: Val) -> None:
        """All sets, but of their neighbours some alone."""
        f, e = self.f, self.f.e
        turns = Turns(e, self.sign, width)
        turns.prepare(self.radix)
        scale = e.splat(self.scale, 2 * width)
        in_set, in_point, out_set, out_point = self.steps

        def one_set(p: Val) -> None:
            row, number = e.mul(p, f.word(self.radix - 1)), 0 if self.kind == PLAIN else self.radix - 1
            factors = [self._broadcast(turns, e.add(row, f.word(j))) for j in range(number)]
            sources = self._places("%source", p, in_set, in_point)
            targets = self._places("%target", p, out_set, out_point)

            def neighbours(q: Val) -> None:
                ys = turns.transform([read(e, source, q, self.elem, width) for source in sources])
                if self.kind == PLAIN:
                    ys = [e.fmul(y, scale) for y in ys]
                else:
                    ys[1:] = [turns.times(y, *pair) for y, pair in zip(ys[1:], factors, strict=True)]
                for y, target in zip(ys, targets, strict=True):
                    write(e, y, target, q)

            f.loop(begin, end, width, neighbours)

        f.loop(f.word(0), self.sets, 1, one_set)

    def _broadcast(self, turns: Turns, place: Val) -> tuple[Val, Val]:
        """The cosine and the turned sine of a factor in all lanes."""
        e = self.f.e
        pointer = e.offset(Val("%factors", "ptr"), place, f"[2 x {self.elem}]")
        cosine, sine = e.load(pointer, self.elem), e.load(e.offset(pointer, self.f.word(1), self.elem), self.elem)
        return e.splat(cosine, 2 * turns.width), e.fmul(e.splat(sine, 2 * turns.width), turns.forth)

    def _places(self, array: str, p: Val, of_set: Val, of_point: Val) -> list[Val]:
        """Where the numbers of a set are."""
        e, complex = self.f.e, f"[2 x {self.elem}]"
        place, found = e.mul(p, of_set), list[Val]()
        for _ in range(self.radix):
            found.append(e.offset(Val(array, "ptr"), place, complex))
            place = e.add(place, of_point)
        return found

    # -- vectors of sets -------------------------------------------------------------------------------------

    def _along_sets(self) -> None:
        f, begin = self.f, self.f.word(0)
        power = self.radix & (self.radix - 1) == 0
        for width in self._widths(min(self.width, self.radix) if power else self.width):
            end = f.e.bit_and(self.sets, f.word(-width))
            f.when(f.e.icmp("slt", begin, end), lambda w=width, b=begin, s=end: self._some_sets(w, b, s))
            begin = end

    def _some_sets(self, width: int, begin: Val, end: Val) -> None:
        f, e = self.f, self.f.e
        turns = Turns(e, self.sign, width)
        turns.prepare(self.radix)
        sources = self._places("%source", f.word(0), f.word(0), self.steps[1])
        rows = [e.mul(self.sets, f.word(j)) for j in range(self.radix - 1)]

        def sets(p: Val) -> None:
            ys = turns.transform([read(e, source, p, self.elem, width) for source in sources])
            for j, row in enumerate(rows):
                factor = read(e, Val("%factors", "ptr"), e.add(row, p), self.elem, width)
                ys[j + 1] = turns.times(ys[j + 1], *turns.factors(factor))
            self._interleave(ys, e.mul(p, f.word(self.radix)), width)

        f.loop(begin, end, width, sets)

    def _interleave(self, ys: Sequence[Val], place: Val, width: int) -> None:
        """Write the results of sets one after the other."""
        f, e, target = self.f, self.f.e, Val("%target", "ptr")
        if self.radix % width == 0:
            for first in range(0, self.radix, width):
                for p, row in enumerate(transposed(e, ys[first : first + width])):
                    write(e, row, target, e.add(place, f.word(p * self.radix + first)))
            return
        for p in range(width):
            for j, y in enumerate(ys):
                write(e, shuffled(e, y, None, pairs([p])), target, e.add(place, f.word(p * self.radix + j)))


def transposed(e: Emitter, rows: Sequence[Val]) -> list[Val]:
    """Number i of row j as number j of row i, for as many rows as numbers in each, a power of two."""
    width, rows = len(rows), list(rows)
    low = [lane for i in range(width // 2) for lane in (i, width + i)]
    high = [lane + width // 2 for lane in low]
    for _ in range(width.bit_length() - 1):
        halves = zip(rows[: width // 2], rows[width // 2 :], strict=True)
        rows = [shuffled(e, a, b, pairs(order)) for a, b in halves for order in (low, high)]
    return rows
