use super::{
    fault::Fault,
    number::{signed, unsigned},
    payments,
};
use crate::{
    backend::{Answer, Op},
    proof_bytes,
};
use mesh_types::{
    Begun, CLAIM_SKEW, DayCaps, MAX_KEPT_PROOFS, NodeId, OwnPayment, PaymentEnd, PaymentProof,
    SequenceBlock, StoreError, UnixTime,
};
use sqlx::PgConnection;
use std::time::Duration;

/// How many numbers a gateway reserves at once.
///
/// 1,024, because that is the width of the window in which others accept a node's numbers: of two gateways that number
/// at the same time, none is left behind by more.
const SEQUENCE_BLOCK: u64 = 1_024;

/// How long a gateway uses the numbers that it has reserved.
///
/// A second, because a gateway that is quiet would fall behind one that is busy.
const SEQUENCES_GOOD_FOR: Duration = Duration::from_secs(1);

/// The row of the node itself, locked by this transaction when it is first needed.
#[derive(Debug)]
pub(super) struct NodeRow {
    identity: Option<[u8; 32]>,
    next_sequence: u64,
    proofs: usize,
    changed: bool,
}

impl NodeRow {
    /// Reads the row, and keeps everybody else from changing it until the transaction ends.
    pub(super) async fn lock(conn: &mut PgConnection) -> Result<Self, Fault> {
        let lock = "select identity, next_sequence from blvm_mesh.node for no key update";
        let (identity, next): (Option<[u8; 32]>, i64) =
            sqlx::query_as(lock).fetch_one(&mut *conn).await?;
        // Counted under that lock, by a statement that sees what the last who held it has done.
        let proofs: i64 = sqlx::query_scalar("select count(*) from blvm_mesh.kept_proof")
            .fetch_one(conn)
            .await?;
        Ok(Self {
            identity,
            next_sequence: unsigned(next)?,
            proofs: usize::try_from(proofs).unwrap_or(usize::MAX),
            changed: false,
        })
    }

    /// Answers one change; `None` when it is not of the node itself.
    pub(super) async fn answer(
        &mut self,
        conn: &mut PgConnection,
        op: &Op,
    ) -> Result<Option<Answer>, Fault> {
        Ok(Some(match op {
            Op::KeepIdentity { secret } => {
                self.changed |= self.identity.is_none();
                Answer::Identity(*self.identity.get_or_insert(*secret))
            }
            Op::ReserveSequences { at_least } => self.reserve(*at_least),
            Op::KeepProof { payee, proof } => self.keep(conn, *payee, proof).await?,
            Op::ForgetProof { payee, proof } => self.forget(conn, *payee, proof).await?,
            Op::BeginPayment {
                payment,
                note,
                caps,
            } => self.begin_payment(conn, payment, note, *caps).await?,
            Op::EndPayment(end) => self.end_payment(conn, end).await?,
            Op::KeepSettledPlace { payee_key, place } => {
                keep_settled_place(conn, payee_key, *place).await?
            }
            _ => return Ok(None),
        }))
    }

    /// Writes the row back.
    pub(super) async fn write(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        if self.changed {
            sqlx::query("update blvm_mesh.node set identity = $1, next_sequence = $2")
                .bind(self.identity)
                .bind(signed(self.next_sequence))
                .execute(conn)
                .await?;
        }
        Ok(())
    }

    fn reserve(&mut self, at_least: u64) -> Answer {
        let next = self.next_sequence.max(at_least);
        let end = next.checked_add(SEQUENCE_BLOCK);
        let Some(end) = end.filter(|end| i64::try_from(*end).is_ok()) else {
            let reason = format!("it holds no sequence number as large as {next}");
            return Answer::Refused(StoreError::Unavailable(reason));
        };
        self.next_sequence = end;
        self.changed = true;
        Answer::Sequences(SequenceBlock {
            next,
            end,
            good_for: Some(SEQUENCES_GOOD_FOR),
        })
    }

    async fn begin_payment(
        &mut self,
        conn: &mut PgConnection,
        payment: &OwnPayment,
        note: &PaymentProof,
        caps: DayCaps,
    ) -> Result<Answer, Fault> {
        let begun = payments::may_begin(conn, payment, caps).await?;
        if begun == Begun::Noted {
            let kept = self.keep(conn, payment.payee, note).await?;
            if kept != Answer::Done {
                return Ok(kept);
            }
            payments::begin(conn, payment).await?;
        }
        Ok(Answer::Begun(begun))
    }

    async fn end_payment(
        &mut self,
        conn: &mut PgConnection,
        end: &PaymentEnd,
    ) -> Result<Answer, Fault> {
        self.forget(conn, end.payee, &end.note).await?;
        if let Some(proof) = &end.proof {
            let kept = self.keep(conn, end.payee, proof).await?;
            if kept != Answer::Done {
                return Ok(kept);
            }
        }
        payments::end(conn, end).await?;
        Ok(Answer::Done)
    }

    async fn keep(
        &mut self,
        conn: &mut PgConnection,
        payee: NodeId,
        proof: &PaymentProof,
    ) -> Result<Answer, Fault> {
        let bytes = match proof_bytes::encode(proof) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Answer::Refused(error)),
        };
        if is_kept(conn, payee, &bytes).await? {
            return Ok(Answer::Done);
        }
        if self.proofs < MAX_KEPT_PROOFS {
            sqlx::query("insert into blvm_mesh.kept_proof (payee, proof) values ($1, $2)")
                .bind(payee.to_bytes())
                .bind(bytes)
                .execute(conn)
                .await?;
            self.proofs = self.proofs.saturating_add(1);
            return Ok(Answer::Done);
        }
        let reason = format!("it keeps {MAX_KEPT_PROOFS} proofs already");
        Ok(Answer::Refused(StoreError::Unavailable(reason)))
    }

    async fn forget(
        &mut self,
        conn: &mut PgConnection,
        payee: NodeId,
        proof: &PaymentProof,
    ) -> Result<Answer, Fault> {
        let bytes = match proof_bytes::encode(proof) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Answer::Refused(error)),
        };
        let sql = "delete from blvm_mesh.kept_proof where payee = $1 and digest = sha256($2)";
        let forgotten = sqlx::query(sql)
            .bind(payee.to_bytes())
            .bind(bytes)
            .execute(conn)
            .await?;
        if forgotten.rows_affected() > 0 {
            self.proofs = self.proofs.saturating_sub(1);
        }
        Ok(Answer::Done)
    }
}

/// Keeps everybody else from changing the node's row, and what is counted under its lock, until the transaction ends.
pub(super) async fn lock(conn: &mut PgConnection) -> Result<(), Fault> {
    sqlx::query("select from blvm_mesh.node for no key update")
        .execute(conn)
        .await?;
    Ok(())
}

async fn keep_settled_place(
    conn: &mut PgConnection,
    payee_key: &[u8; 33],
    place: u64,
) -> Result<Answer, Fault> {
    let sql = "insert into blvm_mesh.settled_place as p (payee_key, place) values ($1, $2)
        on conflict (payee_key) do update set place = greatest(p.place, excluded.place)";
    sqlx::query(sql)
        .bind(payee_key)
        .bind(signed(place))
        .execute(conn)
        .await?;
    Ok(Answer::Done)
}

async fn is_kept(conn: &mut PgConnection, payee: NodeId, bytes: &[u8]) -> Result<bool, Fault> {
    let sql = "select exists
        (select from blvm_mesh.kept_proof where payee = $1 and digest = sha256($2))";
    let kept = sqlx::query_scalar(sql)
        .bind(payee.to_bytes())
        .bind(bytes)
        .fetch_one(conn);
    Ok(kept.await?)
}

/// Forgets at most `most` claims whose proofs cannot be shown any more, and says how many they were.
///
/// What another gateway has locked at this moment is left for the next time.
pub(super) async fn remove_expired(
    conn: &mut PgConnection,
    most: usize,
    now: UnixTime,
) -> Result<Answer, Fault> {
    sqlx::query("update blvm_mesh.node set swept_at = $1 where swept_at < $1")
        .bind(signed(now.to_millis()))
        .execute(&mut *conn)
        .await?;
    let skew = u64::try_from(CLAIM_SKEW.as_millis()).unwrap_or(u64::MAX);
    let Some(ended) = now.to_millis().checked_sub(skew) else {
        return Ok(Answer::Removed(0));
    };
    let sql = "delete from blvm_mesh.claim where key in (select key from blvm_mesh.claim
        where expires_at <= $1 order by expires_at limit $2 for update skip locked)";
    let removed = sqlx::query(sql)
        .bind(signed(ended))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .execute(conn)
        .await?;
    let removed = usize::try_from(removed.rows_affected()).unwrap_or(usize::MAX);
    Ok(Answer::Removed(removed))
}
