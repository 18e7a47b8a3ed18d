"""Vectors of complex numbers in registers: pairs of neighbouring lanes, and their transforms of a few points.

The direction of a transform is a number that the code is given: every turn by an angle is multiplied by it, so that
one code serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from typing import Protocol, TypeVar

from rosin.backends.llvm.emit import Emitter, Val, float_text
from rosin.backends.llvm.squares import Shuffles

T = TypeVar("T")

BYTES = {"float": 4, "double": 8}
"""Of a part of a complex number."""


def shuffled(e: Emitter, a: Val, b: Val | None, lanes: Sequence[int]) -> Val:
    """A vector of some lanes of `a`, and of `b`, whose lanes are counted on from those of `a`."""
    other = f"{a.type} poison" if b is None else b.typed
    mask = ", ".join(f"i32 {lane}" for lane in lanes)
    return e.define(f"shufflevector {a.typed}, {other}, <{len(lanes)} x i32> <{mask}>", a.elem, len(lanes))


def pairs(lanes: Sequence[int]) -> list[int]:
    """The lanes of the parts of complex numbers."""
    return [part for lane in lanes for part in (2 * lane, 2 * lane + 1)]


def alternating(even: float, odd: float, elem: str, width: int) -> Val:
    """A constant vector of so many complex numbers."""
    pair = f"{elem} {float_text(even, elem)}, {elem} {float_text(odd, elem)}"
    return Val("<" + ", ".join([pair] * width) + ">", elem, 2 * width)


def read(e: Emitter, array: Val, place: Val, elem: str, width: int) -> Val:
    """So many complex numbers from a place of an array of them on."""
    pointer = e.offset(array, place, f"[2 x {elem}]")
    return e.load(pointer, elem, 2 * width, align=BYTES[elem])


def write(e: Emitter, value: Val, array: Val, place: Val) -> None:
    e.store(value, e.offset(array, place, f"[2 x {value.elem}]"), align=BYTES[value.elem])


def directed(e: Emitter, sign: Val, width: int) -> Val:
    """What `Turns` are made of that turn in the direction `sign`, which is 1 or -1."""
    return e.fmul(e.splat(sign, 2 * width), alternating(-1, 1, sign.elem, width))


class Floats(Shuffles, Protocol):
    """What emits arithmetic of vectors of floats: an `Emitter`, or what writes lines of the assembler (vectors.py)."""

    def fadd(self, a: Val, b: Val, /) -> Val: ...
    def fsub(self, a: Val, b: Val, /) -> Val: ...
    def fmul(self, a: Val, b: Val, /) -> Val: ...
    def fma(self, a: Val, b: Val, c: Val, /) -> Val: ...
    def fneg(self, a: Val, /) -> Val: ...
    def like(self, value: float, x: Val, /) -> Val: ...


class Turns:
    """Arithmetic of vectors of complex numbers, turned in a direction.

    The swapped parts of a number are multiplied by `forth` to turn it by a right angle.
    """

    def __init__(self, e: Floats, forth: Val) -> None:
        self.e, self.forth = e, forth
        self.width = forth.lanes // 2
        self.back = e.fneg(self.forth)
        self.sines: dict[tuple[int, int], Val] = {}

    def prepare(self, radix: int) -> None:
        """Make what transforms of so many points need, at a place before all of them."""
        for a, b in _splits(radix):
            for k in range(a * b):
                self._sine(k, a * b)

    def _sine(self, k: int, n: int) -> Val:
        if (k, n) not in self.sines:
            self.sines[k, n] = self.e.fmul(self.forth, self.e.like(sin(2 * pi * k / n), self.forth))
        return self.sines[k, n]

    def swap(self, x: Val) -> Val:
        """The numbers with their parts exchanged."""
        return self.e.shuffle(x, x, [lane ^ 1 for lane in range(x.lanes)])

    def add_turned(self, a: Val, b: Val) -> Val:
        """`a + i b`, in the direction."""
        return self.e.fma(self.swap(b), self.forth, a)

    def sub_turned(self, a: Val, b: Val) -> Val:
        return self.e.fma(self.swap(b), self.back, a)

    def times(self, x: Val, cosine: Val, sine: Val) -> Val:
        """A product by numbers whose cosine is in both lanes of a pair, and whose sine is times `forth`."""
        return self.e.fma(self.swap(x), sine, self.e.fmul(x, cosine))

    def factors(self, x: Val) -> tuple[Val, Val]:
        """What `times` takes for the products by numbers as they lie in memory."""
        cosine, sine = (self.e.shuffle(x, x, [lane & ~1 | part for lane in range(x.lanes)]) for part in range(2))
        return cosine, self.e.fmul(sine, self.forth)

    def turned(self, x: Val, k: int, n: int) -> Val:
        """The numbers turned by k of n parts of a circle."""
        e, eighth = self.e, 8 * k // n if 8 * k % n == 0 else None
        if k == 0:
            return x
        if eighth == 2:
            return e.fmul(self.swap(x), self.forth)
        if eighth == 1:
            return e.fmul(self.add_turned(x, x), e.like(cos(pi / 4), x))
        if eighth == 3:
            return e.fmul(self.sub_turned(x, x), e.like(-cos(pi / 4), x))
        return self.times(x, e.like(cos(2 * pi * k / n), x), self._sine(k, n))

    def transform(self, xs: Sequence[Val]) -> list[Val]:
        """The discrete Fourier transform of a few points, lane by lane."""
        count = len(xs)
        if count == 1:
            return list(xs)
        if count == 2:
            return [self.e.fadd(*xs), self.e.fsub(*xs)]
        if count == 4:
            return self._four(xs)
        if count % 2:
            return by_opposites(self, xs)
        a, b = _factors(count)
        columns = [self.transform(xs[k::b]) for k in range(b)]
        result: dict[int, Val] = {}
        for j in range(a):
            row = [self.turned(columns[k][j], j * k, count) for k in range(b)]
            for i, y in enumerate(self.transform(row)):
                result[j + a * i] = y
        return [result[j] for j in range(count)]

    def _four(self, xs: Sequence[Val]) -> list[Val]:
        e, (a, b, c, d) = self.e, xs
        even, odd, left, right = e.fadd(a, c), e.fsub(a, c), e.fadd(b, d), e.fsub(b, d)
        return [e.fadd(even, left), self.add_turned(odd, right), e.fsub(even, left), self.sub_turned(odd, right)]

    def add(self, a: Val, b: Val) -> Val:
        return self.e.fadd(a, b)

    def sub(self, a: Val, b: Val) -> Val:
        return self.e.fsub(a, b)

    def plus(self, total: Val | None, x: Val, by: float) -> Val:
        """A sum and one more number times a factor."""
        factor = self.e.like(by, x)
        return self.e.fmul(x, factor) if total is None else self.e.fma(x, factor, total)


class Arithmetic(Protocol[T]):
    """What a transform of a few points, each a T, is made of."""

    def add(self, a: T, b: T, /) -> T: ...
    def sub(self, a: T, b: T, /) -> T: ...
    def add_turned(self, a: T, b: T, /) -> T: ...
    def sub_turned(self, a: T, b: T, /) -> T: ...
    def plus(self, total: T | None, x: T, by: float, /) -> T: ...


def by_opposites(on: Arithmetic[T], xs: Sequence[T]) -> list[T]:
    """The transform of an odd number of points, by sums and differences of those that lie opposite to each other."""
    count, half = len(xs), range(1, len(xs) // 2 + 1)
    sums, differences = dict[int, T](), dict[int, T]()
    for k in half:
        sums[k], differences[k] = on.add(xs[k], xs[count - k]), on.sub(xs[k], xs[count - k])
    total = xs[0]
    for k in half:
        total = on.add(total, sums[k])
    found: dict[int, T] = {0: total}
    for j in half:
        along, across = xs[0], None
        for k in half:
            angle = 2 * pi * (j * k % count) / count
            along = on.plus(along, sums[k], cos(angle))
            across = on.plus(across, differences[k], sin(angle))
        assert across is not None
        found[j], found[count - j] = on.add_turned(along, across), on.sub_turned(along, across)
    return [found[j] for j in range(count)]


def _factors(count: int) -> tuple[int, int]:
    """Two factors of the number of points that a transform is made of."""
    a = 4 if count % 4 == 0 else 2
    return a, count // a


def _splits(count: int) -> list[tuple[int, int]]:
    """The factors of a transform and of those that it is made of."""
    if count in (1, 2, 4) or count % 2:
        return []
    a, b = _factors(count)
    return [(a, b), *_splits(a), *_splits(b)]
