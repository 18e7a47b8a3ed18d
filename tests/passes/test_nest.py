"""Loops of nests: those over lanes are cut where tests on lanes change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.loops import Guard, Kind, Loop, walk
from rosin.ir.statements import expressions, nested
from rosin.ir.steps import leaves
from rosin.passes import pipeline
from rosin.passes.to_loops import to_loops


def smoothed(x: Any) -> Any:
    """Means of neighbours, beyond the ends of which there are zeros."""
    wide = rnp.pad(x, ((0, 0), (2, 1)))
    return rnp.sin(wide[:, :-3] + wide[:, 1:-2] + wide[:, 2:-1] + wide[:, 3:])


def lane_loops(size: int) -> list[Loop]:
    program = to_loops(pipeline.run(rosin.compile(smoothed).ir(rnp.asarray(np.zeros((3, size))))))
    inside = (s for kernel in leaves(program.steps) for s in nested(kernel.body))
    return [s for s in inside if isinstance(s, Loop) and s.kind is Kind.VECTOR]


def has_tests(loop: Loop) -> bool:
    return any(isinstance(e, Guard) for top in expressions(loop.body) for e in walk(top))


def test_only_the_borders_of_a_long_line_are_tested() -> None:
    loops = lane_loops(300)
    assert [loop.var.extent for loop in loops] == [16, 272, 12]
    assert [has_tests(loop) for loop in loops] == [True, False, True]


def test_a_short_line_is_one_loop() -> None:
    assert len(lane_loops(100)) == 1


@pytest.mark.parametrize("size", [15, 127, 128, 129, 145, 300])
def test_cut_loops_compute_the_same(size: int) -> None:
    x = np.random.default_rng(0).standard_normal((3, size))
    wide = np.pad(x, ((0, 0), (2, 1)))
    expected = np.sin(wide[:, :-3] + wide[:, 1:-2] + wide[:, 2:-1] + wide[:, 3:])
    np.testing.assert_allclose(rosin.compile(smoothed)(rnp.asarray(x)), expected, rtol=1e-14, atol=1e-15)
