"""Images, `[channels, height, width]` each: files, other sizes and colours, changes at random, many as one."""

from __future__ import annotations

from rosin.stdlib.data.images.changes import cutmix, mixup, normalize, random_crop, random_erase, random_flip
from rosin.stdlib.data.images.colours import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    blur,
    grayscale,
    random_colors,
    to_float,
)
from rosin.stdlib.data.images.cropping import random_resized_crop, resized_crop
from rosin.stdlib.data.images.grid import grid
from rosin.stdlib.data.images.levels import autocontrast, equalize, invert, posterize, solarize
from rosin.stdlib.data.images.loading import decode, load
from rosin.stdlib.data.images.png import decode_png, encode_png, load_png, save_png
from rosin.stdlib.data.images.policy import rand_augment
from rosin.stdlib.data.images.resizing import (
    center_crop,
    channels_first,
    channels_last,
    pad,
    resize,
    resize_shorter,
)
from rosin.stdlib.data.images.warping import affine_matrices, random_affine, random_perspective, warp

__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "affine_matrices",
    "autocontrast",
    "blur",
    "center_crop",
    "channels_first",
    "channels_last",
    "cutmix",
    "decode",
    "decode_png",
    "encode_png",
    "equalize",
    "grayscale",
    "grid",
    "invert",
    "load",
    "load_png",
    "mixup",
    "normalize",
    "pad",
    "posterize",
    "rand_augment",
    "random_affine",
    "random_colors",
    "random_crop",
    "random_erase",
    "random_flip",
    "random_perspective",
    "random_resized_crop",
    "resize",
    "resize_shorter",
    "resized_crop",
    "save_png",
    "solarize",
    "to_float",
    "warp",
]
