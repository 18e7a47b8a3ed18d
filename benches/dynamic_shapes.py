"""Symbolic sizes against the same program compiled for numbers, interleaved: matmul, rows by rows, a transpose,
softmax, layer norm, an MLP step, attention, a convolution, a running sum and a scan.

    python benches/dynamic_shapes.py

The symbolic program is compiled once, for other sizes than it is timed at, though not of another order. With
ROSIN_NUM_THREADS=1 the ratios hardly move from run to run.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rosin
from rosin import numpy as rnp

Arrays = Sequence[np.ndarray[Any, Any]]
rng = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray[Any, Any]:
    return rng.standard_normal(shape).astype(np.float32)


def matmul(x: Any, y: Any) -> Any:
    return x @ y


def rows_by_rows(x: Any, y: Any) -> Any:
    return x @ y.T


def transpose(x: Any) -> Any:
    return x.T * 2


def softmax(x: Any) -> Any:
    return rosin.nn.softmax(x, axis=-1)


def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    mean = rnp.mean(x, axis=-1, keepdims=True)
    centred = x - mean
    variance = rnp.mean(centred * centred, axis=-1, keepdims=True)
    return centred / rnp.sqrt(variance + 1e-5) * scale + shift


def loss(w1: Any, w2: Any, x: Any, y: Any) -> Any:
    error = rnp.tanh(x @ w1) @ w2 - y
    return rnp.mean(error * error)


def mlp_step(w1: Any, w2: Any, x: Any, y: Any) -> Any:
    g1, g2 = rosin.grad(loss, argnums=(0, 1))(w1, w2, x, y)
    return w1 - 0.1 * g1, w2 - 0.1 * g2


def attention(q: Any, k: Any, v: Any) -> Any:
    return rosin.nn.softmax(q @ k.T / 8.0, axis=-1) @ v


def convolution(x: Any, w: Any) -> Any:
    return rosin.nn.conv(x, w, padding="SAME")


def running(x: Any) -> Any:
    return rnp.cumsum(x, axis=-1)


def recurrence(h: Any, x: Any) -> Any:
    def step(h: Any, row: Any) -> Any:
        h = rnp.tanh(0.5 * h + row)
        return h, h

    return rosin.scan(step, h, x)


def mlp(batch: int) -> Arrays:
    return draw(256, 128), draw(128, 10), draw(batch, 256), draw(batch, 10)


CASES: list[tuple[str, Callable[..., Any], dict[str, Any], Arrays, list[Arrays]]] = [
    (
        "matmul",
        matmul,
        {"x": {0: "n", 1: "k"}, "y": {0: "k", 1: "m"}},
        (draw(96, 80), draw(80, 112)),
        [(draw(n, n), draw(n, n)) for n in (16, 64, 256, 512, 1024)] + [(draw(100, 77), draw(77, 130))],
    ),
    (
        "x @ y.T",
        rows_by_rows,
        {"x": {0: "n", 1: "k"}, "y": {0: "m", 1: "k"}},
        (draw(96, 80), draw(112, 80)),
        [
            (draw(n, k), draw(m, k))
            for n, k, m in ((64, 64, 64), (512, 512, 512), (16, 1024, 1024), (100, 77, 130), (1000, 256, 300))
        ],
    ),
    (
        "transpose",
        transpose,
        {"x": (0, 1)},
        (draw(48, 80),),
        [(draw(n, m),) for n, m in ((64, 64), (512, 512), (700, 700), (10000, 20))],
    ),
    (
        "softmax",
        softmax,
        {"x": (0, 1)},
        (draw(48, 80),),
        [(draw(n, m),) for n, m in ((16, 64), (64, 1000), (512, 512), (1000, 64), (5000, 5), (5000, 33))],
    ),
    (
        "layer norm",
        layer_norm,
        {"x": {0: "n", 1: "d"}, "scale": {0: "d"}, "shift": {0: "d"}},
        (draw(48, 80), draw(80), draw(80)),
        [(draw(n, d), draw(d), draw(d)) for n, d in ((16, 64), (64, 768), (512, 256), (1000, 64), (5000, 10))],
    ),
    ("MLP step", mlp_step, {"x": {0: "batch"}, "y": {0: "batch"}}, mlp(48), [mlp(batch) for batch in (32, 128, 500)]),
    (
        "attention",
        attention,
        {"q": {0: "n"}, "k": {0: "m"}, "v": {0: "m"}},
        (draw(96, 64), draw(160, 64), draw(160, 64)),
        [(draw(n, 64), draw(m, 64), draw(m, 64)) for n, m in ((16, 64), (128, 128), (500, 1000))],
    ),
    (
        "convolution",
        convolution,
        {"x": {0: "n", 2: "h", 3: "w"}},
        (draw(2, 16, 24, 24), draw(32, 16, 3, 3)),
        [(draw(n, 16, h, h), draw(32, 16, 3, 3)) for n, h in ((1, 8), (4, 32), (8, 56))],
    ),
    (
        "cumsum",
        running,
        {"x": (0, 1)},
        (draw(48, 80),),
        [(draw(n, m),) for n, m in ((16, 64), (64, 1000), (1000, 512))],
    ),
    (
        "scan",
        recurrence,
        {"h": {0: "d"}, "x": {0: "steps", 1: "d"}},
        (draw(96), draw(80, 96)),
        [(draw(d), draw(n, d)) for n, d in ((16, 64), (1000, 16), (1000, 256))],
    ),
]


def seconds(f: Callable[..., Any], arguments: Arrays, runs: int) -> float:
    start = time.perf_counter()
    for _ in range(runs):
        f(*arguments)
    return (time.perf_counter() - start) / runs


def compare(symbolic: Callable[..., Any], static: Callable[..., Any], arguments: Arrays) -> tuple[float, float, float]:
    """Microseconds a call of each, and their ratio: medians of many rounds, in which they take turns."""
    runs = max(int(0.005 / max(seconds(static, arguments, 1), 1e-7)), 1)
    pairs = [(seconds(symbolic, arguments, runs), seconds(static, arguments, runs)) for _ in range(25)]
    ours, theirs = (1e6 * statistics.median(each) for each in zip(*pairs, strict=True))
    return ours, theirs, statistics.median(a / b for a, b in pairs)


def main() -> None:
    print(f"microseconds a call; load {os.getloadavg()[0]:.1f}")
    print(f"{'':12} {'sizes':28} {'symbolic':>10} {'static':>10} {'ratio':>6}")
    for name, f, dynamic, first, others in CASES:
        symbolic: Callable[..., Any] = rosin.compile(f, dynamic=dynamic)
        symbolic(*first)
        for arguments in others:
            static: Callable[..., Any] = rosin.compile(f, dynamic=False)
            for a, b in zip(
                rosin.tree.leaves(symbolic(*arguments)), rosin.tree.leaves(static(*arguments)), strict=True
            ):
                np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-3, atol=1e-4)
            ours, theirs, ratio = compare(symbolic, static, arguments)
            sizes = " ".join("x".join(map(str, x.shape)) for x in arguments)
            print(f"{name:12} {sizes[:28]:28} {ours:10.1f} {theirs:10.1f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
