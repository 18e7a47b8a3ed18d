"""Building a graph node by node. A method for each op makes the rules of ops short to write and to read."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.ir import facts, literal
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType, bool_, u32
from rosin.ir.errors import RosinError
from rosin.ir.graph import Graph, Node
from rosin.ir.location import Location
from rosin.ir.op import NumpyArray, Op, Value, Values
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import contract as con
from rosin.ir.ops import cumulative as cum
from rosin.ir.ops import exponential as ex
from rosin.ir.ops import index as ind
from rosin.ir.ops import logic, movement
from rosin.ir.ops import random as rnd
from rosin.ir.ops import reduce as red
from rosin.ir.ops import scatter as sca
from rosin.ir.ops import sort as srt
from rosin.ir.ops import special as sp
from rosin.ir.ops import trigonometric as tr
from rosin.ir.ops import window as win
from rosin.ir.ops.cast import Bitcast, Cast
from rosin.ir.ops.complex import Complex, Conj, Imag, Real
from rosin.ir.specialize import apart
from rosin.ir.types import MAX_BYTES, TensorType


def explain(op: Op, location: Location | None) -> None:
    """Say that what was learnt of sizes just now is for the sake of an op."""
    known = facts.current()
    if known.fresh:
        known.explain(f"{op.name}\n{location.describe()}" if location else op.name)


class Builder:
    """Collects nodes and, at the end, makes the graph.

    `location` is the place in the user's program that new nodes belong to; passes set it as they go. `batch_axis` is
    the name of the axis that is being batched over, when it has one; batching sets it.
    """

    def __init__(self) -> None:
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []
        self.location: Location | None = None
        self.batch_axis: str | None = None

    # -- nodes ---------------------------------------------------------------------------------------------

    def input(self, type: TensorType, name: str = "") -> Value:
        value = Value(type, name)
        self.inputs.append(value)
        return value

    def node(self, op: Op, *operands: Value, names: Sequence[str] = ()) -> Values:
        """Append a node; its result types come from the op's rule, whose errors get the current location."""
        try:
            types = op.type(*[v.type for v in operands])
            if facts.current().fresh:
                explain(op, self.location)
            first = operands[0].type if operands else None
            for type in types:
                # Most results have the type of an operand, which was looked at when that was made.
                if type is not first and type.bytes > MAX_BYTES:
                    op.bad_shape([v.type for v in operands], f"a result of type {type} takes {type.bytes} bytes")
        except RosinError as error:
            error.location = error.location or self.location
            raise
        results = tuple([Value(t) for t in types])
        if names:
            for value, name in zip(results, names, strict=False):
                value.name = name
        self.nodes.append(Node(op, operands, results, self.location))
        return results

    def copy(self, node: Node, operands: Values) -> Values:
        """Append the node over operands of the same types."""
        results = tuple([Value(v.type, v.name) for v in node.results])
        self.nodes.append(Node(node.op, operands, results, node.location))
        return results

    def inline(self, graph: Graph, operands: Sequence[Value]) -> Values:
        """Append all nodes of a graph, its inputs replaced by `operands`; gives what its outputs became."""
        graph = apart(graph, self.nodes)
        env = dict(zip(graph.inputs, operands, strict=True))
        for node in graph.nodes:
            results = self.copy(node, tuple([env[v] for v in node.operands]))
            env.update(zip(node.results, results, strict=True))
        return tuple(env[v] for v in graph.outputs)

    def graph(self, outputs: Sequence[Value], name: str = "main") -> Graph:
        return Graph(tuple(self.inputs), tuple(self.nodes), tuple(outputs), name)

    # -- constants -----------------------------------------------------------------------------------------

    def full(self, value: complex | int | bool, type: TensorType) -> Value:
        """A value of `type` with the same number everywhere."""
        return self.node(movement.Constant(literal.splat(value, type)))[0]

    def constant(self, value: complex | int | bool | NumpyArray, type: TensorType) -> Value:
        """A constant scalar or array."""
        if isinstance(value, complex | float | int | bool):
            return self.full(value, type)
        return self.node(movement.Constant(literal.from_array(value.astype(type.dtype.numpy))))[0]

    def like(self, value: complex | int | bool, x: Value) -> Value:
        """A number at the type of `x`."""
        return self.full(value, x.type)

    def zeros(self, type: TensorType) -> Value:
        return self.full(0, type)

    def iota(self, type: TensorType, axis: int) -> Value:
        return self.node(movement.Iota(type, axis))[0]

    # -- elementwise: a number may stand for one operand of a pair -------------------------------------------

    def _pair(self, op: Op, x: Value | float, y: Value | float) -> Value:
        if not isinstance(x, Value):
            assert isinstance(y, Value)
            x = self.like(x, y)
        if not isinstance(y, Value):
            y = self.like(y, x)
        return self.node(op, x, y)[0]

    def add(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(ar.Add(), x, y)

    def sub(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(ar.Sub(), x, y)

    def mul(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(ar.Mul(), x, y)

    def div(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(ar.Div(), x, y)

    def floor_divide(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(ar.FloorDivide(), x, y)

    def remainder(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(ar.Remainder(), x, y)

    def maximum(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(ar.Maximum(), x, y)

    def minimum(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(ar.Minimum(), x, y)

    def pow(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(ex.Pow(), x, y)

    def atan2(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(tr.Atan2(), x, y)

    def hypot(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(tr.Hypot(), x, y)

    def equal(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.Equal(), x, y)

    def not_equal(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.NotEqual(), x, y)

    def less(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.Less(), x, y)

    def less_equal(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.LessEqual(), x, y)

    def greater(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.Greater(), x, y)

    def greater_equal(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.GreaterEqual(), x, y)

    def logical_and(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.And(), x, y)

    def logical_or(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.Or(), x, y)

    def logical_xor(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.Xor(), x, y)

    def shift_left(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.ShiftLeft(), x, y)

    def shift_right(self, x: Value | float, y: Value | float) -> Value:
        return self._pair(logic.ShiftRight(), x, y)

    def logical_not(self, x: Value) -> Value:
        return self.node(logic.Not(), x)[0]

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        return self.node(logic.Select(), condition, x, y)[0]

    def neg(self, x: Value) -> Value:
        return self.node(ar.Neg(), x)[0]

    def abs(self, x: Value) -> Value:
        return self.node(ar.Abs(), x)[0]

    def sign(self, x: Value) -> Value:
        return self.node(ar.Sign(), x)[0]

    def floor(self, x: Value) -> Value:
        return self.node(ar.Floor(), x)[0]

    def exp(self, x: Value) -> Value:
        return self.node(ex.Exp(), x)[0]

    def log(self, x: Value) -> Value:
        return self.node(ex.Log(), x)[0]

    def sqrt(self, x: Value) -> Value:
        return self.node(ex.Sqrt(), x)[0]

    def rsqrt(self, x: Value) -> Value:
        return self.node(ex.Rsqrt(), x)[0]

    def sin(self, x: Value) -> Value:
        return self.node(tr.Sin(), x)[0]

    def cos(self, x: Value) -> Value:
        return self.node(tr.Cos(), x)[0]

    def sinh(self, x: Value) -> Value:
        return self.node(tr.Sinh(), x)[0]

    def cosh(self, x: Value) -> Value:
        return self.node(tr.Cosh(), x)[0]

    def sigmoid(self, x: Value) -> Value:
        return self.node(sp.Sigmoid(), x)[0]

    def digamma(self, x: Value) -> Value:
        return self.node(sp.Digamma(), x)[0]

    def polygamma(self, x: Value, order: int) -> Value:
        return self.node(sp.Polygamma(order), x)[0]

    def cast(self, x: Value, dtype: DType) -> Value:
        """`x` as another element type; `x` itself when it has that type."""
        return x if x.type.dtype == dtype else self.node(Cast(dtype), x)[0]

    def bitcast(self, x: Value, dtype: DType) -> Value:
        return self.node(Bitcast(dtype), x)[0]

    # -- complex numbers -------------------------------------------------------------------------------------

    def real(self, x: Value) -> Value:
        return self.node(Real(), x)[0]

    def imag(self, x: Value) -> Value:
        return self.node(Imag(), x)[0]

    def conj(self, x: Value) -> Value:
        return self.node(Conj(), x)[0]

    def complex(self, real: Value, imag: Value) -> Value:
        return self.node(Complex(), real, imag)[0]

    def real_part(self, x: Value) -> Value:
        """The real part of a complex value; a real one itself."""
        return self.real(x) if x.type.dtype.is_complex else x

    # -- movement ------------------------------------------------------------------------------------------

    def reshape(self, x: Value, shape: tuple[Dim, ...]) -> Value:
        return x if x.type.shape == shape else self.node(movement.Reshape(shape), x)[0]

    def transpose(self, x: Value, permutation: tuple[int, ...]) -> Value:
        if permutation == tuple(range(len(permutation))):
            return x
        return self.node(movement.Transpose(permutation), x)[0]

    def broadcast(self, x: Value, shape: tuple[Dim, ...], axes: tuple[int, ...]) -> Value:
        return x if x.type.shape == shape else self.node(movement.Broadcast(shape, axes), x)[0]

    def batch_front(self, x: Value, batched: bool, size: Dim) -> Value:
        """`x` with the batch as axis 0: itself when it is batched, else copied for each example."""
        if batched:
            return x
        return self.node(movement.Broadcast((size, *x.type.shape), tuple(range(1, x.type.rank + 1))), x)[0]

    def slice(self, x: Value, starts: tuple[Dim, ...], limits: tuple[Dim, ...], steps: tuple[int, ...]) -> Value:
        return self.node(movement.Slice(starts, limits, steps), x)[0]

    def slice_axis(self, x: Value, axis: int, start: Dim, limit: Dim) -> Value:
        """The elements `start … limit - 1` along one axis."""
        starts: list[Dim] = [0] * x.type.rank
        limits = list(x.type.shape)
        starts[axis], limits[axis] = start, limit
        return self.slice(x, tuple(starts), tuple(limits), (1,) * x.type.rank)

    def pad(
        self, x: Value, value: float, low: tuple[Dim, ...], high: tuple[Dim, ...], interior: tuple[int, ...]
    ) -> Value:
        if not any((*low, *high, *interior)):
            return x
        return self.node(movement.Pad(low, high, interior), x, self.full(value, TensorType(x.type.dtype)))[0]

    def unpad(self, x: Value, shape: tuple[Dim, ...], low: tuple[Dim, ...], interior: tuple[int, ...]) -> Value:
        """The elements of `x` at the places where padding would have put an operand of `shape`; 0 where it cut."""
        steps = tuple(i + 1 for i in interior)
        extents = tuple(n if n == 0 else (n - 1) * s + 1 for n, s in zip(shape, steps, strict=True))
        before = tuple(-start for start in low)
        after = tuple(e + start - size for e, start, size in zip(extents, low, x.type.shape, strict=True))
        window = self.pad(x, 0, before, after, (0,) * len(shape))
        if all(step == 1 for step in steps):
            return window
        return self.slice(window, (0,) * len(shape), extents, steps)

    def shift(self, x: Value, axis: int, by: int, fill: float) -> Value:
        """`x` moved `by` places along one axis (backward when negative), `fill` in the places left free."""
        low = tuple(by if i == axis else 0 for i in range(x.type.rank))
        return self.pad(x, fill, low, tuple(-n for n in low), (0,) * x.type.rank)

    def concatenate(self, xs: Sequence[Value], axis: int) -> Value:
        return self.node(movement.Concatenate(axis), *xs)[0]

    def reverse(self, x: Value, axes: tuple[int, ...]) -> Value:
        return self.node(movement.Reverse(axes), x)[0] if axes else x

    # -- reductions ----------------------------------------------------------------------------------------

    def sum(self, x: Value, axes: tuple[int, ...]) -> Value:
        return self.node(red.Sum(axes), x)[0] if axes else x

    def prod(self, x: Value, axes: tuple[int, ...]) -> Value:
        return self.node(red.Prod(axes), x)[0] if axes else x

    def max(self, x: Value, axes: tuple[int, ...]) -> Value:
        return self.node(red.Max(axes), x)[0] if axes else x

    def min(self, x: Value, axes: tuple[int, ...]) -> Value:
        return self.node(red.Min(axes), x)[0] if axes else x

    def any(self, x: Value, axes: tuple[int, ...]) -> Value:
        return self.node(red.Any_(axes), x)[0] if axes else x

    def all(self, x: Value, axes: tuple[int, ...]) -> Value:
        return self.node(red.All(axes), x)[0] if axes else x

    def argmax(self, x: Value, axis: int) -> Value:
        return self.node(red.ArgMax(axis), x)[0]

    def argmin(self, x: Value, axis: int) -> Value:
        return self.node(red.ArgMin(axis), x)[0]

    # -- running combinations --------------------------------------------------------------------------------

    def cumsum(self, x: Value, axis: int, reverse: bool = False) -> Value:
        return self.node(cum.CumSum(axis, reverse), x)[0]

    def cumprod(self, x: Value, axis: int, reverse: bool = False) -> Value:
        return self.node(cum.CumProd(axis, reverse), x)[0]

    def cummax(self, x: Value, axis: int, reverse: bool = False) -> Value:
        return self.node(cum.CumMax(axis, reverse), x)[0]

    def cummin(self, x: Value, axis: int, reverse: bool = False) -> Value:
        return self.node(cum.CumMin(axis, reverse), x)[0]

    def cumlogsumexp(self, x: Value, axis: int, reverse: bool = False) -> Value:
        return self.node(cum.CumLogSumExp(axis, reverse), x)[0]

    def linear_recurrence(self, factors: Value, addends: Value, axis: int, reverse: bool = False) -> Value:
        """y[k] = factors[k] * y[k - 1] + addends[k] along one axis, from 0."""
        return self.node(cum.LinearRecurrence(axis, reverse), factors, addends)[0]

    def mask(self, x: Value) -> Value:
        """Truth everywhere at the shape of `x`."""
        return self.full(True, TensorType(bool_, x.type.shape))

    # -- sums of products ------------------------------------------------------------------------------------

    def dot_general(
        self,
        lhs: Value,
        rhs: Value,
        contract: tuple[tuple[int, ...], tuple[int, ...]],
        batch: tuple[tuple[int, ...], tuple[int, ...]] = ((), ()),
        dtype: DType | None = None,
    ) -> Value:
        """The product over pairs of contracted axes, for each place along pairs of batch axes, lhs's axes first."""
        return self.node(con.DotGeneral(*contract, *batch, dtype or lhs.type.dtype), lhs, rhs)[0]

    def matmul(self, lhs: Value, rhs: Value, dtype: DType | None = None) -> Value:
        """The matrix product of `[..., m, k]` and `[..., k, n]`, whose leading axes agree."""
        n = lhs.type.rank
        batch = tuple(range(n - 2))
        return self.dot_general(lhs, rhs, ((n - 1,), (n - 2,)), (batch, batch), dtype)

    def convolution(
        self,
        x: Value,
        kernel: Value,
        strides: tuple[int, ...] | None = None,
        low: tuple[Dim, ...] | None = None,
        high: tuple[Dim, ...] | None = None,
        lhs_dilation: tuple[int, ...] | None = None,
        rhs_dilation: tuple[int, ...] | None = None,
        feature_groups: int = 1,
        batch_groups: int = 1,
        dtype: DType | None = None,
    ) -> Value:
        """The cross-correlation of `x[N, C, spatial…]` with `kernel[O, C / feature_groups, window…]`."""
        ones, zeros = (1,) * (x.type.rank - 2), (0,) * (x.type.rank - 2)
        steps = strides or ones, low or zeros, high or zeros, lhs_dilation or ones, rhs_dilation or ones
        op = con.Convolution(*steps, feature_groups, batch_groups, dtype or x.type.dtype)
        return self.node(op, x, kernel)[0]

    # -- windows: an entry of each argument for every axis -------------------------------------------------------

    def window_sum(
        self,
        x: Value,
        window: tuple[int, ...],
        strides: tuple[int, ...] | None = None,
        low: tuple[Dim, ...] | None = None,
        high: tuple[Dim, ...] | None = None,
        dilation: tuple[int, ...] | None = None,
    ) -> Value:
        return self._window(win.WindowSum, x, window, strides, low, high, dilation)

    def window_max(
        self,
        x: Value,
        window: tuple[int, ...],
        strides: tuple[int, ...] | None = None,
        low: tuple[Dim, ...] | None = None,
        high: tuple[Dim, ...] | None = None,
        dilation: tuple[int, ...] | None = None,
    ) -> Value:
        return self._window(win.WindowMax, x, window, strides, low, high, dilation)

    def window_min(
        self,
        x: Value,
        window: tuple[int, ...],
        strides: tuple[int, ...] | None = None,
        low: tuple[Dim, ...] | None = None,
        high: tuple[Dim, ...] | None = None,
        dilation: tuple[int, ...] | None = None,
    ) -> Value:
        return self._window(win.WindowMin, x, window, strides, low, high, dilation)

    def _window(
        self,
        op: type[win.WindowReduction],
        x: Value,
        window: tuple[int, ...],
        strides: tuple[int, ...] | None,
        low: tuple[Dim, ...] | None,
        high: tuple[Dim, ...] | None,
        dilation: tuple[int, ...] | None,
    ) -> Value:
        ones, zeros = (1,) * x.type.rank, (0,) * x.type.rank
        return self.node(op(window, strides or ones, low or zeros, high or zeros, dilation or ones), x)[0]

    # -- places that the program computes ------------------------------------------------------------------------

    def gather(
        self, x: Value, indices: Value, numbers: ind.Numbers, slice_sizes: tuple[Dim, ...], mode: str = "clip"
    ) -> Value:
        """Slices of `x`; the dimension numbers are explained in rosin.ir.ops.index."""
        return self.node(ind.Gather(*numbers, mode, slice_sizes), x, indices)[0]

    def scatter(
        self,
        kind: sca.Kind,
        x: Value,
        indices: Value,
        updates: Value,
        numbers: ind.Numbers,
        mode: str = "drop",
        unique: bool = False,
    ) -> Value:
        """`x` with slices of it combined with updates."""
        return self.node(sca.KINDS[kind](*numbers, mode, unique), x, indices, updates)[0]

    def dynamic_slice(self, x: Value, starts: Sequence[Value], sizes: tuple[Dim, ...]) -> Value:
        """The part of `x` of these sizes at scalar starts."""
        return self.node(ind.DynamicSlice(sizes), x, *starts)[0]

    def dynamic_update_slice(self, x: Value, part: Value, starts: Sequence[Value]) -> Value:
        """`x` with `part` in place of its own part at scalar starts."""
        return self.node(ind.DynamicUpdateSlice(), x, part, *starts)[0]

    # -- order -----------------------------------------------------------------------------------------------------

    def sort(self, x: Value, descending: bool = False) -> Value:
        """Each line along the last axis in order."""
        return self.node(srt.Sort(descending), x)[0]

    def argsort(self, x: Value, descending: bool = False) -> Value:
        """The places, as i32, of the elements of each line in order."""
        return self.node(srt.ArgSort(descending), x)[0]

    def top_k(self, x: Value, count: int) -> Value:
        """The places, as i32, of the greatest elements of each line, the greatest first."""
        return self.node(srt.TopK(count), x)[0]

    # -- random numbers: see rosin.ir.ops.random -------------------------------------------------------------------

    def random_bits(self, key: Value, shape: tuple[Dim, ...], dtype: DType = u32) -> Value:
        """For each key (two u32 words along the last axis) random bits of a shape."""
        return self.node(rnd.RandomBits(shape, dtype), key)[0]

    def random_fold_in(self, key: Value, number: Value) -> Value:
        """For each key and its u32 number a new key."""
        return self.node(rnd.RandomFoldIn(), key, number)[0]

    def random_split(self, key: Value, count: Dim) -> Value:
        """For each key `count` new keys, along a new axis before the words."""
        *batch, words = key.type.shape
        axis = len(batch)
        keys = self.broadcast(key, (*batch, count, words), (*range(axis), axis + 1))
        return self.random_fold_in(keys, self.iota(TensorType(u32, (*batch, count)), axis))
