"""Recurrent networks: LSTM and GRU over time, forward and with gradients, and single cells.

python benches/recurrent.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Arrays, Run, Work, draw, drawn, main


def lstm_cell(n: Library, h: Any, c: Any, x: Any, w: Any, u: Any, bias: Any) -> Any:
    gates = x @ w + h @ u + bias
    size = h.shape[-1]
    take, forget, new, give = (gates[..., i * size : (i + 1) * size] for i in range(4))
    c = n.sigmoid(forget) * c + n.sigmoid(take) * n.xp.tanh(new)
    return n.sigmoid(give) * n.xp.tanh(c), c


def gru_cell(n: Library, h: Any, x: Any, w: Any, u: Any, bias: Any) -> Any:
    size = h.shape[-1]
    left, right = x @ w + bias, h @ u
    reset, update = (
        n.sigmoid(left[..., i * size : (i + 1) * size] + right[..., i * size : (i + 1) * size]) for i in (0, 1)
    )
    new = n.xp.tanh(left[..., 2 * size :] + reset * right[..., 2 * size :])
    return (1 - update) * new + update * h


def lstm(n: Library) -> Callable[..., Any]:
    def run(w: Any, u: Any, bias: Any, xs: Any) -> Any:
        zero = n.xp.zeros((xs.shape[1], u.shape[0]), dtype=np.float32)

        def step(carry: Any, x: Any) -> Any:
            h, c = lstm_cell(n, *carry, x, w, u, bias)
            return (h, c), h

        return n.scan(step, (zero, zero), xs)[1]

    return run


def gru(n: Library) -> Callable[..., Any]:
    def run(w: Any, u: Any, bias: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = gru_cell(n, h, x, w, u, bias)
            return h, h

        return n.scan(step, n.xp.zeros((xs.shape[1], u.shape[0]), dtype=np.float32), xs)[1]

    return run


def gradient(network: Callable[[Library], Callable[..., Any]]) -> Callable[[Library], Callable[..., Any]]:
    def make(n: Library) -> Callable[..., Any]:
        return n.grad(lambda w, u, bias, xs: n.xp.sum(network(n)(w, u, bias, xs) ** 2), (0, 1, 2))

    return make


def of_torch(kind: str, back: bool) -> Callable[[Arrays], Run]:
    def make(arrays: Arrays) -> Run:
        import torch

        w, u, _, xs = arrays
        network = getattr(torch.nn, kind)(w.shape[0], u.shape[0])
        given = torch.from_numpy(xs)

        def run() -> object:
            if not back:
                with torch.no_grad():
                    return network(given)
            network.zero_grad()
            (network(given)[0] ** 2).sum().backward()
            return None

        return run

    return make


def cell(n: Library) -> Callable[..., Any]:
    return lambda h, c, x, w, u, bias: lstm_cell(n, h, c, x, w, u, bias)


def cell_of_torch(arrays: Arrays) -> Run:
    import torch

    h, c, x, w, _, _ = arrays
    network = torch.nn.LSTMCell(w.shape[0], h.shape[-1])
    h, c, x = map(torch.from_numpy, (h, c, x))

    def run() -> object:
        with torch.no_grad():
            return network(x, (h, c))

    return run


def sequence(steps: int, batch: int, inputs: int, size: int, gates: int) -> Arrays:
    """The weights, then the inputs of each step."""
    weights = [draw(inputs, gates * size) * np.float32(0.1), draw(size, gates * size, seed=1) * np.float32(0.1)]
    return [*weights, draw(gates * size, seed=2), draw(steps, batch, inputs, seed=3)]


def works() -> Iterator[Work]:
    for steps, batch, inputs, size in ((100, 1, 64, 64), (100, 32, 128, 256), (500, 16, 32, 128)):
        for kind, network, gates in (("LSTM", lstm, 4), ("GRU", gru, 3)):
            text = f"{kind} {steps} steps, {batch}x{inputs} to {size}"
            operations = 2.0 * steps * batch * gates * size * (inputs + size)
            arrays = partial(sequence, steps, batch, inputs, size, gates)
            own = {"numpy": None, "torch": of_torch(kind, False)}
            yield Work(text, arrays, network, own, operations)
            own = {"numpy": None, "torch": of_torch(kind, True)}
            yield Work(f"gradient of {text}", arrays, gradient(network), own, 3 * operations)
    for size in (64, 512):
        arrays = drawn((1, size), (1, size), (1, size), (size, 4 * size), (size, 4 * size), (4 * size,))
        own = {"numpy": None, "torch": cell_of_torch}
        yield Work(f"LSTM cell {size}, 1 row", arrays, cell, own, 16.0 * size * size, 32.0 * size * size)


if __name__ == "__main__":
    main(list(works()), __doc__)
