#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Sends COUNT transactions to NODES in turn, RATE in a second at most and for LIMIT seconds at most, numbered from FIRST.
# TX is what they are made from, as JSON, with {n} for the number. Prints a line for each: its number, the node, and
# what that one answered.
set -eu

mark='{n}'
command -v curl > /dev/null || {
  echo "transact: there is no curl in the image of the nodes" >&2
  exit 3
}

# Hundredths of a second since the machine was started.
now() {
  read -r up _idle < "${PROC:-/proc}/uptime"
  echo "${up%.*}${up#*.}"
}

# The transaction with the number $1.
transaction() {
  made=
  rest=$TX
  while [ "$rest" != "${rest#*"$mark"}" ]; do
    made=$made${rest%%"$mark"*}$1
    rest=${rest#*"$mark"}
  done
  printf '%s' "$made$rest"
}

# Names have no blanks in them.
# shellcheck disable=SC2086
set -- $NODES
sent=0
time=$(now)
end=$((time + LIMIT * 100))
# Times are counted in parts of a hundredth, RATE of them, so that every rate divides without a rest.
due=$((time * RATE))
while [ "$sent" -lt "$COUNT" ]; do
  time=$(now)
  [ "$time" -lt "$end" ] || break
  [ "$due" -lt "$((end * RATE))" ] || break
  early=$((due - time * RATE))
  if [ "$early" -gt 0 ]; then
    pause=$(((early + RATE - 1) / RATE))
    sleep "$((pause / 100)).$(printf '%02d' "$((pause % 100))")"
  else
    due=$((time * RATE)) # what is late is not made up for
  fi
  due=$((due + 100))
  node=$1
  shift
  set -- "$@" "$node"
  number=$((FIRST + sent))
  tx=$(transaction "$number")
  answer=$(curl -sS -m 5 -G --data-urlencode "tx=$tx" "http://$node:26657/broadcast_tx_sync" 2>&1 | tr '\n' ' ') || true
  printf '%s %s %s\n' "$number" "$node" "$answer"
  sent=$((sent + 1))
done
