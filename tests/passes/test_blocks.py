"""Folds in blocks: what becomes one kernel, the numbers of NumPy, and the same bits on any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import steps
from rosin.ir.builder import Builder
from rosin.ir.index import LoopVar
from rosin.ir.op import Value
from rosin.passes.blocks import CHUNK, LONG, MOST_ROWS, divided
from rosin.passes.to_loops import to_loops
from rosin.runtime import threads
from tests.passes.test_fusion import graph_of, layer_norm

RANDOM = np.random.default_rng(3)


@pytest.fixture
def some_threads() -> Iterator[Callable[[int], None]]:
    before = threads.num_threads()
    yield threads.set_num_threads
    threads.set_num_threads(before)


def drawn(dtype: Any, *shape: int) -> Any:
    if np.dtype(dtype).kind == "b":
        return RANDOM.random(shape) < 0.1
    return (8 * RANDOM.normal(size=shape)).astype(dtype)


def names(b: Callable[..., Any], *types: str) -> list[str]:
    return [kernel.name for kernel in steps.kernels(to_loops(graph_of(b, *types), 32).steps)]


# -- folds over rows beside those of rows -------------------------------------------------------------------------


def norm_back(xp: Any, x: Any, scale: Any, weights: Any) -> Any:
    """The gradients of `sum(norm(x) * scale * weights)` by x, by the scale and by a shift."""
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    root = xp.sqrt(xp.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)
    normed, slope = centred / root, weights * scale
    inner = slope - xp.mean(slope, axis=-1, keepdims=True) - normed * xp.mean(slope * normed, axis=-1, keepdims=True)
    axes = tuple(range(x.ndim - 1))
    return inner / root, xp.sum(weights * normed, axis=axes), xp.sum(weights, axis=axes)


SHAPES = [(4, 8), (1, 5), (70, 33), (5 * MOST_ROWS + 3, 40), (3, 67, 50), (130, 2, 16), (40, 9000), (67, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_and_folds_over_rows(shape: tuple[int, ...], dtype: Any) -> None:
    x, scale, weights = drawn(dtype, *shape), drawn(dtype, shape[-1]), drawn(dtype, *shape)
    found = rosin.compile(lambda *arrays: norm_back(rnp, *arrays))(x, scale, weights)
    wanted = norm_back(np, *(a.astype(np.float64) for a in (x, scale, weights)))
    for ours, theirs in zip(found, wanted, strict=True):
        size = float(np.max(np.abs(theirs))) or 1.0
        tolerance = 2000 * np.finfo(dtype).eps * max(size, 1e3 if shape[-1] == 1 else 0.0)
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=0, atol=tolerance)


def test_gradient_of_a_norm_is_one_pass() -> None:
    def build(b: Builder, x: Value, scale: Value, weights: Value) -> list[Value]:
        y = layer_norm(b, x, scale)
        return [y, b.sum(b.mul(y, weights), (0,)), b.sum(weights, (0,))]

    rows, together = names(build, "f32[300, 500]", "f32[500]", "f32[300, 500]")
    assert together == f"{rows}_together"


def test_what_needs_a_fold_over_rows_comes_after_all_of_them() -> None:
    def run(xp: Any, x: Any) -> Any:
        scaled = x / xp.sum(xp.abs(x), axis=1, keepdims=True)
        total = xp.sum(scaled * x, axis=0)
        return scaled, total, scaled * total, xp.sum(scaled * total, axis=1)

    x = drawn(np.float64, 150, 60)
    for ours, theirs in zip(rosin.compile(lambda x: run(rnp, x))(x), run(np, x), strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("axis", [0, 1])
def test_folds_over_both_axes(axis: int) -> None:
    """Also where the columns, and not the rows, have folds of their own."""

    def run(xp: Any, x: Any) -> Any:
        y = x - xp.max(x, axis=axis, keepdims=True)
        return xp.sum(y, axis=axis), xp.sum(y * y, axis=1 - axis), xp.argmin(y, axis=1 - axis)

    x = drawn(np.float32, 90, 70)
    for ours, theirs in zip(rosin.compile(lambda x: run(rnp, x))(x), run(np, x), strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-5, atol=1e-3)


def test_rows_of_unknown_number_and_length() -> None:
    back = rosin.compile(lambda *arrays: norm_back(rnp, *arrays), dynamic=True)
    for shape in ((3, 7), (200, 65), (1030, 9), (5, 50_000)):
        arrays = [drawn(np.float64, *s) for s in (shape, shape[1:], shape)]
        for ours, theirs in zip(back(*arrays), norm_back(np, *arrays), strict=True):
            np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-9, atol=1e-9)


def test_rows_in_a_loop() -> None:
    """Each step has folds over rows of its own, small enough for one kernel, and not."""

    def run(x: Any) -> Any:
        def step(carry: Any, _: Any) -> Any:
            x, total = carry
            y = x / rnp.sum(rnp.abs(x), axis=1, keepdims=True)
            return (y + x, total + rnp.sum(y, axis=0)), rnp.sum(y * y, axis=0)

        return rosin.scan(step, (x, rnp.zeros_like(x[0])), None, length=3)

    for shape in ((3, 2), (40, 30), (1200, 900)):
        x = drawn(np.float64, *shape)
        (end, total), squares = rosin.compile(run)(x)
        wanted = np.zeros(shape[1])
        for k in range(3):
            y = x / np.sum(np.abs(x), axis=1, keepdims=True)
            np.testing.assert_allclose(np.asarray(squares[k]), np.sum(y * y, axis=0), rtol=1e-10)
            x, wanted = y + x, wanted + np.sum(y, axis=0)
        np.testing.assert_allclose(np.asarray(end), x, rtol=1e-10)
        np.testing.assert_allclose(np.asarray(total), wanted, rtol=1e-10, atol=1e-10)


# -- wide and long folds --------------------------------------------------------------------------------------------

LARGE = [
    ((40, 1000), 0),
    ((600, 4099), 0),
    ((700, 515), 0),
    ((1100, 1030), 0),
    ((2, 600, 520), 1),
    ((3, 33, 2048), 1),
    ((24, 5000), 0),
    ((17, 2 * CHUNK + 1), 0),
    ((16, 3 * CHUNK), 0),
    ((4, 5, 7, 600), (1, 2)),
    ((LONG + 1,), 0),
    ((5, LONG + 64), 1),
    ((LONG + 13, 3), 0),
    ((2, 300, 500), (0, 1, 2)),
]
REDUCTIONS = ["sum", "max", "argmin", "any", "prod"]


@pytest.mark.thinned(8)
@pytest.mark.parametrize(("shape", "axis"), LARGE, ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.float16, np.int8])
def test_wide_and_long_folds(shape: tuple[int, ...], axis: Any, name: str, dtype: Any) -> None:
    if name == "argmin" and isinstance(axis, tuple):
        pytest.skip("takes one axis")
    x = drawn(dtype, *shape)
    if name == "prod" and x.dtype.kind == "f":
        x = RANDOM.choice(np.asarray([-1, 1], dtype), shape)
    if x.dtype.kind == "f" and name in ("max", "argmin"):
        x.flat[x.size // 3] = np.nan
    found = np.asarray(rosin.compile(lambda x: getattr(rnp, name)(x, axis=axis))(x))
    wide = x.astype(np.float64) if x.dtype.kind == "f" else x
    wanted = getattr(np, name)(wide, axis=axis)
    if name == "sum" and x.dtype.kind == "f":
        size = np.sum(np.abs(wide), axis=axis)
        assert np.all(np.abs(found - wanted) <= 64 * np.finfo(np.float32 if dtype != np.float64 else dtype).eps * size
                      + np.finfo(dtype).eps * np.abs(wanted))  # fmt: skip
    else:
        np.testing.assert_array_equal(found, wanted.astype(found.dtype))


@pytest.mark.parametrize("shape", [(70, 3000), (65, 2 * CHUNK + 1), (66, 3 * CHUNK)], ids=str)
def test_what_follows_wide_folds_and_what_they_pass(shape: tuple[int, int]) -> None:
    """Elementwise results of the same pass, and what is made of the folds and of columns."""

    def run(xp: Any, x: Any, scale: Any) -> Any:
        y = x * scale + 1
        return y, xp.sum(y, axis=0) / 7 + xp.sqrt(scale), xp.max(y * y, axis=0), scale * 2

    x, scale = drawn(np.float64, *shape), np.abs(drawn(np.float64, shape[1]))
    for ours, theirs in zip(rosin.compile(lambda *a: run(rnp, *a))(x, scale), run(np, x, scale), strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-12, atol=1e-11)


def test_few_rows_are_folded_in_bands_of_columns() -> None:
    def loops(f: Any, *shape: int) -> str:
        return rosin.compile(f).text(drawn(np.float32, *shape), stage="loops")

    def sums(x: Any) -> Any:
        return rnp.sum(x, axis=0)

    assert "_together" in loops(sums, 4096, 600)
    assert "_together" not in loops(sums, 200, 4096)
    assert "_together" in loops(lambda x: (x * 2, rnp.sum(x, axis=0)), 200, 4096), "what is written lies apart in bands"
    assert "_together" not in loops(lambda x: (x * 2, rnp.sum(x, axis=0)), 17, 60000)


@pytest.mark.parametrize("shape", [(900, 2000), (2_000_003,), (3, 700_000), (5000, 300)], ids=str)
def test_same_bits_on_any_number_of_threads(shape: tuple[int, ...], some_threads: Callable[[int], None]) -> None:
    x = drawn(np.float32, *shape)

    def run(x: Any) -> Any:
        normed = x / rnp.sqrt(rnp.mean(x * x, axis=-1, keepdims=True))
        return rnp.sum(x, axis=0), rnp.sum(x), rnp.sum(x * x, axis=-1), rnp.sum(normed * x, axis=0)

    results: list[list[bytes]] = []
    for number in (1, 2, 5):
        some_threads(number)
        results.append([np.asarray(a).tobytes() for a in rosin.compile(run)(x)])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((512, 32000), (0, 64)),
        ((509, 3000), (0, 39)),  # two rows are left over
        ((3, 1000000), (1, 64)),
        ((8, 300000), (1, 60)),  # eight blocks would be few
        ((1000003,), (0, 64)),
        ((64, 64, 640), (0, 64)),
    ],
    ids=str,
)
def test_long_folds_read_long_pieces(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    loops = [LoopVar(f"i{k}", extent) for k, extent in enumerate(shape)]
    var, extent, count = divided(loops)
    assert (loops.index(var), extent, count) == (expected[0], shape[expected[0]], expected[1])
    assert extent % count * 64 <= extent
