"""Products with what is beyond a border, which the loops of contractions leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from rosin.ir import statements
from rosin.ir.builder import Builder
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Accumulate, Loop, Statement, When, Within
from rosin.ir.op import Value
from rosin.ir.steps import Kernel
from tests.passes.test_contract import compiled
from tests.passes.test_fusion import Build, graph_of


def products(body: Sequence[Statement], at: Mapping[LoopVar, Index]) -> int:
    """How many numbers are added to sums; loops are run where tests tell their steps apart."""
    count = 0
    for statement in body:
        match statement:
            case Accumulate():
                count += 1
            case When():
                count += products(statement.body, at) if all(passes(t, at) for t in statement.tests) else 0
            case Loop(var, body=inner) if any(var in t.index.variables() for t in statements.Contents(inner).tests):
                assert isinstance(var.extent, int)
                count += sum(products(inner, {**at, var: Index(n)}) for n in range(var.extent))
            case Loop(var, body=inner):
                assert isinstance(var.extent, int)
                count += var.extent * products(inner, at)
            case _:
                pass
    return count


def passes(test: Within, at: Mapping[LoopVar, Index]) -> bool:
    place = Within(test.index.substitute(at), test.low, test.high)
    assert place.always or place.never
    return place.always


def forward(b: Builder, x: Value, kernel: Value) -> Value:
    """The kernel has an odd window, and the border is half as wide."""
    half = tuple(size // 2 for size in kernel.type.sizes[2:])
    return b.convolution(x, kernel, low=half, high=half)


def by_kernel(b: Builder, x: Value, cotangent: Value) -> Value:
    """By a kernel of 3 x 3."""
    swapped = b.transpose(x, (1, 0, 2, 3)), b.transpose(cotangent, (1, 0, 2, 3))
    return b.convolution(*swapped, low=(1, 1), high=(1, 1))


def within(size: int, window: int) -> int:
    """How many pairs of a place and an element of the window there are that meet something along an axis."""
    return sum(0 <= place + tap - window // 2 < size for place in range(size) for tap in range(window))


def kernels_of(build: Build, *types: str) -> tuple[list[Kernel], int]:
    """The kernels for wide vectors, and how many products those with tiles compute."""
    kernels = compiled(graph_of(build, *types), 64)
    return kernels, sum(products(k.body, {}) for k in kernels if k.tile)


@pytest.mark.parametrize("size", [3, 4])
def test_a_tile_with_all_of_a_window_leaves_out_what_hangs_over(size: int) -> None:
    kernels, count = kernels_of(by_kernel, f"f32[4, 48, {size}, {size}]", f"f32[4, 32, {size}, {size}]")
    assert any("3 of x3 x 3 of x2" in k.tile for k in kernels)
    assert count == 4 * 48 * 32 * within(size, 3) ** 2
    assert not any(k.name.endswith("_border") for k in kernels), "nothing reads the border"


@pytest.mark.parametrize("size", [6, 7, 8])
def test_a_tile_with_a_row_of_an_image_leaves_out_what_is_beyond_its_ends(size: int) -> None:
    kernels, count = kernels_of(forward, f"f32[4, 64, {size}, {size}]", "f32[96, 64, 3, 3]")
    assert any(f"{size} of x3 x" in k.tile for k in kernels)
    assert count == 4 * 64 * 96 * within(size, 3) ** 2
    assert not any(k.name.endswith("_border") for k in kernels)


@pytest.mark.parametrize("size", [12, 24, 32])
def test_tiles_at_the_ends_of_a_row_have_code_of_their_own(size: int) -> None:
    kernels, count = kernels_of(forward, f"f32[4, 64, {size}, {size}]", "f32[64, 64, 3, 3]")
    assert any(" of x3 x" in k.tile and f"{size} of x3 x" not in k.tile for k in kernels)
    assert count == 4 * 64 * 64 * within(size, 3) ** 2
    assert not any(k.name.endswith("_border") for k in kernels)


def test_vectors_along_a_row_meet_the_border() -> None:
    """No test tells their lanes apart: they read zeros there. Only rows of images are left out."""
    kernels, count = kernels_of(forward, "f32[4, 64, 16, 16]", "f32[64, 64, 3, 3]")
    assert any("vectors of 16 of x3" in k.tile for k in kernels)
    assert count == 4 * 64 * 64 * within(16, 3) * 16 * 3
    assert any(k.name.endswith("_border") for k in kernels)


def test_loops_are_not_cut_for_little() -> None:
    """A row of many places has so few at its ends that these are not worth code of their own."""
    kernels, count = kernels_of(by_kernel, "f32[1, 48, 100, 100]", "f32[1, 32, 100, 100]")
    assert any("3 of x3 x 3 of x2" in k.tile for k in kernels)
    assert count == 48 * 32 * (100 * 3) ** 2
    kernels, count = kernels_of(forward, "f32[1, 64, 56, 56]", "f32[64, 64, 3, 3]")
    assert any(" of x3 x" in k.tile for k in kernels)
    assert count == 64 * 64 * within(56, 3) * 56 * 3


def test_loops_that_step_through_an_operand_as_one_are_one() -> None:
    """Over the columns of a window and a block of channels, side by side in the copies of both operands."""
    kernels, _ = kernels_of(forward, "f32[1, 64, 56, 56]", "f32[64, 64, 3, 3]")
    (kernel,) = (k for k in kernels if k.tile)
    loops = [s for s in statements.nested(kernel.body) if isinstance(s, Loop) and isinstance(s.body[0], Accumulate)]
    assert {loop.var.extent for loop in loops} == {3 * 16}


def test_tiles_at_the_ends_of_a_row_share_the_code_of_whole_ones() -> None:
    """Of two tiles a row each has a step of the window with an element less: two pieces of code beside one for both."""
    kernels, _ = kernels_of(forward, "f32[1, 64, 28, 28]", "f32[32, 64, 3, 3]")
    (kernel,) = (k for k in kernels if k.tile)
    assert kernel.tile == "14 of x3 x 2 vectors of 16 of x1"
    assert sum(isinstance(s, Accumulate) for s in statements.nested(kernel.body)) == 2 * (13 + 14 + 13)
