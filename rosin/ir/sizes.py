"""The symbolic sizes of a program: where they are read from its arguments, and what is asked of them.

A symbol is read from the first axis of an argument that it is the size of, or that its size is a multiple of plus a
number. The other axes, and the facts, are checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from rosin.ir import dims
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, Floor, Sym, Symbol
from rosin.ir.errors import ConstraintError, GuardError, ShapeError
from rosin.ir.facts import Check, Facts

if TYPE_CHECKING:
    from rosin.ir.graph import Graph

Shape = tuple[Dim, ...]

ADDRESS_BYTES = 1 << 47
"""No process has more memory than this to address."""


@dataclass(frozen=True, slots=True)
class Source:
    """A symbol is `(size - offset) // factor` of the size of an axis of an argument."""

    name: str
    argument: int
    axis: int
    factor: int
    offset: int

    def read(self, shapes: Sequence[Sequence[int]]) -> int:
        return (shapes[self.argument][self.axis] - self.offset) // self.factor


@dataclass(frozen=True)
class Sizes:
    """What a program knows of its sizes.

    `sources` give the symbols in order; `checked` are axes that have to be what the symbols make of them; `limits` are
    numbers of bytes, none of which may be more than a process can address.
    """

    names: tuple[str, ...]
    """What the arguments are called."""
    arguments: tuple[Shape, ...]
    results: tuple[Shape, ...]
    sources: tuple[Source, ...]
    checked: tuple[tuple[int, int], ...]
    checks: tuple[Check, ...]
    limits: tuple[Dim, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict[str, str])
    guards: tuple[Check, ...] = ()
    """Conditions that a program was specialised to."""
    measured: Mapping[str, Dim] = field(default_factory=dict[str, Dim])
    """The symbols that the program measures while it runs, each with the most that it can be."""
    late: tuple[Check, ...] = ()
    """What is asked of these."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, in the order in which a program has them."""
        return (*(source.name for source in self.sources), *self.measured)

    def greatest(self, dim: Dim) -> Dim:
        """What a size is at most, by the sizes of the arguments alone."""
        return Facts(measured=dict(self.measured)).greatest(dim)

    def bind(self, shapes: Sequence[Sequence[int]]) -> dict[str, int]:
        """The value of each symbol, for arguments of these shapes, of the right ranks.

        Raises:
            GuardError: the shapes are for another specialisation.
            ConstraintError: the shapes do not fit; the message names the argument, the axis, and what is asked.
        """
        found = {source.name: source.read(shapes) for source in self.sources}
        for guard in self.guards:
            if not guard.holds(found):
                raise GuardError(self._violated(guard, found, shapes))
        for argument, axis in self.checked:
            actual, dim = shapes[argument][axis], self.arguments[argument][axis]
            wanted = dims.evaluate(dim, found)
            if actual != wanted:
                what = f"{dim} = {wanted}" if isinstance(dim, Sym) else str(dim)
                place = f"axis {axis} of argument `{self.names[argument]}` has size {actual}"
                raise ConstraintError(f"{place}, and it has to be {what}{self._read_from(dim, shapes)}")
        for check in self.checks:
            if not check.holds(found):
                raise ConstraintError(self._violated(check, found, shapes))
        for limit in self.limits:
            if dims.evaluate(limit, found) > ADDRESS_BYTES:
                size = f"{limit} = {dims.evaluate(limit, found)} bytes"
                where = self._read_from(limit, shapes)
                raise ConstraintError(f"a value takes {size}, and no process can address so many{where}")
        return found

    def _read_from(self, dim: Dim, shapes: Sequence[Sequence[int]]) -> str:
        """Where the symbols of a size come from, for a message."""
        parts = [self._origin(s, shapes) for s in self.sources if s.name in dims.names(dim)]
        return f"; {', '.join(parts)}" if parts else ""

    def _origin(self, source: Source, shapes: Sequence[Sequence[int]]) -> str:
        place = f"axis {source.axis} of `{self.names[source.argument]}`"
        return f"{source.name} = {source.read(shapes)} is {'' if source.factor == 1 else 'made of '}{place}"

    def _violated(self, check: Check, sizes: Mapping[str, int], shapes: Sequence[Sequence[int]]) -> str:
        reason = self.reasons.get(str(check), "")
        where = self._read_from(check.left - check.right, shapes)
        return f"the sizes do not fit `{check}`{where}" + (f"\n  which is asked by {reason}" if reason else "")

    def key(self) -> str:
        """What tells the sizes of two programs apart, as text."""
        return "; ".join(map(str, (*self.guards, *self.checks, *self.limits, *self.late)))


def sizes_of(graph: Graph, facts: Facts, limits: Sequence[Dim] = ()) -> Sizes | None:
    """The sizes of a graph whose symbols the facts know; None for one without symbols.

    Raises:
        ShapeError: a symbol cannot be read from the arguments.
    """
    arguments = tuple(v.type.shape for v in graph.inputs)
    results = tuple(v.type.shape for v in graph.outputs)
    used = {n: None for shape in (*arguments, *results) for dim in shape for n in dims.names(dim)}
    used |= dict.fromkeys(graph.symbols())
    if not used:
        return None
    read = {s.name for s in _sources(arguments)}
    measured = {name: most for name, most in graph.measured().items() if name not in read}
    missing = [name for name in used if name not in read and name not in measured]
    if missing:
        message = (
            f"{graph.name}: the symbolic size {missing[0]} cannot be read from an argument: it is the size of no axis"
        )
        raise ShapeError(message)
    names = tuple(v.name or f"{i}" for i, v in enumerate(graph.inputs))
    guards = [g.substitute(facts.equal) for g in facts.guards]
    checks = facts.all_checks()
    found = bound_sizes(names, arguments, results, checks, limits, facts.reasons, guards)
    if not measured:
        return found
    late = tuple(c for c in checks if not measured.keys().isdisjoint(dims.names(c.left) | dims.names(c.right)))
    return replace(found, measured=measured, late=late)


def bound_sizes(
    names: Sequence[str],
    arguments: Sequence[Shape],
    results: Sequence[Shape],
    checks: Sequence[Check],
    limits: Sequence[Dim] = (),
    reasons: Mapping[str, str] | None = None,
    guards: Sequence[Check] = (),
) -> Sizes:
    """The sizes of arguments of these names and shapes; conditions on other symbols than theirs are left out."""
    sources = tuple(_sources(arguments))
    known = {s.name for s in sources}
    read = {(s.argument, s.axis) for s in sources if s.factor == 1}
    axes = [(i, axis) for i, shape in enumerate(arguments) for axis in range(len(shape)) if (i, axis) not in read]
    # Below its offset a size would make the symbol negative.
    more = [Check(dims.symbol(s.name), ">=", 0) for s in sources if s.offset > 0]

    def about(found: Sequence[Check]) -> tuple[Check, ...]:
        return tuple(c for c in found if known.issuperset(dims.names(c.left) | dims.names(c.right)))

    return Sizes(
        tuple(names),
        tuple(arguments),
        tuple(results),
        sources,
        tuple(axes),
        about([*checks, *more]),
        tuple(limits),
        dict(reasons or {}),
        about(guards),
    )


def _sources(arguments: Sequence[Shape]) -> Iterator[Source]:
    places = [(i, axis, dim) for i, shape in enumerate(arguments) for axis, dim in enumerate(shape)]
    found: set[str] = set()
    for alone in (True, False):
        for argument, axis, dim in places:
            linear = _linear(dim)
            if linear is not None and linear[0] not in found and (linear[1] == 1 or not alone):
                found.add(linear[0])
                yield Source(linear[0], argument, axis, linear[1], linear[2])


def _linear(dim: Dim) -> tuple[str, int, int] | None:
    """Name, factor and offset of a size that is a multiple of one symbol plus a number."""
    if isinstance(dim, int) or len(dim.terms) - (dim.constant != 0) != 1:
        return None
    monomial, factor = dim.terms[0]
    if len(monomial) != 1 or isinstance(monomial[0], Floor) or factor < 1:
        return None
    assert isinstance(monomial[0], Symbol)
    return monomial[0].name, factor, dim.constant
