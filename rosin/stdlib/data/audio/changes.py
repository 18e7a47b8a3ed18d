"""Changes of sounds `[batch, time]` and of spectra at random, as functions of a key: they run in compiled steps."""

from __future__ import annotations

import math

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.data.errors import DataError


def random_gain(key: Array, x: Array, lowest: float = -6.0, highest: float = 6.0) -> Array:
    """Each sound louder or softer by so many decibels."""
    decibels = rosin.random.uniform(key, (x.shape[0], 1), dtype=x.dtype, minval=lowest, maxval=highest)
    return x * 10 ** (decibels / 20)


def add_noise(x: Array, noise: Array, decibels: Array | float) -> Array:
    """Sounds `[..., time]` with noise at so many decibels below them, one number or one for each: the powers of both
    are means over time. To silence nothing is added."""
    power, own = (rnp.mean(y * y, axis=-1, keepdims=True) for y in (x, noise))
    below = 10 ** (-rnp.asarray(decibels, dtype=x.dtype) / 10)
    below = below[..., None] if below.ndim else below
    wanted = power * below
    return x + noise * rnp.sqrt(wanted / rnp.where(own > 0, own, 1))


def random_noise(key: Array, x: Array, lowest: float = 5.0, highest: float = 40.0) -> Array:
    """White noise added to each sound, so many decibels below it."""
    draw, level = rosin.random.split(key, 2)
    noise = rosin.random.normal(draw, tuple(x.shape), dtype=x.dtype)
    return add_noise(x, noise, rosin.random.uniform(level, (x.shape[0],), dtype=x.dtype, minval=lowest, maxval=highest))


def spec_augment(
    key: Array,
    x: Array,
    *,
    bands: int = 27,
    times: int = 100,
    band_masks: int = 2,
    time_masks: int = 2,
    most: float = 1.0,
    value: float = 0.0,
) -> Array:
    """Spectra `[batch, bands, time]` in which strips of up to so many bands and times are one number.

    This is the masking of SpecAugment (Park et al. 2019). A strip of times is at most the part `most` of all.

    Raises:
        DataError: the spectra are not of three axes.
    """
    if x.ndim != 3:
        raise DataError(f"spec_augment: spectra are [batch, bands, time], not {tuple(x.shape)}")
    longest = min(times, math.floor(most * x.shape[2]))
    inside = rnp.zeros(tuple(x.shape), dtype=bool)
    keys = rosin.random.split(key, band_masks + time_masks)
    for number in range(band_masks + time_masks):
        axis, widest = (1, min(bands, x.shape[1])) if number < band_masks else (2, longest)
        strip = _strip(keys[number], x.shape[0], x.shape[axis], widest)
        inside = inside | (strip[:, :, None] if axis == 1 else strip[:, None, :])
    return rnp.where(inside, value, x)


def _strip(key: Array, batch: int, length: int, widest: int) -> Array:
    """Of each example a part of a line: its width is drawn first, from 0 to `widest`, then its place."""
    of_width, of_place = rosin.random.split(key, 2)
    width = rosin.random.randint(of_width, (batch, 1), 0, widest + 1)
    first = rnp.floor(rosin.random.uniform(of_place, (batch, 1)) * (length - width + 1))
    line = rnp.arange(length)
    return (line >= first) & (line < first + width)
