"""Special functions."""

from __future__ import annotations

from typing import Any

from rosin import numpy as rnp
from rosin.scipy import special
from tests.operators.mapped import Mapped, Table, named


def _logit(x: Any, eps: float | None = None) -> Any:
    return special.logit(x if eps is None else rnp.clip(x, eps, 1 - eps))


# PyTorch's Bessel functions have errors of up to 5e-6 in f64; SciPy's and Rosin's agree.
ROUGH = {"float64": 2e-5}
DOMAIN = {"takes x > 1 and q > 0": lambda x, q: not x.dtype.is_floating_point}

TABLE: Table = named(
    {
        "i0": special.i0,
        "igamma": special.gammainc,
        "igammac": special.gammaincc,
        "logit": _logit,
        **{f"mvlgamma.mvlgamma_p_{p}": lambda x, p: special.multigammaln(x, p) for p in (1, 3, 5)},
        **{f"polygamma.polygamma_n_{n}": lambda x, n: special.polygamma(n, x) for n in range(5)},
        "special.bessel_j0": Mapped(special.j0, tolerance=ROUGH),
        "special.bessel_j1": Mapped(special.j1, tolerance=ROUGH),
        "special.bessel_y0": Mapped(special.y0, tolerance=ROUGH),
        "special.bessel_y1": Mapped(special.y1, tolerance=ROUGH),
        "special.entr": special.entr,
        "special.erfcx": special.erfcx,
        "special.i0e": special.i0e,
        "special.i1": special.i1,
        "special.i1e": special.i1e,
        "special.log_ndtr": special.log_ndtr,
        "special.modified_bessel_i0": special.i0,
        "special.modified_bessel_i1": special.i1,
        "special.modified_bessel_k0": special.k0,
        "special.modified_bessel_k1": special.k1,
        "special.ndtr": special.ndtr,
        "special.ndtri": special.ndtri,
        "special.polygamma.special_polygamma_n_0": lambda x, n: special.polygamma(n, x),
        "special.scaled_modified_bessel_k0": special.k0e,
        "special.scaled_modified_bessel_k1": special.k1e,
        "special.spherical_bessel_j0": lambda x: special.spherical_jn(0, x),
        "special.xlog1py": special.xlog1py,
        "special.zeta": Mapped(special.zeta, apart=DOMAIN),
        "xlogy": special.xlogy,
    }
)
