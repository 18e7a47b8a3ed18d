"""Samples of sizes that depend on data: numbers that become sizes, and where masks hold."""

from __future__ import annotations

import numpy as np

from rosin.ir import dims, dtypes
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops.measure import Measure, Misfit, Nonzero
from tests.samples import Array, Bad, Reference, Sample, Symbolic, draw

K = dims.symbol("k")
FITS = Misfit((K,), (">=",), (0,), ("k >= 0",), ("k",), (K,))


def _mask(*shape: int, seed: int = 0) -> Array:
    return draw(dtypes.f32, shape, seed=seed) > 0


def _reference(op: Op, mask: Array) -> Array:
    assert isinstance(op, Nonzero)
    size = dims.static((op.size,), "the sample")[0]
    lines = [[i for i, x in enumerate(mask[place]) if x] for place in np.ndindex(mask.shape[:-1])]
    filled = [[*found, *[mask.shape[-1]] * size][:size] for found in lines]
    return np.asarray(filled, op.dtype.numpy).reshape(*mask.shape[:-1], size)


SAMPLES: list[Sample] = [
    *(Sample(Nonzero(size, dtypes.i64), (_mask(37),), f"{size}") for size in (0, 1, 5, 19, 37, 50)),
    Sample(Nonzero(4, dtypes.i32), (_mask(3, 17),), "lines"),
    Sample(Nonzero(9, dtypes.i64), (_mask(2, 3, 8),), "deep"),
    Sample(Nonzero(3, dtypes.i32), (np.zeros(6, bool),), "none"),
    Sample(Nonzero(6, dtypes.i32), (np.ones(6, bool),), "all"),
    Sample(Nonzero(2, dtypes.i32), (np.zeros(0, bool),), "empty"),
    Sample(Nonzero(2, dtypes.i32), (np.zeros((0, 3), bool),), "no-lines"),
    Sample(Measure("k", 7), (np.asarray(5),), batches=False),
    Sample(FITS, (np.asarray(False),)),
    Sample(FITS, (np.zeros(2, bool),), "batch"),
]

BAD: list[Bad] = [
    Bad(Nonzero(3, dtypes.i64), ("f32[4]",), DTypeError, "a mask is of truth values, not f32"),
    Bad(Nonzero(3, dtypes.i64), ("bool[]",), ShapeError, "a mask has an axis"),
    Bad(Nonzero(-1, dtypes.i64), ("bool[4]",), ShapeError, "the result has size -1"),
    Bad(Nonzero(3, dtypes.u8), ("bool[4]",), DTypeError, "places are of type i32 or i64, not u8"),
    Bad(Measure("k", 7), ("i32[]",), DTypeError, "one number of type i64"),
    Bad(Measure("k", 7), ("i64[2]",), DTypeError, "one number of type i64"),
    Bad(FITS, ("i32[]",), DTypeError, "truth values"),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(Nonzero(K, dtypes.i64), ("bool[n, m]",), ("i64[n, k]",)),
]

REFERENCES: dict[type[Op], Reference] = {
    Nonzero: _reference,
    # These give nothing; what they are for is tested in tests/ir/test_measure.py and tests/frontend/test_selecting.py.
    Measure: None,
    Misfit: None,
}
