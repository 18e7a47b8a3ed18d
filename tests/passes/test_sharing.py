"""Loops that threads share, and what runs before a loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import loop_printer
from rosin.ir.loops import Loop
from rosin.ir.steps import Kernel, Program, Repeat, Step, leaves, parts
from rosin.passes import pipeline
from rosin.passes.to_loops import to_loops
from rosin.runtime import threads


def program_of(f: Any, *shapes: tuple[int, ...], dtype: str = "float32") -> Program:
    given = [rnp.asarray(np.zeros(shape, dtype)) for shape in shapes]
    return to_loops(pipeline.run(rosin.compile(f).ir(*given)))


def repeats(steps: Sequence[Step]) -> list[Repeat]:
    inner = [loop for step in steps for inside in parts(step) for loop in repeats(inside)]
    return [step for step in steps if isinstance(step, Repeat)] + inner


def apart(w: Any, xs: Any) -> Any:
    """Steps that do not depend on each other, with values of their own."""
    return rosin.map(lambda x: rnp.tanh(rosin.nn.softmax(x @ w, axis=-1) @ w), xs)


def carried(w: Any, xs: Any) -> Any:
    return rosin.scan(lambda h, x: (rnp.tanh(h @ w + x),) * 2, rnp.zeros_like(xs[0]), xs)[1]


SHAPES = ((128, 128), (8, 100, 128))


def test_threads_share_steps_that_are_apart() -> None:
    program = program_of(apart, *SHAPES)
    (loop,) = repeats(program.steps)
    assert loop.team is not None
    assert "on threads" in loop_printer.text(program)
    inside = {b for leaf in leaves(loop.body) if isinstance(leaf, Kernel) for b in leaf.buffers}
    assert loop.team.offsets.keys() <= inside
    assert loop.team.room.size == loop.team.bytes * loop.team.most
    assert not loop.team.offsets.keys() & program.arena.keys()


def of_attention(q: Any, k: Any, v: Any) -> Any:
    """The gradients of attention, whose steps read rows that their own kernels have written."""

    def total(q: Any, k: Any, v: Any) -> Any:
        return rnp.sum(rnp.sin(rosin.nn.softmax(q @ k.mT / 8, axis=-1) @ v))

    return rosin.grad(total, (0, 1, 2))(q, k, v)


def test_threads_share_the_heads_of_gradients_of_attention() -> None:
    (loop,) = [step for step in program_of(of_attention, *[(8, 256, 64)] * 3).steps if isinstance(step, Repeat)]
    assert loop.team is not None
    given = [np.random.default_rng(i).standard_normal((8, 256, 64)).astype(np.float32) for i in range(3)]
    assert_the_same_on_any_number_of_threads(of_attention, *given)


def mixed(w: Any, xs: Any) -> Any:
    """Steps whose rows need their neighbours."""
    return rosin.scan(lambda h, x: (rnp.tanh(rnp.roll(h, 1, axis=0) @ w + x),) * 2, rnp.zeros_like(xs[0]), xs)[1]


def pooled(w: Any, xs: Any) -> Any:
    """Steps that bring all rows together."""

    def step(h: Any, x: Any) -> Any:
        h = rnp.tanh(h @ w + x)
        return h - rnp.mean(h, axis=0), rnp.sum(h)

    return rosin.scan(step, rnp.zeros_like(xs[0]), xs)


def lstm(w: Any, xs: Any) -> Any:
    """Gates are read at other places than those they are written at."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        take, forget, new, give = rnp.split(rnp.concat([x, h], axis=1) @ w, 4, axis=1)
        c = rosin.nn.sigmoid(forget) * c + rosin.nn.sigmoid(take) * rnp.tanh(new)
        h = rosin.nn.sigmoid(give) * rnp.tanh(c)
        return (h, c), h

    zero = rnp.zeros((xs.shape[1], w.shape[1] // 4), dtype=w.dtype)
    return rosin.scan(step, (zero, zero), xs)


def slopes(w: Any, xs: Any) -> Any:
    """The gradients of the weights are sums over rows, which have left the loop when threads share it."""
    return rosin.grad(lambda w, xs: rnp.sum(lstm(w, xs)[1] ** 2), (0, 1))(w, xs)


def test_threads_do_not_share_steps_that_bring_rows_together_or_are_short() -> None:
    assert all(loop.team is None for loop in repeats(program_of(mixed, *SHAPES).steps))
    assert all(loop.team is None for loop in repeats(program_of(pooled, *SHAPES).steps))
    assert all(loop.team is None for loop in repeats(program_of(apart, (64, 64), (5, 3, 64)).steps))


@pytest.mark.parametrize("back", [False, True])
def test_threads_share_the_rows_of_steps_that_follow_each_other(back: bool) -> None:
    loops = repeats(program_of(slopes if back else lstm, (96, 256), (12, 32, 32)).steps)
    teams = [loop for loop in loops if loop.team is not None]
    assert len(teams) == (2 if back else 1)
    for loop in teams:
        (inner,) = loop.body
        assert isinstance(inner, Repeat)
        assert inner.var.extent == 12
        assert not any(s.parallel for leaf in leaves(loop.body) for s in leaf.body if isinstance(s, Loop))


@pytest.mark.parametrize("rows", [16, 24, 30, 64])
@pytest.mark.parametrize("f", [carried, lstm, slopes])
def test_rows_that_threads_share_are_computed_alike(f: Any, rows: int) -> None:
    rng = np.random.default_rng(0)
    shapes = {carried: ((128, 128), (9, rows, 128)), lstm: ((96, 256), (9, rows, 32))}
    w, xs = (rng.standard_normal(shape).astype(np.float32) / 8 for shape in shapes.get(f, shapes[lstm]))
    found = assert_the_same_on_any_number_of_threads(f, w, xs)
    expected = rosin.tree.leaves(rosin.compile(f, target="interpreter")(w, xs))
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, np.asarray(y), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("count", [4, 7, 40])
def test_shared_loops_compute_the_same_on_any_number_of_threads(count: int) -> None:
    rng = np.random.default_rng(0)
    w = rng.standard_normal((128, 128)).astype(np.float32) / 11
    xs = rng.standard_normal((count, 100, 128)).astype(np.float32)
    scores = xs @ w
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    expected = np.tanh(powers / powers.sum(-1, keepdims=True) @ w)
    found = assert_the_same_on_any_number_of_threads(apart, w, xs)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-6)


def assert_the_same_on_any_number_of_threads(f: Any, *given: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The results, every bit of which is the same on one thread and on others."""
    before = threads.num_threads()
    found: list[list[np.ndarray[Any, Any]]] = []
    try:
        for number in (1, 2, 5, 20):
            threads.set_num_threads(number)
            found.append(list(map(np.asarray, rosin.tree.leaves(rosin.compile(f)(*map(rnp.asarray, given))))))
    finally:
        threads.set_num_threads(before)
    for other in found[1:]:
        for one, first in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(one, first)
    return found[0]


@pytest.mark.parametrize("size", [256, 200, 72])
@pytest.mark.parametrize("turned", [False, True])
def test_operands_that_stay_are_packed_before_the_loop(turned: bool, size: int) -> None:
    """By several kernels, where blocks leave something."""

    def f(w: Any, xs: Any) -> Any:
        return rosin.scan(lambda h, x: (rnp.tanh(h @ (w.T if turned else w) + x),) * 2, rnp.zeros_like(xs[0]), xs)[1]

    program = program_of(f, (size, size), (50, 32, size))
    before = [step.name for step in program.steps if isinstance(step, Kernel)]
    assert any("pack" in name for name in before)
    assert not any("pack" in leaf.name for loop in repeats(program.steps) for leaf in leaves(loop.body))


def test_tiles_of_a_product_are_added_in_place() -> None:
    def f(total: Any, xs: Any, ys: Any) -> Any:
        return rosin.scan(lambda t, z: (t + rnp.sin(z[0]).T @ z[1], None), total, (xs, ys))[0]

    shapes = ((96, 64), (5, 200, 96), (5, 200, 64))
    program = program_of(f, *shapes)
    copied = [leaf.name for loop in repeats(program.steps) for leaf in leaves(loop.body) if "copy" in leaf.name]
    assert not copied
    rng = np.random.default_rng(0)
    total, xs, ys = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    expected = total + np.einsum("tki,tkj->ij", np.sin(xs), ys)
    np.testing.assert_allclose(rosin.compile(f)(*map(rnp.asarray, (total, xs, ys))), expected, rtol=1e-3, atol=1e-3)


def heat(u: Any, steps: int, back: bool = False) -> Any:
    def step(u: Any, _: Any) -> Any:
        around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
        return u.at[1:-1, 1:-1].set(u[1:-1, 1:-1] + 0.2 * (around - 4 * u[1:-1, 1:-1])), None

    return rosin.scan(step, u, None, length=steps, reverse=back)[0]


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
@pytest.mark.parametrize("back", [False, True])
def test_large_carried_values_take_turns(steps: int, back: bool) -> None:
    u = np.random.default_rng(0).standard_normal((150, 211))
    expected = u.copy()
    for _ in range(steps):
        inner, v = expected[1:-1, 1:-1], expected
        around = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:]
        expected = v.copy()
        expected[1:-1, 1:-1] = inner + 0.2 * (around - 4 * inner)
    np.testing.assert_array_equal(rosin.compile(heat, static_argnums=(1, 2))(rnp.asarray(u), steps, back), expected)


def test_a_stencil_is_one_kernel_a_step() -> None:
    program = program_of(lambda u: heat(u, 5), (150, 211))
    (loop,) = repeats(program.steps)
    (kernel,) = loop.body
    assert isinstance(kernel, Kernel)
    assert [b.name.split("_")[0] for b in kernel.buffers] == ["turns"]
