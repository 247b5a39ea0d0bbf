use mesh_payment::{Invoice, Quote};
use mesh_types::{
    LightningError, LightningNode, MeshError, Msat, NodeId, PaidInvoice, PayLimits, PaymentProof,
    SpendingConfig, UnixTime,
};
use std::time::Duration;

/// A quote that was paid, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidQuote {
    /// What was paid, routing fees excepted.
    pub amount: Msat,
    /// The proof to show to the payee.
    pub proof: PaymentProof,
}

/// The payment of one quote.
#[derive(Debug, Clone, Copy)]
pub struct QuoteToPay<'a> {
    /// The invoice, as it was quoted.
    pub invoice: &'a str,
    /// Whose credit it has to become.
    pub payer: NodeId,
    /// The node that has to have quoted it.
    pub payee: NodeId,
    /// The most to pay for it, routing fees excepted.
    pub limit: Msat,
}

/// How long before its end a quote is no longer paid: a payment may take this long, and its proof has to be shown in time.
pub const PAYMENT_MARGIN: Duration = Duration::from_secs(60);

/// How long a payment is waited for; then it is looked up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// Pays a quote, after checking that paying it buys credit for the payer, at the payee, within the limit. Routing may cost
/// what the default settings allow: a fiftieth of the amount.
///
/// # Errors
/// [`MeshError::PaymentVerificationFailed`] when the invoice is not such a quote: nothing was paid then.
/// [`MeshError::LightningError`] when the wallet did not pay, or it is not known whether it did.
pub async fn pay_quote(
    lightning: &dyn LightningNode,
    to_pay: QuoteToPay<'_>,
    now: UnixTime,
) -> Result<PaidQuote, MeshError> {
    let payable = Payable::read(&to_pay, now)?;
    let most_fee = SpendingConfig::default().most_fee(payable.amount);
    let paid = payable.pay(lightning, most_fee).await;
    let paid = paid.map_err(|error| MeshError::LightningError(error.to_string()))?;
    Ok(payable.paid(paid.preimage))
}

/// A quote of which everything is right, to be paid.
#[derive(Debug, Clone)]
pub(crate) struct Payable {
    invoice: String,
    pub(crate) amount: Msat,
    pub(crate) payment_hash: [u8; 32],
    timestamp: u64,
    expires_at: u64,
    /// Until when it can be paid and shown.
    pub(crate) ends_at: UnixTime,
}

impl Payable {
    pub(crate) fn read(to_pay: &QuoteToPay<'_>, now: UnixTime) -> Result<Self, MeshError> {
        let invoice = Invoice::parse(to_pay.invoice).map_err(not_payable)?;
        let (amount, ends_at) = check(&invoice, to_pay, now)?;
        Ok(Self {
            invoice: to_pay.invoice.to_owned(),
            amount,
            payment_hash: *invoice.payment_hash(),
            timestamp: invoice.timestamp().to_secs(),
            expires_at: invoice.expires_at().to_secs(),
            ends_at,
        })
    }

    pub(crate) async fn pay(
        &self,
        lightning: &dyn LightningNode,
        max_fee: Msat,
    ) -> Result<PaidInvoice, LightningError> {
        let limits = PayLimits {
            max_fee,
            patience: PATIENCE,
        };
        lightning.pay_invoice(&self.invoice, limits).await
    }

    /// What shows the payment, once its preimage is known.
    pub(crate) fn paid(&self, preimage: [u8; 32]) -> PaidQuote {
        PaidQuote {
            amount: self.amount,
            proof: PaymentProof::Lightning {
                invoice: self.invoice.clone(),
                preimage,
                amount_msats: self.amount.to_msat(),
                timestamp: self.timestamp,
                expires_at: self.expires_at,
            },
        }
    }

    /// The proof as it is kept while nobody knows its preimage.
    pub(crate) fn under_way(&self) -> PaymentProof {
        self.paid(UNKNOWN_PREIMAGE).proof
    }
}

/// What stands in a kept proof for a preimage that is not known yet.
///
/// Whoever issues an invoice for this very preimage harms nobody: its proof is the same before and after.
const UNKNOWN_PREIMAGE: [u8; 32] = [0; 32];

/// A payment whose outcome is not known, as its kept proof tells.
pub(crate) struct PaymentUnderWay<'p> {
    kept: &'p PaymentProof,
    pub(crate) payment_hash: [u8; 32],
    /// From when on nobody can make it any more.
    pub(crate) expires_at: UnixTime,
}

impl<'p> PaymentUnderWay<'p> {
    /// `None` when `kept` is the proof of a payment that was made.
    pub(crate) fn of(kept: &'p PaymentProof) -> Option<Self> {
        let PaymentProof::Lightning {
            invoice,
            preimage: UNKNOWN_PREIMAGE,
            ..
        } = kept
        else {
            return None;
        };
        let invoice = Invoice::parse(invoice).ok()?;
        Some(Self {
            kept,
            payment_hash: *invoice.payment_hash(),
            expires_at: invoice.expires_at(),
        })
    }

    /// What shows the payment, now that its preimage is known.
    pub(crate) fn proof(&self, found: [u8; 32]) -> PaymentProof {
        let mut proof = self.kept.clone();
        if let PaymentProof::Lightning { preimage, .. } = &mut proof {
            *preimage = found;
        }
        proof
    }
}

fn check(
    invoice: &Invoice,
    to_pay: &QuoteToPay<'_>,
    now: UnixTime,
) -> Result<(Msat, UnixTime), MeshError> {
    let amount = invoice
        .amount()
        .ok_or_else(|| not_payable("it names no amount"))?;
    let text = invoice
        .description()
        .ok_or_else(|| not_payable("it carries no quote"))?;
    let quote = Quote::from_text(text).map_err(not_payable)?;
    if quote.payer != to_pay.payer || quote.payee != to_pay.payee {
        return Err(not_payable(
            "its quote is for another payer or by another node",
        ));
    }
    if quote.amount != amount {
        return Err(not_payable("it asks for another amount than its quote"));
    }
    let ends_at = quote.expires_at.min(invoice.expires_at());
    if !ends_at.is_alive_at(now.plus(PAYMENT_MARGIN)) {
        return Err(not_payable("it ends too soon to be paid and shown"));
    }
    if amount > to_pay.limit {
        return Err(not_payable(format!(
            "it asks for {amount}, and at most {} may be paid",
            to_pay.limit
        )));
    }
    Ok((amount, ends_at))
}

fn not_payable(why: impl std::fmt::Display) -> MeshError {
    MeshError::PaymentVerificationFailed(format!("the quoted invoice is not paid: {why}"))
}
