"""Trainings: they learn, stop, diverge with a reason, and go on after a kill as if there had been none."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin import precision
from rosin.stdlib import data, losses, metrics, nn, optim, train

ROOT = Path(__file__).parents[3]


def problem(batch_size: int = 16) -> tuple[data.Loader, Any, Any, Any]:
    """Noisy halves of the plane: a loader of 100 items, a loss, an optimizer, and a state at the start."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 3)).astype(np.float32)
    y = (x @ [1.0, -2.0, 0.5] > 0).astype(np.int32)
    loader = data.Loader(data.Arrays({"x": x, "y": y}), batch_size, shuffle=True, seed=4)
    keys = nn.Keys(0)
    model = nn.Chain(
        nn.Dense(3, 16, key=keys), nn.BatchNorm(16), rosin.nn.relu, nn.Dropout(0.2), nn.Dense(16, 2, key=keys)
    )

    def loss(model: Any, batch: Any, run: nn.Run) -> Any:
        items, mask = batch
        scores = model(items["x"], run)
        each = losses.cross_entropy(scores, items["y"], reduction="none")
        return rnp.sum(each * mask) / rnp.sum(mask), scores

    optimizer = optim.adamw(optim.schedules.warmup_cosine(0.03, 10, 200))
    state = train.TrainState.start(model, optimizer, 7, {"accuracy": metrics.Accuracy()})
    return loader, loss, optimizer, state


def observe(found: dict[str, Any], batch: Any, scores: Any) -> dict[str, Any]:
    items, mask = batch
    return {"accuracy": found["accuracy"].update(scores, items["y"], mask)}


class Seen(train.Callback):
    """Notes every step and epoch."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.epochs: list[dict[str, float]] = []
        self.ended = 0

    def on_step(self, training: train.Training) -> None:
        self.losses.append(training.loss)

    def on_epoch(self, training: train.Training) -> None:
        self.epochs.append(dict(training.values))

    def on_end(self, training: train.Training) -> None:
        self.ended += 1


def test_a_training_learns_in_one_program() -> None:
    loader, loss, optimizer, state = problem()
    step, seen, out = train.make_step(loss, optimizer, observe), Seen(), io.StringIO()
    training = train.fit(
        step,
        state,
        loader,
        epochs=12,
        evaluate=lambda model: {"size": float(rnp.sum(model.layers[0].weight ** 2))},
        callbacks=[seen, train.ProgressBar(out)],
    )
    assert training.step == 12 * 7 == len(seen.losses)
    assert training.examples == 1200
    assert np.mean(seen.losses[-7:]) < 0.5 * np.mean(seen.losses[:7])
    assert seen.epochs[-1]["accuracy"] > 0.85
    assert set(seen.epochs[0]) == {"accuracy", "size"}
    assert seen.ended == 1
    assert "84/84" in out.getvalue()
    assert "examples/s=" in out.getvalue()
    assert "epoch 12: accuracy 0." in out.getvalue()
    # The short last batch is filled up, so there is one program.
    assert len(step.signatures()) == 1


def test_a_step_is_one_native_call_that_reuses_the_state() -> None:
    loader, loss, optimizer, state = problem()
    step, batch = train.make_step(loss, optimizer, observe), next(iter(loader))
    given = rosin.tree.map(rnp.asarray, (batch.data, batch.mask))
    state, _ = step(state, given)
    events: list[tuple[str, Any]] = []

    def look(frame: Any, event: str, arg: Any) -> None:
        events.append((event, arg if event.startswith("c_") else frame.f_code.co_name))

    before = {np.asarray(x).ctypes.data for x in rosin.tree.leaves((state.model, state.optimizer))}
    old = state
    sys.setprofile(look)
    state, _ = step(state, given)
    sys.setprofile(None)
    native = [i for i, (event, arg) in enumerate(events) if event == "c_call" and arg.__name__ == "step"]
    assert len(native) == 1
    # Nothing of Python runs before it returns.
    assert events[native[0] + 1] == ("c_return", events[native[0]][1])
    after = {np.asarray(x).ctypes.data for x in rosin.tree.leaves((state.model, state.optimizer))}
    assert len(before & after) > 0.8 * len(before)
    with pytest.raises(rosin.RosinError, match="donated"):
        np.asarray(old.model.layers[0].weight)


def test_no_second_program() -> None:
    """For the short last batch, the next epoch, an evaluation, and a state from a checkpoint."""
    loader, loss, optimizer, state = problem(batch_size=48)
    traced: list[int] = []

    def held(model: Any, batch: Any, run: nn.Run) -> Any:
        traced.append(run.training)
        return loss(model, batch, run)

    step = train.make_step(loss, optimizer, observe)
    evaluate = train.make_evaluate(held, problem(batch_size=32)[0], observe, {"accuracy": metrics.Accuracy()})
    training = train.fit(step, state, loader, epochs=2, evaluate=evaluate)
    assert training.step == 6
    items, model = loader.dataset.arrays, training.state.model  # pyright: ignore[reportAttributeAccessIssue]
    scores = model(items["x"])
    wanted = float(losses.cross_entropy(scores, rnp.asarray(items["y"])))
    accuracy = float(np.mean(np.argmax(np.asarray(scores), axis=1) == items["y"]))
    np.testing.assert_allclose(training.values["held_loss"], wanted, rtol=1e-5)
    np.testing.assert_allclose(training.values["held_accuracy"], accuracy, rtol=1e-6)
    # The same again: an evaluation sees the same batches, and changes nothing.
    assert evaluate(model) == {name: value for name, value in training.values.items() if name.startswith("held_")}
    with tempfile.TemporaryDirectory() as folder:
        store = train.Checkpoints(folder)
        store.save(6, training.state)
        found = store.restore(problem()[3])
    assert found is not None
    train.fit(step, found.state, problem(batch_size=48)[0], epochs=1, evaluate=evaluate)
    assert len(step.signatures()) == 1
    assert traced == [False]


def test_early_stopping_and_logs(tmp_path: Path) -> None:
    loader, loss, optimizer, state = problem()
    step = train.make_step(loss, optimizer)
    values = iter([3.0, 2.0, 2.5, 2.4, 2.3, 1.0])
    stopping = train.EarlyStopping("value", patience=3)
    training = train.fit(
        step,
        state,
        loader,
        epochs=20,
        evaluate=lambda model: {"value": next(values)},
        callbacks=[train.JsonLog(tmp_path / "log.jsonl", every=2), stopping],
    )
    assert training.epoch == 5
    assert training.stop == "value got no better for 3 epochs"
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == list(range(2, 36, 2))
    assert [line["value"] for line in lines if "value" in line] == [3.0, 2.0, 2.5, 2.4, 2.3]
    stopping = train.EarlyStopping("loss")
    with pytest.raises(KeyError, match="no value 'loss'; there are accuracy, value"):
        train.fit(step, training.state, problem()[0], epochs=1, evaluate=lambda m: {"value": 1.0}, callbacks=[stopping])


# -- divergence ------------------------------------------------------------------------------------------------------


class Bad(nn.Module):
    """Has no finite result for large numbers."""

    def __call__(self, x: Any) -> Any:
        return rnp.log(2 - rnp.abs(x))


def test_a_loss_that_is_no_number_names_step_items_and_layer() -> None:
    x = np.zeros((6, 2), np.float32)
    x[4] = 9
    loader = data.Loader(data.Arrays(x), 2)
    model = nn.Chain(nn.Dense(2, 2, key=0), nn.Chain(Bad(), rnp.tanh), nn.Dense(2, 1, key=1))
    model = nn.with_arrays(model, {"layers.0.weight": rnp.eye(2)})

    def loss(model: Any, batch: Any, run: nn.Run) -> Any:
        return rnp.mean(model(batch, run) ** 2)

    optimizer = optim.sgd(0.0)
    step, state = train.make_step(loss, optimizer), train.TrainState.start(model, optimizer)
    with pytest.raises(train.DivergedError) as caught:
        train.fit(step, state, loader, epochs=1, batch=lambda b: b.data)
    lines = str(caught.value).split("\n")
    assert lines[0].startswith("step 2 has no finite result: loss nan")
    assert lines[1] == "  its batch has the items [4, 5]"
    assert lines[2] == "  the first layer whose result is not finite is Chain.layers[1].layers[0], a Bad"

    def flat(model: Any, batch: Any, run: nn.Run) -> Any:
        return rnp.mean(rnp.sqrt(rnp.abs(model.layers[0](batch))))

    def long(model: Any, batch: Any, run: nn.Run) -> Any:
        return rnp.sum(rnp.log(-rnp.abs(model.layers[0](batch))))

    def steep(model: Any, batch: Any, run: nn.Run) -> Any:
        return 2e19 * rnp.sum(model.layers[2](batch + 1))

    for other, end in (
        (flat, "; derivatives by layers.0.weight, layers.0.bias are not"),
        (long, ", so the loss itself is not"),
        (steep, "; the norm of all derivatives is not"),
    ):
        zero, loader = train.TrainState.start(model, optimizer), data.Loader(data.Arrays(x), 2)
        with pytest.raises(train.DivergedError, match=f"every layer's result is finite{end}$"):
            train.fit(train.make_step(other, optimizer), zero, loader, epochs=1, batch=lambda b: b.data)


def test_a_batch_that_is_not_finite_itself() -> None:
    x = np.ones((6, 2), np.float32)
    x[3, 1] = np.nan
    model, optimizer = nn.Chain(nn.Dense(2, 1, key=0)), optim.sgd(0.1)
    step = train.make_step(lambda model, batch, run: rnp.mean(model(batch)), optimizer)
    with pytest.raises(train.DivergedError) as caught:
        loader = data.Loader(data.Arrays(x), 4)
        train.fit(step, train.TrainState.start(model, optimizer), loader, epochs=1, batch=lambda b: b.data)
    assert str(caught.value).split("\n")[1:] == [
        "  its batch has the items [0, 1, 2, 3]",
        "  the batch itself holds numbers that are not finite, in the items [3]",
        "  the first layer whose result is not finite is Chain.layers[0], a Dense",
    ]


def test_a_state_of_another_optimizer() -> None:
    loader, loss, _, state = problem()
    step = train.make_step(loss, optim.sgd(0.1, momentum=0.9))
    with pytest.raises(optim.OptimizerError, match=r"is \(Moments, \(\), Counted\), and this one has \(Momentum, C"):
        train.fit(step, state, loader, epochs=1)


# -- mixed precision -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compute", ["bfloat16", "float16"])
def test_a_training_in_mixed_precision(compute: str, tmp_path: Path) -> None:
    """A scale that is far too large in float16 skips steps until it is not, and goes on from where a checkpoint has
    it."""
    loader, loss, _, _ = problem()
    model = problem()[3].model
    optimizer = optim.scaled(optim.adamw(0.01), precision.DynamicLossScale(2.0**30, period=20))
    step = train.make_step(loss, optimizer, observe, precision=f"compute={compute}")
    state = train.TrainState.start(model, optimizer, 7, {"accuracy": metrics.Accuracy()})
    types = [x.dtype for x in rosin.tree.leaves(state)]
    before = [np.asarray(x) for x in rosin.tree.leaves((state.model, state.optimizer.inner, state.metrics))]
    batch = rosin.tree.map(rnp.asarray, (next(iter(loader)).data, np.ones(16, bool)))
    state, outcome = step(state, batch)
    assert bool(outcome.finite)
    assert bool(outcome.skipped) == (compute == "float16")
    if compute == "float16":
        after = rosin.tree.leaves((state.model, state.optimizer.inner, state.metrics))
        for a, b in zip(after, before, strict=True):
            np.testing.assert_array_equal(a, b)
        assert float(state.optimizer.scale.loss_scale) == 2.0**29
    assert [x.dtype for x in rosin.tree.leaves(state)] == types
    saving = train.Checkpointing(tmp_path, every=30)
    seen, loader = Seen(), problem()[0]
    whole = train.fit(step, state, loader, epochs=12, callbacks=[saving, seen])
    assert np.mean(seen.losses[-7:]) < 0.6 * np.mean(seen.losses[:7])
    found = saving.checkpoints.restore(whole.state, 60)
    assert found is not None
    scale = found.state.optimizer.scale
    assert (scale.loss_scale.dtype, scale.counter.dtype) == (rosin.float32, rosin.int32)
    assert float(scale.loss_scale) <= 2.0**18 if compute == "float16" else float(scale.loss_scale) >= 2.0**31
    assert len(step.signatures()) == 1


def test_a_scale_that_cannot_be_lowered_is_no_excuse() -> None:
    def loss(model: Any, batch: Any, run: nn.Run) -> Any:
        return rnp.sum(rnp.sqrt(rnp.abs(model.weight))) * 0

    model = nn.Dense(2, 2, key=0, weight_init=nn.initializers.zeros)
    for scale, skips in (
        (precision.StaticLossScale(rnp.asarray(8.0)), 0),
        (precision.DynamicLossScale(4.0, min_loss_scale=1.0), 2),
    ):
        optimizer = optim.scaled(optim.sgd(0.1), scale)
        step, state = train.make_step(loss, optimizer), train.TrainState.start(model, optimizer)
        skipped = 0
        for _ in range(skips):
            state, outcome = step(state, rnp.zeros(1))
            assert bool(outcome.finite)
            skipped += int(outcome.skipped)
        assert skipped == skips
        state, outcome = step(state, rnp.zeros(1))
        assert not bool(outcome.finite)
        assert not bool(outcome.skipped)


def test_a_loss_is_one_number() -> None:
    step = train.make_step(lambda model, batch, run: model(batch)[:, 0], optim.sgd(0.1))
    model = nn.Dense(2, 1, key=0)
    with pytest.raises(losses.LossError, match=r"the loss is f32\[3\], and a training needs one number"):
        step(train.TrainState.start(model, optim.sgd(0.1)), rnp.ones((3, 2)))


def test_the_scale_is_outermost() -> None:
    loader, loss, _, state = problem()
    optimizer = optim.chain(optim.clip(1.0), optim.scaled(optim.sgd(0.1)))
    with pytest.raises(optim.OptimizerError, match="inside of another transform, which would see scaled gradients"):
        train.fit(train.make_step(loss, optimizer), train.TrainState.start(state.model, optimizer), loader, epochs=1)


# -- checkpoints -----------------------------------------------------------------------------------------------------


def test_checkpoints_are_kept_and_restored(tmp_path: Path) -> None:
    store = train.Checkpoints(tmp_path / "c", keep=2)
    state = {"a": rnp.arange(3.0), "b": (rnp.asarray(2), rnp.ones(2, dtype=rosin.bfloat16))}
    assert store.restore(state) is None
    for step in (1, 5, 3):
        store.save(step, rosin.tree.map(lambda x, step=step: x * step, state), {"note": step})
    assert store.steps() == [3, 5]
    found = store.restore(state)
    assert found is not None
    assert (found.step, found.extra) == (5, {"note": 5})
    np.testing.assert_array_equal(found.state["a"], [0, 5, 10])
    assert found.state["b"][1].dtype == rosin.bfloat16
    earlier = store.restore(state, 3)
    assert earlier is not None
    assert earlier.extra == {"note": 3}
    store.save(5, state, {"note": "again"})
    again = store.restore(state)
    assert again is not None
    assert again.extra == {"note": "again"}


def test_checkpoints_of_another_program(tmp_path: Path) -> None:
    store = train.Checkpoints(tmp_path)
    store.save(1, {"a": rnp.ones(3), "b": rnp.ones(2)})
    reason = r"\['c'\] is missing; \['b'\] is too much; \['a'\] is f32\[3\], not f32\[4\]"
    with pytest.raises(train.CheckpointError, match=rf"step-0000000001 is of another program: {reason}"):
        store.restore({"a": rnp.ones(4), "c": rnp.ones(2)})
    store.save(2, {"a": rnp.ones(4), "c": rnp.ones(2)})
    with pytest.warns(train.CheckpointWarning, match=r"step-0000000002 is of another .*; step-0000000001 is used"):
        found = store.restore({"a": rnp.ones(3), "b": rnp.ones(2)})
    assert found is not None
    assert found.step == 1
    shutil.rmtree(tmp_path / "step-0000000002")
    _told(tmp_path / "step-0000000001", version=3)
    with pytest.raises(train.CheckpointError, match="version 3 of the format, by a newer Rosin: this one reads 2"):
        store.restore({"a": rnp.ones(3), "b": rnp.ones(2)})


def test_checkpoints_of_the_first_version(tmp_path: Path) -> None:
    """They have no checksum of the JSON file."""
    store = train.Checkpoints(tmp_path)
    place = store.save(1, {"a": rnp.ones(3)}, {"note": 5})
    told = json.loads((place / "checkpoint.json").read_text())
    del told["seal"]
    (place / "checkpoint.json").write_text(json.dumps({**told, "version": 1}))
    found = store.restore({"a": rnp.ones(3)})
    assert found is not None
    assert found.extra == {"note": 5}
    (place / "checkpoint.json").write_text(json.dumps(told))
    with pytest.raises(train.CheckpointError, match="not what its own checksum says"):
        store.restore({"a": rnp.ones(3)})


def _told(place: Path, **changes: Any) -> None:
    """Change what a checkpoint says, in a way that its own checksum does not tell."""
    file = place / "checkpoint.json"
    told = json.loads(file.read_text()) | changes
    told.pop("seal")
    seal = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    file.write_text(json.dumps({**told, "seal": seal}))


@pytest.mark.slow
def test_every_byte_of_a_checkpoint_counts(tmp_path: Path) -> None:
    store, state = train.Checkpoints(tmp_path), {"a": rnp.ones(3)}
    store.save(1, state)
    place = store.save(2, state, {"loader": {"epoch": 1, "done": 3, "seed": 0}, "examples": 24})
    for name in ("checkpoint.json", "arrays.safetensors"):
        file = place / name
        whole = file.read_bytes()
        for at in range(len(whole)):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
            with pytest.warns(train.CheckpointWarning, match="step-0000000001 is used"):
                store.restore(state)
        file.write_bytes(whole)
    found = store.restore(state)
    assert found is not None
    assert found.step == 2


def _flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-3] ^= 1
    path.write_bytes(whole)


def _cut_with_its_sum(place: Path) -> None:
    """Damage that the checksum does not tell."""
    arrays = place / "arrays.safetensors"
    os.truncate(arrays, 20)
    _told(place, sha256=hashlib.sha256(arrays.read_bytes()).hexdigest())


DAMAGE: dict[str, tuple[Any, str]] = {
    "a bit": (lambda c: _flip(c / "arrays.safetensors"), "checksum"),
    "cut": (lambda c: os.truncate(c / "arrays.safetensors", 20), "checksum"),
    "no arrays": (lambda c: (c / "arrays.safetensors").unlink(), "cannot be read"),
    "no JSON": (lambda c: (c / "checkpoint.json").write_text("{"), "cannot be read"),
    "no header": (lambda c: _cut_with_its_sum(c), "header would have"),
    "no version": (lambda c: (c / "checkpoint.json").write_text('{"format": "rosin checkpoint"}'), "lacks its version"),
    "another file": (lambda c: (c / "checkpoint.json").write_text("[]"), "no 'rosin checkpoint'"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_checkpoint_is_passed_over(name: str, tmp_path: Path) -> None:
    store, state = train.Checkpoints(tmp_path), {"a": rnp.ones(3)}
    store.save(1, state)
    damage, message = DAMAGE[name]
    damage(store.save(2, state))
    with pytest.warns(train.CheckpointWarning, match=f"step-0000000002 is damaged: .*{message}"):
        found = store.restore(state)
    assert found is not None
    assert found.step == 1
    with pytest.raises(train.CheckpointError, match=rf"no checkpoint that can be used\n  step-0000000002 .*{message}"):
        store.restore(state, 2)
    damage(tmp_path / "step-0000000001")
    with pytest.raises(train.CheckpointError, match=r"2 is damaged: [^\n]*\n  step-0000000001 is damaged"):
        store.restore(state)


@pytest.mark.parametrize("every", [None, 5])
def test_a_training_goes_on_bit_by_bit(every: int | None, tmp_path: Path) -> None:
    loader, loss, optimizer, state = problem()
    step = train.make_step(loss, optimizer, observe)
    whole = train.fit(step, state, loader, epochs=4)

    class Stop(train.Callback):
        def on_step(self, training: train.Training) -> None:
            if training.step == 17:
                raise KeyboardInterrupt

    loader, _, _, state = problem()
    saving = train.Checkpointing(tmp_path, every=every)
    with pytest.raises(KeyboardInterrupt):
        train.fit(step, state, loader, epochs=4, callbacks=[saving, Stop()])
    loader, _, _, state = problem()
    again = train.fit(step, state, loader, epochs=4, callbacks=[train.Checkpointing(tmp_path, every=every)])
    assert again.step == whole.step
    assert again.examples == whole.examples
    for a, b in zip(rosin.tree.leaves(again.state), rosin.tree.leaves(whole.state), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert again.values == whole.values


def test_patience_goes_on_bit_by_bit(tmp_path: Path) -> None:
    """A training that was interrupted, once in each of its epochs, ends by the same reason in the same epoch."""
    values = [0.9, 0.5, 0.7, 0.4, 0.6, 0.45, 0.41, 0.8, 0.3, 0.2]
    loader, loss, optimizer, _ = problem()
    step = train.make_step(loss, optimizer)
    count = len(loader)

    def run(folder: Path, patience: int = 3, interrupt: int | None = None) -> train.Training:
        loader, _, _, state = problem()
        seen: list[int] = []

        class Interrupt(train.Callback):
            def on_step(self, training: train.Training) -> None:
                seen.append(training.step)
                if training.step == interrupt:
                    raise KeyboardInterrupt

        def evaluate(model: Any) -> dict[str, float]:
            return {"held": values[-(-seen[-1] // count) - 1]}

        saving, stopping = train.Checkpointing(folder), train.EarlyStopping("held", patience=patience)
        return train.fit(step, state, loader, epochs=10, evaluate=evaluate, callbacks=[saving, stopping, Interrupt()])

    whole = run(tmp_path / "whole")
    assert (whole.step, whole.stop) == (7 * count, "held got no better for 3 epochs")
    for epoch in range(1, 7):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "parts", interrupt=epoch * count + 2)
    again = run(tmp_path / "parts")
    assert (again.step, again.stop) == (whole.step, whole.stop)
    for a, b in zip(rosin.tree.leaves(again.state), rosin.tree.leaves(whole.state), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert run(tmp_path / "parts").step == whole.step  # It has ended.
    assert run(tmp_path / "parts", patience=9).step == 10 * count


def test_patience_begins_anew_with_another_training() -> None:
    loader, loss, optimizer, _ = problem()
    step, stopping = train.make_step(loss, optimizer), train.EarlyStopping("held", patience=2)
    for _ in range(2):
        found = train.fit(step, problem()[3], loader, epochs=9, evaluate=lambda m: {"held": 1.0}, callbacks=[stopping])
        assert found.step == 3 * len(loader)
        loader = problem()[0]


SCRIPT = """
import sys
from tests.stdlib.train.test_train import observe, problem
from rosin.stdlib import train, weights
loader, loss, optimizer, state = problem()
step = train.make_step(loss, optimizer, observe)
saving = train.Checkpointing(sys.argv[1], every=1)
done = train.fit(step, state, loader, epochs=40, callbacks=[saving])
weights.save(sys.argv[2], done.state.model)
"""


@pytest.mark.slow
def test_killed_at_any_instant(tmp_path: Path) -> None:
    """A process that trains, and writes a checkpoint after every step, is killed again and again."""
    loader, loss, optimizer, state = problem()
    whole = train.fit(train.make_step(loss, optimizer, observe), state, loader, epochs=40)
    rng, out, store = np.random.default_rng(0), tmp_path / "end.safetensors", train.Checkpoints(tmp_path / "c")
    kills, process = 0, None
    while process is None or process.returncode != 0:
        before = store.steps()[-1:]
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "c"), str(out)], cwd=ROOT)
        while process.poll() is None and store.steps()[-1:] == before:
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 0.2))
        if process.poll() is None and kills < 8:
            process.send_signal(signal.SIGKILL)
            kills += 1
        assert process.wait() in (0, -signal.SIGKILL)
    assert kills > 2
    found = weights_of(out)
    for name, array in nn.named_arrays(whole.state.model):
        np.testing.assert_array_equal(found[name], np.asarray(array))


@pytest.mark.slow
def test_a_restart_compiles_nothing(tmp_path: Path) -> None:
    """A training that goes on in another process finds every program in the cache on disk."""
    cache = tmp_path / "cache"
    environment = {**os.environ, "ROSIN_CACHE_DIR": str(cache)}

    def run(epochs: int) -> set[str]:
        script = SCRIPT.replace("epochs=40", f"epochs={epochs}")
        arguments = [sys.executable, "-c", script, str(tmp_path / "c"), str(tmp_path / "end.safetensors")]
        subprocess.run(arguments, cwd=ROOT, check=True, env=environment)
        return {str(path) for path in cache.rglob("*") if path.is_file()}

    first = run(2)
    assert first
    assert run(4) == first
    assert train.Checkpoints(tmp_path / "c").steps()[-1] == 4 * 7


def weights_of(path: Path) -> Any:
    from rosin.stdlib import weights

    return weights.load(path)


# -- TensorBoard -----------------------------------------------------------------------------------------------------


def test_events_are_records_with_their_sums(tmp_path: Path) -> None:
    from rosin.stdlib.train.tensorboard import crc32c, masked

    # RFC 3720, B.4.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes(range(32))) == 0x46DD794E
    loader, loss, optimizer, state = problem()
    board = train.TensorBoard(tmp_path, every=3)
    train.fit(train.make_step(loss, optimizer, observe), state, loader, epochs=1, callbacks=[board])
    (path,) = tmp_path.iterdir()
    content, events = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        assert struct.unpack("<I", content[8:12])[0] == masked(crc32c(content[:8]))
        events.append(content[12 : 12 + length])
        assert struct.unpack("<I", content[12 + length : 16 + length])[0] == masked(crc32c(events[-1]))
        content = content[16 + length :]
    assert len(events) == 4
    assert b"brain.Event:2" in events[0]
    assert b"gradient_norm" in events[1]
    assert b"accuracy" in events[3]
