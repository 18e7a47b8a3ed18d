"""Continuous distributions that are functions of uniform or normal numbers.

Derivatives flow through parameters: what is drawn is a function of them and of numbers that do not depend on them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.core import DEFAULT_FLOAT, DTypeLike
from rosin.frontend.numpy import complex, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.random import exactly
from rosin.frontend.random.arguments import (
    NOT_NEGATIVE,
    POSITIVE,
    Domain,
    Shape,
    drawn_shape,
    float_type,
    one_key,
    parameter,
)
from rosin.frontend.random.drawing import Draw, drawn, drawn_exactly
from rosin.frontend.random.exactly import in_double, log_of_normal, rounded
from rosin.frontend.random.keys import split
from rosin.frontend.random.uniforms import WORDS, between, random_bits, unit
from rosin.ir.dtypes import DType
from rosin.ir.ops.exactly import ExactErf, ExactErfc, ExactErfcinv, ExactErfinv
from rosin.ir.ops.normal import RandomNormal

if TYPE_CHECKING:
    from rosin.frontend.array import Array


# -- normal numbers ----------------------------------------------------------------------------------------------------


def normal(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Normal numbers of mean 0 and variance 1, by the inverse of their distribution function.

    In f32 they lie within ±5.42, since a uniform f32 has 23 random bits, in f64 within ±8.3; f16 and bf16 are rounded
    from f32. Both parts of a complex number have variance 1/2.

    Raises:
        DTypeError: the element type is no float.
    """
    own, wanted, source = core.as_dtype(dtype), promote.as_shape("normal", shape), one_key("normal", key)
    if own.is_complex:
        parts = [normal(k, wanted, own.part) * math.sqrt(0.5) for k in rnp.unstack(split(source))]
        return complex.combined(*parts)
    return _normal(source, shape=wanted, dtype=float_type("normal", own))


@drawn_exactly
def _normal(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return promote.cast(normals(key, shape, dtype.accumulator), dtype)


def normals(key: Array, shape: promote.Shape, dtype: DType) -> Array:
    """Normal numbers, f32 or f64, in a draw."""
    return core.bind1(RandomNormal(), random_bits(key, shape, WORDS[dtype.name][0]))


def truncated_normal(
    key: ArrayLike, lower: ArrayLike, upper: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = DEFAULT_FLOAT
) -> Array:
    """Normal numbers of mean 0 and variance 1, given that they lie strictly between lower and upper.

    The bounds broadcast to the shape, which is what they broadcast to by default. An interval far out is drawn from the
    tail that it is in, up to a nearer bound of 12 in f32, and of 37 in f64.

    Raises:
        AttributeValueError: the bounds are Python numbers without lower < upper.
        ShapeError: they do not broadcast to the shape.
    """
    own = float_type("truncated_normal", dtype)
    low, high = (parameter("truncated_normal", n, x, own.accumulator) for n, x in (("lower", lower), ("upper", upper)))
    central = False
    if isinstance(lower, int | float) and isinstance(upper, int | float):
        if not lower < upper:
            promote.bad_value(f"truncated_normal: lower is {lower} and upper {upper}; lower < upper does not hold")
        central = lower < TAIL and upper > -TAIL
    wanted = drawn_shape("truncated_normal", shape, low, high)
    return _truncated_normal(one_key("truncated_normal", key), low, high, shape=wanted, dtype=own, central=central)


TAIL = 2.0
"""Beyond, numbers of an interval come from the distribution function of their tail, which is not next to 1."""


@drawn
def _truncated_normal(
    key: Array, low: Array, high: Array, *, shape: promote.Shape, dtype: DType, central: bool
) -> Array:
    low, high = (promote.spread_to("truncated_normal", x, shape) for x in (low, high))
    root = math.sqrt(0.5)
    first, last = (in_double(ExactErf(), x * root) for x in (low, high))
    if central:
        found = in_double(ExactErfinv(), between(key, shape, dtype, first, last))
    else:
        upper, lower = low >= TAIL, high <= -TAIL
        near, far = rnp.where(upper, low, -high), rnp.where(upper, high, -low)
        tail = upper | lower
        first = rnp.where(tail, in_double(ExactErfc(), far * root), first)
        last = rnp.where(tail, in_double(ExactErfc(), near * root), last)
        uniform = between(key, shape, dtype, first, last)
        out = in_double(ExactErfcinv(), rnp.where(tail, uniform, 1))
        inner = in_double(ExactErfinv(), rnp.where(tail, 0, uniform))
        found = rnp.where(tail, rnp.where(upper, out, -out), inner)
    return rnp.clip(found * math.sqrt(2), rnp.nextafter(low, math.inf), rnp.nextafter(high, -math.inf))


def lognormal(key: ArrayLike, sigma: ArrayLike = 1.0, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """Numbers whose logarithms are normal, of mean 0 and standard deviation sigma.

    Raises:
        AttributeValueError: sigma is a negative Python number.
        ShapeError: sigma does not broadcast to the shape.
    """
    return _scaled("lognormal", _lognormal, key, "sigma", sigma, shape, dtype, NOT_NEGATIVE)


@drawn
def _lognormal(key: Array, sigma: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    sigma = _at_least(promote.spread_to("lognormal", sigma, shape), 0)
    return exactly.exp(normals(key, shape, dtype) * sigma)


def maxwell(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Lengths of vectors of three normal numbers, the Maxwell distribution of scale 1."""
    return _plain("maxwell", _maxwell, key, shape, dtype)


@drawn
def _maxwell(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return _maxwells(key, shape, dtype)


def _maxwells(key: Array, shape: promote.Shape, dtype: DType) -> Array:
    x, y, z = rnp.unstack(normals(key, (*shape, 3), dtype), axis=-1)
    return rnp.sqrt(rounded(x * x) + rounded(y * y) + rounded(z * z))


def double_sided_maxwell(
    key: ArrayLike, loc: ArrayLike, scale: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None
) -> Array:
    """loc ± scale times numbers of the Maxwell distribution, either sign with probability 1/2.

    Raises:
        AttributeValueError: scale is a Python number that is not positive.
        ShapeError: a parameter does not broadcast to the shape.
    """
    own = float_type("double_sided_maxwell", dtype, loc, scale)
    place = parameter("double_sided_maxwell", "loc", loc, own.accumulator)
    size = parameter("double_sided_maxwell", "scale", scale, own.accumulator, POSITIVE)
    wanted = drawn_shape("double_sided_maxwell", shape, place, size)
    return _double_sided_maxwell(one_key("double_sided_maxwell", key), place, size, shape=wanted, dtype=own)


@drawn
def _double_sided_maxwell(key: Array, loc: Array, scale: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    loc, scale = (promote.spread_to("double_sided_maxwell", x, shape) for x in (loc, scale))
    first, second = rnp.unstack(split(key))
    size = rounded(_maxwells(first, shape, dtype) * _positive(scale))
    return loc + rnp.where(unit(second, shape, dtype) < 0.5, size, -size)


def wald(key: ArrayLike, mean: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """Numbers of the Wald (inverse normal) distribution with this mean and scale 1.

    Michael, Schucany and Haas, "Generating random variates using transformations with multiple roots", 1976. The
    derivative takes the choice between the two roots for fixed.

    Raises:
        AttributeValueError: the mean is a Python number that is not positive.
        ShapeError: the mean does not broadcast to the shape.
    """
    return _scaled("wald", _wald, key, "mean", mean, shape, dtype, POSITIVE)


@drawn
def _wald(key: Array, mean: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    mean = _positive(promote.spread_to("wald", mean, shape))
    first, second = rnp.unstack(split(key))
    y = normals(first, shape, dtype) ** 2
    # The smaller root as a quotient: the difference would cancel for large means.
    my = rounded(mean * y)
    x = rounded(2 * mean / (my + 2 + rnp.sqrt(my * (my + 4))))
    return rnp.where(unit(second, shape, dtype) * (mean + x) <= mean, x, mean * (mean / x))


# -- functions of uniform numbers --------------------------------------------------------------------------------------


def exponential(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Exponential numbers of mean 1, not negative."""
    return _plain("exponential", _exponential, key, shape, dtype)


@drawn
def _exponential(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return exponentials(key, shape, dtype)


def exponentials(key: Array, shape: promote.Shape, dtype: DType) -> Array:
    """Exponential numbers in a draw. A uniform number less than 1 has a difference to it that is exact."""
    return -log_of_normal(1 - unit(key, shape, dtype))


def gumbel(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Gumbel numbers of location 0 and scale 1: -log(-log(u)) for uniform u in (0, 1)."""
    return _plain("gumbel", _gumbel, key, shape, dtype)


@drawn
def _gumbel(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return gumbels(key, shape, dtype)


def gumbels(key: Array, shape: promote.Shape, dtype: DType) -> Array:
    """Gumbel numbers in a draw."""
    return -log_of_normal(-log_of_normal(between(key, shape, dtype, rnp.finfo(dtype).smallest_normal, 1.0)))


def laplace(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Laplace numbers of location 0 and scale 1, whose density is exp(-|x|) / 2."""
    return _plain("laplace", _laplace, key, shape, dtype)


@drawn
def _laplace(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    uniform = between(key, shape, dtype, -1.0 + rnp.finfo(dtype).eps, 1.0)
    return rnp.sign(uniform) * log_of_normal(1 - rnp.abs(uniform))


def logistic(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Logistic numbers of location 0 and scale 1: log(u / (1 - u)) for uniform u in (0, 1)."""
    return _plain("logistic", _logistic, key, shape, dtype)


@drawn
def _logistic(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    uniform = between(key, shape, dtype, rnp.finfo(dtype).eps, 1.0)
    return log_of_normal(uniform / (1 - uniform))


def cauchy(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Cauchy numbers of location 0 and scale 1: tan(π (u - 1/2)) for uniform u in (0, 1)."""
    return _plain("cauchy", _cauchy, key, shape, dtype)


@drawn
def _cauchy(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return exactly.tan(rounded(math.pi * (between(key, shape, dtype, rnp.finfo(dtype).eps, 1.0) - 0.5)))


def pareto(key: ArrayLike, b: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """Pareto numbers of shape b and scale 1: at least 1, with density b / x ** (b + 1).

    Raises:
        AttributeValueError: b is a Python number that is not positive.
        ShapeError: b does not broadcast to the shape.
    """
    return _scaled("pareto", _pareto, key, "b", b, shape, dtype, POSITIVE)


@drawn
def _pareto(key: Array, b: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    b = _positive(promote.spread_to("pareto", b, shape))
    return exactly.exp(exactly.quotient(exponentials(key, shape, dtype), b))


def rayleigh(key: ArrayLike, scale: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """Rayleigh numbers: lengths of vectors of two normal numbers, times scale.

    Raises:
        AttributeValueError: scale is a negative Python number.
        ShapeError: scale does not broadcast to the shape.
    """
    return _scaled("rayleigh", _rayleigh, key, "scale", scale, shape, dtype, NOT_NEGATIVE)


@drawn
def _rayleigh(key: Array, scale: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    scale = _at_least(promote.spread_to("rayleigh", scale, shape), 0)
    return rnp.sqrt(2 * exponentials(key, shape, dtype)) * scale


def weibull_min(
    key: ArrayLike, scale: ArrayLike, concentration: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None
) -> Array:
    """Weibull numbers: scale times exponential numbers to the power of 1 / concentration.

    Raises:
        AttributeValueError: a parameter is a Python number that is not positive.
        ShapeError: a parameter does not broadcast to the shape.
    """
    own = float_type("weibull_min", dtype, scale, concentration)
    size = parameter("weibull_min", "scale", scale, own.accumulator, POSITIVE)
    power = parameter("weibull_min", "concentration", concentration, own.accumulator, POSITIVE)
    wanted = drawn_shape("weibull_min", shape, size, power)
    return _weibull_min(one_key("weibull_min", key), size, power, shape=wanted, dtype=own)


@drawn
def _weibull_min(key: Array, scale: Array, concentration: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    scale, concentration = (_positive(promote.spread_to("weibull_min", x, shape)) for x in (scale, concentration))
    # Not zero, where the power has no derivative.
    base = rnp.maximum(exponentials(key, shape, dtype), rnp.finfo(dtype).smallest_normal)
    return exactly.power(base, 1 / concentration) * scale


def triangular(
    key: ArrayLike,
    left: ArrayLike,
    mode: ArrayLike,
    right: ArrayLike,
    shape: Shape | None = None,
    dtype: DTypeLike = None,
) -> Array:
    """Numbers between left and right whose density rises in a line to mode and falls in a line from there.

    Raises:
        AttributeValueError: the bounds are Python numbers without left <= mode <= right and left < right.
        ShapeError: a parameter does not broadcast to the shape.
    """
    given = {"left": left, "mode": mode, "right": right}
    own = float_type("triangular", dtype, *given.values())
    parameters = [parameter("triangular", label, x, own.accumulator) for label, x in given.items()]
    known = [x for x in given.values() if isinstance(x, int | float)]
    if len(known) == 3 and not (known[0] <= known[1] <= known[2] and known[0] < known[2]):
        promote.bad_value(f"triangular: {left} <= {mode} <= {right} and {left} < {right} do not hold")
    wanted = drawn_shape("triangular", shape, *parameters)
    return _triangular(one_key("triangular", key), *parameters, shape=wanted, dtype=own)


@drawn
def _triangular(key: Array, left: Array, mode: Array, right: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    left, mode, right = (promote.spread_to("triangular", x, shape) for x in (left, mode, right))
    # Not zero, where the root has no derivative.
    uniform = between(key, shape, dtype, rnp.finfo(dtype).smallest_normal, 1.0)
    width = right - left
    rising = left + rnp.sqrt(uniform * width * (mode - left))
    falling = right - rnp.sqrt((1 - uniform) * width * (right - mode))
    inside = (left <= mode) & (mode <= right) & (left < right)
    return rnp.where(inside, rnp.where(uniform * width < mode - left, rising, falling), math.nan)


# -- what they have in common ------------------------------------------------------------------------------------------


def _plain(name: str, draw: Draw, key: ArrayLike, shape: Shape, dtype: DTypeLike) -> Array:
    """A draw without parameters."""
    own = float_type(name, dtype)
    return draw(one_key(name, key), shape=promote.as_shape(name, shape), dtype=own)


def _scaled(
    name: str,
    draw: Draw,
    key: ArrayLike,
    label: str,
    x: ArrayLike,
    shape: Shape | None,
    dtype: DTypeLike,
    domain: Domain,
) -> Array:
    """A draw with one parameter."""
    own = float_type(name, dtype, x)
    given = parameter(name, label, x, own.accumulator, domain)
    return draw(one_key(name, key), given, shape=drawn_shape(name, shape, given), dtype=own)


def _positive(x: Array) -> Array:
    """The numbers above 0; NaN in place of others."""
    return rnp.where(x > 0, x, math.nan)


def _at_least(x: Array, least: float) -> Array:
    return rnp.where(x >= least, x, math.nan)


__all__ = [
    "cauchy",
    "double_sided_maxwell",
    "exponential",
    "gumbel",
    "laplace",
    "logistic",
    "lognormal",
    "maxwell",
    "normal",
    "pareto",
    "rayleigh",
    "triangular",
    "truncated_normal",
    "wald",
    "weibull_min",
]
