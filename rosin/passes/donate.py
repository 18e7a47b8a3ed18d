"""Which results may be written over donated arguments.

A result takes the memory of a donated argument of its type when nothing reads the argument after the result is
written: all its reads are in earlier kernels, or in the kernel that writes the result and there each element is read
before that same element is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from rosin.ir.index import LoopVar
from rosin.ir.loops import Buffer, Expr, Load, Statement, Store, blocks, values, walk
from rosin.ir.statements import nested, statements_of
from rosin.ir.steps import Again, Inner, Kernel, Nest, Step, decides, innermost, parts
from rosin.ir.types import TensorType


def aliases(
    steps: tuple[Step, ...], donated: Mapping[Buffer, TensorType], results: Mapping[Buffer, TensorType]
) -> dict[Buffer, Buffer]:
    """The donated argument whose memory each result takes, for the results that take one."""
    if not donated:
        return {}
    uses = Uses(steps)
    found: dict[Buffer, Buffer] = {}
    for result, type in results.items():
        for argument, own in donated.items():
            if own == type and argument not in found.values() and uses.may_share(argument, result):
                found[result] = argument
                break
    return found


class Uses:
    """When buffers are read and written. What happens in a loop or a branch takes as long as that does."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.reads: dict[Buffer, tuple[int, Kernel | Nest | Again | None]] = {}
        """The last moment at which each buffer is read, and the kernel that reads it, where it runs once."""
        self.writes: dict[Buffer, tuple[int, Kernel | Nest | Again | None]] = {}
        """The first moment at which each buffer is written, likewise."""
        self.now = 0
        self._known: dict[Kernel | Nest, _Touched] = {}
        for step in steps:
            self._visit(step)

    def _visit(self, step: Step) -> None:
        if isinstance(step, Kernel | Nest | Again):
            self.now += 1
            self._note(step, self.now, self.now, step)
            return
        first = self.now + 1
        inside = list(innermost((step,)))
        self.now += max(len(inside), 1)
        for load in _deciding(step):
            self.reads[load.buffer] = (self.now, None)
        for part in inside:
            if isinstance(part, Kernel | Nest | Again):
                self._note(part, first, self.now, None)
                continue
            self.reads.update((load.buffer, (self.now, None)) for load in part.reads)
            for load in part.writes:
                self.writes.setdefault(load.buffer, (first, None))

    def _note(self, leaf: Kernel | Nest | Again, first: int, last: int, once: Kernel | Nest | Again | None) -> None:
        kernel = leaf.kernel if isinstance(leaf, Again) else leaf
        touched = self._known.get(kernel)
        if touched is None:
            touched = self._known[kernel] = _Touched(kernel)

        def here(buffer: Buffer) -> Buffer:
            return leaf.places[buffer] if isinstance(leaf, Again) else buffer

        self.reads.update((here(buffer), (last, None)) for buffer in touched.deciding)
        self.reads.update((here(buffer), (last, once)) for buffer in touched.read)
        for buffer in touched.written:
            self.writes.setdefault(here(buffer), (first, once))

    def may_share(self, argument: Buffer, result: Buffer) -> bool:
        """Whether nothing reads the argument's old contents once the result is written in their place."""
        if result not in self.writes:
            return False
        written, writer = self.writes[result]
        read, reader = self.reads.get(argument, (0, None))
        if read < written:
            return True
        if reader is None or reader is not writer:
            return False
        if isinstance(reader, Again):
            own = {there: here for here, there in reader.places.items()}
            return _in_place(reader.kernel, own[argument], own[result])
        return _in_place(reader, argument, result)


class _Touched:
    """The buffers that a kernel reads to know how it goes on, what else it reads, and what it writes."""

    def __init__(self, kernel: Kernel | Nest) -> None:
        # Scratch is nobody else's, and has no place elsewhere when the kernel comes again.
        own, plain = set(kernel.scratch), [statement for _, statement in _plain(kernel.body)]
        self.deciding = {load.buffer for s in nested(statements_of(kernel)) for load in decides(s)} - own
        self.read = {e.buffer for s in plain for top in _tops(s) for e in walk(top) if isinstance(e, Load)} - own
        self.written = {s.buffer for s in plain if isinstance(s, Store)} - own


def _deciding(step: Step) -> list[Load]:
    """What a step, or one inside of it, reads to know how it goes on."""
    return [*decides(step), *(load for inside in parts(step) for s in inside for load in _deciding(s))]


def _in_place(kernel: Kernel | Nest, argument: Buffer, result: Buffer) -> bool:
    """Whether the kernel writes each element once, next to its only reads, which come first."""
    stores = [(block, s) for block, s in _stores(kernel.body) if s.buffer is result]
    if len(stores) > 1:
        return _each_in_place(kernel, argument, [s for _, s in stores])
    if not stores:
        return False
    home, store = stores[0]
    after = False
    for block, statement in _plain(kernel.body):
        loads = _loads(statement, argument)
        if loads and (block is not home or any(load.offset != store.offset for load in loads)):
            return False
        # A read that the store needs too is done by then, if it is the very same one and so is kept in a register; any
        # other one after the store would see the new value, and what an index reads is read once more for it.
        if after and not {id(load) for load in loads} <= {id(load) for load in _loads(store, argument)}:
            return False
        if after and _is_read_for_index(statement, argument):
            return False
        after = after or statement is store
    return True


def _each_in_place(kernel: Kernel | Nest, argument: Buffer, stores: Sequence[Store]) -> bool:
    """Whether each of several stores, as an unrolled tile has them, reads the one element that it writes, and nothing
    else reads any: at offsets that are affine in loop variables, no two of which are the same."""
    offsets = {s.offset for s in stores}
    if len(offsets) != len(stores) or not all(isinstance(atom, LoopVar) for o in offsets for atom, _ in o.terms):
        return False
    own = {id(s): s.offset for s in stores}
    for _, statement in _plain(kernel.body):
        loads = _loads(statement, argument)
        if any(load.offset != own.get(id(statement)) for load in loads) or _is_read_for_index(statement, argument):
            return False
    return True


Block: TypeAlias = "Sequence[Statement | Inner]"


def _plain(block: Block) -> Iterator[tuple[Block, Statement]]:
    """Every statement in which there are no others, with the list it stands in."""
    for statement in block:
        inside = (statement.body,) if isinstance(statement, Inner) else blocks(statement)
        for inner in inside:
            yield from _plain(inner)
        if not inside and not isinstance(statement, Inner):
            yield block, statement


def _stores(block: Block) -> Iterator[tuple[Block, Store]]:
    return ((home, s) for home, s in _plain(block) if isinstance(s, Store))


def _tops(statement: Statement) -> tuple[Expr, ...]:
    dynamic = statement.offset.dynamics() if isinstance(statement, Store) else ()
    return (*values(statement), *(atom.value for atom in dynamic))


def _is_read_for_index(statement: Statement, buffer: Buffer) -> bool:
    """Whether a statement reads a buffer to find out where to read another, or where to write."""
    tops = _tops(statement)
    found = [index for top in tops for e in walk(top) for index in e.indices()]
    if isinstance(statement, Store):
        found.append(statement.offset)
    inside = [atom.value for index in found for atom in index.dynamics()]
    return any(isinstance(e, Load) and e.buffer is buffer for value in inside for e in walk(value))


def _loads(statement: Statement, buffer: Buffer) -> list[Load]:
    """What a statement reads of a buffer, for indices too."""
    return [e for top in _tops(statement) for e in walk(top) if isinstance(e, Load) and e.buffer is buffer]
