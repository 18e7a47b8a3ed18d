"""The table of programs: what each is given, and which of its arguments it has derivatives by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

PROGRAMS: list[Program] = []


@dataclass(frozen=True)
class Program:
    """A function in plain Python, with two sets of arguments of the same types."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    others: tuple[Any, ...]
    by: tuple[int, ...] = ()
    """The arguments it is differentiated by; none if its result jumps."""
    reverse: str = "scan"
    """What reverse mode needs: "scan" if its loops have known lengths, "while" if one has not."""
    slow: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__


def program(
    *arguments: Any, others: tuple[Any, ...], by: tuple[int, ...] = (), reverse: str = "scan", slow: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function into the table."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        both = (tuple(map(_as_array, arguments)), tuple(map(_as_array, others)))
        PROGRAMS.append(Program(function, *both, by, reverse, slow))
        return function

    return add


def _as_array(x: Any) -> Any:
    """Floats in double precision, so that rounding stays out of the comparison; integers as Rosin has Python's."""
    if isinstance(x, float):
        return np.float64(x)
    array = np.asarray(x) if isinstance(x, list) else x
    return array.astype(np.int32) if isinstance(array, np.ndarray) and array.dtype == np.int64 else array


def draws(seed: int, *shape: int) -> Any:
    """Uniform numbers that a program takes as its chance."""
    return np.random.default_rng(seed).random(shape)
