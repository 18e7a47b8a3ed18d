"""A graph cut in two computes what the whole does, and keeps no more than it must."""

from __future__ import annotations

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.transform.split import needed, split
from rosin.ir.types import TensorType
from rosin.ir.verify import verify

VECTOR = TensorType(dtypes.f64, (3,))


def joint() -> Graph:
    """x and c to sin(x) * 2 and, late, c * cos(x) * x * 3."""
    b = Builder()
    x, c = b.input(VECTOR, "x"), b.input(VECTOR, "c")
    unused = b.exp(x)
    out = b.mul(b.sin(x), 2.0)
    late = b.mul(b.mul(b.mul(c, b.cos(x)), x), 3.0)
    b.mul(unused, c)
    return b.graph([out, late], "f")


def test_the_parts_compute_what_the_whole_does() -> None:
    graph = joint()
    forward, backward = split(graph, [False, True], 1)
    verify(forward)
    verify(backward)
    x, c = np.array([0.1, 1.0, 2.0]), np.array([3.0, 4.0, 5.0])
    out, *kept = evaluate(forward, [x])
    (late,) = evaluate(backward, [*kept, c])
    expected = evaluate(graph, [x, c])
    np.testing.assert_array_equal(out, expected[0])
    np.testing.assert_array_equal(late, expected[1])
    assert [v.name for v in backward.inputs][-1] == "c"


def test_only_what_is_needed_is_kept_and_computed() -> None:
    forward, backward = split(joint(), [False, True], 1)
    names = [node.op.name for node in forward.nodes]
    assert "exp" not in names
    assert len(forward.outputs) == 3, "the output, cos(x) and x"
    # The constant 3 is made where it is used; the constant 2 is not.
    assert [node.op.name for node in backward.nodes] == ["constant", "mul", "mul", "mul"]


def test_late_outputs_may_be_known_early_or_be_inputs() -> None:
    b = Builder()
    x, c = b.input(VECTOR), b.input(VECTOR)
    y = b.sin(x)
    forward, backward = split(b.graph([y, y, c, x, b.full(1.0, VECTOR)]), [False, True], 1)
    values = np.arange(3.0)
    out, *kept = evaluate(forward, [values])
    late = evaluate(backward, [*kept, values + 5])
    for found, expected in zip(late, [np.sin(values), values + 5, values, np.ones(3)], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(kept) == 2
    np.testing.assert_array_equal(out, np.sin(values))


def test_an_early_output_that_depends_on_a_late_input_is_refused() -> None:
    b = Builder()
    x, c = b.input(VECTOR, "x"), b.input(VECTOR, "c")
    with pytest.raises(ValueError, match="not known yet"):
        split(b.graph([b.mul(x, c)]), [False, True], 1)


def test_needed_drops_what_nothing_uses() -> None:
    b = Builder()
    x = b.input(VECTOR)
    b.exp(b.sin(x))
    y = b.cos(x)
    assert [node.op.name for node in needed(b.nodes, [y])] == ["cos"]
