"""Operators that make arrays, and those that give elements other places, shapes and types."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from rosin import numpy as rnp
from tests.operators.mapped import LIKE_NUMPY, NO_SUM, WIDER, Mapped, Table, holds, named


def _sizes(size: Any) -> tuple[int, ...]:
    """Sizes that PyTorch takes one by one or as a sequence."""
    return tuple(size[0]) if len(size) == 1 and isinstance(size[0], list | tuple) else tuple(size)


def _expand(x: Any, *size: Any) -> Any:
    """PyTorch's -1 leaves a size as it is."""
    wanted = _sizes(size)
    own = (1,) * (len(wanted) - x.ndim) + tuple(x.shape)
    return rnp.broadcast_to(x, tuple(o if w == -1 else w for w, o in zip(wanted, own, strict=True)))


def _sum_to_size(x: Any, *size: Any) -> Any:
    wanted = _sizes(size)
    lead = tuple(range(x.ndim - len(wanted)))
    shrunk = tuple(i + len(lead) for i, n in enumerate(wanted) if n == 1)
    return rnp.reshape(rnp.sum(x, axis=(*lead, *shrunk), keepdims=True), wanted)


def _pad(x: Any, pad: Any, value: Any = 0, mode: str = "constant") -> Any:
    """PyTorch counts pairs from the last axis; what is negative cuts off."""
    pairs = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    wide = [(max(low, 0), max(high, 0)) for low, high in pairs]
    if mode == "circular":
        x = x[tuple(slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(x.shape, pairs, strict=True))]
        return rnp.pad(x, wide, mode="wrap")
    if mode == "constant":
        padded = rnp.pad(x, wide, constant_values=rnp.asarray(value, dtype=x.dtype))
    else:
        padded = rnp.pad(x, wide, mode="edge" if mode == "replicate" else mode)
    cut = (slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(padded.shape, pairs, strict=True))
    return padded[tuple(cut)]


def _chunk(x: Any, chunks: int, dim: int = 0) -> Any:
    part = -(-x.shape[dim] // chunks)
    return rnp.split(x, list(range(part, x.shape[dim], part)), axis=dim)


def _split(x: Any, sizes: Any, dim: int = 0) -> Any:
    if isinstance(sizes, int):
        return rnp.split(x, list(range(sizes, x.shape[dim], sizes)), axis=dim)
    cuts = [sum(sizes[:i]) for i in range(1, len(sizes))]
    return rnp.split(x, cuts, axis=dim)


def _tensor_split(x: Any, sections: Any, dim: int = 0) -> Any:
    return rnp.array_split(x, sections.tolist() if hasattr(sections, "tolist") else sections, axis=dim)


def _narrow(x: Any, dim: int, start: Any, length: int) -> Any:
    return rnp.take(x, rnp.arange(length) + start, axis=dim)


def _select(x: Any, dim: int, index: int) -> Any:
    return x[(slice(None),) * (dim % x.ndim) + (index,)]


def _slice(x: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]


def _select_scatter(x: Any, values: Any, dim: int, index: int) -> Any:
    return x.at[(slice(None),) * (dim % x.ndim) + (index,)].set(values)


def _slice_scatter(
    x: Any, values: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    return x.at[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)].set(values)


def _diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    return rnp.diagonal(x, offset, dim1, dim2)


def _diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    size = x.shape[-1] + abs(offset)
    line = rnp.arange(x.shape[-1])
    full = rnp.zeros((*x.shape[:-1], size, size), dtype=x.dtype)
    full = full.at[..., line + max(-offset, 0), line + max(offset, 0)].set(x)
    return rnp.moveaxis(full, (-2, -1), (dim1, dim2))


def _blocks(*xs: Any) -> Any:
    given = [rnp.atleast_2d(x) for x in xs]
    rows, columns = ([0, *itertools.accumulate(x.shape[i] for x in given)] for i in (0, 1))
    full = rnp.zeros((rows[-1], columns[-1]), dtype=rnp.result_type(*given))
    for i, x in enumerate(given):
        full = full.at[rows[i] : rows[i + 1], columns[i] : columns[i + 1]].set(x)
    return full


def _product(xs: Any) -> Any:
    lines = [rnp.ravel(x) for x in rnp.meshgrid(*xs, indexing="ij")]
    return lines[0] if len(lines) == 1 else rnp.stack(lines, axis=-1)


def _combinations(x: Any, r: int = 2, with_replacement: bool = False) -> Any:
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.asarray(list(pick(range(x.shape[0]), r)), np.int32).reshape(-1, r)
    return x[places]


def _roll(x: Any, shifts: Any, dims: Any = None) -> Any:
    return rnp.roll(x, shifts, axis=dims)


def _flat(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    if x.ndim == 0:
        return rnp.reshape(x, (1,))
    first, last = start_dim % x.ndim, end_dim % x.ndim
    return rnp.reshape(x, (*x.shape[:first], -1, *x.shape[last + 1 :]))


def _unflatten(x: Any, dim: int, sizes: Any) -> Any:
    place = dim % x.ndim
    return rnp.reshape(x, (*x.shape[:place], *sizes, *x.shape[place + 1 :]))


def _squeeze(x: Any, dim: Any = None) -> Any:
    """PyTorch leaves axes that have another size."""
    if dim is None:
        return rnp.squeeze(x)
    given = tuple(dim) if isinstance(dim, list | tuple) else (dim,)
    return rnp.squeeze(x, axis=tuple(d for d in given if x.ndim and x.shape[d] == 1))


def _tile(x: Any, dims: Any) -> Any:
    return rnp.tile(x, tuple(dims))


def _cast(dtype: str) -> Any:
    return lambda x, memory_format=None: rnp.astype(x, dtype)


def _to(x: Any, *given: Any, dtype: Any = None, **_: Any) -> Any:
    for one in given:
        dtype = getattr(one, "dtype", one if isinstance(one, str) and one != "cpu" else dtype)
    return rnp.astype(x, dtype)


def _made(function: Any) -> Any:
    return lambda *size, dtype=None, device=None, **_: function(_sizes(size), dtype=dtype)


def _like(function: Any) -> Any:
    return lambda x, dtype=None, device=None, **_: function(x, dtype=dtype)


def _new(function: Any) -> Any:
    def make(x: Any, size: Any, *value: Any, dtype: Any = None, device: Any = None, **_: Any) -> Any:
        return function(tuple(size), *value, dtype=x.dtype if dtype is None else dtype)

    return make


def _arange(start: Any, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None) -> Any:
    return rnp.arange(start, dtype=dtype) if end is None else rnp.arange(start, end, step, dtype=dtype)


def _indices(function: Any) -> Any:
    return lambda rows, columns, offset=0, dtype=None, device=None: rnp.stack(function(rows, offset, columns))


def _shapes(x: Any) -> Any:
    """Of arrays whose elements are arbitrary, what they are is compared."""
    return rnp.zeros_like(x) if hasattr(x, "at") else x.new_zeros(x.shape)


NO_ARRAY = "the result is a Python number"
NARROW = "tangents and cotangents are rounded to the narrow type"
REAL = "complex numbers do not become real ones unasked"
PARTS = {"complex64": REAL, "complex128": REAL}
UNFIT = "a Python number has to fit the element type"
TRUTH = {"bool": NO_SUM}
DOWN = "numbers are rounded down, as in NumPy"


def _unfit(*args: Any, dtype: Any = None, **_: Any) -> bool:
    return (str(dtype) == "torch.uint8" or holds("uint8")(args[0])) and any(
        isinstance(x, int | float) and x < 0 for x in args
    )


def _floored(*_: Any, dtype: Any = None, **__: Any) -> bool:
    return dtype is not None and not (dtype.is_floating_point or dtype.is_complex)


def _real(dtype: str) -> Any:
    return Mapped(_cast(dtype), lacks=PARTS)


CUT = {
    "expected to be in range of": "slices end where the array does, as Python's do",
    "length must be non-negative": "a range of fewer than no places is empty",
    "start must be an 0-dim integral": "a truth value counts as 0 or 1",
    "exceeds": "slices end where the array does, as Python's do",
}

RANGES = {
    "truth values are no numbers": lambda start, *_, **__: isinstance(start, bool),
    UNFIT: lambda *args, dtype=None, device=None, **ends: (
        dtype is not None and not dtype.is_floating_point and any(a != int(a) or a < 0 for a in (*args, *ends.values()))
    ),
}

_linspace = Mapped(
    lambda start, end, steps, dtype=None, device=None: rnp.linspace(start, end, steps, dtype=dtype),
    apart={DOWN: _floored},
    errors={"only supports 0-dimensional": "ends are arrays"},
)

_logspace = Mapped(
    lambda start, end, steps, base=10.0, dtype=None, device=None: rnp.logspace(
        start, end, steps, base=base, dtype=dtype
    ),
    apart={DOWN: _floored},
    errors={"only supports 0-dimensional": "ends are arrays"},
    tolerance={"float32": 2e-5, "complex64": 2e-5},
)

MADE: Table = named(
    {
        "arange": Mapped(_arange, apart=RANGES, errors={"inconsistent with step sign": LIKE_NUMPY}),
        "empty": Mapped(_made(rnp.empty), common=_shapes),
        "empty_like": Mapped(_like(rnp.empty_like), common=_shapes),
        "eye": lambda n, m=None, dtype=None, device=None, **_: rnp.eye(n, m, dtype=dtype),
        "fill": lambda x, value: rnp.full_like(x, value),
        "full": lambda size, value, dtype=None, device=None: rnp.full(size, value, dtype=dtype),
        "full_like": Mapped(
            lambda x, value, dtype=None, device=None: rnp.full_like(x, value, dtype=dtype), apart={UNFIT: _unfit}
        ),
        "linspace": _linspace,
        "linspace.tensor_overload": _linspace,
        "new_empty": Mapped(_new(rnp.empty), common=_shapes),
        "new_full": _new(rnp.full),
        "new_ones": _new(rnp.ones),
        "new_zeros": _new(rnp.zeros),
        "ones": _made(rnp.ones),
        "ones_like": _like(rnp.ones_like),
        "scalar_tensor": Mapped(
            lambda value, dtype=None, device=None, **_: rnp.asarray(value, dtype=dtype), apart={UNFIT: _unfit}
        ),
        "zero_": rnp.zeros_like,
        "zeros": _made(rnp.zeros),
        "zeros_like": _like(rnp.zeros_like),
        "tril_indices": _indices(lambda n, k, m: rnp.tril_indices(n, k, m)),
        "triu_indices": _indices(lambda n, k, m: rnp.triu_indices(n, k, m)),
        "logspace": _logspace,
        "logspace.tensor_overload": _logspace,
        "meshgrid.list_of_tensors": lambda xs, indexing="ij": rnp.meshgrid(*xs, indexing=indexing),
        "meshgrid.variadic_tensors": lambda *xs, indexing="ij": rnp.meshgrid(*xs, indexing=indexing),
    }
)

SHAPES: Table = named(
    {
        "H": Mapped(lambda x: rnp.conj(x).T, lacks=TRUTH),
        "T": lambda x: x.T,
        "alias_copy": lambda x: rnp.asarray(x, copy=True),
        "atleast_1d": lambda *xs: _each(rnp.atleast_1d, xs),
        "atleast_2d": lambda *xs: _each(rnp.atleast_2d, xs),
        "atleast_3d": lambda *xs: _each(rnp.atleast_3d, xs),
        "bfloat16": Mapped(
            _cast("bfloat16"),
            flat=NARROW,
            lacks=PARTS,
            common=lambda x: x.astype("float32") if hasattr(x, "astype") else x.float(),
        ),
        "bool": _cast("bool"),
        "broadcast_shapes": lambda *shapes: rnp.broadcast_shapes(*((s,) if isinstance(s, int) else s for s in shapes)),
        "broadcast_tensors": rnp.broadcast_arrays,
        "broadcast_to": rnp.broadcast_to,
        "byte": _real("uint8"),
        "cat": Mapped(
            lambda xs, dim=0: rnp.concat(xs, axis=dim),
            apart={"PyTorch leaves out vectors of no elements": lambda xs, dim=0: {x.ndim for x in xs} == {1, 2}},
        ),
        "cdouble": _cast("complex128"),
        "cfloat": _cast("complex64"),
        "char": _real("int8"),
        "chunk": _chunk,
        "clone": lambda x, memory_format=None: x.copy(),
        "constant_pad_nd": _pad,
        "contiguous": lambda x: x,
        "block_diag": _blocks,
        "cartesian_prod": lambda *xs: _product(xs),
        "column_stack": rnp.column_stack,
        "combinations": _combinations,
        "diag_embed": _diag_embed,
        "diagflat": lambda x, offset=0: rnp.diagflat(x, offset),
        "dsplit": rnp.dsplit,
        "dstack": rnp.dstack,
        "fliplr": rnp.fliplr,
        "flipud": rnp.flipud,
        "hsplit": rnp.hsplit,
        "rot90": lambda x, k=1, dims=(0, 1): rnp.rot90(x, k, dims),
        "tensor_split": Mapped(_tensor_split, known="places of cuts settle shapes"),
        "vsplit": rnp.vsplit,
        "diag": lambda x, diagonal=0: rnp.diag(x, k=diagonal),
        "diagonal": _diagonal,
        "diagonal_copy": _diagonal,
        "double": _real("float64"),
        "expand": _expand,
        "expand_as": lambda x, other: rnp.broadcast_to(x, other.shape),
        "expand_copy": _expand,
        "flatten": _flat,
        "flip": lambda x, dims: rnp.flip(x, axis=tuple(dims)),
        "float": _real("float32"),
        "half": Mapped(_cast("float16"), lacks=PARTS, flat=NARROW),
        "hstack": rnp.hstack,
        "int": _real("int32"),
        "item": Mapped(lambda x: x.item(), alone=NO_ARRAY, eager=NO_ARRAY, flat=NO_ARRAY),
        "linalg.diagonal": lambda x, offset=0, dim1=-2, dim2=-1: _diagonal(x, offset, dim1, dim2),
        "long": _real("int64"),
        "mH": Mapped(lambda x: rnp.conj(x).mT, lacks=TRUTH),
        "mT": lambda x: x.mT,
        "movedim": rnp.moveaxis,
        "narrow": Mapped(_narrow, errors=CUT),
        "narrow_copy": Mapped(_narrow, errors={part: CUT[part] for part in ("expected to be in range of", "exceeds")}),
        "nn.functional.pad.circular": lambda x, pad, mode: _pad(x, pad, mode=mode),
        "nn.functional.pad.constant": lambda x, pad, mode="constant", value=0: _pad(x, pad, value),
        "nn.functional.pad.reflect": lambda x, pad, mode: _pad(x, pad, mode=mode),
        "nn.functional.pad.replicate": lambda x, pad, mode: _pad(x, pad, mode=mode),
        "nn.functional.pad.replicate_negative": lambda x, pad, mode: _pad(x, pad, mode=mode),
        "permute": lambda x, dims: rnp.permute_dims(x, dims),
        "permute_copy": lambda x, dims: rnp.permute_dims(x, dims),
        "ravel": rnp.ravel,
        "repeat": lambda x, *sizes: _tile(x, _sizes(sizes)),
        "reshape": lambda x, *shape: rnp.reshape(x, _sizes(shape)),
        "reshape_as": lambda x, other: rnp.reshape(x, other.shape),
        "roll": Mapped(_roll, errors={"must align": LIKE_NUMPY}),
        "select": _select,
        "select_scatter": _select_scatter,
        "short": _real("int16"),
        "slice": _slice,
        "slice_scatter": _slice_scatter,
        "split": _split,
        "split.list_args": _split,
        "split_with_sizes": _split,
        "split_with_sizes_copy": _split,
        "squeeze": _squeeze,
        "squeeze.multiple": _squeeze,
        "squeeze_copy": _squeeze,
        "stack": lambda xs, dim=0: rnp.stack(xs, axis=dim),
        "sum_to_size": Mapped(_sum_to_size, apart={WIDER: holds("bool")}),
        "t": Mapped(rnp.transpose, errors={"<= 2": LIKE_NUMPY}),
        "t_copy": Mapped(rnp.transpose, errors={"<= 2": LIKE_NUMPY}),
        "tile": _tile,
        "to": Mapped(_to, apart={REAL: holds("complex64", "complex128")}),
        "transpose": rnp.swapaxes,
        "transpose_copy": rnp.swapaxes,
        "tril": lambda x, diagonal=0: rnp.tril(x, k=diagonal),
        "triu": lambda x, diagonal=0: rnp.triu(x, k=diagonal),
        "unbind": lambda x, dim=0: rnp.unstack(x, axis=dim),
        "unbind_copy": lambda x, dim=0: rnp.unstack(x, axis=dim),
        "unflatten": _unflatten,
        "unsafe_chunk": _chunk,
        "unsafe_split": _split,
        "unsqueeze": lambda x, dim: rnp.expand_dims(x, dim),
        "unsqueeze_copy": lambda x, dim: rnp.expand_dims(x, dim),
        "view": lambda x, *shape: rnp.reshape(x, _sizes(shape)),
        "view_as": lambda x, other: rnp.reshape(x, other.shape),
        "view_as_complex": lambda x: x[..., 0] + 1j * x[..., 1],
        "view_as_real": lambda x: rnp.stack([x.real, x.imag], axis=-1),
        "view_copy": lambda x, *shape: rnp.reshape(x, _sizes(shape)),
        "vstack": rnp.vstack,
    }
)


def _each(function: Any, xs: Any) -> Any:
    if len(xs) == 1 and isinstance(xs[0], list | tuple):
        return [function(x) for x in xs[0]]
    return [function(x) for x in xs] if len(xs) > 1 else function(xs[0])


TABLE: Table = {**MADE, **SHAPES}
