"""Rules that move elementwise work to where there is less of it: before a broadcast, or before movements alike."""

from __future__ import annotations

from rosin.ir.literal import Literal
from rosin.ir.op import Elementwise, Op, Value
from rosin.ir.ops.movement import Broadcast, Constant, Reshape, Reverse, Transpose
from rosin.passes.rewrite import Rewriter


def constant_last(b: Rewriter, op: Elementwise, *operands: Value) -> Value | None:
    """f(c, x) → f(x, c) for a commutative op, so that other rules find a constant in one place."""
    if not op.commutative or b.splat(operands[0]) is None or b.splat(operands[1]) is not None:
        return None
    return b.node(op, operands[1], operands[0])[0]


def before_broadcast(b: Rewriter, op: Elementwise, *operands: Value) -> Value | None:
    """f(broadcast(x), broadcast(y), splat) → broadcast(f(x, y, splat)) over the axes that x and y have.

    An axis along which no operand varies is computed once. Operands that lack some of the others' axes keep a smaller
    broadcast of their own.
    """
    shape = operands[0].type.shape
    kept: set[int] = set()
    for value in operands:
        if b.splat(value) is not None:
            continue
        found = b.made_by(value, Broadcast)
        if found is None:
            return None
        kept.update(found[0].axes)
    axes = tuple(sorted(kept))
    if op.effect or all(shape[axis] == 1 for axis in range(len(shape)) if axis not in kept):
        return None
    small = b.node(op, *(_narrowed(b, value, axes) for value in operands))[0]
    return b.broadcast(small, shape, axes)


def _narrowed(b: Rewriter, value: Value, axes: tuple[int, ...]) -> Value:
    """The splat or the broadcast `value` at the given axes of its shape."""
    shape = tuple(value.type.shape[axis] for axis in axes)
    constant = b.splat(value)
    if constant is not None:
        return b.node(Constant(Literal(value.type.with_shape(shape), constant.array)))[0]
    found = b.made_by(value, Broadcast)
    assert found is not None, "an operand that is neither a splat nor a broadcast"
    broadcast, (source,) = found
    return b.broadcast(source, shape, tuple(axes.index(axis) for axis in broadcast.axes))


def before_movement(b: Rewriter, op: Elementwise, *operands: Value) -> Value | None:
    """f(move(x), move(y)) → move(f(x, y)) when all movements are the same and serve this op alone: one for several."""
    if len(operands) < 2 or op.effect:
        return None
    for kind in (Transpose, Reshape, Reverse):
        sources = _moved_alike(b, kind, operands)
        if sources is not None:
            move = b.made_by(operands[0], kind)
            assert move is not None, "the first operand is not moved"
            return b.node(move[0], b.node(op, *sources)[0])[0]
    return None


def _moved_alike(b: Rewriter, kind: type[Op], operands: tuple[Value, ...]) -> list[Value] | None:
    """What the operands are before the one movement that they all went through, or None."""
    first = b.made_by(operands[0], kind)
    if first is None:
        return None
    sources: list[Value] = []
    for value in operands:
        found = b.made_by(value, kind)
        if found is None or found[0] != first[0] or not b.is_used_once(value):
            return None
        if found[1][0].type.shape != first[1][0].type.shape:
            return None
        sources.append(found[1][0])
    return sources
