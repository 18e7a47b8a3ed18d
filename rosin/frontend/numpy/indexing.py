"""Elements by their positions: `x[…]`, `take`, and arrays with other elements somewhere, `x.at[…].set(…)`.

Integers and slices of known numbers become slices, never gathers. Positions in arrays of integers may be computed by
the program; negative ones count from the end. One that is outside its axis is moved to the nearest end when elements
are read, and left out when they are written. Known positions (Python integers, lists, NumPy arrays) are checked.

Arrays of positions broadcast against each other. Their axes stand where the arrays stand if these are side by side,
else in front, and integers between them count as arrays: as in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rosin.frontend import core
from rosin.frontend.errors import BoundsError
from rosin.frontend.numpy import brackets, counted, creation, elementwise, logic, manipulation, promote
from rosin.frontend.numpy.brackets import At, Entry, New, Positions, Span
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.trace import located
from rosin.ir import dims, dtypes
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.ops.index import DynamicSlice, Gather, Numbers
from rosin.ir.ops.logic import Select
from rosin.ir.ops.movement import Pad, Reverse, Slice
from rosin.ir.ops.scatter import ScatterAdd, ScatterMax, ScatterMin, ScatterMul, ScatterSet
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Change = Literal["set", "add", "multiply", "min", "max"]


# -- reading -----------------------------------------------------------------------------------------------------------


@core.fresh
def getitem(x: ArrayLike, index: Any, /) -> Array:
    """`x[index]`, index being an integer, a slice, None, `...`, an array of integers or of truth values, or a tuple.

    Raises:
        BoundsError: a known position is outside its axis, or there are more indices than axes.
        DTypeError: an entry is no index.
        ShapeError: arrays of positions do not broadcast.
        TraceError: a bound of a slice is traced; `rosin.size` makes a size of it.
    """
    operand, index = brackets.opened("getitem", promote.array("getitem", x), index)
    if counted.is_counted(index) and core.dtype_of(index).kind == "bool" and len(core.shape_of(index)) > 1:
        operand, index = _in_rows("getitem", operand, index), manipulation.ravel(index)
    entries = brackets.parse("getitem", operand, index)
    part = _basic(operand, entries)
    if not any(isinstance(entry, Positions) for entry in entries):
        return part
    layout = _Layout.of("getitem", operand, entries)
    kept = [entry for entry in entries if not isinstance(entry, At)]
    axes = [axis for axis, entry in enumerate(kept) if isinstance(entry, Positions)]
    arrays = [from_front(entry, core.shape_of(part)[axis]) for axis, entry in zip(axes, layout.positions, strict=True)]
    return _gather(part, axes, arrays, layout)


def _basic(x: Array, entries: Sequence[Entry]) -> Array:
    """The part of x that known positions and slices take; axes of unknown positions stay whole, where they are."""
    axes = [entry for entry in entries if not isinstance(entry, New)]
    shape = core.shape_of(x)
    starts: list[Dim] = []
    limits: list[Dim] = []
    steps: list[int] = []
    reverse: list[int] = []
    for axis, entry in enumerate(axes):
        start, limit, step = 0, shape[axis], 1
        if isinstance(entry, At):
            start, limit = entry.position, entry.position + 1
        elif isinstance(entry, Span):
            start, limit, step = _forward(entry)
            if entry.step < 0:
                reverse.append(axis)
        starts.append(start)
        limits.append(limit)
        steps.append(step)
    if any(starts) or tuple(limits) != shape or any(step != 1 for step in steps):
        x = core.bind1(Slice(tuple(starts), tuple(limits), tuple(steps)), x)
    if reverse:
        x = core.bind1(Reverse(tuple(reverse)), x)
    sizes = iter(core.shape_of(x))
    kept = [1 if isinstance(entry, New) else next(sizes) for entry in entries]
    return manipulation.reshape(x, [s for s, entry in zip(kept, entries, strict=True) if not isinstance(entry, At)])


def _forward(span: Span) -> tuple[Dim, Dim, int]:
    """Start, limit and step of the slice that takes the elements of a span in their order in the array."""
    first, count, step = span.first, span.count, span.step
    if count == 0:
        return 0, 0, 1
    last = first + (count - 1) * step
    return (first, last + 1, step) if step > 0 else (last, first + 1, -step)


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where the axes of arrays of positions stand in `x[…]`."""

    positions: list[Positions]
    shape: promote.Shape
    """What the arrays broadcast to."""
    place: int
    """The axis of the result that the first of their axes is."""

    @staticmethod
    def of(name: str, x: Array, entries: Sequence[Entry]) -> _Layout:
        found = [entry for entry in entries if isinstance(entry, Positions)]
        shape = promote.broadcast_arrays_shape(name, [entry.array for entry in found])
        places = [i for i, entry in enumerate(entries) if isinstance(entry, Positions | At)]
        together = places[-1] - places[0] + 1 == len(places)
        return _Layout(found, shape, places[0] if together else 0)

    @property
    def axes(self) -> range:
        return range(self.place, self.place + len(self.shape))


def _gather(x: Array, axes: Sequence[int], arrays: Sequence[Array], layout: _Layout) -> Array:
    """The elements of x at positions along some axes, for each place along the others."""
    shape = core.shape_of(x)
    hollow = next((axis for axis in axes if shape[axis] == 0), None)
    if hollow is not None:
        others = [size for axis, size in enumerate(shape) if axis not in axes]
        result = (*others[: layout.place], *layout.shape, *others[layout.place :])
        if 0 not in result:
            message = f"getitem: axis {hollow} has no elements to take"
            raise located(BoundsError(message, [core.type_of(x)]))
        return promote.number("getitem", 0, TensorType(core.dtype_of(x), result))
    if not layout.shape:
        sizes = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
        given = one_dtype(arrays)
        zero = promote.number("getitem", 0, TensorType(core.dtype_of(given[0])))
        starts = [given[axes.index(axis)] if axis in axes else zero for axis in range(len(shape))]
        return manipulation.squeeze(core.bind1(DynamicSlice(sizes), x, *starts), tuple(axes))
    vectors, vector_axis = _vectors(arrays, layout.shape)
    rank = len(layout.shape) + len(shape) - len(axes)
    offsets = tuple(axis for axis in range(rank) if axis not in layout.axes)
    numbers = Numbers(offsets, tuple(axes), (), (), tuple(axes), vector_axis)
    sizes = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return core.bind1(Gather(*numbers, slice_sizes=sizes, mode="clip"), x, vectors)


def at_places(x: Array, where: Array, axis: int = 0) -> Array:
    """The parts of x at places along an axis, none of which is negative."""
    layout = _Layout([], core.shape_of(where), axis)
    return _gather(x, [axis], [where], layout)


def _vectors(arrays: Sequence[Array], shape: promote.Shape) -> tuple[Array, int]:
    """Positions along several axes as vectors along a last axis, which single ones lack, and where that is."""
    spread = [promote.spread(array, shape) for array in one_dtype(arrays)]
    return (spread[0] if len(spread) == 1 else manipulation.stack(spread, axis=-1)), len(shape)


def one_dtype(arrays: Sequence[Array]) -> list[Array]:
    wide = dtypes.i64 if any(core.dtype_of(array) == dtypes.i64 for array in arrays) else dtypes.i32
    return [promote.cast(array, wide) for array in arrays]


def from_front(entry: Positions, size: Dim) -> Array:
    """The positions, negative ones counted from the front, in an element type that holds every position of the axis."""
    own = core.dtype_of(entry.array)
    small = own.bits < 32 or own == dtypes.i32
    wide = dtypes.i32 if small and (not isinstance(size, int) or size <= dtypes.i32.highest) else dtypes.i64
    if entry.known is not None and isinstance(size, int):
        return core.asarray(np.where(entry.known < 0, entry.known + size, entry.known).astype(wide.numpy))
    array = promote.cast(entry.array, wide)
    if own.kind == "uint" or entry.from_front:
        return array
    moved = elementwise.add(array, counted.number(size, wide))
    return logic.where(logic.less(array, 0), moved, array)


def _in_rows(name: str, x: Array, mask: Array) -> Array:
    """x with the first axes, which a mask is for, as one."""
    own = brackets.masked_sizes(name, x, core.shape_of(mask))
    return manipulation.reshape(x, (dims.product(own), *core.shape_of(x)[len(own) :]))


def take(x: ArrayLike, indices: ArrayLike, /, axis: int | None = None, *, mode: str = "raise") -> Array:
    """The elements of x at positions along an axis: the result has the axes of `indices` in its place.

    Without an axis the elements of x are counted in row-major order. Positions outside are moved to the nearest end,
    those before the first one with mode "clip" too; with "wrap" they count modulo the size.

    Raises:
        AttributeValueError: there is no such mode.
    """
    operand = promote.array("take", x)
    if axis is None:
        operand, axis = manipulation.ravel(operand), 0
    place = promote.as_axis("take", axis, len(core.shape_of(operand)), operand)
    given = promote.array("take", indices)
    if mode not in ("raise", "clip", "wrap"):
        promote.bad_value(f'take: the mode is "raise", "clip" or "wrap", not {mode!r}', operand)
    if mode == "clip":
        given = elementwise.maximum(given, 0)
    elif mode == "wrap":
        wide = given if core.dtype_of(given).bits >= 32 else promote.cast(given, dtypes.i32)
        given = elementwise.remainder(wide, counted.number(core.shape_of(operand)[place], core.dtype_of(wide)))
    return getitem(operand, (*(slice(None),) * place, given))


def take_along_axis(x: ArrayLike, indices: ArrayLike, /, axis: int = -1) -> Array:
    """For each line along an axis the elements at that line's own positions; the other axes broadcast.

    Raises:
        ShapeError: x and the indices differ in rank.
        DTypeError: the positions are no integers.
    """
    return _along(promote.array("take_along_axis", x), Positions(promote.array("take_along_axis", indices)), axis)


def at_own_places(x: Array, places: Array, axis: int = -1) -> Array:
    """As `take_along_axis`, of places none of which is negative."""
    return _along(x, Positions(places, from_front=True), axis)


def _along(operand: Array, positions: Positions, axis: int) -> Array:
    """The elements at each line's own positions."""
    given = positions.array
    shape, wanted = core.shape_of(operand), core.shape_of(given)
    if len(shape) != len(wanted):
        promote.bad_shape(f"take_along_axis: ranks {len(shape)} and {len(wanted)} differ", operand, given)
    if not core.dtype_of(given).is_integer:
        promote.bad_dtype("take_along_axis: positions are integers", operand, given)
    place = promote.as_axis("take_along_axis", axis, len(shape), operand)
    others = tuple(i for i in range(len(shape)) if i != place)
    sizes = [tuple(s[i] for i in others) for s in (shape, wanted)]
    common = list(promote.broadcast_batch("take_along_axis", (operand, sizes[0]), (given, sizes[1])))
    full, picked = list(common), list(common)
    full.insert(place, shape[place])
    picked.insert(place, wanted[place])
    numbers = Numbers((), (place,), others, others, (place,), len(shape))
    vectors = promote.spread(from_front(positions, shape[place]), tuple(picked))
    op = Gather(*numbers, slice_sizes=(1,) * len(shape), mode="clip")
    return core.bind1(op, promote.spread(operand, tuple(full)), vectors)


# -- writing -----------------------------------------------------------------------------------------------------------


@core.fresh
def changed(x: Array, index: Any, change: Change, values: ArrayLike) -> Array:
    """x with other elements at `x[index]`: `values`, or what is there combined with them; values broadcast.

    Positions outside their axis are left out. Where one place is meant several times, `set` keeps the last value, and
    the others combine all of them.

    Raises:
        ShapeError: the values do not broadcast to the shape of `x[index]`.
        DTypeError: the values do not fit the element type of x.
        BoundsError: a known position is outside its axis, or there are more indices than axes.
    """
    name = f"at[…].{change}"
    wider, place = brackets.opened(name, x, index)
    if wider is not x:
        return manipulation.reshape(changed(wider, place, change, values), core.shape_of(x))
    mask = _traced_mask(x, index)
    if mask is not None:
        updates = fitting(name, x, values)
        if len(core.shape_of(updates)) <= len(core.shape_of(x)) - len(core.shape_of(mask)):
            return _change_masked(name, x, mask, change, updates)
    entries = brackets.parse(name, x, index)
    updates = fitting(name, x, values)
    if change != "set" and change not in ("min", "max"):
        promote.numeric(name, x)
    if change == "set" and core.tracing() and _is_small(x, entries):
        # One place of many, as a step of a loop sets it: a scatter leaves the others alone.
        first = next(i for i, entry in enumerate(entries) if isinstance(entry, At))
        entries[first] = _as_positions(entries[first])
    if any(isinstance(entry, Positions) for entry in entries):
        return _scatter(name, x, entries, change, updates)
    return _change_part(name, x, entries, change, updates)


_MANY, _SHARE = 256, 16


def _is_small(x: Array, entries: Sequence[Entry]) -> bool:
    """Whether a part at a known position is small in an array that is not."""
    shape = core.shape_of(x)
    axes = [entry for entry in entries if isinstance(entry, At | Span)]
    if not dims.is_static(shape) or len(axes) < len(shape) or not any(isinstance(e, At) for e in axes):
        return False
    part = math.prod(e.count if isinstance(e, Span) and isinstance(e.count, int) else 1 for e in axes)
    whole = dims.product(shape)
    return isinstance(whole, int) and whole >= _MANY and part * _SHARE <= whole


def _as_positions(entry: Entry) -> Positions:
    """A known position as an array of none or one."""
    assert isinstance(entry, At)
    known = np.asarray(entry.position, np.int32)
    return Positions(core.asarray(known), known)


def _traced_mask(x: Array, index: Any) -> Array | None:
    """The index, if it is a traced mask of truth values for the first axes of x."""
    if not core.is_tracer(index) or core.dtype_of(index).kind != "bool":
        return None
    shape, own = core.shape_of(index), core.shape_of(x)
    return index if shape and shape == own[: len(shape)] else None


def _change_masked(name: str, x: Array, mask: Array, change: Change, updates: Array) -> Array:
    """A change where a traced mask holds. How many places that are is not known, so all get the same.

    Raises:
        ShapeError: the updates are not the same for all places.
    """
    shape = core.shape_of(x)
    rest = shape[len(core.shape_of(mask)) :]
    updates = promote.spread(promote.spread_to(name, updates, rest), shape)
    spread = manipulation.reshape(mask, (*core.shape_of(mask), *[1] * len(rest)))
    if change != "set":
        updates = _functions(change, core.dtype_of(x))[0](x, updates)
    return logic.where(spread, updates, x)


def fitting(name: str, x: Array, values: ArrayLike) -> Array:
    """The values in the element type of x, which has to hold their kind of numbers."""
    own = core.dtype_of(x)
    if core.is_scalar(values):
        asked = promote.promote_weak(own, promote.own_dtype(values))
        if asked != own:
            promote.bad_dtype(f"{name}: an array of {own} does not hold {values!r}; make it {asked} first", x)
        return promote.number(name, values, TensorType(own))
    given = promote.array(name, values)
    kind = core.dtype_of(given)
    if (
        promote.promote_types(own, kind) != own
        and not (own.kind == kind.kind and own.differentiable)
        and not (own.is_complex and kind.is_float)
        and not (own.is_integer and kind.is_integer)
    ):
        promote.bad_dtype(f"{name}: an array of {own} does not hold values of {kind}; cast them first", x, given)
    return promote.cast(given, own)


def _change_part(name: str, x: Array, entries: Sequence[Entry], change: Change, updates: Array) -> Array:
    """A change of a known part, by padding the updates to the shape of x with values that change nothing."""
    shape, dtype = core.shape_of(x), core.dtype_of(x)
    result = [1 if isinstance(e, New) else e.count for e in entries if isinstance(e, New | Span)]
    updates = promote.spread_to(name, updates, tuple(result))
    if 0 in result:
        return x
    axes = [entry for entry in entries if isinstance(entry, At | Span)]
    updates = manipulation.reshape(updates, [entry.count if isinstance(entry, Span) else 1 for entry in axes])
    reverse = tuple(axis for axis, entry in enumerate(axes) if isinstance(entry, Span) and entry.step < 0)
    if reverse:
        updates = core.bind1(Reverse(reverse), updates)
    bounds = [_forward(e) if isinstance(e, Span) else (e.position, e.position + 1, 1) for e in axes]
    low = tuple(start for start, _, _ in bounds)
    high = tuple(size - limit for size, (_, limit, _) in zip(shape, bounds, strict=True))
    interior = tuple(step - 1 for _, _, step in bounds)
    pad = Pad(low, high, interior) if any((*low, *high, *interior)) else None
    if change == "set":
        if pad is None:
            return updates
        inside = promote.number(name, True, TensorType(dtypes.bool_, core.shape_of(updates)))
        mask = core.bind1(pad, inside, promote.number(name, False, TensorType(dtypes.bool_)))
        return core.bind1(Select(), mask, _padded(name, pad, updates, 0), x)
    function, neutral = _functions(change, dtype)
    return function(x, updates if pad is None else _padded(name, pad, updates, neutral))


def _padded(name: str, pad: Pad, updates: Array, value: complex) -> Array:
    return core.bind1(pad, updates, promote.number(name, value, TensorType(core.dtype_of(updates))))


def _functions(change: Change, dtype: DType) -> Any:
    """The function that combines old and new elements, and the new element that changes no old one."""
    # Zero added to -0.0 gives 0.0; -0.0 changes nothing.
    if change == "add":
        return elementwise.add, complex(-0.0, -0.0) if dtype.is_complex else -0.0 if dtype.is_float else 0
    if change == "multiply":
        return elementwise.multiply, 1
    return (elementwise.minimum, dtype.highest) if change == "min" else (elementwise.maximum, dtype.lowest)


_SCATTERS = {"set": ScatterSet, "add": ScatterAdd, "multiply": ScatterMul, "min": ScatterMin, "max": ScatterMax}


def _scatter(name: str, x: Array, entries: Sequence[Entry], change: Change, updates: Array) -> Array:
    """A change at computed positions. Axes that are changed as a whole run within the slices of one scatter."""
    layout = _Layout.of(name, x, entries)
    shape = core.shape_of(x)
    result: list[Dim] = []
    owner: list[int] = []
    axis = 0
    for entry in entries:
        if isinstance(entry, New | Span):
            result.append(1 if isinstance(entry, New) else entry.count)
            owner.append(-1 if isinstance(entry, New) else axis)
        axis += not isinstance(entry, New)
    result[layout.place : layout.place] = layout.shape
    owner[layout.place : layout.place] = [-2] * len(layout.shape)
    updates = promote.spread_to(name, updates, tuple(result))
    # The axes of the updates: those of positions (-2), or of slices, by their axis of x; new axes are dropped.
    updates = manipulation.reshape(updates, [n for n, own in zip(result, owner, strict=True) if own != -1])
    owner = [own for own in owner if own != -1]
    axes = [entry for entry in entries if not isinstance(entry, New)]
    whole = {i for i, e in enumerate(axes) if isinstance(e, Span) and (e.first, e.count, e.step) == (0, shape[i], 1)}
    batch = [place for place, own in enumerate(owner) if own not in whole]
    sizes = tuple(core.shape_of(updates)[place] for place in batch)
    mapped = [i for i in range(len(axes)) if i not in whole]
    if any(shape[i] == 0 for i in mapped):
        return x
    lines = [_line(axes[i], shape[i], [owner[place] for place in batch], i) for i in mapped]
    vectors, vector_axis = _vectors(lines, sizes)
    offsets = tuple(place for place, own in enumerate(owner) if own in whole)
    numbers = Numbers(offsets, tuple(mapped), (), (), tuple(mapped), vector_axis)
    op = _SCATTERS[change](*numbers, "drop", _distinct(layout, shape, axes))
    return core.bind1(op, x, vectors, updates)


def _line(entry: Entry, size: Dim, owner: Sequence[int], axis: int) -> Array:
    """The positions along one axis of x, shaped to broadcast over the axes of the updates that are not whole slices."""
    if isinstance(entry, Positions):
        array = from_front(entry, size)
        own = list(core.shape_of(array))
        count = owner.count(-2)
        own = [1] * (count - len(own)) + own
        places = iter(own)
        return manipulation.reshape(array, [next(places) if o == -2 else 1 for o in owner])
    if isinstance(entry, Span):
        line = creation.iota(dtypes.i32, tuple(entry.count if o == axis else 1 for o in owner), owner.index(axis))
        scaled = line if entry.step == 1 else elementwise.multiply(line, entry.step)
        return elementwise.add(scaled, counted.number(entry.first, dtypes.i32))
    assert isinstance(entry, At)
    position = counted.number(entry.position, dtypes.i32)
    return promote.number("getitem", position, TensorType(dtypes.i32)) if isinstance(position, int) else position


def _distinct(layout: _Layout, shape: promote.Shape, axes: Sequence[Entry]) -> bool:
    """Whether no two updates can go to one place: the positions are one each, or known and different."""
    if not layout.shape:
        return True
    known, size = layout.positions[0].known, shape[axes.index(layout.positions[0])]
    if len(layout.positions) > 1 or known is None or not isinstance(size, int):
        return False
    return np.unique(np.where(known < 0, known + size, known)).size == known.size


def assigned(name: str, x: ArrayLike, result: Array, inplace: bool) -> Array | None:
    """The result, assigned to the array itself if that is asked for."""
    if not inplace:
        return result
    if not promote.is_array(x):
        promote.bad_dtype(f"{name}: assigns to an array of Rosin's, not to {type(x).__name__}; inplace=False does not")
    x[...] = result
    return None
