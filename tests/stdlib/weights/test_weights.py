"""Files of weights: what is written is read, by others too; damaged files are errors; nothing is executed."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import nn, weights

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64")


def some() -> dict[str, rosin.Array]:
    """Arrays of every element type that both formats hold, and of no, one and no elements."""
    table = rnp.reshape(rnp.arange(6), (2, 3))
    dtypes = {name: getattr(rosin, name.replace("bool", "bool_")) for name in DTYPES}
    found = {f"a.{name}": rnp.astype(table, dtype) for name, dtype in dtypes.items()}
    return {**found, "number": rnp.asarray(2.5), "empty": rnp.zeros((0, 3)), "ü": rnp.ones(1)}


def same(found: dict[str, rosin.Array], wanted: dict[str, rosin.Array]) -> None:
    assert sorted(found) == sorted(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(array), err_msg=name)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_what_is_written_is_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    weights.save(path, some())
    same(weights.load(path), some())
    renamed = path.rename(tmp_path / "other.bin")
    same(weights.load(renamed), some())
    assert [p.name for p in tmp_path.iterdir()] == ["other.bin"]


def test_models_are_written_by_path(tmp_path: Path) -> None:
    model = nn.Chain(nn.Dense(2, 3, key=0), nn.BatchNorm(3))
    weights.save(tmp_path / "m.safetensors", model, {"step": "7"})
    assert weights.metadata(tmp_path / "m.safetensors") == {"step": "7"}
    arrays = weights.load(tmp_path / "m.safetensors")
    assert sorted(arrays) == sorted(name for name, _ in nn.named_arrays(model))
    other, report = weights.into(nn.Chain(nn.Dense(2, 3, key=1), nn.BatchNorm(3)), arrays)
    assert nn.difference(model, other) == ""
    assert report.complete
    assert str(report) == "6 arrays loaded"


def test_the_safetensors_library_agrees(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    ours = {name: array for name, array in some().items() if array.dtype != rosin.bfloat16}
    weights.save(tmp_path / "a.safetensors", ours, {"who": "we"})
    for name, array in load_file(tmp_path / "a.safetensors").items():
        np.testing.assert_array_equal(array, np.asarray(ours[name]))
        assert array.dtype == np.asarray(ours[name]).dtype
    save_file({name: np.asarray(array) for name, array in ours.items()}, tmp_path / "b.safetensors", {"who": "they"})
    same(weights.load(tmp_path / "b.safetensors"), ours)
    assert weights.metadata(tmp_path / "b.safetensors") == {"who": "they"}


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_torch_agrees(tmp_path: Path) -> None:
    import torch

    weights.save(tmp_path / "ours.pth", some())
    loaded = torch.load(tmp_path / "ours.pth", weights_only=True)
    assert loaded["a.bfloat16"].dtype == torch.bfloat16
    for name, array in some().items():
        assert tuple(loaded[name].shape) == array.shape
        wanted = np.asarray(rnp.astype(array, rosin.complex64))
        np.testing.assert_array_equal(loaded[name].to(torch.complex64).numpy(), wanted, err_msg=name)

    base = torch.arange(12.0).reshape(3, 4)
    theirs = {"state": {"t": base.T, "row": base[1], "p": torch.nn.Parameter(base * 2)}, "step": 3, "list": [base, "x"]}
    wanted = {"state.t": base.T, "state.row": base[1], "state.p": base * 2, "list.0": base}
    for zipped in (True, False):
        torch.save(theirs, tmp_path / "theirs.pt", _use_new_zipfile_serialization=zipped)
        found = weights.load(tmp_path / "theirs.pt")
        assert sorted(found) == sorted(wanted)
        for name, tensor in wanted.items():
            np.testing.assert_array_equal(found[name], tensor.detach().numpy())

    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    torch.jit.script(module).save(tmp_path / "script.pt")
    found = weights.load(tmp_path / "script.pt")
    np.testing.assert_array_equal(found["0.weight"], module[0].weight.detach().numpy())
    np.testing.assert_array_equal(found["1.running_var"], module[1].running_var.numpy())


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('executed')",)


def test_nothing_is_executed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": Evil()}, protocol=2))
    with pytest.raises(weights.WeightsError, match=r"asks for (__builtin__|builtins)\.exec, and only trees of tensors"):
        weights.load(tmp_path / "evil.pth")


def _safetensors(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "0 bytes are too few"),
    "cut header": (_safetensors({"a": ENTRY}, bytes(8))[:20], "cut off, or no safetensors file"),
    "no JSON": (_safetensors(b"{nonsense"), "no JSON"),
    "no object": (_safetensors([1]), "no JSON object"),
    "cut numbers": (_safetensors({"a": ENTRY}, bytes(5)), "3 bytes of 'a' are missing"),
    "no offsets": (_safetensors({"a": {"dtype": "F32", "shape": [2]}}), "entry for 'a' is damaged"),
    "another size": (_safetensors({"a": {**ENTRY, "shape": [3]}}, bytes(8)), "takes 12 bytes, and has 0 to 8"),
    "negative": (_safetensors({"a": {**ENTRY, "shape": [-1, -2]}}, bytes(8)), "takes 8 bytes"),
    "unknown type": (_safetensors({"a": {**ENTRY, "dtype": "F8_E4M3"}}, bytes(8)), "element type F8_E4M3"),
    "overlap": (_safetensors({"a": ENTRY, "b": {**ENTRY, "data_offsets": [4, 12]}}, bytes(12)), "belong to two arrays"),
    "gap": (_safetensors({"a": ENTRY, "b": {**ENTRY, "data_offsets": [12, 20]}}, bytes(20)), "belong to none"),
    "more": (_safetensors({"a": ENTRY}, bytes(9)), "9 bytes of numbers, and the header tells of 8"),
    "a zip": (b"PK\x03\x04" + bytes(40), "damaged, or none of PyTorch's|neither a zip archive"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files(name: str, tmp_path: Path) -> None:
    data, message = DAMAGED[name]
    (tmp_path / "w").write_bytes(data)
    with pytest.raises(weights.WeightsError, match=message):
        weights.load(tmp_path / "w")


def test_every_cut_and_flip_of_a_torch_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    weights.save(path, {"a": rnp.arange(100.0)})
    data = path.read_bytes()
    for end in range(0, len(data) - 1, 37):
        (tmp_path / "cut").write_bytes(data[:end])
        with pytest.raises(weights.WeightsError):
            weights.load(tmp_path / "cut")
    numbers = data.index(np.arange(100.0, dtype=np.float32).tobytes())
    (tmp_path / "flipped").write_bytes(data[: numbers + 9] + b"\xff" + data[numbers + 10 :])
    with pytest.raises(weights.WeightsError, match="CRC"):
        weights.load(tmp_path / "flipped")


@pytest.mark.slow
def test_whatever_is_damaged_is_read_or_refused(tmp_path: Path) -> None:
    """A flip where nothing is kept, as in the names of local headers, changes no number; all others are refused."""
    arrays = {"net.w": rnp.reshape(rnp.arange(6.0), (2, 3)), "n": rnp.asarray(7)}
    for suffix in ("pth", "safetensors"):
        path = tmp_path / f"w.{suffix}"
        weights.save(path, arrays)
        data = path.read_bytes()
        refused = 0
        for at in range(len(data)):
            for bit in (at % 8, (at + 4) % 8):
                path.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
                try:
                    weights.load(path)
                except weights.WeightsError:
                    refused += 1
        assert refused > len(data)
    path = tmp_path / "absent.pth"
    with pytest.raises(FileNotFoundError):
        weights.load(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    weights.save(path, {"a": rnp.ones(2)})
    with pytest.raises(weights.WeightsError, match="'a' is complex128"):
        weights.save(path, {"a": rnp.ones(2, dtype=rosin.complex128)})
    with pytest.raises(weights.WeightsError, match="no metadata"):
        weights.save(tmp_path / "w.pth", {"a": rnp.ones(2)}, {"x": "y"})
    same(weights.load(path), {"a": rnp.ones(2)})
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_names_are_mapped_and_what_does_not_match_is_told() -> None:
    model = nn.Chain(nn.Dense(2, 3, key=0), nn.Dense(3, 1, key=1))
    arrays = {
        "encoder.fc1.weight": rnp.ones((2, 3)),
        "encoder.fc1.bias": rnp.ones(3, dtype=rosin.float64),
        "encoder.fc2.weight": rnp.ones((1, 4)),
        "head.weight": rnp.ones((5, 5)),
        "steps": rnp.asarray(3),
    }
    names = [(r"encoder\.fc(1)\.(\w+)", r"layers.0.\2"), (r"encoder\.fc2\.(\w+)", r"layers.1.\1"), ("steps", None)]
    found, report = weights.into(model, arrays, names, convert={r"layers\.0\.weight": rnp.transpose}, strict=False)
    np.testing.assert_array_equal(found.layers[0].weight, np.ones((3, 2)))
    assert found.layers[0].bias.dtype == rosin.float32
    assert report.loaded == (("encoder.fc1.weight", "layers.0.weight"), ("encoder.fc1.bias", "layers.0.bias"))
    assert report.missing == ("layers.1.bias",)
    assert report.unused == ("head.weight",)
    assert report.unfit == ("encoder.fc2.weight → layers.1.weight: (1, 4) in the file, (1, 3) in the model",)
    assert report.left_out == ("steps",)
    assert str(report).split("\n")[:3] == ["2 arrays loaded", "1 missing in the file:", "  layers.1.bias"]
    with pytest.raises(weights.WeightsError, match=r"do not fit Chain: 2 arrays loaded\n1 missing in the file"):
        weights.into(model, arrays, names, convert={r"layers\.0\.weight": rnp.transpose})
    with pytest.raises(weights.WeightsError, match=r"both 'a' and 'b' lead to 'layers\.0\.bias'"):
        weights.into(model, {"a": rnp.ones(3), "b": rnp.ones(3)}, lambda name: "layers.0.bias")
