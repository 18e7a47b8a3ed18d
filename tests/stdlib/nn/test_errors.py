"""Bad input for models: errors name the layer's path and the shapes; whole messages are in tests/golden/errors/nn."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import nn


class Reader(nn.Module):
    """Something of each kind of layer, some of which do not fit the others."""

    embedding: nn.Embedding
    body: nn.Transformer
    lstm: nn.LSTM
    head: nn.Chain

    def __init__(self, width: int, hidden: int) -> None:
        keys = nn.Keys(0)
        self.embedding = nn.Embedding(10, 8, key=keys)
        self.body = nn.Transformer(2, width, 2, key=keys)
        self.lstm = nn.LSTM(8, hidden, key=keys)
        self.head = nn.Chain(nn.Dense(6, 6, key=keys), rosin.nn.relu, nn.Dense(6, 2, key=keys))

    def __call__(self, tokens: Any, state: Any = None, run: nn.Run = nn.EVAL) -> Any:
        h = self.body(self.embedding(tokens), run=run)
        h, _ = self.lstm(h, state, run=run)
        return self.head(h, run)


TOKENS = rnp.zeros((3, 5), dtype=rosin.int32)
STATE = (((rnp.zeros((2, 6)), rnp.zeros((2, 6))),),)
CASES: dict[str, Callable[[], Any]] = {
    "in_a_chain": lambda: Reader(8, 7)(TOKENS),
    "compiled": lambda: rosin.compile(Reader(8, 7))(TOKENS),
    "in_a_batch": lambda: rosin.vmap(Reader(8, 7))(TOKENS[None]),
    "in_a_scan": lambda: rosin.scan(lambda c, x: (c, Reader(8, 7)(x)), 0.0, TOKENS[None]),
    "in_attention": lambda: nn.Chain(nn.MultiHeadAttention(8, 2, key=0))(rnp.ones((2, 5, 6))),
    "in_a_transformer": lambda: Reader(6, 6)(TOKENS),
    "in_an_lstm": lambda: Reader(8, 6)(TOKENS, STATE),
    "without_time": lambda: nn.Chain(nn.LSTM(8, 4, key=0))(rnp.ones((2, 8))),
    "in_a_stack": lambda: nn.Chain(nn.Stacked([nn.Chain(nn.Dense(3, 4, key=0), nn.BatchNorm(3))]))(rnp.ones((2, 3))),
    "in_a_checkpoint": lambda: rosin.grad(lambda x: rnp.sum(nn.Chain(nn.Checkpointed(Reader(8, 7)))(TOKENS)))(1.0),
    "of_channels": lambda: nn.Chain(nn.Conv((3, 3), 3, 4, key=0), nn.BatchNorm(3))(rnp.ones((2, 3, 8, 8)), nn.Run()),
    "small_picture": lambda: nn.Chain(nn.MaxPool(5))(rnp.ones((2, 3, 4, 4))),
    "small_mean": lambda: nn.Chain(nn.AvgPool((2, 7), padding=1))(rnp.ones((2, 3, 4, 4))),
    "small_padded": lambda: nn.Chain(nn.Conv((3, 5), 3, 4, dilation=2, padding=1, key=0))(rnp.ones((2, 3, 4, 4))),
    "nothing_left": lambda: nn.Chain(nn.ConvTranspose((2, 2), 3, 4, padding=4, key=0))(rnp.ones((2, 3, 4, 4))),
    "another_batch": lambda: nn.Chain(nn.Transformer(1, 8, 2, key=0, cross=True))[0](
        rnp.ones((2, 5, 8)), context=rnp.ones((3, 4, 8))
    ),
    "of_a_mask": lambda: nn.MultiHeadAttention(8, 2, key=0)(
        rnp.ones((2, 5, 8)), mask=rnp.ones((2, 1, 4, 4), dtype=bool)
    ),
    "full_cache": lambda: _cached(nn.Transformer(1, 8, 2, key=0, causal=True), 1),
    "small_cache": lambda: rosin.compile(_cached, static_argnames="batch")(nn.Transformer(1, 8, 2, key=0), batch=2),
    "heads_of_positions": lambda: nn.MultiHeadAttention(8, 2, key=0, positions=nn.ALiBi(4))(rnp.ones((2, 5, 8))),
    "no_layer": lambda: nn.Chain(nn.Dense(2, 2, key=0), 3),  # pyright: ignore[reportArgumentType]
    "no_context": lambda: nn.Transformer(1, 8, 2, key=0, cross=True)(rnp.ones((2, 5, 8))),
    "of_lengths": lambda: nn.LSTM(8, 4, key=0)(rnp.ones((2, 5, 8)), lengths=rnp.asarray([1, 2, 3])),
    "lost_buffers": lambda: _lost(nn.Chain(nn.BatchNorm(3)), rnp.ones((2, 4, 3))),
    "repeated_numbers": lambda: _lost(nn.Chain(nn.Dropout(0.5)), rnp.ones((2, 4, 3))),
}


def _cached(model: Any, batch: int) -> Any:
    return model(rnp.ones((batch, 6, 8)), cache=model.cache(batch=1, capacity=4))


def _lost(model: Any, xs: Any) -> Any:
    run = nn.Run(rosin.random.key(0))

    def score(x: Any) -> Any:
        return model(x, run)

    return rosin.vmap(score)(xs)


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, golden: Callable[[str, str], None]) -> None:
    with pytest.raises(rosin.RosinError) as caught:
        CASES[name]()
    text = re.sub(r"0x[0-9a-f]+", "0x…", str(caught.value).partition("\n  File")[0])
    golden(f"errors/nn/{name}.txt", f"{type(caught.value).__name__}: {text}")
