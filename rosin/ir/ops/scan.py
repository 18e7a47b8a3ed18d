"""A loop over the elements of arrays; rosin.ir.ops.control tells about loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from rosin.ir import dims, facts
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Arrays, Cost, Maybe, Narrowed, NumpyArray, Types, Value, Values, define
from rosin.ir.ops.arithmetic import Add
from rosin.ir.ops.control import Pullback, Pulled, bar, positions, restricted, types_of
from rosin.ir.ops.loop import Loop, batched_region
from rosin.ir.transform import flow
from rosin.ir.transform.split import needed, split
from rosin.ir.types import TensorType

T = TypeVar("T")


@define("scan")
class Scan(Loop):
    """`length` steps of `body`: from carried values, constants and one element of each stacked operand to the carried
    values for the next step and one element of each stacked result.

    Operands: the first `carried` are carried, the last `stacked` are stacked, those between are constants. Results:
    the carried values after the last step, then the stacked results. With `reverse` the steps go from the last element
    to the first.

    Reverse mode is one more scan, the other way. The forward one stacks what each step's way back needs, its residuals:
    not what is stacked anyway, and not what is the same in every step, which is computed once outside.
    """

    body: Graph
    carried: int
    stacked: int
    length: Dim
    reverse: bool

    def sections(self, operands: Sequence[T]) -> tuple[Sequence[T], ...]:
        end = len(operands) - self.stacked
        return operands[: self.carried], operands[self.carried : end], operands[end:]

    def type(self, *operands: TensorType) -> Types:
        if self.stacked < 0 or self.carried + self.stacked > len(operands):
            counts = f"{self.carried} carried and {self.stacked} stacked operands"
            self.bad_attribute(operands, f"takes {counts} and was given {len(operands)} in all")
        if not facts.at_least(self.length, 0):
            self.bad_attribute(operands, f"the length is {self.length}; it is not negative")
        first = len(operands) - self.stacked
        for position, operand in enumerate(operands[first:], first):
            if not operand.rank or not facts.same(operand.shape[0], self.length):
                size = f"has size {operand.shape[0]}" if operand.rank else "is missing"
                self.bad_shape(operands, f"axis 0 of operand {position} {size}; the loop has {self.length} steps")
        elements = tuple(x.with_shape(x.shape[1:]) for x in operands[first:])
        self.check_loop(operands, (*operands[:first], *elements))
        given = types_of(self.body.outputs)[self.carried :]
        return (*operands[: self.carried], *(t.with_shape((self.length, *t.shape)) for t in given))

    def eval(self, *operands: NumpyArray) -> Arrays:
        first, constants, stacked = self.sections(operands)
        carries = list(first)
        count = stacked[0].shape[0] if stacked else dims.static((self.length,), self.name)[0]
        rows: list[Sequence[NumpyArray]] = []
        for step in reversed(range(count)) if self.reverse else range(count):
            found = evaluate(self.body, (*carries, *constants, *(x[step, ...] for x in stacked)))
            carries = found[: self.carried]
            rows.append(found[self.carried :])
        if not rows:
            types = types_of(self.body.outputs)[self.carried :]
            return (*carries, *(np.empty((0, *t.sizes), t.dtype.numpy) for t in types))
        return (*carries, *map(np.stack, zip(*(rows[::-1] if self.reverse else rows), strict=True)))

    def cost(self, operands: Types, results: Types) -> Cost:
        """That of all steps; a symbolic length counts as a typical one."""
        once, count = self.body.cost(), facts.estimate(self.length)
        return Cost(once.flops * count, once.bytes * count)

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        body, inputs, (moving, moves) = self.push(b, operands, tangents)
        carried, _, stacked = (len(part) + sum(part) for part in self.sections(moving))
        results = b.node(Scan(body, carried, stacked, self.length, self.reverse), *inputs)
        return self.parted(results, moves)

    def forward_vjp(self, b: Builder, operands: Values, active: tuple[bool, ...]) -> tuple[Values, Pullback]:
        way = _WayBack(self, active)
        found = b.node(way.forward, *operands)
        residuals = way.residuals(b, operands, found)
        return found[: way.count], lambda cotangents: way.pull(b, operands, residuals, cotangents)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        axis = b.batch_axis
        many, results = self.settle(batched, lambda region, flags: flow.spreads(region, flags, axis))
        first = len(operands) - self.stacked
        inputs: list[Value] = []
        for position, (x, flag, m) in enumerate(zip(operands, batched, many, strict=True)):
            if flag and position >= first:
                inputs.append(_swapped(b, x))
            else:
                inputs.append(b.batch_front(x, False, size) if m and not flag else x)
        body = batched_region(self.body, (*inputs[:first], *map(_element, inputs[first:])), many, results, size, axis)
        found = b.node(replace(self, body=body), *inputs)
        each = enumerate(zip(found, results, strict=True))
        return tuple(
            b.batch_front(v, False, size) if not flag else v if position < self.carried else _swapped(b, v)
            for position, (v, flag) in each
        )

    def needs(self, used: tuple[bool, ...], count: int) -> tuple[bool, ...]:
        carries, stacked = self.halves(used)
        kept = flow.settled(carries, lambda flags: flow.needs(self.body, (*flags, *stacked))[: self.carried])
        return (*kept, *flow.needs(self.body, (*kept, *stacked))[self.carried :])

    def without_unused(self, used: tuple[bool, ...]) -> Narrowed | None:
        live = self.needs(used, len(self.body.inputs))
        kept, _, elements = self.sections(live)
        results = (*kept, *self.halves(used)[1])
        if all(live) and all(results):
            return None
        op = Scan(restricted(self.body, live, results), sum(kept), sum(elements), self.length, self.reverse)
        return Narrowed(op, positions(live), positions(results))


def _element(x: Value) -> Value:
    """A value like one element of a stacked one."""
    return Value(x.type.with_shape(x.type.shape[1:]), x.name)


def _swapped(b: Builder, x: Value) -> Value:
    """`x` with its first two axes, steps and examples, exchanged."""
    return b.transpose(x, (1, 0, *range(2, x.type.rank)))


class _WayBack:
    """Reverse mode of a scan: the loop forward with residuals, and the loop back.

    The graph of one step, forward and back, is cut where cotangents come in; what crosses the cut is a residual. The
    fixed residuals are the same in every step, some of the others are elements of stacked operands or results, and the
    forward loop stacks the rest.
    """

    def __init__(self, scan: Scan, active: tuple[bool, ...]) -> None:
        body, count = scan.body, len(scan.body.outputs)
        self.scan, self.count = scan, count
        wanted, self.given = scan.settle(active, flow.moves)
        step = Pulled(body, wanted, self.given)
        # The cotangent of an active carry is carried, be it zero; what gets none in one step gets none in any.
        carries = (*wanted[: scan.carried], *[False] * (len(wanted) - scan.carried))
        triples = zip(step.slopes, step.primals, carries, strict=True)
        slopes = [s or (step.b.zeros(x.type) if is_carried else None) for s, x, is_carried in triples]
        self.slopes = tuple(s is not None for s in slopes)
        joint = step.b.graph((*step.results, *filter(None, slopes)), body.name)
        forward, self.back = split(joint, [False] * len(body.inputs) + [True] * sum(self.given), count)
        self.kept = forward.outputs[count:]
        made = {v: node.op.name for node in forward.nodes for v in node.results}
        self.names = {v: v.name or made.get(v, "") for v in self.kept}

        first, constants, self.elements = scan.sections(forward.inputs)
        changing = [True] * len(first) + [False] * len(constants) + [True] * len(self.elements)
        varying = flow.varying_values(forward, changing)
        self.fixed = tuple(v for v in self.kept if v not in varying)
        same = [n for n in forward.nodes if not n.op.effect and varying.isdisjoint(n.operands)]
        self.before = Graph(forward.inputs, tuple(needed(same, self.fixed)), self.fixed, body.name)

        there = {*self.fixed, *self.elements, *forward.outputs[scan.carried : count]}
        outputs = (*forward.outputs[:count], *(v for v in self.kept if v not in there))
        self.stacked = outputs[scan.carried :]
        self.forward = replace(scan, body=Graph(forward.inputs, forward.nodes, outputs, body.name))

    def residuals(self, b: Builder, operands: Values, results: Values) -> dict[Value, Value]:
        """For each residual its value outside of the loops, where those that are not fixed are stacked."""
        found = dict(zip(self.elements, self.scan.sections(operands)[-1], strict=True))
        found.update(zip(self.stacked, results[self.scan.carried :], strict=True))
        found.update(zip(self.fixed, b.inline(self.before, operands), strict=True))
        return found

    def pull(self, b: Builder, operands: Values, residuals: dict[Value, Value], cotangents: Maybe) -> Maybe:
        """The cotangents of the operands. Those of constants are summed over the steps, narrow floats in f32."""
        scan, loop, body = self.scan, _Assembly(b), self.scan.body
        carries = list(zip(body.inputs, cotangents, self.given, strict=False))[: scan.carried]
        elements = list(zip(body.outputs, cotangents, self.given, strict=True))[scan.carried :]
        # Carries get cotangents from the steps after, stacked results only from outside.
        seeds: list[Value | None] = [loop.carry(c or b.zeros(v.type), bar(v)) for v, c, given in carries if given]
        seeds += [loop.element(c, bar(v)) if c else None for v, c, given in elements if given]
        inside = {v: loop.constant(residuals[v], self.names[v]) for v in self.fixed}
        inside |= {v: loop.element(residuals[v], self.names[v]) for v in self.kept if v not in inside}
        found = iter(_inline_linear(loop.b, self.back, [inside[v] for v in self.kept], seeds))
        slopes = [next(found) if slope else None for slope in self.slopes]

        before, terms, stacked = scan.sections(slopes)
        outputs = [s or loop.b.zeros(v.type) for s, (v, _, given) in zip(before, carries, strict=True) if given]
        for value, term in zip(scan.sections(body.inputs)[1], terms, strict=True):
            if term is not None:
                wide = term.type.with_dtype(term.type.dtype.accumulator)
                outputs.append(loop.b.add(loop.carry(b.zeros(wide), bar(value)), loop.b.cast(term, wide.dtype)))
        outputs += filter(None, stacked)
        results = iter(loop.run(outputs, scan.length, not scan.reverse, f"{body.name}_vjp"))
        there = [*(given for _, _, given in carries), *(s is not None for s in slopes[scan.carried :])]
        return tuple(b.cast(next(results), x.type.dtype) if t else None for x, t in zip(operands, there, strict=True))


def _inline_linear(b: Builder, graph: Graph, known: Sequence[Value], seeds: Sequence[Value | None]) -> Maybe:
    """Append a graph whose outputs are linear in its last inputs, the seeds; None stands for zero.

    What is computed from zeros and known values alone is zero, since cotangents are only ever combined linearly.
    """
    env: dict[Value, Value | None] = dict(zip(graph.inputs, (*known, *seeds), strict=True))
    alive = {v for v in graph.inputs[len(known) :] if env[v] is not None}
    for node in graph.nodes:
        operands = [env[v] for v in node.operands]
        is_alive = any(v in alive for v in node.operands)
        if is_alive:
            alive.update(node.results)
        if None in operands and not is_alive:
            env.update((v, None) for v in node.results)
        elif None in operands and isinstance(node.op, Add):
            (env[node.results[0]],) = filter(None, operands)
        else:
            pairs = zip(operands, node.operands, strict=True)
            results = b.copy(node, tuple(x or b.zeros(v.type) for x, v in pairs))
            env.update(zip(node.results, results, strict=True))
    return tuple(env[v] for v in graph.outputs)


class _Assembly:
    """A scan that is put together operand by operand; its body is built in `b`."""

    def __init__(self, outside: Builder) -> None:
        self.outside, self.b = outside, Builder()
        self.sections: tuple[list[Value], list[Value], list[Value]] = ([], [], [])
        self.inputs: tuple[list[Value], list[Value], list[Value]] = ([], [], [])

    def carry(self, start: Value, name: str) -> Value:
        return self._input(0, start, start.type, name)

    def constant(self, x: Value, name: str) -> Value:
        return self._input(1, x, x.type, name)

    def element(self, x: Value, name: str) -> Value:
        return self._input(2, x, x.type.with_shape(x.type.shape[1:]), name)

    def _input(self, section: int, operand: Value, type: TensorType, name: str) -> Value:
        value = Value(type, name)
        self.sections[section].append(operand)
        self.inputs[section].append(value)
        return value

    def run(self, outputs: Sequence[Value], length: Dim, reverse: bool, name: str) -> Values:
        """Append the scan; gives its results."""
        self.b.inputs = [v for section in self.inputs for v in section]
        op = Scan(self.b.graph(outputs, name), len(self.inputs[0]), len(self.inputs[2]), length, reverse)
        return self.outside.node(op, *(x for section in self.sections for x in section))
