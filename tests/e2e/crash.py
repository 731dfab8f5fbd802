# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends an application beside its node from outside, as the kernel does it where memory is short."""

from __future__ import annotations

from surroundings import User

#: Every process of the machine that is this application's of this node.
_KILL = r"""
for process in /proc/[0-9]*; do
  tr '\0' '\n' <$process/environ 2>/dev/null | grep -qx NODE={node} || continue
  tr '\0' '\n' <$process/cmdline 2>/dev/null | grep -q '{program}$' || continue
  kill -KILL ${{process#/proc/}} && echo ${{process#/proc/}}
done
"""


def kill(user: User, node: str, program: str) -> None:
    """Of a cluster of one machine, on which one network has such a node with such a program."""
    killed = user.inside(_KILL.format(node=node, program=program)).split()
    assert len(killed) == 1, killed
