"""Why functions were not rewritten, for the error that such a function runs into."""

from __future__ import annotations

from types import CodeType

from rosin.frontend import source

_reasons: dict[int, tuple[CodeType, str]] = {}
_LIMIT = 4096


def note(code: CodeType, reason: str) -> None:
    """Say why a function stays as it is."""
    if len(_reasons) >= _LIMIT:
        _reasons.clear()
    _reasons[id(code)] = (code, reason)


def of_user() -> str:
    """Why the user's innermost function stays as it is, "" if it does not."""
    frame = source.user_frame()
    found = None if frame is None else _reasons.get(id(frame.f_code))
    return "" if found is None else found[1]
