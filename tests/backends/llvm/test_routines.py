"""Routines that have the code of one way alone do what those with all of it do."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.backends.llvm import routines
from rosin.backends.llvm.modules import called, split
from rosin.backends.llvm.routines import routine_for
from rosin.ir import dims
from rosin.ir.dtypes import f64
from rosin.ir.ops.cholesky import Cholesky
from rosin.ir.types import TensorType
from rosin.passes.on_threads import PARALLEL_WORK

RNG = np.random.default_rng(0)
N = dims.parse("n")


def line(*numbers: int) -> tuple[int, ...]:
    """The numbers of a transform: length, inner and outer lines, and others that decide nothing."""
    return (*numbers, 1, 1, 1, 0, 0)


@pytest.mark.parametrize(
    ("name", "numbers", "found"),
    [
        ("sort_i32", (3, 0), "sort.network8_i32"),
        ("sort_i32", (64, 0), "sort.network64_i32"),
        ("sort_i32", (65, 0), "sort.short_i32"),
        ("sort_i32", (2049, 0), "sort.chunk_i32"),
        ("sort_i32", (N, 0), "sort_i32"),
        ("argsort_f64", (513, 1), "argsort.chunk_f64"),
        ("dft_f32", line(16, 1, 1), "dft.single_passes_f32"),
        ("dft_f32", line(16, 1, 5), "dft.each_passes_f32"),
        ("dft_f32", line(16, 1, 64), "dft.short_f32"),
        ("dft_f32", line(16, 3, 1), "dft.across_passes_f32"),
        ("dft_f32", line(97, 1, 1), "dft.single_chirp_f32"),
        ("dft_f32", line(97, 5, 1), "dft.across_chirp_f32"),
        ("dft_f32", line(97, 1, 1000), "dft.each_chirp_f32"),
        ("dft_f32", line(1 << 16, 1, 1), "dft.single_grid_f32"),
        ("dft_f32", line(1 << 16, 2, 1), "dft.across_passes_f32"),
        ("dft_f32", line(0, 1, 1), "dft_f32"),
        ("dft_f32", (16, N, 1, 1, 1, 1, 0, 0), "dft_f32"),
        ("realdft_f64", line(194, 1, 1), "realdft.single_even_chirp_f64"),
        ("realdft_f64", line(12, 1, 1), "realdft.single_even_passes_f64"),
        ("realdft_f64", line(1 << 17, 1, 3), "realdft.each_even_grid_f64"),
        ("halfdft_f64", line(15, 1, 1), "halfdft.single_odd_passes_f64"),
        ("halfdft_f64", line(15, 1, 7), "halfdft.each_odd_passes_f64"),
        ("halfdft_f64", line(15, 1, 8), "halfdft.across_passes_f64"),
        ("halfdft_f64", line(15, 1, 64), "halfdft.short_f64"),
        ("svd_f32", (1000, 16, 0, 3, 4, 3, 1), "svd.lanes_f32"),
        ("svd_f32", (1, 1, 0, 5, 5, 5, 1), "svd.lapack_f32"),
        ("svd_f32", (1000, 16, 0, 0, 4, 0, 1), "svd.lapack_f32"),
        ("svd_f32", (N, 16, 0, 3, 3, 3, 1), "svd_f32"),
        ("svd_c64", (1000, 16, 0, 3, 3, 3, 1), "svd_c64"),
        ("eigh_f32", (1000, 16, 0, 8), "eigh.lanes_f32"),
        ("eigh_f32", (1, 1, 0, 32), "eigh.lapack_f32"),
        ("eigh_f32", (1, 1, 0, 33), "eigh.halves_f32"),
        ("eigh_c64", (1000, 16, 0, 4), "eigh.lapack_c64"),
        ("eigh_c64", (N, 16, 0, 33), "eigh.halves_c64"),
        ("eigh_f32", (1, 1, 0, N), "eigh_f32"),
        ("eigh_values_f64", (1, 1, 0, 100), "eigh_values.lapack_f64"),
        ("solve_f32", (1, 1, 0, 8, 9), "solve.lapack_f32"),
        ("solve_f32", (1, 1, 0, 8, 8), "solve.lanes_f32"),
        ("solve_f32", (2, 2, 0, 8, 9), "solve.lanes_f32"),
    ],
)
def test_what_is_known_of_a_call_decides_which_routine_it_calls(
    name: str, numbers: Sequence[dims.Dim], found: str
) -> None:
    assert routine_for(name, numbers, 32) == found


def draw(*shape: int, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    return RNG.standard_normal(shape).astype(dtype)


def positive(*shape: int) -> np.ndarray[Any, Any]:
    x = draw(*shape)
    return x @ np.swapaxes(x, -1, -2) + shape[-1] * np.eye(shape[-1], dtype=np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (rnp.sort, [np.round(draw(*shape), 1) for shape in ((7, 5), (3, 40), (2, 700), (3000,))]),
        (rnp.argsort, [np.round(draw(n, dtype=np.float64), 2) for n in (3, 33, 600)]),
        (rnp.fft.fft, [draw(*shape) + 1j * draw(*shape) for shape in ((16,), (3, 15), (70, 15), (97,), (1 << 16,))]),
        (lambda x: rnp.fft.fft(x, axis=0), [draw(n, count) + 0j for n in (12, 97) for count in (5, 9, 16, 17)]),
        (rnp.fft.rfft, [draw(*shape) for shape in ((16,), (15,), (5, 15), (20, 15), (70, 16), (194,), (1 << 17,))]),
        (lambda x: rnp.fft.irfft(x, 15), [draw(8) + 0j, draw(4, 8) + 0j, draw(21, 8) + 0j]),
        (rnp.linalg.svd, [draw(9, 3, 4), draw(2, 40, 3)]),
        (rnp.linalg.eigh, [positive(9, 3, 3), positive(40, 40)]),
        (rnp.linalg.cholesky, [positive(9, 3, 3), positive(40, 40)]),
    ],
)
def test_the_results_are_those_of_the_routine_with_all_ways(
    function: Callable[[Any], Any], arrays: Sequence[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [rosin.compile(function)(x) for x in arrays]
    monkeypatch.setattr(routines, "routine_for", lambda name, numbers, width: name)
    # By other names, so that the disk has them not.
    again = [rosin.compile(lambda x: function(x))(x) for x in arrays]
    for a, b in zip(rosin.tree.leaves(found), rosin.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_what_nothing_calls_is_left_out() -> None:
    text = """\
@used = internal global i64 0
declare void @far()
declare void @further()

define internal void @near() nounwind {
  call void @far()
  ret void
}

define internal void @never() nounwind {
  call void @further()
  ret void
}

define void @routine() nounwind {
  call void @near()
  ret void
}
"""
    found = called(text)
    assert "@never" not in found
    assert "@further" not in found
    assert all(name in found for name in ("@used", "declare void @far()", "define internal void @near()", "@routine"))


def test_functions_that_are_left_as_they_are_are_declared_and_kept_like_others() -> None:
    calls = "\n".join(f"  %x{i} = add i64 0, {i}" for i in range(1000))
    text = f"""\
define internal void @cold() nounwind noinline optnone {{
{calls}
  ret void
}}

define void @routine() nounwind {{
{calls}
  call void @cold()
  ret void
}}
"""
    assert called(text).count("define ") == 2
    first, second = split(text, 2)
    assert "declare void @cold()\n" in first + second
    assert "define void @cold() nounwind noinline optnone {" in first + second


def test_what_decides_on_threads_is_more_than_operations_of_small_matrices() -> None:
    def work(stack: dims.Dim) -> Any:
        return Cholesky().task((TensorType(f64, (stack, 2, 2)),)).work

    assert work(100) < PARALLEL_WORK < work(5000)
    assert work(N) == N * work(1)
