"""SciPy's functions under SciPy's names, a module for each of its packages. They load on first use."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rosin.frontend.scipy import fft, linalg, signal, special, stats

__all__ = ["fft", "linalg", "signal", "special", "stats"]


def __getattr__(name: str) -> ModuleType:
    match name:
        case "fft":
            import rosin.frontend.scipy.fft as module
        case "linalg":
            import rosin.frontend.scipy.linalg as module
        case "signal":
            import rosin.frontend.scipy.signal as module
        case "special":
            import rosin.frontend.scipy.special as module
        case "stats":
            import rosin.frontend.scipy.stats as module
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return module
