use crate::{NONCE_LEN, Quote, QuoteKey};
use mesh_types::{InvoiceRequest, Msat, NodeId, UnixTime};
use std::time::Duration;
use thiserror::Error;

/// The most that one quote may ask.
///
/// 2^24 - 1 satoshi, because that is what every Lightning channel carries without having been asked for more (BOLT 2).
pub const MAX_QUOTE: Msat = Msat::from_msat(16_777_215_000);

/// Makes a node's quotes, and remembers none of them.
#[derive(Debug, Clone)]
pub struct Quoter {
    /// The node that offers.
    pub payee: NodeId,
    /// The key of its quotes on the network of its wallet ([`QuoteKey::on`]).
    pub key: QuoteKey,
    /// How long a quote may be paid and shown.
    pub lifetime: Duration,
    /// Which of the node's price lists is in force.
    pub price_epoch: u32,
}

/// A quote and the invoice to issue for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedQuote {
    /// The quote.
    pub quote: Quote,
    /// What to ask of the Lightning back end.
    pub request: InvoiceRequest,
}

/// Why there is no quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum QuoterError {
    /// Nothing is to be paid.
    #[error("a quote asks for more than nothing")]
    Nothing,
    /// More than a quote may ask.
    #[error("{amount} is more than the {MAX_QUOTE} that one quote may ask")]
    TooMuch {
        /// The amount wanted.
        amount: Msat,
    },
}

impl Quoter {
    /// Offers `payer` to deposit `amount`, rounded up to whole satoshi because neither all back ends nor the chain know
    /// less; the surplus becomes credit like the rest.
    ///
    /// `nonce` is drawn at random by the caller.
    ///
    /// # Errors
    /// [`QuoterError`] when the amount is nothing or too much.
    pub fn offer(
        &self,
        payer: NodeId,
        amount: Msat,
        nonce: [u8; NONCE_LEN],
        now: UnixTime,
    ) -> Result<Quote, QuoterError> {
        if amount == Msat::ZERO {
            return Err(QuoterError::Nothing);
        }
        let whole_sats = Msat::from_sats(amount.to_msat().div_ceil(1_000))
            .filter(|rounded| *rounded <= MAX_QUOTE)
            .ok_or(QuoterError::TooMuch { amount })?;
        Ok(self.key.stamp(Quote {
            payer,
            payee: self.payee,
            amount: whole_sats,
            expires_at: UnixTime::from_secs(now.plus(self.lifetime).to_secs()),
            price_epoch: self.price_epoch,
            nonce,
            tag: [0; 16],
        }))
    }

    /// The same with the invoice that asks for it.
    ///
    /// # Errors
    /// As [`Quoter::offer`].
    pub fn quote(
        &self,
        payer: NodeId,
        amount: Msat,
        nonce: [u8; NONCE_LEN],
        now: UnixTime,
    ) -> Result<IssuedQuote, QuoterError> {
        let quote = self.offer(payer, amount, nonce, now)?;
        let request = InvoiceRequest {
            amount: quote.amount,
            preimage: self.key.preimage(&quote),
            description: quote.to_text(),
            expiry: self.lifetime,
        };
        Ok(IssuedQuote { quote, request })
    }
}
