"""Where in the user's program a node came from, and how that place is shown."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from types import CodeType


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


def of_instruction(code: CodeType, lasti: int) -> Location:
    """The place of one bytecode instruction; its columns are known when it stands on one line."""
    for index, (line, end_line, column, end_column) in enumerate(code.co_positions()):
        if index * 2 == lasti:
            on_one_line = line == end_line and column is not None and end_column is not None
            columns = (column, end_column) if on_one_line else (-1, -1)
            return Location(code.co_filename, line or code.co_firstlineno, code.co_qualname, *columns)  # type: ignore[arg-type]
    return Location(code.co_filename, code.co_firstlineno, code.co_qualname)
