"""All tables together, and the operators whose second derivatives are compared too."""

from __future__ import annotations

from tests.operators import (
    elementwise,
    indexing,
    linalg,
    masked,
    movement,
    networks,
    products,
    reductions,
    special,
    spectral,
)
from tests.operators.mapped import Table

FAMILIES: dict[str, Table] = {
    "elementwise": elementwise.TABLE,
    "reductions": reductions.TABLE,
    "masked": masked.TABLE,
    "movement": movement.TABLE,
    "indexing": indexing.TABLE,
    "networks": networks.TABLE,
    "products": products.TABLE,
    "linalg": linalg.TABLE,
    "spectral": spectral.TABLE,
    "special": special.TABLE,
}

TABLE: Table = {name: entry for family in FAMILIES.values() for name, entry in family.items()}

# fmt: off
SECOND: list[str] = [
    "acos", "asinh", "atan2", "cosh", "digamma", "div.no_rounding_mode", "erf", "erfinv", "exp", "expm1", "hypot",
    "lerp", "lgamma", "log1p", "logaddexp", "mul", "pow", "reciprocal", "rsqrt", "sigmoid", "sinc", "sqrt", "square",
    "tan", "tanh", "where", "cumprod", "cumsum", "logcumsumexp", "logsumexp", "mean", "prod", "std", "sum", "var",
    "amax", "sort", "topk", "trapezoid", "cat", "diagonal", "expand", "flip", "index_select", "gather", "roll",
    "stack", "tril", "unfold", "index_add", "scatter_add", "take_along_dim", "nn.functional.pad.reflect", "addcdiv",
    "addmm", "bmm", "dist", "einsum", "inner", "kron", "linalg.vecdot", "linalg.vector_norm", "matmul", "tensordot",
    "nn.functional.adaptive_avg_pool2d", "nn.functional.avg_pool2d", "nn.functional.batch_norm",
    "nn.functional.bilinear", "nn.functional.binary_cross_entropy_with_logits", "nn.functional.celu",
    "nn.functional.conv1d", "nn.functional.conv2d", "nn.functional.conv_transpose2d",
    "nn.functional.cosine_similarity", "nn.functional.cross_entropy", "nn.functional.gelu", "nn.functional.glu",
    "nn.functional.group_norm", "nn.functional.interpolate.bilinear", "nn.functional.kl_div",
    "nn.functional.layer_norm", "nn.functional.logsigmoid", "nn.functional.max_pool2d", "nn.functional.mish",
    "nn.functional.mse_loss", "nn.functional.normalize", "nn.functional.rms_norm", "nn.functional.smooth_l1_loss",
    "nn.functional.silu", "nn.functional.softplus", "softmax", "log_softmax", "nn.functional.triplet_margin_loss",
]
