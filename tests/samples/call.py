"""Samples of ops that hold a graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.errors import ShapeError
from rosin.ir.graph import Deferred, Graph
from rosin.ir.op import Op, Value
from rosin.ir.ops.associative import Alternatives, AssociativeScan
from rosin.ir.ops.call import Barrier, Checkpoint, CustomJvp, CustomVjp, StopGradient
from rosin.ir.types import TensorType
from tests.samples import REAL, Bad, Reference, Sample, Symbolic, draw

F64, F32 = dtypes.f64, dtypes.f32


def _graph(name: str, build: Callable[..., list[Value]], *types: TensorType) -> Graph:
    b = Builder()
    operands = [b.input(t, f"x{i}") for i, t in enumerate(types)]
    return b.graph(build(b, *operands), name)


def _body(b: Builder, x: Value, y: Value) -> list[Value]:
    """sin(x) y and the sum of x² y."""
    return [b.mul(b.sin(x), y), b.sum(b.mul(b.mul(x, x), y), tuple(range(x.type.rank)))]


def _rule(b: Builder, x: Value, y: Value, x_dot: Value, y_dot: Value) -> list[Value]:
    every = tuple(range(x.type.rank))
    first = b.add(b.mul(b.mul(b.cos(x), y), x_dot), b.mul(b.sin(x), y_dot))
    second = b.add(b.mul(b.mul(b.mul(x, 2.0), y), x_dot), b.mul(b.mul(x, x), y_dot))
    return [*_body(b, x, y), first, b.sum(second, every)]


def _forward(b: Builder, x: Value, y: Value) -> list[Value]:
    return [*_body(b, x, y), x, y]


def _backward(b: Builder, x: Value, y: Value, first: Value, second: Value) -> list[Value]:
    spread = b.broadcast(second, x.type.shape, ())
    by_x = b.add(b.mul(b.mul(b.cos(x), y), first), b.mul(b.mul(b.mul(x, 2.0), y), spread))
    return [by_x, b.add(b.mul(b.sin(x), first), b.mul(b.mul(x, x), spread))]


def _counted(b: Builder, x: Value, count: Value) -> list[Value]:
    """exp(x) times a whole number, and the number's double: an operand and a result without derivatives."""
    return [b.mul(b.exp(x), b.cast(count, x.type.dtype)), b.add(count, count)]


def _counted_rule(b: Builder, x: Value, count: Value, x_dot: Value) -> list[Value]:
    product, double = _counted(b, x, count)
    return [product, double, b.mul(product, x_dot)]


def _counted_forward(b: Builder, x: Value, count: Value) -> list[Value]:
    product, double = _counted(b, x, count)
    return [product, double, product]


def _counted_backward(b: Builder, product: Value, cotangent: Value) -> list[Value]:
    return [b.mul(product, cotangent)]


def _both_ways(body: Graph) -> Op:
    return Alternatives(body, Deferred(lambda: body))


def _compose(b: Builder, a: Value, x: Value, c: Value, y: Value, scale: Value) -> list[Value]:
    """The product of two numbers, and x + y + scale x y of two others."""
    return [b.mul(a, c), b.add(b.add(x, y), b.mul(scale, b.mul(x, y)))]


def _running(length: int, shape: tuple[int, ...], dtype: dtypes.DType, reverse: bool) -> Op:
    x = TensorType(dtype, shape)
    return AssociativeScan(_graph("compose", _compose, *[x] * 5), length, reverse)


def _running_sample(length: int, shape: tuple[int, ...], dtype: dtypes.DType, reverse: bool) -> Sample:
    operands = (*(draw(dtype, (length, *shape), seed=seed) for seed in (1, 2)), draw(dtype, shape, seed=3))
    op = _running(length, shape, dtype, reverse)
    return Sample(op, operands, f"{dtype}{[length, *shape]}", smooth=dtype == F64, atol=1e-14, ulps=8)


def _combined(op: Op, x: np.ndarray, y: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    assert isinstance(op, AssociativeScan)
    step = -1 if op.reverse else 1
    factors = np.cumprod(1 + scale * y[::step], axis=0)
    return np.cumprod(x[::step], axis=0)[::step], ((factors - 1) / scale)[::step]


def _ops(shape: tuple[int, ...], dtype: dtypes.DType) -> list[Op]:
    x, scalar = TensorType(dtype, shape), TensorType(dtype)
    body = _graph("body", _body, x, x)
    rule = _graph("rule", _rule, x, x, x, x)
    forward = _graph("forward", _forward, x, x)
    backward = _graph("backward", _backward, x, x, x, scalar)
    return [Checkpoint(body), CustomJvp(body, rule), CustomVjp(body, forward, backward), _both_ways(body)]


def _counted_ops(shape: tuple[int, ...]) -> list[Op]:
    x, count = TensorType(F64, shape), TensorType(dtypes.i32, shape)
    body = _graph("body", _counted, x, count)
    rule = _graph("rule", _counted_rule, x, count, x)
    forward = _graph("forward", _counted_forward, x, count)
    backward = _graph("backward", _counted_backward, x, x)
    return [Checkpoint(body), CustomJvp(body, rule), CustomVjp(body, forward, backward), _both_ways(body)]


def _sample(op: Op, shape: tuple[int, ...], dtype: dtypes.DType) -> Sample:
    operands = tuple(draw(dtype, shape, seed=seed) for seed in (1, 2))
    label, forward = f"{dtype}{list(shape)}", not isinstance(op, CustomVjp)
    return Sample(op, operands, label, smooth=dtype == F64, forward=forward, atol=1e-14, ulps=8)


def _counted_sample(op: Op) -> Sample:
    operands = (draw(F64, (3,)), draw(dtypes.i32, (3,), 1, 5))
    return Sample(op, operands, "counted", forward=not isinstance(op, CustomVjp))


MIXED = (draw(F64, (2, 3)), draw(dtypes.i32, (4,)), draw(F64), draw(dtypes.bool_, (0,)))

SAMPLES: list[Sample] = [
    *(_sample(op, shape, F64) for shape in ((), (3,), (2, 1, 3), (0,)) for op in _ops(shape, F64)),
    *(_sample(op, (5,), dtype) for dtype in (F32, dtypes.f16, dtypes.bf16) for op in _ops((5,), dtype)),
    *(_counted_sample(op) for op in _counted_ops((3,))),
    *(
        _running_sample(length, shape, F64, reverse)
        for length, shape, reverse in ((1, (2,), False), (2, (), True), (5, (2,), False), (4, (3,), True))
    ),
    _running_sample(3, (2,), F32, False),
    Sample(Barrier(), MIXED, ulps=0),
    # Its derivative is not that of its meaning, so it is compared with nothing; test_call.py checks that none flows.
    *(
        Sample(StopGradient(TensorType(dtype, shape)), (draw(dtype, shape),), differentiable=(), ulps=0)
        for dtype in REAL
        for shape in ((), (2, 3))
    ),
    *(Sample(Barrier(), (draw(dtype, (3,)),), smooth=dtype == F64, ulps=0) for dtype in REAL),
]

BAD: list[Bad] = [
    *(Bad(op, ("f64[3]",), ShapeError, "takes 2 operands and was given 1") for op in _ops((3,), F64)),
    *(
        Bad(op, ("f64[3]", "f64[4]"), ShapeError, r"operand 1 has type f64\[4\] and the body takes f64\[3\]")
        for op in _ops((3,), F64)
    ),
    Bad(_running(3, (2,), F64, False), ("f64[4,2]", "f64[3,2]", "f64[2]"), ShapeError, r"takes f64\[3, 2\]"),
    Bad(_running(0, (2,), F64, False), ("f64[0,2]", "f64[0,2]", "f64[2]"), ValueError, "some"),
    Bad(StopGradient(TensorType(F64, (2,))), ("f64[3]",), ShapeError, r"is made for f64\[2\]"),
    Bad(Barrier(), (), ShapeError, "at least one operand"),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(Barrier(), ("f32[n]", "i32[m, 2]"), ("f32[n]", "i32[m, 2]")),
]


def _meaning(op: Op, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if y.dtype == np.int32:
        return np.exp(x) * y, 2 * y
    return np.sin(x) * y, np.sum(x * x * y)


REFERENCES: dict[type[Op], Reference] = {
    Alternatives: _meaning,
    AssociativeScan: _combined,
    Checkpoint: _meaning,
    CustomJvp: _meaning,
    CustomVjp: _meaning,
    StopGradient: lambda op, x: x,
    Barrier: lambda op, *operands: operands,
}
