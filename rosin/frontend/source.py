"""The user's place in their program: the innermost frame outside Rosin, its expression, and what it assigns to."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

import numpy as np
import optree

from rosin.frontend import bytecode
from rosin.ir import location
from rosin.ir.location import Location

_PACKAGES = tuple(f"{Path(file).parent}/" for file in (np.__file__, optree.__file__, str(Path(__file__).parent)))
_is_ours: dict[str, bool] = {}


def is_ours(file: str) -> bool:
    """Whether a file of code belongs to Rosin, or to the libraries through which the user may call it."""
    found = _is_ours.get(file)
    if found is None:
        found = _is_ours[file] = file.startswith(_PACKAGES) or file == functools.__file__
    return found


def user_frame() -> FrameType | None:
    """The innermost frame whose code is not Rosin's."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # the one way to see the caller
    while frame is not None:
        file = frame.f_code.co_filename
        # Every op asks this of a dozen frames.
        ours = _is_ours.get(file)
        if not (is_ours(file) if ours is None else ours):
            return frame
        frame = frame.f_back
    return None


def user_depth() -> int:
    """How many frames up from the caller the user's program is, the caller being 1: what `warnings.warn` asks for."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # the one way to see the caller
    depth = 1
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame, depth = frame.f_back, depth + 1
    return depth


def user_location() -> Location | None:
    """The expression that the user's program is evaluating."""
    frame = user_frame()
    return None if frame is None else place(frame).location


_RETURNED = ("",)
"""In place of names: the value is what the function returns."""


class Place(NamedTuple):
    """An instruction of the user's program."""

    location: Location
    names: tuple[str, ...]
    """The variables that the instruction after it stores to, or `_RETURNED`."""


_places: dict[int, tuple[CodeType, dict[int, Place]]] = {}
"""Those places that were asked for, for each code object."""
_PLACES_LIMIT = 4096


def place(frame: FrameType) -> Place:
    """Where the frame is."""
    code, at = frame.f_code, frame.f_lasti
    # Kept by id, since hashing a code object reads all of it; the entry keeps the code alive, so the id stays its own.
    found = _places.get(id(code))
    if found is None:
        if len(_places) >= _PLACES_LIMIT:
            _places.clear()
        found = _places[id(code)] = (code, {})
    known = found[1].get(at)
    if known is None:
        stored = bytecode.stored(code, at + 2)
        names = _RETURNED if stored is None else stored
        known = found[1][at] = Place(location.of_instruction(code, at), names)
    return known


def assignment(frame: FrameType) -> tuple[FrameType, tuple[str, ...]]:
    """The variables that the value of the running expression is assigned to at once, and the frame they are in.

    A value that a function of the user's returns is assigned where its caller assigns it.
    """
    names = place(frame).names
    while names is _RETURNED:
        caller = frame.f_back
        if caller is None or is_ours(caller.f_code.co_filename):
            return frame, ()
        frame, names = caller, place(caller).names
    return frame, names


def name_of(frame: FrameType, wanted: object) -> str:
    """The variable that the frame's code reads `wanted` from, or ""."""
    code, local, names = frame.f_code, frame.f_locals, frame.f_globals
    for name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
        if local.get(name) is wanted:
            return name
    for name in code.co_names:
        if names.get(name) is wanted or local.get(name) is wanted:
            return name
    return ""
