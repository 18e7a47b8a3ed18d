"""Losses: those of `rosin.nn`, and larger ones. `reduction` is "mean", "sum" or "none" everywhere."""

from __future__ import annotations

from rosin import nn
from rosin.stdlib.losses.contrastive import clip_loss, info_nce, nt_xent
from rosin.stdlib.losses.ctc import ctc_loss
from rosin.stdlib.losses.likelihoods import discretized_logistic_nll
from rosin.stdlib.losses.overlap import dice_loss, focal_loss, jaccard_loss
from rosin.stdlib.losses.reducing import LossError, reduced
from rosin.stdlib.losses.tokens import token_cross_entropy

binary_cross_entropy = nn.binary_cross_entropy
binary_cross_entropy_with_logits = nn.binary_cross_entropy_with_logits
cosine_embedding_loss = nn.cosine_embedding_loss
cross_entropy = nn.cross_entropy
gaussian_nll_loss = nn.gaussian_nll_loss
hinge_embedding_loss = nn.hinge_embedding_loss
huber_loss = nn.huber_loss
kl_div = nn.kl_div
l1_loss = nn.l1_loss
margin_ranking_loss = nn.margin_ranking_loss
mse_loss = nn.mse_loss
multi_margin_loss = nn.multi_margin_loss
multilabel_margin_loss = nn.multilabel_margin_loss
multilabel_soft_margin_loss = nn.multilabel_soft_margin_loss
nll_loss = nn.nll_loss
poisson_nll_loss = nn.poisson_nll_loss
smooth_l1_loss = nn.smooth_l1_loss
soft_margin_loss = nn.soft_margin_loss
triplet_margin_loss = nn.triplet_margin_loss

__all__ = [
    "LossError",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "clip_loss",
    "cosine_embedding_loss",
    "cross_entropy",
    "ctc_loss",
    "dice_loss",
    "discretized_logistic_nll",
    "focal_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "info_nce",
    "jaccard_loss",
    "kl_div",
    "l1_loss",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "nt_xent",
    "poisson_nll_loss",
    "reduced",
    "smooth_l1_loss",
    "soft_margin_loss",
    "token_cross_entropy",
    "triplet_margin_loss",
]
