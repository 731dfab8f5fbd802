# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many transactions, sent by a Job inside the network: how far it is, what the nodes said, which blocks have them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import time
import typing as t
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._job import last_warning_of, pods_of
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import AWAY, running
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import NETWORK_LABEL
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import parse_time
from ansible_collections.mintnet.kubernetes.plugins.module_utils._rpc import RpcError, Transport, call, pod_proxy
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import clock
from ansible_collections.mintnet.kubernetes.plugins.module_utils._tx import Clock

#: Seconds that the Job has to start, and to go.
STARTS, GOES = 60.0, 30.0
#: So many times it is told how far it is.
TOLD = 10
#: So many different words, numbers and heights are told.
MOST = 3
MOST_HEIGHTS = 12


class TransactError(MintnetError):
    """Transactions could not be sent, or did not get into blocks. ``result`` holds what did."""


@dataclass(frozen=True)
class Sent:
    """One transaction: whom it went to, and its hash where that node took it, else why not."""

    number: int
    node: str
    hash: str
    words: str = ""


def parse(log: str) -> list[Sent]:
    """What the Job says: a line for each, with its number, the node, and the node's answer or curl's complaint."""
    rows = [line.split(" ", 2) for line in log.splitlines()]
    return [Sent(int(row[0]), row[1], *_judge(row[2])) for row in rows if len(row) == 3 and row[0].isdecimal()]


def _judge(answer: str) -> tuple[str, str]:
    try:
        said = json.loads(answer)
        result = said.get("result") or {}
        if not result:
            return "", str(said["error"].get("data") or said["error"]["message"])
        if not result["code"]:
            return str(result["hash"]).upper(), ""
        return "", f"{result.get('log') or 'it says no more'} (code {result['code']})"
    except (ValueError, AttributeError, KeyError, TypeError):
        return "", " ".join(answer.split()) or "it says nothing"


def refusals(sent: Sequence[Sent]) -> list[Json]:
    """Why transactions were refused, the most frequent reason first, each with the first one that it hit."""
    refused = [one for one in sent if not one.hash]
    first = {one.words: one for one in reversed(refused)}
    return [
        {"words": words, "count": count, "number": first[words].number, "node": first[words].node}
        for words, count in Counter(one.words for one in refused).most_common()
    ]


def told_blocks(blocks: Sequence[Json]) -> str:
    rows = [f"{block['height']} ({block['txs']})" for block in blocks]
    if len(rows) > MOST_HEIGHTS:
        rows = [*rows[: MOST_HEIGHTS - 1], "…", rows[-1]]
    return " · ".join(rows)


class Sender:
    """``tell`` gets a line whenever there is something new to say."""

    def __init__(self, api: Api, network: str, tell: Callable[[str], None], sleep: float) -> None:
        self.api = api
        self.network = network
        self.tell = tell
        self.sleep = sleep
        self.changed = False
        self._doing = f"sending transactions to the network {network}"

    def foresee(self, job: Json) -> None:
        """Whether the cluster would take the Job."""
        self.changed = True
        if self.api.get(self._doing, "Job", self.network, job["metadata"]["name"]) is None:
            self.api.apply(self._doing, job, dry_run=True)

    def send(self, job: Json, numbers: range, timeout: float) -> Json:
        """What was sent, accepted and found in blocks; TransactError where not all of it went well."""
        name = job["metadata"]["name"]
        if self._remove(name):
            self.tell("what an earlier run has left is removed")
        first = self._best()[0] + 1
        self.api.create(self._doing, job)
        self.changed = True
        try:
            log, seconds = self._follow(name, numbers, min(timeout, STARTS))
        finally:
            # Where the API server is away the cluster removes it, some minutes after its end.
            with contextlib.suppress(ClusterError):
                self._remove(name)
        sent = parse(log)
        accepted = [one for one in sent if one.hash]
        result: Json = {
            "sent": len(sent),
            "accepted": len(accepted),
            "refused": len(sent) - len(accepted),
            "refusals": refusals(sent),
        }
        self.tell(f"{len(sent)} sent in {clock(seconds)} · {len(accepted)} accepted · {result['refused']} refused")
        for why in result["refusals"][:MOST]:
            self.tell(f"{why['count']} refused: {why['words']}; the first was number {why['number']}, by {why['node']}")
        found = self._find({one.hash for one in accepted}, first, timeout)
        heights = Counter(found.values())
        result["blocks"] = [{"height": height, "txs": heights[height]} for height in sorted(heights)]
        result["missing"] = [one.number for one in accepted if one.hash not in found]
        if result["blocks"]:
            within = f"{len(heights)} block{'' if len(heights) == 1 else 's'}"
            self.tell(f"{len(found)} in {within}, by height: {told_blocks(result['blocks'])}")
        nodes = {one.number: one.node for one in accepted}
        if faults := list(_faults(result, len(numbers), timeout, nodes)):
            raise TransactError(f"{self._doing}: {'; '.join(faults)}; make status says how its nodes are", **result)
        return result

    # The Job

    def _remove(self, name: str) -> bool:
        """Whether there was one. It is gone when its pod is."""
        job = self.api.get(self._doing, "Job", self.network, name)
        if job is None:
            return False
        if (job["metadata"].get("labels") or {}).get(NETWORK_LABEL) != self.network:
            raise TransactError(f"{self._doing}: Job {name} is somebody else's, and is left alone; remove it first")
        self.changed = True
        until = time.monotonic() + GOES
        with contextlib.suppress(ClusterError):  # it may be gone, or on its way; the next looks tell
            path = KINDS["Job"].path(self.network, name)
            self.api.request(self._doing, "DELETE", path, body={"propagationPolicy": "Foreground"})
        while self.api.get(self._doing, "Job", self.network, name) is not None:
            if time.monotonic() > until:
                step = f"see what holds it: kubectl -n {self.network} describe job {name}"
                raise TransactError(f"{self._doing}: Job {name} does not go; {step}")
            time.sleep(self.sleep)
        return True

    def _follow(self, name: str, numbers: range, starts: float) -> tuple[str, float]:
        """The whole log of the Job's pod, once that has ended, and how many seconds it ran."""
        began = answered = time.monotonic()
        there, waiting, told = False, "", 0
        while True:
            try:
                pod = self._pod(name)
                phase = pod["status"].get("phase") if pod else None
                if pod and phase in ("Running", "Succeeded", "Failed"):
                    there, over = True, phase != "Running"
                    log = self._log(pod, {} if over else {"tailLines": "1"})
                    if phase == "Failed":
                        raise TransactError(f"{self._doing}: the sender failed ({_ended(pod)}): {_last(log)}")
                    if over:
                        return log, _seconds(pod)
                    told = self._progress(log, numbers, told)
                elif there:
                    raise TransactError(f"{self._doing}: the sender's pod is gone, and what it has sent is not known")
                else:
                    waiting = self._waiting(pod, name, waiting)
                    if time.monotonic() - began > starts:
                        raise TransactError(
                            f"{self._doing}: the sender, Job {name}, does not start: {waiting or 'it has no pod yet'}"
                        )
                answered = time.monotonic()
            except ClusterError as error:
                if not error.passing or time.monotonic() - answered > AWAY:
                    raise
            time.sleep(self.sleep)

    def _pod(self, name: str) -> Json | None:
        pods = pods_of(self.api, self._doing, self.network, name)
        return pods[0] if pods else None

    def _log(self, pod: Json, query: dict[str, str]) -> str:
        return self.api.log(self._doing, self.network, pod["metadata"]["name"], query)

    def _progress(self, log: str, numbers: range, told: int) -> int:
        """Tells how far it is, some times in all; the last time stands with the result."""
        number = _last(log).partition(" ")[0]
        if not number.isdecimal() or int(number) not in numbers[:-1]:
            return told
        done = numbers.index(int(number)) + 1
        part = done * TOLD // len(numbers)
        if part > told:
            self.tell(f"{done} of {len(numbers)} sent")
        return part

    def _waiting(self, pod: Json | None, name: str, before: str) -> str:
        """Why it does not start, told when that is new."""
        why = _held(pod) if pod else last_warning_of(self.api, self._doing, self.network, name)
        if why and why != before:
            self.tell(f"waiting for the sender: {why}")
        return why or before

    # The blocks

    def _best(self) -> tuple[int, Transport]:
        """The greatest height that a node tells, and the way to that node."""
        nodes = {name: pod_proxy(self.api, self.network, name, reads=True) for name in running(self.api, self.network)}
        answers = self.api.side_by_side({name: partial(_height, node) for name, node in nodes.items()})
        heights = {name: answer for name, answer in answers.items() if isinstance(answer, int)}
        if not heights:
            problems = "; ".join(map(str, answers.values())) or "none runs"
            raise TransactError(f"{self._doing}: no node tells its height: {problems}")
        best = max(heights, key=heights.__getitem__)
        return heights[best], nodes[best]

    def _find(self, hashes: set[str], first: int, timeout: float) -> dict[str, int]:
        """The heights at which they are, as far as they are found within the time."""
        found: dict[str, int] = {}
        limit = Clock(timeout)
        while hashes - found.keys():
            try:
                newest, node = self._best()
                while first <= newest:
                    found |= {tx: first for tx in _hashes(node, first) if tx in hashes}
                    first += 1
            except MintnetError:  # another look may find a node that tells it
                if not limit.wait():
                    raise
                continue
            if hashes - found.keys() and not limit.wait():
                break
        return found


def _height(node: Transport) -> int:
    try:
        return int(call(node, "status")["sync_info"]["latest_block_height"])
    except RpcError as error:
        raise ClusterError(str(error)) from error


def _hashes(node: Transport, height: int) -> list[str]:
    """Of the transactions in one block."""
    txs = call(node, "block", height=str(height))["block"]["data"].get("txs") or []
    return [hashlib.sha256(base64.b64decode(tx)).hexdigest().upper() for tx in txs]


def _last(log: str) -> str:
    return log.strip().rpartition("\n")[2]


def _state(pod: Json) -> Json:
    """Of its only container."""
    statuses = pod["status"].get("containerStatuses") or [{}]
    return t.cast(Json, statuses[0].get("state") or {})


def _held(pod: Json) -> str:
    """Why it does not run, in the cluster's words; nothing where it is about to."""
    conditions = pod["status"].get("conditions") or []
    unplaced = [c.get("message", "") for c in conditions if c["type"] == "PodScheduled" and c["status"] == "False"]
    waiting = _state(pod).get("waiting") or {}
    return str(unplaced[0] if unplaced else waiting.get("message") or "")


def _ended(pod: Json) -> str:
    ended = _state(pod).get("terminated") or {}
    return str(pod["status"].get("reason") or f"{ended.get('reason', 'Error')}, exit code {ended.get('exitCode')}")


def _seconds(pod: Json) -> float:
    ended = _state(pod)["terminated"]
    return (parse_time(ended["finishedAt"]) - parse_time(ended["startedAt"])).total_seconds()


def _faults(result: Json, count: int, timeout: float, nodes: dict[int, str]) -> Iterator[str]:
    if result["sent"] < count:
        yield f"only {result['sent']} of {count} could be sent in the time, as the nodes answer too slowly"
    if result["sent"] and not result["accepted"]:
        yield f"none of {result['sent']} was accepted: {result['refusals'][0]['words']}"
    if missing := result["missing"]:
        shown = ", ".join(f"{number} (through {nodes[number]})" for number in missing[:MOST])
        more = ", …" if len(missing) > MOST else ""
        yield f"{len(missing)} of {result['accepted']} accepted are in no block after {timeout:g} s: {shown}{more}"
