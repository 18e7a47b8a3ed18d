"""Groups that are alike, as those of equal layers are: they become the kernels of the first one, on other buffers.

What the kernels of a group look like follows from its *shape*: its ops, how these read each other and memory, and the
types. Which buffers they touch does not matter, only which of them are the same; nor do the numbers that floats are
combined with, a rate or a scale. So a group of a known shape needs no kernels of its own, and a program of a hundred
equal layers costs, from here on, what one layer does. Numbers in which groups of one shape differ are given to their
kernels like buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from rosin.ir.graph import Node
from rosin.ir.literal import Literal
from rosin.ir.loops import Buffer, Load, Local, Scope
from rosin.ir.op import Elementwise, Value
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.movement import Constant
from rosin.ir.steps import Again, Branch, Either, Kernel, Step, kernels
from rosin.passes.cse import attributes
from rosin.passes.groups import Group
from rosin.passes.loop_kernels import arrange
from rosin.passes.where import Memory

ANYWHERE = (Scope.ARGUMENT, Scope.RESULT, Scope.ARENA)
"""The scopes of buffers in whose places others may be."""

Copy = Callable[[Buffer], Buffer]
"""A buffer like the given one."""


class Alike:
    """The shapes of a program's groups, and what those of each shape become."""

    def __init__(self, groups: Sequence[Group], memory: Memory, copy: Copy) -> None:
        self.memory = memory
        self.copy = copy
        self.shapes = {group: _Shape(group, memory) for group in groups}
        self.first: dict[Group, Group] = {}
        """For each group the first one of its shape."""
        self.differing: dict[Group, set[int]] = {}
        """For the first group of each shape, which of its numbers are not the same in all others."""
        known: dict[Hashable, Group] = {}
        for group, shape in self.shapes.items():
            first = self.first[group] = known.setdefault(shape.key, group)
            pairs = enumerate(zip(self.shapes[first].numbers, shape.numbers, strict=True))
            self.differing.setdefault(first, set()).update(k for k, (a, b) in pairs if a is not b and a != b)
        self.made: dict[Group, _Made] = {}

    def steps(self, group: Group, name: str, make: Callable[[], Sequence[Step]]) -> list[Step]:
        """The steps of a group, which `make` gives where they are the first of their shape."""
        shape = self.shapes[group]
        if self.first[group] is not group:
            return self.made[self.first[group]].again(name, shape, self.copy)
        locals = {k: Local(f"number{k}", shape.numbers[k].type.dtype) for k in sorted(self.differing[group])}
        given = self.memory.fusion.given
        given.update((shape.constants[k], local) for k, local in locals.items())
        numbers = {local: shape.numbers[k] for k, local in locals.items()}
        steps = list(arrange(make(), {}))
        if numbers:
            steps = [_with_numbers(step, numbers) for step in steps]
        given.clear()
        self.made[group] = _Made(name, shape, steps, locals)
        return steps


def _with_numbers(step: Step, numbers: Mapping[Local, Literal]) -> Step:
    match step:
        case Kernel():
            return replace(step, numbers=numbers)
        case Either(size, most, small, large):
            both = (tuple(_with_numbers(s, numbers) for s in steps) for steps in (small, large))
            return Either(size, most, *both)
        case Branch(index, branches):
            return Branch(index, tuple(tuple(_with_numbers(s, numbers) for s in steps) for steps in branches))
        case _:
            raise AssertionError("a group becomes kernels, and choices between kernels")


class _Made:
    """The steps that the first group of a shape has become; `locals` stand for the numbers that differ."""

    def __init__(self, name: str, shape: _Shape, steps: Sequence[Step], locals: Mapping[int, Local]) -> None:
        self.name = name
        self.buffers = shape.buffers
        self.steps = steps
        self.locals = locals

    @cached_property
    def own(self) -> list[Buffer]:
        """What the steps hand from one to the next, packed operands for instance."""
        used = dict.fromkeys(b for kernel in kernels(self.steps) for b in kernel.buffers)
        return [b for b in used if b.scope in ANYWHERE and b not in set(self.buffers)]

    def again(self, name: str, shape: _Shape, copy: Copy) -> list[Step]:
        """The steps on the buffers of another group of the shape."""
        places = dict(zip(self.buffers, shape.buffers, strict=True))
        places.update((b, copy(b)) for b in self.own)
        numbers = {local: shape.numbers[k] for k, local in self.locals.items()}

        def repeated(step: Step) -> Step:
            match step:
                case Kernel():
                    here = {b: places.get(b, b) for b in step.buffers}
                    return Again(name + step.name.removeprefix(self.name), step, here, numbers)
                case Either(size, most, small, large):
                    return Either(size, most, tuple(map(repeated, small)), tuple(map(repeated, large)))
                case Branch(Load(buffer, at), branches):
                    index = Load(places.get(buffer, buffer), at)
                    return Branch(index, tuple(tuple(map(repeated, steps)) for steps in branches))
                case _:
                    raise AssertionError("a group becomes kernels, and choices between kernels")

        return [repeated(step) for step in self.steps]


class _Shape:
    """All that the kernels of a group depend on, with numbers for the buffers and the constants in it."""

    def __init__(self, group: Group, memory: Memory) -> None:
        self.memory = memory
        self.known: dict[Value, Hashable] = {}
        """How each value is told apart: by its number among those of the group, by its move, or by its place."""
        self.found: dict[Buffer, int] = {}
        self.moves: dict[Hashable, int] = {}
        self.splats: dict[Value, Constant] = {}
        self.fixed: set[Value] = set()
        """Values that may decide what kernels look like, constants among them."""
        nodes = tuple(self._node(group, node) for node in group.nodes)
        constants = tuple(self._number(value, op) for value, op in self.splats.items())
        self.key: Hashable = (group.domain, group.reduced, group.contraction, nodes, tuple(self.moves), constants)

    @property
    def buffers(self) -> list[Buffer]:
        """The buffers in the order of their numbers."""
        return list(self.found)

    @property
    def constants(self) -> list[Value]:
        """The constants in the order of their numbers."""
        return list(self.splats)

    @property
    def numbers(self) -> list[Literal]:
        """What they are."""
        return [op.value for op in self.splats.values()]

    def _node(self, group: Group, node: Node) -> Hashable:
        operands = tuple(map(self._operand, node.operands))
        if not isinstance(node.op, Elementwise):
            self._fix(node.operands)
        results = tuple((v.type, group.axes[v], self._place(v)) for v in node.results)
        for value in node.results:
            self.known[value] = ("computed", len(self.known))
        return attributes(node.op), operands, results, group.folded.get(node), group.across.get(node)

    def _operand(self, value: Value) -> Hashable:
        found = self.known.get(value)
        if found is None:
            found = self.known[value] = self._source(value)
        return found

    def _source(self, value: Value) -> Hashable:
        """Where a value comes from that no node of the group has computed."""
        fusion = self.memory.fusion
        if value in fusion.of_sizes:
            return "sizes", fusion.of_sizes[value][0]
        move = fusion.moves.get(value)
        if move is None:
            return "stored", value.type, self._place(value), self.memory.same_for(value)
        if isinstance(move.op, Barrier):
            return self._operand(move.operands[move.results.index(value)])
        if isinstance(move.op, Constant):
            self.splats[value] = move.op
            return "constant", len(self.splats)
        key = (attributes(move.op), tuple(map(self._operand, move.operands)), value.type)
        if len(move.operands) > 1:
            self._fix(move.operands)
        return "moved", self.moves.setdefault(key, len(self.moves))

    def _fix(self, values: Sequence[Value]) -> None:
        """Keep the constants that values come from: what reads them may look at what they are."""
        for value in values:
            move = self.memory.fusion.moves.get(value)
            if move is not None and value not in self.fixed:
                self.fixed.add(value)
                self._fix(move.operands)

    def _number(self, value: Value, op: Constant) -> Hashable:
        """What is said of a constant: what it is, if that matters, and else of which type."""
        varies = value.type.dtype.is_float and value not in self.fixed
        return value.type if varies else attributes(op)

    def _place(self, value: Value) -> Hashable:
        """Where a value lies; None for one that lies nowhere."""
        if value not in self.memory:
            return None
        place = self.memory.places[value]
        if place.buffer.scope not in ANYWHERE:
            return place
        return self.found.setdefault(place.buffer, len(self.found)), place.base
