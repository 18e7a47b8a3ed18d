"""Derivatives of functions of trees of arrays.

Each transform traces the function to a graph, transforms the graph by the facts of its ops, and applies the result:
into the graph of an enclosing trace, or at once. So they nest in any order, inside `compile` and outside.

Arguments that a transform does not work on are passed to the function as they are, and may be anything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rosin.frontend import core, rewrite, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.batching import vmap
from rosin.frontend.errors import TransformError
from rosin.frontend.staging import Function, Staged
from rosin.frontend.tree import Structure, Tree
from rosin.ir import dims, facts
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.errors import DTypeError
from rosin.ir.graph import Graph
from rosin.ir.op import Value
from rosin.ir.transform.jvp import jvp as jvp_into
from rosin.ir.transform.split import split
from rosin.ir.transform.vjp import vjp as vjp_into
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

ArgNums: TypeAlias = "int | Sequence[int]"


# -- reverse mode ------------------------------------------------------------------------------------------------


def grad(f: Function, argnums: ArgNums = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """The gradient of a function with a scalar float output, by the arguments at `argnums`.

    The gradient has the tree of the argument; a tuple of these when `argnums` is a sequence. With `has_aux` the
    function returns `(output, aux)` and the gradient function `(gradient, aux)`.

    By a complex argument z = x + i y, of a real output u, it is du/dx - i du/dy; a step down is against its conjugate.
    With `holomorphic` argument and output are complex, and the gradient is the complex derivative, which is right where
    the function has one.

    Raises:
        TransformError: the output is not a scalar, or there is no such argument.
        DTypeError: the output or an argument holds no floats, or complex numbers that `holomorphic` is silent about.
    """
    both = value_and_grad(f, argnums, has_aux, holomorphic)

    @_wraps(f, "grad")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(f: Function, argnums: ArgNums = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """The value of a function and its gradient, computed together, as `grad` does; or `((value, aux), gradient)`.

    Raises:
        TransformError: the output is not a scalar, or there is no such argument.
        DTypeError: the output or an argument holds no floats, or complex numbers that `holomorphic` is silent about.
    """

    @_wraps(f, "value_and_grad")
    @facts.gathers
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen = _Chosen(f, "grad", argnums, args, kwargs)
        chosen.expect_complex(holomorphic)
        staged = chosen.stage(has_aux)
        out = _scalar_output(staged, f)
        _check_output("grad", f, out, holomorphic, "take its real part or abs")
        count, outputs = len(chosen.arrays), len(staged.graph.outputs)

        def append(b: Builder, inputs: Sequence[Value]) -> Sequence[Value]:
            values, pull = vjp_into(b, staged.graph, inputs, [i < count for i in range(len(inputs))])
            found = pull([b.full(1, out), *[None] * (outputs - 1)])[:count]
            return *values, *_or_zeros(b, found, inputs)

        results = core.build(f"{staged.graph.name}_grad", append, staged.operands(chosen.arrays))
        gradient = chosen.rebuild(results[outputs:])
        if not has_aux:
            return results[0], gradient
        return (results[0], staging.fill_aux(staged, results[1:outputs])), gradient

    return value_and_gradient


@facts.gathers
def vjp(f: Function, *primals: Tree, has_aux: bool = False) -> Any:
    """The value of `f(*primals)` and its pullback, which takes a cotangent of the value to a tuple of cotangents.

    The function is computed once, here; the pullback may be called any number of times, also later. The cotangent of
    a leaf that holds no floats is None. With `has_aux` a third result is what `f` returns beside its value.

    Raises:
        TransformError: (by the pullback) the cotangent has not the tree or the shapes of the value.
    """
    chosen = _Chosen(f, "vjp", tuple(range(len(primals))), primals, {}, floats=False)
    staged = chosen.stage(has_aux)
    count = len(chosen.arrays)
    joint, carried, moved = _joint(staged, count)
    outputs = len(staged.graph.outputs)
    late = [i >= len(staged.graph.inputs) for i in range(len(joint.inputs))]
    forward, backward = split(joint, late, outputs)
    results = core.apply(forward, staged.operands(chosen.arrays))
    residuals = results[outputs:]
    values = results[: outputs - staged.aux_count]
    types = [core.type_of(v) for v in values]

    def pullback(cotangent: Tree) -> Any:
        given = _cotangents(staging.name_of(f), staged.structure, types, cotangent)
        found = iter(core.apply(backward, [*residuals, *(g for g, c in zip(given, carried, strict=True) if c)]))
        return chosen.rebuild([next(found) if move else None for move in moved])

    out = tree.unflatten(staged.structure, values)
    if not has_aux:
        return out, pullback
    return out, pullback, staging.fill_aux(staged, results[outputs - staged.aux_count : outputs])


def _joint(staged: Staged, count: int) -> tuple[Graph, list[bool], list[bool]]:
    """Inputs and cotangents to outputs and gradients; which outputs take a cotangent, which arguments get one."""
    b = Builder()
    inputs = [b.input(v.type, v.name) for v in staged.graph.inputs]
    outputs, pull = vjp_into(b, staged.graph, inputs, [i < count for i in range(len(inputs))])
    values = outputs[: len(outputs) - staged.aux_count]
    carried = [v.type.dtype.differentiable for v in values]
    cotangents = [b.input(v.type, f"{v.name}_bar") if c else None for v, c in zip(values, carried, strict=True)]
    found = pull([*cotangents, *[None] * staged.aux_count])[:count]
    moved = [v.type.dtype.differentiable for v in inputs[:count]]
    gradients = [g for g, move in zip(_or_zeros(b, found, inputs), moved, strict=True) if move]
    return b.graph((*outputs, *gradients), f"{staged.graph.name}_vjp"), carried, moved


def _cotangents(name: str, structure: Structure, types: list[TensorType], cotangent: Tree) -> list[Array]:
    """The leaves of a cotangent as arrays of the types of the values."""
    leaves, shape = tree.flatten(cotangent)
    if shape != structure:
        # None may stand for the cotangent of what holds no floats.
        leaves, shape = optional_leaves(cotangent, structure)
    if shape != structure:
        message = f"the pullback of {name} takes a cotangent of structure {structure}, not {shape}"
        raise tr.located(TransformError(message))
    return [
        _tangent(leaf, type, f"the pullback of {name}", path)
        for leaf, type, path in zip(leaves, types, tree.path_texts("cotangent", structure), strict=True)
    ]


def optional_leaves(given: Tree, structure: Structure) -> tuple[list[Any], Structure]:
    """The leaves of a tree at the places of `structure`, where None may stand for a leaf."""
    try:
        parts = structure.flatten_up_to(given)
    except (ValueError, TypeError):
        return tree.flatten(given)
    if any(tree.structure(part).num_nodes > 1 for part in parts):
        return tree.flatten(given)
    return parts, structure


def _tangent(leaf: Any, type: TensorType, name: str, path: str) -> Array:
    """A tangent or cotangent of a value of `type`; None is zero."""
    if leaf is None or not type.dtype.differentiable:
        return zeros(type)
    array = staging.as_argument(leaf, path, name, "it is an array of the type of the value")
    if core.is_scalar(leaf) or core.is_weak(array):
        array = core.cast(array, type.dtype)
    found = core.type_of(array)
    if found.dtype != type.dtype or not facts.same_shape(found.shape, type.shape):
        raise tr.located(TransformError(f"{name}: {path} has type {found}, and the value has type {type}"))
    return array


def zeros(type: TensorType) -> Array:
    """Zeros of a type."""
    b = Builder()
    return core.apply(b.graph([b.zeros(type)], "zeros"), [])[0]


def _scalar_output(staged: Staged, f: Function) -> TensorType:
    name = staging.name_of(f)
    values = staged.graph.outputs[: len(staged.graph.outputs) - staged.aux_count]
    if not staged.structure.is_leaf() or len(values) != 1:
        message = (
            f"grad of {name}: its output is one scalar, not a tree of {len(values)} arrays; see has_aux and jacrev"
        )
        raise tr.located(TransformError(message, [v.type for v in values]))
    type = values[0].type
    if type.rank:
        message = f"grad of {name}: its output is a scalar, not of shape {type.shape}; sum it, or use jacrev or vjp"
        raise tr.located(TransformError(message, [type]))
    if not type.dtype.differentiable:
        message = f"grad of {name}: its output has dtype {type.dtype}, and only floats have derivatives"
        raise tr.located(DTypeError(message, [type]))
    return type


def _check_output(what: str, f: Function, type: TensorType, holomorphic: bool, instead: str) -> None:
    """Refuse a complex output of a function that is not said to be holomorphic, and a real one that is."""
    if type.dtype.is_complex == holomorphic:
        return
    name = f"{what} of {staging.name_of(f)}"
    if holomorphic:
        message = f"{name}: holomorphic=True is for complex outputs, and this is {type.dtype}"
    else:
        message = (
            f"{name}: its output is complex: {instead}, pass holomorphic=True if the function has a complex "
            "derivative, or use jvp or vjp"
        )
    raise tr.located(DTypeError(message, [type]))


def _or_zeros(b: Builder, found: Sequence[Value | None], like: Sequence[Value]) -> list[Value]:
    return [g if g is not None else b.zeros(v.type) for g, v in zip(found, like, strict=False)]


# -- forward mode ------------------------------------------------------------------------------------------------


@facts.gathers
def jvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: bool = False) -> Any:
    """The value of `f(*primals)` and its derivative along `tangents`, which have the trees of the primals.

    Tangents of leaves that hold no floats are ignored, None may stand for them, and the results' are None. With
    `has_aux` a third result is what `f` returns beside its value.

    Raises:
        TransformError: the tangents have not the trees or the shapes of the primals.
    """
    name = staging.name_of(f)
    if len(primals) != len(tangents):
        message = f"jvp of {name}: there are {len(primals)} primals and {len(tangents)} tangents"
        raise tr.located(TransformError(message))
    chosen = _Chosen(f, "jvp", tuple(range(len(primals))), tuple(primals), {}, floats=False)
    given, shape = optional_leaves(tuple(tangents), chosen.structure)
    if shape != chosen.structure:
        message = f"jvp of {name}: the primals have structure {chosen.structure} and the tangents {shape}"
        raise tr.located(TransformError(message))
    paths = [f"the tangent of {path}" for path in chosen.paths]
    along: list[Array | None] = []
    for leaf, x, path in zip(given, chosen.arrays, paths, strict=True):
        type = core.type_of(x)
        along.append(_tangent(leaf, type, f"jvp of {name}", path) if type.dtype.differentiable else None)
    staged = chosen.stage(has_aux)
    b = Builder()
    inputs = [b.input(v.type, v.name) for v in staged.graph.inputs]
    moving = [
        b.input(v.type, f"{v.name}_dot") if i < len(along) and along[i] is not None else None
        for i, v in enumerate(inputs)
    ]
    outputs, outgoing = jvp_into(b, staged.graph, inputs, moving)
    values = outputs[: len(outputs) - staged.aux_count]
    floats = [v.type.dtype.differentiable for v in values]
    moved = [t for t, is_float in zip(_or_zeros(b, outgoing, values), floats, strict=True) if is_float]
    graph = b.graph((*outputs, *moved), f"{staged.graph.name}_jvp")
    results = core.apply(graph, [*staged.operands(chosen.arrays), *(t for t in along if t is not None)])
    rest = iter(results[len(outputs) :])
    out = tree.unflatten(staged.structure, results[: len(values)])
    derivative = tree.unflatten(staged.structure, [next(rest) if is_float else None for is_float in floats])
    if not has_aux:
        return out, derivative
    return out, derivative, staging.fill_aux(staged, results[len(values) : len(outputs)])


# -- whole derivatives -------------------------------------------------------------------------------------------


def jacfwd(f: Function, argnums: ArgNums = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """The Jacobian in forward mode, one direction for each element of the arguments; best for few inputs.

    For an output of shape `s` and an argument of shape `t` its shape is `s + t`; it has the tree of the output, each
    leaf being the tree of the argument (a tuple of these when `argnums` is a sequence). With `has_aux` a pair
    `(jacobian, aux)`. By complex arguments it is that of complex derivatives, for functions that are `holomorphic`.

    Raises:
        DTypeError: an argument holds no floats, or complex numbers without `holomorphic`, or real ones with it.
        TransformError: there is no such argument.
    """

    @_wraps(f, "jacfwd")
    @facts.gathers
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        chosen = _Chosen(f, "jacfwd", argnums, args, kwargs)
        chosen.expect_complex(holomorphic)
        types = [core.type_of(x) for x in chosen.arrays]
        for type, path in zip(types, chosen.paths, strict=True):
            if type.dtype.is_complex and not holomorphic:
                message = (
                    f"{chosen.name}: {path} is complex, and would move along the real axis alone: pass "
                    "holomorphic=True if the function has a complex derivative, or use jvp"
                )
                raise tr.located(DTypeError(message, [type]))
        flat = chosen.flat()

        def push(*directions: Array) -> Any:
            results = jvp(flat, chosen.arrays, directions, has_aux)
            return results[1:] if has_aux else (results[1],)

        basis = _basis(types)
        # Every direction has the same aux.
        outcome = vmap(push, out_axes=(-1, None) if has_aux else (-1,))(*basis)
        leaves, structure = tree.flatten(outcome[0])
        columns = [_cut(leaf, types, (*core.shape_of(leaf)[:-1],), len(core.shape_of(leaf)) - 1) for leaf in leaves]
        result = tree.unflatten(structure, [chosen.rebuild(parts) for parts in columns])
        return (result, outcome[1]) if has_aux else result

    return jacobian


def jacrev(f: Function, argnums: ArgNums = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """The Jacobian in reverse mode, one pullback for each element of the output; best for few outputs. See `jacfwd`.

    Raises:
        DTypeError: an argument or an output holds no floats.
        TransformError: there is no such argument.
    """

    @_wraps(f, "jacrev")
    @facts.gathers
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        chosen = _Chosen(f, "jacrev", argnums, args, kwargs)
        chosen.expect_complex(holomorphic)
        results = vjp(chosen.flat(), *chosen.arrays, has_aux=has_aux)
        leaves, structure = tree.flatten(results[0])
        types = [core.type_of(leaf) for leaf in leaves]
        for type in types:
            if not type.dtype.differentiable:
                message = f"jacrev of {staging.name_of(f)}: its output has to be of floats, not {type.dtype}"
                raise tr.located(DTypeError(message, [type]))
            _check_output("jacrev", f, type, holomorphic, "take its real and imaginary parts")

        def pull(*cotangents: Array) -> Any:
            return results[1](tree.unflatten(structure, cotangents))

        rows = vmap(pull)(*_basis(types))
        by_output: list[list[Array]] = [[] for _ in leaves]
        for row in rows:
            kept = core.shape_of(row)[1:]
            for parts, part in zip(by_output, _cut(row, types, kept, 0), strict=True):
                parts.append(part)
        result = tree.unflatten(structure, [chosen.rebuild(parts) for parts in by_output])
        return (result, results[2]) if has_aux else result

    return jacobian


def hessian(f: Function, argnums: ArgNums = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """The second derivative of a function, forward over reverse; of shape `s + t + t` where the Jacobian is `s + t`.

    Raises:
        DTypeError: an argument or the output holds no floats.
        TransformError: there is no such argument.
    """
    return jacfwd(jacrev(f, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)


def _basis(types: Sequence[TensorType]) -> list[Array]:
    """For values of these types, all directions in which one element moves, along a new axis 0."""
    sizes = [dims.static((t.size,), "a Jacobian")[0] for t in types]
    total, start = sum(sizes), 0
    basis: list[Array] = []
    for type, size in zip(types, sizes, strict=True):
        unit = np.zeros((total, size), type.dtype.numpy)
        unit[np.arange(start, start + size), np.arange(size)] = 1
        basis.append(core.asarray(unit.reshape(total, *type.sizes)))
        start += size
    return basis


def _cut(x: Array, types: Sequence[TensorType], others: tuple[Dim, ...], axis: int) -> list[Array]:
    """The parts of an axis that belong to values of these types, each with the value's shape in place of the axis."""
    b = Builder()
    value = b.input(core.type_of(x))
    parts: list[Value] = []
    start = 0
    for type in types:
        size = dims.static((type.size,), "a Jacobian")[0]
        part = b.slice_axis(value, axis, start, start + size)
        before, after = others[:axis], others[axis:]
        parts.append(b.reshape(part, (*before, *type.shape, *after)))
        start += size
    return list(core.apply(b.graph(parts, "cut"), [x]))


# -- which arguments ---------------------------------------------------------------------------------------------


class _Chosen:
    """A call of which some arguments are worked on, as flat arrays; the others are passed on as they are."""

    def __init__(
        self,
        f: Function,
        what: str,
        argnums: ArgNums,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        floats: bool = True,
    ) -> None:
        self.f, self.args, self.kwargs = f, args, kwargs
        self.what, self.name = what, f"{what} of {staging.name_of(f)}"
        self.one = isinstance(argnums, int)
        self.numbers = self._numbers((argnums,) if isinstance(argnums, int) else tuple(argnums))
        leaves, self.structure = tree.flatten(tuple(args[n] for n in self.numbers))
        names = staging.parameter_names(f, len(args))
        self.paths: list[str] = []
        for number in self.numbers:
            self.paths += tree.path_texts(names[number], tree.structure(args[number]))
        self.arrays: list[Array] = []
        for leaf, path in zip(leaves, self.paths, strict=True):
            array = staging.as_argument(leaf, path, self.name, "argnums chooses arguments that are trees of arrays")
            type = core.type_of(array)
            if floats and not type.dtype.differentiable:
                message = f"{self.name}: {path} has dtype {type.dtype}, and derivatives are taken by floats"
                raise tr.located(DTypeError(message, [type]))
            self.arrays.append(array)

    def _numbers(self, numbers: tuple[int, ...]) -> tuple[int, ...]:
        count = len(self.args)
        for number in numbers:
            if not -count <= number < count:
                message = f"{self.name}: argnums has {number}, and the call has {count} positional arguments"
                raise tr.located(TransformError(message))
        return tuple(n % count for n in numbers)

    def expect_complex(self, holomorphic: bool) -> None:
        """Refuse real arguments of a function that is said to be holomorphic."""
        for array, path in zip(self.arrays, self.paths, strict=True):
            type = core.type_of(array)
            if holomorphic and not type.dtype.is_complex:
                message = f"{self.name}: holomorphic=True is for complex arguments, and {path} is {type.dtype}"
                raise tr.located(DTypeError(message, [type]))

    def flat(self) -> Function:
        """The call as a function of the chosen arrays, called as the function is."""

        def call(*arrays: Any) -> Any:
            return self.call(*arrays)

        call.__name__ = staging.name_of(self.f)
        return call

    def call(self, *arrays: Any) -> Any:
        """The call with other arrays."""
        args = list(self.args)
        for number, value in zip(self.numbers, tree.unflatten(self.structure, arrays), strict=True):
            args[number] = value
        return rewrite.call(self.f, *args, **self.kwargs)

    def stage(self, has_aux: bool = False) -> Staged:
        """Trace the call."""
        inputs = [staging.input_of(x, path) for x, path in zip(self.arrays, self.paths, strict=True)]
        return staging.stage(
            lambda tracers: self.call(*tracers), inputs, staging.name_of(self.f), has_aux, by=self.what
        )

    def rebuild(self, leaves: Sequence[Any]) -> Any:
        """One tree for each chosen argument, in a tuple unless `argnums` is a number."""
        trees = tree.unflatten(self.structure, leaves)
        return trees[0] if self.one else trees


def _wraps(f: Function, what: str) -> Callable[[Function], Function]:
    """Carry the name and documentation over to the transformed function."""

    def decorate(transformed: Function) -> Function:
        functools.update_wrapper(transformed, f, assigned=("__module__", "__doc__"), updated=())
        transformed.__name__ = transformed.__qualname__ = f"{what}_{staging.name_of(f)}"
        return transformed

    return decorate
