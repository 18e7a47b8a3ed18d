"""Large matrices in strips: factors and solutions where sizes end within strips, tiles and vectors, on any threads."""

from collections.abc import Iterator

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.backends.llvm.routines import routine_for
from rosin.runtime import threads
from rosin.scipy import linalg

RNG = np.random.default_rng(0)
SIZES = (9, 31, 33, 47, 49, 96, 97, 143, 201, 415)
TOLERANCE = {"float32": 2e-6, "float64": 1e-14}

over_dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


@pytest.fixture(autouse=True)
def same_number_after() -> Iterator[None]:
    before = threads.num_threads()
    yield
    threads.set_num_threads(before)


def draw(dtype: str, *shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(dtype)


def positive(dtype: str, *shape: int) -> np.ndarray:
    x = draw(dtype, *shape)
    return x @ np.swapaxes(x, -1, -2) + shape[-1] * np.eye(shape[-1], dtype=dtype)


@over_dtypes
@pytest.mark.parametrize("n", SIZES)
def test_factors(dtype: str, n: int) -> None:
    a = positive(dtype, n, n)
    found = np.asarray(rosin.compile(rnp.linalg.cholesky)(a))
    expected = np.linalg.cholesky(a.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[dtype] * np.abs(expected).max())
    np.testing.assert_array_equal(np.triu(found, 1), 0)


@over_dtypes
@pytest.mark.parametrize("row", [0, 60, 96])
def test_no_factor(dtype: str, row: int) -> None:
    a = positive(dtype, 3, 97, 97)
    a[1, row, row] = -1
    found = np.asarray(rosin.compile(rnp.linalg.cholesky)(a))
    np.testing.assert_array_equal(np.isnan(found[1]), np.tril(np.ones((97, 97), bool)))
    assert np.isfinite(found[::2]).all()


@over_dtypes
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("n", "columns"), [(33, 12), (47, 24), (97, 25), (100, 49), (201, 200), (330, 13)])
def test_solutions(dtype: str, transposed: bool, n: int, columns: int) -> None:
    a, b = draw(dtype, n, n) + 2 * np.eye(n, dtype=dtype) * n**0.5, draw(dtype, n, columns)

    def solve(a: rosin.Array, b: rosin.Array) -> rosin.Array:
        return linalg.lu_solve(linalg.lu_factor(a), b, trans=int(transposed))

    found = np.asarray(rosin.compile(solve)(a, b))
    expected = np.linalg.solve((a.T if transposed else a).astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[dtype] * 20 * np.abs(expected).max())


@over_dtypes
def test_any_number_of_threads_gives_the_same_numbers(dtype: str) -> None:
    a, b = positive(dtype, 450, 450), draw(dtype, 450, 210)
    factor, solve = rosin.compile(rnp.linalg.cholesky), rosin.compile(rnp.linalg.solve)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for number in (1, 2, 3):
        threads.set_num_threads(number)
        found.append((np.asarray(factor(a)), np.asarray(solve(a, b))))
    for one in found[1:]:
        for x, y in zip(one, found[0], strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("name", "numbers", "found"),
    [
        ("cholesky_f64", (1, 1, 0, 33, 33), "cholesky.strips_f64"),
        ("cholesky_c64", (1, 1, 0, 33, 33), "cholesky.lapack_c64"),
        ("cholesky_f64", (100, 16, 0, 16, 16), "cholesky.short_f64"),
        ("cholesky_f64", (100, 16, 0, 17, 17), "cholesky.lanes_f64"),
        ("lu_solve_f64", (1, 1, 0, 33, 11, 0), "lu_solve.lapack_f64"),
        ("lu_solve_f64", (1, 1, 0, 33, 12, 0), "lu_solve.strips_f64"),
        ("lu_solve_c128", (1, 1, 0, 33, 33, 0), "lu_solve.lapack_c128"),
    ],
)
def test_sizes_decide_which_way_matrices_go(name: str, numbers: tuple[int, ...], found: str) -> None:
    assert routine_for(name, numbers, 64) == found
