"""Steps of training: perceptrons from tiny to large, with descent and with Adam, as one call where the library can.

python benches/training.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Arrays, Run, Work, draw, main


def scores(n: Library, layers: Any, x: Any) -> Any:
    for w, bias in layers[:-1]:
        x = n.xp.maximum(x @ w + bias, 0)
    w, bias = layers[-1]
    return x @ w + bias


def loss(n: Library) -> Callable[..., Any]:
    return lambda layers, x, target: (
        -n.xp.mean(n.xp.sum(n.log_softmax(scores(n, layers, x), axis=-1) * target, axis=-1))
    )


def descent(n: Library) -> Callable[..., Any]:
    def step(layers: Any, x: Any, target: Any) -> Any:
        value, slopes = n.value_and_grad(loss(n))(layers, x, target)
        return value, [[p - 0.1 * g for p, g in zip(*pair, strict=True)] for pair in zip(layers, slopes, strict=True)]

    return step


def adam(n: Library) -> Callable[..., Any]:
    """With its moments in lists like the layers'."""

    def moved(p: Any, g: Any, m: Any, v: Any) -> Any:
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        return p - 1e-3 * m / (n.xp.sqrt(v) + 1e-8), m, v

    def step(layers: Any, first: Any, second: Any, x: Any, target: Any) -> Any:
        value, slopes = n.value_and_grad(loss(n))(layers, x, target)
        new = [
            [moved(*each) for each in zip(*rows, strict=True)]
            for rows in zip(layers, slopes, first, second, strict=True)
        ]
        return value, *([[each[i] for each in row] for row in new] for i in range(3))

    return step


def adam_of_torch(arrays: Arrays) -> Run:
    """By torch.optim, whose fused form works on all parameters at once."""
    import torch

    layers, _, _, x, target = arrays
    parameters = [[torch.from_numpy(a.copy()).requires_grad_() for a in row] for row in layers]
    optimizer = torch.optim.Adam([p for row in parameters for p in row], lr=1e-3, fused=True)
    given, wanted = torch.from_numpy(x), torch.from_numpy(target)

    def run() -> object:
        y = given
        for w, bias in parameters[:-1]:
            y = torch.relu(torch.addmm(bias, y, w))
        w, bias = parameters[-1]
        value = torch.nn.functional.cross_entropy(torch.addmm(bias, y, w), wanted)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return run


def layers_of(sizes: Sequence[int]) -> list[list[np.ndarray[Any, Any]]]:
    pairs = itertools.pairwise(sizes)
    return [[draw(a, b, seed=i) / np.float32(np.sqrt(a)), draw(b, seed=i)] for i, (a, b) in enumerate(pairs)]


def batch(rows: int, sizes: Sequence[int]) -> Arrays:
    """The layers, rows of inputs, and their classes."""
    classes = np.eye(sizes[-1], dtype=np.float32)[np.arange(rows) % sizes[-1]]
    return [layers_of(sizes), draw(rows, sizes[0]), classes]


def batch_and_moments(rows: int, sizes: Sequence[int]) -> Arrays:
    layers, *data = batch(rows, sizes)
    filled = [[[np.full_like(a, value) for a in row] for row in layers] for value in (0, 1)]
    return [layers, *filled, *data]


NETWORKS = (
    (1, (4, 16, 2)),
    (32, (16, 32, 32, 4)),
    (64, (784, 128, 10)),
    (128, (784, 512, 512, 10)),
    (512, (1024, 2048, 2048, 100)),
)


def works() -> Iterator[Work]:
    for rows, sizes in NETWORKS:
        text = f"{'-'.join(map(str, sizes))}, {rows} rows"
        operations = 6.0 * rows * sum(a * b for a, b in itertools.pairwise(sizes))
        yield Work(f"descent {text}", partial(batch, rows, sizes), descent, {"numpy": None}, operations)
        own = {"numpy": None, "torch": adam_of_torch}
        yield Work(f"Adam {text}", partial(batch_and_moments, rows, sizes), adam, own, operations)


if __name__ == "__main__":
    main(list(works()), __doc__)
