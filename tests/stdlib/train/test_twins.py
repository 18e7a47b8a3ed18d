"""Trainings beside PyTorch's: the same start, the same batches, the same losses at each of 20 steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import losses, nn, optim, train, weights

pytestmark = [pytest.mark.peers, pytest.mark.slow]

STEPS = 20


@dataclass(frozen=True)
class Twin:
    """One training, ours and PyTorch's. Functions of dtypes give the models."""

    ours: Callable[[Any], nn.Module]
    theirs: Callable[[], Any]
    names: list[tuple[str, str | None]]
    optimizer: Callable[[], optim.Transform]
    their_optimizer: Callable[[Any], Any]
    batch: Callable[[np.random.Generator], tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]
    split: Callable[[dict[str, Any]], dict[str, Any]] = lambda arrays: arrays


# -- the models --------------------------------------------------------------------------------------------------------


def perceptron() -> Any:
    from torch import nn as tnn

    return tnn.Sequential(tnn.Linear(12, 48), tnn.ReLU(), tnn.Linear(48, 32), tnn.Tanh(), tnn.Linear(32, 5))


def our_perceptron(dtype: Any) -> nn.Module:
    keys = nn.Keys(0)

    def dense(a: int, b: int) -> nn.Dense:
        return nn.Dense(a, b, key=keys, dtype=dtype)

    return nn.Chain(dense(12, 48), rosin.nn.relu, dense(48, 32), rnp.tanh, dense(32, 5))


def convolutional() -> Any:
    from torch import nn as tnn

    return tnn.Sequential(
        tnn.Conv2d(3, 8, 3, padding=1, bias=False),
        tnn.BatchNorm2d(8),
        tnn.ReLU(),
        tnn.MaxPool2d(3, 2, 1),
        tnn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
        tnn.BatchNorm2d(16),
        tnn.ReLU(),
        tnn.AvgPool2d(2),
        tnn.Flatten(),
        tnn.Dropout(0.0),
        tnn.Linear(64, 5),
    )


def our_convolutional(dtype: Any) -> nn.Module:
    keys = nn.Keys(0)
    return nn.Chain(
        nn.Conv((3, 3), 3, 8, padding=1, use_bias=False, key=keys, dtype=dtype),
        nn.BatchNorm(8, dtype=dtype),
        rosin.nn.relu,
        nn.MaxPool(3, 2, 1),
        nn.Conv((3, 3), 8, 16, strides=2, padding=1, use_bias=False, key=keys, dtype=dtype),
        nn.BatchNorm(16, dtype=dtype),
        rosin.nn.relu,
        nn.AvgPool(2),
        nn.Flatten(),
        nn.Dropout(0.0),
        nn.Dense(64, 5, key=keys, dtype=dtype),
    )


def recurrent() -> Any:
    import torch
    from torch import nn as tnn

    class Net(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = tnn.LSTM(6, 16, 2, batch_first=True, bidirectional=True)
            self.head = tnn.Linear(32, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.lstm(x)[0].mean(1))

    return Net()


class Recurrent(nn.Module):
    lstm: nn.LSTM
    head: nn.Dense

    def __call__(self, x: Any, run: nn.Run = nn.EVAL) -> Any:
        return self.head(rnp.mean(self.lstm(x, run=run)[0], axis=1))


def our_recurrent(dtype: Any) -> nn.Module:
    lstm = nn.LSTM(6, 16, key=0, layers=2, bidirectional=True, dtype=dtype)
    return Recurrent(lstm, nn.Dense(32, 5, key=1, dtype=dtype))


def transformer() -> Any:
    import torch
    from torch import nn as tnn

    class Net(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = tnn.Embedding(20, 16)
            options = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
            layer = tnn.TransformerEncoderLayer(16, 4, 32, **options)
            self.body = tnn.TransformerEncoder(layer, 2, tnn.LayerNorm(16), enable_nested_tensor=False)
            self.head = tnn.Linear(16, 20)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mask = tnn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=self.head.weight.dtype)
            return self.head(self.body(self.embedding(x), mask, is_causal=True)).flatten(0, 1)

    return Net()


class Language(nn.Module):
    embedding: nn.Embedding
    body: nn.Transformer
    head: nn.Dense

    def __call__(self, x: Any, run: nn.Run = nn.EVAL) -> Any:
        return rnp.reshape(self.head(self.body(self.embedding(x), run=run)), (-1, 20))


def our_transformer(dtype: Any) -> nn.Module:
    keys = nn.Keys(0)

    def norm(size: int) -> nn.Module:
        return nn.LayerNorm(size, dtype=dtype)

    return Language(
        nn.Embedding(20, 16, key=keys, dtype=dtype),
        nn.Transformer(2, 16, 4, hidden=32, causal=True, norm=norm, key=keys, dtype=dtype),
        nn.Dense(16, 20, key=keys, dtype=dtype),
    )


def apart(arrays: dict[str, Any]) -> dict[str, Any]:
    """PyTorch's projections of attention, which are one array, as three."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        before, is_joint, part = name.partition("in_proj_")
        pieces = rnp.split(array, 3) if is_joint else [array]
        names = [f"{before}{each}.{part}" for each in ("query", "key", "value")] if is_joint else [name]
        found |= dict(zip(names, pieces, strict=True))
    return found


# -- the batches -------------------------------------------------------------------------------------------------------


def rows(*shape: int) -> Callable[[np.random.Generator], Any]:
    """Standard normal examples of five classes."""
    return lambda rng: (rng.standard_normal((16, *shape)), rng.integers(0, 5, 16))


def texts(rng: np.random.Generator) -> Any:
    """Tokens, and the next ones."""
    tokens = rng.integers(0, 20, (8, 13))
    return tokens[:, :-1], tokens[:, 1:].reshape(-1)


def _torch(name: str, **options: Any) -> Callable[[Any], Any]:
    def make(parameters: Any) -> Any:
        import torch

        return getattr(torch.optim, name)(parameters, **options)

    return make


_LAYERS = [(r"(\d+)\.(weight|bias|running_mean|running_var)", r"layers.\1.\2"), (r".*num_batches_tracked", None)]
TWINS: dict[str, Twin] = {
    "MLP": Twin(
        our_perceptron,
        perceptron,
        _LAYERS,
        lambda: optim.sgd(0.1, momentum=0.9),
        _torch("SGD", lr=0.1, momentum=0.9),
        rows(12),
    ),
    "CNN": Twin(
        our_convolutional,
        convolutional,
        _LAYERS,
        lambda: optim.adam(3e-3),
        _torch("Adam", lr=3e-3),
        rows(3, 16, 16),
    ),
    "LSTM": Twin(
        our_recurrent,
        recurrent,
        [
            (r"lstm\.(.*)_l(\d)", r"lstm.layers.\2.0.\1"),
            (r"lstm\.(.*)_l(\d)_reverse", r"lstm.layers.\2.1.\1"),
        ],
        lambda: optim.nadam(0.01),
        _torch("NAdam", lr=0.01),
        rows(9, 6),
    ),
    "transformer": Twin(
        our_transformer,
        transformer,
        [
            (r"body\.layers\.(\d)\.self_attn\.out_proj\.(.*)", r"body.layers.\1.attention.output.\2"),
            (r"body\.layers\.(\d)\.self_attn\.(.*)", r"body.layers.\1.attention.\2"),
            (r"body\.layers\.(\d)\.linear1\.(.*)", r"body.layers.\1.feed_forward.up.\2"),
            (r"body\.layers\.(\d)\.linear2\.(.*)", r"body.layers.\1.feed_forward.down.\2"),
        ],
        lambda: optim.adamw(1e-2, weight_decay=0.1),
        _torch("AdamW", lr=1e-2, weight_decay=0.1),
        texts,
        apart,
    ),
}


# -- the trainings -----------------------------------------------------------------------------------------------------


def cast(batch: Any, dtype: Any) -> Any:
    return [array.astype(dtype) if array.dtype == np.float64 else array for array in batch]


def batches(twin: Twin, dtype: Any) -> Iterator[Any]:
    """Few, again and again, so that there is something to learn."""
    rng = np.random.default_rng(0)
    few = [cast(twin.batch(rng), dtype) for _ in range(4)]
    return (few[step % 4] for step in range(STEPS))


def their_losses(twin: Twin, module: Any, dtype: Any) -> list[float]:
    import torch

    optimizer, found = twin.their_optimizer(module.parameters()), list[float]()
    for x, y in batches(twin, dtype):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


def our_losses(twin: Twin, model: Any, dtype: Any) -> tuple[list[float], Any]:
    def loss(model: Any, batch: Any, run: nn.Run) -> Any:
        x, y = batch
        return losses.cross_entropy(nn.call(model, x, run=run), y)

    optimizer = twin.optimizer()
    step, state = train.make_step(loss, optimizer), train.TrainState.start(model, optimizer)
    found: list[float] = []
    for batch in batches(twin, dtype):
        state, outcome = step(state, [rnp.asarray(array) for array in batch])
        found.append(float(outcome.loss))
    return found, state.model


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-8), ("float32", 1e-4)])
@pytest.mark.parametrize("name", TWINS)
def test_losses_are_pytorchs(name: str, dtype: str, tolerance: float, tmp_path: Path) -> None:
    import torch

    twin, threads = TWINS[name], torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module = twin.theirs().to(getattr(torch, dtype)).train()
    torch.save(module.state_dict(), tmp_path / "start.pth")
    start = twin.split(weights.load(tmp_path / "start.pth"))
    model, report = weights.into(twin.ours(getattr(rosin, dtype)), start, twin.names)
    assert report.complete
    wanted = their_losses(twin, module, dtype)
    found, trained = our_losses(twin, model, dtype)
    torch.set_num_threads(threads)
    assert np.mean(wanted[-4:]) < np.mean(wanted[:4]) - 0.02
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)
    # Where the two end, every parameter and running statistic agrees as well.
    torch.save(module.state_dict(), tmp_path / "end.pth")
    end, _ = weights.into(model, twin.split(weights.load(tmp_path / "end.pth")), twin.names)
    assert nn.difference(trained, end, atol=100 * tolerance) == ""
