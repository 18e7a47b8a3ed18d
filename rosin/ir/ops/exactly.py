"""Functions whose bits are the same on every target, put together of exactly rounded operations (rosin.ir.exactly).

They are what random numbers are made of. Their derivatives, of which nothing of the kind is asked, are those of the
functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dtypes, exactly
from rosin.ir.dtypes import DType, f32, f64
from rosin.ir.loops import Expr, Local
from rosin.ir.op import Elementwise, NumpyArray, Partial, Value, Values, define
from rosin.ir.ops.special import Digamma
from rosin.ir.scalar import Real, evaluate

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)


@define("rounded")
class Rounded(Elementwise):
    """Its operand, rounded by itself: no target makes one operation of it and what follows, as of a product and the sum
    that it is a term of, of two quotients, of a quotient and a root, or of two sums with constants."""

    flops = 0

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return operands[0]

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (1.0,)


@define("exact_div")
class ExactDiv(Elementwise):
    """x / y, which no target makes a product with the reciprocal of, where y is a constant."""

    arity = 2
    flops = 8

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        with np.errstate(all="ignore"):
            return operands[0] / operands[1]

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        _, y = operands
        return (b.div(1.0, y), b.neg(b.div(result, y)))


class Exact(Elementwise):
    """A function of f32 and f64 that `formula` puts together."""

    accepts: ClassVar[frozenset[DType]] = frozenset({f32, f64})
    flops = 40
    slow_in_numpy = True
    formula: ClassVar[Callable[[Real], Real]]

    def expression(self, x: Expr) -> Expr:
        """The function of a scalar."""
        return type(self).formula(Real(x)).expr

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        local = Local("x", dtypes.from_numpy(x.dtype))
        with np.errstate(all="ignore"):
            return evaluate(self.expression(local), {local: x})


@define("exact_log")
class ExactLog(Exact):
    """The natural logarithm."""

    formula = exactly.log

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0, operands[0]),)


@define("exact_log_of_normal")
class ExactLogOfNormal(Exact):
    """The natural logarithm of positive numbers that are neither infinite nor subnormal; of others it is anything."""

    formula = exactly.log_of_normal

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0, operands[0]),)


@define("exact_log1p")
class ExactLog1p(Exact):
    """log(1 + x), accurate near 0."""

    formula = exactly.log1p

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0, b.add(operands[0], 1.0)),)


@define("exact_exp")
class ExactExp(Exact):
    """e to the power x."""

    formula = exactly.exp

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (result,)


@define("exact_tan")
class ExactTan(Exact):
    """The tangent of angles between -π/2 and π/2."""

    formula = exactly.tan

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.add(b.mul(result, result), 1.0),)


class ExactOfDouble(Exact):
    """A function of f64 alone."""

    accepts = frozenset({f64})


@define("exact_erf")
class ExactErf(ExactOfDouble):
    """The error function."""

    formula = exactly.erf

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.mul(b.exp(b.neg(b.mul(x, x))), TWO_OVER_ROOT_PI),)


@define("exact_erfc")
class ExactErfc(ExactOfDouble):
    """1 - erf(x)."""

    formula = exactly.erfc

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.mul(b.exp(b.neg(b.mul(x, x))), -TWO_OVER_ROOT_PI),)


@define("exact_erfinv")
class ExactErfinv(ExactOfDouble):
    """The inverse of erf: ±∞ at ±1, NaN beyond."""

    formula = exactly.erfinv

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(b.exp(b.mul(result, result)), 1.0 / TWO_OVER_ROOT_PI),)


@define("exact_erfcinv")
class ExactErfcinv(ExactOfDouble):
    """The inverse of erfc on [0, 1]: ∞ at 0."""

    formula = exactly.erfcinv
    flops = 400

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(b.exp(b.mul(result, result)), -1.0 / TWO_OVER_ROOT_PI),)


@define("exact_lgamma")
class ExactLgamma(ExactOfDouble):
    """The logarithm of the gamma function, from 1 on."""

    formula = exactly.lgamma

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return b.node(Digamma(), *operands)
