"""The command line: what it prints, what it refuses, and the TPU compiler behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin.cli import main
from rosin.frontend.cli import find, optimized
from rosin.frontend.tpu_report import advice, padded_bytes, paddings, size_text
from rosin.ir.types import parse_type

PROGRAM = """
import rosin
import rosin.numpy as rnp


def step(w, x):
    value, slope = rosin.value_and_grad(lambda w: rnp.sum(rnp.tanh(x @ w)))(w)
    return w - 0.1 * slope, value


saved = rosin.export(step, rosin.spec("f32[256, 10]"), rosin.spec("f32[64, 256]"))
number = 3
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    file = tmp_path / "model.py"
    file.write_text(PROGRAM)
    return str(file)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (":missing", "has no missing"),
        (":number", "is a int, and no function or exported program"),
        (":step", 'tell the types of its arguments, as in --arg "f32[64, 256]"'),
        (":saved --topology v9:1", "'v9:1' is no topology of TPUs; one reads like v5e:2x2, for a generation of v4"),
        (":saved --topology v5e", "'v5e' is no topology of TPUs"),
        (":step --arg f32", "'f32' is not a type"),
        (":saved --size n", "--size: 'n' is no size, as n=64 is one"),
        (":saved --size n=8", "step has no symbolic sizes, and was given n"),
        (
            ":step --arg f32[256,10] --arg f32[n,256]",
            "step has the symbolic sizes n, and was given none",
        ),
    ],
)
def test_what_is_refused(program: str, rest: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tpu-check", *f"{program}{rest}".split()]) == 1
    assert message in capsys.readouterr().err


def test_a_missing_file_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tpu-check", "nowhere.py:f", "--arg", "f32[2]"]) == 1
    assert "there is no file nowhere.py" in capsys.readouterr().err


def test_programs_are_found(program: str, tmp_path: Path) -> None:
    exported = find(f"{program}:saved", ())
    assert str(exported).startswith("step(w: f32[256, 10], x: f32[64, 256])")
    assert find(f"{program}:step", ["f32[256, 10]", "f32[64, 256]"]).graph == exported.graph
    exported.save(tmp_path / "step.rosin")
    assert find(str(tmp_path / "step.rosin"), ()).graph == exported.graph


def test_padding() -> None:
    assert padded_bytes(parse_type("f32[8, 128]")) == 8 * 128 * 4
    assert padded_bytes(parse_type("f32[9, 1]")) == 16 * 128 * 4
    assert padded_bytes(parse_type("bf16[9, 1]")) == 16 * 128 * 2
    assert padded_bytes(parse_type("f32[3]")) == 8 * 128 * 4
    assert padded_bytes(parse_type("i8[5, 33, 128]")) == 5 * 64 * 128
    assert [size_text(n) for n in (3, 1536, 5 << 30)] == ["3 B", "1.5 KiB", "5 GiB"]


def test_advice_names_what_costs_and_where(program: str) -> None:
    graph = optimized(find(f"{program}:saved", ()))
    assert str(paddings(graph)[0]) == "w: f32[256, 10] takes 128 KiB for 10 KiB"
    lines = list(advice(graph))
    assert lines[0].startswith(
        "2 products are of f32: with bf16 factors (rosin.mixed_precision) they take one pass and not six ("
    )
    assert "model.py:7" in lines[0]
    assert "multiples of 128" in lines[1]
    narrow = rosin.export(lambda x: x @ x, rosin.spec("bf16[128, 128]"))
    assert not list(advice(optimized(narrow)))
    double = rosin.export(lambda x: rosin.while_loop(lambda x: rnp.sum(x) < 9, lambda x: x + 1, x), np.ones(2))
    assert [line.split(":")[0].split(",")[0] for line in advice(optimized(double))][-1].startswith(
        "1 loop is of unknown"
    )


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.parametrize("topology", ["v4:2x2x1", "v5e:2x2", "v5p:2x2x1", "v6e:2x2"])
def test_programs_compile_for_tpus(program: str, topology: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("libtpu")
    assert main(["tpu-check", f"{program}:saved", "--topology", topology]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"step compiles for {topology}\n  work        ")
    assert "advice      2 products are of f32" in text
