"""Characters as tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from rosin.stdlib.data.errors import DataError

UNKNOWN = "\ufffd"


class Characters:
    """The characters of a text by number, in their order in Unicode. Number 0 is for all that are not in it."""

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = UNKNOWN + "".join(sorted(set(characters) - {UNKNOWN}))
        self._numbers = {character: number for number, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The number of each character."""
        return np.fromiter((self._numbers.get(c, 0) for c in text), dtype=np.int32, count=len(text))

    def decode(self, tokens: Any) -> str:
        """The text of numbers.

        Raises:
            DataError: a number is of no character.
        """
        tokens = np.asarray(tokens)
        if tokens.size and not (0 <= tokens.min() and tokens.max() < len(self)):
            raise DataError(f"Characters: there are numbers 0 … {len(self) - 1}, not {tokens.min()} … {tokens.max()}")
        return "".join(self.characters[token] for token in tokens)
