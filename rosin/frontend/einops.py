"""einops on our arrays: it asks a backend for each kind of array, and is told of ours as soon as it is imported."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend import numpy as rnp

if TYPE_CHECKING:
    from rosin.frontend.array import Array

_BACKENDS = "einops._backends"


def announce() -> None:
    """Tell einops of our arrays, now if it is imported already, or else when that happens."""
    if _BACKENDS in sys.modules:
        _register(sys.modules[_BACKENDS])
    else:
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Asked by Python for every module that is imported, until einops's backends are among them."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != _BACKENDS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                _register(module)

            spec.loader.exec_module = exec_module
        return spec


def _register(backends: Any) -> None:
    """Derive a backend of ours: einops looks for one among the classes that are derived from its own."""

    class RosinBackend(backends.AbstractBackend):
        framework_name = "rosin"

        def is_appropriate_type(self, tensor: object) -> bool:
            return core.is_array(tensor)

        def from_numpy(self, x: Any) -> Array:
            return rnp.asarray(x)

        def to_numpy(self, x: Array) -> Any:
            return core.known(x)

        def arange(self, start: int, stop: int) -> Array:
            return rnp.arange(start, stop)

        def transpose(self, x: Array, axes: Any) -> Array:
            return rnp.permute_dims(x, tuple(axes))

        def stack_on_zeroth_dimension(self, tensors: list[Array]) -> Array:
            return rnp.stack(tensors)

        def add_axis(self, x: Array, new_position: int) -> Array:
            return rnp.expand_dims(x, new_position)

        def tile(self, x: Array, repeats: Any) -> Array:
            return rnp.tile(x, tuple(repeats))

        def concat(self, tensors: list[Array], axis: int) -> Array:
            return rnp.concat(tensors, axis=axis)

        def is_float_type(self, x: Array) -> bool:
            return x.dtype.differentiable

        def einsum(self, pattern: str, *x: Array) -> Array:
            return rnp.einsum(pattern, *x)

    # A class knows those derived from it by weak references alone.
    backends.RosinBackend = RosinBackend
