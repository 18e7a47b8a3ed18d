"""Models of text: what they write, baselines by brute force, recipes, and maps of names. Peers have their own file."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn, weights, zoo
from rosin.stdlib.data.text import Characters, python_reference
from rosin.stdlib.zoo.text import encoders, generation, gpt2, language, masked
from rosin.stdlib.zoo.text.bert import Bert
from rosin.stdlib.zoo.text.char_rnn import CharRNN
from rosin.stdlib.zoo.text.generation import GREEDY, GenerationError, Sampler, generate
from rosin.stdlib.zoo.text.ngrams import KneserNey


@pytest.fixture(autouse=True)
def _few_programs() -> None:
    """Each test has models of its own; a process with so many would be told that it compiles too often."""
    generation._generate.clear()  # pyright: ignore[reportPrivateUsage]


SMALL = {"layers": 2, "features": 16, "heads": 2, "vocabulary": 31, "context": 24}


def small_gpt() -> gpt2.GPT2:
    """One whose scores are far apart, so that rounding changes no token."""
    model = gpt2.GPT2(**SMALL, key=0)
    return rosin.tree.map(lambda x: x + 0.2 * rosin.random.normal(rosin.random.key(1), x.shape), model)


def written(model: Any, tokens: Array, steps: int) -> np.ndarray[Any, Any]:
    """The most probable continuation, each time from the whole text."""
    text = np.asarray(tokens)
    for _ in range(steps):
        scores = np.asarray(model(rnp.asarray(text)))[:, -1]
        text = np.concatenate([text, np.argmax(scores, axis=-1)[:, None]], axis=1)
    return text[:, tokens.shape[1] :]


@pytest.mark.parametrize("kind", ["gpt", "lstm", pytest.param("gru", marks=pytest.mark.slow)])
def test_what_is_written_with_a_cache_is_what_is_written_without(kind: str) -> None:
    model = small_gpt() if kind == "gpt" else CharRNN(key=0, vocabulary=31, embedding=8, features=16, cell=kind)
    tokens = rnp.asarray(np.random.default_rng(0).integers(0, 31, (3, 7)))
    wanted = written(model, tokens, 4)
    np.testing.assert_array_equal(generate(model, tokens, 4, sampler=GREEDY), wanted)
    stop = int(wanted[0, 1])
    found = np.asarray(generate(model, tokens, 4, sampler=GREEDY, stop=stop))
    for line, whole in zip(found, wanted, strict=True):
        end = list(whole).index(stop) if stop in whole else 4
        np.testing.assert_array_equal(line, np.where(np.arange(4) < end, whole, stop))


@pytest.mark.slow
def test_prompts_of_several_lengths() -> None:
    model, lengths = small_gpt(), [7, 3, 5]
    tokens = rnp.asarray(np.random.default_rng(0).integers(0, 31, (3, 7)))
    found = np.asarray(generate(model, tokens, 5, sampler=GREEDY, lengths=lengths))
    for number, length in enumerate(lengths):
        alone = generate(model, tokens[number : number + 1, :length], 5, sampler=GREEDY)
        np.testing.assert_array_equal(found[number], np.asarray(alone)[0])


def test_samplers_choose_by_the_probabilities_that_they_keep() -> None:
    scores = rnp.log(rnp.asarray([0.4, 0.3, 0.15, 0.1, 0.05]))
    many = rnp.broadcast_to(scores, (20000, 5))
    for sampler, wanted in (
        (Sampler(), [0.4, 0.3, 0.15, 0.1, 0.05]),
        (Sampler(top_k=2), [4 / 7, 3 / 7, 0, 0, 0]),
        (Sampler(top_p=0.75), [0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0, 0]),
        (Sampler(top_k=3, top_p=0.6), [4 / 7, 3 / 7, 0, 0, 0]),
        (Sampler(temperature=0.5), np.square([0.4, 0.3, 0.15, 0.1, 0.05]) / 0.285),
        (Sampler(temperature=0), [1, 0, 0, 0, 0]),
    ):
        shares = np.bincount(np.asarray(sampler(rosin.random.key(0), many)), minlength=5) / 20000
        np.testing.assert_allclose(shares, wanted, atol=0.02, err_msg=str(sampler))
        assert not any(share for share, p in zip(shares, wanted, strict=True) if not p)


def test_what_cannot_be_written_is_refused() -> None:
    model, prompt = small_gpt(), np.zeros((1, 4), np.int32)
    with pytest.raises(GenerationError, match=r"not of shape \(4,\)"):
        generate(model, prompt[0], 3)
    with pytest.raises(GenerationError, match="lengths are from 1 to 4"):
        generate(model, prompt, 3, lengths=[5])
    with pytest.raises(GenerationError, match="CharRNN takes no padding"):
        generate(CharRNN(key=0, vocabulary=31, embedding=4, features=4), prompt, 3, lengths=[2])
    with pytest.raises(nn.ModuleError, match="28 tokens, and the model has places for 24"):
        generate(model, prompt, 25)
    for bad in ({"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}):
        with pytest.raises(GenerationError, match="Sampler"):
            Sampler(**bad)
    with pytest.raises(nn.ModuleError, match="the sizes are small, medium, large, xl, and 'huge' is none"):
        gpt2.GPT2(size="huge", key=0)
    with pytest.raises(nn.ModuleError, match="the cells are lstm and gru"):
        CharRNN(key=0, cell="rnn")


@pytest.mark.parametrize(("size", "count"), [("medium", 354_823_168), ("large", 774_030_080), ("xl", 1_557_611_200)])
def test_sizes_of_gpt2(size: str, count: int) -> None:
    assert nn.count(rosin.eval_shape(lambda: gpt2.GPT2(size=size, key=0))) == count


# -- names of others ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gpt2", "bert", "albert"])
def test_names_of_others_and_back(kind: str) -> None:
    options = {**zoo.entry(kind).small}
    model: Any = zoo.make(kind, **options)
    names: Any = gpt2 if kind == "gpt2" else encoders
    if kind != "gpt2":
        model = encoders.Masked.of(model, key=1)
    model = rosin.tree.map(lambda x: rosin.random.normal(rosin.random.key(2), x.shape), model)
    arrays = names.to_hugging_face(model)
    again, report = names.from_hugging_face(rosin.tree.map(rnp.zeros_like, model), arrays)
    assert report.complete
    assert nn.difference(model, again) == ""
    with pytest.raises(weights.WeightsError, match="of no use"):
        names.from_hugging_face(model, {**arrays, "odd": rnp.ones(3)})


def test_layouts_say_what_does_not_fit() -> None:
    layout = weights.Layout({"qk": ("query.weight", "key.weight")}, transposed=frozenset({"qk"}), prefix="net.")
    found = layout.inward({"net.qk": rnp.reshape(rnp.arange(12), (3, 4))})
    np.testing.assert_array_equal(found["key.weight"], [[2, 6, 10], [3, 7, 11]])
    with pytest.raises(weights.WeightsError, match=r"net.qk, of shape \(3, 2\), does not fall into"):
        layout.inward({"net.qk": rnp.zeros((2, 3))})
    with pytest.raises(weights.WeightsError, match="no name for weight, bias of Dense"):
        layout.outward(nn.Dense(2, 3, key=0))


# -- recipes -----------------------------------------------------------------------------------------------------------


def test_n_grams_by_brute_force() -> None:
    tokens = [int(t) for t in np.random.default_rng(0).integers(0, 4, 300)]
    grams = KneserNey(tokens, 5, order=3)
    for context in ((0, 1), (3, 3), (4, 2), (1,), ()):
        assert sum(grams.probability(context, t) for t in range(5)) == pytest.approx(1)
    counts = [Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)) for n in (1, 2, 3)]

    def discount(counted: Any) -> float:
        once, twice = (sum(c == k for c in counted.values()) for k in (1, 2))
        return once / (once + 2 * twice) if once and twice else 0.5

    pairs = {(a, b): sum((x, a, b) in counts[2] for x in range(5)) for a in range(5) for b in range(5)}
    pairs = {pair: count for pair, count in pairs.items() if count}
    ones = {(b,): sum((a, b) in pairs for a in range(5)) for b in range(5)}
    ones = {one: count for one, count in ones.items() if count}
    tables = [ones, pairs, counts[2]]

    def wanted(context: tuple[int, ...], token: int) -> float:
        table = tables[len(context)]
        inside = {gram: count for gram, count in table.items() if gram[:-1] == context}
        shorter = wanted(context[1:], token) if context else 1 / 5
        if not inside:
            return shorter
        own = max(inside.get((*context, token), 0) - discount(table), 0)
        return (own + discount(table) * len(inside) * shorter) / sum(inside.values())

    for context in ((0, 1), (2, 3), (1, 1)):
        for token in range(5):
            assert grams.probability(context, token) == pytest.approx(wanted(context, token))


def test_bits_are_of_every_character_once() -> None:
    whole = python_reference()[:61]
    known = Characters(whole)
    model = CharRNN(key=0, vocabulary=len(known), embedding=4, features=8)
    for text in (whole, whole[:48], whole[:34]):
        tokens = known.encode(text)
        nats = 0.0
        for place in range(1, len(tokens)):
            # What was seen: from the start of the piece of 16 in which the token is scored.
            begin = max((place - 9) // 8, 0) * 8
            piece = np.zeros(16, np.int32)
            piece[: place - begin] = tokens[begin:place]
            scores = np.asarray(model(rnp.asarray(piece)[None]))[0, place - begin - 1].astype(np.float64)
            nats += math.log(np.sum(np.exp(scores))) - scores[tokens[place]]
        wanted = (nats / math.log(2) + math.log2(len(known))) / len(text)
        assert language.bits_per_character(model, known, text, 16) == pytest.approx(wanted, rel=1e-5)


def test_hidden_tokens() -> None:
    tokens = rnp.asarray(np.random.default_rng(0).integers(0, 50, (200, 100)), dtype=rosin.int32)
    shown, chosen = masked.hidden(rosin.random.key(0), tokens, 0.15, 50)
    shown, chosen, tokens = map(np.asarray, (shown, chosen, tokens))
    assert np.mean(chosen) == pytest.approx(0.15, abs=0.01)
    assert np.all((shown == tokens)[~chosen])
    assert np.mean(shown[chosen] == 50) == pytest.approx(0.8, abs=0.02)
    assert np.mean((shown != 50)[chosen] & (shown != tokens)[chosen]) == pytest.approx(0.1 * 49 / 50, abs=0.02)


def test_no_text(tmp_path: Path) -> None:
    with pytest.raises(zoo.ZooError, match="there is no file 'nothing'"):
        zoo.train("char-gpt", tmp_path / "a", data="nothing", quiet=True)
    (tmp_path / "short.txt").write_text("short")
    with pytest.raises(zoo.ZooError, match="a text of 5 characters is too short"):
        zoo.train("bert", tmp_path / "b", data=str(tmp_path / "short.txt"), quiet=True)
    with pytest.raises(nn.ModuleError, match="built with pooler=False"):
        Bert(**SMALL, pooler=False, key=0).pooled(rnp.zeros((1, 2, 16)))


@pytest.mark.slow
def test_a_short_training_of_characters(tmp_path: Path) -> None:
    result = zoo.train("char-rnn", tmp_path, quick=True, epochs=12, quiet=True)
    # Single characters, whatever was before, take 4.6 bits.
    assert result.values["bits_per_character"] < 3.7
    assert len((tmp_path / "sample.txt").read_text()) > language.SAMPLE
    assert zoo.evaluate("char-rnn", tmp_path, quiet=True).values == pytest.approx(result.values)


SENTENCES = (
    "the cat sat on the mat",
    "a dog runs after its ball",
    "we read books in the evening",
    "rain falls upon green hills",
    "she writes a long letter",
    "old trains cross the river",
)


@pytest.mark.slow
def test_a_short_training_of_an_encoder(tmp_path: Path) -> None:
    order = np.random.default_rng(0).integers(0, len(SENTENCES), 1200)
    (tmp_path / "text.txt").write_text(". ".join(SENTENCES[i] for i in order))
    folder, data, options = tmp_path / "run", str(tmp_path / "text.txt"), {"pairs": 300, "layers": 1}
    result = zoo.train("bert", folder, data=data, quick=True, epochs=16, quiet=True, options=options)
    # Without the tokens around it, a hidden one is told by the most frequent token at best.
    assert result.values["masked_accuracy"] > 0.6 > 4 * result.values["most_frequent_token"]
    assert zoo.evaluate("bert", folder, quiet=True).values == pytest.approx(result.values)


def test_places_start_drawn_or_as_waves() -> None:
    drawn, waves = (Bert(**SMALL, places=start, key=0).embedding.places.weight for start in ("drawn", "waves"))
    np.testing.assert_allclose(waves, nn.sinusoidal(24, 16) * (0.02 * 2**0.5), rtol=1e-6)
    assert float(rnp.std(drawn)) == pytest.approx(0.02, rel=0.2)
    np.testing.assert_array_equal(gpt2.GPT2(**SMALL, places="waves", key=0).places.weight, waves)
    wide = Bert(**SMALL, deviation=0.3, key=0)
    assert float(rnp.std(wide.transformer.layers[0].attention.query.weight)) == pytest.approx(0.3, rel=0.2)
    for make in (Bert, gpt2.GPT2):
        with pytest.raises(nn.ModuleError, match="places start as 'drawn' or 'waves', not 'zeros'"):
            make(**SMALL, places="zeros", key=0)


def test_the_measure_hides_every_token_once() -> None:
    tokens = np.random.default_rng(0).integers(0, 9, 65).astype(np.int32)
    model = encoders.Masked.of(Bert(**SMALL, pooler=False, key=0), key=1)
    work = masked.Work(model, 30, tokens, tokens, tokens)
    right = 0
    for begin in range(0, 64, 16):
        piece = tokens[begin : begin + 16]
        for first in range(masked.APART):
            chosen = np.arange(16) % masked.APART == first
            scores = np.asarray(model(rnp.asarray(np.where(chosen, 30, piece))[None]))[0]
            right += np.sum((np.argmax(scores, axis=-1) == piece)[chosen])
    assert work.accuracy(model, tokens, 16) == pytest.approx(right / 64)
