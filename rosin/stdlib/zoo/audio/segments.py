"""From probabilities of frames to the segments in which somebody speaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rosin.stdlib.zoo.errors import ZooError


@dataclass(frozen=True)
class Rules:
    """When speech begins and ends. Times are in seconds."""

    enter: float = 0.5
    """The probability at which speech begins, or goes on after a pause."""
    leave: float | None = None
    """The probability below which it pauses: 0.15 less, and at least 0.01."""
    least_speech: float = 0.25
    """Shorter segments are left out."""
    most_speech: float = math.inf
    """Longer segments are cut, in their longest pause if they have one."""
    least_silence: float = 0.1
    """A pause as long as this ends a segment."""
    least_cut: float = 0.098
    """A pause must be longer than this for a segment that is too long to be cut in it."""
    margin: float = 0.03
    """What is added before and after a segment."""


def segments(
    probabilities: Sequence[float], rate: int, frame: int, length: int | None = None, rules: Rules | None = None
) -> list[tuple[int, int]]:
    """Begins and ends, in samples, of the segments of speech in a sound of `length` samples, whose frames of `frame`
    samples have these probabilities. The rules are those of the package silero-vad.

    Raises:
        ZooError: the thresholds are not in order, or the sound has more samples than the frames.
    """
    rules = rules or Rules()
    leave = max(rules.enter - 0.15, 0.01) if rules.leave is None else rules.leave
    if leave > rules.enter:
        raise ZooError(f"segments: speech that begins at {rules.enter} cannot pause below {leave}, which is more")
    count = len(probabilities) * frame
    length = count if length is None else length
    if length > count:
        raise ZooError(f"segments: {len(probabilities)} frames have {count} samples, and the sound has {length}")
    found = _rough(probabilities, rate, frame, length, rules, leave)
    return _widened(found, rate * rules.margin, length)


def _rough(
    probabilities: Sequence[float], rate: int, frame: int, length: int, rules: Rules, leave: float
) -> list[tuple[int, int]]:
    """The segments without their margins."""
    longest = rate * (rules.most_speech - 2 * rules.margin) - frame
    shortest, silence, cut = rate * rules.least_speech, rate * rules.least_silence, rate * rules.least_cut
    found: list[tuple[int, int]] = []
    begin: int | None = None
    pause: int | None = None
    pauses: list[tuple[int, int]] = []
    for number, probability in enumerate(probabilities):
        now = number * frame
        if probability >= rules.enter:
            if pause is not None and now - pause > cut:
                pauses.append((pause, now))
            pause = None
            if begin is None:
                begin = now
                continue
        if begin is None:
            continue
        if now - begin > longest:
            if not pauses:
                found.append((begin, now))
                begin = pause = None
                continue
            end, after = max(pauses, key=lambda ends: ends[1] - ends[0])
            found.append((begin, end))
            begin, pause, pauses = after, None, []
        if probability < leave:
            pause = now if pause is None else pause
            if now - pause >= silence:
                if pause - begin > shortest:
                    found.append((begin, pause))
                begin, pause, pauses = None, None, []
    if begin is not None and length - begin > shortest:
        found.append((begin, length))
    return found


def _widened(found: list[tuple[int, int]], margin: float, length: int) -> list[tuple[int, int]]:
    """Segments with margins; where two are nearer than both margins, each gets half of what is between them."""
    begins, ends = [begin for begin, _ in found], [end for _, end in found]
    for number in range(len(found)):
        if number == 0:
            begins[0] = int(max(0, begins[0] - margin))
        if number == len(found) - 1:
            ends[number] = int(min(length, ends[number] + margin))
            break
        between = begins[number + 1] - ends[number]
        if between < 2 * margin:
            ends[number] += between // 2
            begins[number + 1] = max(0, begins[number + 1] - between // 2)
        else:
            ends[number] = int(min(length, ends[number] + margin))
            begins[number + 1] = int(max(0, begins[number + 1] - margin))
    return list(zip(begins, ends, strict=True))
