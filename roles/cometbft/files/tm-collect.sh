#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Custody pod: gathers the public halves of the others, has the genesis, and lays the node's home out by
# tm-gen-validator.sh. Reads what that script reads, except for the Secret, and data/keys/ (tm-pod-keys.sh).
#
# The first validator makes the genesis out of the template and the list of validators in ConfigMap tm-config, and its
# file on that node's volume is the one commit point: all others take it from there, or from whoever has taken it before.
# So two that gathered at different moments, with a volume lost in between, cannot disagree.
set -eu
umask 077

node=${NODE:?}
namespace=${NAMESPACE:?}
home=${CMTHOME:-/cometbft}
from=${MINTNET:-/mintnet}
public=${PUBLIC:-/public}
scratch=${SCRATCH:-/tmp}/collected
wait=${WAIT:-60}
keys=$home/data/keys
genesis=$keys/genesis.json
template=$from/genesis/genesis.template
listed=$from/genesis/validators
rows=$from/nodes/nodes

say() {
  echo "tm-collect: $*"
}

fail() {
  echo "tm-collect: $*" >&2
  exit "${code:-1}"
}

rm -rf "$scratch"
mkdir -p "$scratch/got" "$scratch/keys" "$scratch/genesis" "$scratch/nodes"

[ -s "$template" ] || fail "the ConfigMap tm-config has no genesis.template; start a new chain with reset"
grep -qx '  "validators": \[\],' "$template" ||
  fail 'genesis.template of the ConfigMap tm-config must have the line "validators": [], in it, as create writes it'
wrong=$(awk '
  NF && (NF != 2 || $1 !~ /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/ || $2 !~ /^[1-9][0-9]*$/ || seen[$1]++) { print; wrong = 1; exit }
  NF { count++ }
  END { if (!count && !wrong) print "nothing" }' "$listed" 2> /dev/null) || wrong=nothing
[ -z "$wrong" ] ||
  fail "validators of the ConfigMap tm-config must have a line with name and power for each validator, and has: $wrong"
awk 'NF' "$listed" > "$scratch/powers"
awk '{ print $1 }' "$scratch/powers" > "$scratch/validators"
leader=$(head -n 1 "$scratch/validators")

# A table without any row stands for a mesh, as create lays one out: validators dial each other, and a node behind them
# dials all before it. So nobody has to write rows who writes these objects by hand.
if ! grep -q . "$rows"; then
  awk -v node="$node" '
    { name[count++] = $1; votes[$1] }
    END {
      first = count
      group = node
      sub(/-[0-9]*$/, "", group)
      ordinal = substr(node, length(group) + 2) + 0
      for (i = 0; i <= ordinal; i++) if (!((group "-" i) in votes)) name[count++] = group "-" i
      for (i = 0; i < count; i++) {
        peers = ""
        for (j = 0; j < (i < first ? first : i); j++) if (j != i) peers = peers (peers == "" ? "" : ",") name[j]
        print name[i], name[i], "-", ((name[i] in votes) ? "validator" : "full"), (peers == "" ? "-" : peers), "-", "-"
      }
    }' "$scratch/validators" > "$scratch/mesh"
  rows=$scratch/mesh
fi
own=$(awk -v name="$node" '$1 == name' "$rows")
external=$node
if [ -z "$own" ]; then
  ! grep -qx "$node" "$scratch/validators" || fail "$node has no row in the ConfigMap tm-nodes; run create again"
  # A node that kubectl scale has added dials all that have a row, but for those whom others keep to themselves, until
  # create brings its own. Nobody takes a peer whose name leads nowhere: without a Service it has that of its group.
  awk -v node="$node" '
    NF { print; name[++rows] = $1; count = split($7, kept, ","); for (i = 1; i <= count; i++) private[kept[i]] }
    END {
      for (i = 1; i <= rows; i++) if (!(name[i] in private)) peers = peers (peers == "" ? "" : ",") name[i]
      print node, node, "-", "full", (peers == "" ? "-" : peers), "-", "-"
    }' "$rows" > "$scratch/rows"
  rows=$scratch/rows
  getent hosts "$node.$namespace.svc" > /dev/null || external=$node.${node%-*}
  say "$node has no row in the ConfigMap tm-nodes yet: it joins without a vote, and create brings its row"
fi
validators=$(cat "$scratch/validators")
others=$(awk -v node="$node" '$1 != node && !seen[$1]++ { print $1 }' "$scratch/validators" "$rows")

# FILE NAME...: this file of each of these nodes, as far as they answer, as got/NAME.FILE. Only Services of the network's
# own namespace are asked, and these select by the nodes' own labels.
fetch() {
  file=$1
  shift
  for name; do
    [ "$name" != "$node" ] || continue
    rm -f "$scratch/got/$name.$file"
    printf 'url = "http://%s.%s.svc:8080/%s"\noutput = "%s"\n' \
      "$name" "$namespace" "$file" "$scratch/got/$name.$file"
  done > "$scratch/asked"
  [ $# = 0 ] || curl -fsZ --parallel-max 32 --connect-timeout 3 -m 10 -K "$scratch/asked" 2> /dev/null || true
}

# NAME...: a line with name, node id and public key of each that serves a sound half of its own.
halves() {
  fetch node.json "$@"
  for name; do
    [ "$name" != "$node" ] || cp "$public/node.json" "$scratch/got/$name.node.json"
    jq -r --arg name "$name" '
      select(.name == $name and (.node_id | test("^[0-9a-f]{40}$"))
        and .pub_key.type == "tendermint/PubKeyEd25519" and (.pub_key.value | test("^[A-Za-z0-9+/]{43}=$")))
      | "\(.name) \(.node_id) \(.pub_key.value)"' "$scratch/got/$name.node.json" 2> /dev/null || true
  done
}

# HAVE WANTED: the names of the second file that the first one, which may be empty, has no line for.
absent() {
  awk 'first { have[$1]; next } !($1 in have) { print $1 }' first=1 "$1" first= "$2"
}

# The genesis with these keys (lines as halves gives them): the template, byte for byte, with the validators in it, as
# CometBFT writes them. Fails where a key is missing.
form() {
  while read -r name _id value; do
    address=$(printf %s "$value" | base64 -d 2> /dev/null | sha256sum | cut -c 1-40 | tr a-f A-F)
    echo "$name $address $value"
  done < "$1" > "$scratch/addresses"
  awk '
    function line(text) { printf "%s%s", (lines++ ? "\n" : ""), text }
    file == "keys" { address[$1] = $2; value[$1] = $3; next }
    file == "powers" { name[++count] = $1; power[$1] = $2; next }
    $0 == "  \"validators\": []," {
      line("  \"validators\": [")
      for (i = 1; i <= count; i++) {
        if (!(name[i] in value)) exit 1
        line("    {")
        line("      \"address\": \"" address[name[i]] "\",")
        line("      \"pub_key\": {")
        line("        \"type\": \"tendermint/PubKeyEd25519\",")
        line("        \"value\": \"" value[name[i]] "\"")
        line("      },")
        line("      \"power\": \"" power[name[i]] "\",")
        line("      \"name\": \"" name[i] "\"")
        line("    }" (i < count ? "," : ""))
      }
      $0 = "  ],"
    }
    { line($0) }' file=keys "$scratch/addresses" file=powers "$scratch/powers" file= "$template" || return 1
}

# Whether a genesis is the template of this network with somebody's keys; those are left in the file holders.
is_ours() {
  jq -r '.validators[] | "\(.name) - \(.pub_key.value)"' "$1" > "$scratch/holders" 2> /dev/null || return 1
  form "$scratch/holders" > "$scratch/again" && cmp -s "$1" "$scratch/again"
}

keep() {
  cp "$1" "$genesis.new"
  mv "$genesis.new" "$genesis"
}

make_genesis() {
  twins=$(awk 'seen[$3]++ { print $1 }' "$scratch/halves")
  [ -z "$twins" ] || fail "$(echo "$twins" | tr '\n' ' ')has the key of another validator: no two may have one; give it an empty volume"
  awk '{ print $1, "-", $3 }' "$scratch/halves" > "$scratch/wanted"
  # shellcheck disable=SC2015 # either of them is enough
  form "$scratch/halves" > "$scratch/made" && is_ours "$scratch/made" && cmp -s "$scratch/holders" "$scratch/wanted" ||
    fail "genesis.template of the ConfigMap tm-config is no genesis in JSON, as create writes it"
  keep "$scratch/made"
  say "$node has made the genesis, with the keys of $(wc -l < "$scratch/halves" | tr -d ' ') validators"
}

# Until there is a genesis on this volume.
obtain() {
  before=
  told=
  round=0
  while :; do
    # Everybody is asked by whoever would make one, and by the rest now and then, should the first validator be away.
    asked=$leader
    { [ "$node" != "$leader" ] && [ $((round % 10)) != 5 ]; } || asked=$others
    # shellcheck disable=SC2086 # names
    fetch genesis.json $asked
    for holder in $asked; do
      candidate=$scratch/got/$holder.genesis.json
      [ -s "$candidate" ] || continue
      if is_ours "$candidate"; then
        keep "$candidate"
        say "$node has the genesis of $holder"
        return
      fi
      [ "$told" = "$holder" ] || say "what $holder serves is no genesis of the ConfigMap tm-config, and is not taken"
      told=$holder
    done
    waits="the genesis, which $leader makes when all validators are there"
    if [ "$node" = "$leader" ]; then
      # shellcheck disable=SC2086 # names
      halves $validators > "$scratch/halves"
      waits=$(absent "$scratch/halves" "$scratch/validators" | tr '\n' ' ')
      if [ -z "$waits" ]; then
        # A volume may have been lost meanwhile: the same keys, seen twice, without a genesis anywhere.
        now=$(cat "$scratch/halves")
        if [ "$now" = "$before" ]; then
          make_genesis
          return
        fi
        before=$now
        continue
      fi
      before=
    fi
    [ "$told" = "$waits" ] || say "$node waits for $waits"
    told=$waits
    round=$((round + 1))
    sleep 1
  done
}

if [ -s "$genesis" ] && jq -e .validators "$genesis" > /dev/null 2>&1; then
  is_ours "$genesis" || fail "the genesis on the volume of $node is not made of the ConfigMap tm-config:" \
    "bring that ConfigMap back as it was, or start a new chain with reset"
else
  obtain
  is_ours "$genesis"
fi

# A validator with another key than the genesis says is another one. Only a recovery that was confirmed lets it in.
mine=$(jq -r .pub_key.value "$keys/priv_validator_key.json")
theirs=$(awk -v node="$node" '$1 == node { print $3 }' "$scratch/holders")
if [ -n "$theirs" ] && [ "$theirs" != "$mine" ]; then
  record=
  [ ! -e "$from/started/$node" ] || record=$(cat "$from/started/$node")
  case "$record" in
    "$(sha256sum < "$genesis" | cut -d ' ' -f 1) "*) say "$node goes on with a new key, which has no vote" ;;
    *)
      code=3 fail "$node has another key than the genesis of the chain says: its volume was lost, with the key, which was" \
        "nowhere else. Bring the volume back, or, where it is lost, use make recover NODE=$node, which lets it go on as a" \
        "node without a vote"
      ;;
  esac
fi

cp "$genesis" "$public/.genesis.json"
chmod 644 "$public/.genesis.json"
mv "$public/.genesis.json" "$public/genesis.json"

# Ids of those whom it is told of, and of all validators. They are kept: a peer that is away need not be waited for twice.
awk -v node="$node" '
  $1 == node { mode = $4; told = $5 "," $6 "," $7 }
  $4 == "validator" { votes[$1] }
  END {
    count = split(told, name, ",")
    for (i = 1; i <= count; i++) if (name[i] != "-" && name[i] != "") all[name[i]]
    if (mode == "validator") for (one in votes) all[one]
    for (one in all) if (one != node) print one
  }' "$rows" > "$scratch/needed"
[ -e "$keys/peers" ] || : > "$keys/peers"
cp "$keys/peers" "$scratch/peers"
until=$(($(date +%s) + wait))
asked=$(cat "$scratch/needed")
while :; do
  # shellcheck disable=SC2086 # names
  halves $asked > "$scratch/halves"
  awk '{ id[$1] = $2 } END { for (name in id) print name, id[name] }' "$scratch/peers" "$scratch/halves" > "$scratch/known"
  mv "$scratch/known" "$scratch/peers"
  asked=$(absent "$scratch/peers" "$scratch/needed")
  [ -n "$asked" ] && [ "$(date +%s)" -lt "$until" ] || break
  sleep 1
done
[ -z "$asked" ] ||
  say "after $wait s $(echo "$asked" | tr '\n' ' ')has told no node id: $node starts without dialling it; create connects them later"
cp "$scratch/peers" "$keys/peers.new"
mv "$keys/peers.new" "$keys/peers"

# The rows with the ids in them, without those that nobody knows.
awk -v node="$node" -v id="$(jq -r .node_id "$public/node.json")" '
  function known(told, name, count, i, left) {
    count = split(told, name, ",")
    for (i = 1; i <= count; i++) if (name[i] in ids) left = left (left == "" ? "" : ",") name[i]
    return left == "" ? "-" : left
  }
  first { ids[$1] = $2; next }
  $1 == node { $3 = id; for (field = 5; field <= 7; field++) $field = known($field); print }
  $1 != node && $1 in ids { $3 = ids[$1]; print }' first=1 "$scratch/peers" first= "$rows" > "$scratch/nodes/nodes"
dials() {
  awk -v node="$node" '$1 == node { print $5 $6 }' "$1"
}
[ "$(dials "$rows")" = -- ] || [ "$(dials "$scratch/nodes/nodes")" != -- ] ||
  fail "$node knows the node id of none of its peers after $wait s: do their pods run, and does DNS work?"

# What tm-gen-validator.sh reads, as it would be mounted with custody secret.
for file in priv_validator_key.json node_key.json; do
  ln -s "$keys/$file" "$scratch/keys/$node.$file"
done
ln -s "$genesis" "$scratch/genesis/genesis.json"
ln -s "$from/settings" "$from/started" "$from/stopped" "$scratch/"
[ ! -e "$from/nodes/$node.toml" ] || ln -s "$from/nodes/$node.toml" "$scratch/nodes/$node.toml"
MINTNET=$scratch ASKED=$rows EXTERNAL=$external exec sh "$from/settings/tm-gen-validator.sh"
