"""The vision transformer (Dosovitskiy et al. 2021), with a mapping of torchvision's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.nn.initializers import normal, truncated_normal
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo.vision.blocks import image_inputs
from rosin.stdlib.zoo.vision.classify import KNOBS, Plan


class ViT(nn.Module):
    """Images `[batch, channels, size, size]` to scores `[batch, classes]`: patches are words, and before them stands
    one that gathers what the classifier sees."""

    patches: nn.Conv
    token: Array = nn.param("1 1 features")
    positions: Array = nn.param("1 places features")
    dropout: nn.Dropout
    encoder: nn.Transformer
    classifier: nn.Dense

    def __init__(
        self,
        *,
        key: KeyLike,
        classes: int = 1000,
        channels: int = 3,
        size: int = 224,
        patch: int = 16,
        features: int = 768,
        depth: int = 12,
        heads: int = 12,
        dropout: float = 0.0,
        dtype: Any = rosin.float32,
    ) -> None:
        """Raises ModuleError where the patches do not divide the size."""
        if size % patch:
            raise nn.ModuleError(f"ViT: patches of {patch} do not divide images of {size}")
        keys, count = keys_of(key), (size // patch) ** 2
        drawn = truncated_normal((channels * patch * patch) ** -0.5)
        self.patches = nn.Conv(
            (patch, patch), channels, features, key=keys, strides=patch, weight_init=drawn, dtype=dtype
        )
        self.token = rnp.zeros((1, 1, features), dtype=dtype)
        self.positions = normal(0.02)(keys(), (1, count + 1, features), dtype)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.Transformer(
            depth,
            features,
            heads,
            key=keys,
            dropout=dropout,
            norm=lambda features: nn.LayerNorm(features, eps=1e-6, dtype=dtype),
            dtype=dtype,
        )
        self.classifier = nn.Dense(features, classes, key=keys, dtype=dtype)

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        patches = self.patches(x)
        words = rnp.moveaxis(rnp.reshape(patches, (*patches.shape[:2], -1)), 1, 2)
        token = rnp.broadcast_to(self.token, (words.shape[0], 1, words.shape[2]))
        words = rnp.concat([token, words], axis=1) + self.positions
        return self.classifier(self.encoder(self.dropout(words, run), run=run)[:, 0])


_LAYER = r"encoder\.layers\.encoder_layer_(\d+)\."
NAMES = (
    (r"conv_proj\.(.*)", r"patches.\1"),
    (r"class_token", "token"),
    (r"encoder\.pos_embedding", "positions"),
    (rf"{_LAYER}ln_([12])\.(.*)", r"encoder.layers.\1.norm\2.\3"),
    (rf"{_LAYER}self_attention\.(query|key|value)\.(.*)", r"encoder.layers.\1.attention.\2.\3"),
    (rf"{_LAYER}self_attention\.out_proj\.(.*)", r"encoder.layers.\1.attention.output.\2"),
    (rf"{_LAYER}mlp\.(?:0|linear_1)\.(.*)", r"encoder.layers.\1.feed_forward.up.\2"),
    (rf"{_LAYER}mlp\.(?:3|linear_2)\.(.*)", r"encoder.layers.\1.feed_forward.down.\2"),
    (r"encoder\.ln\.(.*)", r"encoder.norm.\1"),
    (r"heads\.head\.(.*)", r"classifier.\1"),
)
"""For `weights.into`: from torchvision's names, after `separated`, to paths."""


def separated(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """torchvision's arrays with those of queries, keys and values, which lie in one, apart."""
    found: dict[str, Array] = {}
    for name, array in arrays.items():
        start, joined, kind = name.partition("in_proj_")
        if joined:
            size = array.shape[0] // 3
            for number, part in enumerate(("query", "key", "value")):
                found[f"{start}{part}.{kind}"] = array[number * size : (number + 1) * size]
        else:
            found[name] = array
    return found


def inputs(batch: int, *, channels: int = 3, size: int = 224, dtype: Any = rosin.float32, **_: Any) -> Any:
    """The type of a batch of images."""
    return image_inputs(batch, channels, size, dtype)


SMALL = {"classes": 10, "channels": 1, "size": 8, "patch": 4, "features": 16, "depth": 2, "heads": 2}
TRAINED = {"classes": 10, "channels": 1, "size": 28, "patch": 7, "features": 64, "depth": 3, "heads": 4, "dropout": 0.1}
DIGITS = {**TRAINED, "size": 8, "patch": 2}
PLAN = Plan(
    "vit",
    ViT,
    {"mnist5000": TRAINED, "digits": DIGITS},
    epochs=40,
    knobs={**KNOBS, "rate": 1e-3},
)

ENTRY = PLAN.entry(
    inputs,
    SMALL,
    title="ViT-B/16",
    summary="A transformer over patches of images. Weights of torchvision fit by `separated` and `NAMES`.",
    source="Dosovitskiy et al.: An image is worth 16x16 words, transformers for image recognition at scale (2021)",
    parameters=86_567_656,
    result="95.1 % by `rosin zoo train vit`: 64 features, 3 layers, patches of 7, 40 epochs",
)
