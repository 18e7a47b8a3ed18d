"""Transformer layers and stacks of them: encoders, and decoders that also attend to an encoder's result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rosin
from rosin import Array
from rosin.stdlib.nn.attention import Cache, MultiHeadAttention
from rosin.stdlib.nn.dense import Dense
from rosin.stdlib.nn.dropout import Dropout
from rosin.stdlib.nn.initializers import Initializer
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.nn.module import Module, ModuleError, static
from rosin.stdlib.nn.normalization import LayerNorm
from rosin.stdlib.nn.run import EVAL, Run


class FeedForward(Module):
    """Two dense layers and an activation; with a gate, `down(activation(gate(x)) * up(x))` (Shazeer 2020)."""

    up: Dense
    gate: Dense | None
    down: Dense
    dropout: Dropout
    activation: Callable[[Array], Array] = static()

    def __init__(
        self,
        features: int,
        hidden: int,
        *,
        key: KeyLike,
        activation: Callable[[Array], Array] = rosin.nn.gelu,
        gated: bool = False,
        dropout: float = 0.0,
        use_bias: bool = True,
        weight_init: Initializer | None = None,
        output_init: Initializer | None = None,
        dtype: Any = rosin.float32,
    ) -> None:
        """`output_init` is for `down`, by default as `weight_init`; `dropout` is of what `down` takes."""
        keys = keys_of(key)
        options: dict[str, Any] = {"use_bias": use_bias, "dtype": dtype}
        self.up = Dense(features, hidden, key=keys, weight_init=weight_init, **options)
        self.gate = Dense(features, hidden, key=keys, weight_init=weight_init, **options) if gated else None
        self.down = Dense(hidden, features, key=keys, weight_init=output_init or weight_init, **options)
        self.dropout = Dropout(dropout)
        self.activation = activation

    def __call__(self, x: Array, run: Run = EVAL) -> Array:
        h = self.up(x)
        h = self.activation(h) if self.gate is None else self.activation(self.gate(x)) * h
        return self.down(self.dropout(h, run))


class TransformerLayer(Module):
    """Attention and a feed-forward net, each with a norm and around it a residual connection.

    The norms come before each part (`norm_first`, as in GPT-2) or after each sum (as in BERT). With `cross` the layer
    also attends to a second sequence, as in a decoder.
    """

    attention: MultiHeadAttention
    cross: MultiHeadAttention | None
    feed_forward: FeedForward
    norm1: Module
    norm_cross: Module | None
    norm2: Module
    dropout: Dropout
    norm_first: bool = static()

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        key: KeyLike,
        hidden: int | None = None,
        activation: Callable[[Array], Array] = rosin.nn.gelu,
        gated: bool = False,
        dropout: float = 0.0,
        hidden_dropout: float | None = None,
        norm_first: bool = True,
        cross: bool = False,
        norm: Callable[[int], Module] = LayerNorm,
        use_bias: bool = True,
        weight_init: Initializer | None = None,
        output_init: Initializer | None = None,
        dtype: Any = rosin.float32,
        **attention: Any,
    ) -> None:
        """`hidden` is four times the features unless it is given. `dropout` is of the attention's weights and of what
        each part adds, `hidden_dropout`, the same unless it is given, of what is inside the feed-forward net.
        `output_init` is for the last weights of each part; further options are those of `MultiHeadAttention`."""
        keys = keys_of(key)
        common = {"use_bias": use_bias, "weight_init": weight_init, "output_init": output_init, "dtype": dtype}
        inner = dropout if hidden_dropout is None else hidden_dropout
        self.attention = MultiHeadAttention(features, heads, key=keys, dropout=dropout, **common, **attention)
        self.cross = MultiHeadAttention(features, heads, key=keys, dropout=dropout, **common) if cross else None
        self.feed_forward = FeedForward(
            features, hidden or 4 * features, key=keys, activation=activation, gated=gated, dropout=inner, **common
        )
        self.norm1, self.norm2 = norm(features), norm(features)
        self.norm_cross = norm(features) if cross else None
        self.dropout = Dropout(dropout)
        self.norm_first = norm_first

    def __call__(
        self,
        x: Array,
        context: Array | None = None,
        *,
        mask: Array | None = None,
        context_mask: Array | None = None,
        cache: Cache | None = None,
        run: Run = EVAL,
    ) -> Any:
        """`[batch, time, features]` to the same; with a `cache`, a pair with the new one."""
        if (self.cross is None) != (context is None):
            has, given = ("no ", "a") if self.cross is None else ("", "no")
            raise ModuleError(f"TransformerLayer: it has {has}cross attention, and {given} context is given")
        kept = cache

        def attend(y: Array) -> Array:
            nonlocal kept
            found = self.attention(y, mask=mask, cache=cache, run=run)
            if cache is None:
                return found
            y, kept = found
            return y

        x = self._part(x, self.norm1, attend, run)
        if self.cross is not None:
            cross, norm = self.cross, self.norm_cross
            assert norm is not None
            x = self._part(x, norm, lambda y: cross(y, context, mask=context_mask, run=run), run)
        x = self._part(x, self.norm2, lambda y: self.feed_forward(y, run), run)
        return x if cache is None else (x, kept)

    def _part(self, x: Array, norm: Any, part: Callable[[Array], Array], run: Run) -> Array:
        if self.norm_first:
            return x + self.dropout(part(norm(x)), run)
        return norm(x + self.dropout(part(x), run))


class Transformer(Module):
    """Layers one after the other, and a last norm where the layers have theirs first."""

    layers: tuple[TransformerLayer, ...]
    norm: Module | None

    def __init__(
        self,
        layers: int,
        features: int,
        heads: int,
        *,
        key: KeyLike,
        norm_first: bool = True,
        norm: Callable[[int], Module] = LayerNorm,
        **options: Any,
    ) -> None:
        """Options are those of `TransformerLayer`."""
        keys = keys_of(key)
        self.layers = tuple(
            TransformerLayer(features, heads, key=keys, norm_first=norm_first, norm=norm, **options)
            for _ in range(layers)
        )
        self.norm = norm(features) if norm_first else None

    def cache(self, batch: int, capacity: int) -> tuple[Cache, ...]:
        """An empty cache for each layer."""
        return tuple(layer.attention.cache(batch, capacity) for layer in self.layers)

    def __call__(
        self,
        x: Array,
        context: Array | None = None,
        *,
        mask: Array | None = None,
        context_mask: Array | None = None,
        cache: tuple[Cache, ...] | None = None,
        run: Run = EVAL,
    ) -> Any:
        """`[batch, time, features]` to the same; with a `cache`, a pair with the new one."""
        options = {"mask": mask, "context_mask": context_mask, "run": run}
        kept: list[Cache] = []
        for number, layer in enumerate(self.layers):
            if cache is None:
                x = layer(x, context, **options)
            else:
                x, new = layer(x, context, cache=cache[number], **options)
                kept.append(new)
        norm: Any = self.norm
        x = x if norm is None else norm(x)
        return x if cache is None else (x, tuple(kept))
