"""The recipe of encoders: tokens of a text are hidden, and the model is to say what they were (Devlin et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import losses, metrics, nn, optim
from rosin.stdlib.data import Loader
from rosin.stdlib.data import text as texts
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.settings import Result, Settings
from rosin.stdlib.zoo.text.encoders import Masked
from rosin.stdlib.zoo.text.language import parts

KNOBS: dict[str, Any] = {
    "rate": 2e-3,
    "b2": 0.99,
    "decay": 0.01,
    "clip": 1.0,
    "window": 32,
    "pairs": 512,
    "chosen": 0.4,
}
"""The highest rate of AdamW, its b2 and weight decay, the largest norm of a gradient, how many tokens a piece of text
has, how many tokens there are in all, and which part of them is chosen to be told: more than BERT's 0.15, since a step
of so small batches has little to learn from otherwise."""
APART = 7
"""In measuring, one in so many tokens is hidden."""
HIDDEN, OTHER = 0.8, 0.1
"""Of chosen tokens, the parts that the mask stands for, and that another token stands for; the rest stay."""
SMALL = {
    "layers": 3,
    "features": 128,
    "heads": 4,
    "context": 64,
    "dropout": 0.0,
    "pooler": False,
    "deviation": 0.09,
    "places": "waves",
}
"""The encoder that is trained, unless options say otherwise. BERT's start, weights of 0.02 and drawn places, is for
more features and far more steps: so small a model sees nothing but frequencies for thousands of them."""


@dataclass(frozen=True)
class Plan:
    """How an encoder is trained."""

    make: Callable[..., Any]
    """Takes `key`, `vocabulary` and options."""
    options: Mapping[str, Any] = field(default_factory=lambda: dict(SMALL))
    epochs: int = 14
    batch: int = 64
    knobs: Mapping[str, Any] = field(default_factory=lambda: dict(KNOBS))

    def train(self, settings: Settings) -> Result:
        """Train on the first 90 % of a text, and measure on the last 5 %.

        Raises:
            ZooError: there is no such text.
        """
        work = self._work(settings)
        knobs, epochs = settings.knobs, settings.epochs or (1 if settings.quick else self.epochs)
        windows = texts.Windows(work.training, knobs["window"], stride=knobs["window"] // 2)
        loader = Loader(windows, settings.batch or self.batch, shuffle=True, seed=settings.seed)
        steps = epochs * len(loader)
        rate = optim.schedules.warmup_cosine(knobs["rate"], warmup=min(100, steps // 5), steps=steps)
        descent = optim.adamw(
            rate, b2=knobs["b2"], weight_decay=knobs["decay"], where=lambda path, array: array.ndim > 1
        )

        def loss(model: Any, batch: Any, run: nn.Run) -> Any:
            items, mask = batch
            shown, chosen = hidden(run.key(), items["x"], knobs["chosen"], work.mask)
            scores = model(shown, run=run)
            chosen = chosen & mask[:, None]
            return losses.token_cross_entropy(scores, items["x"], chosen), (scores, chosen)

        training = recipe.fit(
            settings,
            work.model,
            optim.chain(optim.clip_by_global_norm(knobs["clip"]), descent),
            loss,
            loader,
            epochs=epochs,
            observe=_observe,
            metrics={"masked_accuracy": metrics.Accuracy()},
            evaluate=lambda model: {"validation_accuracy": work.accuracy(model, work.validation, knobs["window"])},
        )
        return work.result(settings, training.state.model)

    def evaluate(self, settings: Settings) -> Result:
        """Measure what was trained in the folder on the last 5 % of the text.

        Raises:
            ZooError: nothing was trained there.
        """
        work = self._work(settings)
        return work.result(settings, recipe.trained(settings, work.model))

    def _work(self, settings: Settings) -> Work:
        found = parts(settings)
        pairs = texts.BytePairs.train(found.training, settings.knobs["pairs"])
        # One number more is that of the mask.
        options = {"vocabulary": len(pairs) + 1, **self.options, **settings.options}
        model = Masked.of(self.make(key=settings.seed, **options), key=settings.seed + 1)
        encoded = [pairs.encode(part) for part in (found.training, found.validation, found.test)]
        return Work(model, len(pairs), *encoded)


@dataclass(frozen=True)
class Work:
    """A model and the texts it is for, as tokens."""

    model: Masked
    mask: int
    training: np.ndarray[Any, Any]
    validation: np.ndarray[Any, Any]
    test: np.ndarray[Any, Any]

    def accuracy(self, model: Any, tokens: np.ndarray[Any, Any], window: int) -> float:
        """The part of hidden tokens that the model tells, in pieces of so many; each token is hidden once."""

        def right(model: Any, x: Array, chosen: Array) -> Array:
            found = rnp.argmax(model(rnp.where(chosen, self.mask, x)), axis=-1)
            return rnp.sum(chosen & (found == x))

        step, pieces = rosin.compile(right, dynamic=False), texts.Windows(tokens, window)
        total = 0
        for loaded in Loader(pieces, 32):
            x = rnp.asarray(loaded.data["x"])
            for first in range(APART):
                chosen = (np.arange(window) % APART == first) & loaded.mask[:, None]
                total += int(step(model, x, rnp.asarray(chosen)))
        return total / (len(pieces) * window)

    def result(self, settings: Settings, model: Any) -> Result:
        """Accuracy on the test text, and that of the token that is most frequent in the training text."""
        window = settings.knobs["window"]
        often = int(np.argmax(np.bincount(self.training)))
        pieces = texts.Windows(self.test, window)
        known = np.stack([pieces[i]["x"] for i in range(len(pieces))])
        values = {
            "masked_accuracy": self.accuracy(model, self.test, window),
            "most_frequent_token": float(np.mean(known == often)),
        }
        return recipe.report(settings, values)


def hidden(key: Array, tokens: Array, part: float, mask: int) -> tuple[Array, Array]:
    """Tokens `[batch, time]` of which some are hidden, and which are to be told: `part` of them, of which most are
    shown as the mask, some as another token below it, and some as they are."""
    keys = rosin.random.split(key, 3)
    chosen = rosin.random.uniform(keys[0], tokens.shape) < part
    fate = rosin.random.uniform(keys[1], tokens.shape)
    other = rnp.astype(rosin.random.randint(keys[2], tokens.shape, 0, mask), tokens.dtype)
    shown = rnp.where(fate < HIDDEN, mask, rnp.where(fate < HIDDEN + OTHER, other, tokens))
    return rnp.where(chosen, shown, tokens), chosen


def _observe(found: dict[str, Any], batch: Any, aux: Any) -> dict[str, Any]:
    items, _ = batch
    scores, chosen = aux
    return {"masked_accuracy": found["masked_accuracy"].update(scores, items["x"], chosen)}
