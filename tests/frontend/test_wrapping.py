"""`wrap`: NumPy functions in programs, with derivatives of the user's, under vmap and in loops."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import ArgumentError
from rosin.ir.errors import NotDifferentiableError, RosinError

X = np.array([0.5, 1.0, 2.0])
HERE = threading.local()


def sine(x: Any) -> Any:
    HERE.shapes.append(x.shape)
    return np.sin(x)


@pytest.fixture(autouse=True)
def shapes() -> list[Any]:
    """The shapes that `sine` is called with."""
    HERE.shapes = []
    return HERE.shapes


wrapped = rosin.wrap(sine, jvp=lambda tangents, output, x: tangents[0] * rnp.cos(x))


def test_a_wrapped_function_eager_and_compiled(shapes: list[Any]) -> None:
    np.testing.assert_allclose(wrapped(X), np.sin(X))
    assert shapes == [(3,)]
    compiled = rosin.compile(wrapped)
    np.testing.assert_allclose(compiled(X), np.sin(X))
    # Once to learn the types of its results, and once to run.
    assert shapes == [(3,)] * 3
    compiled(X)
    assert len(shapes) == 4
    assert wrapped.__name__ == "sine"


def test_derivatives_of_any_order() -> None:
    def total(x: Any) -> Any:
        return wrapped(x).sum()

    for way in (lambda f: f, rosin.compile):
        np.testing.assert_allclose(way(rosin.grad(total))(X), np.cos(X))
        second = rosin.grad(lambda x: rosin.grad(total)(x).sum())
        np.testing.assert_allclose(way(second)(X), -np.sin(X))
    np.testing.assert_allclose(rosin.jvp(wrapped, (X,), (2 * X,))[1], 2 * X * np.cos(X))
    np.testing.assert_allclose(rosin.vmap(rosin.grad(lambda x: wrapped(x)))(X), np.cos(X))


def test_a_vjp_that_is_numpy_too() -> None:
    solved = rosin.wrap(np.linalg.solve)

    def backward(cotangent: Any, output: Any, a: Any, b: Any) -> Any:
        found = solved(a.T, cotangent)
        return -rnp.outer(found, output), found

    solve = rosin.wrap(np.linalg.solve, vjp=backward)
    a, b = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, -2.0])
    inverse = np.linalg.inv(a)
    for way in (lambda f: f, rosin.compile):
        by_a, by_b = way(rosin.grad(lambda a, b: solve(a, b).sum(), argnums=(0, 1)))(a, b)
        np.testing.assert_allclose(by_b, inverse.T @ np.ones(2))
        np.testing.assert_allclose(by_a, -np.outer(inverse.T @ np.ones(2), inverse @ b))


def test_batches_one_by_one_or_at_once(shapes: list[Any]) -> None:
    rows = np.stack([X, X + 1])
    found = rosin.vmap(rosin.wrap(sine))(rows)
    np.testing.assert_allclose(found, np.sin(rows))
    assert shapes == [(3,)] * 3
    shapes.clear()
    for way in (lambda f: f, rosin.compile):
        at_once = rosin.wrap(sine, lambda x: x, vectorized=True)
        np.testing.assert_allclose(way(rosin.vmap(at_once))(rows), np.sin(rows))
        # A batch of batches is one batch.
        np.testing.assert_allclose(way(rosin.vmap(rosin.vmap(at_once)))(rows), np.sin(rows))
    assert shapes == [(2, 3), (6,)] * 2


def test_a_batch_of_which_a_branch_takes_a_part(shapes: list[Any]) -> None:
    at_once = rosin.wrap(sine, lambda x: x, vectorized=True)
    found = rosin.compile(rosin.vmap(lambda x: rosin.cond(x > 0.7, at_once, lambda x: x, x)))(X)
    np.testing.assert_allclose(found, [0.5, np.sin(1.0), np.sin(2.0)])
    assert shapes == [(2,)]


def test_loops_and_trees() -> None:
    looped = rosin.compile(lambda x: rosin.fori_loop(0, 3, lambda i, x: wrapped(x), x))
    np.testing.assert_allclose(looped(X), np.sin(np.sin(np.sin(X))))
    both = rosin.wrap(lambda pair, scale=1: {"sum": pair["a"] + pair["b"], "count": 2, "scaled": pair["a"] * scale})
    for way in (lambda f: f, rosin.compile):
        found = way(lambda x: both({"a": x, "b": x}, scale=x))(X)
        np.testing.assert_allclose(found["sum"], 2 * X)
        np.testing.assert_allclose(found["scaled"], X * X)
        assert (found["count"].item(), found["count"].dtype) == (2, rnp.int32)


def test_symbolic_sizes_need_the_types_of_results() -> None:
    with pytest.raises(ArgumentError, match=r"cumsum cannot be tried on f64\[n\]"):
        rosin.compile(lambda x: rosin.wrap(np.cumsum)(x), dynamic={"x": {0: "n"}})(X)
    running = rosin.compile(lambda x: rosin.wrap(np.cumsum, lambda x: x)(x * 1), dynamic={"x": {0: "n"}})
    for count in (3, 5, 8):
        np.testing.assert_allclose(running(np.ones(count)), np.arange(1.0, count + 1))


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="a jvp or a vjp, not both"):
        rosin.wrap(np.sin, jvp=lambda *a: a, vjp=lambda *a: a)
    with pytest.raises(NotDifferentiableError, match="black box"):
        rosin.grad(rosin.wrap(np.sin))(1.0)
    with pytest.raises(ArgumentError, match="'text' of type str"):
        rosin.wrap(np.sin)("text")
    with pytest.raises(RosinError, match=r"result 0 of sin is an array of float64 and shape \(3,\), not f64\[2\]"):
        rosin.compile(rosin.wrap(np.sin, X[:2]))(X)
    with pytest.raises(ZeroDivisionError) as caught:
        rosin.compile(rosin.wrap(lambda x: 1 / 0))(X)
    assert "`result` tells them" in caught.value.__notes__[0]
