"""The compile path: a graph goes in, something that runs comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rosin.ir import printer
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import NumpyArray


@dataclass
class Executable:
    """A compiled graph. Called with one C-contiguous NumPy array for each input; gives one for each output."""

    graph: Graph
    target: str
    stages: tuple[str, ...] = ("traced",)

    def __call__(self, *arguments: NumpyArray) -> tuple[NumpyArray, ...]:
        return tuple(evaluate(self.graph, arguments))

    def stage_text(self, stage: str) -> str:
        return printer.text(self.graph)


def compile_graph(graph: Graph, target: str = "llvm", donated: Sequence[int] = ()) -> Executable:
    """Compile a graph for a target; `donated` lists the inputs whose memory results may take over."""
    return Executable(graph, target)
