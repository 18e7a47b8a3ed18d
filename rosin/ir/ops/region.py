"""What ops have in common whose regions run as values decide: a choice among branches, and loops.

The graphs that such an op holds are its *regions*. A region sees nothing but its inputs, so whatever it captures is an
operand of the op. The operands of a loop come in *sections*:

    carried     go from one step to the next; the results begin with what they are after the last one
    constants   are the same in every step
    stacked     (scan alone) have a leading axis of the loop's length, of which each step sees one element

The derivative and the batch of a region are graphs like any other, so these ops nest in each other and under every
transform. Which values are concerned (which have a tangent, which differ between examples) a loop finds by following
its body until nothing is added (rosin.ir.transform.flow).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NoReturn, TypeAlias, TypeVar

from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.graph import Graph, map_op, regions, with_regions
from rosin.ir.op import Maybe, Op, Types, Value, Values
from rosin.ir.ops.call import StopGradient
from rosin.ir.transform.batch import batch
from rosin.ir.transform.effects import calls_host, guarded
from rosin.ir.transform.jvp import jvp
from rosin.ir.transform.split import needed
from rosin.ir.transform.vjp import vjp
from rosin.ir.types import TensorType, same_type

T = TypeVar("T")
Pullback: TypeAlias = Callable[[Maybe], Maybe]


class Control(Op):
    """An op whose regions run as values decide."""

    @cached_property
    def effect(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]  # elsewhere it is the class that tells
        """Whether a region has an effect."""
        return any(node.op.effect for region in regions(self) for node in region.nodes)

    @cached_property
    def may_not_end(self) -> bool:
        """Whether there is a `while` in it, however deep."""
        return any(map(may_not_end, regions(self)))

    @abstractmethod
    def unchanged(self, count: int, region: int | None = None) -> range:
        """Which of so many operands every region takes as they are, all along: a run of them, maybe empty.

        Given the number of a region, which of its so many inputs these operands are, in the same order.
        """

    def only_where(self, b: Builder, taken: Value, operands: Values, guard: Callable[[Graph], Graph]) -> Values:
        made: list[Graph] = []
        for number, region in enumerate(map(guard, regions(self))):
            *inputs, last = region.inputs
            inputs = with_more(inputs, self.unchanged(len(inputs), number), (last,))
            made.append(Graph(inputs, region.nodes, region.outputs, region.name))
        return b.node(with_regions(self, made), *with_more(operands, self.unchanged(len(operands)), (taken,)))

    def silenced(self, silence: Callable[[Graph], Graph]) -> Op:
        return map_op(self, silence)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        raise AssertionError("control flow states forward_jvp")

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        raise AssertionError("control flow states forward_vjp")

    def check_inputs(self, operands: Types, what: str, region: Graph, given: Types, first: int = 0) -> None:
        """Raise unless the region takes values of these types, which are the operands from `first` on."""
        if len(region.inputs) != len(given):
            self.bad_shape(operands, f"{what} takes {len(region.inputs)} values and is given {len(given)}")
        for position, (value, type) in enumerate(zip(region.inputs, given, strict=True)):
            if not same_type(value.type, type):
                place = f"operand {position + first}{called(value)}"
                self.disagree(operands, f"{place} has type {type} and {what} takes {value.type}", type, value.type)

    def disagree(self, operands: Types, message: str, left: TensorType, right: TensorType) -> NoReturn:
        """Raise the error for what differs in the two types, the element type coming first."""
        if left.dtype != right.dtype:
            self.bad_dtype(operands, message)
        self.bad_shape(operands, message)


def with_more(values: Sequence[T], unchanged: range, more: Sequence[T]) -> tuple[T, ...]:
    """Operands, or inputs of a region, with some more after those that are unchanged."""
    return (*values[: unchanged.stop], *more, *values[unchanged.stop :])


def called(value: Value) -> str:
    """The value's name in brackets, for messages; nothing when it has none."""
    return f" ({value.name})" if value.name else ""


def may_not_end(region: Graph) -> bool:
    """Whether there is a `while` in the region, however deep."""
    return any(
        node.op.may_not_end if isinstance(node.op, Control) else any(map(may_not_end, node.regions))
        for node in region.nodes
    )


def types_of(values: Sequence[Value]) -> Types:
    """The type of each value."""
    return tuple(v.type for v in values)


def flagged(values: Sequence[T], flags: Sequence[bool]) -> list[T]:
    """The values whose flags are set."""
    return [v for v, flag in zip(values, flags, strict=True) if flag]


def bar(value: Value) -> str:
    """A name for the cotangent of a value that has one."""
    return value.name and f"{value.name}_bar"


def positions(flags: Sequence[bool]) -> tuple[int, ...]:
    """The positions of the flags that are set."""
    return tuple(i for i, flag in enumerate(flags) if flag)


def restricted(region: Graph, inputs: Sequence[bool], outputs: Sequence[bool]) -> Graph:
    """The region with these inputs and outputs alone, and the nodes that they need."""
    kept = flagged(region.outputs, outputs)
    return Graph(tuple(flagged(region.inputs, inputs)), tuple(needed(region.nodes, kept)), tuple(kept), region.name)


def spread_mask(b: Builder, mask: Value, x: TensorType) -> Value:
    """A truth value for each example, at the shape of a batched value."""
    return b.broadcast(mask, x.shape, tuple(range(mask.type.rank)))


def of_a_taker(b: Builder, taken: Value, x: Value) -> Value:
    """Batched `x` in which examples that are not taken have the numbers of one that is; some example is taken."""
    rank, count = taken.type.rank, taken.type.size
    if count == 0:
        return x
    one = x.type.shape[rank:]
    lane = b.argmax(b.reshape(taken, (count,)), 0)
    origin = b.full(0, lane.type)
    row = b.dynamic_slice(b.reshape(x, (count, *one)), (lane, *[origin] * len(one)), (1, *one))
    shared = b.broadcast(b.reshape(row, one), x.type.shape, tuple(range(rank, x.type.rank)))
    return b.select(spread_mask(b, taken, x.type), x, shared)


def held(b: Builder, taken: Value, x: Value) -> Value:
    """`x`, of which examples that are not taken get no cotangent."""
    if not x.type.dtype.differentiable:
        return x
    return b.select(spread_mask(b, taken, x.type), x, b.node(StopGradient(x.type), x)[0])


def of_the_taking(b: Builder, region: Graph, mask: Value, inputs: Sequence[Value], many: Sequence[bool]) -> list[Value]:
    """Inputs for a region, of which `many` are batched, when what it gives for examples outside the mask is of no
    account: no derivative flows from them, and a region that might not end on theirs gets numbers of others."""
    keep = of_a_taker if may_not_end(region) else held
    return [keep(b, mask, v) if m else v for v, m in zip(inputs, many, strict=True)]


def masked_region(
    b: Builder, region: Graph, mask: Value, inputs: Sequence[Value], many: Sequence[bool], size: Dim, axis: str | None
) -> Values:
    """The outputs of a region on inputs of which `many` are batched; those of examples that are masked out are of no
    account, and no derivative flows from them. Some example is not masked out."""
    values = of_the_taking(b, region, mask, inputs, many)
    found, flags = batch(b, *of_the_masked(region, values, many, mask), size, axis)
    return tuple(b.batch_front(v, flag, size) for v, flag in zip(found, flags, strict=True))


def of_the_masked(
    region: Graph, values: Sequence[Value], many: Sequence[bool], mask: Value
) -> tuple[Graph, Sequence[Value], Sequence[bool]]:
    """A region with its inputs, of which Python does its part only for the examples in the mask."""
    return (guarded(region), (*values, mask), (*many, True)) if calls_host(region) else (region, values, many)


def batched_region(
    region: Graph, inputs: Sequence[Value], many: Sequence[bool], results: Sequence[bool], size: Dim, axis: str | None
) -> Graph:
    """The region on values like `inputs`, of which `many` are batched; so are those outputs that `results` names."""
    b = Builder()
    found, flags = batch(b, region, [b.input(v.type, v.name) for v in inputs], many, size, axis)
    each = zip(found, flags, results, strict=True)
    front = [b.batch_front(v, False, size) if wanted and not flag else v for v, flag, wanted in each]
    return b.graph(front, f"{region.name}_batch")


# -- derivatives of regions --------------------------------------------------------------------------------------


class Pushed:
    """A region and its derivative along the inputs that move, in a builder; outputs that move have a tangent."""

    def __init__(self, region: Graph, moving: Sequence[bool], moves: Sequence[bool]) -> None:
        b = self.b = Builder()
        self.primals = tuple(b.input(v.type, v.name) for v in region.inputs)
        pairs = zip(region.inputs, moving, strict=True)
        self.tangents: Maybe = tuple(b.input(v.type, f"{v.name}_dot") if m else None for v, m in pairs)
        self.results, found = jvp(b, region, self.primals, self.tangents)
        each = zip(self.results, found, moves, strict=True)
        self.slopes: Maybe = tuple((t or b.zeros(v.type)) if m else None for v, t, m in each)


class Pulled:
    """A region and the way back through it, in a builder: the cotangents of its inputs from those of some outputs."""

    def __init__(self, region: Graph, wanted: Sequence[bool], known: Sequence[bool]) -> None:
        b = self.b = Builder()
        self.primals = tuple(b.input(v.type, v.name) for v in region.inputs)
        self.results, pull = vjp(b, region, self.primals, wanted)
        pairs = zip(self.results, known, strict=True)
        self.seeds: Maybe = tuple(b.input(v.type, bar(v)) if k else None for v, k in pairs)
        self.slopes: Maybe = pull(self.seeds)
        self.name = f"{region.name}_vjp"

    def graph(self, slopes: Sequence[bool]) -> Graph:
        """From inputs and cotangents of outputs to cotangents of inputs, zeros where none was found."""
        triples = zip(self.slopes, self.primals, slopes, strict=True)
        outputs = [s or self.b.zeros(x.type) for s, x, flag in triples if flag]
        backward = self.b.graph(outputs, self.name)
        return Graph(backward.inputs, tuple(needed(backward.nodes, outputs)), backward.outputs, backward.name)
