use super::{
    fault::Fault,
    payments::PaymentsRead,
    reader::{kept_proofs, off_thread},
    refunds::RefundsRead,
    rows::{
        ACCOUNTS, AccountRow, Bytes32, CLAIMS, ClaimRow, DEBITS, DEPOSITS, DepositRow, FROZEN,
        META, NEXT_SEQUENCE, SWEPT_AT, WATCHED, WatchedRow, account, claim_record, debit, deposit,
        frozen_of, identity, number, watched,
    },
};
use crate::{
    backend::Snapshot,
    record::{Account, ClaimRecord, Debit, Deposit, PaymentLine},
};
use async_trait::async_trait;
use mesh_types::{ClaimKey, DaySpent, NodeId, PaymentProof, Refund, StoreError, UnixTime, Watched};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _};
use std::{ops::Bound, sync::Arc};

/// The file at one moment. Pages that it can see are not used again while it lives.
pub(super) struct RedbSnapshot {
    tables: Arc<Tables>,
}

struct Tables {
    transaction: ReadTransaction,
    meta: ReadOnlyTable<&'static str, &'static [u8]>,
    claims: ReadOnlyTable<Bytes32, ClaimRow>,
    accounts: ReadOnlyTable<Bytes32, AccountRow>,
    deposits: ReadOnlyTable<u64, DepositRow>,
    debits: ReadOnlyTable<(u64, Bytes32), (u64, u64)>,
    watched: ReadOnlyTable<Bytes32, WatchedRow>,
    frozen: ReadOnlyTable<Bytes32, u64>,
    payments: PaymentsRead,
    refunds: RefundsRead,
}

impl RedbSnapshot {
    pub(super) fn take(transaction: ReadTransaction) -> Result<Self, Fault> {
        let tables = Tables {
            meta: transaction.open_table(META)?,
            claims: transaction.open_table(CLAIMS)?,
            accounts: transaction.open_table(ACCOUNTS)?,
            deposits: transaction.open_table(DEPOSITS)?,
            debits: transaction.open_table(DEBITS)?,
            watched: transaction.open_table(WATCHED)?,
            frozen: transaction.open_table(FROZEN)?,
            payments: PaymentsRead::open(&transaction)?,
            refunds: RefundsRead::open(&transaction)?,
            transaction,
        };
        Ok(Self {
            tables: Arc::new(tables),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tables) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let tables = Arc::clone(&self.tables);
        off_thread(move || read(&tables)).await
    }
}

#[async_trait]
impl Snapshot for RedbSnapshot {
    async fn accounts(
        &mut self,
        after: Option<NodeId>,
        most: usize,
    ) -> Result<Vec<Account>, StoreError> {
        self.read(move |tables| {
            let after = behind(after.as_ref().map(NodeId::as_bytes));
            let rows = tables
                .accounts
                .range::<&[u8; 32]>((after, Bound::Unbounded))?;
            rows.take(most)
                .map(|entry| {
                    let (payer, row) = entry?;
                    let frozen = frozen_of(&tables.frozen, payer.value())?;
                    let refunded = tables.refunds.refunded(payer.value())?;
                    Ok(account(payer.value(), row.value(), frozen, refunded))
                })
                .collect()
        })
        .await
    }

    async fn deposits(
        &mut self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<Deposit>, StoreError> {
        self.read(move |tables| {
            let rows = tables
                .deposits
                .range::<u64>((behind(after), Bound::Unbounded))?;
            rows.take(most)
                .map(|entry| entry.map(|(serial, row)| deposit(serial.value(), row.value())))
                .collect::<Result<_, _>>()
                .map_err(Fault::from)
        })
        .await
    }

    async fn last_deposits(&mut self, most: usize) -> Result<Vec<Deposit>, StoreError> {
        self.read(move |tables| {
            let rows = tables.deposits.iter()?.rev();
            rows.take(most)
                .map(|entry| entry.map(|(serial, row)| deposit(serial.value(), row.value())))
                .collect::<Result<_, _>>()
                .map_err(Fault::from)
        })
        .await
    }

    async fn debits(
        &mut self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<Debit>, StoreError> {
        self.read(move |tables| {
            let after = after
                .as_ref()
                .map(|(period, payer)| (period.to_millis(), payer.as_bytes()));
            let rows = tables
                .debits
                .range::<(u64, &[u8; 32])>((behind(after), Bound::Unbounded))?;
            rows.take(most)
                .map(|entry| entry.map(|(place, row)| debit(place.value(), row.value())))
                .collect::<Result<_, _>>()
                .map_err(Fault::from)
        })
        .await
    }

    async fn claims(
        &mut self,
        after: Option<ClaimKey>,
        most: usize,
    ) -> Result<Vec<ClaimRecord>, StoreError> {
        self.read(move |tables| {
            let after = behind(after.as_ref().map(ClaimKey::as_bytes));
            let rows = tables
                .claims
                .range::<&[u8; 32]>((after, Bound::Unbounded))?;
            rows.take(most)
                .map(|entry| entry.map(|(key, row)| claim_record(key.value(), row.value())))
                .collect::<Result<_, _>>()
                .map_err(Fault::from)
        })
        .await
    }

    async fn watched(
        &mut self,
        after: Option<ClaimKey>,
        most: usize,
    ) -> Result<Vec<Watched>, StoreError> {
        self.read(move |tables| {
            let after = behind(after.as_ref().map(ClaimKey::as_bytes));
            let rows = tables
                .watched
                .range::<&[u8; 32]>((after, Bound::Unbounded))?;
            rows.take(most)
                .map(|entry| entry.map(|(key, row)| watched(key.value(), row.value())))
                .collect::<Result<_, _>>()
                .map_err(Fault::from)
        })
        .await
    }

    async fn payments(
        &mut self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<PaymentLine>, StoreError> {
        self.read(move |tables| tables.payments.lines(after, most))
            .await
    }

    async fn last_payments(
        &mut self,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<PaymentLine>, StoreError> {
        self.read(move |tables| tables.payments.last(before, most))
            .await
    }

    async fn spent(
        &mut self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<DaySpent>, StoreError> {
        self.read(move |tables| tables.payments.days(after, most))
            .await
    }

    async fn refunds(
        &mut self,
        after: Option<[u8; 32]>,
        most: usize,
    ) -> Result<Vec<Refund>, StoreError> {
        self.read(move |tables| tables.refunds.page(behind(after.as_ref()), most))
            .await
    }

    async fn identity(&mut self) -> Result<Option<[u8; 32]>, StoreError> {
        self.read(|tables| identity(&tables.meta)).await
    }

    async fn next_sequence(&mut self) -> Result<u64, StoreError> {
        self.read(|tables| number(&tables.meta, NEXT_SEQUENCE))
            .await
    }

    async fn swept_at(&mut self) -> Result<UnixTime, StoreError> {
        self.read(|tables| number(&tables.meta, SWEPT_AT).map(UnixTime::from_millis))
            .await
    }

    async fn kept_proofs(&mut self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError> {
        self.read(|tables| kept_proofs(&tables.transaction)).await
    }
}

fn behind<T>(after: Option<T>) -> Bound<T> {
    after.map_or(Bound::Unbounded, Bound::Excluded)
}
