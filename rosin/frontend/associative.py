"""Running combinations of an associative function, in few steps that each work on all elements together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rosin.frontend import core, staging, tree
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.regions import argument, refuse
from rosin.frontend.staging import Function
from rosin.frontend.tree import Tree
from rosin.ir import dims
from rosin.ir.errors import ShapeError

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def associative_scan(fn: Function, elems: Tree, *, reverse: bool = False, axis: int = 0) -> Tree:
    """Element k of the result is elements 0 … k along `axis` of `elems` combined by `fn`.

    `fn(a, b)` takes two trees like `elems`, of any size along `axis`, and combines them place by place; it is
    associative. It is called about `2 * log2(n)` times for n elements, on `2 * n` elements in all. With `reverse` the
    result is that of the elements from the last to the first, each at its own place.

    Blelloch, "Prefix Sums and Their Applications", 1990.

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

    def combine(a: Sequence[Array], b: Sequence[Array]) -> list[Array]:
        leaves, structure = tree.flatten(fn(given.tree(a), given.tree(b)))
        found = [staging.as_output(leaf, name, structure, i) for i, leaf in enumerate(leaves)]
        wanted, types = [core.type_of(x) for x in a], [core.type_of(x) for x in found]
        if structure != given.structure or types != wanted:
            message = f"associative_scan: what {name} combines comes back as another type"
            refuse(message, "elems", (given.structure, wanted, "taken"), (structure, types, "given back"))
        return found

    arrays = list(given.arrays)
    if arrays and dims.static((sizes[0],), "associative_scan")[0] > 1:
        line = _Line(axes)
        arrays = line.flip(line.running(combine, line.flip(arrays))) if reverse else line.running(combine, arrays)
    return given.tree(arrays)


class _Line:
    """Arrays seen along one axis each."""

    def __init__(self, axes: Sequence[int]) -> None:
        self.axes = axes

    def cut(self, arrays: Sequence[Array], start: int | None, stop: int | None, step: int | None) -> list[Array]:
        return [x[(*[slice(None)] * a, slice(start, stop, step))] for x, a in zip(arrays, self.axes, strict=True)]

    def flip(self, arrays: Sequence[Array]) -> list[Array]:
        return self.cut(arrays, None, None, -1)

    def running(self, combine: Any, arrays: list[Array]) -> list[Array]:
        """The running combinations: those of pairs of neighbours are every second one, and give the others."""
        size = int(arrays[0].shape[self.axes[0]])
        if size < 2:
            return arrays
        pairs = combine(self.cut(arrays, 0, size - 1, 2), self.cut(arrays, 1, None, 2))
        odd = self.running(combine, pairs)
        first = self.cut(arrays, 0, 1, None)
        if size == 2:
            return [rnp.concatenate(parts, axis=a) for *parts, a in zip(first, odd, self.axes, strict=True)]
        even = combine(self.cut(odd, 0, (size - 1) // 2, None), self.cut(arrays, 2, None, 2))
        columns = zip(first, even, odd, self.axes, strict=True)
        return [_interleaved(rnp.concatenate((x, e), axis=a), o, a) for x, e, o, a in columns]


def _interleaved(even: Array, odd: Array, axis: int) -> Array:
    """Elements of both in turn along an axis; there may be one more of the even ones."""
    paired = core.shape_of(odd)[axis]
    before = [slice(None)] * axis
    head = even[(*before, slice(0, paired))]
    shape = list(core.shape_of(head))
    shape[axis] = 2 * paired
    both = rnp.reshape(rnp.stack((head, odd), axis=axis + 1), tuple(shape))
    return rnp.concatenate((both, even[(*before, slice(paired, None))]), axis=axis)
