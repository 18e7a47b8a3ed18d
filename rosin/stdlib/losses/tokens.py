"""The loss of models that score the next token, or a masked one, at each place of a text."""

from __future__ import annotations

from rosin import Array, nn
from rosin import numpy as rnp
from rosin.stdlib.losses.reducing import LossError, reduced


def token_cross_entropy(scores: Array, tokens: Array, mask: Array | None = None, *, reduction: str = "mean") -> Array:
    """The cross entropy of scores `[..., vocabulary]` with tokens `[...]`, in nats, where the mask is true.

    Raises:
        LossError: the shapes disagree, or there is no such reduction.
    """
    if tuple(scores.shape[:-1]) != tuple(tokens.shape):
        shapes = f"{tuple(scores.shape)} and {tuple(tokens.shape)}"
        raise LossError(f"token_cross_entropy: scores are [..., vocabulary] and tokens [...], not {shapes}")
    each = nn.cross_entropy(rnp.reshape(scores, (-1, scores.shape[-1])), rnp.reshape(tokens, (-1,)), reduction="none")
    return reduced("token_cross_entropy", rnp.reshape(each, tokens.shape), reduction, mask)
