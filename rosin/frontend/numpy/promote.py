"""Operands made alike: one element type by the promotion rules, one shape by broadcasting.

Ops of the IR neither promote nor broadcast; every function of several arrays comes through here once.

The rules are the array API's table where it speaks, and elsewhere those of JAX:

- an integer with a float gives that float: i64 with f16 is f16;
- bf16 with f16 gives f32;
- u64 with a signed integer has no integer type that holds both, and gives the default float;
- complex numbers hold floats of their width: c64 with f32 or an integer is c64, with f64 c128;
- a Python number is weak: it takes the element type of the arrays it meets if its kind allows, so that `x + 1` and
  `x * 0.5` keep the type of a float `x`. A float that meets integer arrays gives the default float, a complex number
  that meets floats the complex type of their width.

The defaults are `core.DEFAULT_FLOAT`, `core.DEFAULT_COMPLEX` and `core.DEFAULT_INT`. NumPy's scalars are arrays of rank
0 and not weak. A traced Python number is as weak as one that is not traced.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeGuard
from typing import cast as cast_to

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_FLOAT, DEFAULT_INT, DEFAULT_UINT
from rosin.frontend.errors import AxisError
from rosin.frontend.sizes import Size, as_dim
from rosin.frontend.trace import check_size, located
from rosin.ir import dtypes, facts, literal
from rosin.ir.dims import Dim, Sym
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.ops.call import StopGradient
from rosin.ir.ops.cast import Cast
from rosin.ir.ops.movement import Broadcast, Constant, Reshape
from rosin.ir.types import TensorType, shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array

ArrayLike: TypeAlias = "Array | np.ndarray[Any, Any] | np.generic | bool | int | float | complex"
Operand: TypeAlias = "Array | bool | int | float | complex"
Shape: TypeAlias = tuple[Dim, ...]


# -- errors ------------------------------------------------------------------------------------------------------------


def bad_shape(message: str, *operands: Array) -> NoReturn:
    """Raise a ShapeError with the operands' types and the user's line."""
    raise located(ShapeError(message, [core.type_of(x) for x in operands]))


def bad_dtype(message: str, *operands: Array) -> NoReturn:
    """Raise a DTypeError with the operands' types and the user's line."""
    raise located(DTypeError(message, [core.type_of(x) for x in operands]))


def bad_value(message: str, *operands: Array) -> NoReturn:
    """Raise an AttributeValueError with the operands' types and the user's line."""
    raise located(AttributeValueError(message, [core.type_of(x) for x in operands]))


# -- element types -----------------------------------------------------------------------------------------------------


def promote_types(a: DType, b: DType) -> DType:
    """The element type that holds a combination of both (see the head of this file)."""
    if a == b or b.kind == "bool":
        return a
    if a.kind == "bool":
        return b
    if a.is_complex or b.is_complex:
        wide = max(a, b, key=lambda dtype: dtype.bits if dtype.is_complex else 0)
        return dtypes.c128 if dtypes.f64 in (a, b) else wide
    if a.is_float != b.is_float:
        return a if a.is_float else b
    if a.is_float and a.bits == b.bits:
        return dtypes.f32
    if a.is_float or a.kind == b.kind:
        return a if a.bits > b.bits else b
    signed, unsigned = (a, b) if a.kind == "int" else (b, a)
    bits = max(signed.bits, 2 * unsigned.bits)
    return dtypes.BY_NAME[f"i{bits}"] if bits <= 64 else DEFAULT_FLOAT


def promote_weak(dtype: DType | None, weak: DType) -> DType:
    """The element type of arrays of `dtype` (None: no array) with a Python number, whose own type would be `weak`."""
    if dtype is None:
        return weak
    if weak.is_complex and dtype.is_float:
        return dtype.complex
    if weak.kind == "bool" or dtype.differentiable or (weak.is_integer and dtype.is_integer):
        return dtype
    return weak


def common_dtype(xs: Sequence[Operand]) -> DType:
    """The element type of arrays and Python numbers together."""
    firm: DType | None = None
    for x in xs:
        if not core.is_weak(x):
            firm = own_dtype(x) if firm is None else promote_types(firm, own_dtype(x))
    result = firm
    for x in xs:
        if core.is_weak(x):
            # Every number meets the arrays; what several numbers ask for is combined.
            asked = promote_weak(firm, own_dtype(x))
            result = asked if result is None else promote_types(result, asked)
    assert result is not None, "a combination of nothing has no element type"
    return result


def own_dtype(x: Operand) -> DType:
    """The element type of an array, or of a Python number on its own."""
    return core.default_of(x) if isinstance(x, bool | int | float | complex) else core.dtype_of(x)


def accumulator_of(dtype: DType) -> DType:
    """The element type that sums and products have by the array API: narrow integers and bools are widened."""
    if dtype.kind == "bool" or (dtype.kind == "int" and dtype.bits < DEFAULT_INT.bits):
        return DEFAULT_INT
    return DEFAULT_UINT if dtype.kind == "uint" and dtype.bits < DEFAULT_UINT.bits else dtype


# -- operands ----------------------------------------------------------------------------------------------------------


def is_array(x: object) -> TypeGuard[Array]:
    """Whether it is an `Array`, traced or not."""
    return core.is_array(x)


def array(name: str, x: ArrayLike) -> Array:
    """An operand of the function `name` as an array.

    Raises:
        DTypeError: it is neither an array nor a number.
    """
    if is_array(x):
        return x
    if isinstance(x, bool | int | float | complex | np.ndarray | np.generic | Size):
        return core.asarray(x)
    bad_dtype(f"{name} takes arrays and numbers, not {_describe(x)}")


def _describe(x: object) -> str:
    if isinstance(x, list | tuple):
        return f"a {'list' if isinstance(x, list) else 'tuple'}; rosin.numpy.asarray makes an array of it"
    return f"{x!r}" if x is None or x is Ellipsis else f"{type(x).__name__}"


def operands(name: str, xs: Sequence[ArrayLike]) -> list[Operand]:
    """The operands of the function `name`: arrays as arrays and Python numbers as they are.

    Among weak traced values alone a Python number becomes one too, so that the result is weak.
    """
    if all(core.is_weak(x) for x in xs) and not all(core.is_scalar(x) for x in xs):
        return [array(name, x) for x in xs]
    return [x if core.is_scalar(x) else array(name, x) for x in xs]


def alike(name: str, *xs: ArrayLike) -> tuple[Array, ...]:
    """The operands of the function `name`, promoted to one element type.

    Raises:
        DTypeError: an operand is no array or number.
        AttributeValueError: a Python integer does not fit the element type.
    """
    given = operands(name, xs)
    dtype = common_dtype(given)
    return tuple(
        number(name, x, TensorType(dtype)) if isinstance(x, bool | int | float | complex) else cast(x, dtype)
        for x in given
    )


def alike_floats(name: str, *xs: ArrayLike) -> tuple[Array, ...]:
    """The operands as floats of one element type, real or complex, which products and sums are made of."""
    given = alike(name, *xs)
    return tuple(floating(name, x) for x in given)


def promoted(name: str, *xs: ArrayLike, floating: bool = False) -> tuple[Array, ...]:
    """The operands of the function `name`, promoted and broadcast; with `floating`, integers become the default float.

    Raises:
        ShapeError: the shapes do not broadcast.
        DTypeError: an operand is no array or number.
        AttributeValueError: a Python integer does not fit the element type.
    """
    types = [core.type_of(x) if is_array(x) else None for x in xs]
    if types[0] is not None and all(t == types[0] for t in types) and (types[0].dtype.differentiable or not floating):
        return tuple([x for x in xs if is_array(x)])
    if len(xs) == 2 and None in types:
        pair = _beside_number(name, xs, floating)
        if pair is not None:
            return pair
    given = operands(name, xs)
    dtype = common_dtype(given)
    if floating and not dtype.differentiable:
        dtype = DEFAULT_FLOAT
    full = TensorType(dtype, broadcast_arrays_shape(name, [x for x in given if is_array(x)]))
    return spread_operands(name, given, full)


def _beside_number(name: str, xs: Sequence[ArrayLike], floating: bool) -> tuple[Array, ...] | None:
    """An array and a Python number that takes the array's type, as most pairs are; None for others."""
    x, value = xs if is_array(xs[0]) else reversed(xs)
    if not is_array(x) or core.is_weak(x):
        return None
    type = core.type_of(x)
    takes = (float, int) if type.dtype.differentiable else (int,) if type.dtype.is_integer and not floating else ()
    if value.__class__ not in takes:
        return None
    made = _constant(name, cast_to("float", value), type)
    return (x, made) if x is xs[0] else (made, x)


def spread_operands(name: str, given: Sequence[Operand], type: TensorType) -> tuple[Array, ...]:
    """Arrays and numbers as operands of `type` of an op, whose shapes are known to broadcast.

    They are for ops alone and never a result: a small array of one number may be handed out many times.
    """
    return tuple(
        _constant(name, x, type)
        if isinstance(x, bool | int | float | complex)
        else spread(cast(x, type.dtype), type.shape)
        for x in given
    )


_SMALL = 64
"""Arrays of one number up to this many elements are kept, for the same ones are asked for again and again."""


def _constant(name: str, value: core.Scalar, type: TensorType) -> Array:
    if core.tracing() or type.bytes > _SMALL * type.dtype.bytes:
        return number(name, value, type)
    # As keys 1 and 1.0 are equal, and 0.0 and -0.0.
    kind, sign = (float, math.copysign(1, value)) if isinstance(value, float) else (int, 1)
    if isinstance(value, complex):
        kind, sign = complex, (math.copysign(1, value.real), math.copysign(1, value.imag))
    return _small_constant(name, value, kind, sign, type)


@functools.lru_cache(maxsize=1024)
def _small_constant(name: str, value: core.Scalar, kind: Any, sign: Any, type: TensorType) -> Array:
    return number(name, value, type)


def number(name: str, value: core.Scalar, type: TensorType) -> Array:
    """A Python number at every place of an array of `type`.

    Raises:
        AttributeValueError: it is an integer that the element type does not hold.
        DTypeError: it is complex and the element type is not.
    """
    dtype = type.dtype
    if isinstance(value, complex):
        core.refuse_parts(dtypes.c128, dtype)
    if isinstance(value, int) and dtype.is_integer:
        check_fits(name, value, dtype)
    if dtype.differentiable and isinstance(value, int):
        value = float(value) if abs(value) < 1 << 1023 else math.inf if value > 0 else -math.inf
    return core.bind1(Constant(literal.splat(value, type)))


def check_fits(name: str, value: int, dtype: DType) -> None:
    """Refuse an integer that is beyond the ends of an integer type."""
    if not dtype.lowest <= value <= dtype.highest:
        bad_value(f"{name}: {value} does not fit {dtype}, which holds {dtype.lowest} to {dtype.highest}")


def numbers(name: str, value: core.Scalar, like: Array) -> Array:
    """A Python number at every place of an array of the type of `like`."""
    return number(name, value, core.type_of(like))


def cast(x: Array, dtype: DType) -> Array:
    """`x` as another element type, `x` itself when it has that type; what is weak stays weak."""
    return x if core.dtype_of(x) == dtype else core.bind1(Cast(dtype), x)


def stopped(x: Array) -> Array:
    """`x` itself, a constant to every derivative."""
    return core.bind1(StopGradient(core.type_of(x)), x)


def floating(name: str, x: ArrayLike) -> Array:
    """An operand as an array of floats, real or complex: integers and truth values become the default float."""
    operand = array(name, x)
    return operand if core.dtype_of(operand).differentiable else cast(operand, DEFAULT_FLOAT)


def numeric(name: str, x: ArrayLike) -> Array:
    """An operand as an array of numbers.

    Raises:
        DTypeError: it holds truth values.
    """
    operand = array(name, x)
    if core.dtype_of(operand).kind == "bool":
        bad_dtype(f"{name} takes numbers, not bool; astype makes numbers of truth values", operand)
    return operand


# -- broadcasting ------------------------------------------------------------------------------------------------------


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that arrays of these shapes broadcast to: sizes are matched from the last axis, and 1 fits any.

    A symbolic size fits itself and 1, and another one that is equal, which is checked when the program is called.

    Raises:
        ShapeError: two sizes differ and neither is 1.
    """
    return _broadcast("broadcast_shapes", shapes, ())


def broadcast_arrays_shape(name: str, arrays: Sequence[Array]) -> Shape:
    """The shape that the arrays broadcast to in the function `name`."""
    return _broadcast(name, [core.shape_of(x) for x in arrays], arrays)


def broadcast_batch(name: str, *parts: tuple[Array, Shape]) -> Shape:
    """The shape that some axes of arrays broadcast to, given as each array with the sizes of those axes."""
    return _broadcast(name, [shape for _, shape in parts], [x for x, _ in parts])


def _broadcast(name: str, shapes: Sequence[Shape], arrays: Sequence[Array]) -> Shape:
    if not shapes or all(shape == shapes[0] for shape in shapes):
        return tuple(shapes[0]) if shapes else ()
    rank = max(len(shape) for shape in shapes)
    result: list[Dim] = [1] * rank
    for shape in shapes:
        for axis in range(-1, -len(shape) - 1, -1):
            size, known = shape[axis], result[axis]
            if known == 1:
                result[axis] = size
            elif size != 1 and not facts.same(known, size):
                listed = " and ".join(shape_text(tuple(s)) for s in shapes)
                bad_shape(
                    f"{name}: shapes {listed} do not broadcast: axis {axis} has sizes {known} and {size}", *arrays
                )
    return tuple(result)


def spread(x: Array, shape: Shape) -> Array:
    """`x` copied along the axes that it lacks or has with size 1; the shapes are known to broadcast.

    Raises:
        ShapeError: the result is larger than memory can address.
    """
    own = core.shape_of(x)
    if own == shape:
        return x
    check_size(TensorType(core.dtype_of(x), shape), "broadcast")
    offset = len(shape) - len(own)
    kept = [axis for axis, size in enumerate(own) if size != 1 or shape[offset + axis] == 1]
    if len(kept) < len(own):
        x = core.bind1(Reshape(tuple(own[axis] for axis in kept)), x)
    return core.bind1(Broadcast(shape, tuple(offset + axis for axis in kept)), x)


def spread_along(x: Array, shape: Shape, axes: tuple[int, ...]) -> Array:
    """`x` copied to a shape, whose axes of these numbers are its own, of the same sizes."""
    return x if len(axes) == len(shape) else core.bind1(Broadcast(shape, axes), x)


def spread_to(name: str, x: Array, shape: Shape) -> Array:
    """`x` broadcast to exactly `shape`.

    Raises:
        ShapeError: it does not broadcast to it.
    """
    own = core.shape_of(x)
    if len(own) > len(shape):
        bad_shape(f"{name}: an array of rank {len(own)} does not broadcast to {shape_text(shape)}", x)
    for axis in range(-1, -len(own) - 1, -1):
        if own[axis] != 1 and not facts.same(own[axis], shape[axis]):
            sizes = f"axis {axis} has size {own[axis]}, not {shape[axis]} or 1"
            bad_shape(f"{name}: shape {shape_text(own)} does not broadcast to {shape_text(shape)}: {sizes}", x)
    return spread(x, shape)


def check_device(name: str, device: str | None) -> None:
    """Refuse a device that there is not."""
    if device not in (None, "cpu"):
        bad_value(f"{name}: there is no device {device!r}; arrays are on 'cpu'")


# -- shapes and axes ---------------------------------------------------------------------------------------------------


def as_shape(name: str, shape: Dim | Sequence[Dim]) -> Shape:
    """A shape given as one size or a sequence of sizes.

    Raises:
        ShapeError: a size is negative.
        DTypeError: a size is not an integer.
    """
    # A traced size says itself, when it is asked for its number, what to use instead.
    one = isinstance(shape, int | Sym | Size | np.integer) or is_array(shape)
    sizes: tuple[Any, ...] = (shape,) if one else tuple(cast_to(Sequence[Any], shape))
    result = tuple(as_size(name, size, "a size") for size in sizes)
    for size in result:
        if isinstance(size, int) and size < 0:
            bad_shape(f"{name}: {size} in the shape {shape_text(result)} is negative")
    return result


def as_size(name: str, value: Any, what: str) -> Dim:
    """A size, which may be symbolic, from whatever says that it is one.

    Raises:
        DTypeError: it is no integer.
    """
    if isinstance(value, Size | Sym):
        return facts.current().settled(as_dim(value))
    return as_int(name, value, what)


def as_int(name: str, value: Any, what: str) -> int:
    """A Python integer from whatever says that it is one.

    Raises:
        DTypeError: it is not.
    """
    if isinstance(value, bool):
        bad_dtype(f"{name}: {what} is an integer, not bool")
    # A traced array answers __index__ with an error of its own, which says what to use instead.
    if isinstance(value, int | np.integer | Size) or (is_array(value) and core.dtype_of(value).is_integer):
        return int(value.__index__())
    bad_dtype(f"{name}: {what} is an integer, not {type(value).__name__}")


def as_axis(name: str, axis: int, rank: int, *operands: Array) -> int:
    """An axis counted from the front; a negative one counts from the end.

    Raises:
        AxisError: there is no such axis.
    """
    axis = as_int(name, axis, "an axis")
    if not -rank <= axis < rank:
        message = f"{name}: axis {axis} is out of range for rank {rank}"
        raise located(AxisError(message, [core.type_of(x) for x in operands]))
    return axis % rank


def as_axes(name: str, axis: int | Sequence[int] | None, x: Array) -> tuple[int, ...]:
    """Axes of `x`, counted from the front and in the order given; None means all.

    Raises:
        AxisError: there is no such axis.
        ShapeError: one is named twice.
    """
    rank = len(core.shape_of(x))
    if axis is None:
        return tuple(range(rank))
    given = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    axes = tuple(as_axis(name, a, rank, x) for a in given)
    if len(set(axes)) < len(axes):
        bad_shape(f"{name}: axes {given} name an axis twice", x)
    return axes


def static_size(name: str, x: Array, axis: int) -> int:
    """The size of an axis as a number.

    Raises:
        ShapeError: the size is symbolic.
    """
    size = core.shape_of(x)[axis]
    if isinstance(size, Sym):
        bad_shape(f"{name}: axis {axis} has the symbolic size {size} where a number is needed", x)
    return size
