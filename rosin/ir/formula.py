"""Elementwise ops whose meaning is a formula: one text that NumPy evaluates and that targets compile.

A formula is a Python function of numbers and of the `Algebra` in which they are computed. In NumPy a number is an array
of f64, in the code of a target a register, under a derivative by a parameter a pair of both. A formula uses operators,
float constants, and what `Algebra` offers; it must not ask what a number is, so that every algebra sees the same steps.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias, cast

import numpy as np

from rosin.ir.op import Elementwise, NumpyArray
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import exponential as ex
from rosin.ir.ops import special as sp
from rosin.ir.ops import trigonometric as tr
from rosin.ir.pairs import log_pair, split_by_halving


class Real(Protocol):
    """A number of a formula, or the truth value that a comparison gives, which takes `&`, `|` and `~`."""

    def __add__(self, other: Any, /) -> Real: ...
    def __radd__(self, other: Any, /) -> Real: ...
    def __sub__(self, other: Any, /) -> Real: ...
    def __rsub__(self, other: Any, /) -> Real: ...
    def __mul__(self, other: Any, /) -> Real: ...
    def __rmul__(self, other: Any, /) -> Real: ...
    def __truediv__(self, other: Any, /) -> Real: ...
    def __rtruediv__(self, other: Any, /) -> Real: ...
    def __neg__(self) -> Real: ...
    def __lt__(self, other: Any, /) -> Real: ...
    def __le__(self, other: Any, /) -> Real: ...
    def __gt__(self, other: Any, /) -> Real: ...
    def __ge__(self, other: Any, /) -> Real: ...
    def __and__(self, other: Any, /) -> Real: ...
    def __or__(self, other: Any, /) -> Real: ...
    def __invert__(self) -> Real: ...


State: TypeAlias = tuple[Real, ...]

Test: TypeAlias = Callable[..., Real]
"""Of a loop's numbers, whether to go on."""
Step: TypeAlias = Callable[..., State]
"""Of a loop's numbers, the next ones."""


class Algebra(ABC):
    """The arithmetic in which a formula is computed: f64 at every place, rounded as IEEE 754 asks."""

    @abstractmethod
    def number(self, value: float, like: Real) -> Real:
        """A constant beside `like`."""

    @abstractmethod
    def where(self, condition: Real, x: Real | float, y: Real | float) -> Real:
        """x where the condition holds, else y; at least one of them is no constant."""

    @abstractmethod
    def equal(self, x: Real, y: Real | float) -> Real:
        """Whether x is y; NaN is not itself."""

    @abstractmethod
    def apply(self, op: Elementwise, *operands: Real) -> Real:
        """An elementwise op of floats."""

    @abstractmethod
    def product(self, x: Real, y: Real) -> tuple[Real, Real]:
        """x y rounded, and its rounding error."""

    @abstractmethod
    def polynomial(self, x: Real, coefficients: Sequence[float]) -> Real:
        """The polynomial with these coefficients, constant term first."""

    @abstractmethod
    def loop(self, going: Test, step: Step, state: Sequence[Real], most: int) -> Sequence[Real]:
        """`state = step(*state)` while `going(*state)`, at each place by itself and at most so many times."""

    def split(self, x: Real) -> tuple[Real, Real]:
        """k and f with x = f 2^k and √½ ≤ f < √2, of a positive finite number."""
        return split_by_halving(self, x)

    def log_pair(self, x: Real) -> tuple[Real, Real]:
        """log(x) of a positive finite number as an unevaluated sum, with a relative error below 2^-64."""
        return log_pair(self, x)

    def magnitude(self, x: Real) -> Real:
        """What has to become small before a loop may end: |x| and, under derivatives, the size of its tangent."""
        return self.abs(x)

    # -- functions, which are ops ------------------------------------------------------------------------------

    def abs(self, x: Real) -> Real:
        return self.apply(ar.Abs(), x)

    def sign(self, x: Real) -> Real:
        """1 or -1; of zeros and NaN themselves."""
        return self.apply(ar.Sign(), x)

    def floor(self, x: Real) -> Real:
        return self.apply(ar.Floor(), x)

    def round(self, x: Real) -> Real:
        """The nearest integer, the even one of two."""
        return self.apply(ar.Round(), x)

    def sqrt(self, x: Real) -> Real:
        return self.apply(ex.Sqrt(), x)

    def exp(self, x: Real) -> Real:
        return self.apply(ex.Exp(), x)

    def expm1(self, x: Real) -> Real:
        return self.apply(ex.Expm1(), x)

    def log(self, x: Real) -> Real:
        return self.apply(ex.Log(), x)

    def log1p(self, x: Real) -> Real:
        return self.apply(ex.Log1p(), x)

    def pow(self, x: Real, y: Real) -> Real:
        return self.apply(ex.Pow(), x, y)

    def sin(self, x: Real) -> Real:
        return self.apply(tr.Sin(), x)

    def cos(self, x: Real) -> Real:
        return self.apply(tr.Cos(), x)

    def erfc(self, x: Real) -> Real:
        return self.apply(sp.Erfc(), x)

    def lgamma(self, x: Real) -> Real:
        return self.apply(sp.Lgamma(), x)

    # -- helpers of many formulas ------------------------------------------------------------------------------

    def nan_where(self, condition: Real, x: Real) -> Real:
        return self.where(condition, math.nan, x)

    def either(self, condition: Real, x: tuple[Real, ...], y: tuple[Real, ...]) -> tuple[Real, ...]:
        """`where` of several numbers."""
        return tuple(self.where(condition, a, b) for a, b in zip(x, y, strict=True))


class NumpyAlgebra(Algebra):
    """Formulas over NumPy arrays: what the ops mean."""

    def number(self, value: float, like: Real) -> Real:
        return cast(Real, np.full_like(cast(Any, like), value))

    def where(self, condition: Real, x: Real | float, y: Real | float) -> Real:
        return cast(Real, np.where(cast(Any, condition), cast(Any, x), cast(Any, y)))

    def equal(self, x: Real, y: Real | float) -> Real:
        return cast(Real, np.equal(cast(Any, x), cast(Any, y)))

    def apply(self, op: Elementwise, *operands: Real) -> Real:
        return cast(Real, op.apply(*(np.asarray(x, np.float64) for x in operands)))

    def product(self, x: Real, y: Real) -> tuple[Real, Real]:
        product = x * y
        (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
        error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
        # Halving overflows next to the largest floats, where no formula needs the error.
        return product, self.where(cast(Real, np.isfinite(cast(Any, error))), error, 0.0)

    def split(self, x: Real) -> tuple[Real, Real]:
        fraction, exponent = np.frexp(cast(Any, x))
        low = fraction < math.sqrt(0.5)
        return cast(Real, exponent - low * 1.0), cast(Real, np.where(low, fraction * 2.0, fraction))

    def polynomial(self, x: Real, coefficients: Sequence[float]) -> Real:
        result = self.number(coefficients[-1], x)
        for coefficient in coefficients[-2::-1]:
            result = result * x + coefficient
        return result

    def loop(self, going: Test, step: Step, state: Sequence[Real], most: int) -> Sequence[Real]:
        for _ in range(most):
            goes = going(*state)
            if not np.any(cast(Any, goes)):
                break
            state = [self.where(goes, new, old) for new, old in zip(step(*state), state, strict=True)]
        return state


def _halves(x: Real) -> tuple[Real, Real]:
    """Two floats of half the digits whose sum is x (Dekker 1971)."""
    scaled = x * 134217729.0
    high = scaled - (scaled - x)
    return high, x - high


NUMPY = NumpyAlgebra()


class Formula(Elementwise):
    """An elementwise op given by a formula. It is computed in f64 and rounded once to the operands' type."""

    slow_in_numpy = True
    flops: ClassVar[int] = 100

    @abstractmethod
    def formula(self, m: Algebra, *x: Real) -> Real:
        """The result, from the operands in f64."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        wide = [cast(Real, x.astype(np.float64)) for x in operands]
        return np.asarray(self.formula(NUMPY, *wide)).astype(operands[0].dtype)
