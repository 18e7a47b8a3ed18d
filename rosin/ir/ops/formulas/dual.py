"""Derivatives by parameters for which no formula is known: the derivative of the algorithm, in dual numbers.

The incomplete gamma and beta functions and Hurwitz's zeta are found by series and continued fractions. Over numbers
v + t ε with ε² = 0, the same steps give the derivative t, and over dual numbers of dual numbers the next one. A loop
goes on until the tangents have converged too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

from rosin.ir.formula import Algebra, Real, State, Step, Test
from rosin.ir.op import Elementwise
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import exponential as ex
from rosin.ir.ops import special as sp
from rosin.ir.ops import trigonometric as tr
from rosin.ir.ops.formulas import gamma
from rosin.ir.pairs import Pair


class Dual:
    """A number and its tangent, for one algebra of them; numbers of the algebra below are constants."""

    __slots__ = ("m", "tangent", "value")
    __array_ufunc__ = None  # NumPy's arrays leave operators to this class.

    def __init__(self, m: Duals, value: Real, tangent: Real) -> None:
        self.m, self.value, self.tangent = m, value, tangent

    def _other(self, other: Any) -> Dual:
        return self.m.dual(other, self.value)

    def __add__(self, other: Any, /) -> Real:
        o = self._other(other)
        return Dual(self.m, self.value + o.value, self.tangent + o.tangent)

    def __sub__(self, other: Any, /) -> Real:
        o = self._other(other)
        return Dual(self.m, self.value - o.value, self.tangent - o.tangent)

    def __rsub__(self, other: Any, /) -> Real:
        return self._other(other) - self

    def __mul__(self, other: Any, /) -> Real:
        o = self._other(other)
        return Dual(self.m, self.value * o.value, self.tangent * o.value + self.value * o.tangent)

    def __truediv__(self, other: Any, /) -> Real:
        o = self._other(other)
        quotient = self.value / o.value
        return Dual(self.m, quotient, (self.tangent - quotient * o.tangent) / o.value)

    def __rtruediv__(self, other: Any, /) -> Real:
        return self._other(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Real:
        return Dual(self.m, -self.value, -self.tangent)

    # Comparisons are of the values, and give truth values of the algebra below.

    def __lt__(self, other: Any, /) -> Real:
        return self.value < self._other(other).value

    def __le__(self, other: Any, /) -> Real:
        return self.value <= self._other(other).value

    def __gt__(self, other: Any, /) -> Real:
        return self.value > self._other(other).value

    def __ge__(self, other: Any, /) -> Real:
        return self.value >= self._other(other).value

    def _no_truth(self, *_: Any) -> Real:
        raise TypeError("a dual number is no truth value")

    __and__ = __or__ = __invert__ = _no_truth


class Duals(Algebra):
    """The algebra of dual numbers over another algebra."""

    def __init__(self, below: Algebra) -> None:
        self.below = below

    def dual(self, x: Any, like: Real) -> Dual:
        """x as a dual number; anything else than one of this algebra is a constant."""
        if isinstance(x, Dual) and x.m is self:
            return x
        assert not isinstance(x, Pair), "a pair stands at the left of an operator"
        value = self.below.number(x, like) if isinstance(x, int | float) else cast(Real, x)
        return Dual(self, value, self.below.number(0.0, like))

    def variable(self, x: Real) -> Dual:
        return Dual(self, x, self.below.number(1.0, x))

    def _own(self, x: Real) -> Dual:
        """An operand as a dual number."""
        return x if isinstance(x, Dual) and x.m is self else self.dual(x, x)

    def number(self, value: float, like: Real) -> Real:
        return self.dual(value, self._own(like).value)

    def where(self, condition: Real, x: Real | float, y: Real | float) -> Real:
        like = next(v for v in (x, y) if not isinstance(v, int | float))
        a, b = (self.dual(v, self._own(like).value) for v in (x, y))
        pairs = (a.value, b.value), (a.tangent, b.tangent)
        return Dual(self, *(self.below.where(condition, *pair) for pair in pairs))

    def equal(self, x: Real, y: Real | float) -> Real:
        a = self._own(x)
        return self.below.equal(a.value, self.dual(y, a.value).value)

    def apply(self, op: Elementwise, *operands: Real) -> Real:
        below, duals = self.below, [self._own(x) for x in operands]
        values = [x.value for x in duals]
        result = below.apply(op, *values)
        partials = _PARTIALS[type(op)](below, op, result, values)
        tangent = below.number(0.0, result)
        for partial, x in zip(partials, duals, strict=True):
            if partial is not None:
                tangent = tangent + partial * x.tangent
        return Dual(self, result, tangent)

    def product(self, x: Real, y: Real) -> tuple[Real, Real]:
        a, b = self._own(x), self._own(y)
        high, low = self.below.product(a.value, b.value)
        return Dual(self, high, a.tangent * b.value + a.value * b.tangent), self.dual(low, low)

    def log_pair(self, x: Real) -> tuple[Real, Real]:
        a = self._own(x)
        high, low = self.below.log_pair(a.value)
        return Dual(self, high, a.tangent / a.value), self.dual(low, low)

    def polynomial(self, x: Real, coefficients: Sequence[float]) -> Real:
        a, slopes = self._own(x), [k * c for k, c in enumerate(coefficients)][1:]
        slope = self.below.polynomial(a.value, slopes) * a.tangent
        return Dual(self, self.below.polynomial(a.value, coefficients), slope)

    def loop(self, going: Test, step: Step, state: Sequence[Real], most: int) -> Sequence[Real]:
        def pairs(flat: Sequence[Real]) -> list[Real]:
            return [Dual(self, *flat[k : k + 2]) for k in range(0, len(flat), 2)]

        def flat(duals: Sequence[Real]) -> State:
            return tuple(part for x in map(self._own, duals) for part in (x.value, x.tangent))

        def goes(*state: Real) -> Real:
            return going(*pairs(state))

        def steps(*state: Real) -> State:
            return flat(step(*pairs(state)))

        return pairs(self.below.loop(goes, steps, flat(state), most))

    def magnitude(self, x: Real) -> Real:
        own = self._own(x)
        return self.below.magnitude(own.value) + self.below.magnitude(own.tangent)


def _slopes_of_log_beta(m: Algebra, a: Real, b: Real) -> tuple[Real, Real]:
    total = m.apply(sp.Digamma(), a + b)
    return m.apply(sp.Digamma(), a) - total, m.apply(sp.Digamma(), b) - total


def _slope_of_reciprocal_gamma(m: Algebra, y: Real, x: Real) -> Real:
    """As `Rgamma.partials`: below 1/2 by reflection."""
    low = x < 0.5
    mirrored = m.where(low, 1.0 - x, x)
    by_digamma = y * m.apply(sp.Digamma(), mirrored)
    return m.where(low, m.apply(gamma.Cospi(), x) * m.apply(gamma.Gamma(), mirrored) - by_digamma, -by_digamma)


_Rule = Callable[[Algebra, Any, Real, Sequence[Real]], "tuple[Real | None, ...]"]
_PARTIALS: dict[type[Elementwise], _Rule] = {
    ar.Abs: lambda m, op, y, x: (m.sign(x[0]),),
    ar.Sign: lambda m, op, y, x: (None,),
    ar.Floor: lambda m, op, y, x: (None,),
    ar.Round: lambda m, op, y, x: (None,),
    ex.Sqrt: lambda m, op, y, x: (0.5 / y,),
    ex.Exp: lambda m, op, y, x: (y,),
    ex.Expm1: lambda m, op, y, x: (y + 1.0,),
    ex.Log: lambda m, op, y, x: (1.0 / x[0],),
    ex.Log1p: lambda m, op, y, x: (1.0 / (1.0 + x[0]),),
    ex.Pow: lambda m, op, y, x: (x[1] * m.pow(x[0], x[1] - 1.0), m.where(m.equal(y, 0.0), y, y * m.log(x[0]))),
    sp.Erfc: lambda m, op, y, x: (m.exp(-x[0] * x[0]) * (-2.0 / math.sqrt(math.pi)),),
    sp.Lgamma: lambda m, op, y, x: (m.apply(sp.Digamma(), x[0]),),
    sp.Digamma: lambda m, op, y, x: (m.apply(sp.Polygamma(1), x[0]),),
    sp.Polygamma: lambda m, op, y, x: (m.apply(sp.Polygamma(op.order + 1), x[0]),),
    gamma.Cospi: lambda m, op, y, x: (m.apply(gamma.Sinpi(), x[0]) * -math.pi,),
    gamma.Sinpi: lambda m, op, y, x: (m.apply(gamma.Cospi(), x[0]) * math.pi,),
    gamma.Gamma: lambda m, op, y, x: (y * m.apply(sp.Digamma(), x[0]),),
    gamma.Rgamma: lambda m, op, y, x: (_slope_of_reciprocal_gamma(m, y, x[0]),),
    gamma.Betaln: lambda m, op, y, x: _slopes_of_log_beta(m, *x),
    tr.Sin: lambda m, op, y, x: (m.cos(x[0]),),
    tr.Cos: lambda m, op, y, x: (-m.sin(x[0]),),
}
"""Partial derivatives of the functions that such algorithms use: (algebra, op, result, operands)."""


def derivative(formula: Callable[..., Real], m: Algebra, operands: Sequence[Real], by: int, order: int) -> Real:
    """`formula(m, *operands)`, differentiated `order` times by operand `by`."""
    if order == 0:
        return formula(m, *operands)
    duals = Duals(m)
    inner = [duals.variable(x) if i == by else duals.dual(x, x) for i, x in enumerate(operands)]
    found = derivative(formula, duals, inner, by, order - 1)
    assert isinstance(found, Dual)
    return found.tangent
