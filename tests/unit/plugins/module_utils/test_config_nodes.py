# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of several nodes: layers, what single nodes have otherwise, and what has no effect."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._config import PER_NODE
from ansible_collections.mintnet.kubernetes.plugins.module_utils._config_ignored import ALWAYS, RULES, SINCE
from ansible_collections.mintnet.kubernetes.plugins.module_utils._config_keys import Duration, choices, defaults
from ansible_collections.mintnet.kubernetes.plugins.module_utils._config_nodes import Files, Wanted, build
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import LINES
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

NODES = ["tm-0", "tm-1", "tm-2", "guard-0"]
GUARDED = {name: ["guard-0"] for name in NODES[:3]}


def built(version: str = "0.40.0", **wanted: Any) -> Files:
    return build(Wanted(version, **{"nodes": NODES, "validators": NODES[:3]} | wanted))


def faults(version: str = "0.40.0", **wanted: Any) -> list[str]:
    with pytest.raises(FaultsError, match="checking the configuration") as error:
        built(version, **wanted)
    return error.value.faults


def laid_over(below: str, above: str) -> dict[str, Any]:
    """What a node reads in the end: the keys of its own part in the place of its group's."""
    document = tomllib.loads(below)

    def put(target: dict[str, Any], source: dict[str, Any]) -> None:
        for name, value in source.items():
            if isinstance(value, dict):
                put(target[name], value)
            else:
                assert name in target
                target[name] = value

    put(document, tomllib.loads(above))
    return document


# --- layers ----------------------------------------------------------------------------------------------------------


def test_what_is_nearer_to_the_node_wins() -> None:
    files = built(
        settings={"log_level": "a", "mempool": {"size": 1, "cache_size": 1}},
        group_settings={"tm": {"log_level": "b", "mempool": {"size": 2}}},
        node_settings={"tm-1": {"log_level": "c"}},
    )
    read = {name: tomllib.loads(config.text()) for name, config in files.nodes.items()}
    assert {name: document["log_level"] for name, document in read.items()} == {
        "tm-0": "b",
        "tm-1": "c",
        "tm-2": "b",
        "guard-0": "a",
    }
    assert {name: document["mempool"]["size"] for name, document in read.items()} == {
        "tm-0": 2,
        "tm-1": 2,
        "tm-2": 2,
        "guard-0": 1,
    }
    assert [document["mempool"]["cache_size"] for document in read.values()] == [1] * 4
    assert tomllib.loads(files.basis.text())["log_level"] == "a"
    assert files.overlay("tm-1") == 'log_level = "c"\n'
    assert files.overlay("tm-0") == files.overlay("guard-0") == ""


def test_a_node_may_have_its_own_name_and_address() -> None:
    files = built(node_settings={"tm-1": {"moniker": "mine", "p2p": {"external_address": "example.org:26656"}}})
    assert files.overlay("tm-1") == 'moniker = "mine"\n\n[p2p]\nexternal_address = "example.org:26656"\n'
    assert files.nodes["tm-0"].table[""]["moniker"] == ""


def test_what_the_topology_needs_says_why() -> None:
    files = built(topology={"kind": "sentries", "sentries": GUARDED})
    assert files.overlay("guard-0") == "[p2p]\n# peers tell it of further peers\npex = true\n"
    assert files.overlay("tm-0") == ""
    assert "# it knows its sentries, nobody else\npex = false\n" in files.nodes["tm-0"].text()
    files = built(topology={"kind": "seeds", "seeds": ["guard-0"]})
    assert "\n# it tells others of peers and hangs up\nseed_mode = true\n" in files.overlay("guard-0")
    # What the user sets wins, and has the user's reasons.
    files = built(topology={"kind": "seeds"}, settings={"p2p": {"pex": False}})
    assert files.overlay("tm-1") == ""
    assert "# peers tell it" not in files.nodes["tm-1"].text()


def test_most_nodes_share_one_file() -> None:
    files = built(node_settings={"tm-1": {"log_level": "c"}})
    assert files.nodes["tm-0"] is files.nodes["tm-2"]
    assert files.nodes["tm-0"].text() == files.groups["tm"].text()


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "log_level": st.text(max_size=8),
        "filter_peers": st.booleans(),
        "mempool": st.fixed_dictionaries(
            {}, optional={"size": st.integers(0, 9), "type": st.sampled_from(["flood", "nop"])}
        ),
        "consensus": st.fixed_dictionaries({}, optional={"timeout_commit": st.sampled_from(["1s", "500ms", "1m30s"])}),
        "rpc": st.fixed_dictionaries(
            {}, optional={"cors_allowed_origins": st.lists(st.text(max_size=5)), "laddr": st.text()}
        ),
        "tx_index": st.fixed_dictionaries({}, optional={"psql-conn": st.text(max_size=12)}),
    },
)


@given(st.sampled_from(LINES), SETTINGS, SETTINGS, SETTINGS, st.sampled_from(["mesh", "seeds", "ring"]))
@how(deadline=None, max_examples=150)
def test_group_and_own_part_together_are_the_node_s_file(
    line: str, for_all: dict[str, Any], of_group: dict[str, Any], of_node: dict[str, Any], kind: str
) -> None:
    files = built(
        line,
        settings=for_all,
        group_settings={"tm": of_group},
        node_settings={"tm-1": of_node, "guard-0": of_node},
        topology={"kind": kind},
    )
    for name, config in files.nodes.items():
        whole = tomllib.loads(config.text())
        assert laid_over(files.groups[name.rpartition("-")[0]].text(), files.overlay(name)) == whole
        assert {section: list(whole if not section else keys) for section, keys in config.table.items() if section} == {
            section: list(keys) for section, keys in defaults(line).items() if section
        }
        for _section, key in PER_NODE:
            assert config.text().splitlines().count(f'{key} = ""') == 1
        # Each key stands on a line of its own, so that a script can lay one file over the other.
        rows = [row for row in config.text().splitlines() if " = " in row and not row.startswith("#")]
        assert len(rows) == sum(map(len, config.table.values()))


# --- what is refused -------------------------------------------------------------------------------------------------


def test_every_fault_at_once_with_its_place() -> None:
    assert faults(
        settings={"mempool": {"size": "x"}},
        group_settings={"tm": {"mempool": {"siz": 1}}, "guards": {}},
        node_settings={"tm-1": {"p2p": {"persistent_peers": "x"}}, "tm-7": {}, "tm-2": []},
        topology={"kind": "regular"},
    ) == [
        "group_settings.guards: there is no group guards; did you mean guard?",
        "node_settings.tm-7: there is no node tm-7; did you mean tm-2?",
        "mempool.size: 'x' is no whole number",
        "group_settings.tm.mempool.siz: CometBFT 0.40 has no such key or section; did you mean size?",
        "node_settings.tm-1.p2p.persistent_peers: it differs from node to node and comes from the topology, "
        "when a node starts; leave it out",
        "node_settings.tm-2: it takes sections and keys with values",
        "topology.degree: missing; must be the number of peers that each node has",
    ]


def test_more_dial_a_node_than_it_takes() -> None:
    nodes = [f"tm-{number}" for number in range(9)]
    wanted: dict[str, Any] = {"nodes": nodes, "validators": nodes[:4], "topology": {"kind": "mesh"}}
    (fault,) = faults(settings={"p2p": {"max_num_inbound_peers": 4}}, **wanted)
    assert fault.startswith("p2p.max_num_inbound_peers: 4, and 5 nodes that it need not take dial one node; raise it")
    built(settings={"p2p": {"max_num_inbound_peers": 5}}, **wanted)
    # Validators take each other in any case.
    built(settings={"p2p": {"max_num_inbound_peers": 0}}, **wanted | {"validators": nodes})


# --- what has no effect ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "wanted", "warning"),
    [
        ("0.40.0", {"p2p": {"dial_timeout": "5s"}}, "p2p.dial_timeout has no effect: no line uses it"),
        ("0.38.25", {"p2p": {"handshake_timeout": "5s"}}, "p2p.handshake_timeout has no effect: no line uses it"),
        ("0.39.4", {"mempool": {"wal_dir": "x"}}, "mempool.wal_dir has no effect"),
        ("0.40.0", {"statesync": {"temp_dir": "x", "enable": True}}, "statesync.temp_dir has no effect"),
        ("0.40.0", {"mempool": {"type": "nop", "size": 5}}, "mempool.size has no effect: mempool.type is nop"),
        (
            "0.40.0",
            {"mempool": {"type": "app", "recheck": False}},
            "mempool.recheck has no effect: mempool.type is app",
        ),
        ("0.39.4", {"mempool": {"reap_interval": "1s"}}, "mempool.reap_interval has no effect: mempool.type is flood"),
        ("0.40.0", {"p2p": {"seeds": "a@b:1"}}, "p2p.seeds has no effect: p2p.pex is false"),
        (
            "0.40.0",
            {"p2p": {"libp2p": {"scaler": {"min_workers": 5}}}},
            "p2p.libp2p.scaler.min_workers has no effect: p2p.libp2p.enabled is false",
        ),
        (
            "0.40.0",
            {"p2p": {"send_rate": 1, "libp2p": {"enabled": True}}},
            "p2p.send_rate has no effect: p2p.libp2p.enabled is true",
        ),
        (
            "0.40.0",
            {"p2p": {"libp2p": {"enabled": True, "limits": {"max_peers": 1}}}},
            "p2p.libp2p.limits.max_peers has no effect: p2p.libp2p.limits.mode is default",
        ),
        ("0.40.0", {"rpc": {"grpc_max_open_connections": 1}}, "has no effect: rpc.grpc_laddr is empty"),
        ("0.40.0", {"statesync": {"trust_height": 5}}, "has no effect: statesync.enable is false"),
        ("0.40.0", {"tx_index": {"psql-conn": "x"}}, "tx_index.psql-conn has no effect: tx_index.indexer is kv"),
        (
            "0.40.0",
            {"instrumentation": {"prometheus": False, "namespace": "x"}},
            "instrumentation.namespace has no effect: instrumentation.prometheus is false",
        ),
        (
            "0.38.17",
            {"event_bus_buffer_capacity": 5},
            "event_bus_buffer_capacity has no effect: CometBFT 0.38.17 does not know it, 0.38.24 is the first of its",
        ),
        ("v0.39.3", {"event_bus_buffer_capacity": 5}, "0.39.4 is the first of its line that does"),
    ],
)
def test_what_has_no_effect_is_said(version: str, wanted: dict[str, Any], warning: str) -> None:
    (said,) = built(version, settings=wanted).warnings
    assert warning in said


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("0.40.0", {}),
        ("0.38.25", {"mempool": {"type": "nop"}, "event_bus_buffer_capacity": 5}),
        ("0.38", {"event_bus_buffer_capacity": 5}),
        ("0.40.0", {"mempool": {"type": "app", "reap_interval": "1s", "max_tx_bytes": 1, "broadcast": False}}),
        ("0.40.0", {"p2p": {"pex": True, "seeds": "a@b:1", "max_num_outbound_peers": 3}}),
        ("0.40.0", {"p2p": {"laddr": "x", "libp2p": {"enabled": True, "limits": {"mode": "custom", "max_peers": 1}}}}),
        ("0.40.0", {"rpc": {"grpc_laddr": "tcp://127.0.0.1:1", "grpc_max_open_connections": 1}}),
        ("0.40.0", {"tx_index": {"indexer": "psql", "psql-conn": "x"}, "instrumentation": {"namespace": "x"}}),
    ],
)
def test_what_has_an_effect_is_not_said(version: str, wanted: dict[str, Any]) -> None:
    assert built(version, settings=wanted).warnings == []


def test_what_some_node_uses_is_not_said() -> None:
    seeds = {"p2p": {"seeds": "a@b:1"}}
    assert built(settings=seeds, topology={"kind": "seeds"}).warnings == []
    assert built(settings=seeds, node_settings={"tm-1": {"p2p": {"pex": True}}}).warnings == []
    sentries = {"kind": "sentries", "sentries": GUARDED}
    assert built(settings=seeds, topology=sentries).warnings == []
    assert built(group_settings={"tm": seeds}, topology=sentries).warnings == [
        "group_settings.tm.p2p.seeds has no effect: p2p.pex is false"
    ]
    assert built(node_settings={"tm-1": {"mempool": {"wal_dir": "x"}}}).warnings == [
        "node_settings.tm-1.mempool.wal_dir has no effect: no line uses it, the mempool has no log any more"
    ]


def test_the_tables_name_keys_and_values_that_there_are() -> None:
    newest = defaults("0.40")
    for section, name in [*ALWAYS, *SINCE, *(rule.decides for rule in RULES)]:
        assert name in newest[section]
    for key, lines in SINCE.items():
        assert all(key[1] in defaults(line)[key[0]] for line in lines)
    for rule in RULES:
        concerned = {
            (section, name) for section, keys in newest.items() for name in keys if rule.concerns((section, name))
        }
        assert concerned
        assert {name for section, name in concerned if section == rule.section} >= rule.only
        assert rule.but <= newest[rule.section].keys()
        default = newest[rule.decides[0]][rule.decides[1]]
        allowed = choices("0.40", *rule.decides) or ((True, False) if isinstance(default, bool) else (default,))
        assert set(rule.values) <= set(allowed)
        assert not isinstance(default, Duration)
