"""One step of a loop in reverse mode: what it does forward, what it keeps for the way back, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.op import Maybe, Value
from rosin.ir.ops.arithmetic import Add
from rosin.ir.ops.region import Pulled
from rosin.ir.transform import flow
from rosin.ir.transform.split import needed, split


class StepBack:
    """The graph of one step, forward and back, cut where cotangents come in; what crosses the cut is a *residual*.

    forward    the step, which gives the residuals besides its outputs
    kept       the residuals, values of `forward`
    fixed      those of them that are the same in every step
    before     from the constants to the fixed residuals
    slopes     whether each input gets a cotangent
    """

    def __init__(
        self, body: Graph, wanted: Sequence[bool], known: Sequence[bool], carried: int, constants: range
    ) -> None:
        """The step that `body` is: which inputs want a cotangent, which outputs have one, and what its inputs are."""
        count = len(body.outputs)
        step = Pulled(body, wanted, known)
        # The cotangent of an active carry is carried, be it zero; what gets none in one step gets none in any.
        carries = (*wanted[:carried], *[False] * (len(wanted) - carried))
        triples = zip(step.slopes, step.primals, carries, strict=True)
        slopes = [s or (step.b.zeros(x.type) if is_carried else None) for s, x, is_carried in triples]
        self.slopes = tuple(s is not None for s in slopes)
        joint = step.b.graph((*step.results, *filter(None, slopes)), body.name)
        self.forward, self._back = split(joint, [False] * len(body.inputs) + [True] * sum(known), count)
        self.kept = self.forward.outputs[count:]
        made = {v: node.op.name for node in self.forward.nodes for v in node.results}
        self.names = {v: v.name or made.get(v, "") for v in self.kept}

        inputs = self.forward.inputs
        varying = flow.varying_values(self.forward, [i not in constants for i in range(len(inputs))])
        self.fixed = tuple(v for v in self.kept if v not in varying)
        same = [n for n in self.forward.nodes if not n.op.effect and varying.isdisjoint(n.operands)]
        given = inputs[constants.start : constants.stop]
        self.before = Graph(given, tuple(needed(same, self.fixed)), self.fixed, body.name)

    def pull(self, b: Builder, residuals: Mapping[Value, Value], seeds: Sequence[Value | None]) -> Maybe:
        """Append the way back; `seeds` are the cotangents of the outputs that have one, None for zero."""
        found = iter(_inline_linear(b, self._back, [residuals[v] for v in self.kept], seeds))
        return tuple(next(found) if slope else None for slope in self.slopes)


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
