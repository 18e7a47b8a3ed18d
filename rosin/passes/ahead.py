"""Kernels that every step of a loop would run alike run before it: copies, and packed operands of products."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rosin.ir.index import LoopVar
from rosin.ir.loops import Buffer, Scope
from rosin.ir.statements import all_indices, loaded_buffers, statements_of, stores
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
    """The kernels of a loop's body that read nothing that the body writes, and write what nothing else writes.

    Nothing that comes before one may read what it writes: that would be what was there before the loop.
    """
    writes = {id(step): set(_written((step,))) for step in body}
    found: list[Step] = []
    read: set[Buffer] = set()
    for step in body:
        if isinstance(step, Kernel | Nest):
            statements = statements_of(step)
            own = writes[id(step)]
            others = {b for other in body if other is not step for b in writes[id(other)]}
            loaded = loaded_buffers(statements)
            alike = all(var not in index.variables() for index in all_indices(statements))
            fits = all(b.scope is Scope.ARENA for b in own) and own.isdisjoint(others | read | loaded)
            changed = others - {b for s in found for b in writes[id(s)]}
            if alike and fits and loaded.isdisjoint(changed):
                found.append(step)
        read |= _read((step,))
    return found


def _written(steps: Iterable[Step]) -> Iterable[Buffer]:
    for step in innermost(tuple(steps)):
        match step:
            case Kernel() | Nest():
                yield from (s.buffer for s in stores(statements_of(step)))
            case HostCall() | RoutineCall():
                yield from (load.buffer for load in step.writes)
            case _:
                raise AssertionError("kernels come again outside of loops alone")


def _read(steps: Iterable[Step]) -> set[Buffer]:
    found: set[Buffer] = set()
    for step in innermost(tuple(steps)):
        if isinstance(step, Kernel | Nest):
            found |= loaded_buffers(statements_of(step))
        elif isinstance(step, HostCall | RoutineCall):
            found.update(load.buffer for load in step.reads)
    return found
