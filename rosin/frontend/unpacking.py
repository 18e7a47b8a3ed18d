"""Taking apart the arguments of calls that are like one before: Python code for one tree, which looks at no other.

A general walk over a tree asks of each node what it is, sorts keys, and builds the structure of all. When that has been
found to be the same again and again, it is enough to check it: a few lines of Python for each node, straight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import optree

from rosin.frontend import tree
from rosin.frontend.signature import Call, Types
from rosin.frontend.tree import Structure

Unpacker: TypeAlias = "Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, ...] | None]"
"""The leaves of arguments and keywords as arrays. None, or an error of `UNLIKE`, where these are not such a tree."""

UNLIKE = (KeyError, OverflowError)
NUMBERS = (bool, int, float, complex)

PLAIN = {optree.PyTreeKind.TUPLE: tuple, optree.PyTreeKind.LIST: list, optree.PyTreeKind.DICT: dict}


def unpacker(call: Call, types: Types) -> Unpacker | None:
    """What takes calls apart that are like this one, whose leaves have these types as arrays.

    None where a class of nodes has a say in how they are taken apart.
    """
    making = _Making(call.leaves, types)
    positional, keywords = call.structure.children()
    some_args, some_kwargs = tree.unflatten(call.structure, call.leaves)
    static = dict(call.static)
    count = positional.num_children + sum(isinstance(place, int) for place in static)
    free = [i for i in range(count) if i not in static]
    names = [*keywords.entries(), *(place for place in static if isinstance(place, str))]
    making.check(f"len(args) == {count} and len(kwargs) == {len(names)}")
    for place, value in static.items():
        given = f"args[{place}]" if isinstance(place, int) else f"kwargs[{place!r}]"
        making.check_equal(given, value)
    parts = zip(free, positional.children(), some_args, strict=True)
    nodes = [(f"args[{i}]", child, some) for i, child, some in parts]
    parts = zip(keywords.entries(), keywords.children(), strict=True)
    nodes += [(f"kwargs[{name!r}]", child, some_kwargs[name]) for name, child in parts]
    known = all(making.node(source, child, some) for source, child, some in nodes)
    return making.function() if known else None


class _Making:
    """The code so far, and the values that it mentions."""

    def __init__(self, given: Sequence[Any], types: Types) -> None:
        self.given = given
        self.types = types
        self.lines: list[str] = []
        self.values: dict[str, Any] = {}
        self.leaves: list[str] = []
        self.count = 0

    def name(self, value: Any) -> str:
        """What the code calls a value."""
        name = f"value{len(self.values)}"
        self.values[name] = value
        return name

    def check(self, condition: str) -> None:
        self.lines.append(f"    if not ({condition}): return None")

    def check_equal(self, given: str, value: Any) -> None:
        """As keys of a call are equal: of one class, and equal."""
        name = self.name(value)
        self.check(f"type({given}) is {self.name(type(value))} and ({given} is {name} or {given} == {name})")

    def node(self, source: str, structure: Structure, some: Any) -> bool:
        """Take apart what is found at `source`, as `some` is there now; gives whether that is known to be right."""
        kind = structure.kind
        if kind is optree.PyTreeKind.LEAF:
            return self._leaf(source)
        if kind is optree.PyTreeKind.NONE:
            self.check(f"{source} is None")
            return True
        node = f"node{self.count}"
        self.count += 1
        self.lines.append(f"    {node} = {source}")
        children = structure.children()
        if kind in PLAIN:
            self.check(f"type({node}) is {PLAIN[kind].__name__} and len({node}) == {len(children)}")
            parts = [(f"{node}[{self._literal(entry)}]", some[entry]) for entry in structure.entries()]
        elif structure.type is not None and tree.is_registered(structure.type):
            self.check(f"type({node}) is {self.name(structure.type)}")
            for name in tree.settings_of(structure.type):
                self.check_equal(f"{node}.{name}", getattr(some, name))
            parts = [(f"{node}.{entry}", getattr(some, entry)) for entry in structure.entries()]
        else:
            return False
        return all(self.node(part, child, own) for (part, own), child in zip(parts, children, strict=True))

    def _leaf(self, source: str) -> bool:
        """An array goes to the native entry as it is, which looks at it. A Python number becomes one."""
        given, (dtype, shape) = self.given[len(self.leaves)], self.types[len(self.leaves)]
        if type(given) in NUMBERS and shape == ():
            self.check(f"type({source}) is {type(given).__name__}")
            source = f"{self.name(np.array)}({source}, {self.name(dtype)})"
        self.leaves.append(source)
        return True

    def _literal(self, key: Any) -> str:
        return repr(key) if type(key) in (int, str) else self.name(key)

    def function(self) -> Unpacker:
        text = "\n".join(
            ["def unpack(args, kwargs):", *self.lines, f"    return ({''.join(f'{s}, ' for s in self.leaves)})"]
        )
        exec(compile(text, "<arguments of a compiled function>", "exec"), self.values)
        return self.values["unpack"]
