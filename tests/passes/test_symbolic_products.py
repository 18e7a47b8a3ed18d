"""Products of symbolic sizes: for small operands they have kernels that read these as they lie, for large ones others
that copy them; which it is to be is known when the program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.passes import contractions, panels
from rosin.runtime import threads
from rosin.runtime.jit import host


def plain(x: Any, y: Any) -> Any:
    return x @ y


def left_turned(x: Any, y: Any) -> Any:
    return rnp.matrix_transpose(x) @ y


def right_turned(x: Any, y: Any) -> Any:
    return x @ rnp.matrix_transpose(y)


def layer(x: Any, y: Any) -> Any:
    return rnp.maximum(x @ y + 1, 0)


def operands(f: Callable[..., Any], m: int, depth: int, n: int, batch: tuple[int, ...] = ()) -> list[Any]:
    rng = np.random.default_rng(m * n)
    x, y = (m, depth) if f is not left_turned else (depth, m), (depth, n) if f is not right_turned else (n, depth)
    return [rng.standard_normal((*batch, *shape)).astype(np.float32) for shape in (x, y)]


def wanted(f: Callable[..., Any], x: Any, y: Any) -> Any:
    x, y = x.astype(np.float64), y.astype(np.float64)
    x, y = np.swapaxes(x, -1, -2) if f is left_turned else x, np.swapaxes(y, -1, -2) if f is right_turned else y
    return np.maximum(x @ y + 1, 0) if f is layer else x @ y


@pytest.mark.parametrize("batch", [(), (2,)], ids=["one", "batch"])
@pytest.mark.parametrize("f", [plain, left_turned, right_turned, layer])
@pytest.mark.thinned(2)
def test_either_kind_of_kernels_has_the_numbers(
    f: Callable[..., Any], batch: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever sizes come first, and on both sides of where copies begin to pay."""
    monkeypatch.setattr(contractions, "WHOLE_BYTES", 4096)
    axes = tuple(range(len(batch), len(batch) + 2))
    for first in ((8, 12, 10), (600, 600, 600)):
        symbolic = rosin.compile(f, dynamic={"x": axes, "y": axes})
        arguments = operands(f, *first, batch)
        assert "otherwise:" in symbolic.text(*arguments, stage="loops")
        for sizes in (
            first,
            (1, 1, 1),
            (31, 40, 33),
            (32, 32, 33),
            (65, 47, 70),
            (3, 300, 90),
            (90, 300, 3),
            (40, 0, 5),
        ):
            x, y = operands(f, *sizes, batch)
            np.testing.assert_allclose(symbolic(x, y), wanted(f, x, y), rtol=1e-4, atol=1e-4)
        assert len(symbolic.signatures()) == 1


def test_what_is_known_of_sizes_leaves_one_kind() -> None:
    """An operand that is never large, or is read too seldom."""
    for dynamic, shapes in (({"x": 0}, ((50, 256), (256, 128))), ({"y": 1}, ((6, 4096), (4096, 50)))):
        symbolic = rosin.compile(plain, dynamic=dynamic)
        assert "otherwise:" not in symbolic.text(*(np.ones(shape, np.float32) for shape in shapes), stage="loops")
    weights = rosin.compile(plain, dynamic={"x": 0})
    text = weights.text(np.ones((50, 2048), np.float32), np.ones((2048, 2048), np.float32), stage="loops")
    assert "otherwise:" in text, "whether many rows pass by is not known"


@pytest.mark.parametrize(
    ("dynamic", "free"),
    [({"x": (0, 1), "y": (0, 1)}, (0, 1, 2)), ({"x": 0}, (0,)), ({"y": 1}, (2,)), ({"x": 1, "y": 0}, (1,))],
    ids=["all", "rows", "columns", "depth"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("f", [plain, layer])
@pytest.mark.thinned(2)
def test_panels_have_the_bits_of_static_sizes(
    f: Callable[..., Any],
    dtype: Any,
    dynamic: dict[str, Any],
    free: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever sizes are symbolic, on both sides of where panels are copied block by block, or as a whole."""
    monkeypatch.setattr(panels, "WHOLE_BYTES", 1 << 19)
    monkeypatch.setattr(panels, "FEW_ROWS", 100)

    def arguments(m: int, depth: int, n: int) -> list[Any]:
        return [x.astype(dtype) for x in operands(f, m, depth, n)]

    sizes = [(40, 530, 270), (11, 530, 270), (12, 600, 270), (99, 513, 257), (101, 513, 300), (600, 700, 129)]
    symbolic = rosin.compile(f, dynamic=dynamic)
    shown = symbolic.text(*arguments(*sizes[0]), stage="loops")
    if host().vector_bytes == 64:  # Tiles of narrower vectors are lower, and panels come up at other sizes.
        assert "_blocks" in shown
        assert ("_copied" in shown) == (0 in free), "whether there are that many rows is known"
    for size in sizes:
        x, y = arguments(*(n if axis in free else sizes[0][axis] for axis, n in enumerate(size)))
        static = rosin.compile(f, dynamic=False)
        np.testing.assert_array_equal(symbolic(x, y), static(x, y))
    assert len(symbolic.signatures()) == 1


@pytest.mark.parametrize("number", [1, 2])
def test_bands_of_any_number_of_rows(number: int) -> None:
    """Tiles of a band, panels beside each other and blocks of what is folded, whether they divide all or not."""
    symbolic = rosin.compile(plain, dynamic={"x": (0, 1), "y": (0, 1)})
    before = threads.num_threads()
    threads.set_num_threads(number)
    try:
        for m, depth, n in ((32, 257, 128), (504, 384, 128), (505, 385, 192), (517, 511, 1100), (1030, 300, 135)):
            x, y = (np.rint(4 * a) for a in operands(plain, m, depth, n))
            np.testing.assert_array_equal(symbolic(x, y), x @ y)
    finally:
        threads.set_num_threads(before)


ROWS_BY_ROWS = [
    *((11, 30, 70), (12, 30, 70), (13, 5, 12), (15, 1, 15), (16, 0, 16), (17, 129, 64), (16, 300, 1000)),
    *((20, 40, 500), (49, 257, 450), (64, 64, 333), (65, 130, 129), (100, 300, 191), (130, 280, 200)),
    *((205, 300, 270), (530, 257, 77), (1, 40, 300), (300, 40, 1), (0, 10, 20), (20, 10, 0)),
]
"""Rows, steps and columns on both sides of where each way begins to pay."""


def turned_layer(x: Any, y: Any) -> Any:
    return rnp.maximum(right_turned(x, y) + rnp.sum(y, axis=-1)[..., None, :], 0)


def turned_beside(x: Any, y: Any) -> Any:
    return right_turned(x, y) - rnp.arange(x.shape[-2])[:, None] * rnp.arange(y.shape[-2])


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("batch", [(), (3,)], ids=["one", "batch"])
@pytest.mark.parametrize(
    ("dynamic", "free"),
    [
        ({"x": (0, 1), "y": (0, 1)}, (True, True, True)),
        ({"x": (0,)}, (True, False, False)),
        ({"y": (0,)}, (False, False, True)),
    ],
    ids=["all", "rows", "columns"],
)
@pytest.mark.parametrize("f", [right_turned, turned_layer, turned_beside])
@pytest.mark.thinned(4)
def test_rows_by_rows(
    f: Callable[..., Any],
    dynamic: dict[str, tuple[int, ...]],
    free: tuple[bool, ...],
    batch: tuple[int, ...],
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dot products of few rows, rows that are turned, and panels that are, as a whole and in blocks, with what these
    leave: whole numbers, whose sums are exact in any order."""
    monkeypatch.setattr(panels, "WHOLE_BYTES", 1 << 18)
    monkeypatch.setattr(panels, "FEW_ROWS", 100)
    first = len(batch)
    program = rosin.compile(f, dynamic={name: tuple(first + axis for axis in axes) for name, axes in dynamic.items()})
    before = threads.num_threads()
    threads.set_num_threads(number)
    try:
        for size in ROWS_BY_ROWS:
            m, depth, n = (n if own else all for n, own, all in zip(size, free, (47, 280, 310), strict=True))
            x, y = (np.rint(4 * a) for a in operands(right_turned, m, depth, n, batch))
            product = x @ np.swapaxes(y, -1, -2)
            if f is turned_layer:
                product = np.maximum(product + np.sum(y, axis=-1)[..., None, :], 0)
            if f is turned_beside:
                product = product - np.arange(m)[:, None] * np.arange(n)
            np.testing.assert_array_equal(program(x, y), product)
    finally:
        threads.set_num_threads(before)
    assert len(program.signatures()) == 1


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("m", "depth", "n"), [(17, 129, 64), (16, 300, 1000), (40, 70, 500), (50, 257, 450), (90, 600, 460), (13, 300, 900)]
)
@pytest.mark.parametrize("f", [right_turned, turned_layer, turned_beside])
@pytest.mark.thinned(3)
def test_few_rows_by_rows_of_sizes_that_are_numbers(
    f: Callable[..., Any], m: int, depth: int, n: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contractions, "TURNED_WORK", 1)
    monkeypatch.setattr(contractions, "WHOLE_BYTES", 1 << 18)
    x, y = (np.rint(4 * a) for a in operands(right_turned, m, depth, n))
    before = threads.num_threads()
    threads.set_num_threads(number)
    try:
        wanted = x @ y.T
        if f is turned_layer:
            wanted = np.maximum(wanted + np.sum(y, axis=-1), 0)
        if f is turned_beside:
            wanted = wanted - np.arange(m)[:, None] * np.arange(n)
        np.testing.assert_array_equal(rosin.compile(f, dynamic=False)(x, y), wanted)
    finally:
        threads.set_num_threads(before)


@pytest.mark.parametrize(
    "dynamic",
    [False, {"x": 0, "y": 0}, {"x": {0: "m", 1: "k"}, "y": {0: "n", 1: "k"}}, {"y": 0}],
    ids=["static", "both", "all", "columns"],
)
@pytest.mark.parametrize("which", ["left", "right", "both"])
def test_rows_that_are_all_the_same(dynamic: Any, which: str) -> None:
    """An operand that does not move with rows, or columns, of the result."""

    def same(x: Any, y: Any) -> Any:
        x = rnp.broadcast_to(x[:1], x.shape) if which != "right" else x
        y = rnp.broadcast_to(y[:1], y.shape) if which != "left" else y
        return right_turned(x, y)

    x, y = (np.rint(4 * a) for a in operands(right_turned, 40, 300, 500))
    wanted = (x if which == "right" else 0 * x + x[:1]) @ (y if which == "left" else 0 * y + y[:1]).T
    np.testing.assert_array_equal(rosin.compile(same, dynamic=dynamic)(x, y), wanted)
