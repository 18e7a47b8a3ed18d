"""DCGAN (Radford et al. 2016): a generator and a critic of convolutions, which learn from each other."""

from __future__ import annotations

from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn, optim, train
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.generative import pictures
from rosin.stdlib.zoo.generative.gan import GAN, inputs, own_part
from rosin.stdlib.zoo.generative.plan import Plan, Task, fit_game


def critic_loss(model: GAN, x: Array, run: nn.Run) -> Array:
    """The cross entropy of telling real pictures, from 0 to 1, from as many generated ones."""
    made = rosin.stop_gradient(model.fakes(x.shape[0], run))
    # Each kind is a batch of its own for batch normalisation.
    on_real, on_made = model.judge(2 * x - 1, run), model.judge(made, run)
    return rnp.mean(rosin.nn.softplus(-on_real)) + rnp.mean(rosin.nn.softplus(on_made))


def generator_loss(model: GAN, x: Array, run: nn.Run) -> Array:
    """How sure the critic is that generated pictures are none: the loss that does not saturate (Goodfellow et al.
    2014)."""
    return rnp.mean(rosin.nn.softplus(-model.judge(model.fakes(x.shape[0], run), run)))


def players() -> dict[str, train.Player]:
    """The critic, then the generator."""
    adam: Any = optim.adam(4e-4, b1=0.5)
    return {
        "critic": train.Player(critic_loss, adam, own_part("critic")),
        "generator": train.Player(generator_loss, adam, own_part("generator")),
    }


def fit(task: Task, model: GAN) -> GAN:
    """Let the two play."""
    return fit_game(task, model, players())


PLAN = Plan("dcgan", GAN, fit, epochs={"digits": 200, "mnist5000": 20})

ENTRY = Entry(
    Card(
        name="dcgan",
        title="DCGAN",
        task="generation",
        summary="A generator of transposed convolutions, and a critic that tells its pictures from real ones.",
        source="Radford, Metz and Chintala: Unsupervised representation learning with deep convolutional generative "
        "adversarial networks (2016)",
        parameters=170_402,
        data=pictures.TOLD,
        metric="two-sample figures of new pictures beside held out ones",
        result="on digits: discrepancy 0.00095 (p 0.10), nearest neighbours 0.70, Fréchet distance 4.4; real pictures have 0.00043 "
        "(0.25), 0.51 and 3.8, a normal distribution of all pixels 0.0126 (0.002), 0.94 and 34.6 (rosin zoo train dcgan "
        "--data digits)",
        license=pictures.LICENSE,
    ),
    make=GAN,
    inputs=inputs,
    train=PLAN.train,
    evaluate=PLAN.evaluate,
    small={"size": 8, "latent": 4, "channels": 4},
)
