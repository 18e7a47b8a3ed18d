"""Ops that Python computes on the CPU that the program runs on: XLA calls back by a number. There is no other way.

Those that have an effect are kept in order by a token, a number that each takes from the one before and hands on.
"""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Refs
from rosin.ir.dtypes import i32
from rosin.ir.op import Op, Types
from rosin.ir.types import TensorType

TARGET = "xla_ffi_python_cpu_callback"
"""What XLA's compiler for the CPU knows the function by that calls Python."""

HOSTED = frozenset({"print", "check", "pure_callback", "io_callback", "foreign_scalar", "foreign_call", "eig"})
"""Those that Python computes where they have no lowering."""


def by_python(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """A call of Python, which computes the op by its NumPy meaning."""
    assert e.hosted is not None
    number, token = len(e.hosted), TensorType(i32)
    e.hosted.append(op)
    effect = "true" if op.effect else "false"
    attributes = f"{{api_version = 4 : i32, has_side_effect = {effect}, backend_config = {{index = {number} : ui64}}}}"
    if op.effect:
        before = e.token or e.constant(0, token)
        operands, results = (before, *operands), (token, *results)
    names = ", ".join(x.name for x in operands)
    found = e.written(f"stablehlo.custom_call @{TARGET}({names}) {attributes}", operands, *results)
    if not op.effect:
        return found
    e.token, *rest = found
    return tuple(rest)
