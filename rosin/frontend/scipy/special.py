"""Special functions under SciPy's names, element by element.

Integers and truth values become the default float first. Every function raises `DTypeError` for operands that are no
numbers, and those of several operands raise `ShapeError` when the shapes do not broadcast.
"""

from __future__ import annotations

from rosin.frontend.numpy.reductions import logsumexp
from rosin.frontend.numpy.transcendental import digamma, erf, erfc, erfinv
from rosin.frontend.numpy.transcendental import lgamma as gammaln

__all__ = ["digamma", "erf", "erfc", "erfinv", "gammaln", "logsumexp"]
