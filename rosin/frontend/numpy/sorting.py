"""Sorting, and the places that elements have in order.

The order is NumPy's: NaNs are the greatest, and -0.0 ties with 0.0. Complex numbers are ordered by their real parts,
and where these are equal by their imaginary ones; those with a NaN in a part are the greatest. Every sort is stable:
elements that tie keep the order they had, in a descending sort too. `axis` is the axis along which lines run; None
takes all elements in row-major order. Places are of the default integer type. Every function raises `ShapeError` for an
axis that there is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import elementwise, logic, manipulation, promote
from rosin.frontend.numpy.complex import imag, real
from rosin.frontend.numpy.indexing import at_own_places
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.dtypes import u8
from rosin.ir.ops import sort as ops
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def _sorted(name: str, op: ops.Sorting, x: ArrayLike, axis: int | None) -> Array:
    """What an op that sorts along the last axis gives along any."""
    operand = promote.array(name, x)
    if axis is None:
        return _line_sorted(op, manipulation.ravel(operand))
    rank = len(core.shape_of(operand))
    along = promote.as_axis(name, axis, rank, operand)
    if along == rank - 1:
        return _line_sorted(op, operand)
    return manipulation.moveaxis(_line_sorted(op, manipulation.moveaxis(operand, along, -1)), -1, along)


def _line_sorted(op: ops.Sorting, x: Array) -> Array:
    """What an op that sorts gives along the last axis, of complex numbers too."""
    if not core.dtype_of(x).is_complex:
        return core.bind1(op, x)
    parts = real(x), imag(x)
    # By the least of the keys first: stable sorts keep what they said.
    keys = (parts[1], parts[0], elementwise.add(*(promote.cast(logic.isnan(p), u8) for p in (parts[0], x))))
    places = core.bind1(ops.ArgSort(op.descending), keys[0])
    if 0 not in core.shape_of(x):
        for key in keys[1:]:
            order = core.bind1(ops.ArgSort(op.descending), at_own_places(key, places))
            places = at_own_places(places, order)
    return places if op.places else at_own_places(x, places) if 0 not in core.shape_of(x) else x


def sort(
    x: ArrayLike,
    /,
    axis: int | None = -1,
    kind: str | None = None,
    *,
    descending: bool = False,
    stable: bool = True,
) -> Array:
    """The elements of each line in order. Every sort is stable, whatever `kind` and `stable` say.

    The derivative goes with the elements; those that tie keep their own.
    """
    _check_kind("sort", kind)
    return _sorted("sort", ops.Sort(bool(descending)), x, axis)


def argsort(
    x: ArrayLike,
    /,
    axis: int | None = -1,
    kind: str | None = None,
    *,
    descending: bool = False,
    stable: bool = True,
) -> Array:
    """Where the elements of each line in order come from. Every sort is stable, whatever `kind` and `stable` say."""
    _check_kind("argsort", kind)
    return _sorted("argsort", ops.ArgSort(bool(descending)), x, axis)


def _check_kind(name: str, kind: str | None) -> None:
    """NumPy's names of algorithms, of which there is one here."""
    if kind not in (None, "quicksort", "mergesort", "heapsort", "stable"):
        promote.bad_value(f'{name}: the kind is "quicksort", "mergesort", "heapsort" or "stable", not {kind!r}')


def sort_complex(x: ArrayLike, /) -> Array:
    """The elements along the last axis in order, as complex numbers."""
    operand = promote.array("sort_complex", x)
    if core.dtype_of(operand).is_complex:
        return sort(operand)
    return promote.cast(sort(operand), core.dtype_of(promote.floating("sort_complex", operand)).complex)


def lexsort(keys: ArrayLike | Sequence[ArrayLike], /, axis: int = -1) -> Array:
    """Where elements come from when they are ordered by the last key, where that ties by the one before, and so on.

    `keys` is a sequence of arrays of one shape, or an array whose first axis tells them apart.

    Raises:
        ShapeError: there are no keys, or their shapes differ.
    """
    parts = keys if isinstance(keys, Sequence) else manipulation.unstack(keys)
    arrays = [promote.array("lexsort", part) for part in parts]
    if not arrays:
        promote.bad_shape("lexsort: there are no keys")
    shape = core.shape_of(arrays[0])
    for other in arrays[1:]:
        if not facts.same_shape(core.shape_of(other), shape):
            shapes = f"{shape_text(shape)} and {shape_text(core.shape_of(other))}"
            promote.bad_shape(f"lexsort: keys have shapes {shapes}", *arrays)
    along = promote.as_axis("lexsort", axis, len(shape), arrays[0])
    places = argsort(arrays[0], axis=along)
    if 0 in shape:
        return places
    for key in arrays[1:]:
        # A stable sort by a key keeps what the keys before it say where that key ties.
        order = argsort(at_own_places(key, places, axis=along), axis=along)
        places = at_own_places(places, order, axis=along)
    return places


def top_k(x: ArrayLike, /, k: int, *, axis: int = -1) -> tuple[Array, Array]:
    """The `k` greatest elements of each line, the greatest first, and their places. NaNs are the greatest.

    Raises:
        ShapeError: a line has fewer than `k` elements, or k is negative.
    """
    operand = promote.array("top_k", x)
    shape = core.shape_of(operand)
    along = promote.as_axis("top_k", axis, len(shape), operand)
    count = promote.as_int("top_k", k, "k")
    if count < 0 or not facts.at_least(shape[along], count):
        promote.bad_shape(f"top_k: k is {count} for axis {along} of size {shape[along]}", operand)
    lines = manipulation.moveaxis(operand, along, -1)
    places = manipulation.moveaxis(_greatest(lines, count), -1, along)
    if 0 in core.shape_of(places):
        return manipulation.slice_axis(operand, along, 0, count), places
    return at_own_places(operand, places, axis=along), places


_FEW = 16
"""Of a line of so many times k elements the k greatest are looked for, or as many where its length is not known; a
shorter one is sorted."""


def _greatest(x: Array, count: int) -> Array:
    """The places of the greatest elements along the last axis, in order."""
    *batch, length = core.shape_of(x)
    are_few = _FEW * count <= length if isinstance(length, int) else count <= _FEW
    if core.dtype_of(x).is_complex or not count or not are_few:
        return manipulation.slice_axis(argsort(x, descending=True), len(batch), 0, count)
    return core.bind1(ops.TopK(count), x)


def partition(x: ArrayLike, /, kth: int | Sequence[int], axis: int | None = -1) -> Array:
    """Each line with the elements at the places `kth` that a sort would put there, and none after a greater one.

    All other elements are in order too.

    Raises:
        ShapeError: a line has no place `kth`.
    """
    _check_places("partition", x, kth, axis)
    return _sorted("partition", ops.Sort(False), x, axis)


def argpartition(x: ArrayLike, /, kth: int | Sequence[int], axis: int | None = -1) -> Array:
    """Where the elements of `partition` come from.

    Raises:
        ShapeError: a line has no place `kth`.
    """
    _check_places("argpartition", x, kth, axis)
    return _sorted("argpartition", ops.ArgSort(False), x, axis)


def _check_places(name: str, x: ArrayLike, kth: int | Sequence[int], axis: int | None) -> None:
    operand = promote.array(name, x)
    shape = core.shape_of(operand)
    length = core.type_of(operand).size if axis is None else shape[promote.as_axis(name, axis, len(shape), operand)]
    for place in kth if isinstance(kth, Sequence) else (kth,):
        wanted = promote.as_int(name, place, "a place")
        if not facts.at_least(length, wanted + 1 if wanted >= 0 else -wanted):
            promote.bad_shape(f"{name}: there is no place {wanted} in lines of {length} elements", operand)
