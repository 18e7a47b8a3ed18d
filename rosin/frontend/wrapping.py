"""`wrap`: functions on NumPy arrays as functions on ours, which programs call while they run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import core, tree
from rosin.frontend import trace as tr
from rosin.frontend.custom import custom_jvp, custom_vjp
from rosin.frontend.effects import ShapeDtypeStruct, called
from rosin.frontend.errors import ArgumentError
from rosin.frontend.regions import argument
from rosin.frontend.staging import Function, name_of, signature_of
from rosin.frontend.tree import Tree
from rosin.ir import dims
from rosin.ir.op import NumpyArray
from rosin.ir.ops.effect import PureCallback
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def wrap(
    function: Function,
    result: Tree | Callable[..., Tree] = None,
    *,
    vectorized: bool = False,
    jvp: Function | None = None,
    vjp: Function | None = None,
) -> Function:
    """A pure function on NumPy arrays, or on trees of them, as one on arrays, which programs call as they run.

    Args:
        result: a tree like the result, of whatever has a shape and a dtype, or a function from the arguments to such a
            tree. Without it the function is tried for each new types of arguments, on numbers between 1 and 2.
        vectorized: whether the function takes a batch at once, as one more axis in front of each argument, and gives
            its results so. Under `vmap` it is called for one example after the other otherwise.
        jvp: `jvp(tangents, output, *args)` gives the output's tangent; reverse mode follows from it if it uses the
            tangents in functions of Rosin's alone. Tangents of arguments that hold no floats are None.
        vjp: `vjp(cotangent, output, *args)` gives the tuple of the arguments' cotangents, None for zero.

    Raises:
        ArgumentError: there is a jvp and a vjp; (when it is called) a leaf of the arguments is no array.
        RosinError: (when it runs) the function gives another tree, other shapes or other dtypes.
    """
    host = _Host(function, result, vectorized)

    def call(*args: Any, **kwargs: Any) -> Tree:
        return host(*args, **kwargs)

    return with_derivative(named_as(call, function), jvp, vjp)


def named_as(call: Function, function: Function) -> Function:
    """`call` with the names and the signature of a function, into which tracing is not to look."""
    functools.update_wrapper(call, function)
    del call.__dict__["__wrapped__"]
    with suppress(TypeError, ValueError):  # Some functions written in C do not tell.
        call.__dict__["__signature__"] = signature_of(function)
    return call


def with_derivative(function: Function, jvp: Function | None, vjp: Function | None) -> Function:
    """A function with a rule for its derivative; see `wrap`."""
    if jvp is not None and vjp is not None:
        message = f"{name_of(function)} takes a jvp or a vjp, not both: reverse mode follows from a jvp"
        raise tr.located(ArgumentError(message))
    if jvp is not None:
        forward = custom_jvp(function)

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Tree, Tree]:
            output = forward(*primals)
            return output, jvp(tangents, output, *primals)

        forward.defjvp(rule)
        return forward
    if vjp is not None:
        reverse = custom_vjp(function)

        def run(*args: Any) -> tuple[Tree, Tree]:
            output = reverse(*args)
            return output, (output, args)

        def back(kept: tuple[Tree, tuple[Any, ...]], cotangent: Tree) -> Any:
            output, args = kept
            return vjp(cotangent, output, *args)

        reverse.defvjp(run, back)
        return reverse
    return function


class _Host:
    """Calls a function of NumPy's where the program comes by."""

    def __init__(self, function: Function, result: Tree, vectorized: bool) -> None:
        self.function, self.result, self.vectorized = function, result, vectorized
        self.found: dict[Any, Tree] = {}
        """The types of results, by the tree and the types of the arguments."""

    def __call__(self, *args: Any, **kwargs: Any) -> Tree:
        taken = argument((args, kwargs), ("args", "kwargs"), "wrap")
        given: Any = self.result
        if given is None:
            if not core.tracing():
                return self._now(tree.unflatten(taken.structure, [np.array(core.known(x)) for x in taken.arrays]))
            given = self._types(taken.structure, tuple(core.type_of(x) for x in taken.arrays))
        elif callable(given):
            arrays, named = tree.unflatten(taken.structure, taken.arrays)
            given = given(*arrays, **named)
        return called(PureCallback, self.function, given, args, kwargs, vectorized=self.vectorized)

    def _now(self, arguments: Any) -> Tree:
        args, kwargs = arguments

        def taken(leaf: Any) -> Array:
            # A copy, since the function may keep what it gives.
            return core.asarray(np.array(_numpy(leaf)))

        return tree.map(taken, self.function(*args, **kwargs))

    def _types(self, structure: Any, types: tuple[TensorType, ...]) -> Tree:
        """The types of the results, from a call on numbers between 1 and 2."""
        key = (structure, types)
        if key in self.found:
            return self.found[key]
        symbolic = next((t for t in types if not dims.is_static(t.shape)), None)
        if symbolic is not None:
            message = f"wrap: {name_of(self.function)} cannot be tried on {symbolic}, whose sizes are not known"
            raise tr.located(ArgumentError(f"{message}; give it `result`, which may be a function of the arguments"))
        random = np.random.default_rng(0)
        args, kwargs = tree.unflatten(structure, [random.uniform(1, 2, t.sizes).astype(t.dtype.numpy) for t in types])
        try:
            result = self.function(*args, **kwargs)
        except Exception as error:
            error.add_note(
                f"wrap tried {name_of(self.function)} on numbers between 1 and 2 to learn the types of its results; "
                "`result` tells them without a call"
            )
            raise
        self.found[key] = tree.map(_type_of, result)
        return self.found[key]


def _type_of(leaf: Any) -> ShapeDtypeStruct:
    known = _numpy(leaf)
    return ShapeDtypeStruct(known.shape, known.dtype)


def _numpy(leaf: Any) -> NumpyArray:
    """What a function gives as a NumPy array; a Python number is of the default dtype."""
    return np.asarray(leaf, core.default_of(leaf).numpy) if core.is_scalar(leaf) else core.known(leaf)
