"""Algebraic simplification: the table of rules, and the pass that applies them.

Every rule gives the same bits for every input; those that would not are absent, or stand in rosin.passes.strength.
The rules themselves, one function each with its formula, stand in rosin/passes/rules by family of ops.
"""

from __future__ import annotations

from typing import ClassVar

from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph
from rosin.ir.op import Elementwise
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import cast, contract, index, logic, movement, scatter
from rosin.ir.ops import reduce as red
from rosin.ir.ops.control import Switch
from rosin.ir.ops.loop import Loop
from rosin.ir.ops.scan import Scan
from rosin.passes.base import Pass
from rosin.passes.rewrite import Rewriter, Table
from rosin.passes.rules import arithmetic as a
from rosin.passes.rules import contract as c
from rosin.passes.rules import control as f
from rosin.passes.rules import index as i
from rosin.passes.rules import lift
from rosin.passes.rules import logic as l
from rosin.passes.rules import movement as m
from rosin.passes.rules import places as p
from rosin.passes.rules import reduce as r

# Rules are tried from top to bottom, those of the op's own class before those of its kind.
RULES: Table = {
    ar.Add: (a.add_zero, a.add_negated, a.add_constants),
    ar.Sub: (a.sub_zero, a.sub_negated, a.sub_itself),
    ar.Mul: (a.mul_by_unit, a.mul_by_zero, a.negated_both, a.negated_by_constant, a.mul_by_constants),
    ar.Div: (a.negated_both, a.negated_by_constant, a.div_by_power_of_two),
    ar.FloorDivide: (a.whole_by_one,),
    ar.Remainder: (a.remainder_by_one,),
    ar.Neg: (a.neg_twice, a.neg_of_difference),
    ar.Abs: (a.abs_of_sign,),
    ar.Sign: (a.sign_of_sign,),
    ar.Floor: (a.rounded_twice,),
    ar.Ceil: (a.rounded_twice,),
    ar.Round: (a.rounded_twice,),
    ar.Trunc: (a.rounded_twice,),
    ar.Maximum: (a.extreme_of_itself, a.extreme_with_bound),
    ar.Minimum: (a.extreme_of_itself, a.extreme_with_bound),
    ar.Clamp: (a.clamp_one_side,),
    logic.Not: (l.not_twice, l.not_of_comparison),
    logic.And: (l.bits_of_itself, l.and_with_constant),
    logic.Or: (l.bits_of_itself, l.and_with_constant),
    logic.Xor: (l.xor_with_constant,),
    logic.Shift: (l.shift_by_zero,),
    logic.Less: (p.count_below_zero,),
    logic.Comparison: (l.compared_with_itself,),
    logic.Select: (l.select_known, l.select_on_not, l.select_of_truth, l.select_nested),
    cast.Cast: (l.cast_to_same, l.cast_twice),
    cast.Bitcast: (l.bitcast_known,),
    Elementwise: (lift.constant_last, lift.before_broadcast, lift.before_movement),
    movement.Reshape: (m.reshape_to_same, m.reshape_twice, m.reshape_of_scalar),
    movement.Transpose: (m.transpose_in_order, m.transpose_twice, m.transpose_of_broadcast),
    movement.Broadcast: (m.broadcast_to_same, m.broadcast_twice, m.broadcast_of_reshape),
    movement.Slice: (m.slice_of_all, m.slice_twice, m.slice_of_pad, m.slice_of_concatenate, m.slice_of_broadcast),
    movement.Pad: (m.pad_by_nothing, m.pad_that_cuts, m.pad_of_padding, m.pad_twice),
    movement.Concatenate: (m.concatenate_some, m.concatenate_twice, m.concatenate_slices),
    movement.Reverse: (m.reverse_short, m.reverse_twice, m.reverse_of_broadcast, m.reverse_of_running),
    red.Reduction: (r.over_short_axes, r.of_reduction, r.of_broadcast),
    red.Sum: (r.sum_of_splat,),
    contract.DotGeneral: (c.dot_of_transposed, c.dot_of_widened, c.dot_of_one_term),
    index.Gather: (p.place_that_counts, p.gather_of_broadcast, p.gather_of_elementwise),
    scatter.ScatterAdd: (p.place_that_counts, p.one_place_a_row),
    scatter.ScatterSet: (p.place_that_counts, p.one_place_a_row),
    index.DynamicSlice: (i.slice_of_whole, i.slice_at_constants),
    index.DynamicUpdateSlice: (i.update_of_whole,),
    Switch: (f.switch_known, f.switch_alike),
    Loop: (f.carry_unchanged, f.taken_twice),
    Scan: (f.scan_count_known, f.scan_short, f.stacked_twice),
}


@dataclass(frozen=True)
class Simplify(Pass):
    """Applies the rules of `RULES` wherever they match, to what they make too."""

    name: ClassVar[str] = "simplify"

    def rewrite(self, graph: Graph) -> Graph:
        return Rewriter(RULES).rewrite(graph)
