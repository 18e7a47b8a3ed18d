"""The text of StableHLO programs: golden files of families of ops, names, places, donation, what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin.backends.stablehlo.lowering import FAMILIES
from rosin.backends.stablehlo.program import aliased, module_text
from rosin.backends.stablehlo.types import constant_text, type_text
from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.dims import symbol
from rosin.ir.errors import UnsupportedError
from rosin.ir.location import Location
from rosin.ir.ops.arithmetic import Add
from rosin.ir.ops.eigen import Eig
from rosin.ir.types import TensorType, parse_type
from rosin.passes.inline import Inline
from rosin.runtime import xla
from tests.samples import Sample, all_samples, applied

Golden = Callable[[str, str], None]
MOST_LINES, FIRST_LINES = 400, 40


def _of_family(family: Any) -> list[Sample]:
    """For each op of the family a sample of real numbers with an axis, if it has one."""
    every = sorted(all_samples(), key=lambda s: any(t.dtype.is_complex for t in s.types))
    groups = [[s for s in every if type(s.op) is op] for op in family.LOWER]
    return [next((s for s in group if s.operands and s.operands[0].ndim), group[0]) for group in groups]


def _beginning(text: str) -> str:
    """A text, or its first lines if it is so long that nobody reads it."""
    lines = text.split("\n")
    return text if len(lines) <= MOST_LINES else "\n".join([*lines[:FIRST_LINES], "// and so on\n"])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__.rpartition(".")[2])
def test_text_of_a_family(family: Any, golden: Golden) -> None:
    texts: list[str] = []
    for sample in _of_family(family):
        try:
            texts.append(_beginning(module_text(Inline().run(applied(sample.op, sample.types)))))
        except UnsupportedError as error:
            texts.append(f"// declined: {error.message}\n")
    golden(f"stablehlo/{family.__name__.rpartition('.')[2]}.txt", "\n".join(texts))


def test_text_of_formulas(golden: Golden) -> None:
    loops = next(s for s in all_samples() if s.op.name == "ellipk" and s.operands[0].ndim)
    plain = next(s for s in all_samples() if s.op.name == "logit" and s.operands[0].ndim)
    golden("stablehlo/formula.txt", "\n".join(module_text(applied(s.op, s.types)) for s in (plain, loops)))


def test_text_of_a_function_of_complex_numbers(golden: Golden) -> None:
    sample = next(s for s in all_samples() if s.op.name == "sqrt" and s.operands[0].dtype == np.complex64)
    golden("stablehlo/parts.txt", module_text(applied(sample.op, sample.types)))


def test_values_have_the_names_of_the_program_and_lines_its_places() -> None:
    b = Builder()
    x, w = b.input(parse_type("f32[2, 3]"), "x"), b.input(parse_type("f32[2, 3]"), "w")
    b.location = Location("model.py", 12, "layer", 8, 13)
    (h,) = b.node(Add(), x, w, names=("h",))
    text = module_text(b.graph((h,), "layer"))
    assert "%h = stablehlo.add %x, %w : tensor<2x3xf32> loc(#loc0)" in text
    assert text.endswith('#loc0 = loc("model.py":12:9)\n')
    assert "loc" not in module_text(b.graph((h,), "layer"), locations=False)


def test_a_donated_input_gives_its_memory_to_a_result_of_its_type() -> None:
    b = Builder()
    x, y = b.input(parse_type("f32[3]")), b.input(parse_type("f32[2]"))
    graph = b.graph((b.neg(y), b.neg(x), b.exp(x)))
    assert aliased(graph, (0, 1)) == {0: 1, 1: 0}
    assert "%arg: tensor<3xf32> {tf.aliasing_output = 1 : i32}" in module_text(graph, (0, 1))


@pytest.mark.parametrize(
    ("number", "dtype", "text"),
    [
        (0.1, "f32", "dense<0.1>"),
        (1.0, "bf16", "dense<1.0>"),
        (1e30, "f64", "dense<1.0E+30>"),
        (1.5e-8, "f32", "dense<1.5E-08>"),
        (float("inf"), "f32", "dense<0x7F800000>"),
        (float("-inf"), "f16", "dense<0xFC00>"),
        (1 - 2j, "c64", "dense<(1.0, -2.0)>"),
        (True, "bool", "dense<true>"),
        (255, "u8", "dense<255>"),
        ([[1, 2], [3, 4]], "i32", "dense<[[1, 2], [3, 4]]>"),
        (list(range(17)), "u8", 'dense<"0x000102030405060708090A0B0C0D0E0F10">'),
    ],
)
def test_constants(number: Any, dtype: str, text: str) -> None:
    kind = dtypes.BY_NAME[dtype]
    assert constant_text(np.asarray(number, kind.numpy), kind) == text


def test_types() -> None:
    assert type_text(parse_type("f32[]")) == "tensor<f32>"
    assert type_text(parse_type("u8[2, 0]")) == "tensor<2x0xui8>"
    assert type_text(parse_type("c128[3]")) == "tensor<3xcomplex<f64>>"
    with pytest.raises(ValueError, match="n is symbolic"):
        type_text(TensorType(dtypes.f32, (symbol("n"),)))


def test_a_declined_op_is_an_error_with_the_users_line() -> None:
    b = Builder()
    x = b.input(parse_type("f32[2, 2]"))
    b.location = Location("model.py", 7)
    graph = b.graph(b.node(Eig(False), x))
    with pytest.raises(
        UnsupportedError, match=r"(?s)stablehlo: eig: XLA has no algorithm.*eigh takes.*model.py"
    ) as error:
        module_text(graph)
    assert error.value.location == Location("model.py", 7)


def test_every_target_shows_its_stablehlo() -> None:
    def f(x: Any) -> Any:
        return rnp.sum(rnp.exp(x))

    text = rosin.compile(f).text(rnp.ones(3), stage="stablehlo")
    assert "stablehlo.exponential %x" in text
    assert "test_stablehlo_text.py" in text


def test_sizes_that_are_symbols_have_no_text() -> None:
    f = rosin.compile(lambda x: x + 1, dynamic={"x": 0})
    with pytest.raises(UnsupportedError, match=r"symbolic sizes .*dynamic=False"):
        f.text(rnp.ones(3), stage="stablehlo")


@pytest.mark.peers
def test_the_text_of_the_page_is_a_program() -> None:
    page = Path(rosin.__file__).parent.parent / "docs/stablehlo.md"
    (text,) = re.findall(r"```text\n(module @.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    xla.verify(re.sub(r" loc\(#loc\d+\)", "", text))
