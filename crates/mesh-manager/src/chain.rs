use crate::{MeshManager, PendingClaim, PendingQuestion, Refusal, Refused};
use mesh_protocol::{PacketView, decode_proof};
use mesh_types::{NodeId, PaymentProof};
use std::time::Duration;
use tokio::time::timeout;

/// How often a source may have the chain asked about payments that turn out to be none, or used, or of which the chain cannot
/// tell: at once, and a second. A payment that is claimed costs nothing of it.
///
/// What the chain cannot tell counts, because a node without an index cannot tell of any transaction that there is not.
pub(crate) const QUESTIONS_BURST: u64 = 20;
pub(crate) const QUESTIONS_PER_SECOND: u64 = 1;

/// How long a packet waits for the chain's answer; its source gives up at about that time.
const PATIENCE: Duration = Duration::from_secs(5);

impl MeshManager {
    /// Keeps a covenant before it is claimed, under this node's own name: what it pays has to be collected, also in another
    /// life, by sending its template.
    pub(crate) async fn keep_covenant(&self, bytes: &[u8]) -> Result<(), Refused> {
        let proof = PacketView::parse(bytes).ok().and_then(|packet| {
            let (_, proof) = packet.proof()?;
            decode_proof(proof).ok()
        });
        let Some(proof @ PaymentProof::InstantSettlement { .. }) = proof else {
            return Ok(());
        };
        let local = self.node_id();
        let kept = self.shared.store.keep_proof(local, proof).await;
        kept.map_err(|error| self.refuse(Refusal::Store(error), bytes))
    }

    /// Asks the wallet whether the invoice is settled that a packet's proof is of.
    pub(crate) async fn ask_wallet(
        &self,
        pending: &PendingClaim,
        bytes: &[u8],
    ) -> Result<(), Refused> {
        let refuse = |refusal| self.refuse(refusal, bytes);
        let busy = |reason: String| refuse(Refusal::Busy(reason));
        let lightning = self.lightning().map_err(|error| busy(error.to_string()))?;
        let asked = lightning.incoming(*pending.payment.key().as_bytes());
        let found = match timeout(PATIENCE, asked).await {
            Ok(found) => found.map_err(|error| busy(error.to_string()))?,
            Err(_) => return Err(busy("the wallet is slow to answer".to_owned())),
        };
        let settled = pending.payment.check_settled(found);
        settled.map_err(|error| refuse(error.into()))
    }

    /// Asks the chain about the payment that came with a packet.
    ///
    /// - `from`: the neighbour that handed the packet on.
    pub(crate) async fn ask_chain(
        &self,
        from: NodeId,
        pending: PendingQuestion,
        bytes: &[u8],
    ) -> Result<PendingClaim, Refused> {
        let refuse = |refusal| self.refuse(refusal, bytes);
        let busy = |reason: &str| refuse(Refusal::Busy(reason.to_owned()));
        let chain = self.shared.node_api.chain();
        let chain = chain.ok_or_else(|| busy("there is no chain to ask"))?;
        let _asking = self
            .shared
            .chain_places
            .take(from)
            .ok_or_else(|| busy("too many packets wait for the chain"))?;
        let source = pending.source;
        let taken = self
            .shared
            .questions
            .take(&source, 1, self.shared.node_api.now());
        taken.map_err(|spent| busy(&format!("too many payments that are not claimed: {spent}")))?;
        let (question, asked) = pending.split();
        let answer = match timeout(PATIENCE, question.put_to(chain.as_ref())).await {
            Ok(answer) => answer.map_err(|error| busy(&error.to_string()))?,
            Err(_) => return Err(busy("the chain is slow to answer")),
        };
        let payment = answer.map_err(|error| refuse(error.into()))?;
        Ok(asked.verified(payment))
    }
}
