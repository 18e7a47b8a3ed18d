"""The class of arrays. Methods and operators are the functions of `rosin.numpy`; nothing is computed here."""

from __future__ import annotations

import operator
import os.path
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from rosin.frontend import core, source
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.core import ArrayLike, DTypeLike
from rosin.frontend.errors import ImmutableError, NoAxisError
from rosin.frontend.interchange import INSTEAD, Interchange, give_buffer
from rosin.frontend.numpy.indexing import changed, fitting
from rosin.frontend.places import At
from rosin.frontend.rewrite import reasons
from rosin.frontend.sizes import Size, shape_of_dims, sized
from rosin.ir import dims
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.op import NumpyArray, Value
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.runtime.xla import Resident

Axis: TypeAlias = "int | tuple[int, ...] | None"

_BRANCH = (
    "use rosin.cond, rosin.while_loop or rosin.numpy.where(condition, a, b), or name the argument that decides in "
    "static_argnames"
)
_NUMBER = "name the argument it comes from in static_argnames, or keep computing with arrays"
_INDEX = (
    "sizes, ranges and positions that Python needs are known when a function is traced: name the argument in "
    "static_argnames; x[i] takes a traced i"
)


def _accepts(other: object) -> bool:
    return isinstance(other, _OPERANDS)


class Array(Interchange):
    """An array of numbers of one dtype, `_value` being a C-contiguous NumPy array.

    Made by the functions of `rosin.numpy`; over a NumPy array nothing is copied, so a change of that shows here.
    """

    __slots__ = ("__weakref__", "_device", "_value")

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # == compares elements

    _value: NumpyArray
    _device: Resident | None
    """Where the numbers are too, if they are the result of a program on a device; they come from there when read."""

    def __init__(self, data: ArrayLike, dtype: DTypeLike = None) -> None:
        if core.is_tracer(data):
            instead = "use rosin.numpy.asarray, which takes traced arrays"
            tr.no_value(data, "Array() makes an array of known numbers", instead)
        value = core.known(data, dtype)
        self._value = value if value.flags.c_contiguous else np.array(value, order="C")

    # -- type --------------------------------------------------------------------------------------------------

    @property
    def type(self) -> TensorType:
        """Element type and shape."""
        return core.type_of(self)

    @property
    def shape(self) -> tuple[Any, ...]:
        return self._value.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def __numpy_dtype__(self) -> Any:
        """What NumPy reads where it asks an array for its dtype alone, as `np.result_type` does."""
        return self.dtype.numpy

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int | Size:
        """The number of elements."""
        return sized(dims.product(core.shape_of(self)))

    @property
    def itemsize(self) -> int:
        return self.dtype.bytes

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def device(self) -> str:
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Array:
        """The array on a device; there is one, "cpu".

        Raises:
            AttributeValueError: there is no such device, or there is a stream, which the CPU has not.
        """
        if device != "cpu":
            raise tr.located(AttributeValueError(f"there is no device {device!r}; the array is on 'cpu'"))
        if stream is not None:
            raise tr.located(AttributeValueError(f"the CPU has no streams, and stream is {stream!r}"))
        return self

    @property
    def T(self) -> Array:  # noqa: N802  # the array API's name
        """The axes in opposite order."""
        return rnp.permute_dims(self, tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Array:  # noqa: N802  # the array API's name
        """The last two axes exchanged."""
        return rnp.matrix_transpose(self)

    @property
    def real(self) -> Array:
        """The real part."""
        return rnp.real(self)

    @property
    def imag(self) -> Array:
        """The imaginary part, zeros for real numbers."""
        return rnp.imag(self)

    def conj(self) -> Array:
        """The complex conjugate."""
        return rnp.conj(self)

    conjugate = conj

    @property
    def at(self) -> At:
        """`x.at[index].set(y)` is `x` with other elements at `index`; also add, multiply, min, max… and get."""
        return At(self)

    def strong(self) -> Array:
        """The array with a dtype that does not give way."""
        return self

    def donate(self) -> None:
        """Give the memory away; using the array from then on is an error."""
        self._device = None
        try:  # noqa: SIM105  # a step donates many arrays, and suppress() takes longer than all the rest
            del self._value
        except AttributeError:  # Nobody has read it from the device yet.
            pass

    def __getattr__(self, name: str) -> Any:
        # Python asks here for what it does not find: most arrays are on no device, and `_value` is gone once it was
        # donated, or has not come from the device yet.
        if name == "_device":
            return None
        if name == "_value":
            device = self._device
            if device is not None:
                # Another thread may do so too; both get the same numbers.
                self._value = device.fetch()
                if device.is_here:
                    self._device = None
                return self._value
            message = "the array was donated to a compiled function, whose results are in its memory now"
            raise tr.located(ImmutableError(message))
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    # -- values ------------------------------------------------------------------------------------------------

    def _known(self, use: str, instead: str) -> NumpyArray:
        """The NumPy array, for what Python needs `use` of it for."""
        return self._value

    def __array_namespace__(self, *, api_version: str | None = None) -> ModuleType:
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12", "2025.12"):
            message = f"there is no version {api_version!r} of the array API; here is {rnp.__array_api_version__}"
            raise tr.located(AttributeValueError(message))
        return rnp

    def item(self) -> Any:
        """The one element as a Python number."""
        value = self._known("item() gives a Python number", _NUMBER)
        if value.size != 1:
            raise tr.located(ShapeError(f"item() needs an array of one element, not {self.type}"))
        return self.dtype_item(value)

    def dtype_item(self, value: NumpyArray) -> Any:
        """A one-element NumPy array as a Python number; narrow floats too."""
        return value.item() if value.dtype.kind in "biufc" else float(value.reshape(()))

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self._known("tolist() gives Python numbers", _NUMBER).tolist()

    def _scalar(self, use: str, instead: str) -> Any:
        value = self._known(use, instead)
        if value.size != 1:
            raise tr.located(ShapeError(f"{use}, and {self.type} has {value.size} elements, not 1"))
        return self.dtype_item(value)

    def __bool__(self) -> bool:
        return bool(self._scalar("`if`, `while`, `and` and bool() need its truth", _BRANCH))

    def __int__(self) -> int:
        core.refuse_parts(self.dtype, core.DEFAULT_INT)
        return int(self._scalar("int() needs its number", _NUMBER))

    def __float__(self) -> float:
        core.refuse_parts(self.dtype, core.DEFAULT_FLOAT)
        return float(self._scalar("float() needs its number", _NUMBER))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex() needs its number", _NUMBER))

    def __index__(self) -> int:
        value = self._known("range(), an index of a list or a size need its number", _INDEX)
        if value.ndim or not self.dtype.is_integer:
            raise tr.located(DTypeError(f"an index is one integer, not {self.type}"))
        return int(value)

    def __len__(self) -> int:
        if not self.shape:
            raise tr.located(NoAxisError(f"an array of rank 0 has no length: {self.type}"))
        return operator.index(self.shape[0])

    def __iter__(self) -> Iterator[Array]:
        if not self.shape:
            raise tr.located(NoAxisError(f"an array of rank 0 cannot be iterated over: {self.type}"))
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: ArrayLike) -> bool:
        return bool(rnp.any(rnp.equal(self, item)))

    # -- text --------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        text = np.array2string(self._value, separator=", ", prefix="Array(")
        shape = f", shape={self._value.shape}" if self._value.size == 0 and self._value.ndim > 1 else ""
        return f"Array({text}{shape}, dtype={self._value.dtype.name})"

    def __str__(self) -> str:
        return str(self._value)

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        return format(self._scalar("a format needs its number", _NUMBER), spec)

    # -- copies ------------------------------------------------------------------------------------------------

    def __reduce__(self) -> tuple[Any, ...]:
        return (Array, (np.asarray(self._value),))

    def __copy__(self) -> Array:
        return self.copy()

    def copy(self) -> Array:
        """The same numbers in memory of their own."""
        return rnp.asarray(self, copy=True)

    def block_until_ready(self) -> Array:
        """The array; its numbers are always there already."""
        return self

    # -- elements ----------------------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Array:
        return rnp.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        """Give the array other elements at `index`: what holds this array sees them, what was made of it does not.

        Nothing is copied if nothing else holds the memory.

        Raises:
            ImmutableError: the array comes from outside of what is being traced.
        """
        if core.tracing():
            frame = source.user_frame()
            name = (source.name_of(frame, self) if frame is not None else "") or "the array"
            message = f"{name} comes from outside of what is traced, and a compiled call cannot change it"
            raise tr.located(
                ImmutableError(f"{message}\n  use {name}.at[…].set(…), or pass it as an argument", [self.type])
            )
        if self._device is not None:
            self._value, self._device = np.array(self._value), None
        if not self._written(index, value):
            self._value = changed(self, index, "set", value)._value

    def _written(self, index: Any, value: Any) -> bool:
        """Write elements into the memory, if nothing else reads it and the place is known; gives whether it was."""
        place: tuple[Any, ...] = cast("Any", index) if isinstance(index, tuple) else (index,)
        if not all(type(entry) in (int, slice) for entry in place):
            return False
        own, base = self._value, self._value.base
        # The slot, the name, and the argument of the call: who else reads the memory holds one more reference.
        if sys.getrefcount(own) > 3 or not own.flags.writeable:
            return False
        if base is not None and not (base.base is None and sys.getrefcount(base) == 3):
            return False
        try:
            part = own[place]
        except (IndexError, TypeError, ValueError):
            return False  # `changed` says what is wrong.
        new = fitting("at[…].set", self, value)._value
        if new.shape != part.shape and not (new.ndim == 0 and new.size == 1):
            return False
        own[place] = new
        return True

    # -- operators ---------------------------------------------------------------------------------------------

    def __add__(self, other: ArrayLike) -> Array:
        return rnp.add(self, other) if _accepts(other) else NotImplemented

    def __radd__(self, other: ArrayLike) -> Array:
        return rnp.add(other, self) if _accepts(other) else NotImplemented

    def __sub__(self, other: ArrayLike) -> Array:
        return rnp.subtract(self, other) if _accepts(other) else NotImplemented

    def __rsub__(self, other: ArrayLike) -> Array:
        return rnp.subtract(other, self) if _accepts(other) else NotImplemented

    def __mul__(self, other: ArrayLike) -> Array:
        return rnp.multiply(self, other) if _accepts(other) else NotImplemented

    def __rmul__(self, other: ArrayLike) -> Array:
        return rnp.multiply(other, self) if _accepts(other) else NotImplemented

    def __truediv__(self, other: ArrayLike) -> Array:
        return rnp.divide(self, other) if _accepts(other) else NotImplemented

    def __rtruediv__(self, other: ArrayLike) -> Array:
        return rnp.divide(other, self) if _accepts(other) else NotImplemented

    def __floordiv__(self, other: ArrayLike) -> Array:
        return rnp.floor_divide(self, other) if _accepts(other) else NotImplemented

    def __rfloordiv__(self, other: ArrayLike) -> Array:
        return rnp.floor_divide(other, self) if _accepts(other) else NotImplemented

    def __mod__(self, other: ArrayLike) -> Array:
        return rnp.remainder(self, other) if _accepts(other) else NotImplemented

    def __rmod__(self, other: ArrayLike) -> Array:
        return rnp.remainder(other, self) if _accepts(other) else NotImplemented

    def __divmod__(self, other: ArrayLike) -> tuple[Array, Array]:
        return (self // other, self % other) if _accepts(other) else NotImplemented

    def __rdivmod__(self, other: ArrayLike) -> tuple[Array, Array]:
        return (other // self, other % self) if _accepts(other) else NotImplemented

    def __pow__(self, other: ArrayLike) -> Array:
        return rnp.pow(self, other) if _accepts(other) else NotImplemented

    def __rpow__(self, other: ArrayLike) -> Array:
        return rnp.pow(other, self) if _accepts(other) else NotImplemented

    def __matmul__(self, other: ArrayLike) -> Array:
        return rnp.matmul(self, other) if _accepts(other) else NotImplemented

    def __rmatmul__(self, other: ArrayLike) -> Array:
        return rnp.matmul(other, self) if _accepts(other) else NotImplemented

    def __and__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_and(self, other) if _accepts(other) else NotImplemented

    def __rand__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_and(other, self) if _accepts(other) else NotImplemented

    def __or__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_or(self, other) if _accepts(other) else NotImplemented

    def __ror__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_or(other, self) if _accepts(other) else NotImplemented

    def __xor__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_xor(self, other) if _accepts(other) else NotImplemented

    def __rxor__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_xor(other, self) if _accepts(other) else NotImplemented

    def __lshift__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_left_shift(self, other) if _accepts(other) else NotImplemented

    def __rlshift__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_left_shift(other, self) if _accepts(other) else NotImplemented

    def __rshift__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_right_shift(self, other) if _accepts(other) else NotImplemented

    def __rrshift__(self, other: ArrayLike) -> Array:
        return rnp.bitwise_right_shift(other, self) if _accepts(other) else NotImplemented

    def __lt__(self, other: ArrayLike) -> Array:
        return rnp.less(self, other) if _accepts(other) else NotImplemented

    def __le__(self, other: ArrayLike) -> Array:
        return rnp.less_equal(self, other) if _accepts(other) else NotImplemented

    def __gt__(self, other: ArrayLike) -> Array:
        return rnp.greater(self, other) if _accepts(other) else NotImplemented

    def __ge__(self, other: ArrayLike) -> Array:
        return rnp.greater_equal(self, other) if _accepts(other) else NotImplemented

    def __eq__(self, other: ArrayLike) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]  # compares elements
        return rnp.equal(self, other) if _accepts(other) else NotImplemented

    def __ne__(self, other: ArrayLike) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]  # compares elements
        return rnp.not_equal(self, other) if _accepts(other) else NotImplemented

    def __neg__(self) -> Array:
        return rnp.negative(self)

    def __pos__(self) -> Array:
        return rnp.positive(self)

    def __abs__(self) -> Array:
        return rnp.abs(self)

    def __invert__(self) -> Array:
        return rnp.bitwise_invert(self)

    def __round__(self, digits: int | None = None) -> Array:
        return rnp.round(self, digits or 0)

    # -- functions as methods ------------------------------------------------------------------------------------

    def astype(self, dtype: DTypeLike) -> Array:
        """The array as another dtype."""
        return rnp.astype(self, dtype)

    # NumPy's functions of the same names call these with its own arguments: `out` is always None, `ddof` a correction.

    def sum(self, axis: Axis = None, *, dtype: DTypeLike = None, out: None = None, keepdims: bool = False) -> Array:
        return rnp.sum(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def prod(self, axis: Axis = None, *, dtype: DTypeLike = None, out: None = None, keepdims: bool = False) -> Array:
        return rnp.prod(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Axis = None, *, dtype: DTypeLike = None, out: None = None, keepdims: bool = False) -> Array:
        return rnp.mean(self._as(dtype), axis=axis, keepdims=keepdims)

    def var(
        self,
        axis: Axis = None,
        *,
        dtype: DTypeLike = None,
        out: None = None,
        ddof: float = 0.0,
        correction: float = 0.0,
        keepdims: bool = False,
    ) -> Array:
        return rnp.var(self._as(dtype), axis=axis, correction=correction or ddof, keepdims=keepdims)

    def std(
        self,
        axis: Axis = None,
        *,
        dtype: DTypeLike = None,
        out: None = None,
        ddof: float = 0.0,
        correction: float = 0.0,
        keepdims: bool = False,
    ) -> Array:
        return rnp.std(self._as(dtype), axis=axis, correction=correction or ddof, keepdims=keepdims)

    def _as(self, dtype: DTypeLike) -> Array:
        return self if dtype is None else self.astype(dtype)

    def min(self, axis: Axis = None, *, out: None = None, keepdims: bool = False) -> Array:
        return rnp.min(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, *, out: None = None, keepdims: bool = False) -> Array:
        return rnp.max(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Axis = None, *, out: None = None, keepdims: bool = False) -> Array:
        return rnp.any(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Axis = None, *, out: None = None, keepdims: bool = False) -> Array:
        return rnp.all(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Array:
        return rnp.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Array:
        return rnp.argmin(self, axis=axis, keepdims=keepdims)

    def cumsum(self, axis: int | None = None) -> Array:
        return rnp.cumulative_sum(self if axis is not None else self.ravel(), axis=axis)

    def cumprod(self, axis: int | None = None) -> Array:
        return rnp.cumulative_prod(self if axis is not None else self.ravel(), axis=axis)

    def reshape(self, *shape: Any, order: str = "C") -> Array:
        """The elements in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
        return rnp.reshape(self, shape[0] if len(shape) == 1 else shape, order)

    def ravel(self, order: str = "C") -> Array:
        return rnp.reshape(self, (-1,), order)

    def flatten(self, order: str = "C") -> Array:
        return rnp.reshape(self, (-1,), order)

    def transpose(self, *axes: Any) -> Array:
        """The axes in another order, by default the opposite one."""
        if not axes or axes == (None,):
            return self.T
        order: Any = axes if isinstance(axes[0], int) else axes[0]
        return rnp.permute_dims(self, order)

    def swapaxes(self, axis1: int, axis2: int) -> Array:
        return rnp.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Axis = None) -> Array:
        return rnp.squeeze(self, axis)

    def clip(self, min: ArrayLike = None, max: ArrayLike = None) -> Array:
        return rnp.clip(self, min, max)

    def round(self, decimals: int = 0) -> Array:
        return rnp.round(self, decimals)

    def dot(self, other: ArrayLike) -> Array:
        return rnp.dot(self, other)

    def take(self, indices: ArrayLike, axis: int | None = None) -> Array:
        return rnp.take(self, indices, axis=axis)

    def repeat(self, repeats: int, axis: int | None = None) -> Array:
        return rnp.repeat(self, repeats, axis=axis)


class Tracer(Array):
    """The stand-in for a value while a function is traced: it has a dtype and a shape, and no numbers yet."""

    __slots__ = ("_ir", "_row", "_trace", "_weak")

    _trace: tr.Trace
    _ir: Value
    _weak: bool
    _row: tuple[Tracer, int] | None
    """An element along axis 0 of another traced array, if it is one; it has no `_ir` until someone asks for it."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes; one that is not known yet is a `Size`, to compute with and to give where a shape is asked for."""
        return shape_of_dims(self._ir.type.shape)

    def check_alive(self) -> None:
        """Raise a TraceError if the trace of this value has ended, or is that of another thread."""
        if self._trace not in tr.state.stack:
            tr.leaked(self._ir, self._trace)

    def strong(self) -> Array:
        return self if not self._weak else self._trace.strong(self)

    def _known(self, use: str, instead: str) -> NumpyArray:
        reason = reasons.of_user()
        if reason:
            instead += f"\n  control flow is rewritten in functions, but not in this one: {reason}"
        tr.no_value(self, use, instead)

    def __getattr__(self, name: str) -> Any:
        if name == "_ir":
            return self._trace.taken_row(self)
        if name == "_value":
            tr.no_value(self, "what is called here needs its numbers", INSTEAD)
        raise AttributeError(f"a traced array has no attribute {name!r}")

    def __repr__(self) -> str:
        place = self._trace.place_of(self._ir)
        return str(self) if place is None else f"{str(self)[:-1]}, made at {os.path.basename(str(place))})"

    def __str__(self) -> str:
        return f"Traced({self._ir if self._ir.name else self._ir.type})"

    def __setitem__(self, index: Any, value: Any) -> None:
        trace = tr.current()
        if trace is None:
            self.check_alive()
        else:
            trace.assign(self, changed(self, index, "set", value))

    def __copy__(self) -> Array:
        return tr.copied(self)

    def __deepcopy__(self, memo: Any) -> Array:
        return tr.copied(self)

    def __reduce__(self) -> tuple[Any, ...]:
        tr.no_value(self, "pickling needs its numbers", "return it from the traced function first")


_OPERANDS = (Array, bool, int, float, complex, np.ndarray, np.generic, Size)
"""What operators take beside an array."""

tr.register_array(Array, Tracer)
give_buffer(Array)  # After Tracer was derived, which has no memory.
