"""Constant folding: what is folded, what is not, and that not one bit changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from rosin.ir import dims, dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.op import REGISTRY, Elementwise, Value
from rosin.ir.ops.call import Barrier, Checkpoint
from rosin.ir.ops.cast import Cast
from rosin.ir.ops.movement import Constant
from rosin.ir.printer import text
from rosin.ir.types import TensorType
from rosin.passes.dce import Dce
from rosin.passes.fold import Fold
from tests.passes.graphs import CONSTANTS, ELEMENTWISE, build, check_pass, random_graphs
from tests.thinning import examples

F32 = TensorType(dtypes.f32)


def folded(make: Callable[[Builder, Value], Any]) -> Graph:
    return Dce().run(check_pass(Fold(), build("f32[]", make), seeds=(0,)))


def constants(graph: Graph) -> list[Constant]:
    return [n.op for n in graph.nodes if isinstance(n.op, Constant)]


def array(b: Builder, *numbers: float) -> Value:
    return b.constant(np.array(numbers, np.float32), TensorType(dtypes.f32, (len(numbers),)))


def test_constants_are_computed(golden: Callable[[str, str], None]) -> None:
    def make(b: Builder, x: Value) -> list[Value]:
        spread = b.broadcast(b.exp(b.full(1.0, F32)), (1000, 1000), ())
        moved = b.transpose(b.reshape(b.mul(spread, 2.0), (500, 2000)), (1, 0))
        mixed = b.sum(b.mul(array(b, 1, 2, 3), array(b, -0.0, math.inf, 2)), (0,))
        return [moved, b.add(mixed, x), b.concatenate([array(b, 1, 2), array(b, 3)], 0)]

    graph = build("f32[]", make)
    after = Dce().run(check_pass(Fold(), graph, seeds=(0,)))
    golden("fold/constants.txt", f"{text(graph)}\n{text(after)}")


def test_a_splat_stays_one_number_at_any_size() -> None:
    graph = build("f32[]", lambda b, x: b.exp(b.broadcast(b.full(2.0, F32), (1 << 20, 1 << 20), ())))
    (constant,) = constants(Dce().run(Fold().run(graph)))
    assert constant.value.is_splat
    assert constant.value.type.shape == (1 << 20, 1 << 20)


def test_symbolic_sizes_do_not_keep_a_splat_from_folding() -> None:
    n = dims.symbol("n")
    graph = Dce().run(Fold().run(build("f32[]", lambda b, x: b.neg(b.broadcast(b.full(2.0, F32), (n,), ())))))
    (constant,) = constants(graph)
    assert constant.value.type.shape == (n,)
    assert constant.value.scalar == -2.0


def test_equal_elements_become_a_splat_and_zeros_of_either_sign_do_not() -> None:
    same, mixed = constants(folded(lambda b, x: [b.neg(array(b, -1, -1)), b.neg(array(b, 0.0, -0.0))]))
    assert same.value.is_splat
    assert not mixed.value.is_splat


def test_large_results_are_left() -> None:
    data = np.arange(1025, dtype=np.float32)
    make = lambda b, x: [b.exp(b.constant(data, TensorType(dtypes.f32, (1025,)))), x]
    assert Fold().run(graph := build("f32[]", make)) is graph
    assert "exp" not in [n.op.name for n in Fold(elements=1025).run(graph).nodes]


def test_a_reduction_of_a_large_constant_is_folded() -> None:
    data = np.arange(5000, dtype=np.float32)
    (constant,) = constants(folded(lambda b, x: b.sum(b.constant(data, TensorType(dtypes.f32, (5000,))), (0,))))
    assert constant.value.scalar == float(np.sum(data))


def test_a_huge_constant_is_not_read_at_compile_time() -> None:
    graph = build("f32[]", lambda b, x: b.sum(b.full(0.1, TensorType(dtypes.f32, (1 << 30,))), (0,)))
    assert Fold().run(graph) is graph


def test_iota_barriers_and_calls_are_left() -> None:
    def make(b: Builder, x: Value) -> list[Value]:
        one = b.full(1.0, F32)
        body = build("f32[]", lambda b, x: b.neg(x))
        return [b.iota(TensorType(dtypes.i32, (3,)), 0), b.node(Barrier(), one)[0], b.node(Checkpoint(body), one)[0]]

    graph = build("f32[]", make)
    assert Fold().run(graph) is graph


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_splats_fold_to_what_evaluation_gives(name: str) -> None:
    """The fold computes one number; evaluation runs NumPy's vector loops over many."""
    op: Any = REGISTRY[name]()
    assert isinstance(op, Elementwise)
    for dtype in (d for d in dtypes.ALL if d in op.accepts):
        for number in CONSTANTS:
            if not dtype.is_float and (not math.isfinite(number) or number != int(number) or number < 0):
                continue
            type = TensorType(dtype, (37,))
            operands = [type.with_dtype(dtypes.bool_) if name == "select" and i == 0 else type for i in range(op.arity)]

            def make(b: Builder, x: Value, operands: Any = operands, number: Any = number) -> Any:
                return b.node(op, *(b.full(2 if i else number, t) for i, t in enumerate(operands)))

            (constant,) = constants(folded(make))
            assert constant.value.is_splat


@pytest.mark.parametrize("target", dtypes.ALL)
def test_casts_of_splats(target: dtypes.DType) -> None:
    for number in CONSTANTS:
        folded(lambda b, x, n=number: b.node(Cast(target), b.full(n, TensorType(dtypes.f64, (37,)))))


@given(random_graphs())
@examples(200)
def test_random_graphs(graph: Graph) -> None:
    after = check_pass(Fold(), graph, seeds=(0, 1))
    assert Fold().run(after) is after
