"""Losses against PyTorch, by enumeration, and by what they mean."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import losses

RNG = np.random.default_rng(0)


def _merged(path: tuple[int, ...], blank: int) -> list[int]:
    return [label for label, _ in itertools.groupby(path) if label != blank]


@pytest.mark.parametrize("labels", [[1, 2], [1, 1], [2], []], ids=str)
@pytest.mark.parametrize("blank", [0, 2])
def test_ctc_sums_over_all_paths(labels: list[int], blank: int) -> None:
    labels = [label if label != blank else 0 for label in labels]
    scores = RNG.standard_normal((1, 4, 3))
    logs = scores[0] - np.log(np.sum(np.exp(scores[0]), axis=1, keepdims=True))
    paths = [p for p in itertools.product(range(3), repeat=4) if _merged(p, blank) == labels]
    wanted = -np.log(sum(np.exp(sum(logs[t, c] for t, c in enumerate(p))) for p in paths))
    # Padding of labels and of time is not read.
    padded = np.concatenate([scores, np.full((1, 2, 3), np.nan)], axis=1)
    given = np.asarray([[*labels, 1, 1]])
    found = losses.ctc_loss(
        rnp.asarray(padded),
        rnp.asarray(given),
        rnp.asarray([4]),
        rnp.asarray([len(labels)]),
        blank=blank,
        reduction="sum",
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_ctc_without_room_is_infinite() -> None:
    scores = rnp.zeros((2, 3, 4))
    found = losses.ctc_loss(scores, rnp.asarray([[1, 1, 2], [1, 2, 3]]), reduction="none")
    assert not np.isfinite(float(found[0]))
    assert np.isfinite(float(found[1]))
    with pytest.raises(losses.LossError, match=r"\[batch, time, classes\]"):
        losses.ctc_loss(scores[0], rnp.asarray([[1]]))
    with pytest.raises(losses.LossError, match="'most'"):
        losses.ctc_loss(scores, rnp.asarray([[1], [2]]), reduction="most")


@pytest.mark.peers
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_ctc_against_torch(reduction: str) -> None:
    import torch

    scores, labels = RNG.standard_normal((3, 11, 5)), RNG.integers(1, 5, (3, 4))
    labels[0] = 2
    times, counts = np.asarray([11, 9, 7]), np.asarray([4, 2, 3])
    given = torch.tensor(scores, requires_grad=True)
    logs, sizes = given.log_softmax(-1).transpose(0, 1), (torch.tensor(times), torch.tensor(counts))
    wanted = torch.nn.functional.ctc_loss(logs, torch.tensor(labels), *sizes, reduction=reduction)
    wanted.sum().backward()

    def loss(scores: Any) -> Any:
        return losses.ctc_loss(scores, *map(rnp.asarray, (labels, times, counts)), reduction=reduction)

    np.testing.assert_allclose(rosin.compile(loss)(scores), wanted.detach().numpy(), rtol=1e-9)
    slope = rosin.compile(rosin.grad(lambda x: rnp.sum(loss(x))))(scores)
    np.testing.assert_allclose(slope, given.grad.numpy(), rtol=1e-8, atol=1e-10)


def test_focal_loss() -> None:
    logits, targets = rnp.asarray([2.0, -1.0, 0.5]), rnp.asarray([1.0, 1.0, 0.0])
    plain = rosin.nn.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    np.testing.assert_allclose(losses.focal_loss(logits, targets, gamma=0.0, reduction="none"), plain, rtol=1e-6)
    p = np.asarray([1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(1.0)), 1 - 1 / (1 + np.exp(-0.5))])
    wanted = -((1 - p) ** 2) * np.log(p) * np.asarray([0.25, 0.25, 0.75])
    np.testing.assert_allclose(losses.focal_loss(logits, targets, alpha=0.25, reduction="none"), wanted, rtol=1e-5)
    mask = rnp.asarray([True, False, True])
    found = losses.focal_loss(logits.at[1].set(rnp.nan), targets, alpha=0.25, mask=mask)
    np.testing.assert_allclose(found, (wanted[0] + wanted[2]) / 2, rtol=1e-5)


def test_overlaps() -> None:
    a, b = np.zeros((1, 1, 4, 4), np.float32), np.zeros((1, 1, 4, 4), np.float32)
    a[..., :2, :], b[..., 1:3, :] = 1, 1
    np.testing.assert_allclose(losses.dice_loss(rnp.asarray(a), rnp.asarray(b), smooth=0.0), 0.5, rtol=1e-6)
    np.testing.assert_allclose(losses.jaccard_loss(rnp.asarray(a), rnp.asarray(b), smooth=0.0), 1 - 4 / 12, rtol=1e-6)
    np.testing.assert_allclose(losses.dice_loss(rnp.asarray(a), rnp.asarray(a)), 0.0, atol=1e-6)


def test_contrastive_losses() -> None:
    a, b = RNG.standard_normal((5, 8)), RNG.standard_normal((5, 8))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)]
    scores = unit[0] @ unit[1].T / 0.07
    logs = scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
    np.testing.assert_allclose(losses.info_nce(rnp.asarray(a), rnp.asarray(b)), -np.mean(np.diag(logs)), rtol=1e-9)
    columns = scores.T - np.log(np.sum(np.exp(scores.T), axis=1, keepdims=True))
    wanted = -(np.mean(np.diag(logs)) + np.mean(np.diag(columns))) / 2
    np.testing.assert_allclose(losses.clip_loss(rnp.asarray(a), rnp.asarray(b)), wanted, rtol=1e-9)
    views = np.concatenate(unit)
    every = np.exp(views @ views.T / 0.5)
    np.fill_diagonal(every, 0)
    own = [-np.log(every[i, (i + 5) % 10] / every[i].sum()) for i in range(10)]
    np.testing.assert_allclose(losses.nt_xent(rnp.asarray(a), rnp.asarray(b)), np.mean(own), rtol=1e-9)
    with pytest.raises(losses.LossError, match=r"\(5, 8\) and \(4, 8\)"):
        losses.info_nce(rnp.asarray(a), rnp.asarray(b[:4]))


def test_tokens_with_a_mask() -> None:
    scores, tokens = RNG.standard_normal((3, 11, 61)), RNG.integers(0, 61, (3, 11))
    mask = np.arange(11) < np.array([[5], [7], [11]])

    def loss(scores: Any, tokens: Any, mask: Any) -> Any:
        return losses.token_cross_entropy(scores[:, :-1], tokens[:, 1:], mask[:, 1:])

    shares = np.exp(scores) / np.sum(np.exp(scores), axis=-1, keepdims=True)
    chosen = np.eye(61)[tokens]
    inside = mask[:, 1:]
    wanted = -np.sum(np.log(np.sum(shares * np.roll(chosen, -1, axis=1), axis=-1))[:, :-1] * inside) / np.sum(inside)
    slopes = np.zeros_like(scores)
    slopes[:, :-1] = (shares[:, :-1] - chosen[:, 1:]) * inside[:, :, None] / np.sum(inside)
    value, slope = rosin.compile(rosin.value_and_grad(loss))(scores, tokens, mask)
    np.testing.assert_allclose(value, wanted, rtol=1e-12)
    np.testing.assert_allclose(slope, slopes, atol=1e-14)
    with pytest.raises(losses.LossError, match=r"not \(3, 11, 61\) and \(3, 10\)"):
        losses.token_cross_entropy(rnp.asarray(scores), rnp.asarray(tokens[:, 1:]))
