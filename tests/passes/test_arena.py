"""Where arena buffers lie in whole programs: nothing is written over what is still read, and memory is handed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note

import rosin
from rosin import numpy as rnp
from rosin.ir import loop_printer
from rosin.ir.facts import estimate
from rosin.ir.graph import Graph
from rosin.ir.loops import Buffer
from rosin.ir.steps import Again, HostCall, Kernel, Program, RoutineCall, Step, parts, step_decides
from rosin.passes import arena, pipeline
from rosin.passes.to_loops import to_loops
from rosin.runtime.compile_path import compile_graph
from tests.random_graphs import MIXED, arguments, assert_outputs_agree, graphs
from tests.thinning import examples


@contextmanager
def small_too() -> Iterator[None]:
    """Memory of buffers of any size is handed over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arena, "WORTH_SHARING", 1)
        patch.setenv("ROSIN_CACHE", "0")
        yield


def program_of(f: Any, *shapes: tuple[int, ...]) -> Program:
    given = [rnp.zeros(shape, dtype="float32") for shape in shapes]
    return to_loops(pipeline.run(rosin.compile(f).ir(*given)))


def touched(step: Step) -> tuple[set[Buffer], set[Buffer]]:
    """What a step reads and what it writes."""
    match step:
        case Kernel():
            return step.contents.loaded, {s.buffer for s in step.contents.stores}
        case Again():
            reads, writes = touched(step.kernel)
            return {step.places.get(b, b) for b in reads}, {step.places.get(b, b) for b in writes}
        case HostCall() | RoutineCall():
            return {load.buffer for load in (*step.reads, *step_decides(step))}, {load.buffer for load in step.writes}
        case _:
            return {load.buffer for load in step_decides(step)}, set()


def run_of(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps that run, one after the other: what is in others twice, as a loop has it."""
    for step in steps:
        yield step
        inner = [s for part in parts(step) for s in part]
        yield from [*run_of(inner), *run_of(inner)] if inner else ()


def overwritten(program: Program) -> list[str]:
    """What is read after something else was written in its place."""
    places = {b: range(at, at + b.bytes) for b, at in program.arena.items() if isinstance(b.bytes, int)}

    def overlap(a: Buffer, b: Buffer) -> bool:
        return max(places[a].start, places[b].start) < min(places[a].stop, places[b].stop)

    lost: dict[Buffer, Buffer] = {}
    written: set[Buffer] = set()
    found: list[str] = []
    for step in run_of(program.steps):
        reads, writes = touched(step)
        found += [f"{b} is read after {lost[b]} is written" for b in reads & lost.keys()]
        for b in writes & places.keys():
            lost.pop(b, None)
            lost.update((other, b) for other in written - {b} if overlap(b, other))
            together = [other for other in (reads | writes) & places.keys() - {b} if overlap(b, other)]
            found += [f"{b} and {other} are not in one place" for other in together if places[b] != places[other]]
        written |= writes & places.keys()
    return found


def chain(x: Any) -> Any:
    """Sorted, changed element by element, sorted again, and so on."""
    for k in range(1, 5):
        x = rnp.sin(rnp.sort(x) * k)
    return rnp.sort(x)


def test_what_is_read_element_by_element_hands_its_memory_over() -> None:
    program = program_of(chain, (5000,))
    # No more than a sort reads and writes.
    rooms = sum(estimate(b.bytes) for b in program.arena if b.name.startswith("room"))
    assert program.arena_bytes <= 2 * 20032 + rooms
    values = [b for b in program.arena if b.size == 5000 and b.dtype.name == "f32"]
    assert any(program.arena[a] == program.arena[b] for a, b in pairwise(values))
    assert overwritten(program) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s[::-1] * 2,
        lambda s: s - rnp.max(rnp.sin(s)),
        lambda s: rnp.cumulative_sum(s) * 2,
        lambda s: rnp.roll(s, 1) + s,
        lambda s: s.reshape(50, 100).T.reshape(5000) + 1,
        lambda s: rosin.nn.softmax(s.reshape(50, 100), -1).reshape(5000),
    ],
    ids=["reversed", "with a sum", "running", "shifted", "turned", "rows"],
)
def test_what_is_read_elsewhere_too_keeps_its_memory(change: Any) -> None:
    def f(x: Any) -> Any:
        return rnp.sort(change(rnp.sort(x)))

    assert overwritten(program_of(f, (5000,))) == []
    x = np.random.default_rng(0).standard_normal(5000, np.float32)
    graph = rosin.compile(f).ir(x)
    ours, theirs = (np.asarray(compile_graph(graph, target)(x)[0]) for target in ("llvm", "interpreter"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_what_is_needed_later_keeps_its_memory() -> None:
    def f(x: Any) -> Any:
        s = rnp.sort(x)
        return rnp.sort(rnp.sin(s)) + s[::-1]

    assert overwritten(program_of(f, (5000,))) == []


@examples(100)
@given(graphs(MIXED))
def test_random_programs_read_what_they_wrote(graph: Graph) -> None:
    with small_too():
        program = to_loops(pipeline.run(graph))
    note(loop_printer.text(program))
    assert overwritten(program) == []


@examples(40)
@given(graphs(MIXED))
def test_random_programs_compute_the_same_in_memory_that_is_handed_over(graph: Graph) -> None:
    operands = arguments(graph)
    with small_too():
        executable = compile_graph(graph, "llvm")
    assert_outputs_agree(graph, operands, executable(*operands))
