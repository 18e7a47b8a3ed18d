"""What is computed together: the groups that fusion makes of well-known patterns, and their loops as golden text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given

from rosin.ir import loop_printer, steps
from rosin.ir.builder import Builder
from rosin.ir.errors import UnsupportedError
from rosin.ir.graph import Graph
from rosin.ir.op import Value
from rosin.ir.ops.call import Barrier, Checkpoint
from rosin.ir.ops.logic import IsFinite
from rosin.ir.types import parse_type
from rosin.passes import groups, pipeline
from rosin.passes.fusion import Fusion
from rosin.passes.to_loops import to_loops
from tests.random_graphs import MIXED, graphs

Build = Callable[..., Value | Sequence[Value]]


def graph_of(build: Build, *types: str) -> Graph:
    b = Builder()
    outputs = build(b, *(b.input(parse_type(t), f"x{i}") for i, t in enumerate(types)))
    return b.graph([outputs] if isinstance(outputs, Value) else outputs)


def rows(b: Builder, x: Value, like: Value) -> Value:
    return b.broadcast(x, like.type.shape, (0,))


def softmax(b: Builder, x: Value) -> Value:
    e = b.exp(b.sub(x, rows(b, b.max(x, (1,)), x)))
    return b.div(e, rows(b, b.sum(e, (1,)), x))


def layer_norm(b: Builder, x: Value, scale: Value) -> Value:
    mean = b.div(b.sum(x, (1,)), float(x.type.sizes[1]))
    centred = b.sub(x, rows(b, mean, x))
    variance = b.div(b.sum(b.mul(centred, centred), (1,)), float(x.type.sizes[1]))
    normed = b.mul(centred, rows(b, b.rsqrt(b.add(variance, 1e-5)), x))
    return b.mul(normed, b.broadcast(scale, x.type.shape, (1,)))


def dense(b: Builder, x: Value, w: Value, bias: Value) -> Value:
    h = b.matmul(x, w)
    return b.maximum(b.add(h, b.broadcast(bias, h.type.shape, (1,))), 0.0)


PATTERNS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "softmax": (softmax, ("f32[8, 100]",)),
    "layer_norm": (layer_norm, ("f32[8, 100]", "f32[100]")),
    "dense": (dense, ("f32[32, 16]", "f32[16, 64]", "f32[64]")),
    "chain": (lambda b, x, y: b.mul(b.exp(b.add(x, y)), b.sub(x, 1.0)), ("f32[5, 7]", "f32[5, 7]")),
    "two_sums_of_one_array": (lambda b, x: [b.sum(x, (1,)), b.sum(b.mul(x, x), (1,))], ("f32[8, 100]",)),
    "through_moves": (lambda b, x: b.exp(b.reshape(b.transpose(b.add(x, 1.0), (1, 0)), (35,))), ("f32[5, 7]",)),
    "convolution": (
        lambda b, x, k: b.maximum(b.convolution(x, k, low=(1, 1), high=(1, 1)), 0.0),
        ("f32[2, 3, 16, 16]", "f32[4, 3, 3, 3]"),
    ),
    "column_sums": (lambda b, x, y: b.sum(b.mul(x, y), (0,)), ("f32[40, 64]", "f32[40, 64]")),
    "fold_over_rows": (
        lambda b, x, y: [b.div(x, rows(b, b.sum(x, (1,)), x)), b.sum(b.mul(x, y), (0,))],
        ("f32[40, 34]", "f32[40, 34]"),
    ),
    "wide_columns": (lambda b, x: b.max(x, (0,)), ("f32[300, 2500]",)),
    "long_sum": (lambda b, x: b.sum(x, (0,)), ("f32[600003]",)),
    "running": (lambda b, x: b.cumsum(b.mul(x, 2.0), 0), ("f32[6, 20]",)),
    "symbolic_softmax": (softmax, ("f32[n, m]",)),
    "symbolic_dense": (dense, ("f32[n, k]", "f32[k, m]", "f32[m]")),
    "symbolic_moves": (
        lambda b, x: b.exp(b.reshape(b.transpose(b.add(x, 1.0), (1, 0)), (x.type.size,))),
        ("f32[n, 7]",),
    ),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_loops_of_patterns(name: str, golden: Callable[[str, str], None]) -> None:
    build, types = PATTERNS[name]
    golden(f"loops/{name}.txt", loop_printer.text(to_loops(graph_of(build, *types), 32)))


@pytest.mark.parametrize("name", ["softmax", "layer_norm", "dense", "chain", "two_sums_of_one_array", "column_sums"])
def test_patterns_are_one_kernel_without_arena(name: str) -> None:
    build, types = PATTERNS[name]
    program = to_loops(graph_of(build, *types), 32)
    assert len(list(steps.kernels(program.steps))) == 1
    assert program.arena_bytes == 0


@pytest.mark.parametrize(("width", "kernels"), [(groups.LONG_ROW, 1), (groups.LONG_ROW - 1, 2)])
def test_folds_over_rows_join_what_folds_long_rows(width: int, kernels: int) -> None:
    """As the gradient by the weights of a regression does, of which both products read the same rows."""

    def build(b: Builder, x: Value, w: Value) -> Value:
        y = b.exp(b.dot_general(x, w, ((1,), (0,))))
        return b.dot_general(x, y, ((0,), (0,)))

    found = Fusion(graph_of(build, f"f32[2000, {width}]", f"f32[{width}]")).groups
    assert len([g for g in found if g.folded or g.across]) == kernels


def test_a_value_that_a_third_group_needs_keeps_groups_apart() -> None:
    """The sum over everything stands between the two elementwise parts, which therefore do not join."""

    def build(b: Builder, x: Value) -> Value:
        y = b.exp(x)
        total = b.sum(y, (0, 1))
        return b.mul(y, b.broadcast(total, x.type.shape, ()))

    program = to_loops(graph_of(build, "f32[8, 100]"), 32)
    order = [k.name for k in steps.kernels(program.steps)]
    assert len(order) <= 2


def test_what_waits_for_a_sum_is_apart_from_it_though_a_choice_reads_both() -> None:
    """An update that is taken if a norm is finite: one pass over the parameter, after that of the norm."""

    def build(b: Builder, p: Value, m: Value, g: Value, h: Value) -> list[Value]:
        norm = b.add(b.sum(b.mul(g, g), (0, 1)), b.sum(b.mul(h, h), (0, 1)))
        held = b.node(Barrier(), g, norm)[0]
        mean = b.add(b.mul(m, 0.9), b.mul(held, 0.1))
        sound = b.broadcast(b.node(IsFinite(), norm)[0], p.type.shape, ())
        return [norm, b.select(sound, b.sub(p, mean), p), b.select(sound, mean, m)]

    graph = graph_of(build, *["f32[300, 100]"] * 4)
    fusion = Fusion(graph)
    norm, new, mean = (fusion.group_of[v] for v in graph.outputs)
    assert new is mean
    assert new is not norm
    assert not new.reduced


def test_sums_of_arrays_that_share_nothing_are_apart_and_so_is_what_waits_for_them() -> None:
    """As when gradients are clipped by the norm of all: they have the same sizes, but not in the same order."""

    def clipped(b: Builder, *arrays: Value) -> list[Value]:
        squares = [b.sum(b.mul(x, x), (0, 1)) for x in arrays]
        factor = b.rsqrt(b.add(squares[0], squares[1]))
        return [b.mul(x, b.broadcast(factor, x.type.shape, ())) for x in arrays]

    def found(*types: str) -> list[list[str]]:
        return [[n.op.name for n in group.nodes] for group in Fusion(graph_of(clipped, *types)).groups]

    assert found("f32[64, 256]", "f32[256, 64]") == [
        ["mul", "sum"],
        ["mul", "sum", "add", "rsqrt", "mul"],
        ["mul"],
    ]
    # Of few elements all is one loop.
    assert found("f32[4, 8]", "f32[4, 8]") == [["mul", "sum", "mul", "sum", "add", "rsqrt", "mul", "mul"]]


def test_a_sum_and_what_is_divided_by_it_are_one_loop() -> None:
    whole = graph_of(lambda b, x: b.div(x, b.broadcast(b.sum(x, (0, 1)), x.type.shape, ())), "f32[64, 256]")
    assert len(Fusion(whole).groups) == 1


def test_sums_of_rows_and_of_columns_of_squares_are_apart() -> None:
    """Though their loops have the same sizes: one of them would read elements that are rows apart."""

    def both(b: Builder, x: Value, y: Value) -> Value:
        return b.add(b.sum(x, (1,)), b.sum(y, (0,)))

    assert len(Fusion(graph_of(both, "f32[64, 64]", "f32[64, 64]")).groups) == 2


def test_groups_stay_small() -> None:
    """A chain longer than a group may be is cut, and its expressions stay shallow enough to walk."""

    def build(b: Builder, x: Value) -> Value:
        for _ in range(1500):
            x = b.sin(x)
        return x

    fusion = Fusion(graph_of(build, "f32[4]"))
    assert len(fusion.groups) > 10
    to_loops(graph_of(build, "f32[4]"), 32)


def test_calls_are_refused_with_the_op_named() -> None:
    b = Builder()
    x = b.input(parse_type("f32[3]"), "x")
    body = graph_of(lambda b, x: b.exp(x), "f32[3]")
    graph = b.graph(b.node(Checkpoint(body), x))
    with pytest.raises(UnsupportedError, match="checkpoint has no meaning in loops"):
        to_loops(graph, 32)


@given(graphs(MIXED))
def test_groups_run_after_what_they_need(graph: Graph) -> None:
    """Every stored value that a group reads was computed by an earlier one, and every node is in one group."""
    fusion = Fusion(pipeline.run(graph))
    done: set[Value] = set()
    for group in fusion.groups:
        own = {v for node in group.nodes for v in node.results}
        for node in group.nodes:
            for read in fusion.uses_of[node].reads:
                if read.value in fusion.group_of:
                    assert read.value in done | own
        assert not own & done
        done |= own
    assert done == set(fusion.group_of)
