"""Random numbers from explicit keys: the same key and shape give the same numbers, everywhere and always.

A key is an array `u32[2]`. It is used once: for numbers, or for new keys (`split`, `fold_in`), since what is drawn
twice from one key is equal, or related. The bits are made by counting (rosin.ir.ops.random), so each element depends on
its key and its place alone; under `vmap` every example has the bits that it has by itself.

Floats of 23 (f32) or 52 (f64) random bits are made in the way of JAX, and `uniform`, `normal` and most of what is a
function of one such number give the numbers that JAX gives for the same key, up to rounding. docs/random.md has a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rosin.frontend.random.continuous import (
    cauchy,
    double_sided_maxwell,
    exponential,
    gumbel,
    laplace,
    logistic,
    lognormal,
    maxwell,
    normal,
    pareto,
    rayleigh,
    triangular,
    truncated_normal,
    wald,
    weibull_min,
)
from rosin.frontend.random.keys import clone, fold_in, key, key_data, split, wrap_key_data
from rosin.frontend.random.uniforms import bernoulli, bits, rademacher, randint, uniform

if TYPE_CHECKING:
    from rosin.frontend.random.choosing import choice, permutation
    from rosin.frontend.random.discrete import binomial, categorical, geometric, multinomial, poisson
    from rosin.frontend.random.gammas import (
        ball,
        beta,
        chisquare,
        dirichlet,
        f,
        gamma,
        generalized_normal,
        loggamma,
        t,
    )
    from rosin.frontend.random.matrices import multivariate_normal, orthogonal

__all__ = [
    "ball",
    "bernoulli",
    "beta",
    "binomial",
    "bits",
    "categorical",
    "cauchy",
    "chisquare",
    "choice",
    "clone",
    "dirichlet",
    "double_sided_maxwell",
    "exponential",
    "f",
    "fold_in",
    "gamma",
    "generalized_normal",
    "geometric",
    "gumbel",
    "key",
    "key_data",
    "laplace",
    "loggamma",
    "logistic",
    "lognormal",
    "maxwell",
    "multinomial",
    "multivariate_normal",
    "normal",
    "orthogonal",
    "pareto",
    "permutation",
    "poisson",
    "rademacher",
    "randint",
    "rayleigh",
    "split",
    "t",
    "triangular",
    "truncated_normal",
    "uniform",
    "wald",
    "weibull_min",
    "wrap_key_data",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """What takes loops, sorts or factorizations is read when the first of its names is asked for."""
        if name not in __all__:
            raise AttributeError(f"module 'rosin.random' has no attribute {name!r}")
        from rosin.frontend.random import choosing, discrete, gammas, matrices

        for file in (choosing, discrete, gammas, matrices):
            globals().update({public: getattr(file, public) for public in file.__all__})
        return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
