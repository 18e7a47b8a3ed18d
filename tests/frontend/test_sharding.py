"""Programs of whole arrays that are spread over the devices of a mesh: their text, and that they give the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin import PartitionSpec
from rosin.ir.errors import RosinError
from rosin.runtime import xla
from tests.models import numbers

Golden = Callable[[str, str], None]
MESH = {"data": 2, "model": 2}


def layer(x: Any, w: Any) -> Any:
    h = rosin.with_sharding_constraint(rnp.tanh(x @ w), PartitionSpec("data", "model"))
    return rnp.sum(h, axis=0), h


def exported(**shardings: Any) -> Any:
    return rosin.export(layer, rosin.spec("f32[8, 4]"), rosin.spec("f32[4, 6]"), mesh=MESH, **shardings)


def test_the_text_says_how_arrays_lie(golden: Golden) -> None:
    program = exported(
        in_shardings=(PartitionSpec(("data", "model")), PartitionSpec(None, "model")),
        out_shardings=(None, PartitionSpec("data", "model")),
    )
    golden("stablehlo/spread.txt", program.stablehlo().partition("\n#loc")[0] + "\n")


@pytest.mark.peers
def test_the_text_is_verified() -> None:
    xla.verify(exported(in_shardings=PartitionSpec("data")).stablehlo())


def test_one_device_has_all() -> None:
    x, w = numbers(8, 4), numbers(4, 6, seed=1)
    data = exported(in_shardings=PartitionSpec("data")).to_bytes()
    for target in ("llvm", "interpreter"):
        for a, b in zip(rosin.load(data, target)(x, w), layer(rnp.asarray(x), rnp.asarray(w)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_constraint_is_nothing_where_there_is_one_device() -> None:
    x = rnp.ones((4, 4))
    f = rosin.compile(lambda x: rosin.with_sharding_constraint(x, PartitionSpec("data")) + 1)
    assert "sharding" not in f.text(x, stage="inline")
    assert "sdy" not in f.text(x, stage="stablehlo")
    np.testing.assert_array_equal(f(x), 2)
    np.testing.assert_array_equal(rosin.with_sharding_constraint(x, PartitionSpec("data")), 1)


def test_it_has_a_derivative_and_a_batch() -> None:
    def f(x: Any) -> Any:
        return rnp.sum(rosin.with_sharding_constraint(rnp.sin(x), PartitionSpec("data")) ** 2)

    text = rosin.export(
        lambda x: rosin.vmap(rosin.grad(f))(x), rosin.spec("f32[4, 8]"), mesh=MESH, in_shardings=PartitionSpec("model")
    ).stablehlo()
    # The value on its way forward, and the cotangent on its way back.
    assert text.count('sdy.sharding_constraint %sin <@mesh, [{}, {"data"}]>') == 1
    assert text.count('<@mesh, [{}, {"data"}]>') == 2


def test_names() -> None:
    spec = PartitionSpec("data", None, ("a", "b"))
    assert repr(spec) == "PartitionSpec('data', None, ('a', 'b'))"
    assert spec == PartitionSpec("data", None, ("a", "b"))
    assert len({spec, PartitionSpec("data", None, ("a", "b")), PartitionSpec()}) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: exported(in_shardings=(PartitionSpec("rows"), None)),
            r"export: argument x of layer: the mesh has no axis 'rows'; it has 'data', 'model'",
        ),
        (
            lambda: exported(out_shardings=(PartitionSpec(None, "data"), None)),
            r"export: result 0 of layer: 2 axes are cut, and it has 1",
        ),
        (
            lambda: rosin.export(layer, *map(rosin.spec, ("f32[5, 4]", "f32[4, 6]")), mesh=MESH, in_shardings=ROWS),
            r"argument x of layer: axis 0 of size 5 is cut along 'data' into 2 parts, which would differ in size",
        ),
        (lambda: exported(in_shardings=(None,)), r"export: in_shardings \(None,\) does not fit the tree"),
        (lambda: exported(out_shardings="data"), r"export: out_shardings holds PartitionSpec and None, not 'data'"),
        (
            lambda: rosin.export(rnp.exp, rosin.spec("f32[4]"), in_shardings=PartitionSpec("data")),
            r"export: exp has shardings, and no mesh of devices that they are about",
        ),
        (lambda: exported(in_shardings=ROWS).bytecode(), r"layer is spread over devices, which StableHLO's bytecode"),
        (
            lambda: exported(in_shardings=ROWS).on_shards([]),
            r"layer takes whole arrays, which are spread",
        ),
        (
            lambda: rosin.with_sharding_constraint(rnp.ones(3), PartitionSpec(None, "data")),
            r"sharding_constraint: says how 2 axes are cut, of an operand that has 1",
        ),
    ],
)
def test_what_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((RosinError, TypeError), match=message):
        make()


ROWS = PartitionSpec("data")

SPREAD = """
import numpy as np
import rosin
from rosin import PartitionSpec as P
from tests.frontend.test_sharding import layer
from tests.models import MODELS, numbers

found = MODELS["mlp"]()
params, x, labels = found.arguments[0], numbers(16, 6), np.arange(16, dtype=np.int32) % 4
lie = {"first": P(None, "model"), "bias": P("model"), "second": P("model")}
step = rosin.export(
    found.function, params, x, labels, mesh={"data": 2, "model": 2},
    in_shardings=(lie, P("data"), P("data")), out_shardings=(lie, None),
)
x8, w = numbers(8, 4), numbers(4, 6, seed=1)
small = rosin.export(layer, x8, w, mesh={"data": 4, "model": 1}, in_shardings=(P("data"), None))
sized = rosin.export(
    layer, rosin.spec("f32[n, 4]"), w, mesh={"data": 2, "model": 2}, in_shardings=(P(("data", "model")), None)
)
for program, arguments in ((step, (params, x, labels)), (small, (x8, w)), (sized, (x8, w)), (sized, (x8[:4], w))):
    ours, theirs = (rosin.load(program.to_bytes(), target)(*arguments) for target in ("llvm", "xla"))
    for a, b in zip(rosin.tree.leaves(ours), rosin.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)
"""


@pytest.mark.peers
def test_four_devices_give_what_one_gives() -> None:
    flags = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    done = subprocess.run([sys.executable, "-c", SPREAD], env=flags, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
