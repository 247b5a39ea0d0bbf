use super::{
    fault::Fault,
    rows::{Bytes32, META},
};
use crate::payment_parts::{outcome, outcome_parts};
use mesh_types::{MAX_OPEN_REFUNDS, Msat, NodeId, PaymentOutcome, Refund, UnixTime};
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase as _, ReadableTable,
    ReadableTableMetadata as _, Table, TableDefinition, WriteTransaction,
};
use std::ops::Bound;

/// Refunds, by payment hash.
const REFUNDS: TableDefinition<'_, Bytes32, RefundRow> = TableDefinition::new("refunds");

/// The payment hashes of those of which nobody knows what became of them.
const OPEN: TableDefinition<'_, Bytes32, ()> = TableDefinition::new("open_refunds");

/// What refunds have taken, by payer; no row for nothing.
const REFUNDED: TableDefinition<'_, Bytes32, u64> = TableDefinition::new("refunded");

/// In [`META`]: says that the tables above were made, so that one that is missing is not taken for an empty one.
const MADE: &str = "refunds";

/// Payer, when in milliseconds, amount, fee, outcome, when that was known, invoice.
type RefundRow = (Bytes32, u64, u64, u64, u8, u64, &'static str);

/// Makes the tables.
pub(super) fn make(transaction: &WriteTransaction) -> Result<(), Fault> {
    transaction.open_table(REFUNDS)?;
    transaction.open_table(OPEN)?;
    transaction.open_table(REFUNDED)?;
    transaction.open_table(META)?.insert(MADE, [1].as_slice())?;
    Ok(())
}

/// Says whether the tables were made, and all are there.
pub(super) fn are_made(database: &Database) -> Result<bool, Fault> {
    let transaction = database.begin_read()?;
    if transaction.open_table(META)?.get(MADE)?.is_none() {
        return Ok(false);
    }
    transaction.open_table(REFUNDS)?;
    transaction.open_table(OPEN)?;
    transaction.open_table(REFUNDED)?;
    Ok(true)
}

/// The tables, open to be changed.
pub(super) struct RefundTables<'t> {
    refunds: Table<'t, Bytes32, RefundRow>,
    open: Table<'t, Bytes32, ()>,
    refunded: Table<'t, Bytes32, u64>,
}

impl<'t> RefundTables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            refunds: transaction.open_table(REFUNDS)?,
            open: transaction.open_table(OPEN)?,
            refunded: transaction.open_table(REFUNDED)?,
        })
    }

    pub(super) fn is_empty(&self) -> Result<bool, Fault> {
        Ok(self.refunds.is_empty()?)
    }

    pub(super) fn one(&self, payment_hash: &[u8; 32]) -> Result<Option<Refund>, Fault> {
        one(&self.refunds, payment_hash)
    }

    pub(super) fn has_room(&self) -> Result<bool, Fault> {
        Ok(self.open.len()? < MAX_OPEN_REFUNDS as u64)
    }

    /// Writes a refund as it is now, and says whether there was one of its payment hash.
    pub(super) fn write(&mut self, refund: &Refund) -> Result<bool, Fault> {
        let hash = &refund.payment_hash;
        if refund.outcome == PaymentOutcome::Unknown {
            self.open.insert(hash, ())?;
        } else {
            self.open.remove(hash)?;
        }
        let (outcome, known_at) = outcome_parts(refund.outcome);
        let row = (
            refund.payer.as_bytes(),
            refund.at.to_millis(),
            refund.amount.to_msat(),
            refund.fee.to_msat(),
            outcome,
            known_at.to_millis(),
            refund.invoice.as_str(),
        );
        let before = self.refunds.insert(hash, row)?;
        Ok(before.is_some())
    }

    pub(super) fn refunded(&self, payer: &[u8; 32]) -> Result<Msat, Fault> {
        refunded(&self.refunded, payer)
    }

    pub(super) fn write_refunded(&mut self, payer: &[u8; 32], sum: Msat) -> Result<(), Fault> {
        if sum == Msat::ZERO {
            self.refunded.remove(payer)?;
        } else {
            self.refunded.insert(payer, sum.to_msat())?;
        }
        Ok(())
    }
}

/// The tables at one moment.
pub(super) struct RefundsRead {
    refunds: ReadOnlyTable<Bytes32, RefundRow>,
    open: ReadOnlyTable<Bytes32, ()>,
    refunded: ReadOnlyTable<Bytes32, u64>,
}

impl RefundsRead {
    pub(super) fn open(transaction: &ReadTransaction) -> Result<Self, Fault> {
        Ok(Self {
            refunds: transaction.open_table(REFUNDS)?,
            open: transaction.open_table(OPEN)?,
            refunded: transaction.open_table(REFUNDED)?,
        })
    }

    pub(super) fn one(&self, payment_hash: &[u8; 32]) -> Result<Option<Refund>, Fault> {
        one(&self.refunds, payment_hash)
    }

    pub(super) fn open_ones(&self) -> Result<Vec<Refund>, Fault> {
        let mut open = Vec::new();
        for entry in self.open.iter()?.take(MAX_OPEN_REFUNDS) {
            let (hash, ()) = entry.map(|(hash, _)| (*hash.value(), ()))?;
            let found = self.one(&hash)?;
            open.push(found.ok_or(Fault::Corrupt("a refund under way is missing"))?);
        }
        Ok(open)
    }

    pub(super) fn refunded(&self, payer: &[u8; 32]) -> Result<Msat, Fault> {
        refunded(&self.refunded, payer)
    }

    /// Of all payers; the most that there can be when it is more.
    pub(super) fn sum(&self) -> Result<Msat, Fault> {
        let mut sum = Msat::ZERO;
        for entry in self.refunded.iter()? {
            let (_, refunded) = entry?;
            let more = sum.checked_add(Msat::from_msat(refunded.value()));
            sum = more.unwrap_or(Msat::MAX);
        }
        Ok(sum)
    }

    /// In the order of their payment hashes.
    pub(super) fn page(&self, after: Bound<&[u8; 32]>, most: usize) -> Result<Vec<Refund>, Fault> {
        let rows = self.refunds.range::<&[u8; 32]>((after, Bound::Unbounded))?;
        let mut refunds = Vec::new();
        for entry in rows.take(most) {
            let (hash, row) = entry?;
            refunds.push(refund(hash.value(), row.value())?);
        }
        Ok(refunds)
    }
}

fn one(
    refunds: &impl ReadableTable<Bytes32, RefundRow>,
    payment_hash: &[u8; 32],
) -> Result<Option<Refund>, Fault> {
    let Some(row) = refunds.get(payment_hash)? else {
        return Ok(None);
    };
    refund(payment_hash, row.value()).map(Some)
}

fn refunded(refunded: &impl ReadableTable<Bytes32, u64>, payer: &[u8; 32]) -> Result<Msat, Fault> {
    let sum = refunded.get(payer)?.map(|sum| sum.value());
    Ok(Msat::from_msat(sum.unwrap_or_default()))
}

fn refund(
    payment_hash: &[u8; 32],
    row: (&[u8; 32], u64, u64, u64, u8, u64, &str),
) -> Result<Refund, Fault> {
    let (payer, at, amount, fee, kind, known_at, invoice) = row;
    let outcome = outcome(kind, UnixTime::from_millis(known_at));
    Ok(Refund {
        payment_hash: *payment_hash,
        payer: NodeId::from_bytes(*payer),
        at: UnixTime::from_millis(at),
        amount: Msat::from_msat(amount),
        fee: Msat::from_msat(fee),
        invoice: invoice.to_owned(),
        outcome: outcome.ok_or(Fault::Corrupt("a refund has no known outcome"))?,
    })
}
