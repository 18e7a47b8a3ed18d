"""The disk cache: what was put comes back whole or not at all, whatever happened to the files in between."""

import hashlib
import multiprocessing
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from rosin.runtime import cache, jit, loading
from rosin.runtime.cache import ObjectCache


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def late_key(text: str) -> str:
    """A key that does not trigger the occasional check of the limit."""
    number = 0
    while int(key(f"{text}{number}")[:2], 16) < 4:
        number += 1
    return key(f"{text}{number}")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROSIN_CACHE", "ROSIN_CACHE_DIR", "ROSIN_CACHE_BYTES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> ObjectCache:
    return ObjectCache(tmp_path / "cache")


def only_file(store: ObjectCache) -> Path:
    (path,) = (path for path in store.folder.rglob("*") if path.is_file())
    return path


def test_put_get_clear(store: ObjectCache) -> None:
    assert store.get(key("a")) is None
    assert store.size() == 0
    store.put(key("a"), b"data", {"arena": 64, "names": ["x", "y"]})
    store.put(key("b"), b"")
    entry = store.get(key("a"))
    assert entry is not None
    assert entry.data == b"data"
    assert entry.meta == {"arena": 64, "names": ["x", "y"]}
    assert store.get(key("b")) == cache.Entry(b"", {})
    store.put(key("a"), b"other")
    assert store.get(key("a")) == cache.Entry(b"other", {})
    assert store.size() > 0
    store.clear()
    assert store.get(key("a")) is None
    assert store.size() == 0


def test_bad_keys_and_metadata(store: ObjectCache) -> None:
    for bad in ("", "../x", "A" * 64, key("a")[:-1]):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            store.get(bad)
    with pytest.raises(TypeError):
        store.put(key("a"), b"", {"x": object()})


def test_every_damaged_byte_is_a_miss(store: ObjectCache) -> None:
    store.put(key("a"), b"some data", {"n": 1})
    whole = only_file(store).read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        (store.folder / key("a")[:2] / key("a")).write_bytes(damaged)
        assert store.get(key("a")) is None
        assert store.size() == 0  # and it is gone
    for length in range(len(whole)):
        (store.folder / key("a")[:2] / key("a")).write_bytes(whole[:length])
        assert store.get(key("a")) is None
    (store.folder / key("a")[:2] / key("a")).write_bytes(whole + b"x")
    assert store.get(key("a")) is None


def test_entry_under_another_name_is_a_miss(store: ObjectCache) -> None:
    store.put(key("a"), b"data")
    other = store.folder / key("b")[:2] / key("b")
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(only_file(store).read_bytes())
    assert store.get(key("b")) is None
    assert store.get(key("a")) is not None


def test_least_recently_used_go_first(tmp_path: Path) -> None:
    store = ObjectCache(tmp_path, limit=10_000)
    keys = [late_key(f"k{number}") for number in range(8)]
    for age, name in enumerate(keys):
        store.put(name, bytes(1000))
        used = time.time() - 100_000 + age
        os.utime(store.folder / name[:2] / name, (used, used))
    assert store.get(keys[0]) is not None  # now it is the most recently used
    for number in range(20):
        store.put(late_key(f"new{number}"), bytes(1000))
    assert store.size() <= 10_000 + 10_000 // 8 + 1100
    assert store.get(keys[1]) is None
    assert store.get(late_key("new19")) is not None


def test_eviction_keeps_what_was_used(tmp_path: Path) -> None:
    store = ObjectCache(tmp_path, limit=10_000)
    keys = [late_key(f"k{number}") for number in range(9)]
    for age, name in enumerate(keys):
        store.put(name, bytes(1000))
        used = time.time() - 100_000 + age
        os.utime(store.folder / name[:2] / name, (used, used))
    assert store.get(keys[0]) is not None
    for number in range(2):
        store.put(late_key(f"new{number}"), bytes(1000))
    assert store.get(keys[0]) is not None
    assert store.get(keys[1]) is None


def test_larger_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    store = ObjectCache(tmp_path, limit=100)
    store.put(key("a"), bytes(1000))
    assert store.get(key("a")) is None


def test_abandoned_files_go(tmp_path: Path) -> None:
    store = ObjectCache(tmp_path, limit=1000)
    old, new = tmp_path / "ab" / "x.new", tmp_path / "ab" / "y.new"
    old.parent.mkdir()
    for path in (old, new):
        path.write_bytes(b"unfinished")
    os.utime(old, (1, 1))
    for number in range(3):
        store.put(key(str(number)), bytes(300))
    assert not old.exists()
    assert new.exists()


def test_unusable_folder_warns_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = ObjectCache(tmp_path / "file" / "cache")
    with pytest.warns(RuntimeWarning, match="no cache of compiled objects"):
        store.put(key("a"), b"data")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.put(key("a"), b"data")
        assert store.get(key("a")) is None
        assert store.size() == 0
        store.clear()


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert ObjectCache().folder == tmp_path / "xdg" / "rosin"
    monkeypatch.setenv("ROSIN_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("ROSIN_CACHE_BYTES", "12345")
    assert ObjectCache().folder == tmp_path / "own"
    assert ObjectCache().limit == 12345
    monkeypatch.setenv("ROSIN_CACHE", "0")
    store = ObjectCache()
    store.put(key("a"), b"data")
    assert store.get(key("a")) is None
    assert not (tmp_path / "own").exists()


def test_what_is_put_for_later_is_there_at_once(store: ObjectCache) -> None:
    """For caches of the same folder in this process; its file comes without anyone asking, and the last one counts."""
    store.put(key("a"), b"data", {"n": 1}, later=True)
    assert not store.folder.exists()
    assert ObjectCache(store.folder).get(key("a")) == cache.Entry(b"data", {"n": 1})
    with pytest.raises(TypeError):
        store.put(key("b"), b"", {"x": object()}, later=True)
    store.put(key("a"), b"newer", later=True)
    store.put(key("c"), b"c", later=True)
    wait_until(lambda: not cache._waiting)
    assert store.get(key("a")) == cache.Entry(b"newer", {})
    assert len([path for path in store.folder.rglob("*") if path.is_file()]) == 2
    store.put(key("a"), b"for later", later=True)
    store.put(key("a"), b"now")
    assert store.get(key("a")) == cache.Entry(b"now", {})
    cache.write_waiting()
    assert store.get(key("a")) == cache.Entry(b"now", {})
    store.put(key("d"), b"", later=True)
    store.clear()
    assert store.get(key("d")) is None
    assert store.size() == 0


def wait_until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done() and time.monotonic() < end:
        time.sleep(0.005)


def test_eviction_writes_what_is_put_for_later_once(tmp_path: Path) -> None:
    """Keys that have the folder looked at when they are written."""
    store = ObjectCache(tmp_path, limit=10_000)
    keys = [name for name in map(key, map(str, range(2000))) if int(name[:2], 16) < 4]
    for name in keys:
        store.put(name, bytes(1000), later=True)
    cache.write_waiting()
    assert 0 < store.size() <= 10_000
    assert not cache._waiting


LATER = """
import os, sys
from rosin.runtime.cache import ObjectCache
store = ObjectCache(sys.argv[1])
store.put("a" * 64, b"parent", later=True)
child = os.fork()
if not child:
    store.put("b" * 64, b"child", later=True)
    sys.exit()
os.waitpid(child, 0)
"""


def test_a_process_that_ends_writes_what_waits(tmp_path: Path) -> None:
    """One that was forked has forgotten what the other one waits to write."""
    subprocess.run([sys.executable, "-c", LATER, str(tmp_path)], check=True)
    store = ObjectCache(tmp_path)
    assert store.get("a" * 64) == cache.Entry(b"parent", {})
    assert store.get("b" * 64) == cache.Entry(b"child", {})


def hammer(folder: str, seed: int) -> None:
    """Put, get and evict the same few keys; whatever comes back must be what its key stands for."""
    store = ObjectCache(folder, limit=60_000)
    for step in range(60):
        number = (seed * 7 + step) % 10
        content = str(number).encode() * 5000
        store.put(key(f"shared{number}"), content, {"number": number})
        entry = store.get(key(f"shared{(number + 3) % 10}"))
        if entry is not None:
            assert entry.data == str(entry.meta["number"]).encode() * 5000
            assert entry.meta["number"] == (number + 3) % 10


@pytest.mark.filterwarnings("ignore:.*os.fork")  # what JAX says of any fork, once another test has imported it
def test_many_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=hammer, args=(str(tmp_path), seed)) for seed in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert not list(tmp_path.rglob("*.new"))


def test_load_text_compiles_once(store: ObjectCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "default", lambda: store)
    text = "define i64 @f() {\n  ret i64 7\n}"
    assert loading.load_text(text).address("f")
    monkeypatch.setattr(jit, "compile_objects", None)
    assert loading.load_text(text).address("f")


def test_sources_are_read_again_when_they_change(
    store: ObjectCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "default", lambda: store)
    monkeypatch.setattr(cache, "_SETTLED_NANOSECONDS", 0)
    folder = tmp_path / "sources"
    (folder / "inner").mkdir(parents=True)
    first, second = folder / "a.py", folder / "inner" / "b.py"
    first.write_text("x = 1\n")
    second.write_text("y = 1\n")
    found = [cache.sources_version(str(folder))]
    assert cache.sources_version(str(folder)) == found[0]
    for file, text in ((first, "x = 2\n"), (second, "y = 2\n"), (folder / "inner" / "c.py", "")):
        status = file.stat() if file.exists() else None
        file.write_text(text)
        if status is not None:  # as tools do that keep the time of a file
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        found.append(cache.sources_version(str(folder)))
    assert len(set(found)) == 4
    first.write_text("x = 1\n")
    second.write_text("y = 1\n")
    (folder / "inner" / "c.py").unlink()
    assert cache.sources_version(str(folder)) == found[0]


def test_sources_of_just_now_are_not_remembered(
    store: ObjectCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "default", lambda: store)
    (tmp_path / "a.py").write_text("x = 1\n")
    cache.sources_version(str(tmp_path))
    assert store.size() == 0


def test_what_is_on_the_disk_needs_no_compiler(tmp_path: Path) -> None:
    code = (
        "import sys, rosin, numpy as np; f = rosin.compile(lambda x: x + 1); print(float(f(np.float32(2)))); "
        "print(sorted(set(sys.modules) & {'rosin.runtime.making', 'llvmlite', 'hashlib', 'json', 'tempfile'}), "
        "'libllvmlite' in open('/proc/self/maps').read() if sys.platform == 'linux' else None)"
    )
    env = {**os.environ, "ROSIN_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    loaded = [True, False] if sys.platform == "linux" else [None, None]
    assert runs == [f"3.0\n['rosin.runtime.making'] {loaded[0]}\n", f"3.0\n[] {loaded[1]}\n"]
