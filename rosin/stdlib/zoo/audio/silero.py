"""Silero's voice detector, fifth version: the spectrum of a frame, four convolutions, an LSTM from frame to frame."""

from __future__ import annotations

from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn, weights
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo.audio import detection
from rosin.stdlib.zoo.audio.segments import Rules, segments
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.packages import carried

HIDDEN = 128
RATES = (8000, 16000)

State = tuple[Array, Any]
"""What a stream goes on from: the end of the last frame, and the state of the LSTM."""


class Silero(nn.Module):
    """Sound `[batch, time]`, from -1 to 1, to the probability of speech in each of its frames `[batch, frames]`, and
    the state after them. A frame has 32 ms: 512 samples at 16 kHz, 256 at 8 kHz."""

    basis: Array = nn.buffer("numbers 1 window")
    encoder: tuple[nn.Conv, ...]
    memory: nn.LSTM
    head: nn.Dense
    rate: int = nn.static()

    def __init__(self, *, key: KeyLike, rate: int = 16000, dtype: Any = rosin.float32) -> None:
        """Raises ZooError for another rate than 8,000 and 16,000."""
        if rate not in RATES:
            raise ZooError(f"silero-vad hears sound of 8000 or 16000 samples a second, not {rate}: resample it")
        keys = keys_of(key)
        self.rate = rate
        window = rate // 500 * 8
        self.basis = rnp.asarray(_fourier(window), dtype=dtype)
        sizes = ((window // 2 + 1, 128, 1), (128, 64, 2), (64, 64, 2), (64, HIDDEN, 1))
        self.encoder = tuple(
            nn.Conv((3,), before, after, strides=stride, padding=1, key=keys, dtype=dtype)
            for before, after, stride in sizes
        )
        self.memory = nn.LSTM(HIDDEN, HIDDEN, key=keys, dtype=dtype)
        self.head = nn.Dense(HIDDEN, 1, key=keys, dtype=dtype)

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return self.rate // 125 * 4

    def start(self, batch: int = 1) -> State:
        """The state before a sound: silence."""
        zeros = rnp.zeros((batch, HIDDEN), dtype=self.basis.dtype)
        return rnp.zeros((batch, self.frame // 8), dtype=self.basis.dtype), (((zeros, zeros),),)

    def __call__(self, sound: Array, state: State | None = None) -> tuple[Array, State]:
        """A sound that is no whole number of frames is taken to go on with silence to the end of one."""
        batch, time = sound.shape
        tail, memory = self.start(batch) if state is None else state
        filled = rnp.pad(sound, ((0, 0), (0, -time % self.frame)))
        frames = rnp.reshape(filled, (batch, -1, self.frame))
        ends = frames[..., -tail.shape[1] :]
        before = rnp.concat([tail[:, None], ends[:, :-1]], axis=1)
        features = self._features(rnp.concat([before, frames], axis=-1))
        outputs, memory = self.memory(features, memory)
        scores = self.head(rosin.nn.relu(outputs))[..., 0]
        return rosin.nn.sigmoid(scores), (ends[:, -1], memory)

    def _features(self, frames: Array) -> Array:
        """Of frames `[batch, frames, samples]`, with the end of the one before, `[batch, frames, HIDDEN]`."""
        batch, count, samples = frames.shape
        half = self.basis.shape[2] // 4
        # The end is mirrored, as where the model was trained; at the beginning there is real sound.
        mirrored = rnp.pad(rnp.reshape(frames, (batch * count, samples)), ((0, 0), (0, half)), mode="reflect")
        parts = rosin.nn.conv(mirrored[:, None], self.basis, strides=2 * half)
        real, imaginary = rnp.split(parts, 2, axis=1)
        x = rnp.sqrt(real * real + imaginary * imaginary)
        for layer in self.encoder:
            x = rosin.nn.relu(layer(x))
        return rnp.reshape(x, (batch, count, HIDDEN))


def _fourier(window: int) -> np.ndarray[Any, Any]:
    """Real parts, then imaginary ones, of the transform of a window after Hann, `[window + 2, 1, window]`."""
    angle = 2 * np.pi * np.outer(np.arange(window // 2 + 1), np.arange(window)) / window
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return np.concatenate([np.cos(angle), -np.sin(angle)])[:, None] * hann


def pretrained(rate: int = 16000) -> Silero:
    """The detector with the weights that the package silero-vad carries, for sound of 16 or 8 kHz.

    Raises:
        ZooError: the package is not installed, or the rate is another one.
    """
    model = Silero(key=0, rate=rate)
    prefix = "_model" if rate == 16000 else "_model_8k"
    names = [
        (rf"{prefix}\.stft\.forward_basis_buffer", "basis"),
        (rf"{prefix}\.encoder\.(\d)\.reparam_conv\.(\w+)", r"encoder.\1.\2"),
        (rf"{prefix}\.decoder\.rnn\.(\w+)", r"memory.layers.0.0.\1"),
        (rf"{prefix}\.decoder\.decoder\.2\.(\w+)", r"head.\1"),
        (r"_.*", None),
    ]
    file = carried("silero_vad", "data/silero_vad.jit", "silero-vad")
    convert = {r"head\.weight": lambda x: x[..., 0]}
    return weights.into(model, weights.load(file), names, convert=convert)[0]


_advance = rosin.compile(lambda model, sound, state: model(sound, state))
_BLOCK = 128
"""Frames of a long sound that are computed at once."""


def probabilities(model: Silero, sound: Any) -> np.ndarray[Any, Any]:
    """Of each frame of a sound `[time]` of any length, by one program for blocks of frames.

    Raises:
        ZooError: the sound is none of one channel, or not of floats.
    """
    samples = np.asarray(sound)
    if samples.ndim != 1 or not samples.size:
        raise ZooError(f"a sound of one channel is [time], not {samples.shape}")
    if samples.dtype.kind != "f":
        raise ZooError(f"sounds are floats from -1 to 1, not {samples.dtype}: divide integers by their largest one")
    size = _BLOCK * model.frame
    filled = np.pad(samples.astype(np.float32), (0, -len(samples) % size)).reshape(-1, 1, size)
    state, found = model.start(), list[Any]()
    for block in filled:
        part, state = _advance(model, rnp.asarray(block), state)
        found.append(np.asarray(part)[0])
    return np.concatenate(found)[: -(-len(samples) // model.frame)]


def speech(model: Silero, sound: Any, rate: int | None = None, rules: Rules | None = None) -> list[tuple[int, int]]:
    """Begins and ends of speech in a sound `[time]`, in samples.

    Of a sound whose rate is a multiple of the model's, every so manieth sample is heard.

    Raises:
        ZooError: the sound is none of one channel, not of floats, or its rate is no multiple of the model's.
    """
    every = 1 if rate is None else rate // model.rate
    if rate is not None and (rate % model.rate or rate < model.rate):
        raise ZooError(f"speech: {rate} samples a second are no multiple of {model.rate}: resample the sound")
    heard = np.asarray(sound)[::every]
    found = probabilities(model, heard).tolist()
    ends = segments(found, model.rate, model.frame, len(heard), rules)
    return [(begin * every, end * every) for begin, end in ends]


def inputs(batch: int, *, rate: int = 16000, dtype: Any = rosin.float32, **_: Any) -> tuple[Any, ...]:
    """The type of a batch of sounds of four frames."""
    return (rosin.ShapeDtypeStruct((batch, rate // 125 * 16), dtype),)


ENTRY = Entry(
    Card(
        name="silero-vad",
        title="Silero VAD, version 5",
        task="voice detection",
        summary="Tells for each 32 ms of a sound how likely somebody speaks in it, as a stream or for whole "
        "recordings; `silero.speech` gives the segments of speech. At 16 kHz, and with `rate=8000` at 8 kHz.",
        source="Silero Team: Silero VAD, pre-trained enterprise-grade voice activity detector (2024)",
        parameters=243_585,
        data="voices made by formulas (harmonics of a wandering pitch through the resonances of vowels) in noise, as "
        "the project has no recordings; the pretrained weights were trained by Silero on recordings of many languages",
        metric="accuracy of frames on held out sounds of the same kind, and area under the curve",
        result="accuracy 98.1 %, area 0.998 (rosin zoo train silero-vad); the pretrained weights, which never heard "
        "such sounds: 82.3 %, 0.900 (rosin zoo eval silero-vad)",
        license="the pretrained weights: MIT",
        weights="silero-vad",
    ),
    make=Silero,
    inputs=inputs,
    train=lambda settings: detection.train(settings, Silero),
    evaluate=lambda settings: detection.evaluate(settings, Silero, pretrained),
    pretrained=pretrained,
    knobs=detection.KNOBS,
)
