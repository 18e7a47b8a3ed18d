"""Samples of every distribution against the distribution functions of SciPy, and their moments."""

from __future__ import annotations

import numpy as np
import pytest

from rosin import random
from tests.frontend.random.draws import CONTINUOUS, DISCRETE, Case, chi_square, kolmogorov_smirnov

N = 20_000
LEAST = 1e-3
"""A p-value that a right sample falls below once in a thousand; with the seeds below, none does."""


@pytest.mark.thinned(4)
@pytest.mark.parametrize("case", CONTINUOUS, ids=str)
@pytest.mark.parametrize(("dtype", "seed"), [("f32", 3), ("f64", 4)])
def test_continuous(case: Case, dtype: str, seed: int) -> None:
    sample = case.draw(random.key(seed), (N,), dtype)
    assert str(sample.dtype) == dtype
    numbers = np.asarray(case.part(sample))
    assert numbers.shape == (N,)
    assert np.isfinite(numbers).all()
    assert kolmogorov_smirnov(numbers, case.distribution) > LEAST


@pytest.mark.thinned(2)
@pytest.mark.parametrize("case", DISCRETE, ids=str)
@pytest.mark.parametrize("seed", [3, 4])
def test_discrete(case: Case, seed: int) -> None:
    sample = case.part(case.draw(random.key(seed), (N,), "i32"))
    assert chi_square(sample, case.distribution) > LEAST


def test_the_tests_of_samples_find_what_is_wrong() -> None:
    normal, poisson = CONTINUOUS[1], next(c for c in DISCRETE if c.name == "poisson 4.0")
    assert kolmogorov_smirnov(np.asarray(normal.draw(random.key(3), (N,), "f64")) * 1.1, normal.distribution) < LEAST
    assert chi_square(random.poisson(random.key(3), 4.4, (N,)), poisson.distribution) < LEAST


@pytest.mark.parametrize("lam", [0.5, 200.0, 1e9])
def test_moments_of_counts(lam: float) -> None:
    """Sums over many draws are normal: their mean and variance within five standard errors."""
    sample = np.asarray(random.poisson(random.key(8), lam, (N,), "i64")).astype(np.float64)
    assert abs(sample.mean() - lam) < 5 * np.sqrt(lam / N)
    fourth = lam + 3 * lam * lam
    assert abs(sample.var() - lam) < 5 * np.sqrt((fourth - lam * lam) / N)


def test_vectors() -> None:
    key = random.key(11)
    shares = np.asarray(random.dirichlet(key, np.array([1.0, 2.0, 5.0]), (N,)))
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-12)
    np.testing.assert_allclose(shares.mean(0), [1 / 8, 2 / 8, 5 / 8], atol=0.006)
    counts = np.asarray(random.multinomial(key, 50, np.array([2.0, 0.0, 6.0]), shape=(N,)))
    assert (counts.sum(-1) == 50).all()
    assert not counts[:, 1].any()
    np.testing.assert_allclose(
        np.cov(counts[:, 0], counts[:, 2]), 50 * 3 / 16 * np.array([[1, -1], [-1, 1]]), rtol=0.05
    )
    inside = np.asarray(random.ball(key, 4, 3.0, (N,)))
    assert (np.sum(np.abs(inside) ** 3, -1) <= 1 + 1e-6).all()


@pytest.mark.parametrize("dtype", ["c64", "c128"])
def test_complex(dtype: str) -> None:
    key = random.key(5)
    normal = np.asarray(random.normal(key, N, dtype))
    assert normal.dtype == {"c64": np.complex64, "c128": np.complex128}[dtype]
    assert abs(np.mean(np.abs(normal) ** 2) - 1) < 0.04
    assert abs(np.mean(normal.real * normal.imag)) < 0.02
    for part in (normal.real, normal.imag):
        assert kolmogorov_smirnov(part * np.sqrt(2), CONTINUOUS[1].distribution) > LEAST
    uniform = np.asarray(random.uniform(key, N, dtype, -2, 5))
    for part in (uniform.real, uniform.imag):
        assert kolmogorov_smirnov(part, CONTINUOUS[0].distribution) > LEAST
    assert abs(np.corrcoef(uniform.real, uniform.imag)[0, 1]) < 0.03


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
@pytest.mark.parametrize("name", ["exponential", "gumbel", "laplace", "logistic", "maxwell"])
def test_narrow_types_are_rounded_from_f32(name: str, dtype: str) -> None:
    draw, key = getattr(random, name), random.key(2)
    sample = draw(key, 1000, dtype)
    assert str(sample.dtype) == dtype
    rounded = np.asarray(draw(key, 1000)).astype(np.asarray(sample).dtype)
    assert np.asarray(sample).tobytes() == rounded.tobytes()
