"""What runs: a graph with what is known of its sizes, called with arrays. This one runs in the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rosin.ir import printer
from rosin.ir.errors import RosinError, UnsupportedError
from rosin.ir.facts import Facts
from rosin.ir.graph import Graph
from rosin.ir.interpret import check, evaluate
from rosin.ir.op import NumpyArray
from rosin.ir.sizes import Sizes


class Executable:
    """A graph that runs in the interpreter. Called with one C-contiguous array for each input."""

    donated: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    """The inputs from which something is computed once for many calls, in which they stay the same (`prepared`)."""

    def __init__(self, graph: Graph, known: Facts | None = None, sizes: Sizes | None = None) -> None:
        self.graph = graph
        self.known = known or Facts()
        self.sizes = sizes

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages that have a text."""
        return ("traced",)

    def __call__(self, *arguments: NumpyArray, prepared: NumpyArray | None = None) -> tuple[NumpyArray, ...]:
        """The results for arguments; where something is `kept`, it may have been prepared before."""
        self.bind(arguments)
        return tuple(evaluate(self.graph, arguments))

    def bind(self, arguments: Sequence[NumpyArray]) -> dict[str, int]:
        """The values of symbolic sizes for arguments, whose types are checked.

        Raises:
            RosinError: an argument has another type.
            ConstraintError: the sizes do not fit.
        """
        for position, (array, value) in enumerate(zip(arguments, self.graph.inputs, strict=True)):
            check(array, value.type, f"argument {value.name or position} of {self.graph.name}")
        if self.sizes is None:
            return {}
        return self.sizes.bind([array.shape for array in arguments])

    def explain(self) -> str:
        """What is computed together and why, what it costs at least on this machine, and where values lie.

        Raises:
            UnsupportedError: the target does not decide that.
        """
        raise UnsupportedError(f"{self.graph.name}: only programs for the target llvm can be explained")

    def stage_text(self, stage: str) -> str:
        """The program at a stage, as text.

        Raises:
            ValueError: there is no such stage.
        """
        if stage == "traced":
            return printer.text(self.graph)
        raise ValueError(f"no stage is called {stage!r}; there are {', '.join(self.stages)}")

    def prepared(self, arrays: Sequence[NumpyArray]) -> NumpyArray:
        """What is computed once from the arrays of the inputs that are `kept`, for `entry`."""
        raise AssertionError("there is nothing to prepare where nothing is kept")

    def entry(
        self,
        array_type: type,
        value_offset: int,
        miss: Callable[..., Any],
        single: bool,
        prepared: NumpyArray | None = None,
    ) -> Callable[..., Any]:
        """A callable that takes arrays of this program's types and calls `miss` for anything else.

        Where something is `kept` it takes for granted that the inputs are those of which that was `prepared`.
        """
        array_class: Any = array_type

        def call(*arguments: Any, **keywords: Any) -> Any:
            values = [a._value if type(a) is array_type else a for a in arguments]
            if keywords or not all(isinstance(v, np.ndarray) for v in values) or self._sizes_of(values) is None:
                return miss(*arguments, **keywords)
            results: list[Any] = []
            for value in self(*values):
                result: Any = object.__new__(array_class)
                result._value = value
                results.append(result)
            return results[0] if single else tuple(results)

        return call

    def _sizes_of(self, values: Sequence[Any]) -> dict[str, int] | None:
        """The values of symbolic sizes; None unless the program takes arrays of these types."""
        if len(values) != len(self.graph.inputs):
            return None
        try:
            return self.bind(values)
        except (RosinError, TypeError):
            return None
