"""Whole models through StableHLO and XLA's CPU compiler, against the LLVM target."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp

pytestmark = pytest.mark.peers

MODELS: list[Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]] = []


def model(make: Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]) -> Any:
    MODELS.append(make)
    return make


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32) * np.float32(0.5)


def descended(loss: Callable[..., Any]) -> Callable[..., Any]:
    """A training step: parameters a little further down, and the loss."""

    def step(params: Any, *data: Any) -> Any:
        value, slopes = rosin.value_and_grad(loss)(params, *data)
        return rosin.tree.map(lambda w, g: w - 0.1 * g, params, slopes), value

    return step


@model
def mlp() -> Any:
    def loss(params: Any, x: Any, labels: Any) -> Any:
        h = rosin.nn.relu(x @ params["first"] + params["bias"])
        logits = h @ params["second"]
        chosen = rosin.nn.one_hot(labels, 4)
        return -rnp.mean(rnp.sum(rosin.nn.log_softmax(logits) * chosen, axis=-1))

    params = {"first": numbers(6, 16), "bias": numbers(16, seed=1), "second": numbers(16, 4, seed=2)}
    return descended(loss), (params, numbers(10, 6, seed=3), np.arange(10, dtype=np.int32) % 4)


@model
def cnn() -> Any:
    def loss(params: Any, x: Any, y: Any) -> Any:
        h = rosin.nn.relu(rosin.nn.conv(x, params["kernel"], padding="SAME"))
        h = rosin.nn.max_pool(h, window=2)
        return rnp.mean((h.reshape(len(x), -1) @ params["out"] - y) ** 2)

    params = {"kernel": numbers(4, 3, 3, 3), "out": numbers(4 * 16, 2, seed=1)}
    return descended(loss), (params, numbers(5, 3, 8, 8, seed=2), numbers(5, 2, seed=3))


@model
def transformer_block() -> Any:
    def block(params: Any, x: Any) -> Any:
        def normalized(h: Any) -> Any:
            return (h - rnp.mean(h, axis=-1, keepdims=True)) / rnp.sqrt(rnp.var(h, axis=-1, keepdims=True) + 1e-5)

        def heads(h: Any, w: Any) -> Any:
            return (normalized(h) @ w).reshape(*h.shape[:2], 2, -1).swapaxes(1, 2)

        q, k, v = (heads(x, params[name]) for name in "qkv")
        scores = rosin.nn.softmax(q @ k.mT / np.float32(2.0))
        x = x + (scores @ v).swapaxes(1, 2).reshape(x.shape) @ params["o"]
        return x + rosin.nn.gelu(normalized(x) @ params["up"]) @ params["down"]

    params = {name: numbers(8, 8, seed=i) for i, name in enumerate("qkvo")}
    params |= {"up": numbers(8, 32, seed=5), "down": numbers(32, 8, seed=6)}
    return rosin.value_and_grad(lambda p, x: rnp.sum(block(p, x) ** 2)), (params, numbers(2, 5, 8, seed=7))


@model
def lstm() -> Any:
    def loss(params: Any, xs: Any) -> Any:
        def cell(carry: Any, x: Any) -> Any:
            h, c = carry
            i, f, g, o = rnp.split(x @ params["in"] + h @ params["hidden"], 4, axis=-1)
            c = rosin.nn.sigmoid(f) * c + rosin.nn.sigmoid(i) * rnp.tanh(g)
            h = rosin.nn.sigmoid(o) * rnp.tanh(c)
            return (h, c), h

        start = rnp.zeros((3, 4), dtype=rosin.float32)
        _, hs = rosin.scan(cell, (start, start), xs)
        return rnp.mean(hs**2)

    return descended(loss), ({"in": numbers(5, 16), "hidden": numbers(4, 16, seed=1)}, numbers(7, 3, 5, seed=2))


@model
def ode_loop() -> Any:
    def solve(y: Any, rate: Any) -> Any:
        """Runge and Kutta's midpoint rule until the time is up."""

        def step(state: Any) -> Any:
            t, y = state
            middle = y + 0.005 * rate * rnp.sin(y)
            return t + 0.01, y + 0.01 * rate * rnp.sin(middle)

        return rosin.while_loop(lambda state: state[0] < 0.995, step, (rnp.asarray(0.0), y))[1]

    return solve, (numbers(4).astype(np.float64), np.float64(1.5))


@model
def random_numbers() -> Any:
    def draw(seed: Any) -> Any:
        key = rosin.random.key(seed)
        first, second = rosin.random.split(key)
        return rosin.random.bits(first, (5,)), rosin.random.uniform(second, (3, 2)), rosin.random.normal(first, (4,))

    return draw, (np.uint32(7),)


@pytest.mark.parametrize("make", MODELS, ids=lambda f: f.__name__)
def test_xla_gives_what_llvm_gives(make: Callable[[], Any]) -> None:
    function, arguments = make()
    arguments = rosin.tree.map(rnp.asarray, arguments)
    ours = rosin.tree.leaves(rosin.compile(function)(*arguments))
    theirs = rosin.tree.leaves(rosin.compile(function, target="xla")(*arguments))
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        if a.dtype.is_float:
            np.testing.assert_allclose(b, a, rtol=2e-5, atol=2e-6 * np.max(np.abs(a)))
        else:
            np.testing.assert_array_equal(b, a)


def test_bits_and_normal_numbers_are_the_same_on_every_target() -> None:
    draw, arguments = random_numbers()
    for a, b in zip(rosin.compile(draw)(*arguments), rosin.compile(draw, target="xla")(*arguments), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


PARALLEL = """
import numpy as np
import rosin
import rosin.numpy as rnp

def loss(w, x, y):
    return rnp.mean((rnp.tanh(x @ w["first"]) @ w["second"] - y) ** 2)

def step(w, x, y):
    value, slopes = rosin.value_and_grad(loss)(w, x, y)
    slopes = rosin.tree.map(lambda g: rosin.pmean(g, "data"), slopes)
    return {name: w[name] - 0.1 * slopes[name] for name in w}, rosin.pmean(value, "data")

rng = np.random.default_rng(0)
w = {"first": rng.normal(size=(3, 8)).astype("f"), "second": rng.normal(size=(8, 1)).astype("f")}
x, y = rng.normal(size=(32, 3)).astype("f"), rng.normal(size=(32, 1)).astype("f")
program = rosin.export(step, w, x[:8], y[:8], mesh={"data": 4}).to_bytes()
shards = [((w, x[i::4], y[i::4]), {}) for i in range(4)]
ours, theirs = (rosin.load(program, target).on_shards(shards) for target in ("llvm", "xla"))
slopes = rosin.grad(loss)({k: rnp.asarray(v) for k, v in w.items()}, rnp.asarray(x), rnp.asarray(y))
for (a, _), (b, _) in zip(ours, theirs, strict=True):
    for name in w:
        np.testing.assert_allclose(b[name], a[name], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(b[name], w[name] - 0.1 * np.asarray(slopes[name]), rtol=1e-5, atol=1e-6)
"""


def test_a_data_parallel_step_over_four_devices() -> None:
    flags = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    done = subprocess.run([sys.executable, "-c", PARALLEL], env=flags, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_donated_parameters_are_taken_over() -> None:
    function, arguments = mlp()
    step = rosin.compile(function, target="xla", donate_argnums=0)
    params, *data = rosin.tree.map(rnp.asarray, arguments)
    expected = params
    for _ in range(3):
        expected, _ = rosin.compile(function)(expected, *data)
        old, (params, _) = params, step(params, *data)
        with pytest.raises(rosin.RosinError, match="donated"):
            rnp.sum(old["bias"])
    np.testing.assert_allclose(params["bias"], expected["bias"], rtol=1e-5)


def test_sizes_that_are_symbols_are_numbers_for_each_program() -> None:
    f = rosin.compile(lambda x: rnp.cumsum(x) * x.shape[0], target="xla", dynamic={"x": {0: "n"}})
    for n in (1, 2, 5):
        np.testing.assert_array_equal(f(rnp.ones(n)), np.arange(1, n + 1) * n)
    assert len(f.signatures()) == 1
