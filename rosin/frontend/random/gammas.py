"""The gamma distribution and what is made of its numbers: beta, Dirichlet, Student, chi-square, F.

What is drawn depends on the parameters through those rejections too, so derivatives are implicit ones, those of the
quantile at the place that the number has in the distribution: dx/da = -(∂F/∂a) / (∂F/∂x) (Figurnov, Mohamed and Mnih,
"Implicit reparameterization gradients", 2018).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend import control, core
from rosin.frontend import numpy as rnp
from rosin.frontend.core import DTypeLike
from rosin.frontend.custom import custom_jvp
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.random import exactly
from rosin.frontend.random.arguments import NOT_NEGATIVE, POSITIVE, Shape, drawn_shape, float_type, one_key, parameter
from rosin.frontend.random.continuous import exponentials, normals
from rosin.frontend.random.drawing import drawn
from rosin.frontend.random.exactly import log_of_normal, rounded
from rosin.frontend.random.keys import split
from rosin.frontend.random.quantiles import gamma_slope
from rosin.frontend.random.singles import LAST, joined, one_by_one, words
from rosin.frontend.random.uniforms import unit, unit_of
from rosin.ir.dtypes import DType, f64
from rosin.ir.ops.normal import RandomNormal

if TYPE_CHECKING:
    from rosin.frontend.array import Array

# -- one number, by rejection ------------------------------------------------------------------------------------------


def _attempt(key: Array, number: Array, dtype: DType) -> tuple[Array, Array]:
    """A normal number, and a uniform one in (0, 1]."""
    if dtype == f64:
        bits = [joined(words(key, 2 * number + part)) for part in (0, 1)]
    else:
        pair = words(key, number)
        bits = [pair[0], pair[1]]
    return core.bind1(RandomNormal(), bits[0]), 1 - unit_of(bits[1], dtype)


def _one_gamma(key: Array, a: Array) -> tuple[Array, Array]:
    """A gamma number of a shape of at least 1, and the logarithm of the factor that makes it one of shape `a`.

    Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. What is rejected is decided by the sum
    of differences that are small for large shapes, so that a type of few digits decides well.
    """
    dtype = core.dtype_of(a)
    small = a < 1
    d = rnp.where(small, a + 1, a) - 1 / 3
    c = 1 / rounded(rnp.sqrt(9 * d))

    def is_rejected(x: Array, uniform: Array) -> Array:
        t = rounded(c * x)
        tail = rounded(3 * (exactly.log1p(t) - t)) - rounded(t * t * (t + 3))
        ratio = rounded(x * x / 2) + rounded(d * tail)
        return (t <= -1) | (log_of_normal(uniform) >= ratio)

    def goes_on(state: tuple[Array, Array, Array]) -> Array:
        return state[2]

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        number = state[0] + 1
        x, uniform = _attempt(key, number, dtype)
        return number, x, is_rejected(x, uniform)

    start = rnp.asarray(-1, dtype="int32"), rnp.zeros((), dtype=dtype), rnp.asarray(True)
    x = control.while_loop(goes_on, step, start)[1]
    last = words(key, rnp.asarray(LAST, dtype="uint32"))
    uniform = 1 - unit_of(joined(last) if dtype == f64 else last[0], dtype)
    factor = rnp.where(small, rnp.where(a > 0, exactly.quotient(log_of_normal(uniform), a), -math.inf), 0)
    side = rounded(c * x) + 1
    return rnp.where(a >= 0, d * (side * side * side), math.nan), factor


def _gammas(key: Array, a: Array) -> tuple[Array, Array]:
    """The two parts of gamma numbers, see `_one_gamma`."""
    return one_by_one(_one_gamma, key, core.shape_of(a), a)


@custom_jvp
def _gamma(key: Array, a: Array) -> Array:
    number, factor = _gammas(key, a)
    return number * exactly.exp(factor)


@custom_jvp
def _loggamma(key: Array, a: Array) -> Array:
    number, factor = _gammas(key, a)
    return exactly.log(number) + factor


@_gamma.defjvp
def _gamma_jvp(primals: tuple[Array, Array], tangents: tuple[None, Array]) -> tuple[Array, Array]:
    key, a = primals
    x = _gamma(key, a)
    # Where it is too small for its type, so is the derivative.
    slope = rnp.where(x > 0, x * gamma_slope(a, rnp.log(rnp.where(x > 0, x, 1))), 0)
    return x, slope * tangents[1]


@_loggamma.defjvp
def _loggamma_jvp(primals: tuple[Array, Array], tangents: tuple[None, Array]) -> tuple[Array, Array]:
    key, a = primals
    x = _loggamma(key, a)
    return x, gamma_slope(a, x) * tangents[1]


# -- the distributions -------------------------------------------------------------------------------------------------


def gamma(key: ArrayLike, a: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """Gamma numbers of shape parameter `a` and scale 1. The derivative by `a` is the implicit one.

    Raises:
        AttributeValueError: `a` is a negative Python number.
        ShapeError: `a` does not broadcast to the shape.
    """
    own = float_type("gamma", dtype, a)
    given = parameter("gamma", "a", a, own.accumulator, NOT_NEGATIVE)
    return _gamma_draw(one_key("gamma", key), given, shape=drawn_shape("gamma", shape, given), dtype=own)


@drawn
def _gamma_draw(key: Array, a: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return _gamma(key, promote.spread_to("gamma", a, shape))


def loggamma(key: ArrayLike, a: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """Logarithms of gamma numbers, which for small `a` lie where those are too small for their type.

    Raises:
        AttributeValueError: `a` is a negative Python number.
        ShapeError: `a` does not broadcast to the shape.
    """
    own = float_type("loggamma", dtype, a)
    given = parameter("loggamma", "a", a, own.accumulator, NOT_NEGATIVE)
    return _loggamma_draw(one_key("loggamma", key), given, shape=drawn_shape("loggamma", shape, given), dtype=own)


@drawn
def _loggamma_draw(key: Array, a: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return _loggamma(key, promote.spread_to("loggamma", a, shape))


def chisquare(key: ArrayLike, df: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """Chi-square numbers of `df` degrees of freedom, which need not be whole.

    Raises:
        AttributeValueError: `df` is a Python number that is not positive.
        ShapeError: `df` does not broadcast to the shape.
    """
    own = float_type("chisquare", dtype, df)
    given = parameter("chisquare", "df", df, own.accumulator, POSITIVE)
    return _chisquare(one_key("chisquare", key), given, shape=drawn_shape("chisquare", shape, given), dtype=own)


@drawn
def _chisquare(key: Array, df: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return 2 * _gamma(key, promote.spread_to("chisquare", df, shape) / 2)


def t(key: ArrayLike, df: ArrayLike, shape: Shape = (), dtype: DTypeLike = None) -> Array:
    """Student's t numbers of `df` degrees of freedom, which need not be whole.

    Raises:
        AttributeValueError: `df` is a Python number that is not positive.
        ShapeError: `df` does not broadcast to the shape.
    """
    own = float_type("t", dtype, df)
    given = parameter("t", "df", df, own.accumulator, POSITIVE)
    return _t(one_key("t", key), given, shape=promote.as_shape("t", shape), dtype=own)


@drawn
def _t(key: Array, df: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    half = promote.spread_to("t", df, shape) / 2
    first, second = rnp.unstack(split(key))
    # By logarithms: for few degrees of freedom the gamma number may be too small for its type.
    return normals(first, shape, dtype) * exactly.exp(rounded(exactly.log(half) - _loggamma(second, half)) / 2)


def f(key: ArrayLike, dfnum: ArrayLike, dfden: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """F numbers: quotients of two chi-square numbers, each divided by its degrees of freedom.

    Raises:
        AttributeValueError: a parameter is a Python number that is not positive.
        ShapeError: a parameter does not broadcast to the shape.
    """
    own = float_type("f", dtype, dfnum, dfden)
    given = [parameter("f", label, x, own.accumulator, POSITIVE) for label, x in (("dfnum", dfnum), ("dfden", dfden))]
    return _f(one_key("f", key), *given, shape=drawn_shape("f", shape, *given), dtype=own)


@drawn
def _f(key: Array, dfnum: Array, dfden: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    halves = rnp.stack([promote.spread_to("f", x, shape) for x in (dfnum, dfden)], axis=-1) / 2
    above, below = rnp.unstack(rounded(_loggamma(key, halves) - exactly.log(halves)), axis=-1)
    return exactly.exp(above - below)


def beta(key: ArrayLike, a: ArrayLike, b: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """Beta numbers, within 0 and 1, with density proportional to x ** (a - 1) * (1 - x) ** (b - 1).

    Raises:
        AttributeValueError: a parameter is a Python number that is not positive.
        ShapeError: a parameter does not broadcast to the shape.
    """
    own = float_type("beta", dtype, a, b)
    given = [parameter("beta", label, x, own.accumulator, POSITIVE) for label, x in (("a", a), ("b", b))]
    return _beta(one_key("beta", key), *given, shape=drawn_shape("beta", shape, *given), dtype=own)


@drawn
def _beta(key: Array, a: Array, b: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    pairs = rnp.stack([promote.spread_to("beta", x, shape) for x in (a, b)], axis=-1)
    first, second = rnp.unstack(_loggamma(key, pairs), axis=-1)
    # x / (x + y) of numbers whose logarithms are known.
    return exactly.sigmoid(first - second)


def dirichlet(key: ArrayLike, alpha: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """Vectors along the last axis that are positive and sum to 1, of the Dirichlet distribution.

    `alpha`, of shape [..., n], holds the concentrations. The shape is that of the draw without the last axis, which by
    default is `alpha`'s.

    Raises:
        ShapeError: `alpha` has no axis, or does not broadcast to the shape.
    """
    own = float_type("dirichlet", dtype, alpha)
    given = parameter("dirichlet", "alpha", alpha, own.accumulator)
    own_shape = core.shape_of(given)
    if not own_shape:
        promote.bad_shape("dirichlet: alpha holds the concentrations along its last axis, and is a number", given)
    batch = own_shape[:-1] if shape is None else promote.as_shape("dirichlet", shape)
    return _dirichlet(one_key("dirichlet", key), given, shape=(*batch, own_shape[-1]), dtype=own)


@drawn
def _dirichlet(key: Array, alpha: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    logs = _loggamma(key, promote.spread_to("dirichlet", alpha, shape))
    parts = exactly.exp(logs - rnp.max(logs, axis=-1, keepdims=True))
    return exactly.quotient(parts, promote.spread_to("dirichlet", exactly.total(parts)[..., None], shape))


def generalized_normal(key: ArrayLike, p: ArrayLike, shape: Shape = (), dtype: DTypeLike = None) -> Array:
    """Numbers with density proportional to exp(-|x| ** p): 1 gives Laplace numbers, 2 normal ones of variance 1/2.

    Raises:
        AttributeValueError: p is a Python number that is not positive.
        ShapeError: p does not broadcast to the shape.
    """
    own = float_type("generalized_normal", dtype, p)
    given = parameter("generalized_normal", "p", p, own.accumulator, POSITIVE)
    wanted = promote.as_shape("generalized_normal", shape)
    return _generalized_normal(one_key("generalized_normal", key), given, shape=wanted, dtype=own)


@drawn
def _generalized_normal(key: Array, p: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return _signed_roots(key, promote.spread_to("generalized_normal", p, shape))


def _signed_roots(key: Array, p: Array) -> Array:
    first, second = rnp.unstack(split(key))
    size = exactly.exp(exactly.quotient(_loggamma(first, 1 / p), p))
    return rnp.where(unit(second, core.shape_of(p), core.dtype_of(p)) < 0.5, size, -size)


def ball(key: ArrayLike, d: int, p: ArrayLike = 2.0, shape: Shape = (), dtype: DTypeLike = None) -> Array:
    """Vectors of length `d` along a last axis, uniform in the unit ball of the p-norm.

    Barthe, Guédon, Mendelson and Naor, "A probabilistic approach to the geometry of the ℓp-ball", 2005.

    Raises:
        AttributeValueError: `d` is negative, or p is a Python number that is not positive.
        ShapeError: p does not broadcast to the shape.
    """
    own = float_type("ball", dtype, p)
    given = parameter("ball", "p", p, own.accumulator, POSITIVE)
    wanted = (*promote.as_shape("ball", shape), *promote.as_shape("ball", d))
    return _ball(one_key("ball", key), given, shape=wanted, dtype=own)


@drawn
def _ball(key: Array, p: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    first, second = rnp.unstack(split(key))
    power = promote.spread_to("ball", p, shape[:-1])
    powers = promote.spread_to("ball", power[..., None], shape)
    vector = _signed_roots(first, powers)
    # Not zero, which is no number to a power of anything.
    least = rnp.finfo(dtype).smallest_normal
    sizes = exactly.power(rnp.maximum(rnp.abs(vector), least), powers)
    radius = exactly.total(sizes) + exponentials(second, shape[:-1], dtype)
    lengths = exactly.power(rnp.maximum(radius, least), 1 / power)
    return exactly.quotient(vector, promote.spread_to("ball", lengths[..., None], shape))


__all__ = ["ball", "beta", "chisquare", "dirichlet", "f", "gamma", "generalized_normal", "loggamma", "t"]
