"""The folded loops of a contraction, without products with what is beyond a border.

Where all elements of a tile meet the border alike, a test leaves out what they would all multiply. Where some of them
meet it, as those do that lie at the edge of an image, or the places of a window that hang over it, the folded loops are
cut where that changes: each stretch is code of its own, for the elements that have something to add in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Accumulate, Carry, Expr, Kind, Loop, Statement, When, Within
from rosin.ir.statements import replace

MOST_TERMS = 256
"""So many multiply-adds at most may be written out for a tile, in all stretches together."""

LEAST_SHARE = 1 / 32
"""Loops are cut where that leaves out at least this share of what they would do."""


@dataclass(frozen=True)
class Term:
    """What one element of a tile adds to its sum at each step, and the tests that fail where that is nothing."""

    sum: Accumulate
    tests: tuple[Within, ...] = ()

    def at(self, places: dict[LoopVar, Index], memo: dict[int, Expr]) -> Term:
        """The term with indices in place of loop variables."""
        added = replace(self.sum, places, memo)
        assert isinstance(added, Accumulate)
        return Term(added, _at(self.tests, places))


class FoldLoops:
    """The folded loops of one kind of tile.

    `lanes` is the variable that runs as vectors, if one of these loops does.
    """

    def __init__(self, lanes: LoopVar | None) -> None:
        self.lanes = lanes
        self.reach_beyond = False
        """Whether some term is added though it may be of what is beyond a border."""

    def around(
        self, order: Sequence[LoopVar], terms: Sequence[Term], carries: tuple[Carry, ...], within: Sequence[Within]
    ) -> list[Statement]:
        """Loops over variables, outermost first, around the terms that pass their tests, all under those of `within`.

        The loop of the carries and that of the lanes are not cut.
        """
        return self._loop(order[0], order[1:], terms, carries, within, MOST_TERMS // max(len(terms), 1))

    def _loop(
        self,
        var: LoopVar,
        inner: Sequence[LoopVar],
        terms: Sequence[Term],
        carries: tuple[Carry, ...],
        within: Sequence[Within],
        copies: int,
    ) -> list[Statement]:
        """The loop over one variable, with what is in it."""
        tests = tuple(t for t in within if t.index.variables().isdisjoint(inner))
        body = self._inside(inner, terms, [t for t in within if t not in tests], copies)
        body = [When(tests, tuple(body))] if tests and body else body
        return [Loop(var, Kind.VECTOR if var is self.lanes else Kind.SERIAL, tuple(body), carries)]

    def _inside(
        self, order: Sequence[LoopVar], terms: Sequence[Term], within: Sequence[Within], copies: int
    ) -> list[Statement]:
        """What is in a loop: loops over the other variables, in at most so many copies of the terms."""
        if not order:
            self.reach_beyond |= any(not t.always for term in terms for t in term.tests)
            return [term.sum for term in terms]
        var, *inner = order
        cuts = [] if var is self.lanes else list(_stretches(var, terms))
        if not 1 < len(cuts) <= copies:
            return self._loop(var, inner, terms, (), within, copies)
        found: list[Statement] = []
        for first, count, kept in cuts:
            own = LoopVar(var.name, count)
            places, memo = {var: indices.of(own) + first if count > 1 else Index(first)}, dict[int, Expr]()
            there = [term.at(places, memo) for term in kept]
            found += self._loop(own, inner, there, (), _at(within, places), copies // len(cuts))
        return found


def _stretches(var: LoopVar, terms: Sequence[Term]) -> Iterator[tuple[int, int, list[Term]]]:
    """Stretches of a loop, by their starts and lengths, with the terms that have something to add there; none where
    to cut the loop leaves out little."""
    moving = [term for term in terms if any(var in t.index.variables() for t in term.tests)]
    if not moving or not isinstance(var.extent, int):
        return
    each = [[t for t in terms if not any(w.never for w in _at(t.tests, {var: Index(n)}))] for n in range(var.extent)]
    if sum(map(len, each)) > (1 - LEAST_SHARE) * len(terms) * var.extent:
        return
    starts = [n for n in range(var.extent) if n == 0 or each[n] != each[n - 1]]
    for first, end in zip(starts, [*starts[1:], var.extent], strict=True):
        yield first, end - first, each[first]


def _at(tests: Sequence[Within], places: dict[LoopVar, Index]) -> tuple[Within, ...]:
    return tuple(Within(t.index.substitute(places), t.low, t.high) for t in tests)
