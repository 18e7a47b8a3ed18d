"""What follows a contraction elementwise: the rest of its group, computed from finished sums before they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rosin.ir import index as indices
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Apply, Const, Dot, Expr, FromIndex, Guard, Load, Store, substitute
from rosin.ir.op import Elementwise, Pull, Reader, Value
from rosin.passes.groups import Group
from rosin.passes.where import Memory

LONG, LONG_SUMS = 16, 320
"""So many operations an element are not unrolled for all elements of a tile: to store its sums and go through them in a
loop takes little time beside them, and is a fraction of the code. So it is of fewer operations after long sums, where
those of an element for each term of its sum come to as many as the second number."""


class Epilogue:
    """The nodes of a group after its first, which is a contraction."""

    def __init__(self, group: Group, memory: Memory) -> None:
        self.group = group
        self.memory = memory
        self.sharing = Sharing()

    @property
    def work(self) -> int:
        """How many operations an element takes."""
        nodes = self.group.nodes[1:]
        work = sum(n.op.flops for n in nodes if isinstance(n.op, Elementwise))
        return work + self.memory.fusion.work_through(v for n in nodes for v in n.operands)

    @property
    def cost(self) -> int:
        """What an element takes: its operations, and the bytes of it that are read and written."""
        made = [v for node in self.group.nodes for v in node.results if v in self.memory]
        return self.work + sum(v.type.dtype.bytes for v in (*self.group.reads, *made))

    def is_long(self, terms: int) -> bool:
        """Whether it is much code, or much beside the time that a loop takes after sums of so many terms."""
        return self.work >= LONG or self.work * terms >= LONG_SUMS

    def statements(self, finished: Expr, place: Mapping[int, Index]) -> list[Store]:
        """What is stored of one element of the contraction, `place` being where it is along each axis."""
        first = self.group.nodes[0]
        known: dict[Value, Expr] = {first.results[0]: finished}
        result: list[Store] = []
        for node in self.group.nodes:
            value = node.results[0]
            index = tuple([indices.ZERO if a is None else place[a] for a in self.group.axes[value]])
            if node is not first:
                readers = tuple([self._reader(v, known) for v in node.operands])
                if isinstance(node.op, Elementwise):
                    expr: Expr = Apply(node.op, tuple([read(index) for read in readers]), value.type.dtype)
                else:
                    assert isinstance(node.op, Pull)
                    expr = node.op.element(index, readers, tuple(v.type for v in node.operands))
                known[value] = self.sharing.intern(expr)
            if value in self.memory:
                result.append(self.memory.store(value, index, known[value]))
        return result

    def _reader(self, value: Value, known: Mapping[Value, Expr]) -> Reader:
        def stored(base: Value) -> Reader:
            return (lambda index: known[base]) if base in known else self.memory.stored(base)

        return self.memory.fusion.reader(value, stored)


class Sharing:
    """Makes equal expressions the same object, so that tiles load what they share once."""

    def __init__(self) -> None:
        self.known: dict[tuple[object, ...], Expr] = {}
        self.own: set[int] = set()
        """Which expressions are known ones already; these live as long as this does."""

    def intern(self, expr: Expr) -> Expr:
        if id(expr) in self.own:
            return expr
        below = expr.children()
        children = tuple([self.intern(child) for child in below])
        key: tuple[object, ...]
        match expr:
            case Load():
                key = (Load, expr.buffer, expr.offset)
            case Const():
                key = (Const, repr(expr.value), expr.dtype)
            case Apply():
                key = (Apply, expr.op, expr.dtype, *map(id, children))
            case FromIndex():
                key = (FromIndex, expr.index, expr.dtype)
            case Dot():
                key = (Dot, expr.of_left, expr.of_right, expr.dtype, *map(id, children))
            case Guard():
                key = (Guard, expr.tests, *map(id, children))
            case _:
                return expr
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = expr if children == below else expr.rebuild(children, expr.indices())
            self.own.add(id(found))
        return found


class Copies:
    """Expressions at many places. Their operands, which differ in fewer variables, are made once for each place."""

    def __init__(self, exprs: Sequence[Expr], sharing: Sharing) -> None:
        self.exprs = exprs
        self.sharing = sharing
        self.known: dict[tuple[object, ...], Expr] = {}
        operands = {id(operand): operand for expr in exprs for operand in expr.children()}.values()
        self.operands = [(operand, indices.in_order(operand.variables())) for operand in operands]

    def at(self, places: Mapping[LoopVar, Index]) -> tuple[Expr, ...]:
        """The expressions with variables replaced."""
        memo: dict[int, Expr] = {}
        for operand, variables in self.operands:
            key = (id(operand), *[places.get(variable) for variable in variables])
            found = self.known.get(key)
            if found is None:
                found = self.known[key] = self.sharing.intern(substitute(operand, places, {}))
            memo[id(operand)] = found
        return tuple([self.sharing.intern(substitute(expr, places, memo)) for expr in self.exprs])
