use super::{
    book::{Book, BookError, Hash, Noted},
    recent::Recent,
};
use ldk_node::{
    Event, Node, NodeError,
    lightning::{events::PaymentFailureReason, ln::channelmanager::PaymentId},
    lightning_types::payment::{PaymentHash, PaymentPreimage},
};
use mesh_types::{Msat, Outgoing, PaidInvoice, to_hex};
use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// A running node and its book; all that is done with them blocks.
pub(super) struct Core {
    pub(super) node: Node,
    pub(super) book: Book,
    /// Payments that can be claimed and are not settled, with the height from which on they go back.
    held: Mutex<HashMap<Hash, Option<u32>>>,
    /// Why payments failed.
    pub(super) failures: Recent<Hash>,
    /// Why channels were closed, by the number that this node gives them.
    pub(super) closures: Recent<u128>,
    /// Counts what has happened, so that one can wait for the next thing.
    happened: watch::Sender<u64>,
}

impl Core {
    pub(super) fn new(node: Node, book: Book) -> Self {
        Self {
            node,
            book,
            held: Mutex::default(),
            failures: Recent::default(),
            closures: Recent::default(),
            happened: watch::Sender::new(0),
        }
    }

    /// Whoever waits for something subscribes first, and looks then.
    pub(super) fn happened(&self) -> watch::Receiver<u64> {
        self.happened.subscribe()
    }

    /// Handles and acknowledges what has happened until now.
    ///
    /// # Errors
    /// When the disk does not take a note. LDK tells again what was not acknowledged, after a restart too, and each kind
    /// is handled so that being told twice changes nothing.
    pub(super) fn handle_all(&self) -> Result<(), BookError> {
        while let Some(event) = self.node.next_event() {
            self.handle(event)?;
            self.node.event_handled().map_err(|error| BookError::Disk {
                doing: "written",
                why: error.to_string(),
            })?;
            self.happened
                .send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(())
    }

    fn handle(&self, event: Event) -> Result<(), BookError> {
        match event {
            Event::PaymentClaimable {
                payment_hash,
                claimable_amount_msat,
                claim_deadline,
                ..
            } => {
                self.claim(&payment_hash.0, claimable_amount_msat, claim_deadline)?;
            }
            Event::PaymentReceived {
                payment_hash,
                amount_msat,
                ..
            } => self.settled(&payment_hash.0, amount_msat)?,
            Event::PaymentSuccessful {
                payment_hash,
                payment_preimage: Some(preimage),
                fee_paid_msat,
                ..
            } => self.paid(&payment_hash.0, &preimage, fee_paid_msat)?,
            Event::PaymentFailed {
                payment_hash: Some(payment_hash),
                reason,
                ..
            } => self.failed(&payment_hash.0, reason)?,
            Event::ChannelClosed {
                user_channel_id,
                channel_id,
                reason,
                ..
            } => {
                let why =
                    reason.map_or_else(|| "no reason is known".to_owned(), |why| why.to_string());
                tracing::info!(channel = %channel_id, why, "a Lightning channel is closed");
                self.closures.note(user_channel_id.0, why);
            }
            Event::ChannelPending { channel_id, .. } => {
                tracing::info!(channel = %channel_id, "a Lightning channel waits for its confirmations");
            }
            Event::ChannelReady { channel_id, .. } => {
                tracing::info!(channel = %channel_id, "a Lightning channel is ready");
            }
            // Forwarded payments and splices need nothing of us; a payment without a hash or a preimage is none of ours.
            _ => {}
        }
        Ok(())
    }

    /// Claims a payment for an invoice of the book, and gives back any other.
    ///
    /// # Security
    /// To claim is to show the preimage, so the amount is compared first. What comes too late is given back: whoever issued
    /// the invoice may have forgotten it.
    fn claim(&self, hash: &Hash, amount_msat: u64, deadline: Option<u32>) -> Result<(), BookError> {
        let payment_hash = PaymentHash(*hash);
        let bolt11 = self.node.bolt11_payment();
        let refused = match self.book.claim(hash, amount_msat)? {
            Some(preimage) => {
                self.held().insert(*hash, deadline);
                let preimage = PaymentPreimage(*preimage);
                bolt11
                    .claim_for_hash(payment_hash, amount_msat, preimage)
                    .err()
            }
            // Told again after it was settled.
            None if self.book.is_settled(hash)? => None,
            None => Some(NodeError::InvalidPaymentHash),
        };
        if let Some(error) = refused {
            tracing::info!(%error, amount_msat, "a payment that is not expected is given back");
            self.held().remove(hash);
            if let Err(error) = bolt11.fail_for_hash(payment_hash) {
                tracing::debug!(%error, "it goes back by itself when its time is over");
            }
        }
        Ok(())
    }

    fn settled(&self, hash: &Hash, amount_msat: u64) -> Result<(), BookError> {
        let place = self.book.settle(hash, Msat::from_msat(amount_msat))?;
        self.held().remove(hash);
        match place {
            // The book has it now, and LDK keeps its list of payments in memory.
            Some(_) => self.strike(hash),
            None => tracing::info!(
                amount_msat,
                "a payment without an invoice of the mesh came in"
            ),
        }
        Ok(())
    }

    fn paid(
        &self,
        hash: &Hash,
        preimage: &PaymentPreimage,
        fee_msat: Option<u64>,
    ) -> Result<(), BookError> {
        let fee = Msat::from_msat(fee_msat.unwrap_or(0));
        let preimage = preimage.0;
        self.book.paid(hash, PaidInvoice { preimage, fee })?;
        self.strike(hash);
        Ok(())
    }

    fn failed(&self, hash: &Hash, reason: Option<PaymentFailureReason>) -> Result<(), BookError> {
        use ldk_node::payment::PaymentStatus::{Pending, Succeeded};
        let payment = self.node.payment(&PaymentId(*hash));
        if payment.is_some_and(|payment| matches!(payment.status, Pending | Succeeded)) {
            // This is about an earlier try, told once more after a crash.
            return Ok(());
        }
        self.failures.note(*hash, in_words(reason));
        self.book.failed(hash)?;
        self.strike(hash);
        Ok(())
    }

    /// What became of a payment.
    pub(super) fn outgoing(&self, hash: &Hash) -> Result<Outgoing, BookError> {
        let invoice = match self.book.payment(hash)? {
            Noted::Nothing => return Ok(Outgoing::NotPaid),
            Noted::Paid(paid) => return Ok(Outgoing::Paid(paid)),
            Noted::Begun { invoice } => invoice,
        };
        // LDK keeps it until its end was handled. What it does not know was cut off by a crash in the moment before it was
        // sent, or the moment after; then its end is told yet, and nobody sends it again in any case.
        let is_known = self.node.payment(&PaymentId(*hash)).is_some();
        if !is_known && is_expired(&invoice) {
            return Ok(Outgoing::NotPaid);
        }
        Ok(Outgoing::Pending)
    }

    /// Whether a payment for an invoice of the book has arrived that is not settled.
    pub(super) fn is_held(&self, hash: &Hash) -> bool {
        let deadline = self.held().get(hash).copied();
        let height = self.node.status().current_best_block.height;
        deadline.is_some_and(|deadline| deadline.is_none_or(|deadline| height < deadline))
    }

    /// Takes a payment off LDK's list, which is in memory as a whole.
    pub(super) fn strike(&self, hash: &Hash) {
        if let Err(error) = self.node.remove_payment(&PaymentId(*hash)) {
            tracing::warn!(payment = to_hex(hash), %error, "a payment stays on LDK's list");
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Hash, Option<u32>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn is_expired(invoice: &str) -> bool {
    use ldk_node::lightning_invoice::Bolt11Invoice;
    let invoice = invoice.parse::<Bolt11Invoice>();
    invoice.is_ok_and(|invoice| invoice.is_expired())
}

fn in_words(reason: Option<PaymentFailureReason>) -> String {
    match reason {
        Some(PaymentFailureReason::RecipientRejected) => "the payee refused it",
        Some(PaymentFailureReason::RouteNotFound) => {
            "there is no way to the payee within the limit of fees"
        }
        Some(PaymentFailureReason::PaymentExpired) => "the invoice has expired",
        Some(PaymentFailureReason::RetriesExhausted) => "every way that was tried failed",
        Some(PaymentFailureReason::UserAbandoned) => "it was given up",
        _ => "LDK says no more than that it failed",
    }
    .to_owned()
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("book", &self.book)
            .finish_non_exhaustive()
    }
}
