"""A program in the making: a graph goes through the passes, becomes loops, LLVM text and object code.

    graph → passes → loops → LLVM text → object code

Stages are made again, on demand, for whoever wants to look at them.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import Self

from rosin.backends.llvm.program import program_text, program_texts
from rosin.ir import facts, loop_printer, printer, steps
from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph
from rosin.ir.sizes import Sizes
from rosin.passes import pipeline
from rosin.passes.instrument import Instrument
from rosin.passes.tiles import TileSize
from rosin.passes.to_loops import to_loops
from rosin.runtime import jit, threads

MOST_MODULES = 8
"""As so many modules a program is compiled at most, each on a thread."""


QUICK_WORK = 400_000_000
"""A call of a routine that does more scalar operations, which take some two milliseconds, waits for good code: what is
made in the least time takes up to four times as long."""


@dataclass(frozen=True)
class Routines:
    """The routines that a program calls."""

    names: tuple[str, ...] = ()
    plans: tuple[tuple[str, int], ...] = ()
    """The numbers of plans that routines will ask for."""
    quick: bool = False
    """Whether code that is made in the least time does for them."""

    @classmethod
    def of(cls, program: steps.Program) -> Self:
        calls = list(steps.routine_calls(program.steps))
        if not calls:
            return cls()
        from rosin.backends.llvm.routines import plan_for, routine_for

        width = jit.host().vector_bytes
        names = {routine_for(call.name, call.numbers, width) for call in calls}
        numbers = ((call.name, plan_for(call.name, call.numbers, width)) for call in calls)
        plans = {(name, number) for name, number in numbers if number is not None}
        quick = all(facts.estimate(call.work) <= QUICK_WORK for call in calls)
        return cls(tuple(sorted(names)), tuple(sorted(plans)), quick)


@dataclass(frozen=True)
class Making:
    """A graph on its way to this CPU; what is known of its sizes holds around all calls."""

    graph: Graph
    donated: tuple[int, ...]
    sizes: Sizes | None
    tiles: Mapping[str, TileSize] | None = None
    """What the tuner chose (rosin.runtime.tuning)."""
    kept: tuple[int, ...] = ()
    """The inputs that stay the same for many calls."""

    @property
    def stages(self) -> tuple[str, ...]:
        return ("traced", *pipeline.stage_names(pipeline.GRAPH_PASSES), "loops", "llvm", "optimized", "assembly")

    def build(self, watch: Instrument | None) -> tuple[steps.Program, list[bytes], Routines]:
        """The loop-level program, its object code in one piece or more, and the routines that it calls, which are to be
        made (rosin.runtime.routines)."""
        graph = pipeline.run(self.graph, instrument=watch)
        start = time.perf_counter()
        program = self._loops(graph)
        middle = time.perf_counter()
        called = Routines.of(program)
        if called.names and threads.num_threads() > 1:
            from rosin.runtime import routines

            routines.begin(called.names, called.plans, called.quick)
        most, target = min(threads.num_threads(), MOST_MODULES), jit.host()
        with jit.Compiling(most) as compiling:
            give = compiling.add if most > 1 else None
            last = program_texts(program, target.vector_bytes, most, give, target.assembles, target.far_bytes)
            late = time.perf_counter()
            objects = compiling.objects(last, meanwhile=_collect)
        texts = compiling.texts
        if watch is not None:
            watch.later(
                "loops",
                middle - start,
                lambda: loop_printer.text(program),
                f"{sum(1 for _ in steps.kernels(program.steps))} kernels",
            )
            watch.later(
                "llvm",
                late - middle,
                lambda: "\n".join(texts),
                f"{sum(len(text.splitlines()) for text in texts)} lines",
            )
            done = time.perf_counter()
            size = f"{sum(map(len, objects))} bytes of object code"
            watch.later("assembly", done - late, lambda: "\n".join(map(jit.assembly, texts)), size)
        return program, objects, called

    def lowered(self) -> Graph:
        """The graph after all passes."""
        return pipeline.run(self.graph)

    def program(self) -> steps.Program:
        """The loop-level program."""
        return self._loops(self.lowered())

    def _loops(self, graph: Graph) -> steps.Program:
        target = jit.host()
        return to_loops(graph, target.vector_bytes, self.donated, self.sizes, self.tiles, self.kept, target.words)

    def stage_text(self, stage: str) -> str:
        """The program at a stage after `traced`, as text.

        Raises:
            ValueError: there is no such stage.
        """
        if stage == "loops":
            return loop_printer.text(self.program())
        if stage in ("llvm", "optimized", "assembly"):
            target = jit.host()
            text = program_text(self.program(), target.vector_bytes, target.assembles, target.far_bytes)
            return {"llvm": str, "optimized": jit.optimized, "assembly": jit.assembly}[stage](text)
        if stage in self.stages:
            return printer.text(pipeline.stage(self.graph, stage))
        raise ValueError(f"no stage is called {stage!r}; there are {', '.join(self.stages)}")

    def explain(self) -> str:
        """What is computed together and why, what it costs at least on this machine, and where values lie."""
        # What only explains is not loaded to compile.
        from rosin.passes.explain import explain
        from rosin.runtime import limits

        target = jit.host()
        found = explain(
            self.lowered(), target.vector_bytes, self.donated, self.sizes, self.tiles, self.kept, target.words
        )
        return found.text(limits.measured(threads.num_threads()))


def _collect() -> None:
    """Search what is young for garbage in cycles: what has compiled made much that a search looks through."""
    gc.collect(0)
