"""A region for those examples of a batch alone that take it: they are put in order and computed block by block.

It is a branch of a `switch`, or a step of a `while`, that costs more than to put examples in order.

A block has a fixed number of examples. Their operands are gathered, and their results are put where they belong; the
last block is filled up with copies of its first example, whose results go nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import i64
from rosin.ir.graph import Graph
from rosin.ir.op import Value, Values, elements
from rosin.ir.ops.index import Numbers
from rosin.ir.ops.region import held, may_not_end, of_the_masked
from rosin.ir.ops.sweeps import Sweeps
from rosin.ir.transform import flow
from rosin.ir.transform.batch import batch
from rosin.ir.types import TensorType

NUMBER = TensorType(i64)

DEAR_FLOPS = 1 << 16
"""A branch that takes so many operations for the whole batch is worth to ask whether anyone takes it."""

MOVED_FLOPS = 16
"""Blocks pay when a branch takes so many operations for each element that is gathered or put in place."""

BLOCK, LARGE_BLOCK = 16, 64


def is_dear(branch: Graph, size: Dim) -> bool:
    """Whether the branch costs more, for a whole batch, than to ask whether it is taken."""
    return isinstance(size, int) and branch.cost().flops * size >= DEAR_FLOPS


def block_size(branch: Graph, batched: Sequence[bool], size: Dim, axis: str | None) -> int:
    """How many examples a block has; 0 when the branch had better run for all."""
    if not isinstance(size, int) or size < 2 * BLOCK:
        return 0
    if axis is not None and any(flow.names_axis(node, axis) for node in branch.nodes):
        return 0
    moved = [v for v, flag in zip(branch.inputs, batched, strict=True) if flag]
    count = sum(elements(v.type) for v in (*moved, *branch.outputs))
    pays = is_dear(branch, size) and branch.cost().flops >= MOVED_FLOPS * count
    if not (may_not_end(branch) or pays):
        return 0
    return LARGE_BLOCK if size >= 16 * LARGE_BLOCK else BLOCK


def in_blocks(
    b: Builder,
    branch: Graph,
    taken: Value,
    operands: Values,
    batched: Sequence[bool],
    others: Values | None,
    block: int,
) -> Values:
    """The results of the branch for the examples that take it, and `others`, or zeros, for those that do not."""
    (size,) = taken.type.sizes
    results = others or tuple(b.zeros(v.type.with_shape((size, *v.type.shape))) for v in branch.outputs)
    most = -(-size // block)
    takes = b.cast(taken, i64)
    rank = b.sub(b.cumsum(takes, 0), 1)
    nowhere = b.full(most * block, rank.type)
    every = b.full(size, TensorType(i64, (most * block,)))
    order = _put(b, every, b.select(taken, rank, nowhere), b.iota(rank.type, 0))
    leg = _leg(branch, batched, size, results, order, operands, block)
    blocks = b.floor_divide(b.add(b.sum(takes, (0,)), block - 1), block)
    op = Sweeps((leg,), (1 + len(results),))
    return b.node(op, blocks, b.full(0, NUMBER), *results, order, *operands)[1:]


def _leg(
    branch: Graph, batched: Sequence[bool], size: int, results: Values, order: Value, operands: Values, block: int
) -> Graph:
    """One block: from its number and the results so far to those of the next one."""
    b = Builder()
    number = b.input(NUMBER, "block")
    before = [b.input(v.type, v.name) for v in results]
    places = b.input(order.type, "order")
    inputs = [b.input(x.type, v.name) for x, v in zip(operands, branch.inputs, strict=True)]
    own = b.dynamic_slice(places, (b.mul(number, block),), (block,))
    real = b.less(own, size)
    first = b.broadcast(b.reshape(b.slice_axis(own, 0, 0, 1), ()), own.type.shape, ())
    safe = b.select(real, own, first)
    values = [held(b, real, _rows(b, x, safe)) if flag else x for x, flag in zip(inputs, batched, strict=True)]
    found, flags = batch(b, *of_the_masked(branch, values, batched, real), block)
    front = [b.batch_front(v, flag, block) for v, flag in zip(found, flags, strict=True)]
    after = [_put(b, x, own, rows) for x, rows in zip(before, front, strict=True)]
    return b.graph([b.add(number, 1), *after], f"{branch.name}_block")


def _numbers(rank: int) -> Numbers:
    """Whole rows of an array of so many axes, each by one number."""
    return Numbers(tuple(range(1, rank)), (0,), (), (), (0,), 1)


def _rows(b: Builder, x: Value, places: Value) -> Value:
    return b.gather(x, places, _numbers(x.type.rank), (1, *x.type.shape[1:]))


def _put(b: Builder, x: Value, places: Value, rows: Value) -> Value:
    """The array with rows in place of its own; those whose place is beyond its end go nowhere."""
    return b.scatter("set", x, places, rows, _numbers(x.type.rank), "drop", unique=True)
