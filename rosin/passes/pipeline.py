"""The pipeline: which passes a graph goes through on its way to a target, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rosin.ir.graph import Graph
from rosin.passes.base import Pass
from rosin.passes.components import Components
from rosin.passes.cse import Cse
from rosin.passes.dce import Dce
from rosin.passes.distribute import Distribute
from rosin.passes.fold import Fold
from rosin.passes.hoist import Hoist
from rosin.passes.inline import Inline
from rosin.passes.instrument import Instrument, from_environment
from rosin.passes.long_products import LongProducts
from rosin.passes.remat import Remat
from rosin.passes.residuals import Residuals
from rosin.passes.simplify import Simplify
from rosin.passes.strength import Strength
from rosin.passes.wide import Wide

GRAPH_PASSES: tuple[Pass, ...] = (
    Inline(),  # calls become their bodies: from here on there are only ops with a meaning in loops
    Dce(),  # what derivatives computed and nothing asked for goes before it costs time
    Fold(),  # constants first: the rules match on them
    Cse(),  # and on operands that are the same value
    Simplify(),
    Strength(),  # powers whose exponents have become constants
    Hoist(),  # what loops need not do in every step; merged below with what stands before them already
    Distribute(),  # products of all steps at once, which residuals may then be
    Residuals(),  # what loops keep for their way back, once it is known what steps compute; the rest is dropped below
    Components(),  # elementwise work on few components, which what stands before has brought to its last form
    Simplify(),
    Cse(),
    Dce(),
    Wide(),  # what is wide between products is never stored
    Remat(),  # memory for time, where there is much to save
    LongProducts(),  # sums of parts, which threads share
)
"""What every target's own passes start from."""

STABLEHLO_PASSES: tuple[Pass, ...] = (Inline(several_devices=True, few_steps=True), *GRAPH_PASSES[1:-3])
"""All but wide values in blocks, rematerialisation and products in parts: XLA weighs memory against time by itself."""


def run(graph: Graph, passes: Sequence[Pass] = GRAPH_PASSES, instrument: Instrument | None = None) -> Graph:
    """The graph after all passes. Without an instrument the one that `ROSIN_DEBUG` asks for watches, if any.

    Raises:
        PassError: the instrument verifies or checks, and a pass is at fault.
    """
    *_, (_, after) = [("traced", graph), *stages(graph, passes, instrument)]
    return after


def stages(
    graph: Graph, passes: Sequence[Pass] = GRAPH_PASSES, instrument: Instrument | None = None
) -> Iterator[tuple[str, Graph]]:
    """The name of each stage and the graph after it, one by one; stop early and later passes do not run."""
    instrument = instrument or from_environment()
    names = stage_names(passes)
    given: dict[Pass, Graph] = {}
    if instrument is not None:
        instrument.begin(graph)
    for name, pass_ in zip(names, passes, strict=True):
        # A pass has nothing to do on the very graph that it gave.
        if given.get(pass_) is not graph:
            graph = pass_.run(graph) if instrument is None else instrument.apply(pass_, name, graph)
        given[pass_] = graph
        yield name, graph
    if instrument is not None:
        instrument.end()


def stage_names(passes: Sequence[Pass]) -> tuple[str, ...]:
    """A name for each pass, its own; a pass that comes again is numbered: dce, dce-2."""
    counts: dict[str, int] = {}
    names: list[str] = []
    for pass_ in passes:
        counts[pass_.name] = counts.get(pass_.name, 0) + 1
        names.append(pass_.name if counts[pass_.name] == 1 else f"{pass_.name}-{counts[pass_.name]}")
    return tuple(names)


def stage(graph: Graph, name: str, passes: Sequence[Pass] = GRAPH_PASSES) -> Graph:
    """The graph after the pass called `name`, or as it came for "traced".

    Raises:
        ValueError: there is no such stage.
    """
    names = ("traced", *stage_names(passes))
    if name not in names:
        raise ValueError(f"there is no stage {name!r}; the stages are {', '.join(names)}")
    if name == "traced":
        return graph
    return next(after for found, after in stages(graph, passes) if found == name)
