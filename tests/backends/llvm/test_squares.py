"""Squares of memory: shuffles that transpose in registers, evaluated by a model of what shuffles do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.squares import columns_of, rows_of, transposed

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
    assert len(e.lines) == 64
    e = Shuffles()
    columns_of(e, [e.given(row, "float") for row in np.arange(64).reshape(16, 4)], 16)
    assert len(e.lines) == 20
