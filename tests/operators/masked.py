"""Reductions of the elements that a mask chooses, differences, and membership."""

from __future__ import annotations

import math
from typing import Any

from rosin import numpy as rnp
from rosin.scipy import special
from tests.operators.mapped import NUMBER, Mapped, Table, holds, named

COMPLEX = {"PyTorch gives variances of complex numbers their type": holds("complex64", "complex128")}
WHOLE = {"PyTorch rounds logarithms of sums of integers": holds("uint8", "int32", "int64")}


def _axes(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, list | tuple) and dim else None if dim in ((), []) else dim


def _chosen(function: Any) -> Any:
    """A reduction of NumPy's `where=`, whose elements PyTorch calls `mask`."""

    def apply(x: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Any:
        kind = {} if dtype is None else {"dtype": dtype}
        return function(x, axis=_axes(dim), keepdims=keepdim, where=mask, **kind)

    return apply


def _extreme(function: Any, greatest: bool) -> Any:
    """Where a mask holds nowhere, the extreme is that of no numbers of the type."""

    def apply(x: Any, dim: Any = None, *, keepdim: bool = False, mask: Any = None) -> Any:
        if mask is None:
            return function(x, axis=_axes(dim), keepdims=keepdim)
        if rnp.isdtype(x.dtype, "real floating"):
            none = -math.inf if greatest else math.inf
        else:
            none = rnp.iinfo(x.dtype).min if greatest else rnp.iinfo(x.dtype).max
        return function(x, axis=_axes(dim), keepdims=keepdim, where=mask, initial=none)

    return apply


def _spread(function: Any) -> Any:
    def apply(x: Any, dim: Any = None, unbiased: Any = None, **options: Any) -> Any:
        correction = options.get("correction")
        by = int(unbiased is not False) if correction is None else correction
        keepdims = options.get("keepdim", False)
        return function(x, axis=_axes(dim), correction=by, keepdims=keepdims, where=options.get("mask"))

    return apply


def _logsumexp(x: Any, dim: Any = None, *, keepdim: bool = False, mask: Any = None) -> Any:
    return special.logsumexp(x, axis=_axes(dim), b=mask, keepdims=keepdim)


TABLE: Table = named(
    {
        "masked.sum": Mapped(_chosen(rnp.sum), apart=NUMBER),
        "masked.prod": Mapped(_chosen(rnp.prod), apart=NUMBER),
        "masked.amax": Mapped(_extreme(rnp.max, True), apart=NUMBER),
        "masked.amin": Mapped(_extreme(rnp.min, False), apart=NUMBER),
        "masked.mean": Mapped(_chosen(rnp.mean), apart=NUMBER),
        "masked.var": Mapped(_spread(rnp.var), apart=COMPLEX),
        "masked.std": Mapped(_spread(rnp.std), apart=COMPLEX),
        "masked.logsumexp": Mapped(_logsumexp, apart={**NUMBER, **WHOLE}),
        "diff": lambda x, n=1, dim=-1, prepend=None, append=None: rnp.diff(x, n, dim, prepend=prepend, append=append),
        "isin": rnp.isin,
    }
)
