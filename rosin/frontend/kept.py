"""What a program computes once from the arrays that its function reads from outside, until one of them is another one.

Packed weights are such. It is right as long as nobody can write to the numbers of these arrays, whose memory therefore
has to be ours alone, or that of an object that never changes. Assigning to an array gives it other memory where
somebody still holds the old one, and we do; so a change shows as another NumPy array underneath.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from rosin.frontend import trace as tr
from rosin.ir.op import NumpyArray

if TYPE_CHECKING:
    from rosin.frontend.array import Array
    from rosin.runtime.executable import Executable

_ours: WeakValueDictionary[int, NumpyArray] = WeakValueDictionary()
"""Arrays, by their addresses, of which it is known already that nobody else can write to them."""


def is_fixed(captured: tr.Captured) -> bool:
    """Whether nobody can change the numbers of what is captured without giving the array another NumPy array."""
    return not isinstance(captured, np.ndarray) and not tr.is_tracer(captured) and _is_fixed(captured)


def _is_fixed(array: Array) -> bool:
    if _is_known(array._value):  # pyright: ignore[reportPrivateUsage]
        return True
    if not _is_of_arrays(array._value.base):  # pyright: ignore[reportPrivateUsage]
        return False
    if any(found > alone for found, alone in zip(_holders(array), _nobody_else(), strict=True)):
        return False
    _ours[id(array._value)] = array._value  # pyright: ignore[reportPrivateUsage]
    return True


def _is_of_arrays(base: object) -> bool:
    """Whether memory is that of an array itself (None), or of one that it is a part of."""
    return base is None or (isinstance(base, np.ndarray) and base.base is None)


def _holders(array: Array) -> tuple[int, int]:
    """How many hold the NumPy array of an array, and the one that this is a part of; those count that look, too."""
    value = array._value  # pyright: ignore[reportPrivateUsage]
    return sys.getrefcount(value), 0 if value.base is None else sys.getrefcount(value.base)


@functools.cache
def _nobody_else() -> tuple[int, int]:
    """What `_holders` says where nobody else does; how many references it takes to look is up to Python's version."""
    return _holders(tr.wrap(np.zeros(2)[1:]))


def _is_known(value: NumpyArray) -> bool:
    return _ours.get(id(value)) is value or _is_read_only(value)


def _is_read_only(value: NumpyArray) -> bool:
    """Whether the memory is that of an object that never changes."""
    base: Any = value
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base.obj if isinstance(base, memoryview) else base, bytes)


class Kept:
    """A program that keeps something, with the arrays that it is computed from."""

    def __init__(self, executable: Executable, captures: Sequence[tr.Captured]) -> None:
        self.executable = executable
        first = len(executable.graph.inputs) - len(captures)
        self.arrays: list[Any] = [captures[position - first] for position in executable.kept]
        self._now: tuple[tuple[tuple[Any, NumpyArray], ...], NumpyArray] | None = None
        """The arrays with what they held, and what was computed from that."""

    def prepared(self) -> NumpyArray:
        """What the program keeps, computed again if an array holds something else by now."""
        now = self._now
        if now is not None:
            for array, value in now[0]:
                if array._value is not value:
                    break
            else:
                return now[1]
        return self._renewed()

    def _renewed(self) -> NumpyArray:
        self._now = None
        for array in self.arrays:
            _is_fixed(array)  # This looks who holds it, which we do from here on.
        values = [array._value for array in self.arrays]
        prepared = self.executable.prepared(values)
        if all(map(_is_known, values)):
            self._now = tuple(zip(self.arrays, values, strict=True)), prepared
        return prepared

    def entry(self, value_offset: int, miss: Callable[..., Any], single: bool) -> Callable[..., Any]:
        """As `Executable.entry`."""
        executable, array_type = self.executable, tr.array_type()
        made: tuple[NumpyArray | None, Callable[..., Any]] = None, miss

        def call(*arguments: Any, **keywords: Any) -> Any:
            nonlocal made
            prepared, native = made
            now = self.prepared()
            if now is not prepared:
                native = executable.entry(array_type, value_offset, miss, single, now)
                made = now, native
            return native(*arguments, **keywords)

        return call
