use crate::{Delivery, MeshManager, PendingClaim, Refusal, Refused, Step, Ticket};
use mesh_protocol::ControlMessage;
use mesh_types::{ClaimOutcome, MeshEvent, Msat, NodeId, UnixTime};
use std::{sync::atomic::Ordering, time::Duration};

/// How often expired claims are forgotten, at most: it costs in proportion to what expired, so there is no hurry.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

impl MeshManager {
    /// Decides about a packet, and carries the decision out.
    pub(crate) async fn carry(&self, from: &NodeId, bytes: Vec<u8>) -> Result<(), Refused> {
        let mut step = self
            .engine()
            .receive(from, &bytes, self.shared.node_api.now())?;
        if let Step::Claim(claim) = step {
            step = self.claim(claim, &bytes).await?;
        }
        match step {
            Step::Forward { next, ticket } => self.forward(next, ticket, bytes).await,
            Step::Deliver { delivery, ticket } => self.deliver(delivery, ticket, &bytes).await,
            Step::Answer(answer) => self.answer(answer).await,
            // A packet whose proof has just been claimed does not lead to another claim.
            Step::Claim(_) => Err(self.refuse(Refusal::ProofReplayed, &bytes)),
        }
    }

    /// Claims the payment that came with a packet, credits it, and goes on with the packet.
    async fn claim(&self, pending: PendingClaim, bytes: &[u8]) -> Result<Step<'_>, Refused> {
        let claim = pending.payment.claim();
        let now = self.shared.node_api.now();
        self.sweep_claims(now).await;
        match self
            .shared
            .claims
            .claim(claim, mesh_types::PacketTag::from_bytes([0; 16]), now)
            .await
        {
            Ok(ClaimOutcome::New) => {}
            Ok(ClaimOutcome::Again | ClaimOutcome::AlreadyClaimed) => {
                return Err(self.refuse(Refusal::ProofReplayed, bytes));
            }
            Err(error) => return Err(self.refuse(Refusal::CannotClaim(error), bytes)),
        }
        let deposited = self.engine().deposit(pending);
        let claimed = deposited.map_err(|refusal| self.refuse(refusal, bytes))?;
        self.publish(MeshEvent::PaymentVerified {
            payment_id: mesh_types::to_hex(claim.key.as_bytes()),
            payer: claim.payer,
            amount: claim.amount,
        })
        .await;
        self.engine()
            .resume(bytes, &claimed, self.shared.node_api.now())
    }

    async fn forward(
        &self,
        next: NodeId,
        ticket: Ticket<'_>,
        bytes: Vec<u8>,
    ) -> Result<(), Refused> {
        let tell = self.engine().way_back(&bytes);
        match self.transmit(next, bytes).await {
            Ok(()) => {
                ticket.carried();
                Ok(())
            }
            Err(error) => {
                drop(ticket);
                Err(self.engine().refuse(Refusal::Busy(error.to_string()), tell))
            }
        }
    }

    async fn deliver(
        &self,
        delivery: Delivery,
        ticket: Ticket<'_>,
        bytes: &[u8],
    ) -> Result<(), Refused> {
        let (receipt, sequence) = (delivery.receipt.clone(), delivery.sequence);
        let is_paid = ticket.price() > Msat::ZERO;
        if let Err(refusal) = self.shared.inbox.put(delivery, is_paid) {
            drop(ticket);
            return Err(self.refuse(refusal, bytes));
        }
        ticket.carried();
        self.engine().traffic.count_delivered();
        if let Some(back) = receipt {
            self.reply(back, ControlMessage::Delivered { sequence })
                .await;
        }
        Ok(())
    }

    fn refuse(&self, refusal: Refusal, bytes: &[u8]) -> Refused {
        self.engine().refuse(refusal, self.engine().way_back(bytes))
    }

    /// Forgets expired claims, when that was last done long enough ago.
    async fn sweep_claims(&self, now: UnixTime) {
        let last = self.shared.swept_at_millis.load(Ordering::Relaxed);
        if now < UnixTime::from_millis(last).plus(SWEEP_INTERVAL) {
            return;
        }
        self.shared
            .swept_at_millis
            .store(now.to_millis(), Ordering::Relaxed);
        if let Err(error) = self.shared.claims.remove_expired(now).await {
            tracing::warn!(%error, "expired claims stay for now");
        }
    }
}
