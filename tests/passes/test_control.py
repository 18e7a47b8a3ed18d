"""What passes do to branches and loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph, Node
from rosin.ir.interpret import evaluate
from rosin.ir.op import Op, Value
from rosin.ir.ops.control import Switch
from rosin.ir.ops.loop import While
from rosin.ir.ops.movement import Constant
from rosin.ir.ops.scan import Scan
from rosin.ir.parser import parse
from rosin.ir.printer import text
from rosin.ir.types import TensorType
from rosin.ir.verify import verify
from rosin.passes import pipeline
from rosin.passes.dce import Dce
from rosin.passes.fold import Fold
from rosin.passes.hoist import Hoist
from tests.differentiation import vjp_graph
from tests.ir.test_control import close, scans
from tests.passes.graphs import check_pass, same_bits
from tests.passes.test_dce import Note
from tests.random_graphs import arguments
from tests.samples import draw
from tests.samples.control import SAMPLES, region
from tests.thinning import examples

EXACT = tuple(p for p in pipeline.GRAPH_PASSES if not p.ulps)
ROW = TensorType(dtypes.f32, (4,))


def loops(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if isinstance(node.op, Scan | While)]


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


# -- the whole pipeline ------------------------------------------------------------------------------------------------


@pytest.mark.thinned(2)
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_samples_keep_every_bit_through_the_pipeline(sample: object) -> None:
    op, operands, types = sample.op, sample.operands, sample.types  # type: ignore[attr-defined]
    b = Builder()
    graph = b.graph(b.node(op, *(b.input(t) for t in types)))
    for name, after in pipeline.stages(graph, EXACT):
        verify(after)
        assert parse(text(after)) == after
        assert all(map(same_bits, evaluate(graph, operands), evaluate(after, operands))), name


@examples(60)
@given(scans())
def test_scans_and_their_derivatives_come_out_of_the_pipeline(graph: Graph) -> None:
    note(text(graph))
    for before in (graph, *_backward(graph)):
        given = arguments(before)
        after = pipeline.run(before, EXACT)
        verify(after)
        assert all(map(same_bits, evaluate(before, given), evaluate(after, given)))
        rounded = pipeline.run(before)
        close(evaluate(rounded, given), evaluate(before, given), 1e-8)


def _backward(graph: Graph) -> list[Graph]:
    moving = [v.type.dtype.is_float for v in graph.inputs]
    return [vjp_graph(graph, moving)] if any(moving) else []


@examples(60)
@given(scans(), st.data())
def test_dropped_results_change_no_other(graph: Graph, data: st.DataObject) -> None:
    kept = [v for v in graph.outputs if data.draw(st.booleans())]
    assume(kept)
    smaller = Graph(graph.inputs, graph.nodes, tuple(kept), graph.name)
    after = Dce().run(smaller)
    verify(after)
    given = arguments(graph)
    assert all(map(same_bits, evaluate(smaller, given), evaluate(after, given)))
    for node in after.nodes:
        assert node.op.without_unused(tuple(v in after.outputs for v in node.results)) is None


# -- dead code -----------------------------------------------------------------------------------------------------


def _three(b: Builder, x: Value, y: Value, z: Value, w: Value) -> list[Value]:
    """x needs y, y needs itself; z needs x and w; two stacked results."""
    return [b.add(x, y), b.mul(y, y), b.add(z, b.mul(x, w)), b.exp(x), b.sin(z)]


def test_carries_and_results_that_nothing_uses_go(golden: Callable[[str, str], None]) -> None:
    scan = Scan(region("step", "x: f32[]; y: f32[]; z: f32[]; w: f32[]", _three), 3, 0, 4, False)

    def make(b: Builder, x: Value, y: Value, z: Value, w: Value) -> list[Value]:
        found = b.node(scan, x, y, z, b.exp(w))
        return [found[0]]

    graph = region("main", "x: f32[]; y: f32[]; z: f32[]; w: f32[]", make)
    after = check_pass(Dce(), graph)
    (loop,) = loops(after)
    assert isinstance(loop.op, Scan)
    assert loop.op.carried == 2
    assert names(after) == ["scan"]
    golden("dce/scan.txt", f"{text(graph)}\n{text(after)}")


def test_what_the_predicate_needs_stays() -> None:
    loop = While(
        region("below", "i: i32[]; x: f32[]; y: f32[]", lambda b, i, x, y: [b.less(i, 3)]),
        region("step", "i: i32[]; x: f32[]; y: f32[]", lambda b, i, x, y: [b.add(i, 1), b.sin(x), b.add(y, x)]),
        3,
    )
    graph = region(
        "main", "i: i32[]; x: f32[]; y: f32[]", lambda b, i, x, y: [b.node(loop, b.remainder(i, 3), x, y)[1]]
    )
    (node,) = loops(check_pass(Dce(), graph))
    assert isinstance(node.op, While)
    assert node.op.carried == 2
    assert names(node.op.body) == ["constant", "add", "sin"]


def test_operands_of_branches_go_too() -> None:
    switch = Switch(
        (
            region("both", "x: f32[]; y: f32[]", lambda b, x, y: [b.exp(x), y]),
            region("one", "x: f32[]; y: f32[]", lambda b, x, y: [x, b.exp(y)]),
        )
    )
    graph = region(
        "main", "i: i32[]; x: f32[]; y: f32[]", lambda b, i, x, y: [b.node(switch, i, b.sin(x), b.cos(y))[1]]
    )
    after = check_pass(Dce(), graph)
    assert names(after) == ["cos", "switch"]
    assert [len(branch.nodes) for branch in after.nodes[-1].op.branches] == [0, 1]  # type: ignore[attr-defined]


def test_inner_loops_lose_what_outer_ones_do_not_use() -> None:
    inner = Scan(region("inner", "x: f32[]; y: f32[]", lambda b, x, y: [b.sin(x), b.cos(y)]), 2, 0, 2, False)
    outer = Scan(region("outer", "x: f32[]; y: f32[]", lambda b, x, y: b.node(inner, x, y)), 2, 0, 2, False)
    graph = region("main", "x: f32[]; y: f32[]", lambda b, x, y: [b.node(outer, x, y)[0]])
    (loop,) = loops(check_pass(Dce(), graph))
    assert isinstance(loop.op, Scan)
    (below,) = loops(loop.op.body)
    assert (len(loop.operands), len(below.operands)) == (1, 1)


def test_effects_in_a_loop_stay_with_what_they_need() -> None:
    def make(b: Builder, x: Value, y: Value) -> list[Value]:
        b.node(Note(), x)
        return [b.sin(x), b.cos(y)]

    scan = Scan(region("step", "x: f32[]; y: f32[]", make), 2, 0, 2, False)
    graph = region("main", "x: f32[]; y: f32[]", lambda b, x, y: b.node(scan, x, y)[:0])
    after = Dce().run(graph)
    (loop,) = loops(after)
    assert loop.op.effect
    assert [v.name for v in loop.operands] == ["x"]
    assert names(loop.op.body) == ["test_note", "sin"]  # type: ignore[attr-defined]
    assert Hoist().run(after) is after


# -- constants -----------------------------------------------------------------------------------------------------


def test_numbers_become_constants_of_loops_and_branches(golden: Callable[[str, str], None]) -> None:
    step = region("step", "x: f32[]; rate: f32[]", lambda b, x, rate: [b.mul(x, b.exp(b.neg(rate)))])
    inner = Scan(step, 1, 0, 3, False)
    switch = Switch((step, region("loop", "x: f32[]; rate: f32[]", lambda b, x, rate: b.node(inner, x, rate))))
    graph = region(
        "main", "i: i32[]; x: f32[]", lambda b, i, x: b.node(switch, i, x, b.full(0.5, TensorType(dtypes.f32)))
    )
    after = Dce().run(check_pass(Fold(), graph))
    golden("fold/into_regions.txt", f"{text(graph)}\n{text(after)}")
    assert names(after) == ["switch"]
    assert len(after.nodes[0].operands) == 2


def test_arrays_and_carries_stay_operands() -> None:
    step = region("step", "x: f32[4]; rate: f32[4]", lambda b, x, rate: [b.mul(x, rate)])

    def make(b: Builder, x: Value) -> Sequence[Value]:
        table = b.constant(np.arange(4, dtype=np.float32), ROW)
        return [*b.node(Scan(step, 1, 0, 3, False), x, table), *b.node(Scan(step, 1, 0, 3, False), b.zeros(ROW), x)]

    graph = region("main", "x: f32[4]", make)
    assert check_pass(Fold(), graph) is graph


# -- hoisting ------------------------------------------------------------------------------------------------------


def _attention(b: Builder, carry: Value, w: Value, row: Value) -> list[Value]:
    """exp(w) and a product of it are the same in every step; a broadcast of it is read as well."""
    scale = b.exp(w)
    wide = b.broadcast(scale, (2, 4), (1,))
    total = b.sum(b.mul(wide, b.broadcast(row, (2, 4), (1,))), (0,))
    return [b.add(b.mul(carry, b.mul(scale, scale)), total)]


def test_what_does_not_change_moves_out(golden: Callable[[str, str], None]) -> None:
    scan = Scan(region("step", "carry: f32[4]; w: f32[4]; row: f32[4]", _attention), 1, 1, 3, False)
    graph = region("main", "carry: f32[4]; w: f32[4]; rows: f32[3, 4]", lambda b, *xs: b.node(scan, *xs))
    after = check_pass(Hoist(), graph)
    assert names(after) == ["exp", "mul", "scan"]
    golden("hoist/scan.txt", f"{text(graph)}\n{text(after)}")
    assert Hoist().run(after) is after


def test_out_of_two_loops_at_once() -> None:
    inner = Scan(region("inner", "x: f32[]; w: f32[]", lambda b, x, w: [b.mul(x, b.exp(w))]), 1, 0, 2, False)
    outer = Scan(region("outer", "x: f32[]; w: f32[]", lambda b, x, w: b.node(inner, x, w)), 1, 0, 2, False)
    graph = region("main", "x: f32[]; w: f32[]", lambda b, x, w: b.node(outer, x, w))
    after = check_pass(Hoist(), graph)
    assert names(after) == ["exp", "scan"]
    (loop,) = loops(after)
    assert names(loop.op.body) == ["scan"]  # type: ignore[attr-defined]


def test_out_of_predicate_and_body_of_a_while() -> None:
    types = "i: i32[]; x: f32[]; n: i32[]; w: f32[]"
    loop = While(
        region("below", types, lambda b, i, x, n, w: [b.less(i, b.remainder(n, 5))]),
        region("step", types, lambda b, i, x, n, w: [b.maximum(b.add(i, 1), 0), b.mul(x, b.exp(w))]),
        2,
    )
    graph = region("main", types, lambda b, *xs: b.node(loop, *xs))
    after = check_pass(Hoist(), graph)
    assert names(after) == ["constant", "remainder", "exp", "while"]
    (node,) = loops(after)
    assert names(node.op.cond) == ["less"]  # type: ignore[attr-defined]


def test_a_while_in_a_loop_stays_there() -> None:
    """The loop might have no step, and the while no end."""
    halving = While(
        region("above", "x: f32[]", lambda b, x: [b.greater(x, 1.0)]),
        region("half", "x: f32[]", lambda b, x: [b.mul(x, 0.5)]),
        1,
    )
    body = region("step", "x: f32[]; w: f32[]", lambda b, x, w: [b.mul(x, b.node(halving, w)[0])])
    op: Op = Scan(body, 1, 0, 2, False)
    graph = region("main", "x: f32[]; w: f32[]", lambda b, x, w: b.node(op, x, w))
    assert Hoist().run(graph) is graph


def test_movements_and_constants_stay() -> None:
    def make(b: Builder, x: Value, w: Value) -> list[Value]:
        return [b.add(x, b.add(b.broadcast(w, (100, 4), (1,)), b.full(2.0, TensorType(dtypes.f32, (100, 4)))))]

    def moved(b: Builder, x: Value, w: Value) -> list[Value]:
        return [b.add(x, b.broadcast(w, (100, 4), (1,)))]

    for body, found in ((make, ["broadcast", "constant", "add", "scan"]), (moved, ["scan"])):
        scan = Scan(region("step", "x: f32[100, 4]; w: f32[4]", body), 1, 0, 2, False)
        graph = region("main", "x: f32[100, 4]; w: f32[4]", lambda b, x, w, scan=scan: b.node(scan, x, w))
        assert names(check_pass(Hoist(), graph)) == found


def test_the_way_back_shares_what_both_loops_need() -> None:
    """exp(w) is a residual that is computed before the loop back; hoisting makes it the forward loop's too."""
    scan = Scan(region("step", "x: f64[]; w: f64[]", lambda b, x, w: [b.mul(b.sin(x), b.exp(w))]), 1, 0, 4, False)
    graph = vjp_graph(region("main", "x: f64[]; w: f64[]", lambda b, *xs: b.node(scan, *xs)), [True, True])
    after = pipeline.run(graph)
    assert names(after).count("exp") == 1
    assert not any("exp" in names(node.op.body) for node in loops(after))  # type: ignore[attr-defined]
    given = [draw(dtypes.f64, seed=k) for k in range(3)]
    close(evaluate(after, given), evaluate(graph, given), 1e-14)
    assert not any(isinstance(n.op, Constant) and not n.op.value.is_splat for n in after.nodes)
