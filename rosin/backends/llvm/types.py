"""How the element types of the IR appear in LLVM: in registers and in memory."""

from __future__ import annotations

from rosin.ir.dtypes import DType

_REGISTER = {"f16": "half", "bf16": "bfloat", "f32": "float", "f64": "double", "bool": "i1"}


def register_type(dtype: DType) -> str:
    """The LLVM type of a value of `dtype` that is computed with."""
    return _REGISTER.get(dtype.name) or f"i{dtype.bits}"


def memory_type(dtype: DType) -> str:
    """The LLVM type of an element of `dtype` in a buffer; truth values take a byte there.

    bf16 is its bits there: LLVM 22 cannot lower masked loads of vectors of bfloat for AVX2.
    """
    return {"bool": "i8", "bf16": "i16"}.get(dtype.name) or register_type(dtype)
