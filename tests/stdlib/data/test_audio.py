"""Sounds: files of every format against SciPy, features against formulas and NumPy, changes that do what they tell."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.io
import scipy.signal

import rosin
from rosin import numpy as rnp
from rosin.stdlib import data
from rosin.stdlib.data import audio

KEY = rosin.random.key(0)
RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal((2, 2000)).astype(np.float32)

# -- files -------------------------------------------------------------------------------------------------------------

THEIRS = Path(scipy.io.__file__).parent / "tests/data"


@pytest.mark.parametrize(
    "name",
    [
        "test-8000Hz-le-1ch-1byte-ulaw",
        *("test-44100Hz-2ch-32bit-float-le", "test-48000Hz-2ch-64bit-float-le-wavex", "test-8000Hz-le-2ch-1byteu"),
        *("test-44100Hz-le-1ch-4bytes", "test-8000Hz-le-3ch-5S-24bit", "test-1234Hz-le-1ch-10S-20bit-extra"),
    ],
)
def test_files_are_read_as_by_scipy(name: str) -> None:
    file = THEIRS / f"{name}.wav"
    if "ulaw" in name:
        with pytest.raises(data.DataError, match="format 7, 1 channels, 8 bits in blocks of 1 bytes, 8000 a second"):
            audio.load_wav(file)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rate, wanted = scipy.io.wavfile.read(file)
    found, ours = audio.load_wav(file)
    wanted = wanted if wanted.ndim == 2 else wanted[:, None]
    if wanted.dtype == np.uint8:
        wanted = (wanted.astype(float) - 128) / 128
    elif wanted.dtype.kind == "i":
        wanted = wanted / 2.0 ** (8 * wanted.dtype.itemsize - 1)
    assert ours == rate
    np.testing.assert_array_equal(found, wanted.T.astype(np.float32))


@pytest.mark.parametrize(
    ("bits", "floats"), [(8, False), (16, False), (24, False), (32, False), (32, True), (64, True)]
)
def test_what_is_written_is_read(bits: int, floats: bool, tmp_path: Path) -> None:
    sound = np.clip(RNG.standard_normal((3, 101)) * 0.5, -1, 1)
    file = tmp_path / "a.wav"
    audio.save_wav(file, sound, 12345, bits=bits, floats=floats)
    found, rate = audio.load_wav(file)
    assert rate == 12345
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, sound, atol=2.0 ** (1 - bits) + 1e-7 if not floats else 1e-7)
    if bits != 24:
        rate, theirs = scipy.io.wavfile.read(file)
        assert (rate, theirs.shape) == (12345, (101, 3))
    if not floats:
        audio.save_wav(file, [-2.0, 2.0], 8000, bits=bits)
        np.testing.assert_allclose(audio.load_wav(file)[0], [[-1, 1]], atol=0.01)


def test_damaged_files(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    audio.save_wav(file, np.zeros(100), 8000)
    whole = file.read_bytes()
    for content, message in (
        (b"RIFX", "no WAV file: it begins with b'RIFX'"),
        (whole[:-20], "the file is cut off: 20 of 200 bytes of sound are missing"),
        (whole[:36], "the file has no sound in it"),
        (whole[:12] + whole[36:], "before it is told what they are"),
        (whole[:16] + struct.pack("<I", 4) + whole[20:24] + whole[36:], "what the numbers are is cut off"),
    ):
        file.write_bytes(content)
        with pytest.raises(data.DataError, match=message):
            audio.load_wav(file)
    with pytest.raises(data.DataError, match=r"not \(2, 2, 2\) at 8000 a second"):
        audio.save_wav(file, np.zeros((2, 2, 2)), 8000)
    with pytest.raises(data.DataError, match="not of 12"):
        audio.save_wav(file, np.zeros(2), 8000, bits=12)
    with pytest.raises(data.DataError, match="1 of 2 numbers are NaN"):
        audio.save_wav(file, [np.nan, 0], 8000)


# -- features ----------------------------------------------------------------------------------------------------------


def test_spectra_are_those_of_numpy() -> None:
    found = audio.spectrogram(rnp.asarray(NOISE), 64, 20, power=1.0)
    padded = np.pad(NOISE, ((0, 0), (32, 32)), mode="reflect")
    hann = scipy.signal.get_window("hann", 64)
    wanted = [np.abs(np.fft.rfft(padded[:, i : i + 64] * hann)) for i in range(0, 2001, 20)]
    np.testing.assert_allclose(found, np.stack(wanted, axis=-1), rtol=1e-3, atol=1e-4)
    plain = audio.spectrogram(rnp.asarray(NOISE), 64, 20, centered=False)
    assert plain.shape == (2, 33, (2000 - 64) // 20 + 1)
    np.testing.assert_allclose(plain[..., 3], np.abs(np.fft.rfft(NOISE[:, 60:124] * hann)) ** 2, rtol=1e-3, atol=1e-3)
    with pytest.raises(data.DataError, match="a sound of 5 samples has no frame of 10"):
        audio.frames(rnp.ones(5), 10, 5)
    with pytest.raises(data.DataError, match="a sound of 5 samples cannot be mirrored by 32"):
        audio.spectrogram(rnp.ones(5), 64, 5)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_triangles_lie_evenly_on_the_scale(scale: Any) -> None:
    filters = audio.mel_filters(20, 2001, 16000, low=100, high=7000, scale=scale, equal_area=False)
    assert filters.shape == (20, 2001)
    hertz = np.linspace(0, 8000, 2001)
    peaks = hertz[filters.argmax(axis=1)]
    if scale == "htk":
        mels = 1127.0105 * np.log1p(peaks / 700)
    else:
        mels = np.where(peaks < 1000, peaks / 66.6667, 15 + 27 * np.log(peaks / 1000) / np.log(6.4))
    np.testing.assert_allclose(np.diff(mels), np.diff(mels).mean(), rtol=0.06)
    # Between the first peak and the last one neighbours add to one.
    inside = (hertz >= peaks[0]) & (hertz <= peaks[-1])
    np.testing.assert_allclose(filters.sum(axis=0)[inside], 1, atol=0.03)
    even = audio.mel_filters(20, 2001, 16000, low=100, high=7000, scale=scale, equal_area=True)
    np.testing.assert_allclose(even.sum(axis=1) * 4, 1, rtol=0.05)
    with pytest.raises(data.DataError, match="3 bands from 5000 to 4000 hertz"):
        audio.mel_filters(3, 10, 8000, low=5000, high=4000)


def test_cepstra() -> None:
    bands = audio.log_mel(rnp.asarray(NOISE), 8000, 30, size=200, step=80)
    powers = np.asarray(audio.spectrogram(rnp.asarray(NOISE), 200, 80))
    filters = audio.mel_filters(30, 101, 8000)
    np.testing.assert_allclose(bands, np.log(np.maximum(filters @ powers, 1e-10)), rtol=1e-4, atol=1e-4)
    found = rosin.compile(lambda x: audio.mfcc(x, 8000, 12, bands=30, size=200, step=80))(rnp.asarray(NOISE))
    wanted = scipy.fft.dct(np.asarray(bands), axis=-2, norm="ortho")[:, :12]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    with pytest.raises(data.DataError, match="30 bands have no 31 cosines"):
        audio.mfcc(rnp.asarray(NOISE), 8000, 31, bands=30)
    emphasized = audio.pre_emphasis(rnp.asarray(NOISE), 0.9)
    np.testing.assert_allclose(emphasized, scipy.signal.lfilter([1, -0.9], [1], NOISE), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(audio.mono(rnp.asarray(NOISE)), NOISE.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(("before", "after"), [(8000, 16000), (16000, 8000), (44100, 16000), (3, 7)])
def test_resampled_sounds(before: int, after: int) -> None:
    sound = RNG.standard_normal(300)
    found = audio.resample(rnp.asarray(sound), before, after)
    # Each sample is the sum over all of the sound under the windowed sinc.
    lowest = 0.99 * min(before, after)
    places = np.arange(-(-300 * after // before)) / after
    zeros = (np.arange(300)[None] / before - places[:, None]) * lowest
    weights = np.where(np.abs(zeros) < 6, np.sinc(zeros) * np.cos(np.pi * zeros / 12) ** 2, 0) * lowest / before
    np.testing.assert_allclose(found, weights @ sound, atol=1e-6)
    batch = audio.resample(rnp.asarray(np.stack([sound, -sound])[None]), before, after)
    np.testing.assert_allclose(batch[0, 1], -np.asarray(found), atol=1e-6)


def test_a_tone_stays_the_tone() -> None:
    time = np.arange(4410) / 44100
    found = np.asarray(audio.resample(rnp.asarray(np.sin(2 * np.pi * 440 * time)), 44100, 16000))
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(found)) / 16000)
    np.testing.assert_allclose(found[50:-50], wanted[50:-50], atol=0.01)
    with pytest.raises(data.DataError, match="rates are positive, not 0 and 5"):
        audio.resample(rnp.ones(3), 0, 5)


@pytest.mark.peers
@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_transformers_has_the_same_triangles(scale: Any) -> None:
    from transformers.audio_utils import mel_filter_bank

    norm = "slaney" if scale == "slaney" else None
    theirs = mel_filter_bank(201, 40, 50.0, 7000.0, 16000, norm=norm, mel_scale=scale)
    np.testing.assert_allclose(audio.mel_filters(40, 201, 16000, low=50, high=7000, scale=scale), theirs.T, atol=1e-7)


# -- changes -----------------------------------------------------------------------------------------------------------


def test_noise_is_as_loud_as_it_is_told() -> None:
    noise = RNG.standard_normal((2, 2000)).astype(np.float32)
    mixed = np.asarray(audio.add_noise(rnp.asarray(NOISE), rnp.asarray(noise), rnp.asarray([10.0, 20.0])))
    powers = (NOISE**2).mean(axis=1) / ((mixed - NOISE) ** 2).mean(axis=1)
    np.testing.assert_allclose(10 * np.log10(powers), [10, 20], atol=0.01)
    assert not np.asarray(audio.add_noise(rnp.zeros((1, 9)), rnp.ones((1, 9)), 3.0)).any()
    found = np.asarray(rosin.compile(lambda key, x: audio.random_noise(key, x, 10, 30))(KEY, rnp.asarray(NOISE)))
    levels = 10 * np.log10((NOISE**2).mean(axis=1) / ((found - NOISE) ** 2).mean(axis=1))
    assert ((levels > 9.9) & (levels < 30.1)).all()
    assert abs(levels[0] - levels[1]) > 0.01
    gains = np.asarray(audio.random_gain(KEY, rnp.asarray(NOISE)))[:, 0] / NOISE[:, 0]
    assert ((gains > 0.5) & (gains < 2.0)).all()
    assert gains[0] != gains[1]


def test_strips_of_spectra_are_masked() -> None:
    spectra = rnp.ones((50, 40, 60))
    change = rosin.compile(lambda key, x: audio.spec_augment(key, x, bands=8, times=20, band_masks=1, time_masks=1))
    found = np.asarray(change(KEY, spectra))
    bands, times = (found == 0).all(axis=2).sum(axis=1), (found == 0).all(axis=1).sum(axis=1)
    assert bands.max() <= 8
    assert times.max() <= 20
    assert len(set(bands.tolist())) >= 6
    assert len(set(times.tolist())) >= 12
    for image, b, t in zip(found, bands, times, strict=True):
        assert (image == 0).sum() == b * 60 + t * 40 - b * t
    limited = np.asarray(audio.spec_augment(KEY, spectra, bands=0, times=60, most=0.1))
    assert 0 < (limited == 0).all(axis=1).sum(axis=1).max() <= 12
    with pytest.raises(data.DataError, match=r"\[batch, bands, time\], not \(3, 4\)"):
        audio.spec_augment(KEY, rnp.ones((3, 4)))
