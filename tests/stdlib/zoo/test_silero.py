"""The voice detector: what the package gives, as a stream and in one piece; segments of speech; training."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import zoo
from rosin.stdlib.zoo.audio import silero, voices
from rosin.stdlib.zoo.audio.segments import Rules, segments


def sound(rate: int, seconds: float = 4.0) -> np.ndarray[Any, Any]:
    """Voices in noise, and then silence; no whole number of frames."""
    frame = rate // 125 * 4
    made = voices.scenes(3, int(seconds * rate / 3) // frame, frame, rate, seed=3)
    return np.concatenate([*made.arrays["sound"], np.zeros(rate // 2), 0.1 * made.arrays["sound"][0][: frame // 3]])


@pytest.mark.parametrize("rate", [8000, pytest.param(16000, marks=pytest.mark.slow)])
def test_a_stream_gives_what_the_whole_gives(rate: int) -> None:
    model, heard = silero.Silero(key=0, rate=rate), sound(rate, 2.0)
    whole = silero.probabilities(model, heard)
    assert whole.shape == (-(-len(heard) // model.frame),)
    assert np.ptp(whole) > 1e-3
    step, state = rosin.compile(lambda model, x, state: model(x, state)), model.start()
    filled = np.pad(heard, (0, -len(heard) % model.frame)).astype(np.float32).reshape(-1, 1, model.frame)
    found: list[float] = []
    for frame in filled:
        probability, state = step(model, rnp.asarray(frame), state)
        found.append(float(probability[0, 0]))
    assert len(step.signatures()) == 1
    np.testing.assert_allclose(found, whole, atol=1e-6)
    # Sounds of a batch do not know of each other.
    both = rnp.asarray(np.stack([heard[::-1], heard]).astype(np.float32))
    np.testing.assert_allclose(np.asarray(model(both)[0])[1], whole, atol=1e-6)


def test_what_is_refused() -> None:
    model = silero.Silero(key=0)
    with pytest.raises(zoo.ZooError, match="8000 or 16000 samples a second, not 44100: resample it"):
        silero.Silero(key=0, rate=44100)
    with pytest.raises(zoo.ZooError, match=r"a sound of one channel is \[time\], not \(2, 100\)"):
        silero.probabilities(model, np.zeros((2, 100)))
    with pytest.raises(zoo.ZooError, match="floats from -1 to 1, not int16"):
        silero.speech(model, np.zeros(100, np.int16))
    with pytest.raises(zoo.ZooError, match="24000 samples a second are no multiple of 16000"):
        silero.speech(model, np.zeros(100), 24000)
    with pytest.raises(zoo.ZooError, match=r"begins at 0\.3 cannot pause below 0\.5"):
        segments([0.1], 16000, 512, rules=Rules(enter=0.3, leave=0.5))
    with pytest.raises(zoo.ZooError, match="1 frames have 512 samples, and the sound has 600"):
        segments([0.1], 16000, 512, 600)


def test_segments_by_hand() -> None:
    """Frames of 10 samples at 100 samples a second, so that a frame is a tenth of a second."""
    rules = Rules(least_speech=0.15, least_silence=0.25, margin=0.1, least_cut=0.15)
    plain = [0.0, 0.9, 0.9, 0.9, 0.4, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.0, 0.0, 0.0, 0.0]
    assert segments(plain, 100, 10, rules=rules) == [(0, 80)]
    late = [0.0] * 5 + [0.9] * 3
    assert segments(late, 100, 10, 77, rules) == [(40, 77)]
    near = [0.9] * 3 + [0.0] * 3 + [0.9] * 3
    assert segments(near, 100, 10, rules=Rules(least_speech=0.15, least_silence=0.15, margin=0.5)) == [
        (0, 45),
        (45, 90),
    ]
    cut = Rules(least_speech=0.15, least_silence=0.5, least_cut=0.05, most_speech=0.9, margin=0.0)
    long = [0.9] * 4 + [0.0] * 2 + [0.9] * 6
    assert segments(long, 100, 10, rules=cut) == [(0, 40), (60, 120)]
    assert segments([0.9] * 12, 100, 10, rules=cut) == [(0, 90), (100, 120)]
    assert segments([], 100, 10) == []


def test_voices_are_where_they_are_told() -> None:
    made = voices.scenes(8, 40, 512, 16000, seed=0)
    sounds, speech = made.arrays["sound"].reshape(8, 40, 512), made.arrays["speech"]
    assert not speech[3::4].any()
    assert 0.3 < speech[:3].mean() < 0.95
    again = voices.scenes(8, 40, 512, 16000, seed=0)
    np.testing.assert_array_equal(again.arrays["sound"], made.arrays["sound"])
    power = (sounds**2).mean(axis=2)
    spoken = [power[i][speech[i] > 0].mean() / power[i][speech[i] == 0].mean() for i in (0, 1, 2, 4, 5, 6)]
    assert min(spoken) > 1.2
    assert np.abs(sounds).max() < 1.5


@pytest.mark.slow
def test_a_training_learns(tmp_path: Path) -> None:
    options = {"scenes": 96, "frames": 32}
    result = zoo.train("silero-vad", tmp_path, epochs=3, quiet=True, options=options)
    assert result.values["auc"] > 0.9
    again = zoo.evaluate("silero-vad", tmp_path, quiet=True)
    assert again.values == pytest.approx(result.values, abs=1e-5)


# -- beside the package ------------------------------------------------------------------------------------------------


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("rate", silero.RATES)
def test_the_package_gives_the_same(rate: int) -> None:
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    theirs, ours, heard = load_silero_vad(), silero.pretrained(rate), sound(rate).astype(np.float32)
    theirs.reset_states()
    wanted = theirs.audio_forward(torch.tensor(heard)[None], sr=rate)[0].numpy()
    found = silero.probabilities(ours, heard)
    assert np.ptp(wanted) > 0.8
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    for threshold in (0.3, 0.5, 0.8):
        told = get_speech_timestamps(torch.tensor(heard), theirs, threshold=threshold, sampling_rate=rate)
        ends = [(part["start"], part["end"]) for part in told]
        assert ends
        assert silero.speech(ours, heard, rules=Rules(enter=threshold)) == ends


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_multiple_of_the_rate_is_thinned_out_as_in_the_package() -> None:
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    heard = np.repeat(sound(16000, 2.0), 3).astype(np.float32)
    with pytest.warns(UserWarning, match="casting to 16000"):
        told = get_speech_timestamps(torch.tensor(heard), load_silero_vad(), sampling_rate=48000)
    assert silero.speech(silero.pretrained(), heard, 48000) == [(part["start"], part["end"]) for part in told]


@pytest.mark.peers
def test_segments_are_those_of_the_package() -> None:
    from silero_vad.utils_vad import get_speech_timestamps_from_probs

    rng = np.random.default_rng(0)
    longest = (float("inf"), 0.6, 1.5)
    for seed, most, least, rate in itertools.product(range(60), longest, (0.05, 0.25), silero.RATES):
        steps = np.cumsum(rng.normal(0, rng.uniform(0.05, 0.4), 150))
        probabilities = (np.abs(steps) % 1 if seed % 2 else rng.random(150)).tolist()
        frame, margin = rate // 125 * 4, float(rng.choice([0.0, 0.03, 0.2]))
        length = 150 * frame - int(rng.integers(frame))
        options = {"threshold": 0.5, "min_speech_duration_ms": round(least * 1000), "max_speech_duration_s": most}
        told = get_speech_timestamps_from_probs(
            probabilities, rate, **options, speech_pad_ms=round(margin * 1000), audio_length_samples=length
        )
        rules = Rules(least_speech=least, most_speech=most, margin=margin)
        found = segments(probabilities, rate, frame, length, rules)
        assert found == [(part["start"], part["end"]) for part in told]
