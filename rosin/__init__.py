"""Rosin: array code in Python, traced, differentiated, batched, and compiled to machine code."""

from rosin.frontend import nn, numpy, random, tree
from rosin.frontend.array import Array
from rosin.frontend.batching import (
    all_gather,
    axis_index,
    axis_size,
    pmax,
    pmean,
    pmin,
    psum,
    psum_scatter,
    vmap,
)
from rosin.frontend.compile import Compiled, compile
from rosin.frontend.custom import checkpoint, custom_jvp, custom_vjp, stop_gradient
from rosin.frontend.transforms import grad, hessian, jacfwd, jacrev, jvp, value_and_grad, vjp

__version__ = "0.1.0"

__all__ = [
    "Array",
    "Compiled",
    "all_gather",
    "axis_index",
    "axis_size",
    "checkpoint",
    "compile",
    "custom_jvp",
    "custom_vjp",
    "grad",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "nn",
    "numpy",
    "pmax",
    "pmean",
    "pmin",
    "psum",
    "psum_scatter",
    "random",
    "stop_gradient",
    "tree",
    "value_and_grad",
    "vjp",
    "vmap",
]
