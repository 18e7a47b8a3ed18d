"""Arrays pass to other libraries and back: NumPy, DLPack, buffers, pickles; with no copy where none is asked for."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import io
import pickle
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import dtypes
from rosin.ir.errors import TraceError
from rosin.runtime.dlpack import InterchangeError, InterfaceError

CPU = (1, 0)
ALL = pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)


def sample(dtype: dtypes.DType) -> rosin.Array:
    return rnp.asarray([[1, 0, 2], [3, 4, 0]]).astype(dtype)


def address(x: rosin.Array) -> int:
    return np.asarray(x).ctypes.data


class Exporter:
    """An array of another library, which gives what DLPack asks for by the keywords that are its own."""

    def __init__(self, x: Any, old: bool = False, device: tuple[int, int] = CPU, **options: Any) -> None:
        self.x, self.old, self.device, self.options = x, old, device, options
        self.asked: list[dict[str, Any]] = []

    def __dlpack__(self, **keywords: Any) -> Any:
        if self.old and keywords:
            raise TypeError("unexpected keyword")
        self.asked.append(keywords)
        return self.x.__dlpack__(**keywords | self.options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


READ_ONLY, IS_COPIED = 1, 2


def flags(capsule: Any) -> int:
    """The word of a capsule that says what may be done with its memory."""
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    address = get(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, b"dltensor_versioned")
    return ctypes.c_uint64.from_address(address + 24).value


# -- DLPack ------------------------------------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("old", [False, True])
def test_there_and_back_without_a_copy(dtype: dtypes.DType, old: bool) -> None:
    x = sample(dtype)
    exporter = Exporter(x, old)
    back = rnp.from_dlpack(exporter)
    assert exporter.asked == [{} if old else {"max_version": (1, 0)}]
    assert back.dtype == dtype
    assert address(back) == address(x)
    np.testing.assert_array_equal(back, x)
    assert core_address(rnp.asarray(exporter)) == address(x)


def core_address(x: rosin.Array) -> int:
    return x._value.ctypes.data


@ALL
def test_memory_outlives_the_array(dtype: dtypes.DType) -> None:
    x = sample(dtype)
    expected, there = x.tolist(), rnp.from_dlpack(x)
    unused = x.__dlpack__(max_version=(1, 0))
    del x, unused
    gc.collect()
    assert there.tolist() == expected


def test_what_is_exported_is_only_to_be_read() -> None:
    x = rnp.asarray([1.0, 2.0])
    assert not np.from_dlpack(x).flags.writeable
    copied = np.from_dlpack(Exporter(x, copy=True))
    copied[0] = 9
    assert x.tolist() == [1, 2]
    assert flags(x.__dlpack__(max_version=(1, 0))) == READ_ONLY
    assert flags(x.__dlpack__(max_version=(2, 0), copy=True)) == IS_COPIED
    # A reader of before version 1, which is told nothing of that, gets the memory all the same.
    fixed = np.arange(3.0)
    fixed.flags.writeable = False
    assert core_address(rnp.from_dlpack(Exporter(rnp.asarray(fixed), old=True))) == fixed.ctypes.data


def test_assignment_leaves_exported_memory_alone() -> None:
    x = rnp.asarray([1.0, 2.0])
    there = np.from_dlpack(x)
    x[0] = 5.0
    assert (there.tolist(), x.tolist()) == ([1, 2], [5, 2])


def test_copies_are_made_where_they_are_asked_for() -> None:
    source = np.arange(6.0).reshape(2, 3)
    assert core_address(rnp.from_dlpack(source)) == source.ctypes.data
    assert core_address(rnp.from_dlpack(source, copy=True)) != source.ctypes.data
    assert core_address(rnp.from_dlpack(source, copy=False)) == source.ctypes.data
    np.testing.assert_array_equal(rnp.from_dlpack(source.T), source.T)
    with pytest.raises(BufferError, match="lie apart"):
        rnp.from_dlpack(source.T, copy=False)


def test_devices() -> None:
    x = rnp.ones(2)
    assert x.__dlpack_device__() == CPU
    assert rnp.from_dlpack(x, device="cpu").tolist() == [1, 1]
    with pytest.raises(ValueError, match="no device 'gpu'"):
        rnp.from_dlpack(x, device="gpu")
    away = Exporter(x, device=(2, 0))
    with pytest.raises(BufferError, match=r"on device \(2, 0\)"):
        rnp.from_dlpack(away)
    assert away.asked == []
    assert rnp.from_dlpack(away, device="cpu", copy=True).tolist() == [1, 1]
    assert away.asked == [{"max_version": (1, 0), "dl_device": CPU, "copy": True}]
    with pytest.raises(BufferError, match="cannot go to"):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(ValueError, match="no streams"):
        x.__dlpack__(stream=1)


def test_what_has_no_dlpack() -> None:
    for kind in (InterfaceError, AttributeError, TypeError):
        with pytest.raises(kind, match="not one of list"):
            rnp.from_dlpack([1.0])
    with pytest.raises(InterchangeError, match="Unsupported dtype"):
        rnp.from_dlpack(_Float8())
    with pytest.raises(TraceError, match="DLPack passes on its numbers"):
        rosin.compile(lambda x: rnp.from_dlpack(x))(rnp.ones(2))


class _Float8:
    """Exports an element type that NumPy has not, by a capsule with a code that means nothing to it."""

    def __dlpack__(self, **keywords: Any) -> Any:
        capsule = np.zeros(2, np.uint8).__dlpack__()
        get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
        pointer = get(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, b"dltensor")
        ctypes.c_uint8.from_address(pointer + 20).value = 10
        return capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU


@pytest.mark.peers
@ALL
def test_torch_shares_memory(dtype: dtypes.DType) -> None:
    import torch

    x = sample(dtype)
    there = torch.from_dlpack(x)
    assert there.data_ptr() == address(x)
    assert str(there.dtype).endswith(dtype.numpy.name)
    assert there.tolist() == x.tolist()
    back = rnp.from_dlpack(there)
    assert (address(back), back.dtype) == (address(x), dtype)
    assert core_address(rnp.asarray(torch.ones(3))) != 0
    assert rosin.compile(lambda t: t * 2)(torch.ones(3, dtype=torch.bfloat16)).dtype == dtypes.bf16


@pytest.mark.peers
@ALL
def test_jax_shares_memory(dtype: dtypes.DType) -> None:
    import jax

    assert np.asarray(jax.numpy.asarray(sample(dtype))).tolist() == sample(dtype).tolist()

    x = sample(dtype)
    there = jax.dlpack.from_dlpack(x)
    assert np.asarray(there).tolist() == x.tolist()
    # JAX copies what is not aligned as it likes, and makes 32 bits of 64 unless told otherwise.
    back = rnp.from_dlpack(there)
    assert address(back) == there.unsafe_buffer_pointer()
    assert back.tolist() == x.tolist()


# -- buffers -----------------------------------------------------------------------------------------------------------


@ALL
def test_buffers(dtype: dtypes.DType) -> None:
    x = sample(dtype)
    if dtype == dtypes.bf16:
        with pytest.raises(BufferError, match="no name for bf16"):
            x.__buffer__(0)
        with pytest.raises((BufferError, SystemError)):
            memoryview(x)
        assert np.asarray(x).dtype == dtype.numpy
        return
    view = memoryview(x)
    assert (view.shape, view.itemsize, view.readonly, view.c_contiguous) == ((2, 3), dtype.bytes, True, True)
    np.testing.assert_array_equal(np.asarray(view), x)
    assert np.shares_memory(np.asarray(view), np.asarray(x))
    assert bytes(x) == np.asarray(x).tobytes()
    assert hashlib.sha256(x).digest() == hashlib.sha256(np.asarray(x)).digest()


def test_buffers_are_only_to_be_read() -> None:
    x = rnp.asarray([1.0, 2.0])
    with pytest.raises((TypeError, BufferError)):
        io.BytesIO(bytes(8)).readinto(x)  # pyright: ignore[reportArgumentType]  # refused, and that is the test
    assert not np.frombuffer(x, np.float32).flags.writeable
    view = memoryview(x)
    x[0] = 5.0
    assert (view.tolist(), x.tolist()) == ([1, 2], [5, 2])
    del x
    gc.collect()
    assert view.tolist() == [1, 2]


def test_what_has_no_numbers_has_no_buffer() -> None:
    with pytest.raises((TypeError, BufferError)):
        rosin.compile(lambda x: memoryview(x))(rnp.ones(2))
    with pytest.raises(TraceError, match=r"np\.asarray needs its numbers"):
        rosin.compile(lambda x: np.asarray(x))(rnp.ones(2))


# -- NumPy -------------------------------------------------------------------------------------------------------------


def test_numpy_leaves_operators_to_us() -> None:
    ours, theirs = rnp.asarray([1.0, 2.0]), np.array([3.0, 4.0], np.float32)
    for mixed in (theirs + ours, theirs - ours, theirs * ours, theirs @ ours, theirs < ours, np.float32(2) * ours):
        assert isinstance(mixed, rosin.Array)
    np.testing.assert_array_equal(theirs - ours, [2, 2])
    assert isinstance(rosin.compile(lambda x: theirs * x)(ours), rosin.Array)
    # NumPy's own functions read ours as arrays of its own.
    assert isinstance(np.add(theirs, ours), np.ndarray)
    np.add(theirs, ours, out=theirs)
    np.testing.assert_array_equal(theirs, [4, 6])


@ALL
def test_numpy_asks_for_the_dtype_alone(dtype: dtypes.DType) -> None:
    x = sample(dtype)
    assert np.result_type(x) == np.dtype(dtype) == np.dtype(x) == dtype.numpy
    assert rosin.compile(lambda x: rnp.zeros(3, dtype=np.result_type(x)))(x).dtype == dtype


# -- Python ------------------------------------------------------------------------------------------------------------


@ALL
def test_pickles(dtype: dtypes.DType) -> None:
    x = sample(dtype)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps({"x": x}, protocol))["x"]
        assert (type(back), back.dtype, back.tolist()) == (rosin.Array, dtype, x.tolist())
    parts: list[pickle.PickleBuffer] = []
    text = pickle.dumps(x, 5, buffer_callback=parts.append)
    assert pickle.loads(text, buffers=parts).tolist() == x.tolist()


def test_texts() -> None:
    assert repr(rnp.asarray([1.0, 2.5])) == "Array([1. , 2.5], dtype=float32)"
    assert repr(rnp.zeros((0, 3), dtype="int32")) == "Array([], shape=(0, 3), dtype=int32)"
    assert str(rnp.asarray([[1, 2]])) == "[[1 2]]"
    large = repr(rnp.zeros((1000, 1000)))
    assert "..." in large
    assert len(large) < 600
    assert f"{rnp.asarray(1.0):.3f}, {rnp.asarray(3):04d}, {rnp.ones(2)}" == "1.000, 0003, [1. 1.]"


def test_traced_arrays_say_where_they_were_made() -> None:
    def shown(x: Any) -> Any:
        y = x * 2
        line = shown.__code__.co_firstlineno + 1
        assert repr(x) == "Traced(x: f32[3])"
        assert (repr(y), str(y)) == (f"Traced(y: f32[3], made at test_interchange.py:{line})", "Traced(y: f32[3])")
        return y

    rosin.compile(shown)(rnp.ones(3))
