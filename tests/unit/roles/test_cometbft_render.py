# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role would apply, as files: nothing is lost on the way, and Kubernetes knows every field of it."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tomllib
import typing as t
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.mintnet.kubernetes.plugins.module_utils._manifests import objects_of
from ansible_collections.mintnet.kubernetes.plugins.modules import (
    cometbft_config,
    cometbft_genesis,
    cometbft_keys,
    manifests,
)
from kubernetes_validate import utils

Json = dict[str, t.Any]
ROLE = Path(__file__).resolve().parents[3] / "roles" / "cometbft"
VERSIONS = ("1.34", "1.35", "1.36", "1.37")
#: What cometbft_info says of a network that nobody has.
NOTHING: Json = {
    "namespace": {"exists": False, "made": False, "phase": None, "held_by": ""},
    "groups": [],
    "custody": None,
    "genesis": None,
    "nodes": [],
    "stopped": [],
    "power": {"total": 0},
}
APP: Json = {
    "cometbft_app": "container",
    "cometbft_app_image": "example/app:1",
    "cometbft_app_env": {"YES": "yes", "NUMBER": 1, "TOKEN": {"secret": "mine", "key": "token"}},
    "cometbft_app_files": {"/etc/app.toml": "a = 1\n\tb = 2 \n", "/etc/empty": ""},
    "cometbft_app_ports": {"api": 1317},
    "cometbft_app_volumes": [{"path": "/cache", "source": {"emptyDir": {}}}],
    "cometbft_pull_secrets": ["theirs"],
}
VARIANTS: dict[str, Json] = {
    "default": {},
    "ephemeral, several kinds of nodes": {
        "cometbft_nodes": 6,
        "cometbft_validators": 3,
        "cometbft_ephemeral": True,
        "cometbft_topology": {"kind": "sentries"},
        "cometbft_node_config": {"tm-5": {"log_level": "debug"}},
    },
    "an application beside it": APP,
    "over gRPC": {**APP, "cometbft_app_transport": "grpc"},
    "an application that is the node": {
        **APP,
        "cometbft_app": "node",
        "cometbft_app_probe": {"tcpSocket": {"port": 26657}},
    },
    "a storage class": {"cometbft_storage_class": "fast", "cometbft_volume_size": "10Gi"},
    "groups": {
        "cometbft_nodes": 5,
        "cometbft_validators": 4,
        "cometbft_groups": [
            {"name": "sentry", "mode": "sentry", "nodes": 2, "guards": ["tm-0", "tm-1", "tm-2", "tm-3"]},
            {
                **{"name": "seed", "mode": "seed", "version": "0.39.4", "volume_size": "1Gi"},
                **{"node_selector": {"disktype": "ssd"}, "resources": {"requests": {"cpu": "100m"}}},
                "config": {"p2p": {"max_num_inbound_peers": 300}},
            },
            {"name": "archive", "nodes": 0, "image": "example/node:1"},
        ],
    },
    "keys that pods make": {"cometbft_custody": "pod"},
}


#: Of all objects of four validators.
ONE_GROUP = "b5e9b379ba30410ea0bba606587dc6a6d54d3ff7e3f532b5f8af133e3df6035d"


def arguments(module: t.Any, **given: t.Any) -> Json:
    return {name: option.get("default") for name, option in module.SPEC["argument_spec"].items()} | given


def trusted(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {name: trusted(item) for name, item in value.items()}
    return [trusted(item) for item in value] if isinstance(value, list) else value


@functools.cache
def known() -> Json:
    """The role's own defaults and variables."""
    files = [ROLE / name / "main.yml" for name in ("defaults", "vars")]
    found = [yaml_load(file.read_text(encoding="utf-8")) for file in files]
    return {name: trusted(value) for variables in found for name, value in variables.items()}


class Network:
    """The steps of tasks/render.yml for a network that no cluster has."""

    def __init__(self, place: Path, **variables: t.Any) -> None:
        self.place = place
        self.variables: Json = {
            **known(),
            "ansible_search_path": [str(ROLE)],
            "ansible_check_mode": False,
            "_cometbft_rendered": True,
            "cometbft_render_path": str(place),
            "cometbft_render_secrets": "plain",
            "mintnet_plan": {"provider": "", "kubeconfig": "", "context": ""},
            "__cometbft_info": {"network": NOTHING},
            **variables,
        }
        # Once, since others build on them many times.
        for name in ("labels", "groups", "changes", "names", "sizes", "validators"):
            self.variables[f"_cometbft_{name}"] = self.value(f"_cometbft_{name}")
        self.variables["__cometbft_config"] = self.configuration()
        where = {"namespace": "mintnet", "manifests": str(place), "labels": self.variables["_cometbft_labels"]}
        own = self.value("_cometbft_own_keys")
        if not own:
            keys = arguments(
                cometbft_keys,
                **where,
                groups=self.value("_cometbft_sizes"),
                validators=len(self.variables["_cometbft_validators"]),
            )
            self.variables["__cometbft_keys"] = cometbft_keys.run(keys, False)
        asked = [{"name": "", **item, "power": None} for item in self.value("_cometbft_keys.validators")]
        genesis = arguments(cometbft_genesis, **where, version="0.40.0", chain_id="mintnet", validators=asked)
        self.variables["__cometbft_genesis"] = cometbft_genesis.run({**genesis, "template": own}, False)
        self.objects: list[Json] = self.value("_cometbft_objects")
        made = arguments(manifests, path=str(place), namespace="mintnet", definitions=self.objects)
        self.made = manifests.run({**made, "secrets": "none" if own else "plain"}, False)

    def configuration(self) -> Json:
        """As tasks/live.yml asks for it."""
        tasks = yaml_load((ROLE / "tasks" / "live.yml").read_text(encoding="utf-8"))
        (task,) = [one for one in tasks if "mintnet.kubernetes.cometbft_config" in one]
        templar = Templar(DataLoader(), variables={**self.variables, **trusted(task.get("vars", {}))})
        asked = json.loads(json.dumps(templar.template(trusted(task["mintnet.kubernetes.cometbft_config"]))))
        checked = ArgumentSpecValidator(cometbft_config.SPEC["argument_spec"]).validate(asked)
        assert not checked.error_messages
        return cometbft_config.run(checked.validated_parameters, False)

    def value(self, name: str) -> t.Any:
        templar = Templar(DataLoader(), variables=self.variables)
        return json.loads(json.dumps(templar.template(trust_as_template(f"{{{{ {name} }}}}"))))

    @property
    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.place.iterdir()}

    @property
    def rendered(self) -> list[Json]:
        """All objects, as kubectl would take them."""
        if self.place.is_file():
            return objects_of(self.place.read_text(encoding="utf-8"))
        resources = yaml_load((self.place / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
        return [item for name in resources for item in objects_of((self.place / name).read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], Network]:
    """Of a variant: made once, and only looked at."""
    return functools.cache(lambda variant: Network(tmp_path_factory.mktemp("manifests"), **VARIANTS[variant]))


@pytest.fixture(scope="module", params=VARIANTS)
def network(request: pytest.FixtureRequest, rendered: t.Callable[[str], Network]) -> Network:
    return rendered(request.param)


def test_everything_that_create_applies_is_there(network: Network) -> None:
    rendered = network.rendered
    made_before = [item for item in rendered if item["kind"] == "Secret" or item["metadata"]["name"] == "tm-config"]
    # A group without nodes has no key either.
    groups = [name for name, count in network.value("_cometbft_sizes").items() if count]
    keys = [] if network.value("_cometbft_own_keys") else [f"{name}-keys" for name in groups]
    assert [item["metadata"]["name"] for item in made_before] == [*keys, "tm-config"]
    assert sorted((item for item in rendered if item not in made_before), key=str) == sorted(network.objects, key=str)


def test_what_a_thing_needs_comes_before_it(network: Network) -> None:
    kinds = list(dict.fromkeys(item["kind"] for item in network.rendered))
    assert kinds[:2] == ["Namespace", "ConfigMap" if network.value("_cometbft_own_keys") else "Secret"]
    assert kinds[-1] == "StatefulSet"
    assert kinds.index("NetworkPolicy") < kinds.index("Service")
    # What pods mount or are told of by name.
    workloads = [item for item in network.rendered if item["kind"] == "StatefulSet" and item["spec"]["replicas"]]
    names = {item["metadata"]["name"] for item in network.rendered if item["kind"] in ("ConfigMap", "Secret")}
    for volume in (one for item in workloads for one in item["spec"]["template"]["spec"]["volumes"]):
        sources = [volume, *(volume.get("projected") or {}).get("sources", [])]
        for source in sources:
            for found in (source.get("configMap"), source.get("secret")):
                assert found is None or found.get("optional") or (found.get("name") in names)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(network: Network, version: str) -> None:
    for item in network.rendered:
        assert kubernetes_validate.validate(item, version, strict=True) == version


def test_pods_satisfy_the_restricted_standard(network: Network, unrestricted: t.Callable[[Json], list[str]]) -> None:
    """As the guide promises to whoever enforces it in a namespace of their own."""
    for workload in (item for item in network.rendered if item["kind"] == "StatefulSet"):
        assert unrestricted(workload["spec"]["template"]["spec"]) == []


@pytest.fixture(scope="module", autouse=True)
def schemas_are_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


def test_the_schema_would_tell() -> None:
    with pytest.raises(utils.ValidationError):
        wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "datum": {}}
        kubernetes_validate.validate(wrong, "1.37", strict=True)


@pytest.fixture
def app(tmp_path: Path, rendered: t.Callable[[str], Network]) -> dict[str, bytes]:
    """The files of a network with an application beside it, which are in this test's folder as well."""
    made = rendered("an application beside it")
    shutil.copytree(made.place, tmp_path, dirs_exist_ok=True)
    return made.files


def test_twice_is_byte_for_byte_the_same(tmp_path: Path, app: dict[str, bytes]) -> None:
    again = Network(tmp_path, **APP)
    assert again.made["changed"] is False
    assert again.files == app
    assert again.variables["__cometbft_keys"]["changed"] is False
    assert again.variables["__cometbft_genesis"]["changed"] is False


@pytest.mark.usefixtures("app")
def test_what_is_not_needed_any_more_goes(tmp_path: Path) -> None:
    theirs = {**NOTHING, "namespace": {**NOTHING["namespace"], "exists": True}}
    after = Network(tmp_path, **APP, __cometbft_info={"network": theirs})
    assert after.made["removed"] == ["00-namespace.yaml"]
    assert "ResourceQuota" not in [item["kind"] for item in after.rendered]


def test_one_group_is_what_it_always_was(rendered: t.Callable[[str], Network]) -> None:
    """Each byte of it: whoever makes another template of it restarts the nodes of every network that lives.

    The texts of scripts and configuration, which change with reason, are left out, and so is their hash.
    """
    made = rendered("default")
    text = json.dumps(
        [item for item in made.objects if not item["metadata"]["name"].startswith("tm-settings-")], sort_keys=True
    )
    text = text.replace(made.value("_cometbft_settings.tm"), "SETTINGS")
    for node in made.variables["__cometbft_keys"]["nodes"]:
        text = text.replace(node["node_id"], node["name"])
    assert hashlib.sha256(text.encode()).hexdigest() == ONE_GROUP


def test_a_group_more_changes_nothing_of_the_others(tmp_path: Path, rendered: t.Callable[[str], Network]) -> None:
    alone = rendered("default")
    shutil.copytree(alone.place, tmp_path, dirs_exist_ok=True)
    more = Network(tmp_path, cometbft_groups=[{"name": "archive", "nodes": 2}])
    before, after = ({(item["kind"], item["metadata"]["name"]): item for item in one.objects} for one in (alone, more))
    changed = {name for name, item in before.items() if after[name] != item}
    assert changed == {("ConfigMap", "tm-nodes"), ("ResourceQuota", "tm")}
    rows = after["ConfigMap", "tm-nodes"]["data"]["nodes"]
    assert rows.startswith(before["ConfigMap", "tm-nodes"]["data"]["nodes"])
    assert [row.split()[3:] for row in rows.splitlines()[4:]] == [
        ["full", "tm-0,tm-1,tm-2,tm-3", "-", "-"],
        ["full", "tm-0,tm-1,tm-2,tm-3,archive-0", "-", "-"],
    ]
    settings = more.value("_cometbft_settings.archive")
    assert after.keys() - before.keys() == {
        *(("Service", name) for name in ("archive", "archive-0", "archive-1")),
        *(("ConfigMap", settings), ("StatefulSet", "archive")),
    }
    assert after["ResourceQuota", "tm"]["spec"]["hard"]["pods"] == "10"
    # Each group mounts its own keys only.
    secrets = {item["metadata"]["name"]: item["data"] for item in more.rendered if item["kind"] == "Secret"}
    assert {name.rpartition("-")[0] for name in secrets["archive-keys"]} == {"archive"}
    assert {name.rpartition("-")[0] for name in secrets["tm-keys"]} == {"tm"}


def test_sentries_and_seeds_are_what_is_asked_for(rendered: t.Callable[[str], Network]) -> None:
    made = rendered("groups")
    found = {(item["kind"], item["metadata"]["name"]): item for item in made.objects}
    workloads = {name: item for (kind, name), item in found.items() if kind == "StatefulSet"}
    assert {name: item["spec"]["replicas"] for name, item in workloads.items()} == {
        **{"tm": 5, "sentry": 2, "seed": 1, "archive": 0}
    }
    assert {item["spec"]["serviceName"] for item in workloads.values()} == set(workloads)
    for name, item in workloads.items():
        labels = item["spec"]["template"]["metadata"]["labels"]
        assert labels["tm"] == item["spec"]["selector"]["matchLabels"]["tm"] == name
        assert found["Service", name]["spec"]["selector"]["tm"] == name
        assert item["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"]["tm"] == name
        sources = [volume for volume in item["spec"]["template"]["spec"]["volumes"] if volume["name"] == "keys"]
        assert sources[0]["projected"]["sources"][0]["secret"]["name"] == f"{name}-keys"
    pods = {name: item["spec"]["template"]["spec"] for name, item in workloads.items()}
    images = {name: pod["containers"][0]["image"] for name, pod in pods.items()}
    assert images == {
        **{"tm": "cometbft/cometbft:v0.40.0", "sentry": "cometbft/cometbft:v0.40.0"},
        **{"seed": "cometbft/cometbft:v0.39.4", "archive": "example/node:1"},
    }
    assert [name for name, pod in pods.items() if "nodeSelector" in pod] == ["seed"]
    assert pods["seed"]["containers"][0]["resources"]["requests"] == {"cpu": "100m", "memory": "64Mi"}
    claims = {name: item["spec"]["volumeClaimTemplates"][0] for name, item in workloads.items()}
    sizes = {name: claim["spec"]["resources"]["requests"]["storage"] for name, claim in claims.items()}
    assert sizes == {"tm": "2Gi", "sentry": "2Gi", "seed": "1Gi", "archive": "2Gi"}
    room = {item["name"]: item["resources"]["requests"] for item in json.loads(made.value("_cometbft_further"))}
    assert room["seed"] == {"cpu": "100m", "memory": "64Mi"}
    hard = found["ResourceQuota", "tm"]["spec"]["hard"]
    assert (hard["pods"], hard["requests.cpu"], hard["requests.memory"]) == ("12", "650m", "768Mi")
    budgets = {name: item["spec"] for (kind, name), item in found.items() if kind == "PodDisruptionBudget"}
    assert budgets["tm"]["selector"]["matchExpressions"][0]["values"] == ["tm-0", "tm-1", "tm-2", "tm-3"]
    assert (list(budgets), budgets["sentry"]["maxUnavailable"]) == (["tm", "sentry"], 1)
    assert budgets["sentry"]["selector"]["matchLabels"] == {"mintnet.io/network": "mintnet", "tm": "sentry"}


def test_nodes_of_sentries_and_seeds_know_whom_they_may(rendered: t.Callable[[str], Network]) -> None:
    made = rendered("groups")
    nodes = next(item["data"] for item in made.objects if item["metadata"]["name"] == "tm-nodes")
    rows = {row.split()[0]: row.split()[3:] for row in nodes["nodes"].splitlines()}
    hidden = "tm-0,tm-1,tm-2,tm-3"
    assert rows == {
        **{f"tm-{number}": ["validator", "sentry-0,sentry-1", "-", "-"] for number in range(4)},
        "tm-4": ["full", "sentry-0,sentry-1", "seed-0", "-"],
        "sentry-0": ["sentry", hidden, "-", f"{hidden},seed-0"],
        "sentry-1": ["sentry", f"sentry-0,{hidden}", "-", f"{hidden},seed-0"],
        "seed-0": ["seed", "sentry-0,sentry-1", "-", "-"],
    }
    assert nodes.keys() - {"nodes"} == {"tm-4.toml"}
    settings = {item["metadata"]["name"]: item["data"] for item in made.objects if item["kind"] == "ConfigMap"}
    files = {
        name: settings[made.value(f"_cometbft_settings.{name}")]["config.toml"] for name in ("tm", "sentry", "seed")
    }
    p2p = {name: tomllib.loads(text)["p2p"] for name, text in files.items()}
    assert {name: (keys["pex"], keys["seed_mode"]) for name, keys in p2p.items()} == {
        **{"tm": (False, False), "sentry": (True, False), "seed": (True, True)}
    }
    assert (p2p["sentry"]["max_num_inbound_peers"], p2p["seed"]["max_num_inbound_peers"]) == (200, 300)


def test_only_its_sentries_reach_a_guarded_validator(rendered: t.Callable[[str], Network]) -> None:
    policies = {
        item["metadata"]["name"]: item["spec"] for item in rendered("groups").objects if item["kind"] == "NetworkPolicy"
    }
    guarded = ["tm-0", "tm-1", "tm-2", "tm-3"]
    assert list(policies) == ["tm", *guarded]
    (others,) = policies["tm"]["podSelector"]["matchExpressions"]
    assert (others["operator"], others["values"]) == ("NotIn", guarded)
    selected = policies["tm-2"]["podSelector"]["matchLabels"]
    assert selected["statefulset.kubernetes.io/pod-name"] == "tm-2"
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        p2p = [rule for rule in policies["tm-2"][direction] if {"port": 26656, "protocol": "TCP"} in rule["ports"]]
        (rule,) = p2p
        (only,) = rule[peers][0]["podSelector"]["matchExpressions"]
        assert (only["operator"], only["values"], len(rule["ports"])) == ("In", ["sentry-0", "sentry-1"], 1)


def test_scripts_and_settings_can_be_read(network: Network) -> None:
    text = (network.place / "40-nodes.yaml").read_text(encoding="utf-8")
    assert "  tm-gen-validator.sh: |\n    #!/bin/sh\n" in text
    assert "  config.toml: |\n" in text


def test_one_file_holds_what_a_folder_holds(tmp_path: Path) -> None:
    chosen = {**APP, "cometbft_custody": "pod"}
    single, folder = Network(tmp_path / "app.yaml", **chosen), Network(tmp_path / "folder", **chosen)
    parts, whole = folder.rendered, single.rendered
    for item in (item for found in (parts, whole) for item in found if item["metadata"]["name"] == "tm-config"):
        genesis = item["data"].pop("genesis.template")  # it has the time of its making
    assert whole == parts
    assert "Secret" not in [item["kind"] for item in whole]
    text = single.place.read_text(encoding="utf-8")
    again = Network(tmp_path / "app.yaml", **chosen)
    assert again.made["changed"] is False
    assert again.variables["__cometbft_genesis"]["changed"] is False
    assert single.place.read_text(encoding="utf-8") == text
    # What was made once stays when the rest changes.
    more = Network(tmp_path / "app.yaml", **chosen, cometbft_nodes=5, cometbft_validators=4)
    assert more.made["written"] == ["app.yaml"]
    assert [item["spec"]["replicas"] for item in more.rendered if item["kind"] == "StatefulSet"] == [5]
    assert genesis in [item.get("data", {}).get("genesis.template") for item in more.rendered]


def test_no_key_is_in_a_result(network: Network) -> None:
    if network.value("_cometbft_own_keys"):
        assert not (network.place / "10-secrets.yaml").exists()
        return
    secrets = objects_of((network.place / "10-secrets.yaml").read_text(encoding="utf-8"))
    told = json.dumps([network.made, network.variables["__cometbft_keys"], network.variables["__cometbft_genesis"]])
    assert not [name for secret in secrets for name, value in secret["data"].items() if value in told]
