"""Functions with derivatives of the user's own, `checkpoint`, `stop_gradient` and `optimization_barrier`."""

from __future__ import annotations

import functools
import operator
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from rosin.frontend import batching, core, rewrite, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.errors import TransformError
from rosin.frontend.staging import Function, Input, Staged
from rosin.frontend.tree import Structure, Tree
from rosin.ir.builder import Builder
from rosin.ir.graph import Deferred, Graph
from rosin.ir.op import Value
from rosin.ir.ops.call import Barrier, Checkpoint, CustomJvp, CustomVjp, StopGradient
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


def optimization_barrier(x: Tree) -> Tree:
    """Each leaf as it is, but none before all of them are there: the compiler moves no work across.

    What is computed from the result is not merged with what the leaves come from, so a leaf is stored once and read
    there, rather than all that follows from it.
    """
    leaves, structure = tree.flatten(x)
    return tree.unflatten(structure, core.bind(Barrier(), *map(core.asarray, leaves)) if leaves else [])


# -- checkpoint --------------------------------------------------------------------------------------------------


def checkpoint(f: Function) -> Function:
    """The function, whose intermediate values are not kept for the way back but computed again there.

    Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
    """

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not core.tracing():
            return f(*args, **kwargs)
        call = Arguments(f, "checkpoint", args, kwargs)
        staged = staging.stage(lambda tracers: call.run(f, tracers), call.inputs(), staging.name_of(f), by="checkpoint")
        results = core.bind(Checkpoint(staged.graph), *staged.operands(call.arrays))
        return tree.unflatten(staged.structure, results)

    return checkpointed


class Arguments:
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
        return rewrite.call(f, *args, **kwargs)


# -- custom derivatives --------------------------------------------------------------------------------------------


class _Discovering(threading.local):
    """The functions whose rules are being traced only to learn what these capture."""

    def __init__(self) -> None:
        self.functions: list[_Custom] = []


_discovering = _Discovering()


class _Custom(ABC):
    """A function with a rule, called with the arguments at `nondiff_argnums` passed to the rule as they are."""

    def __init__(self, f: Function, nondiff_argnums: Numbers = ()) -> None:
        functools.update_wrapper(cast("Any", self), f)
        self.__wrapped__ = f
        self.name = staging.name_of(f)
        self.nondiff = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value."""

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

    def is_plain(self) -> bool:
        """Whether a call is nothing but a call of the function: no derivative can be asked of it."""
        return not core.tracing() or self in _discovering.functions

    def captures(self, *stages: Callable[[], Staged]) -> list[tr.Captured]:
        """What the graphs capture, the function's own calls in them taken for calls without a rule."""
        _discovering.functions.append(self)
        try:
            found = {tr.identity(c): c for stage in stages for c in stage().captures}
        finally:
            _discovering.functions.pop()
        return list(found.values())

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
            return out, functools.reduce(functools.partial(tree.map, operator.add), parts) if parts else None

        self.rule = rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self.positional(args, kwargs)
        if self.is_plain():
            return rewrite.call(self.__wrapped__, *args)
        if self.rule is None:
            raise tr.located(TransformError(f"{self.name} is a custom_jvp without a rule; give it one with defjvp"))
        call = _Flat(self, args)
        body = call.stage_body()
        run = functools.partial(self._run_rule, self.rule, call, body)
        inputs = [*call.inputs, *call.tangents()]
        name = f"{self.name}_jvp"
        captures = self.captures(lambda: body, lambda: staging.stage(run, inputs, name))
        axes = batching.axes()

        def rule() -> Graph:
            with batching.within(axes):
                staged = staging.stage(run, inputs, name, adopted=captures)
            return _with_captured_tangents(staged.graph, len(call.inputs), len(inputs))

        op = CustomJvp(body.over(captures), Deferred(rule))
        results = core.bind(op, *call.arrays, *staging.captured_arrays(captures))
        return tree.unflatten(body.structure, results)

    def _run_rule(self, rule: Function, call: _Flat, body: Staged, tracers: list[Any]) -> Any:
        """The rule on flat primals and tangents; gives outputs and the tangents of those that hold floats."""
        count = len(call.inputs)
        rest = iter(tracers[count:])
        primals = tree.unflatten(call.structure, tracers[:count])
        moving = [next(rest) if i.type.dtype.differentiable else None for i in call.inputs]
        result = rewrite.call(rule, *call.fixed, primals, tree.unflatten(call.structure, moving))
        out, tangent = _pair(result, f"the jvp rule of {self.name} returns a pair (output, tangent)")
        types = [v.type for v in body.graph.outputs]
        what = f"the jvp rule of {self.name}"
        outputs = _like(out, body.structure, types, f"{what}: its output", False)
        moved = _like(tangent, body.structure, types, f"{what}: its tangent", True)
        return [*outputs, *(m for m, t in zip(moved, types, strict=True) if t.dtype.differentiable)]


class custom_vjp(_Custom):
    """A function whose derivative in reverse mode is given by a pair of functions.

    `f.defvjp(forward, backward)`: `forward(*args)` returns the output and what is kept, `backward(kept, cotangent)`
    returns a tuple of cotangents, one for each argument, None for zero. The arguments at `nondiff_argnums` come first
    in `backward`, as they are. What the functions read from outside their arguments is taken for constant.
    Cotangents of outputs that hold no floats are None.
    """

    def __init__(self, f: Function, nondiff_argnums: Numbers = ()) -> None:
        super().__init__(f, nondiff_argnums)
        self.rules: tuple[Function, Function] | None = None

    def defvjp(self, forward: Function, backward: Function) -> None:
        """Set the rules."""
        self.rules = (forward, backward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self.positional(args, kwargs)
        if self.is_plain():
            return rewrite.call(self.__wrapped__, *args)
        if self.rules is None:
            raise tr.located(TransformError(f"{self.name} is a custom_vjp without rules; give it some with defvjp"))
        call = _Flat(self, args)
        body = call.stage_body()
        rules = _Reverse(self, self.rules, call, body)
        captures = self.captures(lambda: body, rules.stage_forward, rules.stage_backward)
        axes = batching.axes()

        def forward() -> Graph:
            with batching.within(axes):
                return rules.forward_graph(captures)

        def backward() -> Graph:
            with batching.within(axes):
                return rules.backward_graph(captures)

        op = CustomVjp(body.over(captures), Deferred(forward), Deferred(backward))
        results = core.bind(op, *call.arrays, *staging.captured_arrays(captures))
        return tree.unflatten(body.structure, results)


class _Flat:
    """A call of a custom function: what is passed on as it is, and the flat arrays of the rest."""

    def __init__(self, custom: _Custom, args: tuple[Any, ...]) -> None:
        self.custom = custom
        self.fixed, self.arrays, self.structure, self.inputs = custom.flat(args)

    def arguments(self, leaves: Sequence[Any]) -> list[Any]:
        """The arguments with other leaves."""
        return self.custom.join(self.fixed, tree.unflatten(self.structure, leaves))

    def tangents(self) -> list[Input]:
        return [Input(i.type, f"{i.name}_dot") for i in self.inputs if i.type.dtype.differentiable]

    def stage_body(self) -> Staged:
        """The function itself as a graph."""
        function = self.custom.__wrapped__
        by = type(self.custom).__name__
        return staging.stage(lambda tracers: function(*self.arguments(tracers)), self.inputs, self.custom.name, by=by)


class _Reverse:
    """The rules of a custom_vjp for one call, traced when they are asked for."""

    def __init__(self, custom: custom_vjp, rules: tuple[Function, Function], call: _Flat, body: Staged) -> None:
        self.name = custom.name
        self.forward, self.backward = rules
        self.call, self.body = call, body
        self.types = [v.type for v in body.graph.outputs]
        # Known once `forward` was traced.
        self.kept: Structure | None = None
        self.residuals: list[TensorType] = []

    def stage_forward(self, adopted: Sequence[tr.Captured] | None = None) -> Staged:
        """`forward`: arguments to outputs and the leaves of what is kept."""

        def run(tracers: list[Any]) -> Any:
            result = self.forward(*self.call.arguments(tracers))
            out, kept = _pair(result, f"the forward rule of {self.name} returns a pair (output, kept)")
            outputs = _like(out, self.body.structure, self.types, f"the forward rule of {self.name}: its output", False)
            leaves, self.kept = tree.flatten(kept)
            return [*outputs, *leaves]

        staged = staging.stage(run, self.call.inputs, f"{self.name}_fwd", adopted=adopted)
        self.residuals = [v.type for v in staged.graph.outputs[len(self.types) :]]
        return staged

    def stage_backward(self, adopted: Sequence[tr.Captured] | None = None) -> Staged:
        """`backward`: what is kept and the cotangents of float outputs to the cotangents of float arguments."""
        carried = [Input(t, "cotangent") for t in self.types if t.dtype.differentiable]
        inputs = self.call.inputs
        kept = self.kept
        assert kept is not None, "backward is traced after forward"

        def run(tracers: list[Any]) -> Any:
            rest = iter(tracers[len(self.residuals) :])
            bars = [next(rest) if t.dtype.differentiable else None for t in self.types]
            held = tree.unflatten(kept, tracers[: len(self.residuals)])
            result = self.backward(*self.call.fixed, held, tree.unflatten(self.body.structure, bars))
            given = tuple(result) if isinstance(result, list) else result  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            what = f"the backward rule of {self.name}: its cotangents"
            found = _like(given, self.call.structure, [i.type for i in inputs], what, True)
            return [g for g, i in zip(found, inputs, strict=True) if i.type.dtype.differentiable]

        inner = [*(Input(t, "kept") for t in self.residuals), *carried]
        return staging.stage(run, inner, f"{self.name}_bwd", adopted=adopted)

    def forward_graph(self, captures: Sequence[tr.Captured]) -> Graph:
        """Arguments and captures to outputs, what is kept, and the captures, which `backward` may need."""
        graph = self.stage_forward(captures).graph
        return Graph(graph.inputs, graph.nodes, (*graph.outputs, *graph.inputs[len(self.call.inputs) :]), graph.name)

    def backward_graph(self, captures: Sequence[tr.Captured]) -> Graph:
        """What is kept, captures and cotangents to cotangents of arguments and, zero, of captures."""
        graph = self.stage_backward(captures).graph
        kept, captured = len(self.residuals), len(graph.inputs) - len(captures)
        inputs = (*graph.inputs[:kept], *graph.inputs[captured:], *graph.inputs[kept:captured])
        b = Builder()
        new = [b.input(v.type, v.name) for v in inputs]
        env = dict(zip(inputs, new, strict=True))
        found = b.inline(graph, [env[v] for v in graph.inputs])
        constant = [b.zeros(v.type) for v in graph.inputs[captured:] if v.type.dtype.differentiable]
        return b.graph([*found, *constant], graph.name)


def _with_captured_tangents(graph: Graph, primals: int, arguments: int) -> Graph:
    """A rule over primals, tangents and captures as one over primals, captures and the tangents of all these.

    The tangents of captures are not used: what a function captures counts as constant.
    """
    captured = graph.inputs[arguments:]
    unused = [Value(v.type, f"{v.name}_dot") for v in captured if v.type.dtype.differentiable]
    inputs = (*graph.inputs[:primals], *captured, *graph.inputs[primals:arguments], *unused)
    return Graph(inputs, graph.nodes, graph.outputs, graph.name)


def _pair(result: Any, what: str) -> tuple[Any, Any]:
    if not staging.is_pair(result):
        raise tr.located(TransformError(f"{what}, not {staging.kind_of(result)}"))
    return result


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
    top = structure.one_level()
    children: list[Any] = top.flatten_up_to(given) if top is not None else []
    parts: list[Any] = []
    for child, part in zip(structure.children(), children, strict=True):
        parts += _flatten_to(child, part)
    return parts
