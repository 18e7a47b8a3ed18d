"""Ops on matrices: what their results have to be, and derivatives of what does not depend on LAPACK's choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Op, Value
from rosin.ir.ops import matrix as mx
from rosin.ir.ops.matrices import (
    Cholesky,
    Eig,
    Eigh,
    Inverse,
    Lu,
    LuDiagonal,
    LuSolve,
    Qr,
    Schur,
    Solve,
    Svd,
    Sylvester,
    TriangularSolve,
)
from rosin.ir.types import TensorType
from rosin.runtime import threads
from rosin.runtime.compile_path import compile_graph
from tests.differentiation import assert_adjoint, assert_near, difference, push, random_directions, vjp_graph
from tests.samples import Array, draw, type_of

Build: TypeAlias = Callable[[Builder, Value], Value]

TYPES = (dtypes.f32, dtypes.f64, dtypes.c64, dtypes.c128)
WIDE = (dtypes.f64, dtypes.c128)
SHAPES = ((1, 1), (3, 3), (2, 7, 4), (3, 4, 7), (5, 8, 8), (17, 9, 9), (33, 33), (40, 50), (2, 50, 40))
over_types = pytest.mark.parametrize("dtype", TYPES, ids=str)
over_shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
over_squares = pytest.mark.parametrize("shape", [s for s in SHAPES if s[-1] == s[-2]], ids=str)


def adjoint(x: Array) -> Array:
    return np.swapaxes(x.conj(), -1, -2)


def matrices(dtype: DType, shape: tuple[int, ...]) -> Array:
    return draw(dtype, shape, -1, 1, seed="matrices")


def both_ways(op: Op, *operands: Array) -> list[list[Array]]:
    """The results by NumPy, and by native code."""
    b = Builder()
    graph = b.graph(b.node(op, *(b.input(type_of(x)) for x in operands)))
    return [list(evaluate(graph, operands)), list(compile_graph(graph)(*operands))]


def assert_equal(x: Array, y: Array, dtype: DType, scale: float = 1.0) -> None:
    assert x.shape == y.shape
    if x.size:
        most = 100 * max(x.shape[-2:], default=1) * float(dtype.epsilon) * max(1.0, float(np.abs(y).max())) * scale
        np.testing.assert_allclose(x, y, rtol=0, atol=most)


def assert_orthonormal(x: Array, dtype: DType) -> None:
    unit = np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), (*x.shape[:-2], x.shape[-1], x.shape[-1]))
    assert_equal(adjoint(x) @ x, unit, dtype)


@over_types
@over_squares
def test_cholesky_gives_lower_factors(dtype: DType, shape: tuple[int, ...]) -> None:
    x = matrices(dtype, shape)
    a = (x @ adjoint(x) + np.eye(shape[-1], dtype=x.dtype)).astype(x.dtype)
    for (factor,) in both_ways(Cholesky(), a):
        assert_equal(factor @ adjoint(factor), a, dtype)
        np.testing.assert_array_equal(np.triu(factor, 1), 0)
        assert np.all(np.real(np.diagonal(factor, axis1=-2, axis2=-1)) > 0)


@pytest.mark.thinned(2)
@over_types
@over_shapes
def test_lu_gives_factors_of_the_permuted_matrix(dtype: DType, shape: tuple[int, ...]) -> None:
    a = matrices(dtype, shape)
    k = min(shape[-2:])
    for packed, pivots, order in both_ways(Lu(), a):
        lower = np.tril(packed[..., :k], -1) + np.eye(shape[-2], k, dtype=a.dtype)
        upper = np.triu(packed[..., :k, :])
        assert_equal(lower @ upper, np.take_along_axis(a, order[..., None].astype(np.int64), -2), dtype)
        assert np.all(np.abs(lower) <= 1.5), "pivots are the greatest of their columns"
        stack = order.reshape(-1, shape[-2])
        for row, swaps in zip(stack, pivots.reshape(-1, k), strict=True):
            expected = np.arange(shape[-2])
            for i, j in enumerate(swaps):
                expected[[i, j]] = expected[[j, i]]
            np.testing.assert_array_equal(row, expected)


@pytest.mark.thinned(3)
@over_types
@over_squares
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("columns", [1, 5, 40])
def test_lu_solve_solves(dtype: DType, shape: tuple[int, ...], transpose: bool, columns: int) -> None:
    a = (matrices(dtype, shape) + 2 * np.eye(shape[-1]) * shape[-1] ** 0.5).astype(dtype.numpy)
    packed, _, order = Lu().eval(a)
    b = draw(dtype, (*shape[:-1], columns), -1, 1)
    for (x,) in both_ways(LuSolve(transpose), a, packed, order, b):
        assert_equal((np.swapaxes(a, -1, -2) if transpose else a) @ x, b, dtype, 4)


@pytest.mark.thinned(2)
@over_types
@pytest.mark.parametrize("shape", [(5, 8, 8), (19, 9, 9), (37, 31, 31)], ids=str)
@pytest.mark.parametrize("columns", [1, 7, 16, 31])
def test_rows_of_right_hand_sides_are_exchanged_as_pivots_say(
    dtype: DType, shape: tuple[int, ...], columns: int
) -> None:
    a = (matrices(dtype, shape) + 2 * np.eye(shape[-1]) * shape[-1] ** 0.5).astype(dtype.numpy)
    orders = np.argsort(draw(dtypes.f64, shape[:-1], -1, 1), axis=-1)
    a = np.take_along_axis(a, orders[..., None], -2)
    b = draw(dtype, (*shape[:-1], columns), -1, 1)
    packed, _, order = Lu().eval(a)
    for (x,) in (*both_ways(Solve(), a, b), *both_ways(LuSolve(False), a, packed, order, b)):
        assert_equal(a @ x, b, dtype, 4)


@pytest.mark.thinned(2)
@over_types
@over_squares
@pytest.mark.parametrize(
    "flags", [(False, False, False), (True, False, True), (False, True, True), (True, True, False)]
)
def test_triangular_solve_solves(dtype: DType, shape: tuple[int, ...], flags: tuple[bool, bool, bool]) -> None:
    lower, transpose, unit = flags
    a = (matrices(dtype, shape) / shape[-1] + 2 * np.eye(shape[-1])).astype(dtype.numpy)
    b = draw(dtype, (*shape[:-1], 3), -1, 1)
    read = np.tril(a) if lower else np.triu(a)
    if unit:
        read = read - np.eye(shape[-1]) * np.diagonal(a, axis1=-2, axis2=-1)[..., None] + np.eye(shape[-1])
    for (x,) in both_ways(TriangularSolve(*flags), a, b):
        assert_equal((np.swapaxes(read, -1, -2) if transpose else read) @ x, b.astype(read.dtype), dtype)


@pytest.mark.thinned(2)
@over_types
@over_shapes
@pytest.mark.parametrize("complete", [False, True])
def test_qr_gives_orthonormal_and_triangular_factors(dtype: DType, shape: tuple[int, ...], complete: bool) -> None:
    a = matrices(dtype, shape)
    for q, r in both_ways(Qr(complete), a):
        assert_equal(q @ r, a, dtype)
        assert_orthonormal(q, dtype)
        np.testing.assert_array_equal(np.tril(r, -1), 0)


@over_types
@over_squares
def test_eigh_gives_eigenvectors(dtype: DType, shape: tuple[int, ...]) -> None:
    a = matrices(dtype, shape)
    part = (a + adjoint(a)) / 2
    for w, v in both_ways(Eigh(True), a):
        assert_equal(part @ v, v * w[..., None, :], dtype)
        assert_orthonormal(v, dtype)
        assert np.all(np.diff(w, axis=-1) >= 0)
    for (w,) in both_ways(Eigh(False), a):
        assert_equal(w, np.linalg.eigvalsh(part), dtype)


@over_types
@over_squares
def test_schur_gives_triangular_and_unitary_matrices(dtype: DType, shape: tuple[int, ...]) -> None:
    a = matrices(dtype, shape)
    for t, z in both_ways(Schur(), a):
        assert_equal(z @ t @ adjoint(z), a, dtype)
        assert_orthonormal(z, dtype)
        np.testing.assert_array_equal(np.tril(t, -2), 0)
        beside = np.diagonal(t, -1, -2, -1)
        if np.iscomplexobj(t):
            np.testing.assert_array_equal(beside, 0)
            continue
        # A block stands for a pair of conjugate eigenvalues, and has equal elements on the diagonal.
        np.testing.assert_array_equal(beside[..., 1:] * beside[..., :-1], 0)
        above, main = np.diagonal(t, 1, -2, -1), np.diagonal(t, 0, -2, -1)
        assert np.all((beside == 0) | (beside * above < 0))
        apart = np.where(beside != 0, main[..., 1:] - main[..., :-1], 0)
        assert_equal(apart, np.zeros_like(apart), dtype)


@over_types
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 4, 4), (17, 6, 2), (40, 20)], ids=str)
def test_sylvester_solves(dtype: DType, shape: tuple[int, ...]) -> None:
    *stack, m, n = shape
    a, b = (matrices(dtype, (*stack, k, k)) + 2 * np.eye(k, dtype=dtype.numpy) * k**0.5 for k in (m, n))
    c = matrices(dtype, shape)
    for (x,) in both_ways(Sylvester(), a, b, c):
        assert_equal(a @ x + x @ b, c, dtype, 10)


@over_types
@over_squares
def test_eig_gives_eigenvectors(dtype: DType, shape: tuple[int, ...]) -> None:
    a = matrices(dtype, shape)
    for w, v in both_ways(Eig(True), a):
        assert_equal(a @ v, v * w[..., None, :], dtype)
        np.testing.assert_allclose(np.linalg.norm(v, axis=-2), 1, rtol=1e-5)
    for (w,) in both_ways(Eig(False), a):
        trace = np.trace(a, axis1=-2, axis2=-1)
        np.testing.assert_allclose(w.sum(-1), trace, rtol=1e-3, atol=1e-3)
        assert_equal(np.sort(np.abs(w), -1), np.sort(np.abs(np.linalg.eigvals(a)), -1), dtype, 16)


@pytest.mark.thinned(2)
@over_types
@over_shapes
@pytest.mark.parametrize("full", [False, True])
def test_svd_gives_singular_vectors(dtype: DType, shape: tuple[int, ...], full: bool) -> None:
    a = matrices(dtype, shape)
    k = min(shape[-2:])
    for u, s, vh in both_ways(Svd(full, True), a):
        assert_equal((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a, dtype)
        assert_orthonormal(u, dtype)
        assert_orthonormal(adjoint(vh), dtype)
        assert np.all(np.diff(s, axis=-1) <= 0)
    for (s,) in both_ways(Svd(False, False), a):
        assert_equal(s, np.linalg.svd(a, compute_uv=False), dtype)


# -- derivatives of what does not depend on signs, phases and bases ------------------------------------------------


def spread(b: Builder, values: Value, like: Value) -> Value:
    return b.cast(mx.along_rows(b, values, TensorType(values.type.dtype, like.type.shape)), like.type.dtype)


def function_of_hermitian(b: Builder, a: Value) -> Value:
    w, v = b.node(Eigh(True), a)
    return b.matmul(b.mul(v, spread(b, b.exp(w), v)), mx.adjoint(b, v))


def function_of_matrix(b: Builder, a: Value) -> Value:
    w, v = b.node(Eig(True), a)
    packed, _, order = b.node(Lu(), v)
    scaled = mx.transpose(b, b.mul(v, spread(b, b.exp(w), v)))
    return mx.transpose(b, b.node(LuSolve(True), v, packed, order, scaled)[0])


def function_of_singular(full: bool) -> Build:
    def build(b: Builder, a: Value) -> Value:
        u, s, vh = b.node(Svd(full, True), a)
        k = s.type.shape[-1]
        left, right = mx.columns(b, u, 0, k), mx.rows(b, vh, 0, k)
        return b.matmul(b.mul(left, spread(b, b.exp(s), left)), right)

    return build


def space_beyond(b: Builder, a: Value) -> Value:
    """The projection on what the columns of a tall matrix do not reach."""
    u, s, _ = b.node(Svd(True, True), a)
    last = mx.columns(b, u, s.type.shape[-1], u.type.shape[-1])
    return b.matmul(last, mx.adjoint(b, last))


def graph_of(build: Build, dtype: DType, shape: tuple[int, ...]) -> Graph:
    b = Builder()
    return b.graph([build(b, b.input(TensorType(dtype, shape)))])


FUNCTIONS: list[tuple[str, Build, tuple[int, ...]]] = [
    ("eigh", function_of_hermitian, (2, 4, 4)),
    ("eig", function_of_matrix, (2, 4, 4)),
    ("svd", function_of_singular(False), (2, 3, 3)),
    ("svd tall", function_of_singular(False), (5, 3)),
    ("svd wide", function_of_singular(False), (3, 5)),
    ("svd full", function_of_singular(True), (5, 3)),
    ("svd beyond", space_beyond, (5, 3)),
]


@pytest.mark.parametrize("dtype", WIDE, ids=str)
@pytest.mark.parametrize(("build", "shape"), [f[1:] for f in FUNCTIONS], ids=[f[0] for f in FUNCTIONS])
def test_derivatives_of_functions_of_spectra(dtype: DType, build: Build, shape: tuple[int, ...]) -> None:
    graph = graph_of(build, dtype, shape)
    x = [matrices(dtype, shape)]
    tangents = random_directions([type_of(x[0])], [True], 5)
    pushed = push(graph, x, tangents)
    assert_near(pushed, difference(graph, x, tangents, 1e-3), 1e-7, "jvp")
    assert_adjoint(graph, x, tangents, pushed, 1e-9, 7)
    backward = vjp_graph(graph, [True])
    arguments = [*x, *random_directions([v.type for v in graph.outputs], [True], 9)]
    directions = random_directions([type_of(a) for a in arguments if a is not None], [True, True], 11)
    given = [a for a in arguments if a is not None]
    assert_near(push(backward, given, directions), difference(backward, given, directions, 1e-3), 1e-6, "jvp of vjp")


def upper_space(b: Builder, a: Value) -> Value:
    """The projection on the space of the two greatest eigenvalues."""
    _, v = b.node(Eigh(True), a)
    last = mx.columns(b, v, 2, 4)
    return b.matmul(last, mx.adjoint(b, last))


@pytest.mark.parametrize("dtype", WIDE, ids=str)
def test_derivatives_at_equal_eigenvalues(dtype: DType) -> None:
    rotation = np.linalg.qr(matrices(dtype, (4, 4)))[0]
    a = np.asarray((rotation * np.array([1.0, 1.0, 2.0, 2.0])) @ adjoint(rotation), dtype.numpy)
    graph = graph_of(upper_space, dtype, (4, 4))
    tangents = random_directions([type_of(a)], [True], 3)
    pushed = push(graph, [a], tangents)
    assert_near(pushed, difference(graph, [a], tangents, 1e-3), 1e-7, "jvp")
    assert_adjoint(graph, [a], tangents, pushed, 1e-9, 7)
    values = graph_of(lambda b, x: b.node(Eigh(False), x)[0], dtype, (4, 4))
    pulled = evaluate(vjp_graph(values, [True]), [a, np.ones(4)])
    np.testing.assert_allclose(pulled[0], np.eye(4), atol=1e-12)


def test_derivatives_at_singular_values_of_zero_are_finite() -> None:
    graph = graph_of(function_of_singular(False), dtypes.f64, (3, 3))
    a = np.diag([2.0, 0.0, 0.0])
    assert np.isfinite(push(graph, [a], [matrices(dtypes.f64, (3, 3))])[0]).all()


@over_types
@over_squares
def test_inverses_and_solutions_take_rows_in_any_order(dtype: DType, shape: tuple[int, ...]) -> None:
    a = matrices(dtype, shape)
    unit = np.broadcast_to(np.eye(shape[-1], dtype=a.dtype), a.shape)
    scale = float(np.linalg.cond(a).max())
    b = draw(dtype, (*shape[:-1], 5), -1, 1)
    for (x,) in both_ways(Inverse(), a):
        assert_equal(a @ x, unit, dtype, scale)
    for (x,) in both_ways(Solve(), a, b):
        assert_equal(a @ x, b, dtype, scale)


@over_types
@pytest.mark.parametrize("n", [3, 9, 40])
def test_a_singular_matrix_has_no_finite_inverse(dtype: DType, n: int) -> None:
    a = draw(dtype, (2, n, n), -1, 1)
    a[1, :, 1] = 0
    for (x,) in both_ways(Inverse(), a):
        assert np.isfinite(x[0]).all()
        assert not np.isfinite(x[1]).all()


@over_types
@pytest.mark.parametrize("n", [5, 16, 29, 30, 33])
def test_large_stacks_are_like_small_ones(dtype: DType, n: int) -> None:
    """Their results do not go through the caches."""
    count = (1 << 22) // (n * n * dtype.bytes) + 13
    few = matrices(dtype, (5, n, n)) + np.eye(n, dtype=dtype.numpy) * n
    many = few[np.arange(count) % 5]
    for op in (Cholesky(), Inverse(), Lu()):
        graph = Builder()
        run = compile_graph(graph.graph(graph.node(op, graph.input(type_of(many)))))
        graph = Builder()
        alone = compile_graph(graph.graph(graph.node(op, graph.input(type_of(few)))))(few)
        for x, y in zip(run(many), alone, strict=True):
            np.testing.assert_array_equal(x, np.asarray(y)[np.arange(count) % 5])


def test_pivots_whose_inverse_overflows_are_divided_by() -> None:
    a = np.asarray([[[1e-310, 0.0], [5e-311, 2e-310]]])
    for packed, _, _ in both_ways(Lu(), a):
        np.testing.assert_allclose(packed[0], [[1e-310, 0.0], [0.5, 2e-310]], rtol=1e-12)


def test_qr_of_no_columns_is_a_unit_matrix() -> None:
    for q, r in both_ways(Qr(True), np.zeros((2, 3, 0))):
        np.testing.assert_array_equal(q, np.broadcast_to(np.eye(3), (2, 3, 3)))
        assert r.shape == (2, 3, 0)


def _large() -> dict[str, tuple[Op, Callable[[Array], tuple[Array, ...]]]]:
    """Ops whose work on one large matrix threads share, and what they take."""

    def positive(x: Array) -> tuple[Array, ...]:
        return ((x @ adjoint(x) + np.eye(len(x), dtype=x.dtype)).astype(x.dtype),)

    def system(x: Array) -> tuple[Array, ...]:
        return (x + 3 * np.eye(len(x), dtype=x.dtype)).astype(x.dtype), x[:, :-3].copy()

    def factored(x: Array) -> tuple[Array, ...]:
        a, b = system(x)
        packed, _, order = Lu().eval(a)
        return a, packed, order, b

    return {
        "cholesky": (Cholesky(), positive),
        "inverse": (Inverse(), lambda x: system(x)[:1]),
        "lu": (Lu(), lambda x: (x,)),
        "lu tall": (Lu(), lambda x: (x[:, :-20].copy(),)),
        "lu wide": (Lu(), lambda x: (x[:-30].copy(),)),
        "lu_diagonal": (LuDiagonal(), lambda x: (x,)),
        "lu_solve": (LuSolve(False), factored),
        "lu_solve transposed": (LuSolve(True), factored),
        "qr": (Qr(False), lambda x: (x[:, :-20].copy(),)),
        "qr complete": (Qr(True), lambda x: (x[:, :-20].copy(),)),
        "qr wide": (Qr(False), lambda x: (x[:-70].copy(),)),
        "solve": (Solve(), system),
        "triangular_solve": (TriangularSolve(True, True, False), system),
    }


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dtype", WIDE, ids=str)
@pytest.mark.parametrize("name", _large())
def test_threads_share_one_large_matrix_and_leave_no_trace(name: str, dtype: DType) -> None:
    """Sizes are such that steps and pieces are cut short."""
    op, make = _large()[name]
    operands = make(matrices(dtype, (203, 203)))
    b = Builder()
    graph = compile_graph(b.graph(b.node(op, *(b.input(type_of(x)) for x in operands))))
    before = threads.num_threads()
    found: list[list[Array]] = []
    try:
        for count in (1, 2):
            threads.set_num_threads(count)
            found.append(list(graph(*operands)))
    finally:
        threads.set_num_threads(before)
    for results in zip(*found, strict=True):
        for other in results[1:]:
            np.testing.assert_array_equal(results[0], other)
    if isinstance(op, Qr):
        q, r = found[0]
        assert_orthonormal(q, dtype)
        assert_equal(q @ r, operands[0], dtype)
        np.testing.assert_array_equal(np.tril(r, -1), 0)
        return
    for x, y in zip(found[0], op.eval(*operands), strict=True):
        assert_equal(x, y, dtype, 100)


def test_a_large_matrix_that_is_not_positive_definite_has_no_factor() -> None:
    """Whichever step finds that out."""
    for place in (0, 70, 202):
        a = np.eye(203)
        a[place, place] = -1
        b = Builder()
        (factor,) = compile_graph(b.graph(b.node(Cholesky(), b.input(type_of(a)))))(a)
        np.testing.assert_array_equal(np.isnan(factor), np.tri(203, dtype=bool))


def test_a_large_system_without_one_solution_has_none() -> None:
    """Whichever step finds that out."""
    for place in (0, 70, 202):
        a = np.random.default_rng(place).normal(size=(203, 203))
        a[place] = 0
        b = Builder()
        (x,) = compile_graph(b.graph(b.node(Solve(), *(b.input(type_of(a)) for _ in range(2)))))(a, a)
        assert np.isnan(x).all()
