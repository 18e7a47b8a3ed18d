"""How arrays lie on several devices: `PartitionSpec`, and constraints within a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.ir.ops.collective import ShardingConstraint
from rosin.ir.sharding import Axes

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class PartitionSpec:
    """How an array is cut: for each of its axes the name of an axis of the mesh of devices, a tuple of such names, or
    None for an axis that is not cut. Axes that are left out are not cut either."""

    __slots__ = ("axes",)

    def __init__(self, *axes: str | tuple[str, ...] | None) -> None:
        self.axes: Axes = tuple(() if a is None else (a,) if isinstance(a, str) else tuple(a) for a in axes)

    def __repr__(self) -> str:
        named = (None if not a else a[0] if len(a) == 1 else a for a in self.axes)
        return f"PartitionSpec({', '.join(map(repr, named))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionSpec) and self.axes == other.axes

    def __hash__(self) -> int:
        return hash(self.axes)


def with_sharding_constraint(x: Any, spec: PartitionSpec) -> Array:
    """The array, which lies on the devices as the specification says, where the program is exported for several.

    Raises:
        ShapeError: the array has fewer axes than the specification.
        AttributeValueError: an axis of the mesh is named twice.
    """
    return core.bind1(ShardingConstraint(spec.axes), core.asarray(x))
