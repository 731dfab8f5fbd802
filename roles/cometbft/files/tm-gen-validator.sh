#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Lays out one node's home before CometBFT starts. Reads: keys/ (the group's Secret), genesis/, settings/, nodes/ and
# started/ below /mintnet. Writes: config/ (memory) and data/ (the node's volume) below the home.
set -eu
umask 077

node=${NODE:?}
home=${CMTHOME:-/cometbft}
from=${MINTNET:-/mintnet}
wait=${WAIT:-60}

fail() {
  echo "tm-gen-validator: $*" >&2
  exit "${code:-1}"
}

# Rows: name, moniker, node id, mode, peers (names with commas between them, or -).
row() {
  while read -r name moniker id mode peers; do
    if [ "$name" = "$1" ]; then
      echo "$moniker $id $mode $peers"
      return 0
    fi
  done < "$from/nodes/nodes"
  return 1
}

own=$(row "$node") || fail "$node has no row in the ConfigMap tm-nodes; run create again"
# shellcheck disable=SC2086 # the row is split on purpose
set -- $own
moniker=$1
peers=$4

for file in priv_validator_key.json node_key.json; do
  [ -s "$from/keys/$node.$file" ] || fail "$node has no $file in the Secret tm-keys; run create again"
  cat "$from/keys/$node.$file" > "$home/config/$file"
done

# A genesis that is too large for a ConfigMap comes compressed, in parts that genesis.parts names in their order.
genesis=$home/config/genesis.json
if [ -e "$from/genesis/genesis.json" ]; then
  cat "$from/genesis/genesis.json" > "$genesis"
else
  [ -s "$from/genesis/genesis.parts" ] || fail "the ConfigMap tm-config has no genesis; start a new chain with reset"
  set --
  while read -r part; do
    [ -s "$from/genesis/$part" ] ||
      fail "the ConfigMap $part, a part of the genesis, is missing; bring it back, or start a new chain with reset"
    set -- "$@" "$from/genesis/$part"
  done < "$from/genesis/genesis.parts"
  cat "$@" | gzip -dc > "$genesis" || fail "the parts of the genesis are damaged; start a new chain with reset"
fi
sum=$(sha256sum < "$genesis" | cut -d ' ' -f 1)
if [ -e "$from/genesis/genesis.sha256" ] && [ "$sum" != "$(cut -d ' ' -f 1 "$from/genesis/genesis.sha256")" ]; then
  fail "the genesis has the SHA-256 $sum, which is not what the ConfigMap tm-config says; start a new chain with reset"
fi

# A validator without the record of what it has signed could sign a second time. ConfigMap tm-started says of each that
# has started the SHA-256 of its genesis, and after it, once that was confirmed, the height it may sign from again.
state=$home/data/priv_validator_state.json
if [ ! -s "$state" ]; then
  height=0
  record=
  [ ! -e "$from/started/$node" ] || record=$(cat "$from/started/$node")
  if [ "${record%% *}" = "$sum" ]; then
    [ "$record" != "${record%% *}" ] ||
      code=3 fail "$node has started before (ConfigMap tm-started), but its volume has no priv_validator_state.json:" \
        "starting it could sign twice. Bring its volume back, or, where it is lost, use make recover NODE=$node"
    height=${record#* }
  fi
  printf '{\n  "height": "%s",\n  "round": 0,\n  "step": 0\n}' "$height" > "$state.new"
  mv "$state.new" "$state"
fi

# CometBFT looks a peer's name up once, at its start, and drops the peer for good when that fails.
names=$node
list=
if [ "$peers" != - ]; then
  for peer in $(echo "$peers" | tr ',' ' '); do
    found=$(row "$peer") || fail "$peer, a peer of $node, has no row in the ConfigMap tm-nodes; run create again"
    # shellcheck disable=SC2086 # the row is split on purpose
    set -- $found
    list=${list:+$list,}$2@$peer:26656
    names="$names $peer"
  done
fi
until=$(($(date +%s) + wait))
for name in $names; do
  until getent hosts "$name" > /dev/null; do
    [ "$(date +%s)" -lt "$until" ] || fail "the name $name cannot be resolved after $wait s: is its Service there, does DNS work?"
    sleep 1
  done
done

sed -e "s|^moniker = \"\"|moniker = \"$moniker\"|" \
  -e "s|^external_address = \"\"|external_address = \"$node:26656\"|" \
  -e "s|^persistent_peers = \"\"|persistent_peers = \"$list\"|" \
  "$from/settings/config.toml" > "$home/config/config.toml"
grep -q "^persistent_peers = \"$list\"" "$home/config/config.toml" || fail "config.toml has no line for persistent_peers"
echo "tm-gen-validator: $node is ready to start, with ${list:-no peers}"
