"""Ops over an axis of the mesh of devices that a program runs on: what they tell one another, and how arrays lie there.

Devices are numbered along the axes of the mesh in row-major order, and each runs the program on a shard of its own.
"""

from __future__ import annotations

import math

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs, rows
from rosin.backends.stablehlo.sharding import place_text
from rosin.backends.stablehlo.types import type_text
from rosin.ir.dtypes import i32, u32
from rosin.ir.errors import UnsupportedError
from rosin.ir.op import Op, Types
from rosin.ir.ops import collective as ops
from rosin.ir.sharding import check_cuts
from rosin.ir.types import TensorType


def _groups(e: Emitter, op: ops.NamedAxis) -> list[list[int]]:
    """The devices that are told apart by their place along the op's axis alone, group by group."""
    stride, size = _place(e, op)
    count = math.prod(e.mesh.values())
    starts = [device for device in range(count) if device // stride % size == 0]
    return [[start + stride * i for i in range(size)] for start in starts]


def _place(e: Emitter, op: ops.NamedAxis) -> tuple[int, int]:
    """How far apart neighbours along the axis are numbered, and how many there are."""
    if op.axis not in e.mesh:
        mesh = ", ".join(map(repr, e.mesh)) or "none"
        message = f"stablehlo: {op.name}: the axis {op.axis!r} has no meaning outside a batch over it"
        raise UnsupportedError(f"{message}, or a mesh of devices that has it; the axes of the mesh are {mesh}")
    if op.size != e.mesh[op.axis]:
        sizes = f"{op.size} examples, and the mesh {e.mesh[op.axis]} devices"
        raise UnsupportedError(f"stablehlo: {op.name}: the axis {op.axis!r} has {sizes}")
    axes = list(e.mesh)
    return math.prod(e.mesh[axis] for axis in axes[axes.index(op.axis) + 1 :]), e.mesh[op.axis]


def _adder(e: Emitter, x: Ref) -> str:
    left, right = e.inputs([TensorType(x.dtype)] * 2, ("left", "right"))
    return e.region((left, right), lambda: [e.add(left, right)])


def _sum(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.AxisSum)
    groups = f"replica_groups = {rows(_groups(e, op))}"
    return e.call("stablehlo.all_reduce", operands, *results, attributes=groups, regions=(_adder(e, operands[0]),))


def _gather(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.AxisGather)
    row = e.reshape(operands[0], (1, *operands[0].shape))
    attributes = f"all_gather_dim = 0 : i64, replica_groups = {rows(_groups(e, op))}"
    return e.call("stablehlo.all_gather", (row,), *results, attributes=attributes)


def _sum_scatter(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.AxisSumScatter)
    row = results[0].with_shape((1, *results[0].shape))
    attributes = f"scatter_dimension = 0 : i64, replica_groups = {rows(_groups(e, op))}"
    regions = (_adder(e, operands[0]),)
    (found,) = e.call("stablehlo.reduce_scatter", operands, row, attributes=attributes, regions=regions)
    return (e.reshape(found, results[0].sizes),)


def _permute(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.AxisPermute)
    pairs = [[group[source], group[target]] for group in _groups(e, op) for source, target in op.pairs]
    attributes = f"source_target_pairs = {rows(pairs)}"
    return e.call("stablehlo.collective_permute", operands, *results, attributes=attributes)


def _index(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.AxisIndex)
    stride, size = _place(e, op)
    device = e.op("stablehlo.replica_id", (), TensorType(u32))[0]
    along = e.div(device, e.like(stride, device))
    return (e.convert(e.one("stablehlo.remainder", along, e.like(size, along)), i32),)


def _constraint(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.ShardingConstraint)
    if not e.spread:
        return operands
    (x,) = operands
    check_cuts(x.type, op.axes, e.spread, f"stablehlo: {op.name}")
    text = f"sdy.sharding_constraint {x.name} {place_text(op.axes, x.type.rank)} : {type_text(x.type)}"
    return e.statement(text, results)


LOWER: dict[type[Op], Lower] = {
    ops.AxisSum: _sum,
    ops.AxisGather: _gather,
    ops.AxisSumScatter: _sum_scatter,
    ops.AxisPermute: _permute,
    ops.AxisIndex: _index,
    ops.ShardingConstraint: _constraint,
}
