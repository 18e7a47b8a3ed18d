"""Sorting networks: short arrays of records sorted in vector registers, without a branch, and sorted ones merged.

Batcher's bitonic sort ("Sorting networks and their applications", 1968).
"""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.records import Records

Row = tuple[Val, ...]
"""One register of records for each part."""


def network_text(records: Records, registers: int, name: str, declarations: set[str]) -> str:
    """The function `void name(ptr parts…)`, which sorts `lanes * registers` records in place."""
    e = Emitter(declarations)
    (array,) = records.pointers("a")
    places = [e.const(row * records.lanes, "i64") for row in range(registers)]
    rows = [records.load(e, array, place, records.lanes) for place in places]
    for row, place in zip(_sorted(e, rows), places, strict=True):
        records.store(e, row, array, place)
    body = "\n".join(e.lines)
    return f"define internal void @{name}({records.parameters('a')}) nounwind {{\n{body}\n  ret void\n}}\n"


def _sorted(e: Emitter, rows: list[Row]) -> list[Row]:
    """The records of some registers in order.

    On the way, record i is in lane i // registers of register i % registers. So the early stages compare whole
    registers with one another, and the number of stages that shuffle lanes depends on the lanes alone.
    """
    block = 2
    while block <= len(rows) * rows[0][0].lanes:
        rows = _stage(e, rows, block - 1)
        apart = block // 4
        while apart:
            rows = _stage(e, rows, apart)
            apart //= 2
        block *= 2
    return _interleaved(e, rows)


def _stage(e: Emitter, rows: list[Row], mask: int) -> list[Row]:
    """Compare each record i with record i ^ mask; the lesser one goes to the lower place."""
    registers, width = len(rows), rows[0][0].lanes
    across, lanes = mask % registers, mask // registers
    found = list(rows)
    if not lanes:
        for low in range(registers):
            high = low ^ across
            if low < high:
                found[low], found[high] = _pair(e, rows[low], rows[high])
        return found
    top = 1 << (lanes.bit_length() - 1)
    bits = ", ".join(f"i1 {'false' if lane & top else 'true'}" for lane in range(width))
    lower = Val(f"<{bits}>", "i1", width)
    order = [lane ^ lanes for lane in range(width)]
    for number, row in enumerate(rows):
        other = tuple(_shuffled(e, part, part, order) for part in rows[number ^ across])
        less, more = _pair(e, row, other)
        found[number] = tuple(e.select(lower, a, b) for a, b in zip(less, more, strict=True))
    return found


def _pair(e: Emitter, x: Row, y: Row) -> tuple[Row, Row]:
    """The lesser and the greater of two registers, lane by lane."""
    if len(x) == 1:
        return (e.intrinsic("llvm.smin", x[0], y[0]),), (e.intrinsic("llvm.smax", x[0], y[0]),)
    tied = e.bit_and(e.icmp("eq", x[0], y[0]), e.icmp("slt", x[1], y[1]))
    before = e.bit_or(e.icmp("slt", x[0], y[0]), tied)
    less = tuple(e.select(before, a, b) for a, b in zip(x, y, strict=True))
    return less, tuple(e.select(before, b, a) for a, b in zip(x, y, strict=True))


def _interleaved(e: Emitter, rows: list[Row]) -> list[Row]:
    """Registers in the order of memory: each round moves the top bit of the register's number to the bottom."""
    half, width = len(rows) // 2, rows[0][0].lanes
    for _ in range(len(rows).bit_length() - 1):
        found: list[Row] = []
        for low, high in zip(rows[:half], rows[half:], strict=True):
            for start in (0, width // 2):
                order = [start + lane // 2 + (lane % 2) * width for lane in range(width)]
                found.append(tuple(_shuffled(e, a, b, order) for a, b in zip(low, high, strict=True)))
        rows = found
    return rows


def merged(e: Emitter, x: Row, y: Row) -> tuple[Row, Row]:
    """The lesser half and the greater half, each in order, of two registers that are in order."""
    width = x[0].lanes
    back = list(range(width))[::-1]
    halves = [[half] for half in _pair(e, x, tuple(_shuffled(e, part, part, back) for part in y))]
    apart = width // 2
    while apart:
        halves = [_stage(e, half, apart) for half in halves]
        apart //= 2
    (less,), (more,) = halves
    return less, more


def _shuffled(e: Emitter, a: Val, b: Val, order: Sequence[int]) -> Val:
    mask = ", ".join(f"i32 {lane}" for lane in order)
    return e.define(f"shufflevector {a.typed}, {b.typed}, <{len(order)} x i32> <{mask}>", a.elem, len(order))
