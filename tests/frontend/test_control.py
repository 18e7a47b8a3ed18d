"""Loops and branches: against plain Python, under every transform, nested, eager and compiled, and against JAX."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rosin
from rosin import numpy as rnp
from rosin.frontend import core
from rosin.frontend.errors import ControlFlowError
from tests.control_flow import CASES, Case, Floats, Plain

cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def traced(case: Case) -> Any:
    return lambda x: case.function(rosin, rnp, x)


def plain(case: Case, x: Floats) -> Floats:
    return np.asarray(case.function(Plain, np, x))


def close(found: Any, expected: Any, tolerance: float = 1e-10) -> None:
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=tolerance, atol=tolerance)


def slope(case: Case, x: Floats, direction: Floats, step: float = 1e-5) -> Floats:
    """The derivative of the plain function along a direction, by central differences of fourth order."""

    def at(t: float) -> Floats:
        return plain(case, x + t * step * direction)

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


def direction(case: Case, seed: int = 7) -> Floats:
    return np.random.default_rng(seed).normal(size=case.size)


# -- every case, every way -----------------------------------------------------------------------------------------


@cases
def test_value(case: Case) -> None:
    compiled = rosin.compile(traced(case))
    for seed in range(6):
        x = case.sample(seed)
        close(traced(case)(rnp.asarray(x)), plain(case, x))
        close(compiled(x), plain(case, x))


@cases
def test_interpreter(case: Case) -> None:
    x = case.sample(3)
    close(rosin.compile(traced(case), target="interpreter")(x), plain(case, x))


@pytest.mark.thinned(2)
@cases
def test_jvp(case: Case) -> None:
    along = direction(case)
    compiled = rosin.compile(lambda x: rosin.jvp(traced(case), (x,), (along,)))
    for seed in range(3):
        x = case.sample(seed)
        for value, derivative in (compiled(x), rosin.jvp(traced(case), (x,), (along,))):
            close(value, plain(case, x))
            close(derivative, slope(case, x, along), 1e-6)


@pytest.mark.thinned(2)
@cases
def test_grad(case: Case) -> None:
    weights = np.random.default_rng(3).normal(size=plain(case, case.sample(0)).shape)

    def loss(x: Any) -> Any:
        return rnp.sum(case.function(rosin, rnp, x) * weights)

    compiled = rosin.compile(rosin.grad(loss))
    for seed in range(3):
        x = case.sample(seed)
        expected = [np.sum(slope(case, x, unit) * weights) for unit in np.eye(case.size)]
        close(compiled(x), expected, 1e-6)
        close(rosin.grad(loss)(x), expected, 1e-6)


@pytest.mark.thinned(3)
@cases
def test_second_derivative(case: Case) -> None:
    """Forward over reverse and reverse over reverse agree with the slope of the gradient."""
    x, along = case.sample(1), direction(case)
    first = rosin.compile(rosin.grad(lambda x: rnp.sum(case.function(rosin, rnp, x))))
    step = 1e-5
    expected = (np.asarray(first(x + step * along)) - np.asarray(first(x - step * along))) / (2 * step)
    close(rosin.compile(lambda x: rosin.jvp(first, (x,), (along,))[1])(x), expected, 1e-4)
    close(rosin.compile(rosin.grad(lambda x: rnp.sum(first(x) * along)))(x), expected, 1e-4)


@pytest.mark.thinned(2)
@cases
def test_vmap(case: Case) -> None:
    xs = np.stack([case.sample(seed) for seed in range(8)])
    expected = np.stack([plain(case, x) for x in xs])
    close(rosin.compile(rosin.vmap(traced(case)))(xs), expected)
    close(rosin.vmap(traced(case))(xs), expected)


@pytest.mark.thinned(3)
@cases
def test_vmap_of_jvp_and_jvp_of_vmap(case: Case) -> None:
    xs = np.stack([case.sample(seed) for seed in range(5)])
    along = np.stack([direction(case, seed) for seed in range(5)])
    expected = np.stack([slope(case, x, d) for x, d in zip(xs, along, strict=True)])
    one = rosin.vmap(lambda x, d: rosin.jvp(traced(case), (x,), (d,))[1])
    close(rosin.compile(one)(xs, along), expected, 1e-6)
    close(rosin.compile(lambda x, d: rosin.jvp(rosin.vmap(traced(case)), (x,), (d,))[1])(xs, along), expected, 1e-6)


@pytest.mark.thinned(2)
@cases
def test_vmap_of_grad(case: Case) -> None:
    gradient = rosin.grad(lambda x: rnp.sum(case.function(rosin, rnp, x)))
    xs = np.stack([case.sample(seed) for seed in range(5)])
    close(rosin.compile(rosin.vmap(gradient))(xs), np.stack([np.asarray(gradient(x)) for x in xs]))


@pytest.mark.peers
@cases
def test_like_jax(case: Case) -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)

    class Lax:
        cond, switch, while_loop, fori_loop = jax.lax.cond, jax.lax.switch, jax.lax.while_loop, jax.lax.fori_loop
        scan, map, associative_scan = jax.lax.scan, jax.lax.map, jax.lax.associative_scan

    theirs = jax.jit(lambda x: case.function(Lax, jax.numpy, x))
    x = case.sample(2)
    close(rosin.compile(traced(case))(x), theirs(x))
    close(
        rosin.compile(rosin.jacfwd(traced(case)))(x),
        jax.jacfwd(lambda x: case.function(Lax, jax.numpy, x))(x),
    )


# -- what JAX's functions do beyond values -------------------------------------------------------------------------


def dtype_of(x: Any) -> str:
    return np.asarray(x).dtype.name


@pytest.mark.parametrize("way", [lambda f: f, rosin.compile], ids=["eager", "compiled"])
class TestDtypes:
    def test_number_in_a_carry_takes_the_dtype_of_the_body(self, way: Any) -> None:
        f = way(lambda x: rosin.while_loop(lambda c: c < 3, lambda c: c + x, 0))
        assert dtype_of(f(np.float32(1.5))) == "float32"
        assert float(f(np.float32(1.5))) == 3.0
        assert dtype_of(f(np.float64(1.5))) == "float64"

    def test_number_that_comes_back_takes_the_dtype_of_the_carry(self, way: Any) -> None:
        f = way(lambda x: rosin.scan(lambda c, e: (1, c), x, None, 2)[0])
        assert dtype_of(f(rnp.ones((), dtype="float16"))) == "float16"

    def test_numbers_alone_promote(self, way: Any) -> None:
        f = way(lambda n: rosin.fori_loop(0, n, lambda i, c: c + 0.5, 1))
        assert dtype_of(f(3)) == "float32"
        assert float(f(3)) == 2.5

    def test_a_chain_of_carries_settles(self, way: Any) -> None:
        """Each carry gets the dtype of the next one, so the last one's reaches the first in several rounds."""

        def run(x: Any) -> Any:
            return rosin.scan(lambda s, _: ((s[1] + 1, s[2] * 2, s[3], x), None), (0, 0, 0, 0), None, 5)[0]

        found = way(run)(np.float64(0.25))
        assert [dtype_of(v) for v in found] == ["float64"] * 4
        np.testing.assert_allclose(np.asarray([float(v) for v in found]), [1.5, 0.5, 0.25, 0.25])

    def test_branches_promote_numbers(self, way: Any) -> None:
        f = way(lambda p, x: rosin.cond(p, lambda: 1, lambda: x))
        assert dtype_of(f(True, rnp.ones((), dtype="float16"))) == "float16"
        g = way(lambda p: rosin.cond(p, lambda: 1, lambda: 2.5))
        assert dtype_of(g(True)) == "float32"
        h = way(lambda i, x: rosin.switch(i, [lambda: 1, lambda: x, lambda: 2]))
        assert dtype_of(h(2, rnp.ones((), dtype="int8"))) == "int8"

    def test_a_result_that_is_a_number_stays_weak(self, way: Any) -> None:
        f = rosin.compile(lambda p, x: rosin.cond(p, lambda: 2.0, lambda: 3.0) * x)
        assert dtype_of(f(True, rnp.ones(2, dtype="float16"))) == "float16"

    def test_counter_is_a_number(self, way: Any) -> None:
        f = way(lambda x: rosin.fori_loop(0, 3, lambda i, c: c + i, x))
        assert dtype_of(f(rnp.ones((), dtype="uint8"))) == "uint8"

    def test_bounds_beyond_int32(self, way: Any) -> None:
        start = 1 << 40
        f = way(lambda x: rosin.fori_loop(start, start + 3, lambda i, c: c + i, x))
        assert int(f(np.int64(1))) == 3 * start + 4


@given(st.integers(-3, 9), st.sampled_from(["int8", "int32", "int64", "uint8", "uint64"]))
def test_switch_clamps_any_integer(index: int, dtype: str) -> None:
    if index < 0 and dtype.startswith("u"):
        index = np.iinfo(dtype).max
    expected = min(max(index, 0), 2)
    branches = [lambda x: x, lambda x: x + 1, lambda x: x + 2]
    number = np.asarray(index, dtype)
    assert float(rosin.switch(number, branches, 0.0)) == expected
    assert float(_switched(number)) == expected


_switched = rosin.compile(lambda i: rosin.switch(i, [lambda x: x, lambda x: x + 1, lambda x: x + 2], 0.0))


def test_only_the_chosen_branch_runs() -> None:
    """A loop that would not end stands in the other branch."""

    def forever(x: Any) -> Any:
        return rosin.while_loop(lambda y: True, lambda y: y, x)

    def choose(p: Any) -> Any:
        return rosin.cond(p, lambda x: x + 1, forever, 1.0)

    assert float(choose(True)) == 2.0
    assert float(rosin.compile(choose)(True)) == 2.0


def test_bodies_are_traced_once() -> None:
    traces = {"body": 0, "test": 0, "true": 0, "false": 0}

    def counted(name: str, function: Any) -> Any:
        def wrapped(*args: Any) -> Any:
            traces[name] += 1
            return function(*args)

        return wrapped

    rosin.while_loop(counted("test", lambda c: c < 3), counted("body", lambda c: c + 1), 0)
    rosin.cond(True, counted("true", lambda: 1), counted("false", lambda: 2))
    assert traces == {"body": 1, "test": 1, "true": 1, "false": 1}


def test_eager_calls_compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    path = core.compile_path()
    real = path.compile_graph

    def counting(graph: Any, *rest: Any) -> Any:
        compiled.append(graph.name)
        return real(graph, *rest)

    monkeypatch.setattr(path, "compile_graph", counting)
    for start in (0.0, 1.0, 2.0):
        # Another function each time, that does the same.
        result, _ = rosin.scan(lambda c, x: (c * 0.875 + x, None), start, rnp.arange(7.0))
        expected, _ = Plain.scan(lambda c, x: (c * 0.875 + x, None), start, np.arange(7.0))
        np.testing.assert_allclose(float(result), expected, rtol=1e-6)
    assert len(compiled) == 1


def test_eager_kernels_are_not_kept_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_KERNELS_LIMIT", 3)
    core._planned.clear()  # pyright: ignore[reportPrivateUsage]
    core._plans.clear()  # pyright: ignore[reportPrivateUsage]
    for factor in range(6):
        found = rosin.fori_loop(0, 2, lambda i, y, factor=factor: y * (factor + 0.5), 1.0)
        assert float(found) == (factor + 0.5) ** 2
    kernels = [key for key, kernel in core._plans.items() if kernel is not None]  # pyright: ignore[reportPrivateUsage]
    assert kernels == list(core._planned)  # pyright: ignore[reportPrivateUsage]
    assert len(kernels) == 3


def test_a_captured_array_is_read_when_the_loop_runs() -> None:
    weight = np.ones(2)

    @rosin.compile
    def f(x: Any) -> Any:
        return rosin.fori_loop(0, 2, lambda i, y: y * weight, x)

    assert f(np.ones(2)).tolist() == [1, 1]
    weight[:] = 3
    assert f(np.ones(2)).tolist() == [9, 9]


def test_trees_of_every_kind_are_carried() -> None:
    class Pair(NamedTuple):
        a: Any
        b: Any

    @dataclasses.dataclass
    class State:
        pair: Pair
        extra: Any
        label: str = dataclasses.field(metadata={"static": True})

    start = State(Pair(1.0, [2.0, None]), {"k": ()}, "s")
    found = rosin.while_loop(
        lambda s: s.pair.a < 10,
        lambda s: dataclasses.replace(s, pair=Pair(s.pair.a * 2, [s.pair.b[0] + 1, None])),
        start,
    )
    assert isinstance(found, State)
    assert found.label == "s"
    assert (float(found.pair.a), float(found.pair.b[0]), found.pair.b[1], found.extra) == (16.0, 6.0, None, {"k": ()})


def test_empty_carries_and_no_steps() -> None:
    carry, rows = rosin.scan(lambda c, x: (None, x * 2), None, rnp.zeros((0, 3)))
    assert carry is None
    assert rows.shape == (0, 3)
    assert rosin.scan(lambda c, x: (c + 1, None), 5, None, 0)[0].item() == 5
    assert rosin.fori_loop(4, 4, lambda i, c: c + 1, 5).item() == 5


def test_psum_inside_a_loop_sees_the_batch() -> None:
    def f(x: Any) -> Any:
        return rosin.fori_loop(0, 2, lambda i, y: y + rosin.psum(y, "batch"), x)

    found = rosin.compile(rosin.vmap(f, axis_name="batch"))(np.asarray([1.0, 2.0]))
    assert found.tolist() == [13.0, 14.0]


def test_unbatched_predicate_keeps_the_branch() -> None:
    f = rosin.vmap(lambda p, x: rosin.cond(p, lambda y: y * 2, lambda y: y + 1, x), in_axes=(None, 0))
    text = rosin.compile(f).text(True, np.ones(3))
    assert "switch(" in text
    assert "select" not in text
    assert f(True, np.ones(3)).tolist() == [2, 2, 2]
    assert rosin.compile(f)(False, np.ones(3)).tolist() == [2, 2, 2]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan_of_any_length(size: int, axis: int, reverse: bool) -> None:
    shape = (size, 3) if axis == 0 else (3, size)
    x = np.random.default_rng(size).normal(size=shape)

    def combine(a: Any, b: Any) -> Any:
        return {"x": a["x"] + b["x"]}

    found = rosin.compile(lambda x: rosin.associative_scan(combine, {"x": x}, reverse=reverse, axis=axis))(x)["x"]
    expected = np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)
    close(found, expected)


def test_associative_scan_keeps_the_order_of_operands() -> None:
    matrices = np.random.default_rng(0).normal(size=(6, 2, 2))
    for reverse in (False, True):
        found = rosin.associative_scan(rnp.matmul, rnp.asarray(matrices), reverse=reverse)
        close(found, Plain.associative_scan(np.matmul, matrices, reverse=reverse))


def test_reverse_through_a_traced_bound() -> None:
    slope = rosin.compile(rosin.grad(lambda x, n: rosin.fori_loop(0, n, lambda i, y: y * x, x)))
    for n in (0, 1, 3, 10):
        close(slope(1.1, n), (n + 1) * 1.1**n, 1e-5)


@pytest.mark.parametrize("checkpoint", ["sqrt", 3])
def test_checkpoints(checkpoint: Any) -> None:
    """Each kind of loop has the same gradient, and says what is no plan."""

    def loops(x: Any, plan: Any) -> Any:
        _, rows = rosin.scan(lambda c, y: (rnp.sin(c * y), c), x, rnp.arange(1.0, 8.0), checkpoint=plan)
        known = rosin.fori_loop(0, 7, lambda i, c: rnp.sin(c) * 1.5, x, checkpoint=plan)
        traced = rosin.fori_loop(0, rnp.asarray(7), lambda i, c: rnp.sin(c) * 1.5, x, checkpoint=plan)
        last = rosin.while_loop(lambda c: c > 0.2, lambda c: rnp.sin(c) * 0.9, x, checkpoint=plan)
        return rnp.sum(rows) + known + traced + last

    for x in (0.4, 1.1):
        slope = rosin.compile(rosin.grad(lambda x: loops(x, checkpoint)))(x)
        close(slope, rosin.grad(lambda x: loops(x, None))(x), 1e-5)
    with pytest.raises(rosin.RosinError, match="not 'all'"):
        loops(1.0, "all")


def test_a_python_error_in_a_body_leaves_no_trace_behind() -> None:
    def broken(c: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        rosin.while_loop(lambda c: c < 1, broken, 0)
    assert not core.tracing()


def test_names_of_a_carry_in_messages() -> None:
    with pytest.raises(ControlFlowError, match=r"state\['pos'\]\[1\] differ"):
        rosin.while_loop(lambda s: True, lambda state: {"pos": (state["pos"][0], rnp.ones(2))}, {"pos": (1.0, 2.0)})


def test_a_loop_whose_results_nothing_uses_is_dropped() -> None:
    """Even one that would not end; but not one that Python is told of."""

    def forever(x: Any) -> Any:
        return rosin.while_loop(lambda y: y == y, lambda y: y * 1, x)

    def told(x: Any) -> Any:
        return rosin.while_loop(lambda y: y > 0, lambda y: (rosin.check(y < 3, "too large"), y - 1)[1], x)

    assert float(rosin.compile(lambda x: (forever(x), x + 1)[1])(1.0)) == 2.0
    with pytest.raises(rosin.CheckError, match="too large"):
        rosin.compile(lambda x: (told(x), x + 1)[1])(4.0)


@pytest.mark.parametrize(
    ("wide", "narrow"), [("float32", "bfloat16"), ("int32", "int16"), ("int32", "int8"), ("int64", "int32")]
)
def test_steps_that_narrow_rows_leave_other_rows_alone(wide: str, narrow: str) -> None:
    """What is left of a row beyond whole vectors, of 4 to 16 numbers, is one number here."""
    for size in (9, 17):
        x = rnp.asarray(np.arange(5 * size).reshape(5, size) % 50, dtype=wide)
        found = rosin.compile(lambda x: rosin.map(lambda row: (row + row).astype(narrow), x))(x)
        np.testing.assert_array_equal(np.asarray(found).astype(np.float64), 2 * np.asarray(x).astype(np.float64))
