#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The first process of a node that is a container: it becomes systemd, below control groups of its own.
set -eu
groups=/sys/fs/cgroup
# With version 1 the container sees the host's: whatever runs in pods would look for its own in the wrong place.
if [ ! -e "$groups/cgroup.controllers" ] && [ "${1:-}" != apart ]; then
	exec unshare --cgroup "$0" apart
fi
if [ "${1:-}" = apart ]; then
	umount -R "$groups"
	mount -t tmpfs -o mode=755 tmpfs "$groups"
	while IFS=: read -r _ controllers _; do
		case "$controllers" in
		'') type=cgroup2 name=unified options=rw ;;
		name=*) type=cgroup name=${controllers#name=} options=none,$controllers ;;
		*) type=cgroup name=$controllers options=$controllers ;;
		esac
		mkdir -p "$groups/$name"
		mount -t "$type" -o "$options" "$type" "$groups/$name"
	done </proc/self/cgroup
fi
mount --make-rshared /
exec /sbin/init
