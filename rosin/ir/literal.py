"""Constant data as an attribute of an op: hashable, compared by bits, a splat kept as one number."""

from __future__ import annotations

import base64
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rosin.ir import dtypes
from rosin.ir.dataclass import dataclass
from rosin.ir.types import TensorType

TEXT_LIMIT = 16
"""Arrays of at most this many elements are written as numbers, longer ones as base64 of their bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A value of `type`; `array` has its shape, or shape () when every element is the same."""

    type: TensorType
    array: NDArray[Any]

    @property
    def is_splat(self) -> bool:
        return self.array.ndim == 0

    @property
    def scalar(self) -> Any:
        """The one number of a splat, as a Python number."""
        return self.array.item() if self.type.dtype.bits != 16 else float(self.array)

    def full(self) -> NDArray[Any]:
        """The data at its whole shape (read-only)."""
        return np.broadcast_to(self.array, self.type.sizes)

    def is_all(self, number: complex) -> bool:
        """Whether it is a splat of `number`; +0.0 and -0.0 are told apart."""
        if not self.is_splat:
            return False
        if not self.type.dtype.differentiable:
            return bool(self.array.item() == number)
        with np.errstate(over="ignore"):
            return np.asarray(number, self.type.dtype.numpy).tobytes() == self.array.tobytes()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Literal)
            and self.type == other.type
            and self.array.shape == other.array.shape
            and self.array.tobytes() == other.array.tobytes()
        )

    def __hash__(self) -> int:
        return hash((self.type, self.array.tobytes()))

    def __str__(self) -> str:
        if self.array.size > TEXT_LIMIT:
            return f'dense("{base64.b64encode(self.array.tobytes()).decode()}")'
        return f"dense({_nested(self.array, self.type.dtype)})"

    __repr__ = __str__


def _nested(array: NDArray[Any], dtype: dtypes.DType) -> str:
    if array.ndim:
        return "[" + ", ".join(_nested(part, dtype) for part in array) + "]"
    return _number(array.tobytes(), dtype)


@functools.lru_cache(maxsize=1024)
def _number(bits: bytes, dtype: dtypes.DType) -> str:
    """A number by its bits: programs hold few, again and again."""
    array = np.frombuffer(bits, dtype.numpy)[0]
    if dtype.is_complex:
        # A space between the parts: a sign or a letter may belong to a number.
        return f"{_nested(np.real(array), dtype.part)} {_nested(np.imag(array), dtype.part)}i"
    if not dtype.is_float:
        return str(array.item())
    number = float(array)
    if number != number:
        return f"nan:{array.tobytes()[::-1].hex()}"
    return repr(number) if dtype.bits == 64 else _shortest(array, number)


def _shortest(array: NDArray[Any], number: float) -> str:
    if number in (float("inf"), float("-inf")):
        return repr(number)
    return (
        np.format_float_scientific(np.float32(number), unique=True, trim="0")
        if abs(number) >= 1e16
        else str(np.float32(number))
    )


def splat(value: complex | int | bool, type: TensorType) -> Literal:
    """`value` in every element."""
    # As keys 0.0 and -0.0 are equal.
    return Literal(type, _converted(value, str(value) if value == 0 else "", type.dtype))


@functools.lru_cache(maxsize=1024, typed=True)
def _converted(value: complex | int | bool, zero: str, dtype: dtypes.DType) -> NDArray[Any]:
    """A number in an element type: programs hold few, again and again."""
    with np.errstate(all="ignore"):
        found = np.asarray(value).astype(dtype.numpy)
    found.flags.writeable = False
    return found


def forget() -> None:
    """Let go of the numbers that are kept, as they lie among what has been forgotten of programs."""
    _number.cache_clear()
    _converted.cache_clear()


def from_array(array: NDArray[Any]) -> Literal:
    """The data of an array, copied."""
    kind = TensorType(dtypes.from_numpy(array.dtype), array.shape)
    data = np.array(array, order="C")
    data = data.reshape(()) if data.size == 1 else data
    data.flags.writeable = False
    return Literal(kind, data)


def parse_array(text: str, type: TensorType) -> Literal:
    """The literal of `type` written as `text`, the inside of `dense(…)`."""
    dtype = type.dtype
    if text.startswith('"'):
        return Literal(type, np.frombuffer(base64.b64decode(text.strip('"')), dtype.numpy).reshape(type.sizes))
    values: Any = _parse_nested(text.strip(), dtype)
    return Literal(type, np.asarray(values, dtype.numpy).reshape(np.shape(values)))


def _parse_nested(text: str, dtype: dtypes.DType) -> Any:
    if text.startswith("["):
        parts: list[str] = []
        depth, current = 0, ""
        for char in text[1:-1]:
            depth += (char == "[") - (char == "]")
            if char == "," and depth == 0:
                parts.append(current)
                current = ""
            else:
                current += char
        return [_parse_nested(part.strip(), dtype) for part in [*parts, current] if part.strip()]
    if dtype.is_complex:
        real, imag = (_parse_nested(part, dtype.part) for part in text[:-1].split())
        # Arithmetic would lose the sign of a zero.
        return np.array([real, imag], dtype.part.numpy).view(dtype.numpy)[0]
    if text.startswith("nan:"):
        return np.frombuffer(bytes.fromhex(text[4:])[::-1], dtype.numpy)[0]
    if dtype.kind == "bool":
        return text == "True"
    return dtype.numpy.type(text) if dtype.is_float else int(text)
