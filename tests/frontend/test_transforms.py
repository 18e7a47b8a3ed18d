"""Derivatives and batches of whole functions, against finite differences, loops, and each other."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import AxisNameError, TransformError
from rosin.ir.errors import DTypeError, NotDifferentiableError
from tests.functions import CASES, Case

Floats = np.ndarray[Any, Any]


def value(case: Case, x: Any) -> Any:
    return case.function(rnp, x)


def slope(function: Any, x: Floats, direction: Floats, step: float = 1e-5) -> Floats:
    """The derivative of `function` along a direction, by central differences of fourth order."""

    def at(t: float) -> Floats:
        return np.asarray(function(x + t * step * direction), np.float64)

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


def unit(x: Floats, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=x.shape)


def gradient(function: Any, x: Floats) -> Floats:
    """The gradient by differences, one element at a time."""
    result = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        direction = np.zeros_like(x)
        direction[index] = 1
        result[index] = slope(function, x, direction)
    return result


def close(found: Any, expected: Any, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=tolerance, atol=tolerance)


cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_there_are_thirty_functions() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 30


@cases
def test_grad(case: Case) -> None:
    x = case.sample(0)
    found = rosin.grad(lambda x: value(case, x))(x)
    assert found.dtype == np.float64
    close(found, gradient(lambda x: value(case, x), x))


@cases
def test_grad_of_grad(case: Case) -> None:
    x = case.sample(1)
    v = unit(x)
    first = rosin.grad(lambda x: value(case, x))
    found = rosin.grad(lambda x: rnp.sum(first(x) * v))(x)
    close(found, slope(first, x, v), 1e-5)


@pytest.mark.thinned(2)
@cases
def test_jvp_of_grad(case: Case) -> None:
    x = case.sample(2)
    v = unit(x)
    first = rosin.grad(lambda x: value(case, x))
    out, along = rosin.jvp(first, (x,), (v,))
    close(out, first(x), 1e-12)
    close(along, slope(first, x, v), 1e-5)


@cases
def test_grad_of_jvp(case: Case) -> None:
    x = case.sample(3)
    v = unit(x)
    found = rosin.grad(lambda x: rosin.jvp(lambda x: value(case, x), (x,), (v,))[1])(x)
    close(found, slope(rosin.grad(lambda x: value(case, x)), x, v), 1e-5)


@cases
def test_vmap_of_grad(case: Case) -> None:
    xs = case.sample(4, (3,))
    one = rosin.grad(lambda x: value(case, x))
    close(rosin.vmap(one)(xs), np.stack([one(x) for x in xs]), 1e-12)


@cases
def test_grad_of_vmap(case: Case) -> None:
    xs = case.sample(5, (3,))
    one = rosin.grad(lambda x: value(case, x))
    weights = np.asarray([1.0, -2.0, 0.5])
    found = rosin.grad(lambda xs: rnp.sum(rosin.vmap(lambda x: value(case, x))(xs) * weights))(xs)
    close(found, np.stack([w * np.asarray(one(x)) for w, x in zip(weights, xs, strict=True)]), 1e-11)


@pytest.mark.thinned(2)
@cases
def test_hessian(case: Case) -> None:
    x = case.sample(6)
    found = np.asarray(rosin.hessian(lambda x: value(case, x))(x))
    assert found.shape == x.shape * 2
    first = rosin.grad(lambda x: value(case, x))
    expected = np.zeros(x.shape * 2)
    for index in np.ndindex(*x.shape):
        direction = np.zeros_like(x)
        direction[index] = 1
        expected[(..., *index)] = slope(first, x, direction)
    close(found, expected, 1e-5)


@pytest.mark.thinned(2)
@cases
def test_transforms_inside_compile(case: Case) -> None:
    xs = case.sample(7, (2,))
    both = rosin.vmap(rosin.value_and_grad(lambda x: value(case, x)))
    out, found = rosin.compile(both)(xs)
    expected_out, expected = both(xs)
    close(out, expected_out, 1e-12)
    close(found, expected, 1e-12)


# -- reverse mode ------------------------------------------------------------------------------------------------


def test_grad_by_several_arguments_and_trees() -> None:
    def loss(params: Any, x: Any, scale: float) -> Any:
        return rnp.sum((x @ params["w"] + params["b"]) ** 2) * scale

    params = {"w": rnp.ones((2, 3)), "b": rnp.zeros(3)}
    x = rnp.asarray([[1.0, 2.0]])
    by_params, by_scale = rosin.grad(loss, argnums=(0, 2))(params, x, 2.0)
    assert set(by_params) == {"w", "b"}
    close(by_params["b"], np.full(3, 12.0))
    close(by_params["w"], np.outer([1.0, 2.0], np.full(3, 12.0)))
    close(by_scale, 27.0)
    close(rosin.grad(loss, argnums=-1)(params, x, 2.0), 27.0)


def test_arguments_that_are_not_differentiated_may_be_anything() -> None:
    def f(x: Any, mode: str, power: int) -> Any:
        return rnp.sum(x**power) if mode == "sum" else rnp.mean(x**power)

    close(rosin.grad(f)(rnp.asarray([1.0, 2.0]), "sum", 3), [3.0, 12.0])
    close(rosin.grad(f)(rnp.asarray([1.0, 2.0]), mode="mean", power=2), [1.0, 2.0])


def test_has_aux() -> None:
    def f(x: Any) -> Any:
        y = x * x
        return rnp.sum(y), {"y": y, "kind": "square", "n": 3}

    (out, aux), found = rosin.value_and_grad(f, has_aux=True)(rnp.asarray([1.0, 2.0]))
    close(out, 5.0)
    close(aux["y"], [1.0, 4.0])
    assert aux["kind"] == "square"
    assert aux["n"] == 3
    close(found, [2.0, 4.0])
    found, aux = rosin.grad(f, has_aux=True)(rnp.asarray([1.0, 2.0]))
    close(found, [2.0, 4.0])
    close(aux["y"], [1.0, 4.0])


def test_a_pullback_is_used_again_and_inside_other_transforms() -> None:
    x = np.asarray([1.0, 2.0, 3.0])
    out, pullback = rosin.vjp(lambda x, y: {"p": x * y, "n": rnp.asarray([1, 2])}, x, x + 1)
    assert set(out) == {"p", "n"}
    for scale in (1.0, 2.0):
        by_x, by_y = pullback({"p": scale * np.ones(3), "n": None})
        close(by_x, scale * (x + 1))
        close(by_y, scale * x)
    rows = rosin.vmap(lambda c: pullback({"p": c, "n": None})[0])(np.eye(3))
    close(rows, np.diag(x + 1))


def test_vjp_inside_compile_and_of_what_is_captured() -> None:
    @rosin.compile
    def f(x: Any, y: Any) -> Any:
        out, pullback = rosin.vjp(lambda x: rnp.sin(x) * y, x)
        return out, pullback(rnp.ones_like(x))[0]

    x, y = np.asarray([0.5, 1.0]), np.asarray([2.0, 3.0])
    out, found = f(x, y)
    close(out, np.sin(x) * y)
    close(found, np.cos(x) * y)


def test_vjp_of_integers_is_none() -> None:
    _, pullback = rosin.vjp(lambda x, n: x * n, rnp.asarray(2.0), rnp.asarray(3))
    by_x, by_n = pullback(rnp.asarray(1.0))
    close(by_x, 3.0)
    assert by_n is None


def test_vjp_has_aux() -> None:
    out, pullback, aux = rosin.vjp(lambda x: (x * x, x + 1.0), rnp.asarray(3.0), has_aux=True)
    close(out, 9.0)
    close(aux, 4.0)
    close(pullback(rnp.asarray(1.0))[0], 6.0)


def test_an_inner_function_reads_an_outer_variable() -> None:
    def f(x: Any) -> Any:
        return rosin.grad(lambda y: rnp.sin(x * y))(x * 2.0)

    x = 0.7
    close(f(x), x * np.cos(2 * x * x), 1e-5)
    close(rosin.grad(f)(np.float64(x)), np.cos(2 * x * x) - 4 * x * x * np.sin(2 * x * x))
    close(rosin.vmap(f)(np.asarray([x, 1.0])), [x * np.cos(2 * x * x), np.cos(2.0)])


# -- forward mode ------------------------------------------------------------------------------------------------


def test_jvp_of_trees_integers_and_aux() -> None:
    def f(p: Any, n: Any) -> Any:
        return {"a": p["u"] * n, "n": n + 1}, rnp.sum(p["u"])

    p = {"u": np.asarray([1.0, 2.0])}
    out, along, aux = rosin.jvp(f, (p, rnp.asarray(3)), ({"u": np.asarray([1.0, 0.5])}, None), has_aux=True)
    close(out["a"], [3.0, 6.0])
    close(along["a"], [3.0, 1.5])
    assert along["n"] is None
    close(aux, 3.0)


def test_jacobians_of_trees() -> None:
    def f(p: Any) -> Any:
        return {"s": rnp.sum(p["w"] * p["v"]), "o": p["w"][:, None] * p["v"][None, :]}

    p = {"w": np.asarray([1.0, 2.0]), "v": np.asarray([3.0, 4.0])}
    forward, reverse = rosin.jacfwd(f)(p), rosin.jacrev(f)(p)
    close(forward["s"]["w"], p["v"])
    assert forward["o"]["v"].shape == (2, 2, 2)
    close(forward["o"]["v"], np.einsum("i,jk->ijk", p["w"], np.eye(2)))
    for out in ("s", "o"):
        for key in ("w", "v"):
            close(forward[out][key], reverse[out][key], 1e-12)


def test_jacobian_by_several_arguments_and_aux() -> None:
    def f(x: Any, y: Any) -> Any:
        return x * y, rnp.sum(x)

    x, y = np.asarray([1.0, 2.0]), np.asarray([3.0, 5.0])
    for transform in (rosin.jacfwd, rosin.jacrev):
        (by_x, by_y), aux = transform(f, argnums=(0, 1), has_aux=True)(x, y)
        close(by_x, np.diag(y))
        close(by_y, np.diag(x))
        close(aux, 3.0)


def test_hessian_of_a_tree() -> None:
    def f(p: Any) -> Any:
        return rnp.sum(p["a"] ** 2 * p["b"])

    p = {"a": np.asarray([1.0, 2.0]), "b": np.asarray([3.0, 4.0])}
    found = rosin.hessian(f)(p)
    close(found["a"]["a"], np.diag(2 * p["b"]))
    close(found["a"]["b"], np.diag(2 * p["a"]))
    close(found["b"]["a"], np.diag(2 * p["a"]))
    close(found["b"]["b"], np.zeros((2, 2)))


# -- vmap --------------------------------------------------------------------------------------------------------


def test_vmap_axes() -> None:
    x, y = np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2)
    found = rosin.vmap(lambda a, b: a * b, in_axes=(0, 1), out_axes=1)(x, y)
    close(found, (x * y.T).T)
    close(rosin.vmap(lambda a, b: a + b, in_axes=(-1, None))(x, 1.0), (x + 1).T)
    out, same = rosin.vmap(lambda a, b: (a, b), in_axes=(1, None), out_axes=(-1, None))(x, 2.0)
    close(out, x)
    assert same.shape == ()


def test_vmap_axes_of_trees() -> None:
    p = {"w": np.ones((2, 3)), "b": np.arange(2.0)}
    found = rosin.vmap(lambda p, x: p["w"] * x + p["b"], in_axes=({"w": None, "b": 0}, None))(p, 2.0)
    close(found, np.full((2, 2, 3), 2.0) + np.arange(2.0)[:, None, None])
    found = rosin.vmap(lambda p: rnp.sum(p["w"]) + p["b"])(p)
    close(found, [3.0, 4.0])


def test_vmap_passes_shared_arguments_as_they_are() -> None:
    found = rosin.vmap(lambda x, mode: x if mode == "same" else -x, in_axes=(0, None))(np.ones(2), "other")
    close(found, -np.ones(2))


def test_vmap_of_what_does_not_depend_on_the_example() -> None:
    close(rosin.vmap(lambda x: rnp.asarray(3.0))(np.zeros(4)), np.full(4, 3.0))
    close(rosin.vmap(lambda: rnp.asarray(2.0), axis_size=3)(), np.full(3, 2.0))


def test_vmap_nests() -> None:
    x, y = np.arange(3.0), np.arange(4.0)
    table = rosin.vmap(lambda a: rosin.vmap(lambda b: a * 10 + b)(y))(x)
    close(table, x[:, None] * 10 + y)


def test_vmap_of_jvp_of_vmap() -> None:
    xs = np.random.default_rng(0).normal(size=(2, 3))

    def inner(x: Any) -> Any:
        return rosin.jvp(rosin.vmap(rnp.sin), (x,), (rnp.ones_like(x),))[1]

    close(rosin.vmap(inner)(xs), np.cos(xs), 1e-12)


def test_named_axes() -> None:
    x = np.asarray([1.0, 2.0, 4.0])
    close(rosin.vmap(lambda a: a / rosin.psum(a, "i"), axis_name="i")(x), x / 7)
    close(rosin.vmap(lambda a: rosin.pmean(a, "i"), axis_name="i")(x), np.full(3, 7 / 3))
    close(rosin.vmap(lambda a: rosin.pmax(a, "i") - rosin.pmin(a, "i"), axis_name="i")(x), np.full(3, 3.0))
    close(rosin.vmap(lambda a: a * rosin.axis_index("i"), axis_name="i")(x), [0.0, 2.0, 8.0])
    close(rosin.vmap(lambda a: rosin.all_gather(a, "i"), axis_name="i")(x), np.tile(x, (3, 1)))
    assert rosin.vmap(lambda a: a * rosin.axis_size("i"), axis_name="i")(x).shape == (3,)
    # What all examples share is added as often as there are examples.
    close(rosin.vmap(lambda a: a + rosin.psum(2.0, "i"), axis_name="i")(x), x + 6)


def test_all_gather_along_other_axes() -> None:
    x = np.arange(6.0).reshape(3, 2)
    found = rosin.vmap(lambda a: rosin.all_gather(a, "i", axis=1), axis_name="i")(x)
    close(found, np.tile(x.T, (3, 1, 1)))
    found = rosin.vmap(lambda a: rosin.all_gather(a, "i", tiled=True), axis_name="i")(x)
    close(found, np.tile(x.reshape(-1), (3, 1)))


def test_psum_scatter() -> None:
    x = np.random.default_rng(0).normal(size=(3, 3, 2))
    close(rosin.vmap(lambda a: rosin.psum_scatter(a, "i"), axis_name="i")(x), x.sum(0))


def test_nested_named_axes() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3))

    def f(a: Any) -> Any:
        return a - rosin.psum(a, "j") + 10 * rosin.psum(a, "i") + 100 * rosin.pmean(a, ("i", "j"))

    found = rosin.vmap(rosin.vmap(f, axis_name="j"), axis_name="i")(x)
    expected = x - x.sum(1, keepdims=True) + 10 * x.sum(0, keepdims=True) + 100 * x.mean()
    close(found, expected)

    def gathered(a: Any) -> Any:
        return rnp.sum(rosin.all_gather(a, "i") * rosin.axis_index("j"))

    found = rosin.vmap(rosin.vmap(gathered, axis_name="j"), axis_name="i")(x)
    close(found, np.tile(x.sum(0) * np.arange(3), (2, 1)))


@pytest.mark.parametrize("name", ["psum", "pmean", "all_gather", "pmax", "psum_scatter"])
def test_derivatives_of_collectives(name: str) -> None:
    function = getattr(rosin, name)

    def f(xs: Any) -> Any:
        return rosin.vmap(lambda a: rnp.sin(rnp.sum(function(a, "i") * a)) * a[0], axis_name="i")(xs)

    xs = np.random.default_rng(0).normal(size=(3, 3))
    v = unit(xs)
    close(rosin.jvp(f, (xs,), (v,))[1], slope(f, xs, v))
    weights = np.asarray([1.0, -1.0, 2.0])
    found = rosin.grad(lambda xs: rnp.sum(f(xs) * weights))(xs)
    close(found, gradient(lambda xs: np.sum(np.asarray(f(xs)) * weights), xs))


def test_grad_inside_a_named_axis() -> None:
    x = np.asarray([1.0, 2.0, 4.0])
    found = rosin.vmap(rosin.grad(lambda a: rosin.psum(a * a, "i")), axis_name="i")(x)
    # Each example's output counts every example, so each gets the cotangents of all.
    close(found, 2 * x * 3)


def test_named_axis_inside_checkpoint_and_custom_rules() -> None:
    @rosin.custom_jvp
    def total(a: Any) -> Any:
        return rosin.psum(a, "i")

    total.defjvp(lambda p, t: (total(*p), 2.0 * rosin.psum(t[0], "i")))
    x = np.asarray([1.0, 2.0])
    shared = rosin.checkpoint(lambda a: rnp.sin(a) * rosin.psum(a, "i"))
    found = rosin.grad(lambda x: rnp.sum(rosin.vmap(shared, axis_name="i")(x)))(x)
    close(found, np.cos(x) * x.sum() + np.sin(x).sum())
    found = rosin.grad(lambda x: rnp.sum(rosin.vmap(total, axis_name="i")(x)))(x)
    close(found, [4.0, 4.0])


# -- checkpoint and custom rules ---------------------------------------------------------------------------------


@cases
def test_checkpoint_changes_no_derivative(case: Case) -> None:
    x = case.sample(8)
    v = unit(x)

    def f(x: Any) -> Any:
        return rosin.checkpoint(lambda x: value(case, x))(x)

    def plain(x: Any) -> Any:
        return value(case, x)

    close(rosin.grad(f)(x), rosin.grad(plain)(x), 1e-12)
    close(rosin.jvp(rosin.grad(f), (x,), (v,))[1], rosin.jvp(rosin.grad(plain), (x,), (v,))[1], 1e-11)


def test_checkpoint_computes_again() -> None:
    def f(x: Any) -> Any:
        return rnp.sum(rosin.checkpoint(lambda x: rnp.sin(rnp.exp(x)))(x))

    graph = rosin.compile(rosin.value_and_grad(f)).ir(np.ones(3))
    names = [node.op.name for node in graph.nodes]
    assert "barrier" in names
    assert names.count("exp") == 2


def test_checkpoint_of_what_is_captured_and_not_an_array() -> None:
    def f(x: Any, y: Any) -> Any:
        return rosin.checkpoint(lambda x, power: rnp.sum(x**power * y))(x, 3)

    x, y = np.asarray([1.0, 2.0]), np.asarray([3.0, 5.0])
    close(rosin.grad(f)(x, y), 3 * x**2 * y)
    close(rosin.grad(f, 1)(x, y), x**3)


def test_stop_gradient() -> None:
    x = np.asarray([1.0, 2.0])
    close(rosin.grad(lambda x: rnp.sum(rosin.stop_gradient(x) * x))(x), x)
    tree = rosin.stop_gradient({"a": x, "n": 3})
    close(tree["a"], x)
    close(rosin.jvp(rosin.stop_gradient, (x,), (x,))[1], np.zeros(2))
    close(rosin.vmap(rosin.grad(lambda a: rosin.stop_gradient(a) * a))(x), x)


def test_optimization_barrier() -> None:
    x, y = np.asarray([1.0, 2.0]), np.asarray([3.0, 5.0])

    def f(x: Any, y: Any) -> Any:
        held = rosin.optimization_barrier({"x": x, "parts": (y, rnp.sum(x * y))})
        return rnp.sum(held["x"] ** 2 * held["parts"][0]) * held["parts"][1]

    expected = np.sum(x**2 * y) * np.sum(x * y)
    for call in (f, rosin.compile(f)):
        close(call(x, y), expected)
        close(rosin.grad(call)(x, y), 2 * x * y * np.sum(x * y) + y * np.sum(x**2 * y))
    close(rosin.jvp(f, (x, y), (x, np.zeros(2)))[1], 3 * expected)
    close(rosin.vmap(f, (0, None))(np.stack([x, y]), y), np.stack([f(x, y), f(y, y)]))
    assert rosin.optimization_barrier(()) == ()
    assert "barrier" in rosin.compile(f).text(x, y, stage="remat")


@rosin.custom_jvp
def scaled_sin(x: Any, power: Any) -> Any:
    return rnp.sin(x) * power


@scaled_sin.defjvp
def _(primals: Any, tangents: Any) -> Any:
    (x, power), (x_dot, _) = primals, tangents
    out = scaled_sin(x, power)
    # Not the true derivative, so that the tests see that it is used; the second derivative uses it again.
    return out, 2.0 * scaled_sin(x, power) * x_dot


def test_custom_jvp_in_all_modes() -> None:
    x = np.asarray([0.5, 1.0])
    s = np.sin(x) * 3.0
    close(scaled_sin(x, 3.0), s)
    out, along = rosin.jvp(lambda x: scaled_sin(x, 3.0), (x,), (np.ones(2),))
    close(out, s)
    close(along, 2 * s)
    close(rosin.grad(lambda x: rnp.sum(scaled_sin(x, 3.0)))(x), 2 * s)
    close(rosin.vmap(rosin.grad(lambda x: scaled_sin(x, 3.0)))(x), 2 * s)
    close(rosin.grad(lambda x: rnp.sum(rosin.vmap(scaled_sin, (0, None))(x, 3.0)))(x), 2 * s)
    close(rosin.vmap(rosin.grad(rosin.grad(lambda x: scaled_sin(x, 3.0))))(x), 4 * s)
    close(rosin.hessian(lambda x: rnp.sum(scaled_sin(x, 3.0)))(x), np.diag(4 * s))
    close(rosin.compile(rosin.grad(lambda x: rnp.sum(scaled_sin(x, 3.0))))(x), 2 * s)


def test_custom_jvp_by_argument_and_without_differentiating_some() -> None:
    f = rosin.custom_jvp(lambda x, y: x * y)
    f.defjvps(lambda t, out, x, y: 10.0 * t, None)
    close(rosin.grad(f)(2.0, 3.0), 10.0)
    close(rosin.grad(f, 1)(2.0, 3.0), 0.0)

    g = rosin.custom_jvp(lambda kind, x: x if kind == "a" else -x, nondiff_argnums=(0,))
    g.defjvp(lambda kind, p, t: (g(kind, *p), t[0] * (5.0 if kind == "a" else 7.0)))
    close(rosin.grad(lambda x: g("b", x))(1.0), 7.0)
    close(rosin.grad(lambda x: g("a", x))(1.0), 5.0)


def test_custom_jvp_of_trees_and_integers() -> None:
    f = rosin.custom_jvp(lambda p, n: {"out": p["x"] * n, "n": n})

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (p, n), (p_dot, n_dot) = primals, tangents
        assert n_dot is None
        return f(p, n), {"out": p_dot["x"] * 100.0, "n": None}

    x = np.asarray([1.0, 2.0])
    close(rosin.grad(lambda x: rnp.sum(f({"x": x}, 3)["out"]))(x), [100.0, 100.0])


def test_custom_rules_that_capture() -> None:
    def f(x: Any, y: Any) -> Any:
        table = np.asarray([1.0, 2.0])

        @rosin.custom_jvp
        def g(x: Any) -> Any:
            return x * rosin.stop_gradient(y) * table

        g.defjvp(lambda p, t: (g(*p), t[0] * rosin.stop_gradient(y) * np.asarray([5.0, 7.0])))
        return rnp.sum(g(x) * g(x))

    x, y = np.asarray([3.0, 4.0]), np.asarray([1.0, 2.0])
    first = 2 * x * y * np.asarray([1.0, 2.0]) * y * np.asarray([5.0, 7.0])
    close(rosin.grad(f)(x, y), first)
    close(rosin.compile(rosin.grad(f))(x, y), first)
    second = 2 * (y * np.asarray([5.0, 7.0])) ** 2
    close(rosin.hessian(f)(x, y), np.diag(second))


@rosin.custom_vjp
def clipped(x: Any, limit: Any) -> Any:
    return x * 1.0


clipped.defvjp(
    lambda x, limit: (clipped(x, limit), limit),
    lambda limit, bar: (rnp.clip(bar, -limit, limit), None),
)


def test_custom_vjp() -> None:
    x = np.asarray([0.3, -2.0])
    close(clipped(x, 1.0), x)
    limit = np.float64(0.5)
    close(rosin.grad(lambda x: rnp.sum(clipped(x, limit) ** 2))(x), np.clip(2 * x, -0.5, 0.5))
    close(rosin.vmap(rosin.grad(lambda x: clipped(x, limit) ** 2))(x), np.clip(2 * x, -0.5, 0.5))
    found = rosin.grad(lambda x: rnp.sum(rosin.vmap(lambda x: clipped(x, limit) ** 2)(x)))(x)
    close(found, np.clip(2 * x, -0.5, 0.5))
    close(rosin.compile(rosin.grad(lambda x: rnp.sum(clipped(x, limit) ** 2)))(x), np.clip(2 * x, -0.5, 0.5))
    with pytest.raises(NotDifferentiableError, match="custom vjp"):
        rosin.jvp(lambda x: clipped(x, limit), (x,), (x,))


def test_custom_vjp_twice_and_with_trees() -> None:
    f = rosin.custom_vjp(lambda p: {"s": rnp.sin(p["x"]), "n": 3})
    f.defvjp(lambda p: (f(p), {"kept": p["x"]}), lambda kept, bar: ({"x": bar["s"] * f({"x": kept["kept"]})["s"]},))
    x = np.asarray([0.5, 1.0])
    total = rosin.grad(lambda x: rnp.sum(f({"x": x})["s"]))
    close(total(x), np.sin(x))
    # The derivative of sin(x), by the rule, is sin(x) once more.
    close(rosin.grad(lambda x: rnp.sum(total(x)))(x), np.sin(x))


def test_custom_vjp_with_fixed_arguments() -> None:
    f = rosin.custom_vjp(lambda x, kind: x, nondiff_argnums=(1,))
    f.defvjp(lambda x, kind: (x, None), lambda kind, kept, bar: (bar * (2.0 if kind == "double" else 1.0),))
    close(rosin.grad(lambda x: f(x, "double"))(1.0), 2.0)
    close(rosin.grad(lambda x: f(x, kind="single"))(1.0), 1.0)


class Layer:
    """A method with a rule of its own; the object is passed on as it is."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    @functools.partial(rosin.custom_jvp, nondiff_argnums=(0,))
    def __call__(self, x: Any) -> Any:
        return x * self.scale


Layer.__call__.defjvp(lambda self, p, t: (self(*p), t[0] * 100.0 * self.scale))


def test_custom_rules_of_methods() -> None:
    close(rosin.grad(Layer(2.0))(1.0), 200.0)


# -- errors ------------------------------------------------------------------------------------------------------


def test_ppermute_sends_from_one_example_to_another() -> None:
    def shifted(x: Any) -> Any:
        return rosin.ppermute({"x": x}, "i", [(0, 1), (1, 2)])["x"]

    x = rnp.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    moved = rosin.vmap(shifted, axis_name="i")
    np.testing.assert_array_equal(moved(x), [[0, 0], [1, 2], [3, 4]])
    slope = rosin.grad(lambda x: rnp.sum(moved(x) * rnp.asarray([[1.0], [2.0], [3.0]])))(x)
    np.testing.assert_array_equal(slope, [[2, 2], [3, 3], [0, 0]])


def test_errors_of_transforms() -> None:
    x = rnp.asarray([1.0, 2.0])
    with pytest.raises(TransformError, match="scalar, not of shape"):
        rosin.grad(lambda x: x * 2)(x)
    with pytest.raises(DTypeError, match="its output has dtype i32"):
        rosin.grad(lambda x: rnp.astype(rnp.sum(x), rnp.int32))(x)
    with pytest.raises(DTypeError, match="x has dtype i32"):
        rosin.grad(lambda x: rnp.sum(x))(rnp.asarray([1, 2]))
    with pytest.raises(TransformError, match="argnums has 2"):
        rosin.grad(lambda x: rnp.sum(x), argnums=2)(x)
    with pytest.raises(TransformError, match="out_axes is None for result"):
        rosin.vmap(lambda x: x, out_axes=None)(x)
    with pytest.raises(TransformError, match="rank 1"):
        rosin.vmap(lambda x: x, in_axes=1)(x)
    with pytest.raises(TransformError, match="2 entries"):
        rosin.vmap(lambda x: x, in_axes=(0, 0))(x)
    with pytest.raises(TransformError, match="tangent of x has type"):
        rosin.jvp(lambda x: x, (x,), (rnp.ones(3),))
    with pytest.raises(TransformError, match="structure"):
        rosin.vjp(lambda x: x, x)[1]((x, x))
    with pytest.raises(AxisNameError, match="no named axis"):
        rosin.psum(x, "i")
    with pytest.raises(AxisNameError, match="already"):
        rosin.vmap(rosin.vmap(lambda x: x, axis_name="i"), axis_name="i")(rnp.ones((2, 2)))
