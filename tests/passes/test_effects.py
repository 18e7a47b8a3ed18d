"""Passes keep what has an effect, in order, and compute nothing of Python's when the program is compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rosin.ir import dtypes, loop_printer, steps
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.host import HostFunction
from rosin.ir.op import Value
from rosin.ir.ops.effect import Check, IoCallback, Print, PureCallback
from rosin.ir.ops.loop import While
from rosin.ir.ops.scan import Scan
from rosin.ir.steps import HostCall
from rosin.ir.types import TensorType
from rosin.passes import pipeline
from rosin.passes.cse import Cse
from rosin.passes.fold import Fold
from rosin.passes.hoist import Hoist
from rosin.passes.to_loops import to_loops
from rosin.runtime.compile_path import compile_graph
from tests.samples.control import region

F32 = TensorType(dtypes.f32)


def _refused(*operands: object) -> Sequence[object]:
    raise AssertionError("a pass calls a Python function")


FUNCTION = HostFunction(_refused, "refused")
CALL = PureCallback(FUNCTION, (F32,), None)


def yes(b: Builder) -> Value:
    return b.full(True, TensorType(dtypes.bool_))


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def test_pure_calls_are_merged_and_others_are_not() -> None:
    def make(b: Builder, x: Value) -> list[Value]:
        on = yes(b)
        for _ in range(2):
            b.node(Print("{}"), on, x)
            b.node(IoCallback(FUNCTION, (F32,), None), on, x)
        return [*b.node(CALL, on, x), *b.node(CALL, on, x)]

    after = Cse().run(region("main", "x: f32[]", make))
    assert names(after) == ["constant", "print", "io_callback", "print", "io_callback", "pure_callback"]
    assert after.outputs[0] is after.outputs[1]


def test_nothing_of_pythons_is_folded() -> None:
    graph = region("main", "", lambda b: b.node(CALL, yes(b), b.full(2, F32)))
    assert names(Fold().run(graph)) == ["constant", "constant", "pure_callback"]
    assert names(pipeline.run(graph)) == ["constant", "constant", "pure_callback"]


def test_nothing_of_pythons_is_hoisted() -> None:
    step = region("step", "x: f32[]; c: f32[]", lambda b, x, c: [b.add(x, b.node(CALL, yes(b), b.sin(c))[0])])
    graph = region("main", "x: f32[]; c: f32[]", lambda b, x, c: b.node(Scan(step, 1, 0, 3, False), x, c))
    after = Hoist().run(graph)
    assert names(after) == ["sin", "scan"]


def order(program: steps.Program) -> list[str]:
    """Host calls by name, and kernels, in order."""
    return [s.op.name if isinstance(s, steps.HostCall) else "kernel" for s in steps.innermost(program.steps)]


def test_effects_keep_their_order_in_loops() -> None:
    """The first print needs what takes longest to come; the check needs nothing."""

    def make(b: Builder, x: Value, y: Value) -> list[Value]:
        on = yes(b)
        b.node(Print("{}"), on, b.sum(b.exp(x), (0,)))
        b.node(Check("", "check", None), b.less(y, 0.0))
        b.node(Print("{}"), on, y)
        return [b.sin(y)]

    program = to_loops(pipeline.run(region("main", "x: f32[64]; y: f32[]", make)))
    assert [name for name in order(program) if name != "kernel"] == ["print", "check", "print"]


def test_a_loop_that_may_not_end_comes_after_the_checks_before_it() -> None:
    body = region("step", "x: f32[]", lambda b, x: [b.mul(x, 2.0)])
    loop = While(region("test", "x: f32[]", lambda b, x: [b.less(x, 9.0)]), body, 1)

    def make(b: Builder, x: Value, y: Value) -> Sequence[Value]:
        b.node(Check("", "check", None), b.less(b.sum(b.exp(y), (0,)), 0.0))
        return b.node(loop, x)

    program = to_loops(pipeline.run(region("main", "x: f32[]; y: f32[64]", make)))
    kinds = ["check" if isinstance(step, HostCall) else getattr(step, "name", "") for step in program.steps]
    assert kinds.index("check") < next(i for i, kind in enumerate(kinds) if kind.startswith("loop_"))


def test_host_calls_in_loops(golden: Callable[[str, str], None]) -> None:
    def step(b: Builder, total: Value, x: Value) -> list[Value]:
        (found,) = b.node(CALL, yes(b), x)
        b.node(Check("{}", "check", ("file.py", 3, "f", 0, 4)), b.less(found, 0.0), found)
        b.node(Print("{} {}"), yes(b), total, found)
        return [b.add(total, found), b.mul(found, 2.0)]

    scan = Scan(region("step", "total: f32[]; x: f32[]", step), 1, 1, 3, False)
    graph = region("main", "total: f32[]; x: f32[3]", lambda b, total, x: b.node(scan, total, x))
    golden("loops/host_calls.txt", loop_printer.text(to_loops(pipeline.run(graph))))


def test_a_batch_asks_python_only_when_an_example_wants_it(golden: Callable[[str, str], None]) -> None:
    graph = region(
        "main", "when: bool[5]; x: f32[5, 2]", lambda b, when, x: [b.node(Print("{}"), when, x), b.sin(x)][1:]
    )
    golden("loops/host_call_of_a_batch.txt", loop_printer.text(to_loops(pipeline.run(graph))))


def test_a_donated_argument_is_not_written_over_before_python_has_read_it() -> None:
    seen: list[object] = []

    def note(x: object) -> Sequence[object]:
        seen.append(x)
        return []

    def make(b: Builder, x: Value) -> list[Value]:
        result = b.add(x, 1.0)
        b.node(IoCallback(HostFunction(note, "note"), (), None), yes(b), x)
        return [result]

    graph = region("main", "x: f32[40]", make)
    data = np.arange(40, dtype=np.float32)
    (result,) = compile_graph(graph, donated=(0,))(data)
    np.testing.assert_array_equal(result, data + 1)
    np.testing.assert_array_equal(np.asarray(seen[0]), data)
    early = region("main", "x: f32[40]", lambda b, x: [b.node(Print("{}"), yes(b), b.sum(x, (0,))), b.add(x, 1.0)][1:])
    assert compile_graph(early, donated=(0,)).aliases == {0: 0}  # type: ignore[attr-defined]
