"""Passes of Fourier transforms (butterflies.py) as functions that are text of the assembler throughout.

They are for processors of x86 with registers of 64 bytes, and the calls of System V. A pass takes LLVM an eighth of the
time that its other text takes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.butterflies import FIRST, PLAIN, Step, transposed
from rosin.backends.llvm.routines.turns import BYTES, Turns
from rosin.backends.llvm.routines.vectors import BODY, Base, Place, Vectors, Written

SOURCE, TARGET, SETS, COUNT, IN_SET, IN_POINT = "%rdi", "%rsi", "%rdx", "%rcx", "%r8", "%r9"
OUT_SET, OUT_POINT, FACTORS = (f"{8 * (2 + i)}(%rbp)" for i in range(3))
"""Where the arguments of a pass are."""
SIGN, SCALE = "%xmm0", "%xmm1"
ROW = IN_SET
"""Where factors are, once what was there is known."""
STRIDES: tuple[str, ...] = ("%r10", "%r11", "%rbx", "%r12", "%r13", "%r14", "%r15")
OTHERS = ("%rbx", "%r12", "%r13", "%r14", "%r15")
"""Registers for strides, and those of them that belong to the caller."""
GROUP = 8
"""So many numbers are reached from one address."""


class _Points:
    """Numbers that lie a stride apart, by registers of an address, of odd multiples of the stride, and of addresses of
    groups of eight."""

    def __init__(self, pointer: str, stride: str, base: str, count: int, free: list[str]) -> None:
        self.pointer = pointer
        self.strides = [stride, *(free.pop(0) for odd in (3, 5, 7) if count > odd)]
        self.base = Base(base, pointer, stride)

    def odd_strides(self) -> list[str]:
        one, *odd = self.strides
        sums = [f"({one},{one},2)", f"({one},{one},4)", *(f"({three},{one},4)" for three in odd[:1])]
        return [f"leaq {sum}, {register}" for sum, register in zip(sums, odd, strict=False)]

    def at(self, number: int) -> Place:
        group, place = divmod(number, GROUP)
        factor = max(place & -place, 1)
        pointer = self.base.register if group else self.pointer
        by = f",{self.strides[place // factor // 2]},{factor}" if place else ""
        return Place(f"({pointer}{by})", self.base if group else None, group)


def pass_text(name: str, kind: str, radix: int, elem: str, steps: Sequence[Step]) -> str:
    """The module of the pass called `name`, which takes one of these steps."""
    code: list[str] = []
    data: list[str] = []
    for number, step in enumerate(steps):
        one = (_Sets if kind == FIRST else _Neighbours)(f"{name}_{number}", kind, radix, elem, step)
        if number < len(steps) - 1:
            code += [f"cmpq ${step.width}, {SETS if kind == FIRST else COUNT}", f"jl .L{name}_{number + 1}"]
        code += [*one.lines(), f".L{name}_{number + 1}:"]
        data += one.written.data()
    return module(name, code, data)


def module(name: str, code: Sequence[str], data: Sequence[str]) -> str:
    """The module of a function that is text of the assembler, and of what it reads."""
    lines = [".text", f".globl {name}", ".p2align 6", f"{name}:", *code, ".section .rodata", *data]
    return 'module asm "' + "\\0A".join(lines) + '"\n'


def framed(lines: Sequence[str], slots: int, changed: Sequence[str] = ()) -> list[str]:
    """The lines of a function that needs so many slots of 64 bytes, with the registers saved that are the caller's."""
    saved = [(register, f"-{8 * (1 + OTHERS.index(register))}(%rbp)") for register in changed]
    # What is just below the stack is a function's own, as long as it calls no other.
    room = [f"subq ${128 + 64 * slots}, %rsp", "andq $-64, %rsp"] if slots else []
    return [
        "pushq %rbp",
        "movq %rsp, %rbp",
        *room,
        *(f"movq {register}, {place}" for register, place in saved),
        *lines,
        *(f"movq {place}, {register}" for register, place in saved),
        *(["movq %rbp, %rsp"] if room else []),
        "popq %rbp",
        "vzeroupper",
        "retq",
    ]


class _Pass(ABC):
    """The code of one step."""

    written: Written

    def __init__(self, name: str, kind: str, radix: int, elem: str, step: Step) -> None:
        self.name, self.kind, self.radix, self.step = name, kind, radix, step
        self.size = 2 * BYTES[elem]
        self.bytes = self.size * step.width
        self.shift = self.size.bit_length() - 1
        self.free = list(STRIDES)
        self.sources = _Points(SOURCE, IN_POINT, "%rax", radix, self.free)
        self.v = Vectors(name, elem, 2 * step.width)
        self.turns = Turns(self.v, self.v.fmul(self.v.splat(SIGN), self.v.alternating(-1, 1)))
        self.turns.prepare(radix)

    @abstractmethod
    def lines(self) -> list[str]:
        """The code, which ends the function."""

    def _transformed(self) -> list[Val]:
        """The transforms of what is loaded; what follows is done as soon as each is there."""
        v = self.v
        v.level = BODY
        ys = self.turns.transform([v.load(self.sources.at(k)) for k in range(self.radix)])
        v.tail = len(v.steps)
        return ys

    def _local(self, number: int) -> str:
        """A word on the stack, below the registers that are saved."""
        return f"-{8 * (len(OTHERS) + 1 + number)}(%rbp)"

    @property
    def _by(self) -> str:
        """How many bytes are done next, where that is not always the same."""
        return COUNT if self.radix <= GROUP else self._local(0)

    def _first(self, count: str, place: str) -> list[str]:
        """So many bytes come first that the last ones end where the numbers do."""
        if self.step.whole:
            return []
        return [
            f"leaq -{self.size}({count}), %rax",
            f"andq ${self.bytes - 1}, %rax",
            f"addq ${self.size}, %rax",
            f"movq %rax, {place}",
        ]

    def _forward(self, pointers: Sequence[str], count: str, results: int) -> list[str]:
        """Pointers go on by what is done, the target by so many times that, and what is to do becomes less."""
        if self.step.whole:
            on = [f"addq ${self.bytes}, {pointer}" for pointer in pointers]
            return [*on, f"addq ${self.bytes * results}, {TARGET}", f"subq ${self.bytes}, {count}"]
        by, loaded = (COUNT, []) if self._by == COUNT else ("%rax", [f"movq {self._by}, %rax"])
        on = [f"addq {by}, {pointer}" for pointer in pointers]
        # As those of a set lie side by side, %rax may be changed where it is not what is done.
        times = [] if results == 1 else [f"imulq ${results}, {by}, %rax"]
        along = [*times, f"addq {'%rax' if times else by}, {TARGET}"]
        again = [f"movq ${self.bytes}, {self._by}", f"testq {count}, {count}"]
        return [*loaded, *on, f"subq {by}, {count}", *along, *again]


class _Neighbours(_Pass):
    """Some neighbours of each set at a time."""

    def lines(self) -> list[str]:
        self.out_point = self.free.pop(0)
        self.targets = _Points(TARGET, self.out_point, COUNT, self.radix, self.free)
        self._write_down()
        once, of_set, body = self.written.lines
        number = 0 if self.kind == PLAIN else self.radix - 1
        left, bytes, first, gap_in, gap_out = (self._local(i) for i in range(1, 6))
        bytes = COUNT if self.step.whole and self.radix <= GROUP else bytes
        lines = [
            f"movq {SETS}, {left}",
            *self._strides(bytes, gap_in, gap_out),
            *self._first(COUNT, first),
            *once,
            f".L{self.name}_set:",
            *of_set,
            f"movq {bytes}, {SETS}",
            *([] if self.step.whole else [f"movq {first}, %rax", f"movq %rax, {self._by}"]),
            ".p2align 5",
            f".L{self.name}_body:",
            *body,
            *self._forward((SOURCE,), SETS, 1),
            f"jg .L{self.name}_body",
            f"addq {gap_in}, {SOURCE}",
            f"addq {gap_out}, {TARGET}",
            f"addq ${self.size * number}, {ROW}",
            f"decq {left}",
            f"jnz .L{self.name}_set",
        ]
        return framed(lines, self.written.slots, [each for each in OTHERS if each not in self.free])

    def _write_down(self) -> None:
        v, turns = self.v, self.turns
        scale = v.splat(SCALE)
        v.level = 1
        factors: list[tuple[Val, Val]] = []
        for j in range(0 if self.kind == PLAIN else self.radix - 1):
            cosine, sine = (v.broadcast(f"{self.size * j + self.size // 2 * part}({ROW})", 1) for part in range(2))
            factors.append((cosine, v.fmul(turns.forth, sine)))
        for j, y in enumerate(self._transformed()):
            scaled = v.fmul(y, scale) if self.kind == PLAIN else turns.times(y, *factors[j - 1]) if j else y
            v.store(scaled, self.targets.at(j))
        self.written = v.written()

    def _strides(self, bytes: str, gap_in: str, gap_out: str) -> list[str]:
        """All counts as bytes, and how far the end of a set is from the next one."""
        return [
            *(f"shlq ${self.shift}, {register}" for register in (COUNT, IN_SET, IN_POINT)),
            *([] if bytes == COUNT else [f"movq {COUNT}, {bytes}"]),
            f"subq {COUNT}, {IN_SET}",
            f"movq {IN_SET}, {gap_in}",
            f"movq {OUT_SET}, %rax",
            f"shlq ${self.shift}, %rax",
            f"subq {COUNT}, %rax",
            f"movq %rax, {gap_out}",
            f"movq {OUT_POINT}, {self.out_point}",
            f"shlq ${self.shift}, {self.out_point}",
            f"movq {FACTORS}, {ROW}",
            *self.sources.odd_strides(),
            *self.targets.odd_strides(),
        ]


class _Sets(_Pass):
    """Some sets at a time."""

    def lines(self) -> list[str]:
        stride = self.free.pop(0)
        self.rows = _Points(ROW, stride, COUNT, self.radix - 1, self.free)
        self._write_down()
        once, _, body = self.written.lines
        lines = [
            f"shlq ${self.shift}, {SETS}",
            f"shlq ${self.shift}, {IN_POINT}",
            f"movq {SETS}, {stride}",
            f"movq {FACTORS}, {ROW}",
            *self._first(SETS, self._by),
            *self.sources.odd_strides(),
            *self.rows.odd_strides(),
            *once,
            ".p2align 5",
            f".L{self.name}_body:",
            *body,
            *self._forward((SOURCE, ROW), SETS, self.radix),
            f"jg .L{self.name}_body",
        ]
        return framed(lines, self.written.slots, [each for each in OTHERS if each not in self.free])

    def _write_down(self) -> None:
        v, turns, radix, width = self.v, self.turns, self.radix, self.step.width
        ys = self._transformed()
        factors = [turns.factors(v.load(self.rows.at(j))) for j in range(radix - 1)]
        ys[1:] = [turns.times(y, *pair) for y, pair in zip(ys[1:], factors, strict=True)]
        for column in range(0, radix, width):
            # The last square may overlap another.
            first = min(column, radix - width)
            for p, row in enumerate(transposed(v, ys[first : first + width])):
                v.store(row, Place(f"{self.size * (p * radix + first)}({TARGET})"))
        self.written = v.written()
