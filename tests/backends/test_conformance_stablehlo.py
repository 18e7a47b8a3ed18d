"""Every op as StableHLO, over the samples in tests/samples: XLA's CPU compiler takes the text, and gives what the NumPy
meaning gives. All samples of an op are one program.

XLA takes numbers that are too small to be normal for zeros, before and after each operation: they are not told apart.
"""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rosin.backends.stablehlo.lowering import DECLINED, TABLE
from rosin.backends.stablehlo.ops.effect import HOSTED
from rosin.backends.stablehlo.program import module_text
from rosin.ir import dtypes, ops
from rosin.ir.builder import Builder
from rosin.ir.errors import UnsupportedError
from rosin.ir.formula import Formula
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import REGISTRY, Elementwise, Op
from rosin.ir.ops.call import Call, StopGradient
from rosin.ir.ops.sweeps import Sweeps
from rosin.passes.inline import Inline
from rosin.runtime.xla import Loaded, parsed
from tests.backends.test_conformance_llvm import assert_agrees
from tests.samples import Array, Sample, all_samples, applied, finfo, wide
from tests.samples.matrix import canonical

for _module in pkgutil.walk_packages(ops.__path__, f"{ops.__name__}."):
    importlib.import_module(_module.name)

SAMPLES = {
    name: list(group)
    for name, group in itertools.groupby(sorted(all_samples(), key=lambda s: s.op.name), lambda s: s.op.name)
}

ULPS = {
    "atanh": 16,
    "cos": 16,
    "cosh": 16,
    "erfc": 1024,
    "erfinv": 4096,
    "polygamma": 64,
    "sin": 16,
    "sinh": 16,
}
"""Functions that XLA computes less accurately than we do."""

ABSOLUTE = {"digamma": 1e-6, "lgamma": 1e-6, "eigh": 1e-7, "polygamma": 1e-6, "while": 1e-15}
"""Those of f32 that XLA computes with an absolute error, next to their zeros; eigenvectors, and what
loops add up, of any type."""


def test_every_op_is_lowered_or_declined_with_a_reason() -> None:
    by_expansion = {name for name, op in REGISTRY.items() if issubclass(op, Call | StopGradient | Formula)}
    lowered = {op.name for op in TABLE}
    assert lowered.isdisjoint(DECLINED)
    assert set(REGISTRY) == lowered | set(DECLINED) | by_expansion
    assert all(reason for reason in DECLINED.values())


def _declines(op: Op) -> bool:
    return op.name in DECLINED or (isinstance(op, Sweeps) and any(map(op.kept, range(len(op.legs)))))


def _runs(op: Op) -> bool:
    """Whether XLA's CPU client runs it, be it by calling Python."""
    return op.name in HOSTED or not _declines(op)


@pytest.mark.parametrize("name", SAMPLES)
def test_declined_ops_say_why(name: str) -> None:
    for sample in filter(lambda s: _declines(s.op), SAMPLES[name]):
        with pytest.raises(UnsupportedError, match=r"^stablehlo: "):
            module_text(_graph(sample))


def _graph(sample: Sample) -> Graph:
    return Inline().run(applied(sample.op, sample.types))


@pytest.mark.peers
@pytest.mark.parametrize("name", [name for name, group in SAMPLES.items() if any(_runs(s.op) for s in group)])
def test_xla_agrees_with_the_meaning(name: str) -> None:
    samples = [s for s in SAMPLES[name] if _runs(s.op)]
    if isinstance(samples[0].op, Formula):
        for sample in _joined(samples):
            _assert_runs([sample])
    else:
        _assert_runs(samples)


def _joined(samples: list[Sample]) -> list[Sample]:
    """Samples of a formula as one for each element type: XLA takes seconds for its thousands of steps."""
    groups: dict[Any, list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.op, *(x.dtype for x in sample.operands)), []).append(sample)
    joined: list[Sample] = []
    for group in groups.values():
        columns = zip(*(s.operands for s in group), strict=True)
        operands = tuple(np.concatenate([np.ravel(x) for x in column]) for column in columns)
        most = max(s.ulps for s in group), max(s.atol for s in group)
        joined.append(replace(group[0], operands=operands, ulps=most[0], atol=most[1]))
    return joined


def _assert_runs(samples: list[Sample]) -> None:
    """XLA gives for the samples of an op, in one program, what NumPy gives."""
    name = samples[0].op.name
    b = Builder()
    results = []
    for sample in samples:
        graph = _graph(sample)
        results.append(b.inline(graph, [b.input(v.type) for v in graph.inputs]))
    hosted: list[Op] = []
    text = module_text(b.graph([v for found in results for v in found]), hosted=hosted)
    assert bool(hosted) == (name in HOSTED and name in DECLINED)
    program = Loaded(text, hosted=hosted)
    outputs = iter(program([np.ascontiguousarray(x) for s in samples for x in s.operands]))
    for sample, values in zip(samples, results, strict=True):
        found = [next(outputs) for _ in values]
        expected = evaluate(_graph(sample), sample.operands)
        for actual, wanted in zip(canonical(sample.op, found), canonical(sample.op, expected), strict=True):
            _assert_agrees(actual, wanted, sample)


def _assert_agrees(actual: Array, expected: Array, sample: Sample) -> None:
    dtype = dtypes.from_numpy(expected.dtype)
    if not dtype.differentiable:
        assert_agrees(_judged(actual, sample), _judged(expected, sample), sample)
        return
    atol = _least(expected)
    if dtype.part == dtypes.f32 or sample.op.name in ("eigh", "while"):
        atol = max(atol, ABSOLUTE.get(sample.op.name, 0.0))
    sample = replace(sample, ulps=max(sample.ulps, ULPS.get(sample.op.name, 4)), atol=sample.atol + atol)
    try:
        assert_agrees(_judged(actual, sample), _judged(expected, sample), sample)
    except AssertionError as error:
        error.add_note(str(sample))
        raise


def _judged(x: Array, sample: Sample) -> Array:
    """What is compared: sorts without numbers that XLA takes for zeros, elementwise ops without their results."""
    if sample.op.name == "argsort":
        (operand,) = sample.operands
        return _flushed(np.take_along_axis(operand, x, -1))
    if sample.op.name == "sort":
        return _flushed(x)
    if not isinstance(sample.op, Elementwise) or sample.op.name == "bitcast":
        return x
    tiny = np.zeros(x.shape, bool)
    for operand in sample.operands:
        for part in (np.real(wide(operand)), np.imag(wide(operand))):
            tiny |= (part != 0) & (np.abs(part) < _least(operand))
    return np.where(tiny, np.zeros((), x.dtype), x)


def _least(x: Array) -> float:
    """The least number that XLA tells from zero."""
    dtype = dtypes.from_numpy(x.dtype)
    return float(finfo(dtype).tiny) if dtype.differentiable and dtype != dtypes.f16 else 0.0


def _flushed(x: Array) -> Array:
    return np.where(np.abs(x) < _least(x), np.zeros((), x.dtype), x) if _least(x) else x


# -- StableHLO's own interpreter ---------------------------------------------------------------------------------------

UNINTERPRETED = ("complex<", "custom_call", "stablehlo.cholesky", "stablehlo.fft", "stablehlo.triangular_solve")
"""What stands in texts that jaxlib's reference interpreter does not take, or cannot be given: it ends the process."""


def _small(sample: Sample) -> bool:
    """Whether the interpreter takes the operands, and will not need long."""
    kinds = all(x.dtype.kind in "fiu" and x.dtype.itemsize >= 4 and 0 < x.size < 40 for x in sample.operands)
    return kinds and bool(sample.operands) and not _declines(sample.op)


INTERPRETED = {name: next(filter(_small, group)) for name, group in SAMPLES.items() if any(map(_small, group))}


@pytest.mark.peers
@pytest.mark.parametrize("name", INTERPRETED)
def test_the_reference_interpreter_agrees_with_the_meaning(name: str) -> None:
    from jaxlib.mlir import ir, passmanager

    sample = INTERPRETED[name]
    text = module_text(_graph(sample))
    if any(word in text for word in UNINTERPRETED):
        pytest.skip("the reference interpreter does not know an operation of it")
    module, stablehlo = parsed(text)
    with module.context as context:
        stablehlo.register_interpreter_dialect(context)
        passes = "builtin.module(func.func(chlo-legalize-to-stablehlo))"
        passmanager.PassManager.parse(passes).run(module.operation)
        given = [_attribute(ir, np.array(x, order="C")) for x in sample.operands]
        found = [np.array(x) for x in stablehlo.eval_module(module, given)]
    for actual, expected in zip(found, evaluate(_graph(sample), sample.operands), strict=True):
        _assert_agrees(actual.reshape(expected.shape).astype(expected.dtype), expected, sample)


def _attribute(ir: Any, x: Array) -> Any:
    if x.dtype.kind != "u":
        return ir.DenseElementsAttr.get(x)
    return ir.DenseElementsAttr.get(x, type=ir.IntegerType.get_unsigned(8 * x.dtype.itemsize), shape=x.shape)
