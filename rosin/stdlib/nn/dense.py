"""Fully connected layers, and an activation with a parameter."""

from __future__ import annotations

from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn import initializers
from rosin.stdlib.nn.initializers import Initializer
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.nn.module import Module, param


class Dense(Module):
    """`x @ weight.T + bias` over the last axis: `[..., in]` to `[..., out]`."""

    weight: Array = param("out in")
    bias: Array | None = param("out")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        key: KeyLike,
        use_bias: bool = True,
        weight_init: Initializer | None = None,
        bias_init: Initializer = initializers.zeros,
        dtype: Any = rosin.float32,
    ) -> None:
        """Weights start by `weight_init`, by default Glorot's uniform one."""
        keys = keys_of(key)
        draw = weight_init or initializers.glorot_uniform()
        self.weight = draw(keys(), (out_features, in_features), dtype)
        self.bias = bias_init(keys(), (out_features,), dtype) if use_bias else None

    def __call__(self, x: Array) -> Array:
        return rosin.nn.linear(x, self.weight, self.bias)


class Bilinear(Module):
    """`left @ weight[o] @ right + bias[o]` for each output o."""

    weight: Array = param("out left right")
    bias: Array | None = param("out")

    def __init__(
        self,
        left_features: int,
        right_features: int,
        out_features: int,
        *,
        key: KeyLike,
        use_bias: bool = True,
        dtype: Any = rosin.float32,
    ) -> None:
        """Weights start between plus and minus one over the root of `left_features`."""
        keys = keys_of(key)
        draw = initializers.uniform(left_features**-0.5)
        self.weight = draw(keys(), (out_features, left_features, right_features), dtype)
        self.bias = initializers.zeros(keys(), (out_features,), dtype) if use_bias else None

    def __call__(self, left: Array, right: Array) -> Array:
        return rosin.nn.bilinear(left, right, self.weight, self.bias)


class PReLU(Module):
    """x where it is positive, else a learned number times x: one, or one for each channel of `[batch, channels, …]`
    (He et al. 2015)."""

    weight: Array = param("channels")

    def __init__(self, channels: int = 1, *, slope: float = 0.25, dtype: Any = rosin.float32) -> None:
        """`slope` is what the numbers begin with."""
        self.weight = rnp.full(channels, slope, dtype=dtype)

    def __call__(self, x: Array) -> Array:
        return rosin.nn.prelu(x, self.weight)
