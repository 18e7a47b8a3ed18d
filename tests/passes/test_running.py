"""Running combinations by every way that their lines are taken: the numbers of the interpreter, and how fast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.passes.running import BLOCK, CHAINS, DEPTH, LEAST_CHUNKS, LONG, MANY_ROWS, ORDERED, PART, WIDE
from rosin.runtime import threads

RANDOM = np.random.default_rng(7)
SHAPES = [
    ((5,), 0),
    ((2 * BLOCK,), 0),
    ((2 * BLOCK + 1,), 0),
    ((3 * BLOCK - 1,), 0),
    ((2, 2 * BLOCK + 77), 1),
    ((CHAINS, 9), 1),
    ((3 * CHAINS + 5, 130), 1),
    ((4, CHAINS + 1, 6), 2),
    ((CHAINS, 4, 6), 1),
    ((7, 2 * WIDE), 0),
    ((7, 3 * WIDE + 5), 0),
    ((2, 5, 2 * WIDE + 1), 1),
    ((1, 2 * WIDE), 0),
    ((3, ORDERED), 1),
    ((2, 2, ORDERED + 5), 2),
    ((MANY_ROWS, 520), 0),
    ((5 * LEAST_CHUNKS * DEPTH + 7, 301), 0),
    ((LONG,), 0),
    ((LONG + 3 * BLOCK + 5, 1), 0),
    ((4 * LONG + 77,), 0),
]
FUNCTIONS = {"sum": (rnp.cumulative_sum, np.add), "max": (rnp.cummax, np.maximum), "prod": (rnp.cumprod, np.multiply)}


def numbers(dtype: Any, shape: tuple[int, ...], name: str) -> Any:
    kind = np.dtype(dtype).kind
    if kind == "i":
        return RANDOM.integers(-9, 9, shape).astype(dtype)
    x = RANDOM.uniform(0.9, 1.1, shape) if name == "prod" else RANDOM.normal(size=shape)
    return (x * np.exp(1e-3j * RANDOM.normal(size=shape)) if kind == "c" else x).astype(dtype)


def agree(found: Any, wanted: Any, x: Any) -> None:
    if x.dtype.kind == "i":
        np.testing.assert_array_equal(np.asarray(found), wanted)
        return
    # Sums of many terms are compared with their size, which is above that of what is left of them.
    size = float(np.max(np.abs(wanted)))
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=0, atol=size * 64 * np.finfo(x.dtype).eps)


KINDS = [(name, dtype) for name in FUNCTIONS for dtype in (np.float32, np.float64, np.int32)]
KINDS += [("sum", np.complex64), ("prod", np.complex64)]


@pytest.mark.thinned(6)
@pytest.mark.parametrize(("name", "dtype"), KINDS)
@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_every_way(name: str, dtype: Any, shape: tuple[int, ...], axis: int) -> None:
    ours, theirs = FUNCTIONS[name]
    x = numbers(dtype, shape, name)
    wide = x.astype({"c": np.clongdouble, "f": np.longdouble}.get(x.dtype.kind, dtype))
    wanted = theirs.accumulate(wide, axis, dtype=wide.dtype)
    agree(rosin.compile(lambda x: ours(x, axis=axis))(x), wanted, x)
    backward = rosin.compile(lambda x: rnp.flip(ours(rnp.flip(x, axis=axis), axis=axis), axis=axis))(x)
    agree(backward, np.flip(theirs.accumulate(np.flip(wide, axis), axis, dtype=wide.dtype), axis), x)


@pytest.mark.parametrize("size", [1, 100, 2 * BLOCK, 2 * BLOCK + 3, 5 * BLOCK - 1])
def test_symbolic_sizes(size: int) -> None:
    line = rosin.compile(lambda x: rnp.cumulative_sum(x, axis=0), dynamic={"x": (0,)})
    rows = rosin.compile(lambda x: rnp.cumulative_sum(x, axis=1), dynamic={"x": (0,)})
    x = RANDOM.normal(size=size)
    agree(line(x), np.cumsum(x), x)
    table = RANDOM.normal(size=(size, 3))
    agree(rows(table), np.cumsum(table, 1), table)


@pytest.mark.parametrize(("shape", "axis"), [((2 * LONG + 77,), 0), ((9, 1003), 1), ((700, 301), 0)], ids=str)
def test_sums_of_what_is_not_negative_never_fall(shape: tuple[int, ...], axis: int) -> None:
    """However they are rounded: probabilities are looked up in them."""
    x = np.random.default_rng(1).uniform(size=shape).astype(np.float32) ** 4
    found = np.asarray(rosin.compile(lambda x: rnp.cumulative_sum(x, axis=axis))(x))
    assert np.min(np.diff(found, axis=axis)) >= 0


def test_a_line_that_runs_backward_is_taken_in_vectors() -> None:
    """As the gradient of a running sum does."""

    def back(x: Any) -> Any:
        return rosin.grad(lambda x: rnp.sum(rnp.cumulative_sum(x, axis=1) * x))(x)

    x = RANDOM.normal(size=(5, 131))
    compiled = rosin.compile(back)
    wanted = np.flip(np.cumsum(np.flip(x, 1), 1), 1) + np.cumsum(x, 1)
    np.testing.assert_allclose(np.asarray(compiled(x)), wanted, rtol=0, atol=1e-12)
    text = compiled.text(x, stage="llvm")
    assert "masked.gather" not in text
    assert "masked.scatter" not in text


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "axis"), [((4 * LONG + 77,), 0), ((2 * LONG,), 0), ((700, 301), 0)], ids=str)
def test_threads_do_not_change_a_bit(dtype: Any, shape: tuple[int, ...], axis: int) -> None:
    """Chunks are the same for any number of threads, and are put together in their order: more threads than processors
    wait for each other often."""
    x = RANDOM.normal(size=shape).astype(dtype)
    f = rosin.compile(lambda x: rnp.cumulative_sum(x, axis=axis))
    before = threads.num_threads()
    try:
        threads.set_num_threads(1)
        alone = np.asarray(f(x))
        for count in (2, 3, 16) * 3:
            threads.set_num_threads(count)
            np.testing.assert_array_equal(np.asarray(f(x)), alone)
    finally:
        threads.set_num_threads(before)


def test_threads_share_what_is_long() -> None:
    """One kernel does, in which a chunk waits for the one before; a short line has none that waits."""
    f = rosin.compile(lambda x: rnp.cumulative_sum(x, axis=0))
    for shape, waits in (((2 * LONG,), 1), ((4096, 300), 1), ((LONG // 2,), 0), ((MANY_ROWS - 1, 8), 0)):
        text = f.text(np.ones(shape), stage="loops")
        assert text.count("in turn:") == waits
        assert text.count("parallel for chunk") == waits


def test_threads_write_over_what_they_read() -> None:
    x = RANDOM.normal(size=4 * LONG)
    wanted = np.cumsum(x.astype(np.longdouble))
    agree(rosin.compile(lambda x: rnp.cumulative_sum(x, axis=0), donate_argnums=0)(rnp.array(x)), wanted, x)


def test_special_numbers() -> None:
    """What is between parts of a line is combined as what is between its elements."""
    x = RANDOM.normal(size=2 * BLOCK + 10)
    for place, value in ((0, np.inf), (BLOCK - 1, np.nan), (BLOCK, -np.inf), (PART, np.inf), (2 * BLOCK + 3, np.nan)):
        y = x.copy()
        y[place] = value
        for name in ("sum", "max"):
            ours, theirs = FUNCTIONS[name]
            found = np.asarray(rosin.compile(lambda x, f=ours: f(x, axis=0))(y))
            np.testing.assert_allclose(found, theirs.accumulate(y), rtol=1e-9)
    # A product is not cut into parts: those would get out of range where the whole does not.
    y = np.where(np.arange(4 * BLOCK) % BLOCK < 2 * PART, 0.1, 1.0)
    y[BLOCK:] = np.tile([10.0, 0.1], 3 * BLOCK // 2)
    y[: 2 * PART] = np.tile([1e-200, 1e200], PART)
    np.testing.assert_allclose(np.asarray(rosin.compile(rnp.cumprod)(y)), np.cumprod(y), rtol=1e-9)


def test_a_sum_of_many_is_as_good_as_pairwise() -> None:
    """Its error is far below that of adding one number after the other, which grows with the square root of them."""
    x = np.random.default_rng(0).uniform(size=1 << 20).astype(np.float32)
    found = np.asarray(rosin.compile(lambda x: rnp.cumulative_sum(x, axis=0))(x))
    exact = np.cumsum(x.astype(np.float64))
    error, plain = (np.max(np.abs(y / exact - 1)) for y in (found, np.cumsum(x)))
    assert error < min(128 * np.finfo(np.float32).eps, plain)
