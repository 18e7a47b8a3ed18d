"""Random well-typed graphs, as a Hypothesis strategy.

Hypothesis chooses a seed and a number of steps, and a generator of random numbers makes all other choices: they are
spread evenly so, where Hypothesis's own prefer what is small. A failing graph shrinks to the fewest steps of its seed.

Every value carries an interval that its numbers lie in, so that values stay finite and mild; and whether it is exact,
that is, free of rounding. Steps in which a rounding error would jump (comparisons, rounding, positions of extremes,
casts to integers) take exact values only, so two correct evaluations differ by rounding errors and by nothing else.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType
from rosin.ir.graph import Graph, Node
from rosin.ir.interpret import evaluate
from rosin.ir.op import Op, Value
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import exponential as ex
from rosin.ir.ops import logic
from rosin.ir.ops import special as sp
from rosin.ir.ops import trigonometric as tr
from rosin.ir.ops.index import Numbers
from rosin.ir.types import TensorType
from tests.samples import Array, draw, finfo

T = TypeVar("T")

FLOATS = (*[dtypes.f32] * 3, *[dtypes.f64] * 2, dtypes.f16, dtypes.bf16)
MIXED = (*FLOATS, dtypes.i32, dtypes.i64, dtypes.u8, dtypes.i8, dtypes.u32, dtypes.bool_)
LARGEST = 50.0
"""No value is greater in magnitude, as far as intervals tell."""
MAX_SIZE = 120
SIZES = (1, 2, 3, 4, 5) * 6 + (0,)


@dataclass(frozen=True, eq=False)
class Item:
    """A value of the graph, what its numbers lie between, and whether they carry no rounding errors."""

    value: Value
    low: float
    high: float
    exact: bool

    @property
    def dtype(self) -> DType:
        return self.value.type.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.type.sizes

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)


# Elementwise functions: the op, and the interval of its results given that of its operand; None where it is refused.
Interval = tuple[float, float]
Image = Callable[[float, float], "Interval | None"]


def _monotone(function: Callable[[float], float], low: float = -3.0, high: float = 3.0) -> Image:
    return lambda a, b: (function(a), function(b)) if low <= a and b <= high else None


def _within(low: float, high: float, domain: Interval = (-LARGEST, LARGEST)) -> Image:
    return lambda a, b: (low, high) if domain[0] <= a and b <= domain[1] else None


def _decreasing(function: Callable[[float], float], low: float, high: float) -> Image:
    return lambda a, b: (function(b), function(a)) if low <= a and b <= high else None


SMOOTH: tuple[tuple[Op, Image], ...] = (
    (ex.Exp(), _monotone(math.exp)),
    (ex.Exp2(), _monotone(math.exp2)),
    (ex.Expm1(), _monotone(math.expm1)),
    (ex.Log(), _monotone(math.log, 0.25, LARGEST)),
    (ex.Log1p(), _monotone(math.log1p, -0.75, LARGEST)),
    (ex.Log2(), _monotone(math.log2, 0.25, LARGEST)),
    (ex.Sqrt(), _monotone(math.sqrt, 0.25, LARGEST)),
    (ex.Rsqrt(), _decreasing(lambda x: x**-0.5, 0.25, LARGEST)),
    (ex.Cbrt(), _monotone(math.cbrt, 0.25, LARGEST)),
    (tr.Sin(), _within(-1, 1, (-10, 10))),
    (tr.Cos(), _within(-1, 1, (-10, 10))),
    (tr.Tan(), _monotone(math.tan, -1, 1)),
    (tr.Asin(), _monotone(math.asin, -0.75, 0.75)),
    (tr.Acos(), _decreasing(math.acos, -0.75, 0.75)),
    (tr.Atan(), _monotone(math.atan, -LARGEST, LARGEST)),
    (tr.Sinh(), _monotone(math.sinh)),
    (tr.Cosh(), _within(0.5, 11, (-3, 3))),
    (tr.Tanh(), _monotone(math.tanh, -LARGEST, LARGEST)),
    (tr.Asinh(), _monotone(math.asinh, -LARGEST, LARGEST)),
    (tr.Atanh(), _monotone(math.atanh, -0.75, 0.75)),
    (sp.Sigmoid(), _within(0, 1)),
    (sp.Erf(), _monotone(math.erf, -LARGEST, LARGEST)),
    (sp.Erfc(), _within(0, 2, (-3, 3))),
)
SELECTING: tuple[tuple[Op, Image], ...] = (
    (ar.Neg(), lambda a, b: (-b, -a)),
    (ar.Abs(), lambda a, b: (0.0 if a < 0 < b else min(abs(a), abs(b)), max(abs(a), abs(b)))),
)
ROUNDING: tuple[tuple[Op, Image], ...] = (
    (ar.Floor(), lambda a, b: (a - 1, b)),
    (ar.Ceil(), lambda a, b: (a, b + 1)),
    (ar.Round(), lambda a, b: (a - 1, b + 1)),
    (ar.Trunc(), lambda a, b: (min(a, 0), max(b, 0))),
    (ar.Sign(), lambda a, b: (-1, 1)),
)
COMPARISONS: tuple[Op, ...] = (
    logic.Equal(), logic.NotEqual(), logic.Less(), logic.LessEqual(), logic.Greater(), logic.GreaterEqual(),
)  # fmt: skip


class Maker:
    """Adds one step after another to a graph; a step that finds no operands adds nothing."""

    def __init__(self, seed: int, element_types: Sequence[DType]) -> None:
        self.random = random.Random(seed)
        self.b = Builder()
        self.items: list[Item] = []
        self.element_types = element_types

    # -- choosing --------------------------------------------------------------------------------------------

    def one_of(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def number(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def flip(self) -> bool:
        return self.random.random() < 0.5

    def pick(self, accepts: Callable[[Item], bool] = lambda item: True) -> Item | None:
        """A value that will do; more often one of those made last, which makes graphs deep."""
        found = [item for item in self.items if accepts(item)]
        return self.one_of(found[-3:] if self.flip() else found) if found else None

    def partner(self, x: Item, exact: bool = False) -> Item:
        """A value of the type of `x`, maybe `x` itself."""
        found = self.pick(lambda y: y.value.type == x.value.type and (y.exact or not exact))
        return found or x

    def subset(self, rank: int) -> tuple[int, ...]:
        return tuple(axis for axis in range(rank) if self.flip())

    # -- adding ----------------------------------------------------------------------------------------------

    def add(self, value: Value, low: float, high: float, exact: bool) -> None:
        """Keep a value; a float that could be large is brought back by a tanh, an integer is free to wrap around."""
        dtype = value.type.dtype
        if dtype.is_float and max(abs(low), abs(high)) > LARGEST:
            value, low, high, exact = self.b.node(tr.Tanh(), value)[0], -1.0, 1.0, False
        self.items.append(Item(value, low, high, exact or not dtype.is_float))

    def inputs(self) -> None:
        for _ in range(self.number(1, 3)):
            shape = tuple(self.one_of(SIZES) for _ in range(self.number(0, 3)))
            dtype = self.one_of(self.element_types)
            value = self.b.input(TensorType(dtype, shape), f"x{len(self.items)}")
            self.items.append(Item(value, *INPUTS[dtype.kind], True))

    def step(self) -> None:
        """Try steps until one adds a value."""
        before = len(self.items)
        while len(self.items) == before:
            self.one_of(STEPS)(self)

    # -- elementwise -------------------------------------------------------------------------------------------

    def unary(self) -> None:
        x = self.pick(lambda item: item.dtype.is_float)
        if x is None:
            return
        table = (*SMOOTH, *SMOOTH, *SELECTING, *(ROUNDING if x.exact else ()))
        fitting = [(op, interval) for op, image in table if (interval := image(x.low, x.high)) is not None]
        op, interval = self.one_of(fitting)
        smooth = any(op is other for other, _ in SMOOTH)
        self.add(self.b.node(op, x.value)[0], *interval, exact=x.exact and not smooth)

    def binary(self) -> None:
        x = self.pick(lambda item: item.dtype != dtypes.bool_)
        if x is None:
            return
        y, b = self.partner(x), self.b
        kind = self.one_of(("add", "sub", "mul", "div", "maximum", "minimum", "atan2", "hypot"))
        ends = [s * t for s in (x.low, x.high) for t in (y.low, y.high)]
        match kind:
            case "add":
                self.add(b.add(x.value, y.value), x.low + y.low, x.high + y.high, False)
            case "sub":
                self.add(b.sub(x.value, y.value), x.low - y.high, x.high - y.low, False)
            case "mul":
                self.add(b.mul(x.value, y.value), min(ends), max(ends), False)
            case "maximum":
                self.add(b.maximum(x.value, y.value), max(x.low, y.low), max(x.high, y.high), x.exact and y.exact)
            case "minimum":
                self.add(b.minimum(x.value, y.value), min(x.low, y.low), min(x.high, y.high), x.exact and y.exact)
            case _ if not x.dtype.is_float:
                self.add(b.neg(x.value), -x.high, -x.low, True)
            case "div":
                bound = max(map(abs, (x.low, x.high))) * 2
                self.add(b.div(x.value, b.add(b.abs(y.value), 0.5)), -bound, bound, False)
            case "atan2":
                self.add(b.atan2(x.value, b.add(b.abs(y.value), 0.5)), -math.pi / 2, math.pi / 2, False)
            case _:
                bound = math.hypot(*(max(abs(i.low), abs(i.high)) for i in (x, y))) + 1
                self.add(b.hypot(b.add(b.abs(x.value), 0.5), y.value), 0.25, bound, False)

    def constant(self) -> None:
        x = self.pick(lambda item: item.dtype.is_float)
        if x is None:
            return
        number = self.one_of((0.5, -1.5, 2.0, 0.0))
        if self.flip():
            self.add(self.b.add(x.value, number), x.low + number, x.high + number, False)
        else:
            ends = (x.low * number, x.high * number)
            self.add(self.b.mul(x.value, number), min(ends), max(ends), False)

    def comparison(self) -> None:
        x = self.pick(lambda item: item.exact)
        if x is not None:
            op, y = self.one_of(COMPARISONS), self.partner(x, exact=True)
            self.add(self.b.node(op, x.value, y.value)[0], 0, 1, True)

    def selection(self) -> None:
        condition = self.pick(lambda item: item.dtype == dtypes.bool_)
        x = condition and self.pick(lambda item: item.shape == condition.shape)
        if condition is not None and x is not None:
            y = self.partner(x)
            value = self.b.select(condition.value, x.value, y.value)
            self.add(value, min(x.low, y.low), max(x.high, y.high), x.exact and y.exact)

    def clamp(self) -> None:
        x = self.pick(lambda item: item.dtype.is_float)
        if x is not None:
            low, high = self.b.like(-0.5, x.value), self.b.like(0.75, x.value)
            interval = (min(max(x.low, -0.5), 0.75), min(max(x.high, -0.5), 0.75))
            self.add(self.b.node(ar.Clamp(), low, x.value, high)[0], *interval, x.exact)

    def bits(self) -> None:
        x = self.pick(lambda item: not item.dtype.is_float)
        if x is None:
            return
        y = self.partner(x)
        ops: tuple[Op, ...] = (logic.And(), logic.Or(), logic.Xor())
        if x.dtype.is_integer:
            ops = (*ops, logic.ShiftLeft(), logic.ShiftRight(), ar.FloorDivide(), ar.Remainder())
        self.add(self.b.node(self.one_of(ops), x.value, y.value)[0], -math.inf, math.inf, True)

    def cast(self) -> None:
        x, b = self.pick(), self.b
        if x is None:
            return
        target = self.one_of(self.element_types)
        if x.dtype.is_integer and target.is_float:
            self.add(b.cast(b.remainder(x.value, 7), target), 0, 6, True)
        elif x.dtype == dtypes.bool_ or target.is_float:
            low, high = (0.0, 1.0) if x.dtype == dtypes.bool_ else (x.low, x.high)
            widening = x.dtype == dtypes.bool_ or target.bits >= x.dtype.bits
            self.add(b.cast(x.value, target), low, high, x.exact and widening)
        elif x.exact:
            self.add(b.cast(x.value, target), -math.inf, math.inf, True)

    # -- movement ----------------------------------------------------------------------------------------------

    def reshape(self) -> None:
        x = self.pick()
        if x is not None:
            shapes: list[tuple[int, ...]] = [(x.size,), (1, *x.shape), (*x.shape, 1), tuple(reversed(x.shape))]
            shapes += [(n, x.size // n) for n in (2, 3) if x.size % n == 0]
            self.moved(x, self.b.reshape(x.value, self.one_of([s for s in shapes if len(s) <= 4])))

    def moved(self, x: Item, value: Value) -> None:
        if value is not x.value:
            self.add(value, x.low, x.high, x.exact)

    def transpose(self) -> None:
        x = self.pick(lambda item: item.rank > 1)
        if x is not None:
            self.moved(x, self.b.transpose(x.value, tuple(self.random.sample(range(x.rank), x.rank))))

    def broadcast(self) -> None:
        x = self.pick(lambda item: item.rank < 3)
        if x is not None:
            count, place = self.number(1, 4), self.number(0, x.rank)
            shape = (*x.shape[:place], count, *x.shape[place:])
            if math.prod(shape) <= MAX_SIZE:
                axes = tuple(i for i in range(x.rank + 1) if i != place)
                self.moved(x, self.b.broadcast(x.value, shape, axes))

    def slice(self) -> None:
        x = self.pick(lambda item: item.rank > 0)
        if x is not None:
            starts = tuple(self.number(0, min(1, n)) for n in x.shape)
            limits = tuple(max(start, n - self.number(0, 1)) for start, n in zip(starts, x.shape, strict=True))
            self.moved(x, self.b.slice(x.value, starts, limits, tuple(self.number(1, 2) for _ in x.shape)))

    def pad(self) -> None:
        x = self.pick(lambda item: item.rank > 0)
        if x is None:
            return
        interior = tuple(self.number(0, 1) for _ in x.shape)
        extents = [n if n == 0 else (n - 1) * (i + 1) + 1 for n, i in zip(x.shape, interior, strict=True)]
        low = tuple(self.number(-min(1, n), 2) for n in extents)
        high = tuple(self.number(-min(1, n + before), 1) for n, before in zip(extents, low, strict=True))
        if math.prod(n + before + after for n, before, after in zip(extents, low, high, strict=True)) <= MAX_SIZE:
            self.add(self.b.pad(x.value, 0, low, high, interior), min(x.low, 0), max(x.high, 0), x.exact)

    def concatenate(self) -> None:
        x = self.pick(lambda item: item.rank > 0 and item.size <= MAX_SIZE // 2)
        if x is not None:
            axis, y = self.number(0, x.rank - 1), self.partner(x)
            value = self.b.concatenate([x.value, y.value], axis)
            self.add(value, min(x.low, y.low), max(x.high, y.high), x.exact and y.exact)

    def reverse(self) -> None:
        x = self.pick(lambda item: item.rank > 0)
        if x is not None:
            self.moved(x, self.b.reverse(x.value, self.subset(x.rank)))

    def iota(self) -> None:
        x = self.pick(lambda item: item.rank > 0 and item.dtype != dtypes.bool_)
        if x is not None:
            axis = self.number(0, x.rank - 1)
            self.add(self.b.iota(x.value.type, axis), 0, x.shape[axis], True)

    # -- reductions --------------------------------------------------------------------------------------------

    def reduction(self) -> None:
        x = self.pick(lambda item: item.rank > 0)
        if x is None:
            return
        axes, b = self.subset(x.rank), self.b
        count = math.prod(x.shape[axis] for axis in axes)
        if not axes:
            return
        if x.dtype == dtypes.bool_:
            self.add(self.one_of((b.any, b.all))(x.value, axes), 0, 1, True)
            return
        kind = self.one_of(("sum", "max", "min", "prod"))
        if kind == "sum":
            self.add(b.sum(x.value, axes), min(0, x.low * count), max(0, x.high * count), False)
        elif kind == "prod":
            bound = max(1.0, abs(x.low), abs(x.high)) ** min(count, 100) if x.dtype.is_float else math.inf
            if bound < 1e4:
                self.add(b.prod(x.value, axes), -bound, bound, False)
        elif count:
            self.moved(x, (b.max if kind == "max" else b.min)(x.value, axes))

    def position(self) -> None:
        x = self.pick(lambda item: item.rank > 0 and item.exact)
        if x is not None:
            axis = self.number(0, x.rank - 1)
            if x.shape[axis]:
                self.add(self.one_of((self.b.argmax, self.b.argmin))(x.value, axis), 0, x.shape[axis], True)

    def cumulative(self) -> None:
        x = self.pick(lambda item: item.rank > 0 and item.dtype != dtypes.bool_)
        if x is None:
            return
        b, axis, reverse = self.b, self.number(0, x.rank - 1), self.flip()
        count, kind = x.shape[axis], self.one_of(("sum", "max", "min", "prod", "logsumexp", "recurrence"))
        if kind == "sum":
            self.add(b.cumsum(x.value, axis, reverse), min(x.low, x.low * count), max(x.high, x.high * count), False)
        elif kind in ("max", "min"):
            self.moved(x, (b.cummax if kind == "max" else b.cummin)(x.value, axis, reverse))
        elif kind == "prod":
            bound = max(1.0, abs(x.low), abs(x.high)) ** count if x.dtype.is_float else math.inf
            if bound < 1e4 or not x.dtype.is_float:
                self.add(b.cumprod(x.value, axis, reverse), -bound, bound, False)
        elif x.dtype.is_float and kind == "logsumexp":
            self.add(b.cumlogsumexp(x.value, axis, reverse), x.low, x.high + math.log(max(count, 1)), False)
        elif x.dtype.is_float and max(abs(x.low), abs(x.high)) <= 2:
            bound = 2.0 ** (count + 1)
            self.add(b.linear_recurrence(x.value, self.partner(x).value, axis, reverse), -bound, bound, False)

    def order(self) -> None:
        x = self.pick(lambda item: item.rank > 0)
        if x is not None:
            descending = self.flip()
            if x.exact and self.flip():
                self.add(self.b.argsort(x.value, descending), 0, x.shape[-1], True)
            else:
                self.moved(x, self.b.sort(x.value, descending))

    # -- contractions, windows, positions ------------------------------------------------------------------------

    def contraction(self) -> None:
        x = self.pick(lambda item: item.rank in (1, 2) and item.dtype != dtypes.bool_)
        if x is None:
            return
        y = self.pick(lambda item: item.dtype == x.dtype and item.rank > 0 and item.shape[0] == x.shape[-1])
        if y is not None and y.rank < 3:
            bound = max(abs(x.low), abs(x.high)) * max(abs(y.low), abs(y.high)) * x.shape[-1]
            value = self.b.dot_general(x.value, y.value, ((x.rank - 1,), (0,)))
            self.add(value, -bound, bound, False)

    def window(self) -> None:
        x = self.pick(lambda item: item.rank > 0 and item.size > 0 and item.dtype != dtypes.bool_)
        if x is None:
            return
        window = tuple(self.number(1, min(2, n)) for n in x.shape)
        strides = tuple(self.number(1, 2) for _ in x.shape)
        kind, count = self.one_of(("sum", "max", "min")), math.prod(window)
        if kind == "sum":
            bound = max(abs(x.low), abs(x.high)) * count
            self.add(self.b.window_sum(x.value, window, strides), -bound, bound, False)
        else:
            self.moved(x, (self.b.window_max if kind == "max" else self.b.window_min)(x.value, window, strides))

    def places(self) -> None:
        """Rows taken at computed places; out of range, they are clipped."""
        x = self.pick(lambda item: item.rank > 0 and item.shape[0] > 0)
        where = self.pick(lambda item: item.dtype in (dtypes.i32, dtypes.i64) and item.rank == 1)
        if x is None or where is None or where.size * x.size > MAX_SIZE:
            return
        numbers = Numbers(tuple(range(1, x.rank)), (0,), (), (), (0,), 1)
        self.moved(x, self.b.gather(x.value, where.value, numbers, (1, *x.shape[1:])))

    def part(self) -> None:
        x = self.pick(lambda item: item.rank > 0)
        start = self.pick(lambda item: item.dtype in (dtypes.i32, dtypes.i64) and item.rank == 0)
        if x is None:
            return
        first = start.value if start else self.b.full(self.number(-1, 3), TensorType(dtypes.i32))
        sizes = tuple(max(n - self.number(0, 1), 0) for n in x.shape)
        starts = [first] * x.rank
        part = self.b.dynamic_slice(x.value, starts, sizes)
        if self.flip():
            self.moved(x, part)
        else:
            self.moved(x, self.b.dynamic_update_slice(x.value, part, starts[::-1]))


INPUTS: dict[str, Interval] = {"float": (-2.0, 2.0), "int": (-9.0, 9.0), "uint": (0.0, 9.0), "bool": (0.0, 1.0)}
STEPS: tuple[Callable[[Maker], None], ...] = (
    Maker.unary, Maker.unary, Maker.unary, Maker.binary, Maker.binary, Maker.binary, Maker.constant, Maker.comparison,
    Maker.selection, Maker.clamp, Maker.bits, Maker.cast, Maker.reshape, Maker.transpose, Maker.broadcast, Maker.slice,
    Maker.pad, Maker.concatenate, Maker.reverse, Maker.iota, Maker.reduction, Maker.reduction, Maker.position,
    Maker.cumulative, Maker.order, Maker.contraction, Maker.window, Maker.places, Maker.part,
)  # fmt: skip


def random_graph(seed: int, steps: int, element_types: Sequence[DType] = MIXED) -> Graph:
    """A graph of so many steps over inputs of these element types, with one to three outputs."""
    maker = Maker(seed, element_types)
    maker.inputs()
    for _ in range(steps):
        maker.step()
    used = {operand for node in maker.b.nodes for operand in node.operands}
    unused = [item for item in maker.items if item.value not in used]
    outputs = [*unused[-2:], maker.one_of(maker.items)][: maker.number(1, 3)]
    return maker.b.graph([item.value for item in outputs])


def graphs(element_types: Sequence[DType] = MIXED, steps: int = 12) -> st.SearchStrategy[Graph]:
    """Graphs of up to `steps` steps."""
    counts = st.sampled_from(range(1, steps + 1))
    return st.builds(random_graph, st.integers(0, 1 << 32), counts, st.just(element_types))


def arguments(graph: Graph, seed: int = 0) -> list[Array]:
    """Reproducible arguments within the intervals that the strategy counts on."""
    return [
        draw(v.type.dtype, v.type.sizes, *INPUTS[v.type.dtype.kind], seed=(seed, i)) for i, v in enumerate(graph.inputs)
    ]


def assert_outputs_agree(graph: Graph, operands: Sequence[Array], actual: Sequence[Array]) -> None:
    """Fail unless these are the graph's outputs, but for rounding errors.

    They are judged by the greatest number that occurs in the graph and by its narrowest float type.
    """
    largest, coarsest = 1.0, 0.0

    def observe(node: Node, results: tuple[Array, ...]) -> None:
        nonlocal largest, coarsest
        for x in results:
            if dtypes.from_numpy(x.dtype).is_float:
                largest = max(largest, float(np.max(np.abs(x), initial=0.0, where=np.isfinite(x))))
                coarsest = max(coarsest, float(finfo(dtypes.from_numpy(x.dtype)).eps))

    expected = evaluate(graph, operands, observe)
    for position, (x, y) in enumerate(zip(actual, expected, strict=True)):
        assert x.dtype == y.dtype
        if dtypes.from_numpy(y.dtype).is_float:
            bound = 64 * coarsest * largest
            wide = (x.astype(np.float64), y.astype(np.float64))
            np.testing.assert_allclose(*wide, rtol=64 * coarsest, atol=bound, err_msg=f"output {position}")
        else:
            np.testing.assert_array_equal(x, y, err_msg=f"output {position}")
