#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Starts CometBFT beside its application, which has a container of its own. What is known of the application here is the
# socket on which it listens: the kernel lists it for both containers, because they share the pod's network.
set -eu

address=${ABCI_ADDRESS:?}
home=${CMTHOME:-/cometbft}
proc=${PROC:-/proc}
socket=${address#unix://}

# The inodes of the sockets on which the application listens; another one after each of its starts.
listening() {
  if [ "$socket" != "$address" ]; then
    # By its last part, as the application may have spelled the rest otherwise.
    awk -v name="${socket##*/}" \
      '$4 == "00010000" && part[split($8, part, "/")] == name { print $7 }' "$proc/net/unix"
  else
    # A kernel without IPv6 has no tcp6.
    cat "$proc/net/tcp" "$proc/net/tcp6" 2> /dev/null | awk -v port="$(printf ':%04X' "${address##*:}")" \
      '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }'
  fi
}

# An application that was killed leaves its socket behind, and most do not start where one is. It may be just about to
# listen: so the socket is put aside, and back if it is found alive.
if [ -S "$socket" ] && [ -z "$(listening)" ]; then
  mv "$socket" "$socket.left"
  sleep 1
  if [ -n "$(listening)" ] && [ ! -e "$socket" ]; then
    mv "$socket.left" "$socket"
  else
    echo "tm-start: the socket $socket is left from an application that ended; it is removed"
    rm -f "$socket.left"
  fi
fi

if ! grep -q '^abci = "grpc"' "$home/config/config.toml"; then
  exec cometbft start --home "$home"
fi

# Over a socket a node ends with its application. Over gRPC it goes on with the next call, without the handshake that
# gives an application back what it has lost, and does not even end when it is told to as long as its application is
# away. So it is ended here, the way in which a power cut would end it.
watch() {
  known=
  while sleep 1; do
    now=$(listening | tr '\n' ' ')
    same=
    for inode in $now; do
      case " $known" in *" $inode "*) same=yes ;; esac
    done
    if [ -n "$known" ] && [ -z "$same" ]; then
      echo "tm-start: the application has ended, and the node ends with it"
      kill -KILL "$1"
      return
    fi
    known=$now
  done
}

cometbft start --home "$home" &
node=$!
watch "$node" &
watcher=$!
trap 'kill -TERM "$node"' TERM INT
code=0
wait "$node" || code=$?
# A signal ends only the waiting.
while kill -0 "$node" 2> /dev/null; do
  code=0
  wait "$node" || code=$?
done
kill "$watcher" 2> /dev/null || true
exit "$code"
