"""Whole models compiled ahead of time for TPUs, of which there need not be one; a slow test, which needs libtpu."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin import PartitionSpec
from rosin.ir.errors import AttributeValueError
from rosin.runtime import tpu
from tests.models import MODELS, mlp_loss

TOPOLOGIES = ("v4:2x2x1", "v5e:2x2", "v5p:2x2x1", "v6e:2x2")


@pytest.fixture
def libtpu() -> None:
    pytest.importorskip("libtpu", reason='libtpu is not installed: pip install "rosin[tpu]"')


def exported(name: str) -> Any:
    model = MODELS[name]()
    arguments = rosin.tree.map(lambda x: np.asarray(x, np.float32) if np.ndim(x) == 0 else x, model.arguments)
    return rosin.export(model.function, *arguments)


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.usefixtures("libtpu")
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("name", MODELS)
def test_models_compile_for_every_chip(name: str, topology: str) -> None:
    program = exported(name)
    found = tpu.compile_for(program.stablehlo(), topology)
    assert found.flops > 0
    assert found.bytes > 0
    assert 0 < found.total < found.chip.memory
    assert 0 < found.peak <= 1


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.usefixtures("libtpu")
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_mixed_precision_takes_less_time(topology: str) -> None:
    """Products of f32 take several passes over bf16 parts, which the compiler counts as cycles."""

    def layers(x: Any, v: Any, w: Any) -> Any:
        return rnp.sum(rnp.tanh(x @ v) @ w)

    shapes = [rosin.spec("f32[1024, 1024]")] * 3
    plain, mixed = (
        tpu.compile_for(rosin.export(f, *shapes).stablehlo(), topology)
        for f in (layers, rosin.mixed_precision()(layers))
    )
    assert 0 < mixed.cycles < plain.cycles or plain.unread


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.usefixtures("libtpu")
def test_programs_for_four_chips() -> None:
    params, x, labels = MODELS["mlp"]().large
    rows = PartitionSpec("data")

    def slopes(params: Any, x: Any, labels: Any) -> Any:
        return rosin.grad(mlp_loss)(params, x, labels)

    def own(params: Any, x: Any, labels: Any) -> Any:
        return rosin.pmean(slopes(params, x, labels), "data")

    mesh = {"data": 4}
    spread = rosin.export(slopes, params, x, labels, mesh=mesh, in_shardings=(None, rows, rows))
    part = rosin.export(own, params, rosin.spec("f32[64, 784]"), rosin.spec("i32[64]"), mesh=mesh)
    for program, is_spread in ((spread, True), (part, False)):
        found = tpu.compile_for(program.stablehlo(), "v5e:2x2", 4, is_spread)
        assert "all-reduce" in found.text


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.usefixtures("libtpu")
def test_a_plugin_that_did_not_begin() -> None:
    """As JAX leaves it where another process has libtpu: loaded, and no more."""
    code = """
import libtpu
from jaxlib import xla_client
from rosin.runtime import tpu
xla_client.load_pjrt_plugin_dynamically("tpu", libtpu.__path__[0] + "/libtpu.so")
print(len(tpu._topology("v5e:2x2", "v5litepod-4")))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "4", found.stderr


def test_too_few_chips() -> None:
    with pytest.raises(AttributeValueError, match="v5e:1x1 has 1 chips, and the program is for 4"):
        tpu.compile_for("", "v5e:1x1", 4)


def test_how_much_of_the_peak_there_is() -> None:
    chip = tpu.CHIPS["v5e"]
    memory = {"code": 1, "arguments": 20, "results": 30, "shared": 10, "temporary": 5}
    found = tpu.Compiled("v5e:1x1", chip, chip.flops, chip.bandwidth * 2, 0, memory, 0, (), "")
    assert (found.seconds, found.peak, found.total) == (2, 0.5, 46)
    assert tpu.Compiled("v5e:1x1", chip, 0, 0, 0, memory, 0, (), "").peak == 0


def test_a_function_of_the_report_names_the_way_out() -> None:
    from rosin.frontend.tpu_report import advice
    from rosin.passes import pipeline

    def lines(f: Any) -> list[str]:
        graph = rosin.export(f, rosin.spec("f32[128, 128]")).graph
        return list(advice(pipeline.run(graph, pipeline.STABLEHLO_PASSES)))

    def f(x: Any) -> Any:
        return rnp.tanh(x @ x)

    assert "rosin.mixed_precision" in lines(f)[0]
    assert not lines(rosin.mixed_precision()(f))
