"""What a function reads from outside its arguments, and whether that has changed.

A compiled function is answered from its graph, so a Python value that its code read while it was traced is part of the
answer. We note the closure cells and globals that the code of the function, and of the user's functions it reaches,
names, and compare them by identity at each call. Of containers (dicts, lists, tuples, sets, and the user's own objects)
we note what is inside too, of objects only the attributes that the function names.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from rosin.frontend import source
from rosin.frontend import trace as tr
from rosin.frontend.errors import ClosureError

_UNSET: Any = object()
_CODE = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type)
_COMPARED = (bool, int, float, str, bytes, type(None))
_DEPTH = 4
_ITEMS = 512
"""How deep, and how many items in all, a container is looked into."""


@dataclass(slots=True)
class Variable:
    """A closure cell or a global that a function names, and the object it held."""

    name: str
    function: str
    holder: Any
    """The cell, or the dict of globals."""
    is_cell: bool
    value: Any
    attributes: frozenset[str] = frozenset()
    """The attributes that the function names, of whatever object."""
    inside: Any = None
    """What the container held, None when it is none."""

    def now(self) -> Any:
        """What it holds."""
        if not self.is_cell:
            return self.holder.get(self.name, _UNSET)
        try:
            return self.holder.cell_contents
        except ValueError:
            return _UNSET

    def changed(self) -> bool:
        """Whether it holds another value; a number or text that is equal is the same value."""
        value = self.now()
        if value is self.value:
            return self.inside is not None and self.contents() != self.inside
        if type(value) is type(self.value) and isinstance(value, _COMPARED) and value == self.value:
            self.value = value
            return False
        return True

    def how(self) -> str:
        """What was done to it."""
        return "changes what is in" if self.now() is self.value else "assigns to"

    def holds_tracers(self) -> bool:
        """Whether it is a container in which there is a traced value of a trace that has ended."""
        held = self.value
        values: Any = held.values() if isinstance(held, dict) else held  # pyright: ignore[reportUnknownVariableType]  # a dict of anything
        items: list[Any] = list(values) if isinstance(held, dict | list | set) else []
        return any(tr.is_tracer(item) and item._trace.ended for item in items)  # pyright: ignore[reportPrivateUsage]

    def contents(self) -> Any:
        """What the value holds, in a form to compare; None when it is no container."""
        return _contents(self.value, self.attributes, _DEPTH, [_ITEMS])


def _contents(value: Any, attributes: frozenset[str], depth: int, room: list[int]) -> Any:
    """Numbers and text by value, other things by identity, containers by what they hold."""
    items: Any = _items(value, attributes)
    if items is None or depth == 0:
        return None
    found: list[Any] = []
    for key, item in items:
        room[0] -= 1
        if room[0] < 0:
            break
        if type(item) in _COMPARED:
            held: Any = (type(item), item)
        else:
            # The item is kept, so that another one never gets its identity.
            held = (item, _contents(item, attributes, depth - 1, room))
        found.append((key if type(key) in _COMPARED else id(key), _Held(held)))
    return found


def _items(value: Any, attributes: frozenset[str]) -> Any:
    """What a container holds, by key, position or attribute; None when it is none."""
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]  # the class of anything
    if issubclass(kind, dict):
        return value.items()
    if issubclass(kind, list | tuple | set | frozenset):
        return enumerate(value)
    if attributes and not callable(value) and not tr.is_array(value) and is_users(kind):
        return [(name, value.__dict__[name]) for name in sorted(attributes) if name in value.__dict__]
    return None


class _Held:
    """An item of a container: equal only to the same object holding the same."""

    __slots__ = ("item",)

    def __init__(self, item: tuple[Any, Any]) -> None:
        self.item = item

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Held):
            return False
        (a, inside_a), (b, inside_b) = self.item, other.item
        return a is b and (inside_a is inside_b or inside_a == inside_b)

    def __hash__(self) -> int:
        return id(self.item[0])


def is_users(kind: type) -> bool:
    """Whether a class with attributes in a dict is of the user's program."""
    if kind.__module__ in ("builtins", "__builtin__") or not hasattr(kind, "__dict__"):
        return False
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    return (
        hasattr(kind, "__dictoffset__")
        and kind.__dictoffset__ != 0
        and not (file is not None and (file.startswith(_libraries()) or source.is_ours(file)))
    )


class Closure:
    """The variables outside its arguments that a function reads, with what they hold."""

    __slots__ = ("_cells", "_containers", "_globals", "variables")

    def __init__(self, function: Any) -> None:
        found = _variables(function, set())
        self.variables = [v for v in found if not _is_code(v.value)]
        # What a call compares, laid out for speed.
        self._cells = tuple([(v, v.holder) for v in self.variables if v.is_cell])
        self._globals = tuple([(v, v.holder, v.name) for v in self.variables if not v.is_cell])
        for variable in self.variables:
            variable.inside = variable.contents()
        self._containers = tuple([v for v in self.variables if v.inside is not None])

    def __bool__(self) -> bool:
        return bool(self.variables)

    def changed(self) -> Variable | None:
        """A variable that holds another value than it did."""
        for variable, cell in self._cells:
            try:
                if cell.cell_contents is variable.value:
                    continue
            except ValueError:
                pass
            if variable.changed():
                return variable
        for variable, holder, name in self._globals:
            if holder.get(name, _UNSET) is not variable.value and variable.changed():
                return variable
        for variable in self._containers:
            if variable.changed():
                return variable
        return None

    def check_after_trace(self, name: str) -> None:
        """Raise if the function changed a variable, or put a traced value into a container, while it was traced.

        Raises:
            ClosureError: it did; the message names the variable.
        """
        variable = self.changed()
        if variable is not None and not variable.holds_tracers():
            message = (
                f"mutated closure: {variable.function} {variable.how()} `{variable.name}` outside itself while {name} "
                f"is traced; that happens once, when it is compiled, and not at each call\n"
                f"  return the new value, and pass the old one as an argument"
            )
            raise tr.located(ClosureError(message))
        for variable in self.variables:
            if variable.holds_tracers():
                message = (
                    f"mutated closure: {variable.function} puts a traced value into `{variable.name}`, which is "
                    f"outside itself; {name} is traced once, and the value is no number\n  return it instead"
                )
                raise tr.located(ClosureError(message))

    def refuse(self, variable: Variable, name: str) -> None:
        """Say that a call would be answered with the old value of a variable.

        Raises:
            ClosureError: always.
        """
        now, was = variable.now(), variable.value
        change = (
            f"what is in `{variable.name}`, which has changed since {name} was compiled"
            if now is was
            else f"`{variable.name}`, which was {_short(was)} when {name} was compiled and is {_short(now)} now"
        )
        message = (
            f"mutated closure: {variable.function} reads {change}\n"
            f"  pass it as an argument; or call {name}.clear() to have {name} compiled anew"
        )
        raise tr.located(ClosureError(message))


def _short(value: Any) -> str:
    if value is _UNSET:
        return "unset"
    if tr.is_array(value):
        return f"an array {value.type}"
    text = repr(value)
    return text if len(text) <= 40 and "\n" not in text else f"a {type(value).__name__}"


def _is_code(value: Any) -> bool:
    """Functions, modules and classes are taken to stay what they are; so is what wraps a function."""
    return isinstance(value, _CODE) or (callable(value) and hasattr(value, "__wrapped__"))


def _variables(function: Any, seen: set[int]) -> list[Variable]:
    """The variables that a function names, and those that the user's functions among them name."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if isinstance(function, MethodType):
        function = function.__func__
    if not isinstance(function, FunctionType) or id(function) in seen or is_library(function.__code__):
        return []
    seen.add(id(function))
    own, outside, code = function.__name__, function.__globals__, function.__code__
    attributes = frozenset(_attribute_names(code))
    found = [
        Variable(name, own, cell, True, None, attributes)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
    ]
    found += [
        Variable(name, own, outside, False, None, attributes)
        for name in dict.fromkeys(_global_names(code))
        if name in outside
    ]
    for variable in list(found):
        variable.value = variable.now()
        found += _variables(variable.value, seen)
    return found


def _global_names(code: CodeType) -> Iterator[str]:
    """The globals that a function and the functions inside it read or assign to."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_NAME"):
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _attribute_names(code: CodeType) -> Iterator[str]:
    """The attributes that a function and the functions inside it read or assign to."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR"):
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _attribute_names(constant)


def is_library(code: CodeType) -> bool:
    """Whether code comes with Python, with an installed package or with Rosin, rather than from the user's program."""
    return code.co_filename.startswith(_libraries()) or source.is_ours(code.co_filename)


@functools.cache
def _libraries() -> tuple[str, ...]:
    """Where Python's library and installed packages are."""
    import sysconfig  # On first use: it reads how Python was built.

    return tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
