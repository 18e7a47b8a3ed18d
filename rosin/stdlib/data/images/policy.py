"""RandAugment: some of many changes for each image, all of one strength (Cubuk et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.images import colours, levels
from rosin.stdlib.data.images.warping import warp

_MOVES = ("turn", "shear rows", "shear columns", "move right", "move down")
_Change = Callable[[Array, Array], Array]


def _sharpness(x: Array, amount: Array) -> Array:
    smooth = colours.blur(x, 0.6, 3)
    return rnp.clip(smooth + (1 + 0.9 * amount)[:, None, None, None] * (x - smooth), 0, 1)


_CHANGES: tuple[_Change, ...] = (
    lambda x, amount: x,
    lambda x, amount: colours.adjust_brightness(x, 1 + 0.9 * amount),
    lambda x, amount: levels.autocontrast(x),
    lambda x, amount: levels.equalize(x),
    _sharpness,
    lambda x, amount: levels.solarize(x, 1 - rnp.abs(amount)),
    lambda x, amount: levels.posterize(x, 8 - rnp.round(4 * rnp.abs(amount))),
)
_OF_COLOURS: tuple[_Change, ...] = (
    lambda x, amount: colours.adjust_contrast(x, 1 + 0.9 * amount),
    lambda x, amount: colours.adjust_saturation(x, 1 + 0.9 * amount),
)


def rand_augment(key: Array, x: Array, *, count: int = 2, strength: float = 0.3, fill: float = 0.5) -> Array:
    """Images `[batch, channels, height, width]` from 0 to 1, of which each is changed `count` times in ways of its own:
    turned by up to 30 degrees, sheared, moved, or with other brightness, contrast, colours, sharpness, levels, each as
    far as `strength` says, from 0 to 1. These are the paper's changes; contrast and colours are for images of three
    channels.

    Raises:
        DataError: the strength is not from 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise DataError(f"rand_augment: the strength is from 0 to 1, not {strength}")
    changes = _CHANGES + (_OF_COLOURS if x.shape[1] == 3 else ())
    for own in rosin.random.split(key, count):
        of_kind, of_sign = rosin.random.split(own, 2)
        kind = rosin.random.randint(of_kind, (x.shape[0],), 0, len(changes) + len(_MOVES))
        sign = rnp.where(rosin.random.bernoulli(of_sign, 0.5, (x.shape[0],)), 1.0, -1.0)
        amount = rnp.astype(strength * sign, x.dtype)
        found = warp(x, _matrices(kind - len(changes), amount, x.shape[3], x.shape[2]), fill)
        for number, change in enumerate(changes):
            found = rnp.where((kind == number)[:, None, None, None], change(x, amount), found)
        x = found
    return x


def _matrices(move: Array, amount: Array, width: int, height: int) -> Array:
    """What `warp` takes for each image: one of the moves, or none."""
    turn, rows, columns, right, down = (rnp.where(move == number, amount, 0) for number in range(len(_MOVES)))
    angle = turn * (math.pi / 6)
    part = 150 / 331  # The paper moves images of 331 pixels by up to 150.
    lines = (
        (rnp.cos(angle), rnp.sin(angle) + 0.3 * rows, right * (part * width)),
        (0.3 * columns - rnp.sin(angle), rnp.cos(angle), down * (part * height)),
    )
    last = rnp.broadcast_to(rnp.asarray(np.asarray([0.0, 0.0, 1.0]), dtype=amount.dtype), (amount.shape[0], 1, 3))
    return rnp.concat([rnp.stack([rnp.stack(line, axis=-1) for line in lines], axis=-2), last], axis=-2)
