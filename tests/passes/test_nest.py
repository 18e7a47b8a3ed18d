"""Loops of nests: those over lanes are cut where tests on lanes change."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import rosin
from rosin import nn
from rosin import numpy as rnp
from rosin.ir.facts import estimate
from rosin.ir.loops import Guard, Kind, Loop, walk
from rosin.ir.statements import expressions, nested
from rosin.ir.steps import Kernel, Nest, leaves
from rosin.passes import pipeline
from rosin.passes.nest import SCRATCH_BYTES
from rosin.passes.to_loops import to_loops


def smoothed(x: Any) -> Any:
    """Means of neighbours, beyond the ends of which there are zeros."""
    wide = rnp.pad(x, ((0, 0), (2, 1)))
    return rnp.sin(wide[:, :-3] + wide[:, 1:-2] + wide[:, 2:-1] + wide[:, 3:])


def joined(x: Any) -> Any:
    """Each line between some of its own elements, backwards."""
    return rnp.concat([rnp.flip(x[:, :5], axis=1), x, rnp.flip(x[:, -3:], axis=1)], axis=1)


def lane_loops(size: int, function: Any = smoothed) -> list[Loop]:
    program = to_loops(pipeline.run(rosin.compile(function).ir(rnp.asarray(np.zeros((3, size))))))
    nests = (kernel for kernel in leaves(program.steps) if not isinstance(kernel, Nest))
    inside = (s for kernel in nests for s in nested(kernel.body))
    return [s for s in inside if isinstance(s, Loop) and s.kind is Kind.VECTOR]


def columns(x: Any) -> Any:
    """The sums of every three neighbours."""
    return rnp.sum(x.reshape(3, -1, 3), axis=2)


def pooled(x: Any) -> Any:
    """The greatest of windows of three, two apart."""
    return nn.max_pool(x[None], 3, strides=2, padding=1)[0]


@pytest.mark.parametrize(("function", "results"), [(columns, 100), (pooled, 150)])
def test_lanes_are_results_where_they_read_every_second_or_third_element(function: Any, results: int) -> None:
    assert [loop.var.extent for loop in lane_loops(300, function)] in ([results], [3 * results])


def put_together(x: Any) -> Any:
    """Different functions of a line, each in a part of a longer line, as derivatives of slices are."""
    size = x.shape[1]
    parts = [rnp.tanh(x) * rnp.exp(x), rnp.sin(x) * rnp.sinh(x), rnp.cos(x) * rnp.log1p(rnp.abs(x))]
    return sum(rnp.pad(part, ((0, 0), (i * size, (2 - i) * size))) for i, part in enumerate(parts))


@pytest.mark.parametrize(("size", "loops"), [(30, 1), (64, 3), (101, 3)])
def test_loops_are_cut_between_long_pieces(size: int, loops: int) -> None:
    found = lane_loops(size, put_together)
    assert len(found) == loops
    assert all(has_tests(loop) for loop in found) == (loops == 1)
    x = np.random.default_rng(0).standard_normal((3, size))
    parts = [np.tanh(x) * np.exp(x), np.sin(x) * np.sinh(x), np.cos(x) * np.log1p(np.abs(x))]
    np.testing.assert_allclose(rosin.compile(put_together)(rnp.asarray(x)), np.concatenate(parts, axis=1), rtol=1e-13)


@pytest.mark.parametrize("size", [6, 30, 51, 300])
def test_results_of_every_third_element_are_right(size: int) -> None:
    x = np.random.default_rng(0).standard_normal((3, size))
    np.testing.assert_allclose(rosin.compile(columns)(rnp.asarray(x)), x.reshape(3, -1, 3).sum(axis=2), rtol=1e-13)
    wide = np.pad(x, ((0, 0), (1, 1)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(wide, 3, axis=1)[:, ::2]
    np.testing.assert_array_equal(rosin.compile(pooled)(rnp.asarray(x)), windows.max(axis=2))


def has_tests(loop: Loop) -> bool:
    return any(isinstance(e, Guard) for top in expressions(loop.body) for e in walk(top))


def test_only_the_borders_of_a_long_line_are_tested() -> None:
    loops = lane_loops(300)
    assert [loop.var.extent for loop in loops] == [16, 272, 12]
    assert [has_tests(loop) for loop in loops] == [True, False, True]


def test_most_of_a_line_that_is_joined_of_pieces_is_copied_without_tests() -> None:
    loops = lane_loops(300, joined)
    assert [loop.var.extent for loop in loops] == [16, 288, 4]
    assert [has_tests(loop) for loop in loops] == [True, False, True]


@pytest.mark.parametrize("size", [6, 127, 130, 300])
def test_joined_lines_are_right(size: int) -> None:
    x = np.random.default_rng(0).standard_normal((3, size))
    expected = np.concatenate([x[:, :5][:, ::-1], x, x[:, -3:][:, ::-1]], axis=1)
    np.testing.assert_array_equal(rosin.compile(joined)(rnp.asarray(x)), expected)


def test_a_short_line_is_one_loop() -> None:
    assert len(lane_loops(100)) == 1


@pytest.mark.parametrize("size", [15, 127, 128, 129, 145, 300])
def test_cut_loops_compute_the_same(size: int) -> None:
    x = np.random.default_rng(0).standard_normal((3, size))
    wide = np.pad(x, ((0, 0), (2, 1)))
    expected = np.sin(wide[:, :-3] + wide[:, 1:-2] + wide[:, 2:-1] + wide[:, 3:])
    np.testing.assert_allclose(rosin.compile(smoothed)(rnp.asarray(x)), expected, rtol=1e-14, atol=1e-15)


def test_what_a_store_and_a_sum_share_is_read_once() -> None:
    """A kernel may write over what it reads, which is in a register by then; so a fold over a small window, which is
    written out, must not read it again for its sum."""

    def halve(x: Any, wanted: Any) -> Any:
        y = rnp.where(wanted[:, None], rnp.sin(x) * 0.5, x)
        return y, rnp.sum(y, axis=1) > 0.3

    x, wanted = np.random.default_rng(0).uniform(0.1, 1.0, (40, 2)), np.arange(40) % 3 > 0
    step = rosin.compile(halve, donate_argnums=0)
    written, summed = "out0[2*i0] = v1\n", "sum0 <- v1\n"
    assert f"{written}      {summed}" in step.text(x, wanted, stage="loops")
    found, more = step(rnp.array(x), wanted)
    halved = np.where(wanted[:, None], np.sin(x) * 0.5, x)
    np.testing.assert_allclose(found, halved, rtol=1e-13)
    np.testing.assert_array_equal(more, halved.sum(axis=1) > 0.3)


@pytest.mark.parametrize(("rows", "shared"), [(300, True), (100, False)])
def test_copies_of_what_fits_no_near_cache_run_on_threads(rows: int, shared: bool) -> None:
    """A copy is little work and many bytes."""
    program = to_loops(
        pipeline.run(rosin.compile(rnp.matrix_transpose).ir(rnp.asarray(np.zeros((rows, 500), np.float32))))
    )
    (kernel,) = leaves(program.steps)
    assert any(isinstance(s, Loop) and s.parallel for s in kernel.body) == shared


def filtered(x: Any) -> Any:
    """Each line under a window of five weights of its own."""
    return nn.conv(x[None], rnp.ones((3, 1, 5), rnp.float32), padding=2, groups=3)


def test_sums_over_short_windows_run_beside_each_other() -> None:
    """Five terms that lie side by side are no vector; the sums are, along the line that windows slide over."""
    assert {loop.var.extent for loop in lane_loops(60, filtered)} == {60}


@pytest.mark.parametrize("shape", [(2, 19, 4096), (1, 19, 6001), (3, 700, 130), (20, 5000)])
def test_lanes_whose_rows_take_too_much_run_in_bands(shape: tuple[int, ...]) -> None:
    """The scratch arrays of all lanes would not fit: some lanes at a time, and what is left over."""
    axis = len(shape) - 2
    function = rosin.compile(lambda x: nn.softmax(x, axis=axis))
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    (kernel,) = leaves(to_loops(pipeline.run(function.ir(rnp.asarray(x)))).steps)
    assert isinstance(kernel, Kernel)
    loops = [s for s in nested(kernel.body) if isinstance(s, Loop)]
    assert max(estimate(loop.var.extent) for loop in loops if loop.kind is Kind.VECTOR) < shape[-1]
    assert sum(estimate(b.bytes) for b in kernel.scratch) <= SCRATCH_BYTES
    powers = np.exp(x - x.max(axis, keepdims=True))
    np.testing.assert_allclose(function(rnp.asarray(x)), powers / powers.sum(axis, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "int8", "bool", "bfloat16"])
@pytest.mark.parametrize("size", [15, 1000])
def test_what_is_read_backwards_under_a_mask_is_right(size: int, dtype: str) -> None:
    x = (rnp.asarray(np.random.default_rng(0).standard_normal(size)) * 50).astype(dtype)
    given = np.asarray(x)
    for ours, theirs in zip(
        rosin.compile(lambda x: (x[::-1], rnp.concat([x[::-1], x, x[::-1]]), rnp.pad(x[::-1], (3, 5))))(x),
        (given[::-1], np.concatenate([given[::-1], given, given[::-1]]), np.pad(given[::-1], (3, 5))),
        strict=True,
    ):
        np.testing.assert_array_equal(np.asarray(ours), theirs)


@pytest.mark.parametrize("shape", [(64, 48), (33, 100), (17, 16), (100, 3), (3, 40, 50)], ids=str)
def test_folds_of_arrays_and_turned_ones_read_squares(shape: tuple[int, ...]) -> None:
    """What lies across memory of one array is read as blocks of the other one; what is left over is right as well."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape), rng.standard_normal((*shape[:-2], shape[-1], shape[-2]))

    def folds(x: Any, y: Any) -> Any:
        turned = rnp.matrix_transpose(y)
        return rnp.sum(x * turned, axis=(-1, -2)), rnp.max(x - turned, axis=(-1, -2)), rnp.sum(x * turned)

    turned = np.matrix_transpose(y)
    expected = np.sum(x * turned, (-1, -2)), np.max(x - turned, (-1, -2)), np.sum(x * turned)
    for ours, theirs in zip(rosin.compile(folds)(x, y), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "bool", "complex64"])
@pytest.mark.parametrize("size", [1, 7, 16, 100, 70_000])
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_arrays_that_are_stacked_side_by_side_are_right(count: int, size: int, dtype: str) -> None:
    arrays = [(np.random.default_rng(i).normal(size=size) * 10).astype(dtype) for i in range(count)]
    found = rosin.compile(lambda *arrays: rosin.numpy.stack(arrays, axis=-1))(*arrays)
    np.testing.assert_array_equal(np.asarray(found), np.stack(arrays, axis=-1))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_arrays_that_are_stacked_side_by_side_are_written_together(count: int) -> None:
    """Each vector of them in one block: no element goes to its place by itself."""
    arrays = [np.ones((300, 500), np.float32)] * count
    stacked = rosin.compile(lambda *arrays: rosin.numpy.stack(arrays, axis=-1))
    assert "scatter" not in stacked.text(*arrays, stage="llvm")
    assert " if " not in stacked.text(*arrays, stage="loops")


REPEATED: list[tuple[Any, tuple[int, ...]]] = [
    (lambda n, x: n.tile(x, (2, 3)), (5, 7)),
    (lambda n, x: n.tile(x, (3, 2)), (50, 33)),
    (lambda n, x: n.repeat(x, 3, axis=1), (5, 37)),
    (lambda n, x: n.repeat(x, 4, axis=1) * 2, (9, 70)),
    (lambda n, x: n.repeat(n.repeat(x, 2, axis=2), 2, axis=1), (3, 10, 21)),
    (lambda n, x: n.repeat(n.repeat(n.repeat(x, 2, axis=1), 3, axis=1), 5, axis=0), (4, 6)),
    (lambda n, x: n.stack([x[..., 0::2] - x[..., 1::2], x[..., 1::2]], axis=-1).reshape(x.shape) * x, (6, 10, 32)),
    (lambda n, x: n.transpose(x.reshape(2, 3, 2, 2, 5, 7), (0, 1, 4, 2, 5, 3)).reshape(2, 3, 10, 14), (2, 12, 5, 7)),
    (lambda n, x: n.exp(n.repeat(x, 3, axis=0)).reshape(-1) + 1, (11, 13)),
    (lambda n, x: n.transpose(n.flip(n.repeat(x, 2, axis=0), 0)).reshape(-1, 2), (100, 4)),
    (lambda n, x: n.transpose(n.flip(n.repeat(x, 3, axis=0), 0)).reshape(-1, 3), (90, 4)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
@pytest.mark.parametrize("at", range(len(REPEATED)))
def test_what_is_repeated_is_right(at: int, dtype: str) -> None:
    """Also for shapes that are not known before."""
    function, shape = REPEATED[at]
    x = (np.random.default_rng(0).normal(size=shape) * 3).astype(dtype)
    expected = function(np, x)
    for options in ({}, {"dynamic": {"x": (0,)}} if at < 5 else {}):
        found = rosin.compile(lambda x: function(rnp, x), **options)(x)
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-2 if dtype == "int8" else 1e-6)


@pytest.mark.parametrize("at", [0, 2, 4, 6])
def test_what_is_repeated_is_read_without_divisions(at: int) -> None:
    function, shape = REPEATED[at]
    text = rosin.compile(lambda x: function(rnp, x)).text(np.ones(shape, np.float32), stage="loops")
    assert not {"//", "%"} & set(text.split())


def rotated(x: Any, c: Any, s: Any) -> Any:
    """Pairs of neighbours, each turned by an angle."""
    return rnp.stack([x[..., 0::2] * c - x[..., 1::2] * s, x[..., 0::2] * s + x[..., 1::2] * c], axis=-1)


def test_gradients_of_every_second_element_are_put_together_without_tests() -> None:
    """The gradient of a rotation rotates back."""
    x, weights = np.random.default_rng(0).normal(size=(2, 5, 12, 64)).astype(np.float32)
    angle = np.random.default_rng(1).normal(size=(12, 32)).astype(np.float32)
    c, s = np.cos(angle), np.sin(angle)
    function = rosin.compile(lambda x, w: rosin.grad(lambda x: rnp.sum(rotated(x, c, s).reshape(x.shape) * w))(x))
    turned = np.stack(
        [weights[..., 0::2] * c + weights[..., 1::2] * s, weights[..., 1::2] * c - weights[..., 0::2] * s], -1
    )
    np.testing.assert_allclose(np.asarray(function(x, weights)), turned.reshape(x.shape), rtol=1e-5, atol=1e-6)
    text = function.text(x, weights, stage="loops")
    assert " if " not in text
    assert not {"//", "%"} & set(text.split())


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "bfloat16"])
@pytest.mark.parametrize("shape", [(512, 512), (530, 1025), (3, 600, 529)], ids=str)
def test_large_arrays_are_turned_in_groups_of_squares(shape: tuple[int, ...], dtype: str) -> None:
    """Groups and lanes leave rests, or none."""
    x = np.arange(math.prod(shape)).reshape(shape).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)

    @rosin.compile
    def f(x: Any) -> Any:
        return rnp.swapaxes(x, -1, -2) + x[..., :1, :1]

    assert "_square in" in f.text(x, stage="loops")
    np.testing.assert_array_equal(f(x), np.swapaxes(x, -1, -2) + x[..., :1, :1])
