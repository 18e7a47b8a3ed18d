"""Random programs of loops, branches and prints: the same lines in the same order, however the program is run.

A program works on one float, from which everything follows, and prints its number of the example with each line. So
under `vmap` the lines of each example, taken alone, are those of a run of that example.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, reject
from hypothesis import strategies as st

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import NotDifferentiableError
from tests.control_flow import Plain
from tests.thinning import examples

Step: Any = Callable[[Any, Any, Any], Any]
"""Takes the control flow, a print and the value (of which example it is, a number), and gives the next number."""


@st.composite
def steps(draw: st.DrawFn, depth: int = 3) -> Step:
    """A few steps one after the other."""
    parts = [draw(step(depth)) for _ in range(draw(st.integers(1, 3)))]

    def run(c: Any, out: Any, value: Any) -> Any:
        lane, x = value
        for part in parts:
            x = part(c, out, (lane, x))
        return x

    return run


@st.composite
def step(draw: st.DrawFn, depth: int) -> Step:
    label, factor = draw(st.integers(0, 99)), draw(st.sampled_from([0.5, 0.75, 1.25]))
    kind = draw(st.sampled_from(["print", "move", *(["cond", "switch", "fori", "while", "scan"] if depth else [])]))
    inner = [draw(steps(depth - 1)) for _ in range({"cond": 2, "switch": 3}.get(kind, 1))] if depth else []
    count, limit = draw(st.integers(0, 3)), draw(st.sampled_from([0.25, 1.0, 2.0]))

    def run(c: Any, out: Any, value: Any) -> Any:
        lane, x = value
        if kind == "print":
            out(f"{label} {{}} {{}}", lane, x)
            return x
        if kind == "cond":
            return c.cond(x > limit, *[lambda x, part=part: part(c, out, (lane, x)) for part in inner], x)
        if kind == "switch":
            return c.switch(rnp_floor(x), [lambda x, part=part: part(c, out, (lane, x)) for part in inner], x)
        if kind == "fori":
            return c.fori_loop(0, count, lambda i, x: inner[0](c, out, (lane, x)), x)
        if kind == "scan":
            elements = np.arange(1.0, count + 1) / 4
            return c.scan(lambda x, e: (inner[0](c, out, (lane, x)) + e, None), x, elements)[0]
        if kind == "while":
            # At most `count` steps, the first of which may not come.
            test = lambda s: (s[1] < count) & (s[0] > limit)
            return c.while_loop(test, lambda s: (inner[0](c, out, (lane, s[0])), s[1] + 1), (x, 0))[0]
        return x * factor + 0.125 * (x < 1)

    return run


def rnp_floor(x: Any) -> Any:
    return rnp.astype(rnp.floor(x), "int32") if isinstance(x, rosin.Array) else int(np.floor(x))


def plain(program: Step, lane: int, x: float) -> tuple[float, list[str]]:
    """What plain Python gives and prints."""
    lines: list[str] = []

    def out(format: str, *args: Any) -> None:
        lines.append(format.format(*args))

    return float(program(Plain, out, (lane, np.float64(x)))), lines


def traced(program: Step) -> Any:
    return lambda lane, x: program(rosin, rosin.debug.print, (lane, x))


def run(function: Any, *args: Any) -> tuple[Any, list[str]]:
    """The result, and the lines that were printed."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        result = function(*args)
    return result, output.getvalue().splitlines()


@examples(20)
@given(program=steps(), start=st.sampled_from([0.125, 0.5, 1.0, 1.5, 2.25]))
def test_lines_and_result_of_one_example(program: Step, start: float) -> None:
    expected, lines = plain(program, 0, start)
    function, x = traced(program), np.float64(start)
    for way in (function, rosin.compile(function), rosin.compile(function, target="interpreter")):
        found, printed = run(way, 0, x)
        assert float(found) == expected
        assert printed == lines
    compiled = rosin.compile(lambda x: rosin.jvp(lambda x: function(0, x), (x,), (1.0,))[0])
    assert run(compiled, x)[1] == lines


@examples(20)
@given(program=steps())
def test_lines_and_results_of_a_batch(program: Step) -> None:
    starts = np.asarray([0.125, 1.5, 0.5, 2.25])
    alone = [plain(program, lane, x) for lane, x in enumerate(starts)]
    batched = rosin.vmap(traced(program))
    for way in (batched, rosin.compile(batched)):
        found, printed = run(way, np.arange(4), starts)
        assert np.asarray(found).tolist() == [value for value, _ in alone]
        for lane, (_, lines) in enumerate(alone):
            assert [line for line in printed if line.split()[1] == str(lane)] == lines


@examples(20)
@given(program=steps(), start=st.sampled_from([0.125, 0.5, 1.0, 1.5, 2.25]))
def test_lines_of_a_gradient(program: Step, start: float) -> None:
    _, lines = plain(program, 0, start)
    gradient = rosin.compile(rosin.grad(lambda x: traced(program)(0, x)))
    try:
        _, printed = run(gradient, np.float64(start))
    except NotDifferentiableError:
        reject()
    assert printed == lines
