"""Dimensions: a size is an int or a polynomial with integer coefficients over named sizes.

    n    2*n + 1    m*n    n//2    (n + 1)//2    n % 8

A symbol stands for a size, which is not negative; rosin.ir.facts knows more about it and proves things. A `Sym` is in a
normal form, so two polynomials are equal exactly if they are the same object by `==`. A quotient rounded down is an
atom of the polynomial like a symbol, and a remainder is written over it: `n % 8` is `n - 8*(n//8)`, which makes
`8*(n//8) + n % 8` come out as `n`.
"""

from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import TypeAlias

from rosin.ir.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named size."""

    name: str

    @property
    def order(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Floor:
    """`dividend // divisor`, rounded down, where nothing simpler is the same."""

    dividend: Sym
    divisor: Dim
    order: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", f"~{self}")

    def __str__(self) -> str:
        return f"{factor_text(self.dividend)}//{factor_text(self.divisor)}"


Atom: TypeAlias = "Symbol | Floor"
Monomial: TypeAlias = tuple[Atom, ...]
"""A product of atoms in order; the empty one is 1."""


class Sym:
    """A size that is not a number yet. Immutable; arithmetic gives a `Sym`, or an int when it is constant."""

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)

    @property
    def constant(self) -> int:
        """The coefficient of 1."""
        monomial, coefficient = self.terms[-1]
        return 0 if monomial else coefficient

    def __add__(self, other: Dim) -> Dim:
        return _combined(self, other, 1)

    def __sub__(self, other: Dim) -> Dim:
        return _combined(self, other, -1)

    def __rsub__(self, other: int) -> Dim:
        return _combined(-self, other, 1)

    def __mul__(self, other: Dim) -> Dim:
        if isinstance(other, int):
            return Sym(tuple((m, c * other) for m, c in self.terms)) if other else 0
        total: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                monomial = tuple(sorted((*left, *right), key=_atom_order))
                total[monomial] = total.get(monomial, 0) + a * b
        return _made(total)

    def __floordiv__(self, other: Dim) -> Dim:
        return _divided(self, other)

    def __rfloordiv__(self, other: int) -> Dim:
        raise TypeError(f"a number divided by a symbolic size: {other} // {self}")

    def __mod__(self, other: Dim) -> Dim:
        return self - _divided(self, other) * other

    def __neg__(self) -> Sym:
        return Sym(tuple((m, -c) for m, c in self.terms))

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Sym) and self._hash == other._hash and self.terms == other.terms)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return _text(self)

    __repr__ = __str__


Dim: TypeAlias = "int | Sym"


# -- the normal form -------------------------------------------------------------------------------------------------


def _atom_order(atom: Atom) -> str:
    return atom.order


def _order(term: tuple[Monomial, int]) -> tuple[int, list[str]]:
    """Terms of high degree come first, then by name; the constant is last."""
    return -len(term[0]), [atom.order for atom in term[0]]


def _made(terms: Mapping[Monomial, int]) -> Dim:
    """The polynomial with these terms; an int when it is one."""
    kept = [(m, c) for m, c in terms.items() if c]
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    return Sym(tuple(sorted(kept, key=_order)))


def _combined(left: Sym, right: Dim, sign: int) -> Dim:
    if isinstance(right, int) and right == 0:
        return left
    total = dict(left.terms)
    for monomial, coefficient in _terms(right):
        total[monomial] = total.get(monomial, 0) + sign * coefficient
    return _made(total)


def _terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    return (((), dim),) if isinstance(dim, int) else dim.terms


def _divided(dividend: Sym, divisor: Dim) -> Dim:
    """The quotient rounded down: what divides exactly is taken out, the rest becomes an atom."""
    if isinstance(divisor, int):
        if divisor == 0:
            raise ZeroDivisionError(f"{dividend} // 0")
        if divisor < 0:
            dividend, divisor = -dividend, -divisor
        whole = _made({m: c // divisor for m, c in dividend.terms})
        rest = _made({m: c % divisor for m, c in dividend.terms})
    else:
        exact = divide(dividend, divisor)
        if exact is not None:
            return exact
        parts = [(term, divide(_made(dict([term])), divisor)) for term in dividend.terms]
        whole = total(part for _, part in parts if part is not None)
        rest = _made(dict(term for term, part in parts if part is None))
    if isinstance(rest, int):
        return whole + rest // divisor if isinstance(divisor, int) else whole + of_atom(_floor(rest, divisor))
    return whole + _quotient(rest, divisor)


def _quotient(rest: Sym, divisor: Dim) -> Dim:
    """The quotient of what is less than the divisor, if that is a number, in each coefficient."""
    if not isinstance(divisor, int):
        return of_atom(Floor(rest, divisor))
    factor = math.gcd(divisor, *(c for m, c in rest.terms if m))
    # The constant loses nothing: what a multiple of the factor lacks of it does not reach the next quotient.
    terms = {m: c // factor for m, c in rest.terms}
    divisor //= factor
    reduced, constant = _made(terms), terms.get((), 0)
    assert isinstance(reduced, Sym), "a number is divided elsewhere"
    inner = _single_floor(reduced - constant)
    if inner is not None and isinstance(inner.divisor, int):
        return (inner.dividend + inner.divisor * constant) // (inner.divisor * divisor)
    if divisor == 1:
        return reduced
    if all(4 * c >= 3 * divisor for m, c in terms.items() if m):
        # Rounded up, of what is left to the next multiple: `-(-n//8)` is `(n + 7)//8`.
        once = _made({m: 1 for m in terms if m})
        left = once * divisor - reduced
        return once - (left + (divisor - 1)) // divisor
    return of_atom(Floor(reduced, divisor))


def _floor(dividend: int, divisor: Sym) -> Floor:
    """A number over a symbolic size, which has no polynomial of its own as its dividend."""
    return Floor(Sym((((), dividend),)), divisor)


def _single_floor(dim: Dim) -> Floor | None:
    """The quotient that the size is, if it is one by itself."""
    if isinstance(dim, Sym) and len(dim.terms) == 1 and dim.terms[0][1] == 1 and len(dim.terms[0][0]) == 1:
        atom = dim.terms[0][0][0]
        return atom if isinstance(atom, Floor) else None
    return None


def divide(a: Dim, b: Dim) -> Dim | None:
    """`a / b` when it is a polynomial with integer coefficients, else None."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b and a % b == 0 else None
    if isinstance(a, int) or (isinstance(b, int) and b == 0):
        return 0 if a == 0 else None
    if a == b:
        return 1
    (lead, factor), quotient, rest = _terms(b)[0], 0, a
    while rest != 0:
        monomial, coefficient = _terms(rest)[0]
        left = _without(monomial, lead)
        if left is None or coefficient % factor:
            return None
        part = _made({left: coefficient // factor})
        quotient, rest = part + quotient, rest - part * b
    return quotient


def _without(monomial: Monomial, factor: Monomial) -> Monomial | None:
    """The monomial divided by another, or None where it is not a multiple."""
    left = list(monomial)
    for atom in factor:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


# -- making and reading ----------------------------------------------------------------------------------------------


def of_atom(atom: Atom) -> Sym:
    """A symbol or a quotient as a size."""
    return Sym((((atom,), 1),))


@functools.cache
def symbol(name: str) -> Sym:
    """The symbolic size called `name`."""
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise ValueError(f"a dimension's name is an identifier, not {name!r}")
    return of_atom(Symbol(name))


@functools.cache
def parse(text: str) -> Dim:
    """The size written as `text`: `4`, `n`, `2*n + 1`, `(n + 1)//2`.

    Raises:
        ValueError: the text is no size.
    """
    if re.fullmatch(r"\s*-?\d+\s*", text):
        return int(text)
    try:
        return _read(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, KeyError, ZeroDivisionError, TypeError):
        raise ValueError(f"{text!r} is not a size; a size reads like 4, n, 2*n + 1 or (n + 1)//2") from None


def floor_divide(a: Dim, b: Dim) -> Dim:
    """`a // b`; a number over a symbolic size too."""
    if isinstance(a, int) and isinstance(b, Sym):
        return _made({(_floor(a, b),): 1}) if a else 0
    return a // b


_OPERATIONS: dict[type[ast.operator], Callable[[Dim, Dim], Dim]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: floor_divide,
    ast.Mod: lambda a, b: a - floor_divide(a, b) * b,
}


def _read(node: ast.expr) -> Dim:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return symbol(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_read(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))):
            return product([_read(left)] * power)
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATIONS[type(op)](_read(left), _read(right))
        case _:
            raise KeyError(node)


def product(dims: Iterable[Dim]) -> Dim:
    """The number of elements of a shape."""
    result: Dim = 1
    for dim in dims:
        result = result * dim
    return result


def total(dims: Iterable[Dim]) -> Dim:
    """The sum of sizes."""
    result: Dim = 0
    for dim in dims:
        result = result + dim
    return result


def is_static(dims: Iterable[Dim]) -> bool:
    """Whether every size is a plain int."""
    return all(isinstance(dim, int) for dim in dims)


def static(dims: Iterable[Dim], what: str) -> tuple[int, ...]:
    """The sizes as ints.

    Raises:
        ValueError: a size is symbolic where `what` needs a number.
    """
    sizes: list[int] = []
    for dim in dims:
        if isinstance(dim, Sym):
            raise ValueError(f"{what} needs sizes that are numbers, and {dim} is symbolic")
        sizes.append(dim)
    return tuple(sizes)


def atoms(dim: Dim) -> Iterator[Atom]:
    """The atoms of a size, those inside of quotients too."""
    for monomial, _ in _terms(dim):
        for atom in monomial:
            yield atom
            if isinstance(atom, Floor):
                yield from atoms(atom.dividend)
                yield from atoms(atom.divisor)


def words(text: str) -> set[str]:
    """The names in what is written over sizes."""
    return set(re.findall(r"[A-Za-z_]\w*", text))


def names(dim: Dim) -> dict[str, None]:
    """The names of the symbols in a size, in order."""
    return {atom.name: None for atom in atoms(dim) if isinstance(atom, Symbol)}


def substitute(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """The size with symbols replaced."""
    return replace_atoms(dim, lambda atom: values.get(atom.name) if isinstance(atom, Symbol) else None)


def replace_atoms(dim: Dim, value: Callable[[Atom], Dim | None]) -> Dim:
    """The size with atoms replaced where `value` gives something; inside of quotients too."""
    if isinstance(dim, int):
        return dim
    result: Dim = 0
    for monomial, coefficient in dim.terms:
        part: Dim = coefficient
        for atom in monomial:
            new = value(atom)
            if new is None and isinstance(atom, Floor):
                new = floor_divide(replace_atoms(atom.dividend, value), replace_atoms(atom.divisor, value))
            part = part * (of_atom(atom) if new is None else new)
        result = part + result
    return result


def evaluate(dim: Dim, sizes: Mapping[str, int]) -> int:
    """The number that a size is, given its symbols'; a quotient by 0 is its dividend.

    Raises:
        KeyError: a symbol is not among `sizes`.
    """
    if isinstance(dim, int):
        return dim
    result = 0
    for monomial, coefficient in dim.terms:
        for atom in monomial:
            if isinstance(atom, Symbol):
                coefficient *= sizes[atom.name]
            else:
                coefficient *= evaluate(atom.dividend, sizes) // (evaluate(atom.divisor, sizes) or 1)
        result += coefficient
    return result


# -- text --------------------------------------------------------------------------------------------------------------


def _text(dim: Sym) -> str:
    parts: list[tuple[int, str]] = []
    rest: Dim = dim
    for remainder, without in _remainders(dim):
        parts.append((1, remainder))
        rest = without
    for monomial, coefficient in _terms(rest):
        alone = len(monomial) == 1 and coefficient == 1
        name = str(monomial[0]) if alone else "*".join(f"({a})" if isinstance(a, Floor) else str(a) for a in monomial)
        parts += [(coefficient, name)] if coefficient else []
    text = ""
    for coefficient, name in parts:
        size = str(abs(coefficient)) if not name else name if abs(coefficient) == 1 else f"{abs(coefficient)}*{name}"
        sign = "-" if coefficient < 0 else "+"
        text += f" {sign} {size}" if text else size if coefficient > 0 else f"-{size}"
    return text


def _remainders(dim: Sym) -> Iterator[tuple[str, Dim]]:
    """The remainders that the size is written with, each with what is left of the size."""
    rest: Dim = dim
    for monomial, coefficient in dim.terms:
        atom = monomial[0] if len(monomial) == 1 else None
        if isinstance(atom, Floor) and isinstance(rest, Sym) and isinstance(atom.divisor, int):
            without = rest - (atom.dividend - of_atom(atom) * atom.divisor)
            if coefficient == -atom.divisor and len(_terms(without)) < len(rest.terms):
                yield f"{factor_text(atom.dividend)}%{atom.divisor}", without
                rest = without


def factor_text(dim: Dim) -> str:
    """The size as a factor, in brackets where it is more than a name or a number."""
    text = str(dim)
    return text if re.fullmatch(r"-?\w+", text) else f"({text})"
