"""Functions of floats against mpmath, compiled: no error is much above the one that docs/accuracy.md states."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special

import rosin
import rosin.scipy.special as rs
from benches.accuracy import TABLES, line, worst
from rosin import numpy as rnp

PAGE = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text(encoding="utf-8")
STATED = {
    (kind.strip().lower(), name.strip()): (float(single), float(double), int(promised))
    for kind, body in re.findall(r"^## (\w+) functions\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    for name, single, double, promised in re.findall(
        r"^\| ([^|]+) \| ([\d.]+) \| ([\d.]+) \| (\d+) \|", body, re.MULTILINE
    )
}
NAMES = [(kind, name) for kind, functions in TABLES.items() for name in functions]


def test_the_page_states_every_function() -> None:
    assert set(STATED) == set(NAMES)


@pytest.mark.parametrize(("kind", "name"), NAMES, ids=lambda part: part.replace(" ", "_"))
def test_errors_of_a_thin_sample(kind: str, name: str) -> None:
    _check(kind, name, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), NAMES, ids=lambda part: part.replace(" ", "_"))
def test_errors(kind: str, name: str) -> None:
    _check(kind, name, 1.0)


POLYNOMIALS: dict[str, tuple[tuple[float, ...], tuple[float, float], Callable[..., Any]]] = {
    "eval_chebyt": ((), (-3, 3), mpmath.chebyt),
    "eval_chebyu": ((), (-3, 3), mpmath.chebyu),
    "eval_hermite": ((), (-4, 4), mpmath.hermite),
    "eval_hermitenorm": ((), (-4, 4), lambda n, x: mpmath.hermite(n, x / mpmath.sqrt(2)) / mpmath.sqrt(2) ** n),
    "eval_laguerre": ((), (0, 20), lambda n, x: mpmath.laguerre(n, 0, x)),
    "eval_genlaguerre": ((0.5,), (0, 20), mpmath.laguerre),
    "eval_gegenbauer": ((0.75,), (-1, 1), mpmath.gegenbauer),
    "eval_jacobi": ((0.5, -0.25), (-1, 1), mpmath.jacobi),
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials_are_as_exact_as_those_of_scipy(name: str) -> None:
    parameters, span, exact = POLYNOMIALS[name]
    x = np.random.default_rng(0).uniform(*span, 60)
    for degree in (1, 4, 9, 14):
        with mpmath.workdps(50):
            true = [exact(degree, *map(mpmath.mpf, parameters), mpmath.mpf(v)) for v in x.tolist()]
            found, theirs = (
                max(abs(mpmath.mpf(v) - t) for v, t in zip(np.asarray(values).tolist(), true, strict=True))
                for values in (
                    rosin.compile(lambda x, n=degree: getattr(rs, name)(n, *parameters, x))(rnp.asarray(x)),
                    getattr(scipy.special, name)(degree, *parameters, x),
                )
            )
            size = max(map(abs, true)) * 2**-53
        assert found <= 2 * theirs + 2 * size, f"degree {degree}: {float(found / size)}, SciPy {float(theirs / size)}"


def test_the_page_states_all_special_functions() -> None:
    """Each function has a line, or a reason to have none, which the page gives."""
    names = {re.match(r"\w+", name)[0] for _, name in STATED}  # type: ignore[index]
    others = {"expit", "gammaln", "gammasgn", "jn", "jve", "yve", "psi", "bernoulli"}
    others |= {"logsumexp", "softmax", "log_softmax"}
    for name in rs.__all__:
        assert name in names | others or name.startswith(("eval_", "roots_")), name


def _check(kind: str, name: str, scale: float) -> None:
    *found, promised = STATED[kind, name]
    for dtype, stated in zip((np.float32, np.float64), found, strict=True):
        error, at = worst(kind=kind, name=name, dtype=dtype, scale=scale)
        # Another machine rounds its fused operations as this one does, but draws may find a little worse a place.
        assert error <= min(1.25 * stated + 0.1, promised), f"{error:.3g} ulp at {at}"


def test_every_function_is_within_its_line() -> None:
    for (kind, name), (single, double, promised) in STATED.items():
        assert promised == line(kind, name)
        assert max(single, double) <= promised, name
