"""What a traced loop can run over: a range with a traced or symbolic bound, the elements of a traced array, and `zip`,
`enumerate` and `reversed` of these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.errors import ControlFlowError
from rosin.frontend.sizes import Size, as_dim, plain_array, sized
from rosin.ir import dtypes, facts
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError
from rosin.ir.ops.index import DynamicSlice

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Count = Any
"""A number of steps: a Python integer, a symbolic size, or a traced integer."""


class Steps(ABC):
    """The items of a loop."""

    length: Count

    @abstractmethod
    def stacked(self) -> list[Array]:
        """The arrays of which each step takes one element along axis 0."""

    @abstractmethod
    def item(self, elements: Sequence[Array], step: Any) -> Any:
        """The item of a step, counted from 0, given its elements of what is stacked."""

    @abstractmethod
    def after(self, first: int) -> Steps:
        """The items without the first ones."""

    def at(self, step: Any) -> Any:
        """The item of a step."""
        return self.item([_element(x, step) for x in self.stacked()], step)

    def __iter__(self) -> Iterator[Any]:
        """The items one by one, for Python."""
        if not is_size(self.length):
            tr.no_value(self.length, "a loop that Python runs needs the number of its steps", "use a `for` statement")
        return (self.at(i) for i in range(self.length))


def is_size(length: Count) -> TypeGuard[int | Size]:
    """Whether there are as many steps as some axis may have elements: known, or symbolic."""
    return isinstance(length, int | Size)


def _element(x: Array, step: Any) -> Array:
    """The element of a step, which is never negative and never too large."""
    if isinstance(step, int):
        return x[step]
    rest = core.shape_of(x)[1:]
    origin = core.asarray(0, core.dtype_of(step))
    return rnp.reshape(core.bind1(DynamicSlice((1, *rest)), x, step, *[origin] * len(rest)), rest)


class Elements(Steps):
    """Those of an array along axis 0."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.length: Count = sized(core.shape_of(array)[0])

    def stacked(self) -> list[Array]:
        return [self.array]

    def item(self, elements: Sequence[Array], step: Any) -> Any:
        return elements[0]

    def after(self, first: int) -> Elements:
        return Elements(self.array[first:])


class Range(Steps):
    """`range`, one of whose numbers is traced; or a known one that goes on as a traced loop."""

    def __init__(self, start: Any, stop: Any, step: Any = 1) -> None:
        self.start, self.stop, self.step = start, stop, step
        self.length: Count
        if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
            self.length = len(range(start, stop, step))
            return
        if isinstance(step, int) and step == 0:
            raise ValueError("range() arg 3 must not be zero")
        if is_size(start) and is_size(stop) and _is_one(step) and facts.known_at_least(as_dim(stop), as_dim(start)):
            self.length = stop - start
            return
        distance = plain_array(stop) - plain_array(start)
        count = distance if _is_one(step) else -((distance) // -plain_array(step))
        self.length = rnp.maximum(count, 0)

    def stacked(self) -> list[Array]:
        return []

    def item(self, elements: Sequence[Array], step: Any) -> Any:
        scaled = step if _is_one(self.step) else step * self.step
        return scaled if isinstance(self.start, int) and self.start == 0 else self.start + scaled

    def after(self, first: int) -> Range:
        return Range(self.start + first * self.step, self.stop, self.step)


def _is_one(x: Any) -> bool:
    return isinstance(x, int) and x == 1


class Zipped(Steps):
    """`zip` of several."""

    def __init__(self, parts: Sequence[Steps]) -> None:
        self.parts = parts
        length = parts[0].length
        for part in parts[1:]:
            if isinstance(length, int) and isinstance(part.length, int):
                length = min(length, part.length)
            elif not (is_size(length) and is_size(part.length) and as_dim(length) == as_dim(part.length)):
                length = rnp.minimum(plain_array(length), plain_array(part.length))
        self.length = length

    def stacked(self) -> list[Array]:
        whole = [x for part in self.parts for x in part.stacked()]
        return [x[: self.length] for x in whole] if isinstance(self.length, int) else whole

    def item(self, elements: Sequence[Array], step: Any) -> Any:
        rest = list(elements)
        items: list[Any] = []
        for part in self.parts:
            count = len(part.stacked())
            items.append(part.item(rest[:count], step))
            rest = rest[count:]
        return tuple(items)

    def after(self, first: int) -> Zipped:
        return Zipped([part.after(first) for part in self.parts])


class Enumerated(Steps):
    """`enumerate`."""

    def __init__(self, part: Steps, start: Any) -> None:
        self.part, self.start, self.length = part, start, part.length

    def stacked(self) -> list[Array]:
        return self.part.stacked()

    def item(self, elements: Sequence[Array], step: Any) -> Any:
        number = step if isinstance(self.start, int) and self.start == 0 else self.start + step
        return number, self.part.item(elements, step)

    def after(self, first: int) -> Enumerated:
        return Enumerated(self.part.after(first), self.start + first)


def reversed_steps(x: Any) -> Steps:
    """`reversed` of a range or of an array."""
    if isinstance(x, Range):
        return Range(x.start + (x.length - 1) * x.step, x.start - x.step, -x.step)
    return Elements(rnp.flip(x, axis=0))


def as_steps(x: Any) -> Steps | None:
    """Whether a traced loop can run over `x`, and how."""
    if isinstance(x, Steps):
        return x
    if core.is_array(x) and core.tracing() and core.shape_of(x):
        return Elements(x)
    return None


def traced_range(*bounds: Any) -> Any:
    """`range` of numbers of which some are traced, or symbolic sizes."""
    for bound in bounds:
        if core.is_array(bound) and (core.shape_of(bound) or not core.dtype_of(bound).is_integer):
            raise tr.located(DTypeError(f"range() takes integers, not {core.type_of(bound)}", [core.type_of(bound)]))
    if len(bounds) == 1:
        return Range(0, bounds[0])
    if not 1 <= len(bounds) <= 3:
        raise tr.located(ControlFlowError(f"range() takes one to three numbers, not {len(bounds)}"))
    return Range(*bounds)


def counter_dtype(length: Count) -> DType:
    """The element type in which the steps are counted."""
    return dtypes.i32 if is_size(length) or core.dtype_of(length).bits < 64 else dtypes.i64
