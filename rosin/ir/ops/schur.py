"""Schur's form of square matrices: a triangular one that unitary matrices make of them."""

from __future__ import annotations

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dims import Dim
from rosin.ir.op import Arrays, Cost, NumpyArray, Types, Undifferentiable, define
from rosin.ir.ops.matrix import OfMatrices, each, nans, sizes_of, stack_work
from rosin.ir.ops.qr import BLOCK
from rosin.ir.types import TensorType

STEPS = 60
"""Steps of the iteration for each eigenvalue, of which it usually takes two or three."""


@define("schur")
class Schur(Undifferentiable, OfMatrices):
    """An upper triangular t and a unitary z with a = z t zᴴ; the eigenvalues, in no order, are the diagonal of t.

    Of real matrices t is real, and has a block of two rows, with equal elements on the diagonal, for each pair of
    conjugate eigenvalues. Matrices that hold infinities or NaNs give NaNs, as where the iteration does not converge.
    """

    chooses = True
    reason = "how blocks of real matrices turn is not known here; rosin.scipy.linalg.schur has one for complex matrices"

    def type(self, *operands: TensorType) -> Types:
        (a,) = self.check_matrices(operands, 1)
        self.check_square(operands, a)
        return (a, a)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (a,) = operands
        dtype = dtypes.from_numpy(a.dtype)
        found = [_schur(x) if np.isfinite(x).all() else None for x in each(a)]
        bad = nans(a.shape[-2:], dtype)
        return tuple(
            np.asarray([bad if x is None else x[i] for x in found], a.dtype).reshape(a.shape) for i in range(2)
        )

    def cost(self, operands: Types, results: Types) -> Cost:
        n, _ = sizes_of(operands[0])
        return Cost(stack_work(operands[0], 25 * n**3), 3 * operands[0].bytes)

    def told(self, types: Types) -> tuple[Dim, ...]:
        return (types[0].shape[-1],)

    def room(self, types: Types) -> Dim:
        (a,) = types
        n = a.shape[-1]
        # The matrix, its vectors, eigenvalues by their parts, workspace of numbers and of real ones.
        return (2 * n * n + (BLOCK + 6) * n) * a.dtype.bytes + n * a.dtype.part.bytes


def _schur(a: NumpyArray) -> tuple[NumpyArray, NumpyArray] | None:
    """By shifted QR steps on the whole of what is not triangular yet; None where they do not converge.

    Real matrices take two conjugate shifts at once.
    """
    n, real = len(a), not np.iscomplexobj(a)
    t = np.array(a, np.float64 if real else np.complex128)
    z, size = np.eye(n, dtype=t.dtype), n
    least = np.finfo(np.float64).eps * max(float(np.linalg.norm(t)), np.finfo(np.float64).tiny)
    steps = 0
    while size > (2 if real else 1):
        done = next((k for k in (1, 2)[: 1 + real] if np.linalg.norm(t[size - k : size, : size - k]) <= least), 0)
        if done:
            t[size - done : size, : size - done] = 0
            size -= done
            continue
        if steps == STEPS * n:
            return None
        block, unit = t[:size, :size], np.eye(size)
        tail = block[-2:, -2:]
        if steps % 10 == 9:  # the shifts go round in circles: others
            tail = tail + np.abs(block[-1, :-1]).sum() * np.array([[0.7, -0.4], [1.0, 0.8]])
        if real:
            shifted = block @ block - np.trace(tail) * block + np.linalg.det(tail) * unit
        else:
            shifts = np.linalg.eigvals(tail)
            shifted = block - shifts[np.argmin(np.abs(shifts - block[-1, -1]))] * unit
        _turn(t, z, np.linalg.qr(shifted)[0])
        steps += 1
    for k in range(n - 1):
        if real and t[k + 1, k] != 0:
            _turn(t, z, _standard(t[k : k + 2, k : k + 2]), k)
            if abs(t[k + 1, k]) <= least:
                t[k + 1, k] = 0
    return t, z


def _turn(t: NumpyArray, z: NumpyArray, q: NumpyArray, start: int = 0) -> None:
    """Make qᴴ t q of some rows and columns."""
    place = slice(start, start + len(q))
    t[place] = q.conj().T @ t[place]
    t[:, place] = t[:, place] @ q
    z[:, place] = z[:, place] @ q


def _standard(block: NumpyArray) -> NumpyArray:
    """The rotation that makes a block of two rows triangular, or its diagonal equal where eigenvalues are conjugate."""
    (a, b), (c, d) = block
    gap = (a - d) ** 2 / 4 + b * c
    if gap >= 0:
        # An eigenvector becomes the first column.
        value = (a + d) / 2 + np.copysign(np.sqrt(gap), a - d)
        x, y = (value - d, c) if abs(value - d) + abs(c) > 0 else (1.0, 0.0)
        angle = np.arctan2(y, x)
    else:
        angle = np.arctan2(a - d, -(b + c)) / 2
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
