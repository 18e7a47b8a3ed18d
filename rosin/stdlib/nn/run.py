"""What a module is told when it runs: whether it is trained, and where its random numbers and new buffers go."""

from __future__ import annotations

from typing import Any, TypeVar

import rosin
from rosin import Array
from rosin.stdlib.nn.module import BUFFER, Module, ModuleError, fields_of

M = TypeVar("M", bound=Module)


class Run:
    """One run of a model: the last argument of modules that draw random numbers or keep running statistics.

    >>> run = Run(key)                       # training
    >>> scores = model(images, run)
    >>> model = run.updated(model)           # with the running statistics after this batch

    It is made inside of the function that is compiled or differentiated, and its keys and buffers are traced with the
    rest. Without a `Run` modules do what they do after training.
    """

    def __init__(self, key: Array | None = None, *, training: bool = True) -> None:
        self.training = training
        self._key = key
        self._drawn = 0
        self._latest: dict[int, tuple[Module, Module]] = {}

    def key(self) -> Array:
        """A new random key.

        Raises:
            ModuleError: the run has none.
        """
        if self._key is None:
            raise ModuleError("a module draws random numbers in training, and the run has no key: Run(key)")
        self._drawn += 1
        return rosin.random.fold_in(self._key, self._drawn)

    def latest(self, module: M) -> M:
        """A module with what its buffers hold by now: another call in this run may have changed them."""
        found: Any = self._latest.get(id(module))
        return module if found is None else found[1]

    def update(self, module: Module, **buffers: Array) -> None:
        """Note new buffers of a module; `updated` puts them into the model.

        Raises:
            ModuleError: a field is no buffer, or the array has another shape.
        """
        kinds = {field.name: field.metadata.get(BUFFER) for field, _ in fields_of(module)}
        for name in buffers:
            if not kinds.get(name):
                raise ModuleError(f"{type(module).__name__}.{name} is no buffer: declare it by buffer()")
        self._latest[id(module)] = (module, self.latest(module).replace(**buffers))

    def updated(self, model: M) -> M:
        """The model with its buffers as they are after what ran."""
        return _with(model, self._latest)


EVAL = Run(training=False)
"""The run of a model that is not trained: no dropout, running statistics are used and not changed."""


def _with(x: Any, latest: dict[int, tuple[Module, Module]]) -> Any:
    """A tree of modules in which some are replaced."""
    if isinstance(x, Module):
        found = latest.get(id(x))
        module = x if found is None else found[1]
        parts = {f.name: _with(v, latest) for f, v in fields_of(module) if not f.metadata.get("static")}
        changed = {name: part for name, part in parts.items() if part is not module.__dict__[name]}
        return module.replace(**changed) if changed else module
    if isinstance(x, tuple | list):
        made = [_with(item, latest) for item in x]
        if all(a is b for a, b in zip(made, x, strict=True)):
            return x
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    if isinstance(x, dict):
        made = {key: _with(item, latest) for key, item in x.items()}
        return x if all(made[key] is x[key] for key in x) else made
    return x
