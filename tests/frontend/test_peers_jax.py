"""The functions of tests/functions.py and all their derivatives, compared with JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from tests.functions import CASES, Case

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def jax() -> Any:
    found = pytest.importorskip("jax")
    found.config.update("jax_enable_x64", True)
    return found


def _direction(x: Any) -> Any:
    return np.random.default_rng(9).normal(size=x.shape)


def _grad(t: Any, f: Any) -> Any:
    return t.grad(f)


def _grad_of_grad(t: Any, f: Any) -> Any:
    return lambda x: t.grad(lambda x: (t.grad(f)(x) * _direction(x)).sum())(x)


def _jvp_of_grad(t: Any, f: Any) -> Any:
    return lambda x: t.jvp(t.grad(f), (x,), (_direction(x),))[1]


def _vmap_of_grad(t: Any, f: Any) -> Any:
    return lambda x: t.vmap(t.grad(f))(np.stack([x, x * 0.9]))


def _grad_of_vmap(t: Any, f: Any) -> Any:
    return lambda x: t.grad(lambda xs: (t.vmap(f)(xs) ** 2).sum())(np.stack([x, x * 0.9]))


def _hessian(t: Any, f: Any) -> Any:
    return t.hessian(f)


def _jacrev_of_jacfwd(t: Any, f: Any) -> Any:
    return t.jacrev(t.jacfwd(f))


def _third(t: Any, f: Any) -> Any:
    return lambda x: t.jvp(lambda x: t.jvp(t.grad(f), (x,), (_direction(x),))[1], (x,), (_direction(x),))[1]


TRANSFORMS = (_grad, _grad_of_grad, _jvp_of_grad, _vmap_of_grad, _grad_of_vmap, _hessian, _jacrev_of_jacfwd, _third)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: t.__name__.strip("_"))
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_jax(case: Case, transform: Callable[[Any, Any], Any], jax: Any) -> None:
    x = case.sample(11)
    found = transform(rosin, lambda x: case.function(rnp, x))(x)
    expected = transform(jax, lambda x: case.function(jax.numpy, x))(x)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-9, atol=1e-9)
