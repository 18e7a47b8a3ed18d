"""Looking for things: sorting, dynamic programming, graphs, parsing."""

from __future__ import annotations

from typing import Any

import numpy as np

from rosin import numpy as rnp
from tests.gallery.table import draws, program

GRAPH, OTHER_GRAPH = draws(11, 6, 6) * 9 + 1, draws(12, 6, 6) * 9 + 1


@program([1, 3, 4, 7, 9, 12], 7, others=([0, 1, 2, 3, 4, 5], 9))
def binary_search(xs: Any, wanted: Any) -> Any:
    low, high = 0, len(xs) - 1
    while low <= high:
        middle = (low + high) // 2
        if xs[middle] == wanted:
            return middle
        if xs[middle] < wanted:
            low = middle + 1
        else:
            high = middle - 1
    return -1


@program([5, 2, 8, 1, 9, 3], others=([1, 2, 3, 6, 5, 4],))
def bubble_sort(xs: Any) -> Any:
    xs = xs.copy()
    swapped = True
    while swapped:
        swapped = False
        for i in range(len(xs) - 1):
            if xs[i] > xs[i + 1]:
                held = xs[i] + 0
                xs[i] = xs[i + 1]
                xs[i + 1] = held
                swapped = True
    return xs


@program([5, 2, 8, 1, 9, 3], others=([1, 2, 3, 6, 5, 4],))
def insertion_sort(xs: Any) -> Any:
    xs = xs.copy()
    for i in rnp.arange(1, len(xs)):
        x = xs[i] + 0
        j = i
        while j > 0 and xs[j - 1] > x:
            xs[j] = xs[j - 1]
            j -= 1
        xs[j] = x
    return xs


@program([1, 2, 3, 4, 2], [1, 3, 3, 2, 2], others=([1, 1, 1, 1, 1], [2, 1, 2, 1, 2]))
def edit_distance(a: Any, b: Any) -> Any:
    row = rnp.arange(len(b) + 1)
    for i, x in enumerate(a):
        diagonal = row[0] + 0
        row[0] = i + 1
        for j, y in enumerate(b):
            cost = diagonal if x == y else diagonal + 1
            diagonal = row[j + 1] + 0
            row[j + 1] = min(cost, diagonal + 1, row[j] + 1)
    return row[-1]


@program([3, 1, 4, 1, 5, 9, 2, 6], others=([8, 7, 6, 5, 4, 3, 2, 1],))
def longest_increasing(xs: Any) -> Any:
    best = rnp.ones(len(xs), dtype=rnp.int32)
    for i in rnp.arange(len(xs)):
        for j in range(i):
            if xs[j] < xs[i] and best[j] + 1 > best[i]:
                best[i] = best[j] + 1
    return best.max()


@program([3, 4, 2, 5], [4.0, 5.0, 3.0, 6.0], others=([1, 6, 3, 2], [1.0, 9.0, 4.0, 4.0]), by=(1,))
def knapsack(weights: Any, values: Any) -> Any:
    best = rnp.zeros(9, dtype=values.dtype)
    for weight, value in zip(weights, values, strict=False):
        for room in reversed(rnp.arange(9)):
            if room >= weight:
                best[room] = max(best[room], best[room - weight] + value)
    return best[-1]


@program(GRAPH, others=(OTHER_GRAPH,), by=(0,))
def floyd_warshall(distance: Any) -> Any:
    for k in rnp.arange(len(distance)):
        distance = rnp.minimum(distance, distance[:, k][:, None] + distance[k][None, :])
    return distance


@program(GRAPH, 0, others=(OTHER_GRAPH, 3), by=(0,), reverse="while")
def dijkstra(graph: Any, source: Any) -> Any:
    """The distances from a node, of a graph that has every edge."""
    n = len(graph)
    distance = rnp.full(n, 1e9, dtype=graph.dtype)
    done = rnp.zeros(n, dtype=bool)
    distance[source] = 0.0
    while not done.all():
        node = rnp.argmin(rnp.where(done, 1e9, distance))
        done[node] = True
        distance = rnp.minimum(distance, distance[node] + graph[node])
    return distance


@program(np.log(draws(13, 3, 3)), np.log(draws(14, 7, 3)), others=(np.log(draws(15, 3, 3)), np.log(draws(16, 7, 3))))
def viterbi(transitions: Any, emissions: Any) -> Any:
    """The likeliest path of states."""
    score = emissions[0]
    choices = []
    for emission in emissions[1:]:
        through = score[:, None] + transitions
        choices.append(rnp.argmax(through, axis=0))
        score = rnp.max(through, axis=0) + emission
    state = rnp.argmax(score)
    path = [state]
    for choice in reversed(rnp.stack(choices)):
        state = choice[state]
        path.append(state)
    return rnp.stack(path)


@program(
    np.log(draws(13, 3, 3)),
    np.log(draws(14, 7, 3)),
    others=(np.log(draws(15, 3, 3)), np.log(draws(16, 7, 3))),
    by=(0, 1),
)
def forward_algorithm(transitions: Any, emissions: Any) -> Any:
    score = emissions[0]
    for emission in emissions[1:]:
        score = rnp.log(rnp.exp(score[:, None] + transitions).sum(axis=0)) + emission
    return rnp.log(rnp.exp(score).sum())


@program(draws(17, 5, 3), draws(18, 3, 3, 3), others=(draws(19, 5, 3), draws(20, 3, 3, 3)), by=(0, 1))
def cky(words: Any, rules: Any) -> Any:
    """The weight of the best tree over a sentence; rules[a, b, c] is the weight of a → b c."""
    n, symbols = words.shape
    best = rnp.zeros((n, n, symbols), dtype=words.dtype)
    for i in range(n):
        best[i, i] = words[i]
    for length in range(1, n):
        for start in range(n - length):
            for split in range(start, start + length):
                left, right = best[start, split], best[split + 1, start + length]
                weights = (rules * left[None, :, None] * right[None, None, :]).max(axis=(1, 2))
                best[start, start + length] = rnp.maximum(best[start, start + length], weights)
    return best[0, n - 1, 0]


@program(np.log(draws(21, 4, 4)), others=(np.log(draws(22, 4, 4)),))
def beam_search(transitions: Any) -> Any:
    """The two best paths of six steps from state 0; a path ends when it is in state 3."""
    states, scores = rnp.asarray([0, 1], dtype=rnp.int32), rnp.asarray([0.0, -1e9], dtype=transitions.dtype)
    for _ in range(6):
        if (states == 3).all():
            break
        moves = rnp.where(
            (states == 3)[:, None], rnp.asarray([-1e9, -1e9, -1e9, 0.0], dtype=transitions.dtype), transitions[states]
        )
        total = (scores[:, None] + moves).reshape(-1)
        first = rnp.argmax(total)
        second = rnp.argmax(rnp.where(rnp.arange(8) == first, -1e18, total))
        chosen = rnp.stack([first, second])
        states, scores = chosen % 4, total[chosen]
    return scores


@program([1, 1, 2, 2], others=([1, 2, 2, 1],))
def balanced(brackets: Any) -> Any:
    """1 opens and 2 closes."""
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket == 1 else -1
        if depth < 0:
            return False
    return depth == 0


@program([3, 9, 0, 4, 2, 0, 0, 7], others=([0, 1, 0, 2, 0, 3, 3, 3],))
def count_words(characters: Any) -> Any:
    """A state machine: 0 is a blank; the number of words, and the length of the longest."""
    inside, words, length, longest = False, 0, 0, 0
    for character in characters:
        if character == 0:
            inside, length = False, 0
            continue
        if not inside:
            words += 1
            inside = True
        length += 1
        longest = max(longest, length)
    return words, longest


@program([-2.0, 1.0, -3.0, 4.0, -1.0, 2.0], others=([1.0, 1.0, -5.0, 2.0, 2.0, -1.0],), by=(0,))
def best_subarray(xs: Any) -> Any:
    best = current = xs[0]
    for x in xs[1:]:
        current = max(x, current + x)
        best = max(best, current)
    return best


@program([2, 7, 11, 15, 3], 14, others=([1, 2, 3, 4, 5], 100))
def pair_with_sum(xs: Any, wanted: Any) -> Any:
    """Nested loops, both left at once."""
    found = (-1, -1)
    for i in range(len(xs)):
        for j in range(i + 1, len(xs)):
            if xs[i] + xs[j] == wanted:
                found = (i, j)
                break
        if found[0] >= 0:
            break
    return found


@program([1, 3, 4], 6, others=([2, 5, 7], 11))
def coin_change(coins: Any, amount: Any) -> Any:
    """The least number of coins."""
    least = rnp.full(12, 99)
    least[0] = 0
    for value in range(1, amount + 1):
        for coin in coins:
            if coin <= value and least[value - coin] + 1 < least[value]:
                least[value] = least[value - coin] + 1
    return least[amount]


@program([3.0, -1.0, 4.0, -1.5, 9.0, 2.6], 2, others=([5.0, 0.5, -8.0, 7.0, 9.5, 3.0], 4), by=(0,), reverse="while")
def select_by_halves(xs: Any, rank: Any) -> Any:
    """Quickselect: what is left of the line is as long as it turns out to be."""
    low, high = rnp.min(xs) - 1, rnp.max(xs)
    while rnp.sum((xs > low) & (xs <= high)) > 1:
        left = xs[(xs > low) & (xs <= high)]
        pivot = rnp.mean(left)
        smaller = rnp.sum(xs <= pivot)
        if rank < smaller:
            high = pivot
        else:
            low = pivot
    return rnp.sum(xs[(xs > low) & (xs <= high)])


@program([2, 2, 3, 3, 3, 1, 5, 5], others=([7, 1, 1, 1, 1, 1, 1, 9],))
def run_lengths(xs: Any) -> Any:
    """The longest run, what it is of, and how many runs there are."""
    ends = rnp.flatnonzero(rnp.concatenate([xs[1:] != xs[:-1], xs[:1] == xs[:1]])) + 1
    lengths = rnp.concatenate([ends[:1], rnp.diff(ends)])
    which = rnp.argmax(lengths)
    return lengths[which], xs[ends[which] - 1], ends.size


@program([0.9, 0.1, 0.8, 0.3, 0.7], others=([0.2, 0.6, 0.61, 0.4, 0.55],), by=(0,))
def mean_of_the_trusted(scores: Any) -> Any:
    """Scores above the mean, each against the others."""
    trusted = scores[scores > rnp.mean(scores)]
    apart = trusted[:, None] - trusted[None, :]
    return rnp.sum(trusted * rnp.sum(apart**2, axis=1)) / trusted.size
