"""Ops and graphs with symbolic sizes, made of samples that have numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from rosin.ir import dims
from rosin.ir.dims import Dim
from rosin.ir.errors import RosinError
from rosin.ir.graph import Graph
from rosin.ir.literal import Literal
from rosin.ir.op import Op
from rosin.ir.specialize import specialize
from rosin.ir.types import TensorType
from tests.samples import Array, Sample, applied


def symbol_of(size: int) -> Dim:
    """The symbol that stands for a size of a sample; 0 and 1 stay, since ops treat them apart."""
    return dims.symbol(f"d{size}") if size > 1 else size


def sizes_of(sample: Sample) -> dict[str, int]:
    """The numbers that the symbols stand for in the sample."""
    return {f"d{size}": size for x in sample.operands for size in x.shape if size > 1}


def symbolic(sample: Sample) -> Graph | None:
    """The op of the sample over symbolic sizes, as many as its type rule takes; None where it takes none."""
    known = {size for x in sample.operands for size in x.shape if size > 1}
    for count in range(len(known), 0, -1):
        for chosen in itertools.combinations(sorted(known), count):
            for graph in _attempts(sample, set(chosen)):
                return graph
    return None


def _attempts(sample: Sample, chosen: set[int]) -> Iterator[Graph]:
    def new(size: int) -> Dim:
        return symbol_of(size) if size in chosen else size

    types = [t.with_shape(tuple(new(n) if isinstance(n, int) else n for n in t.shape)) for t in sample.types]
    wanted = applied(sample.op, sample.types)
    for op in _ops(sample.op, chosen):
        try:
            graph = applied(op, types)
            found = specialize(graph, {f"d{n}": n for n in chosen})
        except (RosinError, ValueError, TypeError, AssertionError):
            continue
        if found == wanted and graph.symbols():
            yield graph


def _ops(op: Op, chosen: set[int]) -> Iterator[Op]:
    """The op with sizes among its attributes replaced in every way that comes to mind, but not in too many."""
    places = {f.name: _variants(getattr(op, f.name), chosen) for f in fields(op) if _holds_sizes(f.type)}
    for values in itertools.islice(itertools.product(*places.values()), 64):
        yield replace(op, **dict(zip(places, values, strict=True))) if places else op


def _holds_sizes(annotation: object) -> bool:
    return any(word in str(annotation) for word in ("Dim", "TensorType", "Literal"))


def _variants(value: Any, chosen: set[int]) -> list[Any]:
    match value:
        case bool():
            return [value]
        case int():
            return [*_sizes(value, chosen), value]
        case TensorType():
            return [value.with_shape(shape) for shape in _shapes(value.shape, chosen)]
        case Literal() if value.is_splat:
            return [Literal(value.type.with_shape(s), value.array) for s in _shapes(value.type.shape, chosen)]
        case tuple() if value and all(isinstance(part, TensorType) for part in value):
            return list(itertools.islice(itertools.product(*(_variants(part, chosen) for part in value)), 64))
        case tuple() if all(isinstance(part, int) for part in value):
            return _shapes(value, chosen)
        case _:
            return [value]


def _shapes(shape: Sequence[Any], chosen: set[int]) -> list[tuple[Dim, ...]]:
    each = [[*_sizes(n, chosen), n] for n in shape]
    return list(itertools.islice(itertools.product(*each), 64))


def _sizes(number: int, chosen: set[int]) -> list[Dim]:
    """Symbolic sizes that are this number in the sample."""
    found: list[Dim] = [symbol_of(number)] if number in chosen else []
    factors = [a for a in sorted(chosen) if number % a == 0 and number // a in chosen]
    return found + [symbol_of(a) * symbol_of(number // a) for a in factors]


def resized(graph: Graph, operands: Sequence[Array], sizes: Mapping[str, int]) -> list[Array]:
    """Operands like those of a sample, of the shapes that the graph's inputs have at these sizes."""
    shapes = [[dims.evaluate(dim, sizes) for dim in v.type.shape] for v in graph.inputs]
    return [_filled(x, shape) for x, shape in zip(operands, shapes, strict=True)]


def _filled(x: Array, shape: Sequence[int]) -> Array:
    """The numbers of an array again and again, at another shape; the same array at its own."""
    if tuple(shape) == x.shape or x.size == 0:
        return x if tuple(shape) == x.shape else np.zeros(shape, x.dtype)
    return np.resize(x.ravel(), shape)
