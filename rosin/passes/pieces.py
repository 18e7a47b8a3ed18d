"""The pieces of a contraction: what one nest computes of it, by variables that tell more than those of its op.

The channels of a grouped convolution read inputs at the number of their group, a quotient. Such a variable is cut in
two, the group and the channel in it, and every operand is then read at plain multiples.

An input with zeros between its neighbours, as a convolution's gradient by its input has after strides, meets only some
elements of the kernel at each place of the result: which ones follows from the remainder of the place by the distance.
For each remainder there is a piece of its own, over these elements alone. What the zeros would add is left out. Pieces
that differ only in where they begin are one, with one more variable, the phase.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from rosin.ir import facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar, Quotient, Remainder
from rosin.ir.loops import Expr, Guard, Local, Within, walk
from rosin.ir.op import Fold, Reader, Types

MOST_PIECES = 16
"""Each piece is code of its own."""


@dataclass(frozen=True)
class Piece:
    """Places of the result, and what is summed for each: variables, and the indices that they stand for."""

    result: tuple[LoopVar, ...]
    index: tuple[Index, ...]
    """Where the element is along each axis of the result."""
    folded: tuple[LoopVar, ...]
    point: tuple[Index, ...]
    """Where the term is along each axis that is summed over."""
    phases: tuple[LoopVar, ...] = ()
    """Variables of the result by which places between those of another one, and their terms, move together."""
    beside: int = 1
    """How many pieces there are that have terms, this one among them."""

    def replaced(self, var: LoopVar, others: tuple[LoopVar, ...], place: Index) -> Piece:
        """The piece with other variables for one, which is at `place` then."""

        def among(variables: tuple[LoopVar, ...]) -> tuple[LoopVar, ...]:
            return tuple(v for old in variables for v in (others if old is var else (old,)))

        def at(positions: Iterable[Index]) -> tuple[Index, ...]:
            return tuple(i.substitute({var: place}) for i in positions)

        return replace(
            self, result=among(self.result), index=at(self.index), folded=among(self.folded), point=at(self.point)
        )

    @property
    def has_terms(self) -> bool:
        return all(v.extent != 0 for v in self.folded)


def pieces(op: Fold, variables: tuple[LoopVar, ...], rank: int, types: Types) -> list[Piece]:
    """The pieces of a fold over variables, of which the first `rank` are those of its result."""
    at = tuple(map(place_of, variables))
    whole = Piece(variables[:rank], at[:rank], variables[rank:], at[rank:])
    found = [_by_groups(op, whole, types)]
    for test in dict.fromkeys(_remainders(op, found[0], types)):
        parts = [part for piece in found for part in _by_remainder(piece, test)]
        found = parts if len(parts) <= MOST_PIECES else found
    found = [piece for piece in found if all(v.extent != 0 for v in piece.result)]
    beside = sum(piece.has_terms for piece in found)
    return [replace(piece, beside=beside) if piece.has_terms else piece for piece in found]


def place_of(var: LoopVar) -> Index:
    """A variable as an index; one of extent 1 is 0."""
    return indices.of(var) if var.extent != 1 else indices.ZERO


def _terms(op: Fold, piece: Piece, types: Types) -> tuple[list[Index], tuple[Expr, ...]]:
    """The positions that operands are read at, and the terms."""
    positions: list[Index] = []

    def reader(number: int) -> Reader:
        def read(index: tuple[Index, ...]) -> Expr:
            positions.extend(index)
            return Local(f"operand{number}", types[number].dtype)

        return read

    return positions, op.terms(piece.index, piece.point, tuple(map(reader, range(len(types)))), types)


# -- groups --------------------------------------------------------------------------------------------------------


def _by_groups(op: Fold, piece: Piece, types: Types) -> Piece:
    """The piece with two variables for each one of the result at whose quotient an operand is read."""
    positions, _ = _terms(op, piece, types)
    atoms = dict.fromkeys(atom for position in positions for atom, _ in position.terms if isinstance(atom, Quotient))
    for atom in atoms:
        var = next((v for v in piece.result if atom.dividend == indices.of(v)), None)
        count = None if var is None else facts.divide(var.extent, atom.divisor)
        if var is not None and count is not None:
            outer, inner = LoopVar(f"{var.name}_group", count), LoopVar(var.name, atom.divisor)
            piece = piece.replaced(var, (outer, inner), place_of(outer) * atom.divisor + place_of(inner))
    return piece


# -- zeros between neighbours --------------------------------------------------------------------------------------


def _remainders(op: Fold, piece: Piece, types: Types) -> Iterator[Remainder]:
    """The remainders that are 0 where an operand is read; elsewhere it counts as 0."""
    _, terms = _terms(op, piece, types)
    for expr in (e for term in terms for e in walk(term)):
        for test in expr.tests if isinstance(expr, Guard) else ():
            (atom, coefficient), *others = test.index.terms or ((None, 0),)
            alone = coefficient == 1 and not others and test.index.constant == 0
            if isinstance(atom, Remainder) and alone and (test.low, test.high) == (0, 1):
                yield atom


def _by_remainder(piece: Piece, remainder: Remainder) -> Iterator[Piece]:
    """The pieces of the places that differ in the remainder, each with the terms at which it is 0."""
    dividend, divisor = remainder.dividend, remainder.divisor
    steps = {v: n for v, n in dividend.terms if isinstance(v, LoopVar) and isinstance(n, int)}
    folded = [v for v in steps if v in piece.folded]
    known = isinstance(divisor, int) and isinstance(dividend.constant, int) and len(steps) == len(dividend.terms)
    if not known or len(folded) != 1 or len(steps) > 2:
        yield piece
        return
    assert isinstance(divisor, int)
    (inner,), outer = folded, next((v for v in steps if v in piece.result), None)
    period = _period(steps[inner], divisor)
    starts: dict[int, int | None] = {}
    for start in range(1 if outer is None else _period(steps[outer], divisor)):
        at = dividend if outer is None else dividend.substitute({outer: Index(start)})
        zeros = (n for n in range(period) if at.substitute({inner: Index(n)}).constant % divisor == 0)
        starts[start] = next(zeros, None)
    if outer is None:
        yield _every(piece, inner, starts[0], 0, period, None)
        return
    for run in _runs(starts, outer.extent, inner.extent, len(starts), period):
        phase = LoopVar(f"{outer.name}_phase", run.count)
        phases = (*piece.phases, phase) if run.count > 1 else piece.phases
        shifted = replace(_every(piece, outer, run.start, run.step, len(starts), phase), phases=phases)
        yield _every(shifted, inner, run.first, run.first_step, period, phase)


@dataclass(frozen=True)
class Run:
    """Places of the result, by the first of them, and for each the first term that has no zero: both so far apart."""

    start: int
    first: int | None
    """None where all terms are zero."""
    step: int = 0
    first_step: int = 0
    count: int = 1

    def longer(self, start: int, first: int | None) -> Run | None:
        """The run with one more place, if it continues this one."""
        if self.first is None or first is None:
            return None
        step, first_step = start - self.start, first - self.first
        if self.count > 1 and (step, first_step) != (self.step * self.count, self.first_step * self.count):
            return None
        each = (step, first_step) if self.count == 1 else (self.step, self.first_step)
        return Run(self.start, self.first, *each, self.count + 1)


def _runs(starts: Mapping[int, int | None], outer: Dim, inner: Dim, every: int, period: int) -> Iterable[Run]:
    """Places that one nest computes: as many times as often, with as many terms, at distances that are the same."""
    found: dict[tuple[Dim, Dim], list[Run]] = {}
    for start, first in starts.items():
        sizes = _count(outer, start, every), 0 if first is None else _count(inner, first, period)
        runs = found.setdefault(sizes, [])
        longer = runs[-1].longer(start, first) if runs else None
        runs[-1:] = [longer] if longer is not None else [*runs[-1:], Run(start, first)]
    return [run for runs in found.values() for run in runs]


def _count(extent: Dim, first: int, period: int) -> Dim:
    """How many numbers below an extent there are from a first one on."""
    return (extent - first + period - 1) // period


def _period(step: int, divisor: int) -> int:
    """After how many steps the remainder comes again."""
    return divisor // math.gcd(step, divisor)


def _every(piece: Piece, var: LoopVar, first: int | None, step: int, period: int, phase: LoopVar | None) -> Piece:
    """The piece with every so-manieth number of a variable only, from a first one on that moves with the phase."""
    if first is None:
        none = LoopVar(var.name, 0)
        return piece.replaced(var, (none,), indices.of(none))
    rest = LoopVar(var.name, _count(var.extent, first, period))
    place = place_of(rest) * period + first
    if phase is None or phase.extent == 1:
        return piece.replaced(var, (rest,), place)
    variables = (rest, phase) if var in piece.result else (rest,)
    return piece.replaced(var, variables, place + indices.of(phase) * step)


def reduced(test: Within) -> Within:
    """The same test of an index without a factor that all of its terms have."""
    numbers = [n for _, n in test.index.terms if isinstance(n, int)]
    start, low, high = test.index.constant, test.low, test.high
    if not numbers or len(numbers) < len(test.index.terms):
        return test
    if not (isinstance(start, int) and isinstance(low, int) and isinstance(high, int)):
        return test
    factor = math.gcd(*numbers)
    shift = start % factor
    return Within((test.index - shift) // factor, -((shift - low) // factor), -((shift - high) // factor))
