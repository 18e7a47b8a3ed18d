"""What loops keep of each step for their way back: as little as lets the rest be computed again at little cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import ClassVar

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.facts import estimate
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Value, Values
from rosin.ir.ops.scan import Assembly, Scan
from rosin.ir.ops.sweeps import Sweeps
from rosin.passes.base import Pass, ops_of, rebuild
from rosin.passes.remat import is_cheap, recomputed


@dataclass(frozen=True)
class Residuals(Pass):
    """Loops keep fewer bytes of each step for a later loop, which computes the rest again.

    Derivatives keep all that the way back reads. Of what a step computes, a minimum cut finds the fewest bytes from
    which cheap ops give all of it (see `Remat`, which says what is cheap): often what is carried, since constants and
    stacked operands are there anyway. So it is done for a scan whose stacked results another scan takes, and for the
    first leg of sweeps, where that leaves at most `most` of the bytes. The same ops are computed from the same numbers,
    so all bits stay what they are.
    """

    name: ClassVar[str] = "residuals"
    flops: int = 24
    reads: int = 4
    most: float = 0.5

    def rewrite(self, graph: Graph) -> Graph:
        if not any(issubclass(op, Scan | Sweeps) for op in ops_of(graph)):
            return graph
        b, pairs = Builder(), self._pairs(graph)
        scans: dict[Node, _Stacking] = {}
        for pair in pairs.values():
            scans.setdefault(pair.source, _Stacking(pair.source)).add(pair.choice.kept)

        def visit(node: Node, operands: Values) -> Values | None:
            if isinstance(node.op, Sweeps):
                op = self._narrowed(node.op)
                return None if op is node.op else b.node(op, *operands)
            results: Values | None = None
            if node in pairs:
                pair = pairs[node]
                results = pair.again(b, operands, scans[pair.source])
            if node in scans:
                assert results is None, "a loop that computes again is not one that keeps"
                results = scans[node].append(b, operands)
            return results

        return rebuild(graph, visit, b)

    def choice(self, step: Graph, needed: Iterable[Value], free: set[Value]) -> _Choice | None:
        """What to keep of a step so that values of it can be had again; None where that saves little.

        A step that measures sizes keeps what it does: nothing says in which order its nodes would be computed again.
        """
        if step.measured():
            return None
        crossing = [v for v in dict.fromkeys(needed) if v not in free]
        makers = {n.results[0]: n for n in step.nodes if is_cheap(n, self.flops, self.reads)}
        again = recomputed(crossing, makers, free) if crossing else frozenset[Value]()
        again -= _followers(again, makers, free, crossing)
        nodes = tuple(n for n in step.nodes if not again.isdisjoint(n.results))
        read = dict.fromkeys([*crossing, *(v for n in nodes for v in n.operands)])
        kept = tuple(v for v in read if v not in again and v not in free)
        before, after = (sum(estimate(v.type.bytes) for v in values) for values in (crossing, kept))
        return _Choice(kept, nodes) if after <= self.most * before and nodes else None

    # -- sweeps --------------------------------------------------------------------------------------------

    def _narrowed(self, op: Sweeps) -> Sweeps:
        """Sweeps whose first leg keeps less."""
        first, carried = op.legs[0], op.carried[0]
        kept, constants = first.outputs[carried:], op.inputs(0, first.inputs)[1]
        choice = self.choice(first, kept, {*constants})
        if choice is None:
            return op
        legs = [Graph(first.inputs, first.nodes, (*first.outputs[:carried], *choice.kept), first.name)]
        for number, leg in enumerate(op.legs[1:], 1):
            b = Builder()
            carries, same, (_, *others) = op.inputs(number, leg.inputs)
            own = {v: b.input(v.type, v.name) for v in (*carries, *same)}
            there = dict(zip(constants, (own[v] for v in same), strict=True))
            there |= {v: b.input(v.type, v.name) for v in choice.kept}
            rest = [b.input(v.type, v.name) for values in others for v in values]
            choice.append(b, there)
            legs.append(b.graph(b.inline(leg, [*own.values(), *(there[v] for v in kept), *rest]), leg.name))
        return replace(op, legs=tuple(legs))

    # -- scans ---------------------------------------------------------------------------------------------

    def _pairs(self, graph: Graph) -> dict[Node, _Pair]:
        """The scans that had better compute again what they take from an earlier one."""
        makers = {v: node for node in graph.nodes if isinstance(node.op, Scan) for v in node.results}
        users = _users(graph)
        found: dict[Node, _Pair] = {}
        sources: set[Node] = set()
        for node in graph.nodes:
            if not isinstance(node.op, Scan) or node in sources:
                continue
            rows = node.op.sections(node.operands)[2]
            for source in dict.fromkeys(makers[v] for v in rows if v in makers):
                if node not in found and source not in found:
                    pair = self._pair(source, node, users)
                    if pair is not None:
                        found[node] = pair
                        sources.add(source)
        return found

    def _pair(self, source: Node, user: Node, users: Mapping[Value, set[Node | None]]) -> _Pair | None:
        assert isinstance(source.op, Scan)
        assert isinstance(user.op, Scan)
        if not _same_steps(source, user):
            return None
        step = source.op.body
        rows = dict(zip(source.results[source.op.carried :], step.outputs[source.op.carried :], strict=True))
        dropped = {r: v for r, v in rows.items() if users.get(r) == {user} and not _is_constant_of(r, user)}
        _, constants, elements = source.op.sections(step.inputs)
        stay = {v for r, v in rows.items() if r not in dropped and users.get(r)}
        choice = self.choice(step, dropped.values(), {*constants, *elements, *stay})
        return None if choice is None else _Pair(source, user, dropped, choice)


def _followers(
    again: Collection[Value], makers: Mapping[Value, Node], free: set[Value], crossing: Sequence[Value]
) -> set[Value]:
    """What is as well kept itself as the one value that it is computed from, for which nothing else asks: a sum with a
    bias, rather than the sum without it."""
    order = [v for v in makers if v in again]
    users = Counter(x for v in order for x in makers[v].operands)
    known, found = set(free), set[Value]()
    for value in order:
        others = [x for x in makers[value].operands if x not in known]
        if not others:
            known.add(value)
        elif len(others) == 1 and others[0] not in crossing and users[others[0]] == 1:
            (kept,) = others
            if (kept not in again or kept in found) and estimate(value.type.bytes) <= estimate(kept.type.bytes):
                found.add(value)
    return found


def _users(graph: Graph) -> dict[Value, set[Node | None]]:
    """The nodes that use each value, but for those that nothing uses themselves; None is whoever runs the graph."""
    found: dict[Value, set[Node | None]] = {v: {None} for v in graph.outputs}
    for node in reversed(graph.nodes):
        if node.op.effect or not found.keys().isdisjoint(node.results):
            for v in node.operands:
                found.setdefault(v, set()).add(node)
    return found


def _same_steps(source: Node, user: Node) -> bool:
    """Whether all elements that one loop reads are of steps that the other has made."""
    assert isinstance(source.op, Scan)
    assert isinstance(user.op, Scan)
    if source.op.length != user.op.length:
        return False
    count = source.op.sections(source.operands)[1][:1] if source.op.counted else ()
    return not count or (user.op.counted and count == user.op.sections(user.operands)[1][:1])


def _is_constant_of(value: Value, user: Node) -> bool:
    """Whether a loop also takes the value as a whole."""
    assert isinstance(user.op, Scan)
    return value in user.operands[: len(user.operands) - user.op.stacked]


@dataclass(frozen=True)
class _Choice:
    """What is kept of a step, and the nodes that compute the rest again."""

    kept: Values
    nodes: tuple[Node, ...]

    def append(self, b: Builder, there: dict[Value, Value]) -> None:
        """Append the nodes; `there` has what they start from, and learns what they give."""
        for node in self.nodes:
            there.update(zip(node.results, b.copy(node, tuple(there[v] for v in node.operands)), strict=True))


@dataclass
class _Stacking:
    """A scan that stacks more of its values."""

    node: Node
    more: dict[Value, None] = field(default_factory=dict["Value", None])
    constants: list[tuple[Value, Value]] = field(default_factory=list["tuple[Value, Value]"])
    """Its constants, and what they are in a step."""
    rows: dict[Value, Value] = field(default_factory=dict["Value", "Value"])
    """For values of a step, where those of all steps are stacked."""

    @property
    def op(self) -> Scan:
        assert isinstance(self.node.op, Scan)
        return self.node.op

    def add(self, values: Values) -> None:
        there = self.op.body.outputs[self.op.carried :]
        self.more.update((v, None) for v in values if v not in there)

    def append(self, b: Builder, operands: Values) -> Values:
        """Append the scan; gives the results that it had before."""
        body, count = self.op.body, len(self.node.results)
        outputs = (*body.outputs, *self.more)
        found = b.node(replace(self.op, body=Graph(body.inputs, body.nodes, outputs, body.name)), *operands)
        _, constants, elements = self.op.sections(list(zip(operands, body.inputs, strict=True)))
        self.constants = list(constants)
        self.rows = dict(zip(outputs[self.op.carried :], found[self.op.carried :], strict=True))
        self.rows |= {v: x for x, v in elements}
        return found[:count]


@dataclass(frozen=True)
class _Pair:
    """A scan, and a later one that computes again what it does not take from it any more."""

    source: Node
    user: Node
    dropped: dict[Value, Value]
    """What the later one takes no more, and what it is in a step of the earlier one."""
    choice: _Choice

    def again(self, b: Builder, operands: Values, stacking: _Stacking) -> Values:
        """Append the later scan; gives its results."""
        op, loop = self.user.op, Assembly(b)
        assert isinstance(op, Scan)
        made = {v for node in self.choice.nodes for v in node.results}
        read = dict.fromkeys([*self.dropped.values(), *(v for node in self.choice.nodes for v in node.operands)])
        carries, constants, rows = op.sections(list(zip(operands, op.body.inputs, self.user.operands, strict=True)))
        own = {v: loop.carry(x, v.name) for x, v, _ in carries}
        own |= {v: loop.constant(x, v.name) for x, v, _ in constants}
        own |= {v: loop.element(x, v.name) for x, v, old in rows if old not in self.dropped}
        there = {v: loop.constant(x, v.name) for x, v in stacking.constants if v in read}
        left = [v for v in read if v not in made and v not in there]
        there |= {v: loop.element(stacking.rows[v], v.name) for v in left}
        self.choice.append(loop.b, there)
        own |= {v: there[self.dropped[old]] for _, v, old in rows if old in self.dropped}
        outputs = loop.b.inline(op.body, [own[v] for v in op.body.inputs])
        return loop.run(outputs, op, op.body.name, op.reverse)
