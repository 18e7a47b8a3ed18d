"""Strength reduction: powers with a constant exponent become products, quotients and roots."""

from __future__ import annotations

from typing import ClassVar

from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph
from rosin.ir.ops import exponential
from rosin.passes.base import Pass
from rosin.passes.rewrite import Rewriter, Table
from rosin.passes.rules import power

RULES: Table = {
    exponential.Pow: (
        power.pow_of_zero_or_one,
        power.pow_of_small_integer,
        power.pow_of_half_integer,
        power.pow_of_base_two,
    )
}


@dataclass(frozen=True)
class Strength(Pass):
    """Applies the rules of `RULES`, which are as exact as a power computed by logarithms, but not bit for bit.

    Each product, quotient or root rounds once, so a power of 2, -1 or 1/2 is the nearest number, and all others are
    within four units in the last place.
    """

    name: ClassVar[str] = "strength"
    ulps: ClassVar[int] = 4

    def rewrite(self, graph: Graph) -> Graph:
        return Rewriter(RULES).rewrite(graph)
