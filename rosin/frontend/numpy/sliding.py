"""Parts of arrays that start at traced places: `dynamic_slice` and `dynamic_update_slice`, with JAX's meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.brackets import Positions
from rosin.frontend.numpy.indexing import from_front, one_dtype
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.sizes import Size, as_dim
from rosin.ir.ops.index import DynamicSlice, DynamicUpdateSlice

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def dynamic_slice(operand: ArrayLike, start_indices: Sequence[ArrayLike], slice_sizes: Sequence[int | Size]) -> Array:
    """The part of an array that has these sizes and starts at these places, one of each for each axis.

    Places are integers, traced or not. A part that would reach beyond an end is moved back to lie inside; a negative
    place counts from the end.

    Raises:
        ShapeError: there is not one place and one size for each axis, or a size is larger than its axis.
        DTypeError: a place is no integer.
    """
    x = promote.array("dynamic_slice", operand)
    sizes = tuple(as_dim(size) for size in slice_sizes)
    if len(sizes) != len(core.shape_of(x)):
        promote.bad_shape(f"dynamic_slice: {len(sizes)} sizes for an array of {len(core.shape_of(x))} axes", x)
    return core.bind1(DynamicSlice(sizes), x, *_starts("dynamic_slice", x, start_indices))


def dynamic_update_slice(operand: ArrayLike, update: ArrayLike, start_indices: Sequence[ArrayLike]) -> Array:
    """The array with `update` in place of its own part that starts at these places, one for each axis.

    The update has as many axes and takes the element type of the array. Places are as for `dynamic_slice`.

    Raises:
        ShapeError: there is not one place for each axis, or the update has other axes or is larger.
        DTypeError: a place is no integer, or the element type of the array does not hold that of the update.
    """
    x, part = promote.array("dynamic_update_slice", operand), promote.array("dynamic_update_slice", update)
    if core.is_weak(part):
        part = core.cast(part, core.dtype_of(x))
    return core.bind1(DynamicUpdateSlice(), x, part, *_starts("dynamic_update_slice", x, start_indices))


def _starts(name: str, x: Array, places: Sequence[ArrayLike]) -> list[Array]:
    """The places as integers of one type, those from the end counted from the start."""
    shape = core.shape_of(x)
    if len(places) != len(shape):
        promote.bad_shape(f"{name}: {len(places)} places for an array of {len(shape)} axes", x)
    arrays = [promote.array(name, place) for place in places]
    for array in arrays:
        if not core.dtype_of(array).is_integer or core.shape_of(array):
            promote.bad_dtype(f"{name}: a place is an integer without axes", array)
    return one_dtype([from_front(Positions(a), size) for a, size in zip(arrays, shape, strict=True)])
