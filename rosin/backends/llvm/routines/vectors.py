"""Straight code over vectors of floats, as lines of the assembler of x86 with registers of 64 bytes.

LLVM takes some fifty times as long to choose instructions and registers for vectors as it takes to read them. Here
code is written down step by step, as an `Emitter`'s is, and in the end each value gets a register from where it is made
to where it is used last. Where there are too few, the value that is needed last goes to the stack (Belady, A study of
replacement algorithms for a virtual-storage computer, 1966).

The code stands in a loop. Values of an outer level, which are the same each time, have a register throughout where
there are some left, and lie in memory otherwise, from where instructions take them.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.turns import BYTES
from rosin.backends.llvm.shuffles import REGISTERS, in_one

RESERVED = 4
"""Registers that values of outer levels have at least, if there are so many."""
MOST_RESERVED = 24
TEMPORARY = range(2, 8)
"""Registers of values that come before the loop alone. Functions are given what they are told in those before these."""
BODY = 2
"""The level of the loop; those before it are of the function and of a loop around."""

_MOVES = {16: "vmovups", 32: "vmovups", 64: "vmovups", 8: "vmovsd"}
_LETTERS = {8: "x", 16: "x", 32: "y", 64: "z"}


class Place:
    """Where in memory a vector is: what it is called, and the group whose address a register has then."""

    def __init__(self, text: str, base: Base | None = None, group: int = 0) -> None:
        self.text, self.base, self.group = text, base, group


class Base:
    """A register in which there is the address of one group of numbers at a time."""

    def __init__(self, register: str, pointer: str, stride: str) -> None:
        self.register, self.pointer, self.stride = register, pointer, stride
        self.group = 0

    def lines(self, group: int) -> list[str]:
        """What puts the address of a group there: groups are eight strides apart."""
        if self.group == group:
            return []
        self.group = group
        first = f"leaq ({self.pointer},{self.stride},8), {self.register}"
        return [first, *[f"leaq ({self.register},{self.stride},8), {self.register}"] * (group - 1)]


class _Step:
    """Something that is done with values, which have numbers."""

    __slots__ = ("given", "kind", "made", "order", "place", "signs")

    def __init__(
        self,
        kind: str,
        given: tuple[int, ...],
        made: int,
        place: Place | None = None,
        order: tuple[int, ...] = (),
        signs: tuple[bool, bool] = (False, False),
    ) -> None:
        """`signs` say whether a product is negated, and what is added to it."""
        self.kind, self.given, self.made, self.place, self.order, self.signs = kind, given, made, place, order, signs


class Vectors:
    """Code as it is written down, by the names that an `Emitter` has for it. A `Val` is the number of a value, which is
    negative where the value is to be negated."""

    def __init__(self, name: str, elem: str, lanes: int) -> None:
        self.name, self.elem, self.lanes = name, elem, lanes
        self.level = 0
        self.steps: list[_Step] = []
        self.makers: dict[int, int] = {}
        """The step that makes a value, by its number."""
        self.levels: list[int] = [0]
        self.homes: dict[int, str] = {}
        """What values are called that lie in memory from the beginning."""
        self.constants: dict[str, int] = {}
        """The numbers of those that there are, by their lanes."""
        self.negated: dict[int, int] = {}
        self.shuffles: dict[tuple[int, ...], Val] = {}
        """What there is already: squares that overlap have shuffles in common."""
        self.tail: int | None = None
        """The step, if there is one, from which on all is done as soon as it can be."""

    # -- what code is made of ----------------------------------------------------------------------------------

    def like(self, value: float, x: Val) -> Val:
        return self._constant([value], f"{{1to{self._spread}}}")

    def alternating(self, even: float, odd: float) -> Val:
        """A constant whose lanes have one value and another in turns."""
        return self._constant([even, odd] * (max(self.lanes, self._spread) // 2), "")

    def broadcast(self, place: str, level: int) -> Val:
        """A number in memory in all lanes; it stays what it is in a loop of this level."""
        number = self._number(level)
        self.homes[number] = f"{place}{{1to{self._spread}}}"
        return self._val(number)

    def splat(self, register: str) -> Val:
        """The lowest lane of a register in all lanes, which there is when the function begins."""
        return self._made("splat", (), place=Place(register))

    def load(self, place: Place) -> Val:
        return self._made("load", (), place=place)

    def store(self, x: Val, place: Place) -> None:
        self.steps.append(_Step("store", (self._plain(x),), 0, place))

    def fadd(self, a: Val, b: Val) -> Val:
        return self._sum(int(a.ref), int(b.ref))

    def fsub(self, a: Val, b: Val) -> Val:
        return self._sum(int(a.ref), -int(b.ref))

    def _sum(self, a: int, b: int) -> Val:
        if a < 0 and b < 0:
            # The negated sum might be the other zero.
            a = self._plain(Val(str(a), self.elem, self.lanes))
        if a < 0:
            a, b = b, a
        if -b == self.constants.get(self._bits(0.0)):
            return self._val(a)
        return self._made("add" if b > 0 else "sub", (a, abs(b)))

    def fmul(self, a: Val, b: Val) -> Val:
        x, y = int(a.ref), int(b.ref)
        made = self._made("mul", (abs(x), abs(y)))
        return self.fneg(made) if (x < 0) != (y < 0) else made

    def fma(self, a: Val, b: Val, c: Val) -> Val:
        x, y, z = int(a.ref), int(b.ref), int(c.ref)
        return self._made("fma", (abs(x), abs(y), abs(z)), signs=((x < 0) != (y < 0), z < 0))

    def fneg(self, a: Val) -> Val:
        return self._val(-int(a.ref))

    def shuffle(self, left: Val, right: Val, order: Sequence[int]) -> Val:
        x, half = self._plain(left), self.lanes
        if half < self._spread:
            # The lanes that a vector lacks stay what they are.
            order = [lane if lane < half else lane - half + self._spread for lane in order]
            order += range(half, self._spread)
        given = (x, x if right.ref == left.ref else self._plain(right))
        known = self.shuffles.get((*given, *order))
        if known is None:
            known = self.shuffles[*given, *order] = self._made("shuffle", given, order=tuple(order))
        return known

    def opaque(self, x: Val) -> Val:
        """As an `Emitter`'s, from which this is not hidden."""
        return x

    @property
    def _spread(self) -> int:
        """The lanes of the register."""
        return max(self.lanes, 16 // BYTES[self.elem])

    def _plain(self, x: Val) -> int:
        """A value that is not negated."""
        number = int(x.ref)
        if number < 0 and number not in self.negated:
            self.negated[number] = int(self._made("mul", (-number, int(self.like(-1.0, x).ref))).ref)
        return self.negated.get(number, number)

    def _constant(self, values: Sequence[float], after: str) -> Val:
        text = ", ".join(map(self._bits, values))
        if text not in self.constants:
            number = self.constants[text] = self._number(0)
            self.homes[number] = f".L{self.name}_{len(self.constants)}(%rip){after}"
        return self._val(self.constants[text])

    def _bits(self, value: float) -> str:
        if self.elem == "float":
            return f"0x{struct.unpack('<I', struct.pack('<f', value))[0]:x}"
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:x}"

    def _number(self, level: int) -> int:
        self.levels.append(level)
        return len(self.levels) - 1

    def _val(self, number: int) -> Val:
        return Val(str(number), self.elem, self.lanes)

    def _made(
        self,
        kind: str,
        given: tuple[int, ...],
        place: Place | None = None,
        order: tuple[int, ...] = (),
        signs: tuple[bool, bool] = (False, False),
    ) -> Val:
        number = self._number(self.level)
        self.makers[number] = len(self.steps)
        self.steps.append(_Step(kind, given, number, place, order, signs))
        return self._val(number)

    # -- in the end --------------------------------------------------------------------------------------------

    def written(self) -> Written:
        """The lines of each level."""
        return Written(self)

    def needed(self) -> list[_Step]:
        """The steps that come to something that is stored."""
        wanted: set[int] = set()
        found: list[_Step] = []
        for step in reversed(self.steps):
            if not step.made or step.made in wanted:
                wanted.update(step.given)
                found.append(step)
        return found[::-1]

    def in_order(self, steps: Sequence[_Step]) -> list[_Step]:
        """The steps of the loop. What is loaded is so where it is first used, and the tail is done as it can be."""
        own = [step for step in steps if not step.made or self.levels[step.made] == BODY]
        keys: dict[int, int] = {}
        lazy: dict[int, _Step] = {}
        kept: list[tuple[int, int, _Step]] = []
        for at, step in enumerate(own):
            is_late = self.tail is not None and step.made > 0 and self.makers[step.made] >= self.tail
            is_last = is_late or (self.tail is not None and not step.made)
            before = [keys[number] for number in step.given if number in keys]
            if step.kind == "load" or (is_late and not before):
                lazy[step.made] = step
                continue
            key = max(before, default=at) if is_last else at
            keys[step.made] = key
            kept.append((key, at, step))
        found: list[_Step] = []

        def demand(step: _Step) -> None:
            for number in step.given:
                waiting = lazy.pop(number, None)
                if waiting is not None:
                    demand(waiting)
            found.append(step)

        for _, _, step in sorted(kept, key=lambda each: each[:2]):
            demand(step)
        return found


class Written:
    """The lines of code in registers."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors, self.elem = vectors, vectors.elem
        self.bytes = BYTES[self.elem] * vectors.lanes
        self.letter, self.move = _LETTERS[self.bytes], _MOVES[self.bytes]
        self.suffix = "ps" if self.elem == "float" else "pd"
        self.lines: list[list[str]] = [[] for _ in range(BODY + 1)]
        """Of each level."""
        self.orders: dict[tuple[int, ...], int] = {}
        """Those of shuffles that lie in memory, by their numbers."""
        self.slots = 0
        """Those of 64 bytes on the stack."""
        self.free_slots: list[int] = []
        self.left_slots: list[int] = []
        """Slots that are free once the step is written."""
        self.homes = dict(vectors.homes)
        self.registers: dict[int, int] = {}
        steps = vectors.needed()
        body = vectors.in_order(steps)
        self.uses: dict[int, list[int]] = defaultdict(list)
        """The steps at which each value is used, the last one first."""
        for at in range(len(body) - 1, -1, -1):
            for number in dict.fromkeys(body[at].given):
                self.uses[number].append(at)
        self.spilled: set[int] = set()
        """Values of the loop that have slots."""
        self.loads: dict[int, Place] = {}
        """What is still to be loaded."""
        self.writers = {"store": self._store, "shuffle": self._shuffle, "fma": self._fma}
        self.writers |= dict.fromkeys(("add", "sub", "mul"), self._binary)
        self._outside([step for step in steps if step.made and vectors.levels[step.made] < BODY], body)
        for step in body:
            self._write(step)
            self.free_slots += self.left_slots
            self.left_slots.clear()

    # -- outer levels ------------------------------------------------------------------------------------------

    def _outside(self, steps: Sequence[_Step], body: Sequence[_Step]) -> None:
        """Give values of outer levels their registers, and compute them."""
        levels = self.vectors.levels
        within = {number for step in steps for number in step.given if levels[number] < levels[step.made]}
        outer = [number for number in {*self.uses, *within} if levels[number] < BODY]
        count = min(len(outer), max(REGISTERS - self._most(body), RESERVED), MOST_RESERVED)
        # First those that are used most, and of these those that whole registers in memory would be.
        outer.sort(key=lambda number: (-len(self.uses[number]), number in self.homes, number))
        self.free = list(range(REGISTERS - count))
        self.registers = {number: REGISTERS - 1 - at for at, number in enumerate(outer[:count])}
        for number, register in self.registers.items():
            home = self.homes.pop(number, None)
            if home is not None:
                self._move(home, self._name(register), levels[number])
        known: dict[int, int] = {}
        for step in steps:
            register = self.registers.get(step.made, TEMPORARY[len(known) % len(TEMPORARY)])
            self._compute(step, self._name(register), known)
            if step.made in outer and step.made not in self.registers:
                self._spill(step.made, register, levels[step.made])
                self.spilled.discard(step.made)
            else:
                known[step.made] = register
        self.fixed = set(self.registers)

    def _compute(self, step: _Step, goal: str, known: dict[int, int]) -> None:
        level = self.vectors.levels[step.made]
        if step.kind == "splat":
            assert step.place is not None
            self._move(f"{step.place.text}{{1to", goal, level)
            return
        assert step.kind == "mul"
        near = self.registers | known
        a, b = (self._name(near[n]) if n in near else self.homes[n] for n in step.given)
        if not b.startswith("%"):
            a, b = b, a
        if not b.startswith("%"):
            self._move(b, goal, level)
            b = goal
        self.lines[level].append(f"vmul{self.suffix} {a}, {b}, {goal}")

    def _most(self, body: Sequence[_Step]) -> int:
        """How many values of the loop there are at a time at most."""
        last = {number: uses[0] for number, uses in self.uses.items() if self.vectors.levels[number] == BODY}
        ends: dict[int, int] = defaultdict(int)
        for at in last.values():
            ends[at] += 1
        now = most = 0
        for at, step in enumerate(body):
            now += bool(step.made)
            most = max(most, now)
            now -= ends[at]
        return most

    # -- the loop ----------------------------------------------------------------------------------------------

    def _write(self, step: _Step) -> None:
        for number in dict.fromkeys(step.given):
            self.uses[number].pop()
        if step.kind != "load":
            self.writers[step.kind](step)
            return
        assert step.place is not None
        self.loads[step.made] = step.place

    def _store(self, step: _Step) -> None:
        assert step.place is not None
        source = self._in_register(step.given[0], step)
        self.lines[BODY] += self._before(step.place)
        self.lines[BODY].append(f"{self.move} {source}, {step.place.text}")
        self._release(step)

    def _binary(self, step: _Step) -> None:
        a, b = step.given
        if step.kind != "sub" and not self._is_near(a) and self._is_near(b):
            a, b = b, a
        first = self._in_register(a, step)
        second = first if a == b else self._operand(b, step)
        self._release(step)
        goal = self._new(step.made, step)
        self.lines[BODY].append(f"v{step.kind}{self.suffix} {second}, {first}, {goal}")

    def _fma(self, step: _Step) -> None:
        """One of the operands becomes the result: one that is not needed any more, or a copy."""
        a, b, c = step.given
        sign = ("fn" if step.signs[0] else "f") + ("msub" if step.signs[1] else "madd")
        if not self._is_near(a) and self._is_near(b):
            a, b = b, a
        dying = [n for n in (c, a, b) if self._dies(n) and self._is_near(n) and step.given.count(n) == 1]
        if dying and dying[0] == c:
            first, second, form, kept = a, b, "231", c
        elif dying:
            kept = dying[0]
            other = b if kept == a else a
            # What may lie in memory is added to a product, or in it.
            is_added = self._is_near(other) or not self._is_near(c)
            first, second, form = (other, c, "213") if is_added else (c, other, "132")
        else:
            first, second, form, kept = a, b, "231", 0
        if kept:
            self._in_register(kept, step)
        near = self._in_register(first, step)
        far = near if first == second else self._operand(second, step)
        if kept:
            register = self.registers.pop(kept)
            self.registers[step.made] = register
            self._release(step)
            goal = self._name(register)
        else:
            source = self._operand(c, step)
            goal = self._new(step.made, step)
            self._move(source, goal)
            self._release(step)
        self.lines[BODY].append(f"v{sign}{form}{self.suffix} {far}, {near}, {goal}")

    def _shuffle(self, step: _Step) -> None:
        left, right = (self._in_register(number, step) for number in step.given)
        line, index = self._shuffle_line(step.order, left, right)
        if index is None:
            self._release(step)
            self.lines[BODY].append(f"{line}, {self._new(step.made, step)}")
            return
        goal = self._new(step.made, step)
        self._release(step)
        at = self.orders.setdefault(index, len(self.orders))
        self.lines[BODY].append(f"vmovups .L{self.vectors.name}_order_{at}(%rip), {goal}")
        self.lines[BODY].append(f"{line}, {goal}")

    def _shuffle_line(self, order: tuple[int, ...], left: str, right: str) -> tuple[str, tuple[int, ...] | None]:
        """An instruction but for its result, and the order that this is to be before, if it is."""
        found = in_one(order, BYTES[self.elem])
        if found is not None:
            name, number, sources = found
            first, second = ((left, right)[source] for source in sources)
            return (f"{name} {second}, {first}" if number is None else f"{name} ${number}, {second}, {first}"), None
        if left == right:
            return f"vpermi2{self.suffix} {left}, {left}", tuple(lane % len(order) for lane in order)
        return f"vpermi2{self.suffix} {right}, {left}", order

    # -- where values are --------------------------------------------------------------------------------------

    def _name(self, register: int) -> str:
        return f"%{self.letter}mm{register}"

    def _move(self, source: str, goal: str, level: int = BODY) -> None:
        """What puts an operand in a register."""
        source, one, _ = source.partition("{1to")
        if one:
            move = "vmovddup" if self.bytes == 16 and self.elem == "double" else f"vbroadcasts{self.suffix[1]}"
        else:
            move = "vmovaps" if source.startswith("%") else "vmovups"
        self.lines[level].append(f"{move} {source}, {goal}")

    def _dies(self, number: int) -> bool:
        return not self.uses[number] and number not in self.fixed

    def _is_near(self, number: int) -> bool:
        """Whether a value is in a register, or will have to be."""
        return number in self.registers or (number in self.loads and not self._folds(number))

    def _folds(self, number: int) -> bool:
        """Whether an instruction may take what is to be loaded as it lies in memory."""
        return not self.uses[number] and self.bytes >= 16

    def _before(self, place: Place) -> list[str]:
        return [] if place.base is None else place.base.lines(place.group)

    def _operand(self, number: int, step: _Step) -> str:
        """A value as the one operand of an instruction that may lie in memory."""
        if number in self.registers:
            return self._name(self.registers[number])
        place = self.loads.get(number)
        if place is not None:
            if not self._folds(number):
                return self._in_register(number, step)
            del self.loads[number]
            self.lines[BODY] += self._before(place)
            return place.text
        return self.homes[number]

    def _in_register(self, number: int, step: _Step) -> str:
        if number in self.registers:
            return self._name(self.registers[number])
        place = self.loads.pop(number, None)
        if place is not None:
            goal = self._new(number, step)
            self.lines[BODY] += self._before(place)
            self.lines[BODY].append(f"{self.move} {place.text}, {goal}")
            return goal
        goal = self._new(number, step)
        self._move(self.homes[number], goal)
        return goal

    def _release(self, step: _Step) -> None:
        """Give back the registers of what is not needed any more, and of what lies in memory throughout."""
        for number in step.given:
            if number not in self.fixed and (not self.uses[number] or self.vectors.levels[number] < BODY):
                register = self.registers.pop(number, None)
                if register is not None:
                    self.free.append(register)
                if number in self.spilled:
                    self.spilled.discard(number)
                    # What the step makes may have another value leave its register before the step reads this.
                    self.left_slots.append(int(self.homes.pop(number).partition("(")[0]) // 64)

    def _new(self, number: int, step: _Step) -> str:
        """A register for a value."""
        if not self.free:
            self._evict(step)
        register = self.registers[number] = self.free.pop()
        return self._name(register)

    def _evict(self, step: _Step) -> None:
        """Have the value leave its register that is needed last."""
        uses, kept = self.uses, {*step.given, step.made, *self.fixed}
        number = max((n for n in self.registers if n not in kept), key=lambda n: uses[n][-1])
        register = self.registers.pop(number)
        if number not in self.homes:
            self._spill(number, register, BODY)
        self.free.append(register)

    def _spill(self, number: int, register: int, level: int) -> None:
        slot = self.free_slots.pop() if self.free_slots else self.slots
        self.slots = max(self.slots, slot + 1)
        self.homes[number] = f"{64 * slot}(%rsp)"
        self.spilled.add(number)
        self.lines[level].append(f"vmovups {self._name(register)}, {64 * slot}(%rsp)")

    # -- data --------------------------------------------------------------------------------------------------

    def data(self) -> list[str]:
        """What lies in memory, which nothing writes."""
        vectors = self.vectors
        word = ".long" if self.elem == "float" else ".quad"
        lines: list[str] = []
        for at, text in enumerate(vectors.constants):
            lines += [".p2align 6" if ", " in text else ".p2align 3", f".L{vectors.name}_{at + 1}:", f"{word} {text}"]
        for order, at in self.orders.items():
            lines += [".p2align 6", f".L{vectors.name}_order_{at}:", f"{word} {', '.join(map(str, order))}"]
        return lines
