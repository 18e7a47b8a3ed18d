"""PyTorch's files, read and written without PyTorch.

A file is a zip archive with a pickled tree of tensors and the numbers of each storage, in old files a sequence of
pickles; TorchScript's archives hold a tree of modules. Of the pickles only trees of plain values and tensors are read:
no name in them is looked up beyond the few below, and no code runs.
"""

from __future__ import annotations

import errno
import io
import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rosin.stdlib.weights.dtypes import TORCH
from rosin.stdlib.weights.errors import WeightsError

_MAGIC = 0x1950A86A20F9469CFC6C
_OLD_VERSION = 1001
_OF_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, struct.error, EOFError, LookupError),
    *(ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError),
)
"""What Python's readers of zip archives and pickles raise where bytes are not what they should be."""

Numbers = np.ndarray[Any, Any]


def is_old(start: bytes) -> bool:
    """Whether a file begins as those from before PyTorch 1.6 do."""
    return start[:1] == b"\x80" and _MAGIC.to_bytes(10, "little") in start[:32]


def read(path: Path) -> dict[str, Numbers]:
    """The tensors of a file under dotted names.

    Raises:
        WeightsError: the file is none of PyTorch's, is damaged, or holds more than trees of tensors.
    """
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                tree = _read_zip(path)
            else:
                file.seek(0)
                tree = _read_old(path, file.read())
    except WeightsError:
        raise
    except (OSError, *_OF_DAMAGE) as error:
        # Python's zipfile seeks to places that there are not; other errors of reading are no fault of the file.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise WeightsError(f"{path}: the file is damaged, or none of PyTorch's ({error})") from None
    found: dict[str, Numbers] = {}
    _collect(tree, "", found)
    return found


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickled = next((name for name in names if name == "data.pkl" or name.endswith("/data.pkl")), None)
        if pickled is None:
            raise WeightsError(f"{path}: a zip archive without data.pkl is none of PyTorch's files")
        root = pickled.removesuffix("data.pkl")
        order = archive.read(root + "byteorder") if root + "byteorder" in names else b"little"
        if order.strip() != b"little":
            raise WeightsError(f"{path}: the numbers are in {order.decode()}-endian order, and only little is read")

        def storage(key: str, dtype: Any, count: int) -> Numbers:
            data = archive.read(f"{root}data/{key}")  # The archive has a checksum for each member.
            if len(data) < count * dtype.itemsize:
                raise WeightsError(f"{path}: storage {key} has {len(data)} bytes and needs {count * dtype.itemsize}")
            return np.frombuffer(data, dtype, count)

        return _Reader(io.BytesIO(archive.read(pickled)), str(path), storage).load()


def _read_old(path: Path, data: bytes) -> Any:
    if not is_old(data[:32]):
        raise WeightsError(f"{path}: neither a zip archive nor one of PyTorch's old files")
    file = io.BytesIO(data)
    wanted: dict[str, tuple[Any, int]] = {}

    def later(key: str, dtype: Any, count: int) -> _Storage:
        wanted[key] = dtype, count
        return _Storage(key)

    magic, version = (_Reader(file, str(path), later).load() for _ in range(2))
    if (magic, version) != (_MAGIC, _OLD_VERSION):
        raise WeightsError(f"{path}: version {version!r} of PyTorch's old files, and only {_OLD_VERSION} is read")
    _Reader(file, str(path), later).load()
    tree = _Reader(file, str(path), later).load()
    keys = _Reader(file, str(path), later).load()
    storages: dict[str, Numbers] = {}
    for key in keys:
        dtype, count = wanted[key]
        (stored,) = struct.unpack("<q", file.read(8))
        numbers = file.read(stored * dtype.itemsize)
        if stored != count or len(numbers) != count * dtype.itemsize:
            raise WeightsError(f"{path}: storage {key} has {len(numbers)} bytes and needs {count * dtype.itemsize}")
        storages[key] = np.frombuffer(numbers, dtype, count)
    return _filled(tree, storages)


class _Storage:
    """A storage whose numbers come later in the file."""

    def __init__(self, key: str) -> None:
        self.key = key


class _Tensor:
    """A tensor: a view of a storage."""

    def __init__(self, storage: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self, numbers: Numbers) -> Numbers:
        """The tensor's numbers."""
        reach = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)) + 1
        if min((0, self.offset, *self.shape, *self.strides)) < 0 or (0 not in self.shape and reach > numbers.size):
            raise WeightsError(
                f"a tensor of shape {self.shape} reaches {reach} numbers into a storage of {numbers.size}"
            )
        bytes_apart = [s * numbers.itemsize for s in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, bytes_apart, writeable=False)


def _rebuild(storage: Any, offset: int, shape: Any, strides: Any, *rest: Any) -> Any:
    tensor = _Tensor(storage, offset, tuple(shape), tuple(strides))
    return tensor if isinstance(storage, _Storage) else tensor.array(storage)


def _parameter(data: Any, *rest: Any) -> Any:
    return data


class _Module:
    """An object of TorchScript's: its state is its attributes."""

    def __init__(self, *args: Any) -> None:
        self.state: Any = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch._utils", "_rebuild_tensor"): _rebuild,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
    ("torch.jit._pickle", "build_intlist"): list,
    ("torch.jit._pickle", "build_doublelist"): list,
    ("torch.jit._pickle", "build_boollist"): list,
    ("torch.jit._pickle", "build_tensorlist"): list,
    ("torch.jit._pickle", "restore_type_tag"): lambda value, tag: value,
}


class _Kind:
    """A class of storages, which stands for an element type."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Reader(pickle.Unpickler):
    """Reads plain values and tensors, and refuses every other name."""

    def __init__(self, file: io.BytesIO, path: str, storage: Callable[[str, Any, int], Any]) -> None:
        super().__init__(file, encoding="utf-8")
        self._path, self._storage = path, storage
        self._known: dict[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module in ("torch", "torch.storage") and name in TORCH:
            return _Kind(name)
        if module.startswith("__torch__"):
            return _Module
        message = f"{self._path}: the file asks for {module}.{name}, and only trees of tensors are read"
        raise WeightsError(f"{message}: save the state_dict() of the model instead")

    def persistent_load(self, pid: Any) -> Any:
        tag, kind, key, _, count = pid[:5]
        if tag != "storage" or not isinstance(kind, _Kind):
            raise WeightsError(f"{self._path}: an unknown reference {pid!r}")
        key = str(key)
        if key not in self._known:
            self._known[key] = self._storage(key, TORCH[kind.name], int(count))
        return self._known[key]


def _filled(tree: Any, storages: dict[str, Numbers]) -> Any:
    """A tree in which tensors have their numbers."""
    if isinstance(tree, _Tensor):
        return tree.array(storages[tree.storage.key])
    if isinstance(tree, dict):
        return {key: _filled(value, storages) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_filled(value, storages) for value in tree]
    return tree


def _collect(tree: Any, path: str, found: dict[str, Numbers]) -> None:
    """The arrays in a tree under their dotted paths; what is no array is left out."""
    if isinstance(tree, _Module):
        _collect(tree.state, path, found)
    elif isinstance(tree, np.ndarray):
        found[path] = tree
    elif isinstance(tree, dict | list | tuple):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            _collect(value, f"{path}.{key}" if path else str(key), found)


# -- writing -----------------------------------------------------------------------------------------------------------


def write(file: Any, arrays: Mapping[str, Numbers]) -> None:
    """A file that `torch.load(weights_only=True)` reads as a state dict.

    Raises:
        WeightsError: PyTorch has no such element type.
    """
    names = {dtype: kind for kind, dtype in TORCH.items()}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", _pickled(arrays, names))
        archive.writestr("archive/byteorder", "little")
        for number, array in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{number}", np.ascontiguousarray(array).tobytes())
        archive.writestr("archive/version", "3\n")


def _pickled(arrays: Mapping[str, Numbers], names: dict[Any, str]) -> bytes:
    """The pickle of an OrderedDict of tensors, opcode by opcode, since the classes that it names are not here."""
    out = [pickle.PROTO + b"\x02", b"ccollections\nOrderedDict\n", pickle.EMPTY_TUPLE, pickle.REDUCE, pickle.MARK]
    for number, (name, array) in enumerate(arrays.items()):
        if array.dtype not in names:
            raise WeightsError(f"{name!r} is {array.dtype}, and PyTorch's files hold {', '.join(map(str, names))}")
        strides = [int(np.prod(array.shape[axis + 1 :], dtype=np.int64)) for axis in range(array.ndim)]
        out += [_text(name), b"ctorch._utils\n_rebuild_tensor_v2\n", pickle.MARK]
        out += [pickle.MARK, _text("storage"), f"ctorch\n{names[array.dtype]}\n".encode(), _text(str(number))]
        out += [_text("cpu"), _whole(array.size), pickle.TUPLE, pickle.BINPERSID, _whole(0)]
        for numbers in (array.shape, strides):
            out += [pickle.MARK, *map(_whole, numbers), pickle.TUPLE]
        out += [pickle.NEWFALSE, b"ccollections\nOrderedDict\n", pickle.EMPTY_TUPLE, pickle.REDUCE]
        out += [pickle.TUPLE, pickle.REDUCE]
    return b"".join([*out, pickle.SETITEMS, pickle.STOP])


def _text(text: str) -> bytes:
    data = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def _whole(number: int) -> bytes:
    if number < 2**31:
        return pickle.BININT + struct.pack("<i", number)
    data = pickle.encode_long(number)
    return pickle.LONG1 + bytes([len(data)]) + data
