"""Short lines side by side: a vector holds one part of the same number of as many lines.

    void short(ptr source, ptr target, i64 lines, real sign, real scale)

transforms some lines that follow one another, at least as many as `together` says. They are turned in squares on their
way into registers and out of them, and a transform is straight code in between, in which real and imaginary parts are
vectors of their own: it has no turns of lanes, and what is known to be real costs half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, pi, sin, sqrt

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.turns import BYTES, Floats, by_opposites
from rosin.backends.llvm.squares import transposed
from rosin.ir.dataclass import dataclass
from rosin.ir.ops.fourier import SHORT_LENGTH, is_smooth

MOST_WIDE = 48
"""Lines of complex numbers of two words each."""
MANY = 64
"""So many lines pay for code of their own."""

Parts = tuple[Val, Val | None]
"""Real and imaginary parts of a number of each line; real numbers have no imaginary ones."""


def rows(kind: str, length: int) -> tuple[int, int]:
    """How many real numbers there are in a line, before its transform and after."""
    half = 2 * (length // 2 + 1)
    return {"dft": (2 * length, 2 * length), "realdft": (length, half), "halfdft": (half, length)}[kind]


def together(kind: str, length: int, elem: str, vector_bytes: int) -> int:
    """How many lines go together: as many as a vector has lanes, if lines are as long; 0 or 1 where it does not pay."""
    lanes = vector_bytes // BYTES[elem]
    while lanes > min(rows(kind, length)):
        lanes //= 2
    most = MOST_WIDE if kind == "dft" and elem == "double" else SHORT_LENGTH
    return lanes if length <= most and is_smooth(length) else 0


def short_text(name: str, kind: str, length: int, elem: str, vector_bytes: int) -> str:
    """The module of the function called `name` for one kind of transform and one length."""
    return _Short(kind, length, elem, together(kind, length, elem, vector_bytes)).text(name)


class Lines:
    """Transforms of lines, of which there are as many as a vector has lanes.

    A transform turns backwards; it turns the other way for conjugates, between conjugates: imaginary parts are
    multiplied by `mirror` before, and by `scaled_mirror` after it.
    """

    def __init__(self, e: Floats, kind: str, length: int, scale: Val, mirror: Val) -> None:
        self.e, self.kind, self.length = e, kind, length
        self.scale, self.mirror = scale, mirror
        self.scaled_mirror = e.fmul(mirror, scale)

    def given(self, numbers: Sequence[Val]) -> list[Parts]:
        """The points of a transform whose results are those of the lines, from the numbers of a line as they lie."""
        e, length = self.e, self.length
        if self.kind == "realdft":
            return [(x, None) for x in numbers]
        half = [(re, im) for re, im in zip(numbers[::2], numbers[1::2], strict=True)]
        if self.kind == "dft":
            return [(re, e.fmul(im, self.mirror)) for re, im in half]
        # The transform of the conjugates has the same real parts, and no others.
        found: dict[int, Parts] = {0: (half[0][0], None)}
        for k in range(1, length // 2 + 1):
            found[length - k] = half[k]
            found[k] = Points(e).conj(half[k]) if 2 * k != length else (half[k][0], None)
        return [found[k] for k in range(length)]

    def scaled(self, results: Sequence[Parts]) -> list[Val]:
        """The numbers of a line, as they are to lie, from the results of that transform."""
        e, found = self.e, list[Val]()
        if self.kind == "halfdft":
            return [e.fmul(re, self.scale) for re, _ in results]
        for re, im in results[: self.length // 2 + 1] if self.kind == "realdft" else results:
            zero = e.like(0.0, self.scale)
            found += [e.fmul(re, self.scale), zero if im is None else e.fmul(im, self.scaled_mirror)]
        return found


class _Short:
    """The function as text of LLVM, for processors of any kind."""

    def __init__(self, kind: str, length: int, elem: str, lanes: int) -> None:
        self.kind, self.length, self.elem, self.lanes = kind, length, elem, lanes
        self.declarations: set[str] = set()
        self.f = Function(self.declarations)

    def text(self, name: str) -> str:
        f, e, lines = self.f, self.f.e, Val("%lines", "i64")
        sign, scale = (Val(f"%{part}", self.elem) for part in ("sign", "scale"))
        both = (e.splat(scale, self.lanes), e.splat(e.fneg(sign), self.lanes))
        transforms = Lines(e, self.kind, self.length, *both)
        final = e.sub(lines, f.word(self.lanes))

        def group(line: Val) -> None:
            before, after = rows(self.kind, self.length)
            # The last lines are done with some of those before, which become the same again.
            line = e.intrinsic("llvm.smin", line, final)
            points = transforms.given(self._read(line, before))
            self._write(line, after, transforms.scaled(Points(e).transform(points)))

        f.loop(f.word(0), lines, self.lanes, group)
        e.line("ret void")
        given = f"ptr noalias %source, ptr noalias %target, {lines.typed}, {sign.typed}, {scale.typed}"
        return "\n".join([*sorted(self.declarations), "", f.text(f"void @{name}({given})")])

    def _squares(self, line: Val, array: str, row: int, square: Callable[[int, list[Val]], None]) -> None:
        """The body for the first column of each square, and where its rows begin; the last one may overlap another."""
        f, e = self.f, self.f.e
        start = e.offset(Val(array, "ptr"), e.mul(line, f.word(row)), self.elem)
        for column in range(0, row, self.lanes):
            first = min(column, row - self.lanes)
            square(first, [e.offset(start, f.word(k * row + first), self.elem) for k in range(self.lanes)])

    def _read(self, line: Val, row: int) -> list[Val]:
        e, align, found = self.f.e, BYTES[self.elem], dict[int, Val]()

        def square(first: int, places: list[Val]) -> None:
            vectors = transposed(e, [e.load(place, self.elem, self.lanes, align=align) for place in places])
            found.update({first + k: vector for k, vector in enumerate(vectors)})

        self._squares(line, "%source", row, square)
        return [found[k] for k in range(row)]

    def _write(self, line: Val, row: int, numbers: Sequence[Val]) -> None:
        e, align = self.f.e, BYTES[self.elem]

        def square(first: int, places: list[Val]) -> None:
            vectors = transposed(e, numbers[first : first + self.lanes])
            for vector, place in zip(vectors, places, strict=True):
                e.store(vector, place, align=align)

        self._squares(line, "%target", row, square)


@dataclass(frozen=True)
class Points:
    """Transforms of a few points, each of them vectors, by angles that turn backwards."""

    e: Floats

    def conj(self, x: Parts) -> Parts:
        return x[0], None if x[1] is None else self.e.fneg(x[1])

    def add(self, x: Parts, y: Parts) -> Parts:
        return self.e.fadd(x[0], y[0]), self._sum(x[1], y[1])

    def sub(self, x: Parts, y: Parts) -> Parts:
        return self.e.fsub(x[0], y[0]), self._difference(x[1], y[1])

    def _sum(self, a: Val | None, b: Val | None) -> Val | None:
        return b if a is None else a if b is None else self.e.fadd(a, b)

    def _difference(self, a: Val | None, b: Val | None) -> Val | None:
        return a if b is None else self.e.fneg(b) if a is None else self.e.fsub(a, b)

    def add_turned(self, x: Parts, y: Parts) -> Parts:
        """`x - i y`: y turned by a right angle, backwards."""
        re = x[0] if y[1] is None else self.e.fadd(x[0], y[1])
        return re, self._difference(x[1], y[0])

    def sub_turned(self, x: Parts, y: Parts) -> Parts:
        re = x[0] if y[1] is None else self.e.fsub(x[0], y[1])
        return re, self._sum(x[1], y[0])

    def scaled(self, x: Parts, by: float) -> Parts:
        e = self.e
        return e.fmul(x[0], e.like(by, x[0])), None if x[1] is None else e.fmul(x[1], e.like(by, x[1]))

    def turned(self, x: Parts, k: int, n: int) -> Parts:
        """A number turned by k of n parts of a circle, which are less than half of one."""
        e, (re, im) = self.e, x
        if k == 0:
            return x
        if 4 * k == n:
            return (e.like(0.0, re) if im is None else im), e.fneg(re)
        if 8 * k == n:
            return self.scaled(self.add_turned(x, x), sqrt(0.5))
        if 8 * k == 3 * n:
            return self.scaled(self.sub_turned(x, x), -sqrt(0.5))
        cosine, sine = e.like(cos(2 * pi * k / n), re), e.like(sin(2 * pi * k / n), re)
        if im is None:
            return e.fmul(re, cosine), e.fneg(e.fmul(re, sine))
        return e.fma(im, sine, e.fmul(re, cosine)), e.fma(e.fneg(re), sine, e.fmul(im, cosine))

    def transform(self, xs: Sequence[Parts]) -> list[Parts]:
        count = len(xs)
        if count == 1:
            return list(xs)
        if count == 2:
            return [self.add(*xs), self.sub(*xs)]
        if count == 4:
            return self._four(xs)
        least = next((p for p in (4, 2, 3, 5, 7) if count % p == 0 and p < count), None)
        return by_opposites(self, xs) if least is None else self._split(xs, least)

    def _four(self, xs: Sequence[Parts]) -> list[Parts]:
        a, b, c, d = xs
        even, odd, left, right = self.add(a, c), self.sub(a, c), self.add(b, d), self.sub(b, d)
        return [self.add(even, left), self.add_turned(odd, right), self.sub(even, left), self.sub_turned(odd, right)]

    def _split(self, xs: Sequence[Parts], a: int) -> list[Parts]:
        """By lines of `a` points, and across these. Of real numbers, half of the results are conjugates of others."""
        count, real = len(xs), all(im is None for _, im in xs)
        b = count // a
        columns = [self.transform(xs[k::b]) for k in range(b)]
        found: dict[int, Parts] = {}
        for j in range(a // 2 + 1 if real else a):
            row = [self._turned_on(columns[k][j], j * k, count) for k in range(b)]
            for i, y in enumerate(self.transform(row)):
                found[j + a * i] = y
                if real and j:
                    found[count - j - a * i] = self.conj(y)
        return [found[j] for j in range(count)]

    def _turned_on(self, x: Parts, k: int, n: int) -> Parts:
        """As `turned`, by any angle less than a circle."""
        if 2 * k < n:
            return self.turned(x, k, n)
        re, im = self.turned(x, k - n // 2, n) if n % 2 == 0 else self.turned(x, 2 * k - n, 2 * n)
        return self.e.fneg(re), None if im is None else self.e.fneg(im)

    def plus(self, total: Parts | None, x: Parts, by: float) -> Parts:
        """A sum and one more number times a factor."""
        if total is None:
            return self.scaled(x, by)
        e, factor = self.e, self.e.like(by, x[0])
        re = e.fma(x[0], factor, total[0])
        if x[1] is None:
            return re, total[1]
        return re, e.fmul(x[1], factor) if total[1] is None else e.fma(x[1], factor, total[1])
