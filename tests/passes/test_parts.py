"""Programs of complex numbers as programs of their parts."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from rosin.backends.llvm.program import program_text
from rosin.ir import dtypes, loop_printer, ops, steps
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import REGISTRY, Elementwise, Value
from rosin.ir.ops.scan import Scan
from rosin.ir.types import TensorType, parse_type
from rosin.passes import pipeline
from rosin.passes.parts.split import FUNCTIONS
from rosin.passes.to_loops import to_loops
from rosin.runtime.compile_path import compile_graph
from tests.passes.graphs import build
from tests.samples import draw

for _module in pkgutil.iter_modules(ops.__path__):
    importlib.import_module(f"{ops.__name__}.{_module.name}")

KERNELS: dict[str, tuple[str, Callable[..., Value]]] = {
    "product": ("c64[8, 16] c64[8, 16]", lambda b, x, y: b.mul(b.conj(x), y)),
    "matmul": ("c64[6, 5] c64[5, 9]", lambda b, x, y: b.matmul(x, y)),
    "running_product": ("c128[3, 7]", lambda b, x: b.cumprod(x, 1)),
    "largest_place": ("c64[4, 5]", lambda b, x: b.cast(b.argmax(b.real(x), 1), dtypes.c64)),
}


@pytest.mark.parametrize("name", KERNELS)
def test_programs(name: str, golden: Callable[[str, str], None]) -> None:
    types, make = KERNELS[name]
    golden(f"parts/{name}.txt", loop_printer.text(to_loops(pipeline.run(build(types, make)))))


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_function_of_complex_numbers_has_parts(name: str) -> None:
    op = REGISTRY[name]
    if not issubclass(op, Elementwise):
        return
    about = bool(op.accepts & dtypes.COMPLEX) or op.__module__ == "rosin.ir.ops.complex"
    assert (op in FUNCTIONS) == about


@pytest.mark.parametrize("name", KERNELS)
def test_nothing_is_complex_any_more(name: str) -> None:
    types, make = KERNELS[name]
    program = to_loops(pipeline.run(build(types, make)))
    buffers = [*program.arguments, *program.results, *program.constants, *program.arena, *program.data]
    assert not any(b.dtype.is_complex for b in buffers)
    for kernel in steps.leaves(program.steps):
        assert not any(e.dtype.is_complex for e in kernel.contents.expressions)


def test_layers_that_are_alike_share_kernels() -> None:
    b = Builder()
    x, *weights = (b.input(parse_type("c64[6, 6]"), f"x{i}") for i in range(9))
    for weight in weights:
        x = b.mul(b.matmul(x, weight), b.cast(b.rsqrt(b.add(b.abs(x), 0.5)), x.type.dtype))
    graph = b.graph([x])
    program = to_loops(pipeline.run(graph))
    assert any(isinstance(step, steps.Again) for step in steps.innermost(program.steps))
    operands = [draw(dtypes.c64, (6, 6), -1, 1, seed=i) for i in range(9)]
    (found,), (expected,) = compile_graph(graph, "llvm")(*operands), evaluate(graph, operands)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * float(np.abs(expected).max()))


def test_complex_numbers_that_never_lie_in_memory() -> None:
    graph = build("f32[9] f32[9]", lambda b, x, y: b.abs(b.exp(b.complex(x, y))))
    x, y = draw(dtypes.f32, (9,), seed=1), draw(dtypes.f32, (9,), seed=2)
    (found,) = compile_graph(graph, "llvm")(x, y)
    np.testing.assert_allclose(found, np.exp(x), rtol=1e-6)


@pytest.mark.parametrize("shape", [(16,), (7,), (37,), (5, 3)])
def test_memory_is_read_and_written_in_blocks(shape: Sequence[int]) -> None:
    """Rests of lines too, under masks, and an array that is written over."""
    operand = TensorType(dtypes.c64, tuple(shape))
    graph = build(str(operand), lambda b, x: b.mul(x, b.exp(x)))
    for donated in ((), (0,)):
        text = program_text(to_loops(pipeline.run(graph), 32, donated), 32)
        assert "masked.gather" not in text
        assert "masked.scatter" not in text


def _loop(step: Callable[[Builder, Value], Value], type: str, steps: int) -> Graph:
    b = Builder()
    state = b.input(parse_type(type))
    body = b.graph([step(b, state)], "body")
    outer = Builder()
    start = outer.input(parse_type(type))
    return outer.graph(outer.node(Scan(body=body, length=steps, carried=1, stacked=0, reverse=False), start))


@pytest.mark.parametrize("shape", ["", "3", "5, 9", "70, 70"])
@pytest.mark.parametrize("dtype", ["c64", "c128"])
def test_a_state_that_is_written_over_is_read_first(dtype: str, shape: str) -> None:
    """The new real part comes of the old imaginary part and the other way round."""
    turned = _loop(lambda b, z: b.complex(b.imag(z), b.neg(b.real(z))), f"{dtype}[{shape}]", 3)
    z = draw(turned.inputs[0].type.dtype, turned.inputs[0].type.sizes)
    (found,) = compile_graph(turned, "llvm")(z)
    np.testing.assert_array_equal(found, z * 1j)
