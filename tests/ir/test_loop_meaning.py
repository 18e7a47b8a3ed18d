"""What ops say about loops computes what their NumPy meaning does, and the evaluator that shows it can fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir import index as indices
from rosin.ir.index import Dynamic, Index, LoopVar
from rosin.ir.interpret import evaluate_op
from rosin.ir.loops import Const, FromIndex, Guard, Within
from rosin.ir.op import Fold, Pull, Push, Running
from rosin.ir.ops.movement import Constant
from rosin.ir.ops.random import RandomBits
from rosin.ir.ops.scatter import ScatterAdd
from tests.loop_eval import Grid, Lanes, Read, compute, readers
from tests.samples import Sample, all_samples, finfo, spread, type_of, wide
from tests.samples.index import CASES
from tests.samples.random import KEY, threefry


def in_loops(sample: Sample) -> bool:
    if isinstance(sample.op, Constant):
        return sample.op.value.is_splat
    return isinstance(sample.op, Pull | Fold | Running | Push)


SAMPLES = [sample for sample in all_samples() if in_loops(sample)]
FOLDS = [sample for sample in SAMPLES if isinstance(sample.op, Fold)]


def same(actual: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], sample: Sample) -> None:
    """Equal but for the order of summation."""
    assert type_of(actual) == type_of(expected)
    dtype = type_of(expected).dtype
    if not dtype.differentiable:
        np.testing.assert_array_equal(actual, expected)
        return
    x, y = wide(actual), wide(expected)
    eps = float(finfo(dtype).eps)
    size = float(np.max(np.abs(y), initial=0.0, where=np.isfinite(y)))
    np.testing.assert_allclose(x, y, rtol=8 * eps, atol=max(sample.atol, 32 * eps * min(size, 1e3)))


def test_every_kind_of_loop_occurs() -> None:
    for kind in (Pull, Fold, Running, Push):
        assert any(isinstance(sample.op, kind) for sample in SAMPLES), kind


@pytest.mark.parametrize("sample", spread(SAMPLES))
def test_loops_compute_what_numpy_does(sample: Sample) -> None:
    expected = evaluate_op(sample.op, *sample.operands)[0]
    for mirrored in (False, True):
        same(compute(sample.op, sample.operands, sample.types, mirrored), expected, sample)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("sample", FOLDS, ids=str)
def test_partial_results_combine(sample: Sample) -> None:
    """As the lanes of a vector loop keep them: each of every third term, then together."""
    expected = evaluate_op(sample.op, *sample.operands)[0]
    same(compute(sample.op, sample.operands, sample.types, partials=3), expected, sample)


def test_bits_beyond_the_counter_s_low_word() -> None:
    shape = (3, 1 << 32)
    op = RandomBits(shape, dtypes.u64)
    row, column = LoopVar("row", 3), LoopVar("column", 1 << 32)
    expr = op.element((indices.of(row), indices.of(column)), readers([KEY]), (type_of(KEY),))
    points = {row: np.array([0, 0, 1, 2]), column: np.array([7, (1 << 32) - 1, 0, 12345])}
    found = Lanes(4, points).value(expr).tolist()
    for i, (r, c) in enumerate(zip(points[row].tolist(), points[column].tolist(), strict=True)):
        a, b = threefry((int(KEY[0]), int(KEY[1])), (r, c))
        assert found[i] == a << 32 | b


# -- the evaluator is strict -----------------------------------------------------------------------------------------


def test_a_read_outside_of_an_array_fails() -> None:
    grid = Grid((5,), False)
    with pytest.raises(AssertionError, match="reads at 4 along axis 0 of size 4"):
        grid.value(Read(np.zeros(4), grid.index))


def test_a_guard_keeps_reads_within() -> None:
    grid = Grid((5,), False)
    expr = Guard((Within(grid.index[0], 0, 4),), Read(np.arange(4.0), grid.index), Const(-1.0, dtypes.f64))
    assert grid.value(expr).tolist() == [0, 1, 2, 3, -1]


def test_a_computed_index_outside_of_its_bounds_fails() -> None:
    start = Dynamic(Const(7, dtypes.i32), 0, 5)
    with pytest.raises(AssertionError, match="7 is outside of 0 … 5"):
        Lanes(1).value(FromIndex(indices.of(start), dtypes.i64))


def test_an_index_that_does_not_fit_its_type_fails() -> None:
    with pytest.raises(AssertionError, match="does not fit u8"):
        Lanes(1).value(FromIndex(Index(256), dtypes.u8))


def test_a_wrong_claim_of_disjoint_updates_fails() -> None:
    case = CASES["rows"]
    operands = np.zeros(case.shape), case.array, np.ones(case.slices)
    types = tuple(map(type_of, operands))
    assert compute(ScatterAdd(*case.numbers, "drop", False), operands, types)[1].tolist() == [2, 2, 2]
    with pytest.raises(AssertionError, match="axis 0 is called disjoint"):
        compute(ScatterAdd(*case.numbers, "drop", True), operands, types)
