"""Distributions of vectors, which stand along the last axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy import linalg
from rosin.frontend.scipy import special as sp
from rosin.ir import facts

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class MultivariateNormal:
    """Normal vectors with a mean, [..., n], and a positive definite covariance, [..., n, n]; NaN for any other."""

    def logpdf(self, x: ArrayLike, mean: ArrayLike = 0.0, cov: ArrayLike = 1.0) -> Array:
        """The logarithm of the density at x, [..., n]. A number as mean or covariance stands for a multiple of ones,
        or of the identity.

        Raises:
            ShapeError: the sizes disagree.
        """
        vector, centre, spread = promote.alike_floats("multivariate_normal.logpdf", x, mean, cov)
        if not core.shape_of(vector):
            promote.bad_shape(
                "multivariate_normal.logpdf: x holds vectors along its last axis, and is a number", vector
            )
        size = core.shape_of(vector)[-1]
        if not core.shape_of(spread):
            spread = spread * rnp.eye(size, dtype=core.dtype_of(spread))
        if len(core.shape_of(spread)) < 2 or not facts.same_shape(core.shape_of(spread)[-2:], (size, size)):
            promote.bad_shape("multivariate_normal.logpdf: x is [..., n] and cov [..., n, n]", vector, spread)
        root = rnp.linalg.cholesky(spread)
        rest = vector - centre
        batch = promote.broadcast_batch(
            "multivariate_normal.logpdf", (rest, core.shape_of(rest)[:-1]), (root, core.shape_of(root)[:-2])
        )
        rest, root = promote.spread(rest, (*batch, size)), promote.spread(root, (*batch, size, size))
        whitened = linalg.solve_triangular(root, rest[..., None], lower=True)[..., 0]
        scale = rnp.sum(rnp.log(rnp.linalg.diagonal(root)), axis=-1)
        half = core.asarray(0.5 * math.log(2 * math.pi), core.dtype_of(rest)) * rnp.ones_like(rest)
        return -rnp.sum(whitened * whitened / 2 + half, axis=-1) - scale

    def pdf(self, x: ArrayLike, mean: ArrayLike = 0.0, cov: ArrayLike = 1.0) -> Array:
        """The density at x."""
        return rnp.exp(self.logpdf(x, mean, cov))


class Dirichlet:
    """Vectors of positive numbers that sum to 1, with concentrations alpha."""

    def logpdf(self, x: ArrayLike, alpha: ArrayLike) -> Array:
        """The logarithm of the density at x, [..., n]; alpha is [n] or [..., n]. Whether x sums to 1 is not looked at.

        Raises:
            ShapeError: the sizes disagree.
        """
        vector, shares = promote.promoted("dirichlet.logpdf", x, alpha, floating=True)
        if not core.shape_of(vector):
            promote.bad_shape("dirichlet.logpdf: x holds vectors along its last axis, and is a number", vector)
        scale = sp.gammaln(rnp.sum(shares, axis=-1)) - rnp.sum(sp.gammaln(shares), axis=-1)
        found = rnp.sum(sp.xlogy(shares - 1, vector), axis=-1) + scale
        inside = rnp.all(vector >= 0, axis=-1)
        valid = rnp.all(shares > 0, axis=-1)
        return rnp.where(valid, rnp.where(inside, found, -math.inf), math.nan)

    def pdf(self, x: ArrayLike, alpha: ArrayLike) -> Array:
        """The density at x."""
        return rnp.exp(self.logpdf(x, alpha))


class Multinomial:
    """How often each of several outcomes comes up in n trials, with probabilities p."""

    def logpmf(self, x: ArrayLike, n: ArrayLike, p: ArrayLike) -> Array:
        """The logarithm of the probability of the counts x, [..., k], for p, [..., k]; -inf where they do not sum to n.

        Raises:
            ShapeError: the sizes disagree.
        """
        counts, chances = promote.promoted("multinomial.logpmf", x, p, floating=True)
        if not core.shape_of(counts):
            promote.bad_shape("multinomial.logpmf: x holds counts along its last axis, and is a number", counts)
        trials = promote.cast(promote.array("multinomial.logpmf", n), core.dtype_of(counts))
        whole = rnp.all((counts >= 0) & (counts == rnp.floor(counts)), axis=-1)
        held = rnp.maximum(counts, 0)
        found = sp.gammaln(trials + 1) + rnp.sum(sp.xlogy(held, chances) - sp.gammaln(held + 1), axis=-1)
        return rnp.where(whole & (rnp.sum(counts, axis=-1) == trials), found, -math.inf)

    def pmf(self, x: ArrayLike, n: ArrayLike, p: ArrayLike) -> Array:
        """The probability of the counts x."""
        return rnp.exp(self.logpmf(x, n, p))


multivariate_normal, dirichlet, multinomial = MultivariateNormal(), Dirichlet(), Multinomial()
