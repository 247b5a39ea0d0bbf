//! Reading the books, checking them, and moving them to another store.

mod checked;
mod debits;
mod digest;
mod export;
mod import;
mod line;
#[cfg(test)]
mod memory;
mod pages;
mod payers;
mod payment_line;
mod spending;
#[cfg(test)]
mod tests;
mod totals;
mod twice;
mod verify;
mod watching;

pub use checked::{ImportError, LineError, check_export};
pub use debits::Period;
pub use export::ExportError;
pub use line::{EXPORT_VERSION, MAX_EXPORT_LINE};
pub use spending::{Spending, SpendingDifference, SpendingFilter, SpendingVerdict};
pub use totals::{Counts, Exported, Totals};
pub use twice::Twice;
pub use verify::{Difference, Journal, MAX_DIFFERENCES, Verdict};
pub use watching::Watching;

use crate::{
    backend::Snapshot,
    record::{Account, Debit, Deposit, PaymentLine},
    store::MeshStore,
};
use mesh_types::{NodeId, StoreError, UnixTime};
use std::io::{BufRead, Write};

/// The books of a store: every answer is about one moment, whatever is booked meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Ledger<'a>(&'a MeshStore);

/// The books at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// Sums over all payers.
    pub totals: Totals,
    /// The payments that a change of the chain can undo.
    pub watching: Watching,
    /// The last deposits, the newest first.
    pub deposits: Vec<Deposit>,
    /// What was spent in the last periods, the newest first.
    pub periods: Vec<Period>,
    /// The payers that most was earned from.
    pub payers: Vec<Account>,
}

impl MeshStore {
    /// The books, to be read.
    pub const fn ledger(&self) -> Ledger<'_> {
        Ledger(self)
    }
}

impl Ledger<'_> {
    /// Sums, and the `most` first of each list.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    pub async fn overview(&self, most: usize) -> Result<Overview, StoreError> {
        let mut books = self.snapshot().await?;
        Ok(Overview {
            totals: totals::sum(books.as_mut()).await?,
            watching: watching::sum(books.as_mut()).await?,
            deposits: books.last_deposits(most).await?,
            periods: debits::last_periods(books.as_mut(), most).await?,
            payers: payers::largest(books.as_mut(), most).await?,
        })
    }

    /// The last `most` deposits, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    pub async fn last_deposits(&self, most: usize) -> Result<Vec<Deposit>, StoreError> {
        self.snapshot().await?.last_deposits(most).await
    }

    /// At most `most` deposits, in the order of their serial numbers, from behind `after`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    pub async fn deposits(
        &self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<Deposit>, StoreError> {
        self.snapshot().await?.deposits(after, most).await
    }

    /// The last `most` debits, the newest period first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    pub async fn last_debits(&self, most: usize) -> Result<Vec<Debit>, StoreError> {
        debits::last(self.snapshot().await?.as_mut(), most).await
    }

    /// At most `most` debits, in the order of periods and payers, from behind `after`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    pub async fn debits(
        &self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<Debit>, StoreError> {
        self.snapshot().await?.debits(after, most).await
    }

    /// The `most` payers that most was earned from, the largest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    pub async fn largest_payers(&self, most: usize) -> Result<Vec<Account>, StoreError> {
        payers::largest(self.snapshot().await?.as_mut(), most).await
    }

    /// At most `most` payers, in the order of their ids, from behind `after`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    pub async fn payers(
        &self,
        after: Option<NodeId>,
        most: usize,
    ) -> Result<Vec<Account>, StoreError> {
        self.snapshot().await?.accounts(after, most).await
    }

    /// What this node has spent on others: the `most` first of each list.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    pub async fn spending(
        &self,
        filter: SpendingFilter,
        most: usize,
    ) -> Result<Spending, StoreError> {
        spending::spending(self.snapshot().await?.as_mut(), filter, most).await
    }

    /// At most `most` payments of this node's own, the newest first, from before `before`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer.
    pub async fn last_payments(
        &self,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<PaymentLine>, StoreError> {
        self.snapshot().await?.last_payments(before, most).await
    }

    /// Recomputes every account from the journal, and looks for payments that were claimed twice.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot answer; a difference is no error.
    pub async fn verify(&self) -> Result<Verdict, StoreError> {
        verify::verify(self.snapshot().await?.as_mut()).await
    }

    /// Writes everything that the store holds, **the node's secret key included**, in lines that [`Ledger::import`] reads.
    ///
    /// # Errors
    /// [`ExportError`]; what was written until then is refused by an import.
    pub async fn export(&self, into: impl Write + Send) -> Result<Exported, ExportError> {
        export::export(self.snapshot().await?.as_mut(), into).await
    }

    /// Fills this store, which has to be empty, with what [`Ledger::export`] wrote: all or nothing.
    ///
    /// What the store then holds is compared with what was read, to the last byte.
    ///
    /// # Errors
    /// [`ImportError`] says what is wrong with the export, or with the store.
    pub async fn import(
        &self,
        from: impl BufRead + Send + 'static,
    ) -> Result<Exported, ImportError> {
        let imported = import::import(&self.0.writer, from).await?;
        let found = export::export(self.snapshot().await?.as_mut(), std::io::sink()).await;
        match found {
            Ok(found) if found == imported => Ok(imported),
            Ok(found) => Err(ImportError::Differs {
                file: Box::new(imported),
                store: Box::new(found),
            }),
            Err(ExportError::Store(error)) => Err(ImportError::Store(error)),
            Err(ExportError::Write(error)) => Err(ImportError::Read(error)),
        }
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.0.reader.snapshot().await
    }
}
