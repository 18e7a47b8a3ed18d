"""Operands of special functions: arrays promoted and broadcast, and orders that are Python integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rosin.frontend import core, tree
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes
from rosin.ir.op import Op

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def elementwise(name: str, op: Op, *xs: ArrayLike) -> Array:
    """The op on the operands of the function `name`, promoted to one float type and broadcast."""
    if len(xs) == 1:
        return core.bind1(op, promote.floating(name, xs[0]))
    return core.bind1(op, *promote.promoted(name, *xs, floating=True))


def in_doubles(name: str, function: Callable[..., Any], *xs: ArrayLike) -> Any:
    """A composition that would lose digits: it is computed in f64 and rounded once to the type of the operands."""
    operands = [promote.floating(name, xs[0])] if len(xs) == 1 else list(promote.promoted(name, *xs, floating=True))
    dtype = core.dtype_of(operands[0])

    def rounded(x: Array) -> Array:
        return promote.cast(x, dtype)

    return tree.map(rounded, function(*(promote.cast(x, dtypes.f64) for x in operands)))


def order(name: str, n: Any, what: str = "the order", least: int = 0) -> int:
    """An integer that a function takes while it is traced.

    Raises:
        DTypeError: it is no Python integer.
        AttributeValueError: it is below `least`.
    """
    value = promote.as_int(name, n, what)
    if value < least:
        promote.bad_value(f"{name}: {what} is {value}; it is at least {least}")
    return value
