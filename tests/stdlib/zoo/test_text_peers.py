"""Models of text with Hugging Face's weights against Hugging Face's models: results, gradients, files both ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import losses, nn, weights
from rosin.stdlib.zoo.text import encoders, gpt2, minilm
from rosin.stdlib.zoo.text.albert import Albert
from rosin.stdlib.zoo.text.bert import Bert
from rosin.stdlib.zoo.text.generation import GREEDY, generate

pytestmark = pytest.mark.peers

SMALL = {"layers": 3, "features": 24, "heads": 3, "vocabulary": 61, "context": 20}


def given(module: Any) -> dict[str, Array]:
    """The arrays of a module of PyTorch's by its names."""
    return {name: rnp.asarray(tensor.detach().numpy().copy()) for name, tensor in module.state_dict().items()}


def shaken(module: Any, seed: int = 0) -> Any:
    """The module with all parameters drawn, biases and norms too, so that none is left out unseen."""
    import torch

    torch.manual_seed(seed)
    for parameter in module.parameters():
        around = 0.5 if parameter.ndim == 1 else 0.0
        parameter.data = around + 0.1 * torch.randn_like(parameter)
    return module.eval()


def texts(vocabulary: int, batch: int = 3, time: int = 11) -> tuple[Any, Any, Any]:
    """Tokens, a mask with padding at the right, and kinds."""
    rng = np.random.default_rng(1)
    tokens = rng.integers(1, vocabulary, (batch, time))
    mask = np.arange(time) < rng.integers(time // 2, time + 1, (batch, 1))
    return tokens, mask, (np.arange(time) >= time // 2).astype(np.int64) * np.ones((batch, 1), dtype=np.int64)


def their_gpt2(dtype: Any = None, **sizes: Any) -> Any:
    import transformers

    names = {"layers": "n_layer", "features": "n_embd", "heads": "n_head", "vocabulary": "vocab_size"}
    options = {names.get(name, "n_positions"): size for name, size in sizes.items()}
    config = transformers.GPT2Config(**options, attn_implementation="eager")
    return shaken(transformers.GPT2LMHeadModel(config)).to(dtype)


def their_encoder(kind: str, dtype: Any = None, *, masked: bool, **sizes: Any) -> Any:
    import transformers

    sizes = sizes or {"features": 768, "layers": 12, "heads": 12, "vocabulary": 30522 if kind == "Bert" else 30000}
    options: dict[str, Any] = {
        "hidden_size": sizes["features"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "intermediate_size": 4 * sizes["features"],
        "vocab_size": sizes["vocabulary"],
        "max_position_embeddings": sizes.get("context", 512),
        "attn_implementation": "eager",
    }
    if kind == "Albert":
        options["embedding_size"] = sizes.get("embedding", 128)
    config = getattr(transformers, f"{kind}Config")(**options)
    return shaken(getattr(transformers, kind + ("ForMaskedLM" if masked else "Model"))(config)).to(dtype)


def our_encoder(kind: str, **sizes: Any) -> Any:
    return {"Bert": Bert, "Albert": Albert}[kind](**({"key": 0} | sizes))


def close(found: Any, wanted: Any, apart: float) -> None:
    np.testing.assert_allclose(np.asarray(found), wanted.detach().numpy(), rtol=apart, atol=apart)


@pytest.mark.parametrize(("name", "apart"), [("float32", 1e-5), ("float64", 1e-12)])
def test_gpt2(name: str, apart: float) -> None:
    import torch

    theirs = their_gpt2(getattr(torch, name), **SMALL)
    model, report = gpt2.from_hugging_face(gpt2.GPT2(**SMALL, key=0, dtype=getattr(rosin, name)), given(theirs))
    assert report.complete
    tokens, mask, _ = texts(SMALL["vocabulary"])
    close(rosin.compile(lambda m, t: m(t))(model, tokens), theirs(torch.tensor(tokens)).logits, apart)
    found = rosin.compile(lambda m, t, a: m(t, mask=a))(model, tokens, mask)
    wanted = theirs(torch.tensor(tokens), attention_mask=torch.tensor(mask).long()).logits
    np.testing.assert_allclose(np.asarray(found)[mask], wanted.detach().numpy()[mask], rtol=apart, atol=apart)


def test_gradient_of_gpt2() -> None:
    import torch

    theirs = their_gpt2(torch.float64, **SMALL)
    model, _ = gpt2.from_hugging_face(gpt2.GPT2(**SMALL, key=0, dtype=rosin.float64), given(theirs))
    tokens, mask, _ = texts(SMALL["vocabulary"])

    def loss(model: Any, tokens: Array, mask: Array) -> Array:
        return losses.token_cross_entropy(model(tokens, mask=mask)[:, :-1], tokens[:, 1:], mask[:, 1:])

    value, slopes = rosin.compile(nn.value_and_grad(loss))(model, rnp.asarray(tokens), rnp.asarray(mask))
    scores = theirs(torch.tensor(tokens), attention_mask=torch.tensor(mask).long()).logits
    labels = torch.tensor(np.where(mask, tokens, -100))
    wanted = torch.nn.functional.cross_entropy(scores[:, :-1].reshape(-1, 61), labels[:, 1:].reshape(-1))
    wanted.backward()
    close(value, wanted, 1e-12)
    compare_gradients(gpt2.LAYOUT.inward, slopes, theirs)


def compare_gradients(inward: Callable[[Any], dict[str, Array]], slopes: Any, theirs: Any) -> None:
    named = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    wanted = inward({name: rnp.asarray(slope.numpy().copy()) for name, slope in named.items()})
    own = dict(nn.named_arrays(slopes))
    assert set(own) == set(wanted)
    for path, slope in own.items():
        np.testing.assert_allclose(slope, wanted[path], rtol=1e-8, atol=1e-11, err_msg=path)


@pytest.mark.parametrize("lengths", [None, [9, 5, 7]], ids=["even", "ragged"])
def test_what_gpt2_writes_is_what_theirs_writes(lengths: list[int] | None) -> None:
    import torch

    theirs = their_gpt2(torch.float64, **SMALL)
    model, _ = gpt2.from_hugging_face(gpt2.GPT2(**SMALL, key=0, dtype=rosin.float64), given(theirs))
    tokens = texts(SMALL["vocabulary"], time=9)[0]
    shifted, mask = tokens, np.ones_like(tokens)
    if lengths is not None:
        shifted = np.stack([np.roll(line, 9 - length) for line, length in zip(tokens, lengths, strict=True)])
        mask = (np.arange(9) >= 9 - np.asarray(lengths)[:, None]).astype(np.int64)
    wanted = theirs.generate(
        torch.tensor(shifted), attention_mask=torch.tensor(mask), max_new_tokens=8, do_sample=False, pad_token_id=0
    )
    found = generate(model, tokens, 8, sampler=GREEDY, lengths=lengths)
    np.testing.assert_array_equal(np.asarray(found), wanted[:, 9:].numpy())


@pytest.mark.parametrize(("name", "apart"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("kind", ["Bert", "Albert"])
def test_encoders(kind: str, name: str, apart: float) -> None:
    import torch

    theirs = their_encoder(kind, getattr(torch, name), masked=False, **SMALL, embedding=10)
    sizes: dict[str, Any] = {**SMALL, **({"embedding": 10} if kind == "Albert" else {})}
    own = our_encoder(kind, **sizes, dtype=getattr(rosin, name))
    model, report = encoders.from_hugging_face(own, given(theirs))
    assert report.complete
    tokens, mask, kinds = texts(SMALL["vocabulary"])
    run = rosin.compile(lambda m, t, k, a: (m(t, k, mask=a), m.pooled(m(t, k, mask=a))))
    features, pooled = run(model, tokens, kinds, mask)
    wanted = theirs(torch.tensor(tokens), attention_mask=torch.tensor(mask).long(), token_type_ids=torch.tensor(kinds))
    close(features, wanted.last_hidden_state, apart)
    close(pooled, wanted.pooler_output, apart)
    close(model(rnp.asarray(tokens)), theirs(torch.tensor(tokens)).last_hidden_state, apart)


@pytest.mark.parametrize("kind", ["Bert", "Albert"])
def test_masked_heads_and_their_gradients(kind: str) -> None:
    import torch

    theirs = their_encoder(kind, torch.float64, masked=True, **SMALL, embedding=10)
    sizes: dict[str, Any] = {**SMALL, **({"embedding": 10} if kind == "Albert" else {})}
    own = encoders.Masked.of(our_encoder(kind, **sizes, pooler=False, dtype=rosin.float64), key=1)
    model, report = encoders.from_hugging_face(own, given(theirs))
    assert report.complete
    tokens, mask, kinds = texts(SMALL["vocabulary"])
    chosen = mask & (np.random.default_rng(2).random(mask.shape) < 0.4)

    def loss(model: Any, tokens: Array, kinds: Array, mask: Array, chosen: Array) -> Any:
        scores = model(tokens, kinds, mask=mask)
        return losses.token_cross_entropy(scores, tokens, chosen), scores

    step = rosin.compile(nn.value_and_grad(loss, has_aux=True))
    (value, scores), slopes = step(model, *map(rnp.asarray, (tokens, kinds, mask, chosen)))
    wanted = theirs(
        torch.tensor(tokens),
        attention_mask=torch.tensor(mask).long(),
        token_type_ids=torch.tensor(kinds),
        labels=torch.tensor(np.where(chosen, tokens, -100)),
    )
    wanted.loss.backward()
    close(scores, wanted.logits, 1e-11)
    close(value, wanted.loss, 1e-12)
    compare_gradients(encoders.layout(model).inward, slopes, theirs)


def test_their_files_are_read_and_ours_by_them(tmp_path: Path) -> None:
    import torch
    import transformers

    tokens = texts(SMALL["vocabulary"])[0]
    for theirs, own, names in (
        (their_gpt2(**SMALL), gpt2.GPT2(**SMALL, key=0), gpt2),
        (their_encoder("Bert", masked=False, **SMALL), Bert(**SMALL, key=0), encoders),
        (
            their_encoder("Albert", masked=True, **SMALL),
            encoders.Masked.of(Albert(**SMALL, key=0, pooler=False), key=1),
            encoders,
        ),
    ):
        theirs.save_pretrained(tmp_path)
        model, report = names.from_hugging_face(own, weights.load(tmp_path / "model.safetensors"))
        assert report.complete
        changed = rosin.tree.map(lambda x: x * 1.5, model)
        weights.save(tmp_path / "model.safetensors", names.to_hugging_face(changed), {"format": "pt"})
        again = getattr(transformers, type(theirs).__name__).from_pretrained(tmp_path).eval()
        close(changed(rnp.asarray(tokens)), again(torch.tensor(tokens))[0], 1e-4)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["GPT2", "Bert", "Albert"])
def test_full_sizes(kind: str) -> None:
    import torch

    tokens, mask, kinds = texts(30000, batch=2, time=16)
    if kind == "GPT2":
        theirs = their_gpt2()
        model, _ = gpt2.from_hugging_face(rosin.eval_shape(lambda: gpt2.GPT2(key=0)), given(theirs))
        found, wanted = rosin.compile(lambda m, t: m(t))(model, tokens), theirs(torch.tensor(tokens)).logits
    else:
        theirs = their_encoder(kind, masked=True)
        own = rosin.eval_shape(lambda: encoders.Masked.of(our_encoder(kind, pooler=False), key=1))
        model, _ = encoders.from_hugging_face(own, given(theirs))
        found = rosin.compile(lambda m, t, k, a: m(t, k, mask=a))(model, tokens, kinds, mask)
        given_mask = torch.tensor(mask).long()
        wanted = theirs(torch.tensor(tokens), attention_mask=given_mask, token_type_ids=torch.tensor(kinds)).logits
    close(found, wanted, 1e-4)


SENTENCES = [
    "A cat sits on the mat.",
    "Ein Satz auf Deutsch, mit Ümlauten und ß!",
    "short",
    "",
    "東京タワー is a tower in Tokyo, isn't it?",
    "word " * 300,
    "The quick brown fox jumps over the lazy dog; " * 6,
]


def test_vectors_of_sentences_are_the_originals() -> None:
    import torch
    import transformers

    folder = minilm.carried(minilm.PACKAGE, "model/model.safetensors").parent
    theirs = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    cut = transformers.AutoTokenizer.from_pretrained(folder)
    given = cut(SENTENCES, padding=True, truncation=True, max_length=minilm.LONGEST, return_tensors="pt")
    with torch.no_grad():
        hidden = theirs(**given).last_hidden_state
    own = given["attention_mask"][:, :, None]
    wanted = torch.nn.functional.normalize((hidden * own).sum(1) / own.sum(1), dim=1)
    model, pieces = minilm.pretrained(), minilm.tokenizer()
    assert [pieces.encode(text, longest=minilm.LONGEST) for text in SENTENCES] == cut(
        SENTENCES, truncation=True, max_length=minilm.LONGEST
    )["input_ids"]
    np.testing.assert_allclose(minilm.embed(model, pieces, SENTENCES), wanted.numpy(), atol=1e-5, rtol=0)
