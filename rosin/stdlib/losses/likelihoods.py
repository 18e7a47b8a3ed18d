"""Negative logarithms of likelihoods of what has few levels."""

from __future__ import annotations

import math

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.losses.reducing import LossError, reduced


def discretized_logistic_nll(
    center: Array, log_scale: Array, targets: Array, levels: int = 256, *, reduction: str = "mean"
) -> Array:
    """The negative logarithm, in nats, of the probability that a logistic variable falls nearest to each target, of
    `levels` that lie evenly from 0 to 1 (Kingma et al. 2016). The outermost levels get the tails.

    Raises:
        LossError: there are not two levels or more, or there is no such reduction.
    """
    if levels < 2:
        raise LossError(f"discretized_logistic_nll: there are two levels or more, not {levels}")
    half = 0.5 / (levels - 1)
    steepness = rnp.exp(-log_scale)
    above, below = (targets + half - center) * steepness, (targets - half - center) * steepness
    # sigmoid(a) - sigmoid(b) is sigmoid(a) sigmoid(-b) (1 - exp(b - a)), each factor of which has an exact logarithm.
    lower, upper = targets < half, targets > 1 - half
    inside = rnp.where(lower | upper, 0, _log_of_rest(math.log(2 * half) - log_scale))
    left = rnp.where(upper, 0, rosin.nn.log_sigmoid(above))
    right = rnp.where(lower, 0, rosin.nn.log_sigmoid(-below))
    return reduced("discretized_logistic_nll", -(left + right + inside), reduction)


def _log_of_rest(log_width: Array) -> Array:
    """log(1 - exp(-width)) from the logarithm of a width, which is the logarithm itself where that is tiny."""
    width = rnp.exp(log_width)
    tiny = width < 1e-4
    return rnp.where(tiny, log_width - width / 2, rnp.log(-rnp.expm1(-rnp.where(tiny, 1, width))))
