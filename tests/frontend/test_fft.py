"""Fourier transforms against NumPy: every function, sizes, axes, norms, precision, derivatives, batches, symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.backends.llvm.routines import ways
from rosin.ir import dtypes
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.runtime import plans, threads
from tests.frontend.agree import check, near

fft: Any = rnp.fft
RANDOM = np.random.default_rng(0)
NORMS = (None, "backward", "ortho", "forward")
ALONG_ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
ALONG_MANY = ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2")
TAKES_REAL = {"rfft", "ihfft", "rfftn", "rfft2"}


def numbers(*shape: int) -> Any:
    return RANDOM.standard_normal(shape) + 1j * RANDOM.standard_normal(shape)


def operand(name: str, *shape: int) -> Any:
    x = numbers(*shape)
    return x.real.copy() if name in TAKES_REAL else x


@pytest.mark.parametrize("name", ALONG_ONE)
@pytest.mark.parametrize("norm", NORMS)
def test_along_one_axis(name: str, norm: str | None) -> None:
    x = operand(name, 4, 6, 5)
    for axis in (0, 1, -1):
        for n in (None, 1, 3, 8):
            options = {"n": n, "axis": axis, "norm": norm}
            expected = getattr(np.fft, name)(x, **options)
            near(getattr(fft, name)(rnp.asarray(x), **options), expected, what=f"{name}{options}")


@pytest.mark.parametrize("name", ALONG_MANY)
@pytest.mark.parametrize("norm", NORMS)
def test_along_several_axes(name: str, norm: str | None) -> None:
    x = operand(name, 4, 6, 5)
    for s, axes in ((None, (0, 1)), ((3, 7), (0, 2)), ((3, -1), (2, 0)), ((2, 9), (1, 2)), (None, (1, 0))):
        options = {"s": s, "axes": axes, "norm": norm}
        near(
            getattr(fft, name)(rnp.asarray(x), **options), getattr(np.fft, name)(x, **options), what=f"{name}{options}"
        )
    near(getattr(fft, name)(rnp.asarray(x)), getattr(np.fft, name)(x))


@pytest.mark.parametrize("name", [*ALONG_ONE, *ALONG_MANY])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_compiled(name: str, real: Any) -> None:
    x = operand(name, 6, 12, 30)
    given = x.astype(real if name in TAKES_REAL else np.result_type(real, np.complex64))
    found = rosin.compile(lambda x: getattr(fft, name)(x))(rnp.asarray(given))
    near(found, getattr(np.fft, name)(given), 1e-4 if real is np.float32 else 1e-12)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "bfloat16", "float32", "float64"])
def test_types_of_results(dtype: str) -> None:
    x = rnp.asarray([0, 1, 1, 0, 1], dtype=getattr(rnp, dtype))
    wide = dtype == "float64"
    for name in ("fft", "ifft", "rfft"):
        found = getattr(fft, name)(x)
        assert found.dtype == (rnp.complex128 if wide else rnp.complex64)
        near(rnp.astype(found, rnp.complex128), getattr(np.fft, name)([0, 1, 1, 0, 1]), 1e-6)
    assert fft.irfft(x).dtype == (rnp.float64 if wide else rnp.float32)


def exact(x: Any) -> Any:
    """The transform of a line by the definition, in long doubles."""
    k = np.arange(x.shape[-1])
    table = np.exp(np.clongdouble(-2j) * np.arccos(np.longdouble(-1)) * k / len(k))
    return np.array([(table[k * j % len(k)] * x).sum() for j in k])


@pytest.mark.parametrize("n", [8, 60, 97, 128, 243, 256, 343, 500, 1000, 1009, 1024])
@pytest.mark.parametrize("complex_dtype", [np.complex64, np.complex128])
def test_error_is_that_of_the_rounding_of_few_steps(n: int, complex_dtype: Any) -> None:
    x = numbers(n).astype(complex_dtype)
    wanted = exact(x.astype(np.clongdouble))
    compiled = rosin.compile(fft.fft, dynamic={})
    epsilon = np.finfo(complex_dtype).eps
    error = np.linalg.norm(np.asarray(compiled(rnp.asarray(x))) - wanted) / np.linalg.norm(wanted)
    assert error < 0.3 * epsilon * np.log2(n) * (3 if n in (97, 1009) else 1)


def test_factors_are_right_to_the_last_bit() -> None:
    mpmath = pytest.importorskip("mpmath")
    for count in (7, 16, 360, 1 << 20, 1_000_003):
        parts = np.unique(np.concatenate([np.arange(8) * count // 8, RANDOM.integers(0, count, 40), [1, count - 1]]))
        some = plans.turns(parts, count).tolist()
        first = plans.first_turns(min(count, 300_000), count).tolist()
        for k, found in [*zip(parts.tolist(), some, strict=True), *((k, first[k]) for k in parts if k < len(first))]:
            with mpmath.workdps(40):
                angle = 2 * mpmath.pi * int(k) / count
                for value, true in ((found.real, mpmath.cos(angle)), (found.imag, mpmath.sin(angle))):
                    assert abs(value - true) <= 0.501 * np.spacing(abs(float(true))) + 1e-19


@pytest.mark.parametrize("n", [1 << 12, 1 << 16, 3 << 14, 3**10, 66_309, 100_003])
def test_long_lines(n: int) -> None:
    x = numbers(n)
    near(rosin.compile(lambda x: fft.fft(x))(rnp.asarray(x)), np.fft.fft(x), 1e-9)
    near(rosin.compile(lambda x: fft.rfft(x))(rnp.asarray(x.real.copy())), np.fft.rfft(x.real), 1e-9)
    near(rosin.compile(lambda x: fft.irfft(fft.rfft(x), n))(rnp.asarray(x.real.copy())), x.real, 1e-9)


def test_every_size_to_two_hundred() -> None:
    """With one program for all sizes, which finds the plan of each when it is called."""
    there = rosin.compile(lambda x: fft.fft(x), dynamic={"x": {1: "n"}})
    real = rosin.compile(lambda x: fft.irfft(fft.rfft(x), x.shape[1]), dynamic={"x": {1: "n"}})
    for n in range(1, 201):
        x = numbers(3, n)
        near(there(rnp.asarray(x)), np.fft.fft(x), 1e-11)
        near(real(rnp.asarray(x.real.copy())), x.real, 1e-11)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_several_lines_of_odd_length(real: Any) -> None:
    """Those of one block, of several, and of a last one that is not full; what is in one line is in no other."""
    for lines, size in ((2, 15), (16, 9), (17, 105), (37, 45), (33, 127), (19, 1), (18, 129)):
        x = RANDOM.standard_normal((lines, size)).astype(real)
        x[1, 0] = np.nan
        half = np.fft.rfft(x.astype(np.float64)).astype(np.result_type(real, np.complex64))
        found = rosin.compile(fft.rfft)(rnp.asarray(x))
        near(found, half, 2e-5 if real is np.float32 else 1e-13)
        back = rosin.compile(lambda y, size=size: fft.irfft(y, size))(found)
        near(back, np.fft.irfft(half, size).astype(real), 2e-5 if real is np.float32 else 1e-13)


def test_symbolic_sizes_of_all_axes() -> None:
    transform = rosin.compile(
        lambda x: (fft.fft2(x), fft.fft(x, n=9, axis=0), fft.ifft(x, axis=1)), dynamic={"x": {0: "n", 1: "m", 2: "k"}}
    )
    for shape in ((4, 5, 1), (7, 16, 20), (17, 3, 37), (12, 9, 2)):
        x = numbers(*shape)
        expected = (np.fft.fft2(x), np.fft.fft(x, n=9, axis=0), np.fft.ifft(x, axis=1))
        for found, wanted in zip(transform(rnp.asarray(x)), expected, strict=True):
            near(found, wanted, 1e-11)


def test_many_lines_on_any_number_of_threads() -> None:
    x = numbers(300, 240)

    def transforms(x: Any) -> Any:
        return fft.fft(x), fft.fft(x, axis=0), fft.rfft(fft.ifft(x).real), fft.fft(rnp.ravel(x))

    transform = rosin.compile(transforms)
    before = threads.num_threads()
    try:
        found: list[list[bytes]] = []
        for count in (1, 2, 5):
            threads.set_num_threads(count)
            found.append([np.asarray(y).tobytes() for y in transform(rnp.asarray(x))])
    finally:
        threads.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_what_fails_while_a_plan_is_made_comes_out_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    x = numbers(3, 223)  # of a size that no other test has a plan of
    transform = rosin.compile(lambda x: fft.fft(x), dynamic={"x": {1: "n"}})
    transform(rnp.asarray(numbers(3, 4)))

    def fails(planner: plans.Planner, number: int) -> int:
        raise MemoryError(f"no plan {number}")

    with monkeypatch.context() as patched:
        patched.setattr(plans.Planner, "plan", fails)
        with pytest.raises(MemoryError, match=f"no plan {223 * ways.KINDS + ways.Kind.LINE}"):
            transform(rnp.asarray(x))
    near(transform(rnp.asarray(x)), np.fft.fft(x), 1e-11)


def test_in_loops_and_branches() -> None:
    x = numbers(6, 20)

    def body(total: Any, line: Any) -> Any:
        spectrum = rosin.cond(rnp.real(line[0]) > 0, fft.fft, fft.ifft, line)
        return total + spectrum, spectrum

    expected = [np.fft.fft(line) if line[0].real > 0 else np.fft.ifft(line) for line in x]
    scan = rosin.compile(lambda x: rosin.scan(body, rnp.zeros(20, dtype=rnp.complex128), x))
    total, each = scan(rnp.asarray(x))
    near(each, np.stack(expected), 1e-12)
    near(total, np.sum(expected, axis=0), 1e-11)


# -- derivatives and batches -------------------------------------------------------------------------------------------

WEIGHTS = numbers(3, 40)


def weighted(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A real number that depends on all results of a transform, and not on each in the same way."""

    def total(x: Any) -> Any:
        y = function(x)
        weights = rnp.asarray(WEIGHTS[:, : y.shape[-1]])
        product = y * (weights if rnp.iscomplexobj(y) else weights.real)
        return rnp.sum(rnp.sin(product.real) + (product.imag**2 if rnp.iscomplexobj(y) else 0))

    return total


@pytest.mark.parametrize("name", [*ALONG_ONE, "fft2", "irfft2", "rfftn"])
@pytest.mark.parametrize("n", [5, 8])
def test_gradients_are_those_of_finite_differences(name: str, n: int) -> None:
    x = operand(name, 3, n)
    total = weighted(getattr(fft, name))
    gradient = np.asarray(rosin.grad(total)(rnp.asarray(x)))
    direction = operand(name, 3, n)
    step = 1e-5
    ahead, behind = (float(total(rnp.asarray(x + s * direction))) for s in (step, -step))
    # The gradient of a real function is by the pairing Re(g d), as everywhere.
    assert np.sum(gradient * direction).real == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)
    tangent = rosin.jvp(total, (rnp.asarray(x),), (rnp.asarray(direction),))[1]
    assert float(tangent) == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("name", ["fft", "irfft", "rfft"])
def test_second_derivatives(name: str) -> None:
    x, direction = operand(name, 3, 6), operand(name, 3, 6)
    total = weighted(getattr(fft, name))
    along = rosin.compile(lambda x, d: rosin.jvp(rosin.grad(total), (x,), (d,))[1])
    found = np.asarray(along(rnp.asarray(x), rnp.asarray(direction)))
    step = 1e-5
    ahead, behind = (np.asarray(rosin.grad(total)(rnp.asarray(x + s * direction))) for s in (step, -step))
    np.testing.assert_allclose(found, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-6)


def test_batches() -> None:
    x = numbers(4, 6, 5)
    for name in ("fft", "irfft", "fft2"):
        each = rosin.vmap(getattr(fft, name), in_axes=1)
        expected = np.stack([getattr(np.fft, name)(x[:, i]) for i in range(6)])
        check(each, x, expected=expected, tolerance=1e-12)
    check(
        rosin.vmap(lambda x: fft.rfft(x, axis=0)), x.real.copy(), expected=np.fft.rfft(x.real, axis=1), tolerance=1e-12
    )


# -- frequencies -------------------------------------------------------------------------------------------------------


def test_frequencies() -> None:
    for n in (1, 2, 5, 8, 1001):
        near(fft.fftfreq(n), np.fft.fftfreq(n).astype(np.float32), 1e-6)
        near(fft.rfftfreq(n, 0.1, dtype=rnp.float64), np.fft.rfftfreq(n, 0.1))
        near(fft.fftfreq(n, 0.1, dtype=rnp.float64), np.fft.fftfreq(n, 0.1))
    symbolic = rosin.compile(
        lambda x: (fft.fftfreq(x.shape[0], 0.5), fft.rfftfreq(x.shape[0])), dynamic={"x": {0: "n"}}
    )
    for n in (4, 7):
        found = symbolic(rnp.zeros(n))
        near(found[0], np.fft.fftfreq(n, 0.5).astype(np.float32), 1e-6)
        near(found[1], np.fft.rfftfreq(n).astype(np.float32), 1e-6)


@pytest.mark.parametrize("shape", [(5,), (4, 6), (3, 4, 5), (1, 0)])
def test_shifts(shape: tuple[int, ...]) -> None:
    x = RANDOM.integers(0, 100, shape)
    for axes in (None, 0, -1, (0,), tuple(range(len(shape)))):
        check(lambda x, axes=axes: fft.fftshift(x, axes=axes), x, expected=np.fft.fftshift(x, axes=axes))
        check(lambda x, axes=axes: fft.ifftshift(x, axes=axes), x, expected=np.fft.ifftshift(x, axes=axes))


# -- bad input ---------------------------------------------------------------------------------------------------------

LINES = rnp.zeros((3, 4), dtype=rnp.complex64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fft.rfft(LINES), DTypeError, "rfft transforms real numbers, not c64"),
        (lambda: fft.ihfft(LINES), DTypeError, "ihfft transforms real numbers, not c64"),
        (lambda: fft.fft([1.0, 2.0]), DTypeError, "fft takes arrays and numbers, not a list"),
        (lambda: fft.fft(LINES, n=2.5), DTypeError, "fft: a size is an integer, not float"),
        (lambda: fft.fft(LINES, n=0), AttributeValueError, "fft: a size of 0 is not positive"),
        (lambda: fft.ifft(LINES, norm="both"), AttributeValueError, "ifft: the norm is .* not 'both'"),
        (lambda: fft.fft(LINES, axis=2), ShapeError, "fft: axis 2 is out of range for rank 2"),
        (lambda: fft.fft(rnp.zeros(())), ShapeError, "fft: axis -1 is out of range for rank 0"),
        (lambda: fft.fft(rnp.zeros((3, 0))), ShapeError, "fft: lines along axis 1 have no elements"),
        (lambda: fft.irfft(rnp.zeros(1)), ShapeError, "irfft: 1 numbers along axis 0 give a line without elements"),
        (lambda: fft.fftn(LINES, s=(3,), axes=(0, 1)), ShapeError, "fftn: 1 sizes are given for 2 axes"),
        (lambda: fft.fftn(LINES, s=(3, 3, 3)), ShapeError, "fftn: 3 sizes are given for rank 2"),
        (lambda: fft.irfftn(LINES, axes=()), ShapeError, "irfftn transforms along at least one axis"),
        (lambda: fft.fftfreq(0), AttributeValueError, "fftfreq: 0 samples are not a positive number of them"),
        (lambda: fft.rfftfreq(4, dtype=rnp.int32), DTypeError, "rfftfreq makes floats, not i32"),
        (lambda: fft.fftshift(LINES, axes=(0, 0)), ShapeError, "fftshift: axes \\(0, 0\\) name an axis twice"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


SHORT = [("f64", n) for n in (1, 2, 3, 15, 16, 49)] + [("f32", n) for n in (16, 31)]


@pytest.mark.parametrize(("real", "n"), SHORT)
def test_many_short_lines(real: str, n: int) -> None:
    """They go side by side through code of their own; the last ones go with some that are done already."""
    dtype = dtypes.BY_NAME[real]
    x = RANDOM.standard_normal((16 * 17 + 5, n)).astype(dtype.numpy)
    z = (x + 1j * x[::-1]).astype(dtype.complex.numpy)
    half = z[:, : n // 2 + 1]
    # Imaginary parts of numbers that are real are ignored.
    cases: list[tuple[Any, Any, Any]] = [
        (fft.fft, np.fft.fft, z),
        (lambda a: fft.ifft(a, norm="ortho"), lambda a: np.fft.ifft(a, norm="ortho"), z),
        (fft.rfft, np.fft.rfft, x),
        (lambda a: fft.irfft(a, n), lambda a: np.fft.irfft(a, n), half),
    ]
    for ours, theirs, a in cases:
        expected = theirs(a.astype(np.promote_types(a.dtype, np.float64)))
        found = np.asarray(rosin.compile(ours)(rnp.asarray(a)))
        most = 8 * float(dtype.epsilon) * float(np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=most)


def test_short_lines_leave_their_neighbours_alone() -> None:
    x = numbers(100, 15)
    transform = rosin.compile(fft.fft)
    expected = np.asarray(transform(x))
    spoilt = x.copy()
    spoilt[50, 3], spoilt[99, 0] = np.nan, np.inf
    found = np.asarray(transform(spoilt))
    others = [k for k in range(100) if k not in (50, 99)]
    np.testing.assert_array_equal(found[others], expected[others])
    assert np.isnan(found[50]).all()
    assert not np.isfinite(found[99]).any()
