"""Transformers: a block of GPT-2's size, a small GPT's training step, and a token decoded with keys and values kept.

python benches/transformer.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Arrays, Work, draw, main


def block_weights(width: int, seed: int = 0) -> list[np.ndarray[Any, Any]]:
    shapes = [(width,), (width,), (width, 3 * width), (3 * width,), (width, width), (width,)]
    shapes += [(width,), (width,), (width, 4 * width), (4 * width,), (4 * width, width), (width,)]
    return [draw(*shape, seed=seed + i) * np.float32(0.02) + np.float32(i in (0, 6)) for i, shape in enumerate(shapes)]


def norm(n: Library, x: Any, scale: Any, shift: Any) -> Any:
    centred = x - n.xp.mean(x, axis=-1, keepdims=True)
    return centred / n.xp.sqrt(n.xp.mean(centred * centred, axis=-1, keepdims=True) + 1e-5) * scale + shift


def block(n: Library, heads: int, x: Any, weights: Any) -> Any:
    """Before each part a norm, around it a residual connection: attention, then two layers with a gelu."""
    scale1, shift1, qkv, qkv_bias, out, out_bias, scale2, shift2, up, up_bias, down, down_bias = weights
    batch, steps, width = x.shape
    y = norm(n, x, scale1, shift1) @ qkv + qkv_bias
    parts = [y[..., i * width : (i + 1) * width].reshape(batch, steps, heads, width // heads) for i in range(3)]
    mixed = n.attention(*(part.swapaxes(1, 2) for part in parts), True)
    x = x + mixed.swapaxes(1, 2).reshape(batch, steps, width) @ out + out_bias
    return x + n.gelu(norm(n, x, scale2, shift2) @ up + up_bias) @ down + down_bias


def forward(heads: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda weights, x: block(n, heads, x, weights)


def backward(heads: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: n.value_and_grad(lambda weights, x: n.xp.mean(block(n, heads, x, weights) ** 2))


def gpt_step(heads: int) -> Callable[[Library], Callable[..., Any]]:
    """A step of descent of a whole language model."""

    def make(n: Library) -> Callable[..., Any]:
        def loss(parameters: Any, tokens: Any, target: Any) -> Any:
            table, places, blocks = parameters
            x = n.take(table, tokens) + places
            for weights in blocks:
                x = block(n, heads, x, weights)
            return -n.xp.mean(n.xp.sum(n.log_softmax(x @ table.swapaxes(0, 1), axis=-1) * target, axis=-1))

        def step(parameters: Any, tokens: Any, target: Any) -> Any:
            value, (table, places, blocks) = n.value_and_grad(loss)(parameters, tokens, target)
            old = parameters
            moved = [[w - 0.1 * g for w, g in zip(*pair, strict=True)] for pair in zip(old[2], blocks, strict=True)]
            return value, [old[0] - 0.1 * table, old[1] - 0.1 * places, moved]

        return step

    return make


def decode(heads: int) -> Callable[[Library], Callable[..., Any]]:
    """One token through a block, attending to those before it."""

    def make(n: Library) -> Callable[..., Any]:
        def run(weights: Any, x: Any, keys: Any, values: Any) -> Any:
            scale1, shift1, qkv, qkv_bias, out, out_bias, scale2, shift2, up, up_bias, down, down_bias = weights
            width = x.shape[-1]
            y = norm(n, x, scale1, shift1) @ qkv + qkv_bias
            q, k, v = (y[:, i * width : (i + 1) * width].reshape(heads, 1, width // heads) for i in range(3))
            keys = n.xp.concat([keys, k], axis=1)
            values = n.xp.concat([values, v], axis=1)
            scores = n.softmax(q @ keys.swapaxes(1, 2) * (width // heads) ** -0.5, axis=-1)
            x = x + (scores @ values).reshape(1, width) @ out + out_bias
            x = x + n.gelu(norm(n, x, scale2, shift2) @ up + up_bias) @ down + down_bias
            return x, keys, values

        return run

    return make


WORDS, STEPS, WIDTH, HEADS = 512, 64, 128, 4


def language() -> Arrays:
    tokens = np.random.default_rng(0).integers(0, WORDS, (8, STEPS + 1))
    target = np.eye(WORDS, dtype=np.float32)[tokens[:, 1:]]
    table, places = draw(WORDS, WIDTH) * np.float32(0.02), draw(STEPS, WIDTH) * np.float32(0.02)
    return [[table, places, [block_weights(WIDTH, seed) for seed in range(4)]], tokens[:, :-1].copy(), target]


def with_weights(width: int, *shapes: tuple[int, ...]) -> Arrays:
    return [block_weights(width), *(draw(*shape) for shape in shapes)]


def works() -> Iterator[Work]:
    for batch, steps, width, heads in ((4, 64, 128, 4), (1, 256, 768, 12)):
        arrays = partial(with_weights, width, (batch, steps, width))
        text = f"block {batch}x{steps}x{width}, {heads} heads"
        operations = 2.0 * batch * steps * width * (12 * width + steps)
        yield Work(text, arrays, forward(heads), {"numpy": None}, operations)
        yield Work(f"gradient of {text}", arrays, backward(heads), {"numpy": None}, 3 * operations)
    yield Work(f"step of a GPT, 4 blocks, 8x{STEPS}x{WIDTH}", language, gpt_step(HEADS), {"numpy": None})
    for width, heads, kept in ((128, 4, 64), (768, 12, 511)):
        before = (heads, kept, width // heads)
        arrays = partial(with_weights, width, (1, width), before, before)
        moved = 4.0 * (12 * width * width + 4 * kept * width)
        yield Work(f"decode {width}, {kept} before", arrays, decode(heads), {"numpy": None}, moved / 2, moved)


if __name__ == "__main__":
    main(list(works()), __doc__)
