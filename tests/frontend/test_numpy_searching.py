"""Binary search against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, ShapeError
from tests.frontend.agree import check
from tests.samples import REAL

RANDOM = np.random.default_rng(0)
TYPES = [d for d in REAL if d.name != "bf16"]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("side", ["left", "right"])
def test_every_type_and_length(dtype: DType, side: Any) -> None:
    for length in (0, 1, 2, 3, 5, 8, 31, 100):
        low = 0 if dtype.kind in ("uint", "bool") else -20
        line = np.sort(RANDOM.integers(low, 30, length).astype(dtype.numpy))
        wanted = RANDOM.integers(low, 40, (3, 7)).astype(dtype.numpy)
        expected = np.searchsorted(line, wanted, side).astype(np.int32)
        check(lambda a, b: rnp.searchsorted(a, b, side=side), line, wanted, expected=expected)


@pytest.mark.parametrize("side", ["left", "right"])
def test_special_numbers(side: Any) -> None:
    line = np.array([-np.inf, -1, -0.0, 0.0, 1, 1, np.inf, np.inf, np.nan, np.nan])
    wanted = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1, 5, -5])
    for end in (10, 8, 6):
        expected = np.searchsorted(line[:end], wanted, side).astype(np.int32)
        check(lambda a, b: rnp.searchsorted(a, b, side=side), line[:end], wanted, expected=expected)


def test_long_lines_scalars_and_mixed_types() -> None:
    line, wanted = np.sort(RANDOM.normal(size=100_003)), RANDOM.normal(size=5000)
    check(rnp.searchsorted, line, wanted, expected=np.searchsorted(line, wanted).astype(np.int32))
    check(lambda x: rnp.searchsorted(x, 0.5), line, expected=np.searchsorted(line, 0.5).astype(np.int32))
    edges, floats = np.arange(10, dtype=np.int32), np.array([2.5, 3.0, -1.0], np.float32)
    check(rnp.searchsorted, edges, floats, expected=np.array([3, 3, 0], np.int32))


def test_sorter() -> None:
    x, wanted = RANDOM.normal(size=50), RANDOM.normal(size=20)
    places = np.argsort(x)
    expected = np.searchsorted(x, wanted, sorter=places).astype(np.int32)
    check(lambda x, w, p: rnp.searchsorted(x, w, sorter=p), x, wanted, places, expected=expected)


def test_symbolic_sizes_and_batches() -> None:
    search = rosin.compile(rnp.searchsorted, dynamic={"x1": {0: "n"}, "x2": {0: "m"}})
    for n, m in ((1, 3), (2, 1), (7, 100), (1000, 5), (1024, 17)):
        line, wanted = np.sort(RANDOM.integers(0, 50, n).astype(np.float32)), RANDOM.uniform(-5, 60, m).astype("f4")
        np.testing.assert_array_equal(np.asarray(search(line, wanted)), np.searchsorted(line, wanted))
    assert len(search.signatures()) == 1
    lines, wanted = np.sort(RANDOM.normal(size=(4, 30)), -1), RANDOM.normal(size=(4, 9))
    expected = np.stack([np.searchsorted(a, b) for a, b in zip(lines, wanted, strict=True)]).astype(np.int32)
    check(rosin.vmap(rnp.searchsorted), lines, wanted, expected=expected)


def test_digitize() -> None:
    x = np.array([0.2, 6.4, 3.0, 1.6, -1.0, 10.0, 20.0])
    for bins in (np.array([0.0, 1.0, 2.5, 4.0, 10.0]), np.array([10.0, 4.0, 2.5, 1.0, 0.0]), np.array([3.0])):
        for right in (False, True):
            expected = np.digitize(x, bins, right).astype(np.int32)
            check(lambda x, b, r=right: rnp.digitize(x, b, right=r), x, bins, expected=expected)


def test_errors() -> None:
    with pytest.raises(AttributeValueError, match='side is "left" or "right", not \'middle\''):
        rnp.searchsorted(rnp.ones(3), 1.0, side="middle")
    with pytest.raises(ShapeError, match="searchsorted: x1 is a vector, not of rank 2"):
        rnp.searchsorted(rnp.ones((3, 2)), 1.0)
    with pytest.raises(ShapeError, match="the sorter is a vector, not of rank 0"):
        rnp.searchsorted(rnp.ones(3), 1.0, sorter=1)
    with pytest.raises(ShapeError, match="digitize: the bins are a vector, not of rank 0"):
        rnp.digitize(rnp.ones(3), 1.0)
