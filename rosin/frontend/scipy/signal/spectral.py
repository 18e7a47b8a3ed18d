"""Spectra of signals: short-time transforms and back, and estimates of spectral densities.

A signal is cut along `axis` into segments of `nperseg` elements, of which neighbours have `noverlap` in common, half of
them by default. Each loses its mean or its straight line (`detrend`: "constant", "linear" or False), is multiplied by
the window, filled up with zeros to `nfft` elements, and transformed. The window is a name, a tuple of a name and
parameters (`windows.get_window`), or an array of the weights. Of real signals the transform is one-sided unless
`return_onesided` is False. `fs` is the number of samples in a unit of time. All raise

    ShapeError: there is no such axis, signals have no elements, or the size of a window is not that of segments
    AttributeValueError: segments overlap as a whole, `nfft` is less than `nperseg`, or an option is none of its values
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.numpy import fft, promote
from rosin.frontend.numpy.complex import combined
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.signal import lines, windows
from rosin.frontend.sizes import as_dim, sized
from rosin.ir.dataclass import dataclass

if TYPE_CHECKING:
    from rosin.frontend.array import Array

__all__ = ["coherence", "csd", "istft", "periodogram", "spectrogram", "stft", "welch"]

Window: TypeAlias = "str | tuple[Any, ...] | ArrayLike"
SIZE = 256
"""Elements of a segment when neither `nperseg` nor the window says how many."""
MOST_STEPS = 16
"""Segments that take more steps are read, and added up, element by element."""
MODES = ("psd", "complex", "magnitude", "angle", "phase")


@dataclass(frozen=True)
class _Segments:
    """How signals, which lie along their last axis, are cut, and what becomes of each segment."""

    name: str
    window: Array
    size: int
    overlap: int
    nfft: int
    detrend: str | bool
    onesided: bool
    fs: float | Array

    @property
    def step(self) -> int:
        return self.size - self.overlap

    @property
    def steps(self) -> int:
        """How many steps a segment takes."""
        return -(-self.size // self.step)

    def frequencies(self) -> Array:
        made = fft.rfftfreq if self.onesided else fft.fftfreq
        return made(as_dim(self.nfft), 1 / self.fs, dtype=core.dtype_of(self.window))

    def scale(self, scaling: str) -> Array:
        """What a product of two transforms is multiplied by."""
        if scaling not in ("density", "spectrum"):
            promote.bad_value(f'{self.name}: the scaling is "density" or "spectrum", not {scaling!r}')
        if scaling == "density":
            return 1 / (self.fs * rnp.sum(self.window**2))
        return 1 / rnp.sum(self.window) ** 2

    def times(self, count: int, start: float) -> Array:
        """The middles of so many segments, of which the first one begins at an element."""
        places = rnp.arange(as_dim(count), dtype=core.dtype_of(self.window))
        return (places * self.step + self.size / 2 + start) / self.fs

    def places(self, count: int) -> Array:
        """Where each element of so many segments is in a signal."""
        return rnp.arange(as_dim(count))[:, None] * self.step + rnp.arange(as_dim(self.size))

    def cut(self, x: Array) -> Array:
        """The segments, along a new axis before the last one."""
        count = (x.shape[-1] - self.overlap) // self.step
        if self.steps > MOST_STEPS:
            return x[..., self.places(count)]
        # Whole steps, each of which is in several segments: what is over is cut off, or filled up.
        number = count + self.steps - 1
        x = fft.sized(self.name, x, len(x.shape) - 1, as_dim(number * self.step))
        pieces = rnp.reshape(x, (*x.shape[:-1], number, self.step))
        segments = rnp.concat([pieces[..., i : i + count, :] for i in range(self.steps)], axis=-1)
        return segments[..., : self.size]

    def joined(self, segments: Array) -> Array:
        """The sum of segments where they overlap."""
        *others, count, _ = segments.shape
        length = (count - 1) * self.step + self.size
        if self.steps > MOST_STEPS:
            none = rnp.zeros((*others, length), dtype=core.dtype_of(segments))
            return none.at[..., self.places(count)].add(segments)
        segments = fft.sized(self.name, segments, len(segments.shape) - 1, as_dim(self.steps * self.step))
        parts = rnp.reshape(segments, (*others, count, self.steps, self.step))
        ends = [(0, 0)] * len(others)
        moved = [rnp.pad(parts[..., i, :], [*ends, (i, self.steps - 1 - i), (0, 0)]) for i in range(self.steps)]
        total = functools.reduce(rnp.add, moved)
        return rnp.reshape(total, (*others, (count + self.steps - 1) * self.step))[..., :length]

    def transforms(self, x: Array) -> Array:
        """The transforms of the segments: the last axes are that of segments and that of frequencies."""
        segments = self.cut(x)
        if self.detrend is not False:
            segments = lines.detrend(segments, type=self.detrend)
        segments = segments * self.window
        made = fft.rfft if self.onesided else fft.fft
        return made(segments, as_dim(self.nfft))

    def both_sides(self, density: Array) -> Array:
        """A density on one side that stands for both: all but the ends, which are their own mirror images, twice."""
        if not self.onesided:
            return density
        places = rnp.arange(as_dim(density.shape[-1]))
        return rnp.where((places == 0) | (places * 2 == self.nfft), density, 2 * density)


def _segments(
    name: str,
    signals: tuple[Array, ...],
    fs: float | Array,
    window: Window,
    nperseg: int | None,
    noverlap: int | None,
    nfft: int | None,
    detrend: str | bool,
    return_onesided: bool,
) -> _Segments:
    length = signals[0].shape[-1]
    for x in signals[1:]:
        length = max(length, x.shape[-1])
    if length < 1:
        promote.bad_shape(f"{name}: signals have no elements", *signals)
    dtype = promote.common_dtype(signals)
    size = SIZE if nperseg is None else _size(name, nperseg, "nperseg")
    if isinstance(window, str | tuple):
        if size < 1:
            promote.bad_value(f"{name}: segments of {size} elements are none")
        if size > length:
            if nperseg is not None:
                warnings.warn(
                    f"{name}: segments of {size} elements become as short as the signals, {length}", stacklevel=4
                )
            size = length
        weights = windows.get_window(window, as_dim(size), dtype=dtype.part)
    else:
        weights = promote.cast(promote.array(name, window), dtype.part)
        if len(weights.shape) != 1 or (nperseg is not None and size != weights.shape[0]):
            promote.bad_shape(f"{name}: the window is a vector of as many elements as a segment has", weights)
        size = weights.shape[0]
        if size > length:
            promote.bad_shape(f"{name}: the window has {size} elements and signals have {length}", weights)
    overlap = size // 2 if noverlap is None else _size(name, noverlap, "noverlap")
    if overlap < 0 or overlap >= size:
        promote.bad_value(f"{name}: segments of {size} elements cannot have {overlap} in common with the next one")
    count = size if nfft is None else _size(name, nfft, "nfft")
    if count < size:
        promote.bad_value(f"{name}: nfft is {count}, less than the {size} elements of a segment")
    return _Segments(name, weights, size, overlap, count, detrend, return_onesided and not dtype.is_complex, fs)


def _size(name: str, value: Any, what: str) -> Any:
    """A size as users have it, which may be compared."""
    return sized(promote.as_size(name, value, what))


def _signal(name: str, x: ArrayLike, axis: int) -> Array:
    """A signal along the last axis."""
    operand = fft.numbers(name, x)
    return rnp.moveaxis(operand, promote.as_axis(name, axis, len(operand.shape), operand), -1)


def _placed(x: Array, axis: int) -> Array:
    """x with its last axis, of frequencies, where that of the signal was."""
    return rnp.moveaxis(x, -1, axis if axis >= 0 else axis - 1)


# -- densities ---------------------------------------------------------------------------------------------------------


def csd(
    x: ArrayLike,
    y: ArrayLike,
    fs: float | Array = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: str | bool = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]:
    """Frequencies, and the cross spectral density of two signals: its mean, or its median, over segments (Welch, The
    use of fast Fourier transform for the estimation of power spectra, 1967). The shorter signal is filled with zeros.
    """
    options = (fs, window, nperseg, noverlap, nfft, detrend, return_onesided)
    return _averaged("csd", (x, y), options, scaling, axis, average)


def welch(
    x: ArrayLike,
    fs: float | Array = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: str | bool = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]:
    """Frequencies, and the power spectral density of a signal: its mean, or its median, over segments."""
    options = (fs, window, nperseg, noverlap, nfft, detrend, return_onesided)
    return _averaged("welch", (x,), options, scaling, axis, average)


def periodogram(
    x: ArrayLike,
    fs: float | Array = 1.0,
    window: Window | None = "boxcar",
    nfft: int | None = None,
    detrend: str | bool = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> tuple[Array, Array]:
    """Frequencies, and the power spectral density of a signal as one segment. With a smaller `nfft` it is cut."""
    signal = _signal("periodogram", x, axis)
    if nfft is not None and promote.as_int("periodogram", nfft, "nfft") < signal.shape[-1]:
        signal = signal[..., :nfft]
    options = (fs, "boxcar" if window is None else window, signal.shape[-1], 0, nfft, detrend, return_onesided)
    return _averaged("periodogram", (rnp.moveaxis(signal, -1, axis),), options, scaling, axis, "mean")


def coherence(
    x: ArrayLike,
    y: ArrayLike,
    fs: float | Array = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: str | bool = "constant",
    axis: int = -1,
) -> tuple[Array, Array]:
    """Frequencies, and how far two signals are linearly related at each: the square of the cross spectral density over
    the product of both densities, from 0 to 1."""
    options = (fs, window, nperseg, noverlap, nfft, detrend, True)
    found = [_averaged("coherence", pair, options, "density", axis, "mean") for pair in ((x, y), (x,), (y,))]
    (frequencies, cross), (_, first), (_, second) = found
    return frequencies, rnp.abs(cross) ** 2 / (first * second)


def _averaged(
    name: str, given: tuple[ArrayLike, ...], options: tuple[Any, ...], scaling: str, axis: int, average: str
) -> tuple[Array, Array]:
    if average not in ("mean", "median"):
        promote.bad_value(f'{name}: the average is "mean" or "median", not {average!r}')
    signals = tuple(_signal(name, x, axis) for x in given)
    segments = _segments(name, signals, *options)
    if len(signals) > 1:
        length = max(x.shape[-1] for x in signals)
        signals = tuple(fft.sized(name, x, len(x.shape) - 1, as_dim(length)) for x in signals)
    density = segments.both_sides(_products(segments, signals) * segments.scale(scaling))
    if average == "mean":
        density = rnp.mean(density, axis=-2)
    else:
        count = promote.static_size(name, density, len(density.shape) - 2)
        parts = (rnp.real(density), rnp.imag(density)) if rnp.iscomplexobj(density) else (density,)
        medians = [rnp.median(part, axis=-2) / _median_bias(count) for part in parts]
        density = medians[0] if len(medians) == 1 else combined(*medians)
    return segments.frequencies(), rnp.moveaxis(density, -1, axis)


def _products(segments: _Segments, signals: tuple[Array, ...]) -> Array:
    """The conjugate transforms of the first signal's segments times those of the second one's, or of their own."""
    first, *others = [segments.transforms(x) for x in signals]
    if others:
        return rnp.conj(first) * others[0]
    return rnp.real(first) ** 2 + rnp.imag(first) ** 2


def _median_bias(count: int) -> float:
    """By how much the median of so many spectra differs from their mean (Allen et al., FINDCHIRP, 2012)."""
    evens = range(2, count, 2)
    return 1 + sum(1 / (k + 1) - 1 / k for k in evens)


# -- short-time transforms ---------------------------------------------------------------------------------------------


def spectrogram(
    x: ArrayLike,
    fs: float | Array = 1.0,
    window: Window = ("tukey", 0.25),
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: str | bool = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    mode: str = "psd",
) -> tuple[Array, Array, Array]:
    """Frequencies, times, and the spectrum of each segment, along a new last axis. Segments have an eighth in common.

    The mode is "psd" for spectral densities, "complex" for transforms, "magnitude" or "angle" for the parts of these,
    and "phase" for angles that go on without jumps from one frequency to the next.
    """
    if mode not in MODES:
        promote.bad_value(f"spectrogram: the mode is one of {', '.join(MODES)}, not {mode!r}")
    signal = _signal("spectrogram", x, axis)
    if noverlap is None:
        whole = _segments("spectrogram", (signal,), fs, window, nperseg, 0, None, detrend, return_onesided)
        noverlap = whole.size // 8
    segments = _segments("spectrogram", (signal,), fs, window, nperseg, noverlap, nfft, detrend, return_onesided)
    if mode == "psd":
        found = segments.both_sides(_products(segments, (signal,)) * segments.scale(scaling))
    else:
        found = segments.transforms(signal) * rnp.sqrt(segments.scale(scaling))
        if mode != "complex":
            found = rnp.abs(found) if mode == "magnitude" else rnp.angle(found)
        if mode == "phase":
            found = rnp.unwrap(found, axis=-1)
    return segments.frequencies(), segments.times(found.shape[-2], 0), _placed(found, axis)


_BOUNDARIES = ("zeros", "even", "odd", "constant", None)


def stft(
    x: ArrayLike,
    fs: float | Array = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: str | bool = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> tuple[Array, Array, Array]:
    """Frequencies, times, and the transforms of segments, along a new last axis.

    The signal goes on by half a segment at both ends, as the boundary says: "zeros", "even" or "odd" for what is
    mirrored at the end, the latter at a point, "constant" for the last element, None not at all. With `padded` zeros
    fill up the last segment. The scaling is "spectrum", or "psd" for transforms whose squares are a spectral density.
    """
    if boundary not in _BOUNDARIES:
        promote.bad_value(f"stft: the boundary is one of {', '.join(map(str, _BOUNDARIES))}, not {boundary!r}")
    signal = _signal("stft", x, axis)
    segments = _segments("stft", (signal,), fs, window, nperseg, noverlap, nfft, detrend, return_onesided)
    half = segments.size // 2
    if boundary is not None:
        signal = _extended(signal, half, boundary)
    if padded:
        over = (signal.shape[-1] - segments.size) % segments.step
        if over != 0:
            more = as_dim(signal.shape[-1] + segments.step - over)
            signal = fft.sized("stft", signal, len(signal.shape) - 1, more)
    found = segments.transforms(signal) * _amplitude(segments, scaling)
    start = 0 if boundary is None else -segments.size / 2
    return segments.frequencies(), segments.times(found.shape[-2], start), _placed(found, axis)


def _amplitude(segments: _Segments, scaling: str) -> Array:
    """What transforms are multiplied by."""
    if scaling not in ("spectrum", "psd"):
        promote.bad_value(f'{segments.name}: the scaling is "spectrum" or "psd", not {scaling!r}')
    return rnp.sqrt(segments.scale("density" if scaling == "psd" else "spectrum"))


def _extended(x: Array, count: int, boundary: str) -> Array:
    """Signals that go on by so many elements at both ends."""
    if boundary in ("even", "odd"):
        first, last = rnp.flip(x[..., 1 : count + 1], axis=-1), rnp.flip(x[..., -count - 1 : -1], axis=-1)
        if boundary == "odd":
            first, last = 2 * x[..., :1] - first, 2 * x[..., -1:] - last
        return rnp.concat([first, x, last], axis=-1)
    shape = (*x.shape[:-1], count)
    if boundary == "constant":
        ends = [rnp.broadcast_to(end, shape) for end in (x[..., :1], x[..., -1:])]
    else:
        ends = [rnp.zeros(shape, dtype=core.dtype_of(x))] * 2
    return rnp.concat([ends[0], x, ends[1]], axis=-1)


def istft(
    Zxx: ArrayLike,
    fs: float | Array = 1.0,
    window: Window = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> tuple[Array, Array]:
    """Times, and the signal whose short-time transforms are the nearest to `Zxx` (Griffin and Lim, Signal estimation
    from modified short-time Fourier transform, 1984).

    With a `boundary` half a segment is cut off at both ends. Elements that no window has weight for are zero.
    """
    given = promote.array("istft", Zxx)
    rank = len(given.shape)
    if rank < 2:
        promote.bad_shape("istft: transforms have an axis of frequencies and one of times", given)
    axes = [promote.as_axis("istft", axis, rank, given) for axis in (time_axis, freq_axis)]
    if axes[0] == axes[1]:
        promote.bad_shape(f"istft: axis {axes[0]} is both that of times and that of frequencies", given)
    z = rnp.moveaxis(given, axes, (-2, -1))
    whole = 2 * (z.shape[-1] - 1) if input_onesided else z.shape[-1]
    size = whole if nperseg is None else _size("istft", nperseg, "nperseg")
    if nfft is None:
        nfft = size if input_onesided and size == whole + 1 else whole
    line = rnp.zeros(size, dtype=core.dtype_of(fft.numbers("istft", z)).part)
    segments = _segments("istft", (line,), fs, window, size, noverlap, nfft, False, input_onesided)
    made = fft.irfft if input_onesided else fft.ifft
    parts = made(z, as_dim(nfft))[..., : segments.size] / _amplitude(segments, scaling)
    total = segments.joined(parts * segments.window)
    squares = rnp.broadcast_to(segments.window**2, (parts.shape[-2], segments.size))
    weight = segments.joined(squares)
    if boundary:
        half = segments.size // 2
        total, weight = total[..., half : total.shape[-1] - half], weight[half : weight.shape[-1] - half]
    signal = total / rnp.where(weight > 1e-10, weight, 1)
    times = rnp.arange(as_dim(signal.shape[-1]), dtype=core.dtype_of(segments.window)) / fs
    return times, rnp.moveaxis(signal, -1, axes[0] - (axes[1] < axes[0]))
