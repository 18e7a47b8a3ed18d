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
"""Registers of each run that are compared together; a block has as many times some."""


def blocks_texts(records: Records, registers: int, name: str, declarations: set[str]) -> list[str]:
    """The function `void name(ptr keys, i64 blocks)`, which sorts so many blocks, and those that it needs, but for
    those of `block_texts`."""
    make = _Blocks(records, registers, name, declarations)
    return [make.pair("turned", True), make.pair("apart", False), make.whole()]


def block_texts(records: Records, registers: int, name: str, declarations: set[str]) -> list[str]:
    """The functions that the one called `name` calls for a block: networks, as `block_names` has them."""
    network, cleaned = block_names(name)
    functions = network_texts(records, registers, network, declarations)
    return [*functions, cleaned_text(records, registers, cleaned, declarations)]


def block_names(name: str) -> tuple[str, str]:
    """The functions that sort and that clean a block, each given the address of its keys."""
    return f"{name}_network", f"{name}_cleaned"


def counted_text(records: Records, registers: int, most: int, name: str, declarations: set[str]) -> str:
    """The function `void name_counted(ptr source, ptr target, i64 count)`, which sorts at most so many keys."""
    f, size = Function(declarations, plain=True), registers * records.lanes
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

    def pair(self, kind: str, is_turned: bool) -> str:
        """`void name_kind(ptr keys, i64 apart, i64 pairs)`: compare each register of a run with one of the next run,
        for runs of `apart` registers, in so many pairs; the first one gets the lesser keys. The next run may be turned
        around.

        The greater ones may be turned around as well: blocks are compared key by key after that, and their own keys in
        an order in which it makes no difference.
        """
        f, lanes, records = Function(self.declarations, plain=True), self.records.lanes, self.records
        e, keys, apart = f.e, Val("%keys", "ptr"), Val("%apart", "i64")

        def at(register: Val) -> list[Val]:
            return [e.offset(keys, e.mul(register, f.word(lanes)), self.elem)]

        def row(first: Val, number: Val) -> None:
            """The registers from the middle on, and those before it or a run before them."""
            middle, after = e.add(first, apart), e.add(e.add(first, apart), number)
            before = e.sub(e.sub(middle, f.word(1)), number) if is_turned else e.add(first, number)
            a, b = at(before), at(after)
            x, y = (records.load(e, array, f.word(0), lanes) for array in (a, b))
            if is_turned:
                y = tuple(e.shuffle(part, part, range(lanes - 1, -1, -1)) for part in y)
            for values, array in zip(compared(e, x, y), (a, b), strict=True):
                records.store(e, values, array, f.word(0))

        def rows(pair: Val) -> None:
            number = e.bit_and(pair, e.sub(apart, f.word(1)))
            first = e.shl(e.sub(pair, number), f.word(1))
            for i in range(TOGETHER):
                row(first, e.add(number, f.word(i)))

        f.loop(f.word(0), Val("%pairs", "i64"), TOGETHER, rows)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_{kind}(ptr %keys, i64 %apart, i64 %pairs)")

    def whole(self) -> str:
        """The function itself."""
        f = Function(self.declarations, plain=True)
        e, keys, one = f.e, Val("%keys", "ptr"), f.word(1)
        registers = e.mul(Val("%blocks", "i64"), f.word(self.registers))

        network, cleaned = block_names(self.name)

        def each(name: str, end: Val) -> None:
            def call(register: Val) -> None:
                at = e.offset(keys, e.mul(register, f.word(self.records.lanes)), self.elem)
                e.line(f"call void @{name}({at.typed})")

            f.loop(f.word(0), end, self.registers, call)

        def compare(kind: str, apart: Val, end: Val) -> None:
            """Registers that are so far apart, up to an end."""
            rest = e.bit_and(end, e.sub(e.shl(apart, one), one))
            last = e.intrinsic("llvm.smax", e.sub(rest, apart), f.word(0))
            pairs = e.add(e.lshr(e.sub(end, rest), one), last)
            e.line(f"call void @{self.name}_{kind}({texts(keys, apart, pairs)})")

        run = f.variable(f.word(self.registers))

        def level() -> None:
            length = e.load(run, "i64")
            rest = e.bit_and(registers, e.sub(e.shl(length, one), one))
            # A last run that no other follows stays as it is.
            end = e.select(e.icmp("sgt", rest, length), registers, e.sub(registers, rest))
            compare("turned", length, end)
            apart = f.variable(e.lshr(length, one))

            def closer() -> None:
                distance = e.load(apart, "i64")
                compare("apart", distance, end)
                e.store(e.lshr(distance, one), apart)

            f.repeat(lambda: e.icmp("sge", e.load(apart, "i64"), f.word(self.registers)), closer)
            each(cleaned, end)
            e.store(e.shl(length, one), run)

        each(network, registers)
        f.repeat(lambda: e.icmp("slt", e.load(run, "i64"), registers), level)
        e.line("ret void")
        return f.text(f"internal void @{self.name}(ptr %keys, i64 %blocks)")
