"""Squares of as many registers of 64 bytes as each has elements, transposed by lines of the assembler of x86.

The shuffles are those that `columns_of` asks for. Each becomes one instruction, and a value has a register from where
it is made to where it is used last: there are twice as many registers as rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rosin.backends.llvm.assembler import assembled
from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.shuffles import REGISTER_BYTES, REGISTERS, in_one
from rosin.backends.llvm.squares import columns_of

ARRAYS, STEPS = ("from", "to"), ("apart", "between")


class _Shuffles:
    """Shuffles as they are asked for, of values that have numbers."""

    def __init__(self, count: int) -> None:
        self.made = [(number, number, tuple[int, ...]()) for number in range(count)]

    def shuffle(self, left: Val, right: Val, order: Sequence[int], /) -> Val:
        self.made.append((int(left.ref), int(right.ref), tuple(order)))
        return Val(str(len(self.made) - 1), left.elem, left.lanes)

    def opaque(self, x: Val, /) -> Val:
        return x


def is_whole(elem_bytes: int, lanes: int, rows: int, columns: int) -> bool:
    """Whether there are such lines for a square."""
    return elem_bytes in (4, 8) and lanes == rows == columns and elem_bytes * lanes == REGISTER_BYTES


def transpose(e: Emitter, elem_bytes: int) -> None:
    """The body of `void (ptr from, i64 apart, ptr to, i64 between)`, which transposes a square of memory: so many bytes
    are from one row to the next, and from one column to the next."""
    arrays, steps = ({n: Val(f"%{n}", kind) for n in names} for kind, names in (("ptr", ARRAYS), ("i64", STEPS)))
    assembled(e, _lines(elem_bytes, REGISTER_BYTES // elem_bytes), arrays, steps)


def _lines(elem_bytes: int, count: int) -> list[str]:
    shuffles = _Shuffles(count)
    columns = [
        int(x.ref)
        for x in columns_of(shuffles, [Val(str(row), f"i{8 * elem_bytes}", count) for row in range(count)], count)
    ]
    uses = Counter(number for left, right, _ in shuffles.made[count:] for number in (left, right)) + Counter(columns)
    free = list(range(REGISTERS))[::-1]
    registers: dict[int, str] = {}
    lines: list[str] = []

    def used(number: int) -> str:
        """The register of a value, which is free once nothing else uses it."""
        uses[number] -= 1
        if not uses[number]:
            free.append(int(registers[number].removeprefix("%zmm")))
        return registers[number]

    for number, (left, right, order) in enumerate(shuffles.made):
        goal = registers[number] = f"%zmm{free.pop()}"
        if not order:
            lines += [f"vmovups (<from>), {goal}", "addq <apart>, <from>"]
            continue
        found = in_one(order, elem_bytes)
        assert found is not None, "lanes of whole squares change places by one instruction"
        name, digits, sources = found
        pair = (used(left), used(right))
        first, second = (pair[source] for source in sources)
        lines.append(f"{name} {'' if digits is None else f'$${digits}, '}{second}, {first}, {goal}")
    for number in columns:
        lines += [f"vmovups {used(number)}, (<to>)", "addq <between>, <to>"]
    return lines
