use super::{
    digest::LineDigest,
    line::{EXPORT_VERSION, FORMAT, Header, Line, MAX_EXPORT_LINE, Place},
    totals::{Counts, Exported, Totals},
};
use crate::record::Record;
use mesh_types::{MAX_KEPT_PROOFS, MAX_WATCHED, StoreError};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    io::{self, BufRead, Read},
};
use thiserror::Error;

/// Why an export is not taken.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("cannot read the export: {0}")]
    Read(#[from] io::Error),
    /// It is something else.
    #[error("this is no export of a ledger: its first line does not say so")]
    Foreign,
    /// It is of another version.
    #[error("the export is of version {found}, and this program reads version {EXPORT_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// One line is wrong.
    #[error("line {line} of the export {source}")]
    Line {
        /// Which one; the first is 1.
        line: u64,
        /// What is wrong with it.
        source: LineError,
    },
    /// It ends too early.
    #[error("the export is cut off: its last line is missing or not whole")]
    Cut,
    /// It does not come to what its last line says.
    #[error("the export was changed or damaged: {what} is not what its lines come to")]
    Changed {
        /// What it is that differs.
        what: &'static str,
    },
    /// Something follows the last line.
    #[error("the export was changed: something follows its last line")]
    Trailing,
    /// The store did not take it.
    #[error("the store did not take it: {}", without_kind(.0))]
    Store(#[from] StoreError),
    /// The store holds something else than it was given.
    #[error("the store does not give back what was imported: take another, and keep the export")]
    Differs {
        /// What was read.
        file: Box<Exported>,
        /// What the store then held.
        store: Box<Exported>,
    },
}

/// What is wrong with a line of an export.
#[derive(Debug, Error)]
pub enum LineError {
    /// It is too long.
    #[error("has more than {MAX_EXPORT_LINE} bytes")]
    TooLong,
    /// It is no line of an export.
    #[error("is not understood: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It says what it says in other words than an export does.
    #[error("is not written as an export is")]
    Spelling,
    /// It stands where it does not belong.
    #[error("stands twice, or not in its place")]
    Place,
    /// There is more money than any sum holds.
    #[error("brings the sums beyond all the Bitcoin that there will be")]
    TooMuch,
    /// There are more proofs than are ever kept.
    #[error("is one proof more than the {MAX_KEPT_PROOFS} that are kept")]
    TooManyProofs,
    /// There are more watched payments than ever are.
    #[error("is one payment more than the {MAX_WATCHED} that are watched")]
    TooManyWatched,
}

/// What a store says; that it does not answer is true of a broken one alone, and not of one that is full.
fn without_kind(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(reason) => reason.clone(),
        other => other.to_string(),
    }
}

/// Checks an export from its first byte to its last, and says what it comes to.
///
/// # Errors
/// [`ImportError`] when an import would refuse it.
pub fn check_export(from: impl BufRead) -> Result<Exported, ImportError> {
    let mut lines = CheckedLines::new(from);
    while lines.next_record()?.is_some() {}
    lines.exported()
}

/// Reads an export line by line; after the last line it has been found to be whole.
pub(super) struct CheckedLines<R> {
    from: R,
    line: u64,
    digest: LineDigest,
    place: Option<Place>,
    counts: Counts,
    totals: Totals,
    /// What the first line says that the totals are.
    promised: Totals,
    /// Records that the first line brought.
    first: VecDeque<Record>,
    exported: Option<Exported>,
}

impl<R: BufRead> CheckedLines<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            line: 0,
            digest: LineDigest::default(),
            place: None,
            counts: Counts::default(),
            totals: Totals::default(),
            promised: Totals::default(),
            first: VecDeque::new(),
            exported: None,
        }
    }

    /// The next record; `None` when all have been read and the export is whole.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, ImportError> {
        if self.exported.is_some() {
            return Ok(None);
        }
        if self.place.is_none() {
            let line = self.next_line().map_err(|error| match error {
                ImportError::Line { .. } => ImportError::Foreign,
                other => other,
            })?;
            self.read_header(&line)?;
            self.place = Some(Place::Header);
            self.digest.add(&line);
        }
        if let Some(record) = self.first.pop_front() {
            return Ok(Some(record));
        }
        let text = self.next_line()?;
        let line: Line = self.at_line(understood(&text))?;
        if let Line::End {
            counts,
            totals,
            sha256,
        } = line
        {
            self.exported = Some(self.end(counts, totals, sha256.0)?);
            return Ok(None);
        }
        self.digest.add(&text);
        let place = line.place(&text);
        let record = line.into_record().ok_or(ImportError::Cut)?;
        let counted = self.count(place, &record);
        self.at_line(counted)?;
        Ok(Some(record))
    }

    /// What the export comes to, once all of it was read.
    pub(super) fn exported(&self) -> Result<Exported, ImportError> {
        self.exported.ok_or(ImportError::Cut)
    }

    fn read_header(&mut self, line: &[u8]) -> Result<(), ImportError> {
        // Other versions may say more in their first line than is known here.
        #[derive(Deserialize)]
        struct Versioned {
            format: String,
            version: u32,
        }
        let versioned: Versioned =
            serde_json::from_slice(line).map_err(|_| ImportError::Foreign)?;
        if versioned.format != FORMAT {
            return Err(ImportError::Foreign);
        }
        if versioned.version != EXPORT_VERSION {
            return Err(ImportError::Version {
                found: versioned.version,
            });
        }
        let header: Header = self.at_line(understood(line))?;
        self.promised = header.totals;
        self.first = VecDeque::from([
            Record::NextSequence(header.next_sequence),
            Record::SweptAt(header.swept_at_ms),
        ]);
        Ok(())
    }

    fn count(&mut self, place: Place, record: &Record) -> Result<(), LineError> {
        if self.place.as_ref() >= Some(&place) {
            return Err(LineError::Place);
        }
        self.place = Some(place);
        let count = match record {
            Record::Account(account) => {
                self.totals = self.totals.with(account).ok_or(LineError::TooMuch)?;
                &mut self.counts.accounts
            }
            Record::Deposit(_) => &mut self.counts.deposits,
            Record::Debit(_) => &mut self.counts.debits,
            Record::Claim(_) => &mut self.counts.claims,
            Record::Watched(_) => &mut self.counts.watched,
            Record::Payment(_) => &mut self.counts.payments,
            Record::Spent(_) => &mut self.counts.spent,
            Record::Refund(_) => &mut self.counts.refunds,
            Record::Proof(..) => &mut self.counts.proofs,
            Record::Identity(_) | Record::NextSequence(_) | Record::SweptAt(_) | Record::End => {
                return Ok(());
            }
        };
        *count = count.saturating_add(1);
        let is_beyond = |count, most| count > u64::try_from(most).unwrap_or(u64::MAX);
        if is_beyond(self.counts.proofs, MAX_KEPT_PROOFS) {
            return Err(LineError::TooManyProofs);
        }
        if is_beyond(self.counts.watched, MAX_WATCHED) {
            return Err(LineError::TooManyWatched);
        }
        Ok(())
    }

    fn end(
        &mut self,
        counts: Counts,
        totals: Totals,
        sha256: [u8; 32],
    ) -> Result<Exported, ImportError> {
        let digest = std::mem::take(&mut self.digest).finish();
        let sums = [
            ("its SHA-256", digest == sha256),
            ("the number of its lines", self.counts == counts),
            (
                "its totals",
                self.totals == totals && self.promised == totals,
            ),
        ];
        if let Some((what, _)) = sums.into_iter().find(|(_, is_right)| !is_right) {
            return Err(ImportError::Changed { what });
        }
        if !self.from.fill_buf()?.is_empty() {
            return Err(ImportError::Trailing);
        }
        Ok(Exported {
            totals,
            counts,
            sha256,
        })
    }

    /// Reads a line, without its end; no more than the longest is ever held.
    fn next_line(&mut self) -> Result<Vec<u8>, ImportError> {
        self.line = self.line.saturating_add(1);
        let limit = u64::try_from(MAX_EXPORT_LINE).unwrap_or(u64::MAX);
        let mut line = Vec::new();
        let mut from = self.from.by_ref().take(limit.saturating_add(1));
        from.read_until(b'\n', &mut line)?;
        match line.pop() {
            Some(b'\n') => Ok(line),
            Some(_) if line.len() >= MAX_EXPORT_LINE => self.at_line(Err(LineError::TooLong)),
            _ => Err(ImportError::Cut),
        }
    }

    fn at_line<T>(&self, read: Result<T, LineError>) -> Result<T, ImportError> {
        read.map_err(|source| ImportError::Line {
            line: self.line,
            source,
        })
    }
}

/// Reads what a line says, and refuses it in any other spelling than ours: one ledger has one export.
fn understood<'a, T: Deserialize<'a> + Serialize>(line: &'a [u8]) -> Result<T, LineError> {
    let said: T = serde_json::from_slice(line)?;
    if serde_json::to_vec(&said)? != line {
        return Err(LineError::Spelling);
    }
    Ok(said)
}
