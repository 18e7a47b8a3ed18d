"""U-Net: down to few pixels, and up again with what was seen on the way down (Ronneberger et al. 2015)."""

from __future__ import annotations

from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.nn.initializers import he_normal
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.vision import segment
from rosin.stdlib.zoo.vision.blocks import ConvNorm, image_inputs
from rosin.stdlib.zoo.vision.classify import LICENSE


class UNet(nn.Module):
    """Images `[batch, channels, height, width]` to scores `[batch, classes, height, width]`.

    Convolutions keep the size, and have batch norms, as most have built it since the paper. Height and width are
    multiples of 2 ** (stages - 1).
    """

    down: tuple[nn.Chain, ...]
    enlarge: tuple[nn.ConvTranspose, ...]
    up: tuple[nn.Chain, ...]
    classifier: nn.Conv

    def __init__(
        self,
        *,
        key: KeyLike,
        classes: int = 2,
        channels: int = 1,
        width: int = 64,
        stages: int = 5,
        dtype: Any = rosin.float32,
    ) -> None:
        """`width` is the number of channels of the first stage; each of the `stages` has twice as many as the one
        before."""
        keys = keys_of(key)
        widths = [width * 2**stage for stage in range(stages)]
        self.down = tuple(
            _double(known, wide, keys, dtype) for known, wide in zip([channels, *widths], widths, strict=False)
        )
        pairs = list(zip(widths[1:], widths, strict=False))[::-1]
        self.enlarge = tuple(
            nn.ConvTranspose((2, 2), deep, wide, key=keys, strides=2, weight_init=he_normal(), dtype=dtype)
            for deep, wide in pairs
        )
        self.up = tuple(_double(2 * wide, wide, keys, dtype) for _, wide in pairs)
        self.classifier = nn.Conv((1, 1), width, classes, key=keys, dtype=dtype)

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        """Raises ModuleError where the images cannot be halved so often."""
        times = 2 ** len(self.up)
        if any(size % times for size in x.shape[2:]):
            sizes = " x ".join(map(str, x.shape[2:]))
            raise nn.ModuleError(f"UNet: images of {sizes} pixels; both sizes have to be multiples of {times}")
        seen: list[Array] = []
        for number, stage in enumerate(self.down):
            x = stage(rosin.nn.max_pool(x, 2) if number else x, run)
            seen.append(x)
        for enlarge, stage, before in zip(self.enlarge, self.up, seen[-2::-1], strict=True):
            x = stage(rnp.concat([before, enlarge(x)], axis=1), run)
        return self.classifier(x)


def _double(channels: int, width: int, keys: KeyLike, dtype: Any) -> nn.Chain:
    first = ConvNorm(3, channels, width, key=keys, dtype=dtype)
    return nn.Chain(first, ConvNorm(3, width, width, key=keys, dtype=dtype))


def inputs(batch: int, *, channels: int = 1, stages: int = 5, dtype: Any = rosin.float32, **_: Any) -> Any:
    """The type of a batch of images: of 256 pixels on a side, or of fewer for fewer stages."""
    return image_inputs(batch, channels, 16 * 2 ** (stages - 1), dtype)


SMALL = {"classes": 3, "width": 4, "stages": 2}
PLAN = segment.Plan("unet", UNet, {"classes": 11, "width": 8, "stages": 4})

ENTRY = Entry(
    Card(
        name="unet",
        title="U-Net",
        task="segmentation",
        summary="A path down and a path up, joined at each stage: a class for every pixel.",
        source="Ronneberger, Fischer and Brox: U-Net, convolutional networks for biomedical image segmentation (2015)",
        parameters=31_036_546,
        data=segment.DATA,
        metric=segment.METRIC,
        result="intersection over union 0.464 of digits and 0.989 of the ground, 96.8 % of pixels right, by "
        "`rosin zoo train unet`: width 8, 40 epochs",
        license=LICENSE,
    ),
    make=UNet,
    inputs=inputs,
    train=PLAN.train,
    evaluate=PLAN.evaluate,
    small=SMALL,
    knobs=PLAN.knobs,
)
