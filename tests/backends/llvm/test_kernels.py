"""Kernels at sizes that the samples of ops do not reach: tiles with rests, packed operands, threads, every width."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import rosin
from rosin.backends.llvm.names import ENTRY
from rosin.backends.llvm.program import program_text
from rosin.backends.llvm.routines import routine_for
from rosin.ir import loop_printer
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops.trigonometric import Tanh
from rosin.ir.steps import Kernel, routine_calls
from rosin.ir.types import parse_type
from rosin.passes import contract, epilogue, lanes, on_threads, waiting
from rosin.passes.to_loops import to_loops
from rosin.runtime import host, jit, loading, routines, threads
from tests.samples import draw

Build = Callable[..., Value | Sequence[Value]]
Array = NDArray[np.generic]


def graph_of(build: Build, *types: str) -> Graph:
    b = Builder()
    outputs = build(b, *(b.input(parse_type(t), f"x{i}") for i, t in enumerate(types)))
    return b.graph([outputs] if isinstance(outputs, Value) else outputs)


def run(graph: Graph, operands: Sequence[Array], vector_bytes: int) -> list[Array]:
    """The outputs of the graph compiled as it is, for registers of this width."""
    program = to_loops(graph, vector_bytes)
    threads.install()
    host.install()
    calls = routine_calls(program.steps)
    routines.install([routine_for(call.name, call.numbers, vector_bytes) for call in calls], vector_bytes=vector_bytes)
    library = loading.load_object(jit.compile_object(program_text(program, vector_bytes)))
    function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(library.address(ENTRY))
    results = [np.full(v.type.sizes, 77, v.type.dtype.numpy) for v in graph.outputs]
    arrays = [np.ascontiguousarray(x) for x in operands]
    pointers = (ctypes.c_void_p * (len(arrays) + len(results)))(*(a.ctypes.data for a in (*arrays, *results)))
    arena = np.full(program.arena_bytes + 64, 0xFF, np.uint8)
    assert function(pointers, arena.ctypes.data + -arena.ctypes.data % 64) == 0
    return results


def draw_for(value: Value, seed: int) -> Array:
    """Numbers whose sums stay away from 0; small whole ones for integers."""
    low, high = (-0.5, 1.0) if value.type.dtype.is_float else (-3, 4)
    return draw(value.type.dtype, value.type.sizes, low, high, seed=seed)


def check(build: Build, *types: str, vector_bytes: int, rtol: float = 2e-5) -> None:
    graph = graph_of(build, *types)
    operands = [draw_for(v, i) for i, v in enumerate(graph.inputs)]
    for x, y in zip(run(graph, operands, vector_bytes), evaluate(graph, operands), strict=True):
        assert x.dtype == y.dtype
        scale = float(np.max(np.abs(y.astype(np.float64)), initial=1e-6))
        np.testing.assert_allclose(x.astype(np.float64), y.astype(np.float64), rtol=rtol, atol=rtol * scale)


@pytest.fixture(params=[16, 32, 64])
def width(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(params=[False, True], ids=["serial", "threads"])
def parallel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With threads every kernel that can be cut into blocks is, however small."""
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 0 if request.param else 1 << 60)
    return request.param


SHAPES = [(20, 409, 400), (20, 205, 512), (40, 120, 701), (150, 121, 520), (72, 64, 1500)]
"""Rows, steps and columns of products whose panels pass by in blocks, copied or not; nothing divides these numbers."""


@pytest.mark.parametrize(("rows", "depth", "columns"), SHAPES)
@pytest.mark.parametrize("batch", ["", "3, "], ids=["one", "batch"])
def test_blocks_of_panels(
    batch: str, rows: int, depth: int, columns: int, width: int, parallel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "LONG_BYTES", 1 << 10)
    monkeypatch.setattr(contract, "COPIED_LONG_BYTES", 1 << 10)
    monkeypatch.setattr(waiting, "DEPTH", 50)
    monkeypatch.setattr(waiting, "BESIDE_DEPTH", 20)

    def layer(b: Builder, x: Value, w: Value) -> Value:
        y = b.matmul(x, w)
        return b.mul(y, y)

    types = f"f32[{batch}{rows}, {depth}]", f"f32[{batch}{depth}, {columns}]"
    assert "waiting" in loop_printer.text(to_loops(graph_of(layer, *types), width))
    check(layer, *types, vector_bytes=width)


def softmax(b: Builder, x: Value, axis: int) -> Value:
    shape = x.type.shape
    kept = tuple(i for i in range(len(shape)) if i != axis)
    e = b.exp(b.sub(x, b.broadcast(b.max(x, (axis,)), shape, kept)))
    return b.div(e, b.broadcast(b.sum(e, (axis,)), shape, kept))


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    "sides", [((1,), (0,)), ((1,), (1,)), ((0,), (0,)), ((0,), (1,))], ids=["nn", "nt", "tn", "tt"]
)
@pytest.mark.parametrize(
    ("m", "k", "n"), [(1, 1, 1), (7, 33, 61), (64, 64, 64), (1, 70, 130), (129, 5, 1), (35, 128, 48)]
)
def test_matrix_products(
    m: int, k: int, n: int, sides: tuple[tuple[int], tuple[int]], width: int, parallel: bool
) -> None:
    left = f"f32[{m}, {k}]" if sides[0] == (1,) else f"f32[{k}, {m}]"
    right = f"f32[{k}, {n}]" if sides[1] == (0,) else f"f32[{n}, {k}]"
    check(lambda b, x, y: b.maximum(b.add(b.dot_general(x, y, sides), 0.5), 0.0), left, right, vector_bytes=width)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("sides", [((1,), (0,)), ((1,), (1,)), ((0,), (0,))], ids=["nn", "nt", "tn"])
def test_large_matrix_products(
    sides: tuple[tuple[int], tuple[int]], width: int, parallel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both operands are packed, rows run in bands, and nothing divides anything."""
    monkeypatch.setattr(contract, "NEAR_BYTES", 1 << 10)
    monkeypatch.setattr(lanes, "NEAR_BYTES", 1 << 10)
    monkeypatch.setattr(contract, "BAND_BYTES", 1 << 12)
    left = "f32[131, 70]" if sides[0] == (1,) else "f32[70, 131]"
    right = "f32[70, 301]" if sides[1] == (0,) else "f32[301, 70]"
    check(lambda b, x, y: b.add(b.dot_general(x, y, sides), 0.5), left, right, vector_bytes=width)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("n", [2, 8, 16, 40])
def test_long_rows_times_narrow_matrices(n: int, width: int, parallel: bool) -> None:
    """Rows that lie a power of two apart share few sets of the cache, so that tiles have few of them."""
    check(lambda b, x, y: b.matmul(x, y), "f32[83, 1024]", f"f32[1024, {n}]", vector_bytes=width)


@pytest.mark.thinned(6)
@pytest.mark.parametrize("sides", [((1,), (0,)), ((1,), (1,)), ((0,), (0,))], ids=["nn", "nt", "tn"])
@pytest.mark.parametrize(("m", "k", "n"), [(7, 33, 61), (64, 64, 64), (1, 70, 130), (129, 5, 1)])
@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16"])
def test_long_epilogues(
    dtype: str,
    m: int,
    k: int,
    n: int,
    sides: tuple[tuple[int], tuple[int]],
    width: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is much code runs row by row of a tile, and gives the bits that it gives unrolled."""
    left = f"{dtype}[{m}, {k}]" if sides[0] == (1,) else f"{dtype}[{k}, {m}]"
    right = f"{dtype}[{k}, {n}]" if sides[1] == (0,) else f"{dtype}[{n}, {k}]"

    def build(b: Builder, x: Value, y: Value, z: Value) -> Value:
        return b.mul(b.node(Tanh(), b.dot_general(x, y, sides))[0], z)

    graph = graph_of(build, left, right, f"{dtype}[{m}, {n}]")
    operands = [draw_for(v, i) for i, v in enumerate(graph.inputs)]
    rows = run(graph, operands, width)
    rolled = loop_printer.text(to_loops(graph, width)).count("tanh(")
    monkeypatch.setattr(epilogue, "LONG", 1 << 30)
    monkeypatch.setattr(epilogue, "LONG_SUMS", 1 << 30)
    assert rolled < loop_printer.text(to_loops(graph, width)).count("tanh(") or 1 in (m, n)
    assert rows[0].tobytes() == run(graph, operands, width)[0].tobytes()
    check(build, left, right, f"{dtype}[{m}, {n}]", vector_bytes=width, rtol=2e-2 if dtype == "bf16" else 2e-5)


@pytest.mark.parametrize("dtype", ["f64", "bf16", "f16", "i32", "i8"])
def test_matrix_products_of_every_kind(dtype: str, width: int) -> None:
    rtol = {"f64": 1e-12, "bf16": 2e-2, "f16": 2e-3}.get(dtype, 0.0)
    check(lambda b, x, y: b.matmul(x, y), f"{dtype}[3, 17, 40]", f"{dtype}[3, 40, 23]", vector_bytes=width, rtol=rtol)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"low": (1, 1), "high": (1, 1)},
        {"strides": (2, 2), "low": (1, 0), "high": (0, 1)},
        {"low": (2, 2), "high": (2, 2), "rhs_dilation": (2, 2)},
        {"low": (1, 1), "high": (1, 1), "lhs_dilation": (2, 2)},
        {"low": (-1, 0), "high": (0, -1)},
    ],
    ids=["valid", "same", "strided", "atrous", "transposed", "cropped"],
)
@pytest.mark.parametrize(("n", "c", "size", "o"), [(2, 3, 20, 5), (16, 8, 6, 33)], ids=["wide", "deep"])
def test_convolutions(n: int, c: int, size: int, o: int, options: dict[str, tuple[int, int]], width: int) -> None:
    def build(b: Builder, x: Value, kernel: Value) -> Value:
        return b.maximum(b.convolution(x, kernel, **options), 0.0)

    check(build, f"f32[{n}, {c}, {size}, {size}]", f"f32[{o}, {c}, 3, 3]", vector_bytes=width)


@pytest.mark.parametrize(
    ("x", "kernel", "stride", "tile"),
    [
        ("f32[2, 64, 9, 14]", "f32[64, 64, 3, 3]", 1, "of x3 x"),
        ("f32[16, 64, 7, 7]", "f32[48, 64, 3, 3]", 1, "of x0 x"),
        ("f32[1, 24, 11, 30]", "f32[20, 24, 5, 3]", 2, "of x3 x"),
        ("f64[3, 3, 20, 20]", "f64[16, 3, 7, 7]", 2, "of x3 x"),
    ],
    ids=["rows of places", "rows of images", "strides", "few channels"],
)
def test_convolutions_of_many_channels(x: str, kernel: str, stride: int, tile: str, parallel: bool) -> None:
    """Images are packed with blocks of channels side by side, and tiles leave out what is beyond a border."""

    def build(b: Builder, x: Value, kernel: Value) -> Value:
        half = [size // 2 for size in kernel.type.sizes[2:]]
        ends = (half[0], half[1])
        return b.add(b.convolution(x, kernel, strides=(stride, stride), low=ends, high=ends), 1.0)

    for width in (32, 64):
        check(build, x, kernel, vector_bytes=width, rtol=1e-4)
    program = to_loops(graph_of(build, x, kernel), 64)
    assert "when 0 <= " in loop_printer.text(program), "rows of the border are left out"
    kernels = [step for step in program.steps if isinstance(step, Kernel)]
    assert tile in str([k.tile for k in kernels])


@pytest.mark.parametrize("window", [(1, 1, 1), (3, 1, 1)], ids=["places", "planes"])
def test_axes_that_lie_one_behind_the_other_are_one(window: tuple[int, ...], width: int) -> None:
    """Of a sum by an array of the same form, too; not of one by what has one of the axes alone."""

    def build(b: Builder, x: Value, kernel: Value, beside: Value, rows: Value) -> list[Value]:
        first, second = (b.maximum(b.convolution(x, kernel), 0.0) for _ in range(2))
        return [b.add(first, beside), b.mul(second, b.broadcast(rows, beside.type.shape, (3,)))]

    sides = f"{8 - window[0]}, 3, 7"
    types = "[2, 6, 7, 3, 7]", f"[5, 6, {', '.join(map(str, window))}]", f"[2, 5, {sides}]", "[3]"
    for dtype, rtol in (("f32", 2e-5), ("bf16", 2e-2)):
        check(build, *(dtype + shape for shape in types), vector_bytes=width, rtol=rtol)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize(("size", "window"), [((4, 4), (3, 3)), ((7, 5), (5, 3)), ((3, 8), (3, 4)), ((1, 6), (3, 1))])
def test_edges_of_small_images(dtype: str, size: tuple[int, int], window: tuple[int, int], width: int) -> None:
    """Tiles that hold rows of places, or all of a window, meet the border at some of these alone."""
    low = tuple((w - 1) // 2 for w in window)
    high = tuple(w // 2 for w in window)

    def build(b: Builder, x: Value, kernel: Value, cotangent: Value) -> list[Value]:
        swapped = b.transpose(x, (1, 0, 2, 3)), b.transpose(cotangent, (1, 0, 2, 3))
        by_kernel = b.convolution(*swapped, low=low, high=high)
        return [b.convolution(x, kernel, low=low, high=high), b.transpose(by_kernel, (1, 0, 2, 3))]

    sides = [f"{a}, {b}" for a, b in (size, window, size)]
    shapes = f"[3, 20, {sides[0]}]", f"[36, 20, {sides[1]}]", f"[3, 36, {sides[2]}]"
    check(build, *(dtype + shape for shape in shapes), vector_bytes=width, rtol=1e-4)


@pytest.mark.parametrize(
    ("groups", "c", "o"), [(2, 12, 20), (4, 64, 64), (8, 8, 24), (5, 5, 5)], ids=["few", "wide", "multiplied", "each"]
)
def test_convolutions_in_groups(groups: int, c: int, o: int, width: int) -> None:
    """And their gradients by the kernel, which have groups of the batch."""

    def build(b: Builder, x: Value, kernel: Value, cotangent: Value) -> list[Value]:
        result = b.convolution(x, kernel, low=(1, 1), high=(1, 1), feature_groups=groups)
        swapped = b.transpose(x, (1, 0, 2, 3)), b.transpose(cotangent, (1, 0, 2, 3))
        by_kernel = b.convolution(*swapped, low=(1, 1), high=(1, 1), batch_groups=groups)
        return [result, b.sub(1.0, b.transpose(by_kernel, (1, 0, 2, 3)))]

    types = f"f32[3, {c}, 9, 17]", f"f32[{o}, {c // groups}, 3, 3]", f"f32[3, {o}, 9, 17]"
    check(build, *types, vector_bytes=width, rtol=1e-4)


@pytest.mark.parametrize(("size", "window"), [((9, 21), (5, 5)), ((14, 40), (7, 7)), ((6, 3), (2, 9))], ids=str)
def test_convolutions_of_single_channels_with_large_windows(
    size: tuple[int, int], window: tuple[int, int], width: int
) -> None:
    def build(b: Builder, x: Value, kernel: Value, cotangent: Value) -> list[Value]:
        low = tuple(n // 2 for n in window)
        high = tuple(n - 1 - before for n, before in zip(window, low, strict=True))
        swapped = b.transpose(x, (1, 0, 2, 3)), b.transpose(cotangent, (1, 0, 2, 3))
        by_kernel = b.convolution(*swapped, low=low, high=high, batch_groups=20)
        return [b.exp(b.convolution(x, kernel, low=low, high=high, feature_groups=20)), by_kernel]

    image, window_text = (f"{a}, {b}" for a, b in (size, window))
    types = f"f32[3, 20, {image}]", f"f32[20, 1, {window_text}]", f"f32[3, 20, {image}]"
    check(build, *types, vector_bytes=width, rtol=1e-4)


def test_places_that_differ_by_a_number_have_one_register() -> None:
    """LLVM is given where an innermost loop begins to read, or it keeps that of each row of a tile."""

    def build(b: Builder, x: Value, kernel: Value) -> Value:
        return b.convolution(x, kernel, low=(1, 1), high=(1, 1))

    program = to_loops(graph_of(build, "f32[1, 32, 56, 56]", "f32[32, 32, 3, 3]"), 64)
    texts = program_text(program, 64).split("define ")
    assert sum("call <16 x float> @llvm.fma" in text and "launder.invariant.group" in text for text in texts) == 1


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 2)])
def test_windows_with_steps_that_overlap(strides: tuple[int, int], parallel: bool) -> None:
    """Two results of each channel, and windows whose elements lie apart: rows have fewer vectors in common."""

    def build(b: Builder, x: Value, kernel: Value) -> Value:
        low, high = (4, 1), (3, 2)
        return b.convolution(x, kernel, strides, low=low, high=high, rhs_dilation=(2, 1), feature_groups=10)

    check(build, "f32[2, 10, 23, 50]", "f32[20, 1, 5, 4]", vector_bytes=64, rtol=1e-4)
    check(build, "f16[2, 10, 23, 50]", "f16[20, 1, 5, 4]", vector_bytes=64, rtol=2e-3)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("window", [1, 3, 4, 7])
@pytest.mark.parametrize("spread", [(2, 2), (1, 3), (4, 4), (5, 5)])
def test_convolutions_of_spread_inputs(window: int, spread: tuple[int, int], width: int) -> None:
    """Every remainder of a place by the distance of neighbours meets other elements of the kernel, or none."""

    def build(b: Builder, x: Value, kernel: Value) -> Value:
        ends = (window - 1, window)
        return b.mul(b.convolution(x, kernel, low=ends, high=ends[::-1], lhs_dilation=spread, strides=(1, 1)), 2.0)

    check(build, "f32[2, 6, 5, 9]", f"f32[20, 6, {window}, {window}]", vector_bytes=width)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16", "i8", "bool"])
@pytest.mark.parametrize("shape", ["[16, 16]", "[3, 70, 37]", "[41, 100]", "[5, 17, 3, 33]"])
def test_transposes(dtype: str, shape: str, width: int, parallel: bool) -> None:
    """Squares in registers, and what they leave over."""

    def build(b: Builder, x: Value) -> Value:
        moved = b.transpose(x, (*range(x.type.rank - 2), x.type.rank - 1, x.type.rank - 2))
        return b.select(moved, moved, moved) if dtype == "bool" else b.add(moved, 1)

    check(build, f"{dtype}{shape}", vector_bytes=width)


def test_convolution_kernels_may_be_views(width: int) -> None:
    def build(b: Builder, x: Value, kernel: Value) -> Value:
        return b.convolution(x, b.transpose(b.reverse(kernel, (2, 3)), (1, 0, 2, 3)), low=(1, 1), high=(1, 1))

    check(build, "f32[8, 12, 7, 7]", "f32[12, 20, 3, 3]", vector_bytes=width)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", ["[3, 37, 65]", "[5, 1, 200]", "[130, 4, 3]"])
def test_softmax_over_any_axis(axis: int, shape: str, width: int, parallel: bool) -> None:
    check(lambda b, x: softmax(b, x, axis), f"f32{shape}", vector_bytes=width)


def test_rows_wider_than_scratch(width: int) -> None:
    """Values too many to be kept for a later pass are computed again."""
    check(lambda b, x: softmax(b, x, 1), "f32[2, 40001]", vector_bytes=width)
    check(lambda b, x: softmax(b, x, 0), "f32[3001, 40]", vector_bytes=width)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_reductions_over_any_axes(axes: tuple[int, ...], width: int, parallel: bool) -> None:
    def build(b: Builder, x: Value) -> list[Value]:
        return [b.sum(b.mul(x, x), axes), b.max(x, axes), b.sum(x, axes)]

    check(build, "f32[6, 35, 70]", vector_bytes=width)


def test_elementwise_with_a_rest(width: int, parallel: bool) -> None:
    for size in (1, 15, 16, 17, 1000, 4099):
        check(lambda b, x, y: b.add(b.mul(x, y), b.exp(x)), f"f32[{size}]", f"f32[{size}]", vector_bytes=width)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16", "i8", "bool"])
def test_what_runs_backward_is_read_as_vectors(dtype: str, width: int, parallel: bool) -> None:
    """And turned in them; what is left beside whole vectors begins before the array."""

    def build(b: Builder, x: Value) -> list[Value]:
        turned = b.reverse(x, (1,))
        beside = b.select(turned, x, turned) if dtype == "bool" else b.add(turned, x)
        return [beside, b.reverse(x, (0, 1))]

    for size in (1, 7, 64, 131):
        types = f"{dtype}[3, {size}]"
        check(build, types, vector_bytes=width)
        assert "masked.gather" not in program_text(to_loops(graph_of(build, types), width), width)


def test_moves_between(width: int, parallel: bool) -> None:
    def build(b: Builder, x: Value, y: Value) -> list[Value]:
        turned = b.add(b.transpose(x, (1, 0)), 1.0)
        joined = b.concatenate([turned, y, b.reverse(y, (0, 1))], 0)
        return [b.pad(joined, 3.0, (1, 2), (2, -1), (1, 0)), b.reshape(turned, (70, 33))]

    check(build, "f32[35, 66]", "f32[9, 35]", vector_bytes=width)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, for every kind of kernel that runs on threads."""
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 0)

    def build(b: Builder, x: Value, y: Value) -> list[Value]:
        h = b.matmul(x, y)
        return [softmax(b, h, 1), b.sum(h, (0,)), b.cumsum(h, 0), b.transpose(h, (1, 0)), b.exp(x)]

    graph = graph_of(build, "f32[67, 130]", "f32[130, 45]")
    operands = [draw_for(v, i) for i, v in enumerate(graph.inputs)]
    before = threads.num_threads()
    found: list[list[bytes]] = []
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            found.append([x.tobytes() for x in run(graph, operands, 32)])
    finally:
        threads.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_sums_of_lanes_that_take_no_part_are_not_kept() -> None:
    """Five columns fill no vector, and a tile of them adds up as quickly as one of columns that do."""
    x, w = np.random.default_rng(0).standard_normal((2, 100, 5)).astype(np.float32)
    f = rosin.compile(lambda x, w: x @ w)
    assert "select" not in f.text(x, w[:5], stage="llvm")
    np.testing.assert_allclose(f(x, w[:5]), x @ w[:5], rtol=1e-5, atol=1e-5)


def test_what_loops_leave_be_is_computed_before_them() -> None:
    """Neither quotients nor what is added to addresses in loops around stand in the innermost loops."""
    graph = graph_of(lambda b, x, y: b.matmul(x, y), "f32[83, 300]", "f32[300, 50]")
    text = program_text(to_loops(graph, 32), 32)
    loops = re.findall(r"^(head\.\d+):((?:(?!^head).)*)br label %\1$", text, re.MULTILINE | re.DOTALL)
    sums = [inside for _, inside in loops if "llvm.fma" in inside]
    assert sums
    for inside in sums:
        assert not re.search("udiv|urem|launder", inside)
    assert "llvm.launder" in text
    check(lambda b, x, y: b.matmul(x, y), "f32[83, 300]", "f32[300, 50]", vector_bytes=32)
