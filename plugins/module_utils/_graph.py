# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few things about graphs that a topology needs.

A library would do, but several people must get the same network from the same seed, today and with its next release:
so everything random here comes from random.Random.random(), whose numbers Python promises to keep.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

#: Each node's peers, by number.
Graph = list[set[int]]
#: How often each edge is moved on average; a handful is enough to forget where one began.
SHUFFLES = 8


def ring(size: int) -> Graph:
    return [{(number - 1) % size, (number + 1) % size} - {number} for number in range(size)]


def regular(size: int, degree: int, seed: int) -> Graph:
    """Random and connected, with ``degree`` peers for each; where size × degree is odd, one node has one more.

    It begins as a ring in which each node is joined to its nearest ones, and then pairs of edges swap their ends.
    """
    chance = random.Random(seed)
    order = _shuffled(range(size), chance)
    edges = [(order[number], order[(number + step) % size]) for step in _steps(degree) for number in range(size)]
    if degree % 2:
        edges += [(order[number], order[(number + size // 2) % size]) for number in range((size + 1) // 2)]
    found = _graph(size, edges)
    moving = _graph(size, edges)
    for _round in range(SHUFFLES):
        for _edge in edges:
            _swap(edges, moving, chance)
        if len(components(moving)) == 1:
            found = [set(peers) for peers in moving]
    return found


def _steps(degree: int) -> range:
    return range(1, degree // 2 + 1)


def _graph(size: int, edges: Sequence[tuple[int, int]]) -> Graph:
    graph: Graph = [set() for _node in range(size)]
    for one, other in edges:
        graph[one].add(other)
        graph[other].add(one)
    return graph


def _swap(edges: list[tuple[int, int]], graph: Graph, chance: random.Random) -> None:
    """a–b and c–d become a–d and c–b, which leaves every degree as it is; if they can."""
    here, there = _below(len(edges), chance), _below(len(edges), chance)
    (a, b), (c, d) = edges[here], edges[there]
    if len({a, b, c, d}) < 4 or d in graph[a] or b in graph[c]:
        return
    edges[here], edges[there] = (a, d), (c, b)
    graph[a] = graph[a] - {b} | {d}
    graph[b] = graph[b] - {a} | {c}
    graph[c] = graph[c] - {d} | {b}
    graph[d] = graph[d] - {c} | {a}


def _below(limit: int, chance: random.Random) -> int:
    return int(chance.random() * limit)


def _shuffled(numbers: Sequence[int], chance: random.Random) -> list[int]:
    return sorted(numbers, key=lambda _number: chance.random())


def least_linked(graph: Graph, count: int, seed: str) -> list[int]:
    """The nodes with the fewest peers; chance decides between equals."""
    chance = random.Random(seed)
    rated = [(len(peers), chance.random(), number) for number, peers in enumerate(graph)]
    return sorted(number for _peers, _chance, number in sorted(rated)[:count])


def components(graph: Graph) -> list[list[int]]:
    """The nodes that reach each other, the greatest of such sets first."""
    left = set(range(len(graph)))
    found = []
    while left:
        island, edge = set[int](), {min(left)}
        while edge:
            island |= edge
            edge = set().union(*(graph[number] for number in edge)) - island
        left -= island
        found.append(sorted(island))
    return sorted(found, key=lambda island: (-len(island), island))


def diameter(graph: Graph) -> int:
    """How many hops the two nodes are apart that are furthest apart, of a connected graph.

    Each node's reach is a number with a bit for each node, so that a hop of all of them is a few fast operations.
    """
    size = len(graph)
    everybody = (1 << size) - 1
    reach = [1 << number for number in range(size)]
    hops = 0
    while any(seen != everybody for seen in reach):
        wider = []
        for number, seen in enumerate(reach):
            if seen != everybody:
                for peer in graph[number]:
                    seen |= reach[peer]
            wider.append(seen)
        reach = wider
        hops += 1
    return hops
