"""Sorting along the last axis, in NumPy's order, and the greatest elements."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs
from rosin.ir.dtypes import i32
from rosin.ir.op import Op, Types
from rosin.ir.ops import sort as ops
from rosin.ir.types import TensorType


def _sorted(e: Emitter, operands: Sequence[Ref], descending: bool) -> Refs:
    axis = len(operands[0].shape) - 1
    return e.call(
        "stablehlo.sort",
        operands,
        *(x.type for x in operands),
        attributes=f"dimension = {axis} : i64, is_stable = true",
        regions=(_before(e, operands, descending),),
    )


def _before(e: Emitter, operands: Sequence[Ref], descending: bool) -> str:
    """Whether the first of two elements comes before the second. A NaN is greater than every number."""
    types = [TensorType(x.dtype) for x in operands for _ in range(2)]
    names = [name for i in range(len(operands)) for name in ((f"left_{i}", f"right_{i}") if i else ("left", "right"))]
    inputs = e.inputs(types, names)

    def body() -> list[Ref]:
        small, large = (inputs[1], inputs[0]) if descending else (inputs[0], inputs[1])
        less = e.compare("LT", small, large)
        if not small.dtype.is_float:
            return [less]
        only = e.both(e.compare("EQ", small, small), e.compare("NE", large, large))
        return [e.either(less, only)]

    return e.region(inputs, body)


def _sort(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Sorting)
    return _sorted(e, operands, op.descending)


def _argsort(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Sorting)
    return (_places(e, operands[0], op.descending),)


def _places(e: Emitter, x: Ref, descending: bool) -> Ref:
    """The places of the sorted elements."""
    result = x.type.with_dtype(i32)
    (places,) = e.op("stablehlo.iota", (), result, attributes=f"dim = {result.rank - 1}")
    return _sorted(e, (x, places), descending)[1]


def _top_k(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    places, (result,) = _places(e, operands[0], descending=True), results
    parts = ", ".join(f"0:{size}" for size in result.sizes)
    return e.op("stablehlo.slice", (places,), result, attributes=f" [{parts}]")


LOWER: dict[type[Op], Lower] = {ops.Sort: _sort, ops.ArgSort: _argsort, ops.TopK: _top_k}
