"""Reductions of the elements that a mask chooses, differences, and membership."""

from __future__ import annotations

import math
from typing import Any

from rosin import nn
from rosin import numpy as rnp
from rosin.scipy import special
from tests.operators.mapped import BYTES, NUMBER, Mapped, Table, holds, named

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


def _filled(function: Any, greatest: bool) -> Any:
    """A function of what a mask chooses, where the rest is the least number there is, or the greatest."""

    def apply(x: Any, *args: Any, mask: Any = None, **kwargs: Any) -> Any:
        if mask is not None:
            if rnp.isdtype(x.dtype, "real floating"):
                none = -math.inf if greatest else math.inf
            else:
                none = rnp.iinfo(x.dtype).min if greatest else rnp.iinfo(x.dtype).max
            x = rnp.where(mask, x, none)
        return function(x, *args, **kwargs)

    return apply


def _place(function: Any) -> Any:
    """PyTorch gives these places the type of the elements."""
    return lambda x, dim=None, *, keepdim=False: rnp.astype(function(x, axis=dim, keepdims=keepdim), x.dtype)


def _soft(function: Any) -> Any:
    return lambda x, dim, dtype=None: function(x if dtype is None else rnp.astype(x, dtype), dim)


def _running(function: Any, neutral: int) -> Any:
    def apply(x: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Any:
        return function(x if mask is None else rnp.where(mask, x, neutral), axis=dim, dtype=dtype)

    return apply


def _norm(
    x: Any, ord: Any = 2.0, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    wide = x if dtype is None else rnp.astype(x, dtype)
    # Of the least one, what the mask leaves out is no part.
    kept = wide if mask is None else rnp.where(mask, wide, math.inf if ord < 0 else 0)
    return rnp.linalg.vector_norm(kept, ord=ord, axis=_axes(dim), keepdims=keepdim)


def _normalize(x: Any, ord: Any, dim: int, *, eps: float = 1e-12, mask: Any = None) -> Any:
    kept = x if mask is None else rnp.where(mask, x, 0)
    return nn.normalize(kept, p=ord, axis=dim, eps=eps)


def _logaddexp(x: Any, y: Any, *, input_mask: Any = None, other_mask: Any = None) -> Any:
    first = x if input_mask is None else rnp.where(input_mask, x, -math.inf)
    return rnp.logaddexp(first, y if other_mask is None else rnp.where(other_mask, y, -math.inf))


def _scattered(x: Any, mask: Any, source: Any) -> Any:
    """The next element of the source wherever the mask holds."""
    x, mask = rnp.broadcast_arrays(x, mask)
    places = rnp.cumulative_sum(rnp.astype(rnp.ravel(mask), rnp.int32)) - 1
    chosen = rnp.reshape(rnp.ravel(source)[rnp.clip(places, 0, None)], x.shape)
    return rnp.where(mask, rnp.astype(chosen, x.dtype), x)


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
        "masked.argmax": Mapped(_filled(_place(rnp.argmax), True), apart=NUMBER),
        "masked.argmin": Mapped(_filled(_place(rnp.argmin), False), apart=NUMBER),
        "masked.softmax": _filled(_soft(nn.softmax), True),
        "masked.log_softmax": _filled(_soft(nn.log_softmax), True),
        "masked.softmin": _filled(_soft(nn.softmin), False),
        "masked.cumsum": _running(rnp.cumsum, 0),
        "masked.cumprod": Mapped(_running(rnp.cumprod, 1), apart={BYTES: holds("uint8")}),
        "masked.norm": Mapped(_norm, apart=NUMBER),
        "masked.normalize": _normalize,
        "masked.logaddexp": Mapped(_logaddexp, backward="PyTorch's forward mode is NaN where both are left out"),
        "masked_scatter": Mapped(
            _scattered, errors={"only supports boolean masks": "numbers that are not 0 are true, as in NumPy"}
        ),
        "masked.logsumexp": Mapped(_logsumexp, apart={**NUMBER, **WHOLE}),
        "diff": lambda x, n=1, dim=-1, prepend=None, append=None: rnp.diff(x, n, dim, prepend=prepend, append=append),
        "isin": rnp.isin,
    }
)
