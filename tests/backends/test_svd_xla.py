"""Singular values by rotations, the algorithm of the StableHLO target, in the cases where it could go wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp

pytestmark = pytest.mark.peers


def factors(a: Any, full: bool = True) -> tuple[Any, Any, Any]:
    found = rosin.compile(lambda x: tuple(rnp.linalg.svd(x, full_matrices=full)), target="xla")(rnp.asarray(a))
    u, s, vh = map(np.asarray, found)
    return u, s, vh


def assert_factors(a: Any, full: bool = True) -> None:
    u, s, vh = factors(a, full)
    near = 100 * float(np.finfo(a.dtype).eps)
    k = s.shape[-1]
    np.testing.assert_allclose(s, np.linalg.svd(a, compute_uv=False), rtol=0, atol=near * max(np.max(np.abs(a)), 1e-30))
    np.testing.assert_allclose((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a, atol=near * np.max(np.abs(a)))
    for q in (u, np.swapaxes(vh, -1, -2)):
        unit = np.broadcast_to(np.eye(q.shape[-1]), (*q.shape[:-2], q.shape[-1], q.shape[-1]))
        np.testing.assert_allclose(np.swapaxes(q.conj(), -1, -2) @ q, unit, atol=near)
    assert (np.diff(s, axis=-1) <= 0).all()


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (7, 7), (2, 6, 4), (2, 3, 9), (20, 17)])
def test_factors(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype[0] == "c" else 0)
    assert_factors(a.astype(dtype), full=False)


@pytest.mark.parametrize(
    "a",
    [
        np.zeros((3, 2)),
        np.outer(np.arange(1.0, 6), np.arange(1.0, 5)),
        np.ones((4, 6)),
        np.diag([1.0, 1e-10, 1e-20, 0.0]),
        np.eye(5)[::-1].copy(),
        np.array([[1e200, 2e200], [3e200, -1e200]]),
        np.array([[1e-200, 2e-200], [3e-200, -1e-200]]),
        np.repeat(np.arange(4.0)[:, None], 4, 1) + np.eye(4) * 1e-9,
    ],
    ids=["zeros", "rank-one", "ones", "graded", "turned", "large", "small", "nearly-one"],
)
def test_factors_of_matrices_without_full_rank_or_out_of_the_usual_range(a: Any) -> None:
    assert_factors(a)


def test_small_values_are_as_accurate_as_large_ones() -> None:
    """Where columns are scaled, as those of one-sided rotations may be."""
    a = np.array([[1.0, 0.5], [0.25, 1.0]]) @ np.diag([1.0, 1e-12])
    np.testing.assert_allclose(factors(a)[1], np.linalg.svd(a)[1], rtol=1e-4)


def test_gradients() -> None:
    def nuclear(x: Any) -> Any:
        return rnp.sum(rnp.linalg.svd(x, compute_uv=False))

    a = rnp.asarray(np.random.default_rng(1).normal(size=(4, 3)))
    found = rosin.compile(rosin.grad(nuclear), target="xla")(a)
    np.testing.assert_allclose(found, rosin.grad(nuclear)(a), atol=1e-12)
