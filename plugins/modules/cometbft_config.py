#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_config
short_description: Render the config.toml of CometBFT nodes on Kubernetes
version_added: 1.0.0
description:
  - Renders the C(config.toml) of a network's nodes. It has every key of the version, with the version's own defaults;
    over them comes what a network on Kubernetes needs, then what the topology needs, then O(settings),
    O(group_settings) and O(node_settings).
  - What Kubernetes and the topology need carries a comment that says why.
  - A section or key that the version does not know, a value of a wrong type and a bad duration are refused, all in one
    message, with the nearest known name. What the version knows and does not use is warned about.
  - With O(nodes), the topology is laid out, and each node's peers are returned by their names.
  - Nothing is read or written; the texts are returned.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  version:
    description: Version of CometBFT, such as V(0.40.0), or its line, such as V("0.40").
    type: str
    required: true
  block_time:
    description:
      - How long a node waits after a block before it starts the next one (C(consensus.timeout_commit)), which is about
        the time from block to block.
    type: str
    default: 1s
  proxy_app:
    description: The application, either one that is built into CometBFT, or the address of its socket.
    type: str
    default: persistent_kvstore
  abci:
    description: How a node speaks to an application outside of its process, over the socket protocol or gRPC.
    type: str
    choices: [socket, grpc]
    default: socket
  settings:
    description:
      - What shall differ from the defaults, as sections with keys, for example
        C(mempool) with C(size).
      - Keys above the first section of the file stand at the top or under C(base).
      - Durations are written as CometBFT does, such as V(500ms), V(10s), V(1m30s).
      - The keys C(moniker), C(p2p.external_address) and C(p2p.persistent_peers) are not among them. They differ from
        node to node, and are empty in the text, each on a line of its own, to be filled in when a node starts. So are
        C(p2p.seeds), C(p2p.private_peer_ids) and C(p2p.unconditional_peer_ids) unless they are set here.
    type: dict
    default: {}
  group_settings:
    description:
      - The same for all nodes of a group, by the group's name. The node C(tm-0) belongs to the group C(tm).
    type: dict
    default: {}
  node_settings:
    description:
      - The same for single nodes, by their names. C(moniker) and C(p2p.external_address) may be among them.
    type: dict
    default: {}
  groups:
    description:
      - Groups of nodes beside that of the validators, each with what it is for.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the group. The node C(sentry-0) belongs to the group C(sentry).
        type: str
        required: true
      mode:
        description:
          - V(full), nodes that follow the chain.
          - V(sentry), nodes that stand in front of validators and never give their addresses away.
          - V(seed), nodes that tell all others of peers, and hang up.
        type: str
        choices: [full, sentry, seed]
        default: full
      guards:
        description:
          - With V(sentry), the validators that they stand in front of. These have no other peers than their sentries.
        type: list
        elements: str
        default: []
      version:
        description: Version of CometBFT that its nodes run, where it is not O(version).
        type: str
  nodes:
    description:
      - Names of all nodes, in the order in which they join.
      - The first ones, up to the last validator, tell each other of themselves. Each further one dials nodes before
        it, which are not told; so a node that joins changes nothing for those that run.
    type: list
    elements: str
    default: []
  validators:
    description: Which of them are genesis validators.
    type: list
    elements: str
    default: []
  topology:
    description:
      - Who is whose peer. A mesh by default.
      - Where the nodes are not all connected in the end, it is refused.
    type: dict
    suboptions:
      kind:
        description:
          - V(mesh), each is everybody's peer.
          - V(ring), each has a neighbour on both sides.
          - V(star), one is everybody's peer.
          - V(regular), each has the same number of peers, chosen by chance.
          - V(seeds), seed nodes tell of peers, which tell of further peers (PEX).
          - V(sentries), validators are hidden behind nodes of their own, and only these talk to the rest.
          - V(list), what O(topology.edges) say.
        type: str
        choices: [mesh, ring, star, regular, seeds, sentries, list]
        default: mesh
      degree:
        description:
          - With V(regular), how many peers each node has. Where it cannot be the same number for all, one node has one
            more.
        type: int
      random_seed:
        description: With V(regular), the same number gives the same network on every machine. V(1) by default.
        type: int
      initial:
        description:
          - With V(ring) and V(regular), how many of the first nodes form it, the validators at least. Nodes behind
            them join it.
          - It must not change while the network runs.
        type: int
      center:
        description: With V(star), the one in the middle. The first node by default.
        type: str
      seeds:
        description:
          - With V(seeds), the nodes that everybody asks. The first node by default.
          - One that is no validator runs in seed mode, that is, it tells of peers and hangs up.
        type: list
        elements: str
      sentries:
        description:
          - With V(sentries), lists of nodes by the name of their validator. By default each validator has one, in
            the order of their names.
        type: dict
      edges:
        description: With V(list), pairs of nodes.
        type: list
        elements: list
attributes:
  check_mode:
    support: full
    details:
      - The module never changes anything.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_keys
  - module: mintnet.kubernetes.cometbft_genesis
"""

EXAMPLES = r"""
- name: Configuration of nodes that make a block every five seconds
  mintnet.kubernetes.cometbft_config:
    version: 0.40.0
    block_time: 5s
    settings:
      log_level: "consensus:debug,*:info"
      mempool:
        size: 10000
  register: config

- name: Six nodes with three peers each, one of which writes more into its log
  mintnet.kubernetes.cometbft_config:
    version: 0.40.0
    nodes: [tm-0, tm-1, tm-2, tm-3, tm-4, tm-5]
    validators: [tm-0, tm-1, tm-2, tm-3]
    topology:
      kind: regular
      degree: 3
      random_seed: 7
      initial: 6
    node_settings:
      tm-5:
        log_level: debug
  register: config

- name: Two validators, each behind two nodes of its own
  mintnet.kubernetes.cometbft_config:
    version: 0.38.25
    nodes: [tm-0, tm-1, tm-2, tm-3, tm-4, tm-5]
    validators: [tm-0, tm-1]
    topology:
      kind: sentries
      sentries:
        tm-0: [tm-2, tm-3]
        tm-1: [tm-4, tm-5]
  register: config

- name: Two validators behind two sentries, and a seed
  mintnet.kubernetes.cometbft_config:
    version: 0.40.0
    nodes: [tm-0, tm-1, sentry-0, sentry-1, seed-0]
    validators: [tm-0, tm-1]
    groups:
      - name: sentry
        mode: sentry
        guards: [tm-0, tm-1]
      - name: seed
        mode: seed
  register: config
"""

RETURN = r"""
config:
  description: Text of the file, without what is set for groups and nodes.
  returned: success
  type: str
  sample: 'proxy_app = "persistent_kvstore" ...'
sha256:
  description: SHA-256 of RV(config).
  returned: success
  type: str
  sample: 8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92
groups:
  description: The file of each group that a node belongs to, without what is set for its nodes.
  returned: success
  type: dict
  sample:
    tm:
      config: 'proxy_app = "persistent_kvstore" ...'
      sha256: 8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92
files:
  description: Every distinct file with the nodes that use it.
  returned: success
  type: list
  elements: dict
  contains:
    config:
      description: Text of the file.
      type: str
      sample: 'proxy_app = "persistent_kvstore" ...'
    sha256:
      description: Its SHA-256.
      type: str
      sample: 8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92
    nodes:
      description: Names of the nodes.
      type: list
      elements: str
      sample: [tm-0, tm-1]
nodes:
  description: Each node by its name.
  returned: success
  type: dict
  contains:
    persistent_peers:
      description: Whom it dials, and dials again.
      type: list
      elements: str
      sample: [tm-1, tm-3]
    seeds:
      description: Whom it asks for peers.
      type: list
      elements: str
      sample: []
    private_peers:
      description: Of whom it tells nobody.
      type: list
      elements: str
      sample: []
    unconditional_peers:
      description: Whom it takes however many peers it has.
      type: list
      elements: str
      sample: [tm-1, tm-3]
    overlay:
      description: What it has otherwise than RV(groups) say, as TOML; mostly nothing.
      type: str
      sample: |
        log_level = "debug"
    sha256:
      description: SHA-256 of its file.
      type: str
      sample: 8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92
graph:
  description: What the topology comes to.
  returned: success
  type: dict
  contains:
    connected:
      description: Always true; what is not connected is refused.
      type: bool
      sample: true
    degree_min:
      description: How many peers a node has at least.
      type: int
      sample: 3
    degree_max:
      description: How many peers a node has at most.
      type: int
      sample: 4
    diameter:
      description: How many hops the two nodes are apart that are furthest apart.
      type: int
      sample: 2
    inbound_max:
      description: How many nodes dial one, at most, that it may refuse when it has too many peers.
      type: int
      sample: 0
"""

import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils._config_nodes import Files, Wanted, build, sha256
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._topology import FULL, KINDS, MODES, Group

NAMES: dict[str, t.Any] = {"type": "list", "elements": "str"}
TOPOLOGY: dict[str, t.Any] = {
    "kind": {"type": "str", "choices": list(KINDS), "default": "mesh"},
    "degree": {"type": "int"},
    "random_seed": {"type": "int"},
    "initial": {"type": "int"},
    "center": {"type": "str"},
    "seeds": NAMES,
    "sentries": {"type": "dict"},
    "edges": {"type": "list", "elements": "list"},
}
GROUP: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": list(MODES), "default": FULL},
    "guards": {**NAMES, "default": []},
    "version": {"type": "str"},
}

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "version": {"type": "str", "required": True},
        "block_time": {"type": "str", "default": "1s"},
        "proxy_app": {"type": "str", "default": "persistent_kvstore"},
        "abci": {"type": "str", "choices": ["socket", "grpc"], "default": "socket"},
        "settings": {"type": "dict", "default": {}},
        "group_settings": {"type": "dict", "default": {}},
        "node_settings": {"type": "dict", "default": {}},
        "groups": {"type": "list", "elements": "dict", "options": GROUP, "default": []},
        "nodes": {**NAMES, "default": []},
        "validators": {**NAMES, "default": []},
        "topology": {"type": "dict", "options": TOPOLOGY},
    },
}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    groups = {group["name"]: Group(group["mode"], group["guards"]) for group in params["groups"]}
    versions = {group["name"]: group["version"] for group in params["groups"] if group["version"]}
    asked = {"topology": params["topology"] or {}, "groups": groups, "group_versions": versions}
    files = build(Wanted(**{**params, **asked}))
    return {
        "changed": False,
        **_file(files.basis.text()),
        "groups": {name: _file(config.text()) for name, config in files.groups.items()},
        **_nodes(files),
        "graph": files.topology.figures,
        "warnings": files.warnings,
    }


def _file(config: str) -> dict[str, str]:
    return {"config": config, "sha256": sha256(config)}


def _nodes(files: Files) -> dict[str, t.Any]:
    """Most nodes have the same file, which is one object then, and written once."""
    distinct: dict[str, dict[str, t.Any]] = {}
    nodes = {}
    known: dict[int, tuple[str, str]] = {}
    for name, config in files.nodes.items():
        if id(config) not in known:
            file = _file(config.text())
            distinct.setdefault(file["sha256"], {**file, "nodes": []})
            known[id(config)] = (file["sha256"], files.overlay(name))
        digest, overlay = known[id(config)]
        distinct[digest]["nodes"].append(name)
        place = files.topology.places[name]
        nodes[name] = {
            "persistent_peers": place.persistent_peers,
            "seeds": place.seeds,
            "private_peers": place.private_peers,
            "unconditional_peers": place.unconditional_peers,
            "overlay": overlay,
            "sha256": digest,
        }
    return {"files": list(distinct.values()), "nodes": nodes}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
