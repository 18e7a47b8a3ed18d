"""Groups that are alike: what counts as alike, and what the program says of the kernels that come again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rosin.ir import loop_printer
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.loops import Scope
from rosin.ir.op import Value
from rosin.ir.steps import Again, Kernel, Program, kernels
from rosin.ir.types import parse_type
from rosin.passes import pipeline
from rosin.passes.to_loops import to_loops
from tests.passes.test_fusion import dense, graph_of, layer_norm


def layers(count: int, layer: Callable[[Builder, Value, Value, Value], Value], *types: str) -> Graph:
    """So many layers, one after the other, each with weights and a bias of its own."""
    b = Builder()
    x = b.input(parse_type(types[0]), "x")
    for i in range(count):
        x = layer(b, x, b.input(parse_type(types[1]), f"w{i}"), b.input(parse_type(types[2]), f"c{i}"))
    return b.graph([x])


def residual(b: Builder, x: Value, w: Value, c: Value) -> Value:
    return b.add(x, layer_norm(b, dense(b, x, w, c), c))


BLOCK = ("f32[8, 32]", "f32[32, 32]", "f32[32]")


def lowered(graph: Graph) -> Program:
    return to_loops(pipeline.run(graph))


def first_and_again(program: Program) -> tuple[list[Kernel], list[Again]]:
    every = list(kernels(program.steps))
    return [k for k in every if isinstance(k, Kernel)], [k for k in every if isinstance(k, Again)]


def test_equal_layers_have_the_kernels_of_one() -> None:
    one, _ = first_and_again(lowered(layers(1, residual, *BLOCK)))
    many, again = first_and_again(lowered(layers(20, residual, *BLOCK)))
    assert len(many) == len(one)
    assert len(again) == 19 * len(one)


def test_the_program_says_which_kernel_comes_again(golden: Callable[[str, str], None]) -> None:
    golden("loops/alike.txt", loop_printer.text(lowered(layers(3, dense, "f32[1, 4]", "f32[4, 4]", "f32[4]"))))


def test_the_program_says_what_numbers_kernels_are_given(golden: Callable[[str, str], None]) -> None:
    b = Builder()
    x = b.input(parse_type("f32[4]"), "x")
    for rate in (0.25, 0.75):
        x = b.mul(b.cumsum(x, 0), rate)
    golden("loops/alike_numbers.txt", loop_printer.text(lowered(b.graph([x]))))


@pytest.mark.parametrize(
    "other",
    [
        lambda b, x, y: b.sub(x, y),
        lambda b, x, y: b.add(x, x),
        lambda b, x, y: b.add(x, b.reverse(y, (0,))),
        lambda b, x, y: b.add(x, b.exp(y)),
        lambda b, x, y: b.add(b.transpose(b.reshape(x, (5, 4)), (1, 0)), y),
    ],
    ids=["op", "one operand twice", "a move", "more nodes", "another move"],
)
def test_other_work_is_not_alike(other: Callable[[Builder, Value, Value], Value]) -> None:
    """Of two groups that differ, each has a kernel of its own."""

    def build(b: Builder, x: Value, y: Value, z: Value, w: Value) -> list[Value]:
        return [b.add(x, y), other(b, z, w)]

    first, again = first_and_again(to_loops(graph_of(build, *["f32[4, 5]"] * 4)))
    assert len(first) == 2
    assert not again


def test_which_buffers_are_read_does_not_matter() -> None:
    def build(b: Builder, x: Value, y: Value, z: Value, w: Value) -> list[Value]:
        return [b.add(x, y), b.add(w, z)]

    first, again = first_and_again(to_loops(graph_of(build, *["f32[4, 5]"] * 4)))
    assert len(first) == len(again) == 1
    assert {str(b): str(here) for b, here in again[0].places.items()} == {"x0": "x3", "x1": "x2", "out0": "out1"}


def test_other_types_and_numbers_are_not_alike() -> None:
    def build(b: Builder, x: Value, y: Value, z: Value) -> list[Value]:
        return [b.mul(x, 2.0), b.mul(y, 2.0), b.mul(z, 3.0), b.mul(z, -0.0)]

    first, again = first_and_again(to_loops(graph_of(build, "f32[4]", "f32[5]", "f32[4]")))
    assert len(first) + len(again) >= 3
    assert not again


def test_a_packed_operand_has_a_place_of_its_own_each_time() -> None:
    """What one kernel hands to the next is not the same buffer for two pairs, which would live on in between."""

    def build(b: Builder, x: Value, v: Value, y: Value, w: Value) -> list[Value]:
        return [b.matmul(b.transpose(each, (1, 0)), b.transpose(other, (1, 0))) for each, other in ((x, v), (y, w))]

    program = to_loops(graph_of(build, *["f32[2048, 2048]"] * 4))
    first, again = first_and_again(program)
    assert len(first) == len(again)
    packed = {b for k in (*first, *again) for b in k.buffers if b.scope is Scope.ARENA}
    places = set(program.arena.values())
    assert packed
    assert len(packed) == 2 * len(places), "those of one product share bytes with those of the other"


def test_scratch_of_a_kernel_that_comes_again_is_its_own() -> None:
    def gated(b: Builder, x: Value, w: Value, c: Value) -> Value:
        y = dense(b, x, w, c)
        return b.mul(y, b.exp(b.mul(y, y)))

    program = to_loops(pipeline.run(layers(3, gated, *BLOCK)), donated=[0])
    _, again = first_and_again(program)
    assert any(each.kernel.scratch for each in again)
