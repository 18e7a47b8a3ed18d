"""L-BFGS (Liu and Nocedal 1989): Newton's direction from the last few steps, and a line search along it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.optim.line_search import Point, strong_wolfe
from rosin.stdlib.optim.transform import OptimizerError, Transform, Tree, apply_updates, counter, needed


@dataclass
class LbfgsState:
    """The last steps and changes of the gradient, a row each, and the value and gradient where the last step ended."""

    count: Array
    steps: Array
    changes: Array
    value: Array
    gradient: Array


def lbfgs(*, memory: int = 10, line_steps: int = 25) -> Transform:
    """`update(gradient, state, params, value=value, value_fn=f)`, where `value` is that of `f(params)`.

    The state afterwards has the value and the gradient at the new parameters, which need not be computed again.
    """

    def start(params: Tree) -> LbfgsState:
        flat = _flat(params)
        table = rnp.zeros((memory, flat.shape[0]), dtype=flat.dtype)
        return LbfgsState(counter(), table, table + 0, rnp.zeros((), dtype=flat.dtype), rnp.zeros_like(flat))

    def step(
        gradient: Tree,
        state: LbfgsState,
        params: Tree,
        *,
        value: Array | None = None,
        value_fn: Callable[[Tree], Array] | None = None,
        **extra: Any,
    ) -> tuple[Tree, LbfgsState]:
        params = needed(params, "lbfgs")
        if value is None or value_fn is None:
            raise OptimizerError("lbfgs searches along a line: update(gradient, state, params, value=…, value_fn=…)")
        slope = _flat(gradient)
        direction = -_newton(slope, state, memory)
        # Where rounding spoils the direction, downhill is always right.
        downhill = rnp.sum(direction * slope) < 0
        direction = rnp.where(downhill, direction, -slope)

        def along(length: Array) -> Point:
            def f(place: Tree) -> Array:
                return value_fn(place)

            found, by = rosin.value_and_grad(f)(apply_updates(params, _unflat(length * direction, gradient)))
            by = _flat(by)
            return Point(length, rnp.astype(found, slope.dtype), rnp.sum(by * direction), by)

        begin = Point(rnp.zeros((), slope.dtype), rnp.astype(value, slope.dtype), rnp.sum(slope * direction), slope)
        # The first step of all has no scale yet.
        first = rnp.where(state.count == 0, rnp.minimum(1.0, 1 / rnp.maximum(rnp.sum(rnp.abs(slope)), 1e-30)), 1.0)
        end = strong_wolfe(along, begin, rnp.astype(first, slope.dtype), steps=line_steps)
        moved, change = end.length * direction, end.gradient - slope
        # A pair of negative curvature would spoil the direction, and is left out.
        keep = rnp.sum(moved * change) > 1e-10 * rnp.sum(change * change)
        row = state.count % memory

        def put(table: Array, new: Array) -> Array:
            return table.at[row].set(rnp.where(keep, new, table[row]))

        new = LbfgsState(
            state.count + rnp.astype(keep, rosin.int32),
            put(state.steps, moved),
            put(state.changes, change),
            end.value,
            end.gradient,
        )
        return _unflat(moved, gradient), new

    return Transform(start, step)


def _newton(slope: Array, state: LbfgsState, memory: int) -> Array:
    """The product of the inverse Hessian, as the kept steps tell it, and a vector: two loops over the steps."""
    products = rnp.sum(state.steps * state.changes, axis=1)
    there = products > 0
    inverse = rnp.where(there, 1 / rnp.where(there, products, 1), 0)
    rows = (state.count - 1 - rnp.arange(memory)) % memory

    def back(q: Array, row: Array) -> tuple[Array, Array]:
        part = inverse[row] * rnp.sum(state.steps[row] * q)
        return q - part * state.changes[row], part

    q, parts = rosin.scan(back, slope, rows)
    last = rows[0]
    square = rnp.sum(state.changes[last] ** 2)
    scale = rnp.where(there[last], products[last] / rnp.where(square > 0, square, 1), 1)

    def forth(r: Array, given: tuple[Array, Array]) -> tuple[Array, tuple[()]]:
        row, part = given
        return r + state.steps[row] * (part - inverse[row] * rnp.sum(state.changes[row] * r)), ()

    return rosin.scan(forth, scale * q, (rows, parts), reverse=True)[0]


def _flat(tree: Tree) -> Array:
    return rnp.concat([rnp.reshape(x, (-1,)) for x in rosin.tree.leaves(tree)])


def _unflat(vector: Array, like: Tree) -> Tree:
    """The parts of a vector in the shapes of the leaves of a tree."""
    leaves, structure = rosin.tree.flatten(like)
    parts, begin = [], 0
    for leaf in leaves:
        parts.append(rnp.astype(rnp.reshape(vector[begin : begin + leaf.size], leaf.shape), leaf.dtype))
        begin += leaf.size
    return rosin.tree.unflatten(structure, parts)


# -- a whole minimization ----------------------------------------------------------------------------------------------


@dataclass
class Minimum:
    """What a minimization found; `converged` tells whether the gradient became as small as was asked."""

    params: Tree
    value: Array
    gradient_norm: Array
    steps: Array
    converged: Array


def minimize(
    f: Callable[[Tree], Array], params: Tree, *, steps: int = 200, tolerance: float = 1e-6, memory: int = 10
) -> Minimum:
    """The parameters for which `f(params)` is least, by L-BFGS from those given, as one loop of the program.

    It ends when no number of the gradient is larger than `tolerance`, or after so many `steps`.
    """
    optimizer = lbfgs(memory=memory)

    def go(carry: Any) -> Any:
        count, now, state = carry
        by = _unflat(state.gradient, now)
        updates, state = optimizer.update(by, state, now, value=state.value, value_fn=f)
        return count + 1, apply_updates(now, updates), state

    def more(carry: Any) -> Array:
        count, _, state = carry
        return (count < steps) & ~(rnp.max(rnp.abs(state.gradient)) <= tolerance)

    value, gradient = rosin.value_and_grad(f)(params)
    state = optimizer.init(params)
    flat = _flat(gradient)
    state = LbfgsState(state.count, state.steps, state.changes, rnp.astype(value, flat.dtype), flat)
    count, found, state = rosin.while_loop(more, go, (counter(), params, state))
    largest = rnp.max(rnp.abs(state.gradient))
    return Minimum(found, state.value, largest, count, largest <= tolerance)
