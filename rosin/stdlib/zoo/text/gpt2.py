"""GPT-2 (Radford et al. 2019): a causal transformer whose head shares the embedding's table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn, weights
from rosin.stdlib.data.text import BytePairs
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.text.language import KNOBS, Plan

SIZES = {
    "small": (12, 768, 12),
    "medium": (24, 1024, 16),
    "large": (36, 1280, 20),
    "xl": (48, 1600, 25),
}
"""Layers, features and heads of the four that were published: 124, 355, 774 and 1,558 million parameters."""


def table_of_places(start: str, deviation: float) -> nn.initializers.Initializer:
    """How a table of places starts: "drawn", or as "waves", sines as in Vaswani et al. 2017, from which the ways from
    place to place are learned in far fewer steps.

    Raises:
        ModuleError: there is no such start.
    """
    if start == "drawn":
        return nn.initializers.normal(deviation)
    if start == "waves":
        return lambda key, shape, dtype=rosin.float32: nn.sinusoidal(*shape, dtype=dtype) * (deviation * 2**0.5)
    raise nn.ModuleError(f"places start as 'drawn' or 'waves', not {start!r}")


def gelu_tanh(x: Array) -> Array:
    """GELU by its approximation, with which GPT-2 and ALBERT were trained."""
    return rosin.nn.gelu(x, approximate=True)


class GPT2(nn.Module):
    """Tokens `[batch, time]` to scores `[batch, time, vocabulary]` of the next ones."""

    tokens: nn.Embedding
    places: nn.Embedding
    dropout: nn.Dropout
    transformer: nn.Transformer

    def __init__(
        self,
        *,
        key: Any,
        size: str = "small",
        layers: int | None = None,
        features: int | None = None,
        heads: int | None = None,
        vocabulary: int = 50257,
        context: int = 1024,
        dropout: float = 0.1,
        deviation: float = 0.02,
        places: str = "drawn",
        dtype: Any = rosin.float32,
    ) -> None:
        """`size` is a name in `SIZES`; what else is given stands instead of its numbers. `deviation` is the standard
        one of weights at the start, and `places` how their table starts: "drawn" like the others, or as "waves".

        Raises:
            ModuleError: there is no such size or start.
        """
        if size not in SIZES:
            raise nn.ModuleError(f"GPT2: the sizes are {', '.join(SIZES)}, and {size!r} is none")
        depth, width, count = SIZES[size]
        depth, width, count = layers or depth, features or width, heads or count
        keys, draw = nn.Keys(key), nn.initializers.normal(deviation)
        self.tokens = nn.Embedding(vocabulary, width, key=keys, weight_init=draw, dtype=dtype)
        start = table_of_places(places, deviation)
        self.places = nn.Embedding(context, width, key=keys, weight_init=start, dtype=dtype)
        self.dropout = nn.Dropout(dropout)
        self.transformer = nn.Transformer(
            depth,
            width,
            count,
            key=keys,
            causal=True,
            activation=gelu_tanh,
            dropout=dropout,
            hidden_dropout=0.0,
            norm=partial(nn.LayerNorm, dtype=dtype),
            weight_init=draw,
            # What is added up along the layers keeps its scale.
            output_init=nn.initializers.normal(deviation * (2 * depth) ** -0.5),
            dtype=dtype,
        )

    @property
    def context(self) -> int:
        """How many tokens the model sees."""
        return self.places.weight.shape[0]

    def cache(self, batch: int, capacity: int) -> tuple[nn.Cache, ...]:
        """Room for the keys and values of `capacity` tokens.

        Raises:
            ModuleError: the model has no places for so many.
        """
        self._check(capacity)
        return self.transformer.cache(batch, capacity)

    def features(
        self,
        tokens: Array,
        *,
        mask: Array | None = None,
        padding: Array | None = None,
        cache: tuple[nn.Cache, ...] | None = None,
        run: nn.Run = nn.EVAL,
    ) -> Any:
        """`[batch, time]` to `[batch, time, features]`; with a `cache`, a pair with the new one.

        The mask `[batch, time]`, with a cache `[batch, capacity]`, is true for tokens that others may see. `padding`
        `[batch]` counts tokens at the start of each line that are none: they are not seen, and places count after them.

        Raises:
            ModuleError: there are more tokens than places.
        """
        self._check(tokens.shape[1])
        places = rnp.arange(tokens.shape[1]) + (0 if cache is None else cache[0].length)
        if padding is not None:
            length = tokens.shape[1] if cache is None else cache[0].keys.shape[2]
            inside = rnp.arange(length) >= padding[:, None]
            mask = inside if mask is None else mask & inside
            places = rnp.maximum(places - padding[:, None], 0)
        x = self.dropout(self.tokens(tokens) + self.places(places), run)
        return self.transformer(x, mask=None if mask is None else mask[:, None, None, :], cache=cache, run=run)

    def scores(self, features: Array) -> Array:
        """`[..., features]` to `[..., vocabulary]`."""
        return self.tokens.attend(features)

    def __call__(
        self,
        tokens: Array,
        *,
        mask: Array | None = None,
        padding: Array | None = None,
        cache: tuple[nn.Cache, ...] | None = None,
        run: nn.Run = nn.EVAL,
    ) -> Any:
        """The scores; arguments are those of `features`, and with a `cache` there is a pair with the new one."""
        found = self.features(tokens, mask=mask, padding=padding, cache=cache, run=run)
        return self.scores(found) if cache is None else (self.scores(found[0]), found[1])

    def _check(self, count: int) -> None:
        if count > self.context:
            raise nn.ModuleError(f"GPT2: {count} tokens, and the model has places for {self.context}")


# -- weights of others -------------------------------------------------------------------------------------------------

_LAYER = {
    "ln_1": "norm1",
    "attn.c_attn": ("attention.query", "attention.key", "attention.value"),
    "attn.c_proj": "attention.output",
    "ln_2": "norm2",
    "mlp.c_fc": "feed_forward.up",
    "mlp.c_proj": "feed_forward.down",
}


def _under(ours: str | tuple[str, ...], kind: str) -> str | tuple[str, ...]:
    if isinstance(ours, tuple):
        return tuple(f"transformer.layers.{{}}.{part}.{kind}" for part in ours)
    return f"transformer.layers.{{}}.{ours}.{kind}"


LAYOUT = weights.Layout(
    {
        "wte.weight": "tokens.weight",
        "wpe.weight": "places.weight",
        "ln_f.weight": "transformer.norm.weight",
        "ln_f.bias": "transformer.norm.bias",
        **{f"h.{{}}.{theirs}.{k}": _under(ours, k) for theirs, ours in _LAYER.items() for k in ("weight", "bias")},
    },
    transposed=frozenset(f"h.{{}}.{name}.weight" for name in _LAYER if ".c_" in name),
    left_out=("lm_head.weight", "h.{}.attn.bias", "h.{}.attn.masked_bias"),
    prefix="transformer.",
)
"""Hugging Face's names. Their matrices have the inputs first, the head is the embedding once more, and old files have
masks."""


def from_hugging_face(model: GPT2, arrays: Mapping[str, Array], *, strict: bool = True) -> tuple[GPT2, weights.Report]:
    """The model with the arrays of a Hugging Face file, and a report; raises as `weights.into` does."""
    return weights.into(model, LAYOUT.inward(arrays), strict=strict)


def to_hugging_face(model: GPT2) -> dict[str, Array]:
    """The model's arrays by Hugging Face's names, for `weights.save`."""
    return LAYOUT.outward(model)


# -- in the zoo --------------------------------------------------------------------------------------------------------


def inputs(batch: int, **_: Any) -> tuple[Any, ...]:
    """The type of a batch of tokens."""
    return (rosin.ShapeDtypeStruct((batch, 16), rosin.int32),)


PLAN = Plan(
    GPT2,
    lambda text: BytePairs.train(text, 512),
    {"layers": 4, "features": 128, "heads": 4, "context": 64},
    epochs=12,
    knobs=KNOBS | {"rate": 3e-3, "window": 64},
)

ENTRY = Entry(
    Card(
        name="gpt2",
        title="GPT-2",
        task="text",
        summary="Twelve layers that score the next token; larger ones by --set size=medium, large or xl.",
        source="Radford, Wu, Child, Luan, Amodei and Sutskever: Language models are unsupervised multitask learners "
        "(2019)",
        parameters=124_439_808,
        data="the reference of Python's language that every Python carries, or by --data any file of text, as 512 byte "
        "pairs: the first 90 % to train a small model on, the last 5 % held out",
        metric="bits per character on what is held out, beside Kneser-Ney 5-grams of the same text",
        result="1.952 bits per character after 12 epochs, 5-grams 2.051 (Python 3.12's text; rosin zoo train gpt2)",
        license="the reference: PSF License",
    ),
    make=GPT2,
    inputs=inputs,
    train=PLAN.train,
    evaluate=PLAN.evaluate,
    small={"vocabulary": 20, "layers": 2, "features": 8, "heads": 2, "context": 16},
    knobs=PLAN.knobs,
)
