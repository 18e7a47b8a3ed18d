"""Every op on the CPU backend, over the samples in tests/samples, against its NumPy meaning."""

from __future__ import annotations

import numpy as np
import pytest

from rosin.ir.interpret import evaluate
from rosin.ir.op import Fold, Op, Push, Running
from rosin.ir.ops.arithmetic import Clamp, Extreme
from rosin.runtime.compile_path import compile_graph
from tests.samples import Array, Sample, all_samples, applied, finfo, spread, type_of, wide
from tests.samples.matrix import canonical


def _spacing(x: Array, info: object) -> Array:
    """The distance between neighbours of a float type at numbers given in f64."""
    _, exponents = np.frexp(np.where(np.isfinite(x), x, 1.0))
    least = float(info.smallest_subnormal)  # type: ignore[attr-defined]
    return np.maximum(np.ldexp(float(info.eps), exponents - 1), least)  # type: ignore[attr-defined]


def _sign_of_zero_is_stated(op: Op) -> bool:
    """Whether the op says which zero it gives: sums start from +0, and extremes take either of +0 and -0."""
    return not isinstance(op, Fold | Running | Push | Extreme | Clamp)


def assert_agrees(actual: Array, expected: Array, sample: Sample) -> None:
    """The same type; the same integers, infinities and NaNs; floats within the sample's tolerance."""
    dtype = type_of(expected).dtype
    assert type_of(actual) == type_of(expected)
    if dtype.is_complex:
        _assert_agrees_in_the_plane(actual, expected, sample)
        return
    if not dtype.is_float:
        np.testing.assert_array_equal(actual, expected)
        return
    with np.errstate(invalid="ignore"):  # A signalling NaN says so when it is converted.
        x, y = actual.astype(np.float64), expected.astype(np.float64)
    np.testing.assert_array_equal(np.isnan(x), np.isnan(y), "NaN in other places")
    finite = np.isfinite(y)
    np.testing.assert_array_equal(np.where(finite | np.isnan(y), 0, x), np.where(finite | np.isnan(y), 0, y))
    with np.errstate(invalid="ignore"):
        distance = np.where(finite, np.abs(x - y), 0.0)
        allowed = sample.ulps * _spacing(y, finfo(dtype)) + sample.atol
    worst = np.argmax(distance / np.maximum(allowed, 1e-320)) if y.size else 0
    message = f"{x.ravel()[worst]!r} instead of {y.ravel()[worst]!r} at {worst}" if y.size else ""
    assert np.all(distance <= allowed), f"{message}, beyond {sample.ulps} ulps"
    if _sign_of_zero_is_stated(sample.op):
        both_zero = (x == 0) & (y == 0)
        wrong = both_zero & (np.signbit(x) != np.signbit(y))
        np.testing.assert_array_equal(wrong, False, "zeros of the other sign")


def _assert_agrees_in_the_plane(actual: Array, expected: Array, sample: Sample) -> None:
    """The same NaNs and infinities; other complex numbers within the tolerance, measured by their distance."""
    x, y = wide(actual), wide(expected)
    np.testing.assert_array_equal(np.isnan(x), np.isnan(y), "NaN in other places")
    finite = np.isfinite(y)
    np.testing.assert_array_equal(np.isfinite(x), finite, "infinities in other places")
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.where(finite, np.abs(x - y), 0.0)
        size = np.where(finite, np.maximum(np.abs(y.real), np.abs(y.imag)), 1.0)
    allowed = sample.ulps * _spacing(size, finfo(type_of(expected).dtype)) + sample.atol
    worst = np.argmax(distance / np.maximum(allowed, 1e-320)) if y.size else 0
    message = f"{x.ravel()[worst]!r} instead of {y.ravel()[worst]!r} at {worst}" if y.size else ""
    assert np.all(distance <= allowed), f"{message}, beyond {sample.ulps} ulps"


@pytest.mark.parametrize("sample", spread(all_samples()))
def test_llvm_agrees_with_the_meaning(sample: Sample) -> None:
    graph = applied(sample.op, sample.types)
    before = [x.copy() for x in sample.operands]
    results = compile_graph(graph, "llvm")(*sample.operands)
    assert all(x.flags.c_contiguous for x in results)
    both = (canonical(sample.op, found) for found in (results, evaluate(graph, sample.operands)))
    for actual, expected in zip(*both, strict=True):
        assert_agrees(actual, expected, sample)
    for operand, copy in zip(sample.operands, before, strict=True):
        assert operand.tobytes() == copy.tobytes(), "an operand was overwritten"
