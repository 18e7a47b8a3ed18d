"""Activations, normalised exponentials, convolutions and pooling, against SciPy and against loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.special as sc

import rosin
from rosin import numpy as rnp
from rosin.frontend import nn
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import check, near

RANDOM = np.random.default_rng(2)
X = np.array([-90.0, -5.0, -1.0, -1e-3, 0.0, 1e-3, 0.5, 3.0, 90.0])

ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "relu": (nn.relu, lambda x: np.maximum(x, 0)),
    "leaky_relu": (lambda x: nn.leaky_relu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
    "elu": (lambda x: nn.elu(x, 1.5), lambda x: np.where(x > 0, x, 1.5 * np.expm1(np.minimum(x, 0)))),
    "gelu": (nn.gelu, lambda x: x * sc.ndtr(x)),
    "gelu_tanh": (
        lambda x: nn.gelu(x, approximate=True),
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "silu": (nn.silu, lambda x: x * sc.expit(x)),
    "sigmoid": (nn.sigmoid, sc.expit),
    "softplus": (nn.softplus, lambda x: np.logaddexp(x, 0)),
    "log_sigmoid": (nn.log_sigmoid, sc.log_expit),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    function, reference = ACTIVATIONS[name]
    check(function, X, expected=reference(X), tolerance=1e-12)
    single = X.astype(np.float32)
    check(function, single, expected=reference(X).astype(np.float32), tolerance=1e-5)
    assert np.isnan(np.asarray(function(np.array([np.nan])))).all()
    # The slope, against a difference, away from the kink.
    points = np.array([-3.0, -0.7, 0.4, 2.0])
    slopes = rosin.vmap(rosin.grad(function))(points)
    np.testing.assert_allclose(slopes, (reference(points + 1e-6) - reference(points - 1e-6)) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_finite_far_out(name: str) -> None:
    function = ACTIVATIONS[name][0]
    slopes = np.asarray(rosin.vmap(rosin.grad(function))(np.array([-1e4, -200.0, 0.0, 200.0, 1e4])))
    assert np.isfinite(slopes).all()


def test_relu_at_zero_and_of_integers() -> None:
    assert float(rosin.grad(nn.relu)(np.float32(0))) == 0
    near(nn.relu(np.array([-3, 4], np.int8)), np.array([0, 4], np.int8))


@pytest.mark.parametrize("axis", [-1, 0, (0, 2)])
def test_softmax(axis: Any) -> None:
    x = RANDOM.normal(size=(2, 3, 4)) * 300
    check(lambda x: nn.softmax(x, axis), x, expected=sc.softmax(x, axis), tolerance=1e-12)
    check(lambda x: nn.log_softmax(x, axis), x, expected=sc.log_softmax(x, axis), tolerance=1e-12)


def test_softmax_at_the_ends() -> None:
    x = np.array([1e4, -np.inf, 0.0], np.float32)
    near(nn.softmax(x), np.array([1, 0, 0], np.float32))
    near(nn.log_softmax(x), np.array([0, -np.inf, -1e4], np.float32))
    narrow = np.array([1.0, 2.0, 3.0]).astype(ml_dtypes.bfloat16)
    near(nn.softmax(narrow), sc.softmax([1.0, 2.0, 3.0]).astype(ml_dtypes.bfloat16), 4e-3)
    nothing = np.zeros((0, 2), np.float32)
    check(lambda x: (nn.softmax(x, 0), nn.log_softmax(x, 0)), nothing, expected=(nothing, nothing))


def test_derivatives_of_softmax() -> None:
    x = np.array([0.3, 0.3, -1.0])
    p = sc.softmax(x)
    near(rosin.jacrev(nn.softmax)(x), np.diag(p) - np.outer(p, p), 1e-13)
    near(rosin.jacfwd(nn.log_softmax)(x), np.eye(3) - p, 1e-13)


def test_one_hot() -> None:
    labels = np.array([[0, 2], [5, -1]], np.int8)
    expected = (labels[..., None] == np.arange(3)).astype(np.float32)
    check(lambda x: nn.one_hot(x, 3), labels, expected=expected)
    check(lambda x: nn.one_hot(x, 3, axis=0, dtype=bool), labels, expected=np.moveaxis(expected, -1, 0) > 0)
    check(
        lambda x: nn.one_hot(x, 300)[..., 200:],
        np.array([250], np.uint8),
        expected=np.eye(300, dtype=np.float32)[[250], 200:],
    )
    with pytest.raises(DTypeError, match="one_hot takes integers"):
        nn.one_hot(np.ones(2, np.float32), 3)


# -- convolutions and pooling, against sums over windows -------------------------------------------------------------


def _pairs(padding: Any, sizes: Any, reach: Any, strides: Any) -> list[tuple[int, int]]:
    if padding == "VALID":
        return [(0, 0)] * len(sizes)
    if padding == "SAME":
        totals = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(sizes, reach, strides, strict=True)]
        return [(t // 2, t - t // 2) for t in totals]
    return [(p, p) if isinstance(p, int) else p for p in padding]


def _windows(x: np.ndarray, window: Any, strides: Any, padding: Any, dilation: Any, fill: float) -> np.ndarray:
    """[N, C, places…, window…]."""
    reach = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    pairs = _pairs(padding, x.shape[2:], reach, strides)
    x = np.pad(x, [(0, 0), (0, 0), *pairs], constant_values=fill)
    counts = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, strides, strict=True)]
    result = np.zeros((*x.shape[:2], *counts, *window))
    for place in itertools.product(*map(range, counts)):
        spans = [slice(p * s, p * s + r, d) for p, s, r, d in zip(place, strides, reach, dilation, strict=True)]
        result[(slice(None), slice(None), *place)] = x[(slice(None), slice(None), *spans)]
    return result


def _conv(x: np.ndarray, w: np.ndarray, strides: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    patches = _windows(x, w.shape[2:], strides, padding, dilation, 0.0)
    n, rank = x.shape[0], w.ndim - 2
    places = patches.shape[2 : 2 + rank]
    patches = patches.reshape(n, groups, -1, *patches.shape[2:])
    kernels = w.reshape(groups, -1, *w.shape[1:])
    sums = [
        np.tensordot(patches[:, g], kernels[g], ((1, *range(2 + rank, 2 + 2 * rank)), tuple(range(1, 2 + rank))))
        for g in range(groups)
    ]
    return np.moveaxis(np.concatenate(sums, -1), -1, 1).reshape(n, -1, *places)


CASES: list[Any] = [
    ((2, 4, 7), (6, 4, 3), (1,), "VALID", (1,), 1),
    ((2, 4, 7), (6, 2, 3), (2,), "SAME", (1,), 2),
    ((1, 2, 6, 7), (3, 2, 3, 2), (1, 1), "SAME", (1, 1), 1),
    ((2, 4, 8, 7), (4, 1, 3, 3), (2, 1), "SAME", (1, 2), 4),
    ((1, 2, 8, 7), (3, 2, 3, 2), (3, 2), ((2, 0), 1), (2, 1), 1),
    ((1, 2, 4, 5, 4), (2, 2, 2, 3, 2), (1, 2, 1), "VALID", (1, 1, 1), 1),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_conv(case: Any) -> None:
    shape, kernel, strides, padding, dilation, groups = case
    x, w = RANDOM.normal(size=shape), RANDOM.normal(size=kernel)
    check(
        lambda x, w: nn.conv(x, w, strides=strides, padding=padding, dilation=dilation, groups=groups), x, w,
        expected=_conv(x, w, strides, padding, dilation, groups), tolerance=1e-11,
    )  # fmt: skip


def test_conv_takes_one_number_for_all_axes() -> None:
    x, w = RANDOM.normal(size=(1, 2, 6, 6)), RANDOM.normal(size=(2, 2, 3, 3))
    near(nn.conv(x, w, strides=2, padding=1, dilation=2), _conv(x, w, (2, 2), (1, 1), (2, 2), 1), 1e-11)
    near(nn.conv(x, w, padding="same"), _conv(x, w, (1, 1), "SAME", (1, 1), 1), 1e-11)
    whole = nn.conv(np.ones((1, 1, 3), np.int32), np.ones((1, 1, 2), np.float32))
    near(whole, np.full((1, 1, 2), 2, np.float32))


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", ["VALID", "SAME", 1, ((1, 0), (0, 2))])
@pytest.mark.parametrize("dilation", [1, 2])
def test_conv_transpose_is_the_transpose(strides: Any, padding: Any, dilation: int) -> None:
    kernel = RANDOM.normal(size=(3, 2, 3, 2))
    small = RANDOM.normal(size=(2, 3, 4, 5))
    large = nn.conv_transpose(small, kernel, strides=strides, padding=padding, dilation=dilation)
    if padding == "VALID":
        reach = [(n - 1) * dilation + 1 for n in (3, 2)]
        assert large.shape == (2, 2, 3 * strides[0] + reach[0], 4 * strides[1] + reach[1])
    if padding == "SAME":
        assert large.shape == (2, 2, 4 * strides[0], 5 * strides[1])
    probe = rnp.asarray(RANDOM.normal(size=large.shape))

    def down(y: Any) -> Any:
        return nn.conv(y, kernel, strides=strides, padding=padding, dilation=dilation)

    assert down(probe).shape == small.shape
    # <conv(probe), small> = <probe, conv_transpose(small)>
    assert float(rnp.sum(down(probe) * small)) == pytest.approx(float(rnp.sum(probe * large)), rel=1e-11)


@pytest.mark.parametrize("columns", [15, 17, 28])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("donates", [False, True])
def test_conv_transpose_to_few_channels(columns: int, outputs: int, donates: bool) -> None:
    """Vectors that lie over each other store again what is the same, also where results take donated memory."""
    small = RANDOM.normal(size=(2, 8, 5, columns)).astype(np.float32)
    kernel = RANDOM.normal(size=(8, outputs, 4, 4)).astype(np.float32)

    def f(x: Any, kernel: Any, beside: Any) -> Any:
        return rnp.tanh(nn.conv_transpose(x, kernel, strides=2, padding=1)) + beside

    beside = RANDOM.normal(size=(2, outputs, 10, 2 * columns)).astype(np.float32)
    expected = rosin.compile(f, target="interpreter")(small, kernel, beside)
    compiled = rosin.compile(f, donate_argnums=2 if donates else (), dynamic=False)
    near(compiled(small, kernel, rnp.asarray(beside.copy())), np.asarray(expected), 1e-5)


def test_conv_refuses() -> None:
    x, w = np.zeros((1, 4, 8, 8), np.float32), np.zeros((6, 4, 3, 3), np.float32)
    with pytest.raises(ShapeError, match="conv: the kernel has rank 3 and the input 4"):
        nn.conv(x, w[0])
    with pytest.raises(ShapeError, match="at least one spatial axis"):
        nn.conv(x[0, 0], w)
    with pytest.raises(ShapeError, match=r"2 feature groups|kernel"):
        nn.conv(x, w, groups=2)
    with pytest.raises(AttributeValueError, match="conv: strides is 0; it must be positive"):
        nn.conv(x, w, strides=0)
    with pytest.raises(AttributeValueError, match="strides has 3 entries for 2 spatial axes"):
        nn.conv(x, w, strides=(1, 1, 1))
    with pytest.raises(AttributeValueError, match="not 'FULL'"):
        nn.conv(x, w, padding="FULL")
    with pytest.raises(AttributeValueError, match="padding has 1 entries for 2 spatial axes"):
        nn.conv(x, w, padding=(1,))


POOLS: list[Any] = [
    ((2, 3, 7), (2,), None, "VALID", (1,)),
    ((1, 2, 6, 7), (2, 3), None, "SAME", (1, 1)),
    ((1, 2, 6, 7), (3, 3), (2, 1), ((1, 1), (0, 2)), (1, 2)),
    ((1, 1, 5, 4, 4), (2, 2, 2), (1, 2, 1), "VALID", (1, 1, 1)),
]


@pytest.mark.parametrize("case", POOLS, ids=str)
def test_pooling(case: Any) -> None:
    shape, window, strides, padding, dilation = case
    x = RANDOM.normal(size=shape)
    steps = strides or window
    inside = tuple(range(-len(window), 0))
    arguments = {"strides": strides, "padding": padding, "dilation": dilation}
    greatest = _windows(x, window, steps, padding, dilation, -np.inf).max(inside)
    check(lambda x: nn.max_pool(x, window, **arguments), x, expected=greatest)
    total = _windows(x, window, steps, padding, dilation, 0.0).sum(inside)
    count = _windows(np.ones_like(x), window, steps, padding, dilation, 0.0).sum(inside)
    check(lambda x: nn.avg_pool(x, window, **arguments), x, expected=total / count, tolerance=1e-12)
    check(
        lambda x: nn.avg_pool(x, window, count_padding=True, **arguments), x,
        expected=total / np.prod(window), tolerance=1e-12,
    )  # fmt: skip


def test_pooling_of_other_types() -> None:
    x = np.arange(16, dtype=np.int8).reshape(1, 1, 4, 4)
    near(nn.max_pool(x, 2), np.array([[[[5, 7], [13, 15]]]], np.int8))
    near(nn.avg_pool(x, 2), np.array([[[[2.5, 4.5], [10.5, 12.5]]]], np.float32))
    with pytest.raises(AttributeValueError, match="max_pool: window is 0"):
        nn.max_pool(x, 0)


def test_derivatives_of_layers() -> None:
    x, w = RANDOM.normal(size=(2, 2, 6, 6)), RANDOM.normal(size=(3, 2, 3, 3))

    def loss(x: Any, w: Any) -> Any:
        y = nn.max_pool(nn.gelu(nn.conv(x, w, padding="SAME", strides=(1, 2))), 2)
        z = nn.avg_pool(y, (2, 1), strides=1, padding="SAME")
        return -rnp.mean(nn.log_softmax(rnp.reshape(z, (2, -1)))[:, 3])

    for which, array in enumerate((x, w)):
        gradient = np.asarray(rosin.grad(loss, argnums=which)(x, w))
        direction = RANDOM.normal(size=array.shape)
        ends = [
            [rnp.asarray(v + s * 1e-6 * direction if i == which else v) for i, v in enumerate((x, w))] for s in (1, -1)
        ]
        slope = (float(loss(*ends[0])) - float(loss(*ends[1]))) / 2e-6
        assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-5)


def test_the_public_names() -> None:
    assert rosin.nn is nn
    for name in nn.__all__:
        assert callable(getattr(nn, name))
