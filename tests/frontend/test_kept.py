"""What a program computes once from arrays that its function reads from outside."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.compile import Compiled
from rosin.frontend.kept import is_fixed

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 24, 9, 9), np.float32)


def kernel(outputs: int = 48, inputs: int = 24) -> Any:
    """Weights in memory that nobody else holds."""
    return rnp.asarray(RNG.standard_normal((outputs, inputs, 3, 3), np.float32))


def kept_bytes(f: Compiled) -> list[int]:
    """Of each program, what it keeps."""
    programs: Any = f._recent
    return [program.executable.kept_bytes if program.kept else 0 for program in programs]


def net(x: Any, w: Any, scale: Any, second: Any) -> Any:
    x = rnp.maximum(rosin.nn.conv(x, w * scale[:, None, None, None], padding=1), 0)
    return rosin.nn.conv(x, second, strides=2, padding=1)


def both(weights: list[Any]) -> tuple[Compiled, Callable[[Any], Any]]:
    """The net with weights from outside, and with weights that are given."""
    given = rosin.compile(net)
    return rosin.compile(lambda x: net(x, *weights)), lambda x: given(x, *weights)


def drawn_weights() -> list[Any]:
    return [kernel(), rnp.asarray(RNG.standard_normal(48, np.float32)), kernel(32, 48)]


def test_packed_weights_are_kept_and_give_the_same_bits() -> None:
    f, given = both(drawn_weights())
    for _ in range(3):
        np.testing.assert_array_equal(f(X), given(X))
    # The scaled kernel and its packed form, or that alone, and the second one.
    assert kept_bytes(f)[0] >= 4 * 9 * (48 * 24 + 32 * 48)


@pytest.mark.parametrize("position", range(3))
def test_an_array_that_is_assigned_to_is_read_anew(position: int) -> None:
    weights = drawn_weights()
    f, given = both(weights)
    before = f(X)
    weights[position][1] = 7.0
    for _ in range(2):
        np.testing.assert_array_equal(f(X), given(X))
    assert not np.array_equal(f(X), before)


def test_memory_that_others_may_write_to_is_not_kept() -> None:
    numbers = RNG.standard_normal((48, 24, 3, 3), np.float32)
    w = rnp.asarray(numbers)
    assert not is_fixed(w)
    f, given = rosin.compile(lambda x: rosin.nn.conv(x, w)), rosin.compile(rosin.nn.conv)
    f(X)
    assert kept_bytes(f) == [0]
    numbers[:] = 1
    np.testing.assert_array_equal(f(X), given(X, w))


def test_what_replaces_kept_numbers_may_be_memory_of_others() -> None:
    w, numbers = kernel(), RNG.standard_normal((48, 24, 3, 3), np.float32)
    f, given = rosin.compile(lambda x: rosin.nn.conv(x, w)), rosin.compile(rosin.nn.conv)
    f(X)
    assert kept_bytes(f)[0] > 0
    w._value = numbers  # As an assignment of all elements may do.
    for value in (0.5, -2.0):
        numbers[:] = value
        np.testing.assert_array_equal(f(X), given(X, w))


def test_memory_that_is_ours_alone() -> None:
    assert is_fixed(rnp.ones((3, 3)) * 2)
    for made in (rnp.asarray(np.ones(3)), rnp.asarray(np.ones(4)[1:])):
        assert is_fixed(made)
    assert is_fixed(rosin.compile(lambda x: x + 1)(X))
    shared = rnp.ones(3)
    seen = np.asarray(shared)  # Only to be read, but who knows.
    assert not is_fixed(shared)
    del seen
    assert is_fixed(shared)


def test_memory_that_somebody_holds() -> None:
    numbers = RNG.standard_normal((4, 4), np.float32)
    for view in (numbers, numbers[1:], numbers[1:][1:], numbers.reshape(16)):
        assert not is_fixed(rnp.asarray(view))
    del view
    assert not is_fixed(rnp.asarray(numbers[1:]))
    assert is_fixed(rnp.asarray(numbers, copy=True))
    assert not is_fixed(numbers)
    locked = numbers.copy()
    locked.flags.writeable = False  # Its owner may take that back.
    assert not is_fixed(rnp.asarray(locked))


def test_memory_of_other_objects() -> None:
    data = bytes(64)
    assert is_fixed(rnp.asarray(np.frombuffer(data, np.float32)))
    assert is_fixed(rnp.asarray(np.frombuffer(memoryview(data)[4:], np.float32)))
    changing = bytearray(data)
    assert not is_fixed(rnp.asarray(np.frombuffer(changing, np.float32)))
    assert not is_fixed(rnp.asarray(np.frombuffer(memoryview(changing).toreadonly(), np.float32)))


def test_programs_may_share_what_they_keep_from() -> None:
    w = kernel()
    f = rosin.compile(lambda x: rosin.nn.conv(x, w), dynamic=False)
    for count in (1, 2):
        f(X[:count])
    assert all(kept_bytes(f))


def test_kept_weights_serve_symbolic_sizes() -> None:
    w = kernel()
    f = rosin.compile(lambda x: rosin.nn.conv(x, w, padding=1), dynamic={"x": 0})
    given = rosin.compile(lambda x, w: rosin.nn.conv(x, w, padding=1))
    for count in (2, 3):
        x = np.concatenate([X] * count)
        np.testing.assert_allclose(f(x), given(x, w), rtol=1e-5, atol=1e-4)
    assert len(kept_bytes(f)) == 1
    assert kept_bytes(f)[0] > 0


def test_trees_and_calls_that_miss() -> None:
    w = kernel()
    f = rosin.compile(lambda images: {"y": rosin.nn.conv(images["x"], w)})
    want = rosin.compile(rosin.nn.conv)(X, w)
    for images in ({"x": X}, {"x": rnp.asarray(X)}, {"x": X.astype(np.float64).astype(np.float32)}):
        np.testing.assert_array_equal(f(images)["y"], want)
    w[0] = 0.0
    assert not np.asarray(f({"x": X})["y"])[:, 0].any()


def test_clear_gives_the_memory_back() -> None:
    w = kernel()
    f = rosin.compile(lambda x: rosin.nn.conv(x, w))
    f(X)
    program: Any = next(iter(f._recent))
    gone = weakref.ref(program.kept.prepared().base)
    del program
    f.clear()
    gc.collect()
    assert gone() is None


def test_little_is_computed_anew() -> None:
    w = rnp.asarray(RNG.standard_normal((8, 8), np.float32))
    f = rosin.compile(lambda x: x @ (w * 2).T)
    f(np.ones((4, 8), np.float32))
    assert kept_bytes(f) == [0]


def test_what_is_kept_is_told_and_comes_from_the_disk() -> None:
    w = kernel()

    def conv(x: Any) -> Any:
        return rosin.nn.conv(x, w)

    f, again = rosin.compile(conv), rosin.compile(conv)
    f(X)
    assert "kept from call to call" in f.explain(X)
    assert "\nsetup kernel" in f.text(X, stage="loops")
    np.testing.assert_array_equal(again(X), f(X))
    program: Any = next(iter(again._recent))
    assert program.executable.from_cache
    assert kept_bytes(again) == kept_bytes(f)
