"""`rosin.precision`: programs in mixed precision against the same ones in float32, and the scaling of losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin import precision
from tests.models import MODELS, cnn_loss, lstm_loss, mlp_loss, numbers, transformer_loss

BF16, F16 = "compute=bfloat16", "compute=float16"
TOLERANCES = {BF16: 2.0**-5, F16: 2.0**-8}
"""Of a whole model's gradients, by the largest one: some roundings of 2^-9 and 2^-12."""

LOSSES = {"mlp": mlp_loss, "cnn": cnn_loss, "transformer_block": transformer_loss, "lstm": lstm_loss}


def arguments(name: str) -> tuple[Any, ...]:
    return rosin.tree.map(rnp.asarray, MODELS[name]().arguments)


def assert_near(found: Any, wanted: Any, tolerance: float) -> None:
    for a, b in zip(rosin.tree.leaves(found), rosin.tree.leaves(wanted), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * float(rnp.max(rnp.abs(b))))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("policy", TOLERANCES)
@pytest.mark.parametrize("name", LOSSES)
def test_models_are_near_those_of_float32(name: str, policy: str) -> None:
    given, loss = arguments(name), LOSSES[name]
    exact = rosin.compile(rosin.value_and_grad(loss))(*given)
    mixed = rosin.mixed_precision(policy)
    outside = rosin.compile(rosin.value_and_grad(mixed(loss)))(*given)
    inside = rosin.compile(mixed(rosin.value_and_grad(loss)))(*given)
    for found in (outside, inside):
        assert_near(found, exact, TOLERANCES[policy])
        assert not np.array_equal(rosin.tree.leaves(found)[1], rosin.tree.leaves(exact)[1])


@pytest.mark.parametrize("name", LOSSES)
def test_every_target_gives_the_same(name: str) -> None:
    function = rosin.value_and_grad(rosin.mixed_precision(BF16)(LOSSES[name]))
    given = arguments(name)
    # Where sums are taken in another order, a rounding to bf16 now and then goes the other way.
    assert_near(rosin.compile(function)(*given), rosin.compile(function, target="interpreter")(*given), 2.0**-7)


@pytest.mark.peers
@pytest.mark.parametrize("name", LOSSES)
def test_xla_gives_the_same(name: str) -> None:
    function = rosin.value_and_grad(rosin.mixed_precision(BF16)(LOSSES[name]))
    given = arguments(name)
    assert_near(rosin.compile(function)(*given), rosin.compile(function, target="xla")(*given), 2.0**-7)


def test_gradients_agree_with_differences() -> None:
    """float16 is fine enough for finite differences of a smooth function of few roundings."""
    f = rosin.mixed_precision(F16)(lambda w, x: rnp.sum(rnp.sin(x @ w)))
    w, x = numbers(4, 3), numbers(5, 4, seed=1)
    slope, along = rosin.grad(f)(w, x), numbers(4, 3, seed=2)
    # Differences in f32, where w ± h·along is not on float16's grid.
    exact = rosin.compile(lambda w: rnp.sum(rnp.sin(rnp.asarray(x) @ w)))
    h = np.float32(1e-2)
    difference = (exact(w + h * along) - exact(w - h * along)) / (2 * h)
    np.testing.assert_allclose(rnp.sum(slope * along), difference, rtol=5e-3)


def test_custom_rules_and_checkpoints_are_in_mixed_precision_too() -> None:
    @rosin.custom_vjp
    def product(x: Any, w: Any) -> Any:
        return x @ w

    product.defvjp(lambda x, w: (x @ w, (x, w)), lambda kept, g: (g @ kept[1].T, kept[0].T @ g))

    @rosin.custom_jvp
    def squared(x: Any) -> Any:
        return x @ x

    squared.defjvp(lambda primals, tangents: (squared(*primals), primals[0] @ tangents[0] + tangents[0] @ primals[0]))

    def f(x: Any, w: Any) -> Any:
        return rnp.sum(squared(product(x, w)) + rosin.checkpoint(lambda x: rnp.tanh(x @ w))(x))

    x, w = numbers(4, 4), numbers(4, 4, seed=1)
    compiled = rosin.compile(rosin.grad(rosin.mixed_precision()(f), (0, 1)))
    assert_near(compiled(x, w), rosin.compile(rosin.grad(f, (0, 1)))(x, w), 2.0**-5)
    lines = [line for line in compiled.text(x, w, stage="inline").splitlines() if "= dot_general" in line]
    assert lines
    assert all(line.strip().partition(": ")[2].startswith("bf16") for line in lines)


def test_it_is_batched_as_any_function() -> None:
    f = rosin.mixed_precision()(lambda w, x: rnp.tanh(w @ x))
    w, xs = rnp.asarray(numbers(3, 4)), rnp.asarray(numbers(5, 4, seed=1))
    np.testing.assert_array_equal(rosin.vmap(f, (None, 0))(w, xs), [f(w, x) for x in xs])


def test_control_flow_inside_takes_narrow_products() -> None:
    @rosin.mixed_precision()
    def f(w: Any, x: Any) -> Any:
        x = rosin.while_loop(lambda x: rnp.sum(x * x) > 1, lambda x: w @ x, x)
        x = rosin.cond(x[0] > 0, lambda x: w @ x, lambda x: x, x)
        return rosin.fori_loop(0, 3, lambda i, x: x + w @ x, x)

    w, x = numbers(4, 4) * np.float32(0.4), numbers(4, seed=1) * np.float32(4)
    compiled = rosin.compile(f)
    lines = [line for line in compiled.text(w, x, stage="inline").splitlines() if "= dot_general" in line]
    assert len(lines) == 3
    assert all(": bf16[" in line for line in lines)
    np.testing.assert_allclose(compiled(w, x), f(w, x), rtol=2.0**-7)


def test_symbolic_sizes() -> None:
    f = rosin.compile(rosin.mixed_precision()(lambda x, w: rnp.mean(x @ w, axis=0)), dynamic={"x": {0: "n"}})
    w = rnp.asarray(numbers(4, 2))
    for n in (1, 7):
        x = rnp.asarray(numbers(n, 4))
        np.testing.assert_allclose(f(x, w), rnp.mean(x @ w, axis=0), rtol=0.02, atol=0.01)
    assert len(f.signatures()) == 1


def test_types_of_arguments_and_results() -> None:
    policy = rosin.Policy(param_dtype=rosin.bfloat16, output_dtype=rosin.float16)
    seen: list[Any] = []

    @rosin.mixed_precision(policy)
    def f(x: Any, n: Any, z: Any, flag: bool) -> Any:
        seen.extend([x.dtype, n.dtype, z.dtype, flag])
        return {"sum": rnp.sum(x), "n": n, "z": z}

    found = f(rnp.asarray(np.float32([1 + 2**-12, 2])), rnp.asarray([1]), rnp.asarray(np.float64(1.5)), True)
    assert seen == [rosin.float32, rosin.int32, rosin.float64, True]
    assert {name: x.dtype.name for name, x in found.items()} == {"sum": "f16", "n": "i32", "z": "f64"}
    assert found["sum"] == 3
    assert {x.dtype.name for x in rosin.tree.leaves(policy.cast_to_param({"w": rnp.ones(2, "f32")}))} == {"bf16"}


def test_a_policy_of_one_type_changes_nothing() -> None:
    x = rnp.asarray(numbers(3, 3))
    np.testing.assert_array_equal(rosin.mixed_precision("compute=float32")(lambda x: x @ x)(x), x @ x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rosin.mixed_precision("half"), r"Policy: 'half' is no part of a policy like 'params=float32, compute"),
        (lambda: rosin.mixed_precision("compute="), r"Policy: 'compute=' is no part of a policy"),
        (lambda: rosin.Policy(compute_dtype=rosin.int8), r"Policy: compute_dtype is i8, and it may be f16, bf16, f32"),
        (lambda: rosin.Policy(rosin.float64), r"Policy: param_dtype is f64"),
    ],
)
def test_what_is_no_policy(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


# -- scaling of losses -------------------------------------------------------------------------------------------------


def tiny_loss(w: Any, x: Any) -> Any:
    """Its cotangents are far below float16's smallest numbers."""
    return rnp.mean((x @ w) ** 2) * 1e-6


def test_a_static_scale_saves_small_gradients() -> None:
    w, x = rnp.asarray(numbers(4, 2)), rnp.asarray(numbers(6, 4, seed=1))
    mixed = rosin.mixed_precision(F16)(tiny_loss)
    exact = rosin.grad(tiny_loss)(w, x)
    scale = precision.StaticLossScale(2.0**20)
    scaled = scale.unscale(rosin.grad(lambda w: scale.scale(mixed(w, x)))(w))
    assert scale.adjust(False) is scale
    assert_near(scaled, exact, 2.0**-8)
    lost = rosin.grad(mixed)(w, x)
    assert float(rnp.max(rnp.abs(lost - exact))) > 0.05 * float(rnp.max(rnp.abs(exact)))


def test_a_dynamic_scale_finds_its_size() -> None:
    scale = precision.DynamicLossScale(2.0**4, period=2, min_loss_scale=2.0)
    assert scale.loss_scale.dtype == rosin.float32
    assert scale.counter.dtype == rosin.int32
    sizes: list[tuple[float, int]] = []
    for finite in (True, True, True, False, False, False, False, True):
        scale = scale.adjust(finite)
        sizes.append((float(scale.loss_scale), int(scale.counter)))
    assert sizes == [(16, 1), (32, 0), (32, 1), (16, 0), (8, 0), (4, 0), (2, 0), (2, 1)]


def test_a_scale_never_grows_out_of_bounds() -> None:
    scale = precision.DynamicLossScale(2.0**127, period=1)
    assert scale.adjust(True).loss_scale == 2.0**127
    assert scale.adjust(True).counter == 0


def test_a_training_loop_with_a_dynamic_scale() -> None:
    """Steps with a scale that is far too large are left out until it is not, in one compiled loop."""
    loss = rosin.mixed_precision(F16)(mlp_loss)
    params, x, labels = arguments("mlp")

    @rosin.compile
    def trained(params: Any, scale: Any) -> Any:
        def step(state: Any, _: Any) -> Any:
            params, scale = state
            value, slopes = rosin.value_and_grad(lambda p: scale.scale(loss(p, x, labels)))(params)
            slopes = scale.unscale(slopes)
            finite = precision.all_finite(slopes)
            new = rosin.tree.map(lambda w, g: w - 0.3 * g, params, slopes)
            return (precision.select_tree(finite, new, params), scale.adjust(finite)), (scale.unscale(value), finite)

        return rosin.scan(step, (params, scale), rnp.arange(40))

    (_, scale), (values, finite) = trained(params, precision.DynamicLossScale(2.0**28))
    assert not finite[0]
    assert finite[-1]
    assert float(scale.loss_scale) < 2.0**20
    assert float(values[-1]) < 0.5 * float(mlp_loss(params, x, labels))


def test_all_finite() -> None:
    assert precision.all_finite({"a": rnp.ones(2), "b": rnp.arange(3)})
    assert not precision.all_finite([rnp.ones(2), rnp.asarray([1.0, np.nan])])
    assert precision.all_finite(())
