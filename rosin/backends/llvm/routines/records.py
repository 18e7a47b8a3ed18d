"""Arrays of records in native code: each part of a record is in an array of its own."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from rosin.backends.llvm.emit import Emitter, Val
from rosin.ir.dataclass import dataclass

BYTES = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "float": 4, "double": 8}

FLOATS = ("float", "double")

CHUNK = 1 << 17
"""An array of more records is sorted in chunks of so many (chunks.py)."""


@dataclass(frozen=True)
class Records:
    """Records of one or two parts, of these LLVM types, in vectors of so many lanes.

    They are compared by the first part, as signed integers or as floats, none of which is a NaN, and where that ties by
    the second, if there is one.
    """

    parts: tuple[str, ...]
    lanes: int

    @property
    def bytes(self) -> int:
        return sum(BYTES[part] for part in self.parts)

    @property
    def last(self) -> tuple[float, ...]:
        """The parts of a record that no other comes after."""
        return tuple(inf if part in FLOATS else (1 << (8 * BYTES[part] - 1)) - 1 for part in self.parts)

    @property
    def first(self) -> tuple[float, ...]:
        """The parts of a record that no other comes before."""
        return tuple(-inf if part in FLOATS else -1 << 8 * BYTES[part] - 1 for part in self.parts)

    def pointers(self, *names: str) -> list[list[Val]]:
        """The addresses of the parts of each array, as parameters of a function."""
        return [[Val(f"%{name}{number}", "ptr") for number in range(len(self.parts))] for name in names]

    def parameters(self, *names: str) -> str:
        return ", ".join(p.typed for array in self.pointers(*names) for p in array)

    def at(self, e: Emitter, array: Sequence[Val], place: Val) -> list[Val]:
        """The addresses of the parts of a record."""
        return [e.offset(p, place, part) for p, part in zip(array, self.parts, strict=True)]

    def load(self, e: Emitter, array: Sequence[Val], place: Val, lanes: int) -> tuple[Val, ...]:
        places = zip(self.at(e, array, place), self.parts, strict=True)
        return tuple(e.load(p, part, lanes, align=BYTES[part]) for p, part in places)

    def store(self, e: Emitter, record: Sequence[Val], array: Sequence[Val], place: Val) -> None:
        for value, p in zip(record, self.at(e, array, place), strict=True):
            e.store(value, p, align=BYTES[value.elem])


def texts(*values: Val) -> str:
    """Arguments of a call."""
    return ", ".join(v.typed for v in values)


def places_from(e: Emitter, place: Val, lanes: int) -> Val:
    """So many neighbouring places from one on."""
    if lanes == 1:
        return place
    steps = ", ".join(f"i64 {lane}" for lane in range(lanes))
    return e.add(e.splat(place, lanes), Val(f"<{steps}>", "i64", lanes))


def inside(e: Emitter, place: Val, count: Val, lanes: int) -> Val:
    """The lanes of a vector that begins at a place which are below a count."""
    return e.icmp("slt", places_from(e, place, lanes), e.splat(count, lanes))


def counted(e: Emitter, mask: Val) -> Val:
    """How many lanes a mask has, as an i64."""
    bits = e.define(f"bitcast {mask.typed} to i{mask.lanes}", f"i{mask.lanes}")
    return e.convert("zext", e.intrinsic("llvm.ctpop", bits), "i64")


def is_less(e: Emitter, x: Val, y: Val) -> Val:
    """Where one part of a record is less than another."""
    return e.fcmp("olt", x, y) if x.elem in FLOATS else e.icmp("slt", x, y)


def lesser(e: Emitter, x: Val, y: Val) -> Val:
    return e.select(is_less(e, x, y), x, y) if x.elem in FLOATS else e.intrinsic("llvm.smin", x, y)


def greater(e: Emitter, x: Val, y: Val) -> Val:
    """Of floats that tie, such as zeros, this is the one that `lesser` is not."""
    return e.select(is_less(e, x, y), y, x) if x.elem in FLOATS else e.intrinsic("llvm.smax", x, y)
