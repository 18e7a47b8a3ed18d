"""Small matrices side by side: element k of every matrix of a group is in a vector, a lane for each matrix.

A group has as many matrices as vectors have lanes. The lanes that a stack has no matrices for do what the last one
does, and write the same numbers to the same places. No lane sees another, so results do not depend on how a stack is
cut into groups.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from rosin.backends.llvm.emit import LINE_BYTES, Emitter, Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.stack import (
    BY_LAPACK,
    EITHER,
    IN_LANES,
    IN_TINY_LANES,
    NUMBERS,
    ONE_BY_ONE,
    SIDE_BY_SIDE,
    Stack,
    parameters,
    passed,
)
from rosin.backends.llvm.squares import transposed
from rosin.ir.dims import Dim
from rosin.ir.ops.matrix import SMALL, SOME, VERY_SMALL

FAR = 1 << 22
"""Results of more bytes do not go through the caches."""

FULL = 32
"""Rows of so many vectors, or a multiple, begin in so few places of the first cache that a column finds no room."""

_RANGE = ((name, "i64") for name in ("count", "begin", "end", "final"))
MOVED = parameters(("matrices", "ptr"), *_RANGE, ("vectors", "ptr"))
"""Parameters of functions that move matrices into vectors, or out of them."""

Number = tuple[Val, ...]
"""A vector of numbers: its parts."""


class Lanes(Stack):
    """A routine that does small matrices in lanes."""

    sizes: ClassVar[tuple[str, ...]] = ("n",)
    """The sizes which decide that matrices are small."""

    @property
    def has_lanes(self) -> bool:
        """Whether matrices of the element type are worked on in lanes at all."""
        return True

    def work(self, f: Function, first: Val, last: Val, room: Val) -> None:
        if not self.has_lanes or self.way in ONE_BY_ONE:
            super().work(f, first, last, room)
            return
        e = f.e
        alone = super().work

        def in_lanes() -> None:
            ends = (self._whole_groups(f, end) for end in (first, last))
            e.line(f"call void @groups(ptr %words, {passed(*ends)})")

        if self.way in SIDE_BY_SIDE:
            in_lanes()
        else:
            f.when(self._is_small(f), in_lanes, lambda: alone(f, first, last, room))

    def _whole_groups(self, f: Function, end: Val) -> Val:
        """Where a piece ends or begins: pieces are whole groups, but for the last one."""
        e = f.e
        return e.select(e.icmp("eq", end, self.word(f, "stack")), end, e.bit_and(end, f.word(-self.vector)))

    def limits(self) -> dict[str, tuple[int, int, int]]:
        """For each size that decides: the least with which lanes pay, the most where there are matrices for some lanes,
        and the most for fewer."""
        return dict.fromkeys(self.sizes, (0, SMALL, VERY_SMALL))

    @property
    def _some(self) -> int:
        """So many matrices are enough for some lanes."""
        return min(self.vector // 4, SOME)

    def _is_small(self, f: Function) -> Val:
        """Whether all sizes are within their limits."""
        e, small = f.e, f.e.const(True, "i1")
        some = e.icmp("sge", self.word(f, "stack"), f.word(self._some))
        for name, (least, most, fewer) in self.limits().items():
            size = self.word(f, name)
            fits = e.icmp("sle", size, e.select(some, f.word(most), f.word(fewer)))
            small = e.bit_and(small, e.bit_and(fits, e.icmp("sge", size, f.word(least))))
        return small

    def way_of(self, numbers: Sequence[Dim]) -> str:
        told = dict(zip((*NUMBERS, *self.told), numbers, strict=True))
        known = {name: n for name in ("stack", *self.limits()) if isinstance(n := told[name], int)}
        if not self.has_lanes or len(known) <= len(self.limits()):
            return EITHER
        few = known["stack"] < self._some
        limits = self.limits().items()
        small = all(least <= known[name] <= (fewer if few else most) for name, (least, most, fewer) in limits)
        if not small:
            return BY_LAPACK
        most = max(known[name] for name in self.limits())
        return IN_TINY_LANES if most * most * self.parts < self.vector else IN_LANES

    def helpers(self) -> list[str]:
        if not self.has_lanes or self.way in ONE_BY_ONE:
            return []
        functions = [self._groups()]
        for elem in dict.fromkeys(map(self._as_moved, (self.elem, *self.moved_too()))):
            functions += [self._exchange(elem, True), self._exchange(elem, False), self._past(elem)]
        return functions

    def moved_too(self) -> tuple[str, ...]:
        """Other types of numbers that matrices bring along."""
        return ()

    def _as_moved(self, elem: str) -> str:
        """What is moved as numbers of the matrices are, needs no function of its own."""
        return self.elem if _bytes(elem) == _bytes(self.elem) else elem

    def _groups(self) -> str:
        """`void groups(ptr words, i64 first, i64 last)`: matrices first … last - 1, group by group."""
        f = self.function()
        e, last = f.e, Val("%last", "i64")

        def group(number: Val) -> None:
            left = e.sub(e.sub(last, number), f.word(1))
            self.group(f, number, e.intrinsic("llvm.smin", left, f.word(self.vector - 1)))

        self.before_groups(f)
        f.loop(Val("%first", "i64"), last, self.vector, group)
        self.after_groups(f)
        # Stores that go past the caches are in no order with others before this.
        e.fence()
        e.line("ret void")
        return "\n".join([*f.parts, f.text("internal void @groups(ptr %words, i64 %first, i64 %last)")])

    def before_groups(self, f: Function) -> None:
        """What is done before all groups of a piece."""

    def after_groups(self, f: Function) -> None:
        """What is done after all groups of a piece."""

    @abstractmethod
    def group(self, f: Function, number: Val, final: Val) -> None:
        """The work on the group that begins with a matrix; `final` is the last lane that has a matrix of its own."""

    # -- in and out ----------------------------------------------------------------------------------------

    def exchange(
        self, f: Function, name: int, number: Val, final: Val, count: Val, vectors: Val, into: bool, elem: str = ""
    ) -> None:
        """Matrices of an operand or a result into vectors, or out of them; each has so many elements."""
        numbers = f.e.mul(count, f.word(1 if elem else self.parts))
        elem = self._as_moved(elem or self.elem)
        move, finish = self._mover(f, name, number, final, numbers, into, elem)
        move(f.word(0), numbers, vectors)
        finish()

    def exchange_rows(
        self, f: Function, name: int, number: Val, final: Val, rows: Val, columns: Val, vectors: Val, into: bool
    ) -> None:
        """As `exchange`, of matrices whose rows are as far apart in vectors as `row` says."""
        e = f.e
        numbers, gap = e.mul(columns, f.word(self.parts)), e.sub(self.row(f, columns), columns)
        move, finish = self._mover(f, name, number, final, e.mul(rows, numbers), into, self.elem)
        together = e.select(e.icmp("eq", gap, f.word(0)), rows, f.word(1))

        def some(i: Val) -> None:
            begin, end = (e.mul(row, numbers) for row in (i, e.add(i, together)))
            move(begin, end, self.at(e, vectors, e.mul(i, gap)))

        f.loop(f.word(0), rows, together, some)
        finish()

    def fills_vectors(self, f: Function, columns: Val) -> Val:
        """Whether a row of so many columns has as many numbers as there are lanes."""
        return f.e.icmp("sge", f.e.mul(columns, f.word(self.parts)), f.word(self.vector))

    def read_rows(
        self, f: Function, name: int, number: Val, final: Val, rows: Val, columns: Val, order: Val, vectors: Val
    ) -> None:
        """As `exchange_rows` into vectors, where row i is the one that each lane has in place i of an order; rows fill
        vectors."""
        e = f.e
        numbers = e.mul(columns, f.word(self.parts))
        count, apart = e.mul(rows, numbers), self.row(f, columns)
        start = e.offset(self.word(f, name), e.mul(number, count), self.elem)

        def one(i: Val) -> None:
            own, there = e.offset(order, i, f"[{self.vector} x i32]"), self.at(e, vectors, e.mul(i, apart))
            e.line(f"call void @rows_{self.elem}({passed(start, count, f.word(0), numbers, final, there, own)})")

        f.loop(f.word(0), rows, 1, one)

    def rows_reader(self) -> str:
        """`void rows_f(…, ptr rows)`: as `into_f`, from a row of its own in each lane, which are those numbers."""
        f = self.function()
        e, end = f.e, Val("%end", "i64")
        rows = [e.load(e.offset(Val("%rows", "ptr"), f.word(lane), "i32"), "i32") for lane in range(self.vector)]
        starts = [
            e.offset(line, e.mul(e.convert("sext", row, "i64"), end), self.elem)
            for line, row in zip(self.lines(f, self.elem), rows, strict=True)
        ]

        def square(place: Val) -> None:
            there = e.offset(Val("%vectors", "ptr"), place, f"[{self.vector} x {self.elem}]")
            self._turn_in(f, self.elem, starts, place, there)

        f.covering(end, self.vector, square)
        e.line("ret void")
        return f.text(f"internal void @rows_{self.elem}({MOVED}, ptr %rows)")

    def row(self, f: Function, columns: Val) -> Val:
        """How far the rows of matrices are apart in vectors.

        Where they would begin in few places of the first cache, a gap follows each.
        """
        e = f.e
        together = e.icmp("eq", e.bit_and(e.mul(columns, f.word(self.parts)), f.word(FULL - 1)), f.word(0))
        return e.add(columns, e.convert("zext", together, "i64"))

    def matrices(self, f: Function) -> Val:
        """Room for matrices with gaps between rows."""
        return self.vectors(f, SMALL * (SMALL + 1))

    def _mover(
        self, f: Function, name: int, number: Val, final: Val, numbers: Val, into: bool, elem: str
    ) -> tuple[Callable[[Val, Val, Val], None], Callable[[], None]]:
        """What moves numbers begin … end - 1 of each matrix into vectors, or out of them, and what is done then."""
        start = f.e.offset(self.word(f, name), f.e.mul(number, numbers), elem)
        target, far, finish = (start, None, _nothing) if into else self.out_to(f, start, numbers, final, elem)

        def move(begin: Val, end: Val, vectors: Val) -> None:
            given = passed(target, numbers, begin, end, final, vectors, *([] if far is None else [far]))
            f.e.line(f"call void @{'into' if into else 'out'}_{elem}({given})")

        return move, finish

    def out_to(
        self, f: Function, start: Val, numbers: Val, final: Val, elem: str
    ) -> tuple[Val, Val, Callable[[], None]]:
        """Where a group's results go first, which belong at `start`, so many numbers of each matrix; whether they go
        past the caches then; and what is done when they are there.

        Results of many matrices would only fill the caches. Past them, whole vectors are written that need not be read
        first. Where matrices end within vectors, but a group does not, it is put together near before.
        """
        e = f.e
        far, apart = self.past_caches(f, start, numbers, final, elem)
        # Sizes of what is in vectors are within their limits.
        room = f.room(elem, SMALL * SMALL * self.parts * self.vector)
        given = passed(room, start, e.mul(numbers, f.word(self.vector)))

        def finish() -> None:
            f.when(apart, lambda: e.line(f"call void @past_{elem}({given})"))

        return e.select(apart, room, start), far, finish

    def past_caches(self, f: Function, start: Val, numbers: Val, final: Val, elem: str) -> tuple[Val, Val]:
        """Whether a group's results are to go past the caches, where matrices are whole vectors, and where they end
        within vectors but the group does not."""
        e = f.e
        bytes = e.mul(numbers, f.word(_bytes(elem)))
        many = e.icmp("sgt", e.mul(bytes, self.word(f, "stack")), f.word(FAR))
        many = e.bit_and(many, self._fits_vectors(f, e.convert("ptrtoint", start, "i64")))
        whole = self._fits_vectors(f, bytes)
        full = e.icmp("eq", final, f.word(self.vector - 1))
        return e.bit_and(many, whole), e.bit_and(many, e.bit_and(full, e.bit_xor(whole, e.const(True, "i1"))))

    def _fits_vectors(self, f: Function, bytes: Val) -> Val:
        """Whether a place, or a distance, is one of whole vectors."""
        return f.e.icmp("eq", f.e.bit_and(bytes, f.word(self.vector_bytes - 1)), f.word(0))

    def _past(self, elem: str) -> str:
        """`void past_f(ptr source, ptr target, i64 count)`: copy numbers that are whole vectors past the caches."""
        f = self.function()
        e = f.e
        source, target = (Val(name, "ptr") for name in ("%source", "%target"))

        def vector(place: Val) -> None:
            x = e.load(e.offset(source, place, elem), elem, self.vector)
            self.put_far(f, x, e.offset(target, place, elem))

        f.loop(f.word(0), Val("%count", "i64"), self.vector, vector)
        e.line("ret void")
        given = parameters(("source", "ptr"), ("target", "ptr"), ("count", "i64"))
        return f.text(f"internal void @past_{elem}({given})")

    def put_far(self, f: Function, value: Val, at: Val) -> None:
        """Write a whole vector past the caches."""
        f.e.store_past_caches(value, at, self.vector_bytes)

    def _exchange(self, elem: str, into: bool) -> str:
        """`void into_f(ptr matrices, i64 count, i64 begin, i64 end, i64 final, ptr vectors)`, or out of them, with
        `i1 far`: numbers begin … end - 1 of matrices that have so many, for every lane up to the final one."""
        f = self.function()
        e, vectors = f.e, Val("%vectors", "ptr")
        lines = self.lines(f, elem)

        def square(place: Val) -> None:
            there = e.offset(vectors, place, f"[{self.vector} x {elem}]")
            if into:
                self._turn_in(f, elem, lines, place, there)
            else:
                self.write(f, lines, place, self.turned(f, elem, there))

        self.covering(f, square, lambda place: self.single(f, elem, lines, vectors, place, into))
        e.line("ret void")
        return f.text(
            f"internal void @into_{elem}({MOVED})" if into else f"internal void @out_{elem}({MOVED}, i1 %far)"
        )

    def covering(self, f: Function, square: Callable[[Val], None], single: Callable[[Val], None]) -> None:
        """All places `begin` … `end` - 1, parameters of a function: where squares begin, of which the last one may
        overlap another, or single ones where there are fewer than lanes."""
        begin, end = Val("%begin", "i64"), Val("%end", "i64")
        if self.way == IN_TINY_LANES:
            f.loop(begin, end, 1, single)
            return
        count = f.e.sub(end, begin)
        f.when(
            f.e.icmp("sge", count, f.word(self.vector)),
            lambda: f.covering(count, self.vector, lambda place: square(f.e.add(begin, place))),
            lambda: f.loop(begin, end, 1, single),
        )

    def lines(self, f: Function, elem: str) -> list[Val]:
        """Where each lane's matrix is, given as parameters of a function `matrices`, `count` and `final`."""
        found: list[Val] = []
        for lane in range(self.vector):
            which = f.e.intrinsic("llvm.smin", f.word(lane), Val("%final", "i64"))
            found.append(f.e.offset(Val("%matrices", "ptr"), f.e.mul(which, Val("%count", "i64")), elem))
        return found

    def _turn_in(self, f: Function, elem: str, lines: Sequence[Val], place: Val, there: Val) -> None:
        """Numbers from a place on, as many as there are lanes, from each lane's matrix into as many vectors."""
        e, lanes = f.e, self.vector
        rows = [e.load(e.offset(line, place, elem), elem, lanes, align=_bytes(elem)) for line in lines]
        for i, column in enumerate(transposed(e, rows)):
            e.store(column, e.offset(there, f.word(i * lanes), elem))

    def turned(self, f: Function, elem: str, there: Val) -> list[Val]:
        """For each lane its numbers in as many vectors as there are lanes."""
        e, lanes = f.e, self.vector
        return transposed(e, [e.load(e.offset(there, f.word(i * lanes), elem), elem, lanes) for i in range(lanes)])

    def write(self, f: Function, lines: Sequence[Val], place: Val, rows: Sequence[Val]) -> None:
        """Each lane's vector, from a place of its matrix on, past the caches or not."""
        e = f.e
        places = [e.offset(line, place, row.elem) for line, row in zip(lines, rows, strict=True)]

        def far() -> None:
            for row, at in zip(rows, places, strict=True):
                self.put_far(f, row, at)

        def near() -> None:
            for row, at in zip(rows, places, strict=True):
                e.store(row, at, align=_bytes(row.elem))

        f.when(Val("%far", "i1"), far, near)

    def single(self, f: Function, elem: str, lines: Sequence[Val], vectors: Val, place: Val, into: bool) -> None:
        """The number at a place, in every lane."""
        e = f.e
        there = e.offset(vectors, place, f"[{self.vector} x {elem}]")
        for lane, line in enumerate(lines):
            pair = e.offset(line, place, elem), e.offset(there, f.word(lane), elem)
            read, write = pair if into else pair[::-1]
            e.store(e.load(read, elem), write)

    def prefetch(self, f: Function, name: int, number: Val, begin: Val, size: Val, count: Val) -> None:
        """Ask for a part of what an operand has for the next group: so many numbers of each lane's matrix, which has
        `count` of them. A group that asks for all parts while it computes finds the next one's matrices near."""
        e = f.e
        bytes = self.dtype.bytes * self.vector
        own = e.mul(e.add(number, f.word(self.vector)), e.mul(count, f.word(self.dtype.bytes)))
        start = e.offset(self.word(f, name), e.add(own, e.mul(begin, f.word(bytes))), "i8")
        f.loop(
            f.word(0), e.mul(size, f.word(bytes)), LINE_BYTES, lambda at: e.prefetch(e.near(start, at, "i8"), cache=2)
        )

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

    def product(self, e: Emitter, a: Number, b: Number) -> Number:
        if self.parts == 1:
            return (e.fmul(a[0], b[0]),)
        (a_re, a_im), (b_re, b_im) = a, b
        return e.fma(e.fneg(a_im), b_im, e.fmul(a_re, b_re)), e.fma(a_re, b_im, e.fmul(a_im, b_re))

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


def _nothing() -> None:
    pass


def _bytes(elem: str) -> int:
    return 4 if elem in ("float", "i32") else 8
