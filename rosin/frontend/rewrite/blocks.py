"""What is known of rewritten code: the blocks that control flow decides, and which variables are live around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import CellType, CodeType, FunctionType
from typing import TypeAlias

from rosin.ir.dataclass import dataclass

Names: TypeAlias = frozenset[str]

CONTINUE, BREAK, RETURN = 1, 2, 3
"""Signals: how a block ends if not at its end, which is None or, where a number is needed, 0."""

VALUE, LAYER = ".value", ".layer"
"""The variables for what the function returns, and that holds the layer. No name of a user's has a dot in it."""


@dataclass(frozen=True)
class Live:
    """The variables that are live where a block ends: at its end, and where a signal leads."""

    end: Names
    after: dict[int, Names] = field(default_factory=dict["int", "Names"])
    raised: Names = frozenset()
    """In the handlers around."""
    last: Names = frozenset()
    """At the end of the block that a statement stands in."""

    def at(self, signal: int) -> Names:
        """Those that are live where a signal leads, 0 being the end."""
        return self.end if signal == 0 else self.after.get(signal, frozenset())


@dataclass(frozen=True)
class Block:
    """What the layer needs to know of a statement that it decides."""

    kind: str
    line: int
    names: tuple[str, ...]
    """The variables that its blocks assign."""
    live: Live
    head: Names = frozenset()
    """For a loop: what is live where a step begins."""
    appended: Names = frozenset()
    """For a loop: lists that its body does nothing with but append to them."""
    outer: Live | None = None
    """For a loop: what is live around it as a whole."""


@dataclass(frozen=True)
class Outcome:
    """What became of a function's code."""

    code: CodeType | None = None
    """None where there is nothing to rewrite."""
    blocks: tuple[Block, ...] = ()
    fixed: Mapping[tuple[str, ...], bool] = field(default_factory=dict["tuple[str, ...]", "bool"])
    """What was asked on the way: of which names, such as `np.sum`, calls stay as they are."""
    reason: str = ""
    """Why it could not be rewritten."""


@dataclass(frozen=True)
class Rewritten:
    """The code of a function after rewriting, and the layer that it calls."""

    code: CodeType
    layer: CellType
    """The cell of the variable LAYER."""

    def over(self, function: FunctionType) -> FunctionType:
        """A function like the given one, with its variables, defaults and attributes, that runs this code."""
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        cells[LAYER] = self.layer
        closure = tuple([cells[name] for name in self.code.co_freevars])
        made = FunctionType(self.code, function.__globals__, function.__name__, function.__defaults__, closure)
        made.__kwdefaults__ = function.__kwdefaults__
        made.__qualname__, made.__module__ = function.__qualname__, function.__module__
        made.__doc__, made.__annotations__ = function.__doc__, function.__annotations__
        made.__dict__.update(function.__dict__)
        return made
