"""Spectra, short-time transforms, trends, analytic signals and resampling against SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.signal

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError

wanted: Any = scipy.signal
found: Any = rosin.scipy.signal
RANDOM = np.random.default_rng(0)
REAL = RANDOM.standard_normal((2, 700, 2))
OTHER = RANDOM.standard_normal((2, 700, 2))
SIGNALS = {"real": REAL, "complex": REAL + 1j * OTHER, "narrow": REAL.astype(np.float32)}
CUTS: list[dict[str, Any]] = [
    {},
    {"nperseg": 100},
    {"nperseg": 100, "noverlap": 33, "nfft": 128, "fs": 10.0},
    {"nperseg": 101, "noverlap": 90},
    {"nperseg": 40, "noverlap": 38},
    {"nperseg": 64, "window": ("tukey", 0.3), "return_onesided": False},
    {"nperseg": 50, "window": np.hamming(50)},
]
pytestmark = pytest.mark.filterwarnings("ignore:Input data is complex")


def agree(name: str, *args: Any, **options: Any) -> None:
    """Both functions give the same arrays of the same types."""
    expected = getattr(wanted, name)(*args, **options)
    given = [rnp.asarray(arg) if isinstance(arg, np.ndarray) else arg for arg in args]
    results = getattr(found, name)(*given, **options)
    if not isinstance(expected, tuple):
        expected, results = (expected,), (results,)
    narrow = any(isinstance(arg, np.ndarray) and arg.dtype == np.float32 for arg in args)
    for result, other in zip(results, expected, strict=True):
        array = np.asarray(result)
        assert array.shape == other.shape, (name, options)
        assert narrow or array.dtype == other.dtype, (name, options)
        np.testing.assert_allclose(array, other, rtol=1e-3 if narrow else 1e-10, atol=1e-5 if narrow else 1e-11)


@pytest.mark.parametrize("kind", SIGNALS)
@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_densities(kind: str, cut: dict[str, Any]) -> None:
    x = SIGNALS[kind]
    for axis in (1, -2):
        agree("welch", x, axis=axis, **cut)
        agree("csd", x, OTHER.astype(x.real.dtype), axis=axis, **cut)
        agree("spectrogram", x, axis=axis, **cut)


@pytest.mark.parametrize("kind", SIGNALS)
def test_options_of_densities(kind: str) -> None:
    x = SIGNALS[kind]
    agree("welch", x, axis=1, nperseg=64, average="median")
    agree("csd", x, OTHER.astype(x.real.dtype), axis=1, nperseg=64, average="median", scaling="spectrum")
    agree("welch", x, axis=1, nperseg=101, detrend="linear")
    agree("welch", x, axis=1, nperseg=101, detrend=False)
    for mode in ("complex", "magnitude", "angle", "phase"):
        agree("spectrogram", x, axis=1, mode=mode, nperseg=64)
    agree("periodogram", x, axis=1)
    agree("periodogram", x, axis=1, nfft=500, window="hann")
    agree("periodogram", x, axis=1, nfft=900, fs=3.0, scaling="spectrum")


def test_coherence_and_signals_of_two_lengths() -> None:
    agree("coherence", REAL, OTHER, axis=1, nperseg=100)
    agree("csd", REAL, OTHER[:, :500], axis=1, nperseg=100)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("kind", SIGNALS)
@pytest.mark.parametrize("cut", CUTS, ids=str)
@pytest.mark.parametrize("boundary", ["zeros", "even", "odd", "constant", None])
def test_short_time_transforms(kind: str, cut: dict[str, Any], boundary: str | None) -> None:
    for padded in (True, False):
        agree("stft", SIGNALS[kind], axis=1, boundary=boundary, padded=padded, **cut)
    agree("stft", SIGNALS[kind], axis=1, scaling="psd", detrend="constant", **cut)


@pytest.mark.parametrize("complex_numbers", [False, True])
@pytest.mark.parametrize("scaling", ["spectrum", "psd"])
def test_back_from_short_time_transforms(complex_numbers: bool, scaling: str) -> None:
    x = SIGNALS["complex" if complex_numbers else "real"][0, :, 0]
    for cut in (*CUTS[1:5], {"nperseg": 51}):
        _, _, z = wanted.stft(x, scaling=scaling, return_onesided=not complex_numbers, **cut)
        agree("istft", z, scaling=scaling, input_onesided=not complex_numbers, **cut)
        _, _, own = found.stft(rnp.asarray(x), scaling=scaling, return_onesided=not complex_numbers, **cut)
        _, back = found.istft(own, scaling=scaling, input_onesided=not complex_numbers, **cut)
        np.testing.assert_allclose(np.asarray(back)[: len(x)], x, atol=1e-12)


def test_back_along_other_axes() -> None:
    _, _, z = wanted.stft(REAL, axis=1, nperseg=64)
    _, back = found.istft(rnp.asarray(z), time_axis=-1, freq_axis=1)
    np.testing.assert_allclose(np.asarray(back), wanted.istft(z, time_axis=-1, freq_axis=1)[1], atol=1e-12)


@pytest.mark.parametrize("kind", SIGNALS)
def test_trends_and_rates(kind: str) -> None:
    x = SIGNALS[kind]
    agree("detrend", x, axis=1)
    agree("detrend", x, axis=1, type="constant")
    agree("detrend", x, axis=1, bp=[0, 300, 700])
    for count in (1, 350, 699, 700, 701, 1050):
        agree("resample", x, count, axis=1)
    if kind != "complex":
        agree("hilbert", x, axis=1)
        agree("hilbert", x, N=703, axis=1)


def test_one_program_for_all_lengths() -> None:
    def all_of(x: Any) -> Any:
        _, _, transform = found.stft(x, nperseg=32)
        _, back = found.istft(transform, nperseg=32)
        return found.welch(x, nperseg=32)[1], transform, back, found.hilbert(x), found.detrend(x)

    program = rosin.compile(all_of)
    for length in (100, 130, 131, 200):
        x = RANDOM.standard_normal(length)
        density, transform, back, analytic, flat = map(np.asarray, program(rnp.asarray(x)))
        np.testing.assert_allclose(density, wanted.welch(x, nperseg=32)[1], rtol=1e-10)
        np.testing.assert_allclose(transform, wanted.stft(x, nperseg=32)[2], atol=1e-12)
        np.testing.assert_allclose(back[:length], x, atol=1e-12)
        np.testing.assert_allclose(analytic, wanted.hilbert(x), atol=1e-12)
        np.testing.assert_allclose(flat, wanted.detrend(x), atol=1e-12)


def test_batches_and_derivatives() -> None:
    x, direction = RANDOM.standard_normal((2, 3, 90))
    each = rosin.vmap(lambda x: found.welch(x, nperseg=30)[1])(rnp.asarray(x))
    np.testing.assert_allclose(np.asarray(each), wanted.welch(x, nperseg=30)[1], rtol=1e-10)

    def total(x: Any) -> Any:
        return rnp.sum(rnp.log(found.spectrogram(x, nperseg=30)[2] + 0.1))

    gradient = np.asarray(rosin.grad(total)(rnp.asarray(x)))
    ahead, behind = (float(total(rnp.asarray(x + s * direction))) for s in (1e-6, -1e-6))
    assert np.sum(gradient * direction) == pytest.approx((ahead - behind) / 2e-6, rel=1e-6)


def test_long_segments_become_as_short_as_the_signals_and_say_so() -> None:
    x = REAL[0, :40, 0]
    with pytest.warns(UserWarning, match="welch: segments of 64 elements become as short as the signals, 40"):
        frequencies, _ = found.welch(rnp.asarray(x), nperseg=64)
    assert frequencies.shape == (21,)


X = rnp.zeros(50)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: found.welch(X, axis=1), ShapeError, "welch: axis 1 is out of range for rank 1"),
        (lambda: found.welch(rnp.zeros(0)), ShapeError, "welch: signals have no elements"),
        (lambda: found.welch(X, nperseg=0), AttributeValueError, "welch: segments of 0 elements are none"),
        (lambda: found.welch(X, nperseg=8, noverlap=8), AttributeValueError, "cannot have 8 in common with the next"),
        (lambda: found.welch(X, nperseg=8, nfft=4), AttributeValueError, "nfft is 4, less than the 8 elements"),
        (lambda: found.welch(X, window=rnp.zeros(60)), ShapeError, "window has 60 elements and signals have 50"),
        (lambda: found.welch(X, window=X, nperseg=8), ShapeError, "as many elements as a segment has"),
        (lambda: found.welch(X, window="glass"), AttributeValueError, "there is no window 'glass'"),
        (lambda: found.welch(X, average="mode"), AttributeValueError, 'is "mean" or "median", not \'mode\''),
        (lambda: found.welch(X, scaling="psd"), AttributeValueError, 'is "density" or "spectrum", not \'psd\''),
        (lambda: found.stft(X, scaling="density"), AttributeValueError, 'is "spectrum" or "psd", not \'density\''),
        (lambda: found.stft(X, boundary="wrap"), AttributeValueError, "stft: the boundary is one of .* not 'wrap'"),
        (lambda: found.spectrogram(X, mode="noise"), AttributeValueError, "the mode is one of .* not 'noise'"),
        (lambda: found.istft(X), ShapeError, "an axis of frequencies and one of times"),
        (lambda: found.istft(rnp.zeros((4, 4)), time_axis=0, freq_axis=0), ShapeError, "axis 0 is both"),
        (lambda: found.detrend(X, type="cubic"), AttributeValueError, 'is "constant" or "linear", not \'cubic\''),
        (lambda: found.detrend(X, bp=60), ShapeError, "break points \\[60\\] are not all in a signal of 50 elements"),
        (lambda: found.hilbert(rnp.zeros(4, dtype=rnp.complex64)), DTypeError, "hilbert takes real signals, not c64"),
        (lambda: found.resample(X, 0), AttributeValueError, "resample: 0 samples are not a positive number"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
