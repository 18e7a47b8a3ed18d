"""Windows that slide along axes: how many there are and where they lie, for convolutions and window reductions."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.lib.stride_tricks import as_strided

from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.op import NumpyArray


def extent(size: Dim, dilation: int) -> Dim:
    """The length that `size` elements take when neighbours lie `dilation` apart; 0 for no element."""
    if isinstance(size, int) and size == 0:
        return 0
    if dilation != 1 and not facts.at_least(size, 1):
        return 0
    return (size - 1) * dilation + 1


def count(length: Dim, window: Dim, stride: int) -> Dim:
    """How many windows of an extent lie within a length, one every `stride`."""
    if isinstance(length, int) and isinstance(window, int) and length < window:
        return 0
    if not facts.at_least(length - window + stride, 0):
        return 0
    return (length - window) // stride + 1


def windows(x: NumpyArray, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> NumpyArray:
    """A view of the windows over the last axes of `x`: the other axes, the windows' places, and what they hold."""
    lead = x.ndim - len(window)
    counts: list[int] = []
    for size, w, s, d in zip(x.shape[lead:], window, strides, dilation, strict=True):
        number = count(size, extent(w, d), s)
        assert isinstance(number, int)
        counts.append(number)
    outer = [step * s for step, s in zip(x.strides[lead:], strides, strict=True)]
    inner = [step * d for step, d in zip(x.strides[lead:], dilation, strict=True)]
    return as_strided(x, (*x.shape[:lead], *counts, *window), (*x.strides[:lead], *outer, *inner), writeable=False)
