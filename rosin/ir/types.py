"""The type of a value: element type and shape."""

from __future__ import annotations

import re

from rosin.ir import dims, facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.dtypes import BY_NAME, DType

MAX_BYTES = (1 << 63) - 1
"""What a signed 64-bit offset reaches; the builder refuses values that take more."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """`dtype[shape]`, dense and row-major. A storage layout and a sharding will be further fields with defaults."""

    dtype: DType
    shape: tuple[Dim, ...] = ()

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Dim:
        """The number of elements."""
        return dims.product(self.shape)

    @property
    def symbols(self) -> dict[str, None]:
        """The names of the symbolic sizes in the shape, in order."""
        return {name: None for dim in self.shape if type(dim) is not int for name in dims.names(dim)}

    @property
    def bytes(self) -> int:
        """The memory a value takes; a symbolic size counts as a typical one."""
        total = self.dtype.bytes
        for dim in self.shape:
            total *= dim if type(dim) is int else facts.estimate(dim)
        return total

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape as ints; raises ValueError when a size is symbolic."""
        return dims.static(self.shape, str(self))

    def with_shape(self, shape: tuple[Dim, ...]) -> TensorType:
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(dtype, self.shape)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"

    __repr__ = __str__


def same_type(a: TensorType, b: TensorType) -> bool:
    """Whether two types are the same, as far as facts about sizes tell."""
    return a.dtype == b.dtype and facts.same_shape(a.shape, b.shape)


def shape_text(shape: tuple[Dim, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def parse_type(text: str) -> TensorType:
    """The type written as `text`, such as `f32[n, 3]`.

    Raises:
        ValueError: the text is not a type.
    """
    match = re.fullmatch(r"\s*(\w+)\[(.*)\]\s*", text)
    if match is None or match[1] not in BY_NAME:
        raise ValueError(f"{text!r} is not a type; a type reads like f32[2, 3]")
    parts = _split(match[2])
    return TensorType(BY_NAME[match[1]], tuple(dims.parse(part) for part in parts))


def _split(text: str) -> list[str]:
    parts: list[str] = []
    depth, current = 0, ""
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current] if current.strip() else parts
