"""Dimensions: a size is an int or a symbolic expression over named positive sizes.

Symbolic sizes are SymPy expressions underneath. SymPy is imported when the first one is made, since most programs
have none and its import costs more than all of ours.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any, TypeAlias


@functools.cache
def _sympy() -> Any:
    import sympy

    return sympy


class Sym:
    """A symbolic size, such as `n` or `2*n + 1`. Immutable; arithmetic gives a `Sym`, or an int when it is constant."""

    __slots__ = ("expr",)

    def __init__(self, expr: Any) -> None:
        self.expr = expr

    def __add__(self, other: Dim) -> Dim:
        return _wrap(self.expr + _expr(other))

    def __sub__(self, other: Dim) -> Dim:
        return _wrap(self.expr - _expr(other))

    def __rsub__(self, other: int) -> Dim:
        return _wrap(_expr(other) - self.expr)

    def __mul__(self, other: Dim) -> Dim:
        return _wrap(self.expr * _expr(other))

    def __floordiv__(self, other: Dim) -> Dim:
        whole, rest = _split(self.expr, other) if isinstance(other, int) else (0, self.expr)
        return _wrap(whole + _sympy().floor(rest / _expr(other)))

    def __rfloordiv__(self, other: int) -> Dim:
        return _wrap(_sympy().floor(_expr(other) / self.expr))

    def __mod__(self, other: Dim) -> Dim:
        return _wrap(_sympy().Mod(self.expr, _expr(other)))

    def __neg__(self) -> Dim:
        return _wrap(-self.expr)

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sym) and self.expr == other.expr

    def __hash__(self) -> int:
        return hash(self.expr)

    def __str__(self) -> str:
        return str(self.expr)

    __repr__ = __str__


Dim: TypeAlias = "int | Sym"


def _expr(dim: Dim) -> Any:
    return dim.expr if isinstance(dim, Sym) else _sympy().Integer(dim)


def _split(expr: Any, divisor: int) -> tuple[Any, Any]:
    """Multiples of `divisor` taken out of every term: the quotients, and the rest. So (2*n + 1) // 2 is n."""
    terms = expr.as_coefficients_dict().items()
    return sum(c // divisor * term for term, c in terms), sum(c % divisor * term for term, c in terms)


def _wrap(expr: Any) -> Dim:
    expr = _sympy().expand(expr)
    return int(expr) if expr.is_Integer else Sym(expr)


@functools.cache
def symbol(name: str) -> Sym:
    """The symbolic size called `name`; it stands for a positive integer."""
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise ValueError(f"a dimension's name is an identifier, not {name!r}")
    return Sym(_sympy().Symbol(name, integer=True, positive=True))


def parse(text: str) -> Dim:
    """The size written as `text`: `4`, `n`, `2*n + 1`."""
    text = text.strip()
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    names = {name: symbol(name).expr for name in re.findall(r"[A-Za-z_]\w*", text) if name not in ("floor", "Mod")}
    names |= {"floor": _sympy().floor, "Mod": _sympy().Mod}
    return _wrap(_sympy().sympify(text, locals=names))


def product(dims: Iterable[Dim]) -> Dim:
    """The number of elements of a shape."""
    total: Dim = 1
    for dim in dims:
        total = total * dim
    return total


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


def divide(a: Dim, b: Dim) -> Dim | None:
    """`a / b` when `b` is known to divide `a`, else None."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b and a % b == 0 else None
    quotient = _sympy().cancel(_expr(a) / _expr(b))
    numerator, denominator = quotient.as_numer_denom()
    return _wrap(numerator) if denominator == 1 else None
