"""Running values that the iterations of a vector loop read: each lane goes on from the one that comes before it."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.llvm.emit import FLOAT_BITS, Val
from rosin.backends.llvm.expressions import Expressions
from rosin.ir.loops import Accumulate, Carry, Expr

NEAR_BYTES = 16
"""Lanes that are less apart move to one another by one instruction, together with neutral ones."""


class Advancing(Expressions):
    """What lanes come to, one after the other."""

    def combine(
        self, carry: Carry, left: Sequence[Val], right: Sequence[Val], combine: tuple[Expr, ...] = ()
    ) -> list[Val]:
        """Two sets of partial values of a carry, combined."""
        with self.frame():
            for locals_, values in ((carry.left, left), (carry.right, right)):
                self.frames[-1].update(zip(locals_, values, strict=True))
            lanes, self.lanes = self.lanes, left[0].lanes
            result = [self.expr(c) for c in combine or carry.combine]
            self.lanes = lanes
        return [self.e.splat(r, left[0].lanes) for r in result]

    def advance(self, statement: Accumulate) -> None:
        """Running values of lanes: each combines the terms of the lanes up to its own with what is before the vector.

        From one vector to the next there is but one step to wait for, as what lanes come to among themselves is known.
        """
        e, carry, lanes = self.e, statement.carry, self.width
        parts = [self.wide(self.expr(v), lanes) for v in statement.values]
        neutral = [e.splat(self.expr(v), lanes) for v in carry.neutral]
        if self.mask is not None:
            parts = [e.select(self.mask, p, n) for p, n in zip(parts, neutral, strict=True)]
        far = 1
        while far < lanes:
            parts = self._one_step(carry, parts, neutral, far)
            far *= 2
        old = [e.read(variable) for variable in self.before[carry]]
        last = [e.shuffle(p, p, self._as_they_come([lanes - 1] * lanes)) for p in parts]
        for local, value in zip(carry.locals, self.combine(carry, old, parts), strict=True):
            e.write(value, self.running[local])
        for variable, value in zip(self.before[carry], self.combine(carry, old, last), strict=True):
            e.write(value, variable)

    def _one_step(self, carry: Carry, parts: list[Val], neutral: list[Val], far: int) -> list[Val]:
        """The later half of each group of `2 * far` lanes goes on from the last lane of the first half."""
        e, lanes = self.e, self.width
        if all(far * _bytes(p) < NEAR_BYTES for p in parts):
            order = [lanes + (i & -far) - 1 if i & far else i for i in range(lanes)]
            left = [e.shuffle(n, p, self._as_they_come(order)) for n, p in zip(neutral, parts, strict=True)]
            return self.combine(carry, left, parts)
        # In lanes that do not matter LLVM would leave what some register holds, and the step would wait for that.
        order = [i // (2 * far) * 2 * far + far - 1 for i in range(lanes)]
        left = [e.opaque_bits(e.shuffle(p, p, self._as_they_come(order))) for p in parts]
        which = [f"i1 {'true' if i & far else 'false'}" for i in range(lanes)]
        later = Val(f"<{', '.join(which[::-1] if self.counts_down else which)}>", "i1", lanes)
        return [e.select(later, b, p) for b, p in zip(self.combine(carry, left, parts), parts, strict=True)]

    def _as_they_come(self, order: Sequence[int]) -> list[int]:
        """Which lanes, of two vectors, are wanted in each, where both are counted in the order in which lanes come."""
        if not self.counts_down:
            return list(order)
        last = self.width - 1
        return [i - i % self.width + last - i % self.width for i in reversed(order)]


def _bytes(x: Val) -> int:
    """How many bytes a lane has."""
    return FLOAT_BITS.get(x.elem, 0) // 8 or max(int(x.elem[1:]) // 8, 1)
