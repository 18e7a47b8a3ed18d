"""Vectors for numbered things."""

from __future__ import annotations

from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn import initializers
from rosin.stdlib.nn.initializers import Initializer
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.nn.module import Module, param


class Embedding(Module):
    """The rows of a table at integer places: `[...]` to `[..., features]`."""

    weight: Array = param("count features")

    def __init__(
        self,
        count: int,
        features: int,
        *,
        key: KeyLike,
        weight_init: Initializer | None = None,
        dtype: Any = rosin.float32,
    ) -> None:
        """Rows start as standard normal numbers."""
        draw = weight_init or initializers.normal(1.0)
        self.weight = draw(keys_of(key)(), (count, features), dtype)

    def __call__(self, places: Array) -> Array:
        return rosin.nn.embedding(places, self.weight)

    def attend(self, x: Array) -> Array:
        """The products of `[..., features]` with every row, `[..., count]`: scores that share the table's weights."""
        return x @ rnp.transpose(self.weight)
