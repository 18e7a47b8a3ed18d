"""Watching a program from inside, and what libraries need to speak of its user: the namespace `rosin.debug`."""

from __future__ import annotations

from typing import Any

from rosin.frontend import core, effects
from rosin.frontend import trace as tr
from rosin.frontend.staging import Function
from rosin.frontend.trace import Tracing, located
from rosin.ir.ops.effect import Print


def print(fmt: str, *args: Any, **kwargs: Any) -> None:
    """Write `fmt.format(*args, **kwargs)` and the end of a line to `sys.stdout`, when the program comes by.

    Arguments may be trees of arrays. Lines come in the order of the program; under `vmap` there is one for each
    example that takes part. Derivatives pass a print by: it is done once, on the way forward.

    Raises:
        ArgumentError: `fmt` does not fit the arguments.
    """
    format, arrays = effects.line(fmt, args, kwargs, "debug.print")
    core.bind(Print(format), core.asarray(True), *arrays)


def callback(callback: Function, *args: Any, **kwargs: Any) -> None:
    """Call `callback(*args, **kwargs)` on NumPy arrays when the program comes by, for what it does; see `io_callback`.

    Raises:
        ArgumentError: a leaf of the arguments is no array.
    """

    def without_result(*args: Any, **kwargs: Any) -> None:
        callback(*args, **kwargs)

    without_result.__name__ = getattr(callback, "__name__", "callback")
    effects.io_callback(without_result, None, *args, **kwargs)


def traces() -> tuple[Tracing, ...]:
    """What is being traced in this thread, the outermost first: an object for each trace, the same one until it ends.

    It tells the `transform`, as "vmap" or "scan", and the name of the `function`. What keeps a traced array for later
    can compare the traces of then and now.
    """
    return tr.told()


__all__ = ["Tracing", "callback", "located", "print", "traces"]
