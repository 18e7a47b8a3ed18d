"""What a function reads from outside its arguments, and whether that has changed.

A compiled function is answered from its graph, so a Python value that its code read while it was traced is part of the
answer. We note the closure cells and globals that the code of the function, and of the user's functions it reaches,
names, and compare them by identity at each call. Of containers (dicts, lists, tuples, sets, and the user's own objects)
we note what is inside too, of objects only the attributes that the function names.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from operator import is_
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from rosin.frontend import bytecode, source
from rosin.frontend import trace as tr
from rosin.frontend.errors import ClosureError
from rosin.ir.dataclass import dataclass

_UNSET: Any = object()
_CODE = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type)
_COMPARED = (bool, int, float, str, bytes, type(None))
_CONTAINERS = (dict, list, tuple, set, frozenset)
_DEPTH = 4
_ITEMS = 512
"""How deep, and how many items in all, a container is looked into."""
_ITEMS_IN_CODE = 8
"""Of an object with more attributes a loop compares them."""

_WATCHED = """\
def watched(*args, **kwargs):
    try:
        same = {}
    except ValueError:
        same = False  # a cell is empty
    if not same:
        check()
    return call(*args, **kwargs)
"""


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
    inside: list[Inside] | None = None
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
            return self.inside is not None and any(each.changed() for each in self.inside)
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

    def look_inside(self) -> None:
        """Note what the value holds, if it is a container."""
        self.inside = _insides(self.value, self.attributes)


class Inside:
    """A container, and what it held: items by key, position, or the attributes that a function names."""

    __slots__ = ("attributes", "container", "holder", "is_dict", "is_object", "items", "keys", "size")

    def __init__(self, container: Any, attributes: frozenset[str]) -> None:
        self.container, self.attributes = container, attributes
        self.is_dict = issubclass(type(container), dict)
        self.is_object = not issubclass(type(container), _CONTAINERS)
        self._note(_items(container, attributes))

    def _note(self, items: Sequence[tuple[Any, Any]]) -> None:
        self.keys, self.items = tuple([key for key, _ in items]), tuple([item for _, item in items])
        self.holder: Any = self.container.__dict__ if self.is_object else self.container
        self.size = len(self.holder)

    def same_objects(self) -> bool:
        """Whether all that it holds is the very same."""
        container: Any = self.container
        holder: Any = self.holder
        if len(holder) != self.size:
            return False
        if self.is_object:
            if container.__dict__ is not holder:
                return False
            for key, item in zip(self.keys, self.items):  # noqa: B905, SIM110  # the quickest way
                if holder.get(key, _UNSET) is not item:
                    return False
            return True
        if self.is_dict:
            return all(map(is_, holder, self.keys)) and all(map(is_, holder.values(), self.items))
        return all(map(is_, holder, self.items))

    def tests(self, given: Callable[[Any], str]) -> list[str]:
        """Python's words for `same_objects`, in which `given` names objects."""
        if self.size and (not self.is_object or len(self.items) > _ITEMS_IN_CODE):
            return [f"{given(self.same_objects)}()"]
        holder = given(self.holder)
        tests = [f"{given(self.container)}.__dict__ is {holder}"] if self.is_object else []
        tests.append(f"len({holder}) == {self.size}")
        items = zip(self.keys, self.items, strict=True)
        return tests + [f"{holder}.get({key!r}, unset) is {given(item)}" for key, item in items]

    def changed(self) -> bool:
        """Whether it holds other things; numbers and text that are equal are the same things."""
        if self.same_objects():
            return False
        items = _items(self.container, self.attributes)
        same = len(items) == len(self.items) and all(
            _equal(key, old_key) and _equal(item, old)
            for (key, item), old_key, old in zip(items, self.keys, self.items, strict=True)
        )
        if same:
            self._note(items)
        return not same


def _equal(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and type(a) in _COMPARED and a == b)


def _insides(value: Any, attributes: frozenset[str]) -> list[Inside] | None:
    """What a container holds, and what the containers in it do; None where it is none."""
    if not _is_container(value, attributes):
        return None
    found: list[Inside] = []
    room, near = _ITEMS, [value]
    for _ in range(_DEPTH):
        held: list[Any] = []
        for each in near:
            inside = Inside(each, attributes)
            room -= len(inside.items)
            if room < 0:
                return found
            found.append(inside)
            held += [item for item in inside.items if _is_container(item, attributes)]
        near = held
    return found


def _is_container(value: Any, attributes: frozenset[str]) -> bool:
    """Whether we look into a value: a dict, list, tuple or set, or an object of the user's program."""
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]  # the class of anything
    if issubclass(kind, _CONTAINERS):
        return True
    return bool(attributes) and not callable(value) and not tr.is_array(value) and is_users(kind)


def _items(container: Any, attributes: frozenset[str]) -> list[tuple[Any, Any]]:
    """What a container holds, by key, position or attribute."""
    kind: Any = type(container)  # pyright: ignore[reportUnknownVariableType]  # the class of anything
    if issubclass(kind, dict):
        return list(container.items())
    if issubclass(kind, _CONTAINERS):
        return list(enumerate(container))  # pyright: ignore[reportUnknownArgumentType]  # a container of anything
    return [(name, container.__dict__[name]) for name in sorted(attributes) if name in container.__dict__]


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
            variable.look_inside()
        # What is in a tuple or a frozen set stays there.
        self._containers = tuple(
            [(v, i) for v in self.variables for i in v.inside or () if type(i.container) not in (tuple, frozenset)]
        )

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
        for variable, inside in self._containers:
            if not inside.same_objects() and inside.changed():
                return variable
        return None

    def watched(self, call: Callable[..., Any], check: Callable[[], None]) -> Callable[..., Any]:
        """What calls `check` where a variable holds another value or object than now, and then `call`.

        It is code for these variables, since it runs at each call, whose other parts take a fraction of a microsecond.
        """
        names: dict[str, Any] = {"call": call, "check": check, "unset": _UNSET}
        tests: list[str] = []

        def given(value: Any) -> str:
            name = f"given{len(names)}"
            names[name] = value
            return name

        tests += [f"{given(cell)}.cell_contents is {given(variable.value)}" for variable, cell in self._cells]
        for variable, holder, name in self._globals:
            tests.append(f"{given(holder)}.get({name!r}, unset) is {given(variable.value)}")
        tests += [test for _, inside in self._containers for test in inside.tests(given)]
        space: dict[str, Any] = {}
        # It counts as code of this file, whose place no error names.
        code = compile(_WATCHED.format(" and ".join(tests)), f"{__file__}, for one function", "exec")
        exec(code, names, space)
        return space["watched"]

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
    attributes = frozenset(bytecode.attribute_names(code))
    found = [
        Variable(name, own, cell, True, None, attributes)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
    ]
    found += [
        Variable(name, own, outside, False, None, attributes)
        for name in dict.fromkeys(bytecode.global_names(code))
        if name in outside
    ]
    for variable in list(found):
        variable.value = variable.now()
        found += _variables(variable.value, seen)
    return found


def is_library(code: CodeType) -> bool:
    """Whether code comes with Python, with an installed package or with Rosin, rather than from the user's program."""
    return code.co_filename.startswith(_libraries()) or source.is_ours(code.co_filename)


@functools.cache
def _libraries() -> tuple[str, ...]:
    """Where Python's library and installed packages are."""
    # The module `sysconfig` would take longer than all else here: it reads how Python was built.
    packages = [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]
    return tuple({f"{path}/" for path in (os.path.dirname(os.__file__), *packages)})
