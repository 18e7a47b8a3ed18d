"""Order along the last axis: the elements sorted, the places that they come from, or those of the greatest ones.

The order is that of NumPy: NaNs are the greatest, -0.0 ties with 0.0, and False is before True. It is stable, so the
sorted elements are those at the sorted places, to the bit. `descending` turns it around: NaNs come first, and elements
that tie stay in the order they had.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.op import (
    Arrays,
    Constantlike,
    Cost,
    Maybe,
    NumpyArray,
    Routine,
    Task,
    Types,
    Value,
    Values,
    define,
    elements,
    with_attributes,
)
from rosin.ir.ops.index import Numbers
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

MOST = (1 << 31) - 1
"""Places are i32."""

SHORT = 512
"""A line of at most so many elements is sorted without room."""

WORK = 16
"""Scalar operations that an element of a line of at most so many takes, about; of longer lines, each byte of a key."""

SLACK = 64
"""Room for so many more elements than a line has, so that vectors may reach over its end."""

STEP_FLOPS = 2
"""Operations for each element and each halving of a line."""


MANY, PIECES = 1 << 18, 8
"""In a line of so many elements threads look for the greatest, in so many pieces."""

LOOK = 2
"""Scalar operations for each element among which the greatest are looked for, about."""


def room_bytes(dtype: DType, places: bool) -> int:
    """Bytes of room for each element of a long line: two records of a key of at least 32 bits, and of a place."""
    return 2 * (max(dtype.bytes, 4) + (4 if places else 0))


class Ordering(Routine):
    """An op on one array with lines along its last axis, whose elements have an order."""

    slow_in_numpy = True

    def check(self, operands: Types) -> TensorType:
        self.expect(operands, 1)
        (x,) = operands
        if x.dtype.is_complex:
            self.bad_dtype(operands, f"{x.dtype} has no order")
        if not x.rank:
            self.bad_shape(operands, "a scalar has no axis to sort along")
        if not facts.at_least(MOST, x.shape[-1]):
            self.bad_shape(operands, f"an axis of {x.shape[-1]} elements is longer than {MOST}")
        return x

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, operands[0])


@with_attributes
class Sorting(Ordering):
    """All of the order, or of the opposite one."""

    descending: bool
    places: ClassVar[bool]

    def cost(self, operands: Types, results: Types) -> Cost:
        length = max(facts.estimate(operands[0].shape[-1]), 2)
        moved = operands[0].bytes + results[0].bytes
        return Cost(int(STEP_FLOPS * elements(operands[0]) * log2(length)), moved)

    def task(self, types: Types) -> Task:
        (x,) = types
        length = x.shape[-1]
        lines = dims.product(x.shape[:-1])
        room = lines * (length + SLACK) * room_bytes(x.dtype, self.places)
        if facts.known_at_least(SHORT, length):
            room = 0
        each = WORK if facts.known_at_least(WORK, length) else WORK * max(x.dtype.bytes, 4)
        return Task(f"{self.name}_{x.dtype}", (length, int(self.descending)), lines, x.size * each, room)


@define("argsort")
class ArgSort(Constantlike, Sorting):
    """The places of the elements in their order, as i32."""

    descending: bool
    places = True

    def type(self, *operands: TensorType) -> Types:
        return (self.check(operands).with_dtype(dtypes.i32),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (order(operands[0], self.descending).astype(np.int32),)


@define("sort")
class Sort(Sorting):
    """The elements in order. Tangents are permuted with them, so elements that tie keep their own."""

    descending: bool
    places = False

    def type(self, *operands: TensorType) -> Types:
        return (self.check(operands),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        if self.descending or x.dtype == dtypes.bf16.numpy:
            return (np.take_along_axis(x, order(x, self.descending), -1),)
        # Others that tie are the same, and NumPy is faster where their order may be any.
        return (np.sort(x, axis=-1, kind="stable" if _ties_tell(x) else None),)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (tangent,) = tangents
        return (None if tangent is None else taken(b, tangent, b.argsort(operands[0], self.descending)),)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        return (None if cotangent is None else put_back(b, cotangent, b.argsort(operands[0], self.descending)),)

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        """The elements are read at the places that their tangents need, so that there is one sort and not two."""
        (x,), (tangent,) = operands, tangents
        if tangent is None:
            return b.node(self, x), (None,)
        places = b.argsort(x, self.descending)
        return (taken(b, x, places),), (taken(b, tangent, places),)

    def forward_vjp(
        self, b: Builder, operands: Values, active: tuple[bool, ...]
    ) -> tuple[Values, Callable[[Maybe], Maybe]]:
        (x,) = operands
        if not active[0]:
            return b.node(self, x), lambda cotangents: (None,)
        places = b.argsort(x, self.descending)

        def pullback(cotangents: Maybe) -> Maybe:
            (cotangent,) = cotangents
            return (None if cotangent is None else put_back(b, cotangent, places),)

        return (taken(b, x, places),), pullback


@define("top_k")
class TopK(Constantlike, Ordering):
    """The places, as i32, of the `count` greatest elements of each line, the greatest first."""

    count: int

    def type(self, *operands: TensorType) -> Types:
        x = self.check(operands)
        if self.count < 1 or not facts.at_least(x.shape[-1], self.count):
            self.bad_shape(operands, f"an axis of {x.shape[-1]} elements has no {self.count} greatest")
        return (TensorType(dtypes.i32, (*x.shape[:-1], self.count)),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (order(operands[0], descending=True)[..., : self.count].astype(np.int32),)

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(elements(operands[0]), operands[0].bytes + results[0].bytes)

    def task(self, types: Types) -> Task:
        (x,) = types
        length, lines = x.shape[-1], dims.product(x.shape[:-1])
        heaps = 1 + (1 if facts.known_at_least(MANY - 1, length) else PIECES)
        room = lines * heaps * self.count * (8 if x.dtype.bits < 64 else 16)
        return Task(f"{self.name}_{x.dtype}", (length, self.count), lines, x.size * LOOK, room)


def order(x: NumpyArray, descending: bool) -> NumpyArray:
    """The places of the sorted elements."""
    # NumPy knows no order of bfloat16 that has NaNs last; f32 has all of its numbers.
    x = x.astype(dtypes.from_numpy(x.dtype).accumulator.numpy, copy=False)
    if not descending:
        return np.argsort(x, axis=-1, kind="stable")
    # Sorted from the end, and then turned around, elements that tie stand in their order again.
    return x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]


def _ties_tell(x: NumpyArray) -> bool:
    """Whether there may be elements that tie and differ."""
    if x.dtype.kind != "f":
        return x.dtype.kind not in "biu"
    return bool(np.isnan(x).any() or np.signbit(x[x == 0]).any())


def _numbers(rank: int) -> Numbers:
    """Those of a gather from each line at places of its own."""
    others = tuple(range(rank - 1))
    return Numbers((), (rank - 1,), others, others, (rank - 1,), rank)


def taken(b: Builder, x: Value, places: Value) -> Value:
    """From each line of `x` the elements at places."""
    if 0 in x.type.shape:
        return x
    return b.gather(x, places, _numbers(x.type.rank), (1,) * x.type.rank)


def put_back(b: Builder, x: Value, places: Value) -> Value:
    """Each line with its elements at places, which are a permutation."""
    if 0 in x.type.shape:
        return x
    return b.scatter("set", b.zeros(x.type), places, x, _numbers(x.type.rank), "clip", unique=True)
