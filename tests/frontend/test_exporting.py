"""`export` and `load`: what a file holds, that it runs as the function did, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin.ir.errors import RosinError

SCALE = rnp.asarray(np.arange(3, dtype=np.float32))


def model(x: Any, *, params: Any) -> Any:
    h = rnp.tanh(x * SCALE) @ params["w"]
    return {"out": [h, None], "total": rnp.sum(h)}


PARAMS = {"w": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)}


def _same(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a["out"][0], b["out"][0], 1e-6)
    np.testing.assert_allclose(a["total"], b["total"], 1e-6)
    assert a["out"][1] is b["out"][1] is None


def test_a_loaded_program_is_the_function(tmp_path: Path) -> None:
    x = np.ones((2, 3), np.float32)
    rosin.export(model, x, params=PARAMS).save(tmp_path / "model.rosin")
    loaded = rosin.load(tmp_path / "model.rosin")
    assert str(loaded) == "model(x: f32[2, 3], params_w: f32[3, 4]) -> f32[2, 4], f32[]"
    _same(loaded(x, params=PARAMS), rosin.compile(model)(x, params=PARAMS))


def test_symbolic_sizes_stay_symbolic() -> None:
    specs = {"w": rosin.spec("f32[3, m]")}
    loaded = rosin.load(rosin.export(model, rosin.spec("f32[n, 3]"), params=specs).to_bytes())
    for n in (1, 5):
        x = np.full((n, 3), 0.5, np.float32)
        _same(loaded(x, params=PARAMS), model(rnp.asarray(x), params=PARAMS))
    assert "tensor<7x3xf32>" in loaded.stablehlo(n=7, m=4)


def test_sizes_become_numbers() -> None:
    program = rosin.export(model, rosin.spec("f32[n, 3]"), params={"w": rosin.spec("f32[3, m]")})
    fixed = rosin.load(program.at(n=2, m=4).to_bytes())
    assert str(fixed) == "model(x: f32[2, 3], params_w: f32[3, 4]) -> f32[2, 4], f32[]"
    x = np.ones((2, 3), np.float32)
    _same(fixed(x, params=PARAMS), program(x, params=PARAMS))
    assert fixed.at() is fixed
    n = rosin.dim("n", multiple_of=4)
    blocks = rosin.export(lambda x: rnp.sum(x.reshape(-1, 4), axis=1), rosin.spec(rosin.float32, (n,)))
    assert "tensor<8xf32>" in blocks.stablehlo(n=8)
    with pytest.raises(RosinError, match=r"needs n ?% ?4 == 0, which n=6 do not fit"):
        blocks.at(n=6)


def test_what_is_known_of_sizes_is_kept() -> None:
    n = rosin.dim("n", multiple_of=4)
    loaded = rosin.load(
        rosin.export(lambda x: rnp.sum(x.reshape(-1, 4), axis=1), rosin.spec(rosin.float32, (n,))).to_bytes()
    )
    assert loaded(np.ones(8, np.float32)).shape == (2,)
    with pytest.raises(RosinError, match=r"n%4 == 0|n % 4"):
        loaded(np.ones(6, np.float32))


def test_what_the_file_holds() -> None:
    data = rosin.export(model, np.ones((2, 3), np.float32), params=PARAMS).to_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert names[:3] == ["signature.json", "program.rosin", "program.mlir"]
        assert json.loads(archive.read("signature.json"))["version"] == 1
        assert archive.read("program.mlir").decode().startswith("module @model {\n")
    assert data == rosin.export(model, np.ones((2, 3), np.float32), params=PARAMS).to_bytes()


def test_what_is_refused() -> None:
    whole = rosin.export(model, rosin.spec("f32[n, 3]"), params=PARAMS)
    with pytest.raises(TypeError, match="symbolic sizes n, and was given none; give a number for each, as in n=8"):
        whole.stablehlo()
    with pytest.raises(TypeError, match="model takes"):
        whole(np.ones((2, 3), np.float32))
    with pytest.raises(RosinError, match=r"f64\[2, 3\], not f32\[n, 3\]"):
        whole(np.ones((2, 3)), params=PARAMS)
    with pytest.raises(TypeError, match="the bytes: no exported program"):
        rosin.load(b"no file")
    with pytest.raises(TypeError, match=r"export: x of model is .f32. of type str, which says no type"):
        rosin.export(model, "f32", params=PARAMS)
    with pytest.raises(RosinError, match="symbolic size m cannot be read from an argument"):
        rosin.export(rnp.sum, rosin.spec("f32[n*m]"))
    with pytest.raises(RosinError, match="calls a function by pure_callback, which is known in this process alone"):
        rosin.export(lambda x: rosin.pure_callback(np.sin, x, x), np.ones(3))


def test_a_newer_version_is_refused() -> None:
    data = io.BytesIO(rosin.export(rnp.exp, np.ones(3)).to_bytes())
    made = io.BytesIO()
    with zipfile.ZipFile(data) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"version": 1', b'"version": 99'))
    with pytest.raises(TypeError, match="version 99, and this Rosin reads 'rosin program', version 1"):
        rosin.load(made.getvalue())


@pytest.mark.peers
def test_bytecode_is_read_by_jaxlib() -> None:
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    data = rosin.export(lambda x: rosin.scipy.special.gammaln(x), np.ones(3, np.float32)).bytecode()
    with ir.Context() as context:
        stablehlo.register_dialect(context)
        assert "tensor<3xf32>" in str(stablehlo.deserialize_portable_artifact(context, data))


@pytest.mark.peers
def test_a_loaded_program_runs_on_xla() -> None:
    x = np.ones((2, 3), np.float32)
    loaded = rosin.load(rosin.export(model, rosin.spec("f32[n, 3]"), params=PARAMS).to_bytes(), target="xla")
    np.testing.assert_allclose(loaded(x, params=PARAMS)["total"], model(rnp.asarray(x), params=PARAMS)["total"], 1e-6)
