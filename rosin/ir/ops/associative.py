"""Running combinations by an associative function: one loop, or a tree of few steps that each work on many elements.

A CPU goes once over the elements, a target of many lanes takes the tree (Blelloch, "Prefix Sums and Their
Applications", 1990). Which of them it is, is known when calls become what they stand for (rosin.passes.inline), so what
stands before holds both, and the tree is made when it is asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

from rosin.ir import dims
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.graph import Deferred, Graph
from rosin.ir.op import Maybe, Types, Value, Values, define
from rosin.ir.ops.call import Call
from rosin.ir.ops.region import Pullback, Pulled, types_of
from rosin.ir.ops.scan import Assembly, Scan
from rosin.ir.ops.sweeps import wide
from rosin.ir.transform import flow
from rosin.ir.transform.batch import batch_graph
from rosin.ir.transform.effects import silent
from rosin.ir.transform.jvp import jvp, jvp_graph
from rosin.ir.transform.vjp import vjp
from rosin.ir.types import TensorType


@define("alternatives")
class Alternatives(Call):
    """`body`, or `wide`, a graph that computes the same in fewer steps of more work; the body tells what it is. What is
    read from text has the body alone."""

    body: Graph
    wide: Deferred | None

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.body == other.body

    def __hash__(self) -> int:
        return hash(self.body)

    def in_few_steps(self) -> Graph:
        return self.body if self.wide is None else self.wide.graph()

    def _changed(self, change: Callable[[Graph], Graph]) -> Alternatives:
        """The same change of both; it gives graphs with outputs that agree."""
        return Alternatives(change(self.body), Deferred(lambda: change(self.in_few_steps())))

    def mapped(self, change: Callable[[Graph], Graph]) -> Call:
        return self._changed(change)

    def guarded(self, guard: Callable[[Graph], Graph]) -> Call:
        return self._changed(guard)

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        moving = [t is not None for t in tangents]
        moves = tuple(v.type.dtype.differentiable for v in self.body.outputs)
        op = self._changed(lambda graph: _pushed(graph, moving))
        results = b.node(op, *operands, *filter(None, tangents))
        rest = iter(results[len(moves) :])
        return results[: len(moves)], tuple(next(rest) if m else None for m in moves)

    def forward_vjp(self, b: Builder, operands: Values, active: tuple[bool, ...]) -> tuple[Values, Pullback]:
        def pullback(cotangents: Maybe) -> Maybe:
            known = [c is not None for c in cotangents]
            wanted = [a and x.type.dtype.differentiable for a, x in zip(active, operands, strict=True)]
            op = self._changed(lambda graph: Pulled(silent(graph), wanted, known).graph(wanted))
            found = iter(b.node(op, *operands, *filter(None, cotangents)))
            return tuple(next(found) if w else None for w in wanted)

        return b.node(self, *operands), pullback

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        axis = b.batch_axis
        return b.node(self._changed(lambda graph: batch_graph(graph, batched, size, axis)), *operands)


def _pushed(graph: Graph, moving: Sequence[bool]) -> Graph:
    """From inputs and the tangents of those that move, to outputs and the tangents of all that can have one."""
    b = Builder()
    pushed, moves = jvp_graph(graph, moving)
    found = b.inline(pushed, [b.input(v.type, v.name) for v in pushed.inputs])
    rest = iter(found[len(moves) :])
    dots = [
        next(rest) if m else b.zeros(v.type)
        for m, v in zip(moves, graph.outputs, strict=True)
        if v.type.dtype.differentiable
    ]
    return b.graph((*found[: len(moves)], *dots), pushed.name)


@define("associative_scan")
class AssociativeScan(Call):
    """Element k of each result is elements 0 … k of the operands combined, or k … n - 1 with `reverse`.

    Operands: arrays of `length` elements along axis 0, then constants. `combine` takes an element of each array (what
    has been combined so far), another one of each, and the constants, and gives one of each. Both elements come in the
    order in which the scan goes.
    """

    combine: Graph
    length: int
    reverse: bool

    @functools.cached_property
    def effect(self) -> bool:
        return any(node.op.effect for node in self.combine.nodes)

    @property
    def count(self) -> int:
        """How many arrays there are."""
        return len(self.combine.outputs)

    @functools.cached_property
    def body(self) -> Graph:  # pyright: ignore[reportIncompatibleVariableOverride]  # elsewhere it is an attribute
        return _loop(self)

    def in_few_steps(self) -> Graph:
        b = Builder()
        operands = self.like_operands(b)
        arrays = operands[: self.count]
        axes = (0,) if self.reverse else ()
        found = _tree(b, self.combine, [b.reverse(x, axes) for x in arrays], operands[self.count :])
        return b.graph([b.reverse(x, axes) for x in found], self.combine.name)

    def like_operands(self, b: Builder) -> list[Value]:
        """Inputs of a graph that are like the operands."""
        elements, constants = self.combine.inputs[: self.count], self.combine.inputs[2 * self.count :]
        arrays = [b.input(v.type.with_shape((self.length, *v.type.shape)), v.name) for v in elements]
        return [*arrays, *(b.input(v.type, v.name) for v in constants)]

    def type(self, *operands: TensorType) -> Types:
        elements = types_of(self.combine.outputs)
        constants = types_of(self.combine.inputs[2 * self.count :])
        given = types_of(self.combine.inputs)
        if self.length < 1 or given != (*elements, *elements, *constants):
            self.bad_attribute(operands, "combines two elements of each array, of which there are some, to one")
        arrays = tuple(t.with_shape((self.length, *t.shape)) for t in elements)
        if operands != (*arrays, *constants):
            self.bad_shape(operands, f"takes {', '.join(map(str, (*arrays, *constants)))}")
        return arrays

    def mapped(self, change: Callable[[Graph], Graph]) -> Call:
        return replace(self, combine=change(self.combine))

    def guarded(self, guard: Callable[[Graph], Graph]) -> Call:
        return self.mapped(guard)

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        """Numbers with their tangents are combined by an associative function, too."""
        count, inside = self.count, Builder()
        moves = [v.type.dtype.differentiable for v in self.combine.outputs]
        dots = [t or b.zeros(x.type) for x, t, m in zip(operands, tangents, moves, strict=False) if m]
        more = tangents[count:]

        def inputs(values: Sequence[Value], moving: Sequence[bool]) -> tuple[Values, Maybe]:
            """Inputs like these values, and tangents for those that move."""
            own = tuple(inside.input(v.type, v.name) for v in values)
            return own, tuple(inside.input(v.type) if m else None for v, m in zip(values, moving, strict=True))

        (first, first_dots), (second, second_dots) = (inputs(self.combine.outputs, moves) for _ in range(2))
        rest, rest_dots = inputs(self.combine.inputs[2 * count :], [t is not None for t in more])
        found, slopes = jvp(inside, self.combine, (*first, *second, *rest), (*first_dots, *second_dots, *rest_dots))
        after = [s or inside.zeros(v.type) for v, s, m in zip(found, slopes, moves, strict=True) if m]
        combine = inside.graph((*found, *after), f"{self.combine.name}_jvp")
        given = (*operands[:count], *dots, *operands[count:], *filter(None, more))
        results = b.node(replace(self, combine=combine), *given)
        last = iter(results[count:])
        return results[:count], tuple(next(last) if m else None for m in moves)

    def forward_vjp(self, b: Builder, operands: Values, active: tuple[bool, ...]) -> tuple[Values, Pullback]:
        results = b.node(self, *operands)

        def pullback(cotangents: Maybe) -> Maybe:
            known = tuple(c is not None for c in cotangents)
            wanted = tuple(a and x.type.dtype.differentiable for a, x in zip(active, operands, strict=True))
            op = Alternatives(_loop_back(self, wanted, known), Deferred(lambda: _tree_back(self, wanted, known)))
            found = iter(b.node(op, *operands, *results, *filter(None, cotangents)))
            return tuple(next(found) if w else None for w in wanted)

        return results, pullback

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        count, constants = self.count, batched[self.count :]
        arrays = [
            b.transpose(b.batch_front(x, flag, size), (1, 0, *range(2, x.type.rank + (not flag))))
            for x, flag in zip(operands, batched[:count], strict=False)
        ]
        combine = batch_graph(self.combine, (*[True] * (2 * count), *constants), size, b.batch_axis)
        found = b.node(replace(self, combine=combine), *arrays, *operands[count:])
        return tuple(b.transpose(x, (1, 0, *range(2, x.type.rank))) for x in found)


# -- as a loop ---------------------------------------------------------------------------------------------------------


def _loop(op: AssociativeScan) -> Graph:
    """From operands to results. The element that the loop begins with is what it carries at first."""
    b = Builder()
    loop, operands = Assembly(b), op.like_operands(b)
    arrays, constants = operands[: op.count], operands[op.count :]
    firsts = [_first(b, op, x) for x in arrays]
    before = [loop.carry(x, "") for x in firsts]
    same = [loop.constant(x, x.name) for x in constants]
    found = loop.b.inline(op.combine, [*before, *(loop.element(_others(b, op, x), "") for x in arrays), *same])
    after = loop.run([*found, *found], _steps(op), op.combine.name, op.reverse)[op.count :]
    return b.graph([_joined(b, op, x, rest) for x, rest in zip(firsts, after, strict=True)], op.combine.name)


def _loop_back(op: AssociativeScan, wanted: Sequence[bool], known: Sequence[bool]) -> Graph:
    """From operands, results and the cotangents of the known ones, to those of the operands that are wanted.

    The cotangent of what has been combined up to an element is carried from the last one to the first.
    """
    b, count = Builder(), op.count
    operands = op.like_operands(b)
    results = [b.input(x.type) for x in operands[:count]]
    cotangents = [b.input(x.type) if k else None for x, k in zip(results, known, strict=True)]
    combine = silent(op.combine)
    floating = [v.type.dtype.differentiable for v in combine.outputs]
    flags = (*floating, *floating, *wanted[count:])
    carried = flow.settled(known, lambda some: [s is not None for s in Pulled(combine, flags, some).slopes[:count]])
    loop = Assembly(b)
    lasts = [c and _last(b, op, c) for c in cotangents]
    start = [
        (c or b.zeros(x.type.with_shape(x.type.shape[1:]))) if s else None
        for c, x, s in zip(lasts, results, carried, strict=True)
    ]
    totals = [loop.carry(x, "") if x is not None else None for x in start]
    sums = [
        loop.carry(b.zeros(wide(x.type)), "") if w else None
        for x, w in zip(operands[count:], wanted[count:], strict=True)
    ]
    same = [loop.constant(x, x.name) for x in operands[count:]]
    before = [loop.element(_up_to_last(b, op, x), "") for x in results]
    here = [loop.element(_others(b, op, x), "") for x in operands[:count]]
    more = [loop.element(_up_to_last(b, op, c), "") if c is not None else None for c in cotangents]
    slopes = vjp(loop.b, combine, (*before, *here, *same), flags)[1](totals)
    outputs: list[Value] = []
    for total, slope, c in zip(totals, slopes, more, strict=False):
        if total is not None:
            terms = [x for x in (slope, c) if x is not None]
            outputs.append(functools.reduce(loop.b.add, terms) if terms else loop.b.zeros(total.type))
    for total, slope in zip(sums, slopes[2 * count :], strict=True):
        if total is not None:
            outputs.append(total if slope is None else loop.b.add(total, loop.b.cast(slope, total.type.dtype)))
    own = slopes[count : 2 * count]
    outputs += [s for s, w in zip(own, wanted, strict=False) if w and s is not None]
    found = iter(loop.run(outputs, _steps(op), f"{op.combine.name}_vjp", not op.reverse))
    firsts = [next(found) if t is not None else None for t in totals]
    constants = [next(found) if t is not None else None for t in sums]
    bars: list[Value] = []
    for x, w, first, slope in zip(results, wanted, firsts, own, strict=False):
        if w:
            one = x.type.with_shape(x.type.shape[1:])
            rest = next(found) if slope is not None else b.zeros(x.type.with_shape((op.length - 1, *one.shape)))
            bars.append(_joined(b, op, first if first is not None else b.zeros(one), rest))
    bars += [b.cast(c, x.type.dtype) for c, x in zip(constants, operands[count:], strict=True) if c is not None]
    return b.graph(bars, f"{op.combine.name}_vjp")


def _steps(op: AssociativeScan) -> Scan:
    """A loop like those over all elements but the one that the scan begins with."""
    return Scan(op.combine, 0, 0, op.length - 1, op.reverse)


def _one(b: Builder, x: Value, place: int) -> Value:
    return b.reshape(b.slice_axis(x, 0, place, place + 1), x.type.shape[1:])


def _first(b: Builder, op: AssociativeScan, x: Value) -> Value:
    """The element that the scan begins with."""
    return _one(b, x, op.length - 1 if op.reverse else 0)


def _last(b: Builder, op: AssociativeScan, x: Value) -> Value:
    return _one(b, x, 0 if op.reverse else op.length - 1)


def _others(b: Builder, op: AssociativeScan, x: Value) -> Value:
    """All elements but the first one, each in the step that adds it."""
    return b.slice_axis(x, 0, 0 if op.reverse else 1, op.length - op.reverse)


def _up_to_last(b: Builder, op: AssociativeScan, x: Value) -> Value:
    """All elements but the last one, each in the step that adds the one after it."""
    return b.slice_axis(x, 0, 1 if op.reverse else 0, op.length - (not op.reverse))


def _joined(b: Builder, op: AssociativeScan, first: Value, others: Value) -> Value:
    head = b.reshape(first, (1, *first.type.shape))
    return b.concatenate([others, head] if op.reverse else [head, others], 0)


# -- as a tree ---------------------------------------------------------------------------------------------------------


def _tree(b: Builder, combine: Graph, arrays: Sequence[Value], constants: Sequence[Value]) -> list[Value]:
    """The running combinations: those of pairs of neighbours are every second one, and give the others."""
    size, flags = _size(arrays[0]), (*[True] * (2 * len(arrays)), *[False] * len(constants))
    if size < 2:
        return list(arrays)

    def both(first: Sequence[Value], second: Sequence[Value]) -> Values:
        return b.inline(batch_graph(combine, flags, _size(first[0])), (*first, *second, *constants))

    def cut(xs: Sequence[Value], start: int, limit: int, step: int = 2) -> list[Value]:
        found: list[Value] = []
        for x in xs:
            rest = x.type.shape[1:]
            found.append(b.slice(x, (start, *[0] * len(rest)), (limit, *rest), (step, *[1] * len(rest))))
        return found

    odd = _tree(b, combine, both(cut(arrays, 0, size - 1), cut(arrays, 1, size)), constants)
    even = cut(arrays, 0, 1)
    if size > 2:
        later = both(cut(odd, 0, (size - 1) // 2, 1), cut(arrays, 2, size))
        even = [b.concatenate(pair, 0) for pair in zip(even, later, strict=True)]
    return [_interleaved(b, x, y) for x, y in zip(even, odd, strict=True)]


def _size(x: Value) -> int:
    return dims.static((x.type.shape[0],), "associative_scan")[0]


def _interleaved(b: Builder, even: Value, odd: Value) -> Value:
    """Elements of both in turn; there may be one more of the even ones."""
    paired, rest = _size(odd), odd.type.shape[1:]
    columns = [b.reshape(x, (paired, 1, *rest)) for x in (b.slice_axis(even, 0, 0, paired), odd)]
    both = b.reshape(b.concatenate(columns, 1), (2 * paired, *rest))
    return both if _size(even) == paired else b.concatenate([both, b.slice_axis(even, 0, paired, _size(even))], 0)


def _tree_back(op: AssociativeScan, wanted: Sequence[bool], known: Sequence[bool]) -> Graph:
    """As `_loop_back`."""
    b = Builder()
    operands = op.like_operands(b)
    results = [b.input(x.type) for x in operands[: op.count]]
    cotangents = [b.input(x.type) if k else None for x, k in zip(results, known, strict=True)]
    slopes = vjp(b, silent(op.in_few_steps()), operands, wanted)[1](cotangents)
    each = zip(operands, slopes, wanted, strict=True)
    return b.graph([s if s is not None else b.zeros(x.type) for x, s, w in each if w], f"{op.combine.name}_vjp")


TWO_WAYS = (AssociativeScan, Alternatives)
"""What is one graph or another, which depends on the target."""
