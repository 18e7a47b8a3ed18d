"""The tuner: which tiles suit the products of a program is found by measuring, where `ROSIN_TUNE` asks for that.

Each product of the program, with what is computed along with it, is a small program of its own: it is compiled with
tiles of several sizes, and the quickest one is taken unless it gains less than `GAIN`. What was found is kept on the
disk with compiled objects, under a key of that small program, so that others with the same product find it; and so is
the whole program. Sizes of tiles change no bits, and neither do threads. Products of symbolic sizes, and those that
take less than `LEAST_SECONDS`, stay as they are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from rosin.ir.graph import Graph
from rosin.ir.op import NumpyArray
from rosin.ir.types import TensorType
from rosin.passes.tiles import TileSize, tile_sizes
from rosin.passes.to_loops import Making, contraction_key, lowered
from rosin.runtime import cache, jit

GAIN = 1.03
"""Tiles that are less than so many times quicker than those chosen without measuring are not worth a change."""
LEAST_SECONDS = 10e-6
ROUNDS = 9
ROUND_SECONDS = 2e-3


Make: TypeAlias = Callable[[Graph, Mapping[str, TileSize]], Callable[..., object]]
"""Compiles a graph with these tiles, without a look at the disk."""


def tiles_of(graph: Graph, make: Make) -> dict[str, TileSize]:
    """The best tiles for the products of a graph that has been through the passes, by what is said of each."""
    found: dict[str, TileSize] = {}
    if graph.symbols():
        return found
    making = Making(jit.host().vector_bytes, words=jit.host().words)
    lowered(graph, making)
    for placed in making.groups:
        if placed.group.contraction and placed.name:
            product = placed.region.apart(placed.group)
            key = contraction_key(product)
            if key not in found and (best := _known_or_measured(key, product, make)) is not None:
                found[key] = best
    return found


def _known_or_measured(key: str, product: Graph, make: Make) -> TileSize | None:
    parts = ("tile", key, jit.host().key, cache.compiler_version())
    entry_key = cache.hashed(*parts)
    entry = cache.default().get(entry_key)
    if entry is None:
        best = measured(product, make)
        chosen = None if best is None else [best.vectors, best.rows]
        cache.default().put(entry_key, json.dumps(chosen).encode())
        return best
    chosen = json.loads(entry.data)
    return None if chosen is None else TileSize(*chosen)


def measured(product: Graph, make: Make) -> TileSize | None:
    """The tiles with which the product is quickest; None where those that are chosen without measuring are."""
    arrays = [_drawn(v.type) for v in product.inputs]
    plain = _Trial(make(product, {}), arrays)
    if plain.once() < LEAST_SECONDS:
        return None
    registers = 32 if jit.host().vector_bytes >= 64 else 16
    trials = {size: _Trial(make(product, {"": size}), arrays) for size in tile_sizes(registers)}
    # Rounds take turns, so that what else the machine does meets all alike.
    for _ in range(ROUNDS):
        for trial in (plain, *trials.values()):
            trial.round()
    best = min(trials, key=lambda size: trials[size].seconds)
    return best if trials[best].seconds * GAIN < plain.seconds else None


class _Trial:
    """A product compiled with tiles of one size; `seconds` is the least that a run took."""

    def __init__(self, executable: Callable[..., object], arrays: list[NumpyArray]) -> None:
        self.executable = executable
        self.arrays = arrays
        self.seconds = float("inf")
        self.times = 1

    def once(self) -> float:
        """Seconds of a run, and how many of them make a round from now on."""
        self.executable(*self.arrays)
        self.round()
        self.times = max(1, int(ROUND_SECONDS / self.seconds))
        return self.seconds

    def round(self) -> None:
        self.executable(*self.arrays)
        start = time.perf_counter()
        for _ in range(self.times):
            self.executable(*self.arrays)
        self.seconds = min(self.seconds, (time.perf_counter() - start) / self.times)


def _drawn(type: TensorType) -> NumpyArray:
    """Numbers for an input; indices are 0, which every array has."""
    if type.dtype.is_float or type.dtype.is_complex:
        return np.random.default_rng(0).standard_normal(type.sizes).astype(type.dtype.numpy)
    return np.zeros(type.sizes, type.dtype.numpy)
