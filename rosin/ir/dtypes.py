"""Element types: the numbers an array may hold, their NumPy equals, and how they promote."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

import ml_dtypes
import numpy as np

from rosin.ir.dataclass import dataclass

Kind = Literal["bool", "int", "uint", "float", "complex"]


@dataclass(frozen=True, slots=True)
class DType:
    """An element type: its name in the text of the IR, its kind and its width in bits."""

    name: str
    kind: Kind
    bits: int
    numpy: np.dtype[Any]
    bytes: int = field(init=False, repr=False)
    is_float: bool = field(init=False, repr=False)
    is_complex: bool = field(init=False, repr=False)
    is_integer: bool = field(init=False, repr=False)
    differentiable: bool = field(init=False, repr=False)
    """Whether values of this type carry tangents: floats, real and complex."""
    _hash: int = field(init=False, repr=False)

    def __reduce__(self) -> Any:
        return DType, (self.name, self.kind, self.bits, self.numpy)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name

    def __post_init__(self) -> None:
        kind = self.kind
        known = {
            "bytes": max(self.bits // 8, 1),
            "is_float": kind == "float",
            "is_complex": kind == "complex",
            "is_integer": kind in ("int", "uint"),
            "differentiable": kind in ("float", "complex"),
            "_hash": hash(self.numpy),
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        """Equal to itself, and to the NumPy dtype or scalar type of the same numbers."""
        if isinstance(other, DType):
            return self.name == other.name
        return isinstance(other, np.dtype | type) and (other is self.numpy.type or other == self.numpy)

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy reads this where it takes a dtype."""
        return self.numpy

    @property
    def part(self) -> DType:
        """The type of the real part of a number, and of its absolute value: of a real number, its own."""
        return {"c64": f32, "c128": f64}.get(self.name, self)

    @property
    def accumulator(self) -> DType:
        """The type that sums and products of this type are carried in: narrow floats are widened to f32."""
        return f32 if self.kind == "float" and self.bits < 32 else self

    @property
    def complex(self) -> DType:
        """The type of complex numbers with parts of this float type, or at least as precise ones."""
        return self if self.is_complex else c128 if self.bits == 64 else c64

    @property
    def epsilon(self) -> float:
        """The distance from 1 to the next greater float, of the parts of a complex number; 0 for other types."""
        return {"f16": 2.0**-10, "bf16": 2.0**-7, "f32": 2.0**-23, "f64": 2.0**-52}.get(self.part.name, 0.0)

    @property
    def lowest(self) -> float | int | bool:
        """The least value: -inf for floats."""
        if self.kind == "float":
            return float("-inf")
        return 0 if self.kind in ("bool", "uint") else -(1 << (self.bits - 1))

    @property
    def highest(self) -> float | int | bool:
        """The greatest value: +inf for floats."""
        if self.kind == "float":
            return float("inf")
        return 1 if self.kind == "bool" else (1 << (self.bits - (self.kind == "int"))) - 1


def _make(name: str, kind: Kind, bits: int, scalar: Any) -> DType:
    return DType(name, kind, bits, np.dtype(scalar))


bool_ = _make("bool", "bool", 1, np.bool_)
i8 = _make("i8", "int", 8, np.int8)
i16 = _make("i16", "int", 16, np.int16)
i32 = _make("i32", "int", 32, np.int32)
i64 = _make("i64", "int", 64, np.int64)
u8 = _make("u8", "uint", 8, np.uint8)
u16 = _make("u16", "uint", 16, np.uint16)
u32 = _make("u32", "uint", 32, np.uint32)
u64 = _make("u64", "uint", 64, np.uint64)
f16 = _make("f16", "float", 16, np.float16)
bf16 = _make("bf16", "float", 16, ml_dtypes.bfloat16)
f32 = _make("f32", "float", 32, np.float32)
f64 = _make("f64", "float", 64, np.float64)
c64 = _make("c64", "complex", 64, np.complex64)
c128 = _make("c128", "complex", 128, np.complex128)

ALL: tuple[DType, ...] = (bool_, i8, i16, i32, i64, u8, u16, u32, u64, f16, bf16, f32, f64, c64, c128)
BY_NAME: dict[str, DType] = {d.name: d for d in ALL}
_BY_NUMPY: dict[np.dtype[Any], DType] = {d.numpy: d for d in ALL}

FLOATS = frozenset(d for d in ALL if d.is_float)
INTEGERS = frozenset(d for d in ALL if d.is_integer)
COMPLEX = frozenset(d for d in ALL if d.is_complex)
FIELDS = FLOATS | COMPLEX
"""Real and complex floats: what can be divided."""
REALS = FLOATS | INTEGERS
NUMBERS = REALS | COMPLEX
ORDERED = REALS | {bool_}
ANY = frozenset(ALL)


def from_numpy(dtype: Any) -> DType:
    """The element type equal to a NumPy dtype.

    Raises:
        TypeError: NumPy has the dtype and Rosin does not (strings, objects, dates, big-endian numbers…).
    """
    key = np.dtype(dtype)
    found = _BY_NUMPY.get(key)
    if found is None:
        names = ", ".join(d.name for d in ALL)
        raise TypeError(f"dtype {key} has no equal in Rosin; the element types are {names}")
    return found
