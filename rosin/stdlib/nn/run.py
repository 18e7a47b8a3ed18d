"""What a module is told when it runs: whether it is trained, and where its random numbers and new buffers go."""

from __future__ import annotations

from typing import Any, TypeVar

import rosin
from rosin import Array
from rosin.stdlib.nn.module import BUFFER, Module, ModuleError, fields_of
from rosin.stdlib.nn.paths import with_fields

M = TypeVar("M")

AGAIN = frozenset(
    ("vmap", "scan", "map", "while_loop", "fori_loop", "associative_scan", "for", "while", "comprehension", "compile")
)
"""What runs a function that is traced once again and again, with the same arrays from outside."""


class Run:
    """One run of a model: the last argument of modules that draw random numbers or keep running statistics.

    >>> run = Run(key)                       # training
    >>> scores = model(images, run)
    >>> model = run.updated(model)           # with the running statistics after this batch

    It belongs to the function in which it is made: `compile`, `grad` and other transforms begin a new one, and what
    runs inside of them has a `Run` of its own, which `apply` makes. Without a `Run` modules do what they do after
    training.
    """

    def __init__(self, key: Array | None = None, *, training: bool = True) -> None:
        self.training = training
        self._key = key
        self._drawn = 0
        self._latest: dict[int, tuple[Module, Module]] = {}
        self._made = rosin.debug.traces()

    def key(self) -> Array:
        """A new random key.

        Raises:
            ModuleError: the run has none, or it is asked inside of a loop or a batch that began after it was made,
                where each step or example would draw the same numbers.
        """
        if self._key is None:
            raise ModuleError("a module draws random numbers in training, and the run has no key: Run(key)")
        for trace in self._inside("draws random numbers"):
            if trace.transform in AGAIN:
                message = f"random numbers are drawn inside of {_told(trace)} by a run that was made outside of it"
                raise ModuleError(f"{message}, so that they would be the same each time\n{_ADVICE}")
        self._drawn += 1
        return rosin.random.fold_in(self._key, self._drawn)

    def fork(self, count: int | None = None) -> Array | None:
        """A key for another run, or one for each of `count` runs along a new first axis; None if this run has none."""
        if self._key is None:
            return None
        return self.key() if count is None else rosin.random.split(self.key(), count)

    def latest(self, module: M) -> M:
        """A module with what its buffers hold by now: another call in this run may have changed them."""
        found: Any = self._latest.get(id(module))
        return module if found is None else found[1]

    def update(self, module: Module, **buffers: Array) -> None:
        """Note new buffers of a module; `updated` puts them into the model.

        Raises:
            ModuleError: a field is no buffer; the array has another shape; or the run was made outside of a function
                that is traced here, which new buffers could not leave.
        """
        kinds = {field.name: field.metadata.get(BUFFER) for field, _ in fields_of(module)}
        for name in buffers:
            if not kinds.get(name):
                raise ModuleError(f"{type(module).__name__}.{name} is no buffer: declare it by buffer()")
        for trace in self._inside("changes its buffers")[:1]:
            message = f"the buffers {', '.join(buffers)} of a {type(module).__name__} change inside of {_told(trace)}"
            raise ModuleError(f"{message}, and the run was made outside of it, where they would be lost\n{_ADVICE}")
        self._latest[id(module)] = (module, self.latest(module).replace(**buffers))

    def keep(self, old: Any, new: Any) -> None:
        """Note the buffers of a model that `apply` gave back, `new`, for the modules of the one that it took, `old`."""
        if isinstance(old, Module):
            buffers = {f.name: new.__dict__[f.name] for f, _ in fields_of(old) if f.metadata.get(BUFFER)}
            if buffers:
                # In a stack of layers the arrays have an axis more than a layer declares: nothing is checked.
                self._latest[id(old)] = (old, with_fields(self.latest(old), buffers))
            for field, part in fields_of(old):
                self.keep(part, new.__dict__[field.name])
        elif isinstance(old, tuple | list):
            for a, b in zip(old, new, strict=True):
                self.keep(a, b)
        elif isinstance(old, dict):
            for name in old:
                self.keep(old[name], new[name])

    def updated(self, model: M) -> M:
        """The model with its buffers as they are after what ran."""
        return _with(model, self._latest)

    def _inside(self, what: str) -> tuple[rosin.debug.Tracing, ...]:
        """The traces that began after the run was made.

        Raises:
            ModuleError: one that it was made in has ended.
        """
        now, made = rosin.debug.traces(), self._made
        if now[: len(made)] != made:
            message = f"a module {what} by a run that was made in {_told(made[-1])}, which has ended"
            raise ModuleError(f"{message}: make a run for each call")
        return now[len(made) :]


EVAL = Run(training=False)
"""The run of a model that is not trained: no dropout, running statistics are used and not changed."""

_ADVICE = "  give it one of its own: `y, new = nn.apply(layer, x, key=run.fork())`, then `run.keep(layer, new)` outside"


def _told(trace: rosin.debug.Tracing) -> str:
    if trace.transform in ("for", "while", "if"):
        return f"a traced `{trace.transform}`"
    return f"{trace.transform or 'the trace'} of `{trace.function}`"


def _with(x: Any, latest: dict[int, tuple[Module, Module]]) -> Any:
    """A tree of modules in which some are replaced."""
    if isinstance(x, Module):
        found = latest.get(id(x))
        module = x if found is None else found[1]
        parts = {f.name: _with(v, latest) for f, v in fields_of(module) if not f.metadata.get("static")}
        changed = {name: part for name, part in parts.items() if part is not module.__dict__[name]}
        return with_fields(module, changed) if changed else module
    if isinstance(x, tuple | list):
        made = [_with(item, latest) for item in x]
        if all(a is b for a, b in zip(made, x, strict=True)):
            return x
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    if isinstance(x, dict):
        made = {key: _with(item, latest) for key, item in x.items()}
        return x if all(made[key] is x[key] for key in x) else made
    return x
