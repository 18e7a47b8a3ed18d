"""Operators that combine elements along axes, and those that put them in order."""

from __future__ import annotations

from typing import Any

from rosin import numpy as rnp
from tests.operators.mapped import BYTES, NO_SUM, Mapped, Table, holds, named


def _dims(dim: Any) -> Any:
    """PyTorch's axes: no axes are all."""
    return tuple(dim) if isinstance(dim, list | tuple) and dim else None if dim in ((), []) else dim


def _over(function: Any) -> Any:
    return lambda x, dim=None, keepdim=False: function(x, axis=_dims(dim), keepdims=keepdim)


def _typed(function: Any) -> Any:
    return lambda x, dim=None, keepdim=False, dtype=None: function(x, axis=_dims(dim), keepdims=keepdim, dtype=dtype)


def _spread(function: Any) -> Any:
    """Variances: PyTorch corrects by 1 if nothing else is said."""

    def apply(x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, correction: Any = 1) -> Any:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        correction = 1 if correction is None else correction
        return function(x, axis=_dims(dim), correction=correction if unbiased else 0, keepdims=keepdim)

    return apply


def _with_mean(function: Any) -> Any:
    def apply(x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, correction: Any = 1) -> Any:
        mean = rnp.mean(x, axis=_dims(None if isinstance(dim, bool) else dim), keepdims=keepdim)
        return _spread(function)(x, dim, unbiased, keepdim, correction), mean

    return apply


def _extreme(value: Any, place: Any) -> Any:
    """Both the extreme element and where it is, along one axis."""

    def apply(x: Any, dim: int, keepdim: bool = False) -> Any:
        return value(x, axis=dim, keepdims=keepdim), place(x, axis=dim, keepdims=keepdim)

    return apply


def _sort(x: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:
    return rnp.sort(x, axis=dim, descending=descending), rnp.argsort(x, axis=dim, descending=descending)


ORDER = "PyTorch puts elements that tie in any order"
PARTS = "there is no order of complex numbers to take the greatest by"


def _tied(x: Any, *_: Any, stable: bool = False, **__: Any) -> bool:
    return not stable and holds("uint8", "bool")(x)


def _top(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    if largest:
        return rnp.top_k(x, k, axis=dim)
    first = rnp.take(rnp.argsort(x, axis=dim), rnp.arange(k), axis=dim)
    return rnp.take_along_axis(x, first, axis=dim), first


def _running_extreme(function: Any) -> Any:
    """PyTorch's also says where the extreme element is."""
    return Mapped(
        lambda x, dim: function(x, axis=dim),
        common=lambda r: r.values if hasattr(r, "values") else r,
        lacks={"bool": NO_SUM},
    )


TABLE: Table = named(
    {
        "all": Mapped(_over(rnp.all), apart={BYTES: holds("uint8")}),
        "amax": _over(rnp.max),
        "amin": _over(rnp.min),
        "aminmax": lambda x, dim=None, keepdim=False: (
            rnp.min(x, axis=dim, keepdims=keepdim),
            rnp.max(x, axis=dim, keepdims=keepdim),
        ),
        "any": Mapped(_over(rnp.any), apart={BYTES: holds("uint8")}),
        "argmax": _over(rnp.argmax),
        "argmin": _over(rnp.argmin),
        "argsort": Mapped(
            lambda x, dim=-1, descending=False, stable=False: rnp.argsort(x, axis=dim, descending=descending),
            apart={ORDER: _tied},
        ),
        "count_nonzero": _over(rnp.count_nonzero),
        "cummax": _running_extreme(rnp.cummax),
        "cummin": _running_extreme(rnp.cummin),
        "cumprod": lambda x, dim, dtype=None: rnp.cumprod(x, axis=dim, dtype=dtype),
        "cumsum": lambda x, dim, dtype=None: rnp.cumsum(x, axis=dim, dtype=dtype),
        "logcumsumexp": Mapped(
            lambda x, dim: rnp.logcumsumexp(x, axis=dim),
            lacks={"complex64": PARTS, "complex128": PARTS},
            backward="PyTorch's forward mode is off by 2e-6",
        ),
        "logsumexp": lambda x, dim, keepdim=False: rnp.logsumexp(x, axis=_dims(dim), keepdims=keepdim),
        "max.reduction_no_dim": lambda x: rnp.max(x),
        "max.reduction_with_dim": _extreme(rnp.max, rnp.argmax),
        "mean": Mapped(
            _typed(lambda x, dtype, **named: rnp.mean(x if dtype is None else rnp.astype(x, dtype), **named)),
            errors={"could not infer output dtype": "means of integers are floats"},
        ),
        "min.reduction_no_dim": lambda x: rnp.min(x),
        "min.reduction_with_dim": _extreme(rnp.min, rnp.argmin),
        "msort": lambda x: rnp.sort(x, axis=0),
        "prod": _typed(rnp.prod),
        "sort": Mapped(_sort, apart={ORDER: _tied}),
        "std": _spread(rnp.std),
        "std.unbiased": _spread(rnp.std),
        "std_mean": _with_mean(rnp.std),
        "std_mean.unbiased": _with_mean(rnp.std),
        "sum": _typed(rnp.sum),
        "topk": Mapped(_top, apart={ORDER: holds("int32", "int64", "uint8")}),
        "var": _spread(rnp.var),
        "var.unbiased": _spread(rnp.var),
        "var_mean": _with_mean(rnp.var),
        "var_mean.unbiased": _with_mean(rnp.var),
    }
)
