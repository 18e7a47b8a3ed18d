"""The reference interpreter: every node by its op's NumPy meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rosin.ir import dtypes
from rosin.ir.errors import RosinError, ShapeError
from rosin.ir.facts import Facts
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Arrays, NumpyArray, Op, Value
from rosin.ir.sizes import sizes_of
from rosin.ir.specialize import specialize
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
    for node in graph.nodes:
        results = evaluate_op(node.op, *(env[v] for v in node.operands))
        for value, array in zip(node.results, results, strict=True):
            check(array, value.type, f"{node.op.name}'s NumPy meaning")
            env[value] = array
        if observe is not None:
            observe(node, results)
    return [np.ascontiguousarray(env[v]).reshape(env[v].shape) for v in graph.outputs]


def at_sizes(graph: Graph, shapes: Sequence[tuple[int, ...]]) -> Graph:
    """The graph for arguments of these shapes, its symbolic sizes replaced by numbers.

    Raises:
        ConstraintError: the shapes do not fit one another.
        RosinError: an op refuses the sizes.
    """
    sizes = sizes_of(graph, Facts())
    return graph if sizes is None else specialize(graph, sizes.bind(shapes))


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
