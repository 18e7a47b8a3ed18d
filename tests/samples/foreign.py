"""Samples of C functions by address: some of the C library's."""

from __future__ import annotations

import ctypes
import ctypes.util
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.host import NativeFunction
from rosin.ir.op import Op
from rosin.ir.ops.foreign import ForeignCall, ForeignScalar
from rosin.ir.types import parse_type
from tests.samples import Array, Bad, Reference, Sample, Symbolic, draw

MATHS, C = ctypes.CDLL(ctypes.util.find_library("m")), ctypes.CDLL(None)


def _native(function: Any, arguments: list[Any], result: Any) -> NativeFunction:
    function.argtypes, function.restype = arguments, result
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return NativeFunction(function, function.__name__, address)


def _scalar(name: str, c_type: Any, dtype: DType, count: int, library: Any = MATHS) -> ForeignScalar:
    return ForeignScalar(_native(getattr(library, name), [c_type] * count, c_type), count, dtype)


CBRT, CBRTF = _scalar("cbrt", ctypes.c_double, dtypes.f64, 1), _scalar("cbrtf", ctypes.c_float, dtypes.f32, 1)
ATAN2, ABS = _scalar("atan2", ctypes.c_double, dtypes.f64, 2), _scalar("abs", ctypes.c_int, dtypes.i32, 1, C)
BCOPY = _native(C.bcopy, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None)
# Of bytes, so that the number is a size, and stays right where the samples' sizes become symbols.
SIX = (parse_type("u8[6]"),)
COPY, COPIES = ForeignCall(BCOPY, SIX, SIX, (6,)), ForeignCall(BCOPY, SIX, SIX, (6,), 1)

SAMPLES: list[Sample] = [
    Sample(CBRT, (draw(dtypes.f64, (5, 7)),)),
    Sample(CBRT, (np.ones(()),)),
    Sample(CBRTF, (draw(dtypes.f32, (19,)),)),
    Sample(ATAN2, (draw(dtypes.f64, (33,)), draw(dtypes.f64, (33,), low=0.5, high=2))),
    Sample(ABS, (np.arange(-9, 9, dtype=np.int32),)),
    Sample(COPY, (draw(dtypes.u8, (6,), high=200),)),
    Sample(COPIES, (draw(dtypes.u8, (4, 6), high=200),), "batch"),
    Sample(COPIES, (np.ones((0, 6), np.uint8),), "empty"),
]

BAD: list[Bad] = [
    Bad(CBRT, ("f32[3]",), DTypeError, "cbrt takes operands of f64"),
    Bad(ATAN2, ("f64[3]",), ShapeError, "takes 2 operands and was given 1"),
    Bad(ATAN2, ("f64[3]", "f64[4]"), ShapeError, "axis 0 has sizes 3 and 4"),
    Bad(ForeignScalar(BCOPY, 1, dtypes.bf16), ("bf16[3]",), AttributeValueError, "not bf16"),
    Bad(COPY, (), ShapeError, "takes 1 operands and was given 0"),
    Bad(COPY, ("u8[5]",), ShapeError, r"operand 0 is u8\[5\], not u8\[6\]"),
    Bad(COPY, ("i8[6]",), DTypeError, r"operand 0 is i8\[6\], not u8\[6\]"),
    Bad(COPIES, ("u8[]",), ShapeError, "operand 0 is u8"),
    Bad(COPIES, ("u8[6]",), ShapeError, "operand 0 is u8"),
    Bad(ForeignCall(BCOPY, SIX, (), ()), ("u8[6]",), AttributeValueError, "bcopy has no result"),
    Bad(ForeignCall(BCOPY, (), SIX, (), 1), (), ShapeError, "there is no batch"),
]

SYMBOLIC = [Symbolic(COPIES, ("u8[n, 6]",), ("u8[n, 6]",))]


def _of_scalars(op: Op, *operands: Array) -> Array:
    functions: dict[Op, Any] = {CBRT: np.cbrt, CBRTF: np.cbrt, ATAN2: np.arctan2, ABS: np.abs}
    return functions[op](*operands)


REFERENCES: dict[type[Op], Reference] = {ForeignScalar: _of_scalars, ForeignCall: lambda op, x: x}
