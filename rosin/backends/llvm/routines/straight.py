"""Code for registers of 64 bytes of x86 as text of the assembler.

LLVM takes some fifty times as long to choose instructions and registers for vectors as it takes to read instructions.
For long straight code, all of whose values are in registers, the choice is simple enough to be made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from rosin.backends.llvm.assembler import assembled
from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.records import BYTES, FLOATS
from rosin.backends.llvm.shuffles import REGISTER_BYTES, REGISTERS, Immediate, immediate

Row = tuple[int, ...]
"""A register, as a record of one part."""

SUFFIXES = {"i32": "d", "i64": "q", "float": "ps", "double": "pd"}
LETTERS = {4: "d", 8: "q"}
"""Of instructions on the types of elements, and on bits of so many bytes."""
_EXTREMES = {"i32": ("vpminsd", "vpmaxsd"), "float": ("vminps", "vmaxps"), "double": ("vminpd", "vmaxpd")}
"""What gives the lesser and the greater; of those that tie these give the first operand."""

MASKS, COMPARED = 7, 3
"""Registers of masks, but the first one, which is not used; so many of them are for comparisons, in turn."""


def is_straight(parts: Sequence[str], lanes: int) -> bool:
    """Whether there is straight code for vectors of these parts."""
    return len(parts) == 1 and parts[0] in SUFFIXES and BYTES[parts[0]] * lanes == REGISTER_BYTES


class _Step(NamedTuple):
    """Something that is done with values, which have numbers."""

    kind: str
    given: tuple[int, ...]
    made: tuple[int, ...]
    number: int = 0
    """The register in memory that is loaded or stored."""
    order: tuple[int, ...] = ()


class Straight:
    """Straight code over an array of vectors of one type, as it is written down; values are never changed."""

    def __init__(self, elem: str, lanes: int) -> None:
        self.elem, self.lanes = elem, lanes
        self._steps: list[_Step] = []
        self._makers: list[_Step] = []
        """Of each value."""

    def load(self, number: int) -> int:
        """A register of the array."""
        return self._made(_Step("load", (), (len(self._makers),), number))

    def store(self, x: int, number: int) -> None:
        self._steps.append(_Step("store", (x,), (), number))

    def shuffle(self, left: int, right: int, order: Sequence[int]) -> int:
        """Lanes of two vectors: these of the two laid end to end. Those of lanes that are shuffled alone are made from
        what they come from."""
        given, step = (left, right), self._makers[left]
        if left == right and step.kind == "shuffle":
            given, order = step.given, [step.order[lane % self.lanes] for lane in order]
        return self._made(_Step("shuffle", given, (len(self._makers),), 0, tuple(order)))

    def opaque_bits(self, x: int) -> int:
        """As an `Emitter`'s, from which this is not hidden."""
        return x

    def compared(self, x: Row, y: Row) -> tuple[Row, Row]:
        """The lesser and the greater of two registers, lane by lane: where they tie, the second and the first one."""
        less = len(self._makers)
        self._made(_Step("compare", (*x, *y), (less, less + 1)))
        return (less,), (less + 1,)

    def stage(self, row: Row, lanes: int) -> Row:
        """A register, each lane of which is compared with another one: lane with lane ^ lanes."""
        (x,), every = row, range(self.lanes)
        turned = (self.shuffle(x, x, [lane ^ lanes for lane in every]),)
        # Of floats that tie both lanes take the other's, so that none is lost.
        ((less,), _), (_, (more,)) = self.compared(row, turned), self.compared(turned, row)
        top = 1 << lanes.bit_length() - 1
        return (self.shuffle(less, more, [lane + self.lanes if lane & top else lane for lane in every]),)

    def _made(self, step: _Step) -> int:
        """The first value that a step makes."""
        first = len(self._makers)
        self._steps.append(step)
        self._makers += [step] * len(step.made)
        return first

    def emit(self, e: Emitter, name: str, array: Val, arrays: Val | None) -> None:
        """Do it with an array, or with so many, one after the other; `name` is for what that needs."""
        _Written(self.elem, self._needed()).emit(e, name, array, arrays)

    def _needed(self) -> list[tuple[_Step, list[int]]]:
        """The steps that come to something that is stored, and which values are not needed after each."""
        wanted: set[int] = set()
        found: list[tuple[_Step, list[int]]] = []
        for step in reversed(self._steps):
            if not step.made or not wanted.isdisjoint(step.made):
                done = {*step.made, *step.given} - wanted
                wanted |= done
                found.append((step, sorted(done)))
        return found[::-1]


class _Written:
    """Steps in registers, of which each value has one from where it is made to where it is used last."""

    def __init__(self, elem: str, steps: Sequence[tuple[_Step, list[int]]]) -> None:
        self.elem, self.suffix = elem, SUFFIXES[elem]
        self.head: list[str] = []
        self.lines: list[str] = []
        self.registers = sum(step.kind == "store" for step, _ in steps)
        """Of the array."""
        self.orders: dict[tuple[int, ...], int] = {}
        """Where the lanes of each shuffle are among all."""
        self.free = [f"%zmm{i}" for i in reversed(range(REGISTERS))]
        self.places: dict[int, str] = {}
        self.compared = 0
        self.masks: dict[int, str] = {}
        for step, done in steps:
            self._write(step, done)
            self.free += map(self.places.pop, done)

    def emit(self, e: Emitter, name: str, array: Val, arrays: Val | None) -> None:
        word = f"i{8 * BYTES[self.elem]}"
        lanes = [f"{word} {lane}" for order in self.orders for lane in order]
        constant = f"internal constant [{len(lanes)} x {word}] [{', '.join(lanes)}], align {REGISTER_BYTES}"
        e.declarations.add(f"@{name}_orders = {constant}")
        given = {"orders": Val(f"@{name}_orders", "ptr")}
        if arrays is None:
            assembled(e, [*self.head, *self.lines], {"array": array}, given)
            return
        next = [f"addq $${REGISTER_BYTES * self.registers}, <array>", "2:", "decq <arrays>", "jns 1b"]
        lines = [*self.head, "jmp 2f", "1:", *self.lines, *next]
        assembled(e, lines, {"array": array, "arrays": arrays}, given)

    def _write(self, step: _Step, done: Sequence[int]) -> None:
        places = self.places
        for number in step.made:
            places[number] = self.free.pop()
        if step.kind == "shuffle":
            (left, right), (goal,) = step.given, step.made
            self._shuffle(places[left], places[right], step.order, places[goal])
        elif step.kind == "compare":
            self._compare(step, done)
        else:
            ((number,), at) = step.given or step.made, f"{REGISTER_BYTES * step.number}(<array>)"
            self.lines.append(f"vmovdqu64 {at}, {places[number]}" if step.made else f"vmovdqu64 {places[number]}, {at}")

    def _shuffle(self, left: str, right: str, order: tuple[int, ...], goal: str) -> None:
        blended, found = _forms(order)
        mask = None if blended is None else self._mask(blended)
        if mask is not None:
            blend = f"vblendm{self.suffix}" if self.elem in FLOATS else f"vpblendm{self.suffix}"
            self.lines.append(f"{blend} {right}, {left}, {goal}{{{mask}}}")
            return
        if found is not None:
            name, number, sources = found
            first, second = ((left, right)[source] for source in sources)
            self.lines.append(f"{name} $${number}, {second}, {first}, {goal}")
            return
        at = self.orders.setdefault(order, len(self.orders))
        self.lines.append(f"vmovdqa64 {REGISTER_BYTES * at}(<orders>), {goal}")
        if left == right:
            self.lines.append(f"vperm{self.suffix} {left}, {goal}, {goal}")
        else:
            self.lines.append(f"vpermi2{self.suffix} {right}, {left}, {goal}")

    def _mask(self, bits: int) -> str | None:
        """The register of a mask that is always the same, if there is one for it."""
        if bits not in self.masks and len(self.masks) < MASKS - COMPARED:
            self.masks[bits] = f"%k{1 + COMPARED + len(self.masks)}"
            self.head += [f"movl $${bits}, %eax", f"kmovw %eax, {self.masks[bits]}"]
        return self.masks.get(bits)

    def _compare(self, step: _Step, done: Sequence[int]) -> None:
        """The lesser and the greater, each of them where it is needed."""
        (x, y), (less, more) = step.given, step.made
        places, mask = self.places, f"%k{1 + self.compared % COMPARED}"
        self.compared += 1
        lines = extremes(self.elem, places[x], places[y], (places[less], places[more]), mask)
        if less in done:
            del lines[-2]
        elif more in done:
            del lines[-1]
        self.lines += lines


# -- lines that loops share -------------------------------------------------------------------------------------------


def is_less_line(elem: str, x: str, y: str, mask: str) -> str:
    """The mask of the lanes in which one vector is less than another."""
    if elem in FLOATS:
        return f"vcmplt{SUFFIXES[elem]} {y}, {x}, {mask}"
    return f"vpcmpgt{SUFFIXES[elem]} {x}, {y}, {mask}"


def extremes(elem: str, x: str, y: str, goals: tuple[str, str], mask: str) -> list[str]:
    """The lesser and the greater of two vectors, lane by lane, each by one line in the end."""
    less, more = goals
    if elem == "i64":
        # Processors take longer for the lesser and the greater of such integers than to select them.
        before = is_less_line(elem, x, y, mask)
        return [before, f"vpblendmq {x}, {y}, {less}{{{mask}}}", f"vpblendmq {y}, {x}, {more}{{{mask}}}"]
    least, most = _EXTREMES[elem]
    return [f"{least} {y}, {x}, {less}", f"{most} {x}, {y}, {more}"]


@cache
def _forms(order: tuple[int, ...]) -> tuple[int | None, Immediate | None]:
    """The mask of lanes of the second of two vectors, if all lanes stay where they are, and the instruction that
    shuffles them otherwise."""
    lanes = len(order)
    if all(lane % lanes == at for at, lane in enumerate(order)):
        return sum(1 << at for at, lane in enumerate(order) if lane >= lanes), None
    return None, immediate(order, REGISTER_BYTES // lanes)
