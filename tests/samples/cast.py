"""Samples of conversions by value and by bits."""

from __future__ import annotations

import math
import struct

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops.cast import Bitcast, Cast
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw, raw, special_values

NUMBERS = [dtype for dtype in REAL if dtype != dtypes.bool_]
SAME_WIDTH = [(x, y) for x in NUMBERS for y in NUMBERS if x.bits == y.bits]

# Halfway between neighbours of f16 and of bf16, and a little above and below; far from any when seen in f32.
HALFWAY = 1 + np.array([2.0**-11, 3 * 2.0**-11, 2.0**-8, 3 * 2.0**-8])
TIES = np.concatenate([HALFWAY, HALFWAY + 2.0**-20, HALFWAY - 2.0**-20])


def _derivative(dtype: DType) -> Sample:
    """Differences in a narrower type are rough; those of a wider step less so."""
    rtol = {64: 1e-6, 32: 1e-4, 16: 0.2}[dtype.bits]
    return Sample(
        Cast(dtype), (draw(dtypes.f64, (3,)),), f"smooth-{dtype}", derivative_rtol=rtol, adjoint_rtol=rtol, step=0.05
    )


SAMPLES: list[Sample] = [
    *(
        Sample(Cast(target), (draw(source, (7,), -100, 100),), f"{source}-{target}", smooth=False, ulps=0)
        for source in REAL
        for target in REAL
    ),
    *(
        Sample(Cast(target), (special_values(source),), f"special-{source}-{target}", smooth=False, ulps=0)
        for source in REAL
        for target in REAL
    ),
    *(Sample(Cast(t), (TIES.astype(s),), f"ties-{np.dtype(s)}-{t}", False, ulps=0) for s in "fd" for t in NUMBERS[-4:]),
    *(_derivative(dtype) for dtype in (dtypes.f64, dtypes.f32, dtypes.f16)),
    *(Sample(Cast(dtypes.f32), (draw(dtypes.i16, shape, -9, 9),), ulps=0) for shape in ((), (2, 0), (2, 1, 3))),
    *(Sample(Bitcast(y), (special_values(x),), f"{x}-{y}", ulps=0) for x, y in SAME_WIDTH),
    *(Sample(Bitcast(dtypes.i32), (draw(dtypes.f32, shape),), ulps=0) for shape in ((), (2, 0), (2, 1, 3))),
]

BAD: list[Bad] = [
    Bad(Cast(dtypes.f32), ("f32[3]", "f32[3]"), ShapeError, "takes 1 operands and was given 2"),
    Bad(Bitcast(dtypes.f32), ("f32[3]", "f32[3]"), ShapeError, "takes 1 operands and was given 2"),
    Bad(Bitcast(dtypes.i32), ("f64[3]",), DTypeError, "f64 has not the width of i32"),
    Bad(Bitcast(dtypes.u8), ("bool[3]",), DTypeError, "not bool"),
    Bad(Bitcast(dtypes.bool_), ("u8[3]",), DTypeError, "u8 has not the width of bool"),
]

SYMBOLIC: list[Symbolic] = []


@raw
def _cast(op: Op, x: Array) -> Array:
    """One element at a time through Python's numbers."""
    assert isinstance(op, Cast)
    target, found = op.dtype, []
    for value in x.ravel():
        number = float(value) if dtypes.from_numpy(x.dtype).is_float else value.item()
        if target == dtypes.bool_:
            found.append(number != 0)
        elif not target.is_integer or not isinstance(number, float):
            found.append(number)
        elif math.isnan(number):
            found.append(0)
        else:
            clipped = min(max(number, -1e30), 1e30)
            found.append(min(max(math.trunc(clipped), int(target.lowest)), int(target.highest)))
    return np.array(found, object).reshape(x.shape)


@raw
def _bitcast(op: Op, x: Array) -> Array:
    """Through the bytes of each element."""
    assert isinstance(op, Bitcast)
    codes = {
        "i1": "b",
        "u1": "B",
        "i2": "h",
        "u2": "H",
        "i4": "i",
        "u4": "I",
        "i8": "q",
        "u8": "Q",
        "f4": "f",
        "f8": "d",
    }
    code = codes.get(op.dtype.numpy.str[1:])
    parts = [value.tobytes() for value in x.ravel()]
    if code is None:
        return np.frombuffer(b"".join(parts), op.dtype.numpy).reshape(x.shape)
    return np.array([struct.unpack(code, part)[0] for part in parts], op.dtype.numpy).reshape(x.shape)


REFERENCES: dict[type[Op], Reference] = {Cast: _cast, Bitcast: _bitcast}
