"""What modules are: trees that do not change, whose fields are looked at when they are built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn


class Affine(nn.Module):
    weight: Array = nn.param("out in")
    bias: Array | None = nn.param("out")
    seen: Array = nn.buffer("")
    scale: float = nn.static(default=1.0)

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        if run.training:
            run.update(self, seen=run.latest(self).seen + 1)
        y = x @ rnp.transpose(self.weight) * self.scale
        return y if self.bias is None else y + self.bias


class Pair(nn.Module):
    first: Affine
    rest: tuple[Affine, ...]
    named: dict[str, Affine]

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        x = self.first(x, run)
        for part in self.rest:
            x = part(x, run)
        return self.named["last"](x, run)


def affine(outputs: int, inputs: int) -> Affine:
    return Affine(rnp.ones((outputs, inputs)), rnp.zeros(outputs), rnp.asarray(0))


def pair() -> Pair:
    return Pair(affine(3, 2), (affine(4, 3), affine(4, 4)), {"last": affine(2, 4)})


def test_a_module_is_a_tree() -> None:
    model = pair()
    leaves, structure = rosin.tree.flatten(model)
    assert len(leaves) == 12
    again = rosin.tree.unflatten(structure, leaves)
    assert nn.difference(model, again) == ""
    assert again.first.scale == 1.0
    assert rosin.tree.structure(affine(2, 2)) != rosin.tree.structure(affine(2, 2).replace(scale=2.0))


def test_arrays_have_names() -> None:
    names = [name for name, _ in nn.named_arrays(pair())]
    assert names[:4] == ["first.weight", "first.bias", "first.seen", "rest.0.weight"]
    assert names[-1] == "named.last.seen"
    assert [n for n, _ in nn.named_arrays(affine(2, 3), buffers=True)] == ["seen"]
    assert nn.count(affine(2, 3)) == 8


def test_fields_are_set_once() -> None:
    model = affine(2, 3)
    with pytest.raises(nn.ModuleError, match=r"Affine\.weight is set already.*replace"):
        model.weight = rnp.zeros((2, 3))
    with pytest.raises(nn.ModuleError, match="Affine has no field 'wieght'"):
        model.wieght = 1  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(nn.ModuleError, match="modules do not change"):
        del model.weight
    with pytest.raises(nn.ModuleError, match="no field 'wieght'; its fields are weight, bias, seen, scale"):
        model.replace(wieght=1)
    np.testing.assert_array_equal(model.replace(bias=rnp.ones(2)).bias, [1, 1])


def test_axes_of_one_name_have_one_size() -> None:
    with pytest.raises(
        nn.ModuleError, match=r"Affine\.bias, of axes `out`, has shape \(4,\), and `out` is 3 by Affine"
    ):
        Affine(rnp.ones((3, 2)), rnp.zeros(4), rnp.asarray(0))
    with pytest.raises(nn.ModuleError, match=r"has axes `out in`, and the array has shape \(3,\)"):
        Affine(rnp.ones(3), None, rnp.asarray(0))
    with pytest.raises(nn.ModuleError, match="`out` is 3"):
        affine(3, 2).replace(bias=rnp.ones(2))
    with pytest.raises(nn.ModuleError, match="more than one"):
        nn.param("... a ...")


class Windows(nn.Module):
    weight: Array = nn.param("out ... 3")


def test_axes_that_are_numbers_and_any() -> None:
    assert Windows(rnp.ones((5, 1, 2, 3))).weight.ndim == 4
    with pytest.raises(nn.ModuleError, match="`3` is 3 by its own declaration"):
        Windows(rnp.ones((5, 4)))


class Holder(nn.Module):
    part: Any


class Setting(nn.Module):
    value: Any = nn.static()


def test_fields_hold_what_their_kind_allows() -> None:
    with pytest.raises(nn.ModuleError, match=r"Holder\.part holds 0\.5.*\n.*static\(\)"):
        Holder(0.5)
    with pytest.raises(nn.ModuleError, match=r"Holder\.part holds <function affine"):
        Holder([rnp.ones(2), affine])
    with pytest.raises(nn.ModuleError, match=r"is static and holds \[1, 2\], a list, which has no hash"):
        Setting([1, 2])
    with pytest.raises(nn.ModuleError, match="is static and holds an array"):
        Setting(rnp.ones(2))
    assert isinstance(Holder(np.ones(2)).part, Array)
    assert Holder(None).part is None


class Forgetful(nn.Module):
    weight: Array = nn.param("n")
    bias: Array = nn.param("n")

    def __init__(self) -> None:
        self.weight = rnp.ones(3)


def test_every_field_gets_a_value() -> None:
    with pytest.raises(nn.ModuleError, match=r"Forgetful\.bias is not set"):
        Forgetful()


@pytest.mark.parametrize("wrap", [lambda f: f, rosin.compile], ids=["at once", "compiled"])
def test_buffers_come_out_of_a_run(wrap: Callable[..., Any]) -> None:
    model = pair()

    def loss(model: Pair, x: Any) -> Any:
        run = nn.Run()
        y = model(model.first(x, run)[:, :2], run)
        return rnp.sum(y**2), run.updated(model)

    step = wrap(lambda model, x: nn.value_and_grad(loss, has_aux=True)(model, x))
    (_, new), slopes = step(model, rnp.ones((1, 2)))
    # The first part ran twice, and its second run saw what the first one left.
    assert int(new.first.seen) == 2
    assert [int(part.seen) for part in (*new.rest, new.named["last"])] == [1, 1, 1]
    assert float(rnp.sum(slopes.rest[0].weight ** 2)) > 0
    assert slopes.first.seen is None
    assert nn.difference(model.replace(first=new.first, rest=new.rest, named=new.named), new) == ""


def test_a_run_without_training_changes_nothing() -> None:
    model, run = pair(), nn.Run(training=False)
    model(rnp.ones((1, 2)), run)
    assert run.updated(model) is model


def test_what_a_run_refuses() -> None:
    with pytest.raises(nn.ModuleError, match=r"no key: Run\(key\)"):
        nn.Run().key()
    with pytest.raises(nn.ModuleError, match=r"Affine\.weight is no buffer"):
        nn.Run().update(affine(2, 2), weight=rnp.ones((2, 2)))


def test_errors_name_the_path_of_the_layer() -> None:
    model = Pair(affine(3, 2), (affine(4, 3), affine(4, 5)), {"last": affine(2, 4)})
    for call in (model, rosin.compile(lambda x: model(x)), rosin.grad(lambda x: rnp.sum(model(x)))):
        with pytest.raises(rosin.RosinError) as caught:
            call(rnp.ones((1, 2)))
        text = str(caught.value)
        assert text.count("in the module") == 1
        assert "in the module Pair.rest[1], an Affine" in text
        assert "f32[1, 4]" in text
        assert "f32[5, 4]" in text


class Branching(nn.Module):
    weight: Array = nn.param("n")

    def __call__(self, x: Array) -> Array:
        total = rnp.zeros(())
        for row in x:
            if rnp.sum(row) > 0:
                total = total + rnp.sum(row * self.weight)
            else:
                total = total - 1
        return total


def test_control_flow_in_modules_is_rewritten() -> None:
    model, x = nn.Chain(Branching(rnp.asarray([1.0, 2.0]))), np.asarray([[1.0, 1], [-1, 0], [2, 0]], np.float32)
    assert float(rosin.compile(model)(x)) == float(model(x)) == 4.0
    np.testing.assert_array_equal(rosin.grad(lambda m: m(x))(model).layers[0].weight, [3, 1])


def test_hooks_see_each_call() -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []
    with nn.hooked(lambda path, module, call: seen.append((path, call.result.shape))):
        pair()(rnp.ones((1, 2)))
    assert seen == [
        ("Pair.first", (1, 3)),
        ("Pair.rest[0]", (1, 4)),
        ("Pair.rest[1]", (1, 4)),
        ("Pair.named['last']", (1, 2)),
        ("Pair", (1, 2)),
    ]


def test_a_model_as_text() -> None:
    assert repr(affine(2, 3)) == "Affine(weight=f32[2, 3], bias=f32[2], seen=i32[], scale=1.0)"
    assert "\n  rest=(\n    Affine(" in repr(Pair(affine(30, 20), (affine(4, 30),) * 2, {"last": affine(2, 4)}))


def test_what_a_field_should_have_been_annotated_with() -> None:
    class Bare(nn.Module):
        def __init__(self, value: Any) -> None:
            self.part = value

    with pytest.raises(nn.ModuleError, match=r"Bare has no field 'part': annotate it in the class, as `part: Dense`$"):
        Bare(nn.Dense(2, 2, key=0))
    with pytest.raises(nn.ModuleError, match=r"as `part: Array = param\(\)`, buffer\(\) or static\(\)$"):
        Bare(2)


@pytest.mark.parametrize("kind", [nn.Conv, nn.ConvTranspose])
def test_windows_have_a_number_for_each_axis(kind: Any) -> None:
    for window in (3, (), "3x3"):
        with pytest.raises(nn.ModuleError, match=f"{kind.__name__}: a window has a number for each spatial axis, as "):
            kind(window, 3, 4, key=0)


def test_a_summary_counts_and_computes_nothing() -> None:
    table = nn.summary(pair(), rosin.ShapeDtypeStruct((5, 2), rosin.float32))
    lines = table.split("\n")
    assert lines[2].split() == ["Pair.first", "Affine", "f32[5,", "3]", "9", "90"]
    sums = "operations, 210 multiply-adds among them"
    assert lines[-1] == f"{nn.count(pair())} parameters, 236 bytes; {lines[-3].split()[-1]} {sums}"
    assert [line.split()[0] for line in lines[2:-2]] == [
        "Pair.first",
        "Pair.rest[0]",
        "Pair.rest[1]",
        "Pair.named['last']",
        "Pair",
    ]


def test_a_difference_says_what_and_by_how_much() -> None:
    a = pair()
    b = a.replace(first=a.first.replace(scale=2.0, weight=a.first.weight.at[0, 0].add(0.5)), rest=a.rest[:1])
    assert nn.difference(a, b).split("\n") == [
        "Pair.first.weight: f32[3, 2], 1 of 6 numbers differ, at most by 0.5",
        "Pair.first.scale: 1.0 here, 2.0 there",
        "Pair.rest: 2 parts here, 1 there",
    ]
    assert nn.difference(a.first, b.first.replace(scale=1.0), atol=0.6) == ""
    assert nn.difference(affine(2, 3), affine(2, 4)) == "Affine.weight: f32[2, 3] here, f32[2, 4] there"


def test_keys_differ_and_repeat() -> None:
    keys, again = nn.Keys(3), nn.Keys(rosin.random.key(3))
    drawn = [rosin.random.bits(keys()) for _ in range(3)]
    assert len({int(x) for x in drawn}) == 3
    assert [int(x) for x in drawn] == [int(rosin.random.bits(again())) for _ in range(3)]


def test_vmap_over_models_is_an_ensemble() -> None:
    models = [nn.Dense(3, 2, key=i) for i in range(4)]
    stacked = rosin.tree.map(lambda *xs: rnp.stack(xs), *models)
    x = rosin.random.normal(rosin.random.key(9), (5, 3))
    found = rosin.vmap(lambda m: m(x))(stacked)
    np.testing.assert_allclose(found, np.stack([np.asarray(m(x)) for m in models]), rtol=1e-6)


def test_no_recompilation_for_new_numbers() -> None:
    step = rosin.compile(lambda m, x: rosin.tree.map(lambda p: p * 0.5, m))
    model = nn.Chain(nn.Dense(3, 4, key=0), rosin.nn.relu, nn.Dense(4, 1, key=1))
    for _ in range(4):
        model = step(model, rnp.ones((2, 3)))
    assert len(step.signatures()) == 1


def test_a_model_in_two_halves() -> None:
    model = pair()
    parameters, rest = nn.split(model)
    assert [name for name, _ in nn.named_arrays(rest)] == [n for n, _ in nn.named_arrays(model, buffers=True)]
    assert nn.difference(nn.merge(parameters, rest), model) == ""
    assert nn.difference(nn.merge(rest, parameters), model) == ""
    chosen, _ = nn.split(model, lambda path, array: path.startswith("rest"))
    assert [name for name, _ in nn.named_arrays(chosen)] == [
        f"rest.{i}.{n}" for i in (0, 1) for n in ("weight", "bias")
    ]


def test_derivatives_by_some_parameters() -> None:
    def loss(model: Pair, x: Any) -> Array:
        return rnp.sum(model(x) ** 2)

    model, x = pair(), rnp.ones((1, 2))
    value, whole = nn.value_and_grad(loss)(model, x)
    assert float(value) == float(loss(model, x))
    last = nn.grad(loss, where=lambda path, array: path == "named.last.bias")(model, x)
    assert [name for name, _ in nn.named_arrays(last)] == ["named.last.bias"]
    np.testing.assert_allclose(last.named["last"].bias, whole.named["last"].bias)
    slopes, aux = nn.grad(lambda m, x: (loss(m, x), x + 1), has_aux=True)(model, x)
    assert nn.difference(slopes, whole) == ""
    assert float(aux[0, 0]) == 2


def test_arrays_are_replaced_by_path() -> None:
    model = nn.with_arrays(pair(), {"rest.1.bias": rnp.ones(4), "named.last.seen": rnp.asarray(7)})
    assert float(model.rest[1].bias[0]) == 1
    assert int(model.named["last"].seen) == 7
    with pytest.raises(nn.ModuleError, match=r"Pair has no array 'rest\.2\.bias'"):
        nn.with_arrays(model, {"rest.2.bias": rnp.ones(4)})
    with pytest.raises(nn.ModuleError, match=r"Pair has f32\[4\] at 'rest\.1\.bias', which takes no f32\[5\]"):
        nn.with_arrays(model, {"rest.1.bias": rnp.ones(5)})


class Doubled(nn.Dense):
    """Adds no fields, and is built as its base is."""

    def __call__(self, x: Array) -> Array:
        return 2 * super().__call__(x)


def test_a_class_that_adds_no_fields_is_built_as_its_base_is() -> None:
    plain, doubled, x = nn.Dense(3, 2, key=0), Doubled(3, 2, key=0), rnp.ones((1, 3))
    np.testing.assert_array_equal(doubled(x), 2 * plain(x))
