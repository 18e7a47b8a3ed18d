"""What shapes a layer takes, for those whose own steps would fail in words that say less."""

from __future__ import annotations

from typing import Any

from rosin.stdlib.nn.module import Module, ModuleError
from rosin.stdlib.nn.texts import array_text


def expect(layer: Module, x: Any, axes: str, **sizes: int) -> None:
    """Raise unless an array has these axes, `"batch time features"`, of these sizes; `...` at the end stands for any.

    What is no array, and sizes that are symbols, are left to the ops that take them.

    Raises:
        ModuleError: it has other axes or sizes.
    """
    shape = getattr(x, "shape", None)
    if shape is None:
        return
    names = axes.split()
    least = [name for name in names if name != "..."]
    fits = len(shape) == len(least) or (len(shape) > len(least) and names[-1] == "...")
    known = [(own, sizes.get(name)) for name, own in zip(least, shape, strict=False)]
    if fits and not any(isinstance(own, int) and wanted is not None and own != wanted for own, wanted in known):
        return
    told = ", ".join(str(sizes.get(name, name)) for name in names)
    raise ModuleError(f"{type(layer).__name__}: takes [{told}], not {array_text(x)}")
