use crate::invoice::payment_hash;
use ldk_node::{
    io::sqlite_store::SqliteStore,
    lightning::{
        io::{Error as StoreError, ErrorKind},
        util::persist::KVStoreSync,
    },
    lightning_invoice::Bolt11Invoice,
};
use mesh_types::{MAX_SETTLED, Msat, PaidInvoice, SettledInvoice, from_hex, to_hex};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;
use tokio::sync::watch;
use zeroize::{Zeroize as _, Zeroizing};

/// The most invoices that may wait to be paid at one time: a hundred thousand, because each takes a kilobyte of memory, and
/// what nobody pays is forgotten when it has expired.
pub const MAX_WAITING_INVOICES: usize = 100_000;

pub(super) type Hash = [u8; 32];

/// What this back end notes beside LDK's own data, in the same file.
///
/// LDK's list of payments knows neither an order of settlement nor a preimage that came from outside, and forgets what is
/// removed from it. Each note here is on disk before anybody hears of it:
/// - `waiting`: by payment hash, an invoice that was issued and its preimage. Gone once it is settled or has expired.
/// - `settled`: by place, from 1 on without a gap, an invoice that was paid; `places` finds the place by payment hash.
/// - `payments`: by payment hash, an invoice that is being paid, or the preimage that it was paid for.
pub(super) struct Book {
    store: Arc<SqliteStore>,
    state: Mutex<State>,
    last_place: watch::Sender<u64>,
}

/// What is in memory of it.
#[derive(Default)]
struct State {
    waiting: HashMap<Hash, Waiting>,
    /// Those of them that are not being claimed, the first to expire first.
    by_expiry: BTreeSet<(u64, Hash)>,
}

/// An invoice that was issued and is not paid.
#[derive(Clone, Serialize, Deserialize)]
struct Waiting {
    invoice: String,
    preimage: String,
    /// A payment for it is being claimed.
    #[serde(default)]
    is_claimed: bool,
}

#[derive(Serialize, Deserialize)]
struct Settled {
    payment_hash: String,
    invoice: String,
    amount_msat: u64,
}

/// An invoice of somebody else's that this wallet was asked to pay.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Payment {
    Begun { invoice: String },
    Paid { preimage: String, fee_msat: u64 },
}

/// What is noted of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Noted {
    Nothing,
    Begun { invoice: String },
    Paid(PaidInvoice),
}

/// An invoice that was issued before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Issued {
    Waiting(String),
    Settled { invoice: String, amount: Msat },
}

/// Why the book cannot be read or written. Messages hold no secret.
#[derive(Debug, Error)]
pub(super) enum BookError {
    #[error("the folder of the Lightning node cannot be {doing}: {why}")]
    Disk { doing: &'static str, why: String },
    #[error("a note in the folder of the Lightning node does not read: {0}")]
    Corrupt(&'static str),
    #[error("{MAX_WAITING_INVOICES} invoices wait to be paid already")]
    Full,
}

const BOOK: &str = "blvm_mesh";
const WAITING: &str = "waiting";
const SETTLED: &str = "settled";
const PLACES: &str = "places";
const PAYMENTS: &str = "payments";

impl Book {
    /// Opens the notes in a store, which may hold others' too.
    pub(super) fn open(store: Arc<SqliteStore>) -> Result<Self, BookError> {
        let book = Self {
            store,
            state: Mutex::default(),
            last_place: watch::Sender::new(0),
        };
        let listed = KVStoreSync::list(&*book.store, BOOK, WAITING).map_err(failed("read"))?;
        for key in listed {
            let hash = from_hex(&key).map_err(|_| BookError::Corrupt("a payment hash"))?;
            if let Some(waiting) = book.read(WAITING, &key)? {
                book.lock().enter(hash, waiting)?;
            }
        }
        let last = last_of(|place| Ok(book.settled_at(place)?.is_some()))?;
        book.last_place.send_replace(last);
        Ok(book)
    }

    /// Notes an invoice that is about to be handed out.
    pub(super) fn issue(&self, invoice: &str, preimage: &Hash) -> Result<(), BookError> {
        let hash = payment_hash(preimage);
        let waiting = Waiting {
            invoice: invoice.to_owned(),
            preimage: to_hex(preimage),
            is_claimed: false,
        };
        if self.lock().waiting.len() >= MAX_WAITING_INVOICES {
            return Err(BookError::Full);
        }
        self.write(WAITING, &to_hex(&hash), &waiting)?;
        self.lock().enter(hash, waiting)
    }

    /// The invoice that was issued for a payment hash.
    pub(super) fn issued(&self, hash: &Hash) -> Result<Option<Issued>, BookError> {
        if let Some(waiting) = self.lock().waiting.get(hash) {
            return Ok(Some(Issued::Waiting(waiting.invoice.clone())));
        }
        let Some(place) = self.place_of(hash)? else {
            return Ok(None);
        };
        let settled = self.settled_at(place)?;
        Ok(settled.map(|settled| Issued::Settled {
            invoice: settled.invoice,
            amount: Msat::from_msat(settled.amount_msat),
        }))
    }

    /// The preimage with which a payment of this amount is to be claimed; `None` when it is to be given back.
    ///
    /// That it is claimed is noted first: from then on it is, after a crash and after the invoice's end too.
    pub(super) fn claim(
        &self,
        hash: &Hash,
        amount_msat: u64,
    ) -> Result<Option<Zeroizing<Hash>>, BookError> {
        let Some(mut waiting) = self.lock().waiting.get(hash).cloned() else {
            return Ok(None);
        };
        let invoice = read(&waiting.invoice)?;
        let is_enough = invoice
            .amount_milli_satoshis()
            .is_some_and(|asked| amount_msat >= asked);
        if !is_enough {
            return Ok(None);
        }
        if !waiting.is_claimed {
            if invoice.is_expired() {
                return Ok(None);
            }
            waiting.is_claimed = true;
            self.write(WAITING, &to_hex(hash), &waiting)?;
            let mut state = self.lock();
            state.strike(hash);
            state.enter(*hash, waiting.clone())?;
        }
        let preimage = from_hex(&waiting.preimage);
        let preimage = preimage.map_err(|_| BookError::Corrupt("a preimage"))?;
        Ok(Some(Zeroizing::new(preimage)))
    }

    /// Whether an invoice was paid.
    pub(super) fn is_settled(&self, hash: &Hash) -> Result<bool, BookError> {
        Ok(self.place_of(hash)?.is_some())
    }

    /// Forgets an invoice that has expired, the one that did so first; `None` where there is none.
    pub(super) fn forget_expired(&self) -> Result<Option<Hash>, BookError> {
        let first = {
            let state = self.lock();
            let first = state.by_expiry.first().map(|(_, hash)| *hash);
            first.filter(|hash| state.waiting.get(hash).is_some_and(Waiting::is_expired))
        };
        if let Some(hash) = first {
            self.forget(&hash)?;
        }
        Ok(first)
    }

    /// Gives a paid invoice the next place, unless it has one; `None` for what is no invoice of this book.
    ///
    /// Asked again after a crash at any point, it finishes what it began: the invoice keeps its place, and no place is left
    /// out.
    pub(super) fn settle(&self, hash: &Hash, amount: Msat) -> Result<Option<u64>, BookError> {
        let key = to_hex(hash);
        let place = match self.place_of(hash)? {
            Some(place) => place,
            None if self.lock().waiting.contains_key(hash) => {
                let place = self.last_place.borrow().saturating_add(1);
                self.write(PLACES, &key, &place)?;
                place
            }
            None => return Ok(None),
        };
        if self.settled_at(place)?.is_none() {
            let state = self.lock();
            let waiting = state.waiting.get(hash);
            let waiting = waiting.ok_or(BookError::Corrupt("a paid invoice"))?;
            let settled = Settled {
                payment_hash: key,
                invoice: waiting.invoice.clone(),
                amount_msat: amount.to_msat(),
            };
            drop(state);
            self.write(SETTLED, &key_of(place), &settled)?;
        }
        self.forget(hash)?;
        self.last_place.send_if_modified(|last| {
            let is_new = place > *last;
            *last = place.max(*last);
            is_new
        });
        Ok(Some(place))
    }

    /// The place of the last invoice that was settled.
    pub(super) fn last_place(&self) -> watch::Receiver<u64> {
        self.last_place.subscribe()
    }

    /// The invoices that were settled behind a place, the oldest first, [`MAX_SETTLED`] at most.
    pub(super) fn settled_behind(&self, place: u64) -> Result<Vec<SettledInvoice>, BookError> {
        let last = *self.last_place.borrow();
        let places = place.saturating_add(1)..=last;
        let mut found = Vec::new();
        for place in places.take(MAX_SETTLED) {
            let settled = self.settled_at(place)?;
            let settled = settled.ok_or(BookError::Corrupt("a place without an invoice"))?;
            let hash = from_hex(&settled.payment_hash);
            found.push(SettledInvoice {
                payment_hash: hash.map_err(|_| BookError::Corrupt("a payment hash"))?,
                description: read(&settled.invoice)?.description().to_string(),
                amount: Msat::from_msat(settled.amount_msat),
                place,
            });
        }
        Ok(found)
    }

    /// Notes that an invoice is about to be paid, unless that was noted before: answers with what was.
    pub(super) fn begin(&self, hash: &Hash, invoice: &str) -> Result<Noted, BookError> {
        // Held all the time, so that of two who ask at once one begins.
        let _state = self.lock();
        let noted = self.payment(hash)?;
        if noted == Noted::Nothing {
            let invoice = invoice.to_owned();
            self.write(PAYMENTS, &to_hex(hash), &Payment::Begun { invoice })?;
        }
        Ok(noted)
    }

    /// Notes that a payment was made.
    pub(super) fn paid(&self, hash: &Hash, paid: PaidInvoice) -> Result<(), BookError> {
        let payment = Payment::Paid {
            preimage: to_hex(&paid.preimage),
            fee_msat: paid.fee.to_msat(),
        };
        self.write(PAYMENTS, &to_hex(hash), &payment)
    }

    /// Forgets a payment that has failed for good. What was paid stays so.
    pub(super) fn failed(&self, hash: &Hash) -> Result<(), BookError> {
        match self.payment(hash)? {
            Noted::Begun { .. } => self.remove(PAYMENTS, &to_hex(hash)),
            Noted::Nothing | Noted::Paid(_) => Ok(()),
        }
    }

    /// What is noted of a payment.
    pub(super) fn payment(&self, hash: &Hash) -> Result<Noted, BookError> {
        Ok(match self.read(PAYMENTS, &to_hex(hash))? {
            None => Noted::Nothing,
            Some(Payment::Begun { invoice }) => Noted::Begun { invoice },
            Some(Payment::Paid { preimage, fee_msat }) => {
                let preimage = from_hex(&preimage).map_err(|_| BookError::Corrupt("a preimage"))?;
                let fee = Msat::from_msat(fee_msat);
                Noted::Paid(PaidInvoice { preimage, fee })
            }
        })
    }

    fn place_of(&self, hash: &Hash) -> Result<Option<u64>, BookError> {
        self.read(PLACES, &to_hex(hash))
    }

    fn settled_at(&self, place: u64) -> Result<Option<Settled>, BookError> {
        self.read(SETTLED, &key_of(place))
    }

    fn forget(&self, hash: &Hash) -> Result<(), BookError> {
        self.remove(WAITING, &to_hex(hash))?;
        self.lock().strike(hash);
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, kind: &str, key: &str) -> Result<Option<T>, BookError> {
        match KVStoreSync::read(&*self.store, BOOK, kind, key) {
            Ok(bytes) => {
                let bytes = Zeroizing::new(bytes);
                let read = serde_json::from_slice(&bytes);
                read.map(Some).map_err(|_| BookError::Corrupt("its form"))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read")(error)),
        }
    }

    fn write(&self, kind: &str, key: &str, note: &impl Serialize) -> Result<(), BookError> {
        let bytes = serde_json::to_vec(note).map_err(|_| BookError::Corrupt("a new note"))?;
        KVStoreSync::write(&*self.store, BOOK, kind, key, bytes).map_err(failed("written"))
    }

    fn remove(&self, kind: &str, key: &str) -> Result<(), BookError> {
        KVStoreSync::remove(&*self.store, BOOK, kind, key, false).map_err(failed("written"))
    }

    /// A panic elsewhere leaves nothing half done here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, hash: Hash, waiting: Waiting) -> Result<(), BookError> {
        if !waiting.is_claimed {
            self.by_expiry.insert((waiting.expires_at()?, hash));
        }
        self.waiting.insert(hash, waiting);
        Ok(())
    }

    fn strike(&mut self, hash: &Hash) {
        if let Some(waiting) = self.waiting.remove(hash)
            && let Ok(expires_at) = waiting.expires_at()
        {
            self.by_expiry.remove(&(expires_at, *hash));
        }
    }
}

impl Waiting {
    fn expires_at(&self) -> Result<u64, BookError> {
        let expires_at = read(&self.invoice)?.expires_at();
        Ok(expires_at.map_or(u64::MAX, |at| at.as_secs()))
    }

    fn is_expired(&self) -> bool {
        read(&self.invoice).is_ok_and(|invoice| invoice.is_expired())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.preimage.zeroize();
    }
}

fn read(invoice: &str) -> Result<Bolt11Invoice, BookError> {
    invoice
        .parse()
        .map_err(|_| BookError::Corrupt("an invoice"))
}

/// The key of a place: keys are sorted as text, places as numbers.
fn key_of(place: u64) -> String {
    format!("{place:020}")
}

/// The last of the numbers from 1 on that are there, where there are no gaps: in steps that double, then in halves.
fn last_of(mut is_there: impl FnMut(u64) -> Result<bool, BookError>) -> Result<u64, BookError> {
    let (mut there, mut missing) = (0, 1);
    while is_there(missing)? {
        there = missing;
        missing = missing.saturating_mul(2);
    }
    while missing.saturating_sub(there) > 1 {
        let middle = there.midpoint(missing);
        if is_there(middle)? {
            there = middle;
        } else {
            missing = middle;
        }
    }
    Ok(there)
}

fn failed(doing: &'static str) -> impl FnOnce(StoreError) -> BookError {
    move |error| BookError::Disk {
        doing,
        why: error.to_string(),
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("last_place", &*self.last_place.borrow())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
