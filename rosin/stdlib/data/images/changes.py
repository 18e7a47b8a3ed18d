"""Changes of images `[batch, channels, height, width]` at random, as functions of a key: they run in compiled steps."""

from __future__ import annotations

from collections.abc import Sequence

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.data.errors import DataError


def normalize(x: Array, mean: Sequence[float], deviation: Sequence[float]) -> Array:
    """Each channel less its mean and divided by its deviation."""
    shape = (-1, 1, 1)
    return (x - rnp.reshape(rnp.asarray(mean, dtype=x.dtype), shape)) / rnp.reshape(
        rnp.asarray(deviation, dtype=x.dtype), shape
    )


def random_flip(key: Array, x: Array, probability: float = 0.5) -> Array:
    """Some of the images from right to left."""
    turned = rosin.random.bernoulli(key, probability, (x.shape[0], 1, 1, 1))
    return rnp.where(turned, x[..., ::-1], x)


def random_crop(key: Array, x: Array, size: tuple[int, int], padding: int = 0) -> Array:
    """A part of that size of each image, after zeros were put around it.

    Raises:
        DataError: the padded images are smaller.
    """
    padded = rnp.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    room = tuple(have - want for have, want in zip(padded.shape[2:], size, strict=True))
    if min(room) < 0:
        raise DataError(f"random_crop: images of {tuple(padded.shape[2:])}, padding included, have no part of {size}")
    keys = rosin.random.split(key, 2)
    places = [rosin.random.randint(k, (x.shape[0],), 0, r + 1) for k, r in zip(keys, room, strict=True)]

    def crop(image: Array, row: Array, column: Array) -> Array:
        return rosin.dynamic_slice(image, (0, row, column), (image.shape[0], *size))

    return rosin.vmap(crop)(padded, *places)


def random_erase(key: Array, x: Array, size: tuple[int, int], value: float = 0.0) -> Array:
    """A part of that size of each image becomes one number (DeVries and Taylor 2017); parts may reach over the edge."""
    keys = rosin.random.split(key, 2)
    inside = rnp.ones((x.shape[0], 1, 1, 1), dtype=bool)
    for axis, (k, length) in enumerate(zip(keys, size, strict=True), 2):
        whole = x.shape[axis]
        centre = rosin.random.randint(k, (x.shape[0],), 0, whole)
        line = rnp.arange(whole)
        first = centre[:, None] - length // 2
        part = (line >= first) & (line < first + length)
        inside = inside & rnp.reshape(part, (x.shape[0], 1, *(whole if i == axis else 1 for i in (2, 3))))
    return rnp.where(inside, value, x)


def mixup(key: Array, x: Array, targets: Array, alpha: float = 0.2) -> tuple[Array, Array]:
    """Mixtures of pairs of examples and of their targets, which are probabilities (Zhang et al. 2018)."""
    shares, order = rosin.random.split(key, 2)
    share = rosin.random.beta(shares, alpha, alpha, (x.shape[0],))
    other = rosin.random.permutation(order, x.shape[0])

    def mixed(a: Array) -> Array:
        own = rnp.reshape(rnp.astype(share, a.dtype), (-1, *(1,) * (a.ndim - 1)))
        return own * a + (1 - own) * a[other]

    return mixed(x), mixed(targets)


def cutmix(key: Array, x: Array, targets: Array, alpha: float = 1.0) -> tuple[Array, Array]:
    """Images `[batch, channels, height, width]` with a part of another one pasted in, and the targets, which are
    probabilities, mixed by the areas (Yun et al. 2019)."""
    shares, order, *places = rosin.random.split(key, 4)
    batch, _, height, width = x.shape
    side = rnp.sqrt(1 - rosin.random.beta(shares, alpha, alpha, (batch,)))
    other = rosin.random.permutation(order, batch)
    inside = rnp.ones((batch, 1, 1, 1), dtype=bool)
    for axis, (own, length) in enumerate(zip(places, (height, width), strict=True), 2):
        line = rnp.arange(length)
        half = side[:, None] * length / 2
        part = rnp.abs(line - rosin.random.randint(own, (batch, 1), 0, length)) < half
        inside = inside & rnp.reshape(part, (batch, 1, *(length if i == axis else 1 for i in (2, 3))))
    pasted = rnp.astype(rnp.mean(rnp.astype(inside, rosin.float32), axis=(1, 2, 3)), targets.dtype)[:, None]
    return rnp.where(inside, x[other], x), (1 - pasted) * targets + pasted * targets[other]
