"""The loop nest of a group that runs row by row: elementwise work, and folds over shared axes.

A softmax, say, has rows and one reduced axis. Its values have *levels*: the maximum is known after one pass over the
row, the sum of exponentials after a second, the quotient comes in a third. Between passes stand what is computed once
a row. A value that a later pass needs again is computed anew when that is cheap, and otherwise kept for the row in a
scratch array that stays in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.dtypes import f32, f64
from rosin.ir.graph import Node
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Buffer,
    Carry,
    Const,
    Expr,
    Let,
    Load,
    Local,
    Scope,
    Statement,
    Store,
    values,
)
from rosin.ir.op import Elementwise, Fold, Pull, Reader, Value
from rosin.ir.ops.arithmetic import Mul
from rosin.ir.statements import flops
from rosin.ir.steps import Either, Inner, Nest, Step, statements_of
from rosin.passes.groups import Group
from rosin.passes.nest import goes_by_blocks
from rosin.passes.on_threads import threads
from rosin.passes.rows_at_once import one_sum, side_by_side
from rosin.passes.streamed import streamed
from rosin.passes.where import Memory

RECOMPUTE_FLOPS = 8
"""A value of at most so many operations an element is computed again in a later pass rather than kept."""

SCRATCH_BYTES = 1 << 17
"""What is larger is computed again, whatever it costs."""

MOST_LITTLE = 16
"""The most terms, and columns, of a little product."""

FEW_ROWS, FAR_BYTES, BYTES_OF_ROW = 8, 3 << 22, 1 << 22
"""So many rows are few beside a matrix of so many bytes in all and for each: the nearer it is, the more the products
take."""


def row_steps(group: Group, memory: Memory, name: str) -> list[Step]:
    rows = Rows(group, memory, keep=True)
    nest = rows.nest(name)
    if rows.row_bytes is None:
        return [nest]
    # Whether a row fits the scratch arrays is known when the program runs.
    again = Rows(group, memory, keep=False).nest(f"{name}_long")
    return [Either(rows.row_bytes, SCRATCH_BYTES, (nest,), (again,))]


def little_product(group: Group, memory: Memory, name: str) -> list[Step] | None:
    """A product with few columns of few terms, written out so that vectors go along its rows; None if it has more."""
    axes = group.axes[group.nodes[0].results[0]]
    if group.pieces > 1 or not axes or axes[-1] is None:
        return None
    sizes = [group.domain[axis] for axis in (*group.reduced, axes[-1])]
    if not all(isinstance(n, int) and n <= MOST_LITTLE for n in sizes):
        return None
    nest = Rows(group, memory, keep=True).nest(name)
    return [nest] if goes_by_blocks(nest) else None


def few_rows(group: Group, memory: Memory, name: str) -> list[Step] | None:
    """A product of a few rows and a large matrix, which passes by all of them as it lies in memory, a few of its own
    rows at a time (rosin.passes.streamed): tiles read it in pieces, each from another page. None of another one."""
    rows, folded = (sorted(axes & group.every) for axes in (group.rows, group.reduced))
    if group.pieces > 1 or len(rows) != 2 or len(folded) != 1 or not dims.is_static(group.domain):
        return None
    few, many = sorted(rows, key=lambda axis: facts.estimate(group.domain[axis]))
    count, *sizes = dims.static((group.domain[axis] for axis in (few, many, *folded)), "few rows")
    bytes = prod(sizes) * max(v.type.dtype.bytes for v in group.nodes[0].operands)
    if count > FEW_ROWS or bytes < max(FAR_BYTES, count * BYTES_OF_ROW):
        return None
    made = Rows(group, memory, keep=True)
    nest = made.nest(name)
    row, lanes = made.vars[few], made.vars[many]
    found = one_sum(nest.body)
    if found is None:
        return None
    (term,) = found.terms
    matrix = [e for e in _factors(term.values) if e.offset.coefficient(row) == 0 and e.offset.coefficient(lanes) == 1]
    if len(matrix) != 1:
        return None
    together, after = side_by_side(row, indices.ZERO, count, found)
    flops = count * nest.flops
    work = threads(flops * prod(sizes))
    # As tiles add up: what a row comes to is not to depend on how many there are.
    kernel = streamed(name, (), lanes, nest.columns, (together, *after), flops, work, in_blocks=False)
    return None if kernel is None else [kernel]


def _factors(values: Sequence[Expr]) -> list[Load]:
    """What a term multiplies, if that is two numbers as they lie in memory, of f32 or f64; else nothing."""
    (value, *others) = values
    if others or not isinstance(value, Apply) or not isinstance(value.op, Mul) or value.dtype not in (f32, f64):
        return []
    found = [e for e in value.args if isinstance(e, Load)]
    return found if len(found) == len(value.args) else []


class Rows:
    def __init__(self, group: Group, memory: Memory, keep: bool) -> None:
        """`keep` says whether values of rows of unknown length are kept."""
        self.group = group
        self.memory = memory
        self.keep = keep
        self.row_bytes: Dim | None = None
        """The bytes of the longest row that is kept, where that is not known."""
        self.vars = [LoopVar(f"i{axis}", n) for axis, n in enumerate(group.domain)]
        self.level: dict[Value, int] = {}
        self.maker: dict[Value, Node] = {v: n for n in group.nodes for v in n.results}
        self.row: dict[Value, Expr] = {}
        """What is known in the rows: results of folds and of what is computed from them."""
        self.kept: dict[Value, Buffer] = {}
        self.carries: dict[Value, Carry] = {}
        self.loads: dict[tuple[Buffer, Index], Expr] = {}
        for node in group.nodes:
            self.level[node.results[0]] = self._level(node)
        for node in (n for n in group.across if not self.in_rows(n)):
            self.level[node.results[0]] = self._level_across(node)
        self.last_pass = max((self.level[n.results[0]] for n in group.nodes if not self.in_rows(n)), default=-1)

    def place(self, axis: int | None) -> Index:
        return indices.ZERO if axis is None or self.vars[axis].extent == 1 else indices.of(self.vars[axis])

    def own_index(self, value: Value) -> tuple[Index, ...]:
        return tuple(self.place(axis) for axis in self.group.axes[value])

    def in_rows(self, node: Node) -> bool:
        """Whether the node is computed once a row: it lacks the reduced axes, and is no fold over them."""
        return node not in self.group.folded and not self.group.reduced.intersection(self.group.axes[node.results[0]])

    def _level(self, node: Node) -> int:
        """The pass whose loops compute the node; a fold's result is known one level later."""
        level = 0
        for read in self.memory.fusion.uses_of[node].reads:
            maker = self.maker.get(read.value)
            if maker is not None:
                level = max(level, self.level[read.value] + isinstance(maker.op, Fold))
        return level

    def _level_across(self, node: Node) -> int:
        """The pass of a fold over rows: one in which what it reads of memory is read anyway."""
        uses = self.memory.fusion.uses_of
        values = {read.value for read in uses[node].reads if read.value not in self.maker}
        others = [n for n in self.group.nodes if n not in self.group.across and not self.in_rows(n)]
        shared = [self.level[n.results[0]] for n in others if any(r.value in values for r in uses[n].reads)]
        return max(self.level[node.results[0]], min(shared, default=0))

    # -- the nest ------------------------------------------------------------------------------------------

    def nest(self, name: str) -> Nest:
        body: list[Statement | Inner] = []
        levels = max(self.level.values())
        for level in range(levels + 1):
            body += self.row_part(level)
            inner = self._inner_part(level)
            if inner is not None:
                body.append(inner)
                body += self.finish(level)
        rows = tuple(self.vars[i] for i in sorted(self.group.rows) if self.vars[i].extent != 1)
        columns = tuple(self.vars[i] for i in sorted(self.group.reduced) if self.vars[i].extent != 1)
        statements = statements_of(body)
        work = flops([v for s in statements for v in values(s)])
        return Nest(name, rows, columns, tuple(body), tuple(self.kept.values()), work)

    def row_part(self, level: int) -> list[Statement]:
        """What is computed once a row before the pass."""
        result: list[Statement] = []
        for node in self.group.nodes:
            value = node.results[0]
            if self.level[value] != level or not self.in_rows(node):
                continue
            if node in self.group.across:
                result += self.across(node, {})
                continue
            expr = self.compute(node, self.reader)
            if level <= self.last_pass and not isinstance(expr, Const):
                # A pass over the row may need it, and each has loops of its own.
                local = Local(f"row_{node.op.name}{len(self.row)}", expr.dtype)
                result.append(Let(local, expr))
                expr = local
            self.row[value] = expr
            result += self.store(value, expr)
        return result

    def _inner_part(self, level: int) -> Inner | None:
        """The pass: its folds, its results, and what later passes need of it."""
        here: dict[Value, Expr] = {}
        body: list[Statement] = []
        carries: list[Carry] = []
        later = self._needed_later(level)
        for node in self.group.nodes:
            value = node.results[0]
            if self.level[value] > level or self.in_rows(node):
                continue
            if isinstance(node.op, Fold):
                if self.level[value] == level and node in self.group.across:
                    body += self.across(node, here)
                elif self.level[value] == level:
                    carry, accumulate = self._fold(node, here)
                    carries.append(carry)
                    body.append(accumulate)
                continue
            if self.level[value] < level and (value in self.memory or value in self.kept):
                here[value] = self._again(value)
                continue
            here[value] = self.compute(node, lambda v: self.reader(v, here))
            if self.level[value] == level:
                body += self.store(value, here[value])
                if value in later:
                    body += self._keep(value, here[value])
        return Inner(tuple(body), tuple(carries)) if body else None

    def finish(self, level: int) -> list[Statement]:
        """After the pass, its folds' results."""
        done = [n for n in self.group.nodes if n in self.group.folded and self.level[n.results[0]] == level]
        return [statement for node in done for statement in self.ended(node)]

    def ended(self, node: Node) -> list[Statement]:
        """The result of a fold, from its running values."""
        op, value = node.op, node.results[0]
        assert isinstance(op, Fold)
        carry = self.carries[value]
        expr = op.finish(carry.locals, tuple(v.type for v in node.operands))
        local = Local(f"{carry.locals[0].name}_end", expr.dtype)
        self.row[value] = local
        return [Let(local, expr), *self.store(value, local)]

    def _fold(self, node: Node, here: dict[Value, Expr]) -> tuple[Carry, Statement]:
        carry = self.carry(node)
        op, types = node.op, tuple(v.type for v in node.operands)
        empty = isinstance(op, Fold) and 0 in op.domain(types)
        return carry, Accumulate(carry, carry.initial if empty else self.terms(node, here))

    def carry(self, node: Node) -> Carry:
        """The running values of a fold."""
        op = node.op
        assert isinstance(op, Fold)
        carry = op.monoid(tuple(v.type for v in node.operands)).carry(f"{op.name}{len(self.carries)}")
        self.carries[node.results[0]] = carry
        return carry

    def terms(self, node: Node, here: dict[Value, Expr]) -> tuple[Expr, ...]:
        """What a point of the domain gives to a fold."""
        op = node.op
        assert isinstance(op, Fold)
        axes = self.group.across[node] if node in self.group.across else self.group.folded[node]
        point = tuple(self.place(axis) for axis in axes)
        readers = tuple(self.memory.fusion.reader(v, lambda w: self.reader(w, here)) for v in node.operands)
        return op.terms(self.own_index(node.results[0]), point, readers, tuple(v.type for v in node.operands))

    def across(self, node: Node, here: dict[Value, Expr]) -> list[Statement]:
        """What a row does for a fold over rows."""
        raise AssertionError("rows by themselves know no others")

    # -- values --------------------------------------------------------------------------------------------

    def compute(self, node: Node, read: Callable[[Value], Reader]) -> Expr:
        op = node.op
        index = self.own_index(node.results[0])
        readers = tuple(self.memory.fusion.reader(v, read) for v in node.operands)
        if isinstance(op, Elementwise):
            return Apply(op, tuple(r(index) for r in readers), node.results[0].type.dtype)
        assert isinstance(op, Pull)
        return op.element(index, readers, tuple(v.type for v in node.operands))

    def reader(self, value: Value, here: dict[Value, Expr] | None = None) -> Reader:
        """Reads a value of the group from where this pass has it, another one from memory."""
        known = self.row.get(value)
        if known is None and here is not None:
            known = here.get(value)
        if known is not None:
            return lambda index: known
        # An op may have an operand that it does not read after all; such a value has no buffer.
        return lambda index: self.load(*self.memory.at(value, index))

    def load(self, buffer: Buffer, offset: Index) -> Expr:
        key = (buffer, offset)
        if key not in self.loads:
            self.loads[key] = Load(buffer, offset)
        return self.loads[key]

    def store(self, value: Value, expr: Expr) -> list[Statement]:
        return [self.memory.store(value, self.own_index(value), expr)] if value in self.memory else []

    # -- what later passes need ------------------------------------------------------------------------------

    def _needed_later(self, level: int) -> set[Value]:
        """The values of this pass that a later one reads, are dear, and have no memory of their own."""
        needed: set[Value] = set()
        for node in self.group.nodes:
            if self.level[node.results[0]] <= level:
                continue
            for read in self.memory.fusion.uses_of[node].reads:
                maker = self.maker.get(read.value)
                if maker is None or isinstance(maker.op, Fold) or self.in_rows(maker):
                    continue
                needed |= self._dear_below(read.value, level)
        return {v for v in needed if v not in self.memory and self._may_keep(self._row_bytes(v))}

    def _dear_below(self, value: Value, level: int) -> set[Value]:
        """The last dear values on the way to `value` that are computed in the pass `level`."""
        node = self.maker[value]
        if value in self.memory or value in self.kept:
            return set()
        if self.level[value] == level and self._price(value) > RECOMPUTE_FLOPS:
            return {value}
        found: set[Value] = set()
        for read in self.memory.fusion.uses_of[node].reads:
            maker = self.maker.get(read.value)
            if maker is not None and not isinstance(maker.op, Fold) and not self.in_rows(maker):
                found |= self._dear_below(read.value, level)
        return found

    def _price(self, value: Value) -> int:
        """Operations an element to compute the value from what is in memory."""
        node = self.maker[value]
        total = node.op.flops if isinstance(node.op, Elementwise) else 20
        for read in self.memory.fusion.uses_of[node].reads:
            maker = self.maker.get(read.value)
            if maker is not None and not isinstance(maker.op, Fold) and not self.in_rows(maker):
                total += self._price(read.value)
            if total > RECOMPUTE_FLOPS:
                break
        return total

    def _may_keep(self, row_bytes: Dim) -> bool:
        """Whether a row of so many bytes is kept; one of unknown length where that is asked for."""
        if facts.known_at_least(SCRATCH_BYTES, row_bytes):
            return True
        return self.keep and not isinstance(row_bytes, int) and not facts.known_at_least(row_bytes, SCRATCH_BYTES + 1)

    def _row_bytes(self, value: Value) -> Dim:
        return self.row_size() * value.type.dtype.bytes

    def row_size(self) -> Dim:
        return dims.product(self.group.domain[axis] for axis in sorted(self.group.reduced))

    def row_offset(self) -> Index:
        axes = sorted(self.group.reduced)
        return indices.flatten([self.place(a) for a in axes], [self.group.domain[a] for a in axes])

    def _keep(self, value: Value, expr: Expr) -> list[Statement]:
        size, bytes = self.row_size(), self._row_bytes(value)
        if not isinstance(size, int):
            if not facts.known_at_least(SCRATCH_BYTES, bytes):
                longest = [bytes] if self.row_bytes is None else [bytes, self.row_bytes]
                self.row_bytes = max(longest, key=facts.estimate)
            size = SCRATCH_BYTES // value.type.dtype.bytes
        self.kept[value] = Buffer(f"row{len(self.kept)}", value.type.dtype, size, Scope.LOCAL)
        return [Store(self.kept[value], self.row_offset(), expr)]

    def _again(self, value: Value) -> Expr:
        """A value of an earlier pass, from the scratch array or from its buffer."""
        if value in self.kept:
            return self.load(self.kept[value], self.row_offset())
        return self.load(*self.memory.at(value, self.own_index(value)))
