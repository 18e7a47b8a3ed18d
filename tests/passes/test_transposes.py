"""Arrays whose axes change places: squares of memory are turned, whatever sizes are known when a program compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.runtime import threads

SIZES = [(1, 1), (3, 7), (7, 3), (16, 16), (17, 40), (40, 17), (48, 96), (96, 48), (100, 259), (5, 1000), (1000, 5)]


def turned(x: Any) -> Any:
    return rnp.matrix_transpose(x)


def turned_beside(x: Any) -> Any:
    """One operand that is turned, and another one that lies as the result does."""
    return rnp.matrix_transpose(x) * 2 + rnp.ones((x.shape[1], x.shape[0]), x.dtype)


def folded(x: Any) -> Any:
    """What is folded lies across what is kept."""
    return rnp.sum(rnp.stack([x, x + 1], axis=-1), axis=(0, 2), dtype=x.dtype)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("axes", [(), (0, 1), (0,), (1,)], ids=["static", "all", "rows", "columns"])
@pytest.mark.parametrize("dtype", [np.int8, np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("f", [turned, turned_beside, folded])
@pytest.mark.thinned(8)
def test_any_sizes(f: Callable[[Any], Any], dtype: Any, axes: tuple[int, ...], number: int) -> None:
    """Sizes that sixteen divides and others, whichever of rows and columns were more at first."""
    rng = np.random.default_rng(0)
    before = threads.num_threads()
    threads.set_num_threads(number)
    try:
        for first in ((48, 96), (96, 48)):
            program = rosin.compile(f, dynamic={"x": axes} if axes else False)
            for shape in (first, *SIZES):
                if len(axes) < 2:
                    program = rosin.compile(f, dynamic={"x": axes} if axes else False)
                    program(np.ones([first[axis] if axis in axes else n for axis, n in enumerate(shape)], dtype))
                x = np.rint(10 * rng.standard_normal(shape)).astype(dtype)
                wanted = {turned: x.T, turned_beside: x.T * dtype(2) + dtype(1)}
                result = wanted[f] if f in wanted else (2 * x + dtype(1)).sum(axis=0, dtype=dtype)
                np.testing.assert_array_equal(program(x), result)
    finally:
        threads.set_num_threads(before)
