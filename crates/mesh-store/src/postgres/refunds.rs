use super::{
    fault::Fault,
    number::{msat, signed, time},
};
use crate::{
    backend::Op,
    payment_parts::{outcome, outcome_parts},
};
use mesh_types::{MAX_OPEN_REFUNDS, NodeId, Refund};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of refunds in a transaction.
#[derive(Debug, Default)]
pub(super) struct Refunds {
    /// By payment hash: those that are begun or ended, where there are any.
    known: BTreeMap<[u8; 32], Refund>,
    changed: BTreeSet<[u8; 32]>,
    /// How many are under way in all.
    open: usize,
}

impl Refunds {
    pub(super) fn get(&self, payment_hash: &[u8; 32]) -> Option<&Refund> {
        self.known.get(payment_hash)
    }

    pub(super) fn has_room(&self) -> bool {
        self.open < MAX_OPEN_REFUNDS
    }

    pub(super) fn begin(&mut self, refund: Refund) {
        self.open = self.open.saturating_add(1);
        self.change(refund);
    }

    pub(super) fn end(&mut self, refund: Refund) {
        self.open = self.open.saturating_sub(1);
        self.change(refund);
    }

    fn change(&mut self, refund: Refund) {
        self.changed.insert(refund.payment_hash);
        self.known.insert(refund.payment_hash, refund);
    }
}

/// Reads the refunds that `ops` are about, and keeps everybody else from changing any until the transaction ends.
///
/// To be called before accounts are locked, by everybody: of two gateways one waits here with no account in its hands. The
/// table is locked and not its rows, because a refund that is begun has none yet, and because they are few.
pub(super) async fn read(conn: &mut PgConnection, ops: &[&Op]) -> Result<Refunds, Fault> {
    let hashes: BTreeSet<_> = ops
        .iter()
        .filter_map(|op| match op {
            Op::BeginRefund(refund) => Some(refund.payment_hash),
            Op::EndRefund(end) => Some(end.payment_hash),
            _ => None,
        })
        .collect();
    let mut refunds = Refunds::default();
    if hashes.is_empty() {
        return Ok(refunds);
    }
    sqlx::query("lock table blvm_mesh.refund in share row exclusive mode")
        .execute(&mut *conn)
        .await?;
    let open = "select count(*) from blvm_mesh.refund where outcome = 0";
    let open: i64 = sqlx::query_scalar(open).fetch_one(&mut *conn).await?;
    refunds.open = usize::try_from(open).unwrap_or(usize::MAX);
    let sql = "select payment_hash, payer, at, amount, fee, outcome, known_at, invoice
        from blvm_mesh.refund where payment_hash = any($1)";
    let hashes: Vec<_> = hashes.into_iter().collect();
    for row in sqlx::query(sql).bind(hashes).fetch_all(conn).await? {
        let refund = refund(&row)?;
        refunds.known.insert(refund.payment_hash, refund);
    }
    Ok(refunds)
}

/// Writes down what has changed.
pub(super) async fn write(conn: &mut PgConnection, refunds: &Refunds) -> Result<(), Fault> {
    let changed = refunds.changed.iter();
    for refund in changed.filter_map(|hash| refunds.known.get(hash)) {
        write_one(conn, refund).await?;
    }
    Ok(())
}

/// Takes refunds of another store.
pub(super) async fn import(conn: &mut PgConnection, refunds: &[Refund]) -> Result<(), Fault> {
    for refund in refunds {
        write_one(conn, refund).await?;
    }
    Ok(())
}

async fn write_one(conn: &mut PgConnection, refund: &Refund) -> Result<(), Fault> {
    let sql = "insert into blvm_mesh.refund
            (payment_hash, payer, at, amount, fee, outcome, known_at, invoice)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (payment_hash) do update set fee = excluded.fee, outcome = excluded.outcome,
            known_at = excluded.known_at, invoice = excluded.invoice";
    let (outcome, known_at) = outcome_parts(refund.outcome);
    sqlx::query(sql)
        .bind(refund.payment_hash)
        .bind(refund.payer.to_bytes())
        .bind(signed(refund.at.to_millis()))
        .bind(signed(refund.amount.to_msat()))
        .bind(signed(refund.fee.to_msat()))
        .bind(i16::from(outcome))
        .bind(signed(known_at.to_millis()))
        .bind(refund.invoice.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// The refund of one payment hash.
pub(super) async fn one(
    conn: &mut PgConnection,
    payment_hash: [u8; 32],
) -> Result<Option<Refund>, Fault> {
    let sql = "select payment_hash, payer, at, amount, fee, outcome, known_at, invoice
        from blvm_mesh.refund where payment_hash = $1";
    let row = sqlx::query(sql)
        .bind(payment_hash)
        .fetch_optional(conn)
        .await?;
    Ok(row.as_ref().map(refund).transpose()?)
}

/// Those of which nobody knows what became of them.
pub(super) async fn open_ones(conn: &mut PgConnection) -> Result<Vec<Refund>, Fault> {
    let sql = "select payment_hash, payer, at, amount, fee, outcome, known_at, invoice
        from blvm_mesh.refund where outcome = 0 order by payment_hash limit $1";
    let rows = sqlx::query(sql)
        .bind(i64::try_from(MAX_OPEN_REFUNDS).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    Ok(rows.iter().map(refund).collect::<Result<_, _>>()?)
}

/// At most `most`, in the order of their payment hashes, from behind `after`.
pub(super) async fn page(
    conn: &mut PgConnection,
    after: Option<[u8; 32]>,
    most: usize,
) -> Result<Vec<Refund>, Fault> {
    let sql = "select payment_hash, payer, at, amount, fee, outcome, known_at, invoice
        from blvm_mesh.refund where payment_hash > $1 order by payment_hash limit $2";
    let rows = sqlx::query(sql)
        .bind(after.map_or_else(Vec::new, |hash| hash.to_vec()))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    Ok(rows.iter().map(refund).collect::<Result<_, _>>()?)
}

fn refund(row: &PgRow) -> Result<Refund, sqlx::Error> {
    let unlike = |what: &str| sqlx::Error::Decode(format!("a refund has no known {what}").into());
    let kind: i16 = row.try_get("outcome")?;
    let kind = u8::try_from(kind).map_err(|_| unlike("outcome"))?;
    let known_at = time(row.try_get("known_at")?)?;
    Ok(Refund {
        payment_hash: row.try_get("payment_hash")?,
        payer: NodeId::from_bytes(row.try_get("payer")?),
        at: time(row.try_get("at")?)?,
        amount: msat(row.try_get("amount")?)?,
        fee: msat(row.try_get("fee")?)?,
        invoice: row.try_get("invoice")?,
        outcome: outcome(kind, known_at).ok_or_else(|| unlike("outcome"))?,
    })
}
