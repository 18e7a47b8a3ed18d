"""A small GPT that writes a text character by character."""

from __future__ import annotations

from typing import Any

import rosin
from rosin.stdlib.data.text import Characters
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.text.gpt2 import GPT2
from rosin.stdlib.zoo.text.language import KNOBS, Plan


def char_gpt(
    *,
    key: Any,
    vocabulary: int = 104,
    layers: int = 4,
    features: int = 128,
    heads: int = 4,
    context: int = 128,
    dropout: float = 0.1,
    deviation: float = 0.06,
    places: str = "waves",
    dtype: Any = rosin.float32,
) -> GPT2:
    """GPT-2's architecture at a size that two cores train in minutes."""
    return GPT2(
        key=key,
        vocabulary=vocabulary,
        layers=layers,
        features=features,
        heads=heads,
        context=context,
        dropout=dropout,
        deviation=deviation,
        places=places,
        dtype=dtype,
    )


def inputs(batch: int, **_: Any) -> tuple[Any, ...]:
    """The type of a batch of tokens."""
    return (rosin.ShapeDtypeStruct((batch, 16), rosin.int32),)


PLAN = Plan(char_gpt, Characters, epochs=8, batch=8, knobs=KNOBS | {"rate": 3e-3, "b2": 0.99})

ENTRY = Entry(
    Card(
        name="char-gpt",
        title="Small GPT of characters",
        task="text",
        summary="Four layers of GPT-2's architecture, which see 128 characters.",
        source="Radford, Wu, Child, Luan, Amodei and Sutskever: Language models are unsupervised multitask learners "
        "(2019)",
        parameters=823_040,
        data="the reference of Python's language that every Python carries, or by --data any file of text: the first "
        "90 % to train on, the last 5 % held out",
        metric="bits per character on what is held out, beside Kneser-Ney 5-grams of the same text",
        result="1.967 bits per character, 5-grams 2.045 (Python 3.11's text; rosin zoo train char-gpt)",
        license="the reference: PSF License",
    ),
    make=char_gpt,
    inputs=inputs,
    train=PLAN.train,
    evaluate=PLAN.evaluate,
    small={"vocabulary": 20, "layers": 2, "features": 8, "heads": 2, "context": 16},
    knobs=PLAN.knobs,
)
