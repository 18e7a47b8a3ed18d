"""The compile path: targets, the disk cache, donated inputs, memory that runs out, and watching it all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.backends.llvm import lowering
from rosin.ir.builder import Builder
from rosin.ir.errors import UnsupportedError
from rosin.ir.graph import Graph
from rosin.ir.op import Value
from rosin.ir.ops.arithmetic import Add
from rosin.ir.types import parse_type
from rosin.passes.instrument import PassError
from rosin.runtime import jit
from rosin.runtime.compile_path import compile_graph
from rosin.runtime.native import NativeExecutable


def graph_of(build: Callable[..., list[Value]], *types: str) -> Graph:
    b = Builder()
    return b.graph(build(b, *(b.input(parse_type(t), f"x{i}") for i, t in enumerate(types))))


def moved() -> Graph:
    """New position, new speed: both may be written over the old ones."""
    return graph_of(lambda b, p, v, a: [b.add(p, b.mul(v, 0.5)), b.add(v, a)], "f32[40]", "f32[40]", "f32[40]")


def operands(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(v.type.sizes).astype(v.type.dtype.numpy) for v in graph.inputs]


def test_targets() -> None:
    graph = moved()
    x = operands(graph)
    for ours, theirs in zip(compile_graph(graph)(*x), compile_graph(graph, "interpreter")(*x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    with pytest.raises(UnsupportedError, match=r"no target is called 'gpu'; there are llvm, xla, interpreter"):
        compile_graph(graph, "gpu")


def test_the_second_time_it_comes_from_the_cache() -> None:
    graph = graph_of(lambda b, x: [b.sin(b.add(x, 1.25))], "f32[11]")
    first, second = compile_graph(graph), compile_graph(graph)
    assert isinstance(first, NativeExecutable)
    assert isinstance(second, NativeExecutable)
    assert not first.from_cache
    assert second.from_cache
    assert np.array_equal(first(*operands(graph))[0], second(*operands(graph))[0])


def test_what_is_donated_is_part_of_the_key() -> None:
    donated, kept = compile_graph(moved(), donated=(0, 1)), compile_graph(moved())
    assert isinstance(donated, NativeExecutable)
    assert isinstance(kept, NativeExecutable)
    assert donated.aliases == {0: 0, 1: 1}
    assert kept.aliases == {}


def test_donated_memory_is_reused_and_a_plain_call_leaves_it_alone() -> None:
    graph = moved()
    program = compile_graph(graph, donated=(0, 1))
    x = operands(graph)
    before = [a.copy() for a in x]
    expected = compile_graph(graph, "interpreter")(*x)
    for ours, theirs in zip(program(*x), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(x, before, strict=True))


def test_an_argument_that_is_read_later_is_not_written_over() -> None:
    """The sum needs all of x, the first result would overwrite it: they are in one loop only if that is safe."""

    def build(b: Builder, x: Value) -> list[Value]:
        total = b.sum(x, (0,))
        return [b.mul(x, b.broadcast(total, (300,), ())), b.reverse(x, (0,))]

    graph = graph_of(build, "f32[300]")
    x = operands(graph)
    for ours, theirs in zip(
        compile_graph(graph, donated=(0,))(*x), compile_graph(graph, "interpreter")(*x), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_memory_that_runs_out_is_an_error() -> None:
    huge = rosin.compile(lambda x: rnp.broadcast_to(x, (1 << 44,)) + 1)
    with pytest.raises(MemoryError):
        huge(rnp.ones(1))
    inner = rosin.compile(lambda x: rnp.sum(rnp.cumulative_sum(rnp.broadcast_to(x, (1 << 44,)) + 1)))
    with pytest.raises(MemoryError):
        inner(rnp.ones(1))
    assert float(rosin.compile(lambda x: x[0] + 1)(rnp.ones(1))) == 2


def test_stages_after_the_passes_are_dumped_and_timed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROSIN_DEBUG", f"dump={tmp_path},time,verify,check")
    program = compile_graph(moved())
    assert isinstance(program, NativeExecutable)
    assert not program.from_cache
    names = sorted(file.name.partition("-")[2] for file in tmp_path.rglob("*.txt"))
    assert {"traced.txt", "loops.txt", "llvm.txt", "assembly.txt"} <= set(names)
    assert "vector" in next(tmp_path.rglob("*-loops.txt")).read_text()
    times = capsys.readouterr().err
    assert all(stage in times for stage in ("simplify", "loops", "llvm", "assembly"))


def test_a_wrong_lowering_is_found_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSIN_DEBUG", "check")
    monkeypatch.setitem(lowering.TYPED, Add, lambda e, op, dtype, x, y: e.fsub(x, y))
    monkeypatch.setitem(jit.host().__dict__, "assembles", False)
    with pytest.raises(PassError, match=r"the compiled program gives .* and the interpreter .* of output 0"):
        compile_graph(moved())
    monkeypatch.undo()
    # Nothing wrong was left on the disk.
    x = operands(moved())
    for ours, theirs in zip(compile_graph(moved())(*x), compile_graph(moved(), "interpreter")(*x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
