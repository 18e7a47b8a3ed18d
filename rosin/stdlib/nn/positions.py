"""How attention knows where things stand: rotations of queries and keys, or biases of the scores."""

from __future__ import annotations

import math
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn import initializers
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.nn.module import Module, ModuleError, param, static


class Positions(Module):
    """A way to tell attention about places; by itself it does nothing."""

    def rotate(self, x: Array, places: Array) -> Array:
        """Queries or keys `[batch, heads, time, features]` at places `[time]`."""
        return x

    def bias(self, queries: Array, keys: Array) -> Array | None:
        """What is added to the scores, `[heads, queries, keys]`, by the places of both; None for nothing."""
        return None


class Rotary(Positions):
    """Pairs of features turned by angles that grow with the place (Su et al. 2021).

    The pairs are the two halves of the features, as in GPT-NeoX and LLaMA, or neighbours if `interleaved`, as in the
    paper. Only the first `features` of each head are turned.
    """

    features: int = static()
    base: float = static()
    interleaved: bool = static()

    def __init__(self, features: int, *, base: float = 10000.0, interleaved: bool = False) -> None:
        """Raises ModuleError where `features` is odd."""
        if features % 2:
            raise ModuleError(f"Rotary: features go in pairs, and {features} is odd")
        self.features = features
        self.base = base
        self.interleaved = interleaved

    def rotate(self, x: Array, places: Array) -> Array:
        if x.shape[-1] < self.features:
            raise ModuleError(f"Rotary: heads have {x.shape[-1]} features, and {self.features} are to be turned")
        half = self.features // 2
        rates = rnp.exp(rnp.arange(half, dtype=rosin.float32) * (-math.log(self.base) / half))
        angles = rnp.astype(places, rosin.float32)[:, None] * rates
        cosine, sine = rnp.astype(rnp.cos(angles), x.dtype), rnp.astype(rnp.sin(angles), x.dtype)
        turned, rest = x[..., : self.features], x[..., self.features :]
        if self.interleaved:
            a, b = turned[..., ::2], turned[..., 1::2]
            pairs = rnp.stack([a * cosine - b * sine, a * sine + b * cosine], axis=-1)
            turned = rnp.reshape(pairs, turned.shape)
        else:
            a, b = turned[..., :half], turned[..., half:]
            turned = rnp.concat([a * cosine - b * sine, a * sine + b * cosine], axis=-1)
        return turned if self.features == x.shape[-1] else rnp.concat([turned, rest], axis=-1)


class ALiBi(Positions):
    """Scores fall with the distance, in each head at its own rate (Press et al. 2022)."""

    heads: int = static()

    def bias(self, queries: Array, keys: Array) -> Array:
        distance = rnp.abs(queries[:, None] - keys[None, :])
        return -rnp.asarray(slopes(self.heads), dtype=rosin.float32)[:, None, None] * rnp.astype(
            distance, rosin.float32
        )


def slopes(heads: int) -> list[float]:
    """The rates of ALiBi: a geometric sequence from 2^(-8 / heads) for powers of two, else with every other one of
    the next power's between."""
    power = 2 ** math.floor(math.log2(heads))
    own = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    more = [2 ** (-4 * (2 * i + 1) / power) for i in range(heads - power)]
    return own + more


class RelativeBias(Positions):
    """A learned number for each head and distance; far distances share numbers (Raffel et al. 2020).

    Half of the buckets are for single distances, the others grow wider up to `longest`. If `both`, keys after the query
    have buckets of their own; else they count as distance 0.
    """

    weight: Array = param("buckets heads")
    both: bool = static()
    longest: int = static()

    def __init__(
        self,
        heads: int,
        *,
        key: KeyLike,
        buckets: int = 32,
        longest: int = 128,
        both: bool = True,
        dtype: Any = rosin.float32,
    ) -> None:
        self.weight = initializers.normal(0.02)(keys_of(key)(), (buckets, heads), dtype)
        self.both = both
        self.longest = longest

    def bias(self, queries: Array, keys: Array) -> Array:
        distance = keys[None, :] - queries[:, None]
        return rnp.moveaxis(rosin.nn.embedding(self.bucket(distance), self.weight), -1, 0)

    def bucket(self, distance: Array) -> Array:
        """The row of the weight for key places less query places."""
        count = self.weight.shape[0]
        start = rnp.zeros_like(distance)
        if self.both:
            count //= 2
            start = rnp.where(distance > 0, count, 0)
            distance = rnp.abs(distance)
        else:
            distance = rnp.maximum(-distance, 0)
        exact = count // 2
        ratio = rnp.log(rnp.astype(rnp.maximum(distance, 1), rosin.float32) / exact) / math.log(self.longest / exact)
        wide = exact + rnp.astype(ratio * (count - exact), distance.dtype)
        return start + rnp.where(distance < exact, distance, rnp.minimum(wide, count - 1))


def sinusoidal(count: int, features: int, *, base: float = 10000.0, dtype: Any = rosin.float32) -> Array:
    """The vectors `[count, features]` that Vaswani et al. 2017 add to embeddings: sines of even features, cosines of
    odd ones."""
    rates = rnp.exp(rnp.arange(0, features, 2, dtype=rosin.float64) * (-math.log(base) / features))
    angles = rnp.arange(count, dtype=rosin.float64)[:, None] * rates
    pairs = rnp.stack([rnp.sin(angles), rnp.cos(angles)], axis=-1)
    return rnp.astype(rnp.reshape(pairs, (count, -1))[:, :features], dtype)
