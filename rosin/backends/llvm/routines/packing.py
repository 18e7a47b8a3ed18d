"""Loops over vectors of keys that are packed to two ends, those below a threshold to the left, the others to the right.

They are text of the assembler (straight.py). `<left>` is the first free place at the left, `<right>` the end of those
at the right. Each end has free places for a vector but for the last keys.
"""

from __future__ import annotations

from functools import cache

from rosin.backends.llvm.assembler import assembled
from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.records import BYTES
from rosin.backends.llvm.routines.straight import LETTERS, is_less_line
from rosin.backends.llvm.shuffles import REGISTER_BYTES

OCTET = 8
"""Vectors of so many lanes have a table of orders, one for each mask."""

STEP = 6
"""Vectors of keys that are read together from either end."""

TOGETHER = 4
"""Vectors of keys that are read together from one end."""


class Packing:
    """The loops for keys of a type."""

    def __init__(self, elem: str, declarations: set[str]) -> None:
        self.elem, self.bytes = elem, BYTES[elem]
        self.lanes, self.letter = REGISTER_BYTES // self.bytes, LETTERS[self.bytes]
        self.declarations = declarations

    def from_both_ends(self, e: Emitter, left: Val, right: Val, low: Val, high: Val, threshold: Val) -> list[Val]:
        """The keys from `low` up to `high`, but for less than a step; free places are from `left` to `low`, and from
        `high` to `right`. Gives what these four are in the end.

        A step is read from the end that has fewer free places, which is known a step ahead: `%rsi` and `%rdi` are where
        free places ended before the last one. Moves choose, as nobody can foresee a branch.
        """
        step = STEP * REGISTER_BYTES
        lines = [
            *self._begun(),
            "movq <left>, %rsi",
            "movq <right>, %rdi",
            "jmp 2f",
            ".p2align 5",
            "1:",
            "movq <low>, %rax",
            "subq %rsi, %rax",
            "subq <high>, %rdi",
            f"leaq -{step}(<high>), %r8",
            f"leaq {step}(<low>), %r9",
            "cmpq %rax, %rdi",
            "movq <low>, %rax",
            "cmovlq %r8, %rax",
            "cmovlq %r8, <high>",
            "cmovgeq %r9, <low>",
            "movq <left>, %rsi",
            "movq <right>, %rdi",
            *self._vectors("%rax", STEP),
            "2:",
            "movq <high>, %rax",
            "subq <low>, %rax",
            f"cmpq $${step}, %rax",
            "jge 1b",
        ]
        changed = {"left": left, "right": right, "low": low, "high": high}
        return assembled(e, lines, changed, self._given(threshold))

    def from_low_end(self, e: Emitter, left: Val, right: Val, low: Val, high: Val, threshold: Val) -> list[Val]:
        """The keys from `low` up to `high`, whole vectors of which there are `TOGETHER` or none; gives `left`, `right`
        and `low` in the end."""
        step = TOGETHER * REGISTER_BYTES
        lines = [
            *self._begun(),
            "jmp 2f",
            ".p2align 5",
            "1:",
            *self._vectors("<low>", TOGETHER),
            f"addq $${step}, <low>",
            "2:",
            "cmpq <high>, <low>",
            "jb 1b",
        ]
        changed = {"left": left, "right": right, "low": low}
        return assembled(e, lines, changed, {"high": high, **self._given(threshold)})

    def last(self, e: Emitter, left: Val, right: Val, low: Val, high: Val, threshold: Val) -> Val:
        """The last keys, which are from `low` up to `high`; gives `left` in the end."""
        lines = [
            "movl $$-1, %ecx",
            "jmp 2f",
            ".p2align 5",
            "1:",
            f"shrq $${self.bytes.bit_length() - 1}, %rax",
            f"movl $${self.lanes}, %edx",
            "cmpq %rdx, %rax",
            "cmovaq %rdx, %rax",
            *self._mask_of_first("%k3"),
            f"vmovdqu{8 * self.bytes} (<low>), %zmm0{{%k3}}{{z}}",
            is_less_line(self.elem, "%zmm0", "<threshold>", "%k1{%k3}"),
            "kandnw %k3, %k1, %k2",
            *self._packed("%zmm0", "%k1", "%zmm1"),
            *self._mask_of_first("%k3"),
            f"vmovdqu{8 * self.bytes} %zmm1, (<left>){{%k3}}",
            f"leaq (<left>,%rax,{self.bytes}), <left>",
            *self._packed("%zmm0", "%k2", "%zmm1"),
            *self._mask_of_first("%k3"),
            "negq %rax",
            f"leaq (<right>,%rax,{self.bytes}), <right>",
            f"vmovdqu{8 * self.bytes} %zmm1, (<right>){{%k3}}",
            f"addq $${REGISTER_BYTES}, <low>",
            "2:",
            "movq <high>, %rax",
            "subq <low>, %rax",
            "ja 1b",
        ]
        changed = {"left": left, "right": right, "low": low}
        return assembled(e, lines, changed, {"high": high, "threshold": threshold})[0]

    def _vectors(self, start: str, count: int) -> list[str]:
        """All keys of so many vectors, which are read before any is written."""
        vectors = [f"%zmm{i}" for i in range(count)]
        lines = [f"vmovdqu64 {i * REGISTER_BYTES}({start}), {vector}" for i, vector in enumerate(vectors)]
        for vector in vectors:
            lines += self._octet(vector) if self.lanes == OCTET else self._vector(vector)
        return lines

    def _octet(self, x: str) -> list[str]:
        """One of eight keys: those below the threshold and then the others are written to either end."""
        return [
            is_less_line(self.elem, x, "<threshold>", "%k1"),
            "kmovw %k1, %eax",
            "vpmovzxbq (<orders>,%rax,8), %zmm8",
            f"vpermq {x}, %zmm8, %zmm8",
            "popcntl %eax, %eax",
            "vmovdqu64 %zmm8, (<left>)",
            f"vmovdqu64 %zmm8, -{REGISTER_BYTES}(<right>)",
            *self._moved(),
        ]

    def _vector(self, x: str) -> list[str]:
        """One of more keys; `%ecx` has a bit for each."""
        return [
            is_less_line(self.elem, x, "<threshold>", "%k1"),
            "knotw %k1, %k2",
            *self._packed(x, "%k2", "%zmm9"),
            *self._packed(x, "%k1", "%zmm8"),
            "shrxl %eax, %ecx, %edx",
            "kmovw %edx, %k3",
            "vmovdqu64 %zmm8, (<left>)",
            *self._moved(),
            "vmovdqu32 %zmm9, (<right>){%k3}",
        ]

    def _moved(self) -> list[str]:
        """The ends, when `%rax` keys of a vector have gone to the left."""
        ends = (("<left>", 0), ("<right>", -REGISTER_BYTES))
        return [f"leaq {by}({end},%rax,{self.bytes}), {end}" for end, by in ends]

    def _packed(self, x: str, mask: str, goal: str) -> list[str]:
        """The keys of a mask in the first lanes; `%rax` is how many they are."""
        return [f"vpcompress{self.letter} {x}, {goal}{{{mask}}}{{z}}", f"kmovw {mask}, %eax", "popcntl %eax, %eax"]

    def _mask_of_first(self, mask: str) -> list[str]:
        """The mask of the first `%rax` lanes."""
        return ["bzhil %eax, %ecx, %edx", f"kmovw %edx, {mask}"]

    def _begun(self) -> list[str]:
        return [] if self.lanes == OCTET else [f"movl $${(1 << self.lanes) - 1}, %ecx"]

    def _given(self, threshold: Val) -> dict[str, Val]:
        if self.lanes != OCTET:
            return {"threshold": threshold}
        self.declarations.add(f"@orders = internal constant [{1 << OCTET} x i64] [{_orders()}], align 64")
        return {"threshold": threshold, "orders": Val("@orders", "ptr")}


@cache
def _orders() -> str:
    """For each mask of eight its lanes and then the others, each a byte of a word."""
    words: list[str] = []
    for mask in range(1 << OCTET):
        lanes = sorted(range(OCTET), key=lambda lane: not mask >> lane & 1)
        words.append(f"i64 {int.from_bytes(bytes(lanes), 'little', signed=True)}")
    return ", ".join(words)
