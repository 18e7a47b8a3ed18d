"""Products that `matmul` and `outer` do not name: of matrices with vectors, of all elements, and Kronecker's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import elementwise, linear, manipulation, promote
from rosin.frontend.numpy.complex import conj
from rosin.frontend.numpy.promote import ArrayLike

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def _at_least(name: str, x1: ArrayLike, x2: ArrayLike, ranks: tuple[int, int]) -> tuple[Array, Array]:
    a, b = promote.alike(name, x1, x2)
    for x, rank in zip((a, b), ranks, strict=True):
        own = len(core.shape_of(x))
        if own < rank:
            promote.bad_shape(
                f"{name}: takes {'vectors' if rank == 1 else 'matrices'}, not an array of rank {own}", a, b
            )
    return a, b


def matvec(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The product of matrices with vectors: `(..., m, n)` with `(..., n)` gives `(..., m)`, leading axes broadcast.

    Raises:
        ShapeError: an operand has too few axes, inner sizes differ, or leading axes do not broadcast.
    """
    matrices, vectors = _at_least("matvec", x1, x2, (2, 1))
    if len(core.shape_of(vectors)) == 1:
        return linear.matmul(matrices, vectors)
    return manipulation.squeeze(linear.matmul(matrices, manipulation.expand_dims(vectors, -1)), -1)


def vecmat(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The product of vectors, conjugated, with matrices: `(..., n)` with `(..., n, m)` gives `(..., m)`.

    Raises:
        ShapeError: an operand has too few axes, inner sizes differ, or leading axes do not broadcast.
    """
    vectors, matrices = _at_least("vecmat", x1, x2, (1, 2))
    if len(core.shape_of(vectors)) == 1:
        return linear.matmul(conj(vectors), matrices)
    return manipulation.squeeze(linear.matmul(manipulation.expand_dims(conj(vectors), -2), matrices), -2)


def vdot(x1: ArrayLike, x2: ArrayLike, /, *, preferred_element_type: DTypeLike | None = None) -> Array:
    """The sum of the products of all elements, in row-major order, those of x1 conjugated.

    For `preferred_element_type` see `matmul`.

    Raises:
        ShapeError: they have different numbers of elements.
        DTypeError: as `matmul`.
    """
    (a, b), dtype = linear.numbers("vdot", preferred_element_type, x1, x2)
    return linear.dot(manipulation.ravel(conj(a)), manipulation.ravel(b), preferred_element_type=dtype)


def kron(a: ArrayLike, b: ArrayLike) -> Array:
    """The Kronecker product: b as often as there are elements of a, each time multiplied by one of them."""
    x, y = promote.alike("kron", a, b)
    rank = max(len(core.shape_of(x)), len(core.shape_of(y)))
    left, right = ((*(1,) * (rank - len(core.shape_of(z))), *core.shape_of(z)) for z in (x, y))
    spread = [size for pair in zip(left, [1] * rank, strict=True) for size in pair]
    inner = [size for pair in zip([1] * rank, right, strict=True) for size in pair]
    product = elementwise.multiply(manipulation.reshape(x, spread), manipulation.reshape(y, inner))
    return manipulation.reshape(product, [n * m for n, m in zip(left, right, strict=True)])


__all__ = ["kron", "matvec", "vdot", "vecmat"]
