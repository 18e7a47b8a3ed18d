"""`rosin.extend`: ops of the user's own, and C functions by address.

An op is a class that derives from one of the kinds and has the facts that the kind asks for; `define("name")` makes it
an op, `apply` applies it. An elementwise op says with `lowering` what it is in LLVM; elements of the other kinds are
expressions over elementwise ops.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rosin.backends.llvm import lowering as llvm
from rosin.backends.llvm.emit import Emitter, Val
from rosin.frontend import core, tree
from rosin.frontend import trace as tr
from rosin.frontend.effects import types_like
from rosin.frontend.errors import ArgumentError
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.sizes import as_dim
from rosin.frontend.staging import Function
from rosin.frontend.tree import Tree
from rosin.frontend.wrapping import named_as, with_derivative
from rosin.ir import dims, dtypes
from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType
from rosin.ir.host import NativeFunction
from rosin.ir.op import (
    Constantlike,
    Cost,
    Elementwise,
    Flat,
    Fold,
    Linear,
    Monoid,
    Op,
    Pull,
    Running,
    Undifferentiable,
    Value,
    define,
)
from rosin.ir.ops.foreign import ForeignCall, ForeignScalar
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

__all__ = [
    "Builder",
    "Constantlike",
    "Cost",
    "Elementwise",
    "Emitter",
    "Flat",
    "Fold",
    "Linear",
    "Monoid",
    "Op",
    "Pull",
    "Running",
    "TensorType",
    "Undifferentiable",
    "Val",
    "Value",
    "apply",
    "define",
    "foreign_elementwise",
    "foreign_function",
    "lowering",
]

R = TypeVar("R", bound=Callable[..., Val])


# -- ops -----------------------------------------------------------------------------------------------------------


def apply(op: Op, *arrays: ArrayLike) -> Array | tuple[Array, ...]:
    """The result of an op, or its results. Operands of an elementwise op are promoted and broadcast before.

    Raises:
        RosinError: the op's type rule refuses the operands.
    """
    if isinstance(op, Elementwise):
        given = promote.promoted(op.name, *arrays, floating=not op.accepts & dtypes.INTEGERS)
    else:
        given = tuple(core.asarray(x) for x in arrays)
    results = core.bind(op, *given)
    return results[0] if len(results) == 1 else results


def lowering(op: type[Elementwise]) -> Callable[[R], R]:
    """Say what an elementwise op of floats is in LLVM: a function from an emitter and operands to the result.

    Operands and result are scalars or vectors of f32 or f64, in registers; f16 and bf16 come as f32. Where the op has
    attributes, the op comes before the operands.
    """

    def register(rule: R) -> R:
        llvm.MATHEMATICS[op] = rule
        return rule

    return register


# -- C functions -----------------------------------------------------------------------------------------------------

_C_TYPES: dict[Any, DType] = {
    ctypes.c_bool: dtypes.bool_,
    ctypes.c_float: dtypes.f32,
    ctypes.c_double: dtypes.f64,
    ctypes.c_int8: dtypes.i8,
    ctypes.c_int16: dtypes.i16,
    ctypes.c_int32: dtypes.i32,
    ctypes.c_int64: dtypes.i64,
    ctypes.c_uint8: dtypes.u8,
    ctypes.c_uint16: dtypes.u16,
    ctypes.c_uint32: dtypes.u32,
    ctypes.c_uint64: dtypes.u64,
}


def _native(what: str, function: Any) -> NativeFunction:
    address = ctypes.cast(function, ctypes.c_void_p).value if hasattr(function, "argtypes") else None
    if address is None:
        message = f"{what} takes a function pointer of ctypes, such as a function of a CDLL, not {function!r}"
        raise tr.located(ArgumentError(message))
    return NativeFunction(function, getattr(function, "__name__", None) or "c_function", address)


def foreign_elementwise(function: Any, *, jvp: Function | None = None, vjp: Function | None = None) -> Function:
    """A C function of scalars of one type, such as `double f(double)`, at every element of arrays that broadcast.

    Native code calls it, on several threads where there is much to do. It is pure, and takes any number without a trap.

    Args:
        function: a function pointer of ctypes with `argtypes` and `restype`, all the same: c_double, c_float, or an
            integer of 32 or 64 bits.
        jvp, vjp: as those of `rosin.wrap`; the arguments that they get are of C's type and of one shape.

    Raises:
        ArgumentError: it is no such function pointer.
        DTypeError: (when it is called) an array has numbers that the C type does not hold.
    """
    known = _native("foreign_elementwise", function)
    given: list[Any] = [*(function.argtypes or ()), function.restype]
    dtype = _C_TYPES.get(function.restype)
    if len(given) < 2 or dtype is None or any(_C_TYPES.get(t) != dtype for t in given):
        types = ", ".join(getattr(t, "__name__", str(t)) for t in given)
        message = f"foreign_elementwise: argtypes and restype have to be one C number type, not {types} of {known.name}"
        raise tr.located(ArgumentError(message))
    op = ForeignScalar(known, len(given) - 1, dtype)

    def alike(*operands: Array) -> Array:
        return core.bind1(op, *operands)

    # A rule sees arrays of one shape, and knows nothing of broadcasting.
    inner = with_derivative(named_as(alike, function), jvp, vjp)

    def call(*xs: ArrayLike) -> Array:
        operands = promote.operands(known.name, xs)
        common = promote.common_dtype(operands) if operands else dtype
        if promote.promote_types(common, dtype) != dtype:
            promote.bad_dtype(f"{known.name}: a C function of {dtype} does not hold numbers of {common}")
        shape = promote.broadcast_arrays_shape(known.name, [x for x in operands if promote.is_array(x)])
        return inner(*promote.spread_operands(known.name, operands, TensorType(dtype, shape)))

    return named_as(call, function)


def foreign_function(
    function: Any,
    result: Tree | Callable[..., Tree],
    *,
    numbers: Callable[..., Any] | None = None,
    jvp: Function | None = None,
    vjp: Function | None = None,
) -> Function:
    """A C function of whole arrays: `void f(const A*, …, R*, …, int64_t, …)`.

    It takes a pointer to each array, which lies in row-major order, then one to where each result goes, then numbers.
    Native code calls it, under `vmap` for each example. It is pure.

    Args:
        function: a function pointer of ctypes; its `argtypes`, if it has some, are checked against the arrays.
        result: a tree like the result, of whatever has a shape and a dtype, or a function from the arguments to it. C
            gets the leaves in order: those of a tuple as they stand, those of a dict by sorted keys.
        numbers: a function from the arguments to the integers that the C function takes last, such as sizes; without it
            there is one, the number of elements of the first result.
        jvp, vjp: as those of `rosin.wrap`.

    Raises:
        ArgumentError: it is no function pointer; (when it is called) its `argtypes` do not fit the arrays.
    """
    known = _native("foreign_function", function)

    def call(*xs: ArrayLike) -> Tree:
        arrays = [core.asarray(x) for x in xs]
        types, structure = types_like(known.name, "result", result(*arrays) if callable(result) else result)
        if numbers is None:
            given: tuple[Any, ...] = (dims.product(types[0].shape),)
        else:
            given = tuple(as_dim(n) for n in numbers(*arrays))
        taken = tuple(core.type_of(x) for x in arrays)
        _check_arguments(known, function.argtypes, (*taken, *types), len(given))
        return tree.unflatten(structure, core.bind(ForeignCall(known, taken, types, given), *arrays))

    return with_derivative(named_as(call, function), jvp, vjp)


def _check_arguments(known: NativeFunction, argtypes: Any, types: Sequence[TensorType], numbers: int) -> None:
    """Whether the types that C expects are those of the pointers and numbers that it is going to get."""
    if argtypes is None:
        return
    if len(argtypes) != len(types) + numbers:
        given = f"{len(types)} arrays and {numbers} numbers are given"
        raise tr.located(ArgumentError(f"{known.name} takes {len(argtypes)} arguments in C, and {given}", types))
    for position, argument in enumerate(argtypes):
        if position >= len(types):
            fits, given = _C_TYPES.get(argument) in (dtypes.i64, dtypes.u64), "a number of 64 bits is given"
        else:
            pointed = _C_TYPES.get(getattr(argument, "_type_", None))
            fits, given = argument is ctypes.c_void_p or pointed == types[position].dtype, f"{types[position]} is given"
        if not fits:
            message = f"{known.name}: argument {position} is {argument.__name__} in C, and {given}"
            raise tr.located(ArgumentError(message, types))
