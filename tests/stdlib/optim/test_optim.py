"""What optimizers do to trees and models, what goes around them, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn, optim
from rosin.stdlib.optim import schedules

OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda: optim.sgd(0.05),
    "momentum": lambda: optim.sgd(0.01, momentum=0.9, nesterov=True, weight_decay=1e-4),
    "adam": lambda: optim.adam(0.05),
    "adamw": lambda: optim.adamw(0.05),
    "nadam": lambda: optim.nadam(0.05),
    "adagrad": lambda: optim.adagrad(0.5),
    "rmsprop": lambda: optim.rmsprop(0.02, centered=True, momentum=0.5),
    "lion": lambda: optim.lion(schedules.cosine(0.1, 300)),
    "lamb": lambda: optim.lamb(schedules.cosine(0.1, 300)),
    "adafactor": lambda: optim.adafactor(0.5),
    "muon": lambda: optim.muon(schedules.cosine(0.1, 300), adam_rate=0.05),
    "accumulated": lambda: optim.accumulate(optim.adam(0.2), 4),
    "lookahead": lambda: optim.lookahead(optim.adam(0.1)),
    "clipped": lambda: optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.05)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_fit_a_model(name: str) -> None:
    """A linear map from noise-free data: the loss falls to less than a hundredth, in one program."""
    optimizer = OPTIMIZERS[name]()
    x = rosin.random.normal(rosin.random.key(0), (64, 4))
    target = x @ rosin.random.normal(rosin.random.key(1), (4, 3)) + 0.5
    model = nn.Chain(nn.Dense(4, 3, key=2), nn.Function(lambda y: y))

    def loss(model: Any) -> Array:
        return rnp.mean((model(x) - target) ** 2)

    @rosin.compile
    def step(model: Any, state: Any) -> Any:
        value, gradient = nn.value_and_grad(loss)(model)
        updates, state = optimizer.update(gradient, state, model)
        return optim.apply_updates(model, updates), state, value

    state, first, value = optimizer.init(model), float(loss(model)), None
    for _ in range(300):
        model, state, value = step(model, state)
    assert float(value) < 0.01 * first  # pyright: ignore[reportArgumentType]
    assert len(step.signatures()) == 1


def test_buffers_and_frozen_parameters_stay() -> None:
    model = nn.Chain(nn.Dense(3, 4, key=0), nn.BatchNorm(4), nn.Dense(4, 1, key=1))
    x = rosin.random.normal(rosin.random.key(2), (8, 3))
    optimizer = optim.adamw(0.1, weight_decay=0.5)
    gradient = nn.grad(lambda m: rnp.sum(m(x) ** 2), where=lambda path, array: path.startswith("layers.2"))(model)
    # The state is for what has gradients, or for all parameters.
    state = optimizer.init(nn.split(model, lambda path, array: path.startswith("layers.2"))[0])
    updates, _ = optimizer.update(gradient, state, model)
    new = optim.apply_updates(model, updates)
    changed = {line.split(":")[0] for line in nn.difference(model, new).split("\n")}
    assert changed == {"Chain.layers[2].weight", "Chain.layers[2].bias"}


def test_weight_decay_by_path() -> None:
    params = {"a": {"weight": rnp.ones((2, 2)), "bias": rnp.ones(2)}, "b": [rnp.ones(3)]}
    gradient = rosin.tree.map(rnp.zeros_like, params)
    seen: list[str] = []

    def where(path: str, array: Array) -> bool:
        seen.append(path)
        return path.endswith("weight")

    decay = optim.add_decayed_weights(0.5, where)
    updates, _ = decay.update(gradient, decay.init(params), params)
    assert set(seen) == {"a.weight", "a.bias", "b.0"}
    np.testing.assert_array_equal(updates["a"]["weight"], np.full((2, 2), 0.5))
    np.testing.assert_array_equal(updates["a"]["bias"], [0, 0])
    np.testing.assert_array_equal(updates["b"][0], [0, 0, 0])


def test_accumulated_gradients_are_one_step() -> None:
    params, gradients = (
        rnp.asarray([1.0, -2.0, 3.0]),
        [rnp.asarray(g) for g in ([1.0, 2, 3], [3.0, 0, -1], [2.0, 1, 1])],
    )
    inner = optim.adam(0.1)
    outer = optim.accumulate(inner, 3)
    state, moved = outer.init(params), params
    for number, gradient in enumerate(gradients):
        updates, state = outer.update(gradient, state, moved)
        moved = optim.apply_updates(moved, updates)
        assert (number < 2) == bool(rnp.all(moved == params))
    whole, _ = inner.update(sum(gradients) / 3, inner.init(params), params)
    np.testing.assert_allclose(moved, params + whole, rtol=1e-6)


def test_lookahead_goes_back() -> None:
    optimizer = optim.lookahead(optim.sgd(1.0), 3, 0.5)
    params = rnp.asarray([10.0])
    state, seen = optimizer.init(params), []
    for _ in range(6):
        updates, state = optimizer.update(rnp.ones(1), state, params)
        params = optim.apply_updates(params, updates)
        seen.append(float(params[0]))
    assert seen == [9, 8, 8.5, 7.5, 6.5, 7.0]


def test_averages_of_parameters() -> None:
    model = nn.Chain(nn.Dense(2, 2, key=0), nn.BatchNorm(2))
    average = optim.Average.start(model, 0.9)
    values = [1.0, 2.0, 4.0]
    for value in values:
        model = nn.with_arrays(
            model, {"layers.0.weight": rnp.full((2, 2), value), "layers.1.running_mean": rnp.full(2, value)}
        )
        average = average.update(model)
    weights = np.asarray([0.81, 0.9, 1.0])
    found = average.of(model)
    np.testing.assert_allclose(found.layers[0].weight, np.full((2, 2), weights @ values / weights.sum()), rtol=1e-5)
    np.testing.assert_array_equal(found.layers[1].running_mean, [4, 4])


def test_orthogonal_matrices() -> None:
    for shape in ((5, 8), (8, 5), (3, 6, 4)):
        matrix = rosin.random.normal(rosin.random.key(0), shape)
        values = np.linalg.svd(np.asarray(optim.orthogonalize(matrix)))[1]
        assert values.min() > 0.6
        assert values.max() < 1.3


def test_element_types_stay() -> None:
    params = {"half": rnp.ones(3, dtype=rosin.bfloat16), "double": rnp.ones(3, dtype=rosin.float64)}
    optimizer = optim.adamw(schedules.cosine(0.1, 5))
    updates, state = optimizer.update(params, optimizer.init(params), params)
    new = optim.apply_updates(params, updates)
    assert rosin.tree.map(lambda x: x.dtype, new) == rosin.tree.map(lambda x: x.dtype, params)
    again = optimizer.update(params, state, new)[1]
    assert rosin.tree.map(lambda x: x.dtype, again) == rosin.tree.map(lambda x: x.dtype, state)


def test_schedules_at_their_ends() -> None:
    assert float(schedules.inverse_sqrt(1.0, 100)(rnp.asarray(99))) == 1.0
    np.testing.assert_allclose(schedules.inverse_sqrt(1.0, 100)(rnp.asarray(399)), 0.5, rtol=1e-6)
    joined = schedules.join([schedules.constant(1.0), schedules.linear(2.0, 3.0, 10)], [5])
    assert [float(joined(rnp.asarray(i))) for i in (4, 5, 15, 99)] == [1.0, 2.0, 3.0, 3.0]
    batched = rosin.vmap(schedules.piecewise([1.0, 2.0, 3.0], [2, 4]))(rnp.arange(6))
    np.testing.assert_array_equal(batched, [1, 1, 2, 2, 3, 3])
    with pytest.raises(ValueError, match="increasing"):
        schedules.piecewise([1.0, 2.0], [3, 4])
    with pytest.raises(ValueError, match="increasing"):
        schedules.join([schedules.constant(1.0)] * 3, [4, 4])


def test_what_optimizers_refuse() -> None:
    x = rnp.ones(3)
    with pytest.raises(optim.OptimizerError, match=r"'a' is c64.*\n?.*two parameters"):
        optim.adam().update({"a": x * 1j}, (), None)
    with pytest.raises(optim.OptimizerError, match="different trees"):
        optim.adam().update({"a": x}, (), {"b": x})
    with pytest.raises(optim.OptimizerError, match="belongs to another optimizer"):
        optim.adam().update(x, optim.sgd(0.1).init(x), x)
    for transform in (optim.add_decayed_weights(0.1), optim.scale_by_trust_ratio(), optim.adafactor()):
        with pytest.raises(optim.OptimizerError, match=r"needs the parameters"):
            transform.update(x, transform.init(x))


# -- L-BFGS ----------------------------------------------------------------------------------------------------------


def rosenbrock(x: Any) -> Array:
    return rnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("size", [2, 10])
def test_minimize_as_scipy_does(size: int) -> None:
    from scipy.optimize import minimize, rosen, rosen_der

    start = np.full(size, -1.2)
    found = rosin.compile(lambda x: optim.minimize(rosenbrock, x, tolerance=1e-8))(start)
    theirs = minimize(rosen, start, jac=rosen_der, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-8})
    assert bool(found.converged)
    np.testing.assert_allclose(found.params, np.ones(size), atol=1e-7)
    assert int(found.steps) <= 1.2 * theirs.nit
    np.testing.assert_allclose(found.value, rosenbrock(found.params), rtol=1e-9, atol=1e-30)


def test_minimize_trees_batches_and_gives_up() -> None:
    def energy(p: Any) -> Array:
        return rnp.sum((p["a"] - 3) ** 2) + rnp.sum(rnp.cosh(p["b"]))

    found = optim.minimize(energy, {"a": rnp.zeros(3), "b": rnp.ones((2, 2))})
    np.testing.assert_allclose(found.params["a"], [3, 3, 3], atol=1e-5)
    np.testing.assert_allclose(found.params["b"], np.zeros((2, 2)), atol=1e-5)
    starts = np.asarray([[-1.2, 1.0], [0.0, 0.0], [3.0, -2.0]])
    together = rosin.vmap(lambda x: optim.minimize(rosenbrock, x, tolerance=1e-8))(starts)
    np.testing.assert_allclose(together.params, np.ones((3, 2)), atol=1e-7)
    early = optim.minimize(rosenbrock, starts[0], steps=3)
    assert not bool(early.converged)
    assert int(early.steps) == 3
    # Where the function has no value, the search turns back.
    wall = optim.minimize(lambda x: -rnp.log(x[0]) + 10 * x[0], np.asarray([5.0]), tolerance=1e-8)
    np.testing.assert_allclose(wall.params, [0.1], rtol=1e-6)
    with pytest.raises(optim.OptimizerError, match="value_fn"):
        optim.lbfgs().update(rnp.ones(2), optim.lbfgs().init(rnp.ones(2)), rnp.ones(2))
