"""Sizes that depend on data: a number that the program computes becomes a size, and where a mask holds.

    count = sum(mask)
    measure(count) symbol="k" most=n      from here on, k is a size like any other
    places = nonzero(mask) shape=(k,)     i64[k]

So nothing else knows of sizes that depend on data: what comes after is over arrays of the symbolic size k, as it would
be if an argument had it. The memory for such arrays is planned for the greatest that k can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.errors import ConstraintError, ShapeError
from rosin.ir.index import Index
from rosin.ir.loops import Expr
from rosin.ir.op import Arrays, Maybe, NumpyArray, Op, Pack, Reader, Types, Undifferentiable, Values, define
from rosin.ir.ops.effect import Statement
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


@define("measure")
class Measure(Op):
    """The size called `symbol` is the number that the operand holds, from 0 to `most`.

    What mentions the symbol needs this op, as if it were an operand.
    """

    symbol: str
    most: Dim

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        if operands[0] != TensorType(dtypes.i64):
            self.bad_dtype(operands, f"a size is one number of type i64, not {operands[0]}")
        facts.current().measure(self.symbol, self.most)
        return ()

    def eval(self, *operands: NumpyArray) -> Arrays:
        number, most = int(operands[0]), dims.static((self.most,), self.name)[0]
        if not 0 <= number <= most:
            raise ConstraintError(f"the size {self.symbol} is {number}, and it has to be from 0 to {most}")
        return ()

    def measured(self) -> Mapping[str, Dim]:
        return {self.symbol: self.most}

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return ()

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        return ()

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        return (None,)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        what = f"each of the {size} examples of a batch would have arrays of a size of its own, the size {self.symbol}"
        raise ShapeError(f"{what}\n  give size=, or choose with where(mask, a, b), to have the same for all")


@define("misfit")
class Misfit(Statement):
    """Raises an error about the first of some conditions on sizes that does not hold. It has no place in graphs:
    programs call it when they find that sizes which they measured do not fit.

    `lefts`, `kinds` and `rights` are the conditions, `texts` what they are called, and `sizes` all that are measured.
    """

    lefts: tuple[Dim, ...]
    kinds: tuple[str, ...]
    rights: tuple[Dim, ...]
    texts: tuple[str, ...]
    names: tuple[str, ...]
    sizes: tuple[Dim, ...]

    def call(self, place: tuple[int, ...], *operands: NumpyArray) -> list[NumpyArray]:
        for left, kind, right, text in zip(self.lefts, self.kinds, self.rights, self.texts, strict=True):
            if not facts.Check(left, kind, right).holds({}):
                condition, _, reason = text.partition("\n")
                found = [(n, s) for n, s in zip(self.names, self.sizes, strict=True) if n in dims.words(condition)]
                numbers = ", ".join(f"{name} = {size}" for name, size in found)
                message = f"the sizes do not fit `{condition}`: {numbers}"
                raise ConstraintError(f"{message}\n{reason}" if reason else message)
        raise AssertionError("some condition does not hold")


@define("nonzero")
class Nonzero(Undifferentiable, Pack):
    """Where a mask holds, along its last axis and in order: the first `size` places, as many as there are.

    Where there are fewer, the rest is the length of that axis, a place that is beyond it.
    """

    size: Dim
    dtype: DType

    reason: ClassVar[str] = "where values hold are integers"

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        (mask,) = operands
        if mask.dtype != dtypes.bool_:
            self.bad_dtype(operands, f"a mask is of truth values, not {mask.dtype}")
        if not mask.rank:
            self.bad_shape(operands, "a mask has an axis")
        if not facts.at_least(self.size, 0):
            self.bad_shape(operands, f"the result has size {self.size}")
        if self.dtype not in (dtypes.i32, dtypes.i64):
            self.bad_dtype(operands, f"places are of type i32 or i64, not {self.dtype}")
        return (TensorType(self.dtype, (*mask.shape[:-1], self.size)),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (mask,) = operands
        (size,) = dims.static((self.size,), self.name)
        result = np.full((*mask.shape[:-1], size), mask.shape[-1], self.dtype.numpy)
        for line in np.ndindex(mask.shape[:-1]):
            places = np.flatnonzero(mask[line])[:size]
            result[line][: len(places)] = places
        return (result,)

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return (False,)

    def takes(self, index: tuple[Index, ...], operands: tuple[Reader, ...]) -> Expr:
        return operands[0](index)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, *operands)
