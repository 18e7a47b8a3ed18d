"""Which nodes are computed together: the nodes of a graph fall into groups, each of which becomes one loop nest.

Three kinds of nodes are in no group: constants, which are data; moves of elements (reshape, transpose, broadcast,
slice…), barriers and numbers made of sizes alone, which are read through; and nodes that have no loop meaning, which is
an error here.

What reads through a barrier comes after all that the barrier waits for, and so is never merged with what came before.

Nothing here knows an op by name. How a node reads its operands is found by asking for its element at symbolic places.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable

from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.errors import UnsupportedError
from rosin.ir.graph import Graph, Node
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Apply, Const, Expr
from rosin.ir.op import Elementwise, Fold, Pack, Pull, Push, Reader, Routine, Running, Value
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.effect import Host
from rosin.ir.ops.measure import Measure
from rosin.ir.ops.movement import Constant
from rosin.ir.ops.region import Control
from rosin.passes.beside import computed_beside
from rosin.passes.cuts import Cut
from rosin.passes.far import is_far
from rosin.passes.flow import MOVE_FLOPS, Flow
from rosin.passes.groups import (
    Alignment,
    Group,
    Read,
    Uses,
    alignment,
    goes_across,
    has_long_rows,
    is_contraction,
    reads_across,
    translate_free,
    variable,
)
from rosin.passes.order import Run, ordered
from rosin.passes.pieces import pieces
from rosin.passes.through import (
    computed_again,
    is_of_one,
    is_plain,
    padded,
    read_after_products,
    read_by_pushes,
    summed_apart,
)

APART = Control | Host | Measure | Routine
"""What is a group of its own and no kernel: it becomes steps around kernels, or calls."""

HELD = APART | Barrier
SINGLE = Running | Push | Pack
"""What is a group of its own, and a kernel."""
JOINED = Elementwise | Fold | Pull | SINGLE
"""What may join a group, or begin one. To put such a union together takes longer than to ask it, node by node."""

MAX_NODES = 96
"""A group does not grow beyond so many nodes: its expressions stay shallow and its registers few."""


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
        self.cuts: dict[tuple[Node, Value], Cut] = {}
        """Why a node is in another group than a value that it reads."""
        self._groups: list[Group] = []
        self._order = {id(node): i for i, node in enumerate(graph.nodes)}
        self._points: dict[tuple[Dim, ...], tuple[tuple[LoopVar, ...], tuple[Index, ...]]] = {}
        """Variables for the elements of results of each shape, and their places: nodes that are no folds share them."""
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
        self._flow = Flow(graph)
        self._outputs = {v for output in graph.outputs for v in self._flow.moved_from(output)}
        """The results of the graph, and what they are moved from."""
        self._through: set[Node] = set()
        """Elementwise nodes that are read through like moves."""
        self._apart: set[Node] = set()
        """Elementwise nodes that are not computed with a product."""
        self._place_all()
        self.groups = self._ordered()

    # -- reading -------------------------------------------------------------------------------------------

    def reader(
        self, value: Value, stored: Callable[[Value], Reader], known: dict[Value, Reader] | None = None
    ) -> Reader:
        """Reads a value through moves; `stored` gives the readers of the values that the moves start from.

        An empty value is never read, though an op may ask for an element of it on a way that is not taken. `known` has
        the readers that there are by now: elementwise nodes that are read through may share operands.
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
        known = {} if known is None else known
        if value not in known:
            known[value] = self._moved(value, move, stored, known)
        return known[value]

    def _moved(self, value: Value, move: Node, stored: Callable[[Value], Reader], known: dict[Value, Reader]) -> Reader:
        """Reads what a move gives."""
        op = move.op
        if isinstance(op, Barrier):
            return self.reader(move.operands[move.results.index(value)], stored, known)
        readers = tuple([self.reader(v, stored, known) for v in move.operands])
        if isinstance(op, Elementwise):

            def applied(index: tuple[Index, ...]) -> Expr:
                return Apply(op, tuple([read(index) for read in readers]), value.type.dtype)

            return functools.cache(applied)
        assert isinstance(op, Pull)
        types = tuple(v.type for v in move.operands)
        return lambda index: op.element(index, readers, types)

    def group_with(self, node: Node) -> Group | None:
        """The group that the node is computed in."""
        return self.group_of.get(node.results[0]) if node.results else None

    def waits(self, operands: Iterable[Value]) -> set[Group]:
        """The groups that barriers between the operands and stored values wait for, and those that measure sizes which
        moves between them mention."""
        found: set[Group] = set()
        for value in self._passed(operands):
            move = self.moves.get(value)
            if value in self.of_sizes:
                found |= self.of_sizes[value][1]
            elif move is not None:
                found |= self._sizes_of(move)
                if isinstance(move.op, Barrier):
                    found |= {self.group_of[v] for v in self.roots(move.operands) if v in self.group_of}
        return found

    def _sizes_of(self, node: Node) -> set[Group]:
        """The groups that measure the sizes which the node mentions."""
        return {self._measured[name] for name in node.mentions(self._measured)} if self._measured else set()

    def roots(self, operands: Iterable[Value]) -> set[Value]:
        """The stored values that the operands come to, through moves."""
        return {v for v in self._passed(operands) if v not in self.moves and v not in self.of_sizes}

    def work_through(self, operands: Iterable[Value]) -> int:
        """How many operations an element the elementwise nodes take that operands are read through."""
        waiting, work = list(operands), 0
        found: set[Node] = set()
        while waiting:
            value = waiting.pop()
            move = self.moves.get(value)
            if move is None or value in self.of_sizes or move in found:
                continue
            if isinstance(move.op, Barrier):
                waiting.append(move.operands[move.results.index(value)])
                continue
            found.add(move)
            work += move.op.flops if isinstance(move.op, Elementwise) else 0
            waiting += move.operands
        return work

    def _passed(self, operands: Iterable[Value]) -> set[Value]:
        """The operands and all values that moves lead to from them."""
        waiting = list(operands)
        found = set(waiting)
        while waiting:
            value = waiting.pop()
            move = self.moves.get(value)
            if move is not None and value not in self.of_sizes:
                waiting += (v for v in move.operands if v not in found)
                found.update(move.operands)
        return found

    def uses(self, node: Node) -> Uses:
        found: list[Read] = []

        def stored(value: Value) -> Reader:
            def read(index: tuple[Index, ...]) -> Expr:
                found.append(Read(value, index))
                return found[-1]

            return read

        op = node.op
        shape = node.results[0].type.shape
        if isinstance(op, Elementwise) and 0 not in shape:
            variables, index = self._shared(shape)
            known: dict[Value, Reader] = {}
            for operand in node.operands:
                self.reader(operand, stored, known)(index)
            return Uses(variables, len(shape), tuple(found))
        types = tuple(v.type for v in node.operands)
        readers = tuple(self.reader(v, stored) for v in node.operands)
        folded: tuple[Dim, ...] = op.domain(types) if isinstance(op, Fold) else ()
        variables, places = _fresh((*shape, *folded)) if isinstance(op, Fold) else self._shared(shape)
        index, point = places[: len(shape)], places[len(shape) :]
        if 0 in (*shape, *folded):
            pass
        elif isinstance(op, Fold):
            op.terms(index, point, readers, types)
        elif isinstance(op, Pull):
            op.element(index, readers, types)
        else:
            for reader, operand in zip(readers, types, strict=True):
                reader(tuple(variable("y", n) for n in operand.shape))
        # A number read for an index is a read too; the readers noted it when they made it.
        return Uses(variables, len(shape), tuple(found))

    def _shared(self, shape: tuple[Dim, ...]) -> tuple[tuple[LoopVar, ...], tuple[Index, ...]]:
        found = self._points.get(shape)
        if found is None:
            found = self._points[shape] = _fresh(shape)
        return found

    # -- placing -------------------------------------------------------------------------------------------

    def _place_all(self) -> None:
        """Place every node, operands first. Folds over rows come last, when it is known whose rows these are."""
        waiting: list[Node] = []
        values: set[Value] = set()
        for question in (read_by_pushes, padded, read_after_products, computed_again, computed_beside):
            self._through |= question(self._flow)
        self._apart = summed_apart(self._flow)
        for node in self.graph.nodes:
            if isinstance(node.op, HELD):
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
        return not is_contraction(uses) and goes_across(uses)

    def _place(self, node: Node) -> None:
        if isinstance(node.op, Constant) and not node.op.value.is_splat:
            self.constants[node.results[0]] = node.op
        elif isinstance(node.op, Barrier):
            self.moves.update((v, node) for v in node.results)
        elif isinstance(node.op, APART):
            self._alone(node)
        elif node in self._flow.moves or node in self._through:
            self.moves[node.results[0]] = node
        elif self._is_of_sizes(node):
            readers = [self.reader(v, _nowhere) for v in node.operands]
            number = Apply(node.op, tuple(read(()) for read in readers), node.results[0].type.dtype)
            self.of_sizes[node.results[0]] = number, self.waits(node.operands)
        elif isinstance(node.op, JOINED):
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
        if not isinstance(node.op, SINGLE) and 0 not in [v.extent for v in uses.variables]:
            for group in sorted(needed - waits, key=lambda g: (-len(g.every), -g.number)):
                mapping = self._fit(group, node, uses)
                if not isinstance(mapping, Cut) and self._between(group, needed):
                    mapping = Cut.ORDER
                if mapping is Cut.FAR and node.results[0] not in self._outputs and self._reads_one(node, uses):
                    self.moves[node.results[0]] = node
                    return
                if isinstance(mapping, Cut):
                    self._cut(group, node, uses, mapping)
                    continue
                self._add(group, node, uses, mapping, waits)
                if len(needed) > 1:
                    self._merge_others(group, node, uses, mapping, needed - waits)
                return
            for group in self._siblings(uses):
                mapping = Cut.WAITS if group in waits else self._fit(group, node, uses)
                if not isinstance(mapping, Cut) and not self._between(group, needed):
                    self._add(group, node, uses, mapping, waits)
                    return
        self._new(node, uses, waits)

    def _cut(self, group: Group, node: Node, uses: Uses, why: Cut) -> None:
        """Note why the node is not computed in the group, of which it reads values."""
        for read in uses.reads:
            if self.group_of.get(read.value) is group:
                self.cuts[node, read.value] = why

    def why_cut(self, node: Node, value: Value) -> Cut:
        """Why a node is computed in another group than a value that it reads."""
        if isinstance(node.op, APART | SINGLE) or self.group_of[value].alone:
            return Cut.ALONE
        return self.cuts.get((node, value), Cut.WAITS)

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
        group.alone = isinstance(node.op, SINGLE) or 0 in domain
        if isinstance(node.op, Fold):
            group.contraction = is_contraction(uses)
            if group.contraction:
                types = tuple(v.type for v in node.operands)
                group.pieces = len(pieces(node.op, uses.variables, uses.result_rank, types))
        self._add(group, node, uses, {v: i for i, v in enumerate(uses.variables)}, waits)

    def _add(self, group: Group, node: Node, uses: Uses, mapping: Alignment, waits: set[Group]) -> None:
        group.nodes.append(node)
        (result,) = node.results
        self.group_of[result] = group
        shape = uses.variables[: uses.result_rank]
        group.axes[result] = tuple([mapping[v] if v.extent != 1 else None for v in shape])
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
            group.waits |= 1 << other.number
        for read in uses.reads:
            other = self.group_of.get(read.value)
            if other is not None and other is not group:
                bits |= self._before[other] | 1 << other.number
            if other is not group:
                self._note_read(group, read, mapping)
        self._need(group, bits)

    def _note_read(self, group: Group, read: Read, mapping: Alignment) -> None:
        """Remember a read of the whole domain, each axis at one variable."""
        axes: list[int | None] = []
        for position in read.index:
            var = position.terms[0][0] if len(position.terms) == 1 and not position.constant else None
            bare = isinstance(var, LoopVar) and position.terms[0][1] == 1
            axes.append(mapping.get(var) if bare and isinstance(var, LoopVar) else None)
        if set(axes) - {None} == group.every:
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

    def _fit(self, group: Group, node: Node, uses: Uses) -> Alignment | Cut:
        """The domain axis of each variable of the node when it can be computed in the group, else why it cannot."""
        if group.alone or len(group.nodes) >= MAX_NODES:
            return Cut.ALONE if group.alone else Cut.FULL
        mapping = alignment(group, uses)
        if isinstance(mapping, Cut):
            return mapping
        folded = {mapping[v] for v in uses.variables[uses.result_rank :] if v.extent != 1}
        own = {mapping[v] for v in uses.variables[: uses.result_rank] if v.extent != 1}
        every = group.every
        if reads_across(group, uses):
            return Cut.AFTER
        if isinstance(node.op, Fold):
            reduced = every & group.reduced
            if group.contraction:
                return Cut.PRODUCT
            if folded and own in (reduced, set()) and folded == every - reduced and has_long_rows(group, reduced):
                # A number of all rows would have them folded one by one.
                return mapping if own or not self._rows_share(group) else Cut.SUMS
            if (group.folded and group.fold_axes != {frozenset(folded)}) or (group.reduced and folded != reduced):
                return Cut.SUMS
            if folded == every and self._is_stranger(group, uses):
                return Cut.STRANGER
            if own | folded == every and is_far(group, uses, self._flow):
                return Cut.FAR
            return mapping if own | folded == every and (group.reduced or folded) else Cut.PART
        rows = every - group.reduced
        if own == every and self._is_stranger(group, uses):
            return Cut.STRANGER
        if group.pieces > 1:
            return Cut.PIECES
        if group.contraction:
            return Cut.SUMMED if node in self._apart else mapping if own == rows else Cut.PRODUCT
        if own == every and is_far(group, uses, self._flow):
            return Cut.FAR
        return mapping if own in (every, rows) else Cut.PART

    def _reads_one(self, node: Node, uses: Uses) -> bool:
        """Whether a node that is computed after the folds is cheap, and made of one array of its size and of small
        ones: whatever reads its result had better read that array again, so that nothing is stored."""
        (value,) = node.results
        if not isinstance(node.op, Elementwise) or node.op.effect:
            return False
        work = node.op.flops + self.work_through(node.operands)
        fits = work <= MOVE_FLOPS and is_of_one(value, {read.value for read in uses.reads})
        return fits and all(map(is_plain, self._flow.readers(value)))

    def _rows_share(self, group: Group) -> bool:
        """Whether all rows of a group are folded with one they have in common, as a matrix by a vector is."""
        uses = [self.uses_of[node] for node in group.folded]
        return any(
            bool(found := {v for i in read.index for v in i.variables()}) and found <= set(u.variables[u.result_rank :])
            for u in uses
            for read in u.reads
        )

    def _is_stranger(self, group: Group, uses: Uses) -> bool:
        """Whether a node reads of a group, which folds all of its domain to single numbers, nothing but these. To be
        computed there would save no pass over an array, and keep it from running on threads."""
        if not group.every <= group.reduced or not group.is_much:
            return False
        return not any(
            set(axes) - {None} == group.every
            for read in uses.reads
            if (axes := group.axes.get(read.value, group.reads.get(read.value))) is not None
        )

    def _are_strangers(self, group: Group, other: Group, translate: dict[int, int]) -> bool:
        """Whether two groups, each of which folds all of its domain to single numbers, go through no array together."""
        if not (group.every <= group.reduced and other.every <= other.reduced and group.is_much):
            return False
        theirs = {v: tuple([None if a is None else translate[a] for a in axes]) for v, axes in other.reads.items()}
        return not any(group.reads.get(v) == axes for v, axes in theirs.items())

    def _between(self, group: Group, needed: Iterable[Group]) -> bool:
        """Whether joining a node that needs the groups `needed` would make `group` wait for itself."""
        mask = 1 << group.number
        return any(self._before[other] & mask for other in needed if other is not group)

    def _merge_others(self, group: Group, node: Node, uses: Uses, mapping: Alignment, others: set[Group]) -> None:
        """Merge into `group` other groups, whose values the node reads, where their domains are the same."""
        for other in others:
            if other is group:
                continue
            translate = self._translation(group, other, node, uses, mapping)
            if isinstance(translate, Cut):
                self._cut(other, node, uses, translate)
            else:
                self._merge(group, other, translate)

    def _translation(
        self, group: Group, other: Group, node: Node, uses: Uses, mapping: Alignment
    ) -> dict[int, int] | Cut:
        """For each domain axis of `other` that of `group`, where the two can be one, else why they cannot."""
        if other.alone or other.contraction or group.contraction:
            return Cut.ALONE if other.alone else Cut.PRODUCT
        if group.waits >> other.number & 1 or other.waits >> group.number & 1:
            return Cut.WAITS
        if len(other.nodes) + len(group.nodes) > MAX_NODES:
            return Cut.FULL
        theirs = alignment(other, uses)
        if isinstance(theirs, Cut):
            return theirs
        if reads_across(other, uses):
            return Cut.AFTER
        if is_far(other, uses, self._flow):
            return Cut.FAR
        if len(other.domain) != len(group.domain):
            return Cut.AXES
        translate = {theirs[v]: mapping[v] for v in uses.variables if v in theirs and v in mapping}
        translate_free(other, group, translate)
        if not len(translate) == len(set(translate.values())) == len(other.every):
            return Cut.PART
        reduced = frozenset(translate.get(i, -1) for i in other.reduced & other.every)
        over = {frozenset(translate[a] for a in axes) for axes in other.fold_axes}
        if (other.reduced and group.reduced and reduced != group.reduced) or len(over | group.fold_axes) > 1:
            return Cut.SUMS
        if other.reduced and group.reduced and self._directions(other) != self._directions(group):
            return Cut.ACROSS
        if other.reduced and not group.reduced and not self._full(group):
            return Cut.PART
        if group.reduced and not other.reduced and not self._full(other):
            return Cut.PART
        if self._are_strangers(group, other, translate):
            return Cut.STRANGER
        if self._third_between(group, other):
            return Cut.ORDER
        return Cut.ELSEWHERE if self._read_each_other(group, other, node) else translate

    def _directions(self, group: Group) -> set[bool]:
        """Whether folds over the reduced axes go across the lines of what they read, of each."""
        return {goes_across(self.uses_of[node]) for node in group.folded}

    def _full(self, group: Group) -> bool:
        """Whether every value of the group has every axis of its domain."""
        return all(set(axes) - {None} == group.every for axes in group.axes.values())

    def _third_between(self, a: Group, b: Group) -> bool:
        """Whether some third group comes after one of the two and before the other."""
        for first, second in ((a, b), (b, a)):
            mask = 1 << first.number
            if not self._before[second] & mask:
                continue
            between = self._before[second] & ~(mask | 1 << second.number)
            if between and any(before & mask and between >> g.number & 1 for g, before in self._before.items()):
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
        group.waits |= other.waits
        self._groups.remove(other)
        old, new = 1 << other.number, 1 << group.number
        for g in self._groups:
            if g.waits & old:
                g.waits = g.waits & ~old | new
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
        """The groups in the order in which they run."""
        outputs = frozenset(self.roots(self.graph.outputs))
        reads = {
            group: frozenset(r.value for n in group.nodes for r in self.uses_of[n].reads) - {*group.results}
            for group in self._groups
        }
        stored = outputs.union(*reads.values())
        runs = [
            Run(
                group.number,
                self._order[id(group.nodes[-1])],
                self._before[group],
                tuple([v for v in group.results if v in stored]),
                reads[group],
            )
            for group in self._groups
        ]
        numbered = {group.number: group for group in self._groups}
        return [numbered[number] for number in ordered(runs, frozenset(self.graph.inputs), outputs)]


def _fresh(extents: tuple[Dim, ...]) -> tuple[tuple[LoopVar, ...], tuple[Index, ...]]:
    """Variables for axes of these sizes, and the index that each is."""
    variables = tuple([LoopVar(f"x{i}", n) for i, n in enumerate(extents)])
    return variables, tuple([indices.of(v) if v.extent != 1 else indices.ZERO for v in variables])


def _nowhere(value: Value) -> Reader:
    raise AssertionError(f"{value} is made of sizes and constants")
