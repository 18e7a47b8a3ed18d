"""`dataclass`, as Python's, whose methods are written when they are first used.

Python writes and compiles up to eight functions for each class when its module loads, which took a third of the time of
`import rosin`. Fields, `replace` and the like are Python's own.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, field
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

T = TypeVar("T")

FEW = 8
"""So many calls take less time than writing the method does."""


@overload
def dataclass(cls: type[T], /) -> type[T]: ...
@overload
def dataclass(
    *, frozen: bool = False, eq: bool = True, repr: bool = True, slots: bool = False
) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(field_specifiers=(field,))
def dataclass(
    cls: type[T] | None = None, /, *, frozen: bool = False, eq: bool = True, repr: bool = True, slots: bool = False
) -> Any:
    """Python's `dataclass`, without fields that are not part of comparisons or that are given by name alone."""

    def made(cls: type[T]) -> type[T]:
        return _with_methods(cls, frozen, eq, repr, slots)

    return made if cls is None else made(cls)


def _with_methods(cls: Any, frozen: bool, eq: bool, repr: bool, slots: bool) -> Any:
    if not cls.__doc__:
        cls.__doc__ = cls.__name__  # Python would ask for the signature.
    stated = set(_own(cls))
    made: Any = _with_fields(cls, frozen, slots)
    fields = dataclasses.fields(made)
    methods: dict[str, Any] = {}
    if "__init__" not in stated:
        methods["__init__"] = _late(made, "__init__", lambda: _init(made, fields, frozen, slots), _filler(made, fields))
    if repr and "__repr__" not in stated:
        methods["__repr__"] = _repr(fields)
    if eq and "__eq__" not in stated:
        methods["__eq__"] = _late(made, "__eq__", lambda: _eq(made, fields), _same)
    if eq and "__hash__" not in stated:
        methods["__hash__"] = _late(made, "__hash__", lambda: _hash(made, fields), _hashed) if frozen else None
    if frozen:
        methods["__setattr__"], methods["__delattr__"] = _refuse_assigning, _refuse_deleting
    if frozen and slots and "__getstate__" not in stated:
        methods["__getstate__"], methods["__setstate__"] = _getstate, _setstate
    for name, method in methods.items():
        setattr(made, name, method)
    return made


def _own(cls: Any) -> Mapping[str, Any]:
    """What a class states itself."""
    return cls.__dict__


def _with_fields(cls: Any, frozen: bool, slots: bool) -> Any:
    """The class with fields alone. Of one that is frozen Python would write methods, and it wants the classes that one
    derives from to be frozen like it."""
    parents: list[Any] = [_own(parent).get("__dataclass_params__") for parent in cls.__mro__[1:]]
    rigid = [parameters for parameters in parents if parameters is not None and parameters.frozen]
    for parameters in rigid:
        parameters.frozen = False
    try:
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    finally:
        for parameters in rigid:
            parameters.frozen = True
    made.__dataclass_params__.frozen = frozen
    return made


def _late(
    made: Any, name: str, write: Callable[[], Callable[..., Any]], slowly: Callable[..., Any]
) -> Callable[..., Any]:
    """A method that is written, and put in its own place, when it has been called a few times; until then `slowly` does
    the same."""
    calls = itertools.count(1)

    def late(self: Any, *args: Any, **kwargs: Any) -> Any:
        if next(calls) < FEW:
            return slowly(self, *args, **kwargs)
        method = write()
        if _own(made).get(name) is late:
            setattr(made, name, method)
        return method(self, *args, **kwargs)

    late.__name__, late.__qualname__ = name, f"{made.__qualname__}.{name}"
    return late


def _filler(made: Any, fields: Sequence[Field[Any]]) -> Callable[..., None]:
    """What `__init__` does, slowly."""
    given = tuple(f.name for f in fields if f.init)
    posts = hasattr(made, "__post_init__")

    def fill(self: Any, *args: Any, **kwargs: Any) -> None:
        named = dict(zip(given, args, strict=False))
        if len(args) > len(given) or not named.keys().isdisjoint(kwargs) or not kwargs.keys() <= set(given):
            raise TypeError(f"{made.__qualname__} takes {', '.join(given)}, each once")
        named.update(kwargs)
        for f in fields:
            if f.name in named:
                value = named[f.name]
            elif f.default_factory is not MISSING:
                value = f.default_factory()
            elif f.init and f.default is MISSING:
                raise TypeError(f"{made.__qualname__} takes {f.name}, which is not given")
            elif f.init:
                value = f.default
            else:
                continue
            object.__setattr__(self, f.name, value)
        if posts:
            self.__post_init__()

    return fill


def _values(x: Any) -> tuple[Any, ...]:
    return tuple([getattr(x, f.name) for f in dataclasses.fields(x)])


def _same(x: Any, other: Any) -> Any:
    return _values(x) == _values(other) if x.__class__ is other.__class__ else NotImplemented


def _hashed(x: Any) -> int:
    return hash(_values(x))


def _init(made: Any, fields: Sequence[Field[Any]], frozen: bool, slots: bool) -> Callable[..., Any]:
    names: dict[str, Any] = {"_missing": MISSING}
    parameters, body = ["self"], list[str]()
    for f in fields:
        value = f.name
        if f.init and f.default is not MISSING:
            names[f"_default_{f.name}"] = f.default
            parameters.append(f"{f.name}=_default_{f.name}")
        elif f.init and f.default_factory is not MISSING:
            parameters.append(f"{f.name}=_missing")
            value = f"_made_{f.name}() if {f.name} is _missing else {f.name}"
        elif f.init:
            parameters.append(f.name)
        elif f.default_factory is not MISSING:
            value = f"_made_{f.name}()"
        else:
            continue
        names[f"_made_{f.name}"] = f.default_factory
        if not frozen:
            body.append(f"self.{f.name} = {value}")
        elif slots and hasattr(_own(made).get(f.name), "__set__"):
            # The quickest way past the refusal to assign.
            names[f"_set_{f.name}"] = _own(made)[f.name].__set__
            body.append(f"_set_{f.name}(self, {value})")
        else:
            names["_set"] = object.__setattr__
            body.append(f"_set(self, {f.name!r}, {value})")
    if hasattr(made, "__post_init__"):
        body.append("self.__post_init__()")
    return _written(made, "__init__", parameters, body, names)


def _eq(made: Any, fields: Sequence[Field[Any]]) -> Callable[..., Any]:
    mine, theirs = (f"({''.join(f'{who}.{f.name}, ' for f in fields)})" for who in ("self", "other"))
    body = ["if self.__class__ is not other.__class__:", "    return NotImplemented", f"return {mine} == {theirs}"]
    return _written(made, "__eq__", ["self", "other"], body, {})


def _hash(made: Any, fields: Sequence[Field[Any]]) -> Callable[..., Any]:
    body = [f"return hash(({''.join(f'self.{f.name}, ' for f in fields)}))"]
    return _written(made, "__hash__", ["self"], body, {})


def _written(
    made: Any, name: str, parameters: Sequence[str], body: Sequence[str], names: dict[str, Any]
) -> Callable[..., Any]:
    lines = "\n  ".join(body or ["pass"])
    found = dict(names)
    exec(f"def {name}({', '.join(parameters)}):\n  {lines}", found)
    method = found[name]
    method.__qualname__, method.__module__ = f"{made.__qualname__}.{name}", made.__module__
    return method


def _repr(fields: Sequence[Field[Any]]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:  # noqa: N807
        shown = [f"{f.name}={getattr(self, f.name)!r}" for f in fields if f.repr]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    return __repr__


def _refuse_assigning(self: Any, name: str, value: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deleting(self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return list(_values(self))


def _setstate(self: Any, state: Sequence[Any]) -> None:
    for f, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, f.name, value)


__all__ = ["dataclass"]
