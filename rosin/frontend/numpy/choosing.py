"""Choosing among several arrays, element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from rosin.frontend import core
from rosin.frontend.errors import BoundsError
from rosin.frontend.numpy import counted, elementwise, logic, manipulation, promote
from rosin.frontend.numpy.indexing import take_along_axis
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.trace import located
from rosin.ir import dtypes
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def select(condlist: Sequence[ArrayLike], choicelist: Sequence[ArrayLike], default: ArrayLike = 0) -> Array:
    """At each place the element of the first choice whose condition holds, or the default; all are broadcast.

    Raises:
        ShapeError: there are no conditions, or not as many choices, or shapes do not broadcast.
        DTypeError: a condition is not of truth values.
    """
    if len(condlist) != len(choicelist) or not condlist:
        promote.bad_shape(f"select: {len(condlist)} conditions for {len(choicelist)} choices")
    tests = [promote.array("select", test) for test in condlist]
    for test in tests:
        if core.dtype_of(test).kind != "bool":
            promote.bad_dtype(f"select: conditions are truth values, not {core.dtype_of(test)}", test)
    given = promote.operands("select", (*choicelist, default))
    arrays = [x for x in given if promote.is_array(x)]
    shape = promote.broadcast_arrays_shape("select", [*tests, *arrays])
    *choices, result = promote.spread_operands("select", given, TensorType(promote.common_dtype(given), shape))
    for test, choice in zip(reversed(tests), reversed(choices), strict=True):
        result = logic.where(test, choice, result)
    return result


def piecewise(
    x: ArrayLike,
    condlist: ArrayLike | Sequence[ArrayLike],
    funclist: Sequence[ArrayLike | Callable[..., Any]],
    *args: Any,
    **kw: Any,
) -> Array:
    """At each place what the last function gives whose condition holds there, or 0; one function more is the default.

    funclist: numbers, or functions of arrays, which get all of x, then `args` and `kw`. The result has the element
        type of x.

    Raises:
        ShapeError: there are not as many functions as conditions, or one more.
    """
    operand = promote.array("piecewise", x)
    several = isinstance(condlist, Sequence) or len(core.shape_of(core.asarray(condlist))) > len(core.shape_of(operand))
    tests = [logic.truth("piecewise", core.asarray(test)) for test in (cast(Any, condlist) if several else [condlist])]
    functions = list(funclist)
    if len(functions) not in (len(tests), len(tests) + 1):
        promote.bad_shape(f"piecewise: {len(functions)} functions for {len(tests)} conditions", operand)
    dtype = core.dtype_of(operand)

    def piece(function: ArrayLike | Callable[..., Any]) -> Array:
        value = core.call(function, operand, *args, **kw) if callable(function) else function
        return core.asarray(value, dtype)

    result = piece(functions[-1]) if len(functions) > len(tests) else promote.numbers("piecewise", 0, operand)
    for test, function in zip(tests, functions, strict=False):
        result = logic.where(test, piece(function), result)
    return promote.spread_to("piecewise", result, core.shape_of(operand))


def choose(a: ArrayLike, choices: ArrayLike | Sequence[ArrayLike], *, mode: str = "raise") -> Array:
    """At each place the element of the choice whose number is there; all are broadcast.

    mode: what numbers outside mean: "raise" refuses them where they are known, and moves computed ones to the nearest
        choice, as "clip" does; "wrap" counts them modulo the number of choices.

    Raises:
        BoundsError: a known number is outside.
        ShapeError: there are no choices, or shapes do not broadcast.
        DTypeError: the numbers are no integers.
        AttributeValueError: there is no such mode.
    """
    number = promote.array("choose", core.asarray(a))
    dtype = core.dtype_of(number)
    if not (dtype.is_integer or dtype.kind == "bool"):
        promote.bad_dtype(f"choose: choices are counted by integers, not {dtype}", number)
    if mode not in ("raise", "wrap", "clip"):
        promote.bad_value(f'choose: the mode is "raise", "wrap" or "clip", not {mode!r}', number)
    given = list(choices) if isinstance(choices, Sequence) else list(manipulation.unstack(choices))
    if not given:
        promote.bad_shape("choose: there are no choices", number)
    arrays = promote.alike("choose", *given)
    shape = promote.broadcast_arrays_shape("choose", [number, *arrays])
    count = len(arrays)
    if mode == "raise" and not promote.is_array(a):
        outside = [int(n) for n in np.ravel(a) if not 0 <= n < count]
        if outside:
            raise located(BoundsError(f"choose: {outside[0]} is no number of one of {count} choices"))
    where = promote.spread(promote.cast(number, dtypes.i32 if dtype.bits < 64 else dtype), shape)
    last = counted.number(count - 1, core.dtype_of(where))
    where = elementwise.remainder(where, count) if mode == "wrap" else elementwise.clip(where, 0, last)
    stacked = manipulation.stack([promote.spread(x, shape) for x in arrays])
    return manipulation.squeeze(take_along_axis(stacked, manipulation.expand_dims(where, 0), axis=0), 0)


__all__ = ["choose", "piecewise", "select"]
