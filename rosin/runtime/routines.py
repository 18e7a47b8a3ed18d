"""The routines that programs call: native code that is the same for all of them, made when the first one needs it.

Programs whose calls take little time do not wait for LLVM to make good code. *Quick* code, made in the least time, runs
first; a thread makes good code soon after, which takes its place in whatever calls it. Both give the same bits.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import ctypes
import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rosin.backends.llvm.modules import is_cold, replaceable, split
from rosin.backends.llvm.names import BEGIN, CODE, NOW, PLANNER, ROUTINE
from rosin.backends.llvm.routines import FOREIGN, calls_lapack, is_planned, routine_texts
from rosin.ir.dataclass import dataclass
from rosin.runtime import cache, jit, loading, own_code, threads

if TYPE_CHECKING:
    from rosin.runtime import plans

__all__ = ["begin", "install", "settle"]

QUICK, GOOD = 0, 1
"""How far LLVM improves code."""

SOON = 0.01
"""Seconds until good code is made: by then the call that quick code was made for is done."""

_known: set[str] = set()
_made: dict[str, _Made] = {}
"""Those that have been begun, once they are there to be loaded."""
_planning: list[threading.Thread] = []
"""Threads that make plans."""
_lock = threading.Lock()


def begin(names: Iterable[str], numbers: Iterable[tuple[str, int]] = (), quick: bool = False) -> None:
    """Begin to make routines: their text is written now, and compiled on threads of its own, while the program that
    calls them is written and compiled. So are the plans with these numbers that calls of routines will ask for."""
    # Whoever installs them meets an error again, and raises it.
    with contextlib.suppress(Exception):
        making = _Making(_absent(names), jit.host().vector_bytes, quick)

        def make() -> None:
            with contextlib.suppress(Exception), _lock, jit.short_turns():
                _made.update((made.name, made) for made in making.made())

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


def install(names: Sequence[str], quick: bool = False, vector_bytes: int = 0) -> None:
    """Make routines known to `loading.load_object`; their object code is kept on the disk, but for foreign ones.

    They are for registers of the host's width unless another one is given. Where `quick` code does, it may be that.
    """
    while _planning:
        with contextlib.suppress(IndexError):
            _planning.pop().join()
    with _lock:
        absent = _absent(names)
        if absent:
            own_code.install()
            others = [name for name in absent if name not in _made]
            if others:
                making = _Making(others, vector_bytes or jit.host().vector_bytes, quick)
                _made.update((made.name, made) for made in making.made())
            for name in absent:
                _load(_made.pop(name))
            _begin_settling()
    if not quick and not _quick.keys().isdisjoint(names):
        settle()


def _absent(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name not in _known]


@dataclass(frozen=True)
class _Made:
    """The code of a routine."""

    name: str
    vector_bytes: int
    objects: Sequence[bytes]
    declared: str
    """What it declares of LAPACK."""
    quick: bool = False
    """Whether it was made in the least time, and is to be replaced."""
    texts: Sequence[str] = ()
    """What its objects were made of; nothing where they are from the disk."""

    @property
    def functions(self) -> list[str]:
        """What others call."""
        own = ROUTINE + self.name
        return [own, own + BEGIN] if is_planned(self.name) else [own]

    def keep(self) -> None:
        """Keep it on the disk."""
        if not self.name.startswith(FOREIGN):
            meta = {"lengths": list(map(len, self.objects)), "declared": self.declared, "quick": self.quick}
            cache.default().put(_key(self.name, self.vector_bytes), b"".join(self.objects), meta, later=True)

    def load(self) -> loading.Library:
        """Make it known, for as long as the process lasts."""
        if calls_lapack(self.name):
            from rosin.runtime import lapack

            lapack.install(self.declared)
        library = loading.load_object(*self.objects)
        library.keep_forever()
        if is_planned(self.name):
            ctypes.c_void_p.from_address(library.address(PLANNER)).value = id(_receiver(self.name))
        for function in self.functions:
            loading.add_symbol(function, library.address(function + NOW if self.quick else function))
        return library


class _Making:
    """Some routines: those that the disk has not are begun at once, and compiled when their code is asked for.

    Of each the first module is written then, and others while LLVM has those before.
    """

    def __init__(self, names: Sequence[str], vector_bytes: int, quick: bool) -> None:
        self.names, self.vector_bytes = names, vector_bytes
        self.quick = quick and not any(name.startswith(FOREIGN) for name in names)
        keys = {name: _key(name, vector_bytes) for name in names if not name.startswith(FOREIGN)}
        found = {name: cache.default().get(key) for name, key in keys.items()}
        self.found = {
            name: _Made(name, vector_bytes, entry.objects(), entry.meta["declared"], entry.meta["quick"])
            for name, entry in found.items()
            if entry is not None and (self.quick or not entry.meta["quick"])
        }
        writing = {name: _texts(name, vector_bytes) for name in names if name not in self.found}
        self.begun = {name: (next(texts), texts) for name, texts in writing.items()}

    def made(self) -> list[_Made]:
        """The code of each."""
        compiled = self._compiled()
        return [self.found.get(name) or compiled[name] for name in self.names]

    def _compiled(self) -> dict[str, _Made]:
        """The code of those that the disk has not, which is put there."""
        # Where there are several, each keeps a thread busy.
        most = threads.num_threads() // max(len(self.begun), 1)
        firsts = ((name, first) for name, (first, _) in self.begun.items())
        others = ((name, text) for name, (_, texts) in self.begun.items() for text in texts)
        pieces: list[tuple[str, str]] = []
        with jit.Compiling(max(threads.num_threads(), 2), optimize=QUICK if self.quick else GOOD) as compiling:
            for name, text in itertools.chain(firsts, others):
                for piece in split(text, most):
                    compiling.add(replaceable(piece, ROUTINE + name) if self.quick else piece)
                    pieces.append((name, piece))
            objects = compiling.objects()
        result: dict[str, _Made] = {}
        for name in self.begun:
            texts = [piece for owner, piece in pieces if owner == name]
            own = [data for (owner, _), data in zip(pieces, objects, strict=True) if owner == name]
            quick = self.quick and not all(map(is_cold, texts))
            result[name] = _Made(name, self.vector_bytes, own, _declared(texts), quick, texts)
            result[name].keep()
        return result


def _texts(name: str, vector_bytes: int) -> Iterator[str]:
    return routine_texts(name, ROUTINE + name, vector_bytes, _lapack_word)


def _declared(texts: Iterable[str]) -> str:
    return "".join(f"{line}\n" for text in texts for line in text.split("\n") if line.startswith("declare "))


# -- good code in place of quick ------------------------------------------------------------------------------------

_quick: dict[str, tuple[_Made, list[tuple[str, int]]]] = {}
"""Routines that are to have other code, with their functions, and the addresses of what points to the code of each."""
_improving = threading.Lock()
_ends = threading.Event()


def settle() -> None:
    """Wait until all routines have good code. What measures how fast they are asks for it before."""
    with _improving:
        while _quick and not _ends.is_set():
            name, (quick, places) = next(iter(_quick.copy().items()))
            try:
                good = _improved(quick)
                good.keep()
                library = good.load()
                for function, place in places:
                    ctypes.c_void_p.from_address(place).value = library.address(function)
            finally:
                del _quick[name]


def _improved(quick: _Made) -> _Made:
    """The good code of a routine, of which that stays which LLVM is not to improve."""
    texts = quick.texts or [piece for text in _texts(quick.name, quick.vector_bytes) for piece in split(text, 1)]
    objects = {text: data for text, data in zip(quick.texts, quick.objects, strict=False) if is_cold(text)}
    others = [text for text in texts if text not in objects]
    with jit.Compiling(threads.num_threads(), optimize=GOOD) as compiling:
        objects |= zip(others, compiling.objects(others), strict=True)
    return _Made(quick.name, quick.vector_bytes, [objects[text] for text in texts], quick.declared)


def _begin_settling() -> None:
    if _quick:
        # Where the process ends, quick code will do.
        with contextlib.suppress(RuntimeError):
            _thread.start_new_thread(_settle_soon, ())


def _settle_soon() -> None:
    while not _ends.wait(SOON):
        # What somebody waits for comes first.
        if not jit.is_compiling():
            settle()
            break


@atexit.register
def _end() -> None:
    """No thread is to be in LLVM while the process ends."""
    _ends.set()
    with _improving:
        pass


def _in_child() -> None:
    """The threads of a process stay behind where it is forked."""
    _improving.release()
    _begin_settling()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_improving.acquire, after_in_parent=_improving.release, after_in_child=_in_child)


# -- what they depend on --------------------------------------------------------------------------------------------


def _lapack_word() -> str:
    """The type of LAPACK's integers. Who looks for LAPACK loads with the first routine that may call it."""
    from rosin.runtime import lapack

    return lapack.word()


def _receiver(name: str) -> plans.Planner:
    """What the routine called `name` asks for plans. Most ask for none, and need not load what makes them."""
    from rosin.runtime import plans

    return plans.receiver(name)


def _key(name: str, vector_bytes: int) -> str:
    """What the object code of a routine depends on, as a hash."""
    word = _lapack_word() if calls_lapack(name) else ""
    return cache.hashed("routine", name, str(vector_bytes), word, jit.host().key, cache.compiler_version())


def _load(made: _Made) -> None:
    """Make a routine known."""
    library = made.load()
    if made.quick:
        _quick[made.name] = made, [(function, library.address(function + CODE)) for function in made.functions]
    _known.add(made.name)
