"""Lifetimes of arena buffers in a program with loops, for the plan of where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field

from rosin.ir.loops import Branch, Buffer, HostCall, Kernel, Load, Nest, Repeat, RepeatWhile, Room, Scope, Step, decides
from rosin.ir.statements import loaded_buffers, statements_of, stores
from rosin.passes import memory


def plan_arena(steps: tuple[Step, ...]) -> tuple[dict[Buffer, int], int]:
    """The byte offset of every arena buffer that the steps use, and the bytes of the arena."""
    spans = _Spans()
    spans.visit(steps)
    spans.cover_loops()
    live = list(spans.first)
    plan = memory.plan([memory.Lifetime(b.bytes, spans.first[b], spans.last[b]) for b in live])
    return dict(zip(live, plan.offsets, strict=True)), plan.total_bytes


@dataclass
class _Spans:
    """The first and last moment at which each buffer is used.

    A buffer that an iteration of a loop reads before it writes it holds something from before: it lives as long as
    the loop. So does one that is used outside of the loop too.
    """

    first: dict[Buffer, int] = field(default_factory=dict["Buffer", "int"])
    last: dict[Buffer, int] = field(default_factory=dict["Buffer", "int"])
    loops: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """The first and the last moment of each loop, inner ones first."""
    now: int = 0

    def use(self, buffer: Buffer) -> None:
        if buffer.scope is Scope.ARENA:
            self.first.setdefault(buffer, self.now)
            self.last[buffer] = max(self.last.get(buffer, 0), self.now)

    def visit(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            match step:
                case Nest():
                    raise AssertionError("nests are kernels by the time that memory is planned")
                case Kernel():
                    self.now += 1
                    for buffer in step.buffers:
                        self.use(buffer)
                case Repeat():
                    self.now += 1
                    for bound in decides(step):
                        self.use(bound.buffer)
                    self.loop(step.body, None)
                case RepeatWhile():
                    self.loop((*step.test, *step.body), step.predicate)
                case HostCall():
                    self.now += 1
                    for load in (*step.reads, *step.writes, *filter(None, (step.when,))):
                        self.use(load.buffer)
                case Branch():
                    self.now += 1
                    self.use(step.index.buffer)
                    for branch in step.branches:
                        self.visit(branch)
                case Room():
                    self.now += 1
                    for number in decides(step):
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
            case Kernel() | Nest():
                body = statements_of(step)
                found |= loaded_buffers(body) - written
                written |= {s.buffer for s in stores(body)}
            case Repeat():
                if decides(step):
                    found |= {load.buffer for load in decides(step)} - written
                    _written_after(step.body, found, written)
                else:
                    written = _written_after(step.body, found, written)
            case RepeatWhile():
                written = _written_after(step.test, found, written)
                found |= {step.predicate.buffer} - written
                _written_after(step.body, found, written)
            case HostCall():
                found |= {load.buffer for load in (*step.reads, *decides(step))} - written
                written |= set() if step.when else {load.buffer for load in step.writes}
            case Branch():
                found |= {step.index.buffer} - written
                each = [_written_after(branch, found, written) for branch in step.branches]
                written = {buffer for buffer in each[0] if all(buffer in other for other in each)}
            case Room():
                found |= {load.buffer for load in decides(step)} - written
    return written
