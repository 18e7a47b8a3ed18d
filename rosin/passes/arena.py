"""Lifetimes of arena buffers in a program with loops, for the plan of where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field

from rosin.ir.loops import Branch, Buffer, HostCall, Kernel, Load, Repeat, RepeatWhile, Scope, Step
from rosin.ir.statements import loaded_buffers, stores
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
                case Kernel():
                    self.now += 1
                    for buffer in step.buffers:
                        self.use(buffer)
                case Repeat():
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
    written: set[Buffer] = set()
    _read_first(steps, found, written, certain=True)
    return found


def _read_first(steps: tuple[Step, ...], found: set[Buffer], written: set[Buffer], certain: bool) -> None:
    for step in steps:
        match step:
            case Kernel():
                found |= loaded_buffers(step.body) - written
                if certain:
                    written |= {s.buffer for s in stores(step.body)}
            case Repeat():
                _read_first(step.body, found, written, certain)
            case RepeatWhile():
                _read_first(step.test, found, written, certain)
                _read_first(step.body, found, written, certain=False)
            case HostCall():
                found |= {load.buffer for load in (*step.reads, *filter(None, (step.when,)))} - written
                if certain:
                    written |= {load.buffer for load in step.writes}
            case Branch():
                found |= {step.index.buffer} - written
                for branch in step.branches:
                    _read_first(branch, found, written, certain=False)
