"""What a function reads from outside its arguments, and whether that has changed.

A compiled function is answered from its graph, so a Python value that its code read while it was traced is part of the
answer. We note the closure cells and globals that the code of the function, and of the user's functions it reaches,
names, and compare them by identity at each call.
"""

from __future__ import annotations

import dis
import functools
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


@dataclass(slots=True)
class Variable:
    """A closure cell or a global that a function names, and the object it held."""

    name: str
    function: str
    holder: Any
    """The cell, or the dict of globals."""
    is_cell: bool
    value: Any

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
            return False
        if type(value) is type(self.value) and isinstance(value, _COMPARED) and value == self.value:
            self.value = value
            return False
        return True


class Closure:
    """The variables outside its arguments that a function reads, with what they hold."""

    __slots__ = ("_cells", "_globals", "variables")

    def __init__(self, function: Any) -> None:
        found = _variables(function, set())
        self.variables = [v for v in found if not _is_code(v.value)]
        # What a call compares, laid out for speed.
        self._cells = tuple([(v, v.holder) for v in self.variables if v.is_cell])
        self._globals = tuple([(v, v.holder, v.name) for v in self.variables if not v.is_cell])

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
        return None

    def check_after_trace(self, name: str) -> None:
        """Raise if the function changed a variable, or put a traced value into a container, while it was traced.

        Raises:
            ClosureError: it did; the message names the variable.
        """
        variable = self.changed()
        if variable is not None:
            message = (
                f"mutated closure: {variable.function} assigns to `{variable.name}` outside itself while {name} is "
                f"traced; that happens once, when it is compiled, and not at each call\n"
                f"  return the new value, and pass the old one as an argument"
            )
            raise tr.located(ClosureError(message))
        for variable in self.variables:
            held = variable.value
            values: Any = held.values() if isinstance(held, dict) else held  # pyright: ignore[reportUnknownVariableType]  # a dict of anything
            items: list[Any] = list(values) if isinstance(held, dict | list | set) else []
            if any(tr.is_tracer(item) and item._trace.ended for item in items):  # pyright: ignore[reportPrivateUsage]
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
        message = (
            f"mutated closure: {variable.function} reads `{variable.name}`, which was {_short(variable.value)} when "
            f"{name} was compiled and is {_short(variable.now())} now\n"
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
    if not isinstance(function, FunctionType) or id(function) in seen or _is_library(function.__code__):
        return []
    seen.add(id(function))
    own, outside, code = function.__name__, function.__globals__, function.__code__
    found = [
        Variable(name, own, cell, True, None)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
    ]
    found += [
        Variable(name, own, outside, False, None) for name in dict.fromkeys(_global_names(code)) if name in outside
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


def _is_library(code: CodeType) -> bool:
    """Whether code comes with Python, with an installed package or with Rosin, rather than from the user's program."""
    return code.co_filename.startswith(_libraries()) or source.is_ours(code.co_filename)


@functools.cache
def _libraries() -> tuple[str, ...]:
    """Where Python's library and installed packages are."""
    import sysconfig  # On first use: it reads how Python was built.

    return tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
