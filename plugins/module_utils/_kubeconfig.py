# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster's entries in the user's kubeconfig file, next to whatever else is in it.

What is ours carries an extension, as kubectl's own format foresees; nothing without it is ever changed or removed.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import fcntl
import hashlib
import os
import stat
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, MissingLibraryError

EXTENSION = "mintnet.io/kubernetes"
#: The lists of a kubeconfig, and the field of an entry that holds what the name stands for.
SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}
SECRET = "(hidden)"
_LOCK_MODE = 0o600

Config = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Credentials:
    """All data as a kubeconfig has it: Base64 of PEM."""

    server: str
    tls_server_name: str
    certificate_authority_data: str
    client_certificate_data: str
    client_key_data: str = dataclasses.field(repr=False)
    #: All servers of the cluster where there are several, of which ``server`` is one.
    servers: tuple[str, ...] = ()

    def entries(self, name: str) -> dict[str, Config]:
        mark = {"extensions": [{"name": EXTENSION, "extension": {"cluster": name}}]}
        cluster: Config = {"certificate-authority-data": self.certificate_authority_data, "server": self.server, **mark}
        if self.tls_server_name:
            cluster["tls-server-name"] = self.tls_server_name
        if self.servers:
            extension = {"cluster": name, "servers": list(self.servers)}
            cluster["extensions"] = [{"name": EXTENSION, "extension": extension}]
        user = {"client-certificate-data": self.client_certificate_data, "client-key-data": self.client_key_data}
        return {
            "clusters": {"name": name, "cluster": cluster},
            "users": {"name": name, "user": {**user, **mark}},
            "contexts": {"name": name, "context": {"cluster": name, "user": name, **mark}},
        }


def merge(config: Config, name: str, credentials: Credentials, path: str = "kubeconfig") -> Config:
    """The file with our entries. A namespace that the user set in our context is kept."""
    result = copy.deepcopy(config)
    for section, wanted in credentials.entries(name).items():
        field = SECTIONS[section]
        entries = result[section] = list(result.get(section) or [])
        for index, entry in enumerate(entries):
            if entry["name"] != name:
                continue
            if not _is_ours(entry, field) and not _same(entry[field], wanted[field]):
                raise MintnetError(
                    f"adding context {name} to {path}: it already has another {field} of that name, which is not ours; "
                    f"rename one: kubectl config rename-context {name} NEWNAME, or choose another mintnet_cluster"
                )
            if section == "contexts" and "namespace" in (entry[field] or {}):
                wanted[field]["namespace"] = entry[field]["namespace"]
            entries[index] = wanted
            break
        else:
            entries.append(wanted)
    return result


def remove(config: Config, name: str) -> Config:
    """The file without our entries of this name. Others of the same name stay."""
    result = copy.deepcopy(config)
    removed = set()
    for section, field in SECTIONS.items():
        kept = [one for one in result.get(section) or [] if one["name"] != name or not _is_ours(one, field)]
        if len(kept) != len(result.get(section) or []):
            removed.add(section)
            result[section] = kept
    if "contexts" in removed and result.get("current-context") == name:
        # It would point to nothing, and every kubectl without --context would fail on it.
        result["current-context"] = ""
    return result


def servers_of(config: Config, name: str) -> list[str]:
    """The server that our context leads to, and behind it the others of that cluster, if there are several."""
    cluster = _named(config, "clusters", name)
    for extension in cluster.get("extensions") or []:
        if extension.get("name") == EXTENSION:
            others = (extension.get("extension") or {}).get("servers") or []
            return [str(cluster["server"]), *(str(one) for one in others if one != cluster["server"])] if others else []
    return []


def lead_to(config: Config, name: str, server: str) -> Config:
    """The file with our context leading to another server of the same cluster."""
    result = copy.deepcopy(config)
    _named(result, "clusters", name)["server"] = server
    return result


def _is_ours(entry: Config, field: str) -> bool:
    extensions = (entry.get(field) or {}).get("extensions") or []
    return any(one.get("name") == EXTENSION for one in extensions)


def _same(found: Config | None, wanted: Config) -> bool:
    """An entry without our mark that means the same, such as a copy of the cluster's own admin.conf."""
    return found is not None and all(found.get(key) == value for key, value in wanted.items() if key != "extensions")


def load(path: Path) -> Config:
    """What the file holds; an empty or missing file holds nothing."""
    try:
        import yaml
    except ImportError as error:
        raise MissingLibraryError("PyYAML", f"reading {path}", error) from error

    doing = f"reading the kubeconfig {path}"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = None
    except OSError as error:
        raise MintnetError(f"{doing}: {error.strerror}; make it readable or name another file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # The library's own words would quote the file, secrets included.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise MintnetError(f"{doing}: it is not valid YAML{where}; repair it or name another file") from None
    if found is None:
        return {"apiVersion": "v1", "kind": "Config"}
    if not isinstance(found, dict) or not all(_well_formed(found, section) for section in SECTIONS):
        raise MintnetError(f"{doing}: it is not a kubeconfig file; repair it or name another file")
    return found


def _well_formed(config: Config, section: str) -> bool:
    entries = config.get(section) or []
    field = SECTIONS[section]
    return isinstance(entries, list) and all(
        isinstance(one, dict) and "name" in one and isinstance(one.get(field) or {}, dict) for one in entries
    )


def dump(config: Config) -> str:
    import yaml

    return str(yaml.safe_dump(config, default_flow_style=False, sort_keys=True, allow_unicode=True, width=1 << 20))


def beside(path: Path) -> Path:
    """Where the file is written before it takes its place: always there, so that what was cut off is found again."""
    target = path.resolve()
    return target.with_name(f".{target.name}.mintnet")


def save(path: Path, config: Config) -> None:
    """Whole or not at all, under the lock. The mode stays, a link is followed, and a new file is only for its owner."""
    target, draft = path.resolve(), beside(path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = target.stat() if target.exists() else None
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as stream:
            stream.write(dump(config))
            if before:
                os.fchmod(stream.fileno(), stat.S_IMODE(before.st_mode))
                if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(stream.fileno(), before.st_uid, before.st_gid)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """The lock that kubectl takes: a file FILE.lock that only one can create.

    A run of ours that is killed leaves it. So ours is also locked in the kernel, which forgets that with the process,
    and is known by its mode, since kubectl's has none: whoever can lock such a file takes it over.
    """
    lock = path.with_name(f"{path.name}.lock")
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    until = time.monotonic() + timeout
    while (handle := _take(path, lock)) is None:
        if time.monotonic() >= until:
            raise MintnetError(
                f"locking {path}: {lock} has been there for {timeout:g} s; "
                "if no kubectl or other tool is writing the file, remove the lock"
            )
        time.sleep(0.05)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            lock.unlink()
        os.close(handle)


def _take(path: Path, lock: Path) -> int | None:
    """A handle that holds the lock, or None where somebody else has it."""
    try:
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_RDWR, _LOCK_MODE)
        except FileExistsError:
            if stat.S_IMODE(lock.lstat().st_mode) != _LOCK_MODE:
                return None
            handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None  # it went away meanwhile
    except OSError as error:
        raise MintnetError(f"locking {path}: {error.strerror}; make its folder writable") from error
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another may have taken over, finished and removed what we opened.
        if os.path.samestat(os.fstat(handle), lock.stat()):
            return handle
    os.close(handle)
    return None


def summary(config: Config, name: str) -> dict[str, t.Any]:
    """What a context leads to, without secrets; empty where it leads nowhere."""
    context = _named(config, "contexts", name)
    cluster = _named(config, "clusters", str(context.get("cluster", "")))
    user = _named(config, "users", str(context.get("user", "")))
    certificate = str(user.get("client-certificate-data") or "")
    return {
        "server": str(cluster.get("server") or ""),
        "servers": sorted(servers_of(config, str(context.get("cluster", "")))),
        "tls_server_name": str(cluster.get("tls-server-name") or ""),
        "certificate_authority_data": str(cluster.get("certificate-authority-data") or ""),
        "client_certificate_sha256": hashlib.sha256(certificate.encode()).hexdigest() if certificate else "",
    }


def _named(config: Config, section: str, name: str) -> Config:
    for entry in config.get(section) or []:
        if entry["name"] == name:
            return entry.get(SECTIONS[section]) or {}
    return {}


def public(config: Config, name: str) -> str:
    """The entries of this name, for a diff: server and authority are public, what follows in "users" is not."""
    shown = {section: [one for one in config.get(section) or [] if one["name"] == name] for section in SECTIONS}
    shown = copy.deepcopy({section: entries for section, entries in shown.items() if entries})
    for user in shown.get("users", []):
        user["user"] = dict.fromkeys((key for key in user["user"] or {} if key != "extensions"), SECRET)
    return dump(shown) if shown else ""
