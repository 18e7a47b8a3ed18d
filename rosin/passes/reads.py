"""A contraction while it is chosen how it is computed: where its operands are read, as what they are seen, and what is
summed up at each step."""

from __future__ import annotations

from collections.abc import Collection

from rosin.ir import dims
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Const, Expr, Guard, Load, Local, Scope, Within, walk
from rosin.ir.op import Fold, Reader
from rosin.passes.groups import Group
from rosin.passes.overlap import Overlap
from rosin.passes.packing import Operand, Packing, is_plain, joined_shape
from rosin.passes.pieces import Piece, reduced
from rosin.passes.tiles import TileSize
from rosin.passes.where import Memory


@dataclass(frozen=True)
class Form:
    """The form of tiles: rows along an axis, each of so many vectors, and all places of a phase."""

    row: LoopVar
    groups: int
    phase: LoopVar | None = None


@dataclass(frozen=True)
class Means:
    """What contractions may be computed with."""

    vector_bytes: int
    size: TileSize | None = None
    """A size of tiles that somebody has found to be the best."""
    words: Collection[str] = ()
    """The element types of which the target multiplies several numbers at a time (rosin.passes.words)."""
    copies: bool = True
    """Whether operands may be copied to where they lie better."""


class Reads:
    """What is known of a contraction before it is chosen what runs as vectors."""

    def __init__(self, group: Group, memory: Memory, name: str, piece: Piece, means: Means) -> None:
        self.group = group
        self.piece = piece
        self.means = means
        self.size: TileSize | None = None
        """The wanted size of tiles, once it is known what runs as vectors."""
        self.memory = memory
        self.name = name
        self.node = group.nodes[0]
        op = self.node.op
        assert isinstance(op, Fold)
        self.op = op
        self.types = tuple(v.type for v in self.node.operands)
        self.result, self.index, self.phases, self.beside = piece.result, piece.index, piece.phases, piece.beside
        self.point: tuple[Index, ...] = piece.point
        self.folded: list[LoopVar] = [v for v in piece.folded if v.extent != 1]
        self.place = self._place()
        self.monoid = op.monoid(self.types)
        self.packed: dict[int, tuple[Packing, Buffer]] = {}
        self.form: Form | None = None
        self.overlap: Overlap | None = None
        self.is_chosen = False
        """Whether it is known what runs as vectors."""
        self.shapes: list[tuple[Dim, ...]] = [t.shape for t in self.types]
        """As what operands are seen."""
        self.operands = self._operands()
        if any(not all(map(is_plain, o.index)) for o in self.operands if o is not None):
            pairs = zip(self.operands, self.shapes, strict=True)
            self.shapes = [shape if o is None else joined_shape(shape, o.index) for o, shape in pairs]
            self.operands = self._operands()
        self.terms = self._terms()
        widest = max(e.dtype.part.bytes for t in self.terms for e in walk(t))
        self.width = max(means.vector_bytes // max(widest, 4), 1)
        # A complex number takes two registers.
        parts = 2 if any(c.dtype.is_complex for c in self.monoid.identity) else 1
        self.registers = (32 if means.vector_bytes >= 64 else 16) // parts

    def _place(self) -> Index:
        """Where what becomes of an element of the result is stored first."""
        stored = (v for node in self.group.nodes for v in node.results if v in self.memory)
        value = next(stored, self.node.results[0])
        axes = self.group.axes[value]
        return indices.flatten([indices.ZERO if a is None else self.index[a] for a in axes], value.type.shape)

    def _operands(self) -> list[Operand | None]:
        """How each operand is read; None for one that is not read at exactly one place."""
        found: dict[int, list[Operand]] = {i: [] for i in range(len(self.node.operands))}
        marks: dict[int, tuple[int, tuple[Index, ...]]] = {}

        def reader(position: int) -> Reader:
            def read(index: tuple[Index, ...]) -> Expr:
                mark = Local(f"operand{position}", self.types[position].dtype)
                marks[id(mark)] = (position, index)
                kept.append(mark)
                found[position].append(self._read_at(position, index))
                return mark

            return read

        kept: list[Expr] = []
        terms = self.op.terms(self.index, self.point, tuple(reader(i) for i in found), self.types)
        for expr in (e for t in terms for e in walk(t)):
            if isinstance(expr, Guard) and id(expr.then) in marks and isinstance(expr.otherwise, Const):
                position, index = marks[id(expr.then)]
                tests = tuple(map(reduced, expr.tests))
                found[position] = [self._read_at(position, index, tests, expr.otherwise)]
        return [reads[0] if len(reads) == 1 else None for reads in found.values()]

    def _read_at(
        self, position: int, index: tuple[Index, ...], tests: tuple[Within, ...] = (), border: Const | None = None
    ) -> Operand:
        return Operand.at(self.memory, self.node.operands[position], self.shapes[position], index, tests, border)

    def seen_at(self, position: int, index: tuple[Index, ...]) -> tuple[Index, ...]:
        """Where an element of an operand is in what that is seen as."""
        return indices.reshaped(index, self.types[position].shape, self.shapes[position])

    def _terms(self) -> tuple[Expr, ...]:
        """The terms, reading packed operands from their copies."""
        packs: set[int] = set()

        def reader(position: int) -> Reader:
            if position not in self.packed:
                return self.memory.read(self.node.operands[position])
            packing, buffer = self.packed[position]

            def read(index: tuple[Index, ...]) -> Expr:
                load = Load(buffer, packing.offset(self.seen_at(position, index)))
                packs.add(id(load))
                keep.append(load)
                return load

            return read

        keep: list[Expr] = []
        terms = self.op.terms(self.index, self.point, tuple(map(reader, range(len(self.node.operands)))), self.types)
        return tuple(_unguarded(t, packs) for t in terms)

    @property
    def terms(self) -> tuple[Expr, ...]:
        """What is summed up at each step."""
        return self._terms_now

    @terms.setter
    def terms(self, terms: tuple[Expr, ...]) -> None:
        self._terms_now = terms
        self.loads = [e for t in terms for e in walk(t) if isinstance(e, Load)]
        self._steps: dict[LoopVar, list[Dim | None]] = {}

    def steps(self, var: LoopVar) -> list[Dim | None]:
        """How far each load moves with a step of the variable; None where that is not one number."""
        found = self._steps.get(var)
        if found is None:
            offsets = [load.offset for load in self.loads]
            found = self._steps[var] = [i.coefficient(var) if i.affine_in(var) else None for i in offsets]
        return found

    def _pack(self, position: int, packing: Packing) -> None:
        name = f"{self.name}_packed{position}"
        self.packed[position] = packing, Buffer(name, self.types[position].dtype, packing.size, Scope.ARENA)

    @property
    def work(self) -> Dim:
        return dims.product(var.extent for var in (*self.result, *self.folded))


def _unguarded(expr: Expr, packed: set[int]) -> Expr:
    """The expression without the guards of reads from packed copies, which hold the border."""
    if isinstance(expr, Guard) and id(expr.then) in packed:
        return expr.then
    children = tuple(_unguarded(c, packed) for c in expr.children())
    return expr if children == expr.children() else expr.rebuild(children, expr.indices())
