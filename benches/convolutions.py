"""Convolutions: 3x3, 1x1, strided, by channel, in groups, with what follows them, transposed, over one and three axes,
and training steps of small nets.

python benches/convolutions.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from typing import Any

import numpy as np
from _libraries import Library
from _onnx import Model
from _rivals import Arrays, Run, Work, draw, drawn, main


def plain(stride: int, groups: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x, w: n.conv(x, w, stride, groups)


def followed(n: Library) -> Callable[..., Any]:
    """By scale and shift of each channel, and a relu: batch norm as it is after training."""
    return lambda x, w, scale, shift: n.xp.maximum(n.conv(x, w) * scale[:, None, None] + shift[:, None, None], 0)


def gradient(stride: int, groups: int) -> Callable[[Library], Callable[..., Any]]:
    """By the images and by the kernel."""
    return lambda n: n.grad(lambda x, w, weights: n.xp.sum(n.conv(x, w, stride, groups) * weights), (0, 1))


def net_step(n: Library) -> Callable[..., Any]:
    """A step of descent of a small net: two convolutions with strides, and a layer for ten classes."""

    def loss(parameters: Any, x: Any, target: Any) -> Any:
        first, second, last = parameters
        x = n.xp.maximum(n.conv(x, first, 2), 0)
        x = n.xp.maximum(n.conv(x, second, 2), 0)
        return -n.xp.mean(n.xp.sum(n.log_softmax(x.reshape(x.shape[0], -1) @ last, axis=-1) * target, axis=-1))

    def step(parameters: Any, x: Any, target: Any) -> Any:
        value, slopes = n.value_and_grad(loss)(parameters, x, target)
        return value, [p - 0.1 * g for p, g in zip(parameters, slopes, strict=True)]

    return step


def digits() -> Arrays:
    weights = [draw(16, 1, 3, 3), draw(32, 16, 3, 3), draw(32 * 49, 10) * np.float32(0.01)]
    return [weights, draw(64, 1, 28, 28), np.eye(10, dtype=np.float32)[np.arange(64) % 10]]


def pictures() -> Arrays:
    weights = [draw(32, 3, 3, 3), draw(64, 32, 3, 3) * np.float32(0.1), draw(64 * 64, 10) * np.float32(0.01)]
    return [weights, draw(64, 3, 32, 32), np.eye(10, dtype=np.float32)[np.arange(64) % 10]]


def of_onnxruntime(stride: int, groups: int, arrays: Arrays) -> Run:
    """The kernel, and what follows by channel, are constants of the model."""
    x, w, *after = arrays
    model = Model()
    y = model.conv(model.input(x), w, stride=stride, groups=groups)
    if after:
        scale, shift = (model.constant(a[:, None, None]) for a in after)
        y = model.node("Relu", model.node("Add", model.node("Mul", y, scale), shift))
    return model.prepared(y)


LAYERS = (
    # name, batch, channels, side, channels of the result, side of the kernel, stride, groups
    ("3x3", 8, 64, 56, 64, 3, 1, 1),
    ("3x3", 1, 256, 14, 256, 3, 1, 1),
    ("3x3", 16, 512, 7, 512, 3, 1, 1),
    ("3x3", 32, 16, 32, 32, 3, 1, 1),
    ("3x3", 3, 17, 37, 19, 3, 1, 1),
    ("3x3 strided", 8, 64, 56, 128, 3, 2, 1),
    ("1x1", 8, 256, 28, 64, 1, 1, 1),
    ("1x1 strided", 4, 64, 56, 128, 1, 2, 1),
    ("7x7 strided", 4, 3, 224, 64, 7, 2, 1),
    ("depthwise 3x3", 8, 128, 28, 128, 3, 1, 128),
    ("depthwise 3x3 strided", 4, 96, 57, 96, 3, 2, 96),
    ("depthwise 5x5", 8, 240, 14, 240, 5, 1, 240),
    ("depthwise 7x7", 2, 96, 56, 96, 7, 1, 96),
    ("grouped 3x3", 8, 128, 28, 128, 3, 1, 4),
    ("grouped 3x3", 4, 128, 28, 128, 3, 1, 32),
)


OTHER_AXES = (
    # batch, channels, the sides, channels of the result, side of the kernel
    (8, 64, (2000,), 64, 9),
    (2, 16, (24, 24, 24), 32, 3),
)
TRANSPOSED = (
    # batch, channels, side, channels of the result, side of the kernel, stride
    (16, 256, 8, 128, 4, 2),
    (8, 64, 28, 3, 4, 2),
    (4, 96, 15, 40, 5, 3),
)


def transposed(stride: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x, w: n.conv_transpose(x, w, stride)


def gradient_of_transposed(stride: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: n.grad(lambda x, w, weights: n.xp.sum(n.conv_transpose(x, w, stride) * weights), (0, 1))


def transposed_onnxruntime(stride: int, arrays: Arrays) -> Run:
    x, w = arrays
    model = Model()
    return model.prepared(model.conv_transpose(model.input(x), w, stride))


def others() -> Iterator[Work]:
    """Transposed ones, and those over one and three axes."""
    for batch, inputs, sides, outputs, size in OTHER_AXES:
        x, w, y = (batch, inputs, *sides), (outputs, inputs, *[size] * len(sides)), (batch, outputs, *sides)
        text = f"{len(sides)}d of {size}, {'x'.join(map(str, x))} to {outputs}"
        operations = 2.0 * prod(y) * prod(w[1:])
        own = {"numpy": None, "onnxruntime": partial(of_onnxruntime, 1, 1)}
        yield Work(text, drawn(x, w), plain(1, 1), own, operations)
        yield Work(f"gradient of {text}", drawn(x, w, y), gradient(1, 1), {"numpy": None}, 2 * operations)
    for batch, inputs, side, outputs, size, stride in TRANSPOSED:
        x, w = (batch, inputs, side, side), (inputs, outputs, size, size)
        y = (batch, outputs, side * stride, side * stride)
        text = f"transposed {size}x{size}, {'x'.join(map(str, x))} to {outputs}"
        operations = 2.0 * prod(x) * prod(w[1:])
        own = {"numpy": None, "onnxruntime": partial(transposed_onnxruntime, stride)}
        yield Work(text, drawn(x, w), transposed(stride), own, operations)
        slopes = gradient_of_transposed(stride)
        yield Work(f"gradient of {text}", drawn(x, w, y), slopes, {"numpy": None}, 2 * operations)


def works() -> Iterator[Work]:
    for name, batch, inputs, side, outputs, size, stride, groups in LAYERS:
        over = -(-side // stride)
        x, w, y = (batch, inputs, side, side), (outputs, inputs // groups, size, size), (batch, outputs, over, over)
        operations = 2.0 * batch * outputs * over**2 * (inputs // groups) * size * size
        own = {"numpy": None, "onnxruntime": partial(of_onnxruntime, stride, groups)}
        text = f"{name} {batch}x{inputs}x{side}x{side} to {outputs}"
        if groups > 1:
            text += f" in {groups}"
        yield Work(text, drawn(x, w), plain(stride, groups), own, operations)
        yield Work(f"gradient of {text}", drawn(x, w, y), gradient(stride, groups), {"numpy": None}, 2 * operations)
        if stride == groups == 1 and size == 3:
            arrays = drawn(x, w, (outputs,), (outputs,))
            yield Work(f"{text}, scale, relu", arrays, followed, own, operations)
    yield from others()
    yield Work("step of a net for digits, 64", digits, net_step, {"numpy": None})
    yield Work("step of a net for pictures, 64", pictures, net_step, {"numpy": None})


if __name__ == "__main__":
    main(list(works()), __doc__)
