"""A graph becomes a loop-level program: each fused group a kernel, each stored value a buffer.

    Fusion (rosin.passes.fusion)      which nodes share a loop nest
    rows.py, contract.py, single.py   the loop nest of one group
    memory.py                         where the values in between live

The order of kernels is that of the groups. A value lives in memory when another group reads it or the graph gives it
out; every other value exists only inside the kernel that computes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from rosin.ir import index as indices
from rosin.ir.graph import Graph
from rosin.ir.loops import Buffer, Kernel, Program, Scope, Store
from rosin.ir.op import Fold, Push, Running, Value, elements
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.movement import Reshape
from rosin.ir.printer import value_names
from rosin.passes import memory
from rosin.passes.contract import contraction_kernels
from rosin.passes.donate import aliases
from rosin.passes.fusion import Fusion, Group, variable
from rosin.passes.nest import Memory, Nest
from rosin.passes.rows import row_kernels
from rosin.passes.single import push_kernels, running_kernels


def to_loops(graph: Graph, vector_bytes: int = 32, donated: Sequence[int] = ()) -> Program:
    """The loop-level program of a graph without calls; `donated` lists inputs that may be written over.

    Raises:
        UnsupportedError: an op has no meaning in loops.
        ValueError: a size is symbolic.
    """
    fusion = Fusion(graph)
    storage = _Storage(graph, fusion)
    kernels: list[Kernel] = []
    for group in fusion.groups:
        if not any(v in storage.memory.buffers for n in group.nodes for v in n.results):
            continue  # Only empty values are made from it.
        kernels += _lower(group, storage.memory, len(kernels), vector_bytes)
    for value, buffer in storage.copies:
        if buffer.size:
            kernels.append(_copy(value, buffer, storage.memory))
    return storage.program(graph, kernels, donated)


def _lower(group: Group, memory: Memory, number: int, vector_bytes: int) -> list[Kernel]:
    op = group.nodes[0].op
    name = f"k{number}_" + "_".join(dict.fromkeys(n.op.name for n in group.nodes))[:48]
    if 0 in group.domain and not (isinstance(op, Fold) and 0 not in group.nodes[0].results[0].type.sizes):
        return []
    if isinstance(op, Push):
        return push_kernels(group, memory, name)
    if isinstance(op, Running):
        return running_kernels(group, memory, name)
    if group.contraction and 0 not in group.domain:
        return contraction_kernels(group, memory, name, vector_bytes)
    return row_kernels(group, memory, name)


class _Storage:
    """The buffer of every value that lives in memory, called as the value is in the text of the graph."""

    def __init__(self, graph: Graph, fusion: Fusion) -> None:
        self.arguments: list[Buffer] = []
        self.results: list[Buffer] = []
        self.constants: list[Buffer] = []
        self.copies: list[tuple[Value, Buffer]] = []
        buffers: dict[Value, Buffer] = {}
        names = value_names(graph)
        for value in graph.inputs:
            buffer = _buffer(names[value], value, Scope.ARGUMENT)
            self.arguments.append(buffer)
            buffers[value] = buffer
        for value in fusion.constants:
            buffer = _buffer(names[value], value, Scope.CONSTANT)
            self.constants.append(buffer)
            buffers[value] = buffer
        for position, value in enumerate(graph.outputs):
            buffer = _buffer(f"out{position}", value, Scope.RESULT)
            self.results.append(buffer)
            source = _through_reshapes(value, fusion)
            if source in fusion.group_of and source not in buffers:
                buffers[source] = buffer
            else:
                self.copies.append((value, buffer))
        needed = {
            r.value for n, u in fusion.uses_of.items() for r in u.reads if _crosses(fusion, r.value, n.results[0])
        }
        for output, _ in self.copies:
            needed |= fusion.roots([output])
        for node in graph.nodes:
            for value in node.results:
                if value in needed and value not in buffers and value in fusion.group_of:
                    buffers[value] = _buffer(names[value], value, Scope.ARENA)
        self.memory = Memory(fusion, buffers)

    def program(self, graph: Graph, kernels: list[Kernel], donated: Sequence[int]) -> Program:
        first: dict[Buffer, int] = {}
        last: dict[Buffer, int] = {}
        for position, kernel in enumerate(kernels):
            for buffer in kernel.buffers:
                if buffer.scope is Scope.ARENA:
                    first.setdefault(buffer, position)
                    last[buffer] = position
        live = list(first)
        plan = memory.plan([memory.Lifetime(b.bytes, first[b], last[b]) for b in live])
        arena = dict(zip(live, plan.offsets, strict=True))
        data = {self.memory.buffers[v]: op.value for v, op in self.memory.fusion.constants.items()}
        return Program(
            graph.name,
            tuple(kernels),
            tuple(self.arguments),
            tuple(self.constants),
            tuple(self.results),
            arena,
            plan.total_bytes,
            data,
            aliases(kernels, [self.arguments[i] for i in donated], self.results),
        )


def _buffer(name: str, value: Value, scope: Scope) -> Buffer:
    return Buffer(name, value.type.dtype, elements(value.type), scope)


def _crosses(fusion: Fusion, value: Value, reader: Value) -> bool:
    """Whether a read by the node of `reader` needs the value in memory."""
    group = fusion.group_of.get(value)
    return group is not None and group is not fusion.group_of.get(reader)


def _through_reshapes(value: Value, fusion: Fusion) -> Value:
    """The value whose memory, as it lies, is also this value's."""
    while (move := fusion.moves.get(value)) is not None and isinstance(move.op, Reshape | Barrier):
        value = move.operands[move.results.index(value)]
    return value


def _copy(value: Value, target: Buffer, memory: Memory) -> Kernel:
    """A kernel that writes a value that is read through moves, or stored elsewhere, to a buffer."""
    shape = value.type.sizes
    place = tuple(variable(f"i{axis}", n) for axis, n in enumerate(shape))
    expr = memory.read(value)(place)
    store = Store(target, indices.flatten(place, shape), expr)
    variables = [v for index in place for v in index.variables()]
    return Nest(variables, [], [store]).kernel(f"copy_{target.name}")
