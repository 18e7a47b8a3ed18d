"""Graphs of derivatives and finite differences, for tests that compare the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.transform.jvp import jvp_graph
from rosin.ir.transform.vjp import vjp
from rosin.ir.types import TensorType
from tests.samples import wide

Array: TypeAlias = NDArray[Any]
MaybeArrays: TypeAlias = "Sequence[Array | None]"
"""Directions, None where the value does not move."""


def vjp_graph(graph: Graph, wanted: Sequence[bool]) -> Graph:
    """The graph from inputs and the cotangents of float outputs, to the cotangents of the wanted inputs."""
    b = Builder()
    primals = [b.input(v.type, v.name) for v in graph.inputs]
    outputs, pull = vjp(b, graph, primals, wanted)
    cotangents = [b.input(v.type, f"ct{i}") if v.type.dtype.differentiable else None for i, v in enumerate(outputs)]
    found = pull(cotangents)
    kept = [f or b.zeros(v.type) for f, v, w in zip(found, graph.inputs, wanted, strict=True) if w]
    return b.graph(kept, f"{graph.name}_vjp")


def push(graph: Graph, operands: Sequence[Array], tangents: MaybeArrays) -> list[Array]:
    """The tangents of the float outputs by forward mode."""
    forward, moves = jvp_graph(graph, [t is not None for t in tangents])
    results = evaluate(forward, [*operands, *(t for t in tangents if t is not None)])
    rest = iter(results[len(moves) :])
    found = [next(rest) if m else np.zeros_like(y) for m, y in zip(moves, results[: len(moves)], strict=True)]
    return [t for t, v in zip(found, graph.outputs, strict=True) if v.type.dtype.differentiable]


def pull(graph: Graph, operands: Sequence[Array], cotangents: Sequence[Array], wanted: Sequence[bool]) -> list[Array]:
    """The cotangents of the wanted inputs by reverse mode, given those of the float outputs."""
    return evaluate(vjp_graph(graph, wanted), [*operands, *cotangents])


def difference(graph: Graph, operands: Sequence[Array], tangents: MaybeArrays, step: float) -> list[Array]:
    """The tangents of the float outputs by central differences with one Richardson step, of error O(step⁴)."""

    def at(t: float) -> list[Array]:
        pairs = zip(operands, tangents, strict=True)
        values = evaluate(graph, [x if v is None else np.asarray(x + t * v, x.dtype) for x, v in pairs])
        return [wide(y) for y, v in zip(values, graph.outputs, strict=True) if v.type.dtype.differentiable]

    near = zip(at(step), at(-step), at(2 * step), at(-2 * step), strict=True)
    with np.errstate(all="ignore"):
        return [np.asarray((8 * (a - b) - (c - d)) / (12 * step)) for a, b, c, d in near]


def random_directions(types: Sequence[TensorType], moving: Sequence[bool], seed: int) -> list[Array | None]:
    """Normal random arrays of the types, None for what does not move."""
    rng = np.random.default_rng(seed)
    pairs = zip(types, moving, strict=True)
    return [_direction(rng, t) if m else None for t, m in pairs]


def _direction(rng: np.random.Generator, type: TensorType) -> Array:
    real = rng.standard_normal(type.sizes)
    if not type.dtype.is_complex:
        return np.asarray(real, type.dtype.numpy)
    return np.asarray(real + 1j * rng.standard_normal(type.sizes), type.dtype.numpy)


def inner(left: MaybeArrays, right: MaybeArrays) -> tuple[float, float]:
    """The inner product of two lists of arrays, and the sum of its terms' magnitudes.

    Of complex numbers it is the real part of the sum of products, in which none is conjugated: the transposes that
    reverse mode is made of belong to it.
    """
    total = size = 0.0
    for x, y in zip(left, right, strict=True):
        if x is not None and y is not None:
            terms = np.real(wide(x) * wide(y))
            total += float(terms.sum())
            size += float(np.abs(terms).sum())
    return total, size


def assert_near(actual: Sequence[Array], expected: Sequence[Array], rtol: float, what: str) -> None:
    """Fail unless each array differs by at most `rtol` of its own magnitude (of 1 when that is less)."""
    for position, (x, y) in enumerate(zip(actual, expected, strict=True)):
        scale = max(1.0, float(np.max(np.abs(y), initial=0.0)))
        message = f"{what}, result {position}"
        np.testing.assert_allclose(wide(x), y, rtol=rtol, atol=rtol * scale, err_msg=message)


def assert_adjoint(
    graph: Graph, operands: Sequence[Array], tangents: MaybeArrays, pushed: Sequence[Array], rtol: float, seed: int
) -> None:
    """Fail unless reverse mode is the adjoint of the map that gave `pushed` from `tangents`: ⟨c, Jv⟩ = ⟨Jᵀc, v⟩."""
    outputs = [v.type for v in graph.outputs if v.type.dtype.differentiable]
    cotangents = [c for c in random_directions(outputs, [True] * len(outputs), seed) if c is not None]
    wanted = [t is not None for t in tangents]
    pulled = pull(graph, operands, cotangents, wanted)
    left, left_size = inner(cotangents, pushed)
    right, right_size = inner(pulled, [t for t in tangents if t is not None])
    bound = rtol * max(1.0, left_size, right_size)
    assert abs(left - right) <= bound, f"vjp is not the adjoint of jvp: {right} instead of {left}, bound {bound}"
