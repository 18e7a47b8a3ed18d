"""Sounds that are like speech, made by formulas: voices in noise, and where the voices are."""

from __future__ import annotations

from typing import Any

import numpy as np

from rosin.stdlib import data

Samples = np.ndarray[Any, Any]

# Two lowest resonances of vowels (Peterson and Barney 1952), in hertz.
_VOWELS = np.asarray(
    [(270, 2290), (390, 1990), (530, 1840), (660, 1720), (730, 1090), (570, 840), (440, 1020), (300, 870), (640, 1190)]
)
_HARMONICS = 24


def scenes(count: int, frames: int, frame: int, rate: int, seed: int) -> data.Arrays:
    """`{"sound": [count, frames * frame], "speech": [count, frames]}`: voices, with pauses, in noise that is 25 dB
    below them to as loud as they are, in one of four sounds noise alone; and 1 for each frame that is mostly voice.
    """
    rng = np.random.default_rng(seed)
    made = [_scene(rng, frames * frame, rate, spoken=number % 4 != 3) for number in range(count)]
    sounds, voiced = (np.stack(part) for part in zip(*made, strict=True))
    speech = voiced.reshape(count, frames, frame).mean(axis=2) > 0.5
    return data.Arrays({"sound": sounds.astype(np.float32), "speech": speech.astype(np.float32)})


def _scene(rng: np.random.Generator, length: int, rate: int, *, spoken: bool) -> tuple[Samples, Samples]:
    noise = _noise(rng, length)
    if not spoken:
        return noise * 10 ** rng.uniform(-3.5, -0.7), np.zeros(length, dtype=bool)
    voice, voiced = _voice(rng, length, rate)
    loud = np.sqrt(np.mean(voice[voiced] ** 2)) if voiced.any() else 1.0
    mixed = voice / loud + noise * 10 ** rng.uniform(-1.25, 0)
    return mixed * 10 ** rng.uniform(-2, -0.8), voiced


def _voice(rng: np.random.Generator, length: int, rate: int) -> tuple[Samples, Samples]:
    """Syllables in groups, with pauses between these: harmonics of a pitch that wanders, through two resonances."""
    time = np.arange(length)
    knots = np.arange(0, length + rate // 10, rate // 10)
    pitch = rng.uniform(90, 240) * 2 ** np.interp(time, knots, np.cumsum(rng.normal(0, 0.06, len(knots))))
    envelope, vowels = np.zeros(length), np.zeros((length, 2))
    size = rng.uniform(0.9, 1.2)
    place, spoken = int(rng.uniform(0, 0.5) * rate), 0
    while place < length:
        end = min(length, place + int(rng.uniform(0.1, 0.3) * rate))
        envelope[place:end] = np.sin(np.pi * (np.arange(end - place) + 0.5) / (end - place)) ** 0.5 * rng.uniform(
            0.5, 1
        )
        first, last = _VOWELS[rng.integers(len(_VOWELS), size=2)] * size
        vowels[place:end] = np.linspace(first, last, end - place)
        spoken += 1
        pause = rng.uniform(0.25, 0.8) if spoken % 5 == 0 or rng.random() < 0.15 else rng.uniform(0, 0.03)
        place = end + int(pause * rate)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = np.zeros(length)
    for number in range(1, _HARMONICS + 1):
        hertz = number * pitch
        resonance = sum(1 / (1 + ((hertz - vowels[:, i]) / (60 + 40 * i)) ** 2) for i in range(2)) + 0.02
        voice += np.where(hertz < rate / 2, resonance / number**0.5, 0) * np.sin(number * phase)
    return voice * envelope, envelope > 0.1


def _noise(rng: np.random.Generator, length: int) -> Samples:
    """Noise whose power falls with the frequency, by a power of it from 0 to 2; its mean square is 1."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (-rng.uniform(0, 2) / 2)
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, length)
    return noise / np.sqrt(np.mean(noise**2))
