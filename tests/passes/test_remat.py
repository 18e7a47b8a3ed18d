"""Rematerialisation: barriers, and what is computed again to save memory."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.op import Value
from rosin.ir.ops.call import Checkpoint
from rosin.ir.printer import text
from rosin.ir.transform.vjp import vjp
from rosin.passes.cse import Cse
from rosin.passes.dce import Dce
from rosin.passes.inline import Inline
from rosin.passes.pipeline import run
from rosin.passes.remat import Remat, peak_bytes
from rosin.passes.simplify import Simplify
from rosin.passes.to_loops import to_loops
from tests.passes.graphs import build, check_pass, random_graphs
from tests.thinning import examples


def names(graph: Graph) -> list[str]:
    return [n.op.name for n in graph.nodes]


def gradient(forward: Graph) -> Graph:
    b = Builder()
    inputs = [b.input(v.type, v.name) for v in forward.inputs]
    outputs, pull = vjp(b, forward, inputs, [True] * len(inputs))
    found = pull([b.like(1.0, v) for v in outputs])
    return b.graph([*outputs, *(v for v in found if v is not None)])


# -- barriers --------------------------------------------------------------------------------------------------


def checkpointed() -> Graph:
    block = build("f32[64]", lambda b, x: b.exp(b.sin(b.exp(x))))
    return gradient(build("f32[64]", lambda b, x: b.sum(b.sin(b.node(Checkpoint(block), x)[0]), (0,))))


def test_a_checkpoint_is_computed_twice_and_the_second_time_late(golden: Callable[[str, str], None]) -> None:
    graph = checkpointed()
    after = run(graph)
    ops = names(after)
    assert ops.count("exp") == 4
    # The second computation stands after the first of the backward part: the cotangent that the barrier waits for.
    assert ops.index("cos") < [i for i, name in enumerate(ops) if name == "exp"][2]
    golden("remat/checkpoint.txt", f"{text(graph)}\n{text(after)}")


def test_a_checkpoint_keeps_less_in_memory() -> None:
    """The arena of a long chain of dear steps, each checkpointed, holds a value a step and not three."""

    def chain(wrap: bool) -> int:
        def step(b: Builder, x: Value) -> Value:
            return b.exp(b.neg(b.cumsum(b.sin(b.cumsum(b.sin(x), 0)), 0)))

        block = build("f32[4096]", step)

        def make(b: Builder, x: Value) -> Value:
            for _ in range(8):
                x = b.node(Checkpoint(block), x)[0] if wrap else step(b, x)
            return b.sum(x, (0,))

        return to_loops(run(gradient(build("f32[4096]", make)))).arena_bytes

    assert chain(True) < 0.6 * chain(False)


# -- recomputation ---------------------------------------------------------------------------------------------


def elementwise_chain(depth: int, size: int = 1024) -> Graph:
    """A deep chain of cheap ops and its gradient: every link keeps a value for the way back."""

    def make(b: Builder, x: Value) -> Value:
        for _ in range(depth):
            x = b.sin(b.mul(x, 1.5))
        return b.sum(x, (0,))

    return Dce().run(Cse().run(Simplify().run(gradient(build(f"f32[{size}]", make)))))


def test_fewer_bytes_are_live(golden: Callable[[str, str], None]) -> None:
    graph = elementwise_chain(3)
    after = check_pass(Remat(threshold=0), graph)
    assert peak_bytes(after)[0] < peak_bytes(graph)[0]
    golden("remat/chain.txt", f"{text(graph)}\n{text(after)}")


def test_small_graphs_are_left_alone() -> None:
    graph = elementwise_chain(6)
    assert Remat().run(graph) is graph
    peak, _ = peak_bytes(graph)
    assert Remat(threshold=peak).run(graph) is graph
    assert Remat(threshold=peak - 1).run(graph) is not graph


def test_what_would_save_nothing_is_not_done() -> None:
    """The value is used at the fullest moment itself, so to compute it again afterwards frees nothing there."""

    def make(b: Builder, x: Value) -> Value:
        one = b.exp(x)
        full = b.add(one, b.sin(x))
        return b.add(b.sum(full, (0,)), b.sum(b.neg(one), (0,)))

    graph = build("f32[64]", make)
    assert peak_bytes(graph) == (3 * 256, 2)
    assert Remat(threshold=0).run(graph) is graph


def test_dear_ops_are_kept() -> None:
    """The results of reductions and of what costs more than the limit are not computed again."""

    def make(b: Builder, x: Value) -> list[Value]:
        power, total = b.pow(x, x), b.sum(b.broadcast(x, (8, 64), (1,)), (0,))
        peak = b.exp(b.broadcast(x, (64, 64), (1,)))
        spread = b.sum(peak, (0,))
        return [b.add(b.add(power, total), spread)]

    graph = build("f32[64]", make)
    after = check_pass(Remat(threshold=0), graph)
    assert names(after).count("pow") == 1
    assert names(after).count("sum") == 2


def test_the_smaller_value_is_kept() -> None:
    """Of a wide value and the narrow one that it comes from, the narrow one lives on across the fullest moment."""

    def make(b: Builder, x: Value) -> Value:
        narrow = b.sum(x, (0,))
        wide = b.sin(b.broadcast(narrow, (256, 16), (1,)))
        used = b.sum(wide, (0, 1))
        big = b.exp(b.broadcast(x, (8, 256, 16), (1, 2)))
        total = b.add(b.sum(big, (0,)), x)
        return b.add(b.sum(b.mul(wide, total), (0, 1)), used)

    def across(graph: Graph) -> set[tuple[object, ...]]:
        """The shapes of what lives across the exp of the big value."""
        at = names(graph).index("exp")
        late = {v for n in graph.nodes[at + 1 :] for v in n.operands}
        return {v.type.shape for n in graph.nodes[:at] for v in n.results if v in late}

    graph = build("f32[256, 16]", make)
    after = check_pass(Remat(threshold=0), graph)
    assert across(graph) == {(256, 16), ()}
    assert across(after) == {(16,), ()}


def test_memory_of_a_chain_grows_slower_than_its_length() -> None:
    graph = elementwise_chain(96)
    before, after = peak_bytes(graph)[0], peak_bytes(check_pass(Remat(threshold=0), graph, seeds=(0,)))[0]
    assert after < 0.3 * before


@given(random_graphs())
@examples(150)
def test_random_graphs_keep_every_bit_and_no_more_bytes(graph: Graph) -> None:
    for candidate in (graph, Inline().run(graph)):
        after = check_pass(Remat(threshold=0), candidate, seeds=(0,))
        assert peak_bytes(after)[0] <= peak_bytes(candidate)[0]


def test_live_bytes_by_hand() -> None:
    def make(b: Builder, x: Value) -> Value:
        one = b.exp(x)  # 12 bytes, to node 2
        two = b.sin(x)  # 12 bytes, to node 2
        three = b.add(one, two)  # 12 bytes, to node 3
        return b.neg(three)  # an output: not counted

    assert peak_bytes(build("f32[3]", make)) == (36, 2)
    assert peak_bytes(build("f32[3]", lambda b, x: b.add(b.exp(x), b.like(1.0, x)))) == (12, 0)
