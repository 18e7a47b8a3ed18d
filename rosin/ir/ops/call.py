"""Ops that hold a graph for the sake of the transforms, and the barrier; none is left when loops are made."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.errors import NotDifferentiableError
from rosin.ir.graph import Deferred, Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Arrays, Constantlike, Cost, Maybe, NumpyArray, Op, Types, Value, Values, define
from rosin.ir.transform.batch import batch_graph
from rosin.ir.transform.effects import silent
from rosin.ir.transform.jvp import jvp_graph
from rosin.ir.transform.vjp import vjp
from rosin.ir.types import TensorType


class Call(Op):
    """An op whose meaning is the graph `body`."""

    body: Graph

    @functools.cached_property
    def effect(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]  # elsewhere it is the class that tells
        """Whether the body has an effect."""
        return any(node.op.effect for node in self.body.nodes)

    def mapped(self, change: Callable[[Graph], Graph]) -> Call:
        """The call with `change` done to its body and its rules, whose inputs and outputs keep their types."""
        return replace(self, body=change(self.body))

    def silenced(self, silence: Callable[[Graph], Graph]) -> Call:
        return self.mapped(silence)

    @abstractmethod
    def guarded(self, guard: Callable[[Graph], Graph]) -> Call:
        """The call whose graphs are guarded, with a truth value as last operand (see Op.only_where)."""

    def only_where(self, b: Builder, taken: Value, operands: Values, guard: Callable[[Graph], Graph]) -> Values:
        return b.node(self.guarded(guard), *operands, taken)

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, len(self.body.inputs))
        for position, (operand, value) in enumerate(zip(operands, self.body.inputs, strict=True)):
            if operand != value.type:
                self.bad_shape(operands, f"operand {position} has type {operand} and the body takes {value.type}")
        return tuple(v.type for v in self.body.outputs)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return tuple(evaluate(self.body, operands))

    def expansion(self) -> Graph | None:
        return self.body

    def in_few_steps(self) -> Graph:
        """A graph that computes the same for targets on which the number of steps counts, not their work."""
        return self.body

    def measured(self) -> Mapping[str, Dim]:
        return self.body.measured()

    def cost(self, operands: Types, results: Types) -> Cost:
        return self.body.cost()

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        raise AssertionError("a call states forward_jvp")

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        raise AssertionError("a call states forward_vjp")


def _or_zeros(b: Builder, values: Maybe, like: Values) -> Values:
    """Each value, or zeros, for those of `like` that carry derivatives."""
    pairs = zip(values, like, strict=True)
    return tuple(v or b.zeros(x.type) for v, x in pairs if x.type.dtype.differentiable)


def _spread(values: Values, like: Values) -> Maybe:
    """The values, in order, at the places of `like` that carry derivatives; None at the others."""
    rest = iter(values)
    return tuple(next(rest) if x.type.dtype.differentiable else None for x in like)


@define("checkpoint")
class Checkpoint(Call):
    """`body`, whose intermediate values are not kept for the way back but computed again there."""

    body: Graph

    def guarded(self, guard: Callable[[Graph], Graph]) -> Call:
        return Checkpoint(guard(self.body))

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        graph, moves = jvp_graph(self.body, [t is not None for t in tangents])
        results = b.node(Checkpoint(graph), *operands, *filter(None, tangents))
        rest = iter(results[len(moves) :])
        return results[: len(moves)], tuple(next(rest) if m else None for m in moves)

    def forward_vjp(
        self, b: Builder, operands: Values, active: tuple[bool, ...]
    ) -> tuple[Values, Callable[[Maybe], Maybe]]:
        results = b.node(self, *operands)

        def pullback(cotangents: Maybe) -> Maybe:
            known = tuple(filter(None, cotangents))
            # The barrier makes the second computation wait for the cotangents, so that it is not merged with the first.
            held = b.node(Barrier(), *operands, *known)
            again = iter(held[len(operands) :])
            _, pull = vjp(b, silent(self.body), held[: len(operands)], active)
            return pull([None if c is None else next(again) for c in cotangents])

        return results, pullback

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(Checkpoint(batch_graph(self.body, batched, size, b.batch_axis)), *operands)


Rule: TypeAlias = "Graph | Deferred"
"""A graph, or one that is made later: the rule of a function may use that very function."""


def _graph(rule: Rule) -> Graph:
    return rule.graph() if isinstance(rule, Deferred) else rule


def _later(rule: Rule, change: Callable[[Graph], Graph]) -> Rule:
    """`change` of a rule, deferred when the rule is."""
    return Deferred(lambda: change(rule.graph())) if isinstance(rule, Deferred) else change(rule)


@define("custom_jvp")
class CustomJvp(Call):
    """`body` with a derivative of the user's: `rule` takes operands and the tangents of those that carry
    derivatives, and gives the results and the tangents of those that carry derivatives."""

    body: Graph
    rule: Rule

    def mapped(self, change: Callable[[Graph], Graph]) -> Call:
        return CustomJvp(change(self.body), _later(self.rule, change))

    def guarded(self, guard: Callable[[Graph], Graph]) -> Call:
        count = len(self.body.inputs)

        def rule(graph: Graph) -> Graph:
            # The truth value stands behind the operands, before their tangents.
            made = guard(graph)
            *inputs, taken = made.inputs
            return Graph((*inputs[:count], taken, *inputs[count:]), made.nodes, made.outputs, made.name)

        return CustomJvp(guard(self.body), _later(self.rule, rule))

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        outputs = b.inline(_graph(self.rule), (*operands, *_or_zeros(b, tangents, operands)))
        count = len(self.body.outputs)
        return outputs[:count], _spread(outputs[count:], self.body.outputs)

    def forward_vjp(
        self, b: Builder, operands: Values, active: tuple[bool, ...]
    ) -> tuple[Values, Callable[[Maybe], Maybe]]:
        zeros = _or_zeros(b, (None,) * len(operands), operands)
        # The rule is linear in its tangents, so its pullback by them, taken anywhere, is the transpose.
        wanted = [False] * len(operands) + [True] * len(zeros)
        outputs, pull = vjp(b, _graph(self.rule), (*operands, *zeros), wanted)
        count = len(self.body.outputs)

        def pullback(cotangents: Maybe) -> Maybe:
            carried = [c for c, v in zip(cotangents, self.body.outputs, strict=True) if v.type.dtype.differentiable]
            found = iter(pull([None] * count + carried)[len(operands) :])
            return tuple(next(found) if x.type.dtype.differentiable else None for x in operands)

        return outputs[:count], pullback

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        moving = [flag for flag, x in zip(batched, operands, strict=True) if x.type.dtype.differentiable]
        axis = b.batch_axis
        rule = _later(self.rule, lambda graph: batch_graph(graph, [*batched, *moving], size, axis))
        return b.node(CustomJvp(batch_graph(self.body, batched, size, b.batch_axis), rule), *operands)


@define("custom_vjp")
class CustomVjp(Call):
    """`body` with a reverse rule of the user's: `forward` gives the results and what is kept, `backward` takes what is
    kept and the cotangents of results that carry derivatives, and gives those of operands that carry derivatives."""

    body: Graph
    forward: Rule
    backward: Rule

    def mapped(self, change: Callable[[Graph], Graph]) -> Call:
        return CustomVjp(change(self.body), _later(self.forward, change), _later(self.backward, change))

    def silenced(self, silence: Callable[[Graph], Graph]) -> Call:
        return CustomVjp(silence(self.body), _later(self.forward, silence), self.backward)

    def guarded(self, guard: Callable[[Graph], Graph]) -> Call:
        return CustomVjp(guard(self.body), _later(self.forward, guard), self.backward)

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        reason = "it has a custom vjp, which says nothing about forward mode; give it a custom_jvp instead"
        raise NotDifferentiableError(f"{self.body.name} has no forward-mode derivative: {reason}")

    def forward_vjp(
        self, b: Builder, operands: Values, active: tuple[bool, ...]
    ) -> tuple[Values, Callable[[Maybe], Maybe]]:
        outputs = b.inline(_graph(self.forward), operands)
        count = len(self.body.outputs)

        def pullback(cotangents: Maybe) -> Maybe:
            carried = _or_zeros(b, cotangents, self.body.outputs)
            return _spread(b.inline(_graph(self.backward), (*outputs[count:], *carried)), operands)

        return outputs[:count], pullback

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        axis = b.batch_axis
        forward = _later(self.forward, lambda graph: batch_graph(graph, batched, size, axis))
        # A cotangent of an operand that is the same for all examples is the sum over them.
        moving = [flag for flag, x in zip(batched, operands, strict=True) if x.type.dtype.differentiable]

        def reverse(graph: Graph) -> Graph:
            return _summed(batch_graph(graph, [True] * len(graph.inputs), size, axis), moving)

        body = batch_graph(self.body, batched, size, b.batch_axis)
        return b.node(CustomVjp(body, forward, _later(self.backward, reverse)), *operands)


def _summed(graph: Graph, batched: list[bool]) -> Graph:
    """The graph with each output that is not to be batched summed over the batch."""
    b = Builder()
    outputs = b.inline(graph, [b.input(v.type, v.name) for v in graph.inputs])
    return b.graph([v if keep else b.sum(v, (0,)) for v, keep in zip(outputs, batched, strict=True)], graph.name)


@define("stop_gradient")
class StopGradient(Constantlike):
    """Its operand, taken for a constant by derivatives."""

    of: TensorType

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        if operands[0] != self.of:
            self.bad_shape(operands, f"is made for {self.of}")
        return operands

    def eval(self, *operands: NumpyArray) -> Arrays:
        return operands

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(StopGradient(operands[0].type), *operands)

    def expansion(self) -> Graph | None:
        b = Builder()
        return b.graph([b.input(self.of)], self.name)


@define("barrier")
class Barrier(Op):
    """Its operands, unchanged. No result is available before every operand is, and no pass looks through it."""

    def type(self, *operands: TensorType) -> Types:
        if not operands:
            self.bad_shape(operands, "needs at least one operand")
        return operands

    def eval(self, *operands: NumpyArray) -> Arrays:
        return operands

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return moving

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        return tangents

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        return cotangents

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, *(b.batch_front(v, flag, size) for v, flag in zip(operands, batched, strict=True)))
