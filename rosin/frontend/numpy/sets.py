"""Distinct elements, and arrays as sets. How many there are depends on data: see `selecting.py`, also for `size`.

Elements are compared by `==`, so -0.0 is 0.0. A NaN is not equal to another one, except where `equal_nan` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_INT
from rosin.frontend.numpy import counted, creation, elementwise, indexing, logic, manipulation, promote, reductions
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.selecting import Count, flatnonzero
from rosin.frontend.numpy.sorting import argsort, lexsort, sort
from rosin.frontend.sizes import sized
from rosin.ir import dims, dtypes

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class UniqueAllResult(NamedTuple):
    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCountsResult(NamedTuple):
    values: Array
    counts: Array


class UniqueInverseResult(NamedTuple):
    values: Array
    inverse_indices: Array


def _unique(name: str, x: ArrayLike, equal_nan: bool, size: Count, axis: int | None = None) -> UniqueAllResult:
    """What is distinct among the elements of x, or among its slices along an axis."""
    operand = promote.array(name, x)
    shape = core.shape_of(operand)
    along = 0 if axis is None else promote.as_axis(name, axis, len(shape), operand)
    whole = manipulation.ravel(operand) if axis is None else manipulation.moveaxis(operand, along, 0)
    order = argsort(whole) if axis is None else _order_of_slices(name, whole)
    line = indexing.at_places(whole, order)
    begins = _begins(line, equal_nan and axis is None)
    which = elementwise.subtract(reductions.cumsum(begins, dtype=DEFAULT_INT), 1)
    inverse = creation.zeros_like(order).at[order].set(which)
    length = counted.number(core.shape_of(whole)[0], DEFAULT_INT)
    starts = flatnonzero(begins, size=size, fill_value=length)
    if size is None:
        counts = elementwise.subtract(_following(starts, length), starts)
    else:
        counts = creation.zeros_like(starts).at[which].add(1)
        starts = logic.where(logic.less(starts, length), starts, 0)
    values = manipulation.moveaxis(indexing.at_places(line, starts), 0, along)
    inverse = manipulation.reshape(inverse, shape) if axis is None else inverse
    return UniqueAllResult(values, indexing.at_places(order, starts), inverse, counts)


def _order_of_slices(name: str, x: Array) -> Array:
    """Where slices along axis 0 come from in their order: that of their first elements, then of the next ones."""
    rows = manipulation.reshape(x, (core.shape_of(x)[0], dims.product(core.shape_of(x)[1:])))
    width = promote.static_size(name, rows, 1)
    return lexsort([rows[:, i] for i in reversed(range(width))])


def _following(line: Array, last: int | Array) -> Array:
    """Each element's next one; that of the last is given."""
    count = counted.number(core.shape_of(line)[0], DEFAULT_INT)
    place = elementwise.add(creation.iota(DEFAULT_INT, core.shape_of(line), 0), 1)
    after = indexing.at_places(line, elementwise.minimum(place, elementwise.subtract(count, 1)))
    return logic.where(logic.less(place, count), after, last)


def _begins(line: Array, equal_nan: bool) -> Array:
    """Where elements of a sorted line, or slices, differ from those before them."""
    place = creation.iota(DEFAULT_INT, core.shape_of(line)[:1], 0)
    before = indexing.at_places(line, elementwise.maximum(elementwise.subtract(place, 1), 0))
    differs = logic.not_equal(line, before)
    if equal_nan and core.dtype_of(line).differentiable:
        differs = logic.logical_and(differs, logic.logical_not(logic.isnan(before)))
    differs = reductions.any(differs, axis=tuple(range(1, len(core.shape_of(line)))))
    return logic.logical_or(logic.equal(place, 0), differs)


def unique_all(x: ArrayLike, /, *, size: Count = None) -> UniqueAllResult:
    """The distinct elements in order; where each is first; for each element of x which it is; how often each is there.

    size: how many there are to be. Where there are fewer, the least one stands again in the end, none of which are
        counted; where there are more, the greatest are left out.
    """
    return _unique("unique_all", x, False, size)


def unique_counts(x: ArrayLike, /, *, size: Count = None) -> UniqueCountsResult:
    """The distinct elements in order, and how often each is there; see `unique_all`."""
    found = _unique("unique_counts", x, False, size)
    return UniqueCountsResult(found.values, found.counts)


def unique_inverse(x: ArrayLike, /, *, size: Count = None) -> UniqueInverseResult:
    """The distinct elements in order, and for each element of x which of them it is; see `unique_all`."""
    found = _unique("unique_inverse", x, False, size)
    return UniqueInverseResult(found.values, found.inverse_indices)


def unique_values(x: ArrayLike, /, *, size: Count = None) -> Array:
    """The distinct elements in order; see `unique_all`."""
    return _distinct(manipulation.ravel(promote.array("unique_values", x)), False, size)


def _distinct(flat: Array, equal_nan: bool, size: Count = None) -> Array:
    line = sort(flat)
    starts = flatnonzero(_begins(line, equal_nan), size=size)
    return indexing.at_places(line, starts)


def unique(
    x: ArrayLike,
    /,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    size: Count = None,
) -> Array | tuple[Array, ...]:
    """The distinct elements of x in order, and what else is asked for, as NumPy gives them; see `unique_all`.

    axis: takes slices along an axis for elements, which are ordered by their first elements, then by the next ones.
        A NaN in a slice makes it differ from all others.
    """
    if axis is None and not (return_index or return_inverse or return_counts):
        return _distinct(manipulation.ravel(promote.array("unique", x)), equal_nan, size)
    found = _unique("unique", x, equal_nan, size, axis)
    asked = (True, return_index, return_inverse, return_counts)
    values, *others = (part for part, is_asked in zip(found, asked, strict=True) if is_asked)
    return (values, *others) if others else values


# -- sets --------------------------------------------------------------------------------------------------------------


def _pair(name: str, x1: ArrayLike, x2: ArrayLike) -> tuple[Array, Array]:
    """The elements of both as lines of one element type."""
    a, b = promote.alike(name, x1, x2)
    return manipulation.ravel(a), manipulation.ravel(b)


def isin(element: ArrayLike, test_elements: ArrayLike, /, assume_unique: bool = False, invert: bool = False) -> Array:
    """Whether each element is among others, or is not. What is assumed of them would save nothing."""
    asked, others = promote.alike("isin", element, test_elements)
    first = manipulation.ravel(asked)
    which = unique_inverse(manipulation.concat([first, manipulation.ravel(others)])).inverse_indices
    (count,) = core.shape_of(first)
    among = creation.zeros_like(which, dtype=dtypes.bool_).at[which[sized(count) :]].set(True)
    found = indexing.at_places(among, which[: sized(count)])
    return manipulation.reshape(logic.logical_not(found) if invert else found, core.shape_of(asked))


def union1d(x1: ArrayLike, x2: ArrayLike, /, *, size: Count = None) -> Array:
    """The distinct elements that are in one of the arrays, in order."""
    return _distinct(manipulation.concat(_pair("union1d", x1, x2)), True, size)


def intersect1d(x1: ArrayLike, x2: ArrayLike, /, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The distinct elements that are in both arrays, in order.

    With `return_indices` also where each is first in the one array, and in the other. With `assume_unique` no element
    is twice in an array.
    """
    lines = _pair("intersect1d", x1, x2)
    if not return_indices:
        first, second = (sort(x) if assume_unique else _distinct(x, True) for x in lines)
        return first[isin(first, second)]
    found = [_unique("intersect1d", x, True, None) for x in lines]
    first, second = (x.values for x in found)
    among = isin(first, second), isin(second, first)
    return (first[among[0]], *(x.indices[mask] for x, mask in zip(found, among, strict=True)))


def setdiff1d(x1: ArrayLike, x2: ArrayLike, /, assume_unique: bool = False) -> Array:
    """The distinct elements of the first array that are not in the second, in order.

    With `assume_unique` those of the first array as they stand there.
    """
    first, second = _pair("setdiff1d", x1, x2)
    first = first if assume_unique else _distinct(first, True)
    return first[isin(first, second, invert=True)]


def setxor1d(x1: ArrayLike, x2: ArrayLike, /, assume_unique: bool = False) -> Array:
    """The distinct elements that are in one of the arrays alone, in order; of NaNs one from each.

    With `assume_unique` no element is twice in an array.
    """
    first, second = _pair("setxor1d", x1, x2)
    left, right = setdiff1d(first, second, assume_unique), setdiff1d(second, first, assume_unique)
    return sort(manipulation.concat([left, right]))
