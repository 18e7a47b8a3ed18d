"""Linear algebra beside the peers: many small matrices, and one large one.

    python benches/linalg.py [NAME ...]     (see _rivals.py for more)

In a first call of ours routines come from the disk when they have been there before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Arrays, Run, Work, draw, drawn, main

STACK = 10_000

SMALL_STACK = 1000
"""Of what takes longer."""

ODD = (("float64", 5000, 17), ("float64", 1000, 31), ("complex64", 5000, 17), ("complex128", 500, 31))
"""Stacks of matrices that do not begin at whole vectors, and complex ones."""


def positive(shape: tuple[int, ...], dtype: str, *others: tuple[int, ...]) -> Arrays:
    """Positive definite matrices, and others of these shapes."""
    x = draw(*shape)
    made = (x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1]) * shape[-1]).astype(dtype)
    return [made, *(draw(*other, dtype=dtype, seed=1) for other in others)]


def named(name: str) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: getattr(n.xp.linalg, name)


def of_scipy(name: str) -> Callable[[Arrays], Run]:
    def make(arrays: Arrays) -> Run:
        import scipy.linalg

        return lambda: getattr(scipy.linalg, name)(*arrays)

    return make


def expm(n: Library) -> Callable[..., Any]:
    if n.name == "rosin":
        import rosin.scipy.linalg

        return rosin.scipy.linalg.expm
    if n.name == "jax":
        import jax

        return jax.scipy.linalg.expm
    return n.xp.linalg.matrix_exp


EXPM: Mapping[str, Any] = {"numpy": None, "scipy": of_scipy("expm")}


def works() -> Iterator[Work]:
    for dtype, stack, n in ODD:
        text, shape = f"{dtype} {stack} x {n} x {n}", (stack, n, n)
        yield Work(f"cholesky {text}", partial(positive, shape, dtype), named("cholesky"))
        for columns in (1, n):
            arrays = partial(positive, shape, dtype, (stack, n, columns))
            yield Work(f"solve {text} by {columns}", arrays, named("solve"))
    for dtype in ("float32", "float64"):
        for n in (4, 8, 16, 32):
            text, shape = f"{dtype} {STACK} x {n} x {n}", (STACK, n, n)
            for name in ("cholesky", "inv"):
                yield Work(f"{name} {text}", partial(positive, shape, dtype), named(name))
            yield Work(f"solve {text}", partial(positive, shape, dtype, (STACK, n, 1)), named("solve"))
        for n in (3, 8, 16):
            text, shape = f"{dtype} {SMALL_STACK} x {n} x {n}", (SMALL_STACK, n, n)
            for name in ("det", "qr", "svd", "svdvals"):
                yield Work(f"{name} {text}", drawn(shape, dtype=np.dtype(dtype)), named(name))
            for name in ("eigh", "eigvalsh"):
                yield Work(f"{name} {text}", partial(positive, shape, dtype), named(name))
    for n in (200, 1000):
        shape, text = (n, n), f"float64 {n} x {n}"
        for name in ("cholesky", "inv", "qr", "eigh", "svdvals"):
            if n <= 200 or name in ("cholesky", "inv", "qr"):
                # SciPy's others take one matrix, as NumPy's do, with more checks.
                own = {"scipy": of_scipy(name)} if name in ("qr", "eigh") else {}
                yield Work(f"{name} {text}", partial(positive, shape, "float64"), named(name), own)
        yield Work(f"solve {text}", partial(positive, shape, "float64", shape), named("solve"))
        if n <= 200:
            yield Work(f"expm {text}", drawn(shape, dtype=np.float64), expm, EXPM)


if __name__ == "__main__":
    main(list(works()), __doc__)
