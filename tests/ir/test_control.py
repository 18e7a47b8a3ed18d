"""Control flow beyond what every op is checked for: loops against unrolled loops, and what lanes that are done do."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Op, Value
from rosin.ir.ops.call import Checkpoint, CustomVjp, StopGradient
from rosin.ir.ops.collective import AxisSum
from rosin.ir.ops.control import Switch
from rosin.ir.ops.loop import While
from rosin.ir.ops.scan import Scan
from rosin.ir.parser import parse
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.ir.transform.jvp import jvp_graph
from rosin.ir.types import TensorType
from rosin.ir.verify import verify
from tests.differentiation import Array, difference, pull, push, random_directions, vjp_graph
from tests.random_graphs import arguments, random_graph
from tests.samples import applied, draw
from tests.samples.control import COLLATZ, PARITY, region
from tests.thinning import examples

SMOOTH_TYPES = (dtypes.f64, dtypes.f64, dtypes.f64, dtypes.i32)


def graph_of(op: Op, *types: TensorType) -> Graph:
    return applied(op, types)


def of_types(op: Op, types: str) -> Graph:
    """The graph that applies the op to inputs such as `"x: f64[2]; y: i32[]"`."""
    return region("main", types, lambda b, *operands: b.node(op, *operands))


# -- scans of random bodies against the unrolled body ----------------------------------------------------------------


def random_scan(seed: int, steps: int, length: int, exact: bool = False) -> Graph:
    """A scan whose body is a random graph; with `exact`, carries are rounded to a grid between steps.

    Some are counted; then the count, from -1 to one more than there are steps, is computed from the first input.
    """
    chooser = random.Random(seed)
    inner = random_graph(seed, steps, SMOOTH_TYPES)
    kinds = [chooser.choice(("carried", "constant", "stacked")) for _ in inner.inputs]
    if chooser.random() < 0.3 and length:
        inner = _inside_a_scan(inner)
    order = [i for kind in ("carried", "constant", "stacked") for i, k in enumerate(kinds) if k == kind]
    b = Builder()
    values = {i: b.input(inner.inputs[i].type, inner.inputs[i].name) for i in order}
    outputs = b.inline(inner, [values[i] for i in range(len(values))])
    scalars = [b.sum(v, tuple(range(v.type.rank))) for v in outputs if v.type.dtype.is_float]
    carries = [next_carry(b, values[i], scalars, exact) for i in order if kinds[i] == "carried"]
    carried, stacked, counted = kinds.count("carried"), kinds.count("stacked"), chooser.random() < 0.4
    if counted:
        b.inputs.insert(carried, Value(TensorType(dtypes.i32), "count"))
    body = b.graph([*carries, *outputs], "step")
    op = Scan(body, carried, stacked, length, chooser.random() < 0.5, counted)
    end = len(body.inputs) - stacked
    types = [v.type if k < end else v.type.with_shape((length, *v.type.shape)) for k, v in enumerate(body.inputs)]
    return _counting(op, types) if counted else graph_of(op, *types)


def _counting(op: Scan, types: Sequence[TensorType]) -> Graph:
    """The counted scan, with its count brought into the interval that matters."""
    b = Builder()
    number = b.input(types[op.carried], "number")
    operands = [b.input(t) for i, t in enumerate(types) if i != op.carried]
    assert isinstance(op.length, int)
    count = b.sub(b.remainder(number, op.length + 3), 1)
    return b.graph(b.node(op, *operands[: op.carried], count, *operands[op.carried :]), "counting")


def _inside_a_scan(graph: Graph) -> Graph:
    """The graph run twice by a scan with the same operands: its outputs are those of the second time."""
    b = Builder()
    operands = [b.input(v.type, v.name) for v in graph.inputs]
    found = b.node(Scan(graph, 0, 0, 2, False), *operands)
    last = [b.reshape(b.slice_axis(v, 0, 1, 2), v.type.shape[1:]) for v in found]
    return b.graph(last, graph.name)


def next_carry(b: Builder, x: Value, scalars: Sequence[Value], exact: bool) -> Value:
    """The next carry, within the interval that random graphs count on."""
    if not x.type.dtype.is_float:
        return b.remainder(b.add(b.mul(x, 3), 1), 10)
    total = b.mul(x, 0.75)
    for scalar in scalars:
        total = b.add(total, b.broadcast(b.cast(b.sin(scalar), x.type.dtype), x.type.shape, ()))
    moved = b.mul(b.sin(total), 1.5)
    return b.mul(b.floor(b.add(b.mul(moved, 8.0), 0.5)), 0.125) if exact else moved


def unrolled(scan: Scan, b: Builder, operands: Sequence[Value]) -> list[Value]:
    """The results of a scan by as many copies of its body; what steps that do not happen give is not selected."""
    end, length = len(operands) - scan.stacked, int(scan.length)  # type: ignore[arg-type]
    carries, rows = list(operands[: scan.carried]), {}
    for step in range(length)[:: -1 if scan.reverse else 1]:
        elements = [b.reshape(b.slice_axis(x, 0, step, step + 1), x.type.shape[1:]) for x in operands[end:]]
        found = b.inline(scan.body, [*carries, *operands[scan.carried : end], *elements])
        if scan.counted:
            happens = b.greater(operands[scan.carried], step)
            instead = [*carries, *(b.zeros(v.type) for v in found[scan.carried :])]
            pairs = zip(found, instead, strict=True)
            found = tuple(b.select(b.broadcast(happens, x.type.shape, ()), x, y) for x, y in pairs)
        carries = list(found[: scan.carried])
        rows[step] = found[scan.carried :]
    stacked: list[Value] = []
    for k, v in enumerate(scan.body.outputs[scan.carried :]):
        parts = [b.reshape(rows[step][k], (1, *v.type.shape)) for step in range(length)]
        stacked.append(b.concatenate(parts, 0) if parts else b.zeros(v.type.with_shape((0, *v.type.shape))))
    return [*carries, *stacked]


def unrolled_graph(graph: Graph) -> Graph:
    b = Builder()
    env = {v: b.input(v.type, v.name) for v in graph.inputs}
    for node in graph.nodes:
        operands = tuple(env[v] for v in node.operands)
        found = unrolled(node.op, b, operands) if isinstance(node.op, Scan) else b.copy(node, operands)
        env.update(zip(node.results, found, strict=True))
    return b.graph([env[v] for v in graph.outputs], "unrolled")


def scans(exact: bool = False, steps: int = 6) -> st.SearchStrategy[Graph]:
    counts = st.sampled_from(range(1, steps + 1))
    return st.builds(random_scan, st.integers(0, 1 << 32), counts, st.integers(0, 3), st.just(exact))


def close(actual: Sequence[Array], expected: Sequence[Array], rtol: float = 1e-9) -> None:
    assert len(actual) == len(expected)
    for position, (x, y) in enumerate(zip(actual, expected, strict=True)):
        assert x.dtype == y.dtype
        size = float(np.max(np.abs(y), initial=1.0, where=np.isfinite(y)))
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * size, err_msg=f"result {position}")


@examples(150)
@given(scans())
def test_a_scan_is_its_body_unrolled(graph: Graph) -> None:
    note(text(graph))
    verify(graph)
    assert parse(text(graph)) == graph
    for x, y in zip(evaluate(graph, arguments(graph)), evaluate(unrolled_graph(graph), arguments(graph)), strict=True):
        assert x.dtype == y.dtype
        assert x.tobytes() == y.tobytes()


@examples(150)
@given(scans())
def test_derivatives_of_a_scan_are_those_of_its_body_unrolled(graph: Graph) -> None:
    note(text(graph))
    moving = [v.type.dtype.is_float for v in graph.inputs]
    assume(any(moving))
    operands, plain = arguments(graph), unrolled_graph(graph)
    tangents = random_directions([v.type for v in graph.inputs], moving, 1)
    close(push(graph, operands, tangents), push(plain, operands, tangents))
    backward, expected = vjp_graph(graph, moving), vjp_graph(plain, moving)
    verify(backward)
    assert parse(text(backward)) == backward
    seeds = [draw(v.type.dtype, v.type.sizes, seed=i) for i, v in enumerate(graph.outputs) if v.type.dtype.is_float]
    close(evaluate(backward, [*operands, *seeds]), evaluate(expected, [*operands, *seeds]))


@examples(40)
@given(scans(steps=4), st.data())
def test_only_some_derivatives(graph: Graph, data: st.DataObject) -> None:
    """Of some operands, from the cotangents of some results."""
    note(text(graph))
    floats = [v.type.dtype.is_float for v in graph.inputs]
    moving = [is_float and data.draw(st.booleans()) for is_float in floats]
    outputs = [i for i, v in enumerate(graph.outputs) if v.type.dtype.is_float]
    assume(any(moving) and outputs)
    chosen = data.draw(st.sampled_from(outputs))
    one, other = (Graph(g.inputs, g.nodes, (g.outputs[chosen],), g.name) for g in (graph, unrolled_graph(graph)))
    operands, seed = arguments(graph), draw(graph.outputs[chosen].type.dtype, graph.outputs[chosen].type.sizes)
    close(pull(one, operands, [seed], moving), pull(other, operands, [seed], moving))


@examples(40)
@given(scans(steps=4))
def test_second_derivatives_of_a_scan_are_those_of_its_body_unrolled(graph: Graph) -> None:
    note(text(graph))
    moving = [v.type.dtype.is_float for v in graph.inputs]
    assume(any(moving))
    backward, expected = vjp_graph(graph, moving), vjp_graph(unrolled_graph(graph), moving)
    seeds = [draw(v.type.dtype, v.type.sizes, seed=i) for i, v in enumerate(graph.outputs) if v.type.dtype.is_float]
    operands = [*arguments(graph), *seeds]
    every = [*moving, *(True for _ in seeds)]
    tangents = random_directions([v.type for v in backward.inputs], every, 3)
    close(push(backward, operands, tangents), push(expected, operands, tangents), 1e-8)
    again = [draw(v.type.dtype, v.type.sizes, seed=i) for i, v in enumerate(backward.outputs)]
    close(pull(backward, operands, again, every), pull(expected, operands, again, every), 1e-8)


@examples(80)
@given(scans(exact=True), st.data())
def test_a_batch_of_scans_is_a_loop_over_them(graph: Graph, data: st.DataObject) -> None:
    note(text(graph))
    flags = data.draw(st.lists(st.booleans(), min_size=len(graph.inputs), max_size=len(graph.inputs)))
    many = batch_graph(graph, flags, 3)
    verify(many)
    examples = [arguments(graph, seed) for seed in range(3)]
    columns = list(zip(*examples, strict=True))
    results = evaluate(many, [np.stack(c) if flag else c[0] for c, flag in zip(columns, flags, strict=True)])
    for k in range(3):
        mixed = [c[k] if flag else c[0] for c, flag in zip(columns, flags, strict=True)]
        close([x[k] for x in results], evaluate(graph, mixed), 1e-9)


# -- lanes that are done -----------------------------------------------------------------------------------------------


def collatz(n: int) -> int:
    steps = 0
    while n > 1:
        n, steps = (3 * n + 1 if n % 2 else n // 2), steps + 1
    return steps


def test_each_example_of_a_while_stops_when_it_is_done() -> None:
    numbers = np.array([1, 2, 27, 0, -5, 97])
    many = batch_graph(of_types(COLLATZ, "n: i64[]; steps: i32[]"), [True, False], len(numbers))
    n, steps = evaluate(many, [numbers, np.array(0, np.int32)])
    assert steps.tolist() == [collatz(int(k)) for k in numbers]
    assert n.tolist() == [min(int(k), 1) for k in numbers]
    grid = batch_graph(many, [True, False], 2)
    _, twice = evaluate(grid, [np.stack([numbers, numbers[::-1]]), np.array(0, np.int32)])
    assert twice.tolist() == [steps.tolist(), steps.tolist()[::-1]]


def test_a_predicate_that_is_the_same_for_all_stays_a_scalar() -> None:
    count = While(
        region("below", "i: i32[]; x: f64[2]", lambda b, i, x: [b.less(i, 5)]),
        region("double", "i: i32[]; x: f64[2]", lambda b, i, x: [b.add(i, 1), b.mul(x, 2.0)]),
        2,
    )
    many = batch_graph(of_types(count, "i: i32[]; x: f64[2]"), [False, True], 3)
    loops = [node.op for node in many.nodes if isinstance(node.op, While)]
    assert [loop.carried for loop in loops] == [2]
    assert [str(v.type) for v in loops[0].body.inputs] == ["i32[]", "f64[3, 2]"]


def _subtracting() -> While:
    """x ← x - k until x is at most 1: it never ends when k is 0."""
    return While(
        region("above_one", "x: i64[]; k: i64[]", lambda b, x, k: [b.greater(x, 1)]),
        region("subtract", "x: i64[]; k: i64[]", lambda b, x, k: [b.sub(x, k)]),
        1,
    )


def test_an_inner_while_ends_for_lanes_that_the_outer_one_has_done_with() -> None:
    """Lanes that are done stand at k = 0, on which the inner loop would never end."""
    inner = _subtracting()
    outer = While(
        region("positive", "k: i64[]; total: i64[]", lambda b, k, total: [b.greater(k, 0)]),
        region(
            "countdown",
            "k: i64[]; total: i64[]",
            lambda b, k, total: [b.sub(k, 1), b.add(total, b.node(inner, b.like(64, k), k)[0])],
        ),
        2,
    )
    graph = of_types(outer, "k: i64[]; total: i64[]")
    ks = np.array([3, 0, 5, 1])
    _, totals = evaluate(batch_graph(graph, [True, False], 4), [ks, np.array(0)])
    assert totals.tolist() == [int(evaluate(graph, [np.array(k), np.array(0)])[1]) for k in ks]
    _, none = evaluate(batch_graph(graph, [True, False], 0), [ks[:0], np.array(0)])
    assert none.shape == (0,)


@pytest.mark.parametrize("indices", [(1, 0, 1), (0, 0, 0), (1, 1, 1)])
def test_a_while_in_a_branch_runs_for_those_who_take_it(indices: tuple[int, ...]) -> None:
    inner = _subtracting()
    op = Switch(
        (
            region("same", "x: i64[]; k: i64[]", lambda b, x, k: [x]),
            region("subtract", "x: i64[]; k: i64[]", lambda b, x, k: b.node(inner, x, k)),
        )
    )
    graph = of_types(op, "i: i32[]; x: i64[]; k: i64[]")
    index, xs = np.array(indices, np.int32), np.array([50, 60, 70])
    ks = np.where(index == 1, np.array([7, 8, 9]), 0)
    (found,) = evaluate(batch_graph(graph, [True, True, True], 3), [index, xs, ks])
    expected = [int(evaluate(graph, [index[i], xs[i], ks[i]])[0]) for i in range(3)]
    assert found.tolist() == expected


def test_no_derivative_of_a_branch_that_is_not_taken() -> None:
    """The root's slope at 0 is infinite, and 0 takes the other branch."""
    op = Switch(
        (
            region("square", "x: f64[]", lambda b, x: [b.mul(x, x)]),
            region("root", "x: f64[]", lambda b, x: [b.sqrt(x)]),
        )
    )
    graph = of_types(op, "i: i32[]; x: f64[]")
    index, xs = np.array([0, 1, 0], np.int32), np.array([0.0, 4.0, -3.0])
    many = batch_graph(graph, [True, True], 3)
    (slope,) = pull(many, [index, xs], [np.ones(3)], [False, True])
    np.testing.assert_array_equal(slope, [0.0, 0.25, -6.0])
    backward = vjp_graph(graph, [False, True])
    (slope,) = evaluate(batch_graph(backward, [True, True, False], 3), [index, xs, np.array(1.0)])
    np.testing.assert_array_equal(slope, [0.0, 0.25, -6.0])


def test_a_named_axis_inside_of_loops() -> None:
    """Each step adds the mean of all examples; the examples' number stands in the op."""
    axis = AxisSum("i", 4)
    body = region("mix", "x: f64[]", lambda b, x: [b.add(b.mul(x, 0.5), b.mul(b.node(axis, x)[0], 0.125))])
    graph = of_types(Scan(body, 1, 0, 3, False), "x: f64[]")
    xs = np.array([1.0, 2.0, -1.0, 0.5])
    expected = xs
    for _ in range(3):
        expected = expected * 0.5 + expected.sum() * 0.125
    for flags in ([True], [False]):
        (found,) = evaluate(batch_graph(graph, flags, 4, "i"), [xs if flags[0] else xs[0]])
        start = xs if flags[0] else np.full(4, xs[0])
        if flags[0]:
            np.testing.assert_allclose(found, expected, rtol=1e-15)
        else:
            np.testing.assert_allclose(found, start, rtol=1e-15)


# -- derivatives -------------------------------------------------------------------------------------------------------


def _halving() -> While:
    return While(
        region("above_one", "x: f64[]", lambda b, x: [b.greater(x, 1.0)]),
        region("halve", "x: f64[]", lambda b, x: [b.mul(x, 0.5)]),
        1,
    )


def test_reverse_mode_passes_by_a_while_that_no_derivative_flows_through() -> None:
    """A count from a predicate alone, and a result behind stop_gradient, also within a scan."""
    scalar = TensorType(dtypes.f64)

    def make(b: Builder, x: Value) -> list[Value]:
        held = b.node(StopGradient(scalar), x)[0]
        return [b.mul(x, b.node(_halving(), held)[0])]

    body = region("main", "x: f64[]", make)
    (slope,) = pull(body, [np.array(12.0)], [np.array(1.0)], [True])
    assert slope == 0.75
    loop = of_types(Scan(body, 1, 0, 2, False), "x: f64[]")
    (slope,) = pull(loop, [np.array(12.0)], [np.array(1.0)], [True])
    np.testing.assert_allclose(slope, 0.75 * evaluate(of_types(_halving(), "x: f64[]"), [np.array(9.0)])[0])


def test_forward_mode_twice_through_a_while() -> None:
    power = While(
        region("below", "i: i32[]; p: f64[]; x: f64[]", lambda b, i, p, x: [b.less(i, 3)]),
        region("times", "i: i32[]; p: f64[]; x: f64[]", lambda b, i, p, x: [b.add(i, 1), b.mul(p, x), x]),
        3,
    )
    graph = of_types(power, "i: i32[]; p: f64[]; x: f64[]")
    once, moves = jvp_graph(graph, [False, False, True])
    assert moves == (False, True, True)
    one = Graph(once.inputs, once.nodes, (once.outputs[3],), "slope")
    twice, _ = jvp_graph(one, [False, False, True, False])
    point = [np.array(0, np.int32), np.array(1.0), np.array(2.0), np.array(1.0)]
    np.testing.assert_allclose(evaluate(twice, [*point, np.array(1.0)]), [12.0, 12.0])


def test_carries_that_do_not_move_get_no_tangent() -> None:
    def make(b: Builder, count: Value, steady: Value, x: Value, y: Value) -> list[Value]:
        return [b.add(count, 1), b.mul(steady, 2.0), b.mul(x, steady), b.add(x, y)]

    body = region("step", "count: i32[]; steady: f64[]; x: f64[]; y: f64[]", make)
    graph = of_types(Scan(body, 4, 0, 3, False), "count: i32[]; steady: f64[]; x: f64[]; y: f64[]")
    pushed, moves = jvp_graph(graph, [False, False, True, False])
    assert moves == (False, False, True, True)
    (loop,) = [node.op for node in pushed.nodes if isinstance(node.op, Scan)]
    assert loop.carried == 6


def _step(b: Builder, carry: Value, weight: Value, element: Value) -> list[Value]:
    """A carry, a constant that its own function is needed of, and an element that is needed as it is."""
    new = b.mul(b.mul(b.sin(carry), b.exp(weight)), element)
    return [new, new]


def test_what_the_forward_scan_keeps(golden: Callable[[str, str], None]) -> None:
    """The carry's cosine and sine are stacked; the element and the exponential, the same in all steps, are not."""
    scan = Scan(region("step", "carry: f64[]; weight: f64[]; element: f64[]", _step), 1, 1, 5, False)
    graph = of_types(scan, "carry: f64[]; weight: f64[]; element: f64[5]")
    backward = vjp_graph(graph, [True, True, True])
    golden("control/vjp_of_scan.txt", f"{text(graph)}\n{text(backward)}")


def test_results_that_are_stacked_anyway_are_not_stacked_again() -> None:
    body = region("step", "x: f64[]", lambda b, x: [b.exp(x), b.exp(x)])
    shared = region("step", "x: f64[]", lambda b, x: [y := b.exp(x), y])
    for make, count in ((body, 3), (shared, 2)):
        backward = vjp_graph(of_types(Scan(make, 1, 0, 4, False), "x: f64[]"), [True])
        forward = next(node for node in backward.nodes if isinstance(node.op, Scan))
        assert len(forward.results) == count


def test_no_loop_back_for_what_is_not_asked() -> None:
    """Only the carry's cotangent is wanted, so no sums over steps are kept for the weight."""
    scan = Scan(region("step", "carry: f64[]; weight: f64[]; element: f64[]", _step), 1, 1, 5, False)
    backward = vjp_graph(of_types(scan, "carry: f64[]; weight: f64[]; element: f64[5]"), [True, False, False])
    _, back = (node.op for node in backward.nodes if isinstance(node.op, Scan))
    assert (back.carried, len(back.body.outputs)) == (1, 1)


def test_results_that_get_no_cotangent_cost_nothing() -> None:
    """The stacked tangent, whose derivative would be infinite times zero, is not asked for."""

    def make(b: Builder, x: Value, element: Value) -> list[Value]:
        root = b.sqrt(element)
        return [b.add(x, element), root, b.mul(x, element)]

    scan = Scan(region("step", "x: f64[]; element: f64[]", make), 1, 1, 3, False)
    graph = of_types(scan, "x: f64[]; element: f64[3]")
    used = Graph(graph.inputs, graph.nodes, (graph.outputs[2],), graph.name)
    backward = vjp_graph(used, [True, True])
    _, back = (node.op for node in backward.nodes if isinstance(node.op, Scan))
    assert not {"div", "constant"} & {node.op.name for node in back.body.nodes}
    rows = np.array([2.0, 0.0, 3.0])
    by_x, by_rows = evaluate(backward, [np.array(1.0), rows, np.ones(3)])
    np.testing.assert_array_equal(by_x, 5.0)
    np.testing.assert_array_equal(by_rows, [1 + 0 + 3, 3 + 3, 3])


def test_narrow_constants_get_sums_of_full_precision() -> None:
    """1,000 cotangents of 1 added one by one in bf16 would stop at 256."""
    bf16 = TensorType(dtypes.bf16)
    body = region("step", "x: bf16[]; w: bf16[]", lambda b, x, w: [b.add(x, w)])
    graph = graph_of(Scan(body, 1, 0, 1000, False), bf16, bf16)
    one, zero = np.ones((), dtypes.bf16.numpy), np.zeros((), dtypes.bf16.numpy)
    (slope,) = pull(graph, [zero, zero], [one], [False, True])
    assert float(slope) == 1000


def test_calls_in_bodies() -> None:
    """A checkpoint and a function with a reverse rule of its own."""
    square = region("square", "x: f64[]", lambda b, x: [b.mul(x, x)])
    forward = region("forward", "x: f64[]", lambda b, x: [b.mul(x, x), x])
    backward = region("backward", "x: f64[]; c: f64[]", lambda b, x, c: [b.mul(b.mul(x, c), 2.0)])
    custom = CustomVjp(square, forward, backward)

    def make(b: Builder, x: Value, w: Value) -> list[Value]:
        (kept,) = b.node(Checkpoint(region("wave", "x: f64[]", lambda b, x: [b.sin(b.exp(x))])), x)
        return [b.mul(b.node(custom, kept)[0], w)]

    graph = of_types(Scan(region("step", "x: f64[]; w: f64[]", make), 1, 0, 3, False), "x: f64[]; w: f64[]")
    operands = [np.array(0.3), np.array(0.9)]
    found = pull(graph, operands, [np.array(1.0)], [True, True])
    expected = [difference(graph, operands, d, 1e-3)[0] for d in ([np.array(1.0), None], [None, np.array(1.0)])]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert any(node.op.name == "barrier" for node in _deep(vjp_graph(graph, [True, True])))


def _deep(graph: Graph) -> list:
    return [inner for node in graph.nodes for inner in (node, *(n for r in node.regions for n in _deep(r)))]


# -- text --------------------------------------------------------------------------------------------------------------


def test_text_of_control_flow(golden: Callable[[str, str], None]) -> None:
    only = Switch((region("only", "x: f32[]", lambda b, x: [b.sin(x)]),))

    def make(b: Builder, n: Value, x: Value, rows: Value) -> list[Value]:
        index = b.cast(b.remainder(n, 2), dtypes.i32)
        body = region("sum", "total: f32[]; row: f32[]", lambda b, total, row: [b.add(total, row), total])
        return [
            *b.node(PARITY, index, n),
            *b.node(only, index, x),
            *b.node(COLLATZ, n, index),
            *b.node(Scan(body, 1, 1, 4, True), x, rows),
        ]

    graph = region("main", "n: i64[]; x: f32[]; rows: f32[4]", make)
    verify(graph)
    assert parse(text(graph)) == graph
    golden("control/text.txt", text(graph))
