"""Integer expressions over loop variables: where in a buffer, or along an axis, an iteration is.

An `Index` is affine in atoms: a constant plus integer multiples of loop variables and of the few things that are not
affine in them (a quotient, a remainder, a number read from an array). The algebra keeps what a loop schedule asks
for, the coefficient of each variable and the bounds of the whole, in plain sight, and it undoes a reshape:
`c * (x // c) + x % c` becomes `x` again.

Coefficients, divisors and extents are sizes, so they may be symbolic. Bounds are then what can be proved
(rosin.ir.facts); they hold inside of the loops that the variables belong to, which may not run at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from rosin.ir import facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, factor_text

if TYPE_CHECKING:
    from rosin.ir.loops import Expr

_serial = itertools.count()


@dataclass(frozen=True, slots=True, eq=False)
class LoopVar:
    """A loop variable that counts 0, 1, …, extent - 1. Two variables are equal only if they are the same one."""

    name: str
    extent: Dim
    serial: int = field(default_factory=lambda: next(_serial))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Quotient:
    """`dividend // divisor`, rounded down."""

    dividend: Index
    divisor: Dim

    def __str__(self) -> str:
        return f"({self.dividend}) // {factor_text(self.divisor)}"


@dataclass(frozen=True, slots=True)
class Remainder:
    """`dividend % divisor`, never negative."""

    dividend: Index
    divisor: Dim

    def __str__(self) -> str:
        return f"({self.dividend}) % {factor_text(self.divisor)}"


@dataclass(frozen=True, slots=True, eq=False)
class Dynamic:
    """An index that the program computes; it lies in `low … high`, both included."""

    value: Expr
    low: Dim
    high: Dim

    def __str__(self) -> str:
        return f"[{self.value}]"


@dataclass(frozen=True, slots=True)
class Least:
    """`index`, or `most` where that is less: a place that stays within an array; `index` is not negative."""

    index: Index
    most: Dim

    def __str__(self) -> str:
        return f"min({self.index}, {self.most})"


Atom: TypeAlias = "LoopVar | Quotient | Remainder | Dynamic | Least"
Bounds: TypeAlias = "tuple[Dim | None, Dim | None]"
"""The least and the greatest value, both included; None where nothing is known."""


@dataclass(frozen=True, slots=True)
class Index:
    """`constant + Σ coefficient * atom`, no coefficient zero, each atom once."""

    constant: Dim
    terms: tuple[tuple[Atom, Dim], ...] = ()

    def __add__(self, other: Index | Dim) -> Index:
        if not isinstance(other, Index):
            return Index(self.constant + other, self.terms)
        if not other.terms:
            return Index(self.constant + other.constant, self.terms)
        if not self.terms:
            return Index(self.constant + other.constant, other.terms)
        terms = dict(self.terms)
        for atom, coefficient in other.terms:
            terms[atom] = terms.get(atom, 0) + coefficient
        return _collect(self.constant + other.constant, terms)

    def __sub__(self, other: Index | Dim) -> Index:
        return self + other * -1

    def __mul__(self, factor: Dim) -> Index:
        if factor == 0:
            return ZERO
        if factor == 1:
            return self
        return Index(self.constant * factor, tuple([(a, c * factor) for a, c in self.terms]))

    __radd__ = __add__
    __rmul__ = __mul__

    def __floordiv__(self, divisor: Dim) -> Index:
        if divisor == 1:
            return self
        whole, rest = self._split(divisor)
        quotient = rest._quotient(divisor)
        return whole + (Index(0, ((Quotient(rest, divisor), 1),)) if quotient is None else quotient)

    def __mod__(self, divisor: Dim) -> Index:
        if divisor == 1:
            return ZERO
        _, rest = self._split(divisor)
        quotient = rest._quotient(divisor)
        return Index(0, ((Remainder(rest, divisor), 1),)) if quotient is None else rest - quotient * divisor

    def _split(self, divisor: Dim) -> tuple[Index, Index]:
        """The quotient of the terms that `divisor` divides, and the rest with its constant in `0 … divisor - 1`."""
        number = self.constant if isinstance(self.constant, int) else self.constant.constant
        left = number % divisor if isinstance(divisor, int) else 0
        exact = facts.divide(self.constant - left, divisor)
        start: tuple[Dim, Dim] = (0, self.constant) if exact is None else (exact, left)
        parts = [(a, c, facts.divide(c, divisor)) for a, c in self.terms]
        whole = tuple((a, q) for a, _, q in parts if q is not None)
        rest = tuple((a, c) for a, c, q in parts if q is None)
        return Index(start[0], whole), Index(start[1], rest)

    def _quotient(self, divisor: Dim) -> Dim | None:
        """The quotient by `divisor` when it is the same everywhere, else None."""
        low, high = self.bounds()
        if isinstance(low, int) and isinstance(high, int) and isinstance(divisor, int):
            return low // divisor if low // divisor == high // divisor else None
        if low is None or high is None:
            return None
        within = facts.known_at_least(low, 0) and facts.known_at_least(divisor - 1, high)
        return 0 if within else None

    def coefficient(self, atom: Atom) -> Dim:
        """The multiple of `atom` in this index; 0 when it does not occur by itself."""
        for a, c in self.terms:
            if a is atom or a == atom:
                return c
        return 0

    def bounds(self) -> Bounds:
        """The least and the greatest value, both included; they may be wider than what is reached."""
        low: Dim | None = self.constant
        high: Dim | None = self.constant
        for atom, coefficient in self.terms:
            a, b = _atom_bounds(atom)
            if not facts.known_at_least(coefficient, 0):
                if not facts.known_at_least(0, coefficient):
                    return None, None
                a, b = b, a
            low = None if low is None or a is None else low + coefficient * a
            high = None if high is None or b is None else high + coefficient * b
        return low, high

    def variables(self) -> frozenset[LoopVar]:
        """Every loop variable that the value depends on, through quotients and remainders too."""
        found: set[LoopVar] = set()
        for atom, _ in self.terms:
            if isinstance(atom, LoopVar):
                found.add(atom)
            elif isinstance(atom, Dynamic):
                found |= atom.value.variables()
            else:
                found |= inner(atom).variables()
        return frozenset(found)

    def dynamics(self) -> tuple[Dynamic, ...]:
        """Every number that is read for the index, in quotients and remainders too."""
        found: tuple[Dynamic, ...] = ()
        for atom, _ in self.terms:
            if isinstance(atom, LoopVar):
                continue
            found = (*found, atom) if isinstance(atom, Dynamic) else (*found, *inner(atom).dynamics())
        return found

    def affine_in(self, var: LoopVar) -> bool:
        """Whether `var` occurs only as a term of its own, if at all."""
        for term in self.terms:
            if not isinstance(term[0], LoopVar) and var in Index(0, (term,)).variables():
                return False
        return True

    def substitute(self, values: Mapping[LoopVar, Index]) -> Index:
        """This index with loop variables replaced by other indices."""
        for atom, _ in self.terms:
            if not isinstance(atom, LoopVar) or atom in values:
                break
        else:
            return self
        constant, terms = self.constant, dict[Atom, Dim]()
        for atom, coefficient in self.terms:
            place = values.get(atom) if isinstance(atom, LoopVar) else _substitute_atom(atom, values)
            if place is None:
                terms[atom] = terms.get(atom, 0) + coefficient
                continue
            constant = constant + place.constant * coefficient
            for a, c in place.terms:
                terms[a] = terms.get(a, 0) + c * coefficient
        return _collect(constant, terms)

    def __str__(self) -> str:
        parts = [(f"{a}" if c == 1 else f"{factor_text(c)}*{a}") for a, c in self.terms]
        if self.constant != 0 or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


ZERO = Index(0)
_ATOMS = (LoopVar, Dynamic)


def of(value: LoopVar | Dynamic | Dim) -> Index:
    """A variable or a size as an index."""
    return Index(0, ((value, 1),)) if isinstance(value, _ATOMS) else Index(value)


def in_order(variables: Iterable[LoopVar]) -> list[LoopVar]:
    """Variables in the order in which they were made; that of a set depends on where objects lie."""
    return sorted(variables, key=lambda v: v.serial)


def least(index: Index, most: Dim) -> Index:
    """The index, or `most` where that is less."""
    if not index.terms and isinstance(index.constant, int) and isinstance(most, int):
        return Index(min(index.constant, most))
    return Index(0, ((Least(index, most), 1),))


def inner(atom: Quotient | Remainder | Least) -> Index:
    """The index that an atom is made of."""
    return atom.index if isinstance(atom, Least) else atom.dividend


def _atom_bounds(atom: Atom) -> Bounds:
    match atom:
        case LoopVar():
            # A loop over nothing does not run, so that any bounds hold in it; these are in order.
            return 0, max(atom.extent - 1, 0) if isinstance(atom.extent, int) else atom.extent - 1
        case Remainder():
            return 0, atom.divisor - 1
        case Quotient():
            low, high = atom.dividend.bounds()
            return _divided(low, atom.divisor), _divided(high, atom.divisor)
        case Least():
            return 0, atom.most
        case Dynamic():
            return atom.low, atom.high


def _divided(bound: Dim | None, divisor: Dim) -> Dim | None:
    if bound is None or (isinstance(bound, int) and not isinstance(divisor, int)):
        return 0 if bound == 0 else None
    return bound // divisor


def _substitute_atom(atom: Quotient | Remainder | Least | Dynamic, values: Mapping[LoopVar, Index]) -> Index:
    match atom:
        case Quotient():
            return atom.dividend.substitute(values) // atom.divisor
        case Remainder():
            return atom.dividend.substitute(values) % atom.divisor
        case Least():
            return least(atom.index.substitute(values), atom.most)
        case Dynamic():
            return of(Dynamic(atom.value.substitute(values), atom.low, atom.high))


def _collect(constant: Dim, terms: dict[Atom, Dim]) -> Index:
    """The index with these terms, zeros dropped and each `c*(x // c)` joined with its `x % c`."""
    for atom, coefficient in terms.items():
        if isinstance(atom, Remainder) and coefficient != 0:
            quotient = Quotient(atom.dividend, atom.divisor)
            if terms.get(quotient) == coefficient * atom.divisor:
                rest = {a: c for a, c in terms.items() if a not in (atom, quotient)}
                return _collect(constant, rest) + atom.dividend * coefficient
    if 0 in terms.values():
        return Index(constant, tuple([(a, c) for a, c in terms.items() if c != 0]))
    return Index(constant, tuple(terms.items()))


def strides(shape: Sequence[Dim]) -> tuple[Dim, ...]:
    """The distance in elements between neighbours along each axis of a dense row-major array."""
    result: list[Dim] = []
    step: Dim = 1
    for size in reversed(shape):
        result.append(step)
        step *= size
    return tuple(reversed(result))


def flatten(index: Iterable[Index], shape: Sequence[Dim]) -> Index:
    """The row-major offset of the element at `index`."""
    constant: Dim = 0
    terms: dict[Atom, Dim] = {}
    for position, step in reversed(list(zip(index, strides(shape), strict=True))):
        constant = constant + position.constant * step
        for atom, coefficient in position.terms:
            terms[atom] = terms.get(atom, 0) + coefficient * step
    return _collect(constant, terms)


def unflatten(offset: Index, shape: Sequence[Dim]) -> tuple[Index, ...]:
    """The index of the element at a row-major offset that lies within the array."""
    result: list[Index] = []
    rest = offset
    for axis, step in enumerate(strides(shape)):
        if shape[axis] == 1:
            result.append(ZERO)
        elif axis == len(shape) - 1:
            result.append(rest)
        else:
            result.append(rest // step)
            rest = rest % step
    return tuple(result)


def reshaped(index: Sequence[Index], shape: Sequence[Dim], source: Sequence[Dim]) -> tuple[Index, ...]:
    """The index in an array of the shape `source` of what is at `index` when it is reshaped to `shape`.

    Axes of one that are axes of the other are told apart, so that an index that leaves one of them leaves others be.
    """
    result: list[Index] = []
    at = 0
    while at < len(shape) and len(result) < len(source):
        first, start = at, len(result)
        at, end = _alike(shape, source, at, start)
        result += unflatten(flatten(index[first:at], shape[first:at]), source[start:end])
    return (*result, *[ZERO] * (len(source) - len(result)))


def _alike(shape: Sequence[Dim], source: Sequence[Dim], at: int, start: int) -> tuple[int, int]:
    """Where the fewest axes end, from these on, that have as many elements in both shapes."""
    left, right, end = shape[at], source[start], start + 1
    at += 1
    while left != right:
        if not isinstance(left, int) or not isinstance(right, int) or 0 in (left, right):
            return len(shape), len(source)
        if left < right:
            left, at = left * shape[at], at + 1
        else:
            right, end = right * source[end], end + 1
    return at, end
