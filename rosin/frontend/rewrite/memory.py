"""What a block of a user's function can change: variables, containers, and arrays.

A block is run once to be traced, though its course is decided later, so whatever it changed is read off and put back.
Variables are cells, as the blocks are functions over them. Containers are the lists, dicts and objects of the user's
classes that can be reached from variables that a block reads, and the variables of functions that are reached. Changes
of traced arrays are noted by the trace.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Iterable, Sequence
from types import CellType, FunctionType
from typing import Any, TypeAlias, cast

import numpy as np

from rosin.frontend import core, tree
from rosin.frontend import trace as tr
from rosin.frontend.closure import is_users
from rosin.frontend.tree import Structure
from rosin.ir.dataclass import dataclass


class _Unbound:
    def __repr__(self) -> str:
        return "nothing"


UNBOUND: Any = _Unbound()
"""In place of the value of a variable that has none."""

Container: TypeAlias = Any
_DEPTH, _ITEMS = 4, 2048
"""How deep containers are searched for, and how many items in all."""


def is_number(x: object) -> bool:
    """Whether control flow can carry it: an array or a number."""
    return core.is_array(x) or core.is_scalar(x) or isinstance(x, np.ndarray | np.generic)


def same(a: Any, b: Any) -> bool:
    """Whether two values are one object, or equal numbers or texts of one type."""
    if a is b:
        return True
    if core.is_tracer(a) and core.is_tracer(b):
        return tr.same_value(a, b)
    plain = type(a) is type(b) and isinstance(a, bool | int | float | complex | str | bytes)
    return plain and a == b and repr(a) == repr(b)


@dataclass
class Value:
    """What a variable or container holds: the object, and it taken apart as a tree."""

    object: Any
    leaves: list[Any]
    structure: Structure
    arrays: list[Any]
    """The leaves as arrays, those that are numbers."""


def value_of(x: Any) -> Value:
    """A value taken apart in the current trace."""
    leaves, structure = tree.flatten(x)
    return Value(x, leaves, structure, [core.asarray(leaf) if is_number(leaf) else None for leaf in leaves])


class Memory:
    """The variables and containers that some blocks read or change."""

    def __init__(self, blocks: Iterable[Callable[..., Any] | None], names: Sequence[str]) -> None:
        cells: dict[str, CellType] = {}
        reached: list[Any] = []
        for block in blocks:
            if isinstance(block, FunctionType):
                cells.update(zip(block.__code__.co_freevars, block.__closure__ or (), strict=True))
                reached += [block.__globals__[n] for n in block.__code__.co_names if n in block.__globals__]
        self.cells = {name: cells[name] for name in names if name in cells}
        self.known = {name: _read(cell) for name, cell in cells.items()}
        """What each variable that a block reads or assigns holds before."""
        self._own = {id(cell) for cell in cells.values()}
        self.containers: list[Container] = []
        self._names: dict[int, str] = {}
        room = [_ITEMS]
        seen: set[int] = set()
        for name, cell in cells.items():
            self._search(_read(cell), name, _DEPTH, room, seen)
        for value in reached:
            if _is_container(value):
                self._search(value, "", _DEPTH, room, seen)

    def _search(self, x: Any, name: str, depth: int, room: list[int], seen: set[int]) -> None:
        """Note the containers that `x` is or holds."""
        room[0] -= 1
        if depth < 0 or room[0] < 0 or id(x) in seen or type(x) in _PLAIN or core.is_array(x):
            return
        seen.add(id(x))
        if isinstance(x, FunctionType):
            for inner, cell in zip(x.__code__.co_freevars, x.__closure__ or (), strict=True):
                if id(cell) not in self._own and id(cell) not in seen:
                    # A variable that only a function that is called knows.
                    seen.add(id(cell))
                    self.containers.append(cell)
                    self._names[id(cell)] = inner
                self._search(_read(cell), inner, depth - 1, room, seen)
            return
        if isinstance(x, types.MethodType):
            self._search(x.__self__, name, depth - 1, room, seen)
            return
        if _is_container(x):
            self.containers.append(x)
            self._names[id(x)] = name
        for key, item in _items(x):
            self._search(item, f"{name}{key}", depth - 1, room, seen)

    def name_of(self, container: Container) -> str:
        """What the program calls a container."""
        return self._names.get(id(container), "")

    # -- reading and writing -------------------------------------------------------------------------------------

    def read(self, name: str) -> Any:
        """What a variable holds, UNBOUND if nothing."""
        return _read(self.cells[name])

    def write(self, name: str, value: Any) -> None:
        """Give a variable a value, or take it away."""
        cell = self.cells[name]
        if value is not UNBOUND:
            cell.cell_contents = value
        elif _read(cell) is not UNBOUND:
            del cell.cell_contents

    def save(self) -> tuple[dict[str, Any], list[Any]]:
        """All that variables and containers hold."""
        return {name: self.read(name) for name in self.cells}, [contents(c) for c in self.containers]

    def restore(self, saved: tuple[dict[str, Any], list[Any]]) -> None:
        """Put back what `save` gave."""
        for name, value in saved[0].items():
            self.write(name, value)
        for container, old in zip(self.containers, saved[1], strict=True):
            if not unchanged(old, contents(container)):
                fill(container, old)


_PLAIN = {int, float, bool, str, bytes, type(None), complex, type, types.ModuleType, types.BuiltinFunctionType}


def _read(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return UNBOUND


def _is_container(x: Any) -> bool:
    kind = cast("Any", type(x))
    return kind in (list, dict) or (not isinstance(x, tuple) and not callable(x) and is_users(kind))


def _items(x: Any) -> list[tuple[str, Any]]:
    """What is in a container or tuple, with how to write it after the container's name."""
    if isinstance(x, dict):
        return [(f"[{key!r}]", item) for key, item in cast("dict[Any, Any]", x).items()]
    if isinstance(x, list | tuple | set | frozenset):
        return [(f"[{i}]", item) for i, item in enumerate(cast("list[Any]", x))]
    kind = cast("Any", type(x))
    if _is_container(x) or (callable(x) and is_users(kind)):
        return [(f".{key}", item) for key, item in vars(x).items()]
    return []


def contents(container: Container) -> Any:
    """A shallow copy of what a container holds."""
    if isinstance(container, list):
        return [*cast("list[Any]", container)]
    if isinstance(container, CellType):
        value = _read(container)
        return [] if value is UNBOUND else [value]
    return {**cast("dict[Any, Any]", container if isinstance(container, dict) else vars(container))}


def unchanged(old: Any, new: Any) -> bool:
    """Whether a container holds the same objects under the same keys."""
    if len(old) != len(new):
        return False
    if not hasattr(old, "keys"):
        return all(map(operator.is_, old, new))
    return list(old) == list(new) and all(old[key] is new[key] for key in old)


def fill(container: Container, held: Any) -> None:
    """Have a container hold other things, staying the object that it is."""
    if isinstance(container, list):
        container[:] = held
    elif isinstance(container, CellType):
        if held:
            container.cell_contents = held[0]
        elif _read(container) is not UNBOUND:
            del container.cell_contents
    else:
        items = cast("dict[Any, Any]", container if isinstance(container, dict) else vars(container))
        items.clear()
        items.update(held)
