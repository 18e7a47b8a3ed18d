"""Train a small convolutional network on scikit-learn's handwritten digits: the whole of Rosin in one short program.

    python examples/digits.py [--epochs 40] [--seed 0] [--output demo-output]

One compiled function is the whole training step: forward, backward, dropout and the Adam update. The program prints
what it reaches and what it costs, beside the same step in plain NumPy, and writes that function at every stage of the
compiler, from the traced graph to assembly, to the output folder.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from digits_numpy import numpy_step
from sklearn.datasets import load_digits
from tqdm import tqdm

import rosin
from rosin import nn, random
from rosin import numpy as rnp

BATCH = 64
KEEP = 0.75
RATE, BETA1, BETA2, EPSILON = 2e-3, 0.9, 0.999, 1e-8


@dataclass
class Params:
    """Weights of the network; images are 1 x 8 x 8."""

    conv1: rosin.Array  # [16, 1, 3, 3]
    bias1: rosin.Array  # [16]
    conv2: rosin.Array  # [32, 16, 3, 3]
    bias2: rosin.Array  # [32]
    dense: rosin.Array  # [128, 10]
    bias3: rosin.Array  # [10]


@dataclass
class Adam:
    """The optimizer's state: running means of the gradient and of its square, and the number of steps."""

    mean: Params
    square: Params
    steps: rosin.Array


def initial_params(key: rosin.Array) -> Params:
    """Weights drawn with the variance that keeps activations at one scale (He et al. 2015), biases zero."""
    one, two, three = random.split(key, 3)
    return Params(
        conv1=random.normal(one, (16, 1, 3, 3)) * (2 / 9) ** 0.5,
        bias1=rnp.zeros((16,)),
        conv2=random.normal(two, (32, 16, 3, 3)) * (2 / 144) ** 0.5,
        bias2=rnp.zeros((32,)),
        dense=random.normal(three, (128, 10)) * (2 / 128) ** 0.5,
        bias3=rnp.zeros((10,)),
    )


def logits(params: Params, images: rosin.Array, mask: rosin.Array | None = None) -> rosin.Array:
    """Scores of the ten digits for images [N, 1, 8, 8]; `mask` [N, 128] is what dropout multiplies features by."""
    h = nn.conv(images, params.conv1, padding="SAME") + params.bias1[:, None, None]
    h = nn.max_pool(nn.relu(h), 2)
    h = nn.conv(h, params.conv2, padding="SAME") + params.bias2[:, None, None]
    h = nn.max_pool(nn.relu(h), 2)
    features = rnp.reshape(h, (images.shape[0], 128))
    if mask is not None:
        features = features * mask
    return features @ params.dense + params.bias3


def loss(params: Params, images: rosin.Array, labels: rosin.Array, mask: rosin.Array) -> rosin.Array:
    """The mean cross-entropy of the labels [N]."""
    scores = nn.log_softmax(logits(params, images, mask))
    return -rnp.mean(rnp.sum(scores * nn.one_hot(labels, 10), axis=1))


def dropout_mask(key: rosin.Array, rows: int) -> rosin.Array:
    """Zero with probability 1 - KEEP, else 1 / KEEP."""
    return rnp.where(random.bernoulli(key, KEEP, (rows, 128)), 1 / KEEP, 0.0)


def adam(params: Params, gradient: Params, state: Adam) -> tuple[Params, Adam]:
    """One update of Adam (Kingma and Ba 2015)."""
    steps = state.steps + 1.0
    mean = rosin.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, state.mean, gradient)
    square = rosin.tree.map(lambda s, g: BETA2 * s + (1 - BETA2) * g * g, state.square, gradient)
    unbias1, unbias2 = 1 - BETA1**steps, 1 - BETA2**steps

    def update(p: rosin.Array, m: rosin.Array, s: rosin.Array) -> rosin.Array:
        return p - RATE * (m / unbias1) / (rnp.sqrt(s / unbias2) + EPSILON)

    return rosin.tree.map(update, params, mean, square), Adam(mean, square, steps)


@rosin.compile(donate_argnames=("params", "state"))
def train_step(
    params: Params, state: Adam, images: rosin.Array, labels: rosin.Array, key: rosin.Array
) -> tuple[Params, Adam, rosin.Array]:
    """New weights, new optimizer state, and the loss before the step."""
    mask = dropout_mask(key, images.shape[0])
    value, gradient = rosin.value_and_grad(loss)(params, images, labels, mask)
    params, state = adam(params, gradient, state)
    return params, state, value


@rosin.compile
def accuracy(params: Params, images: rosin.Array, labels: rosin.Array) -> rosin.Array:
    """The fraction of images whose highest score is at their label."""
    return rnp.mean(rnp.astype(rnp.argmax(logits(params, images), axis=1) == labels, rnp.float32))


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """1437 images and labels to train on, 360 to test on; pixels between 0 and 1."""
    data = load_digits()
    images = (data.images / 16).astype(np.float32)[:, None]
    labels = data.target.astype(np.int32)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:1437], order[1437:]
    return images[train], labels[train], images[test], labels[test]


def train(seed: int, epochs: int) -> tuple[Params, float, list[float]]:
    """The weights after training, the seconds until the first step was done, and the seconds of each later step."""
    images, labels, _, _ = load()
    key = random.key(seed)
    params = initial_params(random.fold_in(key, 0))
    zeros = rosin.tree.map(rnp.zeros_like, params)
    state = Adam(zeros, rosin.tree.map(rnp.zeros_like, params), rnp.zeros(()))
    shuffle = np.random.default_rng(seed)
    first, seconds = 0.0, []
    steps = len(labels) // BATCH
    with tqdm(total=epochs * steps, unit="step") as bar:
        for epoch in range(epochs):
            order = shuffle.permutation(len(labels))
            for step in range(steps):
                rows = order[step * BATCH : (step + 1) * BATCH]
                step_key = random.fold_in(key, 1 + epoch * steps + step)
                start = time.perf_counter()
                params, state, value = train_step(params, state, images[rows], labels[rows], step_key)
                elapsed = time.perf_counter() - start
                if first:
                    seconds.append(elapsed)
                first = first or elapsed
                bar.update()
            bar.set_postfix(loss=f"{float(value):.4f}")
    return params, first, seconds


def side_by_side(seed: int, rounds: int = 30) -> tuple[float, float, float]:
    """Median seconds of a step here and in NumPy, in turns, and how far the two losses are apart at most."""
    images, labels, _, _ = load()
    x, y = images[:BATCH], labels[:BATCH]
    key = random.key(seed)
    mask_key = random.fold_in(key, 7)
    params = initial_params(key)
    theirs = {name: np.array(value) for name, value in vars(params).items()}
    moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in theirs.items()}
    zeros = rosin.tree.map(rnp.zeros_like, params)
    state = Adam(zeros, rosin.tree.map(rnp.zeros_like, params), rnp.zeros(()))
    mask = np.array(dropout_mask(mask_key, BATCH))
    ours_seconds, theirs_seconds, apart = [], [], 0.0
    for step in range(1, rounds + 1):
        start = time.perf_counter()
        params, state, value = train_step(params, state, x, y, mask_key)
        middle = time.perf_counter()
        numpy_value = numpy_step(theirs, moments, step, x, y, mask, (RATE, BETA1, BETA2, EPSILON))
        end = time.perf_counter()
        ours_seconds.append(middle - start)
        theirs_seconds.append(end - middle)
        apart = max(apart, abs(float(value) - numpy_value))
    return float(np.median(ours_seconds)), float(np.median(theirs_seconds)), apart


def write_stages(folder: Path, seed: int) -> None:
    """The training step at every stage of the compiler, one numbered file each."""
    images, labels, _, _ = load()
    params = initial_params(random.key(seed))
    zeros = rosin.tree.map(rnp.zeros_like, params)
    arguments = params, Adam(zeros, zeros, rnp.zeros(())), images[:BATCH], labels[:BATCH], random.key(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(train_step.stages(*arguments)):
        text = train_step.text(*arguments, stage=stage)
        (folder / f"{number:02d}-{stage}.txt").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small convolutional network on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    options = parser.parse_args()

    start = time.perf_counter()
    params, first, seconds = train(options.seed, options.epochs)
    _, _, test_images, test_labels = load()
    score = float(accuracy(params, test_images, test_labels))
    total = time.perf_counter() - start
    ours, theirs, apart = side_by_side(options.seed)
    write_stages(options.output, options.seed)

    print(f"accuracy on {len(test_labels)} held-out digits  {100 * score:.2f} %")
    print(f"training, compile time included     {total:.1f} s")
    print(f"first step, compile time included   {1000 * first:.0f} ms")
    print(f"each later step (batch of {BATCH})       {1e6 * float(np.median(seconds)):.0f} µs")
    print(
        f"the same step, side by side         {1e6 * ours:.0f} µs here, {1e6 * theirs:.0f} µs in NumPy "
        f"({theirs / ours:.1f} x)"
    )
    print(f"                                    losses within {apart:.1e} of each other over 30 steps")
    print(f"the training step at every stage    {options.output.resolve()}")


if __name__ == "__main__":
    main()
