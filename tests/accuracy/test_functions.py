"""Functions of floats against mpmath, compiled: no error is much above the one that docs/accuracy.md states."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

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


KIN = ("airye", "ellipj, cn", "ellipj, dn", "struve", "modstruve")
"""Functions that the slow tests alone measure: others of their kind are measured in the quick ones."""


def test_the_page_states_every_function() -> None:
    assert set(STATED) == set(NAMES)


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    ("kind", "name"), [each for each in NAMES if not each[1].startswith(KIN)], ids=lambda part: part.replace(" ", "_")
)
def test_errors_of_a_thin_sample(kind: str, name: str) -> None:
    _check(kind, name, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), NAMES, ids=lambda part: part.replace(" ", "_"))
def test_errors(kind: str, name: str) -> None:
    _check(kind, name, 1.0)


@pytest.mark.parametrize("name", ["exp", "log", "log10", "sin", "tan", "asin", "atan", "sinh", "sigmoid"])
def test_eager_functions_of_f32_are_rounded_once(name: str) -> None:
    function = getattr(rnp, name)
    x = np.random.default_rng(0).uniform(0, 1, 20_000).astype(np.float32) * (1 if name == "asin" else 20)
    found, true = np.asarray(function(x)), np.asarray(function(x.astype(np.float64)))
    assert found.dtype == np.float32
    assert np.max(np.abs(found - true) / np.spacing(np.abs(found))) < 0.51


def test_the_page_states_all_special_functions() -> None:
    """Each function has a line, or a reason to have none, which the page gives."""
    names = {re.match(r"\w+", name)[0] for _, name in STATED}  # type: ignore[index]
    others = {"expit", "gammaln", "gammasgn", "jn", "jve", "yve", "psi", "bernoulli"}
    others |= {"logsumexp", "softmax", "log_softmax"}
    others |= {"hankel1", "hankel1e", "hankel2", "hankel2e", "jvp", "yvp", "ivp", "kvp"}  # Sums of Bessel functions.
    for name in rs.__all__:
        assert name in names | others or name.startswith("roots_"), name


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
