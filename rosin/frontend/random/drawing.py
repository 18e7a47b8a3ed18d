"""How draws run: outside of any trace as they do in a compiled function, so that their bits are the same.

A draw is made of exactly rounded operations alone (rosin.ir.exactly), so that its bits are those of every target, and
of NumPy. Most are a program for each shape and type from the first time on, since they take many operations or loops; a
short one of few operations is compiled when it comes a second time, since many never do.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from rosin.frontend import core
from rosin.frontend.compile import Compiled, compile
from rosin.frontend.numpy import promote
from rosin.ir import dims
from rosin.ir.dtypes import DType
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.exactly import Rounded

if TYPE_CHECKING:
    from rosin.frontend.array import Array

PROGRAMS = 512
"""So many programs are kept; the oldest go first."""

SHORT = 4096
"""So many numbers are drawn in NumPy the first time, where that has the same bits."""

_programs: dict[Any, Compiled | None] = {}


class Draw(Protocol):
    """A draw from arrays: a key and parameters. Whatever else decides what it is goes by keyword."""

    def __call__(self, *arrays: Array, shape: promote.Shape, dtype: DType, **static: Any) -> Array: ...


def drawn(body: Callable[..., Array]) -> Draw:
    """A draw whose `body` is given a type wide enough to work in; the result is rounded to the type asked for."""

    @functools.wraps(body)
    def widened(*arrays: Array, shape: promote.Shape, dtype: DType, **static: Any) -> Array:
        return promote.cast(body(*arrays, shape=shape, dtype=dtype.accumulator, **static), dtype)

    return _draw(widened, short=False)


def drawn_exactly(body: Callable[..., Array]) -> Draw:
    """A draw that needs no wider type, and that NumPy does as soon as a program is there."""
    return _draw(body, short=True)


def _draw(body: Callable[..., Array], short: bool) -> Draw:
    @functools.wraps(body)
    def draw(*arrays: Array, shape: promote.Shape, dtype: DType, **static: Any) -> Array:
        if core.tracing():
            if not short:
                # What depends on constants alone would be computed by NumPy, loops and all, to compile the program.
                arrays = core.bind(Barrier(), *arrays)
            return _apart(body(*arrays, shape=shape, dtype=dtype, **static))
        key = (body, shape, dtype, *static.values(), *[core.shape_of(x) for x in arrays])
        program = _programs.get(key)
        if program is None:
            if short and key not in _programs and math.prod(dims.static(shape, body.__name__)) <= SHORT:
                _keep(key, None)
                return body(*arrays, shape=shape, dtype=dtype, **static)
            program = _keep(key, _program(body, shape=shape, dtype=dtype, **static))
        return program(*arrays)

    return draw


def _apart(drawn: Array) -> Array:
    """What is drawn, kept from being made one operation with what follows."""
    return core.bind1(Rounded(), drawn) if core.dtype_of(drawn).is_float else drawn


def _program(body: Callable[..., Array], **static: Any) -> Compiled:
    def draw(*arrays: Array) -> Array:
        return body(*arrays, **static)

    draw.__name__ = body.__name__.strip("_")
    return compile(draw, dynamic=False)


def _keep(key: Any, program: Any) -> Any:
    _programs.pop(key, None)
    if len(_programs) >= PROGRAMS:
        _programs.pop(next(iter(_programs)), None)
    _programs[key] = program
    return program
