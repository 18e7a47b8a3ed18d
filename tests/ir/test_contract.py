"""Matrix products and convolutions beyond single samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Op
from rosin.ir.ops.contract import Contraction, Convolution, DotGeneral
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import TensorType
from tests.differentiation import vjp_graph
from tests.samples import Sample, applied, draw
from tests.samples.contract import CONVOLUTIONS


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution_is_scipys_correlation(rank: int) -> None:
    x, kernel = draw(dtypes.f64, (7, 6, 5)[:rank], seed=1), draw(dtypes.f64, (3, 2, 2)[:rank], seed=2)
    for mode, pad in (("valid", 0), ("full", None)):
        low = tuple(n - 1 if pad is None else 0 for n in kernel.shape)
        ones = (1,) * rank
        op = Convolution(ones, low, low, ones, ones, 1, 1, dtypes.f64)
        (result,) = op.eval(x[None, None], kernel[None, None])
        np.testing.assert_allclose(result[0, 0], signal.correlate(x, kernel, mode, "direct"), atol=1e-13)


@pytest.mark.parametrize("sample", [s for s in CONVOLUTIONS if s.smooth], ids=str)
def test_both_transposes_of_a_convolution_are_one(sample: Sample) -> None:
    for wanted in ([True, False], [False, True]):
        graph = vjp_graph(applied(sample.op, sample.types), wanted)
        assert "convolution" in names(graph)
        assert {*names(graph)} <= {"convolution", "reshape", "transpose", "reverse"}


WIDE = [
    (DotGeneral((1,), (0,), (), (), dtypes.f32), ((3, 4), (4, 2))),
    (Convolution((1,), (1,), (0,), (1,), (1,), 1, 1, dtypes.f32), ((2, 3, 5), (2, 3, 2))),
]


@pytest.mark.parametrize(("op", "shapes"), WIDE, ids=["dot_general", "convolution"])
@pytest.mark.parametrize("dtype", [dtypes.bf16, dtypes.f16], ids=str)
def test_a_wider_result_has_cotangents_of_the_operands_types(
    op: Contraction, shapes: tuple[tuple[int, ...], ...], dtype: DType
) -> None:
    operands = [draw(dtype, shape, seed=i) for i, shape in enumerate(shapes)]
    types = [TensorType(dtype, shape) for shape in shapes]
    cotangent = draw(dtypes.f32, op.type(*types)[0].sizes)
    found = evaluate(vjp_graph(applied(op, types), [True, True]), [*operands, cotangent])
    wide = vjp_graph(applied(op, [t.with_dtype(dtypes.f32) for t in types]), [True, True])
    expected = evaluate(wide, [*(x.astype(np.float32) for x in operands), cotangent])
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, y.astype(dtype.numpy))


def test_a_mixed_product_is_widened_before_it_is_rounded() -> None:
    ones = np.ones(257, dtypes.bf16.numpy)
    for result in (dtypes.bf16, dtypes.f32):
        (total,) = DotGeneral((0,), (0,), (), (), result).eval(ones, np.ones_like(ones) * 2)
        assert float(total) == {"bf16": 512, "f32": 514}[result.name]


MATRIX, VECTOR = TensorType(dtypes.f32, (3, 4)), TensorType(dtypes.f32, (4,))
DEFAULT = ((1,), (0,), (), (), dtypes.f32)


@pytest.mark.parametrize(
    ("op", "types", "flags", "expected"),
    [
        (DotGeneral(*DEFAULT), (MATRIX, VECTOR), [True, True], ["dot_general"]),
        (DotGeneral(*DEFAULT), (MATRIX, VECTOR), [True, False], ["dot_general"]),
        (DotGeneral(*DEFAULT), (MATRIX, VECTOR), [False, True], ["dot_general"]),
        (DotGeneral((0,), *DEFAULT[1:]), (VECTOR, TensorType(dtypes.f32, (4, 3))), [False, True], ["dot_general"]),
        (DotGeneral(*DEFAULT), (MATRIX, TensorType(dtypes.f32, (4, 5))), [False, True], ["dot_general", "transpose"]),
    ],
)
def test_batches_of_products_move_little(
    op: Op, types: tuple[TensorType, ...], flags: list[bool], expected: list[str]
) -> None:
    assert names(batch_graph(applied(op, types), flags, 6)) == expected


def test_builder_defaults() -> None:
    b = Builder()
    x, y = b.input(TensorType(dtypes.f32, (2, 3, 4))), b.input(TensorType(dtypes.f32, (2, 4, 5)))
    image, kernel = b.input(TensorType(dtypes.f32, (1, 2, 6, 6))), b.input(TensorType(dtypes.f32, (3, 2, 3, 3)))
    assert b.matmul(x, y).type == TensorType(dtypes.f32, (2, 3, 5))
    assert b.matmul(x, y, dtypes.f64).type.dtype == dtypes.f64
    assert b.convolution(image, kernel).type == TensorType(dtypes.f32, (1, 3, 4, 4))
    assert b.convolution(image, kernel, strides=(2, 2), low=(1, 1), high=(1, 1)).type.shape == (1, 3, 3, 3)
