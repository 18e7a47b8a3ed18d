"""Elementwise functions against NumPy and SciPy, at once and compiled, over element types, and at special values."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.special as sc

import rosin
from rosin import numpy as rnp
from rosin.ir import dtypes
from rosin.ir.errors import AttributeValueError, DTypeError
from tests.frontend.agree import both, check, near

GENERAL = np.array([-3.7, -1.0, -0.5, -0.0, 0.0, 0.25, 1.0, 2.5, 41.0])
UNIT = np.array([-1.0, -0.9, -0.5, 0.0, 0.125, 0.75, 1.0])
POSITIVE = np.array([0.0, 1e-3, 0.5, 1.0, 2.0, 17.5])
SPECIAL = np.array([np.nan, np.inf, -np.inf])

UNARY: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
    "abs": (np.abs, GENERAL),
    "acos": (np.arccos, UNIT),
    "acosh": (np.arccosh, POSITIVE + 1),
    "asin": (np.arcsin, UNIT),
    "asinh": (np.arcsinh, GENERAL),
    "atan": (np.arctan, GENERAL),
    "atanh": (np.arctanh, UNIT),
    "cbrt": (np.cbrt, GENERAL),
    "ceil": (np.ceil, GENERAL),
    "cos": (np.cos, GENERAL),
    "cosh": (np.cosh, GENERAL / 8),
    "digamma": (sc.digamma, POSITIVE[1:]),
    "erf": (sc.erf, GENERAL),
    "erfc": (sc.erfc, GENERAL),
    "erfinv": (sc.erfinv, UNIT),
    "exp": (np.exp, GENERAL / 8),
    "exp2": (np.exp2, GENERAL / 8),
    "expm1": (np.expm1, GENERAL / 8),
    "floor": (np.floor, GENERAL),
    # At -inf C's lgamma and ours give inf, SciPy's -inf.
    "lgamma": (lambda x: np.where(x == -np.inf, np.inf, sc.gammaln(x)), POSITIVE),
    "log": (np.log, POSITIVE),
    "log10": (np.log10, POSITIVE),
    "log1p": (np.log1p, POSITIVE),
    "log2": (np.log2, POSITIVE),
    "negative": (np.negative, GENERAL),
    "positive": (np.positive, GENERAL),
    "reciprocal": (np.reciprocal, GENERAL),
    "round": (np.round, GENERAL),
    "rsqrt": (lambda x: 1 / np.sqrt(x), POSITIVE),
    "sigmoid": (sc.expit, GENERAL),
    "sign": (np.sign, GENERAL),
    "sin": (np.sin, GENERAL),
    "sinh": (np.sinh, GENERAL / 8),
    "sqrt": (np.sqrt, POSITIVE),
    "square": (np.square, GENERAL),
    "tan": (np.tan, GENERAL),
    "tanh": (np.tanh, GENERAL),
    "trunc": (np.trunc, GENERAL),
}
FLOATS = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
INTS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
ON_INTEGERS = {"abs", "ceil", "floor", "negative", "positive", "round", "sign", "square", "trunc"}


def _quiet(function: Callable[..., Any], *args: Any) -> Any:
    with np.errstate(all="ignore"):
        return function(*args)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", FLOATS)
def test_of_floats(name: str, dtype: str) -> None:
    reference, domain = UNARY[name]
    x = np.concatenate([domain, SPECIAL]).astype(FLOATS[dtype])
    expected = _quiet(reference, x.astype(np.float64)).astype(FLOATS[dtype])
    check(getattr(rnp, name), x, expected=expected, tolerance={"f32": 4e-6, "f64": 1e-12}.get(dtype))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", UNARY)
def test_of_integers_and_truth_values(name: str) -> None:
    reference, _ = UNARY[name]
    function = getattr(rnp, name)
    x = np.array([1, 0, 3], np.int16)
    if name in ON_INTEGERS:
        check(function, x, expected=_quiet(reference, x))
        with pytest.raises(DTypeError, match=f"{name} takes numbers, not bool"):
            function(np.array([True]))
        return
    check(function, x, expected=_quiet(reference, x.astype(np.float64)).astype(np.float32))
    truth = np.array([True, False])
    check(function, truth, expected=_quiet(reference, truth.astype(np.float64)).astype(np.float32))


BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}
FLOAT_BINARY: dict[str, Callable[..., Any]] = {
    "atan2": np.arctan2,
    "copysign": np.copysign,
    "divide": np.divide,
    "hypot": np.hypot,
    "logaddexp": np.logaddexp,
    "nextafter": np.nextafter,
}
BITS: dict[str, Callable[..., Any]] = {
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", BINARY | FLOAT_BINARY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_two_floats(name: str, dtype: Any) -> None:
    reference = (BINARY | FLOAT_BINARY)[name]
    line = np.concatenate([GENERAL, SPECIAL]).astype(dtype)
    x, y = line[:, None], line[None, :]
    check(getattr(rnp, name), x, y, expected=_quiet(reference, x, y), tolerance=4e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", BINARY | BITS)
@pytest.mark.parametrize("dtype", INTS)
def test_of_two_integers(name: str, dtype: str) -> None:
    own = dtypes.BY_NAME[dtype]
    line = np.array([own.lowest, own.highest, 0, 1, 7, 100], object).astype(own.numpy)
    if own.kind == "int":
        line = np.concatenate([line, np.array([-1, -7], own.numpy)])
    x, y = line[:, None], line[None, :]
    check(getattr(rnp, name), x, y, expected=_quiet((BINARY | BITS)[name], x, y))


@pytest.mark.parametrize(
    ("name", "reference"),
    [("add", np.logical_or), ("multiply", np.logical_and), ("maximum", np.logical_or), ("minimum", np.logical_and)]
    + [(name, BINARY[name]) for name in ("equal", "not_equal", "less", "logical_and", "logical_or", "logical_xor")]
    + list(BITS.items()),
)
def test_of_two_truth_values(name: str, reference: Callable[..., Any]) -> None:
    x, y = np.array([[True], [False]]), np.array([True, False])
    check(getattr(rnp, name), x, y, expected=reference(x, y))


@pytest.mark.parametrize("name", ["subtract", "floor_divide", "remainder", "pow"])
def test_arithmetic_of_truth_values_is_refused(name: str) -> None:
    with pytest.raises(DTypeError, match="takes"):
        getattr(rnp, name)(np.array([True]), np.array([False]))


@pytest.mark.parametrize("name", FLOAT_BINARY)
def test_of_integers_in_floats(name: str) -> None:
    x, y = np.array([1, 2, -3], np.int32), np.array([4, -5, 6], np.int32)
    expected = FLOAT_BINARY[name](x.astype(np.float32), y.astype(np.float32))
    check(getattr(rnp, name), x, y, expected=expected, tolerance=4e-6)


def test_shifts_and_inversion() -> None:
    x = np.array([-5, 7, 127, -128], np.int8)
    for count in (0, 1, 3, 7):
        check(rnp.bitwise_left_shift, x, np.int8(count), expected=np.left_shift(x, np.int8(count)))
        check(rnp.bitwise_right_shift, x, np.int8(count), expected=np.right_shift(x, np.int8(count)))
    check(rnp.bitwise_right_shift, x, np.int8(100), expected=np.array([-1, 0, 0, -1], np.int8))
    check(rnp.bitwise_left_shift, x, np.int8(-1), expected=np.zeros(4, np.int8))
    check(rnp.bitwise_invert, x, expected=~x)
    check(rnp.bitwise_invert, x > 0, expected=~(x > 0))
    check(rnp.logical_not, x - 7, expected=np.logical_not(x - 7))
    with pytest.raises(DTypeError):
        rnp.bitwise_and(np.ones(1, np.float32), np.ones(1, np.float32))


def test_questions_about_floats() -> None:
    x = np.concatenate([GENERAL, SPECIAL]).astype(np.float32)
    negative_nan = np.frombuffer(np.array([0xFFC00000], np.uint32).tobytes(), np.float32)
    x = np.concatenate([x, negative_nan])
    for name in ("isfinite", "isinf", "isnan", "signbit"):
        for dtype in FLOATS.values():
            check(getattr(rnp, name), x.astype(dtype), expected=getattr(np, name)(x.astype(dtype)))
    whole = np.array([-1, 0, 2])
    for name in ("isfinite", "isinf", "isnan"):
        check(getattr(rnp, name), whole, expected=getattr(np, name)(whole))
    check(rnp.signbit, whole, expected=np.array([True, False, False]))


def test_real_parts() -> None:
    x = np.array([1.5, -2.0], np.float32)
    check(rnp.real, x, expected=x)
    check(rnp.conj, x, expected=x)
    check(rnp.imag, x, expected=np.zeros(2, np.float32))


def test_nan_to_num() -> None:
    x = np.array([1.0, *SPECIAL], np.float32)
    check(rnp.nan_to_num, x, expected=np.nan_to_num(x))
    check(lambda x: rnp.nan_to_num(x, nan=5, posinf=6, neginf=-7), x, expected=np.array([1, 5, 6, -7], np.float32))
    near(rnp.nan_to_num(np.array([np.inf]).astype(ml_dtypes.bfloat16)), np.array([3.3895314e38], ml_dtypes.bfloat16))


def test_clip() -> None:
    x = np.array([-5.0, 0.5, 9.0, np.nan], np.float32)
    check(lambda x: rnp.clip(x, 0, 1), x, expected=np.clip(x, 0, 1))
    check(lambda x: rnp.clip(x, min=0.25), x, expected=np.clip(x, 0.25, None))
    check(lambda x: rnp.clip(x, max=0.25), x, expected=np.clip(x, None, 0.25))
    check(lambda x: rnp.clip(x), x, expected=x)
    check(lambda x: rnp.clip(x, 3, 2), x, expected=np.array([2, 2, 2, np.nan], np.float32))
    check(
        lambda x, low: rnp.clip(x, low, 5),
        x,
        np.array([[1], [2]], np.float32),
        expected=np.clip(x, [[1], [2]], 5).astype(np.float32),
    )
    whole = np.array([1, 5, 9], np.int16)
    check(lambda x: rnp.clip(x, 2, 6), whole, expected=np.clip(whole, 2, 6))


def test_where() -> None:
    c = np.array([True, False])
    x, y = np.array([[1.0], [2.0]], np.float32), np.array([5, 6], np.int32)
    check(rnp.where, c, x, y, expected=np.where(c, x, y.astype(np.float32)))
    check(lambda c: rnp.where(c, 1, 2.5), c, expected=np.array([1.0, 2.5], np.float32))
    check(lambda y: rnp.where(y - 5, y, 0), y, expected=np.array([0, 6], np.int32))


def test_round_to_decimals() -> None:
    x = np.array([1.2345, -2.675, 1234.5], np.float32)
    for decimals in (2, 0, -2):
        check(lambda x, d=decimals: rnp.round(x, d), x, expected=np.round(x, decimals))
    assert np.asarray(rnp.round(np.array([5], np.int8), 1)).tolist() == [5]
    whole = np.array([5, -15, 127], np.int16)
    check(lambda x: rnp.round(x, -1), whole, expected=np.round(whole, -1))


def test_isclose() -> None:
    x = np.array([1.0, 1.0, np.inf, np.nan, np.inf], np.float32)
    y = np.array([1.000001, 1.1, np.inf, np.nan, -np.inf], np.float32)
    check(rnp.isclose, x, y, expected=np.isclose(x, y))
    check(lambda x, y: rnp.isclose(x, y, equal_nan=True), x, y, expected=np.isclose(x, y, equal_nan=True))
    assert bool(rnp.allclose(x[:1], y[:1]))
    assert not bool(rnp.allclose(x[:2], y[:2]))


# -- powers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-1, 0, 1, 2, 3, 7, 16, 17, 40, -3, 0.5])
def test_a_power_of_floats(exponent: float) -> None:
    x = np.array([-2.0, -1.0, 0.0, 0.5, 1.5], np.float64)
    check(lambda x: x**exponent, x, expected=_quiet(np.power, x, float(exponent)), tolerance=1e-13)


@pytest.mark.parametrize("dtype", INTS)
def test_a_power_of_integers(dtype: str) -> None:
    own = dtypes.BY_NAME[dtype].numpy
    base = np.array([0, 1, 2, 3, 7, 100], own)[:, None]
    power = np.array([0, 1, 2, 5, 31, 100], own)
    check(rnp.pow, base, power, expected=_quiet(np.power, base, power))
    for exponent in (0, 1, 5, 40):
        check(lambda x, n=exponent: x**n, base, expected=_quiet(np.power, base, own.type(exponent)))


def test_a_negative_power_of_integers() -> None:
    base = np.array([0, 1, -1, 2, -3], np.int32)[:, None]
    power = np.array([-1, -2, -3], np.int32)
    expected = np.array([[0, 0, 0], [1, 1, 1], [-1, 1, -1], [0, 0, 0], [0, 0, 0]], np.int32)
    check(rnp.pow, base, power, expected=expected)
    with pytest.raises(AttributeValueError, match="no whole power -2"):
        rnp.asarray(base) ** -2


def test_powers_mix_with_numbers_and_types() -> None:
    x = np.array([1, 2], np.int32)
    check(lambda x: 2**x, x, expected=np.array([2, 4], np.int32))
    check(lambda x: x**0.5, x, expected=np.sqrt(x).astype(np.float32))
    check(lambda x: 2.0**x, x, expected=np.array([2, 4], np.float32))
    check(rnp.pow, x, np.array([2.0, 3.0], np.float32), expected=np.array([1, 8], np.float32))


# -- methods and operators -------------------------------------------------------------------------------------------

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
             operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]  # fmt: skip


@pytest.mark.parametrize("function", OPERATORS)
def test_operators(function: Callable[..., Any]) -> None:
    x, y = np.array([1.5, -2.0, 3.0], np.float32), np.array([2.0, 3.0, 3.0], np.float32)
    check(function, x, y, expected=function(x, y))
    check(lambda x: function(x, 3.0), x, expected=function(x, np.float32(3.0)))
    check(lambda x: function(3.0, x), y, expected=function(np.float32(3.0), y))


def test_aliases_are_the_functions() -> None:
    assert rnp.arcsin is rnp.asin
    assert rnp.power is rnp.pow
    assert rnp.concatenate is rnp.concat
    assert rnp.invert is rnp.bitwise_invert
    assert rnp.newaxis is None
    assert rnp.pi == math.pi
    for name in rnp.__all__:
        assert hasattr(rnp, name)


def _names(text: str) -> list[str]:
    return text.split()


STANDARD = _names("""
abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or
bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide
greater greater_equal hypot imag isfinite isinf isnan less less_equal log log1p log2 log10 logaddexp
logical_and logical_not logical_or logical_xor maximum minimum multiply negative nextafter not_equal positive
pow real reciprocal remainder round sign signbit sin sinh square sqrt subtract tan tanh trunc
""")
MORE = _names("""
arange asarray empty empty_like eye full full_like linspace meshgrid ones ones_like tril triu zeros zeros_like
astype can_cast finfo iinfo isdtype result_type take take_along_axis matmul matrix_transpose tensordot vecdot
broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack
tile unstack argmax argmin count_nonzero where cumulative_prod cumulative_sum max mean min prod std sum var
all any diff e inf nan newaxis pi bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64
""")


@pytest.mark.parametrize("names", [STANDARD, MORE])
def test_the_standards_names_are_there(names: list[str]) -> None:
    assert [name for name in names if name not in rnp.__all__] == []


# -- derivatives of compositions -------------------------------------------------------------------------------------


def _slope(function: Callable[..., Any], x: float, order: int = 1) -> float:
    f = function
    for _ in range(order):
        f = rosin.grad(f)
    return float(f(np.float64(x)))


@pytest.mark.parametrize(
    ("function", "x", "first", "second"),
    [
        (lambda x: rnp.logaddexp(x, 1.0), 1.0, 0.5, 0.25),
        (lambda x: rnp.logaddexp(1.0, x), 1.0, 0.5, 0.25),
        (lambda x: rnp.logaddexp(x, 1.0), -3.0, sc.expit(-4.0), sc.expit(-4.0) * sc.expit(4.0)),
        (lambda x: x**3, 0.0, 0.0, 0.0),
        (lambda x: x**2, 0.0, 0.0, 2.0),
        (lambda x: x**1, 0.0, 1.0, 0.0),
        (lambda x: rnp.copysign(x, -1.0), 2.0, -1.0, 0.0),
        (lambda x: rnp.copysign(x, -1.0), -2.0, 1.0, 0.0),
        (lambda x: rnp.copysign(2.0, x) * x, -2.0, -2.0, 0.0),
        (lambda x: rnp.clip(x * x, 0, 9), 2.0, 4.0, 2.0),
        (lambda x: rnp.clip(x * x, 0, 9), 4.0, 0.0, 0.0),
        (lambda x: rnp.nan_to_num(x * x), 3.0, 6.0, 2.0),
    ],
)
def test_derivatives(function: Callable[..., Any], x: float, first: float, second: float) -> None:
    assert _slope(function, x) == pytest.approx(first, abs=1e-12)
    assert _slope(function, x, 2) == pytest.approx(second, abs=1e-12)
    tangent = rosin.jvp(function, (np.float64(x),), (np.float64(1.0),))[1]
    assert float(tangent) == pytest.approx(first, abs=1e-12)


@pytest.mark.parametrize("x", [math.inf, -math.inf])
def test_logaddexp_of_infinities_has_no_nan_in_its_derivative(x: float) -> None:
    assert _slope(lambda v: rnp.logaddexp(v, x), x) in (0.0, 1.0)
    near(both(rnp.logaddexp, np.float32(x), np.float32(x))[0], np.float32(x))
