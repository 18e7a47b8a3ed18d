"""Pooling over the spatial axes of `[batch, channels, *spatial]`: settings for the functions of `rosin.nn`."""

from __future__ import annotations

from collections.abc import Sequence

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn.conv import Padding, Sizes, frozen_padding
from rosin.stdlib.nn.module import Module, static


class MaxPool(Module):
    """The largest element of each window; without `strides` the windows lie side by side."""

    window: int | tuple[int, ...] = static()
    strides: int | tuple[int, ...] | None = static()
    padding: Padding = static()

    def __init__(self, window: Sizes, strides: Sizes | None = None, padding: Padding | Sequence[int] = "VALID") -> None:
        self.window = _frozen(window)
        self.strides = None if strides is None else _frozen(strides)
        self.padding = frozen_padding(padding)

    def __call__(self, x: Array) -> Array:
        padding = self.padding
        return rosin.nn.max_pool(x, self.window, strides=self.strides, padding=padding)


class AvgPool(Module):
    """The mean of each window; `count_padding` makes padding count as zeros."""

    window: int | tuple[int, ...] = static()
    strides: int | tuple[int, ...] | None = static()
    padding: Padding = static()
    count_padding: bool = static()

    def __init__(
        self,
        window: Sizes,
        strides: Sizes | None = None,
        padding: Padding | Sequence[int] = "VALID",
        *,
        count_padding: bool = False,
    ) -> None:
        self.window = _frozen(window)
        self.strides = None if strides is None else _frozen(strides)
        self.padding = frozen_padding(padding)
        self.count_padding = count_padding

    def __call__(self, x: Array) -> Array:
        return rosin.nn.avg_pool(
            x,
            self.window,
            strides=self.strides,
            padding=self.padding,
            count_padding=self.count_padding,
        )


class AdaptiveAvgPool(Module):
    """The means of as many windows as `size` says, which cover each spatial axis."""

    size: int | tuple[int | None, ...] = static()

    def __call__(self, x: Array) -> Array:
        return rosin.nn.adaptive_avg_pool(x, self.size)


class AdaptiveMaxPool(Module):
    """The largest elements of as many windows as `size` says, which cover each spatial axis."""

    size: int | tuple[int | None, ...] = static()

    def __call__(self, x: Array) -> Array:
        return rosin.nn.adaptive_max_pool(x, self.size)


class GlobalAvgPool(Module):
    """The mean over all spatial axes: `[batch, channels, *spatial]` to `[batch, channels]`."""

    def __call__(self, x: Array) -> Array:
        return rnp.mean(x, axis=tuple(range(2, x.ndim)))


class Flatten(Module):
    """All axes from `start` on as one: `[batch, channels, *spatial]` to `[batch, features]`."""

    start: int = static(default=1)

    def __call__(self, x: Array) -> Array:
        return rnp.reshape(x, (*x.shape[: self.start], -1))


def _frozen(sizes: Sizes) -> int | tuple[int, ...]:
    return sizes if isinstance(sizes, int) else tuple(sizes)
