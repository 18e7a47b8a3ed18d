"""Variables of a function as SSA values, made while the function is written.

Whoever writes a function says where blocks begin and where they branch to, and reads and writes variables; where
different values meet, a phi comes to stand at the head of the block. Braun, Buchwald, Hack, Leißa, Mallon and Zwinkau,
Simple and Efficient Construction of Static Single Assignment Form (CC 2013). Stack slots would do, but LLVM would have
to read them, and to find out that they are registers.
"""

from __future__ import annotations

from collections.abc import Callable

from rosin.ir.dataclass import dataclass

__all__ = ["Flow", "Variable"]


@dataclass(frozen=True, eq=False, slots=True)
class Variable:
    """Something in a function that changes."""

    type: str
    elem: str
    lanes: int
    hint: str
    """What its values are named after where they meet."""


class _Block:
    """A block: what variables hold at its head and at its end, or where it has got to, as far as somebody asked."""

    def __init__(self, label: str, lines: list[str], before: list[_Block], is_loop: bool = False) -> None:
        self.label = label
        self.lines, self.at = lines, len(lines) - 1
        """Where its label stands in the function."""
        self.before = before
        """The blocks that branch to it."""
        self.is_loop = is_loop
        """Whether blocks that come after it branch to it, too."""
        self.is_open = is_loop
        """Whether more of those may come."""
        self.enters = before[0] if is_loop and len(before) == 1 else None
        """Of a loop, the block before that branches to it, if that is one."""
        self.heads: dict[Variable, str] = {}
        self.values: dict[Variable, str] = {}
        self.written: set[Variable] = set()
        """Of a loop, the variables that are written in it."""


class Flow:
    """The blocks of one function, which `named` gives names for new values."""

    def __init__(self, label: str, named: Callable[[str], str]) -> None:
        self._named = named
        self._here = _Block(label, [], [])
        self._coming: dict[str, list[_Block]] = {}
        """For labels of blocks that have not begun, the blocks that branch there."""
        self._open: dict[str, _Block] = {}
        """Loops that are being written, by their labels."""

    # -- blocks --------------------------------------------------------------------------------------------

    def goes(self, label: str) -> None:
        """This block branches there."""
        loop = self._open.get(label)
        before = self._coming.setdefault(label, []) if loop is None else loop.before
        if self._here not in before:
            before.append(self._here)

    def begin(self, label: str, lines: list[str], is_loop: bool) -> None:
        """A block begins with the last of these lines, its label. That of a loop is open until it is closed."""
        before = self._coming.pop(label, [])
        self._here = _Block(label, lines, before, is_loop)
        if is_loop:
            self._open[label] = self._here

    def close(self, label: str) -> None:
        """No more blocks will branch to this one, that of a loop."""
        block = self._open.pop(label)
        block.is_open = False
        for variable, phi in block.heads.items():
            self._join(block, variable, phi)

    # -- variables -----------------------------------------------------------------------------------------

    def write(self, variable: Variable, value: str) -> None:
        self._here.values[variable] = value
        for loop in self._open.values():
            loop.written.add(variable)

    def read(self, variable: Variable) -> str:
        return self._at_end(self._here, variable)

    def _at_end(self, block: _Block, variable: Variable) -> str:
        passed: list[_Block] = []
        while (found := block.values.get(variable)) is None:
            passed.append(block)
            if block.is_open or variable in block.heads:
                found = block.heads.get(variable) or self._promised(block, variable)
                break
            if len(block.before) == 1:
                block = block.before[0]
            elif block.enters is not None and variable not in block.written:
                block = block.enters
            elif block.before:
                found = self._met(block, variable)
                break
            else:
                found = "poison"
                break
        for one in passed:
            one.values[variable] = found
        return found

    def _promised(self, block: _Block, variable: Variable) -> str:
        """A phi at the head of a block, of which the operands come later."""
        phi = block.heads[variable] = self._named(variable.hint)
        return phi

    def _met(self, block: _Block, variable: Variable) -> str:
        """What a variable holds where several blocks meet."""
        if not block.is_loop:
            values = {self._at_end(before, variable) for before in block.before}
            if len(values) == 1:
                return values.pop()
        phi = self._promised(block, variable)
        self._join(block, variable, phi)
        return phi

    def _join(self, block: _Block, variable: Variable, phi: str) -> None:
        values = ", ".join(f"[ {self._at_end(before, variable)}, %{before.label} ]" for before in block.before)
        block.lines[block.at] += f"\n  {phi} = phi {variable.type} {values}"
