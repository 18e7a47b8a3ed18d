"""Operators that combine elements along axes, and those that put them in order."""

from __future__ import annotations

import builtins
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


COUNTED = "the greatest number settles the shape"
WRAPS = "PyTorch subtracts bytes as such"


def _narrow_weights(x: Any, *, aweights: Any = None, **_: Any) -> bool:
    return aweights is not None and holds("float64", "complex128")(x)


def _whole_weights(_: Any, weights: Any = None, **__: Any) -> bool:
    return weights is not None and not weights.dtype.is_floating_point


WEIGHTS = {
    "expected aweights to have floating": "integers are weights too",
    "expected fweights to have integral": "floats are weights too",
    "weights cannot be negative": "numbers are not looked at",
}


def _median(name: str) -> Any:
    """PyTorch takes the lower of the two elements in the middle."""

    def apply(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        found = getattr(rnp, name)(x, 0.5, axis=dim, method="lower", keepdims=keepdim)
        return rnp.astype(found, x.dtype)

    return apply


def _quantile(function: Any) -> Any:
    return lambda x, q, dim=None, keepdim=False, interpolation="linear": function(
        x, q, axis=dim, method=interpolation, keepdims=keepdim
    )


def _trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    return rnp.trapezoid(y, x, dx, dim)


def _cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    values = rnp.moveaxis(y, dim, -1)
    width: Any = dx
    if x is not None:
        along = x if x.ndim == 1 else rnp.moveaxis(x, dim, -1)
        width = along[..., 1:] - along[..., :-1]
    areas = (values[..., 1:] + values[..., :-1]) * width / 2
    return rnp.moveaxis(rnp.cumulative_sum(areas, axis=-1), -1, dim)


def _gradient(x: Any, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> Any:
    given = spacing if isinstance(spacing, list | tuple) else () if spacing is None else (spacing,)
    return rnp.gradient(x, *given, axis=dim, edge_order=edge_order)


def _histc(x: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """PyTorch's bins go to the extremes if no range is given."""
    return rnp.astype(rnp.histogram(x, bins, None if min == max == 0 else (min, max))[0], x.dtype)


def _histogram(x: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False) -> Any:
    counts, edges = rnp.histogram(x, bins, range, density, weight)
    return rnp.astype(counts, x.dtype), edges


def _falling(x: Any, bins: Any, **_: Any) -> bool:
    return any(getattr(edges, "ndim", 0) and bool((edges[1:] < edges[:-1]).any()) for edges in bins)


def _histogramdd(x: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False) -> Any:
    ends = None if range is None else [tuple(range[2 * i : 2 * i + 2]) for i in builtins.range(len(range) // 2)]
    points, weights = rnp.reshape(x, (-1, x.shape[-1])), None if weight is None else rnp.ravel(weight)
    counts, edges = rnp.histogramdd(points, bins, ends, density, weights)
    return rnp.astype(counts, x.dtype), list(edges)


def _renorm(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    """Slices along an axis whose norm is above the greatest one that is allowed are made that small."""
    others = tuple(axis for axis in range(x.ndim) if axis != dim % x.ndim)
    size = rnp.linalg.vector_norm(x, ord=p, axis=others, keepdims=True)
    return rnp.where(size > maxnorm, x * (maxnorm / (size + 1e-7)), x)


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
        "bincount": Mapped(
            rnp.bincount,
            apart={"sums of integers are integers": _whole_weights},
            known=COUNTED,
            alone=COUNTED,
            eager=COUNTED,
        ),
        "corrcoef": rnp.corrcoef,
        "cov": Mapped(
            lambda x, *, correction=1, fweights=None, aweights=None: rnp.cov(
                x, ddof=correction, fweights=fweights, aweights=aweights
            ),
            apart={"PyTorch sums weights in their own narrower type": _narrow_weights},
            errors=WEIGHTS,
        ),
        "gradient": Mapped(_gradient, errors={"expected spacing to be unspecified": "one distance is for all axes"}),
        "histc": _histc,
        "histogram": _histogram,
        "histogramdd": Mapped(_histogramdd, apart={"edges increase": _falling}),
        "median": Mapped(_median("quantile"), common=lambda r: r[0] if isinstance(r, tuple) else r),
        "nanmean": _typed(lambda x, dtype, **named: rnp.nanmean(x if dtype is None else rnp.astype(x, dtype), **named)),
        "nanmedian": Mapped(_median("nanquantile"), common=lambda r: r[0] if isinstance(r, tuple) else r),
        "nanquantile": _quantile(rnp.nanquantile),
        "nansum": _typed(rnp.nansum),
        "quantile": _quantile(rnp.quantile),
        "renorm": Mapped(_renorm, errors={"needs at least 2 dimensions": "a number is the one slice of itself"}),
        "trapezoid": Mapped(_trapezoid, apart={WRAPS: holds("uint8")}),
        "cumulative_trapezoid": Mapped(_cumulative_trapezoid, apart={WRAPS: holds("uint8", "int32", "int64")}),
        "trapz": Mapped(_trapezoid, apart={WRAPS: holds("uint8")}),
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
