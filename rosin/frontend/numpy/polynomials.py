"""Polynomials given by their coefficients, the one of the highest power first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import core
from rosin.frontend.numpy import (
    creation,
    elementwise,
    linalg,
    linear,
    manipulation,
    padding,
    promote,
    reductions,
    transcendental,
)
from rosin.frontend.numpy.complex import real
from rosin.frontend.numpy.convolving import convolve
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.types import TensorType, shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array

UNROLLED = 64
"""Up to so many coefficients `polyval` is straight code; a loop over longer ones compiles faster."""


def _coefficients(name: str, p: ArrayLike) -> Array:
    """The coefficients as a vector."""
    operand = manipulation.atleast_1d(promote.numeric(name, core.asarray(p) if isinstance(p, Sequence) else p))
    if len(core.shape_of(operand)) != 1:
        promote.bad_shape(f"{name}: coefficients are a vector, not of rank {len(core.shape_of(operand))}", operand)
    return operand


def polyval(p: ArrayLike | Sequence[ArrayLike], x: ArrayLike) -> Array:
    """The polynomial at each element of x, by Horner's rule.

    Raises:
        ShapeError: p is no vector.
    """
    if isinstance(p, Sequence):
        *parts, x = promote.alike("polyval", *p, x)
        p = manipulation.stack(parts)
    coefficients, places = promote.alike("polyval", _coefficients("polyval", p), x)
    count = promote.static_size("polyval", coefficients, 0)
    start = promote.numbers("polyval", 0, places)
    if count > UNROLLED:

        def step(i: Array, total: Array) -> Array:
            return elementwise.add(elementwise.multiply(total, places), coefficients[i])

        return core.fori_loop(0, count, step, start)
    for i in range(count):
        factor = coefficients[i]
        start = elementwise.add(elementwise.multiply(start, places), factor) if i else elementwise.add(start, factor)
    return start


def _aligned(name: str, p: ArrayLike, q: ArrayLike) -> tuple[Array, Array]:
    """Two polynomials of one length, the shorter with zeros in front."""
    a, b = promote.alike(name, _coefficients(name, p), _coefficients(name, q))
    sizes = [promote.static_size(name, x, 0) for x in (a, b)]
    first, second = (_lengthened(x, max(sizes)) for x in (a, b))
    return first, second


def _lengthened(p: Array, count: int) -> Array:
    missing = count - promote.static_size("polynomials", p, 0)
    return padding.pad(p, (missing, 0)) if missing else p


def polyadd(p: ArrayLike, q: ArrayLike) -> Array:
    """The sum of two polynomials, as long as the longer one."""
    return elementwise.add(*_aligned("polyadd", p, q))


def polysub(p: ArrayLike, q: ArrayLike) -> Array:
    """The difference of two polynomials, as long as the longer one."""
    return elementwise.subtract(*_aligned("polysub", p, q))


def polymul(p: ArrayLike, q: ArrayLike) -> Array:
    """The product of two polynomials. Zeros in front stay, which NumPy's drops."""
    return convolve(_coefficients("polymul", p), _coefficients("polymul", q))


def polydiv(p: ArrayLike, q: ArrayLike) -> tuple[Array, Array]:
    """The quotient and the rest of a polynomial divided by another one. Zeros in front of the rest stay.

    Raises:
        ShapeError: the divisor has no coefficients.
    """
    rest, divisor = promote.alike_floats("polydiv", _coefficients("polydiv", p), _coefficients("polydiv", q))
    n, m = (promote.static_size("polydiv", x, 0) for x in (rest, divisor))
    if m == 0:
        promote.bad_shape("polydiv: the divisor has no coefficients", rest, divisor)
    if n < m:
        return promote.number("polydiv", 0, TensorType(core.dtype_of(rest), (1,))), rest
    quotient: list[Array] = []
    for _ in range(n - m + 1):
        factor = elementwise.divide(rest[0], divisor[0])
        quotient.append(factor)
        # What cancels is left out, rather than computed.
        tail = padding.pad(divisor[1:], (0, core.shape_of(rest)[0] - m))
        rest = elementwise.subtract(rest[1:], elementwise.multiply(factor, tail))
    zero = promote.number("polydiv", 0, TensorType(core.dtype_of(rest), (1,)))
    return manipulation.stack(quotient), rest if m > 1 else zero


def polyder(p: ArrayLike, m: int = 1) -> Array:
    """The m-th derivative of a polynomial.

    Raises:
        AttributeValueError: m is negative.
    """
    result, order = _coefficients("polyder", p), promote.as_int("polyder", m, "m")
    if order < 0:
        promote.bad_value(f"polyder: m is {order}; it is not negative", result)
    for _ in range(order):
        size = promote.static_size("polyder", result, 0)
        powers = creation.arange(size - 1, 0, -1, dtype=core.dtype_of(result))
        result = elementwise.multiply(result[: max(size - 1, 0)], powers)
    return result


def polyint(p: ArrayLike, m: int = 1, k: ArrayLike | Sequence[ArrayLike] | None = None) -> Array:
    """The m-th integral of a polynomial; `k` are the constants of integration, one for all or one for each, or zeros.

    Raises:
        AttributeValueError: m is negative.
        ShapeError: the constants are neither one nor m.
    """
    result, order = promote.floating("polyint", _coefficients("polyint", p)), promote.as_int("polyint", m, "m")
    if order < 0:
        promote.bad_value(f"polyint: m is {order}; it is not negative", result)
    constants = manipulation.atleast_1d(core.asarray(0 if k is None else k, core.dtype_of(result)))
    count = promote.static_size("polyint", constants, 0)
    if count not in (1, order) and order:
        promote.bad_shape(f"polyint: {count} constants for {order} integrations", result, constants)
    for i in range(order):
        powers = creation.arange(promote.static_size("polyint", result, 0), 0, -1, dtype=core.dtype_of(result))
        place = min(i, count - 1)
        end = constants[place : place + 1]
        result = manipulation.concat([elementwise.divide(result, powers), end])
    return result


def poly(zeros: ArrayLike) -> Array:
    """The polynomial with these zeros, counted with their multiplicity, whose first coefficient is 1.

    A square matrix stands for its eigenvalues: the polynomial is its characteristic one.

    Raises:
        ShapeError: the zeros are neither a vector nor a square matrix.
    """
    given = promote.floating("poly", zeros)
    if len(core.shape_of(given)) == 2:
        found = poly(linalg.eigvals(given))
        return found if core.dtype_of(given).is_complex else real(found)
    given = _coefficients("poly", given)
    one = promote.number("poly", 1, TensorType(core.dtype_of(given), (1,)))
    result = one
    for i in range(promote.static_size("poly", given, 0)):
        factor = manipulation.concat([one, elementwise.negative(given[i : i + 1])])
        result = convolve(result, factor)
    return result


def roots(p: ArrayLike, *, strip_zeros: bool = True) -> Array:
    """The zeros of a polynomial, as complex numbers: the eigenvalues of its companion matrix.

    strip_zeros: whether zeros in front and at the end are taken off first, so that their number settles that of the
        results; the coefficients have to be known then. Without it a zero in front makes NaNs.

    Raises:
        TraceError: the coefficients are traced, and zeros are to be taken off.
    """
    line = promote.floating("roots", _coefficients("roots", p))
    zeros = 0
    if strip_zeros:
        instead = "give strip_zeros=False, if the first coefficient is not zero"
        there = np.flatnonzero(core.concrete(line, "roots: zeros in front settle how many there are", instead))
        begin, end = (int(there[0]), int(there[-1]) + 1) if there.size else (0, 0)
        zeros = core.known(line).size - end if there.size else 0
        line = line[begin:end]
    count = promote.static_size("roots", line, 0) - 1
    complex = core.dtype_of(line).complex
    none = creation.zeros((zeros,), dtype=complex)
    if count < 1:
        return none
    first = elementwise.divide(elementwise.negative(line[1:]), line[:1])
    rows = [manipulation.expand_dims(first, 0)]
    if count > 1:
        rows.append(creation.eye(count - 1, count, dtype=core.dtype_of(line)))
    found = promote.cast(linalg.eigvals(manipulation.concat(rows, axis=0)), complex)
    return manipulation.concat([found, none]) if zeros else found


def polyfit(
    x: ArrayLike,
    y: ArrayLike,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: ArrayLike | None = None,
    cov: bool | str = False,
) -> Any:
    """The polynomial of degree `deg` whose values at x are nearest to y by least squares.

    y: a vector, or a matrix whose columns are fitted each for itself.
    rcond: singular values up to this share of the greatest count as zero; len(x) epsilons by default.
    w: weights of the distances, not of their squares.
    full: also the residuals, the rank, the singular values and rcond.
    cov: also the covariance matrix of the coefficients, scaled by the residuals, or not if it is "unscaled".

    Raises:
        ShapeError: x is no vector, or y or w are not as long.
        AttributeValueError: the degree is negative, or there are too few points for a covariance.
    """
    degree = promote.as_int("polyfit", deg, "the degree")
    points, values = promote.alike_floats("polyfit", x, y)
    if degree < 0:
        promote.bad_value(f"polyfit: the degree is {degree}; it is not negative", points)
    shape, own = core.shape_of(points), core.shape_of(values)
    if len(shape) != 1 or len(own) not in (1, 2) or not facts.same(shape[0], own[0]):
        promote.bad_shape(
            f"polyfit: x is a vector and y as long, not {shape_text(shape)} and {shape_text(own)}", points
        )
    count = promote.static_size("polyfit", points, 0)
    table = vander(points, degree + 1)
    if w is not None:
        weights = promote.cast(promote.array("polyfit", w), core.dtype_of(points))
        if not facts.same_shape(core.shape_of(weights), shape):
            promote.bad_shape(
                f"polyfit: {count} points and weights of shape {shape_text(core.shape_of(weights))}", weights
            )
        table = elementwise.multiply(table, weights[:, None])
        values = elementwise.multiply(values, weights if len(own) == 1 else weights[:, None])
    share = count * core.dtype_of(points).epsilon if rcond is None else rcond
    # Columns of one size: powers of x differ by many orders.
    scale = transcendental.sqrt(reductions.sum(elementwise.square(table), axis=0))
    fit = linalg.lstsq(elementwise.divide(table, scale), values, rcond=share)
    result = elementwise.divide(fit.x, scale if len(own) == 1 else scale[:, None])
    if full:
        return result, fit.residuals, fit.rank, fit.s, share
    if not cov:
        return result
    if cov != "unscaled" and count <= degree + 1:
        promote.bad_value(f"polyfit: {count} points tell no covariance of {degree + 1} coefficients", points)
    inverse = linalg.inv(linear.matmul(manipulation.matrix_transpose(table), table))
    if cov != "unscaled":
        factor = elementwise.divide(fit.residuals, float(count - degree - 1))
        return result, elementwise.multiply(inverse if len(own) == 1 else inverse[..., None], factor)
    return result, inverse


def vander(x: ArrayLike, N: int | None = None, increasing: bool = False) -> Array:  # NumPy's name
    """The powers of the elements of a vector as a matrix of N columns, the highest power first unless `increasing`.

    Raises:
        ShapeError: x is no vector, or N is negative.
    """
    operand = promote.array("vander", x)
    shape = core.shape_of(operand)
    if len(shape) != 1:
        promote.bad_shape(f"vander: takes a vector, not an array of rank {len(shape)}", operand)
    count = promote.static_size("vander", operand, 0) if N is None else promote.as_int("vander", N, "N")
    if count < 0:
        promote.bad_shape(f"vander: N is {count}; it is not negative", operand)
    operand = promote.cast(operand, promote.accumulator_of(core.dtype_of(operand)))
    column = promote.numbers("vander", 1, operand)
    columns = [column]
    for _ in range(count - 1):
        column = elementwise.multiply(column, operand)
        columns.append(column)
    if count == 0:
        return creation.zeros((shape[0], 0), dtype=core.dtype_of(operand))
    return manipulation.stack(columns if increasing else columns[::-1], axis=1)


__all__ = [
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "roots",
    "vander",
]
