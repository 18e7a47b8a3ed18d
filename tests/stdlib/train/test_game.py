"""Trainings of several players: each moves its own part only, by its own loss; they go on bit by bit after a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import data, nn, optim, train


class Pair(nn.Module):
    """Two numbers, of which one player makes the product small and the other large."""

    left: nn.Dense
    right: nn.Dense


def own(name: str) -> nn.Where:
    return lambda path, array: path.startswith(name)


def value(model: Pair, batch: Any, run: nn.Run) -> Any:
    x = batch + 0.1 * rosin.random.normal(run.key(), batch.shape)
    return rnp.mean(model.left(x) * model.right(x))


def players(moves: int = 1) -> dict[str, train.Player]:
    return {
        "left": train.Player(value, optim.adam(1e-2), own("left"), moves=moves),
        "right": train.Player(lambda m, b, r: -value(m, b, r), optim.sgd(1e-2, momentum=0.9), own("right")),
    }


def pair() -> Pair:
    keys = nn.Keys(0)
    return Pair(nn.Dense(3, 2, key=keys), nn.Dense(3, 2, key=keys))


def batches(count: int, size: int = 8) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rnp.asarray(rng.standard_normal((size, 3)), dtype="f32") for _ in range(count)]


def by_hand(count: int, moves: int) -> Pair:
    """The same training, a gradient at a time, not compiled."""
    model, sides = pair(), players(moves)
    states = {name: side.optimizer.init(nn.split(model, side.where)[0]) for name, side in sides.items()}
    for number, batch in enumerate(batches(count)):
        key = rosin.random.fold_in(rosin.random.key(5), number)
        for turn, (name, side) in enumerate(sides.items()):
            own_key = rosin.random.fold_in(key, turn)
            keys = [own_key] if side.moves == 1 else list(rosin.random.split(own_key, side.moves))
            for part, move_key in zip(rnp.split(batch, side.moves), keys, strict=True):

                def loss(model: Any, side: Any = side, part: Any = part, key: Any = move_key) -> Any:
                    return side.loss(model, part, nn.Run(key))

                gradient = nn.grad(loss, where=side.where)(model)
                updates, states[name] = side.optimizer.update(gradient, states[name], model)
                model = optim.apply_updates(model, updates)
    return model


@pytest.mark.parametrize("moves", [1, 4])
def test_each_player_moves_its_part_by_its_loss(moves: int) -> None:
    step, state = train.make_game(players(moves)), train.start_game(pair(), players(moves), 5)
    for batch in batches(3):
        state, outcome = step(state, batch)
        assert bool(outcome.finite)
    assert len(step.signatures()) == 1
    expected = by_hand(3, moves)
    for (path, a), (_, b) in zip(nn.named_arrays(state.model), nn.named_arrays(expected), strict=True):
        assert np.allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6), path
    assert set(state.metrics) == {"left", "right"}
    assert float(state.metrics["left"].count) == 3 * moves


def test_a_step_without_a_finite_result_changes_nothing() -> None:
    step, state = train.make_game(players()), train.start_game(pair(), players(), 5)
    before = [np.array(x) for x in rosin.tree.leaves((state.model, state.optimizer))]
    state, outcome = step(state, rnp.full((8, 3), rnp.nan))
    assert not bool(outcome.finite)
    after = rosin.tree.leaves((state.model, state.optimizer))
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(before, after, strict=True))
    assert int(state.step) == 1


def test_a_batch_has_a_part_for_each_move() -> None:
    step, state = train.make_game(players(3)), train.start_game(pair(), players(3))
    with pytest.raises(nn.ModuleError, match="a batch of 8 has no 3 parts"):
        step(state, batches(1)[0])


def test_a_game_goes_on_where_it_stopped_bit_by_bit(tmp_path: Path) -> None:
    def play(epochs: int, folder: Path) -> Any:
        items = data.Arrays(np.random.default_rng(3).standard_normal((40, 3)).astype(np.float32))
        loader = data.Loader(items, 8, shuffle=True, seed=1, drop_last=True)
        step, state = train.make_game(players(2)), train.start_game(pair(), players(2), 5)
        saving = train.Checkpointing(folder)
        return train.fit(step, state, loader, epochs=epochs, batch=lambda b: b.data, callbacks=[saving]).state

    whole = play(4, tmp_path / "whole")
    play(2, tmp_path / "parts")
    resumed = play(4, tmp_path / "parts")
    for a, b in zip(rosin.tree.leaves(whole), rosin.tree.leaves(resumed), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
