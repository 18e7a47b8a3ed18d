"""Loops in lines of the assembler: the numbers that LLVM's code gives, to the bit, and which loops are of the kind."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.backends.llvm.whole_loops import MOST_TOLD, MOST_VECTORS, whole_loop
from rosin.ir import index as indices
from rosin.ir.dtypes import DType, f16, f32, f64
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Apply, Buffer, Carry, Const, Expr, Kind, Let, Load, Local, Loop, Scope, Store, When, Within
from rosin.ir.ops.arithmetic import Add, Mul
from rosin.ir.ops.exponential import Exp
from rosin.runtime import jit

assembles = pytest.mark.skipif(not jit.host().assembles, reason="for other processors")

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 1.0, -2.5, 3e38]
SIZES = [1, 3, 8, 15, 16, 17, 100, 128, 131, 500, 1000]
"""Of one vector or less to loops over vectors, with rests and without."""

Array = np.ndarray[Any, Any]


def drawn(rng: np.random.Generator, shape: Sequence[int], dtype: str) -> Array:
    """Numbers among which there are special ones."""
    x = rng.standard_normal(shape).astype(dtype)
    few = rng.random(shape) < 0.2
    x[few] = rng.choice(np.asarray(SPECIAL, dtype), size=int(few.sum()))
    return x


def check(f: Callable[..., Any], *args: Any, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether there are lines of the assembler for a function; the numbers are those that LLVM's code gives."""
    results: list[list[Array]] = []
    are_there = False
    for assembled in (True, False):
        monkeypatch.setitem(jit.host().__dict__, "assembles", assembled)
        program = rosin.compile(f)
        has_lines = "vmovup" in program.text(*args, stage="llvm")
        assert assembled or not has_lines
        are_there |= has_lines
        found = program(*args)
        results.append([np.asarray(x) for x in (found if isinstance(found, tuple) else (found,))])
    for x, y in zip(*results, strict=True):
        assert x.dtype == y.dtype
        one, other = (np.where(np.isnan(each), np.nan, each).tobytes() for each in (x, y))
        assert one == other
    return are_there


@assembles
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_arithmetic(size: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All ops, of arrays and of numbers on either side, with values that are used again and several results."""
    x, y, z = (drawn(np.random.default_rng(size + i), (size,), dtype) for i in range(3))

    def f(x: Any, y: Any, z: Any) -> Any:
        product = x * y
        least, most = rnp.minimum(y, z), rnp.maximum(x, z)
        ends = rnp.maximum(x, 0.0) + rnp.minimum(0.5, y) - rnp.minimum(z, 2.0) * rnp.maximum(-1.0, x)
        return product + z, (product - y) / most, rnp.sqrt(x) * least, ends, x[0] - y

    assert check(f, x, y, z, monkeypatch=monkeypatch) == (size > 1)


@assembles
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(7, 9, 5), (3, 40, 100), (5, 33, 16), (10, 8, 130), (2, 400, 100), (64, 128, 1)])
@pytest.mark.parametrize("fold", ["max", "min", "sum"])
def test_running_values(fold: str, shape: tuple[int, ...], dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = drawn(np.random.default_rng(1), shape, dtype)
    assert check(lambda x: getattr(rnp, fold)(x, axis=1), x, monkeypatch=monkeypatch) == (shape[2] > 1)


@assembles
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 5, 17, 64, 200])
@pytest.mark.parametrize("transposed", [(False, False), (False, True), (True, False)])
def test_products(rows: int, transposed: tuple[bool, bool], dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles with rests of rows and columns, long sums, and panels that are copied or turned."""
    rng = np.random.default_rng(rows)
    several = False
    for depth, columns in itertools.product((3, 60, 700), (16, 30, 33, 256)):
        x, y = (rng.standard_normal(shape).astype(dtype) for shape in ((rows, depth), (depth, columns)))
        x, y = (np.ascontiguousarray(each.T) if turn else each for each, turn in zip((x, y), transposed, strict=True))

        def f(x: Any, y: Any) -> Any:
            a, b = (each.T if turn else each for each, turn in zip((x, y), transposed, strict=True))
            return a @ b, rnp.maximum(a @ b + b[0], 0.0)

        several |= check(f, x, y, monkeypatch=monkeypatch)
    assert several or rows < 64


@assembles
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vectors_times_matrices(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a row of several vectors, each goes through the loop of its sums from the beginning."""
    rng = np.random.default_rng(2)
    several = False
    for depth, columns in itertools.product((3, 60, 200), (5, 16, 20, 30, 31, 40)):
        x, y = (rng.standard_normal(shape).astype(dtype) for shape in ((depth,), (depth, columns)))
        several |= check(lambda x, y: (x @ y, y.T @ x), x, y, monkeypatch=monkeypatch)
    assert several


@assembles
def test_copies_of_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(7 * 50).reshape(7, 50)
    for dtype in ("int32", "int64", "uint32"):
        assert check(lambda x: (x[2:5], x[:, 3:40], x[::2]), x.astype(dtype), monkeypatch=monkeypatch)


@assembles
@pytest.mark.parametrize(
    ("sizes", "turned"),
    [
        ((256, 256, 256), False),
        ((300, 700, 150), False),
        ((100, 4117, 64), False),
        ((256, 256, 256), True),
        ((250, 250, 250), True),
    ],
)
def test_tiles_are_not_improved_by_llvm(sizes: tuple[int, int, int], turned: bool) -> None:
    """As nothing but loops is left to it; of the registers of the lines it is told the first one."""
    m, k, n = sizes
    x, w = np.ones((m, k), np.float32), np.ones((n, k) if turned else (k, n), np.float32)
    text = rosin.compile(lambda x, w: x @ (w.T if turned else w)).text(x, w, stage="llvm")
    assert "vfmadd231ps" in text
    assert text.count("define ") == text.count(" optnone {")
    assert set(re.findall(r"~\{(\w+)\}", text)) <= {"zmm0", "eax", "memory", "flags"}


@assembles
def test_short_loops_are_improved_by_llvm() -> None:
    """What is around few lines takes as long as these."""
    x = np.ones((50, 4, 16), np.float32)
    assert " optnone {" not in rosin.compile(partial(rnp.exp)).text(x, stage="llvm").partition("@program")[0]
    text = rosin.compile(lambda x: x[:, :, :4] @ x).text(x, stage="llvm").partition("@program")[0]
    assert " optnone {" not in text
    assert "~{zmm1}" in text, "there may be vectors beside the lines"


# -- which loops -------------------------------------------------------------------------------------------------


def buffer(dtype: DType = f32, scope: Scope = Scope.ARGUMENT) -> Buffer:
    return Buffer("x", dtype, 1 << 20, scope)


def row(value: Callable[[Index], Expr], extent: int = 40, to: Buffer | None = None, step: int = 1) -> Loop:
    """A row of values, each at a place."""
    var = LoopVar("i", extent)
    place = indices.of(var)
    return Loop(var, Kind.VECTOR, (Store(to or buffer(), place * step, value(place)),))


def copied(dtype: DType = f32, scope: Scope = Scope.ARGUMENT) -> Callable[[Index], Expr]:
    return lambda place: Load(buffer(dtype, scope), place)


def test_rows_of_vectors() -> None:
    found = whole_loop(row(copied()), 16)
    assert found is not None
    assert [p.step for p in found.pointers] == [0, 0]
    assert not found.counts
    assert sum("{%k1}" in line for line in found.lines) == 2, "the rest is read and written under a mask"
    long = whole_loop(row(copied(), 16 * (MOST_VECTORS + 3)), 16)
    assert long is not None
    assert list(long.counts) == [2]
    assert [p.step for p in long.pointers if p.var is not None] == [1, 1]
    assert long.steps > len(long.lines)


def test_loops_of_rows() -> None:
    around = LoopVar("j", 5)
    inside = row(lambda place: Load(buffer(), place * 1 + indices.of(around) * 64))
    found = whole_loop(Loop(around, Kind.SERIAL, (inside,)), 16)
    assert found is not None
    assert list(found.counts) == [5]
    assert "addq $$256, <p1>" in found.lines or "addq $$256, <p0>" in found.lines


def test_other_loops_are_left_to_llvm() -> None:
    var = LoopVar("i", 32)
    place = indices.of(var)
    plain = row(copied())
    assert whole_loop(plain, 16) is not None
    assert whole_loop(row(copied(f16), to=buffer(f16)), 32) is None, "narrow numbers"
    assert whole_loop(row(copied(f64)), 16) is None, "numbers of two widths"
    assert whole_loop(row(copied(), step=2), 16) is None, "lanes lie apart"
    assert whole_loop(row(copied(scope=Scope.LANES)), 16) is None, "numbers in other registers"
    assert whole_loop(row(lambda p: Apply(Exp(), (Load(buffer(), p),), f32)), 16) is None, "an op of more instructions"
    assert whole_loop(Loop(var, Kind.VECTOR, plain.body, parallel=True), 16) is None
    total, left, right = (Local(name, f32) for name in ("total", "left", "right"))
    added = Carry((total,), (Const(0.0, f32),), (left,), (right,), (Apply(Add(), (left, right), f32),))
    assert whole_loop(Loop(var, Kind.VECTOR, (), (added,)), 16) is None, "lanes are added up"
    assert whole_loop(Loop(var, Kind.SERIAL, (plain, Let(total, Const(1.0, f32)))), 16) is None, "not rows alone"
    assert whole_loop(Loop(LoopVar("i", rosin.dim("n")), Kind.VECTOR, plain.body), 16) is None, "a size of a call"
    lanes_differ = When((Within(place, 0, 20),), (Store(buffer(), place, Const(1.0, f32)),))
    assert whole_loop(Loop(var, Kind.VECTOR, (lanes_differ,)), 16) is None


def test_too_many_values_or_addresses_are_left_to_llvm() -> None:
    """Of which there are more than registers."""

    def pairs(count: int) -> Loop:
        """A row of sums of products that are all computed before the first one is added."""
        var = LoopVar("i", 16)
        place = indices.of(var)
        lets = [Let(Local(f"x{i}", f32), Load(FAR, place + 16 * i)) for i in range(count)]
        total: Expr = Const(0.0, f32)
        for let in lets:
            total = Apply(Add(), (total, Apply(Mul(), (let.local, let.local), f32)), f32)
        return Loop(var, Kind.VECTOR, (*lets, Store(buffer(), place, total)))

    def arrays(count: int) -> Loop:
        var = LoopVar("i", 16)
        return Loop(var, Kind.VECTOR, tuple(Store(buffer(), indices.of(var), Const(1.0, f32)) for _ in range(count)))

    assert whole_loop(pairs(28), 16) is not None
    assert whole_loop(pairs(40), 16) is None
    assert whole_loop(arrays(MOST_TOLD), 16) is not None
    assert whole_loop(arrays(MOST_TOLD + 1), 16) is None


FAR = Buffer("far", f32, 1 << 20, Scope.ARGUMENT)
