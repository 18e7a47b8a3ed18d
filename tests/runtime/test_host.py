"""Native code that asks Python: calls, exceptions, and when loops look for signals."""

from __future__ import annotations

import ctypes
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir.host import HostFunction
from rosin.ir.ops.effect import Callback, PureCallback
from rosin.ir.types import TensorType
from rosin.runtime import host

F64 = TensorType(dtypes.f64, (2,))
BOOL = TensorType(dtypes.bool_)


def function(symbol: str, *types: Any) -> Any:
    address = host._library().address(symbol)  # pyright: ignore[reportPrivateUsage]
    return ctypes.PYFUNCTYPE(ctypes.c_int32, *types)(address)


def callback(python: Any) -> Callback:
    return PureCallback(HostFunction(python, "test"), (F64,), None)


def call(receiver: Any, number: int, *arrays: np.ndarray[Any, Any]) -> int:
    pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
    ask = function("rosin_host", ctypes.py_object, ctypes.c_int64, ctypes.c_void_p)
    return ask(receiver, number, ctypes.addressof(pointers))


def test_a_call_reads_operands_and_writes_results() -> None:
    doubled = callback(lambda x: [x * 2])
    receiver = host.Receiver([(doubled, (BOOL, F64), (F64,)), (callback(lambda x: [x + 1]), (BOOL, F64), (F64,))])
    on, x, y = np.asarray(True), np.asarray([1.0, 2.0]), np.zeros(2)
    assert call(receiver, 0, on, x, y) == 0
    assert y.tolist() == [2, 4]
    assert call(receiver, 1, on, x, y) == 0
    assert y.tolist() == [2, 3]


def test_what_a_function_keeps_is_its_own() -> None:
    kept: list[Any] = []

    def keep(x: Any) -> Any:
        kept.append(x)
        x[:] = 7
        return [x]

    x = np.ones(2)
    assert call(host.Receiver([(callback(keep), (BOOL, F64), (F64,))]), 0, np.asarray(True), x, np.zeros(2)) == 0
    assert x.tolist() == [1, 1]
    assert kept[0].tolist() == [7, 7]


def test_an_exception_stays_set() -> None:
    error = ValueError("mine")

    def broken(x: Any) -> Any:
        raise error

    receiver = host.Receiver([(callback(broken), (BOOL, F64), (F64,))])
    with pytest.raises(ValueError, match="mine") as caught:
        call(receiver, 0, np.asarray(True), np.ones(2), np.zeros(2))
    assert caught.value is error
    with pytest.raises(IndexError):
        call(receiver, 5)


class State(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("left", "stride", "last", "looked")]


def polls(state: State, step_seconds: float, seconds: float) -> int:
    """Run a loop of steps for a time, polling as loops do; gives the longest stride."""
    poll = function("rosin_poll", ctypes.c_void_p)
    end, longest = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        if step_seconds:
            time.sleep(step_seconds)
        state.left -= 1
        if state.left <= 0:
            assert poll(ctypes.addressof(state)) == 0
            longest = max(longest, state.stride)
    return longest


def test_the_stride_follows_the_time_that_steps_take() -> None:
    assert polls(State(), 0.0, 0.2) == host.MOST_STEPS
    assert polls(State(), 0.03, 0.2) == 1
    state = State()
    assert polls(state, 0.0, 0.1) == host.MOST_STEPS
    # Steps that have become slow are soon polled one by one.
    state.left = state.stride = 4
    polls(state, 0.03, 0.3)
    assert state.stride == 1


@contextmanager
def handler(function: Any) -> Generator[None]:
    before = signal.signal(signal.SIGUSR1, function)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handler_that_raises_stops_and_one_that_does_not_goes_on() -> None:
    poll = function("rosin_poll", ctypes.c_void_p)
    calls: list[int] = []

    def raises(number: int, frame: Any) -> None:
        raise OSError("stop")

    state = State()
    with handler(lambda number, frame: calls.append(number)):
        polls(state, 0.0, 0.05)
        signal.raise_signal(signal.SIGUSR1)
        polls(state, 0.001, 0.05)
    assert calls == [signal.SIGUSR1]
    assert poll(ctypes.addressof(State())) == 0
