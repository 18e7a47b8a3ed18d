"""Object code to addresses of functions.

Objects of x86-64 under Linux are linked by rosin.runtime.elf, others by LLVM's ORC (`LLJIT`) with JITLink: 0.1 ms a
library against 0.8 ms for one MCJIT engine each, a missing symbol is an exception where MCJIT aborts the process, and
the sections of an object stay together in memory, so the small code model (constants addressed relative to the program
counter) is safe.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Self

from rosin.runtime import cache, elf, jit

if TYPE_CHECKING:
    from llvmlite.binding import LLJIT

__all__ = [
    "Library",
    "LinkError",
    "Loading",
    "add_symbol",
    "ahead",
    "leave_session",
    "load_object",
    "load_text",
]


class LinkError(Exception):
    """An object could not be loaded, or lacks the symbol asked for."""


_symbols: dict[str, int] = {}
_lock = threading.Lock()


def add_symbol(name: str, address: int) -> None:
    """Let modules loaded from now on call the external function `name` at `address`.

    Symbols of the process itself (the C library and its mathematics) are found without this.
    """
    with _lock:
        _symbols[name] = address


@functools.cache
def _llvmlite():  # its type is the module's, which no annotation can say
    """llvmlite's Python, for what it takes to link objects by LLVM."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


class _Session:
    """One ORC engine and the number of libraries linked into it so far.

    ORC never forgets the name of a library, at about 10 KiB each: a session takes a bounded number of them and goes
    when the last one does.
    """

    capacity = 16
    current: _Session | None = None

    def __init__(self) -> None:
        machine = (
            _llvmlite()
            .Target.from_triple(jit.host().triple)
            .create_target_machine(
                cpu=jit.host().cpu, features=jit.host().features, reloc="pic", codemodel="small", jit=True
            )
        )
        self.engine: LLJIT = _llvmlite().create_lljit_compiler(machine, use_jit_link=True, suppress_errors=True)
        self.count = 0

    @classmethod
    def take(cls) -> tuple[_Session, str]:
        """The session for one more library, and the library's name in it. Call with the lock held."""
        session = cls.current
        if session is None or session.count >= cls.capacity:
            session = cls.current = _Session()
        session.count += 1
        return session, f"rosin{session.count}"


class Library:
    """Code in memory. Its addresses hold until the library dies; whoever keeps an address keeps the library."""

    def __init__(self, find: Callable[[str], int]) -> None:
        """`find` gives an address, or raises `LinkError`, and holds the code."""
        self._find = find
        self._addresses: dict[str, int] = {}

    def address(self, name: str) -> int:
        """The address of the function or global `name`. Raises `LinkError` when there is none."""
        known = self._addresses.get(name)
        if known is None:
            known = self._addresses[name] = self._find(name)
        return known

    def keep_forever(self) -> None:
        """Never unload the code: for code in which threads of the process may sleep."""
        # One reference that nobody gives back: not even the end of the interpreter unloads the code.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))


def leave_session() -> None:
    """Link what comes into a new session, so that this one goes as soon as the libraries in it do."""
    with _lock:
        _Session.current = None


def load_object(*objects: bytes) -> Library:
    """Load object code that `compile_object` made, of one module or of several that belong together.

    The code is unloaded when the `Library` dies. Raises `LinkError` when the bytes are no object code of this system,
    or use what is not there.
    """
    for data in objects:
        if data[:4] not in _OBJECT_MAGICS:
            raise LinkError(f"not object code: starts with {data[:4]!r}")
    if sys.platform == "linux" and all(map(elf.is_x86, objects)):
        return Library(_linked(objects))
    return Library(_linked_by_llvm(objects))


def load_text(text: str, optimize: int = 1) -> Library:
    """The library of a module for the host, its object from the cache or compiled and put there.

    For the runtime's own native code; a compiled program has a key of its own that is known before its text is.
    """
    ahead = _ahead.get(text)
    if ahead is not None:
        loading, number = ahead
        return loading.libraries()[number]
    with Loading([text], optimize) as loading:
        return loading.libraries()[0]


_ahead: dict[str, tuple[Loading, int]] = {}
"""What makes the libraries of some modules already, and the number that each has there."""


@contextlib.contextmanager
def ahead(texts: Sequence[str], optimize: int = 1) -> Generator[None]:
    """Meanwhile one thread makes the libraries of modules that `load_text` will be asked for."""
    with Loading(texts, optimize, most=2) as loading:
        _ahead.update((text, (loading, number)) for number, text in enumerate(texts))
        try:
            yield
        finally:
            for text in texts:
                del _ahead[text]


class Loading:
    """The libraries of several modules, as of `load_text`, on their way: LLVM has each from when its text is there.

    It is to be left, as a context, whatever happens: threads wait in it for more.
    """

    def __init__(self, texts: Iterable[str], optimize: int = 1, most: int = sys.maxsize) -> None:
        """On at most so many threads."""
        self._keys: list[str] = []
        self._objects: dict[int, bytes] = {}
        self._compiled: list[int] = []
        """Those that are not on the disk."""
        self._libraries: list[Library] = []
        self._lock = threading.Lock()
        self._compiling = jit.Compiling(most, optimize=optimize)
        try:
            for number, text in enumerate(texts):
                self._begin(number, text, optimize)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._compiling.__exit__(*error)

    def _begin(self, number: int, text: str, optimize: int) -> None:
        self._keys.append(cache.hashed("texts", jit.host().key, str(optimize), text))
        entry = cache.default().get(self._keys[number])
        if entry is not None:
            self._objects[number] = entry.data
            return
        self._compiled.append(number)
        self._compiling.add(text)

    def libraries(self) -> list[Library]:
        """Once they are there."""
        with self._lock:
            if not self._libraries:
                for number, data in zip(self._compiled, self._compiling.objects(), strict=True):
                    self._objects[number] = data
                    cache.default().put(self._keys[number], data, later=True)
                self._libraries = [load_object(self._objects[number]) for number in range(len(self._keys))]
            return self._libraries


_OBJECT_MAGICS = (b"\x7fELF", b"\xcf\xfa\xed\xfe")


def _linked(objects: Sequence[bytes]) -> Callable[[str], int]:
    """Link objects without LLVM."""
    try:
        image = elf.link(objects, lambda name: _symbols.get(name) or _in_process(name))
    except elf.ImageError as error:
        raise LinkError(str(error)) from None

    def find(name: str) -> int:
        address = image.addresses.get(name)
        if address is None:
            raise LinkError(f"there is no {name!r} in the code")
        return address

    return find


def _linked_by_llvm(objects: Sequence[bytes]) -> Callable[[str], int]:
    builder = _llvmlite().JITLibraryBuilder()
    for data in objects:
        builder.add_object_img(data)
    builder.add_current_process()
    with _lock:
        session, library = _Session.take()
        symbols = {name: address for name, address in _symbols.items() if any(name.encode() in o for o in objects)}
    for symbol, address in symbols.items():
        builder.import_symbol(symbol, address)

    def explained(error: RuntimeError) -> LinkError:
        elfs = (data for data in objects if elf.is_elf(data))
        missing = dict.fromkeys(name for data in elfs for name in elf.undefined(data))
        missing = [name for name in missing if name not in symbols and _in_process(name) is None]
        return LinkError(f"{error}; undefined: {', '.join(missing)}" if missing else str(error))

    try:
        trackers = [builder.link(session.engine, library)]
    except RuntimeError as error:
        raise explained(error) from None

    def find(name: str) -> int:
        try:
            found = session.engine.lookup(library, name)
        except RuntimeError as error:
            raise explained(error) from None
        trackers.append(found)
        return int(found[name])

    return find


def _in_process(name: str) -> int | None:
    """The address of a symbol of this process."""
    try:
        return ctypes.addressof(ctypes.c_char.in_dll(_process(), name))
    except ValueError:
        return None


@functools.cache
def _process() -> ctypes.CDLL:
    return ctypes.CDLL(None)
