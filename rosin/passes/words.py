"""Products of narrow numbers, several at a time: some processors multiply the numbers side by side in two words of 32
bits, and add up the products.

Both operands of a contraction are packed for that: neighbours along what is folded share a word, and where that does
not divide, zeros fill the last one. What runs over the words is a contraction like any other, with tiles of the same
forms.

Some processors have registers for tiles of words (rosin.passes.products): the numbers of words are filled up with
zeros to whole tiles then, and an operand that lies as its words would is read where it is.

Vectors are of unsigned bytes multiplied by signed ones. So bytes of one operand are packed with 128 added, and 128
times the sum of what they meet, which all rows have in common, is taken off in the end. That is exact, since integers
wrap around.
"""

from __future__ import annotations

from dataclasses import replace

from rosin.ir import facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, is_static
from rosin.ir.dtypes import DType, bf16, f32, i8, i32, u8, u16, u32
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Accumulate, Apply, Buffer, Const, Dot, Expr, Load, Local, Scope, Store, Within, guard
from rosin.ir.op import Reader, apply
from rosin.ir.ops.arithmetic import Mul, Sub
from rosin.ir.ops.cast import Bitcast, Cast, convert
from rosin.ir.ops.logic import Or, ShiftLeft, Xor
from rosin.ir.steps import Inner, Kernel, Nest
from rosin.passes.lanes import Lanes
from rosin.passes.nest import arranged
from rosin.passes.packing import Operand, Packing, places_of

WORD_BITS = 32
LEAST_ROWS = 8
"""Words pay for the copies of the operands where so many rows read them."""
LEAST_WORDS = 4
ROWS = 16
"""Registers for tiles have so many rows, of as many words."""
WORD_BYTES = WORD_BITS // 8
NEAR_SET = 2048
MANY_COLUMNS = 256
"""Rows that lie a multiple of `NEAR_SET` bytes apart are copied where so many columns read them."""
PANEL = 2 * ROWS
"""A panel of an operand is that wide for them, if there is so much of it."""


@dataclass(frozen=True)
class Kind:
    """Narrow numbers of which the target multiplies words: as what it takes those on either side."""

    numbers: DType
    sum: DType
    left: DType
    right: DType
    is_tiled: bool = False
    """Whether it has registers for tiles of them."""

    @property
    def name(self) -> str:
        """What targets call it."""
        return f"{self.numbers.name} tiles" if self.is_tiled else self.numbers.name

    @property
    def count(self) -> int:
        """How many numbers share a word."""
        return WORD_BITS // self.numbers.bits

    @property
    def is_offset(self) -> bool:
        """Whether numbers of the left are packed with an offset, which makes them unsigned."""
        return self.left != self.numbers


KINDS = (
    Kind(i8, i32, i8, i8, is_tiled=True),
    Kind(bf16, f32, bf16, bf16, is_tiled=True),
    Kind(i8, i32, u8, i8),
    Kind(bf16, f32, bf16, bf16),
)


@dataclass(frozen=True)
class Word:
    """How the copy of an operand has words: of numbers along an axis, which has so many."""

    kind: Kind
    axis: int
    extent: int
    is_left: bool

    def read(self, reader: Reader, index: tuple[Index, ...]) -> Expr:
        """The word whose first number is at an index."""
        found: Expr | None = None
        for at in range(self.kind.count):
            place = index[self.axis] + at
            number = reader((*index[: self.axis], place, *index[self.axis + 1 :]))
            number = guard((Within(place, 0, self.extent),), number, Const(0, self.kind.numbers))
            bits = self._bits(number)
            bits = bits if at == 0 else apply(ShiftLeft(), bits, Const(at * self.kind.numbers.bits, u32))
            found = bits if found is None else apply(Or(), found, bits)
        assert found is not None
        return found

    def _bits(self, number: Expr) -> Expr:
        unsigned = u8 if number.dtype.bits == 8 else u16
        bits: Expr = Apply(Bitcast(unsigned), (number,), unsigned)
        if self.is_left and self.kind.is_offset:
            bits = apply(Xor(), bits, Const(1 << (unsigned.bits - 1), unsigned))
        return convert(bits, u32)


@dataclass(frozen=True)
class WordPacking(Packing):
    """A copy of an operand whose elements are words."""

    word: Word | None = None

    def element(self, reader: Reader, index: tuple[Index, ...]) -> Expr:
        assert self.word is not None
        return self.word.read(reader, index)


class WordLanes(Lanes):
    """A contraction while it is chosen how it is computed, by words where the target has that for its numbers."""

    kind: Kind | None = None
    right = 0
    """Which operand the words of the right are from."""
    excess: tuple[Packing, Buffer, tuple[Index, ...]] | None = None
    """What offsets add to sums: where it lies, and for which index of the operand that is not offset."""

    def lanes(self) -> LoopVar | None:
        """The variable that runs as vectors, with the operands packed for it."""
        for kind in self._kinds():
            found = self._lanes_of_words(kind)
            if found is not None:
                return found
        return super().lanes()

    def _terms(self) -> tuple[Expr, ...]:
        if self.kind is None:
            return super()._terms()
        loads: dict[int, Load] = {}

        def reader(position: int) -> Reader:

            def read(index: tuple[Index, ...]) -> Expr:
                if position in self.packed:
                    packing, buffer = self.packed[position]
                    loads[position] = Load(buffer, packing.offset(self.seen_at(position, index)))
                else:
                    found = self.memory.read(self.node.operands[position])(index)
                    assert isinstance(found, Load), "what isn't packed is read where it lies"
                    loads[position] = found
                return Local("number", self.types[position].dtype)

            return read

        self.op.terms(self.index, self.point, (reader(0), reader(1)), self.types)
        left, right = sorted(loads, key=lambda position: position == self.right)
        return (Dot(loads[left], loads[right], self.kind.left, self.kind.right, self.kind.sum),)

    def total(self, sums: tuple[Expr, ...], places: dict[LoopVar, Index]) -> tuple[Expr, ...]:
        """What the running values come to at places along the result's axes."""
        if self.excess is None:
            return sums
        packing, buffer, index = self.excess
        place = packing.offset(index).substitute(places)
        return (apply(Sub(), sums[0], Load(buffer, place)),)

    def excess_kernels(self) -> list[Kernel]:
        """Kernels that sum up what offsets of one operand add to all sums: the other one multiplied by them alone."""
        if self.excess is None or self.kind is None:
            return []
        kernels: list[Kernel] = []
        packing, buffer, _ = self.excess
        copy, words = self.packed[self.right]
        folded = next(at for at, a in enumerate(copy.axes) if a not in packing.axes) + len(copy.cut)
        offsets = Const(sum(1 << (at * 8 + 7) for at in range(self.kind.count)), u32)
        for number, place in enumerate(places_of(copy)):
            rows = tuple(v for at, i in enumerate(place) if at != folded for v in indices.in_order(i.variables()))
            load = Load(words, indices.flatten(place, copy.shape))
            carry = self.monoid.carry("excess")
            term = Dot(offsets, load, self.kind.left, self.kind.right, self.kind.sum)
            at = indices.flatten([*place[:folded], *place[folded + 1 :]], packing.shape)
            body = (Inner((Accumulate(carry, (term,)),), (carry,)), Store(buffer, at, carry.locals[0]))
            name = f"{self.name}_excess{number or ''}"
            kernels.append(arranged(Nest(name, rows, tuple(place[folded].variables()), body, flops=self.kind.count)))
        return kernels

    # -- choosing --------------------------------------------------------------------------------------------

    def _lanes_of_words(self, kind: Kind) -> LoopVar | None:
        """The variable that runs as vectors over words; None, and nothing is changed, where there are none."""
        lanes = next((v for v in self.result if self.place.coefficient(v) == 1 and v.extent != 1), None)
        if lanes is None or len(self.folded) != 1 or not self.partners(lanes):
            return None
        (folded,), numbers = self.folded, self.folded[0].extent
        axes = [_axis_of(operand, folded) for operand in self.operands]
        moving = [p for p, o in enumerate(self.operands) if o is not None and o.step(lanes) != 0]
        if len(moving) != 1 or not all(isinstance(n, int) for n in self.types[moving[0]].shape):
            return None
        right = self.operands[moving[0]]
        if right is None or self.times_read(right) < LEAST_ROWS or facts.estimate(lanes.extent) < self.width:
            return None
        if not isinstance(numbers, int) or numbers < LEAST_WORDS * kind.count:
            return None
        if kind.is_tiled and self.row_of_tiles(lanes) is None:
            return None
        kept = self.folded, self.point, self.operands
        words = LoopVar(folded.name, -(-numbers // kind.count))
        if kind.is_tiled:
            words = LoopVar(folded.name, -(-numbers // (kind.count * ROWS)) * ROWS)
        self.folded = [words]
        self.point = tuple(i.substitute({folded: indices.of(words) * kind.count}) for i in self.point)
        self.operands, self.size = self._operands(), self.means.size
        block = self.panel(lanes) if kind.is_tiled else self.groups(lanes) * self.width
        packings: dict[int, WordPacking] = {}
        lying = [p for p in range(2) if p not in moving and self._lies_in_words(kind, p, words, lanes)]
        for position, (operand, axis) in enumerate(zip(self.operands, axes, strict=True)):
            inner = [lanes] if position in moving else []
            packing = None if operand is None else operand.packing(inner, [block] * len(inner))
            if packing is not None and axis is not None and position not in lying:
                # Words of a row are neighbours in a tile of it.
                rows = kind.is_tiled and position not in moving
                order = sorted(packing.axes, key=lambda a: rows and a.axis == axis)
                if rows and _share_a_set(words.extent * WORD_BYTES):
                    order[-1] = replace(order[-1], extent=order[-1].extent + ROWS)
                packings[position] = WordPacking(tuple(order), word=Word(kind, axis, numbers, position not in moving))
        if len(packings) + len(lying) < len(self.operands):
            self.folded, self.point, self.operands = kept
            self.size = None
            return None
        self.kind, (self.right,) = kind, moving
        for position, packing in packings.items():
            buffer = Buffer(f"{self.name}_packed{position}", u32, packing.size, Scope.ARENA)
            self.packed[position] = packing, buffer
        if kind.is_offset:
            others = Packing(tuple(a for a in packings[moving[0]].axes if a.axis != axes[moving[0]]))
            self.excess = others, Buffer(f"{self.name}_excess", kind.sum, others.size, Scope.ARENA), right.index
        self.terms = self._terms()
        return lanes

    def _kinds(self) -> list[Kind]:
        """The kinds of words that the terms are made for, the best first: these are products of two numbers read."""
        if len(self.terms) != 1 or len(self.monoid.identity) != 1:
            return []
        (term,) = self.terms
        if not isinstance(term, Apply) or not isinstance(term.op, Mul):
            return []
        sides = [_cast_from(side) for side in term.args]
        if not all(isinstance(side, Load) for side in sides) or any(o is None or o.tests for o in self.operands):
            return []
        numbers = {side.dtype for side in sides}
        return [k for k in KINDS if k.name in self.means.words and numbers == {k.numbers} and term.dtype == k.sum]

    # -- tiles -----------------------------------------------------------------------------------------------

    def panel(self, lanes: LoopVar) -> int:
        """How wide the panels are that registers for tiles read."""
        return PANEL if facts.estimate(lanes.extent) >= PANEL else ROWS

    def row_of_tiles(self, lanes: LoopVar) -> LoopVar | None:
        """The axis of the result that has the rows of tiles; None where no axis has enough, or sizes are symbolic."""
        if not is_static(v.extent for v in self.result):
            return None
        still = [o for o in self.operands if o is not None and o.step(lanes) != 0]
        fit = [v for v in self.partners(lanes) if all(o.step(v) == 0 for o in still)]
        best = max(fit, key=lambda v: min(facts.estimate(v.extent), PANEL), default=None)
        return None if best is None or facts.estimate(best.extent) < LEAST_ROWS else best

    def _lies_in_words(self, kind: Kind, position: int, words: LoopVar, lanes: LoopVar) -> bool:
        """Whether an operand lies as its words would: its numbers are neighbours and fill whole tiles."""
        operand, row = self.operands[position], self.row_of_tiles(lanes)
        if operand is None or row is None or not kind.is_tiled:
            return False
        axes = [axis for axis, i in enumerate(operand.index) if words in i.variables()]
        filled = len(axes) == 1 and operand.shape[axes[0]] == words.extent * kind.count
        read = operand.reader(self.memory)(operand.index)
        if not filled or not isinstance(read, Load) or read.buffer.dtype != kind.numbers:
            return False
        steps = [read.offset.coefficient(v) if read.offset.affine_in(v) else None for v in (words, row)]
        apart = steps[1] * kind.numbers.bits // 8 if isinstance(steps[1], int) else 0
        if _share_a_set(apart) and self.times_read(operand) >= MANY_COLUMNS:
            return False
        return steps[0] == kind.count and apart != 0


def _share_a_set(apart: Dim) -> bool:
    """Whether rows that lie so many bytes apart share a few sets of the nearest cache, which has no room for tiles of
    them then."""
    return isinstance(apart, int) and apart % NEAR_SET == 0


def _cast_from(expr: Expr) -> Expr:
    return expr.args[0] if isinstance(expr, Apply) and isinstance(expr.op, Cast) else expr


def _axis_of(operand: Operand | None, var: LoopVar) -> int | None:
    """The axis of an operand along which it is read at a variable, which no other axis knows."""
    if operand is None:
        return None
    axes = [axis for axis, i in enumerate(operand.index) if var in i.variables()]
    return axes[0] if len(axes) == 1 and operand.index[axes[0]] == indices.of(var) else None
