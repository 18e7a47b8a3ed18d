"""Normalisations, distances, affine maps and attention against what they are defined as."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.spatial.distance as distance
import scipy.special as sc

import rosin
from rosin import nn
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import check, near
from tests.frontend.nn.slopes import check_batch, check_slopes

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(2, 6, 3, 4)) * 3 + 1
W, B = RANDOM.normal(size=6), RANDOM.normal(size=6)


def _standard(x: np.ndarray, axes: tuple[int, ...], eps: float = 1e-5) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def _channels(x: np.ndarray) -> np.ndarray:
    return x * W[:, None, None] + B[:, None, None]


NORMS: dict[str, Any] = {
    "batch": (lambda x, w, b: nn.batch_norm(x, None, None, w, b), _channels(_standard(X, (0, 2, 3)))),
    "instance": (nn.instance_norm, _channels(_standard(X, (2, 3)))),
    "group": (
        lambda x, w, b: nn.group_norm(x, 3, w, b),
        _channels(_standard(X.reshape(2, 3, 2, 3, 4), (2, 3, 4)).reshape(X.shape)),
    ),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_of_channels(name: str) -> None:
    norm, expected = NORMS[name]
    check(norm, X, W, B, expected=expected, tolerance=1e-10)
    check_slopes(norm, X, W, B, tolerance=1e-5)
    check_batch(norm, X, W, B)
    with pytest.raises(ShapeError, match="weight has one number for each of 6"):
        norm(X, W[:2], B)


def test_batch_norm_with_given_statistics() -> None:
    mean, var = RANDOM.normal(size=6), RANDOM.uniform(0.5, 2, size=6)
    expected = _channels((X - mean[:, None, None]) / np.sqrt(var[:, None, None] + 1e-5))
    check(nn.batch_norm, X, mean, var, W, B, expected=expected, tolerance=1e-11)
    check_slopes(nn.batch_norm, X, mean, var, W, B, tolerance=1e-5)
    with pytest.raises(AttributeValueError, match="mean and variance are given together"):
        nn.batch_norm(X, mean)


def test_norms_of_the_last_axes() -> None:
    weight, bias = RANDOM.normal(size=(3, 4)), RANDOM.normal(size=(3, 4))
    check(lambda x, w, b: nn.layer_norm(x, (3, 4), w, b), X, weight, bias,
          expected=_standard(X, (2, 3)) * weight + bias, tolerance=1e-11)  # fmt: skip
    check_slopes(lambda x, w, b: nn.layer_norm(x, (3, 4), w, b), X, weight, bias, tolerance=1e-5)
    root = np.sqrt((X**2).mean(-1, keepdims=True) + 0.1)
    check(lambda x, w: nn.rms_norm(x, 4, w, eps=0.1), X, weight[0], expected=X / root * weight[0], tolerance=1e-12)
    check_slopes(lambda x, w: nn.rms_norm(x, 4, w, eps=0.1), X, weight[0])
    with pytest.raises(ShapeError, match=r"normalized_shape \(4, 3\) is that of the last axes"):
        nn.layer_norm(X, (4, 3))
    with pytest.raises(ShapeError, match="weight and bias have the normalized_shape"):
        nn.layer_norm(X, (4,), W)
    with pytest.raises(DTypeError, match="rms_norm: takes real numbers"):
        nn.rms_norm(X * 1j, 4)


def test_narrow_floats_are_normalised_in_f32() -> None:
    x = (np.arange(64) % 7 + 1000).astype(ml_dtypes.bfloat16)
    found = np.asarray(nn.layer_norm(x, (64,))).astype(np.float64)
    np.testing.assert_allclose(found, _standard(x.astype(np.float64), (0,)), atol=0.02)


def test_one_program_for_every_batch_size() -> None:
    def norm(x: Any) -> Any:
        return nn.layer_norm(nn.group_norm(nn.instance_norm(nn.batch_norm(x)), 3), x.shape[2:])

    compiled = rosin.compile(norm, dynamic={"x": rosin.spec("f64[n, 6, 3, 4]")})
    for n in (2, 3, 5):
        x = rnp.asarray(RANDOM.normal(size=(n, 6, 3, 4)))
        near(compiled(x), np.asarray(norm(x)), 1e-11)


def test_local_response_norm() -> None:
    squares = np.pad(X**2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    near_mean = sum(squares[:, i : i + 6] for i in range(3)) / 3
    expected = X / (2 + 0.1 * near_mean) ** 0.6

    def norm(x: Any) -> Any:
        return nn.local_response_norm(x, 3, alpha=0.1, beta=0.6, k=2)

    check(norm, X, expected=expected, tolerance=1e-12)
    check_slopes(norm, X)


# -- distances ---------------------------------------------------------------------------------------------------------

METRICS = {1.0: "cityblock", 2.0: "euclidean", math.inf: "chebyshev"}


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5, math.inf])
def test_distances_of_rows(p: float) -> None:
    a, b = RANDOM.normal(size=(5, 4)), RANDOM.normal(size=(3, 4))
    kind: Any = {"metric": METRICS[p]} if p in METRICS else {"metric": "minkowski", "p": p}
    check(lambda a, b: nn.cdist(a, b, p=p), a, b, expected=distance.cdist(a, b, **kind), tolerance=1e-12)
    check(lambda a: nn.pdist(a, p=p), a, expected=distance.pdist(a, **kind), tolerance=1e-12)
    check_slopes(lambda a, b: nn.cdist(a, b, p=p), a, b)
    check_batch(lambda a: nn.pdist(a, p=p), a)
    expected = (np.abs(a - b[0] + 1e-6) ** p).sum(-1) ** (1 / p) if p < math.inf else np.abs(a - b[0] + 1e-6).max(-1)
    check(lambda a, b: nn.pairwise_distance(a, b, p=p), a, b[0], expected=expected, tolerance=1e-12)


def test_slopes_of_distances_of_equal_rows_are_zero() -> None:
    a = np.ones((3, 2))
    for p in (1.0, 2.0, 3.0):
        slope = rosin.grad(lambda a, p=p: rnp.sum(nn.cdist(a, a, p=p)))(a)
        near(slope, np.zeros((3, 2)))


def test_units_and_angles() -> None:
    a, b = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(4, 3))
    length = np.linalg.norm(a, axis=1, keepdims=True)
    check(nn.normalize, a, expected=a / length, tolerance=1e-13)
    check(lambda a: nn.normalize(a, p=1, axis=0), a, expected=a / np.abs(a).sum(0), tolerance=1e-13)
    cosine = (a * b).sum(1) / length[:, 0] / np.linalg.norm(b, axis=1)
    check(nn.cosine_similarity, a, b, expected=cosine, tolerance=1e-12)
    check_slopes(nn.cosine_similarity, a, b)
    near(nn.normalize(np.zeros((1, 3))), np.zeros((1, 3)))
    assert np.isfinite(np.asarray(rosin.grad(lambda a: nn.cosine_similarity(a, b[0], axis=0))(np.zeros(3)))).all()


def test_distances_refuse() -> None:
    with pytest.raises(ShapeError, match="cdist: takes matrices of rows of one length"):
        nn.cdist(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(AttributeValueError, match="pdist: p is -1"):
        nn.pdist(np.ones((2, 3)), p=-1)


# -- affine maps and tables --------------------------------------------------------------------------------------------


def test_affine_maps() -> None:
    x, w, b = RANDOM.normal(size=(2, 5, 3)), RANDOM.normal(size=(4, 3)), RANDOM.normal(size=4)
    check(nn.linear, x, w, b, expected=x @ w.T + b, tolerance=1e-12)
    check(nn.linear, x, w[0], expected=x @ w[0], tolerance=1e-12)
    check_slopes(nn.linear, x, w, b)
    with pytest.raises(ShapeError, match=r"linear: takes x\[…, I\] and weight\[O, I\]"):
        nn.linear(x, w.T)
    y, k = RANDOM.normal(size=(2, 5, 2)), RANDOM.normal(size=(4, 3, 2))
    check(nn.bilinear, x, y, k, b, expected=np.einsum("...i,oij,...j->...o", x, k, y) + b, tolerance=1e-12)
    check_slopes(nn.bilinear, x, y, k, b)


def test_embedding() -> None:
    table, places = RANDOM.normal(size=(5, 3)), np.array([[0, 4], [2, 0]])
    check(nn.embedding, places, table, expected=table[places])
    slope = rosin.grad(lambda t: rnp.sum(nn.embedding(places, t, padding_idx=-5)))(table)
    near(slope, np.array([[0], [0], [1], [0], [1]]) * np.ones((5, 3)))
    with pytest.raises(AttributeValueError, match="a table of 5 rows has no row 5"):
        nn.embedding(places, table, padding_idx=5)
    with pytest.raises(DTypeError, match="indices are integers"):
        nn.embedding(table, table)


# -- attention ---------------------------------------------------------------------------------------------------------

Q, K, V = RANDOM.normal(size=(2, 3, 4, 5)), RANDOM.normal(size=(2, 3, 6, 5)), RANDOM.normal(size=(2, 3, 6, 2))


def _attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, bias: Any = 0.0, scale: float = 1 / math.sqrt(5)
) -> np.ndarray:
    return sc.softmax(q @ np.swapaxes(k, -1, -2) * scale + bias, axis=-1) @ v


def test_attention() -> None:
    attend = nn.scaled_dot_product_attention
    check(attend, Q, K, V, expected=_attention(Q, K, V), tolerance=1e-12)
    check(lambda q, k, v: attend(q, k, v, scale=0.3), Q, K, V, expected=_attention(Q, K, V, scale=0.3), tolerance=1e-12)
    bias = RANDOM.normal(size=(4, 6))
    check(attend, Q, K, V, bias, expected=_attention(Q, K, V, bias), tolerance=1e-12)
    causal = np.where(np.tri(4, 6, dtype=bool), 0, -np.inf)
    check(
        lambda q, k, v: attend(q, k, v, is_causal=True), Q, K, V, expected=_attention(Q, K, V, causal), tolerance=1e-12
    )
    check_slopes(attend, Q, K, V)
    check_slopes(lambda q, k, v: attend(q, k, v, is_causal=True), Q, K, V)
    check_batch(attend, Q, K, V)


@pytest.mark.parametrize("length", [130, 800])
def test_causal_attention_over_long_lines(length: int) -> None:
    """The mask, which depends on no argument, is a large array; longer lines are cut in bands."""
    q, k, v = (RANDOM.normal(size=(2, length, 5)) for _ in range(3))
    expected = _attention(q, k, v, np.where(np.tri(length, dtype=bool), 0, -np.inf))
    found = rosin.compile(lambda q, k, v: nn.scaled_dot_product_attention(q, k, v, is_causal=True))(q, k, v)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_a_query_that_sees_nothing_gets_zeros_and_finite_slopes() -> None:
    mask = np.ones((4, 6), bool)
    mask[1] = False

    def attend(q: Any, k: Any, v: Any) -> Any:
        return nn.scaled_dot_product_attention(q, k, v, mask)

    expected = _attention(Q, K, V)
    expected[:, :, 1] = 0
    check(attend, Q, K, V, expected=expected, tolerance=1e-12)
    check_slopes(attend, Q, K, V)


def test_shared_heads() -> None:
    attend = nn.scaled_dot_product_attention
    k, v = K[:, :1], V[:, :1]
    check(lambda q, k, v: attend(q, k, v, enable_gqa=True), Q, k, v,
          expected=_attention(Q, np.repeat(k, 3, 1), np.repeat(v, 3, 1)), tolerance=1e-12)  # fmt: skip
    with pytest.raises(ShapeError, match="2 heads do not divide the 3 of the query"):
        attend(Q, np.repeat(k, 2, 1), np.repeat(v, 2, 1), enable_gqa=True)
    with pytest.raises(AttributeValueError, match="there is a mask, so is_causal cannot make one"):
        attend(Q, K, V, np.ones((4, 6), bool), is_causal=True)
