"""Groups that are alike, as those of equal layers are: they become the kernels of the first one, on other buffers.

What the kernels of a group look like follows from its *shape*: its ops, how these read each other and memory, and the
types. Which buffers they touch does not matter, only which of them are the same. So a group of a known shape needs no
kernels of its own, and a program of a hundred equal layers costs, from here on, what one layer does.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from rosin.ir.graph import Node
from rosin.ir.loops import Again, Buffer, Either, Kernel, Scope, Step, kernels
from rosin.ir.op import Value
from rosin.ir.ops.call import Barrier
from rosin.passes.cse import attributes
from rosin.passes.fusion import Group
from rosin.passes.loop_kernels import arrange
from rosin.passes.nest import Memory

ANYWHERE = (Scope.ARGUMENT, Scope.RESULT, Scope.ARENA)
"""The scopes of buffers in whose places others may be."""

Copy = Callable[[Buffer], Buffer]
"""A buffer like the given one."""


class Alike:
    """The shapes that a program's groups have had so far, and what these have become."""

    def __init__(self, copy: Copy) -> None:
        self.copy = copy
        self.known: dict[Hashable, _Made] = {}

    def steps(self, group: Group, memory: Memory, name: str, make: Callable[[], Sequence[Step]]) -> list[Step]:
        """The steps of a group, which `make` gives where its shape is new."""
        shape = _Shape(group, memory)
        made = self.known.get(shape.key)
        if made is None:
            steps = arrange(make())
            self.known[shape.key] = _Made(name, shape.buffers, steps)
            return list(steps)
        return made.again(name, shape.buffers, self.copy)


class _Made:
    """The steps that the first group of a shape has become."""

    def __init__(self, name: str, buffers: Sequence[Buffer], steps: Sequence[Step]) -> None:
        self.name = name
        self.buffers = buffers
        self.steps = steps
        used = dict.fromkeys(b for kernel in kernels(steps) for b in kernel.buffers)
        self.own = [b for b in used if b.scope in ANYWHERE and b not in set(buffers)]
        """What the steps hand from one to the next, packed operands for instance."""

    def again(self, name: str, buffers: Sequence[Buffer], copy: Copy) -> list[Step]:
        """The steps on other buffers."""
        places = dict(zip(self.buffers, buffers, strict=True))
        places.update((b, copy(b)) for b in self.own)

        def repeated(step: Step) -> Step:
            match step:
                case Kernel():
                    here = {b: places.get(b, b) for b in step.buffers}
                    return Again(name + step.name.removeprefix(self.name), step, here)
                case Either(size, most, small, large):
                    return Either(size, most, tuple(map(repeated, small)), tuple(map(repeated, large)))
                case _:
                    raise AssertionError("a group becomes kernels, and choices between kernels")

        return [repeated(step) for step in self.steps]


class _Shape:
    """All that the kernels of a group depend on, with numbers for the buffers that they touch."""

    def __init__(self, group: Group, memory: Memory) -> None:
        self.memory = memory
        self.numbers: dict[Value, Hashable] = {}
        """How each value is told apart: by its number among those of the group, by its move, or by its place."""
        self.found: dict[Buffer, int] = {}
        self.moves: dict[Hashable, int] = {}
        nodes = tuple(self._node(group, node) for node in group.nodes)
        self.key: Hashable = (group.domain, group.reduced, group.contraction, nodes, tuple(self.moves))

    @property
    def buffers(self) -> list[Buffer]:
        """The buffers in the order of their numbers."""
        return list(self.found)

    def _node(self, group: Group, node: Node) -> Hashable:
        operands = tuple(map(self._operand, node.operands))
        results = tuple((v.type, group.axes[v], self._place(v)) for v in node.results)
        for value in node.results:
            self.numbers[value] = ("computed", len(self.numbers))
        return attributes(node.op), operands, results, group.folded.get(node)

    def _operand(self, value: Value) -> Hashable:
        found = self.numbers.get(value)
        if found is None:
            found = self.numbers[value] = self._source(value)
        return found

    def _source(self, value: Value) -> Hashable:
        """Where a value comes from that no node of the group has computed."""
        move = self.memory.fusion.moves.get(value)
        if move is None:
            return "stored", value.type, self._place(value)
        if isinstance(move.op, Barrier):
            return self._operand(move.operands[move.results.index(value)])
        key = (attributes(move.op), tuple(map(self._operand, move.operands)), value.type)
        return "moved", self.moves.setdefault(key, len(self.moves))

    def _place(self, value: Value) -> Hashable:
        """Where a value lies; None for one that lies nowhere."""
        if value not in self.memory:
            return None
        place = self.memory.places[value]
        if place.buffer.scope not in ANYWHERE:
            return place
        return self.found.setdefault(place.buffer, len(self.found)), place.base
