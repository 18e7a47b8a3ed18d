"""Sizes that a program measures: what depends on them, where they are known, and what copies do with them."""

from __future__ import annotations

import numpy as np
import pytest

from rosin.ir import dims, dtypes, facts
from rosin.ir.builder import Builder
from rosin.ir.errors import ConstraintError, ShapeError, VerifyError
from rosin.ir.facts import Facts
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops.control import Switch
from rosin.ir.ops.index import Gather
from rosin.ir.ops.measure import Measure, Nonzero
from rosin.ir.ops.movement import Dimension, Slice
from rosin.ir.ops.scan import Scan
from rosin.ir.parser import parse
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.ir.transform.split import split
from rosin.ir.types import TensorType, parse_type
from rosin.ir.verify import verify
from rosin.passes import pipeline
from rosin.passes.dce import Dce
from rosin.passes.hoist import Hoist
from rosin.runtime.compile_path import compile_graph

K = dims.symbol("k")


def _picked(b: Builder, x: Value, name: str = "k") -> Value:
    """The elements of x that are above zero."""
    mask = b.greater(x, 0.0)
    (length,) = x.type.shape
    count = b.sum(b.cast(mask, dtypes.i64), (0,))
    b.node(Measure(name, length), count)
    (places,) = b.node(Nonzero(dims.symbol(name), dtypes.i32), mask)
    rows = Gather((), (0,), (), (), (0,), 1, slice_sizes=(1,), mode="clip")
    return b.node(rows, x, places)[0]


def _graph() -> Graph:
    b = Builder()
    x = b.input(TensorType(dtypes.f64, (dims.symbol("n"),)), "x")
    y = _picked(b, x)
    (size,) = b.node(Dimension(K, dtypes.i64))
    return b.graph([b.mul(y, y), size], "main")


X = np.array([3.0, -1.0, 2.0, 0.0, 5.0])


def test_interpreter_and_llvm_give_the_picked_ones() -> None:
    graph = _graph()
    verify(graph)
    for x in (X, -X, X[:0], X[:1]):
        for target in ("interpreter", "llvm"):
            squares, size = compile_graph(graph, target)(x)
            np.testing.assert_array_equal(squares, x[x > 0] ** 2)
            assert size == (x > 0).sum()


def test_text_reads_back() -> None:
    graph = _graph()
    assert text(parse(text(graph))) == text(graph)


def test_what_mentions_a_size_keeps_what_measures_it() -> None:
    b = Builder()
    x = b.input(parse_type("f64[5]"), "x")
    _picked(b, x)
    (size,) = b.node(Dimension(K, dtypes.i64))
    graph = Dce().run(b.graph([size]))
    assert [node.op.name for node in graph.nodes] == ["constant", "greater", "cast", "sum", "measure", "dimension"]
    b = Builder()
    x = b.input(parse_type("f64[5]"), "x")
    _picked(b, x)
    assert not Dce().run(b.graph([x])).nodes


def test_a_size_is_measured_once_and_before_it_is_used() -> None:
    b = Builder()
    x = b.input(parse_type("f64[5]"), "x")
    _picked(b, x)
    _picked(b, x)
    with pytest.raises(VerifyError, match="measures k a second time"):
        verify(b.graph([x]))
    b = Builder()
    count = b.input(parse_type("i64[]"), "count")
    (early,) = b.node(Dimension(K, dtypes.i64))
    b.node(Measure("k", 5), count)
    with pytest.raises(VerifyError, match="has the size k before it is measured"):
        verify(b.graph([early]))


@pytest.mark.parametrize("number", [-1, 6])
@pytest.mark.parametrize("target", ["interpreter", "llvm"])
def test_a_number_out_of_range_is_no_size(number: int, target: str) -> None:
    b = Builder()
    count = b.input(parse_type("i64[]"), "count")
    b.node(Measure("k", 5), count)
    executable = compile_graph(b.graph(b.node(Dimension(K, dtypes.i64))), target)
    assert executable(np.asarray(4))[0] == 4
    with pytest.raises(ConstraintError, match=f"k.* {number}"):
        executable(np.asarray(number))
    assert executable(np.asarray(5))[0] == 5


def test_copies_in_one_graph_have_sizes_of_their_own() -> None:
    inner = _graph()
    b = Builder()
    n = dims.symbol("n")
    x, y = (b.input(TensorType(dtypes.f64, (n,)), name) for name in "xy")
    with facts.assuming(Facts(), gather=True):
        first, _ = b.inline(inner, [x])
        second, _ = b.inline(inner, [y])
    assert first.type.shape == (K,)
    assert second.type.shape != (K,)
    graph = b.graph([b.sum(first, (0,)), second])
    verify(graph)
    for target in ("interpreter", "llvm"):
        total, squares = compile_graph(graph, target)(X, -X)
        np.testing.assert_array_equal(total, (X[X > 0] ** 2).sum())
        np.testing.assert_array_equal(squares, [1.0])


def test_values_of_measured_sizes_do_not_cross_a_cut() -> None:
    b = Builder()
    x, late = b.input(parse_type("f64[5]"), "x"), b.input(parse_type("f64[]"), "late")
    y = _picked(b, b.sin(x))
    graph = b.graph([b.sum(y, (0,)), b.sum(b.mul(y, b.broadcast(late, (K,), ())), (0,))])
    first, second = split(graph, [False, True], 1)
    verify(first)
    verify(second)
    assert all(dims.is_static(v.type.shape) for v in first.outputs)
    total, *residuals = evaluate(first, [X])
    (found,) = evaluate(second, [*residuals, np.asarray(3.0)])
    np.testing.assert_allclose(found, 3 * total)


def test_a_loop_keeps_what_depends_on_a_size_of_its_steps() -> None:
    step = Builder()
    total, row = step.input(parse_type("f64[]"), "total"), step.input(parse_type("f64[5]"), "row")
    _picked(step, row)
    (size,) = step.node(Dimension(K, dtypes.i64))
    body = step.graph([step.add(total, step.cast(step.mul(size, size), dtypes.f64))], "step")
    b = Builder()
    start, rows = b.input(parse_type("f64[]"), "start"), b.input(parse_type("f64[3, 5]"), "rows")
    graph = b.graph(b.node(Scan(body, 1, 1, 3, False), start, rows))
    after = Hoist().run(graph)
    verify(after)
    data = np.stack([X, -X, X * 0 + 1])
    for target in ("interpreter", "llvm"):
        (found,) = compile_graph(graph, target)(np.asarray(0.0), data)
        assert found == 9 + 1 + 25


def test_what_is_asked_of_several_sizes_is_asked_when_the_last_is_known() -> None:
    b = Builder()
    x, y = b.input(parse_type("f64[5]"), "x"), b.input(parse_type("f64[4]"), "y")
    with facts.assuming(Facts(), gather=True):
        graph = b.graph([b.add(_picked(b, x, "k"), _picked(b, y, "m"))])
    for target in ("interpreter", "llvm"):
        executable = compile_graph(graph, target)
        np.testing.assert_array_equal(executable(X, X[:4] * 0 + [1, 1, 1, 0])[0], [4, 3, 6])
        with pytest.raises((ConstraintError, ValueError)):
            executable(X, X[:4])


def test_bounds_by_the_greatest_values() -> None:
    known = Facts()
    with facts.assuming(known, gather=True):
        known.measure("k", dims.symbol("n"))
        known.measure("m", K + 2)
    n, m = dims.symbol("n"), dims.symbol("m")
    assert known.greatest(3 * K + 1) == 3 * n + 1
    assert known.greatest(n - K) == n
    assert known.greatest(m * K) == n * n + 2 * n
    assert known.greatest((K + 3) // 4) == (n + 3) // 4
    assert known.greatest(7) == 7
    with facts.assuming(known):
        assert facts.known_at_least(n, K)
        assert not facts.known_at_least(K, 1)
        assert facts.known_at_least(K + 2, m)


def test_every_pass_keeps_the_meaning() -> None:
    graph = _graph()
    expected = evaluate(graph, [X])
    for stage in pipeline.stage_names(pipeline.GRAPH_PASSES):
        after = pipeline.stage(graph, stage)
        verify(after)
        for found, want in zip(evaluate(after, [X]), expected, strict=True):
            np.testing.assert_array_equal(found, want)


def test_a_branch_measures_for_itself() -> None:
    def branch(sign: float) -> Graph:
        b = Builder()
        x = b.input(parse_type("f64[5]"), "x")
        return b.graph([b.sum(_picked(b, b.mul(x, sign)), (0,))], "branch")

    b = Builder()
    which, x = b.input(parse_type("i32[]"), "which"), b.input(parse_type("f64[5]"), "x")
    graph = b.graph(b.node(Switch((branch(1.0), branch(-1.0))), which, x))
    for target in ("interpreter", "llvm"):
        executable = compile_graph(graph, target)
        assert executable(np.int32(0), X)[0] == 10
        assert executable(np.int32(1), X)[0] == 1


def test_slices_by_a_measured_size() -> None:
    b = Builder()
    x, count = b.input(parse_type("f64[5]"), "x"), b.input(parse_type("i64[]"), "count")
    b.node(Measure("k", 5), count)
    (head,) = b.node(Slice((0,), (K,), (1,)), x)
    (tail,) = b.node(Slice((K,), (5,), (1,)), x)
    graph = b.graph([b.concatenate([tail, head], 0)])
    for target in ("interpreter", "llvm"):
        executable = compile_graph(graph, target)
        for number in range(6):
            np.testing.assert_array_equal(executable(X, np.asarray(number))[0], np.roll(X, -number))


def test_a_batch_whose_examples_measure_for_themselves_is_a_loop_over_them() -> None:
    b = Builder()
    x, scale = b.input(parse_type("f64[5]"), "x"), b.input(parse_type("f64[]"), "scale")
    y = _picked(b, x)
    graph = b.graph([b.mul(b.sum(y, (0,)), scale), b.add(scale, scale)])
    rows = np.stack([X, -X, X * 0])
    for flags, numbers in (([True, False], np.asarray(2.0)), ([True, True], np.array([2.0, 3.0, 4.0]))):
        batched = batch_graph(graph, flags, 3)
        verify(batched)
        expected = np.array([row[row > 0].sum() for row in rows]) * numbers
        for target in ("interpreter", "llvm"):
            sums, doubled = compile_graph(batched, target)(rows, numbers)
            np.testing.assert_array_equal(sums, expected)
            np.testing.assert_array_equal(doubled, np.broadcast_to(2 * numbers, 3))
    with pytest.raises(ShapeError, match="each of the 3 examples would give"):
        batch_graph(b.graph([y]), [True, False], 3)
    same = batch_graph(graph, [False, True], 3)
    assert "scan" not in text(same)
