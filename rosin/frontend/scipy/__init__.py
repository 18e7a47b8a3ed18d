"""SciPy's functions under SciPy's names, a module for each of its packages. They load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import later

if TYPE_CHECKING:
    from rosin.frontend.scipy import special

__all__ = ["special"]

__getattr__ = later.modules(__name__, __all__)
