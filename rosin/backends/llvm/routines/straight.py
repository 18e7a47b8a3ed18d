"""Straight code for registers of 64 bytes of x86 as text of the assembler.

LLVM takes some fifty times as long to choose instructions and registers for vectors as it takes to read instructions.
For long code without a loop, all of whose values are in registers, the choice is simple enough to be made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.records import BYTES, FLOATS

REGISTER_BYTES, REGISTERS = 64, 32

_SUFFIXES = {"i32": "d", "i64": "q", "float": "ps", "double": "pd"}
MASKS, COMPARED = 7, 3
"""Registers of masks, but the first one, which is not used; so many of them are for comparisons, in turn."""


def is_straight(parts: Sequence[str], lanes: int) -> bool:
    """Whether there is straight code for vectors of these parts."""
    return len(parts) == 1 and parts[0] in _SUFFIXES and BYTES[parts[0]] * lanes == REGISTER_BYTES


class _Step(NamedTuple):
    """Something that is done, or what two steps are that are done as one."""

    kind: str
    given: tuple[int, ...]
    """The numbers of values."""
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
        """Of each value, by its number."""

    def load(self, number: int) -> Val:
        """A register of the array."""
        return self._add("load", (), 1, number)[0]

    def store(self, x: Val, number: int) -> None:
        self._add("store", (x,), 0, number)

    def shuffle(self, left: Val, right: Val, order: Sequence[int]) -> Val:
        """Lanes of two vectors: these of the two laid end to end. Those of lanes that are shuffled alone are made from
        what they come from."""
        step = self._makers[int(left.ref)]
        if left == right and step.kind == "shuffle":
            lanes = tuple(step.order[lane % self.lanes] for lane in order)
            return self._made(_Step("shuffle", step.given, (len(self._makers),), order=lanes))[0]
        return self._add("shuffle", (left, right), 1, order=order)[0]

    def opaque_bits(self, x: Val) -> Val:
        """As an `Emitter`'s, from which this is not hidden."""
        return x

    def compared(self, x: tuple[Val, ...], y: tuple[Val, ...]) -> tuple[tuple[Val, ...], tuple[Val, ...]]:
        """The lesser and the greater of two registers, lane by lane: where they tie, the second and the first one."""
        less, more = self._add("compare", (*x, *y), 2)
        return (less,), (more,)

    def stage(self, row: tuple[Val, ...], lanes: int) -> tuple[Val, ...]:
        """A register, each lane of which is compared with another one: lane with lane ^ lanes."""
        (x,), every = row, range(self.lanes)
        turned = self.shuffle(x, x, [lane ^ lanes for lane in every])
        (less, _), (more, _) = self._add("compare", (x, turned), 2), self._add("compare", (turned, x), 2)[::-1]
        # Of floats that tie both lanes take the other's, so that none is lost.
        top = 1 << lanes.bit_length() - 1
        return (self.shuffle(less, more, [lane + self.lanes if lane & top else lane for lane in every]),)

    def _add(
        self, kind: str, given: Sequence[Val], makes: int, number: int = 0, order: Sequence[int] = ()
    ) -> list[Val]:
        first = len(self._makers)
        made = tuple(range(first, first + makes))
        return self._made(_Step(kind, tuple(int(x.ref) for x in given), made, number, tuple(order)))

    def _made(self, step: _Step) -> list[Val]:
        self._steps.append(step)
        self._makers += [step] * len(step.made)
        return [Val(str(number), self.elem, self.lanes) for number in step.made]

    def text(self, name: str, address: str, declarations: set[str]) -> str:
        """The line of a function that does it with the array at an address; `name` is for what it needs."""
        return _Written(self.elem, self._needed()).text(name, address, declarations)

    def _needed(self) -> list[_Step]:
        """The steps that come to something that is stored."""
        wanted: set[int] = set()
        found: list[_Step] = []
        for step in reversed(self._steps):
            if not step.made or not wanted.isdisjoint(step.made):
                wanted |= set(step.given)
                found.append(step)
        return found[::-1]


class _Written:
    """Steps in registers, of which each value has one from where it is made to where it is used last."""

    def __init__(self, elem: str, steps: Sequence[_Step]) -> None:
        self.elem, self.suffix = elem, _SUFFIXES[elem]
        self.lines: list[str] = []
        self.orders: dict[tuple[int, ...], int] = {}
        """Where the lanes of each shuffle are among all."""
        self.free = list(range(REGISTERS))[::-1]
        self.places: dict[int, str] = {}
        self.compared = 0
        self.masks: dict[int, str] = {}
        last = {number: at for at, step in enumerate(steps) for number in (*step.made, *step.given)}
        for at, step in enumerate(steps):
            self._write(step, {number for number in (*step.made, *step.given) if last[number] == at})

    def text(self, name: str, address: str, declarations: set[str]) -> str:
        bytes = BYTES[self.elem]
        lanes = ", ".join(f"i{8 * bytes} {lane}" for order in self.orders for lane in order)
        count = sum(map(len, self.orders))
        declarations.add(
            f"@{name}_orders = internal constant [{count} x i{8 * bytes}] [{lanes}], align {REGISTER_BYTES}"
        )
        changed = [f"zmm{i}" for i in range(REGISTERS)] + [f"k{1 + i}" for i in range(MASKS)] + ["rax", "memory"]
        clobbers = ",".join(f"~{{{register}}}" for register in changed)
        code = "\\0A".join(self.lines)
        return f'  call void asm sideeffect "{code}", "r,r,{clobbers}"(ptr {address}, ptr @{name}_orders)'

    def _write(self, step: _Step, done: set[int]) -> None:
        """One step, after which some values are not needed."""
        given = [self.places[number] for number in step.given]
        if step.kind == "load":
            self._line("vmovdqu64", f"{REGISTER_BYTES * step.number}($0)", self._take(step.made[0]))
        elif step.kind == "store":
            self._line("vmovdqu64", given[0], f"{REGISTER_BYTES * step.number}($0)")
        elif step.kind == "shuffle":
            self._shuffle(given, step.order, self._take(step.made[0]))
        else:
            self._compare(given, [self._take(number) for number in step.made])
        for number in done:
            self.free.append(int(self.places.pop(number).removeprefix("%zmm")))

    def _take(self, number: int) -> str:
        place = self.places[number] = f"%zmm{self.free.pop()}"
        return place

    def _line(self, name: str, *operands: str) -> None:
        self.lines.append(f"{name} {', '.join(operands)}")

    def _shuffle(self, given: Sequence[str], order: tuple[int, ...], goal: str) -> None:
        left, right = given
        blended, found = _forms(order)
        mask = None if blended is None else self._mask(blended)
        if mask is not None:
            blend = f"vblendm{self.suffix}" if self.elem in FLOATS else f"vpblendm{self.suffix}"
            self._line(blend, right, left, f"{goal}{{{mask}}}")
            return
        if found is not None:
            name, number, sources = found
            first, second = (given[source] for source in sources)
            self._line(name, f"$${number}", second, first, goal)
            return
        at = self.orders.setdefault(order, len(self.orders))
        self._line("vmovdqa64", f"{REGISTER_BYTES * at}($1)", goal)
        if left == right:
            self._line(f"vperm{self.suffix}", left, goal, goal)
        else:
            self._line(f"vpermi2{self.suffix}", right, left, goal)

    def _mask(self, bits: int) -> str | None:
        """The register of a mask that is always the same, if there is one for it."""
        if bits not in self.masks and len(self.masks) < MASKS - COMPARED:
            self.masks[bits] = f"%k{1 + COMPARED + len(self.masks)}"
            self._line("movl", f"$${bits}", "%eax")
            self._line("kmovw", "%eax", self.masks[bits])
        return self.masks.get(bits)

    def _compare(self, given: Sequence[str], goals: Sequence[str]) -> None:
        (x, y), (less, more) = given, goals
        if self.elem in FLOATS:
            self._line(f"vmin{self.suffix}", y, x, less)
            self._line(f"vmax{self.suffix}", x, y, more)
        elif self.elem == "i64":
            # Processors take longer for the lesser and the greater of such integers than to select them.
            before = f"%k{1 + self.compared % COMPARED}"
            self.compared += 1
            self._line("vpcmpgtq", x, y, before)
            self._line("vpblendmq", x, y, f"{less}{{{before}}}")
            self._line("vpblendmq", y, x, f"{more}{{{before}}}")
        else:
            self._line("vpminsd", y, x, less)
            self._line("vpmaxsd", y, x, more)


_Immediate = tuple[str, int, tuple[int, int]]


@cache
def _forms(order: tuple[int, ...]) -> tuple[int | None, _Immediate | None]:
    """The mask of lanes of the second of two vectors, if all lanes stay where they are, and the instruction that
    shuffles them otherwise."""
    lanes = len(order)
    if all(lane % lanes == at for at, lane in enumerate(order)):
        return sum(1 << at for at, lane in enumerate(order) if lane >= lanes), None
    return None, _immediate(order, REGISTER_BYTES // lanes)


def _immediate(order: Sequence[int], bytes: int) -> _Immediate | None:
    """The instruction that shuffles lanes of so many bytes without having to load where they are, if there is one: its
    name, the number that it takes in place of these, and which two of the vectors it takes."""
    lanes, together = len(order), 16 // bytes
    sources = [lane // lanes for lane in order]
    if bytes == 16:
        within = [lane % lanes for lane in order]
        halves = {tuple(sources[at : at + 2]) for at in (0, 2)}
        if all(len(set(half)) == 1 for half in halves):
            return "vshufi64x2", _digits(within, 2), (sources[0], sources[2])
        return None
    near = all(lane % lanes // together == at // together for at, lane in enumerate(order))
    alike = all(sources[at] == sources[at % together] for at in range(lanes))
    within = [lane % together for lane in order]
    if near and alike and bytes == 8:
        return "vshufpd", _digits(within, 1), (sources[0], sources[1])
    if near and alike and within == within[:together] * (lanes // together):
        if sources[0] == sources[1] and sources[2] == sources[3]:
            return "vshufps", _digits(within[:together], 2), (sources[0], sources[2])
    pairs = list(zip(order[::2], order[1::2], strict=True))
    if all(low % 2 == 0 and high == low + 1 for low, high in pairs):
        return _immediate([low // 2 for low, _ in pairs], 2 * bytes)
    return None


def _digits(digits: Sequence[int], bits: int) -> int:
    """A number of digits of so many bits, the lowest one first."""
    return sum(digit << bits * at for at, digit in enumerate(digits))
