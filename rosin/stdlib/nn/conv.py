"""Convolutions over one to three spatial axes; the number of axes is that of the window.

Images are `[batch, channels, *spatial]`, weights `[out, in / groups, *window]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn import initializers
from rosin.stdlib.nn.initializers import Initializer
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.nn.module import Module, ModuleError, param, static

Sizes: TypeAlias = int | Sequence[int]
Padding: TypeAlias = str | int | tuple[int, ...] | tuple[tuple[int, int], ...]


class Conv(Module):
    """A convolution: `Conv((3, 3), 16, 32, key=key)` has windows of 3 x 3 over 16 channels and gives 32."""

    weight: Array = param("out in ...")
    bias: Array | None = param("out")
    strides: tuple[int, ...] = static()
    padding: Padding = static()
    dilation: tuple[int, ...] = static()
    groups: int = static()

    def __init__(
        self,
        window: Sequence[int],
        in_channels: int,
        out_channels: int,
        *,
        key: KeyLike,
        strides: Sizes = 1,
        padding: Padding | Sequence[Any] = "VALID",
        dilation: Sizes = 1,
        groups: int = 1,
        use_bias: bool = True,
        weight_init: Initializer | None = None,
        dtype: Any = rosin.float32,
    ) -> None:
        """`padding` is "VALID", "SAME", a number, or a number or a pair for each axis; see `rosin.nn.conv`.

        Raises:
            ModuleError: the groups do not divide the channels, or there is not one number for each axis.
        """
        check_window("Conv", window)
        keys = keys_of(key)
        if in_channels % groups or out_channels % groups:
            raise ModuleError(f"Conv: {groups} groups do not divide {in_channels} channels in and {out_channels} out")
        draw = weight_init or initializers.glorot_uniform()
        self.weight = draw(keys(), (out_channels, in_channels // groups, *window), dtype)
        self.bias = initializers.zeros(keys(), (out_channels,), dtype) if use_bias else None
        self.strides = per_axis("Conv", "strides", strides, len(window))
        self.padding = frozen_padding(padding)
        self.dilation = per_axis("Conv", "dilation", dilation, len(window))
        self.groups = groups

    def __call__(self, x: Array) -> Array:
        y = rosin.nn.conv(
            x,
            self.weight,
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return add_bias(y, self.bias)


class ConvTranspose(Module):
    """A transposed convolution: `ConvTranspose((4, 4), 32, 16, strides=2, padding=1, key=key)` doubles both sizes.

    Weights are `[in, out / groups, *window]`, as in PyTorch.
    """

    weight: Array = param("in out_of_group ...")
    bias: Array | None = param("out")
    strides: tuple[int, ...] = static()
    padding: Padding = static()
    output_padding: tuple[int, ...] = static()
    dilation: tuple[int, ...] = static()
    groups: int = static()

    def __init__(
        self,
        window: Sequence[int],
        in_channels: int,
        out_channels: int,
        *,
        key: KeyLike,
        strides: Sizes = 1,
        padding: Padding | Sequence[Any] = "VALID",
        output_padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        use_bias: bool = True,
        weight_init: Initializer | None = None,
        dtype: Any = rosin.float32,
    ) -> None:
        """The arguments are those of the convolution of which this is the transpose; see `rosin.nn.conv_transpose`.

        Raises:
            ModuleError: the groups do not divide the channels, or there is not one number for each axis.
        """
        check_window("ConvTranspose", window)
        keys = keys_of(key)
        if in_channels % groups or out_channels % groups:
            message = f"{groups} groups do not divide {in_channels} channels in and {out_channels} out"
            raise ModuleError(f"ConvTranspose: {message}")
        draw = weight_init or initializers.glorot_uniform()
        rank = len(window)
        self.weight = draw(keys(), (in_channels, out_channels // groups, *window), dtype)
        self.bias = initializers.zeros(keys(), (out_channels,), dtype) if use_bias else None
        self.strides = per_axis("ConvTranspose", "strides", strides, rank)
        self.padding = frozen_padding(padding)
        self.output_padding = per_axis("ConvTranspose", "output_padding", output_padding, rank)
        self.dilation = per_axis("ConvTranspose", "dilation", dilation, rank)
        self.groups = groups

    def __call__(self, x: Array) -> Array:
        y = rosin.nn.conv_transpose(
            x,
            self.weight,
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return add_bias(y, self.bias)


def depthwise(window: Sequence[int], channels: int, *, key: KeyLike, multiplier: int = 1, **options: Any) -> Conv:
    """A convolution that sees each channel alone and gives `multiplier` for it. Options are those of `Conv`."""
    return Conv(window, channels, channels * multiplier, key=key, groups=channels, **options)


def check_window(layer: str, window: Any) -> None:
    """Raise unless a window tells how many axes it has."""
    if not isinstance(window, Sequence) or not window or isinstance(window, str):
        raise ModuleError(f"{layer}: a window has a number for each spatial axis, as (3, 3), and is not {window!r}")


def per_axis(layer: str, name: str, given: Sizes, rank: int) -> tuple[int, ...]:
    """One number for each spatial axis."""
    numbers = (given,) * rank if isinstance(given, int) else tuple(given)
    if len(numbers) != rank:
        raise ModuleError(f"{layer}: {name} has {len(numbers)} numbers, and the window has {rank} axes")
    return numbers


def frozen_padding(padding: Padding | Sequence[Any]) -> Padding:
    """A padding that has a hash."""
    if isinstance(padding, str | int):
        return padding
    pairs: Any = tuple(item if isinstance(item, int) else tuple(item) for item in padding)
    return pairs


def add_bias(y: Array, bias: Array | None) -> Array:
    """The sum of images and a number for each channel."""
    return y if bias is None else y + rnp.reshape(bias, (-1, *(1,) * (y.ndim - 2)))
