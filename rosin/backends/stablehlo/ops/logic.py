"""Comparisons, truth and bit logic, shifts, selection, and questions about floats."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs
from rosin.backends.stablehlo.ops.native import native
from rosin.ir.op import Op, Types
from rosin.ir.ops import logic as ops


def _comparison(direction: str) -> Lower:
    def lower(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
        return (e.compare(direction, *operands),)

    return lower


def _shift_right(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    kind = "arithmetic" if operands[0].dtype.kind == "int" else "logical"
    return e.op(f"stablehlo.shift_right_{kind}", operands, *results)


def parts(e: Emitter, x: Ref) -> Refs:
    """The real and the imaginary part of a complex number; a real one by itself."""
    if not x.dtype.is_complex:
        return (x,)
    part = x.type.with_dtype(x.dtype.part)
    return e.one("stablehlo.real", x, result=part), e.one("stablehlo.imag", x, result=part)


def _is_finite(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    found = [e.one("stablehlo.is_finite", x, result=results[0]) for x in parts(e, operands[0])]
    return (found[0] if len(found) == 1 else e.both(*found),)


def _is_nan(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    found = [e.compare("NE", x, x) for x in parts(e, operands[0])]
    return (found[0] if len(found) == 1 else e.either(*found),)


LOWER: dict[type[Op], Lower] = {
    ops.Equal: _comparison("EQ"),
    ops.NotEqual: _comparison("NE"),
    ops.Less: _comparison("LT"),
    ops.LessEqual: _comparison("LE"),
    ops.Greater: _comparison("GT"),
    ops.GreaterEqual: _comparison("GE"),
    ops.And: native("and"),
    ops.Or: native("or"),
    ops.Xor: native("xor"),
    ops.Not: native("not"),
    ops.ShiftLeft: native("shift_left"),
    ops.ShiftRight: _shift_right,
    ops.IsFinite: _is_finite,
    ops.IsNan: _is_nan,
    ops.Select: native("select"),
}
