"""Public modules that load on first use, under the names that users know them by."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PACKAGES = ("numpy", "scipy")
"""The packages of the front end that are public under `rosin`, and whose modules are too."""


def modules(package: str, names: Collection[str]) -> Callable[[str], ModuleType]:
    """The `__getattr__` of a package whose modules `names` load when they are first asked for."""

    def load(name: str) -> ModuleType:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return importlib.import_module(f"{package}.{name}")

    return load


class PublicNames:
    """Finds `rosin.scipy.special` at `rosin.frontend.scipy.special`: one module of two names, not two copies of it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith("rosin.") or name.split(".")[1] not in PACKAGES or path is None:
            return None
        inside = name.replace("rosin.", "rosin.frontend.", 1)
        # The package's path is that of its folder in the front end already.
        return ModuleSpec(name, self, origin=inside) if PathFinder.find_spec(inside, path) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(str(spec.origin))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import machinery has just written the public name's spec over the module's own.
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


sys.meta_path.insert(0, PublicNames())
