"""What can be computed block by block: the nodes around a product whose result is much larger than what it comes from.

Scores of attention, say, have a row for each query and a column for each key. A *region* starts at such a product and
takes in what is as *wide*: values of as many elements that are computed from it, and those that these are computed
with. Some of its axes are *tiled*: batch axes, and one axis of rows. A node fits where every tiled axis of what it
reads is one axis of its result, or the axis of rows is summed. What leaves the region are rows of its narrow values,
and sums over rows.

A region falls into *stages*, since a wide value may need what is computed from the narrow results of others: a way back
needs the loss. What is wide is computed again in each stage that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from math import prod

from rosin.ir.dataclass import dataclass
from rosin.ir.dims import is_static
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Elementwise, Fold, Value, Values
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.ops.movement import Broadcast, Constant, Iota, Reshape, Slice, Transpose
from rosin.ir.ops.reduce import Reduction, Sum

FOLDED = -1
"""In place of a result's axis: the operand's axis is folded."""

MOST_DEPTH = 256
"""A wide value is computed again rather than kept where it takes at most so many products an element."""

LONG_ROW = 16
"""A value that repeats along some tiled axis is computed in the region where its rows have more elements than this."""

Label = tuple["int | None", ...]
"""The axis of a value for each tiled axis; None where it has none."""


def ties(node: Node) -> tuple[tuple[int | None, ...], ...] | None:
    """For each operand, the result's axis that goes with each of its axes, `FOLDED`, or None where none does.

    None for a node of which that is not known.
    """
    op = node.op
    match op:
        case Elementwise():
            return tuple(tuple(range(v.type.rank)) for v in node.operands)
        case DotGeneral():
            return _ties_of_product(op, node.operands)
        case Reduction():
            kept = iter(range(node.results[0].type.rank))
            return (tuple(FOLDED if axis in op.axes else next(kept) for axis in range(node.operands[0].type.rank)),)
        case Transpose():
            return (tuple(op.permutation.index(axis) for axis in range(len(op.permutation))),)
        case Broadcast():
            return (op.axes,)
        case Reshape():
            return (_ties_of_reshape(node.operands[0].type.sizes, node.results[0].type.sizes),)
        case Slice():
            shape = node.operands[0].type.shape
            whole = zip(op.starts, op.limits, op.steps, shape, strict=True)
            return (tuple(i if (a, b, c) == (0, n, 1) else None for i, (a, b, c, n) in enumerate(whole)),)
        case Iota():
            return ()
        case Constant():
            return () if op.value.is_splat else None
        case _:
            return None


def _ties_of_product(op: DotGeneral, operands: Values) -> tuple[tuple[int | None, ...], ...]:
    found: list[tuple[int | None, ...]] = []
    at = len(op.lhs_batch)
    for operand, batch, contract in zip(
        operands, (op.lhs_batch, op.rhs_batch), (op.lhs_contract, op.rhs_contract), strict=True
    ):
        place = {axis: i for i, axis in enumerate(batch)} | dict.fromkeys(contract, FOLDED)
        for axis in range(operand.type.rank):
            if axis not in place:
                place[axis] = at
                at += 1
        found.append(tuple(place[axis] for axis in range(operand.type.rank)))
    return tuple(found)


def _ties_of_reshape(old: Sequence[int], new: Sequence[int]) -> tuple[int | None, ...]:
    """An axis stays one where as many elements stand before it as did, and it is as long."""
    before = {(prod(new[:axis]), size): axis for axis, size in enumerate(new) if size != 1}
    return tuple(before.get((prod(old[:axis]), size)) if size != 1 else None for axis, size in enumerate(old))


@dataclass(frozen=True)
class Stage:
    """Nodes of a region that run together, in order."""

    nodes: tuple[Node, ...]
    given: tuple[tuple[Value, Label], ...]
    """What they read from outside, and how it is tiled."""
    rows: Values
    """Values that are given out."""
    sums: Values
    """Values given out that are sums over all rows."""


class Whereabouts:
    """Which node makes a value, which ones use it, and where nodes stand."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made = {v: node for node in graph.nodes for v in node.results}
        self.users = graph.users()
        self.at = {node: i for i, node in enumerate(graph.nodes)}


@dataclass
class Region:
    """See the module's text. The last tiled axis is that of the rows; axes of size 1 are not tiled."""

    where: Whereabouts
    seed: Node
    sizes: tuple[int, ...]
    """Of the tiled axes."""
    labels: dict[Value, Label]
    members: dict[Node, None] = field(default_factory=dict["Node", None])
    sums: set[Value] = field(default_factory=set["Value"])
    stage_of: dict[Node, int] = field(default_factory=dict["Node", int])
    _wide: dict[Value, bool] = field(default_factory=dict["Value", bool])

    @property
    def row(self) -> int:
        """The number of the tiled axis of rows."""
        return len(self.sizes) - 1

    def is_wide(self, value: Value) -> bool:
        """Whether the value has as many elements as the product that the region is around."""
        found = self._wide.get(value)
        if found is None:
            least = prod(self.seed.results[0].type.sizes)
            found = self._wide[value] = is_static(value.type.shape) and prod(value.type.sizes) >= least
        return found

    def is_full(self, value: Value) -> bool:
        """Whether the value has every tiled axis, and so is computed but once."""
        return None not in self.labels[value]

    # -- which nodes -----------------------------------------------------------------------------------------

    def grow(self) -> None:
        """Take in all nodes that fit."""
        made, users = self.where.made, self.where.users
        self.members[self.seed] = None
        waiting = [self.seed]
        while waiting:
            node = waiting.pop()
            (result,) = node.results
            found = list(self._pulled(node, made))
            if result not in self.sums:
                found += [user for user in dict.fromkeys(users[result]) if self._pushed(user)]
            for other in found:
                self.members[other] = None
            waiting += found

    def _pushed(self, node: Node) -> bool:
        """Whether a node joins that reads a value of the region; its result is labelled then."""
        if node in self.members or not _is_plain(node):
            return False
        links = ties(node)
        # Narrow values join for the sake of wide ones that wait for them, as what follows from the sum of a row.
        narrow = isinstance(node.op, Fold) and not any(self.is_wide(v) for v in node.operands if v in self.labels)
        if links is None or narrow:
            return False
        label: list[int | None] = [None] * len(self.sizes)
        folds = False
        for operand, tie in zip(node.operands, links, strict=True):
            for number, axis in enumerate(self.labels.get(operand, ())):
                target = None if axis is None else tie[axis]
                if target == FOLDED:
                    folds = folds or number == self.row
                    if number != self.row or not isinstance(node.op, Sum | DotGeneral):
                        return False
                elif (axis is not None and target is None) or label[number] not in (None, target):
                    return False
                else:
                    label[number] = label[number] if target is None else target
        missing = [number for number, axis in enumerate(label) if axis is None]
        if missing != ([self.row] if folds else []):
            return False
        if folds:
            self.sums.add(node.results[0])
        if not self._joins(node, tuple(label)):
            self.sums.discard(node.results[0])
            return False
        return True

    def _joins(self, node: Node, label: Label) -> bool:
        """Label the node's result, where that agrees with the labels of its operands."""
        (result,) = node.results
        self.labels[result] = label
        if not self._agrees(node):
            del self.labels[result]
        return result in self.labels

    def _pulled(self, node: Node, made: Mapping[Value, Node]) -> Iterator[Node]:
        """The nodes that join since this one reads them: what is wide, and what is like that but for some axis."""
        for operand, label in zip(node.operands, self.reads(node), strict=True):
            maker = made.get(operand)
            if operand in self.labels or maker is None or label[self.row] is None or not self._makes(maker, label):
                continue
            partly = None in label and not isinstance(maker.op, Fold)
            size = prod(operand.type.sizes)
            worth = (self.is_wide(operand) and None not in label) or (partly and size > LONG_ROW * self.sizes[self.row])
            if worth and self._joins(maker, label):
                yield maker

    def _makes(self, maker: Node, label: Label) -> bool:
        """Whether the node can make a block of its result that is tiled in this way. What has no operands is no member:
        each reader makes it as it wants it."""
        if not maker.operands or not _is_plain(maker):
            return False
        links = ties(maker)
        if links is None:
            return False
        tied = {axis for tie in links for axis in tie}
        return not isinstance(maker.op, Reshape | Slice) or all(axis is None or axis in tied for axis in label)

    def reads(self, node: Node) -> list[Label]:
        """How the operands of a node of the region are tiled."""
        links, label = ties(node), self.labels[node.results[0]]
        assert links is not None, "nodes of a region tell how their axes go together"
        found = [[None if axis is None or axis not in tie else tie.index(axis) for axis in label] for tie in links]
        if node.results[0] in self.sums:
            op = node.op
            for position, operand in enumerate(node.operands):
                row = self.labels[operand][self.row] if operand in self.labels else None
                if row is None:
                    continue
                found[position][self.row] = row
                if isinstance(op, DotGeneral):
                    sides = (op.lhs_contract, op.rhs_contract)
                    found[1 - position][self.row] = sides[1 - position][sides[position].index(row)]
        return [tuple(each) for each in found]

    def _agrees(self, node: Node) -> bool:
        return all(self.labels.get(v, label) == label for v, label in zip(node.operands, self.reads(node), strict=True))

    # -- stages ----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Give each node its stage, and drop narrow ones that no wide one of the same stage waits for."""
        while True:
            self._number()
            dropped = self._idle()
            if not dropped:
                return
            for node in dropped:
                del self.members[node]
                self.sums.discard(node.results[0])
                del self.labels[node.results[0]]

    def _number(self) -> None:
        outside: dict[Value, int] = {}
        inside: dict[Value, int] = {}
        self.stage_of = {}
        places = [self.where.at[node] for node in self.members]
        # Before the first member there is stage 0 alone, and after the last one nobody asks.
        for node in self.where.graph.nodes[min(places) : max(places) + 1]:
            member = node in self.members
            stage = 0
            for v in node.operands:
                known = inside.get(v)
                now = outside.get(v, 0) if known is None else known + (not member or v in self.sums)
                stage = max(now, stage)
            if member:
                self.stage_of[node] = inside[node.results[0]] = stage
            elif stage:
                outside.update(dict.fromkeys(node.results, stage))

    def _idle(self) -> list[Node]:
        """Narrow nodes that read nothing wide, and do not lead from one node of their stage to a wide one of it."""
        leads: set[tuple[Value, int]] = set()
        after: set[Node] = set()
        ordered = self._ordered(self.members)
        made = {node.results[0]: node for node in ordered}
        for node in reversed(ordered):
            stage = self.stage_of[node]
            if self.is_wide(node.results[0]) or (node.results[0], stage) in leads:
                leads.update((v, stage) for v in node.operands)
        idle: list[Node] = []
        for node in ordered:
            (result,), stage = node.results, self.stage_of[node]
            reads = any(self.is_wide(v) for v in node.operands if v in self.labels)
            if self.is_wide(result) or not self.is_full(result):
                if result in self.sums and not reads:
                    idle.append(node)
                continue
            follows = any(made[v] in after and self.stage_of[made[v]] == stage for v in node.operands if v in made)
            if reads or (follows and (result, stage) in leads):
                after.add(node)
            else:
                idle.append(node)
        return idle

    def stages(self) -> list[Stage]:
        """The stages, each with all that it computes, in order."""
        made = {node.results[0]: node for node in self.members}
        outputs = set(self.where.graph.outputs)
        users = self.where.users
        used = {v for v in made if v in outputs or not all(user in self.members for user in users[v])}
        found: list[Stage] = []
        for number in range(max(self.stage_of.values()), -1, -1):
            wanted = [
                v for v, node in made.items() if self.stage_of[node] == number and v in used and self.is_given_out(v)
            ]
            if wanted:
                stage = self._stage(number, wanted, made)
                # What an earlier one computed of it, that one gives out.
                used.update(v for v, _ in stage.given if v in made)
                found.insert(0, stage)
        return found

    def is_given_out(self, value: Value) -> bool:
        """Whether the region gives the value to others; what repeats along tiled axes they make themselves."""
        return value in self.sums or self.is_full(value)

    def _stage(self, number: int, wanted: Sequence[Value], made: Mapping[Value, Node]) -> Stage:
        nodes: set[Node] = set()
        given: dict[tuple[Value, Label], None] = {}
        waiting = [made[v] for v in wanted]
        while waiting:
            node = waiting.pop()
            if node in nodes:
                continue
            nodes.add(node)
            for operand, label in zip(node.operands, self.reads(node), strict=True):
                maker = made.get(operand)
                again = self.is_wide(operand) or (operand in self.labels and None in self.labels[operand])
                if maker is not None and operand not in self.sums and (self.stage_of[maker] == number or again):
                    waiting.append(maker)
                else:
                    given[operand, label] = None
        ordered = tuple(self._ordered(nodes))
        sums = tuple(v for v in wanted if v in self.sums)
        return Stage(ordered, tuple(given), tuple(v for v in wanted if v not in self.sums), sums)

    def _ordered(self, nodes: Iterable[Node]) -> list[Node]:
        return sorted(nodes, key=self.where.at.__getitem__)


def _is_plain(node: Node) -> bool:
    """Whether the node has one result, and sizes that are numbers."""
    return len(node.results) == 1 and all(is_static(v.type.shape) for v in (*node.operands, *node.results))


def regions_of(where: Whereabouts, seed: Node) -> Iterator[Region]:
    """The regions around a product, with rows along either of its operands."""
    op = seed.op
    assert isinstance(op, DotGeneral)
    (result,) = seed.results
    if not _is_plain(seed):
        return
    shape = result.type.sizes
    depth = prod(seed.operands[0].type.sizes[axis] for axis in op.lhs_contract)
    if depth > MOST_DEPTH or prod(shape) < 1.5 * max(prod(v.type.sizes) for v in seed.operands):
        return
    batch = [axis for axis in range(len(op.lhs_batch)) if shape[axis] != 1]
    for row in range(len(op.lhs_batch), len(shape)):
        if shape[row] == 1:
            continue
        axes = (*batch, row)
        region = Region(where, seed, tuple(shape[axis] for axis in axes), {result: axes})
        region.grow()
        region.settle()
        yield region
