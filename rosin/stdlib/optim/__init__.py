"""Optimizers: gradient transformations that chain, schedules, and what goes around them."""

from __future__ import annotations

from rosin.stdlib.optim import schedules
from rosin.stdlib.optim.adaptive import (
    scale_by_adagrad,
    scale_by_adam,
    scale_by_lion,
    scale_by_nadam,
    scale_by_rms,
    scale_by_trust_ratio,
    trace,
)
from rosin.stdlib.optim.factored import adafactor
from rosin.stdlib.optim.gradients import (
    add_decayed_weights,
    clip,
    clip_by_global_norm,
    clip_by_parameters,
    global_norm,
    scale,
    scale_by_rate,
)
from rosin.stdlib.optim.lbfgs import Minimum, lbfgs, minimize
from rosin.stdlib.optim.muon import muon, orthogonalize, scale_by_muon
from rosin.stdlib.optim.optimizers import adagrad, adam, adamw, lamb, lion, nadam, rmsprop, sgd
from rosin.stdlib.optim.scaling import ScaledState, scaled
from rosin.stdlib.optim.transform import OptimizerError, Transform, apply_updates, chain, masked, stateless
from rosin.stdlib.optim.wrappers import Average, accumulate, averaged, lookahead

__all__ = [
    "Average",
    "Minimum",
    "OptimizerError",
    "ScaledState",
    "Transform",
    "accumulate",
    "adafactor",
    "adagrad",
    "adam",
    "adamw",
    "add_decayed_weights",
    "apply_updates",
    "averaged",
    "chain",
    "clip",
    "clip_by_global_norm",
    "clip_by_parameters",
    "global_norm",
    "lamb",
    "lbfgs",
    "lion",
    "lookahead",
    "masked",
    "minimize",
    "muon",
    "nadam",
    "orthogonalize",
    "rmsprop",
    "scale",
    "scale_by_adagrad",
    "scale_by_adam",
    "scale_by_lion",
    "scale_by_muon",
    "scale_by_nadam",
    "scale_by_rate",
    "scale_by_rms",
    "scale_by_trust_ratio",
    "scaled",
    "schedules",
    "sgd",
    "stateless",
    "trace",
]
