"""Strength reduction: within the stated distance of the true power, and exact where the rule says so."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir.interpret import evaluate
from rosin.ir.printer import text
from rosin.passes.dce import Dce
from rosin.passes.instrument import difference
from rosin.passes.strength import Strength
from tests.passes.graphs import arguments, build, same_bits


@pytest.mark.parametrize("exponent", [0, -0.0, 1, 2, 3, 4, -1, -2, -3, 0.5, 1.5, 2.5, -0.5, -1.5])
@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "bf16"])
def test_powers_become_products(exponent: float, dtype: str) -> None:
    graph = build(f"{dtype}[4000]", lambda b, x: b.pow(x, float(exponent)))
    after = Dce().run(Strength().run(graph))
    assert "pow" not in [n.op.name for n in after.nodes]
    for seed in range(3):
        given = arguments(graph, seed)
        (x,), (y,) = evaluate(graph, given), evaluate(after, given)
        assert difference(x, y, Strength.ulps) is None


def test_the_text(golden: Callable[[str, str], None]) -> None:
    graph = build("f32[3]", lambda b, x: [b.pow(x, float(k)) for k in (0, 1, 2, 3, 4, -1, -3, 0.5, 1.5, -1.5)])
    golden("strength/powers.txt", f"{text(graph)}\n{text(Dce().run(Strength().run(graph)))}")


@pytest.mark.parametrize("exponent", [2, -1])
def test_squares_and_reciprocals_are_the_nearest_numbers(exponent: int) -> None:
    graph = build("f32[500]", lambda b, x: b.pow(x, float(exponent)))
    x = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    (found,) = evaluate(Strength().run(graph), [x])
    for number, result in zip(x, found, strict=True):
        true = Fraction(float(number)) ** exponent
        error = abs(Fraction(float(result)) - true)
        assert error <= Fraction(float(np.spacing(np.abs(result)))) / 2


@pytest.mark.parametrize("exponent", [-3, -2, -1, 2, 3, 4, 0.5, 1.5, 2.5, -0.5, -1.5])
def test_powers_of_numbers_that_are_special(exponent: float) -> None:
    graph = build("f32[9]", lambda b, x: b.pow(x, float(exponent)))
    x = np.array([-np.inf, np.inf, -0.0, 0.0, np.nan, -2.0, 1.0, 3e38, 1e-45], dtypes.f32.numpy)
    (power,), (found,) = evaluate(graph, [x]), evaluate(Strength().run(graph), [x])
    assert same_bits(power[:7], found[:7])
    assert difference(power, found, Strength.ulps) is None


@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "bf16"])
def test_powers_of_two(dtype: str) -> None:
    graph = build(f"{dtype}[4000]", lambda b, y: b.pow(2.0, y))
    after = Dce().run(Strength().run(graph))
    assert [n.op.name for n in after.nodes] == ["exp2"]
    for given in (
        arguments(graph, 0),
        [np.array([*range(-140, 128)] * 15, np.float64)[:4000].astype(graph.inputs[0].type.dtype.numpy)],
    ):
        (x,), (y,) = evaluate(graph, given), evaluate(after, given)
        assert difference(x, y, Strength.ulps) is None


def test_a_power_of_a_value_is_left() -> None:
    graph = build("f32[3] f32[3]", lambda b, x, y: b.pow(x, y))
    assert Strength().run(graph) is graph
