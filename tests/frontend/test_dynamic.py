"""Compiled functions with symbolic sizes: specifications, conditions, guards, and sizes that become symbolic."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import ControlFlowError
from rosin.frontend.programs import Program
from rosin.ir.errors import ConstraintError, RosinError, ShapeError, TraceError

SIZES = (0, 1, 2, 3, 7, 8, 9, 16, 33, 100)


def vector(n: int) -> Any:
    return np.linspace(-1, 1, n).astype(np.float32)


def matrix(n: int, m: int) -> Any:
    return np.resize(vector(max(n * m, 1)), (n, m))


def attention(q: Any, k: Any, v: Any) -> Any:
    return rosin.nn.softmax(q @ k.T / np.float32(2.0), axis=-1) @ v


def pairwise(x: Any) -> Any:
    return rnp.sqrt(rnp.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=-1) + 1e-6)


def halves(x: Any) -> Any:
    half = x.shape[0] // 2
    return x[:half] + x[x.shape[0] - half :]


def trajectory(x: Any) -> Any:
    return rosin.fori_loop(0, 50, lambda i, s: s + 0.01 * rnp.stack([s[0] * (1 - s[1]), s[1] * (s[0] - 1)]), x)


def collatz(x: Any) -> Any:
    """The steps from each number to 1."""
    start = (rnp.asarray(rnp.abs(x) * 30 + 1, dtype=rnp.int32), rnp.asarray(0, dtype=rnp.int32))

    def step(state: Any) -> Any:
        number, count = state
        return rnp.where(number % 2 == 0, number // 2, 3 * number + 1), count + 1

    return rosin.while_loop(lambda state: state[0] > 1, step, start)[1]


FUNCTIONS: dict[str, tuple[Callable[..., Any], Any, Callable[[int], tuple[Any, ...]]]] = {
    "scaled by its size": (lambda x: x * x.shape[0] + 1 / x.shape[0], {"x": 0}, lambda n: (vector(n + 1),)),
    "counting": (lambda x: x + rnp.arange(x.shape[0]), {"x": 0}, lambda n: (vector(n),)),
    "halves": (halves, {"x": 0}, lambda n: (vector(n),)),
    "flat": (lambda x: rnp.reshape(x, -1) * 2, {"x": {0: "n"}}, lambda n: (matrix(n, 3),)),
    "pairs": (lambda x: x.reshape(x.shape[0] * 2, -1), {"x": {0: "n"}}, lambda n: (matrix(n + 1, 4),)),
    "joined": (lambda x: rnp.concat([x, rnp.zeros((1, 3)), x]), {"x": 0}, lambda n: (matrix(n, 3),)),
    "mean": (lambda x: rnp.mean(x, axis=1), {"x": (0, 1)}, lambda n: (matrix(n, n + 1),)),
    "pairwise": (pairwise, {"x": {0: "n"}}, lambda n: (matrix(n, 3),)),
    "attention": (
        attention,
        {"q": {0: "n"}, "k": {0: "m"}, "v": {0: "m"}},
        lambda n: (matrix(n, 4), matrix(n + 2, 4), matrix(n + 2, 5)),
    ),
    "gathered": (lambda x, i: x[i], {"x": {0: "n"}, "i": {0: "m"}}, lambda n: (vector(n + 1), np.arange(n) % (n + 1))),
    "scattered": (lambda x: x.at[1:].add(x[:-1]), {"x": 0}, lambda n: (vector(n + 1),)),
    "gradient": (
        rosin.grad(lambda x, w: rnp.mean(rnp.tanh(x @ w) ** 2), argnums=1),
        {"x": {0: "n"}},
        lambda n: (matrix(n + 1, 3), matrix(3, 5)),
    ),
    "vmap": (rosin.vmap(lambda x: rnp.cumsum(x) / rnp.max(x)), {"x": {0: "n"}}, lambda n: (matrix(n, 6) + 2,)),
    "lanes": (rosin.vmap(trajectory), {"x": {0: "n"}}, lambda n: (matrix(n, 2) + 2,)),
    "lanes of a while": (rosin.vmap(collatz), {"x": {0: "n"}}, lambda n: (vector(n),)),
    "random": (
        lambda x: rosin.random.normal(rosin.random.key(3), x.shape) + x,
        {"x": {0: "n"}},
        lambda n: (matrix(n, 3),),
    ),
    "scan": (
        lambda x: rosin.scan(lambda c, e: (c + e, c * e), rnp.zeros(3), x),
        {"x": {0: "n"}},
        lambda n: (matrix(n, 3),),
    ),
    "wide scan": (
        lambda x: rosin.scan(lambda c, e: (c + e, c * e), rnp.zeros(x.shape[1]), x),
        {"x": {0: "n", 1: "m"}},
        lambda n: (matrix(n, n + 2),),
    ),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_program_for_all_sizes(name: str) -> None:
    function, dynamic, make = FUNCTIONS[name]
    symbolic = rosin.compile(function, dynamic=dynamic)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rosin.RecompileWarning)
        static = rosin.compile(function, dynamic=False)
        for n in (5, *SIZES):
            for actual, expected in zip(
                rosin.tree.leaves(symbolic(*make(n))), rosin.tree.leaves(static(*make(n))), strict=True
            ):
                assert actual.shape == expected.shape
                np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=2e-5, atol=2e-6)
    assert len(symbolic.signatures()) == 1


@pytest.mark.parametrize("first", [(40, 200), (7, 10)], ids=str)
def test_a_product_has_tiles_for_any_number_of_rows_and_columns(first: tuple[int, int]) -> None:
    """Whatever its first sizes were: all columns up to two blocks of vectors, and rows around those of a tile."""

    def function(x: Any, w: Any, shift: Any) -> Any:
        return rnp.maximum(x @ w + shift, 0)

    f = rosin.compile(function, dynamic={"x": {0: "n"}, "w": {1: "m"}, "shift": {0: "m"}})
    rng = np.random.default_rng(0)

    def check(n: int, m: int) -> None:
        x, w, shift = rng.integers(-9, 9, (n, 5)), rng.integers(-9, 9, (5, m)), rng.integers(-99, 99, m)
        floats = [a.astype(np.float32) for a in (x, w, shift)]
        np.testing.assert_array_equal(f(*floats), np.maximum(x @ w + shift, 0), err_msg=f"{n} x {m}")

    check(*first)
    for n in (1, 3, 4, 6, 8, 9, 13):
        for m in range(131):
            check(n, m)
    check(1000, 1000)
    assert len(f.signatures()) == 1


def test_a_loop_of_so_many_lanes_is_one_kernel() -> None:
    f = rosin.compile(rosin.vmap(trajectory), dynamic={"x": {0: "n"}})
    f(matrix(64, 2))
    assert "vector lane in n" in f.text(matrix(64, 2), stage="loops")


def test_lanes_that_end_by_themselves_are_one_kernel() -> None:
    """However few there are in the first call."""
    symbolic, static = rosin.compile(rosin.vmap(collatz), dynamic={"x": {0: "n"}}), rosin.compile(rosin.vmap(collatz))
    assert "vector lane in n refilled" in symbolic.text(vector(2), stage="loops")
    for n in (2, 1000, 70_001):
        np.testing.assert_array_equal(symbolic(vector(n)), static(vector(n)))


@pytest.mark.parametrize("target", ["llvm", "interpreter"])
def test_a_specification_with_conditions(target: str) -> None:
    n = rosin.dim("n", min=2, max=64)
    spec = rosin.spec(rosin.float32, (n, 3))
    f = rosin.compile(
        lambda x: x.reshape(n // 4, 4, 3).sum(axis=1), dynamic={"x": spec}, where=[n % 4 == 0], target=target
    )
    assert f(matrix(8, 3)).shape == (2, 3)
    assert f(matrix(64, 3)).shape == (16, 3)
    for size in (6, 68, 0):
        with pytest.raises(ConstraintError):
            f(matrix(size, 3))
    (signature,) = f.signatures()
    assert signature.arguments == ("x: f32[n, 3]",)
    assert set(signature.conditions) == {"n >= 2", "n <= 64", "n%4 == 0"}
    assert not signature.guards


def test_specifications_as_text() -> None:
    f = rosin.compile(lambda x, y: x[:, 0] + y, dynamic={"x": rosin.spec("f32[n, 2]"), "y": rosin.spec("f32[n]")})
    assert f(matrix(3, 2), vector(3)).shape == (3,)
    with pytest.raises(ConstraintError, match=r"axis 0 of argument `y` has size 4, and it has to be n = 3"):
        f(matrix(3, 2), vector(4))
    assert str(rosin.spec("f32[2*n]")) == "spec('f32[2*n]')"
    assert rosin.spec("f32[n, 3]").shape[1] == 3


def test_arguments_that_are_trees() -> None:
    def f(params: Any, x: Any) -> Any:
        return x @ params["w"] + params["b"]

    compiled = rosin.compile(f, dynamic={"params['w']": {1: "out"}, "params['b']": {0: "out"}, "x": 0})
    for n, out in ((2, 4), (3, 5), (1, 1)):
        assert compiled({"w": matrix(3, out), "b": vector(out)}, matrix(n, 3)).shape == (n, out)
    assert len(compiled.signatures()) == 1


def test_the_second_size_makes_an_axis_symbolic() -> None:
    f = rosin.compile(lambda x, y: x + y)
    for n in (3, 5, 7, 9, 4):
        assert f(vector(n), vector(n)).shape == (n,)
    assert [s.arguments[0] for s in f.signatures()] == ["x: f32[3]", "x: f32[x_0]"]
    assert "a second size of axis 0 of `x`" in f.signatures()[1].why
    f(vector(1), vector(1))
    f(vector(0), vector(0))
    assert len(f.signatures()) == 4, "0 and 1 are on their own"
    f(matrix(2, 2), matrix(2, 2))
    f(vector(6), vector(6))
    assert len(f.signatures()) == 5


def test_sizes_of_0_and_1_do_not_keep_others_from_becoming_symbolic() -> None:
    f = rosin.compile(lambda x: x * 2)
    for n in (1, 0, 2, 3, 4, 5):
        assert f(vector(n)).shape == (n,)
    assert [s.arguments[0] for s in f.signatures()] == ["x: f32[1]", "x: f32[0]", "x: f32[2]", "x: f32[x_0]"]


def test_sizes_are_only_shared_where_an_op_needs_it() -> None:
    f = rosin.compile(lambda x, y: (x * 2, y * 3))
    for n, m in ((3, 3), (4, 4), (5, 6), (7, 3)):
        assert [a.shape for a in f(vector(n), vector(m))] == [(n,), (m,)]
    assert len(f.signatures()) == 2


def test_signatures_read_well_in_a_list() -> None:
    f = rosin.compile(lambda x: x[1:], dynamic={"x": {0: "n"}})
    f(vector(4))
    assert repr(f.signatures()) == "[<Signature (x: f32[n]): dynamic=\n  conditions: n >= 1>]"


def test_nothing_becomes_symbolic_when_that_is_asked() -> None:
    f = rosin.compile(lambda x: x * 2, dynamic=False)
    for n in (3, 4, 5):
        f(vector(n))
    assert [s.arguments[0] for s in f.signatures()] == ["x: f32[3]", "x: f32[4]", "x: f32[5]"]


def test_everything_is_symbolic_when_that_is_asked() -> None:
    f = rosin.compile(lambda x, w: x @ w, dynamic=True)
    f(matrix(4, 3), matrix(3, 5))
    f(matrix(6, 2), matrix(2, 7))
    assert len(f.signatures()) == 1
    f(matrix(1, 3), matrix(3, 5))
    assert len(f.signatures()) == 2
    captured = matrix(3, 5)
    g = rosin.compile(lambda x: x @ captured, dynamic=True)
    g(matrix(4, 3))
    g(matrix(6, 3))
    assert len(g.signatures()) == 1
    with pytest.raises(ShapeError):
        g(matrix(6, 4))


def test_a_decision_in_python_is_a_guard() -> None:
    def f(x: Any) -> Any:
        return x * 2 if x.shape[0] > 10 else x * 3

    g = rosin.compile(f, dynamic={"x": {0: "n"}})
    for n in (3, 20, 5, 11, 10):
        assert g(rnp.ones(n))[0] == (2 if n > 10 else 3)
    assert sorted(s.guards for s in g.signatures()) == [("n <= 10",), ("n >= 11",)]


def test_what_follows_is_no_guard() -> None:
    n = rosin.dim("n", min=4)

    def f(x: Any) -> Any:
        assert x.shape[0] >= 3
        assert x.shape[0] + 1 != x.shape[0]
        return x[:3] if x.shape[0] * 2 > 7 else x

    g = rosin.compile(f, dynamic={"x": rosin.spec(rosin.float32, (n,))})
    assert g(vector(9)).shape == (3,)
    assert g.signatures()[0].guards == ()


def test_a_number_that_python_asks_for_is_a_guard() -> None:
    def f(x: Any) -> Any:
        total = x[0]
        for i in range(1, int(x.shape[0])):
            total = total + x[i]
        return total

    g = rosin.compile(f, dynamic={"x": {0: "n"}})
    for n in (3, 4, 3, 4):
        np.testing.assert_allclose(g(vector(n)), vector(n).sum(), atol=1e-6)
    assert [s.guards for s in g.signatures()] == [("n == 3",), ("n == 4",)]


def test_plain_loops_over_symbolic_sizes_are_loops_of_one_program() -> None:
    def elements(xs: Any) -> Any:
        total = 0.0
        for x in xs:
            total = total + x * x if x > 0 else total * 0.5
        return total

    def pairs(xs: Any) -> Any:
        n = xs.shape[0]
        total = xs[0] * 0
        for i in range(n):
            for j in range(i + 1, n):
                total = total + abs(xs[i] - xs[j]) * (j - i)
        return total

    def until(xs: Any) -> Any:
        total = 0.0
        for i, (a, b) in enumerate(zip(xs, reversed(xs), strict=False)):
            total = total + a * b * i
            if total > 3:
                break
        return total

    def picked(xs: Any) -> Any:
        total = 0.0
        for x in xs[xs > 0]:
            total = total * 0.9 + x
        return total

    for f in (elements, pairs, until, picked):
        g = rosin.compile(f, dynamic={"xs": {0: "n"}})
        slope = rosin.compile(rosin.grad(f), dynamic={"xs": {0: "n"}})
        for n in (3, 7, 1, 30):
            x = vector(n)
            expected = f(x)
            np.testing.assert_allclose(g(x), expected, rtol=1e-5)
            h = 1e-2
            ends = [f(x.astype(np.float64) + step * np.eye(n)[0]) for step in (h, -h)]
            if f is not until and abs(x[0]) > h:
                np.testing.assert_allclose(slope(x)[0], (ends[0] - ends[1]) / (2 * h), rtol=1e-3, atol=1e-3)
        assert [s.guards for s in g.signatures()] == [()]


def test_a_list_of_as_many_items_as_a_symbolic_size_says_needs_the_number() -> None:
    def doubled(xs: Any) -> Any:
        found: list[Any] = []
        for x in xs:
            found.append(x * 2)  # noqa: PERF401  # a loop is what this is about
        return rnp.stack(found)

    g = rosin.compile(doubled, dynamic={"xs": {0: "n"}})
    for n in (3, 4):
        np.testing.assert_array_equal(g(vector(n)), vector(n) * 2)
    assert [s.guards[-1] for s in g.signatures()] == ["n == 3", "n == 4"]
    with pytest.raises(ControlFlowError, match="the `for` loop"):
        rosin.compile(lambda xs: doubled(xs[xs > 0]))(vector(5))


def test_a_comparison_without_a_call_is_an_error() -> None:
    n = rosin.dim("n")
    assert str(n + 1 <= 5) == "n <= 4"
    with pytest.raises(TraceError, match=r"whether `n >= 3` holds is not known"):
        bool(n > 2)
    with pytest.raises(TraceError, match="the number of the symbolic size n is needed"):
        int(n)
    assert bool(n == n)  # equal by proof
    assert hash(n) == hash(rosin.dim("n"))


def test_bad_dims() -> None:
    for options in ({"min": -1}, {"min": 3, "max": 2}, {"multiple_of": 0}):
        with pytest.raises(ValueError, match="leave no size"):
            rosin.dim("n", **options)
    with pytest.raises(RosinError, match="is no condition"):
        rosin.compile(lambda x: x, where=["n ~ 3"])


def test_sizes_that_cannot_be_symbolic_stay_numbers() -> None:
    def f(x: Any) -> Any:
        if not isinstance(x.shape[0], int):
            raise TypeError("I want numbers")
        return x * x.shape[0]

    g = rosin.compile(f)
    for n in (3, 4, 5):
        assert g(rnp.ones(n))[0] == n
    assert "I want numbers" in g.signatures()[-1].why
    with pytest.raises(TypeError, match="I want numbers"):
        rosin.compile(f, dynamic={"x": 0})(rnp.ones(3))


def test_a_function_that_keeps_compiling_is_warned_of() -> None:
    f = rosin.compile(lambda x, y: x * 2, dynamic=False)

    def call() -> None:
        for n in range(2, 14):
            f(vector(n), vector(3))

    message = r"axis 0 of argument `x` had the sizes 2, 3, 4, 5, 6, 7, …"
    with pytest.warns(rosin.RecompileWarning, match=message) as found:
        call()
    assert len(found) == 1
    assert found[0].filename == __file__


def test_the_programs_used_last_are_kept() -> None:
    f = rosin.compile(lambda x: x * 2, dynamic=False, cache_size=3)
    for n in (2, 3, 4):
        f(vector(n))
    f(vector(2))
    f.ir(vector(2))
    f(vector(5))
    assert [s.arguments[0] for s in f.signatures()] == ["x: f32[4]", "x: f32[2]", "x: f32[5]"]
    assert f(vector(3)).shape == (3,)
    f.clear()
    assert f.signatures() == []


def test_donated_arguments_of_symbolic_sizes() -> None:
    f = rosin.compile(lambda x: x + 1, dynamic={"x": 0}, donate_argnames="x")
    f(rnp.ones(7))
    for n in (3, 5000):
        x = rnp.ones(n)
        address = np.asarray(x).ctypes.data
        y = f(x)
        assert np.asarray(y).ctypes.data == address
        with pytest.raises(RosinError, match="donated"):
            print(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_division_by_a_size_rounds_as_division_by_its_number(dtype: type) -> None:
    """Powers of two make a product of it: in rows, in vectors, and of numbers that become infinite or denormal."""

    def f(x: Any) -> Any:
        mean = rnp.sum(x, axis=1, keepdims=True) / x.shape[1]
        return x / x.shape[1], x - mean, rnp.mean(x, axis=0) / (x.shape[0] + 2), x / (x.shape[0] - 3)

    one = rosin.compile(f, dynamic={"x": (0, 1)})
    extreme = [np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal * 3, -0.0, 0.0, np.inf, -np.inf, np.nan]
    for n, m in ((2, 3), (6, 16), (3, 64), (14, 100), (7, 33), (4, 1000)):
        x = np.resize(np.append(np.linspace(-3, 3, 97), extreme).astype(dtype), (n, m))
        for ours, theirs in zip(one(x), rosin.compile(f, dynamic=False)(x), strict=True):
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    assert len(one.signatures()) == 1


def test_sizes_that_break_what_is_known_do_not_divide() -> None:
    d = rosin.dim("d", min=1)
    f = rosin.compile(
        lambda x, y: x[: x.shape[0] // y.shape[0]],
        dynamic={"x": 0, "y": rosin.spec(rosin.float32, (d,))},
    )
    assert f(vector(12), vector(5)).shape == (2,)
    for _ in range(2):
        with pytest.raises(ConstraintError, match="d >= 1"):
            f(vector(12), vector(0))


def test_text_of_stages() -> None:
    f = rosin.compile(lambda x: rnp.exp(x).sum(axis=1), dynamic={"x": {0: "n", 1: "m"}})
    f(matrix(3, 4))
    assert "f32[n, m]" in f.text(matrix(5, 6))
    assert "in n" in f.text(matrix(5, 6), stage="loops")
    assert "@sizes" in f.text(matrix(5, 6), stage="llvm")


MEMORY = """
import sys
import numpy as np
import rosin
from rosin import numpy as rnp

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

count = int(sys.argv[1])
f = rosin.compile(lambda x: rnp.tanh(x * 2).sum() + x[0], dynamic=False)
for n in range(2, 50):
    f(np.ones(n, np.float32))
f.clear()
for round in range(2):
    start = resident()
    for n in range(count):
        f(np.ones(200 + round * count + n, np.float32))
    full = resident()
    f.clear()
    print(full - start, resident() - start)
"""


def memory_of(count: int) -> list[tuple[float, float]]:
    """MiB that so many sizes take, and what of them is left after `clear`: in a new process, then once more in it."""
    command = [sys.executable, "-W", "ignore", "-c", MEMORY, str(count)]
    # Without the disk, so that every size is really compiled.
    environment = {**os.environ, "ROSIN_CACHE": "0"}
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    lines = [tuple(map(float, line.split())) for line in found.stdout.splitlines()]
    return [(grown, left) for grown, left in lines]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_many_sizes_take_little_memory() -> None:
    for grown, left in memory_of(100):
        assert grown < 12, f"{grown} MiB"
        assert left < 6, f"{left} MiB"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_clearing_gives_the_memory_of_a_thousand_sizes_back() -> None:
    for grown, left in memory_of(1000):
        assert 8 < grown < 60, f"{grown} MiB"
        # 1.7 of these are what LLVM's passes leave in llvmlite.
        assert left < 5, f"{left} of {grown} MiB"


def test_programs_die_when_they_are_forgotten() -> None:
    def forgotten(x: Any) -> Any:
        return x * 2

    f = rosin.compile(forgotten, dynamic=False, cache_size=1)
    f(vector(3))
    f(vector(4))
    gc.collect()
    programs = [o for o in gc.get_objects() if isinstance(o, Program) and o.executable.graph.name == "forgotten"]
    assert [p.signature.arguments for p in programs] == [("x: f32[4]",)]
