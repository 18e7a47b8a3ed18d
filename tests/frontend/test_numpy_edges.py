"""Functions at the edges of what they take: truth values, complex numbers, other widths, no elements, no end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError
from tests.frontend.agree import check, near

Z = np.array([[1 + 2j, -3 + 0.5j, 2 - 1j], [700 - 1j, 699 + 2j, -700 + 1j]])


def test_sums_and_products_as_truth_values() -> None:
    x = np.array([[1, 0], [0, 0], [2, 3]], np.int8)
    check(lambda x: rnp.sum(x, axis=1, dtype=bool), x, expected=np.array([True, False, True]))
    check(lambda x: rnp.prod(x, axis=1, dtype=bool), x, expected=np.array([False, False, True]))
    check(lambda x: rnp.sum(x, dtype=bool, keepdims=True), x > 1, expected=np.array([[True]]))


def test_truth_values_are_real_numbers() -> None:
    check(rnp.isreal, np.array([True, False]), expected=np.array([True, True]))
    check(rnp.iscomplex, np.array([True, False]), expected=np.array([False, False]))


def test_logarithms_of_sums_of_complex_exponentials() -> None:
    top = Z.real.max(1)
    expected = np.log(np.exp(Z - top[:, None]).sum(1)) + top
    check(lambda z: rnp.logsumexp(z, axis=1), Z, expected=expected, tolerance=1e-13)
    pair = np.log(np.exp(Z[:, 0] - top) + np.exp(Z[:, 1] - top)) + top
    check(lambda z: rnp.logaddexp(z[:, 0], z[:, 1]), Z, expected=pair, tolerance=1e-13)


@pytest.mark.parametrize("bounds", [(0, float("inf")), (float("-inf"), 1), (0, 1, float("nan"))])
def test_a_range_without_an_end_is_refused(bounds: Any) -> None:
    with pytest.raises(AttributeValueError, match="arange: bounds and step are finite, not"):
        rnp.arange(*bounds)


def test_powers_are_taken_in_the_type_that_is_asked_for() -> None:
    near(rnp.logspace(0, 1.2, 3, dtype="float64"), np.logspace(0, 1.2, 3), 1e-14)
    near(rnp.geomspace(1, 7, 4, dtype="float64"), np.geomspace(1, 7, 4), 1e-14)


def test_densities_have_the_precision_of_the_edges() -> None:
    x = np.random.default_rng(0).normal(size=20)
    found = rnp.histogram(x, np.array([-2.0, -0.3, 0.4, 2.5]), density=True)[0]
    near(found, np.histogram(x, [-2.0, -0.3, 0.4, 2.5], density=True)[0], 1e-14)


def test_counts_of_bytes_and_positions_beyond_their_type() -> None:
    near(rnp.bincount(np.array([3, 0, 3], np.uint8)), np.array([1, 0, 0, 2], np.int32))
    near(rnp.bincount(np.zeros(0, np.uint8)), np.zeros(0, np.int32))
    places = np.array([5, 200], np.uint8)
    rows, columns = rnp.unravel_index(places, (1 << 20, 1 << 20))
    near(rows, np.zeros(2, np.int64))
    near(columns, places.astype(np.int64))


@pytest.mark.parametrize("order", [1, 1.5, 2, 3])
def test_norms_of_zero_have_the_slope_zero(order: float) -> None:
    zero = np.zeros(3)
    near(rosin.grad(lambda x: rnp.vector_norm(x, ord=order))(zero), zero)
    near(rosin.jvp(lambda x: rnp.vector_norm(x, ord=order), (zero,), (np.ones(3),))[1], np.asarray(0.0))
    near(rnp.vector_norm(zero, ord=order), np.asarray(0.0))
    near(rosin.grad(lambda x: rnp.vector_norm(x, ord=order))(np.array([0.0, 2.0, 0.0])), np.array([0.0, 1.0, 0.0]))


def test_factors_of_matrices_of_no_elements() -> None:
    nothing = np.zeros((2, 0, 3), np.float32)
    near(rnp.linalg.svdvals(nothing), np.zeros((2, 0), np.float32))
    near(rnp.linalg.norm(np.zeros((0, 0), np.float32), "nuc"), np.asarray(0, np.float32))
    factors = rosin.scipy.linalg.lu_factor(np.zeros((0, 0)))
    near(rosin.scipy.linalg.lu_solve(factors, np.zeros((0, 2))), np.zeros((0, 2)))
