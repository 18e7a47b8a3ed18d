"""Text one token after the other, as one compiled loop: greedy, or drawn by temperature, top-k and top-p."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Protocol

import rosin
from rosin import Array
from rosin import numpy as rnp


class GenerationError(rosin.RosinError, ValueError):
    """A prompt or a setting from which nothing can be generated."""


class LanguageModel(Protocol):
    """What `generate` takes: a model that sees tokens in pieces and keeps what it needs of those before."""

    def cache(self, batch: int, capacity: int) -> Any:
        """What is kept before the first token, with room for `capacity` of them."""
        ...

    def features(self, tokens: Array, *, cache: Any, **options: Any) -> tuple[Array, Any]:
        """`[batch, time]` to `[batch, time, features]`, and what is kept after them."""
        ...

    def scores(self, features: Array) -> Array:
        """`[..., features]` to the scores `[..., vocabulary]` of what comes next."""
        ...


@dataclass(frozen=True)
class Sampler:
    """How a token is chosen by scores `[batch, vocabulary]`: the highest at temperature 0, else with the probabilities
    of softmax(scores / temperature), of which `top_k` keeps the highest k (Fan et al. 2018), and `top_p` the fewest
    that together reach p, what ties with the last of them included (Holtzman et al. 2020)."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        """Raises GenerationError where a setting is out of its range."""
        if not self.temperature >= 0:
            raise GenerationError(f"Sampler: the temperature is not negative, and {self.temperature} is given")
        if self.top_k is not None and self.top_k < 1:
            raise GenerationError(f"Sampler: top_k keeps at least one token, not {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise GenerationError(f"Sampler: top_p is in (0, 1], not {self.top_p}")

    def __call__(self, key: Array, scores: Array) -> Array:
        """Tokens `[batch]`, i32."""
        if self.temperature == 0:
            return rnp.astype(rnp.argmax(scores, axis=-1), rosin.int32)
        scores = scores / self.temperature
        if self.top_k is None or self.top_k >= scores.shape[-1]:
            return rosin.random.categorical(key, self._likely(scores))
        # What is left is short, and in order.
        scores, places = rnp.top_k(scores, self.top_k)
        chosen = rosin.random.categorical(key, self._likely(scores))
        return rnp.astype(rnp.take_along_axis(places, chosen[:, None], axis=-1)[:, 0], rosin.int32)

    def _likely(self, scores: Array) -> Array:
        """The scores, with -inf for tokens that `top_p` leaves out."""
        if self.top_p is None or self.top_p == 1:
            return scores
        ordered = rnp.sort(scores, axis=-1, descending=True)
        shares = rosin.nn.softmax(ordered)
        kept = rnp.cumulative_sum(shares, axis=-1) - shares < self.top_p
        least = rnp.min(rnp.where(kept, ordered, rnp.inf), axis=-1, keepdims=True)
        return rnp.where(scores >= least, scores, -rnp.inf)


GREEDY = Sampler(temperature=0.0)


def generate(
    model: LanguageModel,
    prompt: Any,
    steps: int,
    *,
    key: Array | int = 0,
    sampler: Sampler = Sampler(),
    stop: int | None = None,
    lengths: Any = None,
) -> Array:
    """The `steps` tokens after a prompt `[batch, time]`: `[batch, steps]`, i32.

    After a token `stop` a line holds nothing but it; the loop ends when all lines have met it. Prompts of several
    `lengths` `[batch]` begin at the left, and what comes after their ends is not read; models that see lines through a
    mask, as GPT-2 does, take them. One model, shape and sampler are one program.

    Raises:
        GenerationError: there is nothing to begin with, no step to make, or the model takes no several lengths.
    """
    prompt = rnp.asarray(prompt, dtype=rosin.int32)
    if prompt.ndim != 2 or 0 in prompt.shape:
        raise GenerationError(f"generate: a prompt is [batch, time] and not empty, not of shape {tuple(prompt.shape)}")
    if steps < 1:
        raise GenerationError(f"generate: {steps} steps are none")
    lengths = None if lengths is None else rnp.asarray(lengths, dtype=rosin.int32)
    if lengths is not None and not bool(rnp.all((lengths > 0) & (lengths <= prompt.shape[1]))):
        raise GenerationError(f"generate: lengths are from 1 to {prompt.shape[1]}, not {lengths}")
    if lengths is not None and "padding" not in inspect.signature(model.features).parameters:
        message = f"generate: {type(model).__name__} takes no padding, so prompts are of one length"
        raise GenerationError(message)
    key = rosin.random.key(key) if isinstance(key, int) else key
    return _generate(model, prompt, lengths, key, steps=steps, sampler=sampler, stop=stop)


@rosin.compile(static_argnames=("steps", "sampler", "stop"))
def _generate(
    model: Any, prompt: Array, lengths: Array | None, key: Array, *, steps: int, sampler: Sampler, stop: int | None
) -> Array:
    batch, length = prompt.shape
    options: dict[str, Any] = {}
    if lengths is not None:
        # Moved to the right, lines end together; the first places are then the padding.
        options["padding"] = length - lengths
        prompt = rnp.take_along_axis(prompt, (rnp.arange(length) - options["padding"][:, None]) % length, axis=1)
    features, cache = model.features(prompt, cache=model.cache(batch, length + steps - 1), **options)
    done = rnp.zeros(batch, dtype=rosin.bool_)

    def draw(features: Array, number: Array | int, done: Array) -> tuple[Array, Array]:
        token = sampler(rosin.random.fold_in(key, number), model.scores(features[:, -1]))
        if stop is not None:
            token = rnp.where(done, stop, token)
            done = done | (token == stop)
        return token, done

    token, done = draw(features, 0, done)
    tokens = rosin.dynamic_update_slice(
        rnp.full((batch, steps), 0 if stop is None else stop, dtype=rosin.int32), token[:, None], (0, 0)
    )

    def going(state: Any) -> Array:
        number, _, done, _, _ = state
        return (number < steps) & ~rnp.all(done)

    def step(state: Any) -> Any:
        number, token, done, tokens, cache = state
        features, cache = model.features(token[:, None], cache=cache, **options)
        token, done = draw(features, number, done)
        tokens = rosin.dynamic_update_slice(tokens, token[:, None], (0, number))
        return number + 1, token, done, tokens, cache

    return rosin.while_loop(going, step, (1, token, done, tokens, cache))[3]
