"""Functions that networks are made of.

Arrays of images have their channels before their spatial axes: `[batch, channels, height, width]`, and as many spatial
axes as there are, one to three. Kernels are `[out channels, in channels / groups, window…]`. Integers and truth values
become the default float first. Names are JAX's where JAX has the function, and else PyTorch's.
"""

from __future__ import annotations

from rosin.frontend.nn.activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    hardshrink,
    leaky_relu,
    log_sigmoid,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    silu,
    soft_sign,
    softplus,
    softshrink,
    tanhshrink,
    threshold,
)
from rosin.frontend.nn.attention import scaled_dot_product_attention
from rosin.frontend.nn.classes import cross_entropy, multi_margin_loss, multilabel_margin_loss, nll_loss
from rosin.frontend.nn.convolution import conv, conv_transpose
from rosin.frontend.nn.distances import cdist, cosine_similarity, normalize, pairwise_distance, pdist
from rosin.frontend.nn.linear import bilinear, embedding, linear
from rosin.frontend.nn.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
)
from rosin.frontend.nn.normalization import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from rosin.frontend.nn.pooling import adaptive_avg_pool, adaptive_max_pool, avg_pool, max_pool
from rosin.frontend.nn.resizing import channel_shuffle, interpolate, pixel_shuffle, pixel_unshuffle
from rosin.frontend.nn.sampling import affine_grid, grid_sample
from rosin.frontend.nn.softmax import log_softmax, one_hot, softmax, softmin
from rosin.frontend.nn.unfolding import fold, unfold
from rosin.frontend.numpy.reductions import logsumexp
from rosin.frontend.numpy.transcendental import sigmoid

__all__ = [
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "affine_grid",
    "avg_pool",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cdist",
    "celu",
    "channel_shuffle",
    "conv",
    "conv_transpose",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "elu",
    "embedding",
    "fold",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "hardshrink",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "margin_ranking_loss",
    "max_pool",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "soft_sign",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
    "unfold",
]
