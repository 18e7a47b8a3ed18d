"""Reductions along rows and columns: softmax, losses, norms forward and backward, variances, logsumexp, argmax, sums.

python benches/rows.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Arrays, Run, Work, draw, drawn, main


def softmax(n: Library) -> Callable[..., Any]:
    if n.name == "numpy":

        def of_numpy(x: Any) -> Any:
            e = np.exp(x - x.max(-1, keepdims=True))
            return e / e.sum(-1, keepdims=True)

        return of_numpy
    return lambda x: n.softmax(x, axis=-1)


def loss(n: Library) -> Callable[..., Any]:
    """Cross entropy with classes, and its gradient."""

    def mean(x: Any, classes: Any) -> Any:
        rows = n.xp.arange(classes.shape[0])
        return -n.xp.mean(n.log_softmax(x, axis=-1)[rows, classes])

    return n.value_and_grad(mean)


def loss_of_torch(arrays: Arrays) -> Run:
    import torch

    x, classes = map(torch.from_numpy, arrays)

    def run() -> object:
        given = x.requires_grad_()
        return torch.autograd.grad(torch.nn.functional.cross_entropy(given, classes), given)

    return run


def normalized(n: Library, x: Any, scale: Any, shift: Any) -> Any:
    centred = x - n.xp.mean(x, axis=-1, keepdims=True)
    variance = n.xp.mean(centred * centred, axis=-1, keepdims=True)
    return centred / n.xp.sqrt(variance + 1e-5) * scale + shift


def layer_norm(n: Library) -> Callable[..., Any]:
    return lambda x, scale, shift: normalized(n, x, scale, shift)


def layer_norm_of_torch(arrays: Arrays) -> Run:
    import torch

    x, scale, shift = map(torch.from_numpy, arrays)
    return lambda: torch.nn.functional.layer_norm(x, scale.shape, scale, shift)


def layer_norm_back(n: Library) -> Callable[..., Any]:
    def total(x: Any, scale: Any, shift: Any, weights: Any) -> Any:
        return n.xp.sum(normalized(n, x, scale, shift) * weights)

    return n.grad(total, (0, 1, 2))


def layer_norm_back_of_torch(arrays: Arrays) -> Run:
    import torch

    x, scale, shift, weights = map(torch.from_numpy, arrays)

    def run() -> object:
        given = [a.detach().requires_grad_() for a in (x, scale, shift)]
        y = torch.nn.functional.layer_norm(given[0], scale.shape, given[1], given[2])
        return torch.autograd.grad(y, given, weights)

    return run


def rms_norm(n: Library) -> Callable[..., Any]:
    return lambda x, scale: x / n.xp.sqrt(n.xp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * scale


def logsumexp(n: Library) -> Callable[..., Any]:
    if n.name.startswith("torch"):
        return lambda x: n.xp.logsumexp(x, dim=-1)

    def plain(x: Any) -> Any:
        top = n.xp.max(x, axis=-1, keepdims=True)
        return n.xp.log(n.xp.sum(n.xp.exp(x - top), axis=-1)) + top[:, 0]

    return plain


def variances(axis: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x: n.xp.var(x, axis=axis)


def sums(axis: int | None) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x: n.xp.sum(x, axis=axis)


def places(axis: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x: n.xp.argmax(x, axis=axis)


def greatest(axis: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x: n.xp.max(x, axis=axis)


def truths(axis: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x: n.xp.any(x, axis)


def standardized(n: Library) -> Callable[..., Any]:
    """Each column with mean 0 and variance 1."""
    return lambda x: (x - n.xp.mean(x, axis=0)) / n.xp.sqrt(n.xp.var(x, axis=0) + 1e-5)


def softmax_of_columns(n: Library) -> Callable[..., Any]:
    return lambda x: n.softmax(x, axis=0)


def whole(*shape: int) -> Arrays:
    return [np.random.default_rng(0).integers(-1000, 1000, shape, np.int32)]


def labelled(rows: int, columns: int) -> Arrays:
    return [draw(rows, columns), np.random.default_rng(1).integers(0, columns, rows)]


def works() -> Iterator[Work]:
    for rows, columns in ((64, 128), (4096, 512), (512, 32_000)):
        size, text = rows * columns, f"{rows}x{columns}"
        small, x, row = size < 1 << 16, (rows, columns), (columns,)
        yield Work(f"softmax {text}", drawn(x), softmax, bytes=8 * size, resident=small)
        own = {"torch": loss_of_torch, "numpy": None}
        yield Work(f"loss and gradient {text}", partial(labelled, rows, columns), loss, own, bytes=8 * size)
        own = {"torch": layer_norm_of_torch}
        yield Work(f"layer norm {text}", drawn(x, row, row), layer_norm, own, bytes=8 * size, resident=small)
        own = {"torch": layer_norm_back_of_torch, "numpy": None}
        arrays = drawn(x, row, row, x)
        yield Work(f"layer norm backward {text}", arrays, layer_norm_back, own, bytes=12 * size, resident=small)
        yield Work(f"RMS norm {text}", drawn(x, row), rms_norm, bytes=8 * size, resident=small)
        yield Work(f"logsumexp {text}", drawn(x), logsumexp, bytes=4 * size, resident=small)
        for axis, name in ((-1, "row"), (0, "column")):
            yield Work(f"{name} variances {text}", drawn(x), variances(axis), bytes=4 * size, resident=small)
            yield Work(f"{name} sums {text}", drawn(x), sums(axis), bytes=4 * size, resident=small)
            yield Work(f"{name} argmax {text}", drawn(x), places(axis), bytes=4 * size, resident=small)
    wide, middle = (512, 32_000), (100, 400, 100)
    for axis, name in ((-1, "row"), (0, "column")):
        yield Work(f"{name} max {wide[0]}x{wide[1]}", drawn(wide), greatest(axis), bytes=4 * wide[0] * wide[1])
        yield Work(f"{name} any {wide[0]}x{wide[1]}", drawn(wide), truths(axis), bytes=4 * wide[0] * wide[1])
        doubles = drawn(wide, dtype=np.float64)
        yield Work(f"{name} sums {wide[0]}x{wide[1]} f64", doubles, sums(axis), bytes=8 * wide[0] * wide[1])
    for make, name in ((sums(1), "sums"), (greatest(1), "max"), (places(1), "argmax"), (variances(1), "variances")):
        yield Work(f"middle {name} 100x400x100", drawn(middle), make, bytes=16_000_000)
    yield Work("column max 4096x512 i32", partial(whole, 4096, 512), greatest(0), bytes=4 * 4096 * 512)
    own = {"torch": layer_norm_back_of_torch, "numpy": None}
    arrays = drawn((4096, 1024), (1024,), (1024,), (4096, 1024))
    yield Work("layer norm backward 4096x1024", arrays, layer_norm_back, own, bytes=12 * 4096 * 1024)
    for rows, columns in ((1000, 1000), (100_000, 64), (20_000, 1000)):
        size, text = rows * columns, f"{rows}x{columns}"
        yield Work(f"columns {text} standardized", drawn((rows, columns)), standardized, bytes=8 * size)
        yield Work(
            f"softmax of columns {text}", drawn((rows, columns)), softmax_of_columns, {"numpy": None}, bytes=8 * size
        )
    yield Work("sum 4000x4000", drawn((4000, 4000)), sums(None), bytes=64_000_000)
    for count in (100_000, 10_000_000):
        yield Work(f"sum {count}", drawn((count,)), sums(None), bytes=4 * count, resident=count < 1 << 18)


if __name__ == "__main__":
    main(list(works()), __doc__)
