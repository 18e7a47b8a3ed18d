"""Random graphs of complex numbers, as a Hypothesis strategy; all numbers in them stay of magnitude 4 or less."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import strategies as st

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops import exponential as ex
from rosin.ir.ops import trigonometric as tr
from rosin.ir.types import TensorType
from tests.samples import Array, draw, wide

INNER = (tr.Sin(), tr.Cos(), tr.Tanh(), tr.Atan(), tr.Asinh(), ex.Exp(), ex.Log1p())


def _bounded(b: Builder, x: Value) -> Value:
    """x / sqrt(1 + |x|² / 4), which is less than 2 in magnitude."""
    size = b.mul(b.abs(x), 0.5)
    return b.mul(x, b.cast(b.rsqrt(b.add(b.mul(size, size), 1.0)), x.type.dtype))


def _inside(b: Builder, x: Value) -> Value:
    """x made so small that functions have no poles and cuts near it."""
    return b.mul(_bounded(b, x), 0.25)


def _step(draw_one: Callable[..., object], b: Builder, values: list[Value]) -> Value:
    x = draw_one(st.sampled_from(values))
    assert isinstance(x, Value)
    alike = [v for v in values if v.type == x.type]
    y = draw_one(st.sampled_from(alike))
    assert isinstance(y, Value)
    axis = x.type.rank - 1
    makers: list[Callable[[], Value]] = [
        lambda: _bounded(b, b.add(x, y)),
        lambda: _bounded(b, b.sub(x, y)),
        lambda: _bounded(b, b.mul(x, y)),
        lambda: _bounded(b, b.div(x, b.add(_inside(b, y), 2.0))),
        lambda: b.neg(x),
        lambda: b.conj(x),
        lambda: b.complex(b.imag(x), b.real(y)),
        lambda: b.cast(b.abs(x), x.type.dtype),
        lambda: b.select(b.less(b.real(x), b.imag(y)), x, y),
        lambda: b.mul(x, b.like(0.5 - 0.25j, x)),
        lambda: _bounded(b, b.node(draw_one(st.sampled_from(INNER)), _inside(b, x))[0]),  # type: ignore[arg-type]
        lambda: _bounded(b, b.pow(b.add(_inside(b, x), 2.0), _inside(b, y))),
        lambda: b.transpose(x, tuple(reversed(range(x.type.rank)))),
        lambda: b.reverse(x, (axis,)),
        lambda: b.shift(x, axis, 1, 0.0),
        lambda: b.slice_axis(b.concatenate([x, y], axis), axis, 1, x.type.sizes[axis] + 1),
        lambda: _bounded(b, b.cumsum(x, axis)),
        lambda: _bounded(b, b.linear_recurrence(_inside(b, x), y, axis)),
        lambda: b.broadcast(_bounded(b, b.sum(x, (axis,))), x.type.shape, tuple(range(axis))),
        lambda: b.broadcast(_bounded(b, b.prod(x, (0,))), x.type.shape, tuple(range(1, axis + 1))),
        lambda: _bounded(b, b.matmul(b.matmul(x, b.transpose(y, (1, 0))), x)) if axis == 1 else x,
    ]
    made = draw_one(st.sampled_from(makers))
    return made()  # type: ignore[operator]


@st.composite
def complex_graphs(draw_one: Callable[..., object], types: Sequence[DType], steps: int = 10) -> Graph:
    """A graph of one element type out of these, from one or two inputs of a random shape to one or two outputs."""
    dtype = draw_one(st.sampled_from(types))
    shape = draw_one(st.sampled_from([(9,), (3, 5), (1, 8), (8, 1), (4, 4), (2, 17)]))
    assert isinstance(dtype, DType)
    assert isinstance(shape, tuple)
    b = Builder()
    values = [b.input(TensorType(dtype, shape), f"x{i}") for i in range(2)]
    for _ in range(draw_one(st.integers(1, steps))):  # type: ignore[call-overload]
        values.append(_step(draw_one, b, values))
    return b.graph([values[-1], draw_one(st.sampled_from(values))])  # type: ignore[list-item]


def complex_arguments(graph: Graph, seed: int = 0) -> list[Array]:
    return [draw(v.type.dtype, v.type.sizes, -1, 1, seed=(seed, i)) for i, v in enumerate(graph.inputs)]


def assert_complex_outputs(graph: Graph, operands: Sequence[Array], actual: Sequence[Array]) -> None:
    """Fail unless these are the graph's outputs, but for rounding errors of numbers of magnitude 4."""
    for position, (x, y) in enumerate(zip(actual, evaluate(graph, operands), strict=True)):
        assert x.dtype == y.dtype
        bound = 4096 * dtypes.from_numpy(y.dtype).epsilon
        np.testing.assert_allclose(wide(x), wide(y), rtol=bound, atol=bound, err_msg=f"output {position}")
