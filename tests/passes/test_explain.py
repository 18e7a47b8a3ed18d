"""What `explain` says: of each group what it costs, of each value that is read from memory why, and of the arena."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.op import Value
from rosin.ir.ops.call import Barrier
from rosin.ir.types import parse_type
from rosin.passes import pipeline
from rosin.passes.cuts import Cut
from rosin.passes.explain import Explanation, Limits, explain
from rosin.passes.fusion import Fusion
from rosin.passes.to_loops import to_loops
from tests.random_graphs import MIXED, graphs

Build = Callable[..., Value | Sequence[Value]]
LIMITS = Limits(2, 200e9, 100e9, 25e9, 150e9, 1 << 20)


def graph_of(build: Build, *types: str) -> Graph:
    b = Builder()
    outputs = build(b, *(b.input(parse_type(t), f"x{i}") for i, t in enumerate(types)))
    return b.graph([outputs] if isinstance(outputs, Value) else outputs)


def rows(b: Builder, x: Value, like: Value) -> Value:
    return b.broadcast(x, like.type.shape, (0,))


def softmax(b: Builder, x: Value) -> Value:
    e = b.exp(b.sub(x, rows(b, b.max(x, (1,)), x)))
    return b.div(e, rows(b, b.sum(e, (1,)), x))


PROGRAMS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "softmax": (softmax, ("f32[8, 100]",)),
    "sums_both_ways": (lambda b, x: [b.sum(b.exp(x), (0,)), b.sum(b.exp(x), (1,))], ("f64[300, 200]",)),
    "sorted": (lambda b, x: b.sort(b.exp(x)), ("f32[1000]",)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_reports(name: str, golden: Callable[[str, str], None]) -> None:
    build, types = PROGRAMS[name]
    golden(f"explain/{name}.txt", explain(pipeline.run(graph_of(build, *types)), 32).text(LIMITS))


def test_products() -> None:
    found = explain(graph_of(lambda b, x, y: softmax(b, b.matmul(x, y)), "f32[32, 16]", "f32[16, 64]"))
    product, rows = found.groups
    assert (product.rows, product.summed, product.flops) == ((32, 64), (16,), 2 * 32 * 64 * 16)
    assert (product.reads, product.writes) == ({"x0": 2048, "x1": 4096}, {"dot_general": 8192})
    assert any("in tiles of" in line for line in product.kernels)
    assert (rows.rows, rows.summed) == ((32,), (64,))
    assert [(cut.why, cut.bytes) for cut in rows.cuts] == [(Cut.PRODUCT, 2 * 8192)]


def cuts_of(build: Build, *types: str) -> dict[tuple[str, str], Cut]:
    """Why values are read from memory, by the op that reads and the one that made them."""
    found = explain(graph_of(build, *types))
    return {(cut.reader, found.groups[cut.group].ops[-1]): cut.why for group in found.groups for cut in group.cuts}


def test_a_product_computes_no_operand_again() -> None:
    found = explain(graph_of(lambda b, x, y: b.matmul(b.exp(x), y), "f32[8, 16]", "f32[16, 40]"))
    (cut,) = found.groups[1].cuts
    assert (cut.why, cut.reader, cut.group) == (Cut.AXES, "dot_general", 0)
    assert cut.bytes == 2 * 8 * 16 * 4
    assert cut.again == 40
    assert cut.flops == 39 * found.groups[0].flops


def test_reasons() -> None:
    assert cuts_of(lambda b, x: b.sum(b.mul(b.sum(x, (0,)), 2.0), (0,)), "f32[8, 9]") == {("sum", "mul"): Cut.SUMS}
    assert cuts_of(lambda b, x: b.add(b.exp(x), b.reverse(b.exp(x), (0,))), "f32[9]")[("add", "exp")] is Cut.ELSEWHERE
    assert cuts_of(lambda b, x: b.cumsum(b.exp(x), 0), "f32[9]") == {("cumsum", "exp"): Cut.ALONE}
    assert cuts_of(lambda b, x, y: b.sum(b.matmul(x, y), (1,)), "f32[8, 9]", "f32[9, 7]") == {
        ("sum", "dot_general"): Cut.PRODUCT
    }


def test_a_long_chain_is_cut_where_the_group_is_full() -> None:
    def chain(b: Builder, x: Value) -> Value:
        for _ in range(100):
            x = b.sin(x)
        return x

    assert set(cuts_of(chain, "f32[9]").values()) == {Cut.FULL}


def test_what_waits_for_a_barrier() -> None:
    def waiting(b: Builder, x: Value) -> Value:
        y = b.exp(x)
        return b.sin(b.node(Barrier(), y, b.sum(y, (0,)))[0])

    assert cuts_of(waiting, "f32[9]")[("sin", "sum")] is Cut.WAITS


def counted(found: Explanation) -> None:
    """What holds of every report."""
    for group in found.groups:
        assert group.flops >= 0
        assert all(cut.group < group.number for cut in group.cuts)
        assert group.seconds(LIMITS) >= max(group.flops / LIMITS.f32 * 0.99, group.bytes / LIMITS.cache * 0.99)
    assert found.least_bytes <= found.arena_bytes
    assert found.text(LIMITS)


@given(graphs(MIXED))
def test_random_graphs(graph: Graph) -> None:
    graph = pipeline.run(graph)
    found = explain(graph)
    counted(found)
    program = to_loops(graph)
    assert found.arena_bytes == program.arena_bytes
    assert found.arena_bytes <= 1.05 * found.least_bytes
    fusion = Fusion(graph)
    assert [group.ops for group in found.groups] == [tuple(n.op.name for n in g.nodes) for g in fusion.groups]
