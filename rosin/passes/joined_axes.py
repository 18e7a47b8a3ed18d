"""Axes of a contraction's result that lie one behind the other in all that it reads and writes, as one.

The rows of an image and the places in them are such axes for windows of one place: tiles need not end where rows do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from rosin.ir import index as indices
from rosin.ir.dims import is_static, static
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Local, walk
from rosin.ir.op import Fold
from rosin.ir.statements import all_indices
from rosin.passes.epilogue import Epilogue
from rosin.passes.groups import Group
from rosin.passes.nest import joins
from rosin.passes.pieces import Piece
from rosin.passes.where import Memory


def with_joined_axes(piece: Piece, group: Group, memory: Memory) -> Piece:
    """The piece with one variable for the innermost ones of its result, as far as they can be one."""
    result = [v for v in piece.result if v.extent != 1]
    several = len(result) > 1 and not piece.phases and is_static(v.extent for v in result)
    last = _joined(result, piece, group, memory) if several else ()
    if len(last) < 2:
        return piece
    extents = static((v.extent for v in last), "axes in one")
    both = LoopVar(last[-1].name, prod(extents))
    for var, place in zip(last, indices.unflatten(indices.of(both), extents), strict=True):
        piece = piece.replaced(var, (both,) if var is last[-1] else (), place)
    return piece


def _joined(result: Sequence[LoopVar], piece: Piece, group: Group, memory: Memory) -> Sequence[LoopVar]:
    """The innermost variables of a result that can be one."""
    places = list(_all_indices(piece, group, memory))
    first = len(result) - 1
    while first and all(joins(i, result[first - 1], result[first]) for i in places):
        first -= 1
    return result[first:]


def _all_indices(piece: Piece, group: Group, memory: Memory) -> Iterator[Index]:
    """Where a piece reads and writes, what it tests there, and which indices are numbers in it."""
    node = group.nodes[0]
    op, types = node.op, tuple(v.type for v in node.operands)
    assert isinstance(op, Fold), "contractions are folds"
    for term in op.terms(piece.index, piece.point, tuple(map(memory.read, node.operands)), types):
        for expr in walk(term):
            yield from expr.indices()
    finished = Local("finished", node.results[0].type.dtype)
    yield from all_indices(Epilogue(group, memory).statements(finished, dict(enumerate(piece.index))))
