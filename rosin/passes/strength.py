"""Strength reduction: powers with a constant exponent become products and quotients."""

from __future__ import annotations

from typing import ClassVar

from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph
from rosin.ir.ops import exponential
from rosin.passes.base import Pass
from rosin.passes.rewrite import Rewriter, Table
from rosin.passes.rules import power

RULES: Table = {exponential.Pow: (power.pow_of_zero_or_one, power.pow_of_small_integer)}


@dataclass(frozen=True)
class Strength(Pass):
    """Applies the rules of `RULES`, which are as exact as a power computed by logarithms, but not bit for bit.

    Each product or quotient rounds once, so a power of 2 or -1 is the nearest number, and one of 3 or 4 is within two
    units in the last place. pow(x, 0.5) is not a square root: they differ at -inf and -0.0.
    """

    name: ClassVar[str] = "strength"
    ulps: ClassVar[int] = 4

    def rewrite(self, graph: Graph) -> Graph:
        return Rewriter(RULES).rewrite(graph)
