"""Operators that read and write elements at places that are computed, and those that search."""

from __future__ import annotations

from typing import Any

from rosin import numpy as rnp
from tests.operators.mapped import NO_SUM, NUMBER, Mapped, Table, holds, is_number, named

SCALAR = {"a number has no axis along which something could be": is_number}
TRUTH = {"bool": NO_SUM}
OUTSIDE = "places outside are moved to the nearest end when read and left out when written"
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
    found = rnp.unique(x, return_inverse=return_inverse, return_counts=return_counts)
    return found


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

TABLE: Table = named(
    {
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
