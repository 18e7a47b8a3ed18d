"""Squares of memory: shuffles that transpose in registers, evaluated by a model of what shuffles do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import rosin
from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.squares import columns_of, rows_of, transposed
from rosin.runtime.jit import host

Array = np.ndarray[Any, Any]


class Shuffles(Emitter):
    """An emitter that computes what it emits; `numbers` holds the elements of each vector."""

    def __init__(self) -> None:
        super().__init__(set())
        self.numbers: dict[str, Array] = {}

    def given(self, row: Array, elem: str) -> Val:
        value = Val(self.name(), elem, len(row))
        self.numbers[value.ref] = row
        return value

    def shuffle(self, left: Val, right: Val, order: Sequence[int]) -> Val:
        result = super().shuffle(left, right, order)
        unknown = np.full(left.lanes, -1)
        both = np.concatenate([self.numbers[left.ref], self.numbers.get(right.ref, unknown)])
        self.numbers[result.ref] = both[list(order)]
        return result

    def opaque(self, x: Val) -> Val:
        result = super().opaque(x)
        self.numbers[result.ref] = self.numbers[x.ref]
        return result

    def array(self, values: Sequence[Val]) -> Array:
        return np.stack([self.numbers[v.ref] for v in values])


SIZES = [(lanes, count) for lanes in (2, 4, 8, 16) for count in (2, 4, 8, 16) if count <= lanes]


@pytest.mark.parametrize("elem", ["float", "double", "half", "i8", "i32"])
@pytest.mark.parametrize(("lanes", "count"), SIZES)
def test_rows_become_columns_and_columns_rows(lanes: int, count: int, elem: str) -> None:
    square = np.arange(lanes * count).reshape(lanes, count)
    e = Shuffles()
    columns = columns_of(e, [e.given(row, elem) for row in square], lanes)
    np.testing.assert_array_equal(e.array(columns), square.T)
    few = max(lanes - 1, 1)
    rows = rows_of(e, [e.given(column, elem) for column in square.T], few)
    np.testing.assert_array_equal(e.array(rows), square[:few])


def test_a_square_takes_a_shuffle_for_each_vector_and_halving() -> None:
    e = Shuffles()
    transposed(e, [e.given(row, "float") for row in np.arange(256).reshape(16, 16)])
    assert sum("shufflevector" in line for line in e.lines) == 64
    e = Shuffles()
    columns_of(e, [e.given(row, "float") for row in np.arange(64).reshape(16, 4)], 16)
    assert sum("shufflevector" in line for line in e.lines) == 20


def functions(text: str) -> list[str]:
    return re.findall(r"^define internal void (@turn[^(]*)", text, re.MULTILINE)


def text_of(f: Callable[..., Any], *arguments: Array) -> str:
    return rosin.compile(f).text(*arguments, stage="llvm")


def test_kernels_of_a_program_transpose_by_one_function() -> None:
    """Two kernels of a convolution's operands and two results: the shuffles are there once for each kind of square."""

    def f(x: Any, k: Any, y: Any) -> Any:
        return rosin.nn.conv(rosin.numpy.maximum(rosin.nn.conv(x, k, padding="SAME") + y, 0), k, padding="SAME")

    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((2, 32, 14, 14)).astype(np.float32) for _ in range(2))
    k = rng.standard_normal((32, 32, 3, 3)).astype(np.float32)
    text = text_of(f, x, k, y)
    names = functions(text)
    assert names
    assert len(set(names)) == len(names)
    if host().vector_bytes == 64:
        calls = re.findall(r"call void (@turn[^(]*)", text)
        assert set(calls) == set(names)
        assert len(calls) > 2 * len(names)
        kernels = re.findall(r"^define internal void @k.*?^}", text, re.MULTILINE | re.DOTALL)
        assert sum(kernel.count("shufflevector") for kernel in kernels) < 200
    expected = rosin.compile(f, target="interpreter")(x, k, y)
    np.testing.assert_allclose(np.asarray(rosin.compile(f)(x, k, y)), np.asarray(expected), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
@pytest.mark.parametrize("shape", [(64, 48), (100, 9), (9, 100), (31, 70)])
def test_squares_are_moved_whole(shape: tuple[int, int], dtype: str) -> None:
    a = (np.random.default_rng(0).standard_normal((2, *shape)) * 100).astype(dtype)
    f = rosin.compile(lambda a: rosin.numpy.concatenate([rosin.numpy.transpose(a, (0, 2, 1))] * 2, axis=1))
    expected = np.concatenate([np.transpose(a, (0, 2, 1))] * 2, axis=1)
    np.testing.assert_array_equal(np.asarray(f(a)), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("depth", [32, 41])
@pytest.mark.parametrize("columns", [17, 90, 108])
def test_what_is_left_of_whole_squares_is_moved_by_the_function_too(columns: int, depth: int, dtype: str) -> None:
    """The last square of a packed operand overlaps the one before, along either axis."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((4, n, depth)).astype(dtype) for n in (60, columns))
    product = lambda x, y: x @ rosin.numpy.swapaxes(y, 1, 2)
    expected = x @ np.swapaxes(y, 1, 2)
    np.testing.assert_allclose(np.asarray(rosin.compile(product)(x, y)), expected, rtol=1e-4, atol=1e-5)
    if host().assembles:
        kernels = re.findall(r"^define internal void @k.*?^}", text_of(product, x, y), re.MULTILINE | re.DOTALL)
        assert not any("shufflevector" in kernel for kernel in kernels)
