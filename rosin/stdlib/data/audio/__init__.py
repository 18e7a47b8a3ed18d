"""Sounds, `[..., time]`: files, features, changes at random."""

from __future__ import annotations

from rosin.stdlib.data.audio.changes import add_noise, random_gain, random_noise, spec_augment
from rosin.stdlib.data.audio.features import (
    frames,
    log_mel,
    mel_filters,
    mfcc,
    mono,
    pre_emphasis,
    resample,
    spectrogram,
)
from rosin.stdlib.data.audio.wav import load_wav, save_wav

__all__ = [
    "add_noise",
    "frames",
    "load_wav",
    "log_mel",
    "mel_filters",
    "mfcc",
    "mono",
    "pre_emphasis",
    "random_gain",
    "random_noise",
    "resample",
    "save_wav",
    "spec_augment",
    "spectrogram",
]
