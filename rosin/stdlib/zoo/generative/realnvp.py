"""RealNVP (Dinh et al. 2017): an invertible network, which knows the density of pictures exactly."""

from __future__ import annotations

import math
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn, optim
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.generative import pictures
from rosin.stdlib.zoo.generative.plan import Plan, Task, mean_over
from rosin.stdlib.zoo.generative.shapes import quarter


class Coupling(nn.Module):
    """An affine coupling layer: one part of the numbers is scaled and shifted by what a network makes of the other.

    The parts are the fields of a checkerboard, or the halves of the channels; `flipped` exchanges them.
    """

    net: nn.Chain
    strength: Array = nn.param("channels 1 1")
    checkered: bool = nn.static()
    flipped: bool = nn.static()

    def __init__(
        self, channels: int, hidden: int, *, checkered: bool, flipped: bool, key: KeyLike, dtype: Any = rosin.float32
    ) -> None:
        keys = keys_of(key)
        seen = moved = channels if checkered else channels // 2
        small = nn.initializers.normal(1e-2)
        like: dict[str, Any] = {"key": keys, "dtype": dtype}
        self.net = nn.Chain(
            nn.Conv((3, 3), seen, hidden, padding=1, **like),
            rosin.nn.silu,
            nn.Conv((1, 1), hidden, hidden, **like),
            rosin.nn.silu,
            nn.Conv((3, 3), hidden, 2 * moved, padding=1, weight_init=small, **like),
        )
        self.strength = rnp.ones((moved, 1, 1), dtype=dtype)
        self.checkered = checkered
        self.flipped = flipped

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """The numbers after the layer, and the logarithm of how much it stretches space at each example, `[batch]`."""
        kept, moved, mask = self._divided(x)
        log_scale, shift = self._affine(kept, mask)
        return self._joined(kept, moved * rnp.exp(log_scale) + shift, mask), rnp.sum(log_scale, axis=(1, 2, 3))

    def inverse(self, y: Array) -> Array:
        """The numbers before the layer."""
        kept, moved, mask = self._divided(y)
        log_scale, shift = self._affine(kept, mask)
        return self._joined(kept, (moved - shift) * rnp.exp(-log_scale), mask)

    def _divided(self, x: Array) -> tuple[Array, Array, Array | None]:
        """What is kept, what moves, and where that is."""
        if self.checkered:
            places = rnp.arange(x.shape[2])[:, None] + rnp.arange(x.shape[3])
            mask = rnp.astype(places % 2 == int(self.flipped), x.dtype)
            return x * (1 - mask), x * mask, mask
        first, second = rnp.split(x, 2, axis=1)
        return (second, first, None) if self.flipped else (first, second, None)

    def _affine(self, kept: Array, mask: Array | None) -> tuple[Array, Array]:
        log_scale, shift = rnp.split(self.net(kept), 2, axis=1)
        log_scale = self.strength * rnp.tanh(log_scale)
        return (log_scale, shift) if mask is None else (log_scale * mask, shift * mask)

    def _joined(self, kept: Array, moved: Array, mask: Array | None) -> Array:
        if mask is not None:
            return kept + moved
        return rnp.concat([moved, kept] if self.flipped else [kept, moved], axis=1)


class Stack(nn.Module):
    """Couplings one after the other, each of which keeps what the one before it moved."""

    layers: tuple[Coupling, ...]

    def __init__(
        self, count: int, channels: int, hidden: int, *, checkered: bool, key: KeyLike, dtype: Any = rosin.float32
    ) -> None:
        keys = keys_of(key)
        flips = [number % 2 == 1 for number in range(count)]
        self.layers = tuple(
            Coupling(channels, hidden, checkered=checkered, flipped=flipped, key=keys, dtype=dtype) for flipped in flips
        )

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """As `Coupling`."""
        log_det = rnp.zeros(x.shape[0], dtype=x.dtype)
        for layer in self.layers:
            x, more = layer(x)
            log_det = log_det + more
        return x, log_det

    def inverse(self, y: Array) -> Array:
        """The numbers before the first layer."""
        for layer in reversed(self.layers):
            y = layer.inverse(y)
        return y


class Scale(nn.Module):
    """Couplings by checkerboard, 2 x 2 places become channels, couplings by channel; half of the channels are done."""

    by_place: Stack
    by_channel: Stack

    def __init__(self, channels: int, hidden: int, *, key: KeyLike, dtype: Any = rosin.float32) -> None:
        keys = keys_of(key)
        self.by_place = Stack(3, channels, hidden, checkered=True, key=keys, dtype=dtype)
        self.by_channel = Stack(3, 4 * channels, 2 * hidden, checkered=False, key=keys, dtype=dtype)

    def __call__(self, x: Array) -> tuple[Array, Array, Array]:
        """What goes on, what is done, and the logarithm of the stretch."""
        x, first = self.by_place(x)
        x, second = self.by_channel(rosin.nn.pixel_unshuffle(x, 2))
        going, done = rnp.split(x, 2, axis=1)
        return going, done, first + second

    def inverse(self, going: Array, done: Array) -> Array:
        """The numbers before the scale."""
        y = self.by_channel.inverse(rnp.concat([going, done], axis=1))
        return self.by_place.inverse(rosin.nn.pixel_shuffle(y, 2))


class RealNVP(nn.Module):
    """Pictures `[batch, 1, size, size]`, from 0 to 1, as as many normal numbers, and back by the same network.

    Two scales (see `Scale`), and couplings by checkerboard of what is left. A pixel is one of `levels` greys.
    """

    scales: tuple[Scale, Scale]
    last: Stack
    size: int = nn.static()
    levels: int = nn.static()

    def __init__(
        self, *, key: KeyLike, size: int = 28, levels: int = 256, hidden: int = 32, dtype: Any = rosin.float32
    ) -> None:
        """Raises ModuleError where 4 does not divide `size`."""
        keys = keys_of(key)
        quarter("RealNVP", size)
        like: dict[str, Any] = {"key": keys, "dtype": dtype}
        self.scales = Scale(1, hidden, **like), Scale(2, 2 * hidden, **like)
        self.last = Stack(4, 4, 4 * hidden, checkered=True, **like)
        self.size = size
        self.levels = levels

    def __call__(self, y: Array) -> Array:
        """The logarithm of the density at real numbers `[batch, 1, size, size]`, `[batch]`."""
        z, log_det = self.forward(y)
        return log_det - 0.5 * rnp.sum(z * z, axis=1) - 0.5 * z.shape[1] * math.log(2 * math.pi)

    def bound(self, x: Array, key: Array) -> Array:
        """A lower bound of the logarithm of the probability of each picture, in nats, `[batch]`, from one draw: the
        density where each pixel is anywhere in its level (uniform dequantisation, Theis et al. 2016)."""
        inside = (x * (self.levels - 1) + rosin.random.uniform(key, x.shape, x.dtype)) / self.levels
        logits, stretch = logit(inside)
        return self(logits) + stretch - self.size * self.size * math.log(self.levels)

    def forward(self, y: Array) -> tuple[Array, Array]:
        """Real numbers `[batch, 1, size, size]` as those of a normal distribution, `[batch, size²]`, and the logarithm
        of the absolute determinant of the Jacobian, `[batch]`."""
        first, second = self.scales
        y, done_first, stretch_first = first(y)
        y, done_second, stretch_second = second(y)
        y, stretch_last = self.last(y)
        z = [rnp.reshape(part, (part.shape[0], -1)) for part in (done_first, done_second, y)]
        return rnp.concat(z, axis=1), stretch_first + stretch_second + stretch_last

    def inverse(self, z: Array) -> Array:
        """The real numbers that `forward` takes to `z`."""
        first, second = self.scales
        half, quarter = self.size // 2, self.size // 4
        ends = [2 * half * half, 2 * half * half + 4 * quarter * quarter]
        done_first = rnp.reshape(z[:, : ends[0]], (-1, 2, half, half))
        done_second = rnp.reshape(z[:, ends[0] : ends[1]], (-1, 4, quarter, quarter))
        y = self.last.inverse(rnp.reshape(z[:, ends[1] :], (-1, 4, quarter, quarter)))
        return first.inverse(second.inverse(y, done_second), done_first)

    def sample(self, key: Array, count: int, temperature: float = 1.0) -> Array:
        """New pictures `[count, 1, size, size]`, from 0 to 1; with a lower temperature they are less varied."""
        z = rosin.random.normal(key, (count, self.size * self.size), self.scales[0].by_place.layers[0].strength.dtype)
        return unlogit(self.inverse(temperature * z))


_EDGE = 0.05
"""Pixels are moved away from 0 and 1 by so much before their logits are taken."""


def logit(x: Array) -> tuple[Array, Array]:
    """Pictures of numbers between 0 and 1 as real numbers, and the logarithm of the stretch, `[batch]`."""
    p = _EDGE + (1 - 2 * _EDGE) * x
    log_p, log_q = rnp.log(p), rnp.log1p(-p)
    return log_p - log_q, rnp.sum(math.log(1 - 2 * _EDGE) - log_p - log_q, axis=(1, 2, 3))


def unlogit(y: Array) -> Array:
    """The numbers between 0 and 1 whose logits these are; what lies beyond is cut off."""
    return rnp.clip((rosin.nn.sigmoid(y) - _EDGE) / (1 - 2 * _EDGE), 0, 1)


# -- training ----------------------------------------------------------------------------------------------------------


def fit(task: Task, model: RealNVP) -> RealNVP:
    """Raise the likelihood of the training pictures; the parameters that are kept are a running mean."""
    steps = task.epochs * len(task.loader())
    rate = optim.schedules.warmup_cosine(1e-3, warmup=min(100, steps // 5), steps=steps)
    optimizer = optim.averaged(optim.chain(optim.clip_by_global_norm(1.0), optim.adam(rate)), decay=0.99)
    bits = 1 / (task.pictures.numbers * math.log(2))

    def loss(model: RealNVP, batch: Any, run: nn.Run) -> Array:
        x, _ = batch
        return -bits * rnp.mean(model.bound(x, run.key()))

    def held_out(model: RealNVP) -> dict[str, float]:
        return {"held_out_bits_per_dim": -bits * mean_over(RealNVP.bound, model, task.pictures.held_out)}

    found = recipe.fit(task.settings, model, optimizer, loss, task.loader(), epochs=task.epochs, evaluate=held_out)
    return found.state.optimizer.average.of(found.state.model)


def likelihood(model: RealNVP, task: Task) -> dict[str, float]:
    """The likelihood of the held out pictures, and the bits of simpler models."""
    nats = mean_over(RealNVP.bound, model, task.pictures.held_out)
    return {
        "log_likelihood": nats,
        "bits_per_dim": task.pictures.bits(-nats),
        **pictures.simple_bits_per_dim(task.pictures),
    }


def inputs(batch: int, *, size: int = 28, dtype: Any = rosin.float32, **_: Any) -> tuple[Any, ...]:
    """The type of a batch of logits of pictures."""
    return (rosin.ShapeDtypeStruct((batch, 1, size, size), dtype),)


PLAN = Plan(
    "realnvp",
    RealNVP,
    fit,
    likelihood,
    {"mnist5000": {"hidden": 16}},
    epochs={"digits": 40, "mnist5000": 8},
    levels=True,
)

ENTRY = Entry(
    Card(
        name="realnvp",
        title="RealNVP",
        task="generation",
        summary="An invertible network of affine couplings, by checkerboard and by channel, at two scales and a rest.",
        source="Dinh, Sohl-Dickstein and Bengio: Density estimation using Real NVP (2017)",
        parameters=265_313,
        data=pictures.TOLD,
        metric="bits per dimension of held out pictures, with uniform dequantisation; two-sample figures of new ones",
        result="2.129 bits per dimension on digits; a normal distribution of all pixels 2.941, histograms of each 2.450 (rosin "
        "zoo train realnvp --data digits)",
        license=pictures.LICENSE,
    ),
    make=RealNVP,
    inputs=inputs,
    train=PLAN.train,
    evaluate=PLAN.evaluate,
    small={"size": 8, "levels": 17, "hidden": 4},
)
