"""C functions by their addresses, which native code calls without Python: of scalars, and of whole arrays."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.host import NativeFunction
from rosin.ir.op import (
    Arrays,
    Cost,
    Elementwise,
    NumpyArray,
    Partial,
    Routine,
    Task,
    Types,
    Undifferentiable,
    Value,
    Values,
    define,
    elements,
)
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

SCALARS = frozenset({dtypes.f32, dtypes.f64, dtypes.i32, dtypes.i64, dtypes.u32, dtypes.u64})
"""The element types that C passes by value as we do."""
ROUTINE = "foreign_"
"""What the names of the routines start with that call C functions of whole arrays."""
REASON = (
    "a C function is a black box; its jvp or vjp can say what the derivative is, and stop_gradient that it has none"
)


@define("foreign_scalar")
class ForeignScalar(Undifferentiable, Elementwise):
    """`T f(T, …)` of `count` scalars of one type, at every place. It has to be pure, for any numbers, on any thread."""

    function: NativeFunction
    count: int
    dtype: DType

    accepts = SCALARS
    flops = 50
    slow_in_numpy = True
    reason: ClassVar[str] = REASON

    def type(self, *operands: TensorType) -> Types:
        if self.dtype not in SCALARS:
            self.bad_attribute(operands, f"a C function takes f32, f64, or integers of 32 or 64 bits, not {self.dtype}")
        self.expect(operands, self.count)
        if not operands or self.same_dtype(operands) != self.dtype:
            self.bad_dtype(operands, f"{self.function.name} takes operands of {self.dtype}")
        self.same_shape(operands)
        return operands[:1]

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        call: Callable[..., Any] = self.function.function
        result: NumpyArray = np.empty(operands[0].shape, self.dtype.numpy)
        for place in np.ndindex(result.shape):
            result[place] = call(*(x[place].item() for x in operands))
        return result

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        raise AssertionError("an op without a derivative is not asked for partials")


@define("foreign_call")
class ForeignCall(Undifferentiable, Routine):
    """`void f(const A*, …, R*, …, int64_t, …)`: pointers to operands and to results, then `numbers`.

    Operands and results of one call have the types `taken` and `given`. In front they have `lanes` axes of a batch, for
    each example of which the function is called.
    """

    function: NativeFunction
    taken: tuple[TensorType, ...]
    given: tuple[TensorType, ...]
    numbers: tuple[Dim, ...]
    lanes: int = 0

    reason: ClassVar[str] = REASON

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, len(self.taken))
        if not self.given:
            self.bad_attribute(operands, f"{self.function.name} has no result")
        if self.lanes and not operands:
            self.bad_shape(operands, "without operands there is no batch")
        lead = operands[0].shape[: self.lanes] if operands else ()
        for position, (operand, type) in enumerate(zip(operands, self.taken, strict=True)):
            expected = type.with_shape((*lead, *type.shape))
            if operand.dtype != type.dtype:
                self.bad_dtype(operands, f"operand {position} is {operand}, not {expected}")
            if len(lead) < self.lanes or not facts.same_shape(operand.shape, expected.shape):
                self.bad_shape(operands, f"operand {position} is {operand}, not {expected}")
        return tuple(t.with_shape((*lead, *t.shape)) for t in self.given)

    def eval(self, *operands: NumpyArray) -> Arrays:
        lead = operands[0].shape[: self.lanes] if operands else ()
        results = tuple(np.empty((*lead, *t.sizes), t.dtype.numpy) for t in self.given)
        given = [np.ascontiguousarray(x) for x in operands]
        pointers = [ctypes.c_void_p] * (len(given) + len(results))
        call = ctypes.CFUNCTYPE(None, *pointers, *[ctypes.c_int64] * len(self.numbers))(self.function.address)
        examples = math.prod(lead)
        for example in range(examples):
            call(*(x.ctypes.data + x.nbytes // examples * example for x in (*given, *results)), *self.numbers)
        return results

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        inner = replace(self, lanes=self.lanes + 1)
        return b.node(inner, *(b.batch_front(v, flag, size) for v, flag in zip(operands, batched, strict=True)))

    def cost(self, operands: Types, results: Types) -> Cost:
        every = (*operands, *results)
        return Cost(8 * sum(map(elements, every)), sum(t.bytes for t in every))

    def task(self, types: Types) -> Task:
        lead = types[0].shape[: self.lanes] if types else ()
        strides = tuple(t.size * t.dtype.bytes for t in (*self.taken, *self.given))
        name = f"{ROUTINE}{len(types)}_{len(self.given)}_{len(self.numbers)}_{self.function.label}"
        return Task(name, (*strides, *self.numbers), dims.product(lead), 0)
