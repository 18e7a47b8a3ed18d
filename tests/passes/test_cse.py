"""Common subexpression elimination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.literal import Literal
from rosin.ir.op import Value
from rosin.ir.ops.call import Barrier, Checkpoint
from rosin.ir.ops.movement import Constant
from rosin.ir.printer import text
from rosin.ir.types import TensorType
from rosin.passes.cse import HASHED_BYTES, Cse, float_fields
from rosin.passes.dce import Dce
from tests.passes.graphs import build, check_pass, random_graphs
from tests.passes.test_dce import Note


def names(graph: Graph) -> list[str]:
    return [n.op.name for n in graph.nodes]


def test_equal_nodes_become_one(golden: Callable[[str, str], None]) -> None:
    def make(b: Builder, x: Value, y: Value) -> list[Value]:
        one = b.mul(b.add(x, y), 2.0)
        other = b.mul(2.0, b.add(y, x))
        return [b.sub(one, other), b.sub(x, y), b.sub(y, x)]

    graph = build("f32[3] f32[3]", make)
    after = check_pass(Cse(), graph)
    assert names(after) == ["add", "constant", "mul", "sub", "sub", "sub"]
    golden("cse/equal.txt", f"{text(graph)}\n{text(after)}")


def test_order_matters_where_it_changes_the_value() -> None:
    graph = build("f32[3] f32[3]", lambda b, x, y: [b.maximum(x, y), b.maximum(y, x), b.div(x, y), b.div(y, x)])
    assert check_pass(Cse(), graph, seeds=range(10)) is graph


def test_attributes_tell_apart() -> None:
    graph = build("f32[3, 3]", lambda b, x: [b.sum(x, (0,)), b.sum(x, (1,)), b.sum(x, (0,))])
    assert names(check_pass(Cse(), graph)) == ["sum", "sum"]


def test_zeros_of_either_sign_are_two_constants() -> None:
    graph = build("f32[3]", lambda b, x: [b.add(x, 0.0), b.add(x, -0.0), b.add(x, 0.0)])
    assert names(check_pass(Cse(), graph)) == ["constant", "add", "constant", "add"]


def test_float_attributes_are_compared_with_their_sign() -> None:
    @dataclass(frozen=True)
    class Leaky:
        slope: float
        axis: int

    @dataclass(frozen=True)
    class Plain:
        axis: int

    leaky: Any = Leaky
    plain: Any = Plain
    assert float_fields(leaky) == ("slope",)
    assert float_fields(plain) == ()


def test_large_constants_are_merged_by_array() -> None:
    data = np.arange(HASHED_BYTES, dtype=np.float32)
    copy = data.copy()

    def make(b: Builder, x: Value) -> list[Value]:
        type = TensorType(dtypes.f32, data.shape)
        return [b.mul(x, b.node(Constant(Literal(type, array)))[0]) for array in (data, data, copy)]

    after = check_pass(Cse(), build(f"f32[{data.size}]", make), seeds=(0,))
    assert names(after) == ["constant", "mul", "constant", "mul"]


def test_effects_and_barriers_stay() -> None:
    def make(b: Builder, x: Value) -> list[Value]:
        b.node(Note(), x)
        b.node(Note(), x)
        one, other = b.node(Barrier(), x)[0], b.node(Barrier(), x)[0]
        return [b.exp(one), b.exp(other), b.exp(x)]

    graph = build("f32[3]", make)
    assert check_pass(Cse(), graph) is graph


def test_calls_of_equal_graphs_become_one() -> None:
    def make(b: Builder, x: Value) -> list[Value]:
        bodies = [build("f32[3]", lambda b, x: b.exp(b.exp(x))) for _ in range(2)]
        return [b.node(Checkpoint(body), x)[0] for body in bodies]

    assert names(check_pass(Cse(), build("f32[3]", make))) == ["checkpoint"]


@given(random_graphs())
def test_random_graphs(graph: Graph) -> None:
    after = check_pass(Cse(), graph, seeds=(0, 1))
    assert Cse().run(after) is after
    assert len(Dce().run(after).nodes) <= len(Dce().run(graph).nodes)
