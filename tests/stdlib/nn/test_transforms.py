"""State of layers under every transform: it comes out where it is a result, and is an error where it would be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn

KEY = rosin.random.key(5)


def noisy(features: int = 4) -> nn.Chain:
    """Layers with each kind of state: running statistics, singular vectors, random numbers."""
    return nn.Chain(
        nn.SpectralNorm(nn.Dense(features, features, key=0), key=1), nn.BatchNorm(features), nn.Dropout(0.5)
    )


def numbers(*shape: int, seed: int = 0) -> Array:
    return rnp.asarray(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def assert_same(a: Any, b: Any, rtol: float = 1e-5) -> None:
    for x, y in zip(rosin.tree.leaves(a), rosin.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-5)


def in_turn(model: Any, xs: Any, keys: Any) -> tuple[list[Any], Any]:
    """The results for some inputs one after the other, with Python's loop."""
    results: list[Any] = []
    for x, key in zip(xs, keys, strict=True):
        y, model = nn.apply(model, x, key=key)
        results.append(y)
    return results, model


def test_apply_is_a_run() -> None:
    model, x, run = noisy(), numbers(6, 4), nn.Run(KEY)
    wanted = model(x, run)
    found, after = nn.apply(model, x, key=KEY)
    assert_same((found, after), (wanted, run.updated(model)))
    assert nn.difference(after, model) != ""
    same, still = nn.apply(model, x, training=False)
    assert still is model
    assert_same(same, model(x))


def test_compile() -> None:
    model, x = noisy(), numbers(6, 4)
    step = rosin.compile(lambda model, x, key: nn.apply(model, x, key=key))
    assert_same(step(model, x, KEY), nn.apply(model, x, key=KEY))


def test_vmap_over_models_keeps_the_state_of_each() -> None:
    models = [noisy(), nn.apply(noisy(), numbers(9, 4), key=KEY)[1]]
    stacked = rosin.tree.map(lambda *xs: rnp.stack(xs), *models)
    xs, keys = numbers(2, 6, 4), rosin.random.split(KEY, 2)
    found, after = rosin.vmap(lambda m, x, k: nn.apply(m, x, key=k))(stacked, xs, keys)
    for place, model in enumerate(models):
        wanted = nn.apply(model, xs[place], key=keys[place])
        assert_same((found[place], rosin.tree.map(lambda x, i=place: x[i], after)), wanted)


def test_vmap_with_statistics_over_the_axis() -> None:
    norm, xs = nn.BatchNorm(3, axis_name="devices"), numbers(4, 5, 3)
    found, after = rosin.vmap(lambda x: nn.apply(norm, x), axis_name="devices")(xs)
    wanted, kept = nn.apply(nn.BatchNorm(3), rnp.reshape(xs, (20, 3)))
    np.testing.assert_allclose(rnp.reshape(found, (20, 3)), wanted, rtol=1e-4, atol=1e-5)
    for found, wanted in zip(rosin.tree.leaves(after), rosin.tree.leaves(kept), strict=True):
        np.testing.assert_allclose(found, rnp.broadcast_to(wanted, found.shape), rtol=1e-4, atol=1e-5)


def test_scan_carries_state_from_step_to_step() -> None:
    model, xs, keys = noisy(), numbers(5, 6, 4), rosin.random.split(KEY, 5)

    @rosin.compile
    def run(model: Any, xs: Any, keys: Any) -> Any:
        def step(model: Any, given: Any) -> Any:
            y, model = nn.apply(model, given[0], key=given[1])
            return model, y

        return rosin.scan(step, model, (xs, keys))

    after, found = run(model, xs, keys)
    wanted, last = in_turn(model, xs, keys)
    assert_same((list(found), after), (wanted, last))


def test_loops_in_plain_python_carry_state() -> None:
    model, xs = nn.BatchNorm(4), numbers(5, 6, 4)

    @rosin.compile
    def run(model: Any, xs: Any, count: Any) -> Any:
        for i in range(count):
            _, model = nn.apply(model, xs[i])
        return model

    _, wanted = in_turn(model, xs[:3], [None] * 3)
    assert_same(run(model, xs, rnp.asarray(3)), wanted)


def test_branches_give_state_back() -> None:
    model, x = noisy(), numbers(6, 4)

    @rosin.compile
    def step(model: Any, x: Any, key: Any, flag: Any) -> Any:
        return rosin.cond(flag, lambda m: nn.apply(m, x, key=key), lambda m: (x, m), model)

    assert_same(step(model, x, KEY, True), nn.apply(model, x, key=KEY))
    assert_same(step(model, x, KEY, False), (x, model))


class Deep(nn.Module):
    """Layers inside of a transform inside of a model."""

    first: nn.Module
    inner: nn.Module
    last: nn.Dense

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        h = nn.call(self.first, x, run=run)
        return self.last(nn.call(self.inner, nn.call(self.inner, h, run=run), run=run))


def slopes_and_state(model: Any, x: Any) -> Any:
    def loss(model: Any) -> Any:
        y, after = nn.apply(model, x, key=KEY)
        return rnp.sum(y**2), after

    return rosin.compile(nn.grad(loss, has_aux=True))(model)


def quiet(features: int) -> nn.Chain:
    """State, and no random numbers, whose order would differ inside of a transform."""
    return nn.Chain(nn.SpectralNorm(nn.Dense(features, features, key=0), key=1), nn.BatchNorm(features), rnp.tanh)


def test_a_checkpointed_layer_has_the_state_and_gradient_of_the_layer() -> None:
    dense, x = nn.Dense(4, 2, key=3), numbers(6, 4)
    plain = slopes_and_state(Deep(noisy(), quiet(4), dense), x)
    kept = slopes_and_state(Deep(noisy(), nn.Checkpointed(quiet(4)), dense), x)
    assert_same(kept, plain)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_stacked_layers_are_the_layers_in_turn(checkpoint: bool) -> None:
    layers, dense, x = [quiet(4).layers, quiet(4).layers], nn.Dense(4, 2, key=3), numbers(6, 4)
    chains = [nn.Chain(*each) for each in layers]
    chains[1] = nn.with_arrays(chains[1], {"layers.0.layer.weight": numbers(4, 4, seed=2)})
    plain = slopes_and_state(Deep(noisy(), nn.Chain(*chains), dense), x)
    stacked = nn.Stacked(chains, checkpoint=checkpoint)
    found = slopes_and_state(Deep(noisy(), stacked, dense), x)
    for got, wanted in zip(found, plain, strict=True):
        assert_same((got.first, got.last), (wanted.first, wanted.last), 1e-4)
        for place in range(2):
            assert_same(got.inner[place], wanted.inner.layers[place], 1e-4)
    assert len(stacked) == 2
    assert nn.difference(stacked[1], chains[1]) == ""


def test_stacked_layers_draw_numbers_of_their_own() -> None:
    stacked = nn.Stacked([nn.Chain(nn.Dropout(0.5), nn.Dense(64, 64, key=0)) for _ in range(2)])
    stacked = nn.with_arrays(stacked, {"layers.layers.1.weight": rnp.stack([rnp.eye(64)] * 2)})
    y = stacked(rnp.ones((1, 64)), run=nn.Run(KEY))
    # One half is left after the first layer, and one half of these after the second.
    assert 4 < int(rnp.sum(y > 0)) < 28


def test_stacked_layers_are_alike() -> None:
    with pytest.raises(nn.ModuleError, match=r"layer 1, Dense.*, is not like the first"):
        nn.Stacked([nn.Dense(2, 2, key=0), nn.Dense(2, 3, key=0)])
    with pytest.raises(nn.ModuleError, match="at least one"):
        nn.Stacked([])


def test_grad_inside_of_grad_gives_state_back() -> None:
    """A penalty on the gradient by the input, as for a critic: two runs of one model, the second in a derivative."""
    model, x = quiet(4), numbers(6, 4)

    def loss(model: Any) -> Any:
        def inner(x: Any) -> Any:
            y, after = nn.apply(model, x)
            return rnp.sum(y**2), after

        slope, after = rosin.grad(inner, has_aux=True)(x)
        return rnp.sum(slope**2), after

    slopes, after = rosin.compile(nn.grad(loss, has_aux=True))(model)
    assert_same(after, nn.apply(model, x)[1])
    step = 1e-2
    moved = [nn.with_arrays(model, {"layers.1.bias": model.layers[1].bias + s * step}) for s in (1, -1)]
    difference = (loss(moved[0])[0] - loss(moved[1])[0]) / (2 * step)
    np.testing.assert_allclose(rnp.sum(slopes.layers[1].bias), difference, rtol=2e-2)


def test_a_cache_goes_through_scan_and_vmap() -> None:
    model = nn.Transformer(2, 16, heads=2, key=0, causal=True, positions=nn.Rotary(8))
    x = numbers(3, 5, 16)

    def decoded(x: Any) -> Any:
        def step(cache: Any, token: Any) -> Any:
            y, cache = model(token[None, None], cache=cache)
            return cache, y[0, 0]

        return rosin.scan(step, model.cache(batch=1, capacity=5), x)[1]

    np.testing.assert_allclose(rosin.compile(rosin.vmap(decoded))(x), model(x), rtol=1e-4, atol=1e-5)


# -- what would be lost ------------------------------------------------------------------------------------------------


def _outside(transform: Callable[[Any, Any], Any], layer: Any) -> Callable[..., Any]:
    def f(layer: Any, x: Any) -> Any:
        run = nn.Run(KEY)
        return transform(lambda x: nn.call(layer, x, run=run), x)

    return lambda x: f(layer, x)


def _step(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda carry, x: (carry, f(x))


LOOPS: dict[str, Callable[[Any, Any], Any]] = {
    "vmap": lambda f, x: rosin.vmap(f)(x),
    "scan": lambda f, x: rosin.scan(_step(f), 0.0, x),
    "map": lambda f, x: rosin.map(f, x),
    "fori_loop": lambda f, x: rosin.fori_loop(0, 3, lambda i, y: f(y), x[0]),
    "while_loop": lambda f, x: rosin.while_loop(lambda y: rnp.sum(y) < 1, f, x[0]),
    "compile": lambda f, x: rosin.compile(f)(x[0]),
}
OTHERS: dict[str, Callable[[Any, Any], Any]] = {
    "cond": lambda f, x: rosin.cond(True, f, lambda y: y, x[0]),
    "checkpoint": lambda f, x: rosin.grad(lambda y: rnp.sum(rosin.checkpoint(f)(y)))(x[0]),
    "grad": lambda f, x: rosin.grad(lambda y: rnp.sum(f(y)))(x[0]),
    "jvp": lambda f, x: rosin.jvp(f, (x[0],), (x[0],)),
}


@pytest.mark.parametrize("name", [*LOOPS, *OTHERS])
@pytest.mark.parametrize("layer", [nn.BatchNorm(4), nn.SpectralNorm(nn.Dense(4, 4, key=0), key=1)], ids=["bn", "sn"])
def test_buffers_that_would_be_lost_are_an_error(name: str, layer: Any) -> None:
    f = _outside({**LOOPS, **OTHERS}[name], nn.Chain(rnp.tanh, layer))
    x = numbers(2, 6, 4)
    pattern = rf"change inside of (grad|{name}) of .*made outside of it"
    with pytest.raises(nn.ModuleError, match=pattern) as caught:
        f(x)
    text = str(caught.value)
    assert f"in the module Chain.layers[1], a {type(layer).__name__}" in text
    assert "`run.keep(layer, new)` outside" in text


@pytest.mark.parametrize("name", LOOPS)
def test_random_numbers_that_would_repeat_are_an_error(name: str) -> None:
    with pytest.raises(nn.ModuleError, match=rf"drawn inside of {name} of .*the same each time") as caught:
        _outside(LOOPS[name], nn.Chain(nn.Dropout(0.5)))(numbers(2, 6, 4))
    assert "in the module Chain.layers[0], a Dropout" in str(caught.value)


@pytest.mark.parametrize("name", OTHERS)
def test_random_numbers_of_outside_are_used_once_elsewhere(name: str) -> None:
    _outside(OTHERS[name], nn.Chain(nn.Dropout(0.5)))(numbers(2, 6, 4))


def test_traced_control_flow_says_so_too() -> None:
    @rosin.compile
    def f(norm: Any, x: Any, count: Any) -> Any:
        run = nn.Run()
        for _ in range(count):
            x = norm(x, run)
        return x

    with pytest.raises(nn.ModuleError, match=r"running_var of a BatchNorm change inside of a traced `for`"):
        f(nn.BatchNorm(4), numbers(6, 4), rnp.asarray(3))


def test_a_run_does_not_outlive_its_function() -> None:
    kept: list[nn.Run] = []

    def f(x: Any) -> Any:
        kept.append(nn.Run(KEY))
        return x

    rosin.vmap(f)(rnp.ones(2))
    with pytest.raises(nn.ModuleError, match="made in vmap of `f`, which has ended: make a run for each call"):
        nn.Dropout(0.5)(rnp.ones(2), kept[0])


def test_a_summary_of_layers_in_loops() -> None:
    layers = [nn.Chain(nn.Dense(4, 4, key=0), nn.BatchNorm(4), nn.Dropout(0.1)) for _ in range(3)]
    model = Deep(nn.Dense(4, 4, key=1), nn.Stacked(layers), nn.Dense(4, 2, key=2))
    table = nn.summary(model, rosin.ShapeDtypeStruct((6, 4), rosin.float32), nn.Run(KEY))
    rows = {line.split()[0]: line for line in table.split("\n")}
    assert "f32[6, 4]" in rows["Deep.inner"]
    assert "Deep.inner.layers.layers[0]" in rows
    assert rows["Deep.inner"].split()[-2] == f"{3 * (16 + 4 + 8)}"
