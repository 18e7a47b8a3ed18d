"""Arrays put together, taken apart and turned: what stands side by side comes from far apart, or the other way round.

python benches/layout.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Work, draw, drawn, main

Function = Callable[[Library], Callable[..., Any]]


def stacked(n: Library) -> Callable[..., Any]:
    return lambda *arrays: n.xp.stack(arrays, axis=-1)


def tiled(n: Library) -> Callable[..., Any]:
    return lambda x: n.xp.tile(x, (2, 2))


def repeated(n: Library) -> Callable[..., Any]:
    return lambda x: n.repeat(x, 3, 1)


def enlarged(n: Library) -> Callable[..., Any]:
    """Pictures twice as large, each pixel four times."""
    return lambda x: n.repeat(n.repeat(x, 2, 2), 2, 3)


def shuffled(n: Library) -> Callable[..., Any]:
    """Four channels become the pixels of a square each (Shi et al. 2016)."""

    def run(x: Any) -> Any:
        batch, channels, rows, columns = x.shape
        x = x.reshape(batch, channels // 4, 2, 2, rows, columns)
        return n.transpose(x, (0, 1, 4, 2, 5, 3)).reshape(batch, channels // 4, 2 * rows, 2 * columns)

    return run


def in_heads(n: Library) -> Callable[..., Any]:
    return lambda x: n.transpose(x.reshape(8, 128, 8, 32), (0, 2, 1, 3)) * 0.5


def turned(*axes: int) -> Function:
    """Laid out as it is numbered: NumPy and PyTorch would leave that to whoever reads it next."""

    def of(n: Library) -> Callable[..., Any]:
        if n.name == "numpy":
            return lambda x: np.multiply(np.transpose(x, axes), 2.0, order="C")
        if n.name.startswith("torch"):
            return lambda x: (n.transpose(x, axes) * 2.0).contiguous()
        return lambda x: n.transpose(x, axes) * 2.0

    return of


def rotation(n: Library) -> Callable[..., Any]:
    """Of pairs of neighbours by an angle that each place has (Su et al. 2021)."""

    def run(x: Any, c: Any, s: Any) -> Any:
        a, b = x[..., 0::2], x[..., 1::2]
        return n.xp.stack([a * c - b * s, a * s + b * c], axis=-1).reshape(x.shape)

    return run


def gradient(function: Function) -> Function:
    """Of the sum of the squares of what a function gives, by its first argument."""

    def of(n: Library) -> Callable[..., Any]:
        f = function(n)
        return n.grad(lambda *xs: n.xp.sum(f(*xs) ** 2))

    return of


def crossed(n: Library) -> Callable[..., Any]:
    """Cross products of rows."""

    def run(x: Any, y: Any) -> Any:
        (a, b, c), (u, v, w) = ([z[:, i] for i in range(3)] for z in (x, y))
        return n.xp.stack([b * w - c * v, c * u - a * w, a * v - b * u], axis=1)

    return run


def to_bytes(n: Library) -> Callable[..., Any]:
    return lambda x: n.to_bytes(n.xp.round(n.xp.clip(x, 0, 255)))


PAIRS = ((32, 128, 64), (128, 32), (128, 32))

WORK: dict[str, tuple[Function, tuple[tuple[int, ...], ...]]] = {
    "stack of 2 x 300x500": (stacked, ((300, 500),) * 2),
    "stack of 3 x 300x500": (stacked, ((300, 500),) * 3),
    "stack of 4 x 300x500": (stacked, ((300, 500),) * 4),
    "stack of 8 x 100x1000": (stacked, ((100, 1000),) * 8),
    "2x2 tiles of 500x300": (tiled, ((500, 300),)),
    "columns of 500x300 three times": (repeated, ((500, 300),)),
    "pictures 8x32x40x40 twice as large": (enlarged, ((8, 32, 40, 40),)),
    "gradient of pictures twice as large": (gradient(enlarged), ((8, 32, 40, 40),)),
    "pixels of 4x64x30x30 shuffled": (shuffled, ((4, 64, 30, 30),)),
    "heads of 8x128x256": (in_heads, ((8, 128, 256),)),
    "colours of 640x480 apart": (turned(2, 0, 1), ((640, 480, 3),)),
    "colours of 640x480 together": (turned(1, 2, 0), ((3, 640, 480),)),
    "2000x1500 turned": (turned(1, 0), ((2000, 1500),)),
    "4096x4096 turned": (turned(1, 0), ((4096, 4096),)),
    "five axes turned": (turned(0, 3, 1, 4, 2), ((8, 10, 12, 14, 16),)),
    "rotated pairs 32x128x64": (rotation, PAIRS),
    "gradient of rotated pairs": (gradient(rotation), PAIRS),
    "cross products of 100,000": (crossed, ((100_000, 3),) * 2),
}


def works() -> Iterator[Work]:
    for name, (function, shapes) in WORK.items():
        own = {"numpy": None} if name.startswith("gradient") else {}
        yield Work(name, drawn(*shapes), function, own)
    yield Work("750,000 floats to bytes", lambda: [draw(750_000) * np.float32(200)], to_bytes)


if __name__ == "__main__":
    main(list(works()), __doc__)
