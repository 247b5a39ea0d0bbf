use super::{
    fault::Fault,
    number::{msat, unsigned},
    payments, refunds,
    snapshot::Moment,
    watched::watched,
};
use crate::{
    backend::{Reader, Snapshot},
    proof_bytes,
    writer::PATIENCE,
};
use async_trait::async_trait;
use mesh_types::{
    Books, DaySums, MAX_WATCHED, Msat, NodeId, PaymentProof, Refund, StoreError, UnixTime, Watched,
};
use sqlx::{PgConnection, PgPool, Row as _};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::time::timeout;

/// What reads, with connections of its own.
#[derive(Debug)]
pub(super) struct Readers {
    pool: PgPool,
    is_up: Arc<AtomicBool>,
}

impl Readers {
    pub(super) fn new(pool: PgPool, is_up: Arc<AtomicBool>) -> Self {
        Self { pool, is_up }
    }

    /// Waits for what is read for [`PATIENCE`] at most, and not at all while the store is known to be away.
    async fn in_time<T>(
        &self,
        reading: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, StoreError> {
        let unavailable = |reason: String| StoreError::Unavailable(reason);
        if !self.is_reachable() {
            return Err(unavailable(
                "there is no connection to the server".to_owned(),
            ));
        }
        match timeout(PATIENCE, reading).await {
            Ok(read) => read.map_err(Fault::into_unavailable),
            Err(_) => Err(unavailable(format!(
                "no answer within {} seconds",
                PATIENCE.as_secs()
            ))),
        }
    }
}

#[async_trait]
impl Reader for Readers {
    fn is_reachable(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    async fn credit(&self, payer: NodeId) -> Result<Msat, StoreError> {
        self.in_time(async {
            let sql = "select greatest(credit - drawn - frozen, 0)
                from blvm_mesh.account where payer = $1";
            let credit: Option<i64> = sqlx::query_scalar(sql)
                .bind(payer.to_bytes())
                .fetch_optional(&self.pool)
                .await?;
            Ok(msat(credit.unwrap_or_default())?)
        })
        .await
    }

    async fn books(&self, most: usize) -> Result<Books, StoreError> {
        self.in_time(async {
            let mut tx = self.pool.begin_with(MOMENT).await?;
            let sums = "select coalesce(sum(deposited), 0)::bigint as deposited,
                    coalesce(sum(credit), 0)::bigint as credit,
                    coalesce(sum(earned), 0)::bigint as earned,
                    coalesce(sum(refunded), 0)::bigint as refunded,
                    coalesce(sum(frozen), 0)::bigint as frozen,
                    (select count(*) from blvm_mesh.watched) as watched,
                    count(*) filter (where deposits > 0) as accounts
                from blvm_mesh.account";
            let row = sqlx::query(sums).fetch_one(&mut *tx).await?;
            let largest = "select payer, credit from blvm_mesh.account where credit > 0
                order by credit desc, payer limit $1";
            let largest: Vec<([u8; 32], i64)> = sqlx::query_as(largest)
                .bind(i64::try_from(most).unwrap_or(i64::MAX))
                .fetch_all(&mut *tx)
                .await?;
            let largest = largest
                .into_iter()
                .map(|(payer, credit)| Ok((NodeId::from_bytes(payer), msat(credit)?)));
            Ok(Books {
                deposited: msat(row.try_get("deposited")?)?,
                credit: msat(row.try_get("credit")?)?,
                earned: msat(row.try_get("earned")?)?,
                refunded: msat(row.try_get("refunded")?)?,
                frozen: msat(row.try_get("frozen")?)?,
                watched: unsigned(row.try_get("watched")?)?,
                accounts: unsigned(row.try_get("accounts")?)?,
                largest: largest.collect::<Result<_, Fault>>()?,
            })
        })
        .await
    }

    async fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        self.in_time(async {
            let sql = "select key, payer, amount, tx_hash, frozen from blvm_mesh.watched
                order by key limit $1";
            let rows = sqlx::query(sql)
                .bind(i64::try_from(MAX_WATCHED).unwrap_or(i64::MAX))
                .fetch_all(&self.pool)
                .await?;
            Ok(rows.iter().map(watched).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn identity(&self) -> Result<Option<[u8; 32]>, StoreError> {
        self.in_time(async { identity(&mut *self.pool.acquire().await?).await })
            .await
    }

    async fn kept_proofs(&self) -> Result<Vec<(NodeId, PaymentProof)>, StoreError> {
        self.in_time(async { kept_proofs(&mut *self.pool.acquire().await?).await })
            .await
    }

    async fn spent_on_day(&self, at: UnixTime, payee: NodeId) -> Result<DaySums, StoreError> {
        self.in_time(async { payments::on_day(&mut *self.pool.acquire().await?, at, payee).await })
            .await
    }

    async fn settled_place(&self, payee_key: [u8; 33]) -> Result<Option<u64>, StoreError> {
        self.in_time(async {
            let sql = "select place from blvm_mesh.settled_place where payee_key = $1";
            let place: Option<i64> = sqlx::query_scalar(sql)
                .bind(payee_key)
                .fetch_optional(&self.pool)
                .await?;
            Ok(place.map(unsigned).transpose()?)
        })
        .await
    }

    async fn refund(&self, payment_hash: [u8; 32]) -> Result<Option<Refund>, StoreError> {
        self.in_time(async { refunds::one(&mut *self.pool.acquire().await?, payment_hash).await })
            .await
    }

    async fn open_refunds(&self) -> Result<Vec<Refund>, StoreError> {
        self.in_time(async { refunds::open_ones(&mut *self.pool.acquire().await?).await })
            .await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.in_time(async {
            let mut tx = self.pool.begin_with(MOMENT).await?;
            // The moment is that of the first statement.
            sqlx::query("select from blvm_mesh.node")
                .execute(&mut *tx)
                .await?;
            Ok(Box::new(Moment::new(tx)) as Box<dyn Snapshot>)
        })
        .await
    }
}

/// Everything that is read in such a transaction is as it was at one moment.
const MOMENT: &str = "begin isolation level repeatable read read only";

pub(super) async fn identity(conn: &mut PgConnection) -> Result<Option<[u8; 32]>, Fault> {
    let identity = sqlx::query_scalar("select identity from blvm_mesh.node").fetch_one(conn);
    Ok(identity.await?)
}

pub(super) async fn kept_proofs(
    conn: &mut PgConnection,
) -> Result<Vec<(NodeId, PaymentProof)>, Fault> {
    let sql = "select payee, proof from blvm_mesh.kept_proof order by serial";
    let kept: Vec<([u8; 32], Vec<u8>)> = sqlx::query_as(sql).fetch_all(conn).await?;
    let decoded = kept.into_iter().map(|(payee, bytes)| {
        let proof =
            proof_bytes::decode(&bytes).map_err(|error| Fault::Undone(error.to_string()))?;
        Ok((NodeId::from_bytes(payee), proof))
    });
    decoded.collect()
}
