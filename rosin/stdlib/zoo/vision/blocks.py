"""Parts that several models of images have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rosin
from rosin import Array
from rosin.stdlib import nn
from rosin.stdlib.nn.conv import Padding
from rosin.stdlib.nn.initializers import variance_scaling
from rosin.stdlib.nn.keys import KeyLike, keys_of

Activation = Callable[[Array], Array]

he_out = variance_scaling(2.0, "fan_out", "normal")
"""He et al. 2015, by what an input goes to, as convolutions of residual networks start."""


class ConvNorm(nn.Module):
    """A convolution without a bias, a batch norm, and an activation unless it is None."""

    conv: nn.Conv
    norm: nn.BatchNorm
    activation: Activation | None = nn.static()

    def __init__(
        self,
        window: int,
        in_channels: int,
        out_channels: int,
        *,
        key: KeyLike,
        stride: int = 1,
        padding: Padding | None = None,
        groups: int = 1,
        activation: Activation | None = rosin.nn.relu,
        eps: float = 1e-5,
        momentum: float = 0.1,
        dtype: Any = rosin.float32,
    ) -> None:
        """`padding` is half of the window unless it is given."""
        self.conv = nn.Conv(
            (window, window),
            in_channels,
            out_channels,
            key=key,
            strides=stride,
            padding=window // 2 if padding is None else padding,
            groups=groups,
            use_bias=False,
            weight_init=he_out,
            dtype=dtype,
        )
        self.norm = nn.BatchNorm(out_channels, eps=eps, momentum=momentum, dtype=dtype)
        self.activation = activation

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        y = self.norm(self.conv(x), run)
        return y if self.activation is None else self.activation(y)


class InvertedResidual(nn.Module):
    """A narrow block that is widened, seen channel by channel, and made narrow again (Sandler et al. 2018).

    What comes in is added to what goes out where both have the same shape.
    """

    expand: ConvNorm | None
    depthwise: ConvNorm
    project: ConvNorm
    drop: nn.DropPath
    adds: bool = nn.static()

    def __init__(
        self,
        window: int,
        in_channels: int,
        out_channels: int,
        *,
        key: KeyLike,
        stride: int = 1,
        expansion: int = 6,
        drop: float = 0.0,
        **options: Any,
    ) -> None:
        """`drop` is the probability with which an example skips the block; further options are those of `ConvNorm`."""
        keys = keys_of(key)
        wide = in_channels * expansion
        options = {"activation": rosin.nn.relu6, **options}
        self.expand = None if expansion == 1 else ConvNorm(1, in_channels, wide, key=keys, **options)
        self.depthwise = ConvNorm(window, wide, wide, key=keys, stride=stride, groups=wide, **options)
        self.project = ConvNorm(1, wide, out_channels, key=keys, **{**options, "activation": None})
        self.drop = nn.DropPath(drop)
        self.adds = stride == 1 and in_channels == out_channels

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        y = x if self.expand is None else self.expand(x, run)
        y = self.project(self.depthwise(y, run), run)
        return x + self.drop(y, run) if self.adds else y


def rounded(channels: float, divisor: int = 8) -> int:
    """The multiple of `divisor` that is nearest to a number of channels, and at most a tenth below it."""
    found = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * channels else found


def image_inputs(batch: int, channels: int, size: int, dtype: Any) -> tuple[rosin.ShapeDtypeStruct, ...]:
    """The type of a batch of square images, as `Entry.inputs` gives it."""
    return (rosin.ShapeDtypeStruct((batch, channels, size, size), dtype),)
