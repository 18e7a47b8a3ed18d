"""The vector mathematics against mpmath (f64) and against correctly rounded f64 functions (f32), over all exponents.

Errors are in ulp: the spacing of floats at the true value, in the smallest binade that of the subnormal numbers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
from numpy.typing import NDArray

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.ops import exponential, special, trigonometric
from rosin.ir.ops.special import Polygamma
from rosin.runtime.jit import host
from tests.backends.llvm.jit import Kernel

FloatArray = NDArray[np.floating]
DTYPES = (np.float32, np.float64)
EMIT: dict[str, Callable[..., Val]] = {
    op.__name__.lower(): emit for table in (exponential, trigonometric, special) for op, emit in table.EMIT.items()
}
ONLY_FLOATS: dict[str, Callable[..., Val]] = special.OF_FLOATS
EMIT |= ONLY_FLOATS
INF, NAN = math.inf, math.nan


def _reciprocal_root(x: Any) -> Any:
    return 1 / mpmath.sqrt(x)


def _erfinv(y: Any) -> Any:
    """By Newton steps from a float64, which takes mpmath's own function many."""
    x = mpmath.mpf(float(scipy.special.erfinv(float(y))))
    for _ in range(3):
        x -= (mpmath.erf(x) - y) * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(x * x)
    return x


def _log_gamma(x: Any) -> Any:
    if x > 0:
        return mpmath.loggamma(x)
    return mpmath.log(mpmath.pi / abs(x * mpmath.sin(mpmath.pi * x))) - mpmath.loggamma(-x)


@dataclass(frozen=True)
class Function:
    """How to test one function of one argument.

    `high` is the exact function, `wide` the same in float64, `span` the arguments between which it varies, `limits`
    the greatest errors in ulp for f32 and f64, and `absolute` an absolute error that is let pass.
    """

    high: Callable[[Any], Any]
    wide: Callable[[FloatArray], FloatArray]
    span: tuple[float, float]
    limits: tuple[float, float] = (2.0, 2.0)
    absolute: float = 0.0


FUNCTIONS = {
    "exp": Function(mpmath.exp, np.exp, (-750, 715), (0.9, 0.9)),
    "exp2": Function(lambda x: mpmath.power(2, x), np.exp2, (-1080, 1030), (0.9, 0.9)),
    "expm1": Function(mpmath.expm1, np.expm1, (-50, 715), (1.5, 1.5)),
    "log": Function(mpmath.log, np.log, (0, 10), (0.95, 0.95)),
    "log1p": Function(mpmath.log1p, np.log1p, (-1, 10), (1.6, 1.6)),
    "log2": Function(lambda x: mpmath.log(x, 2), np.log2, (0, 10), (1.1, 1.1)),
    "log10": Function(mpmath.log10, np.log10, (0, 10), (1.1, 1.1)),
    "sqrt": Function(mpmath.sqrt, np.sqrt, (0, 10), (0.5, 0.5)),
    "rsqrt": Function(_reciprocal_root, lambda x: 1 / np.sqrt(x), (0, 10), (1.5, 1.5)),
    "cbrt": Function(lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), np.cbrt, (-10, 10), (0.52, 0.52)),
    "sin": Function(mpmath.sin, np.sin, (-30, 30), (1.8, 1.8)),
    "cos": Function(mpmath.cos, np.cos, (-30, 30), (1.9, 1.9)),
    "tan": Function(mpmath.tan, np.tan, (-30, 30), (0.6, 1.5)),
    "asin": Function(mpmath.asin, np.arcsin, (-1, 1), (1.3, 1.3)),
    "acos": Function(mpmath.acos, np.arccos, (-1, 1), (1.3, 1.3)),
    "atan": Function(mpmath.atan, np.arctan, (-20, 20), (1.7, 1.7)),
    "sinh": Function(mpmath.sinh, np.sinh, (-720, 720), (1.8, 1.8)),
    "cosh": Function(mpmath.cosh, np.cosh, (-720, 720), (1.5, 1.5)),
    "tanh": Function(mpmath.tanh, np.tanh, (-25, 25), (1.7, 1.7)),
    "asinh": Function(mpmath.asinh, np.arcsinh, (-10, 10), (1.4, 1.4)),
    "acosh": Function(mpmath.acosh, np.arccosh, (1, 10), (1.7, 1.7)),
    "atanh": Function(mpmath.atanh, np.arctanh, (-1, 1), (1.5, 1.5)),
    "sigmoid": Function(lambda x: 1 / (1 + mpmath.exp(-x)), scipy.special.expit, (-750, 40), (1.8, 1.8)),
    "erf": Function(mpmath.erf, scipy.special.erf, (-7, 7), (1.3, 1.3)),
    "erfc": Function(mpmath.erfc, scipy.special.erfc, (-7, 28), (1.8, 1.8)),
    "erfinv": Function(_erfinv, scipy.special.erfinv, (-1, 1), (1.6, 4.0)),
    "ndtr": Function(mpmath.ncdf, scipy.special.ndtr, (-15, 7), (1.9, 0.0)),
    "lgamma": Function(_log_gamma, scipy.special.gammaln, (-30, 50), (1.0, 4.0), 1e-15),
    "digamma": Function(mpmath.digamma, scipy.special.digamma, (-30, 50), (1.0, 4.0), 2e-15),
}
PAIRS = ("pow", "atan2", "hypot")
PARTS = ("erfc", "ndtr")
"""Those that look up coefficients."""
OF_TYPES = [(name, dtype) for name in (*FUNCTIONS, *PAIRS) for dtype in DTYPES if (name, dtype) != ("ndtr", np.float64)]


@functools.cache
def kernel(name: str, dtype: type[np.floating], lanes: int = 8, avx512: bool = False) -> Kernel:
    return Kernel(EMIT[name], 2 if name in PAIRS else 1, dtype, lanes, avx512)


def every_exponent(dtype: type[np.floating], each: int, seed: int = 0) -> FloatArray:
    """Both signs of every exponent, subnormal numbers too, with `each` random mantissas."""
    random = np.random.default_rng(seed)
    bits, integer = (23, np.uint32) if dtype is np.float32 else (52, np.uint64)
    exponents = np.arange(2 ** (9 if dtype is np.float32 else 12), dtype=integer)
    high = np.repeat(exponents << integer(bits), each)
    values = (high | random.integers(0, 2**bits, high.size, dtype=integer)).view(dtype)
    return values[np.isfinite(values)]


def samples(name: str, dtype: type[np.floating], count: int, each: int, seed: int = 0) -> FloatArray:
    """Arguments over all exponents, over the span in which the function varies, and close to 0 and 1."""
    random = np.random.default_rng(seed)
    low, high = FUNCTIONS[name].span
    if dtype is np.float32:
        low, high = max(low, -160), min(high, 130)
    near = 2.0 ** -random.uniform(0, 60, count) * random.choice([-1, 1], count)
    parts = (random.uniform(low, high, count), near, 1 + near, -1 - near)
    return np.concatenate([every_exponent(dtype, each, seed), *(part.astype(dtype) for part in parts)])


def same(found: FloatArray, expected: FloatArray) -> NDArray[np.bool_]:
    return (found == expected) & (np.signbit(found) == np.signbit(expected)) | np.isnan(found) & np.isnan(expected)


def errors_in_ulp(found: FloatArray, true: FloatArray) -> FloatArray:
    """Of f32 results against float64 references. A wrong NaN, infinity or sign of zero counts as infinite."""
    info = np.finfo(np.float32)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        rounded = true.astype(np.float32)
        exponent = np.maximum(np.frexp(true)[1] - 1, info.minexp)
        errors = np.abs(found.astype(np.float64) - true) / np.ldexp(1.0, exponent - info.nmant)
    largest = float(info.max)
    special_case = ~np.isfinite(rounded) | (true == 0)
    # A result next to overflow may go either way.
    edge = (np.abs(np.abs(true) / largest - 1) < 2e-7) & (np.sign(found) == np.sign(true))
    return np.where(special_case & ~edge, np.where(same(found, rounded), 0.0, INF), np.where(edge, 0.5, errors))


def error_in_ulp(found: float, true: Any) -> float:
    """Of one f64 result against an mpmath number."""
    if not mpmath.isfinite(true):
        return 0.0 if found == float(true) or (math.isnan(found) and mpmath.isnan(true)) else INF
    if abs(true) >= mpmath.mpf(2) ** 1024 * (1 - mpmath.mpf(2) ** -54):
        return 0.0 if found == math.copysign(INF, true) else INF
    if not math.isfinite(found):
        return INF
    exponent = max(int(mpmath.frexp(true)[1]) - 1, -1022) if true else -1022
    return float(abs(mpmath.mpf(found) - true) / mpmath.ldexp(1, exponent - 52))


def worst(errors: FloatArray, *columns: FloatArray) -> str:
    at = int(np.argmax(errors))
    return f"{float(errors[at]):.3g} ulp at {', '.join(repr(column[at]) for column in columns)}"


def check_f32(name: str, x: FloatArray) -> None:
    function = FUNCTIONS[name]
    found = kernel(name, np.float32)(x)
    with np.errstate(all="ignore"):
        true = function.wide(x.astype(np.float64))
    errors = errors_in_ulp(found, true)
    if function.absolute:
        with np.errstate(invalid="ignore"):
            errors = np.where(np.abs(found - true) < 4e-8 * np.minimum(1.0, np.abs(true)), 0.0, errors)
    assert errors.max() <= function.limits[0], worst(errors, x, found)


def check_f64(name: str, x: FloatArray) -> None:
    function = FUNCTIONS[name]
    found = kernel(name, np.float64)(x)
    with mpmath.workprec(200):
        true = [function.high(mpmath.mpf(float(v))) for v in x]
        errors = np.array([error_in_ulp(float(a), b) for a, b in zip(found, true, strict=True)])
        close = [mpmath.isfinite(b) and abs(float(a) - b) < function.absolute for a, b in zip(found, true, strict=True)]
    errors = np.where(close, 0.0, errors)
    assert errors.max() <= function.limits[1], worst(errors, x, found)


def within(name: str, x: FloatArray) -> FloatArray:
    """The arguments that mpmath handles in reasonable time and that are not special cases."""
    low, high = FUNCTIONS[name].span
    if name in ("log", "log1p", "log2", "log10", "sqrt", "rsqrt", "acosh"):
        return x[x > low]
    if name in (
        "exp",
        "exp2",
        "expm1",
        "asin",
        "acos",
        "atanh",
        "sinh",
        "cosh",
        "tanh",
        "sigmoid",
        "erf",
        "erfc",
        "erfinv",
    ):
        return x[(x > low) & (x < high) & (x != 0)]
    if name in ("lgamma", "digamma"):
        return x[(x > -1e6) & (x != np.rint(x))]
    return x


@pytest.mark.parametrize("name", FUNCTIONS)
def test_f32_over_every_exponent(name: str) -> None:
    check_f32(name, samples(name, np.float32, 40_000, 64))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ONLY_FLOATS])
def test_f64_over_every_exponent(name: str) -> None:
    x = within(name, samples(name, np.float64, 2_000, 1))
    check_f64(name, x[:: 8 if name in ("lgamma", "digamma", "erfinv") else 3])


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_f32_densely(name: str) -> None:
    for seed in range(1, 9):
        check_f32(name, samples(name, np.float32, 1_000_000, 4_000, seed))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ONLY_FLOATS])
def test_f64_densely(name: str) -> None:
    check_f64(name, within(name, samples(name, np.float64, 10_000, 3, seed=1)))


# -- functions of two arguments --------------------------------------------------------------------------------

PAIR_LIMITS = {"pow": (0.7, 2.0), "atan2": (1.8, 1.8), "hypot": (0.6, 1.5)}
HIGH_PAIRS: dict[str, Callable[[Any, Any], Any]] = {"pow": mpmath.power, "atan2": mpmath.atan2, "hypot": mpmath.hypot}
WIDE_PAIRS: dict[str, Callable[..., FloatArray]] = {"pow": np.power, "atan2": np.arctan2, "hypot": np.hypot}


def pair_samples(name: str, dtype: type[np.floating], each: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(seed)
    x = every_exponent(dtype, each, seed)
    if name != "pow":
        ratio = 2.0 ** random.uniform(-8, 8, x.size) * random.choice([-1, 1], x.size)
        with np.errstate(over="ignore"):
            y = (x * ratio).astype(dtype)
        y = np.where(random.random(x.size) < 0.2, random.permutation(x), y).astype(dtype)
        keep = np.isfinite(y)
        return x[keep], y[keep]
    # Exponents that spread the results from zero to overflow, of bases over the whole range and close to one.
    near = (1 + random.uniform(-1, 1, x.size) * 2.0 ** -random.uniform(0, 20, x.size)).astype(dtype)
    x = np.concatenate([np.abs(x), near])
    x = x[(x > 0) & (x != 1)]
    limit = 155 if dtype is np.float32 else 1080
    return x, (random.uniform(-limit, limit, x.size) / np.log2(x.astype(np.float64))).astype(dtype)


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_f32(name: str) -> None:
    x, y = pair_samples(name, np.float32, 64)
    found = kernel(name, np.float32)(x, y)
    with np.errstate(all="ignore"):
        true = WIDE_PAIRS[name](x.astype(np.float64), y.astype(np.float64))
    errors = errors_in_ulp(found, true)
    assert errors.max() <= PAIR_LIMITS[name][0], worst(errors, x, y, found)


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_f64(name: str) -> None:
    x, y = (column[::2] for column in pair_samples(name, np.float64, 1))
    found = kernel(name, np.float64)(x, y)
    with mpmath.workprec(200):
        true = [HIGH_PAIRS[name](mpmath.mpf(float(a)), mpmath.mpf(float(b))) for a, b in zip(x, y, strict=True)]
        errors = np.array([error_in_ulp(float(a), b) for a, b in zip(found, true, strict=True)])
    assert errors.max() <= PAIR_LIMITS[name][1], worst(errors, x, y, found)


# -- polygamma, whose order is an attribute --------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3, 8])
def test_polygamma(order: int) -> None:
    def emit(e: Emitter, x: Val) -> Val:
        return special.emit_polygamma(e, Polygamma(order), x)

    random = np.random.default_rng(order)
    x = np.concatenate([random.uniform(-20, 30, 80), 10.0 ** random.uniform(-15, 15, 40)])
    expected = np.array([float(mpmath.polygamma(order, mpmath.mpf(float(v)))) for v in x])
    np.testing.assert_allclose(Kernel(emit, 1, np.float64, 8)(x), expected, rtol=3e-15)
    single = Kernel(emit, 1, np.float32, 8)(x.astype(np.float32)[:80])
    nearby = [float(mpmath.polygamma(order, mpmath.mpf(float(v)))) for v in x.astype(np.float32)[:80]]
    np.testing.assert_allclose(single, nearby, rtol=7e-8)
    at_pole = INF if order % 2 else -INF
    edges = Kernel(emit, 1, np.float64, 1)(np.array([0.0, -0.0, -3.0, INF, -INF, NAN]))
    np.testing.assert_array_equal(edges, [at_pole, at_pole, at_pole, 0, NAN, NAN])


# -- special values --------------------------------------------------------------------------------------------

ODD_AT_ZERO = [(0.0, 0.0), (-0.0, -0.0), (NAN, NAN)]
SPECIAL: dict[str, list[tuple[float, float]]] = {
    "exp": [(0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (NAN, NAN), (1e4, INF), (-1e4, 0)],
    "exp2": [(0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (NAN, NAN), (10, 1024), (-3, 0.125), (-1e4, 0), (1e4, INF)],
    "expm1": [*ODD_AT_ZERO, (INF, INF), (-INF, -1), (1e4, INF), (-1e4, -1)],
    "log": [(0, -INF), (-0.0, -INF), (1, 0), (INF, INF), (-1, NAN), (-INF, NAN), (NAN, NAN)],
    "log1p": [*ODD_AT_ZERO, (-1, -INF), (-2, NAN), (INF, INF), (-INF, NAN)],
    "log2": [(0, -INF), (-0.0, -INF), (1, 0), (8, 3), (2.0**-126, -126), (INF, INF), (-1, NAN), (NAN, NAN)],
    "log10": [(0, -INF), (-0.0, -INF), (1, 0), (1000, 3), (INF, INF), (-1, NAN), (NAN, NAN)],
    "sqrt": [*ODD_AT_ZERO, (4, 2), (INF, INF), (-1, NAN), (-INF, NAN)],
    "rsqrt": [(0, INF), (-0.0, -INF), (4, 0.5), (INF, 0), (-1, NAN), (NAN, NAN)],
    "cbrt": [*ODD_AT_ZERO, (27, 3), (-8, -2), (INF, INF), (-INF, -INF)],
    "sin": [*ODD_AT_ZERO, (INF, NAN), (-INF, NAN)],
    "cos": [(0, 1), (-0.0, 1), (1e-20, 1), (INF, NAN), (-INF, NAN), (NAN, NAN)],
    "tan": [*ODD_AT_ZERO, (INF, NAN), (-INF, NAN)],
    "asin": [*ODD_AT_ZERO, (1, math.pi / 2), (-1, -math.pi / 2), (1.5, NAN), (-INF, NAN)],
    "acos": [(1, 0), (-1, math.pi), (0, math.pi / 2), (1.5, NAN), (-INF, NAN), (NAN, NAN)],
    "atan": [*ODD_AT_ZERO, (INF, math.pi / 2), (-INF, -math.pi / 2), (1, math.pi / 4)],
    "sinh": [*ODD_AT_ZERO, (INF, INF), (-INF, -INF), (1e4, INF), (-1e4, -INF)],
    "cosh": [(0, 1), (-0.0, 1), (INF, INF), (-INF, INF), (1e4, INF), (NAN, NAN)],
    "tanh": [*ODD_AT_ZERO, (INF, 1), (-INF, -1), (50, 1)],
    "asinh": [*ODD_AT_ZERO, (INF, INF), (-INF, -INF)],
    "acosh": [(1, 0), (0.5, NAN), (-2, NAN), (-1e30, NAN), (INF, INF), (-INF, NAN), (NAN, NAN)],
    "atanh": [*ODD_AT_ZERO, (1, INF), (-1, -INF), (2, NAN), (1e30, NAN), (INF, NAN)],
    "sigmoid": [(0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0), (-1e4, 0), (1e4, 1), (NAN, NAN)],
    "erf": [*ODD_AT_ZERO, (INF, 1), (-INF, -1), (7, 1)],
    "erfc": [(0, 1), (-0.0, 1), (INF, 0), (-INF, 2), (30, 0), (NAN, NAN)],
    "ndtr": [(0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0), (-40, 0), (40, 1), (NAN, NAN)],
    "erfinv": [*ODD_AT_ZERO, (1, INF), (-1, -INF), (1.5, NAN), (-INF, NAN)],
    "lgamma": [(0, INF), (-0.0, INF), (1, 0), (2, 0), (-1, INF), (-7, INF), (INF, INF), (-INF, INF), (NAN, NAN)],
    "digamma": [(0, -INF), (-0.0, INF), (-1, NAN), (-7, NAN), (INF, INF), (-INF, NAN), (NAN, NAN)],
}


@pytest.mark.parametrize(("name", "dtype"), [pair for pair in OF_TYPES if pair[0] not in PAIRS])
def test_special_values(name: str, dtype: type[np.floating]) -> None:
    arguments, expected = (np.array(column, dtype) for column in zip(*SPECIAL[name], strict=True))
    found = kernel(name, dtype)(arguments)
    ok = same(found, expected)
    assert ok.all(), list(zip(arguments[~ok], found[~ok], expected[~ok], strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_pow_and_atan2_and_hypot_at_special_values(dtype: type[np.floating]) -> None:
    values = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 1e9, 16777215.0, float(np.finfo(dtype).max), INF, NAN]
    values += [float(np.finfo(dtype).smallest_subnormal), float(np.finfo(dtype).tiny)]
    grid = np.array([*values, *(-v for v in values)], dtype)
    x, y = (column.ravel() for column in np.meshgrid(grid, grid))
    for name, wide in WIDE_PAIRS.items():
        with np.errstate(all="ignore"):
            expected = wide(x, y)
        found = kernel(name, dtype)(x, y)
        with np.errstate(all="ignore"):
            close = np.abs(found - expected) <= 4 * np.finfo(dtype).eps * np.abs(expected)
        ok = same(found, expected) | close & (expected != 0) & np.isfinite(expected)
        assert ok.all(), (name, list(zip(x[~ok], y[~ok], found[~ok], expected[~ok], strict=True))[:10])


def test_hypot_of_subnormal_numbers_and_near_overflow() -> None:
    x = np.array([5e-324, 3e-310, 1e308, 1.2e308])
    y = np.array([5e-324, 4e-310, 1e308, 1.4e308])
    expected = np.array([5e-324, 5e-310, 2.0**0.5 * 1e308, INF])
    np.testing.assert_allclose(kernel("hypot", np.float64)(x, y), expected, rtol=4e-16)


# -- large angles ----------------------------------------------------------------------------------------------


def _angles() -> Iterator[float]:
    """Doubles next to multiples of pi/2, the worst known one among them (Muller et al., Handbook, section 11.2)."""
    yield 6381956970095103 * 2.0**797
    with mpmath.workprec(1200):
        for exponent in range(0, 1000, 7):
            n = mpmath.floor(mpmath.ldexp(1, exponent) / (mpmath.pi / 2))
            for k in (n, n + 1):
                yield float(k * mpmath.pi / 2)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_next_to_multiples_of_half_pi(name: str) -> None:
    x = np.array([v for v in _angles() if v])
    x = np.concatenate([x, -x])
    found = kernel(name, np.float64)(x)
    with mpmath.workprec(1300):
        true = [FUNCTIONS[name].high(mpmath.mpf(float(v))) for v in x]
        errors = np.array([error_in_ulp(float(a), b) for a, b in zip(found, true, strict=True)])
    assert errors.max() <= FUNCTIONS[name].limits[1], worst(errors, x, found)


def test_sin_and_cos_stay_within_one() -> None:
    random = np.random.default_rng(0)
    for dtype in DTYPES:
        near = 2.0 ** -random.uniform(0, 30, 100_000) * random.choice([-1, 1], 100_000)
        multiples = random.integers(-1000, 1000, 100_000) * math.pi
        assert np.abs(kernel("cos", dtype)((multiples + near).astype(dtype))).max() <= 1
        assert np.abs(kernel("sin", dtype)((multiples + math.pi / 2 + near).astype(dtype))).max() <= 1


# -- lanes -----------------------------------------------------------------------------------------------------


def check_lanes(name: str, dtype: type[np.floating], lanes: int, avx512: bool, count: int) -> None:
    """That vectors give the same bits as single numbers do."""
    random = np.random.default_rng(0)
    x = np.concatenate([every_exponent(dtype, 1)[:: 1 if dtype is np.float32 else 8], random.normal(0, 3, count)])
    x = np.concatenate([x, [0.0, -0.0, INF, -INF, NAN, 1.0, -1.0]]).astype(dtype)
    arguments = (x, random.permutation(x)) if name in PAIRS else (x,)
    scalar = kernel(name, dtype, 1)(*arguments)
    vector = kernel(name, dtype, lanes, avx512)(*arguments)
    ok = same(vector, scalar)
    assert ok.all(), (arguments[0][~ok][:5], vector[~ok][:5], scalar[~ok][:5])


@pytest.mark.thinned(3)
@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize(("name", "dtype"), OF_TYPES)
def test_the_bits_do_not_depend_on_the_lanes(name: str, dtype: type[np.floating], lanes: int) -> None:
    check_lanes(name, dtype, lanes, False, 1000)


@pytest.mark.skipif(not host().assembles, reason="the processor has no AVX-512")
@pytest.mark.parametrize("lanes", [2, 8, 16, 32])
@pytest.mark.parametrize(("name", "dtype"), [pair for pair in OF_TYPES if pair[0] in ("exp", "exp2", "pow", *PARTS)])
def test_instructions_of_avx512_give_the_same_bits(name: str, dtype: type[np.floating], lanes: int) -> None:
    check_lanes(name, dtype, lanes, True, 20_000)


@pytest.mark.skipif(not host().assembles, reason="the processor has no AVX-512")
@pytest.mark.parametrize(("name", "limit"), [("tanh", 1.1), ("log", 0.9), ("erf", 1.1), ("erfinv", 1.6)])
def test_floats_by_parts_where_registers_are_looked_up(name: str, limit: float) -> None:
    special, expected = (np.array(column, np.float32) for column in zip(*SPECIAL[name], strict=True))
    assert same(kernel(name, np.float32, 16, True)(special), expected).all()
    x = np.concatenate([samples(name, np.float32, 40_000, 64), np.array([9.02, 4, 1.5, 0.75], np.float32)])
    found = kernel(name, np.float32, 16, True)(x)
    with np.errstate(all="ignore"):
        errors = errors_in_ulp(found, FUNCTIONS[name].wide(x.astype(np.float64)))
    assert errors.max() <= limit, worst(errors, x, found)
    assert name not in ("tanh", "erf") or np.nanmax(np.abs(found)) == 1
    for lanes in (1, 2, 8, 32):
        assert same(kernel(name, np.float32, lanes, True)(x), found).all()
