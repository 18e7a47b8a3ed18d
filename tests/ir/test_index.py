"""Gathers, scatters and dynamic slices beyond single samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.interpret import evaluate
from rosin.ir.op import Op
from rosin.ir.ops.index import DynamicSlice, DynamicUpdateSlice
from rosin.ir.ops.scatter import ScatterMax, ScatterMul, ScatterSet
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import TensorType
from tests.differentiation import difference, pull, push
from tests.samples import applied, draw, type_of
from tests.samples.index import CASES, POINTS

STARTS = (np.array([0, 3, -5, 99], np.int32), np.array([1, 2, 7, -1], np.int32))


@pytest.mark.parametrize("op", [DynamicSlice((2, 3)), DynamicUpdateSlice()], ids=lambda op: op.name)
def test_each_example_has_starts_of_its_own(op: Op) -> None:
    arrays = [draw(dtypes.f64, (4, 5, 6))]
    if isinstance(op, DynamicUpdateSlice):
        arrays.append(draw(dtypes.f64, (4, 2, 3), 3, 4))
    columns = [*arrays, *STARTS]
    one = applied(op, [type_of(column[0]) for column in columns])
    for flags in itertools.product((False, True), repeat=len(columns)):
        if any(flags):
            operands = [column if flag else column[0] for column, flag in zip(columns, flags, strict=True)]
            (many,) = evaluate(batch_graph(one, flags, 4), [np.asarray(x) for x in operands])
            for k in range(4):
                mixed = [np.asarray(column[k if flag else 0]) for column, flag in zip(columns, flags, strict=True)]
                np.testing.assert_array_equal(many[k], op.eval(*mixed)[0])


def test_the_last_of_several_updates_stays_and_takes_the_cotangent() -> None:
    op = ScatterSet(*POINTS, "drop", False)
    operands = np.zeros(4), np.array([2, 0, 2, 9, 2]), np.array([1.0, 2, 3, 4, 5])
    graph = applied(op, [type_of(x) for x in operands])
    assert evaluate(graph, operands)[0].tolist() == [2, 0, 5, 0]
    cotangent = np.array([10.0, 20, 30, 40])
    by_x, by_updates = pull(graph, operands, [cotangent], [True, False, True])
    assert by_x.tolist() == [0, 20, 0, 40]
    assert by_updates.tolist() == [0, 10, 0, 0, 30]


@pytest.mark.parametrize("zeros", [[], [0], [0, 2], [1], [3], [0, 1, 2, 3]])
def test_a_product_of_updates_has_derivatives_at_zeros(zeros: list[int]) -> None:
    op = ScatterMul(*POINTS, "drop", False)
    updates = np.array([2.0, 3, -1.5, 0.5])
    updates[zeros] = 0
    operands = np.array([1.5, 0.0, -2.0]), np.array([0, 0, 0, 2]), updates
    graph = applied(op, [type_of(x) for x in operands])
    tangents = np.array([0.3, -1.1, 0.7]), None, np.array([0.9, -0.4, 1.3, 0.2])
    expected = difference(graph, operands, tangents, 1e-2)
    np.testing.assert_allclose(push(graph, operands, tangents)[0], expected[0], atol=1e-9)
    cotangent = np.array([0.5, 2.0, -1.0])
    by_x, by_updates = pull(graph, operands, [cotangent], [True, False, True])
    assert np.vdot(by_x, tangents[0]) + np.vdot(by_updates, tangents[2]) == pytest.approx(
        np.vdot(cotangent, expected[0])
    )


def test_updates_that_tie_share_the_derivative() -> None:
    op = ScatterMax(*POINTS, "drop", False)
    operands = np.array([2.0, 1.0, np.nan]), np.array([0, 0, 1, 1, 2, 7]), np.array([2.0, 1, 3, 3, 5, 0])
    graph = applied(op, [type_of(x) for x in operands])
    by_x, by_updates = pull(graph, operands, [np.array([1.0, 1.0, 1.0])], [True, False, True])
    assert by_x.tolist() == [0.5, 0, 0]
    assert by_updates.tolist() == [0.5, 0, 0.5, 0.5, 0, 0]


def test_the_gradient_of_a_narrow_gather_sums_in_f32() -> None:
    """Four hundred ones make 256 when each sum is rounded to bf16."""
    case = CASES["rows"]
    b = Builder()
    x = b.input(TensorType(dtypes.bf16, case.shape))
    indices = b.constant(np.zeros((400, 1), np.int32), TensorType(dtypes.i32, (400, 1)))
    graph = b.graph([b.gather(x, indices, case.numbers, case.sizes)])
    ones = np.ones((400, 3), dtypes.bf16.numpy)
    (by_x,) = pull(graph, [np.zeros(case.shape, dtypes.bf16.numpy)], [ones], [True])
    assert by_x[0].astype(float).tolist() == [400, 400, 400]
