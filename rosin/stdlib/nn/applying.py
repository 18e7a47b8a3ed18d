"""Models in the functional form that transforms take, and layers that stand inside of transforms.

A transform such as `vmap` or `scan` sees arguments and results alone. `apply` makes of the buffers that a run changes
results, so they leave any transform as other results do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn.chain import call
from rosin.stdlib.nn.module import Module, ModuleError, static
from rosin.stdlib.nn.run import EVAL, Run

M = TypeVar("M")


def apply(model: M, *args: Any, key: Array | None = None, training: bool = True, **kwargs: Any) -> tuple[Any, M]:
    """What a model gives for these arguments, and the model with its buffers as they are then.

    >>> scores, model = nn.apply(model, images, key=key)
    >>> (scores, layer) = rosin.checkpoint(nn.apply)(layer, x, key=run.fork())
    >>> scores, models = rosin.vmap(lambda m, x, k: nn.apply(m, x, key=k))(models, xs, keys)
    """
    run = Run(key, training=training)
    return call(model, *args, run=run, **kwargs), run.updated(model)


def within(run: Run, layer: Any, transform: Any, *args: Any, **kwargs: Any) -> Any:
    """What a layer gives in `transform(apply)`, with its new buffers noted in the run around it."""
    result, new = transform(apply)(run.updated(layer), *args, key=run.fork(), training=run.training, **kwargs)
    run.keep(layer, new)
    return result


class Checkpointed(Module):
    """A layer of which nothing but its arguments is kept for the way back, where it runs again (Chen et al. 2016)."""

    layer: Module

    def __call__(self, *args: Any, run: Run = EVAL, **kwargs: Any) -> Any:
        return within(run, self.layer, rosin.checkpoint, *args, **kwargs)


class Stacked(Module):
    """Equal layers one after the other as one loop: they are compiled once, however many there are.

    `layers` is one of them whose arrays have a first axis more, that of the layers. Each gives what the next one takes;
    further arguments are the same for all. `checkpoint` is that of `rosin.scan`: what is kept for the way back.
    """

    layers: Module
    count: int = static()
    checkpoint: bool = static()

    def __init__(self, layers: Sequence[Module], *, checkpoint: bool = False) -> None:
        """Raises ModuleError where there are none, or they are not equal but for the numbers in their arrays."""
        if not layers:
            raise ModuleError("Stacked: there is at least one layer")
        for number, layer in enumerate(layers):
            if _kind(layer) != _kind(layers[0]):
                message = f"layer {number}, {layer!r}, is not like the first, {layers[0]!r}"
                raise ModuleError(f"Stacked: {message}: make a Chain of them")
        self.layers = rosin.tree.map(lambda *arrays: rnp.stack(arrays), *layers)
        self.count = len(layers)
        self.checkpoint = checkpoint

    def __getitem__(self, index: int) -> Module:
        return rosin.tree.map(lambda x: x[index], self.layers)

    def __len__(self) -> int:
        return self.count

    def __call__(self, x: Any, *args: Any, run: Run = EVAL, **kwargs: Any) -> Any:
        one = rosin.checkpoint(apply) if self.checkpoint else apply

        def step(x: Any, given: tuple[Module, Array | None]) -> tuple[Any, Module]:
            layer, key = given
            return one(layer, x, *args, key=key, training=run.training, **kwargs)

        x, layers = rosin.scan(step, x, (run.updated(self.layers), run.fork(self.count)))
        run.keep(self.layers, layers)
        return x


def _kind(layer: Module) -> Any:
    arrays, structure = rosin.tree.flatten(layer)
    return structure, [(array.shape, array.dtype) for array in arrays]
