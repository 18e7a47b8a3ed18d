"""Two-sample tests: samples of one distribution pass, others do not, and the numbers are those of the definitions."""

from __future__ import annotations

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import metrics


def samples(count: int, features: int, shift: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (count, features)
    return rng.standard_normal(shape).astype(np.float32), (rng.standard_normal(shape) + shift).astype(np.float32)


def test_the_discrepancy_is_that_of_the_definition() -> None:
    x, y = samples(13, 3, 0.5)
    y = y[:11]
    both = np.concatenate([x, y]).astype(np.float64)
    distances = np.sqrt(((both[:, None] - both[None]) ** 2).sum(-1))
    width = np.median(distances[~np.eye(24, dtype=bool)])
    total = {"xx": 0.0, "yy": 0.0, "xy": 0.0}
    for i in range(24):
        for j in range(24):
            if i != j:
                pair = "xx" if max(i, j) < 13 else "yy" if min(i, j) >= 13 else "xy"
                total[pair] += np.exp(-(distances[i, j] ** 2) / (2 * width**2))
    expected = total["xx"] / (13 * 12) + total["yy"] / (11 * 10) - total["xy"] / (13 * 11)
    assert float(rosin.compile(metrics.mmd)(x, y)) == pytest.approx(expected, rel=1e-4)
    narrow = float(metrics.mmd(rnp.asarray(x), rnp.asarray(y), bandwidth=0.5))
    wide = float(metrics.mmd(rnp.asarray(x), rnp.asarray(y), bandwidth=float(width)))
    assert wide == pytest.approx(expected, rel=1e-4)
    assert narrow != pytest.approx(expected, rel=1e-2)


def test_the_test_tells_a_shift_and_lets_pass_what_has_none() -> None:
    test = rosin.compile(lambda key, x, y: metrics.mmd_test(key, x, y, permutations=199))
    apart = test(rosin.random.key(0), *samples(60, 4, 0.6))
    assert float(apart.p_value) == pytest.approx(1 / 200)
    assert float(apart.value) > 0.02
    # Under the hypothesis p is spread evenly from 0 to 1.
    found = [float(test(rosin.random.key(1), *samples(60, 4, seed=seed)).p_value) for seed in range(1, 25)]
    assert 0.3 < np.mean(found) < 0.7
    assert min(found) < 0.25 < 0.75 < max(found)


def test_nearest_neighbours() -> None:
    near = rosin.compile(metrics.nearest_neighbor_accuracy)
    x, y = samples(101, 5, 6.0)
    assert float(near(x, y)) == 1.0
    x, y = samples(401, 5)
    assert float(near(x, y)) == pytest.approx(0.5, abs=0.06)
    # A sample that repeats the other has its neighbours there.
    assert float(near(x, x + np.float32(1e-3))) < 0.05


def test_frechet_distance_of_normal_samples() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal((20000, 3)) * [1.0, 2.0, 0.5]
    second = rng.standard_normal((20000, 3)) * [2.0, 2.0, 1.5] + [1.0, 0.0, -1.0]
    # Covariances that commute: the distance is that of the means and of the deviations.
    assert float(metrics.frechet_distance(rnp.asarray(first), rnp.asarray(second))) == pytest.approx(4.0, rel=0.05)
    assert float(metrics.frechet_distance(rnp.asarray(first), rnp.asarray(first))) == pytest.approx(0, abs=1e-6)


@pytest.mark.peers
def test_frechet_distance_is_that_of_matrix_square_roots() -> None:
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((50, 6)) @ rng.standard_normal((6, 6)), rng.standard_normal((40, 6)) + 0.3
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * np.real(np.asarray(sqrtm(a @ b))))
    assert float(metrics.frechet_distance(rnp.asarray(x), rnp.asarray(y))) == pytest.approx(expected, rel=1e-9)


def test_inception_score() -> None:
    sure = np.repeat(np.eye(4, dtype=np.float32) * 60, 5, axis=0)
    start = metrics.InceptionScore.of(4)
    assert float(start.update(rnp.asarray(sure)).compute()) == pytest.approx(4, rel=1e-5)
    assert float(start.update(rnp.asarray(sure[:5])).compute()) == pytest.approx(1, rel=1e-5)
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((30, 4)).astype(np.float32)
    p = np.exp(scores.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    expected = np.exp((p * np.log(p / p.mean(axis=0))).sum(axis=1).mean())
    in_parts = start.update(rnp.asarray(scores[:10])).update(rnp.asarray(scores[10:]))
    assert float(in_parts.compute()) == pytest.approx(expected, rel=1e-5)
    padded = np.concatenate([scores, np.full((2, 4), np.nan, np.float32)])
    masked = start.update(rnp.asarray(padded), rnp.arange(32) < 30)
    assert float(masked.compute()) == pytest.approx(expected, rel=1e-5)


def test_samples_that_do_not_go_together() -> None:
    x = rnp.ones((5, 3))
    for function in (metrics.mmd, metrics.frechet_distance):
        with pytest.raises(metrics.MetricError, match=r"of one size, not \(5, 3\) and \(5, 4\)"):
            function(x, rnp.ones((5, 4)))
        with pytest.raises(metrics.MetricError, match=r"two or more examples .* not \(5, 3\) and \(1, 3\)"):
            function(x, rnp.ones((1, 3)))
    with pytest.raises(metrics.MetricError, match=r"nearest_neighbor_accuracy: .* not \(5, 3\) and \(4, 3\)"):
        metrics.nearest_neighbor_accuracy(x, rnp.ones((4, 3)))
