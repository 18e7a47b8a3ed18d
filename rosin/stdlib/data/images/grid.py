"""Many pictures as one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.images.png import Pixels, as_bytes


def grid(images: Any, columns: int | None = None, *, gap: int = 2, background: int = 255) -> Pixels:
    """Pictures `[count, channels, height, width]` or `[count, height, width]` beside and below each other, as one of
    uint8 `[channels, height, width]`; without `columns` about as many as there are rows.

    Numbers are uint8, or floats from 0 to 1, as `save_png` takes them. `gap` pixels of `background` are between them.

    Raises:
        DataError: there are no pictures, or their shape or numbers are those of none.
    """
    pixels = as_bytes("grid", images)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels
    if pixels.ndim != 4 or not pixels.size or (columns is not None and columns < 1):
        told = f"[count, channels, height, width] in columns, not {np.shape(images)} in {columns}"
        raise DataError(f"grid: takes pictures {told}")
    count, channels, height, width = pixels.shape
    across = columns or math.ceil(math.sqrt(count))
    down = -(-count // across)
    size = (channels, down * (height + gap) - gap, across * (width + gap) - gap)
    whole = np.full(size, background, np.uint8)
    for number, picture in enumerate(pixels):
        row, column = number // across * (height + gap), number % across * (width + gap)
        whole[:, row : row + height, column : column + width] = picture
    return whole
