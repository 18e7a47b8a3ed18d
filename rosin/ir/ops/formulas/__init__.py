"""Special functions that are formulas, one file a family. Importing this package registers them all.

What does not name one of them never loads this package.
"""

from rosin.ir.ops.formulas import (
    airy,
    bessel,
    bessel_real,
    distributions,
    elementary,
    elliptic,
    faddeeva,
    gamma,
    hypergeometric,
    incomplete,
    integrals,
    kolmogorov,
    normal,
    polynomials,
    power_transforms,
    quantiles,
    struve,
    zeta,
)

__all__ = [
    "airy",
    "bessel",
    "bessel_real",
    "distributions",
    "elementary",
    "elliptic",
    "faddeeva",
    "gamma",
    "hypergeometric",
    "incomplete",
    "integrals",
    "kolmogorov",
    "normal",
    "polynomials",
    "power_transforms",
    "quantiles",
    "struve",
    "zeta",
]
