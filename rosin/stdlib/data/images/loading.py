"""Pictures in files: PNG by this library, JPEG by Pillow."""

from __future__ import annotations

import io
from os import PathLike
from pathlib import Path

import numpy as np

from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.images.png import SIGNATURE, Pixels, decode_png

INSTALL = 'pip install "rosin[images]"'
_JPEG = b"\xff\xd8\xff"


def load(path: str | PathLike[str]) -> Pixels:
    """A PNG or JPEG file as `[channels, height, width]`, whatever its name: uint8, or uint16 for PNG of 16 bits.

    JPEG is of one channel, grey, or three, red, green and blue, and turned as the camera was held.

    Raises:
        DataError: the file is neither of the two, or is damaged, or Pillow, which reads JPEG, is not installed.
        OSError: it cannot be read.
    """
    return decode(Path(path).read_bytes(), str(path))


def decode(content: bytes, name: str = "picture") -> Pixels:
    """As `load`, of the bytes of a file; `name` stands in errors."""
    if content.startswith(SIGNATURE):
        return decode_png(content, name)
    if content.startswith(_JPEG):
        return _jpeg(content, name)
    raise DataError(f"{name}: is neither a PNG nor a JPEG file; it begins with {content[:8]!r}")


def _jpeg(content: bytes, name: str) -> Pixels:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise DataError(f"{name}: JPEG files are read by Pillow, which is not installed; {INSTALL}") from error
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as file:
            picture = ImageOps.exif_transpose(file)
            pixels = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{name}: the JPEG file cannot be read ({error})") from error
    return np.ascontiguousarray(np.moveaxis(np.atleast_3d(pixels), -1, 0))
