"""A model in two: what training changes, and the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import rosin
from rosin import Array
from rosin.stdlib.nn.module import STATIC, Module, fields_of
from rosin.stdlib.nn.paths import mapped, walk, with_fields

M = TypeVar("M")

Where: TypeAlias = Callable[[str, Array], bool]
"""Takes the dotted path of an array, as `layers.0.weight`, and the array."""


def is_trained(name: str, array: Array) -> bool:
    """Whether training may change a parameter: floats and complex numbers."""
    return array.dtype in _FLOATS


_FLOATS = (rosin.float16, rosin.bfloat16, rosin.float32, rosin.float64, rosin.complex64, rosin.complex128)


def split(model: M, where: Where = is_trained) -> tuple[M, M]:
    """The model twice: with its parameters and None for all other arrays, and the other way round.

    Parameters are the arrays of `param` fields for which `where(path, array)` holds; one that says False for some
    leaves these as they are when the others are trained.
    """
    chosen = {name for name, array, own in walk(model) if not own and where(name, array)}
    parameters = mapped(lambda path, array: array if path in chosen else None, model)
    return parameters, mapped(lambda path, array: None if path in chosen else array, model)


def merge(first: M, second: M) -> M:
    """The two halves of a model as one: arrays of the second stand where the first has None.

    Raises:
        ValueError: the two have not the same fields.
    """
    if first is None or isinstance(first, Array):
        return second if first is None else first
    if isinstance(first, Module):
        parts = {
            field.name: value if field.metadata.get(STATIC) else merge(value, second.__dict__[field.name])
            for field, value in fields_of(first)
        }
        return with_fields(first, parts)
    return rosin.tree.map(merge, first, second, is_leaf=lambda x: x is None or isinstance(x, Module | Array))


# -- derivatives -----------------------------------------------------------------------------------------------------


def value_and_grad(
    f: Callable[..., Any], *, has_aux: bool = False, where: Where = is_trained
) -> Callable[..., tuple[Any, Any]]:
    """As `rosin.value_and_grad`, by the parameters of a model that comes first; the gradient has None for the rest."""

    def derived(model: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        parameters, rest = split(model, where)

        def of_parameters(parameters: Any) -> Any:
            return rosin.rewritten(f)(merge(parameters, rest), *args, **kwargs)

        return rosin.value_and_grad(of_parameters, has_aux=has_aux)(parameters)

    return derived


def grad(f: Callable[..., Any], *, has_aux: bool = False, where: Where = is_trained) -> Callable[..., Any]:
    """As `rosin.grad`, by the parameters of a model that comes first; the gradient has None for the rest."""

    def derived(model: Any, *args: Any, **kwargs: Any) -> Any:
        value, found = value_and_grad(f, has_aux=has_aux, where=where)(model, *args, **kwargs)
        return (found, value[1]) if has_aux else found

    return derived
