"""Sizes of pictures on their way through generative networks."""

from __future__ import annotations

from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn


class Unflatten(nn.Module):
    """Features `[batch, features]` as `[batch, *shape]`."""

    shape: tuple[int, ...] = nn.static()

    def __call__(self, x: Array) -> Array:
        return rnp.reshape(x, (x.shape[0], *self.shape))


def quarter(model: str, size: int) -> int:
    """A quarter of the size of pictures, which these networks halve twice.

    Raises:
        ModuleError: 4 does not divide the size.
    """
    if size < 4 or size % 4:
        raise nn.ModuleError(f"{model}: pictures are halved twice, and 4 does not divide their size, {size}")
    return size // 4
