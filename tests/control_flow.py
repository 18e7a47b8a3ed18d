"""Functions with loops and branches, each written once over the control flow `c` and the arrays `xp` it is given.

With `Plain` and NumPy it is ordinary Python; with Rosin, or with JAX, the same loops are traced. Samples are float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, Any]


class Plain:
    """What the functions of rosin.frontend.control mean, in a few lines of Python each."""

    @staticmethod
    def cond(pred: Any, true_fun: Any, false_fun: Any, *operands: Any) -> Any:
        return true_fun(*operands) if pred else false_fun(*operands)

    @staticmethod
    def switch(index: Any, branches: Sequence[Any], *operands: Any) -> Any:
        return branches[min(max(int(index), 0), len(branches) - 1)](*operands)

    @staticmethod
    def while_loop(cond_fun: Any, body_fun: Any, init_val: Any) -> Any:
        while cond_fun(init_val):
            init_val = body_fun(init_val)
        return init_val

    @staticmethod
    def fori_loop(lower: Any, upper: Any, body_fun: Any, init_val: Any) -> Any:
        for i in range(int(lower), int(upper)):
            init_val = body_fun(i, init_val)
        return init_val

    @staticmethod
    def scan(f: Any, init: Any, xs: Any = None, length: Any = None, *, reverse: bool = False) -> Any:
        count = len(_leaves(xs)[0]) if length is None else length
        rows: list[Any] = []
        for i in reversed(range(count)) if reverse else range(count):
            init, row = f(init, _map(lambda x, i=i: x[i], xs))
            rows.append(row)
        return init, _stacked(rows[::-1] if reverse else rows)

    @staticmethod
    def map(f: Any, xs: Any) -> Any:
        return _stacked([f(_map(lambda x, i=i: x[i], xs)) for i in range(len(_leaves(xs)[0]))])

    @staticmethod
    def associative_scan(fn: Any, elems: Any, *, reverse: bool = False, axis: int = 0) -> Any:
        count = _leaves(elems)[0].shape[axis]
        order = range(count)[::-1] if reverse else range(count)
        parts = [_map(lambda x, i=i: np.take(x, [i], axis), elems) for i in order]
        found = parts[:1]
        for part in parts[1:]:
            found.append(fn(found[-1], part))
        return _joined(found[::-1] if reverse else found, axis)


def _map(f: Any, tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: _map(f, v) for k, v in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_map(f, v) for v in tree)
    return None if tree is None else f(tree)


def _leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    _map(found.append, tree)
    return found


def _zip(f: Any, trees: list[Any]) -> Any:
    first = trees[0]
    if isinstance(first, dict):
        return {k: _zip(f, [t[k] for t in trees]) for k in first}
    if isinstance(first, tuple):
        return tuple(_zip(f, [t[i] for t in trees]) for i in range(len(first)))
    return None if first is None else f(trees)


def _stacked(trees: list[Any]) -> Any:
    # Of no steps nothing is known to be stacked.
    return _zip(lambda parts: np.stack([np.asarray(p) for p in parts]), trees) if trees else None


def _joined(trees: list[Any], axis: int) -> Any:
    return _zip(lambda parts: np.concatenate(parts, axis), trees)


@dataclass(frozen=True)
class Case:
    """A function from a vector to an array, smooth around its samples."""

    function: Callable[[Any, Any, Any], Any]
    size: int = 4

    @property
    def name(self) -> str:
        return self.function.__name__

    def sample(self, seed: int) -> Floats:
        return np.random.default_rng(seed).uniform(0.5, 1.5, self.size)


CASES: list[Case] = []


def case(size: int = 4) -> Callable[[Any], Any]:
    def add(function: Any) -> Any:
        CASES.append(Case(function, size))
        return function

    return add


# -- branches ----------------------------------------------------------------------------------------------------


@case()
def chosen(c: Any, xp: Any, x: Any) -> Any:
    """A predicate that differs between examples, operands, and a captured array."""
    return c.cond(xp.sum(x) > 4, lambda y, s: xp.sin(y) * s + x, lambda y, s: y * y * s, x, x[0])


@case()
def chosen_tree(c: Any, xp: Any, x: Any) -> Any:
    found = c.cond(x[0] < x[1], lambda s: {"a": s["p"], "b": (s["q"],)}, lambda s: {"a": s["q"] * 2, "b": (s["p"],)},
                   {"p": x[:2], "q": x[2:]})  # fmt: skip
    return xp.concatenate([found["a"], found["b"][0] ** 2])


@case()
def nested_branches(c: Any, xp: Any, x: Any) -> Any:
    def inner(y: Any) -> Any:
        return c.cond(y[1] > 1, lambda z: z * y[0], lambda z: xp.exp(z) + x, y)

    return c.cond(x[0] > 1, inner, lambda y: xp.log(y), x)


@case()
def one_of_four(c: Any, xp: Any, x: Any) -> Any:
    index = xp.asarray(xp.floor((x[0] - 0.7) * 6), dtype="int32")
    return c.switch(index, [lambda y: y, lambda y: y**2, lambda y: xp.sin(y) * x[1], lambda y: 1 / y], x)


@case()
def python_numbers_give_way(c: Any, xp: Any, x: Any) -> Any:
    return c.cond(x[0] > 1, lambda: x[0] * x[1], lambda: 2.0) * x


# -- loops -------------------------------------------------------------------------------------------------------


@case()
def doubled_until(c: Any, xp: Any, x: Any) -> Any:
    return c.while_loop(lambda y: xp.sum(y) < 40, lambda y: y * 1.5 + xp.sin(x), x)


@case()
def newton(c: Any, xp: Any, x: Any) -> Any:
    """A square root, whose number of steps differs between examples; the carry begins as a Python number."""

    def step(state: Any) -> Any:
        y, _, count = state
        new = (y + x[0] / y) / 2
        return new, xp.abs(new - y), count + 1

    found, _, count = c.while_loop(lambda s: s[1] > 1e-12, step, (x[0] * 3, x[0] + 1, 0))
    return found * x + 0 * count


@case()
def euclid(c: Any, xp: Any, x: Any) -> Any:
    whole = xp.asarray(xp.floor(x * 100), dtype="int32")
    a, _ = c.while_loop(lambda s: s[1] != 0, lambda s: (s[1], s[0] % s[1]), (whole[0], whole[1]))
    return x * a


@case()
def iterated(c: Any, xp: Any, x: Any) -> Any:
    return c.fori_loop(0, 6, lambda i, y: xp.sin(y * x) + i * y / 4, x)


@case()
def from_a_bound_above(c: Any, xp: Any, x: Any) -> Any:
    return c.fori_loop(3, 1, lambda i, y: y * i, x) * c.fori_loop(2, 5, lambda i, y: y + i, x[0])


@case()
def to_a_traced_bound(c: Any, xp: Any, x: Any) -> Any:
    bound = xp.asarray(xp.floor(x[0] * 5), dtype="int32")
    return c.fori_loop(1, bound, lambda i, y: xp.cos(y) + x * i, x)


@case(size=6)
def running(c: Any, xp: Any, x: Any) -> Any:
    last, rows = c.scan(lambda s, e: (s * 0.5 + xp.sin(e), s * e), x[0], x)
    return rows * last


@case(size=6)
def running_back(c: Any, xp: Any, x: Any) -> Any:
    table = xp.reshape(x, (3, 2))

    def step(state: Any, e: Any) -> Any:
        new = {"s": state["s"] * e["a"] + x[0], "n": state["n"] + 1}
        return new, {"sum": xp.sum(e["a"]) + state["s"], "n": state["n"]}

    last, rows = c.scan(step, {"s": x[:2], "n": 0}, {"a": table, "i": (xp.arange(3),)}, reverse=True)
    return last["s"] * last["n"] + xp.sum(rows["sum"] * xp.asarray(rows["n"], dtype="float64")[:, None], axis=0)


@case()
def without_elements(c: Any, xp: Any, x: Any) -> Any:
    last, rows = c.scan(lambda s, _: (xp.tanh(s * x), xp.sum(s)), x, None, length=5)
    return last * xp.sum(rows)


@case(size=6)
def each_alone(c: Any, xp: Any, x: Any) -> Any:
    found = c.map(lambda e: {"y": xp.sin(e[0]) * e[1], "z": e[1] ** 2}, (xp.reshape(x, (3, 2)), x[:3]))
    return found["y"] * found["z"][:, None]


@case(size=7)
def associative(c: Any, xp: Any, x: Any) -> Any:
    """A linear recurrence, combined pair by pair."""

    def combine(a: Any, b: Any) -> Any:
        return a[0] * b[0], b[0] * a[1] + b[1]

    _, forth = c.associative_scan(combine, (x, xp.sin(x)))
    _, back = c.associative_scan(combine, (x, xp.cos(x)), reverse=True)
    return forth + back


# -- nests -------------------------------------------------------------------------------------------------------


@case()
def branch_in_a_scan(c: Any, xp: Any, x: Any) -> Any:
    def step(s: Any, e: Any) -> Any:
        new = c.cond(s > 1, lambda y: y * 0.5 * e, lambda y: y + x[1] * e, s)
        return new, new * e

    last, rows = c.scan(step, x[0], x)
    return rows + last


@case()
def scan_in_a_scan(c: Any, xp: Any, x: Any) -> Any:
    def outer(s: Any, e: Any) -> Any:
        inner, rows = c.scan(lambda t, d: (xp.sin(t) + d * e, t * s), e, x)
        return s + inner, xp.sum(rows)

    last, rows = c.scan(outer, x[0], x)
    return rows * last


@case()
def while_in_a_branch_in_a_while(c: Any, xp: Any, x: Any) -> Any:
    def shrink(y: Any) -> Any:
        return c.while_loop(lambda z: xp.sum(z) > 2, lambda z: z * 0.7, y)

    def step(s: Any) -> Any:
        y, n = s
        return c.cond(xp.sum(y) > 8, shrink, lambda z: z * 1.3 + x * 0.1, y), n + 1

    return c.while_loop(lambda s: s[1] < 12, step, (x, 0))[0]


@case()
def loop_in_a_branch(c: Any, xp: Any, x: Any) -> Any:
    def many(y: Any) -> Any:
        return c.fori_loop(0, 4, lambda i, z: xp.sin(z) * x + i, y)

    return c.cond(x[0] > 1, many, lambda y: c.map(lambda e: e * x[1], y), x)
