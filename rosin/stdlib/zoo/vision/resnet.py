"""Residual networks (He et al. 2016). The paths of their arrays are the names that torchvision has for them."""

from __future__ import annotations

import functools
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.nn.initializers import uniform
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo.vision.blocks import he_out, image_inputs
from rosin.stdlib.zoo.vision.classify import Plan

NAMES = ((r".*\.num_batches_tracked", None),)
"""For `weights.into`: torchvision's names that these models have no use for."""


class Block(nn.Module):
    """Two convolutions, or with a `bottleneck` three, around which what comes in is added to what goes out."""

    conv1: nn.Conv
    bn1: nn.BatchNorm
    conv2: nn.Conv
    bn2: nn.BatchNorm
    conv3: nn.Conv | None
    bn3: nn.BatchNorm | None
    downsample: tuple[nn.Conv, nn.BatchNorm] | None

    def __init__(
        self, channels: int, width: int, stride: int, *, bottleneck: bool, key: KeyLike, dtype: Any = rosin.float32
    ) -> None:
        """It takes `channels` and gives `width`, or with a bottleneck four times as many."""
        keys, narrow = keys_of(key), 1 if bottleneck else 3
        out = 4 * width if bottleneck else width
        norm = functools.partial(nn.BatchNorm, dtype=dtype)
        self.conv1 = _conv(narrow, channels, width, 1 if bottleneck else stride, keys, dtype)
        self.bn1 = norm(width)
        self.conv2 = _conv(3, width, width, stride if bottleneck else 1, keys, dtype)
        self.bn2 = norm(width)
        self.conv3 = _conv(1, width, out, 1, keys, dtype) if bottleneck else None
        self.bn3 = norm(out) if bottleneck else None
        changes = stride != 1 or channels != out
        self.downsample = (_conv(1, channels, out, stride, keys, dtype), norm(out)) if changes else None

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        relu = rosin.nn.relu
        y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x), run))), run)
        if self.conv3 is not None and self.bn3 is not None:
            y = self.bn3(self.conv3(relu(y)), run)
        if self.downsample is not None:
            conv, norm = self.downsample
            x = norm(conv(x), run)
        return relu(x + y)


class ResNet(nn.Module):
    """Images `[batch, channels, height, width]` to scores `[batch, classes]`."""

    conv1: nn.Conv
    bn1: nn.BatchNorm
    layer1: tuple[Block, ...]
    layer2: tuple[Block, ...]
    layer3: tuple[Block, ...]
    layer4: tuple[Block, ...]
    fc: nn.Dense
    pooled: bool = nn.static()

    def __init__(
        self,
        *,
        key: KeyLike,
        blocks: tuple[int, int, int, int],
        bottleneck: bool,
        classes: int = 1000,
        channels: int = 3,
        width: int = 64,
        stem: str = "large",
        dtype: Any = rosin.float32,
    ) -> None:
        """`blocks` are those of each stage, `width` the channels of the first one. The "large" stem, for images of some
        hundred pixels, makes them four times smaller; the "small" one keeps their size.

        Raises:
            ModuleError: there is no such stem.
        """
        if stem not in ("large", "small"):
            raise nn.ModuleError(f"ResNet: the stem is 'large' or 'small', not {stem!r}")
        keys = keys_of(key)
        large = stem == "large"
        self.conv1 = _conv(7 if large else 3, channels, width, 2 if large else 1, keys, dtype)
        self.bn1 = nn.BatchNorm(width, dtype=dtype)
        self.pooled = large
        stages: list[tuple[Block, ...]] = []
        known = width
        for stage, count in enumerate(blocks):
            wide, made = width * 2**stage, list[Block]()
            for number in range(count):
                stride = 2 if stage and not number else 1
                made.append(Block(known, wide, stride, bottleneck=bottleneck, key=keys, dtype=dtype))
                known = 4 * wide if bottleneck else wide
            stages.append(tuple(made))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Dense(known, classes, key=keys, weight_init=uniform(known**-0.5), dtype=dtype)

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        x = rosin.nn.relu(self.bn1(self.conv1(x), run))
        if self.pooled:
            x = rosin.nn.max_pool(x, 3, strides=2, padding=1)
        for block in (*self.layer1, *self.layer2, *self.layer3, *self.layer4):
            x = block(x, run)
        return self.fc(rnp.mean(x, axis=(2, 3)))


def _conv(window: int, channels: int, out: int, stride: int, keys: KeyLike, dtype: Any) -> nn.Conv:
    return nn.Conv(
        (window, window),
        channels,
        out,
        key=keys,
        strides=stride,
        padding=window // 2,
        use_bias=False,
        weight_init=he_out,
        dtype=dtype,
    )


def resnet18(
    *,
    key: KeyLike,
    classes: int = 1000,
    channels: int = 3,
    width: int = 64,
    stem: str = "large",
    dtype: Any = rosin.float32,
) -> ResNet:
    """18 layers with parameters: two blocks of two convolutions in each stage."""
    options = {"classes": classes, "channels": channels, "width": width, "stem": stem, "dtype": dtype}
    return ResNet(key=key, blocks=(2, 2, 2, 2), bottleneck=False, **options)


def resnet50(
    *,
    key: KeyLike,
    classes: int = 1000,
    channels: int = 3,
    width: int = 64,
    stem: str = "large",
    dtype: Any = rosin.float32,
) -> ResNet:
    """50 layers with parameters: 3, 4, 6 and 3 blocks with bottlenecks, which in training have the stride in their
    second convolution, as torchvision's have."""
    options = {"classes": classes, "channels": channels, "width": width, "stem": stem, "dtype": dtype}
    return ResNet(key=key, blocks=(3, 4, 6, 3), bottleneck=True, **options)


def inputs(batch: int, *, channels: int = 3, stem: str = "large", dtype: Any = rosin.float32, **_: Any) -> Any:
    """The type of a batch of images: as large as ImageNet's, or small ones for the small stem."""
    return image_inputs(batch, channels, 224 if stem == "large" else 16, dtype)


SMALL = {"classes": 10, "channels": 1, "width": 4, "stem": "small"}
TRAINED18 = {**SMALL, "width": 8}
TRAINED50 = {**SMALL, "width": 4}
PLAN18 = Plan("resnet18", resnet18, {"mnist5000": TRAINED18, "digits": TRAINED18}, epochs=8)
PLAN50 = Plan("resnet50", resnet50, {"mnist5000": TRAINED50, "digits": TRAINED50}, epochs=20)
SOURCE = "He, Zhang, Ren and Sun: Deep residual learning for image recognition (2016)"

RESNET18 = PLAN18.entry(
    inputs,
    SMALL,
    title="ResNet-18",
    summary="Eight residual blocks of two convolutions in four stages. Weights of torchvision fit by name.",
    source=SOURCE,
    parameters=11_689_512,
    result="98.1 % by `rosin zoo train resnet18`: the small stem, width 8, 8 epochs",
)

RESNET50 = PLAN50.entry(
    inputs,
    SMALL,
    title="ResNet-50",
    summary="Sixteen residual blocks with bottlenecks in four stages. Weights of torchvision fit by name.",
    source=SOURCE,
    parameters=25_557_032,
    result="97.7 % by `rosin zoo train resnet50`: the small stem, width 4, 20 epochs",
)
