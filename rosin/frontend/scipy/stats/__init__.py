"""Densities and distribution functions under SciPy's names, element by element: `norm.logpdf(x, loc, scale)`.

Each name is a distribution, whose methods take the numbers, then its own parameters in SciPy's order, then `loc` and
`scale`; all broadcast. Outside the support a density is 0; where a parameter is outside of its domain, results are NaN.
What is computed is a composition of array functions, so everything is differentiated, batched and compiled.
"""

from rosin.frontend.scipy.stats.continuous import (
    beta,
    cauchy,
    chi2,
    expon,
    gamma,
    gumbel_r,
    laplace,
    logistic,
    lognorm,
    norm,
    pareto,
    t,
    uniform,
    weibull_min,
)
from rosin.frontend.scipy.stats.discrete import bernoulli, binom, geom, poisson
from rosin.frontend.scipy.stats.vectors import dirichlet, multinomial, multivariate_normal

__all__ = [
    "bernoulli",
    "beta",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "gamma",
    "geom",
    "gumbel_r",
    "laplace",
    "logistic",
    "lognorm",
    "multinomial",
    "multivariate_normal",
    "norm",
    "pareto",
    "poisson",
    "t",
    "uniform",
    "weibull_min",
]
