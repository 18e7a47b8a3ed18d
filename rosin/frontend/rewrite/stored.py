"""Rewritten code on the disk: a function is parsed and rewritten once, whatever the number of processes that trace it.

The key of an entry is all that rewriting reads: the text of the function's file, the code that Python made of the
function, Python itself, and the sources that rewrite. What it asks besides, of which names calls stay as they are,
stands in the entry, and is asked again of the names as they are now.
"""

from __future__ import annotations

import functools
import linecache
import marshal
import os
import sys
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from rosin.frontend.rewrite.blocks import Block, Live, Outcome
from rosin.runtime import cache

__all__ = ["rewrite"]

_digests: dict[str, tuple[list[str], str]] = {}
"""The lines of each file, and their hash."""
_LIMIT = 256


def rewrite(function: FunctionType, is_fixed: Callable[[tuple[str, ...]], bool]) -> Outcome:
    """The code of a function, rewritten. `is_fixed` says whether calls of a global or built-in name, or of names in
    modules that follow it, can stay as they are."""
    key = _key(function.__code__)
    entry = None if key is None else cache.default().get(key)
    if entry is not None:
        outcome = _read(entry.data)
        if all(is_fixed(names) == answer for names, answer in outcome.fixed.items()):
            return outcome
    # What parses and compiles Python is needed for nothing else.
    from rosin.frontend.rewrite import build

    outcome = build.rewrite(function, is_fixed)
    if key is not None:
        cache.default().put(key, _written(outcome), later=True)
    return outcome


def _key(code: CodeType) -> str | None:
    """The key of a function's entry; None where its file has no text, or the code no bytes."""
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    if not lines:
        return None
    known = _digests.get(code.co_filename)
    if known is None or known[0] is not lines:
        if len(_digests) >= _LIMIT:
            _digests.clear()
        known = _digests[code.co_filename] = (lines, cache.hashed("".join(lines)))
    try:
        # Version 2 of the format does not tell objects that are the same from others that are equal.
        made = marshal.dumps(code, 2)
    except ValueError:
        return None  # Some tool has put other objects into it than Python does.
    return cache.hashed("rewritten", _version(), sys.version, known[1], made)


@functools.cache
def _version() -> str:
    """A hash of the sources that rewrite."""
    return cache.sources_version(os.path.dirname(__file__))


def _written(outcome: Outcome) -> bytes:
    blocks = [
        (b.kind, b.line, b.names, _live(b.live), b.head, b.appended, b.outer and _live(b.outer)) for b in outcome.blocks
    ]
    return marshal.dumps((outcome.code, blocks, dict(outcome.fixed), outcome.reason))


def _live(live: Live) -> tuple[Any, ...]:
    return live.end, live.after, live.raised, live.last


def _read(data: bytes) -> Outcome:
    code, blocks, fixed, reason = marshal.loads(data)
    made = [
        Block(kind, line, names, Live(*live), head, appended, outer and Live(*outer))
        for kind, line, names, live, head, appended, outer in blocks
    ]
    return Outcome(code, tuple(made), fixed, reason)
