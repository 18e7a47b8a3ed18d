"""Sorting networks: short arrays of numbers sorted in vector registers, without a branch.

Batcher's bitonic sort ("Sorting networks and their applications", 1968) of `lanes * registers` elements. Element i is
in lane i // registers of register i % registers. So the early stages compare whole registers with one another, and the
number of stages that shuffle lanes depends on the lanes alone; at the end registers are interleaved into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rosin.backends.llvm.emit import Emitter, Val

Row = tuple[Val, ...]
"""One register of elements: the vector they are compared by, and vectors that go with it."""


@dataclass(frozen=True)
class Network:
    """A network over `registers` registers of `lanes` elements, whose parts have LLVM types `parts`.

    Elements are compared by their first part, as signed integers, and where that ties by the second, if there is one.
    """

    lanes: int
    registers: int
    parts: tuple[str, ...]

    @property
    def size(self) -> int:
        return self.lanes * self.registers

    def text(self, name: str, declarations: set[str]) -> str:
        """The function `void name(ptr part0, …)`, which sorts `size` elements in place."""
        e = Emitter(declarations)
        pointers = [Val(f"%p{i}", "ptr") for i in range(len(self.parts))]
        rows = [self._load(e, pointers, r) for r in range(self.registers)]
        block = 2
        while block <= self.size:
            rows = self._stage(e, rows, block - 1)
            apart = block // 4
            while apart:
                rows = self._stage(e, rows, apart)
                apart //= 2
            block *= 2
        rows = self._interleaved(e, rows)
        for number, row in enumerate(rows):
            for pointer, part in zip(pointers, row, strict=True):
                e.store(part, self._at(e, pointer, part.elem, number), align=8)
        body = "\n".join(e.lines)
        parameters = ", ".join(p.typed for p in pointers)
        return f"define internal void @{name}({parameters}) {{\n{body}\n  ret void\n}}\n"

    def _at(self, e: Emitter, pointer: Val, elem: str, row: int) -> Val:
        return e.offset(pointer, e.const(row * self.lanes, "i64"), elem)

    def _load(self, e: Emitter, pointers: Sequence[Val], row: int) -> Row:
        places = zip(pointers, self.parts, strict=True)
        return tuple(e.load(self._at(e, p, elem, row), elem, self.lanes, align=8) for p, elem in places)

    def _stage(self, e: Emitter, rows: list[Row], mask: int) -> list[Row]:
        """Compare each element i with element i ^ mask; the lesser one goes to the lower place."""
        across, lanes = mask % self.registers, mask // self.registers
        if not lanes:
            found = list(rows)
            for low in range(self.registers):
                high = low ^ across
                if low < high:
                    before = self._before(e, rows[low], rows[high])
                    found[low], found[high] = self._pair(e, before, rows[low], rows[high])
            return found
        top = 1 << (lanes.bit_length() - 1)
        bits = ", ".join(f"i1 {'false' if lane & top else 'true'}" for lane in range(self.lanes))
        lower = Val(f"<{bits}>", "i1", self.lanes)
        order = [lane ^ lanes for lane in range(self.lanes)]
        others = [tuple(_shuffled(e, part, part, order) for part in rows[r ^ across]) for r in range(self.registers)]
        found: list[Row] = []
        for row, other in zip(rows, others, strict=True):
            less, more = self._pair(e, self._before(e, row, other), row, other)
            found.append(tuple(e.select(lower, a, b) for a, b in zip(less, more, strict=True)))
        return found

    def _before(self, e: Emitter, x: Row, y: Row) -> Val | None:
        """Whether x is before y, where that takes more than a minimum of the parts."""
        if len(x) == 1:
            return None
        tied = e.bit_and(e.icmp("eq", x[0], y[0]), e.icmp("slt", x[1], y[1]))
        return e.bit_or(e.icmp("slt", x[0], y[0]), tied)

    def _pair(self, e: Emitter, before: Val | None, x: Row, y: Row) -> tuple[Row, Row]:
        """The lesser and the greater of two registers, lane by lane."""
        if before is None:
            return (e.intrinsic("llvm.smin", x[0], y[0]),), (e.intrinsic("llvm.smax", x[0], y[0]),)
        less = tuple(e.select(before, a, b) for a, b in zip(x, y, strict=True))
        return less, tuple(e.select(before, b, a) for a, b in zip(x, y, strict=True))

    def _interleaved(self, e: Emitter, rows: list[Row]) -> list[Row]:
        """Registers in the order of memory: each round moves the top bit of the register's number to the bottom."""
        half, lanes = self.registers // 2, range(self.lanes)
        rounds = self.registers.bit_length() - 1
        for _ in range(rounds):
            found: list[Row] = []
            for low, high in zip(rows[:half], rows[half:], strict=True):
                for start in (0, self.lanes // 2):
                    order = [start + lane // 2 + (lane % 2) * self.lanes for lane in lanes]
                    found.append(tuple(_shuffled(e, a, b, order) for a, b in zip(low, high, strict=True)))
            rows = found
        return rows


def _shuffled(e: Emitter, a: Val, b: Val, order: Sequence[int]) -> Val:
    mask = ", ".join(f"i32 {lane}" for lane in order)
    return e.define(f"shufflevector {a.typed}, {b.typed}, <{len(order)} x i32> <{mask}>", a.elem, len(order))
