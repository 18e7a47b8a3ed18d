"""The memory that a program provides for Fourier transforms of lengths that it does not know."""

from __future__ import annotations

import random

from rosin.ir.ops.fourier import PRIMES, chirp_length, grid_sides, is_smooth, line_room


def smooth_numbers(count: int) -> list[int]:
    """Products of small primes, from short lines to very long ones."""
    rng = random.Random(0)
    found: list[int] = []
    while len(found) < count:
        number = 1
        while number < 10 ** rng.randint(1, 8):
            number *= rng.choice(PRIMES)
        found.append(number)
    return found


def test_room_for_any_length_is_enough_for_each() -> None:
    for length in (*range(1, 20_000), *smooth_numbers(3000), *range(10**6, 10**6 + 500)):
        room = line_room(length)
        assert isinstance(room, int)
        assert room <= 12 * length


def test_convolutions_are_long_enough_and_smooth() -> None:
    for length in range(37, 5000):
        if not is_smooth(length):
            assert chirp_length(length) >= 2 * length - 1
            assert is_smooth(chirp_length(length))


def test_sides_of_grids() -> None:
    for length in smooth_numbers(500):
        rows, columns = grid_sides(length)
        assert rows * columns == length
        assert rows <= columns
        assert columns <= max(PRIMES) * rows
