"""Images, `[channels, height, width]` each: files, changes at random, many as one."""

from __future__ import annotations

from rosin.stdlib.data.images.changes import mixup, normalize, random_crop, random_erase, random_flip
from rosin.stdlib.data.images.grid import grid
from rosin.stdlib.data.images.png import decode_png, encode_png, load_png, save_png

__all__ = [
    "decode_png",
    "encode_png",
    "grid",
    "load_png",
    "mixup",
    "normalize",
    "random_crop",
    "random_erase",
    "random_flip",
    "save_png",
]
