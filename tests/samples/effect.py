"""Samples of what Python does: prints, checks that hold, and functions."""

from __future__ import annotations

import numpy as np

from rosin.ir import dtypes
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.host import HostFunction
from rosin.ir.op import Op
from rosin.ir.ops.effect import Check, IoCallback, Print, PureCallback
from rosin.ir.types import parse_type
from tests.samples import Array, Bad, Reference, Sample, Symbolic, draw

YES = np.asarray(True)
SOME = np.asarray([True, False, True])
NEVER = np.zeros(3, bool)


def _both(x: Array, n: Array) -> tuple[Array, Array]:
    """What the samples' callbacks compute."""
    return np.sort(x)[::-1] * n, np.asarray(x.sum() > 0)


SORTED = HostFunction(_both, "sorted")
RESULTS = (parse_type("f64[4]"), parse_type("bool[]"))


def _reference(op: Op, when: Array, x: Array, n: Array) -> tuple[Array, ...]:
    """In the examples where `when` holds the results of `_both`, zeros in the others."""
    rows, flags = np.zeros(x.shape), np.zeros(when.shape, bool)
    for place in np.argwhere(when):
        rows[tuple(place)], flags[tuple(place)] = _both(x[tuple(place)], n[tuple(place)])
    return rows, flags


def _callbacks(op: Op) -> list[Sample]:
    return [
        Sample(op, (YES, draw(dtypes.f64, (4,)), np.asarray(3))),
        Sample(op, (SOME, draw(dtypes.f64, (3, 4)), np.asarray([1, 2, 3])), "batch"),
        Sample(op, (NEVER, draw(dtypes.f64, (3, 4)), np.asarray([1, 2, 3])), "never"),
        Sample(op, (np.ones((0,), bool), np.ones((0, 4)), np.ones(0, np.int64)), "empty"),
    ]


def _rows(x: Array, n: Array) -> tuple[Array, Array]:
    """`_both` of each row."""
    rows, flags = zip(*(_both(*pair) for pair in zip(x, n, strict=True)), strict=True)
    return np.asarray(rows), np.asarray(flags)


WHOLE = HostFunction(lambda x, n: _both(x, n) if x.ndim == 1 else _rows(x, n), "whole")
PURE, IO = PureCallback(SORTED, RESULTS, None), IoCallback(SORTED, RESULTS, ("file.py", 3, "main", 4, 9))
LINE = Print("x = {:.3f}, y = {}")
HELD = Check("x is {}", "check", ("file.py", 3, "main", 4, 9))

SAMPLES: list[Sample] = [
    Sample(LINE, (YES, draw(dtypes.f32), draw(dtypes.i32, (2,)))),
    Sample(LINE, (SOME, draw(dtypes.f64, (3,)), draw(dtypes.bf16, (3, 2))), "batch"),
    Sample(Print("nothing"), (NEVER,)),
    Sample(HELD, (~YES, draw(dtypes.f32, (2,)))),
    Sample(HELD, (NEVER, draw(dtypes.f32, (3, 2))), "batch"),
    Sample(Check("", "nan", None), (~YES,)),
    *_callbacks(PURE),
    *_callbacks(IO),
    *_callbacks(PureCallback(WHOLE, RESULTS, None, True)),
]

BAD: list[Bad] = [
    Bad(LINE, (), DTypeError, "operand 0 says by truth values when it is done; it is missing"),
    Bad(LINE, ("i32[]", "f32[]"), DTypeError, r"it is i32\[\]"),
    Bad(LINE, ("bool[3]", "f32[2]"), ShapeError, r"the axes bool\[3\] of the batch do not lead in f32\[2\]"),
    Bad(HELD, ("bool[3]", "f32[]"), ShapeError, "operand 1"),
    Bad(Check("", "size", None), ("bool[]",), AttributeValueError, "one of check, index, nan, not size"),
    Bad(PURE, ("f32[]",), DTypeError, "truth values"),
    Bad(IO, ("bool[2]", "f32[]"), ShapeError, "do not lead"),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(PURE, ("bool[n]", "f64[n, 4]", "i64[n]"), ("f64[n, 4]", "bool[n]")),
    Symbolic(LINE, ("bool[n]", "f64[n, m]"), ()),
]

REFERENCES: dict[type[Op], Reference] = {
    PureCallback: _reference,
    IoCallback: _reference,
    # These give nothing; what they write and raise is tested in tests/frontend/test_effects.py.
    Print: None,
    Check: None,
}
