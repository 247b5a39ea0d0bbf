use crate::{Invoice, MAX_CLOCK_SKEW, ProofField, Quote, VerifiedPayment, Verifier, VerifyError};
use mesh_types::{Claim, ClaimKey, Msat, SettledInvoice, UnixTime};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The fields of a Lightning proof, as they were shown.
pub(crate) struct Shown<'a> {
    pub(crate) invoice: &'a str,
    pub(crate) preimage: &'a [u8; 32],
    pub(crate) amount_msats: u64,
    pub(crate) timestamp: u64,
    pub(crate) expires_at: u64,
}

/// Verifies a Lightning proof: the cheap rules first, the signature last and only where nothing else tells.
pub(crate) fn verify(
    verifier: &Verifier,
    shown: &Shown<'_>,
    now: UnixTime,
) -> Result<VerifiedPayment, VerifyError> {
    let invoice = Invoice::parse(shown.invoice)?;
    if !invoice.is_on(verifier.network) {
        return Err(VerifyError::WrongNetwork {
            expected: verifier.network,
        });
    }
    let amount = invoice
        .amount()
        .filter(|amount| *amount > Msat::ZERO)
        .ok_or(VerifyError::Amountless)?;
    check_agreement(&invoice, amount, shown)?;
    let hash: [u8; 32] = Sha256::digest(shown.preimage).into();
    if hash != *invoice.payment_hash() {
        return Err(VerifyError::WrongPreimage);
    }
    let quote = Quote::from_text(invoice.description().ok_or(VerifyError::NoQuote)?)?;
    check_quote(verifier, &quote, amount)?;
    check_time(&quote, &invoice, now)?;
    if !is_issued_here(verifier, &quote, &invoice, shown.preimage) {
        return Err(VerifyError::NotIssuedHere);
    }
    Ok(VerifiedPayment::new(Claim {
        key: ClaimKey::from_payment_hash(hash),
        payer: quote.payer,
        amount,
        // The quote's own end, which nobody else can rewrite: no form of this proof is accepted after it.
        expires_at: quote.expires_at,
        on_chain: None,
    }))
}

/// Verifies what the wallet says was paid. Without a quote key anybody could write the quote.
pub(crate) fn settled(
    verifier: &Verifier,
    invoice: &SettledInvoice,
) -> Result<Option<VerifiedPayment>, VerifyError> {
    let Ok(quote) = Quote::from_text(&invoice.description) else {
        return Ok(None);
    };
    check_quote(verifier, &quote, quote.amount)?;
    let key = verifier.quote_key.as_ref();
    let key = key.ok_or(VerifyError::NotIssuedHere)?;
    let hash: [u8; 32] = Sha256::digest(key.preimage(&quote)).into();
    if hash != invoice.payment_hash && verifier.payee_key.is_none() {
        return Err(VerifyError::NotIssuedHere);
    }
    if invoice.amount < quote.amount {
        return Err(VerifyError::Unsettled);
    }
    Ok(Some(VerifiedPayment::new(Claim {
        key: ClaimKey::from_payment_hash(invoice.payment_hash),
        payer: quote.payer,
        amount: quote.amount,
        expires_at: quote.expires_at,
        on_chain: None,
    })))
}

fn check_agreement(invoice: &Invoice, amount: Msat, shown: &Shown<'_>) -> Result<(), VerifyError> {
    let (made_at, ends_at) = (invoice.timestamp(), invoice.expires_at());
    ProofField::Amount.expect(shown.amount_msats, amount.to_msat())?;
    ProofField::Timestamp.expect(shown.timestamp, made_at.to_secs())?;
    ProofField::Expiry.expect(shown.expires_at, ends_at.to_secs())
}

fn check_quote(verifier: &Verifier, quote: &Quote, amount: Msat) -> Result<(), VerifyError> {
    if quote.payee != verifier.node_id {
        return Err(VerifyError::QuoteOfAnotherNode { payee: quote.payee });
    }
    if verifier
        .quote_key
        .as_ref()
        .is_some_and(|key| !key.recognises(quote))
    {
        return Err(VerifyError::ForgedQuote);
    }
    if quote.amount != amount {
        return Err(VerifyError::QuoteAmount {
            quoted: quote.amount,
            invoiced: amount,
        });
    }
    Ok(())
}

/// The quote's end is by this node's own clock, the invoice's times are by its wallet's.
fn check_time(quote: &Quote, invoice: &Invoice, now: UnixTime) -> Result<(), VerifyError> {
    let made_at = invoice.timestamp();
    if made_at > now.plus(MAX_CLOCK_SKEW) {
        return Err(VerifyError::FromTheFuture { made_at });
    }
    let end = invoice.expires_at().plus(MAX_CLOCK_SKEW);
    let expired_at = quote.expires_at.min(end);
    if !expired_at.is_alive_at(now) {
        return Err(VerifyError::Expired { expired_at });
    }
    Ok(())
}

/// A preimage that this node derived proves by itself that it issued the invoice. Where the back end chose another
/// one, the payee's signature does.
fn is_issued_here(
    verifier: &Verifier,
    quote: &Quote,
    invoice: &Invoice,
    preimage: &[u8; 32],
) -> bool {
    let derived = verifier
        .quote_key
        .as_ref()
        .is_some_and(|key| key.preimage(quote).ct_eq(preimage).into());
    derived
        || verifier
            .payee_key
            .as_ref()
            .is_some_and(|key| invoice.is_signed_by(key))
}
