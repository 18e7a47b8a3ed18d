"""Code of routines made in the least time, and then replaced: both give the same bits, and none waits for the other."""

import ctypes
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.runtime import cache, jit, loading, routines
from rosin.scipy import linalg as slinalg

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[cache.ObjectCache]:
    """The cache of a process that has made no routine, and makes quick code that stays until the test asks for good."""
    found = cache.ObjectCache(tmp_path)
    monkeypatch.setattr(cache, "default", lambda: found)
    monkeypatch.setattr(routines, "_known", set())
    monkeypatch.setattr(routines, "SOON", 1e6)
    yield found
    routines.settle()


def many(rng: np.random.Generator, dtype: str, *shape: int) -> np.ndarray[Any, Any]:
    """Numbers of which some are alike, and zeros of both signs among them."""
    kind = np.dtype(dtype)
    if kind.kind == "i":
        return rng.integers(-50, 50, shape).astype(kind)
    x = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if kind.kind == "c" else 0)
    x = np.where(rng.random(shape) < 0.2, np.round(x) * 0.0, x)
    return x.astype(kind)


def matrices(rng: np.random.Generator, dtype: str, *shape: int) -> np.ndarray[Any, Any]:
    """Positive definite."""
    x = many(rng, dtype, *shape)
    return (x @ np.conj(np.swapaxes(x, -1, -2)) + np.eye(shape[-1])).astype(dtype)


Case = tuple[Callable[..., Any], Callable[[np.random.Generator, str], np.ndarray[Any, Any]]]
LINES: list[Case] = [
    (function, lambda rng, dtype, shape=shape: many(rng, dtype, *shape))
    for shape in ((40, 7), (3, 300), (2, 3000), (1, 70_000))
    for function in (rnp.sort, rnp.argsort, lambda x: rnp.top_k(x, min(x.shape[-1], 12)))
]
TRANSFORMS: list[Case] = [
    (function, lambda rng, dtype, shape=shape: many(rng, dtype, *shape))
    for shape in ((300, 12), (3, 30), (1, 1024), (1, 74), (64, 6), (1, 1 << 15))
    for function in (
        rnp.fft.rfft,
        lambda x: rnp.fft.fft(x + 0j),
        lambda x: rnp.fft.irfft(x + 0j),
        lambda x: rnp.fft.fft2(x + 0j),
    )
]
MATRICES: list[Case] = [
    (function, lambda rng, dtype, shape=shape: matrices(rng, dtype, *shape))
    for shape in ((50, 3, 3), (40, 8, 8), (3, 20, 20), (1, 40, 40))
    for function in (
        rnp.linalg.cholesky,
        rnp.linalg.inv,
        rnp.linalg.qr,
        rnp.linalg.svd,
        rnp.linalg.svdvals,
        rnp.linalg.eigh,
        rnp.linalg.eigvalsh,
        rnp.linalg.det,
        lambda x: rnp.linalg.solve(x, x[..., :2]),
        slinalg.lu,
    )
]
OTHERS: list[Case] = [
    (function, lambda rng, dtype: matrices(rng, dtype, 12, 5, 5))
    for function in (
        rnp.linalg.eig,
        rnp.linalg.eigvals,
        lambda x: slinalg.schur(x[0]),
        lambda x: slinalg.solve_sylvester(x[0], x[1], x[2]),
        lambda x: slinalg.solve_triangular(x[0], x[1]),
    )
]


@pytest.mark.parametrize(
    ("cases", "dtype"),
    [
        *((LINES, dtype) for dtype in ("float32", "float64", "int32", "int64", "int16")),
        *((TRANSFORMS, dtype) for dtype in ("float32", "float64")),
        *((MATRICES, dtype) for dtype in ("float32", "float64", "complex64", "complex128")),
        *((OTHERS, dtype) for dtype in ("float32", "float64")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_good_code_gives_the_bits_of_quick_code(cases: list[Case], dtype: str, store: cache.ObjectCache) -> None:
    rng = np.random.default_rng(0)
    runs: list[tuple[Any, np.ndarray[Any, Any], list[bytes]]] = []
    for function, draw in cases:
        compiled, x = rosin.compile(function), draw(rng, dtype)
        runs.append((compiled, x, bits(compiled(x))))
    assert routines._quick
    routines.settle()
    assert not routines._quick
    for compiled, x, before in runs:
        assert bits(compiled(x)) == before


def bits(results: Any) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in rosin.tree.leaves(results)]


def test_what_calls_quick_code_calls_good_code_later(store: cache.ObjectCache) -> None:
    """Its address is in the program; the code that this leads to is another one."""
    name = "sort.network16_f32" if jit.host().vector_bytes == 64 else "sort_f32"
    routines.install([name], quick=True)
    made, ((function, place),) = routines._quick[name]
    called, code = loading._symbols[function], pointer(place)
    assert called != code
    routines.settle()
    assert pointer(place) == loading._symbols[function]
    assert pointer(place) not in (called, code)
    entry = store.get(routines._key(name, jit.host().vector_bytes))
    assert entry is not None
    assert not entry.meta["quick"]
    assert entry.objects() != made.objects


def pointer(place: int) -> int | None:
    return ctypes.c_void_p.from_address(place).value


def test_long_calls_wait_for_good_code(store: cache.ObjectCache) -> None:
    """So do they where the quick code of the routine is there already."""
    x = np.eye(70, dtype=np.float32)
    rosin.compile(rnp.linalg.cholesky)(np.broadcast_to(x, (3, 70, 70)))
    assert routines._quick
    rosin.compile(rnp.linalg.cholesky)(np.broadcast_to(x, (5000, 70, 70)))
    assert not routines._quick


def test_quick_code_on_the_disk_does_until_there_is_good(
    store: cache.ObjectCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "argsort_i16"
    routines.install([name], quick=True)
    routines._quick.clear()  # As where the process ends before.
    monkeypatch.setattr(routines, "_known", set())
    routines.install([name], quick=True)
    made, _ = routines._quick[name]
    assert not made.texts
    routines.settle()
    entry = store.get(routines._key(name, jit.host().vector_bytes))
    assert entry is not None
    assert not entry.meta["quick"]
    monkeypatch.setattr(routines, "_known", set())
    routines.install([name], quick=True)
    assert not routines._quick


PROGRAM = """
import os, sys, time
import numpy as np
import rosin
from rosin.runtime import routines

x = np.random.default_rng(0).standard_normal((30, 5, 5)).astype(np.float32)
found = rosin.compile(rosin.numpy.linalg.svdvals)
first = np.asarray(found(x)).tobytes()
if sys.argv[1] == "fork":
    child = os.fork()
    if not child:
        end = time.monotonic() + 60
        while routines._quick and time.monotonic() < end:
            time.sleep(0.01)
        os._exit(bool(routines._quick) or np.asarray(found(x)).tobytes() != first)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
else:
    time.sleep(float(sys.argv[1]))
print("done")
"""


@pytest.mark.parametrize("what", ["0", "0.012", "0.03", "fork"])
def test_processes_end_and_fork_at_any_time(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While good code waits to be made, and while LLVM makes it."""
    monkeypatch.setenv("ROSIN_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, what], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert list(tmp_path.glob("*/*"))
