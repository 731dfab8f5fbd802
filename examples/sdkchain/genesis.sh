#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the genesis with the chain's own commands: for each validator an operator who has staked as much as its power says,
# and coins for alice and bob. Reads CHAIN_ID, VALIDATORS (a JSON file: a list of name, node_id, pub_key, power) and HOME
# (an empty folder). Prints the genesis on stdout, all else on stderr.
set -eu
exec 3>&1 1>&2

# A test vector of BIP-39, so everybody has its keys: for trying only. A chain of worth gets its keys from their owners.
mnemonic="abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
# The kinds of keys in CometBFT's files, and what the consensus parameters call them.
kinds='{"tendermint/PubKeyEd25519": "ed25519", "tendermint/PubKeySecp256k1": "secp256k1", "cometbft/PubKeyMlDsa65": "ml_dsa_65"}'
genesis=$HOME/config/genesis.json

run() { chaind "$@" --home "$HOME" </dev/null; }

# account NAME ACCOUNT INDEX COINS puts the mnemonic's key m/44'/118'/ACCOUNT'/0/INDEX into the keyring, and coins into the genesis.
account() {
  echo "$mnemonic" | chaind keys add "$1" --recover --account "$2" --index "$3" --keyring-backend test --home "$HOME"
  run genesis add-genesis-account "$1" "$4" --keyring-backend test
}

run init "$CHAIN_ID" --chain-id "$CHAIN_ID"

# The kinds of keys that there are, and room for all validators.
jq --argjson kinds "$kinds" --slurpfile validators "$VALIDATORS" '
  def kind: $kinds[.pub_key.type] // error("\(.name): this chain has no validators with a \(.pub_key.type)");
  .consensus.params.validator.pub_key_types = ($validators[0] | map(kind) | unique)
  | .app_state.staking.params.max_validators |= ([., ($validators[0] | length)] | max)
' "$genesis" >"$HOME/genesis.json"
mv "$HOME/genesis.json" "$genesis"

account alice 0 0 1000000000000stake
account bob 0 1 1000000000000stake

mkdir "$HOME/gentx"
jq -r --argjson kinds "$kinds" '
  to_entries[] | .key as $n | .value
  | {"@type": "/cosmos.crypto.\($kinds[.pub_key.type] | gsub("_"; "")).PubKey", key: .pub_key.value} as $key
  | "\($n) \(.name) \(.node_id) \(.power) \($key | tojson)"
' "$VALIDATORS" |
  while read -r n name node_id power key; do
    # One of power is a million stake. The operator keeps as much again to spend.
    account "$name" 1 "$n" "$((power * 2))000000stake"
    # The files' names keep the validators in their order.
    run genesis gentx "$name" "${power}000000stake" --chain-id "$CHAIN_ID" --keyring-backend test --moniker "$name" \
      --node-id "$node_id" --ip "$name" --pubkey "$key" --output-document "$HOME/gentx/$(printf %05d "$n").json"
  done

run genesis collect-gentxs --gentx-dir "$HOME/gentx"
run genesis validate
cat "$genesis" >&3
