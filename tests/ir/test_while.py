"""Loops that a predicate ends: random ones against their bodies unrolled, in every transform."""

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
from rosin.ir.op import Value, Values
from rosin.ir.ops import sweeps
from rosin.ir.ops.loop import While
from rosin.ir.ops.sweeps import Sweeps
from rosin.ir.parser import parse
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import TensorType
from rosin.ir.verify import verify
from tests.differentiation import difference, pull, push, random_directions, vjp_graph
from tests.ir.test_control import SMOOTH_TYPES, close, next_carry
from tests.random_graphs import arguments, random_graph
from tests.samples import draw
from tests.samples.control import region
from tests.thinning import examples

MOST = 4
"""Random loops have at most so many steps."""


def random_while(seed: int, steps: int, exact: bool = False) -> Graph:
    """A `while` around a random graph. It ends with a count that is an operand, or earlier, when a float is large.

    With `exact`, carries are rounded to a grid between steps. Some bodies hold another `while`.
    """
    chooser = random.Random(seed)
    inner = random_graph(seed, steps, SMOOTH_TYPES)
    if chooser.random() < 0.4:
        inner = _inside_a_while(inner, chooser.randrange(3))
    flags = [chooser.random() < 0.6 for _ in inner.inputs]
    order = [i for wanted in (True, False) for i, flag in enumerate(flags) if flag == wanted]
    limit = chooser.choice((0.5, 1.2, 9.0))
    return _loop(inner, order, sum(flags), limit, exact)


def _loop(inner: Graph, order: Sequence[int], carried: int, limit: float, exact: bool) -> Graph:
    body, cond, b = Builder(), Builder(), Builder()
    types = [inner.inputs[i].type for i in order]
    scalar = TensorType(dtypes.i32)
    heads = [[c.input(scalar, "i"), *(c.input(t) for t in types), c.input(scalar, "n")] for c in (body, cond)]
    (i, *values, _), (k, *seen, m) = heads
    place = dict(zip(order, values, strict=True))
    outputs = body.inline(inner, [place[at] for at in range(len(values))])
    scalars = [body.sum(v, tuple(range(v.type.rank))) for v in outputs if v.type.dtype.is_float]
    carries = [next_carry(body, v, scalars, exact) for v in values[:carried]]
    going = cond.less(k, m)
    for v in seen[:carried]:
        if v.type.dtype.is_float:
            small = cond.less(cond.abs(v), limit)
            going = cond.logical_and(going, cond.all(small, tuple(range(v.type.rank))))
            break
    op = While(cond.graph([going], "going"), body.graph([body.add(i, 1), *carries], "step"), carried + 1)
    number = b.input(scalar, "number")
    operands = [b.input(t) for t in types]
    most = b.remainder(number, MOST + 1)
    return b.graph(b.node(op, b.full(0, scalar), *operands, most), "main")


def _inside_a_while(graph: Graph, steps: int) -> Graph:
    """The graph, whose float inputs were moved on by a `while` of so many steps."""
    b = Builder()
    scalar = TensorType(dtypes.i32)
    operands = [b.input(v.type, v.name) for v in graph.inputs]
    values: list[Value] = []
    for x in operands:
        if not x.type.dtype.is_float:
            values.append(x)
            continue
        types = f"i: i32[]; x: {x.type}"
        cond = region("few", types, lambda b, i, x: [b.less(i, steps)])
        move = region("move", types, lambda b, i, x: [b.add(i, 1), b.mul(b.sin(x), 1.25)])
        values.append(b.node(While(cond, move, 2), b.full(0, scalar), x)[1])
    return b.graph(b.inline(graph, values), graph.name)


def unrolled(graph: Graph) -> Graph:
    """The graph with copies of its body for each `while`; steps that do not happen are not selected."""
    b = Builder()
    env = {v: b.input(v.type, v.name) for v in graph.inputs}
    for node in graph.nodes:
        operands = tuple(env[v] for v in node.operands)
        found = _unrolled(b, node.op, operands) if isinstance(node.op, While) else b.copy(node, operands)
        env.update(zip(node.results, found, strict=True))
    return b.graph([env[v] for v in graph.outputs], "unrolled")


def _unrolled(b: Builder, op: While, operands: Values) -> Values:
    carries, constants = operands[: op.carried], operands[op.carried :]
    going = b.full(True, TensorType(dtypes.bool_))
    for _ in range(MOST):
        (holds,) = b.inline(op.cond, (*carries, *constants))
        going = b.logical_and(going, holds)
        found = b.inline(unrolled(op.body), (*carries, *constants))
        pairs = zip(found, carries, strict=True)
        carries = tuple(b.select(b.broadcast(going, x.type.shape, ()), x, y) for x, y in pairs)
    return carries


def whiles(exact: bool = False, steps: int = 5) -> st.SearchStrategy[Graph]:
    return st.builds(random_while, st.integers(0, 1 << 32), st.sampled_from(range(1, steps + 1)), st.just(exact))


def floats(graph: Graph) -> list[bool]:
    return [v.type.dtype.is_float for v in graph.inputs]


def seeds_of(graph: Graph) -> list[np.ndarray]:
    return [draw(v.type.dtype, v.type.sizes, seed=i) for i, v in enumerate(graph.outputs) if v.type.dtype.is_float]


@examples(100)
@given(whiles())
def test_a_while_is_its_body_unrolled(graph: Graph) -> None:
    note(text(graph))
    verify(graph)
    assert parse(text(graph)) == graph
    for seed in range(3):
        given = arguments(graph, seed)
        for x, y in zip(evaluate(graph, given), evaluate(unrolled(graph), given), strict=True):
            assert x.tobytes() == y.tobytes()


@examples(100)
@given(whiles(), st.integers(0, 3))
def test_derivatives_of_a_while_are_those_of_its_body_unrolled(graph: Graph, seed: int) -> None:
    note(text(graph))
    moving = floats(graph)
    assume(any(moving) and seeds_of(graph))
    operands, plain = arguments(graph, seed), unrolled(graph)
    tangents = random_directions([v.type for v in graph.inputs], moving, 1)
    close(push(graph, operands, tangents), push(plain, operands, tangents))
    backward = vjp_graph(graph, moving)
    verify(backward)
    assert parse(text(backward)) == backward
    close(evaluate(backward, [*operands, *seeds_of(graph)]), pull(plain, operands, seeds_of(graph), moving))


@examples(30)
@given(whiles(steps=3), st.integers(0, 3))
def test_second_derivatives_of_a_while_are_those_of_its_body_unrolled(graph: Graph, seed: int) -> None:
    note(text(graph))
    moving = floats(graph)
    assume(any(moving) and seeds_of(graph))
    backward, expected = vjp_graph(graph, moving), vjp_graph(unrolled(graph), moving)
    operands = [*arguments(graph, seed), *seeds_of(graph)]
    every = [*moving, *(True for _ in seeds_of(graph))]
    tangents = random_directions([v.type for v in backward.inputs], every, 3)
    close(push(backward, operands, tangents), push(expected, operands, tangents), 1e-8)
    again = seeds_of(backward)
    close(pull(backward, operands, again, every), pull(expected, operands, again, every), 1e-8)


@examples(60)
@given(whiles(exact=True, steps=4), st.data())
def test_a_batch_of_whiles_is_a_loop_over_them(graph: Graph, data: st.DataObject) -> None:
    note(text(graph))
    flags = data.draw(st.lists(st.booleans(), min_size=len(graph.inputs), max_size=len(graph.inputs)))
    over_examples(graph, flags)


@examples(40)
@given(whiles(steps=3), st.data())
def test_a_batch_of_gradients_is_a_loop_over_them(graph: Graph, data: st.DataObject) -> None:
    """Examples end at different steps, and so begin their ways back at different ones."""
    moving = floats(graph)
    assume(any(moving) and seeds_of(graph))
    backward = vjp_graph(graph, moving)
    note(text(backward))
    flags = [True, *(data.draw(st.booleans()) for _ in backward.inputs[1:])]
    over_examples(backward, flags)


def blocked(graph: Graph, count: int) -> Graph:
    """A batch of so many examples, two of which make a block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps, "BLOCK", 2)
        return batch_graph(graph, [True] * len(graph.inputs), count)


@examples(30)
@given(whiles(steps=3), st.sampled_from([4, 5]))
def test_blocks_of_examples_are_the_batch(graph: Graph, count: int) -> None:
    """A batch of gradients, and its derivatives."""
    moving = floats(graph)
    assume(any(moving) and seeds_of(graph))
    backward = vjp_graph(graph, moving)
    many, whole = blocked(backward, count), batch_graph(backward, [True] * len(backward.inputs), count)
    note(text(many))
    verify(many)
    assert parse(text(many)) == many
    operands = arguments(many)
    close(evaluate(many, operands), evaluate(whole, operands), 1e-12)
    again = seeds_of(many)
    close(pull(many, operands, again, floats(many)), pull(whole, operands, again, floats(many)), 1e-8)


@examples(30)
@given(whiles(steps=3))
def test_the_gradient_of_a_batch_is_the_batch_of_gradients(graph: Graph) -> None:
    moving = floats(graph)
    assume(any(moving) and seeds_of(graph))
    note(text(graph))
    every = [True] * len(graph.inputs)
    one, other = (
        vjp_graph(batch_graph(graph, every, 3), moving),
        batch_graph(vjp_graph(graph, moving), [True] * (len(graph.inputs) + len(seeds_of(graph))), 3),
    )
    given = arguments(one)
    close(evaluate(one, given), evaluate(other, given), 1e-8)


def over_examples(graph: Graph, flags: Sequence[bool]) -> None:
    """Compare a batch of three with a loop over the examples."""
    many = batch_graph(graph, flags, 3)
    verify(many)
    assert parse(text(many)) == many
    columns = list(zip(*(arguments(graph, seed) for seed in range(3)), strict=True))
    results = evaluate(many, [np.stack(c) if flag else c[0] for c, flag in zip(columns, flags, strict=True)])
    for k in range(3):
        mixed = [c[k] if flag else c[0] for c, flag in zip(columns, flags, strict=True)]
        close([x[k] for x in results], evaluate(graph, mixed), 1e-9)


# -- particular loops --------------------------------------------------------------------------------------------------


def halving() -> While:
    return While(
        region("above_one", "x: f64[]", lambda b, x: [b.greater(x, 1.0)]),
        region("halve", "x: f64[]", lambda b, x: [b.mul(x, 0.5)]),
        1,
    )


def test_the_slope_of_halving_is_the_power_that_it_takes() -> None:
    graph = region("main", "x: f64[]", lambda b, x: b.node(halving(), x))
    for x, slope in ((0.5, 1.0), (1.5, 0.5), (100.0, 2.0**-7)):
        (found,) = pull(graph, [np.array(x)], [np.array(1.0)], [True])
        assert found == slope


def test_examples_that_are_done_give_no_nan() -> None:
    """A step from where an example stands when it is done has an infinite slope."""
    types = "i: i32[]; x: f64[]; n: i32[]"
    op = While(
        region("below", types, lambda b, i, x, n: [b.less(i, n)]),
        region("root", types, lambda b, i, x, n: [b.add(i, 1), b.sqrt(b.sub(x, 1.0))]),
        2,
    )
    start = TensorType(dtypes.i32)
    graph = region("main", "x: f64[]; n: i32[]", lambda b, x, n: [b.node(op, b.full(0, start), x, n)[1]])
    many = batch_graph(graph, [True, True], 3)
    xs, ns = np.array([1.0, 2.0, 10.0]), np.array([0, 1, 2], np.int32)
    expected = [1.0, 0.5, 0.5 / np.sqrt(2.0) * 0.5 / 3.0]
    (slopes,) = pull(many, [xs, ns], [np.ones(3)], [True, False])
    np.testing.assert_allclose(slopes, expected, rtol=1e-14)
    back = batch_graph(vjp_graph(graph, [True, False]), [True, True, False], 3)
    np.testing.assert_allclose(evaluate(back, [xs, ns, np.array(1.0)])[0], expected, rtol=1e-14)


def test_a_hessian_through_a_loop_in_a_loop() -> None:
    """Forward over reverse, against differences of reverse: 20 iterations of a map whose inner loop is Newton's."""
    types = "x: f64[]; target: f64[]"
    newton = While(
        region("far", types, lambda b, x, t: [b.greater(b.abs(b.sub(b.mul(x, x), t)), 1e-12)]),
        region("newton", types, lambda b, x, t: [b.mul(b.add(x, b.div(t, x)), 0.5)]),
        1,
    )
    types = "i: i32[]; p: f64[2]"

    def step(b: Builder, i: Value, p: Value) -> list[Value]:
        squares = b.sum(b.mul(p, p), (0,))
        (norm,) = b.node(newton, b.full(1.0, squares.type), b.add(squares, 1.0))
        return [b.add(i, 1), b.div(b.add(p, b.reverse(b.sin(p), (0,))), b.broadcast(norm, (2,), ()))]

    op = While(region("few", types, lambda b, i, p: [b.less(i, 20)]), region("step", types, step), 2)
    zero = TensorType(dtypes.i32)
    graph = region("main", "p: f64[2]", lambda b, p: [b.node(op, b.full(0, zero), p)[1]])
    backward = vjp_graph(graph, [True])
    given = [np.array([0.3, 1.7]), np.array([1.0, -0.4])]
    directions = [np.array([0.6, -0.8]), None]
    found = push(backward, given, directions)
    np.testing.assert_allclose(found[0], difference(backward, given, directions, 1e-3)[0], rtol=1e-7)


def test_what_no_derivative_reaches_is_not_walked_back() -> None:
    """The sweeps carry no count, and keep nothing of it."""
    types = "i: i32[]; x: f64[]; n: i32[]"
    op = While(
        region("below", types, lambda b, i, x, n: [b.less(i, n)]),
        region("grow", types, lambda b, i, x, n: [b.add(i, 1), b.mul(x, 1.5)]),
        2,
    )
    graph = region("main", "i: i32[]; x: f64[]; n: i32[]", lambda b, *xs: b.node(op, *xs))
    (back,) = [node for node in vjp_graph(graph, [False, True, False]).nodes if isinstance(node.op, Sweeps)]
    narrowed = back.op.without_unused((False, False, True))
    assert narrowed is not None
    assert isinstance(narrowed.op, Sweeps)
    assert narrowed.op.carried == (0, 1)
    assert [len(leg.outputs) for leg in narrowed.op.legs] == [0, 1]


def plain(graph: Graph) -> Graph:
    """The expansion of the one loop of lanes that the graph is."""
    (node,) = graph.nodes
    expansion = node.op.expansion()
    assert expansion is not None
    return expansion


def test_a_batch_is_a_loop_of_lanes(golden: Callable[[str, str], None]) -> None:
    """Two batches are lanes of lanes; as a plain loop it carries who goes on."""
    graph = region("main", "x: f64[]", lambda b, x: b.node(halving(), x))
    many = batch_graph(graph, [True], 3)
    grid = batch_graph(many, [True], 2)
    assert [node.op.lanes for g in (graph, many, grid) for node in g.nodes if isinstance(node.op, While)] == [
        (),
        (3,),
        (2, 3),
    ]
    golden("control/lanes.txt", f"{text(many)}\n{text(plain(many))}")
    xs = np.array([[0.5, 3.0, 100.0], [1.0, 2.0, 1.5]])
    halved = [[0.5, 0.75, 0.78125], [1.0, 1.0, 0.75]]
    for g in (grid, plain(grid)):
        assert evaluate(g, [xs])[0].tolist() == halved


def test_text_of_the_way_back(golden: Callable[[str, str], None]) -> None:
    types = "x: f64[]; w: f64[]"
    op = While(
        region("small", types, lambda b, x, w: [b.less(x, 9.0)]),
        region("grow", types, lambda b, x, w: [b.add(x, b.mul(b.sin(x), b.exp(w)))]),
        1,
    )
    backward = vjp_graph(region("main", types, lambda b, *xs: b.node(op, *xs)), [True, True])
    golden("control/vjp_of_while.txt", text(backward))
