"""How arrays lie on the devices of a mesh: along which of the mesh's axes each axis of an array is cut."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from rosin.ir.dataclass import dataclass
from rosin.ir.errors import AttributeValueError
from rosin.ir.op import NumpyArray
from rosin.ir.types import TensorType

Axes: TypeAlias = tuple[tuple[str, ...], ...]
"""For each axis of an array the axes of the mesh that cut it, the first one into the largest pieces."""


@dataclass(frozen=True)
class Shardings:
    """Of a program of whole arrays that are spread over a mesh of devices: how its inputs and outputs lie there."""

    mesh: tuple[tuple[str, int], ...]
    """The axes of the mesh with their sizes; devices are numbered along them, the last one running fastest."""
    inputs: tuple[Axes, ...]
    outputs: tuple[Axes, ...]

    @property
    def count(self) -> int:
        return math.prod(size for _, size in self.mesh)


def check_cuts(type: TensorType, axes: Axes, mesh: Mapping[str, int], what: str) -> None:
    """Raise unless an array of the type can be cut along axes of the mesh.

    Raises:
        AttributeValueError: there are too few axes of the array, none such of the mesh or one of it twice, or the parts
            would differ in size.
    """
    names = [name for along in axes for name in along]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise AttributeValueError(f"{what}: the axis {twice!r} of the mesh cuts it twice", [type])
    if len(axes) > type.rank:
        raise AttributeValueError(f"{what}: {len(axes)} axes are cut, and it has {type.rank}", [type])
    for axis, names in enumerate(axes):
        for name in names:
            if name not in mesh:
                known = ", ".join(map(repr, mesh))
                raise AttributeValueError(f"{what}: the mesh has no axis {name!r}; it has {known}", [type])
        count, size = math.prod(mesh[name] for name in names), type.shape[axis]
        if count > 1 and isinstance(size, int) and size % count:
            along = ", ".join(map(repr, names))
            message = f"axis {axis} of size {size} is cut along {along} into {count} parts, which would differ in size"
            raise AttributeValueError(f"{what}: {message}", [type])


def parts(x: NumpyArray, axes: Axes, mesh: Sequence[tuple[str, int]]) -> list[NumpyArray]:
    """The part of an array that each device has."""
    return [x[place] for place in _places(x.shape, axes, mesh)]


def whole(found: Sequence[NumpyArray], axes: Axes, mesh: Sequence[tuple[str, int]]) -> NumpyArray:
    """An array from the part that each device has."""
    first = found[0]
    shape = [size * count for size, count in zip(first.shape, _counts(first.ndim, axes, mesh), strict=True)]
    result = np.empty(shape, first.dtype)
    for place, part in zip(_places(result.shape, axes, mesh), found, strict=True):
        result[place] = part
    return result


def _counts(rank: int, axes: Axes, mesh: Sequence[tuple[str, int]]) -> list[int]:
    """Into how many parts each axis is cut."""
    sizes = dict(mesh)
    cuts = [math.prod(sizes[name] for name in names) for names in axes]
    return cuts + [1] * (rank - len(cuts))


def _places(shape: Sequence[int], axes: Axes, mesh: Sequence[tuple[str, int]]) -> list[tuple[slice, ...]]:
    """Where in an array the part of each device is."""
    sizes, counts = dict(mesh), _counts(len(shape), axes, mesh)
    found: list[tuple[slice, ...]] = []
    for numbers in np.ndindex(*sizes.values()):
        at = dict(zip(sizes, numbers, strict=True))
        place: list[slice] = []
        for size, count, names in zip(shape, counts, (*axes, *[()] * (len(shape) - len(axes))), strict=True):
            number = 0
            for name in names:
                number = number * sizes[name] + at[name]
            step = size // count
            place.append(slice(number * step, (number + 1) * step))
        found.append(tuple(place))
    return found
