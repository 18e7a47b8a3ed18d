"""Small matrices side by side: element k of every matrix of a group is in a vector, a lane for each matrix.

A group has as many matrices as vectors have lanes. The lanes that a stack has no matrices for do what the last one
does, and write the same numbers to the same places. No lane sees another, so results do not depend on how a stack is
cut into groups.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.stack import Stack, passed

SMALL = 32
"""So many rows and columns a matrix has at most that is worked on in a lane."""

BLOCK = 4
"""So many sums are made together, so that what they have in common is read once."""

Number = tuple[Val, ...]
"""A vector of numbers: its parts."""


class Lanes(Stack):
    """A routine that does small matrices in lanes."""

    def work(self, f: Function, first: Val, last: Val, room: Val) -> None:
        e = f.e
        alone = super().work

        def in_lanes() -> None:
            e.line(f"call void @groups(ptr %words, {passed(first, last)})")

        f.when(self.is_small(f), in_lanes, lambda: alone(f, first, last, room))

    @abstractmethod
    def is_small(self, f: Function) -> Val:
        """Whether sizes are such that lanes pay."""

    def small(self, f: Function, *names: str) -> Val:
        """Whether all of these sizes are small."""
        e, sizes = f.e, [self.word(f, name) for name in names]
        most = sizes[0]
        for size in sizes[1:]:
            most = e.intrinsic("llvm.smax", most, size)
        return e.icmp("sle", most, f.word(SMALL))

    def helpers(self) -> list[str]:
        functions = [self._groups()]
        for elem in dict.fromkeys((self.elem, *self.moved_too())):
            functions += [self._exchange(elem, True), self._exchange(elem, False)]
        return functions

    def moved_too(self) -> tuple[str, ...]:
        """Other types of numbers that matrices bring along."""
        return ()

    def _groups(self) -> str:
        """`void groups(ptr words, i64 first, i64 last)`: matrices first … last - 1, group by group."""
        f = self.function()
        e, last = f.e, Val("%last", "i64")

        def group(number: Val) -> None:
            left = e.sub(e.sub(last, number), f.word(1))
            self.group(f, number, e.intrinsic("llvm.smin", left, f.word(self.vector - 1)))

        f.loop(Val("%first", "i64"), last, self.vector, group)
        e.line("ret void")
        return f.text("internal void @groups(ptr %words, i64 %first, i64 %last)")

    @abstractmethod
    def group(self, f: Function, number: Val, final: Val) -> None:
        """The work on the group that begins with a matrix; `final` is the last lane that has a matrix of its own."""

    # -- in and out ----------------------------------------------------------------------------------------

    def _exchange(self, elem: str, into: bool) -> str:
        """`void into_f(ptr matrices, i64 stride, i64 count, i64 final, ptr vectors)`, or out of them: numbers 0 …
        count - 1 of every lane's matrix, matrices being `stride` numbers apart."""
        f = self.function()
        e, lanes = f.e, self.vector
        source, vectors = Val("%matrices", "ptr"), Val("%vectors", "ptr")
        lines: list[Val] = []
        for lane in range(lanes):
            which = e.intrinsic("llvm.smin", f.word(lane), Val("%final", "i64"))
            lines.append(e.offset(source, e.mul(which, Val("%stride", "i64")), elem))
        bytes = 4 if elem in ("float", "i32") else 8
        whole = e.bit_and(Val("%count", "i64"), f.word(-lanes))

        def block(place: Val) -> None:
            there = e.offset(vectors, place, f"[{lanes} x {elem}]")
            sides = (
                [e.offset(line, place, elem) for line in lines],
                [e.offset(there, f.word(i * lanes), elem) for i in range(lanes)],
            )
            reads, writes = sides if into else sides[::-1]
            aligned = (bytes, bytes * lanes) if into else (bytes * lanes, bytes)
            rows = transposed(e, [e.load(at, elem, lanes, align=aligned[0]) for at in reads])
            for row, at in zip(rows, writes, strict=True):
                e.store(row, at, align=aligned[1])

        def single(place: Val) -> None:
            there = e.offset(vectors, place, f"[{lanes} x {elem}]")
            for lane, line in enumerate(lines):
                pair = e.offset(line, place, elem), e.offset(there, f.word(lane), elem)
                read, write = pair if into else pair[::-1]
                e.store(e.load(read, elem), write)

        f.loop(f.word(0), whole, lanes, block)
        f.loop(whole, Val("%count", "i64"), 1, single)
        e.line("ret void")
        name = f"{'into' if into else 'out'}_{elem}"
        return f.text(f"internal void @{name}(ptr %matrices, i64 %stride, i64 %count, i64 %final, ptr %vectors)")

    def exchange(
        self, f: Function, name: int, number: Val, final: Val, count: Val, vectors: Val, into: bool, elem: str = ""
    ) -> None:
        """Matrices of an operand or a result into vectors, or out of them; each has so many elements."""
        e = f.e
        parts = 1 if elem else self.parts
        elem = elem or self.elem
        numbers = e.mul(count, f.word(parts))
        start = e.offset(self.word(f, name), e.mul(number, numbers), elem)
        function = f"{'into' if into else 'out'}_{elem}"
        e.line(f"call void @{function}({passed(start, numbers, numbers, final, vectors)})")

    # -- vectors of numbers ----------------------------------------------------------------------------------

    def vectors(self, f: Function, count: int) -> Val:
        """Room for so many numbers of every lane."""
        return f.room(self.elem, count * self.parts * self.vector)

    def at(self, e: Emitter, vectors: Val, index: Val) -> Val:
        return e.offset(vectors, index, f"[{self.parts * self.vector} x {self.elem}]")

    def load(self, f: Function, at: Val) -> Number:
        e, lanes = f.e, self.vector
        return tuple(e.load(e.offset(at, f.word(i * lanes), self.elem), self.elem, lanes) for i in range(self.parts))

    def store(self, f: Function, value: Number, at: Val) -> None:
        for i, part in enumerate(value):
            f.e.store(part, f.e.offset(at, f.word(i * self.vector), self.elem))

    def variables(self, f: Function, value: Number) -> list[Val]:
        return [f.variable(part) for part in value]

    def value(self, f: Function, variables: list[Val]) -> Number:
        return tuple(f.e.load(v, self.elem, self.vector) for v in variables)

    def assign(self, f: Function, value: Number, variables: list[Val]) -> None:
        for part, variable in zip(value, variables, strict=True):
            f.e.store(part, variable)

    def number(self, e: Emitter, value: float) -> Val:
        return e.const(value, self.elem, self.vector)

    def minus_product(self, e: Emitter, x: Number, a: Number, b: Number, conj: bool = False) -> Number:
        """x - a b, or x - a times the conjugate of b."""
        if self.parts == 1:
            return (e.fma(e.fneg(a[0]), b[0], x[0]),)
        (re, im), (a_re, a_im), (b_re, b_im) = x, a, b
        b_im = e.fneg(b_im) if conj else b_im
        re = e.fma(a_im, b_im, e.fma(e.fneg(a_re), b_re, re))
        return re, e.fma(e.fneg(a_re), b_im, e.fma(e.fneg(a_im), b_re, im))

    def scaled(self, e: Emitter, x: Number, by: Val) -> Number:
        """x times a real number."""
        return tuple(e.fmul(part, by) for part in x)

    def quotient(self, e: Emitter, x: Number, y: Number) -> Number:
        """x / y, with parts scaled so that squares neither over- nor underflow."""
        if self.parts == 1:
            return (e.fdiv(x[0], y[0]),)
        size = e.intrinsic("llvm.maxnum", *(e.intrinsic("llvm.fabs", part) for part in y))
        re, im = (e.fdiv(part, size) for part in y)
        square = e.fmul(e.fma(re, re, e.fmul(im, im)), size)
        over = e.fma(x[0], re, e.fmul(x[1], im)), e.fma(x[1], re, e.fneg(e.fmul(x[0], im)))
        return tuple(e.fdiv(part, square) for part in over)

    def chosen(self, e: Emitter, where: Val, x: Number, y: Number) -> Number:
        return tuple(e.select(where, a, b) for a, b in zip(x, y, strict=True))

    # -- loops -----------------------------------------------------------------------------------------------

    def blocks(self, f: Function, begin: Val, end: Val, body: Callable[[Val, int], None]) -> None:
        """The body for begin … end - 1: for blocks of places, then for single ones."""
        e = f.e
        whole = e.add(begin, e.bit_and(e.intrinsic("llvm.smax", e.sub(end, begin), f.word(0)), f.word(-BLOCK)))
        f.loop(begin, whole, BLOCK, lambda place: body(place, BLOCK))
        f.loop(whole, end, 1, lambda place: body(place, 1))


def transposed(e: Emitter, rows: list[Val]) -> list[Val]:
    """As many vectors as they have lanes, rows and columns exchanged: by halves, quarters, and so on."""
    count, elem = len(rows), rows[0].elem
    half = 1
    while half < count:
        masks: list[str] = []
        for high in (False, True):
            picks = [c + (count - half if c & half else 0) for c in range(count)]
            if high:
                picks = [c + (count if c & half else half) for c in range(count)]
            masks.append(", ".join(f"i32 {pick}" for pick in picks))
        made = list(rows)
        for i in range(count):
            if i & half:
                continue
            a, b = rows[i], rows[i + half]
            for place, mask in zip((i, i + half), masks, strict=True):
                text = f"shufflevector {a.typed}, {b.typed}, <{count} x i32> <{mask}>"
                made[place] = e.define(text, elem, count)
        rows = made
        half *= 2
    return rows
