"""The arrays of a model under their dotted paths, as `layers.0.weight`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from rosin import Array
from rosin.stdlib.nn.module import BUFFER, STATIC, Module, ModuleError, fields_of
from rosin.stdlib.nn.texts import array_text, under

M = TypeVar("M")


def walk(value: Any, path: str = "", is_buffer: bool = False) -> Iterator[tuple[str, Any, bool]]:
    """Each array with its path, and whether it is a buffer."""
    parts = _parts(value)
    if parts is None:
        if value is not None:
            yield path, value, is_buffer
        return
    for key, part, own in parts:
        yield from walk(part, under(path, key), is_buffer or own)


def named_arrays(model: Any, *, buffers: bool | None = None) -> Iterator[tuple[str, Array]]:
    """Each array of a model with its path: parameters and buffers, unless `buffers` says which."""
    return ((path, array) for path, array, own in walk(model) if buffers is None or buffers == own)


def mapped(function: Callable[[str, Any], Any], value: Any, path: str = "") -> Any:
    """The model of `function(path, array)` of each array. Modules are not checked: the results may be anything."""
    parts = _parts(value)
    if parts is None:
        return None if value is None else function(path, value)
    made = {key: mapped(function, part, under(path, key)) for key, part, _ in parts}
    if isinstance(value, Module):
        return with_fields(value, made)
    if isinstance(value, dict):
        return made
    if isinstance(value, list) or type(value) is tuple:
        return type(value)(made.values())
    return type(value)(*made.values()) if isinstance(value, tuple) else dataclasses.replace(value, **made)


def with_fields(module: Any, parts: dict[str, Any]) -> Any:
    """A copy of a module in which these fields are others, whatever they are."""
    copy = object.__new__(type(module))
    copy.__dict__.update(module.__dict__)
    copy.__dict__.update(parts)
    return copy


def with_arrays(model: M, arrays: Mapping[str, Array]) -> M:
    """The model with these arrays at these paths.

    Raises:
        ModuleError: there is no array at a path, or it has another shape.
    """
    known = {path: array for path, array, _ in walk(model)}
    for path, array in arrays.items():
        if path not in known:
            raise ModuleError(f"{type(model).__name__} has no array {path!r}")
        if tuple(known[path].shape) != tuple(array.shape):
            message = f"{type(model).__name__} has {array_text(known[path])} at {path!r}"
            raise ModuleError(f"{message}, which takes no {array_text(array)}")
    return mapped(arrays.get, model)


def _parts(value: Any) -> list[tuple[Any, Any, bool]] | None:
    """The keys and parts of a node and whether a part is a buffer; None for what is no node."""
    if isinstance(value, Module):
        dynamic = [(field, part) for field, part in fields_of(value) if not field.metadata.get(STATIC)]
        return [(field.name, part, bool(field.metadata.get(BUFFER))) for field, part in dynamic]
    if isinstance(value, tuple | list):
        return [(number, item, False) for number, item in enumerate(value)]
    if isinstance(value, dict):
        return [(key, value[key], False) for key in sorted(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if not field.metadata.get(STATIC)]
        return [(name, getattr(value, name), False) for name in fields]
    return None
