"""Pieces of words, as BERT cuts texts (Wu et al. 2016; Devlin et al. 2019)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.text.kinds import is_space

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST = 100
"""A longer word is not cut but unknown."""
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""Each of these is a word of its own."""


class WordPiece:
    """Texts to numbers of pieces: words are cut off at spaces and punctuation, and each is cut into the longest pieces
    that there are, from the left; those inside of a word begin with `##`."""

    def __init__(self, pieces: Sequence[str], *, lower: bool = True) -> None:
        """`lower` takes letters as small ones without accents.

        Raises:
            DataError: a piece comes twice, or a special one is missing.
        """
        self.pieces, self.lower = tuple(pieces), lower
        self._numbers = {piece: number for number, piece in enumerate(self.pieces)}
        if len(self._numbers) < len(self.pieces):
            raise DataError("WordPiece: a piece comes twice")
        missing = [piece for piece in SPECIAL if piece not in self._numbers]
        if missing:
            raise DataError(f"WordPiece: there is no piece {', '.join(missing)}")
        self.pad, self.unknown, self.begin, self.end, self.mask = (self._numbers[piece] for piece in SPECIAL)
        self._special = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")

    @classmethod
    def load(cls, path: str | PathLike[str], *, lower: bool = True) -> WordPiece:
        """From a file with a piece in each line, as `vocab.txt`."""
        return cls(Path(path).read_text(encoding="utf-8").removesuffix("\n").split("\n"), lower=lower)

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str, pair: str | None = None, *, longest: int | None = None) -> list[int]:
        """The pieces of a text between [CLS] and [SEP], and of another one and [SEP] after it. The names of special
        pieces in a text are these pieces.

        With `longest`, pieces at the ends of the texts are left out, of the longer one first, until all fit.

        Raises:
            DataError: `longest` has no room for what stands between the texts.
        """
        first = self.pieces_of(text)
        second = None if pair is None else self.pieces_of(pair)
        if longest is not None:
            room = longest - (2 if second is None else 3)
            if room < 0:
                raise DataError(f"WordPiece: {longest} pieces have no room for [CLS] and [SEP]")
            while len(first) + len(second or ()) > room:
                (second if second is not None and len(second) >= len(first) else first).pop()
        found = [self.begin, *first, self.end]
        return found if second is None else [*found, *second, self.end]

    def pieces_of(self, text: str) -> list[int]:
        """The numbers of the pieces of a text, and of nothing else."""
        found: list[int] = []
        for part in self._special.split(text):
            if part in SPECIAL:
                found.append(self._numbers[part])
            else:
                for word in self.words(part):
                    found += self._cut(word)
        return found

    def batch(self, texts: Sequence[str], *, longest: int | None = None) -> tuple[Any, Any]:
        """Texts as one array `[texts, pieces]`, filled up with [PAD], and the mask that is true for pieces."""
        lines = [self.encode(text, longest=longest) for text in texts]
        room = max(map(len, lines), default=0)
        tokens = np.full((len(lines), room), self.pad, dtype=np.int32)
        for row, line in zip(tokens, lines, strict=True):
            row[: len(line)] = line
        lengths = np.asarray([len(line) for line in lines], dtype=np.int32)
        return tokens, np.arange(room) < lengths[:, None]

    def decode(self, tokens: Iterable[int]) -> str:
        """Pieces as words with spaces between them."""
        words = [self.pieces[int(token)] for token in tokens]
        return " ".join(words).replace(" ##", "")

    def words(self, text: str) -> Iterator[str]:
        """A text cut off at spaces, punctuation and ideographs, after it was cleaned."""
        word = ""
        for c in self._cleaned(text):
            if c != " " and not _is_alone(c):
                word += c
                continue
            if word:
                yield word
            if c != " ":
                yield c
            word = ""
        if word:
            yield word

    def _cleaned(self, text: str) -> str:
        """Without control characters, every space a plain one, ideographs between spaces."""
        kept: list[str] = []
        for c in text:
            if c in "\t\n\r":
                kept.append(" ")
            elif c in "\0\ufffd" or unicodedata.category(c)[0] == "C":
                continue
            elif is_space(c):
                kept.append(" ")
            else:
                kept.append(f" {c} " if _is_ideograph(c) else c)
        if not self.lower:
            return "".join(kept)
        apart = unicodedata.normalize("NFD", "".join(kept))
        # Letter by letter: what is at the end of a word does not matter.
        return "".join(c.lower() for c in apart if unicodedata.category(c) != "Mn")

    def _cut(self, word: str) -> list[int]:
        if len(word) > LONGEST:
            return [self.unknown]
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in self._numbers), None)
            if end is None:
                return [self.unknown]
            found.append(self._numbers[prefix + word[start:end]])
            start = end
        return found


def _is_alone(c: str) -> bool:
    """Whether a character is punctuation, in ASCII's wide sense."""
    return unicodedata.category(c)[0] == "P" or (c.isascii() and c.isprintable() and not c.isalnum() and c != " ")


def _is_ideograph(c: str) -> bool:
    return any(low <= ord(c) <= high for low, high in _IDEOGRAPHS)
