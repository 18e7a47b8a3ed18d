"""Loops over lanes that tests look at, cut where these change."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from rosin.ir import index as indices
from rosin.ir.index import LoopVar
from rosin.ir.loops import Expr, Guard, Kind, Loop, Statement, walk
from rosin.ir.statements import Contents, expressions, flops, replace

CUT_LANES, CUT_FLOPS = 128, 100
"""A loop over at least so many lanes that tests look at is cut where they change, if it is no more code than this,"""
CUT_PIECES = 8
"""or if there are no more pieces than these, each of half as many lanes, which have little in common."""

WIDEST = 16
"""A vector has at most so many lanes."""


def where_to_cut(lanes: LoopVar, body: Sequence[Statement], work: int) -> list[Statement] | None:
    """The loop over lanes cut where tests on their number alone change, so that these are decided; None where that is
    nowhere, or too much code: at the ends of a large part of the lanes, or everywhere between long pieces, each of
    which has little to do, as what is put together of parts has."""
    places = _changes(lanes, body)
    if places is None or len(places) <= 2:
        return None
    if len(places) - 1 <= CUT_PIECES and all(b - a >= CUT_LANES // 2 for a, b in itertools.pairwise(places)):
        pieces = _cut(lanes, body, places)
        if _operations(pieces) <= 2 * _operations(body):
            return pieces
    first, last = max(itertools.pairwise(places), key=lambda run: run[1] - run[0])
    first, last = -(-first // WIDEST) * WIDEST, last // WIDEST * WIDEST
    if work > CUT_FLOPS or 4 * (last - first) < 3 * places[-1]:
        return None
    return _cut(lanes, body, (0, first, last, places[-1]))


def _changes(lanes: LoopVar, body: Sequence[Statement]) -> list[int] | None:
    """Where tests on the number of a lane alone change, with both ends; None where they are not to be cut."""
    if not isinstance(lanes.extent, int) or lanes.extent < CUT_LANES or any(isinstance(s, Loop) for s in body):
        return None
    changes = {0, lanes.extent}
    guards = (e for e in walk(*expressions(body)) if isinstance(e, Guard))
    for test in (*(t for e in guards for t in e.tests), *Contents(body).tests):
        start = test.index - indices.of(lanes)
        if start.terms or not isinstance(start.constant, int):
            continue
        if not isinstance(test.low, int) or not isinstance(test.high, int):
            return None
        changes |= {place - start.constant for place in (test.low, test.high)}
    return sorted(place for place in changes if 0 <= place <= lanes.extent)


def _cut(lanes: LoopVar, body: Sequence[Statement], places: Sequence[int]) -> list[Statement]:
    """The loop over lanes as one between each two places, whose tests are decided."""
    found: list[Statement] = []
    for start, end in itertools.pairwise(places):
        if start != end:
            part, memo = LoopVar(lanes.name, end - start), dict[int, Expr]()
            place = {lanes: indices.of(part) + start}
            found.append(Loop(part, Kind.VECTOR, tuple(replace(s, place, memo) for s in body)))
    return found


def _operations(statements: Sequence[Statement]) -> int:
    return flops(list(expressions(statements)))
