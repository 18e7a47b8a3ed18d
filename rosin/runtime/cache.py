"""The disk cache of compiled objects: bytes and metadata by key, shared by many processes.

An entry is one file, `<folder>/<first two digits of the key>/<key>`:

    magic, format version, length of the metadata, length of the data, checksum | metadata (JSON) | data

The checksum covers the key, the metadata and the data, so a damaged, truncated or misplaced file is a miss (and goes),
never a wrong answer. A file appears whole under its name (`os.replace`) and is never changed after. Its time of
modification is when it was last used, to the hour: the least recently used files go when the folder is over its limit.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import re
import struct
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rosin.backends.llvm.modules import split
from rosin.runtime import jit

__all__ = ["Entry", "ObjectCache", "default", "load_text", "pieces"]

DEFAULT_LIMIT = 1 << 30
_MAGIC = b"ROSINOBJ"
_VERSION = 1
_HEADER = struct.Struct("<8sIIQ32s")
_HOUR = 3600.0
_UNFINISHED = ".new"  # ends the name of a file that is being written


@dataclass(frozen=True)
class Entry:
    """What the cache holds under a key: bytes, and metadata that JSON can hold."""

    data: bytes
    meta: dict[str, Any] = field(default_factory=dict[str, Any])


class ObjectCache:
    """Entries by key (64 hexadecimal digits, the SHA-256 of all that decides the entry) in a folder.

    The folder is `folder`, else `ROSIN_CACHE_DIR`, else `$XDG_CACHE_HOME/rosin`, else `~/.cache/rosin`; its limit in
    bytes is `limit`, else `ROSIN_CACHE_BYTES`, else 1 GiB. `ROSIN_CACHE=0` disables every cache. A folder that cannot
    be read or written to is warned of once, and then the cache holds nothing.
    """

    def __init__(self, folder: Path | str | None = None, limit: int | None = None) -> None:
        self.folder = Path(folder) if folder is not None else _default_folder()
        self.limit = limit if limit is not None else int(os.environ.get("ROSIN_CACHE_BYTES") or DEFAULT_LIMIT)
        self._enabled = os.environ.get("ROSIN_CACHE") != "0"
        self._unchecked = 0  # bytes put since the folder was last held against its limit

    def get(self, key: str) -> Entry | None:
        """The entry of a key, or None: absent, damaged, or no cache."""
        path = self._path(key)
        if not self._enabled:
            return None
        try:
            with path.open("rb") as file:
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
                path.unlink(missing_ok=True)
            elif age > _HOUR:
                os.utime(path)
        except OSError:
            pass  # a folder we may only read: the entry is as good, or stays as bad, as it was
        return entry

    def put(self, key: str, data: bytes, meta: Mapping[str, Any] | None = None) -> None:
        """Keep an entry, replacing the one of the same key. Raises `TypeError` when JSON cannot hold the metadata."""
        path = self._path(key)
        stored = _encode(key, data, {} if meta is None else meta)
        if not self._enabled or len(stored) > self.limit:
            return
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_whole(path, stored)
            self._unchecked += len(stored)
            # Programs that put little still look at the folder now and then: one key in 64.
            if self._unchecked > self.limit // 8 or int(key[:2], 16) < 4:
                self._unchecked = 0
                self._evict()
        except OSError as error:
            self._disable(error)

    def clear(self) -> None:
        """Remove every entry."""
        for file in self._files():
            _remove(file.path)

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(status.st_size for _, status in self._statuses())

    def _path(self, key: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", key):
            raise ValueError(f"a key is 64 hexadecimal digits, not {key!r}")
        return self.folder / key[:2] / key

    def _disable(self, error: OSError) -> None:
        self._enabled = False
        warnings.warn(f"no cache of compiled objects in {self.folder}: {error}", RuntimeWarning, stacklevel=3)

    def _files(self) -> Iterator[os.DirEntry[str]]:
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as shards:
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


@functools.cache
def default() -> ObjectCache:
    """The cache of this process."""
    return ObjectCache()


@functools.cache
def compiler_version() -> str:
    """A hash of the compiler's own sources, so that a change to them is never answered from an old cache."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for room in ("ir", "passes", "backends", "runtime"):
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def load_text(text: str, optimize: int = 1, threads: int = 1) -> jit.Library:
    """The library of an LLVM module for the host, its object from the cache or compiled and put there.

    For the runtime's own native code; a compiled program has a key of its own that is known before its text is. So
    many threads compile a long text.
    """
    facts = f"texts\0{jit.host().key}\0{optimize}\0{text}"
    key = hashlib.sha256(facts.encode()).hexdigest()
    entry = default().get(key)
    if entry is not None:
        return jit.load_object(*pieces(entry.data, entry.meta["lengths"]))
    objects = jit.compile_objects(split(text, threads), optimize=optimize)
    default().put(key, b"".join(objects), {"lengths": list(map(len, objects))})
    return jit.load_object(*objects)


def pieces(data: bytes, lengths: Sequence[int]) -> list[bytes]:
    """Data of several objects as what it was put together of."""
    starts = itertools.accumulate(lengths, initial=0)
    return [data[start : start + length] for start, length in zip(starts, lengths, strict=False)]


def _default_folder() -> Path:
    given = os.environ.get("ROSIN_CACHE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "rosin"
    home = os.path.expanduser("~")
    # Without a home the name stays "~": use a folder that cannot be, so that the cache is off and says so.
    return Path(os.devnull if home == "~" else home) / ".cache" / "rosin"


def _checksum(key: str, meta: bytes, data: bytes) -> bytes:
    total = hashlib.sha256(key.encode())
    total.update(meta)
    total.update(data)
    return total.digest()


def _encode(key: str, data: bytes, meta: Mapping[str, Any]) -> bytes:
    text = json.dumps(dict(meta), separators=(",", ":")).encode()
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
    return Entry(data, json.loads(meta))


def _write_whole(path: Path, stored: bytes) -> None:
    """Write a file such that its name is either absent, or shows the old content whole, or the new."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name[:8], suffix=_UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(stored)
        os.replace(name, path)
    except BaseException:
        _remove(name)
        raise


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)
