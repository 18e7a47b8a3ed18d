"""The tuner: tiles of other sizes give the same bits, choices are kept on the disk, and a faster tile is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.facts import Facts
from rosin.passes.tiles import TileSize, tile_sizes
from rosin.runtime import cache, threads, tuning
from rosin.runtime.native import TUNE, NativeExecutable

Array = np.ndarray[Any, Any]


def draw(*shape: int, dtype: Any = np.float32) -> Array:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


def made(graph: Any, tiles: Any) -> NativeExecutable:
    return NativeExecutable(graph, (), Facts(), None, tiles)


def layer(x: Any, w: Any, bias: Any) -> Any:
    return rnp.tanh(x @ w + bias)


PROGRAMS: dict[str, tuple[Any, tuple[Array, ...]]] = {
    "layer": (layer, (draw(37, 50), draw(50, 70), draw(70))),
    "f64": (layer, (draw(20, 30, dtype=np.float64), draw(30, 33, dtype=np.float64), draw(33, dtype=np.float64))),
    "transposed": (lambda x, w: x.T @ w.T, (draw(40, 33), draw(65, 40))),
    "batched": (rnp.matmul, (draw(5, 17, 20), draw(5, 20, 40))),
    "vector": (lambda x, w: x @ w, (draw(300), draw(300, 100))),
    "convolution": (lambda x, w: rosin.nn.conv(x, w, padding="SAME"), (draw(2, 3, 12, 13), draw(20, 3, 3, 3))),
    "large": (lambda x, w: x @ w, (draw(300, 200), draw(200, 260))),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", PROGRAMS)
def test_tiles_of_every_size_give_the_same_bits(name: str) -> None:
    f, arguments = PROGRAMS[name]
    graph = rosin.compile(f, dynamic=False).ir(*arguments)
    (expected,) = made(graph, {})(*arguments)
    for size in [*tile_sizes(16), *tile_sizes(32)]:
        (found,) = made(graph, {"": size})(*arguments)
        assert found.tobytes() == expected.tobytes(), size
    before = threads.num_threads()
    threads.set_num_threads(1)
    try:
        (found,) = made(graph, {"": TileSize(2, 5)})(*arguments)
    finally:
        threads.set_num_threads(before)
    assert found.tobytes() == expected.tobytes()


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tuning is on with a cache of its own, and measures nothing: one tile is best for all. Gives what was asked."""
    own = cache.ObjectCache(tmp_path)
    monkeypatch.setattr(cache, "default", lambda: own)
    monkeypatch.setenv(TUNE, "1")
    products: list[str] = []

    def measured(product: Any, make: Any) -> TileSize:
        products.append(str(product.outputs[0].type))
        return TileSize(1, 5)

    monkeypatch.setattr(tuning, "measured", measured)
    return products


def executable(f: Any, *arguments: Array) -> Any:
    compiled = rosin.compile(f, dynamic=False)
    compiled(*arguments)
    return next(iter(compiled._recent)).executable


def test_choices_are_kept(asked: list[str]) -> None:
    x, w, bias = PROGRAMS["layer"][1]
    first = executable(layer, x, w, bias)
    assert asked == ["f32[37, 70]"]
    assert not first.from_cache
    assert "in tiles of 5 of x0 x 1 vectors" in first.explain()
    assert executable(layer, x, w, bias).from_cache
    # Another program with the same product, and one with another product.
    executable(lambda x, w, bias: (layer(x, w, bias), rnp.sum(x)), x, w, bias)
    assert asked == ["f32[37, 70]"]
    executable(layer, x[:30], w, bias)
    assert asked == ["f32[37, 70]", "f32[30, 70]"]


def test_what_is_tuned_is_kept_apart(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, bias = PROGRAMS["layer"][1]
    executable(layer, x, w, bias)
    monkeypatch.delenv(TUNE)
    plain = executable(layer, x, w, bias)
    assert not plain.from_cache
    assert "in tiles of 5 of x0 x 1 vectors" not in plain.explain()


def test_the_quickest_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = draw(64, 64), draw(64, 64)
    graph = rosin.compile(lambda x, w: x @ w).ir(x, w)
    seconds = {TileSize(2, 6): 0.5e-3, TileSize(1, 7): 0.9e-3}

    def round(trial: Any) -> None:
        trial.seconds = seconds.get(trial.executable.tiles.get(""), 1e-3)

    monkeypatch.setattr(tuning._Trial, "round", round)
    monkeypatch.setattr(tuning, "tile_sizes", lambda _: list(seconds))
    assert tuning.measured(graph, made) == TileSize(2, 6)
    seconds.update(dict.fromkeys(seconds, 0.99e-3))
    assert tuning.measured(graph, made) is None


def test_it_measures() -> None:
    x, w = draw(96, 96), draw(96, 96)
    found = tuning.measured(rosin.compile(lambda x, w: x @ w).ir(x, w), made)
    assert found is None or found in [*tile_sizes(16), *tile_sizes(32)]
