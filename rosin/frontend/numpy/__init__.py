"""The array functions: the array API standard, version 2024.12, and more under the names that NumPy has for them.

What to know when coming from NumPy:

- Arrays never change. `x.at[index].set(y)` gives another array; so do `add`, `multiply`, `min` and `max`.
- Python's floats make f32 and its integers i32, and they give way to the arrays that they meet (`promote.py`). NumPy's
  scalars do not: `x * np.float64(2)` is f64.
- Arguments such as `axis`, `dtype` and `keepdims` are named, as in the standard.
- A position in an array of integers that is outside its axis is moved to the nearest end when elements are read, and
  left out when they are written; known positions are checked (`indexing.py`).
- Where a shape depends on numbers that are traced (`x[mask]`, `nonzero`), its sizes are symbolic (`selecting.py`).
"""

from __future__ import annotations

import math
from types import ModuleType

from rosin.frontend.numpy.complex import angle, conj, imag, iscomplex, iscomplexobj, isreal, isrealobj, real
from rosin.frontend.numpy.creation import (
    arange,
    array,
    asarray,
    diag,
    diagonal,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    identity,
    linspace,
    meshgrid,
    ones,
    ones_like,
    tril,
    triu,
    zeros,
    zeros_like,
)
from rosin.frontend.numpy.datatypes import can_cast, finfo, iinfo, isdtype, result_type
from rosin.frontend.numpy.einsum import einsum
from rosin.frontend.numpy.elementwise import (
    abs,
    add,
    ceil,
    clip,
    copysign,
    divide,
    floor,
    floor_divide,
    maximum,
    minimum,
    multiply,
    nan_to_num,
    negative,
    nextafter,
    positive,
    pow,
    reciprocal,
    remainder,
    round,
    sign,
    square,
    subtract,
    trunc,
)
from rosin.frontend.numpy.indexing import getitem, take, take_along_axis
from rosin.frontend.numpy.info import __array_namespace_info__
from rosin.frontend.numpy.linear import cross, dot, inner, matmul, outer, tensordot, trace, vecdot, vector_norm
from rosin.frontend.numpy.logic import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    isclose,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    signbit,
    where,
)
from rosin.frontend.numpy.manipulation import (
    astype,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    broadcast_to,
    concat,
    expand_dims,
    flip,
    hstack,
    matrix_transpose,
    moveaxis,
    pad,
    permute_dims,
    ravel,
    reshape,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    transpose,
    unstack,
    vstack,
)
from rosin.frontend.numpy.promote import broadcast_shapes
from rosin.frontend.numpy.quantiles import median, nanmedian, nanpercentile, nanquantile, percentile, quantile
from rosin.frontend.numpy.reductions import (
    all,
    allclose,
    any,
    argmax,
    argmin,
    array_equal,
    count_nonzero,
    cummax,
    cummin,
    cumprod,
    cumsum,
    cumulative_prod,
    cumulative_sum,
    diff,
    logcumsumexp,
    logsumexp,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from rosin.frontend.numpy.searching import digitize, searchsorted
from rosin.frontend.numpy.selecting import argwhere, compress, extract, flatnonzero, nonzero, repeat
from rosin.frontend.numpy.sets import (
    intersect1d,
    isin,
    setdiff1d,
    setxor1d,
    union1d,
    unique,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from rosin.frontend.numpy.sorting import argpartition, argsort, lexsort, partition, sort, top_k
from rosin.frontend.numpy.transcendental import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    cos,
    cosh,
    digamma,
    erf,
    erfc,
    erfinv,
    exp,
    exp2,
    expm1,
    hypot,
    lgamma,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    rsqrt,
    sigmoid,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
)
from rosin.ir import dtypes as _dtypes

__array_api_version__ = "2024.12"

# -- NumPy's names -----------------------------------------------------------------------------------------------------

absolute = abs
conjugate = conj
arccos = acos
arccosh = acosh
arcsin = asin
arcsinh = asinh
arctan = atan
arctan2 = atan2
arctanh = atanh
bitwise_not = invert = bitwise_invert
concatenate = concat
left_shift = bitwise_left_shift
right_shift = bitwise_right_shift
mod = remainder
power = pow
true_divide = divide

# -- constants ---------------------------------------------------------------------------------------------------------

e = math.e
pi = math.pi
inf = math.inf
nan = math.nan
newaxis = None

# -- element types -----------------------------------------------------------------------------------------------------

bool = bool_ = _dtypes.bool_
int8 = _dtypes.i8
int16 = _dtypes.i16
int32 = _dtypes.i32
int64 = _dtypes.i64
uint8 = _dtypes.u8
uint16 = _dtypes.u16
uint32 = _dtypes.u32
uint64 = _dtypes.u64
float16 = _dtypes.f16
bfloat16 = _dtypes.bf16
float32 = _dtypes.f32
float64 = _dtypes.f64
complex64 = _dtypes.c64
complex128 = _dtypes.c128

__all__ = [
    "__array_api_version__",
    "__array_namespace_info__",
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "all",
    "allclose",
    "angle",
    "any",
    "arange",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argpartition",
    "argsort",
    "argwhere",
    "array",
    "array_equal",
    "asarray",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "bfloat16",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "bool",
    "bool_",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "can_cast",
    "cbrt",
    "ceil",
    "clip",
    "complex64",
    "complex128",
    "compress",
    "concat",
    "concatenate",
    "conj",
    "conjugate",
    "copysign",
    "cos",
    "cosh",
    "count_nonzero",
    "cross",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "diag",
    "diagonal",
    "diff",
    "digamma",
    "digitize",
    "divide",
    "dot",
    "e",
    "einsum",
    "empty",
    "empty_like",
    "equal",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "extract",
    "eye",
    "finfo",
    "flatnonzero",
    "flip",
    "float16",
    "float32",
    "float64",
    "floor",
    "floor_divide",
    "from_dlpack",
    "full",
    "full_like",
    "getitem",
    "greater",
    "greater_equal",
    "hstack",
    "hypot",
    "identity",
    "iinfo",
    "imag",
    "inf",
    "inner",
    "int8",
    "int16",
    "int32",
    "int64",
    "intersect1d",
    "invert",
    "isclose",
    "iscomplex",
    "iscomplexobj",
    "isdtype",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isreal",
    "isrealobj",
    "left_shift",
    "less",
    "less_equal",
    "lexsort",
    "lgamma",
    "linspace",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logcumsumexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "median",
    "meshgrid",
    "min",
    "minimum",
    "mod",
    "moveaxis",
    "multiply",
    "nan",
    "nan_to_num",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "negative",
    "newaxis",
    "nextafter",
    "nonzero",
    "not_equal",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "partition",
    "percentile",
    "permute_dims",
    "pi",
    "positive",
    "pow",
    "power",
    "prod",
    "quantile",
    "ravel",
    "real",
    "reciprocal",
    "remainder",
    "repeat",
    "reshape",
    "result_type",
    "right_shift",
    "roll",
    "round",
    "rsqrt",
    "searchsorted",
    "setdiff1d",
    "setxor1d",
    "sigmoid",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "top_k",
    "trace",
    "transpose",
    "tril",
    "triu",
    "true_divide",
    "trunc",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "union1d",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unstack",
    "var",
    "vecdot",
    "vector_norm",
    "vstack",
    "where",
    "zeros",
    "zeros_like",
]


def __getattr__(name: str) -> ModuleType:
    """A module that loads on first use."""
    match name:
        case "linalg":
            import rosin.frontend.numpy.linalg as module
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return module
