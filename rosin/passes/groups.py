"""What is computed together: groups of nodes, and how the places of a node line up with a group's domain.

A group has a *domain*, a list of axes with sizes. Every value computed in the group has, for each of its own axes,
an axis of the domain. Some axes may be *reduced*: folds run over them. What has all axes of the domain is computed in
the inner loops, what lacks the reduced ones once for each row of them; several folds over the same axes one after the
other (a maximum, then a sum, then a quotient) share their rows, which stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from math import prod
from typing import TypeAlias

from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, product
from rosin.ir.dtypes import DType
from rosin.ir.facts import estimate
from rosin.ir.graph import Node
from rosin.ir.index import Index, LoopVar, Quotient
from rosin.ir.loops import Expr
from rosin.ir.op import Value
from rosin.passes.cuts import Cut

Axes = tuple["int | None", ...]
"""The domain axis of each axis of a value; None for an axis of size 1."""

Alignment: TypeAlias = "dict[LoopVar, int]"
"""The domain axis of each variable of a node."""

LITTLE = 1 << 10
"""Loops over no more elements are joined though they go through other arrays: to begin one costs as much."""

LONG_ROW = 32
"""A row of fewer elements is over before vectors pay for what comes of its folds, which is computed row by row."""

MANY_IN_WINDOWS = 16
"""Windows of fewer elements are passed by row by row."""


@dataclass(frozen=True, slots=True, eq=False)
class Read(Expr):
    """The element of a value at an index, not yet resolved to memory."""

    value: Value
    index: tuple[Index, ...]

    @property
    def dtype(self) -> DType:  # pyright: ignore[reportIncompatibleVariableOverride]  # read-only here, never assigned
        return self.value.type.dtype

    def indices(self) -> tuple[Index, ...]:
        return self.index

    def rebuild(self, children: tuple[Expr, ...], indices: tuple[Index, ...]) -> Expr:
        return Read(self.value, indices)


@dataclass(eq=False)
class Group:
    """Nodes computed in one loop nest, in the order of the graph."""

    number: int
    domain: tuple[Dim, ...]
    reduced: frozenset[int] = frozenset()
    nodes: list[Node] = field(default_factory=list["Node"])
    axes: dict[Value, Axes] = field(default_factory=dict["Value", "Axes"])
    reads: dict[Value, Axes] = field(default_factory=dict["Value", "Axes"])
    """For values of other groups that are read at one place of the whole domain, the domain axis of each axis."""
    folded: dict[Node, Axes] = field(default_factory=dict["Node", "Axes"])
    """For each fold over the reduced axes, the domain axis of each axis of its own domain."""
    across: dict[Node, Axes] = field(default_factory=dict["Node", "Axes"])
    """The same for each fold over the rows instead, whose result has the reduced axes or none, after all rows."""
    contraction: bool = False
    """Whether it is a fold of products that reuses its operands, with what follows elementwise."""
    pieces: int = 1
    """How many nests compute it. Of several each leaves gaps in the result, and nothing follows elementwise."""
    alone: bool = False
    """Whether nothing may join."""
    waits: int = 0
    """The groups that barriers wait for through which it reads, as bits by number."""
    every: set[int] = field(init=False)
    """The axes of the domain that have more than one place."""

    def __post_init__(self) -> None:
        self.every = {i for i, n in enumerate(self.domain) if n != 1}

    @property
    def rows(self) -> frozenset[int]:
        return frozenset(range(len(self.domain))) - self.reduced

    @property
    def results(self) -> Iterable[Value]:
        return (value for node in self.nodes for value in node.results)

    @property
    def fold_axes(self) -> set[frozenset[int]]:
        """The domain axes that each fold of the group runs over; a fold may run over none."""
        return {frozenset(a for a in axes if a is not None) for axes in self.folded.values()}

    @property
    def is_much(self) -> bool:
        return estimate(product(self.domain)) > LITTLE


@dataclass(frozen=True, slots=True)
class Uses:
    """How one node reads stored values: its own domain as variables, and each value with the index it is read at."""

    variables: tuple[LoopVar, ...]
    result_rank: int
    reads: tuple[Read, ...]


def variable(name: str, extent: Dim) -> Index:
    """A fresh loop variable as an index; an axis of size 1 has only the index 0."""
    return indices.of(LoopVar(name, extent)) if extent != 1 else indices.ZERO


def translate_free(other: Group, group: Group, translate: dict[int, int]) -> None:
    """Let axes of `other` that a node does not say anything about be those of `group` that have their sizes."""
    free = sorted(group.every.difference(translate.values()))
    for axis in sorted(other.every.difference(translate)):
        found = next((i for i in free if group.domain[i] == other.domain[axis]), None)
        if found is not None:
            free.remove(found)
            translate[axis] = found


def reads_across(group: Group, uses: Uses) -> bool:
    """Whether the node reads what is known only after all rows of the group."""
    after = {node.results[0] for node in group.across}
    return bool(after) and any(read.value in after for read in uses.reads)


def has_long_rows(group: Group, reduced: set[int]) -> bool:
    """Whether the group folds along axes whose elements are neighbours in memory, one row after the other."""
    if estimate(product(group.domain[axis] for axis in reduced)) < LONG_ROW:
        return False
    inner = [next((a for a in reversed(axes) if a is not None), None) for axes in group.reads.values()]
    return group.fold_axes == {frozenset(reduced)} and bool(inner) and all(axis in reduced for axis in inner)


def alignment(group: Group, uses: Uses) -> Alignment | Cut:
    """The domain axis of each variable of a node, if it reads the group's values each at one place of the domain."""
    mapping: Alignment = {}
    for read in uses.reads:
        computed = group.axes.get(read.value)
        axes = computed or group.reads.get(read.value)
        if axes is None:
            continue
        for position, axis in zip(read.index, axes, strict=True):
            if axis is None:
                continue
            bare = len(position.terms) == 1 and not position.constant and isinstance(position.terms[0][0], LoopVar)
            if computed is None and not bare:
                # Another place of a value from elsewhere, which says nothing about how the two line up.
                continue
            if not bare or position.terms[0][1] != 1:
                return Cut.ELSEWHERE
            var = position.terms[0][0]
            if not isinstance(var, LoopVar) or mapping.get(var, axis) != axis or group.domain[axis] != var.extent:
                return Cut.ELSEWHERE
            mapping[var] = axis
    if len(set(mapping.values())) != len(mapping):
        return Cut.ELSEWHERE
    missing = [v for v in uses.variables if v not in mapping and v.extent != 1]
    free = sorted(group.every.difference(mapping.values())) if missing else []
    for var in missing:
        axis = next((i for i in free if group.domain[i] == var.extent), None)
        if axis is None:
            return Cut.AXES
        free.remove(axis)
        mapping[var] = axis
    return mapping


def goes_across(uses: Uses) -> bool:
    """Whether a fold keeps an axis along which elements that it reads are neighbours."""
    folded = set(uses.variables[uses.result_rank :])
    last = [read.index[-1].variables() for read in uses.reads if read.index]
    return any(found and folded.isdisjoint(found) for found in last)


def is_contraction(uses: Uses) -> bool:
    """Whether the fold reads at least two values, each used again along some axis that it lacks or has only a quotient
    of, as the inputs of a group of channels are, or in many windows that have it in common."""
    every = {v for v in uses.variables if v.extent != 1}
    if len(uses.reads) < 2:
        return False
    lacking = [{v for position in r.index for v in _telling(position)} != every for r in uses.reads]
    return any(lacking) and all(lacks or _slides(r, uses) for lacks, r in zip(lacking, uses.reads, strict=True))


def _slides(read: Read, uses: Uses) -> bool:
    """Whether a value is read in many windows that have places in common."""
    result, folded = set(uses.variables[: uses.result_rank]), set(uses.variables[uses.result_rank :])
    positions = [i.variables() for i in read.index]
    windows = {v for found in positions if not found.isdisjoint(result) for v in found & folded}
    return prod(estimate(v.extent) for v in windows) >= MANY_IN_WINDOWS


def _telling(position: Index) -> Iterable[LoopVar]:
    """The variables of which every number leads to another place."""
    for atom, _ in position.terms:
        if not isinstance(atom, Quotient):
            yield from Index(0, ((atom, 1),)).variables()
