"""Modules one after the other, and beside each other."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, overload

from rosin.stdlib.nn.module import Module, ModuleError, static
from rosin.stdlib.nn.run import EVAL, Run


class Chain(Module):
    """What one layer gives is what the next one takes. Layers are modules and functions: `Chain(dense, nn.relu)`.

    `chain[i]` is a layer, `chain[i:j]` a chain of some.
    """

    layers: tuple[Any, ...]

    def __init__(self, *layers: Module | Callable[..., Any]) -> None:
        """Raises ModuleError where one is neither a module nor a function."""
        self.layers = _modules("Chain", layers)

    def __call__(self, x: Any, run: Run = EVAL) -> Any:
        for layer in self.layers:
            x = call(layer, x, run=run)
        return x

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Chain: ...
    def __getitem__(self, index: int | slice) -> Module | Chain:
        return Chain(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)


class Function(Module):
    """A function as a module without parameters, or a piece of a chain."""

    function: Callable[..., Any] = static()

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)


class Parallel(Module):
    """Layers that take the same value: a tuple of their results, or what `join` makes of these."""

    layers: tuple[Any, ...]
    join: Callable[..., Any] | None = static()

    def __init__(self, *layers: Module | Callable[..., Any], join: Callable[..., Any] | None = None) -> None:
        """Raises ModuleError where one is neither a module nor a function."""
        self.layers = _modules("Parallel", layers)
        self.join = join

    def __call__(self, x: Any, run: Run = EVAL) -> Any:
        results = tuple(call(layer, x, run=run) for layer in self.layers)
        return results if self.join is None else self.join(*results)


class Residual(Module):
    """`x + layer(x)`, or what `join` makes of the two (He et al. 2016)."""

    layer: Module
    shortcut: Module | None
    join: Callable[[Any, Any], Any] = static()

    def __init__(
        self,
        layer: Module,
        shortcut: Module | None = None,
        *,
        join: Callable[[Any, Any], Any] = operator.add,
    ) -> None:
        """With a `shortcut`, `shortcut(x)` stands for x."""
        self.layer = layer
        self.shortcut = shortcut
        self.join = join

    def __call__(self, x: Any, run: Run = EVAL) -> Any:
        kept = x if self.shortcut is None else call(self.shortcut, x, run=run)
        return self.join(kept, call(self.layer, x, run=run))


def call(layer: Any, *args: Any, run: Run, **kwargs: Any) -> Any:
    """Call a layer, with the run if it takes one."""
    return layer(*args, run=run, **kwargs) if takes_run(type(layer)) else layer(*args, **kwargs)


@functools.cache
def takes_run(cls: type[Any]) -> bool:
    """Whether calls of a class's instances have a parameter `run`."""
    return issubclass(cls, Module) and "run" in inspect.signature(cls.__call__).parameters


def _modules(kind: str, layers: Iterable[Module | Callable[..., Any]]) -> tuple[Module, ...]:
    return tuple(layer if isinstance(layer, Module) else _function(kind, layer) for layer in layers)


def _function(kind: str, layer: Any) -> Function:
    if not callable(layer):
        raise ModuleError(f"{kind}: layers are modules and functions, and {layer!r} is neither")
    return Function(layer)
