"""Keys: integers whose order as signed numbers is that of the elements they are made of."""

from __future__ import annotations

from rosin.backends.llvm.emit import Emitter, Val
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType

MANTISSA = {"f16": 10, "bf16": 7, "f32": 23, "f64": 52}


@dataclass(frozen=True)
class Keys:
    """How elements become keys of type `elem` and back."""

    dtype: DType

    @property
    def memory(self) -> str:
        """The integers that elements are read as."""
        return f"i{8 * self.dtype.bytes}"

    @property
    def elem(self) -> str:
        return "i64" if self.dtype.bits == 64 else "i32"

    @property
    def bits(self) -> int:
        return 8 * self.dtype.bytes

    @property
    def bias(self) -> int:
        """What narrow keys, which have no sign, and those of unsigned elements differ by from a signed order."""
        signed = self.dtype.kind in ("int", "float")
        return 1 << (self.bits - 1) if (self.bits < 32) == signed else 0

    @property
    def most(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def mask(self, e: Emitter, descending: Val) -> Val:
        """What turns the order around when it is."""
        every = (1 << self.bits) - 1 if self.bits < 32 else -1
        zero = e.const(0, self.elem)
        return e.select(e.icmp("ne", descending, e.const(0, "i64")), e.const(every, self.elem), zero)

    def key(self, e: Emitter, x: Val, mask: Val) -> Val:
        if self.dtype.is_float:
            magnitude = e.bit_and(x, e.like(self.most, x))
            negative = e.ashr(x, e.like(self.bits - 1, x))
            ordered = e.bit_xor(x, e.bit_and(negative, e.like(self.most, x)))
            zero = e.icmp("eq", magnitude, e.like(0, x))
            x = e.select(zero, e.like(0, x), e.select(self.is_nan(e, x), e.like(self.most, x), ordered))
        if self.bias:
            x = e.bit_xor(x, e.like(self.bias, x))
        return e.bit_xor(e.convert("zext", x, self.elem), e.splat(mask, x.lanes))

    def element(self, e: Emitter, key: Val, mask: Val) -> Val:
        x = e.convert("trunc", e.bit_xor(key, e.splat(mask, key.lanes)), self.memory)
        if self.bias:
            x = e.bit_xor(x, e.like(self.bias, x))
        if self.dtype.is_float:
            negative = e.ashr(x, e.like(self.bits - 1, x))
            x = e.bit_xor(x, e.bit_and(negative, e.like(self.most, x)))
        return x

    def is_nan(self, e: Emitter, x: Val) -> Val:
        mantissa = MANTISSA[self.dtype.name]
        infinity = self.most >> mantissa << mantissa
        return e.icmp("sgt", e.bit_and(x, e.like(self.most, x)), e.like(infinity, x))

    def is_zero(self, e: Emitter, x: Val) -> Val:
        return e.icmp("eq", e.bit_and(x, e.like(self.most, x)), e.like(0, x))

    def loses(self, e: Emitter, x: Val) -> Val:
        """Where the key does not tell all of the element."""
        return e.bit_or(self.is_nan(e, x), e.icmp("eq", x, e.like(self.most + 1, x)))
