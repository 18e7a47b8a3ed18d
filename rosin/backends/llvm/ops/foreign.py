"""LLVM for C functions of scalars: a call for each lane."""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.emit import Emitter, Val
from rosin.ir.dtypes import DType
from rosin.ir.op import Op
from rosin.ir.ops.foreign import ForeignScalar


def emit_scalar(e: Emitter, op: ForeignScalar, dtype: DType, *args: Val) -> Val:
    elem, lanes = args[0].elem, args[0].lanes

    def call(scalars: tuple[Val, ...]) -> Val:
        address = f"inttoptr (i64 {op.function.address} to ptr)"
        return e.define(f"call {elem} {address}({', '.join(x.typed for x in scalars)})", elem)

    if lanes == 1:
        return call(args)
    result = Val("poison", elem, lanes)
    for lane in range(lanes):
        one = call(tuple(e.define(f"extractelement {x.typed}, i64 {lane}", elem) for x in args))
        result = e.define(f"insertelement {result.typed}, {one.typed}, i64 {lane}", elem, lanes)
    return result


EMIT: dict[type[Op], Callable[..., Val]] = {ForeignScalar: emit_scalar}
