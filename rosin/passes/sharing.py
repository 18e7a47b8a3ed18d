"""Loops whose steps do not depend on each other run on threads, whole steps at a time.

What a step keeps for itself lies in room of its own thread: a loop is given room for `MOST_THREADS` of them at once, of
which each thread takes the first that is free. So the kernels of a step find in a near cache what those before left
there, and threads meet once a loop rather than once a kernel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rosin.ir.dtypes import u8
from rosin.ir.facts import estimate
from rosin.ir.loops import Buffer, Loop, Room, Scope, Statement, While, blocks, values
from rosin.ir.statements import flops, nested
from rosin.ir.steps import Branch, Either, Kernel, Repeat, RepeatWhile, Step, Team, innermost, parts
from rosin.passes import memory
from rosin.passes.arena import Spans, read_first, uses
from rosin.passes.on_threads import PARALLEL_WORK
from rosin.passes.row_parts import parted

MOST_THREADS = 16
FEWEST_STEPS = 4
"""A loop of fewer steps leaves threads to the kernels in it, where these are shared."""

LARGE = 1 << 26
"""So does one of fewer steps than `MOST_THREADS`, where some kernel has so many operations: all threads can help."""

ROOM_BYTES = 1 << 23
"""Room for a thread takes at most so many bytes."""


def shared(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with the outermost loops that threads may share marked as such."""
    total = Counter(uses(steps))
    return tuple(_shared(step, total) for step in steps)


def _shared(step: Step, total: Counter[Buffer]) -> Step:
    def all_of(steps: Sequence[Step]) -> tuple[Step, ...]:
        return tuple(_shared(inner, total) for inner in steps)

    match step:
        case Repeat():
            work = work_of(step.body)
            whole = step if step.apart else _parted(step, work)
            team = _team(whole, work if whole is step else work_of(whole.body), total) if whole else None
            return replace(whole, team=team) if whole and team else replace(step, body=all_of(step.body))
        case RepeatWhile():
            return replace(step, test=all_of(step.test), body=all_of(step.body))
        case Branch():
            return Branch(step.index, tuple(map(all_of, step.branches)))
        case Either():
            return Either(step.size, step.most, all_of(step.small), all_of(step.large))
        case _:
            return step


def _parted(step: Repeat, work: int) -> Repeat | None:
    """A loop over parts of the rows around one whose steps follow each other, if there is enough to do."""
    count = step.var.extent
    return parted(step, work) if isinstance(count, int) and count * work >= PARALLEL_WORK else None


def _team(step: Repeat, work: int, total: Counter[Buffer]) -> Team | None:
    """Room for threads that share a loop with so much work in a step; None where they had better not."""
    inside = list(innermost(step.body))
    count = step.var.extent
    if not isinstance(count, int) or count < 2 or count * work < PARALLEL_WORK:
        return None
    if not all(isinstance(leaf, Kernel) for leaf in inside):
        return None
    kernels = [leaf for leaf in inside if isinstance(leaf, Kernel)]
    # What may have to be stopped asks the program around it, which is not that of one thread.
    if any(map(_is_open, _all(step.body))) or any(isinstance(s, While | Room) for k in kernels for s in nested(k.body)):
        return None
    parallel = [k for k in kernels if any(isinstance(s, Loop) and s.parallel for s in k.body)]
    if parallel and count < MOST_THREADS and (count < FEWEST_STEPS or max(_work(k.body) for k in parallel) >= LARGE):
        return None
    within = Counter(uses((step,)))
    own = [b for b in within if b.scope is Scope.ARENA and within[b] == total[b]]
    if not read_first(step.body).isdisjoint(own) or not all(isinstance(b.bytes, int) for b in own):
        return None
    spans = Spans()
    spans.visit(step.body)
    spans.cover_loops()
    lifetimes = [memory.Lifetime(b.bytes, spans.first[b], spans.last[b]) for b in own if isinstance(b.bytes, int)]
    plan = memory.plan(lifetimes)
    if plan.total_bytes > ROOM_BYTES:
        return None
    room = Buffer("room", u8, plan.total_bytes * min(count, MOST_THREADS), Scope.ARENA)
    return Team(room, plan.total_bytes, min(count, MOST_THREADS), dict(zip(own, plan.offsets, strict=True)))


def _all(steps: Sequence[Step]) -> list[Step]:
    return [s for step in steps for s in (step, *(i for inner in parts(step) for i in _all(inner)))]


def _is_open(step: Step) -> bool:
    return isinstance(step, RepeatWhile | Room)


def work_of(steps: Sequence[Step]) -> int:
    """Scalar operations of steps, roughly."""
    total = 0
    for step in steps:
        if isinstance(step, Kernel):
            total += _work(step.body)
        elif isinstance(step, Repeat):
            total += estimate(step.var.extent) * work_of(step.body)
        else:
            total += sum(map(work_of, parts(step)))
    return total


def _work(statements: Sequence[Statement]) -> int:
    total = 0
    for statement in statements:
        inside = sum(map(_work, blocks(statement)))
        total += inside * (estimate(statement.var.extent) if isinstance(statement, Loop) else 1)
        total += 1 + flops(values(statement))
    return total
