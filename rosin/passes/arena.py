"""Lifetimes of arena buffers in a program with loops, for the plan of where they lie."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field

from rosin.ir import facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.loops import Buffer, Load, Room, Scope
from rosin.ir.steps import (
    Again,
    Branch,
    Either,
    HostCall,
    Kernel,
    Measured,
    Nest,
    Repeat,
    RepeatWhile,
    RoutineCall,
    Step,
    Team,
    parts,
    step_decides,
)
from rosin.passes import memory
from rosin.passes.donate import Touched
from rosin.passes.exposed import exposed

WORTH_SHARING = 1 << 12
"""Of a buffer of so many bytes it is asked whether another may be written over it."""


@dataclass(frozen=True)
class Places:
    """Where arena buffers lie: at offsets within `total_bytes`, or in slots of symbolic sizes, which follow."""

    offsets: dict[Buffer, int]
    total_bytes: int
    slot_of: dict[Buffer, int]
    slots: tuple[Dim, ...]
    """The bytes of each slot."""
    least_bytes: int
    """What is live at once at most, of buffers at offsets: no plan takes less."""


def uses(steps: Sequence[Step]) -> Iterator[Buffer]:
    """Every buffer once for each leaf, or decision, that uses it."""
    for step in steps:
        if isinstance(step, Kernel | Nest | Again):
            yield from step.buffers
        yield from (load.buffer for load in step_decides(step))
        if isinstance(step, HostCall | RoutineCall):
            yield from (load.buffer for load in (*step.reads, *step.writes))
        for inner in parts(step):
            yield from uses(inner)


def plan_arena(steps: tuple[Step, ...], setup: tuple[Step, ...] = ()) -> Places:
    """Where every arena buffer lies that the steps use, but for those of the setup, which lie elsewhere."""
    spans = Spans(elsewhere=set(uses(setup)))
    spans.visit(steps)
    spans.cover_loops()
    sized: list[Buffer] = []
    lifetimes: list[memory.Lifetime] = []
    for buffer in spans.first:
        if isinstance(buffer.bytes, int):
            sized.append(buffer)
            lifetimes.append(memory.Lifetime(buffer.bytes, spans.first[buffer], spans.last[buffer]))
    plan = memory.plan(lifetimes, reuse=_handed_over(sized, lifetimes, spans.leaves))
    slot_of, slots = _slots([b for b in spans.first if not isinstance(b.bytes, int)], spans)
    return Places(dict(zip(sized, plan.offsets, strict=True)), plan.total_bytes, slot_of, slots, plan.lower_bound)


def _handed_over(
    buffers: Sequence[Buffer], lifetimes: Sequence[memory.Lifetime], leaves: Mapping[int, Kernel | Again]
) -> list[tuple[int, int]]:
    """Pairs of buffers, the second of which may be written over the first: a kernel reads the first one for the last
    time, element by element, each before it writes that element of the second."""
    ends: defaultdict[int, list[int]] = defaultdict(list)
    begins: defaultdict[int, list[int]] = defaultdict(list)
    for number, life in enumerate(lifetimes):
        if life.size_bytes >= WORTH_SHARING and life.first < life.last:
            ends[life.last].append(number)
            begins[life.first].append(number)
    known: dict[Kernel, Touched] = {}
    found: list[tuple[int, int]] = []
    for moment in sorted(ends.keys() & begins.keys() & leaves.keys()):
        leaf = leaves[moment]
        kernel = leaf.kernel if isinstance(leaf, Again) else leaf
        own = {there: here for here, there in leaf.places.items()} if isinstance(leaf, Again) else {}
        for i, j in itertools.product(ends[moment], begins[moment]):
            a, b = buffers[i], buffers[j]
            if (a.dtype, a.size) == (b.dtype, b.size):
                touched = known.get(kernel) or known.setdefault(kernel, Touched(kernel))
                if touched.hands_over(own.get(a, a), own.get(b, b)):
                    found.append((i, j))
    return found


def _slots(buffers: Sequence[Buffer], spans: Spans) -> tuple[dict[Buffer, int], tuple[Dim, ...]]:
    """The slot of each buffer of symbolic size, and what slots take. Two share one if one is known to be the larger."""
    found: dict[Buffer, int] = {}
    sizes: list[Dim] = []
    ends: list[int] = []
    for buffer in sorted(buffers, key=lambda b: spans.first[b]):
        free = [i for i, end in enumerate(ends) if end < spans.first[buffer]]
        slot = next((i for i in free if sizes[i] == buffer.bytes), None)
        if slot is None:
            slot = next((i for i in free if _ordered(sizes[i], buffer.bytes)), None)
        if slot is None:
            slot = len(sizes)
            sizes.append(buffer.bytes)
            ends.append(0)
        if not facts.known_at_least(sizes[slot], buffer.bytes):
            sizes[slot] = buffer.bytes
        ends[slot] = spans.last[buffer]
        found[buffer] = slot
    return found, tuple(sizes)


def _ordered(a: Dim, b: Dim) -> bool:
    return facts.known_at_least(a, b) or facts.known_at_least(b, a)


@dataclass
class Spans:
    """The first and last moment at which each buffer is used.

    A buffer that an iteration of a loop reads before it writes it holds something from before: it lives as long as
    the loop. So does one that is used outside of the loop too.
    """

    first: dict[Buffer, int] = field(default_factory=dict["Buffer", "int"])
    last: dict[Buffer, int] = field(default_factory=dict["Buffer", "int"])
    loops: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """The first and the last moment of each loop, inner ones first."""
    leaves: dict[int, Kernel | Again] = field(default_factory=dict[int, "Kernel | Again"])
    """The kernel of each moment that is one's own."""
    now: int = 0
    elsewhere: Collection[Buffer] = ()

    def use(self, buffer: Buffer) -> None:
        if buffer.scope is Scope.ARENA and buffer not in self.elsewhere:
            self.first.setdefault(buffer, self.now)
            self.last[buffer] = max(self.last.get(buffer, 0), self.now)

    def visit(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            match step:
                case Nest():
                    raise AssertionError("nests are kernels by the time that memory is planned")
                case Kernel() | Again():
                    self.now += 1
                    self.leaves[self.now] = step
                    for buffer in step.buffers:
                        self.use(buffer)
                case Repeat(team=Team() as team):
                    # Threads are at different steps at once.
                    self.now += 1
                    for buffer in uses((step,)):
                        if buffer not in team.offsets:
                            self.use(buffer)
                    self.use(team.room)
                case Repeat():
                    self.now += 1
                    for bound in step_decides(step):
                        self.use(bound.buffer)
                    self.loop(step.body, None)
                case RepeatWhile():
                    self.loop((*step.test, *step.body), step.predicate)
                case HostCall() | RoutineCall():
                    self.now += 1
                    for load in (*step.reads, *step.writes, *step_decides(step)):
                        self.use(load.buffer)
                case Branch():
                    self.now += 1
                    self.use(step.index.buffer)
                    for branch in step.branches:
                        self.visit(branch)
                case Either():
                    self.visit(step.small)
                    self.visit(step.large)
                case Room() | Measured():
                    self.now += 1
                    for number in step_decides(step):
                        self.use(number.buffer)

    def loop(self, body: tuple[Step, ...], predicate: Load | None) -> None:
        self.now += 1
        start = self.now
        self.visit(body)
        self.now += 1
        if predicate is not None:
            self.use(predicate.buffer)
        for buffer in read_first(body) & self.first.keys():
            self.first[buffer] = min(self.first[buffer], start)
            self.last[buffer] = self.now
        self.loops.append((start, self.now))

    def cover_loops(self) -> None:
        """Let what is used inside of a loop and outside of it live through all of its steps."""
        for start, end in self.loops:
            for buffer, first in self.first.items():
                last = self.last[buffer]
                if first <= end and last >= start and not (start <= first and last <= end):
                    self.first[buffer], self.last[buffer] = min(first, start), max(last, end)


def read_first(steps: tuple[Step, ...]) -> set[Buffer]:
    """The buffers that the steps may read before they have written all of them."""
    found: set[Buffer] = set()
    _written_after(steps, found, set())
    return found


def _written_after(steps: tuple[Step, ...], found: set[Buffer], written: set[Buffer]) -> set[Buffer]:
    """What is written for certain once the steps are done; what they read before goes to `found`."""
    written = set(written)
    for step in steps:
        match step:
            case Kernel() | Nest() | Again():
                leaf = step.kernel if isinstance(step, Again) else step
                places: Mapping[Buffer, Buffer] = step.places if isinstance(step, Again) else {}
                found |= {places.get(b, b) for b in exposed(leaf)} - written
                written |= {places.get(s.buffer, s.buffer) for s in leaf.contents.stores}
            case Repeat():
                if step_decides(step):
                    found |= {load.buffer for load in step_decides(step)} - written
                    _written_after(step.body, found, written)
                else:
                    written = _written_after(step.body, found, written)
            case RepeatWhile():
                written = _written_after(step.test, found, written)
                found |= {step.predicate.buffer} - written
                _written_after(step.body, found, written)
            case HostCall() | RoutineCall():
                found |= {load.buffer for load in (*step.reads, *step_decides(step))} - written
                written |= set() if step_decides(step) else {load.buffer for load in step.writes}
            case Branch():
                found |= {step.index.buffer} - written
                each = [_written_after(branch, found, written) for branch in step.branches]
                written = {buffer for buffer in each[0] if all(buffer in other for other in each)}
            case Either():
                each = [_written_after(steps, found, written) for steps in (step.small, step.large)]
                written = each[0] & each[1]
            case Room() | Measured():
                found |= {load.buffer for load in step_decides(step)} - written
    return written
