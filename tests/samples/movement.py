"""Samples of constants and of ops that move elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rosin.ir import dtypes, literal
from rosin.ir.dims import symbol
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops import movement as mv
from rosin.ir.types import parse_type
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw, special_values

F64 = dtypes.f64
OTHERS = [dtype for dtype in REAL if dtype != F64]


def _sample(op: Op, *operands: Array, label: str = "", smooth: bool = True) -> Sample:
    """Moving elements is exact."""
    attributes = ".".join(str(v).replace(" ", "") for v in op.attributes().values())
    types = "-".join(f"{dtypes.from_numpy(x.dtype)}{list(x.shape)}" for x in operands)
    return Sample(op, operands, label or f"{types}-{attributes}", smooth=smooth, ulps=0)


def _splat(value: Any, type: str) -> mv.Constant:
    return mv.Constant(literal.splat(value, parse_type(type)))


def _data(array: Array) -> mv.Constant:
    return mv.Constant(literal.from_array(array))


def _scalar(x: Array, value: float = 0.75) -> Array:
    return np.asarray(value, x.dtype)


NAN_BITS = {
    "u2": np.array([0x7C01, 0xFE00, 0x7F81, 0xFFC1], np.uint16),
    "u4": np.array([0x7F800001, 0xFFC00000, 0x7FC12345], np.uint32),
    "u8": np.array([0x7FF0000000000001, 0xFFF8000000000000, 0x7FF8DEADBEEF0000], np.uint64),
}
CONSTANTS = [
    *(_sample(_data(special_values(dtype)), label=f"special-{dtype}") for dtype in REAL),
    *(_sample(_data(special_values(dtype)[:9]), label=f"few-{dtype}") for dtype in REAL),
    *(_sample(_data(special_values(dtype)[-6:].reshape(2, -1)), label=f"last-{dtype}") for dtype in REAL),
    *(_sample(_data(draw(dtype, (3, 5), -100, 100)), label=f"drawn-{dtype}") for dtype in REAL),
    *(_sample(_data(draw(dtype, (3, 7), -100, 100)), label=f"long-{dtype}") for dtype in REAL),
    *(_sample(_splat(1, f"{dtype}[2, 3]"), label=f"splat-{dtype}") for dtype in REAL),
    *(_sample(_splat(v, f"{t}[2]"), label=f"splat-{v}-{t}") for t in REAL[-4:] for v in (np.nan, np.inf, -0.0)),
    *(
        _sample(_data(np.zeros(shape, "f")), label=f"shape-{shape}")
        for shape in ((), (0,), (2, 0), (1,), (1, 1), (2, 1))
    ),
    *(_sample(_data(NAN_BITS[f"u{dtype.bytes}"].view(dtype.numpy)), label=f"nan-bits-{dtype}") for dtype in REAL[-4:]),
]
IOTAS = [
    *(_sample(mv.Iota(parse_type(f"{dtype}[5]"), 0)) for dtype in OTHERS if dtype != dtypes.bool_),
    *(_sample(mv.Iota(parse_type(f"i32{shape}"), axis)) for shape in ("[2, 3, 4]", "[1, 0, 3]") for axis in range(3)),
    _sample(mv.Iota(parse_type("u8[300]"), 0)),
    *(_sample(mv.Dimension(size, dtype)) for size in (0, 7, 300) for dtype in (dtypes.i64, dtypes.i32, dtypes.u8)),
]
RESHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), (1, 1)),
    ((1,), ()),
    ((6,), (2, 3)),
    ((2, 3, 4), (4, 6)),
    ((2, 3), (3, 2)),
    ((2, 0), (0, 5)),
    ((2, 3), (2, 1, 3)),
]
TRANSPOSES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((5,), (0,)),
    ((2, 3), (1, 0)),
    ((2, 3, 4), (1, 2, 0)),
    ((2, 3, 4), (2, 0, 1)),
    ((2, 1, 3), (1, 0, 2)),
    ((2, 0), (1, 0)),
]
BROADCASTS: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = [
    ((), (), ()),
    ((), (2, 3), ()),
    ((3,), (2, 3), (1,)),
    ((2,), (2, 3), (0,)),
    ((2, 3), (2, 4, 3), (0, 2)),
    ((2, 3), (0, 2, 3), (1, 2)),
    ((0,), (2, 0), (1,)),
    ((1,), (1, 5), (0,)),
]
SLICES: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = [
    ((), (), (), ()),
    ((5,), (0,), (5,), (1,)),
    ((5,), (1,), (4,), (1,)),
    ((7,), (1,), (7,), (2,)),
    ((7,), (0,), (6,), (3,)),
    ((7,), (2,), (7,), (9,)),
    ((5,), (3,), (3,), (1,)),
    ((5,), (3,), (3,), (2,)),
    ((4, 5, 3), (1, 0, 0), (3, 5, 3), (1, 2, 2)),
    ((2, 0), (0, 0), (2, 0), (1, 2)),
]
PADS: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = [
    ((), (), (), ()),
    ((3,), (1,), (2,), (0,)),
    ((3,), (0,), (0,), (2,)),
    ((3,), (2,), (1,), (1,)),
    ((5,), (-1,), (-2,), (0,)),
    ((5,), (-2,), (3,), (0,)),
    ((5,), (1,), (-4,), (0,)),
    ((5,), (-1,), (-1,), (1,)),
    ((5,), (-2,), (-3,), (2,)),
    ((5,), (-4,), (2,), (2,)),
    ((5,), (3,), (-5,), (2,)),
    ((5,), (-3,), (-2,), (0,)),
    ((3,), (-4,), (3,), (0,)),
    ((3,), (4,), (-5,), (0,)),
    ((3,), (-9,), (3,), (2,)),
    ((3,), (3,), (-9,), (2,)),
    ((0,), (2,), (1,), (3,)),
    ((1,), (0,), (0,), (3,)),
    ((2, 3), (1, -1), (0, 2), (1, 0)),
    ((2, 1, 3), (0, 1, -1), (0, 1, -1), (0, 0, 1)),
    ((2, 0), (0, 1), (1, 1), (0, 2)),
]
CONCATENATES: list[tuple[tuple[tuple[int, ...], ...], int]] = [
    (((3,),), 0),
    (((3,), (2,)), 0),
    (((2, 3), (2, 1), (2, 2)), 1),
    (((1, 3), (2, 3)), 0),
    (((2, 0), (2, 3)), 1),
    (((2, 3), (2, 0), (2, 1)), 1),
    (((0, 3), (0, 3)), 0),
    (((1,), (2,), (3,), (4,), (5,)), 0),
]
REVERSES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((5,), (0,)),
    ((2, 3, 4), (1,)),
    ((2, 3, 4), (0, 2)),
    ((2, 3), (1, 0)),
    ((2, 0), (1,)),
]


def _pad(shape: Sequence[int], low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...]) -> Sample:
    x = draw(F64, shape)
    return _sample(mv.Pad(low, high, interior), x, _scalar(x))


SAMPLES: list[Sample] = [
    *CONSTANTS,
    *IOTAS,
    *(_sample(mv.Reshape(to), draw(F64, shape)) for shape, to in RESHAPES),
    *(_sample(mv.Reshape((2, 3)), draw(dtype, (6,)), smooth=False) for dtype in OTHERS),
    *(_sample(mv.Transpose(order), draw(F64, shape)) for shape, order in TRANSPOSES),
    *(_sample(mv.Transpose((1, 0)), draw(dtype, (5, 3)), smooth=False) for dtype in OTHERS),
    *(_sample(mv.Broadcast(to, axes), draw(F64, shape)) for shape, to, axes in BROADCASTS),
    *(_sample(mv.Broadcast((3, 2), (1,)), draw(dtype, (2,)), smooth=False) for dtype in OTHERS),
    *(_sample(mv.Slice(*bounds), draw(F64, shape)) for shape, *bounds in SLICES),
    *(_sample(mv.Slice((1, 0), (3, 5), (1, 2)), draw(dtype, (3, 5)), smooth=False) for dtype in OTHERS),
    *(_pad(*case) for case in PADS),
    *(
        _sample(mv.Pad((1, -1), (0, 2), (1, 0)), draw(dtype, (2, 3)), _scalar(draw(dtype)), smooth=False)
        for dtype in OTHERS
    ),
    *(
        _sample(mv.Concatenate(axis), *(draw(F64, shape, seed=i) for i, shape in enumerate(shapes)))
        for shapes, axis in CONCATENATES
    ),
    *(
        _sample(mv.Concatenate(0), draw(dtype, (2, 2), seed=1), draw(dtype, (3, 2), seed=2), smooth=False)
        for dtype in OTHERS
    ),
    *(_sample(mv.Reverse(axes), draw(F64, shape)) for shape, axes in REVERSES),
    *(_sample(mv.Reverse((1,)), draw(dtype, (2, 5)), smooth=False) for dtype in OTHERS),
]

BAD: list[Bad] = [
    Bad(_splat(1, "f32[2]"), ("f32[2]",), ShapeError, "takes 0 operands and was given 1"),
    Bad(mv.Iota(parse_type("i32[3]"), 0), ("i32[3]",), ShapeError, "takes 0 operands and was given 1"),
    Bad(mv.Iota(parse_type("i32[3]"), 1), (), ShapeError, "axis 1 is out of range for rank 1"),
    Bad(mv.Iota(parse_type("bool[3]"), 0), (), DTypeError, "not in bool"),
    Bad(mv.Dimension(3, dtypes.i64), ("i64[]",), ShapeError, "takes 0 operands and was given 1"),
    Bad(mv.Dimension(3, dtypes.f32), (), DTypeError, "a size is an integer, not f32"),
    Bad(mv.Reshape((4, 2)), ("f32[2, 3]",), ShapeError, r"6 elements do not fill \[4, 2\], which has 8"),
    Bad(mv.Reshape((-2, -3)), ("f32[2, 3]",), ShapeError, "size -2"),
    Bad(mv.Transpose((0, 0)), ("f32[2, 3]",), ShapeError, "is not an order of the 2 axes"),
    Bad(mv.Transpose((0,)), ("f32[2, 3]",), ShapeError, "is not an order of the 2 axes"),
    Bad(mv.Broadcast((2, 3), (0,)), ("f32[3]",), ShapeError, "axis 0 has size 3 and axis 0 of the result 2"),
    Bad(mv.Broadcast((2, 3), ()), ("f32[3]",), ShapeError, "do not name one result axis"),
    Bad(mv.Broadcast((2, 3), (1, 0)), ("f32[3, 2]",), ShapeError, "in order"),
    Bad(mv.Broadcast((2, 3), (2,)), ("f32[3]",), ShapeError, "axis 2 is out of range for rank 2"),
    Bad(mv.Broadcast((-2, 3), (1,)), ("f32[3]",), ShapeError, "size -2"),
    Bad(mv.Slice((1,), (6,), (1,)), ("f32[5]",), ShapeError, "1:6 along axis 0 is not within 0:5"),
    Bad(mv.Slice((4,), (3,), (1,)), ("f32[5]",), ShapeError, "4:3 along axis 0 is not within 0:5"),
    Bad(mv.Slice((-1,), (3,), (1,)), ("f32[5]",), ShapeError, "-1:3 along axis 0 is not within 0:5"),
    Bad(mv.Slice((0,), (3,), (0,)), ("f32[5]",), AttributeValueError, "step along axis 0 is 0"),
    Bad(mv.Slice((0,), (3,), (1,)), ("f32[5, 2]",), ShapeError, "1 starts, 1 limits and 1 steps for rank 2"),
    Bad(mv.Pad((1,), (1,), (0,)), ("f32[5]",), ShapeError, "takes 2 operands and was given 1"),
    Bad(mv.Pad((1,), (1,), (0,)), ("f32[5]", "f64[]"), DTypeError, "dtypes f32 and f64"),
    Bad(mv.Pad((1,), (1,), (0,)), ("f32[5]", "f32[1]"), ShapeError, "padding value is a scalar, not of rank 1"),
    Bad(mv.Pad((1,), (1,), (0,)), ("f32[5, 2]", "f32[]"), ShapeError, "for rank 2"),
    Bad(mv.Pad((-3,), (-3,), (0,)), ("f32[5]", "f32[]"), ShapeError, "axis 0 of size 5 with size -1"),
    Bad(mv.Pad((1,), (1,), (-1,)), ("f32[5]", "f32[]"), AttributeValueError, "interior padding of axis 0 is -1"),
    Bad(mv.Concatenate(0), (), ShapeError, "at least one operand"),
    Bad(mv.Concatenate(1), ("f32[2]", "f32[3]"), ShapeError, "axis 1 is out of range for rank 1"),
    Bad(mv.Concatenate(0), ("f32[2, 3]", "f32[2, 4]"), ShapeError, "axis 1 of operand 1 has size 4 and in operand 0 3"),
    Bad(mv.Concatenate(0), ("f32[2]", "f32[2, 4]"), ShapeError, "operand 1 has rank 2 and operand 0 rank 1"),
    Bad(mv.Concatenate(0), ("f32[2]", "i32[2]"), DTypeError, "dtypes f32 and i32"),
    Bad(mv.Reverse((1,)), ("f32[2]",), ShapeError, "axis 1 is out of range for rank 1"),
    Bad(mv.Reverse((0, 0)), ("f32[2]",), ShapeError, "name an axis twice"),
]

n, m = symbol("n"), symbol("m")
SYMBOLIC: list[Symbolic] = [
    Symbolic(mv.Iota(parse_type("i32[n, 3]"), 0), (), ("i32[n, 3]",)),
    Symbolic(mv.Dimension(n * 2, dtypes.i64), (), ("i64[]",)),
    Symbolic(mv.Reshape((n * m, 3)), ("f32[n, m, 3]",), ("f32[n*m, 3]",)),
    Symbolic(mv.Reshape((n * 2 + 2,)), ("f32[2, n + 1]",), ("f32[2*n + 2]",)),
    Symbolic(mv.Transpose((2, 0, 1)), ("f32[n, m, 3]",), ("f32[3, n, m]",)),
    Symbolic(mv.Broadcast((n, m), (1,)), ("f32[m]",), ("f32[n, m]",)),
    Symbolic(mv.Slice((1, 0), (n, 3), (1, 1)), ("f32[n, 3]",), ("f32[n - 1, 3]",)),
    Symbolic(mv.Slice((0,), (n * 2,), (2,)), ("f32[2*n]",), ("f32[n]",)),
    Symbolic(mv.Slice((0,), (n,), (2,)), ("f32[n]",), ("f32[(n + 1)//2]",)),
    Symbolic(mv.Pad((1, 0), (2, 0), (0, 1)), ("f32[n, m]", "f32[]"), ("f32[n + 3, 2*m - 1]",)),
    Symbolic(mv.Concatenate(0), ("f32[n, 3]", "f32[m, 3]", "f32[2, 3]"), ("f32[m + n + 2, 3]",)),
    Symbolic(mv.Reverse((0,)), ("f32[n, m]",), ("f32[n, m]",)),
]


# -- the same by counting through every index --------------------------------------------------------------------


def _iota(op: Op) -> Array:
    assert isinstance(op, mv.Iota)
    found = np.empty(op.result.sizes, object)
    for place in np.ndindex(found.shape):
        found[place] = place[op.axis]
    return found


def _constant(op: Op) -> Array:
    assert isinstance(op, mv.Constant)
    return op.value.array if op.value.array.ndim else np.full(op.value.type.sizes, op.value.array[()])


def _reshape(op: Op, x: Array) -> Array:
    assert isinstance(op, mv.Reshape)
    return np.array(x.ravel().tolist(), x.dtype).reshape(op.shape)


def _transpose(op: Op, x: Array) -> Array:
    assert isinstance(op, mv.Transpose)
    found = np.empty([x.shape[axis] for axis in op.permutation], x.dtype)
    for place in np.ndindex(x.shape):
        found[tuple(place[axis] for axis in op.permutation)] = x[place]
    return found


def _broadcast(op: Op, x: Array) -> Array:
    assert isinstance(op, mv.Broadcast)
    found = np.empty(op.shape, x.dtype)
    for place in np.ndindex(found.shape):
        found[place] = x[tuple(place[axis] for axis in op.axes)]
    return found


def _slice(op: Op, x: Array) -> Array:
    assert isinstance(op, mv.Slice)
    ranges = [list(range(*bounds)) for bounds in zip(op.starts, op.limits, op.steps, strict=True)]
    return x[np.ix_(*ranges)] if ranges else x


def _padded(op: Op, x: Array, value: Array) -> Array:
    """Pad without cutting, then cut."""
    assert isinstance(op, mv.Pad)
    wide = [n if n == 0 else n + (n - 1) * inner for n, inner in zip(x.shape, op.interior, strict=True)]
    margin = 20
    found = np.full([n + 2 * margin for n in wide], value, x.dtype)
    for place in np.ndindex(x.shape):
        found[tuple(margin + i * (inner + 1) for i, inner in zip(place, op.interior, strict=True))] = x[place]
    ends = zip(op.low, wide, op.high, strict=True)
    return found[tuple(slice(margin - low, margin + n + high) for low, n, high in ends)]


def _concatenate(op: Op, *operands: Array) -> Array:
    assert isinstance(op, mv.Concatenate)
    parts = [part for x in operands for part in np.moveaxis(x, op.axis, 0)]
    line = np.stack(parts) if parts else np.moveaxis(operands[0], op.axis, 0)
    return np.moveaxis(line, 0, op.axis)


def _reverse(op: Op, x: Array) -> Array:
    assert isinstance(op, mv.Reverse)
    found = np.empty_like(x)
    for place in np.ndindex(x.shape):
        found[tuple(x.shape[a] - 1 - i if a in op.axes else i for a, i in enumerate(place))] = x[place]
    return found


REFERENCES: dict[type[Op], Reference] = {
    mv.Constant: _constant,
    mv.Iota: _iota,
    mv.Dimension: lambda op: np.asarray(op.size),
    mv.Reshape: _reshape,
    mv.Transpose: _transpose,
    mv.Broadcast: _broadcast,
    mv.Slice: _slice,
    mv.Pad: _padded,
    mv.Concatenate: _concatenate,
    mv.Reverse: _reverse,
}
