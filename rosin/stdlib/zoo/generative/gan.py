"""Generators and critics of grey pictures, which generative adversarial networks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rosin
from rosin import Array
from rosin.stdlib import nn
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo.generative.shapes import Unflatten, quarter


class GAN(nn.Module):
    """A generator, which makes pictures `[batch, 1, size, size]` from -1 to 1 of normal numbers `[batch, latent]`, and
    a critic, which gives each picture a number `[batch]`.

    The layers are those of Radford et al. 2016: strided and transposed convolutions, batch normalisation but for the
    generator's last layer and the critic's first, leaky slopes in the critic.
    """

    generator: nn.Chain
    critic: nn.Chain
    latent: int = nn.static()
    dtype: Any = nn.static()

    def __init__(
        self,
        *,
        key: KeyLike,
        size: int = 28,
        latent: int = 32,
        channels: int = 32,
        critic_norm: bool = True,
        dtype: Any = rosin.float32,
    ) -> None:
        """Raises ModuleError where 4 does not divide `size`."""
        keys, place = keys_of(key), quarter("GAN", size)
        wide = (2 * channels, place, place)
        self.generator = generator(keys, latent, channels, wide, dtype)
        self.critic = critic(keys, channels, wide, critic_norm, dtype)
        self.latent = latent
        self.dtype = dtype

    def __call__(self, z: Array, run: nn.Run = nn.EVAL) -> Array:
        """What the critic says of pictures made of `z`, `[batch]`."""
        return self.judge(self.generator(z, run), run)

    def judge(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        """The critic's number for each picture."""
        return self.critic(x, run)[:, 0]

    def fakes(self, count: int, run: nn.Run) -> Array:
        """Pictures of numbers that the run draws."""
        return self.generator(self.noise(run.key(), count), run)

    def noise(self, key: Array, count: int) -> Array:
        """What pictures are made of."""
        return rosin.random.normal(key, (count, self.latent), self.dtype)

    def sample(self, key: Array, count: int) -> Array:
        """New pictures `[count, 1, size, size]`, from 0 to 1."""
        return (self.generator(self.noise(key, count)) + 1) / 2


def generator(keys: nn.Keys, latent: int, channels: int, wide: Sequence[int], dtype: Any) -> nn.Chain:
    """From `[batch, latent]` over `[batch, *wide]` to pictures four times as large."""
    features = wide[0] * wide[1] * wide[2]
    doubles: dict[str, Any] = {"strides": 2, "padding": 1, "key": keys, "dtype": dtype}
    # A shift before batch normalisation would be taken away by it.
    return nn.Chain(
        nn.Dense(latent, features, key=keys, use_bias=False, dtype=dtype),
        Unflatten(tuple(wide)),
        nn.BatchNorm(wide[0], dtype=dtype),
        rosin.nn.relu,
        nn.ConvTranspose((4, 4), wide[0], channels, use_bias=False, **doubles),
        nn.BatchNorm(channels, dtype=dtype),
        rosin.nn.relu,
        nn.ConvTranspose((4, 4), channels, 1, **doubles),
        rosin.numpy.tanh,
    )


def critic(keys: nn.Keys, channels: int, wide: Sequence[int], norm: bool, dtype: Any) -> nn.Chain:
    """From pictures over `[batch, *wide]`, a quarter of their size, to `[batch, 1]`."""
    halves: dict[str, Any] = {"strides": 2, "padding": 1, "key": keys, "dtype": dtype}
    return nn.Chain(
        nn.Conv((4, 4), 1, channels, **halves),
        slope,
        nn.Conv((4, 4), channels, wide[0], use_bias=not norm, **halves),
        *([nn.BatchNorm(wide[0], dtype=dtype)] if norm else []),
        slope,
        nn.Flatten(),
        nn.Dense(wide[0] * wide[1] * wide[2], 1, key=keys, dtype=dtype),
    )


def slope(x: Array) -> Array:
    """x, or a fifth of it where it is negative."""
    return rosin.nn.leaky_relu(x, 0.2)


def own_part(name: str) -> nn.Where:
    """Which parameters are those of the generator or of the critic."""
    return lambda path, array: path.startswith(f"{name}.") and nn.is_trained(path, array)


def inputs(batch: int, *, latent: int = 32, dtype: Any = rosin.float32, **_: Any) -> tuple[Any, ...]:
    """The type of what pictures are made of."""
    return (rosin.ShapeDtypeStruct((batch, latent), dtype),)
