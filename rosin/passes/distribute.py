"""Loop distribution: products that the steps of a loop compute apart from one another become one for all steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import ClassVar

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.facts import estimate
from rosin.ir.graph import Graph, Node, measures
from rosin.ir.op import Elementwise, Value, Values
from rosin.ir.ops.arithmetic import Add, Mul
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.ops.movement import Broadcast, Constant, Move, Transpose
from rosin.ir.ops.reduce import Sum
from rosin.ir.ops.scan import Scan
from rosin.ir.transform.batch import batch
from rosin.ir.transform.split import needed
from rosin.passes.base import Pass, ops_of, rebuild

MOST_ROWS = 2
"""A product with more rows than these in one step gains nothing from those of other steps."""
MOST_BYTES = 1 << 28
"""What all steps may keep for one product more than they would."""
NEAR_BYTES = 1 << 20
"""A sum of fewer bytes is changed in a near cache, so that what steps keep in its place has to stay there as well,"""
FEW_TIMES = 2
"""or the sum has so many times the bytes of that, which are no more than steps read from elements: memory passes by
anyway, and without the sums, which bring all rows together, threads may share the rows of what is left."""


@dataclass(frozen=True)
class Distribute(Pass):
    """Matrix products move out of a `scan` where they are one product over all steps at once.

    Before the loop go products of what is stacked by what is constant: a recurrent network's weights times its inputs.
    After it go sums over the steps of products, carried by a value that does nothing else: gradients by weights. Steps
    then stack the operands of these, where that is less than what is carried. A product of many rows uses a machine
    better than many products of few, and a large sum is written once instead of in every step. So do other sums of what
    is stacked then: gradients by biases.

    The sums over steps come about in another order, so that the last bits of results change.
    """

    name: ClassVar[str] = "distribute"
    ulps: ClassVar[int] = 1 << 12

    def rewrite(self, graph: Graph) -> Graph:
        if not any(issubclass(op, Scan) for op in ops_of(graph)):
            return graph
        b = Builder()

        def visit(node: Node, operands: Values) -> Values | None:
            op = node.op
            # The steps that a count leaves out, and those that a checkpoint does again, are nobody else's business.
            if not isinstance(op, Scan) or op.counted or op.checkpoint is not None or measures(op.body.nodes):
                return None
            return _Distributed(op, operands).append(b)

        return rebuild(graph, visit, b)


@dataclass(frozen=True)
class _Sum:
    """A carried value to which each step adds a product of two values, or a sum of elements of one value over some axes
    or none, after movements of its elements."""

    op: DotGeneral | Sum
    operands: Values
    moves: tuple[Move, ...]


class _Distributed:
    """A scan with its products taken out."""

    def __init__(self, op: Scan, operands: Values) -> None:
        self.op, self.body, self.operands = op, op.body, operands
        self.carries, self.constants, self.elements = op.sections(op.body.inputs)
        self.made = {v: node for node in self.body.nodes for v in node.results}
        self.uses = Counter([*self.body.outputs, *(v for node in self.body.nodes for v in node.operands)])
        self.before = self._before()
        self.sums = self._sums()

    # -- before the loop ---------------------------------------------------------------------------------------

    def _before(self) -> Graph:
        """What is computed for all steps before the loop, from constants and elements; its outputs are products."""
        same, each = set(self.constants), set(self.elements)
        nodes: list[Node] = []
        moved: set[Value] = set()
        for node in self.body.nodes:
            if not (same | each).issuperset(node.operands):
                continue
            varies = not same.issuperset(node.operands)
            if varies and isinstance(node.op, DotGeneral) and self._is_worth_moving(node, each):
                moved.update(node.results)
            elif not isinstance(node.op, Elementwise | Move) and node.operands:
                continue
            nodes.append(node)
            (each if varies else same).update(node.results)
        kept = [node for node in self.body.nodes if moved.isdisjoint(node.results)]
        used = {*self.body.outputs, *(v for node in kept for v in node.operands)}
        outputs = tuple(v for node in nodes for v in node.results if v in moved and v in used)
        inputs = (*self.constants, *self.elements)
        return Graph(inputs, tuple(needed(nodes, outputs)), outputs, f"{self.body.name}_before")

    def _is_worth_moving(self, node: Node, each: set[Value]) -> bool:
        """Whether one operand is constant and the other one has few rows in a step."""
        if all(v in each for v in node.operands):
            return False
        (x,) = (v for v in node.operands if v in each)
        op = node.op
        assert isinstance(op, DotGeneral)
        contracted = op.lhs_contract if x is node.operands[0] else op.rhs_contract
        rows = x.type.bytes // x.type.dtype.bytes // max(prod(estimate(x.type.shape[axis]) for axis in contracted), 1)
        return rows <= MOST_ROWS and node.results[0].type.bytes * estimate(self.op.length) <= MOST_BYTES

    # -- after the loop ----------------------------------------------------------------------------------------

    def _sums(self) -> dict[int, _Sum]:
        """The carried values that are sums of products alone, by position, and other sums of what is stacked then."""
        candidates: dict[int, _Sum] = {}
        for position, carried in enumerate(self.carries):
            added = self._added(position, carried)
            if added is not None:
                candidates[position] = added
        found: dict[int, _Sum] = {}
        stacked = set(self.elements)
        for position in sorted(candidates, key=lambda i: -self.carries[i].type.bytes):
            added = candidates[position]
            if isinstance(added.op, DotGeneral) and self._is_worth_stacking(added, self.carries[position], stacked):
                found[position] = added
                stacked.update(added.operands)
        if found:
            found.update((i, added) for i, added in candidates.items() if stacked.issuperset(added.operands))
        return found

    def _added(self, position: int, carried: Value) -> _Sum | None:
        after = self.body.outputs[position]
        node = self.made.get(after)
        if node is None or not isinstance(node.op, Add) or carried not in node.operands:
            return None
        if self.uses[carried] != 1 or self.uses[after] != 1:
            return None
        (term,) = (v for v in node.operands if v is not carried)
        found = self._moved_product(term)
        return found if set(self.constants).isdisjoint(found.operands) else None

    def _is_worth_stacking(self, added: _Sum, carried: Value, stacked: set[Value]) -> bool:
        """Whether steps had better stack what is not yet `stacked` of a product's operands than add to the sum."""
        new = sum({v: v.type.bytes for v in added.operands if v not in stacked}.values())
        every, whole = new * estimate(self.op.length), carried.type.bytes
        if FEW_TIMES * new <= whole and new <= sum(v.type.bytes for v in self.elements):
            return every <= MOST_BYTES
        return new <= whole and every <= (MOST_BYTES if whole >= NEAR_BYTES else 2 * NEAR_BYTES)

    def _moved_product(self, value: Value) -> _Sum:
        """What a value is, seen as movements of a product, of a sum, or of another value."""
        moves: tuple[Move, ...] = ()
        while (node := self.made.get(value)) is not None:
            if isinstance(node.op, DotGeneral | Sum):
                return _Sum(node.op, node.operands, moves)
            outer = self._outer_product(node, moves) if isinstance(node.op, Mul) else None
            if outer is not None:
                return outer
            if isinstance(node.op, Move):
                moves = (node.op, *moves)
            elif not self._adds_zeros(node):
                break
            value = node.operands[0]
        return _Sum(Sum(()), (value,), moves)

    def _outer_product(self, node: Node, moves: tuple[Move, ...]) -> _Sum | None:
        """That of two values, each of which is repeated along the axes of the other one: what a batch of one leaves."""
        sides = [self.made.get(v) for v in node.operands]
        if not all(side is not None and isinstance(side.op, Broadcast) for side in sides):
            return None
        axes = [axis for side in sides if side is not None and isinstance(side.op, Broadcast) for axis in side.op.axes]
        if sorted(axes) != list(range(node.results[0].type.rank)):
            return None
        order = tuple(axes.index(axis) for axis in range(len(axes)))
        product = DotGeneral((), (), (), (), node.results[0].type.dtype)
        operands = tuple(side.operands[0] for side in sides if side is not None)
        return _Sum(product, operands, (Transpose(order), *moves))

    def _adds_zeros(self, node: Node) -> bool:
        other = self.made.get(node.operands[-1]) if isinstance(node.op, Add) else None
        return other is not None and isinstance(other.op, Constant) and other.op.value.is_all(0.0)

    # -- the loop ----------------------------------------------------------------------------------------------

    def append(self, b: Builder) -> Values | None:
        """Append the loop and what is done around it; None where nothing is."""
        if not self.before.outputs and not self.sums:
            return None
        first, constants, stacked = self.op.sections(self.operands)
        rows = dict(zip(self.elements, stacked, strict=True))
        if self.before.outputs:
            flags = [False] * len(constants) + [True] * len(stacked)
            products, _ = batch(b, self.before, [*constants, *stacked], flags, self.op.length)
            rows.update(zip(self.before.outputs, products, strict=True))
        kept = [position for position in range(len(first)) if position not in self.sums]
        wanted = dict.fromkeys(v for s in self.sums.values() for v in s.operands if v not in rows)
        outputs = (*(v for i, v in enumerate(self.body.outputs) if i not in self.sums), *wanted)
        moved = set(self.before.outputs)
        nodes = needed([node for node in self.body.nodes if moved.isdisjoint(node.results)], outputs)
        inputs = (*(self.carries[i] for i in kept), *self.constants, *rows)
        body = Graph(inputs, tuple(nodes), outputs, self.body.name)
        op = replace(self.op, body=body, carried=len(kept), stacked=len(rows))
        found = b.node(op, *(first[i] for i in kept), *constants, *rows.values())
        rows.update(zip(wanted, found[len(found) - len(wanted) :], strict=True))
        carried = iter(found)
        ends = [
            _total(b, self.sums[i], start, rows) if i in self.sums else next(carried) for i, start in enumerate(first)
        ]
        return (*ends, *found[len(kept) : len(found) - len(wanted)])


def _total(b: Builder, added: _Sum, start: Value, rows: dict[Value, Value]) -> Value:
    """The sum over all steps: steps are one more contracted axis."""
    op = added.op
    if isinstance(op, Sum):
        value = b.sum(rows[added.operands[0]], (0, *_shifted(op.axes)))
    else:
        lhs, rhs = (rows[v] for v in added.operands)
        contract = (0, *_shifted(op.lhs_contract)), (0, *_shifted(op.rhs_contract))
        batched = _shifted(op.lhs_batch), _shifted(op.rhs_batch)
        value = b.dot_general(lhs, rhs, contract, batched, op.dtype)
    for move in added.moves:
        (value,) = b.node(move, value)
    return b.add(start, value)


def _shifted(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(axis + 1 for axis in axes)
