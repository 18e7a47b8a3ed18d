"""BERT (Devlin et al. 2019): an encoder of whole texts, trained to fill in words that are masked."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import rosin
from rosin import Array
from rosin.stdlib import nn
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
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
from rosin.stdlib.zoo.text.masked import Plan


class Bert(Encoder):
    """Tokens `[batch, time]` to vectors `[batch, time, features]`; by default `bert-base-uncased` in size."""

    transformer: nn.Transformer

    names = EMBEDDING_NAMES | with_kinds(
        {
            f"encoder.layer.{{}}.{theirs}": f"transformer.layers.{{}}.{ours}"
            for theirs, ours in {
                "attention.self.query": "attention.query",
                "attention.self.key": "attention.key",
                "attention.self.value": "attention.value",
                "attention.output.dense": "attention.output",
                "attention.output.LayerNorm": "norm1",
                "intermediate.dense": "feed_forward.up",
                "output.dense": "feed_forward.down",
                "output.LayerNorm": "norm2",
            }.items()
        }
        | {"pooler.dense": "pooler"}
    )
    head_names: ClassVar = {
        **with_kinds({"cls.predictions.transform.dense": "dense", "cls.predictions.transform.LayerNorm": "norm"}),
        "cls.predictions.bias": "bias",
    }
    left_out = (
        "embeddings.position_ids",
        "cls.predictions.decoder.weight",
        "cls.predictions.decoder.bias",
        "cls.seq_relationship.weight",
        "cls.seq_relationship.bias",
    )
    prefix = "bert."

    def __init__(
        self,
        *,
        key: Any,
        vocabulary: int = 30522,
        layers: int = 12,
        features: int = 768,
        heads: int = 12,
        hidden: int | None = None,
        context: int = 512,
        kinds: int = 2,
        dropout: float = 0.1,
        pooler: bool = True,
        dtype: Any = rosin.float32,
    ) -> None:
        """`hidden` is four times the features unless it is given."""
        keys = nn.Keys(key)
        self.embedding = TokenEmbedding(vocabulary, context, kinds, features, dropout, key=keys, dtype=dtype)
        self.transformer = nn.Transformer(
            layers,
            features,
            heads,
            key=keys,
            hidden=hidden,
            norm_first=False,
            dropout=dropout,
            hidden_dropout=0.0,
            norm=partial(nn.LayerNorm, eps=EPSILON, dtype=dtype),
            weight_init=draw,
            dtype=dtype,
        )
        self.pooler = nn.Dense(features, features, key=keys, weight_init=draw, dtype=dtype) if pooler else None

    def __call__(
        self, tokens: Array, kinds: Array | None = None, *, mask: Array | None = None, run: nn.Run = nn.EVAL
    ) -> Array:
        return self.transformer(self.embedding(tokens, kinds, run), mask=seen(mask), run=run)

    def head(self, *, key: Any) -> MaskedHead:
        table = self.embedding.tokens
        return MaskedHead(table, table.weight.shape[1], rosin.nn.gelu, key=key)


def inputs(batch: int, **_: Any) -> tuple[Any, ...]:
    """The type of a batch of tokens."""
    return (rosin.ShapeDtypeStruct((batch, 16), rosin.int32),)


PLAN = Plan(Bert)

ENTRY = Entry(
    Card(
        name="bert",
        title="BERT",
        task="text",
        summary="Twelve layers that read a text as a whole, as bert-base-uncased in size.",
        source="Devlin, Chang, Lee and Toutanova: BERT: Pre-training of deep bidirectional transformers for language "
        "understanding (2019)",
        parameters=109_482_240,
        data="the reference of Python's language that every Python carries, or by --data any file of text, as 512 byte "
        "pairs: the first 90 % to train a small model on, the last 5 % held out",
        metric="the part of hidden tokens that is told, beside that of the most frequent token",
        result="",
        license="the reference: PSF License",
    ),
    make=Bert,
    inputs=inputs,
    train=PLAN.train,
    evaluate=PLAN.evaluate,
    small={"vocabulary": 20, "layers": 2, "features": 8, "heads": 2, "context": 16, "pooler": False},
    knobs=PLAN.knobs,
)
