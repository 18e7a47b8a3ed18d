"""Functions put together of exactly rounded operations: these, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.types import register_type
from rosin.ir.dtypes import DType
from rosin.ir.loops import Apply, Const, Local, walk
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops import exactly as ops

Lower: TypeAlias = Callable[[Emitter, Elementwise, tuple[DType, ...], tuple[Val, ...]], Val]


def emit_exact(e: Emitter, op: ops.Exact, dtype: DType, lower: Lower, x: Val) -> Val:
    """The function of x; `lower` writes the operations."""
    local = Local("x", dtype)
    expr = op.expression(local)
    known: dict[int, Val] = {id(local): x}
    for part in walk(expr):
        if isinstance(part, Const):
            known[id(part)] = e.const(part.value, register_type(part.dtype), x.lanes)
        elif isinstance(part, Apply):
            args = tuple(known[id(arg)] for arg in part.args)
            known[id(part)] = lower(e, part.op, tuple(arg.dtype for arg in part.args), args)
    return known[id(expr)]


def _rounded(e: Emitter, op: Elementwise, dtype: DType, x: Val) -> Val:
    """Nothing is to be done: sums and products that IR does not ask to be fused are instructions of their own."""
    return x


def _div(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    return e.fdiv(x, y)


EMIT: dict[type[Op], Callable[..., Val]] = {ops.Rounded: _rounded, ops.ExactDiv: _div}
