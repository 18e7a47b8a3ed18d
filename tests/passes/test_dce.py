"""Dead code elimination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given

from rosin.ir.graph import Graph
from rosin.ir.op import REGISTRY, Constantlike, NumpyArray, Types, Value, Values, define
from rosin.ir.printer import text
from rosin.passes.dce import Dce
from rosin.passes.inline import Inline
from tests.passes.graphs import build, check_pass, random_graphs


@define("test_note")
class Note(Constantlike):
    """Stands for an op with an effect and no result."""

    effect = True

    def type(self, *operands: object) -> Types:
        return ()

    def eval(self, *operands: NumpyArray) -> tuple[NumpyArray, ...]:
        return ()

    def batch(self, b: object, operands: Values, batched: tuple[bool, ...], size: object) -> Values:
        raise AssertionError("not batched here")


del REGISTRY["test_note"]  # known to this file alone


def test_what_nothing_uses_goes(golden: Callable[[str, str], None]) -> None:
    def make(b: object, x: Value, y: Value) -> Value:
        unused = b.exp(x)  # type: ignore[attr-defined]
        b.add(unused, y)  # type: ignore[attr-defined]
        return b.neg(x)  # type: ignore[attr-defined]

    graph = build("f32[3] f32[3]", make)
    after = check_pass(Dce(), graph)
    assert after.inputs == graph.inputs
    golden("dce/unused.txt", f"{text(graph)}\n{text(after)}")


def test_effects_stay_in_order_with_what_they_need() -> None:
    def make(b: object, x: Value) -> Value:
        b.node(Note(), b.exp(x))  # type: ignore[attr-defined]
        b.node(Note(), b.sin(x))  # type: ignore[attr-defined]
        b.cos(x)  # type: ignore[attr-defined]
        return b.neg(x)  # type: ignore[attr-defined]

    after = check_pass(Dce(), build("f32[3]", make))
    assert [n.op.name for n in after.nodes] == ["exp", "test_note", "sin", "test_note", "neg"]


def test_a_used_graph_is_given_back() -> None:
    graph = build("f32[3]", lambda b, x: b.exp(x))
    assert Dce().run(graph) is graph


@dataclass(frozen=True)
class Reached:
    """The nodes that outputs need, found by walking back from them."""

    graph: Graph

    def count(self) -> int:
        makers = {v: n for n in self.graph.nodes for v in n.results}
        seen: set[int] = set()
        stack = [makers[v] for v in self.graph.outputs if v in makers]
        while stack:
            node = stack.pop()
            if id(node) not in seen:
                seen.add(id(node))
                stack.extend(makers[v] for v in node.operands if v in makers)
        return len(seen)


@given(random_graphs())
def test_random_graphs(graph: Graph) -> None:
    after = check_pass(Dce(), graph, seeds=(0,))
    assert len(after.nodes) == Reached(Inline().run(graph)).count()
