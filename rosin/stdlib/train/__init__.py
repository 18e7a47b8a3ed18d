"""Training: one compiled step, a loop around it that can be taken apart, checkpoints, and what looks on."""

from __future__ import annotations

from rosin.stdlib.train.blame import first_bad_layer
from rosin.stdlib.train.callbacks import Checkpointing, EarlyStopping, JsonLog, ProgressBar
from rosin.stdlib.train.checkpoints import Checkpoints, Restored
from rosin.stdlib.train.errors import CheckpointError, CheckpointWarning, DivergedError
from rosin.stdlib.train.evaluate import make_evaluate
from rosin.stdlib.train.figures import Line, Panel, figure
from rosin.stdlib.train.fit import Callback, Training, fit
from rosin.stdlib.train.game import Player, make_game, start_game
from rosin.stdlib.train.plot import Plot
from rosin.stdlib.train.step import Outcome, Step, TrainState, make_step
from rosin.stdlib.train.tensorboard import EventWriter, TensorBoard

__all__ = [
    "Callback",
    "CheckpointError",
    "CheckpointWarning",
    "Checkpointing",
    "Checkpoints",
    "DivergedError",
    "EarlyStopping",
    "EventWriter",
    "JsonLog",
    "Line",
    "Outcome",
    "Panel",
    "Player",
    "Plot",
    "ProgressBar",
    "Restored",
    "Step",
    "TensorBoard",
    "TrainState",
    "Training",
    "figure",
    "first_bad_layer",
    "fit",
    "make_evaluate",
    "make_game",
    "make_step",
    "start_game",
]
