"""Gradient transformations: pairs of `init` and `update` that chain into optimizers.

>>> optimizer = optim.adamw(1e-3)
>>> state = optimizer.init(model)
>>> updates, state = optimizer.update(gradient, state, model)
>>> model = optim.apply_updates(model, updates)

Parameters are a model, or any tree of arrays. Gradients have the same tree, with None for what is not trained, as
`nn.grad` gives them. State is a tree of arrays, so the whole of it goes through `rosin.compile`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn

Tree: TypeAlias = Any
T = TypeVar("T")


class OptimizerError(rosin.RosinError, ValueError):
    """Gradients or parameters that an optimizer cannot take."""


@dataclass(frozen=True)
class Transform:
    """What is done to gradients: `start` makes the state for parameters, `step` takes gradients, the state, parameters
    and whatever else `update` was given to new gradients, here called updates, and the next state."""

    start: Callable[[Tree], Tree]
    step: Callable[..., tuple[Tree, Tree]]

    def init(self, params: Tree) -> Tree:
        """The state before the first step, for the parameters of a model or for a tree of arrays."""
        return self.start(parameters(params))

    def update(self, gradient: Tree, state: Tree, params: Tree = None, **extra: Any) -> tuple[Tree, Tree]:
        """What `apply_updates` adds to the parameters, and the next state.

        Raises:
            OptimizerError: the gradients are no tree of parameters with None for some, the state is one of other
                parameters, or some gradients are complex.
        """
        for path, array, _ in nn.paths.walk(gradient):
            if array.dtype in (rosin.complex64, rosin.complex128):
                message = f"the gradient at {path!r} is {array.dtype}, and optimizers take real numbers"
                raise OptimizerError(f"{message}: hold the real and the imaginary part as two parameters")
        own = None if params is None else aligned(gradient, params)
        try:
            return self.step(gradient, state, own, **extra)
        except OptimizerError:
            raise
        except ValueError as error:  # Trees that differ.
            raise OptimizerError(f"the state does not belong to these gradients: {error}") from error


def parameters(params: Tree) -> Tree:
    """A tree of which only what may be trained is left, with None for the rest."""
    chosen = {path for path, array, own in nn.paths.walk(params) if not own and nn.is_trained(path, array)}
    return nn.paths.mapped(lambda path, array: array if path in chosen else None, params)


def aligned(gradient: Tree, params: Tree) -> Tree:
    """The parameters for which there is a gradient, with None for the rest."""
    return _over(lambda g, p: None if g is None else p, gradient, params)


def apply_updates(params: T, updates: Tree) -> T:
    """The parameters plus the updates, in the element types of the parameters; what has no update stays."""
    added: Any = _over(lambda u, p: p if u is None else rnp.astype(p + u, p.dtype), updates, params)
    return added


def _over(function: Callable[[Any, Any], Any], gradient: Tree, params: Tree) -> Tree:
    try:
        return rosin.tree.map(function, gradient, params, is_leaf=lambda x: x is None)
    except ValueError as error:
        raise OptimizerError(f"gradients and parameters are different trees: {error}") from error


# -- building ----------------------------------------------------------------------------------------------------------


def chain(*transforms: Transform) -> Transform:
    """Transforms one after the other; the state is the tuple of theirs."""

    def start(params: Tree) -> Tree:
        return tuple(t.start(params) for t in transforms)

    def step(gradient: Tree, state: Tree, params: Tree, **extra: Any) -> tuple[Tree, Tree]:
        if len(state) != len(transforms):
            message = f"the state is that of {len(state)} transforms, and there are {len(transforms)}"
            raise OptimizerError(f"{message}: it belongs to another optimizer")
        states: list[Tree] = []
        for transform, own in zip(transforms, state, strict=True):
            gradient, new = transform.step(gradient, own, params, **extra)
            states.append(new)
        return gradient, tuple(states)

    return Transform(start, step)


def stateless(function: Callable[[Array, Array | None], Array]) -> Transform:
    """The transform that gives `function(gradient, parameter)` of each array, the parameter None if there is none."""

    def step(gradient: Tree, state: Tree, params: Tree, **extra: Any) -> tuple[Tree, Tree]:
        if params is None:
            return rosin.tree.map(lambda g: function(g, None), gradient), state
        return rosin.tree.map(function, gradient, params), state

    return Transform(lambda params: (), step)


def masked(inner: Transform, where: Callable[[str, Array], bool]) -> Transform:
    """A transform of the gradients for which `where(path, parameter)` holds; the others pass unchanged.

    Paths are dotted, as `layers.0.weight`. Without parameters `where` gets the gradient.
    """

    def chosen(tree: Tree) -> Tree:
        return nn.paths.mapped(lambda path, array: array if where(path, array) else None, tree)

    def step(gradient: Tree, state: Tree, params: Tree, **extra: Any) -> tuple[Tree, Tree]:
        picked = chosen(gradient if params is None else params)
        own = aligned(picked, gradient)
        updates, state = inner.step(own, state, None if params is None else picked, **extra)
        return _over(lambda u, g: g if u is None else u, updates, gradient), state

    return Transform(lambda params: inner.start(chosen(params)), step)


def needed(params: Tree, what: str) -> Tree:
    """The parameters, which this transform cannot do without.

    Raises:
        OptimizerError: they were not given.
    """
    if params is None:
        raise OptimizerError(f"{what} needs the parameters: update(gradient, state, params)")
    return params


def like(number: Array | float, x: Array) -> Array | float:
    """A number in the element type of an array; a Python number takes it by itself."""
    return rnp.astype(number, x.dtype) if isinstance(number, Array) else number


def zeros(params: Tree) -> Tree:
    """Zeros of the shapes and types of parameters."""
    return rosin.tree.map(rnp.zeros_like, params)


def counter() -> Array:
    """The number of steps before the first one."""
    return rnp.zeros((), dtype=rosin.int32)
