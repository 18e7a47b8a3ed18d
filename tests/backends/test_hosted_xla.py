"""What Python does while a program of XLA's runs on the CPU: prints, checks and callbacks, in order, also in loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin.backends.stablehlo.program import module_text
from rosin.ir.errors import UnsupportedError
from rosin.passes import pipeline
from rosin.runtime import xla

Golden = Callable[[str, str], None]


def told(x: Any) -> Any:
    def step(i: Any, x: Any) -> Any:
        rosin.debug.print("step {} {}", i, x)
        x = rosin.cond(x[0] > 2, double, lambda x: x + 1, x)
        rosin.debug.print("end {}", i)
        return x

    def double(x: Any) -> Any:
        rosin.debug.print("double {}", x)
        return x * 2

    rosin.debug.print("start")
    x = rosin.fori_loop(0, 4, step, x)
    rosin.debug.print("done {}", x)
    return x


def test_text_of_a_program_that_calls_python(golden: Golden) -> None:
    graph = rosin.export(told, rnp.ones(2)).graph
    hosted: list[Any] = []
    text = module_text(pipeline.run(graph, pipeline.STABLEHLO_PASSES), locations=False, hosted=hosted)
    assert [op.name for op in hosted] == ["print"] * 5
    golden("stablehlo/effect.txt", text)
    with pytest.raises(UnsupportedError, match="stablehlo: print: a compiled StableHLO program calls no Python"):
        module_text(graph)


@pytest.mark.peers
def test_prints_come_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    compiled = rosin.compile(told, target="xla")
    plain = rosin.compile(told)
    lines: list[str] = []
    for f in (compiled, compiled, plain):
        np.testing.assert_array_equal(f(rnp.ones(2)), [12, 12])
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1] == lines[2]
    assert lines[0].splitlines()[:3] == ["start", "step 0 [1. 1.]", "end 0"]


@pytest.mark.peers
def test_a_while_may_print_in_its_predicate(capsys: pytest.CaptureFixture[str]) -> None:
    def goes_on(x: Any) -> Any:
        rosin.debug.print("is {} small?", x)
        return x < 3

    def step(x: Any) -> Any:
        rosin.debug.print("{} is", x)
        return x + 1

    f = rosin.compile(lambda x: rosin.while_loop(goes_on, step, x), target="xla")
    assert f(rnp.asarray(1)) == 3
    assert capsys.readouterr().out.split("\n")[:-1] == [
        "is 1 small?",
        "1 is",
        "is 2 small?",
        "2 is",
        "is 3 small?",
    ]


@pytest.mark.peers
def test_a_check_that_fails_raises_its_own_error() -> None:
    @rosin.compile(target="xla")
    def f(x: Any) -> Any:
        rosin.check(rnp.sum(x) < 3, "too large: {}", x)
        return x * 2

    for _ in range(2):
        np.testing.assert_array_equal(f(rnp.ones(2)), [2, 2])
        with pytest.raises(rosin.CheckError, match=r"(?s)too large: \[1. 1. 1. 1.\].*test_hosted_xla.py"):
            f(rnp.ones(4))


@pytest.mark.peers
def test_what_a_callback_raises_comes_out() -> None:
    def fails(x: Any) -> Any:
        raise KeyError("no such thing")

    f = rosin.compile(lambda x: rosin.io_callback(fails, x, x), target="xla")
    for _ in range(2):
        with pytest.raises(KeyError, match="no such thing"):
            f(rnp.ones(2))


@pytest.mark.peers
def test_callbacks_give_results() -> None:
    seen: list[int] = []

    def counted(i: Any) -> Any:
        seen.append(int(i))
        return np.int32(len(seen))

    def f(x: Any) -> Any:
        def step(total: Any, i: Any) -> Any:
            return total + rosin.io_callback(counted, i, i), rosin.pure_callback(np.square, x, x * i)

        return rosin.scan(step, rnp.asarray(0), rnp.arange(3))

    total, rows = rosin.compile(f, target="xla")(rnp.asarray(np.float32(2)))
    assert seen == [0, 1, 2]
    assert total == 6
    np.testing.assert_array_equal(rows, [0, 4, 16])


@pytest.mark.peers
def test_a_batch_calls_for_each_example() -> None:
    f = rosin.compile(rosin.vmap(lambda x: rosin.pure_callback(np.linalg.norm, x[0], x)), target="xla")
    x = rnp.asarray(np.arange(6, dtype=np.float32).reshape(3, 2))
    np.testing.assert_allclose(f(x), np.linalg.norm(x, axis=1), rtol=1e-6)


@pytest.mark.peers
def test_another_device_calls_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    other = xla.jaxlib_client().make_cpu_client()
    monkeypatch.setattr(xla, "_client", lambda: other)
    with pytest.raises(UnsupportedError, match="stablehlo: print: a compiled StableHLO program calls no Python"):
        rosin.compile(told, target="xla")(rnp.ones(2))
