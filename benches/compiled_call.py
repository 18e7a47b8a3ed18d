"""What a call costs from Python, in microseconds: compiled `a + b` of 16 f32, trees, closures, and eager arrays.

python benches/compiled_call.py
"""

from __future__ import annotations

import os
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

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


if __name__ == "__main__":
    main()
