"""Multi-head attention with grouped queries, positions, masks, and keys and values kept from earlier steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn.dense import Dense
from rosin.stdlib.nn.dropout import Dropout
from rosin.stdlib.nn.initializers import Initializer
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.nn.module import Module, ModuleError, static
from rosin.stdlib.nn.positions import Positions
from rosin.stdlib.nn.run import EVAL, Run
from rosin.stdlib.nn.shapes import expect
from rosin.stdlib.nn.texts import array_text


@dataclass
class Cache:
    """Keys and values of what came before, in room for `capacity` steps."""

    keys: Array
    """[batch, heads of keys, capacity, features]"""
    values: Array
    length: Array
    """How many steps are kept: an integer without axes."""

    def add(self, keys: Array, values: Array) -> Cache:
        """With the keys and values of the next steps. Steps beyond the capacity are written over the last ones: see to
        it that there is room."""
        place = (0, 0, self.length, 0)
        return Cache(
            rosin.dynamic_update_slice(self.keys, keys, place),
            rosin.dynamic_update_slice(self.values, values, place),
            self.length + keys.shape[2],
        )


class MultiHeadAttention(Module):
    """Attention of several heads (Vaswani et al. 2017) over `[batch, time, features]`.

    With `key_heads` fewer than `heads`, groups of heads share keys and values (Ainslie et al. 2023); one is
    multi-query attention.
    """

    query: Dense
    key: Dense
    value: Dense
    output: Dense
    dropout: Dropout
    positions: Positions | None
    heads: int = static()
    key_heads: int = static()
    causal: bool = static()

    def __init__(
        self,
        features: int,
        heads: int,
        *,
        key: KeyLike,
        key_heads: int | None = None,
        head_features: int | None = None,
        context_features: int | None = None,
        causal: bool = False,
        positions: Positions | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        weight_init: Initializer | None = None,
        output_init: Initializer | None = None,
        dtype: Any = rosin.float32,
    ) -> None:
        """`context_features` are those of what is attended to, if that is another sequence; `dropout` is of weights.
        `output_init` is for `output`, by default as `weight_init`.

        Raises:
            ModuleError: the heads do not divide the features, or the key heads the heads.
        """
        if head_features is None and features % heads:
            raise ModuleError(f"MultiHeadAttention: {heads} heads do not divide {features} features")
        self.heads = heads
        self.key_heads = heads if key_heads is None else key_heads
        if heads % self.key_heads:
            raise ModuleError(f"MultiHeadAttention: {self.key_heads} heads of keys do not divide {heads} heads")
        width = features // heads if head_features is None else head_features
        context = features if context_features is None else context_features
        keys = keys_of(key)
        options: dict[str, Any] = {"use_bias": use_bias, "dtype": dtype}
        self.query = Dense(features, heads * width, key=keys, weight_init=weight_init, **options)
        self.key = Dense(context, self.key_heads * width, key=keys, weight_init=weight_init, **options)
        self.value = Dense(context, self.key_heads * width, key=keys, weight_init=weight_init, **options)
        self.output = Dense(heads * width, features, key=keys, weight_init=output_init or weight_init, **options)
        self.dropout = Dropout(dropout)
        self.positions = positions
        self.causal = causal

    def cache(self, batch: int, capacity: int) -> Cache:
        """An empty cache."""
        weight = self.key.weight
        shape = (batch, self.key_heads, capacity, weight.shape[0] // self.key_heads)
        return Cache(rnp.zeros(shape, weight.dtype), rnp.zeros(shape, weight.dtype), rnp.asarray(0))

    def __call__(
        self,
        x: Array,
        context: Array | None = None,
        *,
        mask: Array | None = None,
        cache: Cache | None = None,
        run: Run = EVAL,
    ) -> Any:
        """What each step of x gathers from `context`, or from x itself: `[batch, time, features]`.

        A mask broadcasts to `[batch, heads, time, time of context]`: truth values say what takes part, floats are added
        to the scores. With a `cache` x comes after what is kept there, and the result is a pair with the new cache.
        """
        expect(self, x, "batch time features", features=self.query.weight.shape[1])
        source = x if context is None else context
        expect(self, source, "batch time features", batch=x.shape[0], features=self.key.weight.shape[1])
        query = _heads(self.query(x), self.heads)
        key, value = _heads(self.key(source), self.key_heads), _heads(self.value(source), self.key_heads)
        start = 0 if cache is None else cache.length
        places, key_places = start + rnp.arange(x.shape[1]), start + rnp.arange(source.shape[1])
        if self.positions is not None:
            query, key = self.positions.rotate(query, places), self.positions.rotate(key, key_places)
        if cache is not None:
            self._check_cache(cache, key)
            cache = cache.add(key, value)
            key, value = cache.keys, cache.values
            key_places = rnp.arange(key.shape[2])
        self._check_mask(mask, query, key)
        if cache is not None:
            mask = _both(mask, (key_places < cache.length)[None, None, None, :])
        gathered = self._gather(query, key, value, places, key_places, mask, run)
        result = self.output(rnp.reshape(rnp.moveaxis(gathered, 1, 2), (*x.shape[:2], -1)))
        return result if cache is None else (result, cache)

    def _check_cache(self, cache: Cache, keys: Array) -> None:
        """Raise unless these keys have room; sizes that are symbols are left to the ops."""
        batch, heads, room, width = cache.keys.shape
        known = isinstance(room, int) and isinstance(keys.shape[2], int)
        if _differ(keys.shape, (batch, heads, keys.shape[2], width)) or (known and room < keys.shape[2]):
            kept = f"[batch {batch}, heads {heads}, room for {room} steps, features {width}]"
            message = f"MultiHeadAttention: the cache is {kept}, and keys {array_text(keys)} do not fit"
            raise ModuleError(f"{message}: cache(batch, capacity) makes one")

    def _check_mask(self, mask: Array | None, query: Array, key: Array) -> None:
        if mask is None:
            return
        wanted = (*query.shape[:3], key.shape[2])
        own = [n if m == 1 else m for m, n in zip(reversed(mask.shape), reversed(wanted), strict=False)]
        if mask.ndim > 4 or _differ(own, wanted[::-1][: len(own)]):
            message = f"MultiHeadAttention: a mask broadcasts to {list(wanted)}, batch, heads, time and time of context"
            raise ModuleError(f"{message}, and {array_text(mask)} does not")

    def _gather(
        self, query: Array, key: Array, value: Array, places: Array, key_places: Array, mask: Array | None, run: Run
    ) -> Array:
        bias = None if self.positions is None else self.positions.bias(places, key_places)
        if bias is not None and bias.ndim == 3 and bias.shape[0] not in (1, self.heads):
            raise ModuleError(f"MultiHeadAttention: positions are of {bias.shape[0]} heads, and it has {self.heads}")
        dropping = run.training and self.dropout.rate > 0
        if self.causal and mask is None and bias is None and not dropping:
            return rosin.nn.scaled_dot_product_attention(
                query, key, value, is_causal=True, enable_gqa=self.heads != self.key_heads
            )
        if self.causal:
            mask = _both(mask, key_places[None, :] <= places[:, None])
        if bias is not None:
            mask = bias if mask is None else _added(mask, rnp.astype(bias, query.dtype))
        if not dropping:
            return rosin.nn.scaled_dot_product_attention(
                query, key, value, mask, enable_gqa=self.heads != self.key_heads
            )
        times = self.heads // self.key_heads
        key, value = rnp.repeat(key, times, axis=1), rnp.repeat(value, times, axis=1)
        scores = query @ rnp.matrix_transpose(key) * query.shape[-1] ** -0.5
        if mask is not None:
            scores = rnp.where(mask, scores, -rnp.inf) if mask.dtype == rosin.bool_ else scores + mask
        return self.dropout(rosin.nn.softmax(scores), run) @ value


def _differ(sizes: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Whether numbers among sizes are others."""
    pairs = zip(sizes, wanted, strict=True)
    return any(isinstance(own, int) and isinstance(size, int) and own != size for own, size in pairs)


def _heads(x: Array, heads: int) -> Array:
    """`[batch, time, heads * features]` as `[batch, heads, time, features]`."""
    return rnp.moveaxis(rnp.reshape(x, (*x.shape[:2], heads, -1)), 1, 2)


def _both(mask: Array | None, more: Array) -> Array:
    """A mask with one of truth values."""
    if mask is None:
        return more
    return mask & more if mask.dtype == rosin.bool_ else rnp.where(more, mask, -rnp.inf)


def _added(mask: Array, bias: Array) -> Array:
    """A bias with a mask."""
    return rnp.where(mask, bias, -rnp.inf) if mask.dtype == rosin.bool_ else mask + bias
