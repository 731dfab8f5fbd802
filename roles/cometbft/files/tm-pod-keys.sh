#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Custody pod: makes the keys of one node on its own volume, once, and lays their public half out for pub-key, which serves
# it to the others. Writes: data/keys/ (the node's volume) below the home, and the folder that is public.
set -eu
umask 077

node=${NODE:?}
home=${CMTHOME:-/cometbft}
public=${PUBLIC:-/public}
keys=$home/data/keys

fail() {
  echo "tm-gen-validator: $*" >&2
  exit 1
}

# What is laid out is whole at any moment.
publish() {
  cat > "$public/.$1"
  chmod 644 "$public/.$1"
  mv "$public/.$1" "$public/$1"
}

# Both keys come by one rename: whoever was killed before it begins anew, and nobody has seen those keys.
if [ ! -e "$keys" ]; then
  rm -rf "$keys.new"
  mkdir "$keys.new"
  # CometBFT takes the home of the environment before that of --home.
  said=$(CMTHOME=$keys.new cometbft init 2>&1) || fail "$node cannot make its keys on its volume: $said"
  rm -f "$keys.new/config/config.toml" "$keys.new/config/genesis.json"
  mv "$keys.new/config" "$keys"
  rm -rf "$keys.new"
  echo "tm-gen-validator: $node has made its keys on its volume"
fi

# A node's id is the address of its node key, which is the last half of what the file has of it.
id=$(jq -er .priv_key.value "$keys/node_key.json" 2> /dev/null | base64 -d 2> /dev/null | tail -c 32 | sha256sum | cut -c 1-40)
half=$(jq -ce --arg name "$node" --arg id "$id" '
  select(.pub_key.type == "tendermint/PubKeyEd25519" and (.priv_key.value | length) == 88)
  | {name: $name, node_id: $id, pub_key: .pub_key}' "$keys/priv_validator_key.json" 2> /dev/null) || half=
[ -n "$half" ] ||
  fail "$keys/priv_validator_key.json, on the volume of $node, is no ed25519 key; bring the volume back from a copy"
[ "$(jq -r '.priv_key.value | length' "$keys/node_key.json" 2> /dev/null)" = 88 ] ||
  fail "$keys/node_key.json, on the volume of $node, is no ed25519 key; bring the volume back from a copy"

echo "$half" | publish node.json
# Of a node that was started before.
[ ! -s "$keys/genesis.json" ] || publish genesis.json < "$keys/genesis.json"
echo "tm-gen-validator: the public half of $node is laid out, with the node id $id"
