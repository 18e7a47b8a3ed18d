"""Byte pairs: tokens that a text's frequent neighbours were merged to (Sennrich et al. 2016; Radford et al. 2019)."""

from __future__ import annotations

import functools
import heapq
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.text.kinds import is_space

Pair: TypeAlias = tuple[bytes, bytes]

_ENDING = re.compile(r"'(?:s|t|re|ve|m|ll|d)")
_PIECE = re.compile(r" ?l+| ?n+| ?o+|[ s]+(?![^ s])|[ s]+")
"""Over the kinds of characters: letters, numbers, others, each perhaps after a space, and spaces but for the last."""


class BytePairs:
    """Texts to numbers by way of their UTF-8 bytes, so that none is unknown: pieces, about words with the space before
    them, are bytes at first, and then neighbours are merged in the order of the table of merges, as in GPT-2."""

    def __init__(self, merges: Iterable[Pair], tokens: Mapping[bytes, int] | None = None) -> None:
        """`tokens` are the numbers; by default those of bytes, in GPT-2's order, and then of merges.

        Raises:
            DataError: a token that comes about has no number, or two have one.
        """
        self.merges = tuple(merges)
        if tokens is None:
            made = [bytes([byte]) for byte in _bytes()]
            made += [first + second for first, second in self.merges]
            tokens = {token: number for number, token in enumerate(dict.fromkeys(made))}
        self.tokens = dict(tokens)
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self._bytes = {number: token for token, number in self.tokens.items()}
        needed = [*(bytes([byte]) for byte in range(256)), *(a + b for a, b in self.merges)]
        missing = next((token for token in needed if token not in self.tokens), None)
        if missing is not None or len(self._bytes) < len(self.tokens):
            raise DataError(
                f"BytePairs: {missing!r} has no number"
                if missing is not None
                else "BytePairs: two tokens have one number"
            )
        self._cut = functools.lru_cache(maxsize=1 << 16)(self._merged)

    @classmethod
    def load(cls, merges: str | PathLike[str], tokens: str | PathLike[str] | None = None) -> BytePairs:
        """From files in the format of GPT-2's `merges.txt` and `vocab.json`.

        Raises:
            DataError: a line is no merge, or a character stands for no byte.
        """
        lines = Path(merges).read_text(encoding="utf-8").split("\n")
        lines = [line for line in lines[lines[0].startswith("#version") :] if line]
        pairs = [tuple(map(_from_letters, line.split(" "))) for line in lines]
        bad = next((line for line, pair in zip(lines, pairs, strict=True) if len(pair) != 2), None)
        if bad is not None:
            raise DataError(f"{merges}: the line {bad!r} is no pair")
        numbers = None
        if tokens is not None:
            found: dict[str, int] = json.loads(Path(tokens).read_text(encoding="utf-8"))
            # Special tokens are no texts: only their numbers are taken up.
            numbers = {token.encode() if _is_special(token) else _from_letters(token): n for token, n in found.items()}
        return cls([(a, b) for a, b in pairs], numbers)

    @classmethod
    def train(cls, text: str, size: int) -> BytePairs:
        """The merges that a text asks for, until there are `size` tokens: each time of the neighbours that come most
        often, of several such the first in the order of bytes.

        Raises:
            DataError: `size` is less than 256, the number of bytes.
        """
        if size < 256:
            raise DataError(f"BytePairs: there are 256 bytes, and {size} tokens have no room for them")
        return cls(_learned(Counter(piece.encode() for piece in pieces(text)), size - 256))

    def save(self, folder: str | PathLike[str]) -> None:
        """Write `merges.txt` and `vocab.json`."""
        place = Path(folder)
        lines = ["#version: 0.2", *(f"{_letters(a)} {_letters(b)}" for a, b in self.merges)]
        (place / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        numbers = {_letters(token): number for token, number in self.tokens.items()}
        (place / "vocab.json").write_text(json.dumps(numbers, ensure_ascii=False), encoding="utf-8")

    def __len__(self) -> int:
        return max(self._bytes) + 1

    def encode(self, text: str) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The numbers of a text's tokens."""
        return np.asarray([token for piece in pieces(text) for token in self._cut(piece.encode())], dtype=np.int32)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens; bytes that are no UTF-8 become replacement characters.

        Raises:
            DataError: a number is of no token.
        """
        numbers = [int(token) for token in tokens]
        bad = next((number for number in numbers if number not in self._bytes), None)
        if bad is not None:
            raise DataError(f"BytePairs: there is no token {bad}")
        return b"".join(self._bytes[number] for number in numbers).decode("utf-8", errors="replace")

    def _merged(self, piece: bytes) -> tuple[int, ...]:
        parts = [bytes([byte]) for byte in piece]
        while len(parts) > 1:
            best = min(pairwise(parts), key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            parts = _joined(parts, best)
        return tuple(self.tokens[part] for part in parts)


def pieces(text: str) -> Iterator[str]:
    """A text cut into pieces that are not merged with each other: letters, numbers or other marks with the space before
    them, English endings after an apostrophe, and spaces."""
    kinds = "".join(map(_kind, text))
    place = 0
    while place < len(text):
        found = _ENDING.match(text, place) or _PIECE.match(kinds, place)
        assert found is not None, "every kind of character is in the pattern"
        yield text[place : found.end()]
        place = found.end()


@functools.lru_cache(maxsize=1 << 16)
def _kind(character: str) -> str:
    if is_space(character):
        return " " if character == " " else "s"
    return {"L": "l", "N": "n"}.get(unicodedata.category(character)[0], "o")


def _joined(parts: Sequence[bytes], pair: Pair) -> list[bytes]:
    """The parts, with every such pair of neighbours merged, from the left."""
    found: list[bytes] = []
    place = 0
    while place < len(parts):
        both = place + 1 < len(parts) and (parts[place], parts[place + 1]) == pair
        found.append(pair[0] + pair[1] if both else parts[place])
        place += 2 if both else 1
    return found


def _learned(words: Counter[bytes], count: int) -> list[Pair]:
    """At most `count` merges. A heap has pairs with counts that were once right; one that is not is put back."""
    parts = {word: [bytes([byte]) for byte in word] for word in words}
    counts: Counter[Pair] = Counter()
    homes: defaultdict[Pair, set[bytes]] = defaultdict(set)
    for word, often in words.items():
        for pair in pairwise(parts[word]):
            counts[pair] += often
            homes[pair].add(word)
    heap = [(-often, pair) for pair, often in counts.items()]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < count:
        often, best = heapq.heappop(heap)
        if counts[best] != -often:
            if counts[best]:
                heapq.heappush(heap, (-counts[best], best))
            continue
        merges.append(best)
        changed: set[Pair] = set()
        for word in homes[best]:
            before = parts[word]
            after = parts[word] = _joined(before, best)
            for pair in pairwise(before):
                counts[pair] -= words[word]
            for pair in pairwise(after):
                counts[pair] += words[word]
                homes[pair].add(word)
                changed.add(pair)
        for pair in changed:
            heapq.heappush(heap, (-counts[pair], pair))
    return merges


# -- letters for bytes, in files ---------------------------------------------------------------------------------------


@functools.cache
def _bytes() -> dict[int, str]:
    """A printable character for every byte, in the order of GPT-2's numbers: its own where it is printable in Latin-1,
    and one from 256 on where it is not."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in own]
    return {byte: chr(byte) for byte in own} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def _letters(token: bytes) -> str:
    return "".join(_bytes()[byte] for byte in token)


def _from_letters(text: str) -> bytes:
    known = {letter: byte for byte, letter in _bytes().items()}
    bad = next((letter for letter in text if letter not in known), None)
    if bad is not None:
        raise DataError(f"{text!r}: the character {bad!r} stands for no byte")
    return bytes(known[letter] for letter in text)


def _is_special(token: str) -> bool:
    return len(token) > 2 and token.startswith("<|") and token.endswith("|>")
