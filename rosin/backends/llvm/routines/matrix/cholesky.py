"""The routines `cholesky_<dtype>`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import MOVED, Number
from rosin.backends.llvm.routines.matrix.large_cholesky import LargeCholesky
from rosin.backends.llvm.routines.matrix.shared import Given, cut, piece_text, share
from rosin.backends.llvm.routines.matrix.stack import (
    IN_SHORT_LANES,
    LARGE,
    ONE_BY_ONE,
    SIDE_BY_SIDE,
    Room,
    passed,
)
from rosin.ir.dims import Dim
from rosin.ir.ops.matrix import SMALL

BLOCK = 64
"""Columns of a step; of large matrices it is twice as many."""
LEAST = 32
"""Rows of a piece."""

LONG = {"float": 320, "double": 288}
"""Matrices of so many numbers are written past the caches as they come, wherever in a vector they begin; smaller ones
wait near until the next ones are computed."""


class Cholesky(LargeCholesky):
    operands, results, told = 1, 1, ("n", "columns")
    plain = True

    def way_of(self, numbers: Sequence[Dim]) -> str:
        found = super().way_of(numbers)
        n = numbers[-2]
        is_short = self._shifts and isinstance(n, int) and n * n * self.parts < LONG[self.elem]
        return IN_SHORT_LANES if found in SIDE_BY_SIDE and is_short else found

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n = f.e, self.word(f, "n")
        count = e.mul(n, n)
        source, target = (self.part(f, name, number, count) for name in (0, 1))
        if self.has_strips:
            self.in_strips(f, source, target, n, room)
            return
        self.hermitian(f, source, target, n, False)
        failed = f.variable(e.const(False, "i1"))
        block = e.select(e.icmp("sge", n, f.word(LARGE)), f.word(2 * BLOCK), f.word(BLOCK))
        f.loop(f.word(0), n, block, lambda k: self._step(f, target, n, k, block, failed))

        def clear(i: Val) -> None:
            """The rest of a row, beyond the diagonal."""
            after = e.add(i, f.word(1))
            count = e.mul(e.sub(n, after), f.word(self.parts))
            self.fill(f, self.place(e, target, e.add(e.mul(i, n), after)), count, 0.0)

        f.loop(f.word(0), n, 1, clear)
        last = e.load(self.place(e, target, e.sub(count, f.word(1))), self.elem)
        is_failed = e.bit_or(e.load(failed, "i1"), e.fcmp("uno", last, last))

        def fail(i: Val, j: Val) -> None:
            self.nans(f, self.place(e, target, e.add(e.mul(i, n), j)), f.word(1))

        f.when(is_failed, lambda: self.triangle(f, n, n, False, fail))

    def _step(self, f: Function, matrix: Val, n: Val, k: Val, block: Val, failed: Val) -> None:
        """Some columns of the factor, given those before: the square on the diagonal, then what is below it.

        Column by column, the lower triangle is the upper one, of the transpose.
        """
        e, lapack = f.e, self.lapack(f)
        size = e.intrinsic("llvm.smin", e.sub(n, k), block)
        top, square = self.place(e, matrix, e.mul(k, n)), self.place(e, matrix, e.mul(k, e.add(n, f.word(1))))
        less, one, info = lapack.number(-1), lapack.number(1), lapack.info()
        lapack.call("herk" if self.dtype.is_complex else "syrk", "U", "C", size, k, less, top, n, one, square, n)
        lapack.call("potrf", "U", size, square, n, info)
        e.store(e.bit_or(e.load(failed, "i1"), lapack.failed(info)), failed)
        pieces, width = cut(f, e.sub(e.sub(n, k), size), LEAST)
        share(f, "below", pieces, {"matrix": matrix, "n": n, "k": k, "size": size, "width": width})

    def helpers(self) -> list[str]:
        found = super().helpers()
        if self.way not in SIDE_BY_SIDE:
            found += self.strip_helpers() if self.has_strips else [self._below()]
        if self.way not in ONE_BY_ONE:
            found += [self._sender(), self._lower(), *([self._shifted()] if self._shifts else [])]
        return found

    def _below(self) -> str:
        """Some rows below the square."""
        f = self.function()
        e, lapack = f.e, self.lapack(f)

        def rows(number: Val, given: Given) -> None:
            matrix, n, k, size, width = given.values()
            i = e.add(e.add(k, size), e.mul(number, width))
            count = e.intrinsic("llvm.smin", width, e.sub(n, i))
            line = self.place(e, matrix, e.mul(i, n))
            top, square = self.place(e, matrix, e.mul(k, n)), self.place(e, matrix, e.mul(k, e.add(n, f.word(1))))
            less, one, goal = lapack.number(-1), lapack.number(1), self.place(e, line, k)
            lapack.call("gemm", "C", "N", size, count, k, less, top, n, line, n, one, goal, n)
            lapack.call("trsm", "L", "U", "C", "N", size, count, one, square, n, goal, n)

        return piece_text(f, "below", {"matrix": "ptr", **dict.fromkeys(("n", "k", "size", "width"), "i64")}, rows)

    # -- in lanes ------------------------------------------------------------------------------------------

    @property
    def _block(self) -> int:
        """So many rows come in and go out together: their numbers are whole vectors, and their rows whole tiles."""
        return max(self.vector // self.parts, self.tile[0])

    def group(self, f: Function, number: Val, final: Val) -> None:
        """Some rows at a time, which stay near while all rows above them pass by."""
        e, n = f.e, self.word(f, "n")
        count, row = e.mul(n, n), e.mul(n, f.word(self.parts))
        numbers = e.mul(count, f.word(self.parts))
        source, goal = (e.offset(self.word(f, name), e.mul(number, numbers), self.elem) for name in (0, 1))
        yes, (far, apart) = e.const(True, "i1"), self.past_caches(f, goal, numbers, final, self.elem)
        is_shifted = e.const(False, "i1")
        if self._shifts:
            is_long = e.icmp("sge", numbers, f.word(LONG[self.elem]))
            is_shifted = e.bit_and(apart, is_long)
        waits = e.bit_and(apart, e.bit_xor(is_shifted, yes))
        own, goal = goal, e.select(waits, self._near, goal)
        a, inverses = self.vectors(f, SMALL * SMALL), self.vectors(f, SMALL)
        kept = f.room("i8", SMALL * SMALL * self.parts + self.vector)
        rows_before = f.room(self.elem, self.vector * self.vector)
        f.when(e.icmp("eq", number, Val("%first", "i64")), lambda: self._note_lower(f, n, kept))

        def write(begin: Val, end: Val) -> None:
            # What is read next is behind what is written, or begins the next group: it is asked for meanwhile.
            following = e.sub(e.mul(numbers, f.word(self.vector)), begin)
            after = e.select(e.icmp("slt", end, numbers), e.sub(end, begin), following)
            ahead = e.offset(source, after, self.elem)

            def shifted() -> None:
                e.line(f"call void @shifted({passed(goal, numbers, begin, end, a, kept, rows_before, ahead)})")

            def plain() -> None:
                e.line(f"call void @lower({passed(goal, numbers, begin, end, final, a, far, kept, ahead)})")

            if self._shifts:
                f.when(is_shifted, shifted, plain)
            else:
                plain()

        def band(i: Val, size: int) -> None:
            rows = [self.at(e, a, e.mul(e.add(i, f.word(r)), n)) for r in range(size)]
            step = self.tile[1]

            def send(elements: int) -> None:
                f.when(waits, lambda: self._send(f, 2 * elements * self.parts))

            def left(j: Val, width: int) -> None:
                self._left(f, a, n, i, j, rows, width, inverses)
                send(size * width)

            self.tiled(f, f.word(0), i, step, left)
            for first in range(0, size, step):
                self._square(f, a, n, e.add(i, f.word(first)), rows[first:], inverses)
                send(size * step)

        def block(begin: Val) -> None:
            end = e.intrinsic("llvm.smin", e.add(begin, f.word(self._block)), n)
            ends = [e.mul(i, row) for i in (begin, end)]
            e.line(f"call void @into_{self.elem}({passed(source, numbers, *ends, final, a)})")
            self.tiled(f, begin, end, self.tile[0], band)
            f.when(e.bit_xor(waits, yes), lambda: write(*ends))

        f.loop(f.word(0), n, self._block, block)
        self._mark_failures(f, a, n, lambda: f.when(e.bit_xor(waits, yes), lambda: write(f.word(0), numbers)))

        def wait() -> None:
            self._send_all(f)
            write(f.word(0), numbers)
            for place, value in enumerate((self._near, own, numbers)):
                e.store(value, e.offset(self._waiting, f.word(place), "i64"))

        f.when(waits, wait)

    def before_groups(self, f: Function) -> None:
        """Room for what waits to go past the caches, and three words: where it is, where it goes, how many vectors."""
        self._near = f.room(self.elem, SMALL * SMALL * self.parts * self.vector)
        self._waiting = f.room("i64", 3)
        f.e.store(f.word(0), f.e.offset(self._waiting, f.word(2), "i64"))

    def after_groups(self, f: Function) -> None:
        self._send_all(f)

    def _send(self, f: Function, count: int) -> None:
        f.e.line(f"call void @send({passed(self._waiting, f.word(count))})")

    def _send_all(self, f: Function) -> None:
        self._send(f, SMALL * SMALL * self.parts)

    def _sender(self) -> str:
        """`void send(ptr waiting, i64 count)`: so many vectors of what waits go past the caches, if there are any."""
        f = self.function()
        e = f.e
        places = [e.offset(Val("%waiting", "ptr"), f.word(place), "i64") for place in range(3)]
        source, goal, left = (e.load(place, kind) for place, kind in zip(places, ("ptr", "ptr", "i64"), strict=True))
        count = e.intrinsic("llvm.smin", Val("%count", "i64"), left)
        end = e.mul(count, f.word(self.vector))

        def vector(at: Val) -> None:
            x = e.load(e.offset(source, at, self.elem), self.elem, self.vector)
            self.put_far(f, x, e.offset(goal, at, self.elem))

        f.loop(f.word(0), end, self.vector, vector)
        for place, value in zip(places, (source, goal), strict=False):
            e.store(e.offset(value, end, self.elem), place)
        e.store(e.sub(left, count), places[2])
        e.line("ret void")
        return f.text("internal void @send(ptr %waiting, i64 %count)")

    def _note_lower(self, f: Function, n: Val, kept: Val) -> None:
        """Note of each number of a matrix whether it is on the diagonal or below."""
        e = f.e

        def row(i: Val) -> None:
            start, size = e.mul(i, e.mul(n, f.word(self.parts))), e.mul(n, f.word(self.parts))
            own = e.mul(e.add(i, f.word(1)), f.word(self.parts))

            def note(begin: Val, end: Val, flag: int) -> None:
                f.loop(begin, end, 1, lambda j: e.store(e.const(flag, "i8"), e.offset(kept, e.add(start, j), "i8")))

            note(f.word(0), own, 1)
            note(own, size, 0)

        f.loop(f.word(0), n, 1, row)

    def _lower(self) -> str:
        """`void lower(…)`: as `out_f`, but of numbers that are not `kept` there are zeros, whatever vectors have."""
        f = self.function()
        e, elem = f.e, self.elem
        vectors, kept = Val("%vectors", "ptr"), Val("%kept", "ptr")
        lines = self.lines(f, elem)

        def square(place: Val) -> None:
            self._keep(f, place, lambda rows: self.write(f, lines, place, rows))
            f.when(Val("%far", "i1"), lambda: self._ask(f, place))

        def single(place: Val) -> None:
            def clear() -> None:
                for line in lines:
                    e.store(e.const(0.0, elem), e.offset(line, place, elem))

            some = e.icmp("ne", e.load(e.offset(kept, place, "i8"), "i8"), e.const(0, "i8"))
            f.when(some, lambda: self.single(f, elem, lines, vectors, place, False), clear)

        self.covering(f, square, single)
        e.line("ret void")
        return f.text(f"internal void @lower({MOVED}, i1 %far, ptr %kept, ptr %ahead)")

    def _ask(self, f: Function, place: Val) -> None:
        """Ask for what is ahead of a square."""
        e = f.e
        for lane in range(self.vector):
            start = e.add(e.mul(f.word(lane), Val("%count", "i64")), place)
            e.prefetch(e.near(Val("%ahead", "ptr"), start, self.elem), cache=2)

    @property
    def _shifts(self) -> bool:
        """Whether vectors are shifted to where results begin, by numbers that are not known."""
        return self.vector_bytes == 64 and self.way != IN_SHORT_LANES

    def _shifted(self) -> str:
        """`void shifted(…)`: as `lower`, for a whole group past the caches where matrices end within vectors.

        What is written are whole vectors of memory: each has the last numbers of one vector of a lane and the first of
        the next one. Where a matrix ends and another begins, both write their part. `begin` is one of whole vectors.
        """
        f = self.function()
        e, lanes, elem = f.e, self.vector, self.elem
        goal, count, begin, end = Val("%matrices", "ptr"), *(Val(f"%{x}", "i64") for x in ("count", "begin", "end"))
        before, now = Val("%before", "ptr"), f.room(elem, lanes * lanes)
        number = f"i{8 * self.dtype.part.bytes}"
        steps = Val(f"<{', '.join(f'{number} {lane}' for lane in range(lanes))}>", number, lanes)
        name = f"llvm.x86.avx512.vpermi2var.{'ps' if elem == 'float' else 'pd'}.512"
        vector, orders = f"<{lanes} x {elem}>", f"<{lanes} x {number}>"
        self.declarations.add(f"declare {vector} @{name}({vector}, {orders}, {vector})")

        def from_(first: Val) -> Val:
            return e.add(e.splat(e.convert("trunc", first, number), lanes), steps)

        # For each lane how its vectors are shifted, and where its first one would go.
        orders, goals = f.room(number, lanes * lanes), f.room("ptr", lanes)

        def know(lane: Val) -> None:
            start = e.mul(lane, count)
            shift = e.bit_and(start, f.word(lanes - 1))
            e.store(from_(e.sub(f.word(lanes), shift)), e.offset(orders, e.mul(lane, f.word(lanes)), number))
            e.store(e.offset(goal, e.sub(start, shift), elem), e.offset(goals, lane, "ptr"))

        def whole(lane: Val) -> Val:
            own, old = (e.offset(array, e.mul(lane, f.word(lanes)), elem) for array in (now, before))
            x, last = e.load(own, elem, lanes), e.load(old, elem, lanes)
            order = e.load(e.offset(orders, e.mul(lane, f.word(lanes)), number), number, lanes)
            e.store(x, old)
            return e.define(f"call {vector} @{name}({last.typed}, {order.typed}, {x.typed})", elem, lanes)

        def place_of(lane: Val, place: Val) -> Val:
            return e.offset(e.load(e.offset(goals, lane, "ptr"), "ptr"), place, elem)

        def put(place: Val) -> None:
            """Vectors that end in those of the lanes from a place on."""

            def line(lane: Val) -> None:
                first = e.sub(place, e.bit_and(e.mul(lane, count), f.word(lanes - 1)))
                places = from_(first)
                there = e.icmp("slt", places, e.splat(e.convert("trunc", count, number), lanes))
                there = e.bit_and(there, e.icmp("sge", places, e.like(0, places)))
                e.masked_store(whole(lane), place_of(lane, place), there, self.dtype.part.bytes)

            def inner() -> None:
                for lane in map(f.word, range(lanes)):
                    self.put_far(f, whole(lane), place_of(lane, place))

            is_inner = e.bit_and(e.icmp("sge", place, f.word(lanes)), e.icmp("sle", e.add(place, f.word(lanes)), count))
            f.when(is_inner, inner, lambda: f.loop(f.word(0), f.word(lanes), 1, line))

        def take(rows: list[Val]) -> None:
            for k, row in enumerate(rows):
                e.store(row, e.offset(now, f.word(k * lanes), elem))

        def square(place: Val) -> None:
            self._keep(f, place, take)
            put(place)
            self._ask(f, place)

        f.loop(f.word(0), f.word(lanes), 1, know)
        f.loop(begin, end, lanes, square)
        beyond = e.bit_and(e.add(count, f.word(lanes - 1)), f.word(-lanes))
        f.when(e.icmp("eq", end, count), lambda: put(beyond))
        e.line("ret void")
        given = "ptr %matrices, i64 %count, i64 %begin, i64 %end, ptr %vectors, ptr %kept, ptr %before, ptr %ahead"
        return f.text(f"internal void @shifted({given})")

    def _keep(self, f: Function, place: Val, put: Callable[[list[Val]], None]) -> None:
        """What puts the numbers of each lane from a place on: zeros where they are not kept, whatever vectors have."""
        e, lanes, elem = f.e, self.vector, self.elem
        zero = e.const(0.0, elem, lanes)
        flags = e.load(e.offset(Val("%kept", "ptr"), place, "i8"), "i8", lanes, align=1)
        is_kept = e.icmp("ne", flags, e.const(0, "i8", lanes))

        def turned() -> None:
            rows = self.turned(f, elem, e.offset(Val("%vectors", "ptr"), place, f"[{lanes} x {elem}]"))
            put([e.select(is_kept, x, zero) for x in rows])

        some = e.intrinsic_across("llvm.vector.reduce.or", is_kept)
        f.when(some, turned, lambda: put([zero] * lanes))

    def _left(self, f: Function, a: Val, n: Val, i: Val, j: Val, rows: list[Val], width: int, inverses: Val) -> None:
        """The factor's tile from element (i, j) on, left of the diagonal, given all that is above or left of it."""
        e = f.e
        columns = [e.add(j, f.word(c)) for c in range(width)]
        above = [self.at(e, a, e.mul(column, n)) for column in columns]
        found = self._less_products(f, a, n, i, j, rows, above, [width] * len(rows))
        square = [[self.load(f, self.at(e, row, column)) for column in columns[:k]] for k, row in enumerate(above)]
        self._finish(f, found, square, [self.vector_at(f, inverses, column) for column in columns])
        self._store(f, found, rows, j)

    def _square(self, f: Function, a: Val, n: Val, j: Val, rows: list[Val], inverses: Val) -> None:
        """As many columns as a tile has from element (j, j) on, as far as the rows from row j on reach."""
        e, width = f.e, min(self.tile[1], len(rows))
        found = self._less_products(f, a, n, j, j, rows, rows[:width], [min(r + 1, width) for r in range(len(rows))])
        square = found[:width]
        scales = self._factor(f, square)
        for c, scale in enumerate(scales):
            self.put_vector(f, scale, inverses, e.add(j, f.word(c)))
        self._finish(f, found[width:], square, scales)
        self._store(f, found, rows, j)

    def _less_products(
        self, f: Function, a: Val, n: Val, i: Val, j: Val, rows: list[Val], above: list[Val], widths: list[int]
    ) -> list[list[Number]]:
        """Elements of the Hermitian part from (i, j) on, less the products of what is left of them and of the rows
        that their columns are in the transpose."""
        e, one = f.e, f.word(1)
        taken = [
            [self._taken(f, a, n, e.add(i, f.word(r)), e.add(j, f.word(c))) for c in range(width)]
            for r, width in enumerate(widths)
        ]
        sums = self.sums(f, taken)
        self.subtract_products(f, sums, rows, one, above, one, j, conj=True)
        return self.values(f, sums)

    def _finish(self, f: Function, rows: list[list[Number]], square: list[list[Number]], inverses: list[Val]) -> None:
        """Divide rows by the conjugate transpose of a square below whose diagonal numbers are known, and the inverses
        of those on it."""
        e = f.e
        for row in rows:
            for c, inverse in enumerate(inverses):
                row[c] = self.scaled(e, row[c], inverse)
                for k in range(c + 1, len(inverses)):
                    row[k] = self.minus_product(e, row[k], row[c], square[k][c], conj=True)

    def _taken(self, f: Function, a: Val, n: Val, i: Val, j: Val) -> Number:
        """Element (i, j) of the Hermitian part."""
        e = f.e
        here, there = (self.at(e, a, e.add(e.mul(x, n), y)) for x, y in ((i, j), (j, i)))
        x, y = self.load(f, here), self.load(f, there)
        sums = [e.fsub(p, q) if part else e.fadd(p, q) for part, (p, q) in enumerate(zip(x, y, strict=True))]
        return self.scaled(e, tuple(sums), self.number(e, 0.5))

    def _store(self, f: Function, values: list[list[Number]], rows: list[Val], j: Val) -> None:
        for row, place in zip(values, rows, strict=True):
            for c, value in enumerate(row):
                self.store(f, value, self.at(f.e, place, f.e.add(j, f.word(c))))

    def _factor(self, f: Function, square: list[list[Number]]) -> list[Val]:
        """Make its factor of the lower triangle of a square; the inverses of the diagonal."""
        e, zero, one = f.e, self.number(f.e, 0.0), self.number(f.e, 1.0)
        inverses: list[Val] = []
        for c, line in enumerate(square):
            found = line[c][0]
            pivot = e.select(e.fcmp("ogt", found, zero), e.intrinsic("llvm.sqrt", found), self.number(e, math.nan))
            line[c] = (pivot, *[zero] * (self.parts - 1))
            inverses.append(e.fdiv(one, pivot))
            below = square[c + 1 :]
            for row in below:
                row[c] = self.scaled(e, row[c], inverses[c])
            for k, other in enumerate(below, c + 1):
                for row in square[k:]:
                    row[k] = self.minus_product(e, row[k], row[c], other[c], conj=True)
        return inverses

    def _mark_failures(self, f: Function, a: Val, n: Val, then: Callable[[], None]) -> None:
        """Where the last pivot is NaN, as it is when any one was, all of the lower triangle becomes NaN; what is done
        then if there are such lanes."""
        e = f.e
        last = self.load(f, self.at(e, a, e.sub(e.mul(n, n), f.word(1))))[0]
        failed = e.fcmp("uno", last, last)
        nan = self.number(e, math.nan)

        def mark(i: Val, j: Val) -> None:
            at = self.at(e, a, e.add(e.mul(i, n), j))
            self.store(f, self.chosen(e, failed, (nan,) * self.parts, self.load(f, at)), at)

        def fail() -> None:
            self.triangle(f, n, n, False, mark)
            then()

        f.when(e.intrinsic_across("llvm.vector.reduce.or", failed), fail)
