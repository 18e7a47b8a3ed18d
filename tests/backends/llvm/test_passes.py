"""Passes of Fourier transforms and short lines side by side, as text of LLVM and as text of the assembler."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from rosin.backends.llvm.routines import butterflies, lines, passes, short
from rosin.backends.llvm.routines.butterflies import FIRST, PLAIN, TURNED
from rosin.backends.llvm.routines.turns import BYTES
from rosin.backends.llvm.routines.vectors import BODY, Place, Vectors
from rosin.runtime import jit, loading

RADICES = (1, 2, 3, 4, 5, 7, 8, 11, 16, 17, 31)
COUNTS = ((1, 1), (3, 1), (9, 1), (16, 1), (3, 2), (1, 5), (3, 8), (9, 17))
"""Sets, and neighbours of each."""
REAL: dict[str, Any] = {"float": ctypes.c_float, "double": ctypes.c_double}
DTYPES: dict[str, tuple[Any, Any]] = {"float": (np.float32, np.complex64), "double": (np.float64, np.complex128)}
GUARD = 16
assembled = pytest.param(True, marks=pytest.mark.skipif(not jit.host().assembles, reason="for other processors"))
RNG = np.random.default_rng(0)


def numbers(elem: str, *shape: int) -> Any:
    return (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(DTYPES[elem][1])


def function(text: str, name: str, *types: Any) -> Callable[..., None]:
    library = loading.load_text(text)
    library.keep_forever()
    return ctypes.CFUNCTYPE(None, *types)(library.address(name))


def guarded(count: int, dtype: Any) -> Any:
    """Room for results, and what is not to be written after it."""
    return np.full(count + GUARD, 7, dtype)


def strides(kind: str, radix: int, sets: int, count: int) -> Sequence[int]:
    """Sets, neighbours, and how far sets and points are apart, before the pass and after it."""
    if kind == FIRST:
        return sets, 1, 1, sets, radix, 1
    between = (count, count * sets) if kind == PLAIN else (count * radix, count)
    return sets, count, count, count * sets, *between


def expected(kind: str, x: Any, factors: Any, sign: int, scale: float) -> Any:
    """Of points, sets and neighbours: the results of a pass in the order in which they lie."""
    y = np.fft.ifft(x, axis=0) * len(x) if sign == 1 else np.fft.fft(x, axis=0)
    turned = factors if sign == 1 else factors.conj()
    if kind == PLAIN:
        return y * scale
    y[1:] *= (turned if kind == FIRST else turned.T)[:, :, None]
    return y.transpose(1, 0, 2)


@pytest.mark.parametrize("in_assembler", [False, assembled])
@pytest.mark.parametrize("elem", ["float", "double"])
@pytest.mark.parametrize("radix", RADICES)
@pytest.mark.parametrize("kind", [PLAIN, TURNED, FIRST])
def test_passes(kind: str, radix: int, elem: str, in_assembler: bool) -> None:
    if radix == 1 and kind != PLAIN:
        pytest.skip("there is nothing to turn")
    word = ctypes.c_int64
    types = [ctypes.c_void_p, ctypes.c_void_p, *[word] * 6, ctypes.c_void_p, REAL[elem], REAL[elem]]
    known: dict[Any, Callable[..., None]] = {}
    for sets, neighbours in COUNTS:
        count = 1 if kind == FIRST else neighbours
        for given in (None, sets if kind == FIRST else count):
            steps = butterflies.steps(kind, radix, elem, jit.host().vector_bytes, given)
            if steps not in known:
                text = (passes if in_assembler else butterflies).pass_text("one_pass", kind, radix, elem, steps)
                known[steps] = function(text, "one_pass", *types)
            x = numbers(elem, radix, sets, count)
            factors = numbers(elem, *((radix - 1, sets) if kind == FIRST else (sets, radix - 1)))
            for sign in (1, -1):
                y = guarded(x.size, x.dtype)
                places = (array.ctypes.data for array in (x, y))
                known[steps](*places, *strides(kind, radix, sets, count), factors.ctypes.data, sign, 0.5)
                right = expected(kind, x.astype(np.complex128), factors, sign, 0.5).ravel()
                tolerance = 20 * radix * float(np.finfo(x.dtype).eps)
                np.testing.assert_allclose(y[: x.size], right, rtol=0, atol=tolerance)
                assert (y[x.size :] == 7).all()


@pytest.mark.parametrize("in_assembler", [False, assembled])
@pytest.mark.parametrize("elem", ["float", "double"])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 6, 8, 15, 31, 32, 45])
@pytest.mark.parametrize("kind", ["dft", "realdft", "halfdft"])
def test_short_lines(kind: str, length: int, elem: str, in_assembler: bool) -> None:
    width = jit.host().vector_bytes
    least = short.together(kind, length, elem, width)
    if least <= 1:
        pytest.skip("lines of this length do not go side by side")
    types = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, REAL[elem], REAL[elem]]
    text = (
        lines.short_text("some_lines", kind, length, elem)
        if in_assembler
        else short.short_text("some_lines", kind, length, elem, width)
    )
    run = function(text, "some_lines", *types)
    transforms: dict[int, Any] = {1: lambda x: np.fft.ifft(x) * length, -1: np.fft.fft}
    for count in (least, least + 1, 3 * least - 1):
        x = numbers(elem, count, length if kind != "halfdft" else length // 2 + 1)
        given = np.ascontiguousarray(x.real) if kind == "realdft" else x
        for sign in {"dft": (1, -1), "realdft": (-1,), "halfdft": (1,)}[kind]:
            wide = given.astype(np.float64 if kind == "realdft" else np.complex128)
            transform = {"dft": transforms[sign], "realdft": np.fft.rfft}.get(kind)
            right = np.fft.irfft(wide, length) * length if transform is None else transform(wide)
            y = guarded(right.size, DTYPES[elem][kind != "halfdft"])
            run(given.ctypes.data, y.ctypes.data, count, sign, 0.5)
            tolerance = 20 * length * float(np.finfo(y.dtype).eps)
            np.testing.assert_allclose(y[: right.size], 0.5 * right.ravel(), rtol=0, atol=tolerance)
            assert (y[right.size :] == 7).all()


@pytest.mark.skipif(not jit.host().assembles, reason="for other processors")
@pytest.mark.parametrize(("elem", "lanes"), [("double", 2), ("double", 8), ("float", 2), ("float", 16)])
def test_vectors(elem: str, lanes: int) -> None:
    """More values than there are registers, and values negated in every place of an operation."""
    v, count, bytes = Vectors("vectors", elem, lanes), 40, lanes * BYTES[elem]
    scale = v.splat("%xmm0")
    v.level = BODY
    xs = [v.load(Place(f"{bytes * at}(%rdi)")) for at in range(count)]
    minus = [v.fneg(x) for x in xs]
    results = [
        *(v.fadd(x, y) for x, y in zip(xs, reversed(minus), strict=True)),
        *(v.fadd(x, y) for x, y in zip(minus, reversed(minus), strict=True)),
        *(v.fma(minus[at], xs[at - 1], xs[at - 2]) for at in range(count)),
        *(v.fma(xs[at], xs[at], minus[at - 1]) for at in range(count)),
        *(v.fma(xs[at], scale, xs[at]) for at in range(count)),
        *(v.fmul(minus[at], v.like(3.0, scale)) for at in range(count)),
        *(v.shuffle(minus[at], xs[at - 1], [lane ^ 1 for lane in range(lanes)]) for at in range(count)),
    ]
    # What was computed first is stored last.
    for at in reversed(range(len(results))):
        v.store(results[at], Place(f"{bytes * at}(%rsi)"))
    written = v.written()
    assert written.slots
    code = ["pushq %rbp", "movq %rsp, %rbp", f"subq ${64 * written.slots}, %rsp", "andq $-64, %rsp"]
    code += [*written.lines[0], *written.lines[BODY], "movq %rbp, %rsp", "popq %rbp", "vzeroupper", "retq"]
    text = passes.module("vectors", code, written.data())
    run = function(text, "vectors", ctypes.c_void_p, ctypes.c_void_p, REAL[elem])
    x = np.arange(count * lanes, dtype=DTYPES[elem][0]).reshape(count, lanes) % 13 - 6
    y = np.zeros((len(results), lanes), x.dtype)
    run(x.ctypes.data, y.ctypes.data, 0.5)
    one, two = np.roll(x, 1, axis=0), np.roll(x, 2, axis=0)
    swapped = -x.reshape(count, -1, 2)[:, :, ::-1].reshape(x.shape)
    right = [x - x[::-1], -x - x[::-1], two - x * one, x * x - one, 1.5 * x, -3 * x, swapped]
    np.testing.assert_array_equal(y.reshape(-1, *x.shape), right)
