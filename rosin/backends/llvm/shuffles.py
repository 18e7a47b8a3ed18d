"""Instructions of x86 that shuffle lanes of registers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

REGISTER_BYTES, REGISTERS = 64, 32

Immediate = tuple[str, int, tuple[int, int]]


@cache
def in_one(order: tuple[int, ...], bytes: int) -> tuple[str, int | None, tuple[int, int]] | None:
    """The instruction that shuffles lanes of so many bytes of two vectors alone, if there is one: its name, its number,
    if it takes one, and which two of the vectors it takes."""
    lanes, together = len(order), 16 // bytes
    for half, letter in enumerate("lh"):
        part = range(half * together // 2, (half + 1) * together // 2)
        unpacked = [block + i for block in range(0, lanes, together) for i in part]
        if order == tuple(lane for x in unpacked for lane in (x, lanes + x)):
            return f"vunpck{letter}p{'s' if bytes == 4 else 'd'}", None, (0, 1)
    found = immediate(order, bytes)
    # Processors take a step longer from arithmetic of floats to instructions on integers.
    return None if found is None else (found[0].replace("shufi", "shuff"), *found[1:])


def immediate(order: Sequence[int], bytes: int) -> Immediate | None:
    """The instruction that shuffles lanes of so many bytes without having to load where they are, if there is one: its
    name, the number that it takes in place of these, and which two of the vectors it takes."""
    lanes, together = len(order), 16 // bytes
    sources = [lane // lanes for lane in order]
    if bytes == 16:
        if lanes == 2 and sources == [0, 1]:
            return "vshuff64x2", _digits([lane % lanes for lane in order], 1), (0, 1)
        if lanes * bytes != REGISTER_BYTES:
            return None
        within = [lane % lanes for lane in order]
        halves = {tuple(sources[at : at + 2]) for at in (0, 2)}
        if all(len(set(half)) == 1 for half in halves):
            return "vshufi64x2", _digits(within, 2), (sources[0], sources[2])
        return None
    near = all(lane % lanes // together == at // together for at, lane in enumerate(order))
    alike = all(sources[at] == sources[at % together] for at in range(lanes))
    within = [lane % together for lane in order]
    if near and alike and bytes == 8:
        return "vshufpd", _digits(within, 1), (sources[0], sources[1])
    if near and alike and within == within[:together] * (lanes // together):
        if sources[0] == sources[1] and sources[2] == sources[3]:
            return "vshufps", _digits(within[:together], 2), (sources[0], sources[2])
    pairs = list(zip(order[::2], order[1::2], strict=True))
    if all(low % 2 == 0 and high == low + 1 for low, high in pairs):
        return immediate([low // 2 for low, _ in pairs], 2 * bytes)
    return None


def _digits(digits: Sequence[int], bits: int) -> int:
    """A number of digits of so many bits, the lowest one first."""
    return sum(digit << bits * at for at, digit in enumerate(digits))
