"""Products of symbolic sizes: for small operands they have kernels that read these as they lie, for large ones others
that copy them; which it is to be is known when the program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.passes import contractions


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
    for dynamic, shapes in (({"x": 0}, ((50, 256), (256, 128))), ({"y": 1}, ((8, 4096), (4096, 50)))):
        symbolic = rosin.compile(plain, dynamic=dynamic)
        assert "otherwise:" not in symbolic.text(*(np.ones(shape, np.float32) for shape in shapes), stage="loops")
    weights = rosin.compile(plain, dynamic={"x": 0})
    text = weights.text(np.ones((50, 2048), np.float32), np.ones((2048, 2048), np.float32), stage="loops")
    assert "otherwise:" in text, "whether many rows pass by is not known"
