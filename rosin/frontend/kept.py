"""What a program computes once from the arrays that its function reads from outside, until one of them is another one.

Packed weights are such. It is right as long as nobody can write to the numbers of these arrays, whose memory therefore
has to be ours alone, or such that nobody may write to it. Assigning to an array gives it other memory where somebody
still holds the old one, and we do; so a change shows as another NumPy array underneath.
"""

from __future__ import annotations

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
    value = array._value  # pyright: ignore[reportPrivateUsage]
    if _is_known(value):
        return True
    # The slot of the array, the name here, and the argument of the call: who else holds it could write to it.
    if sys.getrefcount(value) > 3 or not (value.base is None or _is_alone(value.base)):
        return False
    _ours[id(value)] = value
    return True


def _is_known(value: NumpyArray) -> bool:
    return _ours.get(id(value)) is value or _is_read_only(value)


def _is_alone(base: object) -> bool:
    """Whether memory belongs to an array that nobody holds but the one that is made of it."""
    # The array that is made of it, two names and the argument of the call.
    return isinstance(base, np.ndarray) and base.base is None and sys.getrefcount(base) <= 4


def _is_read_only(value: NumpyArray) -> bool:
    """Whether the memory belongs to something that gives it out for reading alone."""
    base: Any = value
    while isinstance(base, np.ndarray):
        if base.flags.writeable or base.base is None:
            return False  # Whoever owns memory may make it writeable again.
        base = base.base
    try:
        return memoryview(base).readonly
    except TypeError:
        return False


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
