"""rosin.scipy.special against SciPy, at once and compiled; gradients of compositions, batches, and bad operands."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special as ss

import rosin
import rosin.scipy.special as rs
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, DTypeError, RosinError, ShapeError
from rosin.ir.ops.formulas import airy_tables, tables
from tests.frontend.agree import check, near

RANDOM = np.random.default_rng(5)
UNIT, WIDE, A, B = (RANDOM.uniform(*b, 7) for b in ((0.05, 0.95), (-4, 6), (0.3, 5), (0.3, 5)))
POSITIVE = np.abs(WIDE) + 0.1

ONE: dict[str, np.ndarray] = {
    "softplus": WIDE,
    **dict.fromkeys(("gamma", "gammaln", "rgamma", "digamma", "psi", "gammasgn", "factorial", "zetac"), POSITIVE + 1),
    **dict.fromkeys(
        ("erf", "erfi", "cosm1", "erfc", "erfcx", "ndtr", "log_ndtr", "dawsn", "expit", "log_expit", "exprel"), WIDE
    ),
    **dict.fromkeys(("erfinv", "erfcinv", "ndtri", "logit", "ellipk", "ellipkm1", "ellipe", "entr"), UNIT),
    **dict.fromkeys(("i0", "i0e", "i1", "i1e", "j0", "j1", "exp10", "exp2", "expm1", "cbrt", "sindg", "cosdg"), WIDE),
    **dict.fromkeys(("y0", "y1", "k0", "k0e", "k1", "k1e", "exp1", "expi", "spence", "zeta", "log1p"), POSITIVE + 0.2),
    "loggamma": POSITIVE,
    "kolmogorov": POSITIVE,
    "kolmogi": UNIT,
}
TWO = (
    *("beta", "betaln", "gammainc", "gammaincc", "xlogy", "xlog1py", "rel_entr", "kl_div", "poch", "binom", "comb"),
    *("owens_t", "jv", "yv", "iv", "kv", "ive", "kve", "chdtr", "chdtrc", "stdtr"),
    *("huber", "pseudo_huber", "boxcox", "boxcox1p", "inv_boxcox", "inv_boxcox1p", "elliprc"),
)
SEVERAL: dict[str, tuple[np.ndarray, ...]] = {
    **dict.fromkeys(TWO, (A, B)),
    **dict.fromkeys(("gammaincinv", "gammainccinv"), (A, UNIT)),
    **dict.fromkeys(("pdtr", "pdtrc"), (np.floor(A * 3), B)),
    **dict.fromkeys(("nbdtr", "nbdtrc"), (np.floor(A * 3).astype(int), np.ceil(B).astype(int), UNIT)),
    "bdtri": (np.floor(A), (np.floor(A) + np.ceil(B)).astype(int), UNIT),
    **dict.fromkeys(("gdtrix", "fdtri"), (A, B, UNIT)),
    **dict.fromkeys(("chdtri", "stdtrit"), (A, UNIT)),
    "pdtri": (np.floor(A * 3), UNIT),
    **dict.fromkeys(("bdtr", "bdtrc"), (np.floor(A), (np.floor(A) + np.floor(B)).astype(int), UNIT)),
    **dict.fromkeys(("fdtr", "fdtrc", "gdtr", "gdtrc"), (A, B, POSITIVE)),
    "betainccinv": (A, B, UNIT),
    "perm": (np.floor(A * 3), np.floor(B)),
    **dict.fromkeys(("betainc", "betaincc", "betaincinv"), (A, B, UNIT)),
    **dict.fromkeys(("elliprf", "elliprd", "elliprg", "hyp1f1"), (A, B, UNIT)),
    **dict.fromkeys(("elliprj", "hyp2f1"), (A, B, POSITIVE, UNIT)),
    **dict.fromkeys(("ellipkinc", "ellipeinc"), (WIDE, UNIT)),
    "zeta": (A + 1.1, B),
    "voigt_profile": (WIDE, A, B),
}
ORDERED: list[tuple[str, tuple[int, ...], np.ndarray]] = [
    *((name, (n,), WIDE) for name in ("jv", "jn", "iv", "ive") for n in (0, 3, -3)),
    *((name, (n,), POSITIVE) for name in ("yn", "kn", "kv", "kve") for n in (1, 4, -3)),
    *((name, (n,), POSITIVE) for name in ("spherical_jn", "expn", "polygamma") for n in (0, 1, 4)),
    *((name, (n,), POSITIVE) for name in ("spherical_yn", "spherical_in", "spherical_kn") for n in (0, 1, 4)),
    *((name, (3,), WIDE) for name in ("spherical_jn", "spherical_yn", "spherical_in")),
    *(("legendre_p", (n,), UNIT) for n in (0, 1, 6)),
    *(
        (f"eval_{name}", (n,), UNIT * 2 - 1)
        for name in ("legendre", "chebyt", "chebyu", "hermite", "hermitenorm", "laguerre")
        for n in (0, 1, 9)
    ),
    *((f"eval_{name}", (n, 0.7), UNIT) for name in ("genlaguerre", "gegenbauer") for n in (0, 1, 5)),
    *(("eval_jacobi", (n, 0.7, -0.3), UNIT) for n in (0, 1, 5)),
    *(("lpmv", (m, n), UNIT) for m, n in ((0, 3), (2, 5), (-2, 5), (3, 3), (4, 3))),
]


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_number(name: str) -> None:
    check(getattr(rs, name), ONE[name], expected=np.asarray(getattr(ss, name)(ONE[name])), tolerance=1e-12)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", SEVERAL)
def test_functions_of_several_numbers(name: str) -> None:
    expected = getattr(ss, name)(*SEVERAL[name])
    check(getattr(rs, name), *SEVERAL[name], expected=np.asarray(expected), tolerance=1e-12)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("name", "orders", "x"), ORDERED, ids=lambda v: str(v) if not isinstance(v, np.ndarray) else "x"
)
def test_functions_of_an_order(name: str, orders: tuple[int, ...], x: np.ndarray) -> None:
    check(
        lambda x: getattr(rs, name)(*orders, x),
        x,
        expected=np.reshape(getattr(ss, name)(*orders, x), x.shape),
        tolerance=2e-12,
    )


def test_airy() -> None:
    x = np.concatenate([WIDE, 3 * WIDE, [-50.0, 0.0, 60.0]])
    check(rs.airy, x, expected=ss.airy(x), tolerance=2e-12)
    check(rs.airye, POSITIVE, expected=ss.airye(POSITIVE), tolerance=1e-12)
    for found, expected in zip(rs.airye(rnp.asarray(-POSITIVE)), ss.airye(-POSITIVE), strict=True):
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12)


def test_airy_far_below() -> None:
    """The angle has its digits down to -1e10, where SciPy has no values."""
    x = np.array([-1e7, -3.5e9])
    exact = [[float(f(v, derivative=k)) for v in x] for f in (mpmath.airyai, mpmath.airybi) for k in (0, 1)]
    for found, expected, power in zip(rs.airy(rnp.asarray(x)), exact, (-0.25, 0.25) * 2, strict=True):
        assert (np.abs(np.asarray(found) - expected) < 1e-15 * np.abs(x) ** power).all()
    ai, slope, bi, _ = (np.asarray(v) for v in rs.airy(rnp.asarray(np.array([-np.inf, -1e300, np.inf]))))
    np.testing.assert_array_equal(ai, [0, np.nan, 0])
    np.testing.assert_array_equal(bi, [0, np.nan, np.inf])
    assert np.isnan(slope[0])


def test_faddeeva_of_the_plane() -> None:
    z = np.concatenate([WIDE + 1j * POSITIVE, A - 0.3j * B, 1e3 * WIDE + 1e-3j, [0.5, 2j]])
    check(rs.wofz, z, expected=ss.wofz(z), tolerance=1e-12)
    assert rs.wofz(rnp.asarray(z.astype(np.complex64))).dtype == rnp.complex64
    slope = np.asarray(rosin.grad(lambda x: rnp.real(rs.wofz(x + 0.5j)))(rnp.asarray(1.25, dtype=rnp.float64)))
    at = 1.25 + 0.5j
    assert abs(slope - (-2 * at * ss.wofz(at) + 2j / np.sqrt(np.pi)).real) < 1e-14


def test_elliptic_functions() -> None:
    check(rs.ellipj, WIDE, UNIT, expected=ss.ellipj(WIDE, UNIT), tolerance=1e-12)
    ones = np.ones(len(WIDE))
    near(rs.ellipj(rnp.asarray(20 + WIDE), rnp.asarray(ones))[1], 1 / np.cosh(20 + WIDE), 1e-12)
    by_u, by_m = rosin.grad(lambda u, m: rs.ellipj(u, m)[0], argnums=(0, 1))(np.float64(0.7), np.float64(0.4))
    _, cn, dn, _ = ss.ellipj(0.7, 0.4)
    assert abs(float(by_u) - cn * dn) < 1e-14
    step = 1e-5
    assert abs(float(by_m) - (ss.ellipj(0.7, 0.4 + step)[0] - ss.ellipj(0.7, 0.4 - step)[0]) / (2 * step)) < 1e-9


def test_hankel_functions_and_derivatives() -> None:
    for name in ("hankel1", "hankel1e", "hankel2", "hankel2e"):
        found = getattr(rs, name)(2, rnp.asarray(POSITIVE))
        np.testing.assert_allclose(np.asarray(found), getattr(ss, name)(2, POSITIVE), rtol=1e-12)
    for name in ("jvp", "yvp", "ivp", "kvp"):
        for n in (0, 1, 3):
            found = getattr(rs, name)(2, rnp.asarray(POSITIVE), n)
            np.testing.assert_allclose(np.asarray(found), getattr(ss, name)(2, POSITIVE, n), rtol=1e-11)
    np.testing.assert_allclose(np.asarray(rs.jvp(0.3, rnp.asarray(A), 2)), ss.jvp(0.3, A, 2), rtol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["struve", "modstruve"])
def test_struve(name: str) -> None:
    v, x = np.meshgrid([-3.5, -2.25, -1.0, 0.0, 0.5, 1.0, 7.3, 60.0], [0.01, 1.0, 9.0, 30.0, 47.0, 90.0])
    check(getattr(rs, name), v, x, expected=getattr(ss, name)(v, x), tolerance=1e-10)
    whole = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    near(getattr(rs, name)(rnp.asarray(whole), -1.5), getattr(ss, name)(whole, -1.5), 1e-12)
    slope = rosin.grad(lambda x: getattr(rs, name)(1.0, x))
    # At 0 as well, and once more differentiated.
    assert float(slope(np.float64(0.0))) == 0.0
    assert abs(float(rosin.grad(slope)(np.float64(0.0))) - 4 / (3 * np.pi)) < 1e-14
    assert abs(float(rosin.grad(lambda x: getattr(rs, name)(0.0, x))(np.float64(0.0))) - 2 / np.pi) < 1e-14


INF, NAN = np.inf, np.nan
EDGES: dict[str, list[tuple[float, ...]]] = {
    "beta": [(1, -1), (1, -2), (2, -3), (-5, 2), (-2, 3), (0, 1), (-1, 0.5), (INF, 2), (1e-200, 2), (2, 1e-320)],
    "betaln": [(1, -1), (2, -3), (-5, 2), (0, 1), (-1, 0.5), (INF, 2), (1e-200, 2), (1, 1)],
    "betainc": [
        (0, 2, 0.5),
        (0, 2, 0),
        (2, 0, 0.5),
        (2, 0, 1),
        (INF, 2, 0.5),
        (2, INF, 0.5),
        (0, 0, 0.5),
        (NAN, 1, 0.5),
    ],
    "betaincc": [(0, 2, 0.5), (0, 2, 0), (2, 0, 0.5), (2, 0, 1), (INF, 2, 0.5), (2, INF, 0.5), (0, 0, 0.5)],
    "zeta": [
        (2.5, 0),
        (3, -1),
        (2, -2),
        (1.5, -0.5),
        (2, -0.5),
        (3, -1.5),
        (1, 2),
        (2, INF),
        (INF, 1),
        (0.5, 1),
        (2, -40.5),
    ],
    "elliprf": [(0, 0, 1), (1, 2, INF), (0, 0, 0), (-1, 1, 1), (NAN, 1, 1)],
    "elliprd": [(0, 0, 1), (1, 1, 0), (1, 2, INF), (-1, 1, 1)],
    "elliprg": [(0, 0, 2), (0, 0, 0), (1, 2, INF), (-1, 1, 1)],
    "elliprc": [(1, 0), (INF, 1), (1, INF), (-1, 1)],
    "ellipkinc": [(INF, 0.5), (-INF, 0.5), (1, -INF), (NAN, 0.5), (1, 1), (0.0, 0.3)],
    "ellipeinc": [(INF, 0.5), (-INF, 0.5), (1, -INF), (NAN, 0.5), (1, 1)],
    "hyp2f1": [(1, 2, 3.5, 0), (0.5, 0.25, 2, 1), (1, 2, 2.5, 1), (-3, 1.5, 2, 4), (2, -2, 0.5, -7), (-2, 1, -3, 0.5)],
    "poch": [(0, 0.5), (0, 3), (-2, 2), (2, 0)],
    "gammainc": [(0, 1), (1, 0), (INF, 1), (1, INF), (-1, 1)],
}


@pytest.mark.parametrize("name", EDGES)
def test_edges_are_those_of_scipy(name: str) -> None:
    rows = [np.array(column, np.float64) for column in zip(*EDGES[name], strict=True)]
    found = np.asarray(rosin.compile(getattr(rs, name))(*map(rnp.asarray, rows)))
    np.testing.assert_allclose(found, getattr(ss, name)(*rows), rtol=1e-12, atol=0)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_poles_of_polygamma_are_those_of_scipy(order: int) -> None:
    x = np.array([0.0, -1.0, -2.0, -7.0, INF, NAN])
    found = np.asarray(rosin.compile(lambda x: rs.polygamma(order, x))(rnp.asarray(x)))
    np.testing.assert_array_equal(found, ss.polygamma(order, x))


@pytest.mark.parametrize("name", ["jv", "yv", "iv", "kv"])
def test_real_orders_of_all_sizes(name: str) -> None:
    """Negative and large orders, far arguments, and those where one algorithm takes over from another."""
    orders = np.array([-7.3, -0.5, 0.0, 0.49, 2.0, 33.3, 150.25, 2.75, 20.0, 60.5])
    x = np.array([0.02, 0.999, 1.001, 1.999, 2.001, 11.99, 12.01, 29.9, 30.1, 180.0, 650.0])
    order, argument = (a.ravel() for a in np.meshgrid(orders, x))
    expected = getattr(ss, name)(order, argument)
    usual = np.isfinite(expected) & ((np.abs(expected) > 1e-290) | (expected == 0))
    found = np.asarray(rosin.compile(getattr(rs, name))(rnp.asarray(order), rnp.asarray(argument)))
    np.testing.assert_allclose(found[usual], expected[usual], rtol=3e-11, atol=1e-15 * (name in ("jv", "yv")))
    assert np.sum(usual) > 90


def test_functions_of_more_shapes() -> None:
    check(rs.sici, WIDE, expected=[ss.sici(WIDE)[0], ss.sici(np.abs(WIDE))[1]], tolerance=1e-12)
    check(rs.fresnel, WIDE, expected=list(ss.fresnel(WIDE)), tolerance=1e-12)
    check(rs.sinc, WIDE, expected=np.sinc(WIDE), tolerance=1e-12)
    check(rs.lambertw, POSITIVE, expected=ss.lambertw(POSITIVE).real, tolerance=1e-12)
    check(lambda z: rs.lambertw(z, -1), -UNIT / 3, expected=ss.lambertw(-UNIT / 3, -1).real, tolerance=1e-12)
    check(lambda a: rs.multigammaln(a, 3), A + 2, expected=ss.multigammaln(A + 2, 3), tolerance=1e-12)
    check(
        lambda n, k: rs.comb(n, k, repetition=True),
        np.array([4.0, 3, 0]),
        np.array([2.0, 0, 2]),
        expected=np.array([10.0, 1, 0]),
    )
    near(rs.bernoulli(12), ss.bernoulli(12), 1e-11)
    x = rnp.asarray(A)[:, None] * rnp.asarray(B)
    near(rs.gammainc(x, rnp.asarray(B)), ss.gammainc(np.asarray(x), B), 1e-12)


def test_edges_of_integrals_and_means() -> None:
    x = np.array([-30.0, -2.0, -0.5, 0.0, 1e-9, 0.523, 1.999, 2.001, 100.0, INF, -INF])
    check(rs.shichi, x, expected=list(ss.shichi(x)), tolerance=1e-12)
    a, b = np.array([1.0, 2, 0, -3, 1e-200, 5, 0, INF]), np.array([2.0, 2, 3, -4, 1e200, -1, 0, 1])
    check(rs.agm, a[:-1], b[:-1], expected=ss.agm(a[:-1], b[:-1]), tolerance=1e-12)
    x = np.array([0.0, 30, 45, 90, 135, 180, -60, 360])
    check(rs.tandg, x, expected=ss.tandg(x), tolerance=1e-14)
    np.testing.assert_allclose(np.abs(np.asarray(rs.cotdg(rnp.asarray(x)))), np.abs(ss.cotdg(x)), atol=1e-15)


@pytest.mark.parametrize("name", ["spherical_jn", "spherical_yn", "spherical_in", "spherical_kn"])
def test_spherical_functions_and_their_slopes(name: str) -> None:
    """From 0 to infinity, and where the series of i_n ends."""
    x = np.array([0.0, 1e-7, 9.9e-4, 1.01e-3, 0.3, 2.0, 7.7, 45.0, NAN])
    for n in (0, 1, 5):
        for derivative in (False, True):
            expected = getattr(ss, name)(n, x, derivative)
            found = np.asarray(getattr(rs, name)(n, rnp.asarray(x), derivative))
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-16)
        np.testing.assert_array_equal(getattr(rs, name)(n, rnp.asarray([INF])), getattr(ss, name)(n, np.array([INF])))


@pytest.mark.parametrize("name", ["legendre", "chebyt", "chebyu", "hermite", "hermitenorm", "laguerre"])
def test_rules_of_gauss(name: str) -> None:
    for n in (1, 2, 9, 30):
        *found, total = getattr(rs, f"roots_{name}")(n, mu=True)
        *expected, whole = getattr(ss, f"roots_{name}")(n, mu=True)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.asarray(x), y, rtol=1e-11, atol=1e-15)
        assert abs(total - whole) < 1e-13 * whole


@pytest.mark.parametrize(("n", "m"), [(0, 0), (3, 2), (3, -3), (4, -2), (2, 5)])
def test_spherical_harmonics(n: int, m: int) -> None:
    check(
        lambda t, p: rs.sph_harm_y(n, m, t, p), A / 2, WIDE, expected=ss.sph_harm_y(n, m, A / 2, WIDE), tolerance=1e-12
    )


def test_logsumexp_with_weights() -> None:
    weights = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 3.0]])
    x = np.array([[0.3, -700.0, 2.0], [1e5, 1.0, 800.0]])
    expected = ss.logsumexp(x, axis=1, b=weights, return_sign=True)
    check(
        lambda x, b: rs.logsumexp(x, axis=1, b=b, return_sign=True),
        x,
        weights,
        expected=list(expected),
        tolerance=1e-12,
    )
    check(lambda x: rs.logsumexp(x, axis=0, keepdims=True), x, expected=ss.logsumexp(x, axis=0, keepdims=True))
    assert np.isnan(np.asarray(rs.logsumexp(np.zeros(2), b=np.array([1.0, -2.0]))))


COMPOSED: dict[str, Callable[..., Any]] = {
    **{
        name: lambda a, b, name=name: getattr(rs, name)(3, a) * getattr(rs, name)(0, b)
        for name in ("spherical_jn", "spherical_yn", "spherical_in", "spherical_kn")
    },
    **{name: getattr(rs, name) for name in ("agm", "chdtr")},
    "quantiles": lambda a, b: rs.stdtrit(a + 1, b / 7) * rs.fdtri(a, b, 0.3) + rs.bdtri(2, 5, a / 7),
    "means": lambda a, b: rs.chdtri(a, 0.2) * rs.gdtrix(a, b, 0.4) + rs.pdtri(2, b / 7),
    "shichi": lambda a, b: rs.shichi(a)[0] * rs.shichi(b)[1],
    "softplus": lambda a, b: rs.softplus(a - 2) * rs.tandg(9 * b),
    "jacobi": lambda a, b: rs.eval_jacobi(4, a, b, a / 7),
    "gegenbauer": lambda a, b: rs.eval_gegenbauer(3, a, b / 7) * rs.eval_genlaguerre(3, b, a),
    "chebyshev": lambda a, b: rs.eval_chebyt(4, a) * rs.eval_chebyu(3, b) + rs.eval_laguerre(2, a),
    "hermite": lambda a, b: rs.eval_hermite(3, a) * rs.eval_hermitenorm(4, b),
    "huber": rs.huber,
    "pseudo_huber": rs.pseudo_huber,
    "boxcox": rs.boxcox,
    "boxcox1p": rs.boxcox1p,
    "inv_boxcox": rs.inv_boxcox,
    "comb": rs.comb,
    "sinc": lambda a, b: rs.sinc(a) * b,
    "multigammaln": lambda a, b: rs.multigammaln(a + 2, 3) * b,
    "lpmv": lambda a, b: rs.lpmv(2, 4, a / 8) * rs.lpmv(-1, 3, b / 8),
    "harmonic": lambda a, b: rnp.imag(rs.sph_harm_y(4, 3, a, b)),
    "logsumexp": lambda a, b: rs.logsumexp(a, b=b),
    "exp10": lambda a, b: rs.exp10(a / 4) * rs.sindg(40 * b) * rs.factorial(b),
}


DEAR = ("quantiles", "means")


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in DEAR else n for n in COMPOSED])
def test_gradients_of_compositions(name: str) -> None:
    def total(a: Any, b: Any) -> Any:
        return rnp.sum(COMPOSED[name](a, b))

    rows, step = (A, B + 0.3), 1e-5
    found = rosin.grad(total, (0, 1))(*map(rnp.asarray, rows))
    for at, gradient in enumerate(found):
        for k in range(len(A)):
            moved = [
                [row + sign * step * (np.arange(len(A)) == k) if i == at else row for i, row in enumerate(rows)]
                for sign in (1, -1)
            ]
            high, low = (float(total(*map(rnp.asarray, m))) for m in moved)
            np.testing.assert_allclose(float(gradient[k]), (high - low) / (2 * step), rtol=2e-6, atol=2e-8)


def test_gradients_where_forms_meet() -> None:
    """Where a formula divides zero by zero, or an exponent is zero, derivatives are the limits."""
    zero = rnp.asarray(0.0, dtype=rnp.float64)
    assert float(rosin.grad(rs.sinc)(zero)) == 0
    near(rosin.grad(rosin.grad(rs.sinc))(zero), np.float64(-(np.pi**2) / 3), 1e-12)
    near(rosin.grad(rs.boxcox, 1)(rnp.asarray(2.5, dtype=rnp.float64), zero), np.log(2.5) ** 2 / 2, 1e-12)
    near(rosin.grad(rs.spence)(rnp.asarray(1.0, dtype=rnp.float64)), np.float64(-1.0), 1e-12)
    near(rosin.grad(rs.rgamma)(rnp.asarray(-3.0, dtype=rnp.float64)), np.float64(-6.0), 1e-12)
    near(rosin.grad(rs.ellipe)(zero), np.float64(-np.pi / 8), 1e-12)
    near(rosin.grad(rs.lambertw)(zero), np.float64(1.0), 1e-12)


def test_gradients_by_parameters() -> None:
    step = 1e-6
    for name, operands in {
        "gammainc": (A, B),
        "betainc": (A, B, UNIT),
        "hyp1f1": (A, B, UNIT),
        "zeta": (A + 1.2, B),
    }.items():
        found = rosin.grad(lambda *x, name=name: rnp.sum(getattr(rs, name)(*x)))(*map(rnp.asarray, operands))
        function = rosin.compile(getattr(rs, name))
        high, low = (np.asarray(function(*map(rnp.asarray, (operands[0] + s, *operands[1:])))) for s in (step, -step))
        np.testing.assert_allclose(np.asarray(found), (high - low) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["gamma", "gammainc", "betainc", "elliprf", "k0"])
def test_batches(name: str) -> None:
    function = getattr(rs, name)
    rows = [np.stack([row, row[::-1]]) for row in SEVERAL.get(name, (ONE.get(name),))]
    near(rosin.vmap(function)(*map(rnp.asarray, rows)), np.asarray(function(*map(rnp.asarray, rows))))
    compiled = rosin.compile(rosin.vmap(rosin.grad(lambda *x: rnp.sum(function(*x)))))
    each = rosin.grad(lambda *x: rnp.sum(function(*x)))
    found = compiled(*map(rnp.asarray, rows))
    near(found[1], np.asarray(each(*(rnp.asarray(row[1]) for row in rows))), 1e-11)


@pytest.mark.parametrize("dtype", [rnp.float16, rnp.bfloat16, rnp.float32, rnp.float64])
def test_element_types(dtype: Any) -> None:
    x = rnp.asarray([0.5, 2.25, 7.5], dtype=dtype)
    found = rosin.compile(rs.gamma)(x)
    assert found.dtype == dtype
    wide = ss.gamma(np.asarray(x).astype(np.float64))
    np.testing.assert_allclose(
        np.asarray(found).astype(np.float64), wide, rtol={2: 4e-3, 4: 6e-8, 8: 4e-16}[found.dtype.bytes]
    )
    assert rs.gamma(rnp.asarray([3, 4])).dtype == rnp.float32


BAD: list[tuple[Callable[[], Any], type[RosinError], str]] = [
    (lambda: rs.gamma("three"), DTypeError, "gamma"),
    (lambda: rs.gamma(rnp.asarray([1 + 2j])), DTypeError, "gamma takes .*, not c"),
    (lambda: rs.betainc(rnp.ones(3), rnp.ones(4), 0.5), ShapeError, "betainc.*3.*4"),
    (lambda: rs.jv(rnp.ones(2), rnp.ones(3)), ShapeError, "jv.*2.*3"),
    (lambda: rs.yn(1.5, rnp.ones(3)), DTypeError, "yn: the order is an integer, not float"),
    (lambda: rs.expn(-2, rnp.ones(3)), AttributeValueError, "expn: the order is -2; it is at least 0"),
    (lambda: rs.polygamma(-1, rnp.ones(3)), AttributeValueError, "polygamma: the order is -1"),
    (lambda: rs.lambertw(rnp.ones(3), 2), AttributeValueError, "branch is 2; the real ones are 0 and -1"),
    (lambda: rs.multigammaln(rnp.ones(3), 0), AttributeValueError, "multigammaln: the dimension is 0"),
    (lambda: rs.eval_hermite(-1, rnp.ones(3)), AttributeValueError, "eval_hermite: the degree is -1"),
    (lambda: rs.roots_laguerre(0), AttributeValueError, "roots_laguerre: the number of places is 0; it is at least 1"),
    (lambda: rs.spherical_in(1.5, rnp.ones(3)), DTypeError, "spherical_in: the order is an integer"),
    (lambda: rs.legendre_p(True, rnp.ones(3)), DTypeError, "legendre_p: the degree is an integer, not bool"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message for _, _, message in BAD])
def test_bad_operands(call: Callable[[], Any], error: type[RosinError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# -- the tables of coefficients ----------------------------------------------------------------------------------------


def _computed() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "special_tables.py"
    spec = importlib.util.spec_from_file_location("special_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", ["GAMMA_NEAR", "J1_NEAR", "P1", "LAMBERT"])
def test_tables_are_what_their_program_computes(name: str) -> None:
    module = _computed()
    found = module.lambert(26) if name == "LAMBERT" else module.compute(module.TABLES[name])[0]
    assert tuple(found) == getattr(tables, name)


def test_tables_of_airy_are_what_their_program_computes() -> None:
    module = _computed()
    assert tuple(module.compute(module.AIRY["BI_UNIT"])[0]) == airy_tables.BI_UNIT


@pytest.mark.slow
def test_all_tables_are_what_their_program_computes() -> None:
    module = _computed()
    for name, table in module.AIRY.items():
        assert tuple(module.compute(table)[0]) == getattr(airy_tables, name), name
    for name, table in module.TABLES.items():
        found, low, *_ = module.compute(table)
        assert tuple(found) == getattr(tables, name), name
        assert tuple(low) == getattr(tables, f"{name}_LOW", ()), name
    assert tuple(map(tuple, module.temme(9, 20))) == tables.TEMME
