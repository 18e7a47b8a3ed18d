"""Simplification: each rule on awkward numbers, bit for bit, and as text; random graphs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType
from rosin.ir.errors import RosinError
from rosin.ir.graph import Graph
from rosin.ir.op import Value
from rosin.ir.ops import arithmetic, exponential, movement
from rosin.ir.ops.call import Barrier, Checkpoint
from rosin.ir.ops.cast import Bitcast, Cast
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.ops.control import Switch
from rosin.ir.ops.index import DynamicSlice, DynamicUpdateSlice, Numbers
from rosin.ir.ops.loop import While
from rosin.ir.ops.scan import Scan
from rosin.ir.printer import text
from rosin.ir.types import TensorType
from rosin.ir.verify import verify
from rosin.passes.dce import Dce
from rosin.passes.fold import Fold
from rosin.passes.rewrite import Rewriter
from rosin.passes.rules.logic import holds
from rosin.passes.simplify import RULES, Simplify
from tests.passes.graphs import build, check_pass, random_graphs
from tests.thinning import examples

Make = Callable[..., Value | Sequence[Value]]


def node(b: Builder, op: Any, *operands: Value) -> Value:
    return b.node(op, *operands)[0]


def wide(b: Builder, x: Value) -> Value:
    """x copied along a new first axis of size 4."""
    return b.broadcast(x, (4, *x.type.shape), tuple(range(1, x.type.rank + 1)))


def _index(b: Builder, at: int) -> Value:
    return b.full(at, TensorType(dtypes.i32))


def _count(b: Builder, shape: tuple[int, ...], axis: int) -> Value:
    return b.iota(TensorType(dtypes.i32, shape), axis)


PICKED = Numbers((), (0, 1), (), (), (0, 1), 1)
"""An element for each index of two components."""
ONE_A_ROW = Numbers((), (1,), (0,), (0,), (1,), 1)
SLICES = Numbers((0, 2), (0,), (), (), (0,), 1)
CROSSED = Numbers((), (1,), (0, 2), (1, 0), (1,), 3)


def _picked(b: Builder, x: Value, *components: Value) -> Value:
    return b.gather(x, b.concatenate(components, 1), PICKED, (1, 1), "fill")


SINES = build("f32[8] f32[8]", lambda b, x, y: [b.neg(b.neg(b.sin(x))), y])
TWICE = build("f32[8] f32[8]", lambda b, x, y: [b.mul(x, y), _sine := b.sin(y), b.sin(x), _sine])
SAME = build(
    "f32[8] f32[] f32[] f32[8] f32[8]",
    lambda b, x, k, m, y, z: [b.add(b.mul(x, b.broadcast(b.add(k, m), (8,), ())), b.mul(y, z)), y],
)
BELOW_BOTH = build("i32[] i32[] i32[]", lambda b, i, n, m: [b.less(i, b.minimum(n, m))])
COUNT_BOTH = build("i32[] i32[] i32[]", lambda b, i, n, m: [b.maximum(b.add(i, 1), 0)])
SWAP = build("f32[8] f32[8]", lambda b, x, y: [b.add(x, y), x])
COUNTED = build("f32[8] i32[] f32[8]", lambda b, x, n, y: [b.add(x, y), x])
KEEP = build("f32[8] f32[8]", lambda b, x, y: [x, b.add(y, x)])
BELOW = build("i32[] i32[] i32[]", lambda b, i, n, x: [b.less(i, x)])
COUNT = build("i32[] i32[] i32[]", lambda b, i, n, x: [b.maximum(b.add(i, 1), 0), n])
MATMUL = DotGeneral((1,), (0,), (), (), dtypes.f32)

# rule → (input types, graph); the name before a slash is the rule's.
FIRES: dict[str, tuple[str, Make]] = {
    "add_zero": ("f32[8]", lambda b, x: b.add(x, -0.0)),
    "add_zero/integers": ("i32[8]", lambda b, x: b.add(0, x)),
    "add_negated": ("f32[8] f32[8]", lambda b, x, y: b.add(x, b.neg(y))),
    "add_negated/left": ("f32[8] f32[8]", lambda b, x, y: b.add(b.neg(x), y)),
    "add_constants": ("u8[8]", lambda b, x: b.add(b.add(x, 250), 10)),
    "sub_zero": ("f32[8]", lambda b, x: b.sub(x, 0.0)),
    "sub_zero/from": ("f32[8]", lambda b, x: b.sub(-0.0, x)),
    "sub_negated": ("f32[8] f32[8]", lambda b, x, y: b.sub(x, b.neg(y))),
    "sub_itself": ("i32[8]", lambda b, x: b.sub(x, x)),
    "mul_by_unit": ("f32[8]", lambda b, x: b.mul(1.0, x)),
    "mul_by_unit/minus": ("f32[8]", lambda b, x: b.mul(x, -1.0)),
    "mul_by_zero": ("i32[8]", lambda b, x: b.mul(x, 0)),
    "negated_both": ("f32[8] f32[8]", lambda b, x, y: b.mul(b.neg(x), b.neg(y))),
    "negated_both/quotient": ("f32[8] f32[8]", lambda b, x, y: b.div(b.neg(x), b.neg(y))),
    "negated_by_constant": ("f32[8]", lambda b, x: b.mul(b.neg(x), 3.0)),
    "negated_by_constant/quotient": ("f32[8]", lambda b, x: b.div(b.neg(x), 3.0)),
    "mul_by_constants": ("f32[8]", lambda b, x: b.mul(b.mul(x, 2.0), -4.0)),
    "mul_by_constants/integers": ("i32[8]", lambda b, x: b.mul(b.mul(x, 3), 7)),
    "div_by_power_of_two/unit": ("f32[8]", lambda b, x: [b.div(x, 1.0), b.div(x, -1.0)]),
    "div_by_power_of_two": ("f32[8]", lambda b, x: b.div(x, -8.0)),
    "whole_by_one": ("i32[8]", lambda b, x: b.floor_divide(x, 1)),
    "remainder_by_one": ("i32[8]", lambda b, x: b.remainder(x, 1)),
    "neg_twice": ("f32[8]", lambda b, x: b.neg(b.neg(x))),
    "neg_of_difference": ("i32[8] i32[8]", lambda b, x, y: b.neg(b.sub(x, y))),
    "abs_of_sign": ("f32[8]", lambda b, x: b.abs(b.neg(x))),
    "abs_of_sign/twice": ("i32[8]", lambda b, x: b.abs(b.abs(x))),
    "abs_of_sign/unsigned": ("u8[8]", lambda b, x: b.abs(x)),
    "rounded_twice": ("f32[8]", lambda b, x: b.floor(node(b, arithmetic.Round(), x))),
    "sign_of_sign": ("f32[8]", lambda b, x: b.sign(b.sign(x))),
    "extreme_of_itself": ("f32[8]", lambda b, x: b.maximum(x, x)),
    "extreme_with_bound": ("f32[8]", lambda b, x: b.minimum(float("inf"), x)),
    "extreme_with_bound/absorbed": ("u8[8]", lambda b, x: b.maximum(x, 255)),
    "clamp_one_side": (
        "f32[8] f32[8]",
        lambda b, x, y: node(b, arithmetic.Clamp(), b.like(float("-inf"), x), x, y),
    ),
    "not_twice": ("i32[8]", lambda b, x: b.logical_not(b.logical_not(x))),
    "not_of_comparison": ("f32[8] f32[8]", lambda b, x, y: b.logical_not(b.equal(x, y))),
    "not_of_comparison/integers": ("i32[8] i32[8]", lambda b, x, y: b.logical_not(b.less(x, y))),
    "bits_of_itself": ("i32[8]", lambda b, x: b.logical_and(x, x)),
    "and_with_constant": ("i32[8]", lambda b, x: b.logical_and(x, -1)),
    "and_with_constant/or": ("bool[8]", lambda b, x: b.logical_or(True, x)),
    "xor_with_constant": ("u8[8]", lambda b, x: b.logical_xor(x, 255)),
    "xor_with_constant/itself": ("i32[8]", lambda b, x: b.logical_xor(x, x)),
    "shift_by_zero": ("i32[8]", lambda b, x: b.shift_right(x, 0)),
    "compared_with_itself": ("i32[8]", lambda b, x: [b.less(x, x), b.less_equal(x, x)]),
    "select_known": ("f32[8] f32[8]", lambda b, x, y: b.select(b.mask(x), x, y)),
    "select_known/equal": ("bool[8] f32[8]", lambda b, x, y: b.select(x, y, y)),
    "select_on_not": ("bool[8] f32[8] f32[8]", lambda b, x, y, z: b.select(b.logical_not(x), y, z)),
    "select_of_truth": ("bool[8]", lambda b, x: b.select(x, b.like(False, x), b.like(True, x))),
    "select_nested": ("bool[8] f32[8] f32[8] f32[8]", lambda b, x, y, z, w: b.select(x, b.select(x, y, z), w)),
    "select_nested/other": ("bool[8] f32[8] f32[8] f32[8]", lambda b, x, y, z, w: b.select(x, w, b.select(x, y, z))),
    "cast_to_same": ("f32[8]", lambda b, x: node(b, Cast(dtypes.f32), x)),
    "cast_twice": ("f16[8]", lambda b, x: b.cast(b.cast(x, dtypes.f32), dtypes.i8)),
    "bitcast_known": ("f32[8]", lambda b, x: node(b, Bitcast(dtypes.u32), node(b, Bitcast(dtypes.i32), x))),
    "constant_last": ("f32[8]", lambda b, x: b.add(3.0, x)),
    "before_broadcast": ("f32[8] f32[8]", lambda b, x, y: b.exp(b.add(b.mul(wide(b, x), 3.0), wide(b, y)))),
    "before_broadcast/partly": (
        "f32[8] f32[]",
        lambda b, x, y: b.add(wide(b, x), b.broadcast(y, (4, 8), ())),
    ),
    "before_broadcast/other_axes": (
        "f32[8] f32[3]",
        lambda b, x, y: b.add(b.broadcast(x, (3, 4, 8), (2,)), b.broadcast(y, (3, 4, 8), (0,))),
    ),
    "before_movement": (
        "f32[4, 8] f32[4, 8]",
        lambda b, x, y: b.add(b.transpose(x, (1, 0)), b.transpose(y, (1, 0))),
    ),
    "reshape_to_same": ("f32[8]", lambda b, x: node(b, movement.Reshape((8,)), x)),
    "reshape_twice": ("f32[8]", lambda b, x: b.reshape(b.reshape(x, (2, 4)), (4, 2))),
    "reshape_of_scalar": ("f32[]", lambda b, x: b.reshape(b.broadcast(x, (8,), ()), (2, 4))),
    "transpose_in_order": ("f32[4, 1, 8]", lambda b, x: b.transpose(x, (1, 0, 2))),
    "transpose_twice": ("f32[2, 3, 4]", lambda b, x: b.transpose(b.transpose(x, (1, 2, 0)), (1, 0, 2))),
    "transpose_of_broadcast": (
        "f32[2, 3]",
        lambda b, x: b.transpose(b.broadcast(x, (2, 5, 3), (0, 2)), (2, 1, 0)),
    ),
    "broadcast_to_same": ("f32[8]", lambda b, x: node(b, movement.Broadcast((8,), (0,)), x)),
    "broadcast_twice": ("f32[8]", lambda b, x: wide(b, wide(b, x))),
    "broadcast_of_reshape": ("f32[8]", lambda b, x: b.broadcast(b.reshape(x, (1, 8)), (3, 1, 8), (1, 2))),
    "slice_of_all": ("f32[8]", lambda b, x: b.slice(x, (0,), (8,), (1,))),
    "slice_twice": ("f32[20]", lambda b, x: b.slice(b.slice(x, (1,), (19,), (2,)), (1,), (8,), (3,))),
    "slice_of_pad": (
        "f32[8]",
        lambda b, x: b.slice(b.pad(x, 1.0, (3,), (2,), (1,)), (5,), (16,), (2,)),
    ),
    "slice_of_pad/padding": ("f32[8]", lambda b, x: b.slice(b.pad(x, 1.0, (3,), (2,), (0,)), (0,), (3,), (2,))),
    "slice_of_concatenate": (
        "f32[8] f32[8]",
        lambda b, x, y: b.slice(b.concatenate([x, y], 0), (9,), (15,), (2,)),
    ),
    "slice_of_broadcast": ("f32[8]", lambda b, x: b.slice(wide(b, x), (1, 2), (3, 7), (1, 2))),
    "pad_by_nothing": (
        "f32[1]",
        lambda b, x: node(b, movement.Pad((0,), (0,), (3,)), x, b.full(0.0, TensorType(dtypes.f32))),
    ),
    "pad_that_cuts": ("f32[8]", lambda b, x: b.pad(x, 0.0, (-2,), (-1,), (0,))),
    "pad_of_padding": (
        "f32[2002]",
        lambda b, x: b.mul(x, b.pad(b.full(2.0, TensorType(dtypes.f32, (2000,))), 2.0, (1,), (1,), (0,))),
    ),
    "pad_twice": ("f32[8]", lambda b, x: b.pad(b.pad(x, 1.0, (1,), (2,), (1,)), 1.0, (3,), (-4,), (0,))),
    "concatenate_some": (
        "f32[8] f32[0] f32[8]",
        lambda b, x, y, z: [b.concatenate([x, y, z], 0), b.concatenate([x, y], 0), b.concatenate([x], 0)],
    ),
    "concatenate_twice": (
        "f32[8] f32[8]",
        lambda b, x, y: b.concatenate([b.concatenate([x, y], 0), x], 0),
    ),
    "concatenate_slices": (
        "f32[8, 4]",
        lambda b, x: b.concatenate([b.slice_axis(x, 0, 1, 3), b.slice_axis(x, 0, 3, 7)], 0),
    ),
    "reverse_short": ("f32[8, 1]", lambda b, x: b.reverse(x, (0, 1))),
    "reverse_twice": ("f32[4, 5]", lambda b, x: b.reverse(b.reverse(x, (0, 1)), (1,))),
    "reverse_of_broadcast": ("f32[8]", lambda b, x: b.reverse(wide(b, x), (0, 1))),
    "reverse_of_running": ("f32[4, 5]", lambda b, x: b.reverse(b.cumsum(b.reverse(x, (0, 1)), 1, False), (0, 1))),
    "over_short_axes": ("f32[8, 1, 4]", lambda b, x: [b.sum(x, (1,)), b.sum(x, (1, 2)), b.max(x, (1,))]),
    "of_reduction": ("i32[2, 3, 4]", lambda b, x: b.sum(b.sum(x, (1,)), (0,))),
    "of_reduction/truth": ("bool[2, 3, 4]", lambda b, x: b.all(b.all(x, (0,)), (1,))),
    "of_broadcast": ("i32[8]", lambda b, x: b.sum(wide(b, x), (0, 1))),
    "of_broadcast/extreme": ("f32[8]", lambda b, x: [b.max(wide(b, x), (0,)), b.min(wide(b, x), (0, 1))]),
    "sum_of_splat": ("f32[2]", lambda b, x: b.add(x, b.sum(b.full(3.0, TensorType(dtypes.f32, (2, 5))), (1,)))),
    "dot_of_transposed": (
        "f32[4, 3] f32[5, 4]",
        lambda b, x, y: node(b, MATMUL, b.transpose(x, (1, 0)), b.transpose(y, (1, 0))),
    ),
    "dot_of_widened": (
        "i8[4, 3] i8[3, 5]",
        lambda b, x, y: node(
            b, DotGeneral((1,), (0,), (), (), dtypes.i32), b.cast(x, dtypes.i32), b.cast(y, dtypes.i32)
        ),
    ),
    "dot_of_one_term": ("f32[4, 1] f32[1, 3]", lambda b, x, y: node(b, MATMUL, x, y)),
    "dot_of_one_term/batched": (
        "bf16[5, 2, 4] bf16[2, 5]",
        lambda b, x, y: node(b, DotGeneral((), (), (1, 0), (0, 1), dtypes.f32), x, y),
    ),
    "count_below_zero": ("", lambda b: b.less(_count(b, (5, 3), 0), 0)),
    "count_below_zero/moved": (
        "",
        lambda b: b.less(b.broadcast(b.reshape(b.cast(_count(b, (1, 5), 1), dtypes.u8), (5,)), (3, 5), (1,)), 0),
    ),
    "place_that_counts": ("f32[5, 8] i32[5, 1]", lambda b, x, i: _picked(b, x, _count(b, (5, 1), 0), i)),
    "place_that_counts/of_several": (
        "f32[8, 5, 2] i32[3, 5, 1]",
        lambda b, x, i: b.gather(
            x, b.concatenate([i, _count(b, (3, 5, 1), 1)], 2), Numbers((2,), (0, 1), (), (), (0, 1), 2), (1, 1, 2)
        ),
    ),
    "place_that_counts/scatter": (
        "f32[5, 8] i32[5, 1] f32[5]",
        lambda b, x, i, u: b.scatter("add", x, b.concatenate([_count(b, (5, 1), 0), i], 1), u, PICKED, "drop"),
    ),
    "gather_of_elementwise": (
        "f32[5, 64] f32[5, 64] i32[5, 1]",
        lambda b, x, y, i: b.gather(b.mul(b.add(x, y), 2.0), i, ONE_A_ROW, (1, 1)),
    ),
    "gather_of_broadcast": (
        "f32[5] i32[5, 1]",
        lambda b, x, i: b.gather(b.broadcast(x, (5, 8), (0,)), i, ONE_A_ROW, (1, 1)),
    ),
    "gather_of_broadcast/of_slices": (
        "f32[6, 3] i32[4, 1]",
        lambda b, x, i: b.gather(b.broadcast(x, (5, 6, 3), (1, 2)), i, SLICES, (1, 6, 3)),
    ),
    "one_place_a_row": (
        "i32[5, 1] f32[5]",
        lambda b, i, u: b.scatter("add", b.full(0.5, TensorType(dtypes.f32, (5, 8))), i, u, ONE_A_ROW, "drop"),
    ),
    "one_place_a_row/set": (
        "i8[2, 5, 1] i32[2, 5, 1]",
        lambda b, i, u: b.scatter("set", b.full(-1, TensorType(dtypes.i32, (5, 300, 2))), i, u, CROSSED, "clip"),
    ),
    "slice_of_whole": ("f32[4, 3] i32[]", lambda b, x, i: node(b, DynamicSlice((4, 3)), x, i, i)),
    "slice_at_constants": (
        "f32[9, 4]",
        lambda b, x: node(b, DynamicSlice((3, 2)), x, _index(b, 7), _index(b, -5)),
    ),
    "update_of_whole": ("f32[4] f32[4] i32[]", lambda b, x, y, i: node(b, DynamicUpdateSlice(), x, y, i)),
    "switch_known": ("f32[8] f32[8]", lambda b, x, y: b.node(Switch((SINES, SWAP)), _index(b, 7), x, y)),
    "switch_alike": ("i32[] f32[8] f32[8]", lambda b, i, x, y: b.node(Switch((SWAP, SWAP)), i, x, y)),
    "carry_unchanged": ("f32[8] f32[8]", lambda b, x, y: b.node(Scan(KEEP, 2, 0, 3, False), x, y)),
    "carry_unchanged/while": (
        "i32[] i32[] i32[]",
        lambda b, i, n, x: b.node(While(BELOW, COUNT, 2), i, n, b.remainder(x, 8)),
    ),
    "scan_count_known": (
        "f32[8] f32[5, 8]",
        lambda b, x, y: b.node(Scan(COUNTED, 1, 1, 5, True, True), x, _index(b, 3), y),
    ),
    "scan_count_known/all": (
        "f32[8] f32[5, 8]",
        lambda b, x, y: b.node(Scan(COUNTED, 1, 1, 5, False, True), x, _index(b, 9), y),
    ),
    "scan_short": ("f32[8] f32[1, 8]", lambda b, x, y: b.node(Scan(SWAP, 1, 1, 1, True), x, y)),
    "stacked_twice": ("f32[8] f32[3, 8]", lambda b, x, y: b.node(Scan(TWICE, 1, 1, 3, False), x, y)),
    "taken_twice": ("f32[8] f32[3, 8] f32[]", lambda b, x, y, k: b.node(Scan(SAME, 1, 2, 3, True), x, k, k, y, y)),
    "taken_twice/while": ("i32[] i32[]", lambda b, i, n: b.node(While(BELOW_BOTH, COUNT_BOTH, 1), i, n, n)),
    "scan_short/no_step": ("f32[8] f32[0, 8]", lambda b, x, y: b.node(Scan(SWAP, 1, 1, 0, False), x, y)),
}  # fmt: skip


@pytest.mark.parametrize("name", FIRES)
def test_the_rule_keeps_every_bit_and_fires(name: str, golden: Callable[[str, str], None]) -> None:
    graph = build(*FIRES[name])
    after = Dce().run(check_pass(Simplify(), graph, seeds=range(8)))
    assert after != graph
    golden(f"simplify/{name.replace('/', '.')}.txt", f"{text(graph)}\n{text(after)}")


def test_every_rule_has_a_case() -> None:
    rules = {rule.__name__ for rules in RULES.values() for rule in rules}  # type: ignore[attr-defined]
    assert rules == {name.split("/")[0] for name in FIRES}


@pytest.mark.parametrize("name", FIRES)
def test_the_case_depends_on_its_rule(name: str) -> None:
    """Without the rule the graph comes out otherwise: no case passes because of another rule."""
    graph = build(*FIRES[name])
    rule = name.split("/")[0]
    table = {kind: tuple(r for r in rules if r.__name__ != rule) for kind, rules in RULES.items()}  # type: ignore[attr-defined]
    assert Dce().run(Rewriter(table).rewrite(graph)) != Dce().run(Simplify().run(graph))


# What looks like a rule and is none: these stay as they are.
STAYS: dict[str, tuple[str, Make]] = {
    "floats that were narrower are multiplied as they are now": (
        "bf16[4, 3] bf16[3, 5]",
        lambda b, x, y: node(b, MATMUL, b.cast(x, dtypes.f32), b.cast(y, dtypes.f32)),
    ),
    "x + 0.0 is not x for -0.0": ("f32[8]", lambda b, x: b.add(x, 0.0)),
    "x - -0.0 is not x for -0.0": ("f32[8]", lambda b, x: b.sub(x, -0.0)),
    "0.0 - x is not -x for 0.0": ("f32[8]", lambda b, x: b.sub(0.0, x)),
    "x - x is NaN for inf": ("f32[8]", lambda b, x: b.sub(x, x)),
    "x * 0 is NaN for NaN": ("f32[8]", lambda b, x: b.mul(x, 0.0)),
    "x / 3 is not x * (1/3)": ("f32[8]", lambda b, x: b.div(x, 3.0)),
    "1 / 2**127 is a denormal": ("f32[8]", lambda b, x: b.div(x, 2.0**127)),
    "x * 0.5 * 2 underflows": ("f32[8]", lambda b, x: b.mul(b.mul(x, 0.5), 2.0)),
    "x * 2 * 0.5 overflows": ("f32[8]", lambda b, x: b.mul(b.mul(x, 2.0), 0.5)),
    "x * 2**100 * 2**100 has no product": ("f32[8]", lambda b, x: b.mul(b.mul(x, 2.0**100), 2.0**100)),
    "-(x - y) has another zero": ("f32[8] f32[8]", lambda b, x, y: b.neg(b.sub(x, y))),
    "max(x, inf) is NaN for NaN": ("f32[8]", lambda b, x: b.maximum(x, float("inf"))),
    "not (x < y) is true for NaN": ("f32[8] f32[8]", lambda b, x, y: b.logical_not(b.less(x, y))),
    "x == x is false for NaN": ("f32[8]", lambda b, x: b.equal(x, x)),
    "exp(log(x)) rounds": ("f32[8]", lambda b, x: b.exp(b.log(x))),
    "a narrow cast between loses": ("f32[8]", lambda b, x: b.cast(b.cast(x, dtypes.f16), dtypes.f64)),
    "integers wrap and floats saturate": ("i8[8]", lambda b, x: b.cast(b.cast(x, dtypes.f32), dtypes.u8)),
    "a sum of sums rounds otherwise": ("f32[8, 4]", lambda b, x: b.sum(b.sum(x, (1,)), (0,))),
    "a sum of equal numbers rounds": ("f32[8]", lambda b, x: b.sum(wide(b, x), (0,))),
    "a pad does not put back what was cut": (
        "f32[8]",
        lambda b, x: b.pad(b.pad(x, 1.0, (-2,), (0,), (0,)), 1.0, (2,), (0,), (0,)),
    ),
    "a pad with another number": (
        "f32[8]",
        lambda b, x: b.pad(b.pad(x, 0.0, (1,), (0,), (0,)), -0.0, (1,), (0,), (0,)),
    ),
    "a barrier is not looked through": (
        "f32[8]",
        lambda b, x: b.neg(node(b, Barrier(), b.neg(x))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STAYS)
def test_what_is_not_safe_stays(name: str) -> None:
    graph = build(*STAYS[name])
    kept = Dce().run(check_pass(Simplify(), graph))
    ops = [n.op for n in graph.nodes if not isinstance(n.op, movement.Constant | movement.Pad)]
    assert [n.op for n in kept.nodes if not isinstance(n.op, movement.Constant | movement.Pad | movement.Slice)] == ops
    assert sum(isinstance(n.op, movement.Pad) for n in graph.nodes) == sum(
        isinstance(n.op, movement.Pad | movement.Slice) for n in kept.nodes
    )


# What a rule nearly matches; whatever becomes of it, the values stay.
NEAR: dict[str, tuple[str, Make]] = {
    "pad back at the start what was cut": (
        "f32[8]",
        lambda b, x: b.pad(b.pad(x, 1.0, (-2,), (1,), (0,)), 1.0, (2,), (0,), (0,)),
    ),
    "a place that counts in a type too narrow": (
        "f32[300, 8] i32[300, 1]",
        lambda b, x, i: _picked(b, x, b.cast(b.cast(_count(b, (300, 1), 0), dtypes.i8), dtypes.i32), i),
    ),
    "a place that counts along fewer": (
        "f32[7, 8] i32[5, 1]",
        lambda b, x, i: _picked(b, x, _count(b, (5, 1), 0), i),
    ),
    "two places in each row": (
        "i32[5, 2, 1] f32[5, 2]",
        lambda b, i, u: b.scatter(
            "add", b.zeros(TensorType(dtypes.f32, (5, 8))), i, u, Numbers((), (1,), (0,), (0,), (1,), 2), "clip"
        ),
    ),
    "a gather that fills": (
        "f32[5, 64] i32[5, 1]",
        lambda b, x, i: b.gather(b.add(x, 1.0), i, ONE_A_ROW, (1, 1), "fill"),
    ),
    "pad back at the end what was cut": (
        "f32[8]",
        lambda b, x: b.pad(b.pad(x, 1.0, (1,), (-2,), (0,)), 1.0, (0,), (2,), (0,)),
    ),
    "slice between the padded elements": (
        "f32[8]",
        lambda b, x: b.slice(b.pad(x, 1.0, (3,), (2,), (1,)), (4,), (15,), (2,)),
    ),
    "slice past the last padded element": (
        "f32[8]",
        lambda b, x: b.slice(b.pad(x, 1.0, (3,), (2,), (1,)), (5,), (20,), (2,)),
    ),
    "slice with another step than the padding": (
        "f32[8]",
        lambda b, x: b.slice(b.pad(x, 1.0, (3,), (2,), (1,)), (5,), (16,), (3,)),
    ),
    "slice over the seam of a concatenation": (
        "f32[8] f32[8]",
        lambda b, x, y: b.slice(b.concatenate([x, y], 0), (7,), (15,), (2,)),
    ),
    "slices that do not meet": (
        "f32[8, 4]",
        lambda b, x: b.concatenate([b.slice_axis(x, 0, 1, 3), b.slice_axis(x, 0, 4, 7)], 0),
    ),
    "slices that meet and differ elsewhere": (
        "f32[8, 4]",
        lambda b, x: b.concatenate([b.slice(x, (0, 0), (3, 2), (1, 1)), b.slice(x, (3, 2), (6, 4), (1, 1))], 0),
    ),
    "slices with steps": (
        "f32[8]",
        lambda b, x: b.concatenate([b.slice(x, (0,), (3,), (2,)), b.slice(x, (3,), (8,), (2,))], 0),
    ),
    "no copies at all": ("bool[8]", lambda b, x: b.any(b.broadcast(x, (0, 8), (1,)), (0, 1))),
    "dot with the free axes exchanged": (
        "f32[4, 3, 5] f32[5, 2]",
        lambda b, x, y: node(b, DotGeneral((2,), (0,), (), (), dtypes.f32), b.transpose(x, (1, 0, 2)), y),
    ),
    "dot with batch axes exchanged": (
        "f32[4, 3, 5, 6] f32[3, 4, 6]",
        lambda b, x, y: node(b, DotGeneral((3,), (2,), (0, 1), (0, 1), dtypes.f32), b.transpose(x, (1, 0, 2, 3)), y),
    ),
    "movements of values of other shapes": (
        "f32[4, 3] f32[2, 6]",
        lambda b, x, y: b.add(b.reshape(x, (12,)), b.reshape(y, (12,))),
    ),
}


@pytest.mark.parametrize("name", NEAR)
def test_near_misses_keep_every_bit(name: str) -> None:
    check_pass(Simplify(), build(*NEAR[name]), seeds=range(5))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_transposed_operand_changes_no_bit_of_a_large_product(dtype: str) -> None:
    rng = np.random.default_rng(0)
    op = DotGeneral((1,), (0,), (), (), dtypes.BY_NAME[dtype])
    for m, k, n in rng.integers(1, 100, (40, 3)):
        types = f"{dtype}[{k}, {m}] {dtype}[{n}, {k}]"
        graph = build(types, lambda b, x, y: node(b, op, b.transpose(x, (1, 0)), b.transpose(y, (1, 0))))
        check_pass(Simplify(), graph, seeds=(0,))


def test_movements_that_serve_others_too_stay() -> None:
    """Moving the sum before them would leave three transposes where there were two."""

    def make(b: Builder, x: Value, y: Value) -> list[Value]:
        one, other = b.transpose(x, (1, 0)), b.transpose(y, (1, 0))
        return [b.add(one, other), one, other]

    graph = build("f32[4, 8] f32[4, 8]", make)
    assert check_pass(Simplify(), graph) is graph


@pytest.mark.parametrize("wide_type", dtypes.ALL)
@pytest.mark.parametrize("narrow", dtypes.ALL)
def test_which_types_hold_which(wide_type: DType, narrow: DType) -> None:
    """By trying the numbers at the ends and in the middle of the narrow type."""
    numbers: list[Any] = [0, 1]
    if narrow.is_integer:
        low, high = int(narrow.lowest), int(narrow.highest)
        numbers += [low, high, high - 1, high // 3, low + 1 if low else 0]
    if narrow.is_float:
        info = {"f16": (11, 15), "bf16": (8, 127), "f32": (24, 127), "f64": (53, 1023)}[narrow.name]
        numbers += [1.0 + 2.0 ** (1 - info[0]), 2.0 ** info[1], 2.0 ** (2 - info[1] - info[0])]
    if narrow.is_complex:
        numbers += [1j, complex(1 + narrow.epsilon, 2.0 ** (127 if narrow == dtypes.c64 else 1023))]
        if not (wide_type.is_complex or wide_type == dtypes.bool_):
            assert not holds(wide_type, narrow)
            return
    if wide_type.is_complex and not narrow.is_complex:
        # There is no way back but by the real part.
        assert holds(wide_type, narrow) == holds(wide_type.part, narrow)
        return
    with np.errstate(all="ignore"):
        source = np.array([narrow.numpy.type(n) for n in numbers])
        there = Cast(wide_type).apply(source)
        back = Cast(narrow).apply(there)
    exact = bool(np.all(source == back)) and [_number(x) for x in there] == [_number(x) for x in source]
    assert holds(wide_type, narrow) == exact


def _number(x: Any) -> complex | int:
    if np.iscomplexobj(x):
        return complex(x)
    return int(x) if np.issubdtype(x.dtype, np.integer) or x.dtype == np.bool_ else float(x)


def test_constants_that_rules_make_are_folded() -> None:
    graph = build("i32[8]", lambda b, x: b.mul(b.mul(b.mul(x, 3), 5), 7))
    after = Dce().run(Simplify().run(graph))
    assert [n.op.name for n in after.nodes] == ["constant", "mul"]


def test_rules_without_end_are_an_error() -> None:
    def around(b: Rewriter, op: Any, x: Value) -> Value:
        return b.exp(x)

    graph = build("f32[8]", lambda b, x: b.exp(x))
    with pytest.raises(RosinError, match="exp: rules set each other off without end"):
        Rewriter({exponential.Exp: (around,)}).rewrite(graph)


def test_regions_are_simplified_too() -> None:
    body = build("f32[8]", lambda b, x: b.neg(b.neg(b.exp(x))))
    graph = build("f32[8]", lambda b, x: b.node(Checkpoint(body), x))
    (call,) = check_pass(Simplify(), graph).nodes
    assert isinstance(call.op, Checkpoint)
    assert [n.op.name for n in Dce().run(call.op.body).nodes] == ["exp"]


def test_every_rule_states_its_formula() -> None:
    for rules in RULES.values():
        for rule in rules:
            assert inspect.getdoc(rule), rule


@given(random_graphs())
@examples(400)
def test_random_graphs_keep_every_bit(graph: Graph) -> None:
    after = check_pass(Simplify(), graph, seeds=(0, 1))
    assert Dce().run(Simplify().run(after)).key() == Dce().run(after).key()


@given(random_graphs())
@examples(200)
def test_random_graphs_keep_every_bit_after_folding(graph: Graph) -> None:
    check_pass(Simplify(), Fold().run(graph), seeds=(0, 1))


def test_a_graph_without_matches_is_given_back_as_it_is() -> None:
    graph = build("f32[8]", lambda b, x: b.sin(x))
    assert Simplify().run(graph) is graph


def test_rules_take_symbolic_sizes() -> None:
    """Rules that need numbers leave symbolic sizes alone, and the others work on them."""

    def make(b: Builder, x: Value, y: Value) -> list[Value]:
        n, m = x.type.shape
        rows = b.broadcast(y, (n, m), (1,))
        total = b.add(b.mul(rows, 3.0), b.broadcast(b.full(1.0, TensorType(dtypes.f32)), (n, m), ()))
        moved = b.transpose(b.transpose(x, (1, 0)), (1, 0))
        flat = b.reshape(b.reshape(moved, (n * m,)), (n, m))
        padded = b.pad(b.pad(flat, 0.0, (1, 0), (0, 0), (0, 0)), 0.0, (1, 0), (0, 0), (0, 0))
        part = b.slice(b.slice(x, (0, 0), (n, m), (1, 1)), (1, 0), (n, m), (1, 1))
        whole = b.concatenate([b.slice_axis(x, 0, 0, 1), b.slice_axis(x, 0, 1, n)], 0)
        return [total, flat, padded, part, whole, b.sum(b.reverse(rows, (0, 1)), (0, 1)), b.max(rows, (0,))]

    graph = build("f32[n, m] f32[m]", make)
    after = Dce().run(Simplify().run(graph))
    verify(after)
    assert [v.type for v in after.outputs] == [v.type for v in graph.outputs]
    # The product and sum are done on m numbers, and everything that came to x again is x.
    assert [n.results[0].type.rank for n in after.nodes if n.op.name in ("mul", "add")] == [1, 1]
    assert after.outputs[1] is after.outputs[4] is after.inputs[0]
