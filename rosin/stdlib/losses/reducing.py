"""From a loss for each element to one number."""

from __future__ import annotations

import rosin
from rosin import Array
from rosin import numpy as rnp


class LossError(rosin.RosinError, ValueError):
    """Arguments of a loss that do not go together."""


def reduced(name: str, losses: Array, reduction: str, mask: Array | None = None) -> Array:
    """The losses, their sum or their mean, of those elements for which the mask, which broadcasts, is true.

    Raises:
        LossError: there is no such reduction.
    """
    if reduction not in ("none", "mean", "sum"):
        raise LossError(f'{name}: reduction is "none", "mean" or "sum", not {reduction!r}')
    if mask is None:
        return {"none": lambda x: x, "sum": rnp.sum, "mean": rnp.mean}[reduction](losses)
    inside = rnp.broadcast_to(mask, losses.shape)
    # Where the mask is false, even what is no number has no part in it.
    losses = rnp.where(inside, losses, 0)
    if reduction == "none":
        return losses
    total = rnp.sum(losses)
    return total if reduction == "sum" else total / rnp.maximum(rnp.sum(rnp.astype(inside, losses.dtype)), 1)
