"""Integer expressions over loop variables: where in a buffer, or along an axis, an iteration is.

An `Index` is affine in atoms: a constant plus integer multiples of loop variables and of the few things that are not
affine in them (a quotient, a remainder, a number read from an array). The algebra keeps what a loop schedule asks
for, the coefficient of each variable and the bounds of the whole, in plain sight, and it undoes a reshape:
`c * (x // c) + x % c` becomes `x` again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rosin.ir.loops import Expr

_serial = itertools.count()


@dataclass(frozen=True, slots=True, eq=False)
class LoopVar:
    """A loop variable that counts 0, 1, …, extent - 1. Two variables are equal only if they are the same one."""

    name: str
    extent: int
    serial: int = field(default_factory=lambda: next(_serial))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Quotient:
    """`dividend // divisor`, rounded down."""

    dividend: Index
    divisor: int

    def __str__(self) -> str:
        return f"({self.dividend}) // {self.divisor}"


@dataclass(frozen=True, slots=True)
class Remainder:
    """`dividend % divisor`, never negative."""

    dividend: Index
    divisor: int

    def __str__(self) -> str:
        return f"({self.dividend}) % {self.divisor}"


@dataclass(frozen=True, slots=True, eq=False)
class Dynamic:
    """An index that the program computes; it lies in `low … high`, both included."""

    value: Expr
    low: int
    high: int

    def __str__(self) -> str:
        return f"[{self.value}]"


Atom: TypeAlias = "LoopVar | Quotient | Remainder | Dynamic"


@dataclass(frozen=True, slots=True)
class Index:
    """`constant + Σ coefficient * atom`, no coefficient zero, each atom once."""

    constant: int
    terms: tuple[tuple[Atom, int], ...] = ()

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.constant + other, self.terms)
        if not other.terms:
            return Index(self.constant + other.constant, self.terms)
        if not self.terms:
            return Index(self.constant + other.constant, other.terms)
        terms = dict(self.terms)
        for atom, coefficient in other.terms:
            terms[atom] = terms.get(atom, 0) + coefficient
        return _collect(self.constant + other.constant, terms)

    def __sub__(self, other: Index | int) -> Index:
        return self + other * -1

    def __mul__(self, factor: int) -> Index:
        if factor == 0:
            return ZERO
        if factor == 1:
            return self
        return Index(self.constant * factor, tuple((a, c * factor) for a, c in self.terms))

    __radd__ = __add__
    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> Index:
        if divisor == 1:
            return self
        whole, rest = self._split(divisor)
        low, high = rest.bounds()
        if low // divisor == high // divisor:
            return whole + low // divisor
        return whole + Index(0, ((Quotient(rest, divisor), 1),))

    def __mod__(self, divisor: int) -> Index:
        if divisor == 1:
            return ZERO
        _, rest = self._split(divisor)
        low, high = rest.bounds()
        if low // divisor == high // divisor:
            return rest - low // divisor * divisor
        return Index(0, ((Remainder(rest, divisor), 1),))

    def _split(self, divisor: int) -> tuple[Index, Index]:
        """The quotient of the terms that `divisor` divides, and the rest with its constant in `0 … divisor - 1`."""
        whole = tuple((a, c // divisor) for a, c in self.terms if c % divisor == 0)
        rest = tuple((a, c) for a, c in self.terms if c % divisor)
        return Index(self.constant // divisor, whole), Index(self.constant % divisor, rest)

    def coefficient(self, atom: Atom) -> int:
        """The multiple of `atom` in this index; 0 when it does not occur by itself."""
        return next((c for a, c in self.terms if a == atom), 0)

    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value, both included; they may be wider than what is reached."""
        low = high = self.constant
        for atom, coefficient in self.terms:
            a, b = _atom_bounds(atom)
            low += coefficient * (a if coefficient > 0 else b)
            high += coefficient * (b if coefficient > 0 else a)
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
                found |= atom.dividend.variables()
        return frozenset(found)

    def affine_in(self, var: LoopVar) -> bool:
        """Whether `var` occurs only as a term of its own, if at all."""
        return all(atom is var or var not in Index(0, ((atom, 1),)).variables() for atom, _ in self.terms)

    def substitute(self, values: Mapping[LoopVar, Index]) -> Index:
        """This index with loop variables replaced by other indices."""
        total = Index(self.constant)
        for atom, coefficient in self.terms:
            total = total + _substitute_atom(atom, values) * coefficient
        return total

    def __str__(self) -> str:
        parts = [(f"{a}" if c == 1 else f"{c}*{a}") for a, c in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


ZERO = Index(0)


def of(value: LoopVar | Dynamic | int) -> Index:
    """A variable or a number as an index."""
    return Index(value) if isinstance(value, int) else Index(0, ((value, 1),))


def _atom_bounds(atom: Atom) -> tuple[int, int]:
    if isinstance(atom, LoopVar):
        return 0, max(atom.extent - 1, 0)
    if isinstance(atom, Remainder):
        return 0, atom.divisor - 1
    if isinstance(atom, Quotient):
        low, high = atom.dividend.bounds()
        return low // atom.divisor, high // atom.divisor
    return atom.low, atom.high


def _substitute_atom(atom: Atom, values: Mapping[LoopVar, Index]) -> Index:
    if isinstance(atom, LoopVar):
        return values.get(atom) or of(atom)
    if isinstance(atom, Quotient):
        return atom.dividend.substitute(values) // atom.divisor
    if isinstance(atom, Remainder):
        return atom.dividend.substitute(values) % atom.divisor
    return of(Dynamic(atom.value.substitute(values), atom.low, atom.high))


def _collect(constant: int, terms: dict[Atom, int]) -> Index:
    """The index with these terms, zeros dropped and each `c*(x // c)` joined with its `x % c`."""
    for atom, coefficient in terms.items():
        if isinstance(atom, Remainder) and coefficient:
            quotient = Quotient(atom.dividend, atom.divisor)
            if terms.get(quotient) == coefficient * atom.divisor:
                rest = {a: c for a, c in terms.items() if a not in (atom, quotient)}
                return _collect(constant, rest) + atom.dividend * coefficient
    return Index(constant, tuple((a, c) for a, c in terms.items() if c))


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The distance in elements between neighbours along each axis of a dense row-major array."""
    result: list[int] = []
    step = 1
    for size in reversed(shape):
        result.append(step)
        step *= size
    return tuple(reversed(result))


def flatten(index: Iterable[Index], shape: Sequence[int]) -> Index:
    """The row-major offset of the element at `index`."""
    total = ZERO
    for position, step in reversed(list(zip(index, strides(shape), strict=True))):
        total = total + position * step
    return total


def unflatten(offset: Index, shape: Sequence[int]) -> tuple[Index, ...]:
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
