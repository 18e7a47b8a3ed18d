"""What the ops that hold a graph, and those that stop derivatives, do beyond what every op does."""

from __future__ import annotations

import numpy as np

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.interpret import evaluate
from rosin.ir.ops.call import StopGradient
from rosin.ir.transform.jvp import jvp_graph
from rosin.ir.types import TensorType
from tests.differentiation import pull

VECTOR = TensorType(dtypes.f64, (3,))


def test_no_derivative_flows_through_stop_gradient() -> None:
    b = Builder()
    x = b.input(VECTOR, "x")
    held = b.node(StopGradient(VECTOR), x)[0]
    graph = b.graph([b.mul(b.sin(x), held)])
    point = np.array([0.3, -1.0, 2.0])
    (slope,) = pull(graph, [point], [np.ones(3)], [True])
    np.testing.assert_allclose(slope, np.cos(point) * point, rtol=1e-15)
    forward, moves = jvp_graph(graph, [True])
    assert moves == (True,)
    np.testing.assert_allclose(evaluate(forward, [point, np.ones(3)])[1], np.cos(point) * point, rtol=1e-15)
    assert jvp_graph(b.graph([held]), [True])[1] == (False,)
