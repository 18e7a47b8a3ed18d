"""Which results may be written over donated arguments.

A result takes the memory of a donated argument of its type when nothing reads the argument after the result is
written: all its reads are in earlier kernels, or in the kernel that writes the result and there each element is read
before that same element is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rosin.ir.index import Index
from rosin.ir.loops import Accumulate, Buffer, Expr, Kernel, Let, Load, Loop, Statement, Store, When, walk


def aliases(kernels: Sequence[Kernel], donated: Sequence[Buffer], results: Sequence[Buffer]) -> dict[Buffer, Buffer]:
    """The donated argument whose memory each result takes, for the results that take one."""
    found: dict[Buffer, Buffer] = {}
    for result in results:
        for argument in donated:
            alike = argument.dtype == result.dtype and argument.size == result.size
            if alike and argument not in found.values() and _may_share(kernels, argument, result):
                found[result] = argument
                break
    return found


def _may_share(kernels: Sequence[Kernel], argument: Buffer, result: Buffer) -> bool:
    writes = [i for i, k in enumerate(kernels) if any(s.buffer is result for _, s in _stores(k.body))]
    reads = [i for i, k in enumerate(kernels) if any(_loads(s, argument) for _, s in _plain(k.body))]
    if not writes:
        return False
    if not reads or reads[-1] < writes[0]:
        return True
    return reads[-1] == writes[0] and _in_place(kernels[writes[0]], argument, result)


def _in_place(kernel: Kernel, argument: Buffer, result: Buffer) -> bool:
    """Whether the kernel writes each element once, next to its only reads, which come first."""
    stores = [(block, s) for block, s in _stores(kernel.body) if s.buffer is result]
    if len(stores) != 1:
        return False
    home, store = stores[0]
    after = False
    for block, statement in _plain(kernel.body):
        offsets = _loads(statement, argument)
        if offsets and (block is not home or any(o != store.offset for o in offsets)):
            return False
        # A read that the store needs too is done by then; any other one after the store would see the new value.
        if offsets and after and store.offset not in _loads(store, argument):
            return False
        after = after or statement is store
    return True


def _plain(block: Sequence[Statement]) -> Iterator[tuple[Sequence[Statement], Statement]]:
    """Every statement that is no loop and no test, with the list it stands in."""
    for statement in block:
        if isinstance(statement, Loop | When):
            yield from _plain(statement.body)
        else:
            yield block, statement


def _stores(block: Sequence[Statement]) -> Iterator[tuple[Sequence[Statement], Store]]:
    return ((home, s) for home, s in _plain(block) if isinstance(s, Store))


def _loads(statement: Statement, buffer: Buffer) -> list[Index]:
    """Where a statement reads a buffer, through indices that are read too."""
    match statement:
        case Accumulate():
            tops: tuple[Expr, ...] = statement.values
        case Let() | Store():
            tops = (statement.value,)
        case _:
            tops = ()
    return [e.offset for top in tops for e in walk(top) if isinstance(e, Load) and e.buffer is buffer]
