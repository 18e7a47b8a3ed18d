"""Whether two samples are of one distribution: what generated data are held against real ones by.

Samples are `[count, features]`; further axes are made one. Every function runs in compiled functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.metrics.metric import MetricError


@dataclass(frozen=True)
class Discrepancy:
    """A squared maximum mean discrepancy, and the part of random divisions of the two samples with one as large."""

    value: Array
    p_value: Array


def mmd(x: Array, y: Array, *, bandwidth: Array | float | None = None) -> Array:
    """The squared maximum mean discrepancy of two samples with a Gaussian kernel, estimated without bias (Gretton et
    al. 2012), so that it is around 0, and may be below, for samples of one distribution.

    The kernel is `exp(-distance² / (2 bandwidth²))`; without a `bandwidth` that is the median of all distances.

    Raises:
        MetricError: the examples differ in size, or a sample has fewer than two.
    """
    kernel, first = _kernel("mmd", x, y, bandwidth)
    return _contrast(kernel, first[None])[0]


def mmd_test(
    key: Array, x: Array, y: Array, *, permutations: int = 500, bandwidth: Array | float | None = None
) -> Discrepancy:
    """`mmd`, and how likely one as large is if both samples are of one distribution, by dividing all their examples
    anew so many times.

    Raises:
        MetricError: the examples differ in size, or a sample has fewer than two.
    """
    _check("mmd_test", x, y)
    # One program also for eager arrays: each of so many divisions takes a dozen ops.
    return Discrepancy(*_divided(key, x, y, bandwidth, permutations))


def nearest_neighbor_accuracy(x: Array, y: Array) -> Array:
    """How often the nearest of all other examples is of the same sample: 1/2 for samples of one distribution, 1 for
    samples apart, and less than 1/2 where one repeats the other (Lopez-Paz and Oquab 2017, with one neighbour).

    Raises:
        MetricError: the samples differ in shape, or have fewer than two examples.
    """
    if x.shape != y.shape:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise MetricError(f"nearest_neighbor_accuracy: the samples are of one size, not {shapes}")
    both, first = _pooled("nearest_neighbor_accuracy", x, y)
    distances = _squares(both)
    own = rnp.eye(both.shape[0], dtype=bool)
    nearest = rnp.argmin(rnp.where(own, rnp.inf, distances), axis=1)
    return rnp.mean(rnp.astype(first[nearest] == first, first.dtype))


def frechet_distance(x: Array, y: Array) -> Array:
    """The squared Fréchet distance of the normal distributions that have the two samples' means and covariances;
    features are mostly those of a network (Heusel et al. 2017).

    Raises:
        MetricError: the examples differ in size, or a sample has fewer than two.
    """
    both, _ = _pooled("frechet_distance", x, y)
    first, second = both[: x.shape[0]], both[x.shape[0] :]
    root = _root(_covariance(first))
    mixed = _root(root @ _covariance(second) @ root)
    traces = rnp.trace(_covariance(first)) + rnp.trace(_covariance(second)) - 2 * rnp.trace(mixed)
    return rnp.sum((rnp.mean(first, axis=0) - rnp.mean(second, axis=0)) ** 2) + traces


# -- parts -------------------------------------------------------------------------------------------------------------


def _check(what: str, x: Array, y: Array) -> None:
    if x.shape[1:] != y.shape[1:] or min(x.shape[0], y.shape[0]) < 2:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise MetricError(f"{what}: samples of two or more examples of one size, not {shapes}")


def _pooled(what: str, x: Array, y: Array) -> tuple[Array, Array]:
    """All examples as rows, and 1 for those of the first sample."""
    _check(what, x, y)
    rows = rnp.concat([rnp.reshape(x, (x.shape[0], -1)), rnp.reshape(y, (y.shape[0], -1))])
    return rows, rnp.astype(rnp.arange(rows.shape[0]) < x.shape[0], rows.dtype)


def _squares(rows: Array) -> Array:
    """Squared distances between all rows."""
    # Less their mean, so that the lengths are no larger than the distances, whose differences they become.
    rows = rows - rnp.mean(rows, axis=0)
    lengths = rnp.sum(rows * rows, axis=1)
    return rnp.maximum(lengths[:, None] + lengths[None, :] - 2 * (rows @ rnp.transpose(rows)), 0)


def _kernel(what: str, x: Array, y: Array, bandwidth: Array | float | None) -> tuple[Array, Array]:
    """The kernel between all pairs of examples, 0 for an example and itself, and 1 for those of the first sample."""
    rows, first = _pooled(what, x, y)
    squares, own = _squares(rows), rnp.eye(rows.shape[0], dtype=bool)
    middle = rnp.nanmedian(rnp.where(own, rnp.nan, squares)) if bandwidth is None else bandwidth**2
    return rnp.where(own, 0, rnp.exp(-squares / (2 * middle))), first


def _contrast(kernel: Array, first: Array) -> Array:
    """The discrepancy for each row of `first`, which is 1 for those in the first sample: the mean kernel within the
    samples less that between them."""
    second = 1 - first
    to_first, to_second = first @ kernel, second @ kernel
    m, n = rnp.sum(first, axis=1), rnp.sum(second, axis=1)
    within = rnp.sum(to_first * first, axis=1) / (m * (m - 1)) + rnp.sum(to_second * second, axis=1) / (n * (n - 1))
    return within - 2 * rnp.sum(to_first * second, axis=1) / (m * n)


@rosin.compile(static_argnames="permutations")
def _divided(key: Array, x: Array, y: Array, bandwidth: Any, permutations: int) -> tuple[Array, Array]:
    """The discrepancy, and the part of divisions of the examples, drawn and given, in which it is as large."""
    kernel, first = _kernel("mmd_test", x, y, bandwidth)
    orders = rosin.vmap(lambda k: rosin.random.permutation(k, first.shape[0]))(rosin.random.split(key, permutations))
    value = _contrast(kernel, first[None])[0]
    others = _contrast(kernel, rnp.astype(orders < x.shape[0], first.dtype))
    # The division that was given counts as one of them, so the test is exact (Phipson and Smyth 2010).
    larger = rnp.sum(rnp.astype(others >= value, first.dtype))
    return value, (1 + larger) / (1 + permutations)


def _covariance(rows: Array) -> Array:
    apart = rows - rnp.mean(rows, axis=0)
    return rnp.transpose(apart) @ apart / (rows.shape[0] - 1)


def _root(matrix: Array) -> Array:
    """The square root of a matrix without negative eigenvalues, but for rounding."""
    values, vectors = rnp.linalg.eigh(matrix)
    return (vectors * rnp.sqrt(rnp.maximum(values, 0))) @ rnp.transpose(vectors)
