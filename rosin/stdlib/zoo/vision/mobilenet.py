"""MobileNetV2 (Sandler et al. 2018), with a mapping of torchvision's names."""

from __future__ import annotations

from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.nn.initializers import normal
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo.vision.blocks import ConvNorm, InvertedResidual, image_inputs, rounded
from rosin.stdlib.zoo.vision.classify import Plan

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Of each stage: expansion, channels, blocks, and the stride of the first one."""


class MobileNetV2(nn.Module):
    """Images `[batch, channels, height, width]` to scores `[batch, classes]`."""

    stem: ConvNorm
    blocks: tuple[InvertedResidual, ...]
    head: ConvNorm
    dropout: nn.Dropout
    classifier: nn.Dense

    def __init__(
        self,
        *,
        key: KeyLike,
        classes: int = 1000,
        channels: int = 3,
        width: float = 1.0,
        halvings: int = 5,
        dropout: float = 0.2,
        dtype: Any = rosin.float32,
    ) -> None:
        """`width` multiplies the numbers of channels. Images become half as large `halvings` times; small ones need
        fewer, and the first strides are left out."""
        keys = keys_of(key)
        skipped = 5 - halvings
        strides = _strides(skipped)
        known = rounded(32 * width)
        self.stem = ConvNorm(3, channels, known, key=keys, stride=strides[0], activation=rosin.nn.relu6, dtype=dtype)
        blocks: list[InvertedResidual] = []
        for (expansion, wide, count, _), first in zip(STAGES, strides[1:], strict=True):
            out = rounded(wide * width)
            for number in range(count):
                stride = 1 if number else first
                block = InvertedResidual(3, known, out, key=keys, stride=stride, expansion=expansion, dtype=dtype)
                blocks.append(block)
                known = out
        self.blocks = tuple(blocks)
        last = rounded(1280 * max(1.0, width))
        self.head = ConvNorm(1, known, last, key=keys, activation=rosin.nn.relu6, dtype=dtype)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Dense(last, classes, key=keys, weight_init=normal(0.01), dtype=dtype)

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        x = self.stem(x, run)
        for block in self.blocks:
            x = block(x, run)
        features = rnp.mean(self.head(x, run), axis=(2, 3))
        return self.classifier(self.dropout(features, run))


def _strides(skipped: int) -> list[int]:
    """The strides of the stem and of each stage, the first so many of which that are 2 are 1."""
    found: list[int] = []
    for stride in (2, *(stage[3] for stage in STAGES)):
        found.append(1 if stride == 2 and skipped > 0 else stride)
        skipped -= stride == 2
    return found


def names() -> list[tuple[str, str | None]]:
    """For `weights.into`: from torchvision's names to paths."""
    count = sum(stage[2] for stage in STAGES)
    found: list[tuple[str, str | None]] = [(r".*\.num_batches_tracked", None)]
    for place, ours in ((0, "stem"), (count + 1, "head")):
        for number, part in enumerate(("conv", "norm")):
            found.append((rf"features\.{place}\.{number}\.(.*)", rf"{ours}.{part}.\1"))
    for place in range(1, count + 1):
        parts = ["depthwise", "project"] if place == 1 else ["expand", "depthwise", "project"]
        for number, part in enumerate(parts):
            at, to = rf"features\.{place}\.conv\.", rf"blocks.{place - 1}.{part}"
            last = part == "project"
            conv, norm = (f"{number}", f"{number + 1}") if last else (rf"{number}\.0", rf"{number}\.1")
            found += [(rf"{at}{conv}\.(.*)", rf"{to}.conv.\1"), (rf"{at}{norm}\.(.*)", rf"{to}.norm.\1")]
    return [*found, (r"classifier\.1\.(.*)", r"classifier.\1")]


def inputs(batch: int, *, channels: int = 3, halvings: int = 5, dtype: Any = rosin.float32, **_: Any) -> Any:
    """The type of a batch of images: as large as ImageNet's, or smaller where there are fewer halvings."""
    return image_inputs(batch, channels, 7 * 2**halvings, dtype)


SMALL = {"classes": 10, "channels": 1, "width": 0.25, "halvings": 1}
TRAINED = {"classes": 10, "channels": 1, "width": 0.25, "halvings": 3}
PLAN = Plan("mobilenetv2", MobileNetV2, {"mnist5000": TRAINED, "digits": {**TRAINED, "halvings": 1}}, epochs=10)

ENTRY = PLAN.entry(
    inputs,
    SMALL,
    title="MobileNetV2",
    summary="Seventeen inverted residual blocks, for small machines. Weights of torchvision fit by `names`.",
    source="Sandler et al.: MobileNetV2: inverted residuals and linear bottlenecks (2018)",
    parameters=3_504_872,
    result="97.5 % by `rosin zoo train mobilenetv2`: a quarter of the width, 10 epochs",
)
