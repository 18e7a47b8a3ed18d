"""Functions of complex numbers, part by part: their accuracy against mpmath, and the special cases of C99's Annex G."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.op import Elementwise
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import exponential as ex
from rosin.ir.ops import trigonometric as tr
from rosin.ir.types import TensorType
from rosin.runtime.compile_path import compile_graph

ComplexArray = NDArray[np.complexfloating]
DTYPES = (np.complex64, np.complex128)
INF, NAN = math.inf, math.nan

FUNCTIONS: dict[str, tuple[Elementwise, Callable[[Any], Any], float]] = {
    "exp": (ex.Exp(), mpmath.exp, 6),
    "expm1": (ex.Expm1(), mpmath.expm1, 6),
    "log": (ex.Log(), mpmath.log, 4),
    "log1p": (ex.Log1p(), lambda z: mpmath.log(1 + z), 4),
    "log2": (ex.Log2(), lambda z: mpmath.log(z) / mpmath.log(2), 5),
    "log10": (ex.Log10(), lambda z: mpmath.log10(z), 5),
    "sqrt": (ex.Sqrt(), mpmath.sqrt, 4),
    "rsqrt": (ex.Rsqrt(), lambda z: 1 / mpmath.sqrt(z), 8),
    "sin": (tr.Sin(), mpmath.sin, 6),
    "cos": (tr.Cos(), mpmath.cos, 6),
    "tan": (tr.Tan(), mpmath.tan, 10),
    "sinh": (tr.Sinh(), mpmath.sinh, 6),
    "cosh": (tr.Cosh(), mpmath.cosh, 6),
    "tanh": (tr.Tanh(), mpmath.tanh, 10),
    "asin": (tr.Asin(), mpmath.asin, 8),
    "acos": (tr.Acos(), mpmath.acos, 8),
    "atan": (tr.Atan(), mpmath.atan, 8),
    "asinh": (tr.Asinh(), mpmath.asinh, 8),
    "acosh": (tr.Acosh(), mpmath.acosh, 8),
    "atanh": (tr.Atanh(), mpmath.atanh, 8),
    "abs": (ar.Abs(), abs, 2),
    "sign": (ar.Sign(), lambda z: z / abs(z), 3),
}
"""The op, the function in many digits, and how many units in the last place of a part it may be off."""

BY_DISTANCE = {"expm1"}
"""Functions of which a part is a difference that may cancel: it is off by units of the greater part."""


def compiled(op: Elementwise, z: ComplexArray) -> NDArray[Any]:
    b = Builder()
    operand = b.input(TensorType(dtypes.from_numpy(z.dtype), z.shape))
    return compile_graph(b.graph(b.node(op, operand)), "llvm")(z)[0]


def parts(dtype: type[np.complexfloating], count: int, seed: int) -> ComplexArray:
    """Numbers whose parts are of all magnitudes, of like magnitude, and near 0, 1 and i."""
    random = np.random.default_rng(seed)

    def signs(n: int) -> NDArray[Any]:
        return random.choice([-1, 1], n)

    most = 120 if dtype is np.complex64 else 1000
    wild = [2.0 ** random.uniform(-most, most, count) * signs(count) for _ in range(2)]
    plain = [random.uniform(-6, 6, count) for _ in range(2)]
    tiny = [2.0 ** random.uniform(-40, 2, count) * signs(count) for _ in range(2)]
    large = [2.0 ** random.uniform(4, 30, count) * signs(count) for _ in range(2)]
    angle = random.uniform(-math.pi, math.pi, count)
    real = [large[0], wild[0], plain[0], tiny[0], 1 + tiny[0] * 1e-3, tiny[1], np.cos(angle), -1 + tiny[1] * 1e-3]
    imag = [large[1], wild[1], plain[1], tiny[1], tiny[1] * 1e-3, 1 + tiny[0] * 1e-3, np.sin(angle), tiny[0] * 1e-2]
    return (np.concatenate(real) + 1j * np.concatenate(imag)).astype(dtype)


def ulps(found: float, true: Any, info: Any, size: Any = None) -> float:
    """How many units in the last place, of itself or of `size`, a part is off; great numbers may be infinite."""
    if abs(true) >= float(info.max):
        return 0.0 if abs(found) >= float(info.max) * (1 - 1e-6) else INF
    if not math.isfinite(found):
        return INF
    least = int(info.minexp)
    scale = true if size is None else size
    exponent = max(int(mpmath.frexp(scale)[1]) - 1, least) if scale else least
    return float(abs(mpmath.mpf(found) - true) / mpmath.ldexp(1, exponent - int(info.nmant)))


@pytest.mark.thinned(4)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_accuracy_of_each_part(name: str, dtype: type[np.complexfloating]) -> None:
    op, function, limit = FUNCTIONS[name]
    info = np.finfo(dtype)
    z = parts(dtype, 60, 1)
    if name in ("exp", "expm1", "sin", "cos", "sinh", "cosh"):
        # Where the function has any digits left: it overflows beyond.
        z = z[np.abs(z) < 80]
    found = compiled(op, z)
    worst = (0.0, 0j, 0j)
    with mpmath.workprec(2200 if dtype is np.complex128 else 400):
        for x, y in zip(z.tolist(), found.tolist(), strict=True):
            true = mpmath.mpmathify(function(mpmath.mpc(x)))
            of = (mpmath.re(true), mpmath.im(true))
            size = max(map(abs, of)) if name in BY_DISTANCE else None
            error = max(ulps(a, b, info, size) for a, b in zip((complex(y).real, complex(y).imag), of, strict=True))
            worst = max(worst, (error, x, y), key=lambda w: w[0])
    assert worst[0] <= limit, f"{worst[0]:.3g} ulp at {worst[1]!r}: {worst[2]!r}"


# -- special cases -----------------------------------------------------------------------------------------------------

ANNEX_G: dict[str, tuple[Elementwise, list[tuple[complex, complex]]]] = {
    "exp": (
        ex.Exp(),
        [
            (complex(0.0, 0.0), complex(1, 0.0)),
            (complex(-0.0, -0.0), complex(1, -0.0)),
            (complex(2, INF), complex(NAN, NAN)),
            (complex(INF, 0.0), complex(INF, 0.0)),
            (complex(-INF, 1), complex(0.0, 0.0)),
            (complex(-INF, 4), complex(-0.0, -0.0)),
            (complex(INF, 1), complex(INF, INF)),
            (complex(INF, 3), complex(-INF, INF)),
            (complex(-INF, INF), complex(0.0, 0.0)),
            (complex(INF, INF), complex(INF, NAN)),
            (complex(NAN, 0.0), complex(NAN, 0.0)),
            (complex(NAN, 1), complex(NAN, NAN)),
        ],
    ),
    "log": (
        ex.Log(),
        [
            (complex(-0.0, 0.0), complex(-INF, math.pi)),
            (complex(0.0, 0.0), complex(-INF, 0.0)),
            (complex(0.0, -0.0), complex(-INF, -0.0)),
            (complex(-1, 0.0), complex(0.0, math.pi)),
            (complex(-1, -0.0), complex(0.0, -math.pi)),
            (complex(1, INF), complex(INF, math.pi / 2)),
            (complex(-INF, 1), complex(INF, math.pi)),
            (complex(INF, 1), complex(INF, 0.0)),
            (complex(-INF, INF), complex(INF, 3 * math.pi / 4)),
            (complex(INF, INF), complex(INF, math.pi / 4)),
            (complex(INF, NAN), complex(INF, NAN)),
            (complex(NAN, 1), complex(NAN, NAN)),
        ],
    ),
    "sqrt": (
        ex.Sqrt(),
        [
            (complex(-0.0, 0.0), complex(0.0, 0.0)),
            (complex(0.0, -0.0), complex(0.0, -0.0)),
            (complex(-4, 0.0), complex(0.0, 2)),
            (complex(-4, -0.0), complex(0.0, -2)),
            (complex(1, INF), complex(INF, INF)),
            (complex(NAN, -INF), complex(INF, -INF)),
            (complex(-INF, 1), complex(0.0, INF)),
            (complex(-INF, -1), complex(0.0, -INF)),
            (complex(INF, 1), complex(INF, 0.0)),
            (complex(INF, -1), complex(INF, -0.0)),
            (complex(INF, NAN), complex(INF, NAN)),
            (complex(NAN, 1), complex(NAN, NAN)),
        ],
    ),
    "cosh": (
        tr.Cosh(),
        [
            (complex(0.0, 0.0), complex(1, 0.0)),
            (complex(0.0, INF), complex(NAN, 0.0)),
            (complex(1, INF), complex(NAN, NAN)),
            (complex(INF, 0.0), complex(INF, 0.0)),
            (complex(INF, 1), complex(INF, INF)),
            (complex(INF, INF), complex(INF, NAN)),
            (complex(NAN, 0.0), complex(NAN, 0.0)),
        ],
    ),
    "sinh": (
        tr.Sinh(),
        [
            (complex(0.0, 0.0), complex(0.0, 0.0)),
            (complex(-0.0, 0.0), complex(-0.0, 0.0)),
            (complex(0.0, INF), complex(0.0, NAN)),
            (complex(1, INF), complex(NAN, NAN)),
            (complex(INF, 0.0), complex(INF, 0.0)),
            (complex(INF, 3), complex(-INF, INF)),
            (complex(INF, INF), complex(INF, NAN)),
            (complex(NAN, 0.0), complex(NAN, 0.0)),
        ],
    ),
    "tanh": (
        tr.Tanh(),
        [
            (complex(-0.0, 0.0), complex(-0.0, 0.0)),
            (complex(1, INF), complex(NAN, NAN)),
            (complex(INF, 1), complex(1, 0.0)),
            (complex(INF, 2), complex(1, 0.0)),  # the array API standard; Annex G has the sign of sin(4)
            (complex(INF, INF), complex(1, 0.0)),
            (complex(INF, NAN), complex(1, 0.0)),
            (complex(NAN, 0.0), complex(NAN, 0.0)),
        ],
    ),
    "acos": (
        tr.Acos(),
        [
            (complex(0.0, 0.0), complex(math.pi / 2, -0.0)),
            (complex(0.0, NAN), complex(math.pi / 2, NAN)),
            (complex(1, INF), complex(math.pi / 2, -INF)),
            (complex(-INF, 1), complex(math.pi, -INF)),
            (complex(INF, 1), complex(0.0, -INF)),
            (complex(-INF, INF), complex(3 * math.pi / 4, -INF)),
            (complex(INF, INF), complex(math.pi / 4, -INF)),
            (complex(2, 0.0), complex(0.0, -math.acosh(2))),
            (complex(2, -0.0), complex(0.0, math.acosh(2))),
            (complex(NAN, INF), complex(NAN, -INF)),
        ],
    ),
    "acosh": (
        tr.Acosh(),
        [
            (complex(0.0, 0.0), complex(0.0, math.pi / 2)),
            (complex(1, INF), complex(INF, math.pi / 2)),
            (complex(-INF, 1), complex(INF, math.pi)),
            (complex(INF, -1), complex(INF, -0.0)),
            (complex(INF, NAN), complex(INF, NAN)),
            (complex(NAN, INF), complex(INF, NAN)),
        ],
    ),
    "asinh": (
        tr.Asinh(),
        [
            (complex(0.0, 0.0), complex(0.0, 0.0)),
            (complex(-0.0, -0.0), complex(-0.0, -0.0)),
            (complex(1, INF), complex(INF, math.pi / 2)),
            (complex(INF, 1), complex(INF, 0.0)),
            (complex(INF, INF), complex(INF, math.pi / 4)),
            (complex(INF, NAN), complex(INF, NAN)),
            (complex(NAN, 0.0), complex(NAN, 0.0)),
            (complex(0.0, 2), complex(math.acosh(2), math.pi / 2)),
            (complex(-0.0, 2), complex(-math.acosh(2), math.pi / 2)),
        ],
    ),
    "atanh": (
        tr.Atanh(),
        [
            (complex(0.0, 0.0), complex(0.0, 0.0)),
            (complex(0.0, NAN), complex(0.0, NAN)),
            (complex(1, 0.0), complex(INF, 0.0)),
            (complex(1, INF), complex(0.0, math.pi / 2)),
            (complex(INF, 1), complex(0.0, math.pi / 2)),
            (complex(INF, INF), complex(0.0, math.pi / 2)),
            (complex(INF, NAN), complex(0.0, NAN)),
            (complex(NAN, INF), complex(0.0, math.pi / 2)),
            (complex(2, 0.0), complex(math.atanh(0.5), math.pi / 2)),
            (complex(2, -0.0), complex(math.atanh(0.5), -math.pi / 2)),
        ],
    ),
}
"""Rows of Annex G, and points on branch cuts, which are continuous on the side that the sign of a zero tells."""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ANNEX_G)
def test_special_cases(name: str, dtype: type[np.complexfloating]) -> None:
    op, rows = ANNEX_G[name]
    # Conjugates of arguments have conjugate values.
    pairs = [pair for x, y in rows for pair in ((x, y), (x.conjugate(), y.conjugate()))]
    found = compiled(op, np.array([x for x, _ in pairs], dtype))
    for (x, y), z in zip(pairs, found, strict=True):
        for part in ("real", "imag"):
            actual, expected = float(getattr(z, part)), float(getattr(y, part))
            np.testing.assert_allclose(actual, expected, rtol=4 * np.finfo(dtype).eps, err_msg=f"{part} of {name}({x})")
            if expected == 0:
                assert np.signbit(actual) == np.signbit(expected), f"sign of the {part} part of {name}({x})"


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotients_whose_squares_overflow(dtype: type[np.complexfloating]) -> None:
    most = 100 if dtype is np.complex64 else 1000
    random = np.random.default_rng(5)
    x, y = ((random.normal(size=200) + 1j * random.normal(size=200)) for _ in range(2))
    scale = 2.0 ** random.uniform(-most, most, 200)
    x, y = (x * scale).astype(dtype), (y * scale).astype(dtype)
    b = Builder()
    operands = [b.input(TensorType(dtypes.from_numpy(x.dtype), x.shape)) for _ in range(2)]
    found = compile_graph(b.graph([b.div(*operands)]), "llvm")(x, y)[0]
    wide = [v.astype(np.clongdouble) for v in (x, y)]
    expected = (wide[0] / wide[1]).astype(np.complex128)
    np.testing.assert_array_less(np.abs(found - expected), 8 * np.finfo(dtype).eps * np.abs(expected))
