"""Correlated normal numbers and orthogonal matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats

import rosin
from rosin import numpy as rnp
from rosin import random
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.random.draws import kolmogorov_smirnov

KEY = random.key(13)
MEAN = np.array([1.0, 2.0, 3.0])
COV = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 0.7]])


@pytest.mark.parametrize("method", ["cholesky", "eigh", "svd"])
def test_multivariate_normal(method: str) -> None:
    sample = np.asarray(random.multivariate_normal(KEY, MEAN, COV, (20_000,), method=method))
    assert sample.dtype == np.float64
    # The squared distances from the mean, as the covariance measures them, are chi-square numbers.
    centred = sample - MEAN
    distances = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(COV), centred)
    assert kolmogorov_smirnov(distances, scipy.stats.chi2(3)) > 1e-3
    direction = np.array([1.0, -1.0, 2.0])
    deviation = np.sqrt(direction @ COV @ direction)
    assert kolmogorov_smirnov(sample @ direction, scipy.stats.norm(direction @ MEAN, deviation)) > 1e-3


def test_multivariate_normal_of_many() -> None:
    means, covs = np.stack([MEAN, -MEAN]), np.stack([COV, 2 * COV])
    assert random.multivariate_normal(KEY, means, COV).shape == (2, 3)
    assert random.multivariate_normal(KEY, MEAN, covs, (5, 2), "f32").shape == (5, 2, 3)
    assert random.multivariate_normal(KEY, MEAN, covs, (5, 2), "f32").dtype == rosin.float32
    singular = np.array([[1.0, 1.0], [1.0, 1.0]])
    for method in ("eigh", "svd"):
        sample = np.asarray(random.multivariate_normal(KEY, np.zeros(2), singular, (100,), method=method))
        np.testing.assert_allclose(sample[:, 0], sample[:, 1], atol=1e-7)
    assert np.isnan(np.asarray(random.multivariate_normal(KEY, np.zeros(2), -singular))).any()


def test_derivatives_by_mean_and_covariance() -> None:
    def draw(mean: Any, cov: Any) -> Any:
        return random.multivariate_normal(KEY, mean, cov, (4,))

    direction = np.array([[0.3, 0.1, 0.0], [0.1, -0.2, 0.2], [0.0, 0.2, 0.1]])
    found = np.asarray(rosin.jvp(draw, (MEAN, COV), (2 * MEAN, direction))[1])
    step = 1e-6
    ends = [np.asarray(draw(MEAN + s * step * 2 * MEAN, COV + s * step * direction)) for s in (1, -1)]
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", ["f32", "f64", "c64", "c128"])
def test_orthogonal(dtype: str) -> None:
    for n, m in ((3, 3), (4, 2), (2, 4), (1, 1), (0, 0)):
        q = np.asarray(random.orthogonal(KEY, n, (5,), dtype, m))
        assert q.shape == (5, n, m)
        inner = np.swapaxes(q, -1, -2).conj() @ q if n >= m else q @ np.swapaxes(q, -1, -2).conj()
        near = 1e-5 if dtype in ("f32", "c64") else 1e-13
        np.testing.assert_allclose(inner, np.broadcast_to(np.eye(min(n, m)), inner.shape), atol=near)


def test_orthogonal_matrices_are_uniform() -> None:
    """A number of a uniform unit vector in three dimensions is uniform, and as many turn as mirror."""
    q = np.asarray(random.orthogonal(KEY, 3, (5000,), "f64"))
    for row, column in ((0, 0), (1, 1), (2, 2), (0, 2)):
        assert kolmogorov_smirnov(q[:, row, column], scipy.stats.uniform(-1, 2)) > 1e-3
    assert abs(np.mean(np.linalg.det(q) > 0) - 0.5) < 0.03
    # The phase of a number of a uniform unitary matrix is uniform.
    unitary = np.asarray(random.orthogonal(KEY, 2, (5000,), "c128"))
    for place in (0, 1):
        assert kolmogorov_smirnov(np.angle(unitary[:, place, place]), scipy.stats.uniform(-np.pi, 2 * np.pi)) > 1e-3


DRAWS = [lambda k: random.multivariate_normal(k, MEAN, COV, (4,)), lambda k: random.orthogonal(k, 4)]


@pytest.mark.parametrize("draw", DRAWS, ids=["multivariate_normal", "orthogonal"])
def test_the_same_bits(draw: Any) -> None:
    keys = random.split(KEY, 3)
    alone = np.stack([np.asarray(draw(keys[i])) for i in range(3)])
    assert np.asarray(rosin.compile(draw)(keys[0])).tobytes() == alone[0].tobytes()
    for batched in (rosin.vmap(draw), rosin.compile(rosin.vmap(draw))):
        assert np.asarray(batched(keys)).tobytes() == alone.tobytes()


def test_refusals() -> None:
    with pytest.raises(ShapeError, match=r"multivariate_normal: mean is \[..., n\] and cov \[..., n, n\]"):
        random.multivariate_normal(KEY, MEAN, rnp.eye(2))
    with pytest.raises(AttributeValueError, match="the method is one of cholesky, eigh, svd, not 'qr'"):
        random.multivariate_normal(KEY, MEAN, COV, method="qr")
    with pytest.raises(ShapeError, match="axis -1 has sizes 2 and 4"):
        random.multivariate_normal(KEY, np.zeros((2, 3)), np.zeros((4, 3, 3)))
    with pytest.raises(DTypeError, match="orthogonal: gives floats, not i32"):
        random.orthogonal(KEY, 3, dtype="i32")
    with pytest.raises(ShapeError, match="negative"):
        random.orthogonal(KEY, -1)
