"""A graph becomes a loop-level program: each fused group a kernel, each stored value a place in a buffer.

    fusion.py                         which nodes share a loop nest
    rows.py, contract.py, single.py   the loop nest of one group
    control.py                        loops and branches around the kernels of a region, and calls of Python
    arena.py, memory.py               where the values in between live
    alike.py                          which groups need no kernels of their own
    kept.py                           what need not be computed in every run
    donate.py                         which results are written over arguments
    parts/split.py                    complex numbers as their real and imaginary parts

The order of kernels is that of the groups. A value lives in memory when another group reads it or the graph gives it
out; every other value exists only inside the kernel that computes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field

from rosin.ir import index as indices
from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.dtypes import bool_, u8
from rosin.ir.graph import Graph, Node
from rosin.ir.literal import Literal, splat
from rosin.ir.loops import Buffer, Const, Load, Scope, Store, Tape
from rosin.ir.op import Fold, Pack, Push, Reader, Routine, Running, Value
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.effect import Host
from rosin.ir.ops.measure import Measure
from rosin.ir.ops.movement import Reshape
from rosin.ir.ops.region import Control
from rosin.ir.printer import numbers, text, value_names
from rosin.ir.sizes import Sizes
from rosin.ir.steps import Nest, Program, RoutineCall, Step
from rosin.ir.types import TensorType
from rosin.passes.ahead import ahead
from rosin.passes.alike import Alike
from rosin.passes.arena import Places, plan_arena
from rosin.passes.blocks import blocked_steps
from rosin.passes.control import control_steps
from rosin.passes.donate import aliases
from rosin.passes.fusion import APART, Fusion
from rosin.passes.groups import Group, variable
from rosin.passes.kept import block_of, kept_values, split_off
from rosin.passes.loop_kernels import Lanes, arrange
from rosin.passes.on_threads import threads
from rosin.passes.parts.split import has_complex, split
from rosin.passes.reads import Means
from rosin.passes.recurring import recurring
from rosin.passes.rows import few_rows, little_product, row_steps
from rosin.passes.running import running_kernels
from rosin.passes.sharing import shared
from rosin.passes.single import pack_kernels, push_steps
from rosin.passes.tapes import TapeRow
from rosin.passes.tiles import TileSize
from rosin.passes.where import Memory, Place

AROUND = Control | Host | Measure
"""What becomes steps around kernels."""
IN_PLACE = Reshape | Barrier
"""What leaves values in memory where they lie."""


def to_loops(
    graph: Graph,
    vector_bytes: int = 32,
    donated: Sequence[int] = (),
    sizes: Sizes | None = None,
    tiles: Mapping[str, TileSize] | None = None,
    kept: Collection[int] = (),
    words: Collection[str] = (),
) -> Program:
    """The loop-level program of a graph without calls.

    `donated` lists inputs that may be written over, and `kept` those that stay the same for many runs.

    `sizes` say where symbolic sizes come from; the facts that hold here (rosin.ir.facts) are those of the graph.
    `tiles` are sizes of tiles for products, by `contraction_key`; one under an empty key is for all others. `words` are
    the element types of which the target multiplies several numbers at a time.

    Raises:
        UnsupportedError: an op has no meaning in loops.
    """
    return lowered(graph, Making(vector_bytes, sizes, tiles or {}, kept, words), donated)


def lowered(graph: Graph, making: Making, donated: Sequence[int] = ()) -> Program:
    """As `to_loops`; `making` tells afterwards what the program was made of."""
    names = value_names(Graph(graph.inputs, (), ()))
    arguments = [making.buffer(names[v], v.type, Scope.ARGUMENT) for v in graph.inputs]
    results = [making.buffer(f"out{i}", v.type, Scope.RESULT) for i, v in enumerate(graph.outputs)]
    places = ([Place(b) for b in arguments], [Place(b) for b in results])
    same = kept_values(graph, making.kept) if making.kept else None
    steps = arrange(ahead(Region(graph, *places, making, same=same).steps(alone=False)), making.lanes)
    setup: tuple[Step, ...] = ()
    if not has_complex(graph):
        steps = recurring(shared(steps))
    # The parts of complex numbers are not known yet, and these have places of their own.
    if making.kept and not has_complex(graph):
        setup, steps = split_off(steps, [arguments[i] for i in making.kept], making.sizes is not None)
    arena = making.arena = plan_arena(steps, setup)
    block, places_kept = None, dict[Buffer, int]()
    if setup:
        places_kept, bytes = block_of(setup, steps)
        block = making.buffer("kept", TensorType(u8, (bytes,)), Scope.ARGUMENT)
    program = Program(
        graph.name,
        steps,
        tuple(arguments),
        tuple(making.constants),
        tuple(results),
        arena.offsets,
        arena.total_bytes,
        making.constants,
        aliases(
            steps,
            {arguments[i]: graph.inputs[i].type for i in donated},
            {b: v.type for b, v in zip(results, graph.outputs, strict=True)},
        ),
        making.tapes,
        arena.slot_of,
        arena.slots,
        making.sizes,
        setup,
        block,
        places_kept,
    )
    return split(program) if has_complex(graph) else program


def contraction_key(graph: Graph) -> str:
    """What is said of a product's graph to tell which tiles suit it."""
    return text(graph, naming=numbers)


@dataclass
class Making:
    """What the regions of one program share while it is made."""

    vector_bytes: int
    sizes: Sizes | None = None
    tiles: Mapping[str, TileSize] = field(default_factory=dict["str", "TileSize"])
    kept: Collection[int] = ()
    """The inputs that stay the same for many runs."""
    words: Collection[str] = ()
    """The element types of which the target multiplies several numbers at a time."""
    measured: set[str] = field(default_factory=set[str])
    """The symbols that steps so far have measured."""
    constants: dict[Buffer, Literal] = field(default_factory=dict["Buffer", "Literal"])
    tapes: dict[Buffer, tuple[Tape, Dim]] = field(default_factory=dict["Buffer", "tuple[Tape, Dim]"])
    """For each buffer on a tape, the tape, and at which byte of each record it is."""
    lanes: dict[Step, Lanes] = field(default_factory=dict["Step", "Lanes"])
    """For each loop of lanes, how these run by themselves."""
    kernels: int = 0
    loops: int = 0
    groups: list[Placed] = field(default_factory=list["Placed"])
    """All groups in the order of their steps, those of inner regions before the group that holds these."""
    arena: Places | None = None

    def next_loop(self) -> int:
        self.loops += 1
        return self.loops - 1

    names: dict[str, int] = field(default_factory=dict["str", "int"])
    """How many buffers were to have each name."""

    def buffer(self, name: str, type: TensorType, scope: Scope) -> Buffer:
        """A buffer for a value of this type; the second one of a name is numbered."""
        return Buffer(self._own(name), type.dtype, type.size, scope)

    def copy(self, buffer: Buffer) -> Buffer:
        """A buffer like the given one."""
        return Buffer(self._own(buffer.name), buffer.dtype, buffer.size, buffer.scope)

    def _own(self, name: str) -> str:
        count = self.names[name] = self.names.get(name, 0) + 1
        return name if count == 1 else f"{name}.{count}"

    def truth(self) -> Buffer:
        """The truth value True in memory."""
        type = TensorType(bool_)
        buffer = self.buffer("true", type, Scope.CONSTANT)
        self.constants[buffer] = splat(True, type)
        return buffer

    def kernel_name(self, ops: Iterable[str]) -> str:
        self.kernels += 1
        return f"k{self.kernels - 1}_" + "_".join(dict.fromkeys(ops))[:48]


@dataclass(frozen=True, slots=True)
class Placed:
    """A group in its region, and what the names of its kernels begin with; those of loops and calls have none."""

    region: Region
    group: Group
    name: str


class Region:
    """One graph on its way: where its values lie, given where its inputs do and where its outputs go."""

    def __init__(
        self,
        graph: Graph,
        inputs: Sequence[Place],
        outputs: Sequence[Place],
        making: Making,
        skip: Collection[int] = (),
        same: Mapping[Value, int] | None = None,
        in_loop: bool = False,
    ) -> None:
        """`skip` lists outputs that are where they belong already; `same` has inputs that stay so for so many steps of
        the loop that the region is in, if it is `in_loop`."""
        self.making = making
        self.fusion = Fusion(graph)
        self.names = value_names(graph)
        self.places: dict[Value, Place] = dict(zip(graph.inputs, inputs, strict=True))
        self.memory = Memory(self.fusion, self.places, same, in_loop)
        self.copies: list[tuple[Value, Place]] = []
        self.tapes: dict[Node, TapeRow] = {}
        """For sweeps whose first leg a `while` has done, what it kept."""
        self.made = {*graph.inputs, *self.fusion.constants}
        """The values that the steps so far have made, inputs and constants."""
        for value, constant in self.fusion.constants.items():
            buffer = making.buffer(self.names[value], value.type, Scope.CONSTANT)
            making.constants[buffer] = constant.value
            self.places[value] = Place(buffer)
        for position, (value, place) in enumerate(zip(graph.outputs, outputs, strict=True)):
            if position in skip:
                continue
            source = self.through_reshapes(value)
            if source in self.fusion.group_of and source not in self.places:
                self.places[source] = place
            else:
                self.copies.append((value, place))
        self._place_what_is_read(graph)

    def _place_what_is_read(self, graph: Graph) -> None:
        """Arena buffers for the values that another group, or a copy, reads."""
        group_of = self.fusion.group_of
        read: set[Value] = set()
        for node, uses in self.fusion.uses_of.items():
            own = self.fusion.group_with(node)
            read.update([r.value for r in uses.reads if group_of.get(r.value) is not own])
        for output, _ in self.copies:
            read |= self.fusion.roots([output])
        for node in graph.nodes:
            for value in node.results:
                if value in read and value in group_of and value not in self.places:
                    self.places[value] = Place(self.making.buffer(self.names[value], value.type, Scope.ARENA))

    def through_reshapes(self, value: Value) -> Value:
        """The value whose memory, as it lies, is also this value's."""
        moves = self.fusion.moves
        while (move := moves.get(value)) is not None and isinstance(move.op, IN_PLACE):
            value = move.operands[move.results.index(value)]
        return value

    # -- steps ---------------------------------------------------------------------------------------------

    def steps(self, alone: bool = True) -> list[Step]:
        """The steps that compute the outputs; outside of loops, groups need not have kernels of their `alone`."""
        alike = None if alone else Alike(self._plain_groups(), self.memory, self.making.copy)
        inputs = set(self.fusion.graph.inputs)
        result: list[Step] = []
        # An input that is given out goes first: afterwards, what lies in its place may be written over.
        early = [c for c in self.copies if inputs >= self.fusion.roots([c[0]]) and not self.fusion.waits([c[0]])]
        for value, place in early:
            result += self.copy(value, place)
        for group in self.fusion.groups:
            node, name = group.nodes[0], ""
            if isinstance(node.op, AROUND):
                result += control_steps(self, node)
            elif isinstance(node.op, Routine):
                result += self._routine(node, node.op)
            elif self._is_stored(group):
                name = self.making.kernel_name(n.op.name for n in group.nodes)
                result += self._group(group, name, alike)
            self.making.groups.append(Placed(self, group, name))
            # Of a group without a place only empty values are made.
            self.made.update(v for n in group.nodes for v in n.results)
        for value, place in self.copies:
            if (value, place) not in early:
                result += self.copy(value, place)
        return result

    def _plain_groups(self) -> list[Group]:
        """The groups that become kernels."""
        return [g for g in self.fusion.groups if not isinstance(g.nodes[0].op, APART) and self._is_stored(g)]

    def _is_stored(self, group: Group) -> bool:
        places = self.places
        return any(v in places for n in group.nodes for v in n.results)

    def _group(self, group: Group, name: str, alike: Alike | None) -> Sequence[Step]:
        if alike is None:
            return self._made(group, name)
        return alike.steps(group, name, lambda: self._made(group, name))

    def _made(self, group: Group, name: str) -> Sequence[Step]:
        node = group.nodes[0]
        if 0 in group.domain and not (isinstance(node.op, Fold) and 0 not in node.results[0].type.shape):
            return []
        if isinstance(node.op, Push):
            return push_steps(group, self.memory, name)
        if isinstance(node.op, Pack):
            return pack_kernels(group, self.memory, name)
        if isinstance(node.op, Running):
            return running_kernels(group, self.memory, name)
        if group.contraction and 0 not in group.domain:
            return little_product(group, self.memory, name) or self._product(group, name)
        return blocked_steps(group, self.memory, name) or row_steps(group, self.memory, name)

    def _product(self, group: Group, name: str) -> Sequence[Step]:
        tiles = self.making.tiles
        size = tiles.get(contraction_key(self.apart(group)), tiles.get("")) if tiles else None
        means = Means(self.making.vector_bytes, size, self.making.words)
        found = None if size else few_rows(group, self.memory, name)
        if found is not None:
            return found
        # Programs without products do not load what makes them.
        from rosin.passes.contractions import contraction_kernels

        return contraction_kernels(group, self.memory, name, means)

    def apart(self, group: Group) -> Graph:
        """What the group computes, as a graph by itself: of the values that it reads, to those that it stores."""
        b = Builder()
        env: dict[Value, Value] = {}

        def needed(value: Value) -> Value:
            if value not in env:
                move = self.fusion.moves.get(value)
                if move is None:
                    env[value] = b.input(value.type)
                else:
                    env.update(zip(move.results, b.copy(move, tuple(map(needed, move.operands))), strict=True))
            return env[value]

        for node in group.nodes:
            env.update(zip(node.results, b.copy(node, tuple(map(needed, node.operands))), strict=True))
        return b.graph([env[v] for node in group.nodes for v in node.results if v in self.places], "group")

    def _routine(self, node: Node, op: Routine) -> list[Step]:
        """A call of a routine of the target, which reads operands and writes results where they lie as a whole.

        It writes all of its results: one that nothing reads goes to a place of its own.
        """
        if all(v not in self.places or 0 in v.type.shape for v in node.results):
            return []
        steps: list[Step] = []
        task = op.task(tuple(v.type for v in node.operands))
        reads = self.stored_all(node.operands, steps)
        writes = [self.places.get(v) or self.arena(self.names[v], v.type) for v in node.results]
        has_room = task.room != 0
        if has_room:
            writes.append(self.arena(f"room_{self.names[node.results[0]]}", TensorType(u8, (task.room,))))
        given, made = (tuple(Load(p.buffer, p.base) for p in places) for places in (reads, writes))
        on_threads = threads(task.work)[0] and task.count != 1
        call = RoutineCall(
            task.name, given, made, task.numbers, task.count, task.work, on_threads, has_room, task.begins
        )
        return [*steps, call]

    # -- places --------------------------------------------------------------------------------------------

    def arena(self, name: str, type: TensorType) -> Place:
        """Room for a value."""
        return Place(self.making.buffer(name, type, Scope.ARENA))

    def stored_all(self, values: Sequence[Value], steps: list[Step]) -> list[Place]:
        """Where values lie for the regions of a node; steps that put there what lies nowhere are added to `steps`."""
        found: list[Place] = []
        for value in values:
            source = self.through_reshapes(value)
            if source in self.places:
                found.append(self.places[source])
            else:
                place = self.arena(self.names[value], value.type)
                steps += self.copy(value, place)
                found.append(place)
        return found

    def inner(
        self,
        graph: Graph,
        inputs: Sequence[Place],
        outputs: Sequence[Place],
        skip: Collection[int] = (),
        same: Mapping[Value, int] | None = None,
        in_loop: bool = False,
    ) -> list[Step]:
        """The steps of a region of a node of this one; see `__init__`."""
        in_loop = in_loop or self.memory.in_loop
        return Region(graph, inputs, outputs, self.making, skip, same, in_loop).steps()

    def copy(self, value: Value, place: Place) -> list[Step]:
        """A nest that writes a value that is read through moves, or lies elsewhere, to a place."""
        return self._copied(value.type, self.memory.read(value), place)

    def transfer(self, type: TensorType, source: Place, target: Place) -> list[Step]:
        """A nest that copies a value of this type from one place to another."""
        shape = type.shape
        return self._copied(type, lambda i: Load(source.buffer, source.base + indices.flatten(i, shape)), target)

    def zeros(self, type: TensorType, place: Place) -> list[Step]:
        """A nest that writes zeros for a value of this type to a place."""
        return self._copied(type, lambda i: Const(type.dtype.numpy.type(0).item(), type.dtype), place)

    def _copied(self, type: TensorType, read: Reader, target: Place) -> list[Step]:
        shape = type.shape
        if 0 in shape:
            return []
        index = tuple(variable(f"i{axis}", n) for axis, n in enumerate(shape))
        store = Store(target.buffer, target.base + indices.flatten(index, shape), read(index))
        variables = tuple(v for position in index for v in position.variables())
        return [Nest(f"copy_{target.buffer.name}", variables, (), (store,), flops=0)]
