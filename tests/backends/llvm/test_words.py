"""Products of narrow numbers: bytes that are summed up in 32 bits, exactly, and bfloat16."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.backends.llvm.program import program_text
from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.op import Value
from rosin.passes import pipeline
from rosin.passes.to_loops import to_loops
from rosin.runtime import jit, threads
from tests.passes.test_fusion import graph_of

SIZES = [
    (8, 16, 16),
    (9, 1000, 17),
    (17, 19, 777),
    (33, 67, 50),
    (64, 64, 64),
    (7, 64, 64),
    (130, 257, 100),
    (40, 300, 15),
    (65, 192, 33),
    (100, 128, 81),
    (40, 2048, 256),
]
INSTRUCTIONS = {"i8": "vpdpbusd", "bf16": "vdpbf16ps", "i8 tiles": "tdpbssd", "bf16 tiles": "tdpbf16ps"}


@pytest.fixture(params=["tiles", "vectors"], autouse=True)
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> jit.Target:
    """The processor of this process, with its registers for tiles or without them."""
    host = jit.host()
    if request.param == "vectors":
        host = dataclasses.replace(host, features=f"{host.features},-amx-tile")
        monkeypatch.setattr(jit, "host", lambda: host)
    elif not any("tiles" in name for name in host.words):
        pytest.skip("this processor has no registers for tiles, or the system keeps them to itself")
    return host


def drawn(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def halves(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(ml_dtypes.bfloat16)


def whole(x: Any, y: Any) -> Any:
    return x.astype(rnp.int32) @ y.astype(rnp.int32)


def product(x: Any, y: Any) -> Any:
    return x @ y


def compiled(f: Callable[..., Any], *arrays: Any) -> np.ndarray[Any, Any]:
    return np.asarray(rosin.compile(f)(*arrays))


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_sums_of_bytes_are_exact(m: int, k: int, n: int) -> None:
    x, y = drawn(m, k), drawn(k, n, seed=1)
    want = x.astype(np.int32) @ y.astype(np.int32)
    np.testing.assert_array_equal(compiled(whole, x, y), want)
    across = compiled(lambda x, y: whole(x.T, y.T), np.ascontiguousarray(x.T), np.ascontiguousarray(y.T))
    np.testing.assert_array_equal(across, want)


def test_rows_of_any_number_are_multiplied_by_one_program() -> None:
    f, y = rosin.compile(whole), drawn(70, 48, seed=1)
    for m in (16, 9, 40, 1, 23):
        x = drawn(m, 70, seed=m)
        np.testing.assert_array_equal(np.asarray(f(x, y)), x.astype(np.int32) @ y.astype(np.int32))


def test_an_operand_may_be_both() -> None:
    x = drawn(50, 70)
    np.testing.assert_array_equal(compiled(lambda x: whole(x, x.T), x), x.astype(np.int32) @ x.astype(np.int32).T)


def test_sums_of_the_extreme_bytes_are_exact() -> None:
    for x, y in ((-128, -128), (-128, 127), (127, 127), (127, -128)):
        left, right = np.full((9, 1003), x, np.int8), np.full((1003, 33), y, np.int8)
        np.testing.assert_array_equal(compiled(whole, left, right), np.full((9, 33), x * y * 1003, np.int32))


def test_sums_of_bytes_in_a_byte_wrap_around() -> None:
    x, y = drawn(16, 50), drawn(50, 40, seed=1)
    np.testing.assert_array_equal(compiled(product, x, y), (x.astype(np.int32) @ y.astype(np.int32)).astype(np.int8))


def test_what_follows_a_product_of_bytes_is_computed_from_exact_sums() -> None:
    x, y, bias = drawn(3, 20, 70), drawn(3, 70, 48, seed=1), drawn(48, seed=2).astype(np.int32)
    found = compiled(lambda x, y, b: rnp.maximum(whole(x, y) + b, 0).astype(rnp.float32) * 0.5, x, y, bias)
    want = np.maximum(x.astype(np.int32) @ y.astype(np.int32) + bias, 0).astype(np.float32) * 0.5
    np.testing.assert_array_equal(found, want)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_sums_of_halves_round_as_sums_of_floats(m: int, k: int, n: int) -> None:
    x, y = halves(m, k), halves(k, n, seed=1)
    exact = x.astype(np.float64) @ y.astype(np.float64)
    size = np.abs(x.astype(np.float64)) @ np.abs(y.astype(np.float64))
    bound = k * 2.0**-24 * size + 2.0**-8 * np.abs(exact)
    assert np.all(np.abs(compiled(product, x, y).astype(np.float64) - exact) <= bound)


def test_images_of_halves_beneath_windows_of_one_place() -> None:
    x, w = halves(3, 33, 9, 11), halves(40, 33, 1, 1, seed=1)
    want = np.einsum("nchw,oc->nohw", x.astype(np.float32), w[..., 0, 0].astype(np.float32))
    found = compiled(rosin.nn.conv, x, w).astype(np.float32)
    np.testing.assert_allclose(found, want, rtol=2.0**-7, atol=2.0**-6)


def test_a_vector_over_another_writes_its_last_lane_alone(target: jit.Target) -> None:
    """One number of the last row: to store it as wide as its sum was would write beyond the result."""
    x, y = halves(100, 128), halves(128, 17, seed=1)
    found = np.full(100 * 17 + 1, 7, ml_dtypes.bfloat16)
    f = rosin.compile(lambda r, x, y: rnp.maximum(r, x @ y), donate_argnums=0)
    start = found[:-1].reshape(100, 17)
    start[:] = -100
    result = np.asarray(f(start, x, y))
    exact = x.astype(np.float64) @ y.astype(np.float64)
    np.testing.assert_allclose(result.astype(np.float64), exact, rtol=2.0**-7, atol=2.0**-7)
    assert found[-1] == 7


def test_infinities_and_nans_of_halves_stay_where_they_belong() -> None:
    """What fills up the last word meets no number that is not one."""
    x, y = halves(16, 33), halves(33, 40, seed=1)
    x[3, 32], x[5, 0], y[32, 7] = np.inf, np.nan, -np.inf
    with np.errstate(invalid="ignore"):
        want = x.astype(np.float32) @ y.astype(np.float32)
    found = compiled(product, x, y).astype(np.float32)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(want))


@pytest.mark.parametrize("dtype", ["i8", "bf16"])
def test_a_product_is_the_same_on_any_number_of_threads(dtype: str) -> None:
    x, y = (drawn(200, 150), drawn(150, 170)) if dtype == "i8" else (halves(200, 150), halves(150, 170))
    f = rosin.compile(whole if dtype == "i8" else product)
    before, found = threads.num_threads(), list[bytes]()
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            found.append(np.asarray(f(x, y)).tobytes())
    finally:
        threads.set_num_threads(before)
    assert len(set(found)) == 1


def test_rows_that_two_tiles_have_are_written_once() -> None:
    """The last tile of rows lies over the one before it; the sums of both go where what they are added to is."""
    x, y, start = drawn(40, 64), drawn(64, 48, seed=1), drawn(40, 48, seed=2).astype(np.int32)
    f = rosin.compile(lambda r, x, y: r + whole(x, y), donate_argnums=0)
    want = start + x.astype(np.int32) @ y.astype(np.int32)
    np.testing.assert_array_equal(np.asarray(f(rnp.asarray(start), x, y)), want)

    def again(r: Any, x: Any, y: Any) -> Any:
        for _ in range(5):
            r = r * 3 + whole(x, y)
        return r

    for _ in range(5):
        start = start * 3 + x.astype(np.int32) @ y.astype(np.int32)
    np.testing.assert_array_equal(compiled(again, drawn(40, 48, seed=2).astype(np.int32), x, y), start)


def test_an_operand_between_others_is_read_where_it_lies() -> None:
    """Rows of heads lie apart, and their numbers side by side."""
    x, y = drawn(40, 3, 64), drawn(3, 64, 48, seed=1)
    found = compiled(lambda x, y: whole(x.swapaxes(0, 1), y), x, y)
    np.testing.assert_array_equal(found, x.swapaxes(0, 1).astype(np.int32) @ y.astype(np.int32))


def test_a_target_that_multiplies_words_is_asked_to(target: jit.Target) -> None:
    for dtype, (x, y) in {"i8": (drawn(32, 64), drawn(64, 48)), "bf16": (halves(32, 64), halves(64, 48))}.items():
        wanted = f"{dtype} tiles" if f"{dtype} tiles" in target.words else dtype
        if wanted in target.words:
            text = rosin.compile(whole if dtype == "i8" else product).text(x, y, stage="assembly")
            assert INSTRUCTIONS[wanted] in text


@pytest.mark.parametrize("dtype", ["i8", "bf16"])
@pytest.mark.parametrize("shape", [(64, 128, 64), (40, 50, 70), (9, 7, 16)])
def test_code_for_tiles_is_made_on_any_processor(dtype: str, shape: tuple[int, int, int], target: jit.Target) -> None:
    if not target.triple.startswith("x86_64"):
        pytest.skip("instructions of x86 processors")
    rows, depth, columns = shape

    def build(b: Builder, x: Value, y: Value) -> Value:
        return b.matmul(*(b.cast(v, dtypes.i32) for v in (x, y))) if dtype == "i8" else b.matmul(x, y)

    graph = pipeline.run(graph_of(build, f"{dtype}[{rows}, {depth}]", f"{dtype}[{depth}, {columns}]"))
    text = program_text(to_loops(graph, 64, words={f"{dtype} tiles"}), 64)
    other = dataclasses.replace(target, cpu="sapphirerapids", features="", vector_bytes=64)
    assembly = jit.assembly(text, other)
    used = INSTRUCTIONS[f"{dtype} tiles"] in assembly
    assert used == (depth >= 16), "few words do not pay for copies"
    assert used == ("ldtilecfg" in assembly) == ("tilerelease" in assembly)
