"""Expressions of a kernel: each is computed once for the scope it stands in, or before a loop that leaves it be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.lowering import lower
from rosin.backends.llvm.memory import Memory
from rosin.backends.llvm.ops.cast import convert
from rosin.backends.llvm.types import register_type
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType, i32, i64
from rosin.ir.index import Dynamic, Index, LoopVar, inner
from rosin.ir.loops import (
    Apply,
    Const,
    Dot,
    Expr,
    FromIndex,
    Guard,
    Load,
    Local,
    Loop,
    Products,
    Statement,
    While,
    decides,
    values,
)
from rosin.ir.ops.arithmetic import Div
from rosin.ir.ops.cast import Cast

_DOTS = {
    ("u8", "i8"): ("llvm.x86.avx512.vpdpbusd", "i8"),
    ("bf16", "bf16"): ("llvm.x86.avx512bf16.dpbf16ps", "bfloat"),
}

_MOST_WORDS = 16


class Expressions(Memory):
    """The values of expressions."""

    def expr(self, expr: Expr) -> Val:
        match expr:
            case Const():
                return self.e.const(expr.value, register_type(expr.dtype))
            case Local():
                return self.e.read(self.running[expr]) if expr in self.running else self.known(expr)
            case _:
                found = self.known(id(expr))
                if found is None:
                    found = self._emit(expr)
                    self.frames[-1][id(expr)] = found
                return found

    def _emit(self, expr: Expr) -> Val:
        match expr:
            case Load():
                return self.load(expr)
            case Apply(op=Cast(), args=(FromIndex() as counted,)) if counted.dtype == i64 and counted.index.terms:
                return self._from_index(counted.index, expr.dtype)
            case Apply():
                args = [self.expr(a) for a in expr.args]
                lanes = max(a.lanes for a in args)
                wide = tuple(self.wide(a, lanes) for a in args)
                size = _size(expr.args[1]) if isinstance(expr.op, Div) and expr.dtype.bits >= 32 else None
                if size is not None:
                    return self._by_size(wide[0], wide[1], size, expr.dtype)
                return lower(self.e, expr.op, tuple(a.dtype for a in expr.args), wide)
            case FromIndex():
                return self._from_index(expr.index, expr.dtype)
            case Dot():
                lanes = max(self.expr(expr.left).lanes, self.expr(expr.right).lanes)
                return self.dot(expr, self.e.const(0, register_type(expr.dtype), lanes))
            case Guard():
                return self.guarded(expr)
            case _:
                raise AssertionError(f"no such expression: {type(expr).__name__}")

    def dot(self, expr: Dot, total: Val) -> Val:
        """A number, and added to it the products of what is in two words, by the instruction for that."""
        return self._dot(expr, total, *(self.wide(self.expr(side), total.lanes) for side in (expr.left, expr.right)))

    def _dot(self, expr: Dot, total: Val, left: Val, right: Val) -> Val:
        lanes = total.lanes
        if lanes > _MOST_WORDS:
            half = lanes // 2
            each = [[self.e.take(v, range(at, at + half)) for v in (total, left, right)] for at in (0, half)]
            low, high = (self._dot(expr, *parts) for parts in each)
            return self.e.shuffle(low, high, range(lanes))
        assert lanes in (4, 8, 16), "words are multiplied in whole registers"
        name, kind = _DOTS[expr.of_left.name, expr.of_right.name]
        name = f"{name}.{lanes * 32}"
        vector = f"<{lanes * 32 // expr.of_left.bits} x {kind}>"
        parts = [self.e.define(f"bitcast {side.typed} to {vector}", kind) for side in (left, right)]
        self.e.declarations.add(f"declare {total.type} @{name}({total.type}, {vector}, {vector})")
        words = ", ".join(f"{vector} {part.ref}" for part in parts)
        return self.e.define(f"call {total.type} @{name}({total.typed}, {words})", total.elem, lanes)

    def _from_index(self, index: Index, dtype: DType) -> Val:
        """An index as a number of any type."""
        base, step, spread = self.place(index)
        if step == 0 or not isinstance(step, int) or spread is not None or not dtype.is_integer:
            if dtype.is_float and (short := self.short_index(index)) is not None:
                return convert(self.e, short, i32, dtype)
            return convert(self.e, self.lane_index(index), i64, dtype)
        # Integers wrap around, so that lanes are counted in the narrow type: i64 takes twice the registers of i32.
        start = convert(self.e, base, i64, dtype)
        return self.e.add(self.e.splat(start, self.lanes), self.ramp(step, start.elem))

    def wide(self, x: Val, lanes: int) -> Val:
        """`x` in every lane; what a loop does not change was spread before it."""
        if x.lanes == lanes or not x.ref.startswith("%"):
            return self.e.splat(x, lanes)
        found = self.known(("wide", x.ref, lanes))
        if found is None:
            found = self.frames[-1]["wide", x.ref, lanes] = self.e.splat(x, lanes)
        return found

    def _by_size(self, dividend: Val, divisor: Val, size: Dim, dtype: DType) -> Val:
        """A quotient by a size. Where that is a power of two, it is a product: exact, and what a number would get."""
        e, head, elem = self.e, self.head, divisor.elem
        number = convert(head, self.dim(size), i64, dtype)
        mantissa = (1 << (23 if elem == "float" else 52)) - 1
        word = f"i{dtype.bits}"
        rest = head.bit_and(head.bitcast(number, word), head.const(mantissa, word))
        exact = head.icmp("eq", rest, head.const(0, word))
        reciprocal = head.fdiv(head.const(1.0, elem), number)
        result = e.variable(elem, dividend.lanes, hint="quotient")
        e.either(
            exact,
            lambda: e.write(e.fmul(dividend, e.splat(reciprocal, dividend.lanes)), result),
            lambda: e.write(e.fdiv(dividend, divisor), result),
        )
        return e.read(result)

    def guarded(self, expr: Guard) -> Val:
        scalar, vector = self.tests(expr.tests)
        otherwise = self.expr(expr.otherwise)
        saved = self.guard, self.mask
        if scalar is not None:
            self.guard = scalar if self.guard is None else self.e.bit_and(self.guard, scalar)
        if vector is not None:
            self.mask = vector if self.mask is None else self.e.bit_and(self.mask, vector)
        with self.frame():
            load = expr.then if isinstance(expr.then, Load) and is_zero_const(expr.otherwise) else None
            read = None if load is None else self.read_masked(load)
            then = read or self.expr(expr.then)
        self.guard, self.mask = saved
        if read is not None:
            return read
        lanes = max(then.lanes, otherwise.lanes, 1 if vector is None else vector.lanes)
        then, otherwise = self.e.splat(then, lanes), self.e.splat(otherwise, lanes)
        if vector is not None:
            condition = vector if scalar is None else self.e.bit_and(vector, self.e.splat(scalar, lanes))
        else:
            assert scalar is not None
            condition = scalar
        return self.e.select(condition, then, otherwise)

    # -- what a loop does not change is computed before it -----------------------------------------------------------

    def hoist(self, statements: Sequence[Statement], lanes: int) -> None:
        """Compute what statements in a loop of so many lanes find the same each time."""
        seen: set[int] = set()
        ready: dict[frozenset[Any], bool] = {}
        for top in _tops(statements):
            self._hoist(top, seen, ready, lanes)

    def _hoist(self, expr: Expr, seen: set[int], ready: dict[frozenset[Any], bool], lanes: int) -> None:
        """`ready` says of needs whether they are known here; many expressions have the same."""
        if id(expr) in seen or isinstance(expr, Const):
            return
        seen.add(id(expr))
        needs = self._needs(expr)
        if needs not in ready:
            ready[needs] = all(map(self._is_known, needs))
        if ready[needs]:
            value = self.expr(expr)
            if value.lanes < lanes and value.ref.startswith("%"):
                self.frames[-1]["wide", value.ref, lanes] = self.wide(value, lanes)
            return
        # What stands under a guard may not be read outside of it.
        children = (expr.otherwise,) if isinstance(expr, Guard) else expr.children()
        for child in children:
            self._hoist(child, seen, ready, lanes)
        for index in () if isinstance(expr, Guard) else expr.indices():
            for atom in index.dynamics():
                self._hoist(atom.value, seen, ready, 1)

    def _is_known(self, need: Any) -> bool:
        """Whether what an expression depends on is the same in every iteration from here on."""
        if need in self.variables:
            return True
        return isinstance(need, Local) and need not in self.running and self.known(need) is not None

    def _needs(self, expr: Expr) -> frozenset[Any]:
        """The variables, locals and written buffers that an expression depends on."""
        found = self.needs.get(id(expr))
        if found is None:
            needs: set[Any] = set()
            if isinstance(expr, Local):
                needs.add(expr)
            if isinstance(expr, Load) and expr.buffer in self.written:
                needs.add(expr.buffer)
            for child in expr.children():
                needs |= self._needs(child)
            for index in expr.indices():
                needs |= self._index_needs(index)
            found = self.needs[id(expr)] = frozenset(needs)
        return found

    def _index_needs(self, index: Index) -> set[Any]:
        needs: set[Any] = set()
        for atom, _ in index.terms:
            if isinstance(atom, LoopVar):
                needs.add(atom)
            elif isinstance(atom, Dynamic):
                needs |= self._needs(atom.value)
            else:
                needs |= self._index_needs(inner(atom))
        return needs


def is_zero_const(expr: Expr) -> bool:
    """Whether it is the number whose bits are all 0."""
    return isinstance(expr, Const) and not np.asarray(expr.value, expr.dtype.numpy).tobytes().strip(b"\0")


def _size(expr: Expr) -> Dim | None:
    """The size that the expression is, as a float."""
    if isinstance(expr, Apply) and isinstance(expr.op, Cast):
        (arg,) = expr.args
        if isinstance(arg, FromIndex) and arg.dtype == i64 and not arg.index.terms:
            return arg.index.constant
    return None


def _tops(statements: Sequence[Statement]) -> Iterator[Expr]:
    """The expressions of statements that run in every iteration; what stands under a `when`, say, may not."""
    for statement in statements:
        if isinstance(statement, Products):
            continue
        yield from values(statement)
        if isinstance(statement, Loop) and statement.var.extent != 0 and not decides(statement):
            yield from _tops(statement.body)
        elif isinstance(statement, While):
            yield from _tops(statement.test)
