"""Positions of the elements of arrays: grids, diagonals and triangles, and positions counted in row-major order.

Positions have the default integer type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_INT, DTypeLike
from rosin.frontend.errors import BoundsError
from rosin.frontend.numpy import counted, creation, elementwise, logic, manipulation, promote, selecting
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.trace import located
from rosin.ir import dims, dtypes
from rosin.ir.dims import Dim

if TYPE_CHECKING:
    from rosin.frontend.array import Array


# -- grids -------------------------------------------------------------------------------------------------------------


def indices(dimensions: Sequence[Dim], dtype: DTypeLike = int, sparse: bool = False) -> Array | tuple[Array, ...]:
    """For each place of an array of these sizes its position along each axis, one after the other on a first axis.

    With `sparse`, an array for each axis, of size 1 along all others.
    """
    shape, own = promote.as_shape("indices", dimensions), core.as_dtype(dtype)
    if sparse:
        lines = (tuple(size if i == axis else 1 for i in range(len(shape))) for axis, size in enumerate(shape))
        return tuple(creation.iota(own, line, axis) for axis, line in enumerate(lines))
    if not shape:
        return creation.zeros((0,), dtype=own)
    return manipulation.stack([creation.iota(own, shape, axis) for axis in range(len(shape))])


def fromfunction(function: Callable[..., Any], shape: Sequence[Dim], *, dtype: DTypeLike = float, **kwargs: Any) -> Any:
    """What a function gives for the positions of an array of a shape: one array of them for each axis."""
    grid = indices(shape, dtype)
    return core.call(function, *manipulation.unstack(cast("Array", grid)), **kwargs)


def ix_(*args: ArrayLike | Sequence[int]) -> tuple[Array, ...]:
    """Vectors of positions made to index with together, so that they take all their combinations; masks are positions
    of what holds.

    Raises:
        ShapeError: an argument is no vector.
    """
    result: list[Array] = []
    for axis, arg in enumerate(args):
        if isinstance(arg, Sequence) and arg and all(isinstance(place, bool) for place in arg):
            arg = [place for place, holds in enumerate(arg) if holds]
        given = core.asarray(arg)
        if len(core.shape_of(given)) != 1:
            promote.bad_shape(f"ix_: takes vectors, not an array of rank {len(core.shape_of(given))}", given)
        if core.dtype_of(given).kind == "bool":
            given = selecting.flatnonzero(given)
        if core.shape_of(given)[0] == 0:
            given = promote.cast(given, DEFAULT_INT)
        shape: list[Dim] = [1] * len(args)
        shape[axis] = core.shape_of(given)[0]
        result.append(manipulation.reshape(given, shape))
    return tuple(result)


class _Grid:
    """What `mgrid` and `ogrid` are: slices in brackets become ranges, and ranges a grid."""

    def __init__(self, name: str, sparse: bool) -> None:
        self._name = name
        self._sparse = sparse

    def __repr__(self) -> str:
        return f"rosin.numpy.{self._name}"

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, tuple):
            return _range(self._name, key)
        parts = cast("tuple[Any, ...]", key)
        lines = list(promote.alike(self._name, *(_range(self._name, part) for part in parts)))
        grid = creation.meshgrid(*lines, indexing="ij")
        if not self._sparse:
            return manipulation.stack(grid)
        return tuple(
            manipulation.reshape(line, [-1 if i == axis else 1 for i in range(len(lines))])
            for axis, line in enumerate(lines)
        )


def _range(name: str, part: Any) -> Array:
    """The range that a slice stands for; an imaginary step is a number of places, from start to stop."""
    if not isinstance(part, slice):
        promote.bad_dtype(f"{name}: takes slices, not {type(part).__name__}")
    given = cast("slice[Any, Any, Any]", part)
    start, step = 0 if given.start is None else given.start, 1 if given.step is None else given.step
    if given.stop is None:
        promote.bad_value(f"{name}: a slice has an end")
    if isinstance(step, complex):
        return creation.linspace(start, given.stop, int(abs(step)))
    return creation.arange(start, given.stop, step)


mgrid = _Grid("mgrid", sparse=False)
"""Grids from slices: `mgrid[0:2, 0:3]` is `indices((2, 3))`; `mgrid[0:1:5j]` is `linspace(0, 1, 5)`."""
ogrid = _Grid("ogrid", sparse=True)
"""As `mgrid`, but an array for each axis, of size 1 along all others."""


class _Joined:
    """What `r_` and `c_` are: what stands in brackets, joined."""

    def __init__(self, name: str, axis: int, rank: int, place: int) -> None:
        self._name = name
        self._defaults = axis, rank, place

    def __repr__(self) -> str:
        return f"rosin.numpy.{self._name}"

    def __getitem__(self, key: Any) -> Array:
        parts: list[Any] = list(cast("tuple[Any, ...]", key)) if isinstance(key, tuple) else [key]
        axis, rank, place = self._defaults
        if parts and isinstance(parts[0], str):
            axis, rank, place = self._directions(parts.pop(0))
        arrays: list[Array] = []
        given = [_range(self._name, part) if isinstance(part, slice) else part for part in parts]
        given = [core.asarray(part) if isinstance(part, list | tuple) else part for part in given]
        for line in promote.alike(self._name, *given):
            own = len(core.shape_of(line))
            missing = rank - max(own, 1)
            if own < rank:
                # The axes of what has fewer begin at `place`; -1 means that they come last.
                before = place if place >= 0 else missing + 1 + place
                sizes = core.shape_of(line) or (1,)
                line = manipulation.reshape(line, (*[1] * before, *sizes, *[1] * (missing - before)))
            arrays.append(line)
        return manipulation.concat(arrays, axis=axis)

    def _directions(self, text: str) -> tuple[int, int, int]:
        numbers = text.split(",")
        try:
            return cast(Any, (*map(int, numbers), *self._defaults[len(numbers) :]))
        except ValueError:
            promote.bad_value(f'{self._name}: the directions are up to three integers "axis,rank,place", not {text!r}')


r_ = _Joined("r_", 0, 1, -1)
"""Arrays, numbers and ranges joined along the first axis: `r_[1:4, 0, x]`."""
c_ = _Joined("c_", -1, 2, 0)
"""Arrays joined along the second axis, vectors being columns: `c_[x, y]`."""


class _Index:
    """What `s_` and `index_exp` are: what stands in brackets, to index with later."""

    def __init__(self, is_tuple: bool) -> None:
        self._is_tuple = is_tuple

    def __getitem__(self, key: Any) -> Any:
        return (key,) if self._is_tuple and not isinstance(key, tuple) else cast("Any", key)


s_ = _Index(is_tuple=False)
"""What stands in brackets: `s_[1:, ::2]` is a pair of slices."""
index_exp = _Index(is_tuple=True)
"""As `s_`, and always a tuple."""


# -- diagonals and triangles -------------------------------------------------------------------------------------------


def _known(parts: Sequence[np.ndarray[Any, Any]]) -> tuple[Array, ...]:
    return tuple(core.asarray(part.astype(np.int32)) for part in parts)


def _int(name: str, value: Any, what: str) -> int:
    return promote.as_int(name, value, what)


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """The positions of the lower triangle of an n × m matrix (m is n by default), up to its k-th diagonal."""
    rows, columns = _int("tril_indices", n, "n"), _int("tril_indices", n if m is None else m, "m")
    first, second = _known(np.tril_indices(rows, _int("tril_indices", k, "k"), columns))
    return first, second


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """The positions of the upper triangle of an n × m matrix (m is n by default), from its k-th diagonal on."""
    rows, columns = _int("triu_indices", n, "n"), _int("triu_indices", n if m is None else m, "m")
    first, second = _known(np.triu_indices(rows, _int("triu_indices", k, "k"), columns))
    return first, second


def _matrix_sizes(name: str, x: ArrayLike) -> tuple[int, int]:
    operand = promote.array(name, x)
    rank = len(core.shape_of(operand))
    if rank != 2:
        promote.bad_shape(f"{name}: takes a matrix, not an array of rank {rank}", operand)
    return promote.static_size(name, operand, 0), promote.static_size(name, operand, 1)


def tril_indices_from(x: ArrayLike, /, k: int = 0) -> tuple[Array, Array]:
    """`tril_indices` for the sizes of a matrix."""
    rows, columns = _matrix_sizes("tril_indices_from", x)
    return tril_indices(rows, k, columns)


def triu_indices_from(x: ArrayLike, /, k: int = 0) -> tuple[Array, Array]:
    """`triu_indices` for the sizes of a matrix."""
    rows, columns = _matrix_sizes("triu_indices_from", x)
    return triu_indices(rows, k, columns)


def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """The positions of the main diagonal of an array of `ndim` axes of size n."""
    line = np.arange(_int("diag_indices", n, "n"))
    return _known([line] * _int("diag_indices", ndim, "ndim"))


def diag_indices_from(x: ArrayLike, /) -> tuple[Array, ...]:
    """`diag_indices` for an array of at least two axes, which have one size.

    Raises:
        ShapeError: it has fewer axes, or their sizes differ.
    """
    operand = promote.array("diag_indices_from", x)
    shape = dims.static(core.shape_of(operand), "diag_indices_from")
    if len(shape) < 2 or len(set(shape)) > 1:
        promote.bad_shape(f"diag_indices_from: takes at least 2 axes of one size, not {list(shape)}", operand)
    return diag_indices(shape[0], len(shape))


def mask_indices(n: int, mask_func: Callable[..., Any], k: Any = 0, *, size: selecting.Count = None) -> Any:
    """Where `mask_func(ones((n, n)), k)` is not zero, `mask_func` being `triu`, `tril` or one like them.

    size: how many positions there are to be; see `nonzero`.
    """
    mask = _called(mask_func, np.ones((_int("mask_indices", n, "n"),) * 2, np.int32), k)
    return selecting.nonzero(mask, size=size)


def _called(mask_func: Callable[..., Any], ones: Any, k: Any) -> Any:
    # Our own triangles name k, NumPy's take it in its place.
    return mask_func(ones, k=k) if mask_func in (creation.tril, creation.triu) else mask_func(ones, k)


# -- positions in row-major order --------------------------------------------------------------------------------------


def unravel_index(indices: ArrayLike, shape: Dim | Sequence[Dim], order: str = "C") -> tuple[Array, ...]:
    """Positions counted in row-major order as positions along each axis of an array of a shape.

    order: "F" is for positions counted in column-major order.

    Computed ones that are outside are moved to the nearest end; negative ones count from the end.

    Raises:
        DTypeError: the positions are no integers.
        BoundsError: a known position is outside.
        AttributeValueError: the order is neither "C" nor "F".
    """
    if _column_major("unravel_index", order):
        return unravel_index(indices, promote.as_shape("unravel_index", shape)[::-1])[::-1]
    where, sizes = core.asarray(indices), promote.as_shape("unravel_index", shape)
    _check_known("unravel_index", indices, dims.product(sizes), "an array")
    if not core.dtype_of(where).is_integer:
        promote.bad_dtype(f"unravel_index: positions are integers, not {core.dtype_of(where)}", where)
    dtype, size = core.dtype_of(where), dims.product(sizes)
    if isinstance(size, int) and size > dtype.highest:
        dtype = dtypes.i64
        where = promote.cast(where, dtype)
    total = counted.number(size, dtype)
    if dtype.kind == "int":
        where = logic.where(logic.less(where, 0), elementwise.add(where, total), where)
    inside = elementwise.clip(where, 0, total - 1 if isinstance(total, int) else elementwise.subtract(total, 1))
    return tuple(counted.positions(inside, sizes))


def _column_major(name: str, order: str) -> bool:
    if order not in ("C", "F"):
        promote.bad_value(f'{name}: the order is "C" or "F", not {order!r}')
    return order == "F"


def ravel_multi_index(
    multi_index: Sequence[ArrayLike] | ArrayLike,
    dims: Sequence[Dim],
    mode: str | Sequence[str] = "raise",
    order: str = "C",
) -> Array:
    """Positions along each axis of an array of sizes `dims` as positions counted in row-major order.

    order: "F" counts in column-major order.

    mode: what positions outside mean, for all axes or each: "clip" moves them to the nearest end, "wrap" counts them
        modulo the size; "raise" refuses them where they are known, and takes computed ones as they are.

    Raises:
        ShapeError: there are not positions for all axes.
        AttributeValueError: there is no such mode, or the order is neither "C" nor "F".
        BoundsError: a known position is outside.
    """
    sizes = promote.as_shape("ravel_multi_index", dims)
    parts = list(multi_index) if isinstance(multi_index, Sequence) else list(manipulation.unstack(multi_index))
    modes = [mode] * len(sizes) if isinstance(mode, str) else list(mode)
    if not len(parts) == len(sizes) == len(modes):
        promote.bad_shape(f"ravel_multi_index: {len(parts)} positions and {len(modes)} modes for {len(sizes)} axes")
    columns = _column_major("ravel_multi_index", order)
    axes = list(enumerate(zip(parts, sizes, modes, strict=True)))
    result: Any = 0
    for axis, (part, size, how) in reversed(axes) if columns else axes:
        result = elementwise.add(elementwise.multiply(result, _number(size)), _inside(part, axis, size, how))
    return core.asarray(result)


def _number(size: Dim) -> Any:
    return counted.number(size, DEFAULT_INT)


def _inside(part: ArrayLike, axis: int, size: Dim, mode: str) -> Array:
    name = "ravel_multi_index"
    where = core.asarray(part)
    if not core.dtype_of(where).is_integer:
        promote.bad_dtype(f"{name}: positions are integers, not {core.dtype_of(where)}", where)
    if mode == "wrap":
        return elementwise.remainder(where, _number(size))
    if mode == "clip":
        return elementwise.clip(where, 0, elementwise.subtract(_number(size), 1))
    if mode != "raise":
        promote.bad_value(f'{name}: the mode is "raise", "wrap" or "clip", not {mode!r}', where)
    _check_known(name, part, size, f"axis {axis}", least=0)
    return where


def _check_known(name: str, where: Any, size: Dim, what: str, least: int | None = None) -> None:
    """Refuse positions outside that are known: numbers, lists and arrays of NumPy's."""
    if promote.is_array(where) or not isinstance(size, int):
        return
    known = np.asarray(where)
    outside = known[(known < (-size if least is None else least)) | (known >= size)]
    if outside.size:
        message = f"{name}: position {outside.ravel()[0]} is out of range for {what} of size {size}"
        raise located(BoundsError(message))


__all__ = [
    "c_",
    "diag_indices",
    "diag_indices_from",
    "fromfunction",
    "index_exp",
    "indices",
    "ix_",
    "mask_indices",
    "mgrid",
    "ogrid",
    "r_",
    "ravel_multi_index",
    "s_",
    "tril_indices",
    "tril_indices_from",
    "triu_indices",
    "triu_indices_from",
    "unravel_index",
]
