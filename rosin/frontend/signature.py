"""What tells calls of a compiled function apart: the tree of the arguments, their types, and the static values."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from rosin.frontend import core, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.errors import ArgumentError
from rosin.frontend.staging import Function, Input
from rosin.frontend.tree import Structure
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.op import NumpyArray

Names: TypeAlias = "str | Iterable[str]"
Numbers: TypeAlias = "int | Iterable[int]"
Place: TypeAlias = "int | str"
"""Which argument: its position, or its name when it is given by keyword."""
Types: TypeAlias = "tuple[tuple[np.dtype[Any], tuple[int, ...]], ...]"

MAKE_STATIC = "if it decides what is computed, name its argument in static_argnames"


class Selected:
    """Arguments that are chosen by name or by position: both are known for each, where the signature tells."""

    def __init__(self, f: Function, what: str, names: Names, numbers: Numbers) -> None:
        self.names = {names} if isinstance(names, str) else set(names)
        self.numbers = {numbers} if isinstance(numbers, int) else set(numbers)
        if not self:
            return
        parameters = list(inspect.signature(f).parameters.values())
        takes_keywords = any(p.kind is p.VAR_KEYWORD for p in parameters)
        takes_more = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        known = {p.name for p in parameters}
        for name in sorted(self.names):
            if name not in known and not takes_keywords:
                message = f"{what}_argnames: {staging.name_of(f)} has no argument {name!r}; it has"
                raise tr.located(ArgumentError(f"{message} {', '.join(p.name for p in parameters) or 'none'}"))
        for number in sorted(self.numbers):
            if not (-len(positional) <= number < len(positional) or (takes_more and number >= 0)):
                message = f"{what}_argnums: {staging.name_of(f)} has {len(positional)} positional arguments"
                raise tr.located(ArgumentError(f"{message}, and none has number {number}"))
        self.numbers = {n % len(positional) if n < 0 else n for n in self.numbers}
        self.numbers |= {i for i, name in enumerate(positional) if name in self.names}
        self.names |= {name for i, name in enumerate(positional) if i in self.numbers}

    def __bool__(self) -> bool:
        return bool(self.names or self.numbers)

    def __contains__(self, place: Place) -> bool:
        return place in self.names if isinstance(place, str) else place in self.numbers


@dataclass(slots=True)
class Call:
    """A call taken apart: the tree of what is traced, and the static arguments with their places."""

    leaves: list[Any]
    structure: Structure
    static: tuple[tuple[Place, Any], ...]
    weak: tuple[int, ...] = ()
    """Which leaves were Python numbers before `make_arrays`."""
    known_paths: list[str] | None = None

    def arguments(self, leaves: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments again, with other leaves."""
        positional, keywords = tree.unflatten(self.structure, leaves)
        positional, keywords = list(positional), dict(keywords)
        for place, value in self.static:
            if isinstance(place, int):
                positional.insert(place, value)
            else:
                keywords[place] = value
        return positional, keywords

    def parts(self) -> list[tuple[Place, Structure]]:
        """The arguments that are traced: the place and the structure of each, in the order of the leaves."""
        positional, keywords = self.structure.children()
        static = {place for place, _ in self.static}
        free = (i for i in range(positional.num_children + len(static)) if i not in static)
        parts: list[tuple[Place, Structure]] = list(zip(free, positional.children(), strict=False))
        return parts + list(zip(keywords.entries(), keywords.children(), strict=True))

    def paths(self, f: Function) -> list[str]:
        """The leaves as the user would write them, by the names of the parameters."""
        if self.known_paths is not None:
            return self.known_paths
        parts = self.parts()
        names = staging.parameter_names(f, 1 + max((p for p, _ in parts if isinstance(p, int)), default=-1))
        paths: list[str] = []
        for place, structure in parts:
            paths += tree.path_texts(place if isinstance(place, str) else names[place], structure)
        self.known_paths = paths
        return paths

    def leaves_of(self, selected: Selected) -> tuple[int, ...]:
        """The positions of the leaves of selected arguments."""
        marks: list[bool] = []
        for place, structure in self.parts():
            marks += [place in selected] * structure.num_leaves
        return tuple([i for i, mark in enumerate(marks) if mark])

    def key(self, f: Function) -> Any:
        """Tree, static values, and which leaves are Python numbers; equal for calls that one family of programs serves.

        1, 1.0 and True are equal and decide differently, so the types of static values count.

        Raises:
            ArgumentError: a static value has no hash.
        """
        static: list[tuple[Any, ...]] = [(place, type(value), value) for place, value in self.static]
        key: Any = (self.structure, tuple(static), self.weak) if static or self.weak else self.structure
        try:
            hash(key)
        except TypeError as error:
            raise tr.located(ArgumentError(f"{staging.name_of(f)}: {self._without_hash(f) or error}")) from None
        return key

    def _without_hash(self, f: Function) -> str:
        """Which static argument has no hash."""
        for place, value in self.static:
            try:
                hash(value)
            except TypeError as error:
                name = place if isinstance(place, str) else staging.parameter_names(f, place + 1)[place]
                kind = type(value).__name__
                inside = "" if type(value).__hash__ is None else f" ({error})"
                return f"the static argument `{name}` is a {kind}, which has no hash{inside}; a tuple has one"
        return ""

    # -- leaves ----------------------------------------------------------------------------------------------

    def make_arrays(self, f: Function) -> None:
        """Make the leaves arrays, ours or NumPy's, and note which were Python numbers.

        Raises:
            ArgumentError: a leaf is no array; the message gives its path.
            TraceError: a leaf is a traced value whose trace has ended.
        """
        if {type(leaf) for leaf in self.leaves} <= {tr.array_type(), np.ndarray}:
            return
        self.weak = tuple([i for i, leaf in enumerate(self.leaves) if core.is_scalar(leaf)])
        for position, leaf in enumerate(self.leaves):
            if type(leaf) in (tr.array_type(), np.ndarray):
                continue
            if not staging.is_array_like(leaf):
                staging.as_argument(leaf, self.paths(f)[position], staging.name_of(f), MAKE_STATIC)
            array = core.asarray(leaf)
            if core.is_tracer(array):
                array.check_alive()
                raise AssertionError("a live tracer is met only while tracing")
            self.leaves[position] = array

    def values(self) -> tuple[list[NumpyArray], Types]:
        """The leaves, arrays by now, as NumPy arrays in order, and their types."""
        values = [core.asarray(leaf)._value for leaf in self.leaves]  # pyright: ignore[reportPrivateUsage]
        return values, tuple([(value.dtype, value.shape) for value in values])

    def inputs(self, f: Function, types: Types, shapes: Sequence[Sequence[Dim]]) -> list[Input]:
        """The leaves as inputs of a graph, of these shapes, which may be symbolic."""
        triples = zip(types, shapes, self.paths(f), strict=True)
        return [
            Input(core.numpy_type(dtype, tuple(shape)), staging.identifier(path), i in self.weak)
            for i, ((dtype, _), shape, path) in enumerate(triples)
        ]


def take_apart(static: Selected, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """The call of a function with these arguments."""
    chosen: tuple[tuple[Place, Any], ...] = ()
    if static:
        by_position = [(i, args[i]) for i in sorted(static.numbers) if i < len(args)]
        by_name = [(name, kwargs[name]) for name in sorted(static.names) if name in kwargs]
        chosen = (*by_position, *by_name)
        args = tuple([a for i, a in enumerate(args) if i not in static.numbers])
        kwargs = {name: value for name, value in kwargs.items() if name not in static.names}
    leaves, structure = tree.flatten((args, kwargs))
    return Call(leaves, structure, chosen)
