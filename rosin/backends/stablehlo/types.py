"""Types and constants as MLIR writes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rosin.ir import dims
from rosin.ir.dtypes import DType
from rosin.ir.literal import TEXT_LIMIT
from rosin.ir.op import NumpyArray
from rosin.ir.types import TensorType


def element_text(dtype: DType) -> str:
    """An element type: `i1`, `ui8`, `bf16`, `complex<f32>`."""
    if dtype.kind == "bool":
        return "i1"
    if dtype.is_complex:
        return f"complex<{dtype.part}>"
    return f"ui{dtype.bits}" if dtype.kind == "uint" else dtype.name


def type_text(type: TensorType) -> str:
    """A tensor type: `tensor<2x3xf32>`.

    Raises:
        ValueError: a size is symbolic.
    """
    sizes = dims.static(type.shape, "a StableHLO program")
    return f"tensor<{''.join(f'{size}x' for size in sizes)}{element_text(type.dtype)}>"


def signature_text(operands: tuple[TensorType, ...], results: tuple[TensorType, ...]) -> str:
    """The type of an op: `(tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>`."""
    given = ", ".join(map(type_text, operands))
    made = ", ".join(map(type_text, results))
    return f"({given}) -> {made if len(results) == 1 else f'({made})'}"


def constant_text(array: NumpyArray, dtype: DType) -> str:
    """The attribute for data; an array of rank 0 stands for as many equal numbers as the type has."""
    if array.ndim and not array.size:
        return "dense<>"
    if array.size > TEXT_LIMIT and dtype.kind != "bool":
        data = np.ascontiguousarray(array).astype(dtype.numpy.newbyteorder("<") if dtype.bits > 8 else dtype.numpy)
        return f'dense<"0x{data.tobytes().hex().upper()}">'
    return f"dense<{_nested(array, dtype)}>"


def _nested(array: NumpyArray, dtype: DType) -> str:
    if array.ndim:
        return f"[{', '.join(_nested(part, dtype) for part in array)}]"
    if dtype.is_complex:
        return f"({_nested(np.real(array), dtype.part)}, {_nested(np.imag(array), dtype.part)})"
    if dtype.kind == "bool":
        return "true" if array else "false"
    return str(array.item()) if dtype.is_integer else _float_text(array, dtype)


def _float_text(number: NumpyArray, dtype: DType) -> str:
    """A float that is read back as it was: in decimals, or the bits of what has none."""
    value = float(number)
    if not math.isfinite(value):
        bits = number.view(np.dtype(f"u{dtype.bytes}")).item()
        return f"0x{bits:0{dtype.bytes * 2}X}"
    short: Any = np.float32(value) if dtype.bits <= 32 else value
    # Decimals are read as a double, which is rounded; the digits of the double itself where that gives another number.
    for candidate in (short, value):
        digits = np.format_float_scientific(candidate, unique=True, trim="0")
        if dtype.numpy.type(float(digits)) == dtype.numpy.type(value):
            break
    return _plain(digits)


def _plain(digits: str) -> str:
    """`1.5e+00` as `1.5`, numbers of another size as they are."""
    mantissa, exponent = digits.split("e")
    power = int(exponent)
    if not -4 <= power <= 6:
        return f"{mantissa}E{power:+03d}"
    return np.format_float_positional(float(digits), unique=True, trim="0")
