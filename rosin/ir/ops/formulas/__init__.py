"""Special functions that are formulas, one file a family. Importing this package registers them all.

What does not name one of them never loads this package.
"""

from rosin.ir.ops.formulas import (
    bessel,
    bessel_real,
    distributions,
    elementary,
    elliptic,
    gamma,
    hypergeometric,
    incomplete,
    integrals,
    normal,
    polynomials,
    power_transforms,
    quantiles,
    zeta,
)

__all__ = [
    "bessel",
    "bessel_real",
    "distributions",
    "elementary",
    "elliptic",
    "gamma",
    "hypergeometric",
    "incomplete",
    "integrals",
    "normal",
    "polynomials",
    "power_transforms",
    "quantiles",
    "zeta",
]
