"""ResNet-18 whole: inference with batch norms folded into the convolutions, and steps of training with them.

python benches/resnet.py [NAME ...]     (see _rivals.py for more)

Inference has its weights as constants where a library has such: Rosin and ONNX Runtime. "Given" are weights that are
arguments of the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from _libraries import MAKERS, Library
from _onnx import Model
from _rivals import Arrays, Run, Work, draw, main

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Channels and stride; each stage has two blocks, of which the first has the stride."""
CLASSES = 1000


def blocks() -> Iterator[tuple[int, int, int]]:
    """Channels before and after each block, and its stride."""
    before = 64
    for channels, stride in STAGES:
        yield before, channels, stride
        yield channels, channels, 1
        before = channels


def operations(side: int) -> float:
    """Of one image, forward."""
    total = 2.0 * (side // 2) ** 2 * 64 * 3 * 49
    at = side // 4
    for before, channels, stride in blocks():
        at //= stride
        total += 2.0 * at**2 * channels * 9 * (before + channels)
        total += 2.0 * at**2 * channels * before if before != channels else 0
    return total


def kernel(outputs: int, inputs: int, size: int) -> np.ndarray[Any, Any]:
    return draw(outputs, inputs, size, size) * np.float32(np.sqrt(2 / (inputs * size * size)))


def weights(beside: Callable[[int], list[np.ndarray[Any, Any]]]) -> list[Any]:
    """The stem, the blocks and the last layer; `beside` gives what each kernel of so many outputs has with it."""

    def layer(outputs: int, inputs: int, size: int) -> list[np.ndarray[Any, Any]]:
        return [kernel(outputs, inputs, size), *beside(outputs)]

    found: list[Any] = []
    for before, channels, stride in blocks():
        short = [] if before == channels and stride == 1 else [layer(channels, before, 1)]
        found.append([layer(channels, before, 3), layer(channels, channels, 3), *short])
    last = [draw(512, CLASSES) * np.float32(0.04), np.zeros(CLASSES, np.float32)]
    return [layer(64, 3, 7), found, last]


def net(n: Library, layer: Callable[..., Any], parameters: Any, x: Any) -> Any:
    """The scores of images; `layer` is a convolution with what belongs to it."""
    stem, found, (w, bias) = parameters
    x = n.max_pool(n.xp.maximum(layer(x, stem, 2), 0), 3, 2)
    for (_, _, stride), (first, second, *short) in zip(blocks(), found, strict=True):
        y = layer(n.xp.maximum(layer(x, first, stride), 0), second, 1)
        x = n.xp.maximum(y + (layer(x, short[0], stride) if short else x), 0)
    return n.xp.mean(x, axis=(2, 3)) @ w + bias


def folded(n: Library) -> Callable[..., Any]:
    def layer(x: Any, parameters: Any, stride: int) -> Any:
        w, bias = parameters
        return n.conv(x, w, stride) + bias[:, None, None]

    return lambda parameters, x: net(n, layer, parameters, x)


def step(n: Library) -> Callable[..., Any]:
    """A step of descent, with batch norms."""

    def layer(x: Any, parameters: Any, stride: int) -> Any:
        w, weight, bias = parameters
        return n.batch_norm(n.conv(x, w, stride), weight, bias)

    def loss(parameters: Any, x: Any, target: Any) -> Any:
        return -n.xp.mean(n.xp.sum(n.log_softmax(net(n, layer, parameters, x), axis=-1) * target, axis=-1))

    def moved(parameters: Any, slopes: Any) -> Any:
        if isinstance(parameters, (list, tuple)):
            return [moved(p, s) for p, s in zip(parameters, slopes, strict=True)]
        return parameters - 0.01 * slopes

    def run(parameters: Any, x: Any, target: Any) -> Any:
        value, slopes = n.value_and_grad(loss)(parameters, x, target)
        return value, moved(parameters, slopes)

    return run


def of_rosin(arrays: Arrays) -> Run:
    """The weights are read from outside, in memory of their own, so that they are packed once."""
    library = MAKERS["rosin"]()
    given = library.array(arrays[1])
    function = library.compile(partial(folded(library), library.array(own(arrays[0]))))
    return lambda: function(given)


def own(parameters: Any) -> Any:
    """Weights in memory that nobody else holds."""
    return parameters.copy() if isinstance(parameters, np.ndarray) else [own(p) for p in parameters]


def of_torch(arrays: Arrays) -> Run:
    """In inference mode, biases given to the convolutions, channels last."""
    import torch
    from torch.nn import functional

    library = MAKERS["torch"]()
    parameters, x = library.array(arrays[0]), library.array(arrays[1]).contiguous(memory_format=torch.channels_last)

    def layer(x: Any, parameters: Any, stride: int) -> Any:
        w, bias = parameters
        return functional.conv2d(x, w, bias, stride=stride, padding=(w.shape[-1] - 1) // 2)

    def run() -> object:
        with torch.inference_mode():
            return net(library, layer, parameters, x)

    return run


def of_onnxruntime(arrays: Arrays) -> Run:
    model = Model()
    (stem, found, (w, bias)), images = arrays
    x = model.node("Relu", model.conv(model.input(images), *stem, stride=2))
    x = model.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for (_, _, stride), (first, second, *short) in zip(blocks(), found, strict=True):
        y = model.conv(model.node("Relu", model.conv(x, *first, stride=stride)), *second)
        x = model.node("Relu", model.node("Add", y, model.conv(x, *short[0], stride=stride) if short else x))
    mean = model.node("Flatten", model.node("GlobalAveragePool", x))
    return model.prepared(model.node("Gemm", mean, model.constant(w), model.constant(bias)))


def images_and_weights(batch: int, side: int) -> Arrays:
    return [weights(lambda outputs: [np.zeros(outputs, np.float32)]), draw(batch, 3, side, side)]


def training_data(batch: int, side: int) -> Arrays:
    parameters = weights(lambda outputs: [np.ones(outputs, np.float32), np.zeros(outputs, np.float32)])
    classes = np.eye(CLASSES, dtype=np.float32)[np.arange(batch) % CLASSES]
    return [parameters, draw(batch, 3, side, side), classes]


def works() -> Iterator[Work]:
    best = {"numpy": None, "rosin": of_rosin, "torch": of_torch, "onnxruntime": of_onnxruntime}
    for batch in (1, 16):
        arrays = partial(images_and_weights, batch, 224)
        yield Work(f"inference, {batch}", arrays, folded, best, batch * operations(224))
        yield Work(f"inference, {batch}, given", arrays, folded, {"numpy": None}, batch * operations(224))
    for batch, side in ((8, 64), (16, 224)):
        arrays = partial(training_data, batch, side)
        text = f"step of training, {batch} of {side}x{side}"
        yield Work(text, arrays, step, {"numpy": None}, 3 * batch * operations(side))


if __name__ == "__main__":
    main(list(works()), __doc__)
