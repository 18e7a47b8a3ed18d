"""Where values lie in memory, and reads of them through the moves in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.index import Index
from rosin.ir.loops import Buffer, Expr, Load, Store
from rosin.ir.op import Reader, Value
from rosin.passes.fusion import Fusion


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lies: in a buffer, from an offset on that may depend on the loops around the kernels."""

    buffer: Buffer
    base: Index = indices.ZERO


class Memory:
    """Reads and writes values where they lie; reads go through the moves in between."""

    def __init__(
        self,
        fusion: Fusion,
        places: Mapping[Value, Place],
        steps: Mapping[Value, int] | None = None,
        in_loop: bool = False,
    ) -> None:
        """`steps` has the values that are the same in so many steps of the loop around, if there is one."""
        self.in_loop = in_loop
        self.fusion = fusion
        self.places = places
        self.steps = steps or {}

    def __contains__(self, value: Value) -> bool:
        """Whether the value lies in memory at all."""
        return value in self.places

    def same_for(self, value: Value) -> int:
        """In how many steps of the loop around the value is the same."""
        return min((self.steps.get(root, 1) for root in self.fusion.roots([value])), default=1) if self.steps else 1

    def read(self, value: Value) -> Reader:
        return self.fusion.reader(value, self.stored)

    def stored(self, value: Value) -> Reader:
        """Reads a value that is in memory."""
        return lambda index: Load(*self.at(value, index))

    def at(self, value: Value, index: Sequence[Index]) -> tuple[Buffer, Index]:
        """The buffer and the offset of an element."""
        place = self.places[value]
        return place.buffer, place.base + indices.flatten(index, value.type.shape)

    def store(self, value: Value, index: Sequence[Index], expr: Expr) -> Store:
        return Store(*self.at(value, index), expr)
