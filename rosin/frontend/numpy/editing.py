"""Elements put in, taken out and overwritten, under NumPy's names; `x.at[index].set(values)` says most of it too.

`put`, `place`, `putmask`, `put_along_axis` and `fill_diagonal` assign to the array that they are given, as
`x[index] = values` does, and return nothing; with `inplace=False` they leave it and return another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_INT
from rosin.frontend.errors import BoundsError
from rosin.frontend.numpy import (
    counted,
    creation,
    elementwise,
    indexing,
    logic,
    manipulation,
    promote,
    reductions,
    running,
)
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.trace import located
from rosin.ir import dims, facts
from rosin.ir.dims import Dim
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array


# -- taking out and putting in -----------------------------------------------------------------------------------------


def _lines(name: str, x: ArrayLike, axis: int | None) -> tuple[Array, int, int]:
    """The operand, the axis to work along, and its size; without an axis it is a vector in row-major order."""
    operand = promote.array(name, x)
    if axis is None:
        operand, axis = manipulation.ravel(operand), 0
    along = promote.as_axis(name, axis, len(core.shape_of(operand)), operand)
    return operand, along, promote.static_size(name, operand, along)


def _positions(name: str, x: Array, obj: Any, size: int, most: int) -> np.ndarray[Any, Any]:
    """Known positions along an axis of `size`, counted from the front, each below `most`."""
    if isinstance(obj, slice):
        return np.arange(*cast("slice[Any, Any, Any]", obj).indices(size))
    if promote.is_array(obj):
        instead = "give positions that are known when the function is traced, or a mask to index with"
        obj = core.concrete(obj, f"{name}: positions settle what is left", instead)
    known = np.asarray(obj)
    known = known.astype(np.int64) if not known.size else known
    if known.dtype == np.bool_:
        if known.shape != (size,):
            promote.bad_shape(f"{name}: a mask of shape {list(known.shape)} for {size} elements", x)
        return np.flatnonzero(known)
    if known.dtype.kind not in "iu":
        promote.bad_dtype(f"{name}: positions are integers or a mask, not {known.dtype}", x)
    known = known.ravel() if known.ndim else known
    for place in known.ravel():
        if not -size <= place < most:
            message = f"{name}: position {place} is out of range for an axis of size {size}"
            raise located(BoundsError(message, [core.type_of(x)]))
    return np.where(known < 0, known + size, known)


def delete(x: ArrayLike, obj: Any, axis: int | None = None) -> Array:
    """x without the slices at positions along an axis; without an axis, without these elements in row-major order.

    obj: a position, several, a slice, or a mask; they are known when it is called. (A traced mask selects what stays by
        `x[~mask]`.)

    Raises:
        BoundsError: a position is out of range.
    """
    operand, along, size = _lines("delete", x, axis)
    gone = _positions("delete", operand, obj, size, size)
    stay = np.setdiff1d(np.arange(size), gone)
    return indexing.take(operand, core.asarray(stay.astype(np.int32)), axis=along)


def insert(x: ArrayLike, obj: Any, values: ArrayLike, axis: int | None = None) -> Array:
    """x with values put in before positions along an axis, which are counted in x itself.

    obj: a position, several, a slice, or a mask; they are known when it is called.
    values: broadcast to the slices that are put in.

    Raises:
        BoundsError: a position is out of range.
        ShapeError: the values do not fit.
    """
    operand, along, size = _lines("insert", x, axis)
    places = _positions("insert", operand, obj, size, size + 1)
    given = core.asarray(values, core.dtype_of(operand))
    shape = core.shape_of(operand)
    rank = len(shape)
    if places.ndim == 0 and axis is not None and rank > 1 and len(core.shape_of(given)) == rank - 1:
        # For one position a slice that lacks the axis is meant.
        given = manipulation.expand_dims(given, along)
    if places.ndim == 0:
        # As many slices go there as the values have.
        own = along - rank + len(core.shape_of(given))
        places = np.full(promote.static_size("insert", given, own) if own >= 0 else 1, places)
    given = promote.spread_to("insert", given, (*shape[:along], places.size, *shape[along + 1 :]))
    order = np.argsort(places, kind="stable")
    source = np.insert(np.arange(size), places[order], size + order)
    both = manipulation.concat([operand, given], axis=along)
    return indexing.take(both, core.asarray(source.astype(np.int32)), axis=along)


def resize(x: ArrayLike, new_shape: Dim | Sequence[Dim]) -> Array:
    """The elements in row-major order in another shape, again from the start where it has more; zeros of none."""
    flat = manipulation.ravel(promote.array("resize", x))
    shape = promote.as_shape("resize", new_shape)
    total, (count,) = dims.product(shape), core.shape_of(flat)
    if count == 0 or total == 0:
        return creation.zeros(shape, dtype=core.dtype_of(flat))
    if not isinstance(total, int) or not isinstance(count, int):
        promote.bad_shape(f"resize: symbolic sizes, from {count} to {total} elements, are not resized", flat)
    repeated = manipulation.tile(flat, -(-total // count))
    return manipulation.reshape(manipulation.slice_axis(repeated, 0, 0, total), shape)


def trim_zeros(filt: ArrayLike, /, trim: str = "fb") -> Array:
    """A vector without the zeros in front ("f" in `trim`) and at the back ("b"). In a traced function the size of the
    result is one that the program measures.

    Raises:
        ShapeError: it is no vector.
        AttributeValueError: `trim` has other letters.
    """
    line = promote.array("trim_zeros", core.asarray(filt))
    if len(core.shape_of(line)) != 1:
        promote.bad_shape(f"trim_zeros: takes a vector, not an array of rank {len(core.shape_of(line))}", line)
    sides = trim.lower()
    if not sides or set(sides) - set("fb"):
        promote.bad_value(f'trim_zeros: trim is "f", "b" or "fb", not {trim!r}', line)
    if core.shape_of(line)[0] == 0:
        return manipulation.ravel(line)
    there = promote.cast(logic.not_equal(line, 0), DEFAULT_INT)
    keep = logic.equal(there, there)
    if "f" in sides:
        keep = logic.logical_and(keep, running.cummax(there))
    if "b" in sides:
        keep = logic.logical_and(keep, manipulation.flip(running.cummax(manipulation.flip(there))))
    return indexing.getitem(line, keep)


# -- overwriting -------------------------------------------------------------------------------------------------------


def _fitting(name: str, x: Array, values: ArrayLike | Sequence[Any]) -> Array:
    """Values in the element type of x, which has to hold their kind of numbers; lists of numbers are as NumPy's."""
    return indexing.fitting(name, x, np.asarray(values) if isinstance(values, Sequence) else values)


def _placed(name: str, where: ArrayLike | Sequence[int], size: Dim, mode: str) -> Any:
    """Positions to index with: as they are, so that known ones are checked, or brought into 0 … size - 1 by a mode."""
    places = core.asarray(where)
    if not core.dtype_of(places).is_integer:
        promote.bad_dtype(f"{name}: positions are integers, not {core.dtype_of(places)}", places)
    if mode not in ("raise", "wrap", "clip"):
        promote.bad_value(f'{name}: the mode is "raise", "wrap" or "clip", not {mode!r}', places)
    number = counted.number(size, core.dtype_of(places))
    if mode == "wrap":
        return elementwise.remainder(places, number)
    if mode == "clip":
        return elementwise.clip(places, 0, elementwise.subtract(number, 1))
    return where if promote.is_array(where) else np.asarray(where)


def put(
    x: ArrayLike, ind: ArrayLike | Sequence[int], v: ArrayLike, mode: str = "raise", *, inplace: bool = True
) -> Array | None:
    """The elements at positions in row-major order set to values, which are repeated until there are enough.

    mode: what positions outside mean: "raise" refuses them where they are known, and leaves out computed ones; "wrap"
        counts them modulo the number of elements, "clip" moves them to the nearest end.

    Raises:
        BoundsError: a known position is outside.
        DTypeError: the positions are no integers, or the values do not fit the element type of x.
    """
    operand = promote.array("put", x)
    flat = manipulation.ravel(operand)
    places = _placed("put", ind, core.shape_of(flat)[0], mode).ravel()
    values = manipulation.ravel(_fitting("put", operand, v))
    if core.shape_of(values)[0] == 0 or places.size == 0:
        return indexing.assigned("put", x, core.another(operand, (x,)), inplace)
    result = flat.at[places].set(resize(values, places.size))
    return indexing.assigned("put", x, manipulation.reshape(result, core.shape_of(operand)), inplace)


def put_along_axis(
    x: ArrayLike, indices: ArrayLike, values: ArrayLike, axis: int | None = -1, *, inplace: bool = True
) -> Array | None:
    """For each line along an axis, the elements at that line's own positions set to values.

    Raises:
        ShapeError: x and the indices differ in rank, or the values do not broadcast to the indices.
        DTypeError: the positions are no integers.
    """
    operand, places = promote.array("put_along_axis", x), core.asarray(indices)
    shape = core.shape_of(operand)
    lines = manipulation.ravel(operand) if axis is None else operand
    along = promote.as_axis("put_along_axis", 0 if axis is None else axis, len(core.shape_of(lines)), operand)
    own = core.shape_of(places)
    if len(own) != len(core.shape_of(lines)):
        promote.bad_shape(f"put_along_axis: ranks {len(core.shape_of(lines))} and {len(own)} differ", operand, places)
    if not core.dtype_of(places).is_integer:
        promote.bad_dtype("put_along_axis: positions are integers", operand, places)
    others = [size if i != along else own[along] for i, size in enumerate(core.shape_of(lines))]
    places = promote.spread_to("put_along_axis", places, tuple(others))
    index = [creation.iota(DEFAULT_INT, tuple(others), i) if i != along else places for i in range(len(others))]
    result = lines.at[tuple(index)].set(_fitting("put_along_axis", operand, values))
    return indexing.assigned("put_along_axis", x, manipulation.reshape(result, shape), inplace)


def place(x: ArrayLike, mask: ArrayLike, vals: ArrayLike, *, inplace: bool = True) -> Array | None:
    """The elements where a mask holds set to values in turn, which are repeated until there are enough.

    Raises:
        ShapeError: the mask has another number of elements than x, or there are no values.
    """
    operand, test = promote.array("place", x), logic.truth("place", mask)
    values = manipulation.ravel(_fitting("place", operand, vals))
    if not facts.same(core.type_of(operand).size, core.type_of(test).size):
        shapes = f"{shape_text(core.shape_of(test))} and x has {shape_text(core.shape_of(operand))}"
        promote.bad_shape(f"place: the mask has shape {shapes}", operand, test)
    if 0 in core.shape_of(values):
        promote.bad_shape("place: there are no values to set", operand, values)
    flat, holds = manipulation.ravel(operand), manipulation.ravel(test)
    number = elementwise.subtract(reductions.cumsum(holds, dtype=DEFAULT_INT), 1)
    number = elementwise.remainder(number, counted.number(core.shape_of(values)[0], DEFAULT_INT))
    result = logic.where(holds, indexing.at_places(values, number), flat)
    return indexing.assigned("place", x, manipulation.reshape(result, core.shape_of(operand)), inplace)


def putmask(x: ArrayLike, mask: ArrayLike, values: ArrayLike, *, inplace: bool = True) -> Array | None:
    """Each element where a mask holds set to the value at its own place, values being repeated as often as it takes.

    Raises:
        ShapeError: the mask has another shape than x.
    """
    operand, test = promote.array("putmask", x), logic.truth("putmask", mask)
    shape = core.shape_of(operand)
    if not facts.same_shape(core.shape_of(test), shape):
        shapes = f"{shape_text(core.shape_of(test))} and x has {shape_text(shape)}"
        promote.bad_shape(f"putmask: the mask has shape {shapes}", operand, test)
    chosen = resize(_fitting("putmask", operand, values), shape)
    return indexing.assigned("putmask", x, logic.where(test, chosen, operand), inplace)


def fill_diagonal(x: ArrayLike, val: ArrayLike, wrap: bool = False, *, inplace: bool = True) -> Array | None:
    """The main diagonal set to values, which are repeated; with `wrap` the diagonal of a tall matrix starts again.

    Raises:
        ShapeError: x has fewer than two axes, or more with unequal sizes.
    """
    operand = promote.array("fill_diagonal", x)
    shape = dims.static(core.shape_of(operand), "fill_diagonal")
    if len(shape) < 2:
        promote.bad_shape(f"fill_diagonal: takes arrays with at least 2 axes, not {len(shape)}", operand)
    if len(shape) > 2 and len(set(shape)) > 1:
        promote.bad_shape(f"fill_diagonal: the axes have sizes {shape_text(shape)}, and no common diagonal", operand)
    total = int(np.prod(shape))
    step = 1 + sum(int(np.prod(shape[i:])) for i in range(1, len(shape)))
    end = total if wrap or len(shape) > 2 else shape[1] * shape[1]
    where = np.arange(0, min(end, total), step)
    flat = manipulation.ravel(operand)
    values = resize(_fitting("fill_diagonal", operand, val), (len(where),))
    result = flat.at[where.astype(np.int32)].set(values) if len(where) else flat
    return indexing.assigned("fill_diagonal", x, manipulation.reshape(result, shape), inplace)


__all__ = ["delete", "fill_diagonal", "insert", "place", "put", "put_along_axis", "putmask", "resize", "trim_zeros"]
