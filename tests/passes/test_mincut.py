"""Minimum cuts, against those of networkx."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from rosin.passes.mincut import Network


def random_edges(seed: int, places: int = 24) -> list[tuple[int, int, int | None]]:
    """Edges between places, no two between the same ones; some have no limit, but those from the source do."""
    rng = np.random.default_rng(seed)
    pairs = {(int(a), int(b)) for a, b in rng.integers(0, places, (4 * places, 2)) if a != b}
    return [(a, b, int(rng.integers(0, 9)) if a == 0 or rng.random() < 0.7 else None) for a, b in sorted(pairs)]


@pytest.mark.parametrize("seed", range(20))
def test_cuts_are_minimal_and_nearest_to_the_sink(seed: int) -> None:
    edges, sink = random_edges(seed), 23
    network, peer = Network(), nx.DiGraph()
    for a, b, capacity in edges:
        if capacity is None:
            network.edge(a, b)
            peer.add_edge(a, b)
        else:
            network.edge(a, b, capacity)
            peer.add_edge(a, b, capacity=capacity)
    peer.add_nodes_from((0, sink))
    libraries: Any = nx  # its functions are not typed
    value, (near, _) = libraries.minimum_cut(peer, 0, sink)
    side = network.side(0, sink)
    assert side == near & network.numbers.keys()
    assert sum(c or 0 for a, b, c in edges if a in side and b not in side) == value


def test_edges_between_the_same_places_add_up() -> None:
    network = Network()
    for start, end, capacity in (("a", "b", 2), ("a", "b", 2), ("b", "c", 3)):
        network.edge(start, end, capacity)
    assert network.side("a", "c") == {"a", "b"}
