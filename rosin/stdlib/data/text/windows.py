"""Pieces of one long text, for models of what comes next."""

from __future__ import annotations

from typing import Any

import numpy as np

from rosin.stdlib.data.errors import DataError


class Windows:
    """Pieces of `length` tokens, one each `stride`: items `{"x": tokens, "y": the tokens one further}`."""

    def __init__(self, tokens: Any, length: int, stride: int | None = None) -> None:
        """Without a stride, pieces lie end to end.

        Raises:
            DataError: there are not even tokens for one piece.
        """
        self.tokens, self.length, self.stride = np.asarray(tokens), length, stride or length
        if self.tokens.ndim != 1 or length < 1 or self.stride < 1 or len(self.tokens) <= length:
            message = f"Windows: {length} tokens and the one after them, each {self.stride}"
            raise DataError(f"{message}, from tokens of shape {self.tokens.shape}")

    def __len__(self) -> int:
        return (len(self.tokens) - 1 - self.length) // self.stride + 1

    def __getitem__(self, index: int) -> dict[str, np.ndarray[Any, Any]]:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        begin = index % len(self) * self.stride
        piece = self.tokens[begin : begin + self.length + 1]
        return {"x": piece[:-1], "y": piece[1:]}

    def take(self, indices: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        """The pieces at these places as one batch."""
        places = np.asarray(indices)[:, None] * self.stride + np.arange(self.length + 1)
        pieces = self.tokens[places]
        return {"x": pieces[:, :-1], "y": pieces[:, 1:]}
