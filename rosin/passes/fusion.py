"""Which nodes are computed together: the nodes of a graph fall into groups, each of which becomes one loop nest.

A group has a *domain*, a list of axes with sizes. Every value computed in the group has, for each of its own axes,
an axis of the domain. Some axes may be *reduced*: folds run over them. What has all axes of the domain is computed in
the inner loops, what lacks the reduced ones once for each row of them; several folds over the same axes one after the
other (a maximum, then a sum, then a quotient) share their rows, which stay in the cache.

Three kinds of nodes are in no group: constants, which are data; moves of elements (reshape, transpose, broadcast,
slice…), barriers and numbers made of sizes alone, which are read through; and nodes that have no loop meaning, which is
an error here.

What reads through a barrier comes after all that the barrier waits for, and so is never merged with what came before.

Nothing here knows an op by name. How a node reads its operands is found by asking for its element at symbolic places.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.errors import UnsupportedError
from rosin.ir.graph import Graph, Node
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Apply, Const, Expr
from rosin.ir.op import Elementwise, Fold, Pack, Pull, Push, Reader, Routine, Running, Value, elements
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.effect import Host
from rosin.ir.ops.measure import Measure
from rosin.ir.ops.movement import Constant
from rosin.ir.ops.region import Control

Axes = tuple["int | None", ...]
"""The domain axis of each axis of a value; None for an axis of size 1."""

APART = Control | Host | Measure | Routine
"""What is a group of its own and no kernel: it becomes steps around kernels, or calls."""

MAX_NODES = 96
"""A group does not grow beyond so many nodes: its expressions stay shallow and its registers few."""

MOVE_FLOPS = 4
"""A pulled op of at most so many operations an element is read through rather than stored."""


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
    alone: bool = False
    """Whether nothing may join."""

    @property
    def rank(self) -> int:
        """How many axes its loops have."""
        return sum(n != 1 for n in self.domain)

    @property
    def rows(self) -> frozenset[int]:
        return frozenset(range(len(self.domain))) - self.reduced


@dataclass(frozen=True, slots=True)
class Uses:
    """How one node reads stored values: its own domain as variables, and each value with the index it is read at."""

    variables: tuple[LoopVar, ...]
    result_rank: int
    reads: tuple[Read, ...]


def is_move(node: Node) -> bool:
    """Whether consumers read through the node, as through a view."""
    if not isinstance(node.op, Pull) or isinstance(node.op, Elementwise):
        return False
    if isinstance(node.op, Constant):
        return node.op.value.is_splat
    cost = node.op.cost(tuple(v.type for v in node.operands), tuple(v.type for v in node.results))
    return cost.flops <= MOVE_FLOPS * elements(node.results[0].type)


def variable(name: str, extent: Dim) -> Index:
    """A fresh loop variable as an index; an axis of size 1 has only the index 0."""
    return indices.of(LoopVar(name, extent)) if extent != 1 else indices.ZERO


class Fusion:
    """The groups of a graph; see the module's text. `groups` are in an order in which they can run."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.moves: dict[Value, Node] = {}
        self.constants: dict[Value, Constant] = {}
        self.given: dict[Value, Expr] = {}
        """Numbers that are not read from their constants, but given to the kernels that are being made."""
        self.of_sizes: dict[Value, tuple[Expr, set[Group]]] = {}
        """Numbers made of sizes and constants alone: what they are, and the groups that measure these sizes."""
        self.group_of: dict[Value, Group] = {}
        self.uses_of: dict[Node, Uses] = {}
        self._groups: list[Group] = []
        self._order = {id(node): i for i, node in enumerate(graph.nodes)}
        self._points: dict[tuple[Dim, ...], tuple[LoopVar, ...]] = {}
        """Variables for the elements of results of each shape: nodes that are no folds share them."""
        self._numbers = itertools.count()
        """No number is given twice, though merged groups leave the list."""
        self._readers: dict[Value, set[Group]] = {}
        self._effect: Group | None = None
        """The group of the last effect so far."""
        self._measured: dict[str, Group] = {}
        """The groups that measure a size, so far."""
        self._before: dict[Group, int] = {}
        """For each group, the set of groups it needs, directly or not, as bits by number."""
        self._needed = 0
        """The groups that some other one needs, and perhaps more."""
        self._place_all()
        self.groups = self._ordered()

    # -- reading -------------------------------------------------------------------------------------------

    def reader(self, value: Value, stored: Callable[[Value], Reader]) -> Reader:
        """Reads a value through moves; `stored` gives the readers of the values that the moves start from.

        An empty value is never read, though an op may ask for an element of it on a way that is not taken.
        """
        if 0 in value.type.shape:
            return lambda index: Const(0, value.type.dtype)
        if value in self.given:
            return lambda index: self.given[value]
        if value in self.of_sizes:
            return lambda index: self.of_sizes[value][0]
        move = self.moves.get(value)
        if move is None:
            return stored(value)
        if isinstance(move.op, Barrier):
            return self.reader(move.operands[move.results.index(value)], stored)
        op = move.op
        readers = tuple(self.reader(v, stored) for v in move.operands)
        assert isinstance(op, Pull)
        types = tuple(v.type for v in move.operands)
        return lambda index: op.element(index, readers, types)

    def group_with(self, node: Node) -> Group | None:
        """The group that the node is computed in."""
        return next((self.group_of.get(v) for v in node.results), None)

    def waits(self, operands: Iterable[Value]) -> set[Group]:
        """The groups that barriers between the operands and stored values wait for, and those that measure sizes which
        moves between them mention."""
        found: set[Group] = set()
        for value in operands:
            move = self.moves.get(value)
            if value in self.of_sizes:
                found |= self.of_sizes[value][1]
            elif move is not None:
                found |= self.waits(move.operands) | self._sizes_of(move)
                if isinstance(move.op, Barrier):
                    found |= {self.group_of[v] for v in self.roots(move.operands) if v in self.group_of}
        return found

    def _sizes_of(self, node: Node) -> set[Group]:
        """The groups that measure the sizes which the node mentions."""
        return {self._measured[name] for name in node.mentions(self._measured)} if self._measured else set()

    def roots(self, operands: Iterable[Value]) -> set[Value]:
        """The stored values that the operands come to, through moves."""
        found: set[Value] = set()
        for value in operands:
            move = self.moves.get(value)
            if value not in self.of_sizes:
                found |= {value} if move is None else self.roots(move.operands)
        return found

    def uses(self, node: Node) -> Uses:
        found: list[Read] = []

        def stored(value: Value) -> Reader:
            def read(index: tuple[Index, ...]) -> Expr:
                found.append(Read(value, index))
                return found[-1]

            return read

        op = node.op
        types = tuple(v.type for v in node.operands)
        readers = tuple(self.reader(v, stored) for v in node.operands)
        shape = node.results[0].type.shape
        folded: tuple[Dim, ...] = op.domain(types) if isinstance(op, Fold) else ()
        variables = _fresh((*shape, *folded)) if isinstance(op, Fold) else self._variables(shape)
        places = tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in variables)
        index, point = places[: len(shape)], places[len(shape) :]
        if 0 in (*shape, *folded):
            pass
        elif isinstance(op, Fold):
            op.terms(index, point, readers, types)
        elif isinstance(op, Elementwise):
            for reader in readers:
                reader(index)
        elif isinstance(op, Pull):
            op.element(index, readers, types)
        else:
            for reader, operand in zip(readers, types, strict=True):
                reader(tuple(variable("y", n) for n in operand.shape))
        # A number read for an index is a read too; the readers noted it when they made it.
        return Uses(variables, len(shape), tuple(found))

    def _variables(self, shape: tuple[Dim, ...]) -> tuple[LoopVar, ...]:
        found = self._points.get(shape)
        if found is None:
            found = self._points[shape] = _fresh(shape)
        return found

    # -- placing -------------------------------------------------------------------------------------------

    def _place_all(self) -> None:
        """Place every node, operands first. Folds over rows come last, when it is known whose rows these are."""
        waiting: list[Node] = []
        values: set[Value] = set()
        for node in self.graph.nodes:
            if isinstance(node.op, APART | Barrier):
                for other in waiting:
                    self._place(other)
                waiting, values = [], set()
            if not values.isdisjoint(node.operands) or (isinstance(node.op, Fold) and self._is_across(node)):
                waiting.append(node)
                values.update(node.results)
            else:
                self._place(node)
        for node in waiting:
            self._place(node)

    def _is_across(self, node: Node) -> bool:
        """Whether a fold keeps the axis along which the elements that it reads are neighbours."""
        uses = self.uses_of[node] = self.uses(node)
        folded = set(uses.variables[uses.result_rank :])
        last = [read.index[-1].variables() for read in uses.reads if read.index]
        return not _is_contraction(uses) and any(found and folded.isdisjoint(found) for found in last)

    def _place(self, node: Node) -> None:
        if isinstance(node.op, Constant) and not node.op.value.is_splat:
            self.constants[node.results[0]] = node.op
        elif isinstance(node.op, Barrier):
            self.moves.update((v, node) for v in node.results)
        elif isinstance(node.op, APART):
            self._alone(node)
        elif is_move(node):
            self.moves[node.results[0]] = node
        elif self._is_of_sizes(node):
            readers = [self.reader(v, _nowhere) for v in node.operands]
            number = Apply(node.op, tuple(read(()) for read in readers), node.results[0].type.dtype)
            self.of_sizes[node.results[0]] = number, self.waits(node.operands)
        elif isinstance(node.op, Elementwise | Fold | Pull | Running | Push | Pack):
            self._join(node)
        else:
            message = f"{node.op.name} has no meaning in loops; expand it before fusion"
            raise UnsupportedError(message, [v.type for v in node.operands], node.location)

    def _is_of_sizes(self, node: Node) -> bool:
        """Whether the node makes one number of sizes and constants: each kernel computes it anew, before its loops."""
        return isinstance(node.op, Elementwise) and node.results[0].type.rank == 0 and not self.roots(node.operands)

    def _alone(self, node: Node) -> None:
        """A loop or a branch is a group of its own, whose regions have groups of theirs; so is what Python computes,
        or a routine.

        Effects keep their order, and a loop that may not end does not come before an effect that stands before it.
        """
        found: list[Read] = []

        def stored(value: Value) -> Reader:
            found.append(Read(value, tuple(variable("y", n) for n in value.type.shape)))
            return lambda index: found[-1]

        for operand in node.operands:
            self.reader(operand, stored)
        self.uses_of[node] = Uses((), 0, tuple(found))
        group = Group(next(self._numbers), (), alone=True, nodes=[node])
        self._groups.append(group)
        self._before[group] = 0
        bits = 0
        needed = {self.group_of[r.value] for r in found if r.value in self.group_of}
        for other in needed | self.waits(node.operands) | self._sizes_of(node):
            bits |= self._before[other] | 1 << other.number
        self.group_of.update((v, group) for v in node.results)
        effect = node.op.effect
        if self._effect is not None and (effect or (isinstance(node.op, Control) and node.op.may_not_end)):
            bits |= self._before[self._effect] | 1 << self._effect.number
        if effect:
            self._effect = group
        self._measured.update(dict.fromkeys(node.op.measured(), group))
        self._need(group, bits)

    def _join(self, node: Node) -> None:
        uses = self.uses_of.get(node) or self.uses_of.setdefault(node, self.uses(node))
        waits = self.waits(node.operands) | self._sizes_of(node)
        needed = {self.group_of[r.value] for r in uses.reads if r.value in self.group_of} | waits
        if not isinstance(node.op, Running | Push | Pack) and 0 not in [v.extent for v in uses.variables]:
            for group in sorted(needed - waits, key=lambda g: (-g.rank, -g.number)):
                mapping = self._fit(group, node, uses)
                if mapping is not None and not self._between(group, needed):
                    self._add(group, node, uses, mapping, waits)
                    if len(needed) > 1:
                        self._merge_others(group, node, uses, mapping, needed - waits)
                    return
            for group in self._siblings(uses):
                mapping = None if group in waits else self._fit(group, node, uses)
                if mapping is not None and not self._between(group, needed):
                    self._add(group, node, uses, mapping, waits)
                    return
        self._new(node, uses, waits)

    def _siblings(self, uses: Uses) -> list[Group]:
        """Groups that read, over the whole of the same domain, a value that the node reads over the whole of its own.

        Such a group and the node share one pass over that value.
        """
        sizes = sorted(str(v.extent) for v in uses.variables if v.extent != 1)
        found: dict[Group, None] = {}
        for read in uses.reads:
            if len({v for position in read.index for v in position.variables()}) == len(sizes):
                for group in self._readers.get(read.value, ()):
                    if sorted(str(n) for n in group.domain if n != 1) == sizes and not group.contraction:
                        found[group] = None
        return sorted(found, key=lambda g: -g.number)[:4]

    def _new(self, node: Node, uses: Uses, waits: set[Group]) -> None:
        domain = tuple(v.extent for v in uses.variables)
        group = Group(next(self._numbers), domain)
        self._groups.append(group)
        self._before[group] = 0
        group.alone = isinstance(node.op, Running | Push | Pack) or 0 in domain
        if isinstance(node.op, Fold):
            group.contraction = _is_contraction(uses)
        self._add(group, node, uses, {v: i for i, v in enumerate(uses.variables)}, waits)

    def _add(self, group: Group, node: Node, uses: Uses, mapping: dict[LoopVar, int], waits: set[Group]) -> None:
        group.nodes.append(node)
        (result,) = node.results
        self.group_of[result] = group
        shape = uses.variables[: uses.result_rank]
        group.axes[result] = tuple(mapping[v] if v.extent != 1 else None for v in shape)
        if isinstance(node.op, Fold):
            over = uses.variables[uses.result_rank :]
            axes = tuple(mapping[v] if v.extent != 1 else None for v in over)
            if group.folded and not {a for a in axes if a is not None} <= group.reduced:
                group.across[node] = axes
            else:
                group.folded[node] = axes
                group.reduced = group.reduced | {mapping[v] for v in over if v in mapping}
        bits = 0
        for other in waits:
            bits |= self._before[other] | 1 << other.number
        for read in uses.reads:
            other = self.group_of.get(read.value)
            if other is not None and other is not group:
                bits |= self._before[other] | 1 << other.number
            if other is not group:
                self._note_read(group, read, mapping)
        self._need(group, bits)

    def _note_read(self, group: Group, read: Read, mapping: dict[LoopVar, int]) -> None:
        """Remember a read of the whole domain, each axis at one variable."""
        axes: list[int | None] = []
        for position in read.index:
            var = position.terms[0][0] if len(position.terms) == 1 and not position.constant else None
            bare = isinstance(var, LoopVar) and position.terms[0][1] == 1
            axes.append(mapping.get(var) if bare and isinstance(var, LoopVar) else None)
        if {a for a in axes if a is not None} == {i for i, n in enumerate(group.domain) if n != 1}:
            group.reads.setdefault(read.value, tuple(axes))
            self._readers.setdefault(read.value, set()).add(group)

    def _need(self, group: Group, bits: int) -> None:
        """Let `group` come after the groups in `bits`, and what comes after it too."""
        if bits & ~self._before[group]:
            self._before[group] |= bits
            self._needed |= bits
            mask = 1 << group.number
            if self._needed & mask:
                for other, before in self._before.items():
                    if before & mask:
                        self._before[other] = before | bits

    # -- fitting -------------------------------------------------------------------------------------------

    def _fit(self, group: Group, node: Node, uses: Uses) -> dict[LoopVar, int] | None:
        """The domain axis of each variable of the node when it can be computed in the group, else None."""
        if group.alone or len(group.nodes) >= MAX_NODES:
            return None
        mapping = _alignment(group, uses)
        if mapping is None:
            return None
        folded = {mapping[v] for v in uses.variables[uses.result_rank :] if v.extent != 1}
        own = {mapping[v] for v in uses.variables[: uses.result_rank] if v.extent != 1}
        every = {i for i, n in enumerate(group.domain) if n != 1}
        if _reads_across(group, uses):
            return None
        if isinstance(node.op, Fold):
            reduced = {i for i in group.reduced if group.domain[i] != 1}
            if folded and own in (reduced, set()) and folded == every - reduced and _has_rows(group, reduced):
                return mapping
            if group.folded and _fold_axes(group) != {frozenset(folded)}:
                return None
            fits = own | folded == every and (folded == reduced if group.reduced else bool(folded))
            return mapping if fits and not group.contraction else None
        rows = every - group.reduced
        if group.contraction:
            return mapping if own == rows else None
        return mapping if own in (every, rows) else None

    def _between(self, group: Group, needed: Iterable[Group]) -> bool:
        """Whether joining a node that needs the groups `needed` would make `group` wait for itself."""
        mask = 1 << group.number
        return any(self._before[other] & mask for other in needed if other is not group)

    def _merge_others(
        self, group: Group, node: Node, uses: Uses, mapping: dict[LoopVar, int], others: set[Group]
    ) -> None:
        """Merge into `group` other groups, whose values the node reads, where their domains are the same."""
        for other in others:
            if other is group or other.alone or other.contraction or group.contraction:
                continue
            if len(other.nodes) + len(group.nodes) > MAX_NODES:
                continue
            theirs = _alignment(other, uses)
            if theirs is None or _reads_across(other, uses) or len(other.domain) != len(group.domain):
                continue
            translate = {theirs[v]: mapping[v] for v in uses.variables if v in theirs and v in mapping}
            _translate_free(other, group, translate)
            same = len(translate) == len(set(translate.values())) == len([n for n in other.domain if n != 1])
            reduced = frozenset(translate.get(i, -1) for i in other.reduced if other.domain[i] != 1)
            if not same or (other.reduced and group.reduced and reduced != group.reduced):
                continue
            over = {frozenset(translate[a] for a in axes) for axes in _fold_axes(other)}
            if len(over | _fold_axes(group)) > 1:
                continue
            if other.reduced and not group.reduced and not self._full(group):
                continue
            if group.reduced and not other.reduced and not self._full(other):
                continue
            if not self._third_between(group, other) and not self._read_each_other(group, other, node):
                self._merge(group, other, translate)

    def _full(self, group: Group) -> bool:
        """Whether every value of the group has every axis of its domain."""
        every = {i for i, n in enumerate(group.domain) if n != 1}
        return all(set(axes) - {None} == every for axes in group.axes.values())

    def _third_between(self, a: Group, b: Group) -> bool:
        """Whether some third group comes after one of the two and before the other."""
        for first, second in ((a, b), (b, a)):
            mask = 1 << first.number
            if not self._before[second] & mask:
                continue
            between = self._before[second] & ~(mask | 1 << second.number)
            if any(between >> g.number & 1 and self._before[g] & mask for g in self._groups):
                return True
        return False

    def _read_each_other(self, a: Group, b: Group, node: Node) -> bool:
        """Whether a node of one group, but `node`, reads a value of the other: it does so at some other place."""
        pairs = ((a, b), (b, a))
        return any(
            self.group_of.get(read.value) is there
            for here, there in pairs
            for n in here.nodes
            if n is not node
            for read in self.uses_of[n].reads
        )

    def _merge(self, group: Group, other: Group, translate: dict[int, int]) -> None:
        group.nodes = sorted([*group.nodes, *other.nodes], key=lambda n: self._order[id(n)])
        for value, axes in other.axes.items():
            group.axes[value] = tuple(None if a is None else translate[a] for a in axes)
            self.group_of[value] = group
        for value, axes in other.reads.items():
            group.reads.setdefault(value, tuple(None if a is None else translate[a] for a in axes))
            self._readers[value].discard(other)
            self._readers[value].add(group)
        for mine, theirs in ((group.folded, other.folded), (group.across, other.across)):
            mine.update((n, tuple(None if a is None else translate[a] for a in axes)) for n, axes in theirs.items())
        group.reduced = group.reduced | {translate[i] for i in other.reduced if i in translate}
        self._groups.remove(other)
        old, new = 1 << other.number, 1 << group.number
        self._needed |= new
        bits = (self._before.pop(other) | self._before[group]) & ~(old | new)
        for g, before in self._before.items():
            if before & old:
                self._before[g] = before & ~old | new
        self._before[group] = bits
        for g, before in self._before.items():
            if before & new:
                self._before[g] = before | bits

    # -- order ---------------------------------------------------------------------------------------------

    def _ordered(self) -> list[Group]:
        """The groups in an order in which each comes after what it needs, as near to the graph's as that allows."""
        first = {g: self._order[id(g.nodes[-1])] for g in self._groups}
        done = 0
        result: list[Group] = []
        waiting = sorted(self._groups, key=lambda g: first[g])
        while waiting:
            at = next((i for i, group in enumerate(waiting) if not self._before[group] & ~done), None)
            assert at is not None, "groups wait for each other"
            done |= 1 << waiting[at].number
            result.append(waiting.pop(at))
        return result


def _fresh(extents: tuple[Dim, ...]) -> tuple[LoopVar, ...]:
    return tuple(LoopVar(f"x{i}", n) for i, n in enumerate(extents))


def _nowhere(value: Value) -> Reader:
    raise AssertionError(f"{value} is made of sizes and constants")


def _fold_axes(group: Group) -> set[frozenset[int]]:
    """The domain axes that each fold of the group runs over; a fold may run over none."""
    return {frozenset(a for a in axes if a is not None) for axes in group.folded.values()}


def _translate_free(other: Group, group: Group, translate: dict[int, int]) -> None:
    """Let axes of `other` that a node does not say anything about be those of `group` that have their sizes."""
    free = [i for i, n in enumerate(group.domain) if n != 1 and i not in translate.values()]
    for axis, size in enumerate(other.domain):
        if size != 1 and axis not in translate:
            found = next((i for i in free if group.domain[i] == size), None)
            if found is not None:
                free.remove(found)
                translate[axis] = found


def _reads_across(group: Group, uses: Uses) -> bool:
    """Whether the node reads what is known only after all rows of the group."""
    after = {node.results[0] for node in group.across}
    return bool(after) and any(read.value in after for read in uses.reads)


def _has_rows(group: Group, reduced: set[int]) -> bool:
    """Whether the group folds along axes whose elements are neighbours in memory, one row after the other."""
    inner = [next((a for a in reversed(axes) if a is not None), None) for axes in group.reads.values()]
    return _fold_axes(group) == {frozenset(reduced)} and bool(inner) and all(axis in reduced for axis in inner)


def _alignment(group: Group, uses: Uses) -> dict[LoopVar, int] | None:
    """The domain axis of each variable of a node, if it reads the group's values each at one place of the domain."""
    mapping: dict[LoopVar, int] = {}
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
                return None
            var = position.terms[0][0]
            if not isinstance(var, LoopVar) or mapping.get(var, axis) != axis or group.domain[axis] != var.extent:
                return None
            mapping[var] = axis
    if len(set(mapping.values())) != len(mapping):
        return None
    free = [i for i in range(len(group.domain)) if i not in mapping.values() and group.domain[i] != 1]
    for var in uses.variables:
        if var.extent == 1 or var in mapping:
            continue
        axis = next((i for i in free if group.domain[i] == var.extent), None)
        if axis is None:
            return None
        free.remove(axis)
        mapping[var] = axis
    return mapping


def _is_contraction(uses: Uses) -> bool:
    """Whether the fold reads at least two values, each lacking some axis along which it is used again."""
    every = {v for v in uses.variables if v.extent != 1}
    if len(uses.reads) < 2:
        return False
    return all({v for position in r.index for v in position.variables()} != every for r in uses.reads)
