"""Kernels that every step of a loop would run alike run before it: copies, and packed operands of products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rosin.ir.index import LoopVar
from rosin.ir.loops import Buffer, Scope
from rosin.ir.steps import Branch, Either, HostCall, Kernel, Nest, Repeat, RoutineCall, Step, innermost


def ahead(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with what loops need not do in every step in front of them."""
    found: list[Step] = []
    for step in steps:
        match step:
            case Repeat():
                body = ahead(step.body)
                first = _first(body, step.var)
                rest = tuple(s for s in body if s not in first)
                found += first
                found.append(step if _same(rest, step.body) else replace(step, body=rest))
            case Branch():
                found.append(Branch(step.index, tuple(map(ahead, step.branches))))
            case Either():
                found.append(Either(step.size, step.most, ahead(step.small), ahead(step.large)))
            case _:
                found.append(step)
    return tuple(found)


def _same(steps: Sequence[Step], others: Sequence[Step]) -> bool:
    return len(steps) == len(others) and all(a is b for a, b in zip(steps, others, strict=True))


def _first(body: Sequence[Step], var: LoopVar) -> list[Step]:
    """The kernels of a loop's body that read nothing that the rest of the body writes, and write what no other one of
    the rest writes.

    Nothing that comes before one may read what it writes: that would be what was there before the loop.
    """
    writes = {id(step): set(_written((step,))) for step in body}
    found: list[Kernel | Nest] = [s for s in body if isinstance(s, Kernel | Nest) and _is_alike(s, writes[id(s)], var)]
    while True:
        first = set(map(id, found))
        rest = {b for step in body if id(step) not in first for b in writes[id(step)]}
        fit = [step for step in found if _fits(step, body, writes, rest)]
        if len(fit) == len(found):
            return [*found]
        found = fit


def _is_alike(step: Kernel | Nest, own: set[Buffer], var: LoopVar) -> bool:
    """Whether each step of a loop would write the same, to the arena, if it read the same."""
    alike = all(var not in index.variables() for index in step.contents.indices())
    return alike and all(b.scope is Scope.ARENA for b in own) and own.isdisjoint(step.contents.loaded)


def _fits(step: Kernel | Nest, body: Sequence[Step], writes: Mapping[int, set[Buffer]], rest: set[Buffer]) -> bool:
    """Whether neither what a kernel reads nor what it writes is written by the `rest`, or is in use before or after."""
    own, loaded = writes[id(step)], step.contents.loaded
    at = next(i for i, other in enumerate(body) if other is step)
    late = {b for other in body[at + 1 :] for b in writes[id(other)]}
    return rest.isdisjoint(own | loaded) and own.isdisjoint(_read(body[:at])) and late.isdisjoint(loaded)


def _written(steps: Iterable[Step]) -> Iterable[Buffer]:
    for step in innermost(tuple(steps)):
        match step:
            case Kernel() | Nest():
                yield from (s.buffer for s in step.contents.stores)
            case HostCall() | RoutineCall():
                yield from (load.buffer for load in step.writes)
            case _:
                raise AssertionError("kernels come again outside of loops alone")


def _read(steps: Iterable[Step]) -> set[Buffer]:
    found: set[Buffer] = set()
    for step in innermost(tuple(steps)):
        if isinstance(step, Kernel | Nest):
            found |= step.contents.loaded
        elif isinstance(step, HostCall | RoutineCall):
            found.update(load.buffer for load in step.reads)
    return found
