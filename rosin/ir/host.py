"""Functions of the user's that programs call while they run, and the labels that stand for them in text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from rosin.ir.dataclass import dataclass
from rosin.ir.errors import ParseError

Called: TypeAlias = Callable[..., Sequence[Any]]
"""Takes one NumPy array for each operand, and gives one array-like value for each result."""


@dataclass(frozen=True, eq=False)
class HostFunction:
    """A Python function with a label. Two are equal only when they are one, and a label is never given twice."""

    function: Called
    name: str
    label: str = field(init=False)

    def __post_init__(self) -> None:
        word = re.sub(r"\W+", "_", self.name).strip("_") or "function"
        object.__setattr__(self, "label", f"{word}.{next(_numbers)}")
        _known[self.label] = self

    def __str__(self) -> str:
        return f'host("{self.label}")'


@dataclass(frozen=True, eq=False)
class NativeFunction(HostFunction):
    """A C function, by its address in this process; `function`, which it keeps loaded, is the same for Python."""

    address: int = 0


_numbers = itertools.count()
_known: WeakValueDictionary[str, HostFunction] = WeakValueDictionary()


def find(label: str) -> HostFunction:
    """The function of a label.

    Raises:
        ParseError: there is none in this process.
    """
    found = _known.get(label)
    if found is None:
        reason = "the text of a graph holds no Python functions, only labels that their own process knows"
        raise ParseError(f"no host function {label!r} is known in this process, or it is gone: {reason}")
    return found
