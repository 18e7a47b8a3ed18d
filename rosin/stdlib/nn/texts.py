"""Modules, and whatever they hold, as text."""

from __future__ import annotations

import dataclasses
from typing import Any

import rosin

_WIDTH = 100


def text(module: Any, indent: int = 0) -> str:
    """A module as an expression with the types of its arrays in place of the numbers, over lines where it is long."""
    if dataclasses.is_dataclass(module) and not isinstance(module, type):
        names = [field.name for field in dataclasses.fields(module)]
        parts = [f"{name}={text(getattr(module, name), indent + 2)}" for name in names]
        return _joined(f"{type(module).__name__}(", parts, ")", indent)
    if isinstance(module, tuple | list):
        ends = "()" if isinstance(module, tuple) else "[]"
        return _joined(ends[0], [text(item, indent + 2) for item in module], ends[1], indent)
    if isinstance(module, dict):
        return _joined("{", [f"{key!r}: {text(item, indent + 2)}" for key, item in module.items()], "}", indent)
    if isinstance(module, rosin.Array | rosin.ShapeDtypeStruct):
        return array_text(module)
    return getattr(module, "__name__", None) or repr(module)


def _joined(start: str, parts: list[str], end: str, indent: int) -> str:
    line = start + ", ".join(parts) + end
    if "\n" not in line and len(line) + indent <= _WIDTH:
        return line
    inner = " " * (indent + 2)
    return start + "".join(f"\n{inner}{part}," for part in parts) + "\n" + " " * indent + end


def array_text(array: Any) -> str:
    """The element type and the shape: `f32[3, 4]`."""
    return f"{array.dtype}{list(array.shape)}"


def with_article(name: str) -> str:
    """A class's name after "a" or "an", as it is spoken: an Embedding, an LSTM."""
    spelled = name[:2].isupper() and name[0] in "FHLMNRSX"
    return f"{'an' if spelled or name[0] in 'AEIO' else 'a'} {name}"


def under(path: str, name: str | int) -> str:
    """The dotted path of a part of what stands at a path."""
    return f"{path}.{name}" if path else str(name)
