"""Running combinations of elements by an associative function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosin.frontend import core, rewrite, staging, tree
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.regions import argument, refuse, shared_captures
from rosin.frontend.staging import Function, Input
from rosin.frontend.tree import Tree
from rosin.ir import dims
from rosin.ir.dims import Dim
from rosin.ir.errors import ShapeError
from rosin.ir.ops.associative import AssociativeScan

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def associative_scan(fn: Function, elems: Tree, *, reverse: bool = False, axis: int = 0) -> Tree:
    """Element k of the result is elements 0 … k along `axis` of `elems` combined by `fn`.

    `fn(a, b)` takes two trees like `elems`, of any size along `axis`, and combines them place by place; it is
    associative. With `reverse` the result is that of the elements from the last to the first, each at its own place.

    A CPU goes once over the elements. Targets of many lanes take about `2 * log2(n)` steps for n elements, which
    combine `2 * n` of them in all (Blelloch, "Prefix Sums and Their Applications", 1990), so that floats may be rounded
    otherwise.

    Raises:
        ShapeError: `axis` is out of range, or sizes along it disagree.
        ControlFlowError: `fn` gives another tree than `elems`, or other types.
    """
    name = staging.name_of(fn)
    given = argument(elems, "elems", "associative_scan")
    axes: list[int] = []
    for path, type in zip(given.paths, given.types, strict=True):
        if not -type.rank <= axis < type.rank:
            message = f"associative_scan: axis {axis} is out of range for {path}"
            raise tr.located(ShapeError(message, [type]))
        axes.append(axis % type.rank)
    sizes = [t.shape[a] for t, a in zip(given.types, axes, strict=True)]
    if any(size != sizes[0] for size in sizes):
        rows = zip(given.paths, given.types, axes, sizes, strict=True)
        lines = [f"    axis {a} of {path}, {type}, has size {size}" for path, type, a, size in rows]
        raise tr.located(ShapeError("\n".join(["associative_scan: the lengths disagree", *lines])))

    first = [
        Input(t.with_shape(_without(t.shape, a)), x.name)
        for t, a, x in zip(given.types, axes, given.inputs, strict=True)
    ]
    count = len(first)

    def run(leaves: Sequence[Array]) -> list[Array]:
        """Elements as pieces of the arrays, one of them along the axis."""
        whole = [rnp.expand_dims(x, axis=a) for x, a in zip(leaves, (*axes, *axes), strict=True)]
        found, structure = tree.flatten(rewrite.call(fn, given.tree(whole[:count]), given.tree(whole[count:])))
        outputs = [staging.as_output(leaf, name, structure, i) for i, leaf in enumerate(found)]
        wanted, types = [core.type_of(x) for x in whole[:count]], [core.type_of(x) for x in outputs]
        if structure != given.structure or types != wanted:
            message = f"associative_scan: what {name} combines comes back as another type"
            refuse(message, "elems", (given.structure, wanted, "taken"), (structure, types, "given back"))
        return [rnp.squeeze(x, axis=a) for x, a in zip(outputs, axes, strict=True)]

    length = dims.static((sizes[0],), "associative_scan")[0] if sizes else 0
    if length < 2:
        return given.tree(given.arrays)
    staged = staging.stage(run, [*first, *first], name, by="associative_scan")
    captures, (graph,) = shared_captures([staged])
    arrays = [rnp.moveaxis(x, a, 0) for x, a in zip(given.arrays, axes, strict=True)]
    operands = *arrays, *staging.captured_arrays(captures)
    found = core.bind(AssociativeScan(graph, length, reverse), *operands)
    return given.tree([rnp.moveaxis(x, 0, a) for x, a in zip(found, axes, strict=True)])


def _without(shape: Sequence[Dim], axis: int) -> tuple[Dim, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


core.register_transform(associative_scan)
