# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network of four survives: changes of its nodes, lost peers, lost volumes, dying pods and machines."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from surroundings import NETWORK, User

NODES = ["tm-0", "tm-1", "tm-2", "tm-3"]
FAST = "-e cometbft_block_time=500ms"
NO_IMAGE = "-e cometbft_image=cometbft/cometbft:v0.0.1"
MENDED = "localhost/mended:1"


@pytest.fixture(scope="module", autouse=True)
def network(user: User, clone: Path) -> None:
    """A chain of four; this file can be run alone."""
    user.run("make create", clone)
    assert user.nodes() == NODES
    user.run("make tx TX='kept=through all'", clone)


def started(user: User) -> dict[str, float]:
    """When each pod was made."""
    return {
        pod["metadata"]["name"]: datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp()
        for pod in user.get("pods")
    }


def budget(user: User) -> int:
    (found,) = user.get("poddisruptionbudgets")
    return int(found["spec"]["minAvailable"])


# --- rolling changes -------------------------------------------------------------------------------------------------


def test_check_run_tells_whom_a_change_replaces(user: User, clone: Path) -> None:
    before = user.objects(), user.pods()
    run = user.run(f"make create ARGS='--check {FAST}'", clone)
    assert "would replace tm-3, tm-2, tm-1, tm-0, one by one" in run.output
    assert (user.objects(), user.pods()) == before


def test_change_is_rolled_node_by_node(user: User, clone: Path) -> None:
    before, height = user.pods(), user.height("tm-0")
    user.run(f"make create ARGS='{FAST}'", clone)
    after, made = user.pods(), started(user)
    assert not {uid for uid, _restarts in before.values()} & {uid for uid, _restarts in after.values()}
    assert sorted(made, key=made.__getitem__) == ["tm-3", "tm-2", "tm-1", "tm-0"]
    gap = user.longest_gap(height)
    user.note(f"longest block interval during the roll of four: {gap:.1f} s")
    assert gap < 30
    assert budget(user) == 3
    assert user.agree() > height
    again = user.run(f"make create ARGS='{FAST}'", clone)
    assert again.changed == 0
    user.note(f"second create with four nodes: {again.seconds:.1f} s")
    assert user.pods() == after


@pytest.mark.long
def test_settings_of_one_node_replace_only_that_one(user: User, clone: Path) -> None:
    file = user.home / "one-node.yml"
    file.write_text("cometbft_node_config: {tm-1: {log_level: 'consensus:debug,*:info'}}\n", encoding="utf-8")
    before = user.pods()
    check = user.run(f"make create NETWORK={file} ARGS='--check {FAST}'", clone)
    assert "would replace tm-1, one by one" in check.output
    for arguments in (f"NETWORK={file} ", ""):
        user.run(f"make create {arguments}ARGS='{FAST}'", clone)
        after = user.pods()
        assert [name for name in NODES if before[name] != after[name]] == ["tm-1"]
        before = after


def test_bad_image_stops_at_the_first_node(user: User, clone: Path) -> None:
    before = user.pods()
    run = user.run(f"make create ARGS='{FAST} {NO_IMAGE}'", clone, code=1)
    assert "tm-3 (1 of 4)" in run.output
    assert "cometbft/cometbft:v0.0.1" in run.output
    after = user.pods()
    assert {name: after[name] for name in NODES[:3]} == {name: before[name] for name in NODES[:3]}
    assert after["tm-3"] != before["tm-3"]
    # An evicted pod would come back with the bad image, so none is.
    assert budget(user) == 4
    height = user.height("tm-0")
    user.wait("the chain goes on", lambda: user.height("tm-0") > height + 2)


def test_mended_image_goes_on(user: User, clone: Path) -> None:
    before = user.pods()
    user.run(f"make create ARGS='{FAST}'", clone)
    after = user.pods()
    # The others never left the image that is wanted again.
    assert {name: after[name] for name in NODES[:3]} == {name: before[name] for name in NODES[:3]}
    assert budget(user) == 3
    user.agree()


@pytest.mark.long
def test_another_image_mends_it_for_all(user: User, clone: Path) -> None:
    """The first node has the bad image, the others an old one: the third one goes on with the first, over all."""
    (image,) = {item["image"] for item in user.get("pod tm-0")["spec"]["containers"] if item["name"] == "tm"}
    (name,) = [one for one in user.inside("ctr -n k8s.io images ls -q").split() if f"/{one}".endswith(f"/{image}")]
    user.run(f"make create ARGS='{FAST} {NO_IMAGE}'", clone, code=1)
    before, height = user.pods(), user.height("tm-0")
    user.inside(f"ctr -n k8s.io images tag {name} {MENDED}")
    mended = f"make create ARGS='{FAST} -e cometbft_image={MENDED}'"
    try:
        user.run(mended, clone)
        after, made = user.pods(), started(user)
        assert not {uid for uid, _restarts in before.values()} & {uid for uid, _restarts in after.values()}
        assert sorted(made, key=made.__getitem__) == ["tm-3", "tm-2", "tm-1", "tm-0"]
        containers = [item for pod in user.get("pods") for item in pod["spec"]["containers"]]
        assert {item["image"] for item in containers if item["name"] == "tm"} == {MENDED}
        assert budget(user) == 3
        gap = user.longest_gap(height)
        user.note(f"longest block interval while the roll went on with another image: {gap:.1f} s")
        assert gap < 30
        assert user.run(mended, clone).changed == 0
    finally:
        user.run(f"make create ARGS='{FAST}'", clone)
        user.inside(f"ctr -n k8s.io images rm {MENDED}")
    user.agree()


@pytest.mark.long
def test_size_of_resources_is_rolled_too(user: User, clone: Path) -> None:
    file = user.home / "more.yml"
    file.write_text("cometbft_resources: {limits: {memory: 768Mi}}\n", encoding="utf-8")
    before = user.pods()
    user.run(f"make create ARGS='{FAST}' NETWORK={file}", clone)
    after = user.pods()
    assert all(before[name] != after[name] for name in NODES)
    user.run(f"make create ARGS='{FAST}'", clone)
    user.agree()


# --- peers -----------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_lost_peers_are_found_and_brought_back(user: User, clone: Path) -> None:
    """Two nodes cannot reach each other while they start; after 20 attempts they dial less and less often.

    The other two pass on what they say, and the repair replaces one node: more than two thirds are there all the time.
    """
    height = user.height("tm-0")
    addresses = [user.get(f"pod {node}")["status"]["podIP"] for node in ("tm-1", "tm-2")]
    wall = [
        f"FORWARD -s {source} -d {target} -p tcp -m comment --comment tests-wall -j DROP"
        for source, target in itertools.permutations(addresses)
    ]
    iptables = f"podman exec {user.machine} iptables --wait"
    for rule in wall:
        user.run(f"{iptables} -I {rule}", user.home)
    try:
        user.wait("status finds it", lambda: "no connection to tm-2" in user.run("make status", clone).output)
        # The 20 attempts, and the pauses of 3, 9 and 27 s behind them: the next one takes more than a minute.
        time.sleep(230)
    finally:
        for rule in wall:
            user.run(f"{iptables} -D {rule}", user.home)
    assert "no connection to tm-2" in user.run("make status", clone).output
    before = user.pods()
    run = user.run(f"make create ARGS='{FAST}'", clone)
    assert run.changed > 0
    after = user.pods()
    assert len([name for name in NODES if before[name] != after[name]]) == 1
    assert {node: int(user.rpc(node, "net_info")["n_peers"]) for node in NODES} == dict.fromkeys(NODES, 3)
    gap = user.longest_gap(height)
    user.note(f"longest block interval while two nodes had lost each other and were repaired: {gap:.1f} s")
    assert gap < 15


# --- lost volumes ----------------------------------------------------------------------------------------------------


def lose(user: User, node: str) -> None:
    user.kubectl(f"-n {NETWORK} delete pvc data-{node} --wait=false")
    user.kubectl(f"-n {NETWORK} delete pod {node}")


def init_state(user: User, node: str) -> str:
    return user.kubectl(f"-n {NETWORK} logs {node} -c tm-gen-validator", code=None).output


def test_validator_that_lost_its_volume_is_not_started(user: User, clone: Path) -> None:
    """After the first vote, starting over could sign twice."""
    lose(user, "tm-3")
    user.wait("tm-3 says why it is not started", lambda: "priv_validator_state" in init_state(user, "tm-3"))
    states = user.get("pod tm-3")["status"]["containerStatuses"]
    assert not any(state["started"] for state in states)
    # Three of four hold more than two thirds: the others go on.
    height = user.height("tm-0")
    user.wait("the others go on", lambda: user.height("tm-0") > height + 1)
    run = user.run("make status", clone, code=1)
    assert "make recover NODE=tm-3" in run.output


def test_recovery_needs_a_confirmation(user: User, clone: Path) -> None:
    before = user.objects()
    run = user.run("make recover NODE=tm-3", clone, code=1)
    assert "CONFIRM=yes" in run.output
    assert user.objects() == before


@pytest.mark.long
def test_recovery_is_refused_where_the_chain_needs_it(user: User, clone: Path) -> None:
    user.kubectl(f"taint node {user.machine} tests=hold:NoSchedule")
    try:
        user.kubectl(f"-n {NETWORK} delete pod tm-2")
        record = user.get("configmap tm-started")["data"]
        run = user.run("make recover NODE=tm-3 CONFIRM=yes", clone, code=1)
        assert "the chain stands still" in run.output
        assert user.get("configmap tm-started")["data"] == record
    finally:
        user.kubectl(f"taint node {user.machine} tests-")
    user.wait("tm-2 is back", lambda: user.height("tm-2") > 0)


def test_recovered_validator_votes_again(user: User, clone: Path) -> None:
    record = user.get("configmap tm-started")["data"]
    user.run("make recover NODE=tm-3 CONFIRM=yes", clone)
    assert user.read("tm-3", "kept") == "through all"
    user.agree()
    address = user.rpc("tm-3", "status")["validator_info"]["address"]

    def votes() -> bool:
        newest = user.rpc("tm-0", "commit")["signed_header"]["commit"]["signatures"]
        return any(item["validator_address"] == address for item in newest)

    user.wait("tm-3 votes again", votes)
    # It may not start without its state a second time.
    assert user.get("configmap tm-started")["data"] == record
    user.nobody_signed_twice()
    assert user.run("make recover NODE=tm-3 CONFIRM=yes", clone).changed == 0
    assert user.run(f"make create ARGS='{FAST}'", clone).changed == 0


@pytest.mark.long
def test_full_node_that_lost_its_volume_heals(user: User, clone: Path) -> None:
    user.run(f"make create ARGS='{FAST} -e cometbft_nodes=5 -e cometbft_validators=4'", clone)
    lose(user, "tm-4")
    user.wait("tm-4 has caught up", lambda: user.height("tm-4") >= user.height("tm-0") - 1)
    assert user.read("tm-4", "kept") == "through all"


@pytest.mark.long
def test_node_that_a_transaction_gives_a_vote_is_recorded(user: User, clone: Path) -> None:
    """From then on its lost volume would not be nothing."""
    key = user.rpc("tm-4", "status")["validator_info"]["pub_key"]["value"]
    assert "tm-4" not in user.get("configmap tm-started")["data"]
    user.run(f"make tx TX='val=ed25519!{key}!1'", clone)
    assert "tm-4" in user.get("configmap tm-started")["data"]
    run = user.run(f"make create CONFIRM=yes ARGS='{FAST}'", clone, code=1)
    assert "tm-4 holds 1 of 41 power: take its power away" in run.output
    user.run(f"make tx TX='val=ed25519!{key}!0'", clone)
    user.wait("tm-4 has no vote", lambda: len(user.rpc("tm-0", "validators")["validators"]) == 4)
    user.run(f"make create CONFIRM=yes ARGS='{FAST}'", clone)
    user.wait("tm-4 has ended", lambda: user.nodes() == NODES)


# --- pods and machines die -------------------------------------------------------------------------------------------


LOST = [*itertools.combinations(NODES, 1), *itertools.combinations(NODES, 2)]


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param(nodes, marks=() if nodes == ("tm-1", "tm-2") else pytest.mark.long, id="+".join(nodes))
        for nodes in LOST
    ],
)
def test_killed_pods_come_back(user: User, nodes: tuple[str, ...]) -> None:
    height = max(user.height(node) for node in NODES)
    user.lose_pods(*nodes)
    took = user.wait(
        f"all are above height {height}", lambda: all(user.height(node) > height for node in NODES), seconds=180
    )
    user.note(f"{' and '.join(nodes)} killed: all nodes above the old height after {took:.1f} s")
    assert user.values(NODES, "kept") == dict.fromkeys(NODES, "through all")
    if len(nodes) > 1:
        user.nobody_signed_twice()


def stop_two(user: User) -> None:
    user.kubectl(f"-n {NETWORK} scale statefulset tm --replicas=2")
    user.wait("tm-2 and tm-3 have ended", lambda: user.nodes() == NODES[:2])


def start_all(user: User) -> None:
    user.kubectl(f"-n {NETWORK} scale statefulset tm --replicas=4")
    user.wait("all have started", lambda: all(user.height(node) > 0 for node in NODES))


@contextlib.contextmanager
def small_disks(user: User) -> Iterator[list[str]]:
    """The folders of the volumes of tm-2 and tm-3, in memory and with little room.

    The data move there and back, so that there is never an older copy of what a validator has signed to start from.
    """
    paths = []
    for node in NODES[2:]:
        name = user.get(f"pvc data-{node}")["spec"]["volumeName"]
        spec = user.get(f"persistentvolume {name}")["spec"]
        paths.append((spec.get("hostPath") or spec.get("local"))["path"])
    stop_two(user)
    for path in paths:
        user.inside(
            f"set -e; mkdir {path}.small; size=$(($(du -sk {path} | cut -f 1) + 32768)); "
            f"mount -t tmpfs -o size=${{size}}k tmpfs {path}.small; cp -a {path}/. {path}.small; "
            f"find {path} -mindepth 1 -delete; mount --bind {path}.small {path}"
        )
    start_all(user)
    try:
        yield paths
    finally:
        stop_two(user)
        for path in paths:
            user.inside(f"set -e; umount {path}; cp -a {path}.small/. {path}; umount {path}.small; rmdir {path}.small")
        start_all(user)


@pytest.mark.long
def test_disk_that_is_full_for_a_while(user: User, clone: Path) -> None:
    """Two of four cannot write, so the chain stands still until they have room again."""
    user.run("make tx TX='room=before it was full'", clone)
    height = max(user.height(node) for node in NODES)
    with small_disks(user) as disks:
        user.wait("the chain goes on", lambda: user.height("tm-0") > height + 2)

        def fill() -> None:
            # Again and again: databases make room when they put their files in order.
            for disk in disks:
                user.inside(f"dd if=/dev/zero of={disk}/fill bs=4k oflag=append conv=notrunc 2>/dev/null || true")

        def stands() -> bool:
            fill()
            before = user.height("tm-0")
            time.sleep(4)
            return user.height("tm-0") == before

        def told() -> bool:
            fill()
            output = " ".join(user.run("make status", clone, code=1).output.split())
            return "tm-2, tm-3: its disk is full" in output and "the quorum is short by 7 power" in output

        user.wait("the chain stands still", stands)
        stood = user.height("tm-0")
        # A node that can no longer write does not end by itself in each case.
        user.kubectl(f"-n {NETWORK} delete pod tm-2 tm-3")
        user.wait("status names both, and their disks", told, seconds=180)
        assert user.height("tm-0") <= stood + 1
        for disk in disks:
            user.inside(f"rm {disk}/fill")
        run = user.run(f"make create ARGS='{FAST}'", clone)
        user.note(f"two of four with a full disk: all are back {run.seconds:.1f} s after there is room")
        assert user.agree() > stood
        assert user.values(NODES, "room") == dict.fromkeys(NODES, "before it was full")
    assert user.agree() > stood
    assert user.values(NODES, "room") == dict.fromkeys(NODES, "before it was full")
    assert user.values(NODES, "kept") == dict.fromkeys(NODES, "through all")
    assert user.run(f"make create ARGS='{FAST}'", clone).changed == 0
    user.nobody_signed_twice()


def test_power_cut_is_survived(user: User, clone: Path) -> None:
    """The machine and all that runs in it end at once; create brings everything back in one go."""
    user.run("make tx TX='last=before the end'", clone)
    height = max(user.height(node) for node in NODES)
    began = time.monotonic()
    user.run(f"podman kill {user.machine}", user.home)
    user.run(f"make create ARGS='{FAST}'", clone)
    user.note(f"power cut: create has ended after {time.monotonic() - began:.1f} s")
    assert user.agree() > height
    assert user.values(NODES, "kept") == dict.fromkeys(NODES, "through all")
    assert user.values(NODES, "last") == dict.fromkeys(NODES, "before the end")


def test_nobody_signed_twice(user: User) -> None:
    user.nobody_signed_twice()
