"""Branches, and steps of loops, that run for those examples alone that take them: the same as a loop over examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops import loop
from rosin.ir.ops.collective import AxisSum
from rosin.ir.ops.control import Switch
from rosin.ir.ops.effect import Print
from rosin.ir.ops.loop import While
from rosin.ir.ops.scan import Scan
from rosin.ir.ops.sweeps import Sweeps
from rosin.ir.ops.takers import BLOCK, LARGE_BLOCK, block_size
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import TensorType
from rosin.ir.verify import verify
from rosin.runtime.compile_path import compile_graph
from tests.differentiation import difference, pull, push, vjp_graph
from tests.ir.test_control import close
from tests.samples import draw
from tests.samples.control import region
from tests.thinning import examples

WIDTH = 6
TYPES = f"x: f64[{WIDTH}]; w: f64[{WIDTH}, {WIDTH}]"


def _dear(b: Builder, x: Value, w: Value) -> list[Value]:
    """20 steps of a map: dear beside what is gathered."""
    step = region("mix", TYPES, lambda b, x, w: [b.sin(b.dot_general(w, x, ((1,), (0,))))])
    (last,) = b.node(Scan(step, 1, 0, 20, False), x, w)
    return [b.mul(last, 2.0), b.sum(x, (0,))]


def _root(b: Builder, x: Value, w: Value) -> list[Value]:
    """A loop of as many steps as the example needs; it never ends for one whose sum is not positive."""
    types = f"{TYPES}; y: f64[]; goal: f64[]"
    cond = region("far", types, lambda b, x, w, y, goal: [b.greater(b.abs(b.sub(b.mul(y, y), goal)), 1e-9)])
    body = region("newton", types, lambda b, x, w, y, goal: [x, w, b.mul(b.add(y, b.div(goal, y)), 0.5)])
    total = b.sum(b.mul(x, x), (0,))
    found = b.node(While(cond, body, 3), x, w, b.add(total, 1.0), total)
    return [b.mul(x, b.broadcast(found[2], (WIDTH,), ())), found[2]]


def _cheap(b: Builder, x: Value, w: Value) -> list[Value]:
    return [b.neg(x), b.sum(x, (0,))]


def choosing() -> Graph:
    branches = tuple(region(f.__name__.strip("_"), TYPES, f) for f in (_cheap, _dear, _root))
    return region("main", f"i: i32[]; {TYPES}", lambda b, i, *xs: b.node(Switch(branches), i, *xs))


def sample(index: np.ndarray) -> list[np.ndarray]:
    count = len(index)
    w = draw(dtypes.f64, (WIDTH, WIDTH), -0.4, 0.4)
    return [index.astype(np.int32), draw(dtypes.f64, (count, WIDTH), 0.2, 1.0), w]


INDICES = st.sampled_from([2 * BLOCK, 2 * BLOCK + 5]).flatmap(
    lambda n: st.one_of(
        st.just(np.zeros(n, np.int32)),
        st.just(np.full(n, 1, np.int32)),
        st.just(np.full(n, 2, np.int32)),
        st.integers(0, 1 << 30).map(lambda seed: np.random.default_rng(seed).integers(-1, 4, n)),
        st.integers(0, n - 1).map(lambda k: np.where(np.arange(n) == k, 1, 0)),
    )
)


def one_by_one(graph: Graph, operands: list[np.ndarray], flags: list[bool]) -> list[np.ndarray]:
    count = next(len(x) for x, flag in zip(operands, flags, strict=True) if flag)
    rows = [
        evaluate(graph, [np.asarray(x[k]) if flag else x for x, flag in zip(operands, flags, strict=True)])
        for k in range(count)
    ]
    return [np.stack(column) for column in zip(*rows, strict=True)]


@examples(15)
@given(INDICES)
def test_each_example_gets_its_branch(index: np.ndarray) -> None:
    graph, flags = choosing(), [True, True, False]
    operands = sample(index)
    many = batch_graph(graph, flags, len(index))
    verify(many)
    assert sum(isinstance(node.op, Sweeps) for node in many.nodes) == 2
    expected = one_by_one(graph, operands, flags)
    close(evaluate(many, operands), expected, 1e-12)
    close(compile_graph(many)(*operands), expected, 1e-9)


@examples(8)
@given(INDICES)
def test_derivatives(index: np.ndarray) -> None:
    """Of the batch, and the batch of derivatives."""
    graph, operands = choosing(), sample(index)
    many = batch_graph(graph, [True, True, False], len(index))
    tangents = [None, draw(dtypes.f64, operands[1].shape, seed=3), draw(dtypes.f64, operands[2].shape, seed=4)]
    pushed = push(many, operands, tangents)
    close(pushed, difference(many, operands, tangents, 1e-4), 1e-5)
    seeds = [draw(v.type.dtype, v.type.sizes, seed=i) for i, v in enumerate(many.outputs)]
    pulled = pull(many, operands, seeds, [False, True, True])
    total = sum(float(np.vdot(s, t)) for s, t in zip(seeds, pushed, strict=True))
    found = sum(float(np.vdot(c, t)) for c, t in zip(pulled, tangents[1:], strict=True) if t is not None)
    np.testing.assert_allclose(found, total, rtol=1e-9)
    backward = vjp_graph(graph, [False, True, False])
    each = batch_graph(backward, [True, True, False, True, True], len(index))
    close(evaluate(each, [*operands, *seeds]), [pulled[0]], 1e-9)
    close(compile_graph(each)(*operands, *seeds), [pulled[0]], 1e-8)


def test_a_batch_of_batches() -> None:
    graph = choosing()
    index = np.random.default_rng(5).integers(0, 3, (2, 40)).astype(np.int32)
    x, w = draw(dtypes.f64, (2, 40, WIDTH), 0.2, 1.0), draw(dtypes.f64, (WIDTH, WIDTH), -0.4, 0.4)
    grid = batch_graph(batch_graph(graph, [True, True, False], 40), [True, True, False], 2)
    verify(grid)
    rows = [one_by_one(graph, [index[k], x[k], w], [True, True, False]) for k in range(2)]
    close(evaluate(grid, [index, x, w]), [np.stack(column) for column in zip(*rows, strict=True)], 1e-12)


def test_python_does_its_part_for_those_who_take_the_branch(capsys: pytest.CaptureFixture[str]) -> None:
    say = Print("{}")

    def noting(b: Builder, x: Value, w: Value) -> list[Value]:
        b.node(say, b.full(True, TensorType(dtypes.bool_)), b.sum(x, (0,)))
        return _dear(b, x, w)

    branches = (region("cheap", TYPES, _cheap), region("noting", TYPES, noting))
    graph = region("main", f"i: i32[]; {TYPES}", lambda b, i, *xs: b.node(Switch(branches), i, *xs))
    index = np.zeros(40, np.int32)
    index[[3, 17, 39]] = 1
    operands = sample(index)
    evaluate(batch_graph(graph, [True, True, False], 40), operands)
    said = [float(line) for line in capsys.readouterr().out.split()]
    np.testing.assert_allclose(said, operands[1][[3, 17, 39]].sum(1))


def test_which_branches_run_in_blocks() -> None:
    cheap, dear, root = (region("branch", TYPES, f) for f in (_cheap, _dear, _root))
    flags = (True, False)
    assert [block_size(g, flags, 100, None) for g in (cheap, dear, root)] == [0, BLOCK, BLOCK]
    assert [block_size(g, flags, 4096, None) for g in (cheap, dear, root)] == [0, LARGE_BLOCK, LARGE_BLOCK]
    assert [block_size(g, flags, 2 * BLOCK - 1, None) for g in (cheap, dear, root)] == [0, 0, 0]
    across = region(
        "across", TYPES, lambda b, x, w: _dear(b, b.node(AxisSum("i", 100), x)[0], w)
    )  # what examples tell one another needs all of them
    assert block_size(across, flags, 100, "i") == 0
    assert block_size(across, flags, 100, None) == BLOCK


# -- steps of a while ----------------------------------------------------------------------------------------------


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few numbers a lane has, it has work enough for kernels over many."""
    monkeypatch.setattr(loop, "NARROW", 0)


def stepping() -> Graph:
    """As many dear steps as each example says, fewer for one that grows small."""
    types = f"i: i32[]; {TYPES}; n: i32[]"

    def goes_on(b: Builder, i: Value, x: Value, w: Value, n: Value) -> list[Value]:
        return [b.logical_and(b.less(i, n), b.greater(b.max(b.abs(x), (0,)), 1e-3))]

    def step(b: Builder, i: Value, x: Value, w: Value, n: Value) -> list[Value]:
        return [b.add(i, 1), b.mul(_dear(b, x, w)[0], 0.6)]

    op = While(region("goes_on", types, goes_on), region("step", types, step), 2)
    start = TensorType(dtypes.i32)
    return region("main", f"n: i32[]; {TYPES}", lambda b, n, x, w: [b.node(op, b.full(0, start), x, w, n)[1]])


def blocks_in(graph: Graph) -> int:
    return sum(isinstance(n.op, Sweeps) for node in graph.nodes for r in node.regions for n in r.nodes)


@pytest.mark.usefixtures("wide")
@examples(10)
@given(INDICES)
def test_dear_steps_are_made_for_those_alone_that_go_on(index: np.ndarray) -> None:
    graph, flags = stepping(), [True, True, False]
    operands = sample(np.abs(index) * 2)
    many = batch_graph(graph, flags, len(index))
    verify(many)
    assert blocks_in(many) == 1
    expected = one_by_one(graph, operands, flags)
    close(evaluate(many, operands), expected, 1e-12)
    close(compile_graph(many)(*operands), expected, 1e-9)


@pytest.mark.usefixtures("wide")
@examples(5)
@given(INDICES)
def test_derivatives_of_dear_steps(index: np.ndarray) -> None:
    graph, flags = stepping(), [True, True, False]
    operands = sample(np.abs(index))
    many = batch_graph(graph, flags, len(index))
    tangents = [None, draw(dtypes.f64, operands[1].shape, seed=3), draw(dtypes.f64, operands[2].shape, seed=4)]
    pushed = push(many, operands, tangents)
    close(pushed, difference(many, operands, tangents, 1e-4), 1e-5)
    backward = vjp_graph(many, [False, True, True])
    seeds = [draw(v.type.dtype, v.type.sizes, seed=2) for v in many.outputs]
    pulled = evaluate(backward, [*operands, *seeds])
    total = float(np.vdot(seeds[0], pushed[0]))
    found = sum(float(np.vdot(c, t)) for c, t in zip(pulled, tangents[1:], strict=True) if t is not None)
    np.testing.assert_allclose(found, total, rtol=1e-9)
    close(compile_graph(backward)(*operands, *seeds), pulled, 1e-8)
    each = batch_graph(vjp_graph(graph, [False, True, False]), [*flags, True], len(index))
    close(compile_graph(each)(*operands, *seeds), pulled[:1], 1e-8)
    twice = vjp_graph(vjp_graph(graph, [False, True, False]), [False, True, False, False])
    one = [operands[0][0], operands[1][0], operands[2], seeds[0][0], np.ones(WIDTH)]
    again = batch_graph(twice, [True, True, False, True, False], len(index))
    found = evaluate(again, [*operands, *seeds, one[-1]])[0][0]
    close([found], evaluate(twice, one), 1e-9)


@pytest.mark.usefixtures("wide")
def test_dear_steps_in_a_batch_of_batches() -> None:
    graph = stepping()
    counts = np.random.default_rng(5).integers(0, 3, (2, 40)).astype(np.int32)
    x, w = draw(dtypes.f64, (2, 40, WIDTH), 0.2, 1.0), draw(dtypes.f64, (WIDTH, WIDTH), -0.4, 0.4)
    grid = batch_graph(batch_graph(graph, [True, True, False], 40), [True, True, False], 2)
    verify(grid)
    rows = [one_by_one(graph, [counts[k], x[k], w], [True, True, False]) for k in range(2)]
    expected = [np.stack(column) for column in zip(*rows, strict=True)]
    close(evaluate(grid, [counts, x, w]), expected, 1e-12)
    close(compile_graph(grid)(counts, x, w), expected, 1e-9)


def test_which_steps_are_made_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those of lanes that may run in registers, and not those of few examples."""
    flags = [True, True, False]
    assert blocks_in(batch_graph(stepping(), flags, 40)) == 0
    monkeypatch.setattr(loop, "NARROW", 0)
    assert blocks_in(batch_graph(stepping(), flags, 2 * BLOCK - 1)) == 0
    assert blocks_in(batch_graph(stepping(), flags, 40)) == 1
