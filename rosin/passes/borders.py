"""The folded loops of a contraction, without products with what is beyond a border.

Where all elements of a tile meet the border alike, a test leaves out what they would all multiply. Where some of them
meet it, as those do that lie at the edge of an image, or the places of a window that hang over it, the folded loops are
cut where that changes: each stretch is code of its own, for the elements that have something to add in it. There are
two codes for a stretch where that depends on which tile it is: the one in which all of them are counted is that of the
stretches beside it, too, and one loop for all, in which tests say where a tile has it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Accumulate, Carry, Expr, Kind, Loop, Statement, Within, substitute
from rosin.ir.statements import all_indices, under
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
        values = tuple([substitute(value, places, memo) for value in self.sum.values])
        return Term(Accumulate(self.sum.carry, values), _at(self.tests, places))


@dataclass(frozen=True)
class Code:
    """The terms that have something to add in a stretch of a loop, in those tiles that pass the tests."""

    terms: tuple[Term, ...]
    share: float = 1.0
    """Of all tiles."""
    tests: tuple[Within, ...] = ()


@dataclass(frozen=True)
class Stretch:
    """Steps of a loop that have the same terms: one code for all tiles, or one for those of which all terms count, and
    one for the others."""

    first: int
    count: int
    codes: tuple[Code, ...]

    @property
    def work(self) -> float:
        """How many terms a tile computes here on average."""
        return self.count * sum(code.share * len(code.terms) for code in self.codes)

    @property
    def is_plain(self) -> bool:
        """Whether all tiles do the same."""
        return len(self.codes) == 1


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
        return [Loop(var, Kind.VECTOR if var is self.lanes else Kind.SERIAL, tuple(under(tests, body)), carries)]

    def _inside(
        self, order: Sequence[LoopVar], terms: Sequence[Term], within: Sequence[Within], copies: int
    ) -> list[Statement]:
        """What is in a loop: loops over the other variables, in at most so many copies of the terms."""
        if not order:
            self.reach_beyond |= any(not t.always for term in terms for t in term.tests)
            return [term.sum for term in terms]
        var, *inner = order
        cuts = [] if var is self.lanes else _one_by_one(_stretches(var, inner, terms))
        if not 1 < len(cuts) <= copies:
            joined = self._joined(var, inner, terms, within)
            return (
                self._loop(var, inner, terms, (), within, copies)
                if joined is None
                else self._inside(*joined, within, copies)
            )
        found: list[Statement] = []
        for first, count, code in cuts:
            own = LoopVar(var.name, count)
            places = {var: indices.of(own) + first if count > 1 else Index(first)}
            memo: dict[int, Expr] = {}
            there = [term.at(places, memo) for term in code.terms]
            found += self._loop(own, inner, there, (), _at((*code.tests, *within), places), copies // len(cuts))
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


def _one_by_one(stretches: Sequence[Stretch]) -> list[tuple[int, int, Code]]:
    """The codes in the order in which tiles come to them, each with its first step, and in how many steps it is."""
    found: list[tuple[int, int, Code]] = []
    for run in _runs(stretches):
        plain = next((at for at, stretch in enumerate(run) if stretch.is_plain), 0)
        fewer = [[(stretch.first, stretch.count, code) for code in stretch.codes[1:]] for stretch in run]
        tests = tuple(dict.fromkeys(test for stretch in run for test in stretch.codes[0].tests))
        whole = Code(run[0].codes[0].terms, tests=tests)
        found += itertools.chain(*fewer[:plain])
        found.append((run[0].first, sum(stretch.count for stretch in run), whole))
        found += itertools.chain(*fewer[plain:])
    return found


def _runs(stretches: Sequence[Stretch]) -> list[list[Stretch]]:
    """The stretches, neighbours together whose first code is the same, of which one may be the code of all tiles."""
    runs: list[list[Stretch]] = []
    for stretch in stretches:
        alike = bool(runs) and runs[-1][0].codes[0].terms == stretch.codes[0].terms
        if alike and not (stretch.is_plain and any(s.is_plain for s in runs[-1])):
            runs[-1].append(stretch)
        else:
            runs.append([stretch])
    return runs


def _codes(place: dict[LoopVar, Index], inner: Sequence[LoopVar], terms: Sequence[Term]) -> tuple[Code, ...]:
    """The terms at one step of a loop: all that may be wanted there, or twice, by a test of the tile if one decides."""
    kept: list[tuple[Term, dict[Within, Within]]] = []
    for term in terms:
        own = {test: there for test, there in zip(term.tests, _at(term.tests, place), strict=True) if not there.always}
        if not any(there.never for there in own.values()):
            kept.append((term, own))
    undecided = {there: test for _, own in kept for test, there in own.items()}
    undecided = {there: test for there, test in undecided.items() if there.index.variables().isdisjoint(inner)}
    there, test = next(iter(undecided.items())) if len(undecided) == 1 else (None, None)
    parts = None if there is None else _parts(there)
    if test is None or parts is None:
        return (Code(tuple([Term(term.sum, tuple(own)) for term, own in kept])),)
    low, high, share = parts
    fewer = tuple([Term(term.sum, tuple(own)) for term, own in kept if test not in own])
    passing = tuple([Term(term.sum, tuple([t for t in own if t != test])) for term, own in kept])
    return Code(passing, share, (test,)), Code(fewer, 1 - share, (Within(test.index, low, high),))


def _parts(test: Within) -> tuple[Dim, Dim, float] | None:
    """Of a test that fails on one side only, between which bounds its index is where it fails, and the share of places
    where it passes; None of others."""
    low, high = test.index.bounds()
    (var, *others) = test.index.variables() or (None,)
    if not isinstance(low, int) or not isinstance(high, int) or var is None or others:
        return None
    if not isinstance(test.low, int) or not isinstance(test.high, int) or not isinstance(var.extent, int):
        return None
    if low < test.low and high >= test.high:
        return None
    fails = (test.high, high + 1) if low >= test.low else (low, test.low)
    at = [Within(test.index.substitute({var: Index(n)}), test.low, test.high) for n in range(var.extent)]
    return *fails, sum(t.always for t in at) / len(at)


def _at(tests: Sequence[Within], places: dict[LoopVar, Index]) -> tuple[Within, ...]:
    return tuple([Within(t.index.substitute(places), t.low, t.high) for t in tests])
