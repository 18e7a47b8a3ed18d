"""What a line of the tables says: how an operator of PyTorch is written with Rosin, and where the two differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Where: TypeAlias = Callable[..., bool]
"""Of the arguments of a sample, as PyTorch gets them: whether something is said about that sample."""


@dataclass(frozen=True)
class Mapped:
    """A function of Rosin's that takes the arguments of an operator of PyTorch, as arrays of Rosin.

    It translates names and conventions and computes nothing that a user would not write so.
    """

    function: Callable[..., Any]
    lacks: Mapping[str, str] = field(default_factory=dict[str, str])
    """Element types of PyTorch's samples that Rosin refuses, or answers otherwise, each with the reason."""
    apart: Mapping[str, Where] = field(default_factory=dict[str, Where])
    """Reasons for which samples are not compared, each with those that it is about."""
    common: Callable[[Any], Any] | None = None
    """What of the results is compared, where they are not unique: it is applied to those of both."""
    prepared: Callable[..., tuple[Any, ...]] | None = None
    """The positional arguments that both sides are given instead, such as a matrix that is its own adjoint."""
    tolerance: Mapping[str, float] = field(default_factory=dict[str, float])
    """Relative to the greatest element, by element type, where the usual one is too small."""
    errors: Mapping[str, str] = field(default_factory=dict[str, str])
    """Errors of PyTorch's that are none of Rosin's: a part of the message, and why."""
    known: str = ""
    """Why arguments that are no floats have to be known when the function is traced."""
    flat: str = ""
    """Why derivatives are not compared."""
    slopes: Mapping[str, Where] = field(default_factory=dict[str, Where])
    """Reasons for which derivatives are not compared, each with the samples that it is about."""
    backward: str = ""
    """Why PyTorch's forward mode is not what Rosin's is compared with."""
    alone: str = ""
    """Why examples are not batched."""
    eager: str = ""
    """Why it is not compiled."""


NO_SUM = "truth values are no numbers; astype makes numbers of them"
WIDER = "sums of truth values and bytes are wider integers"
BYTES = "PyTorch answers bytes with bytes"
LIKE_NUMPY = "NumPy takes it"


def holds(*dtypes: str) -> Where:
    """Whether the first tensor of a sample has one of these element types."""

    def where(x: Any, *_: Any, **__: Any) -> bool:
        while isinstance(x, list | tuple) and x:
            x = x[0]
        return str(getattr(x, "dtype", "")).removeprefix("torch.") in dtypes

    return where


def is_number(x: Any, *_: Any, **__: Any) -> bool:
    """Whether the first tensor of a sample has no axes."""
    return getattr(x, "ndim", None) == 0


NUMBER: Mapping[str, Where] = {"PyTorch gives a number an axis": is_number}


Table: TypeAlias = "dict[str, Mapped]"


def named(entries: Mapping[str, Callable[..., Any] | Mapped]) -> Table:
    """A table; what needs no words is a function alone."""
    return {name: e if isinstance(e, Mapped) else Mapped(e) for name, e in entries.items()}
