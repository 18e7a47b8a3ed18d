"""Derivatives where functions have kinks, ties, zeros and infinities: what is chosen there, and that it is finite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Op
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import cumulative as cum
from rosin.ir.ops import exponential as ex
from rosin.ir.ops import reduce as red
from rosin.ir.ops import special as sp
from rosin.ir.ops import trigonometric as tr
from rosin.ir.types import TensorType
from tests.differentiation import push, vjp_graph
from tests.samples import applied, type_of

INF = np.inf


def _gradients(op: Op, *operands: Sequence[Any]) -> list[list[float]]:
    """The gradient of the sum of the results by each operand."""
    arrays = [np.array(x, np.float64) for x in operands]
    graph = applied(op, [type_of(x) for x in arrays])
    ones = np.ones(graph.outputs[0].type.sizes)
    return [g.tolist() for g in evaluate(vjp_graph(graph, [True] * len(arrays)), [*arrays, ones])]


CASES: list[tuple[str, Op, tuple[list[Any], ...], list[list[float]]]] = [
    ("abs at 0", ar.Abs(), ([0.0, -0.0],), [[0, 0]]),
    ("a tie is shared", ar.Maximum(), ([1.0, 2.0, 0.0], [1.0, 0.0, 2.0]), [[0.5, 1, 0], [0.5, 0, 1]]),
    ("a tie is shared", ar.Minimum(), ([1.0, 2.0, 0.0], [1.0, 0.0, 2.0]), [[0.5, 0, 1], [0.5, 1, 0]]),
    (
        "at its bounds a clamp follows its operand",
        ar.Clamp(),
        ([0.0] * 4, [0.0, 1.0, -1.0, 2.0], [1.0] * 4),
        [[0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]],
    ),
    ("powers of 0", ex.Pow(), ([0.0] * 4, [0.0, 1.0, 2.0, 3.0]), [[0, 1, 0, 0], [0, 0, 0, 0]]),
    ("the origin", tr.Hypot(), ([0.0], [0.0]), [[0], [0]]),
    ("saturation", sp.Sigmoid(), ([-1000.0, 1000.0, -INF, INF],), [[0, 0, 0, 0]]),
    ("saturation", tr.Tanh(), ([-1000.0, 1000.0, -INF, INF],), [[0, 0, 0, 0]]),
    ("saturation", sp.Erf(), ([-1000.0, 1000.0, -INF, INF],), [[0, 0, 0, 0]]),
    ("large arguments", tr.Atan(), ([1e200, -INF],), [[0, 0]]),
    ("large arguments", tr.Asinh(), ([1e300, -1e300, INF],), [[1e-300, 1e-300, 0]]),
    ("ties share", red.Max((1,)), ([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]],), [[[0, 0.5, 0.5], [1 / 3] * 3]]),
    ("ties share", red.Min((0,)), ([1.0, 3.0, 1.0],), [[0.5, 0, 0.5]]),
    ("infinite ties share", red.Max((0,)), ([-INF, -INF],), [[0.5, 0.5]]),
    ("one zero", red.Prod((0,)), ([2.0, 0.0, 3.0],), [[0, 6, 0]]),
    ("two zeros", red.Prod((0,)), ([0.0, 5.0, 0.0],), [[0, 0, 0]]),
    ("one zero", cum.CumProd(0, False), ([2.0, 0.0, 3.0],), [[1, 2 + 6, 0]]),
    ("the first of a tie", cum.CumMax(0, False), ([1.0, 1.0, 3.0, 2.0, 3.0],), [[2, 0, 3, 0, 0]]),
    ("the first of a tie", cum.CumMin(0, True), ([1.0, 1.0, 3.0],), [[0, 2, 1]]),
    ("nothing so far", cum.CumLogSumExp(0, False), ([-INF, -INF, 0.0],), [[0, 0, 1]]),
    ("infinite sums", cum.CumLogSumExp(0, False), ([0.0, INF, 0.0],), [[1, 0, 0]]),
    ("large arguments", cum.CumLogSumExp(0, False), ([1000.0, 1000.0],), [[1.5, 0.5]]),
]


@pytest.mark.parametrize(
    ("op", "operands", "expected"), [c[1:] for c in CASES], ids=[f"{c[1].name}-{c[0]}" for c in CASES]
)
def test_gradient(op: Op, operands: tuple[list[Any], ...], expected: list[list[float]]) -> None:
    for actual, wanted in zip(_gradients(op, *operands), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-13)


SECOND: list[tuple[str, Op, list[float], list[float]]] = [
    ("several zeros", red.Prod((0,)), [0.0, 2.0, 0.0], [2, 0, 2]),
    ("one zero", red.Prod((0,)), [0.0, 2.0, 3.0], [5, 3, 2]),
    ("no zero", red.Prod((0,)), [5.0, 2.0, 3.0], [5, 8, 7]),
    ("several zeros", cum.CumProd(0, False), [0.0, 0.0, 3.0], [4, 4, 0]),
    ("nothing so far", cum.CumLogSumExp(0, False), [-INF, -INF, 0.0], [0, 0, 0]),
    ("infinite sums", cum.CumLogSumExp(0, False), [0.0, INF, 0.0], [0, 0, 0]),
]


@pytest.mark.parametrize(
    ("op", "point", "expected"), [c[1:] for c in SECOND], ids=[f"{c[1].name}-{c[0]}" for c in SECOND]
)
def test_second_derivative(op: Op, point: list[float], expected: list[float]) -> None:
    """The Hessian of the sum of results times a vector of ones, by both ways of going over reverse mode."""
    x = np.array(point)
    graph = applied(op, [type_of(x)])
    backward = _with_ones(vjp_graph(graph, [True]), graph)
    np.testing.assert_allclose(push(backward, [x], [np.ones(3)])[0], expected, rtol=1e-14)
    twice = vjp_graph(backward, [True])
    np.testing.assert_allclose(evaluate(twice, [x, np.ones(3)])[0], expected, rtol=1e-14)


def _with_ones(backward: Graph, graph: Graph) -> Graph:
    """The pullback with a cotangent of ones in place of its last input."""
    b = Builder()
    x = b.input(backward.inputs[0].type)
    return b.graph(b.inline(backward, [x, b.full(1.0, graph.outputs[0].type)]))


@pytest.mark.parametrize("make", [lambda b, x: b.max(x, (0,)), lambda b, x: b.min(x, (0,))], ids=["max", "min"])
def test_many_ties_share_in_half_precision(make: Callable[..., Any]) -> None:
    """f16 has no 2049 and no 70000, so the ties are counted in f32."""
    b = Builder()
    x = b.input(TensorType(dtypes.f16, (70000,)))
    graph = b.graph([make(b, x)])
    (slope,) = evaluate(vjp_graph(graph, [True]), [np.ones(70000, np.float16), np.array(1, np.float16)])
    np.testing.assert_array_equal(slope, np.float16(1 / 70000))
