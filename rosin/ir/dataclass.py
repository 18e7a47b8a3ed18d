"""`dataclass`, as Python's, whose methods are written when they are first used.

Python writes and compiles up to eight functions for each class when its module loads, which took a third of the time of
`import rosin`. Here classes of as many fields share the code of their methods, but for the names in it. Fields,
`replace` and the like are Python's own.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, field
from types import CodeType, FunctionType
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

T = TypeVar("T")


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
        methods["__init__"] = _late(made, "__init__", lambda: _init(made, fields, frozen, slots))
    if repr and "__repr__" not in stated:
        methods["__repr__"] = _repr(fields)
    if eq and "__eq__" not in stated:
        methods["__eq__"] = _late(made, "__eq__", lambda: _eq(made, fields))
    if eq and "__hash__" not in stated:
        methods["__hash__"] = _late(made, "__hash__", lambda: _hash(made, fields)) if frozen else None
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


def _late(made: Any, name: str, write: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """A method that is written, and put in its own place, when it is called."""

    def late(self: Any, *args: Any, **kwargs: Any) -> Any:
        method = write()
        if _own(made).get(name) is late:
            setattr(made, name, method)
        return method(self, *args, **kwargs)

    late.__name__, late.__qualname__ = name, f"{made.__qualname__}.{name}"
    return late


def _values(x: Any) -> tuple[Any, ...]:
    return tuple([getattr(x, f.name) for f in dataclasses.fields(x)])


def _init(made: Any, fields: Sequence[Field[Any]], frozen: bool, slots: bool) -> Callable[..., Any]:
    outside: dict[str, Any] = {"_missing": MISSING, "_set": object.__setattr__}
    kinds, given, defaults = list[str](), dict[str, str](), list[Any]()
    for number, f in enumerate(f for f in fields if f.init or f.default_factory is not MISSING):
        kind = "given" if not f.init or f.default_factory is MISSING else "made"
        if f.init:
            given[f"v{number}"] = f.name
            default = f.default if f.default_factory is MISSING else MISSING
            if kind == "made" or default is not MISSING:
                defaults.append(default)
            elif defaults:
                raise TypeError(f"{made.__qualname__}.{f.name} has no default and follows a field that has one")
        else:
            kind = "only made"
        outside[f"_made{number}"], outside[f"_name{number}"] = f.default_factory, f.name
        given[f"n{number}"] = f.name
        if slots and frozen and hasattr(_own(made).get(f.name), "__set__"):
            # The quickest way past the refusal to assign.
            outside[f"_set{number}"] = _own(made)[f.name].__set__
            kind += " slot"
        kinds.append(kind)
    code = _init_code(tuple(kinds), frozen, hasattr(made, "__post_init__"))
    return _named(made, "__init__", code, given, outside, tuple(defaults))


@functools.cache
def _init_code(kinds: tuple[str, ...], frozen: bool, posts: bool) -> CodeType:
    """What `__init__` does for fields of these kinds, which are called by their numbers."""
    body = list[str]()
    for number, kind in enumerate(kinds):
        value = f"v{number}"
        if kind.startswith("made"):
            value = f"_made{number}() if {value} is _missing else {value}"
        elif kind.startswith("only made"):
            value = f"_made{number}()"
        if kind.endswith("slot"):
            body.append(f"_set{number}(self, {value})")
        else:
            body.append(f"_set(self, _name{number}, {value})" if frozen else f"self.n{number} = {value}")
    if posts:
        body.append("self.__post_init__()")
    given = [f"v{number}" for number, kind in enumerate(kinds) if not kind.startswith("only")]
    return _code("__init__", ["self", *given], body)


def _eq(made: Any, fields: Sequence[Field[Any]]) -> Callable[..., Any]:
    names = {f"n{number}": f.name for number, f in enumerate(fields)}
    return _named(made, "__eq__", _eq_code(len(fields)), names, {"NotImplemented": NotImplemented})


@functools.cache
def _eq_code(count: int) -> CodeType:
    mine, theirs = (f"({''.join(f'{who}.n{number}, ' for number in range(count))})" for who in ("self", "other"))
    body = ["if self.__class__ is not other.__class__:", "    return NotImplemented", f"return {mine} == {theirs}"]
    return _code("__eq__", ["self", "other"], body)


def _hash(made: Any, fields: Sequence[Field[Any]]) -> Callable[..., Any]:
    names = {f"n{number}": f.name for number, f in enumerate(fields)}
    return _named(made, "__hash__", _hash_code(len(fields)), names, {"hash": hash})


@functools.cache
def _hash_code(count: int) -> CodeType:
    return _code("__hash__", ["self"], [f"return hash(({''.join(f'self.n{n}, ' for n in range(count))}))"])


def _code(name: str, parameters: Sequence[str], body: Sequence[str]) -> CodeType:
    lines = "\n  ".join(body or ["pass"])
    found: dict[str, Any] = {}
    exec(f"def {name}({', '.join(parameters)}):\n  {lines}", found)
    return found[name].__code__


def _named(
    made: Any,
    name: str,
    code: CodeType,
    names: Mapping[str, str],
    outside: dict[str, Any],
    defaults: tuple[Any, ...] = (),
) -> Callable[..., Any]:
    """The method of this code, with names of the class's own: to compile it again would take thirty times as long."""
    own = code.replace(
        co_varnames=tuple([names.get(n, n) for n in code.co_varnames]),
        co_names=tuple([names.get(n, n) for n in code.co_names]),
    )
    method = FunctionType(own, outside, name, defaults)
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
