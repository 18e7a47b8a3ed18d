"""Which results may be written over donated arguments.

A result takes the memory of a donated argument of its type when nothing reads the argument after the result is
written: all its reads are in earlier kernels, or in the kernel that writes the result and there each element is read
before that same element is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from rosin.ir.index import LoopVar
from rosin.ir.loops import Buffer, Load, Loop, Statement, Store, While, blocks, decides, values, walk
from rosin.ir.steps import Again, Inner, Kernel, Nest, Step, innermost, parts, step_decides
from rosin.ir.types import TensorType

Block: TypeAlias = "Sequence[Statement | Inner]"


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
        self._known: dict[Kernel | Nest, Touched] = {}
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
            touched = self._known[kernel] = Touched(kernel)

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
            return self._known[reader.kernel].in_place(own[argument], own[result])
        return self._known[reader].in_place(argument, result)


class Touched:
    """The buffers that a kernel reads to know how it goes on, what else it reads, and what it writes."""

    def __init__(self, kernel: Kernel | Nest) -> None:
        # Scratch is nobody else's, and has no place elsewhere when the kernel comes again.
        own = set(kernel.scratch)
        self.plain = list(_plain(kernel.body, ()))
        self.deciding = {load.buffer for s in kernel.contents.statements for load in decides(s)} - own
        self.read = {buffer for plain in self.plain for buffer in plain.loads} - own
        self.written = {s.statement.buffer for s in self.plain if isinstance(s.statement, Store)} - own

    def in_place(self, argument: Buffer, result: Buffer) -> bool:
        """Whether the kernel writes each element once, next to its only reads, which come first."""
        stores = [s for s in self.plain if s.stores_to(result)]
        if len(stores) > 1:
            return self._each_in_place(argument, stores)
        if not stores:
            return False
        home = stores[0]
        store = home.statement
        assert isinstance(store, Store)
        kept = {id(load) for load in home.loads.get(argument, ())}
        after = False
        for plain in self.plain:
            loads = plain.loads.get(argument, ())
            if loads and (plain.block is not home.block or any(load.offset != store.offset for load in loads)):
                return False
            # A read that the store needs too is done by then, if it is the very same one and so is kept in a register;
            # any other one after the store would see the new value, and what an index reads is read once more for it.
            if after and (not {id(load) for load in loads} <= kept or argument in plain.for_indices):
                return False
            after = after or plain is home
        return True

    def hands_over(self, argument: Buffer, result: Buffer) -> bool:
        """Whether the kernel may write a result over an argument that was made before: `in_place`, and it is certain
        that no element of the result is written twice."""
        if argument in self.written or argument in self.deciding:
            return False
        return all(s.is_once for s in self.plain if s.stores_to(result)) and self.in_place(argument, result)

    def _each_in_place(self, argument: Buffer, writers: Sequence[_Plain]) -> bool:
        """Whether each of several stores, as an unrolled tile has them, reads the one element that it writes, or all
        that they write are read before them, and nothing else reads any: at offsets that are affine in loop variables,
        no two of which are the same. What is read again, as a sum that goes on, may have been written twice."""
        stores = [s.statement for s in writers if isinstance(s.statement, Store)]
        offsets = {s.offset for s in stores}
        if any(stores[0].buffer in plain.loads for plain in self.plain):
            return False
        if len(offsets) != len(stores) or not all(isinstance(atom, LoopVar) for o in offsets for atom, _ in o.terms):
            return False
        block = writers[0].block if all(s.block is writers[0].block for s in writers) else None
        own = {id(s): s.offset for s in stores}
        before = True
        for plain in self.plain:
            offset = own.get(id(plain.statement))
            before = before and offset is None
            allowed = offsets if before and plain.block is block else {offset}
            if argument in plain.for_indices or any(
                load.offset not in allowed for load in plain.loads.get(argument, ())
            ):
                return False
        return True


class _Plain:
    """A statement in which there are no others, the list that it stands in, what loops over it, and what it reads."""

    def __init__(self, block: Block, statement: Statement, loops: tuple[Loop | While, ...]) -> None:
        self.block = block
        self.statement = statement
        self.loops = loops
        self.loads: dict[Buffer, list[Load]] = {}
        """What it reads of each buffer, for indices too."""
        inside = [atom.value for atom in statement.offset.dynamics()] if isinstance(statement, Store) else []
        for expr in (e for top in (*values(statement), *inside) for e in walk(top)):
            if isinstance(expr, Load):
                self.loads.setdefault(expr.buffer, []).append(expr)
            inside += [atom.value for index in expr.indices() for atom in index.dynamics()]
        read = (e for value in inside for e in walk(value))
        self.for_indices = {e.buffer for e in read if isinstance(e, Load)}
        """What it reads to find out where to read others, or where to write."""

    def stores_to(self, buffer: Buffer) -> bool:
        return isinstance(self.statement, Store) and self.statement.buffer is buffer

    @property
    def is_once(self) -> bool:
        """Whether a store is at an offset in which every loop over it has a part, and nothing else has one."""
        assert isinstance(self.statement, Store)
        atoms = {atom for atom, _ in self.statement.offset.terms}
        return all(isinstance(loop, Loop) for loop in self.loops) and atoms == {loop.var for loop in self.loops}


def _deciding(step: Step) -> list[Load]:
    """What a step, or one inside of it, reads to know how it goes on."""
    return [*step_decides(step), *(load for inside in parts(step) for s in inside for load in _deciding(s))]


def _plain(block: Block, loops: tuple[Loop | While, ...]) -> Iterator[_Plain]:
    """Every statement in which there are no others."""
    for statement in block:
        inside = (statement.body,) if isinstance(statement, Inner) else blocks(statement)
        over = (*loops, statement) if isinstance(statement, Loop | While) else loops
        for inner in inside:
            yield from _plain(inner, over)
        if not inside and not isinstance(statement, Inner):
            yield _Plain(block, statement, loops)
