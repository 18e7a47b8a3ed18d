"""Operators that networks are made of: activations, losses, normalisations, convolutions, pooling, images."""

from __future__ import annotations

import math
from typing import Any

from rosin import nn
from rosin import numpy as rnp
from tests.operators.mapped import Mapped, Table, holds, named

BYTES = "PyTorch subtracts bytes before it makes floats of them"
REAL = "complex numbers do not become real ones unasked"
PARTS = {"complex64": REAL, "complex128": REAL}
WHOLE = "integers become floats"
GREATEST = "the greatest class settles the shape"
RANDOM = "elements are dropped at random"


def _typed(function: Any) -> Any:
    return lambda x, dim, dtype=None: function(x if dtype is None else rnp.astype(x, dtype), dim)


def _softplus(x: Any, beta: float = 1, threshold: float = 20) -> Any:
    """PyTorch's is x from a threshold on."""
    return rnp.where(x * beta > threshold, x, nn.softplus(x * beta) / beta)


def _one_hot(x: Any, num_classes: int = -1) -> Any:
    return nn.one_hot(x, int(rnp.max(x)) + 1 if num_classes == -1 else num_classes, dtype="int64")


ACTIVATIONS: Table = named(
    {
        "log_softmax": _typed(nn.log_softmax),
        "log_softmax.with_dtype": Mapped(_typed(nn.log_softmax), lacks=PARTS),
        "nn.functional.celu": nn.celu,
        "nn.functional.elu": nn.elu,
        "nn.functional.gelu": Mapped(
            lambda x, approximate="none": nn.gelu(x, approximate=approximate == "tanh"),
            errors={"approximate argument must be either": "it is a truth value"},
        ),
        "nn.functional.glu": nn.glu,
        "nn.functional.hardshrink": nn.hardshrink,
        "nn.functional.hardsigmoid": nn.hard_sigmoid,
        "nn.functional.hardswish": nn.hard_silu,
        "nn.functional.hardtanh": Mapped(
            lambda x, min_val=-1.0, max_val=1.0: nn.hard_tanh(x, min_val, max_val),
            apart={"integers between floats become floats": holds("int32", "int64")},
        ),
        "nn.functional.leaky_relu": nn.leaky_relu,
        "nn.functional.logsigmoid": nn.log_sigmoid,
        "nn.functional.mish": nn.mish,
        "nn.functional.prelu": lambda x, weight: nn.prelu(x, weight),
        "nn.functional.relu": nn.relu,
        "nn.functional.relu6": nn.relu6,
        "nn.functional.rrelu": Mapped(
            lambda x, lower=1 / 8, upper=1 / 3, training=False: nn.leaky_relu(x, (lower + upper) / 2),
            apart={"slopes are drawn at random": lambda *_, training=False, **__: training},
            errors={"Lower bound should be": "there is one slope"},
        ),
        "nn.functional.selu": nn.selu,
        "nn.functional.silu": nn.silu,
        "nn.functional.silu.complex": nn.silu,
        "nn.functional.softmin": _typed(nn.softmin),
        "nn.functional.softmin.with_dtype": Mapped(_typed(nn.softmin), lacks=PARTS, apart={BYTES: holds("uint8")}),
        "nn.functional.softplus": _softplus,
        "nn.functional.softshrink": nn.softshrink,
        "nn.functional.softsign": nn.soft_sign,
        "nn.functional.tanhshrink": nn.tanhshrink,
        "nn.functional.threshold": nn.threshold,
        "softmax": _typed(nn.softmax),
        "softmax.with_dtype": Mapped(_typed(nn.softmax), lacks=PARTS),
    }
)


def _loss(function: Any) -> Any:
    """PyTorch has two old names of the reduction, which take its place."""

    def apply(*args: Any, size_average: Any = None, reduce: Any = None, **kwargs: Any) -> Any:
        if reduce is False:
            kwargs["reduction"] = "none"
        elif size_average is False:
            kwargs["reduction"] = "sum"
        return function(*args, **kwargs)

    return apply


def _linear_cross_entropy(
    x: Any, layer: Any, target: Any, *, linear_bias: Any = None, options: Any = None, **named: Any
) -> Any:
    """The layer may have more axes than that of classes; PyTorch's options say how it is computed, not what."""
    scores = rnp.tensordot(x, layer, axes=((-1,), (-1,)))
    return nn.cross_entropy(scores if linear_bias is None else scores + linear_bias, target, **named)


def _triplet(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
    distance_function: Any = None,
) -> Any:
    """With the distance that PyTorch takes unless it is given one, as in all of its samples."""
    return nn.triplet_margin_loss(anchor, positive, negative, margin=margin, swap=swap, reduction=reduction)


def _safe_softmax(x: Any, dim: int, dtype: Any = None) -> Any:
    """Rows of nothing but -inf become zeros."""
    wide = x if dtype is None else rnp.astype(x, dtype)
    none = rnp.all(wide == -rnp.inf, axis=dim, keepdims=True)
    return rnp.where(none, 0, nn.softmax(rnp.where(none, 0, wide), dim))


def _gaussian(x: Any, target: Any, var: Any, **options: Any) -> Any:
    # A variance for each row may lack the last axis.
    spread = rnp.expand_dims(var, -1) if rnp.asarray(var).ndim and var.ndim == x.ndim - 1 else var
    return nn.gaussian_nll_loss(x, target, spread, **options)


SHARES = {
    "ignore_index cannot be specified": "of shares of classes there is no class to ignore",
    "requires batched input": "one example may have several scores of each class too",
}

LOSSES: Table = named(
    {
        "nn.functional.binary_cross_entropy": _loss(nn.binary_cross_entropy),
        "nn.functional.binary_cross_entropy_with_logits": _loss(nn.binary_cross_entropy_with_logits),
        "nn.functional.cosine_embedding_loss": _loss(nn.cosine_embedding_loss),
        "nn.functional.cross_entropy": _loss(nn.cross_entropy),
        "nn.functional.gaussian_nll_loss": _gaussian,
        "nn.functional.hinge_embedding_loss": _loss(nn.hinge_embedding_loss),
        "nn.functional.huber_loss": nn.huber_loss,
        "nn.functional.kl_div": _loss(nn.kl_div),
        "nn.functional.l1_loss": _loss(nn.l1_loss),
        "nn.functional.margin_ranking_loss": _loss(nn.margin_ranking_loss),
        "nn.functional.mse_loss": _loss(nn.mse_loss),
        "nn.functional.multi_margin_loss": _loss(nn.multi_margin_loss),
        "nn.functional.multilabel_margin_loss": _loss(nn.multilabel_margin_loss),
        "nn.functional.multilabel_soft_margin_loss": _loss(nn.multilabel_soft_margin_loss),
        "nn.functional.nll_loss": _loss(nn.nll_loss),
        "nn.functional.poisson_nll_loss": _loss(nn.poisson_nll_loss),
        "nn.functional.smooth_l1_loss": _loss(nn.smooth_l1_loss),
        "nn.functional.soft_margin_loss": _loss(nn.soft_margin_loss),
        "nn.functional.linear_cross_entropy": Mapped(_linear_cross_entropy, errors=SHARES),
        "nn.functional.linear_cross_entropy.chunked": Mapped(_linear_cross_entropy, errors=SHARES),
        "nn.functional.linear_cross_entropy.chunked_none": Mapped(_linear_cross_entropy, errors=SHARES),
        "nn.functional.triplet_margin_with_distance_loss": Mapped(_triplet, apart={BYTES: holds("uint8")}),
        "torch.ops.aten._safe_softmax.default": _safe_softmax,
        "nn.functional.triplet_margin_loss": Mapped(_loss(nn.triplet_margin_loss), apart={BYTES: holds("uint8")}),
    }
)


def _batch_norm(
    x: Any,
    mean: Any = None,
    var: Any = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """PyTorch's also updates its running statistics in place."""
    return nn.batch_norm(x, *((None, None) if training else (mean, var)), weight, bias, eps=eps)


def _instance_norm(x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
                   use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5) -> Any:  # fmt: skip
    return nn.instance_norm(x, weight, bias, eps=eps)


VECTOR = {"there are no channels": lambda x, *_, **__: x.ndim < 2}

NORMS: Table = named(
    {
        "native_batch_norm": Mapped(
            lambda x, weight, bias, *rest: _batch_norm(x, rest[0], rest[1], weight, bias, *rest[2:]),
            common=lambda r: r[0] if isinstance(r, tuple) else r,
        ),
        "native_group_norm": Mapped(
            lambda x, weight, bias, n, c, hw, groups, eps: nn.group_norm(x, groups, weight, bias, eps=eps),
            common=lambda r: r[0] if isinstance(r, tuple) else r,
        ),
        "native_layer_norm": Mapped(
            lambda x, shape, weight, bias, eps: nn.layer_norm(x, shape, weight, bias, eps=eps),
            common=lambda r: r[0] if isinstance(r, tuple) else r,
        ),
        "nn.functional.batch_norm": Mapped(_batch_norm, apart=VECTOR),
        "nn.functional.group_norm": lambda x, groups, weight=None, bias=None, eps=1e-5: nn.group_norm(
            x, groups, weight, bias, eps=eps
        ),
        "nn.functional.instance_norm": _instance_norm,
        "nn.functional.layer_norm": lambda x, shape, weight=None, bias=None, eps=1e-5: nn.layer_norm(
            x, shape, weight, bias, eps=eps
        ),
        "nn.functional.local_response_norm": Mapped(nn.local_response_norm, apart={WHOLE: holds("int64")}),
        "nn.functional.normalize": lambda x, p=2.0, dim=1, eps=1e-12: nn.normalize(x, p=p, axis=dim, eps=eps),
        "nn.functional.rms_norm": Mapped(
            lambda x, shape, weight=None, eps=None: nn.rms_norm(x, shape, weight, eps=eps),
            lacks=dict.fromkeys(PARTS, "PyTorch takes squares of complex numbers, which are no sizes"),
        ),
    }
)

DISTANCES: Table = named(
    {
        "cdist": lambda x, y, p=2.0, compute_mode="": nn.cdist(x, y, p=p),
        "nn.functional.cosine_similarity": lambda x, y, dim=1, eps=1e-8: nn.cosine_similarity(x, y, axis=dim, eps=eps),
        "nn.functional.pairwise_distance": Mapped(
            lambda x, y, p=2.0, eps=1e-6, keepdim=False: nn.pairwise_distance(x, y, p=p, eps=eps, keepdims=keepdim),
            apart={BYTES: holds("uint8")},
        ),
        "nn.functional.pdist": lambda x, p=2.0: nn.pdist(x, p=p),
    }
)


def _alone(function: Any, spatial: int) -> Any:
    """PyTorch takes one example without a batch axis."""

    def apply(x: Any, *args: Any, **kwargs: Any) -> Any:
        one = x.ndim == spatial + 1
        result = function(rnp.expand_dims(x, 0) if one else x, *args, **kwargs)
        return rnp.squeeze(result, 0) if one else result

    return apply


def _each(value: Any, spatial: int) -> Any:
    """PyTorch takes one number in a sequence for all axes."""
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 and spatial > 1 else value


def _conv(spatial: int) -> Any:
    def apply(
        x: Any, w: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        result = nn.conv(
            x, w, strides=_each(stride, spatial), padding=_each(padding, spatial), dilation=_each(dilation, spatial),
            groups=groups,
        )  # fmt: skip
        return result if bias is None else result + rnp.reshape(bias, (-1, *(1,) * spatial))

    return _alone(apply, spatial)


def _conv_transpose(spatial: int) -> Any:
    def apply(x: Any, w: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
              groups: int = 1, dilation: Any = 1) -> Any:  # fmt: skip
        result = nn.conv_transpose(
            x, w, strides=_each(stride, spatial), padding=_each(padding, spatial), dilation=_each(dilation, spatial),
            output_padding=_each(output_padding, spatial), groups=groups,
        )  # fmt: skip
        return result if bias is None else result + rnp.reshape(bias, (-1, *(1,) * spatial))

    return _alone(apply, spatial)


WIDE = {
    "pad must be non-negative": "negative padding cuts elements off",
    "pad should be at most half": "a window may lie in the padding",
}
NOTHING = {"optional 0 dim batch size": "an array of no elements has windows of none"}
SMALL = {"Invalid computed output size": "where no window fits there is none"}
AVERAGES = (WIDE, WIDE, {**WIDE, "non-empty 4D or 5D": "an array of no elements has windows of none"})
MAXIMA = (
    {**WIDE, **NOTHING, **SMALL},
    {**WIDE, **NOTHING, "Output size is too small": "where no window fits there is none"},
    {
        **WIDE,
        "Output size is too small": "where no window fits there is none",
        "positive length": "an array of no elements has windows of none",
    },
)
BIAS = {"should be the same": "the bias is promoted"}
CUTS = {
    "negative padding is not supported": "negative padding cuts elements off",
    "not supported for strided": "SAME is for strides too",
}
SUMS = (BIAS, BIAS, {**BIAS, **CUTS})


def _avg_pool(spatial: int) -> Any:
    def apply(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
              count_include_pad: bool = True, divisor_override: Any = None) -> Any:  # fmt: skip
        return nn.avg_pool(
            x, _each(kernel_size, spatial), strides=_each(stride or None, spatial), padding=_each(padding, spatial),
            count_padding=count_include_pad, ceil_mode=ceil_mode, divisor=divisor_override,
        )  # fmt: skip

    return _alone(apply, spatial)


def _max_pool(spatial: int) -> Any:
    def apply(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
              ceil_mode: bool = False, return_indices: bool = False) -> Any:  # fmt: skip
        return nn.max_pool(
            x, _each(kernel_size, spatial), strides=_each(stride, spatial), padding=_each(padding, spatial),
            dilation=_each(dilation, spatial), ceil_mode=ceil_mode,
        )  # fmt: skip

    return Mapped(
        _alone(apply, spatial), common=lambda r: r[0] if isinstance(r, tuple) else r, errors=MAXIMA[spatial - 1]
    )


FLOATS = {WHOLE: holds("int64")}

WINDOWS: Table = named(
    {
        **{f"nn.functional.adaptive_avg_pool{n}d": _alone(nn.adaptive_avg_pool, n) for n in (1, 2, 3)},
        **{
            f"nn.functional.adaptive_max_pool{n}d": Mapped(
                _alone(lambda x, output_size, return_indices=False: nn.adaptive_max_pool(x, output_size), n),
                common=lambda r: r[0] if isinstance(r, tuple) else r,
            )
            for n in (1, 2, 3)
        },
        **{
            f"nn.functional.avg_pool{n}d": Mapped(_avg_pool(n), apart=FLOATS, errors=AVERAGES[n - 1]) for n in (1, 2, 3)
        },
        **{f"nn.functional.max_pool{n}d": _max_pool(n) for n in (1, 2, 3)},
        **{f"nn.functional.conv{n}d": Mapped(_conv(n), apart=FLOATS, errors=SUMS[n - 1]) for n in (1, 2, 3)},
        **{f"nn.functional.conv_transpose{n}d": Mapped(_conv_transpose(n), apart=FLOATS) for n in (1, 2, 3)},
        "nn.functional.unfold": _alone(
            lambda x, kernel_size, dilation=1, padding=0, stride=1: nn.unfold(
                x,
                _each(kernel_size, 2),
                strides=_each(stride, 2),
                padding=_each(padding, 2),
                dilation=_each(dilation, 2),
            ),
            2,
        ),
    }
)


def _interpolate(x: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: Any = None,
                 recompute_scale_factor: Any = None) -> Any:  # fmt: skip
    """PyTorch's modes say how many axes there are."""
    mode = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    if recompute_scale_factor or mode == "area":
        factors = scale_factor if isinstance(scale_factor, list | tuple) else [scale_factor] * (x.ndim - 2)
        size = size or [math.floor(n * f) for n, f in zip(x.shape[2:], factors, strict=True)]
        scale_factor = None
    return nn.interpolate(x, size, scale_factor=scale_factor, mode=mode, align_corners=bool(align_corners))


def _grid(x: Any, grid: Any, mode: Any, padding_mode: Any, align_corners: bool = False) -> Any:
    mode = {"bilinear": "linear", "bicubic": "cubic", 0: "linear", 1: "nearest", 2: "cubic"}.get(mode, mode)
    padding = {0: "zeros", 1: "border", 2: "reflection"}.get(padding_mode, padding_mode)
    return nn.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=bool(align_corners))


def _attention(q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
               scale: Any = None, enable_gqa: bool = False) -> Any:  # fmt: skip
    return nn.scaled_dot_product_attention(q, k, v, attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa)


IMAGES: Table = named(
    {
        "grid_sampler_2d": _grid,
        "grid_sampler_3d": _grid,
        "nn.functional.channel_shuffle": nn.channel_shuffle,
        "nn.functional.grid_sample": _grid,
        "nn.functional.interpolate.area": _interpolate,
        "nn.functional.interpolate.bicubic": Mapped(_interpolate, apart={WHOLE: holds("uint8")}),
        "nn.functional.interpolate.bilinear": Mapped(_interpolate, apart={WHOLE: holds("uint8")}),
        "nn.functional.interpolate.linear": _interpolate,
        "nn.functional.interpolate.nearest": _interpolate,
        "nn.functional.interpolate.nearest-exact": _interpolate,
        "nn.functional.interpolate.trilinear": _interpolate,
        "nn.functional.pixel_shuffle": nn.pixel_shuffle,
        "nn.functional.pixel_unshuffle": nn.pixel_unshuffle,
        "nn.functional.upsample_bilinear": Mapped(
            lambda x, size=None, scale_factor=None: _interpolate(x, size, scale_factor, "bilinear", True),
            apart={WHOLE: holds("uint8")},
        ),
        "nn.functional.upsample_nearest": _interpolate,
    }
)

MAPS: Table = named(
    {
        "nn.functional.bilinear": nn.bilinear,
        "nn.functional.embedding": Mapped(
            lambda table, x, padding_idx=None, **_: nn.embedding(x, table, padding_idx=padding_idx),
            apart={"rows are changed in place": lambda *_, max_norm=None, **__: max_norm is not None},
        ),
        "nn.functional.linear": nn.linear,
        "nn.functional.one_hot": Mapped(
            _one_hot, known="the greatest class settles the shape", alone="the greatest class settles the shape"
        ),
        "nn.functional.scaled_dot_product_attention": Mapped(
            _attention, apart={RANDOM: lambda *_, dropout_p=0.0, **__: dropout_p > 0}
        ),
    }
)
TABLE: Table = {**ACTIVATIONS, **LOSSES, **NORMS, **DISTANCES, **WINDOWS, **IMAGES, **MAPS}
