# SPDX-License-Identifier: Apache-2.0
"""The calls of ABCI 2.0, each with what CometBFT expects of an application that has nothing to say.

Each method takes a request and gives its response, messages of tendermint/abci/types.proto. The specification is in
CometBFT's spec/abci.
"""

from __future__ import annotations

from tendermint.abci import types_pb2 as t

#: The code of a call that went well; any other is a refusal.
OK = 0


class Application:
    """Override what your application does. No call comes while another one is answered."""

    def echo(self, request: t.RequestEcho) -> t.ResponseEcho:
        return t.ResponseEcho(message=request.message)

    def flush(self, _request: t.RequestFlush) -> t.ResponseFlush:
        return t.ResponseFlush()

    # Handshake: CometBFT gives again every block behind the height that info tells.

    def info(self, _request: t.RequestInfo) -> t.ResponseInfo:
        return t.ResponseInfo()

    def init_chain(self, _request: t.RequestInitChain) -> t.ResponseInitChain:
        return t.ResponseInitChain()

    # Mempool

    def check_tx(self, _request: t.RequestCheckTx) -> t.ResponseCheckTx:
        return t.ResponseCheckTx(code=OK)

    # Consensus

    def prepare_proposal(self, request: t.RequestPrepareProposal) -> t.ResponsePrepareProposal:
        """The transactions as they come, as many as there is room for."""
        room, txs = request.max_tx_bytes, []
        for tx in request.txs:
            room -= len(tx)
            if room < 0:
                break
            txs.append(tx)
        return t.ResponsePrepareProposal(txs=txs)

    def process_proposal(self, _request: t.RequestProcessProposal) -> t.ResponseProcessProposal:
        return t.ResponseProcessProposal(status=t.ResponseProcessProposal.ACCEPT)

    def extend_vote(self, _request: t.RequestExtendVote) -> t.ResponseExtendVote:
        return t.ResponseExtendVote()

    def verify_vote_extension(self, _request: t.RequestVerifyVoteExtension) -> t.ResponseVerifyVoteExtension:
        return t.ResponseVerifyVoteExtension(status=t.ResponseVerifyVoteExtension.ACCEPT)

    def finalize_block(self, request: t.RequestFinalizeBlock) -> t.ResponseFinalizeBlock:
        return t.ResponseFinalizeBlock(tx_results=[t.ExecTxResult(code=OK) for _tx in request.txs])

    def commit(self, _request: t.RequestCommit) -> t.ResponseCommit:
        """What the block has changed is kept for good before this returns."""
        return t.ResponseCommit()

    # Queries

    def query(self, _request: t.RequestQuery) -> t.ResponseQuery:
        return t.ResponseQuery(code=1, log="this application answers no queries")

    # State sync

    def list_snapshots(self, _request: t.RequestListSnapshots) -> t.ResponseListSnapshots:
        return t.ResponseListSnapshots()

    def offer_snapshot(self, _request: t.RequestOfferSnapshot) -> t.ResponseOfferSnapshot:
        return t.ResponseOfferSnapshot(result=t.ResponseOfferSnapshot.ABORT)

    def load_snapshot_chunk(self, _request: t.RequestLoadSnapshotChunk) -> t.ResponseLoadSnapshotChunk:
        return t.ResponseLoadSnapshotChunk()

    def apply_snapshot_chunk(self, _request: t.RequestApplySnapshotChunk) -> t.ResponseApplySnapshotChunk:
        return t.ResponseApplySnapshotChunk(result=t.ResponseApplySnapshotChunk.ABORT)
