//! What LND says of invoices.

use super::methods::Asked;
use crate::{
    clock,
    network::{Book, Invoice, State},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Invoices of one list when nobody says how many.
const MAX_LISTED: u64 = 100;

/// One invoice.
///
/// - `add_index`: its place in the order of issue.
pub(super) fn shape(add_index: u64, invoice: &Invoice) -> Value {
    let settled = match invoice.state {
        State::Settled {
            amount_msat,
            at,
            number,
        } => Some((amount_msat, at, number)),
        _ => None,
    };
    let (word, paid) = match invoice.state {
        State::Settled { amount_msat, .. } => ("SETTLED", amount_msat),
        State::Held { amount_msat } => ("ACCEPTED", amount_msat),
        State::Open if !invoice.has_expired(clock::now()) => ("OPEN", 0),
        State::Open | State::Canceled => ("CANCELED", 0),
    };
    let (_, settled_at, settle_index) = settled.unwrap_or_default();
    let expiry = invoice.expires_at.saturating_sub(invoice.created_at);
    json!({
        "memo": invoice.description,
        "r_preimage": STANDARD.encode(invoice.preimage.0),
        "r_hash": STANDARD.encode(invoice.hash.0),
        "value": (invoice.amount_msat / 1_000).to_string(),
        "value_msat": invoice.amount_msat.to_string(),
        "settled": settled.is_some(),
        "creation_date": invoice.created_at.to_string(),
        "settle_date": settled_at.to_string(),
        "payment_request": invoice.bolt11,
        "description_hash": "",
        "expiry": expiry.to_string(),
        "fallback_addr": "",
        "private": false,
        "add_index": add_index.to_string(),
        "settle_index": settle_index.to_string(),
        "amt_paid_sat": (paid / 1_000).to_string(),
        "amt_paid_msat": paid.to_string(),
        "state": word,
        "htlcs": [],
        "is_keysend": false,
        "is_amp": false,
    })
}

/// A page of all invoices, in the order of issue.
pub(super) fn list(book: &Book, asked: &Asked) -> Value {
    let offset = asked.number("index_offset").unwrap_or(0);
    let most = asked.number("num_max_invoices").filter(|most| *most > 0);
    let most = usize::try_from(most.unwrap_or(MAX_LISTED)).unwrap_or(usize::MAX);
    let pending_only = asked.flag("pending_only");
    let all = (1_u64..).zip(&book.invoices).filter(|(_, invoice)| {
        let is_open = invoice.state == State::Open && !invoice.has_expired(clock::now());
        !pending_only || is_open || matches!(invoice.state, State::Held { .. })
    });
    let page: Vec<_> = if asked.flag("reversed") {
        let before = all.filter(|(index, _)| offset == 0 || *index < offset);
        let before: Vec<_> = before.collect();
        let first = before.len().saturating_sub(most);
        before.into_iter().skip(first).collect()
    } else {
        all.filter(|(index, _)| *index > offset)
            .take(most)
            .collect()
    };
    let index = |end: Option<&(u64, &Invoice)>| end.map_or(0, |(index, _)| *index).to_string();
    let invoices = page.iter().map(|(index, invoice)| shape(*index, invoice));
    json!({
        "first_index_offset": index(page.first()),
        "last_index_offset": index(page.last()),
        "invoices": invoices.collect::<Vec<_>>(),
    })
}

/// What a subscriber has been told.
#[derive(Debug)]
pub(super) struct Told {
    added: u64,
    settled: u64,
}

impl Told {
    /// What a new subscriber knows: all, but for what he says he does not. Zero says nothing, as LND has it.
    pub(super) fn new(book: &Book, asked: &Asked) -> Self {
        let since = |name: &str| asked.number(name).filter(|index| *index > 0);
        let added = u64::try_from(book.invoices.len()).unwrap_or(u64::MAX);
        Self {
            added: since("add_index").unwrap_or(added),
            settled: since("settle_index").unwrap_or(book.last_paid),
        }
    }

    /// What is to be told now: invoices issued since, then those paid since, each in its order.
    pub(super) fn news(&mut self, book: &Book) -> Vec<Value> {
        let all = || (1_u64..).zip(&book.invoices);
        let added: Vec<_> = all().filter(|(index, _)| *index > self.added).collect();
        let number = |invoice: &Invoice| invoice.number().unwrap_or(0);
        let mut settled: Vec<_> = all()
            .filter(|(_, invoice)| number(invoice) > self.settled)
            .collect();
        settled.sort_by_key(|(_, invoice)| number(invoice));
        self.added = added.last().map_or(self.added, |(index, _)| *index);
        self.settled = settled
            .last()
            .map_or(self.settled, |(_, invoice)| number(invoice));
        let news = added.into_iter().chain(settled);
        news.map(|(index, invoice)| shape(index, invoice)).collect()
    }
}
