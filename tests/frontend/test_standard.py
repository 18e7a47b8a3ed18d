"""What the array API standard says, where its conformance suite found us wrong; and the suite itself, where it is.

The suite is no package that pip knows by name: see docs/conformance.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import AxisError, BoundsError

ROOT = Path(__file__).parents[2]


def test_the_namespace_says_what_it_is() -> None:
    assert rnp.__array_api_version__ == "2025.12"
    assert rnp.ones(2).__array_namespace__(api_version="2025.12") is rnp
    info = rnp.__array_namespace_info__()
    assert info.devices() == ("cpu",)
    assert set(info.capabilities()) == {"boolean indexing", "data-dependent shapes", "max dimensions"}


def test_several_arrays_come_as_tuples() -> None:
    grid = rnp.meshgrid(rnp.arange(2), rnp.arange(3))
    assert isinstance(grid, tuple)
    assert [g.shape for g in grid] == [(3, 2), (3, 2)]
    assert isinstance(rnp.broadcast_arrays(rnp.ones(2), rnp.ones((3, 1))), tuple)
    assert isinstance(rnp.unstack(rnp.ones((2, 3))), tuple)


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_is_not_there(axis: int) -> None:
    for call in (lambda: rnp.sum(rnp.ones((2, 3)), axis=axis), lambda: rnp.expand_dims(rnp.ones(()), axis=axis)):
        for kind in (AxisError, IndexError, ValueError):
            with pytest.raises(kind, match=f"axis {axis} is out of range"):
                call()


def test_two_dots_are_an_index_error() -> None:
    with pytest.raises(IndexError, match=r"one `\.\.\.` at most"):
        rnp.ones((2, 2))[..., ...]
    with pytest.raises(BoundsError, match="3 indices for 2 axes"):
        rnp.ones((2, 2))[0, 0, 0]


@pytest.mark.parametrize("k", [1 << 70, -(1 << 70), (1 << 63) - 1, 1, -1])
def test_diagonals_far_outside(k: int) -> None:
    near = max(-9, min(k, 9))
    np.testing.assert_array_equal(rnp.eye(3, 4, k=k), np.eye(3, 4, k=near))
    np.testing.assert_array_equal(rnp.tril(rnp.ones((3, 4)), k=k), np.tril(np.ones((3, 4)), k=near))
    np.testing.assert_array_equal(rnp.triu(rnp.ones((3, 4)), k=k), np.triu(np.ones((3, 4)), k=near))


def test_asarray_without_a_copy() -> None:
    source = np.ones((2, 3))
    ours = rnp.asarray(source)
    assert np.shares_memory(np.asarray(rnp.asarray(source, copy=False)), source)
    assert np.shares_memory(np.asarray(rnp.asarray(memoryview(source), copy=False)), source)
    assert np.shares_memory(np.asarray(rnp.asarray(ours, copy=False)), source)
    assert rnp.asarray(np.zeros((0, 3)), copy=False).shape == (0, 3)
    refused: list[Any] = [1.0, [1.0], source.T]
    for given in refused:
        with pytest.raises(ValueError, match="without a copy"):
            rnp.asarray(given, copy=False)
    for given in (source, ours):
        with pytest.raises(ValueError, match=r"cannot become f32\[2, 3\] without a copy"):
            rnp.asarray(given, dtype="float32", copy=False)


def test_devices_and_streams() -> None:
    x = rnp.ones(2)
    assert x.to_device("cpu") is x
    for call in (lambda: x.to_device("cpu", stream=1), lambda: x.to_device("gpu"), lambda: rnp.ones(2, device="gpu")):
        with pytest.raises(ValueError, match=r"no streams|no device 'gpu'"):
            call()
    with pytest.raises(ValueError, match=r"no version '1999\.01'"):
        x.__array_namespace__(api_version="1999.01")


# -- masks of one truth value ------------------------------------------------------------------------------------------

PLACES: list[Any] = [
    lambda m: m,
    lambda m: (m,),
    lambda m: (..., m),
    lambda m: (m, ...),
    lambda m: (None, m),
    lambda m: (m, None),
    lambda m: (0, m),
    lambda m: (m, slice(1)),
    lambda m: (..., m, 0),
    lambda m: (m, m),
    lambda m: ([True, False], m),
]


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("index", PLACES)
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_a_mask_of_no_axes_makes_one(shape: tuple[int, ...], index: Any, truth: bool) -> None:
    source = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    for mask in (np.asarray(truth), rnp.asarray(truth)):
        try:
            expected = source[index(np.asarray(truth))]
        except IndexError:
            with pytest.raises((IndexError, ValueError)):
                rnp.asarray(source)[index(mask)]
            continue
        found = rnp.asarray(source)[index(mask)]
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)
        written, changed = source.copy(), rnp.asarray(source, copy=True)
        written[index(np.asarray(truth))] = 7
        changed[index(mask)] = 7.0
        np.testing.assert_array_equal(changed, written)


def test_a_traced_mask_of_no_axes() -> None:
    @rosin.compile
    def both(x: Any, mask: Any) -> Any:
        taken = x[mask]
        x[mask] = 3.0
        return taken, x

    x = rnp.asarray([1.0, 2.0])
    taken, changed = both(x, rnp.asarray(True))
    np.testing.assert_array_equal(taken, [[1.0, 2.0]])
    np.testing.assert_array_equal(changed, [3.0, 3.0])
    taken, changed = both(x, rnp.asarray(False))
    assert taken.shape == (0, 2)
    np.testing.assert_array_equal(changed, [1.0, 2.0])


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (0, 0)])
def test_a_mask_without_elements_picks_nothing(shape: tuple[int, ...]) -> None:
    x, mask = rnp.ones((2, 3, 4)), rnp.zeros(shape, dtype="bool")
    picked = (0, *x.shape[len(shape) :])
    for given in (mask, np.asarray(mask)):
        assert x[given].shape == picked
        changed = rnp.ones((2, 3, 4))
        changed[given] = 5.0
        np.testing.assert_array_equal(changed, x)
    assert rosin.compile(lambda x, mask: x[mask])(x, mask).shape == picked
    with pytest.raises(IndexError, match="for axes of sizes"):
        x[rnp.zeros((1, *shape[1:]), dtype="bool")]


# -- complex numbers ---------------------------------------------------------------------------------------------------

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("way", [lambda f: f, rosin.compile])
def test_zeros_that_the_standard_signs(way: Any, dtype: str) -> None:
    angles = [1.0, 2.0, 4.0, 1e30, -1.0, -2.0]
    z = np.array([complex(INF, y) for y in angles] + [complex(-INF, y) for y in angles], dtype)
    found = np.asarray(way(rnp.tanh)(z))
    np.testing.assert_array_equal(found.real, np.sign(z.real))
    np.testing.assert_array_equal(found.imag, 0)
    np.testing.assert_array_equal(np.signbit(found.imag), z.imag < 0)
    # tan(z) = -i tanh(i z)
    turned = np.asarray(way(rnp.tan)(np.array([complex(y, INF) for y in angles], dtype)))
    np.testing.assert_array_equal(turned.imag, 1)
    np.testing.assert_array_equal(np.signbit(turned.real), np.asarray(angles) < 0)
    zero = np.asarray(way(rnp.expm1)(np.array([complex(-0.0, 0.0), complex(-0.0, -0.0)], dtype)))
    assert not np.signbit(zero.real).any()
    np.testing.assert_array_equal(np.signbit(zero.imag), [False, True])


def test_distinct_complex_numbers() -> None:
    values = [1 + 1j, 1 - 1j, 0, complex(NAN, 1), 1 + 1j, complex(0, -0.0), complex(2, NAN), -1j, 3, complex(1, NAN)]
    z = np.array(values)
    for found, expected in zip(rnp.unique_all(z), np.unique_all(z), strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(rnp.unique(z, True, True, True), np.unique(z, True, True, True), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(rnp.unique_values(z), np.unique(z, equal_nan=False))
    np.testing.assert_array_equal(rnp.isin(z, z[:3]), np.isin(z, z[:3]))
    np.testing.assert_array_equal(rosin.compile(rnp.unique_counts)(z).counts, np.unique_counts(z).counts)


def test_numbers_give_way_in_isin() -> None:
    x = rnp.asarray([1, 2], dtype="int8")
    assert rnp.isin(x, 2).tolist() == [False, True]
    assert rnp.isin(rnp.asarray([1 << 31], dtype="uint32"), 1 << 31).tolist() == [True]
    assert rnp.isin(1 << 40, rnp.asarray([1 << 40], dtype="int64")).item() is True


# -- the suite ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_conformance_suite() -> None:
    suite = os.environ.get("ARRAY_API_TESTS")
    if suite is None:
        pytest.skip("ARRAY_API_TESTS names no clone of data-apis/array-api-tests; see docs/conformance.md")
    arguments = ["-q", "-p", "no:cacheprovider", "--disable-deadline", "--derandomize", "--max-examples=50"]
    allowed = ROOT / "tests/frontend/standard_allowed.txt"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, f"--xfails-file={allowed}", "array_api_tests"],
        cwd=suite,
        env=os.environ | {"ARRAY_API_TESTS_MODULE": "rosin.numpy", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
