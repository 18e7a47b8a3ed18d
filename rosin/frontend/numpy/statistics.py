"""Weighted means, ranges, covariances and correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import creation, elementwise, linear, logic, manipulation, promote, reductions, transcendental
from rosin.frontend.numpy.complex import combined, conj, imag, real
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.reductions import Axis
from rosin.ir import dims, facts
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def ptp(x: ArrayLike, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """The greatest element less the least one, over axes.

    Raises:
        ShapeError: a reduced axis has no elements.
    """
    operand = promote.numeric("ptp", x)
    high = reductions.max(operand, axis=axis, keepdims=keepdims)
    return elementwise.subtract(high, reductions.min(operand, axis=axis, keepdims=keepdims))


def average(
    x: ArrayLike,
    /,
    axis: Axis = None,
    weights: ArrayLike | None = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Array | tuple[Array, Array]:
    """The mean over axes, of elements that count as much as their weights; with `returned` also the sum of weights.

    weights: an array of the shape of x, or of the sizes of the axes alone. Where they sum to zero, the mean is what a
        division by zero gives; NumPy raises.

    Raises:
        ShapeError: the weights have another shape.
    """
    operand = promote.floating("average", x)
    axes = promote.as_axes("average", axis, operand)
    if weights is None:
        mean = reductions.mean(operand, axis=axes, keepdims=keepdims)
        count = reductions.count_of(dims.product(core.shape_of(operand)[i] for i in axes), core.dtype_of(operand))
        return (mean, creation.full_like(mean, count)) if returned else mean
    operand, given = promote.alike_floats("average", operand, weights)
    share = _weights(operand, given, axes)
    total = reductions.sum(share, axis=axes, keepdims=keepdims)
    mean = elementwise.divide(reductions.sum(elementwise.multiply(operand, share), axis=axes, keepdims=keepdims), total)
    return (mean, total) if returned else mean


def _weights(x: Array, weights: Array, axes: tuple[int, ...]) -> Array:
    """The weights in the shape of x."""
    shape, own = core.shape_of(x), core.shape_of(weights)
    if not facts.same_shape(own, shape):
        wanted = tuple(shape[axis] for axis in axes)
        if not facts.same_shape(own, wanted):
            either = shape_text(shape) if wanted == shape else f"{shape_text(shape)} or {shape_text(wanted)}"
            promote.bad_shape(f"average: the weights have shape {shape_text(own)}, not {either}", x, weights)
        order = sorted(range(len(axes)), key=axes.__getitem__)
        weights = manipulation.permute_dims(weights, order)
        kept = [shape[i] if i in axes else 1 for i in range(len(shape))]
        weights = manipulation.broadcast_to(manipulation.reshape(weights, kept), shape)
    return weights


def cov(
    m: ArrayLike,
    y: ArrayLike | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: ArrayLike | None = None,
    aweights: ArrayLike | None = None,
) -> Array:
    """The covariances of variables, which are the rows of m (and of y), or the columns without `rowvar`.

    ddof: what is taken from the number of observations; 1, or 0 with `bias`, unless it is given.
    fweights: how often each observation counts; aweights: how much.

    Raises:
        ShapeError: m, y or weights have too many axes, or sizes that disagree.
    """
    lines = _variables("cov", m, rowvar)
    if y is not None:
        lines = manipulation.concat([lines, _variables("cov", y, rowvar)], axis=0)
    dtype = core.dtype_of(lines)
    lines = promote.cast(lines, dtype.accumulator)
    less = (0 if bias else 1) if ddof is None else ddof
    weights = _observation_weights(lines, fweights, aweights)
    count = core.shape_of(lines)[1]
    if weights is None:
        mean = reductions.mean(lines, axis=1, keepdims=True)
        total = promote.array("cov", reductions.count_of(count, core.dtype_of(real(lines))))
        left = elementwise.subtract(total, less)
    else:
        total = reductions.sum(weights)
        mean = elementwise.divide(reductions.sum(elementwise.multiply(lines, weights), axis=1, keepdims=True), total)
        left = elementwise.subtract(total, less)
        if less and aweights is not None:
            squares = reductions.sum(elementwise.multiply(weights, _floats(lines, aweights)))
            left = elementwise.subtract(total, elementwise.divide(elementwise.multiply(squares, less), total))
    centred = elementwise.subtract(lines, mean)
    weighted = centred if weights is None else elementwise.multiply(centred, weights)
    products = linear.matmul(weighted, manipulation.matrix_transpose(conj(centred)))
    result = elementwise.divide(products, promote.cast(elementwise.maximum(left, 0), core.dtype_of(products)))
    return manipulation.squeeze(promote.cast(result, dtype))


def _variables(name: str, x: ArrayLike, rowvar: bool) -> Array:
    """One row for each variable, one column for each observation."""
    operand = promote.floating(name, x)
    rank = len(core.shape_of(operand))
    if rank > 2:
        promote.bad_shape(f"{name}: takes vectors and matrices, not an array of rank {rank}", operand)
    rows = manipulation.atleast_2d(operand)
    return rows if rowvar or rank < 2 else manipulation.matrix_transpose(rows)


def _floats(lines: Array, weights: ArrayLike) -> Array:
    """Weights in the real element type of the lines."""
    given = promote.array("cov", weights)
    count = core.shape_of(lines)[1]
    if len(core.shape_of(given)) != 1 or not facts.same(core.shape_of(given)[0], count):
        text = shape_text(core.shape_of(given))
        promote.bad_shape(f"cov: the weights have shape {text}, and there are {count} observations", lines, given)
    return promote.cast(given, core.dtype_of(real(lines)))


def _observation_weights(lines: Array, fweights: ArrayLike | None, aweights: ArrayLike | None) -> Array | None:
    given = [_floats(lines, w) for w in (fweights, aweights) if w is not None]
    return elementwise.multiply(*given) if len(given) == 2 else given[0] if given else None


def corrcoef(x: ArrayLike, y: ArrayLike | None = None, rowvar: bool = True) -> Array:
    """The correlations of variables, from -1 to 1: their covariances (see `cov`) over their standard deviations."""
    products = cov(x, y, rowvar)
    if not core.shape_of(products):
        return elementwise.divide(products, products)
    size = transcendental.sqrt(real(creation.diagonal(products)))
    result = elementwise.divide(products, promote.cast(_outer(size), core.dtype_of(products)))
    if core.dtype_of(result).is_complex:
        return combined(*(elementwise.clip(part, -1, 1) for part in (real(result), imag(result))))
    # A selection keeps the whole derivative of what is 1, of which `clip` would keep half.
    return logic.where(logic.greater(elementwise.abs(result), 1), elementwise.sign(result), result)


def _outer(x: Array) -> Array:
    return linear.outer(x, x)


__all__ = ["average", "corrcoef", "cov", "ptp"]
