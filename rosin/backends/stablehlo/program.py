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
from rosin.backends.stablehlo.sharding import attribute_text, mesh_text
from rosin.backends.stablehlo.types import type_text
from rosin.ir.graph import Graph
from rosin.ir.location import Location
from rosin.ir.op import Op
from rosin.ir.printer import value_names
from rosin.ir.sharding import Axes, Shardings, check_cuts


def module_text(
    graph: Graph,
    donated: Sequence[int] = (),
    locations: bool = True,
    mesh: Mapping[str, int] | None = None,
    shardings: Shardings | None = None,
    hosted: list[Op] | None = None,
) -> str:
    """The program of a graph whose sizes are numbers. A donated input gives its memory to a result of its type.

    With a `mesh` of named axes the program is for so many devices, each of which has a shard of every input; ops over a
    named axis are what they tell one another along that axis. With `shardings` it is a program of whole arrays, which
    are spread over devices as these say. With a list `hosted` it may call Python, on the CPU of the process that runs
    it: the ops that are computed so are appended to the list, in the order of the numbers by which it calls.

    Raises:
        UnsupportedError: the target declines an op.
        AttributeValueError: an array cannot be cut as it should be.
        ValueError: a size is symbolic.
    """
    spread: dict[str, int] = dict(shardings.mesh) if shardings else {}
    e = Emitter(lower, locations, mesh, spread, hosted)
    names = value_names(graph)
    inputs = e.inputs([v.type for v in graph.inputs], [names[v] for v in graph.inputs])
    outputs = e.inline(graph, inputs)
    types = ", ".join(type_text(x.type) for x in outputs)
    e.line(f"return {', '.join(x.name for x in outputs)} : {types}" if outputs else "return")
    aliases = aliased(graph, donated)
    notes = [[f"tf.aliasing_output = {aliases[i]} : i32"] if i in aliases else [] for i in range(len(inputs))]
    results = [type_text(x.type) for x in outputs]
    if shardings:
        for x, axes, note in zip(inputs, shardings.inputs, notes, strict=True):
            note.append(_sharded(x, axes, spread, f"argument {x.name[1:]}"))
        for i, (x, axes) in enumerate(zip(outputs, shardings.outputs, strict=True)):
            results[i] += _noted([_sharded(x, axes, spread, f"result {i}")])
    given = ", ".join(f"{x.name}: {type_text(x.type)}{_noted(n)}" for x, n in zip(inputs, notes, strict=True))
    name = graph.name if graph.name.isidentifier() else json.dumps(graph.name)
    head = f"func.func public @main({given}) -> ({', '.join(results)}) {{"
    devices = [f"  {mesh_text(spread)}"] if spread else []
    places = [f"{alias} = loc({_place(where)})" for where, alias in e.locations.items()]
    top = f"module @{name}{_devices(mesh, shardings)} {{"
    return "\n".join([top, *devices, f"  {head}", *e.lines, "  }", "}", *places]) + "\n"


def _devices(mesh: Mapping[str, int] | None, shardings: Shardings | None) -> str:
    """What the module says of how many devices it is for."""
    if shardings:
        return f" attributes {{mhlo.num_partitions = {shardings.count} : i32, mhlo.num_replicas = 1 : i32}}"
    return f" attributes {{mhlo.num_replicas = {math.prod(mesh.values())} : i32}}" if mesh else ""


def _sharded(x: Ref, axes: Axes, mesh: Mapping[str, int], what: str) -> str:
    check_cuts(x.type, axes, mesh, what)
    return attribute_text(axes, x.type.rank)


def _noted(notes: Sequence[str]) -> str:
    """The attributes of an argument or a result."""
    return f" {{{', '.join(notes)}}}" if notes else ""


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


def _place(location: Location) -> str:
    return f"{json.dumps(location.file)}:{location.line}:{max(location.column, 0) + 1}"
