"""Packed operands of contractions: copies in which elements lie as the vectors of a tile want them, border included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import gcd

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Const, Expr, Load, Loop, Statement, Store, Within, guard
from rosin.ir.op import Value
from rosin.ir.statements import used_buffers
from rosin.ir.steps import Kernel, Nest
from rosin.passes.fusion import variable
from rosin.passes.nest import Memory, arranged

PACK_COST = 0.7
"""Machine steps to copy one element of an operand."""


@dataclass(frozen=True)
class Operand:
    """How the term reads one operand: the index along each of its axes, where that is in memory, and the number read
    beyond its border."""

    value: Value
    index: tuple[Index, ...]
    offset: Index
    tests: tuple[Within, ...] = ()
    border: Const | None = None

    @staticmethod
    def at(
        memory: Memory,
        value: Value,
        index: tuple[Index, ...],
        tests: tuple[Within, ...] = (),
        border: Const | None = None,
    ) -> Operand:
        """The operand at an index. What is computed on the way from memory counts as lying there as its type says."""
        read = memory.read(value)(index)
        offset = read.offset if isinstance(read, Load) else indices.flatten(index, value.type.shape)
        return Operand(value, index, offset, tests, border)

    def step(self, var: LoopVar) -> Dim | None:
        """How far the read moves in memory with a step of the variable; None where that is not one number."""
        return self.offset.coefficient(var) if self.offset.affine_in(var) else None

    def runs_along(self, var: LoopVar) -> bool:
        """Whether neighbours along a variable lie side by side in memory, if only in pieces, as those of heads do."""
        if self.offset.affine_in(var):
            return self.offset.coefficient(var) == 1
        place = indices.flatten(self.index, self.value.type.shape)
        return place.affine_in(var) and place.coefficient(var) == 1

    def packing(self, var: LoopVar | None, block: int) -> Packing | None:
        """The packed form in which neighbours along `var` lie side by side; None where there is none.

        Where an axis is `var` alone, blocks of `block` neighbours, if that is not 0, lie apart, each with all of the
        other axes: what a tile reads is one piece of memory then.
        """
        moving = [axis for axis, i in enumerate(self.index) if var is not None and var in i.variables()]
        if len(moving) > 1 or (moving and var is not None and self.index[moving[0]].coefficient(var) != 1):
            return None
        if any(not isinstance(atom, LoopVar) for i in self.index for atom, _ in i.terms):
            return None
        inside = {Within(i, 0, n) for i, n in zip(self.index, self.value.type.shape, strict=True)}
        if any(test not in inside for test in self.tests):
            return None
        order = [axis for axis in range(len(self.index)) if axis not in moving] + moving
        low: list[Dim] = []
        extent: list[Dim] = []
        steps = tuple(_common_step(self.index[axis]) for axis in order)
        for axis, step in zip(order, steps, strict=True):
            least, most = self.index[axis].bounds()
            if least is None or most is None:
                return None
            low.append(least)
            extent.append((most - least) // step + 1)
        alone = bool(moving) and var is not None and self.index[moving[0]] == indices.of(var)
        blocked = block != 0 and alone and not facts.known_at_least(block, extent[-1])
        return Packing(tuple(order), tuple(low), steps, tuple(extent), block if blocked else 0)


@dataclass(frozen=True)
class Packing:
    """A copy of an operand: its axes in this order, each from `low` on, every `step`-th, for `extent` elements.

    With `block`, the last axis is cut into blocks of so many elements, and the number of the block comes first.
    """

    order: tuple[int, ...]
    low: tuple[Dim, ...]
    step: tuple[int, ...]
    extent: tuple[Dim, ...]
    block: int = 0

    @property
    def shape(self) -> tuple[Dim, ...]:
        """The shape of the copy."""
        if not self.block:
            return self.extent
        return (-(-self.extent[-1] // self.block), *self.extent[:-1], self.block)

    @property
    def size(self) -> Dim:
        return dims.product(self.shape)

    @property
    def cost(self) -> float:
        """Machine steps to make it."""
        return facts.estimate(self.size) * PACK_COST

    def offset(self, index: tuple[Index, ...]) -> Index:
        """Where the element at the operand's `index` lies in the copy."""
        axes = zip(self.order, self.low, self.step, strict=True)
        place = [(index[axis] - low) // step for axis, low, step in axes]
        if self.block:
            place = [place[-1] // self.block, *place[:-1], place[-1] % self.block]
        return indices.flatten(place, self.shape)

    def index(self, place: Sequence[Index]) -> tuple[Index, ...]:
        """The operand's index of the element at a place of the copy."""
        along = [*place[1:-1], place[0] * self.block + place[-1]] if self.block else list(place)
        found: list[Index] = [indices.ZERO] * len(self.order)
        for axis, position, low, step in zip(self.order, along, self.low, self.step, strict=True):
            found[axis] = position * step + low
        return tuple(found)


def _common_step(index: Index) -> int:
    """The greatest number by which all steps of an index can be divided."""
    steps = [step for _, step in index.terms]
    numbers = [step for step in steps if isinstance(step, int)]
    return max(gcd(*numbers), 1) if len(numbers) == len(steps) else 1


# -- kernels -------------------------------------------------------------------------------------------------------

Range = tuple[int, int]
"""From where on, and before where to stop."""


def packing_kernels(name: str, operand: Operand, packing: Packing, buffer: Buffer, memory: Memory) -> list[Kernel]:
    """Kernels that copy an operand to its packed form: one for what is within the operand, one for its border."""
    inside = _inside(operand, packing)
    if inside is None:
        return [_tested(name, operand, packing, buffer, memory)]
    whole = [(0, n) for n in packing.extent if isinstance(n, int)]
    copies = [
        Nest(f"{name}_{i}" if i else name, _variables(place), (), (_copy(operand, packing, buffer, memory, place),))
        for i, place in enumerate(_places(packing, inside))
    ]
    around: list[Statement] = []
    for box in _around(inside, whole):
        for place in _places(packing, box):
            assert operand.border is not None
            fill = Store(buffer, indices.flatten(place, packing.shape), operand.border)
            around += map(_on_one_thread, arranged(Nest(name, _variables(place), (), (fill,))).body)
    kernels = [arranged(nest) for nest in copies]
    return [*kernels, Kernel(f"{name}_border", used_buffers(around), tuple(around))] if around else kernels


def _on_one_thread(statement: Statement) -> Statement:
    return replace(statement, parallel=False) if isinstance(statement, Loop) else statement


def _tested(name: str, operand: Operand, packing: Packing, buffer: Buffer, memory: Memory) -> Kernel:
    """A kernel that tests of each element whether it is within the operand, which sizes that are symbolic need."""
    place = [variable(f"p{axis}", n) for axis, n in enumerate(packing.shape)]
    store = _copy(operand, packing, buffer, memory, place)
    if operand.border is not None or packing.block:
        tests = tuple(Within(i, 0, n) for i, n in zip(packing.index(place), operand.value.type.shape, strict=True))
        store = Store(buffer, store.offset, guard(tests, store.value, operand.border or Const(0, store.value.dtype)))
    return arranged(Nest(name, _variables(place), (), (store,)))


def _copy(operand: Operand, packing: Packing, buffer: Buffer, memory: Memory, place: Sequence[Index]) -> Store:
    element: Expr = memory.read(operand.value)(packing.index(place))
    return Store(buffer, indices.flatten(place, packing.shape), element)


def _variables(place: Sequence[Index]) -> tuple[LoopVar, ...]:
    return tuple(v for i in place for v in i.variables())


def _inside(operand: Operand, packing: Packing) -> list[Range] | None:
    """The part of the copy that is within the operand, along each axis; None where that is not known."""
    if not all(isinstance(n, int) for n in packing.extent):
        return None
    found: list[Range] = []
    for axis, low, step, extent in zip(packing.order, packing.low, packing.step, packing.extent, strict=True):
        size = operand.value.type.shape[axis]
        assert isinstance(extent, int)
        if operand.border is None:
            found.append((0, extent))
        elif not isinstance(size, int) or not isinstance(low, int):
            return None
        else:
            first = min(max(-(low // step), 0), extent)
            found.append((first, max(min((size - 1 - low) // step + 1, extent), first)))
    return found


def _around(inside: Sequence[Range], whole: Sequence[Range]) -> Iterator[list[Range]]:
    """Boxes that together are what is not inside."""
    for axis, ((first, last), (begin, end)) in enumerate(zip(inside, whole, strict=True)):
        for low, high in ((begin, first), (last, end)):
            if low < high:
                yield [*inside[:axis], (low, high), *whole[axis + 1 :]]


def _places(packing: Packing, box: Sequence[Range]) -> list[list[Index]]:
    """Places of the copy that together are a box of it: whole blocks, and what is less than one."""
    if any(low >= high for low, high in box):
        return []
    along = [_along(f"p{axis}", low, high) for axis, (low, high) in enumerate(box)]
    if not packing.block:
        return [along]
    (low, high), block = box[-1], packing.block
    assert low == 0, "what is cut into blocks has no border"
    parts = [
        (_along("block", 0, high // block), _along("p", 0, block)),
        (Index(high // block), _along("p", 0, high % block)),
    ]
    counts = (high // block, high % block)
    return [[number, *along[:-1], rest] for (number, rest), count in zip(parts, counts, strict=True) if count]


def _along(name: str, low: int, high: int) -> Index:
    return variable(name, high - low) + low
