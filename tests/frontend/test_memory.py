"""Sizes that no process can address, and arrays for which there is no memory: errors with a type, and life goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import ConstraintError, OutOfMemoryError, RosinError, ShapeError

X = np.ones(4, np.float32)
UNADDRESSABLE, TOO_LARGE = 1 << 60, 1 << 40
"""Numbers of elements: these counted in bytes fit no 64 bits, those no machine that runs tests."""


def key() -> Any:
    return rosin.random.key(0)


MAKERS: dict[str, Callable[[Any, Any], Any]] = {
    "zeros": lambda x, n: rnp.zeros(n),
    "ones": lambda x, n: rnp.ones((n, 2)),
    "full": lambda x, n: rnp.full(n, 2.5),
    "full of an array": lambda x, n: rnp.full((n, 4), x),
    "zeros_like": lambda x, n: rnp.zeros_like(x, shape=(n,)),
    "arange": lambda x, n: rnp.arange(n, dtype=rnp.int64),
    "linspace": lambda x, n: rnp.linspace(0, 1, n),
    "eye": lambda x, n: rnp.eye(n, 2),
    "broadcast_to": lambda x, n: rnp.broadcast_to(x, (n, 4)) + 1,
    "tile": lambda x, n: rnp.tile(x, n),
    "repeat": lambda x, n: rnp.repeat(x, n),
    "pad": lambda x, n: rnp.pad(x, n),
    "concat": lambda x, n: rnp.concat([rnp.broadcast_to(x, (n, 4))] * 2),
    "stack": lambda x, n: rnp.stack([rnp.broadcast_to(x, (n, 4))] * 2),
    "outer": lambda x, n: rnp.outer(x, rnp.broadcast_to(x[0], (n,))),
    "matmul": lambda x, n: rnp.broadcast_to(x, (n, 4)) @ rnp.ones((4, 3)),
    "cumulative sum": lambda x, n: rnp.cumulative_sum(rnp.broadcast_to(x, (n, 4)), axis=1),
    "one_hot": lambda x, n: rosin.nn.one_hot(np.arange(4), n),
    "random bits": lambda x, n: rosin.random.bits(key(), (n,)),
    "uniform": lambda x, n: rosin.random.uniform(key(), (n,)),
    "split": lambda x, n: rosin.random.split(key(), n),
    "conv": lambda x, n: rosin.nn.conv(rnp.reshape(x, (1, 1, 4)), rnp.ones((1, 1, 2)), padding=[(n, n)]),
    "scan": lambda x, n: rosin.scan(lambda c, _: (c + 1, c), x, None, length=n)[1],
}
NUMBERS = ("linspace", "pad", "tile", "repeat", "one_hot", "split", "conv", "scan")
"""Those that ask for a number, which makes a guard of a symbolic size."""
SYMBOLIC_TOO = [name for name in MAKERS if name not in NUMBERS]


@pytest.mark.parametrize("name", MAKERS)
def test_sizes_that_overflow(name: str) -> None:
    make = MAKERS[name]
    with pytest.raises(ShapeError, match="bytes") as caught:
        make(X, UNADDRESSABLE)
    assert caught.value.location is not None
    with pytest.raises(ShapeError, match="bytes") as caught:
        rosin.compile(lambda x: make(x, UNADDRESSABLE))(X)
    assert caught.value.location is not None


@pytest.mark.parametrize("name", MAKERS)
def test_more_than_there_is_memory_for(name: str) -> None:
    make = MAKERS[name]
    with pytest.raises(OutOfMemoryError, match=r"there is no memory for .* bytes") as caught:
        make(X, TOO_LARGE)
    assert isinstance(caught.value, MemoryError)
    f = rosin.compile(lambda x: make(x, TOO_LARGE))
    for _ in range(2):
        with pytest.raises(OutOfMemoryError, match=r"lambda: there is no memory for its results .* bytes"):
            f(X)


@pytest.mark.parametrize("name", SYMBOLIC_TOO)
@pytest.mark.parametrize(("power", "kind"), [(2, OutOfMemoryError), (3, ConstraintError)])
def test_symbolic_sizes_that_grow_too_large(name: str, power: int, kind: type[RosinError]) -> None:
    make = MAKERS[name]
    f = rosin.compile(lambda x, y: make(x, y.shape[0] ** power), dynamic={"y": 0})
    small, large = np.zeros(2, np.float32), np.zeros(1 << 20, np.float32)
    np.testing.assert_array_equal(np.asarray(f(X, small)), np.asarray(make(X, 2**power)))
    for _ in range(2):
        with pytest.raises(kind):
            f(X, large)
    np.testing.assert_array_equal(np.asarray(f(X, small)), np.asarray(make(X, 2**power)))
    assert len(f.signatures()) == 1


def test_what_lies_between_may_be_too_large() -> None:
    f = rosin.compile(lambda x: rnp.max(rnp.cumulative_sum(x[:, None] * x, axis=1)), dynamic={"x": 0})
    assert float(f(X)) == 4
    for _ in range(2):
        with pytest.raises(RosinError, match="no memory"):
            f(np.ones(1 << 21, np.float32))
    assert float(f(X)) == 4


def test_the_first_call_works_in_donated_memory_beside_read_only_numbers() -> None:
    def step(state: list[rosin.Array]) -> list[rosin.Array]:
        return [x + 1 for x in state]

    fixed = np.zeros(3, np.float32)
    fixed.flags.writeable = False
    state = [rnp.ones((64, 64)), rnp.asarray(fixed)]
    place = np.asarray(state[0]).ctypes.data
    found = rosin.compile(step, donate_argnums=0)(state)
    assert np.asarray(found[0]).ctypes.data == place
    np.testing.assert_array_equal(fixed, np.zeros(3))
    np.testing.assert_array_equal(found[1], np.ones(3))


@pytest.mark.parametrize("given", [lambda x: x, rnp.asarray, lambda x: rnp.asarray(x[:])], ids=["it", "array", "view"])
def test_donation_never_writes_into_memory_of_the_user(given: Callable[[Any], Any]) -> None:
    f = rosin.compile(lambda x: x + 1, donate_argnums=0)
    for _ in range(3):
        mine = np.zeros(5, np.float32)
        np.testing.assert_array_equal(f(given(mine)), np.ones(5))
        np.testing.assert_array_equal(mine, np.zeros(5))
