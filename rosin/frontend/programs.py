"""The programs that a compiled function has become: one for each signature, or one for many sizes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import trace as tr
from rosin.frontend import tree
from rosin.frontend.dynamic import Pattern, differing, fits, opened
from rosin.frontend.kept import Kept
from rosin.frontend.signature import Types
from rosin.frontend.signatures import Signature
from rosin.frontend.staging import Staged
from rosin.ir.dataclass import dataclass
from rosin.ir.op import NumpyArray
from rosin.ir.sizes import Sizes

if TYPE_CHECKING:
    from rosin.runtime.executable import Executable

MOST_MET = 64
"""How many calls that compiled are remembered."""


@dataclass(slots=True, eq=False)
class Program:
    """What one signature was compiled to."""

    staged: Staged
    executable: Executable
    captures: tuple[tr.Captured, ...]
    native: Callable[..., Any]
    """Takes the leaves and captures; gives the outputs as a tuple, or `MISSED`."""
    direct: Callable[..., Any] | None
    """Takes the arguments and gives the result, where these are arrays and this is one or several."""
    signature: Signature
    pattern: Pattern | None = None
    kept: Kept | None = None
    """What is computed once from the captures, if anything is."""
    sizes: Sizes | None = None
    """Where the symbols of the pattern are read, with the guards."""

    def serves(self, types: Types) -> bool:
        """Whether this program with symbolic sizes is for a call of these types, whose dtypes are the same.

        Raises:
            ConstraintError: the sizes break a condition.
        """
        assert self.pattern is not None
        assert self.sizes is not None
        same = len(types) == len(self.signature.types) and all(
            a == b for (a, _), (b, _) in zip(types, self.signature.types, strict=True)
        )
        return same and fits(self.pattern, self.sizes, self.executable.sizes, types)

    def run(self, values: Sequence[NumpyArray]) -> Any:
        """The result for NumPy arrays of this signature."""
        captured = [_ordered(c) for c in self.captures]
        prepared = None if self.kept is None else self.kept.prepared()
        outputs = self.executable(*values, *captured, prepared=prepared)
        return tree.unflatten(self.staged.structure, [tr.wrap(o) for o in outputs])


MISSED: Any = object()
"""In place of outputs: the leaves are not what the native entry takes."""


def miss(*given: Any) -> Any:
    """What native entries call for leaves that they do not take."""
    return MISSED


def entry_of(executable: Executable, kept: Kept | None, miss: Callable[..., Any], single: bool) -> Callable[..., Any]:
    """The native entry of a program, which calls `miss` for leaves that it does not take."""
    if kept is not None:
        return kept.entry(value_offset(), miss, single)
    return executable.entry(tr.array_type(), value_offset(), miss, single)


@functools.cache
def value_offset() -> int:
    """Where in an array, for native code, its NumPy array is."""
    from rosin.runtime.entry import slot_offset

    return slot_offset(tr.array_type(), "_value")


class Family:
    """The programs for one tree of arguments and one set of static values."""

    __slots__ = ("last", "met", "open", "programs", "refused", "symbolic")

    def __init__(self) -> None:
        self.programs: dict[Types, Program] = {}
        self.symbolic: list[Program] = []
        """Programs for many sizes, newest first."""
        self.last: Program | None = None
        self.met: list[Types] = []
        """The last calls that compiled, by which the axes that become symbolic are seen."""
        self.open: set[tuple[int, int]] = set()
        self.refused: str = ""
        """Why axes do not become symbolic by themselves, once the function could not be traced so."""

    def find(self, types: Types) -> Program | None:
        """The program for a call of these types.

        Raises:
            ConstraintError: it has a symbolic size that breaks a condition.
        """
        found = self.programs.get(types)
        return found if found is not None else next((p for p in self.symbolic if p.serves(types)), None)

    def automatic(self, types: Types, paths: Sequence[str]) -> Pattern | None:
        """The pattern for a call, in which the axes are symbolic that were met with another size."""
        if self.refused:
            return None
        self.open |= differing(types, self.met)
        axes = ", ".join(f"axis {axis} of `{paths[leaf]}`" for leaf, axis in sorted(self.open))
        return opened(types, paths, self.open, f"a second size of {axes}") if self.open else None

    def note(self, types: Types) -> None:
        """Remember a call that compiles."""
        self.met = [*self.met, types][-MOST_MET:]

    def add(self, program: Program) -> None:
        """Take up a program with symbolic sizes."""
        self.symbolic = [program, *self.symbolic]

    def drop(self, program: Program) -> None:
        """Forget a program."""
        self.programs = {types: p for types, p in self.programs.items() if p is not program}
        self.symbolic = [p for p in self.symbolic if p is not program]
        if self.last is program:
            self.last = None


def _ordered(captured: tr.Captured) -> NumpyArray:
    array = tr.numpy_of(captured)
    return array if array.flags.c_contiguous else np.array(array, order="C")
