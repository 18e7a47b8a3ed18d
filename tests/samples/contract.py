"""Samples of matrix products and convolutions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops.contract import Convolution, DotGeneral
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw

ATOL = {dtypes.f64: 1e-13, dtypes.f32: 1e-5, dtypes.f16: 1e-2, dtypes.bf16: 1e-1}

MATMUL = (1,), (0,), (), ()
DOTS: dict[str, tuple[tuple[tuple[int, ...], ...], tuple[int, ...], tuple[int, ...]]] = {
    "matmul": (MATMUL, (3, 4), (4, 5)),
    "matvec": (MATMUL, (3, 4), (4,)),
    "vecmat": (((0,), (0,), (), ()), (4,), (4, 3)),
    "inner": (((0,), (0,), (), ()), (7,), (7,)),
    "outer": (((), (), (), ()), (3,), (2,)),
    "scalars": (((), (), (), ()), (), ()),
    "transposed": (((0,), (1,), (), ()), (4, 3), (5, 4)),
    "batched": (((2,), (1,), (0,), (0,)), (2, 3, 4), (2, 4, 5)),
    "batch-of-inner": (((1,), (1,), (0,), (0,)), (3, 4), (3, 4)),
    "batch-last": (((0,), (1,), (2,), (0,)), (4, 3, 2), (2, 4)),
    "batch-only": (((), (), (0, 1), (1, 0)), (2, 3), (3, 2)),
    "two-contracted": (((0, 2), (1, 0), (), ()), (2, 3, 4), (4, 2, 3)),
    "three-contracted": (((2, 0, 1), (1, 2, 0), (), ()), (2, 3, 4), (3, 4, 2, 5)),
    "two-batches": (((3,), (0,), (2, 0), (1, 3)), (2, 3, 4, 5), (5, 4, 3, 2)),
    "no-rows": (MATMUL, (0, 4), (4, 5)),
    "no-depth": (MATMUL, (3, 0), (0, 5)),
    "no-batch": (((2,), (1,), (0,), (0,)), (0, 3, 4), (0, 4, 5)),
}
WIDENING = [
    (dtypes.i8, dtypes.i32),
    (dtypes.u8, dtypes.i32),
    (dtypes.u8, dtypes.u16),
    (dtypes.bf16, dtypes.f32),
    (dtypes.f16, dtypes.f64),
    (dtypes.f32, dtypes.f64),
]


def dot(name: str, dtype: DType, result: DType | None = None, low: float = -2.0, high: float = 2.0) -> Sample:
    axes, left, right = DOTS[name]
    result = result or dtype
    operands = draw(dtype, left, low, high, seed=1), draw(dtype, right, low, high, seed=2)
    label = f"{name}-{dtype}-{result}"
    return Sample(
        DotGeneral(*axes, result), operands, label, smooth=dtype == dtypes.f64, atol=ATOL.get(result, 0), ulps=16
    )


def reference_dot(op: DotGeneral, lhs: Array, rhs: Array) -> Any:
    """The same as an einsum with a letter for each axis; integers in Python's own, which never overflow."""
    lhs, rhs = (x if x.dtype.kind == "f" else x.astype(object) for x in (lhs, rhs))
    letters = iter("abcdefghijklmnop")
    left, right = [next(letters) for _ in range(lhs.ndim)], [next(letters) for _ in range(rhs.ndim)]
    for i, j in zip((*op.lhs_batch, *op.lhs_contract), (*op.rhs_batch, *op.rhs_contract), strict=True):
        right[j] = left[i]
    batch = [left[i] for i in op.lhs_batch]
    free = [left[i] for i in range(lhs.ndim) if i not in (*op.lhs_batch, *op.lhs_contract)]
    others = [right[j] for j in range(rhs.ndim) if j not in (*op.rhs_batch, *op.rhs_contract)]
    return np.einsum(f"{''.join(left)},{''.join(right)}->{''.join([*batch, *free, *others])}", lhs, rhs)


# -- convolutions ----------------------------------------------------------------------------------------------


def conv(
    name: str,
    x: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: int | Sequence[int] = 1,
    low: int | Sequence[int] = 0,
    high: int | Sequence[int] = 0,
    lhs_dilation: int | Sequence[int] = 1,
    rhs_dilation: int | Sequence[int] = 1,
    feature_groups: int = 1,
    batch_groups: int = 1,
    dtype: DType = dtypes.f64,
    result: DType | None = None,
    bound: float = 2.0,
) -> Sample:
    def each(value: int | Sequence[int]) -> tuple[int, ...]:
        return (value,) * (len(x) - 2) if isinstance(value, int) else tuple(value)

    result = result or dtype
    steps = each(strides), each(low), each(high), each(lhs_dilation), each(rhs_dilation)
    op = Convolution(*steps, feature_groups, batch_groups, result)
    operands = draw(dtype, x, -bound, bound, seed=1), draw(dtype, kernel, -bound, bound, seed=2)
    label = f"{name}-{dtype}-{result}"
    return Sample(op, operands, label, smooth=dtype == dtypes.f64, atol=ATOL.get(result, 0), ulps=16)


CONVOLUTIONS = [
    conv("plain", (2, 3, 5, 6), (4, 3, 3, 2)),
    conv("one", (2, 2, 3), (3, 2, 3)),
    conv("pointwise", (2, 3, 4), (5, 3, 1)),
    conv("no-spatial", (2, 3), (4, 3)),
    conv("three", (1, 2, 4, 3, 4), (2, 2, 2, 2, 3), strides=(2, 1, 1), low=(1, 0, 1), high=(0, 1, 1)),
    conv("same", (1, 2, 5, 5), (2, 2, 3, 3), low=1, high=1),
    conv("strides", (2, 2, 7, 6), (2, 2, 3, 2), strides=(2, 3), low=(1, 0), high=(0, 2)),
    conv("leftover", (1, 1, 8), (1, 1, 3), strides=3, low=1),
    conv("lhs-dilation", (1, 2, 4, 3), (3, 2, 3, 2), lhs_dilation=(2, 3), low=(1, 2), high=(2, 0)),
    conv("rhs-dilation", (1, 2, 7, 6), (2, 2, 3, 2), rhs_dilation=(2, 3), low=(1, 0), high=(0, 1)),
    conv("everything", (2, 2, 6, 5), (2, 2, 2, 3), 2, (2, -1), (-1, 3), (2, 1), (3, 2)),
    conv("negative", (1, 2, 7, 8), (2, 2, 2, 3), low=(-2, 1), high=(1, -3)),
    conv("negative-dilated", (1, 1, 6), (2, 1, 2), strides=2, low=-3, high=-2, lhs_dilation=3),
    conv("groups", (2, 6, 5), (4, 3, 2), feature_groups=2, low=1),
    conv("depthwise", (1, 3, 4, 4), (3, 1, 3, 3), feature_groups=3, low=1, high=1),
    conv("multiplier", (1, 2, 5), (6, 1, 3), strides=2, low=2, high=1, lhs_dilation=2, feature_groups=2),
    conv("batch-groups", (6, 2, 5), (4, 2, 2), batch_groups=2, low=1),
    conv("batch-groups-steps", (4, 3, 6, 3), (4, 3, 2, 2), (2, 1), 1, (0, -1), (1, 2), (2, 1), batch_groups=4),
    conv("too-small", (1, 2, 2), (3, 2, 4)),
    conv("all-cut", (1, 2, 4), (3, 2, 2), low=-4, high=-3),
    conv("no-batch", (0, 2, 5), (3, 2, 2), low=1),
    conv("no-channels", (2, 0, 5), (3, 0, 2), low=1),
    conv("no-outputs", (2, 2, 5), (0, 2, 2), low=1),
    conv("no-window", (2, 2, 5), (3, 2, 0), low=1),
    conv("no-places", (2, 2, 0, 3), (3, 2, 2, 2), low=2, high=1),
    *(
        conv("types", (2, 4, 5, 4), (4, 2, 2, 3), 2, (1, 2), 1, (1, 2), feature_groups=2, dtype=dtype, result=result)
        for dtype, result in ((dtypes.f32, None), (dtypes.f16, None), (dtypes.bf16, None), (dtypes.bf16, dtypes.f32))
    ),
    *(
        conv("integers", (2, 2, 6), (2, 2, 3), low=1, dtype=dtype, result=result, bound=120)
        for dtype, result in ((dtypes.i8, None), (dtypes.i8, dtypes.i32), (dtypes.u16, None), (dtypes.i64, None))
    ),
]


def reference_convolution(op: Convolution, x: Array, kernel: Array) -> Any:
    """The definition, one product at a time."""
    spatial = range(x.ndim - 2)
    groups = op.feature_groups * op.batch_groups
    size = [(n - 1) * d + 1 if n else 0 for n, d in zip(x.shape[2:], op.lhs_dilation, strict=True)]
    reach = [(n - 1) * d + 1 if n else 0 for n, d in zip(kernel.shape[2:], op.rhs_dilation, strict=True)]
    room = [size[i] + op.low[i] + op.high[i] - reach[i] for i in spatial]
    shape = x.shape[0] // op.batch_groups, kernel.shape[0], *(max(room[i] // op.strides[i] + 1, 0) for i in spatial)
    result = np.zeros(shape, float if x.dtype.kind == "f" else object)
    per_group = kernel.shape[0] // groups
    for n, o, *place in itertools.product(*map(range, shape)):
        group = o // per_group
        total: Any = 0
        for c, *offset in itertools.product(*map(range, kernel.shape[1:])):
            example = n + group * shape[0] if op.batch_groups > 1 else n
            channel = c + group * kernel.shape[1] if op.feature_groups > 1 else c
            at = [place[i] * op.strides[i] + offset[i] * op.rhs_dilation[i] - op.low[i] for i in spatial]
            if all(0 <= at[i] < size[i] and at[i] % op.lhs_dilation[i] == 0 for i in spatial):
                source = [at[i] // op.lhs_dilation[i] for i in spatial]
                total += x[(example, channel, *source)].item() * kernel[(o, c, *offset)].item()
        result[(n, o, *place)] = total
    return result


def plain(
    strides: Sequence[int] = (1,),
    low: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: tuple[int, int] = (1, 1),
    dtype: DType = dtypes.f32,
) -> Convolution:
    return Convolution(tuple(strides), tuple(low), (0,), tuple(dilation), (1,), *groups, dtype)


F32 = dtypes.f32
SAMPLES: list[Sample] = [
    *(dot(name, dtypes.f64) for name in DOTS),
    *(dot("batched", dtype) for dtype in (dtypes.f32, dtypes.f16, dtypes.bf16)),
    *(dot("batched", dtype, low=-100, high=100) for dtype in REAL if dtype.is_integer),
    *(dot("batched", dtype, result, -100, 100) for dtype, result in WIDENING),
    Sample(
        DotGeneral(*MATMUL, F32), (draw(F32, (2, 300)), draw(F32, (300, 3))), "deep", smooth=False, atol=1e-3, ulps=64
    ),
    *CONVOLUTIONS,
]

BAD: list[Bad] = [
    Bad(DotGeneral(*MATMUL, F32), ("f32[2, 3]",), ShapeError, "takes 2 operands and was given 1"),
    Bad(
        DotGeneral(*MATMUL, F32),
        ("f32[2, 3]", "f32[4, 5]"),
        ShapeError,
        "axes 1 of lhs and 0 of rhs have sizes 3 and 4",
    ),
    Bad(DotGeneral(*MATMUL, F32), ("f32[2, 3]", "f64[3, 5]"), DTypeError, "dtypes f32 and f64"),
    Bad(DotGeneral(*MATMUL, dtypes.bool_), ("bool[2, 3]", "bool[3, 5]"), DTypeError, "numbers, not bool"),
    Bad(DotGeneral(*MATMUL, dtypes.f16), ("f32[2, 3]", "f32[3, 5]"), DTypeError, "f16 does not hold products of f32"),
    Bad(DotGeneral(*MATMUL, dtypes.u32), ("i8[2, 3]", "i8[3, 5]"), DTypeError, "u32 does not hold products of i8"),
    Bad(
        DotGeneral((2,), (0,), (), (), F32),
        ("f32[2, 3]", "f32[3, 5]"),
        ShapeError,
        "axis 2 of lhs is out of range for rank 2",
    ),
    Bad(DotGeneral((1,), (-1,), (), (), F32), ("f32[2, 3]", "f32[3, 5]"), ShapeError, "axis -1 of rhs is out of range"),
    Bad(
        DotGeneral((1,), (), (), (), F32),
        ("f32[2, 3]", "f32[3, 5]"),
        ShapeError,
        r"contracted axes \(1,\) .* differ in number",
    ),
    Bad(
        DotGeneral((0,), (0,), (0,), (0,), F32), ("f32[2, 3]", "f32[2, 5]"), ShapeError, "axis 0 of lhs is named twice"
    ),
    Bad(
        DotGeneral((0,), (0,), (1,), (0,), F32), ("f32[3, 3]", "f32[3, 5]"), ShapeError, "axis 0 of rhs is named twice"
    ),
    Bad(
        DotGeneral((2,), (1,), (0,), (0,), F32),
        ("f32[2, 3, 4]", "f32[7, 4]"),
        ShapeError,
        "batch axes 0 of lhs and 0 of rhs have sizes 2 and 7",
    ),
    Bad(plain(), ("f32[1, 2, 5]", "f32[3, 2, 2]", "f32[]"), ShapeError, "takes 2 operands"),
    Bad(plain(), ("f32[1, 2, 5]", "f32[3, 2]"), ShapeError, "ranks 3 and 2"),
    Bad(plain(), ("f32[5]", "f32[2]"), ShapeError, "ranks 1 and 1"),
    Bad(
        plain(),
        ("f32[1, 2, 5]", "f32[3, 4, 2]"),
        ShapeError,
        r"2 input channels in 1 groups are 2 in each, and the kernel \(axis 1\) takes 4",
    ),
    Bad(plain(), ("f32[1, 2, 5]", "f16[3, 2, 2]"), DTypeError, "dtypes f32 and f16"),
    Bad(plain(dtype=dtypes.i32), ("f32[1, 2, 5]", "f32[3, 2, 2]"), DTypeError, "i32 does not hold products of f32"),
    Bad(
        plain(strides=(1, 1)),
        ("f32[1, 2, 5]", "f32[3, 2, 2]"),
        AttributeValueError,
        r"strides \(1, 1\) has 2 entries for 1 spatial",
    ),
    Bad(plain(low=()), ("f32[1, 2, 5]", "f32[3, 2, 2]"), AttributeValueError, r"low \(\) has 0 entries"),
    Bad(plain(strides=(0,)), ("f32[1, 2, 5]", "f32[3, 2, 2]"), AttributeValueError, "strides of spatial axis 0 is 0"),
    Bad(
        plain(dilation=(-2,)),
        ("f32[1, 2, 5]", "f32[3, 2, 2]"),
        AttributeValueError,
        "lhs_dilation of spatial axis 0 is -2",
    ),
    Bad(plain(groups=(0, 1)), ("f32[1, 2, 5]", "f32[3, 2, 2]"), AttributeValueError, "feature_groups is 0"),
    Bad(
        plain(groups=(2, 2)),
        ("f32[4, 4, 5]", "f32[4, 2, 2]"),
        AttributeValueError,
        "2 feature groups and 2 batch groups",
    ),
    Bad(
        plain(groups=(3, 1)),
        ("f32[4, 4, 5]", "f32[3, 1, 2]"),
        ShapeError,
        "3 feature groups do not divide 4 input channels",
    ),
    Bad(
        plain(groups=(2, 1)),
        ("f32[4, 4, 5]", "f32[3, 2, 2]"),
        ShapeError,
        "2 feature groups do not divide 3 output channels",
    ),
    Bad(
        plain(groups=(1, 3)), ("f32[4, 2, 5]", "f32[3, 2, 2]"), ShapeError, "3 batch groups do not divide a batch of 4"
    ),
    Bad(
        plain(groups=(1, 2)),
        ("f32[4, 2, 5]", "f32[3, 2, 2]"),
        ShapeError,
        "2 batch groups do not divide 3 output channels",
    ),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(DotGeneral(*MATMUL, F32), ("f32[n, k]", "f32[k, 3*m]"), ("f32[n, 3*m]",)),
    Symbolic(DotGeneral((2,), (1,), (0,), (0,), F32), ("f32[b, n, 4]", "f32[b, 4, m]"), ("f32[b, n, m]",)),
    Symbolic(plain(), ("f32[n, 2, 5]", "f32[3, 2, 2]"), ("f32[n, 3, 4]",)),
    Symbolic(plain(groups=(2, 1)), ("f32[n, 2*c, w]", "f32[4, c, 3]"), ("f32[n, 4, w - 2]",)),
    Symbolic(plain(groups=(1, 2)), ("f32[2*n, 2, 5]", "f32[4, 2, 2]"), ("f32[n, 4, 4]",)),
]

REFERENCES: dict[type[Op], Reference] = {DotGeneral: reference_dot, Convolution: reference_convolution}
