"""The array functions: the array API standard, version 2025.12, and more under the names that NumPy has for them.

What to know when coming from NumPy:

- Arrays never change. `x.at[index].set(y)` gives another array; so do `add`, `multiply`, `min` and `max`.
- Python's floats make f32 and its integers i32, and they give way to the arrays that they meet (`promote.py`). NumPy's
  scalars do not: `x * np.float64(2)` is f64.
- Arguments stand in NumPy's order as far as `axis` and `dtype`; others, such as `keepdims`, are named.
- A position in an array of integers that is outside its axis is moved to the nearest end when elements are read, and
  left out when they are written; known positions are checked (`indexing.py`).
- Where a shape depends on numbers that are traced (`x[mask]`, `nonzero`), its sizes are symbolic (`selecting.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rosin.frontend import trace as _trace
from rosin.frontend.numpy.complex import angle, conj, imag, iscomplex, iscomplexobj, isreal, isrealobj, real
from rosin.frontend.numpy.creation import (
    arange,
    array,
    asarray,
    diag,
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
    ceil,
    clip,
    copysign,
    floor,
    nan_to_num,
    negative,
    nextafter,
    positive,
    reciprocal,
    round,
    sign,
    square,
    trunc,
)
from rosin.frontend.numpy.indexing import getitem, take, take_along_axis
from rosin.frontend.numpy.info import __array_namespace_info__
from rosin.frontend.numpy.linear import (
    cross,
    diagonal,
    dot,
    inner,
    matmul,
    outer,
    tensordot,
    trace,
    vecdot,
    vector_norm,
)
from rosin.frontend.numpy.logic import (
    bitwise_invert,
    bitwise_left_shift,
    bitwise_right_shift,
    isclose,
    isfinite,
    isinf,
    isnan,
    logical_not,
    signbit,
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
from rosin.frontend.numpy.running import cummax, cummin
from rosin.frontend.numpy.searching import digitize, searchsorted
from rosin.frontend.numpy.selecting import argwhere, compress, extract, flatnonzero, nonzero, repeat, where
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
from rosin.frontend.numpy.sorting import argpartition, argsort, lexsort, partition, sort, sort_complex, top_k
from rosin.frontend.numpy.transcendental import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
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
    lgamma,
    log,
    log1p,
    log2,
    log10,
    rsqrt,
    sigmoid,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
)
from rosin.frontend.numpy.ufuncs import (
    add,
    atan2,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    divide,
    equal,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    less,
    less_equal,
    logaddexp,
    logical_and,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    not_equal,
    pow,
    remainder,
    subtract,
)
from rosin.ir import dtypes as _dtypes

if TYPE_CHECKING:
    from rosin.frontend.array import Array as ndarray  # noqa: N813  # NumPy's name
    from rosin.frontend.numpy import fft, linalg
    from rosin.frontend.numpy.applying import (
        apply_along_axis,
        apply_over_axes,
        vectorize,
    )
    from rosin.frontend.numpy.asking import (
        array_equiv,
        array_repr,
        array_str,
        complexfloating,
        floating,
        generic,
        inexact,
        integer,
        isscalar,
        issubdtype,
        iterable,
        ndim,
        number,
        promote_types,
        shape,
        signedinteger,
        size,
        unsignedinteger,
    )
    from rosin.frontend.numpy.bits import (
        bitwise_count,
        packbits,
        unpackbits,
    )
    from rosin.frontend.numpy.calculus import (
        ediff1d,
        gradient,
        interp,
        trapezoid,
        unwrap,
    )
    from rosin.frontend.numpy.choosing import (
        choose,
        piecewise,
        select,
    )
    from rosin.frontend.numpy.convolving import (
        convolve,
        correlate,
    )
    from rosin.frontend.numpy.editing import (
        delete,
        fill_diagonal,
        insert,
        place,
        put,
        put_along_axis,
        putmask,
        resize,
        trim_zeros,
    )
    from rosin.frontend.numpy.elementary import (
        around,
        deg2rad,
        degrees,
        divmod,
        fabs,
        fix,
        float_power,
        fmax,
        fmin,
        fmod,
        frexp,
        gcd,
        heaviside,
        isneginf,
        isposinf,
        lcm,
        ldexp,
        logaddexp2,
        modf,
        rad2deg,
        radians,
        rint,
        sinc,
        spacing,
    )
    from rosin.frontend.numpy.generating import (
        copy,
        diagflat,
        frombuffer,
        fromiter,
        geomspace,
        logspace,
        tri,
    )
    from rosin.frontend.numpy.grids import (
        c_,
        diag_indices,
        diag_indices_from,
        fromfunction,
        index_exp,
        indices,
        ix_,
        mask_indices,
        mgrid,
        ogrid,
        r_,
        ravel_multi_index,
        s_,
        tril_indices,
        tril_indices_from,
        triu_indices,
        triu_indices_from,
        unravel_index,
    )
    from rosin.frontend.numpy.histograms import (
        bincount,
        histogram,
        histogram2d,
        histogram_bin_edges,
        histogramdd,
    )
    from rosin.frontend.numpy.nanfunctions import (
        nanargmax,
        nanargmin,
        nancumprod,
        nancumsum,
        nanmax,
        nanmean,
        nanmin,
        nanprod,
        nanstd,
        nansum,
        nanvar,
    )
    from rosin.frontend.numpy.padding import (
        pad,
    )
    from rosin.frontend.numpy.polynomials import (
        poly,
        polyadd,
        polyder,
        polydiv,
        polyfit,
        polyint,
        polymul,
        polysub,
        polyval,
        roots,
        vander,
    )
    from rosin.frontend.numpy.products import (
        kron,
        matvec,
        vdot,
        vecmat,
    )
    from rosin.frontend.numpy.splitting import (
        append,
        array_split,
        block,
        column_stack,
        dsplit,
        dstack,
        fliplr,
        flipud,
        hsplit,
        rollaxis,
        rot90,
        vsplit,
    )
    from rosin.frontend.numpy.statistics import (
        average,
        corrcoef,
        cov,
        ptp,
    )
    from rosin.frontend.numpy.windows import bartlett, blackman, hamming, hanning, i0, kaiser

__array_api_version__ = "2025.12"

# -- NumPy's names -----------------------------------------------------------------------------------------------------

absolute = abs
amax = max
amin = min
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
euler_gamma = 0.5772156649015329
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
    "amax",
    "amin",
    "angle",
    "any",
    "append",
    "apply_along_axis",
    "apply_over_axes",
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
    "around",
    "array",
    "array_equal",
    "array_equiv",
    "array_repr",
    "array_split",
    "array_str",
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
    "average",
    "bartlett",
    "bfloat16",
    "bincount",
    "bitwise_and",
    "bitwise_count",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "blackman",
    "block",
    "bool",
    "bool_",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "c_",
    "can_cast",
    "cbrt",
    "ceil",
    "choose",
    "clip",
    "column_stack",
    "complex64",
    "complex128",
    "complexfloating",
    "compress",
    "concat",
    "concatenate",
    "conj",
    "conjugate",
    "convolve",
    "copy",
    "copysign",
    "corrcoef",
    "correlate",
    "cos",
    "cosh",
    "count_nonzero",
    "cov",
    "cross",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "deg2rad",
    "degrees",
    "delete",
    "diag",
    "diag_indices",
    "diag_indices_from",
    "diagflat",
    "diagonal",
    "diff",
    "digamma",
    "digitize",
    "divide",
    "divmod",
    "dot",
    "dsplit",
    "dstack",
    "e",
    "ediff1d",
    "einsum",
    "empty",
    "empty_like",
    "equal",
    "erf",
    "erfc",
    "erfinv",
    "euler_gamma",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "extract",
    "eye",
    "fabs",
    "fft",
    "fill_diagonal",
    "finfo",
    "fix",
    "flatnonzero",
    "flip",
    "fliplr",
    "flipud",
    "float16",
    "float32",
    "float64",
    "float_power",
    "floating",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "from_dlpack",
    "frombuffer",
    "fromfunction",
    "fromiter",
    "full",
    "full_like",
    "gcd",
    "generic",
    "geomspace",
    "getitem",
    "gradient",
    "greater",
    "greater_equal",
    "hamming",
    "hanning",
    "heaviside",
    "histogram",
    "histogram2d",
    "histogram_bin_edges",
    "histogramdd",
    "hsplit",
    "hstack",
    "hypot",
    "i0",
    "identity",
    "iinfo",
    "imag",
    "index_exp",
    "indices",
    "inexact",
    "inf",
    "inner",
    "insert",
    "int8",
    "int16",
    "int32",
    "int64",
    "integer",
    "interp",
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
    "isneginf",
    "isposinf",
    "isreal",
    "isrealobj",
    "isscalar",
    "issubdtype",
    "iterable",
    "ix_",
    "kaiser",
    "kron",
    "lcm",
    "ldexp",
    "left_shift",
    "less",
    "less_equal",
    "lexsort",
    "lgamma",
    "linalg",
    "linspace",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logcumsumexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logspace",
    "logsumexp",
    "mask_indices",
    "matmul",
    "matrix_transpose",
    "matvec",
    "max",
    "maximum",
    "mean",
    "median",
    "meshgrid",
    "mgrid",
    "min",
    "minimum",
    "mod",
    "modf",
    "moveaxis",
    "multiply",
    "nan",
    "nan_to_num",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "ndarray",
    "ndim",
    "negative",
    "newaxis",
    "nextafter",
    "nonzero",
    "not_equal",
    "number",
    "ogrid",
    "ones",
    "ones_like",
    "outer",
    "packbits",
    "pad",
    "partition",
    "percentile",
    "permute_dims",
    "pi",
    "piecewise",
    "place",
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "positive",
    "pow",
    "power",
    "prod",
    "promote_types",
    "ptp",
    "put",
    "put_along_axis",
    "putmask",
    "quantile",
    "r_",
    "rad2deg",
    "radians",
    "ravel",
    "ravel_multi_index",
    "real",
    "reciprocal",
    "remainder",
    "repeat",
    "reshape",
    "resize",
    "result_type",
    "right_shift",
    "rint",
    "roll",
    "rollaxis",
    "roots",
    "rot90",
    "round",
    "rsqrt",
    "s_",
    "searchsorted",
    "select",
    "setdiff1d",
    "setxor1d",
    "shape",
    "sigmoid",
    "sign",
    "signbit",
    "signedinteger",
    "sin",
    "sinc",
    "sinh",
    "size",
    "sort",
    "sort_complex",
    "spacing",
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
    "trapezoid",
    "tri",
    "tril",
    "tril_indices",
    "tril_indices_from",
    "trim_zeros",
    "triu",
    "triu_indices",
    "triu_indices_from",
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
    "unpackbits",
    "unravel_index",
    "unsignedinteger",
    "unstack",
    "unwrap",
    "vander",
    "var",
    "vdot",
    "vecdot",
    "vecmat",
    "vector_norm",
    "vectorize",
    "vsplit",
    "vstack",
    "where",
    "zeros",
    "zeros_like",
]


# -- what is loaded when it is asked for -------------------------------------------------------------------------------

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A module or function that most programs do without: files are read when the first name of theirs is."""
        if name == "fft":
            import rosin.frontend.numpy.fft as module

            return module
        if name == "linalg":
            import rosin.frontend.numpy.linalg as module

            return module
        if name not in __all__:
            raise AttributeError(f"module 'rosin.numpy' has no attribute {name!r}")
        if name == "ndarray":
            return _trace.array_type()
        for file in _files():
            globals().update({each: getattr(file, each) for each in file.__all__})
            if name in file.__all__:
                break
        return globals()[name]

    def _files() -> Iterator[Any]:
        """The files in the order in which they are looked through: those asked for most first, those that take longest
        to load last."""
        from rosin.frontend.numpy import asking

        yield asking

        from rosin.frontend.numpy import statistics

        yield statistics

        from rosin.frontend.numpy import products

        yield products

        from rosin.frontend.numpy import elementary

        yield elementary

        from rosin.frontend.numpy import choosing

        yield choosing

        from rosin.frontend.numpy import generating

        yield generating

        from rosin.frontend.numpy import grids

        yield grids

        from rosin.frontend.numpy import padding

        yield padding

        from rosin.frontend.numpy import splitting

        yield splitting

        from rosin.frontend.numpy import editing

        yield editing

        from rosin.frontend.numpy import bits

        yield bits

        from rosin.frontend.numpy import calculus

        yield calculus

        from rosin.frontend.numpy import convolving

        yield convolving

        from rosin.frontend.numpy import applying

        yield applying

        from rosin.frontend.numpy import windows

        yield windows

        from rosin.frontend.numpy import histograms

        yield histograms

        from rosin.frontend.numpy import nanfunctions

        yield nanfunctions

        from rosin.frontend.numpy import polynomials

        yield polynomials


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
