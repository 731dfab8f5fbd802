#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles CometBFT's own .proto files: types.sh PROTOS TYPES, the folder that has them, and where Python's types go.
set -eu
cd "$1"
mkdir -p "$2"
exec "${PYTHON:-python3}" -m grpc_tools.protoc -I . --python_out="$2" --grpc_python_out="$2" \
  gogoproto/gogo.proto tendermint/abci/types.proto tendermint/crypto/*.proto tendermint/types/*.proto tendermint/version/*.proto
