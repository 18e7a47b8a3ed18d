"""Connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.losses.reducing import LossError, reduced

_NEVER = -1e30
"""The logarithm of a probability of nothing, finite so that derivatives are."""


def ctc_loss(
    logits: Array,
    labels: Array,
    logit_lengths: Array | None = None,
    label_lengths: Array | None = None,
    *,
    blank: int = 0,
    reduction: str = "mean",
) -> Array:
    """Less the logarithm of the probability that scores `[batch, time, classes]` give to labels `[batch, length]`.

    The probability is that of all ways to spread the labels over the time steps, with `blank` between them and repeats
    merged. What lies behind the lengths `[batch]` is not read. The mean is over examples, each divided by the number of
    its labels, as in PyTorch. An example with more labels than its time steps have room for has a loss of infinity.

    Raises:
        LossError: the arrays are not of these shapes, or there is no such reduction.
    """
    if logits.ndim != 3 or labels.ndim != 2 or logits.shape[0] != labels.shape[0]:
        raise LossError(
            "ctc_loss: scores are [batch, time, classes] and labels [batch, length], "
            f"not {tuple(logits.shape)} and {tuple(labels.shape)}"
        )
    batch, time, _ = logits.shape
    length = labels.shape[1]
    times = rnp.full(batch, time) if logit_lengths is None else logit_lengths
    counts = rnp.full(batch, length) if label_lengths is None else label_lengths
    scores = rosin.nn.log_softmax(logits)

    # States go blank, label, blank, … , label, blank.
    states = rnp.full((batch, 2 * length + 1), blank, dtype=labels.dtype).at[:, 1::2].set(labels)
    # A label may be reached from the label before it if the two differ.
    before = rnp.concat([rnp.full((batch, 2), blank, dtype=labels.dtype), states[:, :-2]], axis=1)
    skips = (states != blank) & (states != before) & (rnp.arange(2 * length + 1) >= 2)
    emitted = rnp.take_along_axis(scores, rnp.broadcast_to(states[:, None, :], (batch, time, 2 * length + 1)), axis=2)
    emitted = rnp.moveaxis(emitted, 1, 0)

    begins = rnp.arange(2 * length + 1) < 2
    first = rnp.where(begins, emitted[0], _NEVER)

    def step(alpha: Array, given: tuple[Array, Array]) -> tuple[Array, tuple[()]]:
        now, number = given
        stay = alpha
        move = _shifted(alpha, 1)
        skip = rnp.where(skips, _shifted(alpha, 2), _NEVER)
        new = rosin.nn.logsumexp(rnp.stack([stay, move, skip]), axis=0) + now
        inside = (number < times)[:, None]
        return rnp.where(inside, rnp.maximum(new, _NEVER), alpha), ()

    alpha, _ = rosin.scan(step, first, (emitted[1:], rnp.arange(1, time)))
    last = 2 * counts[:, None]
    end = rnp.take_along_axis(alpha, last, axis=1)[:, 0]
    label = rnp.take_along_axis(alpha, rnp.maximum(last - 1, 0), axis=1)[:, 0]
    label = rnp.where(counts > 0, label, _NEVER)
    total = rnp.logaddexp(end, label)
    losses = rnp.where(total <= _NEVER / 2, rnp.inf, -total)
    if reduction == "mean":
        return rnp.mean(losses / rnp.maximum(counts, 1))
    return reduced("ctc_loss", losses, reduction)


def _shifted(alpha: Array, by: int) -> Array:
    """The states moved on by so many places."""
    return rnp.concat([rnp.full((alpha.shape[0], by), _NEVER, dtype=alpha.dtype), alpha[:, :-by]], axis=1)
