"""Variables that have no value after a block, since some way through it gives them none, and what is said of a use."""

from __future__ import annotations

import re
import threading
from types import TracebackType

from rosin.frontend.errors import ControlFlowError
from rosin.frontend.rewrite.blocks import VALUE
from rosin.frontend.trace import located
from rosin.ir import location

_VARIABLE = re.compile(r"variable '(.+?)'")


class _Notes(threading.local):
    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}


_notes = _Notes()


def note(name: str, reason: str) -> None:
    """Say why a variable has no value from now on."""
    if name != VALUE:
        _notes.reasons[name] = reason


def forget() -> None:
    """Forget what was said; a new function is traced."""
    _notes.reasons.clear()


def explained(error: NameError) -> ControlFlowError | None:
    """The error for a variable of which `note` told; None for another one."""
    found = _VARIABLE.search(str(error))
    reason = _notes.reasons.get(found[1]) if found is not None else None
    if found is None or reason is None:
        return None
    place: TracebackType | None = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    message = f"`{found[1]}` may have no value here: {reason}\n  give it a value before, of the same type"
    result = ControlFlowError(message)
    if place is None:
        return located(result)  # type: ignore[return-value]  # pyright: ignore[reportReturnType]
    result.location = location.of_instruction(place.tb_frame.f_code, place.tb_lasti)
    return result
