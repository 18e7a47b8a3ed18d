"""Reading the code that Python made of a function: as `dis` does, without the words for each instruction."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from types import CodeType

__all__ = ["attribute_names", "global_names", "stored"]

_EXTENDED, _NOTHING = dis.opmap["EXTENDED_ARG"], (dis.opmap["CACHE"], dis.opmap["NOP"])


def instructions(code: CodeType, start: int = 0) -> Iterator[tuple[int, int]]:
    """Operation and argument of each instruction from a place on."""
    raw, extended = code.co_code, 0
    for at in range(start, len(raw), 2):
        operation = raw[at]
        if operation == _EXTENDED:
            extended = (extended | raw[at + 1]) << 8
        elif operation not in _NOTHING:
            yield operation, extended | raw[at + 1]
            extended = 0


def _shifts(*names: str) -> dict[int, int]:
    """Operations whose argument is the place of a name, and by how many bits further up: below stand flags."""
    later = {"LOAD_GLOBAL": (3, 11), "LOAD_ATTR": (3, 12)}
    return {
        dis.opmap[name]: int(name in later and sys.version_info >= later[name]) for name in names if name in dis.opmap
    }


def stored(code: CodeType, start: int) -> tuple[str, ...] | None:
    """The variables that the instruction at a place stores to; None where it returns."""
    return _stored(code, instructions(code, start))


def _stored(code: CodeType, following: Iterator[tuple[int, int]]) -> tuple[str, ...] | None:
    operation, argument = next(following, (0, 0))
    local: Callable[[int], str] = getattr(code, "_varname_from_oparg")  # noqa: B009  # what `dis` asks; no stub has it
    match dis.opname[operation]:
        case "STORE_FAST" | "STORE_DEREF":
            return _words(local(argument))
        case "STORE_NAME" | "STORE_GLOBAL":
            return _words(code.co_names[argument])
        case "STORE_FAST_LOAD_FAST":
            return (local(argument >> 4),)
        case "STORE_FAST_STORE_FAST":
            return local(argument >> 4), local(argument & 15)
        case "RETURN_VALUE":
            return None
        case "UNPACK_SEQUENCE":
            names: tuple[str, ...] = ()
            while len(names) < argument:
                more = _stored(code, following)
                if not more:
                    return ()
                names += more
            return names
        case _:
            return ()


def _words(name: str) -> tuple[str, ...]:
    # Tools that rewrite code, pytest for one, have variables whose names are no words.
    return (name,) if name.isidentifier() else ()


_GLOBALS = _shifts("LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_NAME")
_ATTRIBUTES = _shifts("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR")


def global_names(code: CodeType) -> Iterator[str]:
    """The globals that a function and the functions inside it read or assign to."""
    return _names(code, _GLOBALS)


def attribute_names(code: CodeType) -> Iterator[str]:
    """The attributes that a function and the functions inside it read or assign to."""
    return _names(code, _ATTRIBUTES)


def _names(code: CodeType, shifts: dict[int, int]) -> Iterator[str]:
    for operation, argument in instructions(code):
        shift = shifts.get(operation)
        if shift is not None:
            yield code.co_names[argument >> shift]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant, shifts)
