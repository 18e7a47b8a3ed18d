"""Sorting of keys that go alone by networks, block after block: there is no branch that depends on keys.

Blocks are as many keys as a network sorts. Runs of them are merged as a bitonic sort does (networks.py): the last key
of one run is compared with the first of the next one, and so on to where they end; then blocks that are half a run
apart, a quarter, and so on; and in the end keys of each block among themselves. A last run of fewer blocks is one whose
other blocks have the last key: it is compared with nothing there.
"""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.networks import cleaned_text, compared, network_texts
from rosin.backends.llvm.routines.records import BYTES, Records, inside, texts

TOGETHER = 4
"""Registers of each block that are compared together; a block has as many times some."""


def blocks_texts(records: Records, registers: int, name: str, declarations: set[str]) -> list[str]:
    """The function `void name(ptr keys, i64 blocks)`, which sorts so many blocks, and those that it needs."""
    make = _Blocks(records, registers, name, declarations)
    network = network_texts(records, registers, f"{name}_network", declarations)
    cleaned = cleaned_text(records, registers, f"{name}_cleaned", declarations)
    return [*network, cleaned, make.pair("turned", True), make.pair("apart", False), make.whole()]


def counted_text(records: Records, registers: int, most: int, name: str, declarations: set[str]) -> str:
    """The function `void name_counted(ptr source, ptr target, i64 count)`, which sorts at most so many keys."""
    f, size = Function(declarations), registers * records.lanes
    e, (elem,) = f.e, records.parts
    source, target, count = Val("%source", "ptr"), Val("%target", "ptr"), Val("%count", "i64")
    near = f.room(elem, most + size)
    blocks = blocks_of(f, count, size)

    def load(place: Val, mask: Val | None) -> Val:
        at = e.offset(source, place, elem)
        if mask is None:
            return e.load(at, elem, records.lanes, align=BYTES[elem])
        return e.masked_load(at, elem, records.lanes, mask, BYTES[elem])

    fill(f, records, near, count, e.mul(blocks, f.word(size)), load)
    e.line(f"call void @{name}({texts(near, blocks)})")
    e.copy_bytes(target, near, e.mul(count, f.word(BYTES[elem])))
    e.line("ret void")
    return f.text(f"internal void @{name}_counted(ptr %source, ptr %target, i64 %count)")


def blocks_of(f: Function, count: Val, size: int) -> Val:
    """How many blocks so many keys take."""
    return f.e.lshr(f.e.add(count, f.word(size - 1)), f.word(size.bit_length() - 1))


def fill(
    f: Function, records: Records, near: Val, count: Val, end: Val, load: Callable[[Val, Val | None], Val]
) -> None:
    """Write the keys that are loaded for places below a count, and the last key for those from there up to an end."""
    e, (elem,), lanes = f.e, records.parts, records.lanes
    last = e.const(records.last[0], elem, lanes)
    whole = e.bit_and(count, f.word(-lanes))

    def put(x: Val, place: Val) -> None:
        e.store(x, e.offset(near, place, elem), align=BYTES[elem])

    def rest(place: Val) -> None:
        mask = inside(e, place, count, lanes)
        put(e.select(mask, load(place, mask), last), place)

    f.loop(f.word(0), whole, lanes, lambda place: put(load(place, None), place))
    f.loop(whole, count, lanes, rest)
    f.loop(e.bit_and(e.add(count, f.word(lanes - 1)), f.word(-lanes)), end, lanes, lambda place: put(last, place))


class _Blocks:
    def __init__(self, records: Records, registers: int, name: str, declarations: set[str]) -> None:
        self.records, self.registers, self.name, self.declarations = records, registers, name, declarations
        (self.elem,) = records.parts
        self.size = registers * records.lanes

    def pair(self, kind: str, is_turned: bool) -> str:
        """`void name_kind(ptr a, ptr b)`: compare each key of a block with one of another, which is turned around or
        not; the first one gets the lesser keys.

        The greater ones may be turned around as well: blocks are compared key by key after that, and their own keys in
        an order in which it makes no difference.
        """
        f, lanes, records = Function(self.declarations), self.records.lanes, self.records
        e, a, b = f.e, *([Val(f"%{name}", "ptr")] for name in "ab")

        def row(place: Val) -> None:
            other = e.sub(f.word(self.size - lanes), place) if is_turned else place
            x, y = records.load(e, a, place, lanes), records.load(e, b, other, lanes)
            if is_turned:
                y = tuple(e.shuffle(part, part, range(lanes - 1, -1, -1)) for part in y)
            for values, array, at in zip(compared(e, x, y), (a, b), (place, other), strict=True):
                records.store(e, values, array, at)

        def rows(first: Val) -> None:
            for i in range(TOGETHER):
                row(e.add(first, f.word(i * lanes)))

        f.loop(f.word(0), f.word(self.size), TOGETHER * lanes, rows)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_{kind}(ptr noalias %a, ptr noalias %b)")

    def whole(self) -> str:
        """The function itself."""
        f = Function(self.declarations)
        e, blocks, one = f.e, Val("%blocks", "i64"), f.word(1)

        def at(block: Val) -> Val:
            return e.offset(Val("%keys", "ptr"), e.mul(block, f.word(self.size)), self.elem)

        def call(kind: str, *numbers: Val) -> None:
            e.line(f"call void @{self.name}_{kind}({texts(*map(at, numbers))})")

        run = f.variable(one)

        def level() -> None:
            length = e.load(run, "i64")
            f.loop(f.word(0), e.sub(blocks, length), e.shl(length, one), lambda first: merge(first, length))
            e.store(e.shl(length, one), run)

        def merge(first: Val, length: Val) -> None:
            middle = e.add(first, length)
            others = e.intrinsic("llvm.smin", length, e.sub(blocks, middle))
            end, before = e.add(middle, others), e.sub(middle, one)
            f.loop(f.word(0), others, 1, lambda i: call("turned", e.sub(before, i), e.add(middle, i)))
            apart = f.variable(e.lshr(length, one))

            def closer() -> None:
                distance = e.load(apart, "i64")

                def pair(block: Val) -> None:
                    is_first = e.icmp("eq", e.bit_and(block, distance), f.word(0))
                    f.when(is_first, lambda: call("apart", block, e.add(block, distance)))

                f.loop(first, e.sub(end, distance), 1, pair)
                e.store(e.lshr(distance, one), apart)

            f.repeat(lambda: e.icmp("ne", e.load(apart, "i64"), f.word(0)), closer)
            f.loop(first, end, 1, lambda block: call("cleaned", block))

        f.loop(f.word(0), blocks, 1, lambda block: call("network", block))
        f.repeat(lambda: e.icmp("slt", e.load(run, "i64"), blocks), level)
        e.line("ret void")
        return f.text(f"internal void @{self.name}(ptr %keys, i64 %blocks)")
