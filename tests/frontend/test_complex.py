"""Complex arrays as users meet them: numbers, promotion, functions, control flow and derivatives."""

from __future__ import annotations

import cmath
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import DTypeError
from tests.frontend.agree import check, near

RNG = np.random.default_rng(7)


def numbers(*shape: int, dtype: Any = np.complex128) -> Any:
    return np.asarray(RNG.normal(size=shape) + 1j * RNG.normal(size=shape), dtype)


Z = numbers(5)
W = numbers(5)

UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "sign": np.sign,
    "negative": np.negative,
    "square": np.square,
    "reciprocal": np.reciprocal,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "real": np.real,
    "imag": np.imag,
    "conj": np.conj,
    "angle": np.angle,
    "isfinite": np.isfinite,
    "isinf": np.isinf,
    "isnan": np.isnan,
    "isreal": np.isreal,
    "iscomplex": np.iscomplex,
    "round": np.round,
    "cumulative_sum": np.cumsum,
    "cumulative_prod": np.cumprod,
    "sum": np.sum,
    "prod": np.prod,
    "mean": np.mean,
    "var": np.var,
    "std": np.std,
    "any": np.any,
    "flip": np.flip,
    "roll": lambda z: np.roll(z, 2),
    "nan_to_num": np.nan_to_num,
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("name", UNARY)
def test_functions_agree_with_numpy(name: str, dtype: Any) -> None:
    function = getattr(rnp, name)
    call = (lambda z: function(z, 2)) if name == "roll" else function
    check(call, Z.astype(dtype), expected=UNARY[name](Z.astype(dtype)))


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "pow", "equal", "not_equal", "vecdot"])
def test_functions_of_two_agree_with_numpy(name: str) -> None:
    check(getattr(rnp, name), Z, W, expected=getattr(np, {"pow": "power"}.get(name, name))(Z, W))


def test_products_of_matrices() -> None:
    for dtype in (np.complex64, np.complex128):
        for rows, inner, columns in ((3, 4, 5), (33, 65, 17), (1, 70, 40), (50, 3, 1)):
            a, b = numbers(rows, inner, dtype=dtype), numbers(inner, columns, dtype=dtype)
            check(rnp.matmul, a, b, expected=a @ b, tolerance=1e-4 if dtype == np.complex64 else 1e-12)
            check(
                lambda a, b: rnp.conj(a).mT @ rnp.exp(b),
                a,
                a,
                expected=a.conj().T @ np.exp(a),
                tolerance=1e-3 if dtype == np.complex64 else 1e-11,
            )
    a, b = numbers(2, 3), RNG.normal(size=(3, 2))
    check(lambda a, b: rnp.einsum("ij,jk->ik", a, b), a, b, expected=a @ b)


@pytest.mark.parametrize(
    ("number", "dtype", "expected"),
    [
        (1j, "float32", "c64"),
        (1j, "float64", "c128"),
        (1j, "float16", "c64"),
        (1j, "int64", "c64"),
        (1j, "bool", "c64"),
        (1j, "complex128", "c128"),
        (1.5, "complex64", "c64"),
        (2, "complex64", "c64"),
        (True, "complex128", "c128"),
    ],
)
def test_python_numbers_give_way(number: Any, dtype: str, expected: str) -> None:
    x = rnp.ones(2, dtype=dtype)
    assert (x + number).dtype.name == expected
    assert (number + x).dtype.name == expected
    assert rosin.compile(lambda x, n: x + n)(x, number).dtype.name == expected
    near(x + number, np.full(2, 1 + number, rnp.result_type(dtype, number).numpy))


def test_signed_zeros_and_infinities_of_python_numbers_stay() -> None:
    zero = rnp.zeros(1, dtype="complex128")
    for number in (complex(0.0, 0.0), complex(-0.0, 0.0), complex(0.0, -0.0), complex(-0.0, -0.0), 0, 0.0):
        found = np.asarray(rnp.where(zero == 0, number, zero))
        parts = complex(number).real, complex(number).imag
        assert [np.signbit(found.real[0]), np.signbit(found.imag[0])] == [np.signbit(p) for p in parts]
    assert complex(rnp.asarray(complex(np.inf, 1))) == complex(np.inf, 1)


def test_arrays_tell_of_themselves() -> None:
    z = rnp.asarray([1 + 2j, 3])
    assert (z.dtype, z.itemsize, z.real.dtype, z.imag.dtype) == (rnp.complex64, 8, rnp.float32, rnp.float32)
    assert repr(z) == "Array([1.+2.j, 3.+0.j], dtype=complex64)"
    assert z.tolist() == [1 + 2j, 3]
    assert (complex(z[0]), z[0].item()) == (1 + 2j, 1 + 2j)
    assert rnp.iscomplexobj(z)
    assert rnp.isrealobj(z.real)
    assert rnp.iscomplexobj(1j)
    assert not rnp.iscomplexobj(1)
    assert (rnp.finfo(z).dtype, rnp.finfo(rnp.complex128).bits) == (rnp.float32, 64)
    assert rnp.isdtype(z.dtype, "complex floating")
    assert not rnp.isdtype(z.dtype, "real floating")
    assert z.astype(bool).tolist() == [True, True]
    near(z.at[0].set(1j).at[1].add(2), np.array([1j, 5], np.complex64))
    near(rnp.linspace(0, 1 + 1j, 3), np.linspace(0, 1 + 1j, 3).astype(np.complex64))
    near(rnp.eye(2, dtype=rnp.complex64) * 1j, np.eye(2, dtype=np.complex64) * 1j)
    x = rnp.ones(2)
    x[0] = 2
    assert (x.real is not x, x.conj().tolist(), x.imag.tolist()) == (True, [2, 1], [0, 0])


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "floor": (rnp.floor, "floor: takes .*, not c64"),
    "remainder": (lambda z: z % 2, "remainder: takes .*, not c64"),
    "to real": (lambda z: z.astype("float32"), "c64 does not become f32"),
    "to integers": (lambda z: z.astype("int32"), "c64 does not become i32"),
    "float": (lambda z: float(z[0]), "complex numbers do not become f32: take their real"),
    "int": (lambda z: int(z[0]), "complex numbers do not become i32"),
    "index": (lambda z: rnp.arange(3)[z], "c64"),
    "full": (lambda z: rnp.full(2, 1j, dtype="float32"), "complex numbers do not become f32"),
    "list": (lambda z: rnp.asarray([1j], dtype="float64"), "complex numbers do not become f64"),
    "set": (lambda z: rnp.ones(2).at[0].set(1j), r"at\[…\].set: an array of f32 does not hold 1j"),
    "atan2": (lambda z: rnp.atan2(z, z), "atan2: takes .*, not c64"),
    "grad": (lambda z: rosin.grad(lambda z: z * z)(z[0]), "its output is complex: take its real part or abs"),
    "holomorphic": (
        lambda z: rosin.grad(lambda x: x * x, holomorphic=True)(1.0),
        "holomorphic=True is for complex arguments, and x is f32",
    ),
    "holomorphic output": (
        lambda z: rosin.grad(lambda x: abs(x), holomorphic=True)(z[0]),
        "holomorphic=True is for complex outputs, and this is f32",
    ),
    "jacfwd": (lambda z: rosin.jacfwd(lambda z: z * z)(z), "would move along the real axis alone"),
    "jacrev": (lambda z: rosin.jacrev(lambda z: z * z)(z), "take its real and imaginary parts"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(DTypeError, match=message):
        function(rnp.asarray([1 + 2j, 3]))


# -- control flow ------------------------------------------------------------------------------------------------------


def escape(c: Any, steps: int = 20) -> Any:
    """After how many steps z² + c leaves a disc: a loop with a complex state."""

    def step(state: Any, _: Any) -> Any:
        z, count = state
        inside = abs(z) < 2
        return (rnp.where(inside, z * z + c, z), count + rnp.astype(inside, "int32")), None

    return rosin.scan(step, (rnp.zeros_like(c), rnp.zeros(c.shape, dtype="int32")), None, length=steps)[0][1]


def test_loops_carry_complex_numbers() -> None:
    grid = numbers(40, 9)
    expected = np.zeros(grid.shape, np.int32)
    for place, c in np.ndenumerate(grid):
        z = 0j
        for _ in range(20):
            if abs(z) < 2:
                z, expected[place] = z * z + c, expected[place] + 1
    near(rosin.compile(escape)(grid), expected)
    near(rosin.compile(rosin.vmap(escape))(grid), expected)


def test_while_and_plain_python() -> None:
    @rosin.compile
    def halved(z: Any) -> Any:
        steps = 0
        while abs(z) > 1:
            z = z * (0.5j)
            steps += 1
        return z, steps

    z, steps = halved(rnp.asarray(9 + 3j, dtype="complex128"))
    near(z, np.asarray((9 + 3j) * 0.5j**4))
    assert int(steps) == 4
    many, counts = rosin.compile(rosin.vmap(halved))(rnp.asarray(Z * 7))
    for x, y, n in zip(Z * 7, np.asarray(many), np.asarray(counts), strict=True):
        assert cmath.isclose(y, x * 0.5j**n, rel_tol=1e-12)
        assert abs(y) <= 1


def test_sizes_that_are_not_known() -> None:
    double = rosin.compile(lambda a, b: rnp.sum(a @ rnp.conj(b), axis=0), dynamic={"a": {0: "n"}, "b": {1: "m"}})
    for n, m in ((3, 4), (17, 33), (1, 1), (64, 5)):
        a, b = numbers(n, 6), numbers(6, m)
        near(double(a, b), np.sum(a @ b.conj(), 0), 1e-11)


def test_threads_and_donated_arguments() -> None:
    big = numbers(1 << 11, 300)
    work = rosin.compile(lambda z: rnp.exp(z * 1j) + rnp.conj(z), donate_argnums=(0,))
    near(work(rnp.asarray(big, copy=True)), np.exp(big * 1j) + big.conj())


def test_large_eager_arrays_are_as_small_ones() -> None:
    """Large ones are computed by kernels, since NumPy takes one complex number at a time."""
    large = numbers(1 << 16)
    for function, theirs in ((rnp.exp, np.exp), (rnp.sqrt, np.sqrt), (lambda z: z / (z + 1), lambda z: z / (z + 1))):
        near(function(rnp.asarray(large)), theirs(large))


def test_python_computes_with_complex_arrays() -> None:
    spec = rosin.ShapeDtypeStruct((5,), rnp.complex128)
    near(rosin.compile(lambda z: rosin.pure_callback(lambda z: np.asarray(z) ** 2, spec, z) + 1)(Z), Z**2 + 1)


# -- derivatives -------------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "squares": lambda xp, z: xp.sum(xp.abs(z) ** 2),
    "waves": lambda xp, z: xp.sum(xp.abs(xp.exp(z * 1j) + xp.sqrt(z))),
    "parts": lambda xp, z: xp.sum(xp.real(z) * xp.imag(z * z) + xp.imag(xp.conj(z) * 3j)),
    "product": lambda xp, z: xp.real(xp.sum(xp.outer(z, xp.conj(z)) @ (z * z))),
    "selected": lambda xp, z: xp.sum(xp.real(xp.where(xp.real(z) > 0, z * z, xp.conj(z) / (z + 3)))),
    "angle": lambda xp, z: xp.sum(xp.angle(z) * xp.abs(z)),
    "functions": lambda xp, z: xp.real(xp.sum(xp.sin(z) * xp.tanh(z) + xp.log(z) ** 2 + xp.arctan(z / 3))),
    "running": lambda xp, z: xp.sum(xp.abs(xp.cumsum(z * z))) + xp.abs(xp.prod(z)),
    "indexed": lambda xp, z: xp.real(xp.sum(z[xp.asarray([0, 2, 2])] * z[1:4] ** 3)),
    "powers": lambda xp, z: xp.real(xp.sum(z**z + 2**z + z**1.5)),
}


def gradient(name: str) -> Callable[[Any], Any]:
    return rosin.grad(lambda z: FUNCTIONS[name](rnp, z))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_slopes_along_both_axes(name: str) -> None:
    """∂u/∂x - i ∂u/∂y, by differences along the real and the imaginary axis of each element."""
    step = 1e-6
    found = np.asarray(rosin.compile(gradient(name))(Z))
    for place in range(Z.size):

        def slope(direction: complex, place: int = place) -> float:
            moved = [Z.copy(), Z.copy()]
            moved[0][place] += step * direction
            moved[1][place] -= step * direction
            high, low = (float(FUNCTIONS[name](rnp, rnp.asarray(z))) for z in moved)
            return (high - low) / (2 * step)

        np.testing.assert_allclose(found[place], slope(1) - 1j * slope(1j), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives_are_slopes_of_gradients(name: str) -> None:
    direction, step = W, 1e-6
    along = rosin.jvp(gradient(name), (rnp.asarray(Z),), (rnp.asarray(direction),))[1]
    high, low = (np.asarray(gradient(name)(rnp.asarray(Z + s * step * direction))) for s in (1, -1))
    np.testing.assert_allclose(np.asarray(along), (high - low) / (2 * step), rtol=2e-6, atol=2e-6)


def _scanned(z: Any) -> Any:
    def step(w: Any, x: Any) -> Any:
        return rnp.tanh(w * x) + rnp.conj(x) * 0.1, abs(w)

    last, sizes = rosin.scan(step, z[0], z[1:])
    return rnp.real(last * 1j) + rnp.sum(sizes)


def _looped(z: Any) -> Any:
    def go_on(state: Any) -> Any:
        return (state[1] < 3) & (abs(state[0][0]) < 100)

    w, _ = rosin.while_loop(go_on, lambda s: (s[0] * z + rnp.conj(s[0]) * 0.5j, s[1] + 1), (z, 0))
    return rnp.sum(abs(w) ** 2)


def _checkpointed(z: Any) -> Any:
    return rnp.sum(abs(rosin.checkpoint(lambda z: rnp.sin(z) * rnp.exp(z * 1j))(z)))


@pytest.mark.parametrize("function", [_scanned, _looped, _checkpointed])
def test_gradients_through_loops(function: Callable[[Any], Any]) -> None:
    step = 1e-6
    found = np.asarray(rosin.compile(rosin.grad(function))(Z))
    near(rosin.grad(function)(rnp.asarray(Z)), found, 1e-12)
    for place in range(Z.size):
        slopes: list[float] = []
        for direction in (1, 1j):
            moved = [Z.copy(), Z.copy()]
            moved[0][place] += step * direction
            moved[1][place] -= step * direction
            high, low = (float(function(rnp.asarray(z))) for z in moved)
            slopes.append((high - low) / (2 * step))
        np.testing.assert_allclose(found[place], slopes[0] - 1j * slopes[1], rtol=1e-6, atol=1e-7)


def test_nans_are_found_in_complex_numbers() -> None:
    divided = rosin.compile(lambda z: z / (z - z), checks=("nan",))
    with pytest.raises(rosin.CheckError, match="div gives a NaN"):
        divided(rnp.asarray([1j]))


def test_holomorphic_derivatives() -> None:
    def f(z: Any) -> Any:
        return rnp.sin(z) * z**3

    derivative = np.cos(Z) * Z**3 + 3 * np.sin(Z) * Z**2
    near(rosin.vmap(rosin.grad(f, holomorphic=True))(rnp.asarray(Z)), derivative)
    for jacobian in (rosin.jacfwd, rosin.jacrev):
        near(jacobian(f, holomorphic=True)(rnp.asarray(Z)), np.diag(derivative))
    second = rosin.hessian(lambda z: rnp.sum(z**3), holomorphic=True)(rnp.asarray(Z))
    near(second, np.diag(6 * Z))
    value, slope = rosin.value_and_grad(f, holomorphic=True)(rnp.asarray(Z[0]))
    near(value, np.sin(Z[0]) * Z[0] ** 3)
    near(slope, derivative[0])


def test_real_arguments_of_complex_functions() -> None:
    """A real argument has a real gradient, whatever is in between."""
    x = np.abs(Z)
    near(rosin.grad(lambda x: rnp.sum(abs(x * (1 + 2j)) ** 2))(rnp.asarray(x)), 10 * x)
    _, pull = rosin.vjp(lambda x: x * (1 + 2j), rnp.asarray(x))
    near(pull(rnp.asarray(Z))[0], (Z * (1 + 2j)).real)


def test_gradients_at_zero_are_zero() -> None:
    zeros = rnp.zeros(2, dtype="complex64")
    for function in (lambda z: rnp.sum(abs(z)), lambda z: rnp.sum(rnp.real(rnp.sign(z)))):
        near(rosin.grad(function)(zeros), np.zeros(2, np.complex64))


@pytest.mark.peers
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_agree_with_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    theirs = jax.grad(lambda z: FUNCTIONS[name](jax.numpy, z))
    near(gradient(name)(rnp.asarray(Z)), np.asarray(theirs(Z)), 1e-12)
    _, along = jax.jvp(theirs, (Z,), (W,))
    _, ours = rosin.jvp(gradient(name), (rnp.asarray(Z),), (rnp.asarray(W),))
    near(ours, np.asarray(along), 1e-10)
    _, pull = jax.vjp(theirs, Z)
    _, own = rosin.vjp(gradient(name), rnp.asarray(Z))
    near(own(rnp.asarray(W))[0], np.asarray(pull(W)[0]), 1e-10)


def _awkward(shape: tuple[int, ...], seed: int) -> Any:
    """Complex numbers with many ties of real parts, infinities, and NaNs in either part."""
    rng = np.random.default_rng(seed)
    parts = [rng.choice([-np.inf, -1.0, -0.0, 0.0, 2.0, np.inf, np.nan], shape, p=[0.1, *[0.2] * 4, 0.07, 0.03])] * 2
    real, imaginary = (rng.permuted(part, axis=-1) for part in parts)
    found = np.empty(shape, np.complex64)
    found.real, found.imag = real, imaginary
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_extremes_go_by_real_parts_first(seed: int, compiled: bool) -> None:
    x, y = _awkward((6, 5, 3), seed), _awkward((6, 5, 3), seed + 9)
    wrap: Any = rosin.compile if compiled else lambda f: f
    for name in ("maximum", "minimum"):
        np.testing.assert_array_equal(
            np.asarray(wrap(getattr(rnp, name))(x, y)).view(np.float32), getattr(np, name)(x, y).view(np.float32)
        )
    for name in ("argmax", "argmin"):
        for axis in (0, 1, -1, None):
            found = wrap(lambda x, n=name, a=axis: getattr(rnp, n)(x, axis=a))(x)
            np.testing.assert_array_equal(np.asarray(found), getattr(np, name)(x, axis=axis))
    for name in ("max", "min"):
        for axis in (0, (0, 2), None):
            found = wrap(lambda x, n=name, a=axis: getattr(rnp, n)(x, axis=a, keepdims=True))(x)
            wanted = getattr(np, name)(x, axis=axis, keepdims=True)
            numbers = ~np.isnan(wanted)
            np.testing.assert_array_equal(np.isnan(np.asarray(found)), ~numbers)
            np.testing.assert_array_equal(np.asarray(found)[numbers], wanted[numbers])


def test_extremes_of_complex_numbers_pass_derivatives_and_batches_on() -> None:
    z = rnp.asarray(np.array([[1 + 2j, 1 + 5j, 0], [3j, 2j, -1]], np.complex64))
    slopes = rosin.grad(lambda z: rnp.real(rnp.sum(rnp.max(z, axis=1) * rnp.asarray([2.0, 3.0]))))(z)
    np.testing.assert_array_equal(np.asarray(slopes), np.array([[0, 2, 0], [3, 0, 0]]))
    np.testing.assert_array_equal(np.asarray(rosin.vmap(rnp.argmin)(z)), [2, 2])
    assert rnp.max(rnp.zeros((0, 2), dtype="complex64"), axis=1).shape == (0,)
