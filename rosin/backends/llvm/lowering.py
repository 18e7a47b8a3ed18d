"""The table from elementwise ops to LLVM, gathered from the files that are named as those of the ops."""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.ops import arithmetic, cast, exactly, exponential, foreign, logic, special, trigonometric
from rosin.backends.llvm.ops.exactly import emit_exact
from rosin.backends.llvm.ops.formula import emit_formula
from rosin.backends.llvm.ops.special import OF_FLOATS
from rosin.ir.dtypes import DType
from rosin.ir.errors import UnsupportedError
from rosin.ir.formula import Formula
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops.exactly import Exact, Rounded

Rule = Callable[..., Val]

TYPED: dict[type[Op], Rule] = {**arithmetic.EMIT, **logic.EMIT, **cast.EMIT, **exactly.EMIT, **foreign.EMIT}
"""Rules that need the op and the type of its operands: (emitter, op, dtype, *operands)."""

MATHEMATICS: dict[type[Op], Rule] = {**exponential.EMIT, **trigonometric.EMIT, **special.EMIT}
"""Functions of floats, f32 and f64: (emitter, *operands), and the op first where it has attributes."""

OWN_WIDTH = {*logic.EMIT, *cast.EMIT, Rounded}
"""Ops that take narrow floats as they are, since no arithmetic is done on them."""


def lower(e: Emitter, op: Elementwise, dtypes: tuple[DType, ...], args: tuple[Val, ...]) -> Val:
    """The op on values in registers, all of one number of lanes. Narrow floats are computed in f32 and rounded back.

    Raises:
        UnsupportedError: the backend has no rule for the op.
    """
    kind = type(op)
    dtype = dtypes[-1]
    narrow = dtype.is_float and dtype.bits == 16 and kind not in OWN_WIDTH
    if narrow:
        args = tuple(cast.widen(e, a, d) for a, d in zip(args, dtypes, strict=True))
    if kind in TYPED:
        result = TYPED[kind](e, op, dtype.accumulator if narrow else dtype, *args)
    elif kind in MATHEMATICS:
        rule = MATHEMATICS[kind]
        result = rule(e, op, *args) if op.attributes() else rule(e, *args)
    elif isinstance(op, Exact):
        result = emit_exact(e, op, dtype, lower, *args)
    elif isinstance(op, Formula):
        of_floats = OF_FLOATS.get(op.name) if args[0].elem == "float" else None
        result = of_floats(e, *args) if of_floats else emit_formula(e, op, lower, args)
    else:
        raise UnsupportedError(f"the llvm target has no rule for {op.name}")
    if narrow and op.result_dtype(dtype) == dtype:
        result = cast.narrow(e, result, dtype, simple_nan=True)
    return result
