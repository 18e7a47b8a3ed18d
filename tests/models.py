"""Small models with their arguments, for tests that take whole programs through a target, and sizes as in real use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import rosin
import rosin.numpy as rnp


@dataclass(frozen=True)
class Model:
    """A function of arrays, small arguments, and the types of large ones."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    large: tuple[Any, ...]
    chips: str = ""
    """What the large one is, for a table."""


MODELS: dict[str, Callable[[], Model]] = {}


def model(make: Callable[[], Model]) -> Callable[[], Model]:
    MODELS[make.__name__] = make
    return make


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32) * np.float32(0.5)


def f32(*shape: int) -> Any:
    return rosin.spec(rosin.float32, shape)


def descended(loss: Callable[..., Any]) -> Callable[..., Any]:
    """A training step: parameters a little further down, and the loss."""

    def step(params: Any, *data: Any) -> Any:
        value, slopes = rosin.value_and_grad(loss)(params, *data)
        return rosin.tree.map(lambda w, g: w - 0.1 * g, params, slopes), value

    return step


def mlp_loss(params: Any, x: Any, labels: Any) -> Any:
    h = rosin.nn.relu(x @ params["first"] + params["bias"])
    logits = h @ params["second"]
    chosen = rosin.nn.one_hot(labels, logits.shape[-1])
    return -rnp.mean(rnp.sum(rosin.nn.log_softmax(logits) * chosen, axis=-1))


@model
def mlp() -> Model:
    params = {"first": numbers(6, 16), "bias": numbers(16, seed=1), "second": numbers(16, 4, seed=2)}
    small = (params, numbers(10, 6, seed=3), np.arange(10, dtype=np.int32) % 4)
    wide = {"first": f32(784, 512), "bias": f32(512), "second": f32(512, 10)}
    large = (wide, f32(256, 784), rosin.spec(rosin.int32, (256,)))
    return Model(descended(mlp_loss), small, large, "MLP, training step: 256 × 784, 512 hidden")


def cnn_loss(params: Any, x: Any, y: Any) -> Any:
    h = rosin.nn.relu(rosin.nn.conv(x, params["kernel"], padding="SAME"))
    h = rosin.nn.max_pool(h, window=2)
    return rnp.mean((h.reshape(len(x), -1) @ params["out"] - y) ** 2)


@model
def cnn() -> Model:
    params = {"kernel": numbers(4, 3, 3, 3), "out": numbers(4 * 16, 2, seed=1)}
    small = (params, numbers(5, 3, 8, 8, seed=2), numbers(5, 2, seed=3))
    large = ({"kernel": f32(64, 3, 3, 3), "out": f32(64 * 16 * 16, 10)}, f32(128, 3, 32, 32), f32(128, 10))
    return Model(descended(cnn_loss), small, large, "CNN, training step: 128 images of 32 × 32, 64 channels")


def transformer_loss(params: Any, x: Any) -> Any:
    def normalized(h: Any) -> Any:
        return (h - rnp.mean(h, axis=-1, keepdims=True)) / rnp.sqrt(rnp.var(h, axis=-1, keepdims=True) + 1e-5)

    def heads(h: Any, w: Any) -> Any:
        return (normalized(h) @ w).reshape(*h.shape[:2], 2, -1).swapaxes(1, 2)

    q, k, v = (heads(x, params[name]) for name in "qkv")
    scores = rosin.nn.softmax(q @ k.mT / q.shape[-1] ** 0.5)
    x = x + (scores @ v).swapaxes(1, 2).reshape(x.shape) @ params["o"]
    return rnp.sum((x + rosin.nn.gelu(normalized(x) @ params["up"]) @ params["down"]) ** 2)


@model
def transformer_block() -> Model:
    params = {name: numbers(8, 8, seed=i) for i, name in enumerate("qkvo")}
    params |= {"up": numbers(8, 32, seed=5), "down": numbers(32, 8, seed=6)}
    wide = {name: f32(512, 512) for name in "qkvo"} | {"up": f32(512, 2048), "down": f32(2048, 512)}
    what = "transformer block, forward and backward: 8 × 128 × 512"
    function = rosin.value_and_grad(transformer_loss)
    return Model(function, (params, numbers(2, 5, 8, seed=7)), (wide, f32(8, 128, 512)), what)


def lstm_loss(params: Any, xs: Any) -> Any:
    def cell(carry: Any, x: Any) -> Any:
        h, c = carry
        i, f, g, o = rnp.split(x @ params["in"] + h @ params["hidden"], 4, axis=-1)
        c = rosin.nn.sigmoid(f) * c + rosin.nn.sigmoid(i) * rnp.tanh(g)
        h = rosin.nn.sigmoid(o) * rnp.tanh(c)
        return (h, c), h

    start = rnp.zeros((xs.shape[1], params["hidden"].shape[0]), dtype=rosin.float32)
    _, hs = rosin.scan(cell, (start, start), xs)
    return rnp.mean(hs**2)


@model
def lstm() -> Model:
    small = {"in": numbers(5, 16), "hidden": numbers(4, 16, seed=1)}, numbers(7, 3, 5, seed=2)
    large = {"in": f32(128, 1024), "hidden": f32(256, 1024)}, f32(50, 64, 128)
    return Model(descended(lstm_loss), small, large, "LSTM, training step: 50 steps of 64 × 128, 256 hidden")


@model
def ode_loop() -> Model:
    def solve(y: Any, rate: Any) -> Any:
        """Runge and Kutta's midpoint rule until the time is up."""

        def step(state: Any) -> Any:
            t, y = state
            middle = y + 0.005 * rate * rnp.sin(y)
            return t + 0.01, y + 0.01 * rate * rnp.sin(middle)

        start = rnp.zeros((), dtype=y.dtype), y
        return rosin.while_loop(lambda state: state[0] < 0.995, step, start)[1]

    small = numbers(4).astype(np.float64), np.float64(1.5)
    return Model(solve, small, (f32(4096), f32()), "ODE loop: 4096 numbers")
