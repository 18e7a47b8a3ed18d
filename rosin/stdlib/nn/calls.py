"""Which modules are being called: where a module stands in the one that calls it, for errors and for hooks."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Generator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

import rosin
from rosin.stdlib.nn.texts import with_article


@dataclass(frozen=True)
class Call:
    """A call of a module that is done."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any


Hook: TypeAlias = Callable[[str, Any, Call], None]
"""Takes the path of a module in the outermost one, the module, and its call."""

_calling: ContextVar[tuple[Any, ...]] = ContextVar("calling", default=())
_hooks: ContextVar[tuple[Hook, ...]] = ContextVar("hooks", default=())
_told: ContextVar[Any] = ContextVar("told", default=None)
"""The error whose path was told last: the modules outside of the one that raised it add nothing."""


@contextlib.contextmanager
def hooked(hook: Hook) -> Generator[None]:
    """Inside, `hook(path, module, call)` is called after each call of a module, the inner ones first.

    While a function is traced the arrays are tracers; outside they have values.
    """
    token = _hooks.set((*_hooks.get(), hook))
    try:
        yield
    finally:
        _hooks.reset(token)


@contextlib.contextmanager
def unhooked() -> Generator[None]:
    """Inside, no hook is called, and a module that is called is the outermost one: for hooks that call modules."""
    tokens = _hooks.set(()), _calling.set(())
    try:
        yield
    finally:
        _hooks.reset(tokens[0])
        _calling.reset(tokens[1])


def known(call: Callable[..., Any]) -> Callable[..., Any]:
    """A module's `__call__` that is known to those inside of it, and whose errors say where the module is."""

    @functools.wraps(call)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        chain = (*_calling.get(), self)
        token = _calling.set(chain)
        try:
            result = rosin.rewritten(call)(self, *args, **kwargs)
        except rosin.RosinError as error:
            if _told.get() is not error:
                _told.set(rosin.debug.located(error))
                error.message += f"\n  in the module {path_of(chain)}, {with_article(type(self).__name__)}"
            raise
        finally:
            _calling.reset(token)
        for hook in _hooks.get():
            hook(path_of(chain), self, Call(args, kwargs, result))
        return result

    return called


def path_of(chain: tuple[Any, ...]) -> str:
    """Where the last of modules that call each other is in the first: `Net.blocks[1].attention`."""
    text = type(chain[0]).__name__
    for outer, inner in itertools.pairwise(chain):
        found = _place(outer, inner)
        text += f".{type(inner).__name__}" if found is None else found
    return text


def _place(outer: Any, inner: Any) -> str | None:
    """How to reach a module from another one that holds it.

    A transform makes modules anew: one that is not held itself is taken for the only one of its kind that is.
    """
    held = [pair for name, value in outer.__dict__.items() for pair in _held(value, f".{name}")]
    same = [place for place, value in held if value is inner]
    alike = [place for place, value in held if type(value) is type(inner)]
    return same[0] if same else alike[0] if len(alike) == 1 else None


def _held(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """What a field holds, and what is in it if it is a container."""
    yield place, value
    items: Any = ()
    if isinstance(value, tuple | list):
        items = enumerate(value)
    elif isinstance(value, dict):
        items = value.items()
    for key, item in items:
        yield from _held(item, f"{place}[{key!r}]")
