use crate::{Msat, Network};
use async_trait::async_trait;
use std::{fmt, time::Duration};
use thiserror::Error;

/// What a Lightning node says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LightningInfo {
    /// The compressed public key that signs its invoices.
    pub payee_key: [u8; 33],
    /// The network of its channels.
    pub network: Network,
    /// Whether it issues invoices for the preimages that it is given.
    pub takes_preimages: bool,
    /// Whether others can have the same key sign invoices with a text of their choice, as a custodian's customers can.
    pub is_shared: bool,
}

/// An invoice to be issued.
///
/// # Security
/// The preimage is worth the amount to whoever knows it, so `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct InvoiceRequest {
    /// The amount, never zero.
    pub amount: Msat,
    /// The preimage to use, where the back end takes one.
    pub preimage: [u8; 32],
    /// The text of the invoice's description.
    pub description: String,
    /// How long the invoice may be paid, in whole seconds.
    pub expiry: Duration,
}

impl fmt::Debug for InvoiceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvoiceRequest")
            .field("amount", &self.amount)
            .field("description", &self.description)
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}

/// What a payment may cost on top of its amount, in money and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayLimits {
    /// The most that routing may cost.
    pub max_fee: Msat,
    /// How long to wait for the outcome. What is not known then is [`LightningError::Unknown`].
    pub patience: Duration,
}

/// A payment that was made.
///
/// # Security
/// The preimage is the proof of it, so `Debug` leaves it out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PaidInvoice {
    /// The preimage of the invoice's payment hash.
    pub preimage: [u8; 32],
    /// What routing cost.
    pub fee: Msat,
}

impl fmt::Debug for PaidInvoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaidInvoice")
            .field("fee", &self.fee)
            .finish_non_exhaustive()
    }
}

/// What became of an invoice of this wallet's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// This wallet has issued no such invoice.
    NotOurs,
    /// It is not paid, or not any more to be paid.
    Unpaid,
    /// A payment is held and can still be given back.
    Held,
    /// It is paid.
    Settled {
        /// What arrived.
        amount: Msat,
    },
}

/// What became of a payment that this wallet was asked to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outgoing {
    /// This wallet was never asked to, or it failed for good: it may be tried (again).
    NotPaid,
    /// It is under way.
    Pending,
    /// It is paid.
    Paid(PaidInvoice),
}

/// The most settled invoices that are told of at one time; more where the last of them cannot be told apart by their place.
pub const MAX_SETTLED: usize = 100;

/// An invoice of this wallet's own that has been paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledInvoice {
    /// Its payment hash.
    pub payment_hash: [u8; 32],
    /// The text of its description; empty where it has none.
    pub description: String,
    /// What arrived.
    pub amount: Msat,
    /// Its place in the wallet's list of settled invoices, above 0. What is settled later has no smaller one.
    pub place: u64,
}

/// A wallet that issues and pays BOLT11 invoices.
#[async_trait]
pub trait LightningNode: Send + Sync {
    /// Who signs its invoices, and on which network.
    ///
    /// # Errors
    /// When the back end cannot be reached.
    async fn info(&self) -> Result<LightningInfo, LightningError>;

    /// Issues an invoice and gives its BOLT11 text.
    ///
    /// # Errors
    /// When the back end refuses or cannot be reached.
    async fn create_invoice(&self, request: InvoiceRequest) -> Result<String, LightningError>;

    /// Pays a BOLT11 invoice, once: asked again it pays nothing more.
    ///
    /// # Errors
    /// [`LightningError::PaymentFailed`] when nothing was paid, nor ever will be. [`LightningError::Unknown`] when that is
    /// not known: [`LightningNode::outgoing`] tells later. Any other when nothing was tried.
    async fn pay_invoice(
        &self,
        invoice: &str,
        limits: PayLimits,
    ) -> Result<PaidInvoice, LightningError>;

    /// What became of this wallet's own invoice with that payment hash.
    ///
    /// # Errors
    /// When the back end cannot be reached.
    async fn incoming(&self, payment_hash: [u8; 32]) -> Result<Incoming, LightningError>;

    /// What became of the payment of that payment hash.
    ///
    /// # Errors
    /// When the back end cannot be reached.
    async fn outgoing(&self, payment_hash: [u8; 32]) -> Result<Outgoing, LightningError>;

    /// The invoices of this wallet that were settled behind `place` of its list, the oldest first, about [`MAX_SETTLED`] at
    /// most. Where there is none yet it waits for one, as long as `patience`, and then answers with none.
    ///
    /// Asked again from the place of the last that it told of, none is ever left out. The places stay the same when the
    /// wallet is started again.
    ///
    /// # Errors
    /// When the back end cannot be reached; [`LightningError::Refused`] when it cannot tell, as where this is left as it is.
    async fn settled_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, LightningError> {
        let _ = (place, patience);
        let reason = "this wallet does not tell which of its invoices are settled";
        Err(LightningError::Refused(reason.to_owned()))
    }
}

/// Why a wallet did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LightningError {
    /// The back end cannot be reached now.
    #[error("the Lightning back end is not reachable: {0}")]
    Unreachable(String),
    /// The back end refused the request.
    #[error("the Lightning back end refused: {0}")]
    Refused(String),
    /// The payment failed and will not complete.
    #[error("the payment failed: {0}")]
    PaymentFailed(String),
    /// Whether it was paid is not known.
    #[error("whether it was paid is not known: {0}")]
    Unknown(String),
}
