"""Random numbers: known answers, distributions, independence, and the same bits in every way of asking for them."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats

import rosin
from rosin import numpy as rnp
from rosin.frontend import random
from rosin.frontend.random import uniforms
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import both, near

ROOT = Path(__file__).parents[3]
N = 20_000


@pytest.fixture
def key() -> Any:
    return random.key(42)


# -- known answers, made once with JAX 0.10.2 (threefry keys, 64-bit types switched on) ------------------------------


def test_keys() -> None:
    near(random.key(42), np.array([0, 42], np.uint32))
    near(random.key(2**40 + 5), np.array([256, 5], np.uint32))
    near(random.key(-1), np.array([2**32 - 1, 2**32 - 1], np.uint32))
    near(random.key(np.int8(-1)), np.array([2**32 - 1, 2**32 - 1], np.uint32))
    near(both(random.key, np.uint64(2**40 + 5))[0], np.array([256, 5], np.uint32))
    near(both(random.key, np.int32(-7))[0], np.asarray(random.key(-7)))
    with pytest.raises(AttributeValueError, match="more than 64 bits"):
        random.key(2**64)
    for bad in (1.5, np.ones(2, np.int32), True):
        with pytest.raises(DTypeError, match="a seed is one integer"):
            random.key(bad)


def test_known_keys(key: Any) -> None:
    expected = [[1832780943, 270669613], [64467757, 2916123636], [2465931498, 255383827]]
    near(random.split(key, 3), np.array(expected, np.uint32))
    near(random.split(key, (3, 1)), np.array(expected, np.uint32)[:, None])
    near(random.fold_in(key, 7), np.array([2547012911, 1371500959], np.uint32))
    near(random.fold_in(key, 1), np.array(expected[1], np.uint32))
    near(random.fold_in(key, -1), np.asarray(random.fold_in(key, 2**32 - 1)))
    near(both(random.fold_in, key, np.int64(7))[0], np.array([2547012911, 1371500959], np.uint32))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("f32", [0.48870957, 0.6797972, 0.6162715, 0.5610161, 0.4506446]),
        ("f64", [0.42672757, 0.01501007, 0.57414442, 0.7298189, 0.68780034]),
        ("f16", [0.0762, 0.1904, 0.9756, 0.757, 0.4492]),
        ("bf16", [0.632812, 0.84375, 0.96875, 0.835938, 0.078125]),
    ],
)
def test_known_uniform_numbers(key: Any, dtype: str, expected: list[float]) -> None:
    own = rnp.zeros(0, dtype=dtype).dtype.numpy
    near(
        both(lambda k: random.uniform(k, 5, dtype), key)[0],
        np.array(expected).astype(own),
        2e-4 if dtype == "f16" else 1e-6,
    )


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda k: random.uniform(k, 3, minval=-3, maxval=5), [0.90967655, 2.4383774, 1.930172]),
        (lambda k: random.normal(k, 5), [-0.02830462, 0.46713185, 0.29570296, 0.15354592, -0.12403282]),
        (lambda k: random.normal(k, 3, "f64"), [-0.18471175, -2.16982456, 0.18693555]),
        (lambda k: random.gumbel(k, 3), [0.3340934, 0.95201945, 0.72553056]),
        (lambda k: random.laplace(k, 3), [0.02283965, -0.44565356, -0.2646729]),
        (lambda k: random.exponential(k, 3), [0.6708175, 1.1388006, 0.95782]),
        (lambda k: random.truncated_normal(k, -1, 2, 3), [0.14770006, 0.5684449, 0.4210255]),
    ],
)
def test_known_numbers(key: Any, draw: Callable[[Any], Any], expected: list[float]) -> None:
    found = both(draw, key)[0]
    np.testing.assert_allclose(np.asarray(found), expected, rtol=2e-6)


# -- distributions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "distribution"),
    [
        (lambda k, d: random.uniform(k, N, d), scipy.stats.uniform()),
        (lambda k, d: random.uniform(k, N, d, -2, 5), scipy.stats.uniform(-2, 7)),
        (lambda k, d: random.normal(k, N, d), scipy.stats.norm()),
        (lambda k, d: random.exponential(k, N, d), scipy.stats.expon()),
        (lambda k, d: random.gumbel(k, N, d), scipy.stats.gumbel_r()),
        (lambda k, d: random.laplace(k, N, d), scipy.stats.laplace()),
        (lambda k, d: random.truncated_normal(k, -1.5, 0.5, N, d), scipy.stats.truncnorm(-1.5, 0.5)),
        (lambda k, d: random.truncated_normal(k, 1, math.inf, N, d), scipy.stats.truncnorm(1, math.inf)),
        (lambda k, d: random.truncated_normal(k, 5, 7, N, d), scipy.stats.truncnorm(5, 7)),
        (lambda k, d: random.truncated_normal(k, -math.inf, -9, N, d), scipy.stats.truncnorm(-math.inf, -9)),
        (lambda k, d: random.truncated_normal(k, rnp.asarray(-3.0), 1, N, d), scipy.stats.truncnorm(-3, 1)),
    ],
)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("seed", [0, 1])
def test_distributions(draw: Callable[..., Any], distribution: Any, dtype: str, seed: int) -> None:
    sample = np.asarray(draw(random.key(seed), dtype))
    assert sample.shape == (N,)
    assert np.isfinite(sample).all()
    assert scipy.stats.kstest(sample, distribution.cdf).pvalue > 1e-3


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_narrow_floats(dtype: str, key: Any) -> None:
    sample = np.asarray(random.normal(key, N, dtype)).astype(np.float64)
    near(random.normal(key, N, dtype), np.asarray(rnp.astype(random.normal(key, N), dtype)))
    assert abs(sample.mean()) < 0.03
    assert abs(sample.std() - 1) < 0.02
    unit = np.asarray(random.uniform(key, N, dtype)).astype(np.float64)
    assert unit.min() >= 0
    assert unit.max() < 1
    assert abs(unit.mean() - 0.5) < 0.01


def test_bounds_hold(key: Any) -> None:
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (1.0, 1.0 + 2**-22), (-3e38, 0.0)):
        sample = np.asarray(random.uniform(key, N, minval=low, maxval=high))
        assert sample.min() >= low
        assert sample.max() <= high
    inside = np.asarray(random.truncated_normal(key, -0.5, 0.25, N))
    assert -0.5 < inside.min() <= inside.max() < 0.25
    rows = random.uniform(key, (2, 1000), minval=np.array([[0.0], [10.0]], np.float32), maxval=20)
    assert np.asarray(rows)[1].min() >= 10
    with pytest.raises(ShapeError, match=r"uniform: shape \[3\] does not broadcast to \[2\]"):
        random.uniform(key, 2, minval=np.zeros(3))


def test_bernoulli(key: Any) -> None:
    chances = np.array([0.0, 0.1, 0.5, 1.0], np.float32)
    drawn = np.asarray(both(lambda k, p: random.bernoulli(k, p, (N, 4)), key, chances)[0])
    assert drawn.dtype == bool
    np.testing.assert_allclose(drawn.mean(0), chances, atol=0.015)
    assert drawn[:, 0].sum() == 0
    assert drawn[:, 3].all()
    assert random.bernoulli(key, chances).shape == (4,)
    assert random.bernoulli(key).shape == ()


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("i32", 0, 10), ("i32", -3, 4), ("i8", -128, 128), ("u8", 5, 8), ("i64", -7, 13), ("u64", 2**63, 2**63 + 5),
     ("i32", -(2**31), 2**31), ("i64", -(2**63), 2**63), ("u64", 0, 2**64), ("i64", -(2**62), 2**62 + 12345)],
)  # fmt: skip
def test_randint(dtype: str, low: int, high: int, key: Any) -> None:
    drawn = np.asarray(both(lambda k: random.randint(k, N, low, high, dtype), key)[0])
    assert drawn.dtype == rnp.zeros(0, dtype=dtype).dtype.numpy
    assert int(drawn.min()) >= low
    assert int(drawn.max()) < high
    share = (drawn.astype(object) - low) * 16 // (high - low) if high - low >= 16 else drawn.astype(object) - low
    counts = np.bincount(share.astype(int), minlength=min(high - low, 16))
    # The bins hold as many integers as each other, up to rounding.
    sizes = np.bincount([i * 16 // (high - low) for i in range(high - low)]) if 16 <= high - low < 1000 else None
    expected = None if sizes is None else sizes / sizes.sum() * N
    assert scipy.stats.chisquare(counts, expected).pvalue > 1e-3


def test_the_high_product_is_exact() -> None:
    numbers = [0, 1, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1, 0x123456789ABCDEF0, 0xFEDCBA9876543210]
    x, y = (np.array(v, np.uint64) for v in zip(*[(a, b) for a in numbers for b in numbers], strict=True))
    expected = [int(a) * int(b) >> 64 for a, b in zip(x, y, strict=True)]
    near(uniforms._high_product(rnp.asarray(x), rnp.asarray(y)), np.array(expected, np.uint64))
    spans = np.minimum(y, np.uint64(2**32))
    expected = [int(a) * int(b) >> 64 for a, b in zip(x, spans, strict=True)]
    near(uniforms._below_32(rnp.asarray(x), rnp.asarray(spans)), np.array(expected, np.uint64))


def test_randint_between_arrays(key: Any) -> None:
    low, high = np.array([0, -5, 7], np.int32), np.array([2, 5, 7], np.int32)
    drawn = np.asarray(both(lambda k, a, b: random.randint(k, (N, 3), a, b), key, low, high)[0])
    assert drawn.min(0).tolist() == [0, -5, 7]
    assert drawn.max(0).tolist() == [1, 4, 7]
    near(random.randint(key, 9, 0, np.int32(6)), np.asarray(random.randint(key, 9, 0, 6)))


def test_randint_refuses(key: Any) -> None:
    with pytest.raises(AttributeValueError, match="no integer from 3 to below 3"):
        random.randint(key, 1, 3, 3)
    with pytest.raises(AttributeValueError, match="256 does not fit u8"):
        random.randint(key, 1, 0, 257, "u8")
    with pytest.raises(DTypeError, match="gives integers, not f32"):
        random.randint(key, 1, 0, 2, "f32")
    with pytest.raises(DTypeError, match="a bound is an integer, not float"):
        random.randint(key, 1, 0, 2.5)


def test_categorical(key: Any) -> None:
    chances = np.array([0.1, 0.0, 0.6, 0.3], np.float32)
    with np.errstate(divide="ignore"):
        logits = np.log(chances) + 3
    drawn = np.asarray(both(lambda k, z: random.categorical(k, z, shape=(N,)), key, logits)[0])
    assert drawn.dtype == np.int32
    counts = np.bincount(drawn, minlength=4)
    assert counts[1] == 0
    assert scipy.stats.chisquare(counts[[0, 2, 3]], chances[[0, 2, 3]] * N).pvalue > 1e-3
    table = np.stack([logits, logits[::-1]], 1)
    assert random.categorical(key, table, axis=0).shape == (2,)
    assert random.categorical(key, table, axis=0, shape=(5, 2)).shape == (5, 2)
    with pytest.raises(ShapeError, match=r"the shape \[5\] does not end in \[2\]"):
        random.categorical(key, table, axis=0, shape=5)
    with pytest.raises(ShapeError, match="no places to choose from"):
        random.categorical(key, np.zeros((2, 0)))


def test_categorical_of_several_lines(key: Any) -> None:
    logits = np.array([[[0.0, 1.0], [-np.inf, 2.0]], [[3.0, -1.0], [0.0, 0.0]]])  # [2, 2 places of each line, 2]
    drawn = np.asarray(random.categorical(key, logits, axis=1, shape=(N, 2, 2)))
    chances = scipy.special.softmax(logits, axis=1)
    for line in np.ndindex(2, 2):
        ones = int(drawn[:, *line].sum())
        chance = chances[line[0], 1, line[1]]
        assert scipy.stats.binomtest(ones, N, chance).pvalue > 1e-3 if chance else ones == 0, line


def test_categorical_of_logits_that_are_not_finite(key: Any) -> None:
    def counts(*logits: float) -> list[int]:
        drawn = random.categorical(key, np.array(logits, np.float32), shape=(1000,))
        return np.bincount(np.asarray(drawn), minlength=3).tolist()

    infinite = counts(np.inf, 0, np.inf)
    assert infinite[1] == 0
    assert min(infinite[0], infinite[2]) > 400
    assert counts(-np.inf, -100, -np.inf) == [0, 1000, 0]


def test_categorical_draws_what_is_less_likely_than_a_float_tells(key: Any) -> None:
    # Of 2**22 places that have half of the probability together, f32 sums would lose many.
    logits = np.zeros(1 << 22, np.float32)
    logits[0] = np.log(len(logits) - 1.0)
    drawn = np.asarray(random.categorical(key, logits, shape=(N,)))
    others = drawn[drawn > 0]
    assert scipy.stats.binomtest(len(others), N, 0.5).pvalue > 1e-3
    assert scipy.stats.kstest(others / len(logits), "uniform").pvalue > 1e-3
    assert others.max() > len(logits) * 0.99


# -- the same bits, however asked for --------------------------------------------------------------------------------

DRAWS: dict[str, Callable[[Any], Any]] = {
    "bits": lambda k: random.bits(k, (3, 2), "u64"),
    "uniform": lambda k: random.uniform(k, (3, 2)),
    "normal": lambda k: random.normal(k, (3, 2)),
    "randint": lambda k: random.randint(k, (3, 2), 0, 100),
    "randint64": lambda k: random.randint(k, (3, 2), 0, 100, "i64"),
    "split": lambda k: random.split(k, 5),
    "fold_in": lambda k: random.fold_in(k, 5),
    "categorical": lambda k: random.categorical(k, np.zeros((3, 4), np.float32)),
    "truncated": lambda k: random.truncated_normal(k, -1, 1, (3, 2)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_under_vmap(name: str, key: Any) -> None:
    draw, keys = DRAWS[name], random.split(key, 4)
    together = np.asarray(rosin.vmap(draw)(keys))
    alone = [np.asarray(draw(keys[i])) for i in range(4)]
    assert together.tobytes() == np.stack(alone).tobytes()
    compiled = np.asarray(rosin.compile(rosin.vmap(draw))(keys))
    near(compiled, together)
    nested = rosin.vmap(rosin.vmap(draw))(rnp.reshape(keys, (2, 2, 2)))
    assert np.asarray(nested).tobytes() == together.tobytes()


def test_elements_depend_on_their_place_alone(key: Any) -> None:
    long = np.asarray(random.normal(key, (7, 5)))
    assert np.asarray(random.normal(key, 35)).tobytes() == long.tobytes()
    assert np.asarray(random.normal(key, 10)).tobytes() == long[:2].tobytes()


def test_keys_are_independent() -> None:
    keys = random.split(random.key(0), 50)
    assert len({tuple(k) for k in np.asarray(keys).tolist()}) == 50
    samples = np.asarray(rosin.vmap(lambda k: random.normal(k, 1000))(keys))
    correlation = np.corrcoef(samples) - np.eye(50)
    assert np.abs(correlation).max() < 0.17  # Five and a half standard errors.
    assert scipy.stats.kstest(samples.mean(1) * math.sqrt(1000), "norm").pvalue > 1e-3


def test_derivatives_flow_through_bounds_and_logits_not_keys(key: Any) -> None:
    gradient = rosin.grad(lambda high: rnp.sum(random.uniform(key, 5, minval=0, maxval=high)))(np.float32(2))
    assert float(gradient) == pytest.approx(float(rnp.sum(random.uniform(key, 5))), rel=1e-6)


def test_refusals(key: Any) -> None:
    with pytest.raises(ShapeError, match=r"normal: takes one key, u32\[2\]; rosin.vmap draws from several"):
        random.normal(random.split(key))
    with pytest.raises(DTypeError, match=r"uniform: a key is u32\[2\]"):
        random.uniform(3)
    with pytest.raises(DTypeError, match="normal: gives floats, not i32"):
        random.normal(key, 2, "i32")
    with pytest.raises(DTypeError, match="bits come as"):
        random.bits(key, 2, "i32")
    with pytest.raises(DTypeError, match="fold_in: takes one integer"):
        random.fold_in(key, 1.5)
    with pytest.raises(ShapeError, match="negative"):
        random.normal(key, (2, -1))


def test_what_takes_loops_is_read_when_it_is_asked_for() -> None:
    program = """
import sys, rosin
files = {f"rosin.frontend.random.{name}" for name in ("choosing", "discrete", "gammas", "matrices")}
print(len(files & set(sys.modules)), set(rosin.random.__all__) <= set(dir(rosin.random)))
from rosin.random import gamma
print(len(files & set(sys.modules)), gamma is rosin.random.gamma)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["0", "True", "4", "True"]
    assert [name for name in random.__all__ if not hasattr(random, name)] == []
    with pytest.raises(AttributeError, match=r"module 'rosin\.random' has no attribute 'nothing'"):
        random.nothing
