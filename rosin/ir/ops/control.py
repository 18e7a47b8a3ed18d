"""A choice among branches; rosin.ir.ops.region tells about control flow."""

from __future__ import annotations

from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import i32
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Arrays, Cost, Maybe, Narrowed, NumpyArray, Types, Value, Values, define
from rosin.ir.ops.region import (
    Control,
    Pullback,
    Pulled,
    Pushed,
    held,
    may_not_end,
    of_the_taking,
    positions,
    restricted,
    spread_mask,
    types_of,
)
from rosin.ir.ops.takers import block_size, in_blocks, is_dear
from rosin.ir.transform import flow
from rosin.ir.transform.batch import batch_graph
from rosin.ir.transform.effects import calls_host, guarded, silent
from rosin.ir.types import TensorType, same_type


@define("switch")
class Switch(Control):
    """The results of one of the branches on the operands after the first, which is its number, an i32 scalar.

    A number below 0 chooses the first branch, one that is too large the last.

    Reverse mode keeps the operands and computes the chosen branch again on the way back: branches keep different
    things, and room for all of them would be made and filled whichever is chosen.

    Under a batch with an index for each example all branches run and each example selects its results. The selection
    stands around derivatives too: of a branch that an example does not take, no derivative flows into that example's
    operands, be it infinite. But a dear branch, or one with a `while` in it, which might never end on the operands of
    others, runs only when some example takes it; and when there are many examples, it runs for those that take it
    alone, in blocks (rosin.ir.ops.takers).
    """

    branches: tuple[Graph, ...]

    def unchanged(self, count: int, region: int | None = None) -> range:
        return range(1 if region is None else 0, count)

    def type(self, *operands: TensorType) -> Types:
        if not self.branches:
            self.bad_attribute(operands, "needs at least one branch")
        if not operands or operands[0] != TensorType(i32):
            self.bad_dtype(operands, f"the index is an i32 scalar, not {operands[0] if operands else 'missing'}")
        first = types_of(self.branches[0].outputs)
        for number, branch in enumerate(self.branches):
            self.check_inputs(operands, f"branch {number}", branch, operands[1:], 1)
            if len(branch.outputs) != len(first):
                counts = f"{len(first)} results and branch {number} {len(branch.outputs)}"
                self.bad_shape(operands, f"branch 0 gives {counts}")
            for position, (value, type) in enumerate(zip(branch.outputs, first, strict=True)):
                if not same_type(value.type, type):
                    types = f"{type} in branch 0 and {value.type} in branch {number}"
                    self.disagree(operands, f"result {position} has type {types}", type, value.type)
        return first

    def eval(self, *operands: NumpyArray) -> Arrays:
        index = min(max(int(operands[0]), 0), len(self.branches) - 1)
        return tuple(evaluate(self.branches[index], operands[1:]))

    def cost(self, operands: Types, results: Types) -> Cost:
        """That of the dearest branch."""
        costs = [branch.cost() for branch in self.branches]
        return Cost(*(max(getattr(c, part) for c in costs) for part in ("flops", "bytes", "multiply_adds")))

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        each = [flow.moves(branch, moving[1:]) for branch in self.branches]
        return tuple(map(any, zip(*each, strict=True)))

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        moving = tuple(t is not None for t in tangents)
        moves = self.moves(moving, types_of(self.branches[0].outputs))
        branches: list[Graph] = []
        for branch in self.branches:
            region = Pushed(branch, moving[1:], moves)
            branches.append(region.b.graph((*region.results, *filter(None, region.slopes)), f"{branch.name}_jvp"))
        results = b.node(Switch(tuple(branches)), *operands, *filter(None, tangents))
        slopes = iter(results[len(moves) :])
        return results[: len(moves)], tuple(next(slopes) if m else None for m in moves)

    def forward_vjp(self, b: Builder, operands: Values, active: tuple[bool, ...]) -> tuple[Values, Pullback]:
        results = b.node(self, *operands)
        wanted = active[1:]

        def pullback(cotangents: Maybe) -> Maybe:
            backs = [Pulled(silent(branch), wanted, [c is not None for c in cotangents]) for branch in self.branches]
            slopes = [any(found) for found in zip(*(back.slopes for back in backs), strict=True)]
            branches = tuple(back.graph(slopes) for back in backs)
            found = iter(b.node(Switch(branches), *operands, *filter(None, cotangents)))
            return (None, *(next(found) if s else None for s in slopes))

        return results, pullback

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        if not batched[0]:
            branches = tuple(batch_graph(branch, batched[1:], size, b.batch_axis) for branch in self.branches)
            return b.node(Switch(branches), *operands)
        last = len(self.branches) - 1
        index = b.minimum(b.maximum(operands[0], 0), last)
        chosen: Values | None = None
        for number, branch in enumerate(self.branches):
            taken = b.equal(index, number)
            block = block_size(branch, batched[1:], size, b.batch_axis)
            if block:
                chosen = in_blocks(b, branch, taken, operands[1:], batched[1:], chosen, block)
                continue
            results = self._for_takers(b, branch, taken, operands[1:], batched[1:], size)
            if chosen is not None:
                pairs = zip(results, chosen, strict=True)
                results = tuple(b.select(spread_mask(b, taken, x.type), x, y) for x, y in pairs)
            chosen = results
        assert chosen is not None, "a switch has a branch"
        return chosen

    def _for_takers(
        self, b: Builder, branch: Graph, taken: Value, operands: Values, batched: tuple[bool, ...], size: Dim
    ) -> Values:
        """The results of a branch, batched; those of examples that do not take it are of no account."""
        # The last input of a guarded branch is who takes it.
        last = [True] if calls_host(branch) else []
        many = batch_graph(guarded(branch) if last else branch, (*batched, *last), size, b.batch_axis)
        if not may_not_end(branch) and not is_dear(branch, size):
            pairs = zip(operands, batched, strict=True)
            values = [held(b, taken, x) if flag else x for x, flag in pairs]
            return b.inline(many, [*values, *(taken for _ in last)])
        run, skip = Builder(), Builder()
        mask, *inputs = (run.input(v.type, v.name) for v in (taken, *operands))
        values = of_the_taking(run, branch, mask, inputs, batched)
        results = run.inline(many, [*values, *(mask for _ in last)])
        for v in (taken, *operands):
            skip.input(v.type, v.name)
        nothing = skip.graph([skip.zeros(v.type) for v in many.outputs], f"no_{branch.name}")
        some = b.cast(b.any(taken, (0,)), i32)
        return b.node(Switch((nothing, run.graph(results, many.name))), some, taken, *operands)

    def needs(self, used: tuple[bool, ...], count: int) -> tuple[bool, ...]:
        each = [flow.needs(branch, used) for branch in self.branches]
        return (True, *map(any, zip(*each, strict=True)))

    def without_unused(self, used: tuple[bool, ...]) -> Narrowed | None:
        live = self.needs(used, len(self.branches[0].inputs) + 1)
        if all(used) and all(live):
            return None
        branches = tuple(restricted(branch, live[1:], used) for branch in self.branches)
        return Narrowed(Switch(branches), positions(live), positions(used))
