"""Values in registers of 64 bytes or, for few lanes, in a part of these, computed by lines of the assembler of x86.

A value has a register from where it is computed to where it is used last. Each is computed once, where it is first
needed, but what is computed in lines that may not run, or run again, is known in these alone.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from rosin.backends.llvm.shuffles import REGISTER_BYTES, REGISTERS
from rosin.ir.index import Index
from rosin.ir.loops import Apply, Buffer, Const, Expr, Load
from rosin.ir.ops.arithmetic import Add, Div, Maximum, Minimum, Mul, Sub
from rosin.ir.ops.exponential import Sqrt

__all__ = ["INSTRUCTIONS", "Place", "UnlikeError", "Values", "demand"]

INSTRUCTIONS: dict[type, str] = {
    Add: "add",
    Sub: "sub",
    Mul: "mul",
    Div: "div",
    Sqrt: "sqrt",
    Maximum: "max",
    Minimum: "min",
}
"""What ops are called, of floats."""

_SUFFIXES = {4: "s", 8: "d"}
_NAMES = {64: "z", 32: "y", 16: "x"}
_ZERO = "0x0"
_UNORDERED, _ORDERED, _NOT_LESS_EQUAL, _NOT_GREATER_EQUAL = 0x03, 0x07, 0x16, 0x19
"""What vectors are compared by."""


class UnlikeError(Exception):
    """These lines have no such value, or too few registers."""


def demand(holds: bool) -> None:
    if not holds:
        raise UnlikeError


class Place(NamedTuple):
    """Where a number is, or one for each lane."""

    text: str
    """A register, or an address in memory."""
    of_lanes: bool = True
    """Whether each lane has its own, beside that of the lane before."""

    @property
    def is_register(self) -> bool:
        return self.text.startswith("%")


class Values(ABC):
    """Values of so many bytes each, and the lines that compute them."""

    def __init__(self, bytes: int, lanes: int) -> None:
        """Of `lanes` in all, or of as many as fit a register."""
        demand(bytes in _SUFFIXES and bytes * lanes >= 16)
        register_bytes = min(bytes * lanes, REGISTER_BYTES)
        self.bytes, self.suffix, self.lanes = bytes, _SUFFIXES[bytes], register_bytes // bytes
        self.lines: list[str] = []
        self.free = [f"%{_NAMES[register_bytes]}mm{number}" for number in reversed(range(REGISTERS))]
        self.holders = Counter[str]()
        """How many hold what is in a register."""
        self.registers: dict[Expr, str] = {}
        """What values are in that are still wanted."""
        self.wanted = Counter[Expr]()
        """How often a value is still used."""
        self.constants: dict[str, str] = {}
        """The registers of constants, by their bits."""
        self.bits: dict[Const, str] = {}
        self.masked = ""
        """In a vector of which the first lanes take part alone, what an instruction has that leaves others be."""
        self.compared = "%k2"
        """The mask that comparisons make."""

    @abstractmethod
    def place(self, buffer: Buffer, offset: Index) -> Place:
        """Where an element is, or one for each lane."""

    @contextmanager
    def inside(self) -> Generator[None]:
        """Lines that may not run, or again: what is computed there is not known afterwards, and what was known before
        stays where it is."""
        before = dict(self.registers)
        for register in before.values():
            self.holders[register] += 1
        yield
        for register in before.values():
            self.release(register)
        for value in [value for value in self.registers if value not in before]:
            self.release(self.registers.pop(value))

    # -- values ------------------------------------------------------------------------------------------------

    def value(self, value: Expr) -> str:
        """The register that a value is in, held for one use of it."""
        if isinstance(value, Const):
            register = self.constants[self._bits(value)]
            self.holders[register] += 1
            return register
        self.wanted[value] -= 1
        if value in self.registers:
            register = self.registers[value]
            self.holders[register] += 1
            if not self.wanted[value]:
                del self.registers[value]
                self.release(register)
            return register
        match value:
            case Load():
                register = self.loaded(self.place(value.buffer, value.offset))
            case Apply():
                register = self._computed(value)
            case _:
                raise UnlikeError
        self.keep(value, register)
        return register

    def forget(self) -> None:
        """No value is wanted any more."""
        for register in self.registers.values():
            self.release(register)
        self.registers.clear()

    def keep(self, value: Expr, register: str) -> None:
        """What is in a register is a value, and stays there as long as that is wanted."""
        if self.wanted[value] > 0:
            self.registers[value] = register
            self.holders[register] += 1

    def _computed(self, value: Apply) -> str:
        name, args = INSTRUCTIONS[value.op.__class__], value.args
        if name in ("add", "mul") and self._may_fold(args[0]) and not self._may_fold(args[1]):
            args = args[::-1]
        near = [self.value(arg) for arg in args[: max(len(args) - 1, 1)]]
        far, held = "", near.copy()
        if len(args) == 2:
            far = self.folded(args[1])
            if far.startswith("%"):
                held.append(far)
        if name in ("max", "min"):
            register = self._extreme(name, value, near[0], far)
        else:
            for each in held:
                self.release(each)
            held = []
            register = self.new()
            operands = ", ".join([*([far] if far else []), *near, register])
            self.lines.append(f"v{name}p{self.suffix} {operands}")
        for each in held:
            self.release(each)
        return register

    def _extreme(self, name: str, value: Apply, x: str, y: str) -> str:
        """The greater or the less of two; NaN where there is one."""
        register, kind = self.new(), f"p{self.suffix}"
        if isinstance(value.args[1], Const) and math.isfinite(value.args[1].value):
            # x where it is not less, or not greater, or not comparable.
            how = _NOT_LESS_EQUAL if name == "max" else _NOT_GREATER_EQUAL
            self.lines.append(f"vcmp{kind} $${how}, {y}, {x}, {self.compared}")
            self.lines.append(f"vblendm{kind} {x}, {y}, {register}{{{self.compared}}}")
            return register
        # The instruction gives y where either is NaN.
        self.lines.append(f"v{name}{kind} {y}, {x}, {register}")
        if not isinstance(value.args[0], Const) or not math.isfinite(value.args[0].value):
            self.lines.append(f"vcmp{kind} $${_UNORDERED}, {x}, {x}, {self.compared}")
            self.lines.append(f"vmova{kind} {x}, {register}{{{self.compared}}}")
        return register

    def take_extreme(self, name: str, total: str, value: str) -> None:
        """The greater or the less of a value so far and one more goes where the former is."""
        kind = f"p{self.suffix}"
        found = self.new()
        self.lines.append(f"v{name}{kind} {value}, {total}, {found}")
        # Where the value so far is NaN, it stays so.
        self.lines.append(f"vcmp{kind} $${_ORDERED}, {total}, {total}, {self.compared}")
        self.lines.append(f"vmova{kind} {found}, {total}{{{self.compared}}}")
        self.release(found)

    def _may_fold(self, value: Expr) -> bool:
        """Whether an instruction may take a value from memory."""
        is_alone = isinstance(value, Load) and self.wanted[value] == 1 and value not in self.registers
        return is_alone and not self.masked

    def folded(self, value: Expr) -> str:
        """The second operand of an instruction: in memory, where nothing else needs it, or in a register."""
        if not self._may_fold(value):
            return self.value(value)
        assert isinstance(value, Load)
        self.wanted[value] -= 1
        return self.operand(self.place(value.buffer, value.offset))

    # -- registers ---------------------------------------------------------------------------------------------

    def new(self) -> str:
        """A register that is held."""
        demand(bool(self.free))
        register = self.free.pop()
        self.holders[register] = 1
        return register

    def release(self, register: str) -> None:
        self.holders[register] -= 1
        if not self.holders[register]:
            self.free.append(register)

    def loaded(self, place: Place) -> str:
        register = self.new()
        if place.of_lanes:
            self.lines.append(f"vmovup{self.suffix} {place.text}, {register}{self.masked and self.masked + '{z}'}")
        else:
            self.lines.append(f"vbroadcasts{self.suffix} {place.text}, {register}")
        return register

    def cleared(self) -> str:
        register = self.new()
        self.lines.append(_clear(register))
        return register

    def operand(self, place: Place) -> str:
        """A place in memory as the operand of an instruction."""
        return place.text if place.of_lanes else f"{place.text}{{1to{self.lanes}}}"

    def constant(self, value: Const) -> None:
        """A register of its own for a constant, which has it before all other lines."""
        bits = self._bits(value)
        if bits in self.constants:
            return
        register = self.constants[bits] = self.new()
        if bits == _ZERO:
            self.lines.append(_clear(register))
        elif self.bytes == 4:
            self.lines += [f"movl $${bits}, %eax", f"vpbroadcastd %eax, {register}"]
        else:
            self.lines += [f"movabsq $${bits}, %rax", f"vpbroadcastq %rax, {register}"]

    def is_zero(self, value: Const) -> bool:
        return self._bits(value) == _ZERO

    def _bits(self, value: Const) -> str:
        found = self.bits.get(value)
        if found is None:
            demand(value.dtype.is_float and value.dtype.bytes == self.bytes)
            bytes = np.asarray(value.value, value.dtype.numpy).tobytes()
            found = self.bits[value] = f"0x{int.from_bytes(bytes, 'little'):x}"
        return found


def _clear(register: str) -> str:
    return f"vpxord {register}, {register}, {register}"
