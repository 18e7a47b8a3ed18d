"""The error function's kin, the normal distribution, and functions of statistics and learning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend.numpy import complex as parts
from rosin.frontend.numpy import elementary as np_elementary
from rosin.frontend.numpy import elementwise as el
from rosin.frontend.numpy import logic, promote, reductions, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.special.operands import elementwise, in_doubles
from rosin.ir.ops.formulas import elementary, gamma
from rosin.ir.ops.formulas import faddeeva as fa
from rosin.ir.ops.formulas import normal as no
from rosin.ir.ops.formulas import power_transforms as power

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def erfcx(x: ArrayLike, /) -> Array:
    """exp(x²) erfc(x)."""
    return elementwise("erfcx", no.Erfcx(), x)


def erfcinv(y: ArrayLike, /) -> Array:
    """The inverse of erfc: ±inf at 0 and 2, NaN outside of [0, 2]."""
    return elementwise("erfcinv", no.Erfcinv(), y)


def dawsn(x: ArrayLike, /) -> Array:
    """Dawson's integral exp(-x²) ∫₀ˣ exp(t²) dt."""
    return elementwise("dawsn", no.Dawsn(), x)


def ndtr(x: ArrayLike, /) -> Array:
    """The normal distribution function Φ(x)."""
    return elementwise("ndtr", no.Ndtr(), x)


def log_ndtr(x: ArrayLike, /) -> Array:
    """log Φ(x), far below 0 too."""
    return elementwise("log_ndtr", no.LogNdtr(), x)


def ndtri(p: ArrayLike, /) -> Array:
    """The inverse of Φ: ±inf at 0 and 1, NaN outside of [0, 1]."""
    return elementwise("ndtri", no.Ndtri(), p)


def owens_t(h: ArrayLike, a: ArrayLike, /) -> Array:
    """Owen's function T(h, a) = ∫₀ᵃ exp(-h² (1+x²) / 2) / (1+x²) dx / 2π. Owen, 1956."""
    return elementwise("owens_t", no.OwensT(), h, a)


def erfi(z: ArrayLike, /) -> Array:
    """The imaginary error function 2/√π ∫₀ᶻ exp(t²) dt of real numbers."""
    return elementwise("erfi", no.Erfi(), z)


def wofz(z: ArrayLike, /) -> Array:
    """Faddeeva's function exp(-z²) erfc(-iz) of complex numbers."""
    operand = promote.floating("wofz", z)
    both = parts.real(operand), parts.imag(operand)
    return parts.combined(*(core.bind1(fa.Faddeeva(imaginary=part), *both) for part in (False, True)))


def voigt_profile(x: ArrayLike, sigma: ArrayLike, gamma: ArrayLike, /) -> Array:
    """Voigt's profile: the density at x of a normal number of deviation `sigma` and a Cauchy number of half width
    `gamma` added up; NaN of a width below 0.
    """
    return elementwise("voigt_profile", fa.VoigtProfile(), x, sigma, gamma)


# -- logistic ----------------------------------------------------------------------------------------------------------


def logit(x: ArrayLike, /) -> Array:
    """log(x / (1 - x)), the inverse of expit."""
    return elementwise("logit", elementary.Logit(), x)


def log_expit(x: ArrayLike, /) -> Array:
    """log(expit(x))."""
    return elementwise("log_expit", elementary.LogExpit(), x)


def softplus(x: ArrayLike, /) -> Array:
    """log(1 + exp(x))."""
    return el.negative(log_expit(el.negative(promote.floating("softplus", x))))


# -- entropy -----------------------------------------------------------------------------------------------------------


def xlogy(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x log(y), 0 where x is 0."""
    return elementwise("xlogy", elementary.Xlogy(), x, y)


def xlog1py(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x log(1 + y), 0 where x is 0."""
    return elementwise("xlog1py", elementary.Xlog1py(), x, y)


def entr(x: ArrayLike, /) -> Array:
    """-x log(x): 0 at 0, -inf below."""
    return elementwise("entr", elementary.Entr(), x)


def rel_entr(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x log(x / y): 0 at x = 0, inf for negative numbers."""
    return elementwise("rel_entr", elementary.RelEntr(), x, y)


def kl_div(x: ArrayLike, y: ArrayLike, /) -> Array:
    """x log(x / y) - x + y: y at x = 0, inf for negative numbers."""
    return elementwise("kl_div", elementary.KlDiv(), x, y)


def logsumexp(
    a: ArrayLike,
    axis: int | Sequence[int] | None = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
) -> Any:
    """log Σ b exp(a) over axes, without overflow in between; with `return_sign` log |Σ b exp(a)| and the sum's sign.

    The logarithm of a negative sum is NaN. Raises as the reductions do.
    """
    if b is None and not return_sign:
        return reductions.logsumexp(a, axis=axis, keepdims=keepdims)
    operand, weight = promote.promoted("logsumexp", a, 1 if b is None else b, floating=True)
    # What has no weight does not count, not even where it is the greatest.
    counted = logic.where(logic.equal(weight, 0), -math.inf, operand)
    axes = promote.as_axes("logsumexp", axis, operand)
    top = reductions.finite_top(counted, axes)
    terms = el.multiply(weight, transcendental.exp(el.subtract(counted, top)))
    total = reductions.sum(terms, axis=axes, keepdims=True)
    size = el.abs(total) if return_sign else total
    results = [el.add(transcendental.log(size), top), el.sign(total)]
    if not keepdims:
        results = [reductions.sum(x, axis=axes) for x in results]
    return tuple(results) if return_sign else results[0]


# -- loss functions and transformations --------------------------------------------------------------------------------


def huber(delta: ArrayLike, r: ArrayLike, /) -> Array:
    """r² / 2 up to |r| = delta, beyond delta (|r| - delta / 2); inf for negative delta."""
    limit, x = promote.promoted("huber", delta, r, floating=True)
    size = el.abs(x)
    inside = el.multiply(el.multiply(x, x), 0.5)
    outside = el.multiply(limit, el.subtract(size, el.multiply(limit, 0.5)))
    value = logic.where(logic.less_equal(size, limit), inside, outside)
    return logic.where(logic.less(limit, 0), math.inf, value)


def pseudo_huber(delta: ArrayLike, r: ArrayLike, /) -> Array:
    """delta² (√(1 + (r / delta)²) - 1); inf for negative delta."""
    limit, x = promote.promoted("pseudo_huber", delta, r, floating=True)
    flat = logic.equal(limit, 0)
    ratio = el.divide(x, logic.where(flat, 1, limit))
    root = transcendental.sqrt(el.add(el.multiply(ratio, ratio), 1))
    value = logic.where(flat, 0, el.divide(el.multiply(x, x), el.add(root, 1)))
    return logic.where(logic.less(limit, 0), math.inf, value)


def exprel(x: ArrayLike, /) -> Array:
    """(exp(x) - 1) / x, 1 at 0."""
    return elementwise("exprel", elementary.Exprel(), x)


def boxcox(x: ArrayLike, lmbda: ArrayLike, /) -> Array:
    """(x^lmbda - 1) / lmbda, log(x) where lmbda is 0. Box and Cox, 1964."""
    return elementwise("boxcox", power.Boxcox(), x, lmbda)


def boxcox1p(x: ArrayLike, lmbda: ArrayLike, /) -> Array:
    """boxcox(1 + x, lmbda), accurate near x = 0."""
    return elementwise("boxcox1p", power.Boxcox1p(), x, lmbda)


def inv_boxcox(y: ArrayLike, lmbda: ArrayLike, /) -> Array:
    """x with boxcox(x, lmbda) = y."""
    return elementwise("inv_boxcox", power.InvBoxcox(), y, lmbda)


def inv_boxcox1p(y: ArrayLike, lmbda: ArrayLike, /) -> Array:
    """x with boxcox1p(x, lmbda) = y."""
    return elementwise("inv_boxcox1p", power.InvBoxcox1p(), y, lmbda)


# -- elementary --------------------------------------------------------------------------------------------------------


def exp10(x: ArrayLike, /) -> Array:
    """10 to the power x."""
    operand = promote.floating("exp10", x)
    return el.pow(promote.numbers("exp10", 10, operand), operand)


def _turned(x: Array) -> Array:
    """Degrees in (-360, 360), exactly."""
    return np_elementary.fmod(x, 360)


def cosm1(x: ArrayLike, /) -> Array:
    """cos(x) - 1, accurate near 0."""
    sine = transcendental.sin(el.multiply(promote.floating("cosm1", x), 0.5))
    return el.multiply(el.multiply(sine, sine), -2)


def sindg(x: ArrayLike, /) -> Array:
    """The sine of x degrees."""
    angle = _turned(promote.floating("sindg", x))
    size, sign = el.abs(angle), el.sign(angle)
    # The angle of the same sine next to 0, which is exact too.
    over = logic.where(logic.greater(size, 270), el.multiply(sign, -360), el.multiply(sign, 180))
    back = logic.where(logic.greater(size, 270), el.add(angle, over), el.subtract(over, angle))
    angle = logic.where(logic.greater(size, 90), back, angle)
    return core.bind1(gamma.Sinpi(), el.divide(angle, 180))


def cosdg(x: ArrayLike, /) -> Array:
    """The cosine of x degrees."""
    angle = el.abs(_turned(promote.floating("cosdg", x)))
    angle = logic.where(logic.greater(angle, 180), el.subtract(360, angle), angle)
    return core.bind1(gamma.Sinpi(), el.divide(el.subtract(90, angle), 180))


def tandg(x: ArrayLike, /) -> Array:
    """The tangent of degrees: infinite at odd multiples of 90."""

    def quotient(angle: Array) -> Array:
        return el.divide(sindg(angle), cosdg(angle))

    return in_doubles("tandg", quotient, x)


def cotdg(x: ArrayLike, /) -> Array:
    """The cotangent of degrees: infinite at multiples of 180."""

    def quotient(angle: Array) -> Array:
        return el.divide(cosdg(angle), sindg(angle))

    return in_doubles("cotdg", quotient, x)
