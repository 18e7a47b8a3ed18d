"""Eigenvectors of matrices that are cut in half: such as are hard to cut, in all types and widths of vectors."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.ops.eigen import Eigh
from rosin.runtime import threads
from tests.backends.llvm.test_kernels import graph_of, run

RNG = np.random.default_rng(0)
SIZES = (33, 40, 65, 150)
DTYPES = ("float32", "float64", "complex64", "complex128")
ROUNDINGS = 60
"""So many times the rounding of its greatest number may a matrix be off, and vectors be off being orthonormal. LAPACK
is by up to 40 for the same matrices."""

Matrix = np.ndarray


@pytest.fixture(autouse=True)
def same_number_after() -> Iterator[None]:
    before = threads.num_threads()
    yield
    threads.set_num_threads(before)


def three_diagonals(main: Matrix, beside: Matrix) -> Matrix:
    return np.diag(main) + np.diag(beside, 1) + np.diag(beside, -1)


def symmetric(n: int) -> Matrix:
    x = RNG.standard_normal((n, n))
    return x + x.T


def of_values(values: Matrix) -> Matrix:
    q, _ = np.linalg.qr(RNG.standard_normal((len(values), len(values))))
    return (q * values) @ q.T


def scaled(a: Matrix, scale: Matrix) -> Matrix:
    return a * scale * scale[:, None]


HARD: dict[str, Callable[[int], Matrix]] = {
    "any": symmetric,
    "zero": lambda n: np.zeros((n, n)),
    "one": np.eye,
    "diagonal": lambda n: np.diag(RNG.standard_normal(n)),
    "all ones": lambda n: np.ones((n, n)),
    "pairs that are hardly apart": lambda n: three_diagonals(abs(np.arange(n) - (n - 1) / 2), np.ones(n - 1)),
    "one and next to one": lambda n: of_values(np.where(np.arange(n) < n // 2, 1.0, 1.0 + 1e-14)),
    "two values": lambda n: of_values(np.where(np.arange(n) < n // 3, 1.0, -1.0)),
    "of all sizes": lambda n: scaled(symmetric(n), 10.0 ** -np.linspace(0, 15, n)),
    "arrow": lambda n: (
        np.diag(np.arange(n) * 1.0) + np.outer(np.eye(n)[0], np.ones(n)) + np.outer(np.ones(n), np.eye(n)[0])
    ),
    "weak ties": lambda n: three_diagonals(RNG.standard_normal(n), np.full(n - 1, 1e-9)),
    "ties of all sizes": lambda n: three_diagonals(RNG.standard_normal(n), 10.0 ** -RNG.integers(0, 20, n - 1)),
    "no diagonal": lambda n: three_diagonals(np.zeros(n), RNG.standard_normal(n - 1)),
    "copies of a block": lambda n: np.kron(np.eye(n // 5 + 1), of_values(np.arange(5.0)))[:n, :n],
}


def check(a: Matrix, values: Matrix, vectors: Matrix) -> None:
    """Whether these are eigenvalues and eigenvectors, the values in order."""
    rounding = np.finfo(a.dtype).eps * ROUNDINGS
    wide = np.result_type(a.dtype, np.float64)
    hermitian = (a + a.conj().T).astype(wide) / 2
    size = abs(hermitian).sum(0).max()
    assert (np.diff(values) >= 0).all()
    np.testing.assert_allclose(hermitian @ vectors, vectors.astype(wide) * values, rtol=0, atol=rounding * size)
    np.testing.assert_allclose(vectors.conj().T.astype(wide) @ vectors, np.eye(len(a)), rtol=0, atol=rounding)


def found(a: Matrix) -> tuple[Matrix, Matrix]:
    values, vectors = rosin.compile(rnp.linalg.eigh)(a)
    return np.asarray(values), np.asarray(vectors)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", HARD)
def test_matrices_that_are_hard_to_cut(kind: str, dtype: str) -> None:
    for n in SIZES:
        a = HARD[kind](n)
        if dtype.startswith("complex"):
            turned = np.exp(1j * RNG.standard_normal(n))
            a = a * turned * turned.conj()[:, None]
        a = a.astype(dtype)
        check(a, *found(a))


@pytest.mark.parametrize("tie", range(20))
def test_values_whose_weights_are_next_to_nothing(tie: int) -> None:
    """Parts that touch by a tie of some size have the same values, and zeros are as near to poles as can be."""
    for _ in range(40):
        a = three_diagonals(np.ones(130), np.where(RNG.random(129) < 0.5, 1.0, 10.0**-tie))
        check(a, *found(a))


@pytest.mark.parametrize("power", [-1000, -500, 500, 1000])
def test_the_size_of_a_matrix_does_not_matter(power: int) -> None:
    a = symmetric(70)
    values, vectors = found(a)
    again, same = found(a * 2.0**power)
    np.testing.assert_array_equal(again, values * 2.0**power)
    np.testing.assert_array_equal(same, vectors)


@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
@pytest.mark.parametrize(("dtype", "name"), [("f32", "float32"), ("f64", "float64"), ("c128", "complex128")])
def test_any_width_of_vectors(dtype: str, name: str, vector_bytes: int) -> None:
    a = symmetric(71).astype(name)
    graph = graph_of(lambda b, x: b.node(Eigh(True), x), f"{dtype}[71, 71]")
    check(a, *run(graph, [a], vector_bytes))


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_number_of_threads_gives_the_same_numbers(dtype: str) -> None:
    a = symmetric(230).astype(dtype)
    results = []
    for number in (1, 2, 5):
        threads.set_num_threads(number)
        results.append(found(a))
    for values, vectors in results[1:]:
        np.testing.assert_array_equal(values, results[0][0])
        np.testing.assert_array_equal(vectors, results[0][1])


def test_of_several_matrices_those_without_values_alone_have_none() -> None:
    a = np.stack([symmetric(40) for _ in range(7)])
    a[2, 3, 3], a[4, 0, 1] = np.nan, np.inf
    values, vectors = found(a)
    for number, matrix in enumerate(a):
        if number in (2, 4):
            assert np.isnan(values[number]).all()
            assert np.isnan(vectors[number]).all()
        else:
            check(matrix, values[number], vectors[number])
