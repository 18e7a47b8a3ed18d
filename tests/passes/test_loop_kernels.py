"""Loops over small state as single kernels: state in registers, lanes outside of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from rosin.ir import loop_printer, steps
from rosin.ir.builder import Builder
from rosin.ir.dtypes import f64
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.loops import Kind, Loop, Scope
from rosin.ir.op import Value
from rosin.ir.ops.index import DynamicSlice, Numbers
from rosin.ir.ops.scan import Scan
from rosin.ir.ops.scatter import ScatterSet
from rosin.ir.steps import Kernel, Program, Repeat, leaves
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import TensorType
from rosin.passes import pipeline
from rosin.passes.to_loops import to_loops
from rosin.runtime.compile_path import compile_graph
from tests.samples import draw
from tests.samples.control import region


def spiral(b: Builder, z: Value, k: Value) -> list[Value]:
    """A step of a system of two numbers, from which a third one is stacked."""
    x, y = (b.reshape(b.slice_axis(z, 0, i, i + 1), ()) for i in range(2))
    turned = [b.sub(b.mul(x, k), y), b.add(x, b.mul(y, k))]
    after = b.mul(b.concatenate([b.reshape(v, (1,)) for v in turned], 0), 0.5)
    return [after, b.add(x, y)]


def spirals(steps: int = 6, lanes: int | None = None) -> Graph:
    types = "z: f64[2]; k: f64[]"
    body = region("spiral", types, spiral)
    graph = region("main", types, lambda b, *operands: b.node(Scan(body, 1, 0, steps, False), *operands))
    return graph if lanes is None else batch_graph(graph, [True, False], lanes)


def lowered(graph: Graph) -> Program:
    return to_loops(pipeline.run(graph))


def agree(graph: Graph, rtol: float = 1e-12) -> None:
    operands = [draw(v.type.dtype, v.type.sizes, -1, 1) for v in graph.inputs]
    for actual, expected in zip(compile_graph(graph)(*operands), evaluate(graph, operands), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-12)


def loop_kernel(program: Program) -> Kernel:
    (found,) = [k for k in steps.kernels(program.steps) if k.name.startswith("loop_")]
    return found


def test_small_state_is_held_in_scratch_arrays(golden: Callable[[str, str], None]) -> None:
    program = lowered(spirals())
    assert not any(isinstance(step, Repeat) for step in program.steps)
    assert program.arena_bytes == 0
    golden("loops/small_state.txt", loop_printer.text(program))
    agree(spirals())


def test_lanes_stand_outside_of_time(golden: Callable[[str, str], None]) -> None:
    program = lowered(spirals(lanes=100))
    (outermost,) = loop_kernel(program).body
    assert isinstance(outermost, Loop)
    assert outermost.kind is Kind.VECTOR
    assert outermost.var.extent == 100
    assert {b.scope for b in loop_kernel(program).scratch} == {Scope.LANES}
    golden("loops/lanes.txt", loop_printer.text(program))


@pytest.mark.parametrize("lanes", [1, 3, 4, 7, 8, 33, 1000])
@pytest.mark.parametrize("steps", [0, 1, 7])
def test_any_number_of_lanes_and_steps(lanes: int, steps: int) -> None:
    agree(spirals(steps, lanes))


def test_many_lanes_run_on_threads() -> None:
    graph = spirals(500, 4096)
    (outermost,) = loop_kernel(lowered(graph)).body
    assert isinstance(outermost, Loop)
    assert outermost.parallel
    agree(graph, rtol=1e-9)


def scan_of(types: str, carried: int, stacked: int, step: Callable[..., Sequence[Value]], length: int = 5) -> Graph:
    body = region("step", types, step)
    op = Scan(body, carried, stacked, length, False)
    first = len(body.inputs) - stacked
    b = Builder()
    operands = [
        b.input(v.type if i < first else v.type.with_shape((length, *v.type.shape)), v.name)
        for i, v in enumerate(body.inputs)
    ]
    return b.graph(b.node(op, *operands))


def test_lanes_along_the_last_axis() -> None:
    """Lanes of which each has elements far apart."""

    def step(b: Builder, x: Value) -> list[Value]:
        swapped = b.concatenate([b.slice_axis(x, 0, 1, 3), b.slice_axis(x, 0, 0, 1)], 0)
        return [b.add(b.mul(swapped, 0.5), 1.0)]

    graph = scan_of("x: f64[3, 50]", 1, 0, step)
    assert isinstance(loop_kernel(lowered(graph)).body[0], Loop)
    agree(graph)


def test_axes_that_go_together_are_lanes_together() -> None:
    graph = scan_of("x: f64[6, 5, 4]; y: f64[6, 5, 4]", 1, 1, lambda b, x, y: [z := b.add(b.mul(x, 0.5), y), z])
    (outermost,) = loop_kernel(lowered(graph)).body
    assert isinstance(outermost, Loop)
    assert (outermost.kind, outermost.var.extent) == (Kind.VECTOR, 120)
    agree(graph)


def test_axes_of_which_one_is_folded_are_not() -> None:
    def step(b: Builder, x: Value, y: Value) -> list[Value]:
        z = b.add(b.mul(x, 0.5), y)
        return [z, b.sum(z, (1,))]

    graph = scan_of("x: f64[30, 4]; y: f64[30, 4]", 1, 1, step)
    (outermost,) = loop_kernel(lowered(graph)).body
    assert isinstance(outermost, Loop)
    assert (outermost.kind, outermost.var.extent) == (Kind.VECTOR, 30)
    agree(graph)


@pytest.mark.parametrize(("size", "is_far"), [(3, False), (24, True)])
def test_lanes_with_much_state_are_no_lanes(size: int, is_far: bool) -> None:
    """A matrix for each lane, to which an outer product is added, and its rows' sums."""

    def step(b: Builder, x: Value, y: Value) -> list[Value]:
        column, row = b.reshape(y, (16, size, 1)), b.reshape(y, (16, 1, size))
        spread = [
            b.broadcast(b.reshape(v, (16, size)), x.type.shape, axes) for v, axes in ((column, (0, 1)), (row, (0, 2)))
        ]
        z = b.add(x, b.mul(*spread))
        return [z, b.sum(z, (2,))]

    graph = scan_of(f"x: f64[16, {size}, {size}]; y: f64[16, {size}]", 1, 1, step)
    program = lowered(graph)
    assert any(isinstance(s, Repeat) for s in program.steps) == is_far
    agree(graph)


def test_what_is_the_same_for_all_lanes_is_carried_beside_them() -> None:
    """A counter that all lanes use: no vector of lanes may start from what another one has left."""

    def step(b: Builder, x: Value, count: Value) -> list[Value]:
        return [b.add(b.mul(x, 0.5), b.broadcast(count, (5000,), ())), b.add(count, 1.0)]

    graph = scan_of("x: f64[5000]; count: f64[]", 2, 0, step)
    assert {b.scope for b in loop_kernel(lowered(graph)).scratch} == {Scope.LANES, Scope.LOCAL}
    agree(graph)


def test_lanes_that_look_at_each_other_do_not_part() -> None:
    """A reduction over all lanes, and a shift along them."""

    def mean(b: Builder, x: Value) -> list[Value]:
        return [b.sub(x, b.broadcast(b.mul(b.sum(x, (0,)), 0.01), (100,), ()))]

    def shift(b: Builder, x: Value) -> list[Value]:
        return [b.mul(b.reverse(x, (0,)), 0.9)]

    for step in (mean, shift):
        graph = scan_of("x: f64[100]", 1, 0, step)
        kernel = [k for k in steps.kernels(lowered(graph).steps) if k.name.startswith("loop_")]
        assert all(Scope.LANES not in {b.scope for b in k.scratch} for k in kernel)
        agree(graph)


def test_rows_of_folds_are_unrolled_each_by_itself() -> None:
    """Small matrices times small vectors, and a softmax: rows whose locals have the same names."""

    def step(b: Builder, x: Value, w: Value) -> list[Value]:
        y = b.dot_general(w, x, ((1,), (0,)))
        e = b.exp(b.sub(y, b.broadcast(b.max(y, (0,)), (3,), ())))
        return [b.div(e, b.broadcast(b.sum(e, (0,)), (3,), ())), y]

    graph = scan_of("x: f64[3]; w: f64[3, 3]", 1, 0, step)
    agree(graph)
    agree(batch_graph(graph, [True, True], 21))
    agree(batch_graph(graph, [True, False], 21))


def test_elements_of_stacked_operands_are_read_where_they_lie() -> None:
    def step(b: Builder, x: Value, k: Value) -> list[Value]:
        after = b.add(b.mul(x, 0.5), b.sin(k))
        return [after, b.cast(b.mul(after, 100.0), k.type.dtype)]

    for graph in (scan_of("x: f64[]; k: f64[]", 1, 1, step), scan_of("x: f64[2]; k: f64[2]", 1, 1, step)):
        agree(graph)
        agree(batch_graph(graph, [True, True], 40))


def test_large_steps_keep_kernels_of_their_own() -> None:
    def step(b: Builder, x: Value) -> list[Value]:
        return [b.add(x, b.broadcast(b.mul(b.sum(x, (0,)), 1e-9), (1_000_000,), ()))]

    program = lowered(scan_of("x: f64[1000000]", 1, 0, step))
    assert any(isinstance(s, Repeat) for s in program.steps)


def test_writes_at_a_place_that_the_step_computes() -> None:
    """Where to write, and whether that is within the array, is read from what is in registers."""

    def step(b: Builder, i: Value, x: Value) -> list[Value]:
        place = b.select(b.less(i, 2), b.add(i, 1), i)
        numbers = Numbers((), (0,), (), (), (0,), 0)
        (after,) = b.node(ScatterSet(*numbers, "drop", True), x, b.reshape(place, (1,)), b.full(1.0, TensorType(f64)))
        return [b.add(i, 1), after]

    graph = scan_of("i: i32[]; x: f64[4]", 2, 0, step)
    agree(graph)
    agree(batch_graph(graph, [True, True], 12))


def test_a_step_that_writes_one_element_copies_nothing() -> None:
    def step(b: Builder, i: Value, x: Value) -> list[Value]:
        old = b.dynamic_slice(x, (i,), (1,))
        numbers = Numbers((0,), (), (), (), (0,), 0)
        place = b.reshape(i, (1,))
        (after,) = b.node(ScatterSet(*numbers, "drop", True), x, place, b.add(old, b.full(1.0, old.type)))
        return [b.add(i, 1), after]

    graph = scan_of("i: i32[]; x: f64[50000]", 2, 0, step)
    agree(graph)
    inside = [leaf.name for s in lowered(graph).steps if isinstance(s, Repeat) for leaf in leaves(s.body)]
    assert not any("copy" in name for name in inside)


def test_what_a_step_reads_for_an_index_is_not_the_next_value() -> None:
    def step(b: Builder, i: Value, x: Value, table: Value) -> list[Value]:
        zero = b.full(0, i.type)
        (taken,) = b.node(DynamicSlice((1,)), table, b.minimum(i, b.full(7, i.type)))
        return [b.add(b.maximum(i, zero), 1), b.add(b.mul(x, 0.5), b.reshape(taken, ()))]

    body = region("step", "i: i32[]; x: f64[]; table: f64[8]", step)
    op = Scan(body, 2, 0, 5, False)
    graph = region("main", "i: i32[]; x: f64[]; table: f64[8]", lambda b, *operands: b.node(op, *operands))
    agree(graph)
    agree(batch_graph(graph, [True, True, True], 2))
    agree(batch_graph(graph, [True, True, True], 20))
