"""Arrays from numbers, from other arrays and from nothing.

Without a `dtype`, floats make the default float and integers the default integer (`core.DEFAULT_FLOAT`,
`core.DEFAULT_INT`). Sizes may be symbolic wherever a shape is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_FLOAT, DEFAULT_INT, DTypeLike
from rosin.frontend.numpy import elementwise, logic, manipulation, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.sizes import Size
from rosin.ir import dims, dtypes
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.ops.movement import Broadcast, Iota, Pad, Reshape, Slice
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def asarray(
    obj: core.ArrayLike, /, dtype: DTypeLike | None = None, *, device: str | None = None, copy: bool | None = None
) -> Array:
    """The array of `obj`: an array, a NumPy array, a number, or nested sequences of numbers.

    The memory of a NumPy array is shared unless `copy` is true. Lists and tuples may hold traced arrays.

    Raises:
        AttributeValueError: `copy` is false and a copy is needed: for another element type or order, numbers and lists.
        DTypeError: an element type that Rosin has not.
        ShapeError: nested sequences of unequal lengths.
    """
    promote.check_device("asarray", device)
    given: Any = obj
    if _is_sequence_with_tracers(obj):
        stacked = manipulation.stack([asarray(x, dtype=dtype) for x in given])
        return stacked if dtype is None else core.cast(stacked, core.as_dtype(dtype))
    result = core.asarray(obj, dtype)
    if copy and not core.is_tracer(result):
        return core.owned(np.array(core.concrete(result, "", "")))
    if copy is False and not core.is_tracer(result) and not _shares(result, obj):
        promote.bad_value(f"asarray: {type(given).__name__} cannot become {core.type_of(result)} without a copy")
    return core.another(result, (given,)) if copy else result


def _shares(x: Array, given: Any) -> bool:
    """Whether an array is in the memory of what it was made of."""
    if core.is_scalar(given) or isinstance(given, list | tuple):
        return False
    known = core.known(given)
    return not known.size or np.may_share_memory(core.known(x), known)


def _is_sequence_with_tracers(x: Any) -> bool:
    """Whether a list or tuple, or one in it, holds traced arrays."""
    return isinstance(x, list | tuple) and any(core.is_tracer(p) or _is_sequence_with_tracers(p) for p in cast(Any, x))


@core.fresh
def array(
    obj: core.ArrayLike, /, dtype: DTypeLike | None = None, *, device: str | None = None, copy: bool | None = None
) -> Array:
    """As `asarray`, but never the very object that it is given."""
    return asarray(obj, dtype=dtype, device=device, copy=copy)


def full(
    shape: Dim | Sequence[Dim], fill_value: ArrayLike, dtype: DTypeLike | None = None, *, device: str | None = None
) -> Array:
    """`fill_value` at every place of `shape`; it may be an array that broadcasts to it."""
    promote.check_device("full", device)
    sizes = promote.as_shape("full", shape)
    if core.is_scalar(fill_value):
        own = promote.own_dtype(fill_value) if dtype is None else core.as_dtype(dtype)
        return _filled("full", sizes, fill_value, own)
    value = promote.array("full", fill_value)
    return promote.spread_to("full", value if dtype is None else promote.cast(value, core.as_dtype(dtype)), sizes)


def _filled(name: str, shape: promote.Shape, value: core.Scalar, dtype: DType) -> Array:
    if isinstance(value, float) and not dtype.differentiable:
        value = bool(value) if dtype.kind == "bool" else _whole(name, value, dtype)
    type = TensorType(dtype, shape)
    promote.check_size(type, name)
    return promote.number(name, value, type)


def _whole(name: str, value: float, dtype: DType) -> int:
    if not math.isfinite(value):
        promote.bad_value(f"{name}: {value} is no number of {dtype}")
    return int(value)


def zeros(shape: Dim | Sequence[Dim], dtype: DTypeLike | None = None, *, device: str | None = None) -> Array:
    """Zeros, of the default float unless `dtype` says otherwise."""
    promote.check_device("zeros", device)
    own = DEFAULT_FLOAT if dtype is None else core.as_dtype(dtype)
    return _filled("zeros", promote.as_shape("zeros", shape), 0, own)


def ones(shape: Dim | Sequence[Dim], dtype: DTypeLike | None = None, *, device: str | None = None) -> Array:
    """Ones, of the default float unless `dtype` says otherwise."""
    promote.check_device("ones", device)
    own = DEFAULT_FLOAT if dtype is None else core.as_dtype(dtype)
    return _filled("ones", promote.as_shape("ones", shape), 1, own)


def empty(shape: Dim | Sequence[Dim], dtype: DTypeLike | None = None, *, device: str | None = None) -> Array:
    """Zeros: arrays are never written to, so an array of unset elements would have no use."""
    promote.check_device("empty", device)
    return zeros(shape, dtype=dtype)


def _like(name: str, x: ArrayLike, dtype: DTypeLike | None, shape: Dim | Sequence[Dim] | None) -> TensorType:
    type = core.type_of(promote.array(name, x))
    own = type.dtype if dtype is None else core.as_dtype(dtype)
    return TensorType(own, type.shape if shape is None else promote.as_shape(name, shape))


def zeros_like(
    x: ArrayLike,
    /,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    shape: Dim | Sequence[Dim] | None = None,
) -> Array:
    """Zeros of the type of x, or of another element type or shape."""
    promote.check_device("zeros_like", device)
    type = _like("zeros_like", x, dtype, shape)
    return _filled("zeros_like", type.shape, 0, type.dtype)


def ones_like(
    x: ArrayLike,
    /,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    shape: Dim | Sequence[Dim] | None = None,
) -> Array:
    """Ones of the type of x, or of another element type or shape."""
    promote.check_device("ones_like", device)
    type = _like("ones_like", x, dtype, shape)
    return _filled("ones_like", type.shape, 1, type.dtype)


def empty_like(
    x: ArrayLike,
    /,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    shape: Dim | Sequence[Dim] | None = None,
) -> Array:
    """Zeros of the type of x, as `empty` gives them."""
    promote.check_device("empty_like", device)
    return zeros_like(x, dtype=dtype, shape=shape)


@core.fresh
def full_like(
    x: ArrayLike,
    /,
    fill_value: ArrayLike,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    shape: Dim | Sequence[Dim] | None = None,
) -> Array:
    """`fill_value` at every place of the type of x, or of another element type or shape."""
    promote.check_device("full_like", device)
    type = _like("full_like", x, dtype, shape)
    return full(type.shape, fill_value, dtype=type.dtype)


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Array:
    """The array of an object that shares its memory by DLPack, not copied unless `copy` is true or elements lie apart.

    An object on another device is copied to the CPU if `device` says "cpu".

    Raises:
        InterfaceError: (an AttributeError) the object has no DLPack.
        InterchangeError: (a BufferError) it is on another device, or `copy` is false and a copy is needed.
        DTypeError: an element type that Rosin has not.
    """
    promote.check_device("from_dlpack", device)
    return core.asarray(core.from_dlpack(x, copy, device is not None))


# -- ranges ------------------------------------------------------------------------------------------------------------


def iota(dtype: DType, shape: promote.Shape, axis: int) -> Array:
    """0, 1, 2, … along an axis of `shape`."""
    return core.bind1(Iota(TensorType(dtype, shape), axis))


def arange(
    start: Dim | float,
    /,
    stop: Dim | float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
) -> Array:
    """start, start + step, … below stop, as a vector; with one bound, from 0.

    Integers make the default integer and floats the default float. The count is fixed when it is called, so bounds
    and step are numbers or symbolic sizes, not traced arrays.

    Raises:
        AttributeValueError: the step is 0, or a bound or the step is not finite.
        DTypeError: a bound is no number.
    """
    promote.check_device("arange", device)
    first, last = (0, start) if stop is None else (start, stop)
    if any(isinstance(x, dims.Sym | Size) for x in (first, last, step)):
        return _symbolic_range(first, last, step, DEFAULT_INT if dtype is None else core.as_dtype(dtype))
    first, last, step = (_bound(x) for x in (first, last, step))
    if step == 0:
        promote.bad_value("arange: the step is 0")
    for number in (first, last, step):
        if not math.isfinite(number):
            promote.bad_value(f"arange: bounds and step are finite, not {number}")
    whole = isinstance(first, int) and isinstance(last, int) and isinstance(step, int)
    count = max(0, -((first - last) // step) if whole else math.ceil((last - first) / step))
    own = (DEFAULT_INT if whole else DEFAULT_FLOAT) if dtype is None else core.as_dtype(dtype)
    promote.check_size(TensorType(own, (int(count),)), "arange")
    if own.is_integer and whole:
        for value in (first, first + (int(count) - 1) * step) if count else ():
            promote.check_fits("arange", int(value), own)
    work = own.accumulator if own.kind != "bool" else DEFAULT_INT
    if not whole and not own.is_float:
        work = DEFAULT_FLOAT
    line = iota(work, (int(count),), 0)
    if step != 1:
        # A negative step of an unsigned type wraps around, and so does the sum.
        scale = step if work.is_float else int(step) % (1 << work.bits) if work.kind == "uint" else int(step)
        line = elementwise.multiply(line, scale)
    if first != 0:
        line = elementwise.add(line, first)
    return promote.cast(line, own)


def _symbolic_range(first: Any, last: Any, step: Any, dtype: DType) -> Array:
    """A range with symbolic bounds, which must not lie in the wrong order; the step is a number."""
    step = promote.as_int("arange", step, "a step")
    if step == 0:
        promote.bad_value("arange: the step is 0")
    start, stop = promote.as_size("arange", first, "a bound"), promote.as_size("arange", last, "a bound")
    length = stop - start if step > 0 else start - stop
    count = (length + (abs(step) - 1)) // abs(step)
    line = iota(dtype, (count,), 0)
    if step != 1:
        line = elementwise.multiply(line, step)
    if isinstance(start, int):
        return line if start == 0 else elementwise.add(line, start)
    return elementwise.add(line, core.size_array(start, dtype))


def _bound(x: object) -> int | float:
    if isinstance(x, bool) or not isinstance(x, int | float | np.integer | np.floating):
        if promote.is_array(x) and core.shape_of(x) == ():
            value = core.concrete(
                x, "arange needs its bounds", "use numbers that are known when the function is traced"
            )
            return int(value) if core.dtype_of(x).is_integer else float(value)
        promote.bad_dtype(f"arange takes numbers, not {type(x).__name__}")
    number = cast(Any, x)
    return int(number) if isinstance(x, int | np.integer) else float(number)


def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    /,
    num: int = 50,
    *,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    endpoint: bool = True,
    retstep: bool = False,
    axis: int = 0,
) -> Any:
    """`num` numbers from start to stop in equal steps along a new axis; without `endpoint`, stop is left out.

    start and stop may be arrays that broadcast. The last element is exactly stop. Integers are rounded down. With
    `retstep` the step is returned too, NaN where there is none.

    Raises:
        AttributeValueError: num is negative.
    """
    promote.check_device("linspace", device)
    num = promote.as_int("linspace", num, "num")
    if num < 0:
        promote.bad_value(f"linspace: num is {num}; it is not negative")
    given = promote.operands("linspace", (start, stop))
    own = promote.common_dtype(given)
    own = own if own.differentiable else DEFAULT_FLOAT
    wanted = own if dtype is None else core.as_dtype(dtype)
    # Whole numbers are found in f64, where each has a place of its own up to 2**53.
    work = wanted.accumulator if wanted.differentiable else dtypes.f64
    ends = promote.broadcast_arrays_shape("linspace", [x for x in given if promote.is_array(x)])
    shape = (num, *ends)
    first, last = promote.spread_operands("linspace", given, TensorType(work, shape))
    steps = num - 1 if endpoint else num
    share = elementwise.divide(iota(work, shape, 0), max(steps, 1))
    # A weighted mean of both ends is exact at both, where a sum of steps is not.
    line = elementwise.add(
        elementwise.multiply(first, elementwise.subtract(1, share)), elementwise.multiply(last, share)
    )
    line = promote.cast(elementwise.floor(line) if wanted.is_integer else line, wanted)
    line = manipulation.moveaxis(line, 0, axis) if axis else line
    if not retstep:
        return line
    first, last = (promote.cast(end, own) for end in promote.spread_operands("linspace", given, TensorType(work, ends)))
    gap = elementwise.subtract(last, first)
    return line, elementwise.divide(gap, steps) if steps > 0 else full_like(gap, math.nan)


# -- matrices ----------------------------------------------------------------------------------------------------------


def eye(
    n_rows: Dim, n_cols: Dim | None = None, /, k: int = 0, dtype: DTypeLike | None = None, *, device: str | None = None
) -> Array:
    """A matrix with ones on its k-th diagonal (above the main one for k > 0) and zeros elsewhere."""
    promote.check_device("eye", device)
    shape = promote.as_shape("eye", (n_rows, n_rows if n_cols is None else n_cols))
    own = DEFAULT_FLOAT if dtype is None else core.as_dtype(dtype)
    row, column = iota(dtypes.i64, shape, 0), iota(dtypes.i64, shape, 1)
    shift = _diagonal_number("eye", k)
    return promote.cast(logic.equal(elementwise.add(row, shift) if shift else row, column), own)


def _diagonal_number(name: str, k: int) -> int:
    """The number of a diagonal, moved to where no matrix reaches if rows plus it would overflow."""
    return max(-(1 << 62), min(promote.as_int(name, k, "k"), 1 << 62))


def identity(n: Dim, dtype: DTypeLike | None = None) -> Array:
    """The square matrix with ones on the main diagonal."""
    return eye(n, dtype=dtype)


def _triangle(name: str, x: ArrayLike, k: int, upper: bool) -> Array:
    operand = promote.array(name, x)
    shape = core.shape_of(operand)
    if len(shape) < 2:
        promote.bad_shape(f"{name}: takes matrices, with at least 2 axes, not {len(shape)}", operand)
    row, column = iota(dtypes.i64, shape[-2:], 0), iota(dtypes.i64, shape[-2:], 1)
    edge = elementwise.add(row, _diagonal_number(name, k))
    keep = logic.greater_equal(column, edge) if upper else logic.less_equal(column, edge)
    zero = promote.numbers(name, 0, operand)
    return logic.where(keep, operand, zero)


def tril(x: ArrayLike, /, k: int = 0) -> Array:
    """Matrices (the last two axes) with zeros above the k-th diagonal."""
    return _triangle("tril", x, k, upper=False)


def triu(x: ArrayLike, /, k: int = 0) -> Array:
    """Matrices (the last two axes) with zeros below the k-th diagonal."""
    return _triangle("triu", x, k, upper=True)


def diag(x: ArrayLike, /, k: int = 0) -> Array:
    """The matrix with the vector x on its k-th diagonal, or the k-th diagonal of the matrix x.

    Raises:
        ShapeError: x is neither a vector nor a matrix.
    """
    operand = promote.array("diag", x)
    rank = len(core.shape_of(operand))
    if rank == 2:
        return diagonal(operand, offset=k)
    if rank != 1:
        promote.bad_shape(f"diag: takes a vector or a matrix, not an array of rank {rank}", operand)
    # Each element of the vector, then a row's length of zeros, makes the diagonal of a matrix one column too wide.
    count = promote.static_size("diag", operand, 0)
    size = count + abs(k)
    before, zero = max(k, 0) + max(-k, 0) * size, promote.number("diag", 0, TensorType(core.dtype_of(operand)))
    after = size * size - before - (count - 1) * (size + 1) - 1
    if count == 0:
        return zeros((size, size), dtype=core.dtype_of(operand))
    line = core.bind1(Pad((before,), (after,), (size,)), operand, zero)
    return core.bind1(Reshape((size, size)), line)


def diagonal(x: ArrayLike, /, offset: int = 0) -> Array:
    """The diagonal of matrices (the last two axes), `offset` above the main one: shape (..., length).

    Raises:
        ShapeError: x has fewer than two axes.
    """
    operand = promote.array("diagonal", x)
    shape = core.shape_of(operand)
    if len(shape) < 2:
        promote.bad_shape(f"diagonal: takes matrices, with at least 2 axes, not {len(shape)}", operand)
    rows, columns = (promote.static_size("diagonal", operand, axis) for axis in (-2, -1))
    row, column = max(-offset, 0), max(offset, 0)
    length = max(0, min(rows - row, columns - column))
    # In the flattened matrix the elements of a diagonal are a row and one element apart.
    front = shape[:-2]
    flat = core.bind1(Reshape((*front, rows * columns)), operand)
    start = row * columns + column if length else 0
    limit = start + (length - 1) * (columns + 1) + 1 if length else 0
    zero = (0,) * len(front)
    return core.bind1(Slice((*zero, start), (*front, limit), (*(1,) * len(front), columns + 1)), flat)


def meshgrid(*arrays: ArrayLike, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """Vectors spread over the grid of all their combinations, one array for each vector.

    Array i varies along axis i; with `indexing="xy"` the first two axes are exchanged, as plots have them.

    sparse: the other axes have size 1.
    copy: NumPy's; arrays do not change, so it makes no difference.

    Raises:
        ShapeError: an array is not a vector.
        AttributeValueError: indexing is neither "xy" nor "ij".
    """
    if indexing not in ("xy", "ij"):
        promote.bad_value(f'meshgrid: indexing is "xy" or "ij", not {indexing!r}')
    vectors = [promote.array("meshgrid", x) for x in arrays]
    for vector in vectors:
        if len(core.shape_of(vector)) > 1:
            promote.bad_shape("meshgrid: takes vectors", vector)
    axes = list(range(len(vectors)))
    if indexing == "xy" and len(axes) > 1:
        axes[:2] = [1, 0]
    shape: list[Dim] = [1] * len(axes)
    lines = [core.bind1(Reshape((1,)), v) if core.shape_of(v) == () else v for v in vectors]
    if sparse:
        rank = len(axes)
        spots = ([-1 if i == axis else 1 for i in range(rank)] for axis in axes)
        return tuple(manipulation.reshape(line, spot) for line, spot in zip(lines, spots, strict=True))
    for axis, line in zip(axes, lines, strict=True):
        shape[axis] = core.shape_of(line)[0]
    return tuple(core.bind1(Broadcast(tuple(shape), (axis,)), line) for axis, line in zip(axes, lines, strict=True))
