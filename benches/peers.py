"""Common work beside the peers: NumPy, and JAX and PyTorch where they are installed, in one interleaved run.

    python benches/peers.py [NAME ...]

Every contestant gets the same arrays and two threads. Rounds are interleaved, the median of the rounds is shown, and
the last column is the best peer's time divided by ours: above 1, we are ahead. Compile times are of a first call.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

THREADS = 2
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["ROSIN_NUM_THREADS"] = str(THREADS)

import numpy as np  # noqa: E402  # the number of threads comes first

import rosin  # noqa: E402

ROUNDS = 15
Fn = Callable[..., Any]


@dataclass
class Contestant:
    """A function that runs the work once and waits for it, and what the first call took."""

    run: Callable[[], object]
    compile_seconds: float


def work(xp: Any, nn: Any) -> dict[str, tuple[Fn, tuple[tuple[int, ...], ...]]]:
    """The functions, written once over an array namespace, and the shapes of their arguments."""

    def softmax(x: Any) -> Any:
        e = xp.exp(x - xp.max(x, axis=1)[:, None])
        return e / xp.sum(e, axis=1)[:, None]

    def layer_norm(x: Any, scale: Any) -> Any:
        centred = x - xp.mean(x, axis=1)[:, None]
        return centred / xp.sqrt(xp.mean(centred * centred, axis=1) + 1e-5)[:, None] * scale

    def gelu(x: Any) -> Any:
        return 0.5 * x * (1 + xp.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))

    def dense(x: Any, w: Any, bias: Any) -> Any:
        h = x @ w + bias
        return h * (h > 0)

    return {
        "add 16": (lambda x, y: x + y, ((16,), (16,))),
        "gelu 1M": (gelu, ((1 << 20,),)),
        "softmax 4096x512": (softmax, ((4096, 512),)),
        "layer norm 4096x512": (layer_norm, ((4096, 512), (512,))),
        "row sums 4096x1024": (lambda x: xp.sum(x, axis=1), ((4096, 1024),)),
        "column sums 4096x1024": (lambda x: xp.sum(x, axis=0), ((4096, 1024),)),
        "matmul 64": (lambda x, y: x @ y, ((64, 64), (64, 64))),
        "matmul 256": (lambda x, y: x @ y, ((256, 256), (256, 256))),
        "matmul 1024": (lambda x, y: x @ y, ((1024, 1024), (1024, 1024))),
        "dense 256x512x512": (dense, ((256, 512), (512, 512), (512,))),
        **({"conv 32x16x32x32": (nn, ((32, 16, 32, 32), (32, 16, 3, 3)))} if nn else {}),
    }


def contestants() -> dict[str, Callable[[str, list[np.ndarray]], Contestant | None]]:
    found: dict[str, Callable[[str, list[np.ndarray]], Contestant | None]] = {"rosin": _rosin, "numpy": _numpy}
    if importlib.util.find_spec("jax"):
        found["jax"] = _jax
    if importlib.util.find_spec("torch"):
        found["torch"] = _torch
    return found


def _timed(call: Callable[[], object]) -> Contestant:
    start = time.perf_counter()
    call()
    return Contestant(call, time.perf_counter() - start)


def _rosin(name: str, arrays: list[np.ndarray]) -> Contestant:
    conv = lambda x, w: rosin.nn.conv(x, w, padding="SAME")  # noqa: E731
    function = rosin.compile(work(rosin.numpy, conv)[name][0])
    return _timed(lambda: function(*arrays))


def _numpy(name: str, arrays: list[np.ndarray]) -> Contestant | None:
    table = work(np, None)
    return _timed(lambda: table[name][0](*arrays)) if name in table else None


def _jax(name: str, arrays: list[np.ndarray]) -> Contestant:
    import jax

    conv = lambda x, w: jax.lax.conv(x, w, (1, 1), "SAME")  # noqa: E731
    function = jax.jit(work(jax.numpy, conv)[name][0])
    values = [jax.numpy.asarray(a) for a in arrays]
    return _timed(lambda: jax.block_until_ready(function(*values)))


def _torch(name: str, arrays: list[np.ndarray]) -> Contestant:
    import torch

    torch.set_num_threads(THREADS)

    class Namespace:
        """PyTorch's names for what the work uses."""

        exp, tanh, sqrt = torch.exp, torch.tanh, torch.sqrt
        max = staticmethod(lambda x, axis: torch.amax(x, axis))
        sum = staticmethod(lambda x, axis: torch.sum(x, axis))
        mean = staticmethod(lambda x, axis: torch.mean(x, axis))

    conv = lambda x, w: torch.nn.functional.conv2d(x, w, padding=1)  # noqa: E731
    function = work(Namespace, conv)[name][0]
    values = [torch.from_numpy(a) for a in arrays]
    return _timed(lambda: function(*values))


def measure(name: str) -> dict[str, tuple[float, float]]:
    """The median seconds of a run and the seconds of the first call, for every contestant."""
    rng = np.random.default_rng(0)
    conv = lambda x, w: None  # noqa: E731
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in work(np, conv)[name][1]]
    ready = {who: made for who, make in contestants().items() if (made := make(name, arrays)) is not None}
    seconds: dict[str, list[float]] = {who: [] for who in ready}
    for _ in range(ROUNDS):
        for who, contestant in ready.items():
            contestant.run()
            repeats, start = 0, time.perf_counter()
            while time.perf_counter() - start < 0.01:
                contestant.run()
                repeats += 1
            seconds[who].append((time.perf_counter() - start) / repeats)
    return {who: (statistics.median(seconds[who]), ready[who].compile_seconds) for who in ready}


def main() -> None:
    names = sys.argv[1:] or list(work(np, lambda x, w: None))
    everyone = list(contestants())
    print(f"{'':24s}" + "".join(f"{who:>12s}" for who in everyone) + f"{'first call':>14s}{'best peer/us':>14s}")
    for name in names:
        result = measure(name)
        cells = "".join(f"{1e6 * result[who][0]:10.1f}µs" if who in result else f"{'':>12s}" for who in everyone)
        peers = [time_ for who, (time_, _) in result.items() if who != "rosin"]
        first = f"{1e3 * result['rosin'][1]:.0f}ms"
        ratio = f"{min(peers) / result['rosin'][0]:.2f}" if peers else "no peer"
        print(f"{name:24s}{cells}{first:>14s}{ratio:>14s}")


if __name__ == "__main__":
    main()
