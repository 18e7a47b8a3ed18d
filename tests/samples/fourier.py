"""Samples of Fourier transforms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops.fourier import SCALINGS, Dft, HalfDft, RealDft, Transform
from tests.samples import Array, Bad, Reference, Sample, Symbolic, draw

LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 24, 31, 37, 64, 91, 94, 128, 240, 521)
"""Of every radix and kind of pass, and some that become longer transforms."""


def _sample(op: Transform, x: Array, smooth: bool = True) -> Sample:
    longest = max(x.shape[-1], op.length if isinstance(op, HalfDft) and isinstance(op.length, int) else 1)
    # What elements are wrong by is measured by the whole line.
    slack = 8 * dtypes.from_numpy(x.dtype).part.epsilon * np.sqrt(longest) * np.log2(longest + 1)
    scale = {"none": 1.0, "over": 1 / longest, "root": longest**-0.5}[op.scaling]
    return Sample(op, (x,), smooth=smooth, atol=float(slack * scale), label=f"{op.attributes()}-{x.dtype}{x.shape}")


def _dft(dtype: DType, shape: tuple[int, ...], axis: int, smooth: bool = False) -> Sequence[Sample]:
    x = draw(dtype, shape)
    number = shape[axis] % 3
    return [_sample(Dft(SCALINGS[number], axis, inverse), x, smooth) for inverse in (False, True)]


def _real(dtype: DType, lines: tuple[int, ...], length: int, smooth: bool = False) -> Sequence[Sample]:
    scaling = SCALINGS[length % 3]
    half = draw(dtype.complex, (*lines, length // 2 + 1))
    return [
        _sample(RealDft(scaling), draw(dtype, (*lines, length)), smooth),
        _sample(HalfDft(scaling, length), half, smooth),
    ]


SAMPLES: list[Sample] = [
    *(s for t in (dtypes.c64, dtypes.c128) for n in LENGTHS for s in _dft(t, (n,), 0)),
    *(s for t in (dtypes.f32, dtypes.f64) for n in LENGTHS for s in _real(t, (), n)),
    *(s for n in (1, 4, 9, 37) for s in _dft(dtypes.c128, (3, n), 1, n < 9)),
    *(s for n in (1, 4, 9, 37) for s in _dft(dtypes.c64, (n, 21), 0)),
    *(s for n in (2, 5, 16) for s in _dft(dtypes.c128, (2, n, 3), 1, n < 9)),
    *(s for n in (1, 4, 5, 17, 37) for s in _real(dtypes.f64, (3,), n, n < 9)),
    *(s for shape, axis in (((0, 4), 1), ((0, 4), 0), ((3, 0), 0)) for s in _dft(dtypes.c64, shape, axis)),
    *_real(dtypes.f32, (0,), 6),
]

BAD: list[Bad] = [
    Bad(Dft("none", 0, False), ("f32[4]",), DTypeError, "dft: takes c64, c128, not f32"),
    Bad(Dft("none", 0, False), ("c64[]",), ShapeError, "a scalar has no axis"),
    Bad(Dft("none", 2, False), ("c64[4, 4]",), ShapeError, "axis 2 is out of range for rank 2"),
    Bad(Dft("twice", 0, False), ("c64[4]",), AttributeValueError, "scaling is 'twice' and not one of none, over, root"),
    Bad(RealDft("none"), ("c64[4]",), DTypeError, "realdft: takes f32, f64, not c64"),
    Bad(RealDft("none"), ("f32[3, 0]",), ShapeError, "lines have no elements"),
    Bad(RealDft("none"), ("f32[3]", "f32[3]"), ShapeError, "takes 1 operands and was given 2"),
    Bad(HalfDft("none", 4), ("f64[3]",), DTypeError, "halfdft: takes c64, c128, not f64"),
    Bad(HalfDft("none", 0), ("c64[1]",), AttributeValueError, "lines of 0 numbers cannot be made"),
    Bad(HalfDft("none", 6), ("c64[2, 3]",), ShapeError, "axis 1 has 3 numbers; 6 are made of 4"),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(Dft("over", 1, True), ("c64[n, m]",), ("c64[n, m]",)),
    Symbolic(RealDft("none"), ("f32[n, 7]",), ("c64[n, 4]",)),
    Symbolic(HalfDft("none", 7), ("c128[n, 4]",), ("f64[n, 7]",)),
]


def _scale(op: Op, length: int) -> float:
    assert isinstance(op, Transform)
    return {"none": 1.0, "over": 1 / length, "root": length**-0.5}[op.scaling]


def _matrix(length: int, sign: int) -> Array:
    k = np.arange(length)
    return np.exp(sign * 2j * np.pi * (np.outer(k, k) % length) / length)


def _product(op: Op, x: Array) -> Array:
    assert isinstance(op, Dft)
    length = x.shape[op.axis]
    lines = np.moveaxis(x, op.axis, -1) @ _matrix(length, 1 if op.inverse else -1)
    return np.moveaxis(lines, -1, op.axis) * (_scale(op, length) if length else 1)


def _half(op: Op, x: Array) -> Array:
    length = x.shape[-1]
    return (x @ _matrix(length, -1))[..., : length // 2 + 1] * _scale(op, length)


def _whole(op: Op, x: Array) -> Array:
    assert isinstance(op, HalfDft)
    assert isinstance(op.length, int)
    length = op.length
    whole = np.concatenate([x, np.conj(x[..., 1 : (length + 1) // 2][..., ::-1])], -1)
    for alone in (0, length // 2) if length % 2 == 0 else (0,):
        whole[..., alone] = np.real(whole[..., alone])
    return np.real(whole @ _matrix(length, 1)) * _scale(op, length)


REFERENCES: dict[type[Op], Reference] = {Dft: _product, RealDft: _half, HalfDft: _whole}
