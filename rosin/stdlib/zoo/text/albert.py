"""ALBERT (Lan et al. 2020): BERT with one layer used many times, and vectors of tokens of their own, smaller size."""

from __future__ import annotations

from functools import partial
from typing import Any

import rosin
from rosin import Array
from rosin.stdlib import nn
from rosin.stdlib.zoo.text.encoders import (
    EMBEDDING_NAMES,
    EPSILON,
    Encoder,
    MaskedHead,
    TokenEmbedding,
    draw,
    seen,
    with_kinds,
)
from rosin.stdlib.zoo.text.gpt2 import gelu_tanh


class Albert(Encoder):
    """Tokens `[batch, time]` to vectors `[batch, time, features]`; by default `albert-base-v2` in size."""

    projection: nn.Dense
    layer: nn.TransformerLayer
    layers: int = nn.static()

    names = EMBEDDING_NAMES | with_kinds(
        {
            f"encoder.albert_layer_groups.0.albert_layers.0.{theirs}": f"layer.{ours}"
            for theirs, ours in {
                "attention.query": "attention.query",
                "attention.key": "attention.key",
                "attention.value": "attention.value",
                "attention.dense": "attention.output",
                "attention.LayerNorm": "norm1",
                "ffn": "feed_forward.up",
                "ffn_output": "feed_forward.down",
                "full_layer_layer_norm": "norm2",
            }.items()
        }
        | {"encoder.embedding_hidden_mapping_in": "projection", "pooler": "pooler"}
    )
    head_names = {
        **with_kinds({"predictions.dense": "dense", "predictions.LayerNorm": "norm"}),
        "predictions.bias": "bias",
    }
    left_out = ("embeddings.position_ids", "predictions.decoder.weight", "predictions.decoder.bias")
    prefix = "albert."

    def __init__(
        self,
        *,
        key: Any,
        vocabulary: int = 30000,
        embedding: int = 128,
        layers: int = 12,
        features: int = 768,
        heads: int = 12,
        hidden: int | None = None,
        context: int = 512,
        kinds: int = 2,
        dropout: float = 0.0,
        pooler: bool = True,
        dtype: Any = rosin.float32,
    ) -> None:
        """`embedding` is the size of the vectors of tokens; `hidden` is four times the features unless it is given."""
        keys = nn.Keys(key)
        self.embedding = TokenEmbedding(vocabulary, context, kinds, embedding, dropout, key=keys, dtype=dtype)
        self.projection = nn.Dense(embedding, features, key=keys, weight_init=draw, dtype=dtype)
        self.layer = nn.TransformerLayer(
            features,
            heads,
            key=keys,
            hidden=hidden,
            activation=gelu_tanh,
            norm_first=False,
            dropout=dropout,
            hidden_dropout=0.0,
            norm=partial(nn.LayerNorm, eps=EPSILON, dtype=dtype),
            weight_init=draw,
            dtype=dtype,
        )
        self.layers = layers
        self.pooler = nn.Dense(features, features, key=keys, weight_init=draw, dtype=dtype) if pooler else None

    def __call__(
        self, tokens: Array, kinds: Array | None = None, *, mask: Array | None = None, run: nn.Run = nn.EVAL
    ) -> Array:
        x, mask = self.projection(self.embedding(tokens, kinds, run)), seen(mask)
        for _ in range(self.layers):
            x = self.layer(x, mask=mask, run=run)
        return x

    def head(self, *, key: Any) -> MaskedHead:
        return MaskedHead(self.embedding.tokens, self.projection.weight.shape[0], gelu_tanh, key=key)
