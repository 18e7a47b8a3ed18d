"""Where in the user's program a node came from, and how that place is shown."""

from __future__ import annotations

import linecache
from types import CodeType
from typing import TypeAlias

from rosin.ir.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a source file. Columns are zero-based and may be unknown (-1)."""

    file: str
    line: int
    function: str = ""
    column: int = -1
    end_column: int = -1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def describe(self) -> str:
        """File, line and function, then the line of source with carets under the expression."""
        head = f'  File "{self.file}", line {self.line}' + (f", in {self.function}" if self.function else "")
        source = linecache.getline(self.file, self.line).rstrip("\n")
        if not source.strip():
            return head
        text = source.lstrip()
        indent = len(source) - len(text)
        lines = [head, "    " + text]
        if 0 <= self.column < self.end_column <= len(source):
            lines.append("    " + " " * (self.column - indent) + "^" * (self.end_column - self.column))
        return "\n".join(lines)


_Position: TypeAlias = "tuple[int | None, int | None, int | None, int | None]"
_positions: dict[int, tuple[CodeType, list[_Position]]] = {}
"""Where the instructions of each code object stand."""
_POSITIONS_LIMIT = 4096


def of_instruction(code: CodeType, lasti: int) -> Location:
    """The place of one bytecode instruction; its columns are known when it stands on one line."""
    # Kept by id, since hashing a code object reads all of it; the entry keeps the code alive, so the id stays its own.
    found = _positions.get(id(code))
    if found is None:
        if len(_positions) >= _POSITIONS_LIMIT:
            _positions.clear()
        found = _positions[id(code)] = (code, list(code.co_positions()))
    return _place(code, found[1], lasti)


def _place(code: CodeType, positions: list[_Position], lasti: int) -> Location:
    if not 0 <= lasti < 2 * len(positions):
        return Location(code.co_filename, code.co_firstlineno, code.co_qualname)
    line, end_line, column, end_column = positions[lasti // 2]
    line = line or code.co_firstlineno
    if line != end_line or column is None or end_column is None:
        return Location(code.co_filename, line, code.co_qualname)
    return Location(code.co_filename, line, code.co_qualname, column, end_column)
