"""Factors and spectra of small matrices that are hard on an algorithm, in stacks, which native code does in lanes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType, f32, f64
from rosin.ir.op import Op
from rosin.ir.ops.matrices import Eigh, Qr, Svd
from rosin.runtime.compile_path import compile_graph
from tests.samples import Array, draw, type_of

COUNT = 19
"""Matrices of a stack: more than lanes, and no multiple of these."""

over_types = pytest.mark.parametrize("dtype", [f32, f64], ids=str)


def run(op: Op, a: Array) -> list[Array]:
    b = Builder()
    return [x.astype(np.longdouble) for x in compile_graph(b.graph(b.node(op, b.input(type_of(a)))))(a)]


def _plain(m: int, n: int) -> Array:
    return draw(f64, (COUNT, m, n), -1, 1, seed=f"lanes {m} {n}")


def _spectrum(m: int, n: int, values: Callable[[Array], Array]) -> Array:
    k = min(m, n)
    u, v = (np.linalg.qr(_plain(size, size))[0][:, :, :k] for size in (m, n))
    # Symmetric where it can be.
    v = u if m == n else v
    return u @ (values(np.arange(k))[:, None] * np.swapaxes(v, -1, -2))


def _columns(m: int, n: int) -> Array:
    return _plain(m, n) * 10.0 ** (-3 * np.arange(n))


def _hilbert(m: int, n: int) -> Array:
    return np.broadcast_to(1 / (np.arange(m)[:, None] + np.arange(n) + 1.0), (COUNT, m, n)).copy()


KINDS: dict[str, Callable[[int, int], Array]] = {
    "plain": _plain,
    "equal": lambda m, n: _spectrum(m, n, lambda k: np.where(k % 2, 1.0, 2.0)),
    "graded": lambda m, n: _spectrum(m, n, lambda k: 10.0**-k),
    "zero": lambda m, n: np.zeros((COUNT, m, n)),
    "ones": lambda m, n: np.ones((COUNT, m, n)),
    "unit": lambda m, n: np.broadcast_to(np.eye(m, n), (COUNT, m, n)).copy(),
    "rank one": lambda m, n: _plain(m, n)[:, :, :1] @ _plain(m, n)[:, :1, :],
    "whole numbers": lambda m, n: np.round(_plain(m, n) * 2),
    "columns of unlike size": _columns,
    "Hilbert's": _hilbert,
}
SIZES = ((1, 1), (2, 2), (5, 5), (17, 17), (9, 3), (3, 9), (32, 12))
over_kinds = pytest.mark.parametrize("kind", KINDS)


def assert_small(error: Array, dtype: DType, size: int) -> None:
    assert float(np.abs(error).max()) <= 8 * size * float(dtype.epsilon)


def assert_orthonormal(x: Array, dtype: DType) -> None:
    """Columns are."""
    assert_small(np.swapaxes(x, -1, -2) @ x - np.eye(x.shape[-1]), dtype, x.shape[-2])


def scales(a: Array, dtype: DType) -> list[float]:
    """1, and scales at which squares overflow, or vanish."""
    far = 120.0 if dtype == f32 else 1015.0
    return [1.0, 2.0**far / 32, 2.0**-far]


@pytest.mark.thinned(2)
@over_types
@over_kinds
def test_singular_vectors(dtype: DType, kind: str) -> None:
    for m, n in SIZES:
        plain = KINDS[kind](m, n).astype(dtype.numpy)
        k, size = min(m, n), max(m, n)
        wanted = np.linalg.svd(plain.astype(np.float64), compute_uv=False)
        for scale in scales(plain, dtype):
            a = (plain * scale).astype(dtype.numpy)
            scaled = a.astype(np.longdouble) / scale
            most = max(1.0, float(np.linalg.norm(scaled[0])))
            for full in (False, True):
                u, s, vh = run(Svd(full, True), a)
                assert_small((u[..., :k] * (s / scale)[:, None, :] @ vh[:, :k, :] - scaled) / most, dtype, size)
                assert_orthonormal(u, dtype)
                assert_orthonormal(np.swapaxes(vh, -1, -2), dtype)
                assert np.all(np.diff(s) <= 0)
            (s,) = run(Svd(False, False), a)
            assert_small((s / scale - wanted) / most, dtype, size)


@pytest.mark.thinned(2)
@over_types
@over_kinds
def test_eigenvectors(dtype: DType, kind: str) -> None:
    for n in (1, 2, 5, 17, 32):
        plain = KINDS[kind](n, n).astype(dtype.numpy)
        plain = (plain + np.swapaxes(plain, -1, -2)) / 2
        wanted = np.linalg.eigvalsh(plain.astype(np.float64))
        for scale in scales(plain, dtype):
            a = (plain * scale).astype(dtype.numpy)
            scaled = a.astype(np.longdouble) / scale
            most = max(1.0, float(np.linalg.norm(scaled[0])))
            w, v = run(Eigh(True), a)
            assert_small((scaled @ v - v * (w / scale)[:, None, :]) / most, dtype, n)
            assert_orthonormal(v, dtype)
            assert np.all(np.diff(w) >= 0)
            (w,) = run(Eigh(False), a)
            assert_small((w / scale - wanted) / most, dtype, n)


@pytest.mark.thinned(2)
@over_types
@over_kinds
def test_orthogonal_factors(dtype: DType, kind: str) -> None:
    for m, n in SIZES:
        plain = KINDS[kind](m, n).astype(dtype.numpy)
        for scale in scales(plain, dtype):
            a = (plain * scale).astype(dtype.numpy)
            scaled = a.astype(np.longdouble) / scale
            most = max(1.0, float(np.linalg.norm(scaled[0])))
            for complete in (False, True):
                q, r = run(Qr(complete), a)
                assert_small((q @ (r / scale) - scaled) / most, dtype, max(m, n))
                assert_orthonormal(q, dtype)
                np.testing.assert_array_equal(r, np.triu(r))


@over_types
def test_one_matrix_that_is_not_finite_leaves_the_others(dtype: DType) -> None:
    a = _plain(6, 6).astype(dtype.numpy)
    alone = {op: run(op, a) for op in (Eigh(True), Svd(True, True))}
    a[3, 2, 1], a[7, 5, 5] = np.nan, np.inf
    others = [i for i in range(COUNT) if i not in (3, 7)]
    for op, known in alone.items():
        for x, y in zip(run(op, a), known, strict=True):
            np.testing.assert_array_equal(x[others], y[others])
            assert np.isnan(x[[3, 7]]).all()
