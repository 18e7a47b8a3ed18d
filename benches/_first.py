"""The CPU seconds of a first call in this process, for first_call.py: `python _first.py NAME` prints them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import rosin
from rosin import numpy as rnp

Program = tuple[Any, tuple[Any, ...]]
"""A compiled function and its arguments."""


def small() -> Program:
    return rosin.compile(lambda x: x + 1), (rnp.ones(16),)


def layers() -> Program:
    def loss(weights: list[Any], x: Any) -> Any:
        for w in weights:
            x = rnp.tanh(x @ w)
        return rnp.mean(x * x)

    return rosin.compile(rosin.value_and_grad(loss)), ([rnp.ones((64, 64))] * 10, rnp.ones((32, 64)))


def descent() -> Program:
    """A step of descent for ResNet-18 as resnet.py writes it, with batch norms."""
    import resnet
    from _libraries import MAKERS

    library = MAKERS["rosin"]()
    parameters = resnet.weights(lambda count: [np.ones(count, np.float32), np.zeros(count, np.float32)])
    arrays = parameters, np.ones((4, 3, 64, 64), np.float32), np.ones((4, resnet.CLASSES), np.float32)
    return library.compile(resnet.step(library)), tuple(map(library.array, arrays))


def trained() -> Program:
    """A training step of the library's ResNet-18, with momentum, running statistics and a check of what is finite."""
    from rosin.stdlib import losses, optim, train
    from rosin.stdlib.zoo.vision.resnet import resnet18

    def loss(model: Any, batch: Any, run: Any) -> Any:
        return losses.cross_entropy(model(batch[0], run=run), batch[1])

    optimizer = optim.sgd(0.01, momentum=0.9)
    state = train.TrainState.start(resnet18(key=0, classes=1000), optimizer)
    batch = [rnp.ones((4, 3, 64, 64)), rnp.zeros(4, dtype="int32")]
    return train.make_step(loss, optimizer).compiled, (state, batch)


PROGRAMS: dict[str, Callable[[], Program]] = {
    "x + 1": small,
    "ten layers with gradient": layers,
    "ResNet-18, step of descent": descent,
    "ResNet-18, step of the library": trained,
}

if __name__ == "__main__":
    compiled, arguments = PROGRAMS[sys.argv[1]]()
    start = time.process_time()
    compiled._shown(arguments, {})  # what a call does before it runs the program
    print(json.dumps(time.process_time() - start))
