"""What BERT and ALBERT share: embeddings, the pooler, the head that fills in masked tokens, and names of others."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn, weights
from rosin.stdlib.zoo.text.gpt2 import table_of_places

EPSILON = 1e-12
"""Of the norms."""


@dataclass(frozen=True)
class Published:
    """What the models that were published do not have in common."""

    vocabulary: int
    embedding: int | None
    """The size of the tokens' vectors; None: that of the features."""
    dropout: float


class TokenEmbedding(nn.Module):
    """The sum of vectors for tokens, their places and their kinds, normalised."""

    tokens: nn.Embedding
    places: nn.Embedding
    kinds: nn.Embedding
    norm: nn.LayerNorm
    dropout: nn.Dropout

    def __init__(
        self,
        vocabulary: int,
        context: int,
        kinds: int,
        features: int,
        dropout: float,
        *,
        places_init: nn.initializers.Initializer,
        **drawn: Any,
    ) -> None:
        """What is `drawn` is told by options of `nn.Embedding`; only places have an initializer of their own."""
        self.tokens = nn.Embedding(vocabulary, features, **drawn)
        self.places = nn.Embedding(context, features, **{**drawn, "weight_init": places_init})
        self.kinds = nn.Embedding(kinds, features, **drawn)
        self.norm = nn.LayerNorm(features, eps=EPSILON, dtype=drawn["dtype"])
        self.dropout = nn.Dropout(dropout)

    def __call__(self, tokens: Array, kinds: Array | None = None, run: nn.Run = nn.EVAL) -> Array:
        """Tokens `[batch, time]` and their kinds, all 0 unless they are given, to `[batch, time, features]`.

        Raises:
            ModuleError: there are more tokens than places.
        """
        count, room = tokens.shape[1], self.places.weight.shape[0]
        if count > room:
            raise nn.ModuleError(f"{count} tokens, and the model has places for {room}")
        kind = self.kinds.weight[0] if kinds is None else self.kinds(kinds)
        return self.dropout(self.norm(self.tokens(tokens) + kind + self.places.weight[:count]), run)


class Encoder(nn.Module):
    """Tokens `[batch, time]` to vectors `[batch, time, features]`, each of which has seen the whole text."""

    embedding: TokenEmbedding
    projection: nn.Dense | None
    """From the tokens' vectors to the features, where the former have a size of their own."""
    pooler: nn.Dense | None

    published: ClassVar[Published]
    activation: ClassVar[Callable[[Array], Array]]
    names: ClassVar[Mapping[str, str]]
    """Hugging Face's names, and the paths here."""
    head_names: ClassVar[Mapping[str, str]]
    """Likewise of the head for masked tokens."""
    left_out: ClassVar[tuple[str, ...]]
    """Their names of what is no parameter, or belongs to other heads."""
    prefix: ClassVar[str]
    """What theirs begin with where there is a head."""

    def __init__(
        self,
        *,
        key: Any,
        vocabulary: int | None = None,
        embedding: int | None = None,
        layers: int = 12,
        features: int = 768,
        heads: int = 12,
        hidden: int | None = None,
        context: int = 512,
        kinds: int = 2,
        dropout: float | None = None,
        pooler: bool = True,
        deviation: float = 0.02,
        places: str = "drawn",
        dtype: Any = rosin.float32,
    ) -> None:
        """`embedding` is the size of the tokens' vectors, and `hidden` four times the features unless it is given; what
        else is None is as in the published model. `deviation` is the standard one of weights at the start, and `places`
        how their table starts: "drawn" like the others, or as "waves".

        Raises:
            ModuleError: there is no such start.
        """
        keys, draw = nn.Keys(key), nn.initializers.normal(deviation)
        known = self.published
        vocabulary, dropout = vocabulary or known.vocabulary, known.dropout if dropout is None else dropout
        size = embedding or known.embedding
        drawn: dict[str, Any] = {"key": keys, "weight_init": draw, "dtype": dtype}
        self.embedding = TokenEmbedding(
            vocabulary,
            context,
            kinds,
            size or features,
            dropout,
            places_init=table_of_places(places, deviation),
            **drawn,
        )
        self.projection = nn.Dense(size, features, **drawn) if size else None
        norm = partial(nn.LayerNorm, eps=EPSILON, dtype=dtype)
        options = {"hidden": hidden, "dropout": dropout, "norm": norm, **drawn}
        self.build(layers, features, heads, activation=self.activation, norm_first=False, hidden_dropout=0.0, **options)
        self.pooler = nn.Dense(features, features, **drawn) if pooler else None

    @abstractmethod
    def build(self, layers: int, features: int, heads: int, **options: Any) -> None:
        """Set the fields of the layers; options are those of `nn.TransformerLayer`."""

    @abstractmethod
    def through(self, x: Array, *, mask: Array | None, run: nn.Run) -> Array:
        """`[batch, time, features]` through all layers."""

    def __call__(
        self, tokens: Array, kinds: Array | None = None, *, mask: Array | None = None, run: nn.Run = nn.EVAL
    ) -> Array:
        """The mask `[batch, time]` is true for tokens that are read; `kinds` `[batch, time]` tells, for example, a
        question from a text.

        Raises:
            ModuleError: there are more tokens than places.
        """
        x = self.embedding(tokens, kinds, run)
        x = x if self.projection is None else self.projection(x)
        return self.through(x, mask=None if mask is None else rnp.asarray(mask)[:, None, None, :] != 0, run=run)

    def head(self, *, key: Any) -> MaskedHead:
        """A new head that scores tokens by this model's table."""
        table = self.embedding.tokens
        features = table.weight.shape[1] if self.projection is None else self.projection.weight.shape[0]
        return MaskedHead(table, features, self.activation, key=key)

    def pooled(self, features: Array) -> Array:
        """A vector for each text, `[batch, features]`, from that of its first token.

        Raises:
            ModuleError: the model was built without a pooler.
        """
        if self.pooler is None:
            raise nn.ModuleError(f"{type(self).__name__}.pooled: the model was built with pooler=False")
        return rnp.tanh(self.pooler(features[:, 0]))


class MaskedHead(nn.Module):
    """Vectors `[..., features]` to scores `[..., vocabulary]`, by the table that the encoder has."""

    dense: nn.Dense
    norm: nn.LayerNorm
    bias: Array = nn.param("vocabulary")
    activation: Callable[[Array], Array] = nn.static()

    def __init__(self, table: nn.Embedding, features: int, activation: Callable[[Array], Array], *, key: Any) -> None:
        count, width = table.weight.shape
        dtype = table.weight.dtype
        self.dense = nn.Dense(features, width, key=key, weight_init=nn.initializers.normal(0.02), dtype=dtype)
        self.norm = nn.LayerNorm(width, eps=EPSILON, dtype=dtype)
        self.bias = rnp.zeros(count, dtype=dtype)
        self.activation = activation

    def __call__(self, features: Array, table: nn.Embedding) -> Array:
        return table.attend(self.norm(self.activation(self.dense(features)))) + self.bias


class Masked(nn.Module):
    """An encoder with a head that fills in masked tokens: `[batch, time]` to scores `[batch, time, vocabulary]`."""

    encoder: Encoder
    head: MaskedHead

    @classmethod
    def of(cls, encoder: Encoder, *, key: Any) -> Self:
        """An encoder with a new head."""
        return cls(encoder, encoder.head(key=key))

    def __call__(
        self, tokens: Array, kinds: Array | None = None, *, mask: Array | None = None, run: nn.Run = nn.EVAL
    ) -> Array:
        return self.scores(self.encoder(tokens, kinds, mask=mask, run=run))

    def scores(self, features: Array) -> Array:
        """The scores of vectors `[..., features]`: of those that are asked for, where others do not matter."""
        return self.head(features, self.encoder.embedding.tokens)


# -- weights of others -------------------------------------------------------------------------------------------------


def with_kinds(names: Mapping[str, str]) -> dict[str, str]:
    """Names of layers as those of their weights and biases."""
    return {f"{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in names.items() for kind in ("weight", "bias")}


EMBEDDING_NAMES = {
    "embeddings.word_embeddings.weight": "embedding.tokens.weight",
    "embeddings.position_embeddings.weight": "embedding.places.weight",
    "embeddings.token_type_embeddings.weight": "embedding.kinds.weight",
    **with_kinds({"embeddings.LayerNorm": "embedding.norm"}),
}


def layout(model: Encoder | Masked) -> weights.Layout:
    """How Hugging Face names an encoder's arrays, or those of one with a head."""
    if isinstance(model, Masked):
        encoder = model.encoder
        names = {encoder.prefix + theirs: f"encoder.{ours}" for theirs, ours in encoder.names.items()}
        left_out = (*encoder.left_out, *(encoder.prefix + name for name in encoder.left_out))
        return weights.Layout(
            names | {theirs: f"head.{ours}" for theirs, ours in encoder.head_names.items()}, left_out=left_out
        )
    return weights.Layout(model.names, left_out=(*model.left_out, *model.head_names), prefix=model.prefix)


def from_hugging_face(model: Any, arrays: Mapping[str, Array], *, strict: bool = True) -> tuple[Any, weights.Report]:
    """An encoder, or one with a head, of the arrays of a Hugging Face file, and a report; raises as `weights.into`."""
    # Norms had these names when the first files were written.
    modern = {name.replace(".gamma", ".weight").replace(".beta", ".bias"): array for name, array in arrays.items()}
    return weights.into(model, layout(model).inward(modern), strict=strict)


def to_hugging_face(model: Encoder | Masked) -> dict[str, Array]:
    """The model's arrays by Hugging Face's names, for `weights.save`."""
    return layout(model).outward(model)
