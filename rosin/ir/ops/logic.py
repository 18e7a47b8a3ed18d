"""Comparisons, truth and bit logic, shifts, selection, and questions about floats."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.op import Elementwise, Flat, Maybe, NumpyArray, Partial, Types, Value, Values, define
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

BITS = dtypes.INTEGERS | {dtypes.bool_}


class Comparison(Flat):
    """A truth value from two operands of one type. Comparisons with NaN are false, `not_equal` true."""

    arity: ClassVar[int] = 2
    accepts: ClassVar[frozenset[DType]] = dtypes.ORDERED

    def result_dtype(self, dtype: DType) -> DType:
        return dtypes.bool_


@define("equal")
class Equal(Comparison):
    """x == y"""

    commutative = True
    accepts = dtypes.ANY

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.equal(*operands)


@define("not_equal")
class NotEqual(Comparison):
    """x != y"""

    commutative = True
    accepts = dtypes.ANY

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.not_equal(*operands)


@define("less")
class Less(Comparison):
    """x < y"""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.less(*operands)


@define("less_equal")
class LessEqual(Comparison):
    """x <= y"""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.less_equal(*operands)


@define("greater")
class Greater(Comparison):
    """x > y"""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.greater(*operands)


@define("greater_equal")
class GreaterEqual(Comparison):
    """x >= y"""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.greater_equal(*operands)


class Bitwise(Flat):
    """Logic on the bits of integers, or on truth values."""

    arity: ClassVar[int] = 2
    accepts: ClassVar[frozenset[DType]] = BITS


@define("and")
class And(Bitwise):
    """x & y"""

    commutative = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.bitwise_and(*operands)


@define("or")
class Or(Bitwise):
    """x | y"""

    commutative = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.bitwise_or(*operands)


@define("xor")
class Xor(Bitwise):
    """x ^ y"""

    commutative = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.bitwise_xor(*operands)


@define("not")
class Not(Bitwise):
    """~x"""

    arity = 1

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.invert(*operands)


class Shift(Flat):
    """A shift of integers. A count below 0 or not below the width shifts every bit out."""

    arity: ClassVar[int] = 2
    accepts: ClassVar[frozenset[DType]] = dtypes.INTEGERS


def _in_width(x: NumpyArray, count: NumpyArray) -> tuple[NumpyArray, NumpyArray]:
    """Whether the count is within the width, and the count made safe."""
    ok = (count >= 0) & (count < x.dtype.itemsize * 8)
    return ok, np.where(ok, count, 0).astype(x.dtype)


@define("shift_left")
class ShiftLeft(Shift):
    """x << y, zeros shifted in."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        ok, count = _in_width(*operands)
        return np.where(ok, np.left_shift(operands[0], count), 0)


@define("shift_right")
class ShiftRight(Shift):
    """x >> y: copies of the sign shifted in for signed types, zeros for unsigned ones."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        ok, count = _in_width(*operands)
        return np.where(
            ok, np.right_shift(operands[0], count), np.where(operands[0] < 0, -1, 0).astype(operands[0].dtype)
        )


class Question(Flat):
    """A truth value about one float, real or complex."""

    accepts: ClassVar[frozenset[DType]] = dtypes.FIELDS

    def result_dtype(self, dtype: DType) -> DType:
        return dtypes.bool_


@define("isfinite")
class IsFinite(Question):
    """Neither an infinity nor NaN, in both parts of a complex number."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.isfinite(*operands)


@define("isnan")
class IsNan(Question):
    """NaN, in a part of a complex number."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.isnan(*operands)


@define("select")
class Select(Elementwise):
    """x where the condition holds, else y; of `(condition, x, y)`. What is not selected has derivative 0."""

    arity = 3
    accepts = dtypes.ANY

    def check_elementwise(self, operands: Types) -> None:
        condition, x, y = operands
        if condition.dtype != dtypes.bool_:
            self.bad_dtype(operands, f"the condition is bool, not {condition.dtype}")
        if x.dtype != y.dtype:
            self.bad_dtype(operands, f"the two choices have dtypes {x.dtype} and {y.dtype}")
        self.same_shape(operands)

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, self.arity)
        self.check_elementwise(operands)
        return (operands[1],)

    def eval(self, *operands: NumpyArray) -> tuple[NumpyArray, ...]:
        return (self.apply(*operands),)

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.where(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        raise AssertionError("select states its derivative as a selection, so that an infinite branch stays apart")

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        _, x, y = tangents
        if x is None and y is None:
            return (None,)
        zero = b.zeros(results[0].type)
        return (b.select(operands[0], x or zero, y or zero),)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        assert cotangent is not None
        zero = b.zeros(results[0].type)
        condition = operands[0]
        return (None, b.select(condition, cotangent, zero), b.select(condition, zero, cotangent))
