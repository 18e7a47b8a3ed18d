"""What a call costs from Python, in microseconds: compiled `a + b` of 16 f32, trees, closures, and eager arrays.

python benches/compiled_call.py

Where JAX is installed, calls with arguments of several forms follow, beside its own.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import timeit
from collections.abc import Callable, Iterator, Sequence
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np  # JAX's settings come first

import rosin
from rosin import numpy as rnp


def cost(statement: str, number: int, **names: Any) -> float:
    """The least time of one run, of several tries."""
    return min(timeit.repeat(statement, globals=names, number=number, repeat=9)) / number * 1e6


def main() -> None:
    scale = 2.0
    x, y = rnp.ones(16), np.ones(16, np.float32)
    add: Callable[..., Any] = rosin.compile(lambda a, b: a + b)
    trees: Callable[..., Any] = rosin.compile(lambda p: {"a": p["a"] * 2, "b": p["b"]})
    closure: Callable[..., Any] = rosin.compile(lambda a, b: a + b * scale)
    tree = {"a": x, "b": x}
    for call in (lambda: add(x, x), lambda: trees(tree), lambda: closure(x, x), lambda: add(x, 1.0), lambda: add(x, x)):
        call()
    rows = [
        ("np.add(a, b)", cost("f(y, y)", 100_000, f=np.add, y=y)),
        ("compiled a + b", cost("f(x, x)", 100_000, f=add, x=x)),
        ("compiled a + b, NumPy arrays", cost("f(y, y)", 100_000, f=add, y=y)),
        ("compiled, reads a closure cell", cost("f(x, x)", 100_000, f=closure, x=x)),
        ("compiled a + 1.0", cost("f(x, 1.0)", 20_000, f=add, x=x)),
        ("compiled, dict in and out", cost("f(tree)", 20_000, f=trees, tree=tree)),
        ("eager a + b", cost("x + x", 10_000, x=x)),
        ("eager sum", cost("x.sum()", 10_000, x=x)),
    ]
    print(f"microseconds a call; load {os.getloadavg()[0]:.1f}")
    for name, microseconds in rows:
        print(f"{name:32} {microseconds:7.3f}")
    if importlib.util.find_spec("jax"):
        beside_jax()


def forms(array: Callable[[Any], Any]) -> Iterator[tuple[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    """Functions and their arguments."""
    few = array(np.ones(4, np.float32))
    hundred = {"weights": [few] * 50, "biases": [few] * 50}
    nested = {f"layer{i}": {"dense": {"weight": few}, "bias": few} for i in range(50)}
    yield "Python numbers", lambda x, y: x * y + 1, (1.5, 2.5), {}
    yield "keywords", lambda x, *, y, z: x * y + z, (few,), {"y": few, "z": few}
    yield "lists of 100 arrays", lambda p: {k: [x * 2 for x in xs] for k, xs in p.items()}, (hundred,), {}
    yield (
        "nested dicts of 100 arrays",
        lambda p: sum(v["dense"]["weight"] + v["bias"] for v in p.values()),
        (nested,),
        {},
    )
    yield "dataclasses of 100 arrays", moved, ([Dense(few, few)] * 50,), {}


@dataclasses.dataclass
class Dense:
    weight: Any
    bias: Any


def moved(layers: Sequence[Dense]) -> list[Dense]:
    return [Dense(layer.weight * 2, layer.bias * 2) for layer in layers]


def beside_jax() -> None:
    import jax

    jax.tree_util.register_dataclass(Dense, ["weight", "bias"], [])

    print(f"\n{'':32} {'rosin':>7} {'jax':>8}   ahead")
    for (name, f, args, keywords), (*_, others, more) in zip(forms(rnp.asarray), forms(jax.numpy.asarray), strict=True):
        ours, theirs = rosin.compile(f), jax.jit(f)
        for _ in range(20):
            ours(*args, **keywords)
            jax.block_until_ready(theirs(*others, **more))
        mine = cost("f(*args, **keywords)", 5_000, f=ours, args=args, keywords=keywords)
        text = "wait(f(*args, **keywords))"
        jaxs = cost(text, 500, f=theirs, args=others, keywords=more, wait=jax.block_until_ready)
        print(f"{name:32} {mine:7.3f} {jaxs:8.3f} {jaxs / mine:7.1f}")


if __name__ == "__main__":
    main()
