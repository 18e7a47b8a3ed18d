"""Whole models through StableHLO and XLA's CPU compiler, against the LLVM target."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from tests.models import MODELS

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("name", MODELS)
def test_xla_gives_what_llvm_gives(name: str) -> None:
    found = MODELS[name]()
    arguments = rosin.tree.map(rnp.asarray, found.arguments)
    ours = rosin.tree.leaves(rosin.compile(found.function)(*arguments))
    theirs = rosin.tree.leaves(rosin.compile(found.function, target="xla")(*arguments))
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(b, a, rtol=2e-5, atol=2e-6 * np.max(np.abs(a)))


def test_bits_and_normal_numbers_are_the_same_on_every_target() -> None:
    def draw(seed: Any) -> Any:
        key = rosin.random.key(seed)
        first, second = rosin.random.split(key)
        return rosin.random.bits(first, (5,)), rosin.random.uniform(second, (3, 2)), rosin.random.normal(first, (4,))

    seed = rnp.asarray(np.uint32(7))
    for a, b in zip(rosin.compile(draw)(seed), rosin.compile(draw, target="xla")(seed), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


PARALLEL = """
import numpy as np
import rosin
import rosin.numpy as rnp

def loss(w, x, y):
    return rnp.mean((rnp.tanh(x @ w["first"]) @ w["second"] - y) ** 2)

def step(w, x, y):
    value, slopes = rosin.value_and_grad(loss)(w, x, y)
    slopes = rosin.tree.map(lambda g: rosin.pmean(g, "data"), slopes)
    return {name: w[name] - 0.1 * slopes[name] for name in w}, rosin.pmean(value, "data")

rng = np.random.default_rng(0)
w = {"first": rng.normal(size=(3, 8)).astype("f"), "second": rng.normal(size=(8, 1)).astype("f")}
x, y = rng.normal(size=(32, 3)).astype("f"), rng.normal(size=(32, 1)).astype("f")
program = rosin.export(step, w, x[:8], y[:8], mesh={"data": 4}).to_bytes()
shards = [((w, x[i::4], y[i::4]), {}) for i in range(4)]
ours, theirs = (rosin.load(program, target).on_shards(shards) for target in ("llvm", "xla"))
slopes = rosin.grad(loss)({k: rnp.asarray(v) for k, v in w.items()}, rnp.asarray(x), rnp.asarray(y))
for (a, _), (b, _) in zip(ours, theirs, strict=True):
    for name in w:
        np.testing.assert_allclose(b[name], a[name], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(b[name], w[name] - 0.1 * np.asarray(slopes[name]), rtol=1e-5, atol=1e-6)
"""


def test_a_data_parallel_step_over_four_devices() -> None:
    flags = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    done = subprocess.run([sys.executable, "-c", PARALLEL], env=flags, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_donated_parameters_are_taken_over() -> None:
    found = MODELS["mlp"]()
    step = rosin.compile(found.function, target="xla", donate_argnums=0)
    params, *data = rosin.tree.map(rnp.asarray, found.arguments)
    expected = params
    for _ in range(3):
        expected, _ = rosin.compile(found.function)(expected, *data)
        old, (params, _) = params, step(params, *data)
        with pytest.raises(rosin.RosinError, match="donated"):
            rnp.sum(old["bias"])
    np.testing.assert_allclose(params["bias"], expected["bias"], rtol=1e-5)


def test_sizes_that_are_symbols_are_numbers_for_each_program() -> None:
    f = rosin.compile(lambda x: rnp.cumsum(x) * x.shape[0], target="xla", dynamic={"x": {0: "n"}})
    for n in (1, 2, 5):
        np.testing.assert_array_equal(f(rnp.ones(n)), np.arange(1, n + 1) * n)
    assert len(f.signatures()) == 1
