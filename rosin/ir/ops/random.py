"""Random bits from explicit keys: Threefry-2x32 with 20 rounds, a counter-based generator.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).

A key is two u32 words; an array of keys has them along its last axis. *Block* n of a key, 0 ≤ n < 2⁶⁴, is the pair of
words (a, b) that Threefry makes of the counter words (n >> 32, n mod 2³²). All randomness is blocks:

    seed     the key of a number s is (s >> 32, s mod 2³²): a constant, no op
    bits     RandomBits(shape, dtype) of a key: element i, in row-major order, is a ^ b of block i, its low bits for u8
             and u16; for u64 it is a * 2³² + b
    fold in  RandomFoldIn of a key and a u32 number d: the key (a, b) of block d
    split    new key i is that of folding in i: `Builder.random_split`

So each element depends on its key and its place alone: not on the target, the order or the number of threads. Axes of
keys in front are axes of the result in front, where each key gives what it gives by itself; that is also how these ops
are batched. The bits are those of JAX's threefry keys in their partitionable form.

A key is used once, for bits or for new keys: both come from the same blocks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType, u8, u16, u32, u64
from rosin.ir.index import Index
from rosin.ir.loops import Const, Expr, FromIndex, Within, guard
from rosin.ir.op import (
    Arrays,
    Constantlike,
    Cost,
    NumpyArray,
    Pull,
    Reader,
    Types,
    Values,
    define,
    elements,
)
from rosin.ir.scalar import Real
from rosin.ir.types import TensorType, shape_text

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
FLOPS = 120
"""A rough count of machine operations for one block: 20 rounds of an addition, a rotation and a xor."""

WORD = 1 << 32
W = TypeVar("W", bound="Any")


def threefry(key: tuple[W, W], counter: tuple[W, W]) -> tuple[W, W]:
    """The block of a counter, over u32 arrays or scalars of loops; sums wrap around."""
    schedule = (*key, key[0] ^ key[1] ^ PARITY)
    x, y = counter[0] + key[0], counter[1] + key[1]
    for group in range(5):
        for count in ROTATIONS[group % 2]:
            x = x + y
            y = (y << count | y >> (32 - count)) ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + (group + 1)
    return x, y


class FromKey(Constantlike, Pull):
    """An op whose operand 0 is an array of keys."""

    slow_in_numpy = True
    random = True

    def check_keys(self, operands: Types) -> None:
        key = operands[0]
        if key.dtype != u32:
            self.bad_dtype(operands, f"a key is two u32 words, not {key.dtype}")
        if key.rank < 1 or not facts.same(key.shape[-1], 2):
            self.bad_shape(operands, f"a key is two u32 words along the last axis, not {key}")

    def words(self, batch: tuple[Index, ...], keys: Reader) -> tuple[Real, Real]:
        return Real(keys((*batch, Index(0)))), Real(keys((*batch, Index(1))))

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(FLOPS * elements(results[0]), sum(t.bytes for t in (*operands, *results)))


@define("random_bits")
class RandomBits(FromKey):
    """Uniform random bits: for each key of operand 0 an array of `shape` of an unsigned type."""

    shape: tuple[Dim, ...]
    dtype: DType

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        self.check_keys(operands)
        if self.dtype not in (u8, u16, u32, u64):
            self.bad_dtype(operands, f"bits come as u8, u16, u32 or u64, not {self.dtype}")
        for axis, size in enumerate(self.shape):
            if not facts.at_least(size, 0):
                self.bad_shape(operands, f"axis {axis} of the shape has size {size}")
        return (TensorType(self.dtype, (*operands[0].shape[:-1], *self.shape)),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (key,) = operands
        shape = dims.static(self.shape, self.name)
        number = np.arange(math.prod(shape), dtype=np.uint64)
        counter = (number >> np.uint64(32)).astype(np.uint32), number.astype(np.uint32)
        a, b = threefry((key[..., 0, None], key[..., 1, None]), counter)
        bits = a ^ b if self.dtype != u64 else a.astype(np.uint64) << np.uint64(32) | b
        return (bits.astype(self.dtype.numpy).reshape((*key.shape[:-1], *shape)),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, operands[0])

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        keys = types[0].rank - 1
        number = indices.flatten(index[keys:], self.shape)
        counter = Real(FromIndex(number // WORD, u32)), Real(FromIndex(number % WORD, u32))
        a, b = threefry(self.words(index[:keys], operands[0]), counter)
        if self.dtype != u64:
            return (a ^ b).cast(self.dtype).expr
        return (a.cast(u64) << 32 | b.cast(u64)).expr


@define("random_fold_in")
class RandomFoldIn(FromKey):
    """For each key of operand 0 and the u32 number at its place in operand 1, a new key."""

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 2)
        self.check_keys(operands)
        key, number = operands
        if number.dtype != u32:
            self.bad_dtype(operands, f"folds in u32 numbers, not {number.dtype}")
        if not facts.same_shape(number.shape, key.shape[:-1]):
            self.bad_shape(
                operands, f"there are {shape_text(key.shape[:-1])} keys and {shape_text(number.shape)} numbers"
            )
        return (key,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        key, number = operands
        counter = np.zeros((*number.shape, 1), np.uint32), np.asarray(number)[..., None]
        return (np.concatenate(threefry((key[..., 0, None], key[..., 1, None]), counter), -1),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, *(b.batch_front(v, flag, size) for v, flag in zip(operands, batched, strict=True)))

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        *batch, word = index
        counter = Real(Const(0, u32)), Real(operands[1](tuple(batch)))
        a, b = threefry(self.words(tuple(batch), operands[0]), counter)
        return guard((Within(word, 0, 1),), a.expr, b.expr)
