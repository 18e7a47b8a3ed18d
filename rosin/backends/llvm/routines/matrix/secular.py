"""Zeros of the secular equation, and the vectors that belong to them: what becomes of eigenvectors when z zᵀ is added.

    1 / ρ + Σ w_i² / (d_i - x) = 0

has a zero between each pair of neighbours of the poles d and one behind the last. All are found at once, one in each
lane of vectors: a step goes to the zero of a rational function with the poles next to it ("the middle way"); where that
is slow, to the zero of one that has the nearer pole, as it is, and a straight line for all others; or to the middle of
where the zero can be. From the distances between zeros and poles come weights for which the zeros are exact, and from
these the vectors, which are orthogonal without more ado.

Li, "Solving secular equations stably and efficiently", 1993; Gu and Eisenstat, "A stable and efficient algorithm for
the rank-one modification of the symmetric eigenproblem", 1994.
"""

from __future__ import annotations

from collections.abc import Mapping

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lapack import Lapack
from rosin.backends.llvm.routines.matrix.shared import Given, piece_text
from rosin.backends.llvm.routines.matrix.stack import Stack, passed

STEPS = 60
"""Steps to a zero, at most; four are usual."""

SLOW = 0.1
"""A step after which a value is more than so much of what it was, and of the same sign, was of the wrong kind."""

PART = {
    **dict.fromkeys(("values", "q", "kept", "shape", "poles", "weights", "squares", "placed", "exact"), "ptr"),
    **dict.fromkeys(("grouped", "rho"), "ptr"),
    **dict.fromkeys(("n", "n1", "n2", "count", "row", "first", "upper", "lower", "width"), "i64"),
}
"""What pieces of a part are given, from where it begins: `count` zeros are wanted; rows of `shape` are `row` numbers
apart; of its rows `upper` belong to the first half, and `lower` after the `first` to the other."""


class Secular(Stack):
    """A routine that solves secular equations."""

    @property
    def real_bytes(self) -> int:
        """Bytes of a real number."""
        return self.dtype.part.bytes

    def reals(self, f: Function) -> Lapack:
        """LAPACK's functions of real numbers."""
        return Lapack(f, self.dtype.part, self.lapack_word)

    def real_at(self, f: Function, start: Val, index: Val) -> Val:
        """The address of a real number."""
        return f.e.offset(start, index, self.elem)

    def integer_at(self, f: Function, start: Val, index: Val) -> Val:
        return f.e.offset(start, index, self.lapack_word)

    def row_from(self, f: Function, start: Val, index: Val) -> Val:
        """One of LAPACK's numbers of rows, which it counts from 1."""
        return f.e.sub(self.reals(f).integer(start, index), f.word(1))

    def numbers(self, f: Function, start: Val, index: Val) -> Val:
        """A vector of real numbers."""
        return f.e.load(self.real_at(f, start, index), self.elem, self.vector, align=self.real_bytes)

    def number_at(self, f: Function, start: Val, index: Val) -> Val:
        """One real number."""
        return f.e.load(self.real_at(f, start, index), self.elem)

    def in_all_lanes(self, f: Function, x: Val) -> Val:
        return f.e.splat(x, self.vector)

    def lanes_from(self, f: Function, first: Val) -> Val:
        """Numbers of lanes, from one on."""
        e, few = f.e, f.e.define(f"trunc {first.typed} to i32", "i32")
        return e.add(e.splat(few, self.vector), e.ramp(self.vector, "i32"))

    def below(self, f: Function, places: Val, end: Val) -> Val:
        """Which places are before an end."""
        few = f.e.define(f"trunc {end.typed} to i32", "i32")
        return f.e.icmp("slt", places, f.e.splat(few, self.vector))

    def secular_helpers(self) -> list[str]:
        """The functions that find zeros and vectors."""
        return [self._terms(), self._roots(), self._exact(), self._shape()]

    def prepare_secular(self, f: Function, given: Given) -> None:
        """Squares of weights; poles in the order in which rows are multiplied; and what stands for poles behind the
        last one, so far away that the last zero is before them."""
        e, count = f.e, given["count"]
        poles, rho = given["poles"], e.load(given["rho"], self.elem)

        def square(i: Val) -> None:
            x = self.number_at(f, given["weights"], i)
            e.store(e.fmul(x, x), self.real_at(f, given["squares"], i))
            pole = self.number_at(f, poles, self.row_from(f, given["grouped"], i))
            e.store(pole, self.real_at(f, given["placed"], i))

        f.loop(f.word(0), count, 1, square)
        last = f.variable(self.number_at(f, poles, e.sub(count, f.word(1))))
        far = e.fmul(rho, e.const(4.0, self.elem))

        def beyond(i: Val) -> None:
            e.store(e.fadd(e.load(last, self.elem), far), last)
            e.store(e.load(last, self.elem), self.real_at(f, poles, e.add(count, i)))
            e.store(e.const(0.0, self.elem), self.real_at(f, given["squares"], e.add(count, i)))

        f.loop(f.word(0), f.word(self.vector + 1), 1, beyond)

    # -- zeros of the secular equation ---------------------------------------------------------------------

    SUMS = ("before", "behind", "slope_before", "slope_behind")
    """Of the terms of poles before the zero and of those behind it, what they are together, and how that grows."""

    def _terms(self) -> str:
        """`void terms(…)`: the terms of the equation, where x is so far from an origin in each lane, whose zero is
        behind the pole of the same number."""
        f = self.function()
        e, lanes = f.e, self.vector
        poles, squares, found = (Val(f"%{name}", "ptr") for name in ("poles", "squares", "found"))
        origin, x, first = Val("%origin", self.elem, lanes), Val("%x", self.elem, lanes), Val("%first", "i64")
        own = self.lanes_from(f, first)
        zero, one = (e.const(value, self.elem, lanes) for value in (0.0, 1.0))
        sums = [f.variable(zero) for _ in self.SUMS]

        def add(i: Val) -> None:
            distance = e.fsub(e.fsub(self.in_all_lanes(f, self.number_at(f, poles, i)), origin), x)
            inverse = e.fdiv(one, distance)
            term = e.fmul(self.in_all_lanes(f, self.number_at(f, squares, i)), inverse)
            few = e.define(f"trunc {i.typed} to i32", "i32")
            is_before = e.icmp("sge", own, e.splat(few, lanes))
            for at, value in enumerate((term, e.fmul(term, inverse))):
                for slot, is_own in zip(sums[2 * at : 2 * at + 2], (True, False), strict=True):
                    part = e.select(is_before, *((value, zero) if is_own else (zero, value)))
                    e.store(e.fadd(e.load(slot, self.elem, lanes), part), slot)

        f.loop(f.word(0), Val("%count", "i64"), 1, add)
        for at, slot in enumerate(sums):
            e.store(e.load(slot, self.elem, lanes), e.offset(found, f.word(at), origin.type))
        e.line("ret void")
        vector = origin.type
        given = f"ptr %poles, ptr %squares, i64 %count, i64 %first, {vector} %origin, {vector} %x, ptr %found"
        return f.text(f"internal void @terms({given})")

    def _roots(self) -> str:
        """A vector of zeros, and how far they are from the poles: a column of `shape` in each lane."""
        f = self.function()
        e = f.e

        def find(number: Val, given: Given) -> None:
            zeros = _Zeros(self, f, number, given)
            zeros.begin()
            f.repeat(zeros.go_on, zeros.step)
            found = zeros.distance
            values = self.real_at(f, given["values"], zeros.first)
            is_own = self.below(f, zeros.own, given["count"])
            e.masked_store(e.fadd(zeros.origin, found), values, is_own, self.real_bytes)

            def row(p: Val) -> None:
                pole = self.in_all_lanes(f, self.number_at(f, given["placed"], p))
                at = self.real_at(f, given["shape"], e.add(e.mul(p, given["row"]), zeros.first))
                e.store(e.fsub(e.fsub(pole, zeros.origin), found), at, align=self.real_bytes)

            f.loop(f.word(0), given["count"], 1, row)

        return piece_text(f, "roots", PART, find)

    def terms_at(self, f: Function, given: Given, first: Val, origin: Val, x: Val) -> Mapping[str, Val]:
        """What `terms` finds."""
        found = f.room(origin.type, len(self.SUMS))
        names = passed(given["poles"], given["squares"], given["count"], first, origin, x, found)
        f.e.line(f"call void @terms({names})")
        return {
            name: f.e.load(f.e.offset(found, f.word(at), origin.type), self.elem, self.vector)
            for at, name in enumerate(self.SUMS)
        }

    def rounding(self, f: Function, x: Val) -> Val:
        """What rounding makes of a number of this size."""
        e = f.e
        return e.fmul(e.intrinsic("llvm.fabs", x), e.like(self.dtype.part.epsilon, x))

    # -- vectors -------------------------------------------------------------------------------------------

    def _exact(self) -> str:
        """A weight for which the zeros that were found are exact, in the order of rows."""
        f = self.function()
        e, lanes, elem = f.e, self.vector, self.elem

        def find(p: Val, given: Given) -> None:
            own = self.row_from(f, given["grouped"], p)
            few = e.splat(e.define(f"trunc {own.typed} to i32", "i32"), lanes)
            pole = self.in_all_lanes(f, self.number_at(f, given["placed"], p))
            one = e.const(1.0, elem, lanes)
            product = f.variable(one)
            line = self.real_at(f, given["shape"], e.mul(p, given["row"]))

            def some(j: Val) -> None:
                places = self.lanes_from(f, j)
                apart = e.fsub(pole, self.numbers(f, given["poles"], j))
                apart = e.select(e.icmp("eq", places, few), one, apart)
                factor = e.fdiv(self.numbers(f, line, j), apart)
                factor = e.select(self.below(f, places, given["count"]), factor, one)
                e.store(e.fmul(e.load(product, elem, lanes), factor), product)

            f.loop(f.word(0), given["row"], lanes, some)
            total = e.across(e.load(product, elem, lanes), e.fmul)
            size = e.intrinsic("llvm.sqrt", e.intrinsic("llvm.maxnum", e.fneg(total), e.const(0.0, elem)))
            weight = e.intrinsic("llvm.copysign", size, self.number_at(f, given["weights"], own))
            e.store(weight, self.real_at(f, given["exact"], p))

        return piece_text(f, "exact", PART, find)

    def _shape(self) -> str:
        """Of weights and distances eigenvectors, of length 1: a column in each lane."""
        f = self.function()
        e, lanes, elem = f.e, self.vector, self.elem

        def find(number: Val, given: Given) -> None:
            first = e.mul(number, f.word(lanes))
            squares = f.variable(e.const(0.0, elem, lanes))

            def place(p: Val) -> Val:
                return self.real_at(f, given["shape"], e.add(e.mul(p, given["row"]), first))

            def divide(p: Val) -> None:
                at = place(p)
                weight = self.in_all_lanes(f, self.number_at(f, given["exact"], p))
                x = e.fdiv(weight, e.load(at, elem, lanes, align=self.real_bytes))
                e.store(x, at, align=self.real_bytes)
                e.store(e.fma(x, x, e.load(squares, elem, lanes)), squares)

            f.loop(f.word(0), given["count"], 1, divide)
            length = e.intrinsic("llvm.sqrt", e.load(squares, elem, lanes))
            inverse = e.fdiv(e.const(1.0, elem, lanes), length)

            def scale(p: Val) -> None:
                at = place(p)
                e.store(e.fmul(e.load(at, elem, lanes, align=self.real_bytes), inverse), at, align=self.real_bytes)

            f.loop(f.word(0), given["count"], 1, scale)

        return piece_text(f, "shape", PART, find)


class _Zeros:
    """Zeros on their way, in each lane one, which is between the pole of the same number and the next one."""

    def __init__(self, routine: Secular, f: Function, number: Val, given: Given) -> None:
        self.routine, self.f, self.e, self.given = routine, f, f.e, given
        self.elem, self.lanes = routine.elem, routine.vector
        e, count = self.e, given["count"]
        self.first = e.mul(number, f.word(self.lanes))
        self.own = routine.lanes_from(f, self.first)
        rho = routine.in_all_lanes(f, e.load(given["rho"], self.elem))
        self.zero, self.half = self._constant(0.0), self._constant(0.5)
        self.inverse = e.fdiv(self._constant(1.0), rho)
        is_last = self._not(routine.below(f, self.own, e.sub(count, f.word(1))))
        neighbours = (self.first, e.add(self.first, f.word(1)))
        left, right = (routine.numbers(f, given["poles"], at) for at in neighbours)
        self.at_left, self.at_right = (routine.numbers(f, given["squares"], at) for at in neighbours)
        gap = e.fsub(right, left)
        middle = e.fmul(gap, e.select(is_last, self._constant(0.125), self.half))
        self.value, self.slope, _ = self._evaluated(left, middle)
        is_beyond = e.fcmp("olt", self.value, self.zero)
        # The origin is the pole that is nearer, so that distances from both are as exact as they can be.
        self.from_right = e.bit_and(is_beyond, self._not(is_last))
        last_beyond = e.bit_and(is_beyond, is_last)
        self.origin = e.select(self.from_right, right, left)
        self.to_left, self.to_right = e.fsub(left, self.origin), e.fsub(right, self.origin)
        self.nearer = e.select(self.from_right, self.at_right, self.at_left)
        low = e.select(self.from_right, e.fneg(e.fmul(gap, self.half)), e.select(last_beyond, middle, self.zero))
        most = e.select(last_beyond, e.fmul(rho, self._constant(1.0001)), middle)
        high = e.select(self.from_right, self.zero, most)
        self.low, self.high = f.variable(low), f.variable(high)
        self.x = f.variable(e.select(self.from_right, e.fsub(middle, gap), middle))
        self.done = f.variable(self._not(routine.below(f, self.own, count)))
        self.by_line = f.variable(e.const(False, "i1", self.lanes))
        """The lanes whose next step is not the middle way."""
        self.previous = f.variable(self.value)
        self.steps = f.variable(f.word(0))

    @property
    def distance(self) -> Val:
        """How far zeros are from their origins."""
        return self._now(self.x)

    def begin(self) -> None:
        """A first step, as if but two poles were near, and what all others make were the same everywhere."""
        e, now = self.e, self.distance
        before, behind = self._distances(now)
        rest = e.fsub(e.fsub(self.value, e.fdiv(self.at_left, before)), e.fdiv(self.at_right, behind))
        a = e.fadd(e.fmul(rest, e.fadd(self.to_left, self.to_right)), e.fadd(self.at_left, self.at_right))
        b = e.fmul(rest, e.fmul(self.to_left, self.to_right))
        b = e.fadd(b, e.fadd(e.fmul(self.at_left, self.to_right), e.fmul(self.at_right, self.to_left)))
        self._go(now, self._root(a, b, rest), self._line_root(now, self.value, self.slope))

    def go_on(self) -> Val:
        """Whether there is a step to go."""
        e = self.e
        all_done = e.intrinsic_across("llvm.vector.reduce.and", self._now(self.done, "i1"))
        few = e.icmp("slt", e.load(self.steps, "i64"), self.f.word(STEPS))
        return e.bit_and(few, self._not(all_done))

    def step(self) -> None:
        e, now = self.e, self.distance
        self.f.add_to(self.steps, self.f.word(1))
        value, slope, sums = self._evaluated(self.origin, now)
        size = e.fmul(self._constant(8.0), e.fsub(sums["behind"], sums["before"]))
        size = e.fadd(e.fadd(size, self.inverse), e.fmul(e.intrinsic("llvm.fabs", now), slope))
        is_zero = e.fcmp("ole", e.intrinsic("llvm.fabs", value), self.routine.rounding(self.f, size))
        is_low = e.fcmp("olt", value, self.zero)
        e.store(e.select(is_low, now, self._now(self.low)), self.low)
        e.store(e.select(is_low, self._now(self.high), now), self.high)
        self._choose(value, is_low)
        before, behind = self._distances(now)
        both = e.fmul(before, behind)
        c = e.fsub(value, e.fmul(before, sums["slope_before"]))
        c = e.fsub(c, e.fmul(behind, sums["slope_behind"]))
        a = e.fsub(e.fmul(e.fadd(before, behind), value), e.fmul(both, slope))
        middle_way = e.fadd(now, self._root(a, e.fmul(both, value), c))
        e.store(e.bit_or(self._now(self.done, "i1"), is_zero), self.done)
        still = self._go(now, middle_way, self._line_root(now, value, slope))
        e.store(e.bit_or(self._now(self.done, "i1"), still), self.done)

    def _choose(self, value: Val, is_low: Val) -> None:
        """Take the other way in lanes where a step has brought little."""
        e, last = self.e, self._now(self.previous)
        least = e.fmul(self._constant(SLOW), e.intrinsic("llvm.fabs", last))
        slow = e.fcmp("ogt", e.intrinsic("llvm.fabs", value), least)
        slow = e.bit_and(slow, self._not(e.bit_xor(is_low, e.fcmp("olt", last, self.zero))))
        e.store(e.bit_xor(self._now(self.by_line, "i1"), slow), self.by_line)
        e.store(value, self.previous)

    def _go(self, now: Val, middle_way: Val, line: Val) -> Val:
        """On to where one way leads, or the other one if that is out of bounds, or to the middle, in lanes that are not
        done; which of these hardly move."""
        e, is_line = self.e, self._now(self.by_line, "i1")
        low, high = self._now(self.low), self._now(self.high)
        new = e.fmul(e.fadd(low, high), self.half)
        for way in (e.select(is_line, middle_way, line), e.select(is_line, line, middle_way)):
            is_inside = e.bit_and(e.fcmp("ogt", way, low), e.fcmp("olt", way, high))
            new = e.select(is_inside, way, new)
        apart = e.intrinsic("llvm.fabs", e.fsub(new, now))
        e.store(e.select(self._now(self.done, "i1"), now, new), self.x)
        return e.fcmp("ole", apart, self.routine.rounding(self.f, now))

    def _root(self, a: Val, b: Val, c: Val) -> Val:
        """The root of c x² - a x + b that is between the poles."""
        e, two = self.e, self._constant(2.0)
        inside = e.fsub(e.fmul(a, a), e.fmul(self._constant(4.0), e.fmul(b, c)))
        length = e.intrinsic("llvm.sqrt", e.intrinsic("llvm.maxnum", inside, self.zero))
        is_low = e.fcmp("ole", a, self.zero)
        above = e.select(is_low, e.fsub(a, length), e.fmul(two, b))
        return e.fdiv(above, e.select(is_low, e.fmul(two, c), e.fadd(a, length)))

    def _line_root(self, now: Val, value: Val, slope: Val) -> Val:
        """Where the term of the nearer pole and a line for all others are zero together."""
        e, two = self.e, self._constant(2.0)
        own_term = e.fdiv(self.nearer, now)
        rise = e.intrinsic("llvm.maxnum", e.fsub(slope, e.fdiv(own_term, now)), self.zero)
        start = e.fsub(e.fadd(value, own_term), e.fmul(rise, now))
        start = e.select(self.from_right, e.fneg(start), start)
        inside = e.fadd(e.fmul(start, start), e.fmul(e.fmul(self._constant(4.0), rise), self.nearer))
        length = e.intrinsic("llvm.sqrt", inside)
        is_high = e.fcmp("ogt", start, self.zero)
        above = e.select(is_high, e.fmul(two, self.nearer), e.fsub(length, start))
        root = e.fdiv(above, e.select(is_high, e.fadd(start, length), e.fmul(two, rise)))
        return e.select(self.from_right, e.fneg(root), root)

    def _evaluated(self, origin: Val, x: Val) -> tuple[Val, Val, Mapping[str, Val]]:
        """What is to be zero, how it grows, and the sums that both are of."""
        e, sums = self.e, self.routine.terms_at(self.f, self.given, self.first, origin, x)
        value = e.fadd(self.inverse, e.fadd(sums["before"], sums["behind"]))
        return value, e.fadd(sums["slope_before"], sums["slope_behind"]), sums

    def _distances(self, now: Val) -> tuple[Val, Val]:
        """From the zeros to the poles on both sides."""
        return self.e.fsub(self.to_left, now), self.e.fsub(self.to_right, now)

    def _now(self, slot: Val, elem: str = "") -> Val:
        return self.e.load(slot, elem or self.elem, self.lanes)

    def _constant(self, value: float) -> Val:
        return self.e.const(value, self.elem, self.lanes)

    def _not(self, x: Val) -> Val:
        return self.e.bit_xor(x, self.e.like(True, x))
