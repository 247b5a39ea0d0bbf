use super::{
    backend::Shared,
    fault::Fault,
    payments::PaymentsRead,
    refunds::RefundsRead,
    rows::{
        ACCOUNTS, FROZEN, META, PROOFS, WATCHED, account, frozen_of, identity, settled_place,
        watched,
    },
    snapshot::RedbSnapshot,
};
use crate::{
    backend::{Reader, Snapshot},
    proof_bytes,
};
use async_trait::async_trait;
use mesh_types::{
    Books, DaySums, MAX_WATCHED, Msat, NodeId, PaymentProof, Refund, StoreError, UnixTime, Watched,
};
use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, PoisonError},
};
use tokio::task::spawn_blocking;

/// Reads the file beside the one who writes it.
#[derive(Debug)]
pub(super) struct RedbReader {
    shared: Arc<Shared>,
}

impl RedbReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        off_thread(move || read(&shared)).await
    }
}

/// Does what waits for the disk where nobody else waits.
pub(super) async fn off_thread<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, StoreError> {
    match spawn_blocking(read).await {
        Ok(read) => read.map_err(Fault::unavailable),
        Err(ended) => Err(StoreError::Unavailable(ended.to_string())),
    }
}

#[async_trait]
impl Reader for RedbReader {
    fn is_reachable(&self) -> bool {
        !self.shared.is_broken()
    }

    async fn credit(&self, payer: NodeId) -> Result<Msat, StoreError> {
        self.read(move |shared| credit(shared, payer)).await
    }

    async fn books(&self, most: usize) -> Result<Books, StoreError> {
        self.read(move |shared| books(&shared.begin_read()?, most))
            .await
    }

    async fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        self.read(|shared| all_watched(&shared.begin_read()?)).await
    }

    async fn identity(&self) -> Result<Option<[u8; 32]>, StoreError> {
        self.read(|shared| identity(&shared.begin_read()?.open_table(META)?))
            .await
    }

    async fn kept_proofs(&self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError> {
        self.read(|shared| kept_proofs(&shared.begin_read()?)).await
    }

    async fn spent_on_day(&self, at: UnixTime, payee: NodeId) -> Result<DaySums, StoreError> {
        self.read(move |shared| PaymentsRead::open(&shared.begin_read()?)?.on_day(at, payee))
            .await
    }

    async fn settled_place(&self, payee_key: [u8; 33]) -> Result<Option<u64>, StoreError> {
        self.read(move |shared| settled_place(&shared.begin_read()?.open_table(META)?, &payee_key))
            .await
    }

    async fn refund(&self, payment_hash: [u8; 32]) -> Result<Option<Refund>, StoreError> {
        self.read(move |shared| RefundsRead::open(&shared.begin_read()?)?.one(&payment_hash))
            .await
    }

    async fn open_refunds(&self) -> Result<Vec<Refund>, StoreError> {
        self.read(|shared| RefundsRead::open(&shared.begin_read()?)?.open_ones())
            .await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let snapshot = self
            .read(|shared| RedbSnapshot::take(shared.begin_read()?))
            .await?;
        Ok(Box::new(snapshot))
    }
}

fn credit(shared: &Shared, payer: NodeId) -> Result<Msat, Fault> {
    let drawn = shared.drawn.lock().unwrap_or_else(PoisonError::into_inner);
    let transaction = shared.begin_read()?;
    let accounts = transaction.open_table(ACCOUNTS)?;
    let Some(row) = accounts.get(payer.as_bytes())? else {
        return Ok(Msat::ZERO);
    };
    let frozen = frozen_of(&transaction.open_table(FROZEN)?, payer.as_bytes())?;
    let drawn = drawn.get(&payer).copied().unwrap_or_default();
    // What was given back is no part of the credit any more.
    Ok(account(payer.as_bytes(), row.value(), frozen, Msat::ZERO).free(drawn))
}

fn books(transaction: &ReadTransaction, most: usize) -> Result<Books, Fault> {
    let mut books = Books {
        watched: transaction.open_table(WATCHED)?.len()?,
        ..Books::default()
    };
    for entry in transaction.open_table(FROZEN)?.iter()? {
        let (_, frozen) = entry?;
        books.frozen = sum(books.frozen, Msat::from_msat(frozen.value()));
    }
    books.refunded = RefundsRead::open(transaction)?.sum()?;
    let mut largest = BinaryHeap::new();
    for entry in transaction.open_table(ACCOUNTS)?.iter()? {
        let (payer, row) = entry?;
        // What is frozen, and what was given back, is added up above.
        let account = account(payer.value(), row.value(), Msat::ZERO, Msat::ZERO);
        books.deposited = sum(books.deposited, account.deposited);
        books.credit = sum(books.credit, account.credit);
        books.earned = sum(books.earned, account.earned);
        books.accounts = books.accounts.saturating_add(1);
        largest.push((Reverse(account.credit), account.payer));
        if largest.len() > most {
            largest.pop();
        }
    }
    books.largest = largest
        .into_sorted_vec()
        .into_iter()
        .map(|(Reverse(credit), payer)| (payer, credit))
        .collect();
    Ok(books)
}

/// Sums of money are far from what 64 bits hold, unless there is more than all Bitcoin: then the most they hold.
fn sum(one: Msat, other: Msat) -> Msat {
    one.checked_add(other).unwrap_or(Msat::MAX)
}

fn all_watched(transaction: &ReadTransaction) -> Result<Vec<Watched>, Fault> {
    let table = transaction.open_table(WATCHED)?;
    let rows = table.iter()?.take(MAX_WATCHED);
    rows.map(|entry| entry.map(|(key, row)| watched(key.value(), row.value())))
        .collect::<Result<_, _>>()
        .map_err(Fault::from)
}

pub(super) fn kept_proofs(
    transaction: &ReadTransaction,
) -> Result<Vec<(NodeId, PaymentProof)>, Fault> {
    let mut kept = Vec::new();
    for entry in transaction.open_table(PROOFS)?.iter()? {
        let (row, ()) = entry.map(|(row, _)| (row, ()))?;
        let damaged = Fault::Corrupt("a kept proof has no payee");
        let (payee, encoded) = row.value().split_first_chunk::<32>().ok_or(damaged)?;
        let proof = proof_bytes::decode(encoded);
        let proof = proof.map_err(|error| Fault::Refused(error.to_string()))?;
        kept.push((NodeId::from_bytes(*payee), proof));
    }
    Ok(kept)
}
