#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Lays out one node's home before CometBFT starts. Reads: keys/ (the group's Secret), genesis/, settings/, nodes/,
# started/ and stopped/ below /mintnet. Writes: config/ (memory) and data/ (the node's volume) below the home.
# A node that kubectl scale has added has neither a row nor keys there: it joins with keys of its own, without a vote.
set -eu
umask 077

node=${NODE:?}
home=${CMTHOME:-/cometbft}
from=${MINTNET:-/mintnet}
wait=${WAIT:-60}
# What the cluster remembers of this run.
message=${MESSAGE:-/dev/termination-log}

fail() {
  echo "tm-gen-validator: $*" >&2
  exit "${code:-1}"
}

# A node that is stopped on purpose has an entry in the ConfigMap tm-stopped, and waits here until that is gone.
if [ -e "$from/stopped/$node" ]; then
  pause=
  # With 0 the node would be started by whoever ends the waiting.
  trap '[ -z "$pause" ] || kill "$pause" 2> /dev/null || true; exit 143' TERM
  echo "tm-gen-validator: $node is stopped; make start starts it"
  while [ -e "$from/stopped/$node" ]; do
    sleep 2 &
    pause=$!
    wait "$pause" || true
  done
  trap - TERM
fi

rows=$from/nodes/nodes
# The rows as the cluster has them, where those above were filled in (tm-collect.sh).
asked=${ASKED:-$rows}
# The name by which others find it.
external=${EXTERNAL:-$node}
# Its row: name, moniker, node id, mode, then names with commas between them, or -: peers, seeds, private peers.
own=$(awk -v name="$node" '$1 == name' "$rows")
keys=$from/keys/$node.
if [ -z "$own" ] && [ -s "$rows" ] && [ ! -e "${keys}node_key.json" ] && [ ! -e "$from/started/$node" ] &&
  command -v cometbft > /dev/null; then
  keys=$home/data/keys/
  # Both come by one rename: whoever was killed before it begins anew.
  if [ ! -e "$keys" ]; then
    rm -rf "$home/data/keys.new"
    mkdir "$home/data/keys.new"
    # CometBFT takes the home of the environment before that of --home.
    said=$(CMTHOME=$home/data/keys.new cometbft init 2>&1) || fail "$node cannot make its keys on its volume: $said"
    mv "$home/data/keys.new/config" "$home/data/keys"
    rm -rf "$home/data/keys.new"
  fi
  # It dials all that have a row, but for those whom others keep to themselves.
  own=$(awk -v node="$node" '
    NF { name[++rows] = $1; count = split($7, kept, ","); for (i = 1; i <= count; i++) private[kept[i]] }
    END {
      for (i = 1; i <= rows; i++) if (!(name[i] in private)) peers = peers (peers == "" ? "" : ",") name[i]
      print node, node, "-", "full", (peers == "" ? "-" : peers), "-", "-"
    }' "$rows")
  # Nobody takes a peer whose name leads nowhere: without a Service it has that of its group. Whether there is one cannot
  # be asked here, where its own name leads to itself.
  external=$node.${node%-*}
  echo "tm-gen-validator: $node has no row in the ConfigMap tm-nodes yet: it joins without a vote, and create brings its row"
fi
[ -n "$own" ] || fail "$node has no row in the ConfigMap tm-nodes; run create again"
# shellcheck disable=SC2086 # the row is split on purpose
set -- $own
moniker=$2
mode=$4
peers=$5
seeds=$6
private=$7

# ID@NAME:PORT of each of these names, with commas between them.
addresses() {
  awk -v names="$1" '
    { id[$1] = $3 }
    END {
      count = names == "-" ? 0 : split(names, name, ",")
      for (i = 1; i <= count; i++) {
        if (!(name[i] in id)) { print name[i]; exit 1 }
        told = told (i > 1 ? "," : "") id[name[i]] "@" name[i] ":26656"
      }
      print told
    }' "$rows"
}

ids() {
  echo "$1" | sed 's/@[^,]*//g'
}

for file in priv_validator_key.json node_key.json; do
  [ -s "$keys$file" ] || fail "$node has no $file in the Secret tm-keys; run create again"
  cat "$keys$file" > "$home/config/$file"
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

peer_list=$(addresses "$peers") || fail "$peer_list, a peer of $node, has no row in the ConfigMap tm-nodes; run create again"
seed_list=$(addresses "$seeds") || fail "$seed_list, a seed of $node, has no row in the ConfigMap tm-nodes; run create again"
private_list=$(addresses "$private") || fail "$private_list, a peer of $node, has no row in the ConfigMap tm-nodes; run create again"
# Whom it was told of is never crowded out, and validators never crowd each other out.
always=$(ids "$peer_list")
if [ "$mode" = validator ]; then
  always=$(awk -v node="$node" -v told="$always" '
    $4 == "validator" && $1 != node && index("," told ",", "," $3 ",") == 0 { told = told (told == "" ? "" : ",") $3 }
    END { print told }' "$rows")
fi

# CometBFT looks a peer's name up once, at its start, and drops the peer for good when that fails.
until=$(($(date +%s) + wait))
for name in $external $(echo "$peers,$seeds" | tr ',' ' '); do
  [ "$name" != - ] || continue
  until getent hosts "$name" > /dev/null; do
    [ "$(date +%s)" -lt "$until" ] || fail "the name $name cannot be resolved after $wait s: is its Service there, does DNS work?"
    sleep 1
  done
done

# What the node has of its own goes over its group's file, key by key, each with the comment above it.
config=$from/settings/config.toml
part=$from/nodes/$node.toml
if [ -s "$part" ]; then
  awk '
    FNR == 1 { section = "" }
    /^#/ { said = said $0 "\n"; next }
    /^\[/ { section = $0 }
    / = / {
      key = section " " $1
      if (NR == FNR) own[key] = said $0
      else if (key in own) { said = ""; $0 = own[key] }
    }
    NR != FNR { print said $0 }
    { said = "" }' "$part" "$config" > "$home/config/config.own"
  config=$home/config/config.own
fi
# With state sync a node begins with a snapshot that the application of another one has taken. Where the settings leave
# open whom to trust, one that joins later asks those that it dials for a block of the chain. Validators begin with the
# chain, and so does everybody where nobody answers, as before the first block. Who has blocks goes on with these.
ask() {
  curl -sf -m 5 "http://$1" 2> /dev/null | tr -d ' \n'
}
servers=
height=0
hash=
open=$(awk '/^\[/ { section = $0 } section == "[statesync]" && (/^enable = true/ || /^rpc_servers = ""/)' "$config" | wc -l)
if [ "$open" -eq 2 ]; then
  for name in $([ "$mode" = validator ] || echo "$peers" | tr ',' ' '); do
    [ "$name" != - ] || continue
    newest=$(ask "$name:26657/status" | sed -n 's/.*"latest_block_height":"\([0-9]*\)".*/\1/p')
    # Some blocks back, so that the other one has it, too.
    [ "${newest:-0}" -gt 5 ] || continue
    if [ -z "$servers" ]; then
      height=$((newest - 5))
      hash=$(ask "$name:26657/commit?height=$height" | sed -n 's/.*"block_id":{"hash":"\([0-9A-F]*\)".*/\1/p')
      # Two are needed at least, be it the same one twice.
      [ -z "$hash" ] || servers=http://$name:26657,http://$name:26657
    else
      servers=${servers%,*},http://$name:26657
      break
    fi
  done
  awk -v servers="$servers" -v height="$height" -v hash="$hash" '
    /^\[/ { section = $0 }
    section == "[statesync]" && / = / {
      if ($1 == "enable") $0 = "enable = " (servers == "" ? "false" : "true")
      if ($1 == "rpc_servers") $0 = "rpc_servers = \"" servers "\""
      if ($1 == "trust_height") $0 = "trust_height = " height
      if ($1 == "trust_hash") $0 = "trust_hash = \"" hash "\""
    }
    { print }' "$config" > "$home/config/config.sync"
  config=$home/config/config.sync
fi
sed -e "s|^moniker = \"\"|moniker = \"$moniker\"|" \
  -e "s|^external_address = \"\"|external_address = \"$external:26656\"|" \
  -e "s|^persistent_peers = \"\"|persistent_peers = \"$peer_list\"|" \
  -e "s|^seeds = \"\"|seeds = \"$seed_list\"|" \
  -e "s|^private_peer_ids = \"\"|private_peer_ids = \"$(ids "$private_list")\"|" \
  -e "s|^unconditional_peer_ids = \"\"|unconditional_peer_ids = \"$always\"|" \
  "$config" > "$home/config/config.toml"
rm -f "$home/config/config.own" "$home/config/config.sync"
grep -q "^persistent_peers = \"$peer_list\"" "$home/config/config.toml" || fail "config.toml has no line for persistent_peers"
# By this it is told later that the row or the node's own part has changed since.
{
  awk -v name="$node" '$1 == name' "$asked"
  [ ! -s "$part" ] || cat "$part"
} | sha256sum | cut -d ' ' -f 1 > "$message"
echo "tm-gen-validator: $node is ready to start, with ${peer_list:-no peers}${seed_list:+ and the seeds $seed_list}"
if [ -n "$servers" ]; then
  echo "tm-gen-validator: where it has no blocks it begins with a snapshot, by trust in the block $hash at height $height"
elif [ "$open" -eq 2 ] && [ "$mode" != validator ]; then
  echo "tm-gen-validator: nobody whom it dials tells of a block to trust, so it begins with the chain's first one"
fi
