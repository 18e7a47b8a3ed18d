"""Products of many terms and few results, as gradients by weights are: part by part, so that threads have parts."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import is_static
from rosin.ir.dtypes import f32, f64
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Value, Values
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.types import TensorType
from rosin.passes.base import Pass, ops_of, rebuild
from rosin.passes.on_threads import PARALLEL_WORK

PARTS = 4, 2, 3, 5, 7
"""Into so many parts terms are cut, the first of these that they can be cut into."""

FEW = 4
"""The results of all parts together are so many times fewer than what they are made of, or there are no parts."""

LONG, LONG_WORK, PARTS_ACROSS = 16, 1 << 27, (8, 4, 5, 7, 6, 9)
"""Where what threads have written before does not lie part by part, sums pay that are so many times as long as either
side of the result, in products of so many terms. These have more parts, of which each thread reads one after the
other: of whole sums, what an operand has would come from memory again for each few rows of the result."""


@dataclass(frozen=True)
class LongProducts(Pass):
    """Products of many terms become the sums of products of parts of these.

    Threads that shared the results would each read all that one operand has, and of the other what all threads have
    written: with as many parts each reads its own rows, which are in its cache if it is that which wrote them. How many
    parts there are depends on sizes alone: a number of threads changes no bits.

    The sums come about in another order, so that the last bits of results change.
    """

    name: ClassVar[str] = "long-products"
    ulps: ClassVar[int] = 1 << 12

    def rewrite(self, graph: Graph) -> Graph:
        if DotGeneral not in ops_of(graph):
            return graph
        b = Builder()

        def visit(node: Node, operands: Values) -> Values | None:
            op = node.op
            if not isinstance(op, DotGeneral):
                return None
            (lhs, rhs), (result,) = operands, node.results
            parts = _parts(op, lhs.type, rhs.type, result.type)
            return None if parts is None else (_in_parts(b, op, lhs, rhs, parts),)

        return rebuild(graph, visit, b)


def _parts(op: DotGeneral, lhs: TensorType, rhs: TensorType, result: TensorType) -> int | None:
    """Into how many parts the contracted axes are cut, the first ones of both operands if these are; None for a product
    that stays whole."""
    if op.lhs_batch or op.dtype not in (f32, f64) or not is_static((*lhs.shape, *rhs.shape)):
        return None
    terms = prod(lhs.sizes[axis] for axis in op.lhs_contract)
    read, made = prod(lhs.sizes) + prod(rhs.sizes), prod(result.sizes)
    # A vector is near whichever thread reads it.
    if terms * made < PARALLEL_WORK or terms * made in (lhs.size, rhs.size):
        return None
    if _cut_axes(op) == (0, 0):
        # Rows of both are what threads have written before, and what they can share.
        return next((n for n in PARTS if lhs.sizes[0] % n == 0 and n * made * FEW <= read), None)
    side = max(prod(lhs.sizes), prod(rhs.sizes)) // terms
    if len(op.lhs_contract) != 1 or terms * made < LONG_WORK or terms < LONG * side:
        return None
    return next((n for n in PARTS_ACROSS if terms % n == 0 and n * made * FEW <= read), None)


def _cut_axes(op: DotGeneral) -> tuple[int, int]:
    """The contracted axes of the operands that are cut: the first ones, if these go together."""
    pairs = list(zip(op.lhs_contract, op.rhs_contract, strict=True))
    return (0, 0) if (0, 0) in pairs else pairs[0]


def _in_parts(b: Builder, op: DotGeneral, lhs: Value, rhs: Value, parts: int) -> Value:
    left, right = _cut_axes(op)

    def cut(x: Value, axis: int) -> Value:
        before, length, after = x.type.sizes[:axis], x.type.sizes[axis], x.type.sizes[axis + 1 :]
        return b.reshape(x, (*before, parts, length // parts, *after))

    def moved(contract: tuple[int, ...], axis: int) -> tuple[int, ...]:
        return tuple(each + (each >= axis) for each in contract)

    contract = moved(op.lhs_contract, left), moved(op.rhs_contract, right)
    return b.sum(b.dot_general(cut(lhs, left), cut(rhs, right), contract, ((left,), (right,)), op.dtype), (0,))
