"""Operators that read and write elements at places that are computed, and those that search."""

from __future__ import annotations

from typing import Any

from rosin import numpy as rnp
from tests.operators.mapped import NO_SUM, NUMBER, Mapped, Table, holds, is_number, named

SCALAR = {"a number has no axis along which something could be": is_number}
TRUTH = {"bool": NO_SUM}
OUTSIDE = "places outside are moved to the nearest end when read and left out when written"
ORDER = "PyTorch puts elements that tie in any order"
SIZE = "the size of the result depends on the numbers"
COUNTS = "the counts settle the shape of the result"


def _along(x: Any, dim: int, index: Any) -> Any:
    """The key that means, for every place in `index`, that element of its line along an axis."""
    grid = rnp.meshgrid(*(rnp.arange(n) for n in index.shape), indexing="ij")
    return tuple(index if i == dim % x.ndim else g for i, g in enumerate(grid))


def _part(x: Any, index: Any) -> Any:
    return x[tuple(slice(n) for n in index.shape)]


def _at(x: Any, dim: int, index: Any) -> Any:
    return x.at[(slice(None),) * (dim % max(x.ndim, 1)) + (index,)]


def _gather(x: Any, dim: int, index: Any, **_: Any) -> Any:
    return x[_along(x, dim, index)]


def _scatter(x: Any, dim: int, index: Any, src: Any, *, reduce: str | None = None) -> Any:
    values = _part(src, index) if getattr(src, "ndim", 0) else src
    place = x.at[_along(x, dim, index)]
    return place.set(values) if reduce is None else place.add(values) if reduce == "add" else place.multiply(values)


def _scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    return x.at[_along(x, dim, index)].add(_part(src, index))


def _index_add(x: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    return _at(x, dim, index).add(source if alpha == 1 else source * alpha)


def _take_along(x: Any, indices: Any, dim: int | None = None) -> Any:
    if dim is None:
        return rnp.take_along_axis(rnp.ravel(x), rnp.ravel(indices), axis=0)
    return rnp.take_along_axis(x, indices, axis=dim)


def _put(x: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    place = rnp.ravel(x).at[rnp.ravel(index)]
    values = rnp.ravel(source)
    return rnp.reshape(place.add(values) if accumulate else place.set(values), x.shape)


def _index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    place = x.at[tuple(indices)]
    return place.add(values) if accumulate else place.set(values)


def _searchsorted(
    line: Any, x: Any, *, out_int32: bool = False, right: bool = False, side: Any = None, sorter: Any = None
) -> Any:
    return rnp.searchsorted(line, x, side=side or ("right" if right else "left"), sorter=sorter)


def _bucketize(x: Any, edges: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    return rnp.searchsorted(edges, x, side="right" if right else "left")


def _repeat(x: Any, repeats: Any, dim: int | None = None, output_size: int | None = None) -> Any:
    return rnp.repeat(x, repeats.tolist() if hasattr(repeats, "tolist") else repeats, axis=dim)


def _unique(
    x: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
) -> Any:
    return rnp.unique(x, return_inverse=return_inverse, return_counts=return_counts)


def _sums_truth(x: Any, *args: Any, **kwargs: Any) -> bool:
    adds = any(value is True or value == "add" for value in kwargs.values()) or args[-1] is True
    return holds("bool")(x) and (adds or kwargs.get("reduce") == "multiply")


UNFIT = "a Python number has to fit the element type"


def _unfit(x: Any, *args: Any, **_: Any) -> bool:
    return isinstance(args[-1], float) and not (x.dtype.is_floating_point or x.dtype.is_complex)


SCALED = {
    UNFIT: lambda x, *_, alpha=1: holds("uint8")(x) and alpha < 0,
}
WRITES = {"index 34 is out of bounds": OUTSIDE, "Expected self.dtype to be equal": "values are cast"}


def _reduced(x: Any, key: Any, values: Any, reduce: str, include_self: bool) -> Any:
    """Values combined into places, with what is there or without."""
    ends = (rnp.finfo if rnp.isdtype(x.dtype, "real floating") else rnp.iinfo)(x.dtype)
    top, bottom = (float("inf"), -float("inf")) if rnp.isdtype(x.dtype, "real floating") else (ends.max, ends.min)
    if not include_self:
        x = x.at[key].set({"sum": 0, "mean": 0, "prod": 1, "amin": top, "amax": bottom}[reduce])
    place = x.at[key]
    if reduce == "prod":
        return place.multiply(values)
    if reduce in ("amin", "amax"):
        return place.min(values) if reduce == "amin" else place.max(values)
    total = place.add(values)
    if reduce == "sum":
        return total
    ones = rnp.ones_like(x)
    count = (ones if include_self else ones.at[key].set(0)).at[key].add(rnp.ones_like(values))
    divide = rnp.divide if rnp.isdtype(x.dtype, "real floating") else rnp.floor_divide
    return divide(total, count)


def _scatter_reduce(x: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    return _reduced(x, _along(x, dim, index), _part(src, index), reduce, include_self)


def _index_reduce(x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    return _reduced(x, (slice(None),) * (dim % x.ndim) + (index,), source, reduce, include_self)


def _kth(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    if not 1 <= k <= (x.shape[dim] if x.ndim else 1):
        return rnp.partition(x, k - 1, axis=dim)
    found = rnp.take(rnp.argsort(x, axis=dim), rnp.asarray([k - 1]), axis=dim)
    value = rnp.take_along_axis(x, found, axis=dim)
    return (value, found) if keepdim else (rnp.squeeze(value, axis=dim), rnp.squeeze(found, axis=dim))


def _diagonal_scatter(x: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    lines = rnp.moveaxis(x, (dim1, dim2), (-2, -1))
    line = rnp.arange(src.shape[-1])
    filled = lines.at[..., line + max(-offset, 0), line + max(offset, 0)].set(src)
    return rnp.moveaxis(filled, (-2, -1), (dim1, dim2))


def _windows(x: Any, dim: int, size: int, step: int) -> Any:
    count = (x.shape[dim] - size) // step + 1
    places = rnp.arange(count)[:, None] * step + rnp.arange(size)
    return rnp.moveaxis(rnp.take(x, places, axis=dim), dim % x.ndim + 1, -1)


def _nonzero_static(x: Any, *, size: int, fill_value: int = -1) -> Any:
    return rnp.astype(rnp.argwhere(x, size=size, fill_value=fill_value), "int64")


TABLE: Table = named(
    {
        "diagonal_scatter": _diagonal_scatter,
        **{f"index_reduce.{name}": Mapped(_index_reduce, apart=NUMBER) for name in ("mean", "prod", "amin", "amax")},
        "kthvalue": Mapped(_kth, apart={ORDER: holds("int32", "int64", "uint8")}),
        **{
            f"scatter_reduce.{name}": Mapped(_scatter_reduce, lacks={} if name == "mean" else TRUTH, apart=NUMBER)
            for name in ("mean", "prod", "amin", "amax", "sum")
        },
        "unfold": Mapped(_windows, apart=NUMBER),
        "unfold_copy": Mapped(_windows, apart=NUMBER),
        "unravel_index": lambda x, shape: rnp.unravel_index(x, shape),
        "__getitem__": lambda x, index: x[index],
        "argwhere": Mapped(rnp.argwhere, apart=SCALAR, known=SIZE, alone=SIZE, eager=SIZE),
        "bucketize": _bucketize,
        "gather": Mapped(
            _gather,
            apart={**NUMBER, "axes of the index beyond those of the array": lambda x, dim, index: index.ndim > x.ndim},
            errors={
                "index 23 is out of bounds": OUTSIDE,
                "Size does not match": "places broadcast against one another",
                "must have the same number": "places broadcast against one another",
            },
        ),
        "index_add": Mapped(
            _index_add, lacks=TRUTH, apart={**NUMBER, **SCALED}, errors={"float32[2]) |": "values broadcast"}
        ),
        "index_copy": Mapped(lambda x, dim, index, source: _at(x, dim, index).set(source), apart=NUMBER),
        "index_fill": Mapped(
            lambda x, dim, index, value: _at(x, dim, index).set(rnp.asarray(value, dtype=x.dtype)), apart=NUMBER
        ),
        "index_put": Mapped(_index_put, known="a mask's count settles shapes", apart={NO_SUM: _sums_truth}),
        "index_select": lambda x, dim, index: rnp.take(x, index, axis=dim),
        "masked_select": Mapped(
            lambda x, mask: rnp.broadcast_arrays(x, mask)[0][rnp.broadcast_arrays(x, mask)[1]],
            known=SIZE,
            alone=SIZE,
            apart={"a mask has axes": lambda x, mask: mask.ndim == 0 and x.ndim == 0},
        ),
        "nonzero_static": Mapped(_nonzero_static, apart=SCALAR),
        "nonzero": Mapped(
            lambda x, as_tuple=False: rnp.nonzero(x) if as_tuple else rnp.argwhere(x),
            apart=SCALAR,
            known=SIZE,
            alone=SIZE,
            eager=SIZE,
        ),
        "put": Mapped(_put, apart={NO_SUM: _sums_truth}),
        "repeat_interleave": Mapped(_repeat, known=COUNTS),
        "scatter": Mapped(_scatter, apart={**NUMBER, NO_SUM: _sums_truth, UNFIT: _unfit}, errors=WRITES),
        "scatter_add": Mapped(_scatter_add, lacks=TRUTH, apart=NUMBER, errors=WRITES),
        "searchsorted": Mapped(
            _searchsorted, apart={"the sorted array is one line": lambda line, *_, **__: line.ndim != 1}
        ),
        "take": rnp.take,
        "take_along_dim": _take_along,
        "unique": Mapped(
            _unique,
            known=SIZE,
            alone=SIZE,
            eager=SIZE,
            apart={"along an axis": lambda x, dim=None, **_: dim is not None},
        ),
    }
)
