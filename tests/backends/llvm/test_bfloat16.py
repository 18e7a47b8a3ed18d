"""Ops on bfloat16 over all of its numbers: results are those of f32, rounded once, whatever bits a NaN has."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

from rosin.backends.llvm.lowering import OWN_WIDTH
from rosin.ir.builder import Builder
from rosin.ir.dtypes import bf16, f32
from rosin.ir.graph import Graph
from rosin.ir.op import Elementwise
from rosin.ir.ops.cast import Cast
from rosin.ir.types import TensorType
from rosin.runtime.compile_path import compile_graph
from tests.samples import Array, Sample, all_samples

EVERY = np.arange(1 << 16, dtype=np.uint16)
NANS = [0x7F81, 0x7FBF, 0x7FC0, 0x7FC1, 0x7FFE, 0x7FFF]
SOME = np.array([bits | sign for bits in (*NANS, 0, 1, 0x7F, 0x80, 0x3F80, 0x3F81, 0x42C8, 0x7F7F, 0x7F80)
                 for sign in (0, 0x8000)], np.uint16)  # fmt: skip
"""NaNs that are signalling and quiet ones, to the ends of both; zero, subnormal numbers, 1, 100 and the greatest."""


def _samples() -> list[Sample]:
    """One of each elementwise op that takes bf16 and gives bf16, and computes with it."""
    found = {
        type(s.op): s
        for s in all_samples()
        if isinstance(s.op, Elementwise)
        and type(s.op) not in OWN_WIDTH
        and all(t.dtype == bf16 for t in s.types)
        and s.op.type(*s.types)[0].dtype == bf16
    }
    return list(found.values())


def _both_ways(op: Elementwise, count: int, size: int) -> Graph:
    """The op on bf16, and on f32 with its result made bf16."""
    b = Builder()
    narrow = [b.input(TensorType(bf16, (size,)), f"x{i}") for i in range(count)]
    wide = [b.node(Cast(f32), x)[0] for x in narrow]
    return b.graph([b.node(op, *narrow)[0], b.node(Cast(bf16), b.node(op, *wide)[0])[0]])


@pytest.mark.parametrize("sample", _samples(), ids=lambda s: s.op.name)
def test_results_are_rounded_once(sample: Sample) -> None:
    assert isinstance(sample.op, Elementwise)
    count = len(sample.operands)
    columns = [EVERY] if count == 1 else np.array(list(itertools.product(SOME, repeat=count))).T
    operands: list[Array] = [np.ascontiguousarray(column).view(ml_dtypes.bfloat16) for column in columns]
    executable = compile_graph(_both_ways(sample.op, count, len(operands[0])), "llvm")
    found, expected = (np.asarray(x).view(np.uint16) for x in executable(*operands))
    both_nan = (found & 0x7FFF > 0x7F80) & (expected & 0x7FFF > 0x7F80)
    wrong = np.flatnonzero((found != expected) & ~both_nan)
    assert not wrong.size, [hex(x) for x in (*(column[wrong[0]] for column in columns), found[wrong[0]])]


def test_every_float_is_rounded_to_nearest_even() -> None:
    """Those whose low half decides, and NaNs of which it is all that is left."""
    low = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    bits = (np.arange(1 << 16, dtype=np.uint32)[:, None] << 16 | low).ravel()
    b = Builder()
    graph = b.graph(b.node(Cast(bf16), b.input(TensorType(f32, bits.shape), "x")))
    (found,) = compile_graph(graph, "llvm")(bits.view(np.float32))
    with np.errstate(all="ignore"):
        expected = bits.view(np.float32).astype(ml_dtypes.bfloat16)
    is_nan = np.isnan(bits.view(np.float32))
    np.testing.assert_array_equal(np.isnan(found.astype(np.float32)), is_nan)
    np.testing.assert_array_equal(found.view(np.uint16)[~is_nan], expected.view(np.uint16)[~is_nan])
