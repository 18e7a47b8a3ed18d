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
    """Into how many parts the first axes of both operands are cut; None for a product that stays whole."""
    if op.lhs_batch or op.dtype not in (f32, f64) or not is_static((*lhs.shape, *rhs.shape)):
        return None
    # Only rows of both are what threads have written before, and what they can share.
    if (0, 0) not in zip(op.lhs_contract, op.rhs_contract, strict=True):
        return None
    terms = prod(lhs.sizes[axis] for axis in op.lhs_contract)
    read, made = prod(lhs.sizes) + prod(rhs.sizes), prod(result.sizes)
    # A vector is near whichever thread reads it.
    if terms * made < PARALLEL_WORK or terms * made in (lhs.size, rhs.size):
        return None
    return next((n for n in PARTS if lhs.sizes[0] % n == 0 and n * made * FEW <= read), None)


def _in_parts(b: Builder, op: DotGeneral, lhs: Value, rhs: Value, parts: int) -> Value:
    def cut(x: Value) -> Value:
        first, *others = x.type.sizes
        return b.reshape(x, (parts, first // parts, *others))

    def moved(axes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(axis + 1 for axis in axes)

    contract = moved(op.lhs_contract), moved(op.rhs_contract)
    return b.sum(b.dot_general(cut(lhs), cut(rhs), contract, ((0,), (0,)), op.dtype), (0,))
