"""Functions for short lines side by side (short.py) that are text of the assembler, as passes are (passes.py)."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.passes import framed, module
from rosin.backends.llvm.routines.short import Lines, Points, rows, together
from rosin.backends.llvm.routines.turns import BYTES
from rosin.backends.llvm.routines.vectors import BODY, Place, Vectors
from rosin.backends.llvm.shuffles import REGISTER_BYTES
from rosin.backends.llvm.squares import transposed

SOURCE, TARGET, LINES, SIGN, SCALE = "%rdi", "%rsi", "%rdx", "%xmm0", "%xmm1"
DONE = "%rax"
"""How many lines are done at a time."""


def short_text(name: str, kind: str, length: int, elem: str) -> str:
    """The module of the function called `name` for one kind of transform and one length."""
    return _Short(name, kind, length, elem).text()


class _Short:
    def __init__(self, name: str, kind: str, length: int, elem: str) -> None:
        self.name, self.kind, self.length, self.elem = name, kind, length, elem
        self.lanes = together(kind, length, elem, REGISTER_BYTES)
        self.size = BYTES[elem]
        self.before, self.after = rows(kind, length)

    def text(self) -> str:
        v = Vectors(self.name, self.elem, self.lanes)
        scale, sign = v.splat(SCALE), v.splat(SIGN)
        lines = Lines(v, self.kind, self.length, scale, v.fmul(sign, v.like(-1.0, sign)))
        v.level = BODY
        results = Points(v).transform(lines.given(self._read(v)))
        self._write(v, lines.scaled(results))
        written = v.written()
        code = [
            f"leaq -1({LINES}), {DONE}",
            f"andq ${self.lanes - 1}, {DONE}",
            f"incq {DONE}",
            *written.lines[0],
            ".p2align 5",
            f".L{self.name}_body:",
            *written.lines[BODY],
            # So many lines come first that the last ones end where all do.
            *_on(self.size * self.before, SOURCE),
            *_on(self.size * self.after, TARGET),
            f"subq {DONE}, {LINES}",
            f"movq ${self.lanes}, {DONE}",
            f"jg .L{self.name}_body",
        ]
        return module(self.name, framed(code, written.slots), written.data())

    # -- squares -----------------------------------------------------------------------------------------------

    def _columns(self, row: int) -> list[int]:
        """Where the squares of a row begin; the last one may overlap another."""
        return [min(column, row - self.lanes) for column in range(0, row, self.lanes)]

    def _side(self, v: Vectors, array: str, row: int, column: int) -> list[Place]:
        """A column of a square, line by line."""
        return [Place(f"{self.size * (line * row + column)}({array})") for line in range(self.lanes)]

    def _read(self, v: Vectors) -> list[Val]:
        found: dict[int, Val] = {}
        for column in self._columns(self.before):
            square = transposed(v, [v.load(place) for place in self._side(v, SOURCE, self.before, column)])
            found |= {column + at: x for at, x in enumerate(square)}
        return [found[at] for at in range(self.before)]

    def _write(self, v: Vectors, numbers: Sequence[Val]) -> None:
        for column in self._columns(self.after):
            square = transposed(v, numbers[column : column + self.lanes])
            for x, place in zip(square, self._side(v, TARGET, self.after, column), strict=True):
                v.store(x, place)


def _on(step: int, pointer: str) -> list[str]:
    """A pointer goes on by a step, so many times."""
    return [f"imulq ${step}, {DONE}, %rcx", f"addq %rcx, {pointer}"]
