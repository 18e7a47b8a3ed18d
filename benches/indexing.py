"""Index work: embeddings and their gradients, sums of segments, a sparse matrix times a dense one, top-k, running sums.

python benches/indexing.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Arrays, Run, Work, draw, drawn, main


def look_up(n: Library) -> Callable[..., Any]:
    return lambda table, places, weights: n.take(table, places)


def look_up_back(n: Library) -> Callable[..., Any]:
    return n.grad(lambda table, places, weights: n.xp.sum(n.take(table, places) * weights))


def segment_sums(count: int) -> Callable[[Library], Callable[..., Any]]:
    def make(n: Library) -> Callable[..., Any]:
        def run(x: Any, segments: Any) -> Any:
            zero = n.xp.zeros((count, x.shape[-1]), dtype=x.dtype)
            if n.name.startswith("torch"):
                return zero.index_add(0, segments, x)
            if n.name == "numpy":
                np.add.at(zero, segments, x)
                return zero
            return zero.at[segments].add(x)

        return run

    return make


def sparse_times_dense(rows: int) -> Callable[[Library], Callable[..., Any]]:
    """By rows and columns of the elements."""

    def make(n: Library) -> Callable[..., Any]:
        def run(values: Any, places: Any, columns: Any, dense: Any) -> Any:
            products = values[:, None] * n.take(dense, columns)
            return segment_sums(rows)(n)(products, places)

        return run

    return make


def sparse_of_torch(arrays: Arrays) -> Run:
    import torch

    values, places, columns, dense = map(torch.from_numpy, arrays)
    rows = int(places.max()) + 1
    matrix = torch.sparse_coo_tensor(torch.stack([places, columns]), values, (rows, dense.shape[0])).to_sparse_csr()
    return lambda: matrix @ dense


def top_k(count: int) -> Callable[[Library], Callable[..., Any]]:
    def make(n: Library) -> Callable[..., Any]:
        if n.name == "jax":
            import jax

            return lambda x: jax.lax.top_k(x, count)
        if n.name.startswith("torch"):
            return lambda x: n.xp.topk(x, count)
        if n.name == "numpy":

            def of_numpy(x: Any) -> Any:
                places = np.argpartition(x, -count, axis=-1)[..., -count:]
                found = np.take_along_axis(x, places, -1)
                order = np.argsort(-found, axis=-1)
                return np.take_along_axis(found, order, -1), np.take_along_axis(places, order, -1)

            return of_numpy
        return lambda x: n.xp.top_k(x, count)

    return make


def running(axis: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x: n.xp.cumulative_sum(x, axis=axis)


def integers(most: int, *shape: int, sort: bool = False) -> np.ndarray[Any, Any]:
    drawn = np.random.default_rng(1).integers(0, most, shape)
    return np.sort(drawn) if sort else drawn


def looked_up(words: int, width: int, count: int) -> Arrays:
    return [draw(words, width), integers(words, count), draw(count, width, seed=1)]


def segments(rows: int, width: int, count: int, sort: bool) -> Arrays:
    return [draw(rows, width), integers(count, rows, sort=sort)]


def sparse(rows: int, filled: int, width: int) -> Arrays:
    places = np.append(integers(rows, filled - 1, sort=True), rows - 1)
    return [draw(filled), places, integers(rows, filled), draw(rows, width)]


def works() -> Iterator[Work]:
    for words, width, count in ((1000, 64, 256), (50_000, 256, 4096)):
        arrays = partial(looked_up, words, width, count)
        text = f"{count} of {words}x{width}"
        yield Work(f"embedding {text}", arrays, look_up, bytes=8.0 * count * width)
        yield Work(f"embedding gradient {text}", arrays, look_up_back, {"numpy": None}, bytes=4.0 * words * width)
    for rows, width, count in ((10_000, 16, 1000), (200_000, 64, 10_000)):
        for sort in (True, False):
            text = f"{'in order' if sort else 'mixed'} {rows}x{width} to {count}"
            arrays = partial(segments, rows, width, count, sort)
            yield Work(f"segment sums {text}", arrays, segment_sums(count), bytes=4.0 * rows * width)
    rows, filled, width = 10_000, 200_000, 64
    name, arrays = f"sparse {rows}x{rows}, {filled} filled", partial(sparse, rows, filled, width)
    own = {"torch": sparse_of_torch}
    yield Work(name, arrays, sparse_times_dense(rows), own, 2.0 * filled * width, 4.0 * filled * width)
    for shape, count in (((1_000_000,), 10), ((64, 50_000), 50), ((4096, 256), 8)):
        name = f"top {count} of {'x'.join(map(str, shape))}"
        yield Work(name, drawn(shape), top_k(count), bytes=4.0 * math.prod(shape))
    for shape, axis in (((10_000_000,), 0), ((4096, 512), 1), ((4096, 512), 0)):
        name = f"running sums {'x'.join(map(str, shape))} along {axis}"
        yield Work(name, drawn(shape), running(axis), bytes=8.0 * math.prod(shape))


if __name__ == "__main__":
    main(list(works()), __doc__)
