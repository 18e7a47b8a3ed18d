"""Tracing: what is recorded, captured, named and located; and that nothing traced gets out."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend import core, source
from rosin.frontend import trace as tr
from rosin.frontend.staging import Input, stage
from rosin.ir import dtypes
from rosin.ir.errors import ShapeError, TraceError
from rosin.ir.location import of_instruction
from rosin.ir.types import TensorType

X = TensorType(dtypes.f32, (3,))


def names_of(function: Any, *types: TensorType) -> list[str]:
    """The names of the nodes' results."""
    staged = stage(lambda xs: function(*xs), [Input(t, f"x{i}") for i, t in enumerate(types or (X,))], "f")
    return [v.name for node in staged.graph.nodes for v in node.results]


def test_only_what_outputs_need_is_recorded() -> None:
    def f(x: Any) -> Any:
        rnp.exp(x)
        return rnp.sin(x)

    assert len(stage(lambda xs: f(*xs), [Input(X, "x")], "f").graph.nodes) == 1


def test_everything_is_recorded_while_tracing() -> None:
    with tr.Trace("f"):
        assert core.is_tracer(rnp.ones(3))
        assert core.is_tracer(rnp.asarray(2.0))
        assert core.is_tracer(rnp.asarray([1.0, 2.0]) + 1)
    assert not core.is_tracer(rnp.ones(3))


def test_captures_are_shared_and_by_reference() -> None:
    table = np.ones(3, np.float32)

    def f(x: Any) -> Any:
        return x * table + rnp.asarray(table)

    staged = stage(lambda xs: f(*xs), [Input(X, "x")], "f")
    assert len(staged.captures) == 1
    assert staged.captures[0] is table
    assert staged.graph.inputs[1].name == "table"


def test_captures_of_an_outer_trace() -> None:
    def f(x: Any) -> Any:
        inner = stage(lambda ys: ys[0] * x, [Input(X, "y")], "inner")
        assert len(inner.captures) == 1
        assert inner.captures[0] is x
        return core.apply(inner.graph, inner.operands([x]))[0]

    np.testing.assert_array_equal(rosin.compile(f)(np.full(3, 3.0)), np.full(3, 9.0))


def test_names_come_from_assignments() -> None:
    def f(x: Any) -> Any:
        y = rnp.sin(x)
        z: Any = y * y
        w = rnp.mean(z)  # a sum and a division: the name goes to the last
        return w + (y := rnp.cos(y)).sum()

    assert names_of(f) == ["y", "z", "", "", "w", "", "", ""][: len(names_of(f))]


def test_names_in_a_loop_and_of_closure_variables() -> None:
    total = None

    def f(x: Any) -> Any:
        nonlocal total
        for _ in range(2):
            x = rnp.sin(x)
        total = rnp.exp(x)
        return total

    assert names_of(f) == ["x", "x", "total"]
    total = None


def test_names_in_a_function_that_is_called_again() -> None:
    def layer(x: Any) -> Any:
        y = rnp.sin(x)
        return y * 2

    def f(x: Any) -> Any:
        first = layer(x)
        return layer(first)

    assert [name for name in names_of(f) if name] == ["y", "first", "y"]


def test_every_node_of_a_transform_has_a_line() -> None:
    def f(x: Any) -> Any:
        return rosin.grad(lambda x: rnp.sum(rnp.tanh(x) ** 3))(x) + 1

    assert all(node.location is not None for node in rosin.compile(f).ir(np.ones(3)).nodes)


def test_unpacked_results_are_named() -> None:
    def pair(x: Any) -> Any:
        return core.apply(inner.graph, [x])

    inner = stage(lambda xs: (rnp.sin(xs[0]), rnp.cos(xs[0])), [Input(X, "x")], "inner")

    def f(x: Any) -> Any:
        a, b = rosin.checkpoint(lambda x: (rnp.sin(x), rnp.cos(x)))(x)
        return a * b

    staged = stage(lambda xs: f(*xs), [Input(X, "x")], "f")
    assert [v.name for v in staged.graph.nodes[0].results] == ["a", "b"]
    assert len(pair(rnp.ones(3))) == 2


def test_names_of_instructions() -> None:
    def frame_names() -> tuple[str, ...]:
        frame = sys._getframe(1)
        return source.assignment(frame)[1]

    first = frame_names()
    second, third = frame_names() or ("", "")
    box = {"k": frame_names()}
    assert first == ("first",)
    assert (second, third) == ("", "")
    assert box["k"] == ()


def test_every_node_has_the_user_line() -> None:
    def f(x: Any) -> Any:
        y = rnp.var(x)
        return y * 2

    graph = rosin.compile(f).ir(np.ones(3))
    lines = [node.location.line for node in graph.nodes if node.location]
    assert len(lines) == len(graph.nodes)
    start = f.__code__.co_firstlineno
    assert set(lines) == {start + 1, start + 2}
    assert {node.location.file for node in graph.nodes if node.location} == {__file__}


def test_locations_have_columns() -> None:
    def f(x: Any) -> Any:
        return rnp.sin(x) + rnp.cos(x)

    (sin, cos, add) = rosin.compile(f).ir(np.ones(3)).nodes
    assert sin.location is not None
    assert cos.location is not None
    assert add.location is not None
    assert sin.location.end_column - sin.location.column == len("rnp.sin(x)")
    assert add.location.end_column - add.location.column == len("rnp.sin(x) + rnp.cos(x)")
    assert "^" * len("rnp.cos(x)") in cos.location.describe()


def test_a_location_past_the_code_is_that_of_the_function() -> None:
    code = test_locations_have_columns.__code__
    assert of_instruction(code, 1 << 20).line == code.co_firstlineno


def leak() -> Any:
    kept: list[Any] = []
    rosin.vmap(lambda x: kept.append(x * 2) or x)(np.ones((3, 2)))
    return kept[0]


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x + 1,
        lambda x: rnp.sin(x),
        lambda x: rosin.compile(lambda y: y + x)(1.0),
        lambda x: rosin.compile(lambda y: y)(x),
        lambda x: rosin.grad(lambda y: (y * x).sum())(1.0),
        lambda x: rosin.vmap(lambda y: y)(x),
        lambda x: np.asarray(x),
        float,
    ],
)
def test_leaks_are_refused(use: Any) -> None:
    with pytest.raises(TraceError, match=r"leaked: .* was traced in _lambda|leaked: .* was traced in lambda"):
        use(leak())
    assert not core.tracing()


def test_a_leak_into_another_trace_names_both_places() -> None:
    with pytest.raises(TraceError) as caught:
        rosin.vmap(lambda x: x)(leak())
    assert "it was made here" in str(caught.value)
    assert str(caught.value).count(__file__) == 2


def test_traced_values_print_and_copy() -> None:
    def f(x: Any) -> Any:
        assert repr(x) == "Traced(x: f32[2, 3])"
        assert f"{x}" == repr(x)
        for other in (copy.deepcopy(x), copy.copy(x)):
            assert other is not x
            assert repr(other) == repr(x)
        return x

    rosin.compile(f)(np.ones((2, 3), np.float32))


@pytest.mark.parametrize(
    ("use", "tool"),
    [
        (lambda x: 1 if x else 0, "rosin.numpy.where"),
        (lambda x: x and 1, "rosin.numpy.where"),
        (int, "static_argnames"),
        (float, "static_argnames"),
        (lambda x: x.item(), "static_argnames"),
        (lambda x: x.tolist(), "static_argnames"),
        (lambda x: range(x.astype(rnp.int32)), "static_argnames"),
        (lambda x: [1, 2][x.astype(rnp.int32)], "static_argnames"),
        (lambda x: f"{x:.2f}", "static_argnames"),
        (np.sin, "rosin.numpy"),
        (np.asarray, "rosin.numpy"),
        (lambda x: np.asarray([1.0]) @ [x], "rosin.numpy"),
        (pickle.dumps, "return it"),
    ],
)
def test_uses_that_need_the_number_name_the_tool(use: Any, tool: str) -> None:
    with pytest.raises(TraceError) as caught:
        rosin.compile(rosin.no_rewrite(lambda x: (use(x), x)[1]))(1.0)
    assert tool in str(caught.value)
    assert "`x` of type f32[]" in str(caught.value) or "this value of type i32[]" in str(caught.value)
    assert caught.value.location is not None


def test_static_facts_of_traced_values_are_known() -> None:
    def f(x: Any) -> Any:
        assert x.shape == (2, 3)
        assert x.ndim == 2
        assert x.size == 6
        assert len(x) == 2
        assert x.dtype == rnp.float32
        assert x.nbytes == 24
        return sum(row * i for i, row in enumerate(x))

    np.testing.assert_array_equal(rosin.compile(f)(rnp.ones((2, 3))), [1, 1, 1])


def test_inputs_too_large_to_address_are_refused() -> None:
    with pytest.raises(ShapeError, match="argument x of f"):
        stage(lambda xs: xs[0], [Input(TensorType(dtypes.f32, (1 << 62, 4)), "x")], "f")


def test_what_is_being_traced_is_told() -> None:
    seen: list[tuple[rosin.debug.Tracing, ...]] = []

    def inner(x: Any) -> Any:
        seen.append(rosin.debug.traces())
        return rnp.sum(x)

    def outer(x: Any) -> Any:
        seen.append(rosin.debug.traces())
        return rosin.scan(lambda c, row: (c, rosin.grad(inner)(row)), 0, x)[1]

    rosin.vmap(outer)(rnp.ones((2, 3, 4)))
    assert rosin.debug.traces() == ()
    assert [(t.transform, t.function) for t in seen[0]] == [("vmap", "outer")]
    assert [t.transform for t in seen[-1]] == ["vmap", "scan", "grad"]
    # One object as long as the trace lasts.
    assert seen[-1][0] is seen[0][0]
