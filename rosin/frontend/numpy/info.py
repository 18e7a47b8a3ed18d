"""What the array API standard lets a program ask about this namespace."""

from __future__ import annotations

from rosin.frontend.core import DEFAULT_COMPLEX, DEFAULT_FLOAT, DEFAULT_INT
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.datatypes import isdtype
from rosin.ir import dtypes
from rosin.ir.dtypes import DType

_NAMES: dict[str, DType] = {
    "bool": dtypes.bool_,
    "int8": dtypes.i8,
    "int16": dtypes.i16,
    "int32": dtypes.i32,
    "int64": dtypes.i64,
    "uint8": dtypes.u8,
    "uint16": dtypes.u16,
    "uint32": dtypes.u32,
    "uint64": dtypes.u64,
    "float32": dtypes.f32,
    "float64": dtypes.f64,
    "complex64": dtypes.c64,
    "complex128": dtypes.c128,
}
"""The element types that the standard knows."""


class NamespaceInfo:
    """The answers about `rosin.numpy`, as the standard's section on inspection tells."""

    __module__ = "rosin.numpy"

    def capabilities(self) -> dict[str, bool | int | None]:
        """Masks may be indices, shapes may depend on data, and there is no limit to the count of axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}

    def default_device(self) -> str:
        return "cpu"

    def devices(self) -> tuple[str, ...]:
        return ("cpu",)

    def default_dtypes(self, *, device: str | None = None) -> dict[str, DType]:
        """The element types of Python's numbers, and of indices."""
        promote.check_device("default_dtypes", device)
        return {
            "real floating": DEFAULT_FLOAT,
            "complex floating": DEFAULT_COMPLEX,
            "integral": DEFAULT_INT,
            "indexing": DEFAULT_INT,
        }

    def dtypes(self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """The element types that the standard knows, of a kind as `isdtype` has them; None for all."""
        promote.check_device("dtypes", device)
        return {name: dtype for name, dtype in _NAMES.items() if kind is None or isdtype(dtype, kind)}


def __array_namespace_info__() -> NamespaceInfo:  # noqa: N807  # the standard names it so
    """What a program may ask about the namespace."""
    return NamespaceInfo()
