"""Reductions over windows that slide over an array, and their derivatives.

A window spans `window[i]` elements along axis i, `dilation[i]` apart, and moves by `strides[i]`. The array is first
widened by `low[i]` and `high[i]` (cut where they are negative) elements that change no reduction. An axis that windows
do not span has a window of 1. Average pooling is `WindowSum` divided by a number, or by the `WindowSum` of ones.

Four linear ops carry the derivatives, each the transpose of another, so that any order of derivative is made of them:

    WindowSum    the sum of each window                <->  WindowSpread  to each element, the sum over its windows
    WindowTake   from each window, the chosen element  <->  WindowPut     to each element, from windows that chose it

`WindowMax` chooses with `WindowArgMax`: the first of the greatest elements in row-major order, as select-and-scatter
does in XLA with `ge`. Spread and put read, for each element, the windows that cover it, so no two of them write to one
place.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dtypes, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.index import Dynamic, Index
from rosin.ir.loops import Apply, Const, Expr, FromIndex, Within, guard
from rosin.ir.op import (
    Arrays,
    Constantlike,
    Cost,
    Elementwise,
    Fold,
    Linear,
    Maybe,
    Monoid,
    NumpyArray,
    Op,
    Pull,
    Reader,
    Types,
    Value,
    Values,
    apply,
    define,
    elements,
    with_attributes,
)
from rosin.ir.ops.arithmetic import Add, Clamp, Maximum, Minimum
from rosin.ir.ops.cast import convert
from rosin.ir.ops.logic import Equal, Greater, Less, Select
from rosin.ir.ops.movement import Pad
from rosin.ir.ops.reduce import first_extreme
from rosin.ir.ops.sliding import count, extent, windows
from rosin.ir.types import TensorType, shape_text

if TYPE_CHECKING:
    from typing import Self

    from rosin.ir.builder import Builder

WHICH = dtypes.i32
"""The element type of an element's row-major number within its window."""


@with_attributes
class Windowed(Op):
    """An op with windows over an array: an entry of each attribute for every axis."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    low: tuple[Dim, ...]
    high: tuple[Dim, ...]
    dilation: tuple[int, ...]
    slow_in_numpy = True
    accepts: ClassVar[frozenset[DType]] = dtypes.NUMBERS

    def windows_of(self, operands: Types, x: TensorType) -> tuple[Dim, ...]:
        """How many windows `x` has along each axis."""
        if x.dtype not in self.accepts:
            what = "ordered numbers" if self.accepts == dtypes.REALS else "numbers"
            self.bad_dtype(operands, f"takes {what}, not {x.dtype}")
        for name in ("window", "strides", "low", "high", "dilation"):
            values: tuple[Dim, ...] = getattr(self, name)
            if len(values) != x.rank:
                self.bad_attribute(operands, f"{name} {values} has {len(values)} entries for rank {x.rank}")
            for axis, value in enumerate(values if name not in ("low", "high") else ()):
                if isinstance(value, int) and value < 1:
                    self.bad_attribute(operands, f"{name} of axis {axis} is {value}; it must be positive")
        counts: list[Dim] = []
        for axis, size in enumerate(x.shape):
            reach = extent(self.window[axis], self.dilation[axis])
            counts.append(count(size + self.low[axis] + self.high[axis], reach, self.strides[axis]))
        return tuple(counts)

    def with_batch(self, size: Dim) -> Self:
        """The op with an axis in front that windows do not span."""
        return replace(
            self,
            window=(1, *self.window),
            strides=(1, *self.strides),
            low=(0, *self.low),
            high=(0, *self.high),
            dilation=(1, *self.dilation),
        )

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        front = (b.batch_front(v, is_batched, size) for v, is_batched in zip(operands, batched, strict=True))
        return b.node(self.with_batch(size), *front)

    def padding(self) -> Pad:
        return Pad(self.low, self.high, (0,) * len(self.low))

    def crop(self) -> Pad:
        """What undoes the padding."""
        return Pad(tuple(-n for n in self.low), tuple(-n for n in self.high), (0,) * len(self.low))

    def source(self, index: tuple[Index, ...], offset: tuple[Index, ...]) -> tuple[Index, ...]:
        """Where in the array, or in its padding, the element `offset` of the window `index` is."""
        steps = zip(index, self.strides, offset, self.dilation, self.low, strict=True)
        return tuple(i * s + o * d - low for i, s, o, d, low in steps)


def _inside(place: tuple[Index, ...], shape: tuple[Dim, ...]) -> tuple[Within, ...]:
    return tuple(Within(i, 0, n) for i, n in zip(place, shape, strict=True))


class WindowFold(Windowed, Fold):
    """One result for each window of the one operand."""

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        (x,) = operands
        return (TensorType(self.result_dtype(x.dtype), self.windows_of(operands, x)),)

    def result_dtype(self, dtype: DType) -> DType:
        return dtype

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(math.prod(self.window) * elements(results[0]), operands[0].bytes + results[0].bytes)

    def domain(self, types: Types) -> tuple[Dim, ...]:
        return self.window

    def terms(
        self, index: tuple[Index, ...], point: tuple[Index, ...], operands: tuple[Reader, ...], types: Types
    ) -> tuple[Expr, ...]:
        place = self.source(index, point)
        tests = _inside(place, types[0].shape)
        pairs = zip(self.inner(operands[0](place), point), self.monoid(types).identity, strict=True)
        return tuple(guard(tests, term, neutral) for term, neutral in pairs)

    def inner(self, element: Expr, offset: tuple[Index, ...]) -> tuple[Expr, ...]:
        """The term of an element of the array itself."""
        return (convert(element, element.dtype.accumulator),)

    def finish(self, values: tuple[Expr, ...], types: Types) -> Expr:
        return convert(values[-1], self.result_dtype(types[0].dtype))


class WindowReduction(WindowFold):
    """The elements of each window, combined. Narrow floats are combined in f32."""

    function: ClassVar[np.ufunc]
    combine: ClassVar[Elementwise]

    @abstractmethod
    def neutral(self, dtype: DType) -> float:
        """The value of the padding."""

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        dtype = dtypes.from_numpy(x.dtype)
        shape = self.type(TensorType(dtype, x.shape))[0].sizes
        if 0 in shape:
            return (np.zeros(shape, x.dtype),)
        wide = x.astype(dtype.accumulator.numpy)
        (padded,) = self.padding().eval(wide, np.asarray(self.neutral(dtype), wide.dtype))
        view = windows(padded, self.window, self.strides, self.dilation)
        axes = tuple(range(x.ndim, 2 * x.ndim))
        return (np.asarray(self.function.reduce(view, axes, dtype=wide.dtype)).astype(x.dtype),)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        neutral = Const(self.neutral(dtype), dtype)
        return Monoid((neutral,), lambda left, right: (apply(self.combine, left[0], right[0]),))


@define("window_sum")
class WindowSum(Linear, WindowReduction):
    """The sum of the elements of each window; integers wrap around."""

    function = np.add
    combine = Add()

    def neutral(self, dtype: DType) -> float:
        return 0

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        op = WindowSpread(self.window, self.strides, self.low, self.high, self.dilation, operands[0].type.shape)
        return b.node(op, cotangent)


class WindowExtremum(WindowReduction):
    """An extreme element of each window; its derivative goes to the first such element, none to the padding."""

    accepts = dtypes.REALS
    choice: ClassVar[type[WindowArg]]

    def choose(self, b: Builder, x: Value) -> Value:
        return b.node(self.choice(self.window, self.strides, self.low, self.high, self.dilation), x)[0]

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (tangent,) = tangents
        if tangent is None:
            return (None,)
        take = WindowTake(self.window, self.strides, self.low, self.high, self.dilation)
        return b.node(take, tangent, self.choose(b, operands[0]))

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        if cotangent is None:
            return (None,)
        shape = operands[0].type.shape
        put = WindowPut(self.window, self.strides, self.low, self.high, self.dilation, shape)
        return b.node(put, cotangent, self.choose(b, operands[0]))


class WindowArg(Constantlike, WindowFold):
    """The row-major number within each window of its first extreme element, which is the first NaN if there is one.

    It is 2³¹ - 1 where a window lies in the padding alone.
    """

    accepts = dtypes.REALS
    beats: ClassVar[Elementwise]
    """The comparison that is true of a better value and a worse one."""

    def result_dtype(self, dtype: DType) -> DType:
        return WHICH

    @abstractmethod
    def worst(self, dtype: DType) -> float:
        """The value that no other is worse than."""

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        dtype = dtypes.from_numpy(x.dtype)
        shape = self.type(TensorType(dtype, x.shape))[0].sizes
        which = np.full(shape, WHICH.highest, WHICH.numpy)
        if 0 in shape:
            return (which,)
        wide = x.astype(dtype.accumulator.numpy)
        pad = self.padding()
        values = pad.eval(wide, np.zeros((), wide.dtype))[0]
        real = pad.eval(np.ones(x.shape, bool), np.zeros((), bool))[0]
        best = np.full(shape, self.worst(dtype), wide.dtype)
        steps = self.window, self.strides, self.dilation
        for number, offset in enumerate(np.ndindex(*self.window)):
            place = (..., *offset)
            value, inside = windows(values, *steps)[place], windows(real, *steps)[place]
            (better,) = self.beats.eval(value, best)
            better |= np.not_equal(value, value) & np.equal(best, best)
            new = inside & (better | (which == WHICH.highest))
            which, best = np.where(new, WHICH.numpy.type(number), which), np.where(new, value, best)
        return (which,)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return first_extreme(self.beats, Const(self.worst(dtype), dtype), Const(WHICH.highest, WHICH))

    def inner(self, element: Expr, offset: tuple[Index, ...]) -> tuple[Expr, ...]:
        number = FromIndex(indices.flatten(offset, self.window), WHICH)
        return (convert(element, element.dtype.accumulator), number)


@define("window_argmax")
class WindowArgMax(WindowArg):
    """Which element of each window is the greatest."""

    beats = Greater()

    def worst(self, dtype: DType) -> float:
        return dtype.lowest


@define("window_argmin")
class WindowArgMin(WindowArg):
    """Which element of each window is the least."""

    beats = Less()

    def worst(self, dtype: DType) -> float:
        return dtype.highest


@define("window_max")
class WindowMax(WindowExtremum):
    """The greatest element of each window; NaN when one is NaN; the least of the type where there is only padding."""

    function = np.maximum
    combine = Maximum()
    choice = WindowArgMax

    def neutral(self, dtype: DType) -> float:
        return dtype.lowest


@define("window_min")
class WindowMin(WindowExtremum):
    """The least element of each window; NaN when one is NaN; the greatest of the type where there is only padding."""

    function = np.minimum
    combine = Minimum()
    choice = WindowArgMin

    def neutral(self, dtype: DType) -> float:
        return dtype.highest


# -- the linear ops of the derivatives ---------------------------------------------------------------------------


def _check_choice(op: Windowed, operands: Types, counts: tuple[Dim, ...]) -> None:
    """Operand 1 has a number for each of the windows."""
    if operands[1].dtype != WHICH:
        op.bad_dtype(operands, f"the choice is {WHICH}, not {operands[1].dtype}")
    if not facts.same_shape(operands[1].shape, counts):
        op.bad_shape(operands, f"there are {shape_text(counts)} windows, and the choice has {operands[1]}")


@define("window_take")
class WindowTake(Linear, Windowed, Pull):
    """From each window of operand 0 the element that operand 1 chooses by its number in the window.

    0 where the choice is no number of the window, or is in the padding.
    """

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 2)
        counts = self.windows_of(operands, operands[0])
        _check_choice(self, operands, counts)
        return (operands[0].with_shape(counts),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        x, which = operands
        valid = (which >= 0) & (which < math.prod(self.window))
        offset = np.unravel_index(np.where(valid, which, 0), self.window) if self.window else ()
        places: list[NumpyArray] = []
        for axis, (along, at) in enumerate(zip(offset, np.indices(which.shape, sparse=True), strict=True)):
            place = at * self.strides[axis] + along * self.dilation[axis] - self.low[axis]
            valid &= (place >= 0) & (place < x.shape[axis])
            places.append(place)
        result = np.zeros(which.shape, x.dtype)
        result[valid] = x[tuple(np.broadcast_to(place, which.shape)[valid] for place in places)]
        return (result,)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        shape = operands[0].type.shape
        op = WindowPut(self.window, self.strides, self.low, self.high, self.dilation, shape)
        return (b.node(op, cotangent, operands[1])[0], None)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        size = math.prod(self.window)
        chosen = apply(Clamp(), Const(-1, WHICH), operands[1](index), Const(size, WHICH))
        which = indices.of(Dynamic(chosen, -1, size))
        place = self.source(index, indices.unflatten(which, self.window))
        tests = (Within(which, 0, size), *_inside(place, types[0].shape))
        return guard(tests, operands[0](place), Const(0, types[0].dtype))


class Covering(Linear, Windowed, Fold):
    """To each element of an array of `shape`, the sum over what the windows that cover it give to it."""

    shape: tuple[Dim, ...]

    def check(self, operands: Types) -> TensorType:
        """The type of the array."""
        array = operands[0].with_shape(self.shape)
        counts = self.windows_of(operands, array)
        if not facts.same_shape(operands[0].shape, counts):
            places = f"{shape_text(self.shape)} has {shape_text(counts)} windows"
            self.bad_shape(operands, f"an array of {places}, and operand 0 is {operands[0]}")
        return array

    def with_batch(self, size: Dim) -> Self:
        return replace(super().with_batch(size), shape=(size, *self.shape))

    def spread(self, given: NumpyArray, which: NumpyArray | None) -> NumpyArray:
        """The sum over windows, of all that they give or of what they give to the element that `which` chooses."""
        array = self.check((TensorType(dtypes.from_numpy(given.dtype), given.shape),))
        if 0 in given.shape:
            return np.zeros(array.sizes, given.dtype)
        wide = given.astype(array.dtype.accumulator.numpy)
        total = np.zeros(self.padding().type(array, TensorType(array.dtype))[0].sizes, wide.dtype)
        for number, offset in enumerate(np.ndindex(*self.window)):
            starts = [o * d for o, d in zip(offset, self.dilation, strict=True)]
            steps = zip(starts, given.shape, self.strides, strict=True)
            region = tuple(slice(start, start + (n - 1) * s + 1, s) for start, n, s in steps)
            total[region] += wide if which is None else np.where(which == number, wide, 0)
        return self.crop().eval(total, np.zeros((), wide.dtype))[0].astype(given.dtype)

    def cost(self, operands: Types, results: Types) -> Cost:
        work = 2 * math.prod(map(facts.estimate, self.domain(operands))) * elements(results[0])
        return Cost(work, sum(t.bytes for t in (*operands, *results)))

    def domain(self, types: Types) -> tuple[Dim, ...]:
        """Along an axis the windows that may cover an element, or the places it may have in one, where fewer."""
        steps = zip(self.window, self.strides, self.dilation, strict=True)
        return tuple((w - 1) // s + 1 if d == 1 else w for w, s, d in steps)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(0, dtype),), lambda left, right: (apply(Add(), left[0], right[0]),))

    def terms(
        self, index: tuple[Index, ...], point: tuple[Index, ...], operands: tuple[Reader, ...], types: Types
    ) -> tuple[Expr, ...]:
        tests: list[Within] = []
        window: list[Index] = []
        offset: list[Index] = []
        for axis, (number, low) in enumerate(zip(types[0].shape, self.low, strict=True)):
            stride, dilation = self.strides[axis], self.dilation[axis]
            place, step = index[axis] + low, point[axis]
            if dilation == 1:
                # The last window that starts at or before the element, or one that is `step` windows before it.
                window.append(place // stride - step)
                offset.append(place % stride + step * stride)
                tests.append(Within(offset[-1], 0, self.window[axis]))
                tests.append(Within(window[-1], 0, number))
            else:
                start = place - step * dilation
                window.append(start // stride)
                offset.append(step)
                tests.append(Within(start, 0, (number - 1) * stride + 1))
                tests.append(Within(start % stride, 0, 1))
        given = self.given(tuple(window), tuple(offset), operands)
        return (convert(guard(tuple(tests), given, Const(0, given.dtype)), given.dtype.accumulator),)

    @abstractmethod
    def given(self, window: tuple[Index, ...], offset: tuple[Index, ...], operands: tuple[Reader, ...]) -> Expr:
        """What a window gives to its element at `offset`."""

    def finish(self, values: tuple[Expr, ...], types: Types) -> Expr:
        return convert(values[0], types[0].dtype)


@define("window_spread")
class WindowSpread(Covering):
    """To each element of an array of `shape`, the sum of operand 0 over the windows that cover it."""

    shape: tuple[Dim, ...]

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        return (self.check(operands),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.spread(operands[0], None),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return b.node(WindowSum(self.window, self.strides, self.low, self.high, self.dilation), cotangent)

    def given(self, window: tuple[Index, ...], offset: tuple[Index, ...], operands: tuple[Reader, ...]) -> Expr:
        return operands[0](window)


@define("window_put")
class WindowPut(Covering):
    """To each element of an array of `shape`, the sum of operand 0 over the windows whose choice, operand 1, it is."""

    shape: tuple[Dim, ...]

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 2)
        array = self.check(operands)
        _check_choice(self, operands, operands[0].shape)
        return (array,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.spread(*operands),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        take = WindowTake(self.window, self.strides, self.low, self.high, self.dilation)
        return (b.node(take, cotangent, operands[1])[0], None)

    def given(self, window: tuple[Index, ...], offset: tuple[Index, ...], operands: tuple[Reader, ...]) -> Expr:
        value, number = operands[0](window), FromIndex(indices.flatten(offset, self.window), WHICH)
        chosen = apply(Equal(), operands[1](window), number)
        return Apply(Select(), (chosen, value, Const(0, value.dtype)), value.dtype)
