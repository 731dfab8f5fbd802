# SPDX-License-Identifier: GPL-3.0-or-later
"""The two places of keys: real directories, and a Secret of an API that is played by a dictionary.

The dictionary is there for conflicts alone, which a real API server does not produce on demand.
"""

from __future__ import annotations

import base64
import copy
import json
import multiprocessing
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _key_secret, _key_sources
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import Entry, Outcome, Place, Wanted
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import ensure as ensure_wanted
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_places import FRESH_STATE, Directory
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_secret import Secret
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import ML_DSA_65
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import ED25519, Kind, PrivateKey


def ensure(place: Place, names: list[str], *, dry_run: bool, **wanted: Any) -> Outcome:
    return ensure_wanted(place, Wanted(names, **wanted), dry_run=dry_run)


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


# -- directory


def test_tree_is_that_of_cometbft_testnet(tmp_path: Path) -> None:
    ensure(Directory(tmp_path / "net"), ["node0", "node1"], dry_run=False)
    files = tree(tmp_path / "net")
    assert sorted(files) == [
        f"{node}/{file}"
        for node in ("node0", "node1")
        for file in ("config/node_key.json", "config/priv_validator_key.json", "data/priv_validator_state.json")
    ]
    assert {mode for mode, _content in files.values()} == {0o600}
    assert files["node0/data/priv_validator_state.json"][1] == b'{\n  "height": "0",\n  "round": 0,\n  "step": 0\n}'


def test_plan_touches_nothing(tmp_path: Path) -> None:
    ensure(Directory(tmp_path / "net"), ["node0"], dry_run=True)
    assert list(tmp_path.iterdir()) == []


def test_second_run_changes_nothing(tmp_path: Path) -> None:
    first = ensure(Directory(tmp_path), ["a", "b"], dry_run=False)
    before = tree(tmp_path)
    second = ensure(Directory(tmp_path), ["a", "b"], dry_run=False)
    assert (second.made, second.after, tree(tmp_path)) == ([], first.after, before)


@pytest.mark.parametrize("lost", [["config/priv_validator_key.json"], ["config/node_key.json", "data/../config/x"]])
def test_interrupted_run_is_finished(tmp_path: Path, lost: list[str]) -> None:
    ensure(Directory(tmp_path), ["a"], dry_run=False)
    for name in lost:
        (tmp_path / "a" / name).unlink(missing_ok=True)
    kept = tree(tmp_path)
    assert ensure(Directory(tmp_path), ["a"], dry_run=False).made == ["a"]
    assert kept.items() <= tree(tmp_path).items()
    assert len(tree(tmp_path)) == 3


def test_validator_without_its_sign_state_is_refused(tmp_path: Path) -> None:
    ensure(Directory(tmp_path), ["a"], dry_run=False)
    (tmp_path / "a/data/priv_validator_state.json").unlink()
    before = tree(tmp_path)
    with pytest.raises(FaultsError, match=r"priv_validator_state\.json: it is missing although"):
        ensure(Directory(tmp_path), ["a", "b"], dry_run=False)
    assert tree(tmp_path) == before


def test_sign_state_of_a_lost_key_is_refused(tmp_path: Path) -> None:
    ensure(Directory(tmp_path), ["a"], dry_run=False)
    (tmp_path / "a/config/priv_validator_key.json").unlink()
    (tmp_path / "a/data/priv_validator_state.json").write_text('{"height": "7", "round": 0, "step": 3}')
    with pytest.raises(FaultsError, match="it has signed up to height 7, but its validator key is missing"):
        ensure(Directory(tmp_path), ["a"], dry_run=False)


def test_sign_state_of_a_running_validator_is_kept(tmp_path: Path) -> None:
    ensure(Directory(tmp_path), ["a"], dry_run=False)
    state = '{"height": "7", "round": 0, "step": 3, "signature": "x", "signbytes": "00"}'
    (tmp_path / "a/data/priv_validator_state.json").write_text(state)
    (tmp_path / "a/config/node_key.json").unlink()
    assert ensure(Directory(tmp_path), ["a"], dry_run=False).made == ["a"]
    assert (tmp_path / "a/data/priv_validator_state.json").read_text() == state


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"height": "x", "round": 0, "step": 0}',
        '{"height": "-1", "round": 0, "step": 0}',
        '{"height": "0", "round": "0", "step": 0}',
        '{"height": "0", "round": 0}',
        '{"height": null}',
    ],
)
def test_damaged_sign_state_is_named(tmp_path: Path, state: str) -> None:
    ensure(Directory(tmp_path), ["a"], dry_run=False)
    (tmp_path / "a/data/priv_validator_state.json").write_text(state)
    with pytest.raises(FaultsError, match=r"a/data/priv_validator_state\.json: it is damaged"):
        ensure(Directory(tmp_path), ["a"], dry_run=False)


def test_unreadable_and_unwritable_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "a/config/priv_validator_key.json").mkdir(parents=True)
    with pytest.raises(MintnetError, match=r"a/config/priv_validator_key\.json"):
        ensure(Directory(tmp_path), ["a"], dry_run=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(MintnetError, match="writing the key file"):
        ensure(Directory(tmp_path / "file"), ["a"], dry_run=False)


def test_binary_file_is_named(tmp_path: Path) -> None:
    ensure(Directory(tmp_path), ["a"], dry_run=False)
    (tmp_path / "a/config/node_key.json").write_bytes(b"\xff\xfe")
    with pytest.raises(MintnetError, match=r"a/config/node_key\.json"):
        ensure(Directory(tmp_path), ["a"], dry_run=False)


def make(root: Path, names: list[str], begin: Any, results: Any) -> None:
    begin.wait()
    outcome = ensure(Directory(root), names, dry_run=False)
    results.put((outcome.made, [node.public for node in outcome.after]))


def test_runs_at_once_never_give_a_node_two_keys(tmp_path: Path) -> None:
    names = [f"tm-{number}" for number in range(40)]
    processes = multiprocessing.get_context("fork")
    begin, results = processes.Barrier(4), processes.Queue()
    workers = [processes.Process(target=make, args=(tmp_path, names, begin, results)) for _worker in range(4)]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=60) for _worker in workers]
    for worker in workers:
        worker.join()
    assert all(nodes == answers[0][1] for _made, nodes in answers)
    assert set().union(*(made for made, _nodes in answers)) == set(names)
    final = ensure(Directory(tmp_path), names, dry_run=True)
    assert (final.made, [node.public for node in final.after]) == ([], answers[0][1])
    assert len(tree(tmp_path)) == 3 * len(names)


# -- Secret


class Secrets(Api):
    """Secrets as an API server keeps them: versions, conflicts, no two of one name."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.before_write: list[Callable[[], object]] = []

    def refuse(self, doing: str, status: int, reason: str) -> None:
        raise ClusterError(f"{doing}: {reason} ({status})", status, reason)

    def _answer(self, name: str) -> Json:
        secret = copy.deepcopy(self.secrets[name])
        metadata = {"resourceVersion": str(secret["version"]), "annotations": secret.get("annotations")}
        return {"metadata": metadata, "data": secret["data"]}

    def _write(self, call: str, doing: str) -> None:
        self.calls.append(call)
        self.doing = doing
        if self.before_write:
            self.before_write.pop(0)()

    def get(self, doing: str, kind: str, namespace: str | None = None, name: str | None = None) -> Json | None:
        self.calls.append("get")
        assert (kind, namespace) == ("Secret", "net")
        return self._answer(str(name)) if name in self.secrets else None

    def create(self, doing: str, definition: Json) -> Json:
        self._write("create", doing)
        metadata = definition["metadata"]
        assert metadata["namespace"] == "net"
        if metadata["name"] in self.secrets:
            self.refuse(doing, 409, "AlreadyExists")
        self.secrets[metadata["name"]] = {
            "version": 1,
            "labels": metadata["labels"],
            "annotations": metadata.get("annotations"),
            "data": dict(definition["data"]),
        }
        return self._answer(metadata["name"])

    def merge(self, doing: str, kind: str, namespace: str, name: str, patch: Json) -> Json:
        self._write("merge", doing)
        secret = self.secrets[name]
        if patch["metadata"]["resourceVersion"] != str(secret["version"]):
            self.refuse(doing, 409, "Conflict")
        secret["data"].update(patch["data"])
        secret["annotations"] = {**(secret.get("annotations") or {}), **patch["metadata"].get("annotations", {})}
        secret["version"] += 1
        return self._answer(name)


@pytest.fixture
def api() -> Secrets:
    return Secrets()


def secret(api: Secrets) -> Secret:
    return Secret(api, "net", "tm-keys", {"tm": "tm"})


def test_secret_is_made_once(api: Secrets) -> None:
    first = ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    assert api.calls == ["get", "create"]
    assert api.secrets["tm-keys"]["labels"] == {"tm": "tm"}
    assert sorted(api.secrets["tm-keys"]["data"]) == [
        "tm-0.node_key.json",
        "tm-0.priv_validator_key.json",
        "tm-1.node_key.json",
        "tm-1.priv_validator_key.json",
    ]
    second = ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    assert (api.calls, second.made, second.after) == (["get", "create", "get"], [], first.after)


def test_growth_adds_only_what_is_missing(api: Secrets) -> None:
    ensure(secret(api), ["tm-0"], dry_run=False)
    kept = dict(api.secrets["tm-keys"]["data"])
    grown = ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    assert grown.made == ["tm-1"]
    assert api.calls == ["get", "create", "get", "merge"]
    assert kept.items() <= api.secrets["tm-keys"]["data"].items()


def test_plan_only_reads(api: Secrets) -> None:
    assert ensure(secret(api), ["tm-0"], dry_run=True).made == ["tm-0"]
    assert (api.calls, api.secrets) == (["get"], {})


KNOWN = "it is gone, and tm-1 had one: bring it back"


def test_lost_key_of_a_known_node_is_not_made_anew(api: Secrets) -> None:
    ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    kept = dict(stored(api, "tm-keys"))
    lost = stored(api, "tm-keys").pop("tm-1.priv_validator_key.json")
    for dry_run in (True, False):
        with pytest.raises(FaultsError, match=f"tm-1.priv_validator_key.json: {KNOWN}"):
            ensure(secret(api), ["tm-0", "tm-1", "tm-2"], dry_run=dry_run, known=["tm-0", "tm-1", "tm-9"])
    assert stored(api, "tm-keys").keys() == kept.keys() - {"tm-1.priv_validator_key.json"}
    text = base64.b64decode(lost).decode()
    given = {Entry("tm-1", Kind.VALIDATOR): Kind.VALIDATOR.read_private(text)}
    outcome = ensure(secret(api), ["tm-0", "tm-1", "tm-2"], dry_run=False, known=["tm-0", "tm-1"], given=given)
    assert outcome.made == ["tm-1", "tm-2"]
    assert kept.items() <= stored(api, "tm-keys").items()


@pytest.mark.parametrize("exists", [False, True])
def test_quicker_run_wins(api: Secrets, exists: bool) -> None:
    """Whether the Secret was made meanwhile, or another node or the same one was added to it."""
    if exists:
        ensure(secret(api), ["tm-9"], dry_run=False)
    rival: list[Any] = []
    api.before_write.append(lambda: rival.append(ensure(secret(api), ["tm-0", "tm-5"], dry_run=False)))
    ours = ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    assert rival[0].made == ["tm-0", "tm-5"]
    assert ours.made == ["tm-1"]
    assert ours.after[0] == rival[0].after[0]


def test_rival_that_did_everything_leaves_nothing_to_write(api: Secrets) -> None:
    api.before_write.append(lambda: ensure(secret(api), ["tm-0"], dry_run=False))
    assert ensure(secret(api), ["tm-0"], dry_run=False).made == []
    assert api.calls.count("merge") == 0


def test_endless_conflicts_end(api: Secrets) -> None:
    def touch() -> None:
        api.secrets.setdefault("tm-keys", {"version": 1, "data": {}})["version"] += 1
        api.before_write.append(touch)

    api.before_write.append(touch)
    with pytest.raises(MintnetError, match="Secret net/tm-keys: it was changed by somebody else 20 times"):
        ensure(secret(api), ["tm-0"], dry_run=False)


def test_other_refusals_are_not_tried_again(api: Secrets) -> None:
    api.before_write.append(lambda: api.refuse(api.doing, 403, "Forbidden"))
    with pytest.raises(ClusterError, match="creating Secret net/tm-keys: Forbidden") as error:
        ensure(secret(api), ["tm-0"], dry_run=False)
    assert error.value.status == 403
    assert api.calls == ["get", "create"]


def test_damaged_entry_is_named_and_kept(api: Secrets) -> None:
    ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    data = api.secrets["tm-keys"]["data"]
    data["tm-0.node_key.json"] = base64.b64encode(b"{").decode()
    data["tm-1.priv_validator_key.json"] = base64.b64encode(b"\xff").decode()
    before = copy.deepcopy(api.secrets)
    with pytest.raises(FaultsError, match=r"Secret net/tm-keys, tm-1\.priv_validator_key\.json: it is no text"):
        ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    with pytest.raises(FaultsError, match=r"Secret net/tm-keys, tm-0\.node_key\.json: it is no JSON"):
        ensure(secret(api), ["tm-0"], dry_run=False)
    assert api.secrets == before


def test_shared_key_is_refused(api: Secrets) -> None:
    ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    data = api.secrets["tm-keys"]["data"]
    data["tm-1.priv_validator_key.json"] = data["tm-0.priv_validator_key.json"]
    with pytest.raises(FaultsError, match=r"tm-1\.priv_validator_key\.json: tm-0 has the same key"):
        ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)


ONE = sum(len(kind.write(PrivateKey.make(ED25519))) for kind in Kind)


def stored(api: Secrets, name: str) -> dict[str, str]:
    data: dict[str, str] = api.secrets[name]["data"]
    return data


def test_group_that_is_too_large_for_one_secret_gets_more(api: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_key_secret, "SECRET_LIMIT", 2 * ONE)
    names = [f"tm-{number}" for number in range(5)]
    made = ensure(secret(api), names, dry_run=False)
    assert list(api.secrets) == ["tm-keys", "tm-keys-2", "tm-keys-3"]
    assert [len(stored(api, name)) for name in api.secrets] == [4, 4, 2]
    assert [api.secrets[name]["annotations"] for name in api.secrets] == [
        {"mintnet.io/continued-in": "tm-keys-2"},
        {"mintnet.io/continued-in": "tm-keys-3"},
        None,
    ]
    assert {secret["labels"]["tm"] for secret in api.secrets.values()} == {"tm"}
    before = copy.deepcopy(api.secrets)
    again = secret(api)
    assert ensure(again, names, dry_run=False).after == made.after
    assert (again.secrets, again.names(), api.secrets) == (["tm-keys", "tm-keys-2", "tm-keys-3"], names, before)
    assert again.describe(Entry("tm-3", Kind.NODE)) == "Secret net/tm-keys-2, tm-3.node_key.json"


def test_secret_that_is_full_is_followed_by_another(api: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_key_secret, "SECRET_LIMIT", 2 * ONE)
    ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    kept = dict(stored(api, "tm-keys"))
    assert api.secrets["tm-keys"]["annotations"] is None
    ensure(secret(api), ["tm-0", "tm-1", "tm-2"], dry_run=False)
    assert stored(api, "tm-keys") == kept
    assert sorted(stored(api, "tm-keys-2")) == ["tm-2.node_key.json", "tm-2.priv_validator_key.json"]


@pytest.mark.parametrize("after_writes", [0, 1, 2])
def test_rival_at_the_end_of_a_secret_never_gives_a_node_two_keys(
    api: Secrets, monkeypatch: pytest.MonkeyPatch, after_writes: int
) -> None:
    """It asks for the last node alone, which the first Secret had room for when we began."""
    monkeypatch.setattr(_key_secret, "SECRET_LIMIT", 3 * ONE)
    ensure(secret(api), ["tm-0", "tm-1"], dry_run=False)
    rival: list[Outcome] = []
    api.before_write += [lambda: None] * after_writes
    api.before_write.append(lambda: rival.append(ensure(secret(api), ["tm-4"], dry_run=False)))
    names = [f"tm-{number}" for number in range(8)]
    ours = ensure(secret(api), names, dry_run=False)
    assert rival[0].after[0] == ours.after[4]
    keys = [key for name in api.secrets for key in stored(api, name)]
    assert len(keys) == len(set(keys)) == 16
    assert ensure(secret(api), names, dry_run=True).made == []


def test_key_that_no_secret_can_hold_is_refused(api: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_key_secret, "SECRET_LIMIT", 100)
    with pytest.raises(MintnetError, match=r"a key is larger than a Secret may be \(100 bytes\)"):
        ensure(secret(api), ["tm-0"], dry_run=False)
    assert api.secrets == {}


def test_secret_keeps_two_thousand_nodes() -> None:
    assert 2000 * ONE < _key_secret.SECRET_LIMIT


def test_fresh_state_is_a_valid_one() -> None:
    assert json.loads(FRESH_STATE) == {"height": "0", "round": 0, "step": 0}
    assert Directory(Path("x")).describe(Entry("a", Kind.NODE)) == "x/a/config/node_key.json"


# -- keys that are replaced


def replace_at_once(root: Path, old_id: str, begin: Any, results: Any) -> None:
    begin.wait()
    wanted = Wanted(["a"], replace={Entry("a", Kind.VALIDATOR): old_id})
    outcome = ensure_wanted(Directory(root), wanted, dry_run=False)
    results.put((len(outcome.replaced), outcome.after[0].public))


def test_runs_at_once_replace_a_key_once(tmp_path: Path) -> None:
    (old,) = ensure(Directory(tmp_path), ["a"], dry_run=False).after
    assert old.validator
    processes = multiprocessing.get_context("fork")
    begin, results = processes.Barrier(4), processes.Queue()
    arguments = (tmp_path, old.validator.address, begin, results)
    workers = [processes.Process(target=replace_at_once, args=arguments) for _worker in range(4)]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=60) for _worker in workers]
    for worker in workers:
        worker.join()
    assert sum(times for times, _public in answers) == 1
    assert all(public == answers[0][1] for _times, public in answers)
    assert len(list((tmp_path / "a/config").glob("priv_validator_key.json.*"))) == 1


def test_replaced_key_of_a_secret_is_kept_in_another(api: Secrets) -> None:
    old = ensure(secret(api), ["tm-0", "tm-1"], dry_run=False).after
    before = copy.deepcopy(api.secrets)
    assert old[1].validator
    which = {Entry("tm-1", Kind.VALIDATOR): old[1].validator.address, Entry("tm-1", Kind.NODE): str(old[1].node_id)}

    planned = ensure(secret(api), ["tm-0", "tm-1"], dry_run=True, replace=which)
    assert [item.old_id for item in planned.replaced] == list(which.values())
    assert api.secrets == before

    made = ensure(secret(api), ["tm-0", "tm-1"], dry_run=False, replace=which)
    assert made.after[0] == old[0]
    assert (made.after[1].validator != old[1].validator, made.after[1].node != old[1].node) == (True, True)
    kept = stored(api, "tm-keys-replaced")
    assert sorted(kept.values()) == sorted(
        before["tm-keys"]["data"][f"tm-1.{kind.value}"] for kind in (Kind.VALIDATOR, Kind.NODE)
    )
    for item in made.replaced:
        assert item.backup
        assert item.backup.removeprefix("Secret net/tm-keys-replaced, ") in kept
        assert item.old_id in item.backup
    assert len(stored(api, "tm-keys")) == 4
    assert api.secrets["tm-keys-replaced"]["labels"] == {"tm": "tm"}

    after = copy.deepcopy(api.secrets)
    again = ensure(secret(api), ["tm-0", "tm-1"], dry_run=False, replace=which)
    assert (again.replaced, again.after, api.secrets) == ([], made.after, after)


def test_rival_that_replaced_the_key_first_wins(api: Secrets) -> None:
    (old,) = ensure(secret(api), ["tm-0"], dry_run=False).after
    assert old.validator
    which = {Entry("tm-0", Kind.VALIDATOR): old.validator.address}
    rival: list[Outcome] = []
    # Both have saved the old key when the rival writes the new one.
    api.before_write += [
        lambda: None,
        lambda: rival.append(ensure(secret(api), ["tm-0"], dry_run=False, replace=which)),
    ]
    ours = ensure(secret(api), ["tm-0"], dry_run=False, replace=which)
    assert (len(rival[0].replaced), ours.replaced) == (1, [])
    assert ours.after == rival[0].after
    assert len(stored(api, "tm-keys-replaced")) == 1


def test_key_whose_replacement_was_interrupted_is_saved_once(api: Secrets) -> None:
    (old,) = ensure(secret(api), ["tm-0"], dry_run=False).after
    assert old.validator
    which = {Entry("tm-0", Kind.VALIDATOR): old.validator.address}
    api.before_write += [lambda: None, lambda: api.refuse(api.doing, 500, "Killed")]
    with pytest.raises(ClusterError, match="writing Secret net/tm-keys: Killed"):
        ensure(secret(api), ["tm-0"], dry_run=False, replace=which)
    (after,) = ensure(secret(api), ["tm-0"], dry_run=False).after
    assert after == old
    assert len(ensure(secret(api), ["tm-0"], dry_run=False, replace=which).replaced) == 1
    assert len(stored(api, "tm-keys-replaced")) == 1


def test_key_in_a_secret_that_is_followed_can_be_replaced(api: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_key_secret, "SECRET_LIMIT", 2 * ONE + 10)
    names = ["tm-0", "tm-1", "tm-2"]
    old = ensure(secret(api), names, dry_run=False).after
    assert old[0].validator
    which = {Entry("tm-0", Kind.VALIDATOR): old[0].validator.address}
    assert ensure(secret(api), names, dry_run=False, replace=which).after[1:] == old[1:]
    assert api.secrets["tm-keys"]["annotations"] == {"mintnet.io/continued-in": "tm-keys-2"}
    assert len(stored(api, "tm-keys")) == 4
    (new, *_others) = ensure(secret(api), names, dry_run=True).after
    assert new.validator
    which = {Entry("tm-0", Kind.VALIDATOR): new.validator.address}
    with pytest.raises(MintnetError, match="it has no room for a larger key"):
        ensure(secret(api), names, dry_run=False, replace=which, types={"tm-0": ML_DSA_65})


# -- Secrets of others


def sources(api: Secrets, **source: Any) -> tuple[Wanted, list[str]]:
    given = {**dict.fromkeys(_key_sources.SOURCE_SPEC), "node": "tm-0", "secret": "alice", **source}
    unsaid: dict[str, Any] = {
        "version": None,
        "key_type": None,
        "key_types": {},
        "seed": None,
        "insecure": False,
        "regenerate": [],
        "known": [],
    }
    faults: list[str] = []
    params = {**unsaid, "namespace": "net", "sources": [given]}
    asked = _key_sources.request(params, ["tm-0"], lambda *name: _key_secret.read_secret(api, *name), faults)
    return asked.wanted, faults


def test_keys_of_another_secret_are_brought(api: Secrets) -> None:
    key = PrivateKey.make(ED25519)
    api.secrets["alice"] = {
        "version": 7,
        "data": {"key": base64.b64encode(Kind.VALIDATOR.write(key).encode()).decode()},
    }
    before = copy.deepcopy(api.secrets["alice"])
    wanted, faults = sources(api, validator_key_entry="key")
    assert faults == []
    (node,) = ensure_wanted(secret(api), wanted, dry_run=False).after
    assert node.validator == key.public
    assert api.secrets["alice"] == before


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"validator_key_entry": "kee"}, "Secret net/alice, kee: there is no such entry; did you mean key?"),
        ({"node_key_entry": "raw"}, "Secret net/alice, raw: it is no text"),
        ({"node_key_entry": "key"}, "Secret net/alice, key: priv_key: it is missing"),
        ({"node_key_entry": "key", "secret": "bob"}, "there is no Secret net/bob"),
    ],
)
def test_secret_that_brings_no_key(api: Secrets, source: dict[str, Any], said: str) -> None:
    api.secrets["alice"] = {"version": 7, "data": {"key": "e30=", "raw": "//8="}}
    _wanted, faults = sources(api, **source)
    (fault,) = faults
    assert fault.startswith(f"sources, tm-0: {said}")
