"""Modules: immutable trees of arrays and settings that can be called.

A module is a class with annotated fields. Each field is one of four kinds:

    weight: Array = param("out in")        what training changes, with the names of its axes
    mean: Array = buffer("channels")       an array that the module itself keeps: running statistics, a cache
    stride: int = static(default=1)        a setting, which belongs to the structure of the tree
    attention: Attention                   a module, or a tuple, list or dict of modules

The class becomes a dataclass and a tree for `rosin.tree`, so whatever takes trees of arrays takes modules: `grad`,
`compile`, `vmap`, `scan`. Fields are set once, in `__init__`; `replace` gives a copy with others. The names of axes are
compared: axes of one name have one size in all arrays of a module.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self, dataclass_transform

import numpy as np

import rosin
from rosin.stdlib.nn import calls
from rosin.stdlib.nn.texts import text

AXES, BUFFER, STATIC = "axes", "buffer", "static"


class ModuleError(rosin.RosinError):
    """A module was built or changed in a way that its fields do not allow."""


def param(axes: str | None = None, **options: Any) -> Any:
    """A field for arrays that training changes. `axes` names their axes, apart by spaces: `"out in"`.

    A number stands for an axis of that size, `...` for any axes. Options are those of `dataclasses.field`.
    """
    return dataclasses.field(metadata={AXES: _parsed(axes)}, **options)


def buffer(axes: str | None = None, **options: Any) -> Any:
    """As `param`, for arrays that optimizers leave alone."""
    return dataclasses.field(metadata={AXES: _parsed(axes), BUFFER: True}, **options)


def static(**options: Any) -> Any:
    """A field for a setting: a number, a text, a function, a tuple of them. It must have a hash."""
    return dataclasses.field(metadata={STATIC: True}, **options)


def _parsed(axes: str | None) -> tuple[str, ...] | None:
    names = None if axes is None else tuple(axes.split())
    if names is not None and names.count("...") > 1:
        raise ModuleError(f"axes {axes!r} have more than one `...`")
    return names


@dataclass_transform(field_specifiers=(param, buffer, static), eq_default=False)
class Module:
    """The base of all modules; a class that derives from it has annotated fields and, mostly, `__call__`.

    `__call__` takes `run: Run = EVAL` as its last argument if it, or a module inside of it, behaves otherwise in
    training: draws random numbers or changes buffers.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(cls, *, init: bool = True, **options: Any) -> None:
        """With `init=False`, which type checkers know, a class is built as its base is; one that adds no fields to
        another's is so anyway."""
        super().__init_subclass__(**options)
        adds = init and (bool(inspect.get_annotations(cls)) or cls.__mro__[1] is Module)
        dataclasses.dataclass(eq=False, repr=False, init=adds and "__init__" not in cls.__dict__)(cls)
        cls.__init__ = _building(cls.__init__)
        if "__call__" in cls.__dict__:
            cls.__call__ = calls.known(cls.__dict__["__call__"])

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in field_names(type(self)):
            message = f"{type(self).__name__} has no field {name!r}: annotate it in the class"
            part = isinstance(value, Module)
            shown = f"`{name}: {type(value).__name__}`" if part else f"`{name}: Array = param()`, buffer() or static()"
            raise ModuleError(f"{message}, as {shown}")
        if name in self.__dict__:
            raise ModuleError(f"{type(self).__name__}.{name} is set already, and modules do not change; use replace()")
        object.__setattr__(self, name, rosin.numpy.asarray(value) if isinstance(value, np.ndarray) else value)

    def __delattr__(self, name: str) -> None:
        raise ModuleError(f"{type(self).__name__}.{name}: modules do not change")

    def replace(self, **changes: Any) -> Self:
        """A copy in which these fields are others.

        Raises:
            ModuleError: there is no such field, or an array does not fit the others.
        """
        unknown = set(changes) - set(field_names(type(self)))
        if unknown:
            known = ", ".join(field_names(type(self)))
            raise ModuleError(f"{type(self).__name__} has no field {min(unknown)!r}; its fields are {known}")
        copy = object.__new__(type(self))
        for name, value in (self.__dict__ | changes).items():
            setattr(copy, name, value)
        check(copy)
        return copy

    def __repr__(self) -> str:
        return text(self)


@functools.cache
def field_names(cls: type[Module]) -> tuple[str, ...]:
    """The names of a class's fields, in order."""
    return tuple(f.name for f in dataclasses.fields(cls))


def fields_of(module: Module) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """Each field of a module and what it holds."""
    for field in dataclasses.fields(module):
        yield field, module.__dict__[field.name]


def _building(init: Callable[..., None]) -> Callable[..., None]:
    """An `__init__` after which the whole module is looked at; only the outermost one of a class and its bases does."""

    @functools.wraps(init)
    def built(self: Module, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self).__init__ is built:
            check(self)

    return built


# -- what fields may hold ----------------------------------------------------------------------------------------


def check(module: Module) -> None:
    """Raise unless every field is set and holds what its kind allows.

    Raises:
        ModuleError: it does not; the message names the field.
    """
    kind = type(module).__name__
    sizes: dict[str, tuple[Any, str]] = {}
    for field in dataclasses.fields(module):
        where = f"{kind}.{field.name}"
        if field.name not in module.__dict__:
            raise ModuleError(f"{where} is not set: __init__ has to give every field a value")
        value = module.__dict__[field.name]
        if field.metadata.get(STATIC):
            _check_setting(where, value)
            continue
        axes = field.metadata.get(AXES)
        for leaf in rosin.tree.leaves(value):
            if not _is_leaf(leaf):
                message = f"{where} holds {leaf!r}, which is neither an array nor a module"
                raise ModuleError(f"{message}\n  a setting is declared by `{field.name}: … = static()`")
        if axes is not None and _is_leaf(value):
            _check_axes(where, axes, value, sizes)


def _is_leaf(x: Any) -> bool:
    # While trees are worked on, arrays may be described by their shapes.
    return isinstance(x, rosin.Array | np.ndarray | rosin.ShapeDtypeStruct)


def _check_setting(where: str, value: Any) -> None:
    if _is_leaf(value):
        raise ModuleError(f"{where} is static and holds an array: declare it by param() or buffer()")
    try:
        hash(value)
    except TypeError:
        message = f"{where} is static and holds {value!r}, a {type(value).__name__}, which has no hash"
        raise ModuleError(f"{message}; a tuple has one") from None


def _check_axes(where: str, axes: tuple[str, ...], array: Any, sizes: dict[str, tuple[Any, str]]) -> None:
    """Compare an array's shape with the names of its axes."""
    shape = tuple(array.shape)
    names = axes
    if "..." in axes:
        at = axes.index("...")
        names = (*axes[:at], *["_"] * (len(shape) - len(axes) + 1), *axes[at + 1 :])
    if len(names) != len(shape):
        raise ModuleError(f"{where} has axes `{' '.join(axes)}`, and the array has shape {shape}")
    for name, size in zip(names, shape, strict=True):
        if name == "_":
            continue
        known, source = (int(name), "its own declaration") if name.isdigit() else sizes.setdefault(name, (size, where))
        if known != size:
            message = f"{where}, of axes `{' '.join(axes)}`, has shape {shape}"
            raise ModuleError(f"{message}, and `{name}` is {known} by {source}")


__all__ = ["Module", "ModuleError", "buffer", "check", "field_names", "fields_of", "param", "static"]
