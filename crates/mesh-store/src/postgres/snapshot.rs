use super::{
    fault::Fault,
    number::{msat, signed, time, unsigned},
    payments,
    reader::{identity, kept_proofs},
    refunds,
    watched::watched,
};
use crate::{
    backend::Snapshot,
    record::{Account, ClaimRecord, Debit, Deposit, PaymentLine},
};
use async_trait::async_trait;
use mesh_types::{
    ClaimKey, DaySpent, NodeId, PacketTag, PaymentProof, Refund, StoreError, UnixTime, Watched,
};
use sqlx::{Postgres, Row as _, Transaction, postgres::PgRow};

/// The books as they are in one transaction, which only reads.
#[derive(Debug)]
pub(super) struct Moment {
    tx: Transaction<'static, Postgres>,
}

impl Moment {
    pub(super) fn new(tx: Transaction<'static, Postgres>) -> Self {
        Self { tx }
    }
}

#[async_trait]
impl Snapshot for Moment {
    async fn accounts(
        &mut self,
        after: Option<NodeId>,
        most: usize,
    ) -> Result<Vec<Account>, StoreError> {
        let sql = "select payer, deposited, credit, earned, refunded, frozen, deposits, packets
            from blvm_mesh.account where deposits > 0 and ($1::bytea is null or payer > $1)
            order by payer limit $2";
        let rows = sqlx::query(sql)
            .bind(after.map(NodeId::to_bytes))
            .bind(limit(most))
            .fetch_all(&mut *self.tx);
        rows_of(rows.await, account)
    }

    async fn deposits(
        &mut self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<Deposit>, StoreError> {
        let sql = "select serial, at, payer, amount, key from blvm_mesh.deposit
            where serial > $1 order by serial limit $2";
        let rows = sqlx::query(sql)
            .bind(after.map_or(-1, signed))
            .bind(limit(most))
            .fetch_all(&mut *self.tx);
        rows_of(rows.await, deposit)
    }

    async fn last_deposits(&mut self, most: usize) -> Result<Vec<Deposit>, StoreError> {
        let sql = "select serial, at, payer, amount, key from blvm_mesh.deposit
            order by serial desc limit $1";
        let rows = sqlx::query(sql).bind(limit(most)).fetch_all(&mut *self.tx);
        rows_of(rows.await, deposit)
    }

    async fn debits(
        &mut self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<Debit>, StoreError> {
        let sql = "select period, payer, amount, packets from blvm_mesh.debit
            where (period, payer) > ($1, $2) order by period, payer limit $3";
        let (period, payer) = after.map_or((-1, Vec::new()), |(period, payer)| {
            (signed(period.to_millis()), payer.to_bytes().to_vec())
        });
        let rows = sqlx::query(sql)
            .bind(period)
            .bind(payer)
            .bind(limit(most))
            .fetch_all(&mut *self.tx);
        rows_of(rows.await, debit)
    }

    async fn claims(
        &mut self,
        after: Option<ClaimKey>,
        most: usize,
    ) -> Result<Vec<ClaimRecord>, StoreError> {
        let sql = "select key, by, expires_at from blvm_mesh.claim
            where key > $1 order by key limit $2";
        let after = after.map_or_else(Vec::new, |key| key.as_bytes().to_vec());
        let rows = sqlx::query(sql)
            .bind(after)
            .bind(limit(most))
            .fetch_all(&mut *self.tx);
        rows_of(rows.await, claim)
    }

    async fn watched(
        &mut self,
        after: Option<ClaimKey>,
        most: usize,
    ) -> Result<Vec<Watched>, StoreError> {
        let sql = "select key, payer, amount, tx_hash, frozen from blvm_mesh.watched
            where key > $1 order by key limit $2";
        let after = after.map_or_else(Vec::new, |key| key.as_bytes().to_vec());
        let rows = sqlx::query(sql)
            .bind(after)
            .bind(limit(most))
            .fetch_all(&mut *self.tx);
        rows_of(rows.await, watched)
    }

    async fn payments(
        &mut self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<PaymentLine>, StoreError> {
        let lines = payments::lines(&mut self.tx, after, most).await;
        lines.map_err(Fault::into_unavailable)
    }

    async fn last_payments(
        &mut self,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<PaymentLine>, StoreError> {
        let lines = payments::last(&mut self.tx, before, most).await;
        lines.map_err(Fault::into_unavailable)
    }

    async fn spent(
        &mut self,
        after: Option<(UnixTime, NodeId)>,
        most: usize,
    ) -> Result<Vec<DaySpent>, StoreError> {
        let days = payments::days(&mut self.tx, after, most).await;
        days.map_err(Fault::into_unavailable)
    }

    async fn refunds(
        &mut self,
        after: Option<[u8; 32]>,
        most: usize,
    ) -> Result<Vec<Refund>, StoreError> {
        let page = refunds::page(&mut self.tx, after, most).await;
        page.map_err(Fault::into_unavailable)
    }

    async fn identity(&mut self) -> Result<Option<[u8; 32]>, StoreError> {
        identity(&mut self.tx)
            .await
            .map_err(Fault::into_unavailable)
    }

    async fn next_sequence(&mut self) -> Result<u64, StoreError> {
        let next = sqlx::query_scalar("select next_sequence from blvm_mesh.node")
            .fetch_one(&mut *self.tx)
            .await;
        next.and_then(unsigned).map_err(unavailable)
    }

    async fn swept_at(&mut self) -> Result<UnixTime, StoreError> {
        let swept_at = sqlx::query_scalar("select swept_at from blvm_mesh.node")
            .fetch_one(&mut *self.tx)
            .await;
        swept_at.and_then(time).map_err(unavailable)
    }

    async fn kept_proofs(&mut self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError> {
        kept_proofs(&mut self.tx)
            .await
            .map_err(Fault::into_unavailable)
    }
}

fn unavailable(error: sqlx::Error) -> StoreError {
    Fault::from(error).into_unavailable()
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

fn rows_of<T>(
    rows: Result<Vec<PgRow>, sqlx::Error>,
    read: fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, StoreError> {
    let read = rows.and_then(|rows| rows.iter().map(read).collect());
    read.map_err(unavailable)
}

fn account(row: &PgRow) -> Result<Account, sqlx::Error> {
    Ok(Account {
        payer: NodeId::from_bytes(row.try_get("payer")?),
        deposited: msat(row.try_get("deposited")?)?,
        credit: msat(row.try_get("credit")?)?,
        earned: msat(row.try_get("earned")?)?,
        refunded: msat(row.try_get("refunded")?)?,
        frozen: msat(row.try_get("frozen")?)?,
        deposits: unsigned(row.try_get("deposits")?)?,
        packets: unsigned(row.try_get("packets")?)?,
    })
}

fn deposit(row: &PgRow) -> Result<Deposit, sqlx::Error> {
    Ok(Deposit {
        serial: unsigned(row.try_get("serial")?)?,
        at: time(row.try_get("at")?)?,
        payer: NodeId::from_bytes(row.try_get("payer")?),
        amount: msat(row.try_get("amount")?)?,
        key: ClaimKey::from_payment_hash(row.try_get("key")?),
    })
}

fn debit(row: &PgRow) -> Result<Debit, sqlx::Error> {
    Ok(Debit {
        period: time(row.try_get("period")?)?,
        payer: NodeId::from_bytes(row.try_get("payer")?),
        amount: msat(row.try_get("amount")?)?,
        packets: unsigned(row.try_get("packets")?)?,
    })
}

fn claim(row: &PgRow) -> Result<ClaimRecord, sqlx::Error> {
    Ok(ClaimRecord {
        key: ClaimKey::from_payment_hash(row.try_get("key")?),
        by: PacketTag::from_bytes(row.try_get("by")?),
        expires_at: time(row.try_get("expires_at")?)?,
    })
}
