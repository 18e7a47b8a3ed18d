"""Functions put together of exactly rounded operations: XLA's compilers are kept from fusing products with sums."""

from __future__ import annotations

import ml_dtypes

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs, widened
from rosin.ir.loops import Apply, Expr, Local, walk
from rosin.ir.op import Op, Types
from rosin.ir.ops import exactly as ops
from rosin.ir.ops.arithmetic import Mul


def held(e: Emitter, x: Ref) -> Ref:
    """x, in a form in which no compiler sees that it is a product: it is twice itself where it is -∞ or NaN."""
    return e.select(_is_number(e, x), x, e.add(x, x))


def _is_number(e: Emitter, x: Ref) -> Ref:
    """Whether x is neither -∞ nor NaN."""
    return e.compare("GE", x, e.like(float(ml_dtypes.finfo(x.dtype.numpy).min), x))


def exact_expression(e: Emitter, expr: Expr, local: Local, x: Ref) -> Ref:
    """An expression of exactly rounded operations, whose products are rounded each."""
    products = [part for part in walk(expr) if isinstance(part, Apply) and isinstance(part.op, Mul)]
    return e.expressions((expr,), {local: x}, x.shape, {id(p) for p in products if p.dtype.is_float}, held)[0]


def _exact(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Exact)
    (x,) = operands
    local = Local("x", x.dtype)
    return (exact_expression(e, op.expression(local), local, x),)


def _rounded(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    return (held(e, *operands),)


def _div(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """Twice the divisor gives the same for what is -∞ or NaN, and no compiler sees that the divisor is a constant."""
    x, y = operands
    return (e.div(x, e.select(_is_number(e, x), y, e.add(y, y))),)


LOWER: dict[type[Op], Lower] = {
    ops.Rounded: _rounded,
    ops.ExactDiv: widened(_div),
    ops.ExactLog: _exact,
    ops.ExactLogOfNormal: _exact,
    ops.ExactLog1p: _exact,
    ops.ExactExp: _exact,
    ops.ExactTan: _exact,
    ops.ExactErf: _exact,
    ops.ExactErfc: _exact,
    ops.ExactErfinv: _exact,
    ops.ExactErfcinv: _exact,
    ops.ExactLgamma: _exact,
}
