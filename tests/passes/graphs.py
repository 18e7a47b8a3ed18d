"""What the tests of passes share: graphs by hand, random graphs, arguments with awkward numbers, comparison by bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType
from rosin.ir.formula import Formula
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import REGISTRY, Elementwise, Value
from rosin.ir.ops import arithmetic, logic, movement
from rosin.ir.ops.cast import Cast
from rosin.ir.types import TensorType, parse_type
from rosin.ir.verify import verify
from rosin.passes.base import Pass

SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    math.inf,
    -math.inf,
    math.nan,
    0.5,
    2.0,
    -3.5,
    1e-45,
    -1e-40,
    5e-324,
    3e38,
    1.5e300,
    7e4,
]


def draw_array(type: TensorType, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """An array of which about a third are zeros, infinities, NaN, denormals or the ends of an integer type."""
    shape, dtype = type.sizes, type.dtype
    if dtype == dtypes.bool_:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if dtype.is_integer:
        ends = np.array([dtype.lowest, dtype.highest, 0, 1], dtype.numpy)
        return np.where(
            rng.random(shape) < 0.3, rng.choice(ends, shape), rng.integers(0, 100, shape).astype(dtype.numpy)
        )
    with np.errstate(all="ignore"):
        awkward = rng.choice(np.array(SPECIAL), shape)
        return np.where(rng.random(shape) < 0.3, awkward, rng.standard_normal(shape) * 3).astype(dtype.numpy)


def arguments(graph: Graph, seed: int = 0) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    return [draw_array(v.type, rng) for v in graph.inputs]


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Whether two arrays agree in type and bits; any NaN equals any other."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    raw = np.dtype((np.void, a.itemsize))
    equal = np.ascontiguousarray(a).reshape(-1).view(raw) == np.ascontiguousarray(b).reshape(-1).view(raw)
    nan = (a != a) & (b != b)
    return bool(np.all(equal | nan.reshape(-1)))


def check_pass(pass_: Pass, graph: Graph, seeds: Sequence[int] = (0, 1, 2)) -> Graph:
    """Run the pass, and see that the result is a graph with the same signature and the same values, bit for bit."""
    after = pass_.run(graph)
    verify(after)
    assert [v.type for v in after.inputs] == [v.type for v in graph.inputs]
    assert [v.type for v in after.outputs] == [v.type for v in graph.outputs]
    for seed in seeds:
        given = arguments(graph, seed)
        for i, (x, y) in enumerate(zip(evaluate(graph, given), evaluate(after, given), strict=True)):
            assert same_bits(x, y), f"output {i} differs after {pass_.name}:\n{x}\n{y}"
    return after


def build(types: str, make: Callable[..., Value | Sequence[Value]]) -> Graph:
    """The graph that `make(builder, *inputs)` gives on inputs such as `"f32[2, 3] i32[]"`, called x, y, z, w."""
    b = Builder()
    parts = [part + "]" for part in types.split("]") if part.strip()]
    inputs = [b.input(parse_type(part), name) for part, name in zip(parts, "xyzwuv", strict=False)]
    made = make(b, *inputs)
    return b.graph([made] if isinstance(made, Value) else list(made))


# -- random graphs ---------------------------------------------------------------------------------------------

SHAPES = [(), (1,), (3,), (4,), (2, 3), (1, 3), (3, 1), (2, 2, 3), (0, 3)]
TYPES = [dtypes.f32, dtypes.f64, dtypes.f16, dtypes.bf16, dtypes.i32, dtypes.u8, dtypes.i64, dtypes.bool_]
CONSTANTS = [0, 1, 2, -1, 0.5, -0.0, 4, math.inf, -math.inf, math.nan, 3, -8]
# Formulas come to the same for passes, and take long to compile.
ELEMENTWISE = sorted(
    c.name for c in REGISTRY.values() if issubclass(c, Elementwise) and not issubclass(c, Formula) and not fields(c)
)


@st.composite
def random_graphs(draw: st.DrawFn, max_nodes: int = 14) -> Graph:
    """Graphs over a few small shapes and types, with many constants and movements so that rules find their matches."""
    b = Builder()
    type = st.builds(TensorType, st.sampled_from(TYPES), st.sampled_from(SHAPES))
    values = [b.input(t, f"x{i}") for i, t in enumerate(draw(st.lists(type, min_size=1, max_size=3)))]
    for _ in range(draw(st.integers(1, max_nodes))):
        # Later values come first, so that chains grow deep.
        value = draw(st.sampled_from(values[::-1]))
        values.append(draw(st.sampled_from(STEPS))(draw, b, values, value))
    count = draw(st.integers(1, min(3, len(values))))
    return b.graph([values[-1], *draw(st.lists(st.sampled_from(values), min_size=count - 1, max_size=count - 1))])


def _constant(draw: st.DrawFn, b: Builder, type: TensorType) -> Value:
    number = draw(st.sampled_from(CONSTANTS))
    if not type.dtype.is_float:
        number = int(number) if math.isfinite(number) else 1
    if type.dtype.kind in ("uint", "bool"):
        number = abs(number)
    return b.full(number, type)


def _peer(draw: st.DrawFn, b: Builder, values: Sequence[Value], type: TensorType) -> Value:
    """Another value of the type, or a constant, or a broadcast of a smaller value."""
    found = [v for v in values if v.type == type]
    smaller = [v for v in values if v.type.dtype == type.dtype and v.type.shape == type.shape[1:] and type.rank]
    kind = draw(st.sampled_from(["value", "constant", "broadcast"]))
    if kind == "value" and found:
        return draw(st.sampled_from(found[::-1]))
    if kind == "broadcast" and smaller:
        return b.broadcast(draw(st.sampled_from(smaller)), type.shape, tuple(range(1, type.rank)))
    return _constant(draw, b, type)


def _apply(draw: st.DrawFn, b: Builder, values: list[Value], x: Value) -> Value:
    names = [n for n in ELEMENTWISE if x.type.dtype in REGISTRY[n].accepts]
    op = REGISTRY[draw(st.sampled_from(names))]()
    assert isinstance(op, Elementwise)
    if isinstance(op, logic.Select):
        condition = _peer(draw, b, values, x.type.with_dtype(dtypes.bool_))
        return b.select(condition, x, _peer(draw, b, values, x.type))
    others = [_peer(draw, b, values, x.type) for _ in range(op.arity - 1)]
    at = draw(st.integers(0, len(others)))
    return b.node(op, *others[:at], x, *others[at:])[0]


def _common(draw: st.DrawFn, b: Builder, values: list[Value], x: Value) -> Value:
    """The few ops that most rules are about."""
    if not x.type.dtype.is_float and not x.type.dtype.is_integer:
        return _apply(draw, b, values, x)
    ops = [arithmetic.Add(), arithmetic.Sub(), arithmetic.Mul(), arithmetic.Neg(), arithmetic.Maximum()]
    op = draw(st.sampled_from(ops + [arithmetic.Div()] * x.type.dtype.is_float))
    if isinstance(op, arithmetic.Neg):
        return b.neg(x)
    pair = [x, _peer(draw, b, values, x.type)]
    return b.node(op, *(pair[::-1] if draw(st.booleans()) else pair))[0]


def _cast(draw: st.DrawFn, b: Builder, values: list[Value], x: Value) -> Value:
    return b.node(Cast(draw(st.sampled_from(TYPES))), x)[0]


def _move(draw: st.DrawFn, b: Builder, values: list[Value], x: Value) -> Value:
    rank, sizes = x.type.rank, x.type.sizes
    kind = draw(st.sampled_from(["reshape", "transpose", "broadcast", "slice", "pad", "concatenate", "reverse"]))
    if kind == "reshape":
        total = math.prod(sizes)
        shapes = [s for s in [*SHAPES, (total,), (1, total), (total, 1), (*sizes, 1)] if math.prod(s) == total]
        return b.node(movement.Reshape(draw(st.sampled_from(shapes))), x)[0]
    if kind == "broadcast" or rank == 0:
        at = draw(st.integers(0, rank))
        size = draw(st.sampled_from([1, 2, 3]))
        shape = (*sizes[:at], size, *sizes[at:])
        axes = tuple(i for i in range(rank + 1) if i != at)
        return b.broadcast(x, shape, axes) if rank < 4 else x
    if kind == "transpose":
        return b.node(movement.Transpose(tuple(draw(st.permutations(range(rank))))), x)[0]
    if kind == "reverse":
        return b.reverse(x, tuple(sorted(draw(st.sets(st.integers(0, rank - 1))))))
    if kind == "concatenate":
        axis = draw(st.integers(0, rank - 1))
        fits = [v for v in values if v.type == x.type] or [x]
        parts = draw(st.lists(st.sampled_from(fits), max_size=2))
        return b.concatenate([x, *parts], axis) if sizes[axis] < 8 else x
    if kind == "slice":
        bounds = [sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in sizes]
        steps = tuple(draw(st.integers(1, 2)) for _ in sizes)
        return b.slice(x, tuple(s for s, _ in bounds), tuple(e for _, e in bounds), steps)
    low = tuple(draw(st.integers(-1 if n > 1 else 0, 2 if n < 8 else 0)) for n in sizes)
    high = tuple(draw(st.integers(-1 if n > 1 else 0, 1)) for n in sizes)
    interior = tuple(draw(st.integers(0, 1)) if n < 8 else 0 for n in sizes)
    op = movement.Pad(low, high, interior)
    return b.node(op, x, _constant(draw, b, TensorType(x.type.dtype)))[0]


def _reduce(draw: st.DrawFn, b: Builder, values: list[Value], x: Value) -> Value:
    axes = tuple(sorted(draw(st.sets(st.integers(0, x.type.rank - 1))))) if x.type.rank else ()
    if x.type.dtype == dtypes.bool_:
        return draw(st.sampled_from([b.any, b.all]))(x, axes)
    kinds = [b.sum, b.prod] if 0 in x.type.sizes else [b.sum, b.prod, b.max, b.min]
    return draw(st.sampled_from(kinds))(x, axes)


STEPS = [_apply, _common, _common, _common, _cast, _move, _move, _reduce]


def chain(length: int, dtype: DType = dtypes.f32) -> Graph:
    """A graph of about `length` nodes like those that a trained network gives: products, sums, moves, constants."""
    b = Builder()
    x = b.input(TensorType(dtype, (8, 16)), "x")
    weights = [b.input(TensorType(dtype, (16,)), f"w{i}") for i in range(8)]
    kept = x
    while len(b.nodes) < length:
        layer = len(b.nodes)
        w = b.broadcast(weights[layer % 8], (8, 16), (1,))
        h = b.maximum(b.add(b.mul(x, w), b.broadcast(b.full(0.5, TensorType(dtype)), (8, 16), ())), 0.0)
        mean = b.div(b.sum(h, (1,)), 16.0)
        centred = b.sub(h, b.broadcast(mean, (8, 16), (0,)))
        scale = b.rsqrt(b.add(b.div(b.sum(b.mul(centred, centred), (1,)), 16.0), 1e-5))
        x = b.add(b.mul(centred, b.broadcast(scale, (8, 16), (0,))), b.mul(kept, 1.0))
        kept = b.transpose(b.transpose(x, (1, 0)), (1, 0))
    return b.graph([x, b.sum(kept, (0, 1))])
