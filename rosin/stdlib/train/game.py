"""Trainings of several players, each of which has a loss of its own and moves its own part of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import metrics, nn, optim
from rosin.stdlib.train.step import Loss, Outcome, Step, TrainState


@dataclass(frozen=True)
class Player:
    """A part of a model, `where(path, array)` holds, and the loss by which an optimizer changes it.

    With several `moves` a player gets the batch in so many parts, and makes a move on each.
    """

    loss: Loss
    optimizer: optim.Transform
    where: nn.Where
    moves: int = 1


def start_game(model: Any, players: Mapping[str, Player], key: Array | int = 0) -> TrainState:
    """The state before the first step: each player's optimizer has a state of its own, and the mean of its loss in an
    epoch is a metric under its name."""
    state = TrainState.start(model, optim.chain(), key, {name: metrics.Mean() for name in players})
    state.optimizer = {
        name: player.optimizer.init(nn.split(state.model, player.where)[0]) for name, player in players.items()
    }
    return state


def make_game(players: Mapping[str, Player]) -> Step:
    """The compiled `step(state, batch)`, in which the players move in turn; all moves are one program.

    As in `make_step`, step n draws its random numbers from the state's key and n, and a step in which a loss or a
    gradient is no finite number changes nothing but its own number. The outcome tells the sum of the losses, and the
    largest norm of a gradient.
    """

    def step(state: TrainState, batch: Any) -> tuple[TrainState, Outcome]:
        key = rosin.random.fold_in(state.key, state.step)
        model, optimizers, means = state.model, dict(state.optimizer), dict(state.metrics)
        losses: list[Array] = []
        norms: list[Array] = []
        for number, (name, player) in enumerate(players.items()):
            own_key = rosin.random.fold_in(key, number)
            model, optimizers[name], loss, norm = _turn(player, model, optimizers[name], batch, own_key)
            means[name] = means[name].update(loss)
            losses.append(rnp.mean(loss))
            norms.append(rnp.max(norm))
        total, norm = rnp.sum(rnp.stack(losses)), rnp.max(rnp.stack(norms))
        finite = rnp.isfinite(total) & rnp.isfinite(norm)
        old, new = (state.model, state.optimizer, state.metrics), (model, optimizers, means)
        kept = rosin.precision.select_tree(finite, new, old)
        outcome = Outcome(total, norm, finite, skipped=rnp.asarray(False))
        return TrainState(kept[0], kept[1], state.step + 1, state.key, kept[2]), outcome

    def total_loss(model: Any, batch: Any, run: nn.Run) -> Array:
        return rnp.sum(rnp.stack([rosin.rewritten(player.loss)(model, batch, run) for player in players.values()]))

    return Step(total_loss, rosin.compile(step, donate_argnames=("state",)))


def _turn(player: Player, model: Any, optimizer: Any, batch: Any, key: Array) -> tuple[Any, Any, Array, Array]:
    """The model and the optimizer's state after a player's moves, the loss of each and the norm of its gradient."""
    if player.moves == 1:
        return _move(player, model, optimizer, batch, key)

    def body(carry: Any, given: Any) -> Any:
        part, own_key = given
        model, optimizer = carry
        model, optimizer, loss, norm = _move(player, model, optimizer, part, own_key)
        return (model, optimizer), (loss, norm)

    keys = rosin.random.split(key, player.moves)
    (model, optimizer), told = rosin.scan(body, (model, optimizer), (_parts(batch, player.moves), keys))
    return model, optimizer, *told


def _move(player: Player, model: Any, optimizer: Any, batch: Any, key: Array) -> tuple[Any, Any, Array, Array]:
    def objective(model: Any) -> Any:
        run = nn.Run(key)
        loss = rosin.rewritten(player.loss)(model, batch, run)
        return loss, run.updated(model)

    (loss, model), gradient = nn.value_and_grad(objective, has_aux=True, where=player.where)(model)
    updates, optimizer = player.optimizer.update(gradient, optimizer, model, value=loss)
    return optim.apply_updates(model, updates), optimizer, loss, optim.global_norm(gradient)


def _parts(batch: Any, count: int) -> Any:
    def divided(x: Array) -> Array:
        if x.shape[0] % count:
            raise nn.ModuleError(f"a batch of {x.shape[0]} has no {count} parts of one size, one for each move")
        return rnp.reshape(x, (count, x.shape[0] // count, *x.shape[1:]))

    return rosin.tree.map(divided, batch)
