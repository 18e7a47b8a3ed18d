"""Losses that draw what belongs together near and the rest apart."""

from __future__ import annotations

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.losses.reducing import LossError, reduced


def info_nce(queries: Array, keys: Array, *, temperature: float = 0.07, reduction: str = "mean") -> Array:
    """The cross entropy of finding for each query `[n, features]` its own among n keys, by cosine similarity.

    van den Oord et al. 2018.
    """
    if queries.shape != keys.shape or queries.ndim != 2:
        shapes = f"{tuple(queries.shape)} and {tuple(keys.shape)}"
        raise LossError(f"info_nce: queries and keys are [n, features] both, not {shapes}")
    scores = rosin.nn.normalize(queries) @ rnp.transpose(rosin.nn.normalize(keys)) / temperature
    return rosin.nn.cross_entropy(scores, rnp.arange(queries.shape[0]), reduction=reduction)


def clip_loss(images: Array, texts: Array, *, temperature: float = 0.07) -> Array:
    """`info_nce` both ways (Radford et al. 2021)."""
    both = info_nce(images, texts, temperature=temperature), info_nce(texts, images, temperature=temperature)
    return (both[0] + both[1]) / 2


def nt_xent(a: Array, b: Array, *, temperature: float = 0.5, reduction: str = "mean") -> Array:
    """As `info_nce` for two views of n examples, of which all 2 n - 2 others count as apart (Chen et al. 2020)."""
    if a.shape != b.shape or a.ndim != 2:
        raise LossError(f"nt_xent: both views are [n, features], not {tuple(a.shape)} and {tuple(b.shape)}")
    n = a.shape[0]
    views = rosin.nn.normalize(rnp.concat([a, b]))
    scores = views @ rnp.transpose(views) / temperature
    scores = rnp.where(rnp.eye(2 * n, dtype=bool), -rnp.inf, scores)
    losses = -rnp.take_along_axis(rosin.nn.log_softmax(scores), rnp.roll(rnp.arange(2 * n), n)[:, None], axis=1)
    return reduced("nt_xent", losses[:, 0], reduction)
