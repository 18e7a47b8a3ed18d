"""The modules of public packages under their public names, those included that load on first use."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = object  # The module of this class would take a millisecond.

PACKAGES = ("rosin.numpy.", "rosin.scipy.")
LATER = ("rosin.extend", "rosin.nn", "rosin.precision")


class PublicNames(Loader):
    """Finds `rosin.scipy.special` as what `rosin.scipy` has under that name: one module of two names, not two copies.

    A package lets a module load on first use by a `__getattr__` with the statement that imports it.
    """

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(PACKAGES) and name not in LATER:
            return None
        package, _, last = name.rpartition(".")
        module = getattr(sys.modules[package], last, None)
        if not isinstance(module, ModuleType):
            return None
        return ModuleSpec(name, self, loader_state=(module, module.__spec__))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return spec.loader_state[0]

    def exec_module(self, module: ModuleType) -> None:
        # The import machinery has just put the public name's spec in the place of the module's own.
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state[1]
