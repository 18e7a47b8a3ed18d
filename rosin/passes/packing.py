"""Packed operands of contractions: copies in which elements lie as the vectors of a tile want them, border included."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import gcd
from typing import NamedTuple

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Const, Expr, Load, Loop, Statement, Store, Within, guard
from rosin.ir.op import Reader, Value
from rosin.ir.statements import replace as replace_indices
from rosin.ir.steps import Kernel, Nest
from rosin.passes.groups import variable
from rosin.passes.nest import arranged, copied
from rosin.passes.where import Memory

PACK_COST = 0.7
"""Machine steps to copy one element of an operand."""

STRIP = 32
"""A large operand is copied in strips of so many rows, whose pages a processor finds at once."""
STAYS_BYTES = 1 << 18
"""What an operand has to have more of to be copied so."""


@dataclass(frozen=True)
class Operand:
    """How the term reads one operand: the index along each of its axes, where that is in memory, and the number read
    beyond its border."""

    value: Value
    shape: tuple[Dim, ...]
    """As what the value is seen: some of its neighbouring axes may be one."""
    index: tuple[Index, ...]
    offset: Index
    tests: tuple[Within, ...] = ()
    border: Const | None = None

    @staticmethod
    def at(
        memory: Memory,
        value: Value,
        shape: tuple[Dim, ...],
        index: tuple[Index, ...],
        tests: tuple[Within, ...] = (),
        border: Const | None = None,
    ) -> Operand:
        """The operand at an index. What is computed on the way from memory counts as lying there as its type says."""
        read = memory.read(value)(index)
        offset = read.offset if isinstance(read, Load) else indices.flatten(index, value.type.shape)
        return Operand(value, shape, indices.reshaped(index, value.type.shape, shape), offset, tests, border)

    def reader(self, memory: Memory) -> Reader:
        """Reads the value at indices of what it is seen as."""
        read, shape = memory.read(self.value), self.value.type.shape
        return lambda index: read(indices.reshaped(index, self.shape, shape))

    def step(self, var: LoopVar) -> Dim | None:
        """How far the read moves in memory with a step of the variable; None where that is not one number."""
        return self.offset.coefficient(var) if self.offset.affine_in(var) else None

    def runs_along(self, var: LoopVar) -> bool:
        """Whether neighbours along a variable lie side by side in memory, if only in pieces, as those of heads do."""
        if self.offset.affine_in(var):
            return self.offset.coefficient(var) == 1
        place = indices.flatten(self.index, self.shape)
        return place.affine_in(var) and place.coefficient(var) == 1

    def slice(self, packing: Packing, outer: Collection[LoopVar]) -> tuple[Operand, Packing]:
        """What is read of the operand in the first step of outer loops, and the copy of what is read in any one."""
        first = dict.fromkeys(outer, indices.ZERO)
        index = tuple(i.substitute(first) for i in self.index)
        axes: list[PackedAxis] = []
        for a in packing.axes:
            least, most = index[a.axis].bounds()
            assert least is not None, "only what has bounds is packed"
            assert most is not None, "only what has bounds is packed"
            extent = (most - least) // a.step + 1
            block = 0 if facts.known_at_least(a.block, extent) else a.block
            axes.append(replace(a, low=least, extent=extent, block=block))
        start = tuple(i - at for i, at in zip(self.index, index, strict=True))
        return replace(self, index=index, offset=self.offset.substitute(first)), Packing(tuple(axes), start)

    def packing(self, inner: Sequence[LoopVar], blocks: Sequence[int]) -> Packing | None:
        """The packed form in which the axes of these variables come last, in this order; None where there is none.

        Where an axis is its variable alone, it is cut into blocks of as many neighbours as are given, if that is not 0.
        What a tile reads is one piece of memory then.
        """
        if not all(map(is_plain, self.index)):
            return None
        inside = {Within(i, 0, n) for i, n in zip(self.index, self.shape, strict=True)}
        if any(test not in inside for test in self.tests):
            return None
        moving: dict[int, int] = {}
        for var, block in zip(inner, blocks, strict=True):
            axes = [axis for axis, i in enumerate(self.index) if var in i.variables()]
            if len(axes) > 1 or any(axis in moving or self.index[axis].coefficient(var) != 1 for axis in axes):
                return None
            moving.update((axis, block if self.index[axis] == indices.of(var) else 0) for axis in axes)
        order = [*(axis for axis in range(len(self.index)) if axis not in moving), *moving]
        found: list[PackedAxis] = []
        for axis in order:
            step = _common_step(self.index[axis])
            least, most = self.index[axis].bounds()
            if least is None or most is None:
                return None
            extent, block = (most - least) // step + 1, moving.get(axis, 0)
            found.append(PackedAxis(axis, least, step, extent, 0 if facts.known_at_least(block, extent) else block))
        return Packing(tuple(found))


@dataclass(frozen=True)
class PackedAxis:
    """An axis of an operand in its copy: from `low` on every `step`-th, for `extent` elements, in blocks of some."""

    axis: int
    low: Dim
    step: int
    extent: Dim
    block: int = 0
    """0 where the axis isn't cut."""
    room: Dim = 0
    """How many elements there is room for, if that is more than there are, so that what follows lies well."""

    @property
    def count(self) -> Dim:
        """How many blocks there are."""
        return -(-self.extent // self.block)


@dataclass(frozen=True)
class Packing:
    """A copy of an operand: its axes in this order.

    First come the numbers of blocks of the axes that are cut, of the last such axis first; then all axes, of these what
    is in a block.
    """

    axes: tuple[PackedAxis, ...]
    start: tuple[Index, ...] = ()
    """Where it begins along each axis of the operand, of a slice that depends on loops around."""

    @property
    def cut(self) -> list[PackedAxis]:
        """The axes that are cut, in the order in which the numbers of their blocks come."""
        return [a for a in reversed(self.axes) if a.block]

    @property
    def shape(self) -> tuple[Dim, ...]:
        """The shape of the copy."""
        return (*(a.count for a in self.cut), *(a.block or a.room or a.extent for a in self.axes))

    @property
    def size(self) -> Dim:
        return dims.product(self.shape)

    def part(self, start: Dim, extent: Dim, block: int) -> Packing:
        """The copy of a part of its last axis, in blocks."""
        *before, last = self.axes
        last = replace(last, low=last.low + start * last.step, extent=extent, block=block)
        return replace(self, axes=(*before, last))

    def aligned(self, width: int) -> Packing:
        """The copy with room for whole vectors of its last axis, which is not cut."""
        *before, last = self.axes
        return replace(self, axes=(*before, replace(last, room=-(-last.extent // width) * width)))

    def element(self, reader: Reader, index: tuple[Index, ...]) -> Expr:
        """What the copy has of the operand at an index."""
        return reader(index)

    @property
    def cost(self) -> float:
        """Machine steps to make it."""
        return facts.estimate(self.size) * PACK_COST

    def offset(self, index: tuple[Index, ...]) -> Index:
        """Where the element at the operand's `index` lies in the copy."""
        along = {a: (index[a.axis] - self._begin(a.axis) - a.low) // a.step for a in self.axes}
        return indices.flatten(
            self.place({a: (i // a.block, i % a.block) if a.block else (i, i) for a, i in along.items()}), self.shape
        )

    def place(self, along: Mapping[PackedAxis, tuple[Index, Index]]) -> list[Index]:
        """The place in the copy, of the number of the block along each axis and the place in it."""
        return [*(along[a][0] for a in self.cut), *(along[a][1] for a in self.axes)]

    def index(self, place: Sequence[Index]) -> tuple[Index, ...]:
        """The operand's index of the element at a place of the copy."""
        numbers = dict(zip(self.cut, place, strict=False))
        found: dict[int, Index] = {}
        for a, inside in zip(self.axes, place[len(numbers) :], strict=True):
            along = (numbers[a] * a.block + inside if a.block else inside) * a.step + a.low
            found[a.axis] = along + self._begin(a.axis)
        return tuple(found[axis] for axis in range(len(found)))

    def _begin(self, axis: int) -> Index:
        return self.start[axis] if self.start else indices.ZERO


def joint(packings: Sequence[Packing]) -> Packing | None:
    """One copy that has what each of these has, if it has no more elements than all of them together; None else.

    All have the same axes in the same order and in the same blocks.
    """
    axes: list[PackedAxis] = []
    for alike in zip(*(p.axes for p in packings), strict=True):
        a = alike[0]
        if all(other == a for other in alike):
            axes.append(a)
            continue
        parts = [(o.low, o.step, o.extent) for o in alike if isinstance(o.low, int) and isinstance(o.extent, int)]
        if a.block or len(parts) < len(alike):
            return None
        low = min(start for start, _, _ in parts)
        step = gcd(*(step for _, step, extent in parts if extent > 1), *(start - low for start, _, _ in parts)) or 1
        end = max(start + (extent - 1) * step for start, step, extent in parts)
        axes.append(PackedAxis(a.axis, low, step, (end - low) // step + 1))
    found = Packing(tuple(axes))
    together = sum(facts.estimate(p.size) for p in packings)
    return found if facts.estimate(found.size) <= together else None


def joined_shape(shape: tuple[Dim, ...], index: Sequence[Index]) -> tuple[Dim, ...]:
    """The shape in which those axes are one of which an index has the quotient and the remainder of one number."""
    sizes: list[Dim] = []
    places: list[Index] = []
    for size, place in zip(reversed(shape), reversed(index), strict=True):
        if places and not is_plain(places[-1]):
            sizes[-1], places[-1] = size * sizes[-1], place * sizes[-1] + places[-1]
        else:
            sizes.append(size)
            places.append(place)
    return tuple(reversed(sizes)) if all(map(is_plain, places)) else shape


def is_plain(index: Index) -> bool:
    """Whether an index is a sum of variables."""
    return all(isinstance(atom, LoopVar) for atom, _ in index.terms)


def _common_step(index: Index) -> int:
    """The greatest number by which all steps of an index can be divided."""
    steps = [step for _, step in index.terms]
    numbers = [step for step in steps if isinstance(step, int)]
    return max(gcd(*numbers), 1) if len(numbers) == len(steps) else 1


# -- kernels -------------------------------------------------------------------------------------------------------

Range = tuple[Dim, Dim]
"""From where on, and before where to stop."""


def packing_kernels(
    name: str,
    operand: Operand,
    packing: Packing,
    buffer: Buffer,
    memory: Memory,
    border: bool = True,
    counts: int = 1,
) -> list[Kernel]:
    """Kernels that copy an operand to its packed form: one for what is within the operand, whose work `counts` so many
    times, and one for its `border` unless nothing reads that."""
    inside = _inside(operand, packing)
    if inside is None:
        return [_tested(name, operand, packing, buffer, memory)]
    whole: list[Range] = [(0, a.extent) for a in packing.axes]
    tested: list[int] = []
    if border and _rows_have_ends(operand, packing):
        inside[-1], tested = whole[-1], [packing.axes[-1].axis]
    copies = [
        Nest(f"{name}_{i}" if i else name, order, (), (store,))
        for i, (order, store) in enumerate(
            part
            for place in _places(packing, inside)
            for part in _strips(_variables(place), _copy(operand, packing, buffer, memory, place, tested))
        )
    ]
    around: list[Statement] = []
    for box in _around(inside, whole) if border else ():
        for place in _places(packing, box):
            assert operand.border is not None
            fill = Store(buffer, indices.flatten(place, packing.shape), operand.border)
            around += map(on_one_thread, arranged(Nest(name, _variables(place), (), (fill,))).body)
    kernels = [copied(nest, counts) for nest in copies]
    return [*kernels, Kernel(f"{name}_border", tuple(around))] if around else kernels


def padding_kernel(name: str, packing: Packing, buffer: Buffer, width: int) -> Kernel:
    """A kernel that fills the last vector of so many lanes of a copy with zeros, where its last axis, which is less
    than one block, ends before: what is multiplied there is not stored, but what memory has in it may be subnormal."""
    *before, last = packing.axes
    rows = [_along(f"p{a.axis}", 0, a.extent) for a in before]
    left = _along(f"p{last.axis}", 0, -last.extent % width) + last.extent
    place = [indices.ZERO, *rows, left]
    store = Store(buffer, indices.flatten(place, packing.shape), Const(0, buffer.dtype))
    return arranged(Nest(name, _variables(place), (), (store,)))


class _Copy(NamedTuple):
    """A copy, with its loops."""

    order: tuple[LoopVar, ...]
    store: Store


def _strips(order: tuple[LoopVar, ...], store: Store) -> list[_Copy]:
    """The loops of a copy in blocks of what lies side by side, strip by strip of a few rows, each from one end to the
    other: block by block, each would bring in a piece of every row, and of every page."""
    found = _block_and_row(order, store)
    if found is None:
        return [_Copy(order, store)]
    block, row, extent = found
    before, inner = [v for v in order[:-1] if v not in found], order[-1]
    count, rest = divmod(extent, STRIP)
    strip, inside, last = LoopVar(f"{row.name}_strip", count), LoopVar(row.name, STRIP), LoopVar(row.name, rest)
    place = indices.of(strip) * STRIP + indices.of(inside)
    parts = [_Copy((*before, strip, block, inside, inner), _at(store, row, place))]
    if rest:
        parts.append(_Copy((*before, block, last, inner), _at(store, row, indices.of(last) + count * STRIP)))
    return parts


def _block_and_row(order: tuple[LoopVar, ...], store: Store) -> tuple[LoopVar, LoopVar, int] | None:
    """The loop over blocks beside each other and that over rows, with how many these are, of a copy that reads rows
    which together do not stay near."""
    load, inner = store.value, order[-1] if order else None
    if inner is None or not isinstance(load, Load) or not all(map(load.offset.affine_in, order)):
        return None
    if load.offset.coefficient(inner) != 1 or store.offset.coefficient(inner) != 1:
        return None
    block = next((v for v in order if load.offset.coefficient(v) == inner.extent and v is not inner), None)
    for row in reversed(order):
        step = load.offset.coefficient(row)
        if row not in (block, inner) and isinstance(step, int) and isinstance(row.extent, int):
            far = row.extent * step * load.dtype.bytes > STAYS_BYTES and row.extent >= 2 * STRIP
            return (block, row, row.extent) if block is not None and far else None
    return None


def _at(store: Store, var: LoopVar, place: Index) -> Store:
    """The store with a variable replaced."""
    found = replace_indices(store, {var: place}, {})
    assert isinstance(found, Store), "a store in another place is one"
    return found


def on_one_thread(statement: Statement) -> Statement:
    """The same statement, which no threads share."""
    return replace(statement, parallel=False) if isinstance(statement, Loop) else statement


def _tested(name: str, operand: Operand, packing: Packing, buffer: Buffer, memory: Memory) -> Kernel:
    """A kernel that tests of each element whether it is within the operand, which sizes that are symbolic need."""
    place = [variable(f"p{axis}", n) for axis, n in enumerate(packing.shape)]
    tested = range(len(operand.shape)) if operand.border is not None or packing.cut else ()
    return arranged(Nest(name, _variables(place), (), (_copy(operand, packing, buffer, memory, place, tested),)))


def _rows_have_ends(operand: Operand, packing: Packing) -> bool:
    """Whether what is beyond the ends of rows is written with these: apart from them, each element of it would take a
    line of the cache for itself."""
    return operand.border is not None and not packing.axes[-1].block


def _copy(
    operand: Operand, packing: Packing, buffer: Buffer, memory: Memory, place: Sequence[Index], tested: Iterable[int]
) -> Store:
    """The copy of the element at a place, which may be beyond the operand along axes that are `tested`."""
    index = packing.index(place)
    element = packing.element(operand.reader(memory), index)
    tests = tuple(Within(index[axis], 0, operand.shape[axis]) for axis in tested)
    element = guard(tests, element, operand.border or Const(0, element.dtype))
    return Store(buffer, indices.flatten(place, packing.shape), element)


def places_of(packing: Packing) -> list[list[Index]]:
    """Places that together are a copy whose sizes are numbers: whole blocks, and what is less than one."""
    return _places(packing, [(0, a.extent) for a in packing.axes])


def _variables(place: Sequence[Index]) -> tuple[LoopVar, ...]:
    return tuple(v for i in place for v in indices.in_order(i.variables()))


def _inside(operand: Operand, packing: Packing) -> list[Range] | None:
    """The part of the copy that is within the operand, along each axis; None where that is not known."""
    found: list[Range] = []
    for a in packing.axes:
        size = operand.shape[a.axis]
        if operand.border is None:
            found.append((0, a.extent))
        elif not isinstance(a.extent, int) or not isinstance(size, int) or not isinstance(a.low, int):
            return None
        else:
            first = min(max(-(a.low // a.step), 0), a.extent)
            found.append((first, max(min((size - 1 - a.low) // a.step + 1, a.extent), first)))
    return found


def _around(inside: Sequence[Range], whole: Sequence[Range]) -> Iterator[list[Range]]:
    """Boxes that together are what is not inside."""
    for axis, ((first, last), (begin, end)) in enumerate(zip(inside, whole, strict=True)):
        for low, high in ((begin, first), (last, end)):
            if not facts.known_at_least(low, high):
                yield [*inside[:axis], (low, high), *whole[axis + 1 :]]


def _places(packing: Packing, box: Sequence[Range]) -> list[list[Index]]:
    """Places of the copy that together are a box of it: whole blocks, and what is less than one."""
    if any(facts.known_at_least(low, high) for low, high in box):
        return []
    parts = [_parts(a, low, high) for a, (low, high) in zip(packing.axes, box, strict=True)]
    return [packing.place(dict(zip(packing.axes, each, strict=True))) for each in itertools.product(*parts)]


def _parts(a: PackedAxis, low: Dim, high: Dim) -> list[tuple[Index, Index]]:
    """Along an axis, the numbers of blocks and the places in them: of whole blocks, and of what is less than one."""
    if not a.block:
        whole = _along(f"p{a.axis}", low, high)
        return [(whole, whole)]
    assert low == 0, "what is cut into blocks has no border"
    count = high // a.block
    rest = high - count * a.block
    parts = [(_along(f"block{a.axis}", 0, count), _along(f"p{a.axis}", 0, a.block))] if count != 0 else []
    return [*parts, (indices.ZERO + count, _along(f"p{a.axis}", 0, rest))] if rest != 0 else parts


def _along(name: str, low: Dim, high: Dim) -> Index:
    return variable(name, high - low) + low
