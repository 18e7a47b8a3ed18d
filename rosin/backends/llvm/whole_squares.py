"""Squares of as many registers of 64 bytes as each has elements, transposed by lines of the assembler of x86.

The shuffles are those that `columns_of` asks for. Each becomes one instruction, and a value has a register from where
it is made to where it is used last: one register more than there are rows suffices, so that what else a tile has in
registers stays there.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence

from rosin.backends.llvm.assembler import assembled
from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.shuffles import REGISTER_BYTES, in_one
from rosin.backends.llvm.squares import columns_of, power_of_two

ARRAYS, STEPS = ("from", "to"), ("apart", "between")


class _Shuffles:
    """Shuffles as they are asked for, of values that have numbers."""

    def __init__(self) -> None:
        self.made: dict[int, tuple[int, int, tuple[int, ...]]] = {}

    def shuffle(self, left: Val, right: Val, order: Sequence[int], /) -> Val:
        number = left.lanes + len(self.made)
        self.made[number] = int(left.ref), int(right.ref), tuple(order)
        return Val(str(number), left.elem, left.lanes)

    def opaque(self, x: Val, /) -> Val:
        return x


def is_whole(elem_bytes: int, lanes: int, rows: int, columns: int) -> bool:
    """Whether there are such lines for a square of memory."""
    return lanes == rows == columns and fills_registers(elem_bytes, lanes, columns)


def fills_registers(elem_bytes: int, lanes: int, columns: int) -> bool:
    """Whether there are such lines for so many columns in registers."""
    return elem_bytes in (4, 8) and elem_bytes * lanes == REGISTER_BYTES and power_of_two(columns) == lanes


def transpose(e: Emitter, elem_bytes: int) -> None:
    """The body of `void (ptr from, i64 apart, ptr to, i64 between)`, which transposes a square of memory: so many bytes
    are from one row to the next, and from one column to the next."""
    arrays, steps = ({n: Val(f"%{n}", kind) for n in names} for kind, names in (("ptr", ARRAYS), ("i64", STEPS)))
    count = REGISTER_BYTES // elem_bytes
    rows, free = tuple(f"%zmm{at}" for at in range(count)), (f"%zmm{count}",)
    lines = [line for row in rows for line in (f"vmovups (<from>), {row}", "addq <apart>, <from>")]
    assembled(e, [*lines, *_written(elem_bytes, rows, free, count)], arrays, steps)


def write_rows(e: Emitter, columns: Sequence[Val], elem_bytes: int, rows: int, to: Val, between: Val) -> None:
    """Write the first rows of a square of these columns, or of these and others that nobody looks at; so many bytes are
    from one row to the next."""
    count = columns[0].lanes
    taken = [f"column{at}" for at in range(len(columns))]
    more = [f"spare{at}" for at in range(count - len(columns) + 1)]
    given = {"between": between}
    lines = _written(elem_bytes, tuple(f"<{name}>" for name in taken), tuple(f"<{name}>" for name in more), rows)
    if len(columns) < count:
        given["few"] = e.const((1 << len(columns)) - 1, "i32")
        lines = ["kmovw <few>, %k1", *(line.replace("(<to>)", "(<to>) {%k1}") for line in lines)]
    unset = Val("poison", columns[0].elem, count)
    assembled(e, lines, {}, given, {"to": to, **dict(zip(taken, columns, strict=True)), **dict.fromkeys(more, unset)})


@functools.cache
def _written(elem_bytes: int, given: tuple[str, ...], free: tuple[str, ...], rows: int) -> list[str]:
    """Lines that transpose a square of the registers that are given and write its first rows. Where these are fewer
    than rows have elements, what the others have is not told."""
    count, shuffles = REGISTER_BYTES // elem_bytes, _Shuffles()
    vectors = [Val(str(number), f"i{8 * elem_bytes}", count) for number in range(count)]
    results = [int(x.ref) for x in columns_of(shuffles, vectors, count)][:rows]
    registers = dict(enumerate(given))
    made: dict[int, tuple[int, int, tuple[int, ...]]] = {}
    for number, (left, right, order) in shuffles.made.items():
        sources = [source for source in (left, right) if source in made or source in registers]
        if sources:
            made[number] = sources[0], sources[-1], order
    uses = Counter(results)
    for number in reversed(made):
        if uses[number]:
            uses.update(made[number][:2])
    at_hand = list(free)[::-1]

    def used(number: int) -> str:
        """The register of a value, which is free once nothing else uses it."""
        uses[number] -= 1
        if not uses[number]:
            at_hand.append(registers[number])
        return registers[number]

    def shuffled(number: int) -> str:
        left, right, order = made[number]
        found = in_one(order, elem_bytes)
        assert found is not None, "lanes of whole squares change places by one instruction"
        name, digits, sources = found
        pair = used(left), used(right)
        goal = registers[number] = at_hand.pop()
        first, second = (pair[source] for source in sources)
        return f"{name} {'' if digits is None else f'$${digits}, '}{second}, {first}, {goal}"

    lines = [shuffled(number) for number in made if uses[number] and number not in results]
    store = "vmovups" if elem_bytes == 4 else "vmovupd"
    for number in results:
        lines += [shuffled(number), f"{store} {used(number)}, (<to>)", "addq <between>, <to>"]
    return lines
