"""Squares of memory: lanes that lie apart, each with neighbours that are read or written in the same step of the loops.

The lanes are the rows of a square, its columns the neighbours. To read or write whole rows, and to transpose in
registers, takes a fraction of what it takes to reach every element by an address of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Protocol

from rosin.backends.llvm.emit import FLOAT_BITS, Emitter, Val
from rosin.ir.dataclass import dataclass
from rosin.ir.index import Atom, Dynamic, Index, LoopVar, inner
from rosin.ir.loops import Buffer, Expr, Guard, Load, Loop, Statement, Store, blocks, values
from rosin.ir.statements import Contents, Terms, different_terms

Place = tuple[Buffer, Index]

FEWEST_COLUMNS = 4
MOST_LANES = 16
"""Wider vectors take several registers, and too much code to transpose."""
UNIT_BITS = 128
"""Within so many bits every processor interleaves elements of two registers by one instruction."""


class Shuffles(Protocol):
    """What emits shuffles of vectors, as an `Emitter` does."""

    def shuffle(self, left: Val, right: Val, order: Sequence[int], /) -> Val: ...
    def opaque(self, x: Val, /) -> Val: ...


@dataclass(frozen=True, slots=True)
class Column:
    """A place of the first lane in a square: where its row starts, and how many columns there are."""

    start: Index
    number: int
    count: int


def read_squares(inside: Contents, width: int) -> dict[Place, Column]:
    """For each place that statements read and part of a square of up to so many columns, which one it is.

    What stands under a test makes squares with what stands under the same one alone.
    """

    def reads(statement: Statement) -> Iterator[Place]:
        return ((load.buffer, load.offset) for load in _unguarded(values(statement)))

    return _squares(inside, reads, (load.offset for load in inside.loads), width)


def written_squares(inside: Contents, width: int) -> dict[Place, Column]:
    """As `read_squares`, of the places that are written."""

    def writes(statement: Statement) -> Iterator[Place]:
        if isinstance(statement, Store):
            yield statement.buffer, statement.offset

    return _squares(inside, writes, (store.offset for store in inside.stores), width)


def _squares(
    inside: Contents, places: Callable[[Statement], Iterable[Place]], offsets: Iterable[Index], width: int
) -> dict[Place, Column]:
    """`offsets` are those of all places, and may be more."""
    result: dict[Place, Column] = {}
    if not 1 < width <= MOST_LANES:
        return result
    lanes = {loop.var for loop in inside.vector_loops}
    if not any(_lie_apart(terms, lanes) for terms in different_terms(offsets)):
        return result
    for together in _together(inside.body, places):
        rows: dict[Place, list[int]] = {}
        for buffer, offset in together:
            number = offset.constant if isinstance(offset.constant, int) else offset.constant.constant
            rows.setdefault((buffer, offset - number), []).append(number)
        for (buffer, offset), numbers in rows.items():
            for first, count in _runs(sorted(numbers), width):
                columns = (Column(offset + first, number, count) for number in range(count))
                result.update({(buffer, offset + (first + column.number)): column for column in columns})
    return result


def _lie_apart(terms: Terms, lanes: Collection[LoopVar]) -> bool:
    """Whether lanes, those of these loops, may find what is there elsewhere than side by side."""
    return any((atom in lanes and step != 1) or _is_bent(atom, lanes) for atom, step in terms)


def _is_bent(atom: Atom, lanes: Collection[LoopVar]) -> bool:
    """Whether an atom that is no variable may go on from lane to lane in steps of its own."""
    if isinstance(atom, LoopVar):
        return False
    return isinstance(atom, Dynamic) or any(a in lanes or _is_bent(a, lanes) for a, _ in inner(atom).terms)


def _runs(numbers: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """The first of neighbouring numbers, and how many there are, up to `most`; where they are few, none."""
    at = 0
    while at < len(numbers):
        count = 1
        while count < most and at + count < len(numbers) and numbers[at + count] == numbers[at] + count:
            count += 1
        if count >= FEWEST_COLUMNS:
            yield numbers[at], count
        at += count


def _together(statements: Sequence[Statement], places: Callable[[Statement], Iterable[Place]]) -> list[set[Place]]:
    """The places that are all reached wherever one of them is. A place is in one set at most."""
    scopes: list[set[Place]] = [set()]
    stack = [(s, scopes[0]) for s in statements]
    while stack:
        statement, scope = stack.pop()
        scope.update(places(statement))
        for block in blocks(statement):
            inner = scope
            if not isinstance(statement, Loop) or statement.var.extent == 0:
                scopes.append(inner := set())
            stack += [(s, inner) for s in block]
    counts = Counter(place for scope in scopes for place in scope)
    return [{place for place in scope if counts[place] == 1} for scope in scopes]


def _unguarded(exprs: Sequence[Expr]) -> Iterator[Load]:
    """The reads that are made whatever is tested."""
    stack: list[Expr] = list(exprs)
    seen: set[int] = set()
    while stack:
        expr = stack.pop()
        if id(expr) not in seen:
            seen.add(id(expr))
            if isinstance(expr, Load):
                yield expr
            stack.extend((expr.otherwise,) if isinstance(expr, Guard) else expr.children())


def columns_of(e: Shuffles, rows: Sequence[Val], lanes: int) -> list[Val]:
    """The columns of a square, a row for each lane: as many as rows have elements, a power of two of up to `lanes`.

    Small squares, as wide as the shortest registers, are transposed where they are by interleaving, and then whole rows
    of them change places. Nearly all shuffles of both kinds are one instruction on every processor that has them.
    """
    count = rows[0].lanes
    unit = _unit(rows[0])
    # A vector has rows of small squares that come one after the other.
    high = unit * (lanes // count)
    starts = [first + k for first in range(0, lanes, high) for k in range(unit)]
    vectors = _small_squares(e, [_end_to_end(e, rows[start : start + high : unit]) for start in starts], unit)
    for _ in range((count // unit).bit_length() - 1):
        firsts = [first + k for first in range(0, count, 2 * unit) for k in range(unit)]
        pairs = [(vectors[first], vectors[first + unit]) for first in firsts]
        orders = [_every_second(lanes, unit, which) for which in (0, 1)]
        made = [[e.opaque(e.shuffle(*pair, order)) for order in orders] for pair in pairs]
        vectors = [each[which] for which in (0, 1) for each in made]
    return vectors


def rows_of(e: Emitter, columns: Sequence[Val], rows: int) -> list[Val]:
    """The first rows of a square of these columns, as many as a power of two."""
    count, lanes = len(columns), columns[0].lanes
    if count == lanes:
        return columns_of(e, columns, lanes)[:rows]
    unit = min(_unit(columns[0]), count)
    vectors = _small_squares(e, columns, unit)

    def row(number: int) -> Val:
        high, low = divmod(number, unit)
        places = range(high * unit, (high + 1) * unit)
        parts = vectors[low::unit]
        return _end_to_end(e, [e.shuffle(x, Val("poison", x.elem, x.lanes), places) for x in parts])

    return [row(number) for number in range(rows)]


def transposed(e: Shuffles, rows: Sequence[Val]) -> list[Val]:
    """The columns of a square of as many rows as each has elements, a power of two; or its rows, of its columns."""
    return columns_of(e, rows, len(rows))


def power_of_two(count: int) -> int:
    """The least power of two that is not less."""
    return 1 << (count - 1).bit_length()


def _unit(x: Val) -> int:
    """How many elements the shortest registers hold, or as many as the vector has."""
    bits = FLOAT_BITS.get(x.elem) or int(x.elem.removeprefix("i"))
    return min(UNIT_BITS // bits, x.lanes)


def _small_squares(e: Shuffles, vectors: Sequence[Val], unit: int) -> list[Val]:
    """The vectors, so many at a time, with the small squares transposed that lie beside each other in them."""
    lanes, half = vectors[0].lanes, unit // 2
    orders = [
        [place for first in range(start, lanes, unit) for k in range(first, first + half) for place in (k, lanes + k)]
        for start in (0, half)
    ]
    result: list[Val] = []
    for first in range(0, len(vectors), unit):
        square = list(vectors[first : first + unit])
        for _ in range(unit.bit_length() - 1):
            pairs = zip(square[:half], square[half:], strict=True)
            square = [e.opaque(e.shuffle(*pair, order)) for pair in pairs for order in orders]
        result += square
    return result


def _every_second(lanes: int, unit: int, which: int) -> list[int]:
    """Of two vectors end to end every second one of their parts, from the first or the second on."""
    return [place for first in range(which * unit, 2 * lanes, 2 * unit) for place in range(first, first + unit)]


def _end_to_end(e: Shuffles, parts: Sequence[Val]) -> Val:
    """One vector of a power of two of parts."""
    if len(parts) == 1:
        return parts[0]
    left, right = (_end_to_end(e, half) for half in (parts[: len(parts) // 2], parts[len(parts) // 2 :]))
    return e.shuffle(left, right, range(2 * left.lanes))
