use super::{
    fault::Fault,
    node,
    number::{msat, signed},
};
use mesh_types::{ClaimKey, NodeId, TxHash, Watched};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use std::collections::{BTreeMap, BTreeSet};

/// The one row of `blvm_mesh.watched` for a payment, as it was and as the transaction under way leaves it.
#[derive(Debug, Clone, Copy, Default)]
struct WatchSlot {
    before: Option<Watched>,
    now: Option<Watched>,
}

/// What is known of watched payments in a transaction.
#[derive(Debug, Default)]
pub(super) struct Watches {
    /// By payment: those that are judged or claimed, where they are watched.
    slots: BTreeMap<ClaimKey, WatchSlot>,
    /// How many there are in all; counted where one on the chain is claimed.
    pub(super) count: u64,
}

impl Watches {
    /// The payment, where it is watched.
    pub(super) fn get(&self, key: ClaimKey) -> Option<Watched> {
        self.slots.get(&key).and_then(|slot| slot.now)
    }

    /// Watches a payment from now on as `now` says, or not any more.
    pub(super) fn set(&mut self, key: ClaimKey, now: Option<Watched>) {
        let slot = self.slots.entry(key).or_default();
        self.count = match (slot.now, now) {
            (None, Some(_)) => self.count.saturating_add(1),
            (Some(_), None) => self.count.saturating_sub(1),
            _ => self.count,
        };
        slot.now = now;
    }
}

/// Whose the judged payments are. Nothing is locked: the payer of a payment never changes.
pub(super) async fn payers(
    conn: &mut PgConnection,
    judged: &BTreeSet<[u8; 32]>,
) -> Result<BTreeSet<[u8; 32]>, Fault> {
    if judged.is_empty() {
        return Ok(BTreeSet::new());
    }
    let judged: Vec<_> = judged.iter().copied().collect();
    let payers: Vec<[u8; 32]> =
        sqlx::query_scalar("select payer from blvm_mesh.watched where key = any($1)")
            .bind(judged)
            .fetch_all(conn)
            .await?;
    Ok(payers.into_iter().collect())
}

/// Reads the payments that are judged, and those that are claimed `on_chain`.
///
/// To be called when the accounts of [`payers`] are locked. Whoever changes a watched payment has locked its payer's account,
/// so what is read here stays as it is until this transaction ends, without a lock on the rows of their own: they would be
/// locked in the order of their keys, and the accounts behind them in another order than everybody's.
///
/// Those that are claimed are counted behind the lock of the node's row, which comes behind all accounts: of two gateways
/// the second sees what the first has added.
pub(super) async fn read(
    conn: &mut PgConnection,
    judged: BTreeSet<[u8; 32]>,
    on_chain: BTreeSet<[u8; 32]>,
) -> Result<Watches, Fault> {
    let mut watches = Watches::default();
    if !on_chain.is_empty() {
        node::lock(conn).await?;
        let count: i64 = sqlx::query_scalar("select count(*) from blvm_mesh.watched")
            .fetch_one(&mut *conn)
            .await?;
        watches.count = u64::try_from(count).unwrap_or(u64::MAX);
    }
    let keys: Vec<_> = judged.union(&on_chain).copied().collect();
    if keys.is_empty() {
        return Ok(watches);
    }
    let sql = "select key, payer, amount, tx_hash, frozen from blvm_mesh.watched
        where key = any($1)";
    for row in sqlx::query(sql).bind(keys).fetch_all(conn).await? {
        let watched = watched(&row)?;
        let slot = WatchSlot {
            before: Some(watched),
            now: Some(watched),
        };
        watches.slots.insert(watched.key, slot);
    }
    Ok(watches)
}

/// Writes down what has changed.
pub(super) async fn write(conn: &mut PgConnection, watches: &Watches) -> Result<(), Fault> {
    let changed = || {
        let slots = watches.slots.iter();
        slots.filter(|(_, slot)| slot.before != slot.now)
    };
    // Also what is only frozen or thawed: one payment may have taken the place of another.
    let old: Vec<_> = changed()
        .filter(|(_, slot)| slot.before.is_some())
        .map(|(key, _)| *key.as_bytes())
        .collect();
    if !old.is_empty() {
        sqlx::query("delete from blvm_mesh.watched where key = any($1)")
            .bind(old)
            .execute(&mut *conn)
            .await?;
    }
    let new: Vec<_> = changed().filter_map(|(_, slot)| slot.now).collect();
    insert(conn, &new).await
}

/// Makes rows.
pub(super) async fn insert(conn: &mut PgConnection, new: &[Watched]) -> Result<(), Fault> {
    if new.is_empty() {
        return Ok(());
    }
    let sql = "insert into blvm_mesh.watched (key, payer, amount, tx_hash, frozen)
        select * from unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], $5::boolean[])";
    let rows = || new.iter();
    sqlx::query(sql)
        .bind(rows().map(|it| *it.key.as_bytes()).collect::<Vec<_>>())
        .bind(rows().map(|it| it.payer.to_bytes()).collect::<Vec<_>>())
        .bind(
            rows()
                .map(|it| signed(it.amount.to_msat()))
                .collect::<Vec<_>>(),
        )
        .bind(rows().map(|it| *it.tx_hash.as_bytes()).collect::<Vec<_>>())
        .bind(rows().map(|it| it.is_frozen).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

/// Brings what is frozen into the accounts of a ledger that was just filled.
pub(super) async fn freeze_accounts(conn: &mut PgConnection) -> Result<(), Fault> {
    let sql = "update blvm_mesh.account a set frozen = w.frozen
        from (select payer, sum(amount)::bigint as frozen from blvm_mesh.watched
            where frozen group by payer) w
        where a.payer = w.payer";
    sqlx::query(sql).execute(conn).await?;
    Ok(())
}

pub(super) fn watched(row: &PgRow) -> Result<Watched, sqlx::Error> {
    Ok(Watched {
        key: ClaimKey::from_tagged_hash(row.try_get("key")?),
        payer: NodeId::from_bytes(row.try_get("payer")?),
        amount: msat(row.try_get("amount")?)?,
        tx_hash: TxHash::from_bytes(row.try_get("tx_hash")?),
        is_frozen: row.try_get("frozen")?,
    })
}
