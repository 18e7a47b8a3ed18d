"""Every op with symbolic sizes: compiled once, run at several sizes, each result that of the op at these sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from rosin.ir import dims
from rosin.ir.errors import ConstraintError, RosinError
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Fold, Op, Push, Running
from rosin.ir.ops.contract import Convolution
from rosin.ir.ops.control import Control
from rosin.ir.ops.fourier import Transform
from rosin.ir.ops.index import Indexed
from rosin.ir.ops.movement import Pad
from rosin.ir.ops.window import Windowed
from rosin.ir.specialize import specialize
from rosin.ir.transform.batch import batch_graph
from rosin.runtime.compile_path import compile_graph
from rosin.runtime.executable import Executable
from tests.backends.test_conformance_llvm import assert_agrees
from tests.samples import Array, Sample, all_samples, applied, finfo, spread, type_of, wide
from tests.samples.matrix import canonical, settled
from tests.symbolic import resized, sizes_of, symbolic

SAMPLES = [(sample, graph) for sample in all_samples() if (graph := symbolic(sample)) is not None]
BATCHED = [s for s in all_samples() if s.operands and s.batches and not s.label.startswith("special")]
"""Special values say nothing about sizes, which the first test runs them with anyway."""


def other_sizes(sample: Sample) -> list[dict[str, int]]:
    """The sample's own sizes first, then smaller and larger ones."""
    own = sizes_of(sample)
    return [own, *({name: change(n) for name, n in own.items()} for change in CHANGES)]


CHANGES = (lambda n: 1, lambda n: 0, lambda n: 2 * n + 1, lambda n: 9 * n)


def legal(graph: Graph, sizes: Mapping[str, int]) -> bool:
    """Whether the graph has a meaning at these sizes."""
    try:
        specialize(graph, sizes)
    except (RosinError, ValueError):
        return False
    return True


def fits(executable: Executable, operands: Sequence[Array]) -> bool:
    try:
        executable.bind(operands)
    except ConstraintError:
        return False
    return True


def stricter(op: Op) -> bool:
    """Whether symbolic sizes are asked for more than numbers are.

    Windows that may be larger than what they slide over, and neighbours of elements that may not be there, have sizes
    that are no polynomials; some example must take part in a loop that others do not; and that no place of an axis is
    looked for, so that it may be empty, is known of numbers alone.
    """
    return isinstance(op, Convolution | Windowed | Pad | Control | Indexed)


def check(executable: Executable, graph: Graph, operands: Sequence[Array], sample: Sample) -> None:
    found, expected = (canonical(sample.op, results) for results in (executable(*operands), evaluate(graph, operands)))
    for actual, value in zip(found, expected, strict=True):
        dtype = type_of(value).dtype
        if isinstance(sample.op, Fold | Running | Push | Control | Transform) and dtype.differentiable and value.size:
            # Longer sums than the sample's lose more of what cancels in them.
            finite = wide(value[np.isfinite(value)])
            lost = 256 * float(finfo(dtype).eps) * float(np.max(np.abs(finite), initial=0.0))
            assert_agrees(actual, value, replace(sample, atol=max(sample.atol, lost)))
        else:
            assert_agrees(actual, value, sample)


@pytest.mark.parametrize(("sample", "graph"), spread(*zip(*SAMPLES, strict=True), quick=16))
def test_symbolic_sizes(sample: Sample, graph: Graph) -> None:
    executable = compile_graph(graph, "llvm")
    names = graph.symbols()
    for sizes in other_sizes(sample):
        mine = {name: n for name, n in sizes.items() if name in names}
        operands = settled(sample.op, resized(graph, sample.operands, mine))
        if not legal(graph, mine):
            assert sizes != sizes_of(sample)
        elif stricter(sample.op) and not fits(executable, operands):
            assert any(0 in v.type.shape for v in specialize(graph, mine).values()), "something is empty"
        else:
            check(executable, graph, operands, sample)


@pytest.mark.parametrize("sample", spread(BATCHED, quick=16))
def test_symbolic_batches(sample: Sample) -> None:
    graph = batch_graph(applied(sample.op, sample.types), [True] * len(sample.operands), dims.symbol("batch"))
    executable = compile_graph(graph, "llvm")
    for count in (3, 1, 0, 10):
        examples = [np.array([np.roll(x, k) for k in range(count)], x.dtype) for x in sample.operands]
        operands = [many.reshape(count, *x.shape) for many, x in zip(examples, sample.operands, strict=True)]
        operands = settled(sample.op, operands)
        if stricter(sample.op) and not fits(executable, operands):
            assert count == 0
        else:
            check(executable, graph, operands, sample)
