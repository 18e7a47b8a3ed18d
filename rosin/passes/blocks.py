"""The loop nests of groups whose folds are computed in blocks, from whose partial results come the folds' own.

    across   rows that have folds of their own, and beside them folds over the rows: the gradients of a norm's
             parameters come of the same pass over memory as that of its operand
    wide     folds that keep long runs of neighbours, the columns: a row at a time goes into partial results in memory,
             where one column after the other would fetch a page for each few numbers
    long     folds that keep few elements or none, or short runs of neighbours: blocks run on threads

The partial results of a block, a row of an array in the arena, are combined by a second nest. The grid of blocks
follows from the sizes alone, so that no bit depends on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TypeAlias

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.graph import Node
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Buffer,
    Expr,
    Load,
    Scope,
    Statement,
    Store,
    When,
    Within,
    substitute,
    values,
)
from rosin.ir.op import Fold, Monoid, Value
from rosin.ir.statements import flops, serial_loops
from rosin.ir.statements import replace as replace_variables
from rosin.ir.steps import Either, Inner, Kernel, Nest, Step
from rosin.passes.groups import Group
from rosin.passes.nest import CHAIN_FLOPS, CHAIN_REGISTERS, Arrangement, choose_lanes, placed, plain
from rosin.passes.on_threads import threads
from rosin.passes.rows import SCRATCH_BYTES, Rows
from rosin.passes.where import Memory

MOST_ROWS = 256
"""More rows than these are not summed one after the other: rounding errors would pile up."""

LEAST_ROWS = 16
"""Blocks of fewer rows would not pay for writing and reading partial results."""

FEW_ROWS, FEW_FOLDED = 64, 256
"""So many rows are folded in bands of columns (rosin.passes.streamed), more are taken one by one: where something is
written beside the folds, and where nothing is."""

BLOCKS = 64
"""So many blocks are enough for any number of threads."""

WIDE_BYTES = 2048
"""Columns from so many bytes on are taken row by row."""

AT_ONCE = 4
"""So many rows are read before what they come to goes into the partial results."""

RUN_BYTES = 1 << 14
"""Runs of so many bytes are long enough for memory to be read from several at once."""

CHUNK = 1 << 16
"""So many columns at a time, whose partial results stay in a near cache."""

LANES = 16
"""Chunks of so many columns, or of a multiple, fill vectors."""

FEW = 8
"""A fold that keeps at most so many elements has too few of them for threads."""

LEFT = 64
"""Blocks that leave over no more than one in so many rows leave little over."""

LONG = 1 << 18
"""From so many elements on threads share a fold."""


def blocked_steps(group: Group, memory: Memory, name: str) -> list[Step] | None:
    """The steps of a group whose folds run in blocks; None where each row is better folded as a whole."""
    if group.across:
        return _Across(group, memory, True, name).steps()
    layout = _layout(group)
    if layout is None or any(len(node.operands) > 1 for node in group.folded):
        # Sums of products are chains of fused multiply-adds: rosin/passes/streamed.py keeps these.
        return None
    flat = _Flat(group, memory, True, name)
    if not flat.has_one_pass():
        return None
    many = layout.rows > (FEW_ROWS if flat.passes_on() else FEW_FOLDED)
    if many and layout.width * max(v.type.dtype.bytes for v in group.reads) >= WIDE_BYTES:
        return flat.wide(layout)
    narrow = not layout.batch and layout.rows >= LEAST_ROWS * BLOCKS and layout.rows * layout.width >= LONG
    return flat.long(layout) if narrow or (layout.kept <= FEW and layout.rows >= LONG) else None


@dataclass(frozen=True)
class _Layout:
    """How the axes of a group lie in memory: batches of rows of columns, of which the rows are folded."""

    batch: tuple[int, ...]
    folded: tuple[int, ...]
    columns: tuple[int, ...]
    rows: int
    width: int
    kept: int
    """How many elements a fold keeps."""


def _layout(group: Group) -> _Layout | None:
    """The layout, where all sizes are numbers and no axis is kept between two that are folded."""
    if not group.folded or not group.reads or not dims.is_static(group.domain) or 0 in group.domain:
        return None
    sizes = dims.static(group.domain, "a fold in blocks")
    order = max(([a for a in axes if a is not None] for axes in group.reads.values()), key=len)
    folded = [at for at, axis in enumerate(order) if axis in group.reduced]
    if not folded or folded != list(range(folded[0], folded[-1] + 1)):
        return None
    batch, columns = tuple(order[: folded[0]]), tuple(order[folded[-1] + 1 :])
    rows, width, batches = (prod(sizes[a] for a in axes) for axes in (group.reduced, columns, batch))
    return _Layout(batch, tuple(order[at] for at in folded), columns, rows, width, width * batches)


@dataclass(frozen=True)
class _Cut:
    """A loop cut into blocks: iteration `inside` of block `block`."""

    var: LoopVar
    block: LoopVar
    inside: LoopVar
    step: int = 1
    """How many iterations are done at once."""

    @property
    def place(self) -> Index:
        """The iteration of the whole loop, or the first one of those that are done at once."""
        return indices.of(self.block) * (self.inside.extent * self.step) + indices.of(self.inside) * self.step

    @property
    def tests(self) -> tuple[Within, ...]:
        """Whether there is such an iteration: the last block may have fewer."""
        test = Within(self.place, 0, self.var.extent)
        return () if test.always else (test,)


class _Blocked(Rows):
    """A group while its nests are made: those of the blocks, and that which combines their partial results."""

    def __init__(self, group: Group, memory: Memory, keep: bool, name: str) -> None:
        super().__init__(group, memory, keep)
        self.name = name
        self.folds = list(group.across or group.folded)
        self.along: dict[Node, list[LoopVar]] = {}
        """For each fold the loops over the elements that it keeps, in the order in which partial results lie."""
        self.blocks: Dim = 0
        self.partial: dict[Node, tuple[Buffer, ...]] = {}

    def proper(self, axes: Sequence[int]) -> list[LoopVar]:
        """The loops over some axes, but for those of one iteration."""
        return [self.vars[a] for a in axes if self.vars[a].extent != 1]

    def cut(self, folded: Sequence[LoopVar], rows: int) -> _Cut:
        """Cut the longest of the folded loops into blocks of about so many rows."""
        var = max(folded, key=lambda v: facts.estimate(v.extent))
        others = facts.estimate(dims.product(v.extent for v in folded if v is not var))
        length = max(rows // max(others, 1), 1)
        if isinstance(var.extent, int):
            length = min(length, var.extent)
        count = -(-var.extent // length)
        return _Cut(var, LoopVar("block", count), LoopVar(var.name, length))

    def place_partial(self, kept: Sequence[LoopVar], blocks: Dim) -> None:
        """Room for the partial results of so many blocks; `kept` are the loops over what folds keep."""
        self.blocks = blocks
        for number, node in enumerate(self.folds):
            own = {self.vars[a] for a in self.group.axes[node.results[0]] if a is not None}
            self.along[node] = [v for v in kept if v in own]
            size = dims.product(v.extent for v in self.along[node]) * blocks
            name = f"{self.name.partition('_')[0]}_{node.op.name}{number}"
            self.partial[node] = tuple(
                Buffer(f"{name}_{k}", part.dtype, size, Scope.ARENA)
                for k, part in enumerate(self.monoid(node).identity)
            )

    def monoid(self, node: Node) -> Monoid:
        assert isinstance(node.op, Fold)
        return node.op.monoid(tuple(v.type for v in node.operands))

    # -- partial results -----------------------------------------------------------------------------------

    def offset(self, node: Node, block: LoopVar) -> Index:
        extents = [v.extent for v in self.along[node]]
        first = indices.of(block) * dims.product(extents) if block.extent != 1 else indices.ZERO
        return first + indices.flatten(map(indices.of, self.along[node]), extents)

    def so_far(self, node: Node, block: LoopVar) -> tuple[Expr, ...]:
        """The partial results of a fold."""
        return tuple(Load(buffer, self.offset(node, block)) for buffer in self.partial[node])

    def stores(self, node: Node, block: LoopVar, parts: Sequence[Expr]) -> list[Statement]:
        offset = self.offset(node, block)
        return [Store(buffer, offset, part) for buffer, part in zip(self.partial[node], parts, strict=True)]

    def put(self, node: Node, block: LoopVar, terms: tuple[Expr, ...]) -> list[Statement]:
        """Combine terms into the partial results of a fold."""
        monoid = self.monoid(node)
        return self.stores(node, block, (monoid.take or monoid.combine)(self.so_far(node, block), terms))

    def first(self, block: LoopVar) -> list[Statement | Inner]:
        """What partial results start from."""
        found: list[Statement | Inner] = []
        for node in self.folds:
            stores = self.stores(node, block, self.monoid(node).identity)
            found += [Inner(tuple(stores))] if self.along[node] else stores
        return found

    def together(self) -> list[Step]:
        """The nests that make of partial results those of folds, one for all of the same shape."""
        alike: dict[tuple[LoopVar, ...], list[Node]] = {}
        for node in self.folds:
            alike.setdefault(tuple(self.along[node]), []).append(node)
        names = (f"{self.name}_together{number or ''}" for number in range(len(alike)))
        return [self.combined(name, rows, nodes) for name, (rows, nodes) in zip(names, alike.items(), strict=True)]

    def combined(self, name: str, rows: tuple[LoopVar, ...], nodes: Sequence[Node]) -> Nest:
        """The nest that makes the results of some folds, and what follows from them once a row."""
        block = LoopVar("block", self.blocks)
        body: list[Statement | Inner] = [] if self.group.across else [*self.row_part(0)]
        carries = {node: self.carry(node) for node in nodes}
        puts = tuple(Accumulate(carry, self.so_far(node, block)) for node, carry in carries.items())
        body.append(Inner(puts, tuple(carries.values())))
        for node in nodes:
            body += self.ended(node)
        if not self.group.across:
            body += self.row_part(1)
        return Nest(name, rows, (block,) if self.blocks != 1 else (), tuple(body))


class _Across(_Blocked):
    """Rows with folds of their own, and folds over the rows."""

    def steps(self) -> list[Step]:
        folded = self.proper(sorted(self.group.rows))
        rows = facts.estimate(dims.product(v.extent for v in folded))
        cut = self.cut(folded, min(max(rows // BLOCKS, LEAST_ROWS), MOST_ROWS))
        self.place_partial(self.proper(sorted(self.group.reduced)), cut.block.extent)
        self.block = cut.block
        kernel = blocks_kernel(self.nest(self.name), self.first(cut.block), (cut.block,), cut)
        if self.row_bytes is None:
            return [kernel, *self.together()]
        # As for all rows: whether one fits the scratch arrays is known when the program runs.
        other = _Across(self.group, self.memory, False, self.name)
        other.vars, other.block, other.along, other.partial = self.vars, cut.block, self.along, self.partial
        long = blocks_kernel(other.nest(f"{self.name}_long"), self.first(cut.block), (cut.block,), cut)
        return [Either(self.row_bytes, SCRATCH_BYTES, (kernel,), (long,)), *self.together()]

    def across(self, node: Node, here: dict[Value, Expr]) -> list[Statement]:
        return self.put(node, self.block, self.terms(node, here))


class _Flat(_Blocked):
    """One pass over the whole domain with folds, and what follows from their results alone."""

    def has_one_pass(self) -> bool:
        return not any(self.level[n.results[0]] for n in self.group.nodes if not self.in_rows(n))

    def passes_on(self) -> bool:
        """Whether the pass stores elements of the domain, too."""
        return any(
            n.results[0] in self.memory for n in self.group.nodes if n not in self.group.folded and not self.in_rows(n)
        )

    def whole(self) -> tuple[list[Statement], dict[Node, tuple[Expr, ...]]]:
        """The pass: what it stores, and what a point gives to each fold."""
        here: dict[Value, Expr] = {}
        stores: list[Statement] = []
        terms: dict[Node, tuple[Expr, ...]] = {}
        for node in self.group.nodes:
            value = node.results[0]
            if isinstance(node.op, Fold):
                terms[node] = self.terms(node, here)
            elif self.level[value] == 0:
                here[value] = self.compute(node, lambda v: self.reader(v, here))
                stores += [] if self.in_rows(node) else self.store(value, here[value])
        return stores, terms

    def wide(self, layout: _Layout) -> list[Step]:
        """Row after row into partial results, some columns at a time."""
        chunks = -(-layout.width // CHUNK)
        least = layout.rows * chunks * layout.kept // layout.width // BLOCKS
        folded, batch, columns = map(self.proper, (sorted(self.group.reduced), layout.batch, layout.columns))
        cut = self.cut(folded, min(max(least, LEAST_ROWS), MOST_ROWS))
        item = min(v.type.dtype.bytes for v in self.group.reads)
        cut = _at_once(cut) if layout.width * item >= RUN_BYTES else cut
        self.place_partial([*batch, *columns], cut.block.extent)
        body = Inner(tuple(self.rows_at_once(cut)))
        work = flops([v for s in body.body for v in values(s)])
        nest = Nest(self.name, tuple(folded), tuple(columns), (body,), flops=work)
        kernels = _chunks(nest, self.first(cut.block), (*batch, cut.block), cut)
        return [*kernels, *self.together()]

    def rows_at_once(self, cut: _Cut) -> list[Statement]:
        """What some rows store, and partial results that take up all of their terms."""
        stores, terms = self.whole()
        found: list[Statement] = []
        parts = {node: self.so_far(node, cut.block) for node in self.folds}
        for number in range(cut.step):
            memo: dict[int, Expr] = {}
            at = {cut.var: indices.of(cut.var) + number}
            found += [replace_variables(s, at, memo) for s in stores]
            for node in self.folds:
                monoid, here = self.monoid(node), tuple(substitute(t, at, memo) for t in terms[node])
                parts[node] = (monoid.take or monoid.combine)(parts[node], here)
        return found + [s for node in self.folds for s in self.stores(node, cut.block, parts[node])]

    def long(self, layout: _Layout) -> list[Step]:
        """Blocks as rows, each with running values of its own."""
        folded, kept = self.proper(layout.folded), self.proper(sorted(self.group.rows))
        var, extent, count = divided(folded)
        left = extent % count
        self.place_partial(kept, count + bool(left))
        stores, terms = self.whole()
        carries = {node: self.carry(node) for node in self.folds}
        puts = (Accumulate(carry, terms[node]) for node, carry in carries.items())
        block = LoopVar("block", count)
        body: list[Statement | Inner] = [Inner((*stores, *puts), tuple(carries.values()))]
        body += [s for node, carry in carries.items() for s in self.stores(node, block, carry.locals)]
        work = flops([v for s in stores for v in values(s)] + [t for found in terms.values() for t in found])
        inside, rest = LoopVar(var.name, extent // count), LoopVar(var.name, left)
        nest = Nest(self.name, (block, *kept), tuple(folded), tuple(body), flops=work)
        places = {var: indices.of(block) * inside.extent + indices.of(inside)}
        nests = [_moved(nest, places, (block, *kept), [inside if v is var else v for v in folded])]
        if left:
            last = extent - left + (indices.of(rest) if left != 1 else indices.ZERO)
            columns = [rest if v is var else v for v in folded if v is not var or left != 1]
            moved = _moved(nest, {var: last, block: Index(count)}, kept, columns)
            nests.append(replace(moved, name=f"{self.name}_rest"))
        return [*nests, *self.together()]


def divided(folded: Sequence[LoopVar]) -> tuple[LoopVar, int, int]:
    """The loop to cut into blocks, its extent and how many blocks there are: the outermost one that leaves little over,
    so that memory is read in long pieces, or else the longest one."""
    extents = dims.static((v.extent for v in folded), "a long fold")
    cuts = [
        (v, n, max(range(FEW, BLOCKS + 1), key=lambda k: (-(n % k), k))) for v, n in zip(folded, extents, strict=True)
    ]
    even = (cut for cut in cuts if cut[2] >= BLOCKS // 2 and cut[1] % cut[2] * LEFT <= cut[1])
    return next(even, max(cuts, key=lambda cut: cut[1]))


def _at_once(cut: _Cut) -> _Cut:
    """The cut with blocks of about as many rows, in which some are done at once, where that leaves none over."""
    rows, length = cut.var.extent, cut.inside.extent
    if not isinstance(rows, int) or not isinstance(length, int):
        return cut
    even = [n for n in range(AT_ONCE, min(2 * length, MOST_ROWS) + 1, AT_ONCE) if rows % n == 0 and 2 * n >= length]
    if not even:
        return cut
    length = max(even)
    return _Cut(cut.var, LoopVar("block", rows // length), LoopVar(cut.var.name, length // AT_ONCE), AT_ONCE)


def _moved(nest: Nest, places: Mapping[LoopVar, Index], rows: Sequence[LoopVar], columns: Sequence[LoopVar]) -> Nest:
    """The nest with other loops, and loop variables replaced."""
    return replace(nest, rows=tuple(rows), columns=tuple(columns), body=tuple(placed(nest.body, places)))


Parts: TypeAlias = "Sequence[Statement | Inner]"


def _chunks(nest: Nest, first: Parts, outer: Sequence[LoopVar], cut: _Cut) -> Iterator[Kernel]:
    """The kernels of a nest whose columns, where they are one loop, are taken some at a time."""
    whole = Arrangement(replace(nest, body=(*first, *nest.body)))
    whole.collapse(whole.columns)
    first, body = whole.body[: len(first)], whole.body[len(first) :]
    nest = replace(nest, columns=tuple(whole.columns), body=tuple(body))
    (extent, *others) = dims.static((v.extent for v in whole.columns), "columns in chunks")
    if others or extent < 2 * CHUNK:
        yield blocks_kernel(nest, first, outer, cut)
        return
    (var,) = whole.columns
    # Chunks that leave nothing over need one kernel and not two.
    even = [n for n in range(extent // (2 * CHUNK), 2 * extent // CHUNK + 1) if extent % n == 0]
    count = max(even, key=lambda n: (extent // n % LANES == 0, -abs(extent // n - CHUNK)), default=extent // CHUNK)
    width = extent // count
    chunk, column, rest = LoopVar("chunk", count), LoopVar(var.name, width), LoopVar(var.name, extent - count * width)
    for name, start, inside, around in (
        ("", indices.of(chunk) * width, column, (chunk, *outer)),
        ("_rest", Index(count * width), rest, outer),
    ):
        if inside.extent != 0:
            index = start if inside.extent == 1 else start + indices.of(inside)
            some = _moved(replace(nest, body=(*first, *body)), {var: index}, nest.rows, (inside,))
            begin, then = some.body[: len(first)], some.body[len(first) :]
            yield blocks_kernel(replace(some, name=nest.name + name, body=then), begin, around, cut)


def blocks_kernel(nest: Nest, first: Parts, outer: Sequence[LoopVar], cut: _Cut) -> Kernel:
    """The kernel in which the rows of a nest are cut into blocks, each of which begins with `first`.

    The loops `outer`, one of them that over blocks, stand outside, and may run on threads.
    """
    whole = Arrangement(replace(nest, body=(*first, *nest.body)))
    whole.collapse(whole.columns)
    lanes = choose_lanes(whole.columns, whole.statements())
    columns = [v for v in whole.columns if v is not lanes] + [v for v in whole.columns if v is lanes]
    memo: dict[int, Expr] = {}
    parts: list[list[Statement]] = []
    for part in whole.body:
        found = [whole.inner(part, columns, lanes)] if isinstance(part, Inner) and columns else plain(part)
        parts.append([replace_variables(s, {cut.var: cut.place}, memo) for s in found])
    begin, body = ([s for part in some for s in part] for some in (parts[: len(first)], parts[len(first) :]))
    if cut.tests:
        body = [When(cut.tests, tuple(body))]
    body = [*begin, *serial_loops([cut.inside, *(v for v in nest.rows if v is not cut.var)], body)]
    on_threads, work = threads(whole.work * dims.product(v.extent for v in outer if v is not cut.block))
    body = serial_loops(sorted(outer, key=lambda v: -facts.estimate(v.extent)), body, on_threads)
    registers = CHAIN_REGISTERS if nest.flops >= CHAIN_FLOPS else 1
    return Kernel(nest.name, tuple(body), nest.scratch, registers, work)
