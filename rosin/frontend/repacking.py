"""Putting results together that are like those of calls before: Python code for one tree, the way back of `unpacking`.

A general walk over a structure calls a function for each dataclass of it. Once a function has given back the same tree
again and again, it is worth a few lines of Python for each node, which make that tree and no other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from rosin.frontend import tree
from rosin.frontend.tree import Structure

Repacker: TypeAlias = "Callable[[Sequence[Any]], Any]"
"""The tree with these leaves."""


def repacker(structure: Structure) -> Repacker:
    """What puts leaves together to a tree of this structure: code, unless a class has a say in how that is done."""
    making = _Making()
    made = making.node(tree.unflatten(structure, [_Leaf(i) for i in range(structure.num_leaves)]))
    return (lambda leaves: tree.unflatten(structure, leaves)) if made is None else making.function(made)


class _Leaf:
    """Stands for a leaf in the tree that the code is made from."""

    def __init__(self, position: int) -> None:
        self.position = position


class _Making:
    """The code so far, and the values that it mentions."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: dict[str, Any] = {"new": object.__new__, "put": object.__setattr__}
        self.leaves = 0

    def name(self, value: Any) -> str:
        """What the code calls a value."""
        name = f"value{len(self.values)}"
        self.values[name] = value
        return name

    def node(self, node: Any) -> str | None:
        """The expression of a node; None where it is not known how to make it."""
        kind: Any = type(node)  # pyright: ignore[reportUnknownVariableType]  # the class of anything
        if kind is _Leaf:
            self.leaves += 1
            return f"leaf{node.position}"
        if node is None:
            return "None"
        if kind in (list, tuple):
            parts = [self.node(part) for part in node]
            ends = "[]" if kind is list else "()"
            return None if None in parts else f"{ends[0]}{''.join(f'{part}, ' for part in parts)}{ends[1]}"
        if kind is dict:
            parts = [self.node(part) for part in node.values()]
            pairs = zip(map(self.name, node), parts, strict=True)
            return None if None in parts else f"{{{', '.join(f'{key}: {part}' for key, part in pairs)}}}"
        return self._instance(node) if tree.is_registered(kind) else None

    def _instance(self, node: Any) -> str | None:
        """A dataclass, whose `__init__` does not run."""
        cls: Any = type(node)  # pyright: ignore[reportUnknownVariableType]  # the class of anything
        made = f"node{len(self.lines)}"
        plain = cls.__setattr__ is object.__setattr__
        self.lines.append(f"    {made} = new({self.name(cls)})")
        for field in dataclasses.fields(cls):
            value = getattr(node, field.name)
            part = self.name(value) if field.metadata.get("static", False) else self.node(value)
            if part is None:
                return None
            plain = cls.__setattr__ is object.__setattr__
            self.lines.append(
                f"    {made}.{field.name} = {part}" if plain else f"    put({made}, {field.name!r}, {part})"
            )
        return made

    def function(self, made: str) -> Repacker:
        leaves = "".join(f"leaf{i}, " for i in range(self.leaves))
        lines = ["def repack(leaves):", *([f"    ({leaves}) = leaves"] if leaves else []), *self.lines]
        exec(
            compile("\n".join([*lines, f"    return {made}"]), "<results of a compiled function>", "exec"), self.values
        )
        return self.values["repack"]
