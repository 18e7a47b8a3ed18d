"""Inlining: calls give way to their graphs, however they nest."""

from __future__ import annotations

from collections.abc import Callable

from rosin.ir.graph import Graph, Node
from rosin.ir.location import Location
from rosin.ir.ops.call import Checkpoint, CustomJvp, CustomVjp
from rosin.ir.printer import text
from rosin.passes.inline import Inline
from tests.passes.graphs import build, check_pass

SQUARE = build("f32[3]", lambda b, x: b.mul(x, x))
RULE = build("f32[3] f32[3]", lambda b, x, t: [b.mul(x, x), b.mul(b.mul(x, 2.0), t)])


def nested() -> Graph:
    inner = build("f32[3]", lambda b, x: b.add(b.node(CustomJvp(SQUARE, RULE), x)[0], 1.0))
    return build("f32[3]", lambda b, x: b.exp(b.node(Checkpoint(inner), b.node(Checkpoint(inner), x)[0])[0]))


def test_calls_are_replaced_at_every_depth(golden: Callable[[str, str], None]) -> None:
    after = check_pass(Inline(), nested())
    assert all(node.op.expansion() is None for node in after.nodes)
    golden("inline/nested.txt", f"{text(nested())}\n{text(after)}")


def test_a_body_used_twice_gives_two_sets_of_values() -> None:
    after = Inline().run(nested())
    values = list(after.values())
    assert len(values) == len(set(values))
    assert sum(node.op.name == "mul" for node in after.nodes) == 2


def test_only_the_body_of_a_custom_vjp_stays() -> None:
    backward = build("f32[3] f32[3]", lambda b, kept, c: b.mul(kept, c))
    forward = build("f32[3]", lambda b, x: [b.mul(x, x), x])
    graph = build("f32[3]", lambda b, x: b.node(CustomVjp(SQUARE, forward, backward), x))
    assert [n.op.name for n in check_pass(Inline(), graph).nodes] == ["mul"]


def test_nodes_without_a_place_take_that_of_the_call() -> None:
    graph = build("f32[3]", lambda b, x: b.node(Checkpoint(SQUARE), x))
    (call,) = graph.nodes
    placed = Graph(graph.inputs, (Node(call.op, call.operands, call.results, Location("a.py", 3)),), graph.outputs)
    assert [n.location for n in Inline().run(placed).nodes] == [Location("a.py", 3)]


def test_a_body_that_gives_back_its_input() -> None:
    body = build("f32[3]", lambda b, x: x)
    graph = build("f32[3]", lambda b, x: b.neg(b.node(Checkpoint(body), x)[0]))
    after = check_pass(Inline(), graph)
    assert [n.op.name for n in after.nodes] == ["neg"]
    assert after.nodes[0].operands == after.inputs


def test_a_graph_without_calls_is_given_back() -> None:
    assert Inline().run(SQUARE) is SQUARE
