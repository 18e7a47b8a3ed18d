"""Complex numbers through every array function that NumPy lets them through, and running extremes in NumPy's order."""

import contextlib
import warnings
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import DTypeError

REFUSED = {"histogram_bin_edges", "histogram2d", "histogramdd"}
"""What NumPy takes: its bins are steps along a line in the plane, and what is in them goes by real parts."""


def test_what_refuses_complex_numbers_is_refused_by_numpy_too() -> None:
    x = np.array([1 + 2j, 3 - 1j, 0.5j])
    wrong: list[str] = []
    for name in rnp.__all__:
        function, theirs = getattr(rnp, name), getattr(np, name, None)
        if not callable(function) or isinstance(function, type) or theirs is None:
            continue
        for arguments in ((x,), (x, x), (x[None] * x[:, None],), (x, x, x)):
            try:
                function(*map(rnp.asarray, arguments))
                break
            except DTypeError:
                with contextlib.suppress(Exception), warnings.catch_warnings():
                    warnings.simplefilter("error")  # as where NumPy drops imaginary parts
                    theirs(*arguments)
                    wrong.append(name)
                break
            except Exception:
                continue  # it takes other arguments
    assert set(wrong) == REFUSED


NAN = float("nan")
LINES = np.array([
    [1 + 2j, 1 + 1j, 2 - 5j, 2 - 5j, 2 + 0j, -3j, 2.0],
    [0.0, 1j, complex(NAN, 1), 5.0, complex(2, NAN), 1.0, 0.0],
    [-1j, complex(1, NAN), complex(NAN, NAN), complex(NAN, 0), 1.0, 2.0, 3.0],
    [complex(-np.inf, 1), complex(-np.inf, -1), 0.0, complex(np.inf, 0), complex(np.inf, 3), 1.0, -1.0],
    [0.0, complex(-0.0, 0.0), complex(0.0, -0.0), 0.0, 1j, -1j, 0.0],
])  # fmt: skip


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_running_extremes(name: str, axis: int, dtype: str) -> None:
    x = LINES.astype(dtype)
    function = {"cummax": rnp.cummax, "cummin": rnp.cummin}[name]
    accumulate = {"cummax": np.maximum, "cummin": np.minimum}[name].accumulate
    expected = accumulate(x, axis=axis)
    for f in (function, rosin.compile(function, static_argnames=("axis",))):
        found: Any = np.asarray(f(rnp.asarray(x), axis=axis))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.real, expected.real)
        np.testing.assert_array_equal(found.imag, expected.imag)
    one = rosin.vmap(lambda line: function(line, axis=0), in_axes=1 - axis, out_axes=1 - axis)
    np.testing.assert_array_equal(np.asarray(one(rnp.asarray(x))), expected)
    assert function(rnp.zeros((0, 3), dtype=dtype), axis=axis).shape == (0, 3)


def test_running_extremes_of_any_length() -> None:
    running = rosin.compile(rnp.cummax, dynamic=True)
    for n in (3, 5, 64):
        x = np.random.default_rng(n).integers(-2, 3, (n, 2)) @ np.array([1, 1j])
        np.testing.assert_array_equal(np.asarray(running(rnp.asarray(x))), np.maximum.accumulate(x))


def test_derivatives_of_running_extremes_go_to_the_first_that_ties() -> None:
    x = np.array([1 + 1j, 2.0, 2.0, 1j, 3.0, 2.0])
    c = rnp.asarray(np.array([1, 10j, 100, 1000, 1e4, 1e5j]))
    _, pull = rosin.vjp(rnp.cummax, rnp.asarray(x))
    np.testing.assert_array_equal(np.asarray(pull(c)[0]), [1, 1100 + 10j, 0, 0, 1e4 + 1e5j, 0])
    moved = rosin.jvp(rnp.cummax, (rnp.asarray(x),), (c,))[1]
    np.testing.assert_array_equal(np.asarray(moved), [1, 10j, 10j, 10j, 1e4, 1e4])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_clip(dtype: str) -> None:
    x = LINES.astype(dtype)
    low, high = np.asarray(-1j, dtype), np.asarray(2 - 5j, dtype)
    for bounds in ((low, high), (low, None), (None, high), (high, low)):
        expected = np.clip(x, *bounds)
        for f in (rnp.clip, rosin.compile(rnp.clip)):
            found = np.asarray(f(rnp.asarray(x), *(b if b is None else rnp.asarray(b) for b in bounds)))
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
    # The gradient goes through where the bounds do not hold.
    _, pull = rosin.vjp(lambda v: rnp.clip(v, 0, 2 + 1j), rnp.asarray(np.array([-1 + 5j, 1j, 2 + 0j, 2 + 2j])))
    np.testing.assert_array_equal(np.asarray(pull(rnp.asarray(np.array([1j, 2, 3j, 4])))[0]), [0, 2, 3j, 0])
