"""Samples of reductions over windows, and of the ops that their derivatives are made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops import window as win
from rosin.ir.ops.window import Windowed
from rosin.ir.types import TensorType
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw

Steps = tuple[tuple[int, ...], ...]
NONE = 2**31 - 1

# Label: shape; window, strides, low, high, dilation.
CASES: dict[str, tuple[tuple[int, ...], Steps]] = {
    "pool": ((2, 4, 6), ((1, 2, 3), (1, 2, 3), (0, 0, 0), (0, 0, 0), (1, 1, 1))),
    "overlap": ((7, 6), ((3, 2), (2, 1), (0, 0), (0, 0), (1, 1))),
    "same": ((1, 5, 4), ((1, 3, 3), (1, 1, 1), (0, 1, 1), (0, 1, 1), (1, 1, 1))),
    "padded": ((5, 6), ((3, 2), (2, 3), (2, 1), (1, 3), (1, 1))),
    "skip": ((9,), ((2,), (4,), (0,), (0,), (1,))),
    "dilated": ((9, 8), ((3, 2), (1, 2), (1, 2), (0, 1), (2, 3))),
    "dilated-strided": ((11,), ((3,), (3,), (2,), (3,), (2,))),
    "negative": ((8, 9), ((2, 3), (1, 2), (-2, 1), (1, -2), (1, 2))),
    "only-padding": ((3,), ((2,), (2,), (4,), (5,), (1,))),
    "scalar": ((), ((), (), (), (), ())),
    "identity": ((2, 3), ((1, 1), (1, 1), (0, 0), (0, 0), (1, 1))),
    "whole": ((3, 4), ((3, 4), (1, 1), (0, 0), (0, 0), (1, 1))),
    "too-small": ((2, 3), ((3, 1), (1, 1), (0, 0), (0, 0), (1, 1))),
    "empty": ((0, 3), ((2, 2), (1, 1), (1, 0), (2, 0), (1, 1))),
    "empty-batch": ((0, 3), ((1, 2), (1, 1), (0, 0), (0, 0), (1, 1))),
    "all-cut": ((4,), ((2,), (1,), (-3,), (-4,), (1,))),
}


def apart(shape: Sequence[int], dtype: DType = dtypes.f64) -> Array:
    """Distinct numbers, each a tenth from its neighbours, so that small steps do not change which is the greatest."""
    count = int(np.prod(shape, dtype=int))
    return (np.random.default_rng(count).permutation(count) / 10 - count / 20).reshape(shape).astype(dtype.numpy)


def counts_of(steps: Steps, shape: tuple[int, ...]) -> tuple[int, ...]:
    return win.WindowSum(*steps).type(TensorType(dtypes.f64, shape))[0].sizes


def choices(steps: Steps, shape: tuple[int, ...], high: int | None = None) -> Array:
    """Numbers in the windows; with `high`, some that are none."""
    size = int(np.prod(steps[0], dtype=int))
    counts = counts_of(steps, shape)
    found = np.random.default_rng(5).integers(0 if high is None else -3, high or size, counts)
    if high is not None and found.size:
        found.flat[0] = NONE
    return found.astype(np.int32)


def reductions() -> Iterator[Sample]:
    for op in (win.WindowSum, win.WindowMax, win.WindowMin, win.WindowArgMax, win.WindowArgMin):
        for name, (shape, steps) in CASES.items():
            # An extreme of padding alone is infinite, which finite differences make NaN.
            smooth = op is win.WindowSum or name not in ("only-padding", "empty")
            yield Sample(op(*steps), (apart(shape),), name, smooth=smooth, atol=1e-13)
        shape, steps = CASES["padded"]
        for dtype in REAL:
            if dtype not in (dtypes.bool_, dtypes.f64):
                x = draw(dtype, shape, -100, 100)
                yield Sample(op(*steps), (x,), f"padded-{dtype}", smooth=False, atol=1e-4)
        for dtype in (dtypes.i8, dtypes.u16, dtypes.f32):
            ties = np.array([0, 0, 1, 1, 1, 0, 0, 1, 0]).astype(dtype.numpy)
            least, greatest = np.full(5, dtype.lowest, dtype.numpy), np.full(5, dtype.highest, dtype.numpy)
            for label, x in (("ties", ties), ("least", least), ("greatest", greatest)):
                if op is not win.WindowSum or label == "ties":
                    yield Sample(op((3,), (1,), (1,), (2,), (1,)), (x,), f"{label}-{dtype}", smooth=False)
        special = np.array([1, np.nan, 2, 0, -1, np.inf, np.nan, -np.nan, -np.inf, 3, -np.inf, -np.inf, -np.inf, 0.5])
        if op is not win.WindowSum:
            for dtype in (dtypes.f64, dtypes.bf16):
                x = special.astype(dtype.numpy)
                yield Sample(op((3,), (1,), (2,), (2,), (1,)), (x,), f"special-{dtype}", smooth=False)


def carriers() -> Iterator[Sample]:
    """The linear ops of the derivatives."""
    for name, (shape, steps) in CASES.items():
        counts = counts_of(steps, shape)
        given = draw(dtypes.f64, counts)
        yield Sample(win.WindowSpread(*steps, shape), (given,), name, atol=1e-13)
        for label, which in ((name, choices(steps, shape)), (f"{name}-wrong", choices(steps, shape, 15))):
            yield Sample(win.WindowTake(*steps), (draw(dtypes.f64, shape), which), label)
            yield Sample(win.WindowPut(*steps, shape), (given, which), label, atol=1e-13)
    shape, steps = CASES["padded"]
    counts = counts_of(steps, shape)
    for dtype in (dtypes.f32, dtypes.bf16, dtypes.f16, dtypes.i8, dtypes.u64):
        x, given, which = draw(dtype, shape, -99, 99), draw(dtype, counts, -99, 99), choices(steps, shape)
        yield Sample(win.WindowTake(*steps), (x, which), f"padded-{dtype}", smooth=False)
        yield Sample(win.WindowSpread(*steps, shape), (given,), f"padded-{dtype}", smooth=False, atol=1e-4)
        yield Sample(win.WindowPut(*steps, shape), (given, which), f"padded-{dtype}", smooth=False, atol=1e-4)


def walk(op: Windowed, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], list[tuple[int, tuple[int, ...]]]]]:
    """For each window: its index, and of its elements that are in the array their numbers and places."""
    for index in itertools.product(
        *map(range, counts_of((op.window, op.strides, op.low, op.high, op.dilation), shape))
    ):
        inside: list[tuple[int, tuple[int, ...]]] = []
        for number, offset in enumerate(itertools.product(*map(range, op.window))):
            steps = zip(index, op.strides, offset, op.dilation, op.low, strict=True)
            place = tuple(i * s + o * d - low for i, s, o, d, low in steps)
            if all(0 <= p < n for p, n in zip(place, shape, strict=True)):
                inside.append((number, place))
        yield index, inside


def reference_reduction(function: Callable[[Sequence[Any]], Any]) -> Reference:
    def reference(op: Windowed, x: Array) -> Any:
        result = np.zeros(op.type(TensorType(dtypes.from_numpy(x.dtype), x.shape))[0].sizes, object)
        for index, inside in walk(op, x.shape):
            result[index] = function([x[place].item() for _, place in inside])
        return result if x.dtype.kind in "iu" else np.array(result.tolist()).reshape(result.shape)

    return reference


def extreme(better: Callable[[Any, Any], bool], worst: str, number: bool) -> Reference:
    """The first element than which none is better, a NaN being better than any number."""

    def reference(op: Windowed, x: Array) -> Any:
        dtype = dtypes.from_numpy(x.dtype)
        shape = op.type(TensorType(dtype, x.shape))[0].sizes
        values, numbers = np.full(shape, getattr(dtype, worst), x.dtype), np.full(shape, NONE)
        for index, inside in walk(op, x.shape):
            for n, place in inside:
                new, old = x[place], values[index]
                if numbers[index] == NONE or better(new, old) or (new != new and old == old):
                    values[index], numbers[index] = new, n
        return numbers if number else values

    return reference


def reference_take(op: win.WindowTake, x: Array, which: Array) -> Any:
    result = np.zeros(which.shape, x.dtype)
    for index, inside in walk(op, x.shape):
        for number, place in inside:
            if which[index] == number:
                result[index] = x[place]
    return result


def reference_cover(op: win.WindowPut | win.WindowSpread, given: Array, which: Array | None = None) -> Any:
    sizes = tuple(n for n in op.shape if isinstance(n, int))
    result = np.zeros(sizes, float if given.dtype.kind == "f" else object)
    for index, inside in walk(op, sizes):
        for number, place in inside:
            if which is None or which[index] == number:
                result[place] += given[index].item()
    return result


SAMPLES: list[Sample] = [*reductions(), *carriers()]

ONE: Steps = ((2,), (1,), (0,), (0,), (1,))
BAD: list[Bad] = [
    *(
        Bad(op(*ONE), ("f32[5]", "f32[4]", "f32[]"), ShapeError, "takes 1 operands and was given 3")
        for op in (win.WindowSum, win.WindowMax, win.WindowMin, win.WindowArgMax, win.WindowArgMin)
    ),
    Bad(win.WindowMax(*ONE), ("bool[5]",), DTypeError, "numbers, not bool"),
    Bad(win.WindowMax(*ONE), ("f32[5, 2]",), AttributeValueError, r"window \(2,\) has 1 entries for rank 2"),
    Bad(win.WindowSum((0,), *ONE[1:]), ("f32[5]",), AttributeValueError, "window of axis 0 is 0; it must be positive"),
    Bad(win.WindowSum((2,), (-1,), *ONE[2:]), ("f32[5]",), AttributeValueError, "strides of axis 0 is -1"),
    Bad(win.WindowSum(*ONE[:4], (0,)), ("f32[5]",), AttributeValueError, "dilation of axis 0 is 0"),
    Bad(win.WindowSum(*ONE[:3], (), (1,)), ("f32[5]",), AttributeValueError, r"high \(\) has 0 entries"),
    Bad(win.WindowTake(*ONE), ("f32[5]", "i64[4]"), DTypeError, "the choice is i32, not i64"),
    Bad(win.WindowTake(*ONE), ("f32[5]", "i32[5]"), ShapeError, r"\[4\] windows, and the choice has i32\[5\]"),
    Bad(win.WindowSpread(*ONE, (5,)), ("f32[3]",), ShapeError, r"\[5\] has \[4\] windows, and operand 0 is f32\[3\]"),
    Bad(win.WindowPut(*ONE, (5,)), ("f32[4]", "i32[3]"), ShapeError, "the choice has"),
    Bad(win.WindowPut(*ONE, (5,)), ("f32[4]",), ShapeError, "takes 2 operands and was given 1"),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(win.WindowMax((1, 2), (1, 1), (0, 1), (0, 0), (1, 1)), ("f32[n, 4]",), ("f32[n, 4]",)),
    Symbolic(win.WindowSum((1, 3), (1, 1), (0, 1), (0, 0), (1, 1)), ("f32[n, w]",), ("f32[n, w - 1]",)),
]

REFERENCES: dict[type[Op], Reference] = {
    win.WindowSum: reference_reduction(sum),
    win.WindowMax: extreme(lambda new, old: bool(new > old), "lowest", False),
    win.WindowMin: extreme(lambda new, old: bool(new < old), "highest", False),
    win.WindowArgMax: extreme(lambda new, old: bool(new > old), "lowest", True),
    win.WindowArgMin: extreme(lambda new, old: bool(new < old), "highest", True),
    win.WindowTake: reference_take,
    win.WindowSpread: reference_cover,
    win.WindowPut: reference_cover,
}
