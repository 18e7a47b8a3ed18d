"""The methods of functions of two arrays against those of NumPy's: at once, compiled, batched and differentiated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import RosinError
from tests.frontend.agree import check

RANDOM = np.random.default_rng(11)
FLOATS = RANDOM.standard_normal((3, 4, 5))
INTEGERS = RANDOM.integers(0, 200, (3, 4, 5))
TRUTHS = RANDOM.random((3, 4, 5)) > 0.3
CASES: dict[str, np.ndarray] = {
    **dict.fromkeys(("add", "multiply", "maximum", "minimum", "logaddexp"), FLOATS),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), INTEGERS),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), TRUTHS),
}
OUTER = (
    *("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "pow", "hypot", "atan2", "maximum"),
    *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logaddexp", "minimum"),
)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("axis", [-1, (0, 2), None], ids=str)
def test_reduce(name: str, axis: Any) -> None:
    x, own, theirs = CASES[name], getattr(rnp, name), getattr(np, name)
    check(lambda x: own.reduce(x, axis), x, expected=theirs.reduce(x, axis), tolerance=1e-12)
    kept = own.reduce(rnp.asarray(x), axis, keepdims=True)
    np.testing.assert_allclose(np.asarray(kept), theirs.reduce(x, axis, keepdims=True), rtol=1e-12)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("axis", [0, -1])
def test_accumulate(name: str, axis: int) -> None:
    x, own, theirs = CASES[name], getattr(rnp, name), getattr(np, name)
    check(lambda x: own.accumulate(x, axis), x, expected=theirs.accumulate(x, axis), tolerance=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_masks_and_first_elements(name: str) -> None:
    x, own, theirs = CASES[name], getattr(rnp, name), getattr(np, name)
    first = x.dtype.type(1)
    mask = np.arange(5) % 2 == 0
    mask[1] = True
    expected = theirs.reduce(x, 2, initial=first, where=mask)
    found = own.reduce(rnp.asarray(x), 2, initial=first.item(), where=mask)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["add", "multiply", "bitwise_and", "bitwise_or", "logical_and", "logical_xor"])
def test_no_elements(name: str) -> None:
    x = np.zeros((0, 3), CASES[name].dtype)
    np.testing.assert_array_equal(np.asarray(getattr(rnp, name).reduce(x)), getattr(np, name).reduce(x))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", OUTER)
def test_outer(name: str) -> None:
    a, b = np.abs(FLOATS[0]) + 0.1, np.abs(FLOATS[1, 0]) + 0.1
    check(getattr(rnp, name).outer, a, b, expected=getattr(np, name).outer(a, b), tolerance=1e-12)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "maximum", "minimum"])
def test_at(name: str) -> None:
    x, places, values = FLOATS[0].copy(), np.array([0, 2, 0]), FLOATS[1, :3]
    expected = x.copy()
    getattr(np, name).at(expected, places, values)
    function = getattr(rnp, name)
    check(lambda x, v: function.at(x, places, v, inplace=False), x, values, expected=expected, tolerance=1e-12)
    array = rnp.asarray(x.copy())
    assert function.at(array, places, values) is None
    np.testing.assert_allclose(np.asarray(array), expected, rtol=1e-12)


def test_element_types() -> None:
    x = INTEGERS.astype(np.uint8)
    assert rnp.add.reduce(x).dtype == rnp.sum(x, axis=0).dtype
    assert rnp.add.reduce(x, dtype="float64").dtype == rnp.float64
    assert rnp.bitwise_and.reduce(x).dtype == rnp.uint8
    assert rnp.logical_or.reduce(x).dtype == rnp.bool
    assert rnp.add.accumulate(x, dtype="float32").dtype == rnp.float32


def test_gradients() -> None:
    x = rnp.asarray(FLOATS[0])
    np.testing.assert_allclose(
        np.asarray(rosin.grad(lambda x: rnp.sum(rnp.subtract.outer(x, x) ** 2))(x)),
        4 * (x.size * FLOATS[0] - FLOATS[0].sum()),
        rtol=1e-12,
    )
    slope = rosin.grad(lambda x: rnp.sum(rnp.logaddexp.reduce(x, axis=1)))(x)
    np.testing.assert_allclose(np.asarray(rnp.sum(slope, axis=1)), np.ones(4), rtol=1e-12)


def test_errors() -> None:
    with pytest.raises(RosinError, match="axis 3"):
        rnp.bitwise_or.reduce(INTEGERS, axis=3)
    with pytest.raises(RosinError, match="initial"):
        rnp.maximum.reduce(FLOATS, where=FLOATS > 0)
    with pytest.raises(RosinError, match=r"add.at: assigns to an array of Rosin's, not to ndarray"):
        rnp.add.at(FLOATS, 0, 1.0)
    with pytest.raises(RosinError, match="not 2; of two in a plane"):
        rnp.cross(rnp.ones(2), rnp.ones(2))
