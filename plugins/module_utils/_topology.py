# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node is told of which peers. The same input gives the same network on every machine.

A network grows, and a node reads its peers only when it starts: so the first nodes, the initial ones, tell each other
in both directions, and a node behind them dials nodes before it, which are not told. No node's place depends on those
behind it.

Groups of nodes may have a mode. Sentries stand in front of validators, which know nobody else; seeds tell everybody
else of peers. The kind of the topology is that of all others, the sentries among them.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._graph import (
    Graph,
    components,
    diameter,
    least_linked,
    regular,
    ring,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import group_of, nearest

#: What each kind takes besides its name.
KINDS: dict[str, tuple[str, ...]] = {
    "mesh": (),
    "ring": ("initial",),
    "star": ("center",),
    "regular": ("degree", "random_seed", "initial"),
    "seeds": ("seeds",),
    "sentries": ("sentries",),
    "list": ("edges",),
}
#: What a group of nodes is for.
FULL, SENTRY, SEED = MODES = ("full", "sentry", "seed")
DOING = "laying out the topology"
SHOWN = 8
#: Far more than a cluster holds, and still laid out in seconds.
MAX_NODES = 2000
MAX_MESH = 1000
#: What all nodes' peers may take of the ConfigMap that has them, which holds 1 MiB.
MAX_SIZE = 900_000


@dataclass
class Place:
    """A node among its peers, who are called by their names."""

    persistent_peers: list[str] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    private_peers: list[str] = field(default_factory=list)
    unconditional_peers: list[str] = field(default_factory=list)
    #: None: the topology does not need it one way or the other.
    pex: bool | None = None
    seed_mode: bool = False


@dataclass(frozen=True)
class Group:
    """A group of nodes beside the one that has the validators."""

    mode: str = FULL
    #: The validators that its nodes stand in front of.
    guards: Sequence[str] = ()


@dataclass(frozen=True)
class Topology:
    places: dict[str, Place]
    degree_min: int
    degree_max: int
    diameter: int
    #: How many nodes dial one, at most, that it may refuse when it has too many peers.
    inbound_max: int
    #: What all nodes of a group have in common.
    groups: Mapping[str, Place] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, t.Any]:
        names = ("degree_min", "degree_max", "diameter", "inbound_max")
        return {"connected": True, **{name: getattr(self, name) for name in names}}


def lay_out(
    nodes: Sequence[str],
    validators: Sequence[str],
    wanted: Mapping[str, t.Any],
    groups: Mapping[str, Group] | None = None,
) -> Topology:
    """``nodes`` in the order in which they join; all faults of what is wanted are in the one error."""
    around = _Around(nodes, validators, groups or {})
    layout = _Layout(around, wanted)
    faults = around.check() + layout.check()
    if faults:
        raise FaultsError(DOING, faults)
    places = around.build(layout.build())
    graph = _whole(nodes, places, layout, around)
    islands = components(graph)
    if len(islands) > 1:
        shown = "; ".join(f"({number}) {_some(nodes, island)}" for number, island in enumerate(islands[:SHOWN], 1))
        more = f"; and {len(islands) - SHOWN} more" if len(islands) > SHOWN else ""
        fault = f"edges: they leave {len(islands)} separate networks: {shown}{more}; add edges between these"
        raise FaultsError(DOING, [fault])
    degrees = [len(peers) for peers in graph] or [0]
    return Topology(places, min(degrees), max(degrees), diameter(graph), _inbound(places), around.common)


def _whole(nodes: Sequence[str], places: Mapping[str, Place], layout: _Layout, around: _Around) -> Graph:
    """Who is whose peer, of all nodes."""
    numbers = {name: number for number, name in enumerate(nodes)}
    place = [numbers[name] for name in layout.nodes]
    graph: Graph = [set() for _node in nodes]
    for number, peers in zip(place, layout.graph, strict=True):
        graph[number] = {place[peer] for peer in peers}
    for name in (*around.guards, *around.seeds):
        others = around.open if name in around.seeds else places[name].persistent_peers
        for peer in others:
            graph[numbers[name]].add(numbers[peer])
            graph[numbers[peer]].add(numbers[name])
    return graph


def size(topology: Topology) -> int:
    """How many bytes the names of all nodes' peers take, with what stands beside them."""
    lists = [(p.persistent_peers, p.seeds, p.private_peers) for p in topology.places.values()]
    return sum(100 + sum(len(name) + 1 for names in three for name in names) for three in lists)


def _inbound(places: Mapping[str, Place]) -> int:
    always = {name: set(place.unconditional_peers) for name, place in places.items()}
    dialled = dict.fromkeys(places, 0)
    for name, place in places.items():
        for peer in place.persistent_peers:
            dialled[peer] += name not in always[peer]
    return max(dialled.values(), default=0)


def _some(nodes: Sequence[str], island: Sequence[int]) -> str:
    names = [nodes[number] for number in island[:SHOWN]]
    return ", ".join(names) + (f" and {len(island) - SHOWN} more" if len(island) > SHOWN else "")


class _Around:
    """What the groups' modes make of a network: who is hidden, who guards, who seeds, and who is left."""

    def __init__(self, nodes: Sequence[str], validators: Sequence[str], groups: Mapping[str, Group]) -> None:
        self.nodes = nodes
        self.validators = validators
        self.groups = groups
        self.sentries = self._of(SENTRY)
        self.seeds = self._of(SEED)
        #: The sentries of each validator that is to have some.
        self.guards = {
            name: [guard for guard in self.sentries if name in groups[group_of(guard)].guards]
            for name in dict.fromkeys(
                name for group in groups.values() if group.mode == SENTRY for name in group.guards
            )
        }
        apart = {*self.guards, *self.seeds}
        rest = [name for name in dict.fromkeys(nodes) if name not in apart]
        voting = set(validators)
        last = max((number for number, name in enumerate(rest) if name in voting), default=-1)
        #: Everybody else, in the order in which they join: whom all know, then the others.
        self.core = dict.fromkeys([*rest[: last + 1], *self.sentries])
        self.open = list(dict.fromkeys([*self.core, *rest]))
        self.common = {
            name: Place(pex=True if self.exchange else None, seed_mode=group.mode == SEED)
            for name, group in groups.items()
        }

    def _of(self, mode: str) -> list[str]:
        return [name for name in self.nodes if (group := self.group(name)) and group.mode == mode]

    def group(self, name: str) -> Group | None:
        return self.groups.get(group_of(name))

    @property
    def exchange(self) -> bool:
        """Whether nodes tell each other of peers."""
        return any(group.mode != FULL for group in self.groups.values())

    def check(self) -> list[str]:
        faults = []
        if len(set(self.nodes)) < len(self.nodes):
            twice = sorted({name for name in self.nodes if self.nodes.count(name) > 1})
            faults.append(f"nodes: {', '.join(twice)} named more than once")
        for name, group in self.groups.items():
            at = f"groups.{name}.guards"
            if group.mode == SENTRY and not group.guards:
                faults.append(f"{at}: missing; must name the validators that it stands in front of")
            elif group.mode != SENTRY and group.guards:
                faults.append(
                    f"{at}: its mode is {group.mode}, and only a sentry guards; leave it out, or set mode to sentry"
                )
            for guarded in dict.fromkeys(group.guards):
                if guarded not in self.nodes:
                    faults.append(f"{at}: there is no node {guarded}{nearest(str(guarded), self.validators)}")
                elif guarded not in self.validators:
                    faults.append(f"{at}: {guarded} is no validator{nearest(str(guarded), self.validators)}")
        bare = [name for name, guards in self.guards.items() if name in self.validators and not guards]
        return faults + [
            f"groups: {name} has no sentry, since its groups of sentries have no nodes, and a validator without one "
            "reaches nobody; add nodes"
            for name in bare
        ]

    def build(self, places: dict[str, Place]) -> dict[str, Place]:
        """Those of the open nodes, and what comes around them."""
        voting = set(self.validators)
        # A node in seed mode hangs up on whoever dials it and asks. It follows the chain by these, which it dials
        # itself, and which never dial it: they are not told of it, and do not keep its address.
        followed = self.open[:2] if self.seeds else []
        for name in self.open if self.exchange else ():
            if name in followed:
                places[name].private_peers = self.seeds
            else:
                places[name].seeds = self.seeds
            if self.seeds or name not in voting:
                places[name].pex = True
        for guard in self.sentries:
            guarded = [name for name, guards in self.guards.items() if guard in guards]
            # They know the validators' addresses, and never give them away.
            places[guard].private_peers = guarded + places[guard].private_peers
            places[guard].persistent_peers = places[guard].persistent_peers + guarded
        for name, guards in self.guards.items():
            places[name] = Place(persistent_peers=guards, pex=False)
        for name in self.seeds:
            others = [other for other in self.seeds if other != name]
            places[name] = Place(persistent_peers=followed, seeds=others, pex=True, seed_mode=True)
        for name, place in places.items():
            # Whom it was told of is never crowded out, and validators never crowd each other out.
            told = {*place.persistent_peers, name}
            untold = [other for other in self.validators if other not in told] if name in voting else []
            place.unconditional_peers = place.persistent_peers + untold
        return {name: places[name] for name in self.nodes}


class _Layout:
    """The open nodes among each other."""

    def __init__(self, around: _Around, wanted: Mapping[str, t.Any]) -> None:
        self.around = around
        self.nodes = around.open
        self.numbers = {name: number for number, name in enumerate(self.nodes)}
        self.validators = [name for name in around.validators if name not in around.guards]
        self.wanted = {name: value for name, value in wanted.items() if value is not None}
        self.kind = str(self.wanted.pop("kind", "mesh"))
        self.faults: list[str] = []
        self.graph: Graph = [set() for _node in self.nodes]
        #: As many of the first nodes tell each other in both directions.
        self.initial = 1 + max((self.numbers[name] for name in self.validators if name in self.numbers), default=0)
        self.sentries: dict[str, list[str]] = {}

    # What is wanted

    def check(self) -> list[str]:
        self._known("validators", self.validators)
        most = MAX_MESH if self.kind == "mesh" else MAX_NODES
        if len(self.nodes) > most:
            self.faults.append(f"nodes: there are {len(self.nodes)}, and a {self.kind} is laid out for {most} at most")
        if self.kind not in KINDS:
            self.faults.append(f"kind: {self.kind!r} is none of {', '.join(KINDS)}{nearest(self.kind, KINDS)}")
        elif self.kind in ("seeds", "sentries") and self.around.exchange:
            named = [f"{name} ({group.mode})" for name, group in self.around.groups.items() if group.mode != FULL]
            self.faults.append(
                f"kind: {self.kind} contradicts the groups with a mode of their own, {', '.join(named)}; leave one of "
                "them out"
            )
        else:
            self._check_entries()
        return self.faults

    def _check_entries(self) -> None:
        for name in self.wanted:
            if name not in KINDS[self.kind]:
                owners = [kind for kind, entries in KINDS.items() if name in entries]
                hint = f"it belongs to {' and '.join(owners)}" if owners else f"there is none{self._meant(name)}"
                self.faults.append(f"{name}: a {self.kind} does not take it; {hint}")
        for name in sorted({"initial", "degree", "random_seed"} & self.wanted.keys()):
            try:
                self.wanted[name] = int(str(self.wanted[name]))
            except ValueError:
                self.faults.append(f"{name}: {self.wanted[name]!r} is no whole number")
        if not self.faults:
            getattr(self, f"_check_{self.kind}", lambda: None)()

    def _meant(self, name: str) -> str:
        return nearest(name, sorted({entry for entries in KINDS.values() for entry in entries}))

    def _known(self, path: str, names: t.Any) -> bool:
        """Whether it is a list of nodes; faults are noted."""
        if isinstance(names, str) or not isinstance(names, Sequence):
            self.faults.append(f"{path}: {names!r} is no list of nodes")
            return False
        unknown = [name for name in names if name not in self.numbers]
        for name in unknown:
            if name in self.around.guards and name in self.around.nodes:
                self.faults.append(f"{path}: {name} has sentries, which alone are its peers; leave it out")
            elif name in self.around.seeds:
                self.faults.append(f"{path}: {name} is a seed, which tells all others of peers; leave it out")
            else:
                self.faults.append(f"{path}: there is no node {name}{nearest(str(name), self.nodes)}")
        return not unknown

    def _check_initial(self) -> None:
        initial = self.wanted.get("initial", self.initial)
        if initial > len(self.nodes) or initial < 1:
            self.faults.append(f"initial: {initial} is out of range, there are 1 to {len(self.nodes)} nodes")
        self.initial = max(initial, self.initial)

    _check_ring = _check_initial

    def _check_regular(self) -> None:
        self._check_initial()
        degree = self.wanted.get("degree")
        if degree is None:
            self.faults.append("degree: missing; must be the number of peers that each node has")
        elif not 2 <= degree < self.initial:
            self.faults.append(
                f"degree: {degree} does not suit {self.initial} initial nodes, which may have 2 to "
                f"{self.initial - 1} peers; initial says how many of the first nodes these are, the validators at least"
            )

    def _check_star(self) -> None:
        self._known("center", [self.wanted.get("center", self.nodes[0])] if self.nodes else [])

    def _check_seeds(self) -> None:
        seeds = self.wanted.setdefault("seeds", self.nodes[:1])
        if self._known("seeds", seeds) and self.nodes and not seeds:
            self.faults.append("seeds: none is named; without one nobody finds a peer")

    def _check_sentries(self) -> None:
        """By default each validator has one sentry: the node as far behind the validators as it is behind the first."""
        hidden = self.validators
        given = self.wanted.get("sentries")
        if given is None:
            guards = [name for name in self.nodes if name not in hidden]
            if len(guards) < len(hidden):
                self.faults.append(
                    f"sentries: {len(hidden)} validators need as many more nodes as their sentries, and there are "
                    f"{len(guards)}; add nodes, or name which nodes are whose sentries"
                )
            given = {name: [guard] for name, guard in zip(hidden, guards, strict=False)}
        elif not isinstance(given, Mapping):
            self.faults.append("sentries: it takes lists of nodes by the name of their validator")
            return
        else:
            bare = [name for name in hidden if not given.get(name)]
            self.faults += [f"sentries.{name}: missing; a validator without a sentry reaches nobody" for name in bare]
        for name, guards in given.items():
            if name not in hidden:
                self.faults.append(f"sentries.{name}: it is no validator{nearest(str(name), hidden)}")
            if self._known(f"sentries.{name}", guards):
                wrong = [guard for guard in guards if guard in hidden]
                self.faults += [f"sentries.{name}: {guard} is a validator and cannot stand in front" for guard in wrong]
        self.sentries = {name: list(guards) for name, guards in given.items()}

    def _check_list(self) -> None:
        edges = self.wanted.get("edges")
        if isinstance(edges, str) or not isinstance(edges, Sequence):
            self.faults.append("edges: missing; must be a list of pairs of nodes, such as [[tm-0, tm-1]]")
            return
        seen: set[frozenset[str]] = set()
        for number, edge in enumerate(edges):
            path = f"edges[{number}]"
            if isinstance(edge, str) or not isinstance(edge, Sequence) or len(edge) != 2:
                self.faults.append(f"{path}: {edge!r} is no pair of nodes")
            elif self._known(path, edge):
                if edge[0] == edge[1]:
                    self.faults.append(f"{path}: {edge[0]} is no peer of itself")
                elif frozenset(edge) in seen:
                    self.faults.append(f"{path}: {edge[0]} and {edge[1]} are joined already")
                seen.add(frozenset(edge))

    # What comes of it

    def build(self) -> dict[str, Place]:
        places = {name: Place() for name in self.nodes}
        getattr(self, f"_build_{self.kind}")(places)
        if self.kind != "seeds":
            for number, name in enumerate(self.nodes):
                dialled = [peer for peer in self.graph[number] if peer < max(number, self.initial)]
                places[name].persistent_peers = [self.nodes[peer] for peer in sorted(dialled)]
        return places

    def _link(self, one: int, other: int) -> None:
        self.graph[one].add(other)
        self.graph[other].add(one)

    def _joiners(self) -> range:
        return range(self.initial, len(self.nodes))

    def _build_mesh(self, places: dict[str, Place]) -> None:
        """Behind those that all know, groups keep to themselves: one that grows changes nothing for the others."""
        known = set(range(len(self.around.core)))
        members: dict[str, set[int]] = {}
        for number, name in enumerate(self.nodes):
            members.setdefault(group_of(name) if self.around.group(name) else "", set()).add(number)
        for number, name in enumerate(self.nodes):
            own = members[group_of(name) if self.around.group(name) else ""]
            self.graph[number] = (set(range(len(self.nodes))) if number in known else known | own) - {number}

    def _build_ring(self, places: dict[str, Place]) -> None:
        self.graph[: self.initial] = ring(self.initial)
        for number in self._joiners():
            # A second link, to another node each time, so that none of them hangs on one thread.
            self._link(number, number - 1)
            self._link(number, number - self.initial)

    def _build_star(self, places: dict[str, Place]) -> None:
        center = self.numbers.get(self.wanted.get("center", ""), 0)
        for number in range(len(self.nodes)):
            if number != center:
                self._link(number, center)

    def _build_regular(self, places: dict[str, Place]) -> None:
        degree, seed = self.wanted["degree"], self.wanted.get("random_seed", 1)
        self.graph[: self.initial] = regular(self.initial, degree, seed)
        for number in self._joiners():
            for peer in least_linked(self.graph[:number], degree, f"{seed}/{number}"):
                self._link(number, peer)

    def _build_list(self, places: dict[str, Place]) -> None:
        for one, other in self.wanted["edges"]:
            self._link(self.numbers[one], self.numbers[other])

    def _build_seeds(self, places: dict[str, Place]) -> None:
        seeds = self.wanted["seeds"]
        for name, place in places.items():
            place.pex = True
            place.seeds = [seed for seed in seeds if seed != name]
            for seed in place.seeds:
                self._link(self.numbers[name], self.numbers[seed])
            if name in seeds and name not in self.validators:
                # A node in seed mode hangs up on all but these, and would not follow the chain without them.
                place.seed_mode = True
                place.persistent_peers = (self.validators or [peer for peer in self.nodes if peer != name])[:2]

    def _build_sentries(self, places: dict[str, Place]) -> None:
        guards = sorted({guard for guards in self.sentries.values() for guard in guards}, key=self.numbers.__getitem__)
        self.initial = 1 + max((self.numbers[name] for name in [*self.validators, *guards]), default=0)
        for name, place in places.items():
            place.pex = name not in self.validators
            if name in guards:
                # They know the validators' addresses, and never give them away.
                place.private_peers = [hidden for hidden in self.validators if name in self.sentries[hidden]]
            if name not in self.validators:
                for guard in guards:
                    if guard != name:
                        self._link(self.numbers[name], self.numbers[guard])
        for hidden, own in self.sentries.items():
            for guard in own:
                self._link(self.numbers[hidden], self.numbers[guard])
