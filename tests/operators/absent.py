"""The operators that no table has, each under the reason. docs/operators.md shows them, and tests compare both."""

from __future__ import annotations

# fmt: off
ABSENT: dict[str, list[str]] = {
    "their results are random, and so compared with no other's": [
        "bernoulli", "cauchy", "exponential", "geometric", "log_normal", "multinomial", "normal", "normal.in_place",
        "normal.number_mean", "rand_like", "randint", "randint_like", "randn", "randn_like", "uniform",
        "nn.functional.alpha_dropout", "nn.functional.dropout", "nn.functional.dropout2d",
        "nn.functional.dropout3d", "nn.functional.feature_alpha_dropout.with_train",
        "nn.functional.feature_alpha_dropout.without_train", "nn.functional.fractional_max_pool2d",
        "nn.functional.fractional_max_pool3d", "pca_lowrank", "svd_lowrank",
    ],
    "they are about strides in memory, or write in place": [
        "as_strided", "as_strided.partial_views", "as_strided_copy", "as_strided_scatter", "empty_permuted",
        "empty_strided", "new_empty_strided", "resize_", "resize_as_",
    ],
    "PyTorch has them for its own derivatives and kernels": [
        "_batch_norm_with_update", "_chunk_cat", "_native_batch_norm_legit", "_softmax_backward_data",
        "_unsafe_masked_index", "_unsafe_masked_index_put_accumulate", "hash_tensor",
        "max_pool2d_with_indices_backward", "native_dropout_backward",
        "torch.ops.aten._efficient_attention_forward", "torch.ops.aten._flash_attention_forward",
    ],
    "they have no samples on a CPU": [
        "bmm.triton_optimized", "jiterator_2inputs_2outputs", "jiterator_4inputs_with_extra_args",
        "jiterator_binary", "jiterator_binary_return_by_ref", "jiterator_unary",
        "nn.functional.batch_norm.without_cudnn",
    ],
    "Rosin has no such element type or layout (complex halves, float8, sparse arrays)": [
        "chalf", "sparse.mm.reduce", "sparse.sampled_addmm", "to_sparse", "torch._scaled_mm", "torch._scaled_mm_v2",
    ],
    "degrees of polynomials are Python integers here, and arrays of numbers there": [
        "special.chebyshev_polynomial_t", "special.chebyshev_polynomial_u", "special.chebyshev_polynomial_v",
        "special.chebyshev_polynomial_w", "special.hermite_polynomial_h", "special.hermite_polynomial_he",
        "special.laguerre_polynomial_l", "special.legendre_polynomial_p", "special.shifted_chebyshev_polynomial_t",
        "special.shifted_chebyshev_polynomial_u", "special.shifted_chebyshev_polynomial_v",
        "special.shifted_chebyshev_polynomial_w",
    ],
    "the functions of SciPy that Rosin has in their place scale, pad and order the parts of a signal differently": [
        "istft", "stft",
    ],
    "factors are given as the matrices that they stand for, not packed with reflectors and exchanges": [
        "geqrf", "linalg.householder_product", "lu_unpack", "ormqr",
    ],
    "Rosin has no such function": [
        "_segment_reduce.lengths", "_segment_reduce.offsets", "_upsample_bilinear2d_aa", "linalg.ldl_factor",
        "linalg.ldl_factor_ex", "linalg.ldl_solve", "mode", "nn.functional.ctc_loss",
        "nn.functional.embedding_bag", "nn.functional.max_unpool1d", "nn.functional.max_unpool1d.grad",
        "nn.functional.max_unpool2d", "nn.functional.max_unpool2d.grad", "nn.functional.max_unpool3d",
        "nn.functional.max_unpool3d.grad", "special.airy_ai", "unique_consecutive",
    ],
    "it takes all weights of a layer, of which Rosin has a class": ["nn.functional.multi_head_attention_forward"],
    "PyTorch's median is the lower one of two, which the masked one of Rosin's does not offer": ["masked.median"],
}
# fmt: on


def page() -> str:
    """The table of docs/operators.md."""
    rows = [f"| {reason} | {', '.join(f'`{name}`' for name in names)} |" for reason, names in ABSENT.items()]
    return "\n".join(["| because | there is no line for |", "|---|---|", *rows])
