"""What is known of a function without numbers: the shapes of its results, and its work."""

from __future__ import annotations

from typing import Any

from rosin.frontend import rewrite, staging, tree
from rosin.frontend.effects import ShapeDtypeStruct, types_like
from rosin.frontend.staging import Function, Input, Staged
from rosin.frontend.tree import Tree
from rosin.ir.op import Cost


def eval_shape(f: Function, /, *args: Any, **kwargs: Any) -> Tree:
    """The result of `f(*args, **kwargs)` with a `ShapeDtypeStruct` for each array. Nothing is computed.

    Arguments are trees of arrays, or of `ShapeDtypeStruct`s in their place.

    Raises:
        ArgumentError: a leaf of the arguments has no shape or dtype.
        RosinError: the function cannot be traced with such arguments.
    """
    staged = _staged(f, args, kwargs)
    found = [ShapeDtypeStruct(v.type.shape, v.type.dtype) for v in staged.graph.outputs]
    return tree.unflatten(staged.structure, found)


def cost(f: Function, /, *args: Any, **kwargs: Any) -> Cost:
    """The floating point operations of `f(*args, **kwargs)`, those among them that are pairs of a multiplication and an
    addition in products and convolutions, and the bytes that its ops read and write one by one.

    Arguments are as for `eval_shape`. A compiled program moves fewer bytes, since fused ops keep numbers in registers.
    """
    return _staged(f, args, kwargs).graph.cost()


def _staged(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Staged:
    name = staging.name_of(f)
    types, structure = types_like(name, "args", (args, kwargs))

    def run(tracers: list[Any]) -> Any:
        given, by_name = tree.unflatten(structure, tracers)
        return rewrite.call(f, *given, **by_name)

    return staging.stage(run, [Input(t) for t in types], name, by="eval_shape")
