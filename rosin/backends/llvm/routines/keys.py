"""Keys: numbers whose order is that of the elements they are made of."""

from __future__ import annotations

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.records import BYTES, FLOATS
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType

MANTISSA = {"f16": 10, "bf16": 7, "f32": 23, "f64": 52}


@dataclass(frozen=True)
class Keys:
    """How elements become keys of type `elem`, signed integers, and back."""

    dtype: DType

    @property
    def memory(self) -> str:
        """The integers that elements are read as."""
        return f"i{8 * self.dtype.bytes}"

    @property
    def elem(self) -> str:
        return self.turn

    @property
    def turn(self) -> str:
        """The integers of masks, which turn the order around."""
        return "i64" if self.dtype.bits == 64 else "i32"

    @property
    def are_elements(self) -> bool:
        """Whether keys of ascending order are bits of elements as they are, but for what keys do not tell."""
        return self.dtype.is_integer and not self.bias and self.memory == self.elem

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

    @property
    def infinity(self) -> int:
        """The bits of a float."""
        mantissa = MANTISSA[self.dtype.name]
        return self.most >> mantissa << mantissa

    def mask(self, e: Emitter, descending: Val) -> Val:
        """What turns the order around when it is."""
        every = (1 << self.bits) - 1 if self.bits < 32 else -1
        zero = e.const(0, self.turn)
        return e.select(e.icmp("ne", descending, e.const(0, "i64")), e.const(every, self.turn), zero)

    def key(self, e: Emitter, x: Val, mask: Val) -> Val:
        if self.dtype.is_float:
            magnitude = e.bit_and(x, e.like(self.most, x))
            ordered = _folded(e, x)
            zero = e.icmp("eq", magnitude, e.like(0, x))
            x = e.select(zero, e.like(0, x), e.select(self.is_nan(e, x), e.like(self.most, x), ordered))
        if self.bias:
            x = e.bit_xor(x, e.like(self.bias, x))
        return e.bit_xor(e.convert("zext", x, self.elem), e.splat(mask, x.lanes))

    def element(self, e: Emitter, key: Val, mask: Val) -> Val:
        x = e.convert("trunc", e.bit_xor(key, e.splat(mask, key.lanes)), self.memory)
        if self.bias:
            x = e.bit_xor(x, e.like(self.bias, x))
        return _folded(e, x) if self.dtype.is_float else x

    def rises(self, e: Emitter, x: Val, y: Val) -> Val:
        """Where an element does not come after another in ascending order."""
        if self.dtype.is_integer:
            return e.icmp("sle" if self.dtype.kind == "int" else "ule", x, y)
        if self.bits < 32:
            none = e.const(0, self.turn)
            return e.icmp("sle", self.key(e, x, none), self.key(e, y, none))
        x, y = (e.bitcast(bits, "double" if self.bits == 64 else "float") for bits in (x, y))
        return e.bit_or(e.fcmp("ole", x, y), e.fcmp("uno", y, y))

    def is_nan(self, e: Emitter, x: Val) -> Val:
        return e.icmp("sgt", e.bit_and(x, e.like(self.most, x)), e.like(self.infinity, x))

    def is_zero(self, e: Emitter, x: Val) -> Val:
        return e.icmp("eq", e.bit_and(x, e.like(self.most, x)), e.like(0, x))

    def loses(self, e: Emitter, x: Val) -> Val:
        """Where the key does not tell all of the element."""
        return e.bit_or(self.is_nan(e, x), e.icmp("eq", x, e.like(self.most + 1, x)))


@dataclass(frozen=True)
class FloatKeys(Keys):
    """How f32 and f64 become keys that are floats themselves, without NaNs, and back.

    Processors have more instructions at a time for the lesser and the greater of such floats than of integers, and keys
    of ascending order need not become elements again.
    """

    @property
    def elem(self) -> str:
        return "double" if self.dtype.bits == 64 else "float"

    @property
    def are_elements(self) -> bool:
        return True

    def key(self, e: Emitter, x: Val, mask: Val) -> Val:
        x = e.select(self.is_nan(e, x), e.like(self.infinity, x), x)
        return e.bitcast(self._turned(e, x, mask), self.elem)

    def element(self, e: Emitter, key: Val, mask: Val) -> Val:
        return self._turned(e, e.bitcast(key, self.memory), mask)

    def is_nan(self, e: Emitter, x: Val) -> Val:
        x = e.bitcast(x, self.elem)
        return e.fcmp("uno", x, x)

    def _turned(self, e: Emitter, x: Val, mask: Val) -> Val:
        sign = e.bit_and(mask, e.like(self.most + 1, mask))
        return e.bit_xor(x, e.splat(sign, x.lanes))


def number(e: Emitter, key: Val) -> Val:
    """A key as an integer in the same order."""
    if key.elem not in FLOATS:
        return key
    # The negative zero becomes the other one.
    return _folded(e, e.bitcast(e.fadd(key, e.like(0.0, key)), f"i{8 * BYTES[key.elem]}"))


def numbered(e: Emitter, number: Val, elem: str) -> Val:
    """The key of an integer."""
    return e.bitcast(_folded(e, number), elem) if elem in FLOATS else number


def _folded(e: Emitter, x: Val) -> Val:
    """Bits of a float, those but the sign inverted where it is negative, which as integers are in the order of floats;
    or from them the bits."""
    bits = 8 * BYTES[x.elem]
    negative = e.ashr(x, e.like(bits - 1, x))
    return e.bit_xor(x, e.bit_and(negative, e.like((1 << bits - 1) - 1, x)))
