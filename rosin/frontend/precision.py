"""`rosin.precision`: mixed precision, and the scaling of losses that float16 needs.

A program in mixed precision multiplies matrices and convolves in a narrow type, and computes all else in float32. That
is a transform of its graph (rosin.ir.transform.narrow), so that it needs no other program: the same function runs in
float32 without it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from rosin.frontend import core, staging, tree
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.custom import Arguments
from rosin.frontend.errors import ArgumentError
from rosin.frontend.staging import Function
from rosin.frontend.tree import Tree
from rosin.ir import facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType, bf16, f16, f32, i32
from rosin.ir.transform.narrow import narrowed
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

KINDS = (f16, bf16, f32)
"""The types that a policy is about; numbers of other types are left as they are."""


@dataclass(frozen=True)
class Policy:
    """The types of a program in mixed precision, each float16, bfloat16 or float32."""

    param_dtype: DType = f32
    """In which parameters are kept: what float arguments are converted to first."""
    compute_dtype: DType = bf16
    """In which products are taken."""
    output_dtype: DType = f32
    """Of float results."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            dtype = core.as_dtype(value)
            if dtype not in KINDS:
                known = ", ".join(kind.name for kind in KINDS)
                raise tr.located(ArgumentError(f"Policy: {name} is {dtype}, and it may be {known}"))
            object.__setattr__(self, name, dtype)

    @classmethod
    def parse(cls, text: str) -> Policy:
        """A policy from text such as "params=float32, compute=bfloat16, output=float32"; what is left out is as by
        default.

        Raises:
            ArgumentError: the text says something else.
        """
        found: dict[str, Any] = {}
        names = {"params": "param_dtype", "compute": "compute_dtype", "output": "output_dtype"}
        for part in text.split(","):
            name, _, dtype = map(str.strip, part.partition("="))
            if name not in names or not dtype:
                example = "params=float32, compute=bfloat16, output=float32"
                raise tr.located(ArgumentError(f"Policy: {part.strip()!r} is no part of a policy like {example!r}"))
            found[names[name]] = core.as_dtype(dtype)
        return cls(**found)

    def cast_to_param(self, x: Tree) -> Tree:
        """The tree with its floats as parameters are kept."""
        return _cast(x, self.param_dtype)

    def cast_to_compute(self, x: Tree) -> Tree:
        """The tree with its floats as products take them."""
        return _cast(x, self.compute_dtype)

    def cast_to_output(self, x: Tree) -> Tree:
        """The tree with its floats as results are given."""
        return _cast(x, self.output_dtype)


def _cast(x: Tree, dtype: DType) -> Tree:
    def one(leaf: Any) -> Any:
        array = core.asarray(leaf)
        return core.cast(array, dtype) if core.dtype_of(array) in KINDS else array

    return tree.map(one, x)


def mixed_precision(policy: Policy | str | None = None) -> Callable[[Function], Function]:
    """A decorator that makes a function one of mixed precision, by a `Policy` or its text.

    Matrix products and convolutions of float32 round their operands to `compute_dtype` and give such numbers, whose
    sums are carried in float32. They stay so while they only move (reshape, transpose, slice, pad); all else is
    computed in float32: elementwise arithmetic, sums, softmax, normalisations, losses, what loops carry. Derivatives
    may be taken inside the function and outside of it; gradients have the types of arguments.

    Numbers of float64, complex numbers and integers are left as they are.

    Raises:
        ArgumentError: the text is no policy.

    Micikevicius et al., "Mixed Precision Training", 2018.
    """
    chosen = Policy.parse(policy) if isinstance(policy, str) else policy or Policy()

    def decorate(f: Function) -> Function:
        @functools.wraps(f)
        @facts.gathers
        def mixed(*args: Any, **kwargs: Any) -> Any:
            call = Arguments(f, "mixed_precision", args, kwargs)
            arrays = [_cast(chosen.cast_to_param(x), f32) for x in call.arrays]
            inputs = [
                staging.Input(TensorType(core.dtype_of(x), i.type.shape), i.name, i.weak)
                for x, i in zip(arrays, call.inputs(), strict=True)
            ]
            staged = staging.stage(
                lambda tracers: call.run(f, tracers), inputs, staging.name_of(f), by="mixed_precision"
            )
            graph = narrowed(staged.graph, f32, chosen.compute_dtype)
            results = core.apply(graph, staged.operands(arrays))
            return chosen.cast_to_output(tree.unflatten(staged.structure, results))

        return mixed

    return decorate


# -- scaling of losses -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StaticLossScale:
    """A number that losses are multiplied by, so that gradients of float16 are none too small for it."""

    loss_scale: Any

    def scale(self, x: Tree) -> Tree:
        """The tree, multiplied."""
        return self._applied(x, rnp.multiply)

    def unscale(self, x: Tree) -> Tree:
        """The tree, divided."""
        return self._applied(x, rnp.divide)

    def _applied(self, x: Tree, combine: Callable[[Array, Array], Array]) -> Tree:
        def one(leaf: Any) -> Array:
            array = core.asarray(leaf)
            return combine(array, core.asarray(self.loss_scale, core.dtype_of(array)))

        return tree.map(one, x)

    def adjust(self, grads_finite: Any) -> StaticLossScale:
        """The scale for the next step: the same."""
        return self


@dataclass(frozen=True)
class DynamicLossScale(StaticLossScale):
    """A number that grows by `factor` after `period` steps with finite gradients, and shrinks by it, or to a part
    `backoff`, when some gradient is not finite; a tree of two scalars, which goes through compiled steps and loops.

    A step takes the next parameters only where gradients are finite: `select_tree(all_finite(grads), new, old)`.
    """

    loss_scale: Any = 2.0**15
    counter: Any = 0
    """Steps with finite gradients since the last change."""
    period: int = field(default=2000, metadata={"static": True})
    factor: float = field(default=2.0, metadata={"static": True})
    min_loss_scale: float = field(default=1.0, metadata={"static": True})
    backoff: float | None = field(default=None, metadata={"static": True})

    def __post_init__(self) -> None:
        for name, dtype in (("loss_scale", f32), ("counter", i32)):
            value = getattr(self, name)
            if core.is_scalar(value):
                object.__setattr__(self, name, core.asarray(value, dtype))

    def adjust(self, grads_finite: Any) -> DynamicLossScale:
        """The scale for the next step, given whether the gradients of this one are finite."""
        grown = self.loss_scale * self.factor
        grows = self.counter >= self.period - 1
        up = rnp.where(grows & rnp.isfinite(grown), grown, self.loss_scale)
        shrunk = self.loss_scale / self.factor if self.backoff is None else self.loss_scale * self.backoff
        down = rnp.maximum(shrunk, self.min_loss_scale)
        scale = rnp.where(grads_finite, up, down)
        counter = rnp.where(rnp.logical_not(grads_finite) | grows, 0, self.counter + 1)
        return replace(self, loss_scale=rnp.astype(scale, f32), counter=rnp.astype(counter, i32))


def all_finite(x: Tree) -> Array:
    """Whether every float of a tree is finite, a truth value."""
    found = [rnp.all(rnp.isfinite(leaf)) for leaf in tree.leaves(x)]
    return functools.reduce(rnp.logical_and, found, rnp.asarray(True))


def select_tree(condition: Any, x: Tree, y: Tree) -> Tree:
    """The tree `x` where a truth value holds, and else `y`, leaf by leaf."""

    def one(a: Any, b: Any) -> Array:
        return rnp.where(condition, a, b)

    return tree.map(one, x, y)
