"""How long a first call takes: of repeated layers, of loops of many steps, of steps of training, beside jax.jit.

    python benches/compile_time.py [--all] [NAME ...]

Every program is compiled with an empty cache, after small programs have loaded what compilers need. The first columns
show where our time goes: tracing (with derivatives), passes over the graph, loops, LLVM text, and LLVM itself. JAX
takes half a minute over a hundred layers, so that they are left to us alone, unless `--all` asks for them. The lines at
the end are the claims: a hundred layers against one, and a loop of many steps against one of few.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["ROSIN_CACHE_DIR"] = tempfile.mkdtemp(prefix="rosin-compile-time-")

import numpy as np  # where the cache is comes first

import rosin
from rosin.passes import pipeline
from rosin.runtime import jit, making

Array = np.ndarray[Any, Any]
WIDTH, ROWS = 64, 32
LAYERS = 100


@dataclass(frozen=True)
class Namespace:
    """What the programs use of a library."""

    xp: Any
    value_and_grad: Any
    gelu: Any
    conv: Any
    scan: Any


@dataclass(frozen=True)
class Bench:
    """A program over a namespace, its arguments, and whether JAX is asked as well without being told to."""

    program: Callable[[Namespace], Callable[..., Any]]
    arguments: tuple[Any, ...]
    beside_jax: bool = True


# -- programs ----------------------------------------------------------------------------------------------------


def draw(*shape: int) -> Array:
    rng = np.random.default_rng(abs(hash(shape)) % 1000)
    return (rng.standard_normal(shape) / np.sqrt(shape[0] if shape else 1)).astype(np.float32)


def block(n: Namespace, x: Any, weights: Any) -> Any:
    """A matrix product, a bias, an activation, a layer norm, and around them a residual connection."""
    w, bias, scale, shift = weights
    y = n.gelu(x @ w + bias)
    mean = n.xp.mean(y, axis=-1, keepdims=True)
    variance = n.xp.var(y, axis=-1, keepdims=True)
    return x + (y - mean) / n.xp.sqrt(variance + 1e-5) * scale + shift


def block_weights() -> tuple[Array, ...]:
    return draw(WIDTH, WIDTH), draw(WIDTH), draw(WIDTH), draw(WIDTH)


def layers(n: Namespace) -> Callable[..., Any]:
    def run(weights: Any, x: Any) -> Any:
        for each in weights:
            x = block(n, x, each)
        return x

    return run


def layers_with_gradient(n: Namespace) -> Callable[..., Any]:
    run = layers(n)
    return n.value_and_grad(lambda weights, x: n.xp.sum(run(weights, x) ** 2))


def same_layer(count: int) -> Callable[[Namespace], Callable[..., Any]]:
    def program(n: Namespace) -> Callable[..., Any]:
        return lambda weights, x: layers(n)([weights] * count, x)

    return program


def recurrent(n: Namespace) -> Callable[..., Any]:
    def run(w: Any, u: Any, xs: Any) -> Any:
        def loss(w: Any) -> Any:
            def step(h: Any, x: Any) -> Any:
                h = n.xp.tanh(h @ w + x @ u)
                return h, h

            return n.xp.sum(n.scan(step, n.xp.zeros((4, WIDTH), dtype=np.float32), xs)[1])

        return n.value_and_grad(loss)(w)

    return run


def perceptron_step(n: Namespace) -> Callable[..., Any]:
    def loss(weights: Any, x: Any, y: Any) -> Any:
        for w, bias in weights[:-1]:
            x = n.xp.tanh(x @ w + bias)
        w, bias = weights[-1]
        return n.xp.mean((x @ w + bias - y) ** 2)

    def step(weights: Any, x: Any, y: Any) -> Any:
        value, gradient = n.value_and_grad(loss)(weights, x, y)
        pairs = zip(weights, gradient, strict=True)
        return value, [(w - 0.1 * dw, b - 0.1 * db) for (w, b), (dw, db) in pairs]

    return step


def convolution_step(n: Namespace) -> Callable[..., Any]:
    def loss(kernels: Any, x: Any) -> Any:
        for kernel in kernels:
            y = n.conv(x, kernel)
            x = n.xp.maximum(y, 0.0) + (x if x.shape == y.shape else 0.0)
        return n.xp.mean(x**2)

    def step(kernels: Any, x: Any) -> Any:
        value, gradient = n.value_and_grad(loss)(kernels, x)
        return value, [k - 0.1 * g for k, g in zip(kernels, gradient, strict=True)]

    return step


def benches() -> dict[str, Bench]:
    x = draw(ROWS, WIDTH)
    sizes = (784, 256, 128, 10)
    perceptron = [(draw(a, b), draw(b)) for a, b in itertools.pairwise(sizes)]
    kernels = [draw(16, 3, 3, 3)] + [draw(16, 16, 3, 3)] * 9
    one, many = [block_weights()], [block_weights()] * LAYERS
    cells = (draw(WIDTH, WIDTH), draw(WIDTH, WIDTH))
    return {
        "layer": Bench(layers, (one, x)),
        "layers": Bench(layers, (many, x), beside_jax=False),
        "same layers": Bench(same_layer(LAYERS), (one[0], x), beside_jax=False),
        "layer grad": Bench(layers_with_gradient, (one, x)),
        "layers grad": Bench(layers_with_gradient, (many, x), beside_jax=False),
        "loop 10": Bench(recurrent, (*cells, draw(10, 4, WIDTH))),
        "loop 10000": Bench(recurrent, (*cells, draw(10_000, 4, WIDTH))),
        "perceptron step": Bench(perceptron_step, (perceptron, draw(64, 784), draw(64, 10))),
        "convolution step": Bench(convolution_step, (kernels, draw(8, 3, 16, 16))),
    }


CLAIMS = (("layers", "layer"), ("same layers", "layer"), ("layers grad", "layer grad"), ("loop 10000", "loop 10"))


# -- contestants -------------------------------------------------------------------------------------------------


def ours() -> Namespace:
    def conv(x: Any, kernel: Any) -> Any:
        return rosin.nn.conv(x, kernel, padding="SAME")

    return Namespace(rosin.numpy, rosin.value_and_grad, rosin.nn.gelu, conv, rosin.scan)


def theirs() -> Namespace:
    import jax

    def conv(x: Any, kernel: Any) -> Any:
        return jax.lax.conv(x, kernel, (1, 1), "SAME")

    gelu = lambda x: jax.nn.gelu(x, approximate=False)  # noqa: E731
    return Namespace(jax.numpy, jax.value_and_grad, gelu, conv, jax.lax.scan)


STAGES = ("passes", "loops", "text", "llvm")


class Clock:
    """The seconds that the stages of our compiler take."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        for stage, home, name in zip(
            STAGES,
            (pipeline, making, making, jit.Compiling),
            ("run", "to_loops", "program_texts", "objects"),
            strict=True,
        ):
            setattr(home, name, self._timed(stage, getattr(home, name)))

    def _timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[stage] += time.perf_counter() - start

        return timed


def first_call(bench: Bench, clock: Clock) -> tuple[float, dict[str, float]]:
    """Seconds of our first call and of the stages in it; what is left goes to tracing."""
    function = rosin.compile(bench.program(ours()))
    clock.seconds.update(dict.fromkeys(STAGES, 0.0))
    start = time.perf_counter()
    function(*bench.arguments)
    whole = time.perf_counter() - start
    start = time.perf_counter()
    function(*bench.arguments)
    whole -= time.perf_counter() - start
    return whole, {"trace": whole - sum(clock.seconds.values()), **clock.seconds}


def first_call_of_jax(bench: Bench) -> float:
    import jax

    function = jax.jit(bench.program(theirs()))
    start = time.perf_counter()
    jax.block_until_ready(function(*bench.arguments))
    whole = time.perf_counter() - start
    start = time.perf_counter()
    jax.block_until_ready(function(*bench.arguments))
    return whole - (time.perf_counter() - start)


def warm_up(has_jax: bool) -> None:
    """Load what each compiler needs, on another program."""
    bench = Bench(perceptron_step, ([(draw(7, 5), draw(5)), (draw(5, 3), draw(3))], draw(4, 7), draw(4, 3)))
    rosin.compile(bench.program(ours()))(*bench.arguments)
    if has_jax:
        first_call_of_jax(bench)


def main() -> None:
    everything = "--all" in sys.argv[1:]
    every = benches()
    names = [name for name in sys.argv[1:] if name != "--all"] or list(every)
    has_jax = importlib.util.find_spec("jax") is not None
    warm_up(has_jax)
    clock = Clock()
    seconds: dict[str, float] = {}
    print(f"{'first call, ms':18s}{'':3s}" + "".join(f"{c:>9s}" for c in ("trace", *STAGES, "rosin", "jax", "jax/us")))
    for name in names:
        bench = every[name]
        seconds[name], stages = first_call(bench, clock)
        cells = [*stages.values(), seconds[name]]
        if has_jax and (bench.beside_jax or everything):
            cells.append(first_call_of_jax(bench))
        ratio = f"{cells[-1] / seconds[name]:9.1f}" if len(cells) > len(STAGES) + 2 else ""
        print(f"{name:21s}" + "".join(f"{1e3 * cell:9.1f}" for cell in cells) + ratio, flush=True)
    print()
    for more, less in CLAIMS:
        if more in seconds and less in seconds:
            print(f"{more} against {less}: {seconds[more] / seconds[less]:.1f} times")


if __name__ == "__main__":
    main()
