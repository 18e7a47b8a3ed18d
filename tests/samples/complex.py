"""Samples of complex numbers: of the ops that are about them, and of all others that take them too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import complex as cx
from rosin.ir.ops import contract as con
from rosin.ir.ops import cumulative as cum
from rosin.ir.ops import exponential as ex
from rosin.ir.ops import index as ind
from rosin.ir.ops import logic, sort
from rosin.ir.ops import movement as mv
from rosin.ir.ops import reduce as red
from rosin.ir.ops import scatter as sca
from rosin.ir.ops import trigonometric as tr
from rosin.ir.ops import window as win
from rosin.ir.ops.cast import Bitcast, Cast
from tests.samples import (
    REAL,
    SHAPES,
    Array,
    Bad,
    Reference,
    Sample,
    Symbolic,
    by_name,
    draw,
    elementwise_bad,
    special_values,
)

COMPLEX = by_name(dtypes.COMPLEX)
NEAR = (-2.0, 2.0)
FAR = (0.5, 3.0)
INNER = (-0.8, 0.8)
UNARY: list[tuple[Elementwise, tuple[float, float]]] = [
    *((op(), NEAR) for op in (cx.Real, cx.Imag, cx.Conj, ar.Neg, ar.Abs, ar.Sign, logic.IsFinite, logic.IsNan)),
    *((op(), NEAR) for op in (ex.Exp, ex.Exp2, ex.Expm1)),
    *((op(), FAR) for op in (ex.Log, ex.Log1p, ex.Log2, ex.Log10, ex.Sqrt, ex.Rsqrt)),
    *((op(), NEAR) for op in (tr.Sin, tr.Cos, tr.Tan, tr.Sinh, tr.Cosh, tr.Tanh)),
    *((op(), INNER) for op in (tr.Asin, tr.Acos, tr.Atan, tr.Asinh, tr.Atanh)),
    (tr.Acosh(), (1.3, 3.0)),
]
BINARY: list[tuple[Elementwise, tuple[float, float], tuple[float, float]]] = [
    *((op(), NEAR, NEAR) for op in (ar.Add, ar.Sub, ar.Mul, logic.Equal, logic.NotEqual)),
    (ar.Div(), NEAR, FAR),
    (ex.Pow(), FAR, NEAR),
]


def _sample(op: Op, *operands: Array, label: str = "", **options: Any) -> Sample:
    attributes = ".".join(str(v).replace(" ", "")[:40] for v in op.attributes().values())
    types = "-".join(f"{dtypes.from_numpy(x.dtype)}{list(x.shape)}" for x in operands)
    smooth = all(x.dtype != np.complex64 for x in operands) and "special" not in label
    plain = {"smooth": smooth, "ulps": 8, "rtol": 64 * 2.0**-52, "atol": 0.0, **options}
    return Sample(op, operands, label or f"{types}-{attributes}", **plain)


def _elementwise(op: Elementwise, *bounds: tuple[float, float]) -> list[Sample]:
    def make(dtype: DType, shape: tuple[int, ...]) -> tuple[Array, ...]:
        return tuple(draw(dtype, shape, *b, seed=(op.name, i)) for i, b in enumerate(bounds))

    samples = [_sample(op, *make(dtypes.c128, shape)) for shape in SHAPES]
    samples.append(_sample(op, *make(dtypes.c64, (19,)), rtol=8 * 2.0**-23))
    return samples


def _special(op: Elementwise) -> list[Sample]:
    """At the ends of the parts, at infinities and NaN in every combination."""
    return [_sample(op, special_values(t), label=f"special-{t}", rtol=8 * t.epsilon) for t in COMPLEX]


def _slack(x: Array) -> float:
    """What sums of some tens of numbers may be off."""
    return 1e-5 if x.dtype == np.complex64 else 1e-13


def _all(*shape: int) -> list[Array]:
    return [draw(t, shape) for t in COMPLEX]


def _pairs(*shapes: Sequence[int]) -> list[tuple[Array, ...]]:
    return [tuple(draw(t, shape, seed=i) for i, shape in enumerate(shapes)) for t in COMPLEX]


def _dot(lhs: tuple[int, ...], rhs: tuple[int, ...], *batch: tuple[int, ...], dtype: DType) -> con.DotGeneral:
    return con.DotGeneral(lhs, rhs, *(batch or ((), ())), dtype)


def _products() -> list[Sample]:
    shapes = [
        ((3, 4), (4, 5)),
        ((7,), (7,)),
        ((6, 17), (17, 19)),
        ((17, 40), (40, 1)),
        ((1, 3), (3, 33)),
        ((3, 0), (0, 2)),
    ]
    found: list[Sample] = []
    for t in COMPLEX:
        slack = 64 * t.epsilon
        for left, right in shapes:
            op = _dot((len(left) - 1,), (0,), dtype=t)
            x, y = draw(t, left, seed=1), draw(t, right, seed=2)
            found.append(_sample(op, x, y, atol=slack * max(left[-1], 1)))
        op = _dot((2,), (1,), (0,), (0,), dtype=t)
        found.append(_sample(op, draw(t, (2, 3, 4), seed=1), draw(t, (2, 4, 5), seed=2), atol=slack * 8))
        op = _dot((0,), (1,), dtype=t)
        found.append(
            _sample(op, draw(t, (9, 20), seed=1), draw(t, (18, 9), seed=2), label=f"swapped-{t}", atol=slack * 8)
        )
    widened = _dot((1,), (0,), dtype=dtypes.c128)
    found.append(_sample(widened, *(draw(dtypes.c64, (3, 3), seed=i) for i in (1, 2)), label="wide"))
    return found


def _convolutions() -> list[Sample]:
    one = ((1,), (1,), (2,), (1,), (1,), 1, 1)
    two = ((2, 1), (1, 0), (1, 1), (1, 1), (1, 2), 2, 1)
    return [
        *(
            _sample(
                con.Convolution(*one, t), draw(t, (2, 2, 19), seed=1), draw(t, (3, 2, 3), seed=2), atol=1e2 * t.epsilon
            )
            for t in COMPLEX
        ),
        _sample(
            con.Convolution(*two, dtypes.c128),
            draw(dtypes.c128, (2, 4, 6, 7)),
            draw(dtypes.c128, (6, 2, 2, 2)),
            atol=1e-13,
        ),
    ]


def _moves() -> list[Sample]:
    moves: list[tuple[Op, tuple[int, ...]]] = [
        (mv.Reshape((3, 2)), (2, 3)),
        (mv.Transpose((1, 0)), (5, 9)),
        (mv.Broadcast((4, 3, 7), (0, 2)), (4, 7)),
        (mv.Slice((1, 0), (5, 8), (2, 1)), (6, 9)),
        (mv.Slice((0, 0), (6, 9), (1, 2)), (6, 9)),
        (mv.Reverse((1,)), (3, 13)),
    ]
    found = [_sample(op, draw(t, shape), ulps=0) for op, shape in moves for t in COMPLEX]
    for t in COMPLEX:
        found.append(_sample(mv.Pad((1,), (2,), (1,)), draw(t, (9,)), draw(t, ()), ulps=0))
        found.append(_sample(mv.Concatenate(0), draw(t, (5,), seed=1), draw(t, (6,), seed=2), ulps=0))
    return found


_ROWS = ((1,), (0,), (), (), (0,), 1)


def _places() -> list[Sample]:
    where, found = np.array([[2], [0], [2], [9]], np.int32), []
    for t in COMPLEX:
        table, rows = draw(t, (4, 11), seed=1), draw(t, (4, 11), seed=2)
        found.append(_sample(ind.Gather(*_ROWS, "clip", (1, 11)), table, where, ulps=0))
        found.append(_sample(ind.DynamicSlice((2, 5)), table, np.array(1), np.array(3), ulps=0))
        found += [
            _sample(kind(*_ROWS, "drop", False), table, where, rows, atol=16 * t.epsilon)
            for kind in (sca.ScatterSet, sca.ScatterAdd, sca.ScatterMul)
        ]
    return found


def _windows() -> list[Sample]:
    attributes = ((2, 3), (1, 2), (1, 0), (0, 1), (1, 1))
    return [
        *(_sample(win.WindowSum(*attributes), x, atol=_slack(x)) for x in _all(5, 7)),
        _sample(win.WindowSpread((3,), (2,), (0,), (0,), (1,), (9,)), draw(dtypes.c128, (4,))),
    ]


SPECIAL = special_values(dtypes.f64)
SAMPLES: list[Sample] = [
    *(s for op, bounds in UNARY for s in _elementwise(op, bounds)),
    *(s for op, *bounds in BINARY for s in _elementwise(op, *bounds)),
    *(s for op, _ in UNARY for s in _special(op)),
    *(Sample(cx.Complex(), tuple(draw(t, (9,), seed=i) for i in (1, 2)), ulps=0) for t in (dtypes.f32, dtypes.f64)),
    Sample(cx.Complex(), (SPECIAL, SPECIAL[::-1].copy()), "special", smooth=False),
    *(
        _sample(Cast(target), draw(source, (9,), 0, 90), label=f"{source}-{target}", smooth=False, ulps=0)
        for target in COMPLEX
        for source in (*REAL, *COMPLEX)
    ),
    *(_sample(Cast(dtypes.bool_), special_values(t), label=f"special-{t}-bool", ulps=0) for t in COMPLEX),
    _sample(Cast(dtypes.c128), draw(dtypes.f64, (4,)), label="smooth-real"),
    _sample(logic.Select(), draw(dtypes.bool_, (9,)), draw(dtypes.c128, (9,)), draw(dtypes.c128, (9,), seed=1), ulps=0),
    *(_sample(red.Sum(axes), x, atol=_slack(x)) for axes in ((0,), (1,), (0, 1)) for x in _all(3, 37)),
    *(_sample(red.Prod(axes), x, ulps=64) for axes in ((0,), (1,)) for x in _all(3, 5)),
    *(
        _sample(op(axis, reverse), x, ulps=64, atol=_slack(x))
        for op in (cum.CumSum, cum.CumProd)
        for axis in (0, 1)
        for reverse in (False, True)
        for x in _all(3, 5)
    ),
    *(
        _sample(cum.LinearRecurrence(1, reverse), *xs, ulps=64, atol=_slack(xs[0]))
        for reverse in (False, True)
        for xs in _pairs((2, 5), (2, 5))
    ),
    *_products(),
    *_convolutions(),
    *_moves(),
    *_places(),
    *_windows(),
]

ORDERING: tuple[Elementwise, ...] = (logic.Less(), logic.LessEqual(), logic.Greater(), logic.GreaterEqual())
REAL_ONLY: tuple[Elementwise, ...] = (
    *ORDERING,
    ar.Maximum(),
    ar.Minimum(),
    ar.FloorDivide(),
    ar.Remainder(),
    ar.NextAfter(),
    tr.Atan2(),
    tr.Hypot(),
)
WHOLE: tuple[Elementwise, ...] = (ar.Floor(), ar.Ceil(), ar.Round(), ar.Trunc(), ex.Cbrt())
EXTREMES = (cum.CumMax, cum.CumMin, cum.CumLogSumExp)
BAD: list[Bad] = [
    *(bad for op in (cx.Real(), cx.Imag(), cx.Conj(), cx.Complex()) for bad in elementwise_bad(op)),
    *(Bad(op, ("c64[3]",) * 2, DTypeError, "takes .*, not c64") for op in REAL_ONLY),
    *(Bad(op, ("c128[3]",), DTypeError, "takes .*, not c128") for op in WHOLE),
    Bad(ar.Clamp(), ("c64[3]",) * 3, DTypeError, "takes .*, not c64"),
    *(Bad(Cast(t), ("c64[3]",), DTypeError, f"c64 does not become {t}") for t in REAL if t != dtypes.bool_),
    Bad(Bitcast(dtypes.c64), ("f64[3]",), DTypeError, "f64 has not the width of c64"),
    Bad(Bitcast(dtypes.f64), ("c64[3]",), DTypeError, "takes .*, not c64"),
    *(Bad(op((0,)), ("c64[3]",), DTypeError, "takes .*, not c64") for op in (red.Max, red.Min)),
    *(Bad(op(0), ("c64[3]",), DTypeError, "c64 has no order") for op in (red.ArgMax, red.ArgMin)),
    *(Bad(op(False), ("c64[3]",), DTypeError, "c64 has no order") for op in (sort.Sort, sort.ArgSort)),
    *(
        Bad(op(0, False), ("c64[3]",), DTypeError, "takes .*, not c64")
        for op in (cum.CumMax, cum.CumMin, cum.CumLogSumExp)
    ),
    Bad(win.WindowMax((2,), (1,), (0,), (0,), (1,)), ("c64[3]",), DTypeError, "takes ordered numbers, not c64"),
    Bad(
        sca.ScatterMax(*_ROWS, "drop", False),
        ("c64[4, 3]", "i32[2, 1]", "c64[2, 3]"),
        DTypeError,
        "combines ordered numbers, not c64",
    ),
    Bad(
        con.DotGeneral((1,), (0,), (), (), dtypes.f32),
        ("c64[2, 3]", "c64[3, 2]"),
        DTypeError,
        "does not hold products of c64",
    ),
    Bad(ar.Add(), ("c64[3]", "f32[3]"), DTypeError, "dtypes c64 and f32"),
]

SYMBOLIC: list[Symbolic] = []

REFERENCES: dict[type[Op], Reference] = {
    cx.Real: lambda op, z: np.array([v.real for v in z.ravel().tolist()]).reshape(z.shape),
    cx.Imag: lambda op, z: np.array([v.imag for v in z.ravel().tolist()]).reshape(z.shape),
    cx.Conj: lambda op, z: np.array([v.conjugate() for v in z.ravel().tolist()], complex).reshape(z.shape),
    cx.Complex: lambda op, x, y: np.array(list(map(complex, x.ravel().tolist(), y.ravel().tolist()))).reshape(x.shape),
}
