"""ConvMixer: patches, mixed over space by wide windows and over channels by narrow ones (Trockman and Kolter 2022)."""

from __future__ import annotations

from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.nn.initializers import he_uniform
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo.vision.blocks import image_inputs
from rosin.stdlib.zoo.vision.classify import Plan


class MixerLayer(nn.Module):
    """A convolution of each channel alone, added to what comes in, and one over channels alone."""

    depthwise: nn.Conv
    norm1: nn.BatchNorm
    pointwise: nn.Conv
    norm2: nn.BatchNorm

    def __init__(self, width: int, window: int, *, key: KeyLike, dtype: Any = rosin.float32) -> None:
        keys = keys_of(key)
        options = {"weight_init": he_uniform(), "dtype": dtype}
        self.depthwise = nn.depthwise((window, window), width, key=keys, padding="SAME", **options)
        self.norm1 = nn.BatchNorm(width, dtype=dtype)
        self.pointwise = nn.Conv((1, 1), width, width, key=keys, **options)
        self.norm2 = nn.BatchNorm(width, dtype=dtype)

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        x = x + self.norm1(rosin.nn.gelu(self.depthwise(x)), run)
        return self.norm2(rosin.nn.gelu(self.pointwise(x)), run)


class ConvMixer(nn.Module):
    """Images `[batch, channels, height, width]` to scores `[batch, classes]`."""

    patches: nn.Conv
    norm: nn.BatchNorm
    layers: tuple[MixerLayer, ...]
    classifier: nn.Dense

    def __init__(
        self,
        *,
        key: KeyLike,
        classes: int = 1000,
        channels: int = 3,
        width: int = 768,
        depth: int = 32,
        window: int = 7,
        patch: int = 7,
        dtype: Any = rosin.float32,
    ) -> None:
        """`patch` is the size of patches, which lie side by side."""
        keys = keys_of(key)
        drawn = he_uniform()
        self.patches = nn.Conv((patch, patch), channels, width, key=keys, strides=patch, weight_init=drawn, dtype=dtype)
        self.norm = nn.BatchNorm(width, dtype=dtype)
        self.layers = tuple(MixerLayer(width, window, key=keys, dtype=dtype) for _ in range(depth))
        self.classifier = nn.Dense(width, classes, key=keys, dtype=dtype)

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        x = self.norm(rosin.nn.gelu(self.patches(x)), run)
        for layer in self.layers:
            x = layer(x, run)
        return self.classifier(rnp.mean(x, axis=(2, 3)))


def inputs(batch: int, *, channels: int = 3, patch: int = 7, dtype: Any = rosin.float32, **_: Any) -> Any:
    """The type of a batch of images of 32 patches on a side, or of 4 where patches are smaller."""
    return image_inputs(batch, channels, 224 if patch == 7 else 4 * patch, dtype)


SMALL = {"classes": 10, "channels": 1, "width": 12, "depth": 2, "window": 3, "patch": 2}
TRAINED = {"classes": 10, "channels": 1, "width": 64, "depth": 4, "window": 3, "patch": 4}
DIGITS = {**TRAINED, "patch": 2}
PLAN = Plan("convmixer", ConvMixer, {"mnist5000": TRAINED, "digits": DIGITS}, epochs=10)

ENTRY = PLAN.entry(
    inputs,
    SMALL,
    title="ConvMixer-768/32",
    summary="Patches that are mixed over space and over channels in turn, by convolutions alone.",
    source="Trockman and Kolter: Patches are all you need? (2022)",
    parameters=21_110_248,
    result="95.7 % by `rosin zoo train convmixer`: width 64, depth 4, patches of 4, 10 epochs",
)
