//! What the module answers, none of which is believed before it is looked at.

use blvm_mesh::{Invoice, LightningError, Msat, Network, UnixTime};
use blvm_node::module::traits::ModuleError;
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;
use thiserror::Error;

/// The longest answer that is read: 16 KiB, because the longest, an invoice with a quote in it, takes one.
const MAX_ANSWER: usize = 16 << 10;

/// The most of the module's own words that a message repeats, in characters: a sentence or two.
const MAX_SAID: usize = 200;

/// How far from when it was asked for an invoice may end, for the time that it takes to issue it: a minute.
const LATE: Duration = Duration::from_secs(60);

/// Why a call has no result.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum CallError {
    /// It was not answered: it may be in a moment.
    #[error("{0}")]
    Away(String),
    /// It was answered with an error, or with what cannot be believed.
    #[error("{0}")]
    Refused(String),
}

impl CallError {
    /// Sorts what the node says of a call. A module's own errors are operations that failed; so is, to the node, a module
    /// that is not there.
    pub(super) fn of(error: ModuleError) -> Self {
        let why = said(&error.to_string());
        match error {
            ModuleError::OperationError(_)
            | ModuleError::PermissionDenied(_)
            | ModuleError::SerializationError(_) => Self::Refused(why),
            _ => Self::Away(why),
        }
    }
}

impl From<CallError> for LightningError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Away(why) => Self::Unreachable(why),
            CallError::Refused(why) => Self::Refused(why),
        }
    }
}

#[derive(Deserialize)]
struct Issued {
    invoice: String,
}

#[derive(Deserialize)]
struct Verified {
    verified: bool,
    amount_msats: Option<u64>,
}

/// What an invoice has to be.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) amount: Msat,
    pub(super) description: &'a str,
    pub(super) expiry: Duration,
    pub(super) network: Network,
}

impl Wanted<'_> {
    /// # Security
    /// An invoice for less would be an hour's service for a coin; one of another network, for play money; one with another
    /// description, for nobody, and one that is over soon would take what nobody is credited for.
    pub(super) fn check(&self, invoice: &Invoice, now: UnixTime) -> Result<(), CallError> {
        if !invoice.is_on(self.network) {
            return refused("it issues invoices of another network than this node's");
        }
        if invoice.amount() != Some(self.amount) {
            return refused("its invoice is for another amount than was asked for");
        }
        if invoice.description() != Some(self.description) {
            return refused("its invoice has another description than was asked for");
        }
        if !invoice.expires_at().is_within(LATE, now.plus(self.expiry)) {
            return refused("its invoice ends at another time than was asked for");
        }
        Ok(())
    }
}

/// Reads the answer to `create_invoice`.
pub(super) fn read_invoice(answer: &[u8]) -> Result<(String, Invoice), CallError> {
    let Issued { invoice: text } = read(answer)?;
    match Invoice::parse(&text) {
        Ok(invoice) => Ok((text, invoice)),
        Err(error) => refused(&format!("its invoice does not read: {error}")),
    }
}

/// Reads the answer to `verify_payment` for an invoice: what has arrived, if anything has.
///
/// # Security
/// Twice the amount is the most that a payee may take (BOLT 4): what is not between is no answer about this invoice.
pub(super) fn paid(answer: &[u8], text: &str) -> Result<Option<Msat>, CallError> {
    let answer: Verified = read(answer)?;
    if !answer.verified {
        return Ok(None);
    }
    let asked = Invoice::parse(text)
        .ok()
        .and_then(|invoice| invoice.amount());
    let asked = asked.map_or(0, Msat::to_msat);
    match answer.amount_msats {
        Some(arrived) if arrived > 0 && (asked..=asked.saturating_mul(2)).contains(&arrived) => {
            Ok(Some(Msat::from_msat(arrived)))
        }
        Some(_) => refused("it says that an invoice is paid, with another amount"),
        None => refused("it says that an invoice is paid, and not with how much"),
    }
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, CallError> {
    if answer.len() > MAX_ANSWER {
        return refused("its answer is longer than any");
    }
    let read = serde_json::from_slice(answer);
    read.or_else(|error| refused(&format!("its answer does not read: {:?}", error.classify())))
}

fn refused<T>(why: &str) -> Result<T, CallError> {
    let why = said(why);
    Err(CallError::Refused(format!(
        "the module blvm-lightning: {why}"
    )))
}

/// Gives the module's own words for a message: short, and on one line.
fn said(text: &str) -> String {
    let short = text.chars().take(MAX_SAID);
    let mut line: String = short
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(MAX_SAID).is_some() {
        line.push('…');
    }
    line
}
