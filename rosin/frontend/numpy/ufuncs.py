"""NumPy's methods of functions of two arrays: `subtract.outer`, `add.at`, `maximum.reduce`, `add.accumulate`.

The functions themselves are those of other files, which carry the methods as attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import (
    creation,
    elementwise,
    indexing,
    logic,
    manipulation,
    promote,
    reductions,
    running,
    transcendental,
)
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.reductions import Axis
from rosin.ir import dims

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Binary: TypeAlias = "Callable[[ArrayLike, ArrayLike], Array]"


class Ufunc(Protocol):
    """A function of two arrays, broadcast."""

    def __call__(self, x1: ArrayLike, x2: ArrayLike, /) -> Array: ...

    def outer(self, x1: ArrayLike, x2: ArrayLike, /) -> Array:
        """The function of each element of x1 with each of x2: the axes of x1, then those of x2."""
        ...


class Associative(Ufunc, Protocol):
    """A function that combines any number of elements."""

    def reduce(
        self,
        x: ArrayLike,
        /,
        axis: Axis = 0,
        dtype: DTypeLike | None = None,
        *,
        keepdims: bool = False,
        initial: core.Scalar | None = None,
        where: ArrayLike | None = None,
    ) -> Array:
        """The elements along axes, of all with None, combined to one."""
        ...

    def accumulate(self, x: ArrayLike, /, axis: int = 0, dtype: DTypeLike | None = None) -> Array:
        """The elements so far along an axis, combined."""
        ...


class Updating(Protocol):
    """A function that changes elements at places."""

    def at(self, x: ArrayLike, indices: Any, values: ArrayLike, /, *, inplace: bool = True) -> Array | None:
        """x becomes the function of itself and the values at `indices`; places that repeat take each value in turn.

        It assigns to the array, as `x[index] = values` does; with `inplace=False` it leaves it and returns another one.
        """
        ...


class Arithmetic(Associative, Updating, Protocol):
    """A function with all methods."""


class Difference(Ufunc, Updating, Protocol):
    """A function that is not associative, and changes elements at places."""


def _outer(function: Binary, x1: ArrayLike, x2: ArrayLike, /) -> Array:
    a, b = (promote.array(function.__name__, x) for x in (x1, x2))
    spread = (*core.shape_of(a), *(1,) * len(core.shape_of(b)))
    return function(manipulation.reshape(a, spread), b)


def _at(
    name: str, change: indexing.Change, x: ArrayLike, indices: Any, values: ArrayLike, /, *, inplace: bool = True
) -> Array | None:
    result = indexing.changed(promote.array(name, x), indices, change, values)
    return indexing.assigned(f"{name}.at", x, result, inplace)


def _less_at(x: ArrayLike, indices: Any, values: ArrayLike, /, *, inplace: bool = True) -> Array | None:
    return _at("subtract", "add", x, indices, elementwise.negative(values), inplace=inplace)


def _reduce(
    name: str,
    whole: Callable[..., Array],
    x: ArrayLike,
    /,
    axis: Axis = 0,
    dtype: DTypeLike | None = None,
    **options: Any,
) -> Array:
    operand = promote.array(name, x)
    return whole(operand if dtype is None else manipulation.astype(operand, dtype), axis=axis, **options)


def _accumulate(
    name: str,
    running: Callable[..., Array],
    x: ArrayLike,
    /,
    axis: int = 0,
    dtype: DTypeLike | None = None,
) -> Array:
    operand = promote.array(name, x)
    return running(operand if dtype is None else manipulation.astype(operand, dtype), axis=axis)


def _with_outer(function: Binary) -> Ufunc:
    vars(function)["outer"] = partial(_outer, function)
    return cast(Ufunc, function)


def _with_at(function: Any, change: indexing.Change) -> Any:
    vars(function)["at"] = partial(_at, function.__name__, change)
    return function


def _associative(function: Binary, whole: Callable[..., Array], running: Callable[..., Array]) -> Associative:
    _with_outer(function)
    name = function.__name__
    vars(function)["reduce"] = partial(_reduce, name, whole)
    vars(function)["accumulate"] = partial(_accumulate, name, running)
    return cast(Associative, function)


# -- functions that have no reduction of their own ---------------------------------------------------------------------


def _masked(
    function: Binary, whole: Callable[..., Array], identity: Callable[[Array], Array | core.Scalar]
) -> Callable[..., Array]:
    """A reduction that takes a mask and a first element too."""

    def reduced(
        x: Array,
        axis: Axis,
        *,
        keepdims: bool = False,
        initial: core.Scalar | None = None,
        where: ArrayLike | None = None,
    ) -> Array:
        chosen = x if where is None else logic.where(where, x, identity(x))
        result = whole(chosen, axis=axis, keepdims=keepdims)
        return result if initial is None else function(result, initial)

    return reduced


def _by_halves(function: Binary, identity: Callable[[Array], Array | core.Scalar]) -> Callable[..., Array]:
    """A reduction: the first half of the elements with the second, and so on."""

    def whole(x: Array, axis: Axis, *, keepdims: bool) -> Array:
        axes, shape = promote.as_axes(function.__name__, axis, x), core.shape_of(x)
        kept = [i for i in range(len(shape)) if i not in axes]
        line = manipulation.permute_dims(x, (*axes, *kept))
        line = manipulation.reshape(line, (dims.product(shape[i] for i in axes), *(shape[i] for i in kept)))
        count = promote.static_size(function.__name__, line, 0)
        if count == 0:
            empty = creation.zeros((1, *core.shape_of(line)[1:]), dtype=core.dtype_of(x))
            line = promote.array(function.__name__, identity(empty))
        while count > 1:
            half = count // 2
            both = function(line[:half], line[half : 2 * half])
            line = both if count % 2 == 0 else manipulation.concat([both, line[2 * half :]])
            count -= half
        return manipulation.reshape(line, [1 if i in axes else n for i, n in enumerate(shape) if keepdims or i in kept])

    return _masked(function, whole, identity)


def _by_doubling(function: Binary) -> Callable[..., Array]:
    """Running combinations: each with the one 1, 2, 4, … places before it (Hillis and Steele 1986)."""

    def accumulated(x: Array, axis: int) -> Array:
        place = promote.as_axis(function.__name__, axis, len(core.shape_of(x)), x)
        line = manipulation.moveaxis(x, place, 0)
        count, step = promote.static_size(function.__name__, line, 0), 1
        while step < count:
            line = manipulation.concat([line[:step], function(line[:-step], line[step:])])
            step *= 2
        return manipulation.moveaxis(line, 0, place)

    return accumulated


def _of_truths(by: Callable[..., Array]) -> Callable[..., Array]:
    """A reduction, or a running one, of numbers as truth values."""

    def of_truths(x: Array, axis: Any, **options: Any) -> Array:
        return by(logic.truth("truth", x), axis, **options)

    return of_truths


def _zeros(x: Array) -> Array:
    return logic.bitwise_xor(x, x)


def _ones(x: Array) -> Array:
    return logic.bitwise_invert(_zeros(x))


def _log_of_nothing(x: Array) -> core.Scalar:
    return -math.inf


# -- the functions -----------------------------------------------------------------------------------------------------

add: Arithmetic = _with_at(_associative(elementwise.add, reductions.sum, reductions.cumsum), "add")
multiply: Arithmetic = _with_at(_associative(elementwise.multiply, reductions.prod, reductions.cumprod), "multiply")
maximum: Arithmetic = _with_at(_associative(elementwise.maximum, reductions.max, running.cummax), "max")
minimum: Arithmetic = _with_at(_associative(elementwise.minimum, reductions.min, running.cummin), "min")
logaddexp = _associative(
    transcendental.logaddexp,
    _masked(transcendental.logaddexp, reductions.logsumexp, _log_of_nothing),
    reductions.logcumsumexp,
)
bitwise_and, bitwise_or, bitwise_xor = (
    _associative(function, _by_halves(function, identity), _by_doubling(function))
    for function, identity in ((logic.bitwise_and, _ones), (logic.bitwise_or, _zeros), (logic.bitwise_xor, _zeros))
)
logical_and, logical_or, logical_xor = (
    _associative(function, _of_truths(_by_halves(function, identity)), _of_truths(_by_doubling(function)))
    for function, identity in ((logic.logical_and, _ones), (logic.logical_or, _zeros), (logic.logical_xor, _zeros))
)
subtract: Difference = cast(Difference, _with_outer(elementwise.subtract))
vars(subtract)["at"] = _less_at
divide, floor_divide, remainder, pow = map(
    _with_outer, (elementwise.divide, elementwise.floor_divide, elementwise.remainder, elementwise.pow)
)
atan2, hypot = _with_outer(transcendental.atan2), _with_outer(transcendental.hypot)
equal, not_equal = _with_outer(logic.equal), _with_outer(logic.not_equal)
less, less_equal = _with_outer(logic.less), _with_outer(logic.less_equal)
greater, greater_equal = _with_outer(logic.greater), _with_outer(logic.greater_equal)
