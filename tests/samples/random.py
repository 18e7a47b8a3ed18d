"""Samples of random bits."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import scipy.special

from rosin.ir import dtypes
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops.normal import RandomNormal
from rosin.ir.ops.random import RandomBits, RandomFoldIn
from tests.samples import Array, Bad, Reference, Sample, Symbolic

KEY = np.array([0x13198A2E, 0x03707344], np.uint32)
KEYS = np.array([[[0, 0], [1, 2], [0xFFFFFFFF, 0xFFFFFFFF]], [[3, 4], [5, 1 << 31], [1, 2]]], np.uint32)
UNSIGNED = (dtypes.u8, dtypes.u16, dtypes.u32, dtypes.u64)


def threefry(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32-20 as the paper has it, in whole numbers: after every fourth round the next words of the key."""
    mask = 0xFFFFFFFF
    words = [*key, key[0] ^ key[1] ^ 0x1BD11BDA]
    x, y = (counter[0] + words[0]) & mask, (counter[1] + words[1]) & mask
    for number, count in enumerate(itertools.islice(itertools.cycle([13, 15, 26, 6, 17, 29, 16, 24]), 20), start=1):
        x = (x + y) & mask
        y = ((y * 2**count) & mask | y // 2 ** (32 - count)) ^ x
        if number % 4 == 0:
            turn = number // 4
            x, y = (x + words[turn % 3]) & mask, (y + words[(turn + 1) % 3] + turn) & mask
    return x, y


def reference_bits(op: RandomBits, key: Array) -> Any:
    shape = tuple(n for n in op.shape if isinstance(n, int))
    result = np.zeros((*key.shape[:-1], *shape), object)
    for place in np.ndindex(*key.shape[:-1]):
        for number, at in enumerate(np.ndindex(*shape)):
            a, b = threefry(tuple(key[place].tolist()), (number >> 32, number & 0xFFFFFFFF))
            result[(*place, *at)] = a * 2**32 + b if op.dtype == dtypes.u64 else (a ^ b) % 2**op.dtype.bits
    return result


def reference_fold_in(op: RandomFoldIn, key: Array, number: Array) -> Any:
    result = np.zeros_like(key)
    for place in np.ndindex(*number.shape):
        result[place] = threefry(tuple(key[place].tolist()), (0, int(number[place])))
    return result


def reference_normal(op: RandomNormal, bits: Array) -> Any:
    """√2 erfinv(x) for x = (4 k + 1) / 2**(n + 1) - 1, k being the high n bits; far out from 1 - |x|."""
    fraction = 23 if bits.dtype == np.uint32 else 52
    scale = 2 ** (fraction + 1)
    high = 4 * (bits >> bits.dtype.type(bits.dtype.itemsize * 8 - fraction)).astype(object) + 1
    x, below = (np.asarray(v / scale, np.float64) for v in (high - scale, np.minimum(high, 2 * scale - high)))
    far = np.copysign(scipy.special.erfcinv(below), x)
    return math.sqrt(2) * np.where(np.abs(x) < 0.5, scipy.special.erfinv(x), far)


NUMBERS = np.array([[0, 1, 2**32 - 1], [7, 7, 12345]], np.uint32)
# The least and the greatest, both sides of the middle, and what lies far out in between.
BITS_64 = np.array(
    [0, 2**64 - 1, 2**63, 2**63 - 1, *(5**k for k in range(1, 28)), *(-(3**k) % 2**64 for k in range(1, 40))], np.uint64
)
BITS_32 = (BITS_64 >> np.uint64(32)).astype(np.uint32)
SAMPLES: list[Sample] = [
    *(Sample(RandomBits((3, 5), dtype), (KEY,)) for dtype in UNSIGNED),
    *(Sample(RandomBits((4,), dtype), (KEYS,)) for dtype in UNSIGNED),
    Sample(RandomBits((), dtypes.u32), (KEY,), "scalar"),
    Sample(RandomBits((), dtypes.u64), (KEYS,), "scalars"),
    Sample(RandomBits((3, 0), dtypes.u32), (KEY,), "none"),
    Sample(RandomBits((3,), dtypes.u32), (KEYS[:0],), "no-keys"),
    *(
        Sample(RandomNormal(), (x,), rtol=3.2e-7, ulps=0)
        for x in (BITS_32, BITS_32[7], BITS_32[:0], BITS_32[:6].reshape(2, 3))
    ),
    Sample(RandomNormal(), (BITS_64,), rtol=5e-15, ulps=0),
    Sample(RandomFoldIn(), (KEY, np.array(5, np.uint32))),
    Sample(RandomFoldIn(), (KEYS, NUMBERS)),
    Sample(RandomFoldIn(), (KEYS[:, :0], NUMBERS[:, :0]), "none"),
]

BAD: list[Bad] = [
    Bad(RandomBits((3,), dtypes.u32), ("u32[2]", "u32[2]"), ShapeError, "takes 1 operands and was given 2"),
    Bad(RandomBits((3,), dtypes.u32), ("u32[3]",), ShapeError, r"two u32 words along the last axis, not u32\[3\]"),
    Bad(RandomBits((3,), dtypes.u32), ("u32[]",), ShapeError, "two u32 words"),
    Bad(RandomBits((3,), dtypes.u32), ("i32[2]",), DTypeError, "two u32 words, not i32"),
    Bad(RandomBits((3,), dtypes.f32), ("u32[2]",), DTypeError, "u8, u16, u32 or u64, not f32"),
    Bad(RandomNormal(), ("u32[2]", "u32[2]"), ShapeError, "takes 1 operands"),
    Bad(RandomNormal(), ("u16[2]",), DTypeError, "u32 and u64 bits, not u16"),
    Bad(RandomNormal(), ("f32[2]",), DTypeError, "u32 and u64 bits, not f32"),
    Bad(RandomFoldIn(), ("u32[2]",), ShapeError, "takes 2 operands"),
    Bad(RandomFoldIn(), ("u32[2]", "i32[]"), DTypeError, "folds in u32 numbers, not i32"),
    Bad(RandomFoldIn(), ("u32[4, 2]", "u32[3]"), ShapeError, r"there are \[4\] keys and \[3\] numbers"),
    Bad(RandomFoldIn(), ("u64[2]", "u32[]"), DTypeError, "two u32 words, not u64"),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(RandomBits((3,), dtypes.u8), ("u32[n, 2]",), ("u8[n, 3]",)),
    Symbolic(RandomNormal(), ("u64[n, 2]",), ("f64[n, 2]",)),
    Symbolic(RandomFoldIn(), ("u32[n, 2]", "u32[n]"), ("u32[n, 2]",)),
]

REFERENCES: dict[type[Op], Reference] = {
    RandomBits: reference_bits,
    RandomFoldIn: reference_fold_in,
    RandomNormal: reference_normal,
}
