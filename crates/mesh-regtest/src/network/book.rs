use bitcoin::hex::{DisplayHex as _, FromHex as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

/// Invoices that a node's fronts issue: a test does not issue more, and each change writes all of them.
pub const MAX_INVOICES: usize = 10_000;

/// The invoices that the fronts of a node issued.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) invoices: Vec<Invoice>,
    /// The number of the invoice that was paid last; they count from 1.
    pub(crate) last_paid: u64,
}

/// An invoice, and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Invoice {
    pub(crate) hash: Bytes,
    pub(crate) preimage: Bytes,
    pub(crate) label: String,
    pub(crate) description: String,
    pub(crate) bolt11: String,
    pub(crate) amount_msat: u64,
    pub(crate) created_at: u64,
    pub(crate) expires_at: u64,
    pub(crate) state: State,
}

/// What became of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    Open,
    Held {
        amount_msat: u64,
    },
    Settled {
        amount_msat: u64,
        at: u64,
        number: u64,
    },
    Canceled,
}

/// A hash or a preimage, in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) [u8; 32]);

impl Book {
    /// Reads the book of a node, or begins one.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes it, so that after a crash it is there as it was before, or as it is now.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(new, path)
    }

    pub(crate) fn get(&self, hash: &[u8; 32]) -> Option<&Invoice> {
        self.invoices.iter().find(|invoice| invoice.hash.0 == *hash)
    }

    pub(crate) fn get_mut(&mut self, hash: &[u8; 32]) -> Option<&mut Invoice> {
        let mut all = self.invoices.iter_mut();
        all.find(|invoice| invoice.hash.0 == *hash)
    }

    /// Notes that an invoice is paid, once.
    pub(crate) fn settle(&mut self, hash: &[u8; 32], amount_msat: u64, at: u64) {
        let number = self.last_paid.saturating_add(1);
        let Some(invoice) = self.get_mut(hash) else {
            return;
        };
        if !matches!(invoice.state, State::Settled { .. }) {
            invoice.state = State::Settled {
                amount_msat,
                at,
                number,
            };
            self.last_paid = number;
        }
    }
}

impl Invoice {
    /// Whether it cannot be paid any more for its age.
    pub(crate) fn has_expired(&self, now: u64) -> bool {
        self.state == State::Open && now >= self.expires_at
    }

    /// Its place in the order of payments.
    pub(crate) fn number(&self) -> Option<u64> {
        match self.state {
            State::Settled { number, .. } => Some(number),
            _ => None,
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_lower_hex_string())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = <[u8; 32]>::from_hex(&text);
        bytes
            .map(Self)
            .map_err(|_| D::Error::custom("no 32 bytes in hex"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoice(number: u8) -> Invoice {
        Invoice {
            hash: Bytes([number; 32]),
            preimage: Bytes([number; 32]),
            label: number.to_string(),
            description: "mesh".to_owned(),
            bolt11: "lnbcrt1".to_owned(),
            amount_msat: 21_000,
            created_at: 10,
            expires_at: 20,
            state: State::Open,
        }
    }

    #[test]
    fn paid_invoices_are_numbered_once_and_found_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book.json");
        let mut book = Book::open(&path).unwrap();
        book.invoices.extend([invoice(1), invoice(2)]);
        book.settle(&[2; 32], 21_000, 15);
        book.settle(&[2; 32], 21_000, 16);
        book.settle(&[9; 32], 21_000, 16);
        book.write(&path).unwrap();
        let mut book = Book::open(&path).unwrap();
        book.settle(&[1; 32], 22_000, 17);
        let numbers: Vec<_> = book.invoices.iter().map(Invoice::number).collect();
        assert_eq!(numbers, [Some(2), Some(1)]);
    }

    #[test]
    fn only_an_open_invoice_expires() {
        let mut invoice = invoice(1);
        assert!(!invoice.has_expired(19) && invoice.has_expired(20));
        invoice.state = State::Held { amount_msat: 1 };
        assert!(!invoice.has_expired(20));
    }

    #[test]
    fn a_book_that_is_none_is_not_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book.json");
        fs::write(&path, "{").unwrap();
        Book::open(&path).unwrap_err();
    }
}
