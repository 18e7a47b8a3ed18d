"""Every fact that every op states, over the samples in tests/samples."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from rosin.ir import dims, ops
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.errors import NotDifferentiableError
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import REGISTRY, Elementwise, Undifferentiable
from rosin.ir.ops.collective import NamedAxis
from rosin.ir.parser import parse
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.ir.transform.jvp import jvp_graph
from rosin.ir.types import TensorType, parse_type
from rosin.ir.verify import verify
from tests.differentiation import (
    Array,
    assert_adjoint,
    assert_near,
    difference,
    push,
    random_directions,
    vjp_graph,
)
from tests.samples import (
    Bad,
    Sample,
    Symbolic,
    all_bad,
    all_samples,
    all_symbolic,
    applied,
    finfo,
    references,
    spread,
    type_of,
    wide,
)

for _module in pkgutil.iter_modules(ops.__path__):
    importlib.import_module(f"{ops.__name__}.{_module.name}")

SAMPLES = all_samples()


def by_op(samples: Iterable[Sample]) -> pytest.MarkDecorator:
    """Over the samples, all of one op in one test: for tests that take less time than pytest does for one more."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.op.name, []).append(sample)
    return pytest.mark.parametrize("samples", found.values(), ids=found)


@contextmanager
def naming(sample: Sample) -> Iterator[None]:
    """Errors say which sample they are about."""
    try:
        yield
    except Exception as error:
        error.add_note(f"of the sample {sample}")
        raise


def _seed(sample: Sample) -> int:
    return zlib.crc32(str(sample).encode())


def _graph(sample: Sample) -> Graph:
    return applied(sample.op, sample.types)


def _evaluated(sample: Sample) -> Sequence[Array]:
    return evaluate(_graph(sample), sample.operands)


def _operand_types(sample: Sample) -> tuple[TensorType, ...]:
    """What the op's own rules see: the types of one example, for an op over a named axis."""
    named = isinstance(sample.op, NamedAxis)
    return tuple(t.with_shape(t.shape[1:]) if named else t for t in sample.types)


def _in_f64(sample: Sample) -> tuple[Array, ...]:
    return tuple(wide(x) if t.dtype.differentiable else x for x, t in zip(sample.operands, sample.types, strict=True))


def _moving(sample: Sample) -> list[bool]:
    """Which operands to differentiate by."""
    chosen = sample.differentiable
    return [t.dtype.differentiable and (chosen is None or i in chosen) for i, t in enumerate(sample.types)]


DIFFERENTIABLE = [s for s in SAMPLES if s.smooth and any(_moving(s)) and not isinstance(s.op, Undifferentiable)]
over_differentiable = pytest.mark.parametrize("sample", spread(DIFFERENTIABLE))


# -- every op is there ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_op_has_samples(name: str) -> None:
    op = REGISTRY[name]
    assert any(type(s.op) is op for s in SAMPLES), f"{name} has no sample in tests/samples"
    assert any(type(b.op) is op for b in all_bad()), f"{name} has no bad input in tests/samples"
    assert op in references(), f"{name} has no reference in tests/samples"


# -- types -----------------------------------------------------------------------------------------------------------


@by_op(SAMPLES)
def test_type_rule_is_what_eval_gives_and_cost_is_whole_numbers(samples: Sequence[Sample]) -> None:
    for sample in samples:
        with naming(sample):
            _check_types_and_cost(sample)


def _check_types_and_cost(sample: Sample) -> None:
    results = tuple(map(type_of, _evaluated(sample)))
    if isinstance(sample.op, NamedAxis):
        results = tuple(t.with_shape(t.shape[1:]) for t in results)
    types = _operand_types(sample)
    assert results == sample.op.type(*types)
    cost = sample.op.cost(types, results)
    assert isinstance(cost.flops, int)
    assert isinstance(cost.bytes, int)
    assert min(cost.flops, cost.bytes) >= 0


@pytest.mark.parametrize("bad", all_bad(), ids=str)
def test_type_rule_refuses(bad: Bad) -> None:
    with pytest.raises(bad.error, match=bad.message) as caught:
        bad.op.type(*bad.types)
    assert caught.value.message.startswith(bad.op.name)
    assert all(str(t) in str(caught.value) for t in bad.types)


@pytest.mark.parametrize("symbolic", all_symbolic(), ids=str)
def test_type_rule_over_symbols(symbolic: Symbolic) -> None:
    results = symbolic.op.type(*map(parse_type, symbolic.operands))
    assert results == tuple(map(parse_type, symbolic.results))


ELEMENTWISE = {type(s.op): s for s in SAMPLES if isinstance(s.op, Elementwise)}


@pytest.mark.parametrize("sample", ELEMENTWISE.values(), ids=lambda s: s.op.name)
def test_elementwise_type_rule_over_symbols(sample: Sample) -> None:
    shape = (dims.symbol("n"), dims.symbol("m") * 2 + 1, 3)
    (result,) = sample.op.type(*(t.with_shape(shape) for t in sample.types))
    assert result.shape == shape
    assert result.dtype == sample.op.type(*sample.types)[0].dtype


# -- meaning ---------------------------------------------------------------------------------------------------------


def _rounded(value: object, type: TensorType) -> Array:
    """What a reference gave, in the result's element type: integers wrap around, floats are rounded."""
    array = np.asarray(value)
    if array.dtype == object and type.dtype.is_integer:
        modulus, low = 1 << type.dtype.bits, int(type.dtype.lowest)
        wrapped = [(int(v) - low) % modulus + low for v in array.ravel()]
        return np.asarray(wrapped, type.dtype.numpy).reshape(array.shape)
    if array.dtype == object:
        double = np.complex128 if type.dtype.is_complex else np.float64
        array = array.astype(double if type.dtype.differentiable else type.dtype.numpy)
    with np.errstate(all="ignore"):
        return array.astype(type.dtype.numpy)


def assert_close(actual: Array, expected: Array, sample: Sample) -> None:
    type = type_of(expected)
    assert type_of(actual) == type
    if not type.dtype.differentiable:
        np.testing.assert_array_equal(actual, expected)
        return
    info = finfo(type.dtype)
    x, y = wide(actual), wide(expected)
    rtol = max(4 * float(info.eps), sample.rtol or 0.0)
    atol = sample.atol + 4 * float(info.smallest_subnormal)
    if not type.dtype.is_complex:
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)
        return
    # What is beside a NaN is left open by C99; what is beside an infinity is a number by itself.
    x, y = np.where(np.isnan(x), np.nan, x), np.where(np.isnan(y), np.nan, y)
    finite = np.isfinite(y)
    np.testing.assert_allclose(x[finite], y[finite], rtol=rtol, atol=atol)
    for part in (np.real, np.imag):
        np.testing.assert_allclose(part(x[~finite]), part(y[~finite]), rtol=rtol, atol=atol)


@by_op(s for s in SAMPLES if references().get(type(s.op)))
def test_meaning_is_the_reference(samples: Sequence[Sample]) -> None:
    for sample in samples:
        with naming(sample):
            _check_meaning(sample)


def _check_meaning(sample: Sample) -> None:
    reference = references()[type(sample.op)]
    assert reference is not None
    with np.errstate(all="ignore"):
        expected = reference(sample.op, *(sample.operands if hasattr(reference, "raw") else _in_f64(sample)))
    expected = expected if isinstance(expected, tuple) else (expected,)
    for actual, value in zip(_evaluated(sample), expected, strict=True):
        assert_close(actual, _rounded(value, type_of(actual)), sample)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.op.expansion() is not None], ids=str)
def test_expansion_means_the_same(sample: Sample) -> None:
    body = sample.op.expansion()
    assert body is not None
    for actual, expected in zip(evaluate(body, sample.operands), _evaluated(sample), strict=True):
        assert_close(actual, expected, sample)


# -- derivatives -----------------------------------------------------------------------------------------------------


@over_differentiable
def test_jvp_and_vjp(sample: Sample) -> None:
    operands = _in_f64(sample)
    graph = applied(sample.op, [type_of(x) for x in operands])
    tangents = random_directions([type_of(x) for x in operands], _moving(sample), _seed(sample))
    expected = difference(graph, operands, tangents, sample.step)
    if sample.forward:
        expected_name, pushed = "jvp", push(graph, operands, tangents)
        assert_near(pushed, expected, sample.derivative_rtol, expected_name)
        if sample.reverse:
            assert_adjoint(graph, operands, tangents, pushed, sample.adjoint_rtol, _seed(sample))
    else:
        assert_adjoint(graph, operands, tangents, expected, sample.derivative_rtol, _seed(sample))


DEAR = {"hyp2f1", "bessel_jv", "bessel_yv", "bessel_iv", "betaincc", "betaincinv"}
"""Ops whose second derivatives take a second or more, by rules that are much like those of bessel_kv and betainc."""


def _twice() -> Iterable[Any]:
    for parameter in spread(s for s in DIFFERENTIABLE if s.reverse):
        (sample,) = parameter.values
        dear = isinstance(sample, Sample) and sample.op.name in DEAR
        yield pytest.param(sample, id=parameter.id, marks=pytest.mark.slow) if dear else parameter


@pytest.mark.parametrize("sample", list(_twice()))
def test_second_derivatives(sample: Sample) -> None:
    """Forward over reverse against finite differences of reverse, and reverse over reverse against that."""
    operands = _in_f64(sample)
    graph = applied(sample.op, [type_of(x) for x in operands])
    backward = vjp_graph(graph, _moving(sample))
    outputs = [v.type for v in graph.outputs if v.type.dtype.differentiable]
    cotangents = random_directions(outputs, [True] * len(outputs), _seed(sample) + 1)
    arguments = [*operands, *(c for c in cotangents if c is not None)]
    moving = [*_moving(sample), *(True for _ in outputs)]
    tangents = random_directions([type_of(x) for x in arguments], moving, _seed(sample) + 2)
    expected = difference(backward, arguments, tangents, sample.step)
    pushed = push(backward, arguments, tangents)
    assert_near(pushed, expected, 10 * sample.derivative_rtol, "jvp of vjp")
    assert_adjoint(backward, arguments, tangents, pushed, sample.adjoint_rtol, _seed(sample))


@pytest.mark.parametrize("sample", [s for s in SAMPLES if isinstance(s.op, Undifferentiable)], ids=str)
def test_derivative_of_an_undifferentiable_op_is_an_error(sample: Sample) -> None:
    assert isinstance(sample.op, Undifferentiable)
    b = Builder()
    operands = tuple(b.input(t) for t in sample.types)
    results = b.node(sample.op, *operands)
    with pytest.raises(NotDifferentiableError, match=sample.op.name) as caught:
        sample.op.jvp(b, operands, results, operands)
    assert sample.op.reason in caught.value.message
    with pytest.raises(NotDifferentiableError, match=sample.op.name):
        sample.op.vjp(b, operands, results, results)


# -- batching --------------------------------------------------------------------------------------------------------


def _examples(sample: Sample, count: int) -> list[tuple[Array, ...]]:
    """The sample, and variations of it: elements in other places and, where that is safe, other values."""

    def varied(x: Array, k: int) -> Array:
        rolled = np.roll(x, k)
        return rolled + np.asarray(0.001 * k, x.dtype) if sample.smooth and type_of(x).dtype.differentiable else rolled

    return [tuple(varied(x, k) for x in sample.operands) for k in range(count)]


def _subsets(count: int) -> list[tuple[bool, ...]]:
    """Every choice of batched operands but none; of more than three operands, each alone and all."""
    if count <= 3:
        return [flags for flags in itertools.product((False, True), repeat=count) if any(flags)]
    return [*(tuple(i == k for i in range(count)) for k in range(count)), (True,) * count]


def _same(actual: Array, expected: Array) -> None:
    """Equal but for the order of summation."""
    assert type_of(actual) == type_of(expected)
    if not type_of(expected).dtype.differentiable:
        np.testing.assert_array_equal(actual, expected)
        return
    x, y = wide(actual), wide(expected)
    eps = float(finfo(type_of(expected).dtype).eps)
    size = float(np.max(np.abs(y), initial=0.0, where=np.isfinite(y)))
    np.testing.assert_allclose(x, y, rtol=8 * eps, atol=32 * eps * min(size, 1e3))


@pytest.mark.parametrize("sample", spread(s for s in SAMPLES if s.operands and s.batches))
def test_batch_is_a_loop_over_examples(sample: Sample) -> None:
    graph, count = _graph(sample), 3
    examples = _examples(sample, count)
    for flags in _subsets(len(sample.operands)):
        batched = batch_graph(graph, flags, count)
        verify(batched)
        columns = zip(zip(*examples, strict=True), flags, strict=True)
        results = evaluate(batched, [np.stack(column) if flag else column[0] for column, flag in columns])
        for k, example in enumerate(examples):
            mixed = [own if flag else first for own, first, flag in zip(example, examples[0], flags, strict=True)]
            for many, one in zip(results, evaluate(graph, mixed), strict=True):
                _same(many[k], one)


@pytest.mark.parametrize("sample", spread(s for s in SAMPLES if s.operands and s.smooth and s.batches))
def test_nested_batches(sample: Sample) -> None:
    """Two batches of one graph: the inner one over the last operand, the outer one over all."""
    graph, outer, inner = _graph(sample), 2, 3
    flags = [i == len(sample.operands) - 1 for i in range(len(sample.operands))]
    nested = batch_graph(batch_graph(graph, flags, inner), [True] * len(flags), outer)
    verify(nested)
    examples = _examples(sample, outer * inner)
    columns: list[Array] = []
    for position, flag in enumerate(flags):
        column = [example[position] for example in examples]
        rows = [np.stack(column[k * inner : (k + 1) * inner]) if flag else column[k * inner] for k in range(outer)]
        columns.append(np.stack(rows))
    results = evaluate(nested, columns)
    for i, j in itertools.product(range(outer), range(inner)):
        mixed = [columns[p][i, j] if flag else columns[p][i] for p, flag in enumerate(flags)]
        for many, one in zip(results, evaluate(graph, [np.asarray(x) for x in mixed]), strict=True):
            _same(many[i, j], one)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if isinstance(s.op, NamedAxis) and s.operands], ids=str)
def test_named_axes_inside_another_batch(sample: Sample) -> None:
    """A batch along an axis of no name, and then one along the axis of the op's."""
    assert isinstance(sample.op, NamedAxis)
    b = Builder()
    example = b.graph(b.node(sample.op, *(b.input(t) for t in _operand_types(sample))))
    flags, columns = [True] * len(sample.operands), list(zip(*_examples(sample, 2), strict=True))
    nested = batch_graph(batch_graph(example, flags, 2), flags, sample.op.size, sample.op.axis)
    verify(nested)
    results = evaluate(nested, [np.stack(column, 1) for column in columns])
    for k in range(2):
        for many, one in zip(results, evaluate(_graph(sample), [column[k] for column in columns]), strict=True):
            _same(many[:, k], one)


# -- text ------------------------------------------------------------------------------------------------------------


def _related(
    graph: Graph,
    moving: Sequence[bool],
    batched: Sequence[bool],
    size: Dim,
    forward: bool = True,
    reverse: bool = True,
) -> Sequence[Graph]:
    """A graph, and those that the rules of its ops make."""
    found = [graph]
    if graph.inputs:
        found.append(batch_graph(graph, batched, size))
    if any(moving) and not any(isinstance(node.op, Undifferentiable) for node in graph.nodes):
        if reverse:
            found.append(vjp_graph(graph, moving))
        if forward:
            found.append(jvp_graph(graph, moving)[0])
    return found


def _verify_and_read_back(graph: Graph) -> None:
    verify(graph)
    again = parse(text(graph))
    verify(again)
    assert again == graph, text(graph)
    assert hash(again) == hash(graph)
    assert text(again) == text(graph)


@pytest.mark.parametrize("sample", spread(s for s in SAMPLES if s.batches))
def test_graphs_verify_and_read_back(sample: Sample) -> None:
    """In the element types of the sample."""
    batched = [True] * len(sample.operands)
    for graph in _related(_graph(sample), _moving(sample), batched, 2, sample.forward, sample.reverse):
        _verify_and_read_back(graph)


@pytest.mark.parametrize("symbolic", all_symbolic(), ids=str)
def test_symbolic_graphs_verify_and_read_back(symbolic: Symbolic) -> None:
    b = Builder()
    operands = [b.input(parse_type(t)) for t in symbolic.operands]
    graph = b.graph(b.node(symbolic.op, *operands))
    moving, batched = [v.type.dtype.differentiable for v in operands], [i == 0 for i in range(len(operands))]
    for related in _related(graph, moving, batched, dims.symbol("batch")):
        _verify_and_read_back(related)


@pytest.mark.parametrize("sample", ELEMENTWISE.values(), ids=lambda s: s.op.name)
def test_symbolic_elementwise_graphs_verify_and_read_back(sample: Sample) -> None:
    shape = (dims.symbol("n"), dims.symbol("m") * 2 + 1)
    b = Builder()
    operands = [b.input(t.with_shape(shape)) for t in sample.types]
    graph = b.graph(b.node(sample.op, *operands))
    for related in _related(graph, _moving(sample), [True] * len(operands), dims.symbol("batch")):
        _verify_and_read_back(related)
