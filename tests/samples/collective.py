"""Samples of ops over a named axis, which is axis 0 of the operands here: `applied` batches over it."""

from __future__ import annotations

import numpy as np

from rosin.ir import dtypes
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops.collective import AxisGather, AxisIndex, AxisPermute, AxisSum, AxisSumScatter, ShardingConstraint
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw

SHAPES: tuple[tuple[int, ...], ...] = ((3,), (1,), (3, 4), (2, 1, 3), (2, 0))
NARROW = [dtype for dtype in REAL if dtype != dtypes.f64]

SAMPLES: list[Sample] = [
    *(
        Sample(op("i", shape[0]), (draw(dtypes.f64, shape),), ulps=8, atol=1e-14)
        for op in (AxisSum, AxisGather)
        for shape in SHAPES
    ),
    *(Sample(AxisGather("i", 3), (draw(t, (3, 2)),), smooth=False, ulps=0) for t in NARROW),
    *(
        Sample(op("i", 3), (draw(t, (3, 3, 2)),), smooth=False, ulps=8, atol=0.01 if t.is_float else 0.0)
        for op in (AxisSum, AxisSumScatter)
        for t in NARROW
        if t != dtypes.bool_
    ),
    *(
        Sample(AxisSumScatter("i", size), (draw(dtypes.f64, (size, size, *rest)),), ulps=8, atol=1e-14)
        for size, rest in ((3, ()), (1, (2,)), (2, (3, 1)), (2, (0,)))
    ),
    *(
        Sample(AxisPermute("i", shape[0], pairs), (draw(dtypes.f64, shape),), ulps=0)
        for shape, pairs in (
            ((3,), ((0, 1), (1, 2), (2, 0))),
            ((3, 2), ((0, 2),)),
            ((1, 4), ((0, 0),)),
            ((2, 3), ()),
            ((2, 0), ((1, 0),)),
            ((4, 1, 2), ((3, 0), (0, 1), (1, 3))),
        )
    ),
    *(Sample(AxisPermute("i", 3, ((0, 1), (2, 0))), (draw(t, (3, 2)),), smooth=False, ulps=0) for t in NARROW),
    *(Sample(AxisIndex("i", size), (), str(size)) for size in (1, 5)),
    *(
        Sample(ShardingConstraint(axes), (draw(dtypes.f64, shape),), ulps=0)
        for axes, shape in (
            ((), ()),
            ((("data",), ()), (4, 3)),
            (((), ("model", "data")), (2, 4, 3)),
            ((("data",),), (0, 2)),
        )
    ),
    *(Sample(ShardingConstraint((("i",),)), (draw(t, (3, 2)),), smooth=False, ulps=0) for t in NARROW),
]

BAD: list[Bad] = [
    Bad(AxisSum("i", 3), ("bool[2]",), DTypeError, "takes numbers, not bool"),
    Bad(AxisSum("i", 3), ("f32[2]", "f32[2]"), ShapeError, "takes 1 operands and was given 2"),
    Bad(AxisGather("i", 3), ("f32[2]", "f32[2]"), ShapeError, "takes 1 operands and was given 2"),
    Bad(AxisSumScatter("i", 3), ("f32[2]", "f32[2]"), ShapeError, "takes 1 operands and was given 2"),
    Bad(AxisSumScatter("i", 3), ("f32[2, 4]",), ShapeError, "axis 0 .* 'i', 3"),
    Bad(AxisSumScatter("i", 3), ("bool[3]",), DTypeError, "takes numbers, not bool"),
    Bad(AxisPermute("i", 3, ((0, 1),)), ("f32[2]", "f32[2]"), ShapeError, "takes 1 operands and was given 2"),
    Bad(AxisPermute("i", 3, ((0, 3),)), ("f32[2]",), AttributeValueError, "target 3 is none of the 3 examples"),
    Bad(AxisPermute("i", 3, ((-1, 0),)), ("f32[2]",), AttributeValueError, "source -1 is none of the 3 examples"),
    Bad(AxisPermute("i", 3, ((0, 1), (0, 2))), ("f32[2]",), AttributeValueError, "source 0 is in two pairs"),
    Bad(AxisIndex("i", 3), ("f32[2]",), ShapeError, "takes 0 operands and was given 1"),
    Bad(ShardingConstraint(()), ("f32[2]", "f32[2]"), ShapeError, "takes 1 operands and was given 2"),
    Bad(ShardingConstraint(((), ())), ("f32[2]",), ShapeError, "how 2 axes are cut, of an operand that has 1"),
    Bad(ShardingConstraint((("a",), ("a",))), ("f32[2, 2]",), AttributeValueError, "axis 'a' of the mesh .* twice"),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(AxisSum("i", 3), ("f32[n, 2]",), ("f32[n, 2]",)),
    Symbolic(AxisGather("i", 3), ("f32[n]",), ("f32[3, n]",)),
    Symbolic(AxisPermute("i", 3, ((0, 1),)), ("f32[n]",), ("f32[n]",)),
    Symbolic(AxisSumScatter("i", 3), ("f32[3, n]",), ("f32[n]",)),
    Symbolic(ShardingConstraint(((), ("a",))), ("f32[3, n]",), ("f32[3, n]",)),
]


def _sum(op: Op, x: Array) -> Array:
    return np.stack([sum(x, np.zeros_like(x[0]))] * len(x))


def _gather(op: Op, x: Array) -> Array:
    return np.stack([x] * len(x))


def _sum_scatter(op: Op, x: Array) -> Array:
    return np.stack([sum((row[i] for row in x), np.zeros_like(x[0, 0])) for i in range(len(x))])


def _permute(op: Op, x: Array) -> Array:
    assert isinstance(op, AxisPermute)
    result = np.zeros_like(x)
    for source, target in op.pairs:
        result[target] = x[source]
    return result


def _index(op: Op) -> Array:
    assert isinstance(op, AxisIndex)
    assert isinstance(op.size, int)
    return np.array(list(range(op.size)))


def _constraint(op: Op, x: Array) -> Array:
    return x


REFERENCES: dict[type[Op], Reference] = {
    AxisSum: _sum,
    AxisGather: _gather,
    AxisSumScatter: _sum_scatter,
    AxisPermute: _permute,
    AxisIndex: _index,
    ShardingConstraint: _constraint,
}
