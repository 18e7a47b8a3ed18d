"""Reductions that leave NaNs out.

`axis` is an axis, a tuple of axes, or None for all. Truth values and integers have no NaN, and these functions do for
them what those of `reductions.py` do. A complex number is NaN if a part of it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import logic, promote, reductions, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.reductions import Axis

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def _filled(name: str, x: ArrayLike, value: complex) -> Array:
    """x with a number in place of NaN."""
    operand = promote.array(name, x)
    return logic.where(logic.isnan(operand), value, operand) if core.dtype_of(operand).differentiable else operand


def nansum(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    keepdims: bool = False,
    initial: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The sum of what is no NaN; 0 where nothing is."""
    filled = _filled("nansum", x, 0)
    return reductions.sum(filled, axis, dtype, keepdims=keepdims, initial=initial, where=where)


def nanprod(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    keepdims: bool = False,
    initial: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The product of what is no NaN; 1 where nothing is."""
    filled = _filled("nanprod", x, 1)
    return reductions.prod(filled, axis, dtype, keepdims=keepdims, initial=initial, where=where)


def nancumsum(x: ArrayLike, /, axis: int | None = None, *, dtype: DTypeLike | None = None) -> Array:
    """The sums so far of what is no NaN; without an axis the elements are taken in row-major order."""
    return reductions.cumsum(_filled("nancumsum", x, 0), axis, dtype=dtype)


def nancumprod(x: ArrayLike, /, axis: int | None = None, *, dtype: DTypeLike | None = None) -> Array:
    """The products so far of what is no NaN; without an axis the elements are taken in row-major order."""
    return reductions.cumprod(_filled("nancumprod", x, 1), axis, dtype=dtype)


def _numbers(name: str, x: ArrayLike, dtype: DTypeLike | None, where: ArrayLike | None) -> tuple[Array, Array]:
    """An operand as floats, and where it is no NaN, of what `where` holds for."""
    operand = promote.array(name, x)
    operand = promote.floating(name, operand if dtype is None else promote.cast(operand, core.as_dtype(dtype)))
    present = logic.logical_not(logic.isnan(operand))
    return operand, present if where is None else logic.logical_and(present, logic.truth(name, where))


def nanmean(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    keepdims: bool = False,
    where: ArrayLike | None = None,
) -> Array:
    """The mean of what is no NaN; NaN where nothing is."""
    operand, present = _numbers("nanmean", x, dtype, where)
    return reductions.mean(operand, axis, keepdims=keepdims, where=present)


def nanvar(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    correction: float | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The mean squared distance from the mean of what is no NaN, divided by the count less `ddof` (or `correction`).

    NaN where that is not positive.
    """
    operand, present = _numbers("nanvar", x, dtype, where)
    less = ddof if correction is None else correction
    result = reductions.var(operand, axis, keepdims=keepdims, ddof=less, where=present)
    count = reductions.count_nonzero(present, axis, keepdims=keepdims)
    return logic.where(logic.greater(count, less), result, float("nan"))


def nanstd(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    correction: float | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The square root of `nanvar`."""
    options: Any = {"ddof": ddof, "keepdims": keepdims, "correction": correction, "where": where}
    return transcendental.sqrt(nanvar(x, axis, dtype, **options))


def _extreme(
    name: str,
    extreme: Callable[..., Array],
    neutral: float,
    x: ArrayLike,
    axis: Axis,
    keepdims: bool,
    **begun: Any,
) -> Array:
    """An extreme of what is no NaN; NaN where nothing is, and no `initial`."""
    operand = promote.array(name, x)
    if not core.dtype_of(operand).is_float:
        return extreme(operand, axis=axis, keepdims=keepdims, **begun)
    found = extreme(_filled(name, operand, neutral), axis=axis, keepdims=keepdims, **begun)
    if begun["initial"] is not None:
        return found
    return logic.where(reductions.all(logic.isnan(operand), axis=axis, keepdims=keepdims), float("nan"), found)


def nanmax(
    x: ArrayLike,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: core.Scalar | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The greatest of what is no NaN, of what `where` holds for, and of `initial`; NaN where nothing is.

    Raises:
        ShapeError: a reduced axis has no elements, and there is no `initial`.
        AttributeValueError: there is a mask, and no `initial` for where it holds nowhere.
    """
    return _extreme("nanmax", reductions.max, float("-inf"), x, axis, keepdims, initial=initial, where=where)


def nanmin(
    x: ArrayLike,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: core.Scalar | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The least of what is no NaN, of what `where` holds for, and of `initial`; NaN where nothing is.

    Raises:
        ShapeError: a reduced axis has no elements, and there is no `initial`.
        AttributeValueError: there is a mask, and no `initial` for where it holds nowhere.
    """
    return _extreme("nanmin", reductions.min, float("inf"), x, axis, keepdims, initial=initial, where=where)


def _place(
    name: str,
    place: Callable[..., Array],
    extreme: Callable[..., Array],
    x: ArrayLike,
    axis: int | None,
    keepdims: bool,
) -> Array:
    """Where the first element is that equals the extreme of what is no NaN; -1 where nothing is."""
    operand = promote.array(name, x)
    if not core.dtype_of(operand).is_float:
        return place(operand, axis=axis, keepdims=keepdims)
    hits = logic.equal(operand, extreme(operand, axis, keepdims=True))
    found = reductions.argmax(hits, axis=axis, keepdims=keepdims)
    return logic.where(reductions.any(hits, axis=axis, keepdims=keepdims), found, -1)


def nanargmax(x: ArrayLike, /, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Where along an axis the greatest element is that is no NaN; -1 where nothing is, for which NumPy raises.

    Raises:
        ShapeError: the axis has no elements.
    """
    return _place("nanargmax", reductions.argmax, nanmax, x, axis, keepdims)


def nanargmin(x: ArrayLike, /, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Where along an axis the least element is that is no NaN; -1 where nothing is, for which NumPy raises.

    Raises:
        ShapeError: the axis has no elements.
    """
    return _place("nanargmin", reductions.argmin, nanmin, x, axis, keepdims)


__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]
