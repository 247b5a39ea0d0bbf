use crate::{
    Delivery, MeshManager, PendingClaim, Refusal, Refused, Step, Ticket, manager::Shared,
    purse::LOOKUPS_BURST,
};
use mesh_protocol::ControlMessage;
use mesh_types::{Claim, ClaimOutcome, MeshEvent, Msat, NodeId};
use std::sync::atomic::Ordering;

impl MeshManager {
    /// Decides about a packet, and carries the decision out.
    pub(crate) async fn carry(&self, from: &NodeId, bytes: Vec<u8>) -> Result<(), Refused> {
        let is_answering = self.shared.store.is_answering();
        self.engine().debts.store_is(is_answering);
        let mut step = self
            .engine()
            .receive(from, &bytes, self.shared.node_api.now())?;
        let mut claimed = None;
        // Each is asked once at most: a decision that has been claimed and drawn for is final.
        loop {
            step = match step {
                Step::Ask(pending) => Step::Claim(self.ask_chain(*from, pending, &bytes).await?),
                Step::Claim(pending) => {
                    claimed = Some(pending.payment.claim());
                    self.claim(pending, &bytes).await?
                }
                Step::Draw(pending) => self.draw(pending, &bytes).await?,
                Step::Forward { next, ticket } => {
                    self.forward(next, ticket, bytes).await?;
                    break;
                }
                Step::Deliver { delivery, ticket } => {
                    self.deliver(delivery, ticket, &bytes).await?;
                    break;
                }
                Step::Answer(answer) => {
                    self.answer(answer).await?;
                    break;
                }
            }
        }
        if let Some(claim) = claimed {
            self.remember(claim);
        }
        Ok(())
    }

    /// Claims the payment that came with a packet, which credits it, and goes on with the packet.
    async fn claim(&self, pending: PendingClaim, bytes: &[u8]) -> Result<Step<'_>, Refused> {
        let claim = pending.payment.claim();
        // Claimed here, and its packet carried: whoever shows it now shows it again. A miss says nothing.
        if self.shared.recent.contains(&claim.key) {
            return Err(self.refuse(Refusal::ProofReplayed, bytes));
        }
        let asking = self.may_ask(bytes)?;
        let now = self.shared.node_api.now();
        let source = pending.source;
        if let Err(spent) = self.shared.vain_claims.take(&source, 1, now) {
            let busy = Refusal::Busy(format!("too many used proofs: {spent}"));
            return Err(self.refuse(busy, bytes));
        }
        if claim.on_chain.is_some() {
            self.keep_covenant(bytes).await?;
        } else if self.shared.wallet.check_settlement.load(Ordering::Relaxed) {
            self.ask_wallet(&pending, bytes).await?;
        }
        let outcome = self.shared.store.claim(claim, pending.by, now).await;
        drop(asking);
        match outcome {
            Ok(ClaimOutcome::New) => self.shared.announce(claim).await,
            // This packet had asked before and did not hear the answer, or the wallet was faster.
            Ok(ClaimOutcome::Again) => {}
            Ok(ClaimOutcome::AlreadyClaimed) => {
                return Err(self.refuse(Refusal::ProofReplayed, bytes));
            }
            Err(error) => return Err(self.refuse(Refusal::Store(error), bytes)),
        }
        self.shared.vain_claims.give_back(&source, 1);
        if claim.on_chain.is_some() {
            self.shared.questions.give_back(&source, 1);
        }
        // Whatever was asked for in vain before: now there is credit.
        self.shared.lookups.give_back(&claim.payer, LOOKUPS_BURST);
        let halfway = self.engine().claimed(pending);
        self.engine()
            .resume(bytes, halfway, self.shared.node_api.now())
    }

    /// Remembers a payment whose packet has been carried: from now on nobody shows it rightly.
    ///
    /// Before that the same packet may come again, and only the store knows which one it was.
    fn remember(&self, claim: Claim) {
        let now = self.shared.node_api.now();
        // A set that is full forgets nothing and takes nothing: the store is asked then.
        let _ = self.shared.recent.claim(claim.key, claim.expires_at, now);
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

    pub(crate) fn refuse(&self, refusal: Refusal, bytes: &[u8]) -> Refused {
        self.engine().refuse(refusal, self.engine().way_back(bytes))
    }
}

impl Shared {
    /// Tells of a payment that has been credited.
    pub(crate) async fn announce(&self, claim: Claim) {
        self.engine.traffic.count_claimed();
        if let Some(learning) = &self.learning {
            learning.paid(claim.payer, self.engine.routes(), self.node_api.now());
        }
        self.publish(MeshEvent::PaymentVerified {
            payment_id: mesh_types::to_hex(claim.key.as_bytes()),
            payer: claim.payer,
            amount: claim.amount,
        })
        .await;
    }
}
