"""Functions with derivatives of the user's own, `checkpoint`, and `stop_gradient`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rosin.frontend import core, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.errors import TransformError
from rosin.frontend.staging import Function, Input, Staged
from rosin.frontend.tree import Structure, Tree
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.op import Value
from rosin.ir.ops.call import Checkpoint, CustomJvp, CustomVjp, StopGradient
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Numbers: TypeAlias = "int | Sequence[int]"


def stop_gradient(x: Tree) -> Tree:
    """Each leaf as it is, but a constant to every derivative."""

    def stop(leaf: Any) -> Array:
        array = core.asarray(leaf)
        return core.bind1(StopGradient(core.type_of(array)), array)

    return tree.map(stop, x)


# -- checkpoint --------------------------------------------------------------------------------------------------


def checkpoint(f: Function) -> Function:
    """The function, whose intermediate values are not kept for the way back but computed again there.

    Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
    """

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not core.tracing():
            return f(*args, **kwargs)
        call = _Arguments(f, "checkpoint", args, kwargs)
        staged = staging.stage(lambda tracers: call.run(f, tracers), call.inputs(), staging.name_of(f))
        results = core.bind(Checkpoint(staged.graph), *staged.operands(call.arrays))
        return tree.unflatten(staged.structure, results)

    return checkpointed


class _Arguments:
    """The arguments of a call: leaves that are arrays are traced, the others are passed on as they are."""

    def __init__(self, f: Function, what: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.leaves, self.structure = tree.flatten((args, kwargs))
        names = staging.parameter_names(f, len(args))
        paths: list[str] = []
        for name, arg in [*zip(names, args, strict=True), *sorted(kwargs.items())]:
            paths += tree.path_texts(name, tree.structure(arg))
        self.places = [i for i, leaf in enumerate(self.leaves) if core.is_array(leaf) or isinstance(leaf, np.ndarray)]
        self.arrays = [core.asarray(self.leaves[i]) for i in self.places]
        self.paths = [paths[i] for i in self.places]

    def inputs(self) -> list[Input]:
        return [staging.input_of(x, path) for x, path in zip(self.arrays, self.paths, strict=True)]

    def run(self, f: Function, tracers: Sequence[Any]) -> Any:
        leaves = list(self.leaves)
        for place, tracer in zip(self.places, tracers, strict=True):
            leaves[place] = tracer
        args, kwargs = tree.unflatten(self.structure, leaves)
        return f(*args, **kwargs)


# -- custom derivatives --------------------------------------------------------------------------------------------


class _Custom:
    """A function with a rule, called with the arguments at `nondiff_argnums` passed to the rule as they are."""

    def __init__(self, f: Function, nondiff_argnums: Numbers = ()) -> None:
        functools.update_wrapper(self, f)
        self.__wrapped__ = f
        self.name = staging.name_of(f)
        self.nondiff = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)

    def split(self, args: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
        """The arguments that are not differentiated, and those that are."""
        fixed = [args[i] for i in self.nondiff]
        return fixed, [a for i, a in enumerate(args) if i not in self.nondiff]

    def join(self, fixed: Sequence[Any], moving: Sequence[Any]) -> list[Any]:
        """The arguments in order."""
        args = list(moving)
        for place, value in sorted(zip(self.nondiff, fixed, strict=True)):
            args.insert(place, value)
        return args

    def flat(self, args: tuple[Any, ...]) -> tuple[list[Any], list[Array], Structure, list[Input]]:
        """Fixed arguments, and the leaves of the others with their structure and what they are in a graph."""
        for number in self.nondiff:
            if not 0 <= number < len(args):
                message = f"{self.name}: nondiff_argnums has {number}, and the call has {len(args)} arguments"
                raise tr.located(TransformError(message))
        fixed, moving = self.split(args)
        leaves, structure = tree.flatten(tuple(moving))
        names = staging.parameter_names(self.__wrapped__, len(args))
        paths: list[str] = []
        for number, name in enumerate(names):
            if number not in self.nondiff:
                paths += tree.path_texts(name, tree.structure(args[number]))
        instead = "an argument that is none is named in nondiff_argnums"
        arrays = [staging.as_argument(leaf, path, self.name, instead) for leaf, path in zip(leaves, paths, strict=True)]
        inputs = [staging.input_of(x, path) for x, path in zip(arrays, paths, strict=True)]
        return fixed, arrays, structure, inputs

    def positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments by position, defaults filled in."""
        if not kwargs:
            return args
        bound = staging.signature_of(self.__wrapped__).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            names = ", ".join(bound.kwargs)
            raise tr.located(
                TransformError(f"{self.name} has a derivative of its own and no place for keywords {names}")
            )
        return bound.args


class custom_jvp(_Custom):
    """A function whose derivative is given by a rule for forward mode, from which reverse mode follows.

    `f.defjvp(rule)` gives the rule: `rule(primals, tangents)` returns the output and its tangent. The arguments at
    `nondiff_argnums` come before these, as they are. What the function reads from outside its arguments is taken for
    constant. Tangents of arguments that hold no floats are None.
    """

    def __init__(self, f: Function, nondiff_argnums: Numbers = ()) -> None:
        super().__init__(f, nondiff_argnums)
        self.rule: Function | None = None

    def defjvp(self, rule: Function) -> Function:
        """Set the rule. Can be used as a decorator."""
        self.rule = rule
        return rule

    def defjvps(self, *rules: Function | None) -> None:
        """Set a rule for each argument: `rule(tangent, output, *primals)` is its part of the output's tangent.

        None stands for an argument that the output does not move with.
        """

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            out = self(*primals)
            parts = [r(t, out, *primals) for r, t in zip(rules, tangents, strict=True) if r is not None]
            if not parts:
                return out, None
            return out, functools.reduce(lambda a, b: tree.map(lambda x, y: x + y, a, b), parts)

        self.rule = rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self.positional(args, kwargs)
        if not core.tracing():
            return self.__wrapped__(*args)
        if self.rule is None:
            raise tr.located(TransformError(f"{self.name} is a custom_jvp without a rule; give it one with defjvp"))
        fixed, arrays, structure, inputs = self.flat(args)

        def body(tracers: list[Any]) -> Any:
            return self.__wrapped__(*self.join(fixed, tree.unflatten(structure, tracers)))

        staged = staging.stage(body, inputs, self.name)
        floats = [i.type.dtype.differentiable for i in inputs]
        dots = [Input(i.type, f"{i.name}_dot") for i, is_float in zip(inputs, floats, strict=True) if is_float]
        rule = staging.stage(
            functools.partial(self._run_rule, self.rule, fixed, structure, floats, staged),
            [*inputs, *dots],
            f"{self.name}_jvp",
        )
        operands, body_graph, rule_graph = _merge_jvp(staged, rule, arrays, len(dots))
        results = core.bind(CustomJvp(body_graph, rule_graph), *operands)
        return tree.unflatten(staged.structure, results)

    def _run_rule(
        self,
        rule: Function,
        fixed: list[Any],
        structure: Structure,
        floats: list[bool],
        staged: Staged,
        tracers: list[Any],
    ) -> Any:
        """The rule on flat primals and tangents; gives outputs and the tangents of those that hold floats."""
        count = len(floats)
        rest = iter(tracers[count:])
        primals = tree.unflatten(structure, tracers[:count])
        tangents = tree.unflatten(structure, [next(rest) if is_float else None for is_float in floats])
        result = rule(*fixed, primals, tangents)
        if not (isinstance(result, tuple) and len(result) == 2):  # pyright: ignore[reportUnknownArgumentType]
            message = f"the jvp rule of {self.name} returns a pair (output, tangent), not a {type(result).__name__}"
            raise tr.located(TransformError(message))
        types = [v.type for v in staged.graph.outputs]
        out, tangent = result  # pyright: ignore[reportUnknownVariableType]
        what = f"the jvp rule of {self.name}"
        outputs = _like(out, staged.structure, types, f"{what}: its output", False)
        moved = _like(tangent, staged.structure, types, f"{what}: its tangent", True)
        return [*outputs, *(m for m, t in zip(moved, types, strict=True) if t.dtype.differentiable)]


class custom_vjp(_Custom):
    """A function whose derivative in reverse mode is given by a pair of functions.

    `f.defvjp(forward, backward)`: `forward(*args)` returns the output and what is kept, `backward(kept, cotangent)`
    returns a tuple of cotangents, one for each argument, None for zero. The arguments at `nondiff_argnums` come first
    in `backward`, as they are. What the functions read from outside their arguments is taken for constant.
    """

    def __init__(self, f: Function, nondiff_argnums: Numbers = ()) -> None:
        super().__init__(f, nondiff_argnums)
        self.rules: tuple[Function, Function] | None = None

    def defvjp(self, forward: Function, backward: Function) -> None:
        """Set the rules."""
        self.rules = (forward, backward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self.positional(args, kwargs)
        if not core.tracing():
            return self.__wrapped__(*args)
        if self.rules is None:
            raise tr.located(TransformError(f"{self.name} is a custom_vjp without rules; give it some with defvjp"))
        fixed, arrays, structure, inputs = self.flat(args)

        def body(tracers: list[Any]) -> Any:
            return self.__wrapped__(*self.join(fixed, tree.unflatten(structure, tracers)))

        staged = staging.stage(body, inputs, self.name)
        forward, kept = self._stage_forward(fixed, structure, inputs, staged)
        backward = self._stage_backward(fixed, structure, inputs, staged, forward, kept)
        operands, op = _merge_vjp(staged, forward, backward, arrays)
        return tree.unflatten(staged.structure, core.bind(op, *operands))

    def _stage_forward(
        self, fixed: list[Any], structure: Structure, inputs: list[Input], staged: Staged
    ) -> tuple[Staged, Structure]:
        """`forward` as a graph that gives the outputs and the leaves of what is kept; and the structure of these."""
        assert self.rules is not None
        forward = self.rules[0]
        shapes: list[Structure] = []

        def run(tracers: list[Any]) -> Any:
            result = forward(*self.join(fixed, tree.unflatten(structure, tracers)))
            if not (isinstance(result, tuple) and len(result) == 2):  # pyright: ignore[reportUnknownArgumentType]
                message = (
                    f"the forward rule of {self.name} returns a pair (output, kept), not a {type(result).__name__}"
                )
                raise tr.located(TransformError(message))
            out, kept = result  # pyright: ignore[reportUnknownVariableType]
            types = [v.type for v in staged.graph.outputs]
            outputs = _like(out, staged.structure, types, f"the forward rule of {self.name}: its output", False)
            leaves, shape = tree.flatten(kept)
            shapes.append(shape)
            return [*outputs, *leaves]

        return staging.stage(run, inputs, f"{self.name}_fwd"), shapes[0]

    def _stage_backward(
        self,
        fixed: list[Any],
        structure: Structure,
        inputs: list[Input],
        staged: Staged,
        forward: Staged,
        kept: Structure,
    ) -> Staged:
        """`backward` as a graph from what is kept and the cotangents of float outputs to cotangents of float inputs."""
        assert self.rules is not None
        backward = self.rules[1]
        types = [v.type for v in staged.graph.outputs]
        residuals = [v.type for v in forward.graph.outputs[len(types) :]]
        carried = [Input(t, "cotangent") for t in types if t.dtype.differentiable]

        def run(tracers: list[Any]) -> Any:
            rest = iter(tracers[len(residuals) :])
            # An output without floats has a cotangent of zeros, as it has in the pullback.
            bars = [next(rest) if t.dtype.differentiable else None for t in types]
            result = backward(
                *fixed,
                tree.unflatten(kept, tracers[: len(residuals)]),
                tree.unflatten(staged.structure, bars),
            )
            if isinstance(result, list):
                result = tuple(result)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            what = f"the backward rule of {self.name}: its cotangents"
            found = _like(result, structure, [i.type for i in inputs], what, True)
            return [g for g, i in zip(found, inputs, strict=True) if i.type.dtype.differentiable]

        return staging.stage(run, [*(Input(t, "kept") for t in residuals), *carried], f"{self.name}_bwd")


def _like(given: Tree, structure: Structure, types: Sequence[TensorType], what: str, derivative: bool) -> list[Array]:
    """The leaves of a tree of that structure and those types; of a derivative, None is zero, at any height."""
    try:
        parts: list[Any] = structure.flatten_up_to(given) if not derivative else _flatten_to(structure, given)
    except (ValueError, TypeError) as error:
        message = f"{what} has structure {tree.structure(given)}, and {structure} is expected"
        raise tr.located(TransformError(message)) from error
    paths = tree.path_texts("result", structure)
    arrays: list[Array] = []
    for part, type, path in zip(parts, types, paths, strict=True):
        if derivative and (part is None or not type.dtype.differentiable):
            b = Builder()
            arrays.append(core.apply(b.graph([b.zeros(type)], "zeros"), [])[0])
            continue
        array = staging.as_argument(part, path, what, "it is an array of the type of the value")
        if core.is_weak(array):
            array = core.cast(array, type.dtype)
        found = core.type_of(array)
        if found != type and derivative and core.is_scalar(part):
            b = Builder()
            array = core.apply(b.graph([b.full(part, type)], "full"), [])[0]
        elif found != type:
            raise tr.located(TransformError(f"{what}: {path} has type {found}, and {type} is expected"))
        arrays.append(array)
    return arrays


def _flatten_to(structure: Structure, given: Tree) -> list[Any]:
    """The parts of a tree at the leaves of a structure; None may stand for any part."""
    if given is None:
        return [None] * structure.num_leaves
    if structure.is_leaf():
        return [given]
    children = structure.one_level().flatten_up_to(given) if structure.num_children else []
    parts: list[Any] = []
    for child, part in zip(structure.children(), children, strict=True):
        parts += _flatten_to(child, part)
    return parts


# -- graphs over common operands -----------------------------------------------------------------------------------


def _merge_jvp(body: Staged, rule: Staged, arrays: list[Array], dots: int) -> tuple[list[Array], Graph, Graph]:
    """Body and rule over the same operands: the arguments, then what either captured, then (the rule) tangents."""
    captures = _union(body, rule)
    count = len(arrays)
    types = [core.type_of(x) for x in (*arrays, *staging.captured_arrays(captures))]

    b = Builder()
    inputs = [b.input(t, v) for t, v in zip(types, _names(body, count, len(types)), strict=True)]
    body_graph = b.graph(b.inline(body.graph, _pick(inputs, count, captures, body)), body.graph.name)

    b = Builder()
    inputs = [b.input(t, v) for t, v in zip(types, _names(body, count, len(types)), strict=True)]
    tangents = [b.input(t, "dot") for t in types if t.dtype.differentiable]
    picked = _pick(inputs, count, captures, rule)
    outputs = b.inline(rule.graph, [*picked[:count], *tangents[:dots], *picked[count:]])
    return [*arrays, *staging.captured_arrays(captures)], body_graph, b.graph(outputs, rule.graph.name)


def _merge_vjp(body: Staged, forward: Staged, backward: Staged, arrays: list[Array]) -> tuple[list[Array], CustomVjp]:
    """Body and forward rule over the same operands; what the backward rule captured is kept by the forward rule."""
    captures = _union(body, forward, backward)
    count = len(arrays)
    types = [core.type_of(x) for x in (*arrays, *staging.captured_arrays(captures))]
    names = _names(body, count, len(types))

    b = Builder()
    inputs = [b.input(t, name) for t, name in zip(types, names, strict=True)]
    body_graph = b.graph(b.inline(body.graph, _pick(inputs, count, captures, body)), body.graph.name)

    b = Builder()
    inputs = [b.input(t, name) for t, name in zip(types, names, strict=True)]
    outputs = b.inline(forward.graph, _pick(inputs, count, captures, forward))
    extra = _pick(inputs, count, captures, backward)[count:]
    forward_graph = b.graph([*outputs, *extra], forward.graph.name)

    b = Builder()
    own = len(outputs) - len(body.graph.outputs)
    residuals = [b.input(v.type, v.name) for v in (*outputs[len(body.graph.outputs) :], *extra)]
    carried = [b.input(v.type, "cotangent") for v in body.graph.outputs if v.type.dtype.differentiable]
    found = b.inline(backward.graph, [*residuals[:own], *carried, *residuals[own:]])
    # What was captured counts as constant.
    constant = [b.zeros(t) for t in types[count:] if t.dtype.differentiable]
    backward_graph = b.graph([*found, *constant], backward.graph.name)
    operands = [*arrays, *staging.captured_arrays(captures)]
    return operands, CustomVjp(body_graph, forward_graph, backward_graph)


def _union(*all: Staged) -> list[tr.Captured]:
    captures: dict[Any, tr.Captured] = {}
    for staged in all:
        captures |= {tr.identity(c): c for c in staged.captures}
    return list(captures.values())


def _pick(inputs: list[Value], count: int, captures: list[tr.Captured], staged: Staged) -> list[Value]:
    """The inputs that one of the graphs takes, out of the common ones."""
    place = {tr.identity(c): i for i, c in enumerate(captures)}
    return [*inputs[:count], *(inputs[count + place[tr.identity(c)]] for c in staged.captures)]


def _names(body: Staged, count: int, total: int) -> list[str]:
    return [v.name for v in body.graph.inputs[:count]] + ["captured"] * (total - count)
