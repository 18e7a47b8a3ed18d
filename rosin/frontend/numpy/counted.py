"""Where a mask holds that is not known while tracing: how many places there are is a size that the program measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend import trace as tr
from rosin.frontend.numpy import elementwise, manipulation, reductions
from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.ops.measure import Measure, Nonzero

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def is_counted(x: Any) -> bool:
    """Whether what is in an array is known only when the program runs."""
    return tr.current() is not None and core.is_array(x)


def measured(number: Array, most: Dim) -> Dim:
    """The size that a number of type i64 is in a trace; the same number is the same size."""
    trace = tr.current()
    assert trace is not None, "a size is measured where a function is traced"
    value = trace.value_of(number)
    found = trace.counted.get(value)
    if found is None:
        found = trace.counted[value] = dims.symbol(facts.current().new_name())
        core.bind(Measure(str(found), most), number)
    return found


def places(mask: Array, size: Dim | None = None) -> Array:
    """Where a mask holds, counted in row-major order. Without a size there are as many places as the program finds;
    with one, those that are missing are the number of elements of the mask."""
    trace = tr.current()
    assert trace is not None, "places are counted where a function is traced"
    key = (trace.value_of(mask), size)
    found = trace.counted.get(key)
    if found is None:
        flat = manipulation.ravel(mask)
        (length,) = core.shape_of(flat)
        if size is None:
            size = measured(reductions.sum(flat, dtype=dtypes.i64), length) if length != 0 else 0
        narrow = isinstance(length, int) and length <= dtypes.i32.highest
        found = trace.counted[key] = core.bind1(Nonzero(size, dtypes.i32 if narrow else dtypes.i64), flat)
    return found


def positions(where: Array, shape: Sequence[Dim]) -> list[Array]:
    """Places in row-major order as positions along each axis."""
    dtype = core.dtype_of(where)
    result: list[Array] = []
    for axis in range(len(shape)):
        stride = dims.product(shape[axis + 1 :])
        position = where if stride == 1 else elementwise.floor_divide(where, number(stride, dtype))
        result.append(elementwise.remainder(position, number(shape[axis], dtype)) if axis else position)
    return result


def number(size: Dim, dtype: DType) -> int | Array:
    """A size as a number; a symbolic one is known when the program runs."""
    return size if isinstance(size, int) else core.size_array(size, dtype)
