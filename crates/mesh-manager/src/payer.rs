use mesh_payment::{Invoice, Quote};
use mesh_types::{LightningNode, MeshError, Msat, NodeId, PaymentProof, UnixTime};
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

/// A routing fee of up to this part of the amount is paid on top: one in 50, so 2 %, and a satoshi at least.
const FEE_PART: u64 = 50;

/// How long before its end a quote is no longer paid: a payment may take this long, and its proof has to be shown in time.
pub const PAYMENT_MARGIN: Duration = Duration::from_secs(60);

/// Pays a quote, after checking that paying it buys credit for the payer, at the payee, within the limit.
///
/// # Errors
/// [`MeshError::PaymentVerificationFailed`] when the invoice is not such a quote: nothing was paid then.
/// [`MeshError::LightningError`] when the wallet did not pay.
pub async fn pay_quote(
    lightning: &dyn LightningNode,
    to_pay: QuoteToPay<'_>,
    now: UnixTime,
) -> Result<PaidQuote, MeshError> {
    let invoice = Invoice::parse(to_pay.invoice).map_err(not_payable)?;
    let amount = check(&invoice, &to_pay, now)?;
    let max_fee = Msat::from_msat((amount.to_msat() / FEE_PART).max(1_000));
    let preimage = lightning
        .pay_invoice(to_pay.invoice, max_fee)
        .await
        .map_err(|error| MeshError::LightningError(error.to_string()))?;
    let proof = PaymentProof::Lightning {
        invoice: to_pay.invoice.to_owned(),
        preimage,
        amount_msats: amount.to_msat(),
        timestamp: invoice.timestamp().to_secs(),
        expires_at: invoice.expires_at().to_secs(),
    };
    Ok(PaidQuote { amount, proof })
}

fn check(invoice: &Invoice, to_pay: &QuoteToPay<'_>, now: UnixTime) -> Result<Msat, MeshError> {
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
    Ok(amount)
}

fn not_payable(why: impl std::fmt::Display) -> MeshError {
    MeshError::PaymentVerificationFailed(format!("the quoted invoice is not paid: {why}"))
}
