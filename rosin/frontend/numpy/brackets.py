"""What stands between the brackets of `x[…]`, read into one entry for each axis."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from rosin.frontend import core
from rosin.frontend.errors import BoundsError
from rosin.frontend.numpy import counted, manipulation, promote
from rosin.frontend.sizes import Size
from rosin.frontend.trace import located
from rosin.ir import facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, Sym
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array


@dataclass(frozen=True)
class New:
    """`None`: a new axis of size 1."""


@dataclass(frozen=True)
class At:
    """A known position, not negative unless the axis has a symbolic size; the axis is dropped."""

    position: Dim


@dataclass(frozen=True)
class Span:
    """`count` elements from `first` on, `step` apart; the step is not 0."""

    first: Dim
    count: Dim
    step: int


@dataclass(frozen=True, eq=False)
class Positions:
    """An array of integers: the positions along one axis, negative ones counted from its end.

    Those of a list or a NumPy array are known, and checked against the axis; those of an array of ours are not, even
    where it is not traced, so that a function does the same traced and not.
    """

    array: Array
    known: np.ndarray[Any, Any] | None = None
    from_front: bool = False
    """Whether none is negative for certain."""


Entry: TypeAlias = "New | At | Span | Positions"


def parse(name: str, x: Array, index: Any) -> list[Entry]:
    """The entries of an index of `x`: one for each axis, and those of new axes.

    Raises:
        BoundsError: there are more entries than axes, or a known position is outside its axis.
        DTypeError: an entry is no index.
    """
    parts = cast(tuple[Any, ...], index) if isinstance(index, tuple) else (index,)
    given: list[Any] = [_normal(name, entry) for entry in parts]
    rank = len(core.shape_of(x))
    used = sum(_axes_of(entry) for entry in given)
    dots = [place for place, entry in enumerate(given) if entry is Ellipsis]
    if len(dots) > 1:
        raise located(BoundsError(f"{name}: an index has one `...` at most, not {len(dots)}", [core.type_of(x)]))
    if used > rank:
        raise located(BoundsError(f"{name}: {used} indices for {rank} axes", [core.type_of(x)]))
    rest = [slice(None)] * (rank - used)
    given = [*given[: dots[0]], *rest, *given[dots[0] + 1 :]] if dots else [*given, *rest]
    entries: list[Entry] = []
    axis = 0
    for entry in given:
        if entry is None:
            entries.append(New())
        elif isinstance(entry, _Mask):
            entries += _mask_positions(name, x, entry, axis)
            axis += len(entry.shape)
        else:
            entries.append(_entry(name, x, entry, axis))
            axis += 1
    return entries


def opened(name: str, x: Array, index: Any) -> tuple[Array, Any]:
    """x with a new axis of size 1 for each mask in its index that is one truth value, which becomes a mask of it."""
    parts = cast(tuple[Any, ...], index) if isinstance(index, tuple) else (index,)
    truths = [place for place, entry in enumerate(parts) if _is_truth(entry)]
    if not truths:
        return x, cast(Any, index)
    used = [0 if place in truths else _axes_of(_normal(name, entry)) for place, entry in enumerate(parts)]
    shape = list(core.shape_of(x))
    for place in truths:
        behind_dots = any(entry is Ellipsis for entry in parts[:place])
        shape.insert(len(shape) - sum(used[place + 1 :]) if behind_dots else sum(used[:place]), 1)
        used[place] = 1
    masks: tuple[Any, ...] = tuple(manipulation.reshape(e, (1,)) if i in truths else e for i, e in enumerate(parts))
    return manipulation.reshape(x, shape), masks if index is parts else masks[0]


def _is_truth(entry: Any) -> bool:
    if isinstance(entry, np.ndarray):
        return np.ndim(cast(Any, entry)) == 0 and np.dtype(cast(Any, entry).dtype) == np.bool_
    return promote.is_array(entry) and core.dtype_of(entry).kind == "bool" and not core.shape_of(entry)


@dataclass(frozen=True, eq=False)
class _Mask:
    """Truth values, known or not, for as many axes as it has itself."""

    array: np.ndarray[Any, Any] | Array

    @property
    def shape(self) -> tuple[Dim, ...]:
        return core.shape_of(self.array) if promote.is_array(self.array) else self.array.shape


def _axes_of(entry: Any) -> int:
    if entry is None or entry is Ellipsis:
        return 0
    return len(entry.shape) if isinstance(entry, _Mask) else 1


def _normal(name: str, entry: Any) -> Any:
    """The entry with sequences and NumPy's arrays made arrays, and masks of truth values read."""
    if isinstance(entry, bool | np.bool_):
        promote.bad_dtype(f"{name}: {entry!r} is no index; a mask is an array of truth values")
    if entry is None or entry is Ellipsis or isinstance(entry, slice | int | np.integer | Sym | Size):
        return cast(Any, entry)
    known: np.ndarray[Any, Any] | None = None
    if isinstance(entry, list | np.ndarray):
        known = np.asarray(entry)  # pyright: ignore[reportUnknownArgumentType]  # a nest of anything
        # NumPy makes floats of an empty list, which has no position that is not whole.
        known = known.astype(np.int32) if isinstance(entry, list) and not known.size else known
        entry = core.asarray(known)
    if not promote.is_array(entry):
        promote.bad_dtype(
            f"{name}: {type(entry).__name__} is no index: an index is an integer, a slice, None, `...` or an array"
        )
    dtype = core.dtype_of(entry)
    if dtype.kind == "bool":
        if known is None and not counted.is_counted(entry):
            known = core.known(entry)
        return _Mask(entry if known is None else known)
    if not dtype.is_integer:
        promote.bad_dtype(f"{name}: an index is of integers or truth values, not {dtype}", entry)
    return Positions(entry, known)


def _entry(name: str, x: Array, entry: Any, axis: int) -> Entry:
    size = core.shape_of(x)[axis]
    if isinstance(entry, slice):
        return span(name, x, cast("slice[Any, Any, Any]", entry), size, axis)
    if isinstance(entry, Positions):
        known = entry.known
        if known is not None and isinstance(size, int) and known.size:
            for extreme in (int(known.min()), int(known.max())):
                position(name, x, extreme, size, axis)
        return entry
    return At(position(name, x, entry, size, axis))


def position(name: str, x: Array, value: Any, size: Dim, axis: int) -> Dim:
    """A known position counted from the front.

    Raises:
        BoundsError: it is outside the axis.
    """
    if isinstance(value, Sym | Size):
        return promote.as_size(name, value, "an index")
    value = operator.index(value)
    if isinstance(size, int) and not -size <= value < size:
        message = f"{name}: index {value} is out of range for axis {axis} of size {size}"
        raise located(BoundsError(message, [core.type_of(x)]))
    return value + size if value < 0 else value


def span(name: str, x: Array, given: slice[Any, Any, Any], size: Dim, axis: int) -> Span:
    """What a slice of an axis takes.

    With a symbolic size the slice is taken to lie within the axis, as far as its numbers do not say otherwise.
    """
    start, stop = (_bound(name, bound) for bound in (given.start, given.stop))
    step = 1 if given.step is None else promote.as_int(name, _bound(name, given.step), "a step")
    if step == 0:
        promote.bad_value(f"{name}: the step of a slice of axis {axis} is 0", x)
    if isinstance(size, int) and not isinstance(start, Sym) and not isinstance(stop, Sym):
        first, last, step = slice(start, stop, step).indices(size)
        count = len(range(first, last, step))
        return Span(first if count else 0, count, step)
    if step < 0:
        if start is None and stop is None and step == -1:
            return Span(size - 1, size, -1)
        promote.bad_value(f"{name}: axis {axis} of symbolic size {size} is only reversed as a whole", x)
    first = 0 if start is None else _from_front(start, size)
    last = size if stop is None else _from_front(stop, size)
    count = last - first
    if isinstance(count, int) and count < 0:
        return Span(0, 0, 1)
    return Span(first, (count + (step - 1)) // step, step)


def _from_front(bound: Dim, size: Dim) -> Dim:
    return bound + size if isinstance(bound, int) and bound < 0 else bound


def _bound(name: str, bound: Any) -> Dim | None:
    return None if bound is None else promote.as_size(name, bound, "a bound of a slice")


def _mask_positions(name: str, x: Array, mask: _Mask, axis: int) -> Sequence[Entry]:
    """The positions that a mask picks, in row-major order, along each of its axes."""
    shape = masked_sizes(name, x, mask.shape, axis)
    if isinstance(mask.array, np.ndarray):
        return [Positions(core.asarray(places.astype(np.int32)), places) for places in np.nonzero(mask.array)]
    return [Positions(at, from_front=True) for at in counted.positions(counted.places(mask.array), shape)]


def masked_sizes(name: str, x: Array, own: Sequence[Dim], axis: int = 0) -> tuple[Dim, ...]:
    """The sizes of the axes, from one on, that a mask of this shape is for; one without elements fits too.

    Raises:
        BoundsError: they are not those of the mask.
    """
    shape = core.shape_of(x)[axis : axis + len(own)]
    fits = len(shape) == len(own) and all(n == 0 or facts.same(size, n) for size, n in zip(shape, own, strict=True))
    if not fits:
        text = f"a mask of shape {shape_text(tuple(own))} for axes of sizes {shape_text(shape)}"
        raise located(BoundsError(f"{name}: {text}", [core.type_of(x)]))
    return shape
