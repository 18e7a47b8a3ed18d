"""What Python does while a program runs: printing, checks, and functions of the user's.

Operand 0 says when it is done: a truth value, or one for each example of a batch, whose axes then lead in all other
operands and in the results. So a batch of these ops is one op that goes over its examples in order, and an example that
a branch or a loop has no part for is left out. Results of examples that are left out are zeros.

Prints, checks and the functions that may do something besides giving results have an effect: they are kept, in order.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Callable, Sequence
from string import Formatter
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from rosin.ir import dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.errors import CheckError, NanError, OutOfRangeError, RosinError, located
from rosin.ir.host import HostFunction
from rosin.ir.location import Location
from rosin.ir.op import Arrays, Maybe, NumpyArray, Op, Types, Undifferentiable, Value, Values, define
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder
    from rosin.ir.graph import Graph

Where: TypeAlias = "tuple[str, int, str, int, int] | None"
"""The fields of the user's place in their program, which is a part of what the op says."""

ERRORS: dict[str, type[CheckError]] = {"check": CheckError, "index": OutOfRangeError, "nan": NanError}
"""The kinds of checks, and what one raises that fails."""


class Host(Op):
    """An op that Python computes, example by example. Operand 0 says in which ones it is done."""

    @property
    def given(self) -> tuple[TensorType, ...]:
        """The types of the results for one example."""
        return ()

    @abstractmethod
    def call(self, place: tuple[int, ...], *operands: NumpyArray) -> Sequence[NumpyArray]:
        """The results for the example at `place` of the batch, of its operands after the first."""

    def type(self, *operands: TensorType) -> Types:
        if not operands or operands[0].dtype != dtypes.bool_:
            found = operands[0] if operands else "missing"
            self.bad_dtype(operands, f"operand 0 says by truth values when it is done; it is {found}")
        lanes = operands[0].shape
        for position, operand in enumerate(operands[1:], 1):
            if not facts.same_shape(operand.shape[: len(lanes)], lanes):
                axes = f"the axes {operands[0]} of the batch do not lead in {operand}"
                self.bad_shape(operands, f"operand {position}: {axes}")
        return tuple(t.with_shape((*lanes, *t.shape)) for t in self.given)

    def eval(self, *operands: NumpyArray) -> Arrays:
        when, *rest = operands
        results = tuple(np.zeros((*when.shape, *t.sizes), t.dtype.numpy) for t in self.given)
        for place in np.ndindex(when.shape):
            if when[place]:
                # Copies, since a function may keep or change what it is given.
                found = self.call(place, *(np.array(x[place]) for x in rest))
                for result, part in zip(results, found, strict=True):
                    result[place] = part
        return results

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, *(b.batch_front(v, flag, size) for v, flag in zip(operands, batched, strict=True)))

    def only_where(self, b: Builder, taken: Value, operands: Values, guard: Callable[[Graph], Graph]) -> Values:
        return b.node(self, b.logical_and(operands[0], taken), *operands[1:])


class Statement(Host):
    """A host op without results, so that derivatives pass it by."""

    effect = True

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return ()

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        return ()

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        return (None,) * len(operands)


@define("print")
class Print(Statement):
    """Writes a line to `sys.stdout`: `format`, whose fields are filled with the operands after the first."""

    format: str

    def call(self, place: tuple[int, ...], *operands: NumpyArray) -> Sequence[NumpyArray]:
        sys.stdout.write(filled(self.format, operands) + "\n")
        return ()


@define("check")
class Check(Statement):
    """Raises an error where operand 0 holds: `message`, whose fields are filled with the other operands."""

    message: str
    kind: str
    where: Where

    def type(self, *operands: TensorType) -> Types:
        if self.kind not in ERRORS:
            self.bad_attribute(operands, f"the kind is one of {', '.join(ERRORS)}, not {self.kind}")
        return super().type(*operands)

    def call(self, place: tuple[int, ...], *operands: NumpyArray) -> Sequence[NumpyArray]:
        text = filled(self.message, operands)
        if place:
            text += f"\n  in example {', '.join(map(str, place))} of the batch"
        raise ERRORS[self.kind](text, (), place_of(self.where))


class _Formatter(Formatter):
    """Writes numbers, where nothing is said of how, as `str` does, and each number of an array as is said."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if not format_spec:
            return str(value)
        if np.ndim(value):
            array: NumpyArray = np.asarray(value)
            return np.array2string(array, formatter={"all": lambda x: format(x, format_spec)})
        return super().format_field(value, format_spec)


def filled(format: str, operands: Sequence[NumpyArray]) -> str:
    """The text of a format; a scalar fills its field as the number that it is."""
    return _Formatter().vformat(format, [x[()] for x in operands], {})


class Callback(Host, Undifferentiable):
    """A Python function of NumPy arrays, `function`, whose results have the types `results`."""

    function: HostFunction
    results: tuple[TensorType, ...]
    where: Where

    @property
    def given(self) -> tuple[TensorType, ...]:
        return self.results

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        if any(t.dtype.differentiable for t in self.results):
            return super().jvp(b, operands, results, tangents)
        return (None,) * len(results)

    def call(self, place: tuple[int, ...], *operands: NumpyArray) -> Sequence[NumpyArray]:
        return self.called(operands, self.results)

    def called(self, operands: Sequence[NumpyArray], expected: Types) -> Sequence[NumpyArray]:
        """The results of the function, which have to be of these types."""
        with located(place_of(self.where)):
            found = self.function.function(*operands)
            if len(found) != len(expected):
                counts = f"{len(found)} results, and {len(expected)} are expected"
                raise RosinError(f"{self.name}: {self.function.name} gives {counts}")
            return [self._as(x, t, i) for i, (x, t) in enumerate(zip(found, expected, strict=True))]

    def _as(self, x: Any, expected: TensorType, position: int) -> NumpyArray:
        """A result as an array; a Python number takes the expected element type."""
        array: NumpyArray = np.asarray(x, expected.dtype.numpy if isinstance(x, bool | int | float | complex) else None)
        if array.dtype != expected.dtype.numpy or array.shape != expected.sizes:
            found = f"an array of {array.dtype} and shape {array.shape}"
            message = f"{self.name}: result {position} of {self.function.name} is {found}, not {expected}"
            raise RosinError(message)
        return array


@define("pure_callback")
class PureCallback(Callback):
    """A Python function that does nothing but give results which depend on its operands alone.

    It may be called less often than the program says, or more often. One that is `vectorized` is called for a whole
    batch at once: its operands have one more axis then, in front, and so have its results.
    """

    function: HostFunction
    results: tuple[TensorType, ...]
    where: Where
    vectorized: bool = False

    reason: ClassVar[str] = (
        "a Python function is a black box; a custom_jvp around it can say what its derivative is, and stop_gradient "
        "that it has none"
    )

    def eval(self, *operands: NumpyArray) -> Arrays:
        when, *rest = operands
        if not self.vectorized or not when.ndim:
            return super().eval(*operands)
        results = tuple(np.zeros((*when.shape, *t.sizes), t.dtype.numpy) for t in self.given)
        count = int(np.count_nonzero(when))
        if count:
            expected = tuple(t.with_shape((count, *t.shape)) for t in self.results)
            found = self.called([np.array(x[when]) for x in rest], expected)
            for result, part in zip(results, found, strict=True):
                result[when] = part
        return results


@define("io_callback")
class IoCallback(Callback):
    """A Python function that may do anything: it is called once for each time the program comes by, in order."""

    function: HostFunction
    results: tuple[TensorType, ...]
    where: Where

    effect: ClassVar[bool] = True
    reason: ClassVar[str] = "a Python function with effects is a black box; stop_gradient says that it has none"


def place_of(where: Where) -> Location | None:
    """The place that an attribute tells."""
    return None if where is None else Location(*where)


def where_of(location: Location | None) -> Where:
    """A place as an attribute."""
    if location is None:
        return None
    return (location.file, location.line, location.function, location.column, location.end_column)
