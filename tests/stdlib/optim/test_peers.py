"""Optimizers step by step against those of PyTorch and of optax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin import precision
from rosin.stdlib import optim

pytestmark = pytest.mark.peers

STEPS = 12


def problem(dtype: Any = np.float64) -> tuple[dict[str, np.ndarray[Any, Any]], list[dict[str, np.ndarray[Any, Any]]]]:
    """Parameters of one to three axes, and gradients of many scales."""
    rng = np.random.default_rng(0)
    shapes = {"bias": (5,), "matrix": (6, 5), "tall": (9, 3), "window": (4, 3, 3)}
    params = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}

    def gradient(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        return (rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 2)).astype(dtype)

    return params, [{name: gradient(shape) for name, shape in shapes.items()} for _ in range(STEPS)]


def path(optimizer: optim.Transform, params: Any, gradients: Any) -> list[Any]:
    """The parameters after each step of ours."""

    @rosin.compile
    def step(params: Any, state: Any, gradient: Any) -> Any:
        updates, state = optimizer.update(gradient, state, params)
        return optim.apply_updates(params, updates), state

    params = rosin.tree.map(rnp.asarray, params)
    state, found = optimizer.init(params), []
    for gradient in gradients:
        params, state = step(params, state, rosin.tree.map(rnp.asarray, gradient))
        found.append(params)
    assert len(step.signatures()) == 1
    return found


TORCH: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "sgd": (lambda: optim.sgd(0.1), "SGD", {"lr": 0.1}),
    "momentum": (
        lambda: optim.sgd(0.1, momentum=0.9, weight_decay=0.01),
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    ),
    "nesterov": (
        lambda: optim.sgd(0.1, momentum=0.9, nesterov=True),
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    "adam": (lambda: optim.adam(0.1), "Adam", {"lr": 0.1}),
    "adam, decay": (
        lambda: optim.adam(0.1, b1=0.8, weight_decay=0.1),
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.999), "weight_decay": 0.1},
    ),
    "adamw": (lambda: optim.adamw(0.1, eps=1e-6), "AdamW", {"lr": 0.1, "eps": 1e-6}),
    "nadam": (lambda: optim.nadam(0.1), "NAdam", {"lr": 0.1}),
    "adagrad": (lambda: optim.adagrad(0.1, initial=0.5), "Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5}),
    "rmsprop": (lambda: optim.rmsprop(0.1), "RMSprop", {"lr": 0.1}),
    "rmsprop, all": (
        lambda: optim.rmsprop(0.1, decay=0.9, centered=True, momentum=0.5, weight_decay=0.1),
        "RMSprop",
        {"lr": 0.1, "alpha": 0.9, "centered": True, "momentum": 0.5, "weight_decay": 0.1},
    ),
    "adafactor": (
        lambda: optim.adafactor(0.05, weight_decay=0.1),
        "Adafactor",
        {"lr": 0.05, "weight_decay": 0.1},
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_against_torch(name: str) -> None:
    import torch

    make, kind, options = TORCH[name]
    params, gradients = problem()
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    theirs = getattr(torch.optim, kind)(tensors.values(), **options)
    for step, (found, gradient) in enumerate(zip(path(make(), params, gradients), gradients, strict=True)):
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(gradient[name])
        theirs.step()
        for name, tensor in tensors.items():
            wanted = tensor.detach().numpy()
            # PyTorch keeps the product of the momenta of NAdam in float32.
            tolerance = 1e-6 if kind == "NAdam" else 1e-10
            np.testing.assert_allclose(
                found[name], wanted, rtol=tolerance, atol=tolerance / 100, err_msg=f"step {step}, {name}"
            )


MATRICES = {"bias": False, "matrix": True, "tall": True, "window": False}
BIAS = {name: name == "bias" for name in MATRICES}


def _is_matrix(path: str, array: Any) -> bool:
    return MATRICES[path]


def _muon() -> Any:
    from optax import contrib

    shapes = {
        name: contrib.MuonDimensionNumbers(reduction_axis=1, output_axis=0) if own else None
        for name, own in MATRICES.items()
    }
    return contrib.muon(0.1, nesterov=False, weight_decay=0.1, muon_weight_dimension_numbers=shapes)


OPTAX: dict[str, tuple[Any, Any]] = {
    "lion": (lambda: optim.lion(0.1, weight_decay=0.2), lambda o: o.lion(0.1, weight_decay=0.2)),
    "lamb": (lambda: optim.lamb(0.1, weight_decay=0.2), lambda o: o.lamb(0.1, weight_decay=0.2)),
    "adamw, a mask": (
        lambda: optim.adamw(0.1, weight_decay=0.3, where=_is_matrix),
        lambda o: o.adamw(0.1, weight_decay=0.3, mask=MATRICES),
    ),
    "schedule": (
        lambda: optim.adam(optim.schedules.warmup_cosine(0.1, 4, 10, end=0.01)),
        lambda o: o.adam(o.warmup_cosine_decay_schedule(0.0, 0.1, 4, 10, 0.01)),
    ),
    "clip by norm": (
        lambda: optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.1)),
        lambda o: o.chain(o.clip_by_global_norm(1.0), o.sgd(0.1)),
    ),
    "clip": (
        lambda: optim.chain(optim.clip(0.3), optim.sgd(0.1)),
        lambda o: o.chain(o.clip(0.3), o.sgd(0.1)),
    ),
    "clip by parameters": (
        lambda: optim.chain(optim.masked(optim.clip_by_parameters(0.05), lambda path, x: x.ndim < 2), optim.sgd(0.1)),
        lambda o: o.chain(o.masked(o.adaptive_grad_clip(0.05), BIAS), o.sgd(0.1)),
    ),
    "accumulate": (lambda: optim.accumulate(optim.adam(0.1), 3), lambda o: o.MultiSteps(o.adam(0.1), 3)),
    "muon": (lambda: optim.muon(0.1, nesterov=False, weight_decay=0.1, where=_is_matrix), lambda o: _muon()),
}


@pytest.mark.parametrize("name", OPTAX)
def test_against_optax(name: str) -> None:
    import jax
    import optax

    ours, theirs = OPTAX[name][0](), OPTAX[name][1](optax)
    params, gradients = problem(np.float32)
    state, now = theirs.init(jax.tree.map(jax.numpy.asarray, params)), jax.tree.map(jax.numpy.asarray, params)
    for step, (found, gradient) in enumerate(zip(path(ours, params, gradients), gradients, strict=True)):
        updates, state = theirs.update(jax.tree.map(jax.numpy.asarray, gradient), state, now)
        now = optax.apply_updates(now, updates)
        for key, wanted in now.items():
            # The part of Muon that is Adam has settings of its own in optax.
            if name == "muon" and not MATRICES[key]:
                continue
            np.testing.assert_allclose(found[key], wanted, rtol=2e-4, atol=2e-5, err_msg=f"step {step}, {key}")


def test_muon_against_torch() -> None:
    """With Nesterov's momentum, which optax corrects for its start; PyTorch orthogonalizes in bfloat16."""
    import torch

    params, gradients = problem(np.float32)
    matrices = {name: torch.tensor(params[name], requires_grad=True) for name in ("matrix", "tall")}
    theirs = torch.optim.Muon(matrices.values(), lr=0.1, weight_decay=0.1)
    own = {name: params[name] for name in matrices}
    ours = path(optim.muon(0.1, weight_decay=0.1), own, [{name: g[name] for name in own} for g in gradients])
    for found, gradient in zip(ours, gradients, strict=True):
        for name, tensor in matrices.items():
            tensor.grad = torch.tensor(gradient[name])
        theirs.step()
        for name, tensor in matrices.items():
            np.testing.assert_allclose(found[name], tensor.detach().numpy(), atol=0.02)


SCHEDULES: dict[str, Any] = {
    "linear": (optim.schedules.linear(1.0, 0.1, 10, begin=3), lambda o: o.linear_schedule(1.0, 0.1, 10, 3)),
    "polynomial": (
        optim.schedules.polynomial(1.0, 0.1, 10, power=2.0),
        lambda o: o.polynomial_schedule(1.0, 0.1, 2.0, 10),
    ),
    "cosine": (optim.schedules.cosine(1.0, 10, end=0.2), lambda o: o.cosine_decay_schedule(1.0, 10, 0.2)),
    "exponential": (
        optim.schedules.exponential(1.0, 0.5, 4, end=0.2),
        lambda o: o.exponential_decay(1.0, 4, 0.5, end_value=0.2),
    ),
    "staircase": (
        optim.schedules.exponential(1.0, 0.5, 4, staircase=True),
        lambda o: o.exponential_decay(1.0, 4, 0.5, staircase=True),
    ),
    "warmup": (
        optim.schedules.warmup_cosine(1.0, 5, 15, start=0.1, end=0.2),
        lambda o: o.warmup_cosine_decay_schedule(0.1, 1.0, 5, 15, 0.2),
    ),
    "one cycle": (optim.schedules.one_cycle(1.0, 20), lambda o: o.cosine_onecycle_schedule(20, 1.0)),
    "piecewise": (
        optim.schedules.piecewise([1.0, 0.5, 0.1], [5, 10]),
        lambda o: o.join_schedules([o.constant_schedule(v) for v in (1.0, 0.5, 0.1)], [5, 10]),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name: str) -> None:
    import optax

    ours, theirs = SCHEDULES[name]
    wanted = theirs(optax)
    for step in range(25):
        np.testing.assert_allclose(ours(rnp.asarray(step)), wanted(step), rtol=1e-5, atol=1e-6, err_msg=str(step))


@pytest.mark.parametrize("backoff", [0.5, 0.125])
def test_the_scale_of_losses_is_that_of_grad_scaler(backoff: float) -> None:
    """Gradients now and then hold an infinity or a NaN: both skip the same steps, and scale alike after each."""
    import torch

    params, gradients = problem(np.float32)
    rng = np.random.default_rng(1)
    bad = {2: np.inf, 3: np.nan, 9: -np.inf}
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, backoff_factor=backoff, growth_interval=2)
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in params.items()}
    theirs = torch.optim.AdamW(tensors.values(), lr=0.1)
    scale = precision.DynamicLossScale(2.0**10, period=2, min_loss_scale=0.0, backoff=backoff)
    optimizer = optim.scaled(optim.adamw(0.1), scale)
    ours = rosin.tree.map(rnp.asarray, params)
    state = optimizer.init(ours)

    @rosin.compile
    def step(params: Any, state: Any, gradient: Any) -> Any:
        scaled = rosin.tree.map(lambda g: g * state.scale.loss_scale, gradient)
        updates, state = optimizer.update(scaled, state, params)
        return optim.apply_updates(params, updates), state

    for number, gradient in enumerate(gradients):
        if number in bad:
            gradient["matrix"][tuple(rng.integers(0, 5, 2))] = bad[number]
        scaler.scale(torch.zeros(()))
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(gradient[name]) * scaler.get_scale()
        scaler.step(theirs)
        scaler.update()
        before = ours, state.inner
        ours, state = step(ours, state, rosin.tree.map(rnp.asarray, gradient))
        assert float(state.scale.loss_scale) == scaler.get_scale()
        if number in bad:
            for a, b in zip(*map(rosin.tree.leaves, ((ours, state.inner), before)), strict=True):
                np.testing.assert_array_equal(a, b)
        for name, tensor in tensors.items():
            np.testing.assert_allclose(ours[name], tensor.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert len(step.signatures()) == 1
