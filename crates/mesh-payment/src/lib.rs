//! Whether a packet is paid.
//!
//! A node *quotes*: it authenticates an offer to a payer and issues an invoice for it, remembering nothing
//! ([`Quoter`]). The payer pays and shows a *proof*. A [`Verifier`] turns a good proof into a [`VerifiedPayment`],
//! evidence that nothing else can make, and a bad one into a [`VerifyError`] that says which rule it broke. A verified
//! payment that was claimed for the first time becomes credit in [`Accounts`], from which carried packets are debited.
//!
//! There is no runtime, no network and no clock here: `now` is an argument. [`PaymentVerifier`] is the thin async
//! shell that asks a node for what a [`Verifier`] has to know. The rules are numbered in `docs/payment.md`.

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod accounts;
mod error;
mod invoice;
mod lightning;
mod quote;
mod quote_key;
mod quoter;
mod shell;
mod verified;
mod verifier;

pub use accounts::{AccountError, Accounts, MAX_ACCOUNTS, Reservation, Shortfall, Totals};
pub use error::{ProofField, ProofKind, VerifyError};
pub use invoice::{Invoice, InvoiceError};
pub use quote::{NONCE_LEN, Quote, QuoteError};
pub use quote_key::QuoteKey;
pub use quoter::{IssuedQuote, MAX_QUOTE, Quoter, QuoterError};
pub use shell::{PaymentVerifier, VerificationResult};
pub use verified::VerifiedPayment;
pub use verifier::Verifier;
