"""Activations: functions of one number that networks apply element by element, and gates.

Those of several steps are computed in the accumulator's type and rounded once, where the element type is narrow.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import elementwise, logic, manipulation, promote, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.transcendental import sigmoid
from rosin.ir import dims, facts

if TYPE_CHECKING:
    from rosin.frontend.array import Array
    from rosin.ir.dtypes import DType


def _wide(name: str, x: ArrayLike) -> tuple[Array, DType]:
    """An operand in the type that it is computed in, and that of the result."""
    operand = promote.floating(name, x)
    dtype = core.dtype_of(operand)
    return promote.cast(operand, dtype.accumulator), dtype


# -- rectifiers --------------------------------------------------------------------------------------------------------


def relu(x: ArrayLike, /) -> Array:
    """x where it is positive, else 0; its derivative at 0 is 0."""
    operand = promote.numeric("relu", x)
    # NaN is not below 0 and stays.
    return logic.where(logic.less_equal(operand, 0), 0, operand)


def leaky_relu(x: ArrayLike, /, negative_slope: float = 0.01) -> Array:
    """x where it is positive, else `negative_slope` times x."""
    operand = promote.floating("leaky_relu", x)
    return logic.where(logic.less_equal(operand, 0), elementwise.multiply(operand, negative_slope), operand)


def prelu(x: ArrayLike, weight: ArrayLike, /) -> Array:
    """x where it is positive, else `weight` times x: one weight, or one for each channel of `x[N, C, …]`.

    He et al., 2015.

    Raises:
        ShapeError: there is neither one weight nor one for each channel.
    """
    operand, slope = promote.alike_floats("prelu", x, weight)
    shape, own = core.shape_of(operand), core.shape_of(slope)
    count = dims.product(own)
    if len(own) > 1 or not (count == 1 or (len(shape) > 1 and facts.same(count, shape[1]))):
        promote.bad_shape("prelu: takes one weight, or one for each channel, which are axis 1", operand, slope)
    slope = manipulation.reshape(slope, () if count == 1 else (count, *(1,) * (len(shape) - 2)))
    return logic.where(logic.less_equal(operand, 0), operand * slope, operand)


def relu6(x: ArrayLike, /) -> Array:
    """x between 0 and 6, else the nearer of these, where its derivative is 0."""
    return _between("relu6", promote.numeric("relu6", x), 0, 6)


def hard_tanh(x: ArrayLike, /, min_value: float = -1.0, max_value: float = 1.0) -> Array:
    """x between `min_value` and `max_value`, else the nearer of these, where its derivative is 0.

    Raises:
        AttributeValueError: `min_value` is greater than `max_value`.
    """
    if min_value > max_value:
        promote.bad_value(f"hard_tanh: min_value {min_value} is greater than max_value {max_value}")
    return _between("hard_tanh", promote.numeric("hard_tanh", x), min_value, max_value)


def _between(name: str, x: Array, low: float, high: float) -> Array:
    """x within bounds, whose derivative at them is 0 and not a half, as that of `clip`."""
    result = logic.where(logic.less_equal(x, low), low, x)
    return logic.where(logic.greater_equal(x, high), high, result)


def threshold(x: ArrayLike, /, threshold: float, value: float) -> Array:
    """x where it is above `threshold`, else `value`."""
    operand = promote.numeric("threshold", x)
    return logic.where(logic.less_equal(operand, threshold), value, operand)


# -- exponential units -------------------------------------------------------------------------------------------------


def elu(x: ArrayLike, /, alpha: float = 1.0) -> Array:
    """x where it is positive, else alpha (exp(x) - 1). Clevert et al., 2016."""
    operand, dtype = _wide("elu", x)
    below = logic.less_equal(operand, 0)
    # What is not selected is made 0 first, since its exponential may overflow.
    inside = transcendental.expm1(logic.where(below, operand, 0))
    return promote.cast(logic.where(below, elementwise.multiply(inside, alpha), operand), dtype)


def celu(x: ArrayLike, /, alpha: float = 1.0) -> Array:
    """x where it is positive, else alpha (exp(x / alpha) - 1), whose slope is 1 at 0. Barron, 2017.

    Raises:
        AttributeValueError: alpha is 0.
    """
    if alpha == 0:
        promote.bad_value("celu: alpha is 0")
    operand, dtype = _wide("celu", x)
    below = logic.less_equal(operand, 0)
    inside = transcendental.expm1(logic.where(below, operand, 0) / alpha)
    return promote.cast(logic.where(below, inside * alpha, operand), dtype)


def selu(x: ArrayLike, /) -> Array:
    """elu with the scale and alpha that keep mean 0 and variance 1. Klambauer et al., 2017."""
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    operand, dtype = _wide("selu", x)
    return promote.cast(elu(operand, alpha) * scale, dtype)


# -- smooth gates ------------------------------------------------------------------------------------------------------


def gelu(x: ArrayLike, /, *, approximate: bool = False) -> Array:
    """x Φ(x), Φ being the normal distribution function; or its approximation by tanh. Hendrycks and Gimpel, 2016."""
    operand, dtype = _wide("gelu", x)
    half = elementwise.multiply(operand, 0.5)
    if approximate:
        cubic = elementwise.multiply(elementwise.pow(operand, 3), 0.044715)
        inner = elementwise.multiply(elementwise.add(operand, cubic), math.sqrt(2 / math.pi))
        twice = elementwise.add(transcendental.tanh(inner), 1)
    else:
        # By erfc, which is accurate where Φ is small.
        twice = transcendental.erfc(elementwise.multiply(operand, -math.sqrt(0.5)))
    return promote.cast(elementwise.multiply(half, twice), dtype)


def silu(x: ArrayLike, /) -> Array:
    """x sigmoid(x), also called swish. Elfwing et al., 2018."""
    operand, dtype = _wide("silu", x)
    return promote.cast(elementwise.multiply(operand, sigmoid(operand)), dtype)


def mish(x: ArrayLike, /) -> Array:
    """x tanh(softplus(x)). Misra, 2020."""
    operand, dtype = _wide("mish", x)
    return promote.cast(operand * transcendental.tanh(softplus(operand)), dtype)


def glu(x: ArrayLike, /, axis: int = -1) -> Array:
    """The first half of x along an axis, times the sigmoid of the second. Dauphin et al., 2017.

    Raises:
        ShapeError: the axis has an odd number of elements.
    """
    operand, dtype = _wide("glu", x)
    value, gate = manipulation.split(operand, 2, axis=axis)
    return promote.cast(value * sigmoid(gate), dtype)


def softplus(x: ArrayLike, /) -> Array:
    """log(1 + exp(x)), without overflow in between."""
    operand, dtype = _wide("softplus", x)
    return promote.cast(transcendental.logaddexp(operand, 0), dtype)


def log_sigmoid(x: ArrayLike, /) -> Array:
    """The logarithm of the logistic function, without underflow in between."""
    return elementwise.negative(softplus(elementwise.negative(promote.floating("log_sigmoid", x))))


def soft_sign(x: ArrayLike, /) -> Array:
    """x / (1 + |x|)."""
    operand, dtype = _wide("soft_sign", x)
    return promote.cast(operand / (elementwise.abs(operand) + 1), dtype)


# -- piecewise linear gates --------------------------------------------------------------------------------------------


def hard_sigmoid(x: ArrayLike, /) -> Array:
    """relu6(x + 3) / 6."""
    return relu6(promote.floating("hard_sigmoid", x) + 3) / 6


def hard_silu(x: ArrayLike, /) -> Array:
    """x relu6(x + 3) / 6, also called hard swish. Howard et al., 2019."""
    operand = promote.floating("hard_silu", x)
    return operand * hard_sigmoid(operand)


# -- shrinking ---------------------------------------------------------------------------------------------------------


def hardshrink(x: ArrayLike, /, lambd: float = 0.5) -> Array:
    """x, and 0 where |x| is at most `lambd`."""
    operand = promote.floating("hardshrink", x)
    return logic.where(_is_small(operand, lambd), 0, operand)


def softshrink(x: ArrayLike, /, lambd: float = 0.5) -> Array:
    """x moved towards 0 by `lambd`, and 0 where |x| is at most that.

    Raises:
        AttributeValueError: `lambd` is negative.
    """
    if lambd < 0:
        promote.bad_value(f"softshrink: lambd is {lambd}; it is not negative")
    operand = promote.floating("softshrink", x)
    moved = logic.where(logic.less(operand, 0), operand + lambd, operand - lambd)
    return logic.where(_is_small(operand, lambd), 0, moved)


def _is_small(x: Array, bound: float) -> Array:
    return logic.logical_and(logic.greater_equal(x, -bound), logic.less_equal(x, bound))


def tanhshrink(x: ArrayLike, /) -> Array:
    """x - tanh(x)."""
    operand, dtype = _wide("tanhshrink", x)
    return promote.cast(operand - transcendental.tanh(operand), dtype)
