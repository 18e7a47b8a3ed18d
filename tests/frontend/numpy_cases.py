"""Calls of every public function of rosin.numpy that NumPy has too, or that can be written in NumPy's functions.

A call costs one line. NumPy's arrays among its arguments are what test_numpy_names.py compiles, batches and
differentiates by; everything else is known. Floats stand for those of every width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from rosin import numpy as rnp

RANDOM = np.random.default_rng(3)
V = RANDOM.normal(size=7)
W = RANDOM.normal(size=7)
M = RANDOM.normal(size=(4, 5))
K = RANDOM.normal(size=(4, 5))
T = RANDOM.normal(size=(2, 3, 4))
S = RANDOM.normal(size=(4, 4))
POSITIVE = RANDOM.uniform(0.5, 3.0, (4, 5))
UNIT = RANDOM.uniform(-0.9, 0.9, (4, 5))
ABOVE = RANDOM.uniform(1.1, 3.0, (4, 5))
NANS = np.where(M > 1, np.nan, M)
LINE = np.array([-1.5, -0.25, 0.5, 1.25, 3.0])
WHOLE = RANDOM.integers(-9, 9, (4, 5)).astype(np.int32)
J = RANDOM.integers(1, 9, (4, 5)).astype(np.int32)
SMALL = RANDOM.integers(0, 5, 9).astype(np.int32)
BYTES = RANDOM.integers(0, 256, (3, 5)).astype(np.uint8)
B = M > 0
C = RANDOM.permutation(20).reshape(4, 5) > 8
SPARSE = np.array([0.0, 0.0, 1.5, 0.0, -2.0, 3.0, 0.0])
COMPLEX = M + 1j * K


@dataclass(frozen=True, eq=False)
class Case:
    """One call.

    reference: what does the same in NumPy; its function of the same name by default.
    smooth: whether finite differences tell the derivative.
    batched: whether `vmap` has it: the shape of a result may depend on the numbers of one example.
    traced: whether it is one of arrays that are not known.
    tolerance: how far off results may be, relative to their size, in units in the last place.
    narrow: whether NumPy gets floats of the width under test, and not f64.
    """

    name: str
    args: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    reference: Callable[..., Any] | None = None
    smooth: bool = True
    batched: bool = True
    traced: bool = True
    tolerance: float = 32.0
    narrow: bool = False


def case(name: str, *args: Any, **options: Any) -> Case:
    """A case; what is one of its own fields is taken out of the options."""
    own = {
        key: options.pop(key)
        for key in ("reference", "smooth", "batched", "traced", "tolerance", "narrow")
        if key in options
    }
    return Case(name, args, options, **own)


def rough(name: str, *args: Any, **options: Any) -> Case:
    """A case that has no derivative, or steps."""
    return case(name, *args, smooth=False, **options)


def untraced(name: str, *args: Any, **options: Any) -> Case:
    """A case of known numbers alone."""
    return case(name, *args, smooth=False, batched=False, traced=False, **options)


def each(names: str) -> list[str]:
    """Names that stand in one line."""
    return names.split()


def _elementwise() -> Iterator[Case]:
    for name in each(
        "abs absolute arcsinh arctan asinh atan conj conjugate cos cosh deg2rad degrees exp exp2 expm1 fabs nan_to_num "
        "negative positive rad2deg radians real sin sinc sinh square tan tanh"
    ):
        yield case(name, M)
    yield case("i0", M)
    for name in each("cbrt log log10 log1p log2 reciprocal sqrt"):
        yield case(name, POSITIVE)
    for name in each("acos arccos asin arcsin atanh arctanh"):
        yield case(name, UNIT)
    for name in each("acosh arccosh"):
        yield case(name, ABOVE)
    for name in each("ceil fix floor rint sign trunc spacing"):
        yield rough(name, M, narrow=name == "spacing")
    for name in each("isfinite isinf isnan isneginf isposinf signbit iscomplex isreal imag angle logical_not"):
        yield rough(name, NANS)
    for name in each("around round"):
        yield rough(name, M, 1)
        yield rough(name, WHOLE)
        yield rough(name, WHOLE * 7, -1)
        yield rough(name, np.arange(0, 250, 5, dtype=np.uint8), -1)
        yield rough(name, np.arange(-95, 96, 5), -1)
    for name in each("add subtract multiply maximum minimum fmax fmin logaddexp logaddexp2 hypot arctan2 atan2"):
        yield case(name, M, K)
        yield case(name, M, V[:5])
    for name in each("divide true_divide remainder mod fmod"):
        yield case(name, M, POSITIVE)
    for name in each("add subtract multiply remainder mod fmod floor_divide power pow"):
        yield rough(name, WHOLE, J % 3 if name in ("power", "pow") else J)
    for name in each("fmod remainder floor_divide"):
        yield rough(name, WHOLE, -J)
    for name in each("fmax fmin maximum minimum"):
        yield rough(name, NANS, K)
    for name in each("power pow float_power"):
        yield case(name, POSITIVE, K, tolerance=64)
    for name in each(
        "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor isclose"
    ):
        yield rough(name, WHOLE, J % 3)
    for name in each("bitwise_and bitwise_or bitwise_xor gcd lcm"):
        yield rough(name, WHOLE, J)
    for name in each("bitwise_left_shift left_shift bitwise_right_shift right_shift"):
        yield rough(name, WHOLE, J)
    for name in each("bitwise_invert bitwise_not invert bitwise_count"):
        yield rough(name, WHOLE)
    yield rough("bitwise_count", BYTES)
    yield case("copysign", POSITIVE, M)
    yield rough("nextafter", M, K)
    yield rough("divmod", M, POSITIVE)
    yield case("heaviside", M, 0.5)
    yield rough("heaviside", np.array([-1.0, 0.0, 2.0, np.nan]), 0.25)
    yield rough("modf", np.array([1.5, -1.0, -2.25, 0.0, -0.0, np.inf, -np.inf, np.nan]))
    yield case("modf", M)
    yield rough("frexp", np.array([1.5, -1.0, 0.0, 1e-30, 3e30, np.inf, np.nan]), batched=False)
    yield rough("frexp", M)
    yield case("ldexp", M, WHOLE)
    yield case("clip", M, -0.5, 0.7)
    yield rough("sinc", np.array([0.0, 1.0, 1e-3, 0.15, 2.5]))


def _more_elementwise() -> Iterator[Case]:
    yield case("rsqrt", POSITIVE, reference=lambda x: 1 / np.sqrt(x))
    yield case("sigmoid", M, reference=lambda x: 1 / (1 + np.exp(-x)))
    erf, gamma = np.vectorize(math.erf), np.vectorize(math.lgamma)
    yield case("erf", M, reference=erf)
    yield case("erfc", M, reference=lambda x: 1 - erf(x))
    yield case("erfinv", UNIT, reference=_inverse(erf, -6.0, 6.0), tolerance=1e3)
    yield case("lgamma", POSITIVE, reference=gamma, tolerance=256)
    yield case("digamma", ABOVE, reference=_slope(gamma), tolerance=1e6)


def _inverse(function: Callable[[Any], Any], low: float, high: float) -> Callable[[Any], Any]:
    """The inverse of an increasing function, by halving."""

    def found(y: Any) -> Any:
        a, b = np.full_like(y, low), np.full_like(y, high)
        for _ in range(200):
            middle = (a + b) / 2
            below = function(middle) < y
            a, b = np.where(below, middle, a), np.where(below, b, middle)
        return a

    return found


def _slope(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def found(x: Any) -> Any:
        near, far = (function(x + h) - function(x - h) for h in (1e-3, 2e-3))
        return (8 * near - far) / 12e-3

    return found


def _reductions() -> Iterator[Case]:
    for name in each("sum prod mean max min amax amin var std median ptp"):
        yield case(name, M)
        yield case(name, T, axis=(0, 2), keepdims=True)
    for name in each("sum prod max min ptp"):
        yield rough(name, WHOLE, axis=0)
    for name in each("argmax argmin all any count_nonzero"):
        yield rough(name, M, axis=1)
        yield rough(name, WHOLE)
    for name in each("cumsum cumprod"):
        yield case(name, M)
        yield case(name, M, axis=0)
    for name in each("cumulative_sum cumulative_prod"):
        yield case(name, M, axis=1, include_initial=True)
    yield case("cummax", M, axis=0, reference=lambda x, axis: np.maximum.accumulate(x, axis))
    yield case("cummin", M, axis=1, reference=lambda x, axis: np.minimum.accumulate(x, axis))
    yield case("logsumexp", M, axis=1, reference=lambda x, axis: np.logaddexp.reduce(x, axis))
    yield case("logcumsumexp", M, axis=1, reference=lambda x, axis: np.logaddexp.accumulate(x, axis))
    yield case("diff", M, n=2)
    yield case("diff", V, prepend=1.3, append=W[:2])
    for name in each("quantile nanquantile"):
        yield case(name, M, np.array([0.3, 0.6]), axis=1, tolerance=512)
        weights = np.abs(K).round(1)
        yield rough(name, M, np.array([0.0, 0.3, 0.8]), axis=1, method="inverted_cdf", weights=weights)
        yield rough(name, NANS, 0.6, axis=0, method="inverted_cdf", weights=POSITIVE)
    yield rough("quantile", M, 0.6, axis=0, method="inverted_cdf", weights=POSITIVE[:, 0])
    for name in each("percentile nanpercentile"):
        yield case(name, M, np.array([30.0, 60.0]), axis=0, tolerance=512)
    for name in each("nansum nanprod nanmean nanvar nanstd nanmax nanmin nanmedian"):
        yield case(name, NANS)
        yield case(name, NANS, axis=0, keepdims=True)
        yield rough(name, WHOLE, axis=1)
    for name in each("nancumsum nancumprod"):
        yield case(name, NANS)
        yield case(name, NANS, axis=1)
    for name in each("nanargmax nanargmin"):
        yield rough(name, NANS)
        yield rough(name, NANS, axis=1, keepdims=True)
    yield case("nanvar", NANS, axis=1, ddof=1)
    for name in each("nansum nanprod nanmean nanstd"):
        yield case(name, NANS, (0, 1), where=K < 0.8, keepdims=True, tolerance=1024)
    yield rough("nanvar", WHOLE, 0, np.float64, where=B)
    for name in each("nansum nanmax nanmin"):
        yield case(name, NANS, 1, initial=0.3, where=K < 0.8)
    yield case("var", M, 0, ddof=1)
    for name in each("sum prod mean var std"):
        yield case(name, M, 1, where=K < 0.8)
        yield case(name, COMPLEX, 0, where=K < 0.8, tolerance=128)
    for name in each("sum prod max min"):
        yield case(name, M, 1, initial=0.3, where=B)
        yield rough(name, WHOLE, (0, 1), initial=5)
        yield rough(name, np.zeros((0, 3)), 0, initial=1.5)
    for name in each("any all"):
        yield rough(name, WHOLE, 0, where=B)
    yield case("std", M, 1, correction=1.5, reference=lambda x, axis, correction: np.std(x, axis, ddof=correction))
    yield rough("mean", WHOLE, 0, np.float64)
    yield rough("sum", WHOLE, 1, np.float64)
    yield rough("nan_to_num", np.array([np.nan, np.inf, -np.inf, 1.0]), True, 3.0, 5.0)
    yield rough("nanmean", np.array([[np.nan, np.nan], [1.0, np.nan]]), axis=1)
    yield rough("nanmax", np.array([[np.nan, np.nan], [1.0, np.nan]]), axis=1)
    yield case("average", M)
    yield case("average", M, weights=POSITIVE, axis=0, returned=True)
    yield case("average", M, axis=1, weights=POSITIVE[0])
    yield case("average", T, axis=(2, 0), weights=np.abs(T[:, 0, :]).T + 0.1, keepdims=True)


def _statistics() -> Iterator[Case]:
    yield case("cov", M)
    yield case("cov", M, rowvar=False, bias=True)
    yield case("cov", V, W, ddof=0)
    yield case("cov", V)
    yield case("cov", COMPLEX)
    yield case("cov", M, fweights=np.array([1, 2, 0, 3, 1], np.int32), aweights=POSITIVE[0])
    yield case("corrcoef", M)
    yield case("corrcoef", V, W)
    yield rough("bincount", SMALL, batched=False, traced=False)
    yield rough("bincount", SMALL, minlength=8, batched=False, traced=False)
    yield rough("bincount", SMALL, length=4, reference=lambda x, length: np.bincount(x)[:length])
    yield case("bincount", SMALL, length=7, weights=np.linspace(0.5, 2, 9), reference=_bincount)
    yield rough("histogram", M)
    yield rough("histogram", M, bins=4, range=(-1.1, 1.7))
    yield rough("histogram", M, LINE)
    yield rough("histogram", M, LINE, density=True)
    yield rough("histogram", WHOLE + 2**24, bins=7)
    yield rough("histogram", WHOLE, bins=5, weights=POSITIVE)
    yield rough("histogram", np.array([0.0, 0.125, 0.25, 0.3, 0.5, 0.75, 0.875, 1.0]), bins=8)
    for rule in ("auto", "sqrt", "sturges", "rice", "scott", "fd", "doane", "stone"):
        yield untraced("histogram", np.arange(30.0) ** 1.5, bins=rule)
        yield untraced("histogram", np.arange(40.0) ** 2 % 37, bins=rule, range=(-3.0, 50.0))
        yield untraced("histogram_bin_edges", RANDOM.integers(0, 40, 100).astype(np.int32), bins=rule)
    yield case("histogram_bin_edges", M, 6)
    yield rough("histogram_bin_edges", M, bins=3, range=(0, 1))
    yield rough("histogram2d", V, W, bins=3, reference=_counts(np.histogram2d))
    yield rough("histogram2d", V, W, bins=(LINE, 4), density=True)
    yield rough("histogram2d", V, W, bins=LINE, weights=POSITIVE[0, :1].repeat(7))
    yield rough(
        "histogramdd",
        T.reshape(8, 3),
        bins=(2, 3, 4),
        range=[(-1, 1), (-2, 2), None],
        reference=_counts(np.histogramdd),
    )
    yield rough("digitize", M, LINE)
    yield rough("searchsorted", LINE, M)


def _bincount(x: Any, length: int, weights: Any) -> Any:
    return np.bincount(x, weights, minlength=length)


def _counts(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy counts in floats where there are several axes."""

    def call(*args: Any, **options: Any) -> Any:
        counts, *edges = function(*args, **options)
        return (counts.astype(int), *edges)

    return call


def _calculus() -> Iterator[Case]:
    yield case("interp", M, LINE, LINE**2)
    yield case("interp", M, LINE, LINE**2, left=-7.3, right=9.7)
    yield case("interp", M, LINE, LINE**2, period=3.1)
    yield case("interp", M, LINE, LINE + 1j * LINE**2)
    yield rough("interp", np.array([-2.0, 0.5, 1.25, 3.0, 4.0, np.nan]), LINE, LINE**2)
    yield rough("interp", V, np.array([0.25]), np.array([3.0]))
    yield case("gradient", V)
    yield case("gradient", M, 0.3)
    yield case("gradient", M, 0.5, LINE, edge_order=2)
    yield case("gradient", T, axis=(2, 1))
    yield case("gradient", V, np.cumsum(np.abs(W)), edge_order=2)
    yield case("trapezoid", M)
    yield case("trapezoid", M, LINE)
    yield case("trapezoid", M, dx=0.3, axis=0)
    yield case("trapezoid", M, np.cumsum(POSITIVE, axis=0), axis=0)
    yield case("ediff1d", M)
    yield case("ediff1d", V, to_begin=np.array([9.0, 8.0]), to_end=1.3)
    yield case("unwrap", 4 * M)
    yield case("unwrap", 9 * M, axis=0, discont=4.0)
    yield case("unwrap", 9 * M, period=3.5)
    yield rough("unwrap", 3 * WHOLE, period=5)
    yield rough("unwrap", 3 * WHOLE, period=6)
    for mode in ("full", "same", "valid"):
        for name in ("convolve", "correlate"):
            yield case(name, V, W[:3], mode)
            yield case(name, W[:4], V, mode)
    yield case("convolve", COMPLEX[0], COMPLEX[1, :3])
    yield case("correlate", COMPLEX[0, :2], COMPLEX[1], "full")
    yield rough("convolve", SMALL, SMALL[:4])


def _polynomials() -> Iterator[Case]:
    yield case("polyval", V, UNIT, tolerance=128)
    yield case("polyval", np.linspace(-1, 1, 80), UNIT, tolerance=512)
    yield rough("polyval", SMALL[:3], J)
    yield case("polyadd", V, W[:3])
    yield case("polysub", W[:3], V)
    yield case("polymul", V, W[:3])
    yield case("polydiv", V, W[:3] + 2, tolerance=512)
    yield case("polydiv", W[:2], V)
    yield case("polyder", V)
    yield case("polyder", V, 3)
    yield case("polyint", V)
    yield case("polyint", V, 2, [3.1, 1.7])
    yield case("poly", V, tolerance=128)
    yield case("poly", S, tolerance=512)
    for cov in (False, True, "unscaled"):
        yield case("polyfit", V, W, 2, cov=cov, tolerance=1e4)
    yield case("polyfit", V, np.stack([W, V * W], 1), 3, cov=True, tolerance=1e5)
    yield case("polyfit", V, W, 2, w=POSITIVE[:2].ravel()[:7], tolerance=1e4)
    yield untraced("roots", np.array([0.0, 0.0, 1.0, -2.0, 1.25, 0.0, 0.0]), tolerance=256)
    yield untraced("roots", np.array([0.0, 0.0]))
    yield case("vander", V)
    yield case("vander", V, 3, increasing=True)
    yield rough("vander", SMALL, 4)


def _products() -> Iterator[Case]:
    yield case("dot", M, K.T)
    yield case("inner", M, K)
    yield case("outer", V, W)
    yield case("cross", T[:, :, :1].repeat(4, 2), T, axis=1)
    yield case("matmul", T, S)
    yield case("tensordot", M, K, axes=((0,), (0,)))
    yield case("trace", S)
    yield case("trace", T, 1)
    yield case("trace", T, 0, 2, 0, np.float64)
    yield case("vecdot", M, K)
    yield case("vector_norm", M, reference=lambda x: np.linalg.norm(x.ravel()))
    yield case("einsum", "ij,kj->ik", M, K)
    yield case("einsum", "ij,kj", M, K, optimize="greedy")
    yield case("kron", M, W[:2])
    yield case("kron", V[:3], T)
    yield case("vdot", COMPLEX, COMPLEX.T.reshape(4, 5))
    yield case("vdot", M, K)
    yield case("matvec", T, S[0])
    yield case("matvec", T, T[:, 0])
    yield case("vecmat", COMPLEX[:, 0], COMPLEX[:, :3])
    yield case("vecmat", T[:, :, 0], T)


def _movement() -> Iterator[Case]:
    yield case("append", V, W)
    yield case("append", M, K[:2], axis=0)
    yield case("append", V, 1.3)
    yield case("array_split", M, 3, axis=1)
    yield case("array_split", V, [2, 5])
    yield case("astype", M, np.float64, reference=lambda x, t: x.astype(t))
    yield case("atleast_1d", V)
    yield case("atleast_2d", V)
    yield case("atleast_3d", M)
    for rank in (1, 2, 3):
        yield case(f"atleast_{rank}d", V, M, 2.5)
    yield case("block", [[M, K], [K, M]])
    yield case("block", [V, 1.5, W])
    yield case("broadcast_arrays", M, V[:5])
    yield case("broadcast_to", V, (3, 7))
    yield case("column_stack", [V, W, M.ravel()[:14].reshape(7, 2)])
    yield case("concat", [M, K], axis=1)
    yield case("concatenate", [M, K], axis=None)
    yield case("copy", M)
    yield case("delete", V, 2)
    yield case("delete", M, [0, -1, 0], axis=1)
    yield case("delete", M, slice(1, None, 2), axis=0)
    yield case("diag", V)
    yield case("diag", S, k=1)
    yield case("diagflat", M[:2, :2], 1)
    yield case("diagonal", S, offset=-1)
    yield case("diagonal", T)
    yield case("diagonal", T, 1, -1, 0)
    yield case("dsplit", T, 2)
    yield case("dstack", [V, W])
    yield case("expand_dims", M, (0, 2))
    for name in ("fliplr", "flipud", "flip"):
        yield case(name, T)
    yield case("hsplit", V, [2, 3])
    yield case("hsplit", M, [1, 4])
    yield case("hstack", [M, K])
    yield case("insert", V, 2, 9.1)
    yield case("insert", V, [1, 1, -1], W[:3])
    yield case("insert", M, 1, V[:4], axis=1)
    yield case("insert", M, [0, 4], K[:2], axis=0)
    yield case("insert", M, slice(1, 4), 0.0, axis=1)
    yield case("matrix_transpose", T)
    yield case("moveaxis", T, 0, -1)
    yield case("permute_dims", T, (2, 0, 1))
    yield case("ravel", M)
    yield case("repeat", M, 2, axis=1)
    yield case("repeat", V[:3], [1, 0, 2])
    yield case("reshape", M, (2, 10))
    yield case("reshape", T, (4, -1), "F")
    yield case("ravel", T, "F")
    yield case("resize", M, (3, 9))
    yield case("resize", M, (2, 2))
    yield case("roll", M, 2, axis=1)
    yield case("rollaxis", T, 2)
    yield case("rollaxis", T, 0, 3)
    for k in range(-1, 3):
        yield case("rot90", T, k, (0, 2))
    yield case("split", M, 2)
    yield case("squeeze", M[:, None])
    yield case("stack", [M, K], axis=1)
    yield case("swapaxes", T, 0, 2)
    yield case("tile", M, (2, 1, 3))
    yield case("transpose", T)
    yield case("roll", T, (1, 2), (0, 2))
    yield case("tril", S, -1)
    yield case("tril", S, k=1)
    yield case("triu", S)
    yield case("trim_zeros", SPARSE, smooth=False, batched=False)
    yield case("trim_zeros", SPARSE, "b", smooth=False, batched=False)
    yield case("unstack", M, axis=1)
    yield case("vsplit", M, 2)
    yield case("vstack", [V, W])


def _pads() -> Iterator[Case]:
    widths = ((2, 1), (0, 3))
    for mode in each("constant edge linear_ramp maximum mean median minimum reflect symmetric wrap"):
        yield case("pad", M, widths, mode=mode)
        yield rough("pad", WHOLE, 2, mode=mode)
        yield case("pad", V, 9, mode=mode)
    yield case("pad", T, {0: (1, 2), -1: 3}, mode="edge")
    for mode, kind in itertools.product(("reflect", "symmetric"), ("odd", "even")):
        yield case("pad", M, ((2, 3), (3, 1)), mode=mode, reflect_type=kind, smooth=kind == "even")
    yield case("pad", M, 1, constant_values=((1.1, 2.3), (3.7, 4.9)))
    yield case("pad", M, 2, mode="linear_ramp", end_values=((5.3, 2.1), (3.3, -4.7)))
    yield case("pad", M, 2, mode="mean", stat_length=((2, 1), (3, 3)))
    yield case("pad", M, 1, mode="empty", reference=lambda x, width, mode: np.pad(x, width))
    yield case("pad", M, ((1, 2), (2, 0)), mode=_pad_with, value=9.7)


def _pad_with(line: Any, widths: Any, axis: int, options: Any) -> None:
    if widths[0]:
        line[: widths[0]] = options["value"]
    if widths[1]:
        line[-widths[1] :] = axis


def _choosing() -> Iterator[Case]:
    yield case("where", B, M, K)
    yield case("select", [B, C], [M, K], 7.1)
    yield case("select", [B], [1.5])
    yield case("piecewise", M, [B, C], [lambda x: x**3, lambda x: x**2, 1.3], reference=_pieces)
    yield case("piecewise", M, [B], [lambda x, a: a * x], 3.0)
    yield case("choose", J % 3, [M, K, 1.7])
    yield rough("choose", J, [M, K, POSITIVE], mode="wrap")
    yield rough("choose", WHOLE, [M, K, POSITIVE], mode="clip")
    yield case("take", M, np.array([0, 3, 1], np.int32), 1)
    yield case("take", M, np.array([0, 3, 1], np.int32), axis=1)
    for mode in each("clip wrap"):
        yield case("take", M, WHOLE[0], 1, mode=mode)
        yield case("take", M, 3 * WHOLE.astype(np.int8), mode=mode)
    yield case("take_along_axis", M, np.argsort(K, axis=1), axis=1)
    yield rough("extract", B, M, batched=False)
    yield rough("compress", B[:, 0], M, axis=0, batched=False)
    for name in ("argwhere", "flatnonzero", "nonzero"):
        yield rough(name, WHOLE, batched=False)
    yield case("getitem", M, (slice(1, 3), 2), reference=lambda x, index: x[index])
    yield case("put", M, np.array([1, -2, 7], np.int32), W[:2], inplace=False, reference=_changed(np.put))
    yield case("put", M, np.array([1, 22, -37], np.int32), V[0], "wrap", inplace=False, reference=_changed(np.put))
    yield case("put", M, np.array([1, 22, -37], np.int32), 0.3, "clip", inplace=False, reference=_changed(np.put))
    yield case("place", M, B, W[:3], inplace=False, reference=_changed(np.place))
    yield case("putmask", M, B, W, inplace=False, reference=_changed(np.putmask))
    yield case(
        "put_along_axis",
        M,
        np.array([[1], [0], [4], [-1]], np.int32),
        K[:, :1],
        1,
        inplace=False,
        reference=_changed(np.put_along_axis),
    )
    yield case("fill_diagonal", M, W[:2], inplace=False, reference=_changed(np.fill_diagonal))
    yield case("fill_diagonal", np.tile(M, (3, 1)), 1.7, True, inplace=False, reference=_changed(np.fill_diagonal))
    yield case("fill_diagonal", RANDOM.normal(size=(3, 3, 3)), 1.7, inplace=False, reference=_changed(np.fill_diagonal))


def _changed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that assigns to its first argument, made one that gives another array."""

    def call(x: Any, *args: Any, inplace: bool) -> Any:
        result = np.array(x)
        function(result, *args)
        return result

    return call


def _pieces(x: Any, tests: Any, functions: Any) -> Any:
    return np.piecewise(x, [tests[0], tests[1]], functions)


def _sorting() -> Iterator[Case]:
    yield case("sort", M, axis=0)
    yield rough("argsort", M)
    yield rough("sort_complex", COMPLEX)
    yield rough("lexsort", [WHOLE, J])
    yield rough("partition", M, 2, reference=lambda x, k: np.sort(x))
    yield rough("argpartition", M, 2, reference=lambda x, k: np.argsort(x))
    yield case("top_k", M, 2, reference=lambda x, k: (-np.sort(-x)[:, :k], np.argsort(-x)[:, :k]))
    for name in ("unique", "unique_all", "unique_counts", "unique_inverse"):
        yield rough(name, WHOLE, batched=False)
    for axis in (0, 1, -1):
        everything: dict[str, Any] = {"return_index": True, "return_inverse": True, "return_counts": True}
        yield rough("unique", SMALL[:8].reshape(2, 2, 2) % 2, axis=axis, batched=False)
        yield rough("unique", (np.arange(24) // 3 % 4).reshape(6, 4), axis=axis, batched=False, **everything)
    yield rough("unique", np.array([[np.nan, 1], [0, 1], [np.nan, 1], [0, 1]]), axis=0, batched=False)
    yield rough("unique_values", WHOLE, batched=False, reference=np.unique)
    for name in ("intersect1d", "setdiff1d", "setxor1d", "union1d"):
        yield rough(name, WHOLE, J, batched=False)
    for name in ("intersect1d", "setdiff1d", "setxor1d"):
        yield rough(name, np.array([5, 1, 9, 2]), np.array([2, 7, 5]), assume_unique=True, batched=False)
    yield rough("setxor1d", np.array([np.nan, 1.0, 3.0]), np.array([2.0, 1.0, np.nan]), batched=False)
    yield rough("intersect1d", WHOLE, J, return_indices=True, batched=False)
    yield rough("isin", WHOLE, J[0])
    yield rough("isin", WHOLE, J[0], assume_unique=True, invert=True)
    yield case("sort", M, 0, kind="stable")
    yield rough("argsort", WHOLE, kind="stable")


def _creation() -> Iterator[Case]:
    for name in ("array", "asarray"):
        yield case(name, M, np.float64)
    yield case("array", M)
    yield case("asarray", M)
    yield untraced("from_dlpack", M)
    yield rough("arange", 2, 9, 3)
    yield rough("eye", 3, 4, k=1)
    yield rough("identity", 3)
    for name in ("zeros", "ones"):
        yield rough(name, (2, 3))
    for name in ("zeros_like", "ones_like"):
        yield rough(name, M)
    yield rough("empty", (2, 3), reference=np.zeros)
    yield rough("empty_like", M, reference=np.zeros_like)
    yield case("full", (2, 7), V)
    yield rough("full_like", M, 1.5)
    yield case("linspace", V, W, 5)
    yield case("linspace", V, W, 4, endpoint=False, retstep=True, axis=1)
    yield rough("linspace", 0, 1)
    yield rough("zeros", 3, np.int32)
    yield rough("full", 3, 2, np.float64)
    yield case("logspace", UNIT, 1.3, 4)
    yield case("logspace", 1.0, UNIT[0], 4, base=2.3, axis=1, endpoint=False)
    yield case("geomspace", POSITIVE, 7.1, 4)
    yield case("geomspace", ABOVE[0], POSITIVE[1], 4, endpoint=False, axis=1)
    yield case("geomspace", COMPLEX[0], COMPLEX[1], 3)
    yield rough("geomspace", -1, -1000, 4)
    yield case("meshgrid", V, W, indexing="ij")
    yield case("meshgrid", V, W, M[0], sparse=True)
    for name in each("bartlett blackman hamming hanning"):
        yield rough(name, 9, tolerance=128)
    yield rough("kaiser", 9, 8.6, tolerance=256)
    yield rough("tri", 3, 4, 1)
    yield rough("frombuffer", M.astype(np.float32).tobytes(), np.float32)
    yield rough("frombuffer", BYTES.tobytes(), np.uint8, 4, 2)
    yield rough("fromiter", [1.5, 2.5, 3.5], np.float32, 2)
    yield rough("fromfunction", lambda i, j: i * 2 + j, (3, 4))
    yield rough("indices", (2, 3))
    yield rough("indices", (2, 3), sparse=True)
    yield rough("ix_", SMALL, SMALL[:3])
    yield rough("ix_", [0, 2], [True, False, True])
    for name in ("tril_indices", "triu_indices"):
        yield rough(name, 4, 1, 3)
        yield rough(f"{name}_from", S, -1)
    yield rough("diag_indices", 3, 3)
    yield rough("diag_indices_from", S)
    yield rough("mask_indices", 4, np.triu, 1)
    yield untraced("mask_indices", 4, rnp.tril, 1, reference=lambda n, f, k: np.tril_indices(n, k))
    yield rough("unravel_index", SMALL, (3, 4))
    yield rough("unravel_index", SMALL, (3, 4), order="F")
    yield rough("ravel_multi_index", (SMALL, SMALL), (5, 6), order="F")
    yield rough("ravel_multi_index", (SMALL, SMALL), (5, 6))
    yield rough("ravel_multi_index", (SMALL + 2, SMALL - 2), (5, 4), ("wrap", "clip"))


def _bits_and_questions() -> Iterator[Case]:
    yield rough("packbits", B)
    yield rough("packbits", WHOLE, axis=1, bitorder="little")
    yield rough("unpackbits", BYTES)
    yield rough("unpackbits", BYTES, axis=0, count=20, bitorder="little")
    yield rough("unpackbits", BYTES, axis=1, count=-3)
    yield rough("array_equal", NANS, NANS)
    yield rough("array_equal", NANS, NANS, equal_nan=True)
    for name in ("allclose", "array_equal", "array_equiv"):
        yield rough(name, M, M)
    yield rough("array_equiv", M, M[0])
    yield case("ndim", T, smooth=False, batched=False, traced=False)
    yield untraced("size", T, 1)
    yield untraced("shape", T)
    yield untraced("isscalar", 3.0)
    yield untraced("isscalar", "text", reference=lambda x: False)
    yield untraced("iterable", T)
    yield untraced("iterable", 3)
    yield untraced("iscomplexobj", COMPLEX)
    yield untraced("isrealobj", COMPLEX)
    yield untraced("broadcast_shapes", (2, 1), (3,))
    yield case("apply_along_axis", lambda x, n: x[:n] * x.sum(), 1, M, 3)
    yield case("apply_along_axis", lambda x: (x * x).sum(), 0, T)
    yield case("apply_along_axis", lambda x: x[:, None] * x, 1, T)
    yield case("apply_over_axes", lambda x, axis: x.sum(axis=axis), T, (0, 2))


CASES: tuple[Case, ...] = tuple(
    itertools.chain(
        _elementwise(),
        _more_elementwise(),
        _reductions(),
        _statistics(),
        _calculus(),
        _polynomials(),
        _products(),
        _movement(),
        _pads(),
        _choosing(),
        _sorting(),
        _creation(),
        _bits_and_questions(),
    )
)

ELSEWHERE: dict[str, str] = {
    "__array_api_version__": "a constant",
    "__array_namespace_info__": "tests/frontend/test_numpy_promote.py",
    "array_repr": "text, in test_numpy_rest.py",
    "array_str": "text, in test_numpy_rest.py",
    "c_": "in brackets, in test_numpy_rest.py",
    "can_cast": "tests/frontend/test_numpy_promote.py",
    "finfo": "tests/frontend/test_numpy_promote.py",
    "iinfo": "tests/frontend/test_numpy_promote.py",
    "issubdtype": "kinds, in test_numpy_rest.py",
    "index_exp": "in brackets, in test_numpy_rest.py",
    "isdtype": "tests/frontend/test_numpy_promote.py",
    "mgrid": "in brackets, in test_numpy_rest.py",
    "ndarray": "the class of arrays",
    "ogrid": "in brackets, in test_numpy_rest.py",
    "promote_types": "kinds, in test_numpy_rest.py",
    "r_": "in brackets, in test_numpy_rest.py",
    "result_type": "tests/frontend/test_numpy_promote.py",
    "s_": "in brackets, in test_numpy_rest.py",
    "vectorize": "a function of functions, in test_numpy_rest.py",
}
"""The names that no call here has, and where they are tested instead."""

KINDS = {name for name in rnp.__all__ if isinstance(getattr(rnp, name), type) and name != "ndarray"}
CONSTANTS = {"e", "euler_gamma", "inf", "nan", "newaxis", "pi"}
MODULES = {name for name in rnp.__all__ if isinstance(getattr(rnp, name), ModuleType)}
TYPES = {name for name in rnp.__all__ if type(getattr(rnp, name)).__name__ == "DType"}
