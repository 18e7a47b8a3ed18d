"""The folded loops of a contraction, without products with what is beyond a border.

Where all elements of a tile meet the border alike, a test leaves out what they would all multiply. Where some of them
meet it, as those do that lie at the edge of an image, or the places of a window that hang over it, the folded loops are
cut where that changes: each stretch is code of its own, for the elements that have something to add in it. There are
two codes for a stretch where that depends on which tile it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Accumulate, Carry, Expr, Kind, Loop, Statement, When, Within
from rosin.ir.statements import all_indices, replace
from rosin.passes.nest import joins

MOST_TERMS = 256
"""So many multiply-adds at most may be written out for a tile, in all stretches together."""

LEAST_SHARE = 1 / 64
"""Loops are cut where that leaves out at least this share of what they would do."""

MOST_STEPS = 64
"""A loop of more steps has but few of them at a border, and is not looked through for these."""


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


@dataclass(frozen=True)
class Code:
    """The terms that have something to add in a stretch of a loop, in those tiles that pass the tests."""

    terms: tuple[Term, ...]
    share: float = 1.0
    """Of all tiles."""
    tests: tuple[Within, ...] = ()


@dataclass(frozen=True)
class Stretch:
    """Steps of a loop that have the same terms."""

    first: int
    count: int
    codes: tuple[Code, ...]

    @property
    def work(self) -> float:
        """How many terms a tile computes here on average."""
        return self.count * sum(code.share * len(code.terms) for code in self.codes)


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
        cuts = [] if var is self.lanes else _stretches(var, inner, terms)
        count = sum(len(stretch.codes) for stretch in cuts)
        if not 1 < count <= copies:
            joined = self._joined(var, inner, terms, within)
            return (
                self._loop(var, inner, terms, (), within, copies)
                if joined is None
                else self._inside(*joined, within, copies)
            )
        found: list[Statement] = []
        for stretch in cuts:
            own = LoopVar(var.name, stretch.count)
            places = {var: indices.of(own) + stretch.first if stretch.count > 1 else Index(stretch.first)}
            for code in stretch.codes:
                memo: dict[int, Expr] = {}
                there = [term.at(places, memo) for term in code.terms]
                loops = self._loop(own, inner, there, (), _at(within, places), copies // count)
                found += [When(code.tests, tuple(loops))] if code.tests else loops
        return found

    def _joined(
        self, var: LoopVar, inner: Sequence[LoopVar], terms: Sequence[Term], within: Sequence[Within]
    ) -> tuple[list[LoopVar], list[Term]] | None:
        """One loop in place of a loop and the next one, with the terms in it, if all that they read lies as if they
        were one: the fewer ends of loops, the better. None where it does not, or where the next one may be cut."""
        second = inner[0] if inner else self.lanes
        if second is self.lanes or second is None or not isinstance(var.extent, int):
            return None
        tests = [*within, *(t for term in terms for t in term.tests if second in t.index.variables())]
        if any(not t.index.variables().isdisjoint((var, second)) for t in tests):
            return None
        if not all(joins(i, var, second) for i in all_indices([term.sum for term in terms])):
            return None
        both = LoopVar(second.name, var.extent * second.extent)
        at: dict[LoopVar, Index] = {var: indices.ZERO, second: indices.of(both)}
        memo: dict[int, Expr] = {}
        found: list[Term] = []
        for term in terms:
            tests = [t for t in term.tests if var not in t.index.variables()]
            self.reach_beyond |= len(tests) < len(term.tests)
            found.append(Term(term.sum, tuple(tests)).at(at, memo))
        return [both, *inner[1:]], found


def _stretches(var: LoopVar, inner: Sequence[LoopVar], terms: Sequence[Term]) -> list[Stretch]:
    """The stretches of a loop that differ in their terms; none where to cut the loop leaves out little."""
    if not isinstance(var.extent, int) or var.extent > MOST_STEPS:
        return []
    if all(var not in t.index.variables() for term in terms for t in term.tests):
        return []
    found: list[Stretch] = []
    for number in range(var.extent):
        codes = _codes({var: Index(number)}, inner, terms)
        if found and found[-1].codes == codes and len(codes) == 1:
            found[-1] = Stretch(found[-1].first, found[-1].count + 1, codes)
        else:
            found.append(Stretch(number, 1, codes))
    work = sum(stretch.work for stretch in found)
    return found if work <= (1 - LEAST_SHARE) * len(terms) * var.extent else []


def _codes(place: dict[LoopVar, Index], inner: Sequence[LoopVar], terms: Sequence[Term]) -> tuple[Code, ...]:
    """The terms at one step of a loop: all that may be wanted there, or twice, by a test of the tile if one decides."""
    tests = [_at(term.tests, place) for term in terms]
    kept = [(term, own) for term, own in zip(terms, tests, strict=True) if not any(t.never for t in own)]
    wanted = tuple(term for term, _ in kept)
    undecided = {t for _, own in kept for t in own if not t.always and t.index.variables().isdisjoint(inner)}
    test = next(iter(undecided)) if len(undecided) == 1 else None
    parts = None if test is None else _parts(test)
    if test is None or parts is None:
        return (Code(wanted),)
    fails, share = parts
    fewer = tuple(term for term, own in kept if test not in own)
    passing = tuple(Term(term.sum, tuple(t for t in own if t != test)) for term, own in kept)
    return Code(passing, share, (test,)), Code(fewer, 1 - share, (fails,))


def _parts(test: Within) -> tuple[Within, float] | None:
    """Of a test that fails on one side only, the test that passes where it fails, and the share of places where it
    passes; None of others."""
    low, high = test.index.bounds()
    (var, *others) = test.index.variables() or (None,)
    if not isinstance(low, int) or not isinstance(high, int) or var is None or others:
        return None
    if not isinstance(test.low, int) or not isinstance(test.high, int) or not isinstance(var.extent, int):
        return None
    if low < test.low and high >= test.high:
        return None
    fails = Within(test.index, test.high, high + 1) if low >= test.low else Within(test.index, low, test.low)
    at = [Within(test.index.substitute({var: Index(n)}), test.low, test.high) for n in range(var.extent)]
    return fails, sum(t.always for t in at) / len(at)


def _at(tests: Sequence[Within], places: dict[LoopVar, Index]) -> tuple[Within, ...]:
    return tuple(Within(t.index.substitute(places), t.low, t.high) for t in tests)
