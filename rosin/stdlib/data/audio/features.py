"""What models hear: sounds `[..., time]` cut into frames, as spectra, in mel bands, as cepstra; other rates."""

from __future__ import annotations

import functools
import math
from typing import Any, Literal

import numpy as np

import rosin
from rosin import Array, scipy
from rosin import numpy as rnp
from rosin.stdlib.data.errors import DataError

Scale = Literal["htk", "slaney"]


def mono(x: Array) -> Array:
    """The mean of the channels: `[..., channels, time]` to `[..., time]`."""
    return rnp.mean(x, axis=-2)


def pre_emphasis(x: Array, coefficient: float = 0.97) -> Array:
    """`x[t] - coefficient * x[t - 1]`, which makes high frequencies louder; the first number stays as it is."""
    return rnp.concat([x[..., :1], x[..., 1:] - coefficient * x[..., :-1]], axis=-1)


def frames(x: Array, size: int, step: int) -> Array:
    """Parts of that size, each `step` after the one before, `[..., count, size]`; a rest that fills none is left out.

    Raises:
        DataError: the sound is shorter than one frame.
    """
    count = (x.shape[-1] - size) // step + 1
    if count < 1:
        raise DataError(f"frames: a sound of {x.shape[-1]} samples has no frame of {size}")
    return x[..., np.arange(count)[:, None] * step + np.arange(size)]


def spectrogram(
    x: Array, size: int = 400, step: int = 160, *, window: str = "hann", power: float = 2.0, centered: bool = True
) -> Array:
    """Powers of frequencies in frames, `[..., size // 2 + 1, count]`: magnitudes of Fourier transforms to the `power`.

    `centered` frames have their middle at the multiples of `step`, and the sound is mirrored at its ends.

    Raises:
        DataError: the sound is too short.
    """
    if centered:
        if x.shape[-1] <= size // 2:
            raise DataError(f"spectrogram: a sound of {x.shape[-1]} samples cannot be mirrored by {size // 2}")
        x = rnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(size // 2, size // 2)], mode="reflect")
    shape = rnp.astype(scipy.signal.get_window(window, size), x.dtype)
    spectrum = rnp.fft.rfft(frames(x, size, step) * shape)
    squares = rnp.real(spectrum) ** 2 + rnp.imag(spectrum) ** 2
    return rnp.swapaxes(squares if power == 2 else squares ** (power / 2), -1, -2)


def mel_filters(
    bands: int,
    bins: int,
    rate: int,
    *,
    low: float = 0.0,
    high: float | None = None,
    scale: Scale = "htk",
    equal_area: bool | None = None,
) -> np.ndarray[Any, Any]:
    """Triangles that lie evenly on the mel scale, `[bands, bins]`, for spectra of `bins` frequencies from 0 to half the
    rate.

    The scale is that of HTK, or that of Slaney's toolbox, which is linear below 1 kHz. With `equal_area`, by default
    for Slaney's, a triangle is divided by half its width in hertz.

    Raises:
        DataError: the frequencies are not in order, or there is no such scale.
    """
    if scale not in _SCALES:
        raise DataError(f"mel_filters: the scale is one of {', '.join(_SCALES)}, not {scale!r}")
    high = rate / 2 if high is None else high
    if not 0 <= low < high <= rate / 2 or bands < 1:
        raise DataError(f"mel_filters: {bands} bands from {low} to {high} hertz, of {rate} samples a second")
    to, back = _SCALES[scale]
    corners = back(np.linspace(to(np.asarray(low)), to(np.asarray(high)), bands + 2))[:, None]
    hertz = np.linspace(0, rate / 2, bins)
    rising = (hertz - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - hertz) / (corners[2:] - corners[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling))
    if scale == "slaney" if equal_area is None else equal_area:
        filters *= 2 / (corners[2:] - corners[:-2])
    return filters


def _to_htk(hertz: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return 2595 * np.log10(1 + hertz / 700)


def _from_htk(mel: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return 700 * (10 ** (mel / 2595) - 1)


_STEP = math.log(6.4) / 27
"""On Slaney's scale frequencies one mel apart have this logarithm of their ratio above 1 kHz; below, they are 200/3 Hz
apart."""


def _to_slaney(hertz: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.where(hertz < 1000, 3 * hertz / 200, 15 + np.log(np.maximum(hertz, 1000) / 1000) / _STEP)


def _from_slaney(mel: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(_STEP * (np.maximum(mel, 15) - 15)))


_SCALES = {"htk": (_to_htk, _from_htk), "slaney": (_to_slaney, _from_slaney)}


def log_mel(
    x: Array,
    rate: int,
    bands: int = 80,
    *,
    size: int = 400,
    step: int = 160,
    low: float = 0.0,
    high: float | None = None,
    scale: Scale = "htk",
    floor: float = 1e-10,
) -> Array:
    """Logarithms of the powers in mel bands, at least `floor`, `[..., bands, count]`."""
    filters = mel_filters(bands, size // 2 + 1, rate, low=low, high=high, scale=scale)
    powers = spectrogram(x, size, step)
    return rnp.log(rnp.maximum(rnp.asarray(filters, dtype=powers.dtype) @ powers, floor))


def mfcc(x: Array, rate: int, count: int = 13, *, bands: int = 40, **options: Any) -> Array:
    """The first cosines of log-mel spectra (Davis and Mermelstein 1980), orthonormal, `[..., count, frames]`.

    Options are those of `log_mel`.

    Raises:
        DataError: there are fewer bands than cosines.
    """
    if count > bands:
        raise DataError(f"mfcc: {bands} bands have no {count} cosines")
    return scipy.fft.dct(log_mel(x, rate, bands, **options), axis=-2, norm="ortho")[..., :count, :]


def resample(x: Array, before: int, after: int, *, width: int = 6, rolloff: float = 0.99) -> Array:
    """A sound of `before` samples a second as one of `after`, `[..., ceil(time * after / before)]`.

    It is interpolated by a sinc under a window after Hann that has `width` zeros on either side and lets pass what is
    below `rolloff` of half the lower rate (Smith 2002; torchaudio has the same definition).

    Raises:
        DataError: a rate is not positive.
    """
    if min(before, after) < 1:
        raise DataError(f"resample: rates are positive, not {before} and {after}")
    if before == after:
        return x
    shared = math.gcd(before, after)
    down, up = before // shared, after // shared
    kernel, reach = _sinc(down, up, width, rolloff)
    time = x.shape[-1]
    flat = rnp.pad(rnp.reshape(x, (-1, 1, time)), ((0, 0), (0, 0), (reach, reach + down)))
    found = rosin.nn.conv(flat, rnp.asarray(kernel[:, None], dtype=x.dtype), strides=down)
    sounds = rnp.reshape(rnp.swapaxes(found, 1, 2), (flat.shape[0], -1))
    return rnp.reshape(sounds[:, : -(-time * up // down)], (*x.shape[:-1], -1))


@functools.lru_cache(maxsize=32)
def _sinc(down: int, up: int, width: int, rolloff: float) -> tuple[np.ndarray[Any, Any], int]:
    """For each of `up` places between samples the weights of those around it, and how far these reach."""
    lowest = min(down, up) * rolloff
    reach = math.ceil(width * down / lowest)
    apart = np.arange(-reach, reach + down)[None] / down - np.arange(up)[:, None] / up
    zeros = np.clip(apart * lowest, -width, width)
    window = np.cos(zeros * np.pi / width / 2) ** 2
    return np.sinc(zeros) * window * lowest / down, reach
