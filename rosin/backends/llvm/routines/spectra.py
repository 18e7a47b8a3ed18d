"""What stands around transforms of complex lines: products with a table, and lines of real numbers as complex ones.

    void multiply(ptr source, ptr target, ptr table, i64 count, i64 in, i64 out, real pre, real post, real scale)
    void apart(ptr source, ptr target, i64 half, ptr table)
    void together(ptr source, ptr target, i64 half, ptr table)
    void widen(ptr source, ptr target, i64 count)
    void mirror(ptr source, ptr target, i64 length)
    void narrow(ptr source, ptr target, i64 count)
    void widen_across(ptr source, ptr target, i64 length, i64 count)

`apart` makes half + 1 numbers of the transform of a real line out of the transform of half as many complex numbers,
which are its neighbours in twos, and `together` goes back. The others are for lines of odd length: `widen` makes real
numbers complex, `narrow` takes real parts, and `mirror` makes a whole transform of the half that is known of it.
`widen_across` makes of `count` lines complex ones that lie across, and `mirror_across` too; `narrow_across` makes of
such lines real ones, and `halve_across` halves of transforms, both of which are neighbours.
"""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.turns import BYTES, Turns, alternating, directed, pairs, read, shuffled, write
from rosin.ir.ops.fourier import GROUP


def block_extent(f: Function, number: Val, block: Val, total: Val) -> tuple[Val, Val]:
    """The first line of a block of so many, and how many it has: `GROUP` at least, where there are as many in total.

    For that the last block may have some of those of the one before.
    """
    e = f.e
    latest = e.intrinsic("llvm.smax", e.sub(total, f.word(GROUP)), f.word(0))
    begin = e.mul(number, block)
    end = e.add(begin, block)
    first = e.intrinsic("llvm.smin", begin, latest)
    after = e.select(e.icmp("sge", end, total), total, e.intrinsic("llvm.smin", end, latest))
    return first, e.sub(after, first)


def spectra_makers(elem: str, width: int, declarations: set[str]) -> dict[str, Callable[[], str]]:
    """What writes the functions, by their names, for vectors of `width` complex numbers."""
    spectra = _Spectra(elem, width, declarations)
    return {
        "multiply": spectra.multiply,
        "apart": lambda: spectra.halves("apart", 1),
        "together": lambda: spectra.halves("together", -1),
        "widen": spectra.widen,
        "mirror": spectra.mirror,
        "narrow": spectra.narrow,
        "widen_across": spectra.widen_across,
        "mirror_across": spectra.mirror_across,
        "narrow_across": spectra.narrow_across,
        "halve_across": spectra.halve_across,
    }


class _Spectra:
    def __init__(self, elem: str, width: int, declarations: set[str]) -> None:
        self.elem, self.width, self.declarations = elem, width, declarations
        self.source, self.target, self.table = (Val(f"%{name}", "ptr") for name in ("source", "target", "table"))
        self.count = Val("%count", "i64")

    def _read(self, e: Emitter, array: Val, place: Val, width: int) -> Val:
        return read(e, array, place, self.elem, width)

    def _mirrored(self, e: Emitter, x: Val) -> Val:
        """The conjugates in the opposite order."""
        width = x.lanes // 2
        turned = shuffled(e, x, None, pairs(range(width)[::-1])) if width > 1 else x
        return e.fmul(turned, alternating(1, -1, self.elem, width))

    def multiply(self) -> str:
        """Before and after the product, imaginary parts are multiplied by `pre` and `post`."""
        f = Function(self.declarations, plain=True)
        e, one = f.e, f.word(1)
        step_in, step_out = Val("%in", "i64"), Val("%out", "i64")
        pre, post, scale = (Val(f"%{name}", self.elem) for name in ("pre", "post", "scale"))

        def mask(even: Val, odd: Val, width: int) -> Val:
            lanes = [lane % 2 for lane in range(2 * width)]
            return shuffled(e, e.splat(even, 2), e.splat(odd, 2), [2 * lane for lane in lanes])

        def some(begin: Val, end: Val, width: int) -> None:
            turns = Turns(e, directed(e, e.const(1, self.elem), width))
            before, after = mask(e.const(1, self.elem), pre, width), mask(scale, e.fmul(scale, post), width)

            def product(place: Val) -> None:
                x = e.fmul(self._read(e, self.source, e.mul(place, step_in), width), before)
                factors = turns.factors(self._read(e, self.table, place, width))
                write(e, e.fmul(turns.times(x, *factors), after), self.target, e.mul(place, step_out))

            f.loop(begin, end, width, product)

        flat = e.bit_and(e.icmp("eq", step_in, one), e.icmp("eq", step_out, one))
        whole = e.select(flat, e.bit_and(self.count, f.word(-self.width)), f.word(0))
        some(f.word(0), whole, self.width)
        some(whole, self.count, 1)
        e.line("ret void")
        given = f"ptr %source, ptr %target, ptr %table, i64 %count, i64 %in, i64 %out, {pre.typed}, {post.typed}"
        return f.text(f"internal void @multiply({given}, {scale.typed})")

    def halves(self, name: str, sign: int) -> str:
        """`apart` and `together`, which differ in the direction of the factors, and in the ends."""
        f = Function(self.declarations, plain=True)
        e, one, half = f.e, f.word(1), Val("%half", "i64")
        self._ends(f, name, half)

        def some(begin: Val, end: Val, width: int) -> None:
            turns = Turns(e, directed(e, e.const(sign, self.elem), width))

            def pair(k: Val) -> None:
                other = e.sub(e.sub(half, k), f.word(width - 1))
                low = self._read(e, self.source, k, width)
                high = self._mirrored(e, self._read(e, self.source, other, width))
                along, across = e.fadd(low, high), e.fsub(low, high)
                turned = turns.times(across, *turns.factors(self._read(e, self.table, k, width)))
                write(e, e.fadd(along, turned), self.target, k)
                write(e, self._mirrored(e, e.fsub(along, turned)), self.target, other)

            f.loop(begin, end, width, pair)

        # Vectors as long as they do not meet those that come from the other end.
        apart = e.lshr(e.sub(half, one), one)
        whole = e.add(e.bit_and(apart, f.word(-self.width)), one)
        some(one, whole, self.width)
        some(whole, e.add(e.lshr(half, one), one), 1)
        e.line("ret void")
        return f.text(f"internal void @{name}(ptr %source, ptr %target, i64 %half, ptr %table)")

    def _ends(self, f: Function, name: str, half: Val) -> None:
        """The first and the last number, which are real."""
        e, first = f.e, f.word(0)

        def part(array: Val, place: Val, number: int) -> Val:
            return e.offset(e.offset(array, place, f"[2 x {self.elem}]"), f.word(number), self.elem)

        if name == "apart":
            x, y = (e.load(part(self.source, first, i), self.elem) for i in range(2))
            two, zero = e.const(2, self.elem), e.const(0, self.elem)
            made = ((e.fmul(e.fadd(x, y), two), first), (e.fmul(e.fsub(x, y), two), half))
            for value, place in made:
                e.store(value, part(self.target, place, 0))
                e.store(zero, part(self.target, place, 1))
        else:
            x, y = (e.load(part(self.source, place, 0), self.elem) for place in (first, half))
            for number, value in enumerate((e.fadd(x, y), e.fsub(x, y))):
                e.store(value, part(self.target, first, number))

    def widen(self) -> str:
        f = Function(self.declarations, plain=True)
        e = f.e

        def some(place: Val, width: int) -> None:
            x = e.load(e.offset(self.source, place, self.elem), self.elem, width, align=BYTES[self.elem])
            if width == 1:
                x = e.splat(x, 2)
                lanes = [0, 2]
            else:
                lanes = [lane for i in range(width) for lane in (i, width + i)]
            write(e, shuffled(e, x, e.like(0, x), lanes), self.target, place)

        f.each(self.count, self.width, some)
        e.line("ret void")
        return f.text("internal void @widen(ptr %source, ptr %target, i64 %count)")

    def narrow(self) -> str:
        f = Function(self.declarations, plain=True)
        e = f.e

        def some(place: Val, width: int) -> None:
            x = self._read(e, self.source, place, width)
            if width == 1:
                real = e.define(f"extractelement {x.typed}, i64 0", self.elem)
            else:
                real = shuffled(e, x, None, range(0, 2 * width, 2))
            e.store(real, e.offset(self.target, place, self.elem), align=BYTES[self.elem])

        f.each(self.count, self.width, some)
        e.line("ret void")
        return f.text("internal void @narrow(ptr %source, ptr %target, i64 %count)")

    def mirror(self) -> str:
        """For a line of odd length. The imaginary part of number 0 is taken for zero."""
        f = Function(self.declarations, plain=True)
        e, length = f.e, Val("%length", "i64")
        zeroth = self._read(e, self.source, f.word(0), 1)
        write(e, e.fmul(zeroth, alternating(1, 0, self.elem, 1)), self.target, f.word(0))

        def some(place: Val, width: int) -> None:
            k = e.add(place, f.word(1))
            x = self._read(e, self.source, k, width)
            write(e, x, self.target, k)
            write(e, self._mirrored(e, x), self.target, e.sub(length, e.add(place, f.word(width))))

        f.each(e.lshr(length, f.word(1)), self.width, some)
        e.line("ret void")
        return f.text("internal void @mirror(ptr %source, ptr %target, i64 %length)")

    # -- several lines that lie across -------------------------------------------------------------------------

    def _numbers(self, name: str, half: bool, one: Callable[[Function, Val, Val, Val], None]) -> str:
        """A function that does `one` for every number of every line, or for those of the first half: given the line,
        the number in it, and the place of both where lines lie across.
        """
        f, length = Function(self.declarations, plain=True), Val("%length", "i64")
        count = f.e.add(f.e.lshr(length, f.word(1)), f.word(1)) if half else length

        def line(number: Val) -> None:
            start = f.e.mul(number, count)

            def at(place: Val) -> None:
                one(f, f.e.add(start, place), place, f.e.add(f.e.mul(place, self.count), number))

            f.loop(f.word(0), count, 1, at)

        f.loop(f.word(0), self.count, 1, line)
        f.e.line("ret void")
        return f.text(f"internal void @{name}_across(ptr %source, ptr %target, i64 %length, i64 %count)")

    def widen_across(self) -> str:
        def one(f: Function, beside: Val, place: Val, across: Val) -> None:
            x = f.e.splat(f.e.load(f.e.offset(self.source, beside, self.elem), self.elem), 2)
            write(f.e, shuffled(f.e, x, f.e.like(0, x), [0, 2]), self.target, across)

        return self._numbers("widen", False, one)

    def halve_across(self) -> str:
        def one(f: Function, beside: Val, place: Val, across: Val) -> None:
            write(f.e, self._read(f.e, self.source, across, 1), self.target, beside)

        return self._numbers("halve", True, one)

    def narrow_across(self) -> str:
        def one(f: Function, beside: Val, place: Val, across: Val) -> None:
            real = f.e.load(f.e.offset(self.source, across, f"[2 x {self.elem}]"), self.elem)
            f.e.store(real, f.e.offset(self.target, beside, self.elem))

        return self._numbers("narrow", False, one)

    def mirror_across(self) -> str:
        """The imaginary part of number 0 is taken for zero."""

        def one(f: Function, beside: Val, place: Val, across: Val) -> None:
            e, length = f.e, Val("%length", "i64")
            x = self._read(e, self.source, beside, 1)
            first = e.icmp("eq", place, f.word(0))

            def zeroth() -> None:
                write(e, e.fmul(x, alternating(1, 0, self.elem, 1)), self.target, across)

            def other() -> None:
                write(e, x, self.target, across)
                line = e.sub(across, e.mul(place, self.count))
                there = e.add(e.mul(e.sub(length, place), self.count), line)
                write(e, self._mirrored(e, x), self.target, there)

            f.when(first, zeroth, other)

        return self._numbers("mirror", True, one)
