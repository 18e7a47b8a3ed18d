"""Matrix products: square, long, batched, transposed, of vectors, with what follows them.

python benches/products.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
from _libraries import Library
from _rivals import Arrays, Run, Work, drawn, main


def product(n: Library) -> Callable[..., Any]:
    return lambda x, y: x @ y


def transposed(n: Library) -> Callable[..., Any]:
    return lambda x, y: x @ y.swapaxes(-1, -2)


def dense(n: Library) -> Callable[..., Any]:
    """With a bias, an activation and a residual connection."""
    return lambda x, w, bias, rest: n.xp.maximum(x @ w + bias, 0) + rest


def whole_numbers(n: Library) -> Callable[..., Any]:
    """Of bytes, summed up in 32 bits."""
    return lambda x, y: x.astype(n.xp.int32) @ y.astype(n.xp.int32)


def of_torch(run: Callable[[Any, Any], Any]) -> Callable[[Arrays], Run]:
    """A product by PyTorch, of bytes or of bfloat16, which PyTorch does not take from NumPy."""

    def make(arrays: Arrays) -> Run:
        import torch

        x, y = (torch.from_numpy(a if a.dtype == np.int8 else a.astype(np.float32)) for a in arrays)
        if x.dtype != torch.int8:
            x, y = x.bfloat16(), y.bfloat16()
        return lambda: run(x, y)

    return make


def int_mm(x: Any, y: Any) -> Any:
    import torch

    return torch._int_mm(x, y)  # pyright: ignore[reportPrivateImportUsage]  # there is no public one


def narrow(size: int) -> Iterator[Work]:
    """Products of narrow numbers, which NumPy has no fast way for."""
    bytes = [np.random.default_rng(seed).integers(-128, 128, (size, size)).astype(np.int8) for seed in (0, 1)]
    own = {"numpy": None, "jax": None, "torch": of_torch(int_mm)}
    yield Work(f"{size} @ {size} int8 to int32", lambda: bytes, whole_numbers, own)
    own = {"numpy": None, "torch": of_torch(lambda x, y: x @ y)}
    yield Work(f"{size} @ {size} bfloat16", drawn(*[(size, size)] * 2, dtype=ml_dtypes.bfloat16), product, own)


def normalized(n: Library) -> Callable[..., Any]:
    """After an RMS norm."""

    def run(x: Any, w: Any) -> Any:
        return (x / n.xp.sqrt(n.xp.mean(x * x, axis=-1, keepdims=True) + 1e-6)) @ w

    return run


SQUARES = (8, 16, 17, 32, 64, 100, 128, 255, 256, 512, 1000, 1024, 2048)
LONG = (
    *((4096, 64, 64), (64, 4096, 64), (64, 64, 4096), (32, 1024, 1024), (17, 1000, 1000), (100, 777, 512)),
    *((1024, 1024, 16), (1024, 1024, 4), (1, 1024, 1024), (1, 4096, 4096), (1024, 1024, 1)),
    *((4, 4096, 4096), (3, 2000, 5000), (100, 100_000, 100)),
)


def each_by_its_own(n: Library) -> Callable[..., Any]:
    """Many matrices, each by a vector."""
    return lambda m, x: (m @ x[..., None])[..., 0]


def works() -> Iterator[Work]:
    for m, k, c in (*[(size, size, size) for size in SQUARES], *LONG):
        moved = 4.0 * (m * k + k * c + m * c)
        name, operations = f"{m}x{k} @ {k}x{c}", 2.0 * m * k * c
        yield Work(name, drawn((m, k), (k, c)), product, {}, operations, moved, moved < 1 << 19)
    for size in (256, 1024):
        yield Work(f"{size} @ {size} transposed", drawn(*[(size, size)] * 2), transposed, operations=2.0 * size**3)
    doubles = drawn(*[(512, 512)] * 2, dtype=np.float64)
    yield Work("512 @ 512 f64", doubles, product, operations=2.0 * 512**3)
    for size in (256, 1024):
        yield from narrow(size)
    for batch, size in ((1000, 16), (64, 64), (16, 256)):
        stacks = drawn(*[(batch, size, size)] * 2)
        yield Work(f"{batch} x {size} @ {size}", stacks, product, operations=2.0 * batch * size**3)
    for rows, terms, columns in ((100_000, 3, 3), (100_000, 4, 2), (100_000, 16, 5), (500, 3, 3)):
        shapes, operations = ((rows, terms), (terms, columns)), 2.0 * rows * terms * columns
        yield Work(f"points {rows}x{terms} @ {terms}x{columns}", drawn(*shapes), product, operations=operations)
    for batch, size in ((100_000, 3), (20_000, 4), (64, 20)):
        shapes, operations = ((batch, size, size), (batch, size)), 2.0 * batch * size**2
        yield Work(f"{batch} x {size}x{size} by a vector", drawn(*shapes), each_by_its_own, operations=operations)
    for size in (64, 300, 700):
        shapes, operations = ((size, size), (size,)), 2.0 * size**2
        yield Work(f"{size}x{size} by a vector", drawn(*shapes), product, operations=operations)
    for rows, size in ((32, 256), (256, 512), (1024, 1024)):
        shapes, text, operations = ((rows, size), (size, size)), f"{rows}x{size}x{size}", 2.0 * rows * size * size
        yield Work(f"dense {text}", drawn(*shapes, (size,), (rows, size)), dense, operations=operations)
        yield Work(f"norm and product {text}", drawn(*shapes), normalized, operations=operations)


if __name__ == "__main__":
    main(list(works()), __doc__)
