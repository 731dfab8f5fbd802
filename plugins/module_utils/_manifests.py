# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: what a network consists of as files for kubectl, one for each stage of its application, or one for all.

The files of the keys and of the genesis also take the place of a cluster where none has the network: what was made once
is read from them from then on.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files, _objects
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import merge
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import CONFIG, is_single

#: The first line of a file that may be replaced and removed.
MARK = "# Made by mintnet.kubernetes.render, which writes this file anew."
ENCRYPTED = "$ANSIBLE_VAULT;"
HOW_TO_DECRYPT = "name a vault password, such as --vault-password-file FILE or $ANSIBLE_VAULT_PASSWORD_FILE"
DOING = "writing manifests"

#: Other YAML readers than Python's take more of what has no quotes for a number or a truth value.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./_-]+", re.ASCII)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "nan", "inf"})
#: They end a line to some readers only.
_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")


@dataclass(frozen=True)
class Stage:
    """A file, and why it comes where it does."""

    file: str
    why: str
    mode: int = 0o644


NAMESPACE = Stage("00-namespace.yaml", "The network's namespace comes first, since all else is in it.")
SECRETS = Stage(
    "10-secrets.yaml",
    "The nodes' private keys, before the pods that mount them. Whoever has this file can sign as every validator of "
    "the network. A node never gets another key: keep this file.",
    0o600,
)
GENESIS = Stage(
    "20-genesis.yaml",
    "The genesis, before the pods that mount it. It is made once, names the validators by their keys, and never "
    "changes.",
)
BOUNDS = Stage(
    "30-bounds.yaml",
    "What the namespace may use, and who may reach whom in it, before the pods, so that each of them is held to it.",
)
NODES = Stage(
    "40-nodes.yaml",
    "What nodes find when they start. A node drops a peer for good whose name cannot be resolved then, so that all "
    "names are there before the first pod.",
)
PODS = Stage("50-statefulset.yaml", "The nodes. They come last, since they need all of the above.")
#: Those of single objects, in the order of the waves in which objects are applied.
WAVES = (NAMESPACE, BOUNDS, NODES, PODS)
KUSTOMIZATION = "kustomization.yaml"
WHOLE = (
    "A whole network without secrets, in the order in which its objects are made: each pod makes its own keys, and the "
    "first validator's pod the genesis of them. To start it: kubectl create -f FILE. To see what differs from a "
    "network that lives: kubectl diff -f FILE. To remove it with its chain, keys and volumes: kubectl delete -f FILE."
)

#: What an object is, by its kind, and of ConfigMaps by what is in their name.
_ABOUT = {
    "Namespace": "It enforces the restricted Pod Security standard.",
    "Secret": "NODE.priv_validator_key.json and NODE.node_key.json of each node.",
    "ResourceQuota": "Room for the nodes and for a few pods more.",
    "LimitRange": "What a container gets that names no resources.",
    "NetworkPolicy": "P2P and RPC among the network's own pods, metrics for its monitor, DNS; nothing else.",
    "Service": "Stable names: CometBFT looks a peer's name up once, so that it must never stand for a pod's IP.",
    "PodDisruptionBudget": "As many validators may be evicted at once as together hold less than a third of the power.",
    "StatefulSet": "Its pods are only replaced when they are deleted (OnDelete): a change restarts nothing by itself.",
    CONFIG: "The genesis, or the head of what is too large for one ConfigMap. Where pods make their own keys, all but "
    "these, and the validators' names and powers.",
    "tm-nodes": "One row a node, read when it starts: name, moniker, id, mode, peers, seeds, private peers.",
    "-settings-": "Configuration and scripts of all nodes. Its name is the hash of its content.",
    "tm-app-": "Files of the application. Its name is the hash of its content.",
}


class Vault(t.Protocol):
    """Encrypts with the password of the run. Both raise a MintnetError where there is none, or a wrong one."""

    def open(self, doing: str, text: str) -> str: ...

    def seal(self, doing: str, text: str) -> str: ...


class NoVault:
    """Where a module runs as a program, which is not told of any password."""

    def open(self, doing: str, text: str) -> str:
        raise MintnetError(f"{doing}: it is encrypted; {HOW_TO_DECRYPT}")

    def seal(self, doing: str, text: str) -> str:
        raise MintnetError(f"{doing}: there is no vault password to encrypt it with; {HOW_TO_DECRYPT}")


def check_place(place: Path) -> None:
    """Refuse a folder in which something else has a name of ours, and a file of somebody else."""
    kind = _kind(place)
    if kind == "file":
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise MintnetError(f"{DOING}: {place} is no file; name another one")
        folder, names = place.parent, [place.name]
    else:
        if place.exists() and not place.is_dir():
            raise MintnetError(f"{DOING}: {place} is no folder; name another one")
        folder = place
        names = [SECRETS.file, GENESIS.file, *(stage.file for stage in WAVES), KUSTOMIZATION]
    foreign = [name for name in names if (folder / name).is_symlink() or not _ours(folder / name)]
    if foreign:
        verb, other = ("is", "it") if len(foreign) == 1 else ("are", "them")
        raise MintnetError(
            f"{DOING}: {', '.join(foreign)} in {folder} {verb} not ours, and left alone; name another "
            f"{kind}, or move {other} away"
        )


def _kind(place: Path) -> str:
    return "file" if is_single(place.name) else "folder"


def _ours(path: Path) -> bool:
    """Whether we may write it; what is encrypted shows only to those who can open it."""
    text = read(path)
    return text is None or text.startswith((f"{MARK}\n", ENCRYPTED))


def read(path: Path) -> str | None:
    try:
        return _files.read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise MintnetError(f"reading {path}: {error}") from error


# Text


def text_of(stage: Stage, objects: Iterable[Json]) -> str:
    return f"{MARK}\n{_comment(stage.why)}{''.join(_documents(objects))}"


def whole_text(objects: Sequence[Json]) -> str:
    """All of it in one file, in the order of the stages."""
    genesis = [item for item in objects if _is_genesis(item)]
    namespace, *rest = _objects.in_waves([item for item in objects if not _is_genesis(item)])
    stages = zip((NAMESPACE, GENESIS, *WAVES[1:]), (namespace, genesis, *rest), strict=True)
    texts = [text for stage, found in stages if found for text in _documents(found, stage.why)]
    return f"{MARK}\n{_comment(WHOLE)}{''.join(texts)}"


def _documents(objects: Iterable[Json], why: str = "") -> Iterator[str]:
    said = ""
    for item in objects:
        about = _about(item)
        # Of many of a kind it is said once.
        comment = "#\n".join(map(_comment, filter(None, (why, about if about != said else ""))))
        yield f"---\n{comment}{_dump(item)}"
        said, why = about, ""


def objects_of(text: str) -> list[Json]:
    import yaml

    return [item for item in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if item]


def _about(item: Json) -> str:
    name = item["metadata"]["name"]
    return _ABOUT.get(item["kind"]) or next((said for part, said in _ABOUT.items() if part in name), "")


def _comment(text: str) -> str:
    """Lines of a comment, none of them long."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > 116:
            lines.append("")
        lines[-1] += f" {word}"
    return "".join(f"#{line}\n" for line in lines)


_TOP = ("apiVersion", "kind", "metadata", "type", "immutable")
_METADATA = ("name", "namespace", "labels", "annotations")


def _ordered(item: Json) -> Json:
    """In the same order, whether a cluster gave it or we have made it."""
    metadata = _first(item["metadata"], _METADATA)
    for name in ("labels", "annotations"):
        if name in metadata:
            metadata[name] = dict(sorted(metadata[name].items()))
    ordered = _first({**item, "metadata": metadata}, _TOP)
    return {
        name: dict(sorted(value.items())) if name in ("data", "binaryData") else value
        for name, value in ordered.items()
    }


def _first(members: Mapping[str, t.Any], names: Iterable[str]) -> Json:
    return {**{name: members[name] for name in names if name in members}, **members}


def _dump(item: Json) -> str:
    """The same on every machine: long texts line by line, and in quotes whatever a reader may take for no text."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: t.Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        style = '"'
        if "\n" in value and not _BREAKS.search(value):
            style = "|"
        elif _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            style = ""
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style or None)

    Dumper.add_representer(str, text)
    # Every string is a plain one: Ansible's own know where they came from.
    plain = json.loads(json.dumps(_ordered(item)))
    return str(yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1_000_000))


# A file in the place of a cluster


class Manifest:
    """The objects of one file. Each has its version, as in a cluster: whoever writes with an old one is refused."""

    def __init__(
        self, place: Path, stage: Stage, network: str, *, vault: Vault | None = None, sealed: bool = False
    ) -> None:
        check_place(place)
        self._kind = _kind(place)
        if self._kind == "file" and stage is SECRETS:
            raise MintnetError(
                f"{DOING} to {place}: one file holds no private keys; name a folder, or leave the keys to the pods"
            )
        self.path = place if self._kind == "file" else place / stage.file
        self.sealed = sealed
        self._stage = stage
        self._network = network
        self._vault = vault or NoVault()
        if sealed:
            # Where there is no password, that is said before anything is made.
            self._vault.seal(f"writing {self.path}", "")

    @property
    def opened(self) -> str | None:
        """What is in the file, decrypted."""
        text = read(self.path)
        return self._vault.open(f"reading {self.path}", text) if text and text.startswith(ENCRYPTED) else text

    @property
    def objects(self) -> list[Json]:
        found = objects_of(self.opened or "")
        others = {_namespace(item) for item in found} - {self._network}
        if others:
            raise MintnetError(
                f"reading {self.path}: it is of the network {', '.join(sorted(map(str, others)))}, not of "
                f"{self._network}; name another {self._kind}"
            )
        return found

    @property
    def as_asked(self) -> bool:
        """Whether it is encrypted, or not, as it is to be."""
        return (read(self.path) or "").startswith(ENCRYPTED) == self.sealed

    def write(self, objects: Sequence[Json]) -> None:
        text = whole_text(objects) if self._kind == "file" else text_of(self._stage, objects)
        if self.sealed:
            text = self._vault.seal(f"writing {self.path}", text)
        _replace(self.path, text, self._stage.mode)

    def get(self, doing: str, kind: str, namespace: str | None = None, name: str | None = None) -> Json | None:
        found = _find(self.objects, kind, name)
        return None if found is None else _versioned(found)

    def create(self, doing: str, definition: Json) -> Json:
        name = definition["metadata"]["name"]
        with self._locked() as objects:
            if _find(objects, definition["kind"], name) is not None:
                raise ClusterError(f"{doing}: {name} already exists", 409, "AlreadyExists")
            self.write([*objects, definition])
        return _versioned(definition)

    def merge(self, doing: str, kind: str, namespace: str, name: str, patch: Json) -> Json:
        with self._locked() as objects:
            old = _find(objects, kind, name)
            if old is None:
                raise ClusterError(f"{doing}: {name} is not there", 404, "NotFound")
            version = patch["metadata"].get("resourceVersion")
            if version and version != _versioned(old)["metadata"]["resourceVersion"]:
                raise ClusterError(f"{doing}: {name} was changed by somebody else", 409, "Conflict")
            new: Json = merge(old, patch)
            new["metadata"].pop("resourceVersion", None)
            self.write([new if item is old else item for item in objects])
        return _versioned(new)

    def delete(self, doing: str, kind: str, namespace: str, name: str) -> None:
        with self._locked() as objects:
            gone = _find(objects, kind, name)
            self.write([item for item in objects if item is not gone])

    @contextmanager
    def _locked(self) -> Iterator[list[Json]]:
        """What is in the file, which nobody else writes meanwhile."""
        with _locked(self.path.parent):
            yield self.objects


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(_files.locked(folder))
        except OSError as error:
            raise system_error(f"{DOING} to {folder}", error) from error
        yield


def _replace(path: Path, text: str, mode: int) -> None:
    try:
        _files.replace(path, text, mode)
    except OSError as error:
        raise system_error(f"writing {path}", error) from error


def _is_genesis(item: Json) -> bool:
    return (item["kind"], item["metadata"]["name"]) == ("ConfigMap", CONFIG)


def _namespace(item: Json) -> str | None:
    metadata = item["metadata"]
    found: str | None = metadata.get("name" if item["kind"] == "Namespace" else "namespace")
    return found


def _find(objects: Sequence[Json], kind: str, name: str | None) -> Json | None:
    return next((item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name)), None)


def _versioned(item: Json) -> Json:
    version = hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
    return {**item, "metadata": {**item["metadata"], "resourceVersion": version}}


# The whole


@dataclass(frozen=True)
class Wanted:
    network: str
    definitions: Sequence[Json]
    #: What becomes of the keys: none (left as they are), vault or plain.
    secrets: str
    #: Those of the cluster, where the network lives; otherwise what was made in the folder is taken.
    live_secrets: Sequence[Json] = ()
    live_genesis: Sequence[Json] = ()


@dataclass
class Outcome:
    #: Those that there are of us afterwards, in the order in which they are applied.
    files: list[str]
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    #: Whether there is a file with keys that nobody asked for.
    keys_kept: bool = False
    diff: list[dict[str, str]] = field(default_factory=list)


def write(place: Path, wanted: Wanted, vault: Vault | None, *, dry_run: bool) -> Outcome:
    """Make the folder, or the one file, what is wanted. Files of others stay, and so does one with keys."""
    _objects.check(wanted.definitions)
    if _kind(place) == "file":
        return _write_single(place, wanted, dry_run=dry_run)
    return _write_folder(place, wanted, vault, dry_run=dry_run)


def _write_single(path: Path, wanted: Wanted, *, dry_run: bool) -> Outcome:
    there = Manifest(path, SECRETS if wanted.secrets != "none" else GENESIS, wanted.network).objects
    genesis = list(wanted.live_genesis) or [item for item in there if _is_genesis(item)]
    before, text = read(path), whole_text([*genesis, *wanted.definitions])
    outcome = Outcome([path.name])
    if text != before:
        outcome.written, outcome.diff = [path.name], [_diff(path.name, before or "", text)]
        if not dry_run:
            with _locked(path.parent):
                _replace(path, text, PODS.mode)
    return outcome


def _write_folder(folder: Path, wanted: Wanted, vault: Vault | None, *, dry_run: bool) -> Outcome:
    secrets = Manifest(folder, SECRETS, wanted.network, vault=vault, sealed=wanted.secrets == "vault")
    texts = {
        stage.file: text_of(stage, objects)
        for stage, objects in zip(WAVES, _objects.in_waves(wanted.definitions), strict=True)
        if objects
    }
    if wanted.live_genesis:
        texts[GENESIS.file] = text_of(GENESIS, wanted.live_genesis)
    listed = sorted({*texts, GENESIS.file, *([SECRETS.file] if wanted.secrets == "plain" else [])})
    texts[KUSTOMIZATION] = _kustomization(listed, wanted.secrets)
    outcome = Outcome([*sorted({*listed, *([] if wanted.secrets == "none" else [SECRETS.file])}), KUSTOMIZATION])
    outcome.keys_kept = wanted.secrets == "none" and secrets.path.exists()

    keys = _keys(secrets, wanted)
    before = {name: read(folder / name) for name in texts}
    changed = {name: text for name, text in sorted(texts.items()) if text != before[name]}
    outcome.removed = _leftovers(folder, {*texts, GENESIS.file, SECRETS.file})
    outcome.written = ([SECRETS.file] if keys is not None else []) + list(changed)
    outcome.diff = [_diff(name, before[name] or "", text) for name, text in changed.items()]
    outcome.diff += [_diff(name, read(folder / name) or "", "") for name in outcome.removed]
    if keys is not None:
        outcome.diff.insert(0, _diff(SECRETS.file, _entries(secrets.objects), _entries(keys)))
    if dry_run or not (outcome.written or outcome.removed):
        return outcome
    with _locked(folder):
        if keys is not None:
            secrets.write(keys)
        for name, text in changed.items():
            _replace(folder / name, text, 0o644)
        for name in outcome.removed:
            (folder / name).unlink()
    return outcome


def _keys(secrets: Manifest, wanted: Wanted) -> list[Json] | None:
    """The Secrets that have to be written; none where the file is as it should be, or is nobody's concern."""
    if wanted.secrets == "none":
        return None
    there = secrets.objects
    after = list(wanted.live_secrets) or there
    known = dict(_values(after))
    lost = [key for (name, key), value in _values(there) if known.get((name, key)) != value]
    if lost:
        shown = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        raise MintnetError(
            f"writing {secrets.path}: it holds other keys than the cluster ({shown}); move it away, or name another "
            "folder"
        )
    if not after or (secrets.opened == text_of(SECRETS, after) and secrets.as_asked):
        return None
    return after


def _values(secrets: Iterable[Json]) -> Iterator[tuple[tuple[str, str], str]]:
    for secret in secrets:
        for key, value in (secret.get("data") or {}).items():
            yield (secret["metadata"]["name"], key), value


def _entries(secrets: Iterable[Json]) -> str:
    """What a difference may show of them."""
    return "".join(f"{name}: {key}\n" for (name, key), _value in sorted(_values(secrets)))


def _leftovers(folder: Path, names: Iterable[str]) -> list[str]:
    """Files of ours that an earlier run made, and this one does not."""
    if not folder.is_dir():
        return []
    return sorted(
        path.name
        for path in folder.glob("[0-9][0-9]-*.yaml")
        if path.name not in names and path.is_file() and (_begin(path).startswith(f"{MARK}\n".encode()))
    )


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(MARK) + 1)


def _diff(name: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": name, "after_header": name, "before": before, "after": after}


_ABOUT_SECRETS = {
    "none": "The Secrets with the nodes' private keys are not among these files.",
    "vault": f"{SECRETS.file} is encrypted, so that kubectl cannot read it. After the namespace and before the rest it "
    f"is applied by: ansible-vault view {SECRETS.file} | kubectl apply --server-side -f -",
    "plain": f"{SECRETS.file} holds the nodes' private keys, and is not encrypted.",
}


def _kustomization(names: Iterable[str], secrets: str) -> str:
    resources = "".join(f"  - {name}\n" for name in names)
    return (
        f"{MARK}\n# To apply all of it: kubectl apply --server-side -k .\n# To see what differs: kubectl diff -k .\n"
        f"{_comment(_ABOUT_SECRETS[secrets])}"
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"sortOptions:\n  order: fifo\nresources:\n{resources}"
    )
