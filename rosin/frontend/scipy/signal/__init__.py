"""Signal processing under SciPy's names: windows, convolutions, and spectra."""

from __future__ import annotations

from rosin.frontend.scipy.signal import windows
from rosin.frontend.scipy.signal.convolving import convolve, convolve2d, correlate, correlate2d, fftconvolve
from rosin.frontend.scipy.signal.lines import detrend, hilbert, resample
from rosin.frontend.scipy.signal.spectral import coherence, csd, istft, periodogram, spectrogram, stft, welch
from rosin.frontend.scipy.signal.windows import get_window

__all__ = [
    "coherence",
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "csd",
    "detrend",
    "fftconvolve",
    "get_window",
    "hilbert",
    "istft",
    "periodogram",
    "resample",
    "spectrogram",
    "stft",
    "welch",
    "windows",
]
