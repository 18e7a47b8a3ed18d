"""What work on products reads beside them is computed there, where that moves less; numbers are the interpreter's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rosin.ir import interpret
from rosin.ir.builder import Builder
from rosin.ir.op import Elementwise, Value
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.trigonometric import Tanh
from rosin.passes.beside import computed_beside
from rosin.passes.flow import Flow
from rosin.passes.fusion import Fusion
from rosin.passes.to_loops import to_loops
from rosin.runtime.compile_path import compile_graph
from tests.passes.test_fusion import Build, graph_of

TYPES = ("f32[70, 33]", "f32[33, 85]", "f32[70, 21]", "f32[85, 21]", "f32[85]")


def slope(b: Builder, x: Value) -> tuple[Value, Value]:
    """An activation, and its derivative in terms that share a tanh."""
    (t,) = b.node(Tanh(), b.mul(x, b.add(b.mul(b.mul(x, x), 0.04), 0.8)))
    half = b.mul(b.add(t, 1.0), 0.5)
    inner = b.add(b.mul(b.mul(x, x), 0.12), 0.8)
    return b.mul(x, half), b.add(half, b.mul(b.mul(b.mul(x, 0.5), b.sub(1.0, b.mul(t, t))), inner))


def layer(held: bool, turned: bool = False) -> Build:
    """An activation for the next product, and what comes back through it; computed again if `held` by a barrier."""

    def build(b: Builder, x: Value, w: Value, cotangent: Value, v: Value, bias: Value) -> Sequence[Value]:
        before = b.add(b.matmul(x, w), b.broadcast(bias, (70, 85), (1,)))
        out = b.matmul(slope(b, before)[0], v)
        back = b.matmul(cotangent, b.transpose(v, (1, 0)))
        again = b.node(Barrier(), before, out)[0] if held else before
        derivative = slope(b, again)[1]
        if turned:
            back, derivative = b.transpose(back, (1, 0)), b.transpose(derivative, (1, 0))
        return [out, b.mul(back, derivative)]

    return build


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_the_gradient_of_an_activation_reads_what_it_is_of(held: bool, turned: bool) -> None:
    graph = graph_of(layer(held, turned), *TYPES)
    fusion = Fusion(graph)
    (back,) = (group for group in fusion.groups if fusion.group_of[graph.outputs[1]] is group)
    assert back.contraction
    read = {r.value for n in back.nodes for r in fusion.uses_of[n].reads if r.value.type.shape == (70, 85)}
    # Of the forward pass, it reads the sums of the first product.
    assert len(read - {v for n in back.nodes for v in n.results}) == 1
    random = np.random.default_rng(0)
    given = [random.standard_normal(v.type.sizes).astype(np.float32) for v in graph.inputs]
    for found, wanted in zip(compile_graph(graph)(*given), interpret.evaluate(graph, given), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)


def test_only_what_is_read_is_stored() -> None:
    """The sums of the first product and the activation, and not the terms of its derivative."""
    stored = to_loops(graph_of(layer(held=False), *TYPES), 32).arena_bytes
    assert 2 * 70 * 85 * 4 <= stored < 3 * 70 * 85 * 4


def test_a_mask_of_bytes_is_kept_rather_than_floats() -> None:
    """What it comes from is stored by nobody else, and takes four times its bytes."""

    def build(b: Builder, x: Value, w: Value, cotangent: Value, v: Value, bias: Value) -> Sequence[Value]:
        before = b.add(b.matmul(x, w), b.broadcast(bias, (70, 85), (1,)))
        positive = b.greater(before, 0.0)
        out = b.matmul(b.select(positive, before, b.zeros(before.type)), v)
        back = b.matmul(cotangent, b.transpose(v, (1, 0)))
        return [out, b.select(positive, back, b.zeros(back.type))]

    assert not computed_beside(Flow(graph_of(build, *TYPES)))


def test_much_work_is_not_done_again() -> None:
    def build(b: Builder, x: Value, w: Value, cotangent: Value, v: Value, bias: Value) -> Sequence[Value]:
        before = again = b.add(b.matmul(x, w), b.broadcast(bias, (70, 85), (1,)))
        for _ in range(12):
            again = b.sin(again)
        out = b.matmul(b.mul(again, again), v)
        back = b.matmul(cotangent, b.transpose(v, (1, 0)))
        return [out, b.mul(back, b.mul(again, before))]

    found = computed_beside(Flow(graph_of(build, *TYPES)))
    assert not [node for node in found if isinstance(node.op, Elementwise) and node.op.name == "sin"]


def test_terms_of_what_takes_long_come_of_its_result() -> None:
    """Of an activation that is not in memory, three products need a term each: it is stored, and none of these is."""

    def build(b: Builder, x: Value, w: Value, cotangent: Value, v: Value, bias: Value) -> Sequence[Value]:
        (t,) = b.node(Tanh(), b.add(b.matmul(x, w), b.broadcast(bias, (70, 85), (1,))))
        terms = [b.sub(1.0, t), b.add(t, 1.0), b.mul(t, t)]
        back = b.transpose(v, (1, 0))
        for term in terms:
            cotangent = b.matmul(b.mul(b.matmul(cotangent, back), term), v)
        return [cotangent]

    graph = graph_of(build, *TYPES)
    found = computed_beside(Flow(graph))
    assert sorted(node.op.name for node in found) == ["add", "mul", "sub"]
    random = np.random.default_rng(0)
    given = [random.standard_normal(v.type.sizes).astype(np.float32) / 9 for v in graph.inputs]
    (run,), (wanted,) = compile_graph(graph)(*given), interpret.evaluate(graph, given)
    np.testing.assert_allclose(run, wanted, rtol=2e-4, atol=2e-5)


def test_what_many_later_products_share_is_stored_once() -> None:
    """Each of them alone would read the one array that all terms come of, which costs as much as its own term does."""

    def build(b: Builder, x: Value, w: Value, cotangent: Value, v: Value, bias: Value) -> Sequence[Value]:
        sums = b.matmul(x, w)
        terms = [b.add(sums, float(i)) for i in range(4)]
        back = b.transpose(v, (1, 0))
        for term in terms:
            cotangent = b.matmul(b.mul(b.matmul(cotangent, back), term), v)
        return [cotangent]

    graph = graph_of(build, *TYPES)
    assert len(computed_beside(Flow(graph))) == 4
