"""Functions of complex numbers by their parts.

XLA has most of them, with infinities and branch cuts of its own; by their parts they are what they are on every target.
"""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Ref, Refs
from rosin.ir.loops import Local
from rosin.ir.op import Op, Types
from rosin.ir.ops import arithmetic, cast, logic
from rosin.ir.ops import complex as cx
from rosin.ir.scalar import Pair, Real
from rosin.passes.parts.split import FUNCTIONS

NATIVE = frozenset(
    {
        *(arithmetic.Add, arithmetic.Sub, arithmetic.Mul, arithmetic.Neg),
        *(cx.Real, cx.Imag, cx.Conj, cx.Complex),
        *(logic.Equal, logic.NotEqual, logic.IsFinite, logic.IsNan, logic.Select, cast.Cast),
    }
)
"""Ops of which XLA's meaning is ours."""


def goes_by_parts(op: Op, operands: Refs) -> bool:
    """Whether the op is a function of complex numbers that is written by their parts."""
    return type(op) in FUNCTIONS and type(op) not in NATIVE and operands[0].dtype.is_complex


def by_parts(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """The op on real and imaginary parts."""
    values: dict[Local, Ref] = {}
    pairs: list[Pair] = []
    for position, x in enumerate(operands):
        part = x.type.with_dtype(x.dtype.part)
        locals = Local(f"re{position}", part.dtype), Local(f"im{position}", part.dtype)
        values[locals[0]] = e.one("stablehlo.real", x, result=part)
        values[locals[1]] = e.one("stablehlo.imag", x, result=part)
        pairs.append((Real(locals[0]), Real(locals[1])))
    found = FUNCTIONS[type(op)](*pairs)
    shape = results[0].sizes
    if isinstance(found, Real):
        return (e.expression(found.expr, values, shape),)
    planes = e.expressions([part.expr for part in found], values, shape)
    return e.op("stablehlo.complex", planes, *results)
