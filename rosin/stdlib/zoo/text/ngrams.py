"""The baseline of models of text: interpolated Kneser-Ney n-grams (Kneser and Ney 1995; Chen and Goodman 1999)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


class KneserNey:
    """The probability of a token after the `order - 1` before it.

    Of each count a discount is taken and given to what the shorter context says; shorter contexts count not how often a
    token came, but after how many different tokens. The shortest one shares with the even distribution, so that no
    token of the vocabulary has probability 0.
    """

    def __init__(self, tokens: Sequence[int], vocabulary: int, order: int = 5) -> None:
        self.order, self.vocabulary = order, vocabulary
        whole = tuple(tokens)
        counts = Counter(whole[i : i + order] for i in range(len(whole) - order + 1))
        self._counts = [counts]
        for _ in range(order - 1):
            counts = Counter(gram[1:] for gram in counts)
            self._counts.append(counts)
        self._counts.reverse()
        self._discounts = [_discount(counts) for counts in self._counts]
        self._totals: list[Counter[tuple[int, ...]]] = []
        self._kinds: list[Counter[tuple[int, ...]]] = []
        for counts in self._counts:
            totals: Counter[tuple[int, ...]] = Counter()
            for gram, count in counts.items():
                totals[gram[:-1]] += count
            self._totals.append(totals)
            self._kinds.append(Counter(gram[:-1] for gram in counts))

    def probability(self, context: Sequence[int], token: int) -> float:
        """Of a token after a context, of which the last `order - 1` tokens count."""
        found = 1 / self.vocabulary
        before = tuple(context)
        for length in range(min(self.order - 1, len(before)) + 1):
            known = before[len(before) - length :]
            total = self._totals[length][known]
            if not total:
                break
            discount = self._discounts[length]
            own = max(self._counts[length][(*known, token)] - discount, 0.0)
            found = (own + discount * self._kinds[length][known] * found) / total
        return found

    def bits(self, tokens: Sequence[int]) -> float:
        """The bits that each token of a text costs in the mean."""
        whole = tuple(tokens)
        size = self.order - 1
        total = sum(math.log2(self.probability(whole[max(i - size, 0) : i], token)) for i, token in enumerate(whole))
        return -total / len(whole)


def _discount(counts: Counter[tuple[int, ...]]) -> float:
    """The best one for counts, estimated from how many grams came once and twice."""
    often = Counter(counts.values())
    once, twice = often[1], often[2]
    return once / (once + 2 * twice) if once and twice else 0.5
