"""`vmap`, and what the examples of a batch tell one another through the name of its axis."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from rosin.frontend import core, rewrite, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.errors import AxisNameError, TransformError
from rosin.frontend.sizes import Size, as_dim, sized
from rosin.frontend.staging import Function, Input, Staged
from rosin.frontend.tree import Tree
from rosin.ir import facts
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.op import Value
from rosin.ir.ops.collective import AxisGather, AxisIndex, AxisPermute, AxisSum, AxisSumScatter
from rosin.ir.transform.batch import batch as batch_into

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class _Axes(threading.local):
    def __init__(self) -> None:
        self.sizes: list[tuple[str, Dim]] = []


_axes = _Axes()


def axes() -> list[tuple[str, Dim]]:
    """The named axes that enclose this place, with their sizes."""
    return list(_axes.sizes)


@contextmanager
def within(sizes: list[tuple[str, Dim]]) -> Generator[None]:
    """Put what is done inside among these named axes."""
    outer, _axes.sizes = _axes.sizes, sizes
    try:
        yield
    finally:
        _axes.sizes = outer


def vmap(
    f: Function,
    in_axes: Tree = 0,
    out_axes: Tree = 0,
    axis_name: str | None = None,
    axis_size: int | None = None,
) -> Function:
    """A function of one example made into one of a batch.

    Args:
        in_axes: for each argument the axis that holds the examples, or None if all examples share it; a number for
            all, or a tuple of numbers, None and trees of these that begin as the arguments do.
        out_axes: likewise for what the function returns; None for what is the same for all examples.
        axis_name: a name for the axis, by which `psum` and its like reach the other examples.
        axis_size: the number of examples, where no argument tells it.

    Arguments by keyword have the examples along axis 0.

    Raises:
        TransformError: sizes disagree, an axis is out of range, or a shared output differs between examples.
    """

    @functools.wraps(f)
    @facts.gathers
    def batched(*args: Any, **kwargs: Any) -> Any:
        name = f"vmap of {staging.name_of(f)}"
        call = _Call(f, name, args, kwargs, in_axes)
        size = call.size(axis_size)
        if axis_name is not None and any(known == axis_name for known, _ in _axes.sizes):
            raise tr.located(AxisNameError(f"{name}: an enclosing vmap has an axis called {axis_name!r} already"))
        staged = call.stage(size, axis_name)
        return _apply(staged, call, size, out_axes, axis_name)

    return batched


class _Call:
    """A call with a batch: the leaves that are arrays of examples or shared, and those that are passed as they are."""

    def __init__(self, f: Function, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], in_axes: Tree) -> None:
        self.f, self.name = f, name
        self.leaves, self.structure = tree.flatten((args, kwargs))
        axes: Any = tuple(cast("list[Any]", in_axes)) if isinstance(in_axes, list) else in_axes
        if isinstance(axes, tuple) and len(cast("tuple[Any, ...]", axes)) != len(args):
            count = len(cast("tuple[Any, ...]", axes))
            message = f"{name}: in_axes has {count} entries, and there are {len(args)} positional arguments"
            raise tr.located(TransformError(message))
        by_keyword: Any = 0 if kwargs else {}
        self.axes = _prefix((axes, by_keyword), (args, kwargs), f"{name}: in_axes")
        self.paths = _paths(f, args, kwargs)
        self.arrays: list[Array] = []
        self.places: list[int] = []
        for place, (leaf, axis, path) in enumerate(zip(self.leaves, self.axes, self.paths, strict=True)):
            if axis is None:
                continue
            array = staging.as_argument(leaf, path, name, "in_axes is None for what all examples share")
            rank = len(core.shape_of(array))
            if not -rank <= axis < rank:
                message = f"{name}: in_axes is {axis} for {path}, which has rank {rank}"
                raise tr.located(TransformError(message, [core.type_of(array)]))
            self.axes[place] = axis % rank
            self.places.append(place)
            self.arrays.append(array)

    def size(self, axis_size: int | None) -> Dim:
        """The number of examples."""
        sizes: list[Dim] = [core.shape_of(x)[self.axes[p]] for x, p in zip(self.arrays, self.places, strict=True)]
        known = sizes if axis_size is None else [as_dim(axis_size), *sizes]
        if not known:
            message = f"{self.name}: no argument is batched (in_axes is None for all), and axis_size is not given"
            raise tr.located(TransformError(message))
        if not all(facts.same(size, known[0]) for size in known):
            lines = [f"{self.name}: the sizes of the batched axes disagree"]
            if axis_size is not None:
                lines.append(f"    axis_size is {axis_size}")
            for x, place, size in zip(self.arrays, self.places, sizes, strict=True):
                lines.append(f"    axis {self.axes[place]} of {self.paths[place]}, {core.type_of(x)}, has size {size}")
            raise tr.located(TransformError("\n".join(lines)))
        return known[0]

    def stage(self, size: Dim, axis_name: str | None) -> Staged:
        """Trace the function for one example."""
        inputs: list[Input] = []
        for x, place in zip(self.arrays, self.places, strict=True):
            type, axis = core.type_of(x), self.axes[place]
            example = type.with_shape((*type.shape[:axis], *type.shape[axis + 1 :]))
            inputs.append(Input(example, staging.identifier(self.paths[place])))

        def run(tracers: list[Any]) -> Any:
            leaves = list(self.leaves)
            for place, tracer in zip(self.places, tracers, strict=True):
                leaves[place] = tracer
            args, kwargs = tree.unflatten(self.structure, leaves)
            return rewrite.call(self.f, *args, **kwargs)

        named = [] if axis_name is None else [(axis_name, size)]
        with within([*axes(), *named]):
            return staging.stage(run, inputs, staging.name_of(self.f), by="vmap")


def _apply(staged: Staged, call: _Call, size: Dim, out_axes: Tree, axis_name: str | None) -> Any:
    """Batch the graph of one example and apply it to the batch."""
    places = _out_axes(staged, out_axes, call.name)
    b = Builder()
    inputs: list[Value] = []
    operands: list[Value] = []
    for x, place in zip(call.arrays, call.places, strict=True):
        value = b.input(core.type_of(x), staging.identifier(call.paths[place]))
        inputs.append(value)
        operands.append(_to_front(b, value, call.axes[place]))
    captured = [b.input(v.type, v.name) for v in staged.graph.inputs[len(call.arrays) :]]
    flags = [True] * len(call.arrays) + [False] * len(captured)
    outputs, many = batch_into(b, staged.graph, [*operands, *captured], flags, size, axis_name)
    results: list[Value] = []
    for position, (value, is_batched, axis) in enumerate(zip(outputs, many, places, strict=True)):
        if axis is None:
            if is_batched:
                path = tree.path_texts("result", staged.structure)[position]
                message = f"{call.name}: out_axes is None for {path}, which differs between examples"
                raise tr.located(TransformError(message, [value.type]))
            results.append(value)
            continue
        rank = len(value.type.shape) + (not is_batched)
        if not -rank <= axis < rank:
            path = tree.path_texts("result", staged.structure)[position]
            message = f"{call.name}: out_axes is {axis} for {path}, which has rank {rank} with the batch"
            raise tr.located(TransformError(message, [value.type]))
        results.append(_from_front(b, b.batch_front(value, is_batched, size), axis % rank))
    graph = b.graph(results, f"{staged.graph.name}_batch")
    arrays = core.apply(graph, staged.operands(call.arrays))
    return tree.unflatten(staged.structure, arrays)


def _out_axes(staged: Staged, out_axes: Tree, name: str) -> list[int | None]:
    count = staged.structure.num_leaves
    shape = tree.unflatten(staged.structure, [0] * count)
    return _prefix(out_axes, shape, f"{name}: out_axes")


def _prefix(prefix: Tree, full: Tree, what: str) -> list[Any]:
    """The axis for each leaf."""
    try:
        axes = tree.broadcast_prefix(prefix, full)
    except ValueError as error:
        raise tr.located(TransformError(f"{what} {prefix!r} does not fit the tree {tree.structure(full)}")) from error
    for axis in axes:
        if axis is not None and (isinstance(axis, bool) or not isinstance(axis, int)):
            raise tr.located(TransformError(f"{what} holds integers and None, not {axis!r}"))
    return axes


def _paths(f: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    paths: list[str] = []
    for name, arg in zip(staging.parameter_names(f, len(args)), args, strict=True):
        paths += tree.path_texts(name, tree.structure(arg))
    for name in sorted(kwargs):
        paths += tree.path_texts(name, tree.structure(kwargs[name]))
    return paths


def _to_front(b: Builder, x: Value, axis: int) -> Value:
    return b.transpose(x, (axis, *(i for i in range(x.type.rank) if i != axis)))


def _from_front(b: Builder, x: Value, axis: int) -> Value:
    order = list(range(1, x.type.rank))
    order.insert(axis, 0)
    return b.transpose(x, tuple(order))


# -- named axes --------------------------------------------------------------------------------------------------


def axis_size(axis_name: str) -> int | Size:
    """The number of examples along a named axis.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
    """
    return sized(_size_of(axis_name))


def _size_of(axis_name: str) -> Dim:
    """The number of examples along a named axis.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
    """
    for name, size in reversed(_axes.sizes):
        if name == axis_name:
            return size
    known = ", ".join(repr(name) for name, _ in _axes.sizes)
    have = f"the axes here are {known}" if known else "there is no named axis here"
    raise tr.located(AxisNameError(f"no enclosing vmap has axis_name={axis_name!r}; {have}"))


def axis_index(axis_name: str) -> Array:
    """The number of the example along a named axis, an int32 scalar.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
    """
    return core.bind1(AxisIndex(axis_name, _size_of(axis_name)))


def psum(x: Tree, axis_name: str | Sequence[str]) -> Tree:
    """Each leaf summed over the examples along one or several named axes; the same for each example.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
    """
    return _over(x, axis_name, _sum)


def pmean(x: Tree, axis_name: str | Sequence[str]) -> Tree:
    """Each leaf averaged over the examples along one or several named axes.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
    """

    def mean(array: Array, name: str) -> Array:
        return _sum(array, name) / axis_size(name)

    return _over(x, axis_name, mean)


def pmax(x: Tree, axis_name: str | Sequence[str]) -> Tree:
    """The greatest of each element of each leaf over the examples along one or several named axes.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
    """

    def greatest(array: Array, name: str) -> Array:
        return _gather(array, name).max(axis=0)

    return _over(x, axis_name, greatest)


def pmin(x: Tree, axis_name: str | Sequence[str]) -> Tree:
    """The least of each element of each leaf over the examples along one or several named axes.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
    """

    def least(array: Array, name: str) -> Array:
        return _gather(array, name).min(axis=0)

    return _over(x, axis_name, least)


def all_gather(x: Tree, axis_name: str, *, axis: int = 0, tiled: bool = False) -> Tree:
    """Each leaf of all examples along a named axis, at a new `axis`; with `tiled`, one after the other along `axis`.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
    """

    def gather(array: Array, name: str) -> Array:
        gathered = _gather(array, name)
        rank = len(core.shape_of(gathered)) - tiled
        if not -rank <= axis < rank:
            raise tr.located(TransformError(f"all_gather: axis {axis} is out of range for rank {rank}"))
        b = Builder()
        value = _from_front(b, b.input(core.type_of(gathered)), axis % rank)
        if tiled:
            shape = list(value.type.shape)
            joined = shape[axis % rank] * shape[axis % rank + 1]
            value = b.reshape(value, (*shape[: axis % rank], joined, *shape[axis % rank + 2 :]))
        return core.apply(b.graph([value], "all_gather"), [gathered])[0]

    return _over(x, axis_name, gather)


def psum_scatter(x: Tree, axis_name: str) -> Tree:
    """For example i, element i along axis 0 of each leaf summed over the examples along a named axis.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
    """

    def scatter(array: Array, name: str) -> Array:
        return core.bind1(AxisSumScatter(name, _size_of(name)), array)

    return _over(x, axis_name, scatter)


def ppermute(x: Tree, axis_name: str, perm: Sequence[tuple[int, int]]) -> Tree:
    """Each leaf sent from one example along a named axis to another, for pairs `(source, target)` of `perm`; zeros for
    examples that are no target.

    Raises:
        AxisNameError: no enclosing vmap has an axis of that name.
        AttributeValueError: a number is none of an example, or twice a source or a target.
    """
    pairs = tuple((int(source), int(target)) for source, target in perm)

    def permute(array: Array, name: str) -> Array:
        return core.bind1(AxisPermute(name, _size_of(name), pairs), array)

    return _over(x, axis_name, permute)


def _sum(x: Array, name: str) -> Array:
    return core.bind1(AxisSum(name, _size_of(name)), x)


def _gather(x: Array, name: str) -> Array:
    return core.bind1(AxisGather(name, _size_of(name)), x)


def _over(x: Tree, axis_name: str | Sequence[str], function: Callable[[Array, str], Array]) -> Tree:
    names = (axis_name,) if isinstance(axis_name, str) else tuple(axis_name)

    def each(leaf: Any) -> Array:
        array = core.asarray(leaf)
        for name in names:
            array = function(array, name)
        return array

    return tree.map(each, x)


core.register_transform(rewrite.call)
core.register_transform(vmap)
