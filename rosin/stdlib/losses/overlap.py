"""Losses for classes that are rare, or that cover regions: focal loss, Dice and Jaccard."""

from __future__ import annotations

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.losses.reducing import reduced


def focal_loss(
    logits: Array,
    targets: Array,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    mask: Array | None = None,
    reduction: str = "mean",
) -> Array:
    """Binary cross entropy of scores, times (1 - p) ** gamma, p being the probability of the target (Lin et al. 2017).

    With `alpha`, positive targets weigh `alpha` and negative ones the rest.
    """
    losses = rosin.nn.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    right = rosin.nn.sigmoid(logits) * targets + rosin.nn.sigmoid(-logits) * (1 - targets)
    losses = losses * (1 - right) ** gamma
    if alpha is not None:
        losses = losses * (alpha * targets + (1 - alpha) * (1 - targets))
    return reduced("focal_loss", losses, reduction, mask)


def dice_loss(probabilities: Array, targets: Array, *, smooth: float = 1.0, reduction: str = "mean") -> Array:
    """1 - 2 |A ∩ B| / (|A| + |B|) for each example and class of `[batch, classes, *spatial]` (Milletari et al. 2016).

    `smooth` is added above and below.
    """
    axes = tuple(range(2, probabilities.ndim))
    both = rnp.sum(probabilities * targets, axis=axes)
    either = rnp.sum(probabilities, axis=axes) + rnp.sum(targets, axis=axes)
    return reduced("dice_loss", 1 - (2 * both + smooth) / (either + smooth), reduction)


def jaccard_loss(probabilities: Array, targets: Array, *, smooth: float = 1.0, reduction: str = "mean") -> Array:
    """1 - |A ∩ B| / |A ∪ B| for each example and class of `[batch, classes, *spatial]`."""
    axes = tuple(range(2, probabilities.ndim))
    both = rnp.sum(probabilities * targets, axis=axes)
    either = rnp.sum(probabilities, axis=axes) + rnp.sum(targets, axis=axes) - both
    return reduced("jaccard_loss", 1 - (both + smooth) / (either + smooth), reduction)
