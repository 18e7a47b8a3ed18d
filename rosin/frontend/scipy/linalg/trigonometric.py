"""Trigonometric and hyperbolic functions of square matrices, by exponentials, and the derivative of the exponential."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import elementwise, promote
from rosin.frontend.numpy.complex import imag, real
from rosin.frontend.numpy.linalg.common import squares
from rosin.frontend.numpy.linalg.systems import solve
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.linalg.functions import expm
from rosin.frontend.transforms import jvp
from rosin.ir import facts

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def expm_frechet(A: ArrayLike, E: ArrayLike, *, compute_expm: bool = True) -> tuple[Array, Array] | Array:
    """The exponential of square matrices, and its derivative in the direction E; or with `compute_expm` False the
    derivative alone.

    Raises:
        ShapeError: A and E have not the same shape.
    """
    a, direction = promote.alike_floats("expm_frechet", squares("expm_frechet", A), squares("expm_frechet", E))
    if not facts.same_shape(core.shape_of(a), core.shape_of(direction)):
        shapes = f"{core.shape_of(a)} and {core.shape_of(direction)}"
        promote.bad_shape(f"expm_frechet: a matrix and a direction have the same shape, not {shapes}", a, direction)
    value, moved = jvp(expm, (a,), (direction,))
    return (value, moved) if compute_expm else moved


def _halves(name: str, A: ArrayLike, turned: bool) -> tuple[Array, Array]:
    """The exponentials of a and -a, or of i a and -i a."""
    a = squares(name, A)
    if turned:
        a = elementwise.multiply(a, 1j)
    return expm(a), expm(elementwise.negative(a))


def _half(x: Array) -> Array:
    return elementwise.multiply(x, 0.5)


def cosm(A: ArrayLike) -> Array:
    """The cosines of square matrices."""
    a = squares("cosm", A)
    if not core.dtype_of(a).is_complex:
        return real(expm(elementwise.multiply(a, 1j)))
    return _half(elementwise.add(*_halves("cosm", a, True)))


def sinm(A: ArrayLike) -> Array:
    """The sines of square matrices."""
    a = squares("sinm", A)
    if not core.dtype_of(a).is_complex:
        return imag(expm(elementwise.multiply(a, 1j)))
    return elementwise.multiply(elementwise.subtract(*_halves("sinm", a, True)), -0.5j)


def tanm(A: ArrayLike) -> Array:
    """The tangents of square matrices: the cosine's inverse times the sine.

    Raises:
        LinAlgError: a cosine is singular, as for `rosin.numpy.linalg.solve`.
    """
    return solve(cosm(A), sinm(A))


def coshm(A: ArrayLike) -> Array:
    """The hyperbolic cosines of square matrices."""
    return _half(elementwise.add(*_halves("coshm", A, False)))


def sinhm(A: ArrayLike) -> Array:
    """The hyperbolic sines of square matrices."""
    return _half(elementwise.subtract(*_halves("sinhm", A, False)))


def tanhm(A: ArrayLike) -> Array:
    """The hyperbolic tangents of square matrices: the hyperbolic cosine's inverse times the sine.

    Raises:
        LinAlgError: a hyperbolic cosine is singular, as for `rosin.numpy.linalg.solve`.
    """
    return solve(coshm(A), sinhm(A))
