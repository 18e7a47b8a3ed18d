"""Arrays of rows of numbers that are not in equal steps, of triangles and diagonals, and from what others hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_FLOAT, DTypeLike
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def _float_type(name: str, xs: Sequence[ArrayLike], dtype: DTypeLike | None) -> tuple[DType, DType]:
    """The element type of a result, and the floats that it is computed in."""
    own = promote.common_dtype(promote.operands(name, xs))
    own = own if own.differentiable else DEFAULT_FLOAT
    wanted = own if dtype is None else core.as_dtype(dtype)
    return wanted, promote.promote_types(own, wanted).accumulator if wanted.differentiable else dtypes.f64


def logspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    *,
    endpoint: bool = True,
    base: ArrayLike = 10.0,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Array:
    """`num` numbers from base**start to base**stop, whose logarithms are in equal steps; see `linspace`.

    Raises:
        AttributeValueError: num is negative.
    """
    wanted, work = _float_type("logspace", (start, stop, base), dtype)
    powers = creation.linspace(start, stop, num, endpoint=endpoint, dtype=work)
    return _finished(elementwise.pow(core.asarray(base, work), powers), axis, wanted)


def _finished(line: Array, axis: int, wanted: DType) -> Array:
    moved = line if axis == 0 else manipulation.moveaxis(line, 0, axis)
    return promote.cast(moved, wanted)


def geomspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    *,
    endpoint: bool = True,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Array:
    """`num` numbers from start to stop, each the same multiple of the one before; of complex ones on a spiral.

    Raises:
        AttributeValueError: num is negative, or a known end is 0.
    """
    for end in (start, stop):
        if not core.is_tracer(end) and np.any(np.asarray(end) == 0):
            promote.bad_value("geomspace: no multiple of 0 is another number; the ends are not 0")
    wanted, work = _float_type("geomspace", (start, stop), dtype)
    first, last = (core.asarray(end, work) for end in (start, stop))
    ratio = transcendental.log(elementwise.divide(last, first))
    share = creation.linspace(0.0, 1.0, num, endpoint=endpoint, dtype=work.part)
    rank = max(len(core.shape_of(first)), len(core.shape_of(last)))
    steps = manipulation.reshape(promote.cast(share, work), (-1, *[1] * rank))
    line = elementwise.multiply(first, transcendental.exp(elementwise.multiply(ratio, steps)))
    count = core.shape_of(steps)[0]
    place = manipulation.reshape(creation.arange(count), (-1, *[1] * rank))
    # The ends are exact.
    line = logic.where(logic.equal(place, 0), first, line)
    if endpoint and isinstance(count, int) and count > 1:
        line = logic.where(logic.equal(place, count - 1), last, line)
    return _finished(line, axis, wanted)


# -- matrices ----------------------------------------------------------------------------------------------------------


def tri(N: Dim, M: Dim | None = None, k: int = 0, dtype: DTypeLike = float) -> Array:  # NumPy's names
    """An N × M matrix with ones up to its k-th diagonal and zeros above it; M is N by default."""
    shape = promote.as_shape("tri", (N, N if M is None else M))
    row, column = creation.iota(dtypes.i64, shape, 0), creation.iota(dtypes.i64, shape, 1)
    edge = elementwise.add(row, promote.as_int("tri", k, "k"))
    return promote.cast(logic.less_equal(column, edge), core.as_dtype(dtype))


def diagflat(v: ArrayLike, k: int = 0) -> Array:
    """The matrix with all elements of v, in row-major order, on its k-th diagonal."""
    return creation.diag(manipulation.ravel(core.asarray(v)), k=promote.as_int("diagflat", k, "k"))


# -- from elsewhere ----------------------------------------------------------------------------------------------------


def copy(x: core.ArrayLike, /) -> Array:
    """An array of the same numbers, which share no memory with x."""
    return creation.asarray(x, copy=True)


def frombuffer(buffer: Any, dtype: DTypeLike = float, count: int = -1, offset: int = 0) -> Array:
    """The numbers of an element type in the bytes of an object, `count` of them (all of them if negative) from a byte.

    Its memory is shared, as that of a NumPy array is.

    Raises:
        AttributeValueError: the buffer is too small, or no multiple of an element long.
    """
    own = core.as_dtype(dtype)
    try:
        return core.asarray(np.frombuffer(buffer, own.numpy, count, offset))
    except ValueError as error:
        promote.bad_value(f"frombuffer: {error}")


def fromiter(iter: Iterable[Any], dtype: DTypeLike, count: int = -1) -> Array:
    """A vector of the numbers that an iterable gives, `count` of them, or all if it is negative.

    Raises:
        AttributeValueError: it gives fewer than `count`.
    """
    numbers: list[Any] = []
    for number in iter:
        if len(numbers) == count:
            break
        numbers.append(number)
    if len(numbers) < count:
        promote.bad_value(f"fromiter: there are {len(numbers)} numbers, not {count}")
    return creation.asarray(numbers, dtype=dtype)


__all__ = ["copy", "diagflat", "frombuffer", "fromiter", "geomspace", "logspace", "tri"]
