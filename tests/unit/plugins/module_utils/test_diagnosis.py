# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod suffers from, whether it can heal by itself, and what helps."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnosis import (
    Around,
    Trouble,
    pod_trouble,
    workload_trouble,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._logs import remedy, telling, tells

Json = dict[str, Any]
MACHINE: Json = {
    "metadata": {"name": "machine-1"},
    "status": {
        "allocatable": {"cpu": "2", "memory": "4Gi"},
        "nodeInfo": {"architecture": "amd64"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}


def pod(machine: str = "machine-1", requests: Json | None = None, **status: Any) -> Json:
    container = {"name": "tm", "resources": {"requests": requests or {}}}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-tm-0"}}]
    spec = {"containers": [container], "volumes": volumes, "nodeName": machine}
    return {"metadata": {"name": "tm-0"}, "spec": spec, "status": {"phase": "Pending", **status}}


def container(restarts: int = 0, last: Json | None = None, **state: Any) -> Json:
    return {
        "name": "tm",
        "image": "example.org/node:1",
        "restartCount": restarts,
        "state": state,
        "lastState": {"terminated": last} if last else {},
    }


def waiting(reason: str, message: str = "", **more: Any) -> Json:
    return pod(containerStatuses=[container(waiting={"reason": reason, "message": message}, **more)])


def event(kind: str, name: str, reason: str, message: str) -> Json:
    return {
        "type": "Warning",
        "involvedObject": {"kind": kind, "name": name},
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-11-24T02:00:00Z",
    }


def unscheduled(message: str, requests: Json | None = None) -> Json:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod("", requests, conditions=[condition])


# Images


@pytest.mark.parametrize(
    ("reason", "message", "lasting", "advice"),
    [
        # As containerd 2 and Kubernetes 1.36 say it.
        ("ErrImagePull", 'rpc error: code = NotFound desc = failed to pull "x:1": x:1: not found', True, "that exists"),
        (
            "ImagePullBackOff",
            'Back-off pulling image "x:1": ErrImagePull: rpc error: x:1: not found',
            True,
            "that exists",
        ),
        ("ErrImagePull", "rpc error: pull access denied, repository does not exist", True, "may pull"),
        (
            "ErrImagePull",
            "rpc error: failed to authorize: unexpected status from HEAD request to https://x/v2/: 401 Unauthorized",
            True,
            "in cometbft_image, or a Secret with a login that may in cometbft_pull_secrets",
        ),
        ("InvalidImageName", 'Failed to apply default image tag "X:1"', True, "that exists"),
        ("ErrImageNeverPull", 'Container image "x:1" is not present with pull policy of Never', True, "that exists"),
        ("ErrImagePull", "rpc error: no match for platform in manifest: not found", True, "an image for amd64"),
        # These pass: a registry or a network that is away for a while.
        ("ErrImagePull", "rpc error: dial tcp: lookup registry.example: no such host", False, "reaches the registry"),
        (
            "ErrImagePull",
            "rpc error: dial tcp 10.0.0.1:443: connect: connection refused",
            False,
            "reaches the registry",
        ),
        (
            "ErrImagePull",
            "rpc error: unexpected status from HEAD request: 503 not found",
            False,
            "reaches the registry",
        ),
        ("ErrImagePull", "rpc error: net/http: TLS handshake timeout", False, "reaches the registry"),
        ("ImagePullBackOff", "", False, "that exists"),
    ],
)
def test_an_image_that_is_not_there(reason: str, message: str, lasting: bool, advice: str) -> None:
    trouble = pod_trouble(waiting(reason, message), 1, Around(machines=[MACHINE]))
    assert "example.org/node:1 of tm" in trouble.reason
    assert (message or reason) in trouble.reason
    assert trouble.lasting is lasting
    assert advice in trouble.next
    assert "run create again" in trouble.next


def test_an_older_kubelet_says_the_cause_in_an_event_only() -> None:
    events = [event("Pod", "tm-0", "Failed", 'Failed to pull image "x:1": rpc error: x:1: not found')]
    trouble = pod_trouble(waiting("ImagePullBackOff", 'Back-off pulling image "x:1"'), 1, Around(events=events))
    assert "not found" in trouble.reason
    assert trouble.lasting


# Containers


@pytest.mark.parametrize(
    ("message", "lasting", "advice"),
    [
        ("exec /bin/cometbft: exec format error", True, "another kind of processor"),
        ('exec: "cometbft": executable file not found in $PATH', True, "change what it names"),
        ('secret "tm-keys" not found', False, "change what it names"),
    ],
)
def test_a_container_that_cannot_be_started(message: str, lasting: bool, advice: str) -> None:
    trouble = pod_trouble(waiting("CreateContainerError", message), 1, Around())
    assert trouble.reason == f"tm cannot be started: {message}"
    assert (trouble.lasting, advice in trouble.next) == (lasting, True)


def test_a_command_that_is_not_in_the_image_of_an_application() -> None:
    """As containerd 2 and Kubernetes 1.36 say it: first while it waits, then when it has ended."""
    message = 'unable to start container process: exec: "/no": stat /no: no such file or directory'
    waits = waiting("RunContainerError", message)
    ended = waiting("CrashLoopBackOff", restarts=1, last={"exitCode": 128, "reason": "StartError", "message": message})
    for faulty in (waits, ended):
        faulty["status"]["containerStatuses"][0]["name"] = "app"
        trouble = pod_trouble(faulty, 1, Around())
        assert trouble.reason.startswith("app ")
        assert message in trouble.reason
        assert trouble.lasting
        assert trouble.next == "name a program that its image has in cometbft_app_command, then run create again"


def test_a_crash_has_its_last_words_or_says_where_they_are() -> None:
    words = "I[..] start\nERROR: state.AppHash does not match\n"
    crash = waiting("CrashLoopBackOff", restarts=2, last={"exitCode": 1, "message": words})
    trouble = pod_trouble(crash, 1, Around())
    assert trouble.reason == "tm ended with exit code 1 (2 restarts): ERROR: state.AppHash does not match"
    assert trouble.log == ("ERROR: state.AppHash does not match",)
    assert "same application" in trouble.next
    mute = pod_trouble(waiting("CrashLoopBackOff", restarts=2, last={"exitCode": 1}), 1, Around())
    assert (mute.log, mute.container, mute.previous, mute.lasting) == ((), "tm", True, False)
    assert mute.next == "make logs NODE=tm-0 CONTAINER=tm shows more"


def test_a_crash_is_told_while_the_container_runs_again() -> None:
    again = pod(phase="Running", containerStatuses=[container(3, {"exitCode": 2, "message": "panic: x"}, running={})])
    assert pod_trouble(again, 1, Around()).reason == "tm ended with exit code 2 (3 restarts): panic: x"
    first = pod(phase="Running", containerStatuses=[container(running={})])
    assert not pod_trouble(first, 1, Around())


def test_a_program_that_simply_ends_is_in_trouble_and_an_init_container_is_not() -> None:
    ended = {"exitCode": 0}
    assert pod_trouble(waiting("CrashLoopBackOff", restarts=4, last=ended), 1, Around()).reason.startswith(
        "tm ended with exit code 0 (4 restarts)"
    )
    init = pod(initContainerStatuses=[container(terminated=ended)])
    assert pod_trouble(init, 1, Around()).reason == "is being started"


def test_memory_that_was_short() -> None:
    killed = waiting("CrashLoopBackOff", restarts=1, last={"exitCode": 137, "reason": "OOMKilled"})
    assert "cometbft_resources.limits.memory" in pod_trouble(killed, 1, Around()).next


# Room


def test_no_room_is_for_good_where_even_empty_machines_are_too_small() -> None:
    small, large = {"cpu": "1500m", "memory": "1Gi"}, {"cpu": "3", "memory": "1Gi"}
    said = "0/1 nodes are available: 1 Insufficient cpu."
    around = Around(machines=[MACHINE])
    assert not pod_trouble(unscheduled(said, small), 1, around).lasting
    assert pod_trouble(unscheduled(said, small), 2, around).lasting
    trouble = pod_trouble(unscheduled(said, large), 1, around)
    assert trouble.lasting
    assert "a node asks for 3 CPU and 1024Mi of memory, the largest machine has 2 and 4096Mi" in trouble.next


@pytest.mark.parametrize("around", [Around(), Around(machines=[]), Around(machines=[MACHINE], growing=True)])
def test_no_room_may_pass_where_nobody_knows_or_machines_are_added(around: Around) -> None:
    trouble = pod_trouble(unscheduled("1 Insufficient cpu", {"cpu": "64"}), 1, around)
    assert (trouble.lasting, trouble.reason) == (False, "no machine takes it: 1 Insufficient cpu")


def test_a_machine_whose_disk_is_full() -> None:
    said = "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }."
    trouble = pod_trouble(unscheduled(said), 1, Around(machines=[MACHINE]))
    assert "disk is nearly full" in trouble.next
    assert not trouble.lasting
    evicted = pod(phase="Failed", reason="Evicted", message="The node was low on resource: ephemeral-storage.")
    assert "disk is nearly full" in pod_trouble(evicted, 1, Around()).next


def test_a_machine_that_is_away_explains_its_pods() -> None:
    away = {**MACHINE, "status": {"conditions": [{"type": "Ready", "status": "Unknown", "message": "no status"}]}}
    running = pod(phase="Running", containerStatuses=[container(running={})])
    trouble = pod_trouble(running, 1, Around(machines=[away]))
    assert trouble.reason == "its machine machine-1 is not ready: no status"
    assert "repair the machine machine-1" in trouble.next


QUOTA = (
    'create Pod tm-0 in StatefulSet tm failed error: pods "tm-0" is forbidden: exceeded quota: theirs, '
    "requested: limits.cpu=1,requests.cpu=50m, used: limits.cpu=0,requests.cpu=0, "
    "limited: limits.cpu=2,requests.cpu=40m"
)


@pytest.mark.parametrize(
    ("hard", "nodes", "lasting"),
    [
        ({"requests.cpu": "40m"}, 1, True),
        # Raised since: the controller makes the pod when it tries again.
        ({"requests.cpu": "50m"}, 1, False),
        # Enough for one, and never for four.
        ({"requests.cpu": "150m"}, 4, True),
        ({"requests.cpu": "200m"}, 4, False),
        ({}, 4, False),
    ],
)
def test_a_quota_that_cannot_hold_the_network(hard: Json, nodes: int, lasting: bool) -> None:
    quotas = [{"metadata": {"name": "theirs"}, "spec": {"hard": hard}}]
    around = Around(events=[event("StatefulSet", "tm", "FailedCreate", QUOTA)], quotas=quotas)
    trouble = workload_trouble("tm", nodes, around)
    assert trouble.reason.startswith("FailedCreate: create Pod tm-0")
    assert "raise this quota" in trouble.next
    assert trouble.lasting is lasting
    around.quotas = None
    assert not workload_trouble("tm", nodes, around).lasting
    assert workload_trouble("other", nodes, around) == Trouble()


def test_a_storage_class_that_is_not_there() -> None:
    claim = {"metadata": {"name": "data-tm-0"}, "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}
    said = "pod has unbound immediate PersistentVolumeClaims"
    around = Around(claims=[claim], machines=[MACHINE])
    slow = pod_trouble(unscheduled(said), 1, around)
    assert slow.reason == f"its volume data-tm-0 is pending: {said}"
    assert not slow.lasting
    around.events = [
        event(
            "PersistentVolumeClaim", "data-tm-0", "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found'
        )
    ]
    absent = pod_trouble(unscheduled(said), 1, around)
    assert absent.lasting
    assert "(now: fast; kubectl get storageclass lists them)" in absent.next


# Logs


def test_a_line_that_may_hold_a_key_is_never_told() -> None:
    log = 'panic: {"priv_key": {"value": "c2VjcmV0"}}\nERROR: cannot read it\n'
    assert telling(log) == ["ERROR: cannot read it"]


def test_a_halt_of_the_consensus_is_told_without_its_stack() -> None:
    cause = "+2/3 committed an invalid block: wrong Block.Header.AppHash"
    line = f'E[2026-11-26|10:00:00.000] CONSENSUS FAILURE!!!  module=consensus err="{cause}"'
    log = f'{line} stack="goroutine 7"\nI[..] Timed out\nE[..] Error dialing peer err=refused\n'
    assert telling(log) == [line]
    assert "same application" in remedy(line)


@pytest.mark.parametrize(
    "line",
    [
        'E[..] CONSENSUS FAILURE!!!   module=consensus err="Unknown request"',
        "E[..] Stopping abci.socketClient for error: Unknown request module=abci-client connection=consensus",
        'E[..] abci.grpcClient failed to connect to tcp://127.0.0.1:26658 err="rpc error: code = Unimplemented desc = '
        'unknown service tendermint.abci.ABCI"',
    ],
)
def test_an_application_of_another_abci_is_to_be_built_for_this_one(line: str) -> None:
    assert "build it for ABCI 2.0" in remedy(line)
    assert remedy('E[..] CONSENSUS FAILURE!!! err="an unknown request of a peer"') == ""


TRACE = """\
panic({0x1d2e4a0?, 0xc000e5a1b0?})
\truntime/panic.go:787 +0x132
github.com/cometbft/cometbft/cmd/cometbft/commands.NewRunNodeCmd.func1(0x20d5ea928c08?, {0x20d5ea887d60?, 0x0?})
\tgithub.com/cometbft/cometbft@v0.40.0/cmd/cometbft/commands/run_node.go:105 +0x4f
goroutine 1 [running]:
main.main()
"""


@pytest.mark.parametrize(("log", "said"), [("", False), (TRACE, False), (f"panic: x\n\n{TRACE}", True)])
def test_whether_a_log_tells_anything(log: str, said: bool) -> None:
    assert tells(log) is said
