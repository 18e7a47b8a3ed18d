"""The routines that programs call: native code that is the same for all of them, made when the first one needs it."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rosin.backends.llvm.modules import split
from rosin.backends.llvm.names import BEGIN, PLANNER, ROUTINE
from rosin.backends.llvm.routines import FOREIGN, calls_lapack, is_planned, routine_texts
from rosin.runtime import cache, jit, loading, threads

if TYPE_CHECKING:
    from rosin.runtime import plans

__all__ = ["begin", "install"]

_known: set[str] = set()
_planning: list[threading.Thread] = []
"""Threads that make plans."""
_lock = threading.Lock()


def begin(names: Iterable[str], numbers: Iterable[tuple[str, int]] = ()) -> None:
    """Begin to make routines: their text is written now, and compiled on threads of its own, while the program that
    calls them is written and compiled. So are the plans with these numbers that calls of routines will ask for."""
    # Whoever installs them meets an error again, and raises it.
    with contextlib.suppress(Exception):
        making = _Making(_absent(names), jit.host().vector_bytes)

        def make() -> None:
            with contextlib.suppress(Exception), _lock, jit.short_turns():
                _load(making)

        _start(threading.Thread(target=make, name="rosin-routines", daemon=True))
        # LLVM takes longer for routines than for plans, the text of which is longer.
        for name, number in numbers:
            _begin_plan(name, number)


def _begin_plan(name: str, number: int) -> None:
    """Begin the plan with this number that calls of a routine will ask for, unless there is one."""
    from rosin.runtime import plans

    planner = _receiver(name)
    if number in planner.plans:
        return
    draft = plans.Draft(planner, number)

    def finish() -> None:
        with contextlib.suppress(Exception):
            draft.finish()

    planning = threading.Thread(target=finish, name="rosin-plans", daemon=True)
    _planning.append(planning)
    _start(planning)


def _start(thread: threading.Thread) -> None:
    """Who starts a thread waits until it runs, and then for a turn: turns are short meanwhile."""
    with jit.short_turns():
        thread.start()


def install(names: Iterable[str], vector_bytes: int = 0) -> None:
    """Make routines known to `loading.load_object`; their object code is kept on the disk, but for foreign ones.

    They are for registers of the host's width unless another one is given.
    """
    while _planning:
        with contextlib.suppress(IndexError):
            _planning.pop().join()
    with _lock:
        absent = _absent(names)
        if absent:
            _load(_Making(absent, vector_bytes or jit.host().vector_bytes))


def _absent(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name not in _known]


class _Making:
    """Some routines: those that the disk has not are begun at once, and compiled when their code is asked for.

    Of each the first module is written then, and others while LLVM has those before.
    """

    def __init__(self, names: Sequence[str], vector_bytes: int) -> None:
        self.names = names
        self.keys = {name: _key(name, vector_bytes) for name in names if not name.startswith(FOREIGN)}
        found = {name: cache.default().get(key) for name, key in self.keys.items()}
        self.entries = {name: entry for name, entry in found.items() if entry is not None}
        writing = {
            name: routine_texts(name, ROUTINE + name, vector_bytes, _lapack_word)
            for name in names
            if name not in self.entries
        }
        self.begun = {name: (next(texts), texts) for name, texts in writing.items()}

    def libraries(self) -> list[loading.Library]:
        """The code of each."""
        objects = {name: entry.objects() for name, entry in self.entries.items()}
        for name, entry in self.entries.items():
            _install_declared(name, entry.meta["declared"])
        for name, (own, declared) in self._compiled().items():
            objects[name] = own
            _install_declared(name, declared)
            if name in self.keys:
                meta = {"lengths": list(map(len, own)), "declared": declared}
                cache.default().put(self.keys[name], b"".join(own), meta)
        return [loading.load_object(*objects[name]) for name in self.names]

    def _compiled(self) -> dict[str, tuple[list[bytes], str]]:
        """The objects of those that the disk has not, and what they declare."""
        # Where there are several, each keeps a thread busy.
        most = threads.num_threads() // max(len(self.begun), 1)
        firsts = ((name, first) for name, (first, _) in self.begun.items())
        others = ((name, text) for name, (_, texts) in self.begun.items() for text in texts)
        owners: list[str] = []
        declared = dict.fromkeys(self.begun, "")
        with jit.Compiling(max(threads.num_threads(), 2)) as compiling:
            for name, text in itertools.chain(firsts, others):
                declared[name] += "".join(f"{line}\n" for line in text.split("\n") if line.startswith("declare "))
                for piece in split(text, most):
                    compiling.add(piece)
                    owners.append(name)
            made = list(zip(owners, compiling.objects(), strict=True))
        return {name: ([data for owner, data in made if owner == name], declared[name]) for name in self.begun}


def _lapack_word() -> str:
    """The type of LAPACK's integers. Who looks for LAPACK loads with the first routine that may call it."""
    from rosin.runtime import lapack

    return lapack.word()


def _install_declared(name: str, declared: str) -> None:
    """Make known what the routine called `name` declares of LAPACK."""
    if calls_lapack(name):
        from rosin.runtime import lapack

        lapack.install(declared)


def _receiver(name: str) -> plans.Planner:
    """What the routine called `name` asks for plans. Most ask for none, and need not load what makes them."""
    from rosin.runtime import plans

    return plans.receiver(name)


def _key(name: str, vector_bytes: int) -> str:
    """What the object code of a routine depends on, as a hash."""
    word = _lapack_word() if calls_lapack(name) else ""
    return cache.hashed("routine", name, str(vector_bytes), word, jit.host().key, cache.compiler_version())


def _load(making: _Making) -> None:
    """Make known those that are not yet."""
    if not _absent(making.names):
        return
    for name, library in zip(making.names, making.libraries(), strict=True):
        if name in _known:
            continue
        loading.add_symbol(ROUTINE + name, library.address(ROUTINE + name))
        if is_planned(name):
            begin = ROUTINE + name + BEGIN
            loading.add_symbol(begin, library.address(begin))
            ctypes.c_void_p.from_address(library.address(PLANNER)).value = id(_receiver(name))
        library.keep_forever()
        _known.add(name)
