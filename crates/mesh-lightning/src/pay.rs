use crate::invoice::Invoice;
use async_trait::async_trait;
use mesh_types::{LightningError, LightningNode, Network, Outgoing, PaidInvoice, PayLimits};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::timeout;

/// How long a back end may take to answer anything but a payment: ten seconds, because a healthy one takes
/// milliseconds, and a caller waits.
pub const REQUEST_PATIENCE: Duration = Duration::from_secs(10);

/// The longest wait for an invoice to be settled: a day, so that no deadline is beyond what a clock can say.
pub const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// What came of the one request that pays.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It is paid.
    Paid(PaidInvoice),
    /// It failed for good or was refused, if an earlier request is not under way.
    Rejected(String),
    /// No answer, or none that tells.
    Lost(String),
}

/// A back end that can send the one request that pays, and look for what became of it.
#[async_trait]
pub(crate) trait Payer: LightningNode {
    /// Sends it.
    ///
    /// # Errors
    /// When nothing was sent, or it was sent and refused for a reason that no payment is part of, a wrong key say.
    async fn send(
        &self,
        text: &str,
        invoice: &Invoice,
        limits: PayLimits,
    ) -> Result<Sent, LightningError>;
}

/// Pays an invoice at most once: looks for it, pays it, and looks again where the answer does not tell.
pub(crate) async fn pay_once(
    payer: &impl Payer,
    text: &str,
    network: Network,
    limits: PayLimits,
) -> Result<PaidInvoice, LightningError> {
    let invoice = Invoice::read(text).map_err(LightningError::PaymentFailed)?;
    if !invoice.is_on(network) {
        let why = format!("the invoice is not for {network}, the network of this wallet");
        return Err(LightningError::PaymentFailed(why));
    }
    let sent = AtomicBool::new(false);
    let paying = look_then_pay(payer, text, &invoice, limits, &sent);
    match timeout(limits.patience, paying).await {
        Ok(outcome) => outcome,
        Err(_) if sent.load(Ordering::Relaxed) => Err(LightningError::Unknown(
            "no answer within the patience of this payment".to_owned(),
        )),
        Err(_) => Err(LightningError::Unreachable(
            "no answer within the patience of this payment, which was not tried".to_owned(),
        )),
    }
}

async fn look_then_pay(
    payer: &impl Payer,
    text: &str,
    invoice: &Invoice,
    limits: PayLimits,
    sent: &AtomicBool,
) -> Result<PaidInvoice, LightningError> {
    match payer.outgoing(invoice.payment_hash).await? {
        Outgoing::Paid(paid) => return Ok(paid),
        Outgoing::Pending => {
            return Err(LightningError::Unknown(
                "an earlier payment of this invoice is under way".to_owned(),
            ));
        }
        Outgoing::NotPaid => {}
    }
    sent.store(true, Ordering::Relaxed);
    match payer.send(text, invoice, limits).await? {
        Sent::Paid(paid) => Ok(paid),
        Sent::Rejected(why) => match payer.outgoing(invoice.payment_hash).await {
            Ok(Outgoing::Paid(paid)) => Ok(paid),
            Ok(Outgoing::NotPaid) => Err(LightningError::PaymentFailed(why)),
            Ok(Outgoing::Pending) | Err(_) => Err(LightningError::Unknown(why)),
        },
        // Not found does not mean failed here: the request may be on its way.
        Sent::Lost(why) => match payer.outgoing(invoice.payment_hash).await {
            Ok(Outgoing::Paid(paid)) => Ok(paid),
            _ => Err(LightningError::Unknown(why)),
        },
    }
}

/// Makes a payment of what a back end says of it; `None` when the preimage is not the invoice's.
///
/// # Security
/// The preimage is what the mesh hands on as proof, so it is checked here, not believed.
#[cfg(any(feature = "cln", feature = "lnd", feature = "lnbits"))]
pub(crate) fn paid(preimage: &str, hash: &[u8; 32], fee: mesh_types::Msat) -> Option<PaidInvoice> {
    let preimage: [u8; 32] = mesh_types::from_hex(preimage).ok()?;
    (crate::invoice::payment_hash(&preimage) == *hash).then_some(PaidInvoice { preimage, fee })
}

/// The time that a back end is given to find a way, in seconds: a tenth less than the caller's patience, so that its
/// last word still arrives.
#[cfg(any(feature = "cln", feature = "lnd"))]
pub(crate) fn time_to_try(patience: Duration) -> u64 {
    let whole = patience.as_secs();
    whole.saturating_sub(whole / 10).max(1)
}
