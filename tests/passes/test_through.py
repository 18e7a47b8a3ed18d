"""Where cheap elementwise work is done: beside the sums that read it, and where what is computed again is used."""

from __future__ import annotations

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import steps
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.loops import Kind, Loop
from rosin.ir.op import Value
from rosin.ir.ops.call import Barrier
from rosin.ir.types import parse_type
from rosin.passes.flow import Flow
from rosin.passes.fusion import Fusion
from rosin.passes.through import computed_again, summed_apart
from rosin.passes.to_loops import to_loops

SHAPE = (64, 48)


def product(b: Builder) -> tuple[Value, Value]:
    x, w, y = (
        b.input(parse_type(f"f32[{n}, {m}]"), name) for n, m, name in ((64, 32, "x"), (32, 48, "w"), (*SHAPE, "y"))
    )
    return b.matmul(x, w), y


def test_what_is_summed_is_computed_with_the_sum_where_the_product_is_stored_anyway() -> None:
    b = Builder()
    h, y = product(b)
    term = b.mul(h, y)
    graph = b.graph([b.sum(h, (0,)), b.sum(term, (0,)), b.sum(b.mul(term, y), (0,))])
    fusion = Fusion(graph)
    assert [n.op.name for n in fusion.group_of[h].nodes] == ["dot_general"]
    assert to_loops(graph, 32).arena_bytes < 2 * h.type.bytes, "no term is stored"


def test_what_is_summed_follows_the_product_where_nothing_else_reads_that() -> None:
    b = Builder()
    h, y = product(b)
    graph = b.graph([b.sum(b.add(h, y), (1,))])
    assert summed_apart(Flow(graph)) == set()
    assert [n.op.name for n in Fusion(graph).group_of[h].nodes] == ["dot_general", "add"]


def again(b: Builder, more: int) -> tuple[Graph, Value]:
    """An array less its mean, computed a second time for two sums over different axes, and more steps after that."""
    x = b.input(parse_type("f32[64, 48]"), "x")
    h = b.exp(x)
    mean = b.sum(h, (0,))
    h2, mean2 = b.node(Barrier(), h, mean)
    value = b.sub(h2, b.broadcast(mean2, SHAPE, (1,)))
    for _ in range(more):
        value = b.mul(value, b.broadcast(mean2, SHAPE, (1,)))
    return b.graph([h, b.sum(value, (0,)), b.sum(value, (1,))]), value


@pytest.mark.parametrize(("more", "through"), [(0, True), (3, True), (4, False)])
def test_cheap_second_computations_are_not_stored(more: int, through: bool) -> None:
    graph, value = again(Builder(), more)
    assert any(value in node.results for node in computed_again(Flow(graph))) is through
    assert (value in Fusion(graph).group_of) is not through


def test_second_computations_of_two_arrays_are_stored() -> None:
    """Each reader would read two arrays where it reads one."""
    b = Builder()
    x, y = (b.input(parse_type("f32[64, 48]"), name) for name in "xy")
    both = b.node(Barrier(), b.exp(x), b.exp(y))
    value = b.add(*both)
    assert computed_again(Flow(b.graph([b.sum(value, (0,)), b.sum(value, (1,))]))) == set()


def test_second_computations_for_products_are_stored() -> None:
    """A product reads each element many times."""
    b = Builder()
    x = b.input(parse_type("f32[64, 48]"), "x")
    (held,) = b.node(Barrier(), b.exp(x))
    value = b.mul(held, 2.0)
    assert computed_again(Flow(b.graph([b.matmul(value, b.transpose(value, (1, 0)))]))) == set()


def test_the_gradient_of_a_checkpointed_norm_is_the_same() -> None:
    rng = np.random.default_rng(0)
    x, w, scale = (rng.standard_normal(s).astype(np.float32) for s in ((16, 12), (12, 24), (24,)))

    def loss(w: rosin.Array, scale: rosin.Array, checkpoint: bool) -> rosin.Array:
        def norm(h: rosin.Array, scale: rosin.Array) -> rosin.Array:
            centred = h - rnp.mean(h, axis=0)
            return rnp.maximum(centred / rnp.sqrt(rnp.mean(centred * centred, axis=0) + 1e-5) * scale, 0)

        return rnp.sum((rosin.checkpoint(norm) if checkpoint else norm)(rnp.asarray(x) @ w, scale) ** 3)

    def checkpointed(w: rosin.Array, scale: rosin.Array) -> rosin.Array:
        return loss(w, scale, True)

    def plain(w: rosin.Array, scale: rosin.Array) -> rosin.Array:
        return loss(w, scale, False)

    got = rosin.compile(rosin.grad(checkpointed, (0, 1)))(w, scale)
    wide = [rnp.asarray(a.astype(np.float64)) for a in (w, scale)]
    x = x.astype(np.float64)
    wanted = rosin.grad(plain, (0, 1))(*wide)
    for a, e in zip(got, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(e), rtol=2e-4, atol=2e-3)


# -- long sums -------------------------------------------------------------------------------------------------------


def test_what_follows_a_long_sum_keeps_apart_where_groups_come_together() -> None:
    """The sum runs on threads, and so does what reads it."""
    b = Builder()
    x, y = (b.input(parse_type("f32[700000]"), name) for name in "xy")
    total = b.sum(b.mul(x, x), (0,))
    moved = b.mul(y, 0.5)
    result = b.mul(b.sub(x, moved), b.broadcast(total, (700000,), ()))
    fusion = Fusion(b.graph([moved, total, result]))
    assert fusion.group_of[result] is not fusion.group_of[total]


def test_a_long_sum_runs_along_memory() -> None:
    b = Builder()
    x = b.input(parse_type("f32[512, 256, 9]"), "x")
    turned = b.transpose(x, (1, 0, 2))
    program = to_loops(b.graph([b.sum(b.mul(turned, turned), (0, 1, 2))]), 32)

    def vectors(statement: object) -> list[Loop]:
        if not isinstance(statement, Loop):
            return []
        return [statement] if statement.kind is Kind.VECTOR else [v for s in statement.body for v in vectors(s)]

    found = [
        v.var.extent
        for k in steps.kernels(program.steps)
        if isinstance(k, steps.Kernel)
        for s in k.body
        for v in vectors(s)
    ]
    assert max(n for n in found if isinstance(n, int)) == 512 * 256 * 9 // 64
