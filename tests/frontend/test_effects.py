"""What Python does while a program runs: what is done, how often and in which order, eager, compiled and batched."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import ArgumentError
from rosin.ir.errors import NotDifferentiableError, ParseError
from rosin.ir.parser import parse
from rosin.ir.printer import text

Way = Callable[[Any], Any]
WAYS: dict[str, Way] = {
    "eager": lambda f: f,
    "compiled": rosin.compile,
    "interpreter": lambda f: rosin.compile(f, target="interpreter"),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def apart(program: str, threads: int | None = None, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """A program that has run in a process of its own, on so many threads, within so many seconds."""
    given = {} if threads is None else {"ROSIN_NUM_THREADS": str(threads)}
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **given},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


# -- prints --------------------------------------------------------------------------------------------------------


def test_a_print_fills_its_format(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any, n: Any) -> Any:
        rosin.debug.print("{} {x:.2f} {n!r:>14} {{}} {0.shape} {kind:<4}|", x, x=x[1], n=n, kind="row")
        return x

    way(f)(np.asarray([0.1, 2.0], np.float32), np.int32(7))
    assert lines(capsys) == ["[0.1 2. ] 2.00    np.int32(7) {} (2,) row |"]


def test_a_print_shows_trees_and_numbers_of_arrays(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any) -> Any:
        rosin.debug.print("{} {:.1f}", {"a": (x[0], None), "n": 3}, x)
        return x

    way(f)(np.asarray([0.25, 2.0]))
    assert lines(capsys) == ["{'a': (0.25, None), 'n': 3} [0.2 2.0]"]


def test_prints_keep_the_order_of_the_program(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    """Of what is computed between them, the later parts need nothing of the earlier ones."""

    def f(x: Any, y: Any) -> Any:
        rosin.debug.print("first {}", rnp.sum(y))
        rosin.debug.print("second")
        rosin.debug.print("third {}", rnp.sin(x))
        total = rosin.fori_loop(0, 2, lambda i, s: _printed("loop {}", i, s + x), x)
        rosin.debug.print("last {}", rnp.sum(x))
        return total

    way(f)(np.float64(0.0), np.ones(3))
    assert lines(capsys) == ["first 3.0", "second", "third 0.0", "loop 0", "loop 1", "last 0.0"]


def _printed(format: str, value: Any, result: Any) -> Any:
    rosin.debug.print(format, value)
    return result


def test_prints_in_loops_and_branches(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    def step(s: Any, e: Any) -> Any:
        rosin.debug.print("step {}", e)
        return rosin.cond(e > 1, lambda: _printed("large {}", e, s + e), lambda: _printed("small {}", e, s)), s

    def f(xs: Any) -> Any:
        found, _ = rosin.scan(step, 0.0, xs)
        return rosin.while_loop(lambda y: y < 9, lambda y: _printed("while {}", y, y * 2), found)

    assert float(way(f)(np.asarray([1.0, 3.0], np.float32))) == 12.0
    assert lines(capsys) == ["step 1.0", "small 1.0", "step 3.0", "large 3.0", "while 3.0", "while 6.0"]


def test_a_print_whose_loop_nothing_uses_is_kept(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any) -> Any:
        rosin.fori_loop(0, 2, lambda i, s: _printed("{}", i, s), x)
        rosin.checkpoint(lambda y: _printed("inside {}", y, y * 2))(x)
        return x

    way(f)(1.0)
    assert lines(capsys) == ["0", "1", "inside 1.0"]


def test_a_print_under_vmap_goes_over_the_examples(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any, y: Any) -> Any:
        rosin.debug.print("{} {}", x, y)
        rosin.debug.print("shared {}", y)
        return x * y

    way(rosin.vmap(f, in_axes=(0, None)))(np.asarray([1.0, 2.0]), 3)
    assert lines(capsys) == ["1.0 3", "2.0 3", "shared 3"]


def test_examples_take_part_only_where_they_go(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    """A branch prints for the examples that take it, a loop until each example is done."""

    def f(x: Any) -> Any:
        y = rosin.cond(x > 2, lambda: _printed("over {}", x, x), lambda: _printed("under {}", x, -x))
        rosin.while_loop(lambda s: s < 3, lambda s: _printed("at {}", s, s + 1), x)
        return y

    assert way(rosin.vmap(f))(np.asarray([2.0, 1.0, 4.0])).tolist() == [-2, -1, 4]
    assert lines(capsys) == ["under 2.0", "under 1.0", "over 4.0", "at 2.0", "at 1.0", "at 2.0"]


def test_a_loop_in_a_branch_of_some_examples(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any) -> Any:
        def count(y: Any) -> Any:
            return rosin.while_loop(lambda z: z < 3, lambda z: _printed("count {}", z, z + 1), y)

        return rosin.cond(x > 0, count, lambda y: y, x)

    assert way(rosin.vmap(f))(np.asarray([-5.0, 1.0, 2.0])).tolist() == [-5, 3, 3]
    assert lines(capsys) == ["count 1.0", "count 2.0", "count 2.0"]


@pytest.mark.parametrize("derivative", ["grad", "jvp", "vjp", "hessian"])
def test_derivatives_print_once(way: Way, derivative: str, capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any) -> Any:
        rosin.debug.print("in {}", x)
        y = rosin.cond(x > 0, lambda: _printed("branch {}", x, x * x), lambda: x)
        z = rosin.checkpoint(lambda y: _printed("checkpoint {}", y, rnp.sin(y)))(y)
        return rosin.scan(lambda s, e: (_printed("step {}", e, s * e), None), z, rnp.asarray([2.0, 3.0]))[0]

    run = {
        "grad": rosin.grad(f),
        "jvp": lambda x: rosin.jvp(f, (x,), (1.0,)),
        "vjp": lambda x: rosin.vjp(f, x)[1](1.0),
        "hessian": lambda x: rosin.grad(rosin.grad(f))(x),
    }[derivative]
    way(run)(2.0)
    assert lines(capsys) == ["in 2.0", "branch 2.0", "checkpoint 4.0", "step 2.0", "step 3.0"]


def test_rules_of_custom_derivatives_print_once_too(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    @rosin.custom_vjp
    def square(x: Any) -> Any:
        return _printed("square {}", x, x * x)

    def forward(x: Any) -> Any:
        return _printed("forward {}", x, x * x), x

    square.defvjp(forward, lambda x, bar: (_printed("back {}", bar, 2 * x * bar),))

    def f(x: Any) -> Any:
        return rosin.cond(x > 1, square, lambda y: y, x)

    assert way(rosin.vmap(rosin.grad(f)))(np.asarray([3.0, 0.5])).tolist() == [6, 1]
    assert lines(capsys) == ["square 3.0", "back 1.0"]
    way(rosin.grad(f))(3.0)
    assert lines(capsys) == ["square 3.0", "back 1.0"]
    way(rosin.grad(square))(3.0)
    assert lines(capsys) == ["forward 3.0", "back 1.0"]


def test_formats_that_do_not_fit() -> None:
    x = rnp.ones(2)
    for format, args in [("{} {}", (x,)), ("{name}", (x,)), ("{", (x,)), ("{0.none}", (x,))]:
        with pytest.raises(ArgumentError, match="does not fit its arguments"):
            rosin.debug.print(format, *args)
    with pytest.raises(ArgumentError, match="no field for argument 1, 'z'"):
        rosin.debug.print("{}", x, x, z=x)


# -- checks --------------------------------------------------------------------------------------------------------


def test_a_check_names_the_line_and_the_values(way: Way) -> None:
    def f(x: Any) -> Any:
        rosin.check(x > 0, "x is {:.1f} of {}", x, (x, "s"))
        return x + 1

    checked = way(f)
    assert float(checked(np.float32(1.0))) == 2.0
    with pytest.raises(rosin.CheckError) as caught:
        checked(np.float32(-1.0))
    assert caught.value.message == "x is -1.0 of (-1.0, 's')"
    assert caught.value.location is not None
    assert caught.value.location.file == __file__
    assert "rosin.check(x > 0" in str(caught.value)
    assert isinstance(caught.value, AssertionError)
    assert float(checked(np.float32(3.0))) == 4.0


def test_a_check_of_an_array_is_of_all_of_it(way: Way) -> None:
    checked = way(lambda x: (rosin.check(x > 0, "not all"), x)[1])
    assert checked(np.ones(3)).tolist() == [1, 1, 1]
    with pytest.raises(rosin.CheckError, match="not all"):
        checked(np.asarray([1.0, -1.0]))


def test_a_check_in_a_loop_ends_the_loop(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    def step(i: Any, s: Any) -> Any:
        rosin.debug.print("{}", i)
        rosin.check(s < 3, "s is {} in step {}", s, i)
        return s + 1

    with pytest.raises(rosin.CheckError, match=r"s is 3\.0 in step 2"):
        way(lambda x: rosin.fori_loop(0, 1000, step, x))(1.0)
    assert lines(capsys) == ["0", "1", "2"]


def test_a_check_comes_before_a_loop_that_would_not_end(way: Way) -> None:
    def f(x: Any) -> Any:
        rosin.check(x > 0, "no")
        return rosin.while_loop(lambda y: y < 1, lambda y: y, x - 10.0)

    with pytest.raises(rosin.CheckError, match="no"):
        way(f)(-1.0)


def test_a_check_under_vmap_names_the_example(way: Way) -> None:
    def f(x: Any) -> Any:
        rosin.check(x > 0, "x is {}", x)
        return x

    assert way(rosin.vmap(f))(np.ones(3)).tolist() == [1, 1, 1]
    with pytest.raises(rosin.CheckError, match=r"x is -1.0\n  in example 1 of the batch"):
        way(rosin.vmap(f))(np.asarray([1.0, -1.0, -2.0]))
    with pytest.raises(rosin.CheckError, match=r"x is -2.0\n  in example 1, 0 of the batch"):
        way(rosin.vmap(rosin.vmap(f)))(np.asarray([[1.0, 1.0], [-2.0, 1.0]]))


def test_a_check_spares_examples_that_do_not_come_by(way: Way) -> None:
    def f(x: Any) -> Any:
        def root(y: Any) -> Any:
            rosin.check(y >= 0, "root of {}", y)
            return rnp.sqrt(y)

        return rosin.cond(x >= 0, root, lambda y: y * 0, x)

    assert way(rosin.vmap(f))(np.asarray([4.0, -1.0, 9.0])).tolist() == [2, 0, 3]


def test_an_unused_result_does_not_free_a_program_from_its_checks() -> None:
    f = rosin.compile(lambda x: (rosin.check(x > 0, "no"), rnp.sin(x))[1])
    text = f.text(1.0, stage="loops")
    assert "check" in text
    with pytest.raises(rosin.CheckError):
        f(-1.0)


# -- functions of the user's -----------------------------------------------------------------------------------------


def test_pure_callback(way: Way) -> None:
    def scipy_like(x: Any, n: Any, *, scale: Any) -> Any:
        assert isinstance(x, np.ndarray)
        assert isinstance(n, np.ndarray)
        return {"sorted": np.sort(x) * scale, "n": n + 1}

    def f(x: Any, n: Any) -> Any:
        given = {"sorted": rosin.ShapeDtypeStruct(x.shape, x.dtype), "n": n}
        return rosin.pure_callback(scipy_like, given, x, n, scale=x[0])

    found = way(f)(np.asarray([3.0, 1.0, 2.0]), np.int32(4))
    assert found["sorted"].tolist() == [3, 6, 9]
    assert int(found["n"]) == 5


def test_callbacks_in_loops_and_under_vmap(way: Way) -> None:
    calls: list[float] = []

    def double(x: Any) -> Any:
        calls.append(float(x))
        return 2 * x

    def f(x: Any) -> Any:
        return rosin.fori_loop(0, 2, lambda i, y: rosin.io_callback(double, y, y), x)

    assert way(rosin.vmap(f))(np.asarray([1.0, 3.0])).tolist() == [4, 12]
    assert calls == [1, 3, 2, 6]


def test_callbacks_of_examples_that_do_not_come_by_are_not_called(way: Way) -> None:
    def strict(x: Any) -> Any:
        if x < 0:
            raise ValueError(f"{x} is negative")
        return np.sqrt(x)

    def f(x: Any) -> Any:
        return rosin.cond(x >= 0, lambda y: rosin.pure_callback(strict, y, y), lambda y: y, x)

    assert way(rosin.vmap(f))(np.asarray([4.0, -1.0])).tolist() == [2, -1]


def test_exceptions_come_out_unchanged(way: Way) -> None:
    error = LookupError("mine")

    def broken(x: Any) -> Any:
        raise error

    f = way(lambda x: rosin.fori_loop(0, 3, lambda i, y: rosin.io_callback(broken, y, y), x))
    for _ in range(2):
        with pytest.raises(LookupError) as caught:
            f(1.0)
        assert caught.value is error


def test_results_of_other_types_are_refused(way: Way) -> None:
    bad: list[tuple[Any, str]] = [
        (lambda x: x.astype("float32"), r"result 0 of <lambda> is an array of float32 and shape \(2,\), not f64\[2\]"),
        (lambda x: x[:1], r"shape \(1,\)"),
        (lambda x: (x, x), "gives the tree"),
    ]
    for function, message in bad:
        with pytest.raises(rosin.RosinError, match=message):
            way(lambda x, function=function: rosin.pure_callback(function, x, x))(np.ones(2))


def test_a_callback_may_call_compiled_functions(way: Way) -> None:
    inner = rosin.compile(lambda x: rnp.sum(x) * 2)
    f = way(lambda x: rosin.pure_callback(lambda y: np.asarray(inner(y)), x[0], x))
    assert float(f(np.arange(3.0))) == 6.0


def test_io_callbacks_happen_as_often_as_the_program_says(way: Way) -> None:
    log: list[int] = []

    def note(n: Any) -> Any:
        log.append(int(n))
        return np.int32(len(log))

    def f(n: Any) -> Any:
        given = rosin.ShapeDtypeStruct((), "int32")
        # Alike, without use, on constants: each is called all the same.
        first, _ = rosin.io_callback(note, given, n), rosin.io_callback(note, given, n)
        rosin.io_callback(note, given, 7)
        rosin.debug.callback(log.append, n)
        return first

    assert int(way(f)(np.int32(3))) == 1
    assert [int(n) for n in log] == [3, 3, 7, 3]


def test_a_pure_callback_that_nothing_uses_is_dropped() -> None:
    calls: list[int] = []
    f = rosin.compile(lambda x: (rosin.pure_callback(lambda y: (calls.append(1), y)[1], x, x), x)[1])
    f(1.0)
    assert not calls


def test_derivatives_of_callbacks() -> None:
    def square(x: Any) -> Any:
        return rosin.pure_callback(lambda x: x * x, x, x)

    with pytest.raises(NotDifferentiableError, match="custom_jvp"):
        rosin.grad(square)(2.0)
    known = rosin.custom_jvp(square)
    known.defjvp(lambda primals, tangents: (known(*primals), 2 * primals[0] * tangents[0]))
    assert float(rosin.compile(rosin.grad(known))(2.0)) == 4.0
    assert float(rosin.compile(rosin.grad(lambda x: square(rosin.stop_gradient(x)) * x))(3.0)) == 9.0
    with pytest.raises(NotDifferentiableError, match="happen twice"):
        branch = lambda x: rosin.io_callback(lambda n: n, rosin.ShapeDtypeStruct((), "int32"), 3) * x
        rosin.grad(lambda x: rosin.cond(x > 0, branch, lambda x: x, x))(1.0)


def test_arguments_that_are_none() -> None:
    with pytest.raises(ArgumentError, match=r"args\[0\] is 'text' of type str"):
        rosin.pure_callback(np.sort, rnp.ones(1), "text")
    with pytest.raises(ArgumentError, match="result_shape_dtypes is 3 of type int"):
        rosin.pure_callback(np.sort, 3, rnp.ones(1))


def test_the_text_of_a_callback_is_read_where_it_is_known() -> None:
    f = rosin.compile(lambda x: rosin.pure_callback(np.sort, x, x))
    graph = f.ir(np.ones(2))
    assert 'function=host("sort.' in str(graph)
    assert parse(text(graph)) == graph
    with pytest.raises(ParseError, match=r"no host function .sort\.999999. is known in this process"):
        parse(re.sub(r"sort\.\d+", "sort.999999", str(graph)))


# -- programs with host calls from the disk ----------------------------------------------------------------------------

_PROGRAM = """
import numpy as np, rosin
factor = {factor}
def scaled(x):
    return x * factor
@rosin.compile
def f(x):
    rosin.debug.print("x = {{}}", x)
    rosin.check(x > 0, "x is {{}}", x)
    return rosin.pure_callback(scaled, x, x) if {callback} else x
print(float(f(np.float64(2))))
try:
    f(np.float64(-1))
except rosin.CheckError as error:
    print(error.message, error.location.line)
from rosin.runtime.compile_path import compile_graph
print(compile_graph(f.ir(np.float64(2))).from_cache)
"""


def _output(**options: Any) -> list[str]:
    program = _PROGRAM.format(**options)
    done = apart(program)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_prints_and_checks_are_served_from_the_disk() -> None:
    for _ in range(2):
        expected = ["x = 2.0", "2.0", "x = -1.0", "x is -1.0 9", "True"]
        assert _output(factor=0, callback=False) == expected


def test_functions_are_never_served_from_the_disk() -> None:
    """The two programs differ in the function alone, which bears the same label in both."""
    assert _output(factor=3, callback=True)[1::3] == ["6.0", "False"]
    assert _output(factor=5, callback=True)[1::3] == ["10.0", "False"]


# -- stopping ----------------------------------------------------------------------------------------------------

_ENDLESS = """
import os, signal, sys, threading, time, rosin
# Whoever runs the tests in the background may have it ignored, and then Python raises nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)
f = {way}(lambda x: rosin.while_loop(lambda s: s[0] > 0, lambda s: (s[0] + x * 0, s[1] + 1), (x, 0)))
def stop():
    {stop}
threading.Timer(0.3, stop).start()
start = time.monotonic()
try:
    f(1.0)
except KeyboardInterrupt:
    print(time.monotonic() - start < {limit})
"""

STOPS = {
    "kill": "os.kill(os.getpid(), signal.SIGINT)",
    "raise": "signal.raise_signal(signal.SIGINT)",
    "interrupt_main": "import _thread; _thread.interrupt_main()",
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("call", ["rosin.compile", ""], ids=["compiled", "eager"])
def test_a_loop_that_does_not_end_is_interrupted(stop: str, call: str) -> None:
    # A second for the loop to stop in, and generously more for a loaded machine to compile it.
    program = _ENDLESS.format(way=call, stop=STOPS[stop], limit=20)
    done = apart(program, timeout=60)
    assert done.stdout.split() == ["True"], done.stderr


_COMPILING = """
import faulthandler, os, signal, sys, time, numpy as np
os.environ["ROSIN_CACHE"] = "0"
import rosin
from rosin import numpy as rnp
signal.signal(signal.SIGALRM, signal.default_int_handler)
def loss(w, x):
    last, sums = rosin.scan(lambda h, _: (rnp.tanh(h @ w), rnp.sum(h)), x, None, length=5)
    return rnp.sum(rnp.sort(last.reshape(-1)) * rnp.arange(last.size)) + rnp.sum(sums)
def compiled():
    return rosin.compile(rosin.grad(loss))
arrays = np.full((40, 40), 0.02, np.float32), np.ones((8, 40), np.float32)
expected = np.asarray(compiled()(*arrays))
start = time.perf_counter()
compiled()(*arrays)
takes, turn, stopped = time.perf_counter() - start, sys.getswitchinterval(), 0
for part in range(30):
    f = compiled()
    faulthandler.dump_traceback_later(20, exit=True)
    signal.setitimer(signal.ITIMER_REAL, takes * (part + 0.5) / 30)
    try:
        f(*arrays)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        stopped += 1
    assert np.array_equal(f(*arrays), expected) and sys.getswitchinterval() == turn, part
    faulthandler.cancel_dump_traceback_later()
print(stopped > 10)
"""


def test_compiling_is_interrupted_at_any_moment() -> None:
    """And the next call compiles again: nothing waits for ever, nothing is left half made."""
    done = apart(_COMPILING, timeout=120)
    assert done.stdout.split() == ["True"], done.stderr


_LONG_ROWS = """
import os, signal, threading, time, numpy as np, rosin
from rosin import numpy as rnp
signal.signal(signal.SIGINT, signal.default_int_handler)
def steps(w, h, count):
    return rosin.scan(lambda h, _: (rnp.tanh(h @ w), None), h, None, length=count)[0]
f = rosin.compile(steps, static_argnums=2)
w, h = np.full((128, 128), 0.5, np.float32), np.ones((32, 128), np.float32)
assert "on threads" in f.text(w, h, 10**8, stage="loops")
threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    f(w, h, 10**8)
except KeyboardInterrupt:
    print(True)
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_long_loops_over_rows_that_threads_share_are_interrupted(threads: int) -> None:
    done = apart(_LONG_ROWS, threads, timeout=60)
    assert done.stdout.split() == ["True"], done.stderr


_ENDLESS_LANES = """
import os, signal, threading, time, numpy as np, rosin
signal.signal(signal.SIGINT, signal.default_int_handler)
def lane(x, n):
    return rosin.while_loop(lambda s: (s[1] < n) | (n < 0), lambda s: (s[0] * x, s[1] + 1), (x, 0))
f = rosin.compile(rosin.vmap(lane))
x, n = np.full(40_000, 0.5), np.arange(40_000) % 50
expected = [np.asarray(v) for v in f(x, n)]
endless = np.where({which}, -1, n)
for _ in range(3):
    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    try:
        f(x, endless.astype(n.dtype))
    except KeyboardInterrupt:
        print(time.monotonic() - start < 10)
    print(all(np.array_equal(u, v) for u, v in zip(f(x, n), expected)))
"""


@pytest.mark.thinned(3)
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("which", ["n >= 0", "np.arange(n.size) == 5", "np.arange(n.size) == 39_990"])
def test_lanes_that_do_not_end_are_interrupted_on_every_thread(which: str, threads: int) -> None:
    """Whoever runs them: the caller, which looks for signals, or workers, for which it waits."""
    done = apart(_ENDLESS_LANES.format(which=which), threads, timeout=60)
    assert done.stdout.split() == ["True"] * 6, done.stderr


def test_other_threads_run_while_a_loop_does() -> None:
    f = rosin.compile(lambda n: rosin.while_loop(lambda i: i < n, lambda i: i + 1, 0))
    f(1)
    seen: list[int] = []
    done = threading.Event()

    def count() -> None:
        while not done.wait(0.001):
            seen.append(1)

    thread = threading.Thread(target=count)
    thread.start()
    f(30_000_000)
    during = len(seen)
    done.set()
    thread.join()
    assert during > 5


def test_a_failed_program_leaves_nothing_behind() -> None:
    f = rosin.compile(lambda x: (rosin.check(x[0] > 0, "no"), x * 2)[1])
    for size in (4, 100_000):
        bad, good = -np.ones(size), np.ones(size)
        f(good)
        before = sys.getrefcount(bad)
        for _ in range(3):
            with pytest.raises(rosin.CheckError):
                f(bad)
        gc.collect()
        assert sys.getrefcount(bad) == before
        assert f(good)[0].item() == 2.0


@pytest.mark.parametrize("target", ["llvm", "interpreter"])
def test_what_is_donated_to_a_program_that_fails_is_gone(target: str) -> None:
    def update(x: Any, limit: Any) -> Any:
        y = x * 2
        rosin.check(y[0] < limit, "too much")
        return y

    f = rosin.compile(update, donate_argnames="x", target=target)
    for size in (1, 2):
        state = rnp.ones(1000)
        if size == 2:
            state = f(state, 100.0)
        with pytest.raises(rosin.CheckError):
            f(state, 1.0)
        with pytest.raises(rosin.RosinError, match="donated"):
            rnp.sum(state)
    state = rnp.ones(1000)
    with pytest.raises(rosin.RosinError, match="no array"):
        f(state, "limit")
    assert float(state[0]) == 1.0


def test_a_compiled_function_does_not_keep_its_first_arguments() -> None:
    f = rosin.compile(lambda tree: tree["x"] * 2)
    x = np.ones(10)
    before = sys.getrefcount(x)
    f({"x": x})
    gc.collect()
    assert sys.getrefcount(x) == before
