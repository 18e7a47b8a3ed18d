"""The recipe of models of what comes next in a text: split by place, measured in bits per character beside n-grams."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import rosin
from rosin import numpy as rnp
from rosin.stdlib import losses, metrics, nn, optim
from rosin.stdlib.data import Loader
from rosin.stdlib.data import text as texts
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.settings import Result, Settings
from rosin.stdlib.zoo.text.generation import Sampler, generate
from rosin.stdlib.zoo.text.ngrams import KneserNey

KNOBS: dict[str, Any] = {"rate": 2e-3, "b2": 0.999, "decay": 0.1, "clip": 1.0, "window": 128}
"""The highest rate of AdamW, its b2 and weight decay, the largest norm of a gradient, and how many tokens the model
sees of a piece of text in training."""
HELD_OUT = 0.05
"""The part of a text that is the validation set, and the part after it, the end, that is the test set."""
QUICK = 20_000
"""How many characters of the training text a quick training sees."""
SAMPLE = 800
"""How many characters are written as a sample."""


class Vocabulary(Protocol):
    """A text as tokens and back."""

    def __len__(self) -> int: ...
    def encode(self, text: str) -> np.ndarray[Any, Any]: ...
    def decode(self, tokens: Any) -> str: ...


@dataclass(frozen=True)
class Parts:
    """A text in three, by place."""

    training: str
    validation: str
    test: str


def parts(settings: Settings) -> Parts:
    """The parts of a file, or of the reference that Python carries. Characters that the training text has not are one.

    Raises:
        ZooError: there is no such file, or it is short.
    """
    if settings.data is None:
        whole = texts.python_reference()
    elif Path(settings.data).is_file():
        whole = Path(settings.data).read_text(encoding="utf-8")
    else:
        raise ZooError(f"--data names a file of text, and there is no file {settings.data!r}")
    if len(whole) < QUICK:
        raise ZooError(f"a text of {len(whole):,} characters is too short: at least {QUICK:,} are needed")
    last, middle = (round(len(whole) * (1 - share)) for share in (HELD_OUT, 2 * HELD_OUT))
    training = whole[:middle]
    known = str.maketrans(dict.fromkeys(set(whole[middle:]) - set(training), texts.UNKNOWN))
    validation, test = (part.translate(known) for part in (whole[middle:last], whole[last:]))
    return (
        Parts(training[:QUICK], validation[: QUICK // 10], test[: QUICK // 10])
        if settings.quick
        else Parts(training, validation, test)
    )


@dataclass(frozen=True)
class Plan:
    """How a model of text is trained."""

    make: Callable[..., Any]
    """Takes `key`, `vocabulary` and options."""
    tokens: Callable[[str], Vocabulary]
    """The vocabulary that a training text has."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of the model that is trained, where they are not its defaults."""
    epochs: int = 10
    batch: int = 16
    knobs: Mapping[str, Any] = field(default_factory=lambda: dict(KNOBS))

    def train(self, settings: Settings) -> Result:
        """Train on the first 90 % of a text, and measure on the last 5 %.

        Raises:
            ZooError: there is no such text.
        """
        found, vocabulary, model = self._found(settings)
        knobs, epochs = settings.knobs, settings.epochs or (1 if settings.quick else self.epochs)
        window = knobs["window"]
        windows = texts.Windows(vocabulary.encode(found.training), window, stride=window // 2)
        loader = Loader(windows, settings.batch or self.batch, shuffle=True, seed=settings.seed)
        steps = epochs * len(loader)
        rate = optim.schedules.warmup_cosine(knobs["rate"], warmup=min(100, steps // 5), steps=steps)
        descent = optim.adamw(
            rate, b2=knobs["b2"], weight_decay=knobs["decay"], where=lambda path, array: array.ndim > 1
        )
        training = recipe.fit(
            settings,
            model,
            optim.chain(optim.clip_by_global_norm(knobs["clip"]), descent),
            _loss,
            loader,
            epochs=epochs,
            observe=_observe,
            metrics={"bits_per_token": metrics.Mean()},
            evaluate=lambda model: {
                "validation_bits_per_character": bits_per_character(model, vocabulary, found.validation, window)
            },
        )
        return self._result(settings, training.state.model, found, vocabulary)

    def evaluate(self, settings: Settings) -> Result:
        """Measure what was trained in the folder on the last 5 % of the text, and write a sample.

        Raises:
            ZooError: nothing was trained there.
        """
        found, vocabulary, model = self._found(settings)
        return self._result(settings, recipe.trained(settings, model), found, vocabulary)

    def _found(self, settings: Settings) -> tuple[Parts, Vocabulary, Any]:
        found = parts(settings)
        vocabulary = self.tokens(found.training)
        options = {**self.options, **settings.options}
        return found, vocabulary, self.make(key=settings.seed, **{"vocabulary": len(vocabulary), **options})

    def _result(self, settings: Settings, model: Any, found: Parts, vocabulary: Vocabulary) -> Result:
        window = settings.knobs["window"]
        characters = texts.Characters(found.training)
        grams = KneserNey(characters.encode(found.training).tolist(), len(characters))
        values = {
            "bits_per_character": bits_per_character(model, vocabulary, found.test, window),
            "five_grams": grams.bits(characters.encode(found.test).tolist()),
        }
        begin = found.test[:window]
        told = begin + vocabulary.decode(continued(model, vocabulary.encode(begin), SAMPLE, window, settings.seed))
        file = settings.folder / "sample.txt"
        result = recipe.report(settings, values, [file], told)
        file.write_text(told + "\n", encoding="utf-8")
        return result


def bits_per_character(model: Any, vocabulary: Vocabulary, text: str, window: int, batch: int = 16) -> float:
    """The bits that a model needs for a text, in the mean. Each token but those at the very start is scored with at
    least half a window before it."""
    tokens = vocabulary.encode(text)
    half = window // 2
    short = -(len(tokens) - 1 - window) % half
    windows = texts.Windows(np.pad(tokens, (0, max(short, 0))), window, stride=half)
    step = rosin.compile(lambda model, x, y: losses.token_cross_entropy(model(x), y, reduction="none"), dynamic=False)
    total = 0.0
    for loaded in Loader(windows, batch):
        nats = np.asarray(step(model, rnp.asarray(loaded.data["x"]), rnp.asarray(loaded.data["y"])))
        for index, line in zip(loaded.indices, nats, strict=False):
            begin = index * half
            counted = slice(0 if index == 0 else window - half, max(len(tokens) - 1 - begin, 0))
            total += float(np.sum(line[counted], dtype=np.float64))
    # The first token has nothing before it; of all tokens it is as likely as any.
    return (total / math.log(2) + math.log2(len(vocabulary))) / len(text)


def continued(model: Any, begin: Any, count: int, window: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """`count` tokens after those that a text begins with, which may be more than the model sees at once."""
    written = np.asarray(begin)
    half = window // 2
    sampler = Sampler(temperature=0.8)
    for number in range(-(-count // half)):
        prompt = rnp.asarray(written[-half:])[None]
        more = generate(model, prompt, half, key=rosin.random.fold_in(rosin.random.key(seed), number), sampler=sampler)
        written = np.concatenate([written, np.asarray(more)[0]])
    return written[len(begin) :][:count]


def _loss(model: Any, batch: Any, run: nn.Run) -> Any:
    items, mask = batch
    nats = losses.token_cross_entropy(model(items["x"], run=run), items["y"], reduction="none")
    return losses.reduced("loss", nats, "mean", mask[:, None]), nats


def _observe(found: dict[str, Any], batch: Any, nats: Any) -> dict[str, Any]:
    _, mask = batch
    return {"bits_per_token": found["bits_per_token"].update(nats / math.log(2), mask[:, None])}
