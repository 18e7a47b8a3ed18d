"""Draws of single numbers, each from a key of its own, for those that take a loop.

A loop of rejections draws from that key until a number is taken. In the program the loops of many numbers run as lanes
of vectors that are kept full: a lane that is done takes the next number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rosin.frontend import core, tree
from rosin.frontend import numpy as rnp
from rosin.frontend.batching import vmap
from rosin.frontend.numpy import promote
from rosin.frontend.random.keys import split
from rosin.ir import dims
from rosin.ir.dtypes import u64
from rosin.ir.ops.random import RandomFoldIn

if TYPE_CHECKING:
    from rosin.frontend.array import Array

LAST = 0xFFFFFFFF
"""The number of the words that are not those of an attempt."""


def words(key: Array, number: Array) -> Array:
    """The pair of u32 words that a key has at a number."""
    return core.bind1(RandomFoldIn(), key, promote.cast(number, rnp.uint32))


def joined(pair: Array) -> Array:
    """A pair of words as one u64 word."""
    return promote.cast(pair[0], u64) << 32 | promote.cast(pair[1], u64)


def one_by_one(draw: Callable[..., Any], key: Array, shape: promote.Shape, *parameters: Array) -> Any:
    """The draws of single numbers, each from a key of its own and its parameters."""
    count = dims.product(shape)
    lines = [rnp.reshape(x, (count,)) for x in parameters]

    def shaped(x: Array) -> Array:
        return rnp.reshape(x, shape)

    return tree.map(shaped, vmap(draw)(split(key, count), *lines))
