"""Kernels in loops that do what an earlier one does, on other buffers: loops of equal layers share their code.

Outside of loops groups are compared before they become kernels (alike.py). A loop may become one kernel with its state
in registers, so in loops it is the kernels themselves that are compared, once it is clear which there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rosin.ir.index import Atom, Dynamic, Index, Least, LoopVar, Quotient, Remainder
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Buffer,
    Carry,
    Choose,
    Const,
    Dot,
    Expr,
    FromIndex,
    Guard,
    InTurn,
    Let,
    Load,
    Local,
    Loop,
    Products,
    Room,
    Scope,
    Statement,
    Store,
    When,
    While,
    Within,
)
from rosin.ir.steps import Again, Branch, Either, Kernel, Repeat, RepeatWhile, Step
from rosin.passes.alike import ANYWHERE

Key = tuple[Any, ...]

FIXED = (Scope.CONSTANT, Scope.TAPE)
"""The scopes of buffers in whose places no others may be."""


def recurring(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps, with kernels in loops that come again said to do so."""
    return _Found().all_of(steps, {}, inside=False)


class _Found:
    """The kernels so far, by what they do."""

    def __init__(self) -> None:
        self.kernels: dict[Key, tuple[Kernel, list[Buffer]]] = {}

    def all_of(self, steps: Sequence[Step], depths: Mapping[LoopVar, int], inside: bool = True) -> tuple[Step, ...]:
        return tuple(self.step(step, depths, inside) for step in steps)

    def step(self, step: Step, depths: Mapping[LoopVar, int], inside: bool) -> Step:
        """`depths` says how many loops with variables are around that of each variable."""
        match step:
            case Kernel() if inside and not step.numbers:
                return self.kernel(step, depths)
            case Repeat():
                return replace(step, body=self.all_of(step.body, {**depths, step.var: len(depths)}))
            case RepeatWhile():
                deeper = {**depths, step.var: len(depths)} if step.var is not None else depths
                return replace(step, test=self.all_of(step.test, deeper), body=self.all_of(step.body, deeper))
            case Branch():
                return Branch(step.index, tuple(self.all_of(branch, depths) for branch in step.branches))
            case Either():
                small, large = (self.all_of(each, depths, inside) for each in (step.small, step.large))
                return Either(step.size, step.most, small, large)
            case _:
                return step

    def kernel(self, kernel: Kernel, depths: Mapping[LoopVar, int]) -> Kernel | Again:
        reader = _Reader(depths)
        key = (*reader.statements(kernel.body), kernel.registers, kernel.work, len(kernel.scratch))
        buffers = list(reader.buffers)
        first, own = self.kernels.setdefault(key, (kernel, buffers))
        if first is kernel:
            return kernel
        places = {a: b for a, b in zip(own, buffers, strict=True) if a in first.buffers}
        return Again(kernel.name, first, places, {})


class _Reader:
    """What a kernel does, without saying on which buffers and with which variables: numbers stand for these."""

    def __init__(self, depths: Mapping[LoopVar, int]) -> None:
        self.depths = depths
        self.buffers: dict[Buffer, int] = {}
        self.variables: dict[LoopVar, int] = {}
        self.locals: dict[Local, int] = {}
        self.known: dict[int, int] = {}
        """Expressions that have been read: one that is shared is told by its number."""

    def statements(self, statements: Sequence[Statement]) -> Iterator[Key]:
        return ((*self.statement(s),) for s in statements)

    def statement(self, statement: Statement) -> Iterator[Any]:
        yield type(statement)
        match statement:
            case Loop():
                self.variables[statement.var] = len(self.variables)
                yield statement.var.extent, statement.kind, statement.parallel, statement.unroll
                yield (
                    statement.backward,
                    statement.refill,
                    *map(self.expr, filter(None, (statement.start, statement.stop))),
                )
                yield statement.start is None, statement.stop is None
                yield tuple(tuple(self.carry(carry)) for carry in statement.carries)
                yield tuple(self.statements(statement.body))
            case Let():
                yield self.expr(statement.value), self.local(statement.local)
            case Accumulate():
                yield tuple(map(self.local, statement.carry.locals)), tuple(map(self.expr, statement.values))
            case Store():
                yield self.buffer(statement.buffer), self.index(statement.offset), self.expr(statement.value)
            case When():
                yield tuple(map(self.test, statement.tests)), tuple(self.statements(statement.body))
            case InTurn():
                yield tuple(self.statements(statement.body))
            case While():
                if statement.var is not None:
                    self.variables[statement.var] = len(self.variables)
                    yield statement.var.extent
                yield tuple(self.statements(statement.test)), self.expr(statement.predicate)
                yield tuple(self.statements(statement.body))
            case Choose():
                yield self.expr(statement.index), tuple(tuple(self.statements(b)) for b in statement.branches)
            case Products(sums, row, lane, word):
                self.variables.update({v: len(self.variables) + at for at, v in enumerate((row, lane, word))})
                yield statement.shape, self.buffer(sums), self.expr(statement.term)
            case Room():
                yield id(statement)

    def carry(self, carry: Carry) -> Iterator[Any]:
        yield tuple(map(self.expr, carry.initial))
        for names in (carry.locals, carry.left, carry.right):
            yield tuple(map(self.local, names))
        yield tuple(map(self.expr, carry.combine))

    def local(self, local: Local) -> Key:
        return self.locals.setdefault(local, len(self.locals)), local.dtype

    def buffer(self, buffer: Buffer) -> Key:
        number = self.buffers.setdefault(buffer, len(self.buffers))
        other = "any" if buffer.scope in ANYWHERE else (buffer.scope, id(buffer) if buffer.scope in FIXED else 0)
        return number, buffer.dtype, buffer.size, other

    def expr(self, expr: Expr) -> Key:
        number = self.known.get(id(expr))
        if number is not None:
            return ("known", number)
        children = tuple(map(self.expr, expr.children()))
        found: Key = (type(expr), expr.dtype, children)
        match expr:
            case Const():
                found += (repr(expr.value),)
            case Local():
                found += self.local(expr)
            case Load():
                found += (self.buffer(expr.buffer), self.index(expr.offset))
            case Apply():
                found += (expr.op,)
            case FromIndex():
                found += (self.index(expr.index),)
            case Dot():
                found += (expr.of_left, expr.of_right)
            case Guard():
                found += tuple(map(self.test, expr.tests))
            case _:
                raise AssertionError(f"no such expression: {type(expr).__name__}")
        self.known[id(expr)] = len(self.known)
        return found

    def test(self, test: Within) -> Key:
        return self.index(test.index), test.low, test.high

    def index(self, index: Index) -> Key:
        return index.constant, *((self.atom(atom), coefficient) for atom, coefficient in index.terms)

    def atom(self, atom: Atom) -> Key:
        match atom:
            case LoopVar():
                if atom in self.variables:
                    return ("own", self.variables[atom])
                return ("around", self.depths[atom], atom.extent)
            case Dynamic():
                return ("read", self.expr(atom.value), atom.low, atom.high)
            case Least():
                return (Least, self.index(atom.index), atom.most)
            case Quotient():
                return (Quotient, self.index(atom.dividend), atom.divisor)
            case Remainder():
                return (Remainder, self.index(atom.dividend), atom.divisor)
