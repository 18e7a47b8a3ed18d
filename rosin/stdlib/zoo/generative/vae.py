"""A variational autoencoder (Kingma and Welling 2014) of grey pictures."""

from __future__ import annotations

import math
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import losses, nn, optim
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.generative import pictures
from rosin.stdlib.zoo.generative.plan import Plan, Task, mean_over
from rosin.stdlib.zoo.generative.shapes import Unflatten, quarter


class VAE(nn.Module):
    """Pictures `[batch, 1, size, size]`, from 0 to 1, as normal numbers `[batch, latent]`, and back.

    A pixel is one of `levels` greys, with the probabilities of a discretized logistic distribution (Kingma et al. 2016)
    whose centre and scale the decoder gives. So the bound is one of the data themselves, which may be compared with
    that of other models in bits per dimension.
    """

    encoder: nn.Chain
    decoder: nn.Chain
    latent: int = nn.static()
    levels: int = nn.static()
    dtype: Any = nn.static()

    def __init__(
        self,
        *,
        key: KeyLike,
        size: int = 28,
        levels: int = 256,
        latent: int = 24,
        channels: int = 24,
        hidden: int = 256,
        dtype: Any = rosin.float32,
    ) -> None:
        """Raises ModuleError where 4 does not divide `size`."""
        keys, place, act = keys_of(key), quarter("VAE", size), rosin.nn.silu
        features = 2 * channels * place * place
        halves: dict[str, Any] = {"strides": 2, "padding": 1, "key": keys, "dtype": dtype}

        def dense(inputs: int, outputs: int) -> nn.Dense:
            return nn.Dense(inputs, outputs, key=keys, dtype=dtype)

        self.encoder = nn.Chain(
            nn.Conv((4, 4), 1, channels, **halves),
            act,
            nn.Conv((4, 4), channels, 2 * channels, **halves),
            act,
            nn.Flatten(),
            dense(features, hidden),
            act,
            dense(hidden, 2 * latent),
        )
        self.decoder = nn.Chain(
            dense(latent, hidden),
            act,
            dense(hidden, features),
            act,
            Unflatten((2 * channels, place, place)),
            nn.ConvTranspose((4, 4), 2 * channels, channels, **halves),
            act,
            nn.ConvTranspose((4, 4), channels, 2, **halves),
        )
        self.latent = latent
        self.levels = levels
        self.dtype = dtype

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        """The picture that is made of a picture; in training from a draw of what stands for it, else from the mean."""
        mean, deviation = self.encode(x)
        noise = rosin.random.normal(run.key(), mean.shape, mean.dtype) if run.training else 0
        return self.decode(mean + deviation * noise)[0]

    def encode(self, x: Array) -> tuple[Array, Array]:
        """The mean and the deviation `[batch, latent]` of what stands for a picture."""
        mean, log_deviation = rnp.split(self.encoder(x - 0.5), 2, axis=1)
        return mean, rnp.exp(log_deviation)

    def decode(self, z: Array) -> tuple[Array, Array]:
        """The centre of each pixel, beyond 0 or 1 where it is surely black or white, and the logarithm of its scale."""
        center, log_scale = rnp.split(self.decoder(z), 2, axis=1)
        # From wider than the picture to as narrow as a level.
        return 0.5 + center, -2 + 3 * rnp.tanh(log_scale)

    def elbo(self, x: Array, key: Array) -> Array:
        """The evidence lower bound of the logarithm of the probability of each picture, in nats, `[batch]`: from one
        draw, with the divergence of the normal distributions exact."""
        mean, deviation = self.encode(x)
        z = mean + deviation * rosin.random.normal(key, mean.shape, mean.dtype)
        divergence = rnp.sum(0.5 * (mean**2 + deviation**2 - 1) - rnp.log(deviation), axis=1)
        return self._likelihood(x, z) - divergence

    def importance_bound(self, x: Array, key: Array, draws: int = 64) -> Array:
        """A tighter bound, which rises to the logarithm of the probability with the number of draws (Burda et al.
        2016), `[batch]`."""
        mean, deviation = self.encode(x)

        def weight(own_key: Array) -> Array:
            noise = rosin.random.normal(own_key, mean.shape, mean.dtype)
            z = mean + deviation * noise
            # The constants of the two normal densities are equal.
            return self._likelihood(x, z) + rnp.sum(0.5 * (noise**2 - z**2) + rnp.log(deviation), axis=1)

        return rnp.logsumexp(rosin.map(weight, rosin.random.split(key, draws)), axis=0) - math.log(draws)

    def _likelihood(self, x: Array, z: Array) -> Array:
        each = losses.discretized_logistic_nll(*self.decode(z), x, self.levels, reduction="none")
        return -rnp.sum(each, axis=(1, 2, 3))

    def sample(self, key: Array, count: int) -> Array:
        """New pictures `[count, 1, size, size]`, from 0 to 1: each pixel at its centre."""
        z = rosin.random.normal(key, (count, self.latent), self.dtype)
        return rnp.clip(self.decode(z)[0], 0, 1)


# -- training ----------------------------------------------------------------------------------------------------------


def fit(task: Task, model: VAE) -> VAE:
    """Raise the bound of the training pictures."""
    steps = task.epochs * len(task.loader())
    optimizer = optim.adam(optim.schedules.warmup_cosine(2e-3, warmup=min(100, steps // 5), steps=steps))
    bits = 1 / (task.pictures.numbers * math.log(2))

    def loss(model: VAE, batch: Any, run: nn.Run) -> Array:
        x, _ = batch
        return -bits * rnp.mean(model.elbo(x, run.key()))

    def held_out(model: VAE) -> dict[str, float]:
        return {"held_out_bits_per_dim": -bits * mean_over(VAE.elbo, model, task.pictures.held_out)}

    found = recipe.fit(task.settings, model, optimizer, loss, task.loader(), epochs=task.epochs, evaluate=held_out)
    return found.state.model


def likelihood(model: VAE, task: Task) -> dict[str, float]:
    """Both bounds of the held out pictures, in nats and in bits per dimension, and the bits of simpler models."""
    found = task.pictures
    elbo = mean_over(VAE.elbo, model, found.held_out)
    tighter = mean_over(VAE.importance_bound, model, found.held_out)
    return {
        "elbo": elbo,
        "bits_per_dim": found.bits(-elbo),
        "importance_bound": tighter,
        "importance_bits_per_dim": found.bits(-tighter),
        **pictures.simple_bits_per_dim(found),
    }


def inputs(batch: int, *, size: int = 28, dtype: Any = rosin.float32, **_: Any) -> tuple[Any, ...]:
    """The type of a batch of pictures."""
    return (rosin.ShapeDtypeStruct((batch, 1, size, size), dtype),)


PLAN = Plan(
    "vae",
    VAE,
    fit,
    likelihood,
    {"digits": {"latent": 12, "channels": 16}},
    epochs={"digits": 100, "mnist5000": 20},
    levels=True,
)

ENTRY = Entry(
    Card(
        name="vae",
        title="Variational autoencoder",
        task="generation",
        summary="Grey pictures as normal numbers and back, by convolutions; pixels are discretized logistic.",
        source="Kingma and Welling: Auto-encoding variational Bayes (2014); the bound of several draws: Burda, Grosse "
        "and Salakhutdinov: Importance weighted autoencoders (2016)",
        parameters=1_263_682,
        data=pictures.TOLD,
        metric="ELBO of held out pictures in nats and bits per dimension; two-sample figures of new ones",
        result="1.994 bits per dimension on digits (ELBO -88.4 nats; a normal distribution of all pixels 2.941, histograms of each "
        "2.450), 1.945 by 64 draws (rosin zoo train vae --data digits); 1.571 on MNIST, 1.542 by 64 draws, histograms 1.755 "
        "(rosin zoo train vae)",
        license=pictures.LICENSE,
    ),
    make=VAE,
    inputs=inputs,
    train=PLAN.train,
    evaluate=PLAN.evaluate,
    small={"size": 8, "levels": 17, "latent": 4, "channels": 4, "hidden": 16},
)
