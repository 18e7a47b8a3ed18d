"""Loops and branches whose course the values decide, over trees of arrays.

Each function is traced once to a region, a graph of its own; what it reads from outside its arguments becomes an
operand. The ops of rosin.ir.ops that hold the regions have derivatives and batches, so these functions work inside
every transform and inside one another. Outside any trace the op runs at once, compiled the first time it is met.

The functions whose names begin with `run_` are for callers inside the front end: `what` stands for the function in
messages, and `names` name the values (rosin.frontend.regions says how).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import core, rewrite, staging, tree
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.errors import ArgumentError, ControlFlowError
from rosin.frontend.regions import Argument, Names, agreed, argument, settled, shared_captures
from rosin.frontend.staging import Function, Input, Staged
from rosin.frontend.tree import Tree
from rosin.ir import dtypes
from rosin.ir.dims import Dim, Sym
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.graph import Graph
from rosin.ir.ops.control import Switch
from rosin.ir.ops.loop import While
from rosin.ir.ops.revolve import Plan
from rosin.ir.ops.scan import Scan

if TYPE_CHECKING:
    from rosin.frontend.array import Array


# -- branches ----------------------------------------------------------------------------------------------------


def cond(pred: Any, true_fun: Function, false_fun: Function, *operands: Tree) -> Tree:
    """`true_fun(*operands)` if `pred` holds, else `false_fun(*operands)`.

    Both functions are traced, and return trees of the same types; one is run. Under `vmap` with a `pred` for each
    example both are run, and each example gets what its own `pred` chooses.

    Raises:
        DTypeError: `pred` is no boolean.
        ShapeError: `pred` is no scalar.
        ControlFlowError: the branches give different trees or types.
    """
    index = core.cast(boolean(pred, "cond: pred"), dtypes.i32)
    branches, labels = (false_fun, true_fun), ("by false_fun", "by true_fun")
    return run_switch("cond", index, branches, operands, _operand_names(true_fun, operands), labels)


def switch(index: Any, branches: Sequence[Function], *operands: Tree) -> Tree:
    """`branches[index](*operands)`, where an index below 0 is taken for 0 and one that is too large for the last.

    All branches are traced, and return trees of the same types; one is run. Under `vmap` with an `index` for each
    example all are run, and each example gets what its own index chooses.

    Raises:
        ArgumentError: there are no branches.
        DTypeError: `index` is no integer.
        ShapeError: `index` is no scalar.
        ControlFlowError: the branches give different trees or types.
    """
    branches = tuple(branches)
    if not branches:
        raise tr.located(ArgumentError("switch: there are no branches to choose from"))
    labels = tuple(f"by branch {number}" for number in range(len(branches)))
    chosen = _branch_number(index, len(branches))
    return run_switch("switch", chosen, branches, operands, _operand_names(branches[0], operands), labels)


def run_switch(
    what: str,
    index: Array,
    branches: Sequence[Function],
    operands: tuple[Tree, ...],
    names: Names,
    labels: Sequence[str],
    results: Names = "result",
) -> Tree:
    """The results of the branch of number `index`, an i32 scalar; `labels` say what is given by which branch."""
    given = argument(operands, names, what)

    def trace(branch: Function) -> Staged:
        return _stage(lambda *leaves: rewrite.call(branch, *given.tree(leaves)), given.inputs, branch, what)

    staged, weak = agreed([trace(branch) for branch in branches], labels, results, what)
    captures, graphs = shared_captures(staged)
    arrays = [*given.arrays, *staging.captured_arrays(captures)]
    if core.tracing():
        found = core.bind(Switch(tuple(graphs)), index, *arrays, weak=weak)
    else:
        number = int(core.concrete(index, "the branch is chosen by its number", ""))
        found = core.apply(graphs[min(max(number, 0), len(graphs) - 1)], arrays)
    return tree.unflatten(staged[0].structure, found)


def _branch_number(index: Any, count: int) -> Array:
    """The index as an i32 scalar, which any wider integer fits into once it is clipped."""
    # A Python integer of any size can be clipped, and need not fit an element type before it is.
    number = core.asarray(min(max(int(index), 0), count - 1) if _is_known(index) else index)
    type = core.type_of(number)
    if not type.dtype.is_integer:
        raise tr.located(DTypeError(f"switch: the index is an integer, not {type}", [type]))
    if type.rank:
        raise tr.located(ShapeError(f"switch: the index is one integer, not {type}; see vmap", [type]))
    return core.cast(rnp.clip(number, 0, min(count - 1, type.dtype.highest)), dtypes.i32)


def _operand_names(branch: Function, operands: Sequence[Tree]) -> list[str]:
    return staging.parameter_names(branch, len(operands))


def boolean(x: Any, what: str) -> Array:
    """A truth value as an array; `what` names it in messages.

    Raises:
        DTypeError: it is no boolean.
        ShapeError: it is no scalar.
    """
    array = core.asarray(x)
    type = core.type_of(array)
    if type.dtype.kind != "bool":
        raise tr.located(DTypeError(f"{what} is a boolean, not {type}; x != 0 is one", [type]))
    if type.rank:
        message = f"{what} is one boolean, not {type}; reduce it by all() or any(), or see vmap and rosin.numpy.where"
        raise tr.located(ShapeError(message, [type]))
    return array


# -- loops that a predicate ends -----------------------------------------------------------------------------------


def while_loop(cond_fun: Function, body_fun: Function, init_val: Tree, *, checkpoint: Plan = None) -> Tree:
    """`val = body_fun(val)` as long as `cond_fun(val)` holds, beginning with `init_val`.

    The value is a tree of arrays whose types stay the same. Reverse mode keeps what it needs of every step on a tape
    that grows as the loop runs. With `checkpoint="sqrt"` it keeps about two states for each root of the number of
    steps and makes each step twice again; with a number of slots it keeps so many states, and makes as few steps again
    as can be (Griewank and Walther, "Algorithm 799: revolve", 2000).

    Raises:
        AttributeValueError: `checkpoint` is none of these.
        ControlFlowError: `body_fun` gives back another tree, or other types.
        DTypeError: `cond_fun` gives no boolean.
        ShapeError: `cond_fun` gives no scalar.
    """
    (name,) = staging.parameter_names(body_fun, 1)
    return run_while("while_loop", cond_fun, body_fun, init_val, name, checkpoint)


def run_while(
    what: str, cond_fun: Function, body_fun: Function, init: Tree, names: Names, checkpoint: Plan = None
) -> Tree:
    """A loop from `init`; both functions take the tree as one argument."""
    start = argument(init, names, what)

    def body(inputs: Sequence[Input]) -> Staged:
        return _stage(lambda *leaves: rewrite.call(body_fun, start.tree(leaves)), inputs, body_fun, what)

    role = f"{what}: what {staging.name_of(body_fun)} carries"
    carry, step, weak = settled(start, body, lambda structure: structure, role)
    test = _stage(
        lambda *leaves: boolean(
            rewrite.call(cond_fun, carry.tree(leaves)), f"{what}: what {staging.name_of(cond_fun)} gives"
        ),
        carry.inputs,
        cond_fun,
        what,
    )
    captures, (cond_graph, body_graph) = shared_captures([test, step])
    op = While(cond_graph, body_graph, len(carry.arrays), checkpoint)
    found = core.bind(op, *carry.arrays, *staging.captured_arrays(captures), weak=weak)
    return carry.tree(found)


def fori_loop(lower: Any, upper: Any, body_fun: Function, init_val: Tree, *, checkpoint: Plan = None) -> Tree:
    """`val = body_fun(i, val)` for each `i` from `lower` up to and without `upper`, beginning with `init_val`.

    Bounds that are Python integers make a loop of known length. Other bounds are integer scalars; reverse mode is then
    that of `while_loop`, which tells about `checkpoint` too.

    Raises:
        AttributeValueError: `checkpoint` is no plan for keeping states.
        ControlFlowError: `body_fun` gives back another tree, or other types.
        DTypeError: a bound is no integer.
        ShapeError: a bound is no scalar.
    """
    names = ("i", *staging.parameter_names(body_fun, 2)[1:])

    def step(state: Any) -> Any:
        return state[0] + 1, rewrite.call(body_fun, *state)

    step.__name__ = staging.name_of(body_fun)
    if _is_known(lower) and _is_known(upper):
        first, last = int(lower), max(int(lower), int(upper))
        fits = dtypes.i32.lowest <= first <= last <= dtypes.i32.highest
        init = (first if fits else core.asarray(first, dtypes.i64), init_val)
        return run_scan("fori_loop", _without_rows(step), init, names, None, "", last - first, False, checkpoint)[0][1]
    start, end = _bound(lower, "lower"), _bound(upper, "upper")
    if not core.is_weak(lower) or not core.is_weak(upper):
        dtype = rnp.result_type(start, end)
        start, end = core.cast(start, dtype), core.cast(end, dtype)

    def goes_on(state: Any) -> Array:
        return state[0] < end

    return run_while("fori_loop", goes_on, step, (start, init_val), names, checkpoint)[1]


def _is_known(x: object) -> bool:
    """Whether it is an integer of Python's, or of NumPy's, whose value decides what is compiled."""
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def _without_rows(step: Function) -> Function:
    """A step of a scan that stacks nothing."""

    @functools.wraps(step)
    def both(state: Any, _: None) -> tuple[Any, None]:
        return step(state), None

    return both


def _bound(x: Any, name: str) -> Array:
    array = core.asarray(x)
    type = core.type_of(array)
    if not type.dtype.is_integer:
        raise tr.located(DTypeError(f"fori_loop: {name} is an integer, not {type}", [type]))
    if type.rank:
        raise tr.located(ShapeError(f"fori_loop: {name} is one integer, not {type}", [type]))
    return array


# -- loops over arrays -------------------------------------------------------------------------------------------


def scan(
    f: Function,
    init: Tree,
    xs: Tree = None,
    length: Dim | None = None,
    *,
    reverse: bool = False,
    checkpoint: Plan = None,
) -> Any:
    """`carry, y = f(carry, x)` for each element `x` along axis 0 of `xs`, beginning with `init`.

    Args:
        f: takes the carry, a tree of arrays whose types stay the same, and an element of `xs`; gives both the next
            carry and a tree `y`.
        xs: a tree of arrays with axis 0 of one size, the number of steps. Without leaves `length` tells it, and the
            elements are that tree.
        length: the number of steps.
        reverse: from the last element to the first. What is given for an element is stacked at its place.
        checkpoint: how reverse mode keeps less than what it needs of every step, as for `while_loop`.

    Returns:
        The carry after the last step, and the trees `y` stacked along a new axis 0.

    Raises:
        AttributeValueError: `checkpoint` is no plan for keeping states.
        ControlFlowError: `f` returns no pair, or gives back a carry of another tree or other types.
        ShapeError: the sizes of axis 0 disagree, a leaf has rank 0, or nothing tells the length.
    """
    carry_name, x_name = staging.parameter_names(f, 2)
    return run_scan("scan", f, init, carry_name, xs, x_name, length, reverse, checkpoint)


def map(f: Function, xs: Tree) -> Tree:
    """`f` of each element along axis 0 of `xs`, one after the other, stacked along a new axis 0.

    `xs` is a tree of arrays with axis 0 of one size. `vmap` computes the same for all elements together.

    Raises:
        ShapeError: the sizes of axis 0 disagree, a leaf has rank 0, or there is none.
    """
    (name,) = staging.parameter_names(f, 1)

    def step(_: None, x: Any) -> tuple[None, Any]:
        return None, rewrite.call(f, x)

    step.__name__ = staging.name_of(f)
    return run_scan("map", step, None, "carry", xs, name, None, False)[1]


def run_scan(
    what: str,
    f: Function,
    init: Tree,
    names: Names,
    xs: Tree,
    xs_names: Names,
    length: Dim | None,
    reverse: bool,
    checkpoint: Plan = None,
) -> tuple[Tree, Tree]:
    """A loop over `xs` that carries a tree from `init`; `f` takes both trees and gives a pair."""
    start, whole = argument(init, names, what), argument(xs, xs_names, what)
    count = _length(whole, length, what)
    elements = [Input(x.type.with_shape(x.type.shape[1:]), x.name) for x in whole.inputs]
    carried = len(start.arrays)

    def body(inputs: Sequence[Input]) -> Staged:
        def run(*leaves: Any) -> tuple[Any, Any]:
            result = rewrite.call(f, start.tree(leaves[:carried]), whole.tree(leaves[carried:]))
            if staging.is_pair(result):
                return result
            message = f"{what}: {staging.name_of(f)} returns {staging.kind_of(result)}; it returns a pair (carry, y)"
            raise tr.located(ControlFlowError(message))

        return _stage(run, [*inputs, *elements], f, what)

    role = f"{what}: what {staging.name_of(f)} carries"
    carry, step, weak = settled(start, body, lambda structure: structure.child(0), role)
    captures, (graph,) = shared_captures([step])
    last = carried + len(elements)
    inputs = graph.inputs
    graph = Graph((*inputs[:carried], *inputs[last:], *inputs[carried:last]), graph.nodes, graph.outputs, graph.name)
    found = core.bind(
        Scan(graph, carried, len(elements), count, reverse, checkpoint=checkpoint),
        *carry.arrays,
        *staging.captured_arrays(captures),
        *whole.arrays,
        weak=(*weak, *[False] * (len(graph.outputs) - carried)),
    )
    return carry.tree(found[:carried]), tree.unflatten(step.structure.child(1), found[carried:])


def _length(xs: Argument, length: Dim | None, what: str) -> Dim:
    """The number of steps.

    Raises:
        ShapeError: a leaf has rank 0, sizes disagree, or nothing tells the length.
    """
    for path, type in zip(xs.paths, xs.types, strict=True):
        if not type.rank:
            hint = "; a list is a tree of its items, rosin.numpy.asarray makes it an array"
            raise tr.located(ShapeError(f"{what}: {path} is a scalar, and the loop goes along axis 0{hint}", [type]))
    sizes: list[Dim] = [type.shape[0] for type in xs.types]
    if length is not None and not isinstance(length, Sym):
        if not _is_known(length) or length < 0:
            message = f"{what}: length is the number of steps, a Python integer, not {staging.kind_of(length)}"
            raise tr.located(ArgumentError(message))
        length = int(length)
    known = sizes if length is None else [length, *sizes]
    if not known:
        message = f"{what}: nothing tells the number of steps: xs has no leaves, and length is not given"
        raise tr.located(ShapeError(message))
    if any(size != known[0] for size in known):
        lines = [f"{what}: the lengths disagree"]
        if length is not None:
            lines.append(f"    length is {length}")
        lines += [
            f"    axis 0 of {path}, {type}, has size {type.shape[0]}"
            for path, type in zip(xs.paths, xs.types, strict=True)
        ]
        raise tr.located(ShapeError("\n".join(lines)))
    return known[0]


# -- helpers -----------------------------------------------------------------------------------------------------


def _stage(run: Callable[..., Tree], inputs: Sequence[Input], f: Function, what: str) -> Staged:
    return staging.stage(lambda tracers: run(*tracers), inputs, staging.name_of(f), by=what)


core.register_transform(fori_loop)
core.register_transform(while_loop)

__all__ = ["cond", "fori_loop", "map", "run_scan", "run_switch", "run_while", "scan", "switch", "while_loop"]
