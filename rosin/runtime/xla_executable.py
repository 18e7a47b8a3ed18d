"""A graph as a StableHLO program, which XLA compiles and runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.ir import facts, printer
from rosin.ir.errors import UnsupportedError
from rosin.ir.facts import Facts
from rosin.ir.graph import Graph
from rosin.ir.op import NumpyArray, Op
from rosin.ir.sizes import Sizes
from rosin.ir.specialize import specialize
from rosin.runtime.executable import Executable

if TYPE_CHECKING:
    from rosin.ir.sharding import Shardings
    from rosin.runtime.xla import Loaded


class XlaExecutable(Executable):
    """A graph compiled by XLA, from its StableHLO text. Programs there have sizes that are numbers: one is made for
    each set of sizes that calls come with."""

    def __init__(
        self,
        graph: Graph,
        donated: tuple[int, ...],
        known: Facts,
        sizes: Sizes | None,
        shardings: Shardings | None = None,
    ) -> None:
        super().__init__(graph, known, sizes)
        self.donated = donated
        self._shardings = shardings
        self._programs: dict[tuple[int, ...], Loaded] = {}
        if sizes is None:
            self._program({})

    @property
    def stages(self) -> tuple[str, ...]:
        from rosin.passes import pipeline

        return ("traced", *pipeline.stage_names(pipeline.STABLEHLO_PASSES), "stablehlo")

    def __call__(self, *arguments: NumpyArray, prepared: NumpyArray | None = None) -> tuple[NumpyArray, ...]:
        arrays = [np.ascontiguousarray(a).reshape(np.shape(a)) for a in arguments]
        return self._program(self.bind(arrays))(arrays)

    def entry(
        self,
        array_type: type,
        value_offset: int,
        miss: Callable[..., Any],
        single: bool,
        prepared: NumpyArray | None = None,
    ) -> Callable[..., Any]:
        """A callable as of any target, whose results stay on the device until they are read."""
        from rosin.runtime.xla import Resident

        if self._shardings is not None:
            return super().entry(array_type, value_offset, miss, single)
        array_class: Any = array_type
        expected = None if self.sizes else [(v.type.dtype.numpy, v.type.sizes) for v in self.graph.inputs]

        def call(*arguments: Any, **keywords: Any) -> Any:
            values = [(a._device or a._value) if type(a) is array_type else a for a in arguments]
            if keywords or not all(isinstance(v, (np.ndarray, Resident)) for v in values):
                return miss(*arguments, **keywords)
            sizes: dict[str, int] | None = {}
            if expected is None:
                sizes = self._sizes_of(values)
            elif [(v.dtype, v.shape) for v in values] != expected:
                sizes = None
            if sizes is None:
                return miss(*arguments, **keywords)
            results: list[Any] = []
            for value in self._program(sizes).resident(values):
                result: Any = object.__new__(array_class)
                result._device = value
                results.append(result)
            return results[0] if single else tuple(results)

        return call

    def _program(self, sizes: Mapping[str, int]) -> Loaded:
        key = tuple(sizes.values())
        found = self._programs.get(key)
        if found is None:
            from rosin.runtime import xla

            # Python is where the CPU is, and there once.
            hosted: list[Op] | None = [] if xla.is_host() and self._shardings is None else None
            text = stablehlo_text(self.graph, self.donated, sizes, None, self._shardings, hosted)
            found = self._programs[key] = xla.Loaded(text, self.donated, 1, self._shardings, hosted or ())
        return found

    def stage_text(self, stage: str) -> str:
        if stage == "stablehlo":
            return stablehlo_text(self.graph, self.donated, None, None, self._shardings)
        if stage in self.stages[1:]:
            from rosin.passes import pipeline

            with facts.assuming(self.known):
                return printer.text(pipeline.stage(self.graph, stage, pipeline.STABLEHLO_PASSES))
        return super().stage_text(stage)


def stablehlo_text(
    graph: Graph,
    donated: Sequence[int] = (),
    sizes: Mapping[str, int] | None = None,
    mesh: Mapping[str, int] | None = None,
    shardings: Shardings | None = None,
    hosted: list[Op] | None = None,
) -> str:
    """The StableHLO program of a graph, its symbolic sizes being these numbers, for devices along the axes of a mesh,
    or of whole arrays that are spread over devices. With a list it may call Python, for ops that are put there.

    Raises:
        UnsupportedError: the target declines an op, or a size is no number.
    """
    from rosin.backends.stablehlo.program import module_text
    from rosin.passes import pipeline

    if sizes:
        with facts.assuming(Facts(), gather=True):
            graph = specialize(graph, sizes)
    if graph.symbols() and not graph.measured():
        names = ", ".join(graph.symbols())
        message = f"{graph.name} has the symbolic sizes {names}, and a StableHLO program has sizes that are numbers"
        raise UnsupportedError(f"{message}; compile with dynamic=False")
    graph = pipeline.run(graph, pipeline.STABLEHLO_PASSES)
    return module_text(graph, donated, mesh=mesh, shardings=shardings, hosted=hosted)
