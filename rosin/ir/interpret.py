"""The reference interpreter: every node by its op's NumPy meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from rosin.ir import dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.errors import RosinError, ShapeError, located
from rosin.ir.facts import Facts
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Arrays, NumpyArray, Op, Value
from rosin.ir.ops.measure import Measure
from rosin.ir.sizes import sizes_of
from rosin.ir.specialize import op_at, specialize
from rosin.ir.types import TensorType


def evaluate(
    graph: Graph, arguments: Sequence[NumpyArray], observe: Callable[[Node, Arrays], None] | None = None
) -> list[NumpyArray]:
    """The outputs of a graph on NumPy arrays; `observe` sees every node with its results.

    Raises:
        ShapeError: the arguments do not fit the inputs.
    """
    if len(arguments) != len(graph.inputs):
        raise ShapeError(f"{graph.name} takes {len(graph.inputs)} arguments and was given {len(arguments)}")
    for position, (value, array) in enumerate(zip(graph.inputs, arguments, strict=True)):
        check(array, value.type, f"argument {value.name or position} of {graph.name}")
    if graph.symbols():
        graph = at_sizes(graph, [x.shape for x in arguments])
    env: dict[Value, NumpyArray] = dict(zip(graph.inputs, arguments, strict=True))
    measures = bool(graph.measured())
    sizes: dict[str, Dim] = {}
    for node in graph.nodes:
        operands = [env[v] for v in node.operands]
        results = measuring(node, operands, sizes) if measures else evaluate_op(node.op, *operands)
        for value, array in zip(node.results, results, strict=True):
            check(array, value.type, f"{node.op.name}'s NumPy meaning")
            env[value] = array
        if observe is not None:
            observe(node, results)
    return [np.ascontiguousarray(env[v]).reshape(env[v].shape) for v in graph.outputs]


def _evaluated(op: Op, operands: list[NumpyArray]) -> Arrays:
    return evaluate_op(op, *operands)


Execute: TypeAlias = "Callable[[Op, list[NumpyArray]], Sequence[NumpyArray]]"


def measuring(node: Node, operands: list[NumpyArray], sizes: dict[str, Dim], execute: Execute = _evaluated) -> Arrays:
    """The results of a node of a graph that measures sizes; those that it measures are added to `sizes`.

    What was measured is a number by now, by which the rules of ops are asked once more.
    """
    body = node.op.expansion() if node.op.measured() else None
    if body is not None:
        env = dict(zip(body.inputs, operands, strict=True))
        for inner in body.nodes:
            found = measuring(inner, [env[v] for v in inner.operands], sizes, execute)
            env.update(zip(inner.results, found, strict=True))
        return tuple(env[v] for v in body.outputs)
    with located(node.location):
        with facts.assuming(Facts(), gather=True):
            op = op_at(node.op, sizes)
        op.type(*(TensorType(v.type.dtype, x.shape) for v, x in zip(node.operands, operands, strict=True)))
        results = tuple(execute(op, operands))
    if isinstance(op, Measure):
        sizes[op.symbol] = int(operands[0])
    return results


def at_sizes(graph: Graph, shapes: Sequence[tuple[int, ...]]) -> Graph:
    """The graph for arguments of these shapes, its symbolic sizes replaced by numbers.

    Raises:
        ConstraintError: the shapes do not fit one another.
        RosinError: an op refuses the sizes.
    """
    sizes = sizes_of(graph, Facts())
    if sizes is None:
        return graph
    # What rules ask of sizes that are still to be measured is taken to hold until then.
    with facts.assuming(Facts(), gather=bool(sizes.measured)):
        return specialize(graph, sizes.bind(shapes))


def evaluate_op(op: Op, *operands: NumpyArray) -> Arrays:
    """One op on NumPy arrays, silent about division by zero and its like."""
    # NumPy takes other loops for other strides, even along an axis of size 1, and adds in the order of memory; without
    # this a result would depend on how its operands came to lie there.
    dense = [x.ravel().reshape(x.shape) for x in operands]
    with np.errstate(all="ignore"):
        return op.eval(*dense)


def check(array: NumpyArray, type: TensorType, what: str) -> None:
    """Raise if the array has not this type; symbolic sizes fit any."""
    found = TensorType(dtypes.from_numpy(array.dtype), array.shape)
    fits = found.rank == type.rank and all(
        a == b for a, b in zip(found.shape, type.shape, strict=True) if isinstance(b, int)
    )
    if found.dtype != type.dtype or not fits:
        raise RosinError(f"{what} has type {found}, not {type}")
