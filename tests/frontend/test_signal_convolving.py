"""Convolutions and correlations against SciPy's: modes, methods, ranks, element types, boundaries, derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.signal as wanted

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import check, near

found: Any = rosin.scipy.signal
RANDOM = np.random.default_rng(0)
SHAPES = [
    ((7,), (3,)),
    ((3,), (7,)),
    ((8,), (8,)),
    ((1,), (1,)),
    ((300,), (200,)),
    ((5, 6), (2, 3)),
    ((2, 3), (5, 6)),
    ((4, 4, 5), (2, 3, 2)),
]


def numbers(shape: tuple[int, ...], kind: str) -> Any:
    if kind == "integer":
        return RANDOM.integers(-9, 9, shape)
    x = RANDOM.standard_normal(shape)
    return x if kind == "real" else x + 1j * RANDOM.standard_normal(shape)


def close(x: Any, y: Any) -> None:
    assert np.asarray(x).dtype == y.dtype
    np.testing.assert_allclose(np.asarray(x), y, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("kind", ["integer", "real", "complex"])
def test_modes_and_methods(name: str, mode: str, kind: str) -> None:
    for shapes in SHAPES:
        x, y = (numbers(shape, kind) for shape in shapes)
        expected = getattr(wanted, name)(x, y, mode, "direct")
        for method in ("auto", "direct", "fft"):
            close(getattr(found, name)(rnp.asarray(x), rnp.asarray(y), mode, method), expected)
        if name == "convolve" and kind != "integer":
            close(found.fftconvolve(rnp.asarray(x), rnp.asarray(y), mode), wanted.fftconvolve(x, y, mode))


@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
def test_boundaries(name: str, mode: str, boundary: str) -> None:
    for shapes in SHAPES[5:7]:
        for kind in ("integer", "real"):
            x, y = (numbers(shape, kind) for shape in shapes)
            expected = getattr(wanted, name)(x, y, mode, boundary, 3)
            close(getattr(found, name)(rnp.asarray(x), rnp.asarray(y), mode, boundary, 3), expected)


def test_along_some_axes() -> None:
    x, y = numbers((4, 9), "real"), numbers((1, 5), "real")
    for mode in ("full", "same", "valid"):
        check(
            lambda x, y, mode=mode: found.fftconvolve(x, y, mode, axes=1),
            x,
            y,
            expected=wanted.fftconvolve(x, y, mode, axes=1),
            tolerance=1e-11,
        )


def test_compiled_batched_and_symbolic() -> None:
    x, y = numbers((3, 40), "real"), numbers((3, 9), "real")
    expected = np.stack([wanted.convolve(a, b) for a, b in zip(x, y, strict=True)])
    check(rosin.vmap(found.convolve), x, y, expected=expected, tolerance=1e-12)
    convolve = rosin.compile(lambda x, y: (found.convolve(x, y), found.fftconvolve(x, y, "same")))
    for n, m in ((20, 5), (30, 7), (31, 8)):
        x, y = numbers((n,), "real"), numbers((m,), "real")
        both = convolve(rnp.asarray(x), rnp.asarray(y))
        near(both[0], wanted.convolve(x, y), 1e-11)
        near(both[1], wanted.fftconvolve(x, y, "same"), 1e-11)


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_derivatives(method: str) -> None:
    x, y, d, e = (numbers((n,), "real") for n in (12, 5, 12, 5))

    def total(x: Any, y: Any) -> Any:
        return rnp.sum(rnp.sin(found.correlate(x, y, "same", method)))

    gradients = rosin.grad(total, argnums=(0, 1))(rnp.asarray(x), rnp.asarray(y))
    along = sum(np.asarray(g) @ v for g, v in zip(gradients, (d, e), strict=True))
    step = 1e-6
    ahead, behind = (float(total(rnp.asarray(x + s * d), rnp.asarray(y + s * e))) for s in (step, -step))
    assert along == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


A, B = rnp.zeros(4), rnp.zeros((2, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: found.convolve(A, B), ShapeError, "convolve: operands have ranks 1 and 2"),
        (lambda: found.convolve(A, A, "half"), AttributeValueError, "convolve: the mode is .* not 'half'"),
        (lambda: found.correlate(A, A, "full", "slow"), AttributeValueError, "the method is .* not 'slow'"),
        (
            lambda: found.convolve(B, rnp.zeros((1, 3)), "valid"),
            ShapeError,
            "at least as large as the other along every",
        ),
        (lambda: found.convolve2d(A, A), ShapeError, "convolve2d: takes matrices, not arrays of rank 1"),
        (lambda: found.convolve2d(B, B, boundary="edge"), AttributeValueError, "the boundary is .* not 'edge'"),
        (lambda: found.fftconvolve(B, rnp.zeros((3, 2)), axes=1), ShapeError, "do not broadcast"),
        (lambda: found.convolve([1], [2]), DTypeError, "convolve takes arrays and numbers, not a list"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
