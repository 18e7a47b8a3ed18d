"""Models of the library beside PyTorch and JAX: steps of training and inference, ResNet-18 and a small GPT.

python benches/zoo_training.py [NAME ...]     (see _rivals.py for more)
python benches/zoo_training.py --memory [NAME ...]     most memory of each contestant, in a process of its own

A step is forward, backward and the update of an optimizer (momentum for ResNet-18, AdamW for the GPT), with running
statistics of batch norms, in float32, with the state donated where a library can.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _rivals import Arrays, Run, Work, draw, main

import rosin
from rosin import numpy as rnp
from rosin.stdlib import losses, nn, optim, train
from rosin.stdlib.zoo.text.gpt2 import GPT2
from rosin.stdlib.zoo.vision.resnet import resnet18

LAYERS, WIDTH, HEADS, VOCABULARY, CONTEXT = 6, 384, 6, 256, 256
IMAGES = (("small", 32, 32, 10), ("large", 224, 4, 1000))
"""The stem of ResNet-18, the side of images, how many, and of how many classes."""
CONTESTANTS = ("rosin", "torch", "torch.compile", "jax")


def images(count: int, side: int, classes: int) -> Arrays:
    return [draw(count, 3, side, side), np.arange(count, dtype=np.int32) % classes]


def texts(count: int) -> Arrays:
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (count, CONTEXT + 1)).astype(np.int32)
    return [np.ascontiguousarray(tokens[:, :-1]), np.ascontiguousarray(tokens[:, 1:])]


# -- Rosin -----------------------------------------------------------------------------------------------------------


def step_of(make: Callable[[], nn.Module], optimizer: optim.Transform) -> Callable[[Arrays], Run]:
    """A step as `train.make_step` makes it."""

    def loss(model: Any, batch: Any, run: nn.Run) -> Any:
        x, y = batch
        return losses.cross_entropy(*flat(model(x, run=run), y))

    def prepare(arrays: Arrays) -> Run:
        step, state = train.make_step(loss, optimizer), train.TrainState.start(make(), optimizer)
        batch = [rnp.asarray(array) for array in arrays]

        def run() -> object:
            nonlocal state
            state, outcome = step(state, batch)
            return outcome

        return run

    return prepare


def flat(scores: Any, classes: Any) -> tuple[Any, Any]:
    """One row for each class that is to be told."""
    return rnp.reshape(scores, (-1, scores.shape[-1])), rnp.reshape(classes, (-1,))


def scores_of(make: Callable[[], nn.Module]) -> Callable[[Arrays], Run]:
    """The scores of a model, whose arrays are arguments of the program."""

    def prepare(arrays: Arrays) -> Run:
        model, x, called = make(), rnp.asarray(arrays[0]), rosin.compile(lambda model, x: model(x))
        return lambda: called(model, x)

    return prepare


# -- the works -------------------------------------------------------------------------------------------------------


def peers(torch: Callable[[Any], Callable[[Arrays], Run]], jax: Callable[[Any], Any]) -> dict[str, Any]:
    """What prepares the work for each peer, whose library is loaded when it does."""

    def of_torch(compiled: bool) -> Callable[[Arrays], Run]:
        return lambda arrays: torch((importlib.import_module("_torch_models"), compiled))(arrays)

    def of_jax(arrays: Arrays) -> Run:
        return jax(importlib.import_module("_jax_models"))(arrays)

    return {"torch": of_torch(False), "torch.compile": of_torch(True), "jax": of_jax, "numpy": None}


def resnet_works() -> Iterator[Work]:
    for stem, side, count, classes in IMAGES:
        make = partial(resnet18, key=0, stem=stem, classes=classes)
        arrays = partial(images, count, side, classes)

        def theirs(m: Any, stem: str = stem, classes: int = classes) -> Callable[[], Any]:
            return partial(m.resnet18, stem, classes)

        def ours_in_jax(m: Any, stem: str = stem, classes: int = classes) -> tuple[Any, Any]:
            return partial(m.resnet_init, stem, classes), partial(m.resnet, stem=stem)

        own = peers(
            lambda given, theirs=theirs: given[0].step_of(theirs(given[0]), _momentum_of_torch, given[1]),
            lambda m, ours=ours_in_jax: m.step_of(*ours(m), _momentum_of_optax),
        )
        step = step_of(make, optim.sgd(0.01, momentum=0.9))
        yield Work(f"ResNet-18 step, {count} of {side}x{side}", arrays, None, {"rosin": step, **own})
        own = peers(
            lambda given, theirs=theirs: given[0].scores_of(theirs(given[0]), given[1]),
            lambda m, ours=ours_in_jax: m.scores_of(*ours(m)),
        )
        yield Work(f"ResNet-18 inference, {count} of {side}x{side}", arrays, None, {"rosin": scores_of(make), **own})


def gpt_works(count: int = 4) -> Iterator[Work]:
    sizes = (LAYERS, WIDTH, HEADS, VOCABULARY, CONTEXT)
    options = {"layers": LAYERS, "features": WIDTH, "heads": HEADS, "vocabulary": VOCABULARY, "context": CONTEXT}
    make = partial(GPT2, key=0, dropout=0.0, **options)
    own = peers(
        lambda given: given[0].step_of(partial(given[0].GPT, *sizes), _adamw_of_torch, given[1]),
        lambda m: m.step_of(partial(m.gpt_init, *sizes), partial(m.gpt, heads=HEADS), _adamw_of_optax),
    )
    step = step_of(make, optim.adamw(1e-3))
    yield Work(f"GPT step, {count} of {CONTEXT}", partial(texts, count), None, {"rosin": step, **own})
    own = peers(
        lambda given: given[0].scores_of(partial(given[0].GPT, *sizes), given[1]),
        lambda m: m.scores_of(partial(m.gpt_init, *sizes), partial(m.gpt, heads=HEADS)),
    )
    yield Work(f"GPT inference, {count} of {CONTEXT}", partial(texts, count), None, {"rosin": scores_of(make), **own})


def _momentum_of_torch(parameters: Any) -> Any:
    return importlib.import_module("torch").optim.SGD(parameters, lr=0.01, momentum=0.9)


def _adamw_of_torch(parameters: Any) -> Any:
    return importlib.import_module("torch").optim.AdamW(parameters, lr=1e-3, fused=True)


def _momentum_of_optax() -> Any:
    return importlib.import_module("optax").sgd(0.01, momentum=0.9)


def _adamw_of_optax() -> Any:
    return importlib.import_module("optax").adamw(1e-3, weight_decay=1e-2)


def works() -> Iterator[Work]:
    yield from resnet_works()
    yield from gpt_works()


# -- memory ----------------------------------------------------------------------------------------------------------


def memory(names: list[str]) -> None:
    """MiB of each contestant beyond its library: while it runs again, and from the beginning with what compiles."""
    print(f"{'MiB while it runs / in all':34}" + "".join(f"{who:>18}" for who in CONTESTANTS))
    for work in works():
        if names and not any(name in work.name for name in names):
            continue
        cells: list[str] = []
        for who in CONTESTANTS:
            command = [sys.executable, str(Path(__file__).parent / "_peak.py"), "zoo_training", work.name, who]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            cells.append(f"{found['steps']:.0f} / {found['all']:.0f}")
        print(f"{work.name:34}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


if __name__ == "__main__":
    if "--memory" in sys.argv:
        memory([word for word in sys.argv[1:] if word != "--memory"])
    else:
        main(list(works()), __doc__)
