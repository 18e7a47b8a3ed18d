"""Sorting of keys that go alone by networks, block after block: there is no branch that depends on keys.

Blocks are as many keys as a network sorts. Runs of them are merged as a bitonic sort does (networks.py): the last key
of one run is compared with the first of the next one, and so on to where they end; then blocks that are half a run
apart, a quarter, and so on; and in the end keys of each block among themselves. A last run of fewer blocks is one whose
other blocks have the last key: it is compared with nothing there.
"""

from __future__ import annotations

from rosin.backends.llvm.assembler import assembled
from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.networks import blocks_network_text, cleaned_text
from rosin.backends.llvm.routines.records import BYTES, Records, texts
from rosin.backends.llvm.routines.straight import SUFFIXES, extremes
from rosin.backends.llvm.shuffles import REGISTER_BYTES

TOGETHER = 4
"""Registers of each run that are compared together; a block has as many times some."""


def blocks_texts(records: Records, registers: int, name: str, declarations: set[str]) -> list[str]:
    """The function `void name(ptr keys, i64 blocks)`, which sorts so many blocks, and those that it needs, but for
    those of `block_texts`."""
    make = _Blocks(records, registers, name, declarations)
    return [make.pair("turned", True), make.pair("apart", False), make.whole()]


def block_texts(records: Records, registers: int, name: str, declarations: set[str]) -> list[str]:
    """The functions that the one called `name` calls for blocks, as `block_names` has them."""
    network, cleaned = block_names(name)
    return [
        blocks_network_text(records, registers, network, declarations),
        cleaned_text(records, registers, cleaned, declarations),
    ]


def block_names(name: str) -> tuple[str, str]:
    """The functions that sort and that clean blocks, each given the address of their keys, and how many there are."""
    return f"{name}_network", f"{name}_cleaned"


def counted_text(records: Records, registers: int, most: int, name: str, declarations: set[str]) -> str:
    """The function `void name_counted(ptr source, ptr target, i64 count)`, which sorts at most so many keys."""
    f, size = Function(declarations), registers * records.lanes
    e, (elem,) = f.e, records.parts
    source, target, count = Val("%source", "ptr"), Val("%target", "ptr"), Val("%count", "i64")
    near = f.room(elem, most + size)
    blocks, bytes = blocks_of(f, count, size), e.mul(count, f.word(BYTES[elem]))
    e.copy_bytes(near, source, bytes)
    last = e.const(records.last[0], elem, records.lanes)
    end = e.mul(blocks, f.word(size))
    f.loop(count, end, records.lanes, lambda place: e.store(last, e.offset(near, place, elem), align=BYTES[elem]))
    e.line(f"call void @{name}({texts(near, blocks)})")
    e.copy_bytes(target, near, bytes)
    e.line("ret void")
    return f.text(f"internal void @{name}_counted(ptr %source, ptr %target, i64 %count)", cold=True)


def blocks_of(f: Function, count: Val, size: int) -> Val:
    """How many blocks so many keys take."""
    return f.e.lshr(f.e.add(count, f.word(size - 1)), f.word(size.bit_length() - 1))


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
        f, lanes = Function(self.declarations), self.records.lanes
        before, after = "%rcx", "%rdx"
        turn = ["addq %rax, %rax", f"subq %rax, {before}", f"leaq -1({before}, <apart>), {before}"]
        lines = [
            "jmp 2f",
            ".p2align 5",
            "1:",
            "leaq -1(<apart>), %rax",
            "andq <pair>, %rax",
            f"leaq (<pair>, <pair>), {before}",
            f"subq %rax, {before}",
            f"leaq ({before}, <apart>), {after}",
            *(turn if is_turned else []),
            *(line for at in (before, after) for line in (f"shlq $$6, {at}", f"addq <keys>, {at}")),
        ]
        for row in range(TOGETHER):
            x, y, less, more = (f"%zmm{4 * row + i}" for i in range(4))
            a, b = f"{REGISTER_BYTES * (-row if is_turned else row)}({before})", f"{REGISTER_BYTES * row}({after})"
            lines.append(f"vmovdqu64 {a}, {x}")
            lines.append(f"vperm{SUFFIXES[self.elem]} {b}, <back>, {y}" if is_turned else f"vmovdqu64 {b}, {y}")
            lines += extremes(self.elem, x, y, (less, more), f"%k{1 + row}")
            lines += [f"vmovdqu64 {less}, {a}", f"vmovdqu64 {more}, {b}"]
        lines += [f"addq $${TOGETHER}, <pair>", "2:", "cmpq <pairs>, <pair>", "jl 1b"]
        numbers = ", ".join(f"i{8 * BYTES[self.elem]} {lane}" for lane in reversed(range(lanes)))
        order = {"back": Val(f"<{numbers}>", f"i{8 * BYTES[self.elem]}", lanes)} if is_turned else {}
        given = {"keys": Val("%keys", "ptr"), "apart": Val("%apart", "i64"), "pairs": Val("%pairs", "i64"), **order}
        assembled(f.e, lines, {"pair": f.word(0)}, given)
        f.e.line("ret void")
        return f.text(f"internal void @{self.name}_{kind}(ptr %keys, i64 %apart, i64 %pairs)", cold=True)

    def whole(self) -> str:
        """The function itself."""
        f = Function(self.declarations)
        e, keys, one = f.e, Val("%keys", "ptr"), f.word(1)
        blocks, shift = Val("%blocks", "i64"), f.word(self.registers.bit_length() - 1)
        registers = e.shl(blocks, shift)
        network, cleaned = block_names(self.name)

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
            e.line(f"call void @{cleaned}({texts(keys, e.lshr(end, shift))})")
            e.store(e.shl(length, one), run)

        e.line(f"call void @{network}({texts(keys, blocks)})")
        f.repeat(lambda: e.icmp("slt", e.load(run, "i64"), registers), level)
        e.line("ret void")
        return f.text(f"internal void @{self.name}(ptr %keys, i64 %blocks)", cold=True)
