"""A graph as a StableHLO program: one module with one function.

    module @step {
      func.func public @main(%w: tensor<3x2xf32> {tf.aliasing_output = 0 : i32}, %x: tensor<4x3xf32>) -> (…) {
        %y = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0], … : … loc(#loc0)
        …
      }
    }
    #loc0 = loc("model.py":12:8)

Values are called as in the graph. Each line that comes from a place of the user's program says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from rosin.backends.stablehlo.emit import Emitter, Ref
from rosin.backends.stablehlo.lowering import lower
from rosin.backends.stablehlo.types import type_text
from rosin.ir.graph import Graph
from rosin.ir.location import Location
from rosin.ir.printer import value_names


def module_text(
    graph: Graph, donated: Sequence[int] = (), locations: bool = True, mesh: Mapping[str, int] | None = None
) -> str:
    """The program of a graph whose sizes are numbers. A donated input gives its memory to a result of its type.

    With a `mesh` of named axes the program is for so many devices, each of which has a shard of every input; ops over a
    named axis are what they tell one another along that axis.

    Raises:
        UnsupportedError: the target declines an op.
        ValueError: a size is symbolic.
    """
    e = Emitter(lower, locations, mesh)
    names = value_names(graph)
    inputs = e.inputs([v.type for v in graph.inputs], [names[v] for v in graph.inputs])
    outputs = e.inline(graph, inputs)
    types = ", ".join(type_text(x.type) for x in outputs)
    e.line(f"return {', '.join(x.name for x in outputs)} : {types}" if outputs else "return")
    aliases = aliased(graph, donated)
    given = ", ".join(_argument(x, aliases.get(position)) for position, x in enumerate(inputs))
    name = graph.name if graph.name.isidentifier() else json.dumps(graph.name)
    devices = f" attributes {{mhlo.num_replicas = {math.prod(mesh.values())} : i32}}" if mesh else ""
    head = f"func.func public @main({given}) -> ({types}) {{"
    places = [f"{alias} = loc({_place(where)})" for where, alias in e.locations.items()]
    return "\n".join([f"module @{name}{devices} {{", f"  {head}", *e.lines, "  }", "}", *places]) + "\n"


def aliased(graph: Graph, donated: Sequence[int]) -> dict[int, int]:
    """For donated inputs the output that gets their memory: the first one of the same type that has none yet."""
    found: dict[int, int] = {}
    for position in donated:
        type = graph.inputs[position].type
        free = (i for i, v in enumerate(graph.outputs) if v.type == type and i not in found.values())
        output = next(free, None)
        if output is not None:
            found[position] = output
    return found


def _argument(x: Ref, output: int | None) -> str:
    attributes = "" if output is None else f" {{tf.aliasing_output = {output} : i32}}"
    return f"{x.name}: {type_text(x.type)}{attributes}"


def _place(location: Location) -> str:
    return f"{json.dumps(location.file)}:{location.line}:{max(location.column, 0) + 1}"
