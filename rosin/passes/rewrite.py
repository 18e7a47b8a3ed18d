"""Local rewriting: rules that replace a node by something better, looking only at the nodes its operands come from.

A rule is a function of a rewriter, the op and its operands. It gives the value that takes the place of the result (a
tuple of them, for an op of several results), or None; in that case it must not have appended anything. What a rule
appends goes through the rules in its turn. As a rule looks at producers alone, and every producer has been through the
rules before, one sweep from inputs to outputs comes to the same graph as any number of sweeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from rosin.ir.builder import Builder
from rosin.ir.errors import RosinError
from rosin.ir.graph import Graph, Node
from rosin.ir.literal import Literal
from rosin.ir.op import Op, Value, Values
from rosin.ir.ops.movement import Constant
from rosin.passes.base import ops_of, rebuild
from rosin.passes.fold import fold

Rule: TypeAlias = "Callable[..., Value | Values | None]"
"""(rewriter, op, *operands) → the value that stands for the result, one for each of several results, or None."""
Table: TypeAlias = Mapping[type[Op], Sequence[Rule]]

MAX_DEPTH = 100
"""A rule may set off others on what it makes; a longer chain than this means that they undo each other."""

OpT = TypeVar("OpT", bound=Op)


class Rewriter(Builder):
    """A builder that applies the rules of a table to every node."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self._table = table
        self._rules: dict[type[Op], tuple[Rule, ...]] = {}
        self._makers: dict[Value, Node] = {}
        self._uses: dict[Value, int] = {}
        self._depth = 0

    def rewrite(self, graph: Graph) -> Graph:
        """The graph with the rules applied. Nodes that lose their last use are left for dead code elimination."""
        if not any(map(self._rules_of, ops_of(graph))):
            return graph
        self._uses = _count_uses(graph)
        makers = self._makers

        def visit(node: Node, operands: Values) -> Values | None:
            rules = self._rules.get(type(node.op))
            if rules is None:
                rules = self._rules_of(type(node.op))
            for rule in rules:
                found = rule(self, node.op, *operands)
                if found is not None:
                    return found if isinstance(found, tuple) else (found,)
            if operands != node.operands and (folded := self._folded(node.op, operands)) is not None:
                return folded
            for value in node.results:
                makers[value] = node if operands == node.operands else Node(node.op, operands, node.results)
            return None

        return rebuild(graph, visit, self)

    def node(self, op: Op, *operands: Value, names: Sequence[str] = ()) -> Values:
        """The results of an op, simplified; constants are folded."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RosinError(f"{op.name}: rules set each other off without end", [v.type for v in operands])
        results = self._simplified(op, operands) or self._append(op, operands, names)
        self._depth -= 1
        return results

    def inline(self, graph: Graph, operands: Sequence[Value]) -> Values:
        """As any builder does, but simplified; nodes without a location of their own get the current one."""
        env = dict(zip(graph.inputs, operands, strict=True))
        location = self.location
        for node in graph.nodes:
            self.location = node.location or location
            results = self.node(node.op, *(env[v] for v in node.operands), names=[v.name for v in node.results])
            env.update(zip(node.results, results, strict=True))
        self.location = location
        return tuple(env[v] for v in graph.outputs)

    def _simplified(self, op: Op, operands: Values) -> Values | None:
        for rule in self._rules_of(type(op)):
            found = rule(self, op, *operands)
            if found is not None:
                return found if isinstance(found, tuple) else (found,)
        return self._folded(op, operands)

    def _folded(self, op: Op, operands: Values) -> Values | None:
        """The results of an op on constants, as constants."""
        literals = [self.literal(v) for v in operands]
        known = [x for x in literals if x is not None]
        if not operands or len(known) < len(literals):
            return None
        folded = fold(op, known, op.type(*(v.type for v in operands)))
        return None if folded is None else tuple(self._append(Constant(x), ())[0] for x in folded)

    def _append(self, op: Op, operands: Values, names: Sequence[str] = ()) -> Values:
        results = super().node(op, *operands, names=names)
        self._makers.update((value, self.nodes[-1]) for value in results)
        return results

    def _rules_of(self, op_class: type[Op]) -> tuple[Rule, ...]:
        """The rules for an op: those of its class, then those of the kinds it belongs to."""
        found = self._rules.get(op_class)
        if found is None:
            kinds: list[Any] = list(op_class.__mro__)
            found = self._rules[op_class] = tuple(rule for kind in kinds for rule in self._table.get(kind, ()))
        return found

    # -- what rules ask ------------------------------------------------------------------------------------------

    def made_by(self, value: Value, op_class: type[OpT]) -> tuple[OpT, Values] | None:
        """The op of this class that made the value, and its operands; None when something else made it."""
        node = self._makers.get(value)
        return (node.op, node.operands) if node is not None and isinstance(node.op, op_class) else None

    def operand_of(self, value: Value, op_class: type[Op]) -> Value | None:
        """The first operand of the op of this class that made the value; None when something else made it."""
        node = self._makers.get(value)
        return node.operands[0] if node is not None and isinstance(node.op, op_class) else None

    def literal(self, value: Value) -> Literal | None:
        """The data of a constant."""
        node = self._makers.get(value)
        return node.op.value if node is not None and type(node.op) is Constant else None

    def splat(self, value: Value) -> Literal | None:
        """The data of a constant that is one number everywhere."""
        literal = self.literal(value)
        return literal if literal is not None and literal.is_splat else None

    def is_all(self, value: Value, number: complex) -> bool:
        """Whether the value is a constant that is this number everywhere; +0.0 and -0.0 are told apart."""
        literal = self.splat(value)
        return literal is not None and literal.is_all(number)

    def is_used_once(self, value: Value) -> bool:
        """Whether the graph before the rewriting uses the value once; values that rules made count as such."""
        return self._uses.get(value, 1) == 1


def _count_uses(graph: Graph) -> dict[Value, int]:
    uses: dict[Value, int] = {}
    for node in graph.nodes:
        for value in node.operands:
            uses[value] = uses.get(value, 0) + 1
    for value in graph.outputs:
        uses[value] = uses.get(value, 0) + 1
    return uses
