"""The disk cache of compiled objects: bytes and metadata by key, shared by many processes.

An entry is one file, `<folder>/<first two digits of the key>/<key>`:

    magic, format version, length of the metadata, length of the data, checksum | metadata (`marshal`) | data

The checksum covers the key, the metadata and the data, so a damaged, truncated or misplaced file is a miss (and goes),
never a wrong answer. A file appears whole under its name (`os.replace`) and is never changed after. Its time of
modification is when it was last used, to the hour: the least recently used files go when the folder is over its limit.

What a call waits for is put for later: this process has it at once, and its file is written when the call is done.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import functools
import itertools
import marshal
import os
import re
import struct
import threading
import time
import warnings

# `hashlib` has the same function, and loads the library of OpenSSL besides.
from _blake2 import blake2b
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from rosin.ir.dataclass import dataclass

__all__ = ["Entry", "ObjectCache", "compiler_version", "default", "hashed", "sources_version"]

DEFAULT_LIMIT = 1 << 30
_MAGIC = b"ROSINOBJ"
_VERSION = 2
_MARSHAL = 2  # the version of Python's format, which all read alike
_HEADER = struct.Struct("<8sIIQ32s")
_HOUR = 3600.0
_UNFINISHED = ".new"  # ends the name of a file that is being written
_LATER_SECONDS = 0.05  # by then a first call is done, or waits for LLVM


@dataclass(frozen=True)
class Entry:
    """What the cache holds under a key: bytes, and metadata of Python's plain types."""

    data: bytes
    meta: dict[str, Any] = field(default_factory=dict[str, Any])

    def objects(self) -> list[bytes]:
        """The data as the objects that it was put together of, whose lengths the metadata has."""
        lengths: list[int] = self.meta["lengths"]
        starts = itertools.accumulate(lengths, initial=0)
        return [self.data[start : start + length] for start, length in zip(starts, lengths, strict=False)]


def hashed(*parts: str | bytes) -> str:
    """A key: 64 hexadecimal digits that differ whenever one of the parts does."""
    total = blake2b(digest_size=32)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(b"%d:" % len(data))
        total.update(data)
    return total.hexdigest()


class ObjectCache:
    """Entries by key (`hashed` of all that decides the entry) in a folder.

    The folder is `folder`, else `ROSIN_CACHE_DIR`, else `$XDG_CACHE_HOME/rosin`, else `~/.cache/rosin`; its limit in
    bytes is `limit`, else `ROSIN_CACHE_BYTES`, else 1 GiB. `ROSIN_CACHE=0` disables every cache. A folder that cannot
    be read or written to is warned of once, and then the cache holds nothing.
    """

    def __init__(self, folder: Path | str | None = None, limit: int | None = None) -> None:
        # Text: `pathlib` interns each part of a path, and the table of interned text never shrinks.
        self._root = os.fspath(folder) if folder is not None else _default_folder()
        self.limit = limit if limit is not None else int(os.environ.get("ROSIN_CACHE_BYTES") or DEFAULT_LIMIT)
        self._enabled = os.environ.get("ROSIN_CACHE") != "0"
        self._unchecked = 0  # bytes put since the folder was last held against its limit

    @property
    def folder(self) -> Path:
        return Path(self._root)

    def is_new(self) -> bool:
        """Whether nothing has ever been put there."""
        return not os.path.isdir(self._root)

    def get(self, key: str) -> Entry | None:
        """The entry of a key, or None: absent, damaged, or no cache."""
        path = self._path(key)
        if not self._enabled:
            return None
        waiting = _waiting.get(path)
        if waiting is not None:
            return _decode(key, waiting[1])
        try:
            with open(path, "rb") as file:
                stored = file.read()
                age = time.time() - os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            self._disable(error)
            return None
        entry = _decode(key, stored)
        try:
            if entry is None:
                _remove(path)
            elif age > _HOUR:
                os.utime(path)
        except OSError:
            pass  # a folder we may only read: the entry is as good, or stays as bad, as it was
        return entry

    def put(self, key: str, data: bytes, meta: Mapping[str, Any] | None = None, later: bool = False) -> None:
        """Keep an entry, replacing the one of the same key; `later`, its file is written by another thread soon, or
        when the process ends. Raises `TypeError` for metadata of other types."""
        path = self._path(key)
        stored = _encode(key, data, {} if meta is None else meta)
        if not self._enabled or len(stored) > self.limit:
            return
        if later:
            _waiting[path] = self, stored
            # Whoever writes goes on until nothing waits.
            if len(_waiting) == 1:
                try:
                    _thread.start_new_thread(_write_soon, ())
                except RuntimeError:  # The process ends.
                    write_waiting()
        else:
            _waiting.pop(path, None)
            self.write(path, stored)

    def write(self, path: str, stored: bytes) -> None:
        """Write the file of an entry."""
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            _write_whole(path, stored)
            self._unchecked += len(stored)
            # Programs that put little still look at the folder now and then: one key in 64.
            if self._unchecked > self.limit // 8 or int(os.path.basename(path)[:2], 16) < 4:
                self._unchecked = 0
                self._evict()
        except OSError as error:
            self._disable(error)

    def clear(self) -> None:
        """Remove every entry."""
        write_waiting()
        for file in self._files():
            _remove(file.path)

    def size(self) -> int:
        """Bytes of all entries."""
        write_waiting()
        return sum(status.st_size for _, status in self._statuses())

    def _path(self, key: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{64}", key):
            raise ValueError(f"a key is 64 hexadecimal digits, not {key!r}")
        return os.path.join(self._root, key[:2], key)

    def _disable(self, error: OSError) -> None:
        self._enabled = False
        warnings.warn(f"no cache of compiled objects in {self._root}: {error}", RuntimeWarning, stacklevel=3)

    def _files(self) -> Iterator[os.DirEntry[str]]:
        if not os.path.isdir(self._root):
            return
        with os.scandir(self._root) as shards:
            for shard in shards:
                if re.fullmatch(r"[0-9a-f]{2}", shard.name):
                    with os.scandir(shard.path) as files:
                        yield from files

    def _statuses(self) -> Iterator[tuple[str, os.stat_result]]:
        for file in self._files():
            try:
                yield file.path, file.stat()
            except FileNotFoundError:
                continue  # another process removed it

    def _evict(self) -> None:
        """If the folder is over its limit, remove the least recently used entries until a quarter of it is free."""
        statuses = sorted(self._statuses(), key=lambda item: item[1].st_mtime)
        total = sum(status.st_size for _, status in statuses)
        goal = self.limit if total <= self.limit else self.limit * 3 // 4
        for path, status in statuses:
            unfinished = path.endswith(_UNFINISHED)
            abandoned = unfinished and time.time() - status.st_mtime > _HOUR
            if abandoned or (total > goal and not unfinished):
                _remove(path)
                total -= status.st_size


_waiting: dict[str, tuple[ObjectCache, bytes]] = {}
"""What is to be in files whose paths these are, in any cache of this process."""
_writing = threading.Lock()


@atexit.register
def write_waiting() -> None:
    """Write the files of all that was put for later."""
    with _writing:
        while (path := next(iter(_waiting.copy()), None)) is not None:
            waiting = store, stored = _waiting[path]
            store.write(path, stored)
            if _waiting.get(path) is waiting:
                del _waiting[path]


def _write_soon() -> None:
    time.sleep(_LATER_SECONDS)
    write_waiting()


def _start_over() -> None:
    """In a process that was forked: the one that it comes from writes what it has put, and has all other threads."""
    global _writing, _version_lock
    _waiting.clear()
    _writing, _version_lock = threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over)


@functools.cache
def default() -> ObjectCache:
    """The cache of this process."""
    return ObjectCache()


def compiler_version() -> str:
    """A hash of the compiler's own sources, so that a change to them is never answered from an old cache."""
    # Who asks while another thread finds it out waits for that.
    with _version_lock:
        return _compiler_version()


_version_lock = threading.Lock()


@functools.cache
def _compiler_version() -> str:
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return sources_version(*(os.path.join(root, room) for room in ("ir", "passes", "backends", "runtime")))


def sources_version(*folders: str) -> str:
    """A hash of the Python sources in folders and those below.

    It is kept under what the system says of the files: another content, and be it of the same length, comes with
    another time.
    """
    seen = [_state(path) for folder in folders for path in _sources(folder)]
    key = hashed("sources", marshal.dumps(seen, _MARSHAL))
    entry = default().get(key)
    if entry is not None:
        return entry.data.decode()
    texts: list[bytes] = []
    for path, *_ in seen:
        with open(path, "rb") as file:
            texts.append(file.read())
    found = hashed(*texts)
    # What is written a second time at once may have the same time.
    newest = max((max(modified, changed) for *_, modified, changed in seen), default=0)
    if time.time_ns() - newest > _SETTLED_NANOSECONDS:
        default().put(key, found.encode())
    return found


_SETTLED_NANOSECONDS = 2_000_000_000


def _state(path: str) -> tuple[str, int, int, int, int]:
    status = os.stat(path)
    return path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _sources(folder: str) -> list[str]:
    """The Python files in a folder and those below, in order."""
    found: list[str] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                found.append(entry.path)
            elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                found += _sources(entry.path)
    return found


def _default_folder() -> str:
    given = os.environ.get("ROSIN_CACHE_DIR")
    if given:
        return given
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return os.path.join(base, "rosin")
    home = os.path.expanduser("~")
    # Without a home the name stays "~": use a folder that cannot be, so that the cache is off and says so.
    return os.path.join(os.devnull if home == "~" else home, ".cache", "rosin")


def _checksum(key: str, meta: bytes, data: bytes) -> bytes:
    return bytes.fromhex(hashed(key, meta, data))


def _encode(key: str, data: bytes, meta: Mapping[str, Any]) -> bytes:
    try:
        text = marshal.dumps(dict(meta), _MARSHAL)
    except ValueError as error:
        raise TypeError(f"metadata of an entry: {error}") from None
    return _HEADER.pack(_MAGIC, _VERSION, len(text), len(data), _checksum(key, text, data)) + text + data


def _decode(key: str, stored: bytes) -> Entry | None:
    if len(stored) < _HEADER.size:
        return None
    magic, version, meta_size, data_size, checksum = _HEADER.unpack_from(stored)
    split = _HEADER.size + meta_size
    if magic != _MAGIC or version != _VERSION or len(stored) != split + data_size:
        return None
    meta, data = stored[_HEADER.size : split], stored[split:]
    if _checksum(key, meta, data) != checksum:
        return None
    return Entry(data, marshal.loads(meta))


def _write_whole(path: str, stored: bytes) -> None:
    """Write a file such that its name is either absent, or shows the old content whole, or the new."""
    name = f"{path}.{os.urandom(8).hex()}{_UNFINISHED}"
    try:
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(stored)
        os.replace(name, path)
    except BaseException:
        _remove(name)
        raise


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
