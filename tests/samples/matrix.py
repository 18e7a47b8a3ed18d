"""Samples of the ops on matrices: factorizations, and solutions of equations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops.matrices import (
    Cholesky,
    Eig,
    Eigh,
    Inverse,
    Lu,
    LuDiagonal,
    LuSolve,
    Qr,
    Schur,
    Solve,
    Svd,
    Sylvester,
    TriangularSolve,
)
from rosin.ir.ops.matrix import OfMatrices
from tests.samples import Array, Bad, Reference, Sample, Symbolic, draw

TYPES = (dtypes.f32, dtypes.f64, dtypes.c64, dtypes.c128)
SQUARES = ((1, 1), (3, 3), (2, 4, 4), (2, 1, 2, 2), (0, 0), (2, 0, 0), (0, 3, 3))
NAN, INF = np.nan, np.inf


def _matrix(dtype: DType, shape: tuple[int, ...], seed: object = 0) -> Array:
    """Far from singular, with eigenvalues and singular values apart."""
    x = draw(dtype, shape, -1, 1, seed=("matrix", seed))
    m, n = shape[-2:]
    return (x * 0.3 + np.eye(m, n) * np.arange(1, n + 1)).astype(dtype.numpy)


def settled(op: Op, operands: Sequence[Array]) -> list[Array]:
    """Operands of any sizes, made such that results depend on them little: eigenvalues, too, lie apart."""
    if not isinstance(op, OfMatrices):
        return list(operands)
    a, *others = operands
    if isinstance(op, Sylvester):
        # The sums of eigenvalues of both matrices lie apart from zero.
        return [_apart(a), _apart(others[0]), others[1]]
    a = _apart(a)
    if not isinstance(op, LuSolve):
        return [a, *others]
    packed, _, order = Lu().eval(a)
    return [a, packed, order, others[-1]]


def _apart(a: Array) -> Array:
    """A matrix of as many numbers whose eigenvalues are positive and lie apart."""
    m, n = a.shape[-2:]
    size = max(float(np.max(np.abs(a), initial=0.0, where=np.isfinite(a))), 1.0)
    return (a * 0.25 / size / max(n, 1) + np.eye(m, n) * np.arange(1, n + 1)).astype(a.dtype)


def canonical(op: Op, results: Sequence[Array]) -> list[Array]:
    """Results without what an algorithm chooses: eigenvalues of no order get one, and vectors a greatest component that
    is positive. NumPy computes in f64, and so chooses otherwise than a routine of f32."""
    values, *vectors = results if isinstance(op, Eig | Eigh | Svd) else (np.empty(0),)
    if isinstance(op, Eig):
        # By rounded parts, so that the values of a conjugate pair keep their order.
        order = np.lexsort((np.round(np.imag(values), 2), np.round(np.real(values), 2)))
        values = np.take_along_axis(values, order, -1)
        vectors = [np.take_along_axis(v, order[..., None, :], -1) for v in vectors]
    if isinstance(op, Schur):
        t, z = results
        turned = np.swapaxes(z.conj(), -1, -2)
        beside = np.abs(np.diagonal(t, -1, -2, -1))
        # No block has more than two rows, and of complex matrices one.
        blocks = beside[..., 1:] * beside[..., :-1] if np.isrealobj(t) else beside
        # What is wrong in one place comes from all of a row.
        return [z @ t @ turned / max(t.shape[-1], 1), z @ turned, np.abs(np.tril(t, -2)), blocks]
    if isinstance(op, Eig | Eigh):
        return [values, *(v * _phase(v) for v in vectors)]
    if isinstance(op, Svd) and op.vectors and values.size:
        u, s, vh = results
        k = s.shape[-1]
        phase = _phase(u[..., :k])
        first = [u[..., :k] * phase, vh[..., :k, :] * np.swapaxes(phase.conj(), -1, -2)]
        # Of vectors beyond the rank only the space is given: the projection on it.
        beyond = [x @ np.swapaxes(x.conj(), -1, -2) for x in (u[..., k:], np.swapaxes(vh[..., k:, :].conj(), -1, -2))]
        return [first[0], s, first[1], *beyond]
    return list(results)


def _phase(vectors: Array) -> Array:
    """What to multiply each column with."""
    if not vectors.size:
        return np.ones((*vectors.shape[:-2], 1, vectors.shape[-1]), vectors.dtype)
    place = np.argmax(np.round(np.abs(vectors), 3), -2, keepdims=True)
    largest = np.take_along_axis(vectors, place, -2)
    size = np.abs(largest)
    return np.where(size > 0, largest.conj() / np.where(size > 0, size, 1), np.nan).astype(vectors.dtype)


def _positive(dtype: DType, shape: tuple[int, ...]) -> Array:
    x = _matrix(dtype, shape)
    return (x @ np.swapaxes(x.conj(), -1, -2)).astype(dtype.numpy)


def _sample(op: Op, *operands: Array, label: str = "", **options: Any) -> Sample:
    attributes = ".".join(str(v) for v in op.attributes().values())
    types = "-".join(f"{dtypes.from_numpy(x.dtype)}{list(x.shape)}" for x in operands)
    dtype = dtypes.from_numpy(operands[0].dtype)
    smooth = dtype.part == dtypes.f64 and not label
    size = operands[0].shape[-1]
    plain: dict[str, Any] = {
        "smooth": smooth,
        "ulps": 64 * max(size, 4),
        "rtol": 64 * max(size, 4) * float(dtype.epsilon),
        "atol": 64 * max(size, 4) * float(dtype.epsilon),
        **options,
    }
    return Sample(op, operands, f"{label or types}-{attributes}", **plain)


def _over(op: Op, *shapes: tuple[int, ...], **options: Any) -> list[Sample]:
    """f64 at every shape, the other types at the second one."""
    given = [(dtypes.f64, shape) for shape in shapes] + [(t, shapes[1]) for t in TYPES if t != dtypes.f64]
    return [_sample(op, _matrix(*each), **options) for each in given]


def _choleskys() -> list[Sample]:
    op = Cholesky()
    found = [
        _sample(op, _positive(t, shape)) for t in TYPES for shape in (SQUARES if t == dtypes.f64 else SQUARES[1:3])
    ]
    bad = _positive(dtypes.f64, (4, 3, 3))
    bad[1] *= -1
    bad[2, 2, 1] = NAN
    bad[3] = np.ones((3, 3))
    large = _positive(dtypes.f32, (2, 40, 40))
    large[1, 30, 30] = -1
    return [
        *found,
        _sample(op, bad, label="failing"),
        _sample(op, large, label="large", ulps=4096, rtol=1e-4, atol=1e-4),
    ]


def _triangulars() -> list[Sample]:
    found: list[Sample] = []
    for flags in itertools.product((False, True), repeat=3):
        op = TriangularSolve(*flags)
        found += [_sample(op, _matrix(t, (2, 3, 3)), draw(t, (2, 3, 2), -1, 1)) for t in TYPES]
        found.append(_sample(op, _matrix(dtypes.f64, (40, 40)) / 3, draw(dtypes.f64, (40, 5), -1, 1), label="large"))
    op = TriangularSolve(True, False, False)
    empty = [((0, 0), (0, 2)), ((2, 2), (2, 0)), ((0, 2, 2), (0, 2, 1)), ((1, 1), (1, 1))]
    return found + [_sample(op, _matrix(dtypes.f64, a), draw(dtypes.f64, b, -1, 1)) for a, b in empty]


def _lus() -> list[Sample]:
    shapes = ((1, 1), (2, 3, 3), (4, 2), (2, 4), (0, 0), (3, 0), (0, 2), (0, 2, 2))
    found = _over(Lu(), *shapes)
    mixed = draw(dtypes.f64, (3, 5, 5), -1, 1)
    mixed[1, :, 2] = 0
    mixed[2, :, 4] = mixed[2, :, 1]
    return [
        *found,
        _sample(Lu(), draw(dtypes.f64, (3, 5, 5), -1, 1), label="swaps", smooth=True),
        _sample(Lu(), draw(dtypes.c128, (2, 3, 4), -1, 1), label="swaps-complex", smooth=True),
        _sample(Lu(), mixed, label="singular", batches=False),
        _sample(Lu(), _matrix(dtypes.f64, (36, 40)), label="large"),
        _sample(Lu(), draw(dtypes.c64, (40, 33), -1, 1), label="large-complex", ulps=1 << 16, rtol=1e-3, atol=1e-3),
    ]


def _diagonals() -> list[Sample]:
    op = LuDiagonal()
    mixed = draw(dtypes.f64, (3, 5, 5), -1, 1)
    mixed[1, :, 2] = 0
    return [
        *_over(op, (1, 1), (2, 3, 3), (0, 0), (0, 2, 2)),
        _sample(op, draw(dtypes.f64, (3, 5, 5), -1, 1), label="swaps", smooth=True),
        _sample(op, draw(dtypes.c128, (2, 4, 4), -1, 1), label="swaps-complex", smooth=True),
        _sample(op, mixed, label="singular", batches=False),
        _sample(op, draw(dtypes.f64, (36, 36), -1, 1), label="large", ulps=1 << 16, rtol=1e-9, atol=1e-9),
    ]


def _solves() -> list[Sample]:
    found: list[Sample] = []
    empty = [((0, 0), (0, 2)), ((2, 2), (2, 0)), ((0, 2, 2), (0, 2, 1))]
    found += [_sample(Solve(), _matrix(dtypes.f64, a), draw(dtypes.f64, b, -1, 1)) for a, b in empty]
    for transpose, t in itertools.product((False, True), TYPES):
        for shape, columns in (((2, 4, 4), 3), ((1, 1), 1), ((34, 34), 2)):
            a = draw(t, shape, -1, 1, seed="solve") + np.eye(shape[-1], dtype=t.numpy) * shape[-1] ** 0.5
            packed, _, order = Lu().eval(a)
            b = draw(t, (*shape[:-1], columns), -1, 1)
            if not transpose:
                found.append(_sample(Solve(), a, b, smooth=shape != (34, 34) and t.part == dtypes.f64))
            options: dict[str, Any] = {"smooth": False} if shape == (34, 34) else {}
            # The factors are taken for those of `a`, which derivatives go by.
            options |= {"differentiable": (3,), "batches": shape != (34, 34)}
            found.append(_sample(LuSolve(transpose), a, packed, order, b, **options))
    return found


def _inverses() -> list[Sample]:
    found = [_sample(Inverse(), _matrix(dtypes.f64, shape)) for shape in ((0, 0), (0, 2, 2), (1, 1))]
    for t in TYPES:
        for shape in ((2, 4, 4), (3, 17, 17), (34, 34)):
            a = draw(t, shape, -1, 1, seed="inverse") + np.eye(shape[-1], dtype=t.numpy) * shape[-1] ** 0.5
            found.append(_sample(Inverse(), a, smooth=shape == (2, 4, 4) and t.part == dtypes.f64))
    return found


def _spectra() -> list[Sample]:
    """Signs and phases of vectors are LAPACK's choice, which a small change may change: their derivatives are compared
    in tests/ir/test_matrices.py, in functions that do not depend on it."""
    found: list[Sample] = []
    for vectors in (False, True):
        bad = _matrix(dtypes.f64, (3, 3, 3))
        bad[1, 2, 0], bad[2, 1, 1] = NAN, INF
        for op in (Eigh(vectors), Eig(vectors)):
            found += _over(op, *SQUARES, smooth=not vectors)
            found.append(_sample(op, bad, label="not-finite"))
    return [*found, _sample(Eig(True), draw(dtypes.f64, (2, 5, 5), -1, 1), label="turning")]


def _schurs() -> list[Sample]:
    bad = _matrix(dtypes.f64, (3, 3, 3))
    bad[1, 2, 0], bad[2, 1, 1] = NAN, INF
    jordan = np.eye(4) + np.eye(4, k=1)
    turning = draw(dtypes.f64, (2, 7, 7), -1, 1)
    return [
        *_over(Schur(), *SQUARES),
        *(_sample(Schur(), draw(t, (2, 6, 6), -1, 1), label="turning") for t in TYPES),
        _sample(Schur(), turning @ jordan_of(7) @ np.linalg.inv(turning), label="defective", atol=1e-6, rtol=1e-6),
        _sample(Schur(), np.stack([jordan, np.rot90(jordan)]), label="jordan", atol=1e-6, rtol=1e-6),
        _sample(Schur(), draw(dtypes.f64, (40, 40), -1, 1), label="large"),
        _sample(Schur(), bad, label="not-finite"),
    ]


def jordan_of(n: int) -> Array:
    return 2 * np.eye(n) + np.diag(np.arange(n - 1) % 2, 1)


def _sylvesters() -> list[Sample]:
    found: list[Sample] = []
    shapes = (((2, 3, 3), (2, 4, 4)), ((1, 1), (2, 2)), ((0, 0), (2, 2)), ((2, 2), (0, 0)), ((0, 2, 2), (0, 1, 1)))
    for t, (left, right) in [(t, shapes[0]) for t in TYPES] + [(dtypes.f64, shape) for shape in shapes[1:]]:
        c = draw(t, (*left[:-1], right[-1]), -1, 1)
        found.append(_sample(Sylvester(), _matrix(t, left), _matrix(t, right, 1), c))
    for t in TYPES:
        turning = [draw(t, (k, k), -1, 1, seed=k) + 1.5 * np.eye(k, dtype=t.numpy) for k in (7, 5)]
        found.append(_sample(Sylvester(), *turning, draw(t, (7, 5), -1, 1), label="turning"))
    ones = np.array([np.eye(3), np.eye(3), np.eye(3)])
    mixed = ones * np.array([1.0, -1.0, np.nan])[:, None, None]
    return [*found, _sample(Sylvester(), ones, mixed, draw(dtypes.f64, (3, 3, 3), -1, 1), label="none")]


def _values() -> list[Sample]:
    shapes = ((1, 1), (2, 3, 2), (2, 4), (3, 3), (0, 0), (3, 0), (0, 2), (0, 2, 2))
    found = _over(Svd(False, False), *shapes)
    for full in (False, True):
        found += _over(Svd(full, True), *shapes, smooth=False)
    bad = _matrix(dtypes.f64, (2, 3, 2))
    bad[1, 2, 0] = NAN
    return [*found, _sample(Svd(False, True), bad, label="not-finite")]


def _qrs() -> list[Sample]:
    shapes = ((1, 1), (2, 3, 2), (2, 4), (3, 3), (0, 0), (3, 0), (0, 2), (0, 2, 2))
    found = _over(Qr(False), *shapes)
    found += [_sample(Qr(True), _matrix(dtypes.f64, s), label=f"complete-{s}".replace(" ", "")) for s in shapes]
    return [*found, _sample(Qr(False), _matrix(dtypes.f64, (40, 35)), label="large")]


SAMPLES: list[Sample] = [
    *_choleskys(),
    *_triangulars(),
    *_lus(),
    *_diagonals(),
    *_solves(),
    *_inverses(),
    *_spectra(),
    *_schurs(),
    *_sylvesters(),
    *_values(),
    *_qrs(),
]

ONE: tuple[Op, ...] = (Cholesky(), Lu(), Eigh(True), Eig(False), Schur(), Svd(False, True), Qr(False))
SQUARE: tuple[Op, ...] = (Cholesky(), Eigh(True), Eig(False), Schur())

BAD: list[Bad] = [
    *(Bad(op, ("f64[3, 3]",) * 2, ShapeError, "takes 1 operands and was given 2") for op in ONE),
    *(Bad(op, ("f64[3]",), ShapeError, "takes matrices") for op in ONE),
    *(Bad(op, ("f16[3, 3]",), DTypeError, "takes f32, f64, c64, c128, not f16") for op in ONE),
    *(Bad(op, ("f64[2, 3, 4]",), ShapeError, "not ones of 3 rows and 4 columns") for op in SQUARE),
    Bad(TriangularSolve(True, False, False), ("f64[3, 4]", "f64[3, 1]"), ShapeError, "3 rows and 4 columns"),
    Bad(TriangularSolve(True, False, False), ("f64[3, 3]", "f64[4, 1]"), ShapeError, "3 columns .* 4 rows"),
    Bad(TriangularSolve(True, False, False), ("f64[3, 3]", "f32[3, 1]"), DTypeError, "dtypes f64 and f32"),
    Bad(TriangularSolve(True, False, False), ("f64[2, 3, 3]", "f64[4, 3, 1]"), ShapeError, "leading axes"),
    Bad(LuSolve(False), ("f64[3, 3]", "f64[3, 3]", "i32[3]", "f64[2, 1]"), ShapeError, "3 columns .* 2 rows"),
    Bad(LuSolve(False), ("f64[3, 3]", "f64[3, 3]", "i32[4]", "f64[3, 1]"), ShapeError, "permutation of 3 rows"),
    Bad(LuSolve(False), ("f64[3, 3]", "f64[3, 4]", "i32[3]", "f64[3, 1]"), ShapeError, "factors of shape"),
    Bad(Solve(), ("f64[3, 4]", "f64[3, 1]"), ShapeError, "3 rows and 4 columns"),
    Bad(Solve(), ("f64[3, 3]", "f64[4, 1]"), ShapeError, "3 columns .* 4 rows"),
    Bad(LuDiagonal(), ("f64[3, 4]",), ShapeError, "3 rows and 4 columns"),
    Bad(Inverse(), ("f64[3, 4]",), ShapeError, "3 rows and 4 columns"),
    Bad(Sylvester(), ("f64[3, 4]", "f64[2, 2]", "f64[3, 2]"), ShapeError, "3 rows and 4 columns"),
    Bad(Sylvester(), ("f64[3, 3]", "f64[2, 2]", "f64[2, 3]"), ShapeError, "of 3 and 2 rows .* 2 rows and 3 columns"),
    Bad(Qr(False), ("f64[n, m]",), ShapeError, "not known which is less"),
]

SYMBOLIC: list[Symbolic] = [
    *(Symbolic(op, ("f64[b, n, n]",), ("f64[b, n, n]",)) for op in (Cholesky(),)),
    Symbolic(Lu(), ("f32[b, n, n]",), ("f32[b, n, n]", "i32[b, n]", "i32[b, n]")),
    Symbolic(LuDiagonal(), ("c64[b, n, n]",), ("c64[b, n]", "i32[b]")),
    Symbolic(TriangularSolve(False, True, False), ("c64[n, n]", "c64[n, k]"), ("c64[n, k]",)),
    Symbolic(LuSolve(True), ("f64[n, n]", "f64[n, n]", "i32[n]", "f64[n, k]"), ("f64[n, k]",)),
    Symbolic(Solve(), ("f64[b, n, n]", "f64[b, n, k]"), ("f64[b, n, k]",)),
    Symbolic(Inverse(), ("f64[b, n, n]",), ("f64[b, n, n]",)),
    Symbolic(Qr(False), ("f64[b, n, n]",), ("f64[b, n, n]", "f64[b, n, n]")),
    Symbolic(Eigh(True), ("c64[b, n, n]",), ("f32[b, n]", "c64[b, n, n]")),
    Symbolic(Eig(True), ("f64[n, n]",), ("c128[n]", "c128[n, n]")),
    Symbolic(Schur(), ("f64[b, n, n]",), ("f64[b, n, n]", "f64[b, n, n]")),
    Symbolic(Sylvester(), ("f32[m, m]", "f32[n, n]", "f32[m, n]"), ("f32[m, n]",)),
    Symbolic(Svd(False, True), ("f64[n, n]",), ("f64[n, n]", "f64[n]", "f64[n, n]")),
]

# Each has a second definition in the properties that its results have: tests/ir/test_matrices.py checks these.
REFERENCES: dict[type[Op], Reference] = dict.fromkeys(
    (Cholesky, Eig, Eigh, Inverse, Lu, LuDiagonal, LuSolve, Qr, Schur, Solve, Svd, Sylvester, TriangularSolve), None
)
