"""ResNet-18 and a GPT as they are written in JAX with optax, and their steps of training, for zoo_training.py."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _rivals import Arrays, Run

Init = Callable[[], Any]
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))


def drawn(*shape: int, fan: int) -> Any:
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape) * fan**-0.5, jnp.float32)


# -- ResNet-18 -------------------------------------------------------------------------------------------------------


def norm_of(channels: int) -> dict[str, Any]:
    zeros, ones = jnp.zeros(channels, jnp.float32), jnp.ones(channels, jnp.float32)
    return {"weight": ones, "bias": zeros, "mean": zeros, "var": ones}


def conv_of(window: int, channels: int, out: int) -> dict[str, Any]:
    weight = drawn(out, channels, window, window, fan=channels * window * window)
    return {"conv": weight, "norm": norm_of(out)}


def resnet_init(stem: str, classes: int) -> Any:
    blocks: list[Any] = []
    before = 64
    for out, stride in STAGES:
        for own in (stride, 1):
            short = conv_of(1, before, out) if own != 1 or before != out else None
            blocks.append({"first": conv_of(3, before, out), "second": conv_of(3, out, out), "short": short})
            before = out
    stem_layer = conv_of(7 if stem == "large" else 3, 3, 64)
    return {"stem": stem_layer, "blocks": blocks, "head": drawn(512, classes, fan=512)}


def layer(x: Any, p: Any, stride: int, training: bool) -> tuple[Any, Any]:
    ends = [((p["conv"].shape[-1] - 1) // 2,) * 2] * 2
    y, norm = jax.lax.conv_general_dilated(x, p["conv"], (stride, stride), ends), p["norm"]
    mean, var = (jnp.mean(y, (0, 2, 3)), jnp.var(y, (0, 2, 3))) if training else (norm["mean"], norm["var"])
    y = (y - mean[:, None, None]) * (jax.lax.rsqrt(var + 1e-5) * norm["weight"])[:, None, None]
    kept = {name: 0.9 * norm[name] + 0.1 * jax.lax.stop_gradient(new) for name, new in (("mean", mean), ("var", var))}
    return y + norm["bias"][:, None, None], {**p, "norm": {**norm, **kept}}


def resnet(params: Any, x: Any, training: bool, stem: str) -> tuple[Any, Any]:
    x, first = layer(x, params["stem"], 2 if stem == "large" else 1, training)
    x, blocks = jax.nn.relu(x), list[Any]()
    if stem == "large":
        ends = ((0, 0), (0, 0), (1, 1), (1, 1))
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 3, 3), (1, 1, 2, 2), ends)
    strides = itertools.chain.from_iterable((stride, 1) for _, stride in STAGES)
    for stride, p in zip(strides, params["blocks"], strict=True):
        y, one = layer(x, p["first"], stride, training)
        y, two = layer(jax.nn.relu(y), p["second"], 1, training)
        x, short = layer(x, p["short"], stride, training) if p["short"] is not None else (x, None)
        x = jax.nn.relu(x + y)
        blocks.append({"first": one, "second": two, "short": short})
    return jnp.mean(x, (2, 3)) @ params["head"], {**params, "stem": first, "blocks": blocks}


# -- GPT -------------------------------------------------------------------------------------------------------------


def gpt_init(layers: int, width: int, heads: int, vocabulary: int, context: int) -> Any:
    def linear(inputs: int, outputs: int) -> Any:
        return drawn(inputs, outputs, fan=inputs), jnp.zeros(outputs, jnp.float32)

    def norm() -> Any:
        return jnp.ones(width, jnp.float32), jnp.zeros(width, jnp.float32)

    def one() -> Any:
        linears = {"joint": (width, 3 * width), "output": (width, width), "up": (width, 4 * width)}
        linears["down"] = (4 * width, width)
        return {name: linear(*sizes) for name, sizes in linears.items()} | {"norm1": norm(), "norm2": norm()}

    tables = {"tokens": drawn(vocabulary, width, fan=width), "places": drawn(context, width, fan=width)}
    return {**tables, "layers": [one() for _ in range(layers)], "norm": norm()}


def normed(x: Any, p: Any) -> Any:
    x = x - jnp.mean(x, -1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5) * p[0] + p[1]


def gpt(params: Any, tokens: Any, training: bool, heads: int) -> tuple[Any, Any]:
    x = params["tokens"][tokens] + params["places"][: tokens.shape[1]]
    for p in params["layers"]:
        h = normed(x, p["norm1"]) @ p["joint"][0] + p["joint"][1]
        q, k, v = (part.reshape(*part.shape[:2], heads, -1) for part in jnp.split(h, 3, -1))
        gathered = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        x = x + gathered.reshape(x.shape) @ p["output"][0] + p["output"][1]
        h = jax.nn.gelu(normed(x, p["norm2"]) @ p["up"][0] + p["up"][1])
        x = x + h @ p["down"][0] + p["down"][1]
    return normed(x, params["norm"]) @ params["tokens"].T, params


# -- what is measured ------------------------------------------------------------------------------------------------


def step_of(init: Init, apply: Callable[..., Any], optimizer: Callable[[], Any]) -> Callable[[Arrays], Run]:
    """A step of training, whose state is donated."""

    def prepare(arrays: Arrays) -> Run:
        params, known = init(), optimizer()
        state = params, known.init(params)
        x, y = jnp.asarray(arrays[0]), jnp.asarray(arrays[1], jnp.int32)

        def loss(params: Any, x: Any, y: Any) -> Any:
            scores, after = apply(params, x, True)
            return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(scores, y)), after

        def step(state: Any, x: Any, y: Any) -> Any:
            params, own = state
            (value, after), slopes = jax.value_and_grad(loss, has_aux=True)(params, x, y)
            updates, own = known.update(slopes, own, params)
            return (optax.apply_updates(after, updates), own), value

        compiled = jax.jit(step, donate_argnums=0)

        def run() -> object:
            nonlocal state
            state, value = compiled(state, x, y)
            return jax.block_until_ready(value)

        return run

    return prepare


def scores_of(init: Init, apply: Callable[..., Any]) -> Callable[[Arrays], Run]:
    """The scores of a model that is not trained."""

    def prepare(arrays: Arrays) -> Run:
        params, x = init(), jnp.asarray(arrays[0])
        compiled = jax.jit(lambda params, x: apply(params, x, False)[0])
        return lambda: jax.block_until_ready(compiled(params, x))

    return prepare
