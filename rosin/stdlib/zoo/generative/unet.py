"""The network of diffusion models: a U-Net that is told the time (Ho et al. 2020)."""

from __future__ import annotations

import math
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.nn.keys import KeyLike, keys_of


class TimeEmbedding(nn.Module):
    """Times `[batch]`, between 0 and 1, as features: sines and cosines of many rates, then two layers."""

    layers: nn.Chain
    features: int = nn.static()

    def __init__(self, features: int, *, key: KeyLike, dtype: Any = rosin.float32) -> None:
        """Raises ModuleError where `features` is odd."""
        if features % 2:
            raise nn.ModuleError(f"TimeEmbedding: sines and cosines go in pairs, and {features} features are odd")
        keys = keys_of(key)
        self.layers = nn.Chain(
            nn.Dense(features, 2 * features, key=keys, dtype=dtype),
            rosin.nn.silu,
            nn.Dense(2 * features, 2 * features, key=keys, dtype=dtype),
        )
        self.features = features

    def __call__(self, times: Array) -> Array:
        half = self.features // 2
        rates = 1000 * rnp.exp(rnp.arange(half, dtype=times.dtype) * (-math.log(10000) / half))
        angles = times[:, None] * rates
        return self.layers(rnp.concat([rnp.sin(angles), rnp.cos(angles)], axis=1))


class Block(nn.Module):
    """Two convolutions around a shortcut, between which the time scales and shifts the channels."""

    norms: tuple[nn.GroupNorm, nn.GroupNorm]
    convs: tuple[nn.Conv, nn.Conv]
    modulation: nn.Dense
    shortcut: nn.Conv | None

    def __init__(self, inputs: int, outputs: int, times: int, *, key: KeyLike, dtype: Any = rosin.float32) -> None:
        keys = keys_of(key)
        like: dict[str, Any] = {"key": keys, "dtype": dtype}
        small = nn.initializers.normal(1e-3)
        self.norms = group_norm(inputs, dtype), group_norm(outputs, dtype)
        # The block begins as hardly more than its shortcut.
        last = nn.Conv((3, 3), outputs, outputs, padding=1, weight_init=small, **like)
        self.convs = nn.Conv((3, 3), inputs, outputs, padding=1, **like), last
        self.modulation = nn.Dense(times, 2 * outputs, **like)
        self.shortcut = None if inputs == outputs else nn.Conv((1, 1), inputs, outputs, **like)

    def __call__(self, x: Array, time: Array) -> Array:
        scale, shift = rnp.split(self.modulation(rosin.nn.silu(time))[:, :, None, None], 2, axis=1)
        h = self.convs[0](rosin.nn.silu(self.norms[0](x)))
        h = self.norms[1](h) * (1 + scale) + shift
        h = self.convs[1](rosin.nn.silu(h))
        return h + (x if self.shortcut is None else self.shortcut(x))


class Attention(nn.Module):
    """Attention among all places of a picture, around a shortcut."""

    norm: nn.GroupNorm
    attention: nn.MultiHeadAttention

    def __init__(self, channels: int, *, heads: int = 4, key: KeyLike, dtype: Any = rosin.float32) -> None:
        self.norm = group_norm(channels, dtype)
        self.attention = nn.MultiHeadAttention(channels, heads, key=key, dtype=dtype)

    def __call__(self, x: Array) -> Array:
        places = rnp.matrix_transpose(rnp.reshape(self.norm(x), (*x.shape[:2], -1)))
        return x + rnp.reshape(rnp.matrix_transpose(self.attention(places)), x.shape)


class UNet(nn.Module):
    """Pictures `[batch, pictures, size, size]` and times `[batch]` to numbers of the shape of the pictures.

    `patch` x `patch` places become channels first, which saves most of the work. Then there are two scales, the second
    of half the size and twice the channels, with `blocks` blocks on either side, and attention in the middle.
    """

    time: TimeEmbedding
    first: nn.Conv
    down: tuple[tuple[Block, ...], tuple[Block, ...]]
    halve: nn.Conv
    middle: tuple[Block, Attention, Block]
    up: tuple[tuple[Block, ...], tuple[Block, ...]]
    double: nn.Conv
    norm: nn.GroupNorm
    last: nn.Conv
    patch: int = nn.static()

    def __init__(
        self,
        pictures: int = 1,
        channels: int = 32,
        *,
        blocks: int = 1,
        patch: int = 1,
        key: KeyLike,
        dtype: Any = rosin.float32,
    ) -> None:
        keys, wide, times = keys_of(key), 2 * channels, 2 * channels
        like: dict[str, Any] = {"key": keys, "dtype": dtype}

        def stack(inputs: list[int], outputs: int) -> tuple[Block, ...]:
            return tuple(Block(size, outputs, times, **like) for size in inputs)

        folded = pictures * patch * patch
        self.time = TimeEmbedding(channels, **like)
        self.first = nn.Conv((3, 3), folded, channels, padding=1, **like)
        self.halve = nn.Conv((3, 3), channels, channels, strides=2, padding=1, **like)
        self.down = stack([channels] * blocks, channels), stack([channels] + [wide] * (blocks - 1), wide)
        self.middle = Block(wide, wide, times, **like), Attention(wide, **like), Block(wide, wide, times, **like)
        # Going up, a block sees what the block on the other side gave beside what comes from below.
        self.up = stack([2 * channels] * blocks, channels), stack([2 * wide] * blocks, wide)
        self.double = nn.Conv((3, 3), wide, channels, padding=1, **like)
        self.norm = group_norm(channels, dtype)
        small = nn.initializers.normal(1e-3)
        self.last = nn.Conv((3, 3), channels, folded, padding=1, weight_init=small, **like)
        self.patch = patch

    def __call__(self, x: Array, times: Array) -> Array:
        """Raises ShapeError where `patch` does not divide the size, ModuleError where the half of that is none."""
        time = self.time(times)
        x = x if self.patch == 1 else rosin.nn.pixel_unshuffle(x, self.patch)
        if x.shape[2] % 2 or x.shape[3] % 2:
            raise nn.ModuleError(f"UNet: pictures are halved once, and are {x.shape[2]} x {x.shape[3]} here")
        x, beside = _down(self.first(x), time, self.down[0])
        x, below = _down(self.halve(x), time, self.down[1])
        before, attention, after = self.middle
        x = after(attention(before(x, time)), time)
        x = _up(x, time, self.up[1], below)
        x = self.double(rosin.nn.interpolate(x, scale_factor=2))
        x = self.last(rosin.nn.silu(self.norm(_up(x, time, self.up[0], beside))))
        return x if self.patch == 1 else rosin.nn.pixel_shuffle(x, self.patch)


def _down(x: Array, time: Array, blocks: tuple[Block, ...]) -> tuple[Array, list[Array]]:
    """The pictures after some blocks, and after each of them."""
    kept: list[Array] = []
    for block in blocks:
        x = block(x, time)
        kept.append(x)
    return x, kept


def _up(x: Array, time: Array, blocks: tuple[Block, ...], beside: list[Array]) -> Array:
    for block, kept in zip(blocks, reversed(beside), strict=True):
        x = block(rnp.concat([x, kept], axis=1), time)
    return x


def group_norm(channels: int, dtype: Any) -> nn.GroupNorm:
    """Groups of four channels or more, eight at most."""
    groups = max(count for count in range(1, 9) if channels % count == 0 and channels // count >= min(4, channels))
    return nn.GroupNorm(groups, channels, dtype=dtype)
