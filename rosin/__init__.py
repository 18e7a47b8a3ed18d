"""Rosin: array code in Python, traced, differentiated, batched, and compiled to machine code."""

import gc as _gc
import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING

# What importing makes is there to stay, so that looking for garbage among it would only take time.
_collects = _gc.isenabled()
_gc.disable()
try:
    from rosin.frontend import debug, numpy, random, scipy, tree
    from rosin.frontend import later as _later
    from rosin.frontend.array import Array
    from rosin.frontend.associative import associative_scan
    from rosin.frontend.batching import (
        all_gather,
        axis_index,
        axis_size,
        pmax,
        pmean,
        pmin,
        ppermute,
        psum,
        psum_scatter,
        vmap,
    )
    from rosin.frontend.compile import Compiled, compile
    from rosin.frontend.control import cond, fori_loop, map, scan, switch, while_loop
    from rosin.frontend.custom import checkpoint, custom_jvp, custom_vjp, optimization_barrier, stop_gradient
    from rosin.frontend.effects import ShapeDtypeStruct, check, io_callback, pure_callback
    from rosin.frontend.einops import announce as _announce
    from rosin.frontend.errors import RecompileWarning
    from rosin.frontend.numpy.selecting import size
    from rosin.frontend.numpy.sliding import dynamic_slice, dynamic_update_slice
    from rosin.frontend.rewrite import no_rewrite, rewritten
    from rosin.frontend.signatures import Signature
    from rosin.frontend.sizes import Condition, Size, Spec, dim, spec
    from rosin.frontend.transforms import grad, hessian, jacfwd, jacrev, jvp, value_and_grad, vjp
    from rosin.frontend.wrapping import wrap
    from rosin.ir.dtypes import bf16 as bfloat16
    from rosin.ir.dtypes import bool_
    from rosin.ir.dtypes import c64 as complex64
    from rosin.ir.dtypes import c128 as complex128
    from rosin.ir.dtypes import f16 as float16
    from rosin.ir.dtypes import f32 as float32
    from rosin.ir.dtypes import f64 as float64
    from rosin.ir.dtypes import i8 as int8
    from rosin.ir.dtypes import i16 as int16
    from rosin.ir.dtypes import i32 as int32
    from rosin.ir.dtypes import i64 as int64
    from rosin.ir.dtypes import u8 as uint8
    from rosin.ir.dtypes import u16 as uint16
    from rosin.ir.dtypes import u32 as uint32
    from rosin.ir.dtypes import u64 as uint64
    from rosin.ir.errors import CheckError, RosinError
finally:
    if _collects:
        _gc.enable()

# So that `import rosin.numpy` finds what `from rosin import numpy` does, and `import rosin.scipy.special` its module.
for _module in (debug, numpy, random, scipy, tree):
    _sys.modules[f"rosin.{_module.__name__.rpartition('.')[2]}"] = _module
_sys.meta_path.insert(0, _later.PublicNames())
_announce()

if _TYPE_CHECKING:
    from typing import Any as _Any

    from rosin.frontend import extend, nn, precision
    from rosin.frontend.abstract import cost, eval_shape
    from rosin.frontend.exporting import Exported, export, load
    from rosin.frontend.precision import Policy, mixed_precision
    from rosin.frontend.sharding import PartitionSpec, with_sharding_constraint


def __getattr__(name: str) -> "_Any":
    """What loads on first use."""
    match name:
        case "extend":
            import rosin.frontend.extend as found
        case "nn":
            import rosin.frontend.nn as found
        case "precision":
            import rosin.frontend.precision as found
        case "Policy" | "mixed_precision":
            from rosin.frontend import precision

            found = getattr(precision, name)
        case "Exported" | "export" | "load":
            from rosin.frontend import exporting

            found = getattr(exporting, name)
        case "PartitionSpec" | "with_sharding_constraint":
            from rosin.frontend import sharding

            found = getattr(sharding, name)
        case "cost" | "eval_shape":
            from rosin.frontend import abstract

            found = getattr(abstract, name)
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


__version__ = "0.1.0"

__all__ = [
    "Array",
    "CheckError",
    "Compiled",
    "Condition",
    "Exported",
    "PartitionSpec",
    "Policy",
    "RecompileWarning",
    "RosinError",
    "ShapeDtypeStruct",
    "Signature",
    "Size",
    "Spec",
    "all_gather",
    "associative_scan",
    "axis_index",
    "axis_size",
    "bfloat16",
    "bool_",
    "check",
    "checkpoint",
    "compile",
    "complex64",
    "complex128",
    "cond",
    "cost",
    "custom_jvp",
    "custom_vjp",
    "debug",
    "dim",
    "dynamic_slice",
    "dynamic_update_slice",
    "eval_shape",
    "export",
    "extend",
    "float16",
    "float32",
    "float64",
    "fori_loop",
    "grad",
    "hessian",
    "int8",
    "int16",
    "int32",
    "int64",
    "io_callback",
    "jacfwd",
    "jacrev",
    "jvp",
    "load",
    "map",
    "mixed_precision",
    "nn",
    "no_rewrite",
    "numpy",
    "optimization_barrier",
    "pmax",
    "pmean",
    "pmin",
    "ppermute",
    "precision",
    "psum",
    "psum_scatter",
    "pure_callback",
    "random",
    "rewritten",
    "scan",
    "scipy",
    "size",
    "spec",
    "stop_gradient",
    "switch",
    "tree",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
    "with_sharding_constraint",
    "wrap",
]
