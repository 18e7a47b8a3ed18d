"""Cosine and sine transforms, and sizes that are fast, against SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.fft as wanted

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import check, near

found: Any = rosin.scipy.fft
RANDOM = np.random.default_rng(0)
NAMES = ("dct", "idct", "dst", "idst")


@pytest.mark.parametrize("name", ["hfft2", "hfftn", "ihfft2", "ihfftn"])
@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
def test_halves_of_several_axes(name: str, norm: str | None) -> None:
    x = RANDOM.standard_normal((3, 4, 5))
    if name.startswith("h"):
        x = x + 1j * RANDOM.standard_normal(x.shape)
    own, other = getattr(found, name), getattr(wanted, name)
    for options in ({}, {"s": (4, 6)}, {"axes": (0, 1)}):
        named = {**options, "norm": norm}
        check(lambda x, named=named: own(x, **named), x, expected=other(x, **named), tolerance=1e-12)
    with pytest.raises(AttributeValueError, match=f"{name[:-1]}n: norm is 'other'"):
        own(x, norm="other")


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_every_type_and_norm(name: str, kind: int, norm: str | None) -> None:
    for size in (1, 2, 3, 4, 5, 8, 9, 31):
        if kind == 1 and name.endswith("dct") and size == 1:
            continue
        x = RANDOM.standard_normal((3, size))
        for orthogonalize in (None, True, False):
            options = {"type": kind, "norm": norm, "orthogonalize": orthogonalize}
            near(getattr(found, name)(rnp.asarray(x), **options), getattr(wanted, name)(x, **options), 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_compiled_batched_and_cut(name: str) -> None:
    x = RANDOM.standard_normal((5, 8, 3))
    own, other = getattr(found, name), getattr(wanted, name)
    check(lambda x: own(x, n=6, axis=1), x, expected=other(x, n=6, axis=1), tolerance=1e-12)
    check(rosin.vmap(own, in_axes=1), x, expected=other(x.swapaxes(0, 1)), tolerance=1e-12)
    assert own(rnp.asarray(x, dtype=rnp.float32)).dtype == rnp.float32
    complex_numbers = x + 1j * RANDOM.standard_normal(x.shape)
    near(own(rnp.asarray(complex_numbers)), other(complex_numbers), 1e-12)


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_one_program_for_all_sizes(kind: int) -> None:
    transform = rosin.compile(lambda x: (found.dct(x, kind), found.dst(x, kind, norm="ortho")))
    for size in (4, 5, 6, 7, 50, 63):
        x = RANDOM.standard_normal((2, size))
        cosines, sines = transform(rnp.asarray(x))
        near(cosines, wanted.dct(x, kind), 1e-12)
        near(sines, wanted.dst(x, kind, norm="ortho"), 1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_derivatives_are_the_transforms_of_tangents(name: str, kind: int) -> None:
    x, direction, weights = RANDOM.standard_normal((3, 7))
    transform = getattr(found, name)
    tangent = rosin.jvp(lambda x: transform(x, kind), (rnp.asarray(x),), (rnp.asarray(direction),))[1]
    near(tangent, getattr(wanted, name)(direction, kind), 1e-12)
    gradient = rosin.grad(lambda x: rnp.sum(rnp.asarray(weights) * transform(x, kind)))(rnp.asarray(x))
    assert np.asarray(gradient) @ direction == pytest.approx(weights @ getattr(wanted, name)(direction, kind))


def test_sizes_that_are_fast() -> None:
    for size in [*range(1, 500), 1021, 10**6 + 1]:
        for real in (False, True):
            assert found.next_fast_len(size, real) == wanted.next_fast_len(size, real)
    assert found.next_fast_len(0) == 0


LINES = rnp.zeros((3, 4))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: found.dct(LINES, 5), AttributeValueError, "dct: the type is 1, 2, 3 or 4, not 5"),
        (lambda: found.idst(LINES, norm="all"), AttributeValueError, "idst: the norm is .* not 'all'"),
        (lambda: found.dct(rnp.zeros((3, 1)), 1), ShapeError, "dct: lines of type 1 have at least 2 elements, not 1"),
        (lambda: found.dct(LINES, axis=2), ShapeError, "dct: axis 2 is out of range for rank 2"),
        (lambda: found.dst(LINES, n=0), AttributeValueError, "dst: a size of 0 is not positive"),
        (lambda: found.dct([1.0, 2.0]), DTypeError, "dct takes arrays and numbers, not a list"),
        (lambda: found.next_fast_len(-1), AttributeValueError, "next_fast_len: a size of -1 is negative"),
        (lambda: found.next_fast_len(1.5), DTypeError, "next_fast_len: a size is an integer, not float"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
